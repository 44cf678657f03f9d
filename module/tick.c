// SPDX-License-Identifier: GPL-2.0
/*
 * tick.c - the scheduler's tick
 *
 * take_tick() is all that runs at a tick.  It is called, in a hard interrupt with
 * interrupts off, either by an ftrace hook on the scheduler's own tick function, which
 * costs nothing on CPUs that are idle and fires nowhere else, or, where ftrace is not
 * there, by a pinned hrtimer of each CPU.  A task is known for a Continuum process's
 * by its cgroup (ctm_process_under()).
 *
 * The hook trusts nothing: if it is not called as it has to be, or falls silent though
 * CPUs are busy (kernel.ftrace_enabled=0), `watch` takes it away, and the timer takes
 * over unless tick=ftrace forbids that.
 *
 * tick_mutex covers source, mode and why, and serializes attaching and detaching.
 */
#include <linux/cpuhotplug.h>
#include <linux/ftrace.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <asm/irq_regs.h>

#include "compat/compat.h"
#include "load.h"
#include "tick.h"
#include "trace.h"

#define WATCH		HZ
#define SILENT_TICKS	(HZ / 4)	/* so much CPU time without one tick: it is silent */
#define TICKS_MAX	4		/* in the time of one, on each CPU: more make no sense */
#define IDLE_TICKS	16		/* the timer of an idle CPU is that much slower */

enum mode { MODE_AUTO, MODE_FTRACE, MODE_HRTIMER };
static const char * const mode_names[] = {
	[MODE_AUTO] = "auto", [MODE_FTRACE] = "ftrace", [MODE_HRTIMER] = "hrtimer",
};

/* One scheduler a machine: file scope. */
static DEFINE_MUTEX(tick_mutex);
static enum mode mode;
static enum ctm_tick_source source;
static char why[CTM_REASON_MAX];
static bool running;			/* between init and exit */
static const char *misused;		/* by the hook: how; no lock */
static ctm_tick_fn slots[CTM_TICK_SLOTS];

struct seen {
	u64 ticks;
	u64 hits;
};
static DEFINE_PER_CPU(struct seen, seen);

static void watch(struct work_struct *work);
static DECLARE_DELAYED_WORK(watch_work, watch);
static u64 watched_ticks, watched_busy, watched_ns;	/* the work's */

/* ---- the tick ---- */

static notrace void charge_tick(struct ctm_process *p, struct task_struct *t)
{
	struct ctm_tick tick = { .p = p };
	struct pt_regs *regs;
	ctm_tick_fn fn;
	unsigned int i;

	this_cpu_inc(seen.hits);
	regs = get_irq_regs();
	tick.task = t;
	tick.user = regs && user_mode(regs);
	tick.ns = TICK_NSEC;
	atomic64_add(TICK_NSEC, &tick.p->charged_ns);
	for (i = 0; i < CTM_TICK_SLOTS; i++) {
		fn = READ_ONCE(slots[i]);
		if (fn)
			fn(&tick);
	}
}

/* Hard interrupt, interrupts off: that is an RCU read-side section, too. */
static notrace void take_tick(void)
{
	u64 began = trace_tick_hook_enabled() ? ktime_get_ns() : 0;
	struct task_struct *t = current;
	struct ctm_process *p;

	this_cpu_inc(seen.ticks);
	if (t->flags & PF_KTHREAD)	/* idle, too */
		return;
	p = ctm_process_under(t);
	if (p)
		charge_tick(p, t);
	if (began)
		trace_tick_hook(p ? p->gpid : 0, ktime_get_ns() - began);
}

void ctm_tick_register(enum ctm_tick_slot slot, ctm_tick_fn fn)
{
	WRITE_ONCE(slots[slot], fn);
	if (!fn)
		synchronize_rcu();
}

/* ---- from ftrace ---- */

#ifdef CONFIG_DYNAMIC_FTRACE

