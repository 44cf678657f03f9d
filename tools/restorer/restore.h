/* SPDX-License-Identifier: GPL-2.0 */
/*
 * restore.h - the restorer: a process builds itself from an image
 *
 * The keeper clones the leader-to-be; that child calls restore_enter() and never
 * returns.  It moves into the image's hole, empties its address space, reads the
 * records and does what each says, one file a kind of state, as in
 * module/resource/.  Single-threaded until threads_start(); the other threads
 * then touch their own slot and `struct restore` only as threads.c says.
 *
 * Whatever goes wrong ends in restore_fail(), which tells the module and exits:
 * so the functions here return nothing that must be checked.
 */
#ifndef RESTORER_RESTORE_H
#define RESTORER_RESTORE_H

#include "str.h"
#include "sys.h"

struct file_obj;
struct area;
struct timerfd_arm;

/** struct special - one of our own vDSO and vvar areas */
struct special {
	__u64 start, end;	/* at present */
	__s64 off;		/* from the start of the vDSO */
	bool vdso;
};
#define SPECIALS_MAX	8

/*
 * A thread's part of the hole.  Its stack is the upper half; a frame for
 * rt_sigreturn, with extended state, is made in the lower one.
 */
struct slot {
	struct ctm_rec_thread rec;
	struct restore *r;
	__u32 xstate_len;	/* 0: none came */
};
#define SLOT_FRAME	1024	/* offsets into the slot */
#define SLOT_XSTATE	2048
#define SLOT_XSTATE_MAX	(12u * 1024)
_Static_assert(sizeof(struct slot) <= SLOT_FRAME, "slot");
_Static_assert(SLOT_XSTATE + SLOT_XSTATE_MAX + 64 <= CTM_HOLE_PER_THREAD / 2, "xstate");

struct restore {
	int dev;		/* the landing */
	int master, slave;	/* of the pty, -1: none */
	struct ctm_land land;
	unsigned int stage;	/* order of the last record: restore.c */

	/* our place in the hole */
	__u64 base;		/* of the copied program */
	char *recs;		/* CTM_REC_ROOM bytes: records that were given */
	__u32 recs_at, recs_end;	/* those not yet looked at */
	struct ctm_rec *rec;	/* the present one */
	__u64 low, high;	/* free memory: tables grow from low, the rest from high */
	__u64 slots;
	struct special special[SPECIALS_MAX];
	unsigned int nspecial;

	/* records kept for later */
	struct ctm_rec_head head;
	struct ctm_rec_creds *creds;
	struct ctm_rec_task *task;
	struct ctm_rec_rlimits *rlimits;
	struct ctm_rec_mm *mm;
	struct ctm_rec_itimers *itimers;
	bool have_sighand;

	/* what the keeper's clone has; found out before there is a record */
	__u64 cap_own;		/* what this node lets us have */
	__u64 cap_inheritable, cap_bounds;
	struct ctm_rec_rlimits limits;
	int oom_fd;		/* /proc/self/oom_score_adj, until TASK comes */

	struct file_obj *files;	/* by id - 1 */
	unsigned int nfiles;
	int temp_fd;		/* next place to try for a descriptor that is not the program's */
	struct timerfd_arm *timerfds;

	struct area *areas;	/* ascending */
	unsigned int nareas;

	__u64 stop_able;	/* stop signals with their default action, unblocked */
	struct ctm_rec_posix_timer *timers;
	unsigned int ntimers;
	struct ctm_rec_pending *pending;	/* of single threads: each queues its own */
	unsigned int npending;

	unsigned int nthreads;	/* THREAD records seen */
	bool threads_run;
	unsigned int threads_done;	/* atomic; futex */
};

/** restore_enter() - become the process; @k's leader-to-be calls it in its own memory */
__attribute__((noreturn)) void restore_enter(int dev, int master, int slave,
					      const struct ctm_land *land);

/** restore_fail() - abort the landing: "restore WHAT: strerror(err)", then exit.  @err: positive */
__attribute__((noreturn, format(printf, 3, 4)))
void restore_fail(struct restore *r, int err, const char *fmt, ...);

