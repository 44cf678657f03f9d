// SPDX-License-Identifier: GPL-2.0
/*
 * loop.c - epoll and a sorted list of timers
 */
#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <time.h>

#include "loop.h"

#define BATCH	16

static struct {
	int epoll;
	bool stopped;
	struct timer *timers;			/* the next one first */
	struct epoll_event events[BATCH];	/* of the round under way */
	int count;
} loop;

int loop_init(void)
{
	loop.epoll = epoll_create1(EPOLL_CLOEXEC);
	return loop.epoll < 0 ? -errno : 0;
}

int loop_add(struct source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	return epoll_ctl(loop.epoll, EPOLL_CTL_ADD, source->fd, &event) ? -errno : 0;
}

void loop_remove(struct source *source)
{
	epoll_ctl(loop.epoll, EPOLL_CTL_DEL, source->fd, NULL);
	/* The round under way may still hold an event of it. */
	for (int i = 0; i < loop.count; i++)
		if (loop.events[i].data.ptr == source)
			loop.events[i].data.ptr = NULL;
}

uint64_t loop_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void timer_cancel(struct timer *timer)
{
	struct timer **at = &loop.timers;

	if (!timer->due)
		return;
	while (*at != timer)
		at = &(*at)->next;
	*at = timer->next;
	timer->due = 0;
}

void timer_set(struct timer *timer, unsigned int ms)
{
	struct timer **at = &loop.timers;

	timer_cancel(timer);
	timer->due = loop_now_ms() + ms;
	while (*at && (*at)->due <= timer->due)
		at = &(*at)->next;
	timer->next = *at;
	*at = timer;
}

static void run_timers(void)
{
	uint64_t now = loop_now_ms();

	while (loop.timers && loop.timers->due <= now) {
		struct timer *timer = loop.timers;

		timer_cancel(timer);
		timer->expired(timer);
	}
}

/* Milliseconds until the next timer, -1 when there is none. */
static int time_left(void)
{
	uint64_t now = loop_now_ms();

	if (!loop.timers)
		return -1;
	return loop.timers->due > now ? (int)(loop.timers->due - now) : 0;
}

void loop_run(void)
{
	while (!loop.stopped) {
		loop.count = epoll_wait(loop.epoll, loop.events, BATCH, time_left());
		for (int i = 0; i < loop.count; i++) {
			struct source *source = loop.events[i].data.ptr;

			if (source)
				source->ready(source, loop.events[i].events);
		}
		run_timers();
	}
}

void loop_stop(void)
{
	loop.stopped = true;
}
