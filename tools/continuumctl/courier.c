// SPDX-License-Identifier: GPL-2.0
/*
 * courier.c - a thread that takes signal numbers from a pipe
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../lib/continuum.h"
#include "courier.h"

static struct {
	int device;
	uint64_t gpid;
	int to, from;		/* the pipe */
} courier = { .to = -1 };

#define JOB	0x80		/* in a byte of the pipe, beside the signal's number */

static void deliver(int sig, bool job)
{
	char reason[CTM_REASON_MAX];
	int error = continuum_signal(courier.device, courier.gpid, sig,
				     job ? CTM_SIGNAL_GROUP : 0, 0, reason);

	if (error == -EINVAL && job)	/* a module that does not know of groups yet */
		error = continuum_signal(courier.device, courier.gpid, sig, 0, 0, reason);
	if (!error || error == -ESRCH)	/* ended: the deputy is about to hear it */
		return;
	fprintf(stderr, "continuumctl: signal %s: %s\n", sigabbrev_np(sig),
		reason[0] ? reason : strerror(-error));
}

static void *run(void *argument)
{
	unsigned char byte;

	(void)argument;
	while (read(courier.from, &byte, 1) == 1)
		deliver(byte & ~JOB, byte & JOB);
	return NULL;
}

int courier_start(int device, uint64_t gpid)
{
	sigset_t all, old;
	pthread_t thread;
	int ends[2];

	if (!gpid)
		return 0;
	if (pipe2(ends, O_CLOEXEC))
		return -1;
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	courier.device = device;
	courier.gpid = gpid;
	courier.from = ends[0];
	courier.to = ends[1];
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	errno = pthread_create(&thread, NULL, run, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return errno ? -1 : 0;
}

void courier_send(int sig, bool job)
{
	unsigned char byte = (unsigned char)(sig | (job ? JOB : 0));

	/* A pipe full of signals that nobody takes: one more changes nothing. */
	if (courier.to >= 0 && write(courier.to, &byte, 1) < 0)
		return;
}
