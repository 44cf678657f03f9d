/* SPDX-License-Identifier: GPL-2.0 */
/*
 * member.h - who is there: SWIM with the refinements of Lifeguard, as pure code
 *
 * One struct ctm_mb stands for this node's view of the cluster.  What happens goes in
 * with its time (any clock that never runs back), actions come out in the order in
 * which they are to be done; datagrams are made when they are sent, by
 * ctm_mb_encode().  The owner (net/gossip.c, selftests/sim/member.c) serializes all
 * calls, and keeps what is not asked here: addresses, keys, names.
 *
 * The protocol, by its sources:
 *
 *   A. Das, I. Gupta, A. Motivala: SWIM: Scalable Weakly-consistent Infection-style
 *   Process Group Membership Protocol, DSN 2002.  Once a period each node probes one
 *   member, in the order of a ring that is shuffled after each turn (so that each is
 *   probed within 2n - 1 periods): PING, and if no ACK comes in time, PING_REQ through
 *   @proxies others.  Whoever answers to none of them is SUSPECT, and DEAD after a
 *   while, unless it refutes that by a larger incarnation, which it alone gives out.
 *   Changes ride on the datagrams that are sent anyway, each lambda * log(n) times,
 *   the least sent first.
 *
 *   A. Dadgar, J. Phillips, J. Currey: Lifeguard: Local Health Awareness for More
 *   Accurate Failure Detection, DSN-W 2018.  A node that fails to do its part doubts
 *   itself first: a counter of its own health (failed probes, missing NACKs,
 *   suspicions that it had to refute; successful probes make it better) multiplies
 *   its period and timeouts.  A suspicion waits long, and shorter with each
 *   independent confirmation.  A member that is suspected is told so with the first
 *   datagram that goes to it (the buddy system).
 *
 * Ours on top of them:
 *   - a node that finds that it has slept itself (a call comes late by @stall) gives
 *     everybody that time, instead of taking its own silence for theirs;
 *   - a ping is repeated before others are asked: a lost datagram is no failure, and with
 *     thousands of nodes and many of them the suspicions would be more than datagrams carry;
 *   - a finished hello (ctm_mb_met) is an ACK, and the only thing that changes a
 *     member's boot id: it proved the present one.  A new boot supersedes the old;
 *   - the dead are greeted again, one every @reconnect, so that a partition heals.  A
 *     hello with one of the dead makes it alive with an incarnation of its own plus
 *     one: whoever hears that of himself adopts it;
 *   - loads: every datagram has the sender's card and some of others', the freshest
 *     of a random choice, each with a count by which the newer one wins;
 *   - between probes @push datagrams go to members at random, which answer nothing.
 *
 * Memory is the owner's: ctm_mb_size(max) bytes, nothing else ever.
 */
#ifndef CTM_CORE_MEMBER_H
#define CTM_CORE_MEMBER_H

#include "env.h"
#include "wire.h"

#define CTM_MB_MAX		4096u	/* members, without this node */
#define CTM_MB_SEC		1000000000ull

/** enum ctm_mb_state - as enum ctm_peer_state, and on the wire */
enum ctm_mb_state {
	CTM_MB_NONE	= 0,
	CTM_MB_ALIVE	= 1,
	CTM_MB_SUSPECT	= 2,
	CTM_MB_DEAD	= 3,
	CTM_MB_LEFT	= 4,
};

/* ---- the datagram ---- */

enum ctm_mb_kind {
	CTM_MB_PING	= 1,	/* answer with ACK */
	CTM_MB_PING_REQ	= 2,	/* ping @target for me: ACK, or NACK if it does not answer */
	CTM_MB_ACK	= 3,
	CTM_MB_NACK	= 4,
	CTM_MB_PUSH	= 5,	/* only what it carries */
};

/**
 * struct ctm_wire_mb - payload of CTM_DGRAM_MEMBER; behind it @updates, @addrs, @loads
 * @inc:    the sender's incarnation
 * @seq:    the probe's number, given by who began it
 * @target: node id: whom to ping, who has answered (or not); PING, PUSH: 0
 * @card_seq: counts the sender's cards
 * @health: the sender's own, for people
 * @addrs:  so many of the first updates have an address
 */
struct ctm_wire_mb {
	__u8 kind;
	__u8 health;
	__u8 updates;
	__u8 addrs;
	__u8 loads;
	__u8 pad[3];
	__le32 inc;
	__le32 seq;
	__le32 target;
	__le32 card_seq;
	struct ctm_wire_card card;
};
static_assert(sizeof(struct ctm_wire_mb) == 192, "wire format");

/**
 * struct ctm_wire_mb_update - what is said of a member
 * @from: of a suspicion: who has it; else 0
 */
struct ctm_wire_mb_update {
	__le64 boot;
	__le32 id;
	__le32 inc;
	__le32 from;
	__u8 state;			/* enum ctm_mb_state */
	__u8 pad[3];
};
static_assert(sizeof(struct ctm_wire_mb_update) == 24, "wire format");

