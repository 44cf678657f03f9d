// SPDX-License-Identifier: GPL-2.0
/*
 * policy.c - when a node relieves itself, of which process, and to where
 */
#include "policy.h"

#define CPU_HIGH	90000u		/* of the watchdog */
#define TASK		1000u		/* one runnable task */
#define FULL		100000u		/* 100 % */

#define MARGIN		20000u		/* of pressure, between what is well and what is not */
#define NEAR_PRESSURE	10000u		/* targets that differ less are equally good */
#define MEM_TIGHT	90000u		/* a node with more of it used gets nothing for its CPU */
#define SPARE_MIB	64u		/* that a landing leaves free */
#define HEARD_MS	5000u		/* who was not heard for so long is not asked */

#define MIN_HERE_MS	1000u
#define COOL_MS		10000u		/* after a move; twice that after the second, ... */
#define COOL_DOUBLES	4u
#define FAIL_MS		2000u		/* after a failed attempt; doubles, too */
#define FAIL_DOUBLES	7u
#define PAUSE_MS	200u		/* two samples of a load that shows what has happened */
#define PROMISE_MS	5000u		/* what landed may be missing in what is heard so long */
#define GOSSIP_MS	300u		/* ... and that long in what was heard since */
#define REFUSED_MS	1000u		/* do not ask again before, give or take */
#define UNDER_WAY_MS	60000u		/* nobody's handoff takes longer */
#define SETTLE_MS	1500u		/* after a landing, until all have heard of it */

#define SHIP_MS		50u		/* what a move costs: so much, and for each MiB */
#define SHIP_MS_MIB	10u
#define LIFE_MAX_MS	120000u
#define VICTIMS		8u		/* looked at, the best first */

const struct ctm_po_config ctm_po_default = {
	.t_high = 180000,
	.t_low = 100000,
	.valve = true,
	.watchdog = true,
	.contention = true,
};

const char *ctm_po_config_wrong(const struct ctm_po_config *cfg)
{
	if (cfg->t_high > CTM_PO_PRESSURE_MAX)
		return "t_high: a pressure is at most 300";
	if (cfg->t_low >= cfg->t_high)
		return "t_low must be below t_high";
	if (cfg->t_high - cfg->t_low < MARGIN)
		return "t_low must be at least 20 below t_high, or what one node is rid of the next one cannot keep";
	return NULL;
}

/* xorshift64*: only to spread choices */
static u32 random_below(struct ctm_policy *po, u32 n)
{
	po->random ^= po->random >> 12;
	po->random ^= po->random << 25;
	po->random ^= po->random >> 27;
	return (u32)((po->random * 0x2545f4914f6cdd1dull) >> 33) % n;
}

void ctm_po_init(struct ctm_policy *po, const struct ctm_po_config *cfg, u64 seed)
{
	memset(po, 0, sizeof(*po));
	po->cfg = *cfg;
	po->random = seed | 1;
}

/* ---- when ---- */

static u32 cpus_of(const struct ctm_po_load *l)
{
	return l->cpus ? l->cpus : 1;
}

/* runnable tasks of the whole node */
static u64 tasks_of(const struct ctm_po_load *l)
{
	return (u64)l->runnable * cpus_of(l);
}

/* tasks are averages: half a task more than there are CPUs is one more */
static bool contended(const struct ctm_po_load *l)
{
	return tasks_of(l) >= (u64)cpus_of(l) * TASK + TASK / 2;
}

static bool watchdog_barks(const struct ctm_policy *po, const struct ctm_po_load *self)
{
	return po->cfg.watchdog && self->cpu > CPU_HIGH && (!po->cfg.contention || contended(self));
}

void ctm_po_sample(struct ctm_policy *po, const struct ctm_po_load *self)
{
	po->above = self->pressure > po->cfg.t_high ? po->above + 1 : 0;
	po->dog = watchdog_barks(po, self) ? po->dog + 1 : 0;
	po->calm = po->above || po->dog ? 0 : po->calm + 1;
	if (po->above >= CTM_PO_SAMPLES || po->dog >= CTM_PO_SAMPLES)
		po->ejecting = true;
	else if (po->calm >= CTM_PO_SAMPLES)
		po->ejecting = false;
}

enum ctm_po_mode ctm_po_mode(const struct ctm_policy *po)
{
	if (po->draining)
		return CTM_PO_DRAINING;
	return po->ejecting && po->cfg.valve ? CTM_PO_EJECTING : CTM_PO_NORMAL;
}

