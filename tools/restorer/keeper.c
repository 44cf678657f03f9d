/* SPDX-License-Identifier: GPL-2.0 */
/*
 * keeper.c - PID 1 of a capsule
 *
 * keeper run | keeper land, started by continuumd as keeper_proto.h says.  All
 * signals stay blocked; children are heard of through a signalfd.
 */
#include "keeper.h"
#include "pty.h"
#include "str.h"
#include <asm/errno.h>
#include <linux/mount.h>
#include <linux/prctl.h>
#include <linux/signalfd.h>

#define FDS_WANTED	(1u << 20)

/* one keeper a program; the restorer forgets it */
static struct keeper keeper;

void keeper_tell(struct keeper *k, __u32 type)
{
	struct keeper_msg m = { .type = type, .gpid = k->gpid };

	SYS(sendto, KEEPER_SOCKET_FD, &m, sizeof(m), MSG_NOSIGNAL, 0, 0);
}

void keeper_fail(struct keeper *k, int err, const char *fmt, ...)
{
	struct keeper_msg m = { .type = KEEPER_FAILED, .error = err ? err : EIO, .gpid = k->gpid };
	struct ctm_land_fail f = { .size = sizeof(f), .error = err ? err : EIO };
	size_t at;
	va_list ap;

	va_start(ap, fmt);
	at = text_vformat(m.text, sizeof(m.text), fmt, ap);
	va_end(ap);
	if (err)
		text_format(m.text + at, sizeof(m.text) - at, ": %s", text_errno(err));
	if (k->landing) {
		text_format(f.reason, sizeof(f.reason), "keeper: %s", m.text);
		SYS(ioctl, KEEPER_DEVICE_FD, CTM_IOC_LAND_FAIL, &f);
	}
	SYS(sendto, KEEPER_SOCKET_FD, &m, sizeof(m), MSG_NOSIGNAL, 0, 0);
	SYS(write, 2, m.text, strlen(m.text));
	SYS(write, 2, "\n", 1);
	sys_exit(1);
}

static void *memory(struct keeper *k, size_t len)
{
	long at = sys_mmap(0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (sys_failed(at))
		keeper_fail(k, -at, "memory");
	return (void *)at;
}

void keeper_pty(struct keeper *k, __u32 uid)
{
	long ret = pty_make(&k->master, &k->slave, uid);

	if (ret)
		keeper_fail(k, -ret, "terminal");
	k->out.buf = memory(k, RELAY_BYTES);
	k->in.buf = memory(k, RELAY_BYTES);
	k->saved = memory(k, RELAY_BYTES);
}

static void signals_block(struct keeper *k)
{
	__u64 all = ~0ull, child = 1ull << (SIGCHLD - 1);
	long fd;

	SYS(rt_sigprocmask, SIG_SETMASK, &all, 0, 8);
	fd = SYS(signalfd4, -1, &child, 8, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		keeper_fail(k, -fd, "signalfd");
	k->sigfd = fd;
}

/* A limit of ours is a limit of what can be restored; the command gets its own. */
static void limits_raise(void)
{
	__u64 files[2] = { FDS_WANTED, FDS_WANTED }, limit[2];

	if (SYS(prlimit64, 0, RLIMIT_NOFILE, files, 0) &&
	    !SYS(prlimit64, 0, RLIMIT_NOFILE, 0, limit)) {
		limit[0] = limit[1];
		SYS(prlimit64, 0, RLIMIT_NOFILE, limit, 0);
	}
	if (!SYS(prlimit64, 0, RLIMIT_CORE, 0, limit)) {
		limit[0] = 0;
		SYS(prlimit64, 0, RLIMIT_CORE, limit, 0);
	}
}

/* Its own view: children get a new time namespace, /proc shows our processes. */
static void namespaces_enter(struct keeper *k)
{
	long ret = SYS(unshare, CLONE_NEWTIME);

	if (ret)
		keeper_fail(k, -ret, "time namespace");
	ret = SYS(mount, "none", "/", 0, MS_REC | MS_SLAVE, 0);
	if (ret)
		keeper_fail(k, -ret, "mount propagation");
	ret = SYS(mount, "proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0);
	if (ret)
		keeper_fail(k, -ret, "mount /proc");
}

__attribute__((noreturn, used)) void keeper_main(unsigned long *stack)
{
	struct keeper *k = &keeper;
	char **argv = (char **)(stack + 1);
	bool land;
	long ret;

	k->master = k->slave = -1;
	k->daemon = true;
	if (stack[0] != 2 || (memcmp(argv[1], "run", 4) && memcmp(argv[1], "land", 5)))
		keeper_fail(k, EINVAL, "usage: keeper run|land, started by continuumd");
	land = argv[1][0] == 'l';
	sys_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	signals_block(k);
	limits_raise();
	namespaces_enter(k);
	ret = SYS(setsid);
	if (ret < 0)
		keeper_fail(k, -ret, "session");
	if (land)
		keeper_land(k);
	else
		keeper_run(k);
	keeper_mind(k);
}
