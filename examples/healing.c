// SPDX-License-Identifier: GPL-2.0
/*
 * healing TARGET [NODE...] - a counter that goes on when the node that counts dies;
 * healing.asm in C, where it is explained
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <continuum.h>

#define TERM	10
#define NODES	64
#define TRIES	60

static char names[NODES][CTM_NAME_MAX];

static int work(int fd, uint64_t counter, uint64_t target)
{
	for (int i = 0; i < TERM && counter < target; i++) {
		usleep(100000);
		counter++;
		continuum_result(fd, &counter, sizeof(counter));
		continuum_worked(fd, NULL);
	}
	return 0;
}

/* Until it has ended, or its host does not answer.  Return: did it end by itself */
static int await(int fd, uint64_t gpid, uint64_t *counter, struct ctm_wait *record)
{
	struct ctm_info info;

	while (continuum_wait(fd, gpid, CTM_WAIT_NOHANG, record)) {
		if (!continuum_info(fd, gpid, &info) && info.state == CTM_STATE_LIMBO)
			return 0;
		usleep(100000);
	}
	if (record->result_len == sizeof(*counter))
		memcpy(counter, record->result, sizeof(*counter));
	return record->end == CTM_END_EXIT;
}

int main(int argc, char **argv)
{
	int fd = continuum_open(), nodes = argc - 2, node = 0, tries = TRIES;
	uint64_t target = argc > 1 ? strtoull(argv[1], NULL, 10) : 0, counter = 0;
	char reason[CTM_REASON_MAX] = "";

	if (nodes < 0 || nodes > NODES) {
		puts("usage: continuumctl run healing TARGET [NODE...]");
		return 2;
	}
	if (fd < 0)
		return printf("/dev/continuum: %s\n", strerror(-fd)), 1;
	for (int i = 0; i < nodes; i++)
		snprintf(names[i], CTM_NAME_MAX, "%s", argv[2 + i]);
	while (counter < target) {
		struct ctm_fork_child child;
		struct ctm_wait record;
		int made = continuum_dist_fork(fd, &child, 1, &names[node], nodes > 0, NULL, reason);

		if (!made)
			return work(fd, counter, target);
		if (made < 0 && !--tries)
			return printf("cannot fork: %s %s\n", strerror(-made), reason), 1;
		if (made > 0 && await(fd, child.gpid, &counter, &record)) {
			printf("%s %llu\n", record.host_name, (unsigned long long)counter);
			tries = TRIES;
		} else {
			printf("%s on %s, goes on from %llu\n", made > 0 ? "died" : "cannot begin",
			       names[node], (unsigned long long)counter);
			node = nodes ? (node + 1) % nodes : 0;
			usleep(made > 0 ? 0 : 1000000);
		}
		fflush(stdout);
	}
	return 0;
}
