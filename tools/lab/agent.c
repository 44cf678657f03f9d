// SPDX-License-Identifier: GPL-2.0
/*
 * agent - runs commands in a lab node for the clients outside.
 *
 * One thread, one poll loop: the virtio-serial port on one side, the pipes (or
 * the pty) of each session's command on the other. A session ends when its
 * command does; what is then in its pipes is still sent, but what background
 * children write later is not waited for. The protocol is in wire.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user.h"
#include "wire.h"

#define MAX_SESSIONS 256
#define EXTRA_ENV 64

struct out {
	int fd;			/* -1: at its end */
	int64_t credit;
	bool closing;		/* command ended: `left` bytes remain to be sent */
	int left;
};

struct session {
	struct session *next;
	uint32_t id;
	pid_t pid;		/* also the process group; 0: reaped */
	int in_fd;		/* -1: closed */
	struct buf in;
	bool in_eof;
	uint32_t in_done;	/* bytes passed on but not yet credited */
	struct out out[2];	/* stdout or pty, stderr */
	int slave_fd;		/* of the pty: held so that the master sees no early end */
	int exec_fd;		/* becomes readable with errno if exec fails */
	bool tty, orphan;	/* orphan: the client is gone */
	int status;
	char *command;
};

static int port;
static struct buf rx, tx;
static struct session *sessions;
static int nr_sessions;

static int open_port(void)
{
	char path[64], name[64];

	for (int tries = 0; tries < 400; tries++) {
		for (int i = 0; i < 8; i++) {
			snprintf(path, sizeof(path), "/sys/class/virtio-ports/vport%dp1/name", i);
			FILE *f = fopen(path, "re");
			bool ours = f && fgets(name, sizeof(name), f) &&
				    !strncmp(name, LAB_PORT, strlen(LAB_PORT));

			if (f)
				fclose(f);
			snprintf(path, sizeof(path), "/dev/vport%dp1", i);
			if (ours)
				return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		}
		usleep(25000);
	}
	errno = ENODEV;
	return -1;
}

static void send_hello(void)
{
	struct utsname u;
	char text[256] = "";
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, 64);

	close(fd);
	n = n > 0 ? n : 1;
	text[n - 1] = 0;
	uname(&u);
	n += snprintf(text + n, sizeof(text) - n, "%s", u.release) + 1;
	frame_put(&tx, LAB_HELLO, 0, 0, text, n);
}

static struct session *find(uint32_t id)
{
	struct session *s = sessions;

