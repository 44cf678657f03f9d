// SPDX-License-Identifier: GPL-2.0
/*
 * rfile_link.c - on the host: operations under way, and the connection to home
 *
 * An operation stays in host->ops, under its id, until home's RESULT has come; on
 * every new connection what is there is sent again, and home sees to it that
 * nothing happens twice.  Callers send for themselves, under host->send; the link
 * thread connects, sends again and receives.  A send can break the connection
 * (the caller may be killed in the midst of it), which costs a new one, no more.
 *
 * The link thread lives from the first operation, or when one is expected, to
 * ctm_rhost_stop(), and holds the module.
 */
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "rfile_priv.h"

#define CONNECT_MS	5000u
#define RETRY_FIRST_MS	100u
#define RETRY_MAX_MS	2000u
#define ACK_AT		16u	/* results that home keeps until it hears of them */

/* ---- operations ---- */

static void release_rop(struct kref *ref)
{
	struct ctm_rop *op = container_of(ref, struct ctm_rop, ref);

	kvfree(op->data);
	kfree(op);
}

void ctm_rop_put(struct ctm_rop *op)
{
	if (op)
		kref_put(&op->ref, release_rop);
}

struct ctm_rop *ctm_rop_new(enum ctm_rw_op_code code, u64 handle, unsigned int oflags,
			    u32 len, u32 room)
{
	struct ctm_rop *op = kzalloc(sizeof(*op), GFP_KERNEL_ACCOUNT);

	if (!op)
		return NULL;
	if (len || room) {
		op->data = kvzalloc(max(len, room), GFP_KERNEL_ACCOUNT);
		if (!op->data) {
			kfree(op);
			return NULL;
		}
	}
	kref_init(&op->ref);
	init_completion(&op->done);
	op->len = len;
	op->room = room;
	op->w.op = cpu_to_le32(code);
	op->w.oflags = cpu_to_le32(oflags & CTM_RFILE_FLAGS);
	op->w.handle = cpu_to_le64(handle);
	op->w.len = cpu_to_le32(len);
	op->w.room = cpu_to_le32(room);
	return op;
}

static bool lost(struct ctm_rhost *host)
{
	return READ_ONCE(host->dead) || READ_ONCE(host->stop);
}

/* takes it out of host->ops; false: another did */
static bool remove_op(struct ctm_rhost *host, struct ctm_rop *op)
{
	bool was;

	spin_lock(&host->lock);
	was = !list_empty(&op->link);
	if (was) {
		list_del_init(&op->link);
		host->nops--;
	}
	spin_unlock(&host->lock);
	if (was)
		wake_up(&host->room);
	return was;
}

static void finish_op(struct ctm_rhost *host, struct ctm_rop *op)
{
	if (!remove_op(host, op))
		return;
	complete_all(&op->done);
	ctm_rop_put(op);		/* host->ops had it */
}

/* every operation ends with -EIO: home is gone, or the process left */
static void fail_all(struct ctm_rhost *host)
{
	struct ctm_rop *op;

	do {
		spin_lock(&host->lock);
		op = list_first_entry_or_null(&host->ops, struct ctm_rop, link);
		if (op) {
			kref_get(&op->ref);
			op->ret = -EIO;
		}
		spin_unlock(&host->lock);
		if (op) {
			finish_op(host, op);
			ctm_rop_put(op);
		}
	} while (op);
}

/* ---- sending; all of these hold host->send ---- */

/* the results that have come, so that home forgets them */
static int send_acks(struct ctm_rhost *host, bool more)
{
	__le64 ids[CTM_RW_ACKS_MAX];
	unsigned int i, n;

	spin_lock(&host->lock);
	n = host->nacks;
	for (i = 0; i < n; i++)
		ids[i] = cpu_to_le64(host->acks[i]);
	host->nacks = 0;
	spin_unlock(&host->lock);
	if (!n)
		return 0;
	return ctm_rw_send(host->conn, CTM_RW_ACK, 0, ids, n * sizeof(ids[0]), NULL, 0, more);
}

