// SPDX-License-Identifier: GPL-2.0
/*
 * member.c - core/member, rule by rule; what many nodes make of them is in ../sim
 */
#include "../../module/core/member.h"
#include "../ktap.h"
#include "random.h"

#define MS	1000000ull
#define SEC	CTM_MB_SEC
#define MAX	64u
#define ME	1000u

static struct ctm_mb_actions out;
static const struct ctm_wire_card card = { .name = "node" };

struct view {
	struct ctm_mb *mb;
	u64 now;
};

static bool address(void *owner, u32 id, struct ctm_mb_addr *a)
{
	memset(a, 0, sizeof(*a));
	a->port = 7117;
	a->addr[15] = id;
	return true;
}

static struct view view_of(u32 id, u32 max, const struct ctm_mb_config *cfg)
{
	struct view v = { .now = 100 * SEC };

	v.mb = ctm_mb_init(malloc(ctm_mb_size(max)), max, cfg, id, id + 7, id, v.now, address, NULL);
	return v;
}

static void done(struct view *v)
{
	free(v->mb);
}

static void clear(void)
{
	out.n = 0;
	out.more = false;
}

static void meet(struct view *v, u32 id)
{
	clear();
	CHECK(!ctm_mb_met(v->mb, v->now, id, id + 7, true, &out));
}

static const struct ctm_mb_action *action(enum ctm_mb_action_type type, u32 id)
{
	u32 i;

	for (i = 0; i < out.n; i++)
		if (out.a[i].type == type && (!id || out.a[i].id == id))
			return &out.a[i];
	return NULL;
}

static const struct ctm_mb_action *sent(enum ctm_mb_kind kind, u32 to)
{
	u32 i;

	for (i = 0; i < out.n; i++)
		if (out.a[i].type == CTM_MB_DO_SEND && out.a[i].kind == kind && (!to || out.a[i].id == to))
			return &out.a[i];
	return NULL;
}

static enum ctm_mb_state state(const struct view *v, u32 id)
{
	const struct ctm_mb_peer *p = ctm_mb_find(v->mb, id);

	return p ? p->state : CTM_MB_NONE;
}

static u32 inc(const struct view *v, u32 id)
{
	return ctm_mb_find(v->mb, id)->inc;
}

/* until a tick has made an action for which @found() is so, at most @limit; the rest is not done */
static bool until(struct view *v, u64 limit, bool (*found)(void))
{
	u64 end = v->now + limit;

	while (v->now < end) {
		u64 next = ctm_mb_next(v->mb);

		v->now = next > v->now ? next : v->now + 1;
		clear();
		ctm_mb_tick(v->mb, v->now, &out);
		if (found())
			return true;
	}
	return false;
}

static bool is_ping(void) { return sent(CTM_MB_PING, 0); }
static bool is_request(void) { return sent(CTM_MB_PING_REQ, 0); }
static bool is_state(void) { return action(CTM_MB_DO_STATE, 0); }
static bool is_nack(void) { return sent(CTM_MB_NACK, 0); }
static bool is_greet(void) { return action(CTM_MB_DO_GREET, 0); }

struct dgram {
	struct ctm_wire_mb head;
	u8 rest[CTM_MB_DGRAM_MAX - sizeof(struct ctm_wire_mb)];
	size_t len;
};

static struct dgram dgram(enum ctm_mb_kind kind, u32 inc, u32 seq, u32 target)
{
	struct dgram d = { .len = sizeof(d.head) };

	d.head.kind = kind;
	d.head.inc = cpu_to_le32(inc);
	d.head.seq = cpu_to_le32(seq);
	d.head.target = cpu_to_le32(target);
	d.head.card_seq = cpu_to_le32(1);
	strcpy(d.head.card.name, "other");
	return d;
}

static void add_update(struct dgram *d, u32 id, u32 inc, enum ctm_mb_state state, u32 from)
{
	struct ctm_wire_mb_update u = {
		.id = cpu_to_le32(id), .inc = cpu_to_le32(inc), .boot = cpu_to_le64(id + 7),
		.state = state, .from = cpu_to_le32(from),
	};

	memcpy((u8 *)d + d->len, &u, sizeof(u));
	d->len += sizeof(u);
	d->head.updates++;
}

static int deliver(struct view *v, u32 from, const struct dgram *d)
{
	void *exact = malloc(d->len);
	int ret;

	memcpy(exact, d, d->len);
	clear();
	ret = ctm_mb_datagram(v->mb, v->now, from, exact, d->len, &out);
	free(exact);
	return ret;
}

static void say(struct view *v, u32 from, u32 id, u32 inc, enum ctm_mb_state state, u32 accuser)
{
	struct dgram d = dgram(CTM_MB_PUSH, 1, 0, 0);

	add_update(&d, id, inc, state, accuser);
	CHECK(!deliver(v, from, &d));
}

/* ---- the codec ---- */

static void decode_lengths(void)
{
	struct dgram d = dgram(CTM_MB_PUSH, 1, 0, 0);
	struct ctm_mb_dgram m;
	size_t len;

	CHECK(!ctm_mb_decode(&d, d.len, &m));
	for (len = 0; len < CTM_MB_DGRAM_MAX; len++) {
		void *exact = malloc(len ? len : 1);

		memcpy(exact, &d, len);
		CHECK(!ctm_mb_decode(exact, len, &m) == (len == d.len));
		free(exact);
	}
	add_update(&d, 5, 1, CTM_MB_ALIVE, 0);
	CHECK(!ctm_mb_decode(&d, d.len, &m));
	CHECK(ctm_mb_decode(&d, d.len - 1, &m));
	d.head.updates = 2;
	CHECK(ctm_mb_decode(&d, d.len, &m));
}

