/* SPDX-License-Identifier: GPL-2.0 */
/*
 * run.c - the keeper starts a command
 *
 * The child makes itself ready, says so by closing nothing: it waits on a pipe
 * until the process is adopted, then execs; what goes wrong in it comes back
 * through a second pipe, which a successful exec closes.
 */
#include "keeper.h"
#include "pty.h"
#include "str.h"
#include <asm/errno.h>
#include <linux/close_range.h>

#define FDS_MAX		251		/* the memfd and the command's */
#define DEFAULT_PATH	"/usr/local/bin:/bin:/usr/bin"

_Static_assert(offsetof(struct keeper_start, strings) == sizeof(struct keeper_start), "strings");

/** struct order - what KEEPER_START asked for */
struct order {
	const struct keeper_start *start;
	int fds[FDS_MAX];		/* the memfd first */
	unsigned int nfds;
	char **argv, **envp;
	const char *cwd;
	int go[2], status[2];		/* pipes: to the child, from it */
};

/** struct child_error - what the child could not do */
struct child_error {
	__s32 err;
	char what[200];
};

/* ---- the order ---------------------------------------------------------------- */

static void order_receive(struct keeper *k, struct order *o)
{
	struct keeper_msg m;
	union {
		struct sys_cmsghdr h;
		char room[sizeof(struct sys_cmsghdr) + (FDS_MAX + 1) * sizeof(int)];
	} control;
	struct sys_iovec iov = { &m, sizeof(m) };
	struct sys_msghdr msg = {
		.iov = &iov, .iovlen = 1, .control = &control, .controllen = sizeof(control),
	};
	long n;

	do
		n = SYS(recvmsg, KEEPER_SOCKET_FD, &msg, MSG_CMSG_CLOEXEC);
	while (n == -EINTR);
	if (n <= 0)			/* continuumd has gone */
		sys_exit(1);
	if (n != sizeof(m) || m.type != KEEPER_START || msg.controllen < sizeof(control.h) ||
	    control.h.level != SOL_SOCKET || control.h.type != SCM_RIGHTS)
		keeper_fail(k, EBADMSG, "order");
	o->nfds = (control.h.len - sizeof(control.h)) / sizeof(int);
	if (!o->nfds || o->nfds > FDS_MAX)
		keeper_fail(k, EBADMSG, "order: %u descriptors", o->nfds);
	memcpy(o->fds, &control.h + 1, o->nfds * sizeof(int));
}

static void order_map(struct keeper *k, struct order *o)
{
	struct stat st;
	long ret = SYS(fstat, o->fds[0], &st), at;
	const struct keeper_start *s;

	if (ret || st.st_size < (long)sizeof(*s) || st.st_size > KEEPER_MSG_MAX * 8l)
		keeper_fail(k, EBADMSG, "order: size");
	at = sys_mmap(0, st.st_size, PROT_READ, MAP_PRIVATE, o->fds[0], 0);
	if (sys_failed(at))
		keeper_fail(k, -at, "order: map");
	o->start = s = (const void *)at;
	if (s->size != sizeof(*s) || s->bytes > st.st_size - sizeof(*s) || !s->bytes ||
	    s->strings[s->bytes - 1] || s->nfds != o->nfds - 1 || s->ngroups > KEEPER_GROUPS_MAX ||
	    !s->argc || s->argc > s->bytes || s->envc > s->bytes)
		keeper_fail(k, EBADMSG, "order: counts");
}

