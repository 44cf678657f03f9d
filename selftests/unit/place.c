// SPDX-License-Identifier: GPL-2.0
/*
 * place.c - rendezvous hashing: even, minimal, the same everywhere; and the frames of blocks
 */
#include "../../module/core/bwire.h"
#include "../../module/core/place.h"
#include "../ktap.h"
#include "random.h"

#define NODES	16u
#define NAMES	20000u

static void fill(struct rng *r, void *to, size_t len)
{
	u8 *b = to;

	while (len--)
		*b++ = rng_next(r);
}

static void members(struct rng *r, struct ctm_member *m, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		m[i] = (struct ctm_member){ .id = 1 + i, .boot = rng_next(r) };
}

/* the slow and obvious way */
static unsigned int rank_of(const u8 *name, const struct ctm_member *m, unsigned int n,
			    unsigned int which)
{
	unsigned int i, rank = 0;

	for (i = 0; i < n; i++)
		rank += i != which && ctm_place_above(name, &m[i], &m[which]);
	return rank;
}

static void order(void)
{
	struct rng r = { rng_seed(11) };
	unsigned int round, i, n, max, got, out[CTM_PLACE_MAX];
	struct ctm_member m[NODES];
	u8 name[CTM_PLACE_NAME];

	for (round = 0; round < 5000; round++) {
		n = rng_below(&r, NODES + 1);
		max = rng_below(&r, CTM_PLACE_MAX + 3);
		members(&r, m, n);
		fill(&r, name, sizeof(name));
		got = ctm_place(name, m, n, out, max);
		if (max > CTM_PLACE_MAX)
			max = CTM_PLACE_MAX;
		CHECK(got == (n < max ? n : max));
		for (i = 0; i < got; i++)
			if (!CHECK(rank_of(name, m, n, out[i]) == i))
				return;
	}
}

/* the order in which a node knows the others does not matter */
static void agreed(void)
{
	struct rng r = { rng_seed(12) };
	unsigned int round, i, a[3], b[3];
	struct ctm_member m[NODES], turned[NODES];
	u8 name[CTM_PLACE_NAME];

	for (round = 0; round < 2000; round++) {
		unsigned int by = rng_below(&r, NODES);

		members(&r, m, NODES);
		for (i = 0; i < NODES; i++)
			turned[i] = m[(i + by) % NODES];
		fill(&r, name, sizeof(name));
		CHECK(ctm_place(name, m, NODES, a, 3) == 3);
		CHECK(ctm_place(name, turned, NODES, b, 3) == 3);
		for (i = 0; i < 3; i++)
			CHECK(m[a[i]].id == turned[b[i]].id);
	}
}

/* a weight, once and for all */
static void known(void)
{
	static const u8 name[CTM_PLACE_NAME] = { 1, 2, 3 };
	struct ctm_member m = { .id = 7, .boot = 0x1122334455667788ull };

	/* other versions of the module have to come to the same */
	CHECK(ctm_place_weight(name, &m) == 0xa8f4f7fb3ced83feull);
	CHECK(!ctm_place_above(name, &m, &m));
}

/* each rank is spread evenly: within 5 standard deviations of a fair share */
static void balance(void)
{
	struct rng r = { rng_seed(13) };
	unsigned int count[3][NODES] = { { 0 } };
	unsigned int i, k, out[3], fair = NAMES / NODES;
	struct ctm_member m[NODES];
	u8 name[CTM_PLACE_NAME];

	members(&r, m, NODES);
	for (i = 0; i < NAMES; i++) {
		fill(&r, name, sizeof(name));
		ctm_place(name, m, NODES, out, 3);
		for (k = 0; k < 3; k++)
			count[k][out[k]]++;
	}
	for (k = 0; k < 3; k++)
		for (i = 0; i < NODES; i++)
			CHECK(count[k][i] > fair - 5 * 35 && count[k][i] < fair + 5 * 35);
}

/* names that differ in little, ids and boots that count up: still even */
static void balance_dull(void)
{
	unsigned int count[NODES] = { 0 };
	unsigned int i, out, fair = NAMES / NODES;
	struct ctm_member m[NODES];
	u8 name[CTM_PLACE_NAME] = { 0 };

	for (i = 0; i < NODES; i++)
		m[i] = (struct ctm_member){ .id = i + 1, .boot = 1000 + i };
	for (i = 0; i < NAMES; i++) {
		memcpy(name, &i, sizeof(i));
		ctm_place(name, m, NODES, &out, 1);
		count[out]++;
	}
	for (i = 0; i < NODES; i++)
		CHECK(count[i] > fair - 5 * 35 && count[i] < fair + 5 * 35);
}

