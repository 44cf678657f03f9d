// SPDX-License-Identifier: GPL-2.0
/*
 * blocks.c - any bytes, read as what a node says of blocks
 *
 * The first byte says as what.  What is found right is walked to its end, as the module does, so
 * that a count or length that was believed too soon shows; and all of it is copied to memory of
 * just its size before.
 */
#include <stdlib.h>
#include "../../module/core/bwire.h"

static u64 sink;

static void bytes(const void *p, size_t n)
{
	const u8 *b = p;

	while (n--)
		sink += *b++;
}

static void request(const void *p, size_t len)
{
	const struct ctm_bw_request *r = p;
	u32 n, i;

	if (len < sizeof(*r) || !ctm_bw_request_ok(r))
		return;
	n = le16_to_cpu(r->owners);
	if (n > CTM_BW_OWNERS_MAX || le32_to_cpu(r->len) > CTM_BW_LEN_MAX)
		abort();
	for (i = 0; i < n && sizeof(*r) + (i + 1) * sizeof(struct ctm_bw_owner) <= len; i++) {
		const struct ctm_bw_owner *o = (const void *)((const u8 *)(r + 1) + i * sizeof(*o));

		if (ctm_bw_owner_ok(o) &&
		    (le32_to_cpu(o->kind) == CTM_BW_FAMILY) != !!le64_to_cpu(o->family))
			abort();
	}
}

static void answer(const void *p, size_t len, bool get)
{
	const struct ctm_bw_answer *a = p;

	if (len >= sizeof(*a) && ctm_bw_answer_ok(a, get) &&
	    (le32_to_cpu(a->status) > 4095 || le32_to_cpu(a->len) > CTM_BW_LEN_MAX))
		abort();
}

static void calls(const void *p, size_t len)
{
	const struct ctm_bw_have *h = p;
	const struct ctm_bw_change *c = p;
	const struct ctm_bw_merge *m = p;
	const struct ctm_bw_family *f = p;
	u32 i;

	if (ctm_bw_have_ok(h, len))
		for (i = 0; i < le32_to_cpu(h->count); i++)
			bytes(&h->mark[i], sizeof(h->mark[i]));
	if (ctm_bw_change_ok(c, len))
		for (i = 0; i < le32_to_cpu(c->count); i++)
			bytes(c->name[i], sizeof(c->name[i]));
	if (ctm_bw_family_ok(f, len))
		for (i = 0; i < le32_to_cpu(f->count); i++)
			bytes(&f->gpid[i], sizeof(f->gpid[i]));
	if (ctm_bw_merge_ok(m, len))
		for (i = 0; i < le32_to_cpu(m->owners); i++)
			bytes(&m->owner[i], sizeof(m->owner[i]));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);
int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	void *copy;

	if (!len)
		return 0;
	copy = malloc(len - 1 ? len - 1 : 1);
	memcpy(copy, data + 1, len - 1);
	switch (data[0] % 3) {
	case 0:
		request(copy, len - 1);
		break;
	case 1:
		answer(copy, len - 1, data[0] & 4);
		break;
	default:
		calls(copy, len - 1);
	}
	free(copy);
	return 0;
}
