/* SPDX-License-Identifier: GPL-2.0 */
/*
 * store_priv.h - what the files of the block store know of each other
 *
 * From the bottom:
 *   store_data.c   bytes: pages of the store's memory, or of a program, hashed, sent, received
 *   store.c        what this node holds: the index, owners, quotas
 *   store_link.c   what nodes say to each other of it (core/bwire.h), both ends
 *   store_keep.c   the thread that copies again after a death, shares out after a join, and
 *                  lets go what has no owner any more
 *   store_call.c   the calls of /dev/continuum
 *
 * Lock: store_lock (a mutex, in store.c) covers owners, accounts, tombs, numbers, and
 * changes of the index.  It is a leaf: nobody waits for the network, a program's memory or
 * another lock while he holds it.
 */
#ifndef CTM_STORE_PRIV_H
#define CTM_STORE_PRIV_H

#include <linux/bvec.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/rhashtable.h>
#include "core/bwire.h"
#include "net/transport.h"
#include "node.h"
#include "store.h"

/* ---- store_data.c ---- */

/**
 * struct ctm_span - the bytes of a block, wherever they are
 * @user:  at address @at of current's memory; else in the store's memory, from page @at on
 */
struct ctm_span {
	bool user;
	u64 at;
	u32 len;
};

int ctm_data_init(void);
void ctm_data_exit(void);
/** ctm_data_new() - @len bytes of the store's memory, zeros, not populated */
struct ctm_span ctm_data_new(u32 len);
void ctm_data_free(const struct ctm_span *s);

/*
 * Of these, all return 0 or -errno, and with @name leave there the hash of all that passed.
 * -EFAULT: a program's memory that is not there.  -ENOMEM.  Those with a connection
 * return its errors, too; it is of no use afterwards then.
 */
int ctm_span_hash(const struct ctm_span *s, u8 name[CTM_BLOCK_NAME]);
/** ctm_span_send() - @name may be NULL.  What is sent must not change until it was acknowledged: see there */
int ctm_span_send(struct ctm_conn *c, const struct ctm_span *s, u8 *name);
/** ctm_span_recv() - @lost: no memory to put it into, so that it was received for nobody.  Return: only the connection's error */
int ctm_span_recv(struct ctm_conn *c, const struct ctm_span *s, u8 name[CTM_BLOCK_NAME], int *lost);
int ctm_span_copy(const struct ctm_span *to, const struct ctm_span *from, u8 name[CTM_BLOCK_NAME]);
/** ctm_span_drain() - receive @len bytes, for nobody */
int ctm_span_drain(struct ctm_conn *c, u32 len);
/** ctm_span_spoil() - for tests: change a byte of the store's memory */
void ctm_span_spoil(const struct ctm_span *s);

/* ---- store.c ---- */

struct ctm_account;

/** struct ctm_block_here - a block that this node holds; store_lock but for what is constant */
struct ctm_block_here {
	struct rhash_head node;
	struct rcu_head rcu;
	struct kref ref;
	u8 name[CTM_BLOCK_NAME];	/* constant */
	struct ctm_span data;		/* constant; its content, too, once it is in the index */
	bool indexed;
	bool bad;			/* it does not match its name: not handed out */
	u32 copies;			/* that there should be */
	u32 owned;			/* by so many */
	struct list_head owners;
	struct list_head todo;		/* store_keep.c's thread */
};

/** struct ctm_owner - struct ctm_bw_owner, of this machine's byte order */
struct ctm_owner {
	u32 kind;
	u32 uid;
	u64 family;
};
void ctm_owner_get(struct ctm_owner *to, const struct ctm_bw_owner *from);
void ctm_owner_put(struct ctm_bw_owner *to, const struct ctm_owner *from);

/** struct ctm_short - which quota is used up, with -ENOSPC */
struct ctm_short {
	enum ctm_bw_quota quota;
	u64 limit;
};

/** ctm_block_find() - with a reference, or NULL.  Context: any */
struct ctm_block_here *ctm_block_find(const u8 *name);
/** ctm_block_put() - may free its memory: process context, without store_lock.  NULL is fine */
void ctm_block_put(struct ctm_block_here *b);

/** ctm_block_may_read() - 0 or -EPERM */
int ctm_block_may_read(struct ctm_block_here *b, const struct ctm_bw_by *by);

/**
 * ctm_block_begin() - a block is about to be stored for @owners
 * @copy: it comes from another node, not from its owner: what was dropped just now stays so
 * @new:  out: the first owner did not own it before
 * Return: a block that is here already (->indexed) and belongs to them now, or one that
 * is to be filled, and then given to ctm_block_commit() or, after a failure,
 * ctm_block_put(); its quota is taken already.  ERR_PTR(-ENOSPC) with @what, -ENOMEM,
 * -ESTALE (all was dropped just now)
 */
struct ctm_block_here *ctm_block_begin(const u8 *name, u32 len, u32 copies,
				       const struct ctm_owner *owners, unsigned int n, bool copy,
				       struct ctm_short *what, bool *new);
/**
 * ctm_block_commit() - @b is filled, and its content has that name
 * Takes its place, or that of a bad copy; if another one came first, that gets its owners.
 * Takes the reference.  Return: 0, -ESTALE: dropped meanwhile
 */
