// SPDX-License-Identifier: GPL-2.0
/*
 * frame.c - does ctm_ho_frame_check() pass what is right, and refuse all else?
 */
#include "../../module/core/handoff.h"
#include "../ktap.h"
#include "random.h"
#include "frames.h"

/* in memory of exactly its size */
static int check(const struct frame *f, u32 len, const char **why)
{
	void *copy = malloc(len ? len : 1);
	int err;

	memcpy(copy, f->bytes, len);
	err = ctm_ho_frame_check(copy, len, why);
	free(copy);
	return err;
}

static void refused(const struct frame *f, const char *what)
{
	const char *why = "(nothing)";

	if (!CHECK(check(f, f->len, &why) == -EBADMSG))
		ktap_note("%s", what);
}

static void right_frames(void)
{
	struct frame f;
	struct ctm_ho_id id;
	unsigned int i;

	for (i = 0; i < FRAMES; i++) {
		const char *why = "(nothing)";

		frame_build(&f, i);
		if (!CHECK(check(&f, f.len, &why) == 0))
			ktap_note("frame %u: %s", i, why);
		CHECK(ctm_ho_head_check((void *)f.bytes, &why) == 0);
		ctm_ho_frame_id((void *)f.bytes, &id);
		CHECK(ctm_ho_id_equal(&id, &frame_id));
	}
}

static void wrong_lengths(void)
{
	struct frame f, g;
	const char *why;
	unsigned int i;
	u32 n;

	for (i = 0; i < FRAMES; i++) {
		frame_build(&f, i);
		for (n = 0; n < f.len; n++)	/* less came than the header says */
			CHECK(check(&f, n, &why) == -EBADMSG);
		g = f;
		g.len = f.len + 1;		/* more came */
		refused(&g, "a byte too many");
		if (f.text)			/* any length is right */
			continue;
		for (n = 0; n < 64; n++) {	/* the header agrees, the type does not */
			if (n == f.len - sizeof(struct ctm_ho_frame))
				continue;
			g = f;
			g.len = sizeof(struct ctm_ho_frame) + n;
			((struct ctm_ho_frame *)g.bytes)->len = cpu_to_le32(n);
			refused(&g, "another length");
		}
		((struct ctm_ho_frame *)f.bytes)->len = 0xffffffff;
		CHECK(ctm_ho_head_check((void *)f.bytes, &why) == -EBADMSG);
	}
}

static void headers(void)
{
	struct frame f;
	struct ctm_ho_frame *h = (void *)f.bytes;
	unsigned int t;

	frame_build(&f, FRAME_PREPARED);
	h->flags = cpu_to_le16(1);
	refused(&f, "unknown flags");
	frame_build(&f, FRAME_PREPARED);
	h->id.gpid = 0;
	refused(&f, "no process");
	for (t = 0; t < 70000; t += t < 20 ? 1 : 997) {
		if (t >= 1 && t < CTM_HO_FRAME_MAX)
			continue;
		frame_build(&f, FRAME_PREPARED);
		h->type = cpu_to_le16(t);
		refused(&f, "unknown type");
	}
}

/* A field of the payload takes a value that cannot be. */
#define SET(which, type, expr, val) do {				\
	struct frame f_;						\
	frame_build(&f_, which);					\
	((type *)(f_.bytes + sizeof(struct ctm_ho_frame)))->expr = (val); \
	refused(&f_, #type "." #expr " = " #val);			\
} while (0)

