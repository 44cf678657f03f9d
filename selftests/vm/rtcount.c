// SPDX-License-Identifier: GPL-2.0
/*
 * rtcount.c - counts signals: each must come as often as it was sent
 *
 *   rtcount STOP COUNTS
 *
 * Handles SIGRTMIN to SIGRTMAX and SIGUSR1.  What came is written to COUNTS when
 * the process is told to by SIGUSR2, and at the end: a line "NUMBER TIMES" for each
 * signal.  Verifies that what a signal queued by itself carries is right, too.
 */
#include "workload.h"
#include <signal.h>

#define SIGNALS	65

static volatile unsigned int count[SIGNALS];
static volatile sig_atomic_t show, wrong_value;
static unsigned int own;		/* sigqueue()d by ourselves */

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (sig == SIGUSR2) {
		show = 1;
		return;
	}
	if (info->si_code == SI_QUEUE) {	/* ours */
		if (info->si_value.sival_int != sig * 1000 + 7)
			wrong_value = 1;
		own++;
		return;
	}
	count[sig]++;
}

static void write_counts(const char *path)
{
	char temporary[4096];
	FILE *f;
	int sig;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	f = fopen(temporary, "w");
	if (!VERIFY(f))
		return;
	for (sig = 1; sig < SIGNALS; sig++)
		if (count[sig])
			fprintf(f, "%d %u\n", sig, count[sig]);
	fprintf(f, "end\n");
	fclose(f);
	rename(temporary, path);
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };
	unsigned int sent = 0;
	int sig;

	work_begin(argc, argv);
	MUST(argc == 3);
	sigfillset(&sa.sa_mask);
	for (sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
		MUST(!sigaction(sig, &sa, NULL));
	MUST(!sigaction(SIGUSR1, &sa, NULL));
	MUST(!sigaction(SIGUSR2, &sa, NULL));
	work_ready();
	while (working()) {
		union sigval value = { .sival_int = (SIGRTMIN + sent % 5) * 1000 + 7 };

		VERIFY(!sigqueue(getpid(), SIGRTMIN + sent % 5, value));
		sent++;
		pause_ms(20);
		if (show) {
			show = 0;
			write_counts(argv[2]);
		}
	}
	write_counts(argv[2]);
	VERIFY(own == sent);
	VERIFY(!wrong_value);
	return work_end();
}
