// SPDX-License-Identifier: GPL-2.0
/*
 * target.c - addresses where a peer might be, and meeting whoever is there
 *
 * Seeds stay until the node leaves; an address that was learned goes when its peer was met,
 * or after some vain tries.  A greeting is a hello and, where that may bring news, a look at
 * the peer's own table, whose unknown entries become targets.  This file also
 * answers that call.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/workqueue.h>
#include <net/ipv6.h>
#include "net/gossip.h"
#include "net/peers_priv.h"

#define TARGETS_MAX	8192u
#define GREET_MS	5000u
#define GREETS_MAX	8		/* at once */
#define RETRY_MIN	(2 * HZ)
#define RETRY_MAX	(20 * HZ)
#define RETRIES		10u		/* for what is neither seed nor peer */

/** struct target - an address to greet; targets.lock, but @work */
struct target {
	struct list_head list;
	struct work_struct work;
	struct ctm_addr addr;
	u32 id;			/* of the peer there; seeds: as far as known */
	bool seed;
	bool wanted;		/* greet it once, also if it is alive */
	bool self;		/* that is us: never again */
	bool busy;
	bool gone;		/* free it when it is not busy any more */
	unsigned long next;	/* jiffies */
	unsigned int fails;
	int last_err;
};

static void target_work(struct work_struct *work);

/* One cluster a node: file scope. */
static struct {
	spinlock_t lock;
	struct list_head list;
	unsigned int n;
} targets = {
	.lock = __SPIN_LOCK_UNLOCKED(targets.lock),
	.list = LIST_HEAD_INIT(targets.list),
};

static struct workqueue_struct *greet_wq;

static bool addr_equal(const struct ctm_addr *a, const struct ctm_addr *b)
{
	return a->port == b->port && ipv6_addr_equal(&a->ip, &b->ip);
}

static struct target *target_find(const struct ctm_addr *addr)
{
	struct target *t;

	list_for_each_entry(t, &targets.list, list)
		if (!t->gone && addr_equal(&t->addr, addr))
			return t;
	return NULL;
}

int ctm_target_add(const struct ctm_addr *addr, u32 id, unsigned int how, unsigned long delay)
{
	struct target *t, *fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	int err = 0;

	if (!fresh)
		return -ENOMEM;
	INIT_WORK(&fresh->work, target_work);
	fresh->addr = *addr;
	fresh->next = jiffies + delay;
	spin_lock(&targets.lock);
	t = target_find(addr);
	if (!t && targets.n < TARGETS_MAX) {
		t = fresh;
		fresh = NULL;
		list_add_tail(&t->list, &targets.list);
		targets.n++;
	}
	if (t) {
		t->seed |= !!(how & CTM_TARGET_SEED);
		t->wanted |= how & CTM_TARGET_WANTED && !t->busy;
		if (how && time_after(t->next, jiffies + delay))
			t->next = jiffies + delay;
		if (id)
			t->id = id;
	} else {
		err = -ENOSPC;
	}
	spin_unlock(&targets.lock);
	kfree(fresh);
	return err;
}

static void target_drop_locked(struct target *t)
{
	if (t->busy) {
		t->gone = true;
		return;
	}
	list_del(&t->list);
	targets.n--;
	kfree(t);
}

void ctm_targets_drop(const struct ctm_addr *only)
{
	struct target *t, *next;

	spin_lock(&targets.lock);
	list_for_each_entry_safe(t, next, &targets.list, list)
		if (!only || addr_equal(&t->addr, only))
			target_drop_locked(t);
	spin_unlock(&targets.lock);
}

/*
 * Is there anything to do for @t?  Otherwise it waits (seeds) or goes.  Peers that are dead
 * come back as wanted (core/member), one after the other.
 */
