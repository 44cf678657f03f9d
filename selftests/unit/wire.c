// SPDX-License-Identifier: GPL-2.0
/*
 * wire.c - the first look at a frame, and the judgement of names
 */
#include "../../module/core/wire.h"
#include "../ktap.h"
#include "random.h"

static void right_heads(void)
{
	struct ctm_wire_head h;

	ctm_wire_head(&h, CTM_WIRE_HELLO, sizeof(struct ctm_wire_hello), 0);
	CHECK(ctm_wire_look(&h, CTM_WIRE_HELLO, sizeof(struct ctm_wire_hello),
			    sizeof(struct ctm_wire_hello)) == CTM_WIRE_FINE);
	ctm_wire_head(&h, CTM_WIRE_DGRAM, CTM_WIRE_DGRAM_BYTES, 0);
	CHECK(ctm_wire_look(&h, CTM_WIRE_DGRAM, sizeof(struct ctm_wire_dgram),
			    CTM_WIRE_DGRAM_BYTES) == CTM_WIRE_FINE);
}

static enum ctm_wire_verdict look(const struct ctm_wire_head *h)
{
	return ctm_wire_look(h, CTM_WIRE_DGRAM, 64, 100);
}

static void wrong_heads(void)
{
	struct ctm_wire_head h;

	ctm_wire_head(&h, CTM_WIRE_DGRAM, 63, 0);
	CHECK(look(&h) == CTM_WIRE_SHORT);
	ctm_wire_head(&h, CTM_WIRE_DGRAM, 0, 0);
	CHECK(look(&h) == CTM_WIRE_SHORT);
	ctm_wire_head(&h, CTM_WIRE_DGRAM, 101, 0);
	CHECK(look(&h) == CTM_WIRE_LONG);
	ctm_wire_head(&h, CTM_WIRE_DGRAM, 0xffffffff, 0);
	CHECK(look(&h) == CTM_WIRE_LONG);
	ctm_wire_head(&h, CTM_WIRE_HELLO, 64, 0);
	CHECK(look(&h) == CTM_WIRE_GARBAGE);
	ctm_wire_head(&h, CTM_WIRE_DGRAM, 64, 0);
	h.version = cpu_to_le16(CTM_WIRE_VERSION + 1);
	CHECK(look(&h) == CTM_WIRE_GARBAGE);
}

/* every bit of magic, version and type counts */
static void changed_bits(void)
{
	struct ctm_wire_head h;
	unsigned int bit;

	for (bit = 0; bit < 8 * offsetof(struct ctm_wire_head, len); bit++) {
		ctm_wire_head(&h, CTM_WIRE_DGRAM, 80, 0);
		((u8 *)&h)[bit / 8] ^= 1 << bit % 8;
		if (!CHECK(look(&h) == CTM_WIRE_GARBAGE))
			ktap_note("bit %u", bit);
	}
}

static bool name_ok(const char *bytes, size_t len)
{
	char room[8] = "";

	memcpy(room, bytes, len);
	return ctm_wire_name_ok(room, sizeof(room));
}

static void names(void)
{
	CHECK(name_ok("n1", 2));
	CHECK(name_ok("a-b_c.7", 7));
	CHECK(!name_ok("", 0));
	CHECK(!name_ok("12345678", 8));		/* no room for a NUL */
	CHECK(!name_ok("a\0b", 3));		/* something behind the NUL */
	CHECK(!name_ok("a b", 3));
	CHECK(!name_ok("a/b", 3));
	CHECK(!name_ok("a%n", 3));
	CHECK(!name_ok("\n", 1));
	CHECK(!name_ok("\xc3\xa4", 2));
}

/* a name that passes is a string, whatever came */
static void random_names(void)
{
	struct rng r = { rng_seed(7) };
	unsigned int i, j;

	for (i = 0; i < 100000; i++) {
		char room[4];

		for (j = 0; j < sizeof(room); j++)
			room[j] = rng_percent(&r, 30) ? 0 : rng_below(&r, 256);
		if (ctm_wire_name_ok(room, sizeof(room)))
			CHECK(memchr(room, 0, sizeof(room)) && room[0] && !strpbrk(room, " /%\n\"'"));
	}
}

static const struct ktap_test tests[] = {
	{ "wire: right heads", right_heads },
	{ "wire: wrong heads", wrong_heads },
	{ "wire: every bit of magic, version and type counts", changed_bits },
	{ "wire: names", names },
	{ "wire: random bytes as names", random_names },
};

KTAP_MAIN(tests)
