// SPDX-License-Identifier: GPL-2.0
/*
 * member.c - membership: SWIM, Lifeguard, and what is ours.  See member.h
 *
 * Members stand in slots that they keep; ring, queue, suspects and hash hold slot
 * numbers.  Slot 0 is this node, which is in no ring.
 */
#include "member.h"

#define RELAYS		16u
#define HASH_LOAD	2u		/* places for each member at least */
#define IN_QUEUE	1u		/* ctm_mb_peer.queued */
#define IN_SUSPECTS	2u
#define IS_NEWS		4u		/* others may not know its address */
#define SAMPLE		3u		/* loads are the freshest of so many times as many */

/* a ping that we make for somebody else */
struct relay {
	u32 origin, origin_seq;
	u32 target, seq;
	u64 nack_at, until;
	bool active, nacked;
};

/* our own probe of this period */
struct probe {
	bool active, asked;
	u32 id, seq;
	u64 ask_at, again_at;
	u32 nacks_due, nacks;
};

struct ctm_mb {
	struct ctm_mb_config cfg;
	ctm_mb_addr_fn addr;
	void *owner;
	u64 random;
	u32 max;
	u32 live, dead;			/* without us */
	u32 next_seq;
	u32 card_seq;
	u32 health;
	bool leaving;

	u64 due;			/* when we should have been called at the latest */
	u64 next_probe, next_push, next_reconnect, next_suspect;
	u64 lasts[CTM_MB_CONFIRM_MAX + 1];	/* suspicions, by confirmations */
	u32 needed;			/* confirmations that still make it shorter */

	struct probe probe;
	struct relay relay[RELAYS];
	u32 relay_at;
	struct ctm_mb_stats stats;

	u32 slots;			/* used so far, with free ones among them */
	u32 nring, ring_at, nqueue, queue_at, nsuspects;
	u32 hash_mask;
	struct ctm_mb_peer *peer;
	u16 *ring, *queue, *suspects, *hash;	/* hash: slot + 1, 0: free */
};

#define LIFEGUARD \
	.period = CTM_MB_SEC, .timeout = CTM_MB_SEC / 2, .proxies = 3, .lambda = 3, \
	.alpha = 5, .beta = 6, .confirmations = 3, .health_max = 8, .buddy = true

const struct ctm_mb_config ctm_mb_default = {
	LIFEGUARD, .pings = 3, .stall = CTM_MB_SEC / 2, .push = 2, .reconnect = 2 * CTM_MB_SEC,
};

const struct ctm_mb_config ctm_mb_lifeguard = { LIFEGUARD };

const struct ctm_mb_config ctm_mb_swim = {
	.period = CTM_MB_SEC, .timeout = CTM_MB_SEC / 2, .proxies = 3, .lambda = 3,
	.alpha = 5, .beta = 1,
};

/* ---- chance ---- */

