// SPDX-License-Identifier: GPL-2.0
/*
 * drain.c - continuumctl drain: empty this node, and say what stays and what stays behind
 *
 * The kernel moves the processes; this watches until nothing is left, or it says that
 * it has done what it can.  The node goes on draining (and accepts nothing) until
 * "drain off", also when this is interrupted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "output.h"

#define LOOK_MS		200
#define EXPLAIN_ROOM	65537

static int ask(struct netlink *nl, unsigned int what)
{
	struct nlmsghdr *request = netlink_begin(nl, CTM_CMD_NODE_SET, false);
	int error;

	mnl_attr_put_u8(request, CTM_NODE_A_DRAIN, (uint8_t)what);
	error = netlink_send(nl, request, NULL, NULL);
	return error ? fail(error, "drain: %s", netlink_text_of(nl, error)) : DONE;
}

static bool lives_on(const struct ctm_info *p, uint32_t node)
{
	return p->host == node && p->state != CTM_STATE_ENDED;
}

/* Findings of @kind ("stop: ") about a process, one a line; prints them.  Return: how many */
static unsigned int findings(int device, const struct ctm_info *p, const char *kind, const char *what)
{
	static char text[EXPLAIN_ROOM];
	char name[CONTINUUM_GPID_MAX], *line, *state = NULL;
	unsigned int count = 0;

	if (continuum_explain(device, p->gpid, "", text, sizeof(text), NULL))
		return 0;
	for (line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
		if (!strncmp(line, kind, strlen(kind))) {
			printf("%s (%s) %s: %s\n", gpid_text(p, name), p->comm, what,
			       line + strlen(kind));
			count++;
		}
	return count;
}

/* Descriptors that stay at home stay here only if this is home. */
static void name_what_stays_behind(int device, const struct list *list, uint32_t node)
{
	const struct ctm_info *p = list->items;

	for (size_t i = 0; i < list->count; i++)
		if (lives_on(&p[i], node) && p[i].home == node)
			findings(device, &p[i], "home: ", "stays behind");
}

static int wait_drained(struct netlink *nl)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	struct node node;
	int error;

	do {
		nanosleep(&pause, NULL);
		error = cluster_node(nl, &node);
		if (error)
			return fail(error, "%s", netlink_text_of(nl, error));
		if (!node.up)
			return fail(-ENETDOWN, "the node went down meanwhile");
		if (strcmp(node.mode, "draining"))
			return fail(-ECANCELED, "the drain was called off meanwhile");
	} while (node.load.processes && !node.drained);
	return DONE;
}

static const struct ctm_info *find(const struct list *list, uint64_t gpid)
{
	const struct ctm_info *p = list->items;

	for (size_t i = 0; i < list->count; i++)
		if (p[i].gpid == gpid)
			return &p[i];
	return NULL;
}

/* Return: DONE, or FAILED when something is left */
static int report(int device, const struct list *before, const struct list *after, uint32_t node)
{
	const struct ctm_info *p = before->items, *now;
	char name[CONTINUUM_GPID_MAX], host[CTM_NAME_MAX];
	unsigned int left = 0;

	for (size_t i = 0; i < before->count; i++) {
		if (!lives_on(&p[i], node))
			continue;
		now = find(after, p[i].gpid);
		if (now && now->host != node)
			printf("%s (%s) moved to %s\n", gpid_text(now, name), now->comm,
			       node_text(now->host_name, now->host, host));
	}
	p = after->items;
	for (size_t i = 0; i < after->count; i++) {
		if (!lives_on(&p[i], node))
			continue;
		left++;
		if (!findings(device, &p[i], "stop: ", "is left") &&
		    !findings(device, &p[i], "note: it is pinned", "is left: it is pinned (--force)"))
			printf("%s (%s) is left: no other node has taken it (continuumctl peers)\n",
			       gpid_text(&p[i], name), p[i].comm);
	}
	if (!left)
		return DONE;
	return fail(-EBUSY, "%u process%s left", left, left == 1 ? " is" : "es are");
}

static int drain(struct netlink *nl, bool force)
{
	struct list before = { 0 }, after = { 0 };
	struct node node;
	int device = open_device();
	int error, status;

	if (device < 0)
		return FAILED;
	error = cluster_node(nl, &node);
	if (!error)
		error = cluster_processes(nl, false, &before);
	if (error) {
		status = fail(error, "%s", netlink_text_of(nl, error));
		goto out;
	}
	status = ask(nl, force ? 2 : 1);
	if (status)
		goto out;
	name_what_stays_behind(device, &before, node.id);
	fflush(stdout);
	status = wait_drained(nl);
	if (!status) {
		error = cluster_processes(nl, false, &after);
		status = error ? fail(error, "%s", netlink_text_of(nl, error)) :
			 report(device, &before, &after, node.id);
	}
out:
	free(before.items);
	free(after.items);
	close(device);
	return status;
}

int command_drain(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "force", no_argument, NULL, 'f' },
		{ 0 }
	};
	struct netlink *nl;
	bool force = false, off;
	int status = DONE;
	int option;

	while ((option = next_option(argc, argv, "", longs)) > 0)
		force = true;
	if (option < 0)
		return USAGE;
	off = optind < argc && !strcmp(argv[optind], "off");
	if (argc > optind + off)
		return usage_error("\"%s\" is too much", argv[optind + off]);
	nl = open_netlink(&status);
	if (!nl)
		return status;
	status = off ? ask(nl, 0) : drain(nl, force);
	close_netlink(nl);
	return status;
}
