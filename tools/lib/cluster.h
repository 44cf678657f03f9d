/* SPDX-License-Identifier: GPL-2.0 */
/*
 * cluster.h - what the kernel knows of this node, its peers and the processes
 *
 * Copies of what CTM_CMD_NODE_GET, PEER_GET and PROCESS_GET answer; see
 * <linux/continuum_netlink.h> for the meaning and the units of each value.
 */
#ifndef CONTINUUM_LIB_CLUSTER_H
#define CONTINUUM_LIB_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netlink.h"

#define CLUSTER_COUNTERS_MAX	64

/** struct address - as attributes carry it: 4 or 16 bytes, 0 for none */
struct address {
	uint8_t bytes[16];
	uint8_t length;
	uint16_t port;
};

/** struct load - thousandths, see CTM_NODE_A_LOAD */
struct load {
	uint32_t load, pressure, cpu, mem, runnable, free_mib, processes;
};

struct counter {
	char name[48];
	uint64_t value;
};

struct node {
	bool up;
	uint32_t abi_version;
	char name[CTM_NAME_MAX];
	uint32_t id;
	uint64_t boot;
	char cluster[CTM_NAME_MAX];
	struct address address;
	bool encrypt, allow_root, accepting, daemon;
	uint32_t peers;
	char mode[16];
	char tick[16], tick_why[CTM_REASON_MAX];
	uint64_t ticks, tick_hits;
	uint32_t t_high, t_low;		/* thousandths */
	bool valve, watchdog, watchdog_contention, drained;
	uint32_t family_budget;
	uint32_t blocks_node_mib, blocks_owner_mib;
	struct load load;
	unsigned int counter_count;
	struct counter counters[CLUSTER_COUNTERS_MAX];
};

struct peer {
	uint32_t id;
	char name[CTM_NAME_MAX];
	uint64_t boot;
	struct address address;
	uint32_t state;			/* enum ctm_nl_peer_state */
	uint32_t age_ms;
	struct load load;
	bool accepting, compatible;
	char why[CTM_REASON_MAX];
};

/** struct store - of one node; struct ctm_bw_status of the module */
struct store {
	uint32_t id;
	char name[CTM_NAME_MAX];
	uint64_t blocks, bytes, used, limit, owner_limit, pinned, under, in_flight, copied, dropped,
		 corrupt, repaired;
};

/** struct event - see CTM_CMD_EVENT; what an event does not have is 0 or "" */
struct event {
	uint32_t type;			/* enum ctm_nl_event */
	uint64_t time_ns;
	uint64_t gpid;
	uint32_t node;
	char node_name[CTM_NAME_MAX];
	char text[CTM_REASON_MAX];
	uint64_t seq, stream;		/* 0: of a module that does not number them */
};

/** struct list - @count elements of the called function's kind; free(list->items) */
struct list {
	void *items;
	size_t count;
};

int cluster_node(struct netlink *nl, struct node *node);
/** cluster_peers() - struct peer, without this node */
int cluster_peers(struct netlink *nl, struct list *peers);
/** cluster_processes() - struct ctm_info; @ended: exit records too */
int cluster_processes(struct netlink *nl, bool ended, struct list *processes);
/** cluster_stores() - struct store, this node's, too */
int cluster_stores(struct netlink *nl, struct list *stores);

/** cluster_event() - from a message that netlink_events() hands over */
void cluster_event(const struct nlmsghdr *message, struct event *event);

/**
 * cluster_events() - struct event: the kept ones behind number *@since, or only the newest (NULL)
 * -EOPNOTSUPP: the module is too old for that
 */
int cluster_events(struct netlink *nl, const uint64_t *since, struct list *events);

/** names_find_id() - of this node or a peer.  Return: 0, -ESRCH, or -errno */
int names_find_id(const char *name, uint32_t *id);
int names_find_name(uint32_t id, char name[CTM_NAME_MAX]);

/** address_parse() - "ADDR", "ADDR:PORT", "[ADDR6]:PORT", or a host name in place of ADDR; without a port: CTM_PORT */
int address_parse(const char *text, struct address *address);
/** address_print() - "10.0.0.1:7117".  Return: @text */
const char *address_print(const struct address *address, char text[64]);

#endif /* CONTINUUM_LIB_CLUSTER_H */
