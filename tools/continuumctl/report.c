// SPDX-License-Identifier: GPL-2.0
/*
 * report.c - continuumctl report: watches the cluster, or reads a record, and draws it
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "event.h"
#include "output.h"
#include "report.h"
#include "signals.h"

#define SAMPLE_MS	1000

struct watch {
	struct netlink *ask, *listen;
	struct report report;
	FILE *record;			/* or NULL */
	int error;
};

/* Into the report, and the record if there is one; frees it. */
static void take(struct watch *w, struct json_object *line)
{
	int error = report_take(&w->report, line);

	if (error && error != -EINVAL)
		w->error = error;
	if (w->record)
		fprintf(w->record, "%s\n", json_object_to_json_string_ext(line, JSON_C_TO_STRING_SPACED));
	json_object_put(line);
}

/* ---- samples ---- */

static struct json_object *sample_line(const char *event, const char *node)
{
	struct json_object *line = json_object_new_object();

	json_add_number(line, "time_ms", (uint64_t)clock_ms(CLOCK_REALTIME));
	json_add_text(line, "event", event);
	json_add_text(line, "node", node);
	return line;
}

static void take_load(struct watch *w, const char *node, const struct load *load)
{
	struct json_object *line = sample_line("sample", node);

	json_add_milli(line, "pressure", load->pressure);
	json_add_milli(line, "cpu_pct", load->cpu);
	json_add_milli(line, "mem_pct", load->mem);
	take(w, line);
}

static void take_place(struct watch *w, const struct ctm_info *p)
{
	char gpid[CONTINUUM_GPID_MAX], node[CTM_NAME_MAX];
	struct json_object *line;

	if (p->state == CTM_STATE_ENDED || p->state == CTM_STATE_MOVING)
		return;
	line = sample_line("at", node_text(p->host_name, p->host, node));
	json_add_text(line, "gpid", gpid_text(p, gpid));
	json_add_text(line, "text", p->comm);
	take(w, line);
}

/* Return: 0 or -errno */
static int sample(struct watch *w)
{
	struct list peers = { 0 }, processes = { 0 };
	const struct ctm_info *process;
	const struct peer *peer;
	struct node node;
	int error = cluster_node(w->ask, &node);

	if (!error && !node.up)
		error = -ENETDOWN;
	if (!error)
		error = cluster_peers(w->ask, &peers);
	if (!error)
		error = cluster_processes(w->ask, false, &processes);
	if (!error)
		take_load(w, node.name, &node.load);
	peer = peers.items;
	for (size_t i = 0; !error && i < peers.count; i++)
		if (peer[i].state == CTM_NL_PEER_ALIVE)
			take_load(w, peer[i].name, &peer[i].load);
	process = processes.items;
	for (size_t i = 0; !error && i < processes.count; i++)
		take_place(w, &process[i]);
	free(peers.items);
	free(processes.items);
	return error ? error : w->error;
}

static void take_event(const struct nlmsghdr *message, void *data)
{
	char subject[CONTINUUM_GPID_MAX] = "";
	struct event event;

	cluster_event(message, &event);
	if (event.gpid)
		continuum_gpid_print(event.gpid, subject);
	take(data, event_json(&event, subject));
}

