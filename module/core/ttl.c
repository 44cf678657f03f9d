// SPDX-License-Identifier: GPL-2.0
/*
 * ttl.c - how long a process may live on without being of use
 */
#include "ttl.h"

void ctm_life_start(struct ctm_life *l, u32 ttl, u64 lease)
{
	memset(l, 0, sizeof(*l));
	l->ttl = l->ttl_max = ttl ? ttl : CTM_TTL_DEFAULT;
	l->lease = lease;
}

void ctm_life_land(struct ctm_life *l, u32 ttl, u32 ttl_max, u64 lease, u64 used)
{
	ctm_life_start(l, ttl_max, lease);
	l->ttl = ttl < l->ttl_max ? ttl : l->ttl_max;
	l->used = used;
}

bool ctm_life_look(struct ctm_life *l, u64 cpu, u64 output)
{
	if (cpu > l->cpu)
		l->used += cpu - l->cpu;
	if (output > l->output)
		ctm_life_worked(l);
	if (!l->refilled && cpu >= CTM_TTL_CPU) {
		l->refilled = true;
		l->ttl = l->ttl_max;
	}
	/* a counter may run back when a thread of it has ended */
	l->cpu = cpu;
	l->output = output;
	return !l->lease || l->used < l->lease;
}

u64 ctm_life_due(const struct ctm_life *l)
{
	u64 left = l->lease > l->used ? l->lease - l->used : 0;
	u64 step = l->lease / CTM_LEASE_LOOKS;

	if (!l->lease)
		return 0;
	return l->cpu + (left < step ? left : step) + 1;
}

void ctm_life_worked(struct ctm_life *l)
{
	l->ttl = l->ttl_max;
	l->used = 0;
}

u32 ctm_life_ttl(const struct ctm_life *l, u64 cpu)
{
	return !l->refilled && cpu >= CTM_TTL_CPU ? l->ttl_max : l->ttl;
}

void ctm_life_set_ttl(struct ctm_life *l, u32 ttl)
{
	l->ttl = l->ttl_max = ttl;
}

void ctm_life_set_lease(struct ctm_life *l, u64 lease)
{
	l->lease = lease;
	l->used = 0;
}