/* No flag for protection from recursion or for RCU: nothing here is hooked itself. */
static notrace void on_sched_tick(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *op,
				  struct ftrace_regs *fregs)
{
	if (likely(in_hardirq() && irqs_disabled()))
		take_tick();
	else
		WRITE_ONCE(misused, "its hook was called outside of an interrupt");
}

static struct ftrace_ops tick_ops = { .func = on_sched_tick };
static bool filtered;			/* the filter is set once: see ftrace_free() */

static int ftrace_attach(void)
{
	static unsigned char function[] = CTM_SCHED_TICK;
	int err;

	if (!filtered) {
		err = ftrace_set_filter(&tick_ops, function, sizeof(function) - 1, 1);
		if (err)		/* and without a filter it would hook everything */
			return err;
		filtered = true;
	}
	return register_ftrace_function(&tick_ops);
}

/* returns when no CPU is in the hook any more */
static void ftrace_detach(void)
{
	unregister_ftrace_function(&tick_ops);
}

/* leaves pointers in tick_ops that must not be used again: at module exit only */
static void ftrace_free(void)
{
	if (filtered)
		ftrace_free_filter(&tick_ops);
}

#else

static int ftrace_attach(void)
{
	return -EOPNOTSUPP;
}

static void ftrace_detach(void)
{
}

static void ftrace_free(void)
{
}

#endif

/* ---- from timers ---- */

static DEFINE_PER_CPU(struct hrtimer, timers);
static int hotplug_state;

static enum hrtimer_restart on_timer(struct hrtimer *timer)
{
	take_tick();
	hrtimer_forward_now(timer, ns_to_ktime(is_idle_task(current) ? IDLE_TICKS * TICK_NSEC :
					       TICK_NSEC));
	return HRTIMER_RESTART;
}

/* both run on the CPU that came, or is going */
static int timer_start(unsigned int cpu)
{
	struct hrtimer *timer = this_cpu_ptr(&timers);

	hrtimer_setup(timer, on_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	hrtimer_start(timer, ns_to_ktime(TICK_NSEC), HRTIMER_MODE_REL_PINNED_HARD);
	return 0;
}

static int timer_stop(unsigned int cpu)
{
	hrtimer_cancel(this_cpu_ptr(&timers));
	return 0;
}

static int timers_attach(void)
{
	hotplug_state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "continuum/tick:online",
					  timer_start, timer_stop);
	return min(hotplug_state, 0);
}

static void timers_detach(void)
{
	cpuhp_remove_state(hotplug_state);
}

/* ---- choosing ---- */

static void detach(void)
{
	lockdep_assert_held(&tick_mutex);
	if (source == CTM_TICK_FTRACE)
		ftrace_detach();
	else if (source == CTM_TICK_HRTIMER)
		timers_detach();
	source = CTM_TICK_NONE;
	WRITE_ONCE(misused, NULL);
}

static int attach_ftrace(void)
{
	int err = ftrace_attach();

	if (!err)
		source = CTM_TICK_FTRACE;
	else
		snprintf(why, sizeof(why), "ftrace: cannot hook " CTM_SCHED_TICK ": error %d", -err);
	return err;
}

static int attach_timers(void)
{
	int err = timers_attach();

	if (!err)
		source = CTM_TICK_HRTIMER;
	else
		snprintf(why, sizeof(why), "hrtimer: cannot be set up: error %d", -err);
	return err;
}

/* 0 or -errno, and why */
static int attach(void)
{
	int err;

	lockdep_assert_held(&tick_mutex);
	why[0] = 0;
	switch (mode) {
	case MODE_AUTO:
		err = attach_ftrace();
		return err ? attach_timers() : 0;
	case MODE_FTRACE:
		return attach_ftrace();
	case MODE_HRTIMER:
		err = attach_timers();
		if (!err)
			strscpy(why, "tick=hrtimer", sizeof(why));
		return err;
	}
	return -EINVAL;
}

/* ---- does it work? ---- */