const char *ctm_po_mode_name(enum ctm_po_mode mode)
{
	static const char * const names[] = {
		[CTM_PO_NORMAL] = "normal",
		[CTM_PO_EJECTING] = "ejecting",
		[CTM_PO_DRAINING] = "draining",
	};

	return names[mode];
}

void ctm_po_drain(struct ctm_policy *po, bool on, bool force)
{
	po->draining = on;
	po->force = on && force;
}

/* ---- what others were promised ---- */

static struct ctm_po_promise *promise_of(struct ctm_policy *po, u32 id)
{
	u32 i;

	for (i = 0; i < CTM_PO_PROMISES; i++)
		if (po->promises[i].at && po->promises[i].id == id)
			return &po->promises[i];
	return NULL;
}

static void forget_promises(struct ctm_policy *po, u64 now)
{
	u32 i;

	for (i = 0; i < CTM_PO_PROMISES; i++)
		if (po->promises[i].at && now >= po->promises[i].until)
			po->promises[i].at = 0;
}

/* an entry for @id: its own, an empty one, or that of the oldest */
static struct ctm_po_promise *promise_new(struct ctm_policy *po, u32 id)
{
	struct ctm_po_promise *r = promise_of(po, id), *p;
	u32 i;

	if (r)
		return r;
	r = &po->promises[0];
	for (i = 0; i < CTM_PO_PROMISES; i++) {
		p = &po->promises[i];
		if (!p->at || (r->at && p->at < r->at))
			r = p;
	}
	memset(r, 0, sizeof(*r));
	r->id = id;
	return r;
}

/* does what was heard of @peer miss what it has got from us? */
static bool unseen(const struct ctm_po_promise *p, u64 now, const struct ctm_po_peer *peer)
{
	if (p->refused)
		return false;
	return !p->landed || now - peer->age_ms * CTM_PO_MS < p->at + GOSSIP_MS * CTM_PO_MS;
}

/* the peer's load as it will be shown when that is seen; or why not to ask it now */
static const char *load_of(struct ctm_policy *po, u64 now, const struct ctm_po_peer *peer,
			   struct ctm_po_load *out)
{
	struct ctm_po_promise *p = promise_of(po, peer->id);

	*out = peer->load;
	if (!peer->usable)
		return "it takes nothing from here";
	if (peer->age_ms > HEARD_MS)
		return "it was not heard lately";
	if (!p)
		return NULL;
	if (p->refused)
		return "it has just refused";
	if (unseen(p, now, peer)) {
		out->runnable += p->tasks / cpus_of(out);
		out->free_mib -= p->mib < out->free_mib ? p->mib : out->free_mib;
	}
	return NULL;
}

/* ---- what a process means to a node ---- */

/* its memory, all in MiB, from what is free and the share that is not */
static u32 total_mib(const struct ctm_po_load *l)
{
	u32 left = l->mem < FULL ? FULL - l->mem : 1;

	return (u32)((u64)l->free_mib * FULL / left);
}

static u32 mem_share(const struct ctm_po_load *l, u32 mib)
{
	u32 total = total_mib(l);

	if (!total)
		return FULL;
	return mib < total ? (u32)((u64)mib * FULL / total) : FULL;
}

/* the part of a node's CPU % that is this process's */
static u32 cpu_share(const struct ctm_po_load *l, const struct ctm_po_process *p)
{
	u64 share = (u64)p->cpu * 100 / cpus_of(l);

	return share < FULL ? share : FULL;
}

/* the pressure of @l with @p added.  On a full CPU more tasks make no more of it */
static u32 pressure_with(const struct ctm_po_load *l, const struct ctm_po_process *p)
{
	/* what it uses here is what it gets among others: it wants up to a CPU */
	u32 wants = FULL / cpus_of(l), share = cpu_share(l, p), cpu;

	if (p->cpu > TASK / 20 && share < wants)
		share = wants;
	cpu = l->cpu + share < FULL ? l->cpu + share : FULL;
	return cpu + 2 * (l->mem + mem_share(l, p->rss_mib));
}

static bool has_room(const struct ctm_po_load *l, const struct ctm_po_process *p)
{
	return l->free_mib >= p->rss_mib + p->rss_mib / 8 + SPARE_MIB;
}

/* ---- which ---- */

/* Under contention each runnable task gets its share: who uses half of one wants a CPU. */
static bool wants_cpu(const struct ctm_po_load *self, const struct ctm_po_process *p)
{
	return (u64)p->cpu * tasks_of(self) >= (u64)TASK * TASK * cpus_of(self) / 2;
}

