/* SPDX-License-Identifier: GPL-2.0 */
/*
 * rfile.h - remote files: descriptors that stay at home
 *
 * At home: a table of open files of the process, by handle; the deputy's threads
 * make the calls (CTM_IOC_SERVE).  On the host: inodes of a small pseudo file
 * system of ours, whose operations travel to home over CTM_CHANNEL_RFILE.
 *
 * What the carrier of a handoff does with it, in this order:
 *   source    ctm_rfile_export() or ctm_rfile_handle(), while capturing
 *   landing   ctm_rfiles_expect(), while the process still runs at the source;
 *             ctm_rfile_install(), in the restorer; ctm_rfiles_settle()
 *   source    once COMMITTED, before the copy is destroyed: ctm_rfiles_ended();
 *             without it the copy's death would close the files at home
 *   landing   at COMMIT, p->epoch and p->here set, before the threads run:
 *             ctm_rfiles_here()
 *   aborted   source: ctm_rfiles_here(); landing: ctm_rfiles_ended()
 */
#ifndef CTM_RFILE_H
#define CTM_RFILE_H

#include "process.h"

struct file;
struct iov_iter;
struct poll_table_struct;

/**
 * ctm_rfile_export() - at home: the handle of @f
 * The same for the same file.  Takes a reference on it, until the process runs
 * at home again or ends.  Context: process, may sleep.
 * Return: 0, -EMFILE (too many), -EOPNOTSUPP (a directory or a socket), -ENOMEM
 */
int ctm_rfile_export(struct ctm_process *p, struct file *f, u64 *handle);
/** ctm_rfile_handle() - the handle when @f is one of our remote files, else 0.  Any context */
u64 ctm_rfile_handle(struct file *f);
/**
 * ctm_rfiles_inherit() - at home: a child that is being forked has its parent's files, too
 * Under the same handles, as of now; may be called again.  Return: 0, -ENOMEM
 */
int ctm_rfiles_inherit(struct ctm_process *p);
/**
 * ctm_rfiles_expect() - a process lands that may have files at home: connect to it
 * Nobody waits for it, and nothing depends on it.  May sleep.
 */
void ctm_rfiles_expect(struct ctm_process *p);
/**
 * ctm_rfile_install() - in current's table: the original file at home, else a remote one
 * @oflags: O_* of the image (access mode, O_NONBLOCK, O_APPEND).
 * @fmt: S_IFMT bits of the image, or 0
 * Asks home about the file.  Without @fmt it waits for the answer, up to some
 * seconds; interruptible.
 * Return: fd or -errno (-EBADF: home knows no such handle; -EIO: no home)
 */
int ctm_rfile_install(struct ctm_process *p, u64 handle, unsigned int oflags, umode_t fmt);
/**
 * ctm_rfiles_settle() - home knows all files that were installed, and they are what was said
 * Before the process may be committed.  Waits, killable.
 * Return: 0, or as ctm_rfile_install(); -EIO also when one is something else
 */
int ctm_rfiles_settle(struct ctm_process *p);

/**
 * ctm_rfiles_here() - the process runs on this node: it landed, or a handoff was aborted
 * At home: exported files are forgotten, for it has its own.  Elsewhere: its
 * remote files come to life under p->epoch.  Idempotent, cannot fail, may sleep.
 */
void ctm_rfiles_here(struct ctm_process *p);
/**
 * ctm_rfiles_ended() - the process left this host, or it ended
 * Remote files of it here answer EIO from now on and tell home nothing; at home
 * and with p->ended: files are dropped, the deputy's threads return.  Cannot
 * fail, may sleep.
 */
void ctm_rfiles_ended(struct ctm_process *p);
void ctm_rfiles_free(struct ctm_process *p);	/* last reference is going */

/** the deputy: DEPUTY binds, SERVE blocks, close unbinds (cannot fail) */
struct ctm_deputy_file;
struct ctm_deputy_file *ctm_deputy_bind(struct ctm_process *p);	/* ERR_PTR(-EBUSY): has, or had, one */
void ctm_deputy_unbind(struct ctm_deputy_file *d);
/** ctm_deputy_serve_ioctl() - CTM_IOC_SERVE; @uarg: user address of struct ctm_serve */
long ctm_deputy_serve_ioctl(struct ctm_deputy_file *d, unsigned long uarg);
/** events for the deputy; also used by term.c and process.c; @ev->type, @value.  Any context that may sleep */
void ctm_deputy_post(struct ctm_process *p, u32 type, u64 value);
int ctm_deputy_event(struct ctm_deputy_file *d, struct ctm_event *ev);	/* -EAGAIN */
__poll_t ctm_deputy_poll(struct ctm_deputy_file *d, struct file *f, struct poll_table_struct *pt);
ssize_t ctm_deputy_read(struct ctm_deputy_file *d, struct file *f, struct iov_iter *to);	/* terminal output */
ssize_t ctm_deputy_write(struct ctm_deputy_file *d, struct file *f, struct iov_iter *from);	/* terminal input */

int ctm_rfile_init(void);
void ctm_rfile_exit(void);

#endif /* CTM_RFILE_H */
