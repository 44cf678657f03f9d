// SPDX-License-Identifier: GPL-2.0
/*
 * term_link.c - the terminal's streams between home and host
 *
 * Home connects, for it knows where the process is; both sides then do the same:
 * a reader (the link thread at home, the transport's serve thread on the host)
 * and a sender of its own for each connection.  What one side has not been told
 * to have arrived for good it keeps, and sends again on the next connection.
 *
 * t->conn says which connection is good: what comes on any other is not looked
 * at, so that a host that the process has left cannot disturb.
 */
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "term_priv.h"

#define CONNECT_MS	5000u
#define IO_MS		15000u
#define IDLE_MS		1000u
#define RETRY_MS	300u
#define CHUNK		(16u << 10)
#define HOME_LOST_MS	2000u

/* for home_lost alone: the module waits for it to be over */
static struct workqueue_struct *watch_wq;
static bool leaving;
static atomic_t watches = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(watches_wait);

static bool good(struct ctm_term *t, struct ctm_conn *conn)
{
	return READ_ONCE(t->conn) == conn;
}

void ctm_term_cut(struct ctm_term *t)
{
	mutex_lock(&t->conn_lock);
	if (t->conn)
		ctm_conn_abort(t->conn);
	spin_lock(&t->lock);
	t->conn = NULL;
	spin_unlock(&t->lock);
	mutex_unlock(&t->conn_lock);
	wake_up_all(&t->wait);
}

/* ---- sending ---- */

/* something to acknowledge, or room to grant that is worth a frame; holds t->lock */
static bool ack_due(struct ctm_term *t, u64 *off, u64 *limit)
{
	struct ctm_stream *rx = ctm_term_rx(t);

	*off = t->home ? rx->head : rx->tail;
	*limit = rx->tail + CTM_TERM_WINDOW;
	return *off != t->told_off || *limit >= t->told_limit + CTM_TERM_WINDOW / 2;
}

/* holds t->lock */
static u32 data_due(struct ctm_term *t)
{
	struct ctm_stream *tx = ctm_term_tx(t);
	u64 end = t->flushing ? tx->head : min(tx->head, t->limit);

	return end > t->sent ? min_t(u64, end - t->sent, CHUNK) : 0;
}

static bool work_due(struct ctm_term *t, struct ctm_conn *conn)
{
	u64 off, limit;
	bool due;

	spin_lock(&t->lock);
	due = t->conn != conn || data_due(t) || ack_due(t, &off, &limit);
	spin_unlock(&t->lock);
	return due;
}

static int send_ack(struct ctm_term *t, struct ctm_conn *conn)
{
	struct {
		struct ctm_rw_head head;
		struct ctm_rw_tack ack;
	} f = { .head.kind = cpu_to_le16(CTM_RW_TACK), .head.len = cpu_to_le32(sizeof(f.ack)) };
	u64 off, limit;
	bool due;

	spin_lock(&t->lock);
	due = ack_due(t, &off, &limit);
	if (due) {
		t->told_off = off;
		t->told_limit = limit;
	}
	spin_unlock(&t->lock);
	f.ack.off = cpu_to_le64(off);
	f.ack.limit = cpu_to_le64(limit);
	return due ? ctm_conn_send(conn, &f, sizeof(f), false) : 0;
}

static int send_data(struct ctm_term *t, struct ctm_conn *conn, struct ctm_rw_head *head)
{
	u64 from;
	u32 len;

	spin_lock(&t->lock);
	from = t->sent;
	len = t->conn == conn ? data_due(t) : 0;
	if (len) {
		ctm_stream_peek(ctm_term_tx(t), from, (u8 *)(head + 1), len);
		t->sent += len;
	}
	spin_unlock(&t->lock);
	if (!len)
		return 0;
	*head = (struct ctm_rw_head){
		.kind = cpu_to_le16(CTM_RW_TDATA),
		.len = cpu_to_le32(len),
		.id = cpu_to_le64(from),
	};
	return ctm_conn_send(conn, head, sizeof(*head) + len, false);
}

