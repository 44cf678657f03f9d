/* SPDX-License-Identifier: GPL-2.0 */
/*
 * trace.h - what a move is doing, for who wants to see where its time goes, what signals
 * and ticks cost, and what becomes of blocks
 *
 * An interface (docs/performance.md): events keep their names and fields, and fields their
 * places behind the kernel's own (struct trace_entry); new fields come at the end, new
 * phases get new numbers. continuumctl trace reads records by that, not by the module's BTF,
 * which is not there when a module is built without vmlinux, as DKMS does.
 *
 *   /sys/kernel/tracing/events/continuum/handoff_phase
 *       once for each phase of an attempt, at either end
 *   /sys/kernel/tracing/events/continuum/handoff_record
 *       once for each record of the image: written by the source, or handed to
 *       the restorer, which asks for more when it has done what all that it
 *       was given say; it is given what has come, but nothing behind PAGES
 *   /sys/kernel/tracing/events/continuum/conn_sent
 *       once for each piece that the transport has taken from the sender, who is the
 *       present task; `total` counts what the connection has sent since it was made
 *   /sys/kernel/tracing/events/continuum/signal_sent
 *       once for each signal (suspend, resume, destroy: `what` above 64) sent from here,
 *       when its fate is known: `error` 0 if delivered, `took_ns` from the call to that
 *   /sys/kernel/tracing/events/continuum/tick_hook
 *       once for each tick of the scheduler that hit a user task: `cost_ns` in the hook,
 *       without ftrace's trampoline; `gpid` of the process that it hit, 0: none
 *   /sys/kernel/tracing/events/continuum/block
 *       once for each block that a node stores for another, hands out to another,
 *       copies, or lets go; `name` is how its name begins
 *
 * `ns` is CLOCK_MONOTONIC of the node, whatever clock the trace itself has.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM continuum

#if !defined(CTM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define CTM_TRACE_H

#include <linux/ktime.h>
#include <linux/tracepoint.h>

#include "compat/compat.h"

#include "core/handoff.h"

#ifndef CTM_PHASES
/*
 * Source: OFFER to RELEASED, below 32.  Destination: from 32 on.
 *
 * offer: the OFFER leaves.  accepted: the answer is here.  freeze: the downtime
 * begins.  frozen.  begin: BEGIN leaves, before the freeze; ready: its answer is
 * here.  pages: all records before the first
 * page have been written.  end: END has been written.  prepared: PREPARED is
 * here.  commit: COMMIT leaves.  started: STARTED is here, the downtime ends.
 * released: the copy is dead.
 *
 * offered: the OFFER is here.  accept: ACCEPT leaves.  begun: BEGIN is here, a
 * keeper is woken.  woken: it runs.  leader: the restorer asks for its
 * first record.  waiting: the first thread is in its last wait.  built: the last
 * one is.  committed: COMMIT is here.  go: the threads may go.  running: the
 * last one returns into the program.
 */
#define CTM_PHASES(P)							\
	P(OFFER, 0, "offer") P(ACCEPTED, 1, "accepted")			\
	P(FREEZE, 2, "freeze") P(FROZEN, 3, "frozen")			\
	P(BEGIN, 4, "begin") P(PAGES, 5, "pages") P(END, 6, "end")	\
	P(PREPARED, 7, "prepared") P(COMMIT, 8, "commit")		\
	P(STARTED, 9, "started") P(RELEASED, 10, "released")		\
	P(READY, 11, "ready")						\
	P(OFFERED, 32, "offered") P(ACCEPT, 33, "accept")		\
	P(BEGUN, 34, "begun") P(WOKEN, 35, "woken")			\
	P(LEADER, 36, "leader") P(WAITING, 37, "waiting")		\
	P(BUILT, 38, "built") P(COMMITTED, 39, "committed")		\
	P(GO, 40, "go") P(RUNNING, 41, "running")

#define CTM_PHASE_ENUM(name, nr, text)		CTM_PHASE_##name = nr,
#define CTM_PHASE_SYMBOL(name, nr, text)	{ nr, text },

enum ctm_phase { CTM_PHASES(CTM_PHASE_ENUM) };

/*
 * stored: for node, or refused; given: to node; copied: to node, by repair or
 * rebalancing; let go: for others have it
 */
#define CTM_BLOCK_DEEDS(P)						\
	P(STORED, 0, "stored") P(GIVEN, 1, "given") P(COPIED, 2, "copied") P(LET_GO, 3, "let go")

#define CTM_BLOCK_ENUM(name, nr, text)		CTM_BLOCK_##name = nr,
enum ctm_block_deed { CTM_BLOCK_DEEDS(CTM_BLOCK_ENUM) };
#endif

