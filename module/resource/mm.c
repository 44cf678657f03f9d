// SPDX-License-Identifier: GPL-2.0
/*
 * mm.c - an address space: its areas, and what prctl(PR_SET_MM_MAP) knows of it
 *
 * The areas are copied into a list under mmap_lock, and everything else works
 * from the list: the process is frozen, so its layout does not change, and no
 * lock is held while records leave for the network.
 */
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pkeys.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <asm/mmu_context.h>
#include <asm/vdso.h>

#include "../compat/compat.h"
#include "resource.h"

#define AREAS_MAX	(1u << 20)

/* ---- the list ---- */

static const char *special_name(struct vm_area_struct *vma)
{
	return vma->vm_ops && vma->vm_ops->name ? vma->vm_ops->name(vma) : NULL;
}

static u32 prot_of(unsigned long f)
{
	return (f & VM_READ ? PROT_READ : 0) | (f & VM_WRITE ? PROT_WRITE : 0) |
	       (f & VM_EXEC ? PROT_EXEC : 0);
}

static u32 flags_of(unsigned long f)
{
	static const struct { unsigned long vm; u32 ctm; } map[] = {
		{ VM_GROWSDOWN, CTM_VMA_GROWSDOWN }, { VM_NORESERVE, CTM_VMA_NORESERVE },
		{ VM_LOCKED, CTM_VMA_LOCKED }, { VM_LOCKONFAULT, CTM_VMA_LOCKONFAULT },
		{ VM_HUGEPAGE, CTM_VMA_HUGEPAGE }, { VM_NOHUGEPAGE, CTM_VMA_NOHUGEPAGE },
		{ VM_DONTDUMP, CTM_VMA_DONTDUMP }, { VM_DONTCOPY, CTM_VMA_DONTFORK },
		{ VM_WIPEONFORK, CTM_VMA_WIPEONFORK }, { VM_MERGEABLE, CTM_VMA_MERGEABLE },
		{ VM_SEQ_READ, CTM_VMA_SEQ_READ }, { VM_RAND_READ, CTM_VMA_RAND_READ },
	};
	unsigned int i;
	u32 ret = 0;

	for (i = 0; i < ARRAY_SIZE(map); i++)
		if (f & map[i].vm)
			ret |= map[i].ctm;
	return ret;
}

static void judge_special(struct ctm_area *a, struct vm_area_struct *vma, const char *name)
{
	if (!strcmp(name, "[vdso]"))
		a->vdso = true;
	else if (!strncmp(name, "[vvar", 5))
		a->vvar = true;
	else
		a->refused = "memory that the kernel made for a purpose of its own";
}

static void judge_file(struct ctm_area *a, struct vm_area_struct *vma)
{
	struct inode *inode = file_inode(vma->vm_file);

	a->file = get_file(vma->vm_file);
	a->off = (u64)vma->vm_pgoff << PAGE_SHIFT;
	if (!strcmp(inode->i_sb->s_type->name, "aio")) {
		a->refused = "asynchronous I/O (io_setup)";
		return;
	}
	if (!S_ISREG(inode->i_mode)) {
		a->refused = "memory of a device";
		return;
	}
	a->kind = vma->vm_flags & VM_MAYSHARE ? CTM_VMA_FILE_SHARED : CTM_VMA_FILE_PRIVATE;
}

static const char *judge_flags(struct vm_area_struct *vma)
{
	unsigned long f = vma->vm_flags;

	if (is_vm_hugetlb_page(vma))
		return "memory in hugetlb pages";
	if (f & (VM_PFNMAP | VM_MIXEDMAP | VM_IO))
		return "memory of a device";
	if (f & (VM_UFFD_MISSING | VM_UFFD_WP | VM_UFFD_MINOR))
		return "memory under userfaultfd";
	if (f & VM_SHADOW_STACK)
		return "a shadow stack";
	if (f & VM_SEALED)
		return "sealed memory (mseal)";
	return NULL;
}

