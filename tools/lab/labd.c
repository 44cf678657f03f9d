// SPDX-License-Identifier: GPL-2.0
/*
 * labd DIR - run the lab described by DIR/lab.conf.
 *
 * Returns once the socket DIR/ctl answers; the daemon stays behind. It holds a
 * record lock on DIR/lock for as long as it lives: a DIR whose lock is free
 * was left behind by a crash.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fresh.h"
#include "labd.h"

static struct lab lab;

static void die(const char *what)
{
	fprintf(stderr, "labd: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void set_text(char *to, size_t size, const char *value)
{
	if (strlen(value) >= size) {
		fprintf(stderr, "labd: lab.conf: too long: %s\n", value);
		exit(1);
	}
	strcpy(to, value);
}

static void configure(const char *key, const char *value)
{
	if (!strcmp(key, "name"))
		set_text(lab.name, sizeof(lab.name), value);
	else if (!strcmp(key, "repo"))
		set_text(lab.repo, sizeof(lab.repo), value);
	else if (!strcmp(key, "root"))
		set_text(lab.root, sizeof(lab.root), value);
	else if (!strcmp(key, "release"))
		set_text(lab.release, sizeof(lab.release), value);
	else if (!strcmp(key, "accel"))
		set_text(lab.accel, sizeof(lab.accel), value);
	else if (!strcmp(key, "vmlinuz"))
		set_text(lab.vmlinuz, sizeof(lab.vmlinuz), value);
	else if (!strcmp(key, "initrd"))
		set_text(lab.initrd, sizeof(lab.initrd), value);
	else if (!strcmp(key, "machine"))
		set_text(lab.machine, sizeof(lab.machine), value);
	else if (!strcmp(key, "append"))
		set_text(lab.append, sizeof(lab.append), value);
	else if (!strcmp(key, "nodes"))
		lab.nr_nodes = atoi(value);
	else if (!strcmp(key, "mem"))
		lab.mem = atoi(value);
	else if (!strcmp(key, "cpus"))
		lab.cpus = atoi(value);
	else if (!strcmp(key, "pair"))
		lab.pair = atoi(value);
	else if (!strcmp(key, "boot_timeout"))
		lab.boot_timeout = atoi(value);
	/* The other keys are for the guests. */
}

static void read_conf(void)
{
	FILE *f = fopen("lab.conf", "re");
	char line[2048], *eq;

	if (!f)
		die("lab.conf");
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		eq = strchr(line, '=');
		if (eq) {
			*eq = 0;
			configure(line, eq + 1);
		}
	}
	fclose(f);
	if (lab.nr_nodes < 1 || lab.nr_nodes > MAX_NODES) {
		fprintf(stderr, "labd: a lab has 1 to %d nodes\n", MAX_NODES);
		exit(1);
	}
}

/* The lock belongs to this process and is not inherited. */
static void take_lock(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open("lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || fcntl(fd, F_SETLK, &l) < 0)
		die("this lab is running already");
}

static int listen_socket(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "ctl" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	unlink("ctl");
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 64) < 0)
		die("cannot listen");
	return fd;
}

static void on_signal(struct watch *w, uint32_t events)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	(void)events;
	while (read(w->fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			control(&lab, 1, (char *[]){ "down", NULL }, NULL);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		vm_exited(&lab, pid, status);
}

static void watch_signals(void)
{
	static struct watch w = { .ready = on_signal };
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	w.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	watch_add(&w, EPOLLIN);
}

/* The caller waits for a byte that says: the socket is there. */
static int detach(void)
{
	int p[2];
	char c;

	if (pipe2(p, O_CLOEXEC) < 0)
		die("pipe");
	switch (fork()) {
	case -1:
		die("fork");
	case 0:
		break;
	default:
		close(p[1]);
		_exit(read(p[0], &c, 1) == 1 ? 0 : 1);
	}
	close(p[0]);
	setsid();
	return p[1];
}

static void redirect(void)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int log = open("labd.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	dup2(null, 0);
	dup2(log, 1);
	dup2(log, 2);
	close(null);
	close(log);
}

int main(int argc, char **argv)
{
	int ready;

	if (argc != 2 || chdir(argv[1]) < 0) {
		fprintf(stderr, "usage: labd DIR (lab up starts it)\n");
		return 2;
	}
	/* Whoever waits for the end of a pipe shall not wait for the daemon. */
	close_range(3, ~0U, 0);
	set_text(lab.dir, sizeof(lab.dir), argv[1]);
	read_conf();
	ready = detach();
	take_lock();
	loop_init();
	watch_signals();
	fresh_init();
	if (*lab.repo)
		fresh_watch_tree(lab.repo);
	switch_init(&lab.sw, lab.nr_nodes);
	for (int i = 0; i < lab.nr_nodes; i++) {
		lab.nodes[i].lab = &lab;
		lab.nodes[i].number = i + 1;
		vm_init(&lab.nodes[i]);
		vm_start(&lab.nodes[i]);
	}
	relay_listen(&lab, listen_socket());
	redirect();
	if (write(ready, "", 1) != 1)
		return 1;
	close(ready);
	while (!lab.stop)
		loop_turn();
	unlink("ctl");
	return 0;
}
