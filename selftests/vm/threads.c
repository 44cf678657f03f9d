// SPDX-License-Identifier: GPL-2.0
/*
 * threads.c - eight threads and everything with which they wait for each other
 *
 * A mutex-guarded counter, a ring of condition variables, a barrier, a read-write
 * lock, a robust mutex whose owner dies after the moves, pthread_kill between
 * them, pthread_cancel of a thread that sleeps in read(); thread-local variables,
 * ids and names stay.
 */
#include "workload.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

#define THREADS	8

struct member {
	pthread_t thread;
	pid_t tid;
	unsigned int nr;
	uint64_t turns, added;
	volatile unsigned int signals;
};

static struct member member[THREADS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t robust;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t start;
static unsigned int turn;
static uint64_t total, pair[2];
static bool done;
static __thread struct member *self;
static __thread uint64_t canary;

static void on_signal(int sig)
{
	(void)sig;
	self->signals++;
}

static void check_identity(void)
{
	char want[16], name[16];

	VERIFY((pid_t)syscall(SYS_gettid) == self->tid);
	VERIFY(canary == 0xc0ffee00 + self->nr);
	snprintf(want, sizeof(want), "member-%u", self->nr);
	pthread_getname_np(pthread_self(), name, sizeof(name));
	VERIFY(!strcmp(name, want));
}

static void take_turn(void)
{
	pthread_mutex_lock(&lock);
	while (turn % THREADS != self->nr && !done)
		pthread_cond_wait(&turn_changed, &lock);
	turn++;
	self->turns++;
	pthread_cond_broadcast(&turn_changed);
	pthread_mutex_unlock(&lock);
}

static void add(void)
{
	unsigned int i;

	for (i = 0; i < 500; i++) {
		pthread_mutex_lock(&lock);
		total++;
		pthread_mutex_unlock(&lock);
		self->added++;
	}
}

static void read_or_write(void)
{
	if (self->nr % 4) {
		pthread_rwlock_rdlock(&rwlock);
		VERIFY(pair[0] == pair[1]);
	} else {
		pthread_rwlock_wrlock(&rwlock);
		pair[0]++;
		sched_yield();
		pair[1]++;
	}
	pthread_rwlock_unlock(&rwlock);
}

static void kill_neighbour(void)
{
	struct member *m = &member[(self->nr + 1) % THREADS];
	unsigned int before = m->signals, i;

	if (self->nr)
		return;			/* only one sender: signals do not queue */
	pthread_kill(m->thread, SIGUSR1);
	for (i = 0; i < 20000 && m->signals == before && !done; i++)
		pause_ms(1);
	VERIFY(m->signals > before || done);
}

static void *run(void *arg)
{
	char name[16];

	self = arg;
	self->tid = syscall(SYS_gettid);
	canary = 0xc0ffee00 + self->nr;
	snprintf(name, sizeof(name), "member-%u", self->nr);
	pthread_setname_np(pthread_self(), name);
	pthread_barrier_wait(&start);
	while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
		take_turn();
		add();
		read_or_write();
		kill_neighbour();
		check_identity();
	}
	return NULL;
}

/* ---- a thread that sleeps until it is cancelled ---- */

static int silent[2];
static bool cleaned;

static void cleanup(void *arg)
{
	(void)arg;
	cleaned = true;
}

static void *sleeper(void *arg)
{
	char c;

	pthread_cleanup_push(cleanup, NULL);
	VERIFY(read(silent[0], &c, 1) != -1);
	pthread_cleanup_pop(0);
	return arg;
}

static void cancel(pthread_t t)
{
	void *result = NULL;

	VERIFY(!pthread_cancel(t));
	VERIFY(!pthread_join(t, &result));
	VERIFY(result == PTHREAD_CANCELED && cleaned);
}

/* ---- robust: its owner ends without unlocking ---- */

static void *die_with_lock(void *arg)
{
	pthread_mutex_lock(&robust);
	return arg;
}

static void owner_dies(void)
{
	pthread_t t;

	MUST(!pthread_create(&t, NULL, die_with_lock, NULL));
	pthread_join(t, NULL);
	VERIFY(pthread_mutex_lock(&robust) == EOWNERDEAD);
	VERIFY(!pthread_mutex_consistent(&robust));
	VERIFY(!pthread_mutex_unlock(&robust));
}

/* This one takes it before the moves and ends, without unlocking, after them. */
static void *hold_robust(void *arg)
{
	pthread_mutex_lock(arg);
	pthread_barrier_wait(&start);
	while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE))
		pause_ms(5);
	return NULL;
}

int main(int argc, char **argv)
{
	static pthread_mutex_t held;
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	pthread_mutexattr_t attr;
	pthread_t asleep, holder;
	uint64_t sum = 0;
	unsigned int i;

	work_begin(argc, argv);
	MUST(!pipe(silent));
	MUST(!sigaction(SIGUSR1, &sa, NULL));
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust, &attr);
	pthread_mutex_init(&held, &attr);
	pthread_barrier_init(&start, NULL, THREADS + 2);
	MUST(!pthread_create(&asleep, NULL, sleeper, NULL));
	MUST(!pthread_create(&holder, NULL, hold_robust, &held));
	for (i = 0; i < THREADS; i++) {
		member[i].nr = i;
		MUST(!pthread_create(&member[i].thread, NULL, run, &member[i]));
	}
	pthread_barrier_wait(&start);
	work_ready();
	while (working())
		pause_ms(10);
	__atomic_store_n(&done, true, __ATOMIC_RELEASE);
	pthread_mutex_lock(&lock);
	pthread_cond_broadcast(&turn_changed);
	pthread_mutex_unlock(&lock);
	for (i = 0; i < THREADS; i++) {
		VERIFY(!pthread_join(member[i].thread, NULL));
		sum += member[i].added;
		VERIFY(member[i].turns > 0);
	}
	VERIFY(sum == total);
	VERIFY(pair[0] == pair[1]);
	pthread_join(holder, NULL);
	VERIFY(pthread_mutex_lock(&held) == EOWNERDEAD);
	cancel(asleep);
	owner_dies();
	return work_end();
}
