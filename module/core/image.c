// SPDX-License-Identifier: GPL-2.0
/*
 * image.c - the judge of images
 *
 * ctm_image_check() looks at one record at a time and holds no memory but
 * struct ctm_image_state.  What it lets pass is safe to take apart: lengths
 * and counts agree with the bytes that came, addresses are user addresses away
 * from the restorer's hole, ids refer to what came before.  Whether the
 * destination wants it (credentials, limits, files) is not judged here.
 */
#include "image.h"

#define USER_END	0x7ffffffff000ull	/* TASK_SIZE with four levels of page tables */
#define USER_BOTTOM	0x10000ull		/* the default of vm.mmap_min_addr */
#define TIME_LIMIT	(1ull << 62)
#define XSTATE_MIN	576u			/* legacy area and header */
#define XSTATE_MAX	(64u * 1024)
#define FILEDATA_MAX	(128u * 1024)
#define TTY_IN_MAX	(64u * 1024)
#define MEMFD_NAME_MAX	249u

typedef int (*check_fn)(struct ctm_image_state *st, const void *data, u32 len, const char **why);

static int bad(const char **why, const char *text)
{
	*why = text;
	return -EBADMSG;
}

/* ---- what several records need ---- */

static bool overlaps(u64 start, u64 end, u64 other, u64 other_len)
{
	return other_len && start < other + other_len && other < end;
}

/* [start, end) holds user pages, none of them the restorer's or the vDSO's */
static bool pages_ok(const struct ctm_image_state *st, u64 start, u64 end)
{
	return !((start | end) % CTM_PAGE) && start >= USER_BOTTOM && start < end &&
	       end <= USER_END && !overlaps(start, end, st->hole, st->hole_len) &&
	       !overlaps(start, end, st->vdso, st->vdso_len) &&
	       !overlaps(start, end, st->vvar, st->vvar_len);
}

static bool range_ok(u64 start, u64 end)
{
	return start <= end && end <= USER_END;
}

static bool file_known(const struct ctm_image_state *st, u32 id)
{
	return id >= 1 && id <= st->files;
}

static bool no_nul(const char *s, u32 len)
{
	return !memchr(s, 0, len);
}

static bool path_ok(const char *s, u32 len)
{
	return len >= 1 && len < CTM_PATH_MAX && s[0] == '/' && no_nul(s, len);
}

/* ---- one function a record; @data is aligned, @len at least record[].least ---- */

bool ctm_hole_ok(u64 hole, u64 hole_len, u32 threads)
{
	u64 slots = hole_len - CTM_HOLE_BYTES;

	return hole_len >= CTM_HOLE_BYTES && slots % CTM_HOLE_PER_THREAD == 0 &&
	       slots / CTM_HOLE_PER_THREAD >= threads &&
	       slots / CTM_HOLE_PER_THREAD <= CTM_THREADS_MAX &&
	       hole % CTM_PAGE == 0 && hole >= CTM_HOLE_BOTTOM && hole < CTM_HOLE_TOP &&
	       hole_len <= CTM_HOLE_TOP - hole &&
	       !overlaps(hole, hole + hole_len, CTM_KEEPER_BASE, CTM_KEEPER_BYTES);
}

static int check_head(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_rec_head *h = data;

	if (h->magic != CTM_IMAGE_MAGIC)
		return bad(why, "head: not an image");
	if (h->version != CTM_IMAGE_VERSION)
		return bad(why, "head: other version");
	if (h->flags & ~(CTM_ADOPT_TTY | CTM_ADOPT_PIN | CTM_ADOPT_LINGER))
		return bad(why, "head: unknown flags");
	if (!h->gpid)
		return bad(why, "head: no gpid");
	if (h->leader < 2 || h->leader > CTM_TID_MAX)
		return bad(why, "head: leader's pid");
	if (!h->threads || h->threads > CTM_THREADS_MAX)
		return bad(why, "head: number of threads");
	if (h->mono_ns < 0 || h->boot_ns < 0 ||
	    (u64)h->mono_ns >= TIME_LIMIT || (u64)h->boot_ns >= TIME_LIMIT)
		return bad(why, "head: clock out of range");
	if (!ctm_hole_ok(h->hole, h->hole_len, h->threads))
		return bad(why, "head: hole");
	if ((h->xfeatures & 3) != 3 || h->xstate_size < XSTATE_MIN ||
	    h->xstate_size > XSTATE_MAX || h->xstate_size % 8)
		return bad(why, "head: extended state");
	st->hole = h->hole;
	st->hole_len = h->hole_len;
	st->xfeatures = h->xfeatures;
	st->xstate_size = h->xstate_size;
	st->threads = h->threads;
	st->leader = h->leader;
	st->uid = h->uid;
	return 0;
}

