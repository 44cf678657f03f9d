// SPDX-License-Identifier: GPL-2.0
/*
 * forks.c - a fork bomb: it and all its children fork as fast as they can
 *
 * The first says once why a fork failed.  It ends when it is killed, or at STOP.
 */
#include "workload.h"
#include <signal.h>

int main(int argc, char **argv)
{
	pid_t first = getpid();
	bool said = false;

	work_begin(argc, argv);
	signal(SIGCHLD, SIG_IGN);
	work_ready();
	while (working()) {
		pid_t pid = fork();

		if (pid < 0 && getpid() == first && !said) {
			printf("fork: %s\n", strerror(errno));
			fflush(stdout);
			said = true;
		}
	}
	return getpid() == first ? work_end() : 0;
}
