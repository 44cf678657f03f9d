// SPDX-License-Identifier: GPL-2.0
/*
 * cluster.c - attributes to structures
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"

static void take_address(const struct nlattr *bytes, const struct nlattr *port,
			 struct address *address)
{
	size_t length = bytes ? mnl_attr_get_payload_len(bytes) : 0;

	memset(address, 0, sizeof(*address));
	address->port = netlink_u16(port);
	if (length != 4 && length != 16)
		return;
	memcpy(address->bytes, mnl_attr_get_payload(bytes), length);
	address->length = (uint8_t)length;
}

static void take_counter(const struct nlattr *item, struct node *node)
{
	const struct nlattr *a[CTM_COUNTER_A_MAX + 1];
	struct counter *counter;

	if (mnl_attr_get_type(item) != CTM_COUNTER_A_ITEM ||
	    node->counter_count == CLUSTER_COUNTERS_MAX)
		return;
	counter = &node->counters[node->counter_count++];
	netlink_parse_nested(item, a, CTM_COUNTER_A_MAX);
	netlink_text(a[CTM_COUNTER_A_NAME], counter->name, sizeof(counter->name));
	counter->value = netlink_u64(a[CTM_COUNTER_A_VALUE]);
}

static int take_node(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *a[CTM_NODE_A_MAX + 1];
	const struct nlattr *item;
	struct node *node = data;

	netlink_parse(message, a, CTM_NODE_A_MAX);
	node->up = netlink_u8(a[CTM_NODE_A_UP]);
	node->abi_version = netlink_u32(a[CTM_NODE_A_ABI_VERSION]);
	netlink_text(a[CTM_NODE_A_NAME], node->name, sizeof(node->name));
	node->id = netlink_u32(a[CTM_NODE_A_ID]);
	node->boot = netlink_u64(a[CTM_NODE_A_BOOT]);
	netlink_text(a[CTM_NODE_A_CLUSTER], node->cluster, sizeof(node->cluster));
	take_address(a[CTM_NODE_A_ADDR], a[CTM_NODE_A_PORT], &node->address);
	node->encrypt = netlink_u8(a[CTM_NODE_A_ENCRYPT]);
	node->allow_root = netlink_u8(a[CTM_NODE_A_ALLOW_ROOT]);
	node->accepting = netlink_u8(a[CTM_NODE_A_ACCEPTING]);
	node->daemon = netlink_u8(a[CTM_NODE_A_DAEMON]);
	node->peers = netlink_u32(a[CTM_NODE_A_PEERS]);
	netlink_text(a[CTM_NODE_A_MODE], node->mode, sizeof(node->mode));
	netlink_text(a[CTM_NODE_A_TICK], node->tick, sizeof(node->tick));
	netlink_text(a[CTM_NODE_A_TICK_WHY], node->tick_why, sizeof(node->tick_why));
	node->t_high = netlink_u32(a[CTM_NODE_A_T_HIGH]);
	node->t_low = netlink_u32(a[CTM_NODE_A_T_LOW]);
	node->valve = netlink_u8(a[CTM_NODE_A_VALVE]);
	node->watchdog = netlink_u8(a[CTM_NODE_A_WATCHDOG]);
	node->watchdog_contention = netlink_u8(a[CTM_NODE_A_CONTENTION]);
	node->family_budget = netlink_u32(a[CTM_NODE_A_FAMILY_BUDGET]);
	node->blocks_node_mib = netlink_u32(a[CTM_NODE_A_BLOCKS_NODE_MIB]);
	node->blocks_owner_mib = netlink_u32(a[CTM_NODE_A_BLOCKS_OWNER_MIB]);
	node->drained = netlink_u8(a[CTM_NODE_A_DRAINED]);
	node->ticks = netlink_u64(a[CTM_NODE_A_TICKS]);
	node->tick_hits = netlink_u64(a[CTM_NODE_A_TICK_HITS]);
	node->load = (struct load){
		.load = netlink_u32(a[CTM_NODE_A_LOAD]),
		.pressure = netlink_u32(a[CTM_NODE_A_PRESSURE]),
		.cpu = netlink_u32(a[CTM_NODE_A_CPU]),
		.mem = netlink_u32(a[CTM_NODE_A_MEM]),
		.runnable = netlink_u32(a[CTM_NODE_A_RUNNABLE]),
		.free_mib = netlink_u32(a[CTM_NODE_A_FREE_MIB]),
		.processes = netlink_u32(a[CTM_NODE_A_PROCESSES]),
	};
	if (a[CTM_NODE_A_COUNTERS])
		mnl_attr_for_each_nested(item, a[CTM_NODE_A_COUNTERS])
			take_counter(item, node);
	return 0;
}

int cluster_node(struct netlink *nl, struct node *node)
{
	memset(node, 0, sizeof(*node));
	return netlink_send(nl, netlink_begin(nl, CTM_CMD_NODE_GET, false), take_node, node);
}

/* One more element, zeroed, or NULL. */
static void *list_grow(struct list *list, size_t size)
{
	char *items = list->items;

	if (!(list->count & (list->count - 1))) {	/* 0 and each power of two */
		items = realloc(items, (list->count ? 2 * list->count : 1) * size);
		if (!items)
			return NULL;
		list->items = items;
	}
	return memset(items + list->count++ * size, 0, size);
}

