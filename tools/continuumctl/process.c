// SPDX-License-Identifier: GPL-2.0
/*
 * process.c - commands that act on processes by GPID
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../continuumd/config.h"
#include "deputy.h"
#include "output.h"
#include "signals.h"
#include "targets.h"

#define EXPLAIN_ROOM	65537

const char *process_cause(int error, const char *reason)
{
	if (reason && reason[0])
		return reason;
	switch (-error) {
	case ESRCH:
		return "no such process";
	case EPERM:
		return "not yours";
	case ENETDOWN:
		return "the node is not up (continuumctl up)";
	case EHOSTUNREACH:
		return "the node that is needed does not answer, or is unknown";
	case EBUSY:
		return "another journey of it is under way";
	case EINPROGRESS:
		return "the outcome is not known yet: the process is in limbo";
	default:
		return strerror(-error);
	}
}

/* Options of a command that has at most -j.  Return: DONE or USAGE */
static int parse_json_option(int argc, char **argv, const char *options, bool *json)
{
	int option;

	while ((option = next_option(argc, argv, options, NULL)) > 0)
		*json = true;
	return option < 0 ? USAGE : DONE;
}

/* One GPID, and up to @more arguments after it.  Opens the device. */
static int parse_one(int argc, char **argv, int more, uint64_t *gpid, int *device)
{
	int status;

	if (optind == argc)
		return usage_error("no GPID");
	if (argc - optind > 1 + more)
		return usage_error("\"%s\" is too much", argv[optind + 1 + more]);
	status = parse_gpid(argv[optind], gpid);
	if (status)
		return status;
	*device = open_device();
	return *device < 0 ? exit_status_of(*device) == DENIED ? DENIED : FAILED : DONE;
}

/* ---- migrate ---- */

static void print_migration(const struct ctm_migrate *m, const char *gpid, bool json)
{
	struct json_object *object;

	if (!json) {
		printf("%s %s downtime_us=%" PRIu64 " total_us=%" PRIu64 " bytes=%" PRIu64 "\n", gpid,
		       m->node, (uint64_t)m->downtime_ns / 1000, (uint64_t)m->total_ns / 1000,
		       (uint64_t)m->bytes);
		return;
	}
	object = json_object_new_object();
	json_add_text(object, "gpid", gpid);
	json_add_text(object, "node", m->node);
	json_add_number(object, "downtime_us", m->downtime_ns / 1000);
	json_add_number(object, "total_us", m->total_ns / 1000);
	json_add_number(object, "bytes", m->bytes);
	json_print(object);
}

/* A name that nobody has, or a node that does not answer? */
static bool is_unknown(const char *node)
{
	uint32_t id;

	return strcmp(node, "any") && strcmp(node, "home") && names_find_id(node, &id) == -ESRCH;
}

int command_migrate(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "cluster", no_argument, NULL, 'c' },
		{ 0 }
	};
	struct ctm_migrate m;
	bool json = false;
	uint32_t flags = 0;
	uint64_t gpid;
	int device;
	int status = DONE;
	const char *node;
	int option;
	int error;

	while ((option = next_option(argc, argv, "j", longs)) > 0) {
		json |= option == 'j';
		flags |= option == 'c' ? CTM_MIGRATE_CLUSTER : 0;
	}
	if (option < 0)
		status = USAGE;
	if (!status)
		status = parse_one(argc, argv, 1, &gpid, &device);
	if (status)
		return status;
	node = argv[optind + 1] ? argv[optind + 1] : "any";
	m.reason[0] = '\0';
	error = continuum_migrate_as(device, gpid, node, flags, &m);
	close(device);
	if (error == -EHOSTUNREACH && is_unknown(node))
		return fail(-ENOENT, "no node \"%s\" in the cluster (continuumctl peers)", node);
	if (error)
		return fail(error, "%s: %s", argv[optind], process_cause(error, m.reason));
	print_migration(&m, argv[optind], json);
	return DONE;
}

