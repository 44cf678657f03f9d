// SPDX-License-Identifier: GPL-2.0
/*
 * image.c - does ctm_image_check() pass what is right, and refuse all else?
 *
 * Each case takes a right image and makes one thing wrong.
 */
#include "../ktap.h"
#include "random.h"
#include "sample.h"

static struct sample good, s;

static void fresh(void)
{
	sample_build(&good);
	s = good;
}

/* @sm must be refused; shows what was refused, or that nothing was */
static void refused(const struct sample *sm, const char *what)
{
	const char *why = "(nothing)";
	int err = sample_check(sm->bytes, sm->len, &why);

	if (!CHECK(err == -EBADMSG))
		ktap_note("%s: %d, %s", what, err, why);
}

static void passes(const struct sample *sm, const char *what)
{
	const char *why = "(nothing)";
	int err = sample_check(sm->bytes, sm->len, &why);

	if (!CHECK(err == 0))
		ktap_note("%s: %d, %s", what, err, why);
}

static void right_image(void)
{
	fresh();
	passes(&s, "the sample");
}

/* A field of a record takes a value that cannot be. */
#define SET(type, rec, skip, expr, val) do {						\
	type *p_;									\
	s = good;									\
	p_ = (void *)(sample_find(&s, rec, skip) + 1);					\
	p_->expr = (val);								\
	refused(&s, #type "." #expr " = " #val);					\
} while (0)

#define OK(type, rec, skip, expr, val) do {						\
	type *p_;									\
	s = good;									\
	p_ = (void *)(sample_find(&s, rec, skip) + 1);					\
	p_->expr = (val);								\
	passes(&s, #type "." #expr " = " #val);						\
} while (0)

static void head(void)
{
	fresh();
#define H(expr, val) SET(struct ctm_rec_head, CTM_REC_HEAD, 0, expr, val)
	H(magic, 0);
	H(version, 1);
	H(flags, 8);
	H(gpid, 0);
	H(leader, 0);
	H(leader, 1);
	H(leader, 3);		/* the first thread is another */
	H(leader, 5 << 20);
	H(threads, 0);
	H(threads, 1);
	H(threads, 3);
	H(threads, CTM_THREADS_MAX + 1);
	H(uid, 0);
	H(mono_ns, -1);
	H(boot_ns, 1ll << 62);
	H(hole, 0);
	H(hole, CTM_HOLE_BOTTOM + 1);
	H(hole, CTM_HOLE_TOP);
	H(hole, CTM_HOLE_TOP - CTM_HOLE_BYTES);
	H(hole, CTM_KEEPER_BASE);
	H(hole, CTM_KEEPER_BASE - CTM_HOLE_BYTES);
	H(hole, CTM_KEEPER_BASE + CTM_KEEPER_BYTES - 4096);
	H(hole, -4096ull);
	H(hole_len, CTM_HOLE_BYTES);
	H(hole_len, 0);
	H(hole_len, CTM_HOLE_BYTES + CTM_HOLE_PER_THREAD);	/* one thread has no place */
	H(hole_len, CTM_HOLE_BYTES + (CTM_THREADS_MAX + 1ull) * CTM_HOLE_PER_THREAD);
	H(hole_len, -4096ull);
	H(xfeatures, 1);
	H(xfeatures, 0);
	H(xstate_size, 0);
	H(xstate_size, 575);
	H(xstate_size, 840);
	H(xstate_size, 65537);
	H(xstate_size, 0xffffffff);
}

