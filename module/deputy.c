// SPDX-License-Identifier: GPL-2.0
/*
 * deputy.c - the ordinary process that stays at home for a process that is away:
 *            its file, its events, and the threads that it lends
 *
 * A struct ctm_deputy_file belongs to an open /dev/continuum.  Who may hold a
 * pointer to it: that file, and so every call on it; a thread in SERVE is such a
 * call, hence none is left when the file is released.
 * Events wait in ctm_rfiles, where they can be before there is a deputy.
 */
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat/compat.h"
#include "signals.h"
#include "rfile_priv.h"
#include "term.h"

struct ctm_deputy_file {
	struct ctm_process *p;		/* a reference */
	struct ctm_rfiles *rf;		/* lives as long as @p */
};

/* ---- events ---- */

static void drop_event(struct ctm_rfiles *rf, unsigned int i)
{
	unsigned int n = CTM_DEPUTY_EVENTS;

	for (; i + 1 < rf->ev_count; i++)
		rf->ev[(rf->ev_first + i) % n] = rf->ev[(rf->ev_first + i + 1) % n];
	rf->ev_count--;
}

/* the newest of these replaces the others; of the rest all count, in order */
static bool only_last_counts(u32 type)
{
	return type == CTM_EV_MOVED || type == CTM_EV_WORKER || type == CTM_EV_WINSIZE;
}

static void post(struct ctm_rfiles *rf, u32 type, u64 value)
{
	unsigned int i, at;

	lockdep_assert_held(&rf->lock);
	for (i = 0; only_last_counts(type) && i < rf->ev_count; i++)
		if (rf->ev[(rf->ev_first + i) % CTM_DEPUTY_EVENTS].type == type)
			drop_event(rf, i--);
	/* full of stops and continues: the oldest matters least.  EXITED is the last of all */
	if (rf->ev_count == CTM_DEPUTY_EVENTS)
		drop_event(rf, 0);
	at = (rf->ev_first + rf->ev_count++) % CTM_DEPUTY_EVENTS;
	rf->ev[at].type = type;
	rf->ev[at].value = value;
	if (type == CTM_EV_EXITED)
		rf->exit_posted = true;
}

void ctm_deputy_post(struct ctm_process *p, u32 type, u64 value)
{
	struct ctm_rfiles *rf = p->parent ? NULL : ctm_rfiles_of(p);

	if (!rf)			/* a child of DIST_FORK has no deputy of its own */
		return;
	spin_lock(&rf->lock);
	if (!rf->exit_posted)
		post(rf, type, value);
	spin_unlock(&rf->lock);
	wake_up_all(&rf->ev_wait);
}

int ctm_deputy_event(struct ctm_deputy_file *d, struct ctm_event *ev)
{
	struct ctm_rfiles *rf = d->rf;
	int err = -EAGAIN;

	spin_lock(&rf->lock);
	if (rf->ev_count) {
		ev->type = rf->ev[rf->ev_first].type;
		ev->value = rf->ev[rf->ev_first].value;
		rf->ev_first = (rf->ev_first + 1) % CTM_DEPUTY_EVENTS;
		rf->ev_count--;
		err = 0;
	}
	spin_unlock(&rf->lock);
	return err;
}

/* ---- the file ---- */

struct ctm_deputy_file *ctm_deputy_bind(struct ctm_process *p)
{
	struct ctm_deputy_file *d = kzalloc(sizeof(*d), GFP_KERNEL_ACCOUNT);
	struct ctm_rfiles *rf = ctm_rfiles_of(p);
	int err = 0;

	if (!d || !rf) {
		kfree(d);
		return ERR_PTR(-ENOMEM);
	}
	spin_lock(&rf->lock);
	if (rf->deputy == CTM_DEPUTY_NONE)
		rf->deputy = CTM_DEPUTY_BOUND;
	else
		err = -EBUSY;
	spin_unlock(&rf->lock);
	if (err) {
		kfree(d);
		return ERR_PTR(err);
	}
	ctm_process_get(p);
	d->p = p;
	d->rf = rf;
	return d;
}

void ctm_deputy_unbind(struct ctm_deputy_file *d)
{
	struct ctm_process *p = d->p;
	bool ended;

	spin_lock(&d->rf->lock);
	d->rf->deputy = CTM_DEPUTY_GONE;	/* operations that come now end with -EIO */
	spin_unlock(&d->rf->lock);
	ctm_home_fail(d->rf);
	ctm_deputy_drain(d->rf);
	ctm_term_hangup(p);
	spin_lock(&p->lock);
	ended = p->ended;
	spin_unlock(&p->lock);
	if (!ended && p->flags & CTM_ADOPT_TTY)
		ctm_signals_send(p->gpid, SIGHUP);
	kfree(d);
	ctm_process_put(p);
}

__poll_t ctm_deputy_poll(struct ctm_deputy_file *d, struct file *f, struct poll_table_struct *pt)
{
	struct ctm_rfiles *rf = d->rf;
	__poll_t mask = 0;
	bool hup;

	poll_wait(f, &rf->ev_wait, pt);
	if (d->p->term)
		mask = ctm_term_deputy_poll(d->p, f, pt);
	spin_lock(&rf->lock);
	/* not before EXITED was there to be read: then p->ended, and the terminal's end, came first */
	hup = rf->exit_posted && !(mask & EPOLLIN);
	if (rf->ev_count)
		mask |= EPOLLPRI;
	spin_unlock(&rf->lock);
	return hup ? mask | EPOLLHUP : mask & ~EPOLLHUP;
}

