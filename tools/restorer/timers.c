/* SPDX-License-Identifier: GPL-2.0 */
/*
 * timers.c - POSIX timers and interval timers
 *
 * Time that passed since the capture counts, except for clocks of CPU time.
 */
#include "restore.h"
#include <asm/errno.h>

#define NS		1000000000ull
#define ID_TRIES	100000

/* struct sigevent as the kernel has it */
struct event {
	__u64 value;
	__s32 signo, notify, tid;
	__s32 pad[11];
};

static bool is_cpu_clock(int clock)
{
	return clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID;
}

__u64 timers_left(struct restore *r, int clock, __u64 ns)
{
	__u64 gone = is_cpu_clock(clock) ? 0 : restore_elapsed(r);

	if (!ns)
		return 0;
	return ns > gone ? ns - gone : 1;
}

/*
 * When it has become due since the capture, the kernel counts from then on, and no
 * period is lost.  By CLOCK_REALTIME that cannot be said: it may be set.
 */
__u64 timers_due(struct restore *r, int clock, __u64 ns, int *flags)
{
	*flags = 0;
	if (!ns)
		return 0;
	switch (clock) {
	case CLOCK_MONOTONIC:
		*flags = TIMER_ABSTIME;	/* as TFD_TIMER_ABSTIME */
		return r->head.mono_ns + ns;
	case CLOCK_BOOTTIME:
		*flags = TIMER_ABSTIME;
		return r->head.boot_ns + ns;
	default:
		return timers_left(r, clock, ns);
	}
}

void timers_take(struct restore *r, const struct ctm_rec_posix_timer *rec)
{
	struct ctm_rec_posix_timer *t = restore_grow(r, sizeof(*rec));

	*t = *rec;
	if (!r->ntimers++)
		r->timers = t;
}

static long timer_make(const struct ctm_rec_posix_timer *t, __s32 *id)
{
	struct event ev = {
		.value = t->sigval, .signo = t->signo, .notify = t->notify, .tid = t->tid,
	};

	return SYS(timer_create, t->clock, &ev, id);
}

/* Kernels that do not let us choose count upwards: throw away what lies between. */
static void timer_make_at(struct restore *r, const struct ctm_rec_posix_timer *t, bool choose)
{
	__s32 id = t->id;

	for (int tries = 0; tries < ID_TRIES; tries++) {
		restore_must(r, timer_make(t, &id), "timer %d", t->id);
		if (id == t->id)
			return;
		SYS(timer_delete, id);
		if (choose || id > t->id)
			break;
	}
	restore_fail(r, EBUSY, "timer %d: its number", t->id);
}

/* the one with the least id of those not yet made */
static struct ctm_rec_posix_timer *timer_next(struct restore *r, __s64 above)
{
	struct ctm_rec_posix_timer *best = NULL;

	for (unsigned int i = 0; i < r->ntimers; i++) {
		struct ctm_rec_posix_timer *t = &r->timers[i];

		if (t->id > above && (!best || t->id < best->id))
			best = t;
	}
	return best;
}

static void itimers_arm(struct restore *r)
{
	for (int which = 0; which < 3; which++) {
		__u64 every = r->itimers->it[which].interval;
		__u64 left = timers_left(r, which ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC,
					 r->itimers->it[which].value);
		__u64 us = (left + 999) / 1000;
		__u64 v[4] = { every / NS, every % NS / 1000, us / 1000000, us % 1000000 };

		if (left)
			restore_must(r, SYS(setitimer, which, v, 0), "interval timer %d", which);
	}
}

void timers_arm(struct restore *r)
{
	bool choose = r->ntimers && !sys_prctl(PR_TIMER_CREATE_RESTORE_IDS, 1, 0, 0, 0);
	struct ctm_rec_posix_timer *t;

	for (t = timer_next(r, -1); t; t = timer_next(r, t->id)) {
		__u64 due, v[4];
		int flags;

		timer_make_at(r, t, choose);
		due = timers_due(r, t->clock, t->value, &flags);
		v[0] = t->interval / NS;
		v[1] = t->interval % NS;
		v[2] = due / NS;
		v[3] = due % NS;
		if (due)
			restore_must(r, SYS(timer_settime, t->id, flags, v, 0), "timer %d", t->id);
	}
	if (choose)
		sys_prctl(PR_TIMER_CREATE_RESTORE_IDS, 0, 0, 0, 0);
	itimers_arm(r);
}
