// SPDX-License-Identifier: GPL-2.0
/*
 * worked.c - sleeps; SIGUSR1: says that it does useful work; SIGTERM: ends
 */
#include "workload.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <linux/continuum.h>

int main(int argc, char **argv)
{
	struct ctm_worked w;
	sigset_t set;
	int fd, sig;

	work_begin(argc, argv);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	work_ready();
	while (!sigwait(&set, &sig) && sig == SIGUSR1) {
		memset(&w, 0, sizeof(w));
		w.size = sizeof(w);
		fd = open("/dev/continuum", O_RDWR | O_CLOEXEC);
		MUST(fd >= 0);
		VERIFY(!ioctl(fd, CTM_IOC_WORKED, &w) && w.ttl == 32);
		close(fd);
	}
	return work_end();
}
