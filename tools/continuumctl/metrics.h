/* SPDX-License-Identifier: GPL-2.0 */
/*
 * metrics.h - this node and what it knows of others, in Prometheus's text format
 */
#ifndef CONTINUUMCTL_METRICS_H
#define CONTINUUMCTL_METRICS_H

#include <stdio.h>

#include "ctl.h"

/** struct metrics - what is shown */
struct metrics {
	const struct node *node;	/* NULL: the module is not loaded */
	const struct peer *peers;
	size_t peer_count;
	const struct ctm_info *processes;
	size_t process_count;
	bool each_process;		/* of those that are here: a line for each */
};

/** metrics_print() - a document of the format's version 0.0.4; pure */
void metrics_print(FILE *to, const struct metrics *metrics);

#endif /* CONTINUUMCTL_METRICS_H */
