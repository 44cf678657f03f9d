// SPDX-License-Identifier: GPL-2.0
/*
 * stored.c - an image that stays on a node while processes are built from it
 *
 * All of them together may take a part of the memory, counted in `stored_bytes`.
 */
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "stored.h"

#define STORED_PART	4	/* of all memory */

struct ctm_stored {
	struct kref ref;
	struct file *file;
	u64 len;
	u64 most;			/* that all may have together: constant */
	u64 due;			/* bytes of pages that are to come */
	struct ctm_image_state check;
};

static atomic64_t stored_bytes = ATOMIC64_INIT(0);

struct ctm_stored *ctm_stored_new(void)
{
	struct ctm_stored *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	struct sysinfo si;

	if (!s)
		return ERR_PTR(-ENOMEM);
	kref_init(&s->ref);
	si_meminfo(&si);
	s->most = (u64)si.totalram * si.mem_unit / STORED_PART;
	s->file = shmem_file_setup("continuum-image", MAX_LFS_FILESIZE, CTM_SHMEM_NORESERVE);
	if (IS_ERR(s->file)) {
		kfree(s);
		return ERR_PTR(-ENOMEM);
	}
	return s;
}

static void stored_free(struct kref *ref)
{
	struct ctm_stored *s = container_of(ref, struct ctm_stored, ref);

	fput(s->file);
	atomic64_sub(s->len, &stored_bytes);
	kfree(s);
}

void ctm_stored_get(struct ctm_stored *s)
{
	kref_get(&s->ref);
}

void ctm_stored_put(struct ctm_stored *s)
{
	if (s)
		kref_put(&s->ref, stored_free);
}

static int append(struct ctm_stored *s, const void *data, size_t len)
{
	loff_t pos = s->len;
	ssize_t n;

	if (atomic64_add_return(len, &stored_bytes) > s->most) {
		atomic64_sub(len, &stored_bytes);
		return -ENOSPC;
	}
	s->len += len;			/* to be given back when it is freed */
	n = kernel_write(s->file, data, len, &pos);
	return n == len ? 0 : n < 0 ? n : -EIO;
}

int ctm_stored_record(struct ctm_stored *s, const struct ctm_rec *rec, u32 len, const char **why)
{
	const struct ctm_rec_pages *pages = (const void *)(rec + 1);
	int err;

	*why = "inside the pages of another";
	if (s->due)
		return -EBADMSG;
	err = ctm_image_check(&s->check, rec, len, why);
	if (err)
		return err;
	if (rec->type == CTM_REC_PAGES)
		s->due = (u64)pages->count * CTM_PAGE;
	return append(s, rec, len);
}

int ctm_stored_bytes(struct ctm_stored *s, const void *data, size_t len)
{
	if (len > s->due)
		return -EBADMSG;
	s->due -= len;
	return append(s, data, len);
}

u64 ctm_stored_len(const struct ctm_stored *s)
{
	return s->len;
}

u64 ctm_stored_pages(const struct ctm_stored *s)
{
	return s->check.pages;
}

bool ctm_stored_whole(const struct ctm_stored *s)
{
	return s->check.ended && !s->due;
}

int ctm_stored_read(struct ctm_stored *s, u64 *at, void *buf, size_t len)
{
	loff_t pos = *at;
	ssize_t n = len <= s->len - *at ? kernel_read(s->file, buf, len, &pos) : -ENODATA;

	if (n != len)
		return n < 0 ? n : -EIO;
	*at = pos;
	return 0;
}

int ctm_stored_read_iter(struct ctm_stored *s, u64 *at, struct iov_iter *to)
{
	size_t want = iov_iter_count(to);
	loff_t pos = *at;
	ssize_t n = want <= s->len - *at ? vfs_iter_read(s->file, to, &pos, 0) : -ENODATA;

	if (n != want)
		return n < 0 ? n : -EFAULT;
	*at = pos;
	return 0;
}
