/* SPDX-License-Identifier: GPL-2.0 */
/*
 * events.h - the last events of this node, numbered, for who missed some
 */
#ifndef CTM_EVENTS_H
#define CTM_EVENTS_H

#include <linux/types.h>

#include <linux/continuum.h>

/** struct ctm_event_row - see CTM_CMD_EVENT; @seq: 1 for the first since the module was loaded */
struct ctm_event_row {
	u64 seq, time_ns, gpid;
	u32 type, node;
	char node_name[CTM_NAME_MAX];
	char text[CTM_REASON_MAX];
};

/** ctm_events_stream() - which numbering this is: new at each load of the module, not 0 */
u64 ctm_events_stream(void);

/**
 * ctm_events_add() - numbers @row, keeps it, and calls @tell with it, in the order of numbers
 * Context: process, may sleep; @tell must not add events.
 */
void ctm_events_add(struct ctm_event_row *row, void (*tell)(const struct ctm_event_row *row));

/**
 * ctm_events_since() - those behind number @since that are kept; NULL: only the newest
 * @rows: kvfree()
 * Return: their number, or -ENOMEM
 */
int ctm_events_since(const u64 *since, struct ctm_event_row **rows);

int ctm_events_init(void);
void ctm_events_exit(void);

#endif /* CTM_EVENTS_H */
