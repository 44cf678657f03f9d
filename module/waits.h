/* SPDX-License-Identifier: GPL-2.0 */
/*
 * waits.h - calls with a relative timeout go on with the time that is left
 *
 * A freeze interrupts them, and they are made again (freeze.c), with a timeout
 * that begins anew unless it is rewritten.  When theirs began, only the timer
 * knows that the sleeping thread has on its kernel stack; see waits.c.
 */
#ifndef CTM_WAITS_H
#define CTM_WAITS_H

#include <linux/continuum.h>
#include <linux/types.h>
#include "core/call.h"

struct ctm_process;
struct ctm_waits;
struct task_struct;

/**
 * ctm_waits_find() - before a freeze: until when do the threads of @p wait?
 * Return: what ctm_waits_free() takes, or NULL (no memory, no tasks): then nothing
 * is known.  Context: process, may sleep
 */
struct ctm_waits *ctm_waits_find(struct ctm_process *p);

/** ctm_waits_settle() - the threads that can be are frozen: which calls were interrupted? */
void ctm_waits_settle(struct ctm_waits *w);

/** ctm_waits_go_on() - before the thaw: rewrite their timeouts */
void ctm_waits_go_on(struct ctm_waits *w);

/**
 * ctm_waits_deadline() - until when the interrupted call of @t waits
 * @ns: CLOCK_MONOTONIC of this host.  False: for ever, or in no such call
 */
bool ctm_waits_deadline(struct ctm_waits *w, struct task_struct *t, s64 *ns);

void ctm_waits_free(struct ctm_waits *w);	/* also of NULL, as all of these */

/**
 * ctm_timeout_set() - give a call of @t that will be made again the time @ns
 * @reg: its register; @sp: its stack pointer.  Either gets the new value, or the
 * memory it points to, or it points to memory below the red zone afterwards.
 * Return: 0, or -EFAULT: there is no such memory, and the time begins anew
 */
int ctm_timeout_set(struct task_struct *t, const struct ctm_timeout *to, u64 *reg, u64 sp, s64 ns);

#endif /* CTM_WAITS_H */
