// SPDX-License-Identifier: GPL-2.0
/*
 * signal.c - signals on their way: frames, retries, rumours, what was applied
 */
#include "../../module/core/signal.h"
#include "../ktap.h"
#include "random.h"

#define MS	CTM_SIG_MS
#define SECOND	(1000 * MS)
#define GPID	CTM_GPID(7, 3)

static struct ctm_sig sample(u64 seq)
{
	return (struct ctm_sig){
		.id = { .boot = 77, .seq = seq, .node = 5 }, .floor = seq, .gpid = GPID,
		.what = 15, .uid = 1000, .euid = 1001, .gid = 1002, .left_ms = 10000,
	};
}

/* ---- frames ---- */

static void there_and_back(void)
{
	struct ctm_sig a = sample(9), b;
	struct ctm_sig_wire w;

	a.floor = 4;
	a.flags = CTM_SIGNAL_GROUP;
	a.caller = 3;
	a.hops = 7;
	a.wave = 2;
	ctm_sig_put(&w, &a);
	REQUIRE(!ctm_sig_get(&b, &w, sizeof(w)));
	CHECK(ctm_sig_id_equal(&a.id, &b.id) && b.floor == 4 && b.gpid == GPID && b.what == 15);
	CHECK(b.flags == a.flags && b.caller == 3 && b.hops == 7 && b.wave == 2);
	CHECK(b.uid == 1000 && b.euid == 1001 && b.gid == 1002 && b.left_ms == 10000);
}

/* one that reached an old copy: of which node, with which value, for which thread */
static struct ctm_sig sample_info(u64 seq)
{
	struct ctm_sig s = sample(seq);
	s32 siginfo[12] = { 40, 0, -1, 0, 0, 1000, 4711 };

	s.what = 40;
	s.caller = 2;
	s.has_info = true;
	s.info.tid = 12;
	memcpy(s.info.siginfo, siginfo, sizeof(s.info.siginfo));
	return s;
}

static void info_there_and_back(void)
{
	struct ctm_sig a = sample_info(9), b;
	u8 buf[CTM_SIG_WIRE_MAX + 1];
	size_t n;

	memset(buf, 0, sizeof(buf));
	n = ctm_sig_put(buf, &a);
	REQUIRE(n == CTM_SIG_WIRE_MAX && !ctm_sig_get(&b, buf, n));
	CHECK(b.has_info && b.what == 40 && b.info.tid == 12);
	CHECK(!memcmp(a.info.siginfo, b.info.siginfo, sizeof(a.info.siginfo)));
	CHECK(ctm_sig_get(&b, buf, n - 1) == -EBADMSG);
	CHECK(ctm_sig_get(&b, buf, n + 1) == -EBADMSG);
	CHECK(ctm_sig_get(&b, buf, sizeof(struct ctm_sig_wire)) == 0 && !b.has_info);
	buf[sizeof(struct ctm_sig_wire) + 4] = 1;	/* the padding */
	CHECK(ctm_sig_get(&b, buf, n) == -EBADMSG);
	a = sample(9);
	CHECK(ctm_sig_put(buf, &a) == sizeof(struct ctm_sig_wire));
}

static bool spoilt(struct ctm_sig a, void (*spoil)(struct ctm_sig *s))
{
	u8 buf[CTM_SIG_WIRE_MAX];
	struct ctm_sig b;

	spoil(&a);
	return ctm_sig_get(&b, buf, ctm_sig_put(buf, &a)) == -EBADMSG;
}

static bool refused(void (*spoil)(struct ctm_sig *s))
{
	return spoilt(sample(CTM_SIG_WINDOW + 5), spoil);
}

static void other_signal(struct ctm_sig *s) { s->what = 41; }
static void odd_tid(struct ctm_sig *s) { s->info.tid = CTM_TID_MAX + 1; }
static void info_of_nobody(struct ctm_sig *s) { s->caller = 1; }
static void info_to_group(struct ctm_sig *s) { s->flags = CTM_SIGNAL_GROUP; }
static void info_of_suspend(struct ctm_sig *s) { s->what = s->info.siginfo[0] = CTM_SIG_SUSPEND; }
static void info_of_none(struct ctm_sig *s) { s->what = s->info.siginfo[0] = 0; }

