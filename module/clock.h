/* SPDX-License-Identifier: GPL-2.0 */
/*
 * clock.h - the clocks as a process sees them, through its time namespace
 */
#ifndef CTM_CLOCK_H
#define CTM_CLOCK_H

#include <linux/nsproxy.h>
#include <linux/sched/task.h>
#include <linux/time_namespace.h>
#include <linux/timekeeping.h>

/**
 * ctm_clock_offsets() - what @t's time namespace adds to the host's clocks
 * Context: any; takes task_lock of @t.  Zero when @t is exiting.
 */
static inline void ctm_clock_offsets(struct task_struct *t, s64 *mono, s64 *boot)
{
	*mono = 0;
	*boot = 0;
	task_lock(t);
	if (t->nsproxy) {
		*mono = timespec64_to_ns(&t->nsproxy->time_ns->offsets.monotonic);
		*boot = timespec64_to_ns(&t->nsproxy->time_ns->offsets.boottime);
	}
	task_unlock(t);
}

#endif /* CTM_CLOCK_H */