static int send_hello(struct ctm_rhost *host, struct ctm_conn *conn, bool more)
{
	struct ctm_rw_hello h = {
		.gpid = cpu_to_le64(host->gpid),
		.version = cpu_to_le32(CTM_RW_VERSION),
	};
	struct ctm_rop *first;

	spin_lock(&host->lock);
	host->hello_full = host->live;
	h.epoch = cpu_to_le32(host->epoch);
	h.flags = cpu_to_le32(host->live ? 0 : CTM_RW_LANDING);
	first = list_first_entry_or_null(&host->ops, struct ctm_rop, link);
	h.below = cpu_to_le64(first ? first->id : host->next_id + 1);
	spin_unlock(&host->lock);
	return ctm_rw_send(conn, CTM_RW_HELLO, 0, &h, sizeof(h), NULL, 0, more);
}

static int send_op(struct ctm_rhost *host, struct ctm_rop *op)
{
	int err = 0;

	lockdep_assert_held(&host->send);
	if (!host->hello_full && READ_ONCE(host->live))
		err = send_hello(host, host->conn, true);
	if (!err)
		err = send_acks(host, true);
	if (!err)
		err = ctm_rw_send(host->conn, CTM_RW_OP, op->id, &op->w, sizeof(op->w),
				  op->data, op->len, false);
	op->gen = host->gen;
	op->cancel_sent = false;
	return err;
}

static int send_cancel(struct ctm_rhost *host, struct ctm_rop *op)
{
	bool want;

	spin_lock(&host->lock);
	want = op->cancel && !op->cancel_sent;
	op->cancel_sent = want || op->cancel_sent;
	spin_unlock(&host->lock);
	return want ? ctm_rw_send(host->conn, CTM_RW_CANCEL, op->id, NULL, 0, NULL, 0, false) : 0;
}

/* everything that this connection has not seen yet, in the order of the ids */
static int send_all(struct ctm_rhost *host)
{
	struct ctm_rop *op;
	u64 after = 0;
	int err = 0;

	lockdep_assert_held(&host->send);
	while (!err) {
		struct ctm_rop *next = NULL;

		spin_lock(&host->lock);
		list_for_each_entry(op, &host->ops, link)
			if (op->id > after) {
				next = op;
				kref_get(&op->ref);
				break;
			}
		spin_unlock(&host->lock);
		if (!next)
			break;
		after = next->id;
		if (next->gen != host->gen)
			err = send_op(host, next);
		if (!err)
			err = send_cancel(host, next);
		ctm_rop_put(next);
	}
	return err;
}

/* ---- what callers do ---- */

static void kick(struct work_struct *work)
{
	struct ctm_rhost *host = container_of(work, struct ctm_rhost, kick);

	mutex_lock(&host->send);
	if (host->conn && (send_all(host) || send_acks(host, false)))
		ctm_conn_abort(host->conn);
	mutex_unlock(&host->send);
	ctm_rhost_put(host);
}

/* let a worker send: the caller is killed, or must not wait for the network */
static void queue_kick(struct ctm_rhost *host)
{
	kref_get(&host->ref);
	if (!queue_work(ctm_rfile_wq, &host->kick))
		ctm_rhost_put(host);
}

static void push(struct ctm_rhost *host, struct ctm_rop *op)
{
	if (fatal_signal_pending(current) || op->nowait) {
		queue_kick(host);
		return;
	}
	mutex_lock(&host->send);
	if (host->conn && ((op->gen != host->gen && send_op(host, op)) || send_cancel(host, op)))
		ctm_conn_abort(host->conn);
	mutex_unlock(&host->send);
	wake_up(&host->wake);		/* no connection: the link thread makes one */
}

static int link_main(void *arg);

static int start_link(struct ctm_rhost *host)
{
	struct task_struct *t;
	bool start;

	spin_lock(&host->lock);
	start = !host->thread && !host->stop;
	host->thread |= start;
	spin_unlock(&host->lock);
	if (!start)
		return 0;
	kref_get(&host->ref);
	__module_get(THIS_MODULE);
	t = kthread_run(link_main, host, "ctm-rfile/%x", CTM_GPID_SEQ(host->gpid));
	if (!IS_ERR(t))
		return 0;
	spin_lock(&host->lock);
	host->thread = false;
	spin_unlock(&host->lock);
	module_put(THIS_MODULE);
	ctm_rhost_put(host);
	return PTR_ERR(t);
}