	while (s && s->id != id)
		s = s->next;
	return s;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void destroy(struct session *s)
{
	struct session **p = &sessions;

	while (*p != s)
		p = &(*p)->next;
	*p = s->next;
	nr_sessions--;
	close_fd(&s->in_fd);
	close_fd(&s->slave_fd);
	close_fd(&s->exec_fd);
	close_fd(&s->out[0].fd);
	close_fd(&s->out[1].fd);
	buf_free(&s->in);
	free(s->command);
	free(s);
}

static void fail(uint32_t id, uint32_t status, const char *fmt, const char *what, const char *why)
{
	char text[1024];
	int n = sizeof(status);

	memcpy(text, &status, n);
	n += snprintf(text + n, sizeof(text) - n, fmt, what, why);
	frame_put(&tx, LAB_FAIL, 0, id, text, n < (int)sizeof(text) ? n : (int)sizeof(text) - 1);
}

/* ---- starting a command ---- */

struct request {
	struct lab_open open;
	const char *user;
	char *env[EXTRA_ENV + 1];
	char **argv;
};

/* Points into the payload, which must outlive the request; false if malformed. */
static bool parse_open(struct request *r, const struct lab_frame *f, const char *payload)
{
	const char *p = payload + sizeof(r->open), *end = payload + f->len;
	int n = 0;

	if (f->len < sizeof(r->open) + 3 || end[-1])
		return false;
	memcpy(&r->open, payload, sizeof(r->open));
	r->user = p;
	for (p += strlen(p) + 1; p < end && *p; p += strlen(p) + 1)
		if (n < EXTRA_ENV)
			r->env[n++] = (char *)p;
	r->env[n] = NULL;
	p++;
	r->argv = calloc((end > p ? end - p : 0) + 1, sizeof(char *));
	if (p >= end || !r->argv)
		return false;
	for (n = 0; p < end; p += strlen(p) + 1)
		r->argv[n++] = (char *)p;
	return true;
}

static int open_pty(const struct lab_winsize *size, int *slave)
{
	struct winsize w = { .ws_row = size->rows, .ws_col = size->cols };
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	char name[64];

	if (master < 0 || unlockpt(master) < 0 || ptsname_r(master, name, sizeof(name)))
		return -1;
	*slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	ioctl(master, TIOCSWINSZ, &w);
	return *slave < 0 ? -1 : master;
}

/* The child's ends go to std[], the agent's into the session. */
static bool open_streams(struct session *s, const struct request *r, int std[3])
{
	int p[3][2];

	s->tty = r->open.flags & LAB_OPEN_TTY;
	if (s->tty) {
		s->out[0].fd = open_pty(&r->open.size, &std[0]);
		if (s->out[0].fd < 0)
			return false;
		s->in_fd = fcntl(s->out[0].fd, F_DUPFD_CLOEXEC, 3);
		std[1] = std[2] = std[0];
		return s->in_fd >= 0;
	}
	for (int i = 0; i < 3; i++)
		if (pipe2(p[i], O_CLOEXEC) < 0)
			return false;
	std[0] = p[0][0];
	s->in_fd = p[0][1];
	for (int i = 0; i < 2; i++) {
		std[i + 1] = p[i + 1][1];
		s->out[i].fd = p[i + 1][0];
		fcntl(s->out[i].fd, F_SETFL, O_NONBLOCK);
		fcntl(s->out[i].fd, F_SETPIPE_SZ, 256 << 10);
	}
	fcntl(s->in_fd, F_SETFL, O_NONBLOCK);
	fcntl(s->in_fd, F_SETPIPE_SZ, 256 << 10);
	return true;
}

static void child(const struct request *r, const int std[3], int report)
{
	struct user u;
	sigset_t none;
	int err;

	setsid();
	if (r->open.flags & LAB_OPEN_TTY)
		ioctl(std[0], TIOCSCTTY, 0);
	for (int i = 0; i < 3; i++)
		dup2(std[i], i);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (r->open.flags & LAB_OPEN_FIXED)
		personality(ADDR_NO_RANDOMIZE);
	if (user_find(&u, *r->user ? r->user : "root") < 0) {
		err = -1;
		goto out;
	}
	if (r->open.flags & LAB_OPEN_TTY)
		fchown(0, u.uid, -1);
	setenv("HOME", u.home, 1);
	setenv("USER", u.name, 1);
	setenv("LOGNAME", u.name, 1);
	setenv("SHELL", u.shell, 1);
	for (int i = 0; r->env[i]; i++)
		putenv(r->env[i]);
	if (user_become(&u) == 0 && chdir("/") == 0)
		execvp(r->argv[0], r->argv);
	err = errno;
out:
	if (write(report, &err, sizeof(err)) < 0)
		perror("lab-agent");
	_exit(127);
}

static void adopt_oom(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (write(fd, "0", 1) < 0)
			perror("lab-agent: oom_score_adj");
		close(fd);
	}
}

static bool start(struct session *s, const struct request *r)
{
	int std[3] = { -1, -1, -1 }, report[2];

	if (!open_streams(s, r, std) || pipe2(report, O_CLOEXEC) < 0)
		return false;
	s->pid = fork();
	if (s->pid < 0)
		return false;
	if (s->pid == 0)
		child(r, std, report[1]);
	adopt_oom(s->pid);
	s->exec_fd = report[0];
	close(report[1]);
	if (s->tty) {
		s->slave_fd = std[0];
		return true;
	}
	for (int i = 0; i < 3; i++)
		close(std[i]);
	return true;
}

static void open_session(const struct lab_frame *f, const char *payload)
{
	struct request r = {};
	struct session *s;

	if (!parse_open(&r, f, payload)) {
		fail(f->session, LAB_FAILED, "%s%s", "malformed request", "");
		free(r.argv);
		return;
	}
	if (nr_sessions == MAX_SESSIONS) {
		fail(f->session, LAB_FAILED, "%s%s", "too many commands at once", "");
		free(r.argv);
		return;
	}
	nr_sessions++;
	s = calloc(1, sizeof(*s));
	s->id = f->session;
	s->in_fd = s->slave_fd = s->exec_fd = s->out[0].fd = s->out[1].fd = -1;
	s->out[0].credit = s->out[1].credit = LAB_WINDOW;
	s->next = sessions;
	sessions = s;
	s->command = strdup(*r.user ? r.user : r.argv[0]);
	if (!*r.user || user_exists(r.user)) {
		free(s->command);
		s->command = strdup(r.argv[0]);
	}
	if (start(s, &r)) {
		frame_put(&tx, LAB_OPENED, 0, s->id, NULL, 0);
	} else {
		fail(s->id, LAB_FAILED, "cannot start %s: %s", s->command, strerror(errno));
		destroy(s);
	}
	free(r.argv);
}

