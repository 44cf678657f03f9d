// SPDX-License-Identifier: GPL-2.0
/*
 * timers.c - every kind of timer goes on, neither early nor twice
 *
 * Time passes while a process moves: timers that became due then fire at once,
 * periodic ones catch up or count overruns.  What is checked is that none fires
 * early, that none is lost, and that clocks agree with each other and do not run
 * back.
 */
#include "workload.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/timerfd.h>

#define PERIOD_MS	50
#define FAR_S		5000

static volatile unsigned int itimer_ticks, posix_ticks;
static volatile uint64_t posix_overruns;

static void on_alarm(int sig)
{
	(void)sig;
	itimer_ticks++;
}

static void on_posix(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	posix_ticks++;
	posix_overruns += info->si_overrun;
}

/* A relative sleep is never shorter than asked, and not as good as endless. */
static void *sleeps(void *arg)
{
	uint64_t longest = 0;

	while (working()) {
		struct timespec t = { 0, 300 * 1000000 }, rest = { -1, -1 };
		uint64_t before = clock_ns(CLOCK_MONOTONIC), slept;

		if (nanosleep(&t, &rest))
			fail("nanosleep: %s", strerror(errno));
		slept = clock_ns(CLOCK_MONOTONIC) - before;
		if (slept < 300 * MS)
			fail("a sleep of 300 ms took %llu us", (unsigned long long)slept / 1000);
		if (slept > longest)
			longest = slept;
	}
	if (longest > 60 * SEC)
		fail("a sleep of 300 ms took %llu ms", (unsigned long long)(longest / MS));
	return arg;
}

/* An absolute one ends when it should. */
static void *sleeps_until(void *arg)
{
	while (working()) {
		uint64_t at = clock_ns(CLOCK_MONOTONIC) + 200 * MS;
		struct timespec t = { at / SEC, at % SEC };

		if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
			fail("clock_nanosleep failed");
		if (clock_ns(CLOCK_MONOTONIC) < at)
			fail("an absolute sleep ended early");
	}
	return arg;
}

/* Expirations of a periodic timerfd add up to the time that passed. */
static void *reads_timerfd(void *arg)
{
	struct itimerspec it = { { 0, PERIOD_MS * MS }, { 0, PERIOD_MS * MS } };
	uint64_t begin, passed, total = 0, n;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	MUST(fd >= 0);
	begin = clock_ns(CLOCK_MONOTONIC);
	MUST(!timerfd_settime(fd, 0, &it, NULL));
	while (working()) {
		if (read(fd, &n, sizeof(n)) != sizeof(n)) {
			fail("read of a timerfd: %s", strerror(errno));
			break;
		}
		total += n;
	}
	passed = (clock_ns(CLOCK_MONOTONIC) - begin) / (PERIOD_MS * MS);
	/* one may be under way; a move may shift the phase by its own downtime, once each */
	if (total > passed + 1)
		fail("timerfd: %llu expirations in %llu periods", (unsigned long long)total,
		     (unsigned long long)passed);
	if (total * 4 < passed * 3)
		fail("timerfd: only %llu expirations in %llu periods", (unsigned long long)total,
		     (unsigned long long)passed);
	close(fd);
	return arg;
}

/* Many timerfds, so that some are due at the moment of a move: none falls silent. */
#define MANY	24

static const struct itimerspec each_40_ms = { { 0, 40 * MS }, { 0, 40 * MS } };
static const struct itimerspec in_40_ms = { { 0, 0 }, { 0, 40 * MS } };

/* every other one is set anew each time; a mask of those that had fired */
static unsigned int read_many(const struct pollfd *p)
{
	unsigned int i, fired = 0;
	uint64_t n;

	for (i = 0; i < MANY; i++) {
		if (read(p[i].fd, &n, sizeof(n)) != sizeof(n))
			continue;
		fired |= 1u << i;
		if (i & 1)
			MUST(!timerfd_settime(p[i].fd, 0, &in_40_ms, NULL));
	}
	return fired;
}

