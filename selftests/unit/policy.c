// SPDX-License-Identifier: GPL-2.0
/*
 * policy.c - the pressure valve's decisions, one at a time, and under nonsense
 */
#include <string.h>

#include "../../module/core/policy.h"
#include "../ktap.h"
#include "random.h"

#define SEC	1000000000ull

/* A node of @tasks on one CPU; memory in % of 1000 MiB. */
static struct ctm_po_load load(u32 tasks, u32 mem)
{
	u32 cpu = tasks ? 98000 : 2000;

	return (struct ctm_po_load){
		.cpu = cpu, .mem = mem * 1000, .runnable = tasks * 1000,
		.pressure = cpu + 2000 * mem, .cpus = 1, .free_mib = 1000 - 10 * mem,
	};
}

static struct ctm_po_peer peer(u32 id, u32 tasks, u32 mem)
{
	return (struct ctm_po_peer){ .id = id, .age_ms = 200, .usable = true, .load = load(tasks, mem) };
}

static struct ctm_po_cooling cool[8];

/* one that gets its share of a CPU with @tasks on it */
static struct ctm_po_process process(u32 nr, u32 tasks, u32 mib)
{
	cool[nr] = (struct ctm_po_cooling){ 0 };
	return (struct ctm_po_process){
		.gpid = nr + 1, .cpu = 1000 / tasks, .rss_mib = mib, .used_ms = 5000, .here_ms = 5000,
		.cooling = &cool[nr],
	};
}

static struct ctm_policy po;

static void hot(const struct ctm_po_load *self, u32 samples)
{
	while (samples--)
		ctm_po_sample(&po, self);
}

static void fresh(const struct ctm_po_load *self, u32 samples)
{
	ctm_po_init(&po, &ctm_po_default, 7);
	hot(self, samples);
}

/* @n peers, @m processes from their arrays at @now */
#define CHOOSE(now, self, peers, procs, out) \
	ctm_po_choose(&po, (now), &(self), (peers), ARRAY_SIZE(peers), (procs), ARRAY_SIZE(procs), (out))

static void thresholds(void)
{
	struct ctm_po_config c = ctm_po_default;

	CHECK(!ctm_po_config_wrong(&c));
	c.t_low = c.t_high;
	CHECK(!!ctm_po_config_wrong(&c));
	c.t_low = c.t_high + 1;
	CHECK(!!ctm_po_config_wrong(&c));
	c.t_low = c.t_high - 1000;		/* what one is rid of the next could not keep */
	CHECK(!!ctm_po_config_wrong(&c));
	c.t_low = 0;
	CHECK(!ctm_po_config_wrong(&c));
	c.t_high = 300001;
	CHECK(!!ctm_po_config_wrong(&c));
	c.t_high = 0;
	CHECK(!!ctm_po_config_wrong(&c));
}

static void three_samples(void)
{
	struct ctm_po_load busy = load(3, 10), calm = load(0, 10), full = load(1, 50);

	fresh(&busy, 2);
	CHECK(ctm_po_mode(&po) == CTM_PO_NORMAL);
	hot(&calm, 1);
	hot(&busy, 2);
	CHECK(ctm_po_mode(&po) == CTM_PO_NORMAL);
	hot(&busy, 1);
	CHECK(ctm_po_mode(&po) == CTM_PO_EJECTING);
	hot(&calm, 2);
	CHECK(ctm_po_mode(&po) == CTM_PO_EJECTING);
	hot(&calm, 1);
	CHECK(ctm_po_mode(&po) == CTM_PO_NORMAL);
	fresh(&full, 3);			/* 98 + 100 > 180, with one task */
	CHECK(ctm_po_mode(&po) == CTM_PO_EJECTING);
	CHECK(po.above == 3 && !po.dog);
}

