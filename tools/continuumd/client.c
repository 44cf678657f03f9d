// SPDX-License-Identifier: GPL-2.0
/*
 * client.c - the listening socket and its connections
 *
 * Anyone may connect, so nothing here waits for a client, and all of them
 * together may hold only so many connections.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"
#include "log.h"

#define CLIENTS_MAX	128
#define CLIENTS_PER_USER 32
#define REQUEST_MS	10000	/* a client sends its request at once */

static struct {
	struct source source;
	void (*request)(struct client *client, struct request *request);
	struct client *clients[CLIENTS_MAX];
	unsigned int count;
} server;

void request_close(struct request *request)
{
	for (unsigned int i = 0; i < request->count; i++)
		if (request->fds[i] >= 0)
			close(request->fds[i]);
	request->count = 0;
}

static void client_end(struct client *client)
{
	for (unsigned int i = 0; i < server.count; i++)
		if (server.clients[i] == client) {
			server.clients[i] = server.clients[--server.count];
			break;
		}
	if (client->gone)
		client->gone(client->waiting);
	timer_cancel(&client->timer);
	loop_remove(&client->source);
	close(client->source.fd);
	free(client);
}

int client_answer(struct client *client, const struct daemon_reply *reply, int fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec data = { .iov_base = (void *)reply, .iov_len = sizeof(*reply) };
	struct msghdr packet = { .msg_iov = &data, .msg_iovlen = 1 };
	struct cmsghdr *header;
	int result = 0;

	if (fd >= 0) {
		packet.msg_control = &control;
		packet.msg_controllen = sizeof(control.space);
		header = CMSG_FIRSTHDR(&packet);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(int));
	}
	if (sendmsg(client->source.fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		result = -errno;
	client->gone = NULL;
	client_end(client);
	return result;
}

void client_refuse(struct client *client, int error, const char *format, ...)
{
	struct daemon_reply reply = {
		.error = (__u32)error,
		.stage = DAEMON_STAGE_CONTINUUM,
	};
	va_list args;

	va_start(args, format);
	vsnprintf(reply.text, sizeof(reply.text), format, args);
	va_end(args);
	client_answer(client, &reply, -1);
}

static void take_descriptors(struct msghdr *packet, struct request *request)
{
	struct cmsghdr *header;

	for (header = CMSG_FIRSTHDR(packet); header; header = CMSG_NXTHDR(packet, header)) {
		size_t bytes = header->cmsg_len - CMSG_LEN(0);

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(request->fds, CMSG_DATA(header), bytes);
		request->count = (unsigned int)(bytes / sizeof(int));
	}
}

/* Return: 0, -EAGAIN when nothing has come, or -errno: no request */
static int receive(int fd, struct request *request)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(CLIENT_FDS_MAX * sizeof(int))];
	} control;
	struct iovec data = { .iov_base = &request->head, .iov_len = sizeof(request->head) };
	struct msghdr packet = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space),
	};
	ssize_t got = recvmsg(fd, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	request->count = 0;
	if (got < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	take_descriptors(&packet, request);
	if (got != sizeof(request->head) || (packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		request_close(request);
		return -EPROTO;
	}
	return 0;
}

static void client_ready(struct source *source, uint32_t events)
{
	struct client *client = container_of(source, struct client, source);
	struct request request;
	int result = receive(source->fd, &request);

	(void)events;
	if (result == -EAGAIN)
		return;
	if (result || client->gone) {		/* hung up, or talks too much */
		if (!result)
			request_close(&request);
		client_end(client);
		return;
	}
	timer_cancel(&client->timer);
	if (request.head.version == DAEMON_VERSION) {
		server.request(client, &request);
		return;
	}
	request_close(&request);
	client_refuse(client, EPROTO, "continuumd and continuumctl are of different versions");
}

static void client_silent(struct timer *timer)
{
	client_end(container_of(timer, struct client, timer));
}

static int identify(struct client *client)
{
	socklen_t length = sizeof(client->peer);

	if (getsockopt(client->source.fd, SOL_SOCKET, SO_PEERCRED, &client->peer, &length))
		return -errno;
	length = sizeof(client->groups);
	if (getsockopt(client->source.fd, SOL_SOCKET, SO_PEERGROUPS, client->groups, &length))
		return -errno;
	client->group_count = (unsigned int)(length / sizeof(gid_t));
	return 0;
}

static bool has_room(uid_t uid)
{
	unsigned int own = 0;

	for (unsigned int i = 0; i < server.count; i++)
		own += server.clients[i]->peer.uid == uid;
	return server.count < CLIENTS_MAX && (!uid || own < CLIENTS_PER_USER);
}

static void accept_client(struct source *source, uint32_t events)
{
	struct client *client = calloc(1, sizeof(*client));
	int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	if (fd < 0 || !client)
		goto err_close;
	client->source.fd = fd;
	client->source.ready = client_ready;
	client->timer.expired = client_silent;
	if (identify(client) || !has_room(client->peer.uid) || loop_add(&client->source, EPOLLIN))
		goto err_close;
	timer_set(&client->timer, REQUEST_MS);
	server.clients[server.count++] = client;
	return;

err_close:
	if (fd >= 0)
		close(fd);
	free(client);
}

int clients_listen(const char *path, void (*request)(struct client *client, struct request *request))
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;
	int result;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || chmod(path, 0666) ||
	    listen(fd, 64)) {
		result = -errno;
		close(fd);
		return result;
	}
	server.request = request;
	server.source.fd = fd;
	server.source.ready = accept_client;
	return loop_add(&server.source, EPOLLIN);
}
