// SPDX-License-Identifier: GPL-2.0
/*
 * top.c - continuumctl top: the terminal, the clock, and the kernel's answers
 *
 * One dump of the peers and one of the processes a second, whatever else happens.
 * Signals come as a descriptor, so that the terminal is put back by one way only;
 * but for SIGTSTP, which ncurses knows how to handle.
 */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <time.h>

#define NCURSES_WIDECHAR 1
#include <curses.h>

#include "output.h"
#include "top.h"

#define SECOND_NS	1000000000ull

struct screen {
	struct top top;
	SCREEN *terminal;
	struct netlink *ask, *listen;	/* NULL: to be opened anew */
	int signals;
	attr_t tones[TONES];
	short pairs[TONES];
};

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* ---- the kernel ---- */

static struct netlink *open_one(int *error)
{
	struct netlink *nl = malloc(sizeof(*nl));

	*error = nl ? netlink_open(nl) : -ENOMEM;
	if (!*error)
		return nl;
	free(nl);
	return NULL;
}

static void close_one(struct netlink **nl)
{
	if (*nl)
		close_netlink(*nl);
	*nl = NULL;
}

static void open_sockets(struct screen *s, int *error)
{
	*error = 0;
	if (!s->ask)
		s->ask = open_one(error);
	if (s->ask && !s->listen) {
		s->listen = open_one(error);
		if (s->listen && netlink_listen(s->listen))
			close_one(&s->listen);
		*error = 0;		/* it goes without */
	}
}

static int sample(struct screen *s, char why[256])
{
	struct list peers = { 0 }, processes = { 0 };
	struct node node;
	int error = cluster_node(s->ask, &node);

	if (!error && !node.up)
		error = -ENETDOWN;
	if (!error)
		error = cluster_peers(s->ask, &peers);
	if (!error)
		error = cluster_processes(s->ask, false, &processes);
	if (error)
		snprintf(why, 256, "%s", netlink_text_of(s->ask, error));
	else
		error = top_sample(&s->top, &node, &peers, &processes, clock_ns(), time(NULL));
	free(peers.items);
	free(processes.items);
	return error;
}

/* A family that was there once may be another after the module was loaded again. */
static void sample_again(struct screen *s)
{
	char why[256] = "the module is not loaded on this machine (continuumctl up)";
	int error;

	open_sockets(s, &error);
	if (!error && s->ask)
		error = sample(s, why);
	if (!error)
		return;
	top_trouble(&s->top, why, time(NULL));
	if (error != -ENETDOWN) {
		close_one(&s->ask);
		close_one(&s->listen);
	}
}

static void take_event(const struct nlmsghdr *message, void *data)
{
	struct event event;

	cluster_event(message, &event);
	top_take_event(data, &event);
}

static void take_events(struct screen *s)
{
	struct event missed = { .type = EVENT_MISSED, .text = "events came faster than they were read" };
	int error;

	do {
		error = netlink_events(s->listen, take_event, &s->top);
		if (error == -ENOBUFS) {
			missed.time_ns = (uint64_t)time(NULL) * SECOND_NS;
			top_take_event(&s->top, &missed);
		}
	} while (!error || error == -ENOBUFS);
	if (error != -EAGAIN)
		close_one(&s->listen);
}

/* ---- the terminal ---- */

static void set_tones(struct screen *s)
{
	static const short colors[TONES] = {
		[TONE_GOOD] = COLOR_GREEN, [TONE_WARM] = COLOR_YELLOW, [TONE_BAD] = COLOR_RED,
	};
	const char *no_color = getenv("NO_COLOR");

	s->tones[TONE_BOLD] = A_BOLD;
	s->tones[TONE_DIM] = A_DIM;
	s->tones[TONE_HEAD] = A_REVERSE;
	s->tones[TONE_BAD] = A_BOLD;
	if ((no_color && *no_color) || !has_colors() || start_color() == ERR)
		return;
	use_default_colors();
	for (short tone = 0; tone < TONES; tone++) {
		if (!colors[tone] || init_pair(tone, colors[tone], -1) == ERR)
			continue;
		s->pairs[tone] = tone;
	}
}

static int terminal_begin(struct screen *s)
{
	const char *name = getenv("TERM");

	setlocale(LC_CTYPE, "");
	s->top.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	s->terminal = newterm(NULL, stdout, stdin);
	if (!s->terminal)
		return fail(-ENOTTY, "top: the terminal \"%s\" is not known, or can too little (TERM)",
			    name ? name : "");
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	set_tones(s);
	return DONE;
}