static bool among(const struct ctm_member *m, const unsigned int *out, unsigned int n, u32 id)
{
	while (n--)
		if (m[out[n]].id == id)
			return true;
	return false;
}

/* One leaves: whoever else held a block holds it still.  (Read backwards, a join.) */
static void leave(void)
{
	struct rng r = { rng_seed(14) };
	unsigned int i, k, moved = 0, had = 0, before[2], after[2];
	struct ctm_member m[NODES];
	u8 name[CTM_PLACE_NAME];

	members(&r, m, NODES);
	for (i = 0; i < NAMES; i++) {
		fill(&r, name, sizeof(name));
		ctm_place(name, m, NODES, before, 2);
		ctm_place(name, m, NODES - 1, after, 2);	/* without the last */
		had += among(m, before, 2, NODES);
		for (k = 0; k < 2; k++) {
			if (m[before[k]].id != NODES)
				CHECK(among(m, after, 2, m[before[k]].id));
			moved += !among(m, before, 2, m[after[k]].id);
		}
	}
	CHECK(moved == had);
	CHECK(had > 2 * NAMES / NODES * 9 / 10 && had < 2 * NAMES / NODES * 11 / 10);
}

/* A restart makes another node of it: its share is a new one. */
static void restart(void)
{
	struct rng r = { rng_seed(15) };
	unsigned int i, out, was = 0, both = 0;
	struct ctm_member m[NODES], later[NODES];
	u8 name[CTM_PLACE_NAME];

	members(&r, m, NODES);
	memcpy(later, m, sizeof(m));
	later[0].boot++;
	for (i = 0; i < NAMES; i++) {
		fill(&r, name, sizeof(name));
		ctm_place(name, m, NODES, &out, 1);
		if (out)
			continue;
		was++;
		ctm_place(name, later, NODES, &out, 1);
		both += !out;
	}
	CHECK(was && both < was / 4);
}

/* ---- frames ---- */

static void requests(void)
{
	struct ctm_bw_request put = { .op = cpu_to_le16(CTM_BW_PUT), .owners = cpu_to_le16(1),
				      .copies = cpu_to_le32(2), .len = cpu_to_le32(CTM_BW_LEN_MAX) };
	struct ctm_bw_request get = { .op = cpu_to_le16(CTM_BW_GET) };
	struct ctm_bw_request r;
	unsigned int i;
	static const struct { u32 owners, copies, len, flags; bool ok; } puts[] = {
		{ 1, 1, 0, 0, true }, { 64, 8, 5, CTM_BW_COPY, true }, { 0, 1, 1, 0, false },
		{ 65, 1, 1, 0, false }, { 1, 0, 1, 0, false }, { 1, 9, 1, 0, false },
		{ 1, 1, CTM_BW_LEN_MAX + 1, 0, false }, { 1, 1, ~0u, 0, false }, { 1, 1, 1, 2, false },
	};

	CHECK(ctm_bw_request_ok(&put) && ctm_bw_request_ok(&get));
	for (i = 0; i < ARRAY_SIZE(puts); i++) {
		r = put;
		r.owners = cpu_to_le16(puts[i].owners);
		r.copies = cpu_to_le32(puts[i].copies);
		r.len = cpu_to_le32(puts[i].len);
		r.flags = cpu_to_le32(puts[i].flags);
		CHECK(ctm_bw_request_ok(&r) == puts[i].ok);
	}
	r = get;
	r.len = cpu_to_le32(1);
	CHECK(!ctm_bw_request_ok(&r));
	r = get;
	r.by.flags = cpu_to_le32(2);
	CHECK(!ctm_bw_request_ok(&r));
	r = get;
	r.op = 0;
	CHECK(!ctm_bw_request_ok(&r));
}

static void answers(void)
{
	struct ctm_bw_answer a = { 0 };

	CHECK(ctm_bw_answer_ok(&a, true) && ctm_bw_answer_ok(&a, false));
	a.len = cpu_to_le32(CTM_BW_LEN_MAX);
	CHECK(ctm_bw_answer_ok(&a, true) && !ctm_bw_answer_ok(&a, false));
	a.len = cpu_to_le32(CTM_BW_LEN_MAX + 1);
	CHECK(!ctm_bw_answer_ok(&a, true));
	a = (struct ctm_bw_answer){ .status = cpu_to_le32(2), .len = cpu_to_le32(1) };
	CHECK(!ctm_bw_answer_ok(&a, true));
	a = (struct ctm_bw_answer){ .status = cpu_to_le32(4096) };
	CHECK(!ctm_bw_answer_ok(&a, false));
}