static void process(void)
{
	fresh();
#define C(expr, val) SET(struct ctm_rec_creds, CTM_REC_CREDS, 0, expr, val)
	C(ngroups, 1);
	C(ngroups, 3);
	C(ngroups, 0x40000002);
	C(ngroups, 0xffffffff);
	C(ruid, 1001);
	C(euid, -1);
	C(fsgid, -1);
	C(groups[1], -1);
	C(cap_effective, 1);
	C(cap_ambient, 1);
	C(securebits, 256);
	C(no_new_privs, 2);
	C(pad, 1);
#define T(expr, val) SET(struct ctm_rec_task, CTM_REC_TASK, 0, expr, val)
	T(cwd_len, 0);
	T(cwd_len, 4);
	T(cwd_len, 6);
	T(cwd_len, 0xffffffff);
	T(exe_len, 0xfffffffb);
	T(exe_len, 4096);
	T(paths[0], 'x');
	T(paths[3], 0);
	T(paths[5], 'x');
	T(umask, 01000);
	T(personality, 0x10000);
	T(oom_score_adj, -1001);
	T(oom_score_adj, 1001);
	T(dumpable, 3);
	T(child_subreaper, 2);
	T(stopped, 9);
	T(stopped, 23);
	T(pgid, -1);
	T(pad, 1);
	SET(struct ctm_rec_rlimits, CTM_REC_RLIMITS, 0, lim[15].cur, 1);
#define M(expr, val) SET(struct ctm_rec_mm, CTM_REC_MM, 0, expr, val)
	M(nauxv, 5);
	M(nauxv, 2);
	M(nauxv, 0x20000004);
	M(nauxv, CTM_AUXV_MAX + 2);
	M(start_code, 0x800000);
	M(end_data, 0x7fffffffffffull);
	M(brk, 0x6fffff);
	M(env_end, -1ull);
	M(start_stack, 0x7ffffffff000ull);
	M(thp_disable, 4);
	M(vdso, 0);
	M(vdso, 0x7ffff7fc5800ull);
	M(vdso, 0x7ffffffff000ull);
	M(vdso, -4096ull);
	M(vdso, 0x100000000000ull);	/* the hole */
	M(vdso_len, 0);
	M(vdso_len, 1 << 30);
	M(vdso_len, -4096ull);
	M(vvar, 0x7ffff7fc2000ull);	/* overlaps the vDSO */
	M(vdso, 0x7ffff0000000ull);	/* overlaps an area */
	SET(struct ctm_rec_sighand, CTM_REC_SIGHAND, 0, act[8].handler, 1);
	SET(struct ctm_rec_sighand, CTM_REC_SIGHAND, 0, act[18].handler, 0x400000);
	SET(struct ctm_rec_sighand, CTM_REC_SIGHAND, 0, act[3].handler, -1ull);
	SET(struct ctm_rec_sighand, CTM_REC_SIGHAND, 0, act[63].restorer, 1ull << 47);
	SET(struct ctm_rec_sighand, CTM_REC_SIGHAND, 0, act[3].flags, 1ull << 32);
	SET(struct ctm_rec_itimers, CTM_REC_ITIMERS, 0, it[2].value, 1ull << 62);
}

