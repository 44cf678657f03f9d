/* SPDX-License-Identifier: GPL-2.0 */
/*
 * journey.h - carrying a handoff out, and the other acts on a whole process
 */
#ifndef CTM_JOURNEY_H
#define CTM_JOURNEY_H

#include "process.h"

struct ctm_ho_offer;

/** ctm_offer_fill() - what an OFFER says of @p, which runs here as @leader; no files, no clocks */
void ctm_offer_fill(struct ctm_process *p, struct task_struct *leader, struct ctm_ho_offer *o);

/** ctm_migrate() - CTM_IOC_MIGRATE, from any node; may not return (self) */
int ctm_migrate(struct ctm_migrate *arg);
/** ctm_explain() - CTM_IOC_EXPLAIN, from any node */
int ctm_explain(struct ctm_explain *arg);

/**
 * struct ctm_departure - a move that no caller waits for
 * @cluster: the cluster decided it, not an operator: it takes one of the TTL, and the
 *           destination may have enough
 * @ended:   called once, in a worker, when the outcome is known or it is in limbo
 *           (@err -EINPROGRESS); @refused: the destination said no.  @why: text, on an
 *           error.  It may sleep
 */
struct ctm_departure {
	u32 target;
	bool cluster;
	void (*ended)(struct ctm_process *p, int err, bool refused, const char *why);
};
/**
 * ctm_depart() - begin one, of a process that runs here
 * Return: 0, or -errno and nothing was begun; -ETIME: a hop of the cluster, and it has
 * no time to live left: it is destroyed instead
 */
int ctm_depart(struct ctm_process *p, const struct ctm_departure *d);

struct ctm_explain_ctx;

/**
 * struct ctm_journey_policy - who decides of moves that nobody names a target for
 * @choose: where a process goes whose target is "any": a node id, or 0
 * @advise: adds what the valve thinks of a process that runs here, and what a move to
 *          each peer would cost.  Process context; may sleep
 */
struct ctm_journey_policy {
	u32 (*choose)(struct ctm_process *p);
	void (*advise)(struct ctm_process *p, struct ctm_explain_ctx *x);
};
/** ctm_journey_policy() - at module init; NULL takes it back */
void ctm_journey_policy(const struct ctm_journey_policy *policy);

/**
 * ctm_journey_estimate_ms() - how long a move of so much memory takes from here
 * @measured: false: no move has been measured yet, it is a guess
 */
u32 ctm_journey_estimate_ms(u64 bytes, bool *measured);

/**
 * ctm_journey_recover() - an operator: the copy in limbo here is the one that counts
 * Waits until it runs.  @why (CTM_REASON_MAX) gets a text on success.
 * Return: 0, -ENOENT: none is in limbo here; -EBUSY: but it may be soon; -EPERM, -ETIMEDOUT
 */
int ctm_journey_recover(struct ctm_process *p, const struct ctm_caller *by, char *why);

int ctm_journey_init(void);
void ctm_journey_exit(void);

#endif /* CTM_JOURNEY_H */