static void *reads_many(void *arg)
{
	struct pollfd p[MANY];
	unsigned int i, fired;

	for (i = 0; i < MANY; i++) {
		p[i].fd = timerfd_create(i & 2 ? CLOCK_MONOTONIC : CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
		p[i].events = POLLIN;
		MUST(p[i].fd >= 0 && !timerfd_settime(p[i].fd, 0, i & 1 ? &in_40_ms : &each_40_ms, NULL));
		pause_ms(1);
	}
	while (working()) {
		MUST(poll(p, MANY, 1000) >= 0 || errno == EINTR);
		read_many(p);
	}
	read_many(p);
	pause_ms(500);
	fired = read_many(p);
	for (i = 0; i < MANY; i++) {
		if (!(fired & 1u << i))
			fail("timerfd %u of %u fires no more", i, MANY);
		close(p[i].fd);
	}
	return arg;
}

/* A timer on this thread's own CPU time fires as often as that says, wherever it is spent. */
static volatile unsigned int cpu_ticks, cpu_overruns;

static void on_cpu_timer(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	cpu_ticks++;
	cpu_overruns += info->si_overrun;
}

static void *burns(void *arg)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1 };
	struct itimerspec it = { { 0, 20 * MS }, { 0, 20 * MS } }, far = { { 0, 0 }, { 5000, 0 } };
	struct itimerspec left;
	uint64_t total = 0, last = clock_ns(CLOCK_THREAD_CPUTIME_ID), now;
	unsigned int count;
	timer_t timer, distant;

	MUST(!timer_create(CLOCK_THREAD_CPUTIME_ID, &ev, &timer));
	MUST(!timer_create(CLOCK_THREAD_CPUTIME_ID, &ev, &distant));
	MUST(!timer_settime(timer, 0, &it, NULL) && !timer_settime(distant, 0, &far, NULL));
	while (working()) {
		pause_ms(5);
		now = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		/* the clock itself is of the task, and a new one at each host */
		if (now > last)
			total += now - last;
		last = now;
	}
	count = cpu_ticks + cpu_overruns;
	MUST(!timer_gettime(distant, &left));
	if (left.it_value.tv_sec < 4000)
		fail("thread's CPU timer: %ld s left of 5000", (long)left.it_value.tv_sec);
	MUST(!timer_delete(timer) && !timer_delete(distant));
	/* what was spent just around a move is not in the sum */
	if (count * 20 * MS > total + total / 4 + 400 * MS || (count + 4) * 20 * MS * 2 < total)
		fail("thread's CPU timer: %u ticks of 20 ms in %llu ms", count,
		     (unsigned long long)(total / MS));
	return arg;
}

static bool kept;	/* in a checkpoint: CLOCK_REALTIME is the only one that goes on meanwhile */

/* CLOCK_MONOTONIC, BOOTTIME and REALTIME walk side by side. */
static void *compares_clocks(void *arg)
{
	uint64_t mono0 = clock_ns(CLOCK_MONOTONIC), boot0 = clock_ns(CLOCK_BOOTTIME);
	uint64_t real0 = clock_ns(CLOCK_REALTIME), last = mono0, now;
	int64_t off;

	while (working()) {
		now = clock_ns(CLOCK_MONOTONIC);
		if (now < last)
			fail("CLOCK_MONOTONIC ran back by %llu ns", (unsigned long long)(last - now));
		last = now;
		off = (int64_t)(clock_ns(CLOCK_BOOTTIME) - boot0) - (int64_t)(now - mono0);
		if (off < -100 * (int64_t)MS || off > 1000 * (int64_t)MS)
			fail("CLOCK_BOOTTIME is off by %lld us", (long long)off / 1000);
		pause_ms(2);
	}
	if (kept)
		return arg;
	/* nodes of the lab have one clock behind them; real ones have NTP */
	off = (int64_t)(clock_ns(CLOCK_REALTIME) - real0) -
	      (int64_t)(clock_ns(CLOCK_MONOTONIC) - mono0);
	if (off < -3 * (int64_t)SEC || off > 3 * (int64_t)SEC)
		fail("CLOCK_REALTIME is off by %lld ms", (long long)off / (int64_t)MS);
	return arg;
}

