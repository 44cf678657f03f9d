// SPDX-License-Identifier: GPL-2.0
/*
 * ttl.c - time to live and leases
 */
#include "../../module/core/ttl.h"
#include "../ktap.h"
#include "random.h"

#define MS	1000000ull

static void hops(void)
{
	struct ctm_life l, next;
	unsigned int i;

	ctm_life_start(&l, 0, 0);
	CHECK(l.ttl == CTM_TTL_DEFAULT);
	for (i = 0; i < CTM_TTL_DEFAULT; i++) {		/* from node to node, without any work */
		CHECK(ctm_life_look(&l, 99 * MS, 0) && l.ttl == CTM_TTL_DEFAULT - i);
		ctm_life_land(&next, l.ttl - 1, l.ttl_max, 0, 0);
		l = next;
	}
	CHECK(l.ttl == 0);
	CHECK(ctm_life_ttl(&l, 99 * MS) == 0 && ctm_life_ttl(&l, 100 * MS) == CTM_TTL_DEFAULT);
	CHECK(ctm_life_look(&l, 100 * MS, 0) && l.ttl == CTM_TTL_DEFAULT);
	l.ttl = 3;					/* only once at each host */
	CHECK(ctm_life_look(&l, 500 * MS, 0) && l.ttl == 3);
	CHECK(ctm_life_look(&l, 501 * MS, 7) && l.ttl == CTM_TTL_DEFAULT);
}

static void own_word(void)
{
	struct ctm_life l;

	ctm_life_start(&l, 5, 1000 * MS);
	l.ttl = 1;
	CHECK(ctm_life_look(&l, 900 * MS, 0));
	l.ttl = 1;
	ctm_life_worked(&l);
	CHECK(l.ttl == 5 && !l.used);
	CHECK(ctm_life_look(&l, 1899 * MS, 0));
	CHECK(!ctm_life_look(&l, 1900 * MS, 0));
	ctm_life_set_lease(&l, 2000 * MS);
	CHECK(ctm_life_look(&l, 3899 * MS, 0) && !ctm_life_look(&l, 3900 * MS, 0));
	ctm_life_set_lease(&l, 0);
	CHECK(ctm_life_look(&l, 1000000 * MS, 0) && !ctm_life_due(&l));
	ctm_life_set_ttl(&l, 9);
	CHECK(l.ttl == 9 && l.ttl_max == 9);
}

/* Spins: ends when its lease is over, not before, not a quarter later. */
static void spinning(void)
{
	struct ctm_life l;
	unsigned int looks = 0;
	u64 cpu = 0, due;

	ctm_life_start(&l, 0, 1000 * MS);
	for (;;) {
		due = ctm_life_due(&l);
		REQUIRE(due > cpu);
		cpu = due + 3 * MS;			/* ticks are coarse */
		looks++;
		if (!ctm_life_look(&l, cpu, 0))
			break;
		REQUIRE(looks < 20);
	}
	CHECK(cpu >= 1000 * MS && cpu < 1020 * MS);
	CHECK(looks == CTM_LEASE_LOOKS || looks == CTM_LEASE_LOOKS + 1);
}

/* Writes now and then: how long it may spin after that is a lease and a look at most. */
static void writing(void)
{
	u64 seed = rng_seed(2), cpu = 0, output = 0, last = 0;
	struct rng rng = { seed };
	struct ctm_life l;
	unsigned int i;

	ktap_note("SEED=%llu", (unsigned long long)seed);
	ctm_life_start(&l, 0, 1000 * MS);
	for (i = 0; i < 10000; i++) {
		u64 due = ctm_life_due(&l);

		if (rng_percent(&rng, 60)) {
			output += 1 + rng_below(&rng, 100);
			last = cpu + rng_below(&rng, due - cpu);
		}
		cpu = due;
		if (!ctm_life_look(&l, cpu, output)) {
			CHECK(cpu - last >= 750 * MS);
			ctm_life_set_lease(&l, 1000 * MS);
			last = cpu;
		}
		CHECK(cpu - last <= 1250 * MS);
	}
}

/* What was used goes along. */
static void leases_move(void)
{
	struct ctm_life l, next;

	ctm_life_start(&l, 0, 1000 * MS);
	CHECK(ctm_life_look(&l, 600 * MS, 0));
	ctm_life_land(&next, l.ttl, l.ttl_max, l.lease, l.used);
	CHECK(ctm_life_look(&next, 399 * MS, 0));
	CHECK(!ctm_life_look(&next, 400 * MS, 0));
	ctm_life_land(&next, 100, 7, l.lease, l.used);	/* more left than there can be */
	CHECK(next.ttl == 7);
}

static const struct ktap_test tests[] = {
	{ "ttl: hops without work", hops },
	{ "ttl: the process's own word", own_word },
	{ "ttl: a lease ends", spinning },
	{ "ttl: output renews a lease", writing },
	{ "ttl: a lease moves along", leases_move },
};
KTAP_MAIN(tests)
