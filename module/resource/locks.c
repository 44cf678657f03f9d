// SPDX-License-Identifier: GPL-2.0
/*
 * locks.c - locks on files, which cannot be carried
 *
 * The lists hang off the inode, under flc_lock.
 */
#include <linux/fdtable.h>
#include <linux/fs.h>

#include "../compat/compat.h"
#include "resource.h"

static bool owned(struct list_head *list, const void *owner, const void *other)
{
	struct file_lock_core *l;

	list_for_each_entry(l, list, flc_list)
		if (l->flc_owner == owner || (other && l->flc_owner == other))
			return true;
	return false;
}

const char *ctm_file_locked(struct file *f, struct files_struct *files, bool fork)
{
	struct file_lock_context *ctx = locks_inode_context(file_inode(f));
	const char *what = NULL;

	if (!ctx)
		return NULL;
	spin_lock(&ctx->flc_lock);
	/* f: open file description locks; the others are not a child's */
	if (owned(&ctx->flc_posix, fork ? (void *)f : files, f))
		what = "holds a file lock";
	else if (owned(&ctx->flc_flock, f, NULL))
		what = "holds a file lock (flock)";
	else if (owned(&ctx->flc_lease, f, NULL))
		what = "holds a file lease";
	spin_unlock(&ctx->flc_lock);
	return what;
}
