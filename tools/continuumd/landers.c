// SPDX-License-Identifier: GPL-2.0
/*
 * landers.c - the pool of waiting landers
 */
#include <errno.h>
#include <stddef.h>
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

static struct {
	const struct config *config;
	struct keeper *waiting[MAX_LANDERS];
	unsigned int count;
	unsigned int wanted;
	unsigned int retry_ms;	/* 0 while all goes well */
	struct timer timer;
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

static void heard(struct keeper *keeper, const struct keeper_msg *message)
{
	switch (message->type) {
	case KEEPER_READY:
		pool.retry_ms = 0;
		return;
	case KEEPER_LANDING:
		if (!take_out(keeper) || pool.retry_ms)
			return;
		if (pool.count)
			timer_set(&pool.timer, LANDING_MS);
		else
			fill();
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
	while (pool.count < pool.wanted) {
		struct keeper *keeper = keeper_spawn(pool.config, "land", &owner, NULL);

		if (!keeper) {
			log_error("cannot start a lander: %s", strerror(errno));
			retry_later();
			return;
		}
		pool.waiting[pool.count++] = keeper;
	}
}

static void retry(struct timer *timer)
{
	(void)timer;
	fill();
}

static void trim(void)
{
	for (unsigned int i = pool.wanted; i < pool.count; i++)
		keeper_kill(pool.waiting[i]);
}

void landers_keep(const struct config *config)
{
	pool.config = config;
	pool.wanted = config->spare_landers;
	pool.timer.expired = retry;
	trim();
	fill();
}

void landers_stop(void)
{
	pool.wanted = 0;
	timer_cancel(&pool.timer);
	trim();
}

unsigned int landers_waiting(void)
{
	return pool.count;
}
