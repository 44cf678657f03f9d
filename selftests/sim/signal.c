// SPDX-License-Identifier: GPL-2.0
/*
 * signal.c - do signals find their process, once, and what does it cost?
 *
 * Runs core/signal.c at every node, as module/signals.c does.
 *
 * Rumours: home is dead, so only hearsay reaches the host.  A round is counted as
 * what is worse: the hops of the copy that arrived, or the rounds of time that had
 * begun since the rumour did.  What a kill may take is log2(N)+6 rounds in 99.9 % of
 * runs; and no node may send more than CTM_SIG_FANOUT * CTM_SIG_ROUNDS copies a wave.
 *
 * Moves: the process wanders from host to host while it is signalled, on a network that
 * loses, doubles and delays; home knows of a move only after a while.  Whatever
 * happens, it is applied once at most, and exactly once if it was confirmed.
 *
 *   signal [-b]      SEED=n repeats; RUNS=n for each row of the table
 */
#include <math.h>
#include <stdio.h>
#include "../../module/core/signal.h"
#include "../ktap.h"
#include "sim.h"

#define SLOTS		8u
#define ORIGIN		0u
#define HOME		1u
#define GPID		CTM_GPID(HOME + 1, 5)	/* node ids begin with 1 */
#define LIFE_MS		10000u

enum kind { ROUND_TIMER, OUT_TIMER, MOVE_TIMER };
enum type { MSG_SIGNAL, MSG_ACK };

struct message {
	u32 type;
	u32 pad;
	u8 bytes[128];
};

struct node {
	struct ctm_sig_heard slot[SLOTS];
	u64 timer;			/* when its ROUND_TIMER comes, 0: none */
	u32 copies;			/* rumours sent */
};

struct world {
	struct node *node;
	u32 host;			/* where the process is; NOWHERE: under way */
	u32 home_thinks;
	bool home_dead;
	struct ctm_sig_applied applied;
	struct ctm_sig_out out;
	struct ctm_sig sig;
	bool over;			/* confirmed or given up */
	u64 began, spread_at, arrived_at;
	u32 times, hops;		/* applied; hops of the first that was */
	u64 sent;			/* copies and acknowledgements, all nodes */
	u32 acks;			/* that came to the origin */
};
#define NOWHERE		(~0u)

static struct ctm_sig_relay relay_of(struct world *w, u32 node)
{
	return (struct ctm_sig_relay){ w->node[node].slot, SLOTS };
}

/* ---- sending ---- */

static void send_signal(struct sim *s, u32 from, u32 to, const struct ctm_sig *sig)
{
	struct message m = { .type = MSG_SIGNAL };
	struct world *w = s->owner;

	size_t len = ctm_sig_put(m.bytes, sig);

	w->sent++;
	sim_send(s, from, to, &m, 8 + len);
}

static void send_ack(struct sim *s, u32 from, u32 to, const struct ctm_sig_ack *ack)
{
	struct message m = { .type = MSG_ACK };
	struct world *w = s->owner;

	w->sent++;
	sim_send(s, from, to, &m, 8 + ctm_sig_ack_put(m.bytes, ack));
}

static void send_direct(struct sim *s, u32 from, u32 to, const struct ctm_sig *sig)
{
	struct ctm_sig on = *sig;

	if (sig->hops >= 3 && !sig->wave)
		return;
	on.hops = sig->wave ? 1 : sig->hops + 1;
	on.wave = 0;
	send_signal(s, from, to, &on);
}

/* ---- rounds ---- */

static void set_timer(struct sim *s, u32 node)
{
	struct world *w = s->owner;
	struct ctm_sig_relay t = relay_of(w, node);
	u64 due = ctm_sig_due(&t), now = sim_clock(s, node);

	if (!due || (w->node[node].timer && w->node[node].timer <= due))
		return;
	w->node[node].timer = due;
	sim_timer(s, node, due > now ? due - now : 0, ROUND_TIMER, due);
}

static void pass_on(struct sim *s, u32 node, const struct ctm_sig *sig, u32 from)
{
	struct world *w = s->owner;
	u32 chosen[CTM_SIG_FANOUT], n = 0, tries, i;

	for (tries = 0; n < CTM_SIG_FANOUT && tries < 50; tries++) {
		u32 peer = rng_below(&s->rng, s->nodes);

		for (i = 0; i < n && chosen[i] != peer; i++)
			;
		if (i < n || peer == node || peer == from || peer == ORIGIN ||
		    (peer == HOME && w->home_dead))
			continue;
		chosen[n++] = peer;
		send_signal(s, node, peer, sig);
	}
	w->node[node].copies += n;
}

