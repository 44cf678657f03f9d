// SPDX-License-Identifier: GPL-2.0
/*
 * member.c - core/member with thousands of nodes, beside what the papers say
 *
 * The nodes run module/core/member.c.  What the kernel adds is modelled: a hello is a
 * pair of ctm_mb_met() after a round trip or two, if both ends are up, awake and reach
 * each other; it ends with a look into the other's table, whose unknown or dead
 * members are greeted in turn (net/peers.c, net/target.c).
 *
 * The checkers know the truth, which no node does.  A false positive is a node that is up
 * and held for DEAD by one that is up.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "../../module/core/member.h"
#include "../ktap.h"
#include "sim.h"

#define PERIOD		CTM_MB_SEC
#define GREET_EVERY	(5 * SIM_MS)	/* hellos of one node, about as fast as the kernel's */
#define HELLO_TIME	(4 * SIM_MS)

enum { T_TICK, T_HELLO, T_LEARN, T_GREET };

struct node {
	void *mem;
	struct ctm_mb *mb;
	u64 wake;			/* by its clock; when the timer that counts expires */
	u32 generation;			/* of that timer */
	u32 incarnations;		/* boots so far */
	u8 *todo;			/* whom to greet: a flag for each node */
	u32 ntodo, todo_at;
	bool greeting;
	u64 crashed_at;			/* the truth */
	u64 first_ping, first_suspect, first_dead, last_dead;
	u32 dead_at;			/* how many hold it for dead, after its crash */
	bool slow;
};

struct world {
	struct node *node;
	const struct ctm_mb_config *cfg;
	bool hellos;
	bool preload;
	u64 false_suspects, false_dead, false_dead_healthy;
	u64 sent_most;			/* bytes of the largest datagram */
};

static u32 id_of(u32 node)
{
	return node + 1;
}

/* ---- what the owner of a view does ---- */

static bool address(void *owner, u32 id, struct ctm_mb_addr *out)
{
	memset(out, 0, sizeof(*out));
	out->port = 7117;
	out->addr[0] = id;
	return true;
}

static void schedule(struct sim *s, u32 i, bool again)
{
	struct world *w = s->owner;
	struct node *n = &w->node[i];
	u64 next = again ? 0 : ctm_mb_next(n->mb), now = sim_clock(s, i);

	if (next == ~0ull || (n->wake > now && n->wake <= next))
		return;
	n->wake = next > now ? next : now + 1;
	sim_timer(s, i, n->wake - now, T_TICK, ++n->generation);
}

static void todo_add(struct sim *s, u32 i, u32 whom)
{
	struct world *w = s->owner;
	struct node *n = &w->node[i];

	if (whom == i || n->todo[whom])
		return;
	n->todo[whom] = 1;
	n->ntodo++;
	if (n->greeting)
		return;
	n->greeting = true;
	sim_timer(s, i, GREET_EVERY, T_GREET, 0);
}

static void act_state(struct sim *s, u32 i, const struct ctm_mb_action *a)
{
	struct world *w = s->owner;
	u32 whom = a->id - 1;
	struct node *of = &w->node[whom];

	if (!s->node[whom].up || a->boot != s->node[whom].boot) {
		if (a->state == CTM_MB_SUSPECT && !of->first_suspect)
			of->first_suspect = s->now;
		if (a->state == CTM_MB_DEAD) {
			of->dead_at++;
			of->last_dead = s->now;
			if (!of->first_dead)
				of->first_dead = s->now;
		}
		return;
	}
	/* its own, not what it heard */
	w->false_suspects += a->state == CTM_MB_SUSPECT &&
		ctm_mb_find(w->node[i].mb, a->id)->from[0] == id_of(i);
	if (a->state != CTM_MB_DEAD || of->slow)
		return;
	w->false_dead++;
	w->false_dead_healthy += !w->node[i].slow;
}

static void card_of(u32 i, struct ctm_wire_card *card)
{
	memset(card, 0, sizeof(*card));
	snprintf(card->name, sizeof(card->name), "n%u", i);
	card->flags = cpu_to_le32(CTM_WIRE_CARD_ACCEPTING);
	card->pressure = cpu_to_le32(i % 300000);
}