static void fill_area(struct ctm_area *a, struct vm_area_struct *vma)
{
	const char *name = special_name(vma);

	memset(a, 0, sizeof(*a));
	a->start = vma->vm_start;
	a->end = vma->vm_end;
	a->vm_flags = vma->vm_flags;
	a->prot = prot_of(vma->vm_flags);
	a->flags = flags_of(vma->vm_flags);
	a->pkey = vma_pkey(vma);
	a->has_anon = vma->anon_vma;
	if (vma->vm_flags & VM_DROPPABLE)	/* what a fork or the kernel may wipe */
		a->flags |= CTM_VMA_WIPEONFORK | CTM_VMA_DONTDUMP;
	/* a shmem area has a name too, from its mempolicy or not: look for files first */
	if (name && !vma->vm_file) {
		judge_special(a, vma, name);
		return;
	}
	a->refused = judge_flags(vma);
	if (a->refused)
		a->file = vma->vm_file ? get_file(vma->vm_file) : NULL;
	else if (vma_is_anonymous(vma))		/* also a private one of /dev/zero */
		a->kind = CTM_VMA_ANON;
	else if (vma->vm_file)
		judge_file(a, vma);
	else
		a->refused = "memory of an unknown kind";
}

static int areas_read(struct ctm_areas *as)
{
	struct vm_area_struct *vma;
	VMA_ITERATOR(vmi, as->mm, 0);
	int err = 0;

	if (mmap_read_lock_killable(as->mm))
		return -EINTR;
	for_each_vma(vmi, vma) {
		if (as->n == as->room) {
			err = -ENOBUFS;
			break;
		}
		fill_area(&as->a[as->n++], vma);
	}
	mmap_read_unlock(as->mm);
	return err;
}

static void areas_clear(struct ctm_areas *as)
{
	while (as->n)
		if (as->a[--as->n].file)
			fput(as->a[as->n].file);
	kvfree(as->a);
	as->a = NULL;
}

int ctm_areas_get(struct ctm_areas *as, struct task_struct *t)
{
	int err;

	memset(as, 0, sizeof(*as));
	as->mm = get_task_mm(t);
	if (!as->mm)
		return -ESRCH;
	do {
		areas_clear(as);
		as->room = READ_ONCE(as->mm->map_count) + 64;
		if (as->room > AREAS_MAX) {
			err = -E2BIG;
			break;
		}
		as->a = kvcalloc(as->room, sizeof(*as->a), GFP_KERNEL);
		err = as->a ? areas_read(as) : -ENOMEM;
	} while (err == -ENOBUFS);
	if (err)
		ctm_areas_put(as);
	return err;
}

void ctm_areas_put(struct ctm_areas *as)
{
	areas_clear(as);
	if (as->mm)
		mmput(as->mm);
	as->mm = NULL;
}

void ctm_areas_fork(struct ctm_areas *as)
{
	unsigned int i, n = 0;

	for (i = 0; i < as->n; i++) {
		struct ctm_area *a = &as->a[i];

		if (a->flags & CTM_VMA_DONTFORK && !a->vdso && !a->vvar) {
			if (a->file)
				fput(a->file);
			continue;
		}
		a->flags &= ~(CTM_VMA_LOCKED | CTM_VMA_LOCKONFAULT);
		as->a[n++] = *a;
	}
	as->n = n;
}

/* ---- the restorer's hole ---- */

#define HOLE_ALIGN	(2ull << 20)
#define HOLE_GUARD	(1ull << 20)	/* between it and its neighbours */

/* first fit between @from and @to, outside the keeper's own range; 0: none */
static u64 fit(u64 from, u64 to, u64 len)
{
	u64 at = ALIGN(max(from + HOLE_GUARD, CTM_HOLE_BOTTOM), HOLE_ALIGN);

	to = min(to, CTM_HOLE_TOP);
	if (at < CTM_KEEPER_BASE + CTM_KEEPER_BYTES + HOLE_GUARD &&
	    at + len + HOLE_GUARD > CTM_KEEPER_BASE)
		at = ALIGN(CTM_KEEPER_BASE + CTM_KEEPER_BYTES + HOLE_GUARD, HOLE_ALIGN);
	return at + len + HOLE_GUARD <= to ? at : 0;
}