/** restore_must() - @ret when it is no error, else restore_fail() */
#define restore_must(r, ret, ...) ({				\
	long ret_ = (ret);					\
	if (sys_failed(ret_))					\
		restore_fail(r, -(int)ret_, __VA_ARGS__);	\
	ret_; })

/** restore_alloc() - zeroed memory in the hole that stays until the end */
void *restore_alloc(struct restore *r, size_t len);
/** restore_keep() - a copy of @len bytes */
void *restore_keep(struct restore *r, const void *data, size_t len);
/** restore_grow() - @len more bytes, zeroed, adjacent to those that the last call gave */
void *restore_grow(struct restore *r, size_t len);

/** restore_elapsed() - ns since the capture, on the process's own clock */
__s64 restore_elapsed(struct restore *r);

/*
 * The functions *_own() come before the first record, while the process still runs
 * at the source: what they do need not be done while it stands still.
 */

/* creds.c: each may only lower */
void creds_own(struct restore *r);
void creds_take(struct restore *r, const struct ctm_rec_creds *rec);
void creds_assume(struct restore *r);	/* ids and file privileges of the process */
/** creds_bare() - nothing but what the process has, while a path of the image is opened; creds_again() ends that */
void creds_bare(struct restore *r);
void creds_again(struct restore *r);
void creds_drop(struct restore *r);	/* all that is left, in each thread */

/* task.c */
void task_own(struct restore *r);
void task_take(struct restore *r, const struct ctm_rec_task *rec);
void task_settle(struct restore *r);	/* with the process's credentials: cwd, umask */
void task_finish(struct restore *r);	/* limits, personality */

/* mm.c */
void mm_take(struct restore *r, const struct ctm_rec_mm *rec);
void mm_exe(struct restore *r);
void mm_vma(struct restore *r, const struct ctm_rec_vma *rec);
void mm_pages(struct restore *r, const struct ctm_rec_pages *rec);
void mm_finish(struct restore *r);	/* protection, locks */
void mm_vdso(struct restore *r);

/* files.c */
void files_take(struct restore *r, const struct ctm_rec_file *rec);
void files_data(struct restore *r, const struct ctm_rec_filedata *rec);
void files_fd(struct restore *r, const struct ctm_rec_fd *rec);
void files_epoll(struct restore *r, const struct ctm_rec_epoll *rec);
int files_map(struct restore *r, __u32 id);	/* a descriptor of a FILE that can be mapped */
void files_finish(struct restore *r);		/* only the program's descriptors, and dev, are left */
void files_arm(struct restore *r);		/* timerfds */

/* sig.c */
void sig_own(struct restore *r);	/* no handlers: SIGHAND needs to set only what is one */
void sig_actions(struct restore *r, const struct ctm_rec_sighand *rec);
void sig_pending(struct restore *r, const struct ctm_rec_pending *rec);
void sig_pending_own(struct restore *r, __u32 tid);	/* by thread @tid */
void sig_stop(struct restore *r);

/* timers.c */
void timers_take(struct restore *r, const struct ctm_rec_posix_timer *rec);
void timers_arm(struct restore *r);
/** timers_left() - of @ns at capture, 0 for disarmed; else at least 1 */
__u64 timers_left(struct restore *r, int clock, __u64 ns);
/** timers_due() - the same for timer_settime(2) and timerfd_settime(2), with their @flags */
__u64 timers_due(struct restore *r, int clock, __u64 ns, int *flags);

/* threads.c */
void threads_take(struct restore *r, const struct ctm_rec_thread *rec);
void threads_xstate(struct restore *r, const struct ctm_rec_xstate *rec);
void threads_start(struct restore *r);	/* all but the leader */
__attribute__((noreturn)) void threads_finish(struct restore *r);	/* the leader: last of all */

/* start.S; hidden: no detour through a table of addresses */
#pragma GCC visibility push(hidden)
__attribute__((noreturn)) void stack_jump(void *top, void (*fn)(void *), void *arg);
long thread_clone(struct clone_args *args, size_t size, void (*fn)(void *), void *arg);
__attribute__((noreturn)) void thread_sigreturn(void *ucontext);
void thread_last_wait(void);
#pragma GCC visibility pop

#endif /* RESTORER_RESTORE_H */
