// SPDX-License-Identifier: GPL-2.0
/*
 * store.c - what this node holds of the cluster's blocks: the index, owners, quotas
 *
 * A block stands in the index, with a reference, as long as somebody owns it.  Readers
 * hold references of their own: its memory goes with the last.  An account is what one family or
 * one user has here; it exists while it owns something.  A block is charged when it
 * is begun, before a byte of it has come.
 *
 * A tomb remembers for a while that an owner has dropped a block, whether it was here or
 * not: a copy from another node, sent before that one heard of it, may be on its way.
 *
 * store_lock: see store_priv.h.
 */
#include <linux/hashtable.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "process.h"
#include "store_priv.h"

#define TOMBS_MAX	16384u
#define TOMB_KEPT	(30 * HZ)
#define OVERHEAD	1024u		/* what a block costs beside its pages, about */

static unsigned int blocks_node_mib;
module_param(blocks_node_mib, uint, 0644);
MODULE_PARM_DESC(blocks_node_mib, "MiB of blocks that this node holds, unless it is set (0: a quarter of its memory)");
static unsigned int blocks_owner_mib;
module_param(blocks_owner_mib, uint, 0644);
MODULE_PARM_DESC(blocks_owner_mib, "of these, for each family and each user (0: half)");

/** struct ctm_account - what one owner has here; under store_lock */
struct ctm_account {
	struct hlist_node hash;
	u32 kind;
	u64 who;			/* family, or uid */
	u64 used;
	struct list_head owns;
};

/** struct own - an owner of a block; under store_lock */
struct own {
	struct list_head by_block, by_account;
	struct ctm_block_here *b;
	struct ctm_account *a;
	u32 uid;
};

struct tomb {
	struct hlist_node hash;
	struct list_head all;
	u8 name[CTM_BLOCK_NAME];
	u32 kind;
	u64 who;
	unsigned long until;
};

static const struct rhashtable_params by_name = {
	.key_len = CTM_BLOCK_NAME,
	.key_offset = offsetof(struct ctm_block_here, name),
	.head_offset = offsetof(struct ctm_block_here, node),
	.automatic_shrinking = true,
};

/* One store a node: file scope. */
static DEFINE_MUTEX(store_lock);
static struct rhashtable table;
static DEFINE_HASHTABLE(accounts, 8);
static DEFINE_HASHTABLE(tombs, 10);
static LIST_HEAD(tomb_list);		/* the oldest first */
static unsigned int tombs_n;
static u64 boot;			/* of the node, when what is here was stored */
static u64 memory_bytes;
/* what is in the index */
static u64 blocks_n, bytes_n, pinned_n;
static u64 used;			/* and what is on its way there */

atomic_t ctm_blocks_moving;

/* ---- quotas ---- */

static struct ctm_store_quota told;	/* no lock: each is a number of its own */

void ctm_store_quota(struct ctm_store_quota *q)
{
	q->node = READ_ONCE(told.node);
	q->owner = READ_ONCE(told.owner);
}

void ctm_store_set_quota(const struct ctm_store_quota *q)
{
	WRITE_ONCE(told.node, q->node);
	WRITE_ONCE(told.owner, q->owner);
}

static u64 charge(u32 len)
{
	return PAGE_ALIGN((u64)len) + OVERHEAD;
}

static u64 node_limit(void)
{
	u64 mib = READ_ONCE(told.node) ?: READ_ONCE(blocks_node_mib);

	return mib ? mib << 20 : memory_bytes / 4;
}

static u64 owner_limit(void)
{
	u64 mib = READ_ONCE(told.owner) ?: READ_ONCE(blocks_owner_mib);

	return mib ? mib << 20 : node_limit() / 2;
}

static int too_much(struct ctm_short *what, enum ctm_bw_quota quota, u64 limit)
{
	*what = (struct ctm_short){ .quota = quota, .limit = limit };
	return -ENOSPC;
}

/* ---- owners ---- */

void ctm_owner_get(struct ctm_owner *to, const struct ctm_bw_owner *from)
{
	*to = (struct ctm_owner){
		.kind = le32_to_cpu(from->kind), .uid = le32_to_cpu(from->uid),
		.family = le64_to_cpu(from->family),
	};
}

