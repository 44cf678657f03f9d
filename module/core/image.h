/* SPDX-License-Identifier: GPL-2.0 */
/*
 * image.h - a process as typed records plus pages
 *
 * One format for what a handoff sends and what a checkpoint writes.  The
 * capture (module/resource/) writes it, ctm_image_check() (image.c) judges each
 * record as input from an enemy, the restorer (tools/restorer/) builds from it.
 *
 * A stream is a sequence of records: struct ctm_rec, then `len` bytes of
 * payload, and for CTM_REC_PAGES then count * 4096 bytes of raw pages.  It
 * decodes without dialogue: every record refers only to ids that came before.
 * Order: HEAD, CREDS, TASK, RLIMITS, MM, { FILE, FILEDATA }*, FD*, TTY?, VMA*,
 * SIGHAND, POSIX_TIMER*, ITIMERS, { THREAD, XSTATE }* (leader first),
 * { PAGES, FILEDATA }*, PENDING*, APPLIED*, RESULT?, END.
 *
 * All numbers are little-endian; structures are naturally aligned, padding is
 * explicit and zero.  An image is for x86-64 only, so they are read in place.
 * Numbers of retired records stay reserved.  An unknown record with
 * CTM_REC_F_MUST is refused, without it skipped.
 */
#ifndef CTM_CORE_IMAGE_H
#define CTM_CORE_IMAGE_H

#include "env.h"
#include <linux/continuum.h>

#define CTM_IMAGE_MAGIC		0x31474d494d544301ull	/* "\1CTMIMG1" */
#define CTM_IMAGE_VERSION	3
#define CTM_PAGE		4096u

/* the longest record: header and payload */
#define CTM_REC_MAX		(256u * 1024)
/* pages in one PAGES record: 2 MiB */
#define CTM_PAGES_MAX		512u
#define CTM_THREADS_MAX		4096u
#define CTM_FILES_MAX		65536u
#define CTM_CPUS_MAX		1024u	/* to which a thread may be bound */
#define CTM_PATH_MAX		4096u

/*
 * The restorer's hole: a free range of the captured address space in which the
 * restorer lives while it builds.  The keeper and restorer program itself is
 * linked at CTM_KEEPER_BASE; the hole must not touch that range, and must lie
 * below CTM_HOLE_TOP, away from where the kernel puts the keeper's own stack
 * and vDSO.
 */
#define CTM_HOLE_BYTES		(2ull << 20)
#define CTM_HOLE_PER_THREAD	(32ull << 10)
#define CTM_HOLE_BOTTOM		0x0000001000000000ull
#define CTM_HOLE_TOP		0x0000700000000000ull
/** ctm_hole_ok() - a place for a restorer of @threads threads, of which it may have room for more */
bool ctm_hole_ok(u64 hole, u64 hole_len, u32 threads);
#define CTM_KEEPER_BASE		0x0000002000000000ull
#define CTM_KEEPER_BYTES	(64ull << 20)

enum ctm_rec_type {
	CTM_REC_HEAD		= 1,
	CTM_REC_CREDS		= 2,
	CTM_REC_TASK		= 3,
	CTM_REC_RLIMITS		= 4,
	CTM_REC_MM		= 5,
	CTM_REC_FILE		= 6,
	CTM_REC_FILEDATA	= 7,
	CTM_REC_FD		= 8,
	CTM_REC_TTY		= 9,
	CTM_REC_VMA		= 10,
	CTM_REC_SIGHAND		= 11,
	CTM_REC_POSIX_TIMER	= 12,
	CTM_REC_ITIMERS		= 13,
	CTM_REC_THREAD		= 14,
	CTM_REC_XSTATE		= 15,
	CTM_REC_PAGES		= 16,
	CTM_REC_PENDING		= 17,
	CTM_REC_END		= 18,
	CTM_REC_EPOLL		= 19,	/* an entry of an epoll FILE, after the FDs */
	CTM_REC_APPLIED		= 20,	/* for the module, not the restorer; may be left out */
	CTM_REC_RESULT		= 21,	/* the same */
	CTM_REC_WAITS		= 22,	/* the same */
	CTM_REC_ABORT		= 0x7fff, /* anywhere: no more will come; struct ctm_rec_abort */
};

