// SPDX-License-Identifier: GPL-2.0
/*
 * events.c - continuumctl events
 *
 * Two sockets: one only listens, the other asks for names.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

#include "event.h"
#include "output.h"

#define NAMES	64u

/* A GPID has its home's id, whose name is asked for once; by id, the newest stays. */
struct listener {
	bool json;
	struct {
		uint32_t id;
		char name[CTM_NAME_MAX];
	} names[NAMES];
};

static void learn(struct listener *l, uint32_t id, const char *name)
{
	if (!id || !*name)
		return;
	l->names[id % NAMES].id = id;
	snprintf(l->names[id % NAMES].name, CTM_NAME_MAX, "%s", name);
}

static const char *name_of(struct listener *l, uint32_t id, char text[CTM_NAME_MAX])
{
	char name[CTM_NAME_MAX];

	if (l->names[id % NAMES].id != id && !names_find_name(id, name))
		learn(l, id, name);
	return node_text(l->names[id % NAMES].id == id ? l->names[id % NAMES].name : "", id, text);
}

/* What it is about: a process, or a node. */
static const char *subject_of(struct listener *l, const struct event *event,
			      char text[CONTINUUM_GPID_MAX])
{
	char node[CTM_NAME_MAX];

	if (event->gpid)
		snprintf(text, CONTINUUM_GPID_MAX, "%s.%u",
			 name_of(l, CTM_GPID_NODE(event->gpid), node), CTM_GPID_SEQ(event->gpid));
	else if (event->node)
		node_text(event->node_name, event->node, text);
	else
		strcpy(text, "-");
	return text;
}

static void print_json(struct listener *l, const struct event *event)
{
	struct json_object *object = json_object_new_object();
	time_t seconds = (time_t)(event->time_ns / 1000000000);
	char text[CONTINUUM_GPID_MAX], kind[16];
	struct tm tm;

	strftime(text, sizeof(text), "%FT%T", gmtime_r(&seconds, &tm));
	snprintf(text + strlen(text), 16, ".%09uZ", (unsigned int)(event->time_ns % 1000000000));
	json_add_text(object, "time", text);
	json_add_number(object, "time_ms", event->time_ns / 1000000);
	json_add_text(object, "event", event_kind(event->type, kind));
	json_add_text(object, "gpid", event->gpid ? subject_of(l, event, text) : "");
	json_add_text(object, "node", event->node ? node_text(event->node_name, event->node, text) : "");
	json_add_text(object, "text", event->text);
	json_print(object);
}

static void print_text(struct listener *l, const struct event *event)
{
	time_t seconds = (time_t)(event->time_ns / 1000000000);
	char when[32], kind[16], subject[CONTINUUM_GPID_MAX], detail[EVENT_DETAIL_MAX];
	struct tm tm;

	strftime(when, sizeof(when), "%F %T", localtime_r(&seconds, &tm));
	event_detail(event, detail);
	printf("%s.%03u  %-8s  %-14s%s%s\n", when, (unsigned int)(event->time_ns / 1000000 % 1000),
	       event_kind(event->type, kind), subject_of(l, event, subject), *detail ? "  " : "",
	       detail);
}

static void print(struct listener *l, const struct event *event)
{
	learn(l, event->node, event->node_name);
	if (l->json)
		print_json(l, event);
	else
		print_text(l, event);
}

static void take(const struct nlmsghdr *message, void *data)
{
	struct event event;

	cluster_event(message, &event);
	print(data, &event);
}

static void print_missed(struct listener *l)
{
	struct event event = { .type = EVENT_MISSED };
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	event.time_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	snprintf(event.text, sizeof(event.text),
		 "events came faster than they were read; some before this are lost");
	print(l, &event);
}

/* SIGINT and SIGTERM as a descriptor.  Return: it, or -1 with errno */
static int end_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Until a signal, or nobody reads what is written.  Return: 0 or -errno */
static int follow(struct listener *l, struct netlink *nl, int signals)
{
	struct pollfd fds[] = {
		{ .fd = mnl_socket_get_fd(nl->socket), .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
		{ .fd = STDOUT_FILENO },
	};
	int error;

	for (;;) {
		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents || fds[2].revents)
			return 0;
		do {
			error = netlink_events(nl, take, l);
			if (error == -ENOBUFS)
				print_missed(l);
			if (ferror(stdout))
				return 0;	/* main() says so */
		} while (!error || error == -ENOBUFS);
		if (error != -EAGAIN)
			return error;
	}
}

static int listen_to(struct netlink *nl, bool json)
{
	struct listener l = { .json = json };
	int signals = end_signals();
	int error = signals < 0 ? -errno : netlink_listen(nl);

	if (!error)
		error = follow(&l, nl, signals);
	if (signals >= 0)
		close(signals);
	if (error == -ENODEV)
		return fail(error, "the module was unloaded: no more events");
	return error ? fail(error, "events: %s", strerror(-error)) : DONE;
}

int command_events(int argc, char **argv)
{
	struct netlink *nl;
	bool json;
	int status = only_json(argc, argv, &json);

	if (status)
		return status;
	nl = open_netlink(&status);
	if (!nl)
		return status;
	setvbuf(stdout, NULL, _IOLBF, 0);
	status = listen_to(nl, json);
	close_netlink(nl);
	return status;
}
