// SPDX-License-Identifier: GPL-2.0
/*
 * stream - what the wire between two nodes gives, and their clocks
 *
 *   stream sink PORT [tls|hash]         takes a stream
 *   stream source HOST PORT MIB [tls|hash]  sends MIB as fast as it goes, prints
 *                                       bytes a second, by the time at which the
 *                                       sink says that it has all
 *   stream get PORT                     what comes goes to standard output
 *   stream put HOST PORT                sends standard input
 *   stream clock PORT                   tells the time to one who asks
 *   stream set-clock HOST PORT          asks, and sets the clock accordingly;
 *                                       prints the offset that there was, in us
 *
 * tls: kernel TLS 1.3 records, AES-GCM-128, with keys that everybody knows: what
 * encryption costs, not what it hides.
 * hash: both ends compute the BLAKE2s of each MiB (hash.h): before it is sent, and when it
 * has come.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tls.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "hash.h"

#define CHUNK		(1u << 20)
#define ASKINGS		50

static char buffer[CHUNK];
static int hashed;

static void die(const char *what)
{
	fprintf(stderr, "stream: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static int no_delay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static int accept_one(const char *port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0), conn;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 1) < 0)
		die("listen");
	conn = accept(fd, NULL, NULL);
	if (conn < 0)
		die("accept");
	close(fd);
	return no_delay(conn);
}

/* The other node may not listen yet. */
static int connect_to(const char *host, const char *port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };

	if (inet_pton(AF_INET, host, &addr.sin_addr) != 1) {
		errno = EINVAL;
		die(host);
	}
	for (int tries = 0; tries < 200; tries++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
			return no_delay(fd);
		close(fd);
		usleep(50000);
	}
	die("connect");
	return -1;
}

static void set_keys(int fd, int direction, int key)
{
	struct tls12_crypto_info_aes_gcm_128 c = {
		.info = { TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128 },
	};

	memset(c.key, key, sizeof(c.key));
	if (setsockopt(fd, SOL_TLS, direction, &c, sizeof(c)) < 0)
		die("TLS keys");
}

static void use_tls(int fd, int source)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) < 0)
		die("TLS (modprobe tls)");
	set_keys(fd, TLS_TX, source ? 1 : 2);
	set_keys(fd, TLS_RX, source ? 2 : 1);
}

static void write_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n <= 0)
			die("write");
		at += n;
		len -= n;
	}
}

static void read_all(int fd, void *data, size_t len)
{
	char *at = data;

	while (len) {
		ssize_t n = read(fd, at, len);

		if (n <= 0)
			die("read");
		at += n;
		len -= n;
	}
}

static void hash_buffer(size_t n)
{
	unsigned char name[HASH_BYTES];

	if (hashed)
		hash(name, buffer, n);
}

static void sink(int fd)
{
	uint64_t left;

	read_all(fd, &left, sizeof(left));
	while (left) {
		size_t n = left < CHUNK ? left : CHUNK;

		read_all(fd, buffer, n);
		hash_buffer(n);
		left -= n;
	}
	write_all(fd, "", 1);
}

static void source(int fd, uint64_t bytes)
{
	int64_t begin;
	char done;

	for (size_t i = 0; i < CHUNK; i++)
		buffer[i] = i * 2654435761u >> 13;
	begin = now_us(CLOCK_MONOTONIC);
	write_all(fd, &bytes, sizeof(bytes));
	for (uint64_t left = bytes; left; left -= CHUNK) {
		hash_buffer(CHUNK);
		write_all(fd, buffer, CHUNK);
	}
	read_all(fd, &done, 1);
	printf("%.0f\n", bytes * 1e6 / (now_us(CLOCK_MONOTONIC) - begin));
}

static void copy(int from, int to)
{
	ssize_t n;

	while ((n = read(from, buffer, CHUNK)) > 0)
		write_all(to, buffer, n);
	if (n < 0)
		die("read");
}

static void tell_clock(int fd)
{
	char ask;

	while (read(fd, &ask, 1) == 1) {
		int64_t now = now_us(CLOCK_REALTIME);

		write_all(fd, &now, sizeof(now));
	}
}

/* The quickest answer is the one to believe. */
static void set_clock(int fd)
{
	int64_t offset = 0, best = INT64_MAX, now;
	struct timespec t;

	for (int i = 0; i < ASKINGS; i++) {
		int64_t there, before = now_us(CLOCK_REALTIME), took;

		write_all(fd, "", 1);
		read_all(fd, &there, sizeof(there));
		took = now_us(CLOCK_REALTIME) - before;
		if (took < best) {
			best = took;
			offset = there - before - took / 2;
		}
	}
	now = now_us(CLOCK_REALTIME) + offset;
	t.tv_sec = now / 1000000;
	t.tv_nsec = now % 1000000 * 1000;
	if (clock_settime(CLOCK_REALTIME, &t) < 0)
		die("clock_settime");
	printf("%lld\n", (long long)offset);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	int tls = !strcmp(argv[argc - 1], "tls");
	int fd;

	hashed = !strcmp(argv[argc - 1], "hash");
	if (!strcmp(what, "sink")) {
		fd = accept_one(argv[2]);
		if (tls)
			use_tls(fd, 0);
		sink(fd);
	} else if (!strcmp(what, "source") && argc > 4) {
		fd = connect_to(argv[2], argv[3]);
		if (tls)
			use_tls(fd, 1);
		source(fd, strtoull(argv[4], NULL, 10) << 20);
	} else if (!strcmp(what, "get")) {
		copy(accept_one(argv[2]), 1);
	} else if (!strcmp(what, "put") && argc > 3) {
		copy(0, connect_to(argv[2], argv[3]));
	} else if (!strcmp(what, "clock")) {
		tell_clock(accept_one(argv[2]));
	} else if (!strcmp(what, "set-clock") && argc > 3) {
		set_clock(connect_to(argv[2], argv[3]));
	} else {
		fputs("usage: see the head of stream.c\n", stderr);
		return 2;
	}
	return 0;
}
