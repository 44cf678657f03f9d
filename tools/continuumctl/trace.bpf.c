// SPDX-License-Identifier: GPL-2.0
/*
 * trace.bpf.c - reads the module's tracepoints (module/trace.h), in the kernel
 *
 * Phases are few and go to continuumctl as they are; ticks and signals are many and are
 * counted here. Bytes are noted as they are sent, for the phase after them.
 *
 * The module has no BTF where it was built without vmlinux, so that its records are read by
 * their documented places. Only where these begin is the kernel's own affair: the size of
 * struct trace_entry is relocated (CO-RE) to what the running kernel's BTF says.
 */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "trace_bpf.h"

struct trace_entry {
	unsigned short type;
	unsigned char flags, preempt_count;
	int pid;
} __attribute__((preserve_access_index));

/* as in module/trace.h */
struct phase_record {
	__u64 gpid, ns;
	__u32 epoch, attempt, phase;
};

struct sent_record {
	__u64 total;
	__u32 peer, channel, bytes;
};

struct signal_record {
	__u64 gpid, ns, took_ns;
	__u32 what;
	int error;
};

struct tick_record {
	__u64 gpid, cost_ns;
};

const volatile __u64 only_gpid;		/* 0: all */

struct trace_histogram histograms[TRACE_HISTOGRAMS];

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} phases SEC(".maps");

/* by the task that carries a handoff: what its connection has sent */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} sent SEC(".maps");

__u64 phases_lost;

/* Fields are aligned to eight, whatever the header's size. */
static __always_inline const void *record_of(const void *context)
{
	return context + ((bpf_core_type_size(struct trace_entry) + 7) & ~7UL);
}

static __always_inline int read_record(void *to, __u32 size, const void *context)
{
	return bpf_probe_read_kernel(to, size, record_of(context));
}

static __always_inline void count(__u32 which, __u64 ns)
{
	struct trace_histogram *h;
	__u32 bucket = 0;

	if (which >= TRACE_HISTOGRAMS)
		return;
	h = &histograms[which];
	for (__u64 rest = ns; rest > 1 && bucket < TRACE_BUCKETS - 1; rest >>= 1)
		bucket++;
	__sync_fetch_and_add(&h->count, 1);
	__sync_fetch_and_add(&h->sum, ns);
	if (bucket < TRACE_BUCKETS)
		__sync_fetch_and_add(&h->buckets[bucket], 1);
	/* two at once may lose one of them: it is the edge of a histogram */
	if (ns > h->max)
		h->max = ns;
	if (!h->min || ns < h->min)
		h->min = ns;
}

static __always_inline int wanted(__u64 gpid)
{
	return !only_gpid || only_gpid == gpid;
}

SEC("tp/continuum/handoff_phase")
int on_phase(void *context)
{
	__u64 task = bpf_get_current_pid_tgid();
	struct trace_phase *phase;
	struct phase_record r;
	__u64 *bytes;

	if (read_record(&r, sizeof(r), context) || !wanted(r.gpid))
		return 0;
	phase = bpf_ringbuf_reserve(&phases, sizeof(*phase), 0);
	if (!phase) {
		__sync_fetch_and_add(&phases_lost, 1);
		return 0;
	}
	bytes = bpf_map_lookup_elem(&sent, &task);
	phase->gpid = r.gpid;
	phase->ns = r.ns;
	phase->epoch = r.epoch;
	phase->attempt = r.attempt;
	phase->phase = r.phase;
	phase->reserved = 0;
	phase->bytes = bytes ? *bytes : 0;
	bpf_ringbuf_submit(phase, 0);
	return 0;
}

SEC("tp/continuum/conn_sent")
int on_sent(void *context)
{
	__u64 task = bpf_get_current_pid_tgid();
	struct sent_record r;

	if (!read_record(&r, sizeof(r), context) && r.channel == TRACE_CHANNEL_HANDOFF)
		bpf_map_update_elem(&sent, &task, &r.total, BPF_ANY);
	return 0;
}

SEC("tp/continuum/signal_sent")
int on_signal(void *context)
{
	struct signal_record r;

	if (!read_record(&r, sizeof(r), context) && wanted(r.gpid))
		count(r.error ? TRACE_SIGNAL_FAILED : TRACE_SIGNAL, r.took_ns);
	return 0;
}

SEC("tp/continuum/tick_hook")
int on_tick(void *context)
{
	struct tick_record r;

	if (read_record(&r, sizeof(r), context))
		return 0;
	if (!r.gpid && !only_gpid)
		count(TRACE_TICK_MISS, r.cost_ns);
	else if (r.gpid && wanted(r.gpid))
		count(TRACE_TICK_HIT, r.cost_ns);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
