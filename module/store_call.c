// SPDX-License-Identifier: GPL-2.0
/*
 * store_call.c - blocks on behalf of programs: PUT, GET, PIN, DROP, LOCATE
 *
 * All is done by the calling thread itself, which so can be killed, and frozen (the call is
 * then made again, here or at another host: doing it twice changes nothing).  What makes it fast is that
 * requests are sent for a window of blocks, to all nodes, before the first answer is waited
 * for; whatever does not go well then is done again by itself, node after node.
 *
 * Requests never wait for answers to be read at the other end, and answers with data are
 * read in the order of the requests: nobody waits in a circle.
 */
#include <linux/capability.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "process.h"
#include "store_priv.h"

#define PUT_WINDOW	8u
#define GET_WINDOW	32u
#define WINDOW_LINKS	(PUT_WINDOW * CTM_PLACE_MAX)	/* nodes that a window may need */
#define LINKS		(2 * WINDOW_LINKS)
#define SILENT_WAIT	(40 * HZ)	/* for a silent node to be found dead: see core/member */
#define SILENT_MS	500u
#define HOLDERS_MAX	4096u

/** struct link - a connection of this call; NULL: it failed */
struct link {
	u32 node;
	struct ctm_conn *c;
};

/** struct item - one block on its way */
struct item {
	struct ctm_block u;
	struct ctm_span span;
	int err;
	struct ctm_short what;			/* with -ENOSPC, ... */
	u32 node;				/* ... there; or the one that does not answer */
	bool done;				/* GET */
	/* PUT: who holds it, and for whom that is news */
	struct ctm_member held[CTM_PLACE_MAX];
	bool new[CTM_PLACE_MAX];
	unsigned int held_n;
	/* requests without an answer yet, in their order */
	struct { struct link *l; unsigned int member; } asked[CTM_PLACE_MAX];
	unsigned int asked_n;
};

struct op {
	struct ctm_bw_by by;
	struct ctm_owner owner;			/* PUT */
	u32 copies;
	struct ctm_member *m;
	unsigned int n;
	int stop;				/* killed or frozen: an end of everything */
	unsigned int links_n;
	struct link links[LINKS];
	unsigned int items_n;
	struct item items[];
};

/* ---- an operation ---- */

static struct op *op_new(unsigned int items)
{
	struct op *op = kvzalloc(struct_size(op, items, items), GFP_KERNEL_ACCOUNT);
	struct ctm_process *p;

	if (!op)
		return NULL;
	p = ctm_process_of_task(current);
	op->by.uid = cpu_to_le32(from_kuid(&init_user_ns, current_uid()));
	op->by.flags = cpu_to_le32(capable(CAP_SYS_ADMIN) ? CTM_BW_BY_ADMIN : 0);
	op->by.family = cpu_to_le64(p ? p->family : 0);
	ctm_process_put(p);
	return op;
}

static int op_members(struct op *op)
{
	int n;

	kvfree(op->m);
	n = ctm_members_all(&op->m);
	if (n < 0) {
		op->m = NULL;
		op->n = 0;
		return n;
	}
	op->n = n;
	return 0;
}

/* with nothing under way on any of them, but after a stop */
static void links_put(struct op *op)
{
	unsigned int i;

	for (i = 0; i < op->links_n; i++) {
		if (op->links[i].c && !op->stop)
			ctm_conn_keep(op->links[i].c);
		else
			ctm_conn_close(op->links[i].c);
	}
	op->links_n = 0;
}

static void op_free(struct op *op)
{
	links_put(op);
	kvfree(op->m);
	kvfree(op);
}

static int note_stop(struct op *op, int err)
{
	if (err == -EINTR || err == -ERESTARTSYS)
		op->stop = err;
	return err;
}

/* to @node; one that failed is not tried again before link_again() */
static struct link *link_to(struct op *op, u32 node, unsigned int timeout_ms, int *err)
{
	struct link *l;
	unsigned int i;

