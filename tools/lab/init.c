// SPDX-License-Identifier: GPL-2.0
/*
 * init - PID 1 of a lab node.
 *
 * Starts from the initramfs: loads the modules listed in /modules, mounts the
 * computer's file tree (9p, read-only) under a tmpfs layer, makes that the
 * root, gives the node its identity and network, starts the agent and from
 * then on reaps orphans. What cannot be done is said on the console after
 * "lab-init:", where the daemon looks for it, and the machine is switched off.
 *
 * With root= in /lab.conf that tree is a system of its own, whose /sbin/init then becomes
 * PID 1 in this one's place, beside the agent.
 *
 * /lab.conf, written by `lab up`, has lines KEY=VALUE; the kernel command line
 * has lab.node=N.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define MAX_KEPT 8

static char conf[16384];
static int node;

/* Directories that must stay visible although something is mounted above them. */
static struct {
	const char *path;
	int tree;
} kept[MAX_KEPT];
static int nr_kept;

static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "\nlab-init: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, ": %s\n", strerror(errno));
	va_end(ap);
	if (getpid() == 1) {
		tcdrain(2);
		reboot(RB_AUTOBOOT);
	}
	_exit(1);
}

static void warn(const char *what)
{
	fprintf(stderr, "lab-init: warning: %s: %s\n", what, strerror(errno));
}

/* The value of a key in lab.conf, or NULL; nth counts repeated keys from 0. */
static const char *conf_get(const char *key, int nth)
{
	size_t len = strlen(key);

	for (char *p = conf; *p; p += strlen(p) + 1)
		if (!strncmp(p, key, len) && p[len] == '=' && nth-- == 0)
			return p + len + 1;
	return NULL;
}

static void read_file(const char *path, char *to, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, to, size - 1);

	if (n < 0)
		die("cannot read %s", path);
	to[n] = 0;
	close(fd);
}

static void read_conf(void)
{
	char line[4096], *p;

	read_file("/lab.conf", conf, sizeof(conf) - 1);
	for (p = conf; *p; p++)
		if (*p == '\n')
			*p = 0;
	read_file("/proc/cmdline", line, sizeof(line));
	p = strstr(line, "lab.node=");
	node = p ? atoi(p + 9) : 0;
	if (strstr(line, "lab.probe")) {
		fprintf(stderr, "\nlab-init: probe ok\n");
		tcdrain(2);
		reboot(RB_AUTOBOOT);
	}
}

static void write_file(const char *path, int flags, const char *fmt, ...)
{
	char text[8192];
	va_list ap;
	int fd, n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0644);
	if (fd < 0 || write(fd, text, n) != n)
		warn(path);
	if (fd >= 0)
		close(fd);
}

/* A new file in place of the computer's own. */
#define REPLACE (O_CREAT | O_TRUNC)
#define replace_file(path, ...) (unlink(path), write_file(path, REPLACE, __VA_ARGS__))

static void mkdirs(const char *path)
{
	char part[4096];

	for (const char *s = path + 1; s; ) {
		s = strchr(s, '/');
		snprintf(part, sizeof(part), "%.*s", s ? (int)(s - path) : 4095, path);
		mkdir(part, 0755);
		if (s)
			s++;
	}
}

static void load_modules(void)
{
	static char list[8192];
	char *save;

	read_file("/modules", list, sizeof(list));
	for (char *p = strtok_r(list, "\n", &save); p; p = strtok_r(NULL, "\n", &save)) {
		int fd = open(p, O_RDONLY | O_CLOEXEC);

		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
			die("cannot load %s", p);
		close(fd);
		unlink(p);
	}
}

/*
 * Uncached, so that what changes outside, or what another node writes to
 * /shared, is seen at once (cache=mmap caches reads from 6.4 on). Pages that
 * are mapped are cached all the same; see fresh.h.
 */
static const char nine[] = "trans=virtio,version=9p2000.L,cache=none,msize=512000";

/* A system in a directory of its own is not changed from outside while it runs. */
static const char nine_loose[] = "trans=virtio,version=9p2000.L,cache=loose,msize=512000";

static bool own_root(void)
{
	const char *root = conf_get("root", 0);

	return root && *root;
}

static void mount_tree(void)
{
	const char *options = own_root() ? nine_loose : nine;
	int tries;

	mkdir("/host", 0755);
	mkdir("/rw", 0755);
	mkdir("/new", 0755);
	for (tries = 0; mount("host", "/host", "9p", MS_RDONLY, options) < 0; tries++) {
		if (tries == 100)
			die("cannot mount the computer's file tree");
		usleep(50000);
	}
	if (mount("rw", "/rw", "tmpfs", 0, "mode=0755,size=75%") < 0)
		die("cannot mount tmpfs");
	mkdir("/rw/upper", 0755);
	mkdir("/rw/work", 0755);
	if (mount("root", "/new", "overlay", 0,
		  "lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work") < 0)
		die("cannot mount the overlay");
	/* The overlay holds its layers by itself. */
	umount2("/host", MNT_DETACH);
	umount2("/rw", MNT_DETACH);
}