void ctm_owner_put(struct ctm_bw_owner *to, const struct ctm_owner *from)
{
	*to = (struct ctm_bw_owner){
		.kind = cpu_to_le32(from->kind), .uid = cpu_to_le32(from->uid),
		.family = cpu_to_le64(from->family),
	};
}

static u64 who_of(const struct ctm_owner *o)
{
	return o->kind == CTM_BW_FAMILY ? o->family : o->uid;
}

static struct ctm_account *account_find(u32 kind, u64 who)
{
	struct ctm_account *a;

	lockdep_assert_held(&store_lock);
	hash_for_each_possible(accounts, a, hash, who)
		if (a->kind == kind && a->who == who)
			return a;
	return NULL;
}

static struct ctm_account *account_get(u32 kind, u64 who)
{
	struct ctm_account *a = account_find(kind, who);

	if (a)
		return a;
	a = kzalloc(sizeof(*a), GFP_KERNEL);
	if (!a)
		return NULL;
	a->kind = kind;
	a->who = who;
	INIT_LIST_HEAD(&a->owns);
	hash_add(accounts, &a->hash, who);
	return a;
}

static void account_put(struct ctm_account *a)
{
	if (!list_empty(&a->owns))
		return;
	hash_del(&a->hash);
	kfree(a);
}

static struct own *own_find(const struct ctm_block_here *b, u32 kind, u64 who)
{
	struct own *o;

	lockdep_assert_held(&store_lock);
	list_for_each_entry(o, &b->owners, by_block)
		if (o->a->kind == kind && o->a->who == who)
			return o;
	return NULL;
}

static bool is_pinned(const struct ctm_block_here *b)
{
	struct own *o;

	list_for_each_entry(o, &b->owners, by_block)
		if (o->a->kind == CTM_BW_USER)
			return true;
	return false;
}

/* an indexed block counts as pinned or not: before and after its owners change */
static void count_pinned(const struct ctm_block_here *b, bool add)
{
	if (b->indexed && is_pinned(b))
		pinned_n += add ? 1 : -1;
}

/* 1: it owned it before */
static int own_add(struct ctm_block_here *b, const struct ctm_owner *by, struct ctm_short *what)
{
	struct ctm_account *a;
	struct own *o;

	if (own_find(b, by->kind, who_of(by)))
		return 1;
	if (b->owned >= CTM_BW_OWNERS_MAX)
		return too_much(what, CTM_BW_OF_BLOCK, CTM_BW_OWNERS_MAX);
	a = account_get(by->kind, who_of(by));
	if (!a)
		return -ENOMEM;
	if (a->used + charge(b->data.len) > owner_limit()) {
		account_put(a);
		return too_much(what, by->kind == CTM_BW_FAMILY ? CTM_BW_OF_FAMILY : CTM_BW_OF_USER,
				owner_limit());
	}
	o = kzalloc(sizeof(*o), GFP_KERNEL);
	if (!o) {
		account_put(a);
		return -ENOMEM;
	}
	o->b = b;
	o->a = a;
	o->uid = by->uid;
	a->used += charge(b->data.len);
	count_pinned(b, false);
	list_add_tail(&o->by_block, &b->owners);
	list_add_tail(&o->by_account, &a->owns);
	b->owned++;
	count_pinned(b, true);
	return 0;
}

static void own_del(struct own *o)
{
	struct ctm_block_here *b = o->b;
	struct ctm_account *a = o->a;

	count_pinned(b, false);
	list_del(&o->by_block);
	list_del(&o->by_account);
	b->owned--;
	count_pinned(b, true);
	a->used -= charge(b->data.len);
	account_put(a);
	kfree(o);
}

/* ---- tombs ---- */

static u64 tomb_key(const u8 *name)
{
	u64 key;

	memcpy(&key, name, sizeof(key));
	return key;
}

static struct tomb *tomb_find(const u8 *name, u32 kind, u64 who)
{
	struct tomb *t;