	*err = -EHOSTUNREACH;
	for (i = 0; i < op->links_n; i++)
		if (op->links[i].node == node)
			return op->links[i].c ? &op->links[i] : NULL;
	/* not within a window, see windows(): one block is asked for, and nothing is under way */
	if (op->links_n == LINKS)
		links_put(op);
	l = &op->links[op->links_n++];
	l->node = node;
	l->c = ctm_conn_borrow(node, CTM_CHANNEL_BLOCK, timeout_ms);
	if (IS_ERR(l->c)) {
		*err = note_stop(op, PTR_ERR(l->c));
		l->c = NULL;
		return NULL;
	}
	ctm_conn_set_timeout(l->c, timeout_ms);
	return l;
}

static int link_broken(struct op *op, struct link *l, int err)
{
	ctm_conn_close(l->c);
	l->c = NULL;
	return note_stop(op, err);
}

static void link_again(struct op *op)
{
	unsigned int i, k = 0;

	for (i = 0; i < op->links_n; i++)
		if (op->links[i].c)
			op->links[k++] = op->links[i];
	op->links_n = k;
}

/* errors of the way there, after which nothing is known of the block */
static bool silent(int err)
{
	switch (err) {
	case -ENOSPC: case -ENOMEM: case -ENOENT: case -EPERM: case -EUCLEAN: case -EBADMSG:
	case -EFAULT: case -EMSGSIZE: case -ESTALE: case 0:
		return false;
	}
	return true;
}

/* the worst one is told: of what says most */
static void item_fail(struct item *it, int err, u32 node, const struct ctm_short *what)
{
	static const int order[] = { -ENOENT, -EUCLEAN, -ENOMEM, -ENOSPC, -EPERM, -EMSGSIZE,
				     -EBADMSG, -EFAULT };
	int i, old = -1, new = -1;

	/* whoever does not answer ranks above ENOENT, which is no longer certain then */
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		if (it->err == order[i])
			old = 2 * i;
		if (err == order[i])
			new = 2 * i;
	}
	old = !it->err ? -1 : old < 0 ? 1 : old;
	new = new < 0 ? 1 : new;
	if (new <= old)
		return;
	it->err = err;
	it->node = node;
	if (what)
		it->what = *what;
}

/* the next of all members by rank; @last < 0: the first.  -1: that was all */
static int next_by_rank(const struct op *op, const u8 *name, int last)
{
	int best = -1;
	unsigned int k;

	for (k = 0; k < op->n; k++) {
		if (last >= 0 && !ctm_place_above(name, &op->m[last], &op->m[k]))
			continue;
		if (best < 0 || ctm_place_above(name, &op->m[k], &op->m[best]))
			best = k;
	}
	return best;
}

/* ---- what is said of an error ---- */

static void say_full(char *why, const struct item *it, const struct op *op)
{
	char node[CTM_NAME_MAX];
	u64 mib = it->what.limit >> 20;

	ctm_peer_name(it->node, node);
	switch (it->what.quota) {
	case CTM_BW_OF_FAMILY:
		snprintf(why, CTM_REASON_MAX, "node %s: the quota of family #%08x.%u is used up: %llu MiB (blocks_owner_mib)",
			 node, CTM_GPID_NODE(op->owner.family), CTM_GPID_SEQ(op->owner.family), mib);
		break;
	case CTM_BW_OF_USER:
		snprintf(why, CTM_REASON_MAX, "node %s: the quota of user %u is used up: %llu MiB (blocks_owner_mib)",
			 node, le32_to_cpu(op->by.uid), mib);
		break;
	case CTM_BW_OF_BLOCK:
		snprintf(why, CTM_REASON_MAX, "node %s: the block has %u owners already", node, CTM_BW_OWNERS_MAX);
		break;
	default:
		snprintf(why, CTM_REASON_MAX, "node %s: its quota for blocks is used up: %llu MiB (blocks_node_mib)",
			 node, mib);
	}
}

