// SPDX-License-Identifier: GPL-2.0
/*
 * labc - the compiled half of `lab`: talks to a lab's daemon.
 *
 *	labc DIR exec [-u USER] [-t] [-F] [-e NAME=VALUE]... NODE [--] COMMAND...
 *	labc DIR ask WORD...	one request; prints the answer
 *	labc DIR wait NODE	until it is up (0) or has failed (1)
 *	labc DIR daemon		prints the daemon's pid, or fails: nobody holds the lock
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

#define OPEN_TIMEOUT_MS		60000	/* for the agent to start a command */
#define SIGNAL_TIMEOUT_MS	3000	/* for a command to heed SIGINT and its kin */

static const char *dir;
static int sock = -1;
static struct buf rx, tx;
static struct termios saved;
static bool raw;

static void restore_tty(void)
{
	if (raw)
		tcsetattr(0, TCSADRAIN, &saved);
	raw = false;
}

__attribute__((noreturn, format(printf, 1, 2)))
static void fail(const char *fmt, ...)
{
	va_list ap;

	restore_tty();
	va_start(ap, fmt);
	fprintf(stderr, "lab: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(LAB_FAILED);
}

static const char *lab_name(void)
{
	const char *slash = strrchr(dir, '/');

	return slash ? slash + 1 : dir;
}

/* Through /proc/self/fd, because a socket address holds only 107 bytes of path. */
static bool try_connect(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int d = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = -1;

	if (d < 0)
		return false;
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/ctl", d);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock >= 0)
		r = connect(sock, (struct sockaddr *)&a, sizeof(a));
	close(d);
	return r == 0;
}

static void must_connect(void)
{
	if (!try_connect())
		fail("lab \"%s\" is not up (start it: lab%s%s up)", lab_name(),
		     strcmp(lab_name(), "default") ? " -L " : "",
		     strcmp(lab_name(), "default") ? lab_name() : "");
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

/* ---- exec ---- */

struct output {
	int fd;
	struct buf b;
	uint32_t done;			/* written, not yet credited */
	bool fifo, eof, broken;
};

struct exec {
	const char *node, *user;
	bool tty, fixed;
	char **env, **argv;
	int nr_env;

	struct output out[2];
	int64_t credit;			/* of standard input */
	bool in_eof, opened, ended;
	int status;
	uint64_t deadline;		/* ms; 0: none */
	int signalled;
	int sigfd;
};

static void usage_exec(void)
{
	fprintf(stderr, "usage: lab exec [-u USER] [-t] [-e NAME=VALUE]... NODE [--] COMMAND...\n");
	exit(LAB_FAILED);
}

static void parse_exec(struct exec *x, int argc, char **argv)
{
	int opt;

	x->env = calloc(argc + 2, sizeof(char *));
	optind = 1;
	while ((opt = getopt(argc, argv, "+u:tFe:")) != -1) {
		if (opt == 'u')
			x->user = optarg;
		else if (opt == 't')
			x->tty = true;
		else if (opt == 'F')
			x->fixed = true;
		else if (opt == 'e' && strchr(optarg, '='))
			x->env[x->nr_env++] = optarg;
		else
			usage_exec();
	}
	if (optind < argc)
		x->node = argv[optind++];
	if (optind < argc && !strcmp(argv[optind], "--"))
		optind++;
	if (!x->node || optind >= argc)
		usage_exec();
	x->argv = argv + optind;
}

static struct lab_winsize window_size(void)
{
	struct winsize w;

	if (ioctl(0, TIOCGWINSZ, &w) < 0 && ioctl(1, TIOCGWINSZ, &w) < 0)
		return (struct lab_winsize){ 24, 80 };
	return (struct lab_winsize){ w.ws_row, w.ws_col };
}

static void add_string(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s) + 1);
}

static void send_open(struct exec *x)
{
	struct lab_open o = { .size = window_size() };
	struct buf b = {};
	const char *term = getenv("TERM");
	char env[64];

	o.flags = (x->tty ? LAB_OPEN_TTY : 0) | (x->fixed ? LAB_OPEN_FIXED : 0);
	buf_add(&b, &o, sizeof(o));
	add_string(&b, x->user ? x->user : "");
	if (x->tty) {
		snprintf(env, sizeof(env), "TERM=%s", term && *term ? term : "dumb");
		add_string(&b, env);
	}
	for (int i = 0; i < x->nr_env; i++)
		add_string(&b, x->env[i]);
	add_string(&b, "");
	for (int i = 0; x->argv[i]; i++)
		add_string(&b, x->argv[i]);
	if (buf_used(&b) > LAB_FRAME_MAX)
		fail("the command is longer than %u KiB", LAB_FRAME_MAX >> 10);
	frame_put(&tx, LAB_ATTACH, 0, 0, x->node, strlen(x->node));
	frame_put(&tx, LAB_OPEN, 0, 0, buf_head(&b), buf_used(&b));
	buf_free(&b);
}

