/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mind.c - the keeper minds its process until it has ended or left
 *
 * It relays the terminal, tells what becomes of the leader, and reaps.  Its
 * file's POLLHUP means that nothing here is wanted any more; that it exits, as
 * PID 1, ends whatever is left in the capsule.
 */
#include "keeper.h"
#include "pty.h"
#include "str.h"
#include <asm/errno.h>

#define TTY_SAVE_MS	3000		/* for the output before it, to leave */
#define LAST_REAP_MS	1000
#define W_STOPPED(s)	(((s) & 0xff) == 0x7f)
#define W_CONTINUED(s)	((s) == 0xffff)

static __attribute__((noreturn)) void leave(struct keeper *k)
{
	(void)k;
	SYS(kill, -1, SIGKILL);
	sys_exit(0);
}

static long tell(struct keeper *k, __u32 type, __u64 value, __u64 cpu_ns, const void *data,
		 __u32 len)
{
	struct ctm_event ev = {
		.size = sizeof(ev), .type = type, .value = value, .cpu_ns = cpu_ns,
		.data = (__u64)data, .data_len = len,
	};

	(void)k;
	return SYS(ioctl, KEEPER_DEVICE_FD, CTM_IOC_TELL, &ev);
}

/* ---- the terminal's bytes ------------------------------------------------------ */

static __u32 waiting(const struct relay *r)
{
	return r->to - r->from;
}

/* Each moves what can be moved now.  Return: bytes, 0 or -errno when none could be */
static long relay_read(struct relay *r, int fd, __u32 most)
{
	long n;

	if (waiting(r))
		return 0;
	n = SYS(read, fd, r->buf, most);
	r->from = 0;
	r->to = n > 0 ? n : 0;
	return n;
}

static long relay_write(struct relay *r, int fd)
{
	long n;

	if (!waiting(r))
		return 0;
	n = SYS(write, fd, r->buf + r->from, waiting(r));
	if (n > 0)
		r->from += n;
	return n;
}

/*
 * All that the terminal has for the reader goes out.  @ms: no longer than that,
 * -1: as long as it takes.  Return: 0, or -ETIMEDOUT with the rest kept
 */
static long output_drain(struct keeper *k, int ms)
{
	struct sys_pollfd p = { .fd = KEEPER_DEVICE_FD, .events = POLLOUT };
	__s64 until = sys_clock_ns(CLOCK_MONOTONIC) + ms * 1000000ll;

	for (;;) {
		if (!waiting(&k->out) && relay_read(&k->out, k->master, RELAY_BYTES) <= 0)
			return 0;
		p.revents = 0;
		SYS(poll, &p, 1, ms < 0 ? -1 : 100);
		if (p.revents & (POLLHUP | POLLERR))
			leave(k);
		if (p.revents & POLLOUT)
			relay_write(&k->out, KEEPER_DEVICE_FD);
		if (ms >= 0 && sys_clock_ns(CLOCK_MONOTONIC) > until)
			return -ETIMEDOUT;
	}
}

/* ---- a terminal that moves ------------------------------------------------------ */

/* Its users are frozen.  When it fails the module hears nothing, and gives up. */
static void terminal_save(struct keeper *k)
{
	struct ctm_tty_state *s = k->saved;
	__u32 rest = waiting(&k->in);

	if (k->master < 0 || output_drain(k, TTY_SAVE_MS))
		return;
	if (pty_save(k->slave, s, PTY_IN_MAX))
		return;
	/* input that the pty had no room for */
	if (rest > PTY_IN_MAX - s->in_len)
		rest = PTY_IN_MAX - s->in_len;
	memcpy(s->in + s->in_len, k->in.buf + k->in.from, rest);
	s->in_len += rest;
	k->in.from = k->in.to = 0;
	k->paused = true;
	tell(k, CTM_EV_TTY_STATE, 0, 0, s, sizeof(*s) + s->in_len);
}

static void terminal_keep(struct keeper *k)
{
	if (!k->paused)
		return;
	pty_refill(k->master, k->slave, k->saved);
	k->paused = false;
}

/* ---- events ---------------------------------------------------------------------- */

static void landed(struct keeper *k)
{
	if (!k->landing)
		return;
	k->landing = false;
	keeper_tell(k, KEEPER_LANDED);
}

static void event(struct keeper *k, const struct ctm_event *ev)
{
	switch (ev->type) {
	case CTM_EV_WINSIZE:
		if (k->master >= 0)
			pty_size(k->master, ev->value >> 16 & 0xffff, ev->value & 0xffff);
		break;
	case CTM_EV_TTY_SAVE:
		terminal_save(k);
		break;
	case CTM_EV_TTY_KEEP:
		terminal_keep(k);
		break;
	case CTM_EV_LANDED:
		landed(k);
		break;
	}
}

/* Return: why there is no more: -EAGAIN, or -EINVAL before the COMMIT of a landing */
static long events(struct keeper *k)
{
	long ret;

	for (;;) {
		struct ctm_event ev = { .size = sizeof(ev) };

		ret = SYS(ioctl, KEEPER_DEVICE_FD, CTM_IOC_EVENT, &ev);
		if (ret)
			return ret;
		event(k, &ev);
	}
}

/*
 * The threads leave at COMMIT, before CTM_EV_LANDED is there: what the leader
 * does at once may be heard of first.
 */
