// SPDX-License-Identifier: GPL-2.0
/*
 * switch_test - the lab's switch alone, with sockets in place of machines.
 * KTAP. Prints nothing else unless a check fails.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../tools/lab/switch.h"

#define PORTS 3
#define FRAME 1000

static struct ether_switch sw;
static int host[PORTS];			/* the machines' ends */
static char rest[80 << 10];		/* the end of a frame that did not fit */
static size_t rest_len;
static unsigned int sent, received[PORTS], disordered, damaged;

static struct reader {
	char bytes[256 << 10];
	size_t len;
	uint32_t last;
} readers[PORTS];

/* From and to are port numbers; to < 0 is a broadcast. Returns false if the socket is full. */
static bool send_frame(int from, int to, uint32_t number, size_t size)
{
	char frame[80 << 10] = {};
	uint32_t len = htonl(size);
	ssize_t n;

	if (rest_len) {
		n = send(host[from], rest, rest_len, MSG_DONTWAIT);
		if (n < 0)
			return false;
		rest_len -= n;
		memmove(rest, rest + n, rest_len);
		if (rest_len)
			return false;
	}
	memcpy(frame, &len, 4);
	memset(frame + 4, 0xff, 6);
	if (to >= 0)
		memcpy(frame + 4, (char[]){ 2, 0, 0, 0, 0, to + 1 }, 6);
	memcpy(frame + 10, (char[]){ 2, 0, 0, 0, 0, from + 1 }, 6);
	memcpy(frame + 18, &number, 4);
	for (size_t i = 22; i < size + 4; i++)
		frame[i] = number + i;
	n = send(host[from], frame, size + 4, MSG_DONTWAIT);
	if (n < 0)
		return false;
	rest_len = size + 4 - n;
	memcpy(rest, frame + n, rest_len);
	sent++;
	return true;
}

static void check_frame(struct reader *r, const char *frame, size_t size)
{
	uint32_t number;

	memcpy(&number, frame + 18, 4);
	for (size_t i = 22; i < size + 4; i++)
		if (frame[i] != (char)(number + i)) {
			damaged++;
			break;
		}
	if (number < r->last)
		disordered++;
	r->last = number;
	received[r - readers]++;
}

static void read_frames(int port)
{
	struct reader *r = &readers[port];
	size_t at = 0;
	uint32_t len;
	ssize_t n;

	while ((n = recv(host[port], r->bytes + r->len, sizeof(r->bytes) - r->len, MSG_DONTWAIT)) > 0) {
		r->len += n;
		for (at = 0; r->len - at >= 4; at += 4 + ntohl(len)) {
			memcpy(&len, r->bytes + at, 4);
			if (r->len - at < 4 + ntohl(len))
				break;
			check_frame(r, r->bytes + at, ntohl(len));
		}
		memmove(r->bytes, r->bytes + at, r->len - at);
		r->len -= at;
	}
}

static void on_tick(struct timer *t)
{
	timer_arm(t, now_ns() + MSEC);
}

static struct timer tick = { .fire = on_tick };	/* so that loop_turn() returns */

static void spin(unsigned int ms)
{
	uint64_t end = now_ns() + ms * MSEC;

	while (now_ns() < end)
		loop_turn();
}

static void start(void)
{
	int fd[2];

	sent = disordered = damaged = rest_len = 0;
	memset(received, 0, sizeof(received));
	memset(readers, 0, sizeof(readers));
	for (int i = 0; i < PORTS; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
			abort();
		if (host[i])
			close(host[i]);
		host[i] = fd[0];
		switch_attach(&sw, i, fd[1]);
		sw.ports[i].loss = 0;
		sw.ports[i].delay_ns = 0;
		sw.ports[i].cut = false;
		sw.ports[i].dropped = 0;
	}
	for (int i = 0; i < PORTS; i++) {	/* so that it knows where everybody is */
		send_frame(i, -1, 0, FRAME);
		spin(3);
	}
	for (int i = 0; i < PORTS; i++) {
		read_frames(i);
		received[i] = 0;
	}
	sent = 0;
}

static bool expect(const char *what, unsigned int got, unsigned int low, unsigned int high)
{
	if (got >= low && got <= high)
		return true;
	printf("# %s: %u, not %u to %u\n", what, got, low, high);
	return false;
}

/* To one port only; then many large ones through small sockets, whole and in order. */
static bool test_unicast(void)
{
	uint64_t end = now_ns() + 20 * SEC;

	start();
	for (uint32_t i = 1; sent < 3000 && now_ns() < end; i = sent + 1) {
		while (sent < 3000 && send_frame(0, 1, sent + 1, 60 + i * 7919 % 60000))
			;
		loop_turn();
		read_frames(1);
	}
	while (received[1] < 2999 && now_ns() < end) {
		loop_turn();
		read_frames(1);
	}
	read_frames(2);
	return expect("received", received[1], 2999, 3000) && expect("elsewhere", received[2], 0, 0) &&
	       expect("out of order", disordered, 0, 0) && expect("damaged", damaged, 0, 0) &&
	       expect("dropped", sw.ports[1].dropped, 0, 0);
}

