/* SPDX-License-Identifier: GPL-2.0 */
/* The daemon's event loop: one thread, descriptors and timers. */
#ifndef LAB_LOOP_H
#define LAB_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct watch {
	int fd;
	uint32_t events;
	void (*ready)(struct watch *w, uint32_t events);
};

struct timer {
	uint64_t due;		/* ns, CLOCK_MONOTONIC */
	void (*fire)(struct timer *t);
	struct timer *next;	/* armed timers are in a list, unsorted: they are few */
	bool armed;
};

#define MSEC 1000000ull
#define SEC 1000000000ull
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - __builtin_offsetof(type, member)))

uint64_t now_ns(void);
void watch_add(struct watch *w, uint32_t events);
void watch_set(struct watch *w, uint32_t events);
void watch_del(struct watch *w);	/* does not close the descriptor */
void timer_arm(struct timer *t, uint64_t due);
void timer_cancel(struct timer *t);
void loop_init(void);
void loop_turn(void);			/* wait for one event and handle it */

#endif
