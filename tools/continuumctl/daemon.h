/* SPDX-License-Identifier: GPL-2.0 */
/*
 * daemon.h - asking continuumd
 */
#ifndef CONTINUUMCTL_DAEMON_H
#define CONTINUUMCTL_DAEMON_H

#include "../continuumd/daemon_proto.h"

/** daemon_connect() - Return: a socket, -ENOENT or -ECONNREFUSED when no continuumd runs, or -errno */
int daemon_connect(void);

/** daemon_send() - a request with descriptors.  Return: 0 or -errno */
int daemon_send(int socket, const struct daemon_request *request, const int *fds, unsigned int count);

/** daemon_receive() - the answer; @fd: a descriptor that came with it, or -1.  Return: 0 or -errno */
int daemon_receive(int socket, struct daemon_reply *reply, int *fd);

/** daemon_ask_with() - all of these */
int daemon_ask_with(const struct daemon_request *request, const int *fds, unsigned int count,
		    struct daemon_reply *reply, int *fd);
/** daemon_ask() - the same for a request without descriptors */
int daemon_ask(__u32 type, __u32 flags, struct daemon_reply *reply);

#endif /* CONTINUUMCTL_DAEMON_H */