static void files(void)
{
	fresh();
#define F(skip, expr, val) SET(struct ctm_rec_file, CTM_REC_FILE, skip, expr, val)
	F(0, id, 0);
	F(0, id, 2);
	F(1, id, 1);
	F(1, id, 3);
	F(11, id, 0xffffffff);
	F(0, kind, 0);
	F(0, kind, CTM_FILE_MAPPED + 1);
	F(0, oflags, 0100);		/* O_CREAT */
	F(0, oflags, 01000);		/* O_TRUNC */
	F(0, oflags, 020200000);	/* O_TMPFILE */
	F(0, pos, 1ull << 63);
	F(0, size, 1ull << 62);
	F(0, sig, -1);
	F(0, sig, 65);
	F(0, mode, 0x10000);
	F(0, path_len, 12);
	F(0, path_len, 14);
	F(0, path_len, 0xffffffff);
	F(0, path[0], 'e');
	F(0, path[12], 0);
	F(0, kind, CTM_FILE_HOME);	/* with a path */
	F(1, handle, 0);
	F(1, mode, 0100644);		/* at home: a format, no more */
	F(2, peer, 0);
	F(2, size, (1ull << 30) + 1);
	F(4, u[0], -1ull);
	F(4, u[1], 2);
	F(5, u[0], 2);
	F(5, u[0], 10);
	F(5, u[1], 1ull << 62);
	F(5, u[4], 4);
	F(8, u[0], 0x40);
	F(8, u[1], 2);
	F(8, path[2], 0);
	F(10, peer, 0);
	F(10, u[0], 3);
	F(10, u[1], 1ull << 31);
#define FD(expr, val) SET(struct ctm_rec_filedata, CTM_REC_FILEDATA, 0, expr, val)
	FD(id, 0);
	FD(id, 5);			/* comes later */
	FD(len, 0);
	FD(len, 99);
	FD(len, 101);
	FD(len, -16);
	FD(off, 1ull << 62);
	SET(struct ctm_rec_fd, CTM_REC_FD, 0, id, 0);
	SET(struct ctm_rec_fd, CTM_REC_FD, 0, id, 13);
	SET(struct ctm_rec_fd, CTM_REC_FD, 0, fd, 0x80000000);
	SET(struct ctm_rec_fd, CTM_REC_FD, 0, cloexec, 2);
	SET(struct ctm_rec_fd, CTM_REC_FD, 0, pad, 1);
	SET(struct ctm_rec_epoll, CTM_REC_EPOLL, 0, id, 13);
	SET(struct ctm_rec_epoll, CTM_REC_EPOLL, 0, fd, -1);
	SET(struct ctm_tty_state, CTM_REC_TTY, 0, in_len, 4);
	SET(struct ctm_tty_state, CTM_REC_TTY, 0, in_len, 0xffffffff);
	SET(struct ctm_tty_state, CTM_REC_TTY, 0, fg_pgrp, -1);
}

static void memory(void)
{
	fresh();
#define V(skip, expr, val) SET(struct ctm_rec_vma, CTM_REC_VMA, skip, expr, val)
	V(0, start, 0x400001);
	V(0, start, 0);
	V(0, start, 0xf000);
	V(0, end, 0x400000);
	V(0, end, 0x3ff000);
	V(0, end, 0x402000);		/* overlaps the next */
	V(3, end, 0x7ffffffff001ull);
	V(3, end, 0x800000000000ull);
	V(3, end, -4096ull);
	V(1, end, 0x100000001000ull);	/* into the hole */
	V(2, end, 0x7ffff7fc2000ull);	/* into the vvar */
	V(0, kind, 0);
	V(0, kind, 4);
	V(0, prot, 8);
	V(0, flags, CTM_VMA_GUARD << 1);
	V(0, flags, CTM_VMA_GROWSDOWN);
	V(0, id, 0);
	V(0, id, 13);
	V(1, id, 1);
	V(0, off, 1);
	V(0, off, 1ull << 63);
	V(0, pkey, 16);
	V(0, pad, 1);
	OK(struct ctm_rec_vma, CTM_REC_VMA, 3, flags, CTM_VMA_GROWSDOWN);
#define P(expr, val) SET(struct ctm_rec_pages, CTM_REC_PAGES, 0, expr, val)
	P(vaddr, 0x401001);
	P(vaddr, 0);
	P(vaddr, 0x7ffffffff000ull);
	P(vaddr, 0x7ffffff00000ull);	/* its end is outside */
	P(vaddr, -4096ull);
	P(vaddr, 0x100000000000ull - 4096);
	P(vaddr, 0x100000000000ull + CTM_HOLE_BYTES);
	P(vaddr, 0x7ffff7fc0000ull);
	P(count, 0);
	P(count, CTM_PAGES_MAX + 1);
	P(count, 511);			/* the end counts 513 */
	P(flags, 1);
	SET(struct ctm_rec_end, CTM_REC_END, 0, records, 1);
	SET(struct ctm_rec_end, CTM_REC_END, 0, pages, 1);
}

