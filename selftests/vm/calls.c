// SPDX-License-Identifier: GPL-2.0
/*
 * calls.c - blocking calls do not notice
 *
 * A thread sits in each kind of call that waits.  None may return EINTR, since
 * no signal comes, nor before its time, nor without what it waits for.  With
 * "still" also in calls on what cannot move, but can be suspended: a semaphore of
 * System V, a socket with a timeout.
 *
 * With "left" each makes one long call, which ends when it should: what was done
 * to the process in the middle of it has not made the time begin anew.
 */
#include "workload.h"
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define SHORT_MS	150
#define LONG_MS		4000
#define LEFT_MS		40000		/* "left": the call */
#define LATE_MS		14000		/* and how late it may be, however slow the computer */

struct call {
	const char *name;
	int (*fn)(unsigned int ms);	/* what the call returned: 0 timeout, 1 it came, -1 errno */
	bool timed;
	uint64_t times;
	pthread_t thread;
};

static int quiet_pipe[2], busy_pipe[2], quiet_event, busy_event, quiet_epoll, quiet_pair[2];
static uint32_t quiet_futex, wake_futex;
static int sem = -1;
static bool closing, left;

static struct timespec spec(unsigned int ms)
{
	return (struct timespec){ ms / 1000, ms % 1000 * 1000000 };
}

static int call_epoll(unsigned int ms)
{
	struct epoll_event ev;

	return epoll_wait(quiet_epoll, &ev, 1, ms);
}

static int call_epoll_pwait2(unsigned int ms)
{
	struct timespec t = spec(ms);
	struct epoll_event ev;

	return syscall(441, quiet_epoll, &ev, 1, &t, NULL, 8);	/* epoll_pwait2 */
}

static int call_nanosleep(unsigned int ms)
{
	struct timespec t = spec(ms);

	return nanosleep(&t, NULL);
}

static int call_poll(unsigned int ms)
{
	struct pollfd p = { .fd = quiet_pipe[0], .events = POLLIN };

	return poll(&p, 1, ms);
}

static int call_ppoll(unsigned int ms)
{
	struct pollfd p = { .fd = quiet_event, .events = POLLIN };
	struct timespec t = spec(ms);
	sigset_t none;

	sigemptyset(&none);
	return ppoll(&p, 1, &t, &none);
}

static int call_select(unsigned int ms)
{
	struct timeval t = { ms / 1000, ms % 1000 * 1000 };
	fd_set r;

	FD_ZERO(&r);
	FD_SET(quiet_pipe[0], &r);
	return select(quiet_pipe[0] + 1, &r, NULL, NULL, &t);
}

static int call_pselect(unsigned int ms)
{
	static const struct timespec fixed = { LEFT_MS / 1000, LEFT_MS % 1000 * 1000000 };
	struct timespec t = spec(ms);
	fd_set r;

	FD_ZERO(&r);
	FD_SET(quiet_pipe[0], &r);
	/* the call itself cannot write there what is left */
	return syscall(SYS_pselect6, quiet_pipe[0] + 1, &r, NULL, NULL, left ? &fixed : &t, NULL);
}

static int call_sigtimedwait(unsigned int ms)
{
	struct timespec t = spec(ms);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return sigtimedwait(&set, NULL, &t) == -1 && errno == EAGAIN ? 0 : -1;
}

static int futex_wait(unsigned int ms, int op, bool absolute)
{
	struct timespec t = spec(ms);
	uint64_t at;

	if (absolute) {
		at = clock_ns(CLOCK_MONOTONIC) + ms * MS;
		t = (struct timespec){ at / SEC, at % SEC };
	}
	return syscall(SYS_futex, &quiet_futex, op | FUTEX_PRIVATE_FLAG, 0, &t, NULL, -1) == -1 &&
	       errno == ETIMEDOUT ? 0 : -1;
}

static int call_futex(unsigned int ms)
{
	return futex_wait(ms, FUTEX_WAIT, false);
}

static int call_futex_bitset(unsigned int ms)
{
	return futex_wait(ms, FUTEX_WAIT_BITSET, true);
}