static void make_raw(void)
{
	struct termios t;

	if (tcgetattr(0, &saved) < 0)
		return;
	t = saved;
	cfmakeraw(&t);
	tcsetattr(0, TCSADRAIN, &t);
	raw = true;
	atexit(restore_tty);
}

static void read_stdin(struct exec *x)
{
	char chunk[LAB_CHUNK];
	size_t max = x->credit < (int64_t)sizeof(chunk) ? (size_t)x->credit : sizeof(chunk);
	ssize_t n = read(0, chunk, max);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		x->in_eof = true;
		n = 0;
	}
	x->credit -= n;
	frame_put(&tx, LAB_DATA, LAB_STDIN, 0, chunk, n);
}

/* Never blocks where poll said "writable": a pipe then takes PIPE_BUF bytes. */
static void write_output(struct exec *x, int i)
{
	struct output *o = &x->out[i];
	size_t before = buf_used(&o->b);
	long n = before ? buf_write(&o->b, o->fd, o->fifo ? 4096 : LAB_CHUNK) : 0;

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		/* Nobody reads our output: let the command learn it as by SIGPIPE. */
		o->broken = true;
		buf_drop(&o->b, before);
		n = before;
		frame_put_u32(&tx, LAB_SIGNAL, 0, 0, SIGPIPE);
	}
	if (n > 0)
		o->done += n;
	if (o->done >= LAB_WINDOW / 4) {
		frame_put_u32(&tx, LAB_CREDIT, LAB_STDOUT + i, 0, o->done);
		o->done = 0;
	}
}

static void on_signals(struct exec *x)
{
	struct signalfd_siginfo s;
	struct lab_winsize size = window_size();

	while (read(x->sigfd, &s, sizeof(s)) == sizeof(s)) {
		if (s.ssi_signo == SIGWINCH) {
			if (x->tty)
				frame_put(&tx, LAB_WINCH, 0, 0, &size, sizeof(size));
			continue;
		}
		if (x->signalled) {
			restore_tty();
			exit(128 + s.ssi_signo);
		}
		x->signalled = s.ssi_signo;
		x->deadline = now_ms() + SIGNAL_TIMEOUT_MS;
		frame_put_u32(&tx, LAB_SIGNAL, 0, 0, s.ssi_signo);
	}
}

static void on_frame(struct exec *x, const struct lab_frame *f, const char *payload)
{
	struct output *o = &x->out[f->stream == LAB_STDERR];

	switch (f->type) {
	case LAB_OPENED:
		x->opened = true;
		if (!x->signalled)
			x->deadline = 0;
		break;
	case LAB_DATA:
		if (o->broken)
			break;
		buf_add(&o->b, payload, f->len);
		break;
	case LAB_CREDIT:
		x->credit += frame_u32(f, payload);
		break;
	case LAB_EXIT:
		x->status = frame_u32(f, payload);
		x->ended = true;
		break;
	case LAB_FAIL:
		restore_tty();
		fprintf(stderr, "lab: %.*s\n", (int)f->len - 4, payload + 4);
		x->status = frame_u32(f, payload);
		x->ended = true;
		break;
	}
}

static void receive(struct exec *x)
{
	struct lab_frame f;
	const char *payload;
	long n = buf_read(&rx, sock, 64 << 10);
	int r;

	if (n == 0 || (n < 0 && errno != EAGAIN))
		fail("the lab went down");
	while ((r = frame_get(&rx, &f, &payload)) > 0) {
		on_frame(x, &f, payload);
		frame_drop(&rx, &f);
	}
	if (r < 0)
		fail("damaged stream from the lab's daemon");
}

static void timed_out(struct exec *x)
{
	if (x->signalled) {
		restore_tty();
		fprintf(stderr, "lab: the command on %s did not end by signal %d; it is killed and left\n",
			x->node, x->signalled);
		exit(128 + x->signalled);
	}
	fail("%s does not answer (see: lab console %s)", x->node, x->node);
}