/* gives it an id and a place in host->ops; false: no place, or home is lost */
static bool try_add(struct ctm_rhost *host, struct ctm_rop *op)
{
	bool added;

	spin_lock(&host->lock);
	added = !host->stop && !host->dead && (host->nops < CTM_RW_OPS_MAX || op->nowait);
	if (added) {
		op->id = ++host->next_id;
		kref_get(&op->ref);
		list_add_tail(&op->link, &host->ops);
		host->nops++;
	}
	spin_unlock(&host->lock);
	return added;
}

static int submit(struct ctm_rhost *host, struct ctm_rop *op)
{
	bool added = false;
	int err;

	/* who lands may look, and must not act: the process may still run elsewhere */
	if (!READ_ONCE(host->live) && op->w.op != cpu_to_le32(CTM_RW_INFO))
		return -EIO;
	err = start_link(host);
	if (!err && op->nowait)
		added = try_add(host, op);
	else if (!err)
		err = wait_event_killable(host->room, (added = try_add(host, op)) || lost(host));
	if (err)
		return err == -ERESTARTSYS ? -EINTR : err;
	if (!added)
		return -EIO;
	push(host, op);
	return 0;
}

static void cancel(struct ctm_rhost *host, struct ctm_rop *op)
{
	spin_lock(&host->lock);
	op->cancel = true;
	spin_unlock(&host->lock);
	push(host, op);
}

/*
 * A caller that is killed leaves the operation behind: home is told to cancel it,
 * so that nobody there goes on waiting for bytes in its name.
 */
static int wait_op(struct ctm_rhost *host, struct ctm_rop *op, bool intr)
{
	int err;

	if (intr) {
		err = wait_for_completion_interruptible(&op->done);
		if (!err)
			return 0;
		cancel(host, op);
	}
	err = wait_for_completion_killable(&op->done);
	if (err && !intr)
		cancel(host, op);
	else if (err)
		queue_kick(host);
	return err ? -EINTR : 0;
}

s64 ctm_rop_call(struct ctm_rhost *host, struct ctm_rop *op, bool intr)
{
	s64 ret;

	INIT_LIST_HEAD(&op->link);
	ret = submit(host, op);
	if (!ret)
		ret = wait_op(host, op, intr);
	if (ret)
		return ret;
	if (op->flags & CTM_RW_CANCELLED)
		return -ERESTARTSYS;
	if (op->sig)
		send_sig(op->sig, current, 0);
	return op->ret;
}

int ctm_rop_start(struct ctm_rhost *host, struct ctm_rop *op)
{
	INIT_LIST_HEAD(&op->link);
	return submit(host, op);
}

void ctm_rop_post(struct ctm_rhost *host, struct ctm_rop *op)
{
	INIT_LIST_HEAD(&op->link);
	op->nowait = true;
	submit(host, op);		/* an error: home is lost, and the matter with it */
	ctm_rop_put(op);
}

/* ---- the link thread ---- */

static struct ctm_rop *find_op(struct ctm_rhost *host, u64 id)
{
	struct ctm_rop *op, *found = NULL;

	spin_lock(&host->lock);
	list_for_each_entry(op, &host->ops, link)
		if (op->id == id) {
			kref_get(&op->ref);
			found = op;
			break;
		}
	spin_unlock(&host->lock);
	return found;
}

/* true: it is time to tell home, which keeps nothing for who only looks, and hears no ACK of it */
static bool add_ack(struct ctm_rhost *host, u64 id)
{
	bool full;

	spin_lock(&host->lock);
	if (host->hello_full && host->nacks < CTM_RW_ACKS_MAX)
		host->acks[host->nacks++] = id;
	full = host->nacks >= ACK_AT;
	spin_unlock(&host->lock);
	return full;
}

static int skip(struct ctm_conn *conn, u32 len)
{
	u8 buf[256];
	int err = 0;

	while (len && !err) {
		u32 n = min_t(u32, len, sizeof(buf));

		err = ctm_conn_recv(conn, buf, n);
		len -= n;
	}
	return err;
}

