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
#include "core/policy.h"
#include "core/ttl.h"

struct cgroup;
struct ctm_keeper;	/* keeper.c */
struct journey;		/* journey.c */
struct ctm_landing;	/* land.c */
struct ctm_rfiles;	/* rfile.c */
struct ctm_sig_applied;	/* core/signal.h */
struct ctm_term;	/* term.c */
struct ctm_waits;	/* waits.c */
struct netlink_callback;

/** struct ctm_process - @lock covers everything without a note */
struct ctm_process {
	struct rhash_head node;
	struct hlist_node hosted;	/* process.c: found by @cgrp while @here, under RCU */
	struct rcu_head rcu;
	struct kref ref;
	u64 gpid;			/* constant */
	u64 family;			/* constant: GPID of the root of its family */
	u64 parent;			/* constant, at home: who forked it; 0: nobody */
	struct list_head all;		/* registry lock */

	spinlock_t lock;
	u32 host;			/* node id; at home: where it was last known */
	u64 host_boot;			/* its boot id then, 0: this one */
	u32 epoch;
	u32 hops;
	struct ctm_life life;		/* reaper.c */
	u32 flags;			/* CTM_ADOPT_* */
	enum ctm_state state;
	u32 uid;
	char comm[CTM_COMM_MAX];
	u32 leaving_to;			/* at home: consent given for this node, 0: none */

	/* host part: valid while @here */
	bool here;
	struct pid *leader;		/* constant while here */
	struct cgroup *cgrp;		/* the capsule's, not the keeper's; constant while here */
	struct file *freeze_file;	/* cgroup.freeze; constant while here */
	unsigned int freezers;		/* freeze.c, under @journey */
	struct ctm_waits *waits;	/* waits.c, under @journey: while frozen */
	struct mutex journey;
	u64 cpu_before_ns;		/* used on earlier hosts */
	atomic64_t charged_ns;		/* tick.c: by ticks that hit it on this host; without lock */
	u64 here_since;			/* ktime ns; constant while here */
	struct ctm_po_cooling cooling;	/* balance.c's, once it is here */
	u64 seen_ns;			/* balance.c: of charged_ns, at its last sample */
	u32 cpu;			/* balance.c: thousandths of a CPU, lately */
	struct ctm_keeper *keeper;	/* its file; NULL once that is closed */
	bool committed;			/* a handoff away may not be undone any more */
	bool arriving;			/* landed, and the source has not confirmed RELEASED */
	u32 attempt;			/* handoffs tried in this epoch */
	struct journey *under_way;	/* journey.c: the handoff away; it holds itself */
	bool exit_told;			/* the keeper told EXITED */
	u64 lease_due;			/* reaper.c: of charged_ns; without lock */
	unsigned long reaping;		/* CTM_REAPING: @reap is queued or runs, and has a reference */
	struct work_struct reap;
	enum ctm_end end_wanted;	/* without lock: for @reap */
	enum ctm_end end_why;		/* it was killed by us, for this; 0: it was not */
	struct file *budget_file;	/* pids.events, or NULL; constant while here */
	u64 budget_hits;		/* forks that failed for it, as far as was seen here */
	struct mutex signal_lock;	/* signals.c: covers the next two */
	struct ctm_sig_applied *applied;
	bool signals_closed;		/* the COMMIT has what was applied: no more to this copy */
	bool limbo;			/* land.c: a whole copy waits here, its source silent */
	struct delayed_work report;	/* exit record that home has not confirmed */
	struct delayed_work settle;	/* recovered: home has to hear; at home: host lost */
	u32 result_len;			/* what it has left with RESULT so far */
	u8 result[CTM_RESULT_MAX];
	struct mutex wait_lock;		/* fork_home.c: one child is taken at a time; covers: */
	u32 takes;			/* TAKEs sent by this host */
	u64 took;			/* goes with it: number of the last that was answered */

	/* home part: valid when CTM_GPID_NODE(gpid) == ctm_node_id() */
	bool ended;
	struct ctm_wait exit;		/* valid once @ended */
	wait_queue_head_t wait;		/* for @ended, @state, @host; on the host for @arriving */
	unsigned long ended_at;		/* jiffies */
	bool forking;			/* reserved: it does not exist yet, and perhaps never will */
	bool fork_over;			/* never: nobody may start it any more */
	u32 fork_node;			/* the node that forks it, and its boot: constant */
	u64 fork_boot;
	bool taken;			/* its parent has waited for it */
	unsigned int child_ends;	/* children of it that have ended: their number changes @wait */
	u64 take_nr;			/* fork_home.c, under its take_lock: its last TAKE, ... */
	u64 offered;			/* ... and the child that it was answered; 0: none */

