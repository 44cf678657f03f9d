// SPDX-License-Identifier: GPL-2.0
/*
 * waits.c - until when the calls wait that a freeze will interrupt
 *
 * A thread that waits with a timeout sleeps in the kernel with an armed struct
 * hrtimer_sleeper on its stack.  It is read there just before the freeze: its
 * expiry is the deadline of the call, exact and whatever happened since the call
 * began.  Two things have to be certain:
 *
 * - that the thread slept all the while it was read: it is off the CPU, and has
 *   been switched as often after as before;
 * - that the call which the freeze then interrupts is the same, not a later one
 *   like it.  For that the number of the call, which stands in the registers that
 *   it saved when it entered the kernel, is marked in its upper half, of which
 *   nobody takes notice: the next entry writes the number anew, without the mark.
 *
 * The stack of a task that ends while it is looked at is not given back before the
 * RCU read lock is; another task may have it by then, to whom a mark does nothing.
 *
 * What is not certain counts as not known: the thread was on its way into the call
 * or out of it.  Then the timeout begins with the freeze.
 *
 * What may go wrong, and how far:
 *
 * - The scan never leaves the stack: it goes from the thread's saved stack pointer, if
 *   that is inside, to its saved registers.  It follows no pointer that it finds.
 * - What is left over from earlier calls is no armed timer: the kernel marks a timer as
 *   inactive before its frame goes.  Who knew the addresses of his task and of the
 *   kernel's text could write a sleeper into a buffer on his own stack; what he gains is
 *   a timeout of his own call that is too short.  A deadline later than the call's own
 *   timeout allows is not believed.
 * - Of several sleepers the innermost is found.  No call of ours sleeps interruptibly,
 *   with a timeout of another, inside the wait that is its own.
 * - The mark is put on the stack of a thread that slept a moment ago.  If it runs by
 *   then, what stands there is its number still, or a new one, or the error code of an
 *   exception; of all of these the kernel reads the lower half only.  If the kernel
 *   itself restarts the call, the mark stays, and so does the deadline: as it should.
 *
 * Timeouts of sockets (SO_RCVTIMEO) are not among these.  The thread sleeps with a plain
 * timer, in ticks, and what the call takes is no argument but an option of the socket,
 * which others share and may ask for: it cannot be shortened for one call.
 *
 * The list belongs to the process, under p->journey, from ctm_freeze() on until it
 * is thawed or leaves.
 */
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kallsyms.h>
#include <linux/mm.h>
#include <linux/personality.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <asm/ptrace.h>

#include "capture.h"
#include "waits.h"

#define MARK		(0x43544dull << 32)
#define PROBES		3	/* of a thread that is in such a call, and awake */
#define RED_ZONE	128

struct wait {
	const struct ctm_timeout *to;	/* of the call that was interrupted, NULL: none */
	s64 deadline;
	bool marked;			/* its saved number is, by us */
	bool found;			/* @deadline is that of the marked call */
};

struct ctm_waits {
	unsigned int n;
	struct task_struct **tasks;	/* referenced */
	struct wait w[];
};

/* ---- before the freeze ---- */

/* what it saved when it entered the kernel, NULL: it has ended.  Holds RCU */
static struct pt_regs *saved_regs(struct task_struct *t)
{
	unsigned long stack = (unsigned long)READ_ONCE(t->stack);

	if (!stack || t->flags & PF_EXITING)
		return NULL;
	return (struct pt_regs *)(stack + THREAD_SIZE - TOP_OF_KERNEL_STACK_PADDING) - 1;
}

static bool asleep(struct task_struct *t)
{
	return READ_ONCE(t->__state) & TASK_INTERRUPTIBLE && !smp_load_acquire(&t->on_cpu);
}

static bool is_sleeper(struct hrtimer *timer)
{
	char name[KSYM_SYMBOL_LEN];

	snprintf(name, sizeof(name), "%ps", ACCESS_PRIVATE(timer, function));
	return !strcmp(name, "hrtimer_wakeup");
}

/*
 * The timer that will wake @t, from its kernel stack, which ends at @regs.  It may
 * wake and run at any moment, so what is found is a copy that the caller has to
 * doubt.  Holds RCU
 */
