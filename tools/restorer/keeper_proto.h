/* SPDX-License-Identifier: GPL-2.0 */
/*
 * keeper_proto.h - what continuumd and a keeper say to each other
 *
 * continuumd starts a keeper (PID 1 of a new PID, mount and time namespace, in
 * the cgroup of the capsule but not in the capsule's process cgroup) with
 *   argv: keeper run  |  keeper land
 *   fd 3: a SOCK_SEQPACKET unix socket to continuumd
 *   fd 4: the directory of the cgroup that the process will live in
 *   fd 5: /dev/continuum, opened for this keeper alone
 * fds 0 to 2 are /dev/null, /dev/null, and continuumd's error output.
 * The time namespace is the keeper's own work: after its exec (an exec enters a
 * time namespace that was unshared before it, from 6.3 on) it calls
 * unshare(CLONE_NEWTIME), so that its children will be in a new one whose
 * offsets may still be written (/proc/self/timens_offsets).
 *
 * "run": the keeper waits for one KEEPER_START, starts the command stopped before
 * its exec, ADOPTs it, lets it exec and answers KEEPER_STARTED with the GPID (or
 * KEEPER_FAILED with errno).  "land": it mounts /proc, says KEEPER_READY, and
 * waits in CTM_IOC_LAND; then KEEPER_LANDING (so that continuumd can prepare
 * another).  In both the keeper then minds the process until it ends or leaves,
 * and exits; when it is the last thing in the capsule, continuumd removes the
 * cgroup.
 */
#ifndef CTM_KEEPER_PROTO_H
#define CTM_KEEPER_PROTO_H

#include <linux/types.h>

#define KEEPER_SOCKET_FD	3
#define KEEPER_CGROUP_FD	4
#define KEEPER_DEVICE_FD	5

#define KEEPER_MSG_MAX		(1u << 20)	/* START travels in a memfd: see below */
#define KEEPER_GROUPS_MAX	1024

enum keeper_msg_type {
	KEEPER_START	= 1,	/* to the keeper */
	KEEPER_STARTED	= 2,	/* from it: gpid */
	KEEPER_FAILED	= 3,	/* error (positive errno), text */
	KEEPER_READY	= 4,
	KEEPER_LANDING	= 5,	/* gpid */
	KEEPER_LANDED	= 6,	/* gpid */
};

/** struct keeper_msg - every datagram on fd 3, both ways */
struct keeper_msg {
	__u32 type;
	__u32 error;
	__u64 gpid;
	char text[240];
};

/**
 * struct keeper_start - the command to start
 * Travels in a sealed memfd, the first descriptor (SCM_RIGHTS) of KEEPER_START;
 * the descriptors after it become the command's descriptors @fds[i].
 * Strings follow the structure, each with its NUL: cwd, then argc arguments,
 * then envc environment entries; @bytes is their total.
 */
struct keeper_start {
	__u32 size;		/* sizeof(struct keeper_start) */
	__u32 flags;		/* CTM_ADOPT_* */
	__u32 uid, gid;
	__u32 ngroups;
	__u32 umask;
	__s32 nice;
	__u32 ttl, lease_ms;
	__u32 nfds;		/* at most 250 */
	__s32 fds[250];		/* number in the command; the passed descriptors in this order */
	__u32 tty_fds;		/* bit n: fd n (0 to 2) is the pty's slave */
	__u16 rows, cols;
	__u8 termios[64];	/* struct termios2 for the new pty, of the caller's terminal */
	struct { __u64 cur, max; } rlimits[16];
	__u32 argc, envc;
	__u32 bytes;
	__u32 pad;		/* 0; strings begin where the structure ends */
	__u32 groups[KEEPER_GROUPS_MAX];
	char strings[];
};

#endif /* CTM_KEEPER_PROTO_H */