static void decode_values(void)
{
	struct ctm_mb_dgram m;
	struct dgram d = dgram(CTM_MB_PUSH, 1, 0, 0), bad;
	u32 i;

	for (i = 0; i < 256; i++) {
		bad = d;
		bad.head.kind = i;
		bad.head.target = cpu_to_le32(1);
		CHECK(!ctm_mb_decode(&bad, bad.len, &m) == (i >= CTM_MB_PING && i <= CTM_MB_PUSH));
	}
	for (i = 0; i < 256; i++) {
		bad = d;
		add_update(&bad, 5, 1, i, 0);
		CHECK(!ctm_mb_decode(&bad, bad.len, &m) == (i >= CTM_MB_ALIVE && i <= CTM_MB_LEFT));
	}
	bad = d;
	add_update(&bad, 0, 1, CTM_MB_ALIVE, 0);
	CHECK(ctm_mb_decode(&bad, bad.len, &m));
	bad = dgram(CTM_MB_ACK, 1, 1, 0);
	CHECK(ctm_mb_decode(&bad, bad.len, &m));
	bad = d;
	bad.head.addrs = 1;
	bad.len += sizeof(struct ctm_wire_mb_addr);
	CHECK(ctm_mb_decode(&bad, bad.len, &m));	/* an address of what? */
	bad = d;
	memset(bad.head.card.name, 'x', sizeof(bad.head.card.name));
	CHECK(ctm_mb_decode(&bad, bad.len, &m));
	bad = d;
	strcpy(bad.head.card.name, "not a name");
	CHECK(ctm_mb_decode(&bad, bad.len, &m));
	/* loads that cannot be */
	bad = d;
	bad.head.card.pressure = cpu_to_le32(300000);
	bad.head.card.load = cpu_to_le32(300000);
	CHECK(!ctm_mb_decode(&bad, bad.len, &m));
	bad.head.card.load = cpu_to_le32(300001);
	CHECK(ctm_mb_decode(&bad, bad.len, &m));
	bad = d;
	bad.head.card.pressure = cpu_to_le32(300001);
	CHECK(ctm_mb_decode(&bad, bad.len, &m));
	bad = d;
	bad.head.card.cpu = cpu_to_le32(100001);
	CHECK(ctm_mb_decode(&bad, bad.len, &m));
	bad = d;
	bad.head.card.mem = cpu_to_le32(~0u);
	CHECK(ctm_mb_decode(&bad, bad.len, &m));
}

/* What is encoded is decoded, and fits, whatever there is to say. */
static void encode_fits(void)
{
	struct view v = view_of(ME, MAX, &ctm_mb_default);
	struct ctm_mb_action a = { .type = CTM_MB_DO_SEND, .kind = CTM_MB_PING };
	struct ctm_mb_dgram m;
	size_t len, most = 0;
	u32 i, id;

	for (i = 1; i <= MAX; i++) {
		u8 *exact;

		meet(&v, i);
		say(&v, i, i, 1, CTM_MB_SUSPECT, 5);
		for (id = 1; i % 16 == 0 && id <= i; id += 7) {
			exact = malloc(CTM_MB_DGRAM_MAX);
			a.id = id;
			len = ctm_mb_encode(v.mb, v.now, &a, &card, exact);
			if (len > most)
				most = len;
			CHECK(len <= CTM_MB_DGRAM_MAX);
			CHECK(!ctm_mb_decode(exact, len, &m));
			free(exact);
		}
	}
	CHECK(most > 1100 && most <= 1200);
	ktap_note("the largest datagram: %zu bytes", most);
	done(&v);
}

/* ---- the table ---- */

static void full(void)
{
	struct view v = view_of(ME, MAX, &ctm_mb_default);
	u32 i;

	for (i = 1; i <= MAX; i++)
		meet(&v, i);
	CHECK(ctm_mb_live(v.mb) == MAX + 1);
	clear();
	CHECK(ctm_mb_met(v.mb, v.now, MAX + 1, 1, true, &out) == -ENOSPC);
	CHECK(!out.n);
	ctm_mb_forget(v.mb, 10);
	ctm_mb_forget(v.mb, 10);
	ctm_mb_forget(v.mb, ME);
	CHECK(state(&v, 10) == CTM_MB_NONE && state(&v, ME) == CTM_MB_ALIVE);
	meet(&v, MAX + 1);
	CHECK(ctm_mb_live(v.mb) == MAX + 1);
	done(&v);
}

/* against a plain list of who is there */
static void come_and_go(void)
{
	struct view v = view_of(ME, MAX, &ctm_mb_default);
	u64 seed = rng_seed(11);
	struct rng rng = { seed };
	bool there[200] = { };
	u32 n = 0, i, k;

	ktap_note("SEED=%llu", (unsigned long long)seed);
	for (i = 0; i < 20000; i++) {
		u32 id = 1 + rng_below(&rng, 199);

		v.now += rng_below(&rng, 100 * MS);
		clear();
		switch (rng_below(&rng, 4)) {
		case 0:
			ctm_mb_forget(v.mb, id);
			n -= there[id];
			there[id] = false;
			break;
		case 1:
			CHECK(!ctm_mb_met(v.mb, v.now, id, id + 7, true, &out) == (there[id] || n < MAX));
			n += !there[id] && n < MAX;
			there[id] = ctm_mb_find(v.mb, id);
			break;
		case 2:
			if (there[id])
				say(&v, id, 1 + rng_below(&rng, 199), rng_below(&rng, 9),
				    1 + rng_below(&rng, 4), id);
			break;
		case 3:
			do {
				clear();
				ctm_mb_tick(v.mb, v.now, &out);
			} while (out.more);
			break;
		}
		for (k = 1; k < 200; k++)
			if (!CHECK(there[k] == (ctm_mb_find(v.mb, k) != NULL)))
				goto end;
	}
end:
	done(&v);
}

