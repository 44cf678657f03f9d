// SPDX-License-Identifier: GPL-2.0
/*
 * store_keep.c - the thread that keeps as many copies of each block as there should be
 *
 * A round looks at every block here, and asks the nodes to which it belongs (core/place)
 * whether they hold it.  No node knows where all copies are, and none has to:
 *
 *   - the highest-ranked node that holds a block copies it to those above and below that should
 *     and do not.  Others wait for it, and look again;
 *   - a copy that does not belong here goes when as many nodes of higher rank as there should be
 *     copies said just now that they hold it, with the same owners.
 *
 * So the copies of highest rank are never dropped, however rounds of several nodes overlap:
 * whoever drops one names enough others above itself, and the same holds for each of
 * these.  Ranks are the same wherever they are computed, for the members that a node
 * knows; a node that came back has another one, which shows (same_members()).  Nodes that are cut off count as gone, and get nothing; when
 * they are back, all belong where they did.
 *
 * A round comes a second after a node came or went, a few seconds after one that left
 * something to do, and once a minute.  The thread also lets go the blocks of families
 * that have ended, and replaces bad copies.  All its state is its own but for what is
 * noted; it holds no lock.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "net/peers.h"
#include "process.h"
#include "store_priv.h"
#include "trace.h"

#define LOOK		(2 * HZ)	/* families, and whether a round is due */
#define LOOK_EMPTY	(30 * HZ)
#define ROUND_SOON	HZ
#define ROUND_AGAIN	(4 * HZ)	/* something was left to do */
#define ROUND_IDLE	(60 * HZ)
#define BATCH		64u
#define MEMBERS_MAX	4097u

static unsigned int blocks_repair_mib_s = 64;
module_param(blocks_repair_mib_s, uint, 0644);
MODULE_PARM_DESC(blocks_repair_mib_s, "MiB a second that repair and rebalancing send from this node (0: unbounded)");

/* One thread a module. */
static struct {
	struct task_struct *thread;
	wait_queue_head_t wait;
	atomic_t kicked;
	/* written by the thread, read by anybody */
	u64 under, copied, dropped;
} keep = {
	.wait = __WAIT_QUEUE_HEAD_INITIALIZER(keep.wait),
};

/** struct round - one look at all blocks */
struct round {
	struct ctm_member *m;		/* this node is the first */
	struct ctm_member *again;	/* room for a second look at them */
	bool *full;			/* by member: it has no room, says it */
	unsigned int n;
	bool unsettled;			/* look again soon */
	u64 under;
	struct list_head todo;		/* blocks to copy, with references */
	struct batch *batch;
};

/** struct batch - some blocks, and what the others say of them */
struct batch {
	struct ctm_block_here *b[BATCH];
	struct ctm_bw_mark mark[BATCH];
	unsigned int top[BATCH][CTM_PLACE_MAX];	/* members, the highest first */
	unsigned int tops[BATCH];
	u8 held[BATCH][CTM_PLACE_MAX];	/* enum ctm_bw_held of each of these, or UNKNOWN */
	/* of the question to one of them */
	u8 at[BATCH][2];
	u8 answer[BATCH];
	struct ctm_bw_have ask;
	struct ctm_bw_mark asked[BATCH];
};
#define UNKNOWN	0xff
#define HERE	0xfe

int ctm_members_all(struct ctm_member **out)
{
	unsigned int n = min(ctm_peers_live() + 16, MEMBERS_MAX);

	*out = kvmalloc_array(n, sizeof(**out), GFP_KERNEL);
	if (!*out)
		return -ENOMEM;
	if (ctm_node_is_up()) {
		n = ctm_members(*out, n);
		/* it may have gone down meanwhile */
		if (n && (*out)->id)
			return n;
	}
	kvfree(*out);
	*out = NULL;
	return -ENETDOWN;
}

static bool disturbed(void)
{
	return kthread_should_stop() || atomic_read(&keep.kicked);
}

/* so that programs have the network, too */
static void throttle(u32 len)
{
	unsigned int rate = READ_ONCE(blocks_repair_mib_s);
	u64 ms = rate ? (u64)len * 1000 / ((u64)rate << 20) : 0;

	if (ms)
		wait_event_interruptible_timeout(keep.wait, disturbed(), msecs_to_jiffies(ms));
}

/* ---- asking ---- */

