// SPDX-License-Identifier: GPL-2.0
/*
 * signal.c - a signal on its way through the cluster
 */
#include "signal.h"

#define FLAGS_KNOWN	CTM_SIGNAL_GROUP
#define CALLER_KILL	2u			/* CTM_CALLER_KILL */
#define CALLER_KNOWN	3u			/* and CTM_CALLER_ADMIN */

static u64 earlier(u64 a, u64 b)
{
	return a < b ? a : b;
}

u32 ctm_sig_left(u64 until, u64 now)
{
	u64 ms = until > now ? (until - now) / CTM_SIG_MS : 0;

	return ms < CTM_SIG_LIFE_MAX_MS ? ms : CTM_SIG_LIFE_MAX_MS;
}

/* ---- on the wire ---- */

size_t ctm_sig_put(void *buf, const struct ctm_sig *s)
{
	struct ctm_sig_wire *w = buf;
	struct ctm_sig_info_wire *i = (void *)(w + 1);

	w->boot = cpu_to_le64(s->id.boot);
	w->seq = cpu_to_le64(s->id.seq);
	w->floor = cpu_to_le64(s->floor);
	w->gpid = cpu_to_le64(s->gpid);
	w->node = cpu_to_le32(s->id.node);
	w->uid = cpu_to_le32(s->uid);
	w->euid = cpu_to_le32(s->euid);
	w->gid = cpu_to_le32(s->gid);
	w->caller = cpu_to_le32(s->caller);
	w->left_ms = cpu_to_le32(s->left_ms);
	w->flags = cpu_to_le32(s->flags);
	w->what = cpu_to_le16(s->what);
	w->hops = s->hops;
	w->wave = s->wave;
	if (!s->has_info)
		return sizeof(*w);
	i->tid = cpu_to_le32(s->info.tid);
	i->pad = 0;
	memcpy(i->siginfo, s->info.siginfo, sizeof(i->siginfo));
	return sizeof(*w) + sizeof(*i);
}

static bool id_ok(const struct ctm_sig_id *id)
{
	return id->boot && id->node && id->seq && id->seq < ~0ull - 2 * CTM_SIG_WINDOW;
}

/* only nodes send these, for what was sent to a process of theirs */
static bool info_ok(const struct ctm_sig *s)
{
	s32 signo;

	if (!s->has_info)
		return true;
	memcpy(&signo, s->info.siginfo, sizeof(signo));
	return s->what >= 1 && s->what <= 64 && signo == (s32)s->what && !s->flags &&
	       s->info.tid <= CTM_TID_MAX && s->caller & CALLER_KILL;
}

static bool sig_ok(const struct ctm_sig *s)
{
	return id_ok(&s->id) && s->floor && s->floor <= s->id.seq &&
	       s->id.seq - s->floor < CTM_SIG_WINDOW && s->gpid &&
	       s->what <= CTM_SIG_WHAT_MAX && !(s->flags & ~FLAGS_KNOWN) &&
	       !(s->flags && s->what > 64) && !(s->caller & ~CALLER_KNOWN) &&
	       s->left_ms <= CTM_SIG_LIFE_MAX_MS && s->hops <= CTM_SIG_HOPS_MAX &&
	       s->wave <= CTM_SIG_WAVES && info_ok(s);
}

int ctm_sig_get(struct ctm_sig *s, const void *buf, size_t len)
{
	const struct ctm_sig_wire *w = buf;
	const struct ctm_sig_info_wire *i = (const void *)(w + 1);

	if (len != sizeof(*w) && len != CTM_SIG_WIRE_MAX)
		return -EBADMSG;
	s->id.boot = le64_to_cpu(w->boot);
	s->id.seq = le64_to_cpu(w->seq);
	s->id.node = le32_to_cpu(w->node);
	s->floor = le64_to_cpu(w->floor);
	s->gpid = le64_to_cpu(w->gpid);
	s->what = le16_to_cpu(w->what);
	s->flags = le32_to_cpu(w->flags);
	s->uid = le32_to_cpu(w->uid);
	s->euid = le32_to_cpu(w->euid);
	s->gid = le32_to_cpu(w->gid);
	s->caller = le32_to_cpu(w->caller);
	s->left_ms = le32_to_cpu(w->left_ms);
	s->hops = w->hops;
	s->wave = w->wave;
	s->has_info = len == CTM_SIG_WIRE_MAX;
	if (s->has_info) {
		if (i->pad)
			return -EBADMSG;
		s->info.tid = le32_to_cpu(i->tid);
		memcpy(s->info.siginfo, i->siginfo, sizeof(i->siginfo));
	}
	return sig_ok(s) ? 0 : -EBADMSG;
}