int ctm_block_commit(struct ctm_block_here *b, bool copy);
/** ctm_block_replace() - @b, filled, without owners of its own, in place of the bad @old.  Takes @b's reference */
void ctm_block_replace(struct ctm_block_here *old, struct ctm_block_here *b);
/** ctm_block_spare() - one to be filled, for that.  ERR_PTR(-ENOMEM, -ENOSPC) */
struct ctm_block_here *ctm_block_spare(const u8 *name, u32 len);
/** ctm_block_is_bad() - its content does not match its name any more: say so, once; the keeper mends it */
void ctm_block_is_bad(struct ctm_block_here *b);
/** ctm_block_let_go() - drop the copy here, with all owners: others hold it */
void ctm_block_let_go(struct ctm_block_here *b);

/** ctm_block_change() - one of enum ctm_bw_change_op, on what is here.  -ENOENT, -EPERM, -ENOSPC */
int ctm_block_change(enum ctm_bw_change_op op, const u8 *name, const struct ctm_bw_by *by,
		     u32 copies, struct ctm_bw_changed *out);
/** ctm_block_merge() - owners that another node knows of.  0, -ENOENT, -ENOSPC, -ENOMEM */
int ctm_block_merge(const u8 *name, u32 copies, const struct ctm_owner *owners, unsigned int n);
/** ctm_block_owners() - up to CTM_BW_OWNERS_MAX.  Return: how many */
unsigned int ctm_block_owners(struct ctm_block_here *b, struct ctm_owner *out, u32 *copies);
/** ctm_block_mark() - the name, and a sum over its owners */
void ctm_block_mark(struct ctm_block_here *b, struct ctm_bw_mark *m);
enum ctm_bw_held ctm_block_held(const struct ctm_bw_mark *m);

/** ctm_families_here() - up to @max that own something here, those behind @after.  In order */
unsigned int ctm_families_here(u64 *out, unsigned int max, u64 after);
/** ctm_family_drop() - it has ended */
void ctm_family_drop(u64 family);

/** struct ctm_block_walk - all blocks here, some at a time; one may come twice, or, when it is new, not at all */
struct ctm_block_walk {
	struct rhashtable_iter iter;
};
void ctm_block_walk_begin(struct ctm_block_walk *w);
/** ctm_block_walk() - up to @max, with references.  Return: how many, 0 at the end */
unsigned int ctm_block_walk(struct ctm_block_walk *w, struct ctm_block_here **out, unsigned int max);
void ctm_block_walk_end(struct ctm_block_walk *w);

/** ctm_tombs_sweep() - forget what was dropped some time ago */
void ctm_tombs_sweep(void);
/**
 * ctm_index_sync() - forget all, if the node has gone down since it was stored
 * Before anything is looked for, on behalf of a node or a program.
 */
void ctm_index_sync(void);
bool ctm_index_empty(void);
/** ctm_index_status() - this node's; the keeper's numbers are added by store_keep.c */
void ctm_index_status(struct ctm_bw_status *s);
int ctm_index_init(void);
void ctm_index_exit(void);

extern atomic_t ctm_blocks_moving;	/* being sent or received, here */

/* ---- store_link.c ---- */

#define CTM_LINK_GET_MS	5000u
#define CTM_LINK_PUT_MS	10000u

/** struct ctm_said - an answer */
struct ctm_said {
	int err;		/* -errno, of the other node */
	u32 len;
	bool new;
	struct ctm_short what;
};

/* One after another on a connection, and the answers in the same order.  0, or the connection's error */
int ctm_link_put(struct ctm_conn *c, const u8 *name, const struct ctm_span *data, u32 copies,
		 const struct ctm_owner *owners, unsigned int n, bool copy);
int ctm_link_get(struct ctm_conn *c, const u8 *name, const struct ctm_bw_by *by);
int ctm_link_answer(struct ctm_conn *c, bool get, struct ctm_said *said);

/** ctm_fetch() - the block @name of node @node into a new one of this node's store, compared with its name.  ERR_PTR */
struct ctm_block_here *ctm_fetch(u32 node, const u8 *name, u32 len);
/** ctm_push() - a copy to @node; 0, or the error of either side, -ENOSPC with @what */
int ctm_push(u32 node, struct ctm_block_here *b, struct ctm_short *what);

int ctm_ask_have(u32 node, const struct ctm_bw_have *h, u8 *held);
int ctm_ask_change(u32 node, const struct ctm_bw_change *c, struct ctm_bw_changed *out);
int ctm_tell_merge(u32 node, struct ctm_block_here *b);
int ctm_ask_families(u32 node, const struct ctm_bw_family *f, u8 *state);

void ctm_link_init(void);
void ctm_link_exit(void);

/* ---- store_keep.c ---- */

int ctm_keep_init(void);
void ctm_keep_exit(void);
/** ctm_keep_wake() - the first block came: what was asleep has something to look at */
void ctm_keep_wake(void);
/** ctm_keep_kick() - there is something to mend: soon */
void ctm_keep_kick(void);
void ctm_keep_status(struct ctm_bw_status *s);

/** ctm_members_all() - a kvmalloc'ed array of live nodes, this one the first.  Return: how many, or -errno */
int ctm_members_all(struct ctm_member **out);

#endif /* CTM_STORE_PRIV_H */
