// SPDX-License-Identifier: GPL-2.0
/*
 * term.c - the terminal's bytes: two streams and their four ends
 *
 * Who may hold a struct ctm_term: whoever holds its process.  At home it is made
 * once, at ADOPT; on a host at the landing, and set anew at every later one.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "compat/compat.h"
#include "term_priv.h"

/* ---- a stream ---- */

static int stream_init(struct ctm_stream *s, u32 size)
{
	mutex_init(&s->rd);
	mutex_init(&s->wr);
	s->size = size;
	s->buf = kvmalloc(size, GFP_KERNEL_ACCOUNT);
	return s->buf ? 0 : -ENOMEM;
}

static void publish(struct ctm_term *t, u64 *end, u64 value)
{
	spin_lock(&t->lock);
	*end = value;
	spin_unlock(&t->lock);
	wake_up_all(&t->wait);
}

u32 ctm_stream_put(struct ctm_term *t, struct ctm_stream *s, const u8 *data, u32 len)
{
	u64 head = s->head;		/* ours: we hold wr */
	u32 room, at, n, done = 0;

	lockdep_assert_held(&s->wr);
	spin_lock(&t->lock);
	room = s->size - (head - s->tail);
	spin_unlock(&t->lock);
	len = min(len, room);
	while (done < len) {
		at = (head + done) & (s->size - 1);
		n = min(len - done, s->size - at);
		memcpy(s->buf + at, data + done, n);
		done += n;
	}
	if (done)
		publish(t, &s->head, head + done);
	return done;
}

void ctm_stream_peek(const struct ctm_stream *s, u64 from, u8 *data, u32 len)
{
	u32 at, n, done = 0;

	while (done < len) {
		at = (from + done) & (s->size - 1);
		n = min(len - done, s->size - at);
		memcpy(data + done, s->buf + at, n);
		done += n;
	}
}

static u32 used(struct ctm_term *t, struct ctm_stream *s)
{
	u32 n;

	spin_lock(&t->lock);
	n = t->adrift && s == &t->out ? CTM_TERM_WINDOW : s->head - s->tail;
	spin_unlock(&t->lock);
	return n;
}

/* as much as there is.  Return: bytes, 0: none there, -EFAULT */
static ssize_t stream_read(struct ctm_term *t, struct ctm_stream *s, struct iov_iter *to)
{
	size_t n, done = 0;
	u64 tail, head;

	mutex_lock(&s->rd);
	spin_lock(&t->lock);
	tail = s->tail;
	head = s->head;
	spin_unlock(&t->lock);
	while (tail + done < head && iov_iter_count(to)) {
		u32 at = (tail + done) & (s->size - 1);

		n = min_t(u64, head - tail - done, s->size - at);
		n = copy_to_iter(s->buf + at, n, to);
		if (!n)
			break;
		done += n;
	}
	if (done)
		publish(t, &s->tail, tail + done);
	mutex_unlock(&s->rd);
	return !done && tail < head && iov_iter_count(to) ? -EFAULT : done;
}

/* as much as fits below CTM_TERM_WINDOW.  Return: bytes, 0: no room, -EFAULT */
static ssize_t stream_write(struct ctm_term *t, struct ctm_stream *s, struct iov_iter *from)
{
	size_t n, room, done = 0;
	u64 head;

	mutex_lock(&s->wr);
	head = s->head;
	n = used(t, s);
	room = n < CTM_TERM_WINDOW ? CTM_TERM_WINDOW - n : 0;
	while (done < room && iov_iter_count(from)) {
		u32 at = (head + done) & (s->size - 1);

		n = min_t(size_t, room - done, s->size - at);
		n = copy_from_iter(s->buf + at, n, from);
		if (!n)
			break;
		done += n;
	}
	if (done)
		publish(t, &s->head, head + done);
	mutex_unlock(&s->wr);
	return !done && room && iov_iter_count(from) ? -EFAULT : done;
}

static bool nonblock(const struct file *f)
{
	return f->f_flags & O_NONBLOCK;
}

/* ---- the keeper's ends ---- */