/* ---- streams ---- */

static void feed(struct session *s)
{
	while (s->in_fd >= 0 && buf_used(&s->in)) {
		long n = buf_write(&s->in, s->in_fd, LAB_CHUNK);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {	/* the command closed its input: swallow the rest */
			n = buf_used(&s->in);
			buf_drop(&s->in, n);
			if (!s->tty)
				close_fd(&s->in_fd);
		}
		s->in_done += n;
	}
	if (s->in_fd < 0) {
		s->in_done += buf_used(&s->in);
		buf_drop(&s->in, buf_used(&s->in));
	}
	if (s->in_done >= LAB_WINDOW / 4) {
		frame_put_u32(&tx, LAB_CREDIT, LAB_STDIN, s->id, s->in_done);
		s->in_done = 0;
	}
	if (s->in_eof && !buf_used(&s->in) && !s->tty)
		close_fd(&s->in_fd);
}

static void stdin_data(struct session *s, const struct lab_frame *f, const char *payload)
{
	if (f->len) {
		buf_add(&s->in, payload, f->len);
	} else {
		s->in_eof = true;
		if (s->tty)
			buf_add(&s->in, "\004", 1);	/* VEOF */
	}
	feed(s);
}

static bool wants_output(const struct out *o)
{
	return o->fd >= 0 && o->credit > 0 && (!o->closing || o->left > 0);
}

static void drain(struct session *s, int i)
{
	struct out *o = &s->out[i];
	char chunk[LAB_CHUNK];
	size_t max = o->credit < (int64_t)sizeof(chunk) ? (size_t)o->credit : sizeof(chunk);
	ssize_t n;

	if (o->closing && (size_t)o->left < max)
		max = o->left;
	n = read(o->fd, chunk, max);
	if (n < 0 && (errno == EAGAIN || errno == EINTR) && !o->closing)
		return;
	if (n <= 0) {
		close_fd(&o->fd);
		return;
	}
	frame_put(&tx, LAB_DATA, LAB_STDOUT + i, s->id, chunk, n);
	o->credit -= n;
	if (o->closing)
		o->left -= n;
}

/* The command has ended: send what its pipes hold, then its status. */
static void finish(struct session *s)
{
	for (int i = 0; i < 2; i++)
		if (s->out[i].fd >= 0 && s->out[i].left > 0 && !s->orphan)
			return;
	if (!s->orphan)
		frame_put_u32(&tx, LAB_EXIT, 0, s->id, s->status);
	destroy(s);
}

static void ended(struct session *s, int status)
{
	int err;

	s->pid = 0;
	s->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (s->exec_fd >= 0 && read(s->exec_fd, &err, sizeof(err)) == sizeof(err)) {
		if (!s->orphan && err == -1)
			fail(s->id, LAB_FAILED, "no user \"%s\" here%s", s->command, "");
		else if (!s->orphan)
			fail(s->id, err == ENOENT ? 127 : 126, "%s: %s", s->command, strerror(err));
		destroy(s);
		return;
	}
	for (int i = 0; i < 2; i++) {
		struct out *o = &s->out[i];

		o->closing = true;
		if (o->fd >= 0 && ioctl(o->fd, FIONREAD, &o->left) < 0)
			o->left = 0;
		if (s->tty)	/* FIONREAD sees only part of a pty: read until it is dry */
			o->left = 1 << 30;
	}
}

static void reap(int sigfd)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(sigfd, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (struct session *s = sessions; s; s = s->next)
			if (s->pid == pid) {
				ended(s, status);
				break;
			}
}

/* ---- the port ---- */

static void kill_session(struct session *s)
{
	s->orphan = true;
	if (s->pid)
		kill(-s->pid, SIGKILL);
	close_fd(&s->in_fd);
	close_fd(&s->out[0].fd);
	close_fd(&s->out[1].fd);
}