static void act_send(struct sim *s, u32 i, const struct ctm_mb_action *a)
{
	struct world *w = s->owner;
	u64 buf[CTM_MB_DGRAM_MAX / 8];
	struct ctm_wire_card card;
	struct node *to = &w->node[a->id - 1];
	size_t len;

	card_of(i, &card);
	len = ctm_mb_encode(w->node[i].mb, sim_clock(s, i), a, &card, buf);
	if (len > w->sent_most)
		w->sent_most = len;
	if (a->kind == CTM_MB_PING && to->crashed_at && !to->first_ping)
		to->first_ping = s->now;
	sim_send(s, i, a->id - 1, buf, len);
}

static void carry_out(struct sim *s, u32 i, const struct ctm_mb_actions *out)
{
	struct world *w = s->owner;
	u32 k;

	for (k = 0; k < out->n; k++) {
		const struct ctm_mb_action *a = &out->a[k];

		switch (a->type) {
		case CTM_MB_DO_SEND:
			act_send(s, i, a);
			break;
		case CTM_MB_DO_STATE:
			act_state(s, i, a);
			break;
		case CTM_MB_DO_GREET:
			if (w->hellos)
				sim_timer(s, i, HELLO_TIME, T_HELLO, a->id - 1);
			break;
		case CTM_MB_DO_LEARN:
			/* all hear it at the same time: not all at once */
			if (w->hellos)
				sim_timer(s, i, rng_below(&s->rng, ctm_mb_live(w->node[i].mb) * SIM_SEC / 8),
					  T_LEARN, a->id - 1);
			break;
		case CTM_MB_DO_CARD:
			break;
		}
	}
	schedule(s, i, out->more);
}

/* ---- hellos ---- */

static void met(struct sim *s, u32 i, u32 whom, bool news)
{
	struct world *w = s->owner;
	struct ctm_mb_actions out;

	out.n = 0;
	out.more = false;
	ctm_mb_met(w->node[i].mb, sim_clock(s, i), id_of(whom), s->node[whom].boot, news, &out);
	carry_out(s, i, &out);
}

static bool hello(struct sim *s, u32 i, u32 whom)
{
	if (!s->node[whom].up || !sim_reaches(s, i, whom) || !sim_reaches(s, whom, i) ||
	    s->node[whom].paused > s->now)
		return false;
	met(s, i, whom, false);
	met(s, whom, i, true);
	return true;
}

/* whom @from knows and I do not, or hold for dead */
static void fetch(struct sim *s, u32 i, u32 from)
{
	struct world *w = s->owner;
	u32 k;

	for (k = 0; k < s->nodes; k++) {
		const struct ctm_mb_peer *theirs = ctm_mb_find(w->node[from].mb, id_of(k));
		const struct ctm_mb_peer *mine = ctm_mb_find(w->node[i].mb, id_of(k));

		if (theirs && (theirs->state == CTM_MB_ALIVE || theirs->state == CTM_MB_SUSPECT) &&
		    (!mine || mine->state == CTM_MB_DEAD))
			todo_add(s, i, k);
	}
}

static bool alive_in(const struct world *w, u32 i, u32 whom, u64 boot)
{
	const struct ctm_mb_peer *p = ctm_mb_find(w->node[i].mb, id_of(whom));

	return p && p->state == CTM_MB_ALIVE && p->boot == boot;
}

static void greet_next(struct sim *s, u32 i)
{
	struct world *w = s->owner;
	struct node *n = &w->node[i];

	while (n->ntodo && !n->todo[n->todo_at])
		n->todo_at = (n->todo_at + 1) % s->nodes;
	n->greeting = n->ntodo > 0;
	if (!n->ntodo)
		return;
	n->todo[n->todo_at] = 0;
	n->ntodo--;
	if (!alive_in(w, i, n->todo_at, s->node[n->todo_at].boot))
		hello(s, i, n->todo_at);
	sim_timer(s, i, GREET_EVERY, T_GREET, 0);
}

