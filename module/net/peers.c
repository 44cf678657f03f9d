// SPDX-License-Identifier: GPL-2.0
/*
 * peers.c - who is there: the table of peers, join and leave
 *
 * A struct peer is created when a hello with it was finished, and stays until the
 * node goes down or leaves, or the peer is forgotten.  table.lock (a leaf, taken
 * with interrupts off) covers the table; whoever works on a peer without the lock holds
 * a reference.  Who is alive is decided in core/member, see gossip.c, which has the
 * same members.
 *
 * Two works:
 *   beat    once a second: what this node tells of itself, targets that are due
 *   tell    compares what the others were told of each peer with what it is now:
 *           aborts connections, calls the callbacks.  A change that is undone
 *           before tell has run is never told
 */
#include <linux/hashtable.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include "abi.h"
#include "netlink.h"
#include "net/gossip.h"
#include "net/peers_priv.h"

#define BEAT		HZ
#define LOOK_BEATS	30u		/* every so many beats one peer's table is read again */
#define LEAVE_MS	2000u
#define WATCHERS_MAX	8u

/* One cluster a node: file scope. */
static struct {
	spinlock_t lock;
	DECLARE_HASHTABLE(hash, 10);
	struct list_head all;
	unsigned int n;
	bool up;
	bool alone;		/* we left: nobody may come in */
} table = {
	.lock = __SPIN_LOCK_UNLOCKED(table.lock),
	.all = LIST_HEAD_INIT(table.all),
};

static struct workqueue_struct *beat_wq, *tell_wq;
static void beat(struct work_struct *work);
static void tell(struct work_struct *work);
static DECLARE_DELAYED_WORK(beat_work, beat);
static DECLARE_WORK(tell_work, tell);
static unsigned int beats;

/* filled at module init */
static void (*watchers[WATCHERS_MAX])(u32 id, enum ctm_peer_state state, u64 boot);

/* ---- the table ---- */

static void peer_free(struct kref *ref)
{
	struct peer *p = container_of(ref, struct peer, ref);

	ctm_sessions_free(&p->sessions);
	kfree(p);
}

void ctm_peer_put(struct peer *p)
{
	kref_put(&p->ref, peer_free);
}

static struct peer *find_locked(u32 id)
{
	struct peer *p;

	lockdep_assert_held(&table.lock);
	hash_for_each_possible(table.hash, p, hash, id)
		if (p->id == id)
			return p;
	return NULL;
}

struct peer *ctm_peer_get(u32 id)
{
	unsigned long flags;
	struct peer *p;

	spin_lock_irqsave(&table.lock, flags);
	p = find_locked(id);
	if (p)
		kref_get(&p->ref);
	spin_unlock_irqrestore(&table.lock, flags);
	return p;
}

static bool present(const struct peer *p)
{
	return p->state == CTM_PEER_ALIVE || p->state == CTM_PEER_SUSPECT;
}

enum ctm_peer_state ctm_peer_where(u32 id, struct ctm_addr *addr)
{
	enum ctm_peer_state state = 0;
	unsigned long flags;
	struct peer *p;

	spin_lock_irqsave(&table.lock, flags);
	p = id ? find_locked(id) : NULL;
	if (p) {
		*addr = p->addr;
		state = p->state;
	}
	spin_unlock_irqrestore(&table.lock, flags);
	return state;
}

enum ctm_peer_state ctm_peer_state(u32 id)
{
	struct ctm_addr addr;

	return ctm_peer_where(id, &addr);
}

unsigned int ctm_peers_list(struct ctm_wire_peer *out, unsigned int max, u32 start)
{
	unsigned long flags;
	unsigned int n = 0;
	struct peer *p;

	spin_lock_irqsave(&table.lock, flags);
	list_for_each_entry(p, &table.all, all) {
		if (!present(p) || p->id <= start || n == max)
			continue;
		memset(&out[n], 0, sizeof(out[n]));
		memcpy(out[n].addr, &p->addr.ip, sizeof(out[n].addr));
		out[n].id = cpu_to_le32(p->id);
		out[n].port = cpu_to_le16(p->addr.port);
		n++;
	}
	spin_unlock_irqrestore(&table.lock, flags);
	return n;
}