size_t ctm_sig_ack_put(void *buf, const struct ctm_sig_ack *a)
{
	struct ctm_sig_ack_wire *w = buf;
	size_t n = 0;

	while (n < CTM_REASON_MAX - 1 && a->text[n])
		n++;
	memset(w, 0, sizeof(*w));
	w->boot = cpu_to_le64(a->id.boot);
	w->seq = cpu_to_le64(a->id.seq);
	w->node = cpu_to_le32(a->id.node);
	w->outcome = cpu_to_le16(a->outcome);
	w->error = cpu_to_le16(a->error);
	w->text_len = cpu_to_le16(n);
	w->hops = a->hops;
	memcpy(w->text, a->text, n);
	return sizeof(*w) + n;
}

/* it is shown: one line, nothing that a terminal obeys */
static bool text_ok(const u8 *text, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return true;
}

int ctm_sig_ack_get(struct ctm_sig_ack *a, const void *buf, size_t len)
{
	const struct ctm_sig_ack_wire *w = buf;
	size_t n;

	if (len < sizeof(*w))
		return -EBADMSG;
	n = le16_to_cpu(w->text_len);
	if (n >= CTM_REASON_MAX || len != sizeof(*w) + n || !text_ok(w->text, n))
		return -EBADMSG;
	a->id.boot = le64_to_cpu(w->boot);
	a->id.seq = le64_to_cpu(w->seq);
	a->id.node = le32_to_cpu(w->node);
	a->outcome = le16_to_cpu(w->outcome);
	a->error = le16_to_cpu(w->error);
	a->hops = w->hops;
	memcpy(a->text, w->text, n);
	a->text[n] = 0;
	if (!id_ok(&a->id) || a->outcome == CTM_SIG_OPEN || a->outcome >= CTM_SIG_OUTCOME_MAX ||
	    a->error > 4095 || (a->outcome == CTM_SIG_FAILED) != (a->error != 0))
		return -EBADMSG;
	return 0;
}

/* ---- at the origin ---- */

/* Sent straight first; only what gets no answer so is worth everybody's while. */
#define DIRECT_FIRST	(50 * CTM_SIG_MS)
#define DIRECT_LAST	(1600 * CTM_SIG_MS)
#define SPREAD_FIRST	(250 * CTM_SIG_MS)
#define SPREAD_NEXT	(1000 * CTM_SIG_MS)

void ctm_sig_out_init(struct ctm_sig_out *o, u64 now, u32 life_ms)
{
	memset(o, 0, sizeof(*o));
	if (life_ms > CTM_SIG_LIFE_MAX_MS)
		life_ms = CTM_SIG_LIFE_MAX_MS;
	o->until = now + life_ms * CTM_SIG_MS;
	o->direct_due = now;
	o->spread_due = now + SPREAD_FIRST;
	o->due = now;
}

u32 ctm_sig_out_step(struct ctm_sig_out *o, u64 now)
{
	u32 todo = 0;

	if (now >= o->until)
		return CTM_SIG_DO_GIVE_UP;
	if (now >= o->direct_due) {
		u64 wait = DIRECT_FIRST << (o->direct < 5 ? o->direct : 5);

		todo |= CTM_SIG_DO_SEND;
		o->direct++;
		o->direct_due = now + earlier(wait, DIRECT_LAST);
	}
	if (now >= o->spread_due && o->wave < CTM_SIG_WAVES) {
		todo |= CTM_SIG_DO_SPREAD;
		o->spread_due = now + (SPREAD_NEXT << o->wave);
		o->wave++;
	}
	o->due = earlier(o->direct_due, o->until);
	if (o->wave < CTM_SIG_WAVES)
		o->due = earlier(o->due, o->spread_due);
	return todo;
}

bool ctm_sig_out_ack(struct ctm_sig_out *o, enum ctm_sig_outcome outcome)
{
	if (!ctm_sig_final(o->outcome))
		o->outcome = outcome;
	return ctm_sig_final(o->outcome);
}

/* ---- rumours ---- */

static struct ctm_sig_heard *find(const struct ctm_sig_relay *t, const struct ctm_sig_id *id)
{
	unsigned int i;

	for (i = 0; i < t->nr; i++)
		if (ctm_sig_id_equal(&t->slot[i].sig.id, id))
			return &t->slot[i];
	return NULL;
}

static bool expired(const struct ctm_sig_heard *h, u64 now)
{
	return !h->sig.id.seq || now >= h->until + CTM_SIG_SLACK;
}

/*
 * Room for one more: a free slot, else the oldest that was not a rumour (to forget
 * an answer that was asked for once does little harm).  Rumours stay, so that none
 * is passed on twice; an origin may have a quarter of all slots for its rumours.
 */
static struct ctm_sig_heard *find_room(struct ctm_sig_relay *t, const struct ctm_sig *s, u64 now)
{
	struct ctm_sig_heard *best = NULL;
	unsigned int i, same = 0;

