// SPDX-License-Identifier: GPL-2.0
/*
 * notify.c - READY, to systemd or to the waiting parent
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "notify.h"

static int parent = -1;		/* pipe to the parent of --daemon */

static void notify_systemd(const char *state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	int fd;

	if (!path || strlen(path) >= sizeof(address.sun_path))
		return;
	strcpy(address.sun_path, path);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
	close(fd);
}

static void tell_parent(const char *word)
{
	if (parent < 0)
		return;
	if (write(parent, word, strlen(word)) < 0) {
		/* it has gone: nobody to tell */
	}
	close(parent);
	parent = -1;
}

void notify(const char *state)
{
	notify_systemd(state);
	if (!strcmp(state, "READY=1"))
		tell_parent("+");
}

unsigned int notify_watchdog_ms(void)
{
	const char *limit = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	unsigned long long us;

	if (!limit || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	us = strtoull(limit, NULL, 10);
	if (us / 3000 > INT_MAX)
		return 0;
	return us && us < 3000 ? 1 : (unsigned int)(us / 3000);
}

void notify_failed(const char *error)
{
	tell_parent(error);
}

/* The parent: an error's text goes to standard error. */
static void wait_for_child(int pipe)
{
	char text[512] = "";
	size_t length = 0;
	ssize_t got;

	while (length < sizeof(text) - 1 &&
	       (got = read(pipe, text + length, sizeof(text) - 1 - length)) != 0) {
		if (got < 0 && errno != EINTR)
			break;
		length += got > 0 ? (size_t)got : 0;
	}
	if (!strcmp(text, "+"))
		_exit(0);
	fprintf(stderr, "continuumd: %s\n", text[0] ? text : "ended at its start");
	_exit(1);
}

static void leave_terminal(const char *log_dir)
{
	char path[PATH_MAX + 32];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int log;

	snprintf(path, sizeof(path), "%s/continuumd.log", log_dir);
	log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	setsid();
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(log < 0 ? null : log, STDERR_FILENO);
	if (chdir("/"))
		return;
}

int notify_daemonize(const char *log_dir)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		goto err;
	pid = fork();
	if (pid < 0)
		goto err;
	if (pid) {
		close(ends[1]);
		wait_for_child(ends[0]);
	}
	close(ends[0]);
	parent = ends[1];
	leave_terminal(log_dir);
	return 0;
err:
	fprintf(stderr, "continuumd: %s\n", strerror(errno));
	return -1;
}
