/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mm.c - memory: areas, pages, and the kernel's notes about them
 *
 * An area is mapped as it is to be; one that may not be written is opened for
 * writing only when pages come for it, and closed again at the end.
 */
#include "restore.h"
#include <asm/errno.h>
#include <linux/prctl.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102	/* 6.13 */
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23	/* 5.14 */
#endif

/*
 * There may be 65,530 of them, and the hole is small.
 * Late flags are CTM_VMA_*, shifted down.
 */
struct area {
	__u64 start;
	__u32 pages;
	__u8 prot : 3;
	__u8 is_private : 1;
	__u8 opened : 1;	/* writable for the time being */
	__u8 locked : 1;
	__u8 onfault : 1;
	__u8 huge : 1;
	__u8 mergeable : 1;
	__u8 pkey : 4;
	__u8 guard : 1;
};
_Static_assert(sizeof(struct area) == 16, "area");

static __u64 area_end(const struct area *a)
{
	return a->start + (__u64)a->pages * CTM_PAGE;
}

static __u64 area_len(const struct area *a)
{
	return (__u64)a->pages * CTM_PAGE;
}

/* ---- the kernel's notes ----------------------------------------------------- */

void mm_take(struct restore *r, const struct ctm_rec_mm *rec)
{
	if (rec->nauxv > CTM_AUXV_MAX)
		restore_fail(r, EBADMSG, "auxiliary vector");
	r->mm = restore_keep(r, rec, sizeof(*rec) + rec->nauxv * 8);
}

/* bytes up to and with AT_NULL: a newer kernel keeps a longer vector than we may give */
static __u32 auxv_bytes(const struct ctm_rec_mm *mm)
{
	__u32 i;

	for (i = 0; i + 1 < mm->nauxv; i += 2)
		if (!mm->auxv[i])
			return (i + 2) * 8;
	return i * 8;
}

void mm_exe(struct restore *r)
{
	const struct ctm_rec_mm *mm = r->mm;
	char *path = restore_alloc(r, r->task->exe_len + 1);
	struct prctl_mm_map map = {
		.start_code = mm->start_code, .end_code = mm->end_code,
		.start_data = mm->start_data, .end_data = mm->end_data,
		.start_brk = mm->start_brk, .brk = mm->brk,
		.start_stack = mm->start_stack,
		.arg_start = mm->arg_start, .arg_end = mm->arg_end,
		.env_start = mm->env_start, .env_end = mm->env_end,
		.auxv = (__u64 *)mm->auxv, .auxv_size = auxv_bytes(mm),
	};
	long fd = -1;

	memcpy(path, r->task->paths + r->task->cwd_len, r->task->exe_len);
	/* no path: this node does not have the program, it came by content */
	creds_bare(r);
	if (path[0])
		fd = restore_must(r, sys_open(path, O_RDONLY | O_CLOEXEC), "program %s", path);
	creds_again(r);
	map.exe_fd = fd;
	if (!map.auxv_size)
		map.auxv = NULL;
	restore_must(r, sys_prctl(PR_SET_MM, PR_SET_MM_MAP, (long)&map, sizeof(map), 0),
		     "program %s: memory map", path);
	if (fd >= 0)
		SYS(close, fd);
	if (mm->thp_disable)
		restore_must(r, sys_prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), "THP disable");
}

/* ---- areas ------------------------------------------------------------------ */

static void area_add(struct restore *r, const struct ctm_rec_vma *rec)
{
	struct area *a = restore_grow(r, sizeof(*a));

	if (!r->nareas++)
		r->areas = a;
	a->start = rec->start;
	a->pages = (rec->end - rec->start) / CTM_PAGE;
	a->prot = rec->prot;
	a->is_private = rec->kind != CTM_VMA_FILE_SHARED;
	a->locked = !!(rec->flags & CTM_VMA_LOCKED);
	a->onfault = !!(rec->flags & CTM_VMA_LOCKONFAULT);
	a->huge = !!(rec->flags & CTM_VMA_HUGEPAGE);
	a->mergeable = !!(rec->flags & CTM_VMA_MERGEABLE);
	a->pkey = rec->pkey;
	a->guard = !!(rec->flags & CTM_VMA_GUARD);
}

