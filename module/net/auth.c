// SPDX-License-Identifier: GPL-2.0
/*
 * auth.c - the cluster key, the frames of a hello, and the keys that follow
 *
 * The ring of cluster keys belongs to this file (ring_lock).  Everything else
 * here works on what it is given.  The frames are described in core/wire.h.
 *
 * Every tag is BLAKE2s keyed with the cluster key over a label, which tells one
 * kind of message from the other, and over everything both sides have said.
 */
#include <crypto/algapi.h>
#include <linux/random.h>
#include <linux/spinlock.h>
#include "compat/compat.h"
#include "net/net.h"

static DEFINE_SPINLOCK(ring_lock);
/* The first is used, all are accepted.  File scope: one cluster a node. */
static struct ctm_key ring[CTM_NODE_KEYS];
static unsigned int ring_n;

int ctm_auth_set_keys(const u8 (*keys)[CTM_NODE_KEY], unsigned int nkeys)
{
	unsigned int i;

	if (!nkeys || nkeys > CTM_NODE_KEYS)
		return -EINVAL;
	spin_lock(&ring_lock);
	for (i = 0; i < nkeys; i++)
		memcpy(ring[i].k, keys[i], CTM_NODE_KEY);
	ring_n = nkeys;
	spin_unlock(&ring_lock);
	return 0;
}

void ctm_auth_rotate(const u8 *key, const u8 *old)
{
	spin_lock(&ring_lock);
	if (key && memcmp(key, ring[0].k, CTM_NODE_KEY)) {
		ring[1] = ring[0];
		ring_n = 2;
		memcpy(ring[0].k, key, CTM_NODE_KEY);
	}
	if (old) {
		memcpy(ring[1].k, old, CTM_NODE_KEY);
		ring_n = memchr_inv(old, 0, CTM_NODE_KEY) ? 2 : 1;
	}
	spin_unlock(&ring_lock);
}

void ctm_auth_forget(void)
{
	spin_lock(&ring_lock);
	memzero_explicit(ring, sizeof(ring));
	ring_n = 0;
	spin_unlock(&ring_lock);
}

static bool ring_get(unsigned int i, struct ctm_key *out)
{
	bool have;

	spin_lock(&ring_lock);
	have = i < ring_n;
	if (have)
		*out = ring[i];
	spin_unlock(&ring_lock);
	return have;
}

void ctm_mac(u8 *out, size_t outlen, const struct ctm_key *key, const char *label,
	     const void *a, size_t alen, const void *b, size_t blen)
{
	struct blake2s_ctx ctx;

	blake2s_init_key(&ctx, outlen, key->k, sizeof(key->k));
	blake2s_update(&ctx, label, strlen(label) + 1);
	blake2s_update(&ctx, a, alen);
	blake2s_update(&ctx, b, blen);
	blake2s_final(&ctx, out);
}

void ctm_key_derive(const struct ctm_key *root, const char *label, struct ctm_key *out)
{
	ctm_mac(out->k, sizeof(out->k), root, label, NULL, 0, NULL, 0);
}

/* ---- frames ---- */

#define UNTAGGED	offsetof(struct ctm_wire_hello, tag)

static void tag_hello(struct ctm_wire_hello *m, const struct ctm_key *key)
{
	ctm_mac(m->tag, sizeof(m->tag), key, "hello", m, UNTAGGED, NULL, 0);
}

static bool tag_hello_ok(const struct ctm_wire_hello *m, const struct ctm_key *key)
{
	u8 tag[CTM_WIRE_TAG];

	ctm_mac(tag, sizeof(tag), key, "hello", m, UNTAGGED, NULL, 0);
	return !crypto_memneq(tag, m->tag, sizeof(tag));
}

static void tag_answer(u8 tag[CTM_WIRE_TAG], const struct ctm_key *key,
		       const struct ctm_wire_hello *hello, const struct ctm_wire_hello *answer)
{
	ctm_mac(tag, CTM_WIRE_TAG, key, "answer", hello, sizeof(*hello), answer, UNTAGGED);
}

