// SPDX-License-Identifier: GPL-2.0
/*
 * peers.c - continuumctl peers
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"

static struct json_object *to_json(const struct peer *peer)
{
	struct json_object *object = json_object_new_object();
	char text[64];

	json_add_text(object, "name", peer->name);
	json_add_number(object, "id", peer->id);
	json_add_text(object, "addr", address_print(&peer->address, text));
	json_add_text(object, "state", peer_state_text(peer->state));
	json_add_milli(object, "load", peer->load.load);
	json_add_milli(object, "pressure", peer->load.pressure);
	json_add_milli(object, "cpu_pct", peer->load.cpu);
	json_add_milli(object, "mem_pct", peer->load.mem);
	json_add_milli(object, "runnable", peer->load.runnable);
	json_add_number(object, "processes", peer->load.processes);
	json_add_bool(object, "accepting", peer->accepting);
	json_add_bool(object, "compatible", peer->compatible);
	json_add_text(object, "why", peer->why);
	json_add_number(object, "age_ms", peer->age_ms);
	json_add_number(object, "free_mib", peer->load.free_mib);
	return object;
}

static void print_json(const void *items, size_t count)
{
	const struct peer *peers = items;
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		json_object_array_add(array, to_json(&peers[i]));
	json_print(array);
}

/* Why nothing would be sent there, or how much could. */
static const char *takes(const struct peer *peer)
{
	if (!peer->compatible)
		return peer->why[0] ? peer->why : "not compatible";
	return peer->accepting ? "yes" : "no";
}

static void print_text(const void *items, size_t count)
{
	static const char *const heads[] = {
		"NODE", "ADDRESS", "STATE", "HEARD", "LOAD", "PRESSURE", "CPU%", "MEM%", "RUN",
		"PROCS", "FREE", "TAKES",
	};
	const struct peer *peers = items;
	struct table table;
	char text[64];

	table_init(&table, 12, "lllrrrrrrrrl", heads);
	for (const struct peer *p = peers; p < peers + count; p++) {
		table_add(&table, "%s", node_text(p->name, p->id, text));
		table_add(&table, "%s", address_print(&p->address, text));
		table_add(&table, "%s", peer_state_text(p->state));
		table_add(&table, "%s", age_text(p->age_ms, text));
		table_add(&table, "%.2f", p->load.load / 1e3);
		table_add(&table, "%.0f", p->load.pressure / 1e3);
		table_add(&table, "%.0f", p->load.cpu / 1e3);
		table_add(&table, "%.0f", p->load.mem / 1e3);
		table_add(&table, "%.1f", p->load.runnable / 1e3);
		table_add(&table, "%u", p->load.processes);
		table_add(&table, "%s", size_text((uint64_t)p->load.free_mib << 20, text));
		table_add(&table, "%s", takes(p));
	}
	table_print(&table);
}

static int by_name(const void *a, const void *b)
{
	return strverscmp(((const struct peer *)a)->name, ((const struct peer *)b)->name);
}

int command_peers(int argc, char **argv)
{
	static const struct listing listing = {
		.fetch = cluster_peers, .size = sizeof(struct peer), .order = by_name,
		.print = print_text, .print_json = print_json,
	};

	return run_listing(argc, argv, &listing);
}