/* all blocks of the batch that belong to member @k, of that one */
static void ask_member(struct round *r, unsigned int n, unsigned int k)
{
	struct batch *t = r->batch;
	unsigned int i, at, asked = 0;

	for (i = 0; i < n; i++)
		for (at = 0; at < t->tops[i]; at++) {
			if (t->top[i][at] != k)
				continue;
			t->at[asked][0] = i;
			t->at[asked][1] = at;
			t->asked[asked++] = t->mark[i];
		}
	if (!asked)
		return;
	t->ask.count = cpu_to_le32(asked);
	if (ctm_ask_have(r->m[k].id, &t->ask, t->answer))
		return;
	for (i = 0; i < asked; i++)
		t->held[t->at[i][0]][t->at[i][1]] = t->answer[i];
}

static void ask_all(struct round *r, unsigned int n)
{
	struct batch *t = r->batch;
	unsigned int i, at, k;

	for (i = 0; i < n; i++) {
		ctm_block_mark(t->b[i], &t->mark[i]);
		t->tops[i] = ctm_place(t->b[i]->name, r->m, r->n, t->top[i], READ_ONCE(t->b[i]->copies));
		for (at = 0; at < t->tops[i]; at++)
			t->held[i][at] = t->top[i][at] ? UNKNOWN : HERE;
	}
	for (k = 1; k < r->n && !kthread_should_stop(); k++)
		ask_member(r, n, k);
}

/* ---- judging ---- */

/** struct verdict - of one block, by what those said to whom it belongs */
struct verdict {
	unsigned int held;	/* copies, the one here included */
	unsigned int same;	/* of the others: with the same owners */
	unsigned int missing, unknown;
	bool above;		/* one of higher rank holds it */
	bool mine;		/* it belongs here */
};

static struct verdict judge(const struct batch *t, unsigned int i)
{
	struct verdict v = { .held = 1 };
	unsigned int at;

	for (at = 0; at < t->tops[i]; at++) {
		switch (t->held[i][at]) {
		case HERE:
			v.mine = true;
			break;
		case CTM_BW_YES:
		case CTM_BW_DIFFERS:
			v.same += t->held[i][at] == CTM_BW_YES;
			v.held++;
			v.above |= !v.mine;
			break;
		case CTM_BW_NO:
			v.missing++;
			break;
		default:
			v.unknown++;
		}
	}
	return v;
}

static void to_do(struct round *r, struct ctm_block_here *b)
{
	if (!list_empty(&b->todo))	/* the walk came twice */
		return;
	kref_get(&b->ref);
	list_add_tail(&b->todo, &r->todo);
}

static void tell_owners(struct round *r, unsigned int i)
{
	struct batch *t = r->batch;
	unsigned int at;

	for (at = 0; at < t->tops[i]; at++)
		if (t->held[i][at] == CTM_BW_DIFFERS) {
			ctm_tell_merge(r->m[t->top[i][at]].id, t->b[i]);
			r->unsettled = true;
		}
}

/* Are the members still those by which ranks were judged?  One that came back has another rank. */
static bool same_members(struct round *r)
{
	return ctm_members(r->again, r->n + 1) == r->n &&
	       !memcmp(r->again, r->m, r->n * sizeof(*r->m));
}

static void look(struct round *r, unsigned int i)
{
	struct batch *t = r->batch;
	struct ctm_block_here *b = t->b[i];
	struct verdict v = judge(t, i);

	if (READ_ONCE(b->bad)) {
		to_do(r, b);
		return;
	}
	tell_owners(r, i);
	if (!v.mine && v.same == t->tops[i] && same_members(r)) {
		trace_block(b->name, CTM_BLOCK_LET_GO, b->data.len, ctm_node_id(), 0);
		ctm_block_let_go(b);
		WRITE_ONCE(keep.dropped, keep.dropped + 1);
		return;
	}
	if (v.unknown || !v.mine)
		r->unsettled = true;
	if (!v.missing || v.above)
		return;
	r->under++;
	to_do(r, b);
}

static void look_at_all(struct round *r)
{
	struct batch *t = r->batch;
	struct ctm_block_walk w;
	unsigned int n, i;

	ctm_block_walk_begin(&w);
	while (!kthread_should_stop() && (n = ctm_block_walk(&w, t->b, BATCH))) {
		ask_all(r, n);
		for (i = 0; i < n; i++) {
			look(r, i);
			ctm_block_put(t->b[i]);
		}
		cond_resched();
	}
	ctm_block_walk_end(&w);
}

/* ---- doing ---- */

