// SPDX-License-Identifier: GPL-2.0
/*
 * node.c - commands that act on this node: join, leave, reload, genkey, version
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "../lib/base64.h"
#include "daemon.h"
#include "output.h"

#ifndef CONTINUUM_VERSION
#define CONTINUUM_VERSION	"unknown"
#endif

static int no_options(int argc, char **argv)
{
	return next_option(argc, argv, "", NULL) < 0 ? USAGE : DONE;
}

/* Send a request that has no answer but success.  Return: an exit status */
static int talk(struct netlink *nl, struct nlmsghdr *request, const char *what)
{
	int error = netlink_send(nl, request, NULL, NULL);

	if (!error)
		return DONE;
	return fail(error, "%s: %s", what, netlink_text_of(nl, error));
}

/* ---- join, leave ---- */

static int join_one(struct netlink *nl, const char *text)
{
	struct nlmsghdr *request;
	struct address address;
	int error = address_parse(text, &address);

	if (error == -EINVAL)
		return usage_error("\"%s\" is not an address (ADDR[:PORT])", text);
	if (error) {
		fail(error, "%s: %s", text, strerror(-error));
		return FAILED;
	}
	request = netlink_begin(nl, CTM_CMD_PEER_JOIN, false);
	mnl_attr_put(request, CTM_PEER_A_ADDR, address.length, address.bytes);
	mnl_attr_put_u16(request, CTM_PEER_A_PORT, address.port);
	return talk(nl, request, text);
}

int join_all(int argc, char **argv)
{
	int result = DONE;
	struct netlink *nl = open_netlink(&result);

	for (; nl && optind < argc; optind++) {
		int status = join_one(nl, argv[optind]);

		if (!result)
			result = status;
	}
	if (nl)
		close_netlink(nl);
	return result;
}

int command_join(int argc, char **argv)
{
	int result = no_options(argc, argv);

	if (result)
		return result;
	return optind == argc ? usage_error("no address") : join_all(argc, argv);
}

int command_leave(int argc, char **argv)
{
	struct nlmsghdr *request;
	struct netlink *nl;
	int status = no_options(argc, argv);

	if (status)
		return status;
	if (argc > optind + 1)
		return usage_error("\"%s\" is too much", argv[optind + 1]);
	nl = open_netlink(&status);
	if (!nl)
		return status;
	request = netlink_begin(nl, CTM_CMD_PEER_LEAVE, false);
	if (optind < argc)
		mnl_attr_put_strz(request, CTM_PEER_A_NAME, argv[optind]);
	status = talk(nl, request, argv[0]);
	close_netlink(nl);
	return status;
}

/* ---- reload ---- */

int command_reload(int argc, char **argv)
{
	struct daemon_reply reply;
	int status = no_options(argc, argv);
	int error;

	if (status)
		return status;
	if (optind < argc)
		return usage_error("\"%s\" is too much", argv[optind]);
	error = daemon_ask(DAEMON_RELOAD, 0, &reply);
	if (error == -ENOENT || error == -ECONNREFUSED) {
		fail(error, "continuumd is not running on this machine (continuumctl up)");
		return FAILED;
	}
	if (error)
		return fail(error, "continuumd: %s", strerror(-error));
	return reply.error ? fail(-(int)reply.error, "%s", reply.text) : DONE;
}

/* ---- genkey, version ---- */

int command_genkey(int argc, char **argv)
{
	unsigned char key[CTM_KEY_LEN];
	char text[BASE64_LENGTH(CTM_KEY_LEN) + 1];
	int status = no_options(argc, argv);

	if (status)
		return status;
	if (optind < argc)
		return usage_error("\"%s\" is too much", argv[optind]);
	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		return fail(-EIO, "no random bytes: %s", strerror(errno));
	base64_encode(key, sizeof(key), text);
	puts(text);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(text, sizeof(text));
	return DONE;
}

int command_version(int argc, char **argv)
{
	struct netlink *nl = malloc(sizeof(*nl));
	struct node node;

	(void)argc;
	(void)argv;
	printf("continuumctl %s (interface %u)\n", CONTINUUM_VERSION, CTM_ABI_VERSION);
	if (nl && !netlink_open(nl)) {
		if (!cluster_node(nl, &node))
			printf("module (interface %u)\n", node.abi_version);
		netlink_close(nl);
	} else {
		puts("module not loaded");
	}
	free(nl);
	return DONE;
}
