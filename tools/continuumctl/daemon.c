// SPDX-License-Identifier: GPL-2.0
/*
 * daemon.c - continuumd's unix socket, from this side
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon.h"

#define FDS_MAX		253	/* SCM_MAX_FD of the kernel */

int daemon_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv(DAEMON_SOCKET_ENV);
	int fd;
	int result;

	if (!path)
		path = DAEMON_SOCKET;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	while (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		if (errno == EINTR)
			continue;
		result = -errno;
		close(fd);
		return result;
	}
	return fd;
}

int daemon_send(int socket, const struct daemon_request *request, const int *fds, unsigned int count)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec data = { .iov_base = (void *)request, .iov_len = sizeof(*request) };
	struct msghdr packet = { .msg_iov = &data, .msg_iovlen = 1 };
	struct cmsghdr *header;

	if (count > FDS_MAX)
		return -EMFILE;
	if (count) {
		packet.msg_control = &control;
		packet.msg_controllen = CMSG_SPACE(count * sizeof(int));
		header = CMSG_FIRSTHDR(&packet);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, count * sizeof(int));
	}
	while (sendmsg(socket, &packet, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int daemon_receive(int socket, struct daemon_reply *reply, int *fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec data = { .iov_base = reply, .iov_len = sizeof(*reply) };
	struct msghdr packet = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space),
	};
	struct cmsghdr *header;
	ssize_t got;

	do
		got = recvmsg(socket, &packet, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	*fd = -1;
	header = CMSG_FIRSTHDR(&packet);
	if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(fd, CMSG_DATA(header), sizeof(int));
	if (got != sizeof(*reply))
		return -ECONNRESET;	/* it died, or is of another version */
	reply->text[sizeof(reply->text) - 1] = '\0';
	return 0;
}

int daemon_ask_with(const struct daemon_request *request, const int *fds, unsigned int count,
		    struct daemon_reply *reply, int *fd)
{
	int socket = daemon_connect();
	int result;

	if (socket < 0)
		return socket;
	result = daemon_send(socket, request, fds, count);
	if (!result)
		result = daemon_receive(socket, reply, fd);
	close(socket);
	return result;
}

int daemon_ask(__u32 type, __u32 flags, struct daemon_reply *reply)
{
	const struct daemon_request request = {
		.version = DAEMON_VERSION, .type = type, .flags = flags,
	};
	int fd = -1;
	int result = daemon_ask_with(&request, NULL, 0, reply, &fd);

	if (fd >= 0)
		close(fd);
	return result;
}
