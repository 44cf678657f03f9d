// SPDX-License-Identifier: GPL-2.0
/*
 * self.c - moves itself
 *
 *   self STOP NODE...
 *
 * Calls MIGRATE for itself to one node after another, then, with an impossible
 * target, sees the error and runs on.  Single-threaded, as that call wants.
 */
#include "workload.h"
#include <fcntl.h>
#include <linux/continuum.h>
#include <sys/ioctl.h>

static void move(int fd, const char *node)
{
	struct ctm_migrate m = { .size = sizeof(m) };
	char host[65] = "";
	uint64_t live[4] = { 1, 2, 3, 4 }, sum;
	int tries = 500, err;

	strncpy(m.node, node, sizeof(m.node) - 1);
	asm volatile("" : "+m"(live));
	/* busy: its last journey is not quite over */
	while ((err = ioctl(fd, CTM_IOC_MIGRATE, &m)) && errno == EBUSY && tries--)
		pause_ms(10);
	if (err) {
		fail("to %s: %s: %s", node, strerror(errno), m.reason);
		return;
	}
	sum = live[0] + live[1] + live[2] + live[3];
	VERIFY(sum == 10);
	gethostname(host, sizeof(host) - 1);
	if (strcmp(host, node))
		fail("the call returned on %s, not on %s", host, node);
}

int main(int argc, char **argv)
{
	struct ctm_migrate m = { .size = sizeof(m), .node = "no-such-node" };
	struct ctm_info info = { .size = sizeof(info) };
	int fd, i;

	work_begin(argc, argv);
	fd = open("/dev/continuum", O_RDWR | O_CLOEXEC);
	MUST(fd >= 0);
	MUST(!ioctl(fd, CTM_IOC_INFO, &info));
	work_ready();
	for (i = 2; i < argc; i++)
		move(fd, argv[i]);
	VERIFY(ioctl(fd, CTM_IOC_MIGRATE, &m) == -1 && m.reason[0]);
	while (working())
		pause_ms(20);
	return work_end();
}
