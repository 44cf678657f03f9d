// SPDX-License-Identifier: GPL-2.0
/* A node's virtual machine: its QEMU is started, watched and killed here. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "labd.h"

#define MAX_ARGS 80

struct args {
	char *v[MAX_ARGS + 1];
	int n;
};

__attribute__((format(printf, 2, 3)))
static void arg(struct args *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (a->n == MAX_ARGS || vasprintf(&a->v[a->n++], fmt, ap) < 0)
		abort();
	va_end(ap);
}

static void arg2(struct args *a, const char *option, const char *value)
{
	arg(a, "%s", option);
	arg(a, "%s", value);
}

/*
 * How fast the emulated time-stamp counter runs: it is the computer's.  A guest
 * that measures it while the computer is busy may find a twentieth of it, and
 * its clock then runs twenty times too fast.
 */
static unsigned long tsc_khz(void)
{
	static unsigned long khz;
	struct timespec a, b;
	unsigned long long from, ticks;
	long long ns;

	if (khz)
		return khz;
	clock_gettime(CLOCK_MONOTONIC_RAW, &a);
	from = __builtin_ia32_rdtsc();
	usleep(50000);
	clock_gettime(CLOCK_MONOTONIC_RAW, &b);
	ticks = __builtin_ia32_rdtsc() - from;
	ns = (b.tv_sec - a.tv_sec) * 1000000000ll + b.tv_nsec - a.tv_nsec;
	khz = ticks * 1000000 / ns;
	return khz;
}

/* "lab boot --cpu" has left a line for this node, which is added to the CPU's model. */
static const char *cpu_less(const struct node *n, char *text, size_t room)
{
	char path[32];
	FILE *f;

	text[0] = 0;
	snprintf(path, sizeof(path), "cpu.%s", n->name);
	f = fopen(path, "re");
	if (f && fgets(text, room, f))
		text[strcspn(text, "\n")] = 0;
	if (f)
		fclose(f);
	return text;
}

static void machine_args(struct args *a, const struct node *n)
{
	const struct lab *lab = n->lab;
	bool kvm = !strcmp(lab->accel, "kvm"), icount = !strcmp(lab->accel, "icount");
	char timing[160], less[128];

	arg(a, "qemu-system-x86_64");
	arg(a, "-name");
	arg(a, "lab-%s-%s", lab->name, n->name);
	arg2(a, "-machine", lab->machine);
	/*
	 * QEMU translates a program anew wherever it is loaded. When a page that held one is
	 * cleared, all of its translations are thrown away, which took minutes in nodes that
	 * had run for long; so they do not get the gigabyte that QEMU has for them.
	 */
	arg2(a, "-accel", kvm ? "kvm" : icount ? "tcg,thread=single" : "tcg,thread=multi,tb-size=64");
	if (icount)			/* an instruction is a nanosecond, and so is a tick of the TSC */
		arg2(a, "-icount", "shift=0,sleep=off");
	/*
	 * Without -cx16, QEMU 7.2's multi-threaded emulation makes 6.12 panic now and then.
	 * With erms the kernel clears and copies pages byte by byte, as emulation does it:
	 * two to five times as slow, and much more where code has lain.
	 */
	arg(a, "-cpu");
	arg(a, "%s%s", kvm ? "host" : "max,-cx16,-la57,-erms,-fsrm", cpu_less(n, less, sizeof(less)));
	arg(a, "-smp");
	arg(a, "%d", lab->cpus);
	arg(a, "-m");
	arg(a, "%d", lab->mem);
	arg(a, "-nodefaults");
	arg(a, "-no-user-config");
	arg(a, "-no-reboot");
	arg2(a, "-display", "none");
	arg2(a, "-kernel", lab->vmlinuz);
	arg2(a, "-initrd", lab->initrd);
	arg(a, "-append");
	/*
	 * On a busy computer the tests that the first ones skip fail for want of time, and
	 * a machine that does not get its turn for 20 s says that its CPU is locked up, in
	 * whatever function it was: most often where pages are cleared.
	 */
	snprintf(timing, sizeof(timing), "no_timer_check tsc=reliable tsc_early_khz=%lu "
		 "watchdog_thresh=30 rcupdate.rcu_cpu_stall_timeout=60",
		 icount ? 1000000ul : tsc_khz());
	arg(a, "console=ttyS0 loglevel=5 panic=-1 random.trust_cpu=on lab.node=%d %s %s",
	    n->number, kvm ? "" : timing, lab->append);
	arg(a, "-chardev");
	arg(a, "file,id=console,append=on,path=console.%s", n->name);
	arg2(a, "-serial", "chardev:console");
}

