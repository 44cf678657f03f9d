// SPDX-License-Identifier: GPL-2.0
/*
 * late.c - signals that come while the process is on its way
 *
 *   late STOP             waits in one call after another, whose answers it knows
 *   late send PID US N    queues signals to PID, numbered from N, one every US us, until
 *                         it is gone; prints the number of the next
 *
 * SIGRTMIN interrupts: its handler runs and the call answers EINTR.  SIGRTMIN + 1
 * restarts (SA_RESTART), where the call is of the kind that can be.  Whether the
 * kernel did so is seen in the handler: it returns behind the system call or to
 * it.  SIGRTMIN + 2 is sent to the second thread, which waits for it.  No signal is
 * lost or doubled, each has the value it was sent with, and those of a number come in
 * the order in which they were sent.
 */
#include "workload.h"
#include <dirent.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>

enum kind { RESTARTS, INTERRUPTED };	/* by SA_RESTART */

struct call {
	const char *name;
	long nr, a, b, c, d, e, f;
	enum kind kind;
};

static int quiet[2], epoll;
static uint32_t word;
static struct timespec hour = { 3600, 0 }, hour_left = { 3600, 0 };
static uint64_t no_signals;

static struct call calls[] = {
	{ "read", SYS_read, 0, (long)&word, 1, .kind = RESTARTS },
	{ "nanosleep", SYS_nanosleep, (long)&hour, .kind = INTERRUPTED },
	{ "clock_nanosleep", SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, (long)&hour, .kind = INTERRUPTED },
	{ "ppoll", SYS_ppoll, 0, 0, (long)&hour_left, (long)&no_signals, 8, .kind = INTERRUPTED },
	{ "poll", SYS_poll, 0, 0, 3600000, .kind = INTERRUPTED },
	{ "epoll_wait", SYS_epoll_wait, 0, (long)calls, 1, 3600000, .kind = INTERRUPTED },
	{ "futex", SYS_futex, (long)&word, FUTEX_WAIT, 0, 0, .kind = RESTARTS },
	{ "futex with timeout", SYS_futex, (long)&word, FUTEX_WAIT, 0, (long)&hour, .kind = INTERRUPTED },
	{ "pause", SYS_pause, .kind = INTERRUPTED },
	{ "rt_sigsuspend", SYS_rt_sigsuspend, (long)&no_signals, 8, .kind = INTERRUPTED },
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

extern char call_at[], call_done[];
static const struct call *volatile in;
#define KINDS	3
static volatile unsigned int got, next_value[KINDS], answered, restarted, early;
static volatile bool disturbed;		/* the call, by a signal: the next may find it where that left it */

/* the instruction behind the label is the system call itself */
asm(".text\n"
    "raw_call:\n"
    "	movq 8(%rdi), %rax\n"
    "	movq 24(%rdi), %rsi\n"
    "	movq 32(%rdi), %rdx\n"
    "	movq 40(%rdi), %r10\n"
    "	movq 48(%rdi), %r8\n"
    "	movq 56(%rdi), %r9\n"
    "	movq 16(%rdi), %rdi\n"
    "call_at:\n"
    "	syscall\n"
    "call_done:\n"
    "	ret\n");
long raw_call(const struct call *c);

/* by which it is known that none is missing, twice there or too early */
static void count(const siginfo_t *info)
{
	unsigned int which = info->si_signo - SIGRTMIN, value = info->si_value.sival_int;

	if (info->si_code == SI_USER)
		return;			/* the test's, to wake us */
	if (info->si_code != SI_QUEUE)
		fail("signal with code %d", info->si_code);
	if (info->si_pid || info->si_uid)
		fail("signal of process %d of user %d", info->si_pid, info->si_uid);
	if (value != KINDS * next_value[which] + which)
		fail("signal %u came when %u was due", value, KINDS * next_value[which] + which);
	next_value[which]++;
}

static void *second(void *arg)
{
	siginfo_t info;
	sigset_t set;

	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 2);
	for (;;)
		if (sigwaitinfo(&set, &info) == SIGRTMIN + 2)
			count(&info);
		else if (errno != EINTR)
			fail("sigwaitinfo: %s", strerror(errno));
	return NULL;
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	const greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	const struct call *c = in;
	bool again = (char *)r[REG_RIP] == call_at, back = (char *)r[REG_RIP] == call_done;