static bool target_due(struct target *t)
{
	enum ctm_peer_state state = ctm_peer_state(t->id);
	bool missing = t->seed && state != CTM_PEER_ALIVE && state != CTM_PEER_SUSPECT;

	if (t->busy || t->self)
		return false;
	if (!t->seed && !t->wanted && (state || t->fails > RETRIES)) {
		target_drop_locked(t);
		return false;
	}
	return (missing || t->wanted || !state) && time_after_eq(jiffies, t->next);
}

void ctm_targets_start(void)
{
	struct target *t, *next;

	spin_lock(&targets.lock);
	list_for_each_entry_safe(t, next, &targets.list, list) {
		if (!target_due(t))
			continue;
		t->busy = true;
		queue_work(greet_wq, &t->work);
	}
	spin_unlock(&targets.lock);
}

/* ---- greeting ---- */

bool ctm_addr_ok(const struct ctm_addr *addr)
{
	return addr->port && !ipv6_addr_any(&addr->ip) && !ipv6_addr_is_multicast(&addr->ip);
}

/* entries of a peer's table: enemy input, though the peer is authentic */
static void learn(const struct ctm_wire_peer *w)
{
	u32 id = le32_to_cpu(w->id);
	struct ctm_addr addr = { .port = le16_to_cpu(w->port) };
	enum ctm_peer_state state = ctm_peer_state(id);

	memcpy(&addr.ip, w->addr, sizeof(addr.ip));
	if (!id || id == ctm_node_id() || !ctm_addr_ok(&addr))
		return;
	/* unknown, or dead here while it is alive there: a partition heals */
	if (!state || state == CTM_PEER_DEAD)
		ctm_target_add(&addr, id, state ? CTM_TARGET_WANTED : 0, 0);
}

/* the table of the peer at the other end of @c, page by page */
static int fetch(struct ctm_conn *c)
{
	struct ctm_wire_peers_req req = { .op = cpu_to_le32(CTM_WIRE_PEERS_GET) };
	unsigned int pages = CTM_PEERS_MAX / CTM_WIRE_PEERS_MAX + 1;
	struct ctm_wire_peers *resp;
	size_t len;
	u32 i, n;
	int err;

	resp = kvmalloc(CTM_CALL_MAX, GFP_KERNEL);
	if (!resp)
		return -ENOMEM;
	do {
		len = CTM_CALL_MAX;
		err = ctm_call_on(c, CTM_CALL_PEERS, &req, sizeof(req), resp, &len, GREET_MS);
		if (err)
			break;
		err = -EBADMSG;
		if (len < sizeof(*resp))
			break;
		n = le32_to_cpu(resp->count);
		if (n > CTM_WIRE_PEERS_MAX || len != struct_size(resp, peer, n))
			break;
		for (i = 0; i < n; i++)
			learn(&resp->peer[i]);
		req.start = resp->next;
		err = 0;
	} while (req.start && --pages);
	kvfree(resp);
	return err;
}

int ctm_greet(const struct ctm_addr *addr, u32 want, bool table, u32 *id, char *why)
{
	struct ctm_conn *c = ctm_conn_greet(addr, want, CTM_CHANNEL_CALL, true, GREET_MS, why);
	int err;

	if (IS_ERR(c))
		return PTR_ERR(c);
	*id = ctm_conn_peer(c);
	err = table ? fetch(c) : 0;
	if (err) {
		snprintf(why, CTM_REASON_MAX, "the peer's table did not come (error %d)", -err);
		ctm_conn_close(c);
		return err;
	}
	ctm_conn_keep(c);
	return 0;
}

static void target_done(struct target *t, int err, u32 id)
{
	spin_lock(&targets.lock);
	t->busy = false;
	t->wanted = false;
	t->self = err == -ELOOP;
	t->last_err = err;
	t->fails = err ? t->fails + 1 : 0;
	if (id)
		t->id = id;
	t->next = jiffies + min_t(unsigned long, RETRY_MIN << min(t->fails, 8u), RETRY_MAX);
	if (t->gone) {
		list_del(&t->list);
		targets.n--;
		kfree(t);
	}
	spin_unlock(&targets.lock);
}

