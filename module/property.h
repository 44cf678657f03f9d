/* SPDX-License-Identifier: GPL-2.0 */
/*
 * property.h - what its owner may set on a process while it lives
 */
#ifndef CTM_PROPERTY_H
#define CTM_PROPERTY_H

#include <linux/continuum.h>

/** ctm_property_set() - CTM_IOC_SET, from any node */
int ctm_property_set(struct ctm_set *arg);

int ctm_property_init(void);
void ctm_property_exit(void);

#endif /* CTM_PROPERTY_H */