static void say(char *why, const struct item *it, const struct op *op)
{
	char node[CTM_NAME_MAX];

	switch (it->err) {
	case -ENOSPC:
		say_full(why, it, op);
		return;
	case -ENOENT:
		strscpy(why, "no such block in the cluster", CTM_REASON_MAX);
		return;
	case -EPERM:
		strscpy(why, "the block belongs to somebody else", CTM_REASON_MAX);
		return;
	case -E2BIG:
		snprintf(why, CTM_REASON_MAX, "a block has at most %u bytes", CTM_BLOCK_MAX);
		return;
	case -EMSGSIZE:
		snprintf(why, CTM_REASON_MAX, "the block has %u bytes, more than there is room for", it->u.len);
		return;
	case -EBADMSG:
		strscpy(why, "the content changed while it was stored", CTM_REASON_MAX);
		return;
	case -EUCLEAN:
		strscpy(why, "there are only corrupted copies of the block", CTM_REASON_MAX);
		return;
	case -EFAULT: case -EINVAL:
		return;
	}
	ctm_peer_name(it->node, node);
	if (silent(it->err))
		snprintf(why, CTM_REASON_MAX, "node %s, which may hold it, does not answer", node);
	else
		snprintf(why, CTM_REASON_MAX, "node %s: error %d", node, -it->err);
}

/* what a caller sees: not what the way there was like */
static int errno_of(int err)
{
	return silent(err) && err != -EINVAL && err != -E2BIG ? -EHOSTUNREACH : err;
}

/* ---- the list ---- */

static int item_load(struct item *it, const struct ctm_blocks *arg, unsigned int at)
{
	const struct ctm_block __user *list = u64_to_user_ptr(arg->list);

	memset(it, 0, sizeof(*it));
	if (copy_from_user(&it->u, &list[at], sizeof(it->u)))
		return -EFAULT;
	if (it->u.flags)
		it->err = -EINVAL;
	it->u.error = 0;
	it->u.copies = 0;
	return 0;
}

static int item_store(struct item *it, struct ctm_blocks *arg, unsigned int at, const struct op *op,
		      int *first)
{
	struct ctm_block __user *list = u64_to_user_ptr(arg->list);

	it->u.error = -errno_of(it->err);
	if (!it->err) {
		arg->done++;
	} else if (!*first) {
		*first = errno_of(it->err);
		say(arg->reason, it, op);
	}
	return copy_to_user(&list[at], &it->u, sizeof(it->u)) ? -EFAULT : 0;
}

/* ---- PUT ---- */

static void put_held(struct op *op, struct item *it, unsigned int member, bool new)
{
	if (it->held_n == CTM_PLACE_MAX)
		return;
	it->new[it->held_n] = new;
	it->held[it->held_n++] = op->m[member];
}

static int put_here(struct op *op, struct item *it, bool *new, struct ctm_short *what)
{
	struct ctm_block_here *b;
	u8 name[CTM_BLOCK_NAME];
	int err;

	b = ctm_block_begin(it->u.name, it->u.len, op->copies, &op->owner, 1, false, what, new);
	if (IS_ERR(b))
		return PTR_ERR(b);
	if (b->indexed) {
		ctm_block_put(b);
		return 0;
	}
	err = ctm_span_copy(&b->data, &it->span, name);
	if (!err && memcmp(name, b->name, sizeof(name)))
		err = -EBADMSG;
	if (err) {
		ctm_block_put(b);
		return err;
	}
	return ctm_block_commit(b, false);
}

/* to one member: done, or under way */
static void put_send(struct op *op, struct item *it, unsigned int member)
{
	u32 node = op->m[member].id;
	struct ctm_short what = {};
	bool new = false;
	struct link *l;
	int err;

	if (!member) {
		err = put_here(op, it, &new, &what);
		if (err)
			item_fail(it, err, node, &what);
		else
			put_held(op, it, member, new);
		return;
	}
	l = link_to(op, node, CTM_LINK_PUT_MS, &err);
	if (l) {
		err = ctm_link_put(l->c, it->u.name, &it->span, op->copies, &op->owner, 1, false);
		if (!err) {
			it->asked[it->asked_n].l = l;
			it->asked[it->asked_n++].member = member;
			return;
		}
		link_broken(op, l, err);
	}
	item_fail(it, err, node, NULL);
}

