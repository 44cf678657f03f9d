/* SPDX-License-Identifier: GPL-2.0 */
/*
 * capture.h - turn a frozen process into an image, and say what cannot be
 *
 * capture.c drives the files of resource/, one a kind of state.  Each has
 *   ctm_explain_X(struct ctm_explain_ctx *)  what would stop a move (may run
 *       while the process runs, so its word is not final), and
 *   ctm_capture_X(struct ctm_capture *)      writes its records (frozen).
 *
 * Context of all: process, may sleep; the process does not run (frozen, or
 * current itself in self-capture), but it may be killed at any moment: every
 * look at a task's sighand, mm or files copes with their being gone.
 */
#ifndef CTM_CAPTURE_H
#define CTM_CAPTURE_H

#include <linux/bvec.h>
#include "core/image.h"
#include "process.h"

/**
 * struct ctm_sink - where an image goes (journey.c: the connection)
 * @record: one record, header and payload in one buffer of @len bytes
 * @pages:  after the PAGES record: the pages themselves.  The sink takes its
 *          own references where it needs them after returning
 */
struct ctm_sink {
	int (*record)(struct ctm_sink *s, const struct ctm_rec *rec, u32 len);
	int (*pages)(struct ctm_sink *s, struct bio_vec *bv, unsigned int nr);
};

/** one identity that the destination compares: sent with the OFFER, answered by a bit each */
struct ctm_file_ident {
	__u64 ino;
	__u64 isize;
	__s64 mtime_ns;
	__u64 fsid;		/* of the super block, for shared file systems */
	__u32 fstype;		/* s_magic */
	__u32 mode;
	__u32 flags;		/* CTM_IDENT_* */
	__u32 path_len;
	/* path follows, without NUL */
	char path[];
};
#define CTM_IDENT_SHARED_FS	(1u << 0)	/* must be the same file on the same shared file system */
#define CTM_IDENT_CONTENT	(1u << 1)	/* identical content will do: size, mtime (and build id) */
#define CTM_IDENT_DIR		(1u << 2)	/* a directory that must exist (cwd) */

/**
 * ctm_idents_collect() - files of @p that a destination might have too
 * Before freezing.  Into @buf, a sequence of struct ctm_file_ident, each
 * 8-aligned.  Return: bytes, or -errno.  @count gets their number.
 */
ssize_t ctm_idents_collect(struct ctm_process *p, void *buf, size_t room, unsigned int *count);
/**
 * ctm_idents_check() - at the destination: set bit i in @bits when file i is here
 * @uid, @gid: whoever will open them must be able to.  Return: 0 or -EBADMSG (malformed)
 */
int ctm_idents_check(const void *buf, size_t len, unsigned int count, unsigned long *bits,
		     char *why /* CTM_REASON_MAX; set when something required (cwd) is missing */);

struct ctm_capture {
	struct ctm_process *p;
	struct ctm_sink *sink;
	struct task_struct *leader;
	struct task_struct **tasks;	/* all live threads, leader first; referenced */
	unsigned int ntasks;
	bool self;			/* current captures itself in the MIGRATE call */
	bool fork;			/* for children: what fork(2) leaves out is, @leader is the caller */
	bool checkpoint;		/* to be restored when nothing of it is left: no file stays at home */
	/* which of the identities collected before the destination has */
	const void *idents;
	size_t idents_len;
	unsigned int nidents;
	const unsigned long *ident_bits;
	bool unasked;			/* needed one that was opened after the list was made */
	/* where the restorer is told to live: ctm_capture_hole() */
	u64 hole, hole_len;
	bool outgrown;			/* meanwhile something else is there, or more threads are */
	char *why;			/* CTM_REASON_MAX: the cause of an error */
	const void *tty;		/* struct ctm_tty_state saved by the keeper, or NULL */
	size_t tty_len;
	u64 records, pages;		/* counted by ctm_put_* */
	void *buf;			/* CTM_REC_MAX bytes of scratch for records */
	void *priv;			/* struct ctm_capture_state, until ctm_capture_done() */
};

/** ctm_put() - write a record from payload @data; ctm_put_buf(): payload of @len already in c->buf after a struct ctm_rec */
int ctm_put(struct ctm_capture *c, enum ctm_rec_type type, const void *data, u32 len);
int ctm_put_buf(struct ctm_capture *c, enum ctm_rec_type type, u32 len);

