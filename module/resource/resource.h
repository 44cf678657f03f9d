/* SPDX-License-Identifier: GPL-2.0 */
/*
 * resource.h - what the files of resource/ share while a process is captured
 *
 * One file a kind of state.  ctm_explain_X() names what would stop a move; it
 * runs first on the running process (its word is not final) and again on the
 * frozen one, so that each refusal is written once.  ctm_capture_X() writes the
 * records; it may rely on what ctm_explain_X() has just let pass.
 */
#ifndef CTM_RESOURCE_H
#define CTM_RESOURCE_H

#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/path.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include "../capture.h"

struct files_struct;
struct super_block;

/* ---- mm.c: the areas of an address space ---- */

/** struct ctm_area - one area, copied from its vm_area_struct */
struct ctm_area {
	u64 start, end, off;
	u64 vm_flags;
	u32 prot, pkey;
	u32 kind;			/* enum ctm_vma_kind, 0: vDSO and vvar */
	u32 flags;			/* CTM_VMA_* */
	struct file *file;		/* referenced, or NULL */
	bool has_anon;			/* may hold private copies of pages */
	bool vdso, vvar;
	u32 id;				/* FILE record */
	u64 isize;			/* CONTENT: bytes of the file */
	const char *refused;		/* constant text */
};

struct ctm_areas {
	struct mm_struct *mm;		/* referenced */
	struct ctm_area *a;		/* ascending, kvmalloc'ed */
	unsigned int n, room;
};

/** ctm_areas_get() - list the address space of @t.  Return: 0, -ESRCH (it is gone), -ENOMEM, -E2BIG */
int ctm_areas_get(struct ctm_areas *as, struct task_struct *t);
void ctm_areas_put(struct ctm_areas *as);	/* also of a zeroed one */
void ctm_explain_mm(struct ctm_explain_ctx *x);
int ctm_areas_hole(const struct ctm_areas *as, u64 len, u64 *hole);	/* 0 or -ENOMEM */
/** ctm_areas_fork() - leave out what fork(2) does: areas and locks */
void ctm_areas_fork(struct ctm_areas *as);
bool ctm_areas_free(const struct ctm_areas *as, u64 start, u64 len);	/* nothing there? */
int ctm_capture_mm(struct ctm_capture *c);
int ctm_capture_vmas(struct ctm_capture *c);

/* ---- pages.c ---- */
u64 ctm_next_guard(struct mm_struct *mm, u64 addr, u64 end, u64 *len);
int ctm_capture_pages(struct ctm_capture *c);

/* ---- files.c: open file descriptions and who refers to them ---- */

/** struct ctm_open - one open file description, once however many refer to it */
struct ctm_open {
	struct file *file;		/* referenced */
	u32 id;				/* of its FILE record; 0: none */
	u32 kind;			/* enum ctm_file_kind, 0: not classified */
	u32 peer;
	u32 fds, maps, own;		/* references from descriptors, from areas, and ours */
	int fd;				/* the first descriptor, -1: none */
	u64 handle;
	const struct ctm_file_ident *ident;	/* PATH, MAPPED: as the destination has it */
	bool mapped;			/* entry for areas only, apart from the descriptors' */
	bool unsure;			/* somebody seemed to hold it or its other end */
	char refused[96];		/* why it cannot move, "" when it can */
};

struct ctm_fdent {
	int fd;
	bool cloexec;
	unsigned int open;		/* index */
};

struct ctm_files {
	struct task_struct *leader;	/* borrowed */
	struct ctm_process *p;		/* borrowed */
	bool at_home;
	bool frozen;
	bool fork;			/* for children, who shall share what is open */
	bool checkpoint;		/* for a process that has no home: see classify_kept() */
	bool unsure;			/* set by ctm_open_outside() */
	struct ctm_capture *c;	/* with the idents, or NULL: explaining */
	struct ctm_open *o;
	unsigned int n, room;
	struct ctm_fdent *fd;
	unsigned int nfds, fd_room;
};

/** ctm_files_get() - collect descriptors of @leader.  Return: 0, -ESRCH, -ENOMEM, -EMFILE */
int ctm_files_get(struct ctm_files *t, struct task_struct *leader);
void ctm_files_put(struct ctm_files *t);	/* also of a zeroed one */
/** ctm_files_classify() - count references of areas, and decide how each travels.  0 or -ENOMEM */
int ctm_files_classify(struct ctm_files *t, struct ctm_areas *as);
struct ctm_open *ctm_files_by_fd(struct ctm_files *t, int fd);
/**
 * ctm_open_outside() - does anybody hold this open file who is not in the process?
 * Exact while the process stands still; before, a thread of its own in poll() or
 * any other call seems to be somebody.  Who reads /proc/PID/fd does at all times.
 * So t->unsure is set when it says yes.
 */
bool ctm_open_outside(struct ctm_files *t, const struct ctm_open *o);
void ctm_explain_files(struct ctm_explain_ctx *x);
int ctm_capture_files(struct ctm_capture *c);	/* FILE, FILEDATA, FD, EPOLL */
#define CTM_FILEDATA_MAX	(128u << 10)
/** ctm_filedata_buf() - where up to CTM_FILEDATA_MAX bytes go before ctm_put_filedata() */
void *ctm_filedata_buf(struct ctm_capture *c);
int ctm_put_filedata(struct ctm_capture *c, u32 id, u64 off, u32 len);

