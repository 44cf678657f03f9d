/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sighook.h - at the place where the kernel queues signals
 *
 * Whatever is sent to a thread group passes the tracepoint signal_generate, under
 * the siglock of the group, when it has just been queued or dropped.  A probe there
 * does two things that no exported function can: it sees what is sent to a copy that
 * dies, which the kernel drops and yet tells the sender that all is well; and it
 * gives a signal that we send to a process the siginfo that it once had.
 */
#ifndef CTM_SIGHOOK_H
#define CTM_SIGHOOK_H

#include <linux/list.h>
#include <linux/signal.h>
#include "core/image.h"

struct pid;
struct task_struct;

/**
 * struct ctm_sigwatch - what is sent to one thread group from an instant on
 * @on:  set under its siglock: the instant
 * @v:   in order, room for @room; the owner's.  @n, @v, @bare, @lost: under siglock, or
 *       after ctm_sigwatch_over() or ctm_sigwatch_del()
 * @bare: numbers of those for which there was no room; @lost: how many these were
 */
struct ctm_sigwatch {
	struct list_head list;
	struct task_struct *leader;	/* the owner's reference */
	bool on;
	struct ctm_rec_pending *v;
	unsigned int n, room, lost;
	sigset_t bare;
};

/** ctm_sigwatch_add() - look at what is sent to @w->leader's group once @w->on is set.  Also twice */
void ctm_sigwatch_add(struct ctm_sigwatch *w);
/** ctm_sigwatch_del() - no more.  Also of one that was not added.  Context: may sleep */
void ctm_sigwatch_del(struct ctm_sigwatch *w);
/** ctm_sigwatch_over() - the group has been reaped: from here on kill() answers ESRCH */
bool ctm_sigwatch_over(const struct ctm_sigwatch *w);

/**
 * ctm_kill_info() - send a signal to the thread group @pid with this siginfo
 * When the kernel has no room for siginfo it arrives as a number.  Context: may sleep.  Return: as kill_pid()
 */
int ctm_kill_info(struct pid *pid, int sig, const kernel_siginfo_t *info);

/** ctm_pending_fill() - @info: as the kernel's functions take it, or NULL: a number */
void ctm_pending_fill(struct ctm_rec_pending *r, u32 tid, int sig, const kernel_siginfo_t *info);
/** ctm_pending_of_timer() - was it sent by a timer of the process itself, which travels? */
bool ctm_pending_of_timer(int sig, const kernel_siginfo_t *info);

int ctm_sighook_init(void);
void ctm_sighook_exit(void);

#endif /* CTM_SIGHOOK_H */