/** struct ctm_wire_mb_addr - where it listens: of news */
struct ctm_wire_mb_addr {
	__u8 addr[16];
	__le16 port;
	__le16 pad;
};
static_assert(sizeof(struct ctm_wire_mb_addr) == 20, "wire format");

/**
 * struct ctm_wire_mb_load - another member's load, as it said itself
 * @boot: the lower half of its boot id
 * @load, @pressure: thousandths.  @cpu, @mem: hundredths of %.  @runnable: hundredths
 */
struct ctm_wire_mb_load {
	__le32 id;
	__le32 boot;
	__le32 seq;
	__le32 load;
	__le32 pressure;
	__le32 free_mib;
	__le16 cpu;
	__le16 mem;
	__le16 runnable;
	__le16 processes;
	__le32 flags;			/* CTM_WIRE_CARD_* */
};
static_assert(sizeof(struct ctm_wire_mb_load) == 36, "wire format");

#define CTM_MB_UPDATES		21u	/* in one datagram */
#define CTM_MB_UPDATE_BYTES	504u	/* with addresses */
#define CTM_MB_LOADS		14u
#define CTM_MB_DGRAM_MAX	(sizeof(struct ctm_wire_mb) + CTM_MB_UPDATE_BYTES + \
				 CTM_MB_LOADS * sizeof(struct ctm_wire_mb_load))
static_assert(CTM_MB_DGRAM_MAX <= CTM_WIRE_DGRAM_MAX, "fits one datagram");
static_assert(CTM_MB_UPDATES * sizeof(struct ctm_wire_mb_update) <= CTM_MB_UPDATE_BYTES, "fits");

/** struct ctm_mb_dgram - a datagram that was found well-formed; points into it */
struct ctm_mb_dgram {
	const struct ctm_wire_mb *head;
	const struct ctm_wire_mb_update *update;
	const struct ctm_wire_mb_addr *addr;
	const struct ctm_wire_mb_load *load;
};

/** ctm_mb_decode() - Return: 0, or -EINVAL: a node of ours would not write that */
int ctm_mb_decode(const void *buf, size_t len, struct ctm_mb_dgram *out);

/* ---- the machine ---- */

/**
 * struct ctm_mb_config - times in ns
 * @period, @timeout: of a probe; of its first part, before others are asked
 * @pings:    so often is it pinged in the first part, and once more with the others
 * @proxies:  who are asked
 * @lambda:   an update is sent @lambda * ln(n) times
 * @alpha:    a suspicion lasts at least @alpha * max(1, log10(n)) periods,
 * @beta:     and, unconfirmed, @beta times that
 * @confirmations: so many make it as short as can be (as far as there are so many others)
 * @health_max: 0: health does not count, and there are no NACKs
 * @buddy:    tell whom it concerns first
 * @stall:    so late is asleep; 0: never
 * @push:     datagrams a period beside the probes
 * @reconnect: how often one of the dead is greeted; 0: never
 */
struct ctm_mb_config {
	u64 period, timeout;
	u32 pings;
	u32 proxies, lambda;
	u32 alpha, beta, confirmations;
	u32 health_max;
	bool buddy;
	u64 stall;
	u32 push;
	u64 reconnect;
};
#define CTM_MB_PROXIES_MAX	8u
#define CTM_MB_CONFIRM_MAX	3u

/** what this project uses: SWIM, Lifeguard and what is ours; all of it is checked in selftests/sim */
extern const struct ctm_mb_config ctm_mb_default;
/** SWIM alone, with suspicions of a fixed time, to compare with */
extern const struct ctm_mb_config ctm_mb_swim;
/** SWIM and Lifeguard, and nothing of ours but the hello */
extern const struct ctm_mb_config ctm_mb_lifeguard;

/** struct ctm_mb_load - units as struct ctm_wire_mb_load; @heard: ms of the local clock */
struct ctm_mb_load {
	u32 seq;
	u32 heard;
	u32 load, pressure, free_mib, flags;
	u16 cpu, mem, runnable, processes;
};

/** struct ctm_mb_peer - a member; slot 0 is this node itself */
struct ctm_mb_peer {
	u64 boot;
	u64 since;			/* of the suspicion, or of the state */
	u32 id;
	u32 inc;
	u32 from[CTM_MB_CONFIRM_MAX + 1];	/* who suspects it */
	u8 state;			/* enum ctm_mb_state; NONE: a free slot */
	u8 confirmed;			/* how many beside from[0] */
	u8 sent;			/* times its last change was sent */
	u8 queued;
	struct ctm_mb_load load;
};

struct ctm_mb_addr {
	u8 addr[16];
	u16 port;
};

/**
 * enum ctm_mb_action_type - what the owner is to do
 * @CTM_MB_DO_SEND:  ctm_mb_encode() this, and send it to @id
 * @CTM_MB_DO_STATE: member @id of @boot is in @state now
 * @CTM_MB_DO_CARD:  the load of member @id is newer
 * @CTM_MB_DO_LEARN: somebody knows a node @id, or another boot of a member, at @addr (zeros:
 *                   where it is known to be): greet it, in your own time, for others hear of
 *                   it as well
 * @CTM_MB_DO_GREET: a hello with member @id is needed now: it does not answer, or is dead
 */
