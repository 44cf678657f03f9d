// SPDX-License-Identifier: GPL-2.0
/*
 * rebuilt.c - eventfd, timerfd, signalfd and epoll
 *
 * Their state is private to the kernel; what /proc/PID/fdinfo prints of it is
 * not, and the method that prints it is called here into a buffer of our own.
 */
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/timerfd.h>

#include "../clock.h"
#include "../compat/compat.h"
#include "resource.h"

#define FDINFO_MIN	(8u << 10)
#define FDINFO_MAX	(8u << 20)

/* ---- what fdinfo says ---- */

static bool print_into(struct file *f, char *buf, size_t room)
{
	struct seq_file m = { .buf = buf, .size = room - 1 };

	mutex_init(&m.lock);
	f->f_op->show_fdinfo(&m, f);
	if (seq_has_overflowed(&m))
		return false;
	buf[m.count] = 0;
	return true;
}

/* kvfree it; ERR_PTR */
static char *fdinfo(struct file *f)
{
	size_t room;
	char *buf;

	if (!f->f_op->show_fdinfo)
		return ERR_PTR(-EOPNOTSUPP);
	for (room = FDINFO_MIN; room <= FDINFO_MAX; room *= 4) {
		buf = kvmalloc(room, GFP_KERNEL);
		if (!buf)
			return ERR_PTR(-ENOMEM);
		if (print_into(f, buf, room))
			return buf;
		kvfree(buf);
	}
	return ERR_PTR(-E2BIG);
}

/* the text behind a key at the beginning of a line, or NULL */
static const char *value_of(const char *info, const char *key)
{
	size_t len = strlen(key);
	const char *at;

	for (at = info; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (!strncmp(at, key, len))
			return at + len;
	}
	return NULL;
}

/* ---- classes ---- */

/* as in the link /proc/PID/fd/N: [eventfd], inotify, bpf-map, ... without brackets */
static void anon_name(const struct file *f, char *buf, size_t room)
{
	const char *name = f->f_path.dentry->d_name.name;
	size_t len;

	if (file_inode(f)->i_sb->s_magic == PID_FS_MAGIC)
		name = "pidfd";
	if (*name == '[')
		name++;
	strscpy(buf, name, room);
	len = strlen(buf);
	if (len && buf[len - 1] == ']')
		buf[len - 1] = 0;
}

static u32 anon_kind(const char *name)
{
	if (!strcmp(name, "eventfd"))
		return CTM_FILE_EVENTFD;
	if (!strcmp(name, "timerfd"))
		return CTM_FILE_TIMERFD;
	if (!strcmp(name, "signalfd"))
		return CTM_FILE_SIGNALFD;
	if (!strcmp(name, "eventpoll"))
		return CTM_FILE_EPOLL;
	return 0;
}

bool ctm_anon_classify(struct ctm_files *t, struct ctm_open *o)
{
	unsigned long magic = file_inode(o->file)->i_sb->s_magic;
	char name[48];

	if (magic != ANON_INODE_FS_MAGIC && magic != PID_FS_MAGIC)
		return false;
	anon_name(o->file, name, sizeof(name));
	o->kind = magic == PID_FS_MAGIC ? 0 : anon_kind(name);
	if (!o->kind)
		strscpy(o->refused, name, sizeof(o->refused));
	else if (ctm_open_outside(t, o))
		snprintf(o->refused, sizeof(o->refused), "%s shared with another process", name);
	return true;
}

/* ---- state ---- */

static int fill_eventfd(struct ctm_rec_file *r, const struct file *f, const char *info)
{
	const char *count = value_of(info, "eventfd-count:");
	const char *sem = value_of(info, "eventfd-semaphore:");
	unsigned long long n;
	int shown = 0;

	if (!count || sscanf(count, " %llx", &n) != 1)
		return -EIO;
	if (sem && sscanf(sem, " %d", &shown) != 1)
		return -EIO;
	r->u[0] = n;
	r->u[1] = ctm_eventfd_semaphore(f, shown);
	return 0;
}

static u64 now_of(struct task_struct *t, int clock)
{
	s64 mono, boot;

	ctm_clock_offsets(t, &mono, &boot);
	switch (clock) {
	case CLOCK_MONOTONIC:
		return ktime_get_ns() + mono;
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		return ktime_get_boottime_ns() + boot;
	default:
		return ktime_get_real_ns();
	}
}