static void remove_locked(struct peer *p)
{
	hash_del(&p->hash);
	list_del(&p->all);
	table.n--;
}

static void fill_info(const struct peer *p, struct ctm_peer_info *out)
{
	memset(out, 0, sizeof(*out));
	out->id = p->id;
	out->state = p->state;
	out->boot = p->boot;
	memcpy(out->name, p->card.name, sizeof(out->name));
	out->accepting = le32_to_cpu(p->card.flags) & CTM_WIRE_CARD_ACCEPTING;
	out->processes = le32_to_cpu(p->card.processes);
	out->free_mib = le32_to_cpu(p->card.free_mib);
	out->cpus = (le32_to_cpu(p->card.flags) & CTM_WIRE_CARD_CPUS) >> CTM_WIRE_CARD_CPUS_SHIFT;
	ctm_abi_from_wire(&out->abi, &p->card.abi);
}

static void fill_own(struct ctm_peer_info *out)
{
	struct ctm_node_config me;
	struct ctm_wire_card card;

	ctm_node_config(&me);
	ctm_peer_card(&card);
	memset(out, 0, sizeof(*out));
	out->id = me.id;
	out->state = CTM_PEER_ALIVE;
	out->boot = me.boot;
	memcpy(out->name, me.name, sizeof(out->name));
	out->accepting = me.accepting;
	out->processes = le32_to_cpu(card.processes);
	out->free_mib = le32_to_cpu(card.free_mib);
	out->cpus = num_online_cpus();
	out->abi = *ctm_abi_self();
}

int ctm_peer_by_id(u32 id, struct ctm_peer_info *out)
{
	unsigned long flags;
	struct peer *p;

	if (id && id == ctm_node_id()) {
		fill_own(out);
		return 0;
	}
	spin_lock_irqsave(&table.lock, flags);
	p = find_locked(id);
	if (p)
		fill_info(p, out);
	spin_unlock_irqrestore(&table.lock, flags);
	return p ? 0 : -ESRCH;
}

/* of two with one name (one of them dead or left), the live one */
static struct peer *by_name_locked(const char *name)
{
	struct peer *p, *found = NULL;

	list_for_each_entry(p, &table.all, all)
		if (!strcmp(p->card.name, name) && (!found || present(p)))
			found = p;
	return found;
}

int ctm_peer_by_name(const char *name, struct ctm_peer_info *out)
{
	unsigned long flags;
	struct peer *p;

	if (ctm_node_is_up() && !strcmp(name, ctm_node_name())) {
		fill_own(out);
		return 0;
	}
	spin_lock_irqsave(&table.lock, flags);
	p = by_name_locked(name);
	if (p)
		fill_info(p, out);
	spin_unlock_irqrestore(&table.lock, flags);
	return p ? 0 : -ESRCH;
}

void ctm_peer_name(u32 id, char buf[CTM_NAME_MAX])
{
	unsigned long flags;
	struct peer *p;

	if (id && id == ctm_node_id()) {
		strscpy(buf, ctm_node_name(), CTM_NAME_MAX);
		return;
	}
	spin_lock_irqsave(&table.lock, flags);
	p = find_locked(id);
	if (p)
		strscpy(buf, p->card.name, CTM_NAME_MAX);
	spin_unlock_irqrestore(&table.lock, flags);
	if (!p)
		snprintf(buf, CTM_NAME_MAX, "#%08x", id);
}

/* table.lock is held */
#define for_each_alive(p)						\
	list_for_each_entry(p, &table.all, all)				\
		if ((p)->state == CTM_PEER_ALIVE)

unsigned int ctm_peers(u32 *ids, unsigned int max)
{
	unsigned long flags;
	unsigned int n = 0;
	struct peer *p;

	spin_lock_irqsave(&table.lock, flags);
	for_each_alive(p)
		if (n < max)
			ids[n++] = p->id;
	spin_unlock_irqrestore(&table.lock, flags);
	return n;
}