static void threads(void)
{
	fresh();
#define TH(expr, val) SET(struct ctm_rec_thread, CTM_REC_THREAD, 0, expr, val)
#define TH1(expr, val) SET(struct ctm_rec_thread, CTM_REC_THREAD, 1, expr, val)
	TH(tid, 0);
	TH(tid, 3);
	TH1(tid, 2);
	TH1(tid, 1);
	TH1(tid, 5 << 20);
	TH(wait.regs.cs, 0x23);		/* 32 bits */
	TH(wait.regs.cs, 0x10);		/* the kernel's */
	TH(wait.regs.ss, 0x18);
	TH(wait.regs.ds, 0x18);
	TH(wait.regs.fs, 0x3);
	TH(wait.regs.gs, 0x10033);
	TH(wait.regs.flags, 0x46);	/* interrupts off */
	TH(wait.regs.flags, 0x3246);	/* IOPL */
	TH(wait.regs.flags, 0x20246);	/* VM */
	TH(wait.regs.flags, 0x100000246ull);
	TH(wait.regs.ip, 0x7ffffffff000ull);
	TH(wait.regs.ip, 0xffffffff81000000ull);
	TH(wait.regs.fs_base, 1ull << 47);
	TH(wait.regs.gs_base, 0xffff888000000000ull);
	TH(wait.regs.orig_ax, 1);	/* in a call, but no restart code */
	TH(wait.regs.orig_ax, -2);
	TH(wait.restart, 1);		/* in no call */
	TH(wait.restart, 5);
	TH(wait.flags, 1);
	TH(wait.flags, 2);
	TH(wait.waitmask, 1);
	TH(wait.pad, 1);
	TH(wait.restart_clock, 16);
	TH(wait.deadline_ns, -1);
	TH(rseq, 0x400001);
	TH(rseq, 0x400020);		/* without a length */
	TH(rseq, -32ull);
	TH(robust_list, -1ull);
	TH(clear_child_tid, 0x7ffffffff000ull);
	TH(altstack_flags, 4);
	TH(altstack_sp, -1ull);
	TH(altstack_size, -1ull);
	TH(policy, 4);
	TH(policy, 6);
	TH(policy, 8);
	TH(nice, 20);
	TH(nice, -21);
	TH(rt_priority, 100);
	TH(ioprio, 0x10000);
	TH(pdeath_signal, 65);
	TH(pad, 1);
	TH(comm[15], 'x');
#define X(expr, val) SET(struct ctm_rec_xstate, CTM_REC_XSTATE, 0, expr, val)
	X(tid, 40);
	X(len, SAMPLE_XSTATE - 8);
	X(len, SAMPLE_XSTATE + 8);
	X(len, 0xffffffff);
	X(data[26], 1);			/* MXCSR */
	X(data[512], 8);		/* a component the head does not name */
	X(data[527], 0x80);		/* compacted */
	X(data[575], 1);
	OK(struct ctm_rec_xstate, CTM_REC_XSTATE, 0, data[512], 7);
#define PT(skip, expr, val) SET(struct ctm_rec_posix_timer, CTM_REC_POSIX_TIMER, skip, expr, val)
	PT(0, id, -1);
	PT(1, id, 0);
	PT(0, clock, 16);
	PT(0, clock, -6);		/* of the process, by its number */
	OK(struct ctm_rec_posix_timer, CTM_REC_POSIX_TIMER, 0, clock, -48 | 6);	/* of thread 5 */
	PT(0, notify, 2);
	PT(0, signo, 0);
	PT(0, signo, 65);
	PT(1, signo, -1);
	PT(0, tid, -1);
	PT(0, overrun, -1);
	PT(0, interval, 1ull << 62);
	OK(struct ctm_rec_posix_timer, CTM_REC_POSIX_TIMER, 1, id, 0x7fffffff);
	SET(struct ctm_rec_file, CTM_REC_FILE, 8, peer, 10);	/* a memfd, opened before it was made */
	OK(struct ctm_rec_file, CTM_REC_FILE, 8, peer, 9);
	SET(struct ctm_rec_pending, CTM_REC_PENDING, 0, signo, 0);
	SET(struct ctm_rec_pending, CTM_REC_PENDING, 0, signo, 65);
	SET(struct ctm_rec_pending, CTM_REC_PENDING, 0, signo, 11);	/* siginfo says 10 */
	SET(struct ctm_rec_pending, CTM_REC_PENDING, 0, tid, -1);
	SET(struct ctm_rec_applied, CTM_REC_APPLIED, 0, boot, 0);
	SET(struct ctm_rec_applied, CTM_REC_APPLIED, 0, node, 0);
	SET(struct ctm_rec_applied, CTM_REC_APPLIED, 0, floor, 0);
	SET(struct ctm_rec_applied, CTM_REC_APPLIED, 0, floor, -1ull);
	SET(struct ctm_rec_applied, CTM_REC_APPLIED, 0, pad, 1);
	OK(struct ctm_rec_applied, CTM_REC_APPLIED, 0, bits[15], -1ull);
	SET(struct ctm_rec_result, CTM_REC_RESULT, 0, len, 0);
	SET(struct ctm_rec_result, CTM_REC_RESULT, 0, len, CTM_RESULT_MAX + 1);
	SET(struct ctm_rec_result, CTM_REC_RESULT, 0, pad, 1);
	OK(struct ctm_rec_result, CTM_REC_RESULT, 0, len, CTM_RESULT_MAX);
	SET(struct ctm_rec_waits, CTM_REC_WAITS, 0, took, 0);
	OK(struct ctm_rec_waits, CTM_REC_WAITS, 0, took, -1ull);
}