static void watchdog(void)
{
	struct ctm_po_load alone = load(1, 10), two = load(2, 10), almost = load(2, 10);

	fresh(&alone, 10);			/* a CPU that is used by one is well used */
	CHECK(ctm_po_mode(&po) == CTM_PO_NORMAL);
	alone.runnable = 1400;			/* and by a passing second one */
	hot(&alone, 10);
	CHECK(ctm_po_mode(&po) == CTM_PO_NORMAL);
	hot(&two, 3);
	CHECK(ctm_po_mode(&po) == CTM_PO_EJECTING);
	almost.cpu = 90000;
	fresh(&almost, 10);
	CHECK(ctm_po_mode(&po) == CTM_PO_NORMAL);
	ctm_po_init(&po, &ctm_po_default, 1);
	po.cfg.contention = false;		/* the literal rule */
	alone.runnable = 1000;
	hot(&alone, 3);
	CHECK(ctm_po_mode(&po) == CTM_PO_EJECTING);
	po.cfg.watchdog = false;
	hot(&alone, 3);
	CHECK(ctm_po_mode(&po) == CTM_PO_NORMAL);
	po.cfg = ctm_po_default;
	hot(&two, 3);
	po.cfg.valve = false;
	CHECK(ctm_po_mode(&po) == CTM_PO_NORMAL);
}

static void whom(void)
{
	struct ctm_po_load self = load(4, 10);
	struct ctm_po_peer peers[] = { peer(2, 0, 10) };
	struct ctm_po_process p[] = {
		process(0, 4, 100), process(1, 4, 10), process(2, 4, 10), process(3, 4, 10),
		process(4, 4, 10), process(5, 4, 1), process(6, 4, 1),
	};
	struct ctm_po_move m;

	p[1].used_ms = 50000;			/* the one: old, and small */
	p[2].pinned = p[3].busy = true;
	p[2].used_ms = p[3].used_ms = p[4].used_ms = 100000;
	p[4].here_ms = 900;			/* younger than a second */
	p[5].cpu = 5;				/* sleeps */
	cool[6].until = 11 * SEC;
	p[6].used_ms = 100000;
	fresh(&self, 3);
	REQUIRE(CHOOSE(10 * SEC, self, peers, p, &m));
	CHECK(m.process == 1 && m.peer == 0 && m.cause == CTM_PO_WATCHDOG);
	CHECK(!CHOOSE(10 * SEC, self, peers, p, &m));	/* one at a time */
	ctm_po_done(&po, 10 * SEC, CTM_PO_FAILED);
	CHECK(!CHOOSE(10 * SEC, self, peers, p, &m));	/* and not at once */
	peers[0].age_ms = 0;
	REQUIRE(CHOOSE(13 * SEC, self, peers, p, &m));	/* cooled down now */
	CHECK(m.process == 6);
}

static void where(void)
{
	struct ctm_po_load self = load(4, 10);
	struct ctm_po_peer peers[] = {
		peer(1, 3, 10), peer(2, 2, 10), peer(3, 0, 10), peer(4, 0, 10), peer(5, 0, 93),
		peer(6, 0, 10), peer(7, 0, 60),
	};
	struct ctm_po_process p[] = { process(0, 4, 20) };
	struct ctm_po_move m;

	peers[2].usable = false;
	peers[3].age_ms = 20000;
	/* 5 has no room; 7 would be above t_high with it; 6 is better than 2 */
	fresh(&self, 3);
	REQUIRE(CHOOSE(SEC, self, peers, p, &m));
	CHECK(peers[m.peer].id == 6);
	ctm_po_done(&po, SEC, CTM_PO_REFUSED);
	REQUIRE(CHOOSE(SEC + SEC / 4, self, peers, p, &m));
	CHECK(peers[m.peer].id == 2);		/* 3 on it: no more than on us without it */
	ctm_po_done(&po, SEC + SEC / 4, CTM_PO_REFUSED);
	CHECK(!CHOOSE(SEC + SEC / 2, self, peers, p, &m));	/* 1 is no better: suffer */
	CHECK(!cool[0].failed && !cool[0].until);	/* a refusal is not the process's fault */
	REQUIRE(CHOOSE(4 * SEC, self, peers, p, &m));
	CHECK(peers[m.peer].id == 6);
}