static int parse_timerfd(struct ctm_rec_file *r, const char *info)
{
	const char *clockid = value_of(info, "clockid:"), *ticks = value_of(info, "ticks:");
	const char *flags = value_of(info, "settime flags:");
	const char *value = value_of(info, "it_value:"), *intv = value_of(info, "it_interval:");
	unsigned long long n, vs, vn, is, in;
	unsigned int how;
	int clock;

	if (!clockid || !ticks || !flags || !value || !intv ||
	    sscanf(clockid, " %d", &clock) != 1 || sscanf(ticks, " %llu", &n) != 1 ||
	    sscanf(flags, " %o", &how) != 1 || sscanf(value, " (%llu, %llu)", &vs, &vn) != 2 ||
	    sscanf(intv, " (%llu, %llu)", &is, &in) != 2)
		return -EIO;
	r->u[0] = clock;
	r->u[1] = is * NSEC_PER_SEC + in;
	r->u[2] = vs * NSEC_PER_SEC + vn;
	r->u[3] = n;
	r->u[4] = how;
	return 0;
}

/* Nothing left, and it has not fired: not set, or due while its interrupt is still on
 * its way, also while it is looked at.  A frozen program cannot set it.
 */
static int settle_timerfd(struct ctm_rec_file *r, struct file *f)
{
	char *info;
	int err;

	if (ctm_timerfd_active(f, r->u[0])) {
		r->u[2] = 1;
		return 0;
	}
	info = fdinfo(f);
	if (IS_ERR(info))
		return PTR_ERR(info);
	err = parse_timerfd(r, info);
	kvfree(info);
	return err;
}

static int fill_timerfd(struct ctm_capture *c, struct ctm_rec_file *r, struct file *f, const char *info)
{
	int err = parse_timerfd(r, info);

	if (!err && !r->u[2] && !r->u[3])
		err = settle_timerfd(r, f);
	if (!err && r->u[4] & TFD_TIMER_ABSTIME && r->u[2])
		r->u[2] += now_of(c->leader, r->u[0]);
	return err;
}

static int fill_signalfd(struct ctm_rec_file *r, const char *info)
{
	const char *mask = value_of(info, "sigmask:");
	unsigned long long m;

	if (!mask || sscanf(mask, " %llx", &m) != 1)
		return -EIO;
	r->u[0] = m;
	return 0;
}

int ctm_anon_fill(struct ctm_capture *c, const struct ctm_open *o, struct ctm_rec_file *r)
{
	char *info;
	int err;

	if (o->kind == CTM_FILE_EPOLL)
		return 0;
	info = fdinfo(o->file);
	if (IS_ERR(info))
		return ctm_fail(c, PTR_ERR(info), "fd %d: its state cannot be read", o->fd);
	if (o->kind == CTM_FILE_EVENTFD)
		err = fill_eventfd(r, o->file, info);
	else if (o->kind == CTM_FILE_TIMERFD)
		err = fill_timerfd(c, r, o->file, info);
	else
		err = fill_signalfd(r, info);
	kvfree(info);
	return err ? ctm_fail(c, err, "fd %d: its state is not understood", o->fd) : 0;
}

/* ---- epoll ---- */

static int epoll_entry(struct ctm_capture *c, const struct ctm_open *o, const char *line)
{
	struct ctm_rec_epoll r = { .id = o->id };
	unsigned long long data, ino;
	struct ctm_open *watched;
	unsigned int events;
	long long pos;
	int fd;

	if (sscanf(line, " %d events: %x data: %llx pos:%lli ino:%llx",
		   &fd, &events, &data, &pos, &ino) != 5)
		return ctm_fail(c, -EIO, "fd %d: its state is not understood", o->fd);
	watched = ctm_files_by_fd(&ctm_state(c)->files, fd);
	if (!watched || file_inode(watched->file)->i_ino != ino)
		return ctm_fail(c, -EOPNOTSUPP, "fd %d: epoll watches a file that was fd %d and is no more: cannot move",
				o->fd, fd);
	r.fd = fd;
	r.events = events;
	r.data = data;
	return ctm_put(c, CTM_REC_EPOLL, &r, sizeof(r));
}

int ctm_epoll_entries(struct ctm_capture *c, const struct ctm_open *o)
{
	char *info = fdinfo(o->file);
	const char *line;
	int err = 0;

	if (IS_ERR(info))
		return ctm_fail(c, PTR_ERR(info), "fd %d: its state cannot be read", o->fd);
	for (line = info; !err && (line = value_of(line, "tfd:")); )
		err = epoll_entry(c, o, line);
	kvfree(info);
	return err;
}
