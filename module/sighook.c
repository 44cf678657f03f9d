// SPDX-License-Identifier: GPL-2.0
/*
 * sighook.c - at the place where the kernel queues signals
 *
 * The probe runs for every signal of the machine, in any context, so what it does
 * when nobody waits for it is a look at two words.
 *
 * Who watches a group holds a reference to its leader, so that the group's
 * signal_struct, by which it is known, stays.  The list is RCU's; what was noted is
 * under the siglock of the group, which the probe's caller holds.
 */
#include <linux/cred.h>
#include <linux/mutex.h>
#include <linux/pid_namespace.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/tracepoint.h>
#include <linux/uidgid.h>
#include <trace/events/signal.h>

#include "sighook.h"

#define RT_FIRST	32		/* the kernel's SIGRTMIN; libc's are above */

static LIST_HEAD(watches);
static DEFINE_SPINLOCK(watch_lock);	/* changes of the list */

/* One at a time: what the probe shall give to the signal that `by` sends. */
static DEFINE_MUTEX(gift_lock);
static struct {
	struct task_struct *by;
	struct pid *to;
	int sig;
	kernel_siginfo_t info;
} gift;

static struct tracepoint *hook;

/* ---- siginfo ---- */

static bool by_kernel(const kernel_siginfo_t *info)
{
	return info == SEND_SIG_NOINFO || info == SEND_SIG_PRIV || info->si_code > 0;
}

void ctm_pending_fill(struct ctm_rec_pending *r, u32 tid, int sig, const kernel_siginfo_t *info)
{
	kernel_siginfo_t *out = (kernel_siginfo_t *)r->siginfo;

	BUILD_BUG_ON(sizeof(siginfo_t) != sizeof(r->siginfo));
	memset(r, 0, sizeof(*r));
	r->tid = tid;
	r->signo = sig;
	if (info != SEND_SIG_NOINFO && info != SEND_SIG_PRIV) {
		*out = *info;
		if (out->si_code == SI_TIMER)
			out->si_sys_private = 0;
	} else {
		out->si_signo = sig;
		out->si_code = info == SEND_SIG_PRIV ? SI_KERNEL : SI_USER;
	}
}

bool ctm_pending_of_timer(int sig, const kernel_siginfo_t *info)
{
	if (info == SEND_SIG_NOINFO)
		return false;
	if (info == SEND_SIG_PRIV)
		return sig == SIGALRM;
	return info->si_code == SI_TIMER || (sig == SIGALRM && info->si_code == SI_KERNEL);
}

/* ---- watching ---- */

/* by the keeper, who ends what is left in its namespace when it leaves; not on the host itself */
static bool from_inside(const struct ctm_sigwatch *w)
{
	struct pid_namespace *ns = task_active_pid_ns(w->leader);

	return ns != &init_pid_ns && task_active_pid_ns(current) == ns;
}

/*
 * Is it the process's, and not only its copy's?  What a process ignores is queued
 * nowhere.  When the copy dies the kernel drops everything; what others sent is the
 * process's all the same, but not what the kernel and the keeper have to say about
 * that end: SIGHUP of the terminal, SIGKILL of the namespace.  Nor is an out-of-memory
 * kill.
 */
static bool of_process(const struct ctm_sigwatch *w, struct task_struct *t, int sig,
		       const kernel_siginfo_t *info, int result)
{
	bool dropped = result == TRACE_SIGNAL_IGNORED && t->signal->flags & SIGNAL_GROUP_EXIT;

	if (ctm_pending_of_timer(sig, info))
		return false;
	if (dropped || sig == SIGKILL)
		return (dropped || result == TRACE_SIGNAL_DELIVERED) && !by_kernel(info) &&
		       !from_inside(w);
	return result == TRACE_SIGNAL_DELIVERED || result == TRACE_SIGNAL_LOSE_INFO;
}

/* a queue keeps one of these, unless stop and continue take turns */
static bool known(const struct ctm_sigwatch *w, u32 tid, int sig)
{
	unsigned int i;

	if (sig >= RT_FIRST || sig_kernel_stop(sig) || sig == SIGCONT)
		return false;
	for (i = 0; i < w->n; i++)
		if (w->v[i].signo == sig && w->v[i].tid == tid)
			return true;
	return false;
}

static void note(struct ctm_sigwatch *w, struct task_struct *t, int sig,
		 const kernel_siginfo_t *info, bool group, int result)
{
	u32 tid = group ? 0 : task_pid_nr_ns(t, task_active_pid_ns(w->leader));

	if (!w->on || !of_process(w, t, sig, info, result) || (!group && !tid) || known(w, tid, sig))
		return;
	if (w->n < w->room) {
		ctm_pending_fill(&w->v[w->n++], tid, sig, info);
		return;
	}
	sigaddset(&w->bare, sig);
	w->lost++;
}

void ctm_sigwatch_add(struct ctm_sigwatch *w)
{
	if (w->list.next)
		return;
	spin_lock(&watch_lock);
	list_add_rcu(&w->list, &watches);
	spin_unlock(&watch_lock);
}

void ctm_sigwatch_del(struct ctm_sigwatch *w)
{
	if (!w->list.next)
		return;
	spin_lock(&watch_lock);
	list_del_rcu(&w->list);
	spin_unlock(&watch_lock);
	synchronize_rcu();
	w->list.next = NULL;
}

/* it is unhashed and its sighand taken away in one, under siglock */
bool ctm_sigwatch_over(const struct ctm_sigwatch *w)
{
	return !smp_load_acquire((void **)&w->leader->sighand);
}

/* ---- giving ---- */

/* kill_pid() has just put it at the end of the queue of the group */
static void give(struct task_struct *t)
{
	struct sigpending *q = &t->signal->shared_pending;
	struct sigqueue *e;

	if (list_empty(&q->list))
		return;
	e = list_last_entry(&q->list, struct sigqueue, list);
	if (e->info.si_signo == gift.sig && e->info.si_code == SI_KERNEL)
		e->info = gift.info;
}

int ctm_kill_info(struct pid *pid, int sig, const kernel_siginfo_t *info)
{
	int err;

	mutex_lock(&gift_lock);
	gift.to = pid;
	gift.sig = sig;
	gift.info = *info;
	WRITE_ONCE(gift.by, current);
	err = kill_pid(pid, sig, 1);
	WRITE_ONCE(gift.by, NULL);
	mutex_unlock(&gift_lock);
	return err;
}

/* ---- the probe ---- */

static void on_signal(void *data, int sig, struct kernel_siginfo *info, struct task_struct *t,
		      int group, int result)
{
	struct ctm_sigwatch *w;

	/* an interrupt may send one while we do: that is another */
	if (READ_ONCE(gift.by) == current && in_task() && info == SEND_SIG_PRIV && group &&
	    sig == gift.sig && task_tgid(t) == gift.to && result == TRACE_SIGNAL_DELIVERED)
		give(t);
	rcu_read_lock();
	list_for_each_entry_rcu(w, &watches, list)
		if (w->leader->signal == t->signal)
			note(w, t, sig, info, group, result);
	rcu_read_unlock();
}

static void find_hook(struct tracepoint *tp, void *arg)
{
	if (!strcmp(tp->name, "signal_generate"))
		hook = tp;
}

int ctm_sighook_init(void)
{
	for_each_kernel_tracepoint(find_hook, NULL);
	return hook ? tracepoint_probe_register(hook, on_signal, NULL) : -EOPNOTSUPP;
}

void ctm_sighook_exit(void)
{
	tracepoint_probe_unregister(hook, on_signal, NULL);
	tracepoint_synchronize_unregister();
}