static void no_boot(struct ctm_sig *s) { s->id.boot = 0; }
static void no_node(struct ctm_sig *s) { s->id.node = 0; }
static void no_seq(struct ctm_sig *s) { s->id.seq = 0; s->floor = 0; }
static void last_seq(struct ctm_sig *s) { s->id.seq = s->floor = ~0ull; }
static void high_floor(struct ctm_sig *s) { s->floor = s->id.seq + 1; }
static void low_floor(struct ctm_sig *s) { s->floor = s->id.seq - CTM_SIG_WINDOW; }
static void no_gpid(struct ctm_sig *s) { s->gpid = 0; }
static void odd_what(struct ctm_sig *s) { s->what = CTM_SIG_WHAT_MAX + 1; }
static void odd_flags(struct ctm_sig *s) { s->flags = 2; }
static void group_suspend(struct ctm_sig *s) { s->flags = CTM_SIGNAL_GROUP; s->what = CTM_SIG_SUSPEND; }
static void odd_caller(struct ctm_sig *s) { s->caller = 4; }
static void long_life(struct ctm_sig *s) { s->left_ms = CTM_SIG_LIFE_MAX_MS + 1; }
static void odd_hops(struct ctm_sig *s) { s->hops = CTM_SIG_HOPS_MAX + 1; }
static void odd_wave(struct ctm_sig *s) { s->wave = CTM_SIG_WAVES + 1; }
static void nothing(struct ctm_sig *s) { }

static void bad_frames(void)
{
	static void (*const spoil[])(struct ctm_sig *) = {
		no_boot, no_node, no_seq, last_seq, high_floor, low_floor, no_gpid, odd_what,
		odd_flags, group_suspend, odd_caller, long_life, odd_hops, odd_wave,
	};
	struct ctm_sig_wire w = { 0 };
	struct ctm_sig s;
	unsigned int i;

	CHECK(!refused(nothing));
	for (i = 0; i < ARRAY_SIZE(spoil); i++)
		if (!CHECK(refused(spoil[i])))
			ktap_note("spoil %u passed", i);
	CHECK(ctm_sig_get(&s, &w, sizeof(w) - 1) == -EBADMSG);
	CHECK(ctm_sig_get(&s, &w, 0) == -EBADMSG);
}

static void bad_info(void)
{
	static void (*const spoil[])(struct ctm_sig *) = {
		no_boot, low_floor, odd_caller, other_signal, odd_tid, info_of_nobody, info_to_group,
		info_of_suspend, info_of_none,
	};
	unsigned int i;

	CHECK(!spoilt(sample_info(CTM_SIG_WINDOW + 5), nothing));
	for (i = 0; i < ARRAY_SIZE(spoil); i++)
		if (!CHECK(spoilt(sample_info(CTM_SIG_WINDOW + 5), spoil[i])))
			ktap_note("spoil %u passed", i);
}

static void acks(void)
{
	struct ctm_sig_ack a = { .id = { 1, 2, 3 }, .outcome = CTM_SIG_FAILED, .error = 16 }, b;
	u64 buf[(sizeof(struct ctm_sig_ack_wire) + CTM_REASON_MAX) / 8 + 1];
	struct ctm_sig_ack_wire *w = (void *)buf;
	size_t n;

	strcpy(a.text, "a journey of it is under way");
	n = ctm_sig_ack_put(buf, &a);
	REQUIRE(!ctm_sig_ack_get(&b, buf, n));
	CHECK(ctm_sig_id_equal(&a.id, &b.id) && b.outcome == a.outcome && b.error == 16);
	CHECK(!strcmp(a.text, b.text));
	CHECK(ctm_sig_ack_get(&b, buf, n - 1) == -EBADMSG);
	CHECK(ctm_sig_ack_get(&b, buf, sizeof(*w) - 1) == -EBADMSG);
	w->text[0] = 033;
	CHECK(ctm_sig_ack_get(&b, buf, n) == -EBADMSG);
	w->text[0] = 'a';
	w->outcome = cpu_to_le16(CTM_SIG_DELIVERED);	/* with an error? */
	CHECK(ctm_sig_ack_get(&b, buf, n) == -EBADMSG);
	memset(a.text, 'x', sizeof(a.text));		/* no NUL: cut, not overrun */
	n = ctm_sig_ack_put(buf, &a);
	CHECK(n == sizeof(*w) + CTM_REASON_MAX - 1 && !ctm_sig_ack_get(&b, buf, n));
}

/* ---- at the origin ---- */