/* what this node would be relieved of: 0, nothing that matters */
static u64 gain_of(const struct ctm_po_load *self, const struct ctm_po_process *p,
		   enum ctm_po_cause cause)
{
	switch (cause) {
	case CTM_PO_WATCHDOG:
		return wants_cpu(self, p) ? p->cpu : 0;
	case CTM_PO_PRESSURE:
		return cpu_share(self, p) + 2 * mem_share(self, p->rss_mib);
	case CTM_PO_DRAIN:
		return 1;
	}
	return 0;
}

/* why it does not leave, NULL: it may */
static const char *stays(u64 now, const struct ctm_po_process *p, enum ctm_po_cause cause, bool force)
{
	bool cooling = now < p->cooling->until;

	if (p->busy)
		return "it cannot be moved just now";
	if (p->pinned && !(cause == CTM_PO_DRAIN && force))
		return "it is pinned";
	if (cooling && p->cooling->failed)
		return "an attempt has just failed";
	if (cause == CTM_PO_DRAIN)
		return NULL;
	if (p->here_ms < MIN_HERE_MS)
		return "it has not been here for a second";
	return cooling ? "it has moved a short while ago" : NULL;
}

/* gain, for as long as it may be expected to last, by cost */
static u64 worth(u64 now, const struct ctm_po_load *self, const struct ctm_po_process *p,
		 enum ctm_po_cause cause, bool force)
{
	u64 gain, life, cost = SHIP_MS + (u64)SHIP_MS_MIB * p->rss_mib;

	if (stays(now, p, cause, force))
		return 0;
	if (cause == CTM_PO_DRAIN)
		return (1ull << 40) / cost;
	gain = gain_of(self, p, cause);
	life = p->used_ms < LIFE_MAX_MS ? p->used_ms : LIFE_MAX_MS;
	return gain * (life + MIN_HERE_MS) / cost;
}

/* ---- where ---- */

/** struct fit - @badness: the less the better; @near: what is no difference */
struct fit {
	u64 badness;
	u32 near;
};

static const char *fit_by_pressure(const struct ctm_policy *po, const struct ctm_po_load *self,
				   const struct ctm_po_load *peer, const struct ctm_po_process *p,
				   struct fit *out)
{
	u32 after = pressure_with(peer, p);

	*out = (struct fit){ .badness = after, .near = NEAR_PRESSURE };
	if (peer->pressure >= po->cfg.t_low)
		return "its pressure is not below t_low";
	if (after > po->cfg.t_high - MARGIN)
		return "with it, it would be near t_high";
	if (peer->pressure >= self->pressure || after + MARGIN > self->pressure)
		return "it would be no better off there";
	return NULL;
}

static const char *fit_by_tasks(const struct ctm_policy *po, const struct ctm_po_load *self,
				const struct ctm_po_load *peer, const struct ctm_po_process *p,
				enum ctm_po_cause cause, struct fit *out)
{
	u64 with = peer->runnable + TASK / cpus_of(peer);

	*out = (struct fit){ .badness = with, .near = TASK / 4 / cpus_of(peer) };
	if (peer->mem + mem_share(peer, p->rss_mib) > MEM_TIGHT)
		return "its memory is tight";
	if (cause != CTM_PO_WATCHDOG)
		return NULL;
	/* it would be rid of it again for its pressure */
	if (pressure_with(peer, p) > po->cfg.t_high)
		return "with it, it would be above t_high";
	/* a quarter of a task is noise */
	if (with + TASK / cpus_of(self) > self->runnable + TASK / 4 / cpus_of(self))
		return "it would run no faster there";
	return NULL;
}

/* why @p does not go to @peer for @cause; NULL: it may, and how good that is */
static const char *fits(struct ctm_policy *po, u64 now, const struct ctm_po_load *self,
			const struct ctm_po_peer *peer, const struct ctm_po_process *p,
			enum ctm_po_cause cause, struct fit *out)
{
	bool by_pressure = cause == CTM_PO_PRESSURE ||
			   (cause == CTM_PO_WATCHDOG && !po->cfg.contention);
	struct ctm_po_load l;
	const char *why = load_of(po, now, peer, &l);

	if (why)
		return why;
	if (!has_room(&l, p))
		return "it has too little memory free";
	return by_pressure ? fit_by_pressure(po, self, &l, p, out) :
			     fit_by_tasks(po, self, &l, p, cause, out);
}

