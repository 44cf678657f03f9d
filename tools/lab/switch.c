// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "switch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define IN_SIZE		(512u << 10)
#define FRAME_MAX	(80u << 10)	/* QEMU's own limit is 68 KiB */
#define QUEUE_MAX	(1u << 20)	/* of a port, without delay */
#define DELAYED_MAX	(32u << 20)	/* with it */
#define STALL_NS	(200 * MSEC)
#define RUN_MAX		(128u << 10)
#define MAC_SLOTS	1024
#define MAC_LEN		6
#define ETH_HEADER	14
#define PREFIX		4		/* a frame's length, before it */

/* Bytes that wait for a port: whole frames, of the first blob perhaps the rest. */
struct blob {
	struct blob *next;
	uint64_t due;
	uint32_t head, len;
	char data[];
};

/* Frames in the input buffer, back to back, that go to the same port. */
struct run {
	struct port *to;
	const char *p;
	uint32_t len, frames;
};

static struct {
	unsigned char mac[MAC_LEN];
	int port;
} learned[MAC_SLOTS];

static struct ether_switch *the_switch;		/* the daemon has one */

static int mac_slot(const unsigned char *mac)
{
	return (mac[3] * 31 * 31 + mac[4] * 31 + mac[5] + mac[0] * 7) % MAC_SLOTS;
}

static bool port_full(const struct port *p)
{
	return p->queued >= (p->delay_ns ? DELAYED_MAX : QUEUE_MAX);
}

/* ---- capture ---- */

struct pcap_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, sigfigs, snaplen, network;
};

struct pcap_packet {
	uint32_t sec, nsec, caplen, len;
};

int switch_capture(struct ether_switch *sw, const char *path)
{
	/* The magic number says nanoseconds; 1 is Ethernet. */
	struct pcap_header h = { 0xa1b23c4d, 2, 4, 0, 0, FRAME_MAX, 1 };

	if (sw->capture)
		fclose(sw->capture);
	sw->capture = NULL;
	if (!path)
		return 0;
	sw->capture = fopen(path, "we");
	if (!sw->capture)
		return -1;
	fwrite(&h, sizeof(h), 1, sw->capture);
	fflush(sw->capture);
	return 0;
}

static void capture(FILE *f, const char *frame, uint32_t len)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	struct pcap_packet p = { t.tv_sec, t.tv_nsec, len, len };

	fwrite(&p, sizeof(p), 1, f);
	fwrite(frame, len, 1, f);
	fflush(f);
}

/* ---- output ---- */

static void forward(struct port *from);

static void want_output(struct port *p, bool want)
{
	if (p->w.fd >= 0)
		watch_set(&p->w, want ? p->w.events | EPOLLOUT : p->w.events & ~EPOLLOUT);
}

/* Sorted by time due, except that a blob that has begun to leave stays first. */
static void enqueue(struct port *p, const char *data, uint32_t len, uint64_t due)
{
	struct blob *b = malloc(sizeof(*b) + len), **at = &p->out;

	if (!b) {
		p->dropped++;
		return;
	}
	memcpy(b->data, data, len);
	b->head = 0;
	b->len = len;
	b->due = due;
	if (p->out && p->last->due <= due)
		at = &p->last->next;
	else
		while (*at && ((*at)->head || (*at)->due <= due))
			at = &(*at)->next;
	b->next = *at;
	*at = b;
	if (!b->next)
		p->last = b;
	p->queued += len;
}

static void pop(struct port *p)
{
	struct blob *b = p->out;

	p->out = b->next;
	free(b);
}

static void written(struct port *p, size_t n)
{
	p->queued -= n;
	p->stalled = false;
	timer_cancel(&p->stall);
	while (n) {
		struct blob *b = p->out;
		size_t left = b->len - b->head;

		if (n < left) {
			b->head += n;
			return;
		}
		n -= left;
		pop(p);
	}
}