/* Far timers: what is left of them is what it was, less the time that passed. */
static int64_t ns(const struct timespec *t)
{
	return t->tv_sec * (int64_t)SEC + t->tv_nsec;
}

static void check_left(const char *what, int64_t left, uint64_t begin)
{
	int64_t want = FAR_S * (int64_t)SEC - (int64_t)(clock_ns(CLOCK_MONOTONIC) - begin);
	int64_t off = left - want;

	if (off < -2 * (int64_t)SEC || off > 2 * (int64_t)SEC)
		fail("%s: %lld ms are left, not %lld", what, (long long)(left / (int64_t)MS),
		     (long long)(want / (int64_t)MS));
}

int main(int argc, char **argv)
{
	void *(*const bodies[])(void *) = { sleeps, sleeps_until, reads_timerfd, reads_many,
		compares_clocks, burns };
	struct itimerval it = { { 0, PERIOD_MS * 1000 }, { 0, PERIOD_MS * 1000 } };
	struct itimerspec periodic = { { 0, PERIOD_MS * MS }, { 0, PERIOD_MS * MS } };
	struct itimerspec far = { { 0, 0 }, { FAR_S, 0 } }, left;
	struct sigaction alarm_sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct sigaction posix_sa = { .sa_sigaction = on_posix, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigaction cpu_sa = { .sa_sigaction = on_cpu_timer, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	struct sigevent quiet = { .sigev_notify = SIGEV_NONE };
	timer_t ticking, deleted, distant;
	pthread_t threads[6];
	uint64_t begin, periods;
	sigset_t set;
	int far_fd, i;

	work_begin(argc, argv);
	kept = argc > 2 && !strcmp(argv[2], "kept");
	sigaction(SIGALRM, &alarm_sa, NULL);
	sigaction(SIGRTMIN, &posix_sa, NULL);
	sigaction(SIGRTMIN + 1, &cpu_sa, NULL);
	/* the threads are not to be disturbed */
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGRTMIN + 1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (i = 0; i < 6; i++)
		MUST(!pthread_create(&threads[i], NULL, bodies[i], NULL));
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);

	MUST(!timer_create(CLOCK_MONOTONIC, &quiet, &deleted));
	MUST(!timer_create(CLOCK_MONOTONIC, &ev, &ticking));
	MUST(!timer_create(CLOCK_REALTIME, &quiet, &distant));
	MUST(!timer_delete(deleted));		/* a gap in the ids */
	far_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	begin = clock_ns(CLOCK_MONOTONIC);
	MUST(!timer_settime(distant, 0, &far, NULL));
	MUST(!timerfd_settime(far_fd, 0, &far, NULL));
	MUST(!timer_settime(ticking, 0, &periodic, NULL));
	MUST(!setitimer(ITIMER_REAL, &it, NULL));
	work_ready();
	while (working())
		pause_ms(10);

	memset(&it, 0, sizeof(it));
	setitimer(ITIMER_REAL, &it, NULL);
	memset(&periodic, 0, sizeof(periodic));
	VERIFY(!timer_settime(ticking, 0, &periodic, NULL));
	periods = (clock_ns(CLOCK_MONOTONIC) - begin) / (PERIOD_MS * MS);
	if (itimer_ticks > periods + 2 || itimer_ticks * 4 < periods)
		fail("itimer: %u ticks in %llu periods", itimer_ticks, (unsigned long long)periods);
	if (posix_ticks + posix_overruns > periods + 2 ||
	    (posix_ticks + posix_overruns) * 4 < periods * 3)
		fail("posix timer: %u ticks and %llu overruns in %llu periods", posix_ticks,
		     (unsigned long long)posix_overruns, (unsigned long long)periods);
	VERIFY(!timer_gettime(distant, &left));
	check_left("posix timer", ns(&left.it_value), begin);
	VERIFY(!timerfd_gettime(far_fd, &left));
	check_left("timerfd", ns(&left.it_value), begin);
	VERIFY(timer_gettime(deleted, &left) == -1 && errno == EINVAL);
	for (i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	return work_end();
}