static int check_creds(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_rec_creds *c = data;
	const u32 *ids = &c->ruid;
	u32 i;

	if (c->ngroups > CTM_GROUPS_MAX || len != sizeof(*c) + c->ngroups * sizeof(c->groups[0]))
		return bad(why, "creds: groups and length differ");
	for (i = 0; i < 8; i++)
		if (ids[i] == (u32)-1)
			return bad(why, "creds: not an id");
	for (i = 0; i < c->ngroups; i++)
		if (c->groups[i] == (u32)-1)
			return bad(why, "creds: not a group");
	if (c->ruid != st->uid)
		return bad(why, "creds: other uid than the head");
	if (c->cap_effective & ~c->cap_permitted ||
	    c->cap_ambient & ~(c->cap_permitted & c->cap_inheritable))
		return bad(why, "creds: impossible capabilities");
	if (c->securebits > 0xff || c->no_new_privs > 1 || c->pad)
		return bad(why, "creds: value out of range");
	return 0;
}

static int check_task(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_rec_task *t = data;

	if (t->cwd_len >= CTM_PATH_MAX || t->exe_len >= CTM_PATH_MAX ||
	    len != sizeof(*t) + t->cwd_len + t->exe_len)
		return bad(why, "task: paths and length differ");
	/* no path of the program: the destination does not have it, it comes by content */
	if (!path_ok(t->paths, t->cwd_len) ||
	    (t->exe_len && !path_ok(t->paths + t->cwd_len, t->exe_len)))
		return bad(why, "task: not a path");
	if (t->pgid > CTM_TID_MAX || t->umask > 0777 || t->personality & ~0x0ffe00ffu ||
	    t->oom_score_adj < -1000 || t->oom_score_adj > 1000 || t->dumpable > 2 ||
	    t->child_subreaper > 1 || t->pad)
		return bad(why, "task: value out of range");
	if (t->stopped && (t->stopped < 19 || t->stopped > 22))
		return bad(why, "task: not a stop signal");
	return 0;
}

static int check_rlimits(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_rec_rlimits *r = data;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(r->lim); i++)
		if (r->lim[i].cur > r->lim[i].max)
			return bad(why, "rlimits: soft limit above hard limit");
	return 0;
}

/* An area of the vDSO: whole pages, both zero when there is none. */
static bool special_ok(const struct ctm_image_state *st, u64 start, u64 len)
{
	if (!start || !len)
		return !start && !len;
	return len <= (1u << 20) && start < USER_END && pages_ok(st, start, start + len);
}

static int check_mm(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_rec_mm *m = data;

	if (m->nauxv > CTM_AUXV_MAX || m->nauxv % 2 ||
	    len != sizeof(*m) + m->nauxv * sizeof(m->auxv[0]))
		return bad(why, "mm: auxv and length differ");
	if (!range_ok(m->start_code, m->end_code) || !range_ok(m->start_data, m->end_data) ||
	    !range_ok(m->start_brk, m->brk) || !range_ok(m->arg_start, m->arg_end) ||
	    !range_ok(m->env_start, m->env_end) || m->start_stack >= USER_END)
		return bad(why, "mm: address out of range");
	if (m->thp_disable > 3 || m->pad)
		return bad(why, "mm: value out of range");
	if (!special_ok(st, m->vdso, m->vdso_len))
		return bad(why, "mm: vdso");
	st->vdso = m->vdso;
	st->vdso_len = m->vdso_len;
	if (!special_ok(st, m->vvar, m->vvar_len))
		return bad(why, "mm: vvar");
	st->vvar = m->vvar;
	st->vvar_len = m->vvar_len;
	return 0;
}