#define CTM_REC_F_MUST		(1u << 0)

/** struct ctm_rec - header of a record */
struct ctm_rec {
	__u16 type;
	__u16 flags;
	__u32 len;		/* payload bytes, without this header */
};

/**
 * ctm_rec_room() - bytes that a record of @len takes where several lie in memory
 * (CTM_IOC_RECORD): each is aligned, and has a zero byte behind it.
 */
static inline size_t ctm_rec_room(size_t len)
{
	return (len + 8) & ~(size_t)7;
}
#define CTM_REC_ROOM		(CTM_REC_MAX + 8)	/* of the longest */

/**
 * struct ctm_rec_head - what must be known before anything is built
 * @mono_ns, @boot_ns: the process's clocks at capture, as it sees them
 *          (in a handoff the module computes the landing's offsets from a
 *          round trip with the source instead)
 * @hole:   see CTM_HOLE_*; see ctm_hole_ok()
 * @leader: pid in the PID namespace
 * @xfeatures: mask of extended state components in the XSTATE records
 * @vdso_id: build id of the vDSO
 */
struct ctm_rec_head {
	__u64 magic;
	__u32 version;
	__u32 flags;		/* CTM_ADOPT_* */
	__u64 gpid;
	__u32 epoch;
	__u32 leader;
	__u32 threads;
	__u32 uid;
	__s64 mono_ns;
	__s64 boot_ns;
	__u64 hole;
	__u64 hole_len;
	__u64 xfeatures;
	__u8 vdso_id[20];
	__u32 xstate_size;
};

#define CTM_GROUPS_MAX	1024u
/** struct ctm_rec_creds - credentials, the same for all threads (else refused) */
struct ctm_rec_creds {
	__u32 ruid, euid, suid, fsuid;
	__u32 rgid, egid, sgid, fsgid;
	__u64 cap_inheritable, cap_permitted, cap_effective, cap_bset, cap_ambient;
	__u32 securebits;
	__u32 no_new_privs;
	__u32 ngroups;
	__u32 pad;
	__u32 groups[];
};

/** struct ctm_rec_task - what the thread group as a whole has */
struct ctm_rec_task {
	__u32 pgid;		/* in the PID namespace; the keeper (1) leads the session */
	__u32 umask;
	__u32 personality;
	__s32 oom_score_adj;
	__u32 dumpable;
	__u32 child_subreaper;
	__u32 stopped;		/* the stop signal, when it was job-control stopped */
	__u32 cwd_len;		/* path, without NUL, follows; then the exe's path */
	__u32 exe_len;
	__u32 pad;
	char paths[];
};

struct ctm_rec_rlimits {
	struct { __u64 cur, max; } lim[16];	/* index: RLIMIT_* */
};

#define CTM_AUXV_MAX	64u
/** struct ctm_rec_mm - for PR_SET_MM_MAP */
struct ctm_rec_mm {
	__u64 start_code, end_code, start_data, end_data, start_brk, brk;
	__u64 start_stack, arg_start, arg_end, env_start, env_end;
	__u64 thp_disable;
	__u64 vdso, vdso_len;	/* addresses to move vDSO and vvar to, 0: none */
	__u64 vvar, vvar_len;	/* all vvar-like areas, adjacent, as one range */
	__u32 nauxv;		/* in u64 */
	__u32 pad;
	__u64 auxv[];
};

/* in a checkpoint: the handle of the standard stream fd, which it gets from whoever restores it */
#define CTM_STREAMS		3
#define CTM_STREAM(fd)		((fd) + 1)

