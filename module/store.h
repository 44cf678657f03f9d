/* SPDX-License-Identifier: GPL-2.0 */
/*
 * store.h - blocks of data that live in the cluster, for the two doors and main.c
 *
 * The outside is described in <linux/continuum.h> (PUT and its kin), the inside in
 * store_priv.h.
 */
#ifndef CTM_STORE_H
#define CTM_STORE_H

#include <linux/continuum.h>
#include "core/bwire.h"

/** ctm_store_call() - CTM_IOC_PUT, GET, PIN, DROP; @nr says which.  Context: the caller's own */
int ctm_store_call(unsigned int nr, struct ctm_blocks *arg);
int ctm_store_locate(struct ctm_locate *arg);

/** struct ctm_store_row - what a node holds, for listings */
struct ctm_store_row {
	u32 id;
	char name[CTM_NAME_MAX];
	struct ctm_bw_status s;
};
/** ctm_store_rows() - this node's, and those of the peers that answer (2 s each), in a kvmalloc'ed array.  How many, or -errno */
int ctm_store_rows(struct ctm_store_row **out);

/** struct ctm_store_quota - MiB of blocks; 0: as the module's parameters say */
struct ctm_store_quota {
	u32 node;			/* that this node holds */
	u32 owner;			/* of these, for each family and each user */
};
/** ctm_store_quota(), ctm_store_set_quota() - what is here already stays.  Context: any */
void ctm_store_quota(struct ctm_store_quota *q);
void ctm_store_set_quota(const struct ctm_store_quota *q);

int ctm_store_init(void);
void ctm_store_exit(void);

#endif /* CTM_STORE_H */
