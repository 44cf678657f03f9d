// SPDX-License-Identifier: GPL-2.0
/*
 * top_data.c - what changes from one sample to the next
 *
 * Processes of other nodes are known as last heard, so their CPU time does not grow
 * with every sample: a share holds until the next change is overdue.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "top.h"

#define IDLE_NS	10000000000ull	/* what was idle for longer does not make a share smaller */

/* ---- events ---- */

static struct top_event *new_event(struct top *top, uint32_t type, time_t at)
{
	struct top_event *event = &top->event[top->events++ % TOP_EVENTS];

	memset(event, 0, sizeof(*event));
	event->type = type;
	event->at = at;
	return event;
}

/* About a process that a dump has shown; @from: where it was before, or NULL. */
static void tell_process(struct top *top, uint32_t type, const struct ctm_info *info,
			 const struct ctm_info *from)
{
	struct top_event *event;
	char host[CTM_NAME_MAX], before[CTM_NAME_MAX];

	if (!top->begun)
		return;
	event = new_event(top, type, top->now);
	gpid_text(info, event->subject);
	node_text(info->host_name, info->host, host);
	if (from)
		snprintf(event->detail, sizeof(event->detail), "%s -> %s",
			 node_text(from->host_name, from->host, before), host);
	else
		snprintf(event->detail, sizeof(event->detail), "on %s  %s", host, info->comm);
}

static void tell_node(struct top *top, const struct top_node *node)
{
	static const uint32_t types[] = {
		[CTM_NL_PEER_ALIVE] = CTM_NL_EV_PEER_ALIVE,
		[CTM_NL_PEER_SUSPECT] = CTM_NL_EV_PEER_SUSPECT,
		[CTM_NL_PEER_DEAD] = CTM_NL_EV_PEER_DEAD,
		[CTM_NL_PEER_LEFT] = CTM_NL_EV_PEER_LEFT,
	};

	if (!top->begun || node->state >= sizeof(types) / sizeof(types[0]) || !types[node->state])
		return;
	node_text(node->name, node->id, new_event(top, types[node->state], top->now)->subject);
}

void top_take_event(struct top *top, const struct event *event)
{
	char home[CTM_NAME_MAX] = "";
	struct top_event *shown;

	if (event->type != CTM_NL_EV_PROCESS_FAILED && event->type != CTM_NL_EV_PROCESS_BUDGET &&
	    event->type != EVENT_MISSED)
		return;
	shown = new_event(top, event->type, (time_t)(event->time_ns / 1000000000));
	event_detail(event, shown->detail);
	if (!event->gpid)
		return;
	for (size_t i = 0; i < top->node_count; i++)
		if (top->nodes[i].id == CTM_GPID_NODE(event->gpid))
			memcpy(home, top->nodes[i].name, sizeof(home));
	snprintf(shown->subject, sizeof(shown->subject), "%s.%u",
		 node_text(home, CTM_GPID_NODE(event->gpid), (char [CTM_NAME_MAX]){ 0 }),
		 CTM_GPID_SEQ(event->gpid));
}

/* ---- nodes ---- */

static int nodes_by_name(const void *a, const void *b)
{
	const struct top_node *x = a, *y = b;

	return x->self != y->self ? y->self - x->self : strverscmp(x->name, y->name);
}

