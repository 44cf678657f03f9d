// SPDX-License-Identifier: GPL-2.0
/*
 * node.c - commands that act on this node: join, leave, reload, set, get, genkey, version
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

int command_join(int argc, char **argv)
{
	struct netlink *nl;
	int result = no_options(argc, argv);

	if (result)
		return result;
	if (optind == argc)
		return usage_error("no address");
	nl = open_netlink(&result);
	for (; nl && optind < argc; optind++) {
		int status = join_one(nl, argv[optind]);

		if (!result)
			result = status;
	}
	if (nl)
		close_netlink(nl);
	return result;
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

/* ---- set, get ---- */

static const struct setting {
	const char *key;
	uint16_t attribute;
	size_t offset;
} settings[] = {
	{ "accept", CTM_NODE_A_ACCEPTING, offsetof(struct node, accepting) },
	{ "allow_root", CTM_NODE_A_ALLOW_ROOT, offsetof(struct node, allow_root) },
	{ "encrypt", CTM_NODE_A_ENCRYPT, offsetof(struct node, encrypt) },
};

#define SETTINGS	(sizeof(settings) / sizeof(settings[0]))

static const struct setting *find_setting(const char *key)
{
	for (size_t i = 0; i < SETTINGS; i++)
		if (!strcmp(settings[i].key, key))
			return &settings[i];
	return NULL;
}

int command_set(int argc, char **argv)
{
	const struct setting *setting;
	struct nlmsghdr *request;
	struct netlink *nl;
	int status = no_options(argc, argv);
	bool on;

	if (status)
		return status;
	if (argc - optind != 2)
		return usage_error("KEY and VALUE are wanted");
	setting = find_setting(argv[optind]);
	if (!setting)
		return usage_error("no setting \"%s\" (continuumctl get lists them)", argv[optind]);
	on = !strcmp(argv[optind + 1], "on");
	if (!on && strcmp(argv[optind + 1], "off"))
		return usage_error("%s is on or off, not \"%s\"", argv[optind], argv[optind + 1]);
	nl = open_netlink(&status);
	if (!nl)
		return status;
	request = netlink_begin(nl, CTM_CMD_NODE_SET, false);
	mnl_attr_put_u8(request, setting->attribute, on);
	status = talk(nl, request, argv[optind]);
	close_netlink(nl);
	return status;
}

static bool value_of(const struct setting *setting, const struct node *node)
{
	return *(const bool *)((const char *)node + setting->offset);
}

static void print_settings(const struct node *node, const struct setting *only, bool json)
{
	struct json_object *object = json ? json_object_new_object() : NULL;

	for (const struct setting *s = settings; s < settings + SETTINGS; s++) {
		if (only && s != only)
			continue;
		if (json)
			json_add_bool(object, s->key, value_of(s, node));
		else if (only)
			puts(value_of(s, node) ? "on" : "off");
		else
			printf("%-10s %s\n", s->key, value_of(s, node) ? "on" : "off");
	}
	if (json)
		json_print(object);
}

int command_get(int argc, char **argv)
{
	const struct setting *only = NULL;
	struct netlink *nl;
	struct node node;
	bool json = false;
	int status = DONE;
	int option;
	int error;

	while ((option = next_option(argc, argv, "j", NULL)) > 0)
		json = true;
	if (option < 0)
		return USAGE;
	if (argc - optind > 1)
		return usage_error("\"%s\" is too much", argv[optind + 1]);
	if (optind < argc)
		only = find_setting(argv[optind]);
	if (optind < argc && !only)
		return usage_error("no setting \"%s\"", argv[optind]);
	nl = open_netlink(&status);
	if (!nl)
		return status;
	error = cluster_node(nl, &node);
	if (!error && !node.up)
		error = -ENETDOWN;
	if (error)
		status = fail(error, "%s", netlink_text_of(nl, error));
	else
		print_settings(&node, only, json);
	close_netlink(nl);
	return status;
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
