// SPDX-License-Identifier: GPL-2.0
/*
 * servers.c - threads in CTM_IOC_SERVE
 *
 * They block there, in the calls themselves (a read of the terminal, of a pipe),
 * and end with the program.  All signals are blocked in them.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include <linux/continuum.h>

#include "servers.h"

#define SERVERS_MAX	64
#define STACK_SIZE	(64 * 1024)
#define LENT		(16 * 1024)	/* memory in which ioctls of the process are made */

static unsigned int servers;	/* only the main thread starts them */

static void *serve(void *argument)
{
	int device = (int)(intptr_t)argument;
	char lent[LENT] __attribute__((aligned(16)));
	int result;

	do {
		struct ctm_serve serve = {
			.size = sizeof(serve),
			.buf = (uintptr_t)lent,
			.buf_len = sizeof(lent),
		};

		result = ioctl(device, CTM_IOC_SERVE, &serve);
	} while (result < 0 && errno == EINTR);
	return NULL;
}

int servers_start(int device)
{
	pthread_attr_t attributes;
	sigset_t all, old;
	pthread_t thread;

	if (servers == SERVERS_MAX)
		return 0;
	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	errno = pthread_create(&thread, &attributes, serve, (void *)(intptr_t)device);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attributes);
	if (errno)
		return -1;
	servers++;
	return 0;
}