/* What was done for one reason may not be undone by the same. */
static void no_way_back(void)
{
	for (u32 here = 2; here < 9; here++)
		for (u32 there = 0; there < 9; there++) {
			struct ctm_po_load self = load(here, 10), after;
			struct ctm_po_peer peers[] = { peer(2, there, 10) };
			struct ctm_po_process p[] = { process(0, here, 10) };
			struct ctm_po_move m;

			fresh(&self, 3);
			if (!CHOOSE(SEC, self, peers, p, &m)) {
				CHECK(there + 2 > here);
				continue;
			}
			CHECK(there + 2 <= here);
			after = load(there + 1, 10);
			peers[0] = peer(1, here - 1, 10);
			p[0] = process(0, there + 1, 10);
			fresh(&after, 3);
			CHECK(!CHOOSE(2 * SEC, after, peers, p, &m));
		}
}

static void no_way_back_of_pressure(void)
{
	for (u32 mem = 30; mem < 95; mem += 5)
		for (u32 tasks = 0; tasks < 3; tasks++)
			for (u32 there = 0; there < 90; there += 5)
				for (u32 mib = 10; mib < mem * 10; mib += 70) {
					struct ctm_po_load self = load(tasks, mem), after;
					struct ctm_po_peer peers[] = { peer(2, 0, there) };
					struct ctm_po_process p[] = { process(0, tasks ? tasks : 1, mib) };
					struct ctm_po_move m;

					if (!tasks)
						p[0].cpu = 0;
					fresh(&self, 3);
					if (!CHOOSE(SEC, self, peers, p, &m))
						continue;
					CHECK(self.pressure > po.cfg.t_high || po.dog);
					CHECK(peers[0].load.free_mib >= mib);
					after = load(!!tasks, there + mib / 10);
					CHECK(after.pressure <= po.cfg.t_high);
					peers[0] = peer(1, tasks ? tasks - 1 : 0, mem - mib / 10);
					p[0] = process(0, 1, mib);
					fresh(&after, 3);
					CHECK(!CHOOSE(2 * SEC, after, peers, p, &m));
				}
}

static void pressure(void)
{
	struct ctm_po_load self = load(0, 95);
	struct ctm_po_peer peers[] = { peer(2, 1, 10), peer(3, 0, 60), peer(4, 0, 20), peer(5, 0, 40) };
	struct ctm_po_process p[] = { process(0, 1, 20), process(1, 1, 300), process(2, 1, 500) };
	struct ctm_po_move m;

	p[0].cpu = p[1].cpu = p[2].cpu = 0;	/* memory is not a matter of running */
	fresh(&self, 3);
	REQUIRE(CHOOSE(SEC, self, peers, p, &m));
	CHECK(m.cause == CTM_PO_PRESSURE && peers[m.peer].id == 4);
	CHECK(m.process == 2);			/* most of it for the price of a handoff */
	peers[2].load.free_mib = 400;		/* no room for that one there: the next */
	fresh(&self, 3);
	REQUIRE(CHOOSE(SEC, self, peers, p, &m));
	CHECK(m.process == 1);
	peers[2].usable = peers[3].usable = false;
	fresh(&self, 3);
	CHECK(!CHOOSE(SEC, self, peers, p, &m));	/* the others are not below t_low */
}

