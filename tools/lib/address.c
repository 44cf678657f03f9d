// SPDX-License-Identifier: GPL-2.0
/*
 * address.c - addresses of nodes as people write them
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"

/* "[host]:port", "host:port", "host", or a bare IPv6 address: several colons. */
static int split(const char *text, char *host, size_t room, const char **port)
{
	const char *end = text + strlen(text);
	const char *colon = strrchr(text, ':');

	*port = NULL;
	if (*text == '[') {
		text++;
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		if (end[1])
			*port = end + 2;
	} else if (colon && colon == strchr(text, ':')) {
		end = colon;
		*port = colon + 1;
	}
	if (end == text || (size_t)(end - text) >= room)
		return -EINVAL;
	memcpy(host, text, (size_t)(end - text));
	host[end - text] = '\0';
	return 0;
}

static int parse_port(const char *text, uint16_t *port)
{
	unsigned long value;
	char *end;

	*port = CTM_PORT;
	if (!text)
		return 0;
	value = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || !value || value > UINT16_MAX)
		return -EINVAL;
	*port = (uint16_t)value;
	return 0;
}

static int resolve(const char *host, struct address *address)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	int result = getaddrinfo(host, NULL, &hints, &found);

	if (result)
		return result == EAI_MEMORY ? -ENOMEM : result == EAI_AGAIN ? -EAGAIN : -EHOSTUNREACH;
	if (found->ai_family == AF_INET) {
		address->length = 4;
		memcpy(address->bytes, &((struct sockaddr_in *)found->ai_addr)->sin_addr, 4);
	} else {
		address->length = 16;
		memcpy(address->bytes, &((struct sockaddr_in6 *)found->ai_addr)->sin6_addr, 16);
	}
	freeaddrinfo(found);
	return 0;
}

int address_parse(const char *text, struct address *address)
{
	const char *port;
	char host[256];

	memset(address, 0, sizeof(*address));
	if (split(text, host, sizeof(host), &port) || parse_port(port, &address->port))
		return -EINVAL;
	return resolve(host, address);
}

const char *address_print(const struct address *address, char text[64])
{
	char host[INET6_ADDRSTRLEN] = "";

	text[0] = '\0';
	if (!address->length)
		return text;
	inet_ntop(address->length == 4 ? AF_INET : AF_INET6, address->bytes, host, sizeof(host));
	snprintf(text, 64, address->length == 4 ? "%s:%u" : "[%s]:%u", host, address->port);
	return text;
}
