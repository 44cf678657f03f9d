/* SPDX-License-Identifier: GPL-2.0 */
/*
 * files.c - open files and the descriptors that name them
 *
 * A FILE record makes an open file under a number out of the way (r->temp_fd
 * and up); FD records place it where the program has it; what was only for us is
 * closed at the end.  The program's numbers may reach into ours: then ours move.
 */
#include "restore.h"
#include "pty.h"
#include <asm/errno.h>
#include <asm/socket.h>
#include <linux/eventpoll.h>
#include <linux/memfd.h>
#include <linux/timerfd.h>

#define EFD_SEMAPHORE		1
#define SNDBUF_MOST		(1 << 30)	/* the kernel lowers it to what it allows */
#define NS			1000000000ull
/* what fcntl can set, and what open must not get */
#define FLAGS_SET	(O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | FASYNC)
#define FLAGS_NOT_OPEN	(O_CREAT | O_EXCL | O_TRUNC | O_NOFOLLOW | FASYNC | __O_TMPFILE)

/** struct file_obj - an open file; its id is its place in r->files, plus 1 */
struct file_obj {
	__s32 fd;		/* ours, -1: none */
	__s32 other;		/* ours: the other end of a pipe or pair, see memfd_take(); -1: none */
	__s32 at;		/* the program's first, -1: none */
	__u32 peer;		/* pipes and pairs; seals of a memfd */
	__u8 kind;
	__u8 other_free;	/* no FILE has claimed @other */
};

/** struct timerfd_arm - what is done when all else is */
struct timerfd_arm {
	struct timerfd_arm *next;
	__u32 id;
	int clock;
	__u64 interval, value, ticks, flags;
};

/* ---- descriptors of ours ----------------------------------------------------- */

/* @fd moves out of the way of the program's */
static int temp_move(struct restore *r, long fd)
{
	long to = restore_must(r, SYS(fcntl, fd, F_DUPFD_CLOEXEC, r->temp_fd), "fd: out of numbers");

	SYS(close, fd);
	r->temp_fd = to + 1;
	return to;
}

/* The program has @fd: if one of ours is there, it moves on. */
static void temp_evict(struct restore *r, int fd)
{
	int to;

	if (fd >= r->temp_fd) {
		r->temp_fd = fd + 1;
		return;
	}
	if (SYS(fcntl, fd, F_GETFD) < 0)
		return;
	to = SYS(fcntl, fd, F_DUPFD_CLOEXEC, r->temp_fd);
	restore_must(r, to, "fd: out of numbers");
	r->temp_fd = to + 1;
	if (r->dev == fd)
		r->dev = to;
	if (r->master == fd)
		r->master = to;
	if (r->slave == fd)
		r->slave = to;
	for (unsigned int i = 0; i < r->nfiles; i++) {
		struct file_obj *f = &r->files[i];

		f->fd = f->fd == fd ? to : f->fd;
		f->other = f->other == fd ? to : f->other;
	}
}

/* ---- objects ----------------------------------------------------------------- */

static struct file_obj *obj_of(struct restore *r, __u32 id)
{
	struct file_obj *f = id && id <= r->nfiles ? &r->files[id - 1] : NULL;

	if (!f || !f->kind)
		restore_fail(r, EBADMSG, "file %u: not in the image", id);
	return f;
}

static struct file_obj *obj_new(struct restore *r, __u32 id)
{
	struct file_obj *f;

	if (!id || id > CTM_FILES_MAX || (id <= r->nfiles && r->files[id - 1].kind))
		restore_fail(r, EBADMSG, "file %u: its id", id);
	while (r->nfiles < id) {
		f = restore_grow(r, sizeof(*f));
		if (!r->nfiles++)
			r->files = f;
		f->fd = f->other = f->at = -1;
	}
	return &r->files[id - 1];
}

static void obj_verify(struct restore *r, const struct ctm_rec_file *rec, long fd)
{
	struct stat st;
	__s64 mtime;

	restore_must(r, SYS(fstat, fd, &st), "file %s", rec->path);
	mtime = (__s64)(st.st_mtime * NS + st.st_mtime_nsec);
	if ((rec->mode && (rec->mode ^ st.st_mode) & 0170000) ||
	    (rec->ino && rec->ino != st.st_ino) ||
	    (rec->isize && rec->isize != (__u64)st.st_size) ||
	    (rec->mtime_ns && rec->mtime_ns != mtime))
		restore_fail(r, ESTALE, "file %s: another file here", rec->path);
}

