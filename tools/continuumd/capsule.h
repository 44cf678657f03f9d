/* SPDX-License-Identifier: GPL-2.0 */
/*
 * capsule.h - the cgroups of capsules
 *
 * <cgroup v2>/continuum/cap-N/keeper holds the keeper, cap-N/process the process:
 * the latter is what is frozen.  Capsules outlive continuumd.
 */
#ifndef CONTINUUMD_CAPSULE_H
#define CONTINUUMD_CAPSULE_H

#include <stddef.h>

/** struct capsule - both descriptors are open directories, close-on-exec */
struct capsule {
	unsigned int number;
	int keeper_fd;
	int process_fd;
};

/**
 * capsules_init() - find the cgroup file system, look after what an earlier
 * continuumd left: capsules with a process live on, others are removed
 * @error: on failure, one line
 */
int capsules_init(char *error, size_t room);

/** capsule_create() - @budget: processes and threads that it may have.  Return: 0 or -errno */
int capsule_create(struct capsule *capsule, unsigned int budget);

/** capsule_close() - close the descriptors; the keeper has its own */
void capsule_close(struct capsule *capsule);

/** capsule_remove() - its keeper has ended: kill what is left in it, remove it, now or soon; cannot fail */
void capsule_remove(unsigned int number);

#endif /* CONTINUUMD_CAPSULE_H */
