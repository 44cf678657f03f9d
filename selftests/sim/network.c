// SPDX-License-Identifier: GPL-2.0
/*
 * network.c - does the simulated world do what sim.h says?
 */
#include "../ktap.h"
#include "sim.h"

#define NODES	8u

struct world {
	u64 got[NODES], boots[NODES], timers[NODES], broken[NODES];
	u64 last[NODES][NODES];		/* number of the last message of a stream */
	u64 disorder, doubled, stale, late_timers;
	u64 resumed;			/* first thing that node 1 did after its pause */
	bool streams;
};

static void start(struct sim *s, u32 node)
{
	struct world *w = s->owner;

	w->boots[node]++;
	sim_timer(s, node, 10 * SIM_MS, 1, s->node[node].boot);
}

static void message(struct sim *s, u32 node, u32 from, const void *buf, size_t len)
{
	struct world *w = s->owner;
	u64 number;

	memcpy(&number, buf, sizeof(number));
	w->got[node]++;
	if (node == 1 && !w->resumed && s->node[1].paused)
		w->resumed = s->now;
	if (number == w->last[node][from])
		w->doubled++;
	else if (number != w->last[node][from] + 1)
		w->disorder++;
	w->last[node][from] = number;
}

static void timer(struct sim *s, u32 node, u32 kind, u64 boot)
{
	struct world *w = s->owner;
	u64 number = ++w->timers[node];
	u32 to = (node + 1) % s->nodes;

	w->stale += boot != s->node[node].boot;
	if (w->streams)
		sim_stream(s, node, to, &number, sizeof(number));
	else
		sim_send(s, node, to, &number, sizeof(number));
	sim_timer(s, node, 10 * SIM_MS, 1, boot);
}

static void broken(struct sim *s, u32 node, u32 peer)
{
	struct world *w = s->owner;

	w->broken[node]++;
}

static const struct sim_ops ops = {
	.start = start, .message = message, .timer = timer, .broken = broken,
};

static struct sim *fresh(struct world *w, u64 seed)
{
	memset(w, 0, sizeof(*w));
	return sim_new(NODES, seed, &ops, w);
}

static u64 total(const u64 *of)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < NODES; i++)
		sum += of[i];
	return sum;
}

static void a_good_network(void)
{
	struct world w;
	struct sim *s = fresh(&w, 1);

	sim_start_all(s);
	CHECK(sim_run(s, 10 * SIM_SEC));
	CHECK(s->now == 10 * SIM_SEC);
	CHECK(total(w.timers) == NODES * 1000);
	CHECK(total(w.got) >= NODES * 999 && total(w.got) <= NODES * 1000);
	CHECK(!w.disorder && !w.doubled && !w.stale);
	sim_free(s);
}

static u64 bad_run(u64 seed, u64 *steps)
{
	struct world w;
	struct sim *s = fresh(&w, seed);
	u64 trace;

	s->net.loss = 200;
	s->net.dup = 50;
	s->net.late = 50;
	sim_start_all(s);
	sim_run(s, 20 * SIM_SEC);
	CHECK(w.disorder && w.doubled);
	/* 20 % lost, 5 % of the rest doubled */
	CHECK(total(w.got) > NODES * 2000 * 80 / 100 && total(w.got) < NODES * 2000 * 88 / 100);
	trace = s->trace;
	*steps = s->steps;
	sim_free(s);
	return trace;
}

static void a_seed_repeats_exactly(void)
{
	u64 a, b, c, one = bad_run(5, &a), two = bad_run(5, &b), other = bad_run(6, &c);

	CHECK(one == two && a == b);
	CHECK(one != other);
}

static void crash(struct sim *s, void *arg)
{
	sim_crash(s, 3);
}

static void boot(struct sim *s, void *arg)
{
	sim_boot(s, 3);
}

static void crash_and_boot(void)
{
	struct world w;
	struct sim *s = fresh(&w, 1);

	sim_at(s, 1 * SIM_SEC, crash, NULL);
	sim_at(s, 2 * SIM_SEC, boot, NULL);
	sim_start_all(s);
	sim_run(s, 3 * SIM_SEC);
	CHECK(w.boots[3] == 2 && w.boots[2] == 1);
	CHECK(w.timers[3] >= 198 && w.timers[3] <= 200);
	CHECK(w.got[3] >= 198 && w.got[3] <= 201);
	CHECK(!w.stale);
	sim_free(s);
}

static void pause_one(struct sim *s, void *arg)
{
	sim_pause(s, 1, 2 * SIM_SEC);
}

static void a_pause(void)
{
	struct world w;
	struct sim *s = fresh(&w, 1);

	s->net.buffer = 50;
	sim_at(s, SIM_SEC, pause_one, NULL);
	sim_start_all(s);
	sim_run(s, 4 * SIM_SEC);
	CHECK(w.resumed == 3 * SIM_SEC);
	CHECK(w.got[1] >= 248 && w.got[1] <= 251);	/* 150 of 200 were too many */
	CHECK(w.timers[1] >= 199 && w.timers[1] <= 201);
	sim_free(s);
}

