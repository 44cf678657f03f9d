// SPDX-License-Identifier: GPL-2.0
/*
 * freeze.c - hold a capsule still, and be rid of a copy
 *
 * The cgroup v2 freezer stops every task of the capsule at the boundary to user
 * mode.  p->freezers counts who wants that, under p->journey; the file and the
 * cgroup are constant while the process is here.
 *
 * A stop of this kind shows in a few system calls, which answer EINTR to any
 * interruption.  While its caller is frozen such an answer is turned into a
 * restart, with the time that is left (waits.c), so that neither a move nor an
 * aborted one is seen.
 */
#include <linux/cgroup.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <asm/ptrace.h>
#include <asm/syscall.h>
#include <asm/vdso.h>

#include "capture.h"
#include "waits.h"

/* how often a freeze is repeated because a thread stood where it cannot stay */
#define SETTLE_TRIES	20

static bool live(const struct task_struct *t)
{
	return !(t->flags & PF_EXITING) && !t->exit_state;
}

static bool in_capsule(struct task_struct *t, const struct ctm_process *p)
{
	return task_dfl_cgroup(t) == p->cgrp;
}

static int freezer_write(struct ctm_process *p, const char *value)
{
	loff_t pos = 0;
	ssize_t n = kernel_write(p->freeze_file, value, 1, &pos);

	return n < 0 ? n : 0;
}

/* all live tasks (but @caller) frozen and off their CPUs?  Else @why names one.  -ESRCH: no tasks */
static int frozen(struct ctm_process *p, struct task_struct *caller, char *why)
{
	struct task_struct *g, *t;
	unsigned int n = 0;
	int ret = 1;

	rcu_read_lock();
	for_each_process_thread(g, t) {
		if (!in_capsule(t, p) || !live(t))
			continue;
		n++;
		if ((t->frozen || t == caller) && !smp_load_acquire(&t->on_cpu))
			continue;
		snprintf(why, CTM_REASON_MAX, "thread %d (%.16s) does not stop",
			 task_pid_nr(t), t->comm);
		ret = 0;
		break;
	}
	rcu_read_unlock();
	if (!n)
		return -ESRCH;
	/* a stopped task has its bit set at all times: the cgroup knows better */
	return ret && (caller || test_bit(CGRP_FROZEN, &p->cgrp->flags));
}

static int wait_frozen(struct ctm_process *p, struct task_struct *caller, ktime_t deadline, char *why)
{
	unsigned int us = 100;
	int ret;

	for (;;) {
		ret = frozen(p, caller, why);
		if (ret < 0) {
			strscpy(why, "it has ended", CTM_REASON_MAX);
			return ret;
		}
		if (ret) {
			why[0] = 0;
			return 0;
		}
		if (ktime_after(ktime_get(), deadline))
			return -ETIMEDOUT;
		usleep_range(us, 2 * us);
		us = min(2 * us, 4000u);
	}
}

/*
 * Calls that answered EINTR are made again; a signal that has a handler still lets
 * them answer it.  Nobody else looks at the registers of a task that is frozen.
 */
static void hide_interrupts(struct ctm_process *p)
{
	struct task_struct *g, *t;
	struct pt_regs *regs;

	rcu_read_lock();
	for_each_process_thread(g, t) {
		if (!in_capsule(t, p) || !live(t) || !t->frozen || smp_load_acquire(&t->on_cpu))
			continue;
		regs = task_pt_regs(t);
		if (user_64bit_mode(regs) && (long)regs->ax == -EINTR &&
		    ctm_call_repeats((u32)regs->orig_ax))
			regs->ax = -ERESTARTNOHAND;
	}
	rcu_read_unlock();
}

static bool in_vdso(struct task_struct *t)
{
	unsigned long ip = task_pt_regs(t)->ip, start = 0, size = 0;

	task_lock(t);
	if (t->mm && t->mm->context.vdso_image) {
		start = (unsigned long)t->mm->context.vdso;
		size = t->mm->context.vdso_image->size;
	}
	task_unlock(t);
	return ip - start < size;
}

const char *ctm_unsettled(struct task_struct *t)
{
	if (t->vfork_done)
		return "is between vfork and exec";
	return in_vdso(t) ? "is reading the clock in the vDSO" : NULL;
}

static bool settled(struct ctm_process *p)
{
	struct task_struct *g, *t;
	bool ret = true;

	rcu_read_lock();
	for_each_process_thread(g, t) {
		if (in_capsule(t, p) && live(t) && ctm_unsettled(t)) {
			ret = false;
			break;
		}
	}
	rcu_read_unlock();
	return ret;
}

static void release(struct ctm_process *p)
{
	char home[CTM_NAME_MAX];
	int err;

	ctm_waits_go_on(p->waits);
	ctm_waits_free(p->waits);
	p->waits = NULL;
	err = freezer_write(p, "0");
	if (err) {
		ctm_peer_name(CTM_GPID_NODE(p->gpid), home);
		pr_err("continuum: process %s.%u: cannot be thawed: error %d\n", home,
		       CTM_GPID_SEQ(p->gpid), err);
	}
}

