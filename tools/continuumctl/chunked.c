// SPDX-License-Identifier: GPL-2.0
/*
 * chunked.c - wordcount and map: starts the program that does it, as run would, and shows
 * what that says (../wordcount/voice.h): a thread reads it while this program is the deputy
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../wordcount/voice.h"
#include "../wordcount/words.h"
#include "beside.h"
#include "deputy.h"
#include "order.h"
#include "output.h"

#define INSTALLED	"../lib/continuum"
#define BAR_WIDTH	30u
#define ROOM_LEAST	(64ull << 20)

/** struct job - what to do, and what has been said about it */
struct job {
	const char *program, *file, *what;
	uint32_t chunk, workers, timeout_ms;
	uint64_t room;
	bool verbose, json;
	int out;		/* -1: data goes nowhere */

	int pipe;
	atomic_bool over;	/* the process has ended */
	bool bar, bar_shown, write_failed;
	bool finished;		/* totals have come */
	struct voice_totals totals;
	struct voice_node *nodes;
	size_t node_count;
};

/* ---- arguments ---- */

static int parse(struct job *job, int argc, char **argv, bool map)
{
	static const struct option longs[] = {
		{ "chunk", required_argument, NULL, 'k' },
		{ "workers", required_argument, NULL, 'w' },
		{ "timeout", required_argument, NULL, 't' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 }
	};
	static const struct option map_longs[] = {
		{ "command", required_argument, NULL, 'c' },
		{ "chunk", required_argument, NULL, 'k' },
		{ "workers", required_argument, NULL, 'w' },
		{ "timeout", required_argument, NULL, 't' },
		{ "verbose", no_argument, NULL, 'v' },
		{ 0 }
	};
	int option;

	while ((option = next_option(argc, argv, map ? "v" : "vj", map ? map_longs : longs)) > 0) {
		if (option == 'c')
			job->what = optarg;
		else if (option == 'k' && parse_amount(optarg, CTM_BLOCK_MAX, true, &job->chunk))
			return usage_error("--chunk: 1 to %uM, not \"%s\"", CTM_BLOCK_MAX >> 20, optarg);
		else if (option == 'w' && parse_amount(optarg, CTM_FORK_MAX, false, &job->workers))
			return usage_error("--workers: 1 to %u, not \"%s\"", CTM_FORK_MAX, optarg);
		else if (option == 't' && parse_time(optarg, &job->timeout_ms))
			return usage_error("--timeout wants a time as 500ms, 10s, 5m or 1h, not \"%s\"", optarg);
		job->verbose |= option == 'v';
		job->json |= option == 'j';
	}
	if (option < 0)
		return USAGE;
	if (map && !job->what)
		return usage_error("no --command");
	if (argc - optind != 1)
		return usage_error(optind == argc ? "no file" : "one file is wanted");
	job->file = argv[optind];
	return DONE;
}

/* Before anything is started.  Return: DONE or an exit status */
static int check_file(const char *file)
{
	struct stat st;
	int fd;

	if (!strcmp(file, "-"))
		return isatty(STDIN_FILENO) ? usage_error("standard input is a terminal") : DONE;
	fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return fail(-errno, "%s: %s", file, strerror(errno));
	if (fstat(fd, &st))
		st.st_mode = 0;
	close(fd);
	return S_ISDIR(st.st_mode) ? fail(-EISDIR, "%s: %s", file, strerror(EISDIR)) : DONE;
}

/* of programs that are not for users: installed, or, in a build tree, beside this */
static int find_program(const char *name, char path[PATH_MAX])
{
	char place[64];

	snprintf(place, sizeof(place), INSTALLED "/%s", name);
	if (find_beside(place, path) || (find_beside("keeper", path) && find_beside(name, path)))
		return DONE;
	return fail(-ENOENT, "the program \"%s\" of Continuum is not installed", name), FAILED;
}

/*
 * Which bytes make words has changed in wc; this machine's is asked. Return: enum words_rule;
 * POSIX's where there is no wc.
 */
