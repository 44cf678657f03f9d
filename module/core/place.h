/* SPDX-License-Identifier: GPL-2.0 */
/*
 * place.h - which nodes hold a block
 *
 * Rendezvous hashing, also called highest random weight: every pair of a block's name
 * and a node has a weight, the same whoever computes it, and the block belongs to the
 * nodes with the highest ones.  Who leaves gives up only what it had, who joins takes
 * only what is its own, evenly from all others; there is no table to agree on.
 *
 * D. G. Thaler, C. V. Ravishankar: "Using Name-Based Mappings to Increase Hit Rates",
 * IEEE/ACM Transactions on Networking 6(1), 1998.
 *
 * A node counts as another one after a restart (its boot id is new, its memory empty).
 */
#ifndef CTM_CORE_PLACE_H
#define CTM_CORE_PLACE_H

#include "env.h"

#define CTM_PLACE_NAME	32u	/* bytes of a name, which is a hash: any part of it is random */
#define CTM_PLACE_MAX	8u	/* copies, at most */

/** struct ctm_member - a live node */
struct ctm_member {
	u32 id;
	u64 boot;
};

/** ctm_place_weight() - of @name at @m */
u64 ctm_place_weight(const u8 *name, const struct ctm_member *m);

/** ctm_place_above() - does @a come before @b for @name?  Of two that differ, one does */
bool ctm_place_above(const u8 *name, const struct ctm_member *a, const struct ctm_member *b);

/**
 * ctm_place() - the first @max of @n members, the highest first
 * @m:   no node twice; their order does not matter
 * @out: indices into @m
 * @max: up to CTM_PLACE_MAX
 * Return: how many
 */
unsigned int ctm_place(const u8 *name, const struct ctm_member *m, unsigned int n,
		       unsigned int *out, unsigned int max);

#endif /* CTM_CORE_PLACE_H */