static noinline __no_sanitize_address bool find_sleeper(struct task_struct *t,
							const struct pt_regs *regs, s64 *expires)
{
	unsigned long at = ALIGN(READ_ONCE(t->thread.sp), sizeof(long));
	unsigned long end = (unsigned long)regs - sizeof(struct hrtimer_sleeper);
	unsigned long from = (unsigned long)(regs + 1) + TOP_OF_KERNEL_STACK_PADDING - THREAD_SIZE;
	struct hrtimer_sleeper s;
	unsigned long *words = (unsigned long *)&s;
	unsigned int i;

	for (; at >= from && at <= end; at += sizeof(long)) {
		unsigned long task = at + offsetof(struct hrtimer_sleeper, task);

		if (READ_ONCE(*(struct task_struct **)task) != t)
			continue;
		for (i = 0; i < sizeof(s) / sizeof(long); i++)
			words[i] = READ_ONCE(((unsigned long *)at)[i]);
		if (!hrtimer_is_queued(&s.timer) || !is_sleeper(&s.timer))
			continue;
		*expires = ktime_to_ns(hrtimer_get_softexpires(&s.timer));
		return true;
	}
	return false;
}

/* false: it is on its way into such a call, or out; look again in a moment.  Holds RCU */
static bool probe(struct task_struct *t, struct wait *w, struct pt_regs *regs)
{
	unsigned long *saved = &regs->orig_ax, nr = READ_ONCE(*saved);
	unsigned long switches;

	if (w->marked && nr != (u32)nr)
		nr = (u32)nr;
	else if (!ctm_call_timeout(nr))
		return true;
	if (!asleep(t))
		return false;
	switches = READ_ONCE(t->nvcsw) + READ_ONCE(t->nivcsw);
	if (cmpxchg(saved, nr, nr | MARK) == nr)
		w->marked = true;
	smp_mb();	/* the mark, then the stack: the next entry has neither */
	w->found = find_sleeper(t, regs, &w->deadline);
	smp_rmb();
	if (asleep(t) && READ_ONCE(t->nvcsw) + READ_ONCE(t->nivcsw) == switches &&
	    READ_ONCE(*saved) == (nr | MARK))
		return true;
	w->found = false;
	return false;
}

static bool probe_all(struct ctm_waits *ws)
{
	bool done = true;
	unsigned int i;

	for (i = 0; i < ws->n; i++) {
		struct pt_regs *regs;

		if (ws->w[i].found)
			continue;
		rcu_read_lock();
		regs = saved_regs(ws->tasks[i]);
		if (regs)
			done &= probe(ws->tasks[i], &ws->w[i], regs);
		rcu_read_unlock();
	}
	return done;
}

struct ctm_waits *ctm_waits_find(struct ctm_process *p)
{
	struct task_struct **tasks;
	struct ctm_waits *ws;
	int i, n = ctm_tasks(p, &tasks);

	if (n < 0)
		return NULL;
	ws = kvzalloc(struct_size(ws, w, n), GFP_KERNEL);
	if (!ws) {
		ctm_tasks_put(tasks, n);
		return NULL;
	}
	ws->n = n;
	ws->tasks = tasks;
	for (i = 1; !probe_all(ws) && i < PROBES; i++)
		usleep_range(50, 100);
	return ws;
}

/* ---- frozen ---- */

static bool interrupted(struct pt_regs *regs)
{
	switch ((long)regs->ax) {
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
		return (int)regs->orig_ax >= 0 && user_64bit_mode(regs);
	}
	return false;
}

static unsigned long *pt_reg(struct pt_regs *regs, enum ctm_timeout_reg reg)
{
	switch (reg) {
	case CTM_TIMEOUT_DX:
		return &regs->dx;
	case CTM_TIMEOUT_R10:
		return &regs->r10;
	default:
		return &regs->r8;
	}
}