/* ---- kill, suspend, resume ---- */

struct deed {
	int device;
	const char *name;	/* of the command */
	int sig;
};

static void do_to(struct target *t, void *data)
{
	const struct deed *deed = data;

	if (!strcmp(deed->name, "suspend"))
		t->error = continuum_suspend(deed->device, t->gpid, t->reason);
	else if (!strcmp(deed->name, "resume"))
		t->error = continuum_resume(deed->device, t->gpid, t->reason);
	else
		t->error = continuum_signal(deed->device, t->gpid, deed->sig, 0, 0, t->reason);
}

/* All are tried; the first failure gives the exit status. */
static int do_to_each(struct deed *deed, const struct selection *selection, char **names)
{
	struct targets targets;
	int found = targets_find(selection, names, &targets);
	int status = found;

	deed->device = status == USAGE || !targets.count ? -1 : open_device();
	if (deed->device >= 0) {
		status = targets_each(&targets, do_to, deed);
		close(deed->device);
	} else if (!status) {
		status = exit_status_of(deed->device) == DENIED ? DENIED : FAILED;
	}
	targets_free(&targets);
	return found ? found : status;
}

static int kill_and_kin(int argc, char **argv, const char *options)
{
	static const struct option longs[] = {
		{ "user", required_argument, NULL, 'u' },
		{ "family", required_argument, NULL, 'f' },
		{ "all", no_argument, NULL, 'a' },
		{ 0 }
	};
	struct selection selection = { 0 };
	struct deed deed = { .name = argv[0], .sig = SIGTERM };
	int option;

	while ((option = next_option(argc, argv, options, longs)) > 0) {
		if (option == 'u')
			selection.user = optarg;
		else if (option == 'f')
			selection.family = optarg;
		else if (option == 'a')
			selection.all = true;
		else if (option == 's' && (deed.sig = signal_parse(optarg)) < 0)
			return usage_error("no signal \"%s\"", optarg);
	}
	if (option < 0)
		return USAGE;
	if (optind == argc && !selection.all && !selection.user && !selection.family)
		return usage_error("no GPID");
	return do_to_each(&deed, &selection, argv + optind);
}

int command_kill(int argc, char **argv)
{
	return kill_and_kin(argc, argv, "s:u:");
}

int command_suspend(int argc, char **argv)
{
	return kill_and_kin(argc, argv, "u:");
}

int command_resume(int argc, char **argv)
{
	return kill_and_kin(argc, argv, "u:");
}

/* ---- recover ---- */

int command_recover(int argc, char **argv)
{
	char reason[CTM_REASON_MAX] = "";
	uint64_t gpid;
	int status, device, error;

	if (next_option(argc, argv, "", NULL) < 0)
		return USAGE;
	status = parse_one(argc, argv, 0, &gpid, &device);
	if (status)
		return status;
	error = continuum_recover(device, gpid, reason);
	close(device);
	if (error)
		return fail(error, "%s: %s", argv[optind], process_cause(error, reason));
	printf("%s: %s\n", argv[optind], reason);
	return DONE;
}

/* ---- wait ---- */

static void print_record(const struct ctm_wait *record, const char *gpid)
{
	struct json_object *object = json_object_new_object();

	json_add_text(object, "gpid", gpid);
	json_add_number(object, "status", (uint64_t)deputy_status(record->status));
	json_add_text(object, "end", end_text(record->end));
	json_add_text(object, "host", record->host_name);
	json_add_number(object, "cpu_ms", record->cpu_ns / 1000000);
	json_print(object);
}

