/* SPDX-License-Identifier: GPL-2.0 */
/*
 * journey.h - carrying a handoff out, and the other acts on a whole process
 */
#ifndef CTM_JOURNEY_H
#define CTM_JOURNEY_H

#include "process.h"

/** ctm_migrate() - CTM_IOC_MIGRATE, from any node; may not return (self) */
int ctm_migrate(struct ctm_migrate *arg);
/** ctm_explain() - CTM_IOC_EXPLAIN, from any node */
int ctm_explain(struct ctm_explain *arg);

int ctm_journey_init(void);
void ctm_journey_exit(void);

#endif /* CTM_JOURNEY_H */