static void rounds(struct sim *s, u32 node)
{
	struct world *w = s->owner;
	struct ctm_sig_relay t = relay_of(w, node);
	struct ctm_sig sig;
	u32 from;

	while (ctm_sig_pass(&t, sim_clock(s, node), &sig, &from))
		pass_on(s, node, &sig, from - 1);
	set_timer(s, node);
}

/* ---- what a node does with a copy ---- */

static void send_answer(struct sim *s, u32 node, u32 from, const struct ctm_sig_ack *ack)
{
	if (ack->hops != CTM_SIG_ACK_STOP)
		send_ack(s, node, ORIGIN, ack);
	if (from != ORIGIN && from != node)
		send_ack(s, node, from, ack);
}

static void answer(struct sim *s, u32 node, const struct ctm_sig *sig, u32 from,
		   enum ctm_sig_outcome outcome)
{
	struct world *w = s->owner;
	struct ctm_sig_relay t = relay_of(w, node);
	struct ctm_sig_ack ack = { .id = sig->id, .outcome = outcome };

	if (ctm_sig_final(outcome))
		ctm_sig_answered(&t, sig, from + 1, outcome, 0, sim_clock(s, node));
	send_answer(s, node, from, &ack);
}

static void arrive(struct sim *s, u32 node, const struct ctm_sig *sig, u32 from)
{
	struct world *w = s->owner;
	u64 now = sim_clock(s, node);

	if (w->host != node) {
		if (node == HOME && w->home_thinks != HOME)
			send_direct(s, node, w->home_thinks, sig);
		return;
	}
	switch (ctm_sig_applied_judge(&w->applied, sig, now)) {
	case CTM_SIG_NEW:
		ctm_sig_applied_note(&w->applied, sig, now);
		if (!w->times++) {
			w->arrived_at = sim_now(s);
			w->hops = sig->hops;
		}
		break;
	case CTM_SIG_DONE:
		break;
	default:
		return;
	}
	answer(s, node, sig, from, CTM_SIG_DELIVERED);
}

static bool hear(struct sim *s, u32 node, const struct ctm_sig *sig, u32 from)
{
	struct ctm_sig_relay t = relay_of(s->owner, node);
	enum ctm_sig_news news = ctm_sig_hear(&t, sig, from + 1, sim_clock(s, node));

	if (news == CTM_SIG_FIRST || news == CTM_SIG_LATER)
		set_timer(s, node);
	return news != CTM_SIG_KNOWN;
}

static void got_signal(struct sim *s, u32 node, u32 from, const struct ctm_sig *sig)
{
	struct world *w = s->owner;
	struct ctm_sig_relay t = relay_of(w, node);
	enum ctm_sig_outcome o;
	struct ctm_sig_ack ack;

	if (!sig->left_ms)
		return;
	o = ctm_sig_recall(&t, &sig->id, &ack);
	if (ctm_sig_final(o))
		send_answer(s, node, from, &ack);
	else if (o == CTM_SIG_OPEN && (!sig->wave || hear(s, node, sig, from)))
		arrive(s, node, sig, from);
}

static void got_ack(struct sim *s, u32 node, u32 from, struct ctm_sig_ack *ack)
{
	struct world *w = s->owner;
	struct ctm_sig_relay t = relay_of(w, node);
	u32 todo, to;

	todo = ctm_sig_echo(&t, ack, &to);
	if (node == ORIGIN) {
		w->acks++;
		if (!w->over && ctm_sig_out_ack(&w->out, ack->outcome))
			w->over = true;
		return;
	}
	if (todo & CTM_SIG_TO_ORIGIN && from != ORIGIN)
		send_ack(s, node, ORIGIN, ack);
	if (todo & CTM_SIG_TO_FROM && to - 1 != from && to - 1 != ORIGIN && to - 1 != node)
		send_ack(s, node, to - 1, ack);
}

static void on_message(struct sim *s, u32 node, u32 from, const void *buf, size_t len)
{
	const struct message *m = buf;
	struct ctm_sig_ack ack;
	struct ctm_sig sig;

	if (m->type == MSG_SIGNAL && !ctm_sig_get(&sig, m->bytes, len - 8))
		got_signal(s, node, from, &sig);
	else if (m->type == MSG_ACK && !ctm_sig_ack_get(&ack, m->bytes, len - 8))
		got_ack(s, node, from, &ack);
	else
		sim_violation(s, "a frame of our own is refused");
}

/* ---- the origin ---- */

