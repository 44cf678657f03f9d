// SPDX-License-Identifier: GPL-2.0
/*
 * tty.c - the caller's terminal: raw and back
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "tty.h"

/* struct termios2 cannot be included beside <termios.h>: 44 bytes, see asm/termbits.h. */
#define TERMIOS2_SIZE	44
#define GET_TERMIOS2	_IOC(_IOC_READ, 'T', 0x2a, TERMIOS2_SIZE)

/* For the handlers below, which know no struct tty: what to put back, and where. */
static struct {
	volatile sig_atomic_t raw;
	int fd;
	struct termios settings;
} saved;

/* Async-signal-safe.  With SIGTTOU blocked, a change from the background is let pass. */
static void put_back(void)
{
	sigset_t set, old;

	if (!saved.raw)
		return;
	saved.raw = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGTTOU);
	sigprocmask(SIG_BLOCK, &set, &old);
	tcsetattr(saved.fd, TCSADRAIN, &saved.settings);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void crashed(int sig)
{
	put_back();
	signal(sig, SIG_DFL);
	raise(sig);
}

static void guard_exits(void)
{
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGXCPU };
	static bool guarded;

	if (guarded)
		return;
	guarded = true;
	atexit(put_back);
	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		signal(crashes[i], crashed);
}

/* A description of its own may be O_NONBLOCK without that showing elsewhere. */
static int open_output(int fd)
{
	char path[32];
	int own;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return own < 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : own;
}

bool tty_find(struct tty *tty)
{
	static const int order[] = { 1, 2, 0 };
	struct stat st[3];

	memset(tty, 0, sizeof(*tty));
	tty->in = -1;
	for (int fd = 0; fd < 3; fd++) {
		if (!isatty(fd) || fstat(fd, &st[fd]))
			continue;
		if (!tty->fds)
			tty->terminal = fd;
		if (st[fd].st_rdev == st[tty->terminal].st_rdev)
			tty->fds |= 1u << fd;
	}
	if (!tty->fds)
		return false;
	for (int i = 2; i >= 0; i--)
		if (tty->fds & 1u << order[i])
			tty->terminal = order[i];
	if (tty->fds & 1)
		tty->in = STDIN_FILENO;
	tty->out = open_output(tty->terminal);
	if (!(tty->fds & 1) && tty->fds & 2 && tcgetpgrp(tty->terminal) >= 0) {
		tty->in = tty->out;
		tty->keys_only = true;
	}
	return tty->out >= 0;
}

int tty_settings(const struct tty *tty, uint8_t termios[64], uint16_t *rows, uint16_t *cols)
{
	uint64_t window = tty_window(tty);

	memset(termios, 0, 64);
	*rows = (uint16_t)(window >> 16);
	*cols = (uint16_t)window;
	return ioctl(tty->terminal, GET_TERMIOS2, termios) ? -errno : 0;
}

uint64_t tty_window(const struct tty *tty)
{
	struct winsize size = { 0 };

	ioctl(tty->terminal, TIOCGWINSZ, &size);
	return (uint64_t)size.ws_row << 16 | size.ws_col;
}

/* A terminal that is not the controlling one knows no foreground. */
bool tty_in_foreground(const struct tty *tty)
{
	pid_t group = tcgetpgrp(tty->terminal);

	return group == getpgrp() || (group < 0 && errno == ENOTTY);
}

static void note_newlines(struct tty *tty)
{
	struct termios now;

	tty->own_newlines = !tcgetattr(tty->terminal, &now) &&
			    (now.c_oflag & (OPOST | ONLCR)) == (OPOST | ONLCR);
}

/* Another program of the job has made it raw, and will put it back. */
static bool is_taken(const struct tty *tty)
{
	return tty->keys_only && !(saved.settings.c_lflag & (ICANON | ECHO));
}

void tty_take(struct tty *tty)
{
	struct termios raw;

	if (!tty->raw && tty->in >= 0 && tty_in_foreground(tty) &&
	    !tcgetattr(tty->terminal, &saved.settings) && !is_taken(tty)) {
		guard_exits();
		saved.fd = tty->terminal;
		saved.raw = 1;
		raw = saved.settings;
		cfmakeraw(&raw);
		if (tty->keys_only) {
			raw.c_lflag |= saved.settings.c_lflag & ISIG;
			raw.c_oflag = saved.settings.c_oflag;
		}
		tty->raw = !tcsetattr(tty->terminal, TCSADRAIN, &raw);
		if (!tty->raw)
			saved.raw = 0;
	}
	note_newlines(tty);
}

void tty_restore(struct tty *tty)
{
	/* In the background it belongs to a shell that has its own idea of it. */
	if (tty_in_foreground(tty))
		put_back();
	saved.raw = 0;
	tty->raw = false;
	note_newlines(tty);
}

static bool has_bare_newline(const struct tty *tty, const char *from, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (from[i] == '\n' && (i ? from[i - 1] != '\r' : !tty->cr_pending))
			return true;
	return false;
}

/*
 * The rest of the job may write to the terminal, too, and wants its newlines made;
 * a program that paints the whole screen has had that turned off.
 */
static void pass_newlines(struct tty *tty)
{
	struct termios now;

	if (tcgetattr(tty->terminal, &now))
		return;
	now.c_oflag &= ~(tcflag_t)OPOST;
	tty->own_newlines = !!tcsetattr(tty->terminal, TCSADRAIN, &now);
}

size_t tty_filter(struct tty *tty, const char *from, size_t length, char *to)
{
	size_t kept = 0;

	if (tty->own_newlines && tty->raw && has_bare_newline(tty, from, length))
		pass_newlines(tty);
	if (tty->cr_pending && length && (from[0] != '\n' || !tty->own_newlines))
		to[kept++] = '\r';
	if (length)
		tty->cr_pending = false;
	for (size_t i = 0; i < length; i++) {
		bool last = i + 1 == length;

		if (tty->own_newlines && from[i] == '\r' && last)
			tty->cr_pending = true;
		else if (!tty->own_newlines || from[i] != '\r' || from[i + 1] != '\n')
			to[kept++] = from[i];
	}
	return kept;
}