/* ---- probing ---- */

/* SWIM, section 4.3: within 2n - 1 periods everybody was probed, also whoever came late */
static void ring_is_complete(void)
{
	struct view v = view_of(ME, MAX, &ctm_mb_lifeguard);
	u32 last[MAX + 1] = { }, period, i;
	struct dgram d;

	for (i = 1; i <= 20; i++)
		meet(&v, i);
	for (period = 1; period < 400; period++) {
		REQUIRE(until(&v, 2 * SEC, is_ping));
		i = sent(CTM_MB_PING, 0)->id;
		CHECK(period - last[i] <= 2 * 20 - 1);
		last[i] = period;
		d = dgram(CTM_MB_ACK, 1, sent(CTM_MB_PING, 0)->seq, i);
		CHECK(!deliver(&v, i, &d));
	}
	for (i = 1; i <= 20; i++)
		CHECK(last[i] > 400 - 40);
	done(&v);
}

static void probe_steps(void)
{
	struct view v = view_of(ME, MAX, &ctm_mb_lifeguard);
	u32 victim, seq, i;
	struct dgram d;
	u64 begun;

	for (i = 1; i <= 5; i++)
		meet(&v, i);
	REQUIRE(until(&v, 2 * SEC, is_ping));
	begun = v.now;
	victim = sent(CTM_MB_PING, 0)->id;
	seq = sent(CTM_MB_PING, 0)->seq;
	REQUIRE(until(&v, 2 * SEC, is_request));
	CHECK(v.now == begun + 500 * MS);
	CHECK(action(CTM_MB_DO_GREET, victim) && out.n == 4);
	for (i = 0; i < out.n; i++)
		CHECK(out.a[i].type == CTM_MB_DO_GREET ||
		      (out.a[i].target == victim && out.a[i].seq == seq && out.a[i].id != victim));
	/* an answer to something else, and from somebody else, is none */
	d = dgram(CTM_MB_ACK, 1, seq + 1, victim);
	CHECK(!deliver(&v, victim, &d));
	d = dgram(CTM_MB_ACK, 1, seq, victim % 5 + 1);
	CHECK(!deliver(&v, victim % 5 + 1, &d));
	/* two of three say that they heard nothing: the third does not answer us either */
	d = dgram(CTM_MB_NACK, 1, seq, victim);
	deliver(&v, victim % 5 + 1, &d);
	deliver(&v, (victim + 1) % 5 + 1, &d);
	REQUIRE(until(&v, 2 * SEC, is_state));
	CHECK(v.now == begun + SEC);
	CHECK(state(&v, victim) == CTM_MB_SUSPECT);
	CHECK(ctm_mb_health(v.mb) == 1);
	CHECK(ctm_mb_find(v.mb, victim)->from[0] == ME);
	done(&v);
}

static void pinged_again(void)
{
	struct view v = view_of(ME, MAX, &ctm_mb_default);
	u32 i, seq, pings = 1;
	u64 begun;

	for (i = 1; i <= 5; i++)
		meet(&v, i);
	REQUIRE(until(&v, 2 * SEC, is_ping));
	begun = v.now;
	seq = sent(CTM_MB_PING, 0)->seq;
	i = sent(CTM_MB_PING, 0)->id;
	while (v.now < begun + 500 * MS) {
		until(&v, 100 * MS, is_ping);
		pings += sent(CTM_MB_PING, i) && sent(CTM_MB_PING, i)->seq == seq;
	}
	/* three, and one when others are asked */
	CHECK(pings == 4 && is_request() && v.now == begun + 500 * MS);
	done(&v);
}

static void answered_through_others(void)
{
	struct view v = view_of(ME, MAX, &ctm_mb_lifeguard);
	struct dgram d;
	u32 victim, seq, i;

	for (i = 1; i <= 5; i++)
		meet(&v, i);
	REQUIRE(until(&v, 2 * SEC, is_ping));
	victim = sent(CTM_MB_PING, 0)->id;
	seq = sent(CTM_MB_PING, 0)->seq;
	REQUIRE(until(&v, 2 * SEC, is_request));
	d = dgram(CTM_MB_ACK, 1, seq, victim);
	deliver(&v, victim % 5 + 1, &d);
	REQUIRE(until(&v, 2 * SEC, is_ping));
	CHECK(state(&v, victim) == CTM_MB_ALIVE && ctm_mb_stats(v.mb)->failed == 0);
	done(&v);
}

static void a_hello_is_an_answer(void)
{
	struct view v = view_of(ME, MAX, &ctm_mb_default);
	u32 victim;

	meet(&v, 1);
	meet(&v, 2);
	REQUIRE(until(&v, 2 * SEC, is_ping));
	victim = sent(CTM_MB_PING, 0)->id;
	REQUIRE(until(&v, 2 * SEC, is_greet));
	meet(&v, victim);
	REQUIRE(until(&v, 2 * SEC, is_ping));
	CHECK(state(&v, victim) == CTM_MB_ALIVE);
	done(&v);
}