/* PROOF and WELCOME: the head, and the hash of what was said before */
static void tag_proof(u8 tag[CTM_WIRE_TAG], const struct ctm_key *key, const char *label,
		      const struct ctm_wire_head *head, const u8 hash[32])
{
	ctm_mac(tag, CTM_WIRE_TAG, key, label, head, sizeof(*head), hash, 32);
}

static void hash_hello(const struct ctm_wire_hello *hello, const struct ctm_wire_hello *answer,
		       u8 hash[32])
{
	struct blake2s_ctx ctx;

	blake2s_init(&ctx, 32);
	blake2s_update(&ctx, (const u8 *)hello, sizeof(*hello));
	blake2s_update(&ctx, (const u8 *)answer, sizeof(*answer));
	blake2s_final(&ctx, hash);
}

static void derive_root(const struct ctm_key *key, const u8 hash[32], struct ctm_key *root)
{
	ctm_mac(root->k, sizeof(root->k), key, "root", hash, 32, NULL, 0);
}

/* who we are; channel, flags, to and status are the caller's */
static void write_hello(struct ctm_wire_hello *m, const struct ctm_node_config *me,
			enum ctm_wire_type type, enum ctm_wire_status status)
{
	memset(m, 0, sizeof(*m));
	ctm_wire_head(&m->head, type, sizeof(*m), status);
	m->from = cpu_to_le32(me->id);
	m->from_boot = cpu_to_le64(me->boot);
	get_random_bytes(m->nonce, sizeof(m->nonce));
	memcpy(m->machine, me->machine, sizeof(m->machine));
	memcpy(m->cluster, me->cluster, sizeof(m->cluster));
	m->port = cpu_to_le16(me->port);
	ctm_peer_card(&m->card);
}

/* after the tag was found right; false: a node of ours would not write that */
static bool read_hello(const struct ctm_wire_hello *m, struct ctm_hello *h)
{
	if (!m->from || !m->from_boot || !m->port ||
	    !ctm_wire_name_ok(m->cluster, sizeof(m->cluster)) ||
	    !ctm_wire_name_ok(m->card.name, sizeof(m->card.name)))
		return false;
	h->id = le32_to_cpu(m->from);
	h->boot = le64_to_cpu(m->from_boot);
	memcpy(h->machine, m->machine, sizeof(h->machine));
	h->addr.port = le16_to_cpu(m->port);
	h->card = m->card;
	return true;
}

/* first the head, with nothing assumed; then, if that is right, the rest */
static int recv_frame(struct ctm_conn *c, enum ctm_wire_type type, void *buf, u32 size)
{
	struct ctm_wire_head *head = buf;
	int err;

	/* whoever says nothing at all is no fault; whoever stops within a frame is */
	err = ctm_conn_recv(c, buf, 1);
	if (err)
		return err;
	err = ctm_conn_recv(c, buf + 1, sizeof(*head) - 1);
	if (err)
		goto short_frame;
	switch (ctm_wire_look(head, type, size, size)) {
	case CTM_WIRE_FINE:
		break;
	case CTM_WIRE_SHORT:
		ctm_count(CTM_CNT_TRUNCATED);
		return -EPROTO;
	case CTM_WIRE_LONG:
		ctm_count(CTM_CNT_OVERSIZED);
		return -EPROTO;
	default:
		ctm_count(CTM_CNT_GARBAGE);
		return -EPROTO;
	}
	err = ctm_conn_recv(c, head + 1, size - sizeof(*head));
	if (!err)
		return 0;
short_frame:
	if (err == -ECONNRESET || err == -ETIMEDOUT)
		ctm_count(CTM_CNT_TRUNCATED);
	return err;
}

/* ---- the connecting side ---- */