static int copy_to(struct round *r, unsigned int k, struct ctm_block_here *b)
{
	struct ctm_short what = {};
	int err;

	if (r->full[k])
		return -ENOSPC;
	err = ctm_push(r->m[k].id, b, &what);
	if (err == -ENOSPC && what.quota == CTM_BW_OF_NODE)
		r->full[k] = true;
	if (!err)
		WRITE_ONCE(keep.copied, keep.copied + 1);
	throttle(b->data.len);
	return err;
}

static enum ctm_bw_held held_by(struct round *r, unsigned int k, struct ctm_block_here *b)
{
	struct batch *t = r->batch;

	ctm_block_mark(b, &t->asked[0]);
	t->ask.count = cpu_to_le32(1);
	if (ctm_ask_have(r->m[k].id, &t->ask, t->answer))
		return CTM_BW_NO;
	return t->answer[0];
}

/* of those that are not among the first @copies, one after another by rank; @last: the one before */
static int next_member(const struct round *r, const u8 *name, int last)
{
	int best = -1;
	unsigned int k;

	for (k = 0; k < r->n; k++) {
		if (!ctm_place_above(name, &r->m[last], &r->m[k]))
			continue;
		if (best < 0 || ctm_place_above(name, &r->m[k], &r->m[best]))
			best = k;
	}
	return best;
}

/*
 * Copies, from the highest rank on, until there are enough.  Whoever has no room is passed
 * over: then they stand further down than they should, until there is.
 */
static void copy_block(struct round *r, struct ctm_block_here *b)
{
	unsigned int copies = READ_ONCE(b->copies), held = 0, first;
	int k;

	if (!ctm_place(b->name, r->m, r->n, &first, 1))
		return;
	for (k = first; k >= 0 && held < copies && !disturbed(); k = next_member(r, b->name, k)) {
		if (!k || held_by(r, k, b) != CTM_BW_NO || !copy_to(r, k, b))
			held++;
	}
	if (held < min(copies, r->n))
		r->unsettled = true;
	else if (r->under)
		r->under--;
}

/* a good copy from anybody, in the place of a bad one */
static void mend_block(struct round *r, struct ctm_block_here *b)
{
	struct ctm_block_here *good;
	unsigned int k;

	for (k = 1; k < r->n && !kthread_should_stop(); k++) {
		good = ctm_fetch(r->m[k].id, b->name, b->data.len);
		if (IS_ERR(good))
			continue;
		ctm_block_replace(b, good);
		return;
	}
	r->unsettled = true;
}

static void do_all(struct round *r)
{
	struct ctm_block_here *b;

	while ((b = list_first_entry_or_null(&r->todo, struct ctm_block_here, todo))) {
		list_del_init(&b->todo);
		if (disturbed())
			r->unsettled = true;
		else if (READ_ONCE(b->bad))
			mend_block(r, b);
		else
			copy_block(r, b);
		WRITE_ONCE(keep.under, r->under);
		ctm_block_put(b);
	}
}

/* Return: is there something left to do? */
static bool make_round(void)
{
	struct round r = { .unsettled = false };
	int n;

	n = ctm_members_all(&r.m);
	if (n < 0)
		return n == -ENOMEM;
	r.n = n;
	INIT_LIST_HEAD(&r.todo);
	r.full = kvcalloc(n, sizeof(*r.full), GFP_KERNEL);
	r.again = kvcalloc(n + 1, sizeof(*r.again), GFP_KERNEL);
	r.batch = kvzalloc(sizeof(*r.batch), GFP_KERNEL);
	if (r.full && r.again && r.batch) {
		look_at_all(&r);
		WRITE_ONCE(keep.under, r.under);
		do_all(&r);
	} else {
		r.unsettled = true;
	}
	kvfree(r.batch);
	kvfree(r.again);
	kvfree(r.full);
	kvfree(r.m);
	return r.unsettled;
}

/* ---- families ---- */

/* does the whole cluster answer? */
static bool whole(void)
{
	struct ctm_peer_row *rows;
	bool ret = true;
	int n, i;

	n = ctm_peer_rows(&rows);
	for (i = 0; i < n; i++)
		ret &= rows[i].info.state == CTM_PEER_ALIVE || rows[i].info.state == CTM_PEER_LEFT;
	if (n >= 0)
		kvfree(rows);
	return n >= 0 && ret;
}