static void pings_for_others(void)
{
	struct view v = view_of(ME, MAX, &ctm_mb_lifeguard);
	struct dgram d;
	u32 seq;

	meet(&v, 1);
	meet(&v, 2);
	/* answered */
	d = dgram(CTM_MB_PING_REQ, 1, 77, 2);
	CHECK(!deliver(&v, 1, &d));
	REQUIRE(!!sent(CTM_MB_PING, 2));
	seq = sent(CTM_MB_PING, 2)->seq;
	d = dgram(CTM_MB_ACK, 1, seq, 2);
	deliver(&v, 1, &d);
	CHECK(!out.n || !sent(CTM_MB_ACK, 0));		/* it was not 1 who was asked */
	deliver(&v, 2, &d);
	REQUIRE(!!sent(CTM_MB_ACK, 1));
	CHECK(sent(CTM_MB_ACK, 1)->seq == 77 && sent(CTM_MB_ACK, 1)->target == 2);
	deliver(&v, 2, &d);
	CHECK(!sent(CTM_MB_ACK, 1));			/* once */
	/* not answered, then late */
	d = dgram(CTM_MB_PING_REQ, 1, 78, 2);
	deliver(&v, 1, &d);
	seq = sent(CTM_MB_PING, 2)->seq;
	REQUIRE(until(&v, SEC, is_nack));
	CHECK(sent(CTM_MB_NACK, 1)->seq == 78);
	d = dgram(CTM_MB_ACK, 1, seq, 2);
	deliver(&v, 2, &d);
	CHECK(!!sent(CTM_MB_ACK, 1));
	/* whom I do not know, and myself */
	d = dgram(CTM_MB_PING_REQ, 1, 79, 33);
	deliver(&v, 1, &d);
	CHECK(!!sent(CTM_MB_NACK, 1));
	d = dgram(CTM_MB_PING_REQ, 1, 80, ME);
	deliver(&v, 1, &d);
	CHECK(!!sent(CTM_MB_ACK, 1));
	done(&v);
}

/* ---- suspicion ---- */

static void suspicion_times(void)
{
	struct view v = view_of(ME, 2000, &ctm_mb_default);
	u32 i;

	/* alone, or two: nobody could confirm; three: one can */
	CHECK(ctm_mb_suspicion(v.mb, 0) == 5 * SEC);
	meet(&v, 1);
	CHECK(ctm_mb_suspicion(v.mb, 0) == 5 * SEC);
	meet(&v, 2);
	CHECK(ctm_mb_suspicion(v.mb, 0) == 30 * SEC && ctm_mb_suspicion(v.mb, 1) == 5 * SEC);
	meet(&v, 3);
	meet(&v, 4);
	CHECK(ctm_mb_suspicion(v.mb, 0) == 30 * SEC && ctm_mb_suspicion(v.mb, 3) == 5 * SEC);
	CHECK(ctm_mb_suspicion(v.mb, 1) == 17500 * MS && ctm_mb_suspicion(v.mb, 2) == 10200 * MS);
	for (i = 5; i < 1000; i++)
		meet(&v, i);
	/* log10(1000), within the error of the approximation */
	CHECK(ctm_mb_suspicion(v.mb, 3) > 14900 * MS && ctm_mb_suspicion(v.mb, 3) < 15100 * MS);
	CHECK(ctm_mb_suspicion(v.mb, 0) == 6 * ctm_mb_suspicion(v.mb, 3));
	done(&v);
}

static bool is_dead(void)
{
	const struct ctm_mb_action *a = action(CTM_MB_DO_STATE, 9);

	return a && a->state == CTM_MB_DEAD;
}

/* a view of ten in which 9 is suspected by 2 */
static struct view suspicious(void)
{
	struct view v = view_of(ME, MAX, &ctm_mb_lifeguard);
	u32 i;

	for (i = 1; i <= 9; i++)
		meet(&v, i);
	say(&v, 1, 9, 1, CTM_MB_SUSPECT, 2);
	CHECK(state(&v, 9) == CTM_MB_SUSPECT);
	return v;
}

static void unconfirmed(void)
{
	struct view v = suspicious();
	u64 begun = v.now;

	/* the same accuser again and again is one */
	say(&v, 3, 9, 1, CTM_MB_SUSPECT, 2);
	say(&v, 4, 9, 1, CTM_MB_SUSPECT, 2);
	CHECK(ctm_mb_find(v.mb, 9)->confirmed == 0);
	/* our own probes confirm it, so keep it from being probed: a small ring would */
	v.now = begun + ctm_mb_suspicion(v.mb, 0) - 1;
	clear();
	ctm_mb_tick(v.mb, v.now, &out);
	CHECK(state(&v, 9) == CTM_MB_SUSPECT);
	v.now++;
	clear();
	ctm_mb_tick(v.mb, v.now, &out);
	CHECK(state(&v, 9) == CTM_MB_DEAD && is_dead());
	done(&v);
}

static void confirmed(void)
{
	struct view v = suspicious();
	u64 begun = v.now;

	say(&v, 3, 9, 1, CTM_MB_SUSPECT, 3);
	say(&v, 3, 9, 1, CTM_MB_SUSPECT, 3);
	CHECK(ctm_mb_find(v.mb, 9)->confirmed == 1);
	say(&v, 3, 9, 1, CTM_MB_SUSPECT, 4);
	say(&v, 3, 9, 1, CTM_MB_SUSPECT, 5);
	say(&v, 3, 9, 1, CTM_MB_SUSPECT, 6);
	CHECK(ctm_mb_find(v.mb, 9)->confirmed == 3);
	REQUIRE(until(&v, 60 * SEC, is_dead));
	CHECK(v.now == begun + 5 * SEC);
	done(&v);
}

