/* SPDX-License-Identifier: GPL-2.0 */
/*
 * random.h - a small generator whose whole state is a seed that can be printed
 *
 * splitmix64.  SEED=n in the environment repeats a run.
 */
#ifndef CTM_TEST_RANDOM_H
#define CTM_TEST_RANDOM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct rng { uint64_t state; };

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* 0 to n - 1; 0 for n = 0 */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
	return n ? rng_next(r) % n : 0;
}

static inline bool rng_percent(struct rng *r, unsigned int percent)
{
	return rng_below(r, 100) < percent;
}

static inline uint64_t rng_seed(uint64_t otherwise)
{
	const char *s = getenv("SEED");

	return s && *s ? strtoull(s, NULL, 0) : otherwise;
}

#endif /* CTM_TEST_RANDOM_H */
