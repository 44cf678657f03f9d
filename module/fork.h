/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fork.h - distributed fork: one image, many children
 *
 * The caller's node captures it once for each node that shall have children of it, and
 * sends the image there; that node keeps it and lets the children land from it.  Whether a
 * child exists is decided by the home of its family, in one place (fork_home.c):
 *
 *   forking node                home                      a node with children
 *   RESERVE              -->    numbers, budget
 *   OFFER, CHILDREN, image, for each node                 -->
 *                               START: may it run?  <--   a child is whole, and waits
 *                               yes, once            -->  it runs
 *                                                         STARTED, or ABORT with why
 *   CLOSE                -->    what has not been started never will be; the rest exists
 *
 * So a child exists and is reported, or it does not exist, whatever is lost, doubled or
 * dies: an answer to START may be asked for again, so may CLOSE.  A forking node that dies
 * is closed by home.  If home itself dies, so does what could be said of the children.
 */
#ifndef CTM_FORK_H
#define CTM_FORK_H

#include "process.h"

/**
 * ctm_dist_fork() - CTM_IOC_DIST_FORK; returns as that, but in a child not at all
 * @index_at: user address of arg->index, where a child finds which it is
 */
int ctm_dist_fork(struct ctm_dist_fork *arg, u64 index_at);
/** ctm_wait_child() - CTM_IOC_WAIT with CTM_WAIT_CHILD */
int ctm_wait_child(struct ctm_wait *arg);
/** ctm_result() - CTM_IOC_RESULT */
int ctm_result(struct ctm_result *arg);

#define CTM_FAMILY_BUDGET	4096u	/* unless the node is told otherwise */
/** ctm_fork_budget(), ctm_fork_set_budget() - processes that a family of this home may have in the cluster */
u32 ctm_fork_budget(void);
void ctm_fork_set_budget(u32 n);

int ctm_fork_init(void);
void ctm_fork_exit(void);

#endif /* CTM_FORK_H */
