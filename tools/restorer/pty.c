/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pty.c - a pseudo terminal: making it, and its state
 *
 * The line discipline keeps input as cooked bytes: lines, the line being edited,
 * and an end of file as a NUL.  It is read raw and put back byte by byte with
 * TIOCSTI, through settings that keep lines but change and echo nothing.
 */
#include "pty.h"
#include "str.h"
#include <asm/errno.h>
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <asm/termios.h>

#define COOKED_MAX	4095u		/* what the line discipline holds; more waits before it */
#define IFLAG_CHANGES	(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IUCLC | \
			 IXON | IXANY | IXOFF)
#define LFLAG_SHOWS	(ISIG | ECHO | ECHOE | ECHOK | ECHONL | ECHOCTL | ECHOPRT | ECHOKE)

_Static_assert(sizeof(struct termios2) == 44, "termios2");

long pty_slave(int master, unsigned int oflags)
{
	return SYS(ioctl, master, TIOCGPTPEER,
		   (oflags & (O_ACCMODE | O_NONBLOCK)) | O_NOCTTY | O_CLOEXEC);
}

long pty_make(int *master, int *slave, __u32 uid)
{
	int unlock = 0;
	long m, s, ret;

	m = sys_open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (m < 0)
		return m;
	ret = SYS(ioctl, m, TIOCSPTLCK, &unlock);
	if (ret)
		goto err_master;
	ret = s = pty_slave(m, O_RDWR);
	if (s < 0)
		goto err_master;
	ret = SYS(fchown, s, uid, -1);
	if (!ret)
		ret = SYS(fchmod, s, 0620);
	if (!ret)
		ret = SYS(ioctl, s, TIOCSCTTY, 0);
	if (ret)
		goto err_slave;
	*master = m;
	*slave = s;
	return 0;

err_slave:
	SYS(close, s);
err_master:
	SYS(close, m);
	return ret;
}

long pty_size(int master, unsigned int rows, unsigned int cols)
{
	struct winsize w = { .ws_row = rows, .ws_col = cols };

	return SYS(ioctl, master, TIOCSWINSZ, &w);
}

long pty_foreground(int slave, int pgrp)
{
	return SYS(ioctl, slave, TIOCSPGRP, &pgrp);
}

long pty_termios(int slave, const void *bytes)
{
	struct termios2 t;

	memcpy(&t, bytes, sizeof(t));
	return SYS(ioctl, slave, TCSETS2, &t);
}

/* ---- saving ------------------------------------------------------------------ */

/* all input, by ourselves in the foreground: the background may not read */
static long input_take(int slave, __u8 *buf, size_t max)
{
	size_t have = 0;
	long n = 1;
	long flags = SYS(fcntl, slave, F_GETFL);

	SYS(fcntl, slave, F_SETFL, flags | O_NONBLOCK);
	while (have < max && n > 0) {
		n = SYS(read, slave, buf + have, max - have);
		if (n > 0)
			have += n;
	}
	SYS(fcntl, slave, F_SETFL, flags);
	return n < 0 && n != -EAGAIN ? n : (long)have;
}

long pty_save(int slave, struct ctm_tty_state *state, size_t max)
{
	struct sys_pollfd settle = { .fd = slave, .events = POLLIN };
	struct termios2 t, raw;
	struct winsize w = { 0 };
	int pgrp = 0;
	long ret, n;

	/* what was typed just now passes the line discipline under the program's settings */
	SYS(poll, &settle, 1, 0);
	sys_nap(1000);
	memset(state, 0, sizeof(*state));
	ret = SYS(ioctl, slave, TCGETS2, &t);
	if (!ret)
		ret = SYS(ioctl, slave, TIOCGWINSZ, &w);
	if (!ret)
		ret = SYS(ioctl, slave, TIOCGPGRP, &pgrp);
	if (ret)
		return ret;
	memcpy(state->termios, &t, sizeof(t));
	state->rows = w.ws_row;
	state->cols = w.ws_col;
	state->fg_pgrp = pgrp;

	raw = t;
	raw.c_iflag &= ~IFLAG_CHANGES;
	raw.c_lflag &= ~(LFLAG_SHOWS | ICANON | IEXTEN | EXTPROC);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	ret = SYS(ioctl, slave, TCSETS2, &raw);
	if (ret)
		return ret;
	pty_foreground(slave, SYS(getpgid, 0));
	n = input_take(slave, state->in, max);
	if (pgrp > 0)
		pty_foreground(slave, pgrp);
	ret = SYS(ioctl, slave, TCSETS2, &t);
	if (n < 0)
		return n;
	state->in_len = n;
	return ret;
}

/* ---- putting back ------------------------------------------------------------ */

/* a byte that @state's input does not have: it stands for the end of file */
static int unused_byte(const struct ctm_tty_state *state, __u32 len)
{
	bool used[256] = { false };
	int c;

	for (__u32 i = 0; i < len; i++)
		used[state->in[i]] = true;
	for (c = 255; c > 0 && used[c]; c--)
		;
	return c;
}

long pty_refill(int master, int slave, const struct ctm_tty_state *state)
{
	__u32 len = state->in_len < COOKED_MAX ? state->in_len : COOKED_MAX, i;
	struct termios2 t, quiet;
	int eof = unused_byte(state, len);
	long ret;

	if (!state->in_len)
		return 0;
	memcpy(&t, state->termios, sizeof(t));
	quiet = t;
	quiet.c_iflag &= ~IFLAG_CHANGES;
	quiet.c_lflag &= ~LFLAG_SHOWS;
	quiet.c_cc[VERASE] = quiet.c_cc[VKILL] = quiet.c_cc[VWERASE] = 0;
	quiet.c_cc[VREPRINT] = quiet.c_cc[VLNEXT] = quiet.c_cc[VDISCARD] = 0;
	quiet.c_cc[VEOF] = t.c_lflag & ICANON ? eof : t.c_cc[VEOF];
	ret = SYS(ioctl, slave, TCSETS2, &quiet);
	for (i = 0; !ret && i < len; i++) {
		char c = state->in[i];

		if (!c && (t.c_lflag & ICANON) && eof)
			c = eof;
		ret = SYS(ioctl, slave, TIOCSTI, &c);
	}
	if (!ret)
		ret = SYS(ioctl, slave, TCSETS2, &t);
	/* it had not passed the line discipline yet: it does so when there is room */
	while (ret >= 0 && i < state->in_len) {
		ret = SYS(write, master, state->in + i, state->in_len - i);
		i += ret > 0 ? ret : 0;
	}
	return ret < 0 ? ret : 0;
}

long pty_load(int master, int slave, const struct ctm_tty_state *state)
{
	long ret;

	ret = pty_termios(slave, state->termios);
	if (!ret)
		ret = pty_size(master, state->rows, state->cols);
	if (!ret)
		ret = pty_refill(master, slave, state);
	if (!ret && state->fg_pgrp > 0) {
		ret = pty_foreground(slave, state->fg_pgrp);
		if (ret == -ESRCH || ret == -EPERM)	/* that group has ended since */
			ret = 0;
	}
	return ret;
}
