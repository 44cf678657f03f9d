/* SPDX-License-Identifier: GPL-2.0 */
/*
 * client.h - a continuumctl that has connected: who it is, what it asks
 */
#ifndef CONTINUUMD_CLIENT_H
#define CONTINUUMD_CLIENT_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "../restorer/keeper_proto.h"
#include "daemon_proto.h"
#include "loop.h"

#define CLIENT_FDS_MAX	253	/* SCM_MAX_FD of the kernel */

/** struct client - freed when it has been answered, or hangs up: then @gone is called first */
struct client {
	struct source source;
	struct timer timer;		/* until its request has come */
	struct ucred peer;		/* as it was when it connected */
	unsigned int group_count;
	gid_t groups[KEEPER_GROUPS_MAX];
	void (*gone)(void *waiting);	/* set while somebody works on an answer */
	void *waiting;
};

/** struct request - one request with its descriptors, all close-on-exec */
struct request {
	struct daemon_request head;
	unsigned int count;
	int fds[CLIENT_FDS_MAX];
};

/** request_close() - close the descriptors that are left (>= 0) */
void request_close(struct request *request);

/** client_answer() - send @reply, with @fd unless it is -1, and end the client.  Return: 0 or -errno: it has gone */
int client_answer(struct client *client, const struct daemon_reply *reply, int fd);

/** client_refuse() - answer with a positive errno and a line */
void client_refuse(struct client *client, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** clients_listen() - open the socket.  @request is called for each; it owns the descriptors.  Return: 0 or -errno */
int clients_listen(const char *path, void (*request)(struct client *client, struct request *request));

#endif /* CONTINUUMD_CLIENT_H */