/* An image without its i-th record, or with it twice, is right only where that may be. */
static bool may_miss(u16 type)
{
	return type == CTM_REC_FD || type == CTM_REC_EPOLL || type == CTM_REC_TTY ||
	       type == CTM_REC_VMA || type == CTM_REC_POSIX_TIMER || type == CTM_REC_FILEDATA ||
	       type == CTM_REC_PENDING || type == CTM_REC_APPLIED ||
	       type == CTM_REC_RESULT || type == CTM_REC_WAITS || type == CTM_REC_PAGES;
}

static bool may_repeat(u16 type)
{
	return type == CTM_REC_FD || type == CTM_REC_EPOLL || type == CTM_REC_FILEDATA ||
	       type == CTM_REC_PENDING || type == CTM_REC_APPLIED ||
	       type == CTM_REC_PAGES;
}

/* @order: indices of good's records */
static void assemble(const unsigned int *order, unsigned int n)
{
	struct ctm_rec_end *e;
	unsigned int i;
	u64 pages = 0;

	memset(&s, 0, sizeof(s));
	for (i = 0; i < n; i++) {
		const struct ctm_rec *r = sample_record(&good, order[i]);

		memcpy(sample_add(&s, r->type, r->len), r + 1, r->len);
		if (r->type == CTM_REC_PAGES)
			pages += ((const struct ctm_rec_pages *)(r + 1))->count;
		if (r->type == CTM_REC_END) {
			e = (void *)(sample_record(&s, i) + 1);
			e->records = i;
			e->pages = pages;
		}
	}
}

static void missing_records(void)
{
	unsigned int order[SAMPLE_RECORDS], i, j, n;

	fresh();
	for (i = 0; i + 1 < good.n; i++) {
		u16 type = sample_record(&good, i)->type;

		for (j = n = 0; j < good.n; j++)
			if (j != i)
				order[n++] = j;
		assemble(order, n);
		if (may_miss(type))
			passes(&s, "a record less");
		else if (type == CTM_REC_FILE || type == CTM_REC_THREAD || type == CTM_REC_XSTATE)
			refused(&s, "a file or thread less");
		else
			refused(&s, "a record less");
	}
}

static void repeated_records(void)
{
	unsigned int order[SAMPLE_RECORDS], i, j, n;

	fresh();
	for (i = 0; i + 1 < good.n; i++) {
		for (j = n = 0; j < good.n; j++) {
			order[n++] = j;
			if (j == i)
				order[n++] = j;
		}
		assemble(order, n);
		if (may_repeat(sample_record(&good, i)->type))
			passes(&s, "a record twice");
		else
			refused(&s, "a record twice");
	}
}