static int refused(u32 status, const struct ctm_hello *h, const struct ctm_node_config *me,
		   char *why)
{
	const char *name = h->card.name;

	switch (status) {
	case CTM_WIRE_BAD_KEY:
		snprintf(why, CTM_REASON_MAX, "the peer does not have our cluster key: compare /etc/continuum/cluster.key");
		return -EKEYREJECTED;
	case CTM_WIRE_CLUSTER:
		snprintf(why, CTM_REASON_MAX, "%s belongs to another cluster than \"%s\": see cluster in continuum.conf", name, me->cluster);
		return -EREMCHG;
	case CTM_WIRE_SELF:
		snprintf(why, CTM_REASON_MAX, "that address is this node's own");
		return -ELOOP;
	case CTM_WIRE_SAME_ID:
		snprintf(why, CTM_REASON_MAX, "node id %08x collides: another machine uses it (a cloned machine id?): give one of them a new /etc/machine-id", me->id);
		return -EEXIST;
	case CTM_WIRE_SAME_NAME:
		snprintf(why, CTM_REASON_MAX, "the name %s is another node's already: set name in continuum.conf", me->name);
		return -EEXIST;
	case CTM_WIRE_NOT_ME:
		snprintf(why, CTM_REASON_MAX, "another node (%s) lives at that address", name);
		return -EHOSTUNREACH;
	case CTM_WIRE_ENCRYPT:
		snprintf(why, CTM_REASON_MAX, "%s has encrypt %s, this node %s: set it alike in the whole cluster",
			 name, me->encrypt ? "off" : "on", me->encrypt ? "on" : "off");
		return -EPROTO;
	case CTM_WIRE_BUSY:
		snprintf(why, CTM_REASON_MAX, "%s has too many connections", name);
		return -EBUSY;
	case CTM_WIRE_NO_TLS:
		snprintf(why, CTM_REASON_MAX, "%s cannot encrypt (is continuumd running there, is the module tls loaded?)", name);
		return -EPROTO;
	case CTM_WIRE_CHANNEL:
		snprintf(why, CTM_REASON_MAX, "%s does not serve channel %u", name, h->channel);
		return -EPROTO;
	case CTM_WIRE_LEFT:
		snprintf(why, CTM_REASON_MAX, "%s has left the cluster: join from there", name);
		return -EHOSTUNREACH;
	}
	snprintf(why, CTM_REASON_MAX, "the peer refused (%u)", status);
	return -EPROTO;
}

static int check_answer(const struct ctm_wire_hello *hello, const struct ctm_wire_hello *answer,
			const struct ctm_key *key, struct ctm_hello *h,
			const struct ctm_node_config *me, char *why)
{
	u32 status = le32_to_cpu(answer->head.status);
	u8 tag[CTM_WIRE_TAG];

	tag_answer(tag, key, hello, answer);
	if (crypto_memneq(tag, answer->tag, sizeof(tag))) {
		/* whoever cannot sign says BAD_KEY, and may be anybody */
		if (status != CTM_WIRE_BAD_KEY)
			ctm_count(CTM_CNT_BAD_HELLO);
		return refused(CTM_WIRE_BAD_KEY, h, me, why);
	}
	if (!read_hello(answer, h)) {
		snprintf(why, CTM_REASON_MAX, "the peer's answer is malformed");
		return -EPROTO;
	}
	if (status)
		return refused(status, h, me, why);
	if (le32_to_cpu(answer->to) != me->id || le64_to_cpu(answer->to_boot) != me->boot ||
	    answer->channel != hello->channel || answer->flags != hello->flags) {
		snprintf(why, CTM_REASON_MAX, "the peer's answer is malformed");
		return -EPROTO;
	}
	return 0;
}