static u64 count_ticks(u64 *hits)
{
	u64 ticks = 0;
	int cpu;

	*hits = 0;
	for_each_possible_cpu(cpu) {
		ticks += READ_ONCE(per_cpu(seen.ticks, cpu));
		*hits += READ_ONCE(per_cpu(seen.hits, cpu));
	}
	return ticks;
}

/* what is wrong with the hook, or NULL.  CPU time is accounted at the same ticks */
static const char *find_fault(void)
{
	u64 hits, ticks = count_ticks(&hits), busy = ctm_load_busy_ns(), now = ktime_get_ns();
	u64 more = ticks - watched_ticks;
	s64 ran = busy - watched_busy;
	u64 time = div_u64(now - watched_ns, TICK_NSEC) + 1;

	watched_ticks = ticks;
	watched_busy = busy;
	watched_ns = now;
	if (misused)
		return misused;
	if (!more && ran > (s64)SILENT_TICKS * TICK_NSEC)
		return "its hook is not called (sysctl kernel.ftrace_enabled?)";
	if (more > TICKS_MAX * time * num_online_cpus())
		return "its hook is called too often";
	return NULL;
}

static void watch(struct work_struct *work)
{
	const char *fault;

	mutex_lock(&tick_mutex);
	fault = find_fault();
	if (fault && source == CTM_TICK_FTRACE) {
		detach();
		if (mode == MODE_AUTO)
			attach_timers();
		snprintf(why, sizeof(why), "ftrace: %s", fault);
		pr_warn("continuum: tick: %s; now from: %s\n", why, ctm_tick_source_name(source));
	}
	mutex_unlock(&tick_mutex);
	schedule_delayed_work(&watch_work, WATCH);
}

void ctm_tick_status(struct ctm_tick_status *out)
{
	mutex_lock(&tick_mutex);
	out->source = source;
	strscpy(out->why, why, sizeof(out->why));
	mutex_unlock(&tick_mutex);
	out->ticks = count_ticks(&out->hits);
}

const char *ctm_tick_source_name(enum ctm_tick_source s)
{
	static const char * const names[] = {
		[CTM_TICK_NONE] = "none",
		[CTM_TICK_FTRACE] = "ftrace",
		[CTM_TICK_HRTIMER] = "hrtimer",
	};

	return names[s];
}

/* ---- the parameter ---- */

static int mode_set(const char *val, const struct kernel_param *kp)
{
	int want = sysfs_match_string(mode_names, val), err = 0;
	enum mode old;

	if (want < 0)
		return want;
	mutex_lock(&tick_mutex);
	old = mode;
	mode = want;
	if (running) {
		detach();
		err = attach();
		if (err) {
			mode = old;
			attach();
		}
		pr_info("continuum: tick: from: %s%s%s\n", ctm_tick_source_name(source),
			why[0] ? ": " : "", why);
	}
	mutex_unlock(&tick_mutex);
	return err;
}

static int mode_get(char *buffer, const struct kernel_param *kp)
{
	return scnprintf(buffer, PAGE_SIZE, "%s\n", mode_names[mode]);
}

static const struct kernel_param_ops mode_ops = { .set = mode_set, .get = mode_get };
module_param_cb(tick, &mode_ops, NULL, 0644);
MODULE_PARM_DESC(tick, "where ticks come from: auto (ftrace, else hrtimer), ftrace, hrtimer");

/* ---- life of the module ---- */

int ctm_tick_init(void)
{
	int err;

	mutex_lock(&tick_mutex);
	err = attach();
	running = !err;
	if (err)
		pr_err("continuum: tick: %s\n", why);
	mutex_unlock(&tick_mutex);
	if (err) {
		ftrace_free();
		return err;
	}
	watched_ns = ktime_get_ns();
	watched_busy = ctm_load_busy_ns();
	schedule_delayed_work(&watch_work, WATCH);
	return 0;
}

/* the parameter is still there: from here on it changes nothing */
void ctm_tick_exit(void)
{
	cancel_delayed_work_sync(&watch_work);
	mutex_lock(&tick_mutex);
	running = false;
	detach();
	mutex_unlock(&tick_mutex);
	ftrace_free();
}