static u64 random64(struct ctm_mb *m)		/* splitmix64 */
{
	u64 z = m->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static u32 below(struct ctm_mb *m, u32 n)
{
	return n ? (u64)(u32)random64(m) * n >> 32 : 0;
}

/* ---- actions ---- */

static bool room(struct ctm_mb_actions *out, u32 n)
{
	if (CTM_MB_ACTIONS - out->n >= n)
		return true;
	out->more = true;
	return false;
}

static struct ctm_mb_action *act(struct ctm_mb_actions *out, enum ctm_mb_action_type type, u32 id)
{
	/* whoever may have more to do than there is room for asks room() first */
	struct ctm_mb_action *a = room(out, 1) ? &out->a[out->n++] : &out->a[CTM_MB_ACTIONS];

	memset(a, 0, sizeof(*a));
	a->type = type;
	a->id = id;
	return a;
}

static void send(struct ctm_mb_actions *out, u32 to, enum ctm_mb_kind kind, u32 seq, u32 target)
{
	struct ctm_mb_action *a = act(out, CTM_MB_DO_SEND, to);

	a->kind = kind;
	a->seq = seq;
	a->target = target;
}

/* ---- the table ---- */

static u32 hash_of(const struct ctm_mb *m, u32 id)
{
	return (id * 0x9e3779b1u >> 15) & m->hash_mask;
}

static struct ctm_mb_peer *find(const struct ctm_mb *m, u32 id)
{
	u32 i;

	for (i = hash_of(m, id); m->hash[i]; i = (i + 1) & m->hash_mask)
		if (m->peer[m->hash[i] - 1].id == id)
			return &m->peer[m->hash[i] - 1];
	return NULL;
}

static u16 slot_of(const struct ctm_mb *m, const struct ctm_mb_peer *p)
{
	return p - m->peer;
}

static void hash_add(struct ctm_mb *m, u16 slot)
{
	u32 i = hash_of(m, m->peer[slot].id);

	while (m->hash[i])
		i = (i + 1) & m->hash_mask;
	m->hash[i] = slot + 1;
}

/* The places behind it that it had pushed away move up. */
static void hash_del(struct ctm_mb *m, u16 slot)
{
	u32 i = hash_of(m, m->peer[slot].id), j, home;

	while (m->hash[i] != slot + 1)
		i = (i + 1) & m->hash_mask;
	for (j = (i + 1) & m->hash_mask; m->hash[j]; j = (j + 1) & m->hash_mask) {
		home = hash_of(m, m->peer[m->hash[j] - 1].id);
		if (((j - home) & m->hash_mask) < ((j - i) & m->hash_mask))
			continue;
		m->hash[i] = m->hash[j];
		i = j;
	}
	m->hash[i] = 0;
}

static void list_del(u16 *list, u32 *n, u16 slot)
{
	u32 i;

	for (i = 0; i < *n; i++) {
		if (list[i] != slot)
			continue;
		list[i] = list[--*n];
		return;
	}
}

/* into the rest of this turn, at random */
static void ring_add(struct ctm_mb *m, u16 slot)
{
	u32 at = m->ring_at + below(m, m->nring - m->ring_at + 1);

	m->ring[m->nring++] = m->ring[at];
	m->ring[at] = slot;
}

static void ring_shuffle(struct ctm_mb *m)
{
	u32 i, j;
	u16 t;

	for (i = m->nring; i > 1; i--) {
		j = below(m, i);
		t = m->ring[i - 1];
		m->ring[i - 1] = m->ring[j];
		m->ring[j] = t;
	}
	m->ring_at = 0;
}

static bool present(const struct ctm_mb_peer *p)
{
	return p->state == CTM_MB_ALIVE || p->state == CTM_MB_SUSPECT;
}

/* ---- how long, how often ---- */

static u32 bits(u32 n)
{
	u32 b = 0;

	while (n) {
		b++;
		n >>= 1;
	}
	return b;
}

/* log10(@n) in thousandths; straight between powers of two */
static u32 log10_milli(u32 n)
{
	u32 b = bits(n);

	if (b < 2)
		return 0;
	return ((b - 1) * 1000 + (u32)((u64)(n - (1u << (b - 1))) * 1000 >> (b - 1))) * 301 / 1000;
}

/* lambda * ln(n) */
static u32 send_limit(const struct ctm_mb *m)
{
	u32 limit = (m->cfg.lambda * log10_milli(m->live + 2) * 23 / 10 + 999) / 1000;

	return limit < 4 ? 4 : limit > 250 ? 250 : limit;
}

/* The population has changed: how long do suspicions last? */
static void set_times(struct ctm_mb *m)
{
	/* log(c + 1) / log(k + 1), for k confirmations that are needed */
	static const u16 part[CTM_MB_CONFIRM_MAX + 1][CTM_MB_CONFIRM_MAX + 1] = {
		{ 1000, 1000, 1000, 1000 }, { 0, 1000, 1000, 1000 },
		{ 0, 631, 1000, 1000 }, { 0, 500, 792, 1000 },
	};
	u32 n = m->live + 1, log = log10_milli(n), others = n > 2 ? n - 2 : 0, i;
	u64 least = m->cfg.alpha * m->cfg.period * (log > 1000 ? log : 1000) / 1000;
	u64 most = least * m->cfg.beta;

	m->needed = m->cfg.confirmations < others ? m->cfg.confirmations : others;
	for (i = 0; i <= CTM_MB_CONFIRM_MAX; i++)
		m->lasts[i] = most - (most - least) * part[m->needed][i] / 1000;
}

u64 ctm_mb_suspicion(const struct ctm_mb *m, u32 confirmed)
{
	return m->lasts[confirmed > CTM_MB_CONFIRM_MAX ? CTM_MB_CONFIRM_MAX : confirmed];
}

static void feel(struct ctm_mb *m, s32 by)
{
	s32 h = (s32)m->health + by;

	m->health = h < 0 ? 0 : (u32)h > m->cfg.health_max ? m->cfg.health_max : (u32)h;
}

/* ---- changes ---- */

/* the change of @p is to be sent, from the beginning */
static void spread(struct ctm_mb *m, struct ctm_mb_peer *p)
{
	p->sent = 0;
	if (p->queued & IN_QUEUE)
		return;
	p->queued |= IN_QUEUE;
	m->queue[m->nqueue++] = slot_of(m, p);
}

/* somebody has not heard of @p's incarnation: say it twice more */
static void repeat(struct ctm_mb *m, struct ctm_mb_peer *p)
{
	if (p->queued & IN_QUEUE)
		return;
	spread(m, p);
	p->sent = send_limit(m) - 2;
}

static void unspread(struct ctm_mb *m, struct ctm_mb_peer *p)
{
	if (!(p->queued & IN_QUEUE))
		return;
	p->queued &= ~(IN_QUEUE | IS_NEWS);
	list_del(m->queue, &m->nqueue, slot_of(m, p));
}

static void set_state(struct ctm_mb *m, struct ctm_mb_peer *p, enum ctm_mb_state state, u64 now,
		      struct ctm_mb_actions *out)
{
	struct ctm_mb_action *a = act(out, CTM_MB_DO_STATE, p->id);

	a->state = state;
	a->boot = p->boot;
	m->live -= present(p);
	m->dead -= p->state == CTM_MB_DEAD;
	p->state = state;
	p->since = now;
	m->live += present(p);
	m->dead += state == CTM_MB_DEAD;
	set_times(m);
	spread(m, p);
}

static void set_alive(struct ctm_mb *m, struct ctm_mb_peer *p, u32 inc, u64 now,
		      struct ctm_mb_actions *out)
{
	p->inc = inc;
	if (p->state != CTM_MB_ALIVE)
		set_state(m, p, CTM_MB_ALIVE, now, out);
	else
		spread(m, p);
}

static void note_suspect(struct ctm_mb *m, const struct ctm_mb_peer *p)
{
	u64 until = p->since + m->lasts[p->confirmed];

	if (until < m->next_suspect)
		m->next_suspect = until;
}

static void suspect(struct ctm_mb *m, struct ctm_mb_peer *p, u32 from, u64 now,
		    struct ctm_mb_actions *out)
{
	set_state(m, p, CTM_MB_SUSPECT, now, out);
	p->from[0] = from;
	p->confirmed = 0;
	m->stats.suspicions++;
	if (!(p->queued & IN_SUSPECTS)) {
		p->queued |= IN_SUSPECTS;
		m->suspects[m->nsuspects++] = slot_of(m, p);
	}
	note_suspect(m, p);
}

/* another one suspects @p, by itself; the first few shorten it and are passed on */
static void confirm(struct ctm_mb *m, struct ctm_mb_peer *p, u32 from)
{
	u32 i;

	if (p->confirmed >= m->needed || !from)
		return;
	for (i = 0; i <= p->confirmed; i++)
		if (p->from[i] == from)
			return;
	p->from[++p->confirmed] = from;
	spread(m, p);
	note_suspect(m, p);
}

/* ---- a hello, a good-bye ---- */

static struct ctm_mb_peer *member_new(struct ctm_mb *m, u32 id)
{
	struct ctm_mb_peer *p;
	u32 slot;

	for (slot = m->nring + 1 == m->slots ? m->slots : 1; slot < m->slots; slot++)
		if (m->peer[slot].state == CTM_MB_NONE)
			break;
	if (slot > m->max)
		return NULL;
	if (slot == m->slots)
		m->slots++;
	p = &m->peer[slot];
	memset(p, 0, sizeof(*p));
	p->id = id;
	hash_add(m, slot);
	ring_add(m, slot);
	return p;
}

static void probe_answered(struct ctm_mb *m, u32 id)
{
	if (!m->probe.active || m->probe.id != id)
		return;
	m->probe.active = false;
	feel(m, -1);
}

int ctm_mb_met(struct ctm_mb *m, u64 now, u32 id, u64 boot, bool news, struct ctm_mb_actions *out)
{
	struct ctm_mb_peer *p = find(m, id);
	bool known = p;

	if (p == m->peer)
		return 0;
	if (!p) {
		p = member_new(m, id);
		if (!p)
			return -ENOSPC;
	}
	probe_answered(m, id);
	if (p->boot == boot && p->state == CTM_MB_ALIVE)
		return 0;
	if (p->boot != boot)
		memset(&p->load, 0, sizeof(p->load));
	p->boot = boot;
	p->inc = known ? p->inc + 1 : 1;		/* what it begins with itself */
	set_state(m, p, CTM_MB_ALIVE, now, out);
	if (!known && !news)
		unspread(m, p);
	else
		p->queued |= IS_NEWS;
	return 0;
}

void ctm_mb_forget(struct ctm_mb *m, u32 id)
{
	struct ctm_mb_peer *p = find(m, id);
	u32 at;
	u16 slot;

	if (!p || p == m->peer)
		return;
	slot = slot_of(m, p);
	if (m->probe.active && m->probe.id == id)
		m->probe.active = false;
	m->live -= present(p);
	m->dead -= p->state == CTM_MB_DEAD;
	unspread(m, p);
	if (p->queued & IN_SUSPECTS)
		list_del(m->suspects, &m->nsuspects, slot);
	for (at = 0; m->ring[at] != slot; at++)
		;
	/* what is behind ring_at stays there */
	if (at < m->ring_at) {
		m->ring[at] = m->ring[--m->ring_at];
		at = m->ring_at;
	}
	m->ring[at] = m->ring[--m->nring];
	hash_del(m, slot);
	memset(p, 0, sizeof(*p));
	set_times(m);
}

void ctm_mb_left(struct ctm_mb *m, u64 now, u32 id, struct ctm_mb_actions *out)
{
	struct ctm_mb_peer *p = find(m, id);

	if (p && p != m->peer && p->state != CTM_MB_LEFT)
		set_state(m, p, CTM_MB_LEFT, now, out);
}

void ctm_mb_leave(struct ctm_mb *m, u64 now, struct ctm_mb_actions *out)
{
	u32 to[CTM_MB_PROXIES_MAX], n, i;

	if (m->leaving)
		return;
	m->leaving = true;
	m->probe.active = false;
	m->peer->inc++;
	m->peer->state = CTM_MB_LEFT;
	spread(m, m->peer);
	n = ctm_mb_random(m, to, CTM_MB_PROXIES_MAX, 0);
	for (i = 0; i < n; i++)
		send(out, to[i], CTM_MB_PUSH, 0, 0);
}

/* ---- what others say ---- */

/* Somebody says something of us. */
static void hear_of_self(struct ctm_mb *m, u64 boot, u32 inc, enum ctm_mb_state state)
{
	struct ctm_mb_peer *me = m->peer;

	if (m->leaving)
		return;
	if (boot == me->boot && state == CTM_MB_ALIVE) {
		/* given by a hello, in our name */
		if (inc > me->inc)
			me->inc = inc;
		return;
	}
	if (inc < me->inc)
		repeat(m, me);
	if (inc < me->inc || inc == ~0u)
		return;
	me->inc = inc + 1;
	spread(m, me);
	if (boot == me->boot) {
		m->stats.refuted++;
		feel(m, 1);
	}
}

static void learn(u32 id, u64 boot, const struct ctm_wire_mb_addr *w, struct ctm_mb_actions *out)
{
	struct ctm_mb_action *a = act(out, CTM_MB_DO_LEARN, id);

	a->boot = boot;
	if (w) {
		a->addr.port = le16_to_cpu(w->port);
		memcpy(a->addr.addr, w->addr, sizeof(a->addr.addr));
	}
}

/* @where: NULL when that is not said */
static void hear_of(struct ctm_mb *m, u64 now, const struct ctm_wire_mb_update *u,
		    const struct ctm_wire_mb_addr *where, struct ctm_mb_actions *out)
{
	u32 id = le32_to_cpu(u->id), inc = le32_to_cpu(u->inc), from = le32_to_cpu(u->from);
	struct ctm_mb_peer *p = find(m, id);
	u64 boot = le64_to_cpu(u->boot);

	if (p == m->peer) {
		hear_of_self(m, boot, inc, u->state);
		return;
	}
	if (!p || p->boot != boot) {
		/* only a hello tells which boot is the present one */
		if ((u->state == CTM_MB_ALIVE || u->state == CTM_MB_SUSPECT) &&
		    (p ? inc > p->inc || !present(p) : !!where))
			learn(id, boot, where, out);
		return;
	}
	if (inc < p->inc && u->state != CTM_MB_ALIVE)
		repeat(m, p);
	switch (u->state) {
	case CTM_MB_ALIVE:
		if (inc > p->inc)
			set_alive(m, p, inc, now, out);
		return;
	case CTM_MB_SUSPECT:
		if (inc < p->inc || !present(p))
			return;
		/* suspected again after it refuted: from the beginning */
		if (p->state == CTM_MB_ALIVE || inc > p->inc) {
			p->inc = inc;
			suspect(m, p, from, now, out);
		} else {
			confirm(m, p, from);
		}
		return;
	case CTM_MB_DEAD:
	case CTM_MB_LEFT:
		if (inc < p->inc || !present(p))
			return;
		p->inc = inc;
		m->stats.died += u->state == CTM_MB_DEAD;
		set_state(m, p, u->state, now, out);
		return;
	}
}

static u32 milliseconds(u64 now)
{
	return now / (CTM_MB_SEC / 1000);
}

static bool newer(u32 a, u32 b)
{
	return (s32)(a - b) > 0;
}

static void hear_load(struct ctm_mb *m, u64 now, const struct ctm_wire_mb_load *w,
		      struct ctm_mb_actions *out)
{
	struct ctm_mb_peer *p = find(m, le32_to_cpu(w->id));
	u32 seq = le32_to_cpu(w->seq);

	if (!p || p == m->peer || (u32)p->boot != le32_to_cpu(w->boot) ||
	    (p->load.seq && !newer(seq, p->load.seq)))
		return;
	p->load = (struct ctm_mb_load){
		.seq = seq, .heard = milliseconds(now),
		.load = le32_to_cpu(w->load), .pressure = le32_to_cpu(w->pressure),
		.free_mib = le32_to_cpu(w->free_mib),
		.cpu = le16_to_cpu(w->cpu), .mem = le16_to_cpu(w->mem),
		.runnable = le16_to_cpu(w->runnable), .processes = le16_to_cpu(w->processes),
		.flags = le32_to_cpu(w->flags),
	};
	act(out, CTM_MB_DO_CARD, p->id);
}

static u16 clamp16(u32 n)
{
	return n > 0xffff ? 0xffff : n;
}

/* the sender's own card, which is always the newest but for reordering */
static void hear_card(struct ctm_mb *m, struct ctm_mb_peer *p, u64 now,
		      const struct ctm_wire_mb *h, struct ctm_mb_actions *out)
{
	u32 seq = le32_to_cpu(h->card_seq);
	const struct ctm_wire_card *c = &h->card;

	if (p->load.seq && newer(p->load.seq, seq))
		return;
	p->load = (struct ctm_mb_load){
		.seq = seq, .heard = milliseconds(now),
		.load = le32_to_cpu(c->load), .pressure = le32_to_cpu(c->pressure),
		.free_mib = le32_to_cpu(c->free_mib),
		.cpu = clamp16(le32_to_cpu(c->cpu) / 10),
		.mem = clamp16(le32_to_cpu(c->mem) / 10),
		.runnable = clamp16(le32_to_cpu(c->runnable) / 10),
		.processes = clamp16(le32_to_cpu(c->processes)),
		.flags = le32_to_cpu(c->flags),
	};
	act(out, CTM_MB_DO_CARD, p->id);
}

/* ---- datagrams ---- */

static bool update_ok(const struct ctm_wire_mb_update *u)
{
	return u->id && u->boot && u->state >= CTM_MB_ALIVE && u->state <= CTM_MB_LEFT;
}

/* Lies that can be told from truth: L is at most the pressure, and that is cpu + 2 * mem, in thousandths */
static bool load_ok(u32 load, u32 pressure, u32 cpu, u32 mem)
{
	return pressure <= 300000 && load <= pressure && cpu <= 100000 && mem <= 100000;
}

int ctm_mb_decode(const void *buf, size_t len, struct ctm_mb_dgram *out)
{
	const struct ctm_wire_mb *h = buf;
	u32 i;

	if (len < sizeof(*h) || h->kind < CTM_MB_PING || h->kind > CTM_MB_PUSH ||
	    h->updates > CTM_MB_UPDATES || h->addrs > h->updates || h->loads > CTM_MB_LOADS ||
	    len != sizeof(*h) + h->updates * sizeof(*out->update) +
		   h->addrs * sizeof(*out->addr) + h->loads * sizeof(*out->load) ||
	    !ctm_wire_name_ok(h->card.name, sizeof(h->card.name)) ||
	    !load_ok(le32_to_cpu(h->card.load), le32_to_cpu(h->card.pressure),
		     le32_to_cpu(h->card.cpu), le32_to_cpu(h->card.mem)))
		return -EINVAL;
	if ((h->kind == CTM_MB_PING_REQ || h->kind == CTM_MB_ACK || h->kind == CTM_MB_NACK) &&
	    !h->target)
		return -EINVAL;
	out->head = h;
	out->update = (const void *)(h + 1);
	out->addr = (const void *)(out->update + h->updates);
	out->load = (const void *)(out->addr + h->addrs);
	for (i = 0; i < h->updates; i++)
		if (!update_ok(&out->update[i]))
			return -EINVAL;
	for (i = 0; i < h->addrs; i++)
		if (!out->addr[i].port)
			return -EINVAL;
	for (i = 0; i < h->loads; i++) {
		const struct ctm_wire_mb_load *w = &out->load[i];

		if (!w->id || !load_ok(le32_to_cpu(w->load), le32_to_cpu(w->pressure),
				       le16_to_cpu(w->cpu) * 10, le16_to_cpu(w->mem) * 10))
			return -EINVAL;
	}
	return 0;
}

/* A sign of life.  What it says of itself by a larger incarnation refutes what others say. */
static void hear_from(struct ctm_mb *m, struct ctm_mb_peer *p, u64 now,
		      const struct ctm_wire_mb *h, struct ctm_mb_actions *out)
{
	u32 inc = le32_to_cpu(h->inc);

	if (le32_to_cpu(h->card.flags) & CTM_WIRE_CARD_LEAVING) {
		if (inc >= p->inc && p->state != CTM_MB_LEFT) {
			p->inc = inc;
			set_state(m, p, CTM_MB_LEFT, now, out);
		}
		return;
	}
	if (inc > p->inc) {
		if (p->state == CTM_MB_ALIVE)
			p->inc = inc;
		else
			set_alive(m, p, inc, now, out);
	}
	hear_card(m, p, now, h, out);
}

static void relay_ping(struct ctm_mb *m, u64 now, u32 origin, u32 seq, u32 target,
		       struct ctm_mb_actions *out)
{
	struct relay *r = &m->relay[m->relay_at];
	const struct ctm_mb_peer *p = find(m, target);

	if (!p || p == m->peer) {
		if (p)
			send(out, origin, CTM_MB_ACK, seq, target);
		else if (m->cfg.health_max)
			send(out, origin, CTM_MB_NACK, seq, target);
		return;
	}
	m->relay_at = (m->relay_at + 1) % RELAYS;
	*r = (struct relay){
		.origin = origin, .origin_seq = seq, .target = target, .seq = ++m->next_seq,
		.nack_at = now + m->cfg.timeout * 4 / 5, .until = now + 2 * m->cfg.period,
		.active = true, .nacked = !m->cfg.health_max,
	};
	send(out, target, CTM_MB_PING, r->seq, 0);
}

static void hear_ack(struct ctm_mb *m, u32 from, u32 seq, u32 target, struct ctm_mb_actions *out)
{
	u32 i;

	if (m->probe.active && m->probe.seq == seq && m->probe.id == target) {
		probe_answered(m, target);
		return;
	}
	for (i = 0; i < RELAYS; i++) {
		struct relay *r = &m->relay[i];

		if (!r->active || r->seq != seq || r->target != from || target != from)
			continue;
		r->active = false;
		send(out, r->origin, CTM_MB_ACK, r->origin_seq, r->target);
		return;
	}
}

static void answer(struct ctm_mb *m, const struct ctm_mb_peer *p, u64 now,
		   const struct ctm_wire_mb *h, struct ctm_mb_actions *out)
{
	u32 seq = le32_to_cpu(h->seq), target = le32_to_cpu(h->target);

	switch (h->kind) {
	case CTM_MB_PING:
		send(out, p->id, CTM_MB_ACK, seq, m->peer->id);
		return;
	case CTM_MB_PING_REQ:
		relay_ping(m, now, p->id, seq, target, out);
		return;
	case CTM_MB_ACK:
		hear_ack(m, p->id, seq, target, out);
		break;
	case CTM_MB_NACK:
		if (m->probe.active && m->probe.seq == seq && m->probe.id == target)
			m->probe.nacks++;
		break;
	}
	/* it does not know that it is taken for dead: encode() tells it */
	if (!present(p))
		send(out, p->id, CTM_MB_PUSH, 0, 0);
}

int ctm_mb_datagram(struct ctm_mb *m, u64 now, u32 from, const void *buf, size_t len,
		    struct ctm_mb_actions *out)
{
	struct ctm_mb_peer *p = find(m, from);
	struct ctm_mb_dgram d;
	int err;
	u32 i;

	err = ctm_mb_decode(buf, len, &d);
	if (err)
		return err;
	if (!p || p == m->peer)
		return -ENOENT;
	hear_from(m, p, now, d.head, out);
	for (i = 0; i < d.head->updates; i++)
		hear_of(m, now, &d.update[i], i < d.head->addrs ? &d.addr[i] : NULL, out);
	for (i = 0; i < d.head->loads; i++)
		hear_load(m, now, &d.load[i], out);
	if (!m->leaving && p->state != CTM_MB_LEFT)
		answer(m, p, now, d.head, out);
	return 0;
}

/* ---- making one ---- */

static void write_update(struct ctm_mb_peer *p, struct ctm_wire_mb_update *u)
{
	memset(u, 0, sizeof(*u));
	u->id = cpu_to_le32(p->id);
	u->inc = cpu_to_le32(p->inc);
	u->boot = cpu_to_le64(p->boot);
	u->state = p->state;
	/* each of those who suspect it in turn */
	if (p->state == CTM_MB_SUSPECT)
		u->from = cpu_to_le32(p->from[p->sent % (p->confirmed + 1)]);
}

static bool write_addr(struct ctm_mb *m, const struct ctm_mb_peer *p, struct ctm_wire_mb_addr *w)
{
	struct ctm_mb_addr a;

	if (!(p->queued & IS_NEWS) || !present(p) || !m->addr ||
	    !m->addr(m->owner, p->id, &a) || !a.port)
		return false;
	memset(w, 0, sizeof(*w));
	w->port = cpu_to_le16(a.port);
	memcpy(w->addr, a.addr, sizeof(w->addr));
	return true;
}

/* The least sent of the queue, at most @max, without slot @except. */
static u32 choose_updates(struct ctm_mb *m, u16 *pick, u32 max, u16 except)
{
	u32 n = 0, i, j;

	for (i = 0; i < m->nqueue; i++) {
		u16 slot = m->queue[(m->queue_at + i) % m->nqueue];
		u8 sent = m->peer[slot].sent;

		if (slot == except || (n == max && sent >= m->peer[pick[n - 1]].sent))
			continue;
		for (j = n < max ? n++ : n - 1; j && m->peer[pick[j - 1]].sent > sent; j--)
			pick[j] = pick[j - 1];
		pick[j] = slot;
	}
	m->queue_at++;
	return n;
}

/* First those with an address, as far as there is room.  Return: the end of it all */
static void *write_updates(struct ctm_mb *m, struct ctm_mb_peer *to, struct ctm_wire_mb *h)
{
	struct ctm_wire_mb_update *u = (void *)(h + 1);
	struct ctm_wire_mb_addr addr[CTM_MB_UPDATES];
	struct ctm_mb_peer *news[CTM_MB_UPDATES], *old[CTM_MB_UPDATES + 1], *buddy = NULL;
	u16 pick[CTM_MB_UPDATES];
	u32 nnews = 0, nold = 0, bytes = 0, count, i;

	if (to && m->cfg.buddy && to->state != CTM_MB_ALIVE) {
		buddy = to;
		old[nold++] = to;
		bytes += sizeof(*u);
	}
	count = choose_updates(m, pick, CTM_MB_UPDATES - nold, buddy ? slot_of(m, buddy) : 0xffff);
	for (i = 0; i < count && bytes + sizeof(*u) <= CTM_MB_UPDATE_BYTES; i++) {
		struct ctm_mb_peer *p = &m->peer[pick[i]];

		bytes += sizeof(*u);
		if (bytes + sizeof(*addr) <= CTM_MB_UPDATE_BYTES && write_addr(m, p, &addr[nnews])) {
			bytes += sizeof(*addr);
			news[nnews++] = p;
		} else {
			old[nold++] = p;
		}
	}
	h->updates = nnews + nold;
	h->addrs = nnews;
	for (i = 0; i < h->updates; i++) {
		struct ctm_mb_peer *p = i < nnews ? news[i] : old[i - nnews];

		write_update(p, &u[i]);
		if (p != buddy && ++p->sent >= send_limit(m))
			unspread(m, p);
	}
	memcpy(&u[h->updates], addr, nnews * sizeof(*addr));
	return (u8 *)&u[h->updates] + nnews * sizeof(*addr);
}

static void write_load(const struct ctm_mb_peer *p, struct ctm_wire_mb_load *w)
{
	memset(w, 0, sizeof(*w));
	w->id = cpu_to_le32(p->id);
	w->boot = cpu_to_le32((u32)p->boot);
	w->seq = cpu_to_le32(p->load.seq);
	w->load = cpu_to_le32(p->load.load);
	w->pressure = cpu_to_le32(p->load.pressure);
	w->free_mib = cpu_to_le32(p->load.free_mib);
	w->cpu = cpu_to_le16(p->load.cpu);
	w->mem = cpu_to_le16(p->load.mem);
	w->runnable = cpu_to_le16(p->load.runnable);
	w->processes = cpu_to_le16(p->load.processes);
	w->flags = cpu_to_le32(p->load.flags);
}

/* Of members at random (a run of the ring, which is shuffled) those heard of last. */
static u32 write_loads(struct ctm_mb *m, u32 to, u64 now, struct ctm_wire_mb_load *w)
{
	const struct ctm_mb_peer *pick[CTM_MB_LOADS];
	u32 tries = m->nring < SAMPLE * CTM_MB_LOADS ? m->nring : SAMPLE * CTM_MB_LOADS;
	u32 start = below(m, m->nring), ms = milliseconds(now), n = 0, i, j;

	for (i = 0; i < tries; i++) {
		const struct ctm_mb_peer *p = &m->peer[m->ring[(start + i) % m->nring]];
		u32 age = ms - p->load.heard;

		if (p->id == to || !p->load.seq || !present(p) ||
		    (n == CTM_MB_LOADS && age >= ms - pick[n - 1]->load.heard))
			continue;
		for (j = n < CTM_MB_LOADS ? n++ : n - 1; j && ms - pick[j - 1]->load.heard > age; j--)
			pick[j] = pick[j - 1];
		pick[j] = p;
	}
	for (i = 0; i < n; i++)
		write_load(pick[i], &w[i]);
	return n;
}

size_t ctm_mb_encode(struct ctm_mb *m, u64 now, const struct ctm_mb_action *a,
		     const struct ctm_wire_card *card, void *buf)
{
	struct ctm_wire_mb *h = buf;
	struct ctm_wire_mb_load *w;

	memset(h, 0, sizeof(*h));
	h->kind = a->kind;
	h->health = m->health;
	h->inc = cpu_to_le32(m->peer->inc);
	h->seq = cpu_to_le32(a->seq);
	h->target = cpu_to_le32(a->target);
	h->card_seq = cpu_to_le32(m->card_seq);
	h->card = *card;
	if (m->leaving)
		h->card.flags |= cpu_to_le32(CTM_WIRE_CARD_LEAVING);
	w = write_updates(m, find(m, a->id), h);
	h->loads = write_loads(m, a->id, now, w);
	return (u8 *)(w + h->loads) - (u8 *)buf;
}

/* ---- time ---- */

/* We slept: what did not come could not be heard. */
static void check_stall(struct ctm_mb *m, u64 now)
{
	u64 late = now > m->due ? now - m->due : 0;
	u32 i;

	if (!m->cfg.stall || late < m->cfg.stall)
		return;
	m->stats.stalls++;
	feel(m, 1);
	m->probe.ask_at += late;
	m->probe.again_at += late;
	m->next_probe += late;
	for (i = 0; i < m->nsuspects; i++)
		m->peer[m->suspects[i]].since += late;
	if (m->nsuspects)
		m->next_suspect += late;
}

static void check_relays(struct ctm_mb *m, u64 now, struct ctm_mb_actions *out)
{
	u32 i;

	for (i = 0; i < RELAYS; i++) {
		struct relay *r = &m->relay[i];

		if (!r->active)
			continue;
		if (!r->nacked && now >= r->nack_at) {
			if (!room(out, 1))
				return;
			r->nacked = true;
			send(out, r->origin, CTM_MB_NACK, r->origin_seq, r->target);
		}
		r->active = now < r->until;
	}
}

/* No answer to the ping: who can reach it? */
static void ask_others(struct ctm_mb *m, struct ctm_mb_actions *out)
{
	u32 to[CTM_MB_PROXIES_MAX], n, i;

	n = m->cfg.proxies < CTM_MB_PROXIES_MAX ? m->cfg.proxies : CTM_MB_PROXIES_MAX;
	n = ctm_mb_random(m, to, n, m->probe.id);
	for (i = 0; i < n; i++)
		send(out, to[i], CTM_MB_PING_REQ, m->probe.seq, m->probe.id);
	if (m->cfg.pings > 1)
		send(out, m->probe.id, CTM_MB_PING, m->probe.seq, 0);
	act(out, CTM_MB_DO_GREET, m->probe.id);
	m->probe.asked = true;
	m->probe.nacks_due = n;
}

static u64 ping_interval(const struct ctm_mb *m)
{
	return m->cfg.pings > 1 ? m->cfg.timeout * (m->health + 1) / m->cfg.pings + 1 : ~0ull >> 1;
}

/* The period is over, and nothing has come. */
static void probe_failed(struct ctm_mb *m, u64 now, struct ctm_mb_actions *out)
{
	struct ctm_mb_peer *p = find(m, m->probe.id);
	u32 missing = m->probe.nacks_due - m->probe.nacks;

	m->probe.active = false;
	m->stats.failed++;
	if (m->probe.nacks > m->probe.nacks_due)
		missing = 0;
	feel(m, m->probe.nacks_due ? (s32)missing : 1);
	if (!p)
		return;
	if (p->state == CTM_MB_ALIVE)
		suspect(m, p, m->peer->id, now, out);
	else if (p->state == CTM_MB_SUSPECT)
		confirm(m, p, m->peer->id);
}

static struct ctm_mb_peer *next_of_ring(struct ctm_mb *m)
{
	u32 tries;

	for (tries = 0; tries < m->nring; tries++) {
		struct ctm_mb_peer *p;

		if (m->ring_at >= m->nring)
			ring_shuffle(m);
		p = &m->peer[m->ring[m->ring_at++]];
		if (present(p))
			return p;
	}
	return NULL;
}

static void probe_begin(struct ctm_mb *m, u64 now, struct ctm_mb_actions *out)
{
	struct ctm_mb_peer *p = next_of_ring(m);

	m->next_probe = now + m->cfg.period * (m->health + 1);
	if (!p)
		return;
	m->probe = (struct probe){
		.active = true, .id = p->id, .seq = ++m->next_seq,
		.ask_at = now + m->cfg.timeout * (m->health + 1),
		.again_at = now + ping_interval(m),
	};
	m->stats.probes++;
	send(out, p->id, CTM_MB_PING, m->probe.seq, 0);
}

static void ping_again(struct ctm_mb *m, u64 now, struct ctm_mb_actions *out)
{
	m->probe.again_at = now + ping_interval(m);
	send(out, m->probe.id, CTM_MB_PING, m->probe.seq, 0);
}

static void check_probe(struct ctm_mb *m, u64 now, struct ctm_mb_actions *out)
{
	if (!room(out, CTM_MB_PROXIES_MAX + 4))
		return;
	if (m->probe.active && now >= m->next_probe)
		probe_failed(m, now, out);
	else if (m->probe.active && !m->probe.asked && now >= m->probe.ask_at)
		ask_others(m, out);
	else if (m->probe.active && !m->probe.asked && now >= m->probe.again_at)
		ping_again(m, now, out);
	if (now >= m->next_probe)
		probe_begin(m, now, out);
}

static void check_suspects(struct ctm_mb *m, u64 now, struct ctm_mb_actions *out)
{
	u32 i = 0;

	if (now < m->next_suspect)
		return;
	m->next_suspect = ~0ull;
	while (i < m->nsuspects) {
		struct ctm_mb_peer *p = &m->peer[m->suspects[i]];

		if (p->state == CTM_MB_SUSPECT && now >= p->since + m->lasts[p->confirmed]) {
			if (!room(out, 1)) {
				m->next_suspect = now;
				return;
			}
			m->stats.died++;
			set_state(m, p, CTM_MB_DEAD, now, out);
		}
		if (p->state == CTM_MB_SUSPECT) {
			note_suspect(m, p);
			i++;
		} else {
			p->queued &= ~IN_SUSPECTS;
			m->suspects[i] = m->suspects[--m->nsuspects];
		}
	}
}

static void check_push(struct ctm_mb *m, u64 now, struct ctm_mb_actions *out)
{
	u32 to;

	if (!m->cfg.push || now < m->next_push || !room(out, 1))
		return;
	m->next_push = now + m->cfg.period / m->cfg.push;
	if (ctm_mb_random(m, &to, 1, 0))
		send(out, to, CTM_MB_PUSH, 0, 0);
}

/* one of the dead, at random */
static void check_dead(struct ctm_mb *m, u64 now, struct ctm_mb_actions *out)
{
	u32 start, i;

	if (!m->cfg.reconnect || now < m->next_reconnect || !room(out, 1))
		return;
	m->next_reconnect = now + m->cfg.reconnect;
	if (!m->dead)
		return;
	start = below(m, m->nring);
	for (i = 0; i < m->nring; i++) {
		const struct ctm_mb_peer *p = &m->peer[m->ring[(start + i) % m->nring]];

		if (p->state != CTM_MB_DEAD)
			continue;
		act(out, CTM_MB_DO_GREET, p->id);
		return;
	}
}

static u64 earlier(u64 a, u64 b)
{
	return a < b ? a : b;
}

u64 ctm_mb_next(const struct ctm_mb *m)
{
	u64 next = earlier(m->next_probe, m->next_suspect);
	u32 i;

	if (m->leaving)
		return ~0ull;
	if (m->probe.active && !m->probe.asked)
		next = earlier(next, earlier(m->probe.ask_at, m->probe.again_at));
	if (m->cfg.push)
		next = earlier(next, m->next_push);
	if (m->cfg.reconnect)
		next = earlier(next, m->next_reconnect);
	for (i = 0; i < RELAYS; i++)
		if (m->relay[i].active && !m->relay[i].nacked)
			next = earlier(next, m->relay[i].nack_at);
	return next;
}

void ctm_mb_tick(struct ctm_mb *m, u64 now, struct ctm_mb_actions *out)
{
	out->more = false;
	if (m->leaving)
		return;
	check_stall(m, now);
	check_relays(m, now, out);
	check_probe(m, now, out);
	check_suspects(m, now, out);
	check_push(m, now, out);
	check_dead(m, now, out);
	m->due = out->more ? now : ctm_mb_next(m);
}

/* ---- the view ---- */

static size_t align8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

static u32 hash_places(u32 max)
{
	u32 n = 8;

	while (n < HASH_LOAD * (max + 1))
		n *= 2;
	return n;
}

size_t ctm_mb_size(u32 max)
{
	return align8(sizeof(struct ctm_mb)) + (max + 1) * sizeof(struct ctm_mb_peer) +
	       align8((3 * max + 3 + hash_places(max)) * sizeof(u16));
}

struct ctm_mb *ctm_mb_init(void *mem, u32 max, const struct ctm_mb_config *cfg, u32 id, u64 boot,
			   u64 seed, u64 now, ctm_mb_addr_fn addr, void *owner)
{
	struct ctm_mb *m = mem;

	memset(mem, 0, ctm_mb_size(max));
	m->cfg = *cfg;
	if (m->cfg.confirmations > CTM_MB_CONFIRM_MAX)
		m->cfg.confirmations = CTM_MB_CONFIRM_MAX;
	m->addr = addr;
	m->owner = owner;
	m->random = seed;
	m->max = max;
	m->peer = (void *)((u8 *)mem + align8(sizeof(*m)));
	m->ring = (u16 *)(m->peer + max + 1);
	m->queue = m->ring + max + 1;
	m->suspects = m->queue + max + 1;
	m->hash = m->suspects + max + 1;
	m->hash_mask = hash_places(max) - 1;
	m->slots = 1;
	m->card_seq = 1;
	m->peer->id = id;
	m->peer->boot = boot;
	m->peer->inc = 1;
	m->peer->state = CTM_MB_ALIVE;
	hash_add(m, 0);
	m->next_suspect = ~0ull;
	m->next_probe = now + random64(m) % cfg->period;
	m->next_push = now + random64(m) % cfg->period;
	m->next_reconnect = now + cfg->reconnect;
	m->due = ctm_mb_next(m);
	set_times(m);
	return m;
}

void ctm_mb_measured(struct ctm_mb *m)
{
	if (!++m->card_seq)
		m->card_seq = 1;
}

const struct ctm_mb_peer *ctm_mb_find(const struct ctm_mb *m, u32 id)
{
	return find(m, id);
}

u32 ctm_mb_live(const struct ctm_mb *m)
{
	return m->live + 1;
}

u32 ctm_mb_health(const struct ctm_mb *m)
{
	return m->health;
}

const struct ctm_mb_stats *ctm_mb_stats(const struct ctm_mb *m)
{
	return &m->stats;
}

static bool among(const u32 *ids, u32 n, u32 id)
{
	u32 i;

	for (i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

u32 ctm_mb_random(struct ctm_mb *m, u32 *ids, u32 n, u32 except)
{
	u32 got = 0, tries, start, i;

	for (tries = 0; got < n && tries < 8 * n && m->nring; tries++) {
		const struct ctm_mb_peer *p = &m->peer[m->ring[below(m, m->nring)]];

		if (present(p) && p->id != except && !among(ids, got, p->id))
			ids[got++] = p->id;
	}
	/* few, or few that live: all of them */
	start = below(m, m->nring);
	for (i = 0; got < n && i < m->nring; i++) {
		const struct ctm_mb_peer *p = &m->peer[m->ring[(start + i) % m->nring]];

		if (present(p) && p->id != except && !among(ids, got, p->id))
			ids[got++] = p->id;
	}
	return got;
}
