// SPDX-License-Identifier: GPL-2.0
/*
 * netlink.c - libmnl, and the error texts that it does not look at
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "netlink.h"


static struct nlmsghdr *begin(struct netlink *nl, uint16_t type, uint8_t command, uint8_t version,
			      uint16_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(nl->buffer);
	struct genlmsghdr *generic;

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	message->nlmsg_seq = ++nl->sequence;
	generic = mnl_nlmsg_put_extra_header(message, sizeof(*generic));
	generic->cmd = command;
	generic->version = version;
	return message;
}

struct nlmsghdr *netlink_begin(struct netlink *nl, uint8_t command, bool dump)
{
	return begin(nl, nl->family, command, CTM_GENL_VERSION, dump ? NLM_F_DUMP : NLM_F_ACK);
}

static void store(const struct nlattr *attr, const struct nlattr **table, unsigned int max)
{
	if (mnl_attr_get_type(attr) <= max)
		table[mnl_attr_get_type(attr)] = attr;
}

void netlink_parse(const struct nlmsghdr *message, const struct nlattr **table, unsigned int max)
{
	const struct nlattr *attr;

	memset(table, 0, (max + 1) * sizeof(*table));
	mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr))
		store(attr, table, max);
}

void netlink_parse_nested(const struct nlattr *nest, const struct nlattr **table, unsigned int max)
{
	const struct nlattr *attr;

	memset(table, 0, (max + 1) * sizeof(*table));
	mnl_attr_for_each_nested(attr, nest)
		store(attr, table, max);
}

static void get(const struct nlattr *attr, void *value, size_t size)
{
	memset(value, 0, size);
	if (attr && mnl_attr_get_payload_len(attr) >= size)
		memcpy(value, mnl_attr_get_payload(attr), size);
}

uint8_t netlink_u8(const struct nlattr *attr)
{
	uint8_t value;

	get(attr, &value, sizeof(value));
	return value;
}

uint16_t netlink_u16(const struct nlattr *attr)
{
	uint16_t value;

	get(attr, &value, sizeof(value));
	return value;
}

uint32_t netlink_u32(const struct nlattr *attr)
{
	uint32_t value;

	get(attr, &value, sizeof(value));
	return value;
}

uint64_t netlink_u64(const struct nlattr *attr)
{
	uint64_t value;

	get(attr, &value, sizeof(value));
	return value;
}

void netlink_text(const struct nlattr *attr, char *text, size_t room)
{
	size_t length = attr ? mnl_attr_get_payload_len(attr) : 0;

	if (length)
		length = strnlen(mnl_attr_get_payload(attr), length < room ? length : room - 1);
	if (length)
		memcpy(text, mnl_attr_get_payload(attr), length);
	text[length] = '\0';
}

/* The attributes of an acknowledgement stand after the request that it echoes. */
static void keep_error_text(struct netlink *nl, const struct nlmsghdr *message)
{
	const struct nlmsgerr *ack = mnl_nlmsg_get_payload(message);
	size_t offset = sizeof(*ack);
	const struct nlattr *attr;

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(message->nlmsg_flags & NLM_F_CAPPED))
		offset += ack->msg.nlmsg_len - sizeof(struct nlmsghdr);
	mnl_attr_for_each(attr, message, offset)
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
			netlink_text(attr, nl->error, sizeof(nl->error));
}

/* The end of a dump has an error number and, maybe, a text. */
static void keep_done_text(struct netlink *nl, const struct nlmsghdr *message)
{
	const struct nlattr *attr;

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	mnl_attr_for_each(attr, message, sizeof(int))
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
			netlink_text(attr, nl->error, sizeof(nl->error));
}

struct exchange {
	int (*answer)(const struct nlmsghdr *message, void *data);
	void *data;
	bool done;
	int result;
};

static void take(struct netlink *nl, struct exchange *x, const struct nlmsghdr *message)
{
	const int *number = mnl_nlmsg_get_payload(message);
	int result;

	switch (message->nlmsg_type) {
	case NLMSG_ERROR:
	case NLMSG_DONE:
		x->done = true;
		if (mnl_nlmsg_get_payload_len(message) < sizeof(*number))
			return;
		if (*number && !x->result)
			x->result = *number;
		if (message->nlmsg_type == NLMSG_ERROR)
			keep_error_text(nl, message);
		else
			keep_done_text(nl, message);
		return;
	case NLMSG_NOOP:
	case NLMSG_OVERRUN:
		return;
	}
	result = x->answer ? x->answer(message, x->data) : 0;
	if (result && !x->result)
		x->result = result;
}

static int receive(struct netlink *nl, struct exchange *x)
{
	ssize_t got = mnl_socket_recvfrom(nl->socket, nl->buffer, sizeof(nl->buffer));
	const struct nlmsghdr *message = (const void *)nl->buffer;
	int left = (int)got;

	if (got < 0)
		return errno == EINTR ? 0 : -errno;
	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
		if (message->nlmsg_seq == nl->sequence)
			take(nl, x, message);
	return 0;
}

