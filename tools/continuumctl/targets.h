/* SPDX-License-Identifier: GPL-2.0 */
/*
 * targets.h - which processes kill, suspend and resume mean, and doing it to each
 */
#ifndef CONTINUUMCTL_TARGETS_H
#define CONTINUUMCTL_TARGETS_H

#include "ctl.h"

/** struct target - one process, and what became of it */
struct target {
	uint64_t gpid;
	const char *name;		/* as the caller wrote it, or NULL */
	int error;			/* 0 or -errno */
	char reason[CTM_REASON_MAX];
};

/** struct targets - made by targets_find(), freed by targets_free() */
struct targets {
	struct target *list;
	size_t count;
};

/** struct selection - what the options say */
struct selection {
	bool all;
	const char *user;		/* name or number, or NULL */
	const char *family;		/* GPID, or NULL */
};

/**
 * targets_find() - those that are named, and those that the selection means
 * Return: DONE, or the exit status after a line; then there may still be targets
 */
int targets_find(const struct selection *selection, char **names, struct targets *targets);
void targets_free(struct targets *targets);

/**
 * targets_each() - call @act for each, some side by side, since each may wait for long
 * @act: fills error and reason.  Then there is a line for each that failed.
 * Return: DONE, or the exit status of the first that failed
 */
int targets_each(struct targets *targets, void (*act)(struct target *target, void *data), void *data);

#endif /* CONTINUUMCTL_TARGETS_H */