ssize_t ctm_term_keeper_read(struct ctm_process *p, struct file *f, struct iov_iter *to)
{
	struct ctm_term *t = p->term;
	ssize_t n;

	for (;;) {
		n = stream_read(t, &t->in, to);
		if (n || !iov_iter_count(to))
			return n;
		if (nonblock(f))
			return -EAGAIN;
		if (wait_event_interruptible(t->wait, used(t, &t->in)))
			return -ERESTARTSYS;
	}
}

ssize_t ctm_term_keeper_write(struct ctm_process *p, struct file *f, struct iov_iter *from)
{
	struct ctm_term *t = p->term;
	size_t all = iov_iter_count(from);
	ssize_t n;

	for (;;) {
		if (READ_ONCE(t->hungup)) {	/* to nowhere */
			iov_iter_advance(from, all);
			return all;
		}
		n = stream_write(t, &t->out, from);
		if (n || !all)
			return n;
		if (nonblock(f))
			return -EAGAIN;
		if (wait_event_interruptible(t->wait, used(t, &t->out) < CTM_TERM_WINDOW ||
						      READ_ONCE(t->hungup)))
			return -ERESTARTSYS;
	}
}

__poll_t ctm_term_keeper_poll(struct ctm_process *p, struct file *f, struct poll_table_struct *pt)
{
	struct ctm_term *t = p->term;
	__poll_t mask = 0;

	poll_wait(f, &t->wait, pt);
	if (used(t, &t->in))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (used(t, &t->out) < CTM_TERM_WINDOW || READ_ONCE(t->hungup))
		mask |= EPOLLOUT | EPOLLWRNORM;
	return mask;
}

/* ---- the deputy's ends ---- */

ssize_t ctm_term_deputy_read(struct ctm_process *p, struct file *f, struct iov_iter *to)
{
	struct ctm_term *t = p->term;
	bool ended;
	ssize_t n;

	for (;;) {
		ended = READ_ONCE(t->ended);	/* before looking: the last bytes come first */
		n = stream_read(t, &t->out, to);
		if (n || ended || !iov_iter_count(to))
			return n;
		if (nonblock(f))
			return -EAGAIN;
		if (wait_event_interruptible(t->wait, used(t, &t->out) || READ_ONCE(t->ended)))
			return -ERESTARTSYS;
	}
}

ssize_t ctm_term_deputy_write(struct ctm_process *p, struct file *f, struct iov_iter *from)
{
	struct ctm_term *t = p->term;
	ssize_t n;

	for (;;) {
		if (READ_ONCE(t->ended))
			return -EIO;
		n = stream_write(t, &t->in, from);
		if (n || !iov_iter_count(from))
			return n;
		if (nonblock(f))
			return -EAGAIN;
		if (wait_event_interruptible(t->wait, used(t, &t->in) < CTM_TERM_WINDOW ||
						      READ_ONCE(t->ended)))
			return -ERESTARTSYS;
	}
}

__poll_t ctm_term_deputy_poll(struct ctm_process *p, struct file *f, struct poll_table_struct *pt)
{
	struct ctm_term *t = p->term;
	__poll_t mask = 0;

	poll_wait(f, &t->wait, pt);
	if (used(t, &t->out))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (used(t, &t->in) < CTM_TERM_WINDOW && !READ_ONCE(t->ended))
		mask |= EPOLLOUT | EPOLLWRNORM;
	return mask;
}

/* what the keeper sees: at home at once; a host goes on sending, and home drops it */
void ctm_term_hangup(struct ctm_process *p)
{
	struct ctm_term *t = p->term;

	if (!t)
		return;
	mutex_lock(&t->out.rd);
	spin_lock(&t->lock);
	t->hungup = true;
	t->out.tail = t->out.head;
	spin_unlock(&t->lock);
	mutex_unlock(&t->out.rd);
	wake_up_all(&t->wait);
}

/* ---- moving and ending ---- */

static bool flushed(struct ctm_term *t)
{
	return !used(t, &t->out);
}

int ctm_term_flush(struct ctm_process *p, unsigned int timeout_ms)
{
	struct ctm_term *t = p->term;
	long left;

	if (!t || t->home)
		return 0;
	spin_lock(&t->lock);
	t->flushing++;
	spin_unlock(&t->lock);
	wake_up_all(&t->wait);
	left = wait_event_killable_timeout(t->wait, flushed(t), msecs_to_jiffies(timeout_ms));
	spin_lock(&t->lock);
	t->flushing--;
	spin_unlock(&t->lock);
	return left > 0 ? 0 : left ? -EINTR : -ETIMEDOUT;
}