/* O_* that F_GETFL can show and open() may be given: nothing that creates or truncates */
#define OFLAGS_KNOWN	(03u | 02000 | 04000 | 010000 | 020000 | 040000 | 0100000 | 0200000 | \
			 0400000 | 01000000 | 02000000 | 04000000 | 010000000)

static bool timerfd_ok(const struct ctm_rec_file *f)
{
	bool clock = f->u[0] <= 1 || (f->u[0] >= 7 && f->u[0] <= 9);

	return clock && f->u[1] < TIME_LIMIT && f->u[2] < TIME_LIMIT && f->u[4] <= 3;
}

/* What @kind asks of the fields that mean something to it. */
static bool file_kind_ok(const struct ctm_rec_file *f)
{
	switch (f->kind) {
	case CTM_FILE_PATH:
	case CTM_FILE_MAPPED:
		return path_ok(f->path, f->path_len);
	case CTM_FILE_MEMFD:
		return f->path_len <= MEMFD_NAME_MAX && no_nul(f->path, f->path_len) &&
		       f->u[0] <= 0x3f && f->u[1] <= 1 && f->peer <= f->id;
	case CTM_FILE_HOME:
		return !f->path_len && f->handle && !(f->mode & 07777);
	case CTM_FILE_PIPE_R:
	case CTM_FILE_PIPE_W:
		return !f->path_len && f->peer && f->size <= (1u << 30);
	case CTM_FILE_SOCKPAIR:
		return !f->path_len && f->peer && (f->u[0] == 1 || f->u[0] == 2 || f->u[0] == 5) &&
		       f->u[1] <= 0x7fffffff;
	case CTM_FILE_EVENTFD:
		return !f->path_len && f->u[0] != (u64)-1 && f->u[1] <= 1;
	case CTM_FILE_TIMERFD:
		return !f->path_len && timerfd_ok(f);
	case CTM_FILE_SIGNALFD:
	case CTM_FILE_EPOLL:
	case CTM_FILE_TTY:
		return !f->path_len;
	default:
		return false;
	}
}

static int check_file(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_rec_file *f = data;

	if (f->path_len >= CTM_PATH_MAX || len != sizeof(*f) + f->path_len)
		return bad(why, "file: path and length differ");
	if (f->id != st->files + 1 || f->id > CTM_FILES_MAX)
		return bad(why, "file: id out of order");
	if (!f->kind || f->kind > CTM_FILE_MAPPED)
		return bad(why, "file: unknown kind");
	if (f->oflags & ~OFLAGS_KNOWN)
		return bad(why, "file: unknown open flags");
	if (f->pos >= TIME_LIMIT * 2 || f->size >= TIME_LIMIT || f->sig < 0 || f->sig > 64 ||
	    f->mode > 0xffff)
		return bad(why, "file: value out of range");
	if (!file_kind_ok(f))
		return bad(why, "file: impossible for its kind");
	st->files = f->id;
	return 0;
}

static int check_filedata(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_rec_filedata *f = data;

	if (!f->len || f->len > FILEDATA_MAX || len != sizeof(*f) + f->len)
		return bad(why, "filedata: bytes and length differ");
	if (!file_known(st, f->id))
		return bad(why, "filedata: unknown file");
	if (f->off >= TIME_LIMIT)
		return bad(why, "filedata: offset out of range");
	return 0;
}

static int check_fd(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_rec_fd *f = data;

	if (!file_known(st, f->id))
		return bad(why, "fd: unknown file");
	if (f->fd > 0x7fffffff || f->cloexec > 1 || f->pad)
		return bad(why, "fd: value out of range");
	return 0;
}

static int check_epoll(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_rec_epoll *e = data;

	if (!file_known(st, e->id))
		return bad(why, "epoll: unknown file");
	if (e->fd > 0x7fffffff || e->pad)
		return bad(why, "epoll: value out of range");
	return 0;
}

static int check_tty(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_tty_state *t = data;

	if (t->in_len > TTY_IN_MAX || len != sizeof(*t) + t->in_len)
		return bad(why, "tty: input and length differ");
	if (t->fg_pgrp < 0 || t->fg_pgrp > (s32)CTM_TID_MAX || t->pad)
		return bad(why, "tty: value out of range");
	return 0;
}

