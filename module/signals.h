/* SPDX-License-Identifier: GPL-2.0 */
/*
 * signals.h - signals that find a process wherever it is, and are applied once
 *
 * suspend, resume and destroy travel in the same way.
 */
#ifndef CTM_SIGNALS_H
#define CTM_SIGNALS_H

#include "core/signal.h"
#include "process.h"

/**
 * ctm_signal() - CTM_IOC_SIGNAL, for current
 * Context: process, waits up to arg->timeout_ms, interruptible.
 * Return: 0, -ESRCH, -EPERM, -ETIMEDOUT (unconfirmed), -EINTR (unconfirmed), -EAGAIN
 * (too many of this user are under way), -ENETDOWN; with arg->reason
 */
int ctm_signal(struct ctm_signal *arg);
/** ctm_target() - DESTROY, SUSPEND, RESUME, for current; as above */
int ctm_target(unsigned int nr, struct ctm_target *arg);
/** ctm_signals_send() - the module itself sends a signal to a process, wherever it is; as above */
int ctm_signals_send(u64 gpid, int sig);
/** ctm_signals_destroy() - DESTROY, by the cluster itself; waits up to @timeout_ms.  As above */
int ctm_signals_destroy(u64 gpid, unsigned int timeout_ms);
/**
 * ctm_signals_forward() - a signal that reached an old copy of @gpid follows the process
 * With its siginfo, and to the thread that it was sent to.  As above
 */
int ctm_signals_forward(u64 gpid, const struct ctm_rec_pending *r, unsigned int timeout_ms);

/*
 * What was applied to a process goes with it.  The image has what was applied up to
 * the capture, the COMMIT what came since; from then on nothing is applied to the
 * copy here, whatever comes is held until it arrives over there.
 */

/** ctm_signals_save() - into @out, room for CTM_APPLIED_MAX; @all: else only changes since the last.  Return: number */
unsigned int ctm_signals_save(struct ctm_process *p, struct ctm_rec_applied *out, bool all);
/**
 * ctm_signals_close() - the COMMIT is made: apply nothing more to this copy
 * @gather: called when nothing is being applied; a negative return leaves it open
 * Return: what @gather returned
 */
int ctm_signals_close(struct ctm_process *p, int (*gather)(void *arg), void *arg);
/** ctm_signals_open() - the handoff was aborted: go on */
void ctm_signals_open(struct ctm_process *p);
/**
 * ctm_signals_load() - the process lands here: what was applied to it elsewhere
 * From image and COMMIT, before it is hosted.  Cannot fail after a first time, which
 * may be with @n 0.  Return: 0 or -ENOMEM
 */
int ctm_signals_load(struct ctm_process *p, const struct ctm_rec_applied *in, unsigned int n);
/** ctm_signals_forget() - it is not here (any more) */
void ctm_signals_forget(struct ctm_process *p);

int ctm_signals_init(void);
void ctm_signals_exit(void);

#endif /* CTM_SIGNALS_H */
