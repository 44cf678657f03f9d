// SPDX-License-Identifier: GPL-2.0
/*
 * report_data.c - lines of a record become nodes with loads, and processes with stays
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

#define ARRAY_STEP	64

/* Room for one more, zeroed.  Return: it, or NULL */
static void *grow(void **array, size_t *count, size_t size)
{
	if (*count % ARRAY_STEP == 0) {
		void *more = reallocarray(*array, *count + ARRAY_STEP, size);

		if (!more)
			return NULL;
		*array = more;
	}
	return memset((char *)*array + size * (*count)++, 0, size);
}

#define GROW(array, count)	grow((void **)&(array), &(count), sizeof(*(array)))

static const char *text_of(struct json_object *line, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(line, key, &value) ? json_object_get_string(value) : "";
}

static double number_of(struct json_object *line, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(line, key, &value) ? json_object_get_double(value) : 0;
}

static int find_node(struct report *r, const char *name)
{
	struct report_node *node;

	if (!*name)
		return -1;
	for (size_t i = 0; i < r->node_count; i++)
		if (!strcmp(r->nodes[i].name, name))
			return (int)i;
	node = GROW(r->nodes, r->node_count);
	if (!node)
		return -ENOMEM;
	snprintf(node->name, sizeof(node->name), "%s", name);
	return (int)r->node_count - 1;
}

/* The lowest lane that nobody else has now. */
static int free_lane(const struct report *r)
{
	for (int lane = 0; lane < REPORT_LANES; lane++) {
		bool taken = false;

		for (size_t i = 0; i < r->process_count; i++)
			taken |= r->processes[i].lane == lane && !r->processes[i].until;
		if (!taken)
			return lane;
	}
	return -1;
}

static int find_process(struct report *r, const char *gpid, int64_t ms)
{
	struct report_process *process;
	int lane;

	if (!*gpid)
		return -1;
	for (size_t i = 0; i < r->process_count; i++)
		if (!strcmp(r->processes[i].gpid, gpid))
			return (int)i;
	lane = free_lane(r);
	process = GROW(r->processes, r->process_count);
	if (!process)
		return -ENOMEM;
	snprintf(process->gpid, sizeof(process->gpid), "%s", gpid);
	process->from = ms;
	process->stay = -1;
	process->lane = lane;
	r->laneless += lane < 0;
	return (int)r->process_count - 1;
}

static void leave(struct report *r, int process, int64_t ms)
{
	struct report_process *p = &r->processes[process];

	if (p->stay >= 0)
		r->stays[p->stay].until = ms;
	p->stay = -1;
}

static int arrive(struct report *r, int process, int node, int64_t ms)
{
	struct report_process *p = &r->processes[process];
	struct report_stay *stay;

	if (p->until || node < 0 || (p->stay >= 0 && r->stays[p->stay].node == node))
		return 0;
	leave(r, process, ms);
	stay = GROW(r->stays, r->stay_count);
	if (!stay)
		return -ENOMEM;
	*stay = (struct report_stay){ .process = process, .node = node, .from = ms };
	p->stay = (int)r->stay_count - 1;
	return 0;
}

static int mark(struct report *r, enum report_mark mark, int64_t ms, int process, int node,
		const char *text)
{
	struct report_event *event = GROW(r->events, r->event_count);

	if (!event)
		return -ENOMEM;
	*event = (struct report_event){ .mark = mark, .ms = ms, .process = process, .node = node };
	snprintf(event->text, sizeof(event->text), "%s", text);
	return 0;
}

static int take_sample(struct report *r, struct json_object *line, int node, int64_t ms)
{
	struct report_node *n;
	struct report_sample *sample;

	if (node < 0)
		return -EINVAL;
	n = &r->nodes[node];
	sample = grow((void **)&n->samples, &n->count, sizeof(*sample));
	if (!sample)
		return -ENOMEM;
	*sample = (struct report_sample){
		.ms = ms, .pressure = number_of(line, "pressure"),
		.cpu = number_of(line, "cpu_pct"), .mem = number_of(line, "mem_pct"),
	};
	return 0;
}

