// SPDX-License-Identifier: GPL-2.0
/*
 * timers.c - interval timers and POSIX timers
 *
 * They are read under the siglock, together with the signals that wait, so that
 * an expiry is either a signal in the image or time that is left, never both or
 * none.  The clocks of the host run on while the process is frozen: a timer that
 * fires then leaves a signal behind that stays here (sig.c).
 *
 * All times in the records are what is left at the instant in HEAD.mono_ns.
 */
#include <linux/alarmtimer.h>
#include <linux/hrtimer.h>
#include <linux/posix-timers.h>
#include <linux/sched/cputime.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/timekeeping.h>

#include "../compat/compat.h"
#include "resource.h"

#define TIMERS_MAX	4096u

struct ctm_timer_snap {
	struct ctm_rec_itimers it;
	unsigned int n, room;
	struct ctm_rec_posix_timer t[];
};

enum clock_type { CLOCK_HR, CLOCK_CPU_PROCESS, CLOCK_CPU_THREAD, CLOCK_OTHER };

/* what timer_create() makes of it: "pid 0", in the upper bits, and the kind */
#define CPU_PROCESS	((clockid_t)(~0u << 3 | CPUCLOCK_SCHED))

/* the thread whose CPU time @tmr counts, or NULL; holds RCU */
static struct task_struct *thread_of(struct k_itimer *tmr, struct task_struct *leader)
{
	struct task_struct *t = tmr->it.cpu.pid ? pid_task(tmr->it.cpu.pid, PIDTYPE_PID) : NULL;

	return t && t->signal == leader->signal ? t : NULL;
}

static bool on_thread(clockid_t clock)
{
	return clock == CLOCK_THREAD_CPUTIME_ID ||
	       (clock < 0 && CPUCLOCK_PERTHREAD(clock) && CPUCLOCK_WHICH(clock) == CPUCLOCK_SCHED);
}

static enum clock_type clock_type(clockid_t clock)
{
	if (on_thread(clock))
		return CLOCK_CPU_THREAD;
	switch (clock) {
	case CLOCK_REALTIME: case CLOCK_MONOTONIC: case CLOCK_BOOTTIME: case CLOCK_TAI:
		return CLOCK_HR;
	case CLOCK_PROCESS_CPUTIME_ID:
	case CPU_PROCESS:
		return CLOCK_CPU_PROCESS;
	}
	return CLOCK_OTHER;
}

static unsigned int count_timers(struct task_struct *t, const char **bad)
{
	struct sighand_struct *h;
	struct k_itimer *tmr;
	unsigned long flags;
	unsigned int n = 0;

	*bad = NULL;
	h = ctm_lock_sighand(t, &flags);
	if (!h)
		return 0;
	ctm_for_each_timer(tmr, t->signal) {
		n++;
		switch (clock_type(tmr->it_clock)) {
		case CLOCK_CPU_THREAD:
			rcu_read_lock();
			if (!thread_of(tmr, t))
				*bad = "a timer on the CPU time of a thread that is gone";
			rcu_read_unlock();
			break;
		case CLOCK_OTHER:
			*bad = "a timer on an alarm clock or on another task's CPU time";
			break;
		default:
			break;
		}
	}
	ctm_unlock_sighand(h, &flags);
	return n;
}

void ctm_explain_timers(struct ctm_explain_ctx *x)
{
	const char *bad;
	unsigned int n = count_timers(x->leader, &bad);

	if (bad)
		ctm_stop(x, "%s: cannot move", bad);
	if (n > TIMERS_MAX)
		ctm_stop(x, "has %u timers: at most %u can move", n, TIMERS_MAX);
}

/* ---- reading; siglock held ---- */

static u64 left_of(struct hrtimer *t)
{
	s64 left = ktime_to_ns(hrtimer_get_remaining(t));

	return left > 0 ? left : 1;
}