static int on_result(struct ctm_rhost *host, struct ctm_conn *conn, u64 id, u32 frame)
{
	struct ctm_rop *op = find_op(host, id);
	struct ctm_rw_result r;
	int err;

	err = ctm_conn_recv(conn, &r, sizeof(r));
	if (!err)
		err = ctm_rw_result_check(&r, frame, op ? op->room : CTM_RW_DATA_MAX);
	if (err || !op) {
		/* an answer that was sent twice: the first was taken */
		err = err ?: skip(conn, le32_to_cpu(r.len));
		goto out;
	}
	op->got = le32_to_cpu(r.len);
	if (op->got)
		err = ctm_conn_recv(conn, op->data, op->got);
	if (err)
		goto out;
	op->ret = le64_to_cpu(r.ret);
	op->flags = le32_to_cpu(r.flags);
	op->sig = le32_to_cpu(r.sig);
	finish_op(host, op);
out:
	ctm_rop_put(op);
	if (!err && add_ack(host, id))
		queue_kick(host);
	return err;
}

static int on_ready(struct ctm_rhost *host, struct ctm_conn *conn)
{
	struct ctm_rw_ready r;
	int err = ctm_conn_recv(conn, &r, sizeof(r));

	if (!err)
		ctm_rnode_ready(host, le64_to_cpu(r.handle),
				(__force __poll_t)le32_to_cpu(r.mask));
	return err;
}

/* home has the last word on whether this host may speak for the process */
static int on_welcome(struct ctm_rhost *host, struct ctm_conn *conn)
{
	struct ctm_rw_welcome w;
	int err = ctm_conn_recv(conn, &w, sizeof(w));

	if (err || !w.error)
		return err;
	spin_lock(&host->lock);
	host->dead = true;
	spin_unlock(&host->lock);
	return -ESTALE;
}

static int on_frame(struct ctm_rhost *host, struct ctm_conn *conn)
{
	struct ctm_rw_head head;
	int err = ctm_conn_recv(conn, &head, sizeof(head));

	if (err)
		return err;
	switch (ctm_rw_head_check(&head)) {
	case CTM_RW_RESULT:
		return on_result(host, conn, le64_to_cpu(head.id), le32_to_cpu(head.len));
	case CTM_RW_READY:
		return on_ready(host, conn);
	case CTM_RW_WELCOME:
		return on_welcome(host, conn);
	default:
		return -EBADMSG;
	}
}

/* home has been found dead, or has left: until then it may only be slow */
static bool home_gone(struct ctm_rhost *host)
{
	struct ctm_peer_info info;

	if (!ctm_node_is_up() || ctm_peer_by_id(CTM_GPID_NODE(host->gpid), &info))
		return true;
	return info.state == CTM_PEER_DEAD || info.state == CTM_PEER_LEFT;
}

static void receive(struct ctm_rhost *host, struct ctm_conn *conn)
{
	int err;

	do {
		err = ctm_conn_poll(conn, CTM_RFILE_IDLE_MS);
		if (err > 0)
			err = on_frame(host, conn);
		else if (!err && home_gone(host))
			err = -EHOSTUNREACH;
	} while (!err && !lost(host));
	if (err == -EBADMSG)
		pr_notice_ratelimited("continuum: remote files: bad frame from node %08x\n",
				      ctm_conn_peer(conn));
}

/* a rebooted home has forgotten the process */
static bool same_home(struct ctm_rhost *host, struct ctm_conn *conn)
{
	u64 boot = ctm_conn_peer_boot(conn);

	spin_lock(&host->lock);
	if (!host->boot)
		host->boot = boot;
	if (host->boot != boot)
		host->dead = true;
	spin_unlock(&host->lock);
	return host->boot == boot;
}

/*
 * HELLO and its answer, then all that waits; from then on callers send for
 * themselves.  Until host->conn is set the connection is this thread's alone.
 */
static int open_session(struct ctm_rhost *host, struct ctm_conn *conn)
{
	struct ctm_rw_head head;
	int err;

	ctm_conn_set_timeout(conn, CTM_RFILE_IO_MS);
	err = send_hello(host, conn, false);
	if (!err)
		err = ctm_conn_recv(conn, &head, sizeof(head));
	if (!err)
		err = ctm_rw_head_check(&head) == CTM_RW_WELCOME ? on_welcome(host, conn) : -EBADMSG;
	if (err)
		return err;
	mutex_lock(&host->send);
	host->conn = conn;
	host->gen++;
	err = lost(host) ? -ESHUTDOWN : send_all(host);
	if (err)
		host->conn = NULL;
	mutex_unlock(&host->send);
	return err;
}

