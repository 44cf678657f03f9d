/* SPDX-License-Identifier: GPL-2.0 */
/*
 * balance.h - the pressure valve: a node that is too hot sends a process away
 */
#ifndef CTM_BALANCE_H
#define CTM_BALANCE_H

#include "core/policy.h"

/** ctm_balance_config() - the thresholds and switches in force.  Context: process */
void ctm_balance_config(struct ctm_po_config *out);
/** ctm_balance_wrong() - may it be set?  0, or -EINVAL and @why (CTM_REASON_MAX) */
int ctm_balance_wrong(const struct ctm_po_config *cfg, char *why);
void ctm_balance_set(const struct ctm_po_config *cfg);
/** ctm_balance_up() - the node comes up: @cfg from now on, and no drain.  0 or as ctm_balance_wrong() */
int ctm_balance_up(const struct ctm_po_config *cfg, char *why);

/** ctm_balance_drain() - empty this node, or stop that.  @force: of pinned processes, too */
void ctm_balance_drain(bool on, bool force);

/**
 * struct ctm_balance_status
 * @mode:    as status shows it
 * @drained: draining, and it has done what it can: what is here stays, for now
 */
struct ctm_balance_status {
	const char *mode;
	bool drained;
};
void ctm_balance_status(struct ctm_balance_status *out);

int ctm_balance_init(void);
void ctm_balance_exit(void);

#endif /* CTM_BALANCE_H */
