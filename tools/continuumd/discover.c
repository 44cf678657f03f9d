// SPDX-License-Identifier: GPL-2.0
/*
 * discover.c - nodes on the local network find each other
 *
 * Each node announces itself to a multicast group, often at first, then rarely, and joins the
 * first few that it hears of, which become seeds; the others it learns from them.  How many
 * announcements are looked at in a second is bounded, and so is what an old one that
 * somebody plays again can do: a greeting that finds nobody.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../lib/cluster.h"
#include "discover.h"
#include "key.h"
#include "log.h"
#include "loop.h"
#include "machine.h"
#include "node.h"

#define EARLY		5		/* announcements, every */
#define EARLY_MS	2000u
#define LATER_MS	30000u
#define LOOKED_AT	32		/* in a second */
#define FOUND_MAX	8

static void heard(struct source *source, uint32_t events);
static void speak(struct timer *timer);
static void next_second(struct timer *timer);

static struct {
	const struct config *config;	/* NULL: stopped */
	struct source source;
	struct timer speaks, second;
	unsigned int spoken, looked_at;
	uint32_t id, found[FOUND_MAX];
	unsigned int nfound;
} discover = {
	.source = { .fd = -1, .ready = heard },
	.speaks = { .expired = speak },
	.second = { .expired = next_second },
};

static void speak(struct timer *timer)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)(discover.config->port + 1)),
	};
	unsigned char key[CTM_KEY_LEN];
	struct announcement a;
	char error[256];

	if (!key_read(CONFIG_KEY_FILE, key, error, sizeof(error))) {
		announcement_make(&a, discover.config, discover.id, key);
		inet_pton(AF_INET, DISCOVER_GROUP, &to.sin_addr);
		/* a network that is not there yet: next time */
		(void)!sendto(discover.source.fd, &a, sizeof(a), MSG_NOSIGNAL,
			      (struct sockaddr *)&to, sizeof(to));
	}
	explicit_bzero(key, sizeof(key));
	timer_set(timer, ++discover.spoken < EARLY ? EARLY_MS : LATER_MS);
}

static bool authentic(const void *bytes, size_t length, struct announcement *a)
{
	static const char *const files[] = { CONFIG_KEY_FILE, CONFIG_KEY_FILE ".old" };
	unsigned char key[CTM_KEY_LEN];
	char error[256];
	bool right = false;

	for (size_t i = 0; i < 2 && !right; i++)
		right = !key_read(files[i], key, error, sizeof(error)) &&
			announcement_check(bytes, length, discover.config, key, a);
	explicit_bzero(key, sizeof(key));
	return right;
}

static void found(const struct announcement *a, const struct sockaddr_in *from)
{
	struct address address = { .length = 4, .port = ntohs(a->port) };
	uint32_t id = ntohl(a->id);
	char error[256], text[64];

	if (id == discover.id || discover.nfound == FOUND_MAX)
		return;
	for (unsigned int i = 0; i < discover.nfound; i++)
		if (discover.found[i] == id)
			return;
	memcpy(address.bytes, &from->sin_addr, 4);
	if (node_join(&address, error, sizeof(error))) {
		log_warning("discovered %s: %s", address_print(&address, text), error);
		return;
	}
	discover.found[discover.nfound++] = id;
	log_info("discovered %s", address_print(&address, text));
}

static void next_second(struct timer *timer)
{
	bool full = discover.looked_at >= LOOKED_AT;

	(void)timer;
	discover.looked_at = 0;
	if (full)
		loop_add(&discover.source, EPOLLIN);
}

static void heard(struct source *source, uint32_t events)
{
	unsigned char bytes[sizeof(struct announcement) + 1];
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	struct announcement a;
	ssize_t length = recvfrom(source->fd, bytes, sizeof(bytes), MSG_DONTWAIT,
				  (struct sockaddr *)&from, &size);

	(void)events;
	if (length < 0)
		return;
	if (!discover.looked_at++)
		timer_set(&discover.second, 1000);
	if (size == sizeof(from) && authentic(bytes, (size_t)length, &a))
		found(&a, &from);
	/* that is enough for this second; what comes meanwhile waits, and is lost */
	if (discover.looked_at >= LOOKED_AT && discover.config)
		loop_remove(source);
}

static int open_socket(const struct config *config)
{
	struct sockaddr_in local = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)(config->port + 1)),
	};
	struct ip_mreq group = { .imr_interface.s_addr = INADDR_ANY };
	struct address address;
	unsigned char hops = 1;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1, result;

	if (fd < 0)
		return -errno;
	inet_pton(AF_INET, DISCOVER_GROUP, &group.imr_multiaddr);
	local.sin_addr = group.imr_multiaddr;
	if (config->address[0] && !address_parse(config->address, &address) && address.length == 4)
		memcpy(&group.imr_interface, address.bytes, 4);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&local, sizeof(local)) ||
	    setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) ||
	    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &group.imr_interface,
		       sizeof(group.imr_interface)) ||
	    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &hops, sizeof(hops))) {
		result = -errno;
		close(fd);
		return result;
	}
	return fd;
}

void discover_stop(void)
{
	if (!discover.config)
		return;
	discover.config = NULL;
	timer_cancel(&discover.speaks);
	timer_cancel(&discover.second);
	if (discover.looked_at < LOOKED_AT)
		loop_remove(&discover.source);
	close(discover.source.fd);
	discover.source.fd = -1;
}

void discover_start(const struct config *config)
{
	unsigned char machine[CTM_MACHINE_ID_LEN];
	int result;

	discover_stop();
	if (!config->discover)
		return;
	result = config->id ? 0 : machine_read(machine);
	discover.id = config->id ? config->id : machine_node_id(machine);
	if (!result)
		result = discover.source.fd = open_socket(config);
	if (result >= 0)
		result = loop_add(&discover.source, EPOLLIN);
	if (result < 0) {
		log_warning("discover: %s", strerror(-result));
		if (discover.source.fd >= 0)
			close(discover.source.fd);
		discover.source.fd = -1;
		return;
	}
	discover.config = config;
	discover.spoken = discover.looked_at = discover.nfound = 0;
	timer_set(&discover.speaks, 0);
}
