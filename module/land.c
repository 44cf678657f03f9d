// SPDX-License-Identifier: GPL-2.0
/*
 * land.c - the destination's side of a handoff
 *
 * Who holds a struct ctm_landing: the keeper's file (from LAND to its release)
 * and the serve thread of the connection (from OFFER to the end).  What is to be
 * done is decided by core/handoff.c, stepped under todo.lock; the serve thread
 * does it.  While the restorer builds it alone receives from the connection, and
 * the serve thread only waits (`reading` says that it is inside).
 *
 * A child of a fork lands in the same way, from an image that is stored here: a worker
 * of the fork stands in for the serve thread, and has no connection.
 */
#include <linux/delay.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/ptrace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "capture.h"
#include "clock.h"
#include "compat/compat.h"
#include "courier.h"
#include "fault.h"
#include "handoff_io.h"
#include "land.h"
#include "netlink.h"
#include "reaper.h"
#include "rfile.h"
#include "signals.h"
#include "stored.h"
#include "term.h"
#include "trace.h"
#include "waits.h"

#define IO_MS		25000	/* longer than a freeze may take, with a terminal: 20 s */
#define POLL_MS		200
#define ROOM_SPARE	(16ul << 20)	/* memory that a landing must leave free */
#define GO_MS		10000
#define ABORT_DRAIN_MS	3000

enum verdict { UNDECIDED, GO, ABORTED };

struct ctm_landing {
	struct kref ref;
	struct list_head list;		/* landers_lock: waiting, or alive */
	struct ctm_capsule capsule;
	struct pid *keeper_pid;

	struct ctm_todo todo;		/* its lock covers m and the fields up to the blank line */
	struct ctm_ho_dest m;
	enum ctm_ho_outcome_type told;	/* to the table of outcomes: finding a place there is slow */
	unsigned int waiting;		/* threads in the last wait */
	unsigned int gone;		/* threads that left it after GO */
	bool end_read;
	bool built;
	bool queueing;			/* the leader still queues the signals of the COMMIT */
	unsigned int queued;		/* how many of them it was given; the leader's alone */
	bool closed;			/* the keeper's file is */
	struct pid *leader;		/* of the restored process, seen in the last wait */

	enum verdict verdict;		/* written once under todo.lock */
	wait_queue_head_t wait;		/* for verdict, taken, gone */
	bool taken;			/* an OFFER took this keeper, and BEGIN has come */
	struct ctm_conn *conn;		/* of the serve thread */
	const struct ctm_land_order *order;	/* in its place: of a fork, ... */
	u64 image_at;			/* ... read so far; the restorer's */
	u32 index;
	atomic_t reading;
	wait_queue_head_t read;		/* for reading to be 0 */
	struct ctm_process *p;
	bool p_is_new;
	u32 source;
	bool admitted;			/* by the gate, which is told of the end */
	struct ctm_ho_offer offer;
	struct ctm_ho_begin begin;
	struct ctm_rec_head head;
	struct ctm_image_state check;	/* the restorer's (one reader) */
	bool ready, ready_told;		/* the restorer asks for records; the source knows */
	u64 raw_left;			/* bytes of pages still to be read */
	unsigned long noted;		/* jiffies: when the machine last heard that it goes on */
	struct ctm_ho_commit *commit;
	size_t commit_len;
	struct ctm_keeper *keeper;	/* once GO */
	struct ctm_keeper *next_keeper;	/* had before a child may start, for that cannot fail */
	void *buf;			/* CTM_REC_ROOM */
	int error;
	char why[CTM_REASON_MAX];
};

static LIST_HEAD(waiting_landers);
static DECLARE_WAIT_QUEUE_HEAD(landers_wait);	/* for one in waiting_landers */
static LIST_HEAD(live_landings);
static DEFINE_MUTEX(landers_lock);	/* both lists */
static unsigned long lander_taken;		/* jiffies: when the last was; written under landers_lock */
static const struct ctm_land_gate *land_gate;

static void landing_free(struct kref *ref)
{
	struct ctm_landing *l = container_of(ref, struct ctm_landing, ref);

	ctm_capsule_close(&l->capsule);
	put_pid(l->keeper_pid);
	put_pid(l->leader);
	ctm_process_put(l->p);
	kvfree(l->commit);
	kvfree(l->buf);
	kfree(l);
}

static void landing_put(struct ctm_landing *l)
{
	kref_put(&l->ref, landing_free);
}

/* ---- stepping the machine ---- */

static int step(struct ctm_landing *l, struct ctm_ho_event *ev)
{
	struct ctm_ho_actions a;
	int err;

	ev->now = ktime_get_ns();
	mutex_lock(&l->todo.lock);
	err = ctm_ho_dest_step(&l->m, ev, &a);
	if (!err) {
		if (l->told != ctm_ho_dest_outcome(&l->m)) {
			l->told = ctm_ho_dest_outcome(&l->m);
			ctm_outcome_set(&l->m.id, false, l->told);
		}
		ctm_todo_add(&l->todo, &a);
	}
	mutex_unlock(&l->todo.lock);
	return err;
}

static void happen(struct ctm_landing *l, enum ctm_ho_event_type type, int error)
{
	struct ctm_ho_event ev = { .type = type, .error = error, .id = l->m.id };

	step(l, &ev);
}

static void fail(struct ctm_landing *l, int error, const char *why)
{
	mutex_lock(&l->todo.lock);
	if (!l->why[0]) {
		strscpy(l->why, why, sizeof(l->why));
		l->error = error;
	}
	mutex_unlock(&l->todo.lock);
	happen(l, CTM_HO_EV_FAILED, error);
}

/* current, which reads from the connection: that broke, or it was itself killed meanwhile */
static void reading_failed(struct ctm_landing *l, int err)
{
	if (fatal_signal_pending(current))
		fail(l, ECANCELED, "the restorer died");
	else
		happen(l, CTM_HO_EV_CONN_LOST, -err);
}

/* ---- keepers that wait ---- */

static struct ctm_landing *landing_new(int cgroup_fd)
{
	struct ctm_landing *l = kzalloc(sizeof(*l), GFP_KERNEL_ACCOUNT);
	int err;

	if (!l)
		return ERR_PTR(-ENOMEM);
	kref_init(&l->ref);
	INIT_LIST_HEAD(&l->list);
	ctm_todo_init(&l->todo);
	init_waitqueue_head(&l->wait);
	init_waitqueue_head(&l->read);
	l->keeper_pid = get_pid(task_tgid(current));
	l->buf = kvmalloc(CTM_REC_ROOM, GFP_KERNEL_ACCOUNT);
	err = l->buf ? ctm_capsule_open(cgroup_fd, &l->capsule) : -ENOMEM;
	if (err) {
		landing_put(l);
		return ERR_PTR(err);
	}
	return l;
}

/* off the list of waiting keepers; false: an OFFER was faster */
static bool stop_waiting(struct ctm_landing *l)
{
	bool was;

	mutex_lock(&landers_lock);
	was = !list_empty(&l->list) && !l->m.id.gpid;
	if (was)
		list_del_init(&l->list);
	mutex_unlock(&landers_lock);
	return was;
}

struct ctm_landing *ctm_land_wait(struct ctm_land *arg)
{
	struct ctm_landing *l = landing_new(arg->cgroup_fd);
	int err;

	if (IS_ERR(l))
		return l;
	mutex_lock(&landers_lock);
	list_add_tail(&l->list, &waiting_landers);
	mutex_unlock(&landers_lock);
	wake_up(&landers_wait);

	err = wait_event_interruptible(l->wait, READ_ONCE(l->taken) ||
				       READ_ONCE(l->verdict) == ABORTED);
	if (err && stop_waiting(l))
		goto out_put;
	if (err) {			/* taken, but not to the end: BEGIN is not there yet */
		fail(l, EINTR, "the keeper was interrupted");
		goto out_put;
	}
	if (!READ_ONCE(l->taken)) {
		err = -ECONNABORTED;
		goto out_put;
	}
	trace_handoff_phase(&l->m.id, CTM_PHASE_WOKEN);
	arg->flags = l->p->flags;
	arg->pid = le32_to_cpu(l->begin.leader);
	arg->uid = le32_to_cpu(l->offer.uid);
	arg->mono_off_ns = le64_to_cpu(l->begin.mono_off_ns);
	arg->boot_off_ns = le64_to_cpu(l->begin.boot_off_ns);
	arg->gpid = l->m.id.gpid;
	arg->hole = le64_to_cpu(l->begin.hole);
	arg->hole_len = le64_to_cpu(l->begin.hole_len);
	arg->threads = (arg->hole_len - CTM_HOLE_BYTES) / CTM_HOLE_PER_THREAD;
	return l;

out_put:
	landing_put(l);
	return ERR_PTR(err);
}