#define VMA_FLAGS_KNOWN	(2 * CTM_VMA_GUARD - 1)

static int check_vma(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_rec_vma *v = data;
	bool anon = v->kind == CTM_VMA_ANON;

	if (!pages_ok(st, v->start, v->end))
		return bad(why, "vma: not a range of user pages");
	if (v->start < st->last_end)
		return bad(why, "vma: out of order");
	if (!v->kind || v->kind > CTM_VMA_FILE_SHARED)
		return bad(why, "vma: unknown kind");
	if (v->prot > 7 || v->flags & ~VMA_FLAGS_KNOWN || v->pkey > 15 || v->pad)
		return bad(why, "vma: value out of range");
	if (anon || (v->flags & CTM_VMA_CONTENT && !v->id) ? v->id != 0 : !file_known(st, v->id))
		return bad(why, "vma: unknown file");
	if (!anon && (v->off % CTM_PAGE || v->off >= TIME_LIMIT))
		return bad(why, "vma: offset out of range");
	if (v->flags & CTM_VMA_GROWSDOWN && !anon)
		return bad(why, "vma: a file does not grow");
	st->last_end = v->end;
	return 0;
}

static int check_sighand(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_rec_sighand *s = data;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(s->act); i++)
		if (s->act[i].handler >= USER_END || s->act[i].restorer >= USER_END ||
		    s->act[i].flags > 0xffffffffu)
			return bad(why, "sighand: value out of range");
	if (s->act[9 - 1].handler || s->act[19 - 1].handler)
		return bad(why, "sighand: KILL and STOP cannot be handled");
	return 0;
}

/* the scheduler's CPU time of one thread: ~tid << 3, and the kind */
static bool thread_clock_ok(s32 clock)
{
	u32 tid = ~((u32)clock >> 3) & 0x1fffffff;

	return (clock & 7) == 6 && tid > 0 && tid <= CTM_TID_MAX;
}

static int check_posix_timer(struct ctm_image_state *st, const void *data, u32 len,
			     const char **why)
{
	const struct ctm_rec_posix_timer *t = data;

	if (t->id < 0 || (s64)t->id < st->next_timer)
		return bad(why, "timer: id out of order");
	if (t->clock > 15 || (t->clock < 0 && !thread_clock_ok(t->clock)))
		return bad(why, "timer: unknown clock");
	if (t->notify != 0 && t->notify != 1 && t->notify != 4)
		return bad(why, "timer: unknown notification");
	if (t->signo > 64 || t->signo < (t->notify == 1 ? 0 : 1))
		return bad(why, "timer: not a signal");
	if (t->tid < 0 || t->tid > (s32)CTM_TID_MAX || t->overrun < 0 ||
	    t->interval >= TIME_LIMIT || t->value >= TIME_LIMIT)
		return bad(why, "timer: value out of range");
	st->next_timer = (s64)t->id + 1;
	return 0;
}

static int check_itimers(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_rec_itimers *t = data;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t->it); i++)
		if (t->it[i].interval >= TIME_LIMIT || t->it[i].value >= TIME_LIMIT)
			return bad(why, "itimers: value out of range");
	return 0;
}

#define USER_CS		0x33
#define USER_DS		0x2b
/* CF, fixed 1, PF, AF, ZF, SF, TF, IF, DF, OF, NT, RF, AC, ID: no IOPL, no VM */
#define FLAGS_KNOWN	0x254fd7ull
#define FLAGS_NEEDED	0x200ull	/* IF */

static bool selector_ok(u64 s)
{
	return s == 0 || s == USER_DS;
}

static bool regs_ok(const struct ctm_regs *r)
{
	return r->cs == USER_CS && r->ss == USER_DS && selector_ok(r->ds) &&
	       selector_ok(r->es) && selector_ok(r->fs) && selector_ok(r->gs) &&
	       !(r->flags & ~FLAGS_KNOWN) && (r->flags & FLAGS_NEEDED) == FLAGS_NEEDED &&
	       r->ip < USER_END && r->fs_base < USER_END && r->gs_base < USER_END;
}