/* ---- events ---- */

static void start(struct sim *s, u32 i)
{
	struct world *w = s->owner;
	struct node *n = &w->node[i];
	u32 k;

	if (!n->mem) {
		n->mem = malloc(ctm_mb_size(s->nodes));
		n->todo = calloc(s->nodes, 1);
		if (!n->mem || !n->todo)
			exit(2);
	}
	memset(n->todo, 0, s->nodes);
	n->ntodo = 0;
	n->greeting = false;
	n->wake = 0;
	n->incarnations++;
	n->mb = ctm_mb_init(n->mem, s->nodes, w->cfg, id_of(i), s->node[i].boot, rng_next(&s->rng),
			    sim_clock(s, i), address, NULL);
	schedule(s, i, false);
	/* the cluster is there already: nobody is news */
	for (k = 0; w->preload && k < s->nodes; k++)
		if (s->node[k].up && k != i) {
			struct ctm_mb_actions out = { .n = 0 };

			ctm_mb_met(n->mb, sim_clock(s, i), id_of(k), s->node[k].boot, false, &out);
			out.n = 0;
			ctm_mb_met(w->node[k].mb, sim_clock(s, k), id_of(i), s->node[i].boot, false, &out);
		}
}

static void message(struct sim *s, u32 i, u32 from, const void *buf, size_t len)
{
	struct world *w = s->owner;
	struct ctm_mb_actions out;
	const struct ctm_mb_peer *p = ctm_mb_find(w->node[i].mb, id_of(from));

	out.n = 0;
	out.more = false;
	/* keys are of one boot */
	if (!p || p->boot != s->node[from].boot)
		return;
	if (ctm_mb_datagram(w->node[i].mb, sim_clock(s, i), id_of(from), buf, len, &out))
		sim_violation(s, "a datagram of ours is refused");
	carry_out(s, i, &out);
}

static void tick(struct sim *s, u32 i)
{
	struct world *w = s->owner;
	struct ctm_mb_actions out;

	out.n = 0;
	w->node[i].wake = 0;
	ctm_mb_measured(w->node[i].mb);
	ctm_mb_tick(w->node[i].mb, sim_clock(s, i), &out);
	carry_out(s, i, &out);
}

static void timer(struct sim *s, u32 i, u32 kind, u64 arg)
{
	struct world *w = s->owner;

	switch (kind) {
	case T_TICK:
		if (arg == w->node[i].generation)
			tick(s, i);
		return;
	case T_HELLO:
		if (hello(s, i, arg))
			fetch(s, i, arg);
		return;
	case T_LEARN:
		todo_add(s, i, arg);
		return;
	case T_GREET:
		greet_next(s, i);
		return;
	}
}

static void crashed(struct sim *s, u32 i)
{
	struct world *w = s->owner;

	w->node[i].crashed_at = s->now;
}

static const struct sim_ops ops = {
	.start = start, .message = message, .timer = timer, .crashed = crashed,
};

static struct sim *world_new(struct world *w, u32 nodes, u64 seed, const struct ctm_mb_config *cfg)
{
	memset(w, 0, sizeof(*w));
	w->node = calloc(nodes, sizeof(*w->node));
	if (!w->node)
		exit(2);
	w->cfg = cfg;
	w->preload = true;
	return sim_new(nodes, seed, &ops, w);
}

static void world_free(struct sim *s)
{
	struct world *w = s->owner;
	u32 i;

	for (i = 0; i < s->nodes; i++) {
		free(w->node[i].mem);
		free(w->node[i].todo);
	}
	free(w->node);
	sim_free(s);
}

/* ---- the truth ---- */

/* how many pairs of nodes that are up do not see each other as alive */
static u64 blind(const struct sim *s)
{
	const struct world *w = s->owner;
	u64 n = 0;
	u32 i, k;

	for (i = 0; i < s->nodes; i++)
		for (k = 0; s->node[i].up && k < s->nodes; k++)
			n += k != i && s->node[k].up && !alive_in(w, i, k, s->node[k].boot);
	return n;
}

