/* SPDX-License-Identifier: GPL-2.0 */
/*
 * node.h - brings this node up and down, and keeps it joined
 *
 * The kernel keeps the seeds and goes on trying them; what is done here is to
 * read configuration and keys, and to resolve names.
 */
#ifndef CONTINUUMD_NODE_H
#define CONTINUUMD_NODE_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

/**
 * node_up() - bring it up with @config, or take over a node that is up already
 * @error: on failure, one line with cause and next step
 *
 * Return: 0 or -errno.
 */
int node_up(const struct config *config, char *error, size_t room);

/** node_reload() - pass on what may change while the node is up, and new seeds.  Return: 0 or -errno */
int node_reload(const struct config *config, char *error, size_t room);

/**
 * node_drain() - let the kernel move away what lives here, or stop that
 * @done: nothing lives here any more, or nothing more can be done; NULL: no matter
 * Does not wait.  Return: 0 or -errno
 */
int node_drain(bool on, bool *done, char *error, size_t room);
struct address;
/** node_join() - through a node that was found, in the background.  Return: 0 or -errno with @error */
int node_join(const struct address *address, char *error, size_t room);

/** node_down() - Return: 0, or -EBUSY and a list when processes live here, or -errno */
int node_down(char *error, size_t room);

#endif /* CONTINUUMD_NODE_H */
