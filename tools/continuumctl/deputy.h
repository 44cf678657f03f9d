/* SPDX-License-Identifier: GPL-2.0 */
/*
 * deputy.h - the ordinary process that stays at home for a Continuum process
 *
 * It owns the terminal, serves the descriptors that could not travel, passes
 * signals on, and ends as the process ends.  continuumctl run is one in the
 * foreground; continuumd starts one for each process of run -d.
 */
#ifndef CONTINUUM_DEPUTY_H
#define CONTINUUM_DEPUTY_H

#include <stdint.h>

struct tty;

/** struct deputy - what it works with */
struct deputy {
	int device;		/* /dev/continuum, bound by CTM_IOC_DEPUTY, O_NONBLOCK */
	uint64_t gpid;		/* 0: not known (detached); then no signals are passed on */
	struct tty *tty;	/* NULL: the process has no terminal */
};

/**
 * deputy_block_signals() - from now on signals wait for deputy_run()
 *
 * Threads started later inherit this.
 */
void deputy_block_signals(void);

/** deputy_run() - until the process has ended.  Return: exit status, see deputy_status() */
int deputy_run(struct deputy *deputy);

/** deputy_status() - exit status for a wait(2) status: its own, or 128 + N for signal N */
int deputy_status(int status);

#endif /* CONTINUUM_DEPUTY_H */