static void member_put(struct ctm_member *m, u32 id, u64 boot)
{
	memset(m, 0, sizeof(*m));	/* two looks may be compared by memcmp() */
	m->id = id;
	m->boot = boot;
}

unsigned int ctm_members(struct ctm_member *out, unsigned int max)
{
	unsigned long flags;
	unsigned int n = 0;
	struct peer *p;

	if (max)
		member_put(&out[n++], ctm_node_id(), ctm_node_boot());
	spin_lock_irqsave(&table.lock, flags);
	list_for_each_entry(p, &table.all, all)
		if (n < max && present(p))
			member_put(&out[n++], p->id, p->boot);
	spin_unlock_irqrestore(&table.lock, flags);
	return n;
}

static bool among(u32 id, const u32 *ids, unsigned int n)
{
	while (n--)
		if (ids[n] == id)
			return true;
	return false;
}

unsigned int ctm_peers_random(u32 *ids, unsigned int n, const u32 *not, unsigned int nnot)
{
	unsigned int seen = 0, at;
	unsigned long flags;
	struct peer *p;

	/* each of those seen so far is among the @n with the same probability */
	spin_lock_irqsave(&table.lock, flags);
	for_each_alive(p) {
		if (among(p->id, not, nnot))
			continue;
		at = seen < n ? seen : get_random_u32() % (seen + 1);
		if (at < n)
			ids[at] = p->id;
		seen++;
	}
	spin_unlock_irqrestore(&table.lock, flags);
	return min(seen, n);
}

static void fill_load(const struct peer *p, struct ctm_peer_load *out)
{
	*out = (struct ctm_peer_load){
		.id = p->id, .boot = p->boot,
		.age_ms = jiffies_to_msecs(jiffies - READ_ONCE(p->heard)),
		.accepting = le32_to_cpu(p->card.flags) & CTM_WIRE_CARD_ACCEPTING,
		.flags = le32_to_cpu(p->card.flags),
		.processes = le32_to_cpu(p->card.processes),
		.free_mib = le32_to_cpu(p->card.free_mib),
		.load = le32_to_cpu(p->card.load),
		.pressure = le32_to_cpu(p->card.pressure),
		.cpu = le32_to_cpu(p->card.cpu),
		.mem = le32_to_cpu(p->card.mem),
		.runnable = le32_to_cpu(p->card.runnable),
	};
}

unsigned int ctm_peer_loads(struct ctm_peer_load *out, unsigned int max)
{
	unsigned long flags;
	unsigned int n = 0;
	struct peer *p;

	spin_lock_irqsave(&table.lock, flags);
	for_each_alive(p)
		if (n < max)
			fill_load(p, &out[n++]);
	spin_unlock_irqrestore(&table.lock, flags);
	return n;
}

unsigned int ctm_peers_live(void)
{
	unsigned long flags;
	unsigned int n = 1;
	struct peer *p;

	spin_lock_irqsave(&table.lock, flags);
	list_for_each_entry(p, &table.all, all)
		n += present(p);
	spin_unlock_irqrestore(&table.lock, flags);
	return n;
}

int ctm_peer_addr(u32 id, struct ctm_addr *addr)
{
	unsigned long flags;
	int err = -EHOSTUNREACH;
	struct peer *p;

	spin_lock_irqsave(&table.lock, flags);
	p = find_locked(id);
	if (p && present(p)) {
		*addr = p->addr;
		err = 0;
	}
	spin_unlock_irqrestore(&table.lock, flags);
	return err;
}

static void fill_row(const struct peer *p, struct ctm_peer_row *r)
{
	fill_info(p, &r->info);
	r->addr = p->addr;
	r->age_ms = jiffies_to_msecs(jiffies - READ_ONCE(p->heard));
	r->load = le32_to_cpu(p->card.load);
	r->pressure = le32_to_cpu(p->card.pressure);
	r->cpu = le32_to_cpu(p->card.cpu);
	r->mem = le32_to_cpu(p->card.mem);
	r->runnable = le32_to_cpu(p->card.runnable);
}

