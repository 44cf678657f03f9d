/* SPDX-License-Identifier: GPL-2.0 */
/*
 * event.h - an event in words; pure
 */
#ifndef CONTINUUMCTL_EVENT_H
#define CONTINUUMCTL_EVENT_H

#include <json-c/json.h>

#include "ctl.h"

#define EVENT_DETAIL_MAX	(CTM_NAME_MAX + CTM_REASON_MAX + 8)

/** EVENT_MISSED - a type of our own: here some were lost */
#define EVENT_MISSED	UINT32_MAX

/** event_kind() - "moved", "ended", "suspect"; "type 99" in @text for one that is too new */
const char *event_kind(uint32_t type, char text[16]);

/** event_detail() - where to, and why: "to beta: no route".  Return: @text */
const char *event_detail(const struct event *event, char text[EVENT_DETAIL_MAX]);

/** event_json() - an object of its own; @gpid: as text, or "" */
struct json_object *event_json(const struct event *event, const char *gpid);

#endif /* CONTINUUMCTL_EVENT_H */
