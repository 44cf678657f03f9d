// SPDX-License-Identifier: GPL-2.0
/*
 * up.c - continuumctl up and down
 *
 * Both may be repeated: what is done already is left alone.
 */
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "../continuumd/config.h"
#include "beside.h"
#include "ctl.h"
#include "daemon.h"
#include "module.h"
#include "output.h"

extern char **environ;

/* ---- up ---- */

/* The daemon beside this program (build tree), its place when installed, or PATH. */
static const char *daemon_path(char path[PATH_MAX])
{
	static const char *const beside[] = { "continuumd", "../sbin/continuumd" };

	for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++)
		if (find_beside(beside[i], path))
			return path;
	return "continuumd";
}

/* systemd keeps the daemon, where it is in charge and has the unit. */
static bool has_unit(void)
{
	return !access("/run/systemd/system", F_OK) &&
	       (!access("/lib/systemd/system/continuumd.service", F_OK) ||
		!access("/etc/systemd/system/continuumd.service", F_OK));
}

static int run_program(char *const arguments[])
{
	pid_t pid;
	int status;

	errno = posix_spawnp(&pid, arguments[0], NULL, NULL, arguments, environ);
	if (errno)
		return fail(-EIO, "%s: %s", arguments[0], strerror(errno));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return FAILED;
	return status ? FAILED : DONE;	/* it has said why */
}

static int start_daemon(void)
{
	char path[PATH_MAX];
	char *const by_systemd[] = {
		(char *)"systemctl", (char *)"start", (char *)"continuumd.service", NULL,
	};
	char *const directly[] = { (char *)daemon_path(path), (char *)"--daemon", NULL };
	int socket = daemon_connect();

	if (socket >= 0) {
		close(socket);
		return DONE;
	}
	if (strchr(directly[0], '/') && strcmp(directly[0], "/usr/bin/../sbin/continuumd"))
		return run_program(directly);
	return run_program(has_unit() ? by_systemd : directly);
}

/* The unit would be skipped without a word. */
static int check_key(void)
{
	if (!has_unit() || !access(CONFIG_KEY_FILE, F_OK) || errno != ENOENT)
		return DONE;
	return fail(-EINVAL, "no cluster key: put the same one into %s on every node, mode 0600 (continuumctl genkey makes one)",
		    CONFIG_KEY_FILE);
}

/* The daemon runs: is the node up. */
static int check_node(void)
{
	struct netlink *nl;
	struct node node;
	int status = DONE;
	int error;

	nl = open_netlink(&status);
	if (!nl)
		return status;
	error = cluster_node(nl, &node);
	if (error)
		status = fail(error, "%s", netlink_text_of(nl, error));
	else if (!node.up)
		status = fail(-ENETDOWN, "continuumd runs, but the node is not up (continuumctl down, then up)");
	else if (node.abi_version != CTM_ABI_VERSION)
		status = fail(-EPROTO, "tools and module are of different versions (interface %u and %u)",
			      CTM_ABI_VERSION, node.abi_version);
	close_netlink(nl);
	return status;
}

int command_up(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "module", required_argument, NULL, 'm' },
		{ 0 }
	};
	const char *module = getenv("CONTINUUM_MODULE");
	int status = DONE;
	int option;

	while ((option = next_option(argc, argv, "", longs)) > 0)
		module = optarg;
	if (option < 0)
		return USAGE;
	if (geteuid())
		return fail(-EPERM, "only root may bring the node up");
	status = check_key();
	if (!status && !module_is_loaded())
		status = module_load(module);
	if (!status)
		status = start_daemon();
	if (!status)
		status = check_node();
	return status || optind == argc ? status : join_all(argc, argv);
}

/* ---- down ---- */

static bool lives_here(const struct ctm_info *process, uint32_t node)
{
	return process->host == node && process->state != CTM_STATE_ENDED;
}

/* Return: DONE, or FAILED after a list of what lives here */
static int refuse_with_list(const struct list *list, uint32_t node)
{
	const struct ctm_info *processes = list->items;
	char text[CONTINUUM_GPID_MAX];
	unsigned int count = 0;

	for (size_t i = 0; i < list->count; i++)
		count += lives_here(&processes[i], node);
	if (!count)
		return DONE;
	fail(-EBUSY, "%u process%s live%s here (continuumctl migrate or kill):", count,
	     count == 1 ? "" : "es", count == 1 ? "s" : "");
	for (size_t i = 0; i < list->count; i++)
		if (lives_here(&processes[i], node))
			fprintf(stderr, "  %s %s\n", gpid_text(&processes[i], text), processes[i].comm);
	return FAILED;
}

static int check_empty(struct netlink *nl)
{
	struct list list = { 0 };
	struct node node;
	int error = cluster_node(nl, &node);
	int status;

	if (!error && !node.up)
		return DONE;
	if (!error)
		error = cluster_processes(nl, false, &list);
	if (error)
		return fail(error, "%s", netlink_text_of(nl, error));
	status = refuse_with_list(&list, node.id);
	free(list.items);
	return status;
}

/* Without a daemon, the node is taken down from here. */
static int take_down(struct netlink *nl)
{
	struct daemon_reply reply;
	int error = daemon_ask(DAEMON_STOP, 0, &reply);

	if (!error)
		return reply.error ? fail(-(int)reply.error, "%s", reply.text) : DONE;
	if (error != -ENOENT && error != -ECONNREFUSED)
		return fail(error, "continuumd: %s", strerror(-error));
	error = netlink_send(nl, netlink_begin(nl, CTM_CMD_NODE_DOWN, false), NULL, NULL);
	return error ? fail(error, "%s", netlink_text_of(nl, error)) : DONE;
}

int command_down(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "keep", no_argument, NULL, 'k' },
		{ 0 }
	};
	struct netlink *nl;
	bool keep = false;
	int status = DONE;
	int option;

	while ((option = next_option(argc, argv, "", longs)) > 0)
		keep = true;
	if (option < 0)
		return USAGE;
	if (optind < argc)
		return usage_error("\"%s\" is too much", argv[optind]);
	if (geteuid())
		return fail(-EPERM, "only root may take the node down");
	if (!module_is_loaded())
		return DONE;
	nl = open_netlink(&status);
	if (!nl)
		return status;
	status = check_empty(nl);
	if (!status)
		status = take_down(nl);
	close_netlink(nl);
	return status || keep ? status : module_unload();
}