struct sender {
	struct ctm_term *t;
	struct ctm_conn *conn;
	struct ctm_rw_head *frame;	/* CHUNK bytes behind it */
};

static int sender_main(void *arg)
{
	struct sender *s = arg;
	int err = 0;

	while (!kthread_should_stop()) {
		wait_event_idle(s->t->wait, kthread_should_stop() ||
				(!err && work_due(s->t, s->conn)));
		if (kthread_should_stop())
			break;
		if (!good(s->t, s->conn))
			err = -ESHUTDOWN;
		if (!err)
			err = send_ack(s->t, s->conn);
		if (!err)
			err = send_data(s->t, s->conn, s->frame);
		if (err)
			ctm_conn_abort(s->conn);	/* the reader ends, and stops us */
	}
	return 0;
}

/* ---- receiving ---- */

/* wait for room: only when the other side had to be rid of more than was granted */
static int put(struct ctm_term *t, struct ctm_conn *conn, const u8 *data, u32 len)
{
	struct ctm_stream *rx = ctm_term_rx(t);
	u32 n;

	while (len && good(t, conn)) {
		mutex_lock(&rx->wr);
		n = good(t, conn) ? ctm_stream_put(t, rx, data, len) : 0;
		mutex_unlock(&rx->wr);
		data += n;
		len -= n;
		if (len)
			wait_event_idle_timeout(t->wait, !good(t, conn) ||
						READ_ONCE(rx->head) - READ_ONCE(rx->tail) < rx->size, HZ);
	}
	return len ? -ESHUTDOWN : 0;
}

/* home, without a deputy: what comes has come, and that is all */
static void drop_output(struct ctm_term *t)
{
	if (!t->home || !READ_ONCE(t->hungup))
		return;
	mutex_lock(&t->out.rd);
	spin_lock(&t->lock);
	t->out.tail = t->out.head;
	spin_unlock(&t->lock);
	mutex_unlock(&t->out.rd);
	wake_up_all(&t->wait);
}

static int on_data(struct ctm_term *t, struct ctm_conn *conn, u64 off, u32 len, u8 *buf)
{
	u64 head = READ_ONCE(ctm_term_rx(t)->head);	/* only we move it while conn is good */
	u32 skip;
	int err = 0;

	if (off > head)
		return -EBADMSG;
	while (len && !err) {
		u32 n = min(len, CHUNK);

		err = ctm_conn_recv(conn, buf, n);
		if (err)
			break;
		skip = min_t(u64, head - off, n);	/* came before */
		err = put(t, conn, buf + skip, n - skip);
		drop_output(t);
		off += n;
		head += n - skip;
		len -= n;
	}
	return err;
}

static int on_ack(struct ctm_term *t, struct ctm_conn *conn)
{
	struct ctm_stream *tx = ctm_term_tx(t);
	struct ctm_rw_tack a;
	int err = ctm_conn_recv(conn, &a, sizeof(a));
	u64 off = le64_to_cpu(a.off);

	if (err)
		return err;
	spin_lock(&t->lock);
	if (t->conn != conn) {
		err = -ESHUTDOWN;
	} else if (off > t->sent) {
		err = -EBADMSG;
	} else {
		tx->tail = max(tx->tail, off);
		t->limit = max(t->limit, le64_to_cpu(a.limit));
	}
	spin_unlock(&t->lock);
	wake_up_all(&t->wait);
	return err;
}

static int on_frame(struct ctm_term *t, struct ctm_conn *conn, u8 *buf)
{
	struct ctm_rw_head head;
	int err = ctm_conn_recv(conn, &head, sizeof(head));

	if (err)
		return err;
	switch (ctm_rw_head_check(&head)) {
	case CTM_RW_TDATA:
		return on_data(t, conn, le64_to_cpu(head.id), le32_to_cpu(head.len), buf);
	case CTM_RW_TACK:
		return on_ack(t, conn);
	default:
		return -EBADMSG;
	}
}

