// SPDX-License-Identifier: GPL-2.0
/*
 * pingpong COUNT NODE... - a counter that hops from node to node; pingpong.asm in C
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <continuum.h>

static int hop(int fd, const char *node)
{
	struct ctm_migrate m;
	int error;

	/* busy: the last hop is not quite over */
	while ((error = continuum_migrate(fd, 0, node, &m)) == -EBUSY)
		usleep(10000);
	if (error)
		printf("cannot hop: %s %s\n", strerror(-error), m.reason);
	return error;
}

int main(int argc, char **argv)
{
	int fd = continuum_open(), nodes = argc - 2;
	long count = argc > 2 ? strtol(argv[1], NULL, 10) : 0;
	struct ctm_info info;

	if (nodes < 1) {
		puts("usage: continuumctl run pingpong COUNT NODE...");
		return 2;
	}
	if (fd < 0)
		return printf("/dev/continuum: %s\n", strerror(-fd)), 1;
	for (long i = 0; i < count; i++) {
		if (hop(fd, argv[2 + i % nodes]) || continuum_info(fd, 0, &info))
			return 1;
		printf("%s %ld\n", info.host_name, i + 1);
		fflush(stdout);
	}
	return 0;
}
