// SPDX-License-Identifier: GPL-2.0
/*
 * signals.c - handlers, masks, alternate stacks and what is pending
 *
 * Queued real-time signals with their values wait, blocked, through the moves,
 * for the process and for one thread, and are then taken in order.  A thread
 * sits in a handler on its alternate stack meanwhile, another in sigsuspend.
 */
#include "workload.h"
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>

#define QUEUED	20

static char on_alternate[128 * 1024] __attribute__((aligned(16)));
static volatile sig_atomic_t in_handler, leave_handler, handler_ok;
static volatile sig_atomic_t suspended, woken;
static volatile unsigned int ticks;
static pthread_t main_thread;

static void on_usr1(int sig, siginfo_t *info, void *context)
{
	char here;
	ucontext_t *uc = context;
	sigset_t now;

	in_handler = 1;
	while (!leave_handler)
		pause_ms(5);
	sigprocmask(SIG_BLOCK, NULL, &now);
	handler_ok = sig == SIGUSR1 && info->si_signo == SIGUSR1 &&
		     &here >= on_alternate && &here < on_alternate + sizeof(on_alternate) &&
		     sigismember(&now, SIGUSR1) && sigismember(&now, SIGTERM) &&
		     !sigismember(&uc->uc_sigmask, SIGTERM);
}

static void on_usr2(int sig)
{
	(void)sig;
	woken = 1;
}

static void on_tick(int sig)
{
	(void)sig;
	ticks++;
}

/* Its handler runs all through the moves. */
static void *handler_thread(void *arg)
{
	stack_t ss = { .ss_sp = on_alternate, .ss_size = sizeof(on_alternate) }, now;

	MUST(!sigaltstack(&ss, NULL));
	pthread_kill(pthread_self(), SIGUSR1);
	VERIFY(handler_ok);
	VERIFY(!sigaltstack(NULL, &now));
	VERIFY(now.ss_sp == on_alternate && now.ss_size == sizeof(on_alternate) && !now.ss_flags);
	return arg;
}

/* Waits with another mask than it has. */
static void *suspend_thread(void *arg)
{
	sigset_t mask, before, after;

	pthread_sigmask(SIG_BLOCK, NULL, &before);
	sigaddset(&before, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	mask = before;
	sigdelset(&mask, SIGUSR2);
	suspended = 1;
	VERIFY(sigsuspend(&mask) == -1 && errno == EINTR);
	VERIFY(woken);
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	VERIFY(sigismember(&after, SIGUSR2) && sigismember(&after, SIGHUP) &&
	       !sigismember(&after, SIGINT));
	sigpending(&after);			/* this thread's own, by pthread_kill() */
	VERIFY(sigismember(&after, SIGHUP));
	return arg;
}

static void queue(pid_t tid, int sig, int value)
{
	siginfo_t info = { .si_signo = sig, .si_code = SI_QUEUE };

	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = value;
	if (tid)
		MUST(!syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, sig, &info));
	else
		MUST(!syscall(SYS_rt_sigqueueinfo, getpid(), sig, &info));
}

static void take(int sig, int value)
{
	struct timespec none = { 0, 0 };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	if (!VERIFY(sigtimedwait(&set, &info, &none) == sig))
		return;
	VERIFY(info.si_value.sival_int == value && info.si_code == SI_QUEUE &&
	       info.si_pid == getpid() && info.si_uid == getuid());
}

static void check_actions(void)
{
	struct sigaction sa;

	VERIFY(!sigaction(SIGUSR1, NULL, &sa));
	VERIFY(sa.sa_sigaction == on_usr1 && (sa.sa_flags & SA_SIGINFO) &&
	       (sa.sa_flags & SA_ONSTACK) && sigismember(&sa.sa_mask, SIGTERM));
	VERIFY(!sigaction(SIGPIPE, NULL, &sa) && sa.sa_handler == SIG_IGN);
	VERIFY(!sigaction(SIGWINCH, NULL, &sa) && sa.sa_handler == SIG_DFL);
	VERIFY(!sigaction(SIGRTMAX, NULL, &sa) && (sa.sa_flags & SA_NODEFER));
	VERIFY(!sigaction(SIGXFSZ, NULL, &sa) && sa.sa_handler == on_tick &&
	       (sa.sa_flags & SA_RESETHAND));
}

static void set_actions(void)
{
	struct sigaction usr1 = { .sa_sigaction = on_usr1, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	struct sigaction usr2 = { .sa_handler = on_usr2 };
	struct sigaction rt = { .sa_handler = on_tick, .sa_flags = SA_NODEFER };
	struct sigaction once = { .sa_handler = on_tick, .sa_flags = SA_RESETHAND };

	sigaddset(&usr1.sa_mask, SIGTERM);
	sigaction(SIGUSR1, &usr1, NULL);
	sigaction(SIGUSR2, &usr2, NULL);
	sigaction(SIGRTMAX, &rt, NULL);
	sigaction(SIGXFSZ, &once, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	pthread_t handler, suspender;
	sigset_t blocked, now, pending;
	unsigned int sent = 0;
	int i;

	work_begin(argc, argv);
	main_thread = pthread_self();
	set_actions();
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGRTMIN);
	sigaddset(&blocked, SIGRTMIN + 1);
	sigaddset(&blocked, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &blocked, NULL);
	MUST(!pthread_create(&handler, NULL, handler_thread, NULL));
	MUST(!pthread_create(&suspender, NULL, suspend_thread, NULL));
	while (!in_handler || !suspended)
		pause_ms(1);
	for (i = 0; i < QUEUED; i++) {
		queue(syscall(SYS_gettid), SIGRTMIN, i);
		queue(0, SIGRTMIN + 1, 100 + i);
	}
	pthread_kill(main_thread, SIGHUP);
	pthread_kill(suspender, SIGHUP);
	work_ready();
	while (working()) {
		pthread_kill(main_thread, SIGRTMAX);
		sent++;
		pause_ms(5);
	}
	VERIFY(ticks == sent);
	check_actions();
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	VERIFY(sigismember(&now, SIGRTMIN) && sigismember(&now, SIGHUP) &&
	       !sigismember(&now, SIGUSR1) && !sigismember(&now, SIGTERM));
	sigpending(&pending);
	VERIFY(sigismember(&pending, SIGHUP) && !sigismember(&pending, SIGUSR2));
	for (i = 0; i < QUEUED; i++) {
		take(SIGRTMIN, i);
		take(SIGRTMIN + 1, 100 + i);
	}
	sigpending(&pending);
	VERIFY(!sigismember(&pending, SIGRTMIN) && !sigismember(&pending, SIGRTMIN + 1));
	queue(0, SIGRTMIN + 1, 7);	/* and new ones still arrive */
	take(SIGRTMIN + 1, 7);
	leave_handler = 1;
	pthread_kill(suspender, SIGUSR2);
	pthread_join(handler, NULL);
	pthread_join(suspender, NULL);
	return work_end();
}
