/* SPDX-License-Identifier: GPL-2.0 */
/*
 * peers_priv.h - what peers.c (who is there), session.c (datagram keys), target.c
 * (addresses to greet) and gossip.c (who is alive) share
 *
 * Lock order: the view (gossip.h), then table.lock; targets.lock, then table.lock.  Those of
 * sessions are taken alone.
 */
#ifndef CTM_NET_PEERS_PRIV_H
#define CTM_NET_PEERS_PRIV_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include "core/member.h"
#include "core/replay.h"
#include "net/peers.h"

#define CTM_PEERS_MAX	4096u

/* ---- session.c ---- */

#define CTM_SESSIONS	4u

/** struct ctm_session - datagram keys with one boot of one peer */
struct ctm_session {
	u64 id;
	u64 boot;
	u64 age;			/* the larger the newer */
	u64 counter;			/* last one sent */
	struct ctm_key tx, rx;
	struct ctm_replay seen;
};

/** struct ctm_sessions - of one peer; @lock covers the rest, and the sessions */
struct ctm_sessions {
	spinlock_t lock;
	struct ctm_session *all[CTM_SESSIONS];
	struct ctm_session *tx;
	u64 age;
	unsigned long second;		/* jiffies; since when @came counts */
	unsigned int came;
};

void ctm_sessions_init(struct ctm_sessions *s);
void ctm_sessions_free(struct ctm_sessions *s);
/** ctm_session_new() - keys of a finished hello.  NULL: no memory */
struct ctm_session *ctm_session_new(const struct ctm_hello *h);
/** ctm_session_add() - takes @new; @use: send with it at once */
void ctm_session_add(struct ctm_sessions *s, struct ctm_session *new, bool use);
/** ctm_sessions_drop() - the peer has boot @boot now: what another one knew is lost */
void ctm_sessions_drop(struct ctm_sessions *s, u64 boot);

/* ---- peers.c ---- */

/** struct peer - without a note: table.lock */
struct peer {
	struct hlist_node hash;
	struct list_head all;
	struct kref ref;
	u32 id;				/* constant */
	u8 machine[CTM_WIRE_MACHINE];	/* constant */

	u64 boot;
	enum ctm_peer_state state;
	struct ctm_addr addr;
	struct ctm_wire_card card;
	unsigned long heard;		/* jiffies; without lock */

	enum ctm_peer_state told_state;	/* by tell; 0: nothing yet */
	u64 told_boot;

	struct ctm_sessions sessions;
};

/** ctm_peer_get() - with a reference, or NULL; ctm_peer_put() gives it back */
struct peer *ctm_peer_get(u32 id);
void ctm_peer_put(struct peer *p);
/** ctm_peer_where() - its address, whatever its state.  Return: that, 0 when unknown */
enum ctm_peer_state ctm_peer_where(u32 id, struct ctm_addr *addr);
/** ctm_peer_state() - 0 when unknown */
enum ctm_peer_state ctm_peer_state(u32 id);
/** ctm_peers_list() - for the wire: peers that are present, with larger ids than @start, unsorted */
unsigned int ctm_peers_list(struct ctm_wire_peer *out, unsigned int max, u32 start);
/** ctm_peer_set_state() - as the view says; ctm_peers_tell() tells those who want to know */
void ctm_peer_set_state(u32 id, enum ctm_peer_state state);
void ctm_peers_tell(void);
/** ctm_peer_set_card() - what it says of itself; but for its name, which a hello gave */
void ctm_peer_set_card(u32 id, const struct ctm_wire_card *card);
/** ctm_peer_set_load() - what others say that it said */
void ctm_peer_set_load(u32 id, const struct ctm_mb_load *load);

/* ---- target.c ---- */

int ctm_targets_init(void);
void ctm_targets_exit(void);
/**
 * ctm_target_add() - greet @addr, where @id (0: whoever) may live; it may be there already
 * @how:   CTM_TARGET_*
 * @delay: not before that, jiffies
 * Return: 0, -ENOMEM, -ENOSPC
 */
int ctm_target_add(const struct ctm_addr *addr, u32 id, unsigned int how, unsigned long delay);
#define CTM_TARGET_SEED		(1u << 0)	/* for ever */
#define CTM_TARGET_WANTED	(1u << 1)	/* once, whatever its state is */
/** ctm_addr_ok() - could a node listen there? */
bool ctm_addr_ok(const struct ctm_addr *addr);
/** ctm_targets_start() - greet those that are due.  Once a second or so */
void ctm_targets_start(void);
/** ctm_targets_drop() - @only, or all */
void ctm_targets_drop(const struct ctm_addr *only);
/** ctm_targets_flush() - wait until no greeting is under way */
void ctm_targets_flush(void);
/** ctm_greet() - meet whoever lives at @addr; @table: and learn whom it knows.  @id: out */
int ctm_greet(const struct ctm_addr *addr, u32 want, bool table, u32 *id, char *why);

#endif /* CTM_NET_PEERS_PRIV_H */