static void put_answers(struct op *op, struct item *it)
{
	unsigned int i;

	for (i = 0; i < it->asked_n && !op->stop; i++) {
		struct link *l = it->asked[i].l;
		unsigned int member = it->asked[i].member;
		struct ctm_said said = {};
		int err = -ECONNRESET;

		if (l->c) {
			err = ctm_link_answer(l->c, false, &said);
			if (err)
				link_broken(op, l, err);
			else
				err = said.err;
		}
		/* a member is the boot it was when it was chosen */
		if (!err && ctm_conn_peer_boot(l->c) == op->m[member].boot)
			put_held(op, it, member, said.new);
		else
			item_fail(it, err ?: -ECONNRESET, op->m[member].id, &said.what);
	}
	it->asked_n = 0;
}

static bool holds(const struct item *it, const struct ctm_member *m)
{
	unsigned int i;

	for (i = 0; i < it->held_n; i++)
		if (it->held[i].id == m->id && it->held[i].boot == m->boot)
			return true;
	return false;
}

/* those that died since then hold it no more */
static void put_recount(const struct op *op, struct item *it)
{
	unsigned int i, k, n = 0;

	for (i = 0; i < it->held_n; i++)
		for (k = 0; k < op->n; k++)
			if (op->m[k].id == it->held[i].id && op->m[k].boot == it->held[i].boot) {
				it->new[n] = it->new[i];
				it->held[n++] = it->held[i];
				break;
			}
	it->held_n = n;
}

static bool put_enough(const struct op *op, const struct item *it)
{
	return it->held_n >= min(op->copies, op->n);
}

/* all members by rank, until enough hold it */
static void put_round(struct op *op, struct item *it)
{
	int k = -1;

	it->err = 0;
	while (!put_enough(op, it) && !op->stop && it->err != -EFAULT && it->err != -EBADMSG) {
		k = next_by_rank(op, it->u.name, k);
		if (k < 0)
			break;
		if (holds(it, &op->m[k]))
			continue;
		put_send(op, it, k);
		put_answers(op, it);
	}
}

static void put_settle(struct op *op, struct item *it)
{
	unsigned long end = jiffies + SILENT_WAIT;
	int err;

	while (!op->stop) {
		err = op_members(op);
		if (err) {
			it->err = err;
			return;
		}
		put_recount(op, it);
		if (put_enough(op, it)) {
			it->err = 0;
			return;
		}
		put_round(op, it);
		if (put_enough(op, it))
			continue;	/* do they hold it still? */
		if (!silent(it->err) || time_after(jiffies, end))
			return;
		note_stop(op, ctm_pause(SILENT_MS));
		link_again(op);
	}
}

/* what was stored of a block that failed is nobody's */
static void put_undo(struct op *op, struct item *it)
{
	struct { struct ctm_bw_change c; u8 name[CTM_BLOCK_NAME]; } q = {
		.c.op = cpu_to_le16(op->owner.kind == CTM_BW_USER ? CTM_BW_DROP : CTM_BW_DROP_FAMILY),
		.c.copies = cpu_to_le16(1), .c.count = cpu_to_le32(1), .c.by = op->by,
	};
	struct ctm_bw_changed out;
	unsigned int i;

	memcpy(q.name, it->u.name, sizeof(q.name));
	for (i = 0; i < it->held_n; i++)
		if (it->new[i])
			ctm_ask_change(it->held[i].id, &q.c, &out);
}

static void put_begin(struct op *op, struct item *it)
{
	unsigned int top[CTM_PLACE_MAX], n, i;

	if (it->err)
		return;
	n = ctm_place(it->u.name, op->m, op->n, top, op->copies);
	for (i = 0; i < n && !op->stop; i++)
		put_send(op, it, top[i]);
}