/* until all see all, at most until @until.  Return: when, or 0 */
static u64 until_seen(struct sim *s, u64 until)
{
	while (s->now < until) {
		if (!sim_run(s, s->now + SIM_SEC / 4))
			return 0;
		if (!blind(s))
			return s->now;
	}
	return 0;
}

/* ---- detection ---- */

static bool brief;

struct detection {
	double rounds, suspect, first, all;	/* means, over the victims */
	u32 victims, suspected, missed;
	u64 false_suspects, false_dead;
	double node_minutes, messages, bytes;
};

static bool all_know(const struct world *w, u32 first, u32 victims, u32 live)
{
	u32 v;

	for (v = first; v < first + victims; v++)
		if (w->node[v].dead_at < live)
			return false;
	return true;
}

static void crash_some(struct sim *s, struct detection *d, u32 victims)
{
	struct world *w = s->owner;
	u32 v, first = rng_below(&s->rng, s->nodes - victims + 1);
	u32 live = s->nodes - victims;
	u64 limit;

	for (v = 0; v < victims; v++) {
		sim_run(s, s->now + rng_below(&s->rng, SIM_SEC / victims + 1));
		sim_crash(s, first + v);
	}
	/* the longest suspicion, and half a minute for the news */
	limit = s->now + 30 * SIM_SEC +
		ctm_mb_suspicion(w->node[(first + victims) % s->nodes].mb, 0);
	while (s->now < limit && !all_know(w, first, victims, live))
		sim_run(s, s->now + SIM_SEC);
	for (v = first; v < first + victims; v++) {
		struct node *n = &w->node[v];

		d->victims++;
		d->missed += n->dead_at < live;
		d->rounds += ceil((double)(n->first_ping - n->crashed_at) / PERIOD);
		/* one that was suspected already when it crashed is no first detection */
		if (n->first_suspect) {
			d->suspect += sim_seconds(n->first_suspect - n->crashed_at);
			d->suspected++;
		}
		d->first += sim_seconds(n->first_dead - n->crashed_at);
		d->all += sim_seconds(n->last_dead - n->crashed_at);
	}
}

static void detect_once(struct detection *d, u32 nodes, u32 loss, u32 victims, u64 seed)
{
	struct world w;
	struct sim *s = world_new(&w, nodes, seed, &ctm_mb_default);
	u64 sent = 0, bytes = 0;
	u32 i;

	s->net.loss = 10 * loss;
	sim_start_all(s);
	sim_run(s, 20 * SIM_SEC);
	for (i = 0; i < nodes; i++) {
		sent += s->node[i].count.sent;
		bytes += s->node[i].count.sent_bytes;
	}
	d->messages += (double)sent / nodes / 20;
	d->bytes += (double)bytes / nodes / 20;
	crash_some(s, d, victims);
	d->false_suspects += w.false_suspects;
	d->false_dead += w.false_dead;
	d->node_minutes += sim_seconds(s->now) * nodes / 60;
	world_free(s);
}

static void detect(u32 nodes, u32 loss, u32 runs, u32 victims)
{
	struct detection d = { };
	u64 seed = rng_seed(1000 * nodes + loss);
	u32 r;

	for (r = 0; r < runs; r++)
		detect_once(&d, nodes, loss, victims, seed + r);
	ktap_note("%5u %4u %% %6.2f %8.2f %8.1f %8.1f %7.2f %6llu of %-8.0f %5.1f %6.0f  %llu",
		  nodes, loss, d.rounds / d.victims, d.suspect / d.suspected, d.first / d.victims,
		  d.all / d.victims, d.false_suspects / d.node_minutes,
		  (unsigned long long)d.false_dead, d.node_minutes, d.messages / runs,
		  d.bytes / runs, (unsigned long long)seed);
	CHECK(!d.missed);
	/*
	 * SWIM, section 3.1: e / (e - 1) periods to the first ping are expected; 3 sigma of
	 * that geometric.  With loss, Lifeguard lets those who fail probe less often.
	 */
	if (!loss)
		CHECK(fabs(d.rounds / d.victims - 1.582) < 3 * 0.96 / sqrt(d.victims));
	CHECK(d.rounds / d.victims < 1.582 + 0.06 * loss + 3 * 0.96 / sqrt(d.victims));
	CHECK(d.false_dead <= (loss < 20 ? 0 : d.node_minutes / 500));
	/* bounded for any n: ping, ack, two pushes, and what loss adds */
	CHECK(d.messages / runs < 4.2 + 0.25 * loss);
}

