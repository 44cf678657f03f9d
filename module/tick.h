/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tick.h - the scheduler's tick, for those who act when it hits a Continuum process
 *
 * On every CPU that is busy something looks, HZ times a second, whether the task that
 * the tick interrupted belongs to a Continuum process, charges that process the time
 * of a tick, and calls who has registered here.
 */
#ifndef CTM_TICK_H
#define CTM_TICK_H

#include "process.h"

/**
 * struct ctm_tick - a tick that hit a Continuum process
 * @p:    the process.  No reference: good until the function returns; who keeps it
 *        takes one with kref_get_unless_zero()
 * @task: current, a task of the process
 * @user: it was in user mode, false: in the kernel
 * @ns:   the time that a tick stands for; @p->charged_ns has it already
 */
struct ctm_tick {
	struct ctm_process *p;
	struct task_struct *task;
	bool user;
	u32 ns;
};

/** enum ctm_tick_slot - who may register, in the order in which they are called */
enum ctm_tick_slot {
	CTM_TICK_LEASE,			/* reaper: leases */
	CTM_TICK_VALVE,			/* balance: the process that is to leave */
	CTM_TICK_SLOTS
};

/**
 * ctm_tick_register() - from now on @fn is called at every such tick
 * NULL takes it back, and returns when no CPU is in it.  Context: process, sleeps.
 *
 * @fn runs in a hard interrupt, interrupts off, on all CPUs side by side: it reads
 * counters, changes atomics, queues work (queue_work() is fine: no lock of the
 * scheduler is held), and returns.  All that is called at one tick may take
 * 1,500 instructions together.
 */
typedef void (*ctm_tick_fn)(const struct ctm_tick *tick);
void ctm_tick_register(enum ctm_tick_slot slot, ctm_tick_fn fn);

/** enum ctm_tick_source - what the ticks come from */
enum ctm_tick_source {
	CTM_TICK_NONE,			/* nothing: see why */
	CTM_TICK_FTRACE,		/* a hook on the scheduler's tick */
	CTM_TICK_HRTIMER,		/* a timer for each CPU, of our own */
};

/**
 * struct ctm_tick_status - for NODE_GET
 * @why:   why @source is not the first choice; "" when it is
 * @ticks: seen so far, on all CPUs; @hits: of these, on a Continuum process
 */
struct ctm_tick_status {
	enum ctm_tick_source source;
	char why[CTM_REASON_MAX];
	u64 ticks;
	u64 hits;
};
void ctm_tick_status(struct ctm_tick_status *out);
const char *ctm_tick_source_name(enum ctm_tick_source source);

int ctm_tick_init(void);
void ctm_tick_exit(void);

#endif /* CTM_TICK_H */