static void put_name(struct item *it)
{
	if (!it->err && it->u.len > CTM_BLOCK_MAX)
		it->err = -E2BIG;
	if (it->err)
		return;
	it->span = (struct ctm_span){ .user = true, .at = it->u.buf, .len = it->u.len };
	it->err = ctm_span_hash(&it->span, it->u.name);
}

static void put_end(struct op *op, struct item *it)
{
	/* what is wrong with the block itself no other node can help */
	if (it->err == -EFAULT || it->err == -EBADMSG || it->err == -EINVAL || it->err == -E2BIG)
		goto undo;
	put_settle(op, it);
	it->u.copies = it->held_n;
	if (!it->err && it->held_n < op->copies)
		it->u.flags |= CTM_BLOCK_DEGRADED;
undo:
	if (it->err && !op->stop)
		put_undo(op, it);
}

static void put_window(struct op *op)
{
	unsigned int i;

	for (i = 0; i < op->items_n; i++) {
		put_name(&op->items[i]);
		put_begin(op, &op->items[i]);
	}
	for (i = 0; i < op->items_n && !op->stop; i++)
		put_answers(op, &op->items[i]);
	for (i = 0; i < op->items_n && !op->stop; i++)
		put_end(op, &op->items[i]);
}

/* ---- GET ---- */

static struct ctm_span room(const struct item *it, u32 len)
{
	return (struct ctm_span){ .user = true, .at = it->u.buf, .len = len };
}

static void get_done(struct item *it, u32 len)
{
	it->u.len = len;
	it->err = 0;
	it->done = true;
}

static void get_here(struct op *op, struct item *it)
{
	struct ctm_block_here *b = ctm_block_find(it->u.name);
	u8 name[CTM_BLOCK_NAME];
	struct ctm_span to;
	int err;

	if (!b)
		return;
	err = READ_ONCE(b->bad) ? -EUCLEAN : ctm_block_may_read(b, &op->by);
	if (!err && b->data.len > it->u.len) {
		it->u.len = b->data.len;
		err = -EMSGSIZE;
	}
	if (!err) {
		to = room(it, b->data.len);
		err = ctm_span_copy(&to, &b->data, name);
		if (!err && memcmp(name, b->name, sizeof(name))) {
			ctm_block_is_bad(b);
			err = -EUCLEAN;
		}
	}
	if (err)
		item_fail(it, err, ctm_node_id(), NULL);
	else
		get_done(it, b->data.len);
	ctm_block_put(b);
}

/* the data of an answer.  0 or the connection's error */
static int get_data(struct ctm_conn *c, struct item *it, const struct ctm_said *said)
{
	struct ctm_span to = room(it, said->len);
	u8 name[CTM_BLOCK_NAME];
	int err, lost;

	if (said->len > it->u.len) {
		it->u.len = said->len;
		item_fail(it, -EMSGSIZE, ctm_conn_peer(c), NULL);
		return ctm_span_drain(c, said->len);
	}
	err = ctm_span_recv(c, &to, name, &lost);
	if (err)
		return err;
	if (lost)
		item_fail(it, lost, ctm_node_id(), NULL);
	else if (memcmp(name, it->u.name, sizeof(name)))
		item_fail(it, -EUCLEAN, ctm_conn_peer(c), NULL);
	else
		get_done(it, said->len);
	return 0;
}

static void get_send(struct op *op, struct item *it, unsigned int member)
{
	u32 node = op->m[member].id;
	struct link *l;
	int err;

	l = link_to(op, node, CTM_LINK_GET_MS, &err);
	if (l) {
		err = ctm_link_get(l->c, it->u.name, &op->by);
		if (!err) {
			it->asked[0].l = l;
			it->asked[0].member = member;
			it->asked_n = 1;
			return;
		}
		link_broken(op, l, err);
	}
	item_fail(it, err, node, NULL);
}