static void detection(void)
{
	static const u32 nodes[] = { 10, 100, 1000, 4096 };
	static const u32 losses[] = { 0, 5, 10, 20 };
	static const u32 runs[] = { 100, 25, 3, 1 }, victims[] = { 1, 4, 30, 100 };
	unsigned int i, k;

	ktap_note("nodes loss  rounds  suspect     dead all know  falsely suspected, dead     messages bytes  seed");
	ktap_note("            1.58 in SWIM   (s, first)      (s)  /node/min  of node minutes  /node/period");
	for (i = 0; i < (brief ? 2 : ARRAY_SIZE(nodes)); i++)
		for (k = 0; k < ARRAY_SIZE(losses); k += brief ? 3 : 1)
			detect(nodes[i], losses[k], runs[i] / (brief ? 5 : 1), victims[i]);
}

/* ---- slow members: Lifeguard's experiment ---- */

struct slowness { u64 block, run; };

static void block(struct sim *s, void *arg)
{
	struct world *w = s->owner;
	const struct slowness *how = arg;
	u32 i;

	for (i = 0; i < s->nodes; i++)
		if (w->node[i].slow)
			sim_clog(s, i, how->block);
	sim_at(s, s->now + how->block + how->run, block, arg);
}

static u64 slow_members(const struct ctm_mb_config *cfg, u32 slow, struct slowness how, u64 seed,
			u64 *healthy)
{
	struct world w;
	struct sim *s = world_new(&w, 100, seed, cfg);
	u64 found;
	u32 i;

	for (i = 0; i < slow; i++)
		w.node[i * 100 / slow].slow = true;
	sim_start_all(s);
	sim_run(s, 5 * SIM_SEC);
	block(s, &how);
	sim_run(s, 125 * SIM_SEC);
	found = w.false_dead;
	*healthy = w.false_dead_healthy;
	world_free(s);
	return found;
}

static void false_positives(void)
{
	static const u32 slow[] = { 4, 8, 16, 32 };
	static const struct slowness hows[] = {
		{ 4 * SIM_SEC, SIM_SEC / 4 }, { 8 * SIM_SEC, SIM_SEC / 2 }, { 16 * SIM_SEC, SIM_SEC },
		{ 32 * SIM_SEC, SIM_SEC },
	};
	static const struct ctm_mb_config *const cfg[] = {
		&ctm_mb_swim, &ctm_mb_lifeguard, &ctm_mb_default,
	};
	u64 sum[3] = { }, healthy[3] = { }, h;
	unsigned int i, k, c, run;

	ktap_note("100 nodes; what some send and receive is held up, again and again, for two minutes:");
	ktap_note("how often a healthy node was held for dead, and by how many healthy ones");
	ktap_note("slow  held up for  SWIM (by healthy)  Lifeguard        Continuum         seed");
	for (i = brief; i < ARRAY_SIZE(slow); i += 1 + brief) {
		for (k = brief; k < ARRAY_SIZE(hows); k += 1 + brief) {
			u64 n[3] = { }, nh[3] = { }, seed = rng_seed(100 * i + k);

			for (c = 0; c < 3; c++) {
				for (run = 0; run < (brief ? 1 : 4); run++) {
					n[c] += slow_members(cfg[c], slow[i], hows[k], seed + run, &h);
					nh[c] += h;
				}
				sum[c] += n[c];
				healthy[c] += nh[c];
			}
			ktap_note("%4u %4.0f s, %4.2f s not %5llu %8llu %8llu %8llu %8llu %8llu  %llu", slow[i],
				  sim_seconds(hows[k].block), sim_seconds(hows[k].run),
				  (unsigned long long)n[0], (unsigned long long)nh[0],
				  (unsigned long long)n[1], (unsigned long long)nh[1],
				  (unsigned long long)n[2], (unsigned long long)nh[2],
				  (unsigned long long)seed);
		}
	}
	ktap_note("together        %12llu %8llu %8llu %8llu %8llu %8llu",
		  (unsigned long long)sum[0], (unsigned long long)healthy[0],
		  (unsigned long long)sum[1], (unsigned long long)healthy[1],
		  (unsigned long long)sum[2], (unsigned long long)healthy[2]);
	CHECK(sum[0] > 100);
	CHECK(sum[1] * 20 < sum[0]);
	CHECK(sum[2] * 50 < sum[0]);
}

