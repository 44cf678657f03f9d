// SPDX-License-Identifier: GPL-2.0
/*
 * deputy.c - the deputy's loop: terminal bytes, events, signals
 *
 * One thread polls; servers.c has the threads that make the calls of remote
 * files, courier.c the one that sends signals, for both may block.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/continuum.h"
#include "courier.h"
#include "deputy.h"
#include "servers.h"
#include "tty.h"

#define CHUNK		4096
#define BACKGROUND_MS	250	/* how soon it is noticed that the job came to the foreground */
#define FAILED		125

static const int passed_on[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGTSTP,
};

/** struct buffer - bytes between @start and @end wait to be written */
struct buffer {
	size_t start, end;
	char bytes[CHUNK + 1];
};

/** struct session - the state of the loop */
struct session {
	struct deputy *deputy;
	struct tty *tty;
	int signals;
	bool ended;		/* the device has hung up, all output was read */
	bool have_status;
	int status;		/* wait(2)'s */
	struct buffer input;	/* from the terminal, for the process */
	struct buffer output;	/* from the process, for the terminal */
};

/* What was ignored when this program started (nohup, a background job of a script)
 * means the process as well. */
static bool is_ignored(int sig)
{
	struct sigaction action;

	return !sigaction(sig, NULL, &action) && action.sa_handler == SIG_IGN;
}

static void fill_signals(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		if (!is_ignored(passed_on[i]))
			sigaddset(set, passed_on[i]);
	sigaddset(set, SIGWINCH);
}

void deputy_block_signals(void)
{
	sigset_t set;

	fill_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int deputy_status(int status)
{
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WIFEXITED(status) ? WEXITSTATUS(status) : FAILED;
}

static bool is_empty(const struct buffer *buffer)
{
	return buffer->start == buffer->end;
}

/* ---- terminal ---- */

static void tell_window(struct session *s)
{
	struct ctm_event event = {
		.size = sizeof(event),
		.type = CTM_EV_WINSIZE,
		.value = tty_window(s->tty),
	};

	ioctl(s->deputy->device, CTM_IOC_TELL, &event);
}

static void read_terminal(struct session *s)
{
	ssize_t got;

	if (!tty_in_foreground(s->tty)) {
		tty_restore(s->tty);
		return;
	}
	got = read(s->tty->in, s->input.bytes, CHUNK);
	if (got > 0) {
		s->input.start = 0;
		s->input.end = (size_t)got;
	} else if (!got || (errno != EINTR && errno != EAGAIN)) {
		s->tty->in = -1;	/* hung up; the kernel sends SIGHUP */
	}
}

static void write_input(struct session *s)
{
	ssize_t put = write(s->deputy->device, s->input.bytes + s->input.start,
			    s->input.end - s->input.start);

	if (put >= 0)
		s->input.start += (size_t)put;
	else if (errno != EAGAIN && errno != EINTR)
		s->input.start = s->input.end;	/* nobody will read it */
}

static void read_output(struct session *s)
{
	char bytes[CHUNK];
	ssize_t got = read(s->deputy->device, bytes, sizeof(bytes));

	if (got > 0) {
		s->output.start = 0;
		s->output.end = tty_filter(s->tty, bytes, (size_t)got, s->output.bytes);
	} else if (!got || (errno != EAGAIN && errno != EINTR)) {
		s->ended = true;
	}
}

static void write_output(struct session *s)
{
	ssize_t put = write(s->tty->out, s->output.bytes + s->output.start,
			    s->output.end - s->output.start);

	if (put >= 0)
		s->output.start += (size_t)put;
	else if (errno != EAGAIN && errno != EINTR)
		s->output.start = s->output.end;	/* the terminal is gone */
}

/* ---- stops ---- */

/* In the foreground, or back in the background: the process goes on. */
static void resume(struct session *s)
{
	courier_send(SIGCONT, true);
	if (!s->tty)
		return;
	tty_take(s->tty);
	tell_window(s);
}

/*
 * The process has stopped, so this job stops, as the shell expects.  Ctrl-Z on a
 * terminal stops the whole job, but it was raw, so only the process has seen it:
 * the rest of the job is stopped here.  In an orphaned process group SIGTSTP
 * does nothing, and the process goes on at once.
 */
static void stop_self(struct session *s, int sig)
{
	bool whole_job = s->tty && s->tty->raw && sig == SIGTSTP;
	sigset_t stop, old;

	if (s->tty)
		tty_restore(s->tty);
	if (sig == SIGSTOP) {
		raise(SIGSTOP);
	} else {
		sigemptyset(&stop);
		sigaddset(&stop, sig);
		signal(sig, SIG_DFL);
		kill(whole_job ? 0 : getpid(), sig);
		sigprocmask(SIG_UNBLOCK, &stop, &old);	/* stops here */
		sigprocmask(SIG_SETMASK, &old, NULL);
	}
	resume(s);
}

/* ---- events and signals ---- */

static void take_event(struct session *s, const struct ctm_event *event)
{
	switch (event->type) {
	case CTM_EV_EXITED:
		s->have_status = true;
		s->status = (int)event->value;
		return;
	case CTM_EV_STOPPED:
		if (s->deputy->gpid)
			stop_self(s, (int)event->value);
		return;
	case CTM_EV_WORKER:
		servers_start(s->deputy->device);
		return;
	}
}

static void take_events(struct session *s)
{
	struct ctm_event event = { .size = sizeof(event) };

	while (!ioctl(s->deputy->device, CTM_IOC_EVENT, &event)) {
		take_event(s, &event);
		event = (struct ctm_event){ .size = sizeof(event) };
	}
}

static void take_signals(struct session *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		int sig = (int)info.ssi_signo;

		if (sig == SIGWINCH && s->tty)
			tell_window(s);
		else if (sig == SIGCONT)
			resume(s);
		else if (sig != SIGWINCH)
			courier_send(sig, info.ssi_code == SI_KERNEL);
	}
}

