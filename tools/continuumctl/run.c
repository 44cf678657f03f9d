// SPDX-License-Identifier: GPL-2.0
/*
 * run.c - continuumctl run
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "daemon.h"
#include "deputy.h"
#include "order.h"
#include "tty.h"

#define HANG_UP_MS	5000	/* for continuumd to hear that a start is to end */

/* As fail(), for run: 125. */
#define failed(error, ...)	(fail(error, __VA_ARGS__), RUN_FAILED)

static int parse_number(const char *text, uint32_t *number)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end || value > UINT32_MAX)
		return -EINVAL;
	*number = (uint32_t)value;
	return 0;
}

int parse_time(const char *text, uint32_t *ms)
{
	static const struct { const char *unit; double ms; } units[] = {
		{ "", 1e3 }, { "ms", 1 }, { "s", 1e3 }, { "m", 60e3 }, { "h", 3600e3 },
	};
	char *end;
	double value = strtod(text, &end);

	if (*text < '0' || *text > '9')
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(end, units[i].unit) && value * units[i].ms >= 1 &&
		    value * units[i].ms <= UINT32_MAX) {
			*ms = (uint32_t)(value * units[i].ms);
			return 0;
		}
	return -EINVAL;
}

/* Return: DONE or USAGE */
static int parse(int argc, char **argv, struct wish *wish)
{
	static const struct option longs[] = {
		{ "to", required_argument, NULL, 't' },
		{ "pin", no_argument, NULL, 'p' },
		{ "ttl", required_argument, NULL, 'l' },
		{ "lease", required_argument, NULL, 'L' },
		{ "linger", no_argument, NULL, 'g' },
		{ "detach", no_argument, NULL, 'd' },
		{ 0 }
	};
	int option;

	while ((option = next_option(argc, argv, "d", longs)) > 0) {
		if (option == 't')
			wish->to = optarg;
		else if (option == 'p')
			wish->pin = true;
		else if (option == 'g')
			wish->linger = true;
		else if (option == 'd')
			wish->detach = true;
		else if (option == 'l' && (parse_number(optarg, &wish->ttl) || !wish->ttl))
			return usage_error("--ttl wants a number above 0, not \"%s\"", optarg);
		else if (option == 'L' && parse_time(optarg, &wish->lease_ms))
			return usage_error("--lease wants a time as 500ms, 10s, 5m or 1h, not \"%s\"", optarg);
	}
	if (option < 0)
		return USAGE;
	return optind < argc ? DONE : usage_error("no command");
}

/* Before anything is started: is there such a node.  Return: DONE or an exit status */
static int check_target(const char *node)
{
	uint32_t id;
	int error;

	if (!node || !strcmp(node, "any") || !strcmp(node, "home"))
		return DONE;
	error = names_find_id(node, &id);
	if (error == -ESRCH)
		return failed(error, "no node \"%s\" in the cluster (continuumctl peers)", node);
	if (error == -ENOENT)
		return failed(error, "the module is not loaded on this machine (continuumctl up)");
	if (error == -ENETDOWN)
		return failed(error, "the node is not up (continuumctl up)");
	return error ? failed(error, "%s: %s", node, strerror(-error)) : DONE;
}

/* ---- the start ---- */

static int connect_daemon(void)
{
	int socket = daemon_connect();

	if (socket == -ENOENT || socket == -ECONNREFUSED)
		fail(socket, "continuumd is not running on this machine (continuumctl up)");
	else if (socket < 0)
		fail(socket, "continuumd: %s", strerror(-socket));
	return socket;
}

static int refused(const struct daemon_reply *reply)
{
	const char *text = reply->text[0] ? reply->text : strerror((int)reply->error);

	if (reply->stage != DAEMON_STAGE_COMMAND)
		return failed(-(int)reply->error, "%s", text);
	if (!strncmp(text, "exec ", 5))
		text += 5;
	fail(-(int)reply->error, "%s", text);
	return reply->error == ENOENT ? RUN_NOT_FOUND : RUN_NOT_EXEC;
}

/* Has a signal come that would have ended this program?  Return: its number or 0 */
static int pending_end(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	sigset_t pending;

	sigpending(&pending);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (sigismember(&pending, ends[i]))
			return ends[i];
	return 0;
}

/*
 * Signals are blocked: they are looked for now and then.  One that would end this
 * program hangs up, which ends the start; but the answer may be under way by then,
 * and a process that has started needs its deputy, who will pass the signal on.
 */
static int await_reply(int socket, struct daemon_reply *reply, int *device)
{
	struct pollfd poll_socket = { .fd = socket, .events = POLLIN };
	int error, sig = 0;

	while (poll(&poll_socket, 1, sig ? HANG_UP_MS : 200) <= 0) {
		if (sig)		/* continuumd itself is stuck */
			return 128 + sig;
		sig = pending_end();
		if (sig)
			shutdown(socket, SHUT_WR);
	}
	error = daemon_receive(socket, reply, device);
	if (error && sig)
		return 128 + sig;
	if (error)
		return failed(error, "continuumd: %s", strerror(-error));
	return reply->error ? refused(reply) : DONE;
}