static long open_path(struct restore *r, const struct ctm_rec_file *rec)
{
	/* non-blocking: whatever it has become here, opening it must end */
	unsigned int flags = (rec->oflags & ~FLAGS_NOT_OPEN) | O_NOCTTY | O_CLOEXEC | O_NONBLOCK;
	long fd;

	creds_bare(r);
	fd = restore_must(r, sys_open(rec->path, flags), "file %s", rec->path);
	creds_again(r);
	obj_verify(r, rec, fd);
	return fd;
}

static long open_home(struct restore *r, const struct ctm_rec_file *rec)
{
	struct ctm_land_file q = {
		.size = sizeof(q), .handle = rec->handle, .oflags = rec->oflags, .mode = rec->mode,
	};

	restore_must(r, SYS(ioctl, r->dev, CTM_IOC_LAND_FILE, &q), "file %u that stays at home",
		     rec->id);
	return q.fd;
}

/* another end of @peer that came before */
static struct file_obj *obj_peer(struct restore *r, const struct file_obj *not, __u32 peer, int a,
				 int b)
{
	for (unsigned int i = r->nfiles; i--; ) {
		struct file_obj *f = &r->files[i];

		if (f != not && (f->kind == a || f->kind == b) && f->peer == peer)
			return f;
	}
	return NULL;
}

/* Both ends of a new pipe or pair; @end is the one asked for. */
static void ends_make(struct restore *r, struct file_obj *f, const int *fds, int end)
{
	f->fd = temp_move(r, fds[end]);
	f->other = temp_move(r, fds[!end]);
	f->other_free = 1;
}

/* the end that @first made along with its own */
static void end_claim(struct file_obj *f, struct file_obj *first)
{
	f->fd = first->other;
	f->other = first->fd;
	first->other_free = 0;
}

/* what @fd is of, opened a second time, through /proc */
static void open_again(struct restore *r, struct file_obj *f, int fd, unsigned int oflags)
{
	char path[32];

	text_format(path, sizeof(path), "/proc/self/fd/%d", fd);
	f->fd = temp_move(r, restore_must(r, sys_open(path, oflags & (O_ACCMODE | O_NONBLOCK)),
					  "file: open again"));
}

static void pipe_take(struct restore *r, struct file_obj *f, const struct ctm_rec_file *rec)
{
	struct file_obj *same = obj_peer(r, f, rec->peer, rec->kind, rec->kind);
	int that = rec->kind == CTM_FILE_PIPE_R ? CTM_FILE_PIPE_W : CTM_FILE_PIPE_R;
	struct file_obj *first = obj_peer(r, f, rec->peer, that, that);
	int fds[2];

	if (same) {
		f->other = same->other;
		open_again(r, f, same->fd, rec->oflags);
	} else if (first) {
		end_claim(f, first);
	} else {
		restore_must(r, SYS(pipe2, fds, O_CLOEXEC), "pipe");
		ends_make(r, f, fds, rec->kind == CTM_FILE_PIPE_W);
		if (rec->size)
			restore_must(r, SYS(fcntl, f->fd, F_SETPIPE_SZ, rec->size), "pipe of %llu bytes",
				     rec->size);
	}
}

static int sndbuf_get(struct restore *r, int fd)
{
	int bytes = 0, len = sizeof(bytes);

	restore_must(r, SYS(getsockopt, fd, SOL_SOCKET, SO_SNDBUF, &bytes, &len), "socket pair: SO_SNDBUF");
	return bytes;
}

/* @bytes: as SO_SNDBUF is shown, twice of what is set */
static void sndbuf_set(struct restore *r, int fd, int bytes)
{
	int half = bytes / 2;

	if (sndbuf_get(r, fd) != bytes)
		restore_must(r, SYS(setsockopt, fd, SOL_SOCKET, SO_SNDBUF, &half, sizeof(half)),
			     "socket pair: SO_SNDBUF");
}

