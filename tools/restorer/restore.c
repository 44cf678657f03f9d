/* SPDX-License-Identifier: GPL-2.0 */
/*
 * restore.c - moving into the hole, and from record to record
 *
 * The hole, from its start: a copy of this program, the leader's stack, our own
 * vDSO and vvar (moved there so that they survive), a buffer for records, then
 * memory for tables; behind CTM_HOLE_BYTES a slot for each thread.
 */
#include "restore.h"
#include "pty.h"
#include <asm/errno.h>

#define STACK_BYTES	(64u << 10)
#define SPECIAL_BYTES	(128u << 10)
#define TEMP_FD		256		/* where descriptors stay that are not the program's */

/* keeper.lds */
extern char image_start[], image_data[], image_end[] __attribute__((visibility("hidden")));

/* In .bss: the copy of the program in the hole has its own, found by its own code. */
static struct restore restore_state;

void restore_fail(struct restore *r, int err, const char *fmt, ...)
{
	struct ctm_land_fail f = { .size = sizeof(f), .error = err };
	size_t at;
	va_list ap;

	at = text_format(f.reason, sizeof(f.reason), "restore ");
	va_start(ap, fmt);
	at += text_vformat(f.reason + at, sizeof(f.reason) - at, fmt, ap);
	va_end(ap);
	text_format(f.reason + at, sizeof(f.reason) - at, ": %s", text_errno(err));
	SYS(ioctl, r->dev, CTM_IOC_LAND_FAIL, &f);
	sys_exit(1);
}

void *restore_alloc(struct restore *r, size_t len)
{
	len = (len + 15) & ~15ul;
	if (len > r->high - r->low)
		restore_fail(r, ENOMEM, "image: more records than the hole has room for");
	r->high -= len;
	return (void *)r->high;		/* fresh anonymous memory: zero */
}

void *restore_keep(struct restore *r, const void *data, size_t len)
{
	return memcpy(restore_alloc(r, len), data, len);
}

void *restore_grow(struct restore *r, size_t len)
{
	void *at = (void *)r->low;

	if (len > r->high - r->low)
		restore_fail(r, ENOMEM, "image: more records than the hole has room for");
	r->low += len;
	return at;
}

__s64 restore_elapsed(struct restore *r)
{
	__s64 ns = sys_clock_ns(CLOCK_MONOTONIC) - r->head.mono_ns;

	return ns > 0 ? ns : 0;
}

/* ---- the hole -------------------------------------------------------------- */

