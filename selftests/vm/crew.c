// SPDX-License-Identifier: GPL-2.0
/*
 * crew.c - eight threads that need each other, for as long as they are moved
 *
 *   crew STOP [SECONDS]
 *
 * Two producers and two consumers on a bounded queue (mutex, two condition
 * variables); one that waits on a condition with a deadline; one that sends
 * signals to the others with pthread_kill and waits until each was handled; one
 * that makes threads which block in various calls and cancels them; one that makes
 * threads which compute and joins them.  All that was sent, handled, cancelled and
 * computed is counted on both sides, and the counts must agree exactly.
 */
#include "workload.h"
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

#define MEMBERS		8
#define ROOM		16

struct member {
	pthread_t thread;
	unsigned int nr;
	uint64_t done;			/* whatever it does, so often */
	volatile uint64_t handled;	/* signals */
};

static struct member member[MEMBERS];
static bool over;
static __thread struct member *self;

static bool is_over(void)
{
	return __atomic_load_n(&over, __ATOMIC_ACQUIRE);
}

/* ---- the queue ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER, not_full = PTHREAD_COND_INITIALIZER;
static struct { unsigned int by; uint64_t nr; } queue[ROOM];
static unsigned int head, count, producers = 2;
static uint64_t consumed[2], consumed_sum[2];

static void produce(void)
{
	while (!is_over()) {
		pthread_mutex_lock(&lock);
		while (count == ROOM)
			pthread_cond_wait(&not_full, &lock);
		queue[(head + count) % ROOM].by = self->nr;
		queue[(head + count) % ROOM].nr = self->done++;
		count++;
		pthread_cond_signal(&not_empty);
		pthread_mutex_unlock(&lock);
		if (self->done % 64 == 0)
			pause_ms(1);
	}
	pthread_mutex_lock(&lock);
	producers--;
	pthread_cond_broadcast(&not_empty);
	pthread_mutex_unlock(&lock);
}

static void consume(void)
{
	pthread_mutex_lock(&lock);
	for (;;) {
		while (!count && producers)
			pthread_cond_wait(&not_empty, &lock);
		if (!count)
			break;
		/* each producer's numbers come in order, none is missing */
		if (queue[head].nr != consumed[queue[head].by])
			fail("producer %u: %llu came, not %llu", queue[head].by,
			     (unsigned long long)queue[head].nr,
			     (unsigned long long)consumed[queue[head].by]);
		consumed[queue[head].by]++;
		consumed_sum[queue[head].by] += queue[head].nr;
		head = (head + 1) % ROOM;
		count--;
		self->done++;
		pthread_cond_signal(&not_full);
	}
	pthread_mutex_unlock(&lock);
}

/* ---- a deadline that nobody anticipates ---- */

static void wait_deadlines(void)
{
	pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
	pthread_condattr_t attr;
	pthread_cond_t never;
	struct timespec t;
	uint64_t until;
	int err;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&never, &attr);
	pthread_mutex_lock(&own);
	while (!is_over()) {
		until = clock_ns(CLOCK_MONOTONIC) + 3 * MS;
		t.tv_sec = until / SEC;
		t.tv_nsec = until % SEC;
		while (!(err = pthread_cond_timedwait(&never, &own, &t)))
			;		/* it may wake for nothing */
		VERIFY(err == ETIMEDOUT);
		VERIFY(clock_ns(CLOCK_MONOTONIC) >= until);
		self->done++;
	}
	pthread_mutex_unlock(&own);
}

/* ---- signals, one at a time ---- */

static sem_t handled;

static void on_signal(int sig)
{
	int saved = errno;

	(void)sig;
	self->handled++;
	sem_post(&handled);
	errno = saved;
}

/* Only a signal that was handled may end the wait before its time. */
static void wait_for(sem_t *sem)
{
	uint64_t before = self->handled;

	while (sem_wait(sem)) {
		VERIFY(errno == EINTR && self->handled != before);
		before = self->handled;
	}
}

static void send_signals(void)
{
	unsigned int to = 0;

	while (!is_over()) {
		to = (to + 1) % MEMBERS;
		VERIFY(!pthread_kill(member[to].thread, SIGUSR1));
		wait_for(&handled);
		self->done++;
		if (self->done % 16 == 0)
			pause_ms(1);
	}
}

/* ---- cancelling ---- */

static int silent[2];
static sem_t reached;
static volatile uint64_t cleanups;

static void clean_up(void *mutex)
{
	cleanups++;
	if (mutex)
		VERIFY(!pthread_mutex_unlock(mutex));
}