static void get_answer(struct op *op, struct item *it)
{
	struct link *l = it->asked[0].l;
	struct ctm_said said;
	int err = -ECONNRESET;
	u32 node;

	if (!it->asked_n)
		return;
	it->asked_n = 0;
	node = l->node;
	if (l->c) {
		err = ctm_link_answer(l->c, true, &said);
		if (!err && !said.err)
			err = get_data(l->c, it, &said);
		else if (!err)
			item_fail(it, said.err, node, NULL);
		if (err)
			link_broken(op, l, err);
	}
	if (err)
		item_fail(it, err, node, NULL);
}

static bool get_over(const struct op *op, const struct item *it)
{
	return it->done || op->stop || it->err == -EFAULT || it->err == -EMSGSIZE || it->err == -EINVAL;
}

static void get_round(struct op *op, struct item *it)
{
	int k = -1;

	while (!get_over(op, it)) {
		k = next_by_rank(op, it->u.name, k);
		if (k < 0)
			break;
		if (!k)
			continue;
		get_send(op, it, k);
		get_answer(op, it);
	}
}

/* Twice: on its way from one node to another it may stand behind the one that looks for it. */
static void get_settle(struct op *op, struct item *it)
{
	int err;

	get_round(op, it);
	if (get_over(op, it) || (it->err != -ENOENT && it->err))
		return;
	err = op_members(op);
	if (err) {
		it->err = err;
		return;
	}
	get_here(op, it);
	get_round(op, it);
	if (!it->done && !it->err)
		it->err = -ENOENT;
}

static void get_begin(struct op *op, struct item *it)
{
	unsigned int top[2], n;

	if (it->err)
		return;
	get_here(op, it);
	if (get_over(op, it))
		return;
	/* not here, so it is at the first of the others */
	n = ctm_place(it->u.name, op->m, op->n, top, 2);
	if (n && top[0])
		get_send(op, it, top[0]);
	else if (n > 1)
		get_send(op, it, top[1]);
}

static void get_window(struct op *op)
{
	unsigned int i;

	for (i = 0; i < op->items_n && !op->stop; i++)
		get_begin(op, &op->items[i]);
	for (i = 0; i < op->items_n && !op->stop; i++)
		get_answer(op, &op->items[i]);
	for (i = 0; i < op->items_n && !op->stop; i++)
		if (!get_over(op, &op->items[i]))
			get_settle(op, &op->items[i]);
}

/* ---- windows of PUT and GET ---- */

static int windows(struct op *op, struct ctm_blocks *arg, unsigned int window,
		   void (*fn)(struct op *op))
{
	unsigned int at, i;
	int err = 0, first = 0;

	for (at = 0; at < arg->count; at += op->items_n) {
		op->items_n = min(window, arg->count - at);
		for (i = 0; i < op->items_n; i++) {
			err = item_load(&op->items[i], arg, at + i);
			if (err)
				return err;
		}
		err = op_members(op);
		if (err)
			return err;
		if (op->links_n > LINKS - WINDOW_LINKS)
			links_put(op);
		atomic_add(op->items_n, &ctm_blocks_moving);
		fn(op);
		atomic_sub(op->items_n, &ctm_blocks_moving);
		if (op->stop)
			return op->stop;
		link_again(op);
		for (i = 0; i < op->items_n; i++) {
			err = item_store(&op->items[i], arg, at + i, op, &first);
			if (err)
				return err;
		}
	}
	return first;
}

static int put(struct ctm_blocks *arg)
{
	struct op *op;
	int err;

	op = op_new(min(arg->count, PUT_WINDOW));
	if (!op)
		return -ENOMEM;
	op->copies = arg->copies ?: CTM_BLOCK_COPIES;
	op->owner.uid = le32_to_cpu(op->by.uid);
	if (arg->flags & CTM_BLOCKS_PIN) {
		op->owner.kind = CTM_BW_USER;
	} else if (op->by.family) {
		op->owner.kind = CTM_BW_FAMILY;
		op->owner.family = le64_to_cpu(op->by.family);
	} else {
		strscpy(arg->reason, "the caller is no Continuum process: its blocks have to be pinned",
			CTM_REASON_MAX);
		err = -ESRCH;
		goto out;
	}
	err = windows(op, arg, PUT_WINDOW, put_window);
out:
	op_free(op);
	return err;
}