/* CPU time of the group; exact while no thread of it is on a CPU */
static void group_cpu(struct task_struct *leader, u64 *user, u64 *all, u64 *runtime)
{
	struct signal_struct *sig = leader->signal;
	struct task_struct *t;
	u64 sys = sig->stime;

	*user = sig->utime;
	*runtime = sig->sum_sched_runtime;
	rcu_read_lock();
	for_each_thread(leader, t) {
		*user += t->utime;
		sys += t->stime;
		*runtime += t->se.sum_exec_runtime;
	}
	rcu_read_unlock();
	*all = *user + sys;
}

static u64 cpu_left(u64 expires, u64 now)
{
	return !expires ? 0 : expires > now ? expires - now : 1;
}

/* whole periods that passed since @expires, and the one to come */
static u64 next_period(s64 expires, s64 now, s64 interval, s32 *missed)
{
	u64 k;

	if (expires > now)
		return expires - now;
	k = div64_u64(now - expires, interval) + 1;
	*missed = min_t(u64, k, S32_MAX - 1);
	return expires + k * interval - now;
}

/* a timer that waits for its signal to be taken, and would start again then */
static u64 restart_left(struct hrtimer *t, s64 interval)
{
	s64 expires = ktime_to_ns(hrtimer_get_expires(t));
	s32 missed;

	return next_period(expires, expires - ktime_to_ns(hrtimer_get_remaining(t)), interval, &missed);
}

static void read_itimers(struct task_struct *l, struct ctm_rec_itimers *r, u64 user, u64 all)
{
	struct signal_struct *sig = l->signal;

	memset(r, 0, sizeof(*r));
	r->it[0].interval = ktime_to_ns(sig->it_real_incr);
	if (hrtimer_active(&sig->real_timer))
		r->it[0].value = left_of(&sig->real_timer);
	else if (sig->it_real_incr)
		r->it[0].value = restart_left(&sig->real_timer, sig->it_real_incr);
	r->it[1].interval = sig->it[CPUCLOCK_VIRT].incr;
	r->it[1].value = cpu_left(sig->it[CPUCLOCK_VIRT].expires, user);
	r->it[2].interval = sig->it[CPUCLOCK_PROF].incr;
	r->it[2].value = cpu_left(sig->it[CPUCLOCK_PROF].expires, all);
}

static u64 hr_left(struct k_itimer *tmr, s32 *missed)
{
	struct hrtimer *t = &tmr->it.real.timer;
	s64 expires = ktime_to_ns(hrtimer_get_expires(t));
	s64 now = expires - ktime_to_ns(hrtimer_get_remaining(t));

	if (tmr->it_sigev_notify == SIGEV_NONE && !hrtimer_active(t)) {
		if (tmr->it_interval)
			return next_period(expires, now, tmr->it_interval, missed);
		return expires > now ? expires - now : 0;
	}
	if (tmr->it_interval && ctm_timer_queued(tmr))
		return next_period(expires, now, tmr->it_interval, missed);
	return ctm_timer_armed(tmr) ? left_of(t) : 0;
}

static u64 cpu_timer_left(struct k_itimer *tmr, s64 now, s32 *missed)
{
	s64 expires = tmr->it.cpu.node.expires;

	if (!expires)
		return 0;
	if (tmr->it_interval && !ctm_timer_armed(tmr))
		return next_period(expires, now, tmr->it_interval, missed);
	if (expires > now)
		return expires - now;
	return ctm_timer_armed(tmr) ? 1 : 0;
}

/* as any thread may name it */
static clockid_t thread_clock(pid_t tid)
{
	return (clockid_t)((u32)~tid << 3 | CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED);
}

static u64 thread_timer_left(struct ctm_capture_state *s, struct k_itimer *tmr, s32 *clock, s32 *missed)
{
	struct task_struct *t;
	u64 left = 0;

	rcu_read_lock();
	t = thread_of(tmr, s->tasks[0]);
	if (t) {
		*clock = thread_clock(task_pid_nr_ns(t, s->ns));
		left = cpu_timer_left(tmr, t->se.sum_exec_runtime, missed);
	}
	rcu_read_unlock();
	return left;
}

