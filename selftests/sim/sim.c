// SPDX-License-Identifier: GPL-2.0
/*
 * sim.c - the queue of events, the network, the clocks
 *
 * Events are taken in the order of their times, and those of one time in the order in
 * which they were made, so that nothing depends on the heap.  What a paused node
 * should do is put off until it runs again and keeps its place in that order.
 */
#include <stdio.h>
#include <stdlib.h>
#include "sim.h"

#define RETRY_MIN	(20 * SIM_MS)	/* streams, as TCP does */
#define RETRY_MAX	(5 * SIM_SEC)

enum event_type { EV_DGRAM, EV_STREAM, EV_TIMER, EV_CALL, EV_BROKEN };

struct event {
	u64 at, order;
	enum event_type type;
	u32 node, from;
	u64 boot, from_boot;		/* that it is meant for, that it came from */
	u64 arg;			/* timer; stream: first sent at */
	u32 kind;			/* timer; stream: generation */
	u32 tries;
	bool waits;			/* counted in node.waiting */
	bool arrived;			/* stream: only the order is not right yet */
	u64 number;			/* stream: place in the order */
	void (*fn)(struct sim *s, void *arg);
	void *fn_arg;
	size_t len;
	u8 buf[];
};

/* What is known of a pair (from, to); in a hash of open addresses. */
struct pair {
	u64 key;			/* 0: free */
	bool down;
	u32 generation;			/* of the stream: counts its breaks */
	u64 sent, received;		/* numbers of the stream's messages */
	u64 last;			/* when the last one is to come */
};

struct sim_private {
	const struct sim_ops *ops;
	struct rng rng;
	struct event **heap;
	size_t n, room;
	u64 order;
	struct pair *pairs;
	size_t npairs, pairs_room;	/* a power of two */
};

static void *need(void *p)
{
	if (!p) {
		fprintf(stderr, "sim: out of memory\n");
		exit(2);
	}
	return p;
}

/* ---- the queue ---- */

static bool before(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void put(struct sim_private *p, struct event *ev)
{
	size_t i;

	if (p->n == p->room) {
		p->room = p->room ? 2 * p->room : 1024;
		p->heap = need(realloc(p->heap, p->room * sizeof(*p->heap)));
	}
	for (i = p->n++; i && before(ev, p->heap[(i - 1) / 2]); i = (i - 1) / 2)
		p->heap[i] = p->heap[(i - 1) / 2];
	p->heap[i] = ev;
}

static struct event *take(struct sim_private *p)
{
	struct event *first = p->heap[0], *last = p->heap[--p->n];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < p->n) {
		if (child + 1 < p->n && before(p->heap[child + 1], p->heap[child]))
			child++;
		if (!before(p->heap[child], last))
			break;
		p->heap[i] = p->heap[child];
		i = child;
	}
	p->heap[i] = last;
	return first;
}

static struct event *event_new(struct sim *s, enum event_type type, u32 node, u64 at,
			       const void *buf, size_t len)
{
	struct event *ev = need(calloc(1, sizeof(*ev) + len));

	ev->type = type;
	ev->node = node;
	ev->at = at;
	ev->order = s->private->order++;
	ev->len = len;
	if (len)
		memcpy(ev->buf, buf, len);
	return ev;
}

/* ---- pairs ---- */

static u64 pair_key(u32 from, u32 to)
{
	return ((u64)from << 32 | to) + 1;
}

static size_t pair_place(const struct sim_private *p, u64 key)
{
	size_t i = (key * 0x9e3779b97f4a7c15ull >> 20) & (p->pairs_room - 1);

	while (p->pairs[i].key && p->pairs[i].key != key)
		i = (i + 1) & (p->pairs_room - 1);
	return i;
}

static const struct pair *pair_find(const struct sim_private *p, u32 from, u32 to)
{
	const struct pair *found;

	if (!p->npairs)
		return NULL;
	found = &p->pairs[pair_place(p, pair_key(from, to))];
	return found->key ? found : NULL;
}

static void pairs_grow(struct sim_private *p)
{
	struct pair *old = p->pairs;
	size_t n = p->pairs_room, i;

	p->pairs_room = n ? 2 * n : 256;
	p->pairs = need(calloc(p->pairs_room, sizeof(*p->pairs)));
	for (i = 0; i < n; i++)
		if (old[i].key)
			p->pairs[pair_place(p, old[i].key)] = old[i];
	free(old);
}

