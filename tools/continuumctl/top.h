/* SPDX-License-Identifier: GPL-2.0 */
/*
 * top.h - continuumctl top: what it knows, and how that looks
 *
 * top_data.c makes of one dump after the other what changes; top_view.c puts that on
 * a canvas; both are pure.  top.c has the terminal and asks the kernel.
 */
#ifndef CONTINUUMCTL_TOP_H
#define CONTINUUMCTL_TOP_H

#include <time.h>

#include "canvas.h"
#include "event.h"

#define TOP_HISTORY	64u	/* samples of a node's pressure */
#define TOP_EVENTS	64u
#define TOP_PRESSURE	300000u	/* the most that there is */

/** struct top_node - this node or a peer */
struct top_node {
	uint32_t id;
	char name[CTM_NAME_MAX];
	uint32_t state, age_ms;			/* as in struct peer */
	bool self, accepting;
	struct load load;
	unsigned int samples;			/* taken, also those that are forgotten */
	uint32_t history[TOP_HISTORY];		/* pressure; sample n is at n % TOP_HISTORY */
};

/** struct top_process - with its share of a CPU, from one dump to the other */
struct top_process {
	struct ctm_info info;
	uint32_t permille;
	uint64_t changed_ns, period_ns;		/* when cpu_ns changed last; how long that took */
};

struct top_event {
	time_t at;
	uint32_t type;				/* enum ctm_nl_event */
	char subject[CONTINUUM_GPID_MAX];
	char detail[EVENT_DETAIL_MAX];
};

enum top_sort { SORT_CPU, SORT_MEMORY, SORT_TIME, SORT_GPID, SORT_HOST, SORT_HOPS, SORTS };

struct top {
	struct node node;
	struct top_node *nodes;			/* this one first, then by name */
	size_t node_count;
	struct top_process *processes;		/* by GPID between samples, as sorted when drawn */
	size_t process_count;
	unsigned int events;			/* seen, also those that are forgotten */
	struct top_event event[TOP_EVENTS];
	bool begun;				/* there was a sample: from now on what is new has begun */
	char trouble[256];			/* why there is nothing to show, or "" */
	time_t now;
	bool utf8;				/* what the terminal can show */
	enum top_sort sort;
	bool reverse;
	size_t first;				/* of the processes, the first that is shown */
	int page;				/* how many were, the last time */
};

/**
 * top_sample() - what the kernel says now
 * @peers: struct peer, @processes: struct ctm_info, ended ones left out; reordered
 * @at_ns: of a clock that does not jump
 *
 * Return: 0 or -ENOMEM
 */
int top_sample(struct top *top, const struct node *node, struct list *peers,
	       struct list *processes, uint64_t at_ns, time_t now);

/** top_trouble() - nothing could be had, and why */
void top_trouble(struct top *top, const char *why, time_t now);

/** top_take_event() - from the kernel; those that the next sample shows anyhow are left out */
void top_take_event(struct top *top, const struct event *event);

/** enum top_key - what is no character */
enum top_key { TOP_UP = 256, TOP_DOWN, TOP_PAGE_UP, TOP_PAGE_DOWN, TOP_HOME, TOP_END };

/** top_key() - a key was pressed.  Return: false when that ends it */
bool top_key(struct top *top, int key);

/** top_draw() - all of it; sorts the processes */
void top_draw(struct top *top, struct canvas *canvas);

void top_free(struct top *top);

#endif /* CONTINUUMCTL_TOP_H */
