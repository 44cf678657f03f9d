// SPDX-License-Identifier: GPL-2.0
/*
 * sockpair.c - unnamed unix socket pairs inside the process; other sockets stay
 *
 * What waits in an end is read by recvmsg(MSG_PEEK) through the socket's own
 * offset for peeking, which only we use then: the queue's layout is no module's
 * business, and newer kernels keep it to themselves.
 */
#include <linux/fs.h>
#include <linux/net.h>
#include <net/af_unix.h>
#include <net/sock.h>

#include "../compat/compat.h"
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

/*
 * Bytes in it do not matter: a running process has some there at any moment.
 * Nor does what cannot be known before the process stands still.
 */
static bool plain(struct sock *sk)
{
	return !unix_sk(sk)->addr && !sk->sk_shutdown && !ctm_sock_passes(sk) &&
	       READ_ONCE(sk->sk_peek_off) < 0 &&
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
	const struct sock *sk = sock_from_file(o->file)->sk;

	r->peer = o->peer;
	r->u[0] = sk->sk_type;
	r->u[1] = READ_ONCE(sk->sk_sndbuf);
}

/* the next bytes or message behind those that were peeked at; 0: no more */
static int peek(struct ctm_capture *c, const struct ctm_open *o, void *to, size_t room)
{
	struct kvec v = { .iov_base = to, .iov_len = room };
	struct msghdr msg = {};
	int n = kernel_recvmsg(sock_from_file(o->file), &msg, &v, 1, room, MSG_PEEK | MSG_DONTWAIT);

	if (n == -EAGAIN)
		return 0;
	if (n < 0)
		return ctm_fail(c, n, "fd %d: its socket cannot be read", o->fd);
	if (msg.msg_flags & MSG_CTRUNC)
		return ctm_fail(c, -EOPNOTSUPP, "fd %d: a unix socket with descriptors in it: cannot move", o->fd);
	if (msg.msg_flags & MSG_TRUNC)
		return ctm_fail(c, -EOPNOTSUPP, "fd %d: a unix socket with a message of more than %zu bytes in it: cannot move",
				o->fd, room);
	return n;
}

static int put_queue(struct ctm_capture *c, const struct ctm_open *o, struct sock *sk)
{
	unsigned int messages = 0;
	u64 pos = 0;
	int n, err;

	while ((n = peek(c, o, ctm_filedata_buf(c), CTM_FILEDATA_MAX)) > 0) {
		err = ctm_put_filedata(c, o->id, pos, n);
		if (err)
			return err;
		pos += n;
		messages++;
	}
	if (!n && sk->sk_type != SOCK_STREAM && messages != skb_queue_len_lockless(&sk->sk_receive_queue))
		return ctm_fail(c, -EOPNOTSUPP, "fd %d: a unix socket with an empty message in it: cannot move", o->fd);
	return n;
}

/*
 * What can be read from an end, as FILEDATA; messages stay messages.  Nobody else
 * uses the pair: both ends are the process's alone, which is frozen or calls this
 * itself.
 */
int ctm_sock_data(struct ctm_capture *c, const struct ctm_open *o)
{
	struct sock *sk = sock_from_file(o->file)->sk;
	int err;

#if IS_ENABLED(CONFIG_AF_UNIX_OOB)
	if (READ_ONCE(unix_sk(sk)->oob_skb))
		return ctm_fail(c, -EOPNOTSUPP, "fd %d: a unix socket with out-of-band data in it: cannot move", o->fd);
#endif
	WRITE_ONCE(sk->sk_peek_off, 0);
	err = put_queue(c, o, sk);
	WRITE_ONCE(sk->sk_peek_off, -1);	/* as plain() has found it */
	return err;
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
