/* SPDX-License-Identifier: GPL-2.0 */
/*
 * node.h - this node and its peers
 *
 * One node a module (file-scope state in node.c: there is one machine).  The
 * node is down until continuumd brings it up over netlink with its name, id,
 * address and key.
 */
#ifndef CTM_NODE_H
#define CTM_NODE_H

#include <linux/continuum.h>
#include <linux/in6.h>
#include <linux/types.h>
#include "core/place.h"

struct mm_struct;

enum ctm_peer_state { CTM_PEER_ALIVE = 1, CTM_PEER_SUSPECT, CTM_PEER_DEAD, CTM_PEER_LEFT };

/**
 * struct ctm_abi - what two nodes must have in common to exchange processes
 * Travels with every card; "compatible" in peers and the check of an OFFER use
 * ctm_abi_compatible().
 */
struct ctm_abi {
	__u8 vdso_id[20];	/* build id of the vDSO */
	__u8 pad[4];
	__u64 xfeatures;	/* user extended state components */
	__u32 xstate_size;
	__u32 version;		/* CTM_IMAGE_VERSION */
	__u64 cpu[4];		/* feature words that user programs can see */
};
const struct ctm_abi *ctm_abi_self(void);	/* abi.c */
/** ctm_abi_compatible() - 0, or -EXDEV and the cause in @why (CTM_REASON_MAX): "other kernel build (...)", "CPU lacks avx2" */
int ctm_abi_compatible(const struct ctm_abi *from, const struct ctm_abi *to, char *why);

bool ctm_node_is_up(void);
u32 ctm_node_id(void);		/* 0 while down */
u64 ctm_node_boot(void);
const char *ctm_node_name(void);	/* "" while down; stable while up */
bool ctm_node_allow_root(void);
bool ctm_node_accepting(void);	/* not while it is draining */

/** struct ctm_peer_info - a copy, no references */
struct ctm_peer_info {
	u32 id;
	enum ctm_peer_state state;
	u64 boot;
	char name[CTM_NAME_MAX];
	bool accepting;
	u32 processes;
	u32 free_mib;
	u32 cpus;
	struct ctm_abi abi;
};
/** Finders fill @out.  Return: 0 or -ESRCH.  They know the own node too.  Context: any */
int ctm_peer_by_id(u32 id, struct ctm_peer_info *out);
int ctm_peer_by_name(const char *name, struct ctm_peer_info *out);
/** ctm_peer_name() - name of a node into @buf; "#id in hex" when unknown */
void ctm_peer_name(u32 id, char buf[CTM_NAME_MAX]);
/** ctm_peers() - alive peers, without the own node: up to @max ids.  Return: how many */
unsigned int ctm_peers(u32 *ids, unsigned int max);

/** ctm_members() - the own node, and all peers that are alive or suspect.  Return: how many, up to @max */
unsigned int ctm_members(struct ctm_member *out, unsigned int max);

/**
 * ctm_peers_random() - up to @n different peers at random that are alive
 * @not: @nnot that shall not be among them.  Return: how many.  Context: any
 */
unsigned int ctm_peers_random(u32 *ids, unsigned int n, const u32 *not, unsigned int nnot);

/**
 * struct ctm_peer_load - what is known of a peer's load; units as struct ctm_load
 * @age_ms: since something new was heard of it.  In large clusters that takes longer than
 *          between few nodes: a second among ten, a minute among thousands
 */
struct ctm_peer_load {
	u32 id;
	u64 boot;
	u32 age_ms;
	bool accepting;
	u32 flags;			/* CTM_WIRE_CARD_* */
	u32 processes;
	u32 free_mib;
	u32 load, pressure, cpu, mem, runnable;
};
/** ctm_peer_loads() - of all peers that are alive, up to @max.  Return: how many.  Context: any */
unsigned int ctm_peer_loads(struct ctm_peer_load *out, unsigned int max);

/*
 * Called when a peer is found dead, left, or came (back): one call after another,
 * from a work queue of its own, and only after the connections with that boot of
 * the peer were aborted.  A peer with a new boot id: DEAD with the old one, then
 * ALIVE with the new.  At module init only; NULL takes all back, at module exit.
 */