static enum words_rule ask_wc(void)
{
	FILE *wc = popen("exec 2>/dev/null; printf '\\1 a\\240b\\n' | LC_ALL=C wc -w", "r");
	int words = 0;

	if (wc && fscanf(wc, "%d", &words) != 1)
		words = 0;
	if (wc)
		pclose(wc);
	return words >= 1 && words <= WORDS_RULES ? (enum words_rule)(words - 1) : WORDS_POSIX;
}

/*
 * What one wave may take of the cluster's store, two copies of each block: the part @percent
 * of the quotas for one owner. It is no promise; when there is less, the wave ends earlier.
 */
static int find_room(uint64_t *room, unsigned int percent)
{
	struct list list = { 0 };
	struct netlink *nl;
	int status = DONE, error;

	nl = open_netlink(&status);
	if (!nl)
		return status;
	*room = 0;
	error = cluster_stores(nl, &list);
	if (error)
		status = fail(error, "%s", netlink_text_of(nl, error));
	for (size_t i = 0; i < list.count; i++)
		*room += ((const struct store *)list.items)[i].owner_limit / 2;
	free(list.items);
	close_netlink(nl);
	*room = *room / 100 * percent;
	if (*room < ROOM_LEAST)
		*room = ROOM_LEAST;
	return status;
}

/* ---- what it says ---- */

static void clear_bar(struct job *job)
{
	if (job->bar_shown)
		fputs("\r\033[K", stderr);
	job->bar_shown = false;
}

static void show_progress(struct job *job, const struct voice_progress *p)
{
	static const char *const phases[VOICE_PHASES] = { "storing", "forking", "working" };
	uint64_t done = p->done < p->total ? p->done : p->total;
	unsigned int full = p->total ? (unsigned int)(BAR_WIDTH * done / p->total) : 0;

	if (!job->bar || p->phase >= VOICE_PHASES)
		return;
	fprintf(stderr, "\r%s [%.*s%*s] ", phases[p->phase], (int)full, "##############################",
		(int)(BAR_WIDTH - full), "");
	if (p->total)
		fprintf(stderr, "%3u %%\033[K", (unsigned int)(100 * done / p->total));
	else
		fprintf(stderr, "%llu\033[K", (unsigned long long)p->done);
	fflush(stderr);
	job->bar_shown = true;
}

static void add_node(struct job *job, const void *data)
{
	struct voice_node *nodes = reallocarray(job->nodes, job->node_count + 1, sizeof(*nodes));

	if (!nodes)
		return;
	memcpy(&nodes[job->node_count++], data, sizeof(*nodes));
	job->nodes = nodes;
}

/* Return: false: there is no point in going on */
static bool take_frame(struct job *job, const struct voice_frame *frame, const char *data)
{
	int error;

	switch (frame->type) {
	case VOICE_DATA:
		clear_bar(job);
		error = write_full(job->out, data, frame->length);
		job->write_failed = error;
		if (error)
			fail(error, "standard output: %s", strerror(-error));
		return !error;
	case VOICE_MESSAGE:
		clear_bar(job);
		fprintf(stderr, "continuumctl: %.*s\n", (int)frame->length, data);
		return true;
	case VOICE_ERRORS:
		clear_bar(job);
		write_full(STDERR_FILENO, data, frame->length);
		return true;
	case VOICE_PROGRESS:
		if (frame->length == sizeof(struct voice_progress))
			show_progress(job, (const struct voice_progress *)data);
		return true;
	case VOICE_NODE:
		if (frame->length == sizeof(struct voice_node))
			add_node(job, data);
		return true;
	case VOICE_TOTALS:
		if (frame->length == sizeof(job->totals)) {
			memcpy(&job->totals, data, sizeof(job->totals));
			job->finished = true;
		}
		return true;
	default:
		return true;
	}
}