static void receive(struct ctm_term *t, struct ctm_conn *conn, u8 *buf)
{
	int err;

	do {
		err = ctm_conn_poll(conn, IDLE_MS);
		if (err > 0)
			err = on_frame(t, conn, buf);
	} while (!err && good(t, conn));
	if (err == -EBADMSG)
		pr_notice_ratelimited("continuum: terminal: bad frame from node %08x\n",
				      ctm_conn_peer(conn));
}

/*
 * Both sides, once the HELLOs are exchanged and t->conn is @conn.  Returns when the
 * connection is over; the caller may close it then.
 */
static void run(struct ctm_term *t, struct ctm_conn *conn)
{
	struct sender s = { .t = t, .conn = conn };
	struct task_struct *task;
	u8 *buf = kmalloc(CHUNK, GFP_KERNEL);

	s.frame = kmalloc(sizeof(*s.frame) + CHUNK, GFP_KERNEL);
	if (!buf || !s.frame)
		goto out;
	task = kthread_run(sender_main, &s, "ctm-term/%x", CTM_GPID_SEQ(t->p->gpid));
	if (!IS_ERR(task)) {
		receive(t, conn, buf);
		ctm_conn_abort(conn);	/* wakes a sender that waits for the peer */
		kthread_stop(task);
	}
out:
	kfree(s.frame);
	kfree(buf);
	mutex_lock(&t->conn_lock);
	spin_lock(&t->lock);
	if (t->conn == conn)
		t->conn = NULL;
	spin_unlock(&t->lock);
	mutex_unlock(&t->conn_lock);
}

/* @conn becomes the good one, both sides' streams at the positions told; holds t->lock */
static void begin(struct ctm_term *t, struct ctm_conn *conn, u64 sent, u64 limit)
{
	t->sent = sent;
	t->limit = limit;
	t->told_off = 0;		/* so that an ACK is the first that is sent: HELLO is old news */
	t->told_limit = 0;
	t->conn = conn;
}

static int exchange(struct ctm_conn *conn, const struct ctm_rw_thello *mine)
{
	struct ctm_rw_head head = {
		.kind = cpu_to_le16(CTM_RW_THELLO),
		.len = cpu_to_le32(sizeof(*mine)),
	};
	int err = ctm_conn_send(conn, &head, sizeof(head), true);

	return err ?: ctm_conn_send(conn, mine, sizeof(*mine), false);
}

static int recv_hello(struct ctm_conn *conn, struct ctm_rw_thello *h)
{
	struct ctm_rw_head head;
	int err = ctm_conn_recv(conn, &head, sizeof(head));

	if (!err && ctm_rw_head_check(&head) != CTM_RW_THELLO)
		err = -EBADMSG;
	if (!err)
		err = ctm_conn_recv(conn, h, sizeof(*h));
	return err ?: le32_to_cpu(h->version) == CTM_RW_VERSION ? 0 : -EPROTO;
}

/* ---- home ---- */

/* the host tells how much input its keeper has taken, and how much it has */
static int accept_host(struct ctm_term *t, struct ctm_conn *conn, const struct ctm_rw_thello *h,
		       u32 node)
{
	u64 taken = le64_to_cpu(h->in), got = le64_to_cpu(h->in_got);
	int err = 0;

	if (h->error)
		return -ESRCH;
	mutex_lock(&t->conn_lock);
	spin_lock(&t->lock);
	if (t->ended || !t->remote || READ_ONCE(t->p->host) != node) {
		err = -ESHUTDOWN;
	} else if (taken < t->in.tail || taken > got || got > t->in.head ||
		   le64_to_cpu(h->out) < t->out.head) {
		err = -EBADMSG;
	} else {
		t->in.tail = taken;
		begin(t, conn, got, le64_to_cpu(h->limit));
	}
	spin_unlock(&t->lock);
	mutex_unlock(&t->conn_lock);
	return err;
}