/**
 * enum ctm_file_kind - how an open file is rebuilt
 * @CTM_FILE_PATH:   open(path, flags), lseek(pos)
 * @CTM_FILE_HOME:   CTM_IOC_LAND_FILE(handle); in a checkpoint CTM_STREAM() only
 * @CTM_FILE_PIPE_R, @CTM_FILE_PIPE_W: ends of pipe `peer` (both carry the same
 *                   peer number; the first of the two makes it with pipe2); size
 *                   is its capacity (F_SETPIPE_SZ); contents as FILEDATA of the
 *                   write end, or of the read end when no write end is left
 * @CTM_FILE_EVENTFD: u[0] count, u[1] EFD_SEMAPHORE
 * @CTM_FILE_TIMERFD: u[0] clockid, u[1] interval ns, u[2] ns until expiry (0:
 *                   disarmed) or absolute value, u[3] ticks not yet read,
 *                   u[4] settime flags
 * @CTM_FILE_SIGNALFD: u[0] mask
 * @CTM_FILE_EPOLL:  entries as EPOLL records
 * @CTM_FILE_MEMFD:  size, u[0] seals, path = its name; contents as FILEDATA.
 *                   Also stands for anonymous shared memory (u[1] = 1), which
 *                   has no FD.  Opened again: `peer` is the id of the first, which
 *                   has the contents
 * @CTM_FILE_TTY:    the capsule's pty slave: open /dev/tty-like, same pty
 * @CTM_FILE_SOCKPAIR: end of an unnamed unix socket pair `peer`; u[0] type, u[1]
 *                   SO_SNDBUF as the kernel shows it (0: as it comes); what can be
 *                   read from it as FILEDATA, of messages one each
 * @CTM_FILE_MAPPED: opened by path only for VMA records, no FD
 */
enum ctm_file_kind {
	CTM_FILE_PATH		= 1,
	CTM_FILE_HOME		= 2,
	CTM_FILE_PIPE_R		= 3,
	CTM_FILE_PIPE_W		= 4,
	CTM_FILE_EVENTFD	= 5,
	CTM_FILE_TIMERFD	= 6,
	CTM_FILE_SIGNALFD	= 7,
	CTM_FILE_EPOLL		= 8,
	CTM_FILE_MEMFD		= 9,
	CTM_FILE_TTY		= 10,
	CTM_FILE_SOCKPAIR	= 11,
	CTM_FILE_MAPPED		= 12,
};

/** struct ctm_rec_file - an open file description, shared by the FDs that name it */
struct ctm_rec_file {
	__u32 id;		/* 1, 2, ... in this order, without gaps */
	__u32 kind;
	__u32 oflags;		/* as F_GETFL, plus O_PATH, O_DIRECTORY */
	__u32 peer;
	__u64 pos;
	__u64 size;
	__u64 handle;		/* HOME */
	__u64 u[5];
	__s32 owner;		/* F_SETOWN pid (negative: group), 0 none */
	__s32 sig;		/* F_SETSIG */
	/* PATH, MAPPED: the file must be this one (0: not checked); HOME: S_IFMT of mode */
	__u64 ino;
	__u64 isize;
	__s64 mtime_ns;
	__u32 mode;
	__u32 path_len;		/* path, without NUL, follows */
	char path[];
};

/** struct ctm_rec_filedata - content for file @id at @off (pipes: in order) */
struct ctm_rec_filedata {
	__u32 id;
	__u32 len;		/* at most 128 KiB; bytes follow */
	__u64 off;
	__u8 data[];
};

struct ctm_rec_fd {
	__u32 fd;
	__u32 id;
	__u32 cloexec;
	__u32 pad;
};

struct ctm_rec_epoll {
	__u32 id;		/* the epoll FILE */
	__u32 fd;
	__u32 events;
	__u32 pad;
	__u64 data;
};

enum ctm_vma_kind {
	CTM_VMA_ANON		= 1,	/* private anonymous; contents as PAGES */
	CTM_VMA_FILE_PRIVATE	= 2,	/* MAP_PRIVATE of file id; changed pages as PAGES */
	CTM_VMA_FILE_SHARED	= 3,	/* MAP_SHARED of file id (path, memfd, anonymous shared) */
};