/* Until a signal, or @until.  Return: 0 or -errno */
static int watch(struct watch *w, int64_t until, int signals)
{
	struct pollfd fds[] = {
		{ .fd = mnl_socket_get_fd(w->listen->socket), .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};
	int64_t next = clock_ms(CLOCK_MONOTONIC), now;
	int error = 0;

	while (!fds[1].revents) {
		now = clock_ms(CLOCK_MONOTONIC);
		if (now >= next || (until && now >= until)) {
			error = sample(w);
			next = now + SAMPLE_MS;
		}
		if (error || (until && now >= until))
			return error;
		if (poll(fds, 2, (int)(next - now)) < 0 && errno != EINTR)
			return -errno;
		do {
			error = netlink_events(w->listen, take_event, w);
		} while (!error || error == -ENOBUFS);	/* samples tell where processes are */
		if (error != -EAGAIN)
			return error;
		error = 0;
	}
	return sample(w);
}

static int watch_cluster(struct watch *w, uint32_t duration_ms)
{
	int status = DONE, signals, error;

	w->ask = open_netlink(&status);
	w->listen = w->ask ? open_netlink(&status) : NULL;
	if (w->listen) {
		signals = end_signals();
		error = signals < 0 ? -errno : netlink_listen(w->listen);
		if (!error)
			error = watch(w, duration_ms ? clock_ms(CLOCK_MONOTONIC) + duration_ms : 0, signals);
		if (error == -ENODEV)
			error = 0;	/* unloaded: the end of the period */
		if (error)
			status = fail(error, "%s", netlink_text_of(w->ask, error));
		if (signals >= 0)
			close(signals);
		close_netlink(w->listen);
	}
	if (w->ask)
		close_netlink(w->ask);
	return status;
}

/* ---- records ---- */

static int read_record(struct watch *w, const char *path)
{
	FILE *from = strcmp(path, "-") ? fopen(path, "re") : stdin;
	unsigned int number = 0;
	char *text = NULL;
	size_t room = 0;
	int status = DONE;

	if (!from)
		return fail(-errno, "%s: %s", path, strerror(errno));
	while (!status && getline(&text, &room, from) > 0) {
		struct json_object *line = json_tokener_parse(text);
		int error = line ? report_take(&w->report, line) : -EINVAL;

		number++;
		json_object_put(line);
		if (error && text[strspn(text, " \t\n")])
			status = fail(error, "%s: line %u: %s", path, number, error == -EINVAL ?
				      "not an event (a record has the lines of events -j, or of report --record)" :
				      strerror(-error));
	}
	free(text);
	if (from != stdin)
		fclose(from);
	return status;
}

/* ---- the command ---- */

static int draw(struct watch *w, const char *output)
{
	FILE *to = output ? fopen(output, "we") : stdout;
	int error;

	if (!to)
		return fail(-errno, "%s: %s", output, strerror(errno));
	report_finish(&w->report);
	report_draw(&w->report, to);
	error = fflush(to) || ferror(to) ? errno : 0;
	if (output && fclose(to) && !error)
		error = errno;
	return error ? fail(-error, "%s: %s", output ? output : "standard output", strerror(error)) : DONE;
}

int command_report(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "duration", required_argument, NULL, 'd' },
		{ "output", required_argument, NULL, 'o' },
		{ "record", required_argument, NULL, 'r' },
		{ 0 }
	};
	const char *output = NULL, *record = NULL;
	struct watch w = { 0 };
	uint32_t duration_ms = 0;
	int option, status = DONE;

	while ((option = next_option(argc, argv, "d:o:r:", longs)) > 0) {
		if (option == 'o')
			output = optarg;
		else if (option == 'r')
			record = optarg;
		else if (parse_time(optarg, &duration_ms) || !duration_ms)
			return usage_error("\"%s\" is not a time (10s, 5m)", optarg);
	}
	if (option < 0)
		return USAGE;
	if (optind < argc && (duration_ms || record))
		return usage_error("a record is drawn as it is: no --duration, no --record");
	if (record) {
		w.record = fopen(record, "we");
		if (!w.record)
			return fail(-errno, "%s: %s", record, strerror(errno));
		setvbuf(w.record, NULL, _IOLBF, 0);
	}
	if (optind == argc)
		status = watch_cluster(&w, duration_ms);
	for (; !status && optind < argc; optind++)
		status = read_record(&w, argv[optind]);
	if (w.record && fclose(w.record) && !status)
		status = fail(-errno, "%s: %s", record, strerror(errno));
	if (!status && !w.report.until)
		status = fail(-ENODATA, "nothing is recorded: no picture");
	if (!status)
		status = draw(&w, output);
	report_free(&w.report);
	return status;
}