static void retries(void)
{
	struct ctm_sig_out o;
	u64 now = SECOND, first_spread = 0;
	unsigned int sent = 0, waves = 0;
	u32 todo;

	ctm_sig_out_init(&o, now, 10000);
	CHECK(ctm_sig_out_step(&o, now) == CTM_SIG_DO_SEND);
	for (sent = 1; ; ) {
		CHECK(o.due > now && o.due <= o.until);
		now = o.due;
		todo = ctm_sig_out_step(&o, now);
		if (todo & CTM_SIG_DO_GIVE_UP)
			break;
		sent += !!(todo & CTM_SIG_DO_SEND);
		if (todo & CTM_SIG_DO_SPREAD) {
			waves++;
			first_spread = first_spread ? first_spread : now;
			CHECK(o.wave == waves);
		}
	}
	CHECK(now == SECOND + 10 * SECOND);
	CHECK(waves == CTM_SIG_WAVES);
	CHECK(sent >= 8 && sent <= 16);
	CHECK(first_spread > SECOND + 100 * MS && first_spread < 2 * SECOND);

	ctm_sig_out_init(&o, now, 10000);
	ctm_sig_out_step(&o, now);
	CHECK(!ctm_sig_out_ack(&o, CTM_SIG_HELD));
	CHECK(ctm_sig_out_ack(&o, CTM_SIG_DELIVERED));
	CHECK(ctm_sig_out_ack(&o, CTM_SIG_GONE) && o.outcome == CTM_SIG_DELIVERED);
}

/* ---- rumours ---- */

static void passes_on(void)
{
	struct ctm_sig_heard slot[8] = { 0 };
	struct ctm_sig_relay t = { slot, 8 };
	struct ctm_sig s = sample(1), out;
	struct ctm_sig_ack ack = { .id = s.id, .outcome = CTM_SIG_DELIVERED }, again;
	u64 now = SECOND, due = now;
	unsigned int rounds = 0;
	u32 from;

	s.wave = 1;
	s.hops = 3;
	CHECK(ctm_sig_hear(&t, &s, 42, now) == CTM_SIG_FIRST);
	CHECK(ctm_sig_hear(&t, &s, 43, now) == CTM_SIG_KNOWN);
	for (; due; due = ctm_sig_due(&t)) {
		now = due;
		REQUIRE(ctm_sig_pass(&t, now, &out, &from));
		rounds++;
		CHECK(from == 42 && out.hops == 4 && out.wave == 1);
		CHECK(out.left_ms == 10000 - (now - SECOND) / MS);
		CHECK(!ctm_sig_pass(&t, now, &out, &from));
	}
	CHECK(rounds == CTM_SIG_ROUNDS && !ctm_sig_due(&t));
	s.wave = 2;
	CHECK(ctm_sig_hear(&t, &s, 44, now) == CTM_SIG_LATER);
	CHECK(ctm_sig_pass(&t, now, &out, &from) && out.wave == 2);
	CHECK(ctm_sig_recall(&t, &s.id, &again) == CTM_SIG_OPEN);
	CHECK(ctm_sig_echo(&t, &ack, &from) == (CTM_SIG_TO_ORIGIN | CTM_SIG_TO_FROM));
	CHECK(from == 42 && ack.hops == 1);
	CHECK(!ctm_sig_due(&t));			/* no more of it */
	CHECK(ctm_sig_echo(&t, &ack, &from) == CTM_SIG_TO_FROM && ack.hops == 2);
	CHECK(ctm_sig_recall(&t, &s.id, &again) == CTM_SIG_DELIVERED);
	CHECK(again.hops == CTM_SIG_ACK_STOP && ctm_sig_id_equal(&again.id, &s.id));
	CHECK(!ctm_sig_echo(&t, &again, &from));	/* it stops here */
	s.wave = 3;
	CHECK(ctm_sig_hear(&t, &s, 44, now) == CTM_SIG_ANSWERED);
	for (rounds = 1; ctm_sig_echo(&t, &ack, &from); rounds++)
		REQUIRE(rounds < 10);
	CHECK(ctm_sig_recall(&t, &s.id, &again) == CTM_SIG_HELD);
	ack.id.seq = 99;
	CHECK(!ctm_sig_echo(&t, &ack, &from));
}

