// SPDX-License-Identifier: GPL-2.0
/*
 * late.c - signals that come while the process is on its way
 *
 *   late STOP             waits in one call after another, whose answers it knows
 *   late send PID MS      queues signals to PID, one every MS ms, until it is gone;
 *                         prints how many
 *
 * SIGRTMIN interrupts: its handler runs and the call answers EINTR.  SIGRTMIN + 1
 * restarts (SA_RESTART), where the call is of the kind that can be.  Whether the
 * kernel did so is seen in the handler: it returns behind the system call or to
 * it.  No signal is lost or doubled, and each has the value it was sent with.
 */
#include "workload.h"
#include <linux/futex.h>
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
static volatile unsigned int got, by_queue, followed, next_value[2], answered, restarted, early;
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

static void on_signal(int sig, siginfo_t *info, void *context)
{
	const greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	const struct call *c = in;
	bool again = (char *)r[REG_RIP] == call_at, back = (char *)r[REG_RIP] == call_done;

	got++;
	if (info->si_code == SI_QUEUE) {
		unsigned int which = sig - SIGRTMIN, value = info->si_value.sival_int;

		if (value != 2 * next_value[which] + which)
			fail("signal %u came when %u was due", value, 2 * next_value[which] + which);
		next_value[which]++;
		by_queue++;
	} else if (info->si_code == SI_KERNEL) {
		followed++;
	} else if (info->si_code != SI_USER) {
		fail("signal with code %d", info->si_code);
	}
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

static int send(pid_t pid, unsigned int ms)
{
	unsigned int n = 0;

	while (!sigqueue(pid, SIGRTMIN + (n & 1), (union sigval){ .sival_int = n })) {
		n++;
		pause_ms(ms);
	}
	printf("%u\n", n);
	return errno != ESRCH;
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

	if (argc > 3 && !strcmp(argv[1], "send"))
		return send(atoi(argv[2]), atoi(argv[3]));
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
	for (i = 0; i < 100 && got < want; i++)
		pause_ms(50);
	printf("%u signals sent, %u came, %u with their values, %u as numbers; %u calls answered, %u made again, %u besides\n",
	       want, got, by_queue, followed, answered, restarted, early);
	VERIFY(got >= want);
	/* the last one may have been taken by the old copy as it died */
	VERIFY(by_queue + followed <= want && by_queue + followed + 1 >= want);
	VERIFY(followed <= want / 4);
	return work_end();
}
