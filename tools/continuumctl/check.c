// SPDX-License-Identifier: GPL-2.0
/*
 * check.c - continuumctl check: is this machine fit to be a node
 *
 * Each check is a function that fills in a verdict; a new one is a row below.
 */
#include <errno.h>
#include <mntent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "../continuumd/config.h"
#include "../continuumd/key.h"
#include "daemon.h"
#include "module.h"
#include "output.h"

enum grade { GOOD, WARNING, BAD };

/** struct verdict - @text: what was found, and when it is not good, what to do */
struct verdict {
	enum grade grade;
	char text[512];
};

static void judge(struct verdict *verdict, enum grade grade, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void judge(struct verdict *verdict, enum grade grade, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(verdict->text, sizeof(verdict->text), format, args);
	va_end(args);
	verdict->grade = grade;
}

static void check_kernel(struct verdict *v)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	uname(&name);
	sscanf(name.release, "%u.%u", &major, &minor);
	if (strcmp(name.machine, "x86_64"))
		judge(v, BAD, "%s: only x86_64 is supported", name.machine);
	else if (major < 6 || (major == 6 && minor < 1))
		judge(v, BAD, "%s: 6.1 or newer is needed", name.release);
	else
		judge(v, GOOD, "%s", name.release);
}

static void check_module(struct verdict *v)
{
	if (module_is_loaded())
		judge(v, GOOD, "loaded");
	else
		judge(v, BAD, "not loaded (continuumctl up)");
}

static void check_node(struct verdict *v)
{
	struct netlink *nl = malloc(sizeof(*nl));
	struct node node;

	if (!nl || netlink_open(nl)) {
		judge(v, BAD, "down: the module is not loaded");
		free(nl);
		return;
	}
	if (cluster_node(nl, &node))
		judge(v, BAD, "%s", netlink_text_of(nl, -EIO));
	else if (!node.up)
		judge(v, BAD, "down (continuumctl up)");
	else if (node.abi_version != CTM_ABI_VERSION)
		judge(v, BAD, "tools and module are of different versions");
	else
		judge(v, GOOD, "%s is up, %u live nodes", node.name, node.peers);
	close_netlink(nl);
}

static void check_daemon(struct verdict *v)
{
	int socket = daemon_connect();

	if (socket < 0)
		judge(v, BAD, "not running (continuumctl up)");
	else
		judge(v, GOOD, "running");
	if (socket >= 0)
		close(socket);
}

static void check_config(struct verdict *v)
{
	struct config config;
	char error[512];

	if (config_read(CONFIG_FILE, &config, error, sizeof(error)))
		judge(v, BAD, "%s", error);
	else if (!config.seed_count)
		judge(v, WARNING, "no seeds: this node waits until another joins it, or \"join\"");
	else
		judge(v, GOOD, "node %s, cluster %s, %u seeds", config.name, config.cluster,
		      config.seed_count);
}

static void check_key(struct verdict *v)
{
	unsigned char key[CTM_KEY_LEN];
	char error[512];
	int result = key_read(CONFIG_KEY_FILE, key, error, sizeof(error));

	explicit_bzero(key, sizeof(key));
	if (result == -EACCES && geteuid())
		judge(v, WARNING, "only root can tell");
	else if (result == -ENOENT)
		judge(v, BAD, "%s is missing (continuumctl genkey; the same on all nodes, mode 0600)",
		      CONFIG_KEY_FILE);
	else if (result)
		judge(v, BAD, "%s", error);
	else
		judge(v, GOOD, "%s", CONFIG_KEY_FILE);
}

static void check_cgroup(struct verdict *v)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *mount;
	char where[256] = "";

	while (mounts && (mount = getmntent(mounts)))
		if (!where[0] && !strcmp(mount->mnt_type, "cgroup2"))
			snprintf(where, sizeof(where), "%s", mount->mnt_dir);
	if (mounts)
		endmntent(mounts);
	if (where[0])
		judge(v, GOOD, "%s", where);
	else
		judge(v, BAD, "not mounted (mount -t cgroup2 none /sys/fs/cgroup)");
}

static void check_namespaces(struct verdict *v)
{
	if (!access("/proc/self/ns/time", F_OK) && !access("/proc/self/ns/pid", F_OK))
		judge(v, GOOD, "time and pid");
	else
		judge(v, BAD, "this kernel has no time namespaces (CONFIG_TIME_NS)");
}

static void check_tls(struct verdict *v)
{
	if (!access("/proc/net/tls_stat", F_OK) || !access("/sys/module/tls", F_OK))
		judge(v, GOOD, "available");
	else
		judge(v, WARNING, "not loaded (modprobe tls): needed where encrypt is on");
}

static void check_ftrace(struct verdict *v)
{
	char on[4] = "";
	FILE *file = fopen("/proc/sys/kernel/ftrace_enabled", "re");

	if (file && !fgets(on, sizeof(on), file))
		on[0] = '\0';
	if (file)
		fclose(file);
	if (on[0] == '1')
		judge(v, GOOD, "enabled");
	else
		judge(v, WARNING, "not enabled: a timer stands in for the tick hook");
}

static const struct {
	const char *name;
	void (*check)(struct verdict *verdict);
} checks[] = {
	{ "kernel", check_kernel },
	{ "module", check_module },
	{ "continuumd", check_daemon },
	{ "node", check_node },
	{ "config", check_config },
	{ "key", check_key },
	{ "cgroup v2", check_cgroup },
	{ "namespaces", check_namespaces },
	{ "kernel TLS", check_tls },
	{ "ftrace", check_ftrace },
};

static void add_json(struct json_object *array, const char *name, const struct verdict *v)
{
	static const char *const grades[] = { "good", "warning", "bad" };
	struct json_object *object = json_object_new_object();

	json_add_text(object, "check", name);
	json_add_text(object, "grade", grades[v->grade]);
	json_add_text(object, "text", v->text);
	json_object_array_add(array, object);
}

int command_check(int argc, char **argv)
{
	static const char *const marks[] = { "good", "note", "BAD" };
	struct json_object *array;
	bool json, bad = false;
	int status = only_json(argc, argv, &json);

	if (status)
		return status;
	array = json_object_new_array();
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		struct verdict v = { 0 };

		checks[i].check(&v);
		bad |= v.grade == BAD;
		if (json)
			add_json(array, checks[i].name, &v);
		else
			printf("%-4s  %-11s %s\n", marks[v.grade], checks[i].name, v.text);
	}
	if (json)
		json_print(array);
	else
		json_object_put(array);
	return bad ? FAILED : DONE;
}
