/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ttl.h - how long a process may live on without being of use
 *
 * Two bounds.  The time to live is counted in hops that the cluster decided, so that a
 * process that is sent from node to node and gets nothing done ends some day.  The
 * lease is counted in CPU time, so that one that spins ends.  Useful work gives both
 * back: output, or the process's own word.  That it got some CPU time since it landed
 * (CTM_TTL_CPU) refills the TTL alone: to compute is what processes are for.
 *
 * Pure code.  Its owner (reaper.c) gives the CPU time that was used here and the bytes
 * that were written here, both counted from the landing on.
 */
#ifndef CTM_CORE_TTL_H
#define CTM_CORE_TTL_H

#include "env.h"

#define CTM_TTL_DEFAULT		32u
#define CTM_TTL_CPU		100000000ull	/* ns */
#define CTM_LEASE_LOOKS		4u		/* in the time of a lease */

/**
 * struct ctm_life - of one process, at its host
 * @ttl, @ttl_max: hops left; what useful work gives back
 * @lease:  ns of CPU time without useful work, 0: unbounded
 * @used:   of it
 * @cpu, @output: at the last look
 * @refilled: CTM_TTL_CPU has been used here
 */
struct ctm_life {
	u32 ttl, ttl_max;
	u64 lease;
	u64 used;
	u64 cpu;
	u64 output;
	bool refilled;
};

/** ctm_life_start() - a new process; @ttl 0: the default */
void ctm_life_start(struct ctm_life *l, u32 ttl, u64 lease);
/** ctm_life_land() - it came with @ttl left (of @ttl_max), and @used of its lease used */
void ctm_life_land(struct ctm_life *l, u32 ttl, u32 ttl_max, u64 lease, u64 used);
/**
 * ctm_life_look() - what it has used and written here up to now
 * Return: false: its lease is over
 */
bool ctm_life_look(struct ctm_life *l, u64 cpu, u64 output);
/** ctm_life_due() - at which CPU time to look again; 0: no lease, never */
u64 ctm_life_due(const struct ctm_life *l);
/** ctm_life_worked() - it says so itself */
void ctm_life_worked(struct ctm_life *l);
/** ctm_life_ttl() - hops left, with @cpu used here: for those who only ask */
u32 ctm_life_ttl(const struct ctm_life *l, u64 cpu);
/** ctm_life_set_ttl(), ctm_life_set_lease() - an operator: the new bound, all of it left */
void ctm_life_set_ttl(struct ctm_life *l, u32 ttl);
void ctm_life_set_lease(struct ctm_life *l, u64 lease);

#endif /* CTM_CORE_TTL_H */
