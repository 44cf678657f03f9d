// SPDX-License-Identifier: GPL-2.0
/*
 * events.c - the last events of this node, numbered, for who missed some
 *
 * A ring of `events_kept`.  `mutex` covers it, and is held while an event is told, so that
 * listeners get them in the order of their numbers.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "events.h"

#define KEPT_MIN	16u
#define KEPT_MAX	65536u

static unsigned int events_kept = 1024;
module_param(events_kept, uint, 0444);
MODULE_PARM_DESC(events_kept, "events that are kept for who asks later, 16 to 65536 (1024)");

/* One stream of events a node: file scope. */
static struct {
	struct mutex mutex;
	struct ctm_event_row *ring;	/* constant; number n is at n % events_kept */
	u64 stream;			/* constant */
	u64 newest;			/* @mutex; 0: none yet */
} events = {
	.mutex = __MUTEX_INITIALIZER(events.mutex),
};

u64 ctm_events_stream(void)
{
	return events.stream;
}

void ctm_events_add(struct ctm_event_row *row, void (*tell)(const struct ctm_event_row *row))
{
	mutex_lock(&events.mutex);
	row->seq = ++events.newest;
	events.ring[row->seq % events_kept] = *row;
	tell(row);
	mutex_unlock(&events.mutex);
}

/* the first number of those that are asked for and there */
static u64 first_of(const u64 *since)
{
	u64 oldest = events.newest >= events_kept ? events.newest - events_kept + 1 : 1;

	lockdep_assert_held(&events.mutex);
	if (!since)
		return max(events.newest, 1ull);
	if (*since >= events.newest)
		return events.newest + 1;
	return max(*since + 1, oldest);
}

int ctm_events_since(const u64 *since, struct ctm_event_row **rows)
{
	u64 seq;
	int n;

	*rows = NULL;
	mutex_lock(&events.mutex);
	seq = first_of(since);
	n = events.newest + 1 - seq;
	if (n) {
		*rows = kvmalloc_array(n, sizeof(**rows), GFP_KERNEL_ACCOUNT);
		if (!*rows)
			n = -ENOMEM;
	}
	for (int i = 0; i < n; i++)
		(*rows)[i] = events.ring[(seq + i) % events_kept];
	mutex_unlock(&events.mutex);
	return n;
}

int ctm_events_init(void)
{
	events_kept = clamp(events_kept, KEPT_MIN, KEPT_MAX);
	events.ring = kvcalloc(events_kept, sizeof(*events.ring), GFP_KERNEL);
	if (!events.ring)
		return -ENOMEM;
	do {
		events.stream = get_random_u64();
	} while (!events.stream);
	return 0;
}

/* nobody adds or asks any more */
void ctm_events_exit(void)
{
	kvfree(events.ring);
}
