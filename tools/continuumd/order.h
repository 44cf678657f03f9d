/* SPDX-License-Identifier: GPL-2.0 */
/*
 * order.h - a struct keeper_start: checked, and made the daemon's own
 *
 * What a client sends is input from an enemy.  The client's memfd is copied into
 * one of our own, with credentials and limits that are the peer's, not what it
 * claims.
 */
#ifndef CONTINUUMD_ORDER_H
#define CONTINUUMD_ORDER_H

#include "client.h"

/** struct order - owned by who reads it; order_free() */
struct order {
	struct keeper_start *start;
	size_t length;
};

/** order_read() - @memfd must be sealed against writing and resizing; @fds: descriptors that came with it */
int order_read(int memfd, unsigned int fds, struct order *order);

/** order_check() - are all lengths and values as keeper_proto.h says; pure.  Return: 0, -EINVAL, -E2BIG */
int order_check(const struct keeper_start *start, size_t length);

/** order_set_owner() - the peer's credentials; limits and niceness no better than the peer's own */
int order_set_owner(struct order *order, const struct client *client);

/** order_memfd() - a sealed memfd with the order.  Return: fd or -errno */
int order_memfd(const struct order *order);

void order_free(struct order *order);

#endif /* CONTINUUMD_ORDER_H */