void ctm_node_on_peer_change(void (*fn)(u32 id, enum ctm_peer_state state, u64 boot));

/* counters shown by status: one line each */
enum ctm_counter {
	CTM_CNT_BAD_HELLO,	/* hello with a wrong key, or none */
	CTM_CNT_BAD_TAG,	/* datagram with a wrong tag */
	CTM_CNT_REPLAYED,
	CTM_CNT_TRUNCATED,
	CTM_CNT_OVERSIZED,
	CTM_CNT_GARBAGE,	/* not our magic or version */
	CTM_CNT_HANDOFF_OUT,	/* completed */
	CTM_CNT_HANDOFF_IN,
	CTM_CNT_HANDOFF_ABORTED,
	CTM_CNT_HANDOFF_REFUSED,
	CTM_CNT_SIGNALS,
	CTM_CNT_BAD_IMAGE,
	CTM_CNT_UNKNOWN,	/* datagram that names no hello we know */
	CTM_CNT_VALVE_MOVED,	/* departures that the pressure valve began: done, ... */
	CTM_CNT_VALVE_REFUSED,	/* ... the destination said no, ... */
	CTM_CNT_VALVE_FAILED,	/* ... or it failed (a drain's, too) */
	CTM_CNT_DRAIN_MOVED,
	CTM_CNT_NOT_ADMITTED,	/* others' valves: we said no */
	CTM_CNT_REAPED,		/* destroyed here: time to live or lease over */
	CTM_CNT_SIGNALS_RELAYED,	/* rounds in which a rumour was passed on */
	CTM_CNT_SIGNALS_DROPPED,	/* rumours for which there was no room */
	CTM_CNT_SIGNALS_LATE,	/* reached an old copy, and were sent after the process */
	CTM_CNT_FLOODED,	/* datagram of a peer that sends too many */
	CTM_CNT_BAD_GOSSIP,	/* authentic, but no node of ours writes that */
	CTM_CNT_BLOCKS_CORRUPT,	/* copies that did not match their names any more, ... */
	CTM_CNT_BLOCKS_REPAIRED, /* ... and were replaced */
	CTM_CNT_FORKED_OUT,	/* children of processes here, and ... */
	CTM_CNT_FORKED_IN,	/* ... those that were made here */
	CTM_CNT_MAX
};
void ctm_count(enum ctm_counter c);
u64 ctm_counter(enum ctm_counter c);
const char *ctm_counter_name(enum ctm_counter c);

#define CTM_NODE_KEY	32u
#define CTM_NODE_KEYS	2u	/* accepted together, the first is used */

/** struct ctm_node_config - what NODE_UP brings, without the keys */
struct ctm_node_config {
	char name[CTM_NAME_MAX];
	char cluster[CTM_NAME_MAX];
	u32 id;
	u64 boot;		/* chosen by ctm_node_up() */
	u8 machine[16];
	struct in6_addr addr;	/* IPv4 mapped into IPv6 */
	u16 port;
	bool encrypt;
	bool allow_root;
	bool accepting;
};

/** ctm_node_config() - a copy.  Context: any */
void ctm_node_config(struct ctm_node_config *out);

/*
 * The commands of netlink.c.  Context: process, sleep; one at a time.  @why
 * (CTM_REASON_MAX) gets the cause of an error.
 */
int ctm_node_up(const struct ctm_node_config *cfg, const u8 (*keys)[CTM_NODE_KEY],
		unsigned int nkeys, char *why);
int ctm_node_down(bool force, char *why);
enum ctm_node_flag { CTM_NODE_ENCRYPT, CTM_NODE_ALLOW_ROOT, CTM_NODE_ACCEPTING };
void ctm_node_set_flag(enum ctm_node_flag flag, bool on);
/** ctm_node_set_draining() - by balance.c: nothing lands here meanwhile */
void ctm_node_set_draining(bool on);

struct ctm_addr;
/** join, leave: see net/peers.h; -ENETDOWN while the node is down */
int ctm_node_join(const struct ctm_addr *addr, bool wait, char *why);
int ctm_node_leave(char *why);
/** ctm_node_refresh() - measure again what the others are told of this node */
void ctm_node_refresh(void);

int ctm_node_init(void);
void ctm_node_exit(void);

#endif /* CTM_NODE_H */
