// SPDX-License-Identifier: GPL-2.0
/*
 * values - one client that stores values on the other node, or has them back
 *
 *   values blocks    put|get NODE LEN MS BATCH   blocks of one copy that belong to NODE
 *   values redis     put|get HOST LEN MS         by the protocols of these, on one
 *   values memcached put|get HOST LEN MS         connection, one after another
 *
 * For MS milliseconds; prints how many there were, and the nanoseconds spent in calls.  What
 * is not timed: each value is another one and cannot be compressed; it is compared after a get,
 * and deleted afterwards.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/continuum.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "../unit/random.h"

#define BATCH_MAX	1024u

static struct rng rng;
static uint32_t length;
static uint64_t spent, count;

static void die(const char *what)
{
	fprintf(stderr, "values: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

static void *new_value(void)
{
	char *v = aligned_alloc(4096, (length + 4095) / 4096 * 4096);

	if (!v)
		die("memory");
	return v;
}

static void fill(void *value)
{
	uint64_t *w = value;
	uint32_t i;

	for (i = 0; i < length / 8; i++)
		w[i] = rng_next(&rng);
}

/* ---- blocks ---- */

static int device;
static struct ctm_block list[BATCH_MAX];
static uint32_t batch;
static char *copy[BATCH_MAX];

static void blocks(unsigned long nr, uint32_t flags, struct ctm_block *b, uint32_t n)
{
	struct ctm_blocks c = {
		.size = sizeof(c), .flags = flags, .list = (uintptr_t)b, .count = n,
		.copies = nr == CTM_IOC_PUT,
	};

	if (ioctl(device, nr, &c)) {
		fprintf(stderr, "values: %s\n", c.reason);
		die("blocks");
	}
}

static bool is_at(const struct ctm_block *b, const char *node)
{
	struct ctm_holder h = { 0 };
	struct ctm_locate l = { .size = sizeof(l), .holders = (uintptr_t)&h, .room = 1 };

	memcpy(l.name, b->name, sizeof(l.name));
	if (ioctl(device, CTM_IOC_LOCATE, &l) || l.count != 1)
		die("locate");
	return !strcmp(h.name, node);
}

/* the name decides where it is: tried, until it is that node's; it is stored then */
static void place(struct ctm_block *b, const char *node)
{
	for (;;) {
		fill((void *)(uintptr_t)b->buf);
		b->len = length;
		blocks(CTM_IOC_PUT, CTM_BLOCKS_PIN, b, 1);
		if (is_at(b, node))
			return;
		blocks(CTM_IOC_DROP, 0, b, 1);
	}
}

static void blocks_round(bool get, const char *node)
{
	uint64_t begin;
	uint32_t i;

	for (i = 0; i < batch; i++)
		place(&list[i], node);
	if (!get)
		blocks(CTM_IOC_DROP, 0, list, batch);
	for (i = 0; i < batch && get; i++) {
		memcpy(copy[i], (void *)(uintptr_t)list[i].buf, length);
		memset((void *)(uintptr_t)list[i].buf, 0, length);
	}
	begin = now_ns();
	if (get)
		blocks(CTM_IOC_GET, 0, list, batch);
	else
		blocks(CTM_IOC_PUT, CTM_BLOCKS_PIN, list, batch);
	spent += now_ns() - begin;
	for (i = 0; i < batch && get; i++)
		if (memcmp(copy[i], (void *)(uintptr_t)list[i].buf, length))
			die("another value");
	blocks(CTM_IOC_DROP, 0, list, batch);
	count += batch;
}

static void blocks_begin(void)
{
	uint32_t i;

	device = open("/dev/continuum", O_RDWR | O_CLOEXEC);
	if (device < 0)
		die("/dev/continuum");
	for (i = 0; i < batch; i++) {
		list[i].buf = (uintptr_t)new_value();
		copy[i] = new_value();
	}
}

/* ---- redis, memcached ---- */

static int server;
static char in[4096];
static size_t in_at, in_end;

static void more_in(void)
{
	ssize_t n = read(server, in, sizeof(in));

	if (n <= 0)
		die("read");
	in_at = 0;
	in_end = n;
}

static void expect_line(const char *start)
{
	char line[256];
	size_t n = 0;

	while (n < 2 || line[n - 2] != '\r' || line[n - 1] != '\n') {
		if (in_at == in_end)
			more_in();
		if (n == sizeof(line))
			die("a long line");
		line[n++] = in[in_at++];
	}
	line[n - 2] = 0;
	if (strncmp(line, start, strlen(start))) {
		fprintf(stderr, "values: the server says %s, not %s\n", line, start);
		exit(1);
	}
}