/* Let those go on who were held back by this port. */
static void release(struct port *p)
{
	if (port_full(p) && !p->stalled)
		return;
	for (int i = 0; i < the_switch->nr_ports; i++) {
		struct port *q = &the_switch->ports[i];

		if (q->waits_for != p)
			continue;
		q->waits_for = NULL;
		if (q->w.fd >= 0)
			watch_set(&q->w, q->w.events | EPOLLIN);
		forward(q);
	}
}

static void flush(struct port *p)
{
	struct iovec iov[16];
	uint64_t now = now_ns();

	while (p->out && p->w.fd >= 0) {
		int n = 0;
		ssize_t done;

		for (struct blob *b = p->out; b && n < 16 && b->due <= now; b = b->next) {
			iov[n].iov_base = b->data + b->head;
			iov[n++].iov_len = b->len - b->head;
		}
		if (!n)
			break;
		done = writev(p->w.fd, iov, n);
		if (done < 0)
			break;
		written(p, done);
	}
	want_output(p, p->out && p->out->due <= now);
	if (p->out && p->out->due > now)
		timer_arm(&p->delay, p->out->due);
}

static void on_delay(struct timer *t)
{
	struct port *p = container_of(t, struct port, delay);

	flush(p);
	release(p);
}

static void on_stall(struct timer *t)
{
	struct port *p = container_of(t, struct port, stall);

	p->stalled = true;
	release(p);
}

static void send_now(struct port *p, const char *data, uint32_t len)
{
	ssize_t n = 0;

	if (!p->out) {
		n = send(p->w.fd, data, len, MSG_NOSIGNAL);
		if (n < 0)
			n = 0;
	}
	if (n == len)
		return;
	enqueue(p, data, len, now_ns());
	if (n && p->out) {
		p->out->head = n;
		p->queued -= n;
	}
	want_output(p, true);
}

static void run_end(struct run *r)
{
	if (r->len) {
		r->to->tx_frames += r->frames;
		send_now(r->to, r->p, r->len);
	}
	r->len = r->frames = 0;
}

/* ---- input ---- */

static bool lost(const struct port *a, const struct port *b)
{
	return a->cut || b->cut || (a->loss > 0 && drand48() < a->loss) ||
	       (b->loss > 0 && drand48() < b->loss);
}

/* One frame to one port; p and len include the length prefix. */
static void deliver(struct port *from, struct port *to, const char *p, uint32_t len, struct run *r)
{
	uint64_t delay = from->delay_ns + to->delay_ns;

	if (to->w.fd < 0 || to->stalled || port_full(to) || lost(from, to)) {
		to->dropped++;
		return;
	}
	if (delay) {
		run_end(r);
		enqueue(to, p, len, now_ns() + delay);
		to->tx_frames++;
		flush(to);
		return;
	}
	if (r->len && (r->to != to || r->p + r->len != p))
		run_end(r);
	if (!r->len) {
		r->to = to;
		r->p = p;
	}
	r->len += len;
	r->frames++;
}

static struct port *lookup(const unsigned char *mac)
{
	int slot = mac_slot(mac);

	if ((mac[0] & 1) || memcmp(learned[slot].mac, mac, MAC_LEN) || learned[slot].port < 0)
		return NULL;
	return &the_switch->ports[learned[slot].port];
}

static void learn(const unsigned char *mac, int port)
{
	int slot = mac_slot(mac);

	if (mac[0] & 1)
		return;
	memcpy(learned[slot].mac, mac, MAC_LEN);
	learned[slot].port = port;
}

/* The next whole frame of a port's input with its prefix, or 0; -1: damaged. */
static int next_frame(const struct port *from, const char **p)
{
	uint32_t len, have = from->in_tail - from->in_head;

	if (have < PREFIX)
		return 0;
	*p = from->in + from->in_head;
	memcpy(&len, *p, PREFIX);
	len = ntohl(len);
	if (len > FRAME_MAX)
		return -1;
	return have < PREFIX + len ? 0 : (int)(PREFIX + len);
}

/* If the receiver is full, stop reading from the sender until it is not. */
static bool held_back(struct port *from, struct port *to)
{
	if (!to || to == from || to->w.fd < 0 || to->stalled || !port_full(to))
		return false;
	from->waits_for = to;
	watch_set(&from->w, from->w.events & ~EPOLLIN);
	if (!to->stall.armed)
		timer_arm(&to->stall, now_ns() + STALL_NS + to->delay_ns + from->delay_ns);
	return true;
}