int ctm_areas_hole(const struct ctm_areas *as, u64 len, u64 *hole)
{
	u64 from = 0, at = 0;
	unsigned int i;

	len = ALIGN(len, PAGE_SIZE);
	for (i = 0; i < as->n && !at; i++) {
		at = fit(from, as->a[i].start, len);
		from = as->a[i].end;
	}
	if (!at)
		at = fit(from, CTM_HOLE_TOP, len);
	*hole = at;
	return at ? 0 : -ENOMEM;
}

bool ctm_areas_free(const struct ctm_areas *as, u64 start, u64 len)
{
	unsigned int i;

	for (i = 0; i < as->n; i++)
		if (as->a[i].start < start + len && start < as->a[i].end)
			return false;
	return true;
}

/* ---- what stops it ---- */

static void stop_area(struct ctm_explain_ctx *x, const struct ctm_area *a, const char *what, char *buf)
{
	char *path = a->file ? ctm_path(file_user_path(a->file), buf) : NULL;

	if (IS_ERR_OR_NULL(path))
		ctm_stop(x, "%s at %llx: cannot move", what, a->start);
	else
		ctm_stop(x, "%s (%s): cannot move", what, path);
}

static void explain_areas(struct ctm_explain_ctx *x, const struct ctm_areas *as, char *buf)
{
	const struct file *told = NULL;
	unsigned int i;

	for (i = 0; i < as->n; i++) {
		const struct ctm_area *a = &as->a[i];

		if (a->file && a->file == told)
			continue;
		if (a->refused)
			stop_area(x, a, a->refused, buf);
		else if (x->fork && a->kind == CTM_VMA_FILE_SHARED && ctm_is_shmem(a->file))
			stop_area(x, a, "shared memory, which a child elsewhere cannot share", buf);
		else if (a->kind == CTM_VMA_FILE_SHARED && a->vm_flags & VM_MAYWRITE &&
			 !ctm_is_shmem(a->file) && !x->checkpoint &&
			 !ctm_fs_shared(file_user_path(a->file)->dentry->d_sb))
			stop_area(x, a, "a shared writable mapping", buf);
		else
			continue;
		told = a->file;
	}
}

#ifdef CONFIG_X86_INTEL_MEMORY_PROTECTION_KEYS
/* the default key, and the one behind PROT_EXEC alone, which mprotect() takes by itself */
static unsigned int pkeys_of_kernel(struct mm_struct *mm)
{
	return mm->context.execute_only_pkey > 0 ? 1 | 1u << mm->context.execute_only_pkey : 1;
}
#endif

static void explain_context(struct ctm_explain_ctx *x, struct mm_struct *mm)
{
#ifdef CONFIG_MODIFY_LDT_SYSCALL
	if (READ_ONCE(mm->context.ldt))
		ctm_stop(x, "has segments of its own (modify_ldt): cannot move");
#endif
#ifdef CONFIG_X86_INTEL_MEMORY_PROTECTION_KEYS
	if (mm->context.pkey_allocation_map & ~pkeys_of_kernel(mm))
		ctm_stop(x, "uses memory protection keys: cannot move");
#endif
#ifdef CONFIG_ADDRESS_MASKING
	if (mm->context.lam_cr3_mask)
		ctm_stop(x, "uses linear address masking: cannot move");
#endif
	if (!mm->context.vdso)
		ctm_note(x, "note", "it has no vDSO");
}