static void turn(struct exec *x)
{
	bool read_in = x->opened && !x->in_eof && !x->ended && x->credit > 0;
	struct pollfd p[5] = {
		{ .fd = sock, .events = POLLIN | (buf_used(&tx) ? POLLOUT : 0) },
		{ .fd = x->sigfd, .events = POLLIN },
		{ .fd = read_in ? 0 : -1, .events = POLLIN },
		{ .fd = buf_used(&x->out[0].b) ? x->out[0].fd : -1, .events = POLLOUT },
		{ .fd = buf_used(&x->out[1].b) ? x->out[1].fd : -1, .events = POLLOUT },
	};
	uint64_t now = now_ms();
	int wait = !x->deadline ? -1 : x->deadline > now ? (int)(x->deadline - now) : 0;

	if (x->ended)
		p[0].fd = -1;
	if (poll(p, 5, wait) == 0 && x->deadline)
		timed_out(x);
	if (p[1].revents)
		on_signals(x);
	if (p[2].revents)
		read_stdin(x);
	for (int i = 0; i < 2; i++)
		if (p[3 + i].revents)
			write_output(x, i);
	if (p[0].revents & ~POLLOUT)
		receive(x);
	if (buf_used(&tx) && !x->ended && buf_write(&tx, sock, buf_used(&tx)) < 0 &&
	    errno != EAGAIN && errno != EPIPE)
		fail("cannot write to the lab's daemon: %s", strerror(errno));
}

static void watch_signals(struct exec *x)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	x->sigfd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int cmd_exec(int argc, char **argv)
{
	struct exec x = { .credit = LAB_WINDOW };
	struct stat st;

	parse_exec(&x, argc, argv);
	must_connect();
	fcntl(sock, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 2; i++) {
		x.out[i].fd = 1 + i;
		x.out[i].fifo = fstat(1 + i, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode);
	}
	watch_signals(&x);
	x.deadline = now_ms() + OPEN_TIMEOUT_MS;
	send_open(&x);
	if (x.tty)
		make_raw();
	while (!x.ended || buf_used(&x.out[0].b) || buf_used(&x.out[1].b))
		turn(&x);
	restore_tty();
	return x.status;
}

/* ---- requests ---- */

/* Send the words, put the answer's text into `answer`; its exit status. */
static int request(int argc, char **argv, struct buf *answer)
{
	struct buf words = {};
	struct lab_frame f;
	const char *payload;
	int status = -1;

	for (int i = 0; i < argc; i++)
		add_string(&words, argv[i]);
	frame_put(&tx, LAB_TEXT, 0, 0, buf_head(&words), buf_used(&words));
	buf_free(&words);
	while (buf_used(&tx))
		if (buf_write(&tx, sock, buf_used(&tx)) < 0)
			fail("the lab went down");
	while (status < 0) {
		if (buf_read(&rx, sock, 64 << 10) <= 0)
			fail("the lab went down");
		while (status < 0 && frame_get(&rx, &f, &payload) > 0) {
			if (f.type == LAB_TEXT)
				buf_add(answer, payload, f.len);
			else if (f.type == LAB_EXIT)
				status = frame_u32(&f, payload);
			frame_drop(&rx, &f);
		}
	}
	return status;
}

static int cmd_ask(int argc, char **argv)
{
	struct buf answer = {};
	int status;

	if (argc < 2)
		fail("ask what?");
	must_connect();
	status = request(argc - 1, argv + 1, &answer);
	if (status && buf_used(&answer))
		fprintf(stderr, "lab: ");
	fwrite(buf_head(&answer), 1, buf_used(&answer), status ? stderr : stdout);
	return status;
}

static int cmd_wait(int argc, char **argv)
{
	struct buf answer = {};

	if (argc != 2)
		fail("wait for which node?");
	must_connect();
	for (;;) {
		char *words[] = { "state", argv[1], NULL };
		int status = request(2, words, &answer);
		bool down = buf_used(&answer) >= 4 && !memcmp(buf_head(&answer), "down", 4);
		bool booting = buf_used(&answer) >= 4 && !memcmp(buf_head(&answer), "boot", 4);

		if (status || !booting) {
			fwrite(buf_head(&answer), 1, buf_used(&answer), stdout);
			return status || down;
		}
		buf_drop(&answer, buf_used(&answer));
		poll(NULL, 0, 30);
	}
}

static int cmd_daemon(int argc, char **argv)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[4096];
	int fd;

	(void)argc;
	(void)argv;
	snprintf(path, sizeof(path), "%s/lock", dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fcntl(fd, F_GETLK, &l) < 0 || l.l_type == F_UNLCK)
		return 1;
	printf("%d\n", l.l_pid);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: labc DIR exec|ask|wait|daemon ... (lab runs it)\n");
		return LAB_FAILED;
	}
	dir = argv[1];
	if (!strcmp(argv[2], "exec"))
		return cmd_exec(argc - 2, argv + 2);
	if (!strcmp(argv[2], "ask"))
		return cmd_ask(argc - 2, argv + 2);
	if (!strcmp(argv[2], "wait"))
		return cmd_wait(argc - 2, argv + 2);
	if (!strcmp(argv[2], "daemon"))
		return cmd_daemon(argc - 2, argv + 2);
	fail("labc does not know \"%s\"", argv[2]);
}