static void switch_root(void)
{
	umount2("/sys", MNT_DETACH);
	umount2("/proc", MNT_DETACH);
	umount2("/dev", MNT_DETACH);
	if (chdir("/new") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 ||
	    chroot(".") < 0 || chdir("/") < 0)
		die("cannot switch to the new root");
	if (mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0)
		warn("make / shared");
}

static void keep(const char *path)
{
	if (!path || nr_kept == MAX_KEPT)
		return;
	kept[nr_kept].path = path;
	kept[nr_kept].tree = syscall(SYS_open_tree, AT_FDCWD, path,
				     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (kept[nr_kept].tree < 0)
		warn(path);
	else
		nr_kept++;
}

static void attach(int tree, const char *path)
{
	mkdirs(path);
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		warn(path);
}

/* Show again what the mounts below have hidden. */
static void restore_kept(void)
{
	for (int i = 0; i < nr_kept; i++) {
		if (access(kept[i].path, F_OK) < 0)
			attach(kept[i].tree, kept[i].path);
		close(kept[i].tree);
	}
}

static void try_mount(const char *type, const char *path, unsigned long flags, const char *data)
{
	mkdirs(path);
	if (mount(type, path, type, flags, data) < 0)
		warn(path);
}

/* access(2) would ask this kernel; the computer's may know better. */
static bool readable(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void mount_system(void)
{
	const unsigned long safe = MS_NOSUID | MS_NODEV;

	try_mount("proc", "/proc", safe | MS_NOEXEC, NULL);
	try_mount("sysfs", "/sys", safe | MS_NOEXEC, NULL);
	try_mount("devtmpfs", "/dev", MS_NOSUID, "mode=0755");
	try_mount("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666");
	try_mount("tmpfs", "/dev/shm", safe, "mode=1777");
	try_mount("mqueue", "/dev/mqueue", safe | MS_NOEXEC, NULL);
	try_mount("tmpfs", "/run", safe, "mode=0755");
	try_mount("tmpfs", "/tmp", safe, "mode=1777");
	try_mount("tmpfs", "/var/tmp", safe, "mode=1777");
	try_mount("cgroup2", "/sys/fs/cgroup", safe | MS_NOEXEC, NULL);
	try_mount("bpf", "/sys/fs/bpf", safe | MS_NOEXEC, "mode=700");
	try_mount("debugfs", "/sys/kernel/debug", safe | MS_NOEXEC, NULL);
	try_mount("tracefs", "/sys/kernel/tracing", safe | MS_NOEXEC, NULL);
	if (!readable("/root"))
		try_mount("tmpfs", "/root", safe, "mode=0700");
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
	mkdir("/run/lock", 01777);
	mkdir("/run/user", 0755);
}

static void mount_shared(void)
{
	mkdirs("/shared");
	if (mount("shared", "/shared", "9p", MS_NODEV, nine) < 0)
		warn("/shared");
}

/* Every controller for every cgroup, as systemd does on demand. */
static void enable_controllers(void)
{
	char list[512], *save;

	read_file("/sys/fs/cgroup/cgroup.controllers", list, sizeof(list));
	for (char *p = strtok_r(list, " \n", &save); p; p = strtok_r(NULL, " \n", &save))
		write_file("/sys/fs/cgroup/cgroup.subtree_control", 0, "+%s", p);
}

static void mount_modules(int tree)
{
	const char *release = conf_get("release", 0);
	char path[512];

	snprintf(path, sizeof(path), "/lib/modules/%s", release ? release : "none");
	attach(tree, path);
	close(tree);
}

static bool user_taken(void)
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd *pw;
	bool taken = false;

	while (f && !taken && (pw = fgetpwent(f)))
		taken = !strcmp(pw->pw_name, "user");
	if (f)
		fclose(f);
	return taken;
}

/* "user" has uid 1000, even if that uid has another name on this computer, too. */
static void add_user(void)
{
	if (user_taken())
		return;
	write_file("/etc/passwd", O_APPEND | O_CREAT,
		   "user:x:1000:1000:lab user:/home/user:/bin/sh\n");
	write_file("/etc/group", O_APPEND | O_CREAT, "user:x:1000:\n");
	try_mount("tmpfs", "/home/user", MS_NOSUID | MS_NODEV, "uid=1000,gid=1000,mode=0755");
}

static void set_identity(void)
{
	const char *nodes = conf_get("nodes", 0);
	char name[16], hosts[8192], key[16];
	const char *id;
	int n = nodes ? atoi(nodes) : 0;
	size_t len = 0;

	snprintf(name, sizeof(name), "n%d", node);
	sethostname(name, strlen(name));
	replace_file("/etc/hostname", "%s\n", name);
	len += snprintf(hosts, sizeof(hosts), "127.0.0.1 localhost\n::1 localhost ip6-localhost\n");
	for (int i = 1; i <= n && len < sizeof(hosts) - 64; i++)
		len += snprintf(hosts + len, sizeof(hosts) - len, "10.77.0.%d n%d\n", i, i);
	replace_file("/etc/hosts", "%s", hosts);
	snprintf(key, sizeof(key), "machine_id%d", node);
	id = conf_get(key, 0);
	if (id)
		replace_file("/etc/machine-id", "%s\n", id);
	add_user();
}

static void set_address(int sock, const char *dev, const char *addr, const char *mask, int mtu)
{
	struct ifreq r = {};
	struct sockaddr_in *sin = (struct sockaddr_in *)&r.ifr_addr;

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", dev);
	sin->sin_family = AF_INET;
	inet_pton(AF_INET, addr, &sin->sin_addr);
	if (ioctl(sock, SIOCSIFADDR, &r) < 0)
		warn(dev);
	inet_pton(AF_INET, mask, &sin->sin_addr);
	if (ioctl(sock, SIOCSIFNETMASK, &r) < 0)
		warn(dev);
	r.ifr_mtu = mtu;
	if (mtu && ioctl(sock, SIOCSIFMTU, &r) < 0)
		warn("MTU");
	ioctl(sock, SIOCGIFFLAGS, &r);
	r.ifr_flags |= IFF_UP | IFF_RUNNING;
	if (ioctl(sock, SIOCSIFFLAGS, &r) < 0)
		warn(dev);
}

static void set_network(void)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const char *mtu = conf_get("mtu", 0);
	char addr[32];

	snprintf(addr, sizeof(addr), "10.77.0.%d", node);
	set_address(sock, "lo", "127.0.0.1", "255.0.0.0", 0);
	set_address(sock, "eth0", addr, "255.255.255.0", mtu ? atoi(mtu) : 60000);
	close(sock);
}