static void refuted_by_itself(void)
{
	struct view v = suspicious();
	struct dgram d;

	/* an old incarnation refutes nothing, a newer one does */
	say(&v, 3, 9, 1, CTM_MB_ALIVE, 0);
	CHECK(state(&v, 9) == CTM_MB_SUSPECT);
	say(&v, 3, 9, 2, CTM_MB_ALIVE, 0);
	CHECK(state(&v, 9) == CTM_MB_ALIVE && inc(&v, 9) == 2);
	/* an old suspicion suspects nobody */
	say(&v, 3, 9, 1, CTM_MB_SUSPECT, 4);
	CHECK(state(&v, 9) == CTM_MB_ALIVE);
	say(&v, 3, 9, 2, CTM_MB_SUSPECT, 4);
	CHECK(state(&v, 9) == CTM_MB_SUSPECT);
	/* directly, in any datagram of its own */
	d = dgram(CTM_MB_ACK, 3, 12345, 9);
	deliver(&v, 9, &d);
	CHECK(state(&v, 9) == CTM_MB_ALIVE && inc(&v, 9) == 3);
	/* death wins over an incarnation that is as old, life by a newer one */
	say(&v, 3, 9, 3, CTM_MB_DEAD, 0);
	CHECK(state(&v, 9) == CTM_MB_DEAD && is_dead());
	say(&v, 3, 9, 3, CTM_MB_ALIVE, 0);
	say(&v, 3, 9, 3, CTM_MB_SUSPECT, 0);
	CHECK(state(&v, 9) == CTM_MB_DEAD);
	say(&v, 3, 9, 4, CTM_MB_ALIVE, 0);
	CHECK(state(&v, 9) == CTM_MB_ALIVE);
	done(&v);
}

/* Whoever has not heard of a refutation is told, even after everybody has stopped saying it. */
static void corrected(void)
{
	struct view v = view_of(ME, MAX, &ctm_mb_default);
	struct ctm_mb_action a = { .type = CTM_MB_DO_SEND, .kind = CTM_MB_PUSH, .id = 1 };
	struct ctm_mb_dgram m;
	u8 buf[CTM_MB_DGRAM_MAX];
	u32 i, k, seen = 0;

	for (i = 1; i <= 9; i++)
		meet(&v, i);
	say(&v, 3, 9, 5, CTM_MB_ALIVE, 0);
	for (i = 0; i < 100; i++)
		ctm_mb_encode(v.mb, v.now, &a, &card, buf);
	say(&v, 3, 9, 2, CTM_MB_SUSPECT, 3);
	CHECK(state(&v, 9) == CTM_MB_ALIVE);
	for (i = 0; i < 100; i++) {
		size_t len = ctm_mb_encode(v.mb, v.now, &a, &card, buf);

		REQUIRE(!ctm_mb_decode(buf, len, &m));
		for (k = 0; k < m.head->updates; k++)
			seen += le32_to_cpu(m.update[k].id) == 9 && le32_to_cpu(m.update[k].inc) == 5;
	}
	CHECK(seen == 2);
	done(&v);
}

static void suspected_anew(void)
{
	struct view v = suspicious();
	u64 later;

	say(&v, 3, 9, 1, CTM_MB_SUSPECT, 3);
	v.now += 4 * SEC;
	later = v.now;
	/* it has refuted that, and is suspected again: from the beginning */
	say(&v, 3, 9, 2, CTM_MB_SUSPECT, 4);
	CHECK(ctm_mb_find(v.mb, 9)->confirmed == 0 && ctm_mb_find(v.mb, 9)->from[0] == 4);
	CHECK(ctm_mb_find(v.mb, 9)->since == later);
	done(&v);
}

/* ---- we are suspected ---- */

static void we_refute(void)
{
	struct view v = view_of(ME, MAX, &ctm_mb_default);
	struct ctm_mb_action a = { .type = CTM_MB_DO_SEND, .kind = CTM_MB_PING, .id = 1 };
	u8 buf[CTM_MB_DGRAM_MAX];
	struct ctm_mb_dgram m;
	size_t len;
	u32 i, before;

	meet(&v, 1);
	meet(&v, 2);
	before = inc(&v, ME);
	say(&v, 1, ME, before, CTM_MB_SUSPECT, 2);
	CHECK(inc(&v, ME) == before + 1 && ctm_mb_health(v.mb) == 1);
	say(&v, 1, ME, before, CTM_MB_SUSPECT, 1);	/* that was refuted already */
	CHECK(inc(&v, ME) == before + 1 && ctm_mb_health(v.mb) == 1);
	say(&v, 1, ME, before + 5, CTM_MB_DEAD, 0);
	CHECK(inc(&v, ME) == before + 6);
	CHECK(!action(CTM_MB_DO_STATE, ME) && state(&v, ME) == CTM_MB_ALIVE);
	/* and say so */
	len = ctm_mb_encode(v.mb, v.now, &a, &card, buf);
	REQUIRE(!ctm_mb_decode(buf, len, &m));
	CHECK(le32_to_cpu(m.head->inc) == before + 6);
	for (i = 0; i < m.head->updates; i++)
		if (le32_to_cpu(m.update[i].id) == ME)
			break;
	REQUIRE(i < m.head->updates);
	CHECK(m.update[i].state == CTM_MB_ALIVE && le32_to_cpu(m.update[i].inc) == before + 6);
	/* what a hello gave in our name is adopted; the last number of all is nobody's */
	say(&v, 1, ME, before + 9, CTM_MB_ALIVE, 0);
	CHECK(inc(&v, ME) == before + 9);
	say(&v, 1, ME, ~0u, CTM_MB_SUSPECT, 0);
	CHECK(inc(&v, ME) == before + 9);
	done(&v);
}