/* @p, for @cause, to which of @peers?  -1: none */
static int find_target(struct ctm_policy *po, u64 now, const struct ctm_po_load *self,
		       const struct ctm_po_peer *peers, u32 npeers, const struct ctm_po_process *p,
		       enum ctm_po_cause cause)
{
	u64 best = ~0ull;
	int found = -1, pass;
	u32 i, good = 0;
	struct fit f;

	/* the best first, then one of those that are about as good */
	for (pass = 0; pass < 2; pass++)
		for (i = 0; i < npeers; i++) {
			if (fits(po, now, self, &peers[i], p, cause, &f))
				continue;
			if (!pass && f.badness < best)
				best = f.badness;
			if (pass && f.badness <= best + f.near && !random_below(po, ++good))
				found = i;
		}
	return found;
}

static void begin(struct ctm_policy *po, u64 now, const struct ctm_po_peer *peer,
		  const struct ctm_po_process *p)
{
	struct ctm_po_promise *r = promise_new(po, peer->id);

	/* a second one before the first is seen: both are on their way */
	if (r->refused || !r->at || !unseen(r, now, peer))
		r->tasks = r->mib = 0;
	r->refused = r->landed = false;
	r->at = now;
	r->until = now + UNDER_WAY_MS * CTM_PO_MS;
	r->tasks += p->cpu > TASK / 20 ? TASK : 0;
	r->mib += p->rss_mib;
	po->leaving = p->gpid;
	po->leaving_cooling = p->cooling;
	po->leaving_to = peer->id;
}

/* the best of @procs that is worth less than @below, or @index after it at the same worth */
static int next_victim(const struct ctm_policy *po, u64 now, const struct ctm_po_load *self,
		       const struct ctm_po_process *procs, u32 nprocs, enum ctm_po_cause cause,
		       u64 below, int index, u64 *out)
{
	int found = -1;
	u64 w;
	u32 i;

	*out = 0;
	for (i = 0; i < nprocs; i++) {
		w = worth(now, self, &procs[i], cause, po->force);
		if (!w || w > below || (w == below && (int)i <= index))
			continue;
		if (w > *out) {
			*out = w;
			found = i;
		}
	}
	return found;
}

static bool choose_for(struct ctm_policy *po, u64 now, const struct ctm_po_load *self,
		       const struct ctm_po_peer *peers, u32 npeers,
		       const struct ctm_po_process *procs, u32 nprocs, enum ctm_po_cause cause,
		       struct ctm_po_move *out)
{
	u64 w = ~0ull;
	int v = -1, t;
	u32 i;

	for (i = 0; i < VICTIMS; i++) {
		v = next_victim(po, now, self, procs, nprocs, cause, w, v, &w);
		if (v < 0)
			return false;
		t = find_target(po, now, self, peers, npeers, &procs[v], cause);
		if (t < 0)
			continue;
		*out = (struct ctm_po_move){ .process = v, .peer = t, .cause = cause };
		begin(po, now, &peers[t], &procs[v]);
		return true;
	}
	return false;
}

bool ctm_po_choose(struct ctm_policy *po, u64 now, const struct ctm_po_load *self,
		   const struct ctm_po_peer *peers, u32 npeers,
		   const struct ctm_po_process *procs, u32 nprocs, struct ctm_po_move *out)
{
	if (po->leaving || now < po->pause)
		return false;
	forget_promises(po, now);
	if (po->draining)
		return choose_for(po, now, self, peers, npeers, procs, nprocs, CTM_PO_DRAIN, out);
	if (!po->cfg.valve)
		return false;
	if (po->above >= CTM_PO_SAMPLES &&
	    choose_for(po, now, self, peers, npeers, procs, nprocs, CTM_PO_PRESSURE, out))
		return true;
	return po->dog >= CTM_PO_SAMPLES &&
	       choose_for(po, now, self, peers, npeers, procs, nprocs, CTM_PO_WATCHDOG, out);
}

bool ctm_po_open(const struct ctm_policy *po, enum ctm_po_cause *cause)
{
	*cause = po->draining ? CTM_PO_DRAIN : po->above >= CTM_PO_SAMPLES ? CTM_PO_PRESSURE :
							     CTM_PO_WATCHDOG;
	return po->draining ||
	       (po->cfg.valve && (po->above >= CTM_PO_SAMPLES || po->dog >= CTM_PO_SAMPLES));
}

