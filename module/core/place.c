// SPDX-License-Identifier: GPL-2.0
/*
 * place.c - see place.h; pure
 */
#include "place.h"

/* the finalizer of SplitMix64: each bit of the result depends on every bit of @x */
static u64 mix(u64 x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static u64 word(const u8 *name, unsigned int i)
{
	__le64 w;

	memcpy(&w, name + i * sizeof(w), sizeof(w));
	return le64_to_cpu(w);
}

u64 ctm_place_weight(const u8 *name, const struct ctm_member *m)
{
	u64 node = mix(m->boot + 0x9e3779b97f4a7c15ull * m->id);

	return mix(word(name, 1) ^ mix(word(name, 0) ^ node));
}

static bool above(u64 weight, const struct ctm_member *a, u64 other, const struct ctm_member *b)
{
	return weight != other ? weight > other : a->id < b->id;
}

bool ctm_place_above(const u8 *name, const struct ctm_member *a, const struct ctm_member *b)
{
	return above(ctm_place_weight(name, a), a, ctm_place_weight(name, b), b);
}

unsigned int ctm_place(const u8 *name, const struct ctm_member *m, unsigned int n,
		       unsigned int *out, unsigned int max)
{
	u64 weight[CTM_PLACE_MAX];
	unsigned int i, at, found = 0;

	if (max > CTM_PLACE_MAX)
		max = CTM_PLACE_MAX;
	for (i = 0; i < n; i++) {
		u64 w = ctm_place_weight(name, &m[i]);

		for (at = found; at && above(w, &m[i], weight[at - 1], &m[out[at - 1]]); at--) {
			if (at < max) {
				weight[at] = weight[at - 1];
				out[at] = out[at - 1];
			}
		}
		if (at == max)
			continue;
		weight[at] = w;
		out[at] = i;
		if (found < max)
			found++;
	}
	return found;
}