/* ---- rebuilt.c, pipe.c, sockpair.c, shmem.c: kinds that are rebuilt ---- */
/** the classifiers return false when it is none of theirs */
bool ctm_anon_classify(struct ctm_files *t, struct ctm_open *o);
bool ctm_pipe_classify(struct ctm_files *t, struct ctm_open *o);
void ctm_sock_classify(struct ctm_files *t, struct ctm_open *o);
bool ctm_shmem_classify(struct ctm_files *t, struct ctm_open *o);
bool ctm_is_shmem(const struct file *f);	/* memfd, shared anonymous memory, SysV */
bool ctm_shmem_same(const struct file *a, const struct file *b);	/* are these two openings of one? */
/** the fillers complete a FILE record that has the common part */
int ctm_anon_fill(struct ctm_capture *c, const struct ctm_open *o, struct ctm_rec_file *r);
void ctm_pipe_fill(const struct ctm_open *o, struct ctm_rec_file *r);
void ctm_sock_fill(const struct ctm_open *o, struct ctm_rec_file *r);
int ctm_shmem_fill(const struct ctm_open *o, struct ctm_rec_file *r, const char **name);
/** ctm_same_channel() - are they two ends of one pipe or socket pair? */
bool ctm_same_channel(const struct ctm_open *a, const struct ctm_open *b);
int ctm_pipe_data(struct ctm_capture *c, const struct ctm_open *o);
int ctm_sock_data(struct ctm_capture *c, const struct ctm_open *o);	/* contents of an end */
int ctm_shmem_data(struct ctm_capture *c, const struct ctm_open *o);
int ctm_epoll_entries(struct ctm_capture *c, const struct ctm_open *o);

/* ---- locks.c ---- */
/** ctm_file_locked() - what lock the process holds (@fork: and its child would) on @f: a constant text, or NULL */
const char *ctm_file_locked(struct file *f, struct files_struct *files, bool fork);

/* ---- ident.c ---- */
bool ctm_fs_shared(const struct super_block *sb);
/** ctm_ident_have() - what the list says of @path, if the destination has that file, else NULL */
const struct ctm_file_ident *ctm_ident_have(struct ctm_capture *c, const struct path *path);
/** ctm_path() - its path as the process sees it: into @buf of CTM_PATH_MAX, ERR_PTR */
char *ctm_path(const struct path *path, char *buf);

/* ---- sig.c ---- */
/** ctm_lock_sighand() - siglock of @t, or NULL when it is gone; pair with ctm_unlock_sighand() */
struct sighand_struct *ctm_lock_sighand(struct task_struct *t, unsigned long *flags);
void ctm_unlock_sighand(struct sighand_struct *h, unsigned long *flags);
struct ctm_pending_mark *ctm_pending_mark_new(struct ctm_capture *c);
void ctm_pending_mark_free(struct ctm_pending_mark *m);
/** ctm_pending_take() - copy what is queued now; siglock held.  Return: 0 or -ENOBUFS (queues grew: again) */
int ctm_pending_take(struct ctm_pending_mark *m, struct ctm_capture *c);
int ctm_capture_sighand(struct ctm_capture *c);
int ctm_capture_pending(struct ctm_capture *c);

/* ---- timers.c ---- */
void ctm_explain_timers(struct ctm_explain_ctx *x);
/** ctm_timers_take() - read timers and pending signals in one instant */
int ctm_timers_take(struct ctm_capture *c);
int ctm_capture_timers(struct ctm_capture *c);

/* ---- regs_x86.c ---- */
void ctm_explain_regs(struct ctm_explain_ctx *x, struct task_struct *t);
int ctm_capture_threads(struct ctm_capture *c);
int ctm_xstate_get(struct task_struct *t, void **data, u32 *len);	/* kvfree it */
u64 ctm_xstate_features(const void *data, u32 len);
/** ctm_capture_regs() - registers, mask and restart of @t into @w */
int ctm_capture_regs(struct ctm_capture *c, struct task_struct *t, struct ctm_land_thread *w);

/* ---- task.c, creds.c, ns.c ---- */
void ctm_explain_task(struct ctm_explain_ctx *x);
int ctm_capture_task(struct ctm_capture *c);
int ctm_capture_rlimits(struct ctm_capture *c);
void ctm_thread_fill(struct ctm_capture *c, struct task_struct *t, struct ctm_rec_thread *r);
void ctm_explain_creds(struct ctm_explain_ctx *x);
int ctm_capture_creds(struct ctm_capture *c);
void ctm_explain_ns(struct ctm_explain_ctx *x);

/* ---- the state of a capture, c->priv ---- */

struct ctm_timer_snap;

struct ctm_capture_state {
	struct task_struct **tasks;	/* references of its own */
	unsigned int ntasks;
	struct ctm_areas areas;
	struct ctm_files files;
	struct ctm_pending_mark *mark;
	struct ctm_timer_snap *timers;
	struct pid_namespace *ns;	/* of the leader; lives as long as its tasks */
};

static inline struct ctm_capture_state *ctm_state(const struct ctm_capture *c)
{
	return c->priv;
}

/** ctm_fail() - leave the cause in c->why; returns @err */
__printf(3, 4) int ctm_fail(struct ctm_capture *c, int err, const char *fmt, ...);

#endif /* CTM_RESOURCE_H */
