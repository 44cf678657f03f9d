/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sig.c - handlers, pending signals, a stop
 *
 * All signals are blocked from the keeper's clone on, until the module sets the
 * recorded masks: what is queued here waits until then.
 */
#include "restore.h"
#include <asm/errno.h>

static bool is_stop(int sig)
{
	return sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

static void action_set(struct restore *r, int sig, const void *act)
{
	restore_must(r, SYS(rt_sigaction, sig, act, 0, 8), "handler of signal %d", sig);
}

/* Some may be ignored: that survives an exec, and so comes from who started continuumd. */
void sig_own(struct restore *r)
{
	struct sigaction none = { .sa_handler = SIG_DFL };

	for (int sig = 1; sig <= 64; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			action_set(r, sig, &none);
}

void sig_actions(struct restore *r, const struct ctm_rec_sighand *rec)
{
	for (int sig = 1; sig <= 64; sig++) {
		const __u64 *act = &rec->act[sig - 1].handler;

		if (sig == SIGKILL || sig == SIGSTOP)
			continue;
		/* the record has the order of the kernel's struct; all zero: as it is */
		if (act[0] | act[1] | act[2] | act[3])
			action_set(r, sig, act);
		if (is_stop(sig) && rec->act[sig - 1].handler == (__u64)SIG_DFL)
			r->stop_able |= 1ull << (sig - 1);
	}
	r->have_sighand = true;
}

void sig_pending(struct restore *r, const struct ctm_rec_pending *rec)
{
	if (rec->signo < 1 || rec->signo > 64 || rec->signo == SIGKILL)
		restore_fail(r, EBADMSG, "pending signal %u", rec->signo);
	if (rec->signo == SIGSTOP) {	/* it would not wait */
		r->task->stopped = SIGSTOP;
		return;
	}
	if (rec->tid) {
		struct ctm_rec_pending *own = restore_grow(r, sizeof(*own));

		if (!r->npending++)
			r->pending = own;
		*own = *rec;
		return;
	}
	restore_must(r, SYS(rt_sigqueueinfo, r->head.leader, rec->signo, rec->siginfo),
		     "pending signal %u", rec->signo);
}

/* Only the thread itself may say that tgkill() or the kernel sent it. */
void sig_pending_own(struct restore *r, __u32 tid)
{
	for (unsigned int i = 0; i < r->npending; i++) {
		const struct ctm_rec_pending *rec = &r->pending[i];

		if (rec->tid == tid)
			restore_must(r, SYS(rt_tgsigqueueinfo, r->head.leader, tid, rec->signo,
					    rec->siginfo),
				     "pending signal %u of thread %u", rec->signo, tid);
	}
}

/*
 * A process that was stopped stops again at its first step: by a pending stop
 * signal that its mask and handlers let through.  SIGSTOP itself cannot wait.
 */
void sig_stop(struct restore *r)
{
	const struct slot *leader = (const void *)r->slots;
	__u64 can = r->stop_able & ~leader->rec.wait.sigmask;
	__u32 sig = r->task->stopped;

	if (!sig)
		return;
	if (sig > 64 || !(can >> (sig - 1) & 1))
		sig = can ? __builtin_ctzll(can) + 1 : 0;
	if (!sig)
		restore_fail(r, EOPNOTSUPP, "stop: all stop signals are handled or blocked");
	restore_must(r, SYS(kill, r->head.leader, sig), "stop");
}