	hash_for_each_possible(tombs, t, hash, tomb_key(name))
		if (t->kind == kind && t->who == who && !memcmp(t->name, name, CTM_BLOCK_NAME))
			return t;
	return NULL;
}

static void tomb_free(struct tomb *t)
{
	hash_del(&t->hash);
	list_del(&t->all);
	tombs_n--;
	kfree(t);
}

/* without memory for it, a copy that is under way just now may come back */
static void tomb_add(const u8 *name, u32 kind, u64 who)
{
	struct tomb *t = tomb_find(name, kind, who);

	if (t) {
		list_move_tail(&t->all, &tomb_list);
		t->until = jiffies + TOMB_KEPT;
		return;
	}
	t = kmalloc(sizeof(*t), GFP_KERNEL);
	if (!t)
		return;
	if (tombs_n >= TOMBS_MAX)
		tomb_free(list_first_entry(&tomb_list, struct tomb, all));
	memcpy(t->name, name, CTM_BLOCK_NAME);
	t->kind = kind;
	t->who = who;
	t->until = jiffies + TOMB_KEPT;
	hash_add(tombs, &t->hash, tomb_key(name));
	list_add_tail(&t->all, &tomb_list);
	tombs_n++;
}

static void tomb_del(const u8 *name, const struct ctm_owner *o)
{
	struct tomb *t = tomb_find(name, o->kind, who_of(o));

	if (t)
		tomb_free(t);
}

static void tombs_drop(bool all)
{
	struct tomb *t, *next;

	list_for_each_entry_safe(t, next, &tomb_list, all) {
		if (!all && time_before(jiffies, t->until))
			break;
		tomb_free(t);
	}
}

void ctm_tombs_sweep(void)
{
	mutex_lock(&store_lock);
	tombs_drop(false);
	mutex_unlock(&store_lock);
}

/* ---- life of a block ---- */

static struct ctm_block_here *block_new(const u8 *name, u32 len, u32 copies)
{
	struct ctm_block_here *b = kzalloc(sizeof(*b), GFP_KERNEL);

	if (!b)
		return NULL;
	kref_init(&b->ref);
	INIT_LIST_HEAD(&b->owners);
	INIT_LIST_HEAD(&b->todo);
	memcpy(b->name, name, CTM_BLOCK_NAME);
	b->data = ctm_data_new(len);
	b->copies = copies;
	return b;
}

static void block_disown(struct ctm_block_here *b)
{
	struct own *o, *next;

	list_for_each_entry_safe(o, next, &b->owners, by_block)
		own_del(o);
}

/* of one that was never in the index, the owners go with it */
static void block_free(struct kref *ref)
{
	struct ctm_block_here *b = container_of(ref, struct ctm_block_here, ref);

	mutex_lock(&store_lock);
	block_disown(b);
	used -= charge(b->data.len);
	mutex_unlock(&store_lock);
	ctm_data_free(&b->data);
	kfree_rcu(b, rcu);
}

void ctm_block_put(struct ctm_block_here *b)
{
	if (b)
		kref_put(&b->ref, block_free);
}

struct ctm_block_here *ctm_block_find(const u8 *name)
{
	struct ctm_block_here *b;

	rcu_read_lock();
	b = rhashtable_lookup(&table, name, by_name);
	if (b && !kref_get_unless_zero(&b->ref))
		b = NULL;
	rcu_read_unlock();
	return b;
}

static struct ctm_block_here *find_locked(const u8 *name)
{
	lockdep_assert_held(&store_lock);
	return rhashtable_lookup_fast(&table, name, by_name);
}

/* takes a reference for the index */
static int index_add(struct ctm_block_here *b)
{
	int err = rhashtable_lookup_insert_fast(&table, &b->node, by_name);

	if (err)
		return err == -EEXIST ? err : -ENOMEM;
	kref_get(&b->ref);
	b->indexed = true;
	if (!blocks_n++)
		ctm_keep_wake();
	bytes_n += b->data.len;
	count_pinned(b, true);
	return 0;
}

/* Return: @b; the caller drops the index's reference, without the lock */
static struct ctm_block_here *index_del(struct ctm_block_here *b)
{
	count_pinned(b, false);
	rhashtable_remove_fast(&table, &b->node, by_name);
	b->indexed = false;
	blocks_n--;
	bytes_n -= b->data.len;
	return b;
}