static int get(struct ctm_blocks *arg)
{
	struct op *op;
	int err;

	op = op_new(min(arg->count, GET_WINDOW));
	if (!op)
		return -ENOMEM;
	err = windows(op, arg, GET_WINDOW, get_window);
	op_free(op);
	return err;
}

/* ---- PIN, DROP ---- */

/* @err of node @node, for a block that other nodes may say otherwise of */
static void changed(struct item *it, int err, u32 node, const struct ctm_bw_changed *c)
{
	struct ctm_short what = {};

	if (c)
		what = (struct ctm_short){ .quota = le32_to_cpu(c->quota), .limit = le64_to_cpu(c->limit) };
	if (err)
		item_fail(it, err, node, &what);
	else
		it->done = true;
}

/* it was done somewhere: that it is nowhere else is no error */
static void change_end(struct item *it, bool drop)
{
	if (it->done && (it->err == -ENOENT || (!drop && silent(it->err))))
		it->err = 0;
}

static int change_all(struct op *op, struct ctm_blocks *arg, enum ctm_bw_change_op type)
{
	struct ctm_bw_changed *out;
	struct ctm_bw_change *c;
	unsigned int i, k;
	int err = -ENOMEM;

	c = kvzalloc(struct_size(c, name, arg->count), GFP_KERNEL);
	out = kvcalloc(arg->count, sizeof(*out), GFP_KERNEL);
	if (!c || !out)
		goto out;
	c->op = cpu_to_le16(type);
	c->copies = cpu_to_le16(op->copies);
	c->count = cpu_to_le32(arg->count);
	c->by = op->by;
	for (i = 0; i < arg->count; i++)
		memcpy(c->name[i], op->items[i].u.name, CTM_BLOCK_NAME);
	for (k = 0; k < op->n; k++) {
		err = note_stop(op, ctm_ask_change(op->m[k].id, c, out));
		if (op->stop)
			break;
		for (i = 0; i < arg->count; i++)
			changed(&op->items[i], err ?: -(int)le32_to_cpu(out[i].status), op->m[k].id,
				err ? NULL : &out[i]);
	}
	err = op->stop;
out:
	kvfree(out);
	kvfree(c);
	return err;
}

static int change(struct ctm_blocks *arg, enum ctm_bw_change_op type)
{
	int err, first = 0;
	unsigned int i;
	struct op *op;

	op = op_new(arg->count);
	if (!op)
		return -ENOMEM;
	op->copies = type == CTM_BW_PIN ? arg->copies ?: CTM_BLOCK_COPIES : 1;
	op->items_n = arg->count;
	for (i = 0, err = 0; i < arg->count && !err; i++) {
		err = item_load(&op->items[i], arg, i);
		if (!err)
			err = op->items[i].err;
	}
	if (!err)
		err = op_members(op);
	if (!err)
		err = change_all(op, arg, type);
	for (i = 0; i < arg->count && !err; i++) {
		change_end(&op->items[i], type != CTM_BW_PIN);
		err = item_store(&op->items[i], arg, i, op, &first);
	}
	op_free(op);
	return err ?: first;
}

static int drop(struct ctm_blocks *arg)
{
	if (arg->flags & CTM_BLOCKS_ALL) {
		if (arg->flags & CTM_BLOCKS_FAMILY)
			return -EINVAL;
		if (capable(CAP_SYS_ADMIN))
			return change(arg, CTM_BW_DROP_ALL);
		strscpy(arg->reason, "only root may drop blocks of others", CTM_REASON_MAX);
		return -EPERM;
	}
	return change(arg, arg->flags & CTM_BLOCKS_FAMILY ? CTM_BW_DROP_FAMILY : CTM_BW_DROP);
}

