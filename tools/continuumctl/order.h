/* SPDX-License-Identifier: GPL-2.0 */
/*
 * order.h - what to start and how, as continuumd wants it told
 */
#ifndef CONTINUUMCTL_ORDER_H
#define CONTINUUMCTL_ORDER_H

#include <stdbool.h>
#include <stdint.h>

struct tty;

#define ORDER_FDS_MAX	250

/** struct wish - the options of run */
struct wish {
	const char *to;		/* node to move to at once, or NULL */
	bool pin, linger, detach;
	uint32_t ttl, lease_ms;	/* 0: the default */
	const int *fds;		/* three that become 0, 1 and 2, and no other; NULL: all that are inherited */
};

/** struct order - what daemon_send() needs */
struct order {
	int fds[ORDER_FDS_MAX + 1];	/* the memfd, then the command's */
	unsigned int count;
	uint32_t log_fds;	/* bit n: descriptor n becomes the log (detached) */
	const char *cause;	/* on an error: what could not be told */
};

/**
 * order_make() - everything about this process that the command inherits
 * @tty: the caller's terminal, or NULL when it has none
 * @argv: the command, NULL terminated
 *
 * Return: 0 or -errno.
 */
int order_make(struct order *order, const struct wish *wish, const struct tty *tty, char **argv);

/**
 * run_wish() - start a process, and be its deputy unless it is detached (run.c)
 *
 * Signals of this program are blocked, and @wish->fds closed, from then on.  Return: its exit
 * status, or one that says that it did not start.
 */
int run_wish(const struct wish *wish, struct tty *tty, char **argv);

/** run_release() - descriptors that are the process's now are closed here, as far as may be (run.c) */
void run_release(const int *fds, unsigned int count);

#endif /* CONTINUUMCTL_ORDER_H */
