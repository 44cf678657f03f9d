// SPDX-License-Identifier: GPL-2.0
/*
 * census NODE... - who is there? Forks itself onto every node that is named; census.asm in C
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <continuum.h>

#define NODES	64

static char names[NODES][CTM_NAME_MAX];
static struct ctm_fork_child children[NODES];

/* what a child does: it leaves the name of the node on which it finds itself */
static int answer(int fd)
{
	struct ctm_info info;
	int error = continuum_info(fd, 0, &info);

	if (!error)
		error = continuum_result(fd, info.host_name, CTM_RESULT_MAX);
	return error != 0;
}

int main(int argc, char **argv)
{
	int fd = continuum_open(), nodes = argc - 1, made, answers = 0;
	char reason[CTM_REASON_MAX] = "";
	struct ctm_wait record;

	if (nodes < 1 || nodes > NODES) {
		puts("usage: continuumctl run census NODE..., up to 64");
		return 2;
	}
	if (fd < 0)
		return printf("/dev/continuum: %s\n", strerror(-fd)), 1;
	for (int i = 0; i < nodes; i++)
		snprintf(names[i], CTM_NAME_MAX, "%s", argv[1 + i]);
	made = continuum_dist_fork(fd, children, (uint32_t)nodes, names, (uint32_t)nodes, NULL, reason);
	if (!made)
		return answer(fd);
	if (made < 0)
		return printf("nobody could be sent: %s %s\n", strerror(-made), reason), 1;
	for (int i = 0; i < nodes; i++)
		if (children[i].error)
			printf("%s does not answer: error %u\n", names[i], children[i].error);
	while (made) {
		int error = continuum_wait(fd, 0, CTM_WAIT_CHILD, &record);

		if (error == -EINTR)
			continue;
		if (error)
			break;
		made--;
		if (record.result_len != CTM_RESULT_MAX)
			continue;
		answers++;
		printf("%.64s answers from %.64s\n", (const char *)record.result, record.host_name);
	}
	printf("%d of %d\n", answers, nodes);
	return answers != nodes;
}
