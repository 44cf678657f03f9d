// SPDX-License-Identifier: GPL-2.0
/*
 * fork_home.c - the home of a family: which children exist, who has ended, who is to go
 *
 * A child is an entry of the registry from its reservation on, `forking` until its host
 * asks to start it.  That question and CLOSE meet under the entry's lock: the first
 * settles it.  So nothing else has to be kept of a fork, and every call may be made again.
 *
 * Exit records of children wait for their parent for an hour, like all; when a family makes
 * more than RECORDS_MAX, the oldest go.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "fork_priv.h"
#include "rfile.h"
#include "sequence.h"
#include "signals.h"

#define CALL_MS		5000
#define WAIT_SLICE_MS	20000
#define RECORDS_MAX	16384u	/* exit records of children */
#define CLEAN_STEP	(HZ)
#define CLEAN_MS	2000	/* for one member of a family that is over */

static u32 family_budget = CTM_FAMILY_BUDGET;	/* one node a machine: file scope */

u32 ctm_fork_budget(void)
{
	return READ_ONCE(family_budget);
}

void ctm_fork_set_budget(u32 n)
{
	WRITE_ONCE(family_budget, n);
}

/* ---- entries ---- */

static bool is_live_of(struct ctm_process *p, void *arg)
{
	return p->family == *(u64 *)arg && ctm_process_is_home(p) && !p->ended;
}

struct tally {
	u64 family;
	unsigned int live, records;
};

static bool count(struct ctm_process *p, void *arg)
{
	struct tally *t = arg;

	t->live += is_live_of(p, &t->family);
	t->records += p->parent && p->ended;
	return true;
}

static bool is_record(struct ctm_process *p, void *arg)
{
	return p->parent && p->ended;
}

static int by_end(const void *a, const void *b)
{
	const struct ctm_process *x = *(struct ctm_process **)a, *y = *(struct ctm_process **)b;

	return x->ended_at == y->ended_at ? 0 : time_before(x->ended_at, y->ended_at) ? -1 : 1;
}

/* the oldest go, a quarter of them, so that this is seldom */
static void trim_records(void)
{
	struct ctm_process **v;
	unsigned int i, n = ctm_process_collect(is_record, NULL, &v);

	sort(v, n, sizeof(*v), by_end, NULL);
	for (i = 0; i + RECORDS_MAX * 3 / 4 < n; i++)
		ctm_process_forget(v[i]);
	ctm_process_collect_put(v, n);
}

/* it never will exist, unless it does already.  Return: does it? */
static bool close_entry(struct ctm_process *p)
{
	bool exists;

	spin_lock(&p->lock);
	exists = !p->forking;
	if (!exists)
		p->fork_over = true;
	spin_unlock(&p->lock);
	if (!exists) {
		ctm_rfiles_ended(p);
		ctm_process_forget(p);
	}
	return exists;
}

/* as long as the root's record is here, which is an hour */
static bool family_over(struct ctm_process *p)
{
	struct ctm_process *root = ctm_process_find(p->family);
	bool over = root && READ_ONCE(root->ended) && !(root->flags & CTM_ADOPT_LINGER);

	ctm_process_put(root);
	return over;
}

/* ---- RESERVE ---- */

struct reserve_call {
	__u64 parent;
	__u64 boot;			/* of the node that forks */
	__u32 epoch;
	__u32 count;
};

static int may_fork(struct ctm_process *p, const struct reserve_call *c, u32 from)
{
	int err = 0;

	spin_lock(&p->lock);
	if (p->ended || !ctm_process_is_home(p) || p->forking)
		err = -ESRCH;
	else if (c->epoch != p->epoch || p->host != from)
		err = -ESTALE;
	spin_unlock(&p->lock);
	return err;
}