static int take_peer(const struct nlmsghdr *message, void *data)
{
	struct peer *peer = list_grow(data, sizeof(*peer));
	const struct nlattr *a[CTM_PEER_A_MAX + 1];

	if (!peer)
		return -ENOMEM;
	netlink_parse(message, a, CTM_PEER_A_MAX);
	peer->id = netlink_u32(a[CTM_PEER_A_ID]);
	netlink_text(a[CTM_PEER_A_NAME], peer->name, sizeof(peer->name));
	peer->boot = netlink_u64(a[CTM_PEER_A_BOOT]);
	take_address(a[CTM_PEER_A_ADDR], a[CTM_PEER_A_PORT], &peer->address);
	peer->state = netlink_u32(a[CTM_PEER_A_STATE]);
	peer->age_ms = netlink_u32(a[CTM_PEER_A_AGE_MS]);
	peer->load = (struct load){
		.load = netlink_u32(a[CTM_PEER_A_LOAD]),
		.pressure = netlink_u32(a[CTM_PEER_A_PRESSURE]),
		.cpu = netlink_u32(a[CTM_PEER_A_CPU]),
		.mem = netlink_u32(a[CTM_PEER_A_MEM]),
		.runnable = netlink_u32(a[CTM_PEER_A_RUNNABLE]),
		.free_mib = netlink_u32(a[CTM_PEER_A_FREE_MIB]),
		.processes = netlink_u32(a[CTM_PEER_A_PROCESSES]),
	};
	peer->accepting = netlink_u8(a[CTM_PEER_A_ACCEPTING]);
	peer->compatible = netlink_u8(a[CTM_PEER_A_COMPATIBLE]);
	netlink_text(a[CTM_PEER_A_WHY], peer->why, sizeof(peer->why));
	return 0;
}

static int take_process(const struct nlmsghdr *message, void *data)
{
	struct ctm_info *info = list_grow(data, sizeof(*info));
	const struct nlattr *a[CTM_PROCESS_A_MAX + 1];

	if (!info)
		return -ENOMEM;
	netlink_parse(message, a, CTM_PROCESS_A_MAX);
	info->gpid = netlink_u64(a[CTM_PROCESS_A_GPID]);
	info->home = netlink_u32(a[CTM_PROCESS_A_HOME]);
	info->host = netlink_u32(a[CTM_PROCESS_A_HOST]);
	info->state = netlink_u32(a[CTM_PROCESS_A_STATE]);
	info->pid = netlink_u32(a[CTM_PROCESS_A_PID]);
	info->uid = netlink_u32(a[CTM_PROCESS_A_UID]);
	info->epoch = netlink_u32(a[CTM_PROCESS_A_EPOCH]);
	info->hops = netlink_u32(a[CTM_PROCESS_A_HOPS]);
	info->ttl = netlink_u32(a[CTM_PROCESS_A_TTL]);
	info->cpu_ns = netlink_u64(a[CTM_PROCESS_A_CPU_NS]);
	info->rss = netlink_u64(a[CTM_PROCESS_A_RSS]);
	info->end = netlink_u32(a[CTM_PROCESS_A_END]);
	info->lease_ms = netlink_u32(a[CTM_PROCESS_A_LEASE_MS]);
	info->family = netlink_u64(a[CTM_PROCESS_A_FAMILY]);
	netlink_text(a[CTM_PROCESS_A_COMM], info->comm, sizeof(info->comm));
	netlink_text(a[CTM_PROCESS_A_HOME_NAME], info->home_name, sizeof(info->home_name));
	netlink_text(a[CTM_PROCESS_A_HOST_NAME], info->host_name, sizeof(info->host_name));
	return 0;
}

