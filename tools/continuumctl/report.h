/* SPDX-License-Identifier: GPL-2.0 */
/*
 * report.h - a period of a cluster: what was recorded, as lanes, and drawn; pure
 *
 * A record is JSON lines: those of events -j, and two more kinds of event:
 *
 *   sample  a node's load: node, pressure, cpu_pct, mem_pct
 *   at      where a process is: gpid, node, text (its name); for those that ran before
 *
 * report.c makes them; report_data.c takes them in; report_svg.c draws.
 */
#ifndef CONTINUUMCTL_REPORT_H
#define CONTINUUMCTL_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <json-c/json.h>

#include <linux/continuum.h>

#include "../lib/continuum.h"

#define REPORT_LANES	12		/* processes side by side; more are counted only */

struct report_sample {
	int64_t ms;
	double pressure, cpu, mem;
};

struct report_node {
	char name[CTM_NAME_MAX];
	struct report_sample *samples;
	size_t count;
	int64_t dead_since;		/* 0: alive */
};

enum report_mark { MARK_START, MARK_END, MARK_SIGNAL, MARK_FAILED, MARK_NODE, MARK_MISSED };

/** struct report_event - something that is marked; @process, @node: -1 for none */
struct report_event {
	enum report_mark mark;
	int64_t ms;
	int process, node;
	char text[CTM_REASON_MAX + 32];
};

/** struct report_stay - a process on a node; @until 0: still */
struct report_stay {
	int process, node;
	int64_t from, until;
};

struct report_process {
	char gpid[CONTINUUM_GPID_MAX], comm[32];
	int lane;			/* -1: there was none free */
	int stay;			/* the present one, or -1 */
	int64_t from, until;		/* 0: not ended */
};

/** struct report_gap - a node was not there */
struct report_gap {
	int node;
	int64_t from, until;
};

struct report {
	struct report_node *nodes;
	struct report_process *processes;
	struct report_stay *stays;
	struct report_event *events;
	struct report_gap *gaps;
	size_t node_count, process_count, stay_count, event_count, gap_count;
	int64_t from, until;
	unsigned int laneless;
};

/** report_take() - one line of a record.  Return: 0, -EINVAL when it is none, -ENOMEM */
int report_take(struct report *report, struct json_object *line);
/** report_finish() - what is open lasts to the end; nodes by name */
void report_finish(struct report *report);
void report_free(struct report *report);

void report_draw(const struct report *report, FILE *to);

#endif /* CONTINUUMCTL_REPORT_H */