/* ---- a busy node ---- */

static void busy_node(void)
{
	static const u32 sizes[] = { 2, 3, 5, 20 };
	unsigned int i, run, k;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		u64 seed = rng_seed(77);

		for (run = 0; run < (brief ? 20 : 200); run++) {
			struct world w;
			struct sim *s = world_new(&w, sizes[i], seed + run, &ctm_mb_default);

			s->net.loss = 20;
			sim_start_all(s);
			sim_run(s, 10 * SIM_SEC);
			for (k = 0; k < 3; k++) {
				sim_pause(s, 0, 3 * SIM_SEC);
				sim_run(s, s->now + 10 * SIM_SEC + rng_below(&s->rng, SIM_SEC));
			}
			if (!CHECK(!w.false_dead))
				ktap_note("%u nodes, seed %llu", sizes[i], (unsigned long long)seed + run);
			world_free(s);
		}
	}
}

/* clocks that run at different rates, and one that is set back and forth */
static void jump(struct sim *s, void *arg)
{
	sim_drift(s, 5, rng_below(&s->rng, 2) ? 20000 : -20000);
	sim_at(s, s->now + SIM_SEC, jump, arg);
}

static void drift(void)
{
	struct world w;
	struct sim *s = world_new(&w, 50, rng_seed(9), &ctm_mb_default);
	u32 i;

	for (i = 0; i < 50; i++)
		sim_drift(s, i, (s64)i * 400 - 10000);		/* up to 1 % */
	s->net.loss = 50;
	sim_at(s, SIM_SEC, jump, NULL);
	sim_start_all(s);
	CHECK(sim_run(s, 300 * SIM_SEC));
	CHECK(!w.false_dead);
	sim_free(s);
}

/* ---- partitions ---- */

static void heal_once(u32 nodes, u32 loss, u64 cut, u64 limit)
{
	struct world w;
	u64 seed = rng_seed(31 * nodes), healed, at;
	struct sim *s = world_new(&w, nodes, seed, &ctm_mb_default);
	u32 i;

	w.hellos = true;
	s->net.loss = loss * 10;
	sim_start_all(s);
	sim_run(s, 5 * SIM_SEC);
	for (i = 0; i < nodes / 2; i++)
		sim_side(s, i, 1);
	sim_run(s, s->now + cut);
	i = blind(s);
	at = s->now;
	sim_heal(s);
	healed = until_seen(s, at + limit);
	ktap_note("%5u %4u %% %8.0f s %12u %10.1f s  %llu", nodes, loss, sim_seconds(cut), i,
		  healed ? sim_seconds(healed - at) : -1.0, (unsigned long long)seed);
	CHECK(i);
	CHECK(healed);
	/* and it stays so */
	w.false_dead = 0;
	sim_run(s, s->now + 60 * SIM_SEC);
	CHECK(!w.false_dead && !blind(s));
	world_free(s);
}

