/* SPDX-License-Identifier: GPL-2.0 */
/*
 * policy.h - when a node relieves itself, of which process, and to where
 *
 * Pure code: one struct ctm_policy a node.  Its owner (balance.c, and the simulation)
 * calls ctm_po_sample() for each sample of its load, ctm_po_choose() whenever it could
 * begin a move, ctm_po_done() when that has ended, and, for processes that others want
 * to land here, ctm_po_admit() and ctm_po_landed().  Calls are serialized by the owner.
 *
 * Times are ns of a clock that does not run back.  Percentages, pressures and tasks per
 * CPU are in thousandths, as in struct ctm_load.
 *
 * When.  Pressure above t_high for CTM_PO_SAMPLES samples; or, by the watchdog, CPU above
 * 90 % with more runnable tasks than CPUs for as many.
 *
 * What.  The process whose move gains most for its cost.  What a process has used so far
 * is taken for what it will still use: that is how the lifetimes of processes are
 * (M. Harchol-Balter, A. B. Downey: Exploiting Process Lifetime Distributions for Dynamic
 * Load Balancing, SIGMETRICS 1996).
 *
 * Where.  Above t_high: to a node below t_low that ends well below t_high, and below us.
 * Under the watchdog: to a node on which its CPUs have, with the process, no more
 * runnable tasks each than ours without it.  Neither move can be undone by the same rule:
 * the reverse one would not be an improvement.  Of those that are about as good as the
 * best one is taken at random, for others choose at this moment, too; who comes second
 * is refused, and tries another.
 */
#ifndef CTM_CORE_POLICY_H
#define CTM_CORE_POLICY_H

#include "env.h"

#define CTM_PO_SAMPLES		3u
#define CTM_PO_PRESSURE_MAX	300000u
#define CTM_PO_PROMISES		32u
#define CTM_PO_MS		1000000ull	/* in ns */

/**
 * struct ctm_po_config - what continuumctl set changes
 * @t_high, @t_low: pressures
 * @valve:      the node may relieve itself at all
 * @watchdog:   not only for its pressure
 * @contention: the watchdog wants more runnable tasks than CPUs, too; without it CPU
 *              above 90 % is enough, and targets are chosen by their pressure
 */
struct ctm_po_config {
	u32 t_high;
	u32 t_low;
	bool valve;
	bool watchdog;
	bool contention;
};
extern const struct ctm_po_config ctm_po_default;

/** ctm_po_config_wrong() - what is wrong with it, for people, or NULL */
const char *ctm_po_config_wrong(const struct ctm_po_config *cfg);

/** struct ctm_po_load - a node's; @runnable per CPU */
struct ctm_po_load {
	u32 cpu, mem, runnable, pressure;
	u32 cpus;
	u32 free_mib;
};

/**
 * struct ctm_po_peer - another node, as it was heard
 * @age_ms: since then
 * @usable: alive, accepting, and processes of ours can run there
 */
struct ctm_po_peer {
	u32 id;
	u32 age_ms;
	bool usable;
	struct ctm_po_load load;
};

/** struct ctm_po_cooling - of a process; zeroed at its start */
struct ctm_po_cooling {
	u64 until;
	u32 failed;		/* attempts, since it moved */
};

/**
 * struct ctm_po_process - one that runs here
 * @cpu:     of one CPU, lately
 * @used_ms: CPU time since its start, anywhere
 * @here_ms: since it was started here, or landed
 * @pinned:  not moved by the cluster
 * @busy:    cannot be moved now: suspended, moving, landing, no TTL left
 * @cooling: the owner's; ctm_po_arrived(), ctm_po_done() change it
 */
struct ctm_po_process {
	u64 gpid;
	u32 cpu;
	u32 rss_mib;
	u32 used_ms;
	u32 here_ms;
	bool pinned;
	bool busy;
	struct ctm_po_cooling *cooling;
};

enum ctm_po_mode { CTM_PO_NORMAL, CTM_PO_EJECTING, CTM_PO_DRAINING };
enum ctm_po_cause { CTM_PO_PRESSURE, CTM_PO_WATCHDOG, CTM_PO_DRAIN };

/** enum ctm_po_result - how a move ended: it runs there; the target refused; anything else */
enum ctm_po_result { CTM_PO_MOVED, CTM_PO_REFUSED, CTM_PO_FAILED };

/** struct ctm_po_promise - a node that gets, or has just got, or refused, one of ours */
struct ctm_po_promise {
	u32 id;
	bool refused;
	bool landed;
	u64 at;			/* when that was; 0: an empty entry */
	u64 until;
	u32 tasks;		/* thousandths */
	u32 mib;
};