/* which call of @t was interrupted; @arg: its timeout.  Holds RCU */
static const struct ctm_timeout *settle(struct task_struct *t, struct wait *w, u64 *arg)
{
	struct pt_regs *regs = saved_regs(t);
	const struct ctm_timeout *to = NULL;
	unsigned long nr;

	if (!regs)
		return NULL;
	nr = (u32)READ_ONCE(regs->orig_ax);
	if (!w->marked || cmpxchg(&regs->orig_ax, nr | MARK, nr) != (nr | MARK))
		w->found = false;
	w->marked = false;
	if (t->frozen && !smp_load_acquire(&t->on_cpu) && interrupted(regs))
		to = ctm_call_timeout(nr);
	if (to)
		*arg = *pt_reg(regs, to->reg);
	return to;
}

/* as its arguments say; -1: for ever */
static s64 asked_for(struct task_struct *t, const struct ctm_timeout *to, u64 arg)
{
	s64 v[2] = { arg, 0 };

	if (to->form != CTM_TIMEOUT_MS &&
	    (!arg || access_process_vm(t, arg, v, sizeof(v), FOLL_FORCE) != sizeof(v)))
		return -1;
	return ctm_timeout_get(to, v);
}

void ctm_waits_settle(struct ctm_waits *ws)
{
	const struct ctm_timeout *to;
	unsigned int i;
	u64 arg = 0;
	s64 ns, latest;

	for (i = 0; ws && i < ws->n; i++) {
		struct wait *w = &ws->w[i];

		rcu_read_lock();
		to = settle(ws->tasks[i], w, &arg);
		rcu_read_unlock();
		if (to) {
			ns = asked_for(ws->tasks[i], to, arg);
			latest = ktime_get_ns() + ns;	/* as if it had begun just now */
			if (!w->found || (ns >= 0 && w->deadline > latest))
				w->deadline = latest;
			if (!w->found && ns < 0)
				to = NULL;
		}
		w->to = to;
	}
}

bool ctm_waits_deadline(struct ctm_waits *ws, struct task_struct *t, s64 *ns)
{
	unsigned int i;

	for (i = 0; ws && i < ws->n; i++) {
		if (ws->tasks[i] != t)
			continue;
		*ns = ws->w[i].deadline;
		return ws->w[i].to;
	}
	return false;
}

/* ---- the time that is left ---- */

int ctm_timeout_set(struct task_struct *t, const struct ctm_timeout *to, u64 *reg, u64 sp, s64 ns)
{
	u64 at = (sp - RED_ZONE - 2 * sizeof(s64)) & ~15ull;
	s64 v[2];

	if (to->form == CTM_TIMEOUT_MS) {
		*reg = ctm_timeout_ms(ns);
		return 0;
	}
	ctm_timeout_put(to, ns, v);
	if (to->updated && !(t->personality & STICKY_TIMEOUTS) &&
	    access_process_vm(t, *reg, v, sizeof(v), FOLL_WRITE) == sizeof(v))
		return 0;
	/* where a signal's frame might come to lie: by then the call has read it */
	if (access_process_vm(t, at, v, sizeof(v), FOLL_WRITE) != sizeof(v))
		return -EFAULT;
	*reg = at;
	return 0;
}

static void go_on(struct task_struct *t, const struct wait *w)
{
	struct pt_regs *regs;
	u64 reg = 0, sp = 0;

	rcu_read_lock();
	regs = saved_regs(t);
	if (regs) {
		reg = *pt_reg(regs, w->to->reg);
		sp = regs->sp;
	}
	rcu_read_unlock();
	if (!regs || ctm_timeout_set(t, w->to, &reg, sp, w->deadline - (s64)ktime_get_ns()))
		return;
	rcu_read_lock();
	regs = saved_regs(t);
	if (regs)			/* frozen still, or on its way to its end */
		*pt_reg(regs, w->to->reg) = reg;
	rcu_read_unlock();
}

void ctm_waits_go_on(struct ctm_waits *ws)
{
	unsigned int i;

	for (i = 0; ws && i < ws->n; i++)
		if (ws->w[i].to)
			go_on(ws->tasks[i], &ws->w[i]);
}

void ctm_waits_free(struct ctm_waits *ws)
{
	if (!ws)
		return;
	ctm_tasks_put(ws->tasks, ws->n);
	kvfree(ws);
}