static int start(const struct order *order, const struct wish *wish, struct daemon_reply *reply,
		 int *device)
{
	const struct daemon_request request = {
		.version = DAEMON_VERSION,
		.type = DAEMON_START,
		.flags = wish->detach ? DAEMON_DETACH : 0,
		.log_fds = order->log_fds,
	};
	int socket = connect_daemon();
	int status;

	if (socket < 0)
		return RUN_FAILED;
	status = daemon_send(socket, &request, order->fds, order->count);
	if (status)
		status = failed(status, "continuumd: %s", strerror(-status));
	else
		status = await_reply(socket, reply, device);
	close(socket);
	return status;
}

/* ---- --to ---- */

/** struct move - --to, in a thread: the deputy serves the process meanwhile */
struct move {
	int device;
	uint64_t gpid;
	const char *node;
};

static void move_now(const struct move *move)
{
	struct ctm_migrate m;
	int error = continuum_migrate(move->device, move->gpid, move->node, &m);

	if (!error || error == -ESRCH)		/* moved, or has ended already */
		return;
	fprintf(stderr, "continuumctl: it runs at home, not on %s: %s\n", move->node,
		m.reason[0] ? m.reason : strerror(-error));
}

static void *move_thread(void *argument)
{
	move_now(argument);
	return NULL;
}

static void move_beside(struct move *move)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, move_thread, move);
	if (errno)
		fprintf(stderr, "continuumctl: --to: %s\n", strerror(errno));
	else
		pthread_detach(thread);
}

/* ---- after the start ---- */

static int finish_detached(const struct wish *wish, uint64_t gpid)
{
	struct move move = { .gpid = gpid, .node = wish->to };
	char text[CONTINUUM_GPID_MAX];

	puts(continuum_gpid_print(gpid, text));
	fflush(stdout);
	if (!wish->to)
		return DONE;
	move.device = open_device();
	if (move.device < 0)
		return RUN_FAILED;
	move_now(&move);
	return DONE;
}

/*
 * The command's descriptors are the command's now: an open file that somebody
 * else holds too cannot travel, and a pipe held here would not end.  Only where
 * our own messages go stays open: a file is opened once more, a pipe is kept.
 */
void run_release(const int *fds, unsigned int count)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (unsigned int i = 0; i < count; i++) {
		int fd = fds[i];
		struct stat st;
		int own;

		if (fd > STDERR_FILENO) {
			close(fd);
			continue;
		}
		if (fd == STDERR_FILENO && !fstat(fd, &st) && !S_ISREG(st.st_mode))
			continue;
		own = fd == STDERR_FILENO ?
		      open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
		dup2(own < 0 ? null : own, fd);
		if (own >= 0)
			close(own);
	}
	if (null > STDERR_FILENO)
		close(null);
}

/* It ended before it had a deputy: its exit record is all there is. */
static int finish_ended(uint64_t gpid)
{
	struct ctm_wait record;
	int fd = open_device();
	int error = fd < 0 ? fd : continuum_wait(fd, gpid, 0, &record);

	return error ? failed(error, "the process ended: %s", strerror(-error)) :
	       deputy_status(record.status);
}

static int finish_deputy(const struct wish *wish, uint64_t gpid, int device, struct tty *tty)
{
	struct deputy deputy = { .device = device, .gpid = gpid, .tty = tty };
	static struct move move;	/* outlives this function's callers: a thread has it */

	move = (struct move){ .device = device, .gpid = gpid, .node = wish->to };
	if (wish->to)
		move_beside(&move);
	return deputy_run(&deputy);
}

int run_wish(const struct wish *wish, struct tty *tty, char **argv)
{
	struct daemon_reply reply;
	struct order order;
	int device = -1;
	int status = order_make(&order, wish, tty, argv);

	if (status)
		return failed(status, "%s: %s", order.cause, strerror(-status));
	deputy_block_signals();
	status = start(&order, wish, &reply, &device);
	if (status)
		return status;
	close(order.fds[0]);
	if (wish->detach)
		return finish_detached(wish, reply.gpid);
	run_release(order.fds + 1, order.count - 1);
	if (device < 0)
		return finish_ended(reply.gpid);
	return finish_deputy(wish, reply.gpid, device, tty);
}

int command_run(int argc, char **argv)
{
	struct wish wish = { 0 };
	struct tty tty;
	int status = parse(argc, argv, &wish);

	if (!status)
		status = check_target(wish.to);
	if (status)
		return status;
	return run_wish(&wish, tty_find(&tty) ? &tty : NULL, argv + optind);
}
