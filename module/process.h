/* SPDX-License-Identifier: GPL-2.0 */
/*
 * process.h - the registry of Continuum processes
 *
 * A struct ctm_process exists on a node when the process runs here (host part)
 * or was started here (home part), or both.  Found by GPID.
 *
 * Lock order: ctm_process.lock is a leaf spinlock, taken under no other lock
 * than the registry's; what sleeps holds ctm_process.journey (a mutex: one
 * journey, suspend or destroy at a time) first.
 */
#ifndef CTM_PROCESS_H
#define CTM_PROCESS_H

#include <linux/continuum.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/rhashtable.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

struct cgroup;
struct ctm_keeper;	/* chardev.c: the keeper's file */
struct ctm_landing;	/* land.c */
struct ctm_rfiles;	/* rfile.c */
struct ctm_term;	/* term.c */
struct netlink_callback;

/** struct ctm_process - @lock covers everything without a note */
struct ctm_process {
	struct rhash_head node;
	struct rcu_head rcu;
	struct kref ref;
	u64 gpid;			/* constant */
	struct list_head all;		/* registry lock */

	spinlock_t lock;
	u32 host;			/* node id; at home: where it was last known */
	u32 epoch;
	u32 hops;
	u32 ttl;
	u32 flags;			/* CTM_ADOPT_* */
	enum ctm_state state;
	u32 uid;
	char comm[CTM_COMM_MAX];

	/* host part: valid while @here */
	bool here;
	struct pid *leader;		/* constant while here */
	struct pid *keeper_pid;
	struct cgroup *cgrp;		/* the capsule's, not the keeper's; constant while here */
	struct file *freeze_file;	/* cgroup.freeze; constant while here */
	unsigned int freezers;		/* freeze.c, under @journey */
	struct mutex journey;
	u64 cpu_before_ns;		/* used on earlier hosts */

	/* home part: valid when CTM_GPID_NODE(gpid) == ctm_node_id() */
	bool ended;
	struct ctm_wait exit;		/* valid once @ended */
	wait_queue_head_t wait;		/* for @ended, @state, events */

	/* parts with owners of their own; set once, freed with the process */
	struct ctm_rfiles *rfiles;
	struct ctm_term *term;
};

struct ctm_process *ctm_process_find(u64 gpid);		/* takes a reference, or NULL */
struct ctm_process *ctm_process_of_task(struct task_struct *t);	/* by cgroup; takes a reference, or NULL */
void ctm_process_get(struct ctm_process *p);
void ctm_process_put(struct ctm_process *p);		/* may sleep */

/** ctm_may_act() - is current the owner of @p (runs here) or CAP_SYS_ADMIN?  0, -EPERM, -ESRCH */
int ctm_may_act(struct ctm_process *p);

static inline bool ctm_process_is_home(const struct ctm_process *p);

int ctm_process_init(void);
void ctm_process_exit(void);

#include "node.h"
static inline bool ctm_process_is_home(const struct ctm_process *p)
{
	return CTM_GPID_NODE(p->gpid) == ctm_node_id();
}

#endif /* CTM_PROCESS_H */
