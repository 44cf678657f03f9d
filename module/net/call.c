// SPDX-License-Identifier: GPL-2.0
/*
 * call.c - one request, one answer, over pooled connections
 *
 * A connection carries one call at a time.  When it is not in use it stands in
 * the pool (pool_lock), owned by the pool; ctm_call() takes one out, or makes a
 * new one, and puts it back.  After any error a connection is closed: what is
 * under way on it could be taken for the answer to the next call.  Connections of other
 * channels that are used in the same way stand there, too.
 *
 * The served side runs in the connection's own thread (tcp.c).
 */
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include "fault.h"
#include "net/net.h"

#define POOL_MAX	256u
#define POOL_PEER_MAX	8u
#define POOL_IDLE	(30 * HZ)
#define SERVE_IDLE_MS	120000u		/* longer: the pool's side closes first */
#define SERVE_SEND_MS	10000u

DEFINE_SRCU(ctm_handlers);

/* File scope: one table a module, filled at init. */
static ctm_call_fn handlers[CTM_CALL_TYPES];

struct pooled {
	struct list_head list;
	struct ctm_conn *conn;
	unsigned long since;
};

static DEFINE_SPINLOCK(pool_lock);
static LIST_HEAD(pool);			/* the oldest first */
static unsigned int pool_n;
static atomic64_t next_id = ATOMIC64_INIT(1);

/* ---- the pool ---- */

static struct ctm_conn *pool_take(u32 node, enum ctm_channel channel)
{
	struct ctm_conn *c = NULL;
	struct pooled *p;

	spin_lock(&pool_lock);
	list_for_each_entry_reverse(p, &pool, list) {
		if (ctm_conn_peer(p->conn) != node || ctm_conn_channel(p->conn) != channel)
			continue;
		list_del(&p->list);
		pool_n--;
		c = p->conn;
		break;
	}
	spin_unlock(&pool_lock);
	if (c)
		kfree(p);
	return c;
}

/* one that the peer has not closed meanwhile */
static struct ctm_conn *pool_get(u32 node, enum ctm_channel channel)
{
	struct ctm_conn *c;

	while ((c = pool_take(node, channel))) {
		if (ctm_conn_poll(c, 0) == 0)	/* nothing to read, not even an end */
			return c;
		ctm_conn_close(c);
	}
	return NULL;
}

static unsigned int pool_of(u32 node, enum ctm_channel channel)
{
	struct pooled *p;
	unsigned int n = 0;

	list_for_each_entry(p, &pool, list)
		n += ctm_conn_peer(p->conn) == node && ctm_conn_channel(p->conn) == channel;
	return n;
}

struct ctm_conn *ctm_conn_borrow(u32 node, enum ctm_channel channel, unsigned int timeout_ms)
{
	return pool_get(node, channel) ?: ctm_conn_open(node, channel, timeout_ms);
}

void ctm_conn_keep(struct ctm_conn *c)
{
	struct pooled *p = kmalloc(sizeof(*p), GFP_KERNEL);
	bool room = false;

	if (p && ctm_node_is_up()) {
		p->conn = c;
		p->since = jiffies;
		spin_lock(&pool_lock);
		room = pool_n < POOL_MAX && pool_of(ctm_conn_peer(c), ctm_conn_channel(c)) < POOL_PEER_MAX;
		if (room) {
			list_add_tail(&p->list, &pool);
			pool_n++;
		}
		spin_unlock(&pool_lock);
	}
	if (!room) {
		kfree(p);
		ctm_conn_close(c);
	}
}

void ctm_call_trim(bool all)
{
	struct pooled *p, *next;
	LIST_HEAD(old);

	spin_lock(&pool_lock);
	list_for_each_entry_safe(p, next, &pool, list) {
		if (all || ctm_conn_aborted(p->conn) ||
		    time_after(jiffies, p->since + POOL_IDLE)) {
			list_move(&p->list, &old);
			pool_n--;
		}
	}
	spin_unlock(&pool_lock);
	list_for_each_entry_safe(p, next, &old, list) {
		ctm_conn_close(p->conn);
		kfree(p);
	}
}

/* ---- asking ---- */

/* the answer; what does not fit into @resp ends the connection */
static int get_answer(struct ctm_conn *c, u64 id, void *resp, size_t *resp_len, int *status)
{
	struct ctm_wire_reply r;
	u32 len, errnum;
	int err;

	err = ctm_conn_recv(c, &r, sizeof(r));
	if (err)
		return err;
	len = le32_to_cpu(r.len);
	errnum = le32_to_cpu(r.status);
	if (le64_to_cpu(r.id) != id || errnum > MAX_ERRNO || len > CTM_CALL_MAX)
		return -EPROTO;
	if (len > (resp_len ? *resp_len : 0))
		return -EMSGSIZE;
	if (resp_len)
		*resp_len = len;
	*status = -(int)errnum;
	return len ? ctm_conn_recv(c, resp, len) : 0;
}

/* 0: the call was made, and *status is its result */
static int exchange(struct ctm_conn *c, enum ctm_call_type type, const void *req, size_t req_len,
		    void *resp, size_t *resp_len, unsigned int timeout_ms, int *status)
{
	u64 id = atomic64_inc_return(&next_id);
	struct ctm_wire_request r = {
		.len = cpu_to_le32(req_len),
		.type = cpu_to_le16(type),
		.id = cpu_to_le64(id),
	};
	int err;

	ctm_conn_set_timeout(c, timeout_ms);
	err = ctm_conn_send(c, &r, sizeof(r), req_len > 0);
	if (!err && req_len)
		err = ctm_conn_send(c, req, req_len, false);
	if (!err)
		err = get_answer(c, id, resp, resp_len, status);
	return err;
}