/* Return: false at its end; also when nothing more comes, and the process has ended */
static bool frame_read(struct job *job, void *to, size_t length)
{
	struct pollfd poll_pipe = { .fd = job->pipe, .events = POLLIN };
	char *at = to;

	while (length) {
		ssize_t n;
		bool over = atomic_load(&job->over);

		if (poll(&poll_pipe, 1, 200) <= 0) {
			if (over)
				return false;
			continue;
		}
		n = read(job->pipe, at, length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		length -= (size_t)n;
	}
	return true;
}

static void *listen_thread(void *argument)
{
	struct job *job = argument;
	struct voice_frame frame;
	uint64_t *data = malloc(VOICE_MAX);

	while (data && frame_read(job, &frame, sizeof(frame)) && frame.length <= VOICE_MAX &&
	       frame_read(job, data, frame.length))
		if (!take_frame(job, &frame, (const char *)data))
			break;
	free(data);
	clear_bar(job);
	close(job->pipe);	/* which ends it, if it has not */
	return NULL;
}

/* ---- the run ---- */

static int by_name(const void *a, const void *b)
{
	return strverscmp(((const struct voice_node *)a)->name, ((const struct voice_node *)b)->name);
}

static int run_with(struct job *job, char **argv, const int fds[3])
{
	const struct wish wish = { .pin = true, .fds = fds };
	pthread_t thread;
	int status;

	job->bar = isatty(STDERR_FILENO);
	deputy_block_signals();		/* in the thread, too: they are the deputy's to pass on */
	errno = pthread_create(&thread, NULL, listen_thread, job);
	if (errno)
		return fail(-errno, "%s", strerror(errno));
	status = run_wish(&wish, NULL, argv);
	atomic_store(&job->over, true);
	pthread_join(thread, NULL);
	if (job->node_count)
		qsort(job->nodes, job->node_count, sizeof(*job->nodes), by_name);
	return status;
}

static int run_job(struct job *job)
{
	char numbers[4][24], path[PATH_MAX];
	char *argv[] = {
		path, numbers[0], numbers[1], numbers[2], numbers[3], (char *)job->file, (char *)job->what, NULL,
	};
	int status = find_program(job->program, path);
	int pipes[2], fds[3];

	if (status)
		return status;
	snprintf(numbers[0], sizeof(numbers[0]), "%u", job->chunk);
	snprintf(numbers[1], sizeof(numbers[1]), "%u", job->workers);
	snprintf(numbers[2], sizeof(numbers[2]), "%u", job->timeout_ms);
	snprintf(numbers[3], sizeof(numbers[3]), "%llu", (unsigned long long)job->room);
	if (pipe2(pipes, O_CLOEXEC))
		return fail(-errno, "%s", strerror(errno));
	job->pipe = pipes[0];
	/* numbers above 2: run_wish() gives them away and closes them */
	fds[0] = strcmp(job->file, "-") ? open("/dev/null", O_RDONLY | O_CLOEXEC) :
		 fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	fds[1] = pipes[1];
	fds[2] = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fds[0] < 0 || fds[2] < 0)
		return fail(-errno, "%s", strerror(errno));
	return run_with(job, argv, fds);
}

/* ---- the end ---- */

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

/* MB/s while @ns passed */
static double speed(uint64_t bytes, uint64_t ns)
{
	return ns ? (double)bytes / 1e6 / seconds(ns) : 0;
}