	got++;
	count(info);
	if (disturbed) {
		early++;
	} else if (again) {
		if (sig == SIGRTMIN || c->kind == INTERRUPTED)
			fail("%s: made again after the handler of a signal", c->name);
		if (r[REG_RAX] != c->nr)
			fail("%s: made again as %lld", c->name, (long long)r[REG_RAX]);
		restarted++;
	} else if (back) {
		if (r[REG_RAX] == -EINTR && sig == SIGRTMIN + 1 && c->kind == RESTARTS)
			fail("%s: interrupted, though SA_RESTART", c->name);
		if (r[REG_RAX] != -EINTR)
			fail("%s: answered %lld", c->name, (long long)r[REG_RAX]);
		answered++;
	} else {
		early++;
	}
	disturbed = true;
}

/* the second thread of @pid, as its node calls it */
static pid_t second_of(pid_t pid)
{
	struct dirent *d;
	char name[64];
	pid_t tid = 0;
	DIR *dir;

	snprintf(name, sizeof(name), "/proc/%d/task", pid);
	dir = opendir(name);
	while (dir && (d = readdir(dir)))
		if (atoi(d->d_name) > 0 && atoi(d->d_name) != pid)
			tid = atoi(d->d_name);
	if (dir)
		closedir(dir);
	return tid;
}

static int send_one(pid_t pid, pid_t tid, unsigned int n)
{
	siginfo_t info = { .si_signo = SIGRTMIN + n % KINDS, .si_code = SI_QUEUE };

	info.si_uid = getuid();
	info.si_value.sival_int = n;
	return n % KINDS < 2 ? syscall(SYS_rt_sigqueueinfo, pid, info.si_signo, &info) :
	       syscall(SYS_rt_tgsigqueueinfo, pid, tid, info.si_signo, &info);
}

static int send(pid_t pid, unsigned int us, unsigned int n)
{
	pid_t tid = second_of(pid);

	errno = 0;

	while (!send_one(pid, tid, n) || errno == EAGAIN) {	/* its queue may be full */
		n += errno != EAGAIN;
		errno = 0;
		usleep(us);
	}
	printf("%u\n", n);
	return errno != ESRCH;
}

/* how many of a kind are there of @n */
static unsigned int of_kind(unsigned int which, unsigned int n)
{
	return (n + KINDS - 1 - which) / KINDS;
}

static bool all_came(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < KINDS && next_value[i] >= of_kind(i, n); i++)
		;
	return i == KINDS;
}

static unsigned int sent(void)
{
	char name[256];
	unsigned int n = 0;
	FILE *f;

	snprintf(name, sizeof(name), "%s.sent", work_stop);
	f = fopen(name, "r");
	if (!f || fscanf(f, "%u", &n) != 1)
		fail("%s: cannot be read", name);
	if (f)
		fclose(f);
	return n;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	unsigned int i, want;
	pthread_t thread;
	sigset_t set;

	if (argc > 4 && !strcmp(argv[1], "send"))
		return send(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
	work_begin(argc, argv);
	MUST(!pipe(quiet));
	epoll = epoll_create1(0);
	MUST(epoll >= 0);
	/* the second does not interrupt the handler of the first: their order stays */
	sigaddset(&sa.sa_mask, SIGRTMIN);
	sigaddset(&sa.sa_mask, SIGRTMIN + 1);
	MUST(!sigaction(SIGRTMIN, &sa, NULL));
	sa.sa_flags |= SA_RESTART;
	MUST(!sigaction(SIGRTMIN + 1, &sa, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGRTMIN + 1);
	sigaddset(&set, SIGRTMIN + 2);
	MUST(!pthread_sigmask(SIG_BLOCK, &set, NULL));
	MUST(!pthread_create(&thread, NULL, second, NULL));
	sigdelset(&set, SIGRTMIN + 2);
	MUST(!pthread_sigmask(SIG_UNBLOCK, &set, NULL));
	calls[0].a = quiet[0];
	for (i = 0; i < CALLS; i++)
		if (calls[i].nr == SYS_epoll_wait)
			calls[i].a = epoll;
	work_ready();
	for (i = 0; ; i++) {
		static unsigned int last;
		struct call *c = &calls[i % CALLS];
		long r;

		disturbed = false;
		in = c;
		last = got;
		r = raw_call(c);
		disturbed = true;
		if (r != -EINTR)
			fail("%s: %ld", c->name, r);
		if (got == last)
			fail("%s: EINTR without a signal", c->name);
		hour_left = hour;
		if (!working())
			break;
	}
	want = sent();
	/* the last of them may still be looking for us */
	for (i = 0; i < 600 && !all_came(want); i++)
		pause_ms(50);
	printf("%u signals sent, %u, %u and %u came; %u calls answered, %u made again, %u besides\n", want,
	       next_value[0], next_value[1], next_value[2], answered, restarted, early);
	for (i = 0; i < KINDS; i++)
		VERIFY(next_value[i] == of_kind(i, want));
	return work_end();
}