static void stops_by_itself(void)
{
	struct ctm_sig_heard slot[8] = { 0 };
	struct ctm_sig_relay t = { slot, 8 };
	struct ctm_sig s = sample(1), out;
	u32 from;

	s.wave = 1;
	s.hops = CTM_SIG_HOPS_MAX;
	CHECK(ctm_sig_hear(&t, &s, 1, SECOND) == CTM_SIG_FIRST && !ctm_sig_due(&t));
	s = sample(2);
	s.wave = 1;
	s.left_ms = 60;
	CHECK(ctm_sig_hear(&t, &s, 1, SECOND) == CTM_SIG_FIRST);
	CHECK(ctm_sig_pass(&t, SECOND, &out, &from));
	CHECK(!ctm_sig_pass(&t, 2 * SECOND, &out, &from));	/* its time is over */
	CHECK(!ctm_sig_due(&t));
}

static void bounded(void)
{
	struct ctm_sig_heard slot[16] = { 0 };
	struct ctm_sig_relay t = { slot, 16 };
	struct ctm_sig s;
	unsigned int i, taken = 0;
	struct ctm_sig_ack ack;

	for (i = 1; i <= 16; i++) {			/* a flood of one origin */
		s = sample(i);
		s.wave = 1;
		taken += ctm_sig_hear(&t, &s, 1, SECOND) == CTM_SIG_FIRST;
	}
	CHECK(taken == 4);
	for (i = 1; i <= 16; i++) {			/* of many */
		s = sample(i);
		s.id.node = 100 + i;
		s.wave = 1;
		taken += ctm_sig_hear(&t, &s, 1, SECOND) == CTM_SIG_FIRST;
	}
	CHECK(taken == 16);
	CHECK(ctm_sig_hear(&t, &s, 1, SECOND) == CTM_SIG_FULL);
	s.wave = 0;
	ctm_sig_answered(&t, &s, 1, CTM_SIG_GONE, 0, SECOND);	/* no room: not remembered */
	CHECK(ctm_sig_recall(&t, &s.id, &ack) == CTM_SIG_OPEN);
	s = sample(1000);
	s.wave = 1;
	CHECK(ctm_sig_hear(&t, &s, 1, SECOND + 10 * SECOND + CTM_SIG_SLACK) == CTM_SIG_FIRST);
}

static void answers(void)
{
	struct ctm_sig_heard slot[4] = { 0 };
	struct ctm_sig_relay t = { slot, 4 };
	struct ctm_sig s;
	unsigned int i, known = 0;
	struct ctm_sig_ack ack;

	for (i = 1; i <= 10; i++) {			/* the latest are remembered */
		s = sample(i);
		ctm_sig_answered(&t, &s, 1, CTM_SIG_FAILED, 16, i * SECOND);
	}
	for (i = 1; i <= 10; i++) {
		s = sample(i);
		known += ctm_sig_recall(&t, &s.id, &ack) == CTM_SIG_FAILED && ack.error == 16 &&
			 !ack.hops;
		CHECK(i < 7 || ctm_sig_recall(&t, &s.id, &ack) == CTM_SIG_FAILED);
	}
	CHECK(known == 4);
	s.wave = 1;
	CHECK(ctm_sig_hear(&t, &s, 1, 10 * SECOND) == CTM_SIG_ANSWERED);
}

/* ---- what was applied ---- */

static void applied_once(void)
{
	static struct ctm_sig_applied a, b;
	static struct ctm_rec_applied rec[CTM_SIG_ORIGINS];
	struct ctm_sig s = sample(5);
	unsigned int n;

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	CHECK(ctm_sig_applied_judge(&a, &s, 0) == CTM_SIG_NEW);
	ctm_sig_applied_note(&a, &s, 0);
	CHECK(ctm_sig_applied_judge(&a, &s, 0) == CTM_SIG_DONE);
	s = sample(7);
	s.floor = 5;
	CHECK(ctm_sig_applied_judge(&a, &s, 0) == CTM_SIG_NEW);
	n = ctm_sig_applied_save(&a, rec, true, 0);
	CHECK(n == 1 && ctm_applied_ok(&rec[0]));
	ctm_sig_applied_load(&b, rec, n, 0);
	CHECK(!ctm_sig_applied_save(&a, rec, false, 0));	/* nothing new since */
	ctm_sig_applied_note(&a, &s, 0);
	CHECK(ctm_sig_applied_judge(&b, &s, 0) == CTM_SIG_NEW);
	n = ctm_sig_applied_save(&a, rec, false, 0);
	CHECK(n == 1);
	ctm_sig_applied_load(&b, rec, n, 0);
	CHECK(ctm_sig_applied_judge(&b, &s, 0) == CTM_SIG_DONE);
	s.id.seq = 5;
	CHECK(ctm_sig_applied_judge(&b, &s, 0) == CTM_SIG_DONE);
	s.id.seq = 6;
	CHECK(ctm_sig_applied_judge(&b, &s, 0) == CTM_SIG_NEW);
	s = sample(2000);
	ctm_sig_applied_note(&b, &s, 0);
	s.id.seq = 1999;
	CHECK(ctm_sig_applied_judge(&b, &s, 0) == CTM_SIG_SETTLED);
	s.id.seq = 7;
	CHECK(ctm_sig_applied_judge(&b, &s, 0) == CTM_SIG_SETTLED);
	s.id.boot++;
	CHECK(ctm_sig_applied_judge(&b, &s, 0) == CTM_SIG_NEW);
}

