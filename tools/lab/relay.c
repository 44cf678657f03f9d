// SPDX-License-Identifier: GPL-2.0
/*
 * Clients on the unix socket, agents on virtio-serial, and the frames between
 * them. Windows (wire.h) bound what is queued here, so nothing is ever held
 * back or dropped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fresh.h"
#include "labd.h"
#include "wire.h"

#define MAX_WORDS 32

struct client {
	struct client *next;
	struct lab *lab;
	struct watch w;
	struct buf rx, tx;
	struct node *node;		/* of its session, if it has one */
	uint32_t session;
	bool ended;			/* the last frame is in tx */
};

static void end_client(struct client *c)
{
	struct client **p = &c->lab->clients;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	watch_del(&c->w);
	close(c->w.fd);
	buf_free(&c->rx);
	buf_free(&c->tx);
	free(c);
}

static void node_flush(struct node *n)
{
	if (n->agent.fd < 0)
		return;
	while (buf_used(&n->tx))
		if (buf_write(&n->tx, n->agent.fd, buf_used(&n->tx)) < 0)
			break;
	watch_set(&n->agent, EPOLLIN | (buf_used(&n->tx) ? EPOLLOUT : 0));
}

static void client_flush(struct client *c)
{
	while (buf_used(&c->tx))
		if (buf_write(&c->tx, c->w.fd, buf_used(&c->tx)) < 0)
			break;
	watch_set(&c->w, EPOLLIN | (buf_used(&c->tx) ? EPOLLOUT : 0));
}

/* ---- from clients ---- */

__attribute__((format(printf, 2, 3)))
static void refuse(struct client *c, const char *fmt, ...)
{
	uint32_t status = LAB_FAILED;
	char text[512];
	va_list ap;
	int n;

	memcpy(text, &status, sizeof(status));
	va_start(ap, fmt);
	n = vsnprintf(text + sizeof(status), sizeof(text) - sizeof(status), fmt, ap);
	va_end(ap);
	if (n > (int)(sizeof(text) - sizeof(status)) - 1)
		n = sizeof(text) - sizeof(status) - 1;
	frame_put(&c->tx, LAB_FAIL, 0, 0, text, sizeof(status) + n);
	c->ended = true;
}

static void attach(struct client *c, const struct lab_frame *f, const char *name)
{
	char word[64];
	struct node *n;

	snprintf(word, sizeof(word), "%.*s", (int)f->len, name);
	n = node_find(c->lab, word);
	if (!n)
		refuse(c, "lab \"%s\" has no node \"%s\" (it has n1 to n%d)",
		       c->lab->name, word, c->lab->nr_nodes);
	else if (n->state == NODE_DOWN)
		refuse(c, "%s is down: %s (start it again: lab boot %s)", n->name, n->why, n->name);
	else if (n->state == NODE_BOOTING)
		refuse(c, "%s is still booting (see lab status)", n->name);
	else
		c->node = n;
	if (c->node)
		c->session = ++c->lab->sessions;
}

static void carry_out(struct client *c, const struct lab_frame *f, const char *payload)
{
	char *argv[MAX_WORDS + 1], *text = malloc(f->len + 1);
	struct buf answer = {};
	int argc = 0, status;

	memcpy(text, payload, f->len);
	text[f->len] = 0;
	for (char *p = text; p < text + f->len && argc < MAX_WORDS; p += strlen(p) + 1)
		argv[argc++] = p;
	argv[argc] = NULL;
	status = control(c->lab, argc, argv, &answer);
	for (size_t n; (n = buf_used(&answer)); buf_drop(&answer, n)) {
		n = n < LAB_CHUNK ? n : LAB_CHUNK;
		frame_put(&c->tx, LAB_TEXT, 0, 0, buf_head(&answer), n);
	}
	frame_put_u32(&c->tx, LAB_EXIT, 0, 0, status);
	buf_free(&answer);
	free(text);
}

/* A command is about to start: have its node forget programs that were replaced. */
static void refresh(struct node *n, const struct lab_frame *f, const char *payload)
{
	unsigned int changes = fresh_changes();

	if (n->changes != changes)
		frame_put(&n->tx, LAB_REFRESH, 0, 0, NULL, 0);
	n->changes = changes;
	if (f->len > sizeof(struct lab_open) && !payload[f->len - 1])
		fresh_watch_named(payload + sizeof(struct lab_open), f->len - sizeof(struct lab_open));
}