static void target_work(struct work_struct *work)
{
	struct target *t = container_of(work, struct target, work);
	char why[CTM_REASON_MAX], text[CTM_ADDR_TEXT];
	/* addr, seed, wanted and last_err change only by this work while it is busy */
	enum ctm_peer_state state = ctm_peer_state(t->id);
	/* what was learned from a table, or by gossip, came with all that is in that table */
	bool table = t->seed || !t->id || state == CTM_PEER_DEAD || state == CTM_PEER_LEFT;
	u32 id = 0;
	int err;

	err = ctm_greet(&t->addr, t->seed ? 0 : t->id, table, &id, why);
	/* that one of the dead does not answer is no news */
	if (err && err != t->last_err && err != -ELOOP && err != -ENETDOWN && !t->wanted) {
		ctm_addr_text(&t->addr, text);
		pr_info_ratelimited("continuum: %s: %s\n", text, why);
	}
	target_done(t, err, id);
}

unsigned int ctm_peer_seeds(struct ctm_addr *out, unsigned int max)
{
	struct target *t;
	unsigned int n = 0;

	spin_lock(&targets.lock);
	list_for_each_entry(t, &targets.list, list)
		if (t->seed && !t->gone && n < max)
			out[n++] = t->addr;
	spin_unlock(&targets.lock);
	return n;
}

/* ---- the call ---- */

static int by_id(const void *a, const void *b)
{
	u32 x = le32_to_cpu(((const struct ctm_wire_peer *)a)->id);
	u32 y = le32_to_cpu(((const struct ctm_wire_peer *)b)->id);

	return x < y ? -1 : x > y;
}

static int answer_get(u32 start, struct ctm_wire_peers *resp, size_t *len)
{
	struct ctm_wire_peer *all;
	unsigned int n, given;

	all = kvmalloc_array(CTM_PEERS_MAX, sizeof(*all), GFP_KERNEL);
	if (!all)
		return -ENOMEM;
	n = ctm_peers_list(all, CTM_PEERS_MAX, start);
	sort(all, n, sizeof(*all), by_id, NULL);
	given = min(n, CTM_WIRE_PEERS_MAX);
	resp->count = cpu_to_le32(given);
	resp->next = given < n ? all[given - 1].id : 0;
	memcpy(resp->peer, all, given * sizeof(*all));
	*len = struct_size(resp, peer, given);
	kvfree(all);
	return 0;
}

static int peers_call(u32 from, const void *buf, size_t len, void *resp, size_t *resp_len)
{
	const struct ctm_wire_peers_req *req = buf;

	BUILD_BUG_ON(sizeof(struct ctm_wire_peers) +
		     CTM_WIRE_PEERS_MAX * sizeof(struct ctm_wire_peer) > CTM_CALL_MAX);
	*resp_len = 0;
	if (len != sizeof(*req))
		return -EINVAL;
	switch (le32_to_cpu(req->op)) {
	case CTM_WIRE_PEERS_GET:
		return answer_get(le32_to_cpu(req->start), resp, resp_len);
	case CTM_WIRE_PEERS_LEAVE:
		ctm_gossip_left(from);
		return 0;
	}
	return -EOPNOTSUPP;
}

/* ---- init ---- */

void ctm_targets_flush(void)
{
	flush_workqueue(greet_wq);
}

int ctm_targets_init(void)
{
	greet_wq = alloc_workqueue("ctm_greet", WQ_UNBOUND, GREETS_MAX);
	if (!greet_wq)
		return -ENOMEM;
	ctm_call_handler(CTM_CALL_PEERS, peers_call);
	return 0;
}

void ctm_targets_exit(void)
{
	ctm_call_handler(CTM_CALL_PEERS, NULL);
	if (greet_wq)
		destroy_workqueue(greet_wq);
}