#define CTM_VMA_GROWSDOWN	(1u << 0)
#define CTM_VMA_NORESERVE	(1u << 1)
#define CTM_VMA_LOCKED		(1u << 2)	/* mlock */
#define CTM_VMA_LOCKONFAULT	(1u << 3)
#define CTM_VMA_HUGEPAGE	(1u << 4)
#define CTM_VMA_NOHUGEPAGE	(1u << 5)
#define CTM_VMA_DONTDUMP	(1u << 6)
#define CTM_VMA_DONTFORK	(1u << 7)
#define CTM_VMA_WIPEONFORK	(1u << 8)
#define CTM_VMA_MERGEABLE	(1u << 9)
#define CTM_VMA_SEQ_READ	(1u << 10)
#define CTM_VMA_RAND_READ	(1u << 11)
#define CTM_VMA_CONTENT		(1u << 12)	/* was private file memory, shipped by content: map it anonymous */
#define CTM_VMA_GUARD		(1u << 13)	/* madvise(MADV_GUARD_INSTALL): part of an area, recorded by itself */

/** struct ctm_rec_vma - one area; areas come in ascending order, not overlapping */
struct ctm_rec_vma {
	__u64 start, end;
	__u64 off;		/* bytes into the file */
	__u32 kind;
	__u32 prot;		/* PROT_* */
	__u32 flags;		/* CTM_VMA_* */
	__u32 id;		/* FILE, 0 for ANON */
	__u32 pkey;
	__u32 pad;
};

struct ctm_rec_sighand {
	struct { __u64 handler, flags, restorer, mask; } act[64];
};

/** struct ctm_rec_itimers - REAL, VIRTUAL, PROF: ns; value 0: disarmed */
struct ctm_rec_itimers {
	struct { __u64 interval, value; } it[3];
};

/** struct ctm_rec_posix_timer - the id must come out the same */
struct ctm_rec_posix_timer {
	__s32 id;
	__s32 clock;
	__s32 notify;		/* SIGEV_* */
	__s32 signo;
	__u64 sigval;
	__s32 tid;		/* SIGEV_THREAD_ID */
	__s32 overrun;
	__u64 interval;		/* ns */
	__u64 value;		/* ns left, 0: disarmed */
};

/*
 * What an interrupted call has in ax, kernel's numbers (include/linux/errno.h);
 * -ERESTART_RESTARTBLOCK is turned into RESTARTNOHAND with a deadline.
 */
#define CTM_RESTARTSYS		(-512)
#define CTM_RESTARTNOINTR	(-513)
#define CTM_RESTARTNOHAND	(-514)
#define CTM_CALLS_MAX		4096u	/* numbers of system calls */

/** struct ctm_rec_thread */
struct ctm_rec_thread {
	__u32 tid;		/* in the PID namespace */
	__u32 rseq_sig;
	struct ctm_land_thread wait;	/* registers, mask, restart */
	__u64 altstack_sp, altstack_size;
	__u32 altstack_flags;
	__u32 rseq_len;
	__u64 rseq;		/* user address, 0: not registered */
	__u64 robust_list;	/* user address, 0: none */
	__u64 clear_child_tid;
	__u64 timerslack_ns;
	__u32 policy;		/* SCHED_* */
	__s32 nice;
	__u32 rt_priority;
	__u32 ioprio;
	__u32 pdeath_signal;
	__u32 pad;
	char comm[16];
	/* bound to these CPUs, a bit each; none: not bound (or to others than these) */
	__u64 cpus[CTM_CPUS_MAX / 64];
};

/** struct ctm_rec_xstate - NT_X86_XSTATE regset image (not compacted) */
struct ctm_rec_xstate {
	__u32 tid;
	__u32 len;
	__u8 data[];
};

/** struct ctm_rec_pages - count * 4096 bytes follow the record */
struct ctm_rec_pages {
	__u64 vaddr;
	__u32 count;
	__u32 flags;		/* 0 */
};