int ctm_peer_rows(struct ctm_peer_row **out)
{
	unsigned int max = READ_ONCE(table.n) + 16, n = 0;
	unsigned long flags;
	struct peer *p;

	*out = kvmalloc_array(max, sizeof(**out), GFP_KERNEL);
	if (!*out)
		return -ENOMEM;
	spin_lock_irqsave(&table.lock, flags);
	list_for_each_entry(p, &table.all, all)
		if (n < max)
			fill_row(p, &(*out)[n++]);
	spin_unlock_irqrestore(&table.lock, flags);
	return n;
}

/* ---- hello ---- */

static bool same_machine(const struct peer *p, const struct ctm_hello *h)
{
	return !memcmp(p->machine, h->machine, sizeof(p->machine));
}

/*
 * A known id with another machine id is a collision.  So are clones, which share
 * the machine id too: they show by another name while the first one is alive.  (A
 * node that was renamed and restarted within seconds must wait until it is missed.)
 */
static enum ctm_wire_status judge_locked(const struct ctm_hello *h)
{
	struct peer *p = find_locked(h->id), *other;

	if (p && !same_machine(p, h))
		return CTM_WIRE_SAME_ID;
	if (p && p->state == CTM_PEER_ALIVE && p->boot != h->boot &&
	    strcmp(p->card.name, h->card.name))
		return CTM_WIRE_SAME_ID;
	other = by_name_locked(h->card.name);
	if (other && other != p && present(other))
		return CTM_WIRE_SAME_NAME;
	return table.alone ? CTM_WIRE_LEFT : CTM_WIRE_OK;
}

enum ctm_wire_status ctm_peer_judge(const struct ctm_hello *h)
{
	struct ctm_node_config me;
	enum ctm_wire_status ret;
	unsigned long flags;

	ctm_node_config(&me);
	if (h->id == me.id)
		return h->boot == me.boot ? CTM_WIRE_SELF : CTM_WIRE_SAME_ID;
	if (!strcmp(h->card.name, me.name))
		return CTM_WIRE_SAME_NAME;
	spin_lock_irqsave(&table.lock, flags);
	ret = judge_locked(h);
	spin_unlock_irqrestore(&table.lock, flags);
	return ret;
}

static struct peer *peer_new(const struct ctm_hello *h)
{
	struct peer *p = kzalloc(sizeof(*p), GFP_KERNEL);

	if (!p)
		return NULL;
	kref_init(&p->ref);
	ctm_sessions_init(&p->sessions);
	p->id = h->id;
	memcpy(p->machine, h->machine, sizeof(p->machine));
	return p;
}

/* Enter @fresh or update the one that is there.  Returns it with a reference. */
static struct peer *enter(const struct ctm_hello *h, struct peer *fresh)
{
	struct peer *p = ERR_PTR(-ENETDOWN);
	unsigned long flags;

	spin_lock_irqsave(&table.lock, flags);
	if (!table.up || table.alone)
		goto out;
	p = find_locked(h->id);
	if (!p) {
		p = ERR_PTR(-ENOSPC);
		if (table.n >= CTM_PEERS_MAX)
			goto out;
		p = fresh;
		kref_get(&p->ref);
		hash_add(table.hash, &p->hash, p->id);
		list_add_tail(&p->all, &table.all);
		table.n++;
	}
	p->boot = h->boot;
	p->addr = h->addr;
	p->card = h->card;
	p->state = CTM_PEER_ALIVE;
	WRITE_ONCE(p->heard, jiffies);
	kref_get(&p->ref);
out:
	spin_unlock_irqrestore(&table.lock, flags);
	return p;
}

/* table and view have the same members */
static struct peer *meet(const struct ctm_hello *h, struct peer *fresh)
{
	struct peer *p;

	ctm_gossip_lock();
	p = enter(h, fresh);
	/* whom we went to is known there already */
	if (!IS_ERR(p))
		WARN_ON_ONCE(ctm_gossip_met(h->id, h->boot, !h->initiator));
	ctm_gossip_unlock();
	return p;
}