static void read_timer(struct ctm_capture_state *s, struct k_itimer *tmr, u64 runtime,
		       struct ctm_rec_posix_timer *r)
{
	s32 missed = 0;

	memset(r, 0, sizeof(*r));
	r->id = tmr->it_id;
	r->clock = clock_type(tmr->it_clock) == CLOCK_CPU_PROCESS ? CLOCK_PROCESS_CPUTIME_ID : tmr->it_clock;
	r->notify = tmr->it_sigev_notify;
	r->signo = ctm_timer_info(tmr)->si_signo;
	r->sigval = (unsigned long)ctm_timer_info(tmr)->si_value.sival_ptr;
	if (tmr->it_sigev_notify & SIGEV_THREAD_ID)
		r->tid = pid_nr_ns(tmr->it_pid, s->ns);
	r->interval = ktime_to_ns(tmr->it_interval);
	switch (clock_type(tmr->it_clock)) {
	case CLOCK_HR:
		r->value = hr_left(tmr, &missed);
		break;
	case CLOCK_CPU_THREAD:
		r->value = thread_timer_left(s, tmr, &r->clock, &missed);
		break;
	default:
		r->value = cpu_timer_left(tmr, runtime, &missed);
	}
	r->overrun = clamp_t(s64, tmr->it_overrun + missed, 0, S32_MAX);
}

static int read_all(struct ctm_capture *c, struct ctm_timer_snap *snap)
{
	struct ctm_capture_state *s = ctm_state(c);
	struct k_itimer *tmr;
	u64 user, all, runtime;

	group_cpu(c->leader, &user, &all, &runtime);
	read_itimers(c->leader, &snap->it, user, all);
	snap->n = 0;
	ctm_for_each_timer(tmr, c->leader->signal) {
		if (snap->n == snap->room)
			return -ENOBUFS;
		read_timer(s, tmr, runtime, &snap->t[snap->n++]);
	}
	return 0;
}

int ctm_timers_take(struct ctm_capture *c)
{
	struct ctm_capture_state *s = ctm_state(c);
	struct sighand_struct *h;
	const char *bad;
	unsigned long flags;
	unsigned int room = count_timers(c->leader, &bad);
	int err, err2;

	s->timers = kvzalloc(struct_size(s->timers, t, room), GFP_KERNEL);
	if (!s->timers)
		return -ENOMEM;
	s->timers->room = room;
	h = ctm_lock_sighand(c->leader, &flags);
	if (!h)
		return -ESRCH;
	err = read_all(c, s->timers);
	err2 = ctm_pending_take(s->mark, c);
	ctm_unlock_sighand(h, &flags);
	if (err || err2)
		return ctm_fail(c, -EAGAIN, "signals arrive faster than they can be captured: try again");
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct ctm_rec_posix_timer *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

int ctm_capture_timers(struct ctm_capture *c)
{
	static const struct ctm_rec_itimers none;
	struct ctm_timer_snap *s = ctm_state(c)->timers;
	unsigned int i;
	int err = 0;

	if (!s)				/* for a fork */
		return ctm_put(c, CTM_REC_ITIMERS, &none, sizeof(none));

	/* The kernel's list is nearly the other way round, but not always: two threads
	 * that create timers get their ids in one order and may be entered in another.
	 */
	sort(s->t, s->n, sizeof(s->t[0]), by_id, NULL);
	for (i = 0; !err && i < s->n; i++)
		err = ctm_put(c, CTM_REC_POSIX_TIMER, &s->t[i], sizeof(s->t[i]));
	return err ? err : ctm_put(c, CTM_REC_ITIMERS, &s->it, sizeof(s->it));
}
