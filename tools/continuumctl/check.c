// SPDX-License-Identifier: GPL-2.0
/*
 * check.c - continuumctl check: is this machine fit to be a node
 *
 * Each check is a function that fills in a verdict; a new one is a row below.
 */
#include <errno.h>
#include <mntent.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../continuumd/config.h"
#include "../continuumd/key.h"
#include "daemon.h"
#include "module.h"
#include "output.h"

#define ENOUGH_MIB	256	/* available, for what lands here */

/** struct machine - what more than one check looks at */
struct machine {
	struct config config;
	char config_error[512];		/* "": it was read */
	struct node node;
	char node_error[256];		/* "": the module answered */
	struct list peers;		/* struct peer */
};

/** struct verdict - @fix: what to do when it is not good */
struct verdict {
	bool good;
	char text[512], fix[256];
};

static void good(struct verdict *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void lacks(struct verdict *v, const char *fix, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void good(struct verdict *v, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(v->text, sizeof(v->text), format, args);
	va_end(args);
	v->good = true;
}

static void lacks(struct verdict *v, const char *fix, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(v->text, sizeof(v->text), format, args);
	va_end(args);
	snprintf(v->fix, sizeof(v->fix), "%s", fix);
}

static void look(struct machine *m)
{
	struct netlink *nl = malloc(sizeof(*nl));

	memset(m, 0, sizeof(*m));
	config_read(CONFIG_FILE, &m->config, m->config_error, sizeof(m->config_error));
	if (!nl || netlink_open(nl)) {
		snprintf(m->node_error, sizeof(m->node_error), "the module is not loaded");
		free(nl);
		return;
	}
	if (cluster_node(nl, &m->node))
		snprintf(m->node_error, sizeof(m->node_error), "%s", netlink_text_of(nl, -EIO));
	else if (m->node.up)
		cluster_peers(nl, &m->peers);
	close_netlink(nl);
}

/* ---- required ---- */

static void check_kernel(const struct machine *m, struct verdict *v)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	(void)m;
	uname(&name);
	sscanf(name.release, "%u.%u", &major, &minor);
	if (strcmp(name.machine, "x86_64"))
		lacks(v, "there is none: only x86_64 is supported", "%s", name.machine);
	else if (major < 6 || (major == 6 && minor < 1))
		lacks(v, "install a kernel of 6.1 or newer", "%s is too old", name.release);
	else
		good(v, "%s", name.release);
}

static void check_module(const struct machine *m, struct verdict *v)
{
	(void)m;
	if (module_is_loaded())
		good(v, "loaded");
	else
		lacks(v, "continuumctl up", "not loaded");
}

static void check_daemon(const struct machine *m, struct verdict *v)
{
	int socket = daemon_connect();

	(void)m;
	if (socket < 0)
		lacks(v, "continuumctl up", "not running");
	else
		good(v, "running");
	if (socket >= 0)
		close(socket);
}

static void check_node(const struct machine *m, struct verdict *v)
{
	if (m->node_error[0])
		lacks(v, "continuumctl up", "down: %s", m->node_error);
	else if (m->node.abi_version != CTM_ABI_VERSION)
		lacks(v, "install tools and module of one version; continuumctl down, up",
		      "the module is of version %u, these tools of %u", m->node.abi_version, CTM_ABI_VERSION);
	else if (!m->node.up)
		lacks(v, "continuumctl up", "down");
	else
		good(v, "%s is up, %u live %s", m->node.name, m->node.peers,
		     m->node.peers == 1 ? "node" : "nodes");
}

static void check_config(const struct machine *m, struct verdict *v)
{
	if (m->config_error[0])
		lacks(v, "continuum.conf(5) has the keys", "%s", m->config_error);
	else
		good(v, "node %s, cluster %s", m->config.name, m->config.cluster);
}

static void check_key(const struct machine *m, struct verdict *v)
{
	unsigned char key[CTM_KEY_LEN];
	char error[512];
	int result = key_read(CONFIG_KEY_FILE, key, error, sizeof(error));

	(void)m;
	explicit_bzero(key, sizeof(key));
	if (result == -EACCES && geteuid())
		good(v, "only root can tell");
	else if (result == -ENOENT)
		lacks(v, "continuumctl genkey on one node, and the same file on all, mode 0600",
		      "%s is missing", CONFIG_KEY_FILE);
	else if (result)
		lacks(v, "continuumctl genkey on one node, and the same file on all, mode 0600", "%s", error);
	else
		good(v, "%s", CONFIG_KEY_FILE);
}

/* Return: 0 or -errno of taking the port, for a moment */
static int try_port(int type, uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, result, fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	result = bind(fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	close(fd);
	return result;
}

static void check_port(const struct machine *m, struct verdict *v)
{
	uint16_t port = m->config.port ? m->config.port : CONFIG_PORT;
	int udp, tcp;

	if (m->node.up) {
		good(v, "UDP and TCP %u are open here", m->node.address.port);
		return;
	}
	udp = try_port(SOCK_DGRAM, port);
	tcp = try_port(SOCK_STREAM, port);
	if (udp || tcp)
		lacks(v, "stop what uses it (ss -lunt -p), or another \"port\" in continuum.conf on all nodes",
		      "%s %u: %s", udp ? "UDP" : "TCP", port, strerror(udp ? -udp : -tcp));
	else
		good(v, "UDP and TCP %u are free", port);
}

static void check_cgroup(const struct machine *m, struct verdict *v)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *mount;
	char where[256] = "";

	(void)m;
	while (mounts && (mount = getmntent(mounts)))
		if (!where[0] && !strcmp(mount->mnt_type, "cgroup2"))
			snprintf(where, sizeof(where), "%s", mount->mnt_dir);
	if (mounts)
		endmntent(mounts);
	if (where[0])
		good(v, "%s", where);
	else
		lacks(v, "mount -t cgroup2 none /sys/fs/cgroup", "not mounted");
}

static void check_namespaces(const struct machine *m, struct verdict *v)
{
	(void)m;
	if (!access("/proc/self/ns/time", F_OK) && !access("/proc/self/ns/pid", F_OK))
		good(v, "time and pid");
	else
		lacks(v, "a kernel with CONFIG_TIME_NS and CONFIG_PID_NS", "this kernel lacks them");
}

static bool tls_can_be_loaded(void)
{
	static const char *const ends[] = { "", ".xz", ".zst" };
	struct utsname name;
	bool found = false;
	char path[128 + sizeof(name.release)];

	uname(&name);
	for (size_t i = 0; !found && i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(path, sizeof(path), "/lib/modules/%s/kernel/net/tls/tls.ko%s", name.release, ends[i]);
		found = !access(path, F_OK);
	}
	return found;
}

static void check_tls(const struct machine *m, struct verdict *v)
{
	if (!access("/proc/net/tls_stat", F_OK) || !access("/sys/module/tls", F_OK))
		good(v, "available");
	else if (!module_is_loaded() && tls_can_be_loaded())
		good(v, "will be loaded with the module");
	else if (!m->config_error[0] && !m->config.encrypt)
		good(v, "not loaded, and not needed: encrypt is off");
	else
		lacks(v, "modprobe tls", "not loaded: connections are encrypted with it");
}

/* ---- recommended ---- */

static void check_seeds(const struct machine *m, struct verdict *v)
{
	if (m->config.seed_count)
		good(v, "%u", m->config.seed_count);
	else if (m->config.discover)
		good(v, "none: nodes on the local network are discovered");
	else
		lacks(v, "\"seeds\" in continuum.conf, or continuumctl join ADDR",
		      "none: this node waits until another joins it");
}

/* Can a process go from here to each peer? It takes the same CPU features and vDSO. */
static void check_peers(const struct machine *m, struct verdict *v)
{
	const struct peer *p = m->peers.items, *first = NULL;
	unsigned int alive = 0, fit = 0;

	for (; p < (const struct peer *)m->peers.items + m->peers.count; p++) {
		if (p->state != CTM_NL_PEER_ALIVE)
			continue;
		alive++;
		fit += p->compatible;
		if (!p->compatible && !first)
			first = p;
	}
	if (first)
		lacks(v, "the same kernel version and CPU features on all (continuumctl peers shows more)",
		      "%u of %u live peers cannot take processes from here: %s: %s", alive - fit, alive,
		      first->name, first->why[0] ? first->why : "not compatible");
	else if (!m->node.up)
		good(v, "not known while the node is down");
	else if (!alive)
		lacks(v, "continuumctl join ADDR; firewall: UDP and TCP of the port, both ways", "no live peers");
	else
		good(v, "%u of %u can take processes from here", fit, alive);
}

static void check_ftrace(const struct machine *m, struct verdict *v)
{
	char on[4] = "";
	FILE *file = fopen("/proc/sys/kernel/ftrace_enabled", "re");

	if (file && !fgets(on, sizeof(on), file))
		on[0] = '\0';
	if (file)
		fclose(file);
	if (m->node.up && m->node.tick_why[0])
		lacks(v, "sysctl kernel.ftrace_enabled=1; continuumctl down, up",
		      "a timer (%s) stands in for the tick hook: %s", m->node.tick, m->node.tick_why);
	else if (on[0] == '1')
		good(v, "enabled");
	else
		lacks(v, "sysctl kernel.ftrace_enabled=1", "not enabled: a timer stands in for the tick hook");
}

/* CLOCK_REALTIME is the host's, so a process that moves sees the difference. */
static void check_clock(const struct machine *m, struct verdict *v)
{
	struct timex t = { 0 };

	(void)m;
	if (adjtimex(&t) < 0 || t.status & STA_UNSYNC)
		lacks(v, "systemctl enable --now systemd-timesyncd (or chrony)",
		      "not synchronised: a process that moves would see the time jump");
	else
		good(v, "synchronised, within %ld ms", t.maxerror / 1000);
}

static void check_memory(const struct machine *m, struct verdict *v)
{
	unsigned long long available = 0;
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];

	(void)m;
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %llu", &available) == 1)
			break;
	if (file)
		fclose(file);
	available >>= 10;
	if (available >= ENOUGH_MIB)
		good(v, "%llu MiB available", available);
	else
		lacks(v, "end programs, or continuumctl set accept off", "%llu MiB available", available);
}

