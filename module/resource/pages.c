// SPDX-License-Identifier: GPL-2.0
/*
 * pages.c - the contents of private memory
 *
 * Sent: what a private anonymous area holds and is not zero, the copied pages of
 * private file mappings, and all of a private file mapping whose file the
 * destination does not have.  Nothing is populated: holes are skipped by walking
 * the page tables, whole missing tables at once, so that a sparse terabyte costs
 * next to nothing.
 *
 * Pages are collected, referenced, up to CTM_PAGES_MAX at a time under mmap_lock,
 * and sent without it.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "../asm/asm.h"
#include "../compat/compat.h"
#include "resource.h"

/** struct batch - pages on their way */
struct batch {
	struct ctm_capture *c;
	struct mm_struct *mm;
	unsigned int n;
	u64 at[CTM_PAGES_MAX];		/* addresses, ascending */
	struct page *page[CTM_PAGES_MAX];
	struct ctm_page_scan scan[CTM_PAGES_MAX];
	struct bio_vec bv[CTM_PAGES_MAX];
	struct page *got[CTM_PAGES_MAX];
};

/* ---- page tables ---- */

/* the next address whose entry of that level is another one */
#define next_of(addr, SIZE)	(((addr) & ~((u64)(SIZE) - 1)) + (SIZE))

/* enum looked_for - guards are part of the layout (mm.c), not of the contents */
enum looked_for { CONTENTS, GUARDS };

static bool is_looked_for(pte_t pte, enum looked_for what)
{
	return what == GUARDS ? ctm_pte_guard(pte) : !pte_none(pte) && !ctm_pte_guard(pte);
}

/*
 * The first address from @addr on that may hold what is looked for, and in @run
 * how many entries follow that may as well, up to @max and the end of their
 * table.  With *run still 0, where to go on.
 *
 * As get_user_pages_fast() does: with interrupts off, no page table that can
 * still be reached is freed.  The process does not run, so that entries go (are
 * swapped out, migrated) but do not come.
 */
static u64 find_run(struct mm_struct *mm, u64 addr, u64 end, unsigned int max,
		    enum looked_for what, unsigned int *run)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud, pudv;
	pmd_t *pmd, pmdv;
	pte_t *pte;
	u64 last;

	if (pgd_none(READ_ONCE(*pgd)))
		return next_of(addr, PGDIR_SIZE);
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(READ_ONCE(*p4d)))
		return next_of(addr, P4D_SIZE);
	pud = pud_offset(p4d, addr);
	pudv = READ_ONCE(*pud);
	if (pud_none(pudv))
		return next_of(addr, PUD_SIZE);
	last = min(end, next_of(addr, PMD_SIZE));
	if (pud_leaf(pudv) || !pud_present(pudv))
		goto huge;
	pmd = pmd_offset(pud, addr);
	pmdv = READ_ONCE(*pmd);
	if (pmd_none(pmdv))
		return next_of(addr, PMD_SIZE);
	if (pmd_leaf(pmdv) || !pmd_present(pmdv))
		goto huge;
	pte = (pte_t *)pmd_page_vaddr(pmdv) + pte_index(addr);
	while (addr < last && !is_looked_for(READ_ONCE(*pte), what)) {
		addr += PAGE_SIZE;
		pte++;
	}
	last = min(last, addr + ((u64)max << PAGE_SHIFT));
	for (; addr + ((u64)*run << PAGE_SHIFT) < last && is_looked_for(READ_ONCE(*pte), what); pte++)
		++*run;
	return addr;
huge:					/* or on its way from or to a huge page */
	if (what == GUARDS)
		return last;
	*run = min_t(u64, max, (last - addr) >> PAGE_SHIFT);
	return addr;
}

static u64 next_run(struct mm_struct *mm, u64 addr, u64 end, unsigned int max,
		    enum looked_for what, unsigned int *run)
{
	unsigned long flags;

	*run = 0;
	while (addr < end && !*run) {
		local_irq_save(flags);
		addr = find_run(mm, addr, end, max, what, run);
		local_irq_restore(flags);
	}
	return min(addr, end);
}

/** ctm_next_guard() - the next guard region (MADV_GUARD_INSTALL) from @addr on; @end when there is none */
u64 ctm_next_guard(struct mm_struct *mm, u64 addr, u64 end, u64 *len)
{
	unsigned int run;

	mmap_read_lock(mm);
	addr = next_run(mm, addr, end, CTM_PAGES_MAX, GUARDS, &run);
	mmap_read_unlock(mm);
	*len = (u64)run << PAGE_SHIFT;
	return addr;
}

/* ---- sending ---- */

static int send_run(struct batch *b, unsigned int from, unsigned int n)
{
	struct ctm_rec_pages r = { .vaddr = b->at[from], .count = n };
	int err = ctm_put(b->c, CTM_REC_PAGES, &r, sizeof(r));

	if (!err)
		err = b->c->sink->pages(b->c->sink, &b->bv[from], n);
	if (!err)
		b->c->pages += n;
	return err;
}

