/* SPDX-License-Identifier: GPL-2.0 */
/* Between the files of this directory: which routines the self-test has passed. */
#ifndef CTM_ASM_INTERNAL_H
#define CTM_ASM_INTERNAL_H

#include <linux/jump_label.h>
#include <linux/types.h>

DECLARE_STATIC_KEY_FALSE(ctm_asm_use_fsgs);
DECLARE_STATIC_KEY_FALSE(ctm_asm_use_avx2);

/* Each compares its routines with their twins; @use: whether this processor can run them. */
bool ctm_asm_fsgs_agree(bool *use);
bool ctm_asm_pages_agree(void *page, bool *use);

#endif /* CTM_ASM_INTERNAL_H */
