/* SPDX-License-Identifier: GPL-2.0 */
/*
 * discover.h - nodes on the local network find each other ("discover = yes")
 */
#ifndef CONTINUUMD_DISCOVER_H
#define CONTINUUMD_DISCOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/continuum_netlink.h>

#include "config.h"

#define DISCOVER_GROUP	"239.255.71.17"		/* within a site; its port is the node's plus one */

/**
 * struct announcement - "I am here", to the group, in network byte order
 * @port: where the node listens; its address is the datagram's
 * @tag:  keyed BLAKE2s of all before it, with the cluster key
 *
 * That it is authentic says only that some node of the cluster has sent it at some time: whoever is
 * found is joined by a hello, which proves the rest.
 */
struct announcement {
	uint32_t magic;
	uint16_t version;
	uint16_t port;
	uint32_t id;
	uint8_t nonce[20];
	char cluster[CTM_NAME_MAX];
	uint8_t tag[32];
};

void announcement_make(struct announcement *a, const struct config *config, uint32_t id,
		       const unsigned char key[CTM_KEY_LEN]);
/** announcement_check() - is it one of @config's cluster, and authentic by @key? */
bool announcement_check(const void *bytes, size_t length, const struct config *config,
			const unsigned char key[CTM_KEY_LEN], struct announcement *a);

/** discover_start() - or stop, as @config says, which stays valid until discover_stop() */
void discover_start(const struct config *config);
void discover_stop(void);

#endif /* CONTINUUMD_DISCOVER_H */