int ctm_freeze(struct ctm_process *p, unsigned int timeout_ms, char *why)
{
	ktime_t deadline = ktime_add_ms(ktime_get(), timeout_ms);
	unsigned int tries;
	int err;

	lockdep_assert_held(&p->journey);
	if (p->freezers) {
		p->freezers++;
		return 0;
	}
	for (tries = 1; ; tries++) {
		p->waits = ctm_waits_find(p);
		err = freezer_write(p, "1");
		if (err) {
			ctm_waits_settle(p->waits);
			ctm_waits_free(p->waits);
			p->waits = NULL;
			snprintf(why, CTM_REASON_MAX, "the freezer answers error %d", err);
			return err;
		}
		err = wait_frozen(p, NULL, deadline, why);
		if (err)
			goto err_thaw;
		hide_interrupts(p);
		ctm_waits_settle(p->waits);
		/* Not being settled stops a move, not a suspend: capture looks again. */
		if (settled(p) || tries == SETTLE_TRIES || ktime_after(ktime_get(), deadline))
			break;
		release(p);
		usleep_range(200 * tries, 400 * tries);
	}
	p->freezers = 1;
	return 0;
err_thaw:
	hide_interrupts(p);
	ctm_waits_settle(p->waits);
	release(p);
	return err;
}

void ctm_thaw(struct ctm_process *p)
{
	lockdep_assert_held(&p->journey);
	if (WARN_ON_ONCE(!p->freezers) || --p->freezers)
		return;
	release(p);
}

/*
 * Others of the process must not change its memory while a child's is read; what they
 * wait for goes on afterwards, as after any freeze.
 */
int ctm_freeze_around(struct ctm_process *p, struct task_struct *caller, unsigned int timeout_ms,
		      char *why)
{
	int err;

	p->waits = ctm_waits_find(p);
	err = freezer_write(p, "1");
	if (err)
		snprintf(why, CTM_REASON_MAX, "the freezer answers error %d", err);
	else
		err = wait_frozen(p, caller, ktime_add_ms(ktime_get(), timeout_ms), why);
	hide_interrupts(p);
	ctm_waits_settle(p->waits);
	if (err)
		release(p);
	return err;
}

void ctm_thaw_around(struct ctm_process *p)
{
	release(p);
}

/* SIGKILL by hand: cgroup.kill misses a group whose main thread has exited */
static unsigned int kill_all(struct ctm_process *p)
{
	struct task_struct *g, *t;
	unsigned int left = 0;

	rcu_read_lock();
	for_each_process_thread(g, t) {
		if (!in_capsule(t, p) || t->exit_state)
			continue;
		left++;
		if (live(t) && !(t->signal->flags & SIGNAL_GROUP_EXIT))
			kill_pid(task_tgid(t), SIGKILL, 1);
	}
	rcu_read_unlock();
	return left;
}

int ctm_kill_copy(struct ctm_process *p, unsigned int timeout_ms)
{
	ktime_t deadline = ktime_add_ms(ktime_get(), timeout_ms);

	while (kill_all(p)) {
		if (ktime_after(ktime_get(), deadline))
			return -ETIMEDOUT;
		usleep_range(500, 2000);
	}
	return 0;
}

/* fill up to @room; returns how many there are */
static unsigned int list_tasks(struct ctm_process *p, struct task_struct **out, unsigned int room)
{
	struct task_struct *g, *t, *leader;
	unsigned int n = 0;

	rcu_read_lock();
	leader = pid_task(p->leader, PIDTYPE_TGID);
	if (leader && live(leader) && n++ < room)
		out[0] = leader;
	for_each_process_thread(g, t) {
		if (t != leader && in_capsule(t, p) && live(t) && n++ < room)
			out[n - 1] = t;
	}
	if (n <= room) {
		unsigned int i;

		for (i = 0; i < n; i++)
			get_task_struct(out[i]);
	}
	rcu_read_unlock();
	return n;
}

int ctm_tasks(struct ctm_process *p, struct task_struct ***out)
{
	unsigned int room = 16, n;
	struct task_struct **tasks;

	for (;;) {
		tasks = kvcalloc(room, sizeof(*tasks), GFP_KERNEL);
		if (!tasks)
			return -ENOMEM;
		n = list_tasks(p, tasks, room);
		if (n <= room)
			break;
		kvfree(tasks);
		room = n + 16;
	}
	if (!n) {
		kvfree(tasks);
		return -ESRCH;
	}
	*out = tasks;
	return n;
}

void ctm_tasks_put(struct task_struct **tasks, unsigned int n)
{
	while (n)
		put_task_struct(tasks[--n]);
	kvfree(tasks);
}