struct ctm_policy {
	struct ctm_po_config cfg;
	u64 random;
	u32 above, dog;		/* samples in a row with each cause */
	u32 calm;		/* samples in a row with none */
	bool ejecting;
	bool draining;
	bool force;		/* draining: pinned processes, too */

	u64 leaving;		/* gpid of the one move under way, 0: none */
	struct ctm_po_cooling *leaving_cooling;
	u32 leaving_to;
	u64 pause;		/* no move before: the last one must show */
	struct ctm_po_promise promises[CTM_PO_PROMISES];

	u32 landing_from;	/* the last that was let in came from there */
	u64 landing_until;	/* ... and nobody else's is, before */
};

/** ctm_po_init() - @seed: of its choices, differs from node to node */
void ctm_po_init(struct ctm_policy *po, const struct ctm_po_config *cfg, u64 seed);

/** ctm_po_sample() - one more sample of this node's load */
void ctm_po_sample(struct ctm_policy *po, const struct ctm_po_load *self);

enum ctm_po_mode ctm_po_mode(const struct ctm_policy *po);
const char *ctm_po_mode_name(enum ctm_po_mode mode);

/** ctm_po_drain() - empty this node, or (not @on) stop that */
void ctm_po_drain(struct ctm_policy *po, bool on, bool force);

/** struct ctm_po_move - @process, @peer: indices */
struct ctm_po_move {
	u32 process;
	u32 peer;
	enum ctm_po_cause cause;
};

/**
 * ctm_po_choose() - should a move begin now?
 * True: @out is to be begun, and ctm_po_done() called when it has ended.
 */
bool ctm_po_choose(struct ctm_policy *po, u64 now, const struct ctm_po_load *self,
		   const struct ctm_po_peer *peers, u32 npeers,
		   const struct ctm_po_process *procs, u32 nprocs, struct ctm_po_move *out);

/**
 * ctm_po_open() - does the valve send processes away just now?
 * @cause: what for; when it is shut, what to ask about
 */
bool ctm_po_open(const struct ctm_policy *po, enum ctm_po_cause *cause);

/** ctm_po_stays() - why @proc is not sent away for @cause, wherever to; NULL: it may be */
const char *ctm_po_stays(const struct ctm_policy *po, u64 now, const struct ctm_po_load *self,
			 const struct ctm_po_process *proc, enum ctm_po_cause cause);

/** ctm_po_spares() - why @peer does not get @proc for @cause; NULL: it may */
const char *ctm_po_spares(struct ctm_policy *po, u64 now, const struct ctm_po_load *self,
			  const struct ctm_po_peer *peer, const struct ctm_po_process *proc,
			  enum ctm_po_cause cause);

/** ctm_po_done() - the move under way has ended */
void ctm_po_done(struct ctm_policy *po, u64 now, enum ctm_po_result result);

/**
 * ctm_po_best() - where would an operator's "any" go?  The emptiest with room.
 * Return: index, or -1
 */
int ctm_po_best(struct ctm_policy *po, u64 now, const struct ctm_po_peer *peers, u32 npeers,
		const struct ctm_po_process *proc);

/**
 * ctm_po_spread() - where would the children of a fork go?  To all that are usable, in turn
 * @order: @npeers places: gets indices of those, the least pressed first, and of equals the
 *         one with the lowest id.  Return: how many
 */
u32 ctm_po_spread(const struct ctm_po_peer *peers, u32 npeers, u32 *order);

/**
 * ctm_po_left() - of a drain: processes that stay, because they are pinned or every
 * attempt has failed so far.  Equal to @nprocs: it has done what it can
 */
u32 ctm_po_left(const struct ctm_policy *po, const struct ctm_po_process *procs, u32 nprocs);

/**
 * ctm_po_admit() - may a process land here that another node's valve sends?
 * Return: NULL: yes, and it is under way; else why not
 */
const char *ctm_po_admit(struct ctm_policy *po, u64 now, const struct ctm_po_load *self, u32 from,
			 u32 rss_mib);
/** ctm_po_landed() - the one that was admitted last is here, or will not come */
void ctm_po_landed(struct ctm_policy *po, u64 now, bool here);

/** ctm_po_arrived() - a process has landed: it stays for a while.  @hops: so far */
void ctm_po_arrived(struct ctm_po_cooling *c, u64 now, u32 hops, u32 rss_mib);

#endif /* CTM_CORE_POLICY_H */