static void health(void)
{
	struct view v = view_of(ME, MAX, &ctm_mb_default);
	u64 begun;
	u32 i;

	meet(&v, 1);
	meet(&v, 2);
	for (i = 0; i < 20; i++)
		say(&v, 1, ME, i + 1, CTM_MB_SUSPECT, 2);
	CHECK(ctm_mb_health(v.mb) == 8);
	/* nine times as patient */
	until(&v, 2 * SEC, is_ping);
	begun = v.now;
	REQUIRE(until(&v, 20 * SEC, is_request));
	CHECK(v.now == begun + 4500 * MS);
	for (i = 0; i < 8; i++) {
		struct dgram d = dgram(CTM_MB_PUSH, 1, 0, 0);

		until(&v, 20 * SEC, is_ping);
		d = dgram(CTM_MB_ACK, 1, sent(CTM_MB_PING, 0)->seq, sent(CTM_MB_PING, 0)->id);
		deliver(&v, le32_to_cpu(d.head.target), &d);
	}
	CHECK(ctm_mb_health(v.mb) == 0);
	done(&v);
}

/* The buddy system: the first thing that a suspect hears from us is that it is one. */
static void buddies(void)
{
	static const struct { enum ctm_mb_state said; } states[] = {
		{ CTM_MB_SUSPECT }, { CTM_MB_DEAD }, { CTM_MB_LEFT },
	};
	u8 buf[CTM_MB_DGRAM_MAX];
	struct ctm_mb_dgram m;
	u32 i, k, j;

	for (k = 0; k < ARRAY_SIZE(states); k++) {
		struct view v = view_of(ME, MAX, &ctm_mb_default);
		struct ctm_mb_action a = { .type = CTM_MB_DO_SEND, .kind = CTM_MB_PING, .id = 9 };
		bool found = false;
		size_t len;

		for (i = 1; i <= 40; i++)
			meet(&v, i);
		say(&v, 1, 9, 3, states[k].said, 2);
		/* long after everybody else has heard it */
		for (i = 0; i < 2000; i++) {
			a.id = 1 + i % 8;
			ctm_mb_encode(v.mb, v.now, &a, &card, buf);
		}
		a.id = 9;
		len = ctm_mb_encode(v.mb, v.now, &a, &card, buf);
		REQUIRE(!ctm_mb_decode(buf, len, &m));
		for (j = 0; j < m.head->updates; j++)
			found |= le32_to_cpu(m.update[j].id) == 9 && m.update[j].state == states[k].said;
		CHECK(found);
		/* and it gets something if it writes to us */
		if (states[k].said != CTM_MB_LEFT) {
			struct dgram d = dgram(CTM_MB_PUSH, 1, 0, 0);

			deliver(&v, 9, &d);
			CHECK(states[k].said == CTM_MB_SUSPECT || sent(CTM_MB_PUSH, 9));
		}
		done(&v);
	}
}

/* ---- dissemination ---- */

static void sent_so_often(void)
{
	struct view v = view_of(ME, MAX, &ctm_mb_default);
	struct ctm_mb_action a = { .type = CTM_MB_DO_SEND, .kind = CTM_MB_PUSH, .id = 1 };
	u8 buf[CTM_MB_DGRAM_MAX];
	struct ctm_mb_dgram m;
	u32 i, k, seen[MAX + 1] = { };

	for (i = 1; i <= 50; i++)
		meet(&v, i);
	for (i = 0; i < 1000; i++) {
		size_t len = ctm_mb_encode(v.mb, v.now, &a, &card, buf);

		REQUIRE(!ctm_mb_decode(buf, len, &m));
		for (k = 0; k < m.head->updates; k++)
			seen[le32_to_cpu(m.update[k].id)]++;
		/* news has an address, and comes before the rest */
		CHECK(m.head->addrs <= m.head->updates);
		CHECK(m.head->updates == 0 || m.head->addrs > 0);
		/* the least sent first: nobody is ahead by more than one datagram's worth */
		for (k = 2; k <= 50 && i < 10; k++)
			CHECK(seen[k] <= seen[1] + 1 && seen[1] <= seen[k] + 1);
	}
	/* 3 * ln(51) = 11.8 */
	for (i = 1; i <= 50; i++)
		CHECK(seen[i] == 12);
	done(&v);
}