#define CTM_TID_MAX	(4u << 20)	/* PID_MAX_LIMIT */

/** struct ctm_rec_pending - one queued signal, in order; tid 0: shared by the group */
struct ctm_rec_pending {
	__u32 tid;
	__u32 signo;
	__u8 siginfo[128];
};

static inline bool ctm_pending_ok(const struct ctm_rec_pending *p)
{
	__s32 si_signo;

	memcpy(&si_signo, p->siginfo, sizeof(si_signo));
	return p->signo >= 1 && p->signo <= 64 && si_signo == (__s32)p->signo;
}

/*
 * Signals that were sent through the cluster and are applied, or queued in PENDING
 * records: numbers of one boot of the node where they were sent (core/signal.h).
 * An APPLIED record holds some of these, up to CTM_APPLIED_MAX in all.  It does not
 * have CTM_REC_F_MUST.
 */
#define CTM_APPLIED_BITS	1024u
#define CTM_APPLIED_MAX		64u

/**
 * struct ctm_rec_applied - what of one origin was applied
 * @floor: everything below is settled
 * @bits:  number n, from @floor up to @floor + CTM_APPLIED_BITS - 1: bit
 *         n % CTM_APPLIED_BITS
 */
struct ctm_rec_applied {
	__u64 boot;
	__u64 floor;
	__u32 node;
	__u32 pad;
	__u64 bits[CTM_APPLIED_BITS / 64];
};

static inline bool ctm_applied_ok(const struct ctm_rec_applied *a)
{
	return a->boot && a->node && a->floor && a->floor < ~0ull - CTM_APPLIED_BITS && !a->pad;
}

/** struct ctm_rec_result - what it has left with RESULT so far; no CTM_REC_F_MUST */
struct ctm_rec_result {
	__u32 len;		/* 1 to CTM_RESULT_MAX */
	__u32 pad;
	__u8 data[CTM_RESULT_MAX];
};

/**
 * struct ctm_rec_waits - how it waits for its children; no CTM_REC_F_MUST
 * @took: number of the last TAKE (fork_home.c) whose answer it has seen; not 0
 */
struct ctm_rec_waits {
	__u64 took;
};

/** struct ctm_rec_abort - the source gave up; CTM_REC_F_MUST is set */
struct ctm_rec_abort {
	__u32 error;		/* positive errno */
	__u32 pad;
	char text[];		/* why, without NUL, below CTM_REASON_MAX */
};

struct ctm_rec_end {
	__u64 records;		/* before this one */
	__u64 pages;
};

/**
 * ctm_image_check() - judge one record (header and payload) as enemy input
 * @st:  running state of the stream, zeroed before the first record
 * @rec: header, followed by rec->len bytes of payload
 * @len: bytes there, header included
 * @why: gets a constant text on an error
 *
 * Checks type, order, every length, count, address, flag and reference that the
 * stream itself can prove.  CTM_REC_ABORT, too, passes and ends the stream.
 * Pure; Context: any.  Return: 0, or -EBADMSG.
 */
struct ctm_image_state {
	__u64 records;
	__u64 pages;
	__u64 last_end;		/* end of the last VMA */
	__u64 hole, hole_len;
	__u64 xfeatures;
	__u32 xstate_size;
	__u32 threads, threads_seen;
	__u32 files;		/* highest FILE id seen */
	__u32 stage;
	__u32 last_tid;
	__u32 ended;
	__u32 leader, uid;
	__u32 xstate_due;	/* a THREAD came, its XSTATE not yet */
	__s64 next_timer;	/* the lowest id that the next POSIX_TIMER may have */
	__u64 vdso, vdso_len;
	__u64 vvar, vvar_len;
	__u32 applied;		/* entries of APPLIED records */
};
int ctm_image_check(struct ctm_image_state *st, const struct ctm_rec *rec,
		    __u32 len, const char **why);

#endif /* CTM_CORE_IMAGE_H */