enum ctm_mb_action_type {
	CTM_MB_DO_SEND,
	CTM_MB_DO_STATE,
	CTM_MB_DO_CARD,
	CTM_MB_DO_LEARN,
	CTM_MB_DO_GREET,
};

struct ctm_mb_action {
	enum ctm_mb_action_type type;
	u32 id;
	enum ctm_mb_state state;
	enum ctm_mb_kind kind;		/* SEND */
	u32 seq, target;		/* SEND */
	u64 boot;
	struct ctm_mb_addr addr;	/* LEARN */
};

#define CTM_MB_ACTIONS	64u

/**
 * struct ctm_mb_actions - out; the owner empties it (n = 0) before each call
 * @more: there is more to do at this very time: call ctm_mb_tick() again
 */
struct ctm_mb_actions {
	u32 n;
	bool more;
	struct ctm_mb_action a[CTM_MB_ACTIONS + 1];	/* the last: what found no room */
};

/** struct ctm_mb_stats - what has happened so far */
struct ctm_mb_stats {
	u64 probes, failed, suspicions, refuted, died, stalls;
};

struct ctm_mb;

/** ctm_mb_addr_fn - where does a member listen?  false: not known.  Must not call back */
typedef bool (*ctm_mb_addr_fn)(void *owner, u32 id, struct ctm_mb_addr *out);

/** ctm_mb_size() - bytes that a view of at most @max members needs, aligned to 8 */
size_t ctm_mb_size(u32 max);

/**
 * ctm_mb_init() - an empty view in @mem
 * @max:  members, up to CTM_MB_MAX
 * @id, @boot: this node
 * @seed: of its choices; differs from node to node
 */
struct ctm_mb *ctm_mb_init(void *mem, u32 max, const struct ctm_mb_config *cfg, u32 id, u64 boot,
			   u64 seed, u64 now, ctm_mb_addr_fn addr, void *owner);

/** ctm_mb_tick() - the time is @now; ctm_mb_next(): when to call it at the latest */
void ctm_mb_tick(struct ctm_mb *m, u64 now, struct ctm_mb_actions *out);
u64 ctm_mb_next(const struct ctm_mb *m);

/**
 * ctm_mb_datagram() - from @from, authentic, of the boot that is known
 * Return: 0, -EINVAL (malformed), -ENOENT (@from is no member)
 */
int ctm_mb_datagram(struct ctm_mb *m, u64 now, u32 from, const void *buf, size_t len,
		    struct ctm_mb_actions *out);

/**
 * ctm_mb_met() - a hello with @id was finished just now
 * @news: tell the others, if it is new.  Without: it came from their tables
 * Return: 0, or -ENOSPC
 */
int ctm_mb_met(struct ctm_mb *m, u64 now, u32 id, u64 boot, bool news, struct ctm_mb_actions *out);

/** ctm_mb_forget() - @id is no member any more; nothing if it was none */
void ctm_mb_forget(struct ctm_mb *m, u32 id);

/** ctm_mb_left() - @id says that it leaves */
void ctm_mb_left(struct ctm_mb *m, u64 now, u32 id, struct ctm_mb_actions *out);

/** ctm_mb_leave() - this node leaves: no probes and no refutation from here on */
void ctm_mb_leave(struct ctm_mb *m, u64 now, struct ctm_mb_actions *out);

/**
 * ctm_mb_encode() - the datagram of an action CTM_MB_DO_SEND
 * @card: this node's own
 * @buf:  CTM_MB_DGRAM_MAX bytes
 * Return: its length
 */
size_t ctm_mb_encode(struct ctm_mb *m, u64 now, const struct ctm_mb_action *a,
		     const struct ctm_wire_card *card, void *buf);

/** ctm_mb_measured() - this node's card has changed: count it */
void ctm_mb_measured(struct ctm_mb *m);

/** ctm_mb_find() - a member, or NULL; this node too */
const struct ctm_mb_peer *ctm_mb_find(const struct ctm_mb *m, u32 id);
/** ctm_mb_live() - nodes that are alive or suspect, this one included */
u32 ctm_mb_live(const struct ctm_mb *m);
u32 ctm_mb_health(const struct ctm_mb *m);
const struct ctm_mb_stats *ctm_mb_stats(const struct ctm_mb *m);
/** ctm_mb_suspicion() - how long a suspicion with @confirmed confirmations lasts, ns */
u64 ctm_mb_suspicion(const struct ctm_mb *m, u32 confirmed);
/** ctm_mb_random() - up to @n live members at random, without @except.  Return: how many */
u32 ctm_mb_random(struct ctm_mb *m, u32 *ids, u32 n, u32 except);

#endif /* CTM_CORE_MEMBER_H */