static void pair_take(struct restore *r, struct file_obj *f, const struct ctm_rec_file *rec)
{
	struct file_obj *first = obj_peer(r, f, rec->peer, CTM_FILE_SOCKPAIR, CTM_FILE_SOCKPAIR);
	int fds[2];

	if (first && !first->other_free)
		restore_fail(r, EBADMSG, "file %u: third end of a socket pair", rec->id);
	if (first) {
		end_claim(f, first);
	} else {
		restore_must(r, SYS(socketpair, AF_UNIX, rec->u[0], 0, fds), "socket pair");
		ends_make(r, f, fds, 0);
	}
	if (rec->u[1])
		sndbuf_set(r, f->fd, rec->u[1]);
}

static long memfd_make(struct restore *r, const struct ctm_rec_file *rec)
{
	long fd = restore_must(r, SYS(memfd_create, rec->path, MFD_ALLOW_SEALING | MFD_CLOEXEC),
			       "memfd %s", rec->path);

	restore_must(r, SYS(ftruncate, fd, rec->size), "memfd %s: %llu bytes", rec->path,
		     rec->size);
	return fd;
}

/* the one from which all others of it are opened can be read and written: @other, if not @fd */
static void memfd_take(struct restore *r, struct file_obj *f, const struct ctm_rec_file *rec)
{
	struct file_obj *first = rec->peer && rec->peer != rec->id ? obj_of(r, rec->peer) : NULL;

	if (first) {
		if (first->kind != CTM_FILE_MEMFD)
			restore_fail(r, EBADMSG, "file %u: another opening of no memfd", rec->id);
		open_again(r, f, first->other >= 0 ? first->other : first->fd, rec->oflags);
		f->peer = 0;
		return;
	}
	f->fd = temp_move(r, memfd_make(r, rec));
	f->peer = rec->u[0];
	if ((rec->oflags & O_ACCMODE) == O_RDWR)
		return;
	f->other = f->fd;
	f->other_free = 1;
	open_again(r, f, f->other, rec->oflags);
}

static long eventfd_make(struct restore *r, const struct ctm_rec_file *rec)
{
	long fd = restore_must(r, SYS(eventfd2, 0, rec->u[1] ? EFD_SEMAPHORE : 0), "eventfd");

	if (rec->u[0])
		restore_must(r, SYS(write, fd, &rec->u[0], 8), "eventfd: count");
	return fd;
}

static long timerfd_make(struct restore *r, const struct ctm_rec_file *rec)
{
	struct timerfd_arm *t = restore_alloc(r, sizeof(*t));

	t->next = r->timerfds;
	t->id = rec->id;
	t->clock = rec->u[0];
	t->interval = rec->u[1];
	t->value = rec->u[2];
	t->ticks = rec->u[3];
	t->flags = rec->u[4];
	r->timerfds = t;
	return restore_must(r, SYS(timerfd_create, t->clock, 0), "timerfd");
}

static long obj_make(struct restore *r, const struct ctm_rec_file *rec)
{
	switch (rec->kind) {
	case CTM_FILE_PATH:
	case CTM_FILE_MAPPED:
		return open_path(r, rec);
	case CTM_FILE_HOME:
		return open_home(r, rec);
	case CTM_FILE_EVENTFD:
		return eventfd_make(r, rec);
	case CTM_FILE_TIMERFD:
		return timerfd_make(r, rec);
	case CTM_FILE_SIGNALFD:
		return restore_must(r, SYS(signalfd4, -1, &rec->u[0], 8, 0), "signalfd");
	case CTM_FILE_EPOLL:
		return restore_must(r, SYS(epoll_create1, 0), "epoll");
	case CTM_FILE_TTY:
		if (r->master < 0)
			restore_fail(r, EBADMSG, "terminal: the process was announced without one");
		return restore_must(r, pty_slave(r->master, rec->oflags), "terminal");
	}
	restore_fail(r, EBADMSG, "file %u: kind %u", rec->id, rec->kind);
}

