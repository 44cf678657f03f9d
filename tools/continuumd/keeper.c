// SPDX-License-Identifier: GPL-2.0
/*
 * keeper.c - starts a keeper with its namespaces, cgroup and descriptors
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capsule.h"
#include "keeper.h"
#include "log.h"

#define FDS_MAX		253	/* SCM_MAX_FD of the kernel */
#define FIRST_FREE_FD	16	/* above all that a keeper is given */

static struct keeper *keepers;

/** struct outfit - what a new keeper is given */
struct outfit {
	const char *path;
	const char *mode;
	struct capsule capsule;
	int socket;		/* its end */
	int device;
};

static void die(const char *what)
{
	log_error("keeper: %s: %s", what, strerror(errno));
	_exit(127);
}

static int move_high(int fd)
{
	int moved = fcntl(fd, F_DUPFD, FIRST_FREE_FD);

	if (moved < 0)
		die("descriptors");
	return moved;
}

static void place_descriptors(const struct outfit *outfit)
{
	int null = open("/dev/null", O_RDWR);
	const int places[] = {
		[STDIN_FILENO] = move_high(null),
		[STDOUT_FILENO] = move_high(null),
		[STDERR_FILENO] = move_high(STDERR_FILENO),
		[KEEPER_SOCKET_FD] = move_high(outfit->socket),
		[KEEPER_CGROUP_FD] = move_high(outfit->capsule.process_fd),
		[KEEPER_DEVICE_FD] = move_high(outfit->device),
	};
	const int count = sizeof(places) / sizeof(places[0]);

	for (int fd = 0; fd < count; fd++)
		if (dup2(places[fd], fd) < 0)
			die("descriptors");
	if (syscall(SYS_close_range, count, ~0U, 0))
		die("close_range");
}

static void become_keeper(const struct outfit *outfit)
{
	char *const arguments[] = { (char *)"keeper", (char *)outfit->mode, NULL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (chdir("/"))
		die("/");
	umask(022);
	place_descriptors(outfit);
	execv(outfit->path, arguments);
	die(outfit->path);
}

/* Return: pid, or -1 with errno */
static pid_t clone_keeper(const struct outfit *outfit)
{
	struct clone_args args = {
		.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (unsigned int)outfit->capsule.keeper_fd,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (!pid)
		become_keeper(outfit);
	return pid;
}

static void hang_up(struct keeper *keeper)
{
	if (keeper->source.fd < 0)
		return;
	loop_remove(&keeper->source);
	close(keeper->source.fd);
	keeper->source.fd = -1;
}

static void ready(struct source *source, uint32_t events)
{
	struct keeper *keeper = container_of(source, struct keeper, source);
	struct keeper_msg message;
	ssize_t got = recv(source->fd, &message, sizeof(message), MSG_DONTWAIT);

	(void)events;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got != sizeof(message)) {
		hang_up(keeper);
		return;
	}
	message.text[sizeof(message.text) - 1] = '\0';
	if (keeper->owner)
		keeper->owner->heard(keeper, &message);
}

static int open_outfit(const struct config *config, struct outfit *outfit, int *socket_here)
{
	int pair[2];
	int result;

	outfit->device = open("/dev/continuum", O_RDWR | O_CLOEXEC);
	if (outfit->device < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		result = -errno;
		goto err_device;
	}
	result = capsule_create(&outfit->capsule, config->family_budget);
	if (result)
		goto err_sockets;
	outfit->socket = pair[1];
	*socket_here = pair[0];
	return 0;

err_sockets:
	close(pair[0]);
	close(pair[1]);
err_device:
	close(outfit->device);
	return result;
}

static void close_outfit(struct outfit *outfit)
{
	capsule_close(&outfit->capsule);
	close(outfit->socket);
	close(outfit->device);
}

struct keeper *keeper_spawn(const struct config *config, const char *mode,
			    const struct keeper_owner *owner, void *data)
{
	struct outfit outfit = { .path = config->keeper, .mode = mode };
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	int result;

	if (!keeper)
		return NULL;
	result = open_outfit(config, &outfit, &keeper->source.fd);
	if (result)
		goto err_free;
	keeper->source.ready = ready;
	result = loop_add(&keeper->source, EPOLLIN);
	if (result)
		goto err_outfit;
	keeper->pid = clone_keeper(&outfit);
	if (keeper->pid < 0) {
		result = -errno;
		goto err_loop;
	}
	close_outfit(&outfit);
	keeper->capsule = outfit.capsule.number;
	keeper->owner = owner;
	keeper->data = data;
	keeper->next = keepers;
	keepers = keeper;
	return keeper;

err_loop:
	loop_remove(&keeper->source);
err_outfit:
	close(keeper->source.fd);
	close_outfit(&outfit);
	capsule_remove(outfit.capsule.number);
err_free:
	free(keeper);
	errno = -result;
	return NULL;
}

int keeper_send(struct keeper *keeper, const struct keeper_msg *message, const int *fds,
		unsigned int count)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec data = { .iov_base = (void *)message, .iov_len = sizeof(*message) };
	struct msghdr packet = { .msg_iov = &data, .msg_iovlen = 1 };
	struct cmsghdr *header;

	if (count > FDS_MAX)
		return -EINVAL;
	if (count) {
		packet.msg_control = &control;
		packet.msg_controllen = CMSG_SPACE(count * sizeof(int));
		header = CMSG_FIRSTHDR(&packet);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, count * sizeof(int));
	}
	return sendmsg(keeper->source.fd, &packet, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void keeper_kill(struct keeper *keeper)
{
	kill(keeper->pid, SIGKILL);
}

/* What it said last may still wait in its socket. */
static void hear_out(struct keeper *keeper)
{
	while (keeper->source.fd >= 0) {
		char byte;
		ssize_t got = recv(keeper->source.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

		if (got <= 0)
			return;
		ready(&keeper->source, EPOLLIN);
	}
}

bool keeper_reaped(pid_t pid)
{
	struct keeper **at = &keepers;
	struct keeper *keeper;

	while (*at && (*at)->pid != pid)
		at = &(*at)->next;
	keeper = *at;
	if (!keeper)
		return false;
	*at = keeper->next;
	hear_out(keeper);
	hang_up(keeper);
	capsule_remove(keeper->capsule);
	if (keeper->owner)
		keeper->owner->ended(keeper);
	free(keeper);
	return true;
}