static void run_session(struct ctm_rhost *host, struct ctm_conn *conn)
{
	if (open_session(host, conn))
		return;
	ctm_rnodes_wake(host);		/* what was armed on the last connection is not on this */
	receive(host, conn);
	mutex_lock(&host->send);
	host->conn = NULL;
	mutex_unlock(&host->send);
}

static bool wanted(struct ctm_rhost *host)
{
	return READ_ONCE(host->stop) || READ_ONCE(host->watching) || READ_ONCE(host->nops) ||
	       READ_ONCE(host->expected);
}

static int link_main(void *arg)
{
	struct ctm_rhost *host = arg;
	unsigned int retry = RETRY_FIRST_MS;
	struct ctm_conn *conn;

	while (!lost(host)) {
		wait_event_idle(host->wake, wanted(host));
		if (lost(host))
			break;
		conn = ctm_conn_open(CTM_GPID_NODE(host->gpid), CTM_CHANNEL_RFILE, CONNECT_MS);
		if (!IS_ERR(conn) && same_home(host, conn)) {
			run_session(host, conn);
			retry = RETRY_FIRST_MS;
		}
		ctm_conn_close(conn);
		if (home_gone(host))
			fail_all(host);
		if (IS_ERR(conn))
			retry = min(2 * retry, RETRY_MAX_MS);
		wait_event_idle_timeout(host->wake, READ_ONCE(host->stop), msecs_to_jiffies(retry));
	}
	fail_all(host);
	wake_up_all(&host->room);
	ctm_rnodes_wake(host);
	ctm_rhost_put(host);
	module_put_and_kthread_exit(0);
}

/* ---- life ---- */

struct ctm_rhost *ctm_rhost_new(struct ctm_process *p)
{
	struct ctm_rhost *host = kzalloc(sizeof(*host), GFP_KERNEL_ACCOUNT);

	if (!host)
		return NULL;
	kref_init(&host->ref);
	host->gpid = p->gpid;
	spin_lock_init(&host->lock);
	mutex_init(&host->send);
	INIT_LIST_HEAD(&host->ops);
	INIT_LIST_HEAD(&host->nodes);
	INIT_LIST_HEAD(&host->asked);
	init_waitqueue_head(&host->room);
	init_waitqueue_head(&host->wake);
	INIT_WORK(&host->kick, kick);
	return host;
}

static void release_rhost(struct kref *ref)
{
	kfree(container_of(ref, struct ctm_rhost, ref));
}

void ctm_rhost_put(struct ctm_rhost *host)
{
	if (host)
		kref_put(&host->ref, release_rhost);
}

void ctm_rhost_expect(struct ctm_rhost *host)
{
	WRITE_ONCE(host->expected, true);
	if (!start_link(host))
		wake_up(&host->wake);
}

void ctm_rhost_live(struct ctm_rhost *host, u32 epoch)
{
	bool unused;

	spin_lock(&host->lock);
	unused = !host->live && list_empty(&host->nodes);
	host->live = true;
	host->epoch = epoch;
	WRITE_ONCE(host->expected, false);
	spin_unlock(&host->lock);
	if (unused)
		ctm_rhost_stop(host);	/* it landed with no such file, and can get none here */
	else
		ctm_rnodes_wake(host);	/* who polled while it landed was not answered */
}

/* cannot fail; callers that wait get -EIO from the link thread, or here when there is none */
void ctm_rhost_stop(struct ctm_rhost *host)
{
	bool thread;

	spin_lock(&host->lock);
	host->stop = true;
	thread = host->thread;
	spin_unlock(&host->lock);
	mutex_lock(&host->send);
	if (host->conn)
		ctm_conn_abort(host->conn);
	mutex_unlock(&host->send);
	wake_up_all(&host->wake);
	wake_up_all(&host->room);
	if (!thread)
		fail_all(host);
	ctm_remote_forget(host);
}