static int session(struct ctm_term *t, struct ctm_conn *conn, u32 node)
{
	struct ctm_rw_thello h = {
		.gpid = cpu_to_le64(t->p->gpid),
		.version = cpu_to_le32(CTM_RW_VERSION),
		.epoch = cpu_to_le32(READ_ONCE(t->p->epoch)),
	};
	int err;

	ctm_conn_set_timeout(conn, IO_MS);
	spin_lock(&t->lock);
	h.in = cpu_to_le64(t->in.head);
	h.out = cpu_to_le64(t->out.head);
	h.limit = cpu_to_le64(t->out.tail + CTM_TERM_WINDOW);
	spin_unlock(&t->lock);
	err = exchange(conn, &h);
	if (!err)
		err = recv_hello(conn, &h);
	if (!err)
		err = accept_host(t, conn, &h, node);
	if (!err)
		run(t, conn);
	if (err == -EBADMSG)
		pr_notice_ratelimited("continuum: terminal of process %llx: node %08x is at another place of it\n",
				      t->p->gpid, node);
	return err;
}

/* true: the thread must go; decided under the lock that ctm_term_link_start() takes */
static bool over(struct ctm_term *t)
{
	bool yes;

	spin_lock(&t->lock);
	yes = t->ended || !t->remote || !ctm_node_is_up();
	if (yes)
		t->thread = false;
	spin_unlock(&t->lock);
	return yes;
}

static int link_main(void *arg)
{
	struct ctm_term *t = arg;
	struct ctm_process *p = t->p;
	struct ctm_conn *conn;
	u32 node;

	while (!over(t)) {
		node = READ_ONCE(p->host);
		conn = ctm_conn_open(node, CTM_CHANNEL_TERM, CONNECT_MS);
		if (!IS_ERR(conn))
			session(t, conn, node);
		ctm_conn_close(conn);
		wait_event_idle_timeout(t->wait, READ_ONCE(t->ended) || !READ_ONCE(t->remote) ||
					READ_ONCE(p->host) != node, msecs_to_jiffies(RETRY_MS));
	}
	ctm_process_put(p);
	module_put_and_kthread_exit(0);
}

void ctm_term_link_start(struct ctm_term *t)
{
	struct task_struct *task;
	bool start;

	spin_lock(&t->lock);
	start = !t->thread && !t->ended;
	t->thread |= start;
	spin_unlock(&t->lock);
	if (!start)
		return;
	ctm_process_get(t->p);
	__module_get(THIS_MODULE);
	task = kthread_run(link_main, t, "ctm-tlink/%x", CTM_GPID_SEQ(t->p->gpid));
	if (!IS_ERR(task))
		return;
	pr_err("continuum: process %llx: its terminal cannot be connected: %ld\n", t->p->gpid,
	       PTR_ERR(task));
	spin_lock(&t->lock);
	t->thread = false;
	spin_unlock(&t->lock);
	module_put(THIS_MODULE);
	ctm_process_put(t->p);
}

/* ---- host ---- */

/*
 * No connection from home: when home is found dead, the terminal has hung up.
 * Pending only while there is no connection and the process is here.
 */
void ctm_term_home_lost(struct work_struct *work)
{
	struct ctm_term *t = container_of(to_delayed_work(work), struct ctm_term, home_lost);
	struct ctm_process *p = t->p;
	struct ctm_peer_info home = { .state = CTM_PEER_DEAD };
	bool dead, done;

	ctm_peer_by_id(CTM_GPID_NODE(p->gpid), &home);
	dead = ctm_node_is_up() && (home.state == CTM_PEER_DEAD || home.state == CTM_PEER_LEFT);
	spin_lock(&t->lock);
	done = t->conn || !READ_ONCE(p->here) || READ_ONCE(leaving) || dead;
	if (done)
		t->watch = false;
	if (dead && !t->conn)
		t->hungup = true;
	spin_unlock(&t->lock);
	if (!done) {
		queue_delayed_work(watch_wq, &t->home_lost, msecs_to_jiffies(HOME_LOST_MS));
		return;
	}
	if (dead) {
		spin_lock(&p->lock);
		if (p->here)
			kill_pid(p->leader, SIGHUP, 1);
		spin_unlock(&p->lock);
		wake_up_all(&t->wait);
	}
	ctm_process_put(p);
	if (atomic_dec_and_test(&watches))
		wake_up(&watches_wait);
}