static void payloads(void)
{
#define O(expr, val) SET(FRAME_OFFER, struct ctm_ho_offer, expr, val)
	O(ttl_max, 0);
	O(pad, 1);
	O(family, 0);
	O(nidents, 0);
	O(nidents, CTM_HO_IDENTS_MAX + 1);
	O(ident_bytes, 0);
	O(ident_bytes, 15);
	O(ident_bytes, 17);
	O(ident_bytes, 0xffffffff);
	O(flags, 1u << 31);
	O(threads, 0);
	O(threads, CTM_THREADS_MAX + 1);
	O(mono_ns, 1ull << 62);
	O(boot_ns, -1);
	O(comm[15], 'x');
	O(comm[9], 'x');
#define AC(expr, val) SET(FRAME_ACCEPT, struct ctm_ho_accept, expr, val)
	AC(nidents, 8);
	AC(nidents, 17);
	AC(nidents, 0xffffffff);
	AC(pad, 1);
	AC(bits[1], 8);			/* beyond the last identity */
	AC(mono_rx, 1ull << 62);
	AC(mono_tx, 0);			/* before it came */
	AC(boot_tx, 1ull << 63);
#define TX(expr, val) SET(FRAME_REFUSE, struct ctm_ho_text, expr, val); \
		      SET(FRAME_ABORT, struct ctm_ho_text, expr, val)
	TX(error, 0);
	TX(error, 4096);
	TX(pad, 1);
	TX(text[0], 0);
	TX(text[1], '\n');
	TX(text[1], 0x1b);
	TX(text[2], 0x7f);
	SET(FRAME_BEGIN, struct ctm_ho_begin, mono_off_ns, 1ull << 62);
	SET(FRAME_BEGIN, struct ctm_ho_begin, boot_off_ns, 1ull << 63);
#define BE(expr, val) SET(FRAME_BEGIN, struct ctm_ho_begin, expr, val)
	BE(leader, 1);
	BE(leader, 1u << 31);
	BE(pad, 1);
	BE(hole, 0);
	BE(hole, CTM_KEEPER_BASE);
	BE(hole, CTM_HOLE_TOP);
	BE(hole_len, CTM_HOLE_BYTES);		/* no thread */
	BE(hole_len, CTM_HOLE_BYTES + CTM_HOLE_PER_THREAD + 4096);
	BE(hole_len, -4096ull);
#define CM(expr, val) SET(FRAME_COMMIT, struct ctm_ho_commit, expr, val)
	CM(npending, 1);
	CM(npending, 3);
	CM(npending, CTM_HO_PENDING_MAX + 1);
	CM(npending, 0xffffffff);
	CM(napplied, 0);
	CM(napplied, 2);
	CM(napplied, CTM_APPLIED_MAX + 1);
	CM(napplied, 0xffffffff);
	CM(pending[2].tid, 0);			/* the boot of the first origin */
	CM(pending[1].signo, 0);
	CM(pending[1].signo, 65);
	CM(pending[0].siginfo[0], 1);
	SET(FRAME_QUERY, struct ctm_ho_query, from_source, 2);
	SET(FRAME_QUERY, struct ctm_ho_query, outcome, CTM_HO_OUTCOME_MAX);
#define AN(expr, val) SET(FRAME_ANSWER_COMMITTED, struct ctm_ho_answer, expr, val)
	AN(outcome, CTM_HO_ABORTED);	/* with a commit behind it */
	AN(outcome, CTM_HO_OUTCOME_MAX);
	AN(commit_len, 0);
	AN(commit_len, 1);
	AN(commit_len, 0xffffffff);
	SET(FRAME_ANSWER, struct ctm_ho_answer, outcome, CTM_HO_COMMITTED);
	SET(FRAME_ANSWER, struct ctm_ho_answer, commit_len, 8);
#define CH(expr, val) SET(FRAME_CHILDREN, struct ctm_ho_children, expr, val)
	CH(count, 0);
	CH(count, 1);
	CH(count, 3);
	CH(count, 0xffffffff);
	CH(pad, 1);
	CH(child[0].gpid, 0);
	CH(child[1].gpid, CTM_GPID(4, 19));	/* another home than its parent's */
	CH(child[1].gpid, CTM_GPID(3, 0));
	CH(child[1].index, CTM_FORK_MAX);
	CH(child[0].pad, 1);
}

/* Whatever is thrown at it, it must answer, and touch nothing outside. */
static void random_damage(void)
{
	u64 seed = rng_seed(11);
	struct rng r = { seed };
	struct frame f;
	const char *why;
	unsigned int i, n;

	ktap_note("SEED=%llu", (unsigned long long)seed);
	for (i = 0; i < 200000; i++) {
		frame_build(&f, rng_below(&r, FRAMES));
		for (n = 1 + rng_below(&r, 4); n; n--)
			f.bytes[rng_below(&r, f.len)] = rng_percent(&r, 50) ? 0xff : rng_next(&r);
		check(&f, f.len, &why);
	}
}

static const struct ktap_test tests[] = {
	{ "frame: right ones", right_frames },
	{ "frame: wrong lengths, cut at any byte", wrong_lengths },
	{ "frame: headers", headers },
	{ "frame: payloads", payloads },
	{ "frame: random damage", random_damage },
};
KTAP_MAIN(tests)