static void many_origins(void)
{
	static struct ctm_sig_applied a;
	struct ctm_sig s = sample(5);
	unsigned int i;

	memset(&a, 0, sizeof(a));
	for (i = 1; i <= CTM_SIG_ORIGINS; i++) {
		s.id.node = i;
		CHECK(ctm_sig_applied_judge(&a, &s, SECOND) == CTM_SIG_NEW);
		ctm_sig_applied_note(&a, &s, SECOND);
	}
	s.id.node = i;
	CHECK(ctm_sig_applied_judge(&a, &s, SECOND) == CTM_SIG_CROWDED);
	CHECK(ctm_sig_applied_judge(&a, &s, 11 * SECOND) == CTM_SIG_CROWDED);
	/* nobody forgets before the last copy must be gone */
	CHECK(ctm_sig_applied_judge(&a, &s, 11 * SECOND + CTM_SIG_SLACK) == CTM_SIG_NEW);
}

/*
 * Against a list of all that was applied: numbers out of order, doubled, late, and
 * the process moves now and then.
 */
#define NUMBERS	20000u

static void against_model(void)
{
	static struct ctm_sig_applied a[2];
	static struct ctm_rec_applied rec[CTM_SIG_ORIGINS];
	static bool done[NUMBERS];
	u64 seed = rng_seed(5), floor = 1, at = 0;
	struct rng rng = { seed };
	unsigned int i, n, twice = 0;

	ktap_note("SEED=%llu", (unsigned long long)seed);
	memset(a, 0, sizeof(a));
	memset(done, 0, sizeof(done));
	for (i = 0; i < 200000; i++) {
		struct ctm_sig s = sample(1);
		enum ctm_sig_verdict v;

		s.floor = floor > 30 ? floor - rng_below(&rng, 30) : floor;	/* late copies */
		s.id.seq = s.floor + rng_below(&rng, rng_percent(&rng, 3) ? CTM_SIG_WINDOW : 60);
		if (s.id.seq >= NUMBERS)
			break;
		v = ctm_sig_applied_judge(&a[at], &s, i);
		if (v == CTM_SIG_NEW) {
			twice += done[s.id.seq];
			done[s.id.seq] = true;
			ctm_sig_applied_note(&a[at], &s, i);
		} else if (v == CTM_SIG_DONE) {
			CHECK(done[s.id.seq]);
		} else {
			CHECK(v == CTM_SIG_SETTLED && s.id.seq < floor);
		}
		if (rng_percent(&rng, 10))
			floor += rng_below(&rng, rng_percent(&rng, 1) ? 2 * CTM_SIG_WINDOW : 3);
		if (rng_percent(&rng, 1)) {
			memset(&a[!at], 0, sizeof(a[0]));
			n = ctm_sig_applied_save(&a[at], rec, true, i);
			ctm_sig_applied_load(&a[!at], rec, n, i);
			at = !at;
		}
	}
	CHECK(!twice);
	CHECK(i > 10000);
}

static const struct ktap_test tests[] = {
	{ "signal: there and back", there_and_back },
	{ "signal: bad frames", bad_frames },
	{ "signal: with siginfo, there and back", info_there_and_back },
	{ "signal: bad siginfo", bad_info },
	{ "signal: acknowledgements", acks },
	{ "signal: retries", retries },
	{ "signal: a rumour is passed on", passes_on },
	{ "signal: a rumour ends", stops_by_itself },
	{ "signal: a flood of rumours", bounded },
	{ "signal: answers are remembered", answers },
	{ "signal: applied once", applied_once },
	{ "signal: many origins", many_origins },
	{ "signal: applied, against a model", against_model },
};
KTAP_MAIN(tests)