/* every length but the right one is refused, for every count */
static void calls(void)
{
	struct ctm_bw_have *h = calloc(1, 65536);
	struct ctm_bw_change *c = calloc(1, 65536);
	struct ctm_bw_merge *m = calloc(1, 65536);
	struct ctm_bw_family *f = calloc(1, 65536);
	static const u32 counts[] = { 0, 1, 2, 64, 65, 256, 257, 0x10000, 0xffffffff };
	unsigned int i, k;
	size_t len;

	c->op = cpu_to_le16(CTM_BW_PIN);
	c->copies = cpu_to_le16(1);
	m->copies = cpu_to_le32(1);
	for (i = 0; i < 256; i++)
		m->owner[i] = (struct ctm_bw_owner){ .kind = cpu_to_le32(CTM_BW_USER) };
	for (k = 0; k < ARRAY_SIZE(counts); k++) {
		u32 n = counts[k];
		bool ok = n >= 1 && n <= CTM_BW_NAMES_MAX;

		h->count = c->count = f->count = m->owners = cpu_to_le32(n);
		for (len = 0; len < 12000; len++) {
			CHECK(ctm_bw_have_ok(h, len) == (ok && len == 8 + 40 * n));
			CHECK(ctm_bw_change_ok(c, len) == (ok && len == 24 + 32 * n));
			CHECK(ctm_bw_family_ok(f, len) == (ok && len == 8 + 8 * n));
			CHECK(ctm_bw_merge_ok(m, len) ==
			      (n >= 1 && n <= CTM_BW_OWNERS_MAX && len == 40 + 16 * n));
		}
	}
	m->owners = cpu_to_le32(2);
	CHECK(ctm_bw_merge_ok(m, 72));
	m->owner[1].kind = cpu_to_le32(3);
	CHECK(!ctm_bw_merge_ok(m, 72));
	m->owner[1] = (struct ctm_bw_owner){ .kind = cpu_to_le32(CTM_BW_FAMILY) };
	CHECK(!ctm_bw_merge_ok(m, 72));
	m->owner[1].family = cpu_to_le64(5);
	CHECK(ctm_bw_merge_ok(m, 72));
	c->count = cpu_to_le32(1);
	CHECK(ctm_bw_change_ok(c, 56));
	c->copies = cpu_to_le16(9);
	CHECK(!ctm_bw_change_ok(c, 56));
	c->copies = cpu_to_le16(2);
	c->op = cpu_to_le16(6);
	CHECK(!ctm_bw_change_ok(c, 56));
	free(h);
	free(c);
	free(m);
	free(f);
}

/* which owner is which has to show in the sum, and in which order they are must not */
static void sums(void)
{
	struct rng r = { rng_seed(16) };
	unsigned int i;

	CHECK(ctm_bw_owner_sum(CTM_BW_USER, 1) != ctm_bw_owner_sum(CTM_BW_FAMILY, 1));
	for (i = 0; i < 10000; i++) {
		u64 a = rng_next(&r) & 0xffffffff, b = rng_next(&r) & 0xffffffff;

		if (a == b)
			continue;
		CHECK(ctm_bw_owner_sum(CTM_BW_USER, a) != ctm_bw_owner_sum(CTM_BW_USER, b));
		/* two that are replaced by their neighbours, as families come and go */
		CHECK(ctm_bw_owner_sum(CTM_BW_FAMILY, a) + ctm_bw_owner_sum(CTM_BW_FAMILY, b) !=
		      ctm_bw_owner_sum(CTM_BW_FAMILY, a + 1) + ctm_bw_owner_sum(CTM_BW_FAMILY, b - 1) ||
		      a + 1 == b);
	}
}

static const struct ktap_test tests[] = {
	{ "place: order", order },
	{ "place: agreed by all", agreed },
	{ "place: a known weight", known },
	{ "place: balance", balance },
	{ "place: balance of dull names", balance_dull },
	{ "place: one leaves, or joins", leave },
	{ "place: a restart", restart },
	{ "blocks: requests", requests },
	{ "blocks: answers", answers },
	{ "blocks: calls", calls },
	{ "blocks: sums over owners", sums },
};
KTAP_MAIN(tests)
