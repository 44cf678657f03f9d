/* SPDX-License-Identifier: GPL-2.0 */
/*
 * servers.h - the deputy's threads that make the calls of remote files
 */
#ifndef CONTINUUM_SERVERS_H
#define CONTINUUM_SERVERS_H

/**
 * servers_start() - one more thread in CTM_IOC_SERVE, up to a bound
 *
 * The first is started with the deputy, each other when the kernel says that
 * all are busy (CTM_EV_WORKER).  Return: 0 or -1 with errno.
 */
int servers_start(int device);

#endif /* CONTINUUM_SERVERS_H */