/* A receiver that does not read holds the others back for a moment only. */
static bool test_stall(void)
{
	unsigned int to_1 = 0;
	uint64_t end = now_ns() + 2 * SEC;

	start();
	while (now_ns() < end) {
		if (send_frame(0, sent % 2 ? 1 : 2, sent + 1, 50000))
			to_1 += sent % 2 == 0;
		else
			loop_turn();
		read_frames(1);
	}
	spin(300);
	read_frames(1);
	if (!expect("to the reader", to_1, 100, 1 << 30) ||
	    !expect("lost to the reader", sw.ports[1].dropped, 0, 0) ||
	    !expect("dropped for the other", sw.ports[2].dropped, 10, 1 << 30) ||
	    !expect("received", received[1], to_1 - 2, to_1))
		return false;
	/* It reads again: so it is served again. */
	for (int i = 0; i < 50; i++) {
		read_frames(2);
		spin(2);
	}
	received[2] = 0;
	send_frame(0, 2, sent + 1, FRAME);
	send_frame(0, 2, sent + 1, FRAME);
	spin(20);
	read_frames(2);
	return expect("after the stall", received[2], 1, 3) && expect("damaged", damaged, 0, 0);
}

static bool test_loss(void)
{
	start();
	sw.ports[1].loss = 0.2;
	while (sent < 5000) {
		send_frame(0, 1, sent + 1, 100);
		loop_turn();
		read_frames(1);
	}
	spin(20);
	read_frames(1);
	return expect("received of 5000 at 20 %", received[1], 3800, 4200);
}

static bool test_cut(void)
{
	start();
	sw.ports[0].cut = true;
	send_frame(0, -1, 1, FRAME);
	send_frame(1, 0, 2, FRAME);
	send_frame(1, 2, 3, FRAME);
	spin(20);
	for (int i = 0; i < PORTS; i++)
		read_frames(i);
	return expect("received by the cut one", received[0], 0, 0) &&
	       expect("received by others", received[1] + received[2], 1, 1);
}

/* Later frames of a fast sender overtake delayed ones of another. */
static bool test_delay(void)
{
	start();
	sw.ports[0].delay_ns = 100 * MSEC;
	send_frame(0, 1, 1, FRAME);
	spin(20);
	send_frame(2, 1, 2, FRAME);
	spin(20);
	read_frames(1);
	if (!expect("at once", received[1], 1, 1) || !expect("which", readers[1].last, 2, 2))
		return false;
	spin(100);
	read_frames(1);
	return expect("after the delay", received[1], 2, 2);
}

static bool test_capture(void)
{
	char path[] = "/tmp/switch_test.XXXXXX";
	int fd = mkstemp(path);
	long size;

	start();
	if (switch_capture(&sw, path) < 0)
		return false;
	send_frame(0, 1, 1, FRAME);
	send_frame(1, 0, 1, FRAME);
	spin(20);
	switch_capture(&sw, NULL);
	size = lseek(fd, 0, SEEK_END);
	close(fd);
	unlink(path);
	return expect("bytes captured", size, 24 + 2 * (16 + FRAME), 24 + 2 * (16 + FRAME));
}

static bool test_damaged(void)
{
	start();
	if (send(host[0], "\xff\xff\xff\xff", 4, 0) != 4)
		return false;
	freopen("/dev/null", "w", stderr);
	spin(20);
	return expect("still attached", sw.ports[0].w.fd >= 0, 0, 0) &&
	       expect("the other", sw.ports[1].w.fd >= 0, 1, 1);
}

static const struct {
	const char *name;
	bool (*run)(void);
} tests[] = {
	{ "unicast", test_unicast },
	{ "stall", test_stall },
	{ "loss", test_loss },
	{ "cut", test_cut },
	{ "delay", test_delay },
	{ "capture", test_capture },
	{ "damaged stream", test_damaged },
};

int main(void)
{
	const unsigned int n = sizeof(tests) / sizeof(tests[0]);
	int failed = 0;

	loop_init();
	switch_init(&sw, PORTS);
	on_tick(&tick);
	printf("KTAP version 1\n1..%u\n", n);
	for (unsigned int i = 0; i < n; i++) {
		bool good = tests[i].run();

		printf("%s %u %s\n", good ? "ok" : "not ok", i + 1, tests[i].name);
		failed += !good;
	}
	return failed > 0;
}
