// SPDX-License-Identifier: GPL-2.0
/*
 * landers.c - the pool of waiting landers
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "keeper.h"
#include "landers.h"
#include "log.h"

#define MAX_LANDERS	64
#define FIRST_RETRY_MS	500
#define LAST_RETRY_MS	30000
/*
 * A lander that was taken is replaced when it has landed: making one costs the
 * processor more than the restorer does, and the process stands still meanwhile.
 */
#define REFILL_MS	200
#define LANDING_MS	5000	/* of one that takes longer */
/*
 * But when the last is taken, more are wanted at once.  If that happens again and
 * again, many land (a distributed fork): then more are made at a time, until it is over.
 */
#define MANY		16
#define AGAIN_MS	1000
#define OVER_MS		10000	/* since the last landing: one that is about to begin must not be killed */

static struct {
	const struct config *config;
	struct keeper *waiting[MAX_LANDERS];
	unsigned int count;
	unsigned int wanted;
	unsigned int extra;	/* beyond what is wanted, while many land */
	uint64_t emptied;	/* when it last was, ms */
	uint64_t landing;	/* when a process last began or ended to land, ms */
	unsigned int retry_ms;	/* 0 while all goes well */
	struct timer timer;
	struct timer over;	/* no more @extra */
} pool;

/* Return: whether it was in the pool */
static bool take_out(const struct keeper *keeper)
{
	for (unsigned int i = 0; i < pool.count; i++) {
		if (pool.waiting[i] != keeper)
			continue;
		pool.waiting[i] = pool.waiting[--pool.count];
		return true;
	}
	return false;
}

static void retry_later(void)
{
	pool.retry_ms = pool.retry_ms ? pool.retry_ms * 2 : FIRST_RETRY_MS;
	if (pool.retry_ms > LAST_RETRY_MS)
		pool.retry_ms = LAST_RETRY_MS;
	timer_set(&pool.timer, pool.retry_ms);
}

static void fill(void);

static void emptied(void)
{
	uint64_t now = loop_now_ms();

	if (now - pool.emptied < AGAIN_MS) {
		pool.extra = pool.extra ? pool.extra * 2 : 2;
		if (pool.extra > MANY)
			pool.extra = MANY;
		timer_set(&pool.over, OVER_MS);
	}
	pool.emptied = now;
	fill();
}

static void heard(struct keeper *keeper, const struct keeper_msg *message)
{
	if (message->type == KEEPER_LANDING || message->type == KEEPER_LANDED)
		pool.landing = loop_now_ms();
	switch (message->type) {
	case KEEPER_READY:
		pool.retry_ms = 0;
		return;
	case KEEPER_LANDING:
		if (!take_out(keeper) || pool.retry_ms)
			return;
		if (!pool.count)
			emptied();
		else if (pool.extra && pool.count <= (pool.wanted + pool.extra) / 2)
			fill();
		else
			timer_set(&pool.timer, LANDING_MS);
		return;
	case KEEPER_LANDED:
		if (!pool.retry_ms && pool.count < pool.wanted)
			timer_set(&pool.timer, REFILL_MS);
		return;
	case KEEPER_FAILED:
		log_warning("a lander failed: %s: %s", message->text, strerror((int)message->error));
		return;
	}
}

static void ended(struct keeper *keeper)
{
	if (take_out(keeper) && pool.count < pool.wanted)
		retry_later();
}

static const struct keeper_owner owner = { .heard = heard, .ended = ended };

static void fill(void)
{
	while (pool.count < pool.wanted + pool.extra && pool.count < MAX_LANDERS) {
		struct keeper *keeper = keeper_spawn(pool.config, "land", &owner, NULL);

		if (!keeper) {
			log_error("cannot start a lander: %s", strerror(errno));
			retry_later();
			return;
		}
		pool.waiting[pool.count++] = keeper;
	}
}

static void trim(void)
{
	for (unsigned int i = pool.wanted; i < pool.count; i++)
		keeper_kill(pool.waiting[i]);
}

static void retry(struct timer *timer)
{
	(void)timer;
	fill();
}

static void many_over(struct timer *timer)
{
	if (loop_now_ms() - pool.landing < OVER_MS) {
		timer_set(timer, OVER_MS);
		return;
	}
	pool.extra = 0;
	trim();
}

void landers_keep(const struct config *config)
{
	pool.config = config;
	pool.wanted = config->spare_landers;
	pool.timer.expired = retry;
	pool.over.expired = many_over;
	trim();
	fill();
}

void landers_stop(void)
{
	pool.wanted = 0;
	pool.extra = 0;
	timer_cancel(&pool.over);
	timer_cancel(&pool.timer);
	trim();
}

unsigned int landers_waiting(void)
{
	return pool.count;
}