static void watch_home(struct ctm_term *t)
{
	bool start;

	spin_lock(&t->lock);
	start = !t->watch && READ_ONCE(t->p->here);
	t->watch |= start;
	spin_unlock(&t->lock);
	if (!start)
		return;
	ctm_process_get(t->p);
	atomic_inc(&watches);
	queue_delayed_work(watch_wq, &t->home_lost, msecs_to_jiffies(HOME_LOST_MS));
}

/* home tells how much output it has got, and how much more it wants */
static int accept_home(struct ctm_term *t, struct ctm_conn *conn, const struct ctm_rw_thello *h,
		       struct ctm_rw_thello *reply)
{
	u64 got = le64_to_cpu(h->out);
	int err = 0;

	spin_lock(&t->lock);
	if (t->adrift) {		/* nothing was written or read yet: used() says full */
		t->out.head = t->out.tail = got;
		t->in.head = t->in.tail = le64_to_cpu(h->in);
		t->adrift = false;
	}
	if (got < t->out.tail || got > t->out.head || le64_to_cpu(h->in) < t->in.head) {
		err = -EBADMSG;
	} else {
		t->out.tail = got;
		begin(t, conn, got, le64_to_cpu(h->limit));
		reply->in = cpu_to_le64(t->in.tail);
		reply->in_got = cpu_to_le64(t->in.head);
		reply->out = cpu_to_le64(t->out.head);
		reply->limit = cpu_to_le64(t->in.tail + CTM_TERM_WINDOW);
	}
	spin_unlock(&t->lock);
	wake_up_all(&t->wait);
	return err;
}

static int admit(struct ctm_process *p, struct ctm_conn *conn, const struct ctm_rw_thello *h,
		 struct ctm_rw_thello *reply)
{
	struct ctm_term *t = p ? READ_ONCE(p->term) : NULL;
	int err;

	if (!t || t->home || !READ_ONCE(p->here) ||
	    CTM_GPID_NODE(p->gpid) != ctm_conn_peer(conn) ||
	    le32_to_cpu(h->epoch) < READ_ONCE(p->epoch))
		return -ESRCH;
	ctm_term_cut(t);
	mutex_lock(&t->conn_lock);
	err = t->conn ? -EBUSY : accept_home(t, conn, h, reply);
	mutex_unlock(&t->conn_lock);
	return err;
}

static void serve(struct ctm_conn *conn)
{
	struct ctm_rw_thello h, reply = {};
	struct ctm_process *p;
	int err;

	ctm_conn_set_timeout(conn, IO_MS);
	if (recv_hello(conn, &h))
		return;
	p = ctm_process_find(le64_to_cpu(h.gpid));
	err = admit(p, conn, &h, &reply);
	reply.gpid = h.gpid;
	reply.version = cpu_to_le32(CTM_RW_VERSION);
	reply.epoch = h.epoch;
	reply.error = cpu_to_le32(-err);
	if (exchange(conn, &reply) && !err) {
		ctm_term_cut(p->term);
		err = -ECONNRESET;
	}
	if (!err)
		run(p->term, conn);
	if (p && p->term && !p->term->home)
		watch_home(p->term);
	ctm_process_put(p);
}

int ctm_term_init(void)
{
	watch_wq = alloc_workqueue("continuum_term", WQ_UNBOUND, 0);
	if (!watch_wq)
		return -ENOMEM;
	ctm_channel_serve(CTM_CHANNEL_TERM, serve);
	return 0;
}

/* each home_lost ends within its period */
void ctm_term_exit(void)
{
	ctm_channel_serve(CTM_CHANNEL_TERM, NULL);
	WRITE_ONCE(leaving, true);
	wait_event(watches_wait, !atomic_read(&watches));
	destroy_workqueue(watch_wq);
}