static void partitions(void)
{
	ktap_note("two halves, cut and healed: until everybody sees everybody");
	ktap_note("nodes loss  cut for  blind pairs   healed in  seed");
	heal_once(2, 0, 60 * SIM_SEC, 10 * SIM_SEC);
	heal_once(3, 0, 60 * SIM_SEC, 15 * SIM_SEC);
	heal_once(16, 0, 120 * SIM_SEC, 30 * SIM_SEC);
	heal_once(16, 10, 120 * SIM_SEC, 30 * SIM_SEC);
	heal_once(128, 5, 120 * SIM_SEC, 60 * SIM_SEC);
	if (brief)
		return;
	heal_once(1024, 0, 180 * SIM_SEC, 120 * SIM_SEC);
	heal_once(1024, 10, 180 * SIM_SEC, 120 * SIM_SEC);
}

/* ---- joins ---- */

static void join_one(u32 nodes, u32 loss)
{
	struct world w;
	u64 seed = rng_seed(17 * nodes), at, seen;
	struct sim *s = world_new(&w, nodes, seed, &ctm_mb_default);
	u32 i;

	w.hellos = true;
	s->net.loss = loss * 10;
	for (i = 0; i < nodes - 1; i++)
		sim_boot(s, i);
	sim_run(s, 5 * SIM_SEC);
	w.preload = false;
	sim_boot(s, nodes - 1);
	at = s->now;
	sim_timer(s, nodes - 1, HELLO_TIME, T_HELLO, 0);
	seen = until_seen(s, at + 120 * SIM_SEC);
	ktap_note("%5u %4u %% one joins      %8.1f s  %llu", nodes, loss,
		  seen ? sim_seconds(seen - at) : -1.0, (unsigned long long)seed);
	CHECK(seen);
	/* it is restarted: the new boot supersedes the old one everywhere */
	sim_run(s, s->now + 20 * SIM_SEC);
	sim_boot(s, nodes - 1);
	at = s->now;
	sim_timer(s, nodes - 1, HELLO_TIME, T_HELLO, 0);
	seen = until_seen(s, at + 120 * SIM_SEC);
	ktap_note("%5u %4u %% one boots anew %8.1f s", nodes, loss, seen ? sim_seconds(seen - at) : -1.0);
	CHECK(seen);
	CHECK(!w.false_dead);
	world_free(s);
}

static void join_all(u32 nodes)
{
	struct world w;
	u64 seed = rng_seed(5 * nodes), seen;
	struct sim *s = world_new(&w, nodes, seed, &ctm_mb_default);
	u32 i;

	w.hellos = true;
	w.preload = false;
	sim_start_all(s);
	for (i = 1; i < nodes; i++)
		sim_timer(s, i, rng_below(&s->rng, SIM_SEC), T_HELLO, 0);
	seen = until_seen(s, 300 * SIM_SEC);
	ktap_note("%5u    0 %% all at once    %8.1f s  %llu", nodes, seen ? sim_seconds(seen) : -1.0,
		  (unsigned long long)seed);
	CHECK(seen);
	world_free(s);
}

static void joins(void)
{
	ktap_note("until everybody sees everybody");
	join_one(10, 0);
	join_one(100, 10);
	join_all(50);
	if (brief)
		return;
	join_one(1000, 10);
	join_all(1000);
	join_one(4096, 0);
}

/* ---- loads ---- */

/* how old is what a node knows of others' loads? */
static void load_age(u32 nodes)
{
	struct world w;
	u64 seed = rng_seed(3 * nodes), n = 0;
	struct sim *s = world_new(&w, nodes, seed, &ctm_mb_default);
	double sum = 0, worst = 0;
	u32 i, k;

	sim_start_all(s);
	sim_run(s, 30 * SIM_SEC);
	for (i = 0; i < nodes; i += 1 + nodes / 100) {
		for (k = 0; k < nodes; k++) {
			const struct ctm_mb_peer *p = ctm_mb_find(w.node[i].mb, id_of(k));
			u32 ms = sim_clock(s, i) / SIM_MS;
			double age;

			if (k == i)
				continue;
			age = p->load.seq ? (ms - p->load.heard) / 1e3 : 30;
			sum += age;
			n++;
			if (age > worst)
				worst = age;
		}
	}
	ktap_note("%5u nodes: loads are news of %5.1f s ago on average, %5.1f at worst", nodes,
		  sum / n, worst);
	if (nodes <= 10)
		CHECK(sum / n < 1 && worst < 3);
	if (nodes <= 100)
		CHECK(sum / n < 3);
	world_free(s);
}