static void device_args(struct args *a, const struct node *n, int agent_fd, int net_fd)
{
	arg(a, "-chardev");
	arg(a, "socket,id=agent,fd=%d", agent_fd);
	arg2(a, "-device", "virtio-serial-pci");
	arg2(a, "-device", "virtserialport,chardev=agent,name=lab.agent");
	arg(a, "-netdev");
	arg(a, "stream,id=net,server=off,addr.type=fd,addr.str=%d", net_fd);
	arg(a, "-device");
	arg(a, "virtio-net-pci,netdev=net,romfile=,mac=52:54:00:77:00:%02x", n->number);
	arg(a, "-fsdev");
	arg(a, "local,id=host,path=%s/,security_model=none,readonly=on,multidevs=remap", n->lab->root);
	arg2(a, "-device", "virtio-9p-pci,fsdev=host,mount_tag=host");
	/* Only root can give files away; others keep owners in a file beside. */
	arg(a, "-fsdev");
	arg(a, "local,id=shared,path=shared,multidevs=remap,security_model=%s",
	    geteuid() ? "mapped-file" : "none");
	arg2(a, "-device", "virtio-9p-pci,fsdev=shared,mount_tag=shared");
}

static void keep_open(int fd)
{
	fcntl(fd, F_SETFD, 0);
}

static void become_qemu(const struct node *n, int agent_fd, int net_fd, pid_t parent)
{
	struct args a = {};
	char log[32];
	sigset_t none;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	snprintf(log, sizeof(log), "qemu.%s", n->name);
	fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	dup2(fd, 1);
	dup2(fd, 2);
	dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
	keep_open(agent_fd);
	keep_open(net_fd);
	machine_args(&a, n);
	device_args(&a, n, agent_fd, net_fd);
	execvp(a.v[0], a.v);
	fprintf(stderr, "%s: %s (is qemu-system-x86 installed?)\n", a.v[0], strerror(errno));
	_exit(127);
}

static long file_size(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? 0 : st.st_size;
}

/* A cable: both ends of a socket, with room for a few large frames. */
static int cable(int fd[2])
{
	int size = 1 << 20;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		return -1;
	for (int i = 0; i < 2; i++)
		setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

/* fd[1] is for QEMU; fd[0] for the switch, or -1: the other machine has it. */
static int connect_net(struct node *n, int fd[2])
{
	struct lab *lab = n->lab;
	int i = n->number - 1;

	if (!lab->pair)
		return cable(fd);
	if (i == 0 && cable(lab->pair_fd) < 0)
		return -1;
	fd[0] = -1;
	fd[1] = lab->pair_fd[i];
	return 0;
}

int vm_start(struct node *n)
{
	int agent[2], net[2];
	char console[32];
	pid_t self = getpid();

	if (connect_net(n, net) < 0)
		goto err;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, agent) < 0)
		goto err;
	snprintf(console, sizeof(console), "console.%s", n->name);
	n->console_start = file_size(console);
	n->stopping = false;
	n->crashed = n->late = false;
	n->pid = fork();
	if (n->pid < 0)
		goto err;
	if (n->pid == 0)
		become_qemu(n, agent[1], net[1], self);
	close(agent[1]);
	close(net[1]);
	relay_attach(n, agent[0]);
	if (net[0] >= 0)
		switch_attach(&n->lab->sw, n->number - 1, net[0]);
	n->state = NODE_BOOTING;
	n->boots++;
	n->boot_started = now_ns();
	timer_arm(&n->deadline, n->boot_started + n->lab->boot_timeout * SEC);
	return 0;
err:
	n->pid = 0;
	snprintf(n->why, sizeof(n->why), "cannot start a virtual machine: %s", strerror(errno));
	return -1;
}