static bool wait_ok(const struct ctm_land_thread *w)
{
	return w->restart <= CTM_RESTART_CALL && w->restart_clock <= 15 &&
	       w->deadline_ns >= 0 && (u64)w->deadline_ns < TIME_LIMIT &&
	       !(w->flags & ~CTM_LAND_WAITMASK) && !w->pad &&
	       (w->flags & CTM_LAND_WAITMASK || !w->waitmask);
}

/* a call that was interrupted has a restart code for its result, and only then is there one */
static bool call_ok(const struct ctm_land_thread *w)
{
	if (w->regs.orig_ax == ~0ull)
		return w->restart == CTM_RESTART_NONE && !(w->flags & CTM_LAND_WAITMASK);
	return w->regs.orig_ax < CTM_CALLS_MAX && ((s64)w->regs.ax == CTM_RESTARTSYS ||
	       (s64)w->regs.ax == CTM_RESTARTNOINTR || (s64)w->regs.ax == CTM_RESTARTNOHAND);
}

static bool rseq_ok(const struct ctm_rec_thread *t)
{
	if (!t->rseq)
		return true;
	return t->rseq % 32 == 0 && t->rseq_len >= 32 && t->rseq_len <= CTM_PAGE &&
	       t->rseq < USER_END - CTM_PAGE;
}

#define SS_FLAGS_KNOWN	0x80000003u	/* ONSTACK, DISABLE, AUTODISARM */

static bool altstack_ok(const struct ctm_rec_thread *t)
{
	return !(t->altstack_flags & ~SS_FLAGS_KNOWN) && t->altstack_sp <= USER_END &&
	       t->altstack_size <= USER_END - t->altstack_sp;
}

/* NORMAL, FIFO, RR, BATCH, IDLE, EXT: not the retired 4, and DEADLINE has more parameters */
static bool sched_ok(const struct ctm_rec_thread *t)
{
	return t->policy <= 7 && t->policy != 4 && t->policy != 6 && t->nice >= -20 &&
	       t->nice <= 19 && t->rt_priority <= 99 && t->ioprio <= 0xffff;
}

static int check_thread(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_rec_thread *t = data;

	if (st->xstate_due || st->threads_seen >= st->threads)
		return bad(why, "thread: out of order");
	if (t->tid < 2 || t->tid > CTM_TID_MAX ||
	    (t->tid == st->leader) != (st->threads_seen == 0) ||
	    (st->threads_seen && t->tid == st->last_tid))
		return bad(why, "thread: tid");
	if (!regs_ok(&t->wait.regs))
		return bad(why, "thread: registers");
	if (!wait_ok(&t->wait) || !call_ok(&t->wait))
		return bad(why, "thread: restart");
	if (!rseq_ok(t) || !altstack_ok(t))
		return bad(why, "thread: rseq or alternate stack");
	if (t->robust_list >= USER_END || t->clear_child_tid >= USER_END)
		return bad(why, "thread: address out of range");
	if (!sched_ok(t) || t->pdeath_signal > 64 || t->pad || t->comm[15])
		return bad(why, "thread: value out of range");
	st->last_tid = t->tid;
	st->threads_seen++;
	st->xstate_due = 1;
	return 0;
}

/* struct fxregs_state and xstate_header, as far as the processor would fault on them */
#define XS_MXCSR	24
#define XS_HEADER	512

static int check_xstate(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_rec_xstate *x = data;
	unsigned int i;
	u64 header[8];
	u32 mxcsr;

	if (!st->xstate_due || x->tid != st->last_tid)
		return bad(why, "xstate: out of order");
	if (x->len != st->xstate_size || len != sizeof(*x) + x->len)
		return bad(why, "xstate: other size than the head says");
	memcpy(&mxcsr, x->data + XS_MXCSR, sizeof(mxcsr));
	memcpy(header, x->data + XS_HEADER, sizeof(header));
	if (mxcsr & ~0xffffu || header[0] & ~st->xfeatures)
		return bad(why, "xstate: unknown components");
	for (i = 1; i < ARRAY_SIZE(header); i++)
		if (header[i])
			return bad(why, "xstate: compacted, or reserved bits");
	st->xstate_due = 0;
	return 0;
}

static bool threads_complete(const struct ctm_image_state *st)
{
	return st->threads_seen == st->threads && !st->xstate_due;
}