/* Of many that are alike not all take the same; what was sent counts before it shows. */
static void promises(void)
{
	struct ctm_po_load self = load(9, 10);
	struct ctm_po_peer peers[] = { peer(2, 0, 10), peer(3, 0, 10), peer(4, 0, 10) };
	struct ctm_po_process p[6];
	struct ctm_po_move m;
	u32 got[5] = { 0 };
	u64 now = SEC;

	for (u32 i = 0; i < 6; i++)
		p[i] = process(i, 9, 10);
	fresh(&self, 3);
	for (u32 i = 0; i < 6; i++) {
		now += SEC / 2;
		REQUIRE(CHOOSE(now, self, peers, p, &m));
		got[peers[m.peer].id]++;
		p[m.process].busy = true;
		now += SEC / 4;
		ctm_po_done(&po, now, CTM_PO_MOVED);
		for (u32 k = 0; k < 3; k++)
			peers[k].age_ms += 750;	/* nothing was heard since */
	}
	CHECK(got[2] == 2 && got[3] == 2 && got[4] == 2);
	memset(got, 0, sizeof(got));
	for (u32 i = 0; i < 300; i++) {
		for (u32 k = 0; k < 3; k++)
			peers[k].age_ms = 200;
		p[0] = process(0, 9, 10);
		ctm_po_init(&po, &ctm_po_default, i * 0x9e3779b97f4a7c15ull);
		hot(&self, 3);
		REQUIRE(CHOOSE(SEC, self, peers, p, &m));
		got[peers[m.peer].id]++;
	}
	CHECK(got[2] > 50 && got[3] > 50 && got[4] > 50);
}

static void failures(void)
{
	struct ctm_po_load self = load(4, 10);
	struct ctm_po_peer peers[] = { peer(2, 0, 10) };
	struct ctm_po_process p[] = { process(0, 4, 10) };
	struct ctm_po_move m;
	u64 now = SEC, last = 0, wait;

	fresh(&self, 3);
	for (u32 i = 0; i < 6; i++) {
		u64 begin = now;

		while (!CHOOSE(now, self, peers, p, &m))
			now += SEC / 10;
		wait = now - begin;
		CHECK(i < 2 || wait > last);	/* each time longer */
		last = wait;
		ctm_po_done(&po, now, CTM_PO_FAILED);
		CHECK(cool[0].failed == i + 1);
	}
	ctm_po_arrived(&cool[0], now, 1, 10);
	CHECK(!cool[0].failed && cool[0].until > now + 5 * SEC);
}

static void landing(void)
{
	struct ctm_po_load calm = load(0, 10), full = load(1, 50), tight = load(0, 88);
	u64 now = 100 * SEC;

	fresh(&calm, 3);
	CHECK(!ctm_po_admit(&po, now, &calm, 2, 10));
	CHECK(!!ctm_po_admit(&po, now, &calm, 3, 10));	/* one at a time ... */
	CHECK(!ctm_po_admit(&po, now, &calm, 2, 10));	/* ... but of one node it knows */
	ctm_po_landed(&po, now, true);
	CHECK(!!ctm_po_admit(&po, now + SEC, &calm, 3, 10));	/* others do not know of it yet */
	CHECK(!ctm_po_admit(&po, now + 3 * SEC, &calm, 3, 10));
	ctm_po_landed(&po, now + 3 * SEC, false);
	CHECK(!ctm_po_admit(&po, now + 3 * SEC, &calm, 4, 10));
	ctm_po_landed(&po, now + 3 * SEC, false);
	CHECK(!!ctm_po_admit(&po, now + 4 * SEC, &tight, 4, 100));
	fresh(&full, 3);
	CHECK(!!ctm_po_admit(&po, now, &full, 2, 1));
	fresh(&calm, 3);
	ctm_po_drain(&po, true, false);
	CHECK(!!ctm_po_admit(&po, now, &calm, 2, 1));
}