static struct pair *pair_get(struct sim_private *p, u32 from, u32 to)
{
	struct pair *found;

	if (2 * (p->npairs + 1) > p->pairs_room)
		pairs_grow(p);
	found = &p->pairs[pair_place(p, pair_key(from, to))];
	if (!found->key) {
		found->key = pair_key(from, to);
		p->npairs++;
	}
	return found;
}

/* ---- clocks ---- */

u64 sim_clock(const struct sim *s, u32 node)
{
	const struct sim_node *n = &s->node[node];
	s64 since = s->now - n->drift_since;

	return s->now + n->offset + (since / 1000) * n->drift / 1000;
}

void sim_drift(struct sim *s, u32 node, s64 ppm)
{
	struct sim_node *n = &s->node[node];

	n->offset = sim_clock(s, node) - s->now;
	n->drift_since = s->now;
	n->drift = ppm;
}

void sim_set_clock(struct sim *s, u32 node, s64 by)
{
	s->node[node].offset += by;
}

void sim_timer(struct sim *s, u32 node, u64 delay, u32 kind, u64 arg)
{
	s64 wrong = (s64)(delay / 1000) * s->node[node].drift / 1000;
	struct event *ev = event_new(s, EV_TIMER, node, s->now + delay - wrong, NULL, 0);

	ev->boot = s->node[node].boot;
	ev->kind = kind;
	ev->arg = arg;
	put(s->private, ev);
}

void sim_at(struct sim *s, u64 when, void (*fn)(struct sim *s, void *arg), void *arg)
{
	struct event *ev = event_new(s, EV_CALL, 0, when > s->now ? when : s->now, NULL, 0);

	ev->fn = fn;
	ev->fn_arg = arg;
	put(s->private, ev);
}

/* ---- the network ---- */

static bool chance(struct sim *s, u32 permille)
{
	return permille && rng_below(&s->private->rng, 1000) < permille;
}

static u64 travel(struct sim *s)
{
	return s->net.delay + rng_below(&s->private->rng, s->net.jitter + 1);
}

bool sim_reaches(const struct sim *s, u32 from, u32 to)
{
	const struct pair *p = pair_find(s->private, from, to);

	return s->node[from].side == s->node[to].side && !(p && p->down);
}

void sim_send(struct sim *s, u32 from, u32 to, const void *buf, size_t len)
{
	struct sim_node *n = &s->node[from];
	unsigned int copies = 1;
	struct event *ev;
	u64 at;

	n->count.sent++;
	n->count.sent_bytes += len;
	if (from != to) {
		if (!sim_reaches(s, from, to) || chance(s, s->net.loss) || chance(s, n->loss) ||
		    chance(s, s->node[to].loss)) {
			n->count.lost++;
			return;
		}
		copies += chance(s, s->net.dup);
	}
	while (copies--) {
		at = (s->now < n->clogged ? n->clogged : s->now) + (from == to ? 0 : travel(s));
		if (from != to && chance(s, s->net.late))
			at += rng_below(&s->private->rng, s->net.lateness + 1);
		ev = event_new(s, EV_DGRAM, to, at, buf, len);
		ev->from = from;
		put(s->private, ev);
	}
}

void sim_stream(struct sim *s, u32 from, u32 to, const void *buf, size_t len)
{
	struct pair *p = pair_get(s->private, from, to);
	struct event *ev;
	u64 at = s->now + travel(s);

	if (at < p->last)
		at = p->last;
	p->last = at;
	ev = event_new(s, EV_STREAM, to, at, buf, len);
	ev->from = from;
	ev->from_boot = s->node[from].boot;
	ev->boot = s->node[to].boot;
	ev->arg = s->now;
	ev->kind = p->generation;
	ev->number = ++p->sent;
	s->node[from].count.stream++;
	put(s->private, ev);
}

static void tell_broken(struct sim *s, u32 node, u64 boot, u32 peer)
{
	struct event *ev = event_new(s, EV_BROKEN, node, s->now + travel(s), NULL, 0);

	ev->boot = boot;
	ev->from = peer;
	put(s->private, ev);
}