static bool is_landing(struct keeper *k)
{
	if (k->landing && events(k) == -EAGAIN)
		landed(k);
	return k->landing;
}

/* ---- children -------------------------------------------------------------------- */

/* ns, of the whole capsule: cpu.stat counts also who ended unreaped by us */
static __u64 cpu_time(void)
{
	char text[256], *p;
	__u64 us = 0;
	long n = 0, fd = SYS(openat, KEEPER_CGROUP_FD, "cpu.stat", O_RDONLY | O_CLOEXEC, 0);
	struct {
		long utime[2], stime[2], rest[14];
	} ru = { 0 };

	if (fd >= 0) {
		n = SYS(read, fd, text, sizeof(text) - 1);
		SYS(close, fd);
	}
	if (n > 11 && !memcmp(text, "usage_usec ", 11)) {
		text[n] = 0;
		for (p = text + 11; *p >= '0' && *p <= '9'; p++)
			us = us * 10 + *p - '0';
		return us * 1000;
	}
	SYS(getrusage, RUSAGE_CHILDREN, &ru);
	return (ru.utime[0] + ru.stime[0]) * 1000000000ull + (ru.utime[1] + ru.stime[1]) * 1000ull;
}

static void leader_ended(struct keeper *k, int status)
{
	__s64 until = sys_clock_ns(CLOCK_MONOTONIC) + LAST_REAP_MS * 1000000ll;

	k->leader_ended = true;
	if (is_landing(k) && !status)	/* the source aborted */
		leave(k);
	if (k->landing)
		keeper_fail(k, 0, "process %d ended while it was built (status %x)", k->leader,
			    status);
	if (!(k->flags & CTM_ADOPT_LINGER)) {
		/* nobody may go on writing: then the output has an end */
		SYS(kill, -1, SIGKILL);
		while (SYS(wait4, -1, 0, WNOHANG, 0) >= 0 && sys_clock_ns(CLOCK_MONOTONIC) < until)
			sys_nap(1000);
	}
	if (k->master >= 0)
		output_drain(k, k->flags & CTM_ADOPT_LINGER ? LAST_REAP_MS : -1);
	tell(k, CTM_EV_EXITED, (__u32)status, cpu_time(), NULL, 0);
	if (!(k->flags & CTM_ADOPT_LINGER))
		leave(k);
}

static void leader_changed(struct keeper *k, int status)
{
	if (W_CONTINUED(status)) {
		if (!is_landing(k))
			tell(k, CTM_EV_CONTINUED, 0, 0, NULL, 0);
	} else if (W_STOPPED(status)) {
		if (!is_landing(k))
			tell(k, CTM_EV_STOPPED, status >> 8 & 0xff, 0, NULL, 0);
	} else {
		leader_ended(k, status);
	}
}

static void reap(struct keeper *k)
{
	int status;
	long pid;

	while ((pid = SYS(wait4, -1, &status, WNOHANG | WUNTRACED | WCONTINUED, 0)) > 0)
		if (pid == k->leader && !k->leader_ended)
			leader_changed(k, status);
	if (pid == -ECHILD && k->leader_ended) {
		if (k->master >= 0)
			output_drain(k, -1);
		leave(k);
	}
}

static void children(struct keeper *k)
{
	char info[128 * 8];

	while (SYS(read, k->sigfd, info, sizeof(info)) > 0)
		;
	reap(k);
}

/* ---- the loop ------------------------------------------------------------------------ */

/* what comes on fd 3 now is of no interest, except its end */
static void daemon_hears(struct keeper *k)
{
	char buf[64];

	if (SYS(read, KEEPER_SOCKET_FD, buf, sizeof(buf)) <= 0)
		k->daemon = false;
}

static bool is_relaying(const struct keeper *k)
{
	return k->master >= 0 && !k->paused && !k->landing;
}

void keeper_mind(struct keeper *k)
{
	for (;;) {
		bool relay = is_relaying(k);
		struct sys_pollfd p[4] = {
			{ .fd = KEEPER_DEVICE_FD, .events = POLLPRI },
			{ .fd = k->sigfd, .events = POLLIN },
			{ .fd = k->daemon ? KEEPER_SOCKET_FD : -1, .events = POLLIN },
			{ .fd = relay ? k->master : -1 },
		};

		/* no more is taken from the one side than the other is known to take */
		p[3].events = waiting(&k->out) ? 0 : POLLIN;
		p[3].events |= waiting(&k->in) ? POLLOUT : 0;
		p[0].events |= relay && waiting(&k->out) ? POLLOUT : 0;
		p[0].events |= relay && !waiting(&k->in) ? POLLIN : 0;
		SYS(poll, p, 4, -1);
		if (p[2].revents)
			daemon_hears(k);
		if (p[0].revents & POLLPRI)
			events(k);
		if (relay && p[3].revents & POLLIN)
			relay_read(&k->out, k->master, RELAY_BYTES);
		if (relay && p[0].revents & POLLOUT)
			relay_write(&k->out, KEEPER_DEVICE_FD);
		if (is_relaying(k) && p[0].revents & POLLIN)
			relay_read(&k->in, KEEPER_DEVICE_FD, 256);
		if (is_relaying(k) && waiting(&k->in))
			relay_write(&k->in, k->master);
		if (p[1].revents)
			children(k);
		if (p[0].revents & (POLLHUP | POLLERR))
			leave(k);
	}
}
