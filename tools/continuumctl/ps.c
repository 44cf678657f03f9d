// SPDX-License-Identifier: GPL-2.0
/*
 * ps.c - continuumctl ps
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"

static struct json_object *to_json(const struct ctm_info *p)
{
	struct json_object *object = json_object_new_object();
	char text[CONTINUUM_GPID_MAX];

	json_add_text(object, "gpid", gpid_text(p, text));
	json_add_text(object, "comm", p->comm);
	json_add_number(object, "uid", p->uid);
	json_add_text(object, "state", process_state_text(p->state));
	json_add_text(object, "home", node_text(p->home_name, p->home, text));
	json_add_text(object, "host", node_text(p->host_name, p->host, text));
	json_add_number(object, "pid", p->pid);
	json_add_number(object, "epoch", p->epoch);
	json_add_number(object, "hops", p->hops);
	json_add_number(object, "ttl", p->ttl);
	json_add_number(object, "lease_ms", p->lease_ms);
	json_add_text(object, "end", end_text(p->end));
	json_add_text(object, "family", p->family == p->gpid ? gpid_text(p, text) :
		      continuum_gpid_print(p->family, text));
	json_add_number(object, "cpu_ms", p->cpu_ns / 1000000);
	json_add_number(object, "rss_kib", p->rss / 1024);
	return object;
}

static void print_json(const struct ctm_info *processes, size_t count)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		json_object_array_add(array, to_json(&processes[i]));
	json_print(array);
}

static const char *user_text(uint32_t uid, char text[16])
{
	const struct passwd *user = getpwuid(uid);

	if (user && strlen(user->pw_name) < 16)
		strcpy(text, user->pw_name);
	else
		snprintf(text, 16, "%u", uid);
	return text;
}

static void print_text(const struct ctm_info *processes, size_t count)
{
	static const char *const heads[] = {
		"GPID", "USER", "STATE", "HOST", "PID", "HOPS", "TTL", "CPU", "RSS", "COMMAND",
	};
	char text[CONTINUUM_GPID_MAX];
	struct table table;

	table_init(&table, 10, "llllrrrrrl", heads);
	for (const struct ctm_info *p = processes; p < processes + count; p++) {
		table_add(&table, "%s", gpid_text(p, text));
		table_add(&table, "%s", user_text(p->uid, text));
		if (p->end > CTM_END_SIGNAL)
			table_add(&table, "ended (%s)", end_text(p->end));
		else
			table_add(&table, "%s", process_state_text(p->state));
		table_add(&table, "%s", node_text(p->host_name, p->host, text));
		table_add(&table, p->pid ? "%u" : "-", p->pid);
		table_add(&table, "%u", p->hops);
		table_add(&table, "%u", p->ttl);
		table_add(&table, "%s", cpu_text(p->cpu_ns, text));
		table_add(&table, "%s", size_text(p->rss, text));
		table_add(&table, "%s", p->comm);
	}
	table_print(&table);
}

static int by_gpid(const void *a, const void *b)
{
	const struct ctm_info *x = a, *y = b;
	int order = strverscmp(x->home_name, y->home_name);

	return order ? order : (x->gpid > y->gpid) - (x->gpid < y->gpid);
}

/* Keeps those that are named.  Return: DONE, or NOT_FOUND when one is missing */
static int keep_named(struct list *list, char **names)
{
	struct ctm_info *processes = list->items;
	size_t kept = 0;
	int status = DONE;

	for (; *names; names++) {
		uint64_t gpid;
		int error = parse_gpid(*names, &gpid);
		size_t i = kept;

		if (error) {
			status = error;
			break;
		}
		while (i < list->count && processes[i].gpid != gpid)
			i++;
		if (i < list->count) {
			struct ctm_info found = processes[i];

			processes[i] = processes[kept];
			processes[kept++] = found;
		} else {
			status = fail(-ESRCH, "%s: no such process", *names);
		}
	}
	list->count = kept;
	return status;
}

int command_ps(int argc, char **argv)
{
	struct list list = { 0 };
	struct netlink *nl;
	bool json = false, all = false;
	int status = DONE;
	int option;
	int error;

	while ((option = next_option(argc, argv, "aj", NULL)) > 0) {
		json |= option == 'j';
		all |= option == 'a';
	}
	if (option < 0)
		return USAGE;
	nl = open_netlink(&status);
	if (!nl)
		return status;
	error = cluster_processes(nl, all, &list);
	if (error)
		status = fail(error, "%s", netlink_text_of(nl, error));
	close_netlink(nl);
	if (!error && optind < argc)
		status = keep_named(&list, argv + optind);
	if (list.count)
		qsort(list.items, list.count, sizeof(struct ctm_info), by_gpid);
	if (json && !error)
		print_json(list.items, list.count);
	else if (!error && status != USAGE)
		print_text(list.items, list.count);
	free(list.items);
	return status;
}