/* both directions are one connection */
static void stream_break(struct sim *s, const struct event *ev)
{
	struct pair *p = pair_get(s->private, ev->from, ev->node);

	p->generation++;
	p->received = p->sent;
	p->last = 0;
	p = pair_get(s->private, ev->node, ev->from);
	p->generation++;
	p->received = p->sent;
	p->last = 0;
	tell_broken(s, ev->from, ev->from_boot, ev->node);
	tell_broken(s, ev->node, ev->boot, ev->from);
}

static void retry(struct sim *s, struct event *ev)
{
	u64 wait = RETRY_MIN << (ev->tries < 8 ? ev->tries : 8);

	ev->tries++;
	ev->at = s->now + (wait < RETRY_MAX ? wait : RETRY_MAX);
	put(s->private, ev);
}

/* Return: deliver @ev now.  Otherwise it was put off, or is void: *gone. */
static bool stream_arrives(struct sim *s, struct event *ev, bool *gone)
{
	struct pair *p = pair_get(s->private, ev->from, ev->node);
	const struct sim_node *from = &s->node[ev->from], *to = &s->node[ev->node];
	bool way, given_up;

	*gone = true;
	if (ev->kind != p->generation)
		return false;
	way = sim_reaches(s, ev->from, ev->node) && sim_reaches(s, ev->node, ev->from);
	given_up = s->now - ev->arg > s->net.patience || !from->up || from->boot != ev->from_boot;
	if (!to->up || to->boot != ev->boot || (!ev->arrived && !way && given_up)) {
		stream_break(s, ev);
		return false;
	}
	*gone = false;
	if (!ev->arrived && (!way || chance(s, s->net.loss))) {
		retry(s, ev);
		return false;
	}
	ev->arrived = true;
	if (ev->number != p->received + 1) {	/* one before it is being sent again */
		ev->at = s->now + SIM_MS;
		put(s->private, ev);
		return false;
	}
	p->received++;
	return true;
}

/* ---- what happens ---- */

static void note(struct sim *s, const struct event *ev)
{
	u64 h = s->trace;
	size_t i;

	h = (h ^ s->now) * 0x100000001b3ull;
	h = (h ^ ((u64)ev->node << 32 | ev->from)) * 0x100000001b3ull;
	h = (h ^ ((u64)ev->type << 56 | ev->kind)) * 0x100000001b3ull;
	for (i = 0; i < ev->len; i++)
		h = (h ^ ev->buf[i]) * 0x100000001b3ull;
	s->trace = h;
	s->steps++;
}

/* is the node asleep?  Then @ev waits, or, when it is one too many, is lost */
static bool put_off(struct sim *s, struct event *ev)
{
	struct sim_node *n = &s->node[ev->node];
	u64 until = n->paused;

	if (ev->type == EV_CALL || !n->up)
		return false;
	if (ev->type == EV_DGRAM && until < n->clogged)
		until = n->clogged;
	if (s->now >= until) {
		n->waiting -= ev->waits;
		ev->waits = false;
		return false;
	}
	if (ev->type == EV_DGRAM && !ev->waits) {
		if (n->waiting >= s->net.buffer) {
			n->count.lost++;
			free(ev);
			return true;
		}
		n->waiting++;
		ev->waits = true;
	}
	ev->at = until;
	put(s->private, ev);
	return true;
}

static void run(struct sim *s, struct event *ev)
{
	const struct sim_ops *ops = s->private->ops;
	struct sim_node *n = &s->node[ev->node];

	switch (ev->type) {
	case EV_DGRAM:
		n->count.received++;
		/* fall through */
	case EV_STREAM:
		if (ops->message)
			ops->message(s, ev->node, ev->from, ev->buf, ev->len);
		break;
	case EV_TIMER:
		if (ops->timer)
			ops->timer(s, ev->node, ev->kind, ev->arg);
		break;
	case EV_BROKEN:
		if (ops->broken)
			ops->broken(s, ev->node, ev->from);
		break;
	case EV_CALL:
		ev->fn(s, ev->fn_arg);
		return;
	}
	if (ops->after)
		ops->after(s, ev->node);
}

