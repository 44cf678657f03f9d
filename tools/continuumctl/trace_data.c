// SPDX-License-Identifier: GPL-2.0
/*
 * trace_data.c - from phases to handoffs, spans and histograms
 *
 * The numbers of phases are those of module/trace.h, which is an interface.
 */
#include <stdio.h>
#include <string.h>

#include "trace.h"

enum {
	OFFER, ACCEPTED, FREEZE, FROZEN, BEGIN, PAGES, END, PREPARED, COMMIT, STARTED, RELEASED, READY,
	OFFERED = 32, ACCEPT, BEGUN, WOKEN, LEADER, WAITING, BUILT, COMMITTED, GO, RUNNING,
};

const struct trace_span trace_spans[TRACE_SPAN_MAX + 1] = {
	{ "offer", "source: offer, until it is accepted", OFFER, ACCEPTED },
	{ "begin", "source: the destination gets ready, before the freeze", BEGIN, READY },
	{ "freeze", "source: until all threads stand", FREEZE, FROZEN },
	{ "records", "source: all that is not memory", FROZEN, PAGES },
	{ "pages", "source: memory", PAGES, END },
	{ "prepare", "source: until the copy is whole", END, PREPARED },
	{ "decide", "source: until COMMIT leaves", PREPARED, COMMIT },
	{ "commit", "source: until the copy has started", COMMIT, STARTED },
	{ "downtime", "source: freeze to started", FREEZE, STARTED },
	{ "release", "source: until the old copy is gone", STARTED, RELEASED },
	{ "accept", "destination: judges the offer", OFFERED, ACCEPT },
	{ "keeper", "destination: a keeper wakes", BEGUN, WOKEN },
	{ "leader", "destination: the first process is made", WOKEN, LEADER },
	{ "build", "destination: until the first thread waits", LEADER, WAITING },
	{ "threads", "destination: the other threads", WAITING, BUILT },
	{ "wait", "destination: whole, waits for COMMIT", BUILT, COMMITTED },
	{ "settle", "destination: signals that came since", COMMITTED, GO },
	{ "run", "destination: until the last thread runs", GO, RUNNING },
};

static const struct {
	const char *name, *meaning;
} kernel_names[TRACE_HISTOGRAMS] = {
	[TRACE_SIGNAL] = { "signal", "signals from here, until they are confirmed" },
	[TRACE_SIGNAL_FAILED] = { "signal_failed", "signals from here that failed" },
	[TRACE_TICK_HIT] = { "tick_hit", "the tick's hook, at a Continuum process" },
	[TRACE_TICK_MISS] = { "tick_miss", "the tick's hook, at another one" },
};

void trace_count(struct trace_histogram *h, uint64_t value)
{
	unsigned int bucket = value > 1 ? 63 - (unsigned int)__builtin_clzll(value) : 0;

	h->buckets[bucket < TRACE_BUCKETS ? bucket : TRACE_BUCKETS - 1]++;
	h->count++;
	h->sum += value;
	if (value > h->max)
		h->max = value;
	if (!h->min || value < h->min)
		h->min = value;
}

static struct trace_handoff *find(struct trace *t, const struct trace_phase *p)
{
	bool source = p->phase < OFFERED;
	struct trace_handoff *h;

	for (unsigned int i = 0; i < t->used; i++) {
		h = &t->under_way[i];
		if (h->gpid == p->gpid && h->epoch == p->epoch && h->attempt == p->attempt &&
		    h->source == source)
			return h;
	}
	if (t->used < TRACE_UNDER_WAY)
		h = &t->under_way[t->used++];
	else
		h = &t->under_way[t->next++ % TRACE_UNDER_WAY];
	memset(h, 0, sizeof(*h));
	h->gpid = p->gpid;
	h->epoch = p->epoch;
	h->attempt = p->attempt;
	h->source = source;
	return h;
}

void trace_take(struct trace *t, const struct trace_phase *p)
{
	struct trace_handoff *h;

	if (p->phase >= TRACE_PHASE_MAX)	/* of a newer module */
		return;
	h = find(t, p);
	if (h->ns[p->phase])			/* said twice: the first counts, as for the downtime */
		return;
	h->ns[p->phase] = p->ns;
	if (p->bytes)
		h->bytes = p->bytes;
	for (unsigned int i = 0; trace_spans[i].name; i++)
		if (trace_spans[i].to == p->phase && h->ns[trace_spans[i].from] &&
		    p->ns >= h->ns[trace_spans[i].from])
			trace_count(&t->spans[i], p->ns - h->ns[trace_spans[i].from]);
	if (p->phase == RELEASED && h->bytes)
		trace_count(&t->bytes, h->bytes);
	if ((p->phase == RELEASED || p->phase == RUNNING) && t->done)
		t->done(h, t->data);
}