static int nodes_by_id(const void *a, const void *b)
{
	const struct top_node *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static void take_self(struct top_node *to, const struct node *node)
{
	to->id = node->id;
	memcpy(to->name, node->name, sizeof(to->name));
	to->state = CTM_NL_PEER_ALIVE;
	to->self = true;
	to->accepting = node->accepting;
	to->load = node->load;
}

static void take_peer(struct top_node *to, const struct peer *peer)
{
	to->id = peer->id;
	memcpy(to->name, peer->name, sizeof(to->name));
	to->state = peer->state;
	to->age_ms = peer->age_ms;
	to->accepting = peer->accepting;
	to->load = peer->load;
}

static int sample_nodes(struct top *top, const struct node *node, const struct list *peers)
{
	struct top_node *nodes = calloc(peers->count + 1, sizeof(*nodes));

	if (!nodes)
		return -ENOMEM;
	take_self(&nodes[0], node);
	for (size_t i = 0; i < peers->count; i++)
		take_peer(&nodes[i + 1], (const struct peer *)peers->items + i);
	if (top->node_count)
		qsort(top->nodes, top->node_count, sizeof(*nodes), nodes_by_id);
	for (struct top_node *n = nodes; n < nodes + peers->count + 1; n++) {
		const struct top_node *old = top->node_count ?
			bsearch(n, top->nodes, top->node_count, sizeof(*n), nodes_by_id) : NULL;

		if (old) {
			n->samples = old->samples;
			memcpy(n->history, old->history, sizeof(n->history));
		}
		if (!n->self && (!old || old->state != n->state))
			tell_node(top, n);
		n->history[n->samples++ % TOP_HISTORY] = n->load.pressure;
	}
	free(top->nodes);
	top->nodes = nodes;
	top->node_count = peers->count + 1;
	qsort(nodes, top->node_count, sizeof(*nodes), nodes_by_name);
	return 0;
}

/* ---- processes ---- */

static int infos_by_gpid(const void *a, const void *b)
{
	const struct ctm_info *x = a, *y = b;

	return (x->gpid > y->gpid) - (x->gpid < y->gpid);
}

static int processes_by_gpid(const void *a, const void *b)
{
	return infos_by_gpid(&((const struct top_process *)a)->info,
			     &((const struct top_process *)b)->info);
}

static void take_share(struct top_process *p, const struct top_process *old, uint64_t at_ns)
{
	uint64_t since = at_ns - old->changed_ns, share;

	p->changed_ns = old->changed_ns;
	p->period_ns = old->period_ns;
	if (p->info.cpu_ns > old->info.cpu_ns && since) {
		p->period_ns = since < IDLE_NS ? since : IDLE_NS;
		share = ((p->info.cpu_ns - old->info.cpu_ns) * 1000 + p->period_ns / 2) / p->period_ns;
		p->permille = share < UINT32_MAX ? (uint32_t)share : UINT32_MAX;
		p->changed_ns = at_ns;
	} else if (since <= 2 * p->period_ns) {
		p->permille = old->permille;
	}
}

/* Both lists are ordered by GPID. */
static void compare(struct top *top, struct top_process *now, size_t count, uint64_t at_ns)
{
	const struct top_process *old = top->processes, *end = old + top->process_count;

	for (struct top_process *p = now; p < now + count; p++) {
		for (; old < end && old->info.gpid < p->info.gpid; old++)
			tell_process(top, CTM_NL_EV_PROCESS_ENDED, &old->info, NULL);
		p->changed_ns = at_ns;
		if (old == end || old->info.gpid != p->info.gpid) {
			tell_process(top, CTM_NL_EV_PROCESS_STARTED, &p->info, NULL);
			continue;
		}
		take_share(p, old, at_ns);
		if (old->info.host != p->info.host)
			tell_process(top, CTM_NL_EV_PROCESS_MOVED, &p->info, &old->info);
		old++;
	}
	for (; old < end; old++)
		tell_process(top, CTM_NL_EV_PROCESS_ENDED, &old->info, NULL);
}

static int sample_processes(struct top *top, struct list *processes, uint64_t at_ns)
{
	const struct ctm_info *infos = processes->items;
	struct top_process *now = calloc(processes->count + 1, sizeof(*now));

	if (!now)
		return -ENOMEM;
	if (processes->count)
		qsort(processes->items, processes->count, sizeof(*infos), infos_by_gpid);
	if (top->process_count)
		qsort(top->processes, top->process_count, sizeof(*now), processes_by_gpid);
	for (size_t i = 0; i < processes->count; i++)
		now[i].info = infos[i];
	compare(top, now, processes->count, at_ns);
	free(top->processes);
	top->processes = now;
	top->process_count = processes->count;
	return 0;
}

/* ---- samples ---- */

int top_sample(struct top *top, const struct node *node, struct list *peers,
	       struct list *processes, uint64_t at_ns, time_t now)
{
	int error;

	top->now = now;
	top->node = *node;
	error = sample_nodes(top, node, peers);
	if (!error)
		error = sample_processes(top, processes, at_ns);
	if (error)
		return error;
	top->begun = true;
	top->trouble[0] = '\0';
	return 0;
}

void top_trouble(struct top *top, const char *why, time_t now)
{
	top->now = now;
	top->node_count = 0;
	top->process_count = 0;
	top->begun = false;
	snprintf(top->trouble, sizeof(top->trouble), "%s", why);
}

void top_free(struct top *top)
{
	free(top->nodes);
	free(top->processes);
}

/* ---- keys ---- */

static void scroll(struct top *top, long by)
{
	size_t page = top->page > 0 ? (size_t)top->page : 1;
	size_t last = top->process_count > page ? top->process_count - page : 0;

	if (by < 0)
		top->first = top->first > (size_t)-by ? top->first - (size_t)-by : 0;
	else
		top->first = top->first + (size_t)by < last ? top->first + (size_t)by : last;
}

bool top_key(struct top *top, int key)
{
	static const char sorts[SORTS + 1] = "cmtgho";
	const char *sort = key > 0 && key < 128 ? strchr(sorts, key) : NULL;

	if (key == 'q' || key == 'Q')
		return false;
	if (sort) {
		top->sort = (enum top_sort)(sort - sorts);
		top->reverse = false;
		top->first = 0;
	}
	switch (key) {
	case 'r':
		top->reverse = !top->reverse;
		break;
	case TOP_UP:
		scroll(top, -1);
		break;
	case TOP_DOWN:
		scroll(top, 1);
		break;
	case TOP_PAGE_UP:
		scroll(top, -(long)top->page);
		break;
	case TOP_PAGE_DOWN:
		scroll(top, top->page);
		break;
	case TOP_HOME:
		top->first = 0;
		break;
	case TOP_END:
		scroll(top, (long)top->process_count);
		break;
	}
	return true;
}