TRACE_EVENT(handoff_phase,
	TP_PROTO(const struct ctm_ho_id *id, enum ctm_phase phase),
	TP_ARGS(id, phase),
	TP_STRUCT__entry(
		__field(u64, gpid)
		__field(u64, ns)
		__field(u32, epoch)
		__field(u32, attempt)
		__field(u32, phase)
	),
	TP_fast_assign(
		__entry->gpid = id->gpid;
		__entry->ns = ktime_get_ns();
		__entry->epoch = id->epoch;
		__entry->attempt = id->attempt;
		__entry->phase = phase;
	),
	TP_printk("gpid=%llx epoch=%u attempt=%u phase=%s ns=%llu",
		  __entry->gpid, __entry->epoch, __entry->attempt,
		  __print_symbolic(__entry->phase, CTM_PHASES(CTM_PHASE_SYMBOL) { -1, NULL }),
		  __entry->ns)
);

TRACE_EVENT(handoff_record,
	TP_PROTO(const struct ctm_ho_id *id, u32 type, u32 len, bool source),
	TP_ARGS(id, type, len, source),
	TP_STRUCT__entry(
		__field(u64, gpid)
		__field(u64, ns)
		__field(u32, epoch)
		__field(u32, attempt)
		__field(u32, type)
		__field(u32, len)
		__field(bool, source)
	),
	TP_fast_assign(
		__entry->gpid = id->gpid;
		__entry->ns = ktime_get_ns();
		__entry->epoch = id->epoch;
		__entry->attempt = id->attempt;
		__entry->type = type;
		__entry->len = len;
		__entry->source = source;
	),
	TP_printk("gpid=%llx epoch=%u attempt=%u %s type=%u len=%u ns=%llu",
		  __entry->gpid, __entry->epoch, __entry->attempt,
		  __entry->source ? "written" : "given", __entry->type, __entry->len, __entry->ns)
);

TRACE_EVENT(conn_sent,
	TP_PROTO(u32 peer, u32 channel, u32 bytes, u64 total),
	TP_ARGS(peer, channel, bytes, total),
	TP_STRUCT__entry(
		__field(u64, total)
		__field(u32, peer)
		__field(u32, channel)
		__field(u32, bytes)
	),
	TP_fast_assign(
		__entry->total = total;
		__entry->peer = peer;
		__entry->channel = channel;
		__entry->bytes = bytes;
	),
	TP_printk("peer=%x channel=%u bytes=%u total=%llu",
		  __entry->peer, __entry->channel, __entry->bytes, __entry->total)
);

TRACE_EVENT(signal_sent,
	TP_PROTO(u64 gpid, u32 what, int error, u64 began),
	TP_ARGS(gpid, what, error, began),
	TP_STRUCT__entry(
		__field(u64, gpid)
		__field(u64, ns)
		__field(u64, took_ns)
		__field(u32, what)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->gpid = gpid;
		__entry->ns = ktime_get_ns();
		__entry->took_ns = __entry->ns - began;
		__entry->what = what;
		__entry->error = error;
	),
	TP_printk("gpid=%llx what=%u error=%d took_ns=%llu ns=%llu", __entry->gpid, __entry->what,
		  __entry->error, __entry->took_ns, __entry->ns)
);

TRACE_EVENT(tick_hook,
	TP_PROTO(u64 gpid, u64 cost_ns),
	TP_ARGS(gpid, cost_ns),
	TP_STRUCT__entry(
		__field(u64, gpid)
		__field(u64, cost_ns)
	),
	TP_fast_assign(
		__entry->gpid = gpid;
		__entry->cost_ns = cost_ns;
	),
	TP_printk("gpid=%llx cost_ns=%llu", __entry->gpid, __entry->cost_ns)
);

TRACE_EVENT(block,
	TP_PROTO(const u8 *name, enum ctm_block_deed deed, u32 len, u32 node, int error),
	TP_ARGS(name, deed, len, node, error),
	TP_STRUCT__entry(
		__field(u64, name)
		__field(u64, ns)
		__field(u32, deed)
		__field(u32, len)
		__field(u32, node)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->name = get_unaligned_be64(name);
		__entry->ns = ktime_get_ns();
		__entry->deed = deed;
		__entry->len = len;
		__entry->node = node;
		__entry->error = error;
	),
	TP_printk("name=%016llx %s len=%u node=%x error=%d ns=%llu", __entry->name,
		  __print_symbolic(__entry->deed, CTM_BLOCK_DEEDS(CTM_PHASE_SYMBOL) { -1, NULL }),
		  __entry->len, __entry->node, __entry->error, __entry->ns)
);

#endif /* CTM_TRACE_H */

/* behind the guard: this header is read several times */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