unsigned int ctm_landers_waiting(void)
{
	struct ctm_landing *l;
	unsigned int n = 0;

	mutex_lock(&landers_lock);
	list_for_each_entry(l, &waiting_landers, list)
		n++;
	mutex_unlock(&landers_lock);
	return n;
}

static struct ctm_landing *take_lander(const struct ctm_ho_id *id)
{
	struct ctm_landing *l;

	mutex_lock(&landers_lock);
	l = list_first_entry_or_null(&waiting_landers, struct ctm_landing, list);
	if (l) {
		kref_get(&l->ref);
		ctm_ho_dest_init(&l->m, id);
		list_move_tail(&l->list, &live_landings);
		WRITE_ONCE(lander_taken, jiffies);
	}
	mutex_unlock(&landers_lock);
	return l;
}

/* ---- the restorer's calls ---- */

static void reader_leave(struct ctm_landing *l)
{
	if (atomic_dec_and_test(&l->reading))
		wake_up_all(&l->read);
}

/* the connection is ours while the image comes; false: it is not, any more */
static bool reader_enter(struct ctm_landing *l)
{
	atomic_inc(&l->reading);
	smp_mb__after_atomic();		/* pairs with the serve thread's verdict, then reading */
	if (READ_ONCE(l->verdict) == UNDECIDED && (l->conn || l->order))
		return true;
	reader_leave(l);
	return false;
}

/* the image never decides what it may be here */
static int bound_creds(struct ctm_landing *l, const struct ctm_rec_creds *c)
{
	u32 uid = le32_to_cpu(l->offer.uid), gid = le32_to_cpu(l->offer.gid);
	bool root = !c->ruid || !c->euid || !c->suid || !c->fsuid || c->cap_permitted ||
		    c->cap_effective || c->cap_ambient;

	if (c->ruid != uid || c->rgid != gid) {
		fail(l, EPERM, "the image claims another user than the offer");
		return -EPERM;
	}
	if (root && !ctm_node_allow_root()) {
		fail(l, EPERM, "processes of root may not land here (allow_root)");
		return -EPERM;
	}
	return 0;
}

static int take_abort(struct ctm_landing *l, const struct ctm_rec *rec)
{
	size_t n = min_t(size_t, rec->len, sizeof(l->why) - 1);

	mutex_lock(&l->todo.lock);
	memcpy(l->why, rec + 1, n);
	l->why[n] = 0;
	l->error = ECANCELED;
	mutex_unlock(&l->todo.lock);
	happen(l, CTM_HO_EV_ABORT, ECANCELED);	/* of this attempt: same connection */
	return -ECONNABORTED;
}

/* signals that were applied to it elsewhere: not the restorer's business */
static int take_applied(struct ctm_landing *l, const struct ctm_rec *rec)
{
	int err = ctm_signals_load(l->p, (void *)(rec + 1), rec->len / sizeof(struct ctm_rec_applied));

	if (err)
		fail(l, ENOMEM, "out of memory");
	return err;
}

static void take_result(struct ctm_landing *l, const struct ctm_rec *rec)
{
	const struct ctm_rec_result *r = (const void *)(rec + 1);

	spin_lock(&l->p->lock);
	l->p->result_len = r->len;
	memcpy(l->p->result, r->data, sizeof(r->data));
	spin_unlock(&l->p->lock);
}

static void take_waits(struct ctm_landing *l, const struct ctm_rec *rec)
{
	const struct ctm_rec_waits *w = (const void *)(rec + 1);

	mutex_lock(&l->p->wait_lock);
	l->p->took = w->took;
	mutex_unlock(&l->p->wait_lock);
}

/* the next record of a stored image, which was judged when it came */
static int stored_record(struct ctm_landing *l)
{
	struct ctm_rec *rec = l->buf;
	int err = ctm_stored_read(l->order->image, &l->image_at, rec, sizeof(*rec));

	if (!err && rec->len)
		err = ctm_stored_read(l->order->image, &l->image_at, rec + 1, rec->len);
	if (!err && rec->type == CTM_REC_CREDS)
		err = bound_creds(l, (void *)(rec + 1));
	if (!err && rec->type == CTM_REC_RESULT)
		take_result(l, rec);
	if (err)
		fail(l, -err, "its image cannot be read");
	return err ?: sizeof(*rec) + rec->len;
}

/* one record from the connection into l->buf, judged.  Return: its bytes or -errno */
static int next_record(struct ctm_landing *l)
{
	struct ctm_rec *rec = l->buf;
	const char *why;
	char text[CTM_REASON_MAX];
	int err;

	if (l->order)
		return stored_record(l);
	err = ctm_conn_recv(l->conn, rec, sizeof(*rec));
	if (err)
		goto lost;
	if (rec->len > CTM_REC_MAX - sizeof(*rec)) {
		why = "longer than any record";
		goto bad;
	}
	if (rec->len) {
		err = ctm_conn_recv(l->conn, rec + 1, rec->len);
		if (err)
			goto lost;
	}
	if (rec->type == CTM_REC_ABORT)
		return take_abort(l, rec);
	err = ctm_image_check(&l->check, rec, sizeof(*rec) + rec->len, &why);
	if (err)
		goto bad;
	if (rec->type == CTM_REC_CREDS) {
		err = bound_creds(l, (void *)(rec + 1));
		if (err)
			return err;
	}
	if (rec->type == CTM_REC_APPLIED && take_applied(l, rec))
		return -ENOMEM;
	if (rec->type == CTM_REC_RESULT)
		take_result(l, rec);
	if (rec->type == CTM_REC_WAITS)
		take_waits(l, rec);
	return sizeof(*rec) + rec->len;
bad:
	ctm_count(CTM_CNT_BAD_IMAGE);
	snprintf(text, sizeof(text), "bad image: record %llu of type %u: %s", l->check.records,
		 rec->type, why);
	fail(l, EBADMSG, text);
	return -EBADMSG;
lost:
	reading_failed(l, err);
	return -ECONNABORTED;
}

/* HEAD repeats what OFFER and BEGIN said, and the restorer lives by */
static int take_head(struct ctm_landing *l)
{
	const struct ctm_rec *rec = l->buf;

	memcpy(&l->head, rec + 1, sizeof(l->head));
	if (l->head.gpid == (l->order ? l->order->parent : l->m.id.gpid) && l->head.uid == le32_to_cpu(l->offer.uid) &&
	    l->head.flags == l->p->flags && l->head.leader == le32_to_cpu(l->begin.leader) &&
	    l->head.hole == le64_to_cpu(l->begin.hole) &&
	    l->head.hole_len == le64_to_cpu(l->begin.hole_len) &&
	    l->head.xstate_size == ctm_abi_self()->xstate_size)
		return 0;
	l->head.threads = 0;		/* nobody can be waited for */
	fail(l, EBADMSG, "bad image: HEAD does not match what was offered");
	return -EBADMSG;
}

/* once a second is often enough for a machine that waits for a minute */
static void note_progress(struct ctm_landing *l)
{
	if (time_before(jiffies, l->noted + HZ))
		return;
	l->noted = jiffies;
	happen(l, CTM_HO_EV_RECORD, 0);
}

static void note_record(struct ctm_landing *l)
{
	const struct ctm_rec *rec = l->buf;
	const struct ctm_rec_pages *pages = (const void *)(rec + 1);

	if (rec->type == CTM_REC_PAGES)
		l->raw_left = (u64)pages->count * CTM_PAGE;
	if (rec->type == CTM_REC_END)
		WRITE_ONCE(l->end_read, true);
	note_progress(l);
}

/* the next record, behind the arg->len bytes that are there */
static int put_record(struct ctm_landing *l, struct ctm_record *arg)
{
	const struct ctm_rec *rec = l->buf;
	size_t room;
	int n;

	ctm_fault("restore", "record");
	n = next_record(l);
	if (n > 0 && rec->type == CTM_REC_HEAD)
		n = take_head(l) ?: n;
	if (n < 0)
		return n;
	note_record(l);
	trace_handoff_record(&l->m.id, rec->type, n, false);
	room = ctm_rec_room(n);
	memset(l->buf + n, 0, room - n);
	if (copy_to_user(u64_to_user_ptr(arg->buf + arg->len), l->buf, room))
		return -EFAULT;
	arg->len += room;
	return 0;
}