/* What systemd would have set. */
static void set_limits(void)
{
	struct rlimit files = { 1024, 524288 };

	setrlimit(RLIMIT_NOFILE, &files);
	write_file("/proc/sys/kernel/pid_max", 0, "4194304");
	write_file("/proc/sys/net/ipv4/ping_group_range", 0, "0 2147483647");
}

static pid_t start_agent(int exe)
{
	const char *name = conf_get("name", 0), *repo = conf_get("repo", 0);
	char lab_name[128], lab_node[32], lab_nodes[32], lab_repo[4096], path[4096 + 128];
	char *argv[] = { "lab-agent", NULL };
	char *envp[] = { path, "LANG=C.UTF-8", lab_name, lab_node, lab_nodes, lab_repo, NULL };
	pid_t pid = fork();

	if (pid)
		return pid;
	snprintf(lab_name, sizeof(lab_name), "LAB_NAME=%s", name ? name : "");
	snprintf(lab_node, sizeof(lab_node), "LAB_NODE=n%d", node);
	snprintf(lab_nodes, sizeof(lab_nodes), "LAB_NODES=%s", conf_get("nodes", 0));
	snprintf(lab_repo, sizeof(lab_repo), "LAB_REPO=%s", repo ? repo : "");
	/* the tree's own programs first: they belong to the module that is loaded */
	snprintf(path, sizeof(path), "PATH=%s%s%s", repo ? repo : "", repo ? "/build/tools:" : "",
		 "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	setsid();
	syscall(SYS_execveat, exe, "", argv, envp, AT_EMPTY_PATH);
	die("cannot start the agent");
	return 0;
}

/*
 * The tree's own init, as PID 1.  The agent stays in the root cgroup, where systemd leaves
 * alone what it has not started.
 */
static void become_init(int agent)
{
	char *argv[] = { "/sbin/init", NULL };
	char *envp[] = { "HOME=/", "TERM=linux", NULL };
	int null;

	mkdirs("/shared");
	mount_shared();
	set_identity();
	set_network();
	write_file("/dev/kmsg", 0, "<6>lab: n%d is up\n", node);
	start_agent(agent);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(null, 0);
	execve(argv[0], argv, envp);
	die("cannot execute /sbin/init");
}

int main(void)
{
	int agent, modules = -1;
	const char *path;
	pid_t pid, dead;

	umask(022);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	read_conf();
	load_modules();
	agent = open("/agent", O_RDONLY | O_CLOEXEC);
	if (agent < 0)
		die("cannot open the agent");
	mount_tree();
	switch_root();
	if (own_root()) {
		const unsigned long safe = MS_NOSUID | MS_NODEV;

		try_mount("proc", "/proc", safe | MS_NOEXEC, NULL);
		try_mount("sysfs", "/sys", safe | MS_NOEXEC, NULL);
		try_mount("devtmpfs", "/dev", MS_NOSUID, "mode=0755");
		become_init(agent);
	}
	path = conf_get("modules", 0);
	if (path)
		modules = syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	for (int i = 0; i < MAX_KEPT; i++)
		keep(conf_get("keep", i));
	mount_system();
	restore_kept();
	mount_modules(modules);
	mount_shared();
	enable_controllers();
	set_identity();
	set_network();
	set_limits();
	/* What the kernel says after this line is not about booting. */
	write_file("/dev/kmsg", 0, "<6>lab: n%d is up\n", node);
	for (pid = start_agent(agent); ; ) {
		dead = wait(NULL);
		if (dead == pid) {
			fprintf(stderr, "lab-init: the agent ended; starting it again\n");
			sleep(1);
			pid = start_agent(agent);
		}
	}
}
