// SPDX-License-Identifier: GPL-2.0
/*
 * gossip.c - drives core/member: its time, its datagrams, its decisions
 *
 * The view is covered by view.lock.  States and loads that it decides are put into the table
 * of peers under that lock, so that they come there in the order in which they
 * were decided; what is sent and greeted is done after it.
 *
 * It is called from three sides: the work tick, when the view wants to be called; the thread
 * that receives datagrams; and whoever finishes a hello (ctm_gossip_met).  The first two
 * have a struct turn each, for what is to be done outside of the lock.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include "core/member.h"
#include "net/gossip.h"
#include "net/peers_priv.h"

/* After a change that all hear of, this much for each node before it is greeted. */
#define LEARN_SPREAD	(HZ / 8)

static void tick(struct work_struct *work);

struct turn {
	struct ctm_mb_actions out;
	u8 buf[CTM_MB_DGRAM_MAX];
};

/* One cluster a node: file scope. */
static struct {
	spinlock_t lock;
	struct ctm_mb *mb;		/* @lock; NULL: down */
	struct ctm_wire_card card;	/* @lock; the last one that was sent */
	struct ctm_mb_actions brief;	/* @lock; of calls that only change states */
	u64 wake;			/* @lock; when tick is to run */
	struct workqueue_struct *wq;
	struct delayed_work work;
	struct turn ticking;		/* of tick */
	struct turn receiving;		/* of the thread that receives */
} view = {
	.lock = __SPIN_LOCK_UNLOCKED(view.lock),
	.work = __DELAYED_WORK_INITIALIZER(view.work, tick, 0),
};

static_assert(CTM_MB_ALIVE == (int)CTM_PEER_ALIVE && CTM_MB_SUSPECT == (int)CTM_PEER_SUSPECT &&
	      CTM_MB_DEAD == (int)CTM_PEER_DEAD && CTM_MB_LEFT == (int)CTM_PEER_LEFT);
static_assert(CTM_MB_MAX >= CTM_PEERS_MAX);

/* holds view.lock */
static bool where(void *owner, u32 id, struct ctm_mb_addr *out)
{
	struct ctm_addr addr;

	/* what is gossiped of ourselves needs none: who hears it knows us, or greets the one who met us */
	if (!ctm_peer_where(id, &addr))
		return false;
	memcpy(out->addr, &addr.ip, sizeof(out->addr));
	out->port = addr.port;
	return true;
}

/* ---- what the view has decided ---- */

/* what concerns the table */
static void note(const struct ctm_mb_actions *out)
{
	bool changed = false;
	u32 i;

	lockdep_assert_held(&view.lock);
	for (i = 0; i < out->n; i++) {
		const struct ctm_mb_action *a = &out->a[i];

		if (a->type == CTM_MB_DO_STATE) {
			ctm_peer_set_state(a->id, (enum ctm_peer_state)a->state);
			changed = true;
		} else if (a->type == CTM_MB_DO_CARD) {
			ctm_peer_set_load(a->id, &ctm_mb_find(view.mb, a->id)->load);
		}
	}
	if (changed)
		ctm_peers_tell();
}

static void begin(struct ctm_mb_actions *out)
{
	out->n = 0;
	out->more = false;
}

static void send(const struct ctm_mb_action *a, u8 *buf)
{
	struct ctm_wire_card card;
	struct ctm_addr addr;
	size_t len = 0;

	ctm_peer_card(&card);
	spin_lock(&view.lock);
	if (view.mb) {
		if (memcmp(&card, &view.card, sizeof(card))) {
			view.card = card;
			ctm_mb_measured(view.mb);
		}
		len = ctm_mb_encode(view.mb, ktime_get_ns(), a, &card, buf);
	}
	spin_unlock(&view.lock);
	/* no keys: it has met us, but not we it, with this boot */
	if (len && ctm_dgram_send(a->id, CTM_DGRAM_MEMBER, buf, len) == -EHOSTUNREACH &&
	    ctm_peer_where(a->id, &addr))
		ctm_target_add(&addr, a->id, CTM_TARGET_WANTED, 0);
}

static void greet(const struct ctm_mb_action *a)
{
	struct ctm_addr addr;

	if (ctm_peer_where(a->id, &addr))
		ctm_target_add(&addr, a->id, CTM_TARGET_WANTED, 0);
}

/* others hear the same at the same time: each takes its time, so that not all come at once */
static void learn(const struct ctm_mb_action *a)
{
	struct ctm_addr addr = { .port = a->addr.port };
	enum ctm_peer_state state;
	struct ctm_addr known;

	memcpy(&addr.ip, a->addr.addr, sizeof(addr.ip));
	state = ctm_peer_where(a->id, &known);
	if (!a->id || a->id == ctm_node_id() || (!state && !ctm_addr_ok(&addr)))
		return;
	ctm_target_add(ctm_addr_ok(&addr) ? &addr : &known, a->id, state ? CTM_TARGET_WANTED : 0,
		       get_random_u32() % (ctm_peers_live() * LEARN_SPREAD + 1));
}

static void carry_out(struct turn *t)
{
	bool greets = false;
	u32 i;

	for (i = 0; i < t->out.n; i++) {
		switch (t->out.a[i].type) {
		case CTM_MB_DO_SEND:
			send(&t->out.a[i], t->buf);
			break;
		case CTM_MB_DO_GREET:
			greet(&t->out.a[i]);
			greets = true;
			break;
		case CTM_MB_DO_LEARN:
			learn(&t->out.a[i]);
			break;
		default:
			break;
		}
	}
	if (greets)
		ctm_targets_start();
}