static int reserve(struct ctm_process *parent, const struct reserve_call *c, u32 from, u64 *first)
{
	struct tally t = { .family = parent->family };
	struct ctm_process *p;
	u32 i, seq;
	int err;

	ctm_process_each(count, &t);
	if (t.records > RECORDS_MAX)
		trim_records();
	if (t.live + c->count > READ_ONCE(family_budget))
		return -EAGAIN;
	err = ctm_sequence_many(c->count, &seq);
	if (err)
		return err;
	*first = CTM_GPID(ctm_node_id(), seq);
	for (i = 0; i < c->count && !err; i++) {
		p = ctm_process_new_child(*first + i, parent, from, c->boot);
		err = PTR_ERR_OR_ZERO(p);
		if (!err)
			ctm_process_put(p);
	}
	while (err && i--) {
		p = ctm_process_find(*first + i);
		if (p)
			ctm_process_forget(p);
		ctm_process_put(p);
	}
	return err;
}

/* two forks of a family at once must not both find the same room in its budget */
static DEFINE_MUTEX(reserve_lock);

static int serve_reserve(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct reserve_call *c = req;
	struct ctm_process *parent;
	u64 first = 0;
	int err;

	*resp_len = 0;
	if (len != sizeof(*c) || !c->count || c->count > CTM_FORK_MAX)
		return -EBADMSG;
	parent = ctm_process_find(c->parent);
	if (!parent)
		return -ESRCH;
	err = may_fork(parent, c, from);
	if (!err) {
		mutex_lock(&reserve_lock);
		/* one that is being destroyed must not grow faster than that */
		err = family_over(parent) ? -ESRCH : reserve(parent, c, from, &first);
		mutex_unlock(&reserve_lock);
	}
	ctm_process_put(parent);
	if (err)
		return err;
	memcpy(resp, &first, sizeof(first));
	*resp_len = sizeof(first);
	return 0;
}

int ctm_fork_reserve(struct ctm_process *p, u32 n, u64 *first)
{
	struct reserve_call c = { .parent = p->gpid, .boot = ctm_node_boot(), .count = n };
	size_t len = sizeof(*first);
	int err;

	spin_lock(&p->lock);
	c.epoch = p->epoch;
	spin_unlock(&p->lock);
	err = ctm_call(CTM_GPID_NODE(p->gpid), CTM_CALL_FORK_RESERVE, &c, sizeof(c), first, &len,
		       CALL_MS);
	return err ?: len == sizeof(*first) ? 0 : -EPROTO;
}

/* ---- START ---- */

struct start_call {
	__u64 gpid;
	__u64 boot;			/* of the node where it would run */
};

static int start(struct ctm_process *p, u32 host, u64 boot)
{
	int err = 0;

	spin_lock(&p->lock);
	if (p->forking && !p->fork_over) {
		p->forking = false;
		p->host = host;
		p->host_boot = boot;
		p->epoch = 1;
		p->hops = 0;
		p->state = CTM_STATE_RUNNING;
	} else if (p->fork_over || p->epoch != 1 || p->host != host || p->host_boot != boot) {
		err = -ECANCELED;
	}
	spin_unlock(&p->lock);
	return err;
}

static int serve_start(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct start_call *c = req;
	struct ctm_process *p;
	int err;

	*resp_len = 0;
	if (len != sizeof(*c))
		return -EBADMSG;
	p = ctm_process_find(c->gpid);
	if (!p || !ctm_process_is_home(p) || !p->parent) {
		ctm_process_put(p);
		return -ECANCELED;
	}
	/* files that the fork has exported since are its own, too */
	if (ctm_rfiles_inherit(p))
		close_entry(p);
	err = start(p, from, from == ctm_node_id() ? 0 : c->boot);
	ctm_process_put(p);
	return err;
}

int ctm_fork_start(u64 gpid)
{
	struct start_call c = { .gpid = gpid, .boot = ctm_node_boot() };
	size_t none = 0;

	return ctm_call(CTM_GPID_NODE(gpid), CTM_CALL_FORK_START, &c, sizeof(c), NULL, &none, CALL_MS);
}

u64 ctm_fork_home_boot(u64 gpid)
{
	struct ctm_peer_info home;

	return ctm_peer_by_id(CTM_GPID_NODE(gpid), &home) ? 0 : home.boot;
}

