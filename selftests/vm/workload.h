/* SPDX-License-Identifier: GPL-2.0 */
/*
 * workload.h - what the programs that are moved have in common
 *
 *   PROGRAM STOP [ARGUMENT...]
 *
 * It prepares, prints "ready", works while it is moved about, and when the file
 * STOP exists it verifies, prints "PASS", or "FAIL" and what is wrong, and exits
 * 0 or 1.  It knows nothing of Continuum: unmoved it does the same.  A program
 * that does not see STOP for ten minutes gives up.
 */
#ifndef CTM_WORKLOAD_H
#define CTM_WORKLOAD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MS	1000000ull
#define SEC	1000000000ull

static const char *work_stop;
static uint64_t work_until;
static unsigned int work_failures;

__attribute__((unused))
static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * SEC + t.tv_nsec;
}

/* Sleeps as long as it says, whatever signals come. */
__attribute__((unused))
static void pause_ms(unsigned int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

__attribute__((format(printf, 1, 2), unused))
static void fail(const char *fmt, ...)
{
	va_list ap;

	if (__atomic_add_fetch(&work_failures, 1, __ATOMIC_RELAXED) > 20)
		return;
	va_start(ap, fmt);
	flockfile(stdout);
	printf("FAIL ");
	vprintf(fmt, ap);
	printf("\n");
	fflush(stdout);
	funlockfile(stdout);
	va_end(ap);
}

#define VERIFY(cond) ((cond) ? 1 : (fail("%s:%d: %s", __FILE__, __LINE__, #cond), 0))

/* for preparations: without them there is no test */
#define MUST(cond) do {								\
	if (!(cond)) {								\
		fail("%s:%d: %s: %s", __FILE__, __LINE__, #cond, strerror(errno)); \
		exit(1);							\
	}									\
} while (0)

__attribute__((unused))
static void work_begin(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s STOP [ARGUMENT...]\n", argv[0]);
		exit(2);
	}
	work_stop = argv[1];
	work_until = clock_ns(CLOCK_MONOTONIC) + 600 * SEC;
}

__attribute__((unused))
static void work_ready(void)
{
	printf("ready\n");
	fflush(stdout);
}

/* Is there more to do?  Costs a system call: not for inner loops. */
__attribute__((unused))
static bool working(void)
{
	if (clock_ns(CLOCK_MONOTONIC) > work_until) {
		fail("nobody said stop");
		return false;
	}
	return access(work_stop, F_OK) != 0;
}

__attribute__((unused))
static int work_end(void)
{
	if (!work_failures)
		printf("PASS\n");
	fflush(stdout);
	return work_failures != 0;
}

#endif /* CTM_WORKLOAD_H */