/* nobody's any more?  Then out of the index: @gone gets what the caller puts */
static void index_settle(struct ctm_block_here *b, struct ctm_block_here **gone)
{
	if (b->indexed && !b->owned)
		*gone = index_del(b);
}

/* ---- storing ---- */

static int add_owners(struct ctm_block_here *b, const struct ctm_owner *owners, unsigned int n,
		      bool copy, struct ctm_short *what, bool *new)
{
	unsigned int i;
	int err = 0;

	*new = false;
	for (i = 0; i < n; i++) {
		if (copy && tomb_find(b->name, owners[i].kind, who_of(&owners[i])))
			continue;
		if (!copy)
			tomb_del(b->name, &owners[i]);
		err = own_add(b, &owners[i], what);
		if (err < 0)
			return err;
		if (!i)
			*new = !err;
	}
	return b->owned ? 0 : -ESTALE;
}

static struct ctm_block_here *begin_locked(const u8 *name, u32 len, u32 copies)
{
	struct ctm_block_here *b = find_locked(name);

	/* equal names, other lengths: somebody lies, and his data will not match */
	if (b && !b->bad && b->data.len == len) {
		kref_get(&b->ref);
		b->copies = max(b->copies, copies);
		return b;
	}
	if (used + charge(len) > node_limit())
		return ERR_PTR(-ENOSPC);
	b = block_new(name, len, copies);
	if (!b)
		return ERR_PTR(-ENOMEM);
	used += charge(len);
	return b;
}

struct ctm_block_here *ctm_block_begin(const u8 *name, u32 len, u32 copies,
				       const struct ctm_owner *owners, unsigned int n, bool copy,
				       struct ctm_short *what, bool *new)
{
	struct ctm_block_here *b;
	int err = 0;

	mutex_lock(&store_lock);
	b = begin_locked(name, len, copies);
	if (!IS_ERR(b))
		err = add_owners(b, owners, n, copy, what, new);
	mutex_unlock(&store_lock);
	if (b == ERR_PTR(-ENOSPC))
		too_much(what, CTM_BW_OF_NODE, node_limit());
	if (err) {
		ctm_block_put(b);
		return ERR_PTR(err);
	}
	return b;
}

/* all that @from was owned by, @to is now */
static void move_owners(struct ctm_block_here *to, struct ctm_block_here *from)
{
	struct own *o, *next;

	list_for_each_entry_safe(o, next, &from->owners, by_block) {
		if (own_find(to, o->a->kind, o->a->who)) {
			own_del(o);
			continue;
		}
		count_pinned(from, false);
		count_pinned(to, false);
		list_move_tail(&o->by_block, &to->owners);
		from->owned--;
		to->owned++;
		o->b = to;
		count_pinned(from, true);
		count_pinned(to, true);
	}
	to->copies = max(to->copies, from->copies);
}

static void drop_buried(struct ctm_block_here *b)
{
	struct own *o, *next;

	list_for_each_entry_safe(o, next, &b->owners, by_block)
		if (tomb_find(b->name, o->a->kind, o->a->who))
			own_del(o);
}

/* @b, in the place of whatever stands there.  @gone: what the caller puts */
static int commit_locked(struct ctm_block_here *b, struct ctm_block_here **gone)
{
	struct ctm_block_here *there = find_locked(b->name);

	if (!b->owned)
		return -ESTALE;
	if (there && !there->bad) {
		move_owners(there, b);
		return 0;
	}
	if (there) {
		move_owners(b, there);
		*gone = index_del(there);
		ctm_count(CTM_CNT_BLOCKS_REPAIRED);
	}
	return index_add(b);
}

int ctm_block_commit(struct ctm_block_here *b, bool copy)
{
	struct ctm_block_here *gone = NULL;
	int err;

	mutex_lock(&store_lock);
	if (copy)
		drop_buried(b);
	err = commit_locked(b, &gone);
	mutex_unlock(&store_lock);
	ctm_block_put(gone);
	ctm_block_put(b);
	return err;
}