ssize_t ctm_deputy_read(struct ctm_deputy_file *d, struct file *f, struct iov_iter *to)
{
	if (d->p->term)
		return ctm_term_deputy_read(d->p, f, to);
	return READ_ONCE(d->rf->exit_posted) ? 0 : -EINVAL;
}

ssize_t ctm_deputy_write(struct ctm_deputy_file *d, struct file *f, struct iov_iter *from)
{
	return d->p->term ? ctm_term_deputy_write(d->p, f, from) : -EINVAL;
}

/* ---- serving threads ---- */

void ctm_deputy_need(struct ctm_rfiles *rf)
{
	struct ctm_rfiles *s = ctm_home_server(rf);
	bool ask;

	spin_lock(&s->lock);
	if (s != rf && list_empty(&rf->ready_link) && !s->closed && s->deputy != CTM_DEPUTY_GONE) {
		ctm_process_get(rf->p);
		list_add_tail(&rf->ready_link, &s->ready);
		s->nready++;
	}
	ask = s->nqueue + s->nready > s->idle && !s->worker_asked && s->servers < CTM_RFILE_WORKERS;
	if (ask) {
		s->worker_asked = true;
		post(s, CTM_EV_WORKER, 0);
	}
	spin_unlock(&s->lock);
	if (ask)
		wake_up_all(&s->ev_wait);
	wake_up(&s->work_wait);
}

/* the next of the family that has operations, with a reference to its process, or NULL */
static struct ctm_rfiles *next_ready(struct ctm_rfiles *s)
{
	struct ctm_rfiles *rf;

	spin_lock(&s->lock);
	rf = list_first_entry_or_null(&s->ready, struct ctm_rfiles, ready_link);
	if (rf) {
		list_del_init(&rf->ready_link);
		s->nready--;
	}
	spin_unlock(&s->lock);
	return rf;
}

static bool is_of_family(struct ctm_process *p, void *arg)
{
	struct ctm_process *root = arg;

	return p->parent && p->family == root->gpid && smp_load_acquire(&p->rfiles);
}

void ctm_deputy_drain(struct ctm_rfiles *rf)
{
	struct ctm_process **v;
	struct ctm_rfiles *next;
	unsigned int i, n;

	if (rf->p->parent)
		return;
	while ((next = next_ready(rf)))
		ctm_process_put(next->p);
	n = ctm_process_collect(is_of_family, rf->p, &v);
	for (i = 0; i < n; i++)
		ctm_home_fail(v[i]->rfiles);
	ctm_process_collect_put(v, n);
}

static bool closed(struct ctm_rfiles *rf)
{
	return READ_ONCE(rf->closed);
}

/* its own first; of another one, @rf comes with a reference to its process */
static struct ctm_hop *take_op(struct ctm_rfiles *s, struct ctm_rfiles **rf)
{
	struct ctm_hop *op = ctm_home_take(s);

	*rf = s;
	while (!op && (*rf = next_ready(s))) {
		op = ctm_home_take(*rf);
		if (!op)
			ctm_process_put((*rf)->p);
		else if (READ_ONCE((*rf)->nqueue))
			ctm_deputy_need(*rf);
	}
	return op;
}

static bool work_waits(struct ctm_rfiles *s)
{
	return READ_ONCE(s->nqueue) || READ_ONCE(s->nready) || closed(s);
}

/* the next operation; NULL: the process ended.  -EINTR: a signal */
static struct ctm_hop *next_op(struct ctm_rfiles *s, struct ctm_rfiles **rf)
{
	struct ctm_hop *op;
	int err;

	do {
		spin_lock(&s->lock);
		s->idle++;
		spin_unlock(&s->lock);
		err = wait_event_interruptible_exclusive(s->work_wait, work_waits(s));
		spin_lock(&s->lock);
		s->idle--;
		spin_unlock(&s->lock);
		if (err) {
			wake_up(&s->work_wait);	/* if the wake was ours, pass it on */
			return ERR_PTR(-EINTR);
		}
		op = take_op(s, rf);
	} while (!op && !closed(s));
	return op;
}

static int copy_arg(struct ctm_serve *arg, unsigned long uarg)
{
	void __user *user = (void __user *)uarg;
	__u32 size;

	if (get_user(size, (__u32 __user *)user))
		return -EFAULT;
	if (size < offsetofend(struct ctm_serve, flags))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(arg, sizeof(*arg), user, size);
}

long ctm_deputy_serve_ioctl(struct ctm_deputy_file *d, unsigned long uarg)
{
	struct ctm_rfiles *rf = d->rf, *of;
	struct ctm_hscratch scratch = {};
	struct ctm_serve arg;
	struct ctm_hop *op;
	int err = copy_arg(&arg, uarg);

	if (err)
		return err;
	if (arg.flags || arg.pad || (arg.buf && arg.buf_len < 4096))
		return -EINVAL;
	if (arg.buf) {
		scratch.buf = u64_to_user_ptr(arg.buf);
		scratch.len = min(arg.buf_len, CTM_RW_DATA_MAX);
	}
	spin_lock(&rf->lock);
	rf->servers++;
	rf->worker_asked = false;
	spin_unlock(&rf->lock);
	do {
		op = next_op(rf, &of);
		err = PTR_ERR_OR_ZERO(op);
		if (!err && op) {
			/* the thread may be busy for long: others may be needed */
			ctm_deputy_need(rf);
			err = ctm_home_run(of, op, &scratch);
			if (of != rf)
				ctm_process_put(of->p);
		}
	} while (!err && op);
	spin_lock(&rf->lock);
	rf->servers--;
	spin_unlock(&rf->lock);
	return err;
}
