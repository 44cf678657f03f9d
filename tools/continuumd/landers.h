/* SPDX-License-Identifier: GPL-2.0 */
/*
 * landers.h - keepers that wait for a process to land
 *
 * A landing that finds one ready saves the time to start it; one that finds none
 * is refused.  So each that is used is replaced at once.
 */
#ifndef CONTINUUMD_LANDERS_H
#define CONTINUUMD_LANDERS_H

#include "config.h"

/** landers_keep() - keep config->spare_landers of them ready from now on; @config must stay */
void landers_keep(const struct config *config);

/** landers_stop() - end those that wait; those that have landed go on */
void landers_stop(void);

/** landers_waiting() - how many there are, also after landers_stop() until each is reaped */
unsigned int landers_waiting(void);

#endif /* CONTINUUMD_LANDERS_H */
