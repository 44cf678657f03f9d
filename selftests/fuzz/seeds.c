// SPDX-License-Identifier: GPL-2.0
/*
 * seeds.c - right inputs to begin with: seeds DIR writes DIR/{image,frame,machines,member,blocks}/
 */
#include <stdio.h>
#include "../unit/frames.h"
#include "../unit/sample.h"
#include "../../module/core/bwire.h"
#include "../../module/core/member.h"

static int put(const char *dir, const char *kind, unsigned int nr, const void *bytes, u32 len)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/seed-%u", dir, kind, nr);
	f = fopen(path, "w");
	if (!f || fwrite(bytes, 1, len, f) != len || fclose(f)) {
		perror(path);
		return 1;
	}
	return 0;
}

/* one whole handoff, source and destination in turn */
static const u8 machines[] = {
	CTM_HO_EV_START, 0, 64, 1, CTM_HO_EV_CONSENTED, 0, 64, 1, CTM_HO_EV_OFFER, 0, 8, 1,
	CTM_HO_EV_ACCEPT, 0, 64, 1, CTM_HO_EV_FROZEN, 0, 64, 1, CTM_HO_EV_BEGIN, 0, 0, 1,
	CTM_HO_EV_BUILT, 0, 0, 1, CTM_HO_EV_IMAGE_SENT, 0, 64, 1, CTM_HO_EV_PREPARED, 0, 64, 1,
	CTM_HO_EV_COMMIT, 0, 0, 1, CTM_HO_EV_STARTED, 0, 64, 1, CTM_HO_EV_RELEASED, 0, 0, 1,
};

static bool address(void *owner, u32 id, struct ctm_mb_addr *out)
{
	memset(out, 0, sizeof(*out));
	out->port = 7117;
	return true;
}

/* each kind of datagram, by a node that knows others and suspects, for the one of fuzz/member.c */
static u32 member(u8 *bytes)
{
	static const struct ctm_wire_card card = { .name = "seed" };
	static u64 mem[64 * 1024];
	struct ctm_mb *m = ctm_mb_init(mem, 8, &ctm_mb_default, 1, 1, 1, 0, address, NULL);
	struct ctm_mb_actions out = { .n = 0 };
	u32 at = 0, id, kind;
	u64 now = 0;

	for (id = 2; id <= 8; id++)
		ctm_mb_met(m, now, id, id, true, &out);
	ctm_mb_met(m, now, 100, 1000, true, &out);
	for (kind = CTM_MB_PING; kind <= CTM_MB_PUSH; kind++) {
		struct ctm_mb_action a = {
			.type = CTM_MB_DO_SEND, .kind = kind, .id = 100, .seq = kind, .target = 3,
		};
		size_t len = ctm_mb_encode(m, now, &a, &card, bytes + at + 4);

		bytes[at] = 1;
		bytes[at + 1] = 4;
		bytes[at + 2] = len;
		bytes[at + 3] = len >> 8;
		at += 4 + len;
		for (now += 2 * CTM_MB_SEC, out.n = 0; ctm_mb_next(m) < now; out.n = 0)
			ctm_mb_tick(m, ctm_mb_next(m), &out);
	}
	return at;
}

/* one of each kind, behind the byte that says which, for fuzz/blocks.c */
static int blocks(const char *dir)
{
	static struct { u8 kind, pad[7]; u8 at[4096]; } in;
	struct ctm_bw_request *r = (void *)in.at;
	struct ctm_bw_answer *a = (void *)in.at;
	struct ctm_bw_have *h = (void *)in.at;
	struct ctm_bw_change *c = (void *)in.at;
	struct ctm_bw_merge *m = (void *)in.at;
	u8 *from = in.at - 1;
	int bad;

	*r = (struct ctm_bw_request){ .op = cpu_to_le16(CTM_BW_PUT), .owners = cpu_to_le16(1),
				      .len = cpu_to_le32(100), .copies = cpu_to_le32(2) };
	*(struct ctm_bw_owner *)(r + 1) = (struct ctm_bw_owner){ .kind = cpu_to_le32(CTM_BW_USER) };
	*from = 0;
	bad = put(dir, "blocks", 0, from, 1 + sizeof(*r) + sizeof(struct ctm_bw_owner));
	*a = (struct ctm_bw_answer){ .len = cpu_to_le32(100) };
	*from = 4;
	bad |= put(dir, "blocks", 1, from, 1 + sizeof(*a));
	memset(in.at, 0, sizeof(in.at));
	h->count = cpu_to_le32(3);
	*from = 2;
	bad |= put(dir, "blocks", 2, from, 1 + sizeof(*h) + 3 * sizeof(h->mark[0]));
	*c = (struct ctm_bw_change){ .op = cpu_to_le16(CTM_BW_PIN), .copies = cpu_to_le16(2),
				     .count = cpu_to_le32(3) };
	bad |= put(dir, "blocks", 3, from, 1 + sizeof(*c) + 3 * sizeof(c->name[0]));
	memset(in.at, 0, sizeof(in.at));
	m->owners = m->copies = cpu_to_le32(2);
	m->owner[0].kind = m->owner[1].kind = cpu_to_le32(CTM_BW_USER);
	bad |= put(dir, "blocks", 4, from, 1 + sizeof(*m) + 2 * sizeof(m->owner[0]));
	h->count = cpu_to_le32(3);
	bad |= put(dir, "blocks", 5, from, 1 + sizeof(*h) + 3 * sizeof(__le64));
	return bad;
}

int main(int argc, char **argv)
{
	static u8 bytes[8 * 1024];
	static struct sample s;
	struct frame f;
	unsigned int i;
	int bad = 0;

	if (argc != 2)
		return 2;
	sample_build(&s);
	bad |= put(argv[1], "image", 0, s.bytes, s.len);
	for (i = 0; i < FRAMES; i++) {
		frame_build(&f, i);
		bad |= put(argv[1], "frame", i, f.bytes, f.len);
	}
	bad |= put(argv[1], "member", 0, bytes, member(bytes));
	bad |= blocks(argv[1]);
	bad |= put(argv[1], "machines", 0, machines, sizeof(machines));
	return bad;
}
