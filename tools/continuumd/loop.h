/* SPDX-License-Identifier: GPL-2.0 */
/*
 * loop.h - the event loop of continuumd: descriptors and timers
 *
 * One thread.  A source or timer is embedded in what it serves; the loop keeps
 * no memory of its own for it.  A source may be removed at any time, also from
 * inside a callback, and its memory freed after that.
 */
#ifndef CONTINUUMD_LOOP_H
#define CONTINUUMD_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/** struct source - a descriptor that is watched; @ready gets EPOLL* bits */
struct source {
	int fd;
	void (*ready)(struct source *source, uint32_t events);
};

/** struct timer - calls @expired once, when its time has come */
struct timer {
	uint64_t due;		/* ms, CLOCK_MONOTONIC; 0: not armed */
	struct timer *next;
	void (*expired)(struct timer *timer);
};

#define container_of(pointer, type, member) \
	((type *)((char *)(pointer) - offsetof(type, member)))

int loop_init(void);
/** loop_add() - watch source->fd for @events.  Return: 0 or -errno */
int loop_add(struct source *source, uint32_t events);
void loop_remove(struct source *source);

/** timer_set() - (re)arm; timer_cancel() - disarm; neither can fail */
void timer_set(struct timer *timer, unsigned int ms);
void timer_cancel(struct timer *timer);

/** loop_now_ms() - CLOCK_MONOTONIC, as timers count */
uint64_t loop_now_ms(void);

/** loop_run() - until loop_stop() */
void loop_run(void);
void loop_stop(void);

#endif /* CONTINUUMD_LOOP_H */
