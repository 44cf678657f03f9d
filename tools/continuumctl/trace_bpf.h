/* SPDX-License-Identifier: GPL-2.0 */
/*
 * trace_bpf.h - what trace.bpf.c, in the kernel, and trace.c have in common
 */
#ifndef CONTINUUMCTL_TRACE_BPF_H
#define CONTINUUMCTL_TRACE_BPF_H

#include <linux/types.h>

#define TRACE_BUCKETS		40	/* bucket N: from 2^N ns on, up to 2^(N+1) */
#define TRACE_CHANNEL_HANDOFF	2	/* CTM_CHANNEL_HANDOFF of the module */

enum {
	TRACE_SIGNAL,
	TRACE_SIGNAL_FAILED,
	TRACE_TICK_HIT,
	TRACE_TICK_MISS,
	TRACE_HISTOGRAMS,
};

/** struct trace_histogram - of nanoseconds; @min, @max: 0 without any */
struct trace_histogram {
	__u64 count, sum, min, max;
	__u64 buckets[TRACE_BUCKETS];
};

/** struct trace_phase - handoff_phase, and @bytes sent by then by the task that says so */
struct trace_phase {
	__u64 gpid, ns, bytes;
	__u32 epoch, attempt, phase, reserved;
};

#endif /* CONTINUUMCTL_TRACE_BPF_H */