static void step_out(struct sim *s)
{
	struct world *w = s->owner;
	u64 now = sim_clock(s, ORIGIN);
	struct ctm_sig sig;
	u32 todo;

	if (w->over)
		return;
	todo = ctm_sig_out_step(&w->out, now);
	w->sig.left_ms = ctm_sig_left(w->out.until, now);
	sig = w->sig;
	if (todo & CTM_SIG_DO_GIVE_UP) {
		w->over = true;
		return;
	}
	if (todo & CTM_SIG_DO_SEND) {
		if (w->host == ORIGIN)
			arrive(s, ORIGIN, &sig, ORIGIN);
		send_signal(s, ORIGIN, HOME, &sig);
	}
	if (todo & CTM_SIG_DO_SPREAD) {
		if (!w->spread_at)
			w->spread_at = sim_now(s);
		sig.wave = w->out.wave;
		hear(s, ORIGIN, &sig, ORIGIN);
	}
	sim_timer(s, ORIGIN, w->out.due - now, OUT_TIMER, 0);
}

/* ---- the process wanders: what was applied to it comes along ---- */

static void learn(struct sim *s, void *arg)
{
	struct world *w = s->owner;

	w->home_thinks = (u32)(uintptr_t)arg;
}

static void land(struct sim *s, void *arg)
{
	static struct ctm_rec_applied rec[CTM_SIG_ORIGINS];
	struct world *w = s->owner;
	u64 now = sim_now(s);
	u32 host = (u32)(uintptr_t)arg;
	unsigned int n = ctm_sig_applied_save(&w->applied, rec, true, now);

	memset(&w->applied, 0, sizeof(w->applied));
	ctm_sig_applied_load(&w->applied, rec, n, now);
	w->host = host;
	sim_at(s, now + rng_below(&s->rng, 300) * SIM_MS, learn, arg);
}

static void wander(struct sim *s)
{
	struct world *w = s->owner;
	u32 to = rng_below(&s->rng, s->nodes);

	if (w->host != NOWHERE) {
		w->host = NOWHERE;
		sim_at(s, sim_now(s) + rng_below(&s->rng, 400) * SIM_MS, land,
		       (void *)(uintptr_t)to);
	}
	sim_timer(s, HOME, (100 + rng_below(&s->rng, 500)) * SIM_MS, MOVE_TIMER, 0);
}

static void on_timer(struct sim *s, u32 node, u32 kind, u64 arg)
{
	struct world *w = s->owner;

	switch (kind) {
	case ROUND_TIMER:
		if (arg == w->node[node].timer) {
			w->node[node].timer = 0;
			rounds(s, node);
		}
		break;
	case OUT_TIMER:
		step_out(s);
		break;
	case MOVE_TIMER:
		wander(s);
		break;
	}
}

static void check(struct sim *s, u32 node)
{
	struct world *w = s->owner;

	if (w->times > 1)
		sim_violation(s, "applied twice");
	if (w->over && ctm_sig_final(w->out.outcome) && !w->times)
		sim_violation(s, "confirmed, but never applied");
	if (w->node[node].copies > CTM_SIG_FANOUT * CTM_SIG_ROUNDS * CTM_SIG_WAVES)
		sim_violation(s, "a node sends more copies than it may");
}

static const struct sim_ops ops = { .message = on_message, .timer = on_timer, .after = check };

static struct sim *begin(struct world *w, u32 nodes, u64 seed)
{
	struct node *node = w->node;
	struct sim *s;

	memset(node, 0, nodes * sizeof(*node));
	memset(w, 0, sizeof(*w));
	w->node = node;
	s = sim_new(nodes, seed, &ops, w);
	sim_start_all(s);
	w->sig = (struct ctm_sig){
		.id = { .boot = 1, .seq = 1, .node = ORIGIN + 1 }, .floor = 1, .gpid = GPID, .what = 9,
	};
	w->host = w->home_thinks = 2 + rng_below(&s->rng, nodes - 2);
	w->began = sim_now(s);
	ctm_sig_out_init(&w->out, w->began, LIFE_MS);
	return s;
}

/* ---- rumours ---- */

#define ROUNDS_SEEN	400u

struct row {
	u32 nodes, runs;
	u32 histogram[ROUNDS_SEEN];
	u32 worst, late, unconfirmed;
	double messages;		/* a node, mean over the runs */
	u32 copies;			/* of the busiest node */
	u32 acks;			/* to an origin, at most */
};

static u32 rounds_taken(const struct world *w)
{
	u32 by_time;

	if (!w->times)
		return ROUNDS_SEEN - 1;
	by_time = 1 + (w->arrived_at - w->spread_at) / CTM_SIG_ROUND;
	return by_time > w->hops ? by_time : w->hops;
}