static void clog_one(struct sim *s, void *arg)
{
	sim_clog(s, 1, SIM_SEC);
}

static void a_clog(void)
{
	struct world w;
	struct sim *s = fresh(&w, 1);

	sim_at(s, SIM_SEC, clog_one, NULL);
	sim_start_all(s);
	sim_run(s, 2 * SIM_SEC - SIM_MS);
	CHECK(w.got[1] >= 98 && w.got[1] <= 101 && w.got[2] >= 98 && w.got[2] <= 101);
	CHECK(w.timers[1] == 199);
	sim_run(s, 3 * SIM_SEC);
	CHECK(w.got[1] >= 298 && w.got[2] >= 298);
	sim_free(s);
}

static void clocks(void)
{
	struct world w;
	struct sim *s = fresh(&w, 1);

	sim_drift(s, 2, 10000);				/* 1 % fast */
	sim_set_clock(s, 4, -5 * (s64)SIM_SEC);
	sim_start_all(s);
	sim_run(s, 100 * SIM_SEC);
	CHECK(sim_clock(s, 0) == 100 * SIM_SEC);
	CHECK(sim_clock(s, 2) == 101 * SIM_SEC);
	CHECK(sim_clock(s, 4) == 95 * SIM_SEC);
	CHECK(w.timers[0] == 10000 && w.timers[4] == 10000);
	CHECK(w.timers[2] > 10095 && w.timers[2] <= 10101);
	sim_free(s);
}

static void partition(struct sim *s, void *arg)
{
	u32 i;

	for (i = 0; i < NODES / 2; i++)
		sim_side(s, i, 1);
}

static void heal(struct sim *s, void *arg)
{
	sim_heal(s);
}

static void two_halves(void)
{
	struct world w;
	struct sim *s = fresh(&w, 1);

	sim_link(s, 1, 2, false);
	sim_at(s, SIM_SEC, partition, NULL);
	sim_at(s, 2 * SIM_SEC, heal, NULL);
	sim_start_all(s);
	sim_run(s, 3 * SIM_SEC);
	CHECK(w.got[1] >= 298);
	CHECK(w.got[2] >= 98 && w.got[2] <= 101);	/* the link: until the heal */
	CHECK(w.got[4] >= 198 && w.got[4] <= 201);	/* between the halves */
	CHECK(w.got[0] >= 198 && w.got[0] <= 201);
	sim_free(s);
}

static void streams(void)
{
	struct world w;
	struct sim *s = fresh(&w, 7);

	w.streams = true;
	s->net.loss = 200;
	sim_start_all(s);
	CHECK(sim_run(s, 10 * SIM_SEC));
	CHECK(!w.disorder && !w.doubled && !total(w.broken));
	CHECK(total(w.got) > NODES * 800);
	/* a cut that heals in time breaks nothing */
	partition(s, NULL);
	sim_run(s, 15 * SIM_SEC);
	sim_heal(s);
	sim_run(s, 25 * SIM_SEC);
	CHECK(!w.disorder && !total(w.broken));
	sim_free(s);
}

static void streams_break(void)
{
	struct world w;
	struct sim *s = fresh(&w, 7);

	w.streams = true;
	sim_start_all(s);
	sim_run(s, SIM_SEC);
	partition(s, NULL);
	sim_run(s, 30 * SIM_SEC);
	CHECK(w.broken[3] && w.broken[4] && w.broken[7] && w.broken[0]);
	CHECK(!w.broken[1] && !w.broken[5]);
	sim_crash(s, 6);
	sim_run(s, 31 * SIM_SEC);
	CHECK(w.broken[5] && !w.broken[1]);
	sim_free(s);
}

static void first_violation(struct sim *s, u32 node)
{
	struct world *w = s->owner;

	if (w->timers[node] == 50)
		sim_violation(s, "fifty");
	if (w->timers[node] > 50)
		sim_violation(s, "more");
}

static void checkers(void)
{
	const struct sim_ops checked = { .start = start, .timer = timer, .after = first_violation };
	struct world w = { };
	struct sim *s = sim_new(NODES, 1, &checked, &w);

	sim_start_all(s);
	CHECK(!sim_run(s, SIM_SEC));
	CHECK(s->violation && !strcmp(s->violation, "fifty"));
	CHECK(s->violation_at == 500 * SIM_MS);
	sim_free(s);
}

static const struct ktap_test tests[] = {
	{ "simulator: a good network", a_good_network },
	{ "simulator: a seed repeats exactly", a_seed_repeats_exactly },
	{ "simulator: crash and boot", crash_and_boot },
	{ "simulator: a pause", a_pause },
	{ "simulator: a clog", a_clog },
	{ "simulator: clocks", clocks },
	{ "simulator: two halves", two_halves },
	{ "simulator: streams", streams },
	{ "simulator: streams break", streams_break },
	{ "simulator: checkers", checkers },
};
KTAP_MAIN(tests)
