/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bwire.h - what nodes say to each other of blocks
 *
 * Streams (CTM_CHANNEL_BLOCK) carry what has data, request after request, without
 * waiting for answers, which come in the same order:
 *
 *   one that wants                             one that holds
 *   PUT name, owners, data              --->   judged, received, its hash compared, kept
 *                                       <---   ANSWER
 *   GET name, on whose behalf           --->
 *                                       <---   ANSWER, data
 *
 * The rest are calls (net/call.c), with many names each:
 *
 *   CTM_CALL_BLOCK_HAVE    do you hold these, and do we agree whose they are?
 *   CTM_CALL_BLOCK_CHANGE  pin, drop, or look for these, on behalf of somebody
 *   CTM_CALL_BLOCK_MERGE   whose a block is, too
 *   CTM_CALL_BLOCK_FAMILY  do these families live?
 *   CTM_CALL_BLOCK_STATUS  how much do you hold?
 *
 * All numbers are little-endian.  The functions at the end judge what arrived.
 */
#ifndef CTM_CORE_BWIRE_H
#define CTM_CORE_BWIRE_H

#include "env.h"
#include "place.h"

#define CTM_BW_LEN_MAX		(4u << 20)	/* bytes of a block */
#define CTM_BW_OWNERS_MAX	64u		/* owners of one block */
#define CTM_BW_NAMES_MAX	256u		/* names in one call */

enum ctm_bw_op {
	CTM_BW_PUT	= 1,
	CTM_BW_GET	= 2,
};

enum ctm_bw_kind {
	CTM_BW_FAMILY	= 1,	/* @family; @uid stored it and may read it, too */
	CTM_BW_USER	= 2,	/* pinned by @uid; @family is 0 */
};

/** struct ctm_bw_owner - one of those whose a block is; it stays as long as there is one */
struct ctm_bw_owner {
	__le32 kind;
	__le32 uid;
	__le64 family;
};
static_assert(sizeof(struct ctm_bw_owner) == 16, "wire");

/** struct ctm_bw_by - on whose behalf; believed, for root on one node is trusted by all */
struct ctm_bw_by {
	__le32 uid;
	__le32 flags;			/* CTM_BW_BY_* */
	__le64 family;			/* 0: none */
};
static_assert(sizeof(struct ctm_bw_by) == 16, "wire");
#define CTM_BW_BY_ADMIN		(1u << 0)

/**
 * struct ctm_bw_request - @owners times struct ctm_bw_owner follow, then @len bytes of data
 * @len, @owners, @copies: PUT; else 0
 * @by: GET; else zeros
 */
struct ctm_bw_request {
	__le16 op;
	__le16 owners;
	__le32 len;
	__le32 flags;			/* CTM_BW_* */
	__le32 copies;
	__u8 name[CTM_PLACE_NAME];
	struct ctm_bw_by by;
};
static_assert(sizeof(struct ctm_bw_request) == 64, "wire");
#define CTM_BW_COPY	(1u << 0)	/* PUT: from another node that holds it, not from its owner */

/** enum ctm_bw_quota - which one is used up, with -ENOSPC */
enum ctm_bw_quota {
	CTM_BW_OF_NODE		= 1,
	CTM_BW_OF_FAMILY	= 2,
	CTM_BW_OF_USER		= 3,
	CTM_BW_OF_BLOCK		= 4,	/* it has as many owners as can be */
};

/**
 * struct ctm_bw_answer
 * @status: errno, 0 to 4095
 * @len:    of the data that follows (GET, status 0)
 * @quota:  enum ctm_bw_quota, with ENOSPC
 * @limit:  that quota, in bytes
 */
struct ctm_bw_answer {
	__le32 status;
	__le32 len;
	__le32 quota;
	__le32 flags;			/* CTM_BW_* */
	__le64 limit;
};
static_assert(sizeof(struct ctm_bw_answer) == 24, "wire");
#define CTM_BW_NEW	(1u << 0)	/* PUT: it did not belong to that owner before */

/* ---- calls ---- */

/** struct ctm_bw_mark - HAVE: a name, and what its owners come to */
struct ctm_bw_mark {
	__u8 name[CTM_PLACE_NAME];
	__le64 owners;			/* a sum over them: equal sets give equal sums */
};
static_assert(sizeof(struct ctm_bw_mark) == 40, "wire");

/** struct ctm_bw_have - the answer is a byte for each, enum ctm_bw_held */
struct ctm_bw_have {
	__le32 count;
	__le32 pad;
	struct ctm_bw_mark mark[];
};
enum ctm_bw_held { CTM_BW_NO, CTM_BW_YES, CTM_BW_DIFFERS };

/** enum ctm_bw_change_op - what is done to the blocks that are here */
enum ctm_bw_change_op {
	CTM_BW_LOCATE	= 1,
	CTM_BW_PIN	= 2,	/* belongs to by.uid, too */
	CTM_BW_DROP	= 3,	/* does not belong to by.uid any more */
	CTM_BW_DROP_FAMILY = 4,	/* nor to by.family */
	CTM_BW_DROP_ALL	= 5,	/* nor to anybody: ADMIN */
};

/** struct ctm_bw_change - @copies: PIN; else 1.  The answer: struct ctm_bw_changed for each name */
struct ctm_bw_change {
	__le16 op;
	__le16 copies;
	__le32 count;
	struct ctm_bw_by by;
	__u8 name[][CTM_PLACE_NAME];
};
static_assert(sizeof(struct ctm_bw_change) == 24, "wire");

