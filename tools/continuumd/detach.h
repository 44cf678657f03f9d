/* SPDX-License-Identifier: GPL-2.0 */
/*
 * detach.h - what a process has that was started with -d: a log and a deputy
 */
#ifndef CONTINUUMD_DETACH_H
#define CONTINUUMD_DETACH_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "config.h"

/** struct process_log - LOG_DIR/NODE.SEQ, readable by the process's owner; @fd -1: none */
struct process_log {
	int fd;
	char path[PATH_MAX + 32];	/* its name for now; empty once it has its own */
};

/** process_log_create() - under a name for now, for the GPID is not known yet.  Return: 0 or -errno */
int process_log_create(struct process_log *log, const struct config *config,
		       const struct ucred *peer);

/** process_log_name() - give it the name of its process */
void process_log_name(struct process_log *log, const struct config *config, __u64 gpid);

/** process_log_open() - of the process with that number, or a new one.  Return: a descriptor or -errno */
int process_log_open(const struct config *config, const struct ucred *peer, __u32 sequence);

/** process_log_drop() - close it, and remove it unless it has its name */
void process_log_drop(struct process_log *log);

/**
 * detach_deputy() - start the deputy's program as the process's owner
 * @device: /dev/continuum, already bound to the process
 *
 * The deputy outlives this daemon.  Return: 0 or -errno.
 */
int detach_deputy(const struct ucred *peer, const gid_t *groups, unsigned int group_count,
		  int device);

/** is_deputy_file() - is that /dev/continuum, and a deputy's? */
bool is_deputy_file(int fd);

/** detach_main() - the deputy's program (continuumd --deputy); does not return */
_Noreturn void detach_main(int device);

#endif /* CONTINUUMD_DETACH_H */