static void check_restorers(const struct machine *m, struct verdict *v)
{
	if (m->config.spare_landers)
		good(v, "%u kept ready", m->config.spare_landers);
	else
		lacks(v, "\"spare_landers\" in continuum.conf", "none kept ready: each landing waits for its own");
}

/* ---- optional ---- */

static void check_btf(const struct machine *m, struct verdict *v)
{
	(void)m;
	if (!access("/sys/kernel/btf/vmlinux", R_OK))
		good(v, "of the kernel");
	else
		lacks(v, "a kernel with CONFIG_DEBUG_INFO_BTF", "none: continuumctl trace does not work");
}

enum grade { REQUIRED, RECOMMENDED, OPTIONAL };

static const struct {
	const char *name;
	enum grade grade;
	void (*check)(const struct machine *machine, struct verdict *verdict);
} checks[] = {
	{ "kernel", REQUIRED, check_kernel },
	{ "module", REQUIRED, check_module },
	{ "continuumd", REQUIRED, check_daemon },
	{ "node", REQUIRED, check_node },
	{ "config", REQUIRED, check_config },
	{ "key", REQUIRED, check_key },
	{ "port", REQUIRED, check_port },
	{ "cgroup v2", REQUIRED, check_cgroup },
	{ "namespaces", REQUIRED, check_namespaces },
	{ "kernel TLS", REQUIRED, check_tls },
	{ "seeds", RECOMMENDED, check_seeds },
	{ "peers", RECOMMENDED, check_peers },
	{ "ftrace", RECOMMENDED, check_ftrace },
	{ "clock", RECOMMENDED, check_clock },
	{ "memory", RECOMMENDED, check_memory },
	{ "restorers", RECOMMENDED, check_restorers },
	{ "BTF", OPTIONAL, check_btf },
};
#define CHECKS	(sizeof(checks) / sizeof(checks[0]))