/* has one more come, whole, that fits?  One by one is only what has to be waited for. */
static bool has_more(struct ctm_landing *l, const struct ctm_record *arg)
{
	struct ctm_rec rec;
	const void *ahead;
	size_t have;

	if (l->raw_left || l->end_read)
		return false;
	if (l->order) {
		u64 at = l->image_at;

		have = CTM_REC_MAX;
		if (ctm_stored_read(l->order->image, &at, &rec, sizeof(rec)))
			return false;
	} else {
		ahead = ctm_conn_ahead(l->conn, &have);
		if (have < sizeof(rec))
			return false;
		memcpy(&rec, ahead, sizeof(rec));
	}
	return rec.len <= have - sizeof(rec) &&
	       ctm_rec_room(sizeof(rec) + (size_t)rec.len) <= arg->buf_len - arg->len;
}

int ctm_landing_record(struct ctm_landing *l, struct ctm_record *arg)
{
	int err;

	if (arg->buf_len < CTM_REC_ROOM || l->raw_left)
		return -EINVAL;
	if (l->end_read)
		return -ENODATA;
	if (!reader_enter(l))
		return -ECONNABORTED;
	if (!l->ready) {
		trace_handoff_phase(&l->m.id, CTM_PHASE_LEADER);
		WRITE_ONCE(l->ready, true);
		wake_up_all(&l->todo.wait);
	}
	arg->len = 0;
	do
		err = put_record(l, arg);
	while (!err && has_more(l, arg));
	reader_leave(l);
	return err;
}

ssize_t ctm_landing_read(struct ctm_landing *l, struct iov_iter *to)
{
	size_t n = min_t(u64, iov_iter_count(to), l->raw_left);
	int err;

	if (!n)
		return 0;
	ctm_fault("recv", "IMAGE");
	if (!reader_enter(l))
		return -ECONNABORTED;
	iov_iter_truncate(to, n);
	err = l->order ? ctm_stored_read_iter(l->order->image, &l->image_at, to) :
	      ctm_conn_recv_iter(l->conn, to);
	if (!err) {
		l->raw_left -= n;
		note_progress(l);
	} else if (err != -EFAULT) {
		reading_failed(l, err);
	}
	reader_leave(l);
	return err ? err : n;
}

/* what is restored has no file at home but the streams of who restores it */
static int install_stream(const struct ctm_land_order *o, u64 handle)
{
	u64 i = handle - CTM_STREAM(0);
	int fd;

	if (i >= CTM_STREAMS || !o->stream[i])
		return -EBADF;
	fd = get_unused_fd_flags(0);
	if (fd >= 0)
		fd_install(fd, get_file(o->stream[i]));
	return fd;
}

int ctm_landing_file(struct ctm_landing *l, struct ctm_land_file *arg)
{
	int fd = -ECONNABORTED;

	if (arg->pad)
		return -EINVAL;
	if (reader_enter(l)) {
		if (l->order && l->order->restore)
			fd = install_stream(l->order, arg->handle);
		else
			fd = ctm_rfile_install(l->p, arg->handle, arg->oflags, arg->mode & S_IFMT);
		reader_leave(l);
	}
	if (fd < 0)
		return fd;
	arg->fd = fd;
	return 0;
}

int ctm_landing_fail(struct ctm_landing *l, struct ctm_land_fail *arg)
{
	arg->reason[CTM_REASON_MAX - 1] = 0;
	if (!arg->error || arg->error > 4095 || arg->pad)
		return -EINVAL;
	fail(l, arg->error, arg->reason);
	return 0;
}

/* ---- the last wait ---- */

#define USER_FLAGS	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | \
			 X86_EFLAGS_SF | X86_EFLAGS_TF | X86_EFLAGS_DF | X86_EFLAGS_OF | \
			 X86_EFLAGS_RF | X86_EFLAGS_AC | X86_EFLAGS_ID | X86_EFLAGS_NT)

static bool regs_good(const struct ctm_regs *r)
{
	return r->ip < TASK_SIZE_MAX && r->sp < TASK_SIZE_MAX && r->ds <= 0xffff && r->es <= 0xffff;
}

static void set_regs(const struct ctm_regs *r)
{
	struct pt_regs *to = task_pt_regs(current);

	to->r15 = r->r15;
	to->r14 = r->r14;
	to->r13 = r->r13;
	to->r12 = r->r12;
	to->bp = r->bp;
	to->bx = r->bx;
	to->r11 = r->r11;
	to->r10 = r->r10;
	to->r9 = r->r9;
	to->r8 = r->r8;
	to->cx = r->cx;
	to->dx = r->dx;
	to->si = r->si;
	to->di = r->di;
	to->ip = r->ip;
	to->sp = r->sp;
	to->flags = (to->flags & ~USER_FLAGS) | (r->flags & USER_FLAGS);
	to->orig_ax = r->orig_ax;
}

/* ns from now until @deadline of a clock, as this process sees it */
static s64 time_left(u32 clock, s64 deadline)
{
	s64 mono, boot, now;

	ctm_clock_offsets(current, &mono, &boot);
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_TAI:
		now = ktime_get_real_ns();
		break;
	case CLOCK_BOOTTIME:
		now = ktime_get_boottime_ns() + boot;
		break;
	default:
		now = ktime_get_ns() + mono;
	}
	return deadline - now;
}

static u64 *timeout_reg(struct ctm_regs *r, enum ctm_timeout_reg reg)
{
	switch (reg) {
	case CTM_TIMEOUT_DX:
		return (u64 *)&r->dx;
	case CTM_TIMEOUT_R10:
		return (u64 *)&r->r10;
	default:
		return (u64 *)&r->r8;
	}
}

/* nanosleep says what is left when a handler ends it, or would have: as the kernel does */
static void tell_rest(const struct ctm_land_thread *t, const struct __kernel_timespec *left)
{
	u64 to = t->regs.orig_ax == __NR_nanosleep ? t->regs.si : t->regs.r10;

	if (to && copy_to_user((void __user *)to, left, sizeof(*left)))
		return;			/* it would answer EFAULT: as good as the program's own doing */
}

/*
 * An interrupted call goes on with the time that is left.  Its timeout is
 * rewritten below the red zone of its stack, where a signal's frame might come
 * to lie: by then the call has read it.
 */
static int rewrite_timeout(struct ctm_land_thread *t)
{
	s64 left = time_left(t->restart_clock, t->deadline_ns);
	struct __kernel_timespec ts;
	u64 at = (t->regs.sp - 128 - sizeof(ts)) & ~15ull;
	const struct ctm_timeout *to;

	if (t->restart == CTM_RESTART_CALL) {
		to = ctm_call_timeout(t->regs.orig_ax);
		return to ? ctm_timeout_set(current, to, timeout_reg(&t->regs, to->reg),
					    t->regs.sp, left) : -EINVAL;
	}
	left = max_t(s64, left, 1);
	if (t->restart == CTM_RESTART_POLL) {
		t->regs.dx = min_t(u64, DIV_ROUND_UP_ULL(left, NSEC_PER_MSEC), INT_MAX);
		return 0;
	}
	ts.tv_sec = div_s64_rem(left, NSEC_PER_SEC, &(s32){ 0 });
	ts.tv_nsec = left - ts.tv_sec * NSEC_PER_SEC;
	if (t->restart == CTM_RESTART_NANOSLEEP)
		tell_rest(t, &ts);
	if (copy_to_user((void __user *)at, &ts, sizeof(ts)))
		return -EFAULT;
	if (t->restart == CTM_RESTART_FUTEX)
		t->regs.r10 = at;
	else if (t->regs.orig_ax == __NR_nanosleep)
		t->regs.di = at;
	else
		t->regs.dx = at;
	return 0;
}

static int is_file(const void *want, struct file *f, unsigned int fd)
{
	return f == want ? fd + 1 : 0;
}

/* the last thread to leave takes the restorer with it */
static void leave_restorer(struct ctm_landing *l, struct file *file)
{
	int fd = iterate_fd(current->files, 0, is_file, file);

	vm_munmap(l->head.hole, l->head.hole_len);
	if (fd)
		close_fd(fd - 1);
}

static sigset_t signal_set(u64 bits)
{
	sigset_t set;

	BUILD_BUG_ON(sizeof(set) != sizeof(bits));
	memcpy(&set, &bits, sizeof(set));
	sigdelsetmask(&set, sigmask(SIGKILL) | sigmask(SIGSTOP));
	return set;
}

