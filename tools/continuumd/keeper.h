/* SPDX-License-Identifier: GPL-2.0 */
/*
 * keeper.h - keepers as continuumd starts and reaps them
 *
 * A keeper is the first process of a capsule; see tools/restorer/keeper_proto.h
 * for what it is given.  The struct is continuumd's memory of one that it
 * started itself; those of an earlier continuumd go on without.
 */
#ifndef CONTINUUMD_KEEPER_H
#define CONTINUUMD_KEEPER_H

#include <sys/types.h>

#include "../restorer/keeper_proto.h"
#include "config.h"
#include "loop.h"

struct keeper;

/** struct keeper_owner - who is told what a keeper says, and of its end (the struct is gone after that) */
struct keeper_owner {
	void (*heard)(struct keeper *keeper, const struct keeper_msg *message);
	void (*ended)(struct keeper *keeper);
};

struct keeper {
	struct source source;		/* its socket; fd -1 when it hung up */
	struct keeper *next;
	pid_t pid;
	unsigned int capsule;
	const struct keeper_owner *owner;	/* NULL: nobody asks any more */
	void *data;			/* the owner's */
};

/**
 * keeper_spawn() - make a capsule and start a keeper in it
 * @mode: "run" or "land"
 *
 * Return: the keeper, or NULL with errno.
 */
struct keeper *keeper_spawn(const struct config *config, const char *mode,
			    const struct keeper_owner *owner, void *data);

/** keeper_send() - a message with up to 253 descriptors.  Return: 0 or -errno */
int keeper_send(struct keeper *keeper, const struct keeper_msg *message, const int *fds,
		unsigned int count);

/** keeper_kill() - its end is told as any other */
void keeper_kill(struct keeper *keeper);

/** keeper_reaped() - @pid has ended.  Return: whether it was a keeper */
bool keeper_reaped(pid_t pid);

#endif /* CONTINUUMD_KEEPER_H */
