// SPDX-License-Identifier: GPL-2.0
/*
 * steady.c - one thread that uses a bit of everything, for as long as it is moved
 *
 *   steady STOP [SECONDS]
 *
 * What it has done after n steps is known in closed form, so the end is checked
 * exactly, however many there were: a generator that can jump, words of memory
 * that are added to in turn, exact sums in floating point, bytes through a pipe, a
 * socket pair and a file, ticks of a timer, signals to itself, memory that comes
 * and goes, waits that may not end early.
 */
#include "workload.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>

#define WORDS	(1u << 18)		/* 2 MiB that are touched */
#define STRIDE	12289u			/* odd: it visits them all */
#define ROUNDS	2000u			/* of the generator, a step */
#define MUL	6364136223846793005ull
#define ADD	1442695040888963407ull
#define SEED	88172645463325252ull
#define IN_PIPE	100u			/* numbers that are always on their way */

static uint64_t steps, generator = SEED, *words, maps_sum;
static double halves;
static long double eighths;
static int numbers[2], pair[2], quiet[2], event, epoll, file;
static volatile sig_atomic_t alarms;
static volatile uint64_t signals;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	if (info->si_pid == getpid())
		signals++;
}

/* ---- computing ---- */

static void compute(void)
{
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		uint64_t n = steps * ROUNDS + i;

		generator = generator * MUL + ADD;
		words[(uint32_t)(n * STRIDE) % WORDS] += n;
		halves += 0.5;
		eighths += 0.125L;
	}
}

/* @n rounds of the generator from its seed, by squaring */
static uint64_t jump(uint64_t n)
{
	uint64_t mul = 1, add = 0, m = MUL, a = ADD;

	for (; n; n >>= 1) {
		if (n & 1) {
			mul *= m;
			add = add * m + a;
		}
		a *= m + 1;
		m *= m;
	}
	return mul * SEED + add;
}

static void check_words(void)
{
	uint64_t n = steps * ROUNDS, first;

	for (first = 0; first < WORDS; first++) {
		uint64_t times = first < n ? (n - first - 1) / WORDS + 1 : 0;
		/* first, first + WORDS, first + 2 * WORDS, ... */
		uint64_t sum = times * first + WORDS * (times * (times - 1) / 2);

		if (words[(uint32_t)(first * STRIDE) % WORDS] != sum) {
			fail("word %llu is wrong", (unsigned long long)first);
			return;
		}
	}
}

/* ---- channels ---- */

static void through_pipe(void)
{
	static uint64_t put, got;
	uint64_t n;

	do {
		VERIFY(write(numbers[1], &put, sizeof(put)) == sizeof(put));
	} while (++put < IN_PIPE);
	VERIFY(read(numbers[0], &n, sizeof(n)) == sizeof(n) && n == got);
	got++;
}

/* Seven bytes go in, five come out, until some hundred wait. */
static void through_pair(void)
{
	static uint64_t put, got;
	uint8_t bytes[8];
	unsigned int i;

	for (i = 0; i < 7; i++)
		bytes[i] = put++ % 251;
	VERIFY(write(pair[0], bytes, 7) == 7);
	do {
		VERIFY(read(pair[1], bytes, 5) == 5);
		for (i = 0; i < 5; i++)
			VERIFY(bytes[i] == got++ % 251);
	} while (put - got > 400);	/* far from what blocks the writer */
}

static void through_epoll(void)
{
	struct epoll_event ev;
	uint64_t n = steps % 1000 + 1;

	VERIFY(write(event, &n, sizeof(n)) == sizeof(n));
	VERIFY(epoll_wait(epoll, &ev, 1, 5000) == 1 && ev.data.u64 == 0xfeedfacecafeull);
	VERIFY(read(event, &n, sizeof(n)) == sizeof(n) && n == steps % 1000 + 1);
}