static void loads(void)
{
	load_age(3);
	load_age(10);
	load_age(100);
	if (brief)
		return;
	load_age(1000);
	load_age(4096);
}

/* ---- the rest ---- */

static void nobody_is_lost_for_good(void)
{
	u64 seed = rng_seed(4711);
	u32 run, i;

	/* crashes, boots, pauses and cuts at random; then peace, in which all find each other */
	for (run = 0; run < (brief ? 10 : 100); run++) {
		struct world w;
		struct sim *s = world_new(&w, 12, seed + run, &ctm_mb_default);

		w.hellos = true;
		s->net.loss = rng_below(&s->rng, 300);
		s->net.dup = s->net.late = 20;
		sim_start_all(s);
		w.preload = false;
		for (i = 0; i < 60; i++) {
			u32 who = rng_below(&s->rng, 12);

			switch (rng_below(&s->rng, 5)) {
			case 0:
				sim_crash(s, who);
				break;
			case 1:
				if (!s->node[who].up)
					sim_boot(s, who);
				else
					break;
				sim_timer(s, who, SIM_SEC, T_HELLO, (who + 1) % 12);
				sim_timer(s, who, 2 * SIM_SEC, T_HELLO, (who + 5) % 12);
				break;
			case 2:
				sim_pause(s, who, rng_below(&s->rng, 20 * SIM_SEC));
				break;
			case 3:
				sim_side(s, who, rng_below(&s->rng, 3));
				break;
			case 4:
				sim_heal(s);
				break;
			}
			sim_run(s, s->now + rng_below(&s->rng, 5 * SIM_SEC));
		}
		sim_heal(s);
		s->net.loss = s->net.dup = s->net.late = 0;
		for (i = 0; i < 12; i++) {
			if (!s->node[i].up)
				sim_boot(s, i);
			/* seeds are retried for ever */
			sim_timer(s, i, SIM_SEC, T_HELLO, 0);
		}
		if (!CHECK(until_seen(s, s->now + 120 * SIM_SEC)))
			sim_print(s);
		world_free(s);
	}
}

static u64 trace_of(u64 seed)
{
	struct world w;
	struct sim *s = world_new(&w, 40, seed, &ctm_mb_default);
	u64 trace;

	s->net.loss = 200;
	s->net.dup = s->net.late = 50;
	w.hellos = true;
	sim_start_all(s);
	sim_run(s, 5 * SIM_SEC);
	sim_crash(s, 7);
	sim_run(s, 60 * SIM_SEC);
	trace = s->trace;
	world_free(s);
	return trace;
}

static void repeats(void)
{
	CHECK(trace_of(1) == trace_of(1));
	CHECK(trace_of(1) != trace_of(2));
}

static const struct ktap_test tests[] = {
	{ "member: a seed repeats exactly", repeats },
	{ "member: detection of crashes", detection },
	{ "member: slow members make no false positives", false_positives },
	{ "member: a node that is busy for 3 s is not dead", busy_node },
	{ "member: clocks that run at different rates", drift },
	{ "member: partitions heal", partitions },
	{ "member: joins", joins },
	{ "member: loads", loads },
	{ "member: nobody is lost for good", nobody_is_lost_for_good },
};

static u32 row_nodes, row_loss;

static void one_row(void)
{
	detect(row_nodes, row_loss, 1, row_nodes < 100 ? 1 : row_nodes / 40);
}

static const struct ktap_test row[] = { { "member: detection of crashes", one_row } };

/* member [-b]: all, or briefly; member NODES LOSS: one row of the table of detection */
int main(int argc, char **argv)
{
	brief = argc > 1 && !strcmp(argv[1], "-b");
	if (argc == 3) {
		row_nodes = atoi(argv[1]);
		row_loss = atoi(argv[2]);
		return ktap_run(row, 1);
	}
	return ktap_run(tests, ARRAY_SIZE(tests));
}
