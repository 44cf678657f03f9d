// SPDX-License-Identifier: GPL-2.0
/*
 * metrics.c - continuumctl metrics
 *
 * A node that is down, or has no module, is no failure here: that is what is measured.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "metrics.h"
#include "module.h"

/* What the kernel knows.  Return: 0 or -errno */
static int gather(struct netlink *nl, struct node *node, struct list *peers, struct list *processes)
{
	int error = cluster_node(nl, node);

	if (error || !node->up)
		return error;
	error = cluster_peers(nl, peers);
	if (!error)
		error = cluster_processes(nl, false, processes);
	if (error == -ENETDOWN) {	/* just now */
		node->up = false;
		error = 0;
	}
	return error;
}

static int print_to(FILE *to, struct netlink *nl, bool each)
{
	struct list peers = { 0 }, processes = { 0 };
	struct metrics metrics = { .each_process = each };
	struct node node;
	int error = nl ? gather(nl, &node, &peers, &processes) : 0;

	if (!error) {
		metrics.node = nl ? &node : NULL;
		metrics.peers = peers.items;
		metrics.peer_count = peers.count;
		metrics.processes = processes.items;
		metrics.process_count = processes.count;
		metrics_print(to, &metrics);
	}
	free(peers.items);
	free(processes.items);
	return error ? fail(error, "%s", netlink_text_of(nl, error)) : DONE;
}

/*
 * A collector may read at any moment, so a new file takes the place of the old one
 * when it is whole.  Its name does not end in ".prom" before.
 */
static int print_file(const char *path, struct netlink *nl, bool each)
{
	char temporary[4096];
	FILE *to;
	int fd, status, error = 0;

	if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >= (int)sizeof(temporary))
		return fail(-ENAMETOOLONG, "%s: %s", path, strerror(ENAMETOOLONG));
	fd = mkostemp(temporary, O_CLOEXEC);
	to = fd < 0 ? NULL : fdopen(fd, "w");
	if (!to) {
		error = -errno;
		if (fd >= 0)
			close(fd);
		if (fd >= 0)
			unlink(temporary);
		return fail(error, "%s: %s", temporary, strerror(-error));
	}
	status = print_to(to, nl, each);
	if (fchmod(fd, 0644) || fflush(to) || ferror(to))
		error = errno ? -errno : -EIO;
	fclose(to);
	if (!status && !error && rename(temporary, path))
		error = -errno;
	if (status || error)
		unlink(temporary);
	return error ? fail(error, "%s: %s", path, strerror(-error)) : status;
}

int command_metrics(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "processes", no_argument, NULL, 'p' },
		{ 0 }
	};
	const char *path = NULL;
	struct netlink *nl = NULL;
	bool each = false;
	int status = DONE;
	int option;

	while ((option = next_option(argc, argv, "o:p", longs)) > 0) {
		if (option == 'o')
			path = optarg;
		else
			each = true;
	}
	if (option < 0)
		return USAGE;
	if (optind < argc)
		return usage_error("\"%s\" is too much", argv[optind]);
	if (module_is_loaded()) {
		nl = open_netlink(&status);
		if (!nl)
			return status;
	}
	status = path ? print_file(path, nl, each) : print_to(stdout, nl, each);
	if (nl)
		close_netlink(nl);
	return status;
}