static void drain(void)
{
	struct ctm_po_load self = load(0, 10);
	struct ctm_po_peer peers[] = { peer(2, 5, 60), peer(3, 4, 10) };
	struct ctm_po_process p[] = { process(0, 1, 10), process(1, 1, 10), process(2, 1, 5000) };
	struct ctm_po_move m;
	u64 now = SEC;

	p[0].here_ms = 10;			/* no rest before the flood */
	cool[0].until = 100 * SEC;
	p[1].pinned = true;
	fresh(&self, 3);
	CHECK(!CHOOSE(now, self, peers, p, &m));
	ctm_po_drain(&po, true, false);
	CHECK(ctm_po_mode(&po) == CTM_PO_DRAINING);
	REQUIRE(CHOOSE(now, self, peers, p, &m));
	CHECK(m.process == 0 && peers[m.peer].id == 3 && m.cause == CTM_PO_DRAIN);
	ctm_po_done(&po, now, CTM_PO_FAILED);
	CHECK(ctm_po_left(&po, p, 3) == 2);
	CHECK(!CHOOSE(now + SEC, self, peers, p, &m));	/* 2 fits nowhere, 0 has just failed */
	REQUIRE(CHOOSE(now + 5 * SEC, self, peers, p, &m));
	CHECK(m.process == 0);
	ctm_po_done(&po, now + 5 * SEC, CTM_PO_MOVED);
	p[0].busy = true;
	ctm_po_drain(&po, true, true);
	REQUIRE(CHOOSE(now + 6 * SEC, self, peers, p, &m));
	CHECK(m.process == 1);
	ctm_po_done(&po, now + 6 * SEC, CTM_PO_MOVED);
	ctm_po_drain(&po, false, false);
	CHECK(ctm_po_mode(&po) == CTM_PO_NORMAL);
	CHECK(!CHOOSE(now + 9 * SEC, self, peers, p, &m));
}

static void any(void)
{
	struct ctm_po_peer peers[] = { peer(2, 3, 10), peer(3, 1, 10), peer(4, 0, 97) };
	struct ctm_po_process p = process(0, 1, 50);
	int i;

	ctm_po_init(&po, &ctm_po_default, 1);
	i = ctm_po_best(&po, SEC, peers, ARRAY_SIZE(peers), &p);
	CHECK(i == 1);
	peers[0].usable = peers[1].usable = false;
	CHECK(ctm_po_best(&po, SEC, peers, ARRAY_SIZE(peers), &p) == -1);
	CHECK(ctm_po_best(&po, SEC, peers, 0, &p) == -1);
}

/* A peer may say what it likes: nothing overflows, and what comes out is in range. */
static u32 odd(struct rng *r)
{
	static const u32 v[] = { 0, 1, 999, 1000, 100000, 100001, 300000, 0x7fffffff, 0xffffffff };

	return rng_percent(r, 50) ? v[rng_below(r, ARRAY_SIZE(v))] : (u32)rng_next(r);
}

static struct ctm_po_load odd_load(struct rng *r)
{
	return (struct ctm_po_load){ odd(r), odd(r), odd(r), odd(r), odd(r) & 0xfff, odd(r) };
}

/* What is said beforehand is what is done. */
static void foretold(struct ctm_policy before, u64 now, const struct ctm_po_load *self,
		     const struct ctm_po_peer *peer, const struct ctm_po_process *p, enum ctm_po_cause cause)
{
	enum ctm_po_cause open;

	CHECK(ctm_po_open(&before, &open));
	CHECK(!ctm_po_stays(&before, now, self, p, cause));
	CHECK(!ctm_po_spares(&before, now, self, peer, p, cause));
}

static void why_not(void)
{
	struct ctm_po_load self = load(4, 10);
	struct ctm_po_peer idle = peer(2, 0, 10), busy = peer(3, 4, 10), full = peer(4, 0, 99);
	struct ctm_po_process p = process(0, 4, 20), big = process(1, 4, 500);
	enum ctm_po_cause cause;

	fresh(&self, 0);
	CHECK(!ctm_po_open(&po, &cause));
	hot(&self, CTM_PO_SAMPLES);
	CHECK(ctm_po_open(&po, &cause) && cause == CTM_PO_WATCHDOG);
	CHECK(!ctm_po_stays(&po, SEC, &self, &p, cause));
	CHECK(!ctm_po_spares(&po, SEC, &self, &idle, &p, cause));
	CHECK(!!ctm_po_spares(&po, SEC, &self, &busy, &p, cause));
	CHECK(!!ctm_po_spares(&po, SEC, &self, &full, &big, cause));
	p.pinned = true;
	CHECK(!!strstr(ctm_po_stays(&po, SEC, &self, &p, cause), "pinned"));
}

