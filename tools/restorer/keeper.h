/* SPDX-License-Identifier: GPL-2.0 */
/*
 * keeper.h - the keeper: PID 1 of a capsule, parent of the process in it
 */
#ifndef RESTORER_KEEPER_H
#define RESTORER_KEEPER_H

#include "keeper_proto.h"
#include "sys.h"

#define RELAY_BYTES	(64u << 10)

/** struct relay - bytes on their way, between @from and @to in @buf */
struct relay {
	__u8 *buf;
	__u32 from, to;
};

struct keeper {
	int sigfd;
	int master, slave;	/* the pty, -1: none */
	bool daemon;		/* continuumd still listens */
	int leader;		/* pid in our namespace */
	__u64 gpid;
	__u32 flags;		/* CTM_ADOPT_* */
	bool landing;		/* built here, not committed yet */
	bool leader_ended;
	bool paused;		/* the terminal was saved: its input waits */
	struct relay out, in;	/* of the terminal */
	struct ctm_tty_state *saved;	/* RELAY_BYTES */
};

/** keeper_fail() - tell continuumd, and the module when a landing fails by it; then exit.  @err: 0: none to be named */
__attribute__((noreturn, format(printf, 3, 4)))
void keeper_fail(struct keeper *k, int err, const char *fmt, ...);
void keeper_tell(struct keeper *k, __u32 type);	/* to continuumd */

/** keeper_pty() - give this capsule a terminal */
void keeper_pty(struct keeper *k, __u32 uid);

/* run.c: start a command.  land.c: let a process land.  Both return when it is there */
void keeper_run(struct keeper *k);
void keeper_land(struct keeper *k);
/** keeper_mind() - mind.c: until it has ended or left */
__attribute__((noreturn)) void keeper_mind(struct keeper *k);

#endif /* RESTORER_KEEPER_H */