int netlink_send(struct netlink *nl, struct nlmsghdr *request,
		 int (*answer)(const struct nlmsghdr *message, void *data), void *data)
{
	struct exchange x = { .answer = answer, .data = data };

	nl->error[0] = '\0';
	if (mnl_socket_sendto(nl->socket, request, request->nlmsg_len) < 0)
		return -errno;
	while (!x.done) {
		int result = receive(nl, &x);

		if (result)
			return result;
	}
	return x.result;
}

static void take_groups(const struct nlattr *groups, struct netlink *nl)
{
	const struct nlattr *table[CTRL_ATTR_MCAST_GRP_ID + 1];
	const struct nlattr *group;
	char name[16];

	mnl_attr_for_each_nested(group, groups) {
		netlink_parse_nested(group, table, CTRL_ATTR_MCAST_GRP_ID);
		netlink_text(table[CTRL_ATTR_MCAST_GRP_NAME], name, sizeof(name));
		if (!strcmp(name, CTM_GENL_EVENTS))
			nl->events = netlink_u32(table[CTRL_ATTR_MCAST_GRP_ID]);
	}
}

static int take_family(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *table[CTRL_ATTR_MCAST_GROUPS + 1];
	struct netlink *nl = data;

	netlink_parse(message, table, CTRL_ATTR_MCAST_GROUPS);
	nl->family = netlink_u16(table[CTRL_ATTR_FAMILY_ID]);
	if (table[CTRL_ATTR_MCAST_GROUPS])
		take_groups(table[CTRL_ATTR_MCAST_GROUPS], nl);
	return 0;
}

static int find_family(struct netlink *nl)
{
	struct nlmsghdr *request = begin(nl, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, NLM_F_ACK);
	int result;

	mnl_attr_put_strz(request, CTRL_ATTR_FAMILY_NAME, CTM_GENL_NAME);
	result = netlink_send(nl, request, take_family, nl);
	nl->error[0] = '\0';
	return result ? result : nl->family ? 0 : -ENOENT;
}

int netlink_open(struct netlink *nl)
{
	int on = 1;
	int result;

	memset(nl, 0, sizeof(*nl) - sizeof(nl->buffer));
	nl->sequence = (uint32_t)time(NULL);
	nl->socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!nl->socket)
		return -errno;
	if (mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		result = -errno;
		goto err_close;
	}
	mnl_socket_setsockopt(nl->socket, NETLINK_EXT_ACK, &on, sizeof(on));
	result = find_family(nl);
	if (result)
		goto err_close;
	return 0;

err_close:
	mnl_socket_close(nl->socket);
	nl->socket = NULL;
	return result;
}

void netlink_close(struct netlink *nl)
{
	mnl_socket_close(nl->socket);
	nl->socket = NULL;
}

/* ---- events ---- */

/* The controller's own group has its family's number: it tells of families that go. */
int netlink_listen(struct netlink *nl)
{
	unsigned int groups[] = { nl->events, GENL_ID_CTRL };

	if (!nl->events)
		return -ENOENT;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (mnl_socket_setsockopt(nl->socket, NETLINK_ADD_MEMBERSHIP, &groups[i],
					  sizeof(groups[i])) < 0)
			return -errno;
	return 0;
}

static bool is_our_end(const struct nlmsghdr *message, const struct netlink *nl)
{
	const struct genlmsghdr *generic = mnl_nlmsg_get_payload(message);
	const struct nlattr *table[CTRL_ATTR_FAMILY_ID + 1];

	if (message->nlmsg_type != GENL_ID_CTRL || generic->cmd != CTRL_CMD_DELFAMILY)
		return false;
	netlink_parse(message, table, CTRL_ATTR_FAMILY_ID);
	return netlink_u16(table[CTRL_ATTR_FAMILY_ID]) == nl->family;
}

int netlink_events(struct netlink *nl, void (*handle)(const struct nlmsghdr *message, void *data),
		   void *data)
{
	struct sockaddr_nl from = { 0 };
	socklen_t length = sizeof(from);
	ssize_t got = recvfrom(mnl_socket_get_fd(nl->socket), nl->buffer, sizeof(nl->buffer),
			       MSG_DONTWAIT, (struct sockaddr *)&from, &length);
	const struct nlmsghdr *message = (const void *)nl->buffer;
	int left = (int)got;

	if (got < 0)
		return errno == EINTR ? 0 : -errno;
	if (from.nl_pid)
		return 0;		/* not from the kernel */
	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		if (mnl_nlmsg_get_payload_len(message) < sizeof(struct genlmsghdr))
			continue;
		if (is_our_end(message, nl))
			return -ENODEV;
		if (message->nlmsg_type == nl->family)
			handle(message, data);
	}
	return 0;
}
