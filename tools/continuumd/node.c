// SPDX-License-Identifier: GPL-2.0
/*
 * node.c - NODE_UP, NODE_SET, NODE_DOWN, PEER_JOIN
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../lib/cluster.h"
#include "discover.h"
#include "key.h"
#include "log.h"
#include "loop.h"
#include "machine.h"
#include "node.h"

#define SEED_RETRY_MS	5000

/* Some kernels take TLS keys only from user memory: a page for them, for as long
 * as this daemon lives.  See CTM_NODE_A_PAGE. */
static void *key_page;

/* Seeds whose names could not be resolved yet. */
static struct {
	const struct config *config;
	bool waiting[CONFIG_SEEDS_MAX];
	struct timer timer;
} seeds;

static int prepare_page(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);

	if (key_page)
		return 0;
	key_page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (key_page == MAP_FAILED) {
		key_page = NULL;
		return -errno;
	}
	memset(key_page, 0, size);
	mlock(key_page, size);
	madvise(key_page, size, MADV_DONTFORK);
	madvise(key_page, size, MADV_DONTDUMP);
	return 0;
}

/* Sends @request and turns an error into a line. */
static int talk(struct netlink *nl, struct nlmsghdr *request, char *error, size_t room)
{
	int result = netlink_send(nl, request, NULL, NULL);

	if (result && nl->error[0])
		snprintf(error, room, "%s", nl->error);
	else if (result)
		snprintf(error, room, "%s", strerror(-result));
	return result;
}

static struct netlink *connect_kernel(char *error, size_t room)
{
	struct netlink *nl = malloc(sizeof(*nl));
	int result = nl ? netlink_open(nl) : -ENOMEM;

	if (!result)
		return nl;
	free(nl);
	if (result == -ENOENT)
		snprintf(error, room, "the module is not loaded (modprobe continuum, or continuumctl up)");
	else
		snprintf(error, room, "netlink: %s", strerror(-result));
	errno = -result;
	return NULL;
}

static void disconnect_kernel(struct netlink *nl)
{
	explicit_bzero(nl->buffer, sizeof(nl->buffer));	/* keys went through it */
	netlink_close(nl);
	free(nl);
}

/* The key, and the one before it while a cluster rotates. */
static int put_keys(struct nlmsghdr *request, char *error, size_t room)
{
	unsigned char key[CTM_KEY_LEN] = { 0 };
	int result = key_read(CONFIG_KEY_FILE, key, error, room);

	if (result == -ENOENT)
		snprintf(error, room, "no cluster key: put the same one into %s on every node, mode 0600 (continuumctl genkey makes one)",
			 CONFIG_KEY_FILE);
	if (result)
		return result;
	mnl_attr_put(request, CTM_NODE_A_KEY, sizeof(key), key);
	memset(key, 0, sizeof(key));
	result = key_read(CONFIG_KEY_FILE ".old", key, error, room);
	if (!result || result == -ENOENT)
		mnl_attr_put(request, CTM_NODE_A_KEY_OLD, sizeof(key), key);
	explicit_bzero(key, sizeof(key));
	return result == -ENOENT ? 0 : result;
}

static int put_identity(struct nlmsghdr *request, const struct config *config, char *error,
			size_t room)
{
	unsigned char machine[CTM_MACHINE_ID_LEN];
	int result = machine_read(machine);

	if (result) {
		snprintf(error, room, "/etc/machine-id: %s (systemd-machine-id-setup makes one)",
			 strerror(-result));
		return result;
	}
	mnl_attr_put_strz(request, CTM_NODE_A_NAME, config->name);
	mnl_attr_put_strz(request, CTM_NODE_A_CLUSTER, config->cluster);
	mnl_attr_put_u32(request, CTM_NODE_A_ID, config->id ? config->id : machine_node_id(machine));
	mnl_attr_put(request, CTM_NODE_A_MACHINE_ID, sizeof(machine), machine);
	return 0;
}

static int put_address(struct nlmsghdr *request, const struct config *config, char *error,
		       size_t room)
{
	struct address address;
	int result;

	mnl_attr_put_u16(request, CTM_NODE_A_PORT, config->port);
	if (!config->address[0])
		return 0;
	result = address_parse(config->address, &address);
	if (result) {
		snprintf(error, room, "address \"%s\": %s", config->address, strerror(-result));
		return result;
	}
	mnl_attr_put(request, CTM_NODE_A_ADDR, address.length, address.bytes);
	return 0;
}

/* What may also change while the node is up. */
static void put_settings(struct nlmsghdr *request, const struct config *config)
{
	mnl_attr_put_u8(request, CTM_NODE_A_ENCRYPT, config->encrypt);
	mnl_attr_put_u8(request, CTM_NODE_A_ALLOW_ROOT, config->allow_root);
	mnl_attr_put_u8(request, CTM_NODE_A_ACCEPTING, config->accept);
	mnl_attr_put_u32(request, CTM_NODE_A_T_HIGH, config->t_high);
	mnl_attr_put_u32(request, CTM_NODE_A_T_LOW, config->t_low);
	mnl_attr_put_u8(request, CTM_NODE_A_VALVE, config->valve);
	mnl_attr_put_u8(request, CTM_NODE_A_WATCHDOG, config->watchdog);
	mnl_attr_put_u8(request, CTM_NODE_A_CONTENTION, config->watchdog_contention);
	mnl_attr_put_u32(request, CTM_NODE_A_FAMILY_BUDGET, config->family_budget);
	mnl_attr_put_u32(request, CTM_NODE_A_BLOCKS_NODE_MIB, config->blocks_node_mib);
	mnl_attr_put_u32(request, CTM_NODE_A_BLOCKS_OWNER_MIB, config->blocks_owner_mib);
	mnl_attr_put_u64(request, CTM_NODE_A_PAGE, (uintptr_t)key_page);
}

