/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fault_alloc.h - allocations that a test can let fail (CTM_FAULTS=y)
 *
 * Kbuild includes it before the sources of a handoff.  The functions below keep
 * what the names meant, which on newer kernels are macros.
 */
#ifndef CTM_FAULT_ALLOC_H
#define CTM_FAULT_ALLOC_H

#include <linux/mm.h>
#include <linux/slab.h>

#include "fault.h"

static inline void *ctm_real_kmalloc(size_t n, gfp_t gfp) { return kmalloc(n, gfp); }
static inline void *ctm_real_kzalloc(size_t n, gfp_t gfp) { return kzalloc(n, gfp); }
static inline void *ctm_real_kvmalloc(size_t n, gfp_t gfp) { return kvmalloc(n, gfp); }
static inline void *ctm_real_kvzalloc(size_t n, gfp_t gfp) { return kvzalloc(n, gfp); }
static inline void *ctm_real_kvcalloc(size_t n, size_t s, gfp_t gfp) { return kvcalloc(n, s, gfp); }
static inline void *ctm_real_kvmalloc_array(size_t n, size_t s, gfp_t gfp)
{
	return kvmalloc_array(n, s, gfp);
}
static inline void *ctm_real_kmemdup(const void *p, size_t n, gfp_t gfp) { return kmemdup(p, n, gfp); }

#undef kmalloc
#undef kzalloc
#undef kvmalloc
#undef kvzalloc
#undef kvcalloc
#undef kvmalloc_array
#undef kmemdup

#define kmalloc(n, gfp)			(ctm_fault_alloc() ? NULL : ctm_real_kmalloc(n, gfp))
#define kzalloc(n, gfp)			(ctm_fault_alloc() ? NULL : ctm_real_kzalloc(n, gfp))
#define kvmalloc(n, gfp)		(ctm_fault_alloc() ? NULL : ctm_real_kvmalloc(n, gfp))
#define kvzalloc(n, gfp)		(ctm_fault_alloc() ? NULL : ctm_real_kvzalloc(n, gfp))
#define kvcalloc(n, s, gfp)		(ctm_fault_alloc() ? NULL : ctm_real_kvcalloc(n, s, gfp))
#define kvmalloc_array(n, s, gfp)	(ctm_fault_alloc() ? NULL : ctm_real_kvmalloc_array(n, s, gfp))
#define kmemdup(p, n, gfp)		(ctm_fault_alloc() ? NULL : ctm_real_kmemdup(p, n, gfp))

#endif /* CTM_FAULT_ALLOC_H */