static void happen(struct sim *s, struct event *ev)
{
	bool gone;

	if (put_off(s, ev))
		return;
	if (ev->type == EV_STREAM && !stream_arrives(s, ev, &gone)) {
		if (gone)
			free(ev);
		return;
	}
	if (ev->type == EV_CALL || (s->node[ev->node].up &&
	    (ev->type == EV_DGRAM || ev->boot == s->node[ev->node].boot))) {
		note(s, ev);
		run(s, ev);
	}
	free(ev);
}

bool sim_run(struct sim *s, u64 until)
{
	struct sim_private *p = s->private;

	while (p->n && p->heap[0]->at <= until && !s->violation) {
		struct event *ev = take(p);

		s->now = ev->at;
		happen(s, ev);
	}
	if (!s->violation && s->now < until)
		s->now = until;
	return !s->violation;
}

/* ---- nodes ---- */

void sim_boot(struct sim *s, u32 node)
{
	struct sim_node *n = &s->node[node];

	if (n->up)
		sim_crash(s, node);
	n->up = true;
	n->paused = n->clogged = 0;
	n->waiting = 0;
	do {
		n->boot = rng_next(&s->private->rng);
	} while (!n->boot);
	if (s->private->ops->start)
		s->private->ops->start(s, node);
}

void sim_start_all(struct sim *s)
{
	u32 i;

	for (i = 0; i < s->nodes; i++)
		if (!s->node[i].up)
			sim_boot(s, i);
}

void sim_crash(struct sim *s, u32 node)
{
	struct sim_node *n = &s->node[node];

	if (!n->up)
		return;
	n->up = false;
	n->waiting = 0;
	if (s->private->ops->crashed)
		s->private->ops->crashed(s, node);
}

void sim_pause(struct sim *s, u32 node, u64 duration)
{
	struct sim_node *n = &s->node[node];

	if (n->paused < s->now + duration)
		n->paused = s->now + duration;
}

void sim_clog(struct sim *s, u32 node, u64 duration)
{
	struct sim_node *n = &s->node[node];

	if (n->clogged < s->now + duration)
		n->clogged = s->now + duration;
}

void sim_side(struct sim *s, u32 node, u32 side)
{
	s->node[node].side = side;
}

void sim_link(struct sim *s, u32 from, u32 to, bool up)
{
	pair_get(s->private, from, to)->down = !up;
}

void sim_heal(struct sim *s)
{
	size_t i;
	u32 n;

	for (n = 0; n < s->nodes; n++)
		s->node[n].side = 0;
	for (i = 0; i < s->private->pairs_room; i++)
		s->private->pairs[i].down = false;
}

/* ---- the world ---- */

struct sim *sim_new(u32 nodes, u64 seed, const struct sim_ops *ops, void *owner)
{
	struct sim *s = need(calloc(1, sizeof(*s)));

	s->private = need(calloc(1, sizeof(*s->private)));
	s->node = need(calloc(nodes, sizeof(*s->node)));
	s->nodes = nodes;
	s->seed = seed;
	s->owner = owner;
	s->rng.state = seed;
	s->private->rng.state = ~seed;
	s->private->ops = ops;
	s->trace = 0xcbf29ce484222325ull;
	s->net = (struct sim_net){
		.delay = 200 * SIM_US, .jitter = 800 * SIM_US,
		.lateness = SIM_SEC, .buffer = 200, .patience = 10 * SIM_SEC,
	};
	return s;
}

void sim_free(struct sim *s)
{
	struct sim_private *p = s->private;

	while (p->n)
		free(p->heap[--p->n]);
	free(p->heap);
	free(p->pairs);
	free(p);
	free(s->node);
	free(s);
}

void sim_violation(struct sim *s, const char *what)
{
	if (s->violation)
		return;
	s->violation = what;
	s->violation_at = s->now;
}

void sim_print(const struct sim *s)
{
	printf("# SEED=%llu nodes=%u time=%.3f steps=%llu trace=%016llx%s%s\n",
	       (unsigned long long)s->seed, s->nodes, sim_seconds(s->now),
	       (unsigned long long)s->steps, (unsigned long long)s->trace,
	       s->violation ? " VIOLATION: " : "", s->violation ? s->violation : "");
}
