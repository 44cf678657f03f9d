/* SPDX-License-Identifier: GPL-2.0 */
/*
 * stored.h - an image that stays on a node while processes are built from it
 *
 * The stream of core/image.h, in memory that can be swapped out.  Every record is judged
 * when it comes, so who reads need not.  Many may read at once, one writes, before them.
 */
#ifndef CTM_STORED_H
#define CTM_STORED_H

#include <linux/bvec.h>
#include <linux/uio.h>
#include "core/image.h"

struct ctm_stored;

/** ctm_stored_new() - with one reference, or ERR_PTR(-ENOMEM) */
struct ctm_stored *ctm_stored_new(void);
void ctm_stored_get(struct ctm_stored *s);
void ctm_stored_put(struct ctm_stored *s);	/* NULL is fine */

/**
 * ctm_stored_record() - the next record, header and payload; for PAGES the pages follow
 * @why: gets a constant text on -EBADMSG.
 * Return: 0, -EBADMSG, -ENOSPC: there is no room for more images, -EIO
 */
int ctm_stored_record(struct ctm_stored *s, const struct ctm_rec *rec, u32 len, const char **why);
/** ctm_stored_bytes() - a part of the pages that the last record announced; as above */
int ctm_stored_bytes(struct ctm_stored *s, const void *data, size_t len);
/** ctm_stored_len() - bytes that there are; ctm_stored_pages() - of those, pages */
u64 ctm_stored_len(const struct ctm_stored *s);
u64 ctm_stored_pages(const struct ctm_stored *s);
/** ctm_stored_whole() - has END come, and are all pages there? */
bool ctm_stored_whole(const struct ctm_stored *s);

/** ctm_stored_read() - @len bytes at *@pos, which moves on.  Return: 0 or -errno */
int ctm_stored_read(struct ctm_stored *s, u64 *pos, void *buf, size_t len);
/** ctm_stored_read_iter() - the same, into user memory of current; all of it or -EFAULT */
int ctm_stored_read_iter(struct ctm_stored *s, u64 *pos, struct iov_iter *to);

#endif /* CTM_STORED_H */
