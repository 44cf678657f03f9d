// SPDX-License-Identifier: GPL-2.0
/*
 * settings.c - set and get: what may change of this node, or of a process
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../continuumd/config.h"
#include "output.h"

/* ---- of this node ---- */

enum kind { SWITCH, PRESSURE, NUMBER, QUOTA };	/* QUOTA: a number, or 0 */

static const struct setting {
	const char *key;
	enum kind kind;
	uint16_t attribute;
	size_t offset;			/* in struct node: bool, uint32_t in thousandths, uint32_t */
} settings[] = {
	{ "accept", SWITCH, CTM_NODE_A_ACCEPTING, offsetof(struct node, accepting) },
	{ "allow_root", SWITCH, CTM_NODE_A_ALLOW_ROOT, offsetof(struct node, allow_root) },
	{ "blocks_node_mib", QUOTA, CTM_NODE_A_BLOCKS_NODE_MIB, offsetof(struct node, blocks_node_mib) },
	{ "blocks_owner_mib", QUOTA, CTM_NODE_A_BLOCKS_OWNER_MIB, offsetof(struct node, blocks_owner_mib) },
	{ "encrypt", SWITCH, CTM_NODE_A_ENCRYPT, offsetof(struct node, encrypt) },
	{ "family_budget", NUMBER, CTM_NODE_A_FAMILY_BUDGET, offsetof(struct node, family_budget) },
	{ "t_high", PRESSURE, CTM_NODE_A_T_HIGH, offsetof(struct node, t_high) },
	{ "t_low", PRESSURE, CTM_NODE_A_T_LOW, offsetof(struct node, t_low) },
	{ "valve", SWITCH, CTM_NODE_A_VALVE, offsetof(struct node, valve) },
	{ "watchdog", SWITCH, CTM_NODE_A_WATCHDOG, offsetof(struct node, watchdog) },
	{ "watchdog_contention", SWITCH, CTM_NODE_A_CONTENTION,
	  offsetof(struct node, watchdog_contention) },
};

#define SETTINGS	(sizeof(settings) / sizeof(settings[0]))

static const struct setting *find_setting(const char *key)
{
	for (size_t i = 0; i < SETTINGS; i++)
		if (!strcmp(settings[i].key, key))
			return &settings[i];
	return NULL;
}

/* on, off, 1, 0.  Return: false for anything else */
static bool parse_switch(const char *text, bool *on)
{
	*on = !strcmp(text, "on") || !strcmp(text, "1");
	return *on || !strcmp(text, "off") || !strcmp(text, "0");
}

static int parse_count(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno || *end || *text < '0' || *text > '9' ? -EINVAL : 0;
}

/* KEY VALUE: one or more of them, so that both thresholds can change at once */
static int put_setting(struct nlmsghdr *request, const char *key, const char *value)
{
	const struct setting *setting = find_setting(key);
	const char *wanted;
	uint32_t number;
	bool on;

	if (!setting)
		return usage_error("no setting \"%s\" (continuumctl get lists them)", key);
	if (setting->kind == SWITCH) {
		if (!parse_switch(value, &on))
			return usage_error("%s is on or off, not \"%s\"", key, value);
		mnl_attr_put_u8(request, setting->attribute, on);
		return DONE;
	}
	if (setting->kind != PRESSURE) {
		uint64_t count;

		if (parse_count(value, &count) || (!count && setting->kind == NUMBER) || count > UINT32_MAX)
			return usage_error("%s is a number, not \"%s\"", key, value);
		mnl_attr_put_u32(request, setting->attribute, (uint32_t)count);
		return DONE;
	}
	wanted = config_parse_pressure(value, &number);
	if (wanted)
		return usage_error("%s is %s, not \"%s\"", key, wanted, value);
	mnl_attr_put_u32(request, setting->attribute, number);
	return DONE;
}