/* authentic, but do we want it? */
static int accept_answer(u32 want, const struct ctm_hello *h, const struct ctm_node_config *me,
			 char *why)
{
	if (want && h->id != want)
		return refused(CTM_WIRE_NOT_ME, h, me, why);
	switch (ctm_peer_judge(h)) {
	case CTM_WIRE_SAME_ID:
		snprintf(why, CTM_REASON_MAX, "%s has node id %08x, which collides with another machine's (a cloned machine id?)", h->card.name, h->id);
		return -EEXIST;
	case CTM_WIRE_SAME_NAME:
		snprintf(why, CTM_REASON_MAX, "two nodes have the name %s", h->card.name);
		return -EEXIST;
	case CTM_WIRE_SELF:
		return refused(CTM_WIRE_SELF, h, me, why);
	default:
		return 0;
	}
}

static int prove(struct ctm_conn *c, const struct ctm_key *key, const u8 hash[32],
		 const struct ctm_hello *h, const struct ctm_node_config *me, char *why)
{
	struct ctm_wire_proof proof, welcome;
	u8 tag[CTM_WIRE_TAG];
	int err;

	ctm_wire_head(&proof.head, CTM_WIRE_PROOF, sizeof(proof), 0);
	tag_proof(proof.tag, key, "proof", &proof.head, hash);
	err = ctm_conn_send(c, &proof, sizeof(proof), false);
	if (!err)
		err = recv_frame(c, CTM_WIRE_WELCOME, &welcome, sizeof(welcome));
	if (err)
		return err;
	tag_proof(tag, key, "welcome", &welcome.head, hash);
	if (crypto_memneq(tag, welcome.tag, sizeof(tag))) {
		ctm_count(CTM_CNT_BAD_HELLO);
		return refused(CTM_WIRE_BAD_KEY, h, me, why);
	}
	if (welcome.head.status)
		return refused(le32_to_cpu(welcome.head.status), h, me, why);
	return 0;
}

int ctm_hello_ask(struct ctm_conn *c, u32 want, struct ctm_hello *h, char *why)
{
	struct ctm_wire_hello hello, answer;
	struct ctm_node_config me;
	struct ctm_key key;
	u8 hash[32];
	int err;

	ctm_node_config(&me);
	h->initiator = true;
	if (!ring_get(0, &key)) {
		snprintf(why, CTM_REASON_MAX, "the node is not up: continuumctl up");
		return -ENETDOWN;
	}
	write_hello(&hello, &me, CTM_WIRE_HELLO, CTM_WIRE_OK);
	hello.to = cpu_to_le32(want);
	hello.channel = cpu_to_le16(h->channel);
	hello.flags = cpu_to_le16(h->flags);
	tag_hello(&hello, &key);

	err = ctm_conn_send(c, &hello, sizeof(hello), false);
	if (!err)
		err = recv_frame(c, CTM_WIRE_ANSWER, &answer, sizeof(answer));
	if (err)
		goto out;
	err = check_answer(&hello, &answer, &key, h, &me, why);
	if (err)
		goto out;
	err = accept_answer(want, h, &me, why);
	if (err)
		goto out;
	hash_hello(&hello, &answer, hash);
	err = prove(c, &key, hash, h, &me, why);
	if (err)
		goto out;
	derive_root(&key, hash, &h->root);
out:
	memzero_explicit(&key, sizeof(key));
	if (err && !why[0])
		snprintf(why, CTM_REASON_MAX, "the peer broke off the hello (another version, or too busy?)");
	return err;
}

/* ---- the accepting side ---- */

static bool find_key(const struct ctm_wire_hello *m, struct ctm_key *key)
{
	unsigned int i;

	for (i = 0; ring_get(i, key); i++)
		if (tag_hello_ok(m, key))
			return true;
	memzero_explicit(key, sizeof(*key));
	return false;
}

