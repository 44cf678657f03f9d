// SPDX-License-Identifier: GPL-2.0
/*
 * order.c - struct keeper_start from what this process is
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/continuum.h>

#include "../restorer/keeper_proto.h"
#include "order.h"
#include "tty.h"

#define SEALS	(F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

extern char **environ;

static bool is_inherited(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	return flags >= 0 && !(flags & FD_CLOEXEC);
}

static int add_fd(struct order *order, struct keeper_start *start, int number, int fd)
{
	if (start->nfds == ORDER_FDS_MAX)
		return -EMFILE;
	start->fds[start->nfds++] = number;
	order->fds[order->count++] = fd;
	return 0;
}

/* All that an exec would leave open, but those in @without. */
static int add_inherited(struct order *order, struct keeper_start *start, uint32_t without)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;
	int result = 0;

	if (!directory)
		return -errno;
	while (!result && (entry = readdir(directory))) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] == '.' || fd == dirfd(directory) || !is_inherited(fd))
			continue;
		if (fd < 32 && without & 1u << fd)
			continue;
		result = add_fd(order, start, fd, fd);
	}
	closedir(directory);
	return result;
}

/*
 * A terminal, and also a pipe: whoever reads the GPID from it, as a shell does in
 * $(continuumctl run -d ...), would otherwise wait for the end of the process.
 */
static bool goes_to_log(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return false;
	return S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || isatty(fd);
}

/* Detached: input from /dev/null, output to the log unless it goes to a file. */
static int add_detached(struct order *order, struct keeper_start *start)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int result;

	if (null < 0)
		return -errno;
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		order->log_fds |= goes_to_log(fd) ? 1u << fd : 0;
	result = add_fd(order, start, STDIN_FILENO, null);
	return result ? result : add_inherited(order, start, order->log_fds | 1);
}

static int add_descriptors(struct order *order, struct keeper_start *start,
			   const struct wish *wish, const struct tty *tty)
{
	order->count = 1;		/* the memfd's place */
	order->log_fds = 0;
	if (wish->fds) {
		int error = 0;

		for (int i = 0; i < 3 && !error; i++)
			error = add_fd(order, start, i, wish->fds[i]);
		return error;
	}
	if (wish->detach)
		return add_detached(order, start);
	if (!tty)
		return add_inherited(order, start, 0);
	start->flags |= CTM_ADOPT_TTY;
	start->tty_fds = tty->fds;
	if (tty_settings(tty, start->termios, &start->rows, &start->cols))
		memset(start->termios, 0, sizeof(start->termios));
	return add_inherited(order, start, tty->fds);
}

static void add_limits(struct keeper_start *start)
{
	mode_t mask = umask(0);

	umask(mask);
	start->umask = mask;
	start->nice = getpriority(PRIO_PROCESS, 0);
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

		getrlimit(i, &limit);
		start->rlimits[i].cur = limit.rlim_cur;
		start->rlimits[i].max = limit.rlim_max;
	}
}

/** struct text - the strings, one after another */
struct text {
	char *at, *end;
};

static int put_string(struct text *text, const char *string)
{
	size_t length = strlen(string) + 1;

	if (length > (size_t)(text->end - text->at))
		return -E2BIG;
	memcpy(text->at, string, length);
	text->at += length;
	return 0;
}

static int put_strings(struct text *text, char **strings, __u32 *count)
{
	for (; *strings; strings++) {
		if (put_string(text, *strings))
			return -E2BIG;
		++*count;
	}
	return 0;
}

static int add_strings(struct order *order, struct keeper_start *start, char **argv)
{
	struct text text = { start->strings, (char *)start + KEEPER_MSG_MAX };
	char directory[PATH_MAX];

	order->cause = "the current directory";
	if (!getcwd(directory, sizeof(directory)))
		return -errno;
	if (directory[0] != '/')
		return -ENOENT;
	order->cause = "arguments and environment";
	if (put_string(&text, directory) || put_strings(&text, argv, &start->argc) ||
	    put_strings(&text, environ, &start->envc))
		return -E2BIG;
	start->bytes = (__u32)(text.at - start->strings);
	return 0;
}

static int make_memfd(const struct keeper_start *start)
{
	size_t length = sizeof(*start) + start->bytes;
	int fd = memfd_create("continuum-start", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	for (size_t done = 0; done < length;) {
		ssize_t put = write(fd, (const char *)start + done, length - done);

		if (put < 0)
			return -errno;
		done += (size_t)put;
	}
	return fcntl(fd, F_ADD_SEALS, SEALS) ? -errno : fd;
}

int order_make(struct order *order, const struct wish *wish, const struct tty *tty, char **argv)
{
	struct keeper_start *start = calloc(1, KEEPER_MSG_MAX);
	int result = -ENOMEM;

	order->cause = "memory";
	if (!start)
		return result;
	start->size = sizeof(*start);
	start->flags = (wish->pin ? CTM_ADOPT_PIN : 0) | (wish->linger ? CTM_ADOPT_LINGER : 0);
	start->ttl = wish->ttl;
	start->lease_ms = wish->lease_ms;
	add_limits(start);
	result = add_strings(order, start, argv);
	if (result)
		goto out;
	order->cause = "descriptors";
	result = add_descriptors(order, start, wish, tty);
	if (result)
		goto out;
	order->cause = "memory";
	result = make_memfd(start);
	if (result >= 0) {
		order->fds[0] = result;
		result = 0;
	}
out:
	free(start);
	return result;
}
