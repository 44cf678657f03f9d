/* SPDX-License-Identifier: GPL-2.0 */
/*
 * gossip.h - this node's view of the cluster (core/member), driven
 *
 * gossip.c owns the view.  Whoever makes or removes a struct peer does so with the view
 * locked, so that table and view have the same members.  Lock order: the view, targets.lock,
 * table.lock.
 */
#ifndef CTM_NET_GOSSIP_H
#define CTM_NET_GOSSIP_H

#include <linux/types.h>

int ctm_gossip_init(void);
void ctm_gossip_exit(void);
/** ctm_gossip_up() - begin with an empty view, also after one was left.  0 or -ENOMEM */
int ctm_gossip_up(void);
void ctm_gossip_down(void);

/** ctm_gossip_lock() - the view.  Context: process; nobody sleeps with it */
void ctm_gossip_lock(void) __acquires(ctm_gossip);
void ctm_gossip_unlock(void) __releases(ctm_gossip);
/** ctm_gossip_met() - @id has proved @boot; @news: it came to us.  Holds the view.  0 or -ENOSPC */
int ctm_gossip_met(u32 id, u64 boot, bool news);
/** ctm_gossip_forget() - @id is no peer any more.  Holds the view */
void ctm_gossip_forget(u32 id);

/** ctm_gossip_left() - @id says that it leaves */
void ctm_gossip_left(u32 id);
/** ctm_gossip_leave() - tell all peers that we leave; the view is of no use any more */
void ctm_gossip_leave(void);
/** ctm_gossip_farewell() - say it again, to @n peers */
void ctm_gossip_farewell(const u32 *ids, unsigned int n);

#endif /* CTM_NET_GOSSIP_H */