/* ---- the loop ---- */

enum { DEVICE, SIGNALS, TTY_IN, TTY_OUT, POLLED };

static void choose_polls(const struct session *s, struct pollfd polls[POLLED])
{
	bool reads = s->tty && s->tty->in >= 0 && is_empty(&s->input) && !s->ended &&
		     (s->tty->raw || (!s->tty->keys_only && tty_in_foreground(s->tty)));

	polls[DEVICE] = (struct pollfd){ .fd = s->ended ? -1 : s->deputy->device, .events = POLLPRI };
	if (s->tty && is_empty(&s->output))
		polls[DEVICE].events |= POLLIN;
	if (!is_empty(&s->input))
		polls[DEVICE].events |= POLLOUT;
	polls[SIGNALS] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
	polls[TTY_IN] = (struct pollfd){ .fd = reads ? s->tty->in : -1, .events = POLLIN };
	polls[TTY_OUT] = (struct pollfd){
		.fd = is_empty(&s->output) ? -1 : s->tty->out,
		.events = POLLOUT,
	};
}

static void device_ready(struct session *s, short events)
{
	if (events & POLLPRI)
		take_events(s);
	if (events & POLLOUT && !is_empty(&s->input))
		write_input(s);
	if (!s->tty) {
		s->ended |= !!(events & (POLLHUP | POLLERR));
		return;
	}
	if (events & (POLLIN | POLLHUP | POLLERR) && is_empty(&s->output))
		read_output(s);
}

/* It may have come to the foreground; no signal tells. */
static bool watches_foreground(const struct session *s)
{
	return s->tty && s->tty->in >= 0 && !s->tty->raw && !s->ended;
}

static void run_once(struct session *s)
{
	struct pollfd polls[POLLED];
	short device;

	choose_polls(s, polls);
	if (poll(polls, POLLED, watches_foreground(s) ? BACKGROUND_MS : -1) < 0)
		return;
	device = polls[DEVICE].revents;
	/* A hang-up is reported also while output waits: without this, a busy loop. */
	if (device & POLLHUP && s->tty && !is_empty(&s->output) && !(device & POLLPRI))
		poll(&polls[TTY_OUT], 1, -1);
	if (polls[TTY_OUT].revents)
		write_output(s);
	if (device)
		device_ready(s, device);
	if (polls[TTY_IN].revents)
		read_terminal(s);
	if (polls[SIGNALS].revents)
		take_signals(s);
	if (watches_foreground(s) && tty_in_foreground(s->tty)) {
		tty_take(s->tty);
		tell_window(s);
	}
}

static void write_pending_cr(struct session *s)
{
	if (s->tty && s->tty->cr_pending && write(s->tty->out, "\r", 1) < 0)
		return;
}

/* ---- the end ---- */

static const char *end_text(unsigned int end)
{
	switch (end) {
	case CTM_END_HOST_LOST:	return "its host was lost";
	case CTM_END_TTL:	return "its time to live ran out";
	case CTM_END_LEASE:	return "its lease ran out";
	case CTM_END_DESTROYED:	return "it was destroyed";
	default:		return NULL;
	}
}

/* What the exit record says beyond what the event said. */
static int exit_status(struct session *s)
{
	struct ctm_wait record;
	const char *text;

	if (!s->deputy->gpid)
		return s->have_status ? deputy_status(s->status) : FAILED;
	if (continuum_wait(s->deputy->device, s->deputy->gpid, CTM_WAIT_NOHANG, &record))
		return s->have_status ? deputy_status(s->status) : FAILED;
	text = end_text(record.end);
	if (text)
		fprintf(stderr, "continuumctl: the process ended: %s\n", text);
	return record.end == CTM_END_HOST_LOST ? FAILED : deputy_status(record.status);
}

static int open_signals(void)
{
	sigset_t set;

	fill_signals(&set);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int deputy_run(struct deputy *deputy)
{
	struct session s = { .deputy = deputy, .tty = deputy->tty };

	deputy_block_signals();
	s.signals = open_signals();
	if (s.signals < 0 || courier_start(deputy->device, deputy->gpid) ||
	    servers_start(deputy->device)) {
		fprintf(stderr, "continuumctl: deputy: %s\n", strerror(errno));
		return FAILED;
	}
	if (s.tty)
		tty_take(s.tty);
	while (!s.ended || !is_empty(&s.output))
		run_once(&s);
	take_events(&s);
	write_pending_cr(&s);
	if (s.tty)
		tty_restore(s.tty);
	return exit_status(&s);
}