static int set_node(char **words, int count)
{
	struct nlmsghdr *request;
	struct netlink *nl;
	int status = DONE;
	int error;

	nl = open_netlink(&status);
	if (!nl)
		return status;
	request = netlink_begin(nl, CTM_CMD_NODE_SET, false);
	for (int i = 0; i < count && !status; i += 2)
		status = put_setting(request, words[i], words[i + 1]);
	if (!status) {
		error = netlink_send(nl, request, NULL, NULL);
		if (error)
			status = fail(error, "%s: %s", words[0], netlink_text_of(nl, error));
	}
	close_netlink(nl);
	return status;
}

/* ---- of a process ---- */

static int set_process(const char *name, const char *key, const char *text)
{
	char reason[CTM_REASON_MAX] = "";
	uint32_t property;
	uint64_t gpid, value;
	int status, device, error;
	bool on;

	if (!strcmp(key, "pin")) {
		if (!parse_switch(text, &on))
			return usage_error("pin is on or off, not \"%s\"", text);
		property = CTM_SET_PIN;
		value = on;
	} else if (!strcmp(key, "ttl")) {
		if (parse_count(text, &value))
			return usage_error("ttl is a number, not \"%s\"", text);
		property = CTM_SET_TTL;
	} else if (!strcmp(key, "lease")) {
		uint32_t ms = 0;

		if (strcmp(text, "off") && parse_time(text, &ms))
			return usage_error("lease is off, or a time as 500ms, 10s, 5m or 1h, not \"%s\"", text);
		property = CTM_SET_LEASE;
		value = ms;
	} else {
		return usage_error("a process has no setting \"%s\": pin, ttl, lease", key);
	}
	status = parse_gpid(name, &gpid);
	if (status)
		return status;
	device = open_device();
	if (device < 0)
		return exit_status_of(device) == DENIED ? DENIED : FAILED;
	error = continuum_set(device, gpid, property, value, reason);
	close(device);
	if (error)
		return fail(error, "%s: %s", name, reason[0] ? reason : error == -ESRCH ?
			    "no such process" : strerror(-error));
	return DONE;
}

int command_set(int argc, char **argv)
{
	int count;

	if (next_option(argc, argv, "", NULL) < 0)
		return USAGE;
	count = argc - optind;
	if (count == 3)
		return set_process(argv[optind], argv[optind + 1], argv[optind + 2]);
	if (!count || count % 2)
		return usage_error("KEY and VALUE are wanted");
	return set_node(argv + optind, count);
}

/* ---- get ---- */

static bool switch_of(const struct setting *setting, const struct node *node)
{
	return *(const bool *)((const char *)node + setting->offset);
}

static uint32_t number_of(const struct setting *setting, const struct node *node)
{
	return *(const uint32_t *)((const char *)node + setting->offset);
}

static const char *value_text(const struct setting *setting, const struct node *node, char text[16])
{
	if (setting->kind == SWITCH)
		return switch_of(setting, node) ? "on" : "off";
	if (setting->kind != PRESSURE)
		snprintf(text, 16, "%u", number_of(setting, node));
	else
		snprintf(text, 16, "%g", number_of(setting, node) / 1e3);
	return text;
}

static void print_settings(const struct node *node, const struct setting *only, bool json)
{
	struct json_object *object = json ? json_object_new_object() : NULL;
	char text[16];

	for (const struct setting *s = settings; s < settings + SETTINGS; s++) {
		if (only && s != only)
			continue;
		if (json && s->kind == SWITCH)
			json_add_bool(object, s->key, switch_of(s, node));
		else if (json && s->kind != PRESSURE)
			json_add_number(object, s->key, number_of(s, node));
		else if (json)
			json_add_milli(object, s->key, number_of(s, node));
		else if (only)
			puts(value_text(s, node, text));
		else
			printf("%-19s %s\n", s->key, value_text(s, node, text));
	}
	if (json)
		json_print(object);
}

int command_get(int argc, char **argv)
{
	const struct setting *only = NULL;
	struct netlink *nl;
	struct node node;
	bool json;
	int status = json_option(argc, argv, &json);
	int error;

	if (status)
		return status;
	if (optind < argc && !json && is_block_name(argv[optind]))
		return cat_blocks(argc, argv);
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
