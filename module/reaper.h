/* SPDX-License-Identifier: GPL-2.0 */
/*
 * reaper.h - ends processes whose time to live or lease is over
 */
#ifndef CTM_REAPER_H
#define CTM_REAPER_H

#include "process.h"

/** ctm_reaper_adopted() - a new process, hosted here; @ttl, @lease_ms: 0 for the default, for none */
void ctm_reaper_adopted(struct ctm_process *p, u32 ttl, u32 lease_ms);
/** ctm_reaper_landed() - it was hosted here with what p->life says; before it runs */
void ctm_reaper_landed(struct ctm_process *p);

/**
 * ctm_reaper_hop() - the cluster wants to move @p, which runs here
 * Return: 0; -ETIME: its time to live is over.  Then it is being destroyed instead.
 */
int ctm_reaper_hop(struct ctm_process *p);

/** ctm_reaper_look() - what it has left, as of now */
void ctm_reaper_look(struct ctm_process *p, struct ctm_life *out);

/** ctm_reaper_budget_hits() - forks in its capsule that failed for the budget of processes */
u64 ctm_reaper_budget_hits(struct ctm_process *p);

/** ctm_worked() - CTM_IOC_WORKED: current says that it does useful work.  0 or -ESRCH */
int ctm_worked(struct ctm_worked *arg);
/** ctm_reaper_set() - an operator's new bounds, for a process here */
void ctm_reaper_set_ttl(struct ctm_process *p, u32 ttl);
void ctm_reaper_set_lease(struct ctm_process *p, u32 lease_ms);

int ctm_reaper_init(void);
void ctm_reaper_exit(void);

#endif /* CTM_REAPER_H */
