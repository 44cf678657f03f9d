/* SPDX-License-Identifier: GPL-2.0 */
/*
 * daemon_proto.h - what continuumctl and continuumd say to each other
 *
 * A SOCK_SEQPACKET unix socket, mode 0666: who asks is known by SO_PEERCRED.
 * One connection carries one request and its answer.
 *
 * DAEMON_START: the first descriptor (SCM_RIGHTS) is a memfd with a struct
 * keeper_start (keeper_proto.h) and its strings, made by the caller; continuumd
 * copies it, checks every length, and puts the peer's credentials and limits in
 * place of what stands there.  The descriptors after it become the command's,
 * in the order of keeper_start.fds.  With DAEMON_DETACH, the descriptors whose
 * bits are set in @log_fds (1, 2) are a log that continuumd opens, and a deputy
 * is started for the process.  Without it the answer carries one descriptor:
 * /dev/continuum, already the deputy of the process (CTM_IOC_DEPUTY).  An
 * answer of no error without that descriptor: the process has ended already.
 *
 * DAEMON_LOG: the answer carries the log of the process of this node with the sequence number
 * @log_fds, opened for more; the peer's, or its to be.
 *
 * DAEMON_DEPUTY: the only descriptor is a /dev/continuum that is a process's deputy; a program is
 * started for it, as START does with DAEMON_DETACH.
 *
 * DAEMON_RELOAD and DAEMON_STOP: root only.  STOP is answered when the node is
 * down; @flags DAEMON_KEEP: stop the daemon, leave the node up.
 */
#ifndef DAEMON_PROTO_H
#define DAEMON_PROTO_H

#include <linux/types.h>

#define DAEMON_SOCKET		"/run/continuum/continuumd.sock"
#define DAEMON_SOCKET_ENV	"CONTINUUM_SOCKET"
#define DAEMON_VERSION		1

enum daemon_request_type {
	DAEMON_START	= 1,
	DAEMON_RELOAD	= 2,
	DAEMON_STOP	= 3,
	DAEMON_LOG	= 4,
	DAEMON_DEPUTY	= 5,
};

#define DAEMON_DETACH	(1u << 0)
#define DAEMON_KEEP	(1u << 1)

struct daemon_request {
	__u32 version;
	__u32 type;
	__u32 flags;
	__u32 log_fds;
};

/**
 * struct daemon_reply - the answer
 * @error: positive errno, 0 for done
 * @stage: enum daemon_stage: where a START failed
 * @text:  what went wrong, one line
 */
struct daemon_reply {
	__u32 error;
	__u32 stage;
	__u64 gpid;
	char text[240];
};

enum daemon_stage {
	DAEMON_STAGE_NONE	= 0,
	DAEMON_STAGE_CONTINUUM	= 1,	/* run: 125 */
	DAEMON_STAGE_COMMAND	= 2,	/* the command could not be executed: 126, 127 */
};

#endif /* DAEMON_PROTO_H */