/* ---- CLOSE ---- */

struct close_call {
	__u64 parent;
	__u64 first;
	__u32 count;
	__u32 pad;
};

static int serve_close(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct close_call *c = req;
	struct ctm_process *p;
	u8 *made = resp;
	u32 i;

	*resp_len = 0;
	if (len != sizeof(*c) || !c->count || c->count > CTM_FORK_MAX)
		return -EBADMSG;
	memset(made, 0, DIV_ROUND_UP(c->count, 8));
	for (i = 0; i < c->count; i++) {
		p = ctm_process_find(c->first + i);
		if (p && p->parent == c->parent && p->fork_node == from && close_entry(p))
			made[i / 8] |= 1u << i % 8;
		ctm_process_put(p);
	}
	*resp_len = DIV_ROUND_UP(c->count, 8);
	return 0;
}

int ctm_fork_close(u64 parent, u64 first, u32 n, unsigned long *made)
{
	struct close_call c = { .parent = parent, .first = first, .count = n };
	size_t len = DIV_ROUND_UP(n, 8);
	int err = ctm_call(CTM_GPID_NODE(parent), CTM_CALL_FORK_CLOSE, &c, sizeof(c), made, &len,
			   CALL_MS);

	return err ?: len == DIV_ROUND_UP(n, 8) ? 0 : -EPROTO;
}

/* ---- a forking node that is gone ---- */

struct lost { u32 node; u64 boot; };

/* @boot 0: any of its boots */
static bool is_left_behind(struct ctm_process *p, void *arg)
{
	struct lost *l = arg;

	return p->forking && p->fork_node == l->node && p->fork_boot != l->boot;
}

/* What it had begun never will be: should it only have been cut off, it hears so from CLOSE. */
static void on_peer_change(u32 id, enum ctm_peer_state state, u64 boot)
{
	struct lost l = { .node = id, .boot = state == CTM_PEER_ALIVE ? boot : 0 };
	struct ctm_process **v;
	unsigned int i, n;

	if (state == CTM_PEER_SUSPECT)
		return;
	n = ctm_process_collect(is_left_behind, &l, &v);
	for (i = 0; i < n; i++)
		close_entry(v[i]);
	ctm_process_collect_put(v, n);
}

/* ---- a family whose first process has ended ---- */

static void clean_families(struct work_struct *work);
static DECLARE_DELAYED_WORK(clean_work, clean_families);
static struct workqueue_struct *clean_wq;

static bool is_orphan(struct ctm_process *p, void *arg)
{
	return p->parent && !p->ended && ctm_process_is_home(p);
}

static void clean_families(struct work_struct *work)
{
	struct ctm_process **v;
	unsigned int i, n = ctm_process_collect(is_orphan, NULL, &v), left = 0;

	for (i = 0; i < n; i++) {
		struct ctm_process *p = v[i];

		if (!family_over(p))
			continue;
		if (close_entry(p) && !READ_ONCE(p->ended)) {
			ctm_signals_destroy(p->gpid, CLEAN_MS);
			left++;		/* until its host says so */
		}
	}
	ctm_process_collect_put(v, n);
	if (left && ctm_node_is_up())
		queue_delayed_work(clean_wq, &clean_work, CLEAN_STEP);
}

/* a process has ended, at home */
static void on_end(struct ctm_process *p)
{
	struct ctm_process *parent = p->parent ? ctm_process_find(p->parent) : NULL;

	if (parent) {
		spin_lock(&parent->lock);
		WRITE_ONCE(parent->child_ends, parent->child_ends + 1);
		spin_unlock(&parent->lock);
		wake_up_all(&parent->wait);
		ctm_process_put(parent);
	}
	if (!p->parent && !(p->flags & CTM_ADOPT_LINGER))
		mod_delayed_work(clean_wq, &clean_work, 0);
}

/* ---- waiting for a child ---- */

struct child_call {
	__u64 parent;
	__u64 child;			/* 0: any */
	__u32 slice_ms;
	__u32 pad;
};