static void area_advise(struct restore *r, const struct ctm_rec_vma *rec, __u32 flag, int advice)
{
	if (rec->flags & flag)
		restore_must(r, SYS(madvise, rec->start, rec->end - rec->start, advice),
			     "memory at %llx: madvise %d", rec->start, advice);
}

/* A kernel without guards (before 6.13) gives the same signal for memory without access. */
static void guard_install(struct restore *r, const struct ctm_rec_vma *rec)
{
	__u64 len = rec->end - rec->start;

	if (SYS(madvise, rec->start, len, MADV_GUARD_INSTALL))
		restore_must(r, SYS(mprotect, rec->start, len, PROT_NONE), "memory at %llx: guard",
			     rec->start);
}

static bool vma_is_sane(const struct ctm_rec_vma *v)
{
	return v->start < v->end && v->end <= TASK_TOP && !(v->start % CTM_PAGE) &&
		!(v->end % CTM_PAGE) && (v->end - v->start) / CTM_PAGE <= 0xffffffffu &&
		!(v->prot & ~7u) && v->pkey < 16;
}

void mm_vma(struct restore *r, const struct ctm_rec_vma *rec)
{
	bool anon = rec->kind == CTM_VMA_ANON || (rec->flags & CTM_VMA_CONTENT);
	int flags = MAP_FIXED_NOREPLACE, fd = -1;

	if (!vma_is_sane(rec) || rec->kind < CTM_VMA_ANON || rec->kind > CTM_VMA_FILE_SHARED ||
	    (r->nareas && rec->start < area_end(&r->areas[r->nareas - 1])))
		restore_fail(r, EBADMSG, "memory at %llx", rec->start);
	flags |= rec->kind == CTM_VMA_FILE_SHARED ? MAP_SHARED : MAP_PRIVATE;
	flags |= rec->flags & CTM_VMA_NORESERVE ? MAP_NORESERVE : 0;
	flags |= rec->flags & CTM_VMA_GROWSDOWN ? MAP_GROWSDOWN : 0;
	if (anon)
		flags |= MAP_ANONYMOUS;
	else
		fd = files_map(r, rec->id);
	restore_must(r, sys_mmap(rec->start, rec->end - rec->start, rec->prot, flags, fd,
				 anon ? 0 : rec->off),
		     "memory at %llx, file %u", rec->start, rec->id);
	area_advise(r, rec, CTM_VMA_DONTDUMP, MADV_DONTDUMP);
	area_advise(r, rec, CTM_VMA_DONTFORK, MADV_DONTFORK);
	area_advise(r, rec, CTM_VMA_WIPEONFORK, MADV_WIPEONFORK);
	area_advise(r, rec, CTM_VMA_SEQ_READ, MADV_SEQUENTIAL);
	area_advise(r, rec, CTM_VMA_RAND_READ, MADV_RANDOM);
	area_advise(r, rec, CTM_VMA_GUARD, MADV_GUARD_INSTALL);
	/* a hint: a kernel without huge pages does not know it */
	if (rec->flags & CTM_VMA_NOHUGEPAGE)
		SYS(madvise, rec->start, rec->end - rec->start, MADV_NOHUGEPAGE);
	if (rec->flags & CTM_VMA_GUARD)
		guard_install(r, rec);
	area_add(r, rec);
}

static struct area *area_find(struct restore *r, __u64 addr)
{
	unsigned int low = 0, high = r->nareas;

	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (addr >= area_end(&r->areas[mid]))
			low = mid + 1;
		else
			high = mid;
	}
	return low < r->nareas && addr >= r->areas[low].start ? &r->areas[low] : NULL;
}

/* ---- pages ------------------------------------------------------------------ */

/* every page from @start to @end lies in an area that takes pages: make it writable */
static void areas_open(struct restore *r, __u64 start, __u64 end)
{
	struct area *a;

	for (; start < end; start = area_end(a)) {
		a = area_find(r, start);
		if (!a || !a->is_private)
			restore_fail(r, EBADMSG, "page at %llx: no memory there", start);
		if ((a->prot & PROT_WRITE) || a->opened)
			continue;
		restore_must(r, SYS(mprotect, a->start, area_len(a), PROT_READ | PROT_WRITE),
			     "memory at %llx: open", a->start);
		a->opened = 1;
	}
}