static void loads_travel(void)
{
	struct view a = view_of(1, MAX, &ctm_mb_default), b = view_of(2, MAX, &ctm_mb_default);
	struct ctm_mb_action to_b = { .type = CTM_MB_DO_SEND, .kind = CTM_MB_PUSH, .id = 2 };
	struct dgram d = dgram(CTM_MB_PUSH, 1, 0, 0), first;
	const struct ctm_mb_load *l;
	u32 i;

	for (i = 2; i <= 10; i++)
		meet(&a, i);
	for (i = 1; i <= 10; i++)
		if (i != 2)
			meet(&b, i);
	/* 3 tells 1, 1 tells 2 */
	d.head.card_seq = cpu_to_le32(10);
	d.head.card.pressure = cpu_to_le32(123456);
	d.head.card.load = cpu_to_le32(4567);
	d.head.card.cpu = cpu_to_le32(65430);
	d.head.card.runnable = cpu_to_le32(~0u);
	d.head.card.free_mib = cpu_to_le32(987654);
	d.head.card.flags = cpu_to_le32(CTM_WIRE_CARD_ACCEPTING);
	CHECK(!deliver(&a, 3, &d) && action(CTM_MB_DO_CARD, 3));
	first.len = ctm_mb_encode(a.mb, a.now, &to_b, &card, &first);
	CHECK(!deliver(&b, 1, &first) && action(CTM_MB_DO_CARD, 3));
	l = &ctm_mb_find(b.mb, 3)->load;
	CHECK(l->pressure == 123456 && l->load == 4567 && l->cpu == 6543 && l->free_mib == 987654);
	CHECK(l->runnable == 0xffff && l->flags == CTM_WIRE_CARD_ACCEPTING && l->seq == 10);
	/* the same is not news */
	deliver(&b, 1, &first);
	CHECK(!action(CTM_MB_DO_CARD, 3));
	/* an older one neither, in whatever way it comes; the count may wrap */
	d.head.card_seq = cpu_to_le32(9);
	deliver(&b, 3, &d);
	CHECK(!action(CTM_MB_DO_CARD, 3));
	d.head.card_seq = cpu_to_le32(11);
	deliver(&b, 3, &d);
	CHECK(!!action(CTM_MB_DO_CARD, 3));
	/* another boot counts anew */
	clear();
	ctm_mb_met(b.mb, b.now, 3, 99, true, &out);
	CHECK(!ctm_mb_find(b.mb, 3)->load.seq);
	deliver(&b, 1, &first);
	CHECK(!action(CTM_MB_DO_CARD, 3));
	done(&a);
	done(&b);
}

/* ---- boots, coming and going ---- */

static void boots(void)
{
	struct view v = view_of(ME, MAX, &ctm_mb_default);
	struct dgram d = dgram(CTM_MB_PUSH, 1, 0, 0);
	struct ctm_wire_mb_update u = {
		.id = cpu_to_le32(2), .boot = cpu_to_le64(4711), .inc = cpu_to_le32(5),
		.state = CTM_MB_ALIVE,
	};

	meet(&v, 1);
	meet(&v, 2);
	CHECK(action(CTM_MB_DO_STATE, 2)->state == CTM_MB_ALIVE);
	/* hearsay of another boot: a reason to ask, no more */
	d.head.updates = 1;
	memcpy(d.rest, &u, sizeof(u));
	d.len += sizeof(u);
	CHECK(!deliver(&v, 1, &d));
	REQUIRE(!!action(CTM_MB_DO_LEARN, 2));
	CHECK(action(CTM_MB_DO_LEARN, 2)->boot == 4711 && ctm_mb_find(v.mb, 2)->boot == 9);
	/* that the other boot is dead is no news of this one */
	((struct ctm_wire_mb_update *)d.rest)->state = CTM_MB_DEAD;
	deliver(&v, 1, &d);
	CHECK(!action(CTM_MB_DO_LEARN, 2) && state(&v, 2) == CTM_MB_ALIVE);
	/* a hello proves it */
	say(&v, 1, 2, 3, CTM_MB_SUSPECT, 1);
	clear();
	CHECK(!ctm_mb_met(v.mb, v.now, 2, 4711, true, &out));
	REQUIRE(!!action(CTM_MB_DO_STATE, 2));
	CHECK(action(CTM_MB_DO_STATE, 2)->boot == 4711);
	CHECK(state(&v, 2) == CTM_MB_ALIVE && inc(&v, 2) == 4 && ctm_mb_live(v.mb) == 3);
	/* the old boot's suspicion and death do not concern it */
	say(&v, 1, 2, 99, CTM_MB_DEAD, 0);
	CHECK(state(&v, 2) == CTM_MB_ALIVE);
	done(&v);
}

static void strangers(void)
{
	struct view v = view_of(ME, MAX, &ctm_mb_default), w = view_of(1, MAX, &ctm_mb_default);
	struct ctm_mb_action a = { .type = CTM_MB_DO_SEND, .kind = CTM_MB_PUSH, .id = ME };
	struct dgram d = dgram(CTM_MB_PING, 1, 5, 0);

	CHECK(deliver(&v, 77, &d) == -ENOENT && !out.n);
	meet(&v, 1);
	meet(&w, ME);
	meet(&w, 5);
	d.len = ctm_mb_encode(w.mb, w.now, &a, &card, &d);
	CHECK(!deliver(&v, 1, &d));
	REQUIRE(!!action(CTM_MB_DO_LEARN, 5));
	CHECK(action(CTM_MB_DO_LEARN, 5)->addr.port == 7117 && action(CTM_MB_DO_LEARN, 5)->addr.addr[15] == 5);
	CHECK(state(&v, 5) == CTM_MB_NONE);		/* known only by a hello */
	/* without an address it is of no use */
	say(&v, 1, 6, 1, CTM_MB_ALIVE, 0);
	CHECK(!action(CTM_MB_DO_LEARN, 6));
	done(&v);
	done(&w);
}