/* ---- as JSON ---- */

static void add_ns(struct json_object *to, const char *key, uint64_t ns)
{
	json_object_object_add(to, key, json_object_new_int64((int64_t)(ns / 1000)));
}

static uint64_t span_of(const struct trace_handoff *h, const struct trace_span *span)
{
	uint64_t from = h->ns[span->from], to = h->ns[span->to];

	return from && to > from ? to - from : 0;
}

struct json_object *trace_handoff_json(const struct trace_handoff *h, const char *gpid)
{
	struct json_object *object = json_object_new_object(), *spans = json_object_new_object();

	json_add_text(object, "gpid", gpid);
	json_add_text(object, "side", h->source ? "source" : "destination");
	json_add_number(object, "epoch", h->epoch);
	json_add_number(object, "attempt", h->attempt);
	json_add_number(object, "bytes", h->source ? h->bytes : 0);
	for (unsigned int i = 0; trace_spans[i].name; i++)
		if (span_of(h, &trace_spans[i]))
			add_ns(spans, trace_spans[i].name, span_of(h, &trace_spans[i]));
	json_object_object_add(object, "us", spans);
	return object;
}

static struct json_object *histogram_json(const char *name, const char *unit,
					  const struct trace_histogram *h)
{
	struct json_object *object = json_object_new_object(), *buckets = json_object_new_array();

	json_add_text(object, "name", name);
	json_add_text(object, "unit", unit);
	json_add_number(object, "count", h->count);
	json_add_number(object, "sum", h->sum);
	json_add_number(object, "min", h->min);
	json_add_number(object, "max", h->max);
	for (unsigned int i = 0; i < TRACE_BUCKETS; i++) {
		struct json_object *bucket;

		if (!h->buckets[i])
			continue;
		bucket = json_object_new_object();
		json_add_number(bucket, "below", 2ull << i);
		json_add_number(bucket, "count", h->buckets[i]);
		json_object_array_add(buckets, bucket);
	}
	json_object_object_add(object, "buckets", buckets);
	return object;
}

struct json_object *trace_json(const struct trace *t, const struct trace_histogram *kernel)
{
	struct json_object *all = json_object_new_array();

	for (unsigned int i = 0; trace_spans[i].name; i++)
		json_object_array_add(all, histogram_json(trace_spans[i].name, "ns", &t->spans[i]));
	json_object_array_add(all, histogram_json("bytes", "bytes", &t->bytes));
	for (unsigned int i = 0; i < TRACE_HISTOGRAMS; i++)
		json_object_array_add(all, histogram_json(kernel_names[i].name, "ns", &kernel[i]));
	return all;
}

/* ---- for people ---- */

static const char *time_text(uint64_t ns, char text[16])
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	double value = (double)ns;
	unsigned int unit = 0;

	while (value >= 1000 && unit < 3) {
		value /= 1000;
		unit++;
	}
	snprintf(text, 16, value < 10 && unit ? "%.1f%s" : "%.0f%s", value, units[unit]);
	return text;
}

static const char *value_text(uint64_t value, bool bytes, char text[16])
{
	return bytes ? size_text(value, text) : time_text(value, text);
}

static void print_histogram(const char *meaning, const struct trace_histogram *h, bool bytes)
{
	uint64_t most = 1;
	char a[16], b[16], c[16];
	unsigned int first = 0, last = TRACE_BUCKETS - 1;

	if (!h->count)
		return;
	printf("%s\n  %llu times, %s to %s, on average %s\n", meaning, (unsigned long long)h->count,
	       value_text(h->min, bytes, a), value_text(h->max, bytes, b),
	       value_text(h->sum / h->count, bytes, c));
	while (!h->buckets[first])
		first++;
	while (!h->buckets[last])
		last--;
	for (unsigned int i = first; i <= last; i++)
		if (h->buckets[i] > most)
			most = h->buckets[i];
	for (unsigned int i = first; i <= last; i++) {
		int width = (int)((h->buckets[i] * 40 + most - 1) / most);

		printf("  %7s - %-7s %7llu |%.*s\n", i ? value_text(1ull << i, bytes, a) : "0",
		       value_text(2ull << i, bytes, b), (unsigned long long)h->buckets[i], width,
		       "########################################");
	}
}

void trace_print(const struct trace *t, const struct trace_histogram *kernel)
{
	for (unsigned int i = 0; trace_spans[i].name; i++)
		print_histogram(trace_spans[i].meaning, &t->spans[i], false);
	print_histogram("source: bytes sent for a handoff", &t->bytes, true);
	for (unsigned int i = 0; i < TRACE_HISTOGRAMS; i++)
		print_histogram(kernel_names[i].meaning, &kernel[i], false);
}
