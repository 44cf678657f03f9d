/* SPDX-License-Identifier: GPL-2.0 */
/*
 * netlink.h - the generic netlink family "continuum": control, listings, events
 */
#ifndef CTM_NETLINK_H
#define CTM_NETLINK_H

#include <linux/continuum_netlink.h>
#include "node.h"

/**
 * ctm_event_process() - tell those who listen what became of a process
 * @type: enum ctm_nl_event, CTM_NL_EV_PROCESS_*
 * @node: where it is now
 * @text: more, for people; may be NULL
 * Context: process, may sleep.  Before init and after exit it does nothing.
 */
void ctm_event_process(u32 type, u64 gpid, u32 node, const char *text);
/** ctm_event_peer() - the same of a peer */
void ctm_event_peer(u32 id, const char *name, enum ctm_peer_state state);

int ctm_netlink_init(void);
void ctm_netlink_exit(void);

#endif /* CTM_NETLINK_H */