static int send_set(struct netlink *nl, const struct config *config, char *error, size_t room)
{
	struct nlmsghdr *request = netlink_begin(nl, CTM_CMD_NODE_SET, false);
	int result = put_keys(request, error, room);

	put_settings(request, config);
	return result ? result : talk(nl, request, error, room);
}

static int send_up(struct netlink *nl, const struct config *config, char *error, size_t room)
{
	struct nlmsghdr *request = netlink_begin(nl, CTM_CMD_NODE_UP, false);
	int result = put_keys(request, error, room);

	if (!result)
		result = put_identity(request, config, error, room);
	if (!result)
		result = put_address(request, config, error, room);
	put_settings(request, config);
	return result ? result : talk(nl, request, error, room);
}

static int send_join(struct netlink *nl, const struct address *address, char *error, size_t room)
{
	struct nlmsghdr *request = netlink_begin(nl, CTM_CMD_PEER_JOIN, false);

	mnl_attr_put(request, CTM_PEER_A_ADDR, address->length, address->bytes);
	mnl_attr_put_u16(request, CTM_PEER_A_PORT, address->port);
	mnl_attr_put(request, CTM_PEER_A_BACKGROUND, 0, NULL);
	return talk(nl, request, error, room);
}

int node_join(const struct address *address, char *error, size_t room)
{
	struct netlink *nl = connect_kernel(error, room);
	int result;

	if (!nl)
		return -errno;
	result = send_join(nl, address, error, room);
	disconnect_kernel(nl);
	return result;
}

/* The kernel retries on its own; only a name that does not resolve is ours to retry. */
static bool join(struct netlink *nl, const char *seed)
{
	struct address address;
	char error[256];
	int result = address_parse(seed, &address);

	if (result) {
		log_warning("seed %s: %s", seed, result == -EINVAL ? "not an address" : strerror(-result));
		return result == -EINVAL;
	}
	if (send_join(nl, &address, error, sizeof(error)))
		log_warning("seed %s: %s", seed, error);
	return true;
}

static void join_waiting(struct timer *timer)
{
	char error[256];
	struct netlink *nl = connect_kernel(error, sizeof(error));
	bool again = false;

	if (!nl)
		return;
	for (unsigned int i = 0; i < seeds.config->seed_count; i++) {
		if (seeds.waiting[i])
			seeds.waiting[i] = !join(nl, seeds.config->seeds[i]);
		again |= seeds.waiting[i];
	}
	disconnect_kernel(nl);
	if (again)
		timer_set(timer, SEED_RETRY_MS);
}

static void join_seeds(const struct config *config)
{
	seeds.config = config;
	seeds.timer.expired = join_waiting;
	for (unsigned int i = 0; i < CONFIG_SEEDS_MAX; i++)
		seeds.waiting[i] = i < config->seed_count;
	if (config->seed_count)
		timer_set(&seeds.timer, 0);
	else
		timer_cancel(&seeds.timer);
}

int node_up(const struct config *config, char *error, size_t room)
{
	struct netlink *nl;
	int result = prepare_page();

	if (result) {
		snprintf(error, room, "a page for keys: %s", strerror(-result));
		return result;
	}
	nl = connect_kernel(error, room);
	if (!nl)
		return -errno;
	result = send_up(nl, config, error, room);
	if (result == -EALREADY)
		result = send_set(nl, config, error, room);
	disconnect_kernel(nl);
	if (!result) {
		join_seeds(config);
		discover_start(config);
	}
	return result;
}

int node_reload(const struct config *config, char *error, size_t room)
{
	struct netlink *nl = connect_kernel(error, room);
	int result;

	if (!nl)
		return -errno;
	result = send_set(nl, config, error, room);
	disconnect_kernel(nl);
	join_seeds(config);
	discover_start(config);
	return result;
}

int node_drain(bool on, bool *done, char *error, size_t room)
{
	struct netlink *nl = connect_kernel(error, room);
	struct nlmsghdr *request;
	struct node node;
	int result;

	if (!nl)
		return -errno;
	result = cluster_node(nl, &node);
	if (!result && node.up && !strcmp(node.mode, "draining") != on) {
		request = netlink_begin(nl, CTM_CMD_NODE_SET, false);
		mnl_attr_put_u8(request, CTM_NODE_A_DRAIN, on);
		result = talk(nl, request, error, room);
	}
	if (done)
		*done = result || !node.up || !node.load.processes || node.drained;
	disconnect_kernel(nl);
	return result;
}

int node_down(char *error, size_t room)
{
	struct netlink *nl = connect_kernel(error, room);
	int result;

	if (!nl)
		return -errno;
	result = talk(nl, netlink_begin(nl, CTM_CMD_NODE_DOWN, false), error, room);
	disconnect_kernel(nl);
	if (!result) {
		timer_cancel(&seeds.timer);
		discover_stop();
	}
	return result;
}
