// SPDX-License-Identifier: GPL-2.0
/*
 * event.c - an event in words
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "event.h"
#include "output.h"

static const struct {
	uint32_t type;
	const char *kind;
	const char *where;	/* what the event's node is to the process; NULL: it is about the node */
} kinds[] = {
	{ CTM_NL_EV_PROCESS_STARTED, "started", "on" },
	{ CTM_NL_EV_PROCESS_MOVED, "moved", "to" },
	{ CTM_NL_EV_PROCESS_ENDED, "ended", "on" },
	{ CTM_NL_EV_PROCESS_FAILED, "failed", "to" },
	{ CTM_NL_EV_PROCESS_BUDGET, "budget", "on" },
	{ CTM_NL_EV_PROCESS_SIGNALLED, "signal", "from" },
	{ CTM_NL_EV_PEER_ALIVE, "alive", NULL },
	{ CTM_NL_EV_PEER_SUSPECT, "suspect", NULL },
	{ CTM_NL_EV_PEER_DEAD, "dead", NULL },
	{ CTM_NL_EV_PEER_LEFT, "left", NULL },
	{ EVENT_MISSED, "missed", NULL },
};

const char *event_kind(uint32_t type, char text[16])
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].type == type)
			return kinds[i].kind;
	snprintf(text, 16, "type %u", type);
	return text;
}

/* The kernel's text is often no more than the kind: "moved". */
static bool tells_more(const struct event *event)
{
	char kind[16];

	return *event->text && strcmp(event->text, event_kind(event->type, kind));
}

const char *event_detail(const struct event *event, char text[EVENT_DETAIL_MAX])
{
	const char *where = NULL;
	char node[CTM_NAME_MAX];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].type == event->type)
			where = kinds[i].where;
	if (!event->node)		/* a move that never had a destination */
		where = NULL;
	snprintf(text, EVENT_DETAIL_MAX, "%s%s%s%s%s", where ? where : "", where ? " " : "",
		 where ? node_text(event->node_name, event->node, node) : "",
		 where && tells_more(event) ? ": " : "", tells_more(event) ? event->text : "");
	return text;
}

struct json_object *event_json(const struct event *event, const char *gpid)
{
	struct json_object *object = json_object_new_object();
	time_t seconds = (time_t)(event->time_ns / 1000000000);
	char text[CTM_NAME_MAX], kind[16];
	struct tm tm;

	strftime(text, sizeof(text), "%FT%T", gmtime_r(&seconds, &tm));
	snprintf(text + strlen(text), 16, ".%09uZ", (unsigned int)(event->time_ns % 1000000000));
	json_add_text(object, "time", text);
	json_add_number(object, "time_ms", event->time_ns / 1000000);
	json_add_text(object, "event", event_kind(event->type, kind));
	json_add_text(object, "gpid", gpid);
	json_add_text(object, "node", event->node ? node_text(event->node_name, event->node, text) : "");
	json_add_text(object, "text", event->text);
	json_add_number(object, "seq", event->seq);
	json_add_hex(object, "stream", event->stream);
	return object;
}