static const char *const grades[] = { "required", "recommended", "optional" };

static void print_json(const struct verdict *verdicts)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < CHECKS; i++) {
		struct json_object *object = json_object_new_object();

		json_add_text(object, "check", checks[i].name);
		json_add_text(object, "grade", grades[checks[i].grade]);
		json_add_bool(object, "good", verdicts[i].good);
		json_add_text(object, "text", verdicts[i].text);
		json_add_text(object, "fix", verdicts[i].fix);
		json_object_array_add(array, object);
	}
	json_print(array);
}

static void print_text(const struct verdict *v)
{
	for (size_t i = 0; i < CHECKS; i++, v++) {
		const char *mark = v->good ? "ok" : checks[i].grade == REQUIRED ? "FAIL" :
				   checks[i].grade == RECOMMENDED ? "weak" : "none";

		printf("%-4s  %-11s  %-11s  %s\n", mark, grades[checks[i].grade], checks[i].name, v->text);
		if (!v->good)
			printf("%-32sfix: %s\n", "", v->fix);
	}
}

int command_check(int argc, char **argv)
{
	static struct verdict verdicts[CHECKS];
	struct machine *m;
	bool json, fit = true;
	int status = only_json(argc, argv, &json);

	if (status)
		return status;
	m = malloc(sizeof(*m));
	if (!m)
		return FAILED;
	look(m);
	for (size_t i = 0; i < CHECKS; i++) {
		checks[i].check(m, &verdicts[i]);
		fit &= verdicts[i].good || checks[i].grade != REQUIRED;
	}
	if (json)
		print_json(verdicts);
	else
		print_text(verdicts);
	free(m->peers.items);
	free(m);
	return fit ? DONE : FAILED;
}