int ctm_peer_met(const struct ctm_hello *h)
{
	struct ctm_session *s = NULL;
	struct peer *fresh, *p;
	int err = -ENOMEM;

	fresh = peer_new(h);
	if (!fresh)
		return -ENOMEM;
	if (h->flags & CTM_WIRE_HELLO_SESSION) {
		s = ctm_session_new(h);
		if (!s)
			goto out;
	}
	p = meet(h, fresh);
	err = PTR_ERR_OR_ZERO(p);
	if (err)
		goto out;
	ctm_sessions_drop(&p->sessions, h->boot);
	if (s)
		ctm_session_add(&p->sessions, s, h->initiator);
	s = NULL;
	ctm_peer_put(p);
	queue_work(tell_wq, &tell_work);
out:
	kfree_sensitive(s);
	ctm_peer_put(fresh);
	return err;
}

/* ---- telling the others ---- */

void ctm_node_on_peer_change(void (*fn)(u32 id, enum ctm_peer_state state, u64 boot))
{
	unsigned int i;

	if (!fn)
		memset(watchers, 0, sizeof(watchers));
	for (i = 0; fn && i < WATCHERS_MAX; i++) {
		if (!watchers[i]) {
			watchers[i] = fn;
			return;
		}
	}
	WARN_ON(fn);
}

static void tell_watchers(u32 id, enum ctm_peer_state state, u64 boot)
{
	unsigned int i;

	for (i = 0; i < WATCHERS_MAX && watchers[i]; i++)
		watchers[i](id, state, boot);
}

struct change {
	u32 id;
	char name[CTM_NAME_MAX];
	enum ctm_peer_state from, to;
	u64 old_boot, boot;
};

static bool next_change(struct change *c)
{
	unsigned long flags;
	bool found = false;
	struct peer *p;

	spin_lock_irqsave(&table.lock, flags);
	list_for_each_entry(p, &table.all, all) {
		if (p->told_state == p->state && p->told_boot == p->boot)
			continue;
		*c = (struct change){
			.id = p->id, .from = p->told_state, .to = p->state,
			.old_boot = p->told_boot, .boot = p->boot,
		};
		memcpy(c->name, p->card.name, sizeof(c->name));
		p->told_state = p->state;
		p->told_boot = p->boot;
		found = true;
		break;
	}
	spin_unlock_irqrestore(&table.lock, flags);
	return found;
}

static void tell_one(const struct change *c)
{
	static const char * const words[] = {
		[CTM_PEER_ALIVE] = "is alive", [CTM_PEER_SUSPECT] = "does not answer",
		[CTM_PEER_DEAD] = "is dead", [CTM_PEER_LEFT] = "has left",
	};
	bool reboot = c->old_boot && c->old_boot != c->boot;
	bool was_there = c->from == CTM_PEER_ALIVE || c->from == CTM_PEER_SUSPECT;

	if (reboot) {
		ctm_conn_abort_peer(c->id, c->old_boot);
		if (was_there)
			tell_watchers(c->id, CTM_PEER_DEAD, c->old_boot);
	}
	if (c->to == CTM_PEER_DEAD || c->to == CTM_PEER_LEFT) {
		ctm_conn_abort_peer(c->id, c->boot);
		ctm_call_trim(false);
		tell_watchers(c->id, c->to, c->boot);
	} else if (c->to == CTM_PEER_ALIVE && (!was_there || reboot)) {
		tell_watchers(c->id, c->to, c->boot);
	}
	if (c->to != CTM_PEER_SUSPECT && !(c->to == CTM_PEER_ALIVE && c->from == CTM_PEER_SUSPECT))
		pr_info("continuum: node %s %s%s\n", c->name, words[c->to],
			reboot ? " (restarted)" : "");
	ctm_event_peer(c->id, c->name, c->to);
}

static void tell(struct work_struct *work)
{
	struct change c;

	while (next_change(&c))
		tell_one(&c);
}

/* ---- what the view decides ---- */

void ctm_peers_tell(void)
{
	queue_work(tell_wq, &tell_work);
}

