/* SPDX-License-Identifier: GPL-2.0 */
/*
 * rfile.h - remote files: descriptors that stay at home
 *
 * At home: a table of open files of the process, by handle; the deputy's threads
 * make the calls (CTM_IOC_SERVE).  On the host: inodes of a small pseudo file
 * system of ours, whose operations travel to home over CTM_CHANNEL_RFILE.
 */
#ifndef CTM_RFILE_H
#define CTM_RFILE_H

#include "process.h"

/** ctm_rfile_export() - at home: the handle of @f (the same for the same file); takes a reference on it until the process ends */
int ctm_rfile_export(struct ctm_process *p, struct file *f, u64 *handle);
/** ctm_rfile_handle() - the handle when @f is one of our remote files, else 0 */
u64 ctm_rfile_handle(struct file *f);
/** ctm_rfile_install() - in current's table: the original file at home, else a remote one.  Return: fd or -errno.
 *  @oflags: O_* of the image (access mode, O_NONBLOCK, O_APPEND). May ask home about the file's kind and size. */
int ctm_rfile_install(struct ctm_process *p, u64 handle, unsigned int oflags);

/** the deputy: DEPUTY binds, SERVE blocks, close unbinds (cannot fail) */
struct ctm_deputy_file;
struct ctm_deputy_file *ctm_deputy_bind(struct ctm_process *p);	/* ERR_PTR(-EBUSY): has one */
void ctm_deputy_unbind(struct ctm_deputy_file *d);
int ctm_deputy_serve(struct ctm_deputy_file *d);
/** events for the deputy; also used by term.c and process.c; @ev->type, @value.  Any context that may sleep */
void ctm_deputy_post(struct ctm_process *p, u32 type, u64 value);
int ctm_deputy_event(struct ctm_deputy_file *d, struct ctm_event *ev);	/* -EAGAIN */
__poll_t ctm_deputy_poll(struct ctm_deputy_file *d, struct file *f, struct poll_table_struct *pt);
ssize_t ctm_deputy_read(struct ctm_deputy_file *d, struct file *f, struct iov_iter *to);	/* terminal output */
ssize_t ctm_deputy_write(struct ctm_deputy_file *d, struct file *f, struct iov_iter *from);	/* terminal input */

void ctm_rfiles_free(struct ctm_process *p);	/* last reference is going */
/** the process left this host or ended: remote inodes of it here answer EIO (host part); at home with @ended: drop files, wake the deputy */
void ctm_rfiles_ended(struct ctm_process *p);
int ctm_rfile_init(void);
void ctm_rfile_exit(void);

#endif /* CTM_RFILE_H */