static enum ctm_wire_status judge(const struct ctm_wire_hello *m, const struct ctm_hello *h,
				  const struct ctm_node_config *me)
{
	enum ctm_wire_status status;

	if (memcmp(m->cluster, me->cluster, sizeof(m->cluster)))
		return CTM_WIRE_CLUSTER;
	status = ctm_peer_judge(h);
	if (status)
		return status;
	if (m->to && le32_to_cpu(m->to) != me->id)
		return CTM_WIRE_NOT_ME;
	if (!!(h->flags & CTM_WIRE_HELLO_ENCRYPT) != me->encrypt)
		return CTM_WIRE_ENCRYPT;
	if (!ctm_channel_served(h->channel))
		return CTM_WIRE_CHANNEL;
	if (ctm_conn_crowded(h->id))
		return CTM_WIRE_BUSY;
	return CTM_WIRE_OK;
}

/* a stranger learns only that we do not know his key */
static void turn_away(struct ctm_conn *c)
{
	struct ctm_wire_hello m;

	memset(&m, 0, sizeof(m));
	ctm_wire_head(&m.head, CTM_WIRE_ANSWER, sizeof(m), CTM_WIRE_BAD_KEY);
	ctm_conn_send(c, &m, sizeof(m), false);
}

static int send_answer(struct ctm_conn *c, const struct ctm_wire_hello *hello,
		       struct ctm_hello *h, const struct ctm_node_config *me,
		       struct ctm_hello_state *st)
{
	struct ctm_wire_hello answer;
	enum ctm_wire_status status = judge(hello, h, me);
	int err;

	write_hello(&answer, me, CTM_WIRE_ANSWER, status);
	answer.to = hello->from;
	answer.to_boot = hello->from_boot;
	answer.channel = hello->channel;
	answer.flags = hello->flags;
	tag_answer(answer.tag, &st->key, hello, &answer);
	err = ctm_conn_send(c, &answer, sizeof(answer), false);
	hash_hello(hello, &answer, st->hash);
	return err ?: status ? -EPROTO : 0;
}

static int check_proof(struct ctm_conn *c, const struct ctm_hello_state *st)
{
	struct ctm_wire_proof proof;
	u8 tag[CTM_WIRE_TAG];
	int err;

	err = recv_frame(c, CTM_WIRE_PROOF, &proof, sizeof(proof));
	if (err)
		return err;
	tag_proof(tag, &st->key, "proof", &proof.head, st->hash);
	if (crypto_memneq(tag, proof.tag, sizeof(tag))) {
		ctm_count(CTM_CNT_BAD_HELLO);
		return -EKEYREJECTED;
	}
	return 0;
}

int ctm_hello_answer(struct ctm_conn *c, struct ctm_hello *h, struct ctm_hello_state *st)
{
	struct ctm_wire_hello hello;
	struct ctm_node_config me;
	int err;

	err = recv_frame(c, CTM_WIRE_HELLO, &hello, sizeof(hello));
	if (err)
		return err;
	if (!find_key(&hello, &st->key)) {
		ctm_count(CTM_CNT_BAD_HELLO);
		turn_away(c);
		return -EKEYREJECTED;
	}
	if (!read_hello(&hello, h)) {
		ctm_count(CTM_CNT_GARBAGE);
		return -EPROTO;
	}
	ctm_node_config(&me);
	h->initiator = false;
	h->channel = le16_to_cpu(hello.channel);
	h->flags = le16_to_cpu(hello.flags);
	err = send_answer(c, &hello, h, &me, st);
	if (!err)
		err = check_proof(c, st);
	if (!err)
		derive_root(&st->key, st->hash, &h->root);
	return err;
}

int ctm_hello_welcome(struct ctm_conn *c, struct ctm_hello_state *st, enum ctm_wire_status status)
{
	struct ctm_wire_proof welcome;

	ctm_wire_head(&welcome.head, CTM_WIRE_WELCOME, sizeof(welcome), status);
	tag_proof(welcome.tag, &st->key, "welcome", &welcome.head, st->hash);
	memzero_explicit(&st->key, sizeof(st->key));
	return ctm_conn_send(c, &welcome, sizeof(welcome), false);
}