static void nonsense(void)
{
	u64 seed = rng_seed(5), now = SEC;
	struct rng r = { seed };

	ktap_note("SEED=%llu", (unsigned long long)seed);
	ctm_po_init(&po, &ctm_po_default, seed);
	for (u32 i = 0; i < 200000; i++) {
		struct ctm_po_load self = odd_load(&r);
		struct ctm_po_peer peers[5];
		struct ctm_po_process p[4];
		struct ctm_po_move m = { 99, 99, 0 };

		now += rng_below(&r, SEC);
		for (u32 k = 0; k < 5; k++)
			peers[k] = (struct ctm_po_peer){ k + 1, odd(&r), rng_percent(&r, 80), odd_load(&r) };
		for (u32 k = 0; k < 4; k++) {
			p[k] = process(k, 1, 1);
			p[k].cpu = odd(&r);
			p[k].rss_mib = odd(&r) >> 4;
			p[k].used_ms = odd(&r);
			p[k].here_ms = odd(&r);
			p[k].pinned = rng_percent(&r, 20);
		}
		ctm_po_sample(&po, &self);
		if (rng_percent(&r, 5))
			ctm_po_drain(&po, rng_percent(&r, 50), rng_percent(&r, 50));
		struct ctm_policy before = po;

		if (CHOOSE(now, self, peers, p, &m)) {
			foretold(before, now, &self, &peers[m.peer], &p[m.process], m.cause);
			REQUIRE(m.process < 4 && m.peer < 5 && peers[m.peer].usable);
			CHECK(po.force || !p[m.process].pinned);
			ctm_po_done(&po, now, rng_below(&r, 3));
		}
		ctm_po_done(&po, now, CTM_PO_MOVED);	/* none is under way: nothing */
		if (!ctm_po_admit(&po, now, &self, odd(&r), odd(&r)))
			ctm_po_landed(&po, now, rng_percent(&r, 50));
		ctm_po_best(&po, now, peers, 5, &p[0]);
	}
}

/* Children go round the usable nodes, the emptiest first; the order is the same everywhere. */
static void spread(void)
{
	struct ctm_po_peer peers[5] = {
		{ .id = 5, .usable = true, .load.pressure = 30000 },
		{ .id = 4, .usable = false, .load.pressure = 0 },
		{ .id = 3, .usable = true, .load.pressure = 10000 },
		{ .id = 2, .usable = true, .load.pressure = 30000 },
		{ .id = 1, .usable = true, .load.pressure = 300000 },
	};
	u32 order[5];

	CHECK(ctm_po_spread(peers, 5, order) == 4);
	CHECK(order[0] == 2 && order[1] == 3 && order[2] == 0 && order[3] == 4);
	CHECK(ctm_po_spread(peers + 1, 1, order) == 0);
	CHECK(ctm_po_spread(peers, 0, order) == 0);
}

static const struct ktap_test tests[] = {
	{ "policy: thresholds out of order", thresholds },
	{ "policy: three samples", three_samples },
	{ "policy: the watchdog", watchdog },
	{ "policy: which process", whom },
	{ "policy: which node", where },
	{ "policy: no way back under the watchdog", no_way_back },
	{ "policy: no way back under pressure", no_way_back_of_pressure },
	{ "policy: memory pressure", pressure },
	{ "policy: promises", promises },
	{ "policy: failures wait longer", failures },
	{ "policy: landing", landing },
	{ "policy: drain", drain },
	{ "policy: any", any },
	{ "policy: children of a fork", spread },
	{ "policy: why not", why_not },
	{ "policy: nonsense", nonsense },
};
KTAP_MAIN(tests)
