// SPDX-License-Identifier: GPL-2.0
/*
 * names.c - names and ids of nodes, by asking the kernel each time
 *
 * A command asks once or twice, so nothing is kept.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"

/* Whom to look for: a name, or, when it is NULL, an id. */
struct wanted {
	const char *name;
	uint32_t id;
};

static bool matches(const struct wanted *wanted, const char *name, uint32_t id)
{
	return wanted->name ? !strcmp(name, wanted->name) : id == wanted->id;
}

static int find_peer(struct netlink *nl, const struct wanted *wanted, uint32_t *id, char *name)
{
	const struct peer *peer;
	struct list peers;
	int result = cluster_peers(nl, &peers);

	if (result)
		return result;
	result = -ESRCH;
	for (peer = peers.items; peer < (const struct peer *)peers.items + peers.count; peer++) {
		if (!matches(wanted, peer->name, peer->id))
			continue;
		*id = peer->id;
		memcpy(name, peer->name, CTM_NAME_MAX);
		result = 0;
		break;
	}
	free(peers.items);
	return result;
}

static int find(const struct wanted *wanted, uint32_t *id, char *name)
{
	struct netlink *nl = malloc(sizeof(*nl));
	struct node *node = malloc(sizeof(*node));
	int result = -ENOMEM;

	if (nl && node)
		result = netlink_open(nl);
	if (result)
		goto out;
	result = cluster_node(nl, node);
	if (!result && node->up && matches(wanted, node->name, node->id)) {
		*id = node->id;
		memcpy(name, node->name, CTM_NAME_MAX);
	} else if (!result) {
		result = node->up ? find_peer(nl, wanted, id, name) : -ENETDOWN;
	}
	netlink_close(nl);
out:
	free(node);
	free(nl);
	return result;
}

int names_find_id(const char *name, uint32_t *id)
{
	const struct wanted wanted = { .name = name };
	char found[CTM_NAME_MAX];

	return find(&wanted, id, found);
}

int names_find_name(uint32_t id, char name[CTM_NAME_MAX])
{
	const struct wanted wanted = { .id = id };
	uint32_t found;

	return find(&wanted, &found, name);
}
