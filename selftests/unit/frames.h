/* SPDX-License-Identifier: GPL-2.0 */
/*
 * frames.h - one right frame of each type
 */
#ifndef CTM_TEST_FRAMES_H
#define CTM_TEST_FRAMES_H

#include "../../module/core/handoff.h"

enum {
	FRAME_OFFER, FRAME_ACCEPT, FRAME_REFUSE, FRAME_BEGIN, FRAME_READY, FRAME_PREPARED, FRAME_COMMIT,
	FRAME_STARTED, FRAME_RELEASED, FRAME_ABORT, FRAME_QUERY, FRAME_ANSWER,
	FRAME_ANSWER_COMMITTED, FRAME_CHILDREN, FRAMES
};

struct frame {
	u8 bytes[4096] __attribute__((aligned(8)));
	u32 len;
	bool text;		/* ends in free text */
};

static const struct ctm_ho_id frame_id = {
	.gpid = CTM_GPID(3, 17), .epoch = 5, .attempt = 2, .src_boot = 100, .dst_boot = 200,
};

static inline void *frame_start(struct frame *f, enum ctm_ho_frame_type type, u32 payload)
{
	ctm_ho_frame_fill((void *)f->bytes, type, &frame_id, payload);
	f->len = sizeof(struct ctm_ho_frame) + payload;
	return f->bytes + sizeof(struct ctm_ho_frame);
}

static inline void frame_text(struct frame *f, enum ctm_ho_frame_type type, const char *text)
{
	struct ctm_ho_text *t = frame_start(f, type, sizeof(*t) + strlen(text));

	t->error = cpu_to_le32(5);
	memcpy(t->text, text, strlen(text));
	f->text = true;
}

static inline void frame_commit(struct ctm_ho_commit *c)
{
	struct ctm_rec_applied *a;
	u32 i;

	c->npending = cpu_to_le32(2);
	for (i = 0; i < 2; i++) {
		c->pending[i].signo = 10 + i;
		c->pending[i].siginfo[0] = 10 + i;
	}
	c->napplied = cpu_to_le32(1);
	a = (void *)(c->pending + 2);
	a->boot = 1;
	a->floor = 2;
	a->node = 3;
}

#define FRAME_COMMIT_LEN (sizeof(struct ctm_ho_commit) + 2 * sizeof(struct ctm_rec_pending) + \
			  sizeof(struct ctm_rec_applied))

static inline void frame_build(struct frame *f, unsigned int which)
{
	struct ctm_ho_offer *o;
	struct ctm_ho_accept *a;
	struct ctm_ho_begin *b;
	struct ctm_ho_query *q;
	struct ctm_ho_answer *n;
	struct ctm_ho_children *c;

	memset(f, 0, sizeof(*f));
	switch (which) {
	case FRAME_OFFER:
		o = frame_start(f, CTM_HO_FRAME_OFFER, sizeof(*o) + 16);
		o->ttl_max = cpu_to_le32(32);
		o->threads = cpu_to_le32(1);
		o->nidents = cpu_to_le32(1);
		o->ident_bytes = cpu_to_le32(16);
		memcpy(o->comm, "program", 7);
		o->family = cpu_to_le64(CTM_GPID(3, 16));
		break;
	case FRAME_ACCEPT:
		a = frame_start(f, CTM_HO_FRAME_ACCEPT, sizeof(*a) + 2);
		a->mono_rx = cpu_to_le64(5);
		a->mono_tx = cpu_to_le64(6);
		a->nidents = cpu_to_le32(11);
		a->bits[1] = 7;
		break;
	case FRAME_REFUSE:
		frame_text(f, CTM_HO_FRAME_REFUSE, "n2: no room");
		break;
	case FRAME_BEGIN:
		b = frame_start(f, CTM_HO_FRAME_BEGIN, sizeof(*b));
		b->mono_off_ns = cpu_to_le64(-1000ull);
		b->leader = cpu_to_le32(17);
		b->hole = cpu_to_le64(0x100000000000ull);
		b->hole_len = cpu_to_le64(CTM_HOLE_BYTES + 3 * CTM_HOLE_PER_THREAD);
		break;
	case FRAME_READY:
		frame_start(f, CTM_HO_FRAME_READY, 0);
		break;
	case FRAME_PREPARED:
		frame_start(f, CTM_HO_FRAME_PREPARED, 0);
		break;
	case FRAME_COMMIT:
		frame_commit(frame_start(f, CTM_HO_FRAME_COMMIT, FRAME_COMMIT_LEN));
		break;
	case FRAME_STARTED:
		frame_start(f, CTM_HO_FRAME_STARTED, 0);
		break;
	case FRAME_RELEASED:
		frame_start(f, CTM_HO_FRAME_RELEASED, 0);
		break;
	case FRAME_ABORT:
		frame_text(f, CTM_HO_FRAME_ABORT, "fd 3: gone");
		break;
	case FRAME_QUERY:
		q = frame_start(f, CTM_HO_FRAME_QUERY, sizeof(*q));
		q->outcome = cpu_to_le32(CTM_HO_PREPARED);
		break;
	case FRAME_ANSWER:
		n = frame_start(f, CTM_HO_FRAME_ANSWER, sizeof(*n));
		n->outcome = cpu_to_le32(CTM_HO_ABORTED);
		break;
	case FRAME_ANSWER_COMMITTED:
		n = frame_start(f, CTM_HO_FRAME_ANSWER, sizeof(*n) + FRAME_COMMIT_LEN);
		n->outcome = cpu_to_le32(CTM_HO_COMMITTED);
		n->commit_len = cpu_to_le32(FRAME_COMMIT_LEN);
		frame_commit((void *)(n + 1));
		break;
	case FRAME_CHILDREN:
		c = frame_start(f, CTM_HO_FRAME_CHILDREN, sizeof(*c) + 2 * sizeof(c->child[0]));
		c->count = cpu_to_le32(2);
		c->child[0].gpid = cpu_to_le64(CTM_GPID(3, 18));
		c->child[1].gpid = cpu_to_le64(CTM_GPID(3, 19));
		c->child[1].index = cpu_to_le32(CTM_FORK_MAX - 1);
		break;
	}
}

#endif /* CTM_TEST_FRAMES_H */