/* nobody has it, and nobody is missing: so it is nowhere */
static bool nowhere(u64 family)
{
	struct { struct ctm_bw_family f; __le64 gpid; } q = {
		.f.count = cpu_to_le32(1), .gpid = cpu_to_le64(family),
	};
	struct ctm_member *m;
	bool ret;
	u8 state;
	int n, k;

	n = ctm_members_all(&m);
	if (n < 0)
		return false;
	ret = whole();
	for (k = 0; k < n && ret; k++)
		ret = !ctm_ask_families(m[k].id, &q.f, &state) && state != CTM_FAMILY_LIVES;
	kvfree(m);
	return ret;
}

/* a home that has left for good answers nobody any more, one that is dead may come back */
static bool has_left(u32 home)
{
	struct ctm_peer_info info;

	return ctm_peer_by_id(home, &info) || info.state == CTM_PEER_LEFT;
}

/* @n families of one home */
static void look_at_families(struct ctm_bw_family *q, const u64 *family, unsigned int n)
{
	u32 home = CTM_GPID_NODE(family[0]);
	u8 state[BATCH] = {};		/* CTM_FAMILY_UNKNOWN */
	unsigned int i;

	q->count = cpu_to_le32(n);
	for (i = 0; i < n; i++)
		q->gpid[i] = cpu_to_le64(family[i]);
	if (ctm_ask_families(home, q, state) && !has_left(home))
		return;
	for (i = 0; i < n; i++)
		if (state[i] == CTM_FAMILY_ENDED ||
		    (state[i] == CTM_FAMILY_UNKNOWN && nowhere(family[i])))
			ctm_family_drop(family[i]);
}

static void families(void)
{
	struct ctm_bw_family *q;
	unsigned int n, i, same;
	u64 *some, after = 0;

	some = kmalloc_array(BATCH, sizeof(*some), GFP_KERNEL);
	q = kzalloc(struct_size(q, gpid, BATCH), GFP_KERNEL);
	while (some && q && !kthread_should_stop() && (n = ctm_families_here(some, BATCH, after))) {
		for (i = 0; i < n; i += same) {
			for (same = 1; i + same < n; same++)
				if (CTM_GPID_NODE(some[i + same]) != CTM_GPID_NODE(some[i]))
					break;
			look_at_families(q, some + i, same);
		}
		after = some[n - 1];
	}
	kfree(q);
	kfree(some);
}

/* ---- the thread ---- */

static int keeper_thread(void *arg)
{
	unsigned long due = jiffies + ROUND_IDLE, again = ROUND_AGAIN;

	while (!kthread_should_stop()) {
		bool empty = ctm_index_empty();
		long until = empty ? LOOK_EMPTY : LOOK;

		if (time_before(due, jiffies + until))
			until = max_t(long, due - jiffies, 1);
		wait_event_interruptible_timeout(keep.wait, disturbed() || (empty && !ctm_index_empty()),
						 until);
		if (atomic_xchg(&keep.kicked, 0)) {
			due = jiffies + ROUND_SOON;
			again = ROUND_AGAIN;
		}
		ctm_index_sync();
		ctm_tombs_sweep();
		if (!ctm_node_is_up() || ctm_index_empty()) {
			WRITE_ONCE(keep.under, 0);
			if (time_after_eq(jiffies, due))
				due = jiffies + ROUND_IDLE;
			continue;
		}
		families();
		if (time_before(jiffies, due))
			continue;
		if (!make_round())
			again = ROUND_IDLE;
		due = jiffies + again;
		again = min_t(unsigned long, 2 * again, ROUND_IDLE);
	}
	return 0;
}

void ctm_keep_kick(void)
{
	atomic_set(&keep.kicked, 1);
	wake_up(&keep.wait);
}

void ctm_keep_wake(void)
{
	wake_up(&keep.wait);
}

static void on_peer_change(u32 id, enum ctm_peer_state state, u64 boot)
{
	ctm_keep_kick();
}

void ctm_keep_status(struct ctm_bw_status *s)
{
	s->under = cpu_to_le64(READ_ONCE(keep.under));
	s->copied = cpu_to_le64(READ_ONCE(keep.copied));
	s->dropped = cpu_to_le64(READ_ONCE(keep.dropped));
}

int ctm_keep_init(void)
{
	keep.thread = kthread_run(keeper_thread, NULL, "ctm_blocks");
	if (IS_ERR(keep.thread))
		return PTR_ERR(keep.thread);
	ctm_node_on_peer_change(on_peer_change);
	return 0;
}

/* the network is gone: it waits for nobody */
void ctm_keep_exit(void)
{
	kthread_stop(keep.thread);
}