static void through_file(void)
{
	uint64_t n;

	if (steps % 16)
		return;
	n = steps / 16;
	VERIFY(write(file, &n, sizeof(n)) == sizeof(n));
	VERIFY(pread(file, &n, sizeof(n), n / 2 * sizeof(n)) == sizeof(n) && n == steps / 16 / 2);
}

/* ---- waiting ---- */

static void wait_a_little(void)
{
	struct pollfd p[2] = { { .fd = quiet[0], .events = POLLIN }, { .fd = quiet[1] } };
	uint64_t before = clock_ns(CLOCK_MONOTONIC);
	struct timespec ms = { 0, MS };
	int rang = alarms, ret;

	switch (steps % 4) {
	case 0:
		ret = nanosleep(&ms, NULL);
		break;
	case 1:
		ret = poll(p, 2, 1);
		break;
	case 2:
		ret = ppoll(p, 1, &ms, NULL);
		break;
	default:
		return;
	}
	if (ret)	/* only the alarm may have ended it */
		VERIFY(ret == -1 && errno == EINTR && alarms != rang);
	else
		VERIFY(clock_ns(CLOCK_MONOTONIC) - before >= MS);
}

static void signal_oneself(void)
{
	uint64_t before = signals;

	raise(SIGUSR1);
	VERIFY(signals == before + 1);
}

/* ---- memory that comes and goes ---- */

static void map_and_unmap(void)
{
	size_t len = (steps % 64 + 1) * 4096;
	uint8_t *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *heap = malloc(steps % 3000 + 1);

	MUST(p != MAP_FAILED && heap);
	p[len - 1] = steps;
	heap[steps % 3000] = steps;
	VERIFY(!mprotect(p, len, PROT_READ));
	maps_sum += p[0] + p[len - 1] + heap[steps % 3000];
	VERIFY(!munmap(p, len));
	free(heap);
}

static void prepare(void)
{
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct sigaction info = { .sa_sigaction = on_signal, .sa_flags = SA_RESTART | SA_SIGINFO };
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 0xfeedfacecafeull };
	struct itimerval every = { { 0, 50000 }, { 0, 50000 } };
	char path[4096];

	words = mmap(NULL, WORDS * sizeof(*words), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(words != MAP_FAILED);
	snprintf(path, sizeof(path), "%s.steady", work_stop);
	file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	MUST(file >= 0);
	MUST(!pipe(numbers) && !pipe(quiet));
	MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	event = eventfd(0, 0);
	epoll = epoll_create1(0);
	MUST(event >= 0 && epoll >= 0 && !epoll_ctl(epoll, EPOLL_CTL_ADD, event, &ev));
	MUST(!sigaction(SIGALRM, &sa, NULL) && !sigaction(SIGUSR1, &info, NULL));
	MUST(!setitimer(ITIMER_REAL, &every, NULL));
}

static void check(void)
{
	uint64_t sum = 0, i, n = steps * ROUNDS;

	VERIFY(generator == jump(n));
	VERIFY(halves == n * 0.5);
	VERIFY(eighths == n * 0.125L);
	check_words();
	for (i = 0; i < steps; i++)
		sum += 2 * (uint8_t)i;
	VERIFY(maps_sum == sum);
	VERIFY(signals == steps);
	VERIFY(lseek(file, 0, SEEK_END) == (off_t)((steps + 15) / 16 * 8));
	VERIFY(alarms > 0);
	printf("%llu steps, generator %016llx\n", (unsigned long long)steps,
	       (unsigned long long)generator);
}

int main(int argc, char **argv)
{
	work_begin(argc, argv);
	if (argc > 2)
		work_until = clock_ns(CLOCK_MONOTONIC) + atoi(argv[2]) * SEC;
	prepare();
	work_ready();
	do {
		compute();
		through_pipe();
		through_pair();
		through_epoll();
		through_file();
		signal_oneself();
		map_and_unmap();
		wait_a_little();
		steps++;
	} while (steps % 32 || working());
	check();
	return work_end();
}