static void print_table(const struct job *job)
{
	const struct voice_totals *t = &job->totals;
	char text[16];

	fprintf(stderr, "%s in %llu chunks, %llu %s", size_text(t->bytes, text), (unsigned long long)t->chunks,
		(unsigned long long)t->workers, t->workers == 1 ? "worker" : "workers");
	if (t->waves > 1)
		fprintf(stderr, ", %llu waves", (unsigned long long)t->waves);
	if (t->again)
		fprintf(stderr, ", %llu jobs done again", (unsigned long long)t->again);
	fprintf(stderr, "\n\nPHASE            SECONDS      MB/s\n");
	fprintf(stderr, "read and store  %8.2f  %8.1f\n", seconds(t->phase_ns[VOICE_PUT]), speed(t->bytes, t->phase_ns[VOICE_PUT]));
	fprintf(stderr, "fork            %8.2f\n", seconds(t->phase_ns[VOICE_FORK]));
	fprintf(stderr, "work            %8.2f  %8.1f\n", seconds(t->phase_ns[VOICE_WORK]), speed(t->bytes, t->phase_ns[VOICE_WORK]));
	fprintf(stderr, "all             %8.2f  %8.1f\n", seconds(t->total_ns), speed(t->bytes, t->total_ns));
	fprintf(stderr, "\n%-16s %7s %7s  %12s  %12s\n", "NODE", "WORKERS", "CHUNKS", "FETCHED MB/s", "WORKED MB/s");
	for (const struct voice_node *n = job->nodes; n < job->nodes + job->node_count; n++)
		fprintf(stderr, "%-16.63s %7llu %7llu  %12.1f  %12.1f\n", n->name,
			(unsigned long long)n->workers, (unsigned long long)n->chunks,
			speed(n->bytes, n->fetch_ns), speed(n->bytes, n->work_ns));
}

static void print_json(const struct job *job)
{
	const struct voice_totals *t = &job->totals;
	struct json_object *object = json_object_new_object(), *nodes = json_object_new_array();

	json_add_text(object, "file", job->file);
	json_add_number(object, "words", t->words);
	json_add_number(object, "bytes", t->bytes);
	json_add_number(object, "chunks", t->chunks);
	json_add_number(object, "workers", t->workers);
	json_add_number(object, "again", t->again);
	json_add_number(object, "waves", t->waves);
	json_add_number(object, "put_us", t->phase_ns[VOICE_PUT] / 1000);
	json_add_number(object, "fork_us", t->phase_ns[VOICE_FORK] / 1000);
	json_add_number(object, "work_us", t->phase_ns[VOICE_WORK] / 1000);
	json_add_number(object, "total_us", t->total_ns / 1000);
	for (const struct voice_node *n = job->nodes; n < job->nodes + job->node_count; n++) {
		struct json_object *node = json_object_new_object();

		json_add_text(node, "name", n->name);
		json_add_number(node, "workers", n->workers);
		json_add_number(node, "chunks", n->chunks);
		json_add_number(node, "bytes", n->bytes);
		json_add_number(node, "fetch_us", n->fetch_ns / 1000);
		json_add_number(node, "count_us", n->work_ns / 1000);
		json_object_array_add(nodes, node);
	}
	json_object_object_add(object, "nodes", nodes);
	json_print(object);
}

int command_wordcount(int argc, char **argv)
{
	struct job job = { .program = "wordcount", .out = -1, .chunk = 1u << 20, .workers = 1000, .timeout_ms = 300000 };
	int status = parse(&job, argc, argv, false);
	char rule[2];

	if (!status)
		status = check_file(job.file);
	if (!status)
		status = find_room(&job.room, 80);
	if (status)
		return status;
	snprintf(rule, sizeof(rule), "%d", (int)ask_wc());
	job.what = rule;
	status = run_job(&job);
	if (status)
		return status == RUN_FAILED ? FAILED : status;
	if (!job.finished)
		return fail(-EIO, "wordcount ended without a result");
	if (job.json)
		print_json(&job);
	else
		printf("%llu %s\n", (unsigned long long)job.totals.words, job.file);
	if (job.verbose)
		print_table(&job);
	return DONE;
}

int command_map(int argc, char **argv)
{
	struct job job = { .program = "map", .chunk = 1u << 20, .workers = 100 };
	int status = parse(&job, argc, argv, true);

	if (!status)
		status = check_file(job.file);
	/* the output wants room, too */
	if (!status && find_room(&job.room, 40))
		status = RUN_FAILED;
	if (status)
		return status;
	job.out = STDOUT_FILENO;
	status = run_job(&job);
	if (job.write_failed || (!status && !job.finished))
		return RUN_FAILED;
	if (job.verbose && job.finished)
		print_table(&job);
	return status;
}