static int call_recv(unsigned int ms)
{
	struct timeval t = { ms / 1000, ms % 1000 * 1000 };
	char c;

	setsockopt(quiet_pair[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	return recv(quiet_pair[0], &c, 1, 0) == -1 && errno == EAGAIN ? 0 : -1;
}

/* these wait for a byte that comes every SHORT_MS */
static int call_read_pipe(unsigned int ms)
{
	char c;

	(void)ms;
	return read(busy_pipe[0], &c, 1);
}

static int call_read_eventfd(unsigned int ms)
{
	uint64_t n;

	(void)ms;
	return read(busy_event, &n, sizeof(n)) == sizeof(n) ? 1 : -1;
}

static int call_futex_woken(unsigned int ms)
{
	uint32_t now = __atomic_load_n(&wake_futex, __ATOMIC_ACQUIRE);
	long r = syscall(SYS_futex, &wake_futex, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, now, NULL, NULL, 0);

	(void)ms;
	return !r || errno == EAGAIN ? 1 : -1;
}

static int call_semtimedop(unsigned int ms)
{
	struct timespec t = spec(ms);
	struct sembuf op = { 0, -1, 0 };

	return semtimedop(sem, &op, 1, &t) == -1 && errno == EAGAIN ? 0 : -1;
}

static struct call calls[] = {
	{ .name = "epoll_wait", .fn = call_epoll, .timed = true },
	{ .name = "epoll_pwait2", .fn = call_epoll_pwait2, .timed = true },
	{ .name = "nanosleep", .fn = call_nanosleep, .timed = true },
	{ .name = "poll", .fn = call_poll, .timed = true },
	{ .name = "ppoll", .fn = call_ppoll, .timed = true },
	{ .name = "select", .fn = call_select, .timed = true },
	{ .name = "pselect", .fn = call_pselect, .timed = true },
	{ .name = "sigtimedwait", .fn = call_sigtimedwait, .timed = true },
	{ .name = "futex", .fn = call_futex, .timed = true },
	{ .name = "futex bitset", .fn = call_futex_bitset, .timed = true },
	{ .name = "read pipe", .fn = call_read_pipe },
	{ .name = "read eventfd", .fn = call_read_eventfd },
	{ .name = "futex woken", .fn = call_futex_woken },
	/* the last two only with "still" */
	{ .name = "recv with timeout", .fn = call_recv, .timed = true },
	{ .name = "semtimedop", .fn = call_semtimedop, .timed = true },
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

/* Short and long waits in turn: the long ones span a whole move. */
static void *sit(void *arg)
{
	struct call *c = arg;

	while (!__atomic_load_n(&closing, __ATOMIC_ACQUIRE)) {
		unsigned int ms = c->times % 2 ? SHORT_MS : LONG_MS;
		uint64_t begin = clock_ns(CLOCK_MONOTONIC), took;
		int r = c->fn(ms);

		took = clock_ns(CLOCK_MONOTONIC) - begin;
		if (r == -1)
			fail("%s: %s", c->name, strerror(errno));
		else if (c->timed && r)
			fail("%s: returned %d, though nothing came", c->name, r);
		else if (c->timed && took + 2 * MS < ms * MS)
			fail("%s: %u ms were over after %llu us", c->name, ms,
			     (unsigned long long)took / 1000);
		c->times++;
	}
	return NULL;
}

/* One call; its lateness is that of the process, which did not run meanwhile. */
static void *sit_once(void *arg)
{
	struct call *c = arg;
	uint64_t begin = clock_ns(CLOCK_MONOTONIC), took;
	int r = c->fn(LEFT_MS);

	took = (clock_ns(CLOCK_MONOTONIC) - begin) / MS;
	if (r)
		fail("%s: returned %d: %s", c->name, r, strerror(errno));
	if (took + 2 < LEFT_MS || took > LEFT_MS + LATE_MS)
		fail("%s: %u ms were over after %llu ms", c->name, LEFT_MS, (unsigned long long)took);
	c->times++;
	return NULL;
}

static void prepare(bool still)
{
	struct epoll_event ev = { .events = EPOLLIN };
	sigset_t set;

	MUST(!pipe(quiet_pipe) && !pipe(busy_pipe));
	quiet_event = eventfd(0, 0);
	busy_event = eventfd(0, 0);
	quiet_epoll = epoll_create1(0);
	MUST(quiet_event >= 0 && busy_event >= 0 && quiet_epoll >= 0);
	MUST(!epoll_ctl(quiet_epoll, EPOLL_CTL_ADD, quiet_pipe[0], &ev));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	MUST(!sigprocmask(SIG_BLOCK, &set, NULL));
	if (still) {
		MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, quiet_pair));
		sem = semget(IPC_PRIVATE, 1, 0600);
		MUST(sem >= 0);
	}
}

static void feed(void)
{
	uint64_t one = 1;

	VERIFY(write(busy_pipe[1], "x", 1) == 1);
	VERIFY(write(busy_event, &one, sizeof(one)) == sizeof(one));
	__atomic_add_fetch(&wake_futex, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &wake_futex, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1000, NULL, NULL, 0);
}

static int main_left(void)
{
	unsigned int i;

	left = true;
	for (i = 0; i < CALLS; i++)
		if (calls[i].timed && calls[i].fn != call_recv && (sem >= 0 || calls[i].fn != call_semtimedop))
			MUST(!pthread_create(&calls[i].thread, NULL, sit_once, &calls[i]));
	work_ready();
	for (i = 0; i < CALLS; i++)
		if (calls[i].thread)
			pthread_join(calls[i].thread, NULL);
	if (sem >= 0)
		semctl(sem, 0, IPC_RMID);
	printf("done\n");
	fflush(stdout);
	while (working())
		pause_ms(20);
	return work_end();
}

int main(int argc, char **argv)
{
	unsigned int i, n = CALLS;

	work_begin(argc, argv);
	prepare(argc > 2 && strstr(argv[2], "still"));
	if (argc > 2 && strstr(argv[2], "left"))
		return main_left();
	if (sem < 0)
		n -= 2;
	for (i = 0; i < n; i++)
		MUST(!pthread_create(&calls[i].thread, NULL, sit, &calls[i]));
	work_ready();
	while (working()) {
		feed();
		pause_ms(SHORT_MS);
	}
	__atomic_store_n(&closing, true, __ATOMIC_RELEASE);
	for (i = 0; i < n; i++) {
		unsigned int tries;

		for (tries = 0; tries < 200 && pthread_tryjoin_np(calls[i].thread, NULL); tries++) {
			feed();
			pause_ms(50);
		}
		if (tries == 200)
			fail("%s: does not return", calls[i].name);
		if (!calls[i].times)
			fail("%s: never returned", calls[i].name);
	}
	if (sem >= 0)
		semctl(sem, 0, IPC_RMID);
	return work_end();
}