static void obj_settings(struct restore *r, const struct file_obj *f, const struct ctm_rec_file *rec)
{
	long ret;

	/* at home the file is the original, elsewhere the module knows its flags */
	if (rec->kind == CTM_FILE_HOME || rec->kind == CTM_FILE_MAPPED || rec->oflags & O_PATH)
		return;
	restore_must(r, SYS(fcntl, f->fd, F_SETFL, rec->oflags & FLAGS_SET & ~FASYNC),
		     "file %u %s: flags", rec->id, rec->path);
	if (rec->pos && (rec->kind == CTM_FILE_PATH || rec->kind == CTM_FILE_MEMFD))
		restore_must(r, SYS(lseek, f->fd, rec->pos, 0), "file %u %s: position", rec->id,
			     rec->path);
	if (rec->sig)
		restore_must(r, SYS(fcntl, f->fd, F_SETSIG, rec->sig), "file %u: signal", rec->id);
	if (rec->owner) {
		ret = SYS(fcntl, f->fd, F_SETOWN, rec->owner);
		if (ret != -ESRCH)	/* it is gone: nobody is told, as before */
			restore_must(r, ret, "file %u: owner", rec->id);
	}
	if (rec->oflags & FASYNC)
		restore_must(r, SYS(fcntl, f->fd, F_SETFL, rec->oflags & FLAGS_SET),
			     "file %u: O_ASYNC", rec->id);
}

void files_take(struct restore *r, const struct ctm_rec_file *rec)
{
	struct file_obj *f = obj_new(r, rec->id);

	if (rec->path_len >= CTM_PATH_MAX)
		restore_fail(r, EBADMSG, "file %u: its path", rec->id);
	f->peer = rec->peer;
	if (rec->kind == CTM_FILE_PIPE_R || rec->kind == CTM_FILE_PIPE_W)
		pipe_take(r, f, rec);
	else if (rec->kind == CTM_FILE_SOCKPAIR)
		pair_take(r, f, rec);
	else if (rec->kind == CTM_FILE_MEMFD)
		memfd_take(r, f, rec);
	else
		f->fd = temp_move(r, obj_make(r, rec));
	f->kind = rec->kind;
	obj_settings(r, f, rec);
}

int files_map(struct restore *r, __u32 id)
{
	struct file_obj *f = obj_of(r, id);

	if (f->kind != CTM_FILE_PATH && f->kind != CTM_FILE_MAPPED && f->kind != CTM_FILE_MEMFD)
		restore_fail(r, EBADMSG, "file %u: cannot be mapped", id);
	return f->fd;
}

/* ---- contents ---------------------------------------------------------------- */

/* into a pipe or socket, which has room for it: if it had not, waiting would not help */
static void data_write(struct restore *r, int fd, const struct ctm_rec_filedata *rec)
{
	long flags = restore_must(r, SYS(fcntl, fd, F_GETFL), "file %u: contents", rec->id);
	__u32 done = 0;

	restore_must(r, SYS(fcntl, fd, F_SETFL, flags | O_NONBLOCK), "file %u: contents", rec->id);
	while (done < rec->len)
		done += restore_must(r, SYS(write, fd, rec->data + done, rec->len - done),
				     "file %u: contents", rec->id);
	restore_must(r, SYS(fcntl, fd, F_SETFL, flags), "file %u: contents", rec->id);
}

/*
 * Room in a socket is counted in what the kernel's buffers take, and the program
 * filled them in other portions: as much as may be had, while they are filled.
 */
static void pair_write(struct restore *r, int fd, const struct ctm_rec_filedata *rec)
{
	int bytes = sndbuf_get(r, fd);

	sndbuf_set(r, fd, SNDBUF_MOST);
	data_write(r, fd, rec);
	sndbuf_set(r, fd, bytes);
}

void files_data(struct restore *r, const struct ctm_rec_filedata *rec)
{
	struct file_obj *f = obj_of(r, rec->id);
	__u32 done = 0;

	switch (f->kind) {
	case CTM_FILE_PIPE_W:
		data_write(r, f->fd, rec);
		break;
	case CTM_FILE_PIPE_R:		/* what can be read here was written there */
		data_write(r, f->other, rec);
		break;
	case CTM_FILE_SOCKPAIR:
		pair_write(r, f->other, rec);
		break;
	case CTM_FILE_MEMFD:
		while (done < rec->len)
			done += restore_must(r, SYS(pwrite64, f->other >= 0 ? f->other : f->fd,
						    rec->data + done, rec->len - done,
						    rec->off + done),
					     "memfd: contents");
		break;
	default:
		restore_fail(r, EBADMSG, "file %u: contents for kind %u", rec->id, f->kind);
	}
}