void vm_hello(struct node *n, const char *boot_id, const char *release)
{
	snprintf(n->boot_id, sizeof(n->boot_id), "%s", boot_id);
	snprintf(n->release, sizeof(n->release), "%s", release);
	if (n->state == NODE_BOOTING)	/* else only the agent is new */
		n->boot_ms = (now_ns() - n->boot_started) / MSEC;
	n->state = NODE_UP;
	timer_cancel(&n->deadline);
}

/* The line of text that begins with `mark` in the console log of this boot, or NULL. */
static const char *console_find(const char *log, const char *mark, char *line, size_t size)
{
	const char *p = strstr(log, mark);

	if (!p)
		return NULL;
	snprintf(line, size, "%.*s", (int)strcspn(p, "\r\n"), p);
	return line;
}

static char *read_tail(const char *path, long from)
{
	static char text[64 << 10];
	long size = file_size(path);
	FILE *f = fopen(path, "re");
	size_t n = 0;

	if (size - from > (long)sizeof(text) - 1)
		from = size - sizeof(text) + 1;
	if (f && fseek(f, from, SEEK_SET) == 0)
		n = fread(text, 1, sizeof(text) - 1, f);
	if (f)
		fclose(f);
	for (size_t i = 0; i < n; i++)
		if (!text[i])
			text[i] = ' ';
	text[n] = 0;
	return text;
}

/* Why the machine went, from its console and from QEMU's last words. */
static void diagnose(struct node *n, int status)
{
	char path[32], line[160];
	const char *log;

	snprintf(path, sizeof(path), "console.%s", n->name);
	log = read_tail(path, n->console_start);
	if (console_find(log, "Kernel panic - not syncing", line, sizeof(line)) ||
	    console_find(log, "lab-init: cannot", line, sizeof(line))) {
		snprintf(n->why, sizeof(n->why), "%s; see lab console %s", line, n->name);
	} else if (n->late) {
		snprintf(n->why, sizeof(n->why), "no answer within %d s; see lab console %s",
			 n->lab->boot_timeout, n->name);
	} else if (n->state == NODE_UP && WIFEXITED(status) && !WEXITSTATUS(status)) {
		n->crashed = false;
		snprintf(n->why, sizeof(n->why), "it was switched off from inside");
	} else {
		snprintf(path, sizeof(path), "qemu.%s", n->name);
		log = read_tail(path, 0);
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(log, "\n"), log);
		snprintf(n->why, sizeof(n->why), "QEMU ended with %s %d%s%s",
			 WIFSIGNALED(status) ? "signal" : "status",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
			 *line ? ": " : "", line);
	}
}

static void gone(struct node *n, int status)
{
	bool again = n->state == NODE_BOOTING && !n->retried && !n->stopping && !n->lab->pair;

	n->crashed = true;
	if (!n->stopping)
		diagnose(n, status);
	n->pid = 0;
	n->state = NODE_DOWN;
	timer_cancel(&n->deadline);
	relay_detach(n);
	switch_detach(&n->lab->sw, n->number - 1);
	if (again) {
		n->retried = true;
		n->boots--;
		fprintf(stderr, "labd: %s: boot failed (%s), trying once more\n", n->name, n->why);
		vm_start(n);
	}
}

void vm_exited(struct lab *lab, pid_t pid, int status)
{
	for (int i = 0; i < lab->nr_nodes; i++)
		if (lab->nodes[i].pid == pid)
			gone(&lab->nodes[i], status);
}

void vm_kill(struct node *n, const char *why)
{
	int status;

	if (!n->pid)
		return;
	n->stopping = true;
	snprintf(n->why, sizeof(n->why), "%s", why);
	kill(n->pid, SIGKILL);
	if (waitpid(n->pid, &status, 0) == n->pid)
		gone(n, status);
}

static void on_deadline(struct timer *t)
{
	struct node *n = container_of(t, struct node, deadline);

	n->late = true;
	/* Not vm_kill(): it ends as a failed boot does, and may be tried again. */
	if (n->pid)
		kill(n->pid, SIGKILL);
}

void vm_init(struct node *n)
{
	snprintf(n->name, sizeof(n->name), "n%d", n->number);
	snprintf(n->why, sizeof(n->why), "it was never started");
	n->agent.fd = -1;
	n->deadline.fire = on_deadline;
}
