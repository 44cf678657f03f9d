// SPDX-License-Identifier: GPL-2.0
/*
 * Decides, once, between the assembly and its C twins. The keys change only
 * here, before anybody else runs, so they need no lock.
 */
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/printk.h>

#include "asm.h"
#include "internal.h"

DEFINE_STATIC_KEY_FALSE(ctm_asm_use_fsgs);
DEFINE_STATIC_KEY_FALSE(ctm_asm_use_avx2);

int __init ctm_asm_selftest(void)
{
	void *page = (void *)__get_free_page(GFP_KERNEL);
	int err = 0;
	bool use;

	if (!page)
		return -ENOMEM;

	if (!ctm_asm_fsgs_agree(&use)) {
		pr_err("self-test: segment bases read by assembly and by MSR differ\n");
		err = -EILSEQ;
	} else if (use) {
		static_branch_enable(&ctm_asm_use_fsgs);
	}

	if (!ctm_asm_pages_agree(page, &use)) {
		pr_err("self-test: AVX2 page routines and their C twins differ\n");
		err = -EILSEQ;
	} else if (use) {
		static_branch_enable(&ctm_asm_use_avx2);
	}

	free_page((unsigned long)page);
	return err;
}