/* Two records of different types change places: never right, content aside. */
static void swapped_records(void)
{
	unsigned int order[SAMPLE_RECORDS], i, j;

	fresh();
	for (i = 0; i + 1 < good.n; i++) {
		u16 a = sample_record(&good, i)->type, b = sample_record(&good, i + 1)->type;

		if (a == b || a == CTM_REC_FILEDATA || b == CTM_REC_FILEDATA || b == CTM_REC_END)
			continue;
		for (j = 0; j < good.n; j++)
			order[j] = j == i ? i + 1 : j == i + 1 ? i : j;
		assemble(order, good.n);
		refused(&s, "two records swapped");
	}
}

static void lengths(void)
{
	unsigned int i;
	u32 len, delta;

	fresh();
	for (i = 0; i < good.n; i++) {
		struct ctm_image_state st = {}, before;
		const char *why;
		unsigned int j;

		for (j = 0; j < i; j++)
			ctm_image_check(&st, sample_record(&good, j),
					sample_record(&good, j)->len + sizeof(struct ctm_rec), &why);
		before = st;
		len = sample_record(&good, i)->len;
		for (delta = 1; delta <= 16; delta++) {
			/* header and buffer agree: the type's own length is wrong */
			s = good;
			sample_record(&s, i)->len = len + delta;
			CHECK(ctm_image_check(&st, sample_record(&s, i), len + delta + 8, &why) ==
			      -EBADMSG);
			if (delta <= len) {
				sample_record(&s, i)->len = len - delta;
				CHECK(ctm_image_check(&st, sample_record(&s, i), len - delta + 8,
						      &why) == -EBADMSG);
			}
			/* header and buffer differ */
			sample_record(&s, i)->len = len;
			CHECK(ctm_image_check(&st, sample_record(&s, i), len + delta + 8, &why) ==
			      -EBADMSG);
			CHECK(ctm_image_check(&st, sample_record(&s, i), len + 8 - delta, &why) ==
			      -EBADMSG);
		}
		/* what was refused left no trace */
		CHECK(!memcmp(&st, &before, sizeof(st)));
	}
}

static void cut_anywhere(void)
{
	const char *why;
	u32 end = good.at[good.n - 1] + sizeof(struct ctm_rec) + sizeof(struct ctm_rec_end), n;

	fresh();
	for (n = 0; n < end; n++) {
		u8 *part = malloc(n ? n : 1);

		memcpy(part, good.bytes, n);
		CHECK(sample_check(part, n, &why) == -ENODATA);
		free(part);
	}
}

static void too_many_origins(void)
{
	struct ctm_rec_applied one = { .boot = 1, .floor = 3, .node = 2 };
	unsigned int i, last;

	for (last = CTM_APPLIED_MAX - 1; last <= CTM_APPLIED_MAX; last++) {
		struct ctm_image_state st = { .stage = 14 };	/* the threads have come */
		struct { struct ctm_rec rec; struct ctm_rec_applied a; } r = {
			{ CTM_REC_APPLIED, 0, sizeof(one) }, one,
		};
		const char *why;

		for (i = 0; i < last; i++)
			CHECK(!ctm_image_check(&st, &r.rec, sizeof(r), &why));
		CHECK((ctm_image_check(&st, &r.rec, sizeof(r), &why) == 0) ==
		      (last < CTM_APPLIED_MAX));
	}
}

static void unknown_records(void)
{
	unsigned int order[SAMPLE_RECORDS], i;
	struct ctm_rec *r;

	fresh();
	for (i = 0; i < good.n; i++)
		order[i] = i;
	assemble(order, good.n);
	r = sample_record(&s, 8);		/* some FILE: becomes an unknown type */
	r->type = 999;
	refused(&s, "unknown, must be understood");
	r->flags = 0;
	refused(&s, "unknown, skipped: the next file's id has a gap");
	/* one that nothing refers to */
	s = good;
	r = sample_find(&s, CTM_REC_EPOLL, 0);
	r->type = 999;
	r->flags = 0;
	passes(&s, "unknown, skipped");
	r->flags = CTM_REC_F_MUST;
	refused(&s, "unknown, must be understood");
	r->flags = 2;
	refused(&s, "unknown flags");
	s = good;
	sample_record(&s, 0)->type = 999;
	sample_record(&s, 0)->flags = 0;
	refused(&s, "an unknown record before the head");
	s = good;
	sample_record(&s, 3)->type = 0;
	refused(&s, "type 0");
}

