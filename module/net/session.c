// SPDX-License-Identifier: GPL-2.0
/*
 * session.c - the keys of datagrams
 *
 * A hello with CTM_WIRE_HELLO_SESSION gives keys for datagrams, both ways.  The one
 * who asked uses them at once; the one who answered uses them when the first datagram
 * under them has come, because the WELCOME may have been lost.  A few older ones stay
 * valid for what is under way.
 */
#include <crypto/algapi.h>
#include <linux/jiffies.h>
#include <linux/slab.h>
#include "net/peers_priv.h"

/* Datagrams of one peer in a second.  The protocols send some tens. */
#define RATE_MAX	1000u

struct ctm_session *ctm_session_new(const struct ctm_hello *h)
{
	struct ctm_session *s = kzalloc(sizeof(*s), GFP_KERNEL);
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

void ctm_sessions_init(struct ctm_sessions *s)
{
	memset(s, 0, sizeof(*s));
	spin_lock_init(&s->lock);
	s->second = jiffies;
}

void ctm_sessions_free(struct ctm_sessions *s)
{
	unsigned int i;

	for (i = 0; i < CTM_SESSIONS; i++)
		kfree_sensitive(s->all[i]);
}

/* the place of the oldest, but never of the one we send with */
static unsigned int place(const struct ctm_sessions *s)
{
	unsigned int i, oldest = CTM_SESSIONS;

	for (i = 0; i < CTM_SESSIONS; i++) {
		if (!s->all[i])
			return i;
		if (s->all[i] != s->tx &&
		    (oldest == CTM_SESSIONS || s->all[i]->age < s->all[oldest]->age))
			oldest = i;
	}
	return oldest;
}

void ctm_session_add(struct ctm_sessions *s, struct ctm_session *new, bool use)
{
	struct ctm_session *old;
	unsigned int at;

	spin_lock(&s->lock);
	at = place(s);
	old = s->all[at];
	new->age = ++s->age;
	s->all[at] = new;
	if (use || !s->tx)
		s->tx = new;
	spin_unlock(&s->lock);
	kfree_sensitive(old);
}

void ctm_sessions_drop(struct ctm_sessions *s, u64 boot)
{
	struct ctm_session *drop[CTM_SESSIONS] = { };
	unsigned int i;

	spin_lock(&s->lock);
	for (i = 0; i < CTM_SESSIONS; i++) {
		if (!s->all[i] || s->all[i]->boot == boot)
			continue;
		drop[i] = s->all[i];
		s->all[i] = NULL;
		if (s->tx == drop[i])
			s->tx = NULL;
	}
	spin_unlock(&s->lock);
	for (i = 0; i < CTM_SESSIONS; i++)
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
	struct peer *p = ctm_peer_get(id);
	int err = -EHOSTUNREACH;
	struct ctm_key key;

	if (!p)
		return err;
	ctm_peer_where(id, addr);
	spin_lock(&p->sessions.lock);
	if (p->sessions.tx) {
		d->session = (__force __le64)p->sessions.tx->id;
		d->counter = cpu_to_le64(++p->sessions.tx->counter);
		key = p->sessions.tx->tx;
		err = 0;
	}
	spin_unlock(&p->sessions.lock);
	ctm_peer_put(p);
	if (!err)
		dgram_tag(d->tag, &key, d, payload, len);
	memzero_explicit(&key, sizeof(key));
	return err;
}

static struct ctm_session *find(const struct ctm_sessions *s, const struct ctm_wire_dgram *d)
{
	unsigned int i;

	for (i = 0; i < CTM_SESSIONS; i++)
		if (s->all[i] && s->all[i]->id == (__force u64)d->session &&
		    s->all[i]->boot == le64_to_cpu(d->boot))
			return s->all[i];
	return NULL;
}

static bool floods(struct ctm_sessions *all)
{
	if (time_after_eq(jiffies, all->second + HZ)) {
		all->second = jiffies;
		all->came = 0;
	}
	return ++all->came > RATE_MAX;
}

static int check_locked(struct ctm_sessions *all, const struct ctm_wire_dgram *d,
			const void *payload, size_t len)
{
	struct ctm_session *s = find(all, d);
	u8 tag[CTM_WIRE_DGRAM_TAG];

	if (!s)
		return -ENOKEY;
	dgram_tag(tag, &s->rx, d, payload, len);
	if (crypto_memneq(tag, d->tag, sizeof(tag)))
		return -EBADMSG;
	if (!ctm_replay_accept(&s->seen, le64_to_cpu(d->counter)))
		return -EEXIST;
	/* only now: nobody else can use up what is its */
	if (floods(all))
		return -EDQUOT;
	/* the peer has these keys for certain */
	if (!all->tx || s->age > all->tx->age)
		all->tx = s;
	return 0;
}

int ctm_session_check(const struct ctm_wire_dgram *d, const void *payload, size_t len)
{
	struct peer *p = ctm_peer_get(le32_to_cpu(d->from));
	int err;

	if (!p)
		return -ENOKEY;
	spin_lock(&p->sessions.lock);
	err = check_locked(&p->sessions, d, payload, len);
	spin_unlock(&p->sessions.lock);
	if (!err)
		WRITE_ONCE(p->heard, jiffies);
	ctm_peer_put(p);
	return err;
}
