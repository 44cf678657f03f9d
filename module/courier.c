// SPDX-License-Identifier: GPL-2.0
/*
 * courier.c - calls that find a process wherever it is
 *
 * A routed call goes to the process if it is here, else to its home, which
 * passes it on to the host that it knows.  A process between two hosts is
 * nowhere for a moment: home tries again until it has arrived.
 */
#include <linux/delay.h>
#include <linux/slab.h>

#include "courier.h"
#include "net/transport.h"
#include "node.h"

#define HOPS_MAX	3
#define IN_TRANSIT_MS	5000
#define IN_TRANSIT_STEP_MS	25
#define WAIT_SLICE_MS	20000

/* ---- routing ---- */

int ctm_route(enum ctm_call_type type, void *req, size_t req_len, void *resp, size_t *resp_len,
	      unsigned int timeout_ms)
{
	struct ctm_route *r = req;
	struct ctm_process *p;
	u32 node;

	if (!ctm_node_is_up())
		return -ENETDOWN;
	ctm_caller_current(&r->by);
	p = ctm_process_find(r->gpid);
	node = p ? ctm_node_id() : CTM_GPID_NODE(r->gpid);
	ctm_process_put(p);
	return ctm_call(node, type, req, req_len, resp, resp_len, timeout_ms);
}

/* where the call goes from here: 1 here, 0 to *node, -errno */
static int next_hop(struct ctm_process *p, u32 *node)
{
	int where = 0;

	spin_lock(&p->lock);
	if (p->here && !(p->committed && p->under_way))
		where = 1;
	else if (p->ended)
		where = ctm_process_is_home(p) ? 1 : -ESRCH;
	else if (ctm_process_is_home(p))
		*node = p->host;
	else
		*node = CTM_GPID_NODE(p->gpid);
	spin_unlock(&p->lock);
	return where;
}

static int pass_on(struct ctm_process *p, enum ctm_call_type type, const void *req, size_t req_len,
		   void *resp, size_t *resp_len, unsigned int timeout_ms)
{
	unsigned long give_up = jiffies + msecs_to_jiffies(IN_TRANSIT_MS);
	size_t room = *resp_len;
	struct ctm_route *r;
	u32 node = 0;
	void *copy;
	int err;

	copy = kmemdup(req, req_len, GFP_KERNEL_ACCOUNT);
	if (!copy)
		return -ENOMEM;
	r = copy;
	r->by.hops++;
	do {
		err = next_hop(p, &node);
		if (err)
			break;
		err = -EAGAIN;
		if (node != ctm_node_id()) {
			*resp_len = room;
			err = ctm_call(node, type, copy, req_len, resp, resp_len, timeout_ms);
		}
		if (err != -ESRCH && err != -EAGAIN)
			break;
		msleep(IN_TRANSIT_STEP_MS);	/* it has left there, or not arrived yet */
	} while (time_before(jiffies, give_up));
	kfree(copy);
	return err;
}

int ctm_route_pass(enum ctm_call_type type, const void *req, size_t req_len, void *resp,
		   size_t *resp_len, struct ctm_process **out, unsigned int timeout_ms)
{
	const struct ctm_route *r = req;
	struct ctm_process *p;
	int err;

	if (req_len < sizeof(*r))
		return -EBADMSG;
	p = ctm_process_find(r->gpid);
	if (!p)
		return -ESRCH;
	if (r->by.hops >= HOPS_MAX) {
		err = -ESRCH;
	} else {
		u32 node;

		err = next_hop(p, &node);
		if (!err)
			err = pass_on(p, type, req, req_len, resp, resp_len, timeout_ms);
	}
	if (err == 1) {
		*out = p;
		return 1;
	}
	ctm_process_put(p);
	return err;
}

/* ---- info ---- */

static int serve_info(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	struct ctm_process *p;
	int err;

	if (len != sizeof(struct ctm_route) || *resp_len < sizeof(struct ctm_info))
		return -EBADMSG;
	err = ctm_route_pass(CTM_CALL_INFO, req, len, resp, resp_len, &p, CTM_ROUTE_MS);
	if (!err || err == -ESRCH || err == -EBADMSG)
		return err;
	/* its host does not answer: home tells what it knows, and that it is in limbo */
	if (err != 1) {
		p = ctm_process_find(((const struct ctm_route *)req)->gpid);
		if (!p || !ctm_process_is_home(p)) {
			ctm_process_put(p);
			return err;
		}
	}
	ctm_process_info(p, resp);
	*resp_len = sizeof(struct ctm_info);
	ctm_process_put(p);
	return 0;
}

int ctm_info(struct ctm_info *arg)
{
	struct ctm_route r = { .gpid = arg->gpid };
	size_t len = sizeof(*arg);
	struct ctm_process *p;
	int err;

	if (!arg->gpid) {
		p = ctm_process_of_task(current);
		if (!p)
			return -ESRCH;
		ctm_process_info(p, arg);
		ctm_process_put(p);
		return 0;
	}
	err = ctm_route(CTM_CALL_INFO, &r, sizeof(r), arg, &len, CTM_ROUTE_MS);
	return err ? err : len == sizeof(*arg) ? 0 : -EPROTO;
}

/* ---- wait: asked of home, in slices, so that nobody holds a connection for ever ---- */

struct wait_call {
	struct ctm_route route;
	__u32 slice_ms;
	__u32 pad;
};

static int serve_wait(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct wait_call *c = req;
	struct ctm_process *p;
	long left;

	if (len != sizeof(*c) || *resp_len < sizeof(struct ctm_wait))
		return -EBADMSG;
	p = ctm_process_find(c->route.gpid);
	if (!p || !ctm_process_is_home(p)) {
		ctm_process_put(p);
		return -ESRCH;
	}
	left = wait_event_interruptible_timeout(p->wait, READ_ONCE(p->ended),
			msecs_to_jiffies(min_t(u32, c->slice_ms, WAIT_SLICE_MS)));
	if (READ_ONCE(p->ended)) {
		spin_lock(&p->lock);
		memcpy(resp, &p->exit, sizeof(p->exit));
		spin_unlock(&p->lock);
		*resp_len = sizeof(p->exit);
		left = 0;
	} else {
		left = left < 0 ? -EINTR : -EAGAIN;
		*resp_len = 0;
	}
	ctm_process_put(p);
	return left;
}

int ctm_wait(struct ctm_wait *arg)
{
	struct wait_call c = { .route.gpid = arg->gpid };
	struct ctm_wait out;
	size_t len;
	int err;

	if (!ctm_node_is_up())
		return -ENETDOWN;
	c.slice_ms = arg->flags & CTM_WAIT_NOHANG ? 0 : WAIT_SLICE_MS;
	do {
		len = sizeof(out);
		err = ctm_call(CTM_GPID_NODE(arg->gpid), CTM_CALL_WAIT, &c, sizeof(c), &out, &len,
			       WAIT_SLICE_MS + CTM_ROUTE_MS);
		if (signal_pending(current))
			return -EINTR;
	} while (err == -EAGAIN && c.slice_ms);
	if (err)
		return err;
	if (len != sizeof(out))
		return -EPROTO;
	out.gpid = arg->gpid;
	out.size = arg->size;
	out.flags = arg->flags;
	*arg = out;
	return 0;
}

int ctm_courier_init(void)
{
	ctm_call_handler(CTM_CALL_INFO, serve_info);
	ctm_call_handler(CTM_CALL_WAIT, serve_wait);
	return 0;
}

void ctm_courier_exit(void)
{
	ctm_call_handler(CTM_CALL_WAIT, NULL);
	ctm_call_handler(CTM_CALL_INFO, NULL);
}
