// SPDX-License-Identifier: GPL-2.0
/*
 * start.c - starts processes
 *
 * A start lives from a client's request until its keeper has said STARTED or
 * FAILED, or has died.  Then the client is answered; the keeper goes on by
 * itself and nobody here asks for it any more.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "detach.h"
#include "keeper.h"
#include "log.h"
#include "order.h"
#include "start.h"

#define START_MS	30000

struct start {
	const struct config *config;
	struct client *client;		/* NULL when it has gone */
	struct keeper *keeper;
	struct timer timer;
	unsigned int flags;		/* DAEMON_* */
	struct process_log log;
};

static void start_end(struct start *start, const struct daemon_reply *reply, int fd)
{
	timer_cancel(&start->timer);
	if (start->keeper)
		start->keeper->owner = NULL;
	process_log_drop(&start->log);
	if (start->client)
		client_answer(start->client, reply, fd);
	free(start);
}

static void start_fail(struct start *start, int error, unsigned int stage, const char *text)
{
	struct daemon_reply reply = { .error = (__u32)error, .stage = stage };

	snprintf(reply.text, sizeof(reply.text), "%s", text);
	start_end(start, &reply, -1);
}

static void client_gone(void *waiting)
{
	struct start *start = waiting;

	start->client = NULL;
	/* Nobody would know of it. */
	keeper_kill(start->keeper);
}

/* Return: /dev/continuum as the deputy of the process, or -errno */
static int open_deputy(__u64 gpid)
{
	struct ctm_deputy deputy = { .size = sizeof(deputy), .gpid = gpid };
	int fd = open("/dev/continuum", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	int result;

	if (fd < 0)
		return -errno;
	if (!ioctl(fd, CTM_IOC_DEPUTY, &deputy))
		return fd;
	result = -errno;
	close(fd);
	return result;
}

/* ESRCH: it has ended before it could have a deputy, and needs none. */
static void start_done(struct start *start, __u64 gpid)
{
	struct daemon_reply reply = { .gpid = gpid };
	int fd = open_deputy(gpid);

	if (fd < 0 && fd != -ESRCH) {
		keeper_kill(start->keeper);
		start_fail(start, -fd, DAEMON_STAGE_CONTINUUM, "the process could get no deputy");
		return;
	}
	process_log_name(&start->log, start->config, gpid);
	if (start->flags & DAEMON_DETACH && fd >= 0) {
		int error = detach_deputy(&start->client->peer, start->client->groups,
					  start->client->group_count, fd);

		if (error)
			log_error("process %s.%u: no deputy: %s", start->config->name,
				  CTM_GPID_SEQ(gpid), strerror(-error));
		close(fd);
		fd = -1;
	}
	start_end(start, &reply, fd);
	if (fd >= 0)
		close(fd);
}

static void heard(struct keeper *keeper, const struct keeper_msg *message)
{
	struct start *start = keeper->data;

	switch (message->type) {
	case KEEPER_STARTED:
		if (start->client)
			start_done(start, message->gpid);
		return;
	case KEEPER_FAILED:
		start_fail(start, (int)message->error,
			   !strncmp(message->text, "exec", 4) ? DAEMON_STAGE_COMMAND :
			   DAEMON_STAGE_CONTINUUM, message->text);
		return;
	}
}

static void ended(struct keeper *keeper)
{
	struct start *start = keeper->data;

	start->keeper = NULL;
	start_fail(start, EIO, DAEMON_STAGE_CONTINUUM,
		   "the keeper ended before the process started (see continuumd's log)");
}

static const struct keeper_owner owner = { .heard = heard, .ended = ended };

static void timed_out(struct timer *timer)
{
	struct start *start = container_of(timer, struct start, timer);

	keeper_kill(start->keeper);
	start_fail(start, ETIMEDOUT, DAEMON_STAGE_CONTINUUM, "the process did not start in time");
}

/* Descriptors of the log come after those of the client.  Return: 0 or -errno */
static int add_log(struct start *start, const struct client *client, unsigned int log_fds,
		   struct order *order, struct request *request)
{
	int result = process_log_create(&start->log, start->config, &client->peer);

	for (int fd = 1; !result && fd <= 2; fd++) {
		int copy;

		if (!(log_fds & (1u << fd)))
			continue;
		if (order->start->nfds == 250 || request->count == CLIENT_FDS_MAX)
			return -EMFILE;
		copy = fcntl(start->log.fd, F_DUPFD_CLOEXEC, 3);
		if (copy < 0)
			return -errno;
		order->start->fds[order->start->nfds++] = fd;
		request->fds[request->count++] = copy;
	}
	return result;
}

/* request->fds[0], the client's memfd, is replaced by one of ours. */
static int prepare(struct start *start, const struct client *client, struct request *request)
{
	unsigned int log_fds = request->head.flags & DAEMON_DETACH ? request->head.log_fds & 6 : 0;
	struct order order;
	int result;

	if (!request->count)
		return -EINVAL;
	result = order_read(request->fds[0], request->count - 1, &order);
	if (result)
		return result;
	result = order_set_owner(&order, client);
	if (!result && log_fds)
		result = add_log(start, client, log_fds, &order, request);
	if (!result)
		result = order_memfd(&order);
	order_free(&order);
	if (result < 0)
		return result;
	close(request->fds[0]);
	request->fds[0] = result;
	return 0;
}

static int hand_over(struct start *start, const struct request *request)
{
	const struct keeper_msg message = { .type = KEEPER_START };

	start->keeper = keeper_spawn(start->config, "run", &owner, start);
	if (!start->keeper)
		return -errno;
	return keeper_send(start->keeper, &message, request->fds, request->count);
}

void start_begin(const struct config *config, struct client *client, struct request *request)
{
	struct start *start = calloc(1, sizeof(*start));
	const char *what = "the request is not well formed";
	int result = -ENOMEM;

	if (!start)
		goto out;
	start->config = config;
	start->log.fd = -1;
	start->flags = request->head.flags;
	start->timer.expired = timed_out;
	result = prepare(start, client, request);
	if (result)
		goto out;
	what = "a keeper could not be started";
	result = hand_over(start, request);
out:
	request_close(request);
	if (!result) {
		start->client = client;
		client->gone = client_gone;
		client->waiting = start;
		timer_set(&start->timer, START_MS);
		return;
	}
	if (result == -E2BIG)
		what = "arguments and environment are too long";
	client_refuse(client, -result, "%s: %s", what, strerror(-result));
	if (!start)
		return;
	if (start->keeper) {
		start->keeper->owner = NULL;
		keeper_kill(start->keeper);
	}
	process_log_drop(&start->log);
	free(start);
}