static int check_pages(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_rec_pages *p = data;

	if (!p->count || p->count > CTM_PAGES_MAX || p->flags)
		return bad(why, "pages: value out of range");
	if (p->vaddr >= USER_END ||
	    !pages_ok(st, p->vaddr, p->vaddr + (u64)p->count * CTM_PAGE))
		return bad(why, "pages: not a range of user pages");
	st->pages += p->count;
	return 0;
}

static int check_pending(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_rec_pending *p = data;

	if (p->tid > CTM_TID_MAX || !ctm_pending_ok(p))
		return bad(why, "pending: not a signal");
	return 0;
}

static int check_applied(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_rec_applied *a = data;
	u32 i, n = len / sizeof(*a);

	if (len % sizeof(*a))
		return bad(why, "applied: not whole entries");
	st->applied += n;
	if (st->applied > CTM_APPLIED_MAX)
		return bad(why, "applied: too many");
	for (i = 0; i < n; i++)
		if (!ctm_applied_ok(&a[i]))
			return bad(why, "applied: value out of range");
	return 0;
}

static int check_result(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_rec_result *r = data;

	if (!r->len || r->len > CTM_RESULT_MAX || r->pad)
		return bad(why, "result: length");
	return 0;
}

static int check_waits(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_rec_waits *w = data;

	if (!w->took)
		return bad(why, "waits: nothing");
	return 0;
}

static int check_end(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_rec_end *e = data;

	if (e->records != st->records || e->pages != st->pages)
		return bad(why, "end: counts differ from what came");
	st->ended = 1;
	return 0;
}

/* Its text is shown: one line, nothing that a terminal obeys. */
static int check_abort(struct ctm_image_state *st, const void *data, u32 len, const char **why)
{
	const struct ctm_rec_abort *a = data;
	u32 i;

	if (!a->error || a->error > 4095 || a->pad || len - sizeof(*a) >= CTM_REASON_MAX)
		return bad(why, "abort: value out of range");
	for (i = 0; i < len - sizeof(*a); i++)
		if ((u8)a->text[i] < 0x20 || a->text[i] == 0x7f)
			return bad(why, "abort: control character");
	st->ended = 1;
	return 0;
}

/* ---- order ---- */

/* what has come so far: the highest of these (0: nothing) */
enum stage {
	ST_HEAD = 1, ST_CREDS, ST_TASK, ST_RLIMITS, ST_MM, ST_FILES, ST_FDS, ST_EPOLL, ST_TTY,
	ST_VMAS, ST_SIGHAND, ST_POSIX_TIMERS, ST_ITIMERS, ST_THREADS, ST_CONTENT, ST_PENDING,
	ST_APPLIED, ST_RESULT, ST_WAITS, ST_END,
};

/*
 * A record of @stage may follow when at least @after has come and nothing later
 * than @stage; one that may come only once also not @stage itself.
 */
