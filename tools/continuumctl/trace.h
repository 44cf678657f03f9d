/* SPDX-License-Identifier: GPL-2.0 */
/*
 * trace.h - handoffs put together of their phases, and histograms of what these take; pure
 */
#ifndef CONTINUUMCTL_TRACE_H
#define CONTINUUMCTL_TRACE_H

#include <stdbool.h>

#include "output.h"
#include "trace_bpf.h"

#define TRACE_PHASE_MAX		48
#define TRACE_SPAN_MAX		24
#define TRACE_UNDER_WAY		256	/* handoffs that are looked at at once; then the oldest goes */

/** struct trace_span - what passes from one phase to another (module/trace.h) */
struct trace_span {
	const char *name, *meaning;
	uint32_t from, to;
};

extern const struct trace_span trace_spans[TRACE_SPAN_MAX + 1];	/* ends with a NULL name */

/** struct trace_handoff - one attempt, as one node sees it; @ns 0: that phase was not seen */
struct trace_handoff {
	uint64_t gpid, bytes;
	uint32_t epoch, attempt;
	bool source;
	uint64_t ns[TRACE_PHASE_MAX];
};

struct trace {
	struct trace_handoff under_way[TRACE_UNDER_WAY];
	unsigned int used, next;
	struct trace_histogram spans[TRACE_SPAN_MAX];
	struct trace_histogram bytes;	/* of handoffs that were done; not ns */
	/* a handoff is done: its source's copy has started elsewhere, or it runs here */
	void (*done)(const struct trace_handoff *handoff, void *data);
	void *data;
};

void trace_count(struct trace_histogram *h, uint64_t value);
void trace_take(struct trace *trace, const struct trace_phase *phase);

/** trace_handoff_json() - an object of its own; @gpid: as text */
struct json_object *trace_handoff_json(const struct trace_handoff *handoff, const char *gpid);
/** trace_json() - all histograms; @kernel: those of trace.bpf.c */
struct json_object *trace_json(const struct trace *trace, const struct trace_histogram *kernel);
void trace_print(const struct trace *trace, const struct trace_histogram *kernel);

#endif /* CONTINUUMCTL_TRACE_H */