/** struct ctm_bw_changed - @status: errno; ENOENT: it is not here.  @quota as in an answer */
struct ctm_bw_changed {
	__le32 status;
	__le32 len;
	__le32 copies;
	__le32 quota;
	__le64 limit;
};
static_assert(sizeof(struct ctm_bw_changed) == 24, "wire");

/** struct ctm_bw_merge - no answer but success, or -ENOENT */
struct ctm_bw_merge {
	__u8 name[CTM_PLACE_NAME];
	__le32 owners;
	__le32 copies;
	struct ctm_bw_owner owner[];
};

/** struct ctm_bw_family - the answer is a byte for each, enum ctm_family */
struct ctm_bw_family {
	__le32 count;
	__le32 pad;
	__le64 gpid[];
};

/** struct ctm_bw_status - the answer to STATUS; the fields are those of netlink's BLOCKS_GET */
struct ctm_bw_status {
	__le64 blocks, bytes, used, limit, owner_limit;
	__le64 pinned;			/* blocks with a user among their owners */
	__le64 under;			/* known to this node: one that should hold them does not, yet */
	__le64 in_flight;		/* blocks being sent or received just now */
	__le64 copied, dropped;		/* to others, and here, by repair and rebalancing */
	__le64 corrupt, repaired;	/* copies that were, and were replaced */
};
static_assert(sizeof(struct ctm_bw_status) == 96, "wire");

/**
 * ctm_bw_owner_sum() - one owner's part of ctm_bw_mark.owners
 * @who: the family, or the uid.  Not who stored it for a family, which copies may differ in
 */
static inline u64 ctm_bw_owner_sum(u32 kind, u64 who)
{
	u64 x = (who ^ (u64)kind << 56) * 0x9e3779b97f4a7c15ull;

	x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93ull;
	return x ^ (x >> 32);
}

/* ---- judging ---- */

static inline bool ctm_bw_owner_ok(const struct ctm_bw_owner *o)
{
	switch (le32_to_cpu(o->kind)) {
	case CTM_BW_FAMILY:
		return le64_to_cpu(o->family);
	case CTM_BW_USER:
		return !le64_to_cpu(o->family);
	}
	return false;
}

static inline bool ctm_bw_by_ok(const struct ctm_bw_by *by)
{
	return !(le32_to_cpu(by->flags) & ~CTM_BW_BY_ADMIN);
}

static inline bool ctm_bw_copies_ok(u32 copies)
{
	return copies >= 1 && copies <= CTM_PLACE_MAX;
}

/** ctm_bw_request_ok() - its owners still have to come, and to be judged */
static inline bool ctm_bw_request_ok(const struct ctm_bw_request *r)
{
	u32 owners = le16_to_cpu(r->owners);

	switch (le16_to_cpu(r->op)) {
	case CTM_BW_PUT:
		return owners >= 1 && owners <= CTM_BW_OWNERS_MAX &&
		       le32_to_cpu(r->len) <= CTM_BW_LEN_MAX &&
		       ctm_bw_copies_ok(le32_to_cpu(r->copies)) &&
		       !(le32_to_cpu(r->flags) & ~CTM_BW_COPY);
	case CTM_BW_GET:
		return !owners && r->len == cpu_to_le32(0) && r->copies == cpu_to_le32(0) &&
		       r->flags == cpu_to_le32(0) && ctm_bw_by_ok(&r->by);
	}
	return false;
}

/** ctm_bw_answer_ok() - @get: to a GET */
static inline bool ctm_bw_answer_ok(const struct ctm_bw_answer *a, bool get)
{
	if (le32_to_cpu(a->status) > 4095)
		return false;
	if (a->len != cpu_to_le32(0) && (!get || a->status != cpu_to_le32(0)))
		return false;
	return le32_to_cpu(a->len) <= CTM_BW_LEN_MAX;
}

static inline bool ctm_bw_count_ok(__le32 count, size_t len, size_t head, size_t each)
{
	u32 n = le32_to_cpu(count);

	return n >= 1 && n <= CTM_BW_NAMES_MAX && len == head + n * each;
}

static inline bool ctm_bw_have_ok(const struct ctm_bw_have *h, size_t len)
{
	return len >= sizeof(*h) && ctm_bw_count_ok(h->count, len, sizeof(*h), sizeof(h->mark[0]));
}

static inline bool ctm_bw_change_ok(const struct ctm_bw_change *c, size_t len)
{
	u32 op;

	if (len < sizeof(*c))
		return false;
	op = le16_to_cpu(c->op);
	return op >= CTM_BW_LOCATE && op <= CTM_BW_DROP_ALL && ctm_bw_by_ok(&c->by) &&
	       ctm_bw_copies_ok(le16_to_cpu(c->copies)) &&
	       ctm_bw_count_ok(c->count, len, sizeof(*c), sizeof(c->name[0]));
}

static inline bool ctm_bw_merge_ok(const struct ctm_bw_merge *m, size_t len)
{
	u32 i, n;

	if (len < sizeof(*m))
		return false;
	n = le32_to_cpu(m->owners);
	if (n < 1 || n > CTM_BW_OWNERS_MAX || len != sizeof(*m) + n * sizeof(m->owner[0]) ||
	    !ctm_bw_copies_ok(le32_to_cpu(m->copies)))
		return false;
	for (i = 0; i < n; i++)
		if (!ctm_bw_owner_ok(&m->owner[i]))
			return false;
	return true;
}

static inline bool ctm_bw_family_ok(const struct ctm_bw_family *f, size_t len)
{
	return len >= sizeof(*f) && ctm_bw_count_ok(f->count, len, sizeof(*f), sizeof(f->gpid[0]));
}

#endif /* CTM_CORE_BWIRE_H */