void ctm_peer_set_state(u32 id, enum ctm_peer_state state)
{
	unsigned long flags;
	struct peer *p;

	spin_lock_irqsave(&table.lock, flags);
	p = find_locked(id);
	if (p)
		p->state = state;
	spin_unlock_irqrestore(&table.lock, flags);
}

void ctm_peer_set_card(u32 id, const struct ctm_wire_card *card)
{
	char name[CTM_WIRE_NAME];
	unsigned long flags;
	struct peer *p;

	spin_lock_irqsave(&table.lock, flags);
	p = find_locked(id);
	if (p) {
		/* the name is the one that the hello was judged by */
		memcpy(name, p->card.name, sizeof(name));
		p->card = *card;
		memcpy(p->card.name, name, sizeof(name));
	}
	spin_unlock_irqrestore(&table.lock, flags);
}

void ctm_peer_set_load(u32 id, const struct ctm_mb_load *load)
{
	unsigned long flags;
	struct peer *p;

	spin_lock_irqsave(&table.lock, flags);
	p = find_locked(id);
	if (p) {
		p->card.flags = cpu_to_le32(load->flags);
		p->card.processes = cpu_to_le32(load->processes);
		p->card.free_mib = cpu_to_le32(load->free_mib);
		p->card.load = cpu_to_le32(load->load);
		p->card.pressure = cpu_to_le32(load->pressure);
		p->card.cpu = cpu_to_le32(load->cpu * 10);
		p->card.mem = cpu_to_le32(load->mem * 10);
		p->card.runnable = cpu_to_le32(load->runnable * 10);
		WRITE_ONCE(p->heard, jiffies);
	}
	spin_unlock_irqrestore(&table.lock, flags);
}

/* ---- once a second ---- */

/* now and then read somebody's table again: it heals what a lost greeting left */
static void look_around(void)
{
	struct ctm_addr addr;
	u32 id;

	if (++beats % LOOK_BEATS == 0 && ctm_peers_random(&id, 1, NULL, 0) && !ctm_peer_addr(id, &addr))
		ctm_target_add(&addr, 0, CTM_TARGET_WANTED, 0);
}

static void beat(struct work_struct *work)
{
	ctm_node_refresh();
	look_around();
	ctm_targets_start();
	ctm_call_trim(false);
	queue_delayed_work(beat_wq, &beat_work, BEAT);
}

/* ---- join, leave ---- */

static void set_alone(bool alone)
{
	unsigned long flags;

	spin_lock_irqsave(&table.lock, flags);
	table.alone = alone;
	spin_unlock_irqrestore(&table.lock, flags);
}

/* errors that no retry heals */
static bool hopeless(int err)
{
	return err == -EEXIST || err == -EREMCHG || err == -EPROTO || err == -EKEYREJECTED ||
	       err == -EAFNOSUPPORT;
}

int ctm_peers_join(const struct ctm_addr *addr, bool wait, char *why)
{
	char cause[CTM_REASON_MAX], text[CTM_ADDR_TEXT];
	u32 id = 0;
	int err;

	set_alone(false);
	err = ctm_target_add(addr, 0, CTM_TARGET_SEED, 0);
	if (err) {
		snprintf(why, CTM_REASON_MAX, "too many seeds (or no memory)");
		return err;
	}
	if (wait) {
		err = ctm_greet(addr, 0, true, &id, cause);
		if (err == -ELOOP)
			err = 0;
		if (hopeless(err))
			ctm_targets_drop(addr);
		ctm_addr_text(addr, text);
		scnprintf(why, CTM_REASON_MAX, "%s: %.190s", text, cause);
	}
	mod_delayed_work(beat_wq, &beat_work, 0);
	return err;
}

