/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sample.h - a small image in which every kind of record occurs
 *
 * sample_build() writes it; sample_check() reads it as a receiver does, which
 * sees the bytes one record after the other and may run out of them anywhere.
 */
#ifndef CTM_TEST_SAMPLE_H
#define CTM_TEST_SAMPLE_H

#include <stdlib.h>
#include "../../module/core/image.h"

#define SAMPLE_MAX	(128u * 1024)
#define SAMPLE_RECORDS	128
#define SAMPLE_XSTATE	832u

struct sample {
	u8 bytes[SAMPLE_MAX] __attribute__((aligned(8)));
	u32 len;
	unsigned int n;
	u32 at[SAMPLE_RECORDS];		/* offsets of the records */
	u64 pages;
};

/* records begin at multiples of 8 here; on the wire they follow each other */
static inline u32 sample_align(u32 n)
{
	return (n + 7) & ~7u;
}

static inline void *sample_add(struct sample *s, u16 type, u32 len)
{
	struct ctm_rec *r = (void *)(s->bytes + s->len);

	s->at[s->n++] = s->len;
	r->type = type;
	r->flags = CTM_REC_F_MUST;
	r->len = len;
	s->len = sample_align(s->len + sizeof(*r) + len);
	return memset(r + 1, 0, len);
}

static inline void sample_head(struct sample *s)
{
	struct ctm_rec_head *h = sample_add(s, CTM_REC_HEAD, sizeof(*h));

	h->magic = CTM_IMAGE_MAGIC;
	h->version = CTM_IMAGE_VERSION;
	h->flags = CTM_ADOPT_TTY;
	h->gpid = CTM_GPID(1, 17);
	h->epoch = 3;
	h->leader = 2;
	h->threads = 2;
	h->uid = 1000;
	h->mono_ns = h->boot_ns = 12345678;
	h->hole = 0x100000000000ull;
	h->hole_len = CTM_HOLE_BYTES + 2 * CTM_HOLE_PER_THREAD;
	h->xfeatures = 7;
	h->xstate_size = SAMPLE_XSTATE;
}

static inline void sample_process(struct sample *s)
{
	struct ctm_rec_creds *c = sample_add(s, CTM_REC_CREDS, sizeof(*c) + 2 * sizeof(u32));
	struct ctm_rec_task *t;
	struct ctm_rec_rlimits *r;
	struct ctm_rec_mm *m;

	c->ruid = c->euid = c->suid = c->fsuid = 1000;
	c->rgid = c->egid = c->sgid = c->fsgid = 1000;
	c->cap_bset = (1ull << 41) - 1;
	c->ngroups = 2;
	c->groups[0] = 27;
	c->groups[1] = 1000;

	t = sample_add(s, CTM_REC_TASK, sizeof(*t) + 5 + 8);
	t->pgid = 2;
	t->umask = 022;
	t->dumpable = 1;
	t->cwd_len = 5;
	t->exe_len = 8;
	memcpy(t->paths, "/home/bin/prog", 13);
	memcpy(t->paths, "/home", 5);
	memcpy(t->paths + 5, "/bin/prg", 8);

	r = sample_add(s, CTM_REC_RLIMITS, sizeof(*r));
	r->lim[3].cur = 8 << 20;
	r->lim[3].max = (u64)-1;

	m = sample_add(s, CTM_REC_MM, sizeof(*m) + 4 * sizeof(u64));
	m->start_code = 0x400000;
	m->end_code = 0x401000;
	m->start_data = 0x600000;
	m->end_data = 0x601000;
	m->start_brk = m->brk = 0x700000;
	m->start_stack = m->arg_start = 0x7ffffffde000ull;
	m->arg_end = m->env_start = 0x7ffffffde100ull;
	m->env_end = 0x7ffffffde200ull;
	m->vvar = 0x7ffff7fc1000ull;
	m->vvar_len = 0x4000;
	m->vdso = 0x7ffff7fc5000ull;
	m->vdso_len = 0x2000;
	m->nauxv = 4;
	m->auxv[0] = 6;
	m->auxv[1] = 4096;
}