static void *block_in_read(void *arg)
{
	char c;

	pthread_cleanup_push(clean_up, NULL);
	sem_post(&reached);
	VERIFY(read(silent[0], &c, 1) != -1);
	pthread_cleanup_pop(0);
	return arg;
}

static void *block_in_cond(void *arg)
{
	static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
	static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

	pthread_mutex_lock(&own);
	pthread_cleanup_push(clean_up, &own);
	sem_post(&reached);
	for (;;)
		pthread_cond_wait(&never, &own);
	pthread_cleanup_pop(0);
	return arg;
}

static void *block_in_sleep(void *arg)
{
	pthread_cleanup_push(clean_up, NULL);
	sem_post(&reached);
	for (;;)
		pause_ms(100000);
	pthread_cleanup_pop(0);
	return arg;
}

static void *block_in_loop(void *arg)
{
	pthread_cleanup_push(clean_up, NULL);
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	sem_post(&reached);
	for (;;)
		__asm__ volatile("pause");
	pthread_cleanup_pop(0);
	return arg;
}

static void cancel_threads(void)
{
	static void *(*const blocks[])(void *) = {
		block_in_read, block_in_cond, block_in_sleep, block_in_loop,
	};
	void *result;
	pthread_t t;

	while (!is_over()) {
		MUST(!pthread_create(&t, NULL, blocks[self->done % 4], NULL));
		wait_for(&reached);
		if (self->done % 3)
			pause_ms(self->done % 5);
		VERIFY(!pthread_cancel(t));
		result = NULL;
		VERIFY(!pthread_join(t, &result) && result == PTHREAD_CANCELED);
		self->done++;
		VERIFY(cleanups == self->done);
	}
}

/* ---- creating and joining ---- */

static __thread uint64_t local = 7;

static void *triangle(void *arg)
{
	uint64_t i, n = (uintptr_t)arg;

	VERIFY(local == 7);
	for (i = 1; i <= n; i++)
		local += i;
	return (void *)(uintptr_t)(local - 7);
}

static void make_threads(void)
{
	uint64_t n;
	void *result;
	pthread_t t;

	while (!is_over()) {
		n = self->done % 20000;
		MUST(!pthread_create(&t, NULL, triangle, (void *)(uintptr_t)n));
		VERIFY(!pthread_join(t, &result));
		VERIFY((uintptr_t)result == n * (n + 1) / 2);
		self->done++;
		pause_ms(1);
	}
}

/* ---- together ---- */

static pthread_barrier_t all;

/* A signal may still be sent to one that is done: each stays until all are. */
static void *run(void *arg)
{
	static void (*const roles[MEMBERS])(void) = {
		produce, produce, consume, consume,
		wait_deadlines, send_signals, cancel_threads, make_threads,
	};

	self = arg;
	pthread_barrier_wait(&all);
	roles[self->nr]();
	pthread_barrier_wait(&all);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	uint64_t signals = 0;
	unsigned int i;

	work_begin(argc, argv);
	if (argc > 2)
		work_until = clock_ns(CLOCK_MONOTONIC) + atoi(argv[2]) * SEC;
	MUST(!pipe(silent) && !sem_init(&handled, 0, 0) && !sem_init(&reached, 0, 0));
	MUST(!sigaction(SIGUSR1, &sa, NULL));
	MUST(!pthread_barrier_init(&all, NULL, MEMBERS + 1));
	for (i = 0; i < MEMBERS; i++) {
		member[i].nr = i;
		MUST(!pthread_create(&member[i].thread, NULL, run, &member[i]));
	}
	pthread_barrier_wait(&all);
	work_ready();
	while (working())
		pause_ms(10);
	__atomic_store_n(&over, true, __ATOMIC_RELEASE);
	pthread_barrier_wait(&all);
	for (i = 0; i < MEMBERS; i++) {
		VERIFY(!pthread_join(member[i].thread, NULL));
		VERIFY(member[i].done > 0);
		signals += member[i].handled;
	}
	for (i = 0; i < 2; i++) {
		VERIFY(consumed[i] == member[i].done);
		VERIFY(consumed_sum[i] == consumed[i] * (consumed[i] - 1) / 2);
	}
	VERIFY(member[2].done + member[3].done == member[0].done + member[1].done);
	VERIFY(signals == member[5].done);
	VERIFY(cleanups == member[6].done);
	for (i = 0; i < MEMBERS; i++)
		printf("member %u: %llu\n", i, (unsigned long long)member[i].done);
	return work_end();
}
