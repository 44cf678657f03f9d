// SPDX-License-Identifier: GPL-2.0
/*
 * peers.c - who is there: the table of peers, heartbeats, join and leave
 *
 * A struct peer is created when a hello with it was finished, and stays until the
 * node goes down or leaves, or the peer is forgotten.  table.lock (a leaf, taken
 * with interrupts off, also under targets.lock) covers the table and all fields
 * without a note; whoever works on a peer without the lock holds a reference.
 *
 * Three works:
 *   beat    once a second: heartbeats out, states by age, targets that are due
 *   greet   one for each target (an address where a peer might be): hello, and the
 *           peer's own table, whose unknown entries become targets
 *   tell    compares what the others were told of each peer with what it is now:
 *           aborts connections, calls the callbacks.  A change that is undone
 *           before tell has run is never told
 *
 * Sessions: a hello with CTM_WIRE_HELLO_SESSION gives keys for datagrams, both
 * ways.  The one who asked uses them at once; the one who answered uses them when
 * the first datagram under them has come, because the WELCOME may have been lost.
 * A few older ones stay valid for what is under way.
 */
#include <crypto/algapi.h>
#include <linux/hashtable.h>
#include <linux/jiffies.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/ipv6.h>
#include "abi.h"
#include "core/replay.h"
#include "netlink.h"
#include "net/peers.h"

#define PEERS_MAX	4096u
#define TARGETS_MAX	8192u
#define BEAT		HZ
#define SUSPECT_AFTER	(3 * HZ)
#define DEAD_AFTER	(8 * HZ)
#define GREET_MS	5000u
#define GREETS_MAX	8		/* at once */
#define RETRY_MIN	(2 * HZ)
#define RETRY_MAX	(20 * HZ)
#define RETRIES		10u		/* for what is neither seed nor peer */
#define GOSSIP_BEATS	30u		/* every so many beats one peer's table is read again */
#define LEAVE_MS	2000u
#define SESSIONS	4u
#define WATCHERS_MAX	8u

/** struct session - datagram keys with one boot of one peer; peer.session_lock */
struct session {
	u64 id;
	u64 boot;
	u64 age;			/* the larger the newer */
	u64 counter;			/* last one sent */
	struct ctm_key tx, rx;
	struct ctm_replay seen;
};

struct peer {
	struct hlist_node hash;
	struct list_head all;
	struct kref ref;
	u32 id;				/* constant */
	u8 machine[CTM_WIRE_MACHINE];	/* constant */

	u64 boot;
	enum ctm_peer_state state;
	struct ctm_addr addr;
	struct ctm_wire_card card;
	unsigned long heard;		/* jiffies; without lock */

	enum ctm_peer_state told_state;	/* by tell; 0: nothing yet */
	u64 told_boot;

	spinlock_t session_lock;	/* the rest */
	struct session *sessions[SESSIONS];
	struct session *tx;
	u64 session_age;
};

/** struct target - an address to greet; targets.lock, but @work */
struct target {
	struct list_head list;
	struct work_struct work;
	struct ctm_addr addr;
	u32 id;			/* of the peer there; seeds: as far as known */
	bool seed;
	bool self;		/* that is us: never again */
	bool busy;
	bool gone;		/* free it when it is not busy any more */
	unsigned long next;	/* jiffies */
	unsigned int fails;
	int last_err;
};

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

static struct {
	spinlock_t lock;
	struct list_head list;
	unsigned int n;
} targets = {
	.lock = __SPIN_LOCK_UNLOCKED(targets.lock),
	.list = LIST_HEAD_INIT(targets.list),
};

static struct workqueue_struct *beat_wq, *greet_wq, *tell_wq;
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
	unsigned int i;

	for (i = 0; i < SESSIONS; i++)
		kfree_sensitive(p->sessions[i]);
	kfree(p);
}

static void peer_put(struct peer *p)
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

static struct peer *peer_get(u32 id)
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