void ctm_explain_mm(struct ctm_explain_ctx *x)
{
	struct ctm_areas as;
	char *buf = kvmalloc(CTM_PATH_MAX, GFP_KERNEL);
	int err = buf ? ctm_areas_get(&as, x->leader) : -ENOMEM;

	if (!err && x->fork)
		ctm_areas_fork(&as);
	if (err) {
		kvfree(buf);
		ctm_stop(x, err == -ESRCH ? "it is ending" : "its memory map cannot be read: error %d", err);
		return;
	}
	explain_areas(x, &as, buf);
	explain_context(x, as.mm);
	ctm_areas_put(&as);
	kvfree(buf);
}

/* ---- records ---- */

static void range_of(const struct ctm_areas *as, bool vdso, u64 *start, u64 *len)
{
	unsigned int i;

	for (i = 0; i < as->n; i++) {
		if (!(vdso ? as->a[i].vdso : as->a[i].vvar))
			continue;
		if (!*len)
			*start = as->a[i].start;
		*len = as->a[i].end - *start;
	}
}

static u32 auxv_words(const struct mm_struct *mm)
{
	u32 n = 0;

	while (n + 2 <= min_t(u32, ARRAY_SIZE(mm->saved_auxv), CTM_AUXV_MAX)) {
		n += 2;
		if (!mm->saved_auxv[n - 2])	/* AT_NULL */
			break;
	}
	return n;
}

int ctm_capture_mm(struct ctm_capture *c)
{
	struct ctm_rec_mm *r = c->buf + sizeof(struct ctm_rec);
	const struct ctm_areas *as = &ctm_state(c)->areas;
	struct mm_struct *mm = as->mm;
	u32 i;

	memset(r, 0, sizeof(*r));
	spin_lock(&mm->arg_lock);
	r->start_code = mm->start_code;
	r->end_code = mm->end_code;
	r->start_data = mm->start_data;
	r->end_data = mm->end_data;
	r->start_brk = mm->start_brk;
	r->brk = mm->brk;
	r->start_stack = mm->start_stack;
	r->arg_start = mm->arg_start;
	r->arg_end = mm->arg_end;
	r->env_start = mm->env_start;
	r->env_end = mm->env_end;
	spin_unlock(&mm->arg_lock);
	r->thp_disable = ctm_mm_thp_disabled(mm);
	range_of(as, true, &r->vdso, &r->vdso_len);
	range_of(as, false, &r->vvar, &r->vvar_len);
	r->nauxv = auxv_words(mm);
	for (i = 0; i < r->nauxv; i++)
		r->auxv[i] = mm->saved_auxv[i];
	return ctm_put_buf(c, CTM_REC_MM, struct_size(r, auxv, r->nauxv));
}

static int put_piece(struct ctm_capture *c, const struct ctm_area *a, u64 start, u64 end, u32 flags)
{
	struct ctm_rec_vma r = {
		.start = start, .end = end, .kind = a->kind, .prot = a->prot,
		.flags = a->flags | flags, .id = a->id, .pkey = a->pkey,
		.off = a->id ? a->off + (start - a->start) : 0,
	};

	return start < end ? ctm_put(c, CTM_REC_VMA, &r, sizeof(r)) : 0;
}

/* an area in which guards may stand, piece by piece: the kernel joins them again */
static int put_area(struct ctm_capture *c, const struct ctm_area *a)
{
	struct mm_struct *mm = ctm_state(c)->areas.mm;
	u64 at = a->start, guard, len;
	int err;

	if (!(a->vm_flags & VM_MAYBE_GUARD))
		return put_piece(c, a, a->start, a->end, 0);
	do {
		guard = ctm_next_guard(mm, at, a->end, &len);
		err = put_piece(c, a, at, guard, 0);
		if (!err)
			err = put_piece(c, a, guard, guard + len, CTM_VMA_GUARD);
		at = guard + len;
	} while (!err && at < a->end);
	return err;
}

int ctm_capture_vmas(struct ctm_capture *c)
{
	const struct ctm_areas *as = &ctm_state(c)->areas;
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < as->n; i++)
		if (!as->a[i].vdso && !as->a[i].vvar)
			err = put_area(c, &as->a[i]);
	return err;
}
