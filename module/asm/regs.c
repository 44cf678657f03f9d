// SPDX-License-Identifier: GPL-2.0
/*
 * Segment bases of the running task. The kernel's own readers of them are not
 * exported, and thread.fsbase and gsbase of a running task are stale: the truth
 * is in the processor.
 */
#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/linkage.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>

#include "asm.h"
#include "internal.h"

asmlinkage void ctm_asm_fsgs(u64 out[2]);

static u64 read_msr(u32 msr)
{
	u32 low, high;

	rdmsr(msr, low, high);
	return (u64)high << 32 | low;
}

/*
 * The C twin: right on any processor, but reading an MSR is slow, and traps
 * under some hypervisors.
 */
static void fsgs_by_msr(u64 out[2])
{
	out[0] = read_msr(MSR_FS_BASE);
	out[1] = read_msr(MSR_KERNEL_GS_BASE);
}

/* swapgs is an invalid instruction under FRED, and not ours to use under Xen. */
static bool __init may_swapgs(void)
{
#ifdef X86_FEATURE_FRED
	if (boot_cpu_has(X86_FEATURE_FRED))
		return false;
#endif
	return boot_cpu_has(X86_FEATURE_FSGSBASE) && !boot_cpu_has(X86_FEATURE_XENPV);
}

void ctm_read_user_bases(u64 *fs, u64 *gs)
{
	unsigned long flags;
	u64 bases[2];

	/* Off for both: the twin reads two registers of one processor. */
	local_irq_save(flags);
	if (static_branch_likely(&ctm_asm_use_fsgs))
		ctm_asm_fsgs(bases);
	else
		fsgs_by_msr(bases);
	local_irq_restore(flags);
	*fs = bases[0];
	*gs = bases[1];
}

/* The caller of init_module() has bases worth comparing: its fs base is its TLS. */
bool __init ctm_asm_fsgs_agree(bool *use)
{
	u64 by_asm[2] = { 0 }, by_msr[2];
	unsigned long flags;

	*use = may_swapgs();
	if (!*use)
		return true;
	local_irq_save(flags);
	ctm_asm_fsgs(by_asm);
	fsgs_by_msr(by_msr);
	local_irq_restore(flags);
	return by_asm[0] == by_msr[0] && by_asm[1] == by_msr[1];
}
