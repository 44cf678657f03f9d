// SPDX-License-Identifier: GPL-2.0
/*
 * member.c - any bytes, read as what the peers of a node send it
 *
 * An input is a row of datagrams, each behind four bytes: from whom, how much later
 * (quarters of a second), its length.  Whatever comes, this node stays alive in its own eyes,
 * no more actions come out than fit, and what it writes is well-formed.
 */
#include <stdlib.h>
#include "../../module/core/member.h"

#define PEERS	8u
#define ME	100u

static const struct ctm_wire_card card = { .name = "me" };

static bool address(void *owner, u32 id, struct ctm_mb_addr *out)
{
	memset(out, 0, sizeof(*out));
	out->port = id;
	return id & 1;
}

static void check(struct ctm_mb *m, u64 now, const struct ctm_mb_actions *out)
{
	const struct ctm_mb_peer *me = ctm_mb_find(m, ME);
	u8 *buf = malloc(CTM_MB_DGRAM_MAX);
	struct ctm_mb_dgram d;
	u32 i;

	if (out->n > CTM_MB_ACTIONS || !me || me->state != CTM_MB_ALIVE ||
	    ctm_mb_live(m) > PEERS + 1 || ctm_mb_health(m) > ctm_mb_default.health_max)
		abort();
	for (i = 0; i < out->n; i++) {
		size_t len;

		if (!out->a[i].id || out->a[i].id == ME)
			abort();
		if (out->a[i].type != CTM_MB_DO_SEND)
			continue;
		len = ctm_mb_encode(m, now, &out->a[i], &card, buf);
		if (len > CTM_MB_DGRAM_MAX || ctm_mb_decode(buf, len, &d))
			abort();
	}
	free(buf);
}

static u64 datagram(struct ctm_mb *m, u64 now, const u8 *data, size_t len)
{
	struct ctm_mb_actions out = { .n = 0 };
	void *copy = malloc(len - 4 ? len - 4 : 1);

	now += data[1] * (CTM_MB_SEC / 4);
	do {
		out.n = 0;
		ctm_mb_tick(m, now, &out);
		check(m, now, &out);
	} while (out.more);
	out.n = 0;
	memcpy(copy, data + 4, len - 4);
	ctm_mb_datagram(m, now, data[0] % (PEERS + 2), copy, len - 4, &out);
	free(copy);
	if (out.more)		/* what one datagram asks for always fits */
		abort();
	check(m, now, &out);
	return now;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);
int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	void *mem = malloc(ctm_mb_size(PEERS));
	struct ctm_mb *m = ctm_mb_init(mem, PEERS, &ctm_mb_default, ME, 1000, 1, 0, address, NULL);
	struct ctm_mb_actions out = { .n = 0 };
	u64 now = 0;
	u32 id;

	for (id = 1; id <= PEERS; id++) {
		out.n = 0;
		ctm_mb_met(m, now, id, id, true, &out);
	}
	while (len >= 4) {
		size_t size = 4 + (data[2] | (size_t)data[3] << 8);

		if (size > len)
			size = len;
		now = datagram(m, now, data, size);
		data += size;
		len -= size;
	}
	free(mem);
	return 0;
}