/* cwd, arguments, environment: pointers to each */
static void order_strings(struct keeper *k, struct order *o)
{
	const struct keeper_start *s = o->start;
	size_t want = s->argc + s->envc + 2, i;
	const char *at = s->strings, *end = at + s->bytes;
	long table = sys_mmap(0, want * sizeof(char *), PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (sys_failed(table))
		keeper_fail(k, -table, "order: memory");
	o->cwd = at;
	o->argv = (char **)table;
	o->envp = o->argv + s->argc + 1;
	at += strlen(at) + 1;
	for (i = 0; i < want - 1; i++) {
		if (i == s->argc)
			continue;	/* the NULL between */
		if (at >= end)
			keeper_fail(k, EBADMSG, "order: strings");
		o->argv[i] = (char *)at;
		at += strlen(at) + 1;
	}
}

/* ---- the child ---------------------------------------------------------------- */

static __attribute__((noreturn, format(printf, 3, 4)))
void child_fail(struct order *o, int err, const char *fmt, ...)
{
	struct child_error e = { .err = err };
	va_list ap;

	va_start(ap, fmt);
	text_vformat(e.what, sizeof(e.what), fmt, ap);
	va_end(ap);
	SYS(write, o->status[1], &e, sizeof(e));
	sys_exit(126);
}

static long child_must(struct order *o, long ret, const char *what)
{
	if (sys_failed(ret))
		child_fail(o, -(int)ret, "%s", what);
	return ret;
}

/* above every number that the command has */
static int child_move(struct order *o, int fd)
{
	int least = 3;

	for (unsigned int i = 0; i < o->start->nfds; i++)
		if (o->start->fds[i] >= least)
			least = o->start->fds[i] + 1;
	return child_must(o, SYS(fcntl, fd, F_DUPFD_CLOEXEC, least), "descriptors");
}

static void child_fds(struct keeper *k, struct order *o)
{
	const struct keeper_start *s = o->start;
	int status = child_move(o, o->status[1]), go = child_move(o, o->go[0]), tty = -1;
	unsigned int i;

	o->status[1] = status;
	o->go[0] = go;
	for (i = 0; i < s->nfds; i++)
		o->fds[i + 1] = child_move(o, o->fds[i + 1]);
	if (s->tty_fds)
		tty = child_move(o, child_must(o, pty_slave(k->master, O_RDWR), "terminal"));
	/* the exec closes all that is not placed now */
	child_must(o, SYS(close_range, 0, ~0u, CLOSE_RANGE_CLOEXEC), "descriptors");
	for (i = 0; i < s->nfds; i++)
		child_must(o, SYS(dup3, o->fds[i + 1], s->fds[i], 0), "descriptors");
	for (i = 0; i < 3; i++)
		if (s->tty_fds >> i & 1)
			child_must(o, SYS(dup3, tty, i, 0), "descriptors");
}

static void child_signals(struct order *o)
{
	struct sigaction act = { .sa_handler = SIG_DFL };
	__u64 none = 0;
	int sig;

	for (sig = 1; sig <= 64; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			SYS(rt_sigaction, sig, &act, 0, 8);
	child_must(o, SYS(rt_sigprocmask, SIG_SETMASK, &none, 0, 8), "signal mask");
}

/* The order matters: what needs root first; a change of uid from 0 drops all capabilities. */
static void child_credentials(struct order *o)
{
	const struct keeper_start *s = o->start;
	long ret;

	for (int i = 0; i < 16; i++)
		child_must(o, SYS(prlimit64, 0, i, &s->rlimits[i], 0), "resource limits");
	child_must(o, SYS(setpriority, 0, 0, s->nice), "nice");
	SYS(umask, s->umask & 0777);
	child_must(o, SYS(setgroups, s->ngroups, s->groups), "groups");
	child_must(o, SYS(setresgid, s->gid, s->gid, s->gid), "gid");
	child_must(o, SYS(setresuid, s->uid, s->uid, s->uid), "uid");
	ret = SYS(chdir, o->cwd);
	if (ret)
		child_fail(o, -(int)ret, "chdir %s", o->cwd);
}

/* a script without a first line of its own, as execvp(3) does it */
static long child_script(struct order *o, const char *path)
{
	unsigned int argc = o->start->argc, i;
	long table = sys_mmap(0, (argc + 2) * sizeof(char *), PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char **argv = (char **)table;

	if (sys_failed(table))
		return table;
	argv[0] = (char *)"/bin/sh";
	argv[1] = (char *)path;
	for (i = 1; i < argc; i++)
		argv[i + 1] = o->argv[i];
	return SYS(execve, argv[0], argv, o->envp);
}

static long child_try(struct order *o, const char *path)
{
	long ret = SYS(execve, path, o->argv, o->envp);

	return ret == -ENOEXEC ? child_script(o, path) : ret;
}

static const char *child_path(struct order *o)
{
	for (char **e = o->envp; *e; e++)
		if (!memcmp(*e, "PATH=", 5))
			return *e + 5;
	return DEFAULT_PATH;
}

/* Return: why it is not running */
static long child_exec(struct order *o)
{
	const char *name = o->argv[0], *p, *end;
	char path[CTM_PATH_MAX];
	long ret, first = -ENOENT;

	for (p = name; *p; p++)
		if (*p == '/')
			return child_try(o, name);
	if (!*name)
		return -ENOENT;
	for (p = child_path(o); ; p = end + 1) {
		size_t len;

		for (end = p; *end && *end != ':'; end++)
			;
		len = end - p;
		if (len + strlen(name) + 3 > sizeof(path)) {
			ret = -ENAMETOOLONG;
		} else {
			memcpy(path, p, len);
			text_format(path + len, sizeof(path) - len, "%s%s", len ? "/" : "./", name);
			ret = child_try(o, path);
		}
		if (ret != -ENOENT && ret != -ENOTDIR && ret != -EACCES && ret != -ENAMETOOLONG)
			return ret;
		if (ret == -EACCES)	/* remembered: something of that name is there */
			first = ret;
		if (!*end)
			return first;
	}
}

static __attribute__((noreturn)) void child_run(struct keeper *k, struct order *o)
{
	char byte;

	SYS(setpgid, 0, 0);
	child_fds(k, o);
	child_credentials(o);
	child_signals(o);
	/* end of file: the keeper could not adopt us */
	if (SYS(read, o->go[0], &byte, 1) != 1)
		sys_exit(125);
	child_fail(o, -(int)child_exec(o), "exec %s", o->argv[0]);
}

/* ---- the keeper ---------------------------------------------------------------- */

static void pipe_make(struct keeper *k, int *fds)
{
	long ret = SYS(pipe2, fds, O_CLOEXEC);

	if (ret)
		keeper_fail(k, -ret, "pipe");
}

static void leader_clone(struct keeper *k, struct order *o)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = KEEPER_CGROUP_FD,
	};
	long ret;

	pipe_make(k, o->go);
	pipe_make(k, o->status);
	ret = SYS(clone3, &args, sizeof(args));
	if (!ret)
		child_run(k, o);
	if (ret < 0)
		keeper_fail(k, -ret, "clone");
	k->leader = ret;
	SYS(setpgid, ret, ret);
	SYS(close, o->go[0]);
	SYS(close, o->status[1]);
	/* who holds a copy of the command's descriptors decides how they travel */
	for (unsigned int i = 0; i < o->nfds; i++)
		SYS(close, o->fds[i]);
}

static void leader_adopt(struct keeper *k, struct order *o)
{
	struct ctm_adopt q = {
		.size = sizeof(q), .flags = o->start->flags, .pid = k->leader,
		.cgroup_fd = KEEPER_CGROUP_FD, .ttl = o->start->ttl, .lease_ms = o->start->lease_ms,
	};
	long ret = SYS(ioctl, KEEPER_DEVICE_FD, CTM_IOC_ADOPT, &q);

	if (ret)
		keeper_fail(k, -ret, "adopt");
	k->gpid = q.gpid;
	k->flags = q.flags;
}

/* the exec, or why not */
static void leader_await(struct keeper *k, struct order *o)
{
	struct child_error e;
	long n;

	SYS(write, o->go[1], "", 1);
	SYS(close, o->go[1]);
	do
		n = SYS(read, o->status[0], &e, sizeof(e));
	while (n == -EINTR);
	SYS(close, o->status[0]);
	if (n == sizeof(e))
		keeper_fail(k, e.err, "%s", e.what);
}

static void terminal_make(struct keeper *k, const struct keeper_start *s)
{
	__u32 cflag;

	keeper_pty(k, s->uid);
	pty_size(k->master, s->rows, s->cols);
	memcpy(&cflag, s->termios + 8, 4);
	if (cflag)		/* all zero: the caller's terminal is none */
		pty_termios(k->slave, s->termios);
}

void keeper_run(struct keeper *k)
{
	struct order o = { 0 };

	order_receive(k, &o);
	order_map(k, &o);
	order_strings(k, &o);
	if (o.start->flags & CTM_ADOPT_TTY)
		terminal_make(k, o.start);
	else if (o.start->tty_fds)
		keeper_fail(k, EBADMSG, "order: terminal");
	leader_clone(k, &o);
	if (k->slave >= 0)
		pty_foreground(k->slave, k->leader);
	leader_adopt(k, &o);
	leader_await(k, &o);
	keeper_tell(k, KEEPER_STARTED);
}