const char *ctm_po_stays(const struct ctm_policy *po, u64 now, const struct ctm_po_load *self,
			 const struct ctm_po_process *proc, enum ctm_po_cause cause)
{
	const char *why = stays(now, proc, cause, po->force);

	if (!why && cause != CTM_PO_DRAIN && !gain_of(self, proc, cause))
		return "that would relieve this node of nothing";
	return why;
}

const char *ctm_po_spares(struct ctm_policy *po, u64 now, const struct ctm_po_load *self,
			  const struct ctm_po_peer *peer, const struct ctm_po_process *proc,
			  enum ctm_po_cause cause)
{
	struct fit f;

	forget_promises(po, now);
	return fits(po, now, self, peer, proc, cause, &f);
}

/* doubles with @n, at most @max times */
static u64 longer(u32 ms, u32 n, u32 max)
{
	return (u64)ms << (n < max ? n : max);
}

void ctm_po_done(struct ctm_policy *po, u64 now, enum ctm_po_result result)
{
	struct ctm_po_promise *p = promise_of(po, po->leaving_to);
	struct ctm_po_cooling *c = po->leaving_cooling;

	if (!po->leaving)
		return;
	po->leaving = 0;
	po->leaving_cooling = NULL;
	po->pause = now + PAUSE_MS * CTM_PO_MS;
	if (result == CTM_PO_FAILED) {
		c->until = now + longer(FAIL_MS, c->failed, FAIL_DOUBLES) * CTM_PO_MS;
		c->failed++;
	}
	if (!p)
		return;
	p->at = now;
	if (result == CTM_PO_MOVED) {
		p->landed = true;
		p->until = now + PROMISE_MS * CTM_PO_MS;
	} else {
		/* whatever it was, ask others first */
		p->refused = true;
		p->until = now + (REFUSED_MS / 2 + random_below(po, REFUSED_MS)) * CTM_PO_MS;
	}
}

int ctm_po_best(struct ctm_policy *po, u64 now, const struct ctm_po_peer *peers, u32 npeers,
		const struct ctm_po_process *proc)
{
	static const struct ctm_po_load nothing;

	forget_promises(po, now);
	return find_target(po, now, &nothing, peers, npeers, proc, CTM_PO_DRAIN);
}

static bool goes_before(const struct ctm_po_peer *a, const struct ctm_po_peer *b)
{
	return a->load.pressure < b->load.pressure ||
	       (a->load.pressure == b->load.pressure && a->id < b->id);
}

u32 ctm_po_spread(const struct ctm_po_peer *peers, u32 npeers, u32 *order)
{
	u32 i, at, n = 0;

	for (i = 0; i < npeers; i++) {
		if (!peers[i].usable)
			continue;
		for (at = n++; at && goes_before(&peers[i], &peers[order[at - 1]]); at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
	return n;
}

u32 ctm_po_left(const struct ctm_policy *po, const struct ctm_po_process *procs, u32 nprocs)
{
	u32 i, left = 0;

	for (i = 0; i < nprocs; i++)
		if (procs[i].gpid != po->leaving &&
		    ((procs[i].pinned && !po->force) || procs[i].cooling->failed))
			left++;
	return left;
}

/* ---- landing ---- */

const char *ctm_po_admit(struct ctm_policy *po, u64 now, const struct ctm_po_load *self, u32 from,
			 u32 rss_mib)
{
	u32 mem = self->mem + mem_share(self, rss_mib);

	if (po->draining)
		return "it is draining";
	if (po->above >= CTM_PO_SAMPLES)
		return "it is hot itself";
	if (mem > MEM_TIGHT)
		return "its memory is tight";
	/* of one node's it knows; what two send at once neither has counted */
	if (now < po->landing_until && from != po->landing_from)
		return "it has just accepted another";
	po->landing_from = from;
	po->landing_until = now + UNDER_WAY_MS * CTM_PO_MS;
	return NULL;
}

void ctm_po_landed(struct ctm_policy *po, u64 now, bool here)
{
	po->landing_until = here ? now + SETTLE_MS * CTM_PO_MS : 0;
}

void ctm_po_arrived(struct ctm_po_cooling *c, u64 now, u32 hops, u32 rss_mib)
{
	u64 ship = SHIP_MS + (u64)SHIP_MS_MIB * rss_mib;

	/* and it is to work ten times as long as it was shipped */
	c->until = now + (longer(COOL_MS, hops ? hops - 1 : 0, COOL_DOUBLES) + 10 * ship) * CTM_PO_MS;
	c->failed = 0;
}