static void set_mask(const struct ctm_land_thread *t)
{
	bool waits = t->flags & CTM_LAND_WAITMASK;
	sigset_t mask = signal_set(waits ? t->waitmask : t->sigmask);

	if (waits) {
		current->saved_sigmask = signal_set(t->sigmask);
		set_restore_sigmask();
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* signals that came with the COMMIT; none if an operator's RECOVER took its place */
static const struct ctm_rec_pending *commit_pending(const struct ctm_landing *l, unsigned int *n)
{
	*n = l->commit ? le32_to_cpu(l->commit->npending) : 0;
	return l->commit ? l->commit->pending : NULL;
}

/* those that were sent to this thread alone */
static void queue_own(struct ctm_landing *l)
{
	unsigned int n;
	const struct ctm_rec_pending *v = commit_pending(l, &n), *end = v + n;
	pid_t tid = task_pid_vnr(current);
	struct kernel_siginfo info;

	for (; v < end; v++) {
		if (v->tid != tid || v->signo == SIGSTOP)
			continue;
		memcpy(&info, v->siginfo, sizeof(info));
		if (send_sig_info(v->signo, &info, current))
			send_sig(v->signo, current, 1);	/* no room for its siginfo */
	}
}

/*
 * The next signal to the whole process for the leader to queue, 0: no more.  Only
 * the process itself may say who sent a signal; of what it could not queue at
 * least the bare signal is.
 */
static int next_shared(struct ctm_landing *l)
{
	unsigned int n;
	const struct ctm_rec_pending *v = commit_pending(l, &n);
	void __user *to = (void __user *)(task_pt_regs(current)->sp - CTM_SEEK_SIGINFO);

	if (l->queued && !sigismember(&current->signal->shared_pending.signal, v[l->queued - 1].signo))
		kill_pid(l->leader, v[l->queued - 1].signo, 1);
	while (l->queued < n) {
		const struct ctm_rec_pending *next = &v[l->queued++];

		if (next->tid || next->signo == SIGSTOP)
			continue;
		if (!copy_to_user(to, next->siginfo, sizeof(next->siginfo)))
			return next->signo;
		kill_pid(l->leader, next->signo, 1);
	}
	WRITE_ONCE(l->queueing, false);
	wake_up_all(&l->wait);
	return 0;
}

static loff_t go(struct ctm_landing *l, struct file *file, struct ctm_land_thread *t)
{
	bool last;

	queue_own(l);
	/* where that is not its memory, it is nobody's loss but its own */
	if (l->order && l->order->index_at &&
	    copy_to_user(u64_to_user_ptr(l->order->index_at), &l->index,
			 sizeof(l->index)))
		l->index = 0;
	if (t->restart != CTM_RESTART_NONE && rewrite_timeout(t))
		t->restart = CTM_RESTART_NONE;	/* no stack there: the time begins anew */
	set_regs(&t->regs);
	set_mask(t);
	/* the kernel looks at an interrupted call only on the way of a signal */
	if ((s64)t->regs.orig_ax >= 0)
		set_thread_flag(TIF_SIGPENDING);

	/* no thread returns into the restorer, so it may go while others are here */
	mutex_lock(&l->todo.lock);
	last = ++l->gone == l->head.threads;
	mutex_unlock(&l->todo.lock);
	if (last) {
		leave_restorer(l, file);
		trace_handoff_phase(&l->m.id, CTM_PHASE_RUNNING);
		wake_up_all(&l->wait);
	}
	return t->regs.ax;
}

/* one more thread is here; the last makes it PREPARED */
static void arrive(struct ctm_landing *l)
{
	bool built;

	mutex_lock(&l->todo.lock);
	if (!l->leader)
		l->leader = get_pid(task_tgid(current));
	if (!l->waiting++)
		trace_handoff_phase(&l->m.id, CTM_PHASE_WAITING);
	built = l->waiting == l->head.threads && l->end_read && !l->built;
	l->built |= built;
	mutex_unlock(&l->todo.lock);
	if (built) {
		trace_handoff_phase(&l->m.id, CTM_PHASE_BUILT);
		happen(l, CTM_HO_EV_BUILT, 0);
	}
}

/* what the leader could do without must be known before it counts as here */
static bool settled(struct ctm_landing *l)
{
	char why[CTM_REASON_MAX];
	/* the files of a child stay where its parent's are: nobody has to be asked */
	int err = thread_group_leader(current) && !l->order ? ctm_rfiles_settle(l->p) : 0;

	if (!err)
		return true;
	snprintf(why, sizeof(why), "%s: a file that stays at home: error %d", ctm_node_name(), err);
	fail(l, -err, why);
	return false;
}

static bool is_leader(struct ctm_landing *l)
{
	return task_pid(current) == l->leader;
}

/* the others go when the signals of the COMMIT are where any of them may take them */
static bool may_leave(struct ctm_landing *l)
{
	enum verdict v = READ_ONCE(l->verdict);

	return v == ABORTED || (v == GO && (is_leader(l) || !READ_ONCE(l->queueing)));
}

loff_t ctm_landing_seek(struct ctm_landing *l, struct file *file, loff_t arg)
{
	struct ctm_land_thread t;
	int err;
	loff_t ret;

	if (copy_from_user(&t, u64_to_user_ptr((u64)arg), sizeof(t)))
		return -EFAULT;
	if (!regs_good(&t.regs) || t.restart > CTM_RESTART_CALL)
		return -EINVAL;
	get_file(file);			/* leave_restorer() closes the caller's descriptor */
	if (READ_ONCE(l->verdict) == UNDECIDED && settled(l))
		arrive(l);
	err = wait_event_killable(l->wait, may_leave(l));
	if (err) {
		fail(l, ESRCH, "a restored thread was killed");
		ret = err;
	} else if (READ_ONCE(l->verdict) == ABORTED) {
		ret = -ECONNABORTED;
	} else {
		ret = is_leader(l) ? next_shared(l) : 0;
		if (!ret)
			ret = go(l, file, &t);
	}
	fput(file);
	return ret;
}

/* ---- the keeper's file ---- */

struct ctm_keeper *ctm_landing_keeper(struct ctm_landing *l)
{
	return smp_load_acquire(&l->keeper);
}

__poll_t ctm_landing_poll(struct ctm_landing *l, struct file *f, struct poll_table_struct *pt)
{
	struct ctm_keeper *k = ctm_landing_keeper(l);

	if (k)
		return ctm_keeper_poll(k, f, pt);
	poll_wait(f, &l->wait, pt);
	k = ctm_landing_keeper(l);
	if (k)
		return ctm_keeper_poll(k, f, pt);
	return READ_ONCE(l->verdict) == ABORTED ? EPOLLHUP : 0;
}

void ctm_landing_close(struct ctm_landing *l)
{
	struct ctm_keeper *k;

	mutex_lock(&l->todo.lock);
	l->closed = true;
	k = l->keeper;
	mutex_unlock(&l->todo.lock);
	if (k)
		ctm_keeper_free(k);
	else
		fail(l, ECANCELED, "the restorer died");
	landing_put(l);
}

/* ---- the serve thread: judging an offer ---- */

static int room_for(u64 rss, char *why)
{
	u64 room = (u64)si_mem_available() << PAGE_SHIFT;

	if (rss + ROOM_SPARE <= room)
		return 0;
	snprintf(why, CTM_REASON_MAX, "%s: no room: needs %llu MiB, has %llu MiB", ctm_node_name(),
		 rss >> 20, room >> 20);
	return -EXDEV;
}

int ctm_land_judge(const struct ctm_ho_offer *o, u32 n, char *why)
{
	struct ctm_abi abi;

	if (!ctm_node_accepting()) {
		snprintf(why, CTM_REASON_MAX, "%s does not accept processes now", ctm_node_name());
		return -EXDEV;
	}
	if (!o->uid && !ctm_node_allow_root()) {
		snprintf(why, CTM_REASON_MAX, "%s: processes of root may not land there (allow_root)",
			 ctm_node_name());
		return -EXDEV;
	}
	if (le32_to_cpu(o->flags) & CTM_HO_OFFER_CLUSTER && !o->ttl) {
		snprintf(why, CTM_REASON_MAX, "%s: its time to live is over", ctm_node_name());
		return -ETIME;
	}
	ctm_ho_abi_get(&abi, &o->abi);
	if (ctm_abi_compatible(&abi, ctm_abi_self(), why))
		return -EXDEV;
	return room_for(le64_to_cpu(o->rss) * n, why);
}

/* the registry's entry: ours when it comes home, else a new one */
static int enter_process(struct ctm_landing *l)
{
	struct ctm_process *p = ctm_process_find(l->m.id.gpid);

	if (p && (p->here || p->ended)) {
		ctm_process_put(p);
		strscpy(l->why, "a process of that id is here", sizeof(l->why));
		return -EEXIST;
	}
	if (!p) {
		p = ctm_process_new(l->m.id.gpid, le64_to_cpu(l->offer.family));
		if (IS_ERR(p))
			return PTR_ERR(p);
		p->host = l->source;
		p->epoch = l->m.id.epoch;
		l->p_is_new = true;
	}
	l->p = p;
	p->flags = le32_to_cpu(l->offer.flags) & (CTM_ADOPT_TTY | CTM_ADOPT_PIN | CTM_ADOPT_LINGER);
	if (ctm_signals_load(p, NULL, 0))
		return -ENOMEM;
	return p->flags & CTM_ADOPT_TTY && !p->term ? ctm_term_create(p) : 0;
}

#define CLEAR_STEP_MS	100
#define CLEAR_MS	5000

static struct ctm_landing *landing_of(u64 gpid)
{
	struct ctm_landing *l, *found = NULL;

	mutex_lock(&landers_lock);
	list_for_each_entry(l, &live_landings, list)
		if (l->m.id.gpid == gpid) {
			kref_get(&l->ref);
			found = l;
			break;
		}
	mutex_unlock(&landers_lock);
	return found;
}

/*
 * One landing of a process at a time.  An earlier one may still wait for a word that
 * was lost: the source would not try again if it had not aborted that attempt.
 */
static int clear_way(const struct ctm_ho_id *id, char *why)
{
	struct ctm_landing *l;
	unsigned int ms;

	for (ms = 0; ms < CLEAR_MS; ms += CLEAR_STEP_MS) {
		l = landing_of(id->gpid);
		if (!l)
			return 0;
		if (ctm_ho_id_supersedes(id, &l->m.id))
			happen(l, CTM_HO_EV_SUPERSEDED, ECANCELED);
		landing_put(l);
		msleep(CLEAR_STEP_MS);
	}
	strscpy(why, "an earlier landing of it has not ended here", CTM_REASON_MAX);
	return -EBUSY;
}

static void refuse(struct ctm_conn *c, const struct ctm_ho_id *id, int err, const char *why)
{
	ctm_count(CTM_CNT_HANDOFF_REFUSED);
	ctm_ho_send_text(c, CTM_HO_FRAME_REFUSE, id, -err, why);
}

int ctm_land_accept(struct ctm_conn *c, const struct ctm_ho_id *id, const struct ctm_ho_offer *o,
		    u64 mono_rx, u64 boot_rx, char *why)
{
	unsigned int n = le32_to_cpu(o->nidents);
	size_t len = sizeof(struct ctm_ho_accept) + (n + 7) / 8;
	struct ctm_ho_accept *a;
	unsigned long *bits;
	int err = -ENOMEM;

	bits = kvcalloc(BITS_TO_LONGS(n + 1), sizeof(long), GFP_KERNEL_ACCOUNT);
	a = kvzalloc(len, GFP_KERNEL_ACCOUNT);
	if (!bits || !a)
		goto out;
	err = ctm_idents_check(o->idents, le32_to_cpu(o->ident_bytes), n, bits, why);
	if (!err && why[0])
		err = -EXDEV;		/* something that it needs is not here */
	if (err)
		goto out;
	a->nidents = o->nidents;
	memcpy(a->bits, bits, (n + 7) / 8);
	a->mono_rx = cpu_to_le64(mono_rx);
	a->boot_rx = cpu_to_le64(boot_rx);
	a->mono_tx = cpu_to_le64(ktime_get_ns());
	a->boot_tx = cpu_to_le64(ktime_get_boottime_ns());
	trace_handoff_phase(id, CTM_PHASE_ACCEPT);
	err = ctm_ho_send(c, CTM_HO_FRAME_ACCEPT, id, a, len, NULL, 0);
out:
	kvfree(a);
	kvfree(bits);
	return err;
}

/* from an OFFER to a landing; ACCEPT or REFUSE was sent.  NULL: not even that */
static struct ctm_landing *consider(struct ctm_conn *c, const struct ctm_ho_frame *f, u64 mono_rx,
				    u64 boot_rx)
{
	const struct ctm_ho_offer *o = (const void *)(f + 1);
	struct ctm_ho_event ev = { .type = CTM_HO_EV_OFFER, .ok = true };
	struct ctm_landing *l = NULL;
	struct ctm_peer_info from;
	char why[CTM_REASON_MAX] = "";
	int err;

	ctm_ho_frame_id(f, &ev.id);
	trace_handoff_phase(&ev.id, CTM_PHASE_OFFERED);
	err = ctm_peer_by_id(ctm_conn_peer(c), &from);
	if (!err && (ev.id.src_boot != ctm_conn_peer_boot(c) || ev.id.dst_boot != ctm_node_boot()))
		err = -ESTALE;
	if (!err)
		err = ctm_land_judge(o, 1, why);
	if (!err)
		err = clear_way(&ev.id, why);
	if (err)
		goto no;
	l = take_lander(&ev.id);
	if (!l) {
		err = -EXDEV;
		snprintf(why, sizeof(why), "%s: no restorer is ready (is continuumd running?)",
			 ctm_node_name());
		goto no;
	}
	if (land_gate && le32_to_cpu(o->flags) & CTM_HO_OFFER_CLUSTER) {
		err = land_gate->admit(from.id, le64_to_cpu(o->rss), l->why);
		l->admitted = !err;
	}
	l->conn = c;
	l->source = from.id;
	l->offer = *o;
	if (!err)
		err = ctm_outcome_reserve(&ev.id, false);
	if (!err)
		err = enter_process(l);
	if (!err)
		err = ctm_conn_read_ahead(c);
	if (!err)
		err = ctm_land_accept(c, &ev.id, o, mono_rx, boot_rx, l->why);
	if (!err)
		ctm_rfiles_expect(l->p);
	strscpy(why, l->why[0] ? l->why : "cannot land", sizeof(why));
no:
	if (err)
		refuse(c, &ev.id, err, why[0] ? why : "refused");
	ev.ok = !err;
	ev.error = -err;
	if (l)
		step(l, &ev);
	return l;
}

/* ---- the serve thread: actions ---- */

/* wait until the restorer does not touch the connection any more */
static void expel_reader(struct ctm_landing *l)
{
	if (l->conn && atomic_read(&l->reading))
		ctm_conn_abort(l->conn);
	wait_event(l->read, !atomic_read(&l->reading));
}

static void set_verdict(struct ctm_landing *l, enum verdict v)
{
	mutex_lock(&l->todo.lock);
	if (l->verdict == UNDECIDED)
		WRITE_ONCE(l->verdict, v);
	mutex_unlock(&l->todo.lock);
	wake_up_all(&l->wait);
}

static void do_discard(struct ctm_landing *l)
{
	set_verdict(l, ABORTED);
	expel_reader(l);
	if (l->leader)
		kill_pid(l->leader, SIGKILL, 1);
	if (l->why[0])
		pr_info_ratelimited("continuum: process %llx: landing given up: %s\n", l->m.id.gpid,
				    l->why);
	ctm_count(CTM_CNT_HANDOFF_ABORTED);
}

/* the threads queue what came with the COMMIT themselves, but a stop would not wait */
static void take_pending(struct ctm_landing *l)
{
	unsigned int i, n;
	const struct ctm_rec_pending *v = commit_pending(l, &n);

	for (i = 0; i < n; i++)
		if (v[i].signo == SIGSTOP)
			kill_pid(l->leader, SIGSTOP, 1);
	l->queueing = n;
}

static void leave_gate(struct ctm_landing *l, bool here)
{
	if (l->admitted)
		land_gate->landed(here);
	l->admitted = false;
}

/* a hop that the cluster decided takes one of the TTL */
static void take_life(struct ctm_landing *l)
{
	const struct ctm_ho_offer *o = &l->offer;
	u32 ttl = le32_to_cpu(o->ttl);

	if (ttl && le32_to_cpu(o->flags) & CTM_HO_OFFER_CLUSTER)
		ttl--;
	spin_lock(&l->p->lock);
	ctm_life_land(&l->p->life, ttl, le32_to_cpu(o->ttl_max),
		      (u64)le32_to_cpu(o->lease_ms) * NSEC_PER_MSEC,
		      (u64)le32_to_cpu(o->lease_used_ms) * NSEC_PER_MSEC);
	spin_unlock(&l->p->lock);
}

/* COMMIT: from here on it runs here */
static void do_release(struct ctm_landing *l)
{
	struct ctm_process *p = l->p;
	struct ctm_keeper *k = l->next_keeper ?: ctm_keeper_new(p);
	const struct ctm_ho_commit *c = l->commit;	/* NULL: an operator's RECOVER */
	struct ctm_term_pos pos = {
		.in_taken = c ? le64_to_cpu(c->term_in) : 0,
		.out_sent = c ? le64_to_cpu(c->term_out) : 0,
	};

	l->next_keeper = NULL;
	if (!k) {			/* its pages were had for less: the OOM killer's doing */
		do_discard(l);
		return;
	}
	if (c)
		ctm_signals_load(p, ctm_ho_commit_applied(c), le32_to_cpu(c->napplied));
	if (!l->order)
		p->cpu_before_ns = le64_to_cpu(c ? c->cpu_ns : l->offer.cpu_ns);
	p->hops = le32_to_cpu(l->offer.hops) + 1;
	take_life(l);
	p->attempt = 0;
	p->arriving = true;
	p->leaving_to = 0;
	p->epoch = l->m.id.epoch + 1;
	memcpy(p->comm, l->offer.comm, sizeof(p->comm));
	p->comm[CTM_COMM_MAX - 1] = 0;
	ctm_po_arrived(&p->cooling, ktime_get_ns(), p->hops, le64_to_cpu(l->offer.rss) >> 20);
	if (p->term && c)
		ctm_term_set_pos(p, &pos);
	else if (p->term)
		ctm_term_lost_pos(p);
	ctm_process_host(p, l->leader, &l->capsule, k);
	ctm_reaper_landed(p);
	ctm_rfiles_here(p);
	take_pending(l);

	mutex_lock(&l->todo.lock);
	smp_store_release(&l->keeper, k);
	mutex_unlock(&l->todo.lock);
	trace_handoff_phase(&l->m.id, CTM_PHASE_GO);
	set_verdict(l, GO);
	if (l->closed)			/* the keeper died this moment: nobody else frees k */
		ctm_keeper_free(k);
	else
		ctm_keeper_post(p, CTM_EV_LANDED, 0);
	wait_event_timeout(l->wait, READ_ONCE(l->gone) == l->head.threads, msecs_to_jiffies(GO_MS));
	if (!l->order || !l->order->restore)
		ctm_count(l->order ? CTM_CNT_FORKED_IN : CTM_CNT_HANDOFF_IN);
	leave_gate(l, true);
}

static int moved_at_home(struct ctm_process *p, u32 host, const struct ctm_moved_call *c)
{
	int err = 0;

	spin_lock(&p->lock);
	if (p->ended || c->epoch < p->epoch || (c->epoch == p->epoch && p->host != host)) {
		err = -ESTALE;
	} else {
		p->host = host;
		p->host_boot = c->boot;
		p->epoch = c->epoch;
		p->hops = c->hops;
		p->leaving_to = 0;
		p->state = CTM_STATE_RUNNING;
	}
	spin_unlock(&p->lock);
	if (err)
		return err;
	ctm_term_moved(p);
	ctm_deputy_post(p, CTM_EV_MOVED, host);
	return 0;
}

static int serve_moved(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct ctm_moved_call *c = req;
	struct ctm_process *p;
	int err = 0;

	*resp_len = 0;
	if (len != sizeof(*c))
		return -EBADMSG;
	p = ctm_process_find(c->gpid);
	if (!p)
		return 0;		/* forgotten since */
	if (ctm_process_is_home(p))
		err = moved_at_home(p, from, c);
	ctm_process_put(p);
	return err;
}

/* the old host's word, in case the new one died before it could give its own */
static int serve_handed(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct ctm_handed_call *c = req;
	struct ctm_moved_call m;
	struct ctm_process *p;

	*resp_len = 0;
	if (len != sizeof(*c))
		return -EBADMSG;
	m = (struct ctm_moved_call){
		.gpid = c->gpid, .boot = c->boot, .epoch = c->epoch, .hops = c->hops,
	};
	p = ctm_process_find(c->gpid);
	if (p && ctm_process_is_home(p) && READ_ONCE(p->host) == from)
		moved_at_home(p, c->host, &m);
	ctm_process_put(p);
	return 0;
}

/* until home has it: signals and exits go by what home knows */
static void do_tell_home(struct ctm_landing *l)
{
	struct ctm_process *p = l->p;
	int err;

	if (ctm_process_is_home(p)) {
		ctm_term_moved(p);
		ctm_deputy_post(p, CTM_EV_MOVED, ctm_node_id());
		return;
	}
	do {
		err = ctm_process_tell_home(p);
		if (err && err != -ESTALE)
			schedule_timeout_interruptible(HZ / 2);
	} while (err && err != -ESTALE && ctm_node_is_up() && READ_ONCE(p->here));
	if (err == -ESTALE)		/* given up, or recovered elsewhere, while nobody heard us */
		ctm_process_void(p);
}

struct reclaim_call {
	__u64 gpid;
	__u32 epoch;
	__u32 pad;
};

static int serve_reclaim(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct reclaim_call *c = req;
	struct ctm_process *p;
	bool here;

	*resp_len = 0;
	if (len != sizeof(*c))
		return -EBADMSG;
	p = ctm_process_find(c->gpid);
	here = p && READ_ONCE(p->here);
	if (here)
		ctm_process_claim(p, c->epoch);
	ctm_process_put(p);
	return here ? 0 : -ESRCH;
}

/* The source's copy is the one that counts, after an operator had started this one. */
static void do_kill_copy(struct ctm_landing *l)
{
	struct reclaim_call c = { .gpid = l->m.id.gpid, .epoch = l->m.id.epoch + 2 };
	size_t none;
	int err;

	ctm_process_void(l->p);
	WRITE_ONCE(l->p->arriving, false);
	do {				/* home was told of us: it has to hear of the source */
		none = 0;
		err = ctm_call(l->source, CTM_CALL_RECLAIM, &c, sizeof(c), NULL, &none, 2000);
		if (err && err != -ESRCH)
			schedule_timeout_interruptible(HZ);
	} while (err && err != -ESRCH && ctm_node_is_up());
}

static void set_limbo(struct ctm_landing *l, bool on)
{
	if (!l->p || READ_ONCE(l->p->limbo) == on)
		return;
	spin_lock(&l->p->lock);
	l->p->limbo = on;
	if (on && l->p_is_new) {
		l->p->uid = le32_to_cpu(l->offer.uid);
		memcpy(l->p->comm, l->offer.comm, sizeof(l->p->comm));
		l->p->comm[CTM_COMM_MAX - 1] = 0;
	}
	spin_unlock(&l->p->lock);
}

static bool leader_dying(struct ctm_landing *l)
{
	struct task_struct *t = l->leader ? get_pid_task(l->leader, PIDTYPE_PID) : NULL;
	bool dying = !t || fatal_signal_pending(t);

	if (t)
		put_task_struct(t);
	return dying;
}

static void do_query(struct ctm_landing *l)
{
	struct ctm_ho_event ev = { .type = CTM_HO_EV_ANSWER, .id = l->m.id };
	void *commit = NULL;
	size_t len = 0;

	if (ctm_ho_ask(l->source, &l->m.id, false, ctm_ho_dest_outcome(&l->m), &ev.outcome, &ev.boot,
		       &commit, &len))
		return;
	if (commit && !l->commit) {
		l->commit = commit;
		l->commit_len = len;
	} else {
		kvfree(commit);
	}
	ev.dying = leader_dying(l);
	step(l, &ev);
}

/* nobody has said why: the machine gave up by itself */
static void say_why(struct ctm_landing *l)
{
	mutex_lock(&l->todo.lock);
	if (!l->error)
		l->error = l->m.error ?: ECANCELED;
	if (!l->why[0] && l->error == ETIMEDOUT)
		snprintf(l->why, sizeof(l->why), "%s: what builds the process does not go on",
			 ctm_node_name());
	else if (!l->why[0])
		snprintf(l->why, sizeof(l->why), "%s gave up: error %d", ctm_node_name(), l->error);
	mutex_unlock(&l->todo.lock);
}

static void do_send_abort(struct ctm_landing *l)
{
	char sink[256];

	expel_reader(l);
	if (!l->conn)
		return;
	say_why(l);
	if (ctm_ho_send_text(l->conn, CTM_HO_FRAME_ABORT, &l->m.id, l->error, l->why))
		return;
	/* read on for a while: a close with unread data would reset our words away */
	ctm_conn_set_timeout(l->conn, ABORT_DRAIN_MS);
	while (!ctm_conn_recv(l->conn, sink, sizeof(sink)))
		;
}

static void act(struct ctm_landing *l, enum ctm_ho_action a)
{
	switch (a) {
	case CTM_HO_SEND_ACCEPT:
	case CTM_HO_SEND_REFUSE:
		break;			/* consider() did it */
	case CTM_HO_BUILD:
		trace_handoff_phase(&l->m.id, CTM_PHASE_BEGUN);
		WRITE_ONCE(l->taken, true);
		wake_up_all(&l->wait);
		break;
	case CTM_HO_SEND_PREPARED:
		ctm_ho_send(l->conn, CTM_HO_FRAME_PREPARED, &l->m.id, NULL, 0, NULL, 0);
		break;
	case CTM_HO_RELEASE:
		do_release(l);
		break;
	case CTM_HO_SEND_STARTED:
		ctm_ho_send(l->conn, CTM_HO_FRAME_STARTED, &l->m.id, NULL, 0, NULL, 0);
		break;
	case CTM_HO_TELL_HOME:
		do_tell_home(l);
		break;
	case CTM_HO_DISCARD:
		do_discard(l);
		break;
	case CTM_HO_KILL_COPY:
		do_kill_copy(l);
		break;
	case CTM_HO_QUERY_SOURCE:
		do_query(l);
		break;
	case CTM_HO_SEND_ABORT:
		do_send_abort(l);
		break;
	case CTM_HO_SETTLE:
		if (l->p) {
			WRITE_ONCE(l->p->arriving, false);
			wake_up_all(&l->p->wait);
		}
		break;
	case CTM_HO_ENTER_LIMBO:
		pr_warn("continuum: process %llx: landed copy in limbo: the source does not answer\n",
			l->m.id.gpid);
		set_limbo(l, true);
		break;
	case CTM_HO_LEAVE_LIMBO:
		set_limbo(l, false);
		break;
	default:
		WARN_ON_ONCE(1);	/* an action of the source */
	}
}

/* ---- the serve thread: its loop ---- */

static void take_begin(struct ctm_landing *l, const struct ctm_ho_frame *f, struct ctm_ho_event *ev)
{
	l->begin = *(const struct ctm_ho_begin *)(f + 1);
	l->noted = jiffies;
	step(l, ev);
}

static void take_commit(struct ctm_landing *l, const struct ctm_ho_frame *f, struct ctm_ho_event *ev)
{
	size_t len = le32_to_cpu(f->len);

	if (!l->commit) {
		l->commit = kvmalloc(len, GFP_KERNEL_ACCOUNT);
		if (l->commit)
			memcpy(l->commit, f + 1, len);
		l->commit_len = len;
	}
	ev->dying = !l->commit || leader_dying(l);
	step(l, ev);
}

static void take_frame(struct ctm_landing *l, const struct ctm_ho_frame *f)
{
	struct ctm_ho_event ev = {};

	ctm_ho_frame_id(f, &ev.id);
	switch (le16_to_cpu(f->type)) {
	case CTM_HO_FRAME_BEGIN:
		ev.type = CTM_HO_EV_BEGIN;
		if (l->m.state == CTM_HO_DST_ACCEPTED && ctm_ho_id_equal(&ev.id, &l->m.id))
			take_begin(l, f, &ev);
		return;
	case CTM_HO_FRAME_COMMIT:
		ev.type = CTM_HO_EV_COMMIT;
		trace_handoff_phase(&l->m.id, CTM_PHASE_COMMITTED);
		if (ctm_ho_id_equal(&ev.id, &l->m.id) && l->leader)
			take_commit(l, f, &ev);
		return;
	case CTM_HO_FRAME_RELEASED:
		ev.type = CTM_HO_EV_RELEASED;
		break;
	case CTM_HO_FRAME_ABORT:
		ev.type = CTM_HO_EV_ABORT;
		ev.error = ctm_ho_text_get(f, l->why);
		break;
	default:
		fail(l, EPROTO, "the source sent a frame that makes no sense here");
		return;
	}
	step(l, &ev);
}

static bool work_waits(struct ctm_landing *l)
{
	return READ_ONCE(l->todo.count);
}

static bool ready_waits(struct ctm_landing *l)
{
	return READ_ONCE(l->ready) && !l->ready_told;
}

static void wait_input(struct ctm_landing *l)
{
	struct ctm_ho_frame *f;
	int ready = 0;

	/* while the image comes, the restorer is the one who receives */
	if (l->conn && l->m.state != CTM_HO_DST_INCOMING) {
		ready = ctm_conn_poll(l->conn, POLL_MS);
		if (ready > 0) {
			f = ctm_ho_recv(l->conn);
			if (IS_ERR(f)) {
				ready = PTR_ERR(f);
			} else {
				take_frame(l, f);
				kvfree(f);
			}
		}
		if (ready < 0) {
			l->conn = NULL;	/* the transport closes it when we return */
			happen(l, CTM_HO_EV_CONN_LOST, -ready);
		}
	} else {
		wait_event_timeout(l->todo.wait, work_waits(l) || ready_waits(l),
				   msecs_to_jiffies(POLL_MS));
		if (ready_waits(l)) {
			l->ready_told = true;
			ctm_ho_send(l->conn, CTM_HO_FRAME_READY, &l->m.id, NULL, 0, NULL, 0);
		}
	}
	if (l->m.deadline && ktime_get_ns() >= l->m.deadline)
		happen(l, CTM_HO_EV_TIMER, ETIMEDOUT);
	if (!ctm_node_is_up())
		happen(l, l->m.state == CTM_HO_DST_LIMBO ? CTM_HO_EV_DESTROY : CTM_HO_EV_CANCEL,
		       ENETDOWN);	/* forced down: who did it was told what waits here */
}

static void drive(struct ctm_landing *l)
{
	enum ctm_ho_action a;

	for (;;) {
		a = ctm_todo_next(&l->todo);
		if (a)
			act(l, a);
		else if (ctm_ho_dest_over(&l->m) || (l->m.state == CTM_HO_DST_STARTED &&
						     !ctm_node_is_up()))
			break;
		else
			wait_input(l);
	}
}

/* what is left of a landing, when it is over */
static void landing_over(struct ctm_landing *l)
{
	set_verdict(l, ABORTED);	/* nothing if it was GO */
	leave_gate(l, false);		/* nothing if it is here */
	set_limbo(l, false);
	expel_reader(l);
	if (l->verdict == ABORTED && l->p) {
		ctm_rfiles_ended(l->p);
		ctm_signals_forget(l->p);
		if (l->p_is_new)
			ctm_process_forget(l->p);
	}
	l->conn = NULL;
	mutex_lock(&landers_lock);
	list_del_init(&l->list);
	mutex_unlock(&landers_lock);
	landing_put(l);
}

static void serve(struct ctm_conn *c)
{
	struct ctm_landing *l;
	struct ctm_ho_frame *f;
	u64 mono_rx, boot_rx;

	ctm_conn_set_timeout(c, IO_MS);
	f = ctm_ho_recv(c);
	if (IS_ERR(f))
		return;
	mono_rx = ktime_get_ns();
	boot_rx = ktime_get_boottime_ns();
	l = le16_to_cpu(f->type) == CTM_HO_FRAME_OFFER ? consider(c, f, mono_rx, boot_rx) : NULL;
	kvfree(f);
	if (!l)
		return;
	set_user_nice(current, MIN_NICE);	/* as the source's worker: see there */
	drive(l);
	landing_over(l);
}

/* ---- a child of a fork ---- */

#define LANDER_MS	60000	/* without any keeper that waits, for whomever */
#define LANDER_LOOK_MS	500

static struct ctm_landing *await_lander(const struct ctm_land_order *o, const struct ctm_ho_id *id)
{
	unsigned long begun = jiffies, last;
	struct ctm_landing *l;

	for (;;) {
		l = take_lander(id);
		last = READ_ONCE(lander_taken);
		if (time_before(last, begun))
			last = begun;
		if (l || !o->wanted(o) || !ctm_node_is_up() ||
		    time_after(jiffies, last + msecs_to_jiffies(LANDER_MS)))
			return l;
		wait_event_timeout(landers_wait, !list_empty_careful(&waiting_landers),
				   msecs_to_jiffies(LANDER_LOOK_MS));
	}
}

/* OFFER and BEGIN, as if they had come for it alone */
static int child_begin(struct ctm_landing *l, const struct ctm_land_order *o, u32 index)
{
	struct ctm_ho_event ev = { .type = CTM_HO_EV_OFFER, .ok = true, .id = l->m.id };
	int err;

	l->order = o;
	l->index = index;
	l->source = o->source;
	l->offer = *o->offer;
	l->begin = *o->begin;
	l->noted = jiffies;
	err = enter_process(l);
	if (!err) {
		l->next_keeper = ctm_keeper_new(l->p);
		l->commit_len = sizeof(*l->commit);
		l->commit = kvzalloc(l->commit_len, GFP_KERNEL_ACCOUNT);
		err = l->next_keeper && l->commit ? 0 : -ENOMEM;
	}
	ev.ok = !err;
	ev.error = -err;
	step(l, &ev);
	if (!err)
		happen(l, CTM_HO_EV_BEGIN, 0);
	return err;
}

/* what the machine says, until @state or the end */
static void child_drive(struct ctm_landing *l, enum ctm_ho_dest_state state)
{
	enum ctm_ho_action a;

	for (;;) {
		a = ctm_todo_next(&l->todo);
		if (a && a != CTM_HO_TELL_HOME)		/* home has decided it */
			act(l, a);
		else if (!a && (l->m.state == state || ctm_ho_dest_over(&l->m)))
			break;
		else if (!a)
			wait_input(l);
	}
}

/* it exists: from here on whatever becomes of it is told home as its end */
static void child_go(struct ctm_landing *l)
{
	happen(l, CTM_HO_EV_COMMIT, 0);
	child_drive(l, CTM_HO_DST_STARTED);
	happen(l, CTM_HO_EV_RELEASED, 0);
	child_drive(l, CTM_HO_DST_SETTLED);
	if (l->verdict == GO)
		return;
	l->p_is_new = false;		/* its end has to be told, then it is forgotten */
	spin_lock(&l->p->lock);
	l->p->epoch = l->m.id.epoch + 1;
	spin_unlock(&l->p->lock);
	ctm_process_stillborn(l->p);
}

int ctm_land_child(const struct ctm_land_order *o, u64 gpid, u32 index, char *why)
{
	struct ctm_ho_id id = {
		.gpid = gpid, .epoch = o->epoch, .attempt = 1, .src_boot = o->source_boot, .dst_boot = ctm_node_boot(),
	};
	struct ctm_landing *l = await_lander(o, &id);
	int err;

	if (!l) {
		snprintf(why, CTM_REASON_MAX, o->wanted(o) ? "%s: no restorer is ready (is continuumd running?)" :
			 "%s: it was given up", ctm_node_name());
		return o->wanted(o) ? -EXDEV : -ECANCELED;
	}
	err = child_begin(l, o, index);
	child_drive(l, CTM_HO_DST_PREPARED);
	if (l->m.state == CTM_HO_DST_PREPARED)
		err = o->may_start(o, gpid);
	else if (!err)
		err = -(l->error ?: l->m.error ?: ECANCELED);
	if (!err) {
		child_go(l);
	} else if (!ctm_ho_dest_over(&l->m)) {
		happen(l, CTM_HO_EV_ABORT, -err);
		child_drive(l, CTM_HO_DST_DISCARDED);
	}
	if (err)
		strscpy(why, l->why[0] ? l->why : "it could not be made", CTM_REASON_MAX);
	if (l->next_keeper)
		ctm_keeper_free(l->next_keeper);
	landing_over(l);
	return err;
}

/* ---- questions of the source ---- */

static struct ctm_landing *find_landing(const struct ctm_ho_id *id)
{
	struct ctm_landing *l, *found = NULL;

	mutex_lock(&landers_lock);
	list_for_each_entry(l, &live_landings, list)
		if (ctm_ho_id_equal(&l->m.id, id)) {
			kref_get(&l->ref);
			found = l;
			break;
		}
	mutex_unlock(&landers_lock);
	return found;
}

int ctm_landing_query(const struct ctm_ho_id *id, const struct ctm_ho_query *q,
		      enum ctm_ho_outcome_type *outcome)
{
	struct ctm_ho_event ev = {
		.type = CTM_HO_EV_QUERY, .id = *id,
		.outcome = le32_to_cpu(q->outcome), .boot = le64_to_cpu(q->boot),
	};
	struct ctm_landing *l = find_landing(id);

	if (!l)
		return -ENOENT;
	step(l, &ev);
	mutex_lock(&l->todo.lock);
	*outcome = ctm_ho_dest_outcome(&l->m);
	mutex_unlock(&l->todo.lock);
	landing_put(l);
	return 0;
}

void ctm_landing_released(const struct ctm_ho_id *id)
{
	struct ctm_ho_event ev = { .type = CTM_HO_EV_RELEASED, .id = *id };
	struct ctm_landing *l = find_landing(id);

	if (l) {
		step(l, &ev);
		landing_put(l);
	} else {
		ctm_outcome_ack(id, false);
	}
}

void ctm_land_gate(const struct ctm_land_gate *gate)
{
	WRITE_ONCE(land_gate, gate);
}

/* ---- an operator, and home ---- */

/* the landing of @gpid that waits for COMMIT or for somebody's word, or NULL */
static struct ctm_landing *find_held(u64 gpid)
{
	struct ctm_landing *l, *found = NULL;

	mutex_lock(&landers_lock);
	list_for_each_entry(l, &live_landings, list) {
		enum ctm_ho_dest_state s = READ_ONCE(l->m.state);

		if (l->m.id.gpid == gpid && (s == CTM_HO_DST_PREPARED || s == CTM_HO_DST_LIMBO ||
					     s == CTM_HO_DST_STARTED)) {
			kref_get(&l->ref);
			found = l;
			break;
		}
	}
	mutex_unlock(&landers_lock);
	return found;
}

static int serve_held(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	struct ctm_landing *l;
	__u64 gpid;

	*resp_len = 0;
	if (len != sizeof(gpid))
		return -EBADMSG;
	memcpy(&gpid, req, sizeof(gpid));
	l = find_held(gpid);
	if (!l)
		return -ESRCH;
	landing_put(l);
	return 0;
}

static int may_recover(struct ctm_landing *l, const struct ctm_caller *by)
{
	struct task_struct *t = get_pid_task(l->leader, PIDTYPE_PID);
	int err = t ? ctm_owned_by(t, by) : -ESRCH;

	if (t)
		put_task_struct(t);
	return err;
}

#define RECOVER_MS	10000

int ctm_landing_recover(u64 gpid, const struct ctm_caller *by, char *why)
{
	struct ctm_ho_event ev = { .type = CTM_HO_EV_RECOVER };
	struct ctm_landing *l = find_held(gpid);
	int err = -ENOENT;

	if (!l)
		return -ENOENT;
	if (READ_ONCE(l->m.state) == CTM_HO_DST_PREPARED)
		err = -EBUSY;		/* it still asks its source */
	if (READ_ONCE(l->m.state) != CTM_HO_DST_LIMBO)
		goto out;
	err = may_recover(l, by);
	if (err)
		goto out;
	step(l, &ev);
	if (!wait_event_timeout(l->wait, READ_ONCE(l->verdict) != UNDECIDED,
				msecs_to_jiffies(RECOVER_MS)))
		err = -ETIMEDOUT;
	else if (READ_ONCE(l->verdict) != GO)
		err = -ENOENT;		/* the source spoke this very moment, or it died */
	else
		snprintf(why, CTM_REASON_MAX, "runs on %s from where it was when it left; what it has done elsewhere since may be done twice",
			 ctm_node_name());
out:
	landing_put(l);
	return err;
}

int ctm_land_init(void)
{
	ctm_call_handler(CTM_CALL_HANDED, serve_handed);
	ctm_call_handler(CTM_CALL_HELD, serve_held);
	ctm_call_handler(CTM_CALL_RECLAIM, serve_reclaim);
	ctm_call_handler(CTM_CALL_MOVED, serve_moved);
	ctm_channel_serve(CTM_CHANNEL_HANDOFF, serve);
	return 0;
}

void ctm_land_exit(void)
{
	ctm_channel_serve(CTM_CHANNEL_HANDOFF, NULL);
	ctm_call_handler(CTM_CALL_RECLAIM, NULL);
	ctm_call_handler(CTM_CALL_HELD, NULL);
	ctm_call_handler(CTM_CALL_HANDED, NULL);
	ctm_call_handler(CTM_CALL_MOVED, NULL);
}
