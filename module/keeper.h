/* SPDX-License-Identifier: GPL-2.0 */
/*
 * keeper.h - the keeper's side of a process on its host: its file, its events
 *
 * A struct ctm_keeper belongs to the keeper's open file (chardev.c).  The
 * process points to it (p->keeper, under p->lock) while it runs here.
 * Lock order: ctm_process.lock, then ctm_keeper.lock.
 */
#ifndef CTM_KEEPER_H
#define CTM_KEEPER_H

#include <linux/completion.h>
#include "process.h"

#define CTM_KEEPER_EVENTS	32
#define CTM_TTY_STATE_MAX	(64u << 10)

/** struct ctm_keeper - @lock covers all but the constant */
struct ctm_keeper {
	struct ctm_process *p;		/* constant; a reference */
	spinlock_t lock;
	wait_queue_head_t wait;
	struct { u32 type; u64 value; } ev[CTM_KEEPER_EVENTS];
	unsigned int first, count;
	bool gone;			/* the process left or ended: POLLHUP */
	void *tty;			/* kvmalloc'ed struct ctm_tty_state, told by the keeper */
	size_t tty_len;
	struct completion tty_told;
};

/** ctm_keeper_new() - takes a reference on @p.  NULL when out of memory */
struct ctm_keeper *ctm_keeper_new(struct ctm_process *p);
/** ctm_keeper_free() - its file is closed: what still runs here of the process is gone */
void ctm_keeper_free(struct ctm_keeper *k);

/** ctm_adopt() - CTM_IOC_ADOPT.  Return: a keeper or ERR_PTR */
struct ctm_keeper *ctm_adopt(struct ctm_adopt *arg);
int ctm_keeper_event(struct ctm_keeper *k, struct ctm_event *ev);
int ctm_keeper_tell(struct ctm_keeper *k, struct ctm_event *ev);
__poll_t ctm_keeper_poll(struct ctm_keeper *k, struct file *f, struct poll_table_struct *pt);

/** ctm_keeper_post() - queue an event (CTM_EV_*) for the keeper of @p, if it runs here.  Any context that may sleep */
void ctm_keeper_post(struct ctm_process *p, u32 type, u64 value);
/** ctm_keeper_wake() - wake whoever polls or reads the keeper's file (new terminal input) */
void ctm_keeper_wake(struct ctm_process *p);
/** ctm_keeper_gone() - the process is not here any more; holds p->lock */
void ctm_keeper_gone(struct ctm_keeper *k);
/** ctm_keeper_winsize() - the deputy's window changed (at home) */
int ctm_keeper_winsize(struct ctm_process *p, u64 value);
/**
 * ctm_keeper_save_tty() - let the keeper drain and save the pty of a frozen capsule
 * @state: kvmalloc'ed, the caller frees.  Return: 0, -ETIMEDOUT, -ESRCH
 */
int ctm_keeper_save_tty(struct ctm_process *p, void **state, size_t *len, unsigned int timeout_ms);

int ctm_keeper_init(void);
void ctm_keeper_exit(void);

#endif /* CTM_KEEPER_H */