/* The source may give up anywhere; its text is one harmless line. */
static void aborts(void)
{
	struct {
		struct ctm_rec rec;
		struct ctm_rec_abort abort;
		char text[CTM_REASON_MAX + 8];
	} a = { { CTM_REC_ABORT, CTM_REC_F_MUST, sizeof(a.abort) + 4 }, { .error = 5 }, "text" };
	const char *why;
	unsigned int i, j;
	u32 n;

	fresh();
	for (i = 0; i < good.n; i++) {
		struct ctm_image_state st = {};

		for (j = 0; j < i; j++)
			ctm_image_check(&st, sample_record(&good, j),
					sample_record(&good, j)->len + sizeof(struct ctm_rec), &why);
		CHECK(ctm_image_check(&st, &a.rec, sizeof(a.rec) + a.rec.len, &why) == 0);
		CHECK(st.ended);
		CHECK(ctm_image_check(&st, &a.rec, sizeof(a.rec) + a.rec.len, &why) == -EBADMSG);
	}
	memset(a.text, 'x', sizeof(a.text));
	for (n = 0; n <= CTM_REASON_MAX; n++) {
		struct ctm_image_state st = {};

		a.rec.len = sizeof(a.abort) + n;
		CHECK(ctm_image_check(&st, &a.rec, sizeof(a.rec) + a.rec.len, &why) ==
		      (n < CTM_REASON_MAX ? 0 : -EBADMSG));
	}
	a.rec.len = sizeof(a.abort) + 4;
	for (i = 0; i < 256; i++) {
		struct ctm_image_state st = {};

		a.text[2] = i;
		CHECK(ctm_image_check(&st, &a.rec, sizeof(a.rec) + a.rec.len, &why) ==
		      (i < 0x20 || i == 0x7f ? -EBADMSG : 0));
	}
	for (i = 0; i < sizeof(a.abort); i++) {
		struct ctm_image_state st = {};

		a.rec.len = i;
		CHECK(ctm_image_check(&st, &a.rec, sizeof(a.rec) + a.rec.len, &why) == -EBADMSG);
	}
}

/* Whatever is thrown at it, it must answer, and touch nothing outside. */
static void random_damage(void)
{
	u64 seed = rng_seed(7), passed = 0;
	struct rng r = { seed };
	const char *why;
	unsigned int i, n;

	fresh();
	ktap_note("SEED=%llu", (unsigned long long)seed);
	for (i = 0; i < 20000; i++) {
		s = good;
		for (n = 1 + rng_below(&r, 4); n; n--) {
			u32 at = rng_below(&r, s.len);

			switch (rng_below(&r, 3)) {
			case 0:
				s.bytes[at] ^= 1 << rng_below(&r, 8);
				break;
			case 1:
				s.bytes[at] = rng_next(&r);
				break;
			default:
				memset(s.bytes + (at & ~3u), rng_percent(&r, 50) ? 0xff : 0, 4);
			}
		}
		passed += sample_check(s.bytes, s.len, &why) == 0;
	}
	ktap_note("%llu of 20000 damaged images pass (damage to names, addresses, contents)",
		  (unsigned long long)passed);
}

static const struct ktap_test tests[] = {
	{ "image: a right one", right_image },
	{ "image: head", head },
	{ "image: credentials, task, limits, mm, handlers", process },
	{ "image: files", files },
	{ "image: areas and pages", memory },
	{ "image: threads, timers, signals", threads },
	{ "image: a record is missing", missing_records },
	{ "image: a record comes twice", repeated_records },
	{ "image: records change places", swapped_records },
	{ "image: wrong lengths", lengths },
	{ "image: cut at any byte", cut_anywhere },
	{ "image: too many origins of signals", too_many_origins },
	{ "image: unknown records", unknown_records },
	{ "image: the source gives up", aborts },
	{ "image: random damage", random_damage },
};
KTAP_MAIN(tests)