/* ---- time ---- */

static void set_alarm(void)
{
	u64 now = ktime_get_ns(), next;

	lockdep_assert_held(&view.lock);
	next = min(ctm_mb_next(view.mb), now + 60 * CTM_MB_SEC);
	if (view.wake > now && view.wake <= next)
		return;
	view.wake = max(next, now + 1);
	mod_delayed_work(view.wq, &view.work,
			 msecs_to_jiffies(div_u64(view.wake - now, NSEC_PER_MSEC)) + 1);
}

static void tick(struct work_struct *work)
{
	struct turn *t = &view.ticking;

	do {
		begin(&t->out);
		spin_lock(&view.lock);
		if (view.mb) {
			ctm_mb_tick(view.mb, ktime_get_ns(), &t->out);
			note(&t->out);
			view.wake = 0;
			set_alarm();
		}
		spin_unlock(&view.lock);
		carry_out(t);
	} while (t->out.more);
}

/* ---- datagrams ---- */

static bool newer_card(const struct ctm_mb_actions *out, u32 from)
{
	u32 i;

	for (i = 0; i < out->n; i++)
		if (out->a[i].type == CTM_MB_DO_CARD && out->a[i].id == from)
			return true;
	return false;
}

static void received(u32 from, const void *buf, size_t len)
{
	struct turn *t = &view.receiving;
	int err = -ENOENT;

	begin(&t->out);
	spin_lock(&view.lock);
	if (view.mb) {
		err = ctm_mb_datagram(view.mb, ktime_get_ns(), from, buf, len, &t->out);
		note(&t->out);
		/* its own card says more than what is passed on of it */
		if (newer_card(&t->out, from))
			ctm_peer_set_card(from, &((const struct ctm_wire_mb *)buf)->card);
		set_alarm();
	}
	spin_unlock(&view.lock);
	if (err == -EINVAL)
		ctm_count(CTM_CNT_BAD_GOSSIP);
	carry_out(t);
}

/* ---- members ---- */

void ctm_gossip_lock(void) __acquires(ctm_gossip)
{
	spin_lock(&view.lock);
}

void ctm_gossip_unlock(void) __releases(ctm_gossip)
{
	spin_unlock(&view.lock);
}

int ctm_gossip_met(u32 id, u64 boot, bool news)
{
	int err;

	lockdep_assert_held(&view.lock);
	if (!view.mb)
		return 0;
	begin(&view.brief);
	err = ctm_mb_met(view.mb, ktime_get_ns(), id, boot, news, &view.brief);
	note(&view.brief);
	set_alarm();
	return err;
}

void ctm_gossip_forget(u32 id)
{
	lockdep_assert_held(&view.lock);
	if (view.mb)
		ctm_mb_forget(view.mb, id);
}

void ctm_gossip_left(u32 id)
{
	spin_lock(&view.lock);
	if (view.mb) {
		begin(&view.brief);
		ctm_mb_left(view.mb, ktime_get_ns(), id, &view.brief);
		note(&view.brief);
	}
	spin_unlock(&view.lock);
}

void ctm_gossip_farewell(const u32 *ids, unsigned int n)
{
	struct ctm_mb_action a = { .type = CTM_MB_DO_SEND, .kind = CTM_MB_PUSH };
	u8 *buf = kmalloc(CTM_MB_DGRAM_MAX, GFP_KERNEL);
	unsigned int i;

	for (i = 0; buf && i < n; i++) {
		a.id = ids[i];
		send(&a, buf);
	}
	kfree(buf);
}

void ctm_gossip_leave(void)
{
	spin_lock(&view.lock);
	if (view.mb) {
		begin(&view.brief);
		ctm_mb_leave(view.mb, ktime_get_ns(), &view.brief);
	}
	spin_unlock(&view.lock);
}

/* ---- up and down ---- */

/* The old view, which may be NULL, is gone afterwards. */
static void replace(struct ctm_mb *mb)
{
	struct ctm_mb *old;

	spin_lock(&view.lock);
	old = view.mb;
	view.mb = mb;
	view.wake = 0;
	if (mb)
		set_alarm();
	spin_unlock(&view.lock);
	kvfree(old);
}

int ctm_gossip_up(void)
{
	void *mem = kvmalloc(ctm_mb_size(CTM_PEERS_MAX), GFP_KERNEL);

	if (!mem)
		return -ENOMEM;
	replace(ctm_mb_init(mem, CTM_PEERS_MAX, &ctm_mb_default, ctm_node_id(), ctm_node_boot(),
			    get_random_u64(), ktime_get_ns(), where, NULL));
	return 0;
}

void ctm_gossip_down(void)
{
	replace(NULL);
	cancel_delayed_work_sync(&view.work);
}

int ctm_gossip_init(void)
{
	/* what others take for our death must not wait for those who compute */
	view.wq = alloc_ordered_workqueue("ctm_gossip", WQ_HIGHPRI);
	if (!view.wq)
		return -ENOMEM;
	ctm_dgram_handler(CTM_DGRAM_MEMBER, received);
	return 0;
}

void ctm_gossip_exit(void)
{
	ctm_dgram_handler(CTM_DGRAM_MEMBER, NULL);
	if (view.wq)
		destroy_workqueue(view.wq);
	view.wq = NULL;
}