struct ctm_block_here *ctm_block_spare(const u8 *name, u32 len)
{
	struct ctm_block_here *b;

	mutex_lock(&store_lock);
	b = ERR_PTR(-ENOSPC);
	if (used + charge(len) <= node_limit())
		b = block_new(name, len, 1) ?: ERR_PTR(-ENOMEM);
	if (!IS_ERR(b))
		used += charge(len);
	mutex_unlock(&store_lock);
	return b;
}

void ctm_block_replace(struct ctm_block_here *old, struct ctm_block_here *b)
{
	struct ctm_block_here *gone = NULL;

	mutex_lock(&store_lock);
	if (old->indexed) {
		move_owners(b, old);
		gone = index_del(old);
		/* no memory for the index: the block is lost here, as it was */
		if (index_add(b))
			block_disown(b);
		else
			ctm_count(CTM_CNT_BLOCKS_REPAIRED);
	}
	mutex_unlock(&store_lock);
	ctm_block_put(gone);
	ctm_block_put(b);
}

void ctm_block_is_bad(struct ctm_block_here *b)
{
	bool was;

	mutex_lock(&store_lock);
	was = b->bad;
	b->bad = true;
	mutex_unlock(&store_lock);
	if (was)
		return;
	ctm_count(CTM_CNT_BLOCKS_CORRUPT);
	pr_warn_ratelimited("continuum: block %*phN: the copy here does not match its name, asking for another\n",
			    CTM_BLOCK_NAME, b->name);
	ctm_keep_kick();
}

void ctm_block_let_go(struct ctm_block_here *b)
{
	struct ctm_block_here *gone = NULL;

	mutex_lock(&store_lock);
	if (b->indexed) {
		gone = index_del(b);
		block_disown(b);
	}
	mutex_unlock(&store_lock);
	ctm_block_put(gone);
}

/* ---- who may, and whose ---- */

static int may_read(struct ctm_block_here *b, const struct ctm_bw_by *by)
{
	u32 uid = le32_to_cpu(by->uid);
	struct own *o;

	if (le32_to_cpu(by->flags) & CTM_BW_BY_ADMIN)
		return 0;
	list_for_each_entry(o, &b->owners, by_block)
		if (o->uid == uid || (o->a->kind == CTM_BW_FAMILY && by->family &&
				      o->a->who == le64_to_cpu(by->family)))
			return 0;
	return -EPERM;
}

int ctm_block_may_read(struct ctm_block_here *b, const struct ctm_bw_by *by)
{
	int err;

	mutex_lock(&store_lock);
	err = may_read(b, by);
	mutex_unlock(&store_lock);
	return err;
}

static int drop_one(const u8 *name, struct ctm_block_here *b, u32 kind, u64 who)
{
	struct own *o = b ? own_find(b, kind, who) : NULL;

	tomb_add(name, kind, who);
	if (!o)
		return -ENOENT;
	own_del(o);
	return 0;
}

static int drop_all(struct ctm_block_here *b)
{
	struct own *o;

	if (!b)
		return -ENOENT;
	list_for_each_entry(o, &b->owners, by_block)
		tomb_add(b->name, o->a->kind, o->a->who);
	block_disown(b);
	return 0;
}

static int pin(struct ctm_block_here *b, const struct ctm_bw_by *by, u32 copies,
	       struct ctm_short *what)
{
	struct ctm_owner o = { .kind = CTM_BW_USER, .uid = le32_to_cpu(by->uid) };
	int err = may_read(b, by);

	if (err)
		return err;
	tomb_del(b->name, &o);
	b->copies = max(b->copies, copies);
	err = own_add(b, &o, what);
	return min(err, 0);
}

