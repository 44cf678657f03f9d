/* SPDX-License-Identifier: GPL-2.0 */
/*
 * peers.h - joining, leaving and listing, for node.c and netlink.c
 *
 * What the rest of the module asks about peers stands in node.h.
 */
#ifndef CTM_NET_PEERS_H
#define CTM_NET_PEERS_H

#include "net/net.h"

/**
 * ctm_peers_join() - join through @addr, which becomes a seed
 * @wait: greet it now; else in the background
 * Context: process, sleeps up to 10 s.  Return: 0, or -errno with @why; after an
 * error that time may heal the seed is kept
 */
int ctm_peers_join(const struct ctm_addr *addr, bool wait, char *why);
/** ctm_peers_leave() - tell everybody, forget everybody; nobody may join us until we join */
void ctm_peers_leave(void);
/** ctm_peer_forget() - drop a peer that is dead or left.  0, -ENOENT, -EBUSY (alive) */
int ctm_peer_forget(u32 id);

/** struct ctm_peer_row - a peer as listings show it; units as struct ctm_load */
struct ctm_peer_row {
	struct ctm_peer_info info;
	struct ctm_addr addr;
	u32 age_ms;
	u32 load, pressure, cpu, mem, runnable;
};
/** ctm_peer_rows() - all peers, in a kvmalloc'ed array.  Return: how many, or -errno */
int ctm_peer_rows(struct ctm_peer_row **out);
/** ctm_peers_live() - live nodes, this one included */
unsigned int ctm_peers_live(void);
/** ctm_peer_seeds() - up to @max.  Return: how many */
unsigned int ctm_peer_seeds(struct ctm_addr *out, unsigned int max);

#endif /* CTM_NET_PEERS_H */