/* by call where that is quick, by datagram for all */
static void say_goodbye(void)
{
	struct ctm_wire_peers_req req = { .op = cpu_to_le32(CTM_WIRE_PEERS_LEAVE) };
	unsigned long deadline = jiffies + 2 * msecs_to_jiffies(LEAVE_MS);
	unsigned int n, i;
	u32 *ids;

	ctm_gossip_leave();
	ids = kvmalloc_array(CTM_PEERS_MAX, sizeof(*ids), GFP_KERNEL);
	if (!ids)
		return;
	n = ctm_peers(ids, CTM_PEERS_MAX);
	ctm_gossip_farewell(ids, n);
	for (i = 0; i < n && time_before(jiffies, deadline); i++)
		ctm_call(ids[i], CTM_CALL_PEERS, &req, sizeof(req), NULL, NULL, LEAVE_MS);
	ctm_gossip_farewell(ids, n);
	kvfree(ids);
}

static void all_left(void)
{
	unsigned long flags;
	struct peer *p;

	spin_lock_irqsave(&table.lock, flags);
	list_for_each_entry(p, &table.all, all)
		p->state = CTM_PEER_LEFT;
	spin_unlock_irqrestore(&table.lock, flags);
	queue_work(tell_wq, &tell_work);
	flush_work(&tell_work);
}

/* The view is thrown away as a whole. */
static void drop_left(void)
{
	struct peer *p, *next;
	unsigned long flags;
	LIST_HEAD(old);

	spin_lock_irqsave(&table.lock, flags);
	list_for_each_entry_safe(p, next, &table.all, all) {
		if (p->state != CTM_PEER_LEFT)
			continue;
		remove_locked(p);
		list_add(&p->all, &old);
	}
	spin_unlock_irqrestore(&table.lock, flags);
	list_for_each_entry_safe(p, next, &old, all)
		ctm_peer_put(p);
}

void ctm_peers_leave(void)
{
	/* nobody enters any more; and nobody is greeted, who would see us come after our good-bye */
	set_alone(true);
	ctm_targets_drop(NULL);
	ctm_conn_abort_greetings();
	ctm_targets_flush();
	ctm_conn_abort_streams();	/* they end anyway, and stand in the way */
	say_goodbye();
	all_left();
	drop_left();
	/* for those who come later, when we join again */
	if (ctm_gossip_up())
		pr_warn("continuum: no memory for a view of the cluster: continuumctl down, then up\n");
}

int ctm_peer_forget(u32 id)
{
	unsigned long flags;
	struct peer *p;
	int err = -ENOENT;

	ctm_gossip_lock();
	spin_lock_irqsave(&table.lock, flags);
	p = find_locked(id);
	if (p) {
		err = present(p) ? -EBUSY : 0;
		if (!err) {
			remove_locked(p);
			ctm_gossip_forget(id);
		}
	}
	spin_unlock_irqrestore(&table.lock, flags);
	ctm_gossip_unlock();
	if (!err)
		ctm_peer_put(p);
	return err;
}

/* ---- up and down ---- */

static void set_up(bool up)
{
	unsigned long flags;

	spin_lock_irqsave(&table.lock, flags);
	table.up = up;
	table.alone = false;
	spin_unlock_irqrestore(&table.lock, flags);
}

int ctm_peers_up(void)
{
	int err = ctm_gossip_up();

	if (err)
		return err;
	set_up(true);
	mod_delayed_work(beat_wq, &beat_work, 0);
	return 0;
}

/* After this no work of ours is pending, and the table is empty. */
void ctm_peers_down(void)
{
	set_up(false);
	cancel_delayed_work_sync(&beat_work);
	ctm_gossip_down();
	ctm_targets_drop(NULL);
	ctm_targets_flush();
	all_left();
	drop_left();
	ctm_call_trim(true);
}

int ctm_peers_init(void)
{
	hash_init(table.hash);
	beat_wq = alloc_ordered_workqueue("ctm_beat", 0);
	tell_wq = alloc_ordered_workqueue("ctm_tell", 0);
	if (!beat_wq || !tell_wq || ctm_targets_init() || ctm_gossip_init()) {
		ctm_peers_exit();
		return -ENOMEM;
	}
	return 0;
}

void ctm_peers_exit(void)
{
	ctm_gossip_exit();
	ctm_targets_exit();
	if (beat_wq)
		destroy_workqueue(beat_wq);
	if (tell_wq)
		destroy_workqueue(tell_wq);
}
