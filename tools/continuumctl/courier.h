/* SPDX-License-Identifier: GPL-2.0 */
/*
 * courier.h - passes the deputy's signals on to the process
 *
 * The call waits for an acknowledgement, maybe from far, so a thread of its own
 * makes it: the terminal goes on meanwhile, and the order of signals is kept.
 */
#ifndef CONTINUUM_COURIER_H
#define CONTINUUM_COURIER_H

#include <stdbool.h>
#include <stdint.h>

/** courier_start() - @gpid 0: courier_send() does nothing.  Return: 0 or -1 with errno */
int courier_start(int device, uint64_t gpid);

/** courier_send() - @job: to its whole process group, as a terminal does.  Never blocks, cannot fail */
void courier_send(int sig, bool job);

#endif /* CONTINUUM_COURIER_H */