	/* parts with owners of their own; set once, freed with the process */
	struct ctm_rfiles *rfiles;
	struct ctm_term *term;
};

#define CTM_REAPING	0
void ctm_reaper_work(struct work_struct *work);		/* reaper.c: @reap */

/**
 * struct ctm_caller - on whose behalf something is done to a process
 * Filled on the node where the call was made, and believed by the others: root
 * on one node is trusted by all.
 */
struct ctm_caller {
	__u32 uid;
	__u32 gid;
	__u32 flags;			/* CTM_CALLER_* */
	__u32 hops;			/* forwarded so often */
};
#define CTM_CALLER_ADMIN	(1u << 0)	/* CAP_SYS_ADMIN */
#define CTM_CALLER_KILL		(1u << 1)	/* CAP_KILL */
void ctm_caller_current(struct ctm_caller *c);

/* Finders take a reference, or return NULL.  Context: any */
struct ctm_process *ctm_process_find(u64 gpid);
struct ctm_process *ctm_process_of_task(struct task_struct *t);
/**
 * ctm_process_under() - the process that runs here and that @t is a task of, or NULL
 * No reference.  Context: any, also hard interrupts; an RCU read-side section, which
 * a stretch with interrupts off is one of, and @t is current or held.
 */
struct ctm_process *ctm_process_under(struct task_struct *t);
void ctm_process_get(struct ctm_process *p);
void ctm_process_put(struct ctm_process *p);		/* may sleep */

/**
 * ctm_process_new() - enter a process into the registry
 * @gpid: 0: a new one of this node
 * @family: 0: its own
 * Return: with a reference, or ERR_PTR(-EEXIST, -ENETDOWN, -ENOMEM, -EUSERS: too many)
 */
struct ctm_process *ctm_process_new(u64 gpid, u64 family);
/**
 * ctm_process_new_child() - at home: an entry for a child of @parent that may come to be
 * @node, @boot: who forks it.  Return: as above; p->forking is set
 */
struct ctm_process *ctm_process_new_child(u64 gpid, struct ctm_process *parent, u32 node, u64 boot);
/**
 * ctm_process_replace() - an entry of a process that is to be restored, for now as one that is forked
 * @old: the entry of an earlier one of that id, which has ended and gives place, or NULL
 * Return: as above.  ctm_process_put_back(): nothing came of it, @old (if it stood
 * there) has its place again
 */
struct ctm_process *ctm_process_replace(u64 gpid, struct ctm_process *old);
void ctm_process_put_back(struct ctm_process *p, struct ctm_process *old);
/** ctm_process_forget() - take it out of the registry (references stay good) */
void ctm_process_forget(struct ctm_process *p);

/**
 * struct ctm_capsule - what freezing and finding the tasks of a capsule needs
 * @cgrp:   its cgroup (not the keeper's)
 * @freeze: cgroup.freeze of it, open for writing
 * @budget: pids.events of it, or NULL: without the pids controller there is no budget
 */
struct ctm_capsule {
	struct cgroup *cgrp;
	struct file *freeze;
	struct file *budget;
};
/** ctm_capsule_open() - from a directory descriptor of current.  0 or -errno */
int ctm_capsule_open(int cgroup_fd, struct ctm_capsule *c);
void ctm_capsule_close(struct ctm_capsule *c);

/**
 * ctm_process_host() - it runs here from now on
 * @leader: a reference of its own is taken
 * @c: taken over
 */
void ctm_process_host(struct ctm_process *p, struct pid *leader, struct ctm_capsule *c,
		      struct ctm_keeper *keeper);
/** ctm_process_unhost() - it does not run here any more; holds p->journey */
void ctm_process_unhost(struct ctm_process *p);

/** ctm_process_leader() - its leader's task with a reference, or NULL when not here or gone */
struct task_struct *ctm_process_leader(struct ctm_process *p);

/** ctm_process_refresh() - look up the name and user of a leader that runs here; its record keeps them */
void ctm_process_refresh(struct ctm_process *p);

/**
 * ctm_process_stillborn() - at its host: a child that home says exists could not be let go
 * Home gets its exit record.  Forgets @p, unless this is its home.
 */
void ctm_process_stillborn(struct ctm_process *p);
/** ctm_process_on_end() - @fn is called at home when a process has ended.  At module init */
void ctm_process_on_end(void (*fn)(struct ctm_process *p));