unsigned int ctm_peers(u32 *ids, unsigned int max)
{
	unsigned long flags;
	unsigned int n = 0;
	struct peer *p;

	spin_lock_irqsave(&table.lock, flags);
	list_for_each_entry(p, &table.all, all)
		if (n < max && p->state == CTM_PEER_ALIVE)
			ids[n++] = p->id;
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

/* ---- sessions ---- */

static struct session *session_new(const struct ctm_hello *h)
{
	struct session *s = kzalloc(sizeof(*s), GFP_KERNEL);
	struct ctm_key id, out, in;

	if (!s)
		return NULL;
	ctm_key_derive(&h->root, CTM_LABEL_SESSION, &id);
	ctm_key_derive(&h->root, CTM_LABEL_DGRAM_OUT, &out);
	ctm_key_derive(&h->root, CTM_LABEL_DGRAM_IN, &in);
	memcpy(&s->id, id.k, sizeof(s->id));
	s->boot = h->boot;
	s->tx = h->initiator ? out : in;
	s->rx = h->initiator ? in : out;
	ctm_replay_init(&s->seen);
	memzero_explicit(&out, sizeof(out));
	memzero_explicit(&in, sizeof(in));
	return s;
}

/* the place of the oldest, but never of the one we send with */
static unsigned int session_slot(const struct peer *p)
{
	unsigned int i, oldest = SESSIONS;

	for (i = 0; i < SESSIONS; i++) {
		if (!p->sessions[i])
			return i;
		if (p->sessions[i] != p->tx &&
		    (oldest == SESSIONS || p->sessions[i]->age < p->sessions[oldest]->age))
			oldest = i;
	}
	return oldest;
}

static void session_add(struct peer *p, struct session *s, bool use)
{
	struct session *old;
	unsigned int slot;

	spin_lock(&p->session_lock);
	slot = session_slot(p);
	old = p->sessions[slot];
	s->age = ++p->session_age;
	p->sessions[slot] = s;
	if (use || !p->tx)
		p->tx = s;
	spin_unlock(&p->session_lock);
	kfree_sensitive(old);
}

/* the peer has another boot now: what it knew is lost */
static void sessions_drop(struct peer *p, u64 boot)
{
	struct session *drop[SESSIONS] = { };
	unsigned int i;

	spin_lock(&p->session_lock);
	for (i = 0; i < SESSIONS; i++) {
		if (!p->sessions[i] || p->sessions[i]->boot == boot)
			continue;
		drop[i] = p->sessions[i];
		p->sessions[i] = NULL;
		if (p->tx == drop[i])
			p->tx = NULL;
	}
	spin_unlock(&p->session_lock);
	for (i = 0; i < SESSIONS; i++)
		kfree_sensitive(drop[i]);
}

static void dgram_tag(u8 tag[CTM_WIRE_DGRAM_TAG], const struct ctm_key *key,
		      const struct ctm_wire_dgram *d, const void *payload, size_t len)
{
	ctm_mac(tag, CTM_WIRE_DGRAM_TAG, key, "datagram",
		d, offsetof(struct ctm_wire_dgram, tag), payload, len);
}

int ctm_session_sign(u32 id, struct ctm_wire_dgram *d, const void *payload, size_t len,
		     struct ctm_addr *addr)
{
	struct peer *p = peer_get(id);
	int err = -EHOSTUNREACH;
	unsigned long flags;
	struct ctm_key key;

	if (!p)
		return err;
	spin_lock_irqsave(&table.lock, flags);
	*addr = p->addr;
	spin_unlock_irqrestore(&table.lock, flags);
	spin_lock(&p->session_lock);
	if (p->tx) {
		d->session = (__force __le64)p->tx->id;
		d->counter = cpu_to_le64(++p->tx->counter);
		key = p->tx->tx;
		err = 0;
	}
	spin_unlock(&p->session_lock);
	peer_put(p);
	if (!err)
		dgram_tag(d->tag, &key, d, payload, len);
	memzero_explicit(&key, sizeof(key));
	return err;
}

static struct session *session_find(struct peer *p, const struct ctm_wire_dgram *d)
{
	unsigned int i;

	for (i = 0; i < SESSIONS; i++)
		if (p->sessions[i] && p->sessions[i]->id == (__force u64)d->session &&
		    p->sessions[i]->boot == le64_to_cpu(d->boot))
			return p->sessions[i];
	return NULL;
}

static int session_check_locked(struct peer *p, const struct ctm_wire_dgram *d,
				const void *payload, size_t len)
{
	struct session *s = session_find(p, d);
	u8 tag[CTM_WIRE_DGRAM_TAG];

	if (!s)
		return -ENOKEY;
	dgram_tag(tag, &s->rx, d, payload, len);
	if (crypto_memneq(tag, d->tag, sizeof(tag)))
		return -EBADMSG;
	if (!ctm_replay_accept(&s->seen, le64_to_cpu(d->counter)))
		return -EEXIST;
	/* the peer has these keys for certain */
	if (!p->tx || s->age > p->tx->age)
		p->tx = s;
	return 0;
}

int ctm_session_check(const struct ctm_wire_dgram *d, const void *payload, size_t len)
{
	struct peer *p = peer_get(le32_to_cpu(d->from));
	int err;

	if (!p)
		return -ENOKEY;
	spin_lock(&p->session_lock);
	err = session_check_locked(p, d, payload, len);
	spin_unlock(&p->session_lock);
	if (!err)
		WRITE_ONCE(p->heard, jiffies);
	peer_put(p);
	return err;
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
	spin_lock_init(&p->session_lock);
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
		if (table.n >= PEERS_MAX)
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

int ctm_peer_met(const struct ctm_hello *h)
{
	struct session *s = NULL;
	struct peer *fresh, *p;
	int err = -ENOMEM;

	fresh = peer_new(h);
	if (!fresh)
		return -ENOMEM;
	if (h->flags & CTM_WIRE_HELLO_SESSION) {
		s = session_new(h);
		if (!s)
			goto out;
	}
	p = enter(h, fresh);
	err = PTR_ERR_OR_ZERO(p);
	if (err)
		goto out;
	sessions_drop(p, h->boot);
	if (s)
		session_add(p, s, h->initiator);
	s = NULL;
	peer_put(p);
	queue_work(tell_wq, &tell_work);
out:
	kfree_sensitive(s);
	peer_put(fresh);
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

/* ---- heartbeats ---- */

static void heartbeat(u32 from, const void *buf, size_t len)
{
	const struct ctm_wire_card *card = buf;
	char name[CTM_WIRE_NAME];
	unsigned long flags;
	struct peer *p;

	if (len != sizeof(*card) || !ctm_wire_name_ok(card->name, sizeof(card->name)))
		return;
	spin_lock_irqsave(&table.lock, flags);
	p = find_locked(from);
	if (p && p->state != CTM_PEER_LEFT) {
		/* the name is the one that the hello was judged by */
		memcpy(name, p->card.name, sizeof(name));
		p->card = *card;
		memcpy(p->card.name, name, sizeof(name));
		if (le32_to_cpu(card->flags) & CTM_WIRE_CARD_LEAVING)
			p->state = CTM_PEER_LEFT;
	}
	spin_unlock_irqrestore(&table.lock, flags);
}

/* States by age.  Returns ids to send to, at most @max. */
static unsigned int look_around(u32 *ids, unsigned int max, bool *changed)
{
	unsigned long flags, age;
	enum ctm_peer_state state;
	unsigned int n = 0;
	struct peer *p;

	spin_lock_irqsave(&table.lock, flags);
	list_for_each_entry(p, &table.all, all) {
		if (p->state != CTM_PEER_LEFT) {
			age = jiffies - READ_ONCE(p->heard);
			state = age >= DEAD_AFTER ? CTM_PEER_DEAD :
				age >= SUSPECT_AFTER ? CTM_PEER_SUSPECT : CTM_PEER_ALIVE;
			/* a suspect is dead or alive, the dead do not become suspects */
			if (!(p->state == CTM_PEER_DEAD && state == CTM_PEER_SUSPECT))
				p->state = state;
			if (n < max)
				ids[n++] = p->id;
		}
		*changed |= p->state != p->told_state || p->boot != p->told_boot;
	}
	spin_unlock_irqrestore(&table.lock, flags);
	return n;
}

static void send_heartbeats(const u32 *ids, unsigned int n, u32 flags)
{
	struct ctm_wire_card card;
	unsigned int i;

	ctm_peer_card(&card);
	card.flags |= cpu_to_le32(flags);
	for (i = 0; i < n; i++)
		ctm_dgram_send(ids[i], CTM_DGRAM_HEARTBEAT, &card, sizeof(card));
}

/* ---- targets ---- */

static void target_work(struct work_struct *work);

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

/* Add @addr; it may be there.  0, -ENOMEM, -ENOSPC */
static int target_add(const struct ctm_addr *addr, u32 id, bool seed)
{
	struct target *t, *fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	int err = 0;

	if (!fresh)
		return -ENOMEM;
	INIT_WORK(&fresh->work, target_work);
	fresh->addr = *addr;
	fresh->next = jiffies;
	spin_lock(&targets.lock);
	t = target_find(addr);
	if (!t && targets.n < TARGETS_MAX) {
		t = fresh;
		fresh = NULL;
		list_add_tail(&t->list, &targets.list);
		targets.n++;
	}
	if (t) {
		t->seed |= seed;
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

static void targets_drop(const struct ctm_addr *only)
{
	struct target *t, *next;

	spin_lock(&targets.lock);
	list_for_each_entry_safe(t, next, &targets.list, list)
		if (!only || addr_equal(&t->addr, only))
			target_drop_locked(t);
	spin_unlock(&targets.lock);
}

static int peer_state(u32 id)
{
	unsigned long flags;
	struct peer *p;
	int state;

	spin_lock_irqsave(&table.lock, flags);
	p = id ? find_locked(id) : NULL;
	state = p ? p->state : 0;
	spin_unlock_irqrestore(&table.lock, flags);
	return state;
}

/* is there anything to do for @t?  Otherwise it waits (seeds) or goes */
static bool target_due(struct target *t)
{
	int state = peer_state(t->id);

	if (t->busy || t->self)
		return false;
	if (state == CTM_PEER_ALIVE || (state == CTM_PEER_LEFT && !t->seed) ||
	    (!state && !t->seed && t->fails > RETRIES)) {
		if (!t->seed)
			target_drop_locked(t);
		return false;
	}
	return time_after_eq(jiffies, t->next);
}

static void targets_start(void)
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

/* peers that do not answer are greeted again, as long as they are in the table */
static void targets_for_missing(const u32 *ids, unsigned int n)
{
	struct ctm_addr addr;
	unsigned long flags;
	unsigned int i;
	struct peer *p;
	bool missing;

	for (i = 0; i < n; i++) {
		spin_lock_irqsave(&table.lock, flags);
		p = find_locked(ids[i]);
		missing = p && (p->state == CTM_PEER_SUSPECT || p->state == CTM_PEER_DEAD);
		if (missing)
			addr = p->addr;
		spin_unlock_irqrestore(&table.lock, flags);
		if (missing)
			target_add(&addr, ids[i], false);
	}
}

/* ---- greeting ---- */

/* entries of a peer's table: enemy input, though the peer is authentic */
static void learn(const struct ctm_wire_peer *w)
{
	u32 id = le32_to_cpu(w->id);
	struct ctm_addr addr = { .port = le16_to_cpu(w->port) };

	memcpy(&addr.ip, w->addr, sizeof(addr.ip));
	if (!id || id == ctm_node_id() || !addr.port || ipv6_addr_any(&addr.ip))
		return;
	if (!peer_state(id))
		target_add(&addr, id, false);
}

/* the table of the peer at the other end of @c, page by page */
static int fetch(struct ctm_conn *c)
{
	struct ctm_wire_peers_req req = { .op = cpu_to_le32(CTM_WIRE_PEERS_GET) };
	unsigned int pages = PEERS_MAX / CTM_WIRE_PEERS_MAX + 1;
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

/* Meet whoever lives at @addr, and those it knows.  @id: out */
static int greet(const struct ctm_addr *addr, u32 want, u32 *id, char *why)
{
	struct ctm_conn *c = ctm_conn_greet(addr, want, CTM_CHANNEL_CALL, true, GREET_MS, why);
	int err;

	if (IS_ERR(c))
		return PTR_ERR(c);
	*id = ctm_conn_peer(c);
	err = fetch(c);
	if (err) {
		snprintf(why, CTM_REASON_MAX, "the peer's table did not come (error %d)", -err);
		ctm_conn_close(c);
		return err;
	}
	ctm_call_keep(c);
	return 0;
}

static void target_done(struct target *t, int err, u32 id)
{
	spin_lock(&targets.lock);
	t->busy = false;
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
	u32 id = 0;
	int err;

	/* addr, seed and last_err change only by this work while it is busy */
	err = greet(&t->addr, t->seed ? 0 : t->id, &id, why);
	if (err && err != t->last_err && err != -ELOOP && err != -ENETDOWN) {
		ctm_addr_text(&t->addr, text);
		pr_info_ratelimited("continuum: %s: %s\n", text, why);
	}
	target_done(t, err, id);
}

/* ---- the call ---- */

static int by_id(const void *a, const void *b)
{
	u32 x = le32_to_cpu(((const struct ctm_wire_peer *)a)->id);
	u32 y = le32_to_cpu(((const struct ctm_wire_peer *)b)->id);

	return x < y ? -1 : x > y;
}

/* peers that are present, behind @start, unsorted */
static unsigned int collect(struct ctm_wire_peer *out, unsigned int max, u32 start)
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

static int answer_get(u32 start, struct ctm_wire_peers *resp, size_t *len)
{
	struct ctm_wire_peer *all;
	unsigned int n, given;

	all = kvmalloc_array(PEERS_MAX, sizeof(*all), GFP_KERNEL);
	if (!all)
		return -ENOMEM;
	n = collect(all, PEERS_MAX, start);
	sort(all, n, sizeof(*all), by_id, NULL);
	given = min(n, CTM_WIRE_PEERS_MAX);
	resp->count = cpu_to_le32(given);
	resp->next = given < n ? all[given - 1].id : 0;
	memcpy(resp->peer, all, given * sizeof(*all));
	*len = struct_size(resp, peer, given);
	kvfree(all);
	return 0;
}

static void answer_leave(u32 from)
{
	unsigned long flags;
	struct peer *p;

	spin_lock_irqsave(&table.lock, flags);
	p = find_locked(from);
	if (p)
		p->state = CTM_PEER_LEFT;
	spin_unlock_irqrestore(&table.lock, flags);
	queue_work(tell_wq, &tell_work);
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
		answer_leave(from);
		return 0;
	}
	return -EOPNOTSUPP;
}

/* ---- once a second ---- */

/* now and then read somebody's table again: it heals what a lost greeting left */
static void gossip(const u32 *ids, unsigned int n)
{
	struct ctm_addr addr;
	u32 id;

	if (!n || ++beats % GOSSIP_BEATS)
		return;
	id = ids[get_random_u32() % n];
	if (ctm_peer_addr(id, &addr) == 0)
		target_add(&addr, 0, false);
}

static void beat(struct work_struct *work)
{
	unsigned int max = READ_ONCE(table.n) + 16, n;
	bool changed = false;
	u32 *ids;

	ctm_node_refresh();
	ids = kvmalloc_array(max, sizeof(*ids), GFP_KERNEL);
	if (ids) {
		n = look_around(ids, max, &changed);
		if (changed)
			queue_work(tell_wq, &tell_work);
		send_heartbeats(ids, n, 0);
		targets_for_missing(ids, n);
		gossip(ids, n);
		kvfree(ids);
	}
	targets_start();
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
	err = target_add(addr, 0, true);
	if (err) {
		snprintf(why, CTM_REASON_MAX, "too many seeds (or no memory)");
		return err;
	}
	if (wait) {
		err = greet(addr, 0, &id, cause);
		if (err == -ELOOP)
			err = 0;
		if (hopeless(err))
			targets_drop(addr);
		ctm_addr_text(addr, text);
		scnprintf(why, CTM_REASON_MAX, "%s: %.190s", text, cause);
	}
	mod_delayed_work(beat_wq, &beat_work, 0);
	return err;
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

/* by call where that is quick, by datagram for all */
static void say_goodbye(void)
{
	struct ctm_wire_peers_req req = { .op = cpu_to_le32(CTM_WIRE_PEERS_LEAVE) };
	unsigned long deadline = jiffies + 2 * msecs_to_jiffies(LEAVE_MS);
	unsigned int n, i;
	u32 *ids;

	ids = kvmalloc_array(PEERS_MAX, sizeof(*ids), GFP_KERNEL);
	if (!ids)
		return;
	n = ctm_peers(ids, PEERS_MAX);
	send_heartbeats(ids, n, CTM_WIRE_CARD_LEAVING);
	for (i = 0; i < n && time_before(jiffies, deadline); i++)
		ctm_call(ids[i], CTM_CALL_PEERS, &req, sizeof(req), NULL, NULL, LEAVE_MS);
	send_heartbeats(ids, n, CTM_WIRE_CARD_LEAVING);
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
		peer_put(p);
}

void ctm_peers_leave(void)
{
	/* a greeting under way ends by itself, and enters nobody any more */
	set_alone(true);
	targets_drop(NULL);
	ctm_conn_abort_streams();	/* they end anyway, and stand in the way */
	say_goodbye();
	all_left();
	drop_left();
}

int ctm_peer_forget(u32 id)
{
	unsigned long flags;
	struct peer *p;
	int err = -ENOENT;

	spin_lock_irqsave(&table.lock, flags);
	p = find_locked(id);
	if (p) {
		err = present(p) ? -EBUSY : 0;
		if (!err)
			remove_locked(p);
	}
	spin_unlock_irqrestore(&table.lock, flags);
	if (!err)
		peer_put(p);
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
	set_up(true);
	mod_delayed_work(beat_wq, &beat_work, 0);
	return 0;
}

/* After this no work of ours is pending, and the table is empty. */
void ctm_peers_down(void)
{
	set_up(false);
	cancel_delayed_work_sync(&beat_work);
	targets_drop(NULL);
	flush_workqueue(greet_wq);
	all_left();
	drop_left();
	ctm_call_trim(true);
}

int ctm_peers_init(void)
{
	hash_init(table.hash);
	beat_wq = alloc_ordered_workqueue("ctm_beat", 0);
	greet_wq = alloc_workqueue("ctm_greet", WQ_UNBOUND, GREETS_MAX);
	tell_wq = alloc_ordered_workqueue("ctm_tell", 0);
	if (!beat_wq || !greet_wq || !tell_wq) {
		ctm_peers_exit();
		return -ENOMEM;
	}
	ctm_dgram_handler(CTM_DGRAM_HEARTBEAT, heartbeat);
	ctm_call_handler(CTM_CALL_PEERS, peers_call);
	return 0;
}

void ctm_peers_exit(void)
{
	ctm_dgram_handler(CTM_DGRAM_HEARTBEAT, NULL);
	ctm_call_handler(CTM_CALL_PEERS, NULL);
	if (beat_wq)
		destroy_workqueue(beat_wq);
	if (greet_wq)
		destroy_workqueue(greet_wq);
	if (tell_wq)
		destroy_workqueue(tell_wq);
}