void ctm_term_get_pos(struct ctm_process *p, struct ctm_term_pos *pos)
{
	struct ctm_term *t = p->term;

	spin_lock(&t->lock);
	pos->in_taken = t->in.tail;
	pos->out_sent = t->out.head;
	spin_unlock(&t->lock);
}

/*
 * At home the streams are there already; all that can be news is how much input
 * was taken, when the host's last ACK was lost.
 */
static void set_pos_home(struct ctm_term *t, const struct ctm_term_pos *pos)
{
	if (pos->in_taken > t->in.tail && pos->in_taken <= t->in.head)
		t->in.tail = pos->in_taken;
}

static void set_pos_host(struct ctm_term *t, const struct ctm_term_pos *pos)
{
	t->in.head = t->in.tail = pos->in_taken;
	t->out.head = t->out.tail = pos->out_sent;
	t->sent = t->limit = pos->out_sent;
	t->hungup = false;
}

void ctm_term_set_pos(struct ctm_process *p, const struct ctm_term_pos *pos)
{
	struct ctm_term *t = p->term;

	if (!t->home)
		ctm_term_cut(t);	/* of an earlier stay */
	mutex_lock(&t->in.rd);
	mutex_lock(&t->in.wr);
	mutex_lock(&t->out.rd);
	mutex_lock(&t->out.wr);
	spin_lock(&t->lock);
	if (t->home)
		set_pos_home(t, pos);
	else
		set_pos_host(t, pos);
	spin_unlock(&t->lock);
	mutex_unlock(&t->out.wr);
	mutex_unlock(&t->out.rd);
	mutex_unlock(&t->in.wr);
	mutex_unlock(&t->in.rd);
	wake_up_all(&t->wait);
}

void ctm_term_lost_pos(struct ctm_process *p)
{
	struct ctm_term_pos none = {};

	if (p->term->home)
		return;
	ctm_term_set_pos(p, &none);
	spin_lock(&p->term->lock);
	p->term->adrift = true;
	spin_unlock(&p->term->lock);
}

void ctm_term_moved(struct ctm_process *p)
{
	struct ctm_term *t = p->term;
	bool remote;

	if (!t || !t->home)
		return;
	spin_lock(&p->lock);
	remote = p->host != ctm_node_id();
	spin_unlock(&p->lock);
	ctm_term_cut(t);
	spin_lock(&t->lock);
	t->remote = remote;
	spin_unlock(&t->lock);
	wake_up_all(&t->wait);
	if (remote)
		ctm_term_link_start(t);
}

void ctm_term_ended(struct ctm_process *p)
{
	struct ctm_term *t = p->term;

	if (!t)
		return;
	spin_lock(&t->lock);
	t->ended = true;
	spin_unlock(&t->lock);
	ctm_term_cut(t);
	wake_up_all(&t->wait);
}

/* ---- life ---- */

static void free_term(struct ctm_term *t)
{
	kvfree(t->in.buf);
	kvfree(t->out.buf);
	kfree(t);
}

int ctm_term_create(struct ctm_process *p)
{
	struct ctm_term *t;

	if (p->term)
		return 0;
	t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);
	if (!t)
		return -ENOMEM;
	t->p = p;
	t->home = ctm_process_is_home(p);
	spin_lock_init(&t->lock);
	mutex_init(&t->conn_lock);
	init_waitqueue_head(&t->wait);
	INIT_DELAYED_WORK(&t->home_lost, ctm_term_home_lost);
	if (stream_init(&t->in, CTM_TERM_WINDOW) ||
	    stream_init(&t->out, t->home ? CTM_TERM_OUT : CTM_TERM_WINDOW) ||
	    cmpxchg(&p->term, NULL, t)) {
		free_term(t);
		return p->term ? 0 : -ENOMEM;
	}
	return 0;
}

/* the link thread, a serve thread and the pending work each hold the process */
void ctm_term_free(struct ctm_process *p)
{
	if (p->term)
		free_term(p->term);
	p->term = NULL;
}
