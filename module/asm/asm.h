/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the module does in assembly: read its caller's segment bases, and look
 * at pages fast.
 *
 * Each routine has a C twin with the same result. The assembly is used where
 * the processor has the instructions and ctm_asm_selftest() has found both to
 * agree; until then, and wherever vector registers may not be touched, the
 * twin answers. Callers need not know which.
 */
#ifndef CTM_ASM_H
#define CTM_ASM_H

#include <linux/types.h>

/**
 * ctm_asm_selftest - compare assembly and C, and put the assembly to use
 *
 * Call once at module init, before anything else here is used. Costs well
 * under a millisecond.
 *
 * Context: process, may sleep.
 * Return: 0, -ENOMEM, or -EILSEQ if a routine and its twin disagree (logged;
 * the twins stay in use).
 */
int ctm_asm_selftest(void);

/**
 * ctm_read_user_bases - fs and gs base of current, as user mode left them
 * @fs: where the fs base goes
 * @gs: where the gs base goes
 *
 * Context: a task with a user mode side, in a system call; not a kernel thread.
 */
void ctm_read_user_bases(u64 *fs, u64 *gs);

/**
 * ctm_page_is_zero - whether a page holds nothing but zeros
 * @page: PAGE_SIZE bytes, page-aligned
 *
 * Context: any.
 */
bool ctm_page_is_zero(const void *page);

/**
 * ctm_page_hash - 64-bit hash of a page
 * @page: PAGE_SIZE bytes, page-aligned
 *
 * The value is XXH3_64bits() of the page, the same on every node and in every
 * release. Whoever chooses the page can choose its hash: it tells whether a
 * page has changed by itself, never whether a stranger's page is the same.
 *
 * Context: any.
 */
u64 ctm_page_hash(const void *page);

/**
 * struct ctm_page_scan - what is known of one page
 * @page: in: PAGE_SIZE bytes, page-aligned
 * @hash: out: ctm_page_hash()
 * @zero: out: ctm_page_is_zero()
 */
struct ctm_page_scan {
	const void *page;
	u64 hash;
	bool zero;
};

/**
 * ctm_page_scan_many - look at many pages
 * @scan: the pages, and what was found
 * @n: how many
 * @hash: whether hashes are wanted; else they are left alone
 *
 * Entering and leaving the vector unit costs more than a look at a page does,
 * so pages that are at hand together are best looked at together.
 *
 * Context: any. Preemption is off for 16 pages at a time.
 */
void ctm_page_scan_many(struct ctm_page_scan *scan, unsigned int n, bool hash);

#endif /* CTM_ASM_H */
