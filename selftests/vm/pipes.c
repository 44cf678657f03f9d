// SPDX-License-Identifier: GPL-2.0
/*
 * pipes.c - descriptors that live inside the process
 *
 * A pipe with bytes in it, eventfd, timerfd, signalfd, epoll over them, memfd with
 * seals and a shared mapping, socket pairs with bytes and messages in them; their
 * flags, sizes and numbers.  A thread polls what nobody else has.
 */
#include "workload.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#define KEPT	3000		/* bytes that stay in the pipe */

static int pipe_r, pipe_w, dead_r, event, semaphore, timer, sigfd, epoll, memory, pair[2];
static int again, lone;			/* memory, opened again; memory of which that is all */
static int packets[2], quiet[2], quiet_event;
static uint64_t put, got;
static uint64_t *shared;

/* Numbers go in at one end and come out at the other, KEPT bytes later. */
static void through_pipe(void)
{
	uint64_t n;

	VERIFY(write(pipe_w, &put, sizeof(put)) == sizeof(put));
	put++;
	if (put * sizeof(put) <= KEPT)
		return;
	VERIFY(read(pipe_r, &n, sizeof(n)) == sizeof(n));
	if (n != got)
		fail("the pipe gave %llu, not %llu", (unsigned long long)n,
		     (unsigned long long)got);
	got++;
}

static void through_pair(void)
{
	static uint64_t sent, received;
	uint64_t n;

	sent++;
	VERIFY(write(pair[sent % 2], &sent, sizeof(sent)) == sizeof(sent));
	VERIFY(read(pair[!(sent % 2)], &n, sizeof(n)) == sizeof(n));
	VERIFY(n == ++received);
}

/* Both ways, some always on their way, each of another length. */
static void through_packets(void)
{
	static uint64_t sent, received;
	uint8_t bytes[512];
	uint64_t len;

	do {
		memset(bytes, sent, sizeof(bytes));
		VERIFY(write(packets[sent % 2], bytes, sent % 509 + 1) == (ssize_t)(sent % 509 + 1));
	} while (++sent < 8);
	len = received % 509 + 1;
	VERIFY(read(packets[!(received % 2)], bytes, sizeof(bytes)) == (ssize_t)len);
	VERIFY(bytes[0] == (uint8_t)received && bytes[len - 1] == (uint8_t)received);
	received++;
}

/* It holds the files that it waits for, as somebody outside would. */
static void *poller(void *arg)
{
	struct pollfd p[3] = {
		{ .fd = quiet[0], .events = POLLIN }, { .fd = quiet_event, .events = POLLIN },
		{ .fd = quiet[0], .events = POLLIN },
	};

	VERIFY(poll(p, 3, -1) == 1 && p[1].revents == POLLIN);
	return arg;
}

static void through_epoll(void)
{
	struct epoll_event ev[8];
	uint64_t one = 1, n;
	int i, found = 0;

	VERIFY(write(event, &one, sizeof(one)) == sizeof(one));
	for (i = epoll_wait(epoll, ev, 8, 1000); i-- > 0;)
		if (ev[i].data.u64 == 0x1122334455667788ull)
			found = 1;
		else
			/* the pipe that is never empty, and the end of the one without writer */
			VERIFY(ev[i].data.u64 == 99 || ev[i].data.u64 == 98);
	VERIFY(found);
	VERIFY(read(event, &n, sizeof(n)) == sizeof(n) && n == 1);
}

static void through_memory(void)
{
	uint64_t n = 0;

	shared[5]++;
	VERIFY(pread(memory, &n, sizeof(n), 5 * sizeof(n)) == sizeof(n) && n == shared[5]);
}

/* A stream that is full, from portions of all sizes, and half read. */
static int full[2];
static uint32_t in_full, out_of_full;

static uint8_t full_byte(uint32_t at)
{
	return at * 2654435761u >> 24;
}

static void fill(void)
{
	static uint8_t bytes[150000];
	size_t len = 1, i;
	ssize_t n;

	for (;; len = len * 3 % 149993 + 1) {
		for (i = 0; i < len; i++)
			bytes[i] = full_byte(in_full + i);
		n = write(full[0], bytes, len);
		if (n < 0)
			break;
		in_full += n;
	}
	MUST(errno == EAGAIN && in_full > 50000);
	out_of_full = read(full[1], bytes, 777);
}

static void check_full(void)
{
	static uint8_t bytes[10000];
	ssize_t n, i;

	while ((n = read(full[1], bytes, sizeof(bytes))) > 0)
		for (i = 0; i < n; i++, out_of_full++)
			if (bytes[i] != full_byte(out_of_full)) {
				fail("byte %u of the full socket is wrong", out_of_full);
				return;
			}
	VERIFY(n == -1 && errno == EAGAIN && out_of_full == in_full);
}