static int change_locked(enum ctm_bw_change_op op, const u8 *name, struct ctm_block_here *b,
			 const struct ctm_bw_by *by, u32 copies, struct ctm_short *what)
{
	switch (op) {
	case CTM_BW_LOCATE:
		return b && !b->bad ? may_read(b, by) : -ENOENT;
	case CTM_BW_PIN:
		return b ? pin(b, by, copies, what) : -ENOENT;
	case CTM_BW_DROP:
		return drop_one(name, b, CTM_BW_USER, le32_to_cpu(by->uid));
	case CTM_BW_DROP_FAMILY:
		return by->family ? drop_one(name, b, CTM_BW_FAMILY, le64_to_cpu(by->family)) : -ENOENT;
	case CTM_BW_DROP_ALL:
		return le32_to_cpu(by->flags) & CTM_BW_BY_ADMIN ? drop_all(b) : -EPERM;
	}
	return -EINVAL;
}

int ctm_block_change(enum ctm_bw_change_op op, const u8 *name, const struct ctm_bw_by *by,
		     u32 copies, struct ctm_bw_changed *out)
{
	struct ctm_block_here *b, *gone = NULL;
	struct ctm_short what = {};
	int err;

	memset(out, 0, sizeof(*out));
	mutex_lock(&store_lock);
	b = find_locked(name);
	err = change_locked(op, name, b, by, copies, &what);
	if (b && !err) {
		out->len = cpu_to_le32(b->data.len);
		out->copies = cpu_to_le32(b->copies);
	}
	if (b)
		index_settle(b, &gone);
	mutex_unlock(&store_lock);
	ctm_block_put(gone);
	out->status = cpu_to_le32(-err);
	out->quota = cpu_to_le32(what.quota);
	out->limit = cpu_to_le64(what.limit);
	return err;
}

int ctm_block_merge(const u8 *name, u32 copies, const struct ctm_owner *owners, unsigned int n)
{
	struct ctm_block_here *b;
	struct ctm_short what;
	int err = -ENOENT;
	bool new;

	mutex_lock(&store_lock);
	b = find_locked(name);
	if (b) {
		b->copies = max(b->copies, copies);
		err = add_owners(b, owners, n, true, &what, &new);
	}
	mutex_unlock(&store_lock);
	return err;
}

unsigned int ctm_block_owners(struct ctm_block_here *b, struct ctm_owner *out, u32 *copies)
{
	unsigned int n = 0;
	struct own *o;

	mutex_lock(&store_lock);
	list_for_each_entry(o, &b->owners, by_block)
		out[n++] = (struct ctm_owner){
			.kind = o->a->kind, .uid = o->uid,
			.family = o->a->kind == CTM_BW_FAMILY ? o->a->who : 0,
		};
	*copies = b->copies;
	mutex_unlock(&store_lock);
	return n;
}

static u64 owners_sum(const struct ctm_block_here *b)
{
	u64 sum = b->copies;
	struct own *o;

	list_for_each_entry(o, &b->owners, by_block)
		sum += ctm_bw_owner_sum(o->a->kind, o->a->who);
	return sum;
}

void ctm_block_mark(struct ctm_block_here *b, struct ctm_bw_mark *m)
{
	memcpy(m->name, b->name, sizeof(m->name));
	mutex_lock(&store_lock);
	m->owners = cpu_to_le64(owners_sum(b));
	mutex_unlock(&store_lock);
}

enum ctm_bw_held ctm_block_held(const struct ctm_bw_mark *m)
{
	enum ctm_bw_held held = CTM_BW_NO;
	struct ctm_block_here *b;

	mutex_lock(&store_lock);
	b = find_locked(m->name);
	if (b && !b->bad)
		held = owners_sum(b) == le64_to_cpu(m->owners) ? CTM_BW_YES : CTM_BW_DIFFERS;
	mutex_unlock(&store_lock);
	return held;
}

/* ---- families ---- */