static void leaving(void)
{
	struct view v = view_of(ME, MAX, &ctm_mb_default), w = view_of(1, MAX, &ctm_mb_default);
	struct dgram d;
	u32 before = inc(&v, ME);

	meet(&v, 1);
	meet(&v, 2);
	meet(&w, ME);
	meet(&w, 2);
	clear();
	ctm_mb_leave(v.mb, v.now, &out);
	REQUIRE(!!sent(CTM_MB_PUSH, 1));
	d.len = ctm_mb_encode(v.mb, v.now, sent(CTM_MB_PUSH, 1), &card, &d);
	CHECK(!deliver(&w, 1, &d) || true);
	CHECK(!deliver(&w, ME, &d));
	CHECK(state(&w, ME) == CTM_MB_LEFT && action(CTM_MB_DO_STATE, ME)->state == CTM_MB_LEFT);
	CHECK(inc(&v, ME) == before + 1);
	/* no refutation, no probe, no greeting of those who left */
	say(&v, 1, ME, before + 9, CTM_MB_DEAD, 0);
	CHECK(!sent(CTM_MB_PUSH, 0) && !sent(CTM_MB_ACK, 0) && inc(&v, ME) == before + 1);
	CHECK(ctm_mb_next(v.mb) == ~0ull);
	CHECK(!until(&w, 20 * SEC, is_dead));
	CHECK(state(&w, ME) == CTM_MB_LEFT);
	/* it comes back */
	clear();
	ctm_mb_met(w.mb, w.now, ME, ME + 7, true, &out);
	CHECK(state(&w, ME) == CTM_MB_ALIVE && inc(&w, ME) == before + 2);
	ctm_mb_left(w.mb, w.now, ME, &out);
	CHECK(state(&w, ME) == CTM_MB_LEFT);
	done(&v);
	done(&w);
}

static void the_dead_are_greeted(void)
{
	struct view v = suspicious(), d = view_of(ME, MAX, &ctm_mb_default);
	u64 begun;
	u32 i;

	done(&v);
	for (i = 1; i <= 9; i++)
		meet(&d, i);
	say(&d, 1, 9, 1, CTM_MB_DEAD, 0);
	say(&d, 1, 8, 1, CTM_MB_LEFT, 0);
	CHECK(ctm_mb_live(d.mb) == 8);
	begun = d.now;
	for (i = 0; i < 10; i++) {
		do
			REQUIRE(until(&d, 10 * SEC, is_greet));
		while (!action(CTM_MB_DO_GREET, 9) && d.now < begun + 40 * SEC);
		CHECK(action(CTM_MB_DO_GREET, 9) && !action(CTM_MB_DO_GREET, 8));
	}
	CHECK(d.now <= begun + 21 * SEC);
	/* and when one answers it is alive for all who hear of it */
	meet(&d, 9);
	CHECK(state(&d, 9) == CTM_MB_ALIVE && inc(&d, 9) == 2);
	done(&d);
}

/* ---- sleep ---- */

static void we_slept(void)
{
	struct view v = view_of(ME, MAX, &ctm_mb_default);
	u32 i;

	for (i = 1; i <= 9; i++)
		meet(&v, i);
	until(&v, 2 * SEC, is_ping);
	for (i = 2; i < 6; i++)
		say(&v, i, 9, 1, CTM_MB_SUSPECT, i);
	CHECK(ctm_mb_find(v.mb, 9)->confirmed == 3);
	v.now += 100 * SEC;
	clear();
	ctm_mb_tick(v.mb, v.now, &out);
	/* what was due meanwhile is not done: nobody could have told us */
	CHECK(state(&v, 9) == CTM_MB_SUSPECT && ctm_mb_stats(v.mb)->failed == 0);
	CHECK(ctm_mb_stats(v.mb)->stalls == 1 && ctm_mb_health(v.mb) == 1);
	REQUIRE(until(&v, 20 * SEC, is_dead));
	done(&v);
}

static void everybody_dies_at_once(void)
{
	struct view v = view_of(ME, 1000, &ctm_mb_default);
	u32 i, deaths = 0, turns = 0;

	for (i = 1; i <= 1000; i++)
		meet(&v, i);
	for (i = 2; i <= 1000; i++)
		say(&v, 1, i, 1, CTM_MB_SUSPECT, 0);
	v.now += 100 * SEC;
	clear();
	ctm_mb_tick(v.mb, v.now, &out);			/* we have slept */
	v.now += 100 * SEC - 1;
	do {
		clear();
		ctm_mb_tick(v.mb, v.now, &out);
		v.now += 400 * MS * !out.more;
		for (i = 0; i < out.n; i++)
			deaths += out.a[i].type == CTM_MB_DO_STATE && out.a[i].state == CTM_MB_DEAD;
	} while (turns++ < 2000 && deaths < 999);
	CHECK(deaths >= 999 && ctm_mb_live(v.mb) <= 2);
	done(&v);
}

static const struct ktap_test tests[] = {
	{ "member: lengths of a datagram", decode_lengths },
	{ "member: values in a datagram", decode_values },
	{ "member: what is encoded fits and is decoded", encode_fits },
	{ "member: a full table", full },
	{ "member: members come and go", come_and_go },
	{ "member: all are probed in turn", ring_is_complete },
	{ "member: the steps of a probe", probe_steps },
	{ "member: pinged again", pinged_again },
	{ "member: a probe answered through others", answered_through_others },
	{ "member: a hello is an answer", a_hello_is_an_answer },
	{ "member: pings for others", pings_for_others },
	{ "member: how long suspicions last", suspicion_times },
	{ "member: an unconfirmed suspicion", unconfirmed },
	{ "member: a confirmed suspicion", confirmed },
	{ "member: a refuted suspicion", refuted_by_itself },
	{ "member: whoever is behind is corrected", corrected },
	{ "member: a suspicion anew", suspected_anew },
	{ "member: we refute", we_refute },
	{ "member: health", health },
	{ "member: buddies", buddies },
	{ "member: a change is sent so often", sent_so_often },
	{ "member: loads travel", loads_travel },
	{ "member: boots", boots },
	{ "member: strangers", strangers },
	{ "member: leaving", leaving },
	{ "member: the dead are greeted", the_dead_are_greeted },
	{ "member: we slept", we_slept },
	{ "member: everybody dies at once", everybody_dies_at_once },
};
KTAP_MAIN(tests)