static int fetch(struct netlink *nl, struct nlmsghdr *request,
		 int (*answer)(const struct nlmsghdr *message, void *data), struct list *list)
{
	int result;

	*list = (struct list){ 0 };
	result = netlink_send(nl, request, answer, list);
	if (result) {
		free(list->items);
		*list = (struct list){ 0 };
	}
	return result;
}

int cluster_peers(struct netlink *nl, struct list *peers)
{
	return fetch(nl, netlink_begin(nl, CTM_CMD_PEER_GET, true), take_peer, peers);
}

int cluster_processes(struct netlink *nl, bool ended, struct list *processes)
{
	struct nlmsghdr *request = netlink_begin(nl, CTM_CMD_PROCESS_GET, true);

	if (ended)
		mnl_attr_put(request, CTM_PROCESS_A_ENDED, 0, NULL);
	return fetch(nl, request, take_process, processes);
}

static int take_store(const struct nlmsghdr *message, void *data)
{
	struct store *store = list_grow(data, sizeof(*store));
	const struct nlattr *a[CTM_BLOCKS_A_MAX + 1];

	if (!store)
		return -ENOMEM;
	netlink_parse(message, a, CTM_BLOCKS_A_MAX);
	store->id = netlink_u32(a[CTM_BLOCKS_A_NODE]);
	netlink_text(a[CTM_BLOCKS_A_NODE_NAME], store->name, sizeof(store->name));
	store->blocks = netlink_u64(a[CTM_BLOCKS_A_BLOCKS]);
	store->bytes = netlink_u64(a[CTM_BLOCKS_A_BYTES]);
	store->used = netlink_u64(a[CTM_BLOCKS_A_USED]);
	store->limit = netlink_u64(a[CTM_BLOCKS_A_LIMIT]);
	store->owner_limit = netlink_u64(a[CTM_BLOCKS_A_OWNER_LIMIT]);
	store->pinned = netlink_u64(a[CTM_BLOCKS_A_PINNED]);
	store->under = netlink_u64(a[CTM_BLOCKS_A_UNDER]);
	store->in_flight = netlink_u64(a[CTM_BLOCKS_A_IN_FLIGHT]);
	store->copied = netlink_u64(a[CTM_BLOCKS_A_COPIED]);
	store->dropped = netlink_u64(a[CTM_BLOCKS_A_DROPPED]);
	store->corrupt = netlink_u64(a[CTM_BLOCKS_A_CORRUPT]);
	store->repaired = netlink_u64(a[CTM_BLOCKS_A_REPAIRED]);
	return 0;
}

int cluster_stores(struct netlink *nl, struct list *stores)
{
	return fetch(nl, netlink_begin(nl, CTM_CMD_BLOCKS_GET, true), take_store, stores);
}

void cluster_event(const struct nlmsghdr *message, struct event *event)
{
	const struct nlattr *a[CTM_EVENT_A_MAX + 1];

	netlink_parse(message, a, CTM_EVENT_A_MAX);
	event->type = netlink_u32(a[CTM_EVENT_A_TYPE]);
	event->time_ns = netlink_u64(a[CTM_EVENT_A_TIME_NS]);
	event->gpid = netlink_u64(a[CTM_EVENT_A_GPID]);
	event->node = netlink_u32(a[CTM_EVENT_A_NODE]);
	netlink_text(a[CTM_EVENT_A_NODE_NAME], event->node_name, sizeof(event->node_name));
	netlink_text(a[CTM_EVENT_A_TEXT], event->text, sizeof(event->text));
	event->seq = netlink_u64(a[CTM_EVENT_A_SEQ]);
	event->stream = netlink_u64(a[CTM_EVENT_A_STREAM]);
}

static int take_event(const struct nlmsghdr *message, void *data)
{
	struct event *event = list_grow(data, sizeof(*event));

	if (!event)
		return -ENOMEM;
	cluster_event(message, event);
	return 0;
}

int cluster_events(struct netlink *nl, const uint64_t *since, struct list *events)
{
	struct nlmsghdr *request = netlink_begin(nl, CTM_CMD_EVENT_GET, true);

	if (since)
		mnl_attr_put_u64(request, CTM_EVENT_A_SEQ, *since);
	return fetch(nl, request, take_event, events);
}
