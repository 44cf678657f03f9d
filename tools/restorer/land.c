/* SPDX-License-Identifier: GPL-2.0 */
/*
 * land.c - the keeper waits for a process to land, and clones who builds it
 */
#include "keeper.h"
#include "restore.h"
#include <asm/errno.h>

#define NS		1000000000ll
#define NICE_LANDING	(-20)

static void clock_text(char *buf, size_t room, const char *name, __s64 off)
{
	__s64 s = off / NS, ns = off % NS;

	if (ns < 0) {
		ns += NS;
		s--;
	}
	text_format(buf, room, "%s %ld %ld\n", name, (long)s, (long)ns);
}

/* only before the first child */
static void clocks_set(struct keeper *k, const struct ctm_land *land)
{
	char text[128];
	size_t at;
	long fd, ret;

	clock_text(text, sizeof(text), "monotonic", land->mono_off_ns);
	at = strlen(text);
	clock_text(text + at, sizeof(text) - at, "boottime", land->boot_off_ns);
	fd = sys_open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		keeper_fail(k, -fd, "clocks");
	ret = SYS(write, fd, text, strlen(text));
	if (ret < 0)
		keeper_fail(k, -ret, "clocks: offsets %ld ns, %ld ns", (long)land->mono_off_ns,
			    (long)land->boot_off_ns);
	SYS(close, fd);
}

static void leader_clone(struct keeper *k, const struct ctm_land *land)
{
	__s32 pid = land->pid;
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = KEEPER_CGROUP_FD,
		.set_tid = (__u64)&pid,
		.set_tid_size = 1,
	};
	long ret = SYS(clone3, &args, sizeof(args));

	if (!ret)
		restore_enter(KEEPER_DEVICE_FD, k->master, k->slave, land);
	if (ret < 0)
		keeper_fail(k, -ret, "clone of process %d", pid);
	k->leader = ret;
}

void keeper_land(struct keeper *k)
{
	struct ctm_land land = { .size = sizeof(land), .cgroup_fd = KEEPER_CGROUP_FD };
	long ret;

	keeper_tell(k, KEEPER_READY);
	do
		ret = SYS(ioctl, KEEPER_DEVICE_FD, CTM_IOC_LAND, &land);
	while (ret == -EINTR);
	if (ret)
		keeper_fail(k, -ret, "waiting for a landing");
	/* The process stands still: what builds it goes first, until it gets its own nice. */
	SYS(setpriority, 0, 0, NICE_LANDING);
	k->landing = true;
	k->gpid = land.gpid;
	k->flags = land.flags;
	keeper_tell(k, KEEPER_LANDING);
	clocks_set(k, &land);
	if (k->flags & CTM_ADOPT_TTY)
		keeper_pty(k, land.uid);
	leader_clone(k, &land);
	SYS(setpriority, 0, 0, 0);
}