static inline struct ctm_rec_file *sample_file(struct sample *s, u32 id, u32 kind,
					       const char *path)
{
	struct ctm_rec_file *f = sample_add(s, CTM_REC_FILE, sizeof(*f) + strlen(path));

	f->id = id;
	f->kind = kind;
	f->path_len = strlen(path);
	memcpy(f->path, path, f->path_len);
	return f;
}

static inline void sample_data(struct sample *s, u32 id, u32 len)
{
	struct ctm_rec_filedata *d = sample_add(s, CTM_REC_FILEDATA, sizeof(*d) + len);

	d->id = id;
	d->len = len;
	memset(d->data, 'x', len);
}

static inline void sample_files(struct sample *s)
{
	static const u32 fds[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
	struct ctm_rec_file *f;
	unsigned int i;

	sample_file(s, 1, CTM_FILE_PATH, "/etc/hostname");
	sample_file(s, 2, CTM_FILE_HOME, "")->handle = 77;
	f = sample_file(s, 3, CTM_FILE_PIPE_R, "");
	f->peer = 1;
	f->size = 65536;
	f = sample_file(s, 4, CTM_FILE_PIPE_W, "");
	f->peer = 1;
	f->oflags = 1;
	f->size = 65536;
	sample_data(s, 4, 100);
	sample_file(s, 5, CTM_FILE_EVENTFD, "")->u[0] = 3;
	f = sample_file(s, 6, CTM_FILE_TIMERFD, "");
	f->u[0] = 1;
	f->u[2] = 1000000000;
	sample_file(s, 7, CTM_FILE_SIGNALFD, "")->u[0] = 1 << 9;
	sample_file(s, 8, CTM_FILE_EPOLL, "");
	f = sample_file(s, 9, CTM_FILE_MEMFD, "a name");
	f->size = 8192;
	sample_file(s, 10, CTM_FILE_TTY, "");
	f = sample_file(s, 11, CTM_FILE_SOCKPAIR, "");
	f->peer = 2;
	f->u[0] = 1;
	sample_file(s, 12, CTM_FILE_MAPPED, "/lib/libc.so.6");
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		struct ctm_rec_fd *d = sample_add(s, CTM_REC_FD, sizeof(*d));

		d->fd = i;
		d->id = fds[i];
	}
	((struct ctm_rec_epoll *)sample_add(s, CTM_REC_EPOLL, sizeof(struct ctm_rec_epoll)))->id = 8;
	((struct ctm_tty_state *)sample_add(s, CTM_REC_TTY,
					    sizeof(struct ctm_tty_state) + 3))->in_len = 3;
}

static inline void sample_vma(struct sample *s, u64 start, u64 end, u32 kind, u32 id)
{
	struct ctm_rec_vma *v = sample_add(s, CTM_REC_VMA, sizeof(*v));

	v->start = start;
	v->end = end;
	v->kind = kind;
	v->prot = 3;
	v->id = id;
}

static inline void sample_timers(struct sample *s)
{
	struct ctm_rec_posix_timer *t;

	sample_add(s, CTM_REC_SIGHAND, sizeof(struct ctm_rec_sighand));
	t = sample_add(s, CTM_REC_POSIX_TIMER, sizeof(*t));
	t->signo = 10;
	t->value = 5;
	t = sample_add(s, CTM_REC_POSIX_TIMER, sizeof(*t));
	t->id = 4;
	t->clock = 1;
	t->notify = 1;
	sample_add(s, CTM_REC_ITIMERS, sizeof(struct ctm_rec_itimers));
}