static void receive(char *to, size_t len)
{
	size_t n = in_end - in_at < len ? in_end - in_at : len;

	memcpy(to, in + in_at, n);
	in_at += n;
	while (n < len) {
		ssize_t got = read(server, to + n, len - n);

		if (got <= 0)
			die("read");
		n += got;
	}
}

static void send_all(struct iovec *v, int n)
{
	while (n) {
		ssize_t sent = writev(server, v, n);

		if (sent <= 0)
			die("write");
		for (; n && (size_t)sent >= v->iov_len; v++, n--)
			sent -= v->iov_len;
		if (n) {
			v->iov_base = (char *)v->iov_base + sent;
			v->iov_len -= sent;
		}
	}
}

static void set(bool redis, const char *key, char *value)
{
	char head[128];
	struct iovec v[3] = { { head, 0 }, { value, length }, { (char *)"\r\n", 2 } };

	if (redis)
		v[0].iov_len = snprintf(head, sizeof(head), "*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%u\r\n",
					strlen(key), key, length);
	else
		v[0].iov_len = snprintf(head, sizeof(head), "set %s 0 0 %u\r\n", key, length);
	send_all(v, 3);
	expect_line(redis ? "+OK" : "STORED");
}

static void get_back(bool redis, const char *key, char *to)
{
	char head[128], end[2], said[128];
	struct iovec v = { head, 0 };

	v.iov_len = redis ? snprintf(head, sizeof(head), "*2\r\n$3\r\nGET\r\n$%zu\r\n%s\r\n", strlen(key), key) :
			    snprintf(head, sizeof(head), "get %s\r\n", key);
	send_all(&v, 1);
	if (redis)
		snprintf(said, sizeof(said), "$%u", length);
	else
		snprintf(said, sizeof(said), "VALUE %s 0 %u", key, length);
	expect_line(said);
	receive(to, length);
	receive(end, 2);
	if (!redis)
		expect_line("END");
}

static void forget(bool redis, const char *key)
{
	char head[128];
	struct iovec v = { head, 0 };

	v.iov_len = redis ? snprintf(head, sizeof(head), "*2\r\n$3\r\nDEL\r\n$%zu\r\n%s\r\n", strlen(key), key) :
			    snprintf(head, sizeof(head), "delete %s\r\n", key);
	send_all(&v, 1);
	expect_line(redis ? ":1" : "DELETED");
}

static void server_round(bool redis, bool get)
{
	static char *value, *got;
	uint64_t begin;
	char key[32];

	if (!value) {
		value = new_value();
		got = new_value();
	}
	snprintf(key, sizeof(key), "key%llu", (unsigned long long)count++);
	fill(value);
	begin = now_ns();
	set(redis, key, value);
	if (get) {
		memset(got, 0, length);
		begin = now_ns();
		get_back(redis, key, got);
	}
	spent += now_ns() - begin;
	if (get && memcmp(value, got, length))
		die("another value");
	forget(redis, key);
}

static void server_begin(const char *host, int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, tries;

	if (inet_pton(AF_INET, host, &addr.sin_addr) != 1)
		die(host);
	for (tries = 0; tries < 200; tries++) {
		server = socket(AF_INET, SOCK_STREAM, 0);
		if (!connect(server, (struct sockaddr *)&addr, sizeof(addr))) {
			setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			return;
		}
		close(server);
		usleep(50000);
	}
	die("connect");
}

int main(int argc, char **argv)
{
	bool store = argc == 7 && !strcmp(argv[1], "blocks");
	bool redis = argc == 6 && !strcmp(argv[1], "redis"), get;
	uint64_t end, ms;

	if (argc < 6 || (!store && !redis && strcmp(argv[1], "memcached"))) {
		fputs("usage: see the head of values.c\n", stderr);
		return 2;
	}
	get = !strcmp(argv[2], "get");
	length = strtoul(argv[4], NULL, 10);
	ms = strtoull(argv[5], NULL, 10);
	batch = store ? strtoul(argv[6], NULL, 10) : 1;
	rng.state = now_ns() ^ (uint64_t)getpid() << 40;
	if (!length || length % 8 || !batch || batch > BATCH_MAX)
		return 2;
	if (store)
		blocks_begin();
	else
		server_begin(argv[3], redis ? 6379 : 11211);
	/* the first opens connections and has pages to be had */
	for (end = 0; !end || now_ns() < end;) {
		if (store)
			blocks_round(get, argv[3]);
		else
			server_round(redis, get);
		if (!end) {
			end = now_ns() + ms * 1000000;
			spent = 0;
			count -= batch;
		}
	}
	printf("%llu %llu\n", (unsigned long long)count, (unsigned long long)spent);
	return 0;
}