static void from_client(struct client *c, const struct lab_frame *f, const char *payload)
{
	if (f->type == LAB_ATTACH && !c->node)
		attach(c, f, payload);
	else if (f->type == LAB_TEXT && !c->node)
		carry_out(c, f, payload);
	if (c->node && f->type == LAB_OPEN)
		refresh(c->node, f, payload);
	if (c->node && f->type >= LAB_OPEN && f->type <= LAB_SIGNAL)
		frame_put(&c->node->tx, f->type, f->stream, c->session, payload, f->len);
}

static void on_client(struct watch *w, uint32_t events)
{
	struct client *c = container_of(w, struct client, w);
	struct node *n;
	struct lab_frame f;
	const char *payload;
	int r = 0;

	(void)events;
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		long got = buf_read(&c->rx, w->fd, 64 << 10);

		if (got == 0 || (got < 0 && errno != EAGAIN))
			r = -1;
	}
	while (r >= 0 && !c->ended && (r = frame_get(&c->rx, &f, &payload)) > 0) {
		from_client(c, &f, payload);
		frame_drop(&c->rx, &f);
	}
	n = c->node;
	if (r < 0 && n && !c->ended)
		frame_put(&n->tx, LAB_CLOSE, 0, c->session, NULL, 0);
	if (r < 0)
		end_client(c);
	else
		client_flush(c);
	if (n)
		node_flush(n);
}

struct listener {
	struct watch w;
	struct lab *lab;
};

static void on_listener(struct watch *w, uint32_t events)
{
	struct lab *lab = container_of(w, struct listener, w)->lab;
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c;

	(void)events;
	if (fd < 0)
		return;
	c = calloc(1, sizeof(*c));
	c->lab = lab;
	c->w.fd = fd;
	c->w.ready = on_client;
	c->next = lab->clients;
	lab->clients = c;
	watch_add(&c->w, EPOLLIN);
}

void relay_listen(struct lab *lab, int fd)
{
	static struct listener listener;

	listener.lab = lab;
	listener.w.fd = fd;
	listener.w.ready = on_listener;
	watch_add(&listener.w, EPOLLIN);
}

/* ---- from agents ---- */

static void hello(struct node *n, const struct lab_frame *f, const char *payload)
{
	size_t len = strnlen(payload, f->len);

	if (len + 1 < f->len && !payload[f->len - 1])
		vm_hello(n, payload, payload + len + 1);
}

static void from_agent(struct node *n, const struct lab_frame *f, const char *payload)
{
	struct client *c = n->lab->clients;

	if (f->type == LAB_HELLO) {
		hello(n, f, payload);
		return;
	}
	while (c && (c->node != n || c->session != f->session))
		c = c->next;
	if (!c)
		return;
	frame_put(&c->tx, f->type, f->stream, 0, payload, f->len);
	if (f->type == LAB_EXIT || f->type == LAB_FAIL)
		c->ended = true;
	client_flush(c);
}

static void on_agent(struct watch *w, uint32_t events)
{
	struct node *n = container_of(w, struct node, agent);
	struct lab_frame f;
	const char *payload;
	int r = 0;

	if (events & EPOLLOUT)
		node_flush(n);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	if (buf_read(&n->rx, w->fd, 256 << 10) == 0)
		r = -1;
	while (r >= 0 && (r = frame_get(&n->rx, &f, &payload)) > 0) {
		from_agent(n, &f, payload);
		frame_drop(&n->rx, &f);
	}
	if (r < 0) {	/* QEMU is ending, or the guest wrote nonsense */
		watch_del(w);
		close(w->fd);
		w->fd = -1;
	}
}

void relay_attach(struct node *n, int fd)
{
	n->changes = fresh_changes();
	n->agent.fd = fd;
	n->agent.ready = on_agent;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	watch_add(&n->agent, EPOLLIN);
}

void relay_detach(struct node *n)
{
	if (n->agent.fd >= 0) {
		watch_del(&n->agent);
		close(n->agent.fd);
	}
	n->agent.fd = -1;
	buf_free(&n->rx);
	buf_free(&n->tx);
	for (struct client *c = n->lab->clients; c; c = c->next)
		if (c->node == n) {
			if (!c->ended)
				refuse(c, "%s went down: %s", n->name, n->why);
			c->node = NULL;
			client_flush(c);
		}
}