/**
 * ctm_capture_hole() - choose c->hole, with room for some more threads
 * The process may run on: its capture looks whether the place is still free.
 * Return: 0 or -errno with c->why
 */
int ctm_capture_hole(struct ctm_capture *c);
/**
 * ctm_capture_process() - the whole image, HEAD to END, into c->sink
 * Frozen by the caller (or c->self).  Return: 0, or -errno with c->why set.
 */
int ctm_capture_process(struct ctm_capture *c);
/**
 * ctm_capture_done() - drop what the capture holds on the process (files, memory,
 * tasks, the marks of ctm_pending_new()).  Also after a failed capture, and twice.
 * Before the copy is killed it lets go of nothing that anybody would miss.
 */
void ctm_capture_done(struct ctm_capture *c);

struct ctm_pending_mark;		/* resource/sig.c: which signals the image has */
struct ctm_sigwatch;
/**
 * ctm_pending_new() - signals queued since the capture, into @out
 * Not those of timers: the timers travel themselves.
 * @rest: gets what does not fit there, and is switched on in the same instant: all that
 *        comes later is noted there, if it was added
 * Return: their number; -ESRCH when a task is dying; -EAGAIN: they are too many
 */
int ctm_pending_new(struct ctm_capture *c, struct ctm_rec_pending *out, unsigned int max,
		    struct ctm_sigwatch *rest);

struct ctm_explain_ctx {
	struct ctm_process *p;
	struct task_struct *leader;
	char *buf;			/* lines */
	size_t room, len;		/* len: bytes wanted so far, may pass room */
	unsigned int blockers;
	char first[CTM_REASON_MAX];	/* the first blocker, for the error of migrate */
	bool at_home;
	bool frozen;			/* it does not run: what is read is exact */
	bool unsure;			/* a blocker may be somebody's call under way: ask again */
	bool fork;			/* what would stop a fork of @leader, a thread */
	bool checkpoint;		/* what would stop a checkpoint */
};
/** ctm_stop()/ctm_note() - add a "stop: " or "note: "/"home: " line */
__printf(2, 3) void ctm_stop(struct ctm_explain_ctx *x, const char *fmt, ...);
__printf(3, 4) void ctm_note(struct ctm_explain_ctx *x, const char *kind, const char *fmt, ...);
/** ctm_explain_process() - all findings.  Return: 0 or -errno; findings are in @x */
int ctm_explain_process(struct ctm_explain_ctx *x);

/* freeze.c */
/**
 * ctm_freeze() - stop every task of the capsule at the boundary to user mode
 * Counted: nested freezes need as many thaws.  Also turns the EINTR of calls
 * that answer so to any stop into restarts.
 * @why: names the task waited for on -ETIMEDOUT.
 * Context: process, may sleep, holds p->journey.  Return: 0, -ETIMEDOUT, -ESRCH
 */
int ctm_freeze(struct ctm_process *p, unsigned int timeout_ms, char *why);
void ctm_thaw(struct ctm_process *p);	/* cannot fail */
/**
 * ctm_freeze_around() - the same, but for @caller, who is in a call of ours and waits for us
 * @caller holds p->journey, and does so until ctm_thaw_around().
 */
int ctm_freeze_around(struct ctm_process *p, struct task_struct *caller, unsigned int timeout_ms,
		      char *why);
void ctm_thaw_around(struct ctm_process *p);
/** ctm_kill_copy() - SIGKILL to every thread group of the capsule, frozen or not, until none is left (bounded) */
int ctm_kill_copy(struct ctm_process *p, unsigned int timeout_ms);
/** ctm_tasks() - all live tasks of the capsule, referenced, leader first, in a kvmalloc'ed array. Return: count or -errno */
int ctm_tasks(struct ctm_process *p, struct task_struct ***out);
void ctm_tasks_put(struct task_struct **tasks, unsigned int n);
/** ctm_unsettled() - why @t, frozen, cannot be captured where it stands; NULL: it can.  Holds RCU or a reference */
const char *ctm_unsettled(struct task_struct *t);

#endif /* CTM_CAPTURE_H */