/* To one port, or to all others; p and len include the prefix. */
static void spread(struct port *from, struct port *to, const char *p, uint32_t len, struct run *r)
{
	struct ether_switch *sw = the_switch;

	learn((const unsigned char *)p + PREFIX + MAC_LEN, from - sw->ports);
	if (sw->capture)
		capture(sw->capture, p + PREFIX, len - PREFIX);
	from->rx_frames++;
	from->rx_bytes += len - PREFIX;
	for (int i = 0; i < sw->nr_ports; i++)
		if (&sw->ports[i] != from && (!to || to == &sw->ports[i]))
			deliver(from, &sw->ports[i], p, len, r);
}

/* Forward the whole frames in a port's input, until a receiver is full. */
static void forward(struct port *from)
{
	struct run r = {};
	const char *p;
	int len;

	while ((len = next_frame(from, &p)) > 0) {
		if (len >= PREFIX + ETH_HEADER) {
			struct port *to = lookup((const unsigned char *)p + PREFIX);

			/* What the run adds to a queue must show before it is judged. */
			if (r.len >= RUN_MAX)
				run_end(&r);
			if (held_back(from, to))
				break;
			spread(from, to, p, len, &r);
		}
		from->in_head += len;
	}
	run_end(&r);
	if (len < 0) {
		fprintf(stderr, "labd: n%d: damaged stream\n", (int)(from - the_switch->ports) + 1);
		switch_detach(the_switch, from - the_switch->ports);
	}
}

static void receive(struct port *p)
{
	ssize_t n;

	if (p->in_head) {
		memmove(p->in, p->in + p->in_head, p->in_tail - p->in_head);
		p->in_tail -= p->in_head;
		p->in_head = 0;
	}
	n = recv(p->w.fd, p->in + p->in_tail, IN_SIZE - p->in_tail, 0);
	if (n > 0) {
		p->in_tail += n;
		forward(p);
	} else if (n == 0 || errno != EAGAIN) {
		switch_detach(the_switch, p - the_switch->ports);
	}
}

static void on_port(struct watch *w, uint32_t events)
{
	struct port *p = container_of(w, struct port, w);

	if (events & EPOLLOUT) {
		flush(p);
		release(p);
	}
	if (w->fd >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !p->waits_for)
		receive(p);
	else if (w->fd >= 0 && (events & EPOLLHUP))
		switch_detach(the_switch, p - the_switch->ports);
}

void switch_init(struct ether_switch *sw, int nr_ports)
{
	the_switch = sw;
	sw->nr_ports = nr_ports;
	srand48(now_ns());
	for (int i = 0; i < MAC_SLOTS; i++)
		learned[i].port = -1;
	for (int i = 0; i < nr_ports; i++) {
		sw->ports[i].w.fd = -1;
		sw->ports[i].w.ready = on_port;
		sw->ports[i].delay.fire = on_delay;
		sw->ports[i].stall.fire = on_stall;
	}
}

void switch_attach(struct ether_switch *sw, int port, int fd)
{
	struct port *p = &sw->ports[port];

	switch_detach(sw, port);
	p->in = malloc(IN_SIZE);
	if (!p->in) {
		fprintf(stderr, "labd: out of memory\n");
		exit(1);
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	p->w.fd = fd;
	watch_add(&p->w, EPOLLIN);
}

void switch_detach(struct ether_switch *sw, int port)
{
	struct port *p = &sw->ports[port];

	if (p->w.fd < 0)
		return;
	watch_del(&p->w);
	close(p->w.fd);
	p->w.fd = -1;
	free(p->in);
	p->in = NULL;
	p->in_head = p->in_tail = 0;
	p->waits_for = NULL;
	while (p->out)
		pop(p);
	p->queued = 0;
	p->stalled = false;
	timer_cancel(&p->delay);
	timer_cancel(&p->stall);
	release(p);
}