int command_wait(int argc, char **argv)
{
	struct ctm_wait record;
	bool json = false;
	uint64_t gpid;
	int device;
	int status = parse_json_option(argc, argv, "j", &json);
	int error;

	if (!status)
		status = parse_one(argc, argv, 0, &gpid, &device);
	if (status)
		return status == USAGE ? USAGE : RUN_FAILED;
	do
		error = continuum_wait(device, gpid, 0, &record);
	while (error == -EINTR);
	close(device);
	if (error) {
		fail(error, "%s: %s", argv[optind], process_cause(error, NULL));
		return RUN_FAILED;
	}
	if (json)
		print_record(&record, argv[optind]);
	if (end_cause(record.end))
		fail(0, "%s: %s", argv[optind], end_cause(record.end));
	if (record.end == CTM_END_HOST_LOST)
		return RUN_FAILED;
	return deputy_status(record.status);
}

/* ---- explain ---- */

static void print_findings(const struct ctm_explain *e, char *text, const char *gpid, bool json)
{
	struct json_object *object, *findings;
	char *line, *state = NULL;
	char size[16];

	if (!json) {
		if (!e->blockers)
			puts("nothing stands in the way");
		fputs(text, stdout);
		if (*text && text[strlen(text) - 1] != '\n')
			putchar('\n');
		printf("size: %s\n", size_text(e->rss_bytes, size));
		return;
	}
	object = json_object_new_object();
	findings = json_object_new_array();
	json_add_text(object, "gpid", gpid);
	json_add_number(object, "blockers", e->blockers);
	json_add_number(object, "rss_kib", e->rss_bytes / 1024);
	for (line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
		json_object_array_add(findings, json_object_new_string(line));
	json_object_object_add(object, "findings", findings);
	json_print(object);
}

int command_explain(int argc, char **argv)
{
	static char text[EXPLAIN_ROOM];
	struct ctm_explain e;
	bool json = false;
	uint64_t gpid;
	int device;
	int status = parse_json_option(argc, argv, "j", &json);
	int error;

	if (!status)
		status = parse_one(argc, argv, 1, &gpid, &device);
	if (status)
		return status;
	error = continuum_explain(device, gpid, argv[optind + 1] ? argv[optind + 1] : "", text,
				  sizeof(text), &e);
	close(device);
	if (error)
		return fail(error, "%s: %s", argv[optind], process_cause(error, NULL));
	print_findings(&e, text, argv[optind], json);
	return DONE;
}

/* ---- logs ---- */

static int copy_out(int fd, const char *path)
{
	char bytes[65536];
	ssize_t got;

	while ((got = read(fd, bytes, sizeof(bytes))) != 0) {
		if (got < 0 && errno != EINTR)
			return fail(-errno, "%s: %s", path, strerror(errno));
		if (got > 0 && fwrite(bytes, 1, (size_t)got, stdout) != (size_t)got)
			return FAILED;	/* said by main() */
	}
	return DONE;
}

int command_logs(int argc, char **argv)
{
	char path[PATH_MAX + CTM_NAME_MAX + 16];
	char node[CTM_NAME_MAX];
	struct config config;
	char error[512];
	uint32_t sequence;
	int status;
	int fd;

	if (next_option(argc, argv, "", NULL) < 0)
		return USAGE;
	if (optind + 1 != argc)
		return usage_error("one GPID is wanted");
	if (continuum_gpid_split(argv[optind], node, &sequence) || strchr(node, '/'))
		return usage_error("\"%s\" is not a GPID (NODE.SEQ, as ps shows it)", argv[optind]);
	if (config_read(CONFIG_FILE, &config, error, sizeof(error)))
		return fail(-EINVAL, "%s", error);
	snprintf(path, sizeof(path), "%s/%s.%u", config.log_dir, node, sequence);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && strcmp(node, config.name))
		return fail(-ENOENT, "%s: its log is on %s", argv[optind], node);
	if (fd < 0 && errno == ENOENT)
		return fail(-ENOENT, "%s: no log (run -d keeps one when its output would not go to a file)",
			    argv[optind]);
	if (fd < 0)
		return fail(-errno, "%s: %s", path, strerror(errno));
	status = copy_out(fd, path);
	close(fd);
	return status;
}