	for (i = 0; i < t->nr; i++) {
		struct ctm_sig_heard *h = &t->slot[i];

		if (expired(h, now)) {
			if (!best || best->sig.id.seq) {
				memset(h, 0, sizeof(*h));
				best = h;
			}
			continue;
		}
		same += h->sig.wave && h->sig.id.node == s->id.node;
		if (!h->sig.wave && (!best || (best->sig.id.seq && h->until < best->until)))
			best = h;
	}
	return s->wave && same >= (t->nr + 3) / 4 ? NULL : best;
}

static void arm(struct ctm_sig_heard *h, const struct ctm_sig *s, u64 now)
{
	h->sig = *s;
	h->until = now + s->left_ms * CTM_SIG_MS;
	h->rounds = s->hops < CTM_SIG_HOPS_MAX ? CTM_SIG_ROUNDS : 0;
	h->due = h->rounds ? now : 0;
}

enum ctm_sig_news ctm_sig_hear(struct ctm_sig_relay *t, const struct ctm_sig *s, u32 from, u64 now)
{
	struct ctm_sig_heard *h = find(t, &s->id);

	if (h && ctm_sig_final(h->outcome))
		return CTM_SIG_ANSWERED;
	if (h && s->wave <= h->sig.wave)
		return CTM_SIG_KNOWN;
	if (h) {
		arm(h, s, now);
		return CTM_SIG_LATER;
	}
	h = find_room(t, s, now);
	if (!h)
		return CTM_SIG_FULL;
	memset(h, 0, sizeof(*h));
	h->from = from;
	arm(h, s, now);
	return CTM_SIG_FIRST;
}

bool ctm_sig_pass(struct ctm_sig_relay *t, u64 now, struct ctm_sig *out, u32 *from)
{
	unsigned int i;

	for (i = 0; i < t->nr; i++) {
		struct ctm_sig_heard *h = &t->slot[i];
		u32 left = ctm_sig_left(h->until, now);

		if (!h->due || h->due > now)
			continue;
		h->due = --h->rounds && left ? now + CTM_SIG_ROUND : 0;
		if (!left)
			continue;
		*out = h->sig;
		out->left_ms = left;
		out->hops++;
		*from = h->from;
		return true;
	}
	return false;
}

u64 ctm_sig_due(const struct ctm_sig_relay *t)
{
	unsigned int i;
	u64 due = 0;

	for (i = 0; i < t->nr; i++)
		if (t->slot[i].due && (!due || t->slot[i].due < due))
			due = t->slot[i].due;
	return due;
}

void ctm_sig_answered(struct ctm_sig_relay *t, const struct ctm_sig *s, u32 from,
		      enum ctm_sig_outcome outcome, u32 error, u64 now)
{
	struct ctm_sig_heard *h = find(t, &s->id);

	if (!h) {
		h = find_room(t, s, now);
		if (!h)
			return;
		memset(h, 0, sizeof(*h));
		h->sig = *s;
		h->until = now + s->left_ms * CTM_SIG_MS;
		h->from = from;
	}
	if (ctm_sig_final(h->outcome))
		return;
	h->outcome = outcome;
	h->error = error;
	h->ours = true;
	h->due = 0;
}

#define ECHOES_MAX	4u	/* of one signal: acknowledgements may be lost, too */

enum ctm_sig_outcome ctm_sig_recall(struct ctm_sig_relay *t, const struct ctm_sig_id *id,
				    struct ctm_sig_ack *a)
{
	struct ctm_sig_heard *h = find(t, id);

	if (!h || !ctm_sig_final(h->outcome))
		return CTM_SIG_OPEN;
	if (!h->ours && h->echoes++ >= ECHOES_MAX) {
		h->echoes = ECHOES_MAX;
		return CTM_SIG_HELD;
	}
	memset(a, 0, sizeof(*a));
	a->id = *id;
	a->outcome = h->outcome;
	a->error = h->error;
	a->hops = h->ours ? 0 : CTM_SIG_ACK_STOP;
	return h->outcome;
}

u32 ctm_sig_echo(struct ctm_sig_relay *t, struct ctm_sig_ack *a, u32 *from)
{
	struct ctm_sig_heard *h = find(t, &a->id);
	u32 first = a->hops == 0 ? CTM_SIG_TO_ORIGIN : 0;

	*from = 0;
	if (!h)
		return 0;
	if (ctm_sig_final(a->outcome) && !ctm_sig_final(h->outcome)) {
		h->outcome = a->outcome;
		h->error = a->error;
		h->due = 0;
	}
	if (a->hops >= CTM_SIG_HOPS_MAX || h->echoes >= ECHOES_MAX)
		return 0;
	h->echoes++;
	a->hops++;
	*from = h->from;
	return first | CTM_SIG_TO_FROM;
}

