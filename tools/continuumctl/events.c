// SPDX-License-Identifier: GPL-2.0
/*
 * events.c - continuumctl events
 *
 * Two sockets: one only listens, the other asks: for names, and for events that were missed.
 * Events are numbered without gaps; where one shows, what is between is asked for, and only
 * what the module does not keep any more is lost.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "event.h"
#include "output.h"
#include "signals.h"

#define NAMES	64u

/* A GPID has its home's id, whose name is asked for once; by id, the newest stays. */
struct listener {
	bool json;
	struct netlink *ask;
	bool counting;			/* @last and @stream are known */
	uint64_t stream, last;
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
	char subject[CONTINUUM_GPID_MAX];

	learn(l, event->node, event->node_name);
	if (l->json)
		json_print(event_json(event, event->gpid ? subject_of(l, event, subject) : ""));
	else
		print_text(l, event);
}

__attribute__((format(printf, 2, 3)))
static void print_missed(struct listener *l, const char *format, ...)
{
	struct event event = { .type = EVENT_MISSED, .seq = l->last, .stream = l->stream };
	struct timespec now;
	va_list args;

	clock_gettime(CLOCK_REALTIME, &now);
	event.time_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	va_start(args, format);
	vsnprintf(event.text, sizeof(event.text), format, args);
	va_end(args);
	print(l, &event);
}

/* Numbers of another load of the module: they are not the next of those before. */
static void begin_anew(struct listener *l, uint64_t stream)
{
	l->stream = stream;
	l->last = 0;
	print_missed(l, "the module was loaded anew: what was between is lost, and numbers begin with 1");
}

/* In order; what comes twice is left out, and what is missing before it told. */
static void take(struct listener *l, const struct event *event)
{
	if (l->counting && event->stream != l->stream)
		begin_anew(l, event->stream);
	if (l->counting && event->seq && event->seq <= l->last)
		return;
	if (l->counting && event->seq > l->last + 1) {
		uint64_t first = l->last + 1;

		l->last = event->seq - 1;
		print_missed(l, "%llu to %llu are lost: the module does not keep them any more",
			     (unsigned long long)first, (unsigned long long)l->last);
	}
	l->counting = true;
	l->stream = event->stream;
	l->last = event->seq;
	print(l, event);
}

/* What came since the last one that was printed.  Return: 0 or -errno */
static int catch_up(struct listener *l)
{
	struct list list = { 0 };
	int error = cluster_events(l->ask, &l->last, &list);
	const struct event *events = list.items;

	for (size_t i = 0; !error && i < list.count; i++)
		take(l, &events[i]);
	free(list.items);
	return error;
}

static void take_message(const struct nlmsghdr *message, void *data)
{
	struct listener *l = data;
	struct event event;

	cluster_event(message, &event);
	if (l->counting && event.stream == l->stream && event.seq > l->last + 1)
		catch_up(l);		/* if it fails, the gap is told */
	take(l, &event);
}

/* From the newest on, or from where the caller was.  Return: 0 or -errno */
static int begin(struct listener *l, bool since)
{
	struct list list = { 0 };
	const struct event *newest;
	uint64_t stream = l->stream;
	int error = cluster_events(l->ask, NULL, &list);

	newest = list.count ? list.items : NULL;
	if (!error && newest) {
		l->counting = true;
		l->stream = newest->stream;
		if (!since)
			l->last = newest->seq;
		else if ((stream && stream != newest->stream) || l->last > newest->seq)
			begin_anew(l, newest->stream);
	}
	free(list.items);
	return error;
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
			error = netlink_events(nl, take_message, l);
			if (error == -ENOBUFS && catch_up(l))
				print_missed(l, "events came faster than they were read; some before this are lost");
			if (ferror(stdout))
				return 0;	/* main() says so */
		} while (!error || error == -ENOBUFS);
		if (error != -EAGAIN)
			return error;
	}
}

/* To begin and to listen are two steps; what comes between shows as a gap, or here. */
static int listen_to(struct netlink *nl, struct listener *l, bool since)
{
	int signals = end_signals();
	int error = signals < 0 ? -errno : begin(l, since);

	if (!error)
		error = netlink_listen(nl);
	if (!error)
		error = catch_up(l);
	if (!error)
		error = follow(l, nl, signals);
	if (signals >= 0)
		close(signals);
	if (error == -ENODEV)
		return fail(error, "the module was unloaded: no more events");
	if (error == -EOPNOTSUPP)
		return fail(error, "the module is older than these tools: it does not number events");
	return error ? fail(error, "events: %s", strerror(-error)) : DONE;
}

/* "N", or "STREAM:N" with the stream in hex, as -j has them */
static bool parse_since(const char *text, struct listener *l)
{
	const char *number = strchr(text, ':');
	char *end;

	errno = 0;
	if (number) {
		l->stream = strtoull(text, &end, 16);
		if (end != number || end == text || !l->stream)
			return false;
		number++;
	} else {
		number = text;
	}
	l->last = strtoull(number, &end, 10);
	return !errno && end != number && !*end && *number != '-';
}

int command_events(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "since", required_argument, NULL, 's' },
		{ 0 }
	};
	struct listener l = { 0 };
	struct netlink *nl;
	bool since = false;
	int option, status = DONE;

	while ((option = next_option(argc, argv, "js:", longs)) > 0) {
		if (option == 'j')
			l.json = true;
		else if (!parse_since(optarg, &l))
			return usage_error("\"%s\" is not the number of an event (N, or STREAM:N)", optarg);
		since |= option == 's';
	}
	if (option < 0)
		return USAGE;
	if (optind < argc)
		return usage_error("\"%s\" is too much", argv[optind]);
	nl = open_netlink(&status);
	l.ask = nl ? open_netlink(&status) : NULL;
	if (l.ask) {
		setvbuf(stdout, NULL, _IOLBF, 0);
		status = listen_to(nl, &l, since);
		close_netlink(l.ask);
	}
	if (nl)
		close_netlink(nl);
	return status;
}
