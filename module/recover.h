/* SPDX-License-Identifier: GPL-2.0 */
/*
 * recover.h - an operator ends a limbo
 */
#ifndef CTM_RECOVER_H
#define CTM_RECOVER_H

#include <linux/continuum.h>

/** ctm_recover() - CTM_IOC_RECOVER, on any node; @arg->reason says on success what was done */
int ctm_recover(struct ctm_target *arg);

int ctm_recover_init(void);
void ctm_recover_exit(void);

#endif /* CTM_RECOVER_H */