/* ---- the program's descriptors ------------------------------------------------ */

void files_fd(struct restore *r, const struct ctm_rec_fd *rec)
{
	struct file_obj *f = obj_of(r, rec->id);

	if (rec->fd > 0x7ffffff || f->kind == CTM_FILE_MAPPED)
		restore_fail(r, EBADMSG, "fd %u", rec->fd);
	temp_evict(r, rec->fd);
	restore_must(r, SYS(dup3, f->fd, rec->fd, rec->cloexec ? O_CLOEXEC : 0), "fd %u", rec->fd);
	if (f->at < 0)
		f->at = rec->fd;
}

void files_epoll(struct restore *r, const struct ctm_rec_epoll *rec)
{
	struct file_obj *f = obj_of(r, rec->id);
	struct epoll_event ev = { .events = rec->events, .data = rec->data };

	if (f->kind != CTM_FILE_EPOLL)
		restore_fail(r, EBADMSG, "file %u: not an epoll", rec->id);
	restore_must(r, SYS(epoll_ctl, f->fd, EPOLL_CTL_ADD, rec->fd, &ev), "epoll: fd %u", rec->fd);
}

void files_finish(struct restore *r)
{
	int dev;

	for (unsigned int i = 0; i < r->nfiles; i++) {
		struct file_obj *f = &r->files[i];

		if (f->kind == CTM_FILE_MEMFD && f->peer)
			restore_must(r, SYS(fcntl, f->other >= 0 ? f->other : f->fd, F_ADD_SEALS,
					    f->peer), "memfd: seals");
		if (f->other_free)
			SYS(close, f->other);
		if (f->fd >= 0)
			SYS(close, f->fd);
	}
	if (r->master >= 0)
		SYS(close, r->master);
	if (r->slave >= 0)
		SYS(close, r->slave);
	/* ours is closed by the last thread out: at a place where the table ends anyway */
	dev = restore_must(r, SYS(fcntl, r->dev, F_DUPFD_CLOEXEC, 0), "fd: dup");
	SYS(close, r->dev);
	r->dev = dev;
}

/*
 * Ticks that nobody has read: when the timer has fired, lest it adds its own.
 * A kernel that cannot be told the number leaves the one of that expiry.
 */
static void ticks_set(struct restore *r, int fd, const struct timerfd_arm *t, bool fires)
{
	struct sys_pollfd fired = { .fd = fd, .events = POLLIN };
	__u64 soon[4] = { 0, 0, 0, 1 };

	if (fires)
		SYS(poll, &fired, 1, 100);
	if (!SYS(ioctl, fd, TFD_IOC_SET_TICKS, &t->ticks) || fires)
		return;
	restore_must(r, SYS(timerfd_settime, fd, 0, soon, 0), "timerfd: ticks");
}

static void timerfd_arm(struct restore *r, int fd, const struct timerfd_arm *t)
{
	/* a periodic one that has expired rests until it is read: it expires again at once */
	bool expired = !t->value && t->interval && t->ticks;
	__u64 value = t->value, v[4];
	int flags = t->flags;

	if (!(flags & TFD_TIMER_ABSTIME))
		value = timers_due(r, t->clock, expired ? 1 : value, &flags);
	else if (expired)
		value = sys_clock_ns(t->clock);
	v[0] = t->interval / NS;
	v[1] = t->interval % NS;
	v[2] = value / NS;
	v[3] = value % NS;
	if (value)
		restore_must(r, SYS(timerfd_settime, fd, flags, v, 0), "timerfd %d", fd);
	if (t->ticks)
		ticks_set(r, fd, t, expired);
}

void files_arm(struct restore *r)
{
	for (struct timerfd_arm *t = r->timerfds; t; t = t->next) {
		int fd = obj_of(r, t->id)->at;

		if (fd >= 0)
			timerfd_arm(r, fd, t);
	}
}