static int by_value(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* the @max smallest ones: those that do not fit come with the next call */
unsigned int ctm_families_here(u64 *out, unsigned int max, u64 after)
{
	struct ctm_account *a;
	unsigned int n = 0, i, largest;
	int bucket;

	mutex_lock(&store_lock);
	hash_for_each(accounts, bucket, a, hash) {
		if (a->kind != CTM_BW_FAMILY || a->who <= after)
			continue;
		if (n < max) {
			out[n++] = a->who;
			continue;
		}
		for (i = 1, largest = 0; i < n; i++)
			if (out[i] > out[largest])
				largest = i;
		if (a->who < out[largest])
			out[largest] = a->who;
	}
	mutex_unlock(&store_lock);
	sort(out, n, sizeof(*out), by_value, NULL);
	return n;
}

/* one block's ownership of @family at a time: memory is given back without the lock */
static bool family_drop_one(u64 family)
{
	struct ctm_block_here *gone = NULL;
	struct ctm_account *a;
	struct own *o = NULL, *each;

	mutex_lock(&store_lock);
	a = account_find(CTM_BW_FAMILY, family);
	if (a) {
		/* those that are still being filled will come, and go with the next look */
		list_for_each_entry(each, &a->owns, by_account) {
			if (each->b->indexed) {
				o = each;
				break;
			}
		}
	}
	if (o) {
		struct ctm_block_here *b = o->b;

		own_del(o);
		index_settle(b, &gone);
	}
	mutex_unlock(&store_lock);
	ctm_block_put(gone);
	return o;
}

void ctm_family_drop(u64 family)
{
	while (family_drop_one(family))
		cond_resched();
}

/* ---- all of them ---- */

void ctm_block_walk_begin(struct ctm_block_walk *w)
{
	rhashtable_walk_enter(&table, &w->iter);
}

unsigned int ctm_block_walk(struct ctm_block_walk *w, struct ctm_block_here **out, unsigned int max)
{
	struct ctm_block_here *b;
	unsigned int n = 0;

	rhashtable_walk_start(&w->iter);
	while (n < max) {
		b = rhashtable_walk_next(&w->iter);
		if (!b)
			break;
		/* -EAGAIN: the table grew; some may come again */
		if (!IS_ERR(b) && kref_get_unless_zero(&b->ref))
			out[n++] = b;
	}
	rhashtable_walk_stop(&w->iter);
	return n;
}

void ctm_block_walk_end(struct ctm_block_walk *w)
{
	rhashtable_walk_exit(&w->iter);
}

static void index_clear(void)
{
	struct ctm_block_here *some[16];
	struct ctm_block_walk w;
	unsigned int n, i;

	do {
		ctm_block_walk_begin(&w);
		n = ctm_block_walk(&w, some, ARRAY_SIZE(some));
		ctm_block_walk_end(&w);
		for (i = 0; i < n; i++) {
			ctm_block_let_go(some[i]);
			ctm_block_put(some[i]);
		}
		cond_resched();
	} while (n);
	mutex_lock(&store_lock);
	tombs_drop(true);
	mutex_unlock(&store_lock);
}

void ctm_index_sync(void)
{
	static DEFINE_MUTEX(once);
	u64 now = ctm_node_is_up() ? ctm_node_boot() : 0;

	if (READ_ONCE(boot) == now)
		return;
	mutex_lock(&once);
	if (boot != now) {
		index_clear();
		WRITE_ONCE(boot, now);
	}
	mutex_unlock(&once);
}

bool ctm_index_empty(void)
{
	return !READ_ONCE(blocks_n);
}

void ctm_index_status(struct ctm_bw_status *s)
{
	mutex_lock(&store_lock);
	s->blocks = cpu_to_le64(blocks_n);
	s->bytes = cpu_to_le64(bytes_n);
	s->used = cpu_to_le64(used);
	s->pinned = cpu_to_le64(pinned_n);
	mutex_unlock(&store_lock);
	s->limit = cpu_to_le64(node_limit());
	s->owner_limit = cpu_to_le64(owner_limit());
	s->in_flight = cpu_to_le64(atomic_read(&ctm_blocks_moving));
	s->corrupt = cpu_to_le64(ctm_counter(CTM_CNT_BLOCKS_CORRUPT));
	s->repaired = cpu_to_le64(ctm_counter(CTM_CNT_BLOCKS_REPAIRED));
}

int ctm_index_init(void)
{
	struct sysinfo si;

	si_meminfo(&si);
	memory_bytes = (u64)si.totalram * si.mem_unit;
	return rhashtable_init(&table, &by_name);
}

/* nobody stores or reads any more */
void ctm_index_exit(void)
{
	index_clear();
	rcu_barrier();
	rhashtable_destroy(&table);
}