/** ctm_process_ended() - it ended here: tell home (or keep the record, at home), and unhost */
void ctm_process_ended(struct ctm_process *p, int status, enum ctm_end end, u64 cpu_ns);

/**
 * struct ctm_moved_call - CTM_CALL_MOVED: host to home, "it runs here now"
 * Answer: 0; -ESTALE when home knows of a later owner, or of its end: the copy
 * that was told of is void.
 */
struct ctm_moved_call {
	__u64 gpid;
	__u64 boot;
	__u32 epoch;
	__u32 hops;
};
/** struct ctm_handed_call - CTM_CALL_HANDED: the old host to home, the same of @host */
struct ctm_handed_call {
	__u64 gpid;
	__u64 boot;			/* of @host */
	__u32 epoch;
	__u32 hops;
	__u32 host;
	__u32 pad;
};
/** ctm_process_tell_home() - MOVED, once.  0, -ESTALE or what ctm_call() returns */
int ctm_process_tell_home(struct ctm_process *p);
/**
 * ctm_process_claim() - an operator decided that it is this copy which counts
 * @epoch: later than any that the other copy may have told home of.  Home hears
 * of it as soon as it can be reached; does not wait for that.
 */
void ctm_process_claim(struct ctm_process *p, u32 epoch);
/**
 * ctm_process_void() - what runs here is no longer the process: kill it, silently
 * No exit is reported.  Context: process, waits for the tasks to die.
 */
void ctm_process_void(struct ctm_process *p);
/**
 * enum ctm_family - what this node knows of a family, by the process that it is named by
 * Its home knows best, but not after a restart: then only the hosts do.
 */
enum ctm_family { CTM_FAMILY_UNKNOWN, CTM_FAMILY_LIVES, CTM_FAMILY_ENDED };
enum ctm_family ctm_process_family(u64 family);
/** ctm_process_lost() - at home: host lost, by an operator's word.  0, -EINVAL: its host is alive; -EBUSY: another node has a copy */
int ctm_process_lost(struct ctm_process *p);

/** ctm_process_info() - fill @out from what this node knows */
void ctm_process_info(struct ctm_process *p, struct ctm_info *out);
/**
 * ctm_process_snapshot() - all processes of the cluster, as far as nodes answer
 * @out: kvmalloc'ed array.  Context: process, waits for peers (up to 2 s each).
 */
int ctm_process_snapshot(struct ctm_info **out, unsigned int *n, bool ended);
/** ctm_process_count_here() - processes that run on this node, or wait here in limbo */
unsigned int ctm_process_count_here(void);
/**
 * ctm_process_each_here() - @fn with each process that runs here, until it returns false
 * Context: sleeps.  The registry is locked: @fn must not call it.
 */
void ctm_process_each_here(bool (*fn)(struct ctm_process *p, void *arg), void *arg);
/** ctm_process_each() - the same, with every entry */
void ctm_process_each(bool (*fn)(struct ctm_process *p, void *arg), void *arg);
/**
 * ctm_process_collect() - those for which @want says so, with references
 * @v: kvmalloc'ed; ctm_process_collect_put() frees it.  Context: sleeps; @want may not.
 * Return: their number; fewer when memory is short
 */
unsigned int ctm_process_collect(bool (*want)(struct ctm_process *p, void *arg), void *arg,
				 struct ctm_process ***v);
void ctm_process_collect_put(struct ctm_process **v, unsigned int n);
/** ctm_process_usage() - CPU time since its start, resident bytes.  false: it is not here any more */
bool ctm_process_usage(struct ctm_process *p, u64 *cpu_ns, u64 *rss);
/** ctm_process_runnable() - tasks in the capsules here that run or wait for a CPU.  Context: sleeps */
unsigned int ctm_process_runnable(void);

/** ctm_owned_by() - do all threads of @leader belong to @by, or is @by an administrator?  0 or -EPERM */
int ctm_owned_by(struct task_struct *leader, const struct ctm_caller *by);
/** ctm_may_act() - is @by the owner of @p (which runs here) or an administrator?  0, -EPERM, -ESRCH */
int ctm_may_act(struct ctm_process *p, const struct ctm_caller *by);

static inline bool ctm_process_is_home(const struct ctm_process *p);

int ctm_process_init(void);
void ctm_process_exit(void);

#include "node.h"
static inline bool ctm_process_is_home(const struct ctm_process *p)
{
	return CTM_GPID_NODE(p->gpid) == ctm_node_id();
}

#endif /* CTM_PROCESS_H */
