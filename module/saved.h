/* SPDX-License-Identifier: GPL-2.0 */
/*
 * saved.h - what checkpoint.c and restore.c share
 */
#ifndef CTM_SAVED_H
#define CTM_SAVED_H

#include "checkpoint.h"
#include "core/handoff.h"
#include "stored.h"

/** struct ctm_saved - @lock covers all of it; the calls of its file take it */
struct ctm_saved {
	struct mutex lock;
	struct ctm_stored *image;	/* NULL once it was restored */
	u64 at;				/* read so far */

	/* being written */
	bool written;			/* it is */
	const struct cred *cred;	/* of who began */
	bool admin;
	u64 of;				/* the process of which it shall be */
	u64 gpid;			/* what it will be */
	struct ctm_ho_abi abi;		/* where it was made */
	u64 due;			/* bytes of pages that come before the next record */
	u64 locked;			/* bytes that it wants to have in memory always */
	struct ctm_rec_head head;
	u32 uid, gid;
	char comm[CTM_COMM_MAX];
	void *buf;			/* CTM_REC_MAX */
	int error;			/* it is no good: why */
	char why[CTM_REASON_MAX];
};

/** ctm_saved_new() - an empty one; ctm_saved_free() at any time.  ERR_PTR(-ENETDOWN or -ENOMEM) */
struct ctm_saved *ctm_saved_new(void);

#endif /* CTM_SAVED_H */