static void terminal_end(struct screen *s)
{
	endwin();
	delscreen(s->terminal);
}

/* Cells of one tone at a time: ncurses sends only what has changed. */
static void show(const struct screen *s, const struct canvas *c)
{
	wchar_t text[512];

	for (int row = 0; row < c->rows; row++) {
		const struct cell *cells = c->cells + row * c->cols;

		for (int col = 0; col < c->cols; ) {
			int length = 0;
			uint8_t tone = cells[col].tone;

			while (col + length < c->cols && length < 511 && cells[col + length].tone == tone) {
				text[length] = cells[col + length].ch;
				length++;
			}
			text[length] = L'\0';
			attr_set(s->tones[tone], s->pairs[tone], NULL);
			mvaddnwstr(row, col, text, length);
			col += length;
		}
	}
	wrefresh(stdscr);
}

static int draw(struct screen *s)
{
	struct canvas canvas;

	if (canvas_init(&canvas, LINES, COLS))
		return -ENOMEM;
	top_draw(&s->top, &canvas);
	show(s, &canvas);
	canvas_free(&canvas);
	return 0;
}

static void resize(void)
{
	struct winsize size;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
	clearok(stdscr, TRUE);
}

static int key_of(int key)
{
	switch (key) {
	case KEY_UP:
		return TOP_UP;
	case KEY_DOWN:
		return TOP_DOWN;
	case KEY_PPAGE:
		return TOP_PAGE_UP;
	case KEY_NPAGE:
		return TOP_PAGE_DOWN;
	case KEY_HOME:
		return TOP_HOME;
	case KEY_END:
		return TOP_END;
	default:
		return key < 256 ? key : 0;
	}
}

/* Return: whether it goes on */
static bool take_keys(struct screen *s)
{
	int key;

	while ((key = getch()) != ERR) {
		if (key == 12)			/* Ctrl-L */
			clearok(stdscr, TRUE);
		else if (!top_key(&s->top, key_of(key)))
			return false;
	}
	return true;
}

/* ---- signals ---- */

static int signals_begin(void)
{
	static const int all[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		sigaddset(&set, all[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Return: the signal that ends it, or 0 */
static int take_signals(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGWINCH)
			return (int)info.ssi_signo;
		resize();
	}
	return 0;
}

/* With the terminal as it was, end of the signal itself, as others expect it. */
static void die_of(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	signal(sig, SIG_DFL);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* ---- all of it ---- */

static int wait_until(struct screen *s, uint64_t due, struct pollfd fds[3])
{
	uint64_t now = clock_ns();
	int ms = due > now ? (int)((due - now) / 1000000) + 1 : 0;

	fds[0] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
	fds[2] = (struct pollfd){ .fd = s->listen ? mnl_socket_get_fd(s->listen->socket) : -1,
				  .events = POLLIN };
	return poll(fds, 3, ms) < 0 && errno != EINTR ? -errno : 0;
}

/* Return: the signal that ended it, or 0, or -errno */
static int run(struct screen *s)
{
	uint64_t due = 0;
	struct pollfd fds[3];

	for (;;) {
		int error, sig;

		if (clock_ns() >= due) {
			sample_again(s);
			due = clock_ns() + SECOND_NS;
		}
		error = draw(s);
		if (!error)
			error = wait_until(s, due, fds);
		if (error)
			return error;
		sig = take_signals(s->signals);
		if (sig)
			return sig;
		if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))
			return SIGHUP;
		if (!take_keys(s))
			return 0;
		if (s->listen && fds[2].revents)
			take_events(s);
	}
}

int command_top(int argc, char **argv)
{
	struct screen screen = { .signals = -1 };
	int result, status;

	if (next_option(argc, argv, "", NULL) < 0)
		return USAGE;
	if (optind < argc)
		return usage_error("\"%s\" is too much", argv[optind]);
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return fail(-ENOTTY, "top needs a terminal; \"continuumctl peers\" and \"ps\" list the same");
	screen.ask = open_netlink(&status);
	if (!screen.ask)
		return status;
	screen.signals = signals_begin();
	if (screen.signals < 0)
		return fail(-errno, "top: %s", strerror(errno));
	status = terminal_begin(&screen);
	if (status)
		return status;
	result = run(&screen);
	terminal_end(&screen);
	close_one(&screen.ask);
	close_one(&screen.listen);
	top_free(&screen.top);
	if (result > 0 && result != SIGINT)
		die_of(result);
	return result < 0 ? fail(result, "top: %s", strerror(-result)) : DONE;
}
