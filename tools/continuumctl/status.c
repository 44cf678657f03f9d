// SPDX-License-Identifier: GPL-2.0
/*
 * status.c - continuumctl status
 */
#include <stdio.h>
#include <string.h>

#include "output.h"

static void print_json(const struct node *node)
{
	struct json_object *object = json_object_new_object();
	struct json_object *counters = json_object_new_object();
	char address[64];

	json_add_text(object, "name", node->name);
	json_add_number(object, "id", node->id);
	json_add_hex(object, "boot", node->boot);
	json_add_text(object, "cluster", node->cluster);
	json_add_number(object, "peers", node->peers);
	json_add_milli(object, "load", node->load.load);
	json_add_milli(object, "pressure", node->load.pressure);
	json_add_text(object, "mode", node->mode);
	json_add_number(object, "processes", node->load.processes);
	for (unsigned int i = 0; i < node->counter_count; i++)
		json_add_number(counters, node->counters[i].name, node->counters[i].value);
	json_object_object_add(object, "counters", counters);
	json_add_bool(object, "up", node->up);
	json_add_text(object, "addr", address_print(&node->address, address));
	json_add_milli(object, "cpu_pct", node->load.cpu);
	json_add_milli(object, "mem_pct", node->load.mem);
	json_add_milli(object, "runnable", node->load.runnable);
	json_add_bool(object, "accepting", node->accepting);
	json_add_bool(object, "allow_root", node->allow_root);
	json_add_bool(object, "encrypt", node->encrypt);
	json_add_bool(object, "daemon", node->daemon);
	json_add_text(object, "tick", node->tick);
	json_add_text(object, "tick_why", node->tick_why);
	json_add_number(object, "ticks", node->ticks);
	json_add_number(object, "tick_hits", node->tick_hits);
	json_print(object);
}

static void print_load(const struct load *load)
{
	char memory[16];

	printf("load       %.2f (pressure %.0f of 300)\n", load->load / 1e3, load->pressure / 1e3);
	printf("cpu        %.0f %%, %.1f runnable a CPU\n", load->cpu / 1e3, load->runnable / 1e3);
	printf("memory     %.0f %% used, %s available\n", load->mem / 1e3,
	       size_text((uint64_t)load->free_mib << 20, memory));
}

static void print_text(const struct node *node)
{
	char address[64];

	printf("node       %s (id %08x, boot %016llx)\n", node->name, node->id,
	       (unsigned long long)node->boot);
	printf("cluster    %s, %u live node%s\n", node->cluster, node->peers,
	       node->peers == 1 ? "" : "s");
	printf("address    %s\n", node->address.length ? address_print(&node->address, address) : "all");
	print_load(&node->load);
	printf("processes  %u here\n", node->load.processes);
	printf("mode       %s%s\n", node->mode, node->accepting ? "" : ", accepts none");
	printf("ticks      from %s%s%s%s\n", node->tick, node->tick_why[0] ? " (" : "",
	       node->tick_why, node->tick_why[0] ? ")" : "");
	for (unsigned int i = 0; i < node->counter_count; i++)
		if (node->counters[i].value)
			printf("           %s: %llu\n", node->counters[i].name,
			       (unsigned long long)node->counters[i].value);
	if (!node->encrypt)
		puts("warning    encrypt is off: what travels between nodes is not protected");
	if (!node->daemon)
		puts("warning    continuumd is not running: nothing can be started or land here");
	if (node->abi_version != CTM_ABI_VERSION)
		puts("warning    tools and module are of different versions");
}

int command_status(int argc, char **argv)
{
	struct netlink *nl;
	struct node node;
	bool json;
	int status = only_json(argc, argv, &json);
	int error;

	if (status)
		return status;
	nl = open_netlink(&status);
	if (!nl)
		return status;
	error = cluster_node(nl, &node);
	if (error)
		status = fail(error, "%s", netlink_text_of(nl, error));
	else if (json)
		print_json(&node);
	else if (node.up)
		print_text(&node);
	else
		puts("the node is not up (continuumctl up)");
	close_netlink(nl);
	return status;
}