static void prepare(void)
{
	int sndbuf = 40000;
	struct itimerspec far = { { 0, 0 }, { 4000, 0 } };
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 0x1122334455667788ull };
	char name[64];
	sigset_t set;
	int p[2];

	MUST(!pipe2(p, O_CLOEXEC | O_NONBLOCK));
	pipe_r = dup2(p[0], 100);		/* numbers with gaps */
	pipe_w = p[1];
	close(p[0]);
	MUST(fcntl(pipe_w, F_SETPIPE_SZ, 16384) == 16384);
	MUST(!pipe(p));				/* its writer is gone, bytes are left */
	MUST(write(p[1], "left behind", 11) == 11);
	close(p[1]);
	dead_r = p[0];
	event = eventfd(0, EFD_NONBLOCK);
	semaphore = eventfd(5, EFD_SEMAPHORE);
	timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK);
	timerfd_settime(timer, 0, &far, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigfd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	memory = memfd_create("kept in memory", MFD_ALLOW_SEALING);
	MUST(!ftruncate(memory, 65536));
	shared = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	MUST(shared != MAP_FAILED);
	memset(shared, 0x5a, 65536);
	shared[5] = 0;
	MUST(!fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", memory);
	again = open(name, O_RDONLY | O_CLOEXEC);
	MUST(again >= 0 && lseek(again, 4096, SEEK_SET) == 4096);
	/* of the other, only the second opening is left */
	lone = memfd_create("read only", 0);
	MUST(write(lone, "reread", 6) == 6);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", lone);
	MUST(dup2(open(name, O_RDONLY), lone) == lone);
	MUST(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	MUST(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packets));
	MUST(!setsockopt(packets[1], SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf)));
	MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, full));
	MUST(!fcntl(full[0], F_SETFL, O_NONBLOCK) && !fcntl(full[1], F_SETFL, O_NONBLOCK));
	fill();
	MUST(!socketpair(AF_UNIX, SOCK_DGRAM, 0, quiet));
	quiet_event = eventfd(0, 0);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	MUST(event >= 0 && semaphore >= 0 && timer >= 0 && sigfd >= 0 && epoll >= 0);
	MUST(!epoll_ctl(epoll, EPOLL_CTL_ADD, event, &ev));
	ev.data.u64 = 99;
	MUST(!epoll_ctl(epoll, EPOLL_CTL_ADD, pipe_r, &ev));
	ev.data.u64 = 98;
	ev.events = 0;
	MUST(!epoll_ctl(epoll, EPOLL_CTL_ADD, dead_r, &ev));
}

/* two openings of one memfd: places and rights of their own, the same contents */
static void check_again(void)
{
	struct stat a, b;
	char c = 0;

	VERIFY(!fstat(memory, &a) && !fstat(again, &b) && a.st_ino == b.st_ino);
	VERIFY((fcntl(again, F_GETFL) & O_ACCMODE) == O_RDONLY && fcntl(again, F_GETFD) == FD_CLOEXEC);
	VERIFY((fcntl(memory, F_GETFL) & O_ACCMODE) == O_RDWR);
	VERIFY(lseek(again, 0, SEEK_CUR) == 4096 && lseek(memory, 0, SEEK_CUR) == 0);
	VERIFY(write(again, &c, 1) == -1 && errno == EBADF);
	((char *)shared)[4096] = 'x';
	VERIFY(read(again, &c, 1) == 1 && c == 'x');
	VERIFY((fcntl(lone, F_GETFL) & O_ACCMODE) == O_RDONLY);
	VERIFY(lseek(lone, 5, SEEK_SET) == 5 && read(lone, &c, 1) == 1 && c == 'd');
}

static void check(void)
{
	struct signalfd_siginfo info;
	struct itimerspec left;
	char text[16] = "";
	int sndbuf = 0;
	socklen_t len = sizeof(sndbuf);
	uint64_t n;

	while (got < put) {
		VERIFY(read(pipe_r, &n, sizeof(n)) == sizeof(n) && n == got);
		if (++got > put + 1 || work_failures > 10)
			break;
	}
	VERIFY(read(pipe_r, &n, 1) == -1 && errno == EAGAIN);
	VERIFY(fcntl(pipe_w, F_GETPIPE_SZ) == 16384);
	VERIFY(fcntl(pipe_w, F_GETFD) == FD_CLOEXEC && fcntl(pipe_r, F_GETFD) == 0);
	VERIFY((fcntl(pipe_r, F_GETFL) & O_NONBLOCK) && pipe_r == 100);
	VERIFY(read(dead_r, text, sizeof(text)) == 11 && !strcmp(text, "left behind"));
	VERIFY(read(dead_r, text, 1) == 0);
	VERIFY(read(semaphore, &n, sizeof(n)) == sizeof(n) && n == 1);
	VERIFY(read(semaphore, &n, sizeof(n)) == sizeof(n) && n == 1);
	VERIFY(!timerfd_gettime(timer, &left) && left.it_value.tv_sec > 3000 &&
	       left.it_value.tv_sec < 4000);
	VERIFY(read(timer, &n, sizeof(n)) == -1 && errno == EAGAIN);
	raise(SIGUSR2);
	VERIFY(read(sigfd, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGUSR2);
	VERIFY(fcntl(memory, F_GET_SEALS) == (F_SEAL_SHRINK | F_SEAL_GROW));
	VERIFY(shared[6] == 0x5a5a5a5a5a5a5a5aull && shared[8191] == 0x5a5a5a5a5a5a5a5aull);
	VERIFY(ftruncate(memory, 4096) == -1 && errno == EPERM);
	check_again();
	check_full();
	VERIFY(!getsockopt(packets[1], SOL_SOCKET, SO_SNDBUF, &sndbuf, &len) && sndbuf == 80000);
	VERIFY(!getsockopt(packets[0], SOL_SOCKET, SO_SNDBUF, &sndbuf, &len) && sndbuf != 80000);
	n = 1;
	VERIFY(write(quiet_event, &n, sizeof(n)) == sizeof(n));
	shutdown(pair[0], SHUT_WR);
	VERIFY(read(pair[1], text, 1) == 0);
	VERIFY(fcntl(pair[0], F_GETFD) == FD_CLOEXEC);
}

int main(int argc, char **argv)
{
	pthread_t waits;

	work_begin(argc, argv);
	prepare();
	through_pipe();
	MUST(!pthread_create(&waits, NULL, poller, NULL));
	work_ready();
	while (working()) {
		through_pipe();
		through_pair();
		through_packets();
		through_epoll();
		through_memory();
		pause_ms(1);
	}
	check();
	VERIFY(!pthread_join(waits, NULL));
	return work_end();
}