/* drop the pages of zeros where zeros are what a fresh area has */
static void drop_zeros(struct batch *b)
{
	unsigned int i, kept = 0;

	for (i = 0; i < b->n; i++)
		b->scan[i].page = page_address(b->page[i]);
	ctm_page_scan_many(b->scan, b->n, false);
	for (i = 0; i < b->n; i++) {
		if (b->scan[i].zero) {
			put_page(b->page[i]);
			continue;
		}
		b->page[kept] = b->page[i];
		b->at[kept++] = b->at[i];
	}
	b->n = kept;
}

static int send_batch(struct batch *b, bool zeros)
{
	unsigned int i, from;
	int err = 0;

	if (!zeros)
		drop_zeros(b);
	for (i = 0; i < b->n; i++) {
		b->bv[i].bv_page = b->page[i];
		b->bv[i].bv_len = PAGE_SIZE;
		b->bv[i].bv_offset = 0;
	}
	for (from = 0; !err && from < b->n; from = i) {
		for (i = from + 1; i < b->n && b->at[i] == b->at[i - 1] + PAGE_SIZE; i++)
			;
		err = send_run(b, from, i - from);
	}
	for (i = 0; i < b->n; i++)
		put_page(b->page[i]);
	b->n = 0;
	return err;
}

/* ---- collecting ---- */

static int unreadable(struct batch *b, u64 addr, int err)
{
	if (err == -EINTR || err == -ERESTARTSYS)
		return -EINTR;
	return ctm_fail(b->c, err, "memory at %llx cannot be read: error %d", addr, err);
}

/*
 * Take up to @run pages from @addr on; mmap_lock held, and held again on return.
 * Of a file mapping that the destination has, only copied pages are kept.
 */
static int take(struct batch *b, u64 *addr, unsigned int run, bool copied_only)
{
	int locked = 1, i;
	long n = get_user_pages_remote(b->mm, *addr, run, FOLL_FORCE, b->got, &locked);

	if (!locked && mmap_read_lock_killable(b->mm)) {
		for (i = 0; i < n; i++)
			put_page(b->got[i]);
		/* the caller unlocks: give it something to */
		mmap_read_lock(b->mm);
		return -EINTR;
	}
	if (n <= 0)
		return unreadable(b, *addr, n ? n : -EFAULT);
	for (i = 0; i < n; i++, *addr += PAGE_SIZE) {
		if (copied_only && !PageAnon(b->got[i])) {
			put_page(b->got[i]);
			continue;
		}
		b->at[b->n] = *addr;
		b->page[b->n++] = b->got[i];
	}
	return 0;
}

static bool by_content(const struct ctm_area *a)
{
	return a->flags & CTM_VMA_CONTENT;
}

/* where the contents of an area end: behind the end of its file there is nothing */
static u64 content_end(const struct ctm_area *a)
{
	u64 bytes;

	if (!by_content(a) || !a->file)
		return a->end;
	bytes = a->isize > a->off ? PAGE_ALIGN(a->isize - a->off) : 0;
	return min(a->end, a->start + bytes);
}

/* fill the batch from @addr on; returns how far it got in @addr */
static int collect(struct batch *b, const struct ctm_area *a, u64 *addr, u64 end)
{
	bool copied_only = a->kind == CTM_VMA_FILE_PRIVATE && !by_content(a);
	unsigned int run;
	int err = 0;

	if (mmap_read_lock_killable(b->mm))
		return -EINTR;
	while (!err && *addr < end && b->n < CTM_PAGES_MAX) {
		run = min_t(u64, CTM_PAGES_MAX - b->n, (end - *addr) >> PAGE_SHIFT);
		if (!by_content(a))
			*addr = next_run(b->mm, *addr, end, run, CONTENTS, &run);
		if (*addr >= end)
			break;
		err = take(b, addr, run, copied_only);
		if (fatal_signal_pending(current))
			err = -EINTR;
	}
	mmap_read_unlock(b->mm);
	return err;
}

static int send_area(struct batch *b, const struct ctm_area *a)
{
	u64 addr = a->start, end = content_end(a);
	bool zeros = a->kind == CTM_VMA_FILE_PRIVATE && !by_content(a);
	unsigned int i;
	int err = 0;

	while (!err && addr < end) {
		err = collect(b, a, &addr, end);
		if (err) {
			for (i = 0; i < b->n; i++)
				put_page(b->page[i]);
			b->n = 0;
			break;
		}
		err = send_batch(b, zeros);
		cond_resched();
	}
	return err;
}

static bool has_contents(const struct ctm_capture *c, const struct ctm_area *a)
{
	if (a->vdso || a->vvar || (c->fork && a->flags & CTM_VMA_WIPEONFORK))
		return false;
	return a->kind == CTM_VMA_ANON || by_content(a) ||
	       (a->kind == CTM_VMA_FILE_PRIVATE && a->has_anon);
}

int ctm_capture_pages(struct ctm_capture *c)
{
	const struct ctm_areas *as = &ctm_state(c)->areas;
	struct batch *b = kvmalloc(sizeof(*b), GFP_KERNEL);
	unsigned int i;
	int err = 0;

	if (!b)
		return -ENOMEM;
	b->c = c;
	b->mm = as->mm;
	b->n = 0;
	for (i = 0; !err && i < as->n; i++)
		if (has_contents(c, &as->a[i]))
			err = send_area(b, &as->a[i]);
	kvfree(b);
	return err;
}