static inline void sample_thread(struct sample *s, u32 tid)
{
	struct ctm_rec_thread *t = sample_add(s, CTM_REC_THREAD, sizeof(*t));
	struct ctm_rec_xstate *x;

	t->tid = tid;
	t->wait.regs.cs = 0x33;
	t->wait.regs.ss = 0x2b;
	t->wait.regs.flags = 0x246;
	t->wait.regs.orig_ax = -1;
	t->wait.regs.ip = 0x400100;
	t->wait.regs.sp = 0x7ffffffde000ull;
	t->altstack_flags = 2;
	t->timerslack_ns = 50000;
	memcpy(t->comm, "prog", 4);
	x = sample_add(s, CTM_REC_XSTATE, sizeof(*x) + SAMPLE_XSTATE);
	x->tid = tid;
	x->len = SAMPLE_XSTATE;
	x->data[24] = 0x80;
	x->data[25] = 0x1f;
	x->data[512] = 3;
}

static inline void sample_pages(struct sample *s, u64 vaddr, u32 count)
{
	struct ctm_rec_pages *p = sample_add(s, CTM_REC_PAGES, sizeof(*p));

	p->vaddr = vaddr;
	p->count = count;
	s->pages += count;
}

static inline void sample_build(struct sample *s)
{
	struct ctm_rec_pending *p;
	struct ctm_rec_applied *a;
	struct ctm_rec_result *r;
	struct ctm_rec_waits *w;
	struct ctm_rec_end *e;

	memset(s, 0, sizeof(*s));
	sample_head(s);
	sample_process(s);
	sample_files(s);
	sample_vma(s, 0x400000, 0x401000, CTM_VMA_FILE_PRIVATE, 12);
	sample_vma(s, 0x401000, 0x601000, CTM_VMA_ANON, 0);
	sample_vma(s, 0x7ffff0000000ull, 0x7ffff0002000ull, CTM_VMA_FILE_SHARED, 9);
	sample_vma(s, 0x7ffffffde000ull, 0x7ffffffff000ull, CTM_VMA_ANON, 0);
	sample_timers(s);
	sample_thread(s, 2);
	sample_thread(s, 40);
	sample_pages(s, 0x401000, 512);
	sample_data(s, 9, 4096);
	sample_pages(s, 0x7ffffffde000ull, 1);
	p = sample_add(s, CTM_REC_PENDING, sizeof(*p));
	p->signo = 10;
	p->siginfo[0] = 10;
	a = sample_add(s, CTM_REC_APPLIED, sizeof(*a));
	a->boot = 1;
	a->node = 2;
	a->floor = 3;
	r = sample_add(s, CTM_REC_RESULT, sizeof(*r));
	r->len = 3;
	w = sample_add(s, CTM_REC_WAITS, sizeof(*w));
	w->took = 2;
	e = sample_add(s, CTM_REC_END, sizeof(*e));
	e->records = s->n - 1;
	e->pages = s->pages;
}

static inline struct ctm_rec *sample_record(struct sample *s, unsigned int i)
{
	return (void *)(s->bytes + s->at[i]);
}

/* the first record of a type (or the one after @skip of them) */
static inline struct ctm_rec *sample_find(struct sample *s, u16 type, unsigned int skip)
{
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (sample_record(s, i)->type == type && !skip--)
			return sample_record(s, i);
	return NULL;
}

/*
 * Reads up to @len bytes.  0: whole and right; -ENODATA: ends too soon; -EBADMSG.
 * Each record is checked in memory of exactly its size, so that the sanitizer
 * sees the first byte too many.
 */
static inline int sample_check(const u8 *bytes, u32 len, const char **why)
{
	struct ctm_image_state st = {};
	u32 at = 0;

	while (!st.ended) {
		const struct ctm_rec *r = (const void *)(bytes + at);
		void *copy;
		u32 size;
		int err;

		if (len - at < sizeof(*r))
			return -ENODATA;
		if (r->len > CTM_REC_MAX - sizeof(*r)) {
			*why = "record of impossible length";
			return -EBADMSG;
		}
		size = sizeof(*r) + r->len;
		if (len - at < size)
			return -ENODATA;
		copy = malloc(size);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, r, size);
		err = ctm_image_check(&st, copy, size, why);
		free(copy);
		if (err)
			return err;
		if (sample_align(at + size) > len)
			return st.ended ? 0 : -ENODATA;
		at = sample_align(at + size);
	}
	return 0;
}

#endif /* CTM_TEST_SAMPLE_H */