struct choice {
	const struct child_call *c;
	struct ctm_process *ended;	/* a reference; the first to have ended */
	bool any;			/* there is one to wait for */
};

static bool choose(struct ctm_process *p, void *arg)
{
	struct choice *o = arg;

	if (p->parent != o->c->parent || (o->c->child && p->gpid != o->c->child) || p->forking ||
	    p->taken)
		return true;
	o->any = true;
	if (!p->ended || (o->ended && !time_before(p->ended_at, o->ended->ended_at)))
		return true;
	ctm_process_put(o->ended);	/* not its last: the registry has one */
	ctm_process_get(p);
	o->ended = p;
	return true;
}

/* one that has ended and was not taken; -EAGAIN, -ECHILD */
static int look(const struct child_call *c, struct ctm_wait *out)
{
	struct choice o = { .c = c };

	ctm_process_each(choose, &o);
	if (!o.ended)
		return o.any ? -EAGAIN : -ECHILD;
	spin_lock(&o.ended->lock);
	*out = o.ended->exit;
	spin_unlock(&o.ended->lock);
	out->gpid = o.ended->gpid;
	ctm_process_put(o.ended);
	return 0;
}

static int serve_wait(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct child_call *c = req;
	struct ctm_process *parent;
	unsigned int seen;
	int err;

	if (len != sizeof(*c) || *resp_len < sizeof(struct ctm_wait))
		return -EBADMSG;
	*resp_len = 0;
	parent = ctm_process_find(c->parent);
	if (!parent)
		return -ECHILD;
	seen = READ_ONCE(parent->child_ends);
	err = look(c, resp);
	if (err == -EAGAIN && c->slice_ms &&
	    wait_event_interruptible_timeout(parent->wait, READ_ONCE(parent->child_ends) != seen,
			msecs_to_jiffies(min_t(u32, c->slice_ms, WAIT_SLICE_MS))) > 0)
		err = look(c, resp);
	if (!err)
		*resp_len = sizeof(struct ctm_wait);
	ctm_process_put(parent);
	return err;
}

/*
 * TAKE - the record of a child for its parent, exactly once
 *
 * Each TAKE of a parent has a number, which begins with its epoch, so that they rise from host to
 * host; and it says which was the last that was answered, which travels with the parent.
 * Home keeps what it has answered to the last one: that child is taken when a later TAKE says
 * that the answer has come, and if it has not, the child is there as before.
 */
struct take_call {
	__u64 parent;
	__u64 child;			/* 0: any */
	__u64 nr;			/* not 0 */
	__u64 took;			/* 0: none */
};

/* two at once, of which one comes late, must not both change what was offered */
static DEFINE_MUTEX(take_lock);

static void taken(u64 child)
{
	struct ctm_process *p = ctm_process_find(child);

	if (p) {
		spin_lock(&p->lock);
		p->taken = true;
		p->ended_at = jiffies;
		spin_unlock(&p->lock);
	}
	ctm_process_put(p);
}

static int offer(struct ctm_process *parent, const struct take_call *t, struct ctm_wait *out)
{
	struct child_call c = { .parent = t->parent, .child = t->child };
	int err;

	if (t->nr < parent->take_nr)
		return -ESTALE;
	if (t->nr == parent->take_nr && parent->offered)
		c.child = parent->offered;
	else if (parent->offered && t->took == parent->take_nr)
		taken(parent->offered);
	parent->take_nr = t->nr;
	err = look(&c, out);
	parent->offered = err ? 0 : out->gpid;
	return err;
}

static int serve_take(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct take_call *t = req;
	struct ctm_process *parent;
	int err;

	if (len != sizeof(*t) || *resp_len < sizeof(struct ctm_wait))
		return -EBADMSG;
	*resp_len = 0;
	parent = ctm_process_find(t->parent);
	if (!parent)
		return -ECHILD;
	mutex_lock(&take_lock);
	err = offer(parent, t, resp);
	mutex_unlock(&take_lock);
	ctm_process_put(parent);
	if (!err)
		*resp_len = sizeof(struct ctm_wait);
	return err;
}