static bool one_run(struct row *row, struct world *w, u64 seed)
{
	struct sim *s = begin(w, row->nodes, seed);
	u32 i, took;
	bool ok;

	s->net.loss = 200;
	w->home_dead = true;
	sim_crash(s, HOME);
	step_out(s);
	ok = sim_run(s, w->began + 12 * SIM_SEC);
	if (!ok)
		sim_print(s);
	took = rounds_taken(w);
	if (took >= ROUNDS_SEEN)
		took = ROUNDS_SEEN - 1;
	row->histogram[took]++;
	row->worst = took > row->worst ? took : row->worst;
	row->late += took > log2(row->nodes) + 6;
	row->acks = w->acks > row->acks ? w->acks : row->acks;
	row->unconfirmed += !ctm_sig_final(w->out.outcome);
	row->messages += (double)w->sent / row->nodes / row->runs;
	for (i = 0; i < row->nodes; i++)
		if (w->node[i].copies > row->copies)
			row->copies = w->node[i].copies;
	sim_free(s);
	return ok;
}

static u32 percentile(const struct row *row, double p)
{
	u32 i, seen = 0;

	for (i = 0; i < ROUNDS_SEEN; i++) {
		seen += row->histogram[i];
		if (seen >= p * row->runs)
			return i;
	}
	return ROUNDS_SEEN;
}

static bool brief;

static void rumours(u32 nodes, u32 runs)
{
	u64 seed = rng_seed(1);
	const char *wanted = getenv("RUNS");
	struct row row = { .nodes = nodes, .runs = wanted ? strtoul(wanted, NULL, 0) : runs };
	struct world w = { .node = calloc(nodes, sizeof(struct node)) };
	u32 i;

	for (i = 0; i < row.runs; i++)
		if (!CHECK(one_run(&row, &w, seed + i)))
			break;
	ktap_note("nodes %5u  loss 20 %%  runs %5u  rounds: median %u, 99 %% %u, 99.9 %% %u, worst %u"
		  "  allowed %.1f  beyond %u", nodes, row.runs, percentile(&row, .5),
		  percentile(&row, .99), percentile(&row, .999), row.worst, log2(nodes) + 6, row.late);
	ktap_note("             messages a node: mean %.1f, copies of the busiest %u"
		  "  acks to the origin: up to %u  unconfirmed %u  SEED=%llu", row.messages, row.copies,
		  row.acks, row.unconfirmed,
		  (unsigned long long)seed);
	CHECK(row.late * 1000ull <= row.runs);
	CHECK(row.copies <= CTM_SIG_FANOUT * CTM_SIG_ROUNDS * CTM_SIG_WAVES);
	CHECK(row.messages <= CTM_SIG_FANOUT * CTM_SIG_ROUNDS + CTM_SIG_ROUNDS);
	CHECK(row.acks <= 200);
	free(w.node);
}

static void rumours_100(void)
{
	rumours(100, brief ? 300 : 10000);
}

static void rumours_1000(void)
{
	rumours(1000, brief ? 60 : 5000);
}

static void rumours_10000(void)
{
	rumours(10000, brief ? 4 : 1000);
}

/* ---- moves ---- */

static void moves(void)
{
	u64 seed = rng_seed(1);
	u32 i, runs = brief ? 300 : 20000, confirmed = 0, unconfirmed_applied = 0;
	struct world w = { .node = calloc(64, sizeof(struct node)) };

	for (i = 0; i < runs; i++) {
		struct sim *s = begin(&w, 4 + (seed + i) % 60, seed + i);
		bool ok;

		s->net.loss = rng_below(&s->rng, 500);
		s->net.dup = 100;
		s->net.late = 100;
		s->net.lateness = 3 * SIM_SEC;
		sim_timer(s, HOME, 1, MOVE_TIMER, 0);
		step_out(s);
		ok = sim_run(s, w.began + 15 * SIM_SEC);
		if (!ok)
			sim_print(s);
		confirmed += ctm_sig_final(w.out.outcome);
		unconfirmed_applied += !ctm_sig_final(w.out.outcome) && w.times;
		sim_free(s);
		if (!CHECK(ok))
			break;
	}
	ktap_note("runs %u  confirmed %u  applied without a word %u  SEED=%llu", runs, confirmed,
		  unconfirmed_applied, (unsigned long long)seed);
	CHECK(confirmed * 100ull >= runs * 95ull);
	free(w.node);
}

static const struct ktap_test tests[] = {
	{ "signals: rumours, 100 nodes", rumours_100 },
	{ "signals: rumours, 1,000 nodes", rumours_1000 },
	{ "signals: rumours, 10,000 nodes", rumours_10000 },
	{ "signals: once, also across moves", moves },
};

int main(int argc, char **argv)
{
	brief = argc > 1 && !strcmp(argv[1], "-b");
	return ktap_run(tests, ARRAY_SIZE(tests));
}
