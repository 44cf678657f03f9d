// SPDX-License-Identifier: GPL-2.0
/*
 * sockpair.c - unnamed unix socket pairs with nothing in them; other sockets stay
 */
#include <linux/fs.h>
#include <linux/net.h>
#include <net/af_unix.h>
#include <net/sock.h>

#include "resource.h"

static const char *family_name(int family)
{
	switch (family) {
	case AF_UNIX:
		return "a unix socket";
	case AF_INET:
	case AF_INET6:
		return "a network socket";
	case AF_NETLINK:
		return "a netlink socket";
	case AF_PACKET:
		return "a packet socket";
	case AF_ALG:
		return "a socket of the crypto interface";
	default:
		return "a socket";
	}
}

static struct ctm_open *find_sock(struct ctm_files *t, const struct sock *sk)
{
	struct socket *sock;
	unsigned int i;

	for (i = 0; i < t->n; i++) {
		sock = sock_from_file(t->o[i].file);
		if (sock && sock->sk == sk)
			return &t->o[i];
	}
	return NULL;
}

/* the other end, with a reference, or NULL */
static struct sock *peer_of(struct sock *sk)
{
	struct sock *peer;

	unix_state_lock(sk);
	peer = unix_sk(sk)->peer;
	if (peer)
		sock_hold(peer);
	unix_state_unlock(sk);
	return peer;
}

static bool plain(struct sock *sk)
{
	return !unix_sk(sk)->addr && !sk->sk_shutdown &&
	       skb_queue_empty_lockless(&sk->sk_receive_queue) &&
	       sk->sk_rcvtimeo == MAX_SCHEDULE_TIMEOUT && sk->sk_sndtimeo == MAX_SCHEDULE_TIMEOUT;
}

static bool is_pair(struct ctm_files *t, struct ctm_open *o, struct sock *sk)
{
	struct sock *peer = peer_of(sk), *back;
	struct ctm_open *other;
	bool ret = false;

	if (!peer)
		return false;
	other = find_sock(t, peer);
	back = peer_of(peer);
	if (other && other != o && back == sk && plain(sk) && plain(peer) &&
	    !ctm_open_outside(t, o) && !ctm_open_outside(t, other))
		ret = true;
	if (back)
		sock_put(back);
	sock_put(peer);
	return ret;
}

void ctm_sock_classify(struct ctm_files *t, struct ctm_open *o)
{
	struct socket *sock = sock_from_file(o->file);
	struct sock *sk = sock ? sock->sk : NULL;

	if (sk && sk->sk_family == AF_UNIX && is_pair(t, o, sk))
		o->kind = CTM_FILE_SOCKPAIR;
	else
		strscpy(o->refused, family_name(sk ? sk->sk_family : AF_UNSPEC), sizeof(o->refused));
}

void ctm_sock_fill(const struct ctm_open *o, struct ctm_rec_file *r)
{
	r->peer = o->peer;
	r->u[0] = sock_from_file(o->file)->sk->sk_type;
}

bool ctm_same_channel(const struct ctm_open *a, const struct ctm_open *b)
{
	struct sock *peer;
	bool ret;

	if (b->kind == CTM_FILE_PIPE_R || b->kind == CTM_FILE_PIPE_W)
		return a->kind != CTM_FILE_SOCKPAIR && file_inode(a->file) == file_inode(b->file);
	if (a->kind != CTM_FILE_SOCKPAIR || b->kind != CTM_FILE_SOCKPAIR)
		return false;
	peer = peer_of(sock_from_file(a->file)->sk);
	ret = peer && peer == sock_from_file(b->file)->sk;
	if (peer)
		sock_put(peer);
	return ret;
}