int ctm_call_on(struct ctm_conn *c, enum ctm_call_type type, const void *req, size_t req_len,
		void *resp, size_t *resp_len, unsigned int timeout_ms)
{
	int status = 0, err;

	err = exchange(c, type, req, req_len, resp, resp_len, timeout_ms, &status);
	return err ?: status;
}

static int run_handler(u32 from, unsigned int type, const void *req, size_t req_len,
		       void *resp, size_t *resp_len)
{
	size_t room = *resp_len;
	ctm_call_fn fn;
	int idx, ret = -EOPNOTSUPP;

	idx = srcu_read_lock(&ctm_handlers);
	fn = type < CTM_CALL_TYPES ? READ_ONCE(handlers[type]) : NULL;
	if (fn)
		ret = fn(from, req, req_len, resp, resp_len);
	else
		*resp_len = 0;
	/* it failed before it wrote anything: the room is no answer, nor ours to send */
	if (ret < 0 && *resp_len == room)
		*resp_len = 0;
	srcu_read_unlock(&ctm_handlers, idx);
	return ret;
}

/* a handler may count on CTM_CALL_MAX of room: the caller's may be less */
static int call_self(unsigned int type, const void *req, size_t req_len,
		     void *resp, size_t *resp_len)
{
	size_t len = CTM_CALL_MAX;
	void *buf;
	int ret;

	buf = kvmalloc(CTM_CALL_MAX, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	ret = run_handler(ctm_node_id(), type, req, req_len, buf, &len);
	if (len > (resp_len ? *resp_len : 0)) {
		ret = -EMSGSIZE;
	} else if (resp_len) {
		memcpy(resp, buf, len);
		*resp_len = len;
	}
	kvfree(buf);
	return ret;
}

int ctm_call(u32 node, enum ctm_call_type type, const void *req, size_t req_len,
	     void *resp, size_t *resp_len, unsigned int timeout_ms)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(timeout_ms);
	int status = 0, err;
	struct ctm_conn *c;

	if (req_len > CTM_CALL_MAX)
		return -EMSGSIZE;
	if (!ctm_node_is_up())
		return -ENETDOWN;
	if (ctm_fault_call("send", type) == CTM_FAULT_DROP)
		return -ETIMEDOUT;
	if (node == ctm_node_id())
		return call_self(type, req, req_len, resp, resp_len);
	c = ctm_conn_borrow(node, CTM_CHANNEL_CALL, timeout_ms);
	if (IS_ERR(c))
		return PTR_ERR(c);
	timeout_ms = time_before(jiffies, deadline) ? jiffies_to_msecs(deadline - jiffies) : 1;
	err = exchange(c, type, req, req_len, resp, resp_len, max(timeout_ms, 1u), &status);
	if (err) {
		ctm_conn_close(c);
		return err;
	}
	ctm_conn_keep(c);
	return status;
}

/* ---- answering ---- */

static int send_reply(struct ctm_conn *c, __le64 id, int ret, const void *resp, size_t len)
{
	struct ctm_wire_reply r = {
		.len = cpu_to_le32(len),
		.status = cpu_to_le32(ret < 0 && ret >= -MAX_ERRNO ? -ret : 0),
		.id = id,
	};
	int err;

	err = ctm_conn_send(c, &r, sizeof(r), len > 0);
	if (!err && len)
		err = ctm_conn_send(c, resp, len, false);
	return err;
}

static int serve_one(struct ctm_conn *c, const struct ctm_wire_request *r)
{
	size_t req_len = le32_to_cpu(r->len), resp_len = CTM_CALL_MAX;
	void *req = NULL, *resp;
	int ret, err = -ENOMEM;

	resp = kvmalloc(CTM_CALL_MAX, GFP_KERNEL);
	if (!resp)
		return -ENOMEM;
	if (req_len) {
		req = kvmalloc(req_len, GFP_KERNEL);
		if (!req)
			goto out;
		err = ctm_conn_recv(c, req, req_len);
		if (err)
			goto out;
	}
	if (ctm_fault_call("recv", le16_to_cpu(r->type)) == CTM_FAULT_DROP) {
		err = -ECONNRESET;	/* no answer: the connection is of no use any more */
		goto out;
	}
	ret = run_handler(ctm_conn_peer(c), le16_to_cpu(r->type), req, req_len, resp, &resp_len);
	if (ctm_fault_call("answer", le16_to_cpu(r->type)) == CTM_FAULT_DROP)
		err = -ECONNRESET;
	else
		err = send_reply(c, r->id, ret, resp, min_t(size_t, resp_len, CTM_CALL_MAX));
out:
	kvfree(req);
	kvfree(resp);
	return err;
}

static void serve_calls(struct ctm_conn *c)
{
	struct ctm_wire_request r;

	for (;;) {
		ctm_conn_set_timeout(c, SERVE_IDLE_MS);
		if (ctm_conn_recv(c, &r, sizeof(r)))
			return;
		if (le32_to_cpu(r.len) > CTM_CALL_MAX) {
			ctm_count(CTM_CNT_OVERSIZED);
			return;
		}
		ctm_conn_set_timeout(c, SERVE_SEND_MS);
		if (serve_one(c, &r))
			return;
	}
}

/* ---- registration ---- */

void ctm_call_handler(enum ctm_call_type type, ctm_call_fn fn)
{
	if (WARN_ON(type >= CTM_CALL_TYPES))
		return;
	WRITE_ONCE(handlers[type], fn);
	if (!fn)
		synchronize_srcu(&ctm_handlers);
}

void ctm_call_init(void)
{
	ctm_channel_serve(CTM_CHANNEL_CALL, serve_calls);
}

void ctm_call_exit(void)
{
	ctm_channel_serve(CTM_CHANNEL_CALL, NULL);
	ctm_call_trim(true);
}
