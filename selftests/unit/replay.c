// SPDX-License-Identifier: GPL-2.0
/*
 * replay.c - the replay window against a list of all that was seen
 */
#include "../../module/core/replay.h"
#include "../ktap.h"
#include "random.h"

static void in_order(void)
{
	struct ctm_replay r;
	u64 i;

	ctm_replay_init(&r);
	CHECK(!ctm_replay_accept(&r, 0));
	for (i = 1; i < 10000; i++) {
		CHECK(ctm_replay_accept(&r, i));
		CHECK(!ctm_replay_accept(&r, i));
	}
	CHECK(!ctm_replay_accept(&r, 1));
}

static void edges(void)
{
	static const u64 jumps[] = { 1, 63, 64, 65, CTM_REPLAY_WINDOW - 1, CTM_REPLAY_WINDOW,
				     CTM_REPLAY_BITS - 1, CTM_REPLAY_BITS, CTM_REPLAY_BITS + 1,
				     10 * CTM_REPLAY_BITS, 1ull << 40 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(jumps); i++) {
		struct ctm_replay r;
		u64 base = 100000, top = base + jumps[i];

		ctm_replay_init(&r);
		CHECK(ctm_replay_accept(&r, base));
		CHECK(ctm_replay_accept(&r, top));
		CHECK(!ctm_replay_accept(&r, top));
		CHECK(!ctm_replay_accept(&r, base));
		CHECK(ctm_replay_accept(&r, top - 1) == (top - 1 != base));
		CHECK(ctm_replay_accept(&r, top - CTM_REPLAY_WINDOW + 1) ==
		      (top - CTM_REPLAY_WINDOW + 1 != base));
		CHECK(!ctm_replay_accept(&r, top - CTM_REPLAY_WINDOW));
	}
}

static void last_counter(void)
{
	struct ctm_replay r;

	ctm_replay_init(&r);
	CHECK(ctm_replay_accept(&r, UINT64_MAX - 1));
	CHECK(!ctm_replay_accept(&r, UINT64_MAX));	/* nobody may wrap */
	CHECK(!ctm_replay_accept(&r, UINT64_MAX - 1));
	CHECK(!ctm_replay_accept(&r, 0));
	CHECK(!ctm_replay_accept(&r, 1));
}

/* The model: a flag for every counter, and the window's rule. */
#define COUNTERS 200000

static bool model(bool *seen, u64 *highest, u64 c)
{
	if (!c || seen[c] || (*highest >= CTM_REPLAY_WINDOW && c <= *highest - CTM_REPLAY_WINDOW))
		return false;
	seen[c] = true;
	if (c > *highest)
		*highest = c;
	return true;
}

static void against_model(void)
{
	u64 seed = rng_seed(3);
	struct rng rng = { seed };
	unsigned int round, i;

	ktap_note("SEED=%llu", (unsigned long long)seed);
	for (round = 0; round < 20; round++) {
		bool *seen = calloc(COUNTERS, sizeof(*seen));
		u64 highest = 0, near = 1;
		struct ctm_replay r;

		ctm_replay_init(&r);
		for (i = 0; i < 100000; i++) {
			u64 back = rng_below(&rng, rng_percent(&rng, 5) ? 5000 : 100);
			u64 c = near > back ? near - back : 0;

			near += rng_below(&rng, rng_percent(&rng, 1) ? 300 : 2);
			if (near >= COUNTERS)
				break;
			if (!CHECK(ctm_replay_accept(&r, c) == model(seen, &highest, c)))
				break;
		}
		free(seen);
	}
}

static const struct ktap_test tests[] = {
	{ "replay: in order", in_order },
	{ "replay: jumps and edges", edges },
	{ "replay: the last counter", last_counter },
	{ "replay: against a model", against_model },
};
KTAP_MAIN(tests)
