/* SPDX-License-Identifier: GPL-2.0 */
/*
 * checkpoint.h - images that programs hold: made by CHECKPOINT, or given to RESTORE
 *
 * A struct ctm_saved belongs to an open /dev/continuum.  What is in one is the stream of
 * core/image.h, as stored.h keeps it; how a file holds it is the tools' affair.
 */
#ifndef CTM_CHECKPOINT_H
#define CTM_CHECKPOINT_H

#include "process.h"

struct ctm_deputy_file;
struct ctm_saved;
struct iov_iter;

/** ctm_checkpoint() - CTM_IOC_CHECKPOINT.  Return: the image, to be read, or ERR_PTR */
struct ctm_saved *ctm_checkpoint(struct ctm_checkpoint *arg);
/** ctm_restore_begin() - RESTORE with CTM_RESTORE_BEGIN.  Return: an image to be written, or ERR_PTR */
struct ctm_saved *ctm_restore_begin(struct ctm_restore *arg);
/** ctm_restore() - RESTORE.  Return: the deputy of *@p, which runs, with a reference; or ERR_PTR */
struct ctm_deputy_file *ctm_restore(struct ctm_saved *s, struct ctm_restore *arg,
				    struct ctm_process **p);

/** read(2) and write(2).  Return: bytes or -errno */
ssize_t ctm_saved_read(struct ctm_saved *s, struct iov_iter *to);
ssize_t ctm_saved_write(struct ctm_saved *s, struct iov_iter *from);
void ctm_saved_free(struct ctm_saved *s);

#endif /* CTM_CHECKPOINT_H */
