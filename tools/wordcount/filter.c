// SPDX-License-Identifier: GPL-2.0
/*
 * filter.c - a shell command with bytes for its input, and what it puts out
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "filter.h"

extern char **environ;

/* our ends of the pipes; -1: closed */
struct ends {
	int in, out, err;
	char *piece;
	size_t piece_bytes, written;
};

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int make_pipes(int pipes[3][2])
{
	for (int i = 0; i < 3; i++)
		if (pipe2(pipes[i], O_CLOEXEC)) {
			int error = -errno;

			while (i--) {
				close(pipes[i][0]);
				close(pipes[i][1]);
			}
			return error;
		}
	return 0;
}

static int spawn(const char *command, int pipes[3][2], pid_t *pid)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)command, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t defaults;
	int error;

	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipes[0][0], 0);
	posix_spawn_file_actions_adddup2(&actions, pipes[1][1], 1);
	posix_spawn_file_actions_adddup2(&actions, pipes[2][1], 2);
	error = posix_spawn(pid, "/bin/sh", &actions, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return -error;
}

static int start(struct filter *f, struct ends *e, pid_t *pid)
{
	int pipes[3][2], error = make_pipes(pipes);
	char number[24];

	if (error)
		return error;
	snprintf(number, sizeof(number), "%llu", (unsigned long long)f->chunk);
	setenv("CONTINUUM_CHUNK", number, 1);
	error = spawn(f->command, pipes, pid);
	close(pipes[0][0]);
	close(pipes[1][1]);
	close(pipes[2][1]);
	e->in = pipes[0][1];
	e->out = pipes[1][0];
	e->err = pipes[2][0];
	fcntl(e->in, F_SETFL, O_NONBLOCK);
	fcntl(e->out, F_SETFL, O_NONBLOCK);
	fcntl(e->err, F_SETFL, O_NONBLOCK);
	return error;
}

static void feed(struct filter *f, struct ends *e)
{
	ssize_t n = write(e->in, (const char *)f->input + e->written, f->input_bytes - e->written);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* it need not read all */
	e->written = n < 0 ? f->input_bytes : e->written + (size_t)n;
	if (e->written == f->input_bytes)
		close_end(&e->in);
}

static int drain_output(struct filter *f, struct ends *e)
{
	ssize_t n = read(e->out, e->piece + e->piece_bytes, FILTER_PIECE - e->piece_bytes);
	int error = 0;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	e->piece_bytes += (size_t)n;
	if (!n)
		close_end(&e->out);
	if (e->piece_bytes == FILTER_PIECE || (!n && e->piece_bytes)) {
		error = f->output(f->context, e->piece, e->piece_bytes);
		e->piece_bytes = 0;
	}
	return error;
}

static void drain_errors(struct filter *f, struct ends *e)
{
	char rest[4096];
	size_t room = FILTER_ERRORS - f->error_bytes;
	ssize_t n = room ? read(e->err, f->errors + f->error_bytes, room) : read(e->err, rest, sizeof(rest));

	if (n > 0 && room)
		f->error_bytes += (size_t)n;
	if (!n || (n < 0 && errno != EAGAIN && errno != EINTR))
		close_end(&e->err);
}

static int serve(struct filter *f, struct ends *e)
{
	int error = 0;

	if (!f->input_bytes)
		close_end(&e->in);
	while (!error && (e->out >= 0 || e->err >= 0)) {
		/* poll(2) leaves out what is -1 */
		struct pollfd fds[] = {
			{ e->in, POLLOUT, 0 }, { e->out, POLLIN, 0 }, { e->err, POLLIN, 0 },
		};

		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents)
			feed(f, e);
		if (fds[1].revents)
			error = drain_output(f, e);
		if (fds[2].revents)
			drain_errors(f, e);
	}
	return error;
}

int filter_run(struct filter *f)
{
	struct ends e = { -1, -1, -1, NULL, 0, 0 };
	int status, error;
	pid_t pid = -1;

	f->error_bytes = 0;
	f->errors = malloc(FILTER_ERRORS);
	e.piece = malloc(FILTER_PIECE);
	signal(SIGPIPE, SIG_IGN);
	error = f->errors && e.piece ? start(f, &e, &pid) : -ENOMEM;
	if (!error)
		error = serve(f, &e);
	close_end(&e.in);
	close_end(&e.out);
	close_end(&e.err);
	free(e.piece);
	if (pid < 0)
		return error;
	if (error)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (error)
		return error;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