static void signal_session(struct session *s, int sig)
{
	pid_t group = s->pid;

	if (s->tty && s->out[0].fd >= 0)
		ioctl(s->out[0].fd, TIOCGPGRP, &group);
	if (group > 1)
		kill(-group, sig);
}

/*
 * Programs have changed outside, and their pages may be cached here: a remount
 * drops what the root file system has cached and nobody uses.
 */
static void refresh(void)
{
	if (mount(NULL, "/", NULL, MS_REMOUNT, NULL) < 0)
		perror("lab-agent: remount");
}

static void handle(const struct lab_frame *f, const char *payload)
{
	struct session *s = find(f->session);
	struct winsize w = {};
	struct lab_winsize size;

	if (f->type == LAB_REFRESH)
		refresh();
	if (f->type == LAB_OPEN && !s)
		open_session(f, payload);
	if (!s || s->orphan)
		return;
	switch (f->type) {
	case LAB_DATA:
		stdin_data(s, f, payload);
		break;
	case LAB_CREDIT:
		if (f->stream == LAB_STDOUT || f->stream == LAB_STDERR)
			s->out[f->stream - LAB_STDOUT].credit += frame_u32(f, payload);
		break;
	case LAB_WINCH:
		if (!s->tty || f->len < sizeof(size))
			break;
		memcpy(&size, payload, sizeof(size));
		w.ws_row = size.rows;
		w.ws_col = size.cols;
		ioctl(s->out[0].fd, TIOCSWINSZ, &w);
		break;
	case LAB_SIGNAL:
		signal_session(s, frame_u32(f, payload));
		break;
	case LAB_CLOSE:
		kill_session(s);
		break;
	}
}

static void receive(void)
{
	struct lab_frame f;
	const char *payload;
	int r;

	if (buf_read(&rx, port, 64 << 10) == 0)
		usleep(10000);	/* the host side is closed for the moment */
	while ((r = frame_get(&rx, &f, &payload)) > 0) {
		handle(&f, payload);
		frame_drop(&rx, &f);
	}
	if (r < 0)
		exit(1);
}

/* ---- the loop ---- */

static struct pollfd polled[3 + MAX_SESSIONS * 3];

static int watch(int n, int fd, short events)
{
	polled[n].fd = fd;
	polled[n].events = events;
	polled[n].revents = 0;
	return n + 1;
}

static void turn(int sigfd)
{
	struct session *s, *next;
	bool send_more = buf_used(&tx);
	int n = 0, k;

	n = watch(n, port, POLLIN | (send_more ? POLLOUT : 0));
	n = watch(n, sigfd, POLLIN);
	for (s = sessions; s; s = s->next) {
		n = watch(n, buf_used(&s->in) ? s->in_fd : -1, POLLOUT);
		for (int i = 0; i < 2; i++)
			n = watch(n, wants_output(&s->out[i]) ? s->out[i].fd : -1, POLLIN);
	}
	if (poll(polled, n, -1) < 0)
		return;
	for (s = sessions, k = 2; s && k < n; s = s->next, k += 3) {
		if (polled[k].revents)
			feed(s);
		for (int i = 0; i < 2; i++) {
			struct out *o = &s->out[i];

			if (polled[k + 1 + i].revents && o->fd >= 0)
				drain(s, i);
		}
	}
	if (polled[1].revents)
		reap(sigfd);
	for (s = sessions; s; s = next) {
		next = s->next;
		while (s->out[0].closing && wants_output(&s->out[0]))
			drain(s, 0);
		while (s->out[1].closing && wants_output(&s->out[1]))
			drain(s, 1);
		if (s->pid == 0 && (s->out[0].closing || s->orphan))
			finish(s);
	}
	if (polled[0].revents & POLLIN)
		receive();
	else if (polled[0].revents & POLLHUP)
		usleep(10000);
	if (buf_used(&tx))
		buf_write(&tx, port, LAB_CHUNK);
}

int main(void)
{
	sigset_t chld;
	int fd, sigfd;

	umask(022);
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "-1000", 5) < 0)
		perror("lab-agent: oom_score_adj");
	close(fd);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	sigfd = signalfd(-1, &chld, SFD_NONBLOCK | SFD_CLOEXEC);
	port = open_port();
	if (port < 0) {
		perror("lab-agent: cannot open the port " LAB_PORT);
		return 1;
	}
	send_hello();
	for (;;)
		turn(sigfd);
}