static const struct {
	check_fn check;
	u8 stage;
	u8 after;
	bool once;
	bool exact;		/* the payload is @least bytes, not more */
	u32 least;
} record[] = {
	[CTM_REC_HEAD]	   = { check_head, ST_HEAD, 0, true, true, sizeof(struct ctm_rec_head) },
	[CTM_REC_CREDS]	   = { check_creds, ST_CREDS, ST_HEAD, true, false,
			       sizeof(struct ctm_rec_creds) },
	[CTM_REC_TASK]	   = { check_task, ST_TASK, ST_CREDS, true, false,
			       sizeof(struct ctm_rec_task) },
	[CTM_REC_RLIMITS]  = { check_rlimits, ST_RLIMITS, ST_TASK, true, true,
			       sizeof(struct ctm_rec_rlimits) },
	[CTM_REC_MM]	   = { check_mm, ST_MM, ST_RLIMITS, true, false,
			       sizeof(struct ctm_rec_mm) },
	[CTM_REC_FILE]	   = { check_file, ST_FILES, ST_MM, false, false,
			       sizeof(struct ctm_rec_file) },
	[CTM_REC_FILEDATA] = { check_filedata, ST_FILES, ST_FILES, false, false,
			       sizeof(struct ctm_rec_filedata) },
	[CTM_REC_FD]	   = { check_fd, ST_FDS, ST_FILES, false, true,
			       sizeof(struct ctm_rec_fd) },
	[CTM_REC_EPOLL]	   = { check_epoll, ST_EPOLL, ST_FDS, false, true,
			       sizeof(struct ctm_rec_epoll) },
	[CTM_REC_TTY]	   = { check_tty, ST_TTY, ST_MM, true, false,
			       sizeof(struct ctm_tty_state) },
	[CTM_REC_VMA]	   = { check_vma, ST_VMAS, ST_MM, false, true,
			       sizeof(struct ctm_rec_vma) },
	[CTM_REC_SIGHAND]  = { check_sighand, ST_SIGHAND, ST_VMAS, true, true,
			       sizeof(struct ctm_rec_sighand) },
	[CTM_REC_POSIX_TIMER] = { check_posix_timer, ST_POSIX_TIMERS, ST_SIGHAND, false, true,
			       sizeof(struct ctm_rec_posix_timer) },
	[CTM_REC_ITIMERS]  = { check_itimers, ST_ITIMERS, ST_SIGHAND, true, true,
			       sizeof(struct ctm_rec_itimers) },
	[CTM_REC_THREAD]   = { check_thread, ST_THREADS, ST_ITIMERS, false, true,
			       sizeof(struct ctm_rec_thread) },
	[CTM_REC_XSTATE]   = { check_xstate, ST_THREADS, ST_THREADS, false, false,
			       sizeof(struct ctm_rec_xstate) },
	[CTM_REC_PAGES]	   = { check_pages, ST_CONTENT, ST_THREADS, false, true,
			       sizeof(struct ctm_rec_pages) },
	[CTM_REC_PENDING]  = { check_pending, ST_PENDING, ST_THREADS, false, true,
			       sizeof(struct ctm_rec_pending) },
	[CTM_REC_APPLIED]  = { check_applied, ST_APPLIED, ST_THREADS, false, false,
			       sizeof(struct ctm_rec_applied) },
	[CTM_REC_RESULT]   = { check_result, ST_RESULT, ST_THREADS, true, true,
			       sizeof(struct ctm_rec_result) },
	[CTM_REC_WAITS]	   = { check_waits, ST_WAITS, ST_THREADS, true, true,
			       sizeof(struct ctm_rec_waits) },
	[CTM_REC_END]	   = { check_end, ST_END, ST_THREADS, true, true,
			       sizeof(struct ctm_rec_end) },
};

static int check_known(struct ctm_image_state *st, u32 type, const void *data, u32 len,
		       const char **why)
{
	u32 stage = record[type].stage, after = record[type].after;
	int err;

	/* content comes early (pipes), or late (memory) */
	if (type == CTM_REC_FILEDATA && st->stage >= ST_THREADS) {
		stage = ST_CONTENT;
		after = ST_THREADS;
	}
	if (st->stage < after || st->stage > stage || (record[type].once && st->stage == stage))
		return bad(why, "record out of order");
	if (stage > ST_THREADS && !threads_complete(st))
		return bad(why, "threads are missing");
	if (len < record[type].least || (record[type].exact && len != record[type].least))
		return bad(why, "record of impossible length");
	err = record[type].check(st, data, len, why);
	if (!err)
		st->stage = stage;
	return err;
}

int ctm_image_check(struct ctm_image_state *st, const struct ctm_rec *rec, u32 len,
		    const char **why)
{
	u32 payload = len - sizeof(*rec);
	int err = 0;

	if (st->ended)
		return bad(why, "record after the end");
	if (len < sizeof(*rec) || len > CTM_REC_MAX || rec->len != payload)
		return bad(why, "record of impossible length");
	if (rec->flags & ~CTM_REC_F_MUST)
		return bad(why, "record with unknown flags");

	if (rec->type < ARRAY_SIZE(record) && record[rec->type].check)
		err = check_known(st, rec->type, rec + 1, payload, why);
	else if (rec->type == CTM_REC_ABORT)
		err = payload < sizeof(struct ctm_rec_abort) ?
			bad(why, "record of impossible length") :
			check_abort(st, rec + 1, payload, why);
	else if (rec->flags & CTM_REC_F_MUST)
		err = bad(why, "unknown record that must be understood");
	else if (!st->stage)
		err = bad(why, "record out of order");
	if (!err)
		st->records++;
	return err;
}
