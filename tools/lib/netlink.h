/* SPDX-License-Identifier: GPL-2.0 */
/*
 * netlink.h - speaking with the generic netlink family "continuum"
 *
 * A message is begun, filled with mnl_attr_put_*(), and sent; the answers go to
 * a function.  On an error @error holds what the kernel said (NETLINK_EXT_ACK),
 * or is empty.
 */
#ifndef CONTINUUM_LIB_NETLINK_H
#define CONTINUUM_LIB_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

#include <libmnl/libmnl.h>
#include <linux/continuum.h>
#include <linux/continuum_netlink.h>

#define NETLINK_BUFFER	65536	/* a dump's message is at most 32 KiB */

struct netlink {
	struct mnl_socket *socket;
	uint16_t family;
	uint32_t events;	/* the multicast group, or 0 */
	uint32_t sequence;
	char error[256];
	char buffer[NETLINK_BUFFER];
};

/** netlink_open() - Return: 0, -ENOENT when the module is not loaded, or -errno; @nl needs no close then */
int netlink_open(struct netlink *nl);
void netlink_close(struct netlink *nl);

/** netlink_begin() - a request with @command (enum ctm_cmd) in nl->buffer; @dump: for a list */
struct nlmsghdr *netlink_begin(struct netlink *nl, uint8_t command, bool dump);

/**
 * netlink_send() - send a request, hand each answer to @answer, wait for the end
 * @answer: gets the message and @data; may be NULL.  Returns 0 or -errno
 *
 * Return: 0 or -errno, the kernel's or that of @answer.
 */
int netlink_send(struct netlink *nl, struct nlmsghdr *request,
		 int (*answer)(const struct nlmsghdr *message, void *data), void *data);

/**
 * netlink_listen() - events come to this socket from now on, which is then for nothing else
 * Return: 0 or -errno
 */
int netlink_listen(struct netlink *nl);

/**
 * netlink_events() - hand over what has come, without waiting
 * @handle: gets each event, and @data
 *
 * Return: 0; -EAGAIN when there is nothing more; -ENOBUFS when events were lost since
 * the last call (the next goes on); -ENODEV when the module was unloaded; or -errno.
 */
int netlink_events(struct netlink *nl, void (*handle)(const struct nlmsghdr *message, void *data),
		   void *data);

/** netlink_parse() - attributes of @message by type, those above @max left out; @table has @max + 1 places */
void netlink_parse(const struct nlmsghdr *message, const struct nlattr **table, unsigned int max);
void netlink_parse_nested(const struct nlattr *nest, const struct nlattr **table, unsigned int max);

/* Values of attributes; 0 or "" when it is missing or too short. */
uint8_t netlink_u8(const struct nlattr *attr);
uint16_t netlink_u16(const struct nlattr *attr);
uint32_t netlink_u32(const struct nlattr *attr);
uint64_t netlink_u64(const struct nlattr *attr);
void netlink_text(const struct nlattr *attr, char *text, size_t room);

#endif /* CONTINUUM_LIB_NETLINK_H */
