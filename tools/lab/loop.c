// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int epfd;
static struct timer *timers;

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SEC + t.tv_nsec;
}

static void ctl(int op, struct watch *w)
{
	struct epoll_event ev = { .events = w->events, .data.ptr = w };

	if (epoll_ctl(epfd, op, w->fd, &ev) < 0) {
		perror("labd: epoll_ctl");
		exit(1);
	}
}

void watch_add(struct watch *w, uint32_t events)
{
	w->events = events;
	ctl(EPOLL_CTL_ADD, w);
}

void watch_set(struct watch *w, uint32_t events)
{
	if (w->events == events)
		return;
	w->events = events;
	ctl(EPOLL_CTL_MOD, w);
}

void watch_del(struct watch *w)
{
	ctl(EPOLL_CTL_DEL, w);
}

void timer_arm(struct timer *t, uint64_t due)
{
	t->due = due;
	if (t->armed)
		return;
	t->armed = true;
	t->next = timers;
	timers = t;
}

void timer_cancel(struct timer *t)
{
	for (struct timer **p = &timers; *p; p = &(*p)->next)
		if (*p == t) {
			*p = t->next;
			break;
		}
	t->armed = false;
}

void loop_init(void)
{
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (epfd < 0) {
		perror("labd: epoll_create1");
		exit(1);
	}
}

static struct timer *first_timer(void)
{
	struct timer *first = timers;

	for (struct timer *t = timers; t; t = t->next)
		if (t->due < first->due)
			first = t;
	return first;
}

/* One event at a time, because a handler may free any other watch. */
void loop_turn(void)
{
	struct timer *t = first_timer();
	struct timespec wait = {};
	struct epoll_event ev;
	int n;

	if (t) {
		uint64_t now = now_ns(), left = t->due > now ? t->due - now : 0;

		wait.tv_sec = left / SEC;
		wait.tv_nsec = left % SEC;
	}
	n = epoll_pwait2(epfd, &ev, 1, t ? &wait : NULL, NULL);
	if (n < 0 && errno != EINTR) {
		perror("labd: epoll_wait");
		exit(1);
	}
	if (t && t->due <= now_ns()) {
		timer_cancel(t);
		t->fire(t);
	} else if (n > 0) {
		struct watch *w = ev.data.ptr;

		w->ready(w, ev.events);
	}
}