/* ---- the doors ---- */

static bool flags_ok(unsigned int nr, __u32 flags)
{
	switch (nr) {
	case CTM_IOC_PUT:
		return !(flags & ~CTM_BLOCKS_PIN);
	case CTM_IOC_DROP:
		return !(flags & ~(CTM_BLOCKS_FAMILY | CTM_BLOCKS_ALL));
	}
	return !flags;
}

int ctm_store_call(unsigned int nr, struct ctm_blocks *arg)
{
	bool copies_ok = nr == CTM_IOC_PUT || nr == CTM_IOC_PIN ?
		arg->copies <= CTM_BLOCK_COPIES_MAX : !arg->copies;

	arg->done = 0;
	arg->reason[0] = 0;
	if (!arg->count || arg->count > CTM_BLOCKS_MAX || arg->pad || !copies_ok ||
	    !flags_ok(nr, arg->flags))
		return -EINVAL;
	if (!ctm_node_is_up())
		return -ENETDOWN;
	ctm_index_sync();
	switch (nr) {
	case CTM_IOC_PUT:
		return put(arg);
	case CTM_IOC_GET:
		return get(arg);
	case CTM_IOC_PIN:
		return change(arg, CTM_BW_PIN);
	case CTM_IOC_DROP:
		return drop(arg);
	}
	return -ENOTTY;
}

static int put_holder(struct ctm_locate *arg, u32 node)
{
	struct ctm_holder __user *list = u64_to_user_ptr(arg->holders);
	struct ctm_holder h = { .node = node };

	if (arg->count++ >= arg->room)
		return 0;
	ctm_peer_name(node, h.name);
	return copy_to_user(&list[arg->count - 1], &h, sizeof(h)) ? -EFAULT : 0;
}

int ctm_store_locate(struct ctm_locate *arg)
{
	struct { struct ctm_bw_change c; u8 name[CTM_BLOCK_NAME]; } q = {
		.c.op = cpu_to_le16(CTM_BW_LOCATE), .c.copies = cpu_to_le16(1),
		.c.count = cpu_to_le32(1),
	};
	struct ctm_bw_changed out;
	struct op *op;
	int err, k;

	arg->count = 0;
	arg->reason[0] = 0;
	if (arg->room > HOLDERS_MAX)
		return -EINVAL;
	op = op_new(1);
	if (!op)
		return -ENOMEM;
	q.c.by = op->by;
	memcpy(q.name, arg->name, sizeof(q.name));
	memcpy(op->items[0].u.name, arg->name, sizeof(q.name));
	err = op_members(op);
	for (k = -1; !err && (k = next_by_rank(op, arg->name, k)) >= 0;) {
		err = note_stop(op, ctm_ask_change(op->m[k].id, &q.c, &out));
		if (op->stop)
			break;
		err = err ?: -(int)le32_to_cpu(out.status);
		if (err) {
			item_fail(&op->items[0], err, op->m[k].id, NULL);
			err = 0;
			continue;
		}
		arg->len = le32_to_cpu(out.len);
		arg->copies = le32_to_cpu(out.copies);
		err = put_holder(arg, op->m[k].id);
	}
	if (!err && !arg->count) {
		say(arg->reason, &op->items[0], op);
		err = errno_of(op->items[0].err);
	}
	op_free(op);
	return err;
}

/* ---- init ---- */

int ctm_store_init(void)
{
	int err;

	err = ctm_data_init();
	if (err)
		return err;
	err = ctm_index_init();
	if (err)
		goto err_data;
	ctm_link_init();
	err = ctm_keep_init();
	if (err)
		goto err_link;
	return 0;

err_link:
	ctm_link_exit();
	ctm_index_exit();
err_data:
	ctm_data_exit();
	return err;
}

void ctm_store_exit(void)
{
	ctm_keep_exit();
	ctm_link_exit();
	ctm_index_exit();
	ctm_data_exit();
}