/* ---- what was applied to a process ---- */

static struct ctm_sig_origin *origin_of(struct ctm_sig_applied *a, u32 node, u64 boot)
{
	unsigned int i;

	for (i = 0; i < CTM_SIG_ORIGINS; i++)
		if (a->v[i].boot == boot && a->v[i].node == node)
			return &a->v[i];
	return NULL;
}

/* a place for a new one.  One that no copy can come from any more may go */
static struct ctm_sig_origin *origin_room(struct ctm_sig_applied *a, u64 now)
{
	unsigned int i;

	for (i = 0; i < CTM_SIG_ORIGINS; i++)
		if (!a->v[i].boot || now >= a->v[i].expires)
			return &a->v[i];
	return NULL;
}

static bool bit_get(const u64 *bits, u64 n)
{
	n %= CTM_SIG_WINDOW;
	return bits[n / 64] >> (n % 64) & 1;
}

static void bit_set(u64 *bits, u64 n)
{
	n %= CTM_SIG_WINDOW;
	bits[n / 64] |= 1ull << (n % 64);
}

/* what falls below the floor is forgotten: its places are those of later numbers */
static void raise_floor(struct ctm_sig_origin *o, u64 floor)
{
	if (floor <= o->floor)
		return;
	if (floor - o->floor >= CTM_SIG_WINDOW) {
		memset(o->bits, 0, sizeof(o->bits));
		o->floor = floor;
	}
	for (; o->floor < floor; o->floor++)
		o->bits[o->floor % CTM_SIG_WINDOW / 64] &= ~(1ull << (o->floor % 64));
}

enum ctm_sig_verdict ctm_sig_applied_judge(struct ctm_sig_applied *a, const struct ctm_sig *s,
					   u64 now)
{
	struct ctm_sig_origin *o = origin_of(a, s->id.node, s->id.boot);

	if (!o)
		return origin_room(a, now) ? CTM_SIG_NEW : CTM_SIG_CROWDED;
	if (s->id.seq < o->floor)
		return CTM_SIG_SETTLED;
	/* a floor above ours only forgets: numbers between are below it */
	if (s->id.seq - o->floor < CTM_SIG_WINDOW && bit_get(o->bits, s->id.seq))
		return CTM_SIG_DONE;
	return CTM_SIG_NEW;
}

void ctm_sig_applied_note(struct ctm_sig_applied *a, const struct ctm_sig *s, u64 now)
{
	struct ctm_sig_origin *o = origin_of(a, s->id.node, s->id.boot);
	u64 expires = now + s->left_ms * CTM_SIG_MS + CTM_SIG_SLACK;

	if (!o) {
		o = origin_room(a, now);
		if (!o)
			return;		/* it was asked for before: CROWDED */
		memset(o, 0, sizeof(*o));
		o->node = s->id.node;
		o->boot = s->id.boot;
		o->floor = s->floor;
	}
	raise_floor(o, s->floor);
	bit_set(o->bits, s->id.seq);
	o->fresh = true;
	if (o->expires < expires)
		o->expires = expires;
}

unsigned int ctm_sig_applied_save(struct ctm_sig_applied *a, struct ctm_rec_applied *out, bool all,
				  u64 now)
{
	unsigned int i, n = 0;

	for (i = 0; i < CTM_SIG_ORIGINS; i++) {
		struct ctm_sig_origin *o = &a->v[i];

		if (!o->boot || now >= o->expires || !(all || o->fresh))
			continue;
		out[n].boot = o->boot;
		out[n].floor = o->floor;
		out[n].node = o->node;
		out[n].pad = 0;
		memcpy(out[n].bits, o->bits, sizeof(o->bits));
		n++;
		o->fresh = false;
	}
	return n;
}

void ctm_sig_applied_load(struct ctm_sig_applied *a, const struct ctm_rec_applied *in,
			  unsigned int n, u64 now)
{
	u64 expires = now + CTM_SIG_LIFE_MAX_MS * CTM_SIG_MS + CTM_SIG_SLACK;
	unsigned int i;
	u64 k;

	for (i = 0; i < n; i++) {
		struct ctm_sig_origin *o = origin_of(a, in[i].node, in[i].boot);

		if (!o) {
			o = origin_room(a, now);
			if (!o)
				return;
			memset(o, 0, sizeof(*o));
			o->node = in[i].node;
			o->boot = in[i].boot;
			o->floor = in[i].floor;
		}
		raise_floor(o, in[i].floor);
		for (k = o->floor; k - in[i].floor < CTM_SIG_WINDOW; k++)
			if (bit_get(in[i].bits, k))
				bit_set(o->bits, k);
		o->fresh = true;
		o->expires = expires;
	}
}