static int end_gap(struct report *r, int node, int64_t ms)
{
	struct report_node *n = &r->nodes[node];
	struct report_gap *gap;

	if (!n->dead_since)
		return 0;
	gap = GROW(r->gaps, r->gap_count);
	if (!gap)
		return -ENOMEM;
	*gap = (struct report_gap){ .node = node, .from = n->dead_since, .until = ms };
	n->dead_since = 0;
	return 0;
}

static int take_node(struct report *r, const char *kind, int node, int64_t ms)
{
	int error = 0;

	if (node < 0)
		return -EINVAL;
	if (!strcmp(kind, "dead") || !strcmp(kind, "left")) {
		if (!r->nodes[node].dead_since)
			r->nodes[node].dead_since = ms;
	} else if (!strcmp(kind, "alive")) {
		error = end_gap(r, node, ms);
	}
	return error ? error : mark(r, MARK_NODE, ms, -1, node, kind);
}

static int take_process(struct report *r, const char *kind, int process, int node, int64_t ms,
			const char *text)
{
	struct report_process *p = &r->processes[process];
	int error;

	if (!strcmp(kind, "at")) {
		snprintf(p->comm, sizeof(p->comm), "%s", text);
		return arrive(r, process, node, ms);
	}
	if (!strcmp(kind, "started")) {
		error = arrive(r, process, node, ms);
		return error ? error : mark(r, MARK_START, ms, process, node, "started");
	}
	if (!strcmp(kind, "moved"))
		return arrive(r, process, node, ms);
	if (!strcmp(kind, "ended")) {
		error = p->stay < 0 ? arrive(r, process, node, p->from) : 0;
		if (error || p->until)
			return error;
		node = p->stay >= 0 ? r->stays[p->stay].node : node;
		leave(r, process, ms);
		p->until = ms;
		return mark(r, MARK_END, ms, process, node, "ended");
	}
	/* marked where the process is, not where it was told from */
	if (p->stay >= 0)
		node = r->stays[p->stay].node;
	return mark(r, !strcmp(kind, "signal") ? MARK_SIGNAL : MARK_FAILED, ms, process, node, text);
}

static bool is_node_kind(const char *kind)
{
	return !strcmp(kind, "alive") || !strcmp(kind, "suspect") || !strcmp(kind, "dead") ||
	       !strcmp(kind, "left");
}

int report_take(struct report *r, struct json_object *line)
{
	const char *kind = text_of(line, "event"), *text = text_of(line, "text");
	int64_t ms = (int64_t)number_of(line, "time_ms");
	int node, process;

	if (!json_object_is_type(line, json_type_object) || !*kind || ms <= 0)
		return -EINVAL;
	node = find_node(r, text_of(line, "node"));
	process = find_process(r, text_of(line, "gpid"), ms);
	if (node == -ENOMEM || process == -ENOMEM)
		return -ENOMEM;
	if (!r->from || ms < r->from)
		r->from = ms;
	if (ms > r->until)
		r->until = ms;
	if (!strcmp(kind, "sample"))
		return take_sample(r, line, node, ms);
	if (!strcmp(kind, "missed"))
		return mark(r, MARK_MISSED, ms, -1, -1, text);
	if (is_node_kind(kind))
		return take_node(r, kind, node, ms);
	return process < 0 ? 0 : take_process(r, kind, process, node, ms, text);
}

void report_finish(struct report *r)
{
	for (size_t i = 0; i < r->process_count; i++)
		leave(r, (int)i, r->until);
	for (size_t i = 0; i < r->node_count; i++)
		end_gap(r, (int)i, r->until);
}

void report_free(struct report *r)
{
	for (size_t i = 0; i < r->node_count; i++)
		free(r->nodes[i].samples);
	free(r->nodes);
	free(r->processes);
	free(r->stays);
	free(r->events);
	free(r->gaps);
	memset(r, 0, sizeof(*r));
}