void mm_pages(struct restore *r, const struct ctm_rec_pages *rec)
{
	__u64 at = rec->vaddr, end = at + (__u64)rec->count * CTM_PAGE;

	if (!rec->count || rec->count > CTM_PAGES_MAX || at % CTM_PAGE || end < at)
		restore_fail(r, EBADMSG, "pages at %llx", at);
	areas_open(r, at, end);
	/* all at once, while they are under way: a fault each, in read(), costs a third more */
	SYS(madvise, at, end - at, MADV_POPULATE_WRITE);
	while (at < end) {
		long n = SYS(read, r->dev, at, end - at);

		if (n == -EINTR)
			continue;
		if (n == -ECONNABORTED)
			sys_exit(0);
		if (!n)
			n = -EIO;
		restore_must(r, n, "pages at %llx", at);
		at += n;
	}
}

/* ---- the end ---------------------------------------------------------------- */

/* keys are handed out in ascending order: take them up to the highest that is used */
static void pkeys_take(struct restore *r)
{
	unsigned int used = 0, key, have = 0;
	long got;

	for (unsigned int i = 0; i < r->nareas; i++)
		used |= 1u << r->areas[i].pkey;
	used &= ~1u;
	for (key = 1; key < 16 && used >> key; key++) {
		got = restore_must(r, SYS(pkey_alloc, 0, 0), "memory: protection keys");
		have |= 1u << got;
	}
	if (used & ~have)
		restore_fail(r, EBUSY, "memory: protection keys");
	for (key = 1; key < 16; key++)
		if (have & ~used & 1u << key)
			SYS(pkey_free, key);
}

static void area_close(struct restore *r, const struct area *a)
{
	long ret = 0;

	if (a->huge)
		SYS(madvise, a->start, area_len(a), MADV_HUGEPAGE);
	if (a->mergeable)
		SYS(madvise, a->start, area_len(a), MADV_MERGEABLE);
	if (a->pkey)
		ret = SYS(pkey_mprotect, a->start, area_len(a), a->prot, a->pkey);
	else if (a->opened)
		ret = SYS(mprotect, a->start, area_len(a), a->prot);
	restore_must(r, ret, "memory at %llx: protection", a->start);
	if (!a->locked)
		return;
	ret = SYS(mlock2, a->start, area_len(a), a->onfault ? MLOCK_ONFAULT : 0);
	/* marked all the same: what cannot be touched cannot be filled */
	if (ret != -ENOMEM || (!a->guard && a->prot & PROT_READ))
		restore_must(r, ret, "memory at %llx: mlock", a->start);
}

void mm_finish(struct restore *r)
{
	pkeys_take(r);
	for (unsigned int i = 0; i < r->nareas; i++)
		area_close(r, &r->areas[i]);
}

/* ---- vDSO ------------------------------------------------------------------- */

/* a range that must be free becomes @s's */
static void special_place(struct restore *r, struct special *s, __u64 to)
{
	__u64 len = s->end - s->start;

	restore_must(r, sys_mmap(to, len, PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE,
				 -1, 0), "vDSO: place at %llx", to);
	restore_must(r, SYS(mremap, s->start, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to),
		     "vDSO: mremap to %llx", to);
}

void mm_vdso(struct restore *r)
{
	const struct ctm_rec_mm *mm = r->mm;

	if (!mm->vdso)
		return;
	for (unsigned int i = 0; i < r->nspecial; i++) {
		struct special *s = &r->special[i];
		__u64 to = mm->vdso + s->off, len = s->end - s->start;
		__u64 start = s->vdso ? mm->vdso : mm->vvar;
		__u64 room = s->vdso ? mm->vdso_len : mm->vvar_len;

		if (to < start || to + len > start + room)
			restore_fail(r, EXDEV, "vDSO: not laid out as this kernel's");
		special_place(r, s, to);
	}
}