static int take(struct ctm_process *p, u64 child, struct ctm_wait *out)
{
	struct take_call t = { .parent = p->gpid, .child = child };
	size_t len = sizeof(*out);
	int err;

	if (mutex_lock_interruptible(&p->wait_lock))
		return -ERESTARTSYS;
	spin_lock(&p->lock);
	t.nr = (u64)p->epoch << 32 | ++p->takes;
	spin_unlock(&p->lock);
	t.took = p->took;
	err = ctm_call(CTM_GPID_NODE(p->gpid), CTM_CALL_FORK_TAKE, &t, sizeof(t), out, &len, CALL_MS);
	if (!err && len != sizeof(*out))
		err = -EPROTO;
	if (!err)
		p->took = t.nr;
	mutex_unlock(&p->wait_lock);
	return err;
}

/* until a child has ended, for some seconds: 0, -EAGAIN, ... */
static int await(u64 parent, u64 child)
{
	struct child_call c = { .parent = parent, .child = child, .slice_ms = WAIT_SLICE_MS };
	struct ctm_wait w;
	size_t len = sizeof(w);

	return ctm_call(CTM_GPID_NODE(parent), CTM_CALL_FORK_WAIT, &c, sizeof(c), &w, &len,
			WAIT_SLICE_MS + CALL_MS);
}

int ctm_wait_child(struct ctm_wait *arg)
{
	struct ctm_process *p = ctm_process_of_task(current);
	bool hang = !(arg->flags & CTM_WAIT_NOHANG);
	struct ctm_wait out;
	int err;

	if (!p)
		return -ECHILD;
	do {
		err = take(p, arg->gpid, &out);
		if (err == -EAGAIN && hang)
			err = await(p->gpid, arg->gpid) ?: -EAGAIN;
		if (err == -EINTR || (err && signal_pending(current)))
			err = -ERESTARTSYS;
	} while (err == -EAGAIN && hang);
	ctm_process_put(p);
	if (err)
		return err;
	out.size = arg->size;
	out.flags = arg->flags;
	*arg = out;
	return 0;
}

int ctm_result(struct ctm_result *arg)
{
	struct ctm_process *p;

	if (arg->len > sizeof(arg->data) || arg->pad)
		return -EINVAL;
	p = ctm_process_of_task(current);
	if (!p)
		return -ESRCH;
	spin_lock(&p->lock);
	p->result_len = arg->len;
	memcpy(p->result, arg->data, arg->len);
	spin_unlock(&p->lock);
	ctm_process_put(p);
	return 0;
}

/* ---- life of the module ---- */

int ctm_fork_home_init(void)
{
	clean_wq = alloc_workqueue("ctm_family", WQ_UNBOUND, 1);
	if (!clean_wq)
		return -ENOMEM;
	ctm_process_on_end(on_end);
	ctm_call_handler(CTM_CALL_FORK_RESERVE, serve_reserve);
	ctm_call_handler(CTM_CALL_FORK_START, serve_start);
	ctm_call_handler(CTM_CALL_FORK_CLOSE, serve_close);
	ctm_call_handler(CTM_CALL_FORK_WAIT, serve_wait);
	ctm_call_handler(CTM_CALL_FORK_TAKE, serve_take);
	ctm_node_on_peer_change(on_peer_change);
	return 0;
}

/* ctm_node_on_peer_change() is taken back by process.c, with all others */
void ctm_fork_home_exit(void)
{
	ctm_call_handler(CTM_CALL_FORK_TAKE, NULL);
	ctm_call_handler(CTM_CALL_FORK_WAIT, NULL);
	ctm_call_handler(CTM_CALL_FORK_CLOSE, NULL);
	ctm_call_handler(CTM_CALL_FORK_START, NULL);
	ctm_call_handler(CTM_CALL_FORK_RESERVE, NULL);
	ctm_process_on_end(NULL);
	cancel_delayed_work_sync(&clean_work);
	destroy_workqueue(clean_wq);
}