static __u64 parse_hex(const char **at)
{
	__u64 v = 0;

	for (;; (*at)++) {
		char c = **at;

		if (c >= '0' && c <= '9')
			v = v << 4 | (c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (c - 'a' + 10);
		else
			return v;
	}
}

static bool ends_with(const char *line, const char *end, const char *what)
{
	size_t n = strlen(what);

	return (size_t)(end - line) >= n && !memcmp(end - n, what, n);
}

/* one line of /proc/self/maps, which ends at @end */
static void special_line(struct restore *r, const char *line, const char *end)
{
	bool vdso = ends_with(line, end, " [vdso]");
	struct special *s = &r->special[r->nspecial];

	if (!vdso && !ends_with(line, end, " [vvar]") && !ends_with(line, end, " [vvar_vclock]"))
		return;
	if (r->nspecial == SPECIALS_MAX)
		restore_fail(r, E2BIG, "vvar: too many areas");
	s->start = parse_hex(&line);
	line++;
	s->end = parse_hex(&line);
	s->vdso = vdso;
	r->nspecial++;
}

/* Where the kernel put our vDSO and vvar.  They differ in number between kernels. */
static void special_find(struct restore *r)
{
	char buf[4096];
	size_t have = 0, i;
	long n, fd = restore_must(r, sys_open("/proc/self/maps", O_RDONLY), "/proc/self/maps");
	__u64 vdso = 0;

	while ((n = SYS(read, fd, buf + have, sizeof(buf) - have)) > 0) {
		size_t from = 0;

		have += n;
		for (i = 0; i < have; i++) {
			if (buf[i] != '\n')
				continue;
			special_line(r, buf + from, buf + i);
			from = i + 1;
		}
		if (!from && have == sizeof(buf))
			from = have;	/* a path too long to be one of ours */
		memmove(buf, buf + from, have - from);
		have -= from;
	}
	SYS(close, fd);
	for (i = 0; i < r->nspecial; i++)
		if (r->special[i].vdso)
			vdso = r->special[i].start;
	for (i = 0; i < r->nspecial; i++)
		r->special[i].off = r->special[i].start - vdso;
}

/* into the hole, one behind the other */
static void special_move(struct restore *r, __u64 to, __u64 room)
{
	for (unsigned int i = 0; i < r->nspecial; i++) {
		struct special *s = &r->special[i];
		__u64 len = s->end - s->start;

		if (len > room)
			restore_fail(r, ENOMEM, "vvar: no room in the hole");
		restore_must(r, SYS(mremap, s->start, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to),
			     "vvar: mremap");
		s->start = to;
		s->end = to + len;
		to += len;
		room -= len;
	}
}

static void restore_run(void *arg);

/* The rest of the program is of no use in the copy: only code, data and `r` are. */
static __attribute__((noreturn)) void hole_enter(struct restore *r)
{
	__u64 len = image_end - image_start, code = image_data - image_start;
	__u64 hole = r->land.hole;
	struct restore *copy;

	if (r->land.threads < 1 || r->land.threads > CTM_THREADS_MAX || hole % CTM_PAGE ||
	    r->land.hole_len < CTM_HOLE_BYTES + r->land.threads * CTM_HOLE_PER_THREAD)
		restore_fail(r, EBADMSG, "hole");
	restore_must(r, sys_mmap(hole, r->land.hole_len, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE,
				 -1, 0), "hole: mmap at %llx", hole);
	r->base = hole;
	r->slots = hole + CTM_HOLE_BYTES;
	r->low = hole + len + STACK_BYTES + SPECIAL_BYTES;
	r->recs = (void *)r->low;
	r->low += (CTM_REC_ROOM + CTM_PAGE - 1) & ~(CTM_PAGE - 1);
	r->high = r->slots;
	memcpy((void *)hole, image_start, len);
	restore_must(r, SYS(mprotect, hole, code, PROT_READ | PROT_EXEC), "hole: mprotect");
	copy = (void *)((char *)r - image_start + hole);
	stack_jump((void *)(hole + len + STACK_BYTES),
		   (void (*)(void *))((char *)restore_run - image_start + hole), copy);
}

/* descriptors: ours go out of the way of the program's */
static int fd_away(struct restore *r, int fd)
{
	if (fd < 0)
		return -1;
	return restore_must(r, SYS(fcntl, fd, F_DUPFD_CLOEXEC, TEMP_FD), "fd: dup");
}

static void fds_clear(struct restore *r)
{
	int dev = fd_away(r, r->dev), master = fd_away(r, r->master), slave = fd_away(r, r->slave);

	SYS(close_range, 0, TEMP_FD - 1, 0);
	r->dev = dev;
	r->master = master;
	r->slave = slave;
	r->temp_fd = TEMP_FD;
}

void restore_enter(int dev, int master, int slave, const struct ctm_land *land)
{
	struct restore *r = &restore_state;

	r->dev = dev;
	r->master = master;
	r->slave = slave;
	r->land = *land;
	fds_clear(r);
	special_find(r);
	hole_enter(r);
}

/* ---- records --------------------------------------------------------------- */

/* The order in which records come: core/image.h.  0: may not come here. */
static unsigned int rec_stage(struct restore *r, unsigned int type)
{
	switch (type) {
	case CTM_REC_HEAD:	return 1;
	case CTM_REC_CREDS:	return 2;
	case CTM_REC_TASK:	return 3;
	case CTM_REC_RLIMITS:	return 4;
	case CTM_REC_MM:	return 5;
	case CTM_REC_FILE:	return 6;
	case CTM_REC_FD:	return 7;
	case CTM_REC_EPOLL:
	case CTM_REC_TTY:	return 8;
	case CTM_REC_VMA:	return 9;
	case CTM_REC_SIGHAND:	return 10;
	case CTM_REC_POSIX_TIMER: return 11;
	case CTM_REC_ITIMERS:	return 12;
	case CTM_REC_THREAD:
	case CTM_REC_XSTATE:	return 13;
	case CTM_REC_PAGES:	return 14;
	case CTM_REC_FILEDATA:	return r->stage <= 6 ? 6 : 14;
	case CTM_REC_PENDING:	return 15;
	case CTM_REC_END:	return 16;
	default:		return 0;
	}
}

/* the least payload of each, without what follows it */
static size_t rec_min(unsigned int type)
{
	switch (type) {
	case CTM_REC_HEAD:	return sizeof(struct ctm_rec_head);
	case CTM_REC_CREDS:	return sizeof(struct ctm_rec_creds);
	case CTM_REC_TASK:	return sizeof(struct ctm_rec_task);
	case CTM_REC_RLIMITS:	return sizeof(struct ctm_rec_rlimits);
	case CTM_REC_MM:	return sizeof(struct ctm_rec_mm);
	case CTM_REC_FILE:	return sizeof(struct ctm_rec_file);
	case CTM_REC_FILEDATA:	return sizeof(struct ctm_rec_filedata);
	case CTM_REC_FD:	return sizeof(struct ctm_rec_fd);
	case CTM_REC_EPOLL:	return sizeof(struct ctm_rec_epoll);
	case CTM_REC_TTY:	return sizeof(struct ctm_tty_state);
	case CTM_REC_VMA:	return sizeof(struct ctm_rec_vma);
	case CTM_REC_SIGHAND:	return sizeof(struct ctm_rec_sighand);
	case CTM_REC_POSIX_TIMER: return sizeof(struct ctm_rec_posix_timer);
	case CTM_REC_ITIMERS:	return sizeof(struct ctm_rec_itimers);
	case CTM_REC_THREAD:	return sizeof(struct ctm_rec_thread);
	case CTM_REC_XSTATE:	return sizeof(struct ctm_rec_xstate);
	case CTM_REC_PAGES:	return sizeof(struct ctm_rec_pages);
	case CTM_REC_PENDING:	return sizeof(struct ctm_rec_pending);
	default:		return sizeof(struct ctm_rec_end);
	}
}

/* what follows a payload's fixed part, by its own count */
static size_t rec_tail(const struct ctm_rec *rec)
{
	const void *p = rec + 1;

	switch (rec->type) {
	case CTM_REC_CREDS:
		return 4ul * ((const struct ctm_rec_creds *)p)->ngroups;
	case CTM_REC_TASK:
		return (size_t)((const struct ctm_rec_task *)p)->cwd_len +
			((const struct ctm_rec_task *)p)->exe_len;
	case CTM_REC_MM:
		return 8ul * ((const struct ctm_rec_mm *)p)->nauxv;
	case CTM_REC_FILE:
		return ((const struct ctm_rec_file *)p)->path_len;
	case CTM_REC_FILEDATA:
		return ((const struct ctm_rec_filedata *)p)->len;
	case CTM_REC_TTY:
		return ((const struct ctm_tty_state *)p)->in_len;
	case CTM_REC_XSTATE:
		return ((const struct ctm_rec_xstate *)p)->len;
	default:
		return 0;
	}
}

/* as many as have come, at least one */
static void recs_get(struct restore *r)
{
	struct ctm_record q = {
		.size = sizeof(q), .buf = (__u64)r->recs, .buf_len = CTM_REC_ROOM,
	};
	long ret;

	do
		ret = SYS(ioctl, r->dev, CTM_IOC_RECORD, &q);
	while (ret == -EINTR);
	if (ret == -ECONNABORTED)
		sys_exit(0);
	restore_must(r, ret, "image: next record");
	if (q.len > CTM_REC_ROOM)
		restore_fail(r, EBADMSG, "image: length of records");
	r->recs_at = 0;
	r->recs_end = q.len;
}

/* the next record that we know, in r->rec; a path at its end has a NUL behind it */
static void rec_next(struct restore *r)
{
	struct ctm_rec *rec;
	unsigned int stage;

	for (;;) {
		if (r->recs_at == r->recs_end)
			recs_get(r);
		r->rec = rec = (void *)(r->recs + r->recs_at);
		if (r->recs_end - r->recs_at < sizeof(*rec) || rec->len > CTM_REC_MAX ||
		    ctm_rec_room(sizeof(*rec) + rec->len) > r->recs_end - r->recs_at)
			restore_fail(r, EBADMSG, "image: length of a record");
		r->recs_at += ctm_rec_room(sizeof(*rec) + rec->len);
		stage = rec_stage(r, rec->type);
		if (stage)
			break;
		if (rec->flags & CTM_REC_F_MUST)
			restore_fail(r, EOPNOTSUPP, "image: record of type %u", rec->type);
	}
	if (stage < r->stage || (!r->stage && stage != 1) || (stage <= 5 && stage != r->stage + 1) ||
	    (stage > 5 && r->stage < 5))
		restore_fail(r, EBADMSG, "image: order of records, type %u", rec->type);
	if (rec->len < rec_min(rec->type) || rec->len - rec_min(rec->type) != rec_tail(rec))
		restore_fail(r, EBADMSG, "image: length of a record of type %u", rec->type);
}

static void head_take(struct restore *r, const struct ctm_rec_head *head)
{
	r->head = *head;
	if (head->magic != CTM_IMAGE_MAGIC || head->version != CTM_IMAGE_VERSION)
		restore_fail(r, EBADMSG, "image: not of version %u", CTM_IMAGE_VERSION);
	if (head->threads > r->land.threads || (__s32)head->leader != r->land.pid ||
	    head->hole != r->land.hole)
		restore_fail(r, EBADMSG, "image: not the one that was announced");
}

/* Work that falls due between two kinds of records. */
static void stage_enter(struct restore *r, unsigned int stage)
{
	if (r->stage <= 5 && stage > 5) {
		creds_assume(r);
		task_settle(r);
		mm_exe(r);
	}
	if (r->stage < 15 && stage >= 15) {	/* memory is whole */
		mm_finish(r);
		files_finish(r);
	}
	if (r->stage < 16 && stage >= 16)	/* and what each thread has is known */
		threads_start(r);
	r->stage = stage;
}

static void tty_take(struct restore *r, const struct ctm_tty_state *tty)
{
	if (r->master < 0)
		restore_fail(r, EBADMSG, "terminal: the process was announced without one");
	restore_must(r, pty_load(r->master, r->slave, tty), "terminal");
}

/* Return: false at the end of the image */
static bool rec_do(struct restore *r)
{
	const void *p = r->rec + 1;

	stage_enter(r, rec_stage(r, r->rec->type));
	switch (r->rec->type) {
	case CTM_REC_HEAD:	head_take(r, p);	break;
	case CTM_REC_CREDS:	creds_take(r, p);	break;
	case CTM_REC_TASK:	task_take(r, p);	break;
	case CTM_REC_RLIMITS:
		r->rlimits = restore_keep(r, p, sizeof(*r->rlimits));
		break;
	case CTM_REC_MM:	mm_take(r, p);		break;
	case CTM_REC_FILE:	files_take(r, p);	break;
	case CTM_REC_FILEDATA:	files_data(r, p);	break;
	case CTM_REC_FD:	files_fd(r, p);		break;
	case CTM_REC_EPOLL:	files_epoll(r, p);	break;
	case CTM_REC_TTY:	tty_take(r, p);		break;
	case CTM_REC_VMA:	mm_vma(r, p);		break;
	case CTM_REC_SIGHAND:	sig_actions(r, p);	break;
	case CTM_REC_POSIX_TIMER: timers_take(r, p);	break;
	case CTM_REC_ITIMERS:
		r->itimers = restore_keep(r, p, sizeof(*r->itimers));
		break;
	case CTM_REC_THREAD:	threads_take(r, p);	break;
	case CTM_REC_XSTATE:	threads_xstate(r, p);	break;
	case CTM_REC_PAGES:	mm_pages(r, p);		break;
	case CTM_REC_PENDING:	sig_pending(r, p);	break;
	case CTM_REC_END:
		return false;
	}
	return true;
}

/* on the stack in the hole, in the copied program */
static void restore_run(void *arg)
{
	struct restore *r = arg;
	__u64 end = r->land.hole + r->land.hole_len;

	special_move(r, (__u64)r->recs - SPECIAL_BYTES, SPECIAL_BYTES);
	restore_must(r, SYS(munmap, 0, r->land.hole), "munmap below the hole");
	restore_must(r, SYS(munmap, end, TASK_TOP - end), "munmap above the hole");
	creds_own(r);
	sig_own(r);
	task_own(r);
	do
		rec_next(r);
	while (rec_do(r));
	mm_vdso(r);
	task_finish(r);
	sig_stop(r);
	threads_finish(r);
}
