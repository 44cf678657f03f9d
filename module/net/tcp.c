// SPDX-License-Identifier: GPL-2.0
/*
 * tcp.c - connections between nodes
 *
 * A struct ctm_conn is owned by whoever opened it, or, when it came in, by the
 * kernel thread that serves it.  The list of all (net.lock) holds no reference;
 * whoever aborts a connection takes one first.  The socket is released with the
 * last reference.
 *
 * Threads: one accepts; one for each connection that came in makes the hello and
 * then runs the serve function of its channel.  A thread that is done stands in
 * net.finished until the reaper has joined it: module text is never left running.
 */
#include <linux/completion.h>
#include <linux/inet.h>
#include <linux/kref.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/net.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/tcp.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include <net/tls.h>
#include "compat/compat.h"
#include "net/net.h"
#include "trace.h"

#define HELLO_MS	5000u	/* for a whole hello that comes in */
#define HALF_OPEN_MAX	64u	/* hellos under way; then the oldest gives way */
#define INCOMING_MAX	4096u
#define PER_PEER_MAX	512u	/* incoming connections of one peer */

/*
 * One AES-GCM key is good for some 2^24 records (TLS 1.3, RFC 8446 5.5), of up to
 * 16 KiB each.  There is no key update: a connection that has sent so many is
 * broken off, and who wants to say more opens another, with new keys.  What lives
 * long (remote files, terminals) does so by itself and sends again what was not
 * acknowledged; a handoff of more than 256 GiB fails.
 */
#define RECORDS_MAX	(1u << 24)
#define RECORD_BYTES	16384u

/*
 * What may wait at the destination of a handoff: enough that an image keeps coming
 * while the restorer opens files and maps memory.
 */
#define HANDOFF_ROOM	(4 << 20)
#define AHEAD_BYTES	16384u
#define RECORD_DATA	23	/* ContentType application_data */

enum { CONN_ABORTED, CONN_HALF_OPEN, CONN_TLS };

static unsigned int tls_records = RECORDS_MAX;	/* a limit below the ciphers', for tests */
module_param(tls_records, uint, 0644);
MODULE_PARM_DESC(tls_records, "records that a connection may send before another replaces it");

struct ctm_conn {
	struct list_head all;		/* net.lock */
	struct list_head finished;	/* net.lock */
	struct kref ref;
	struct socket *sock;		/* constant */
	struct task_struct *thread;	/* constant; of one that came in */
	bool incoming;			/* constant */
	struct ctm_addr addr;		/* constant */
	unsigned long bits;		/* CONN_*, atomic */
	enum ctm_channel channel;	/* these are set by the hello and stay */
	u32 peer;
	u64 boot;
	u64 sent;			/* by the one who sends */
	u64 records;
	u8 *ahead;			/* AHEAD_BYTES, or NULL; these belong to the one who receives */
	u32 ahead_from, ahead_to;	/* what is there and was not asked for yet */
};

static void reap(struct work_struct *work);

/* One network a node: file scope.  Usable before ctm_net_init(). */
static struct {
	spinlock_t lock;
	bool up;			/* @lock: may connections be added? */
	struct list_head conns;		/* @lock; oldest first */
	unsigned int incoming;		/* @lock: threads not joined yet */
	struct list_head finished;	/* @lock: threads to join */
	struct work_struct reaper;
	wait_queue_head_t wait;		/* @incoming, serving[] */
	struct socket *listener;
	struct task_struct *accepter;
	sa_family_t family;
	struct ctm_addr bound;
	/* @lock; channels */
	void (*serve[CTM_CHANNEL_MAX])(struct ctm_conn *c);
	unsigned int serving[CTM_CHANNEL_MAX];
} net = {
	.lock = __SPIN_LOCK_UNLOCKED(net.lock),
	.wait = __WAIT_QUEUE_HEAD_INITIALIZER(net.wait),
	.reaper = __WORK_INITIALIZER(net.reaper, reap),
	.conns = LIST_HEAD_INIT(net.conns),
	.finished = LIST_HEAD_INIT(net.finished),
};

/* ---- addresses and sockets ---- */

void ctm_addr_text(const struct ctm_addr *addr, char buf[CTM_ADDR_TEXT])
{
	if (ipv6_addr_v4mapped(&addr->ip))
		snprintf(buf, CTM_ADDR_TEXT, "%pI4:%u", &addr->ip.s6_addr32[3], addr->port);
	else
		snprintf(buf, CTM_ADDR_TEXT, "[%pI6c]:%u", &addr->ip, addr->port);
}

static int sockaddr_of(struct sockaddr_storage *ss, const struct ctm_addr *addr, sa_family_t family)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *in = (struct sockaddr_in *)ss;

	memset(ss, 0, sizeof(*ss));
	if (family == AF_INET6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_addr = addr->ip;
		in6->sin6_port = htons(addr->port);
		return sizeof(*in6);
	}
	if (!ipv6_addr_v4mapped(&addr->ip))
		return -EAFNOSUPPORT;
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = addr->ip.s6_addr32[3];
	in->sin_port = htons(addr->port);
	return sizeof(*in);
}

int ctm_sockaddr(struct sockaddr_storage *ss, const struct ctm_addr *addr)
{
	return sockaddr_of(ss, addr, net.family);
}

static void addr_of(struct ctm_addr *addr, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
	const struct sockaddr_in *in = (const struct sockaddr_in *)ss;

	if (ss->ss_family == AF_INET6) {
		addr->ip = in6->sin6_addr;
		addr->port = ntohs(in6->sin6_port);
	} else {
		ipv6_addr_set_v4mapped(in->sin_addr.s_addr, &addr->ip);
		addr->port = ntohs(in->sin_port);
	}
}

struct socket *ctm_net_socket(const struct ctm_node_config *cfg, int type, u16 port)
{
	struct ctm_addr addr = { .ip = cfg->addr, .port = port };
	sa_family_t family = ipv6_addr_v4mapped(&cfg->addr) ? AF_INET : AF_INET6;
	struct sockaddr_storage ss;
	struct socket *sock;
	int err, len;

	err = sock_create_kern(&init_net, family, type,
			       type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP, &sock);
	if (err)
		return ERR_PTR(err);
	if (type == SOCK_STREAM && port)
		sock_set_reuseaddr(sock->sk);
	len = sockaddr_of(&ss, &addr, family);
	err = kernel_bind(sock, (struct sockaddr_unsized *)&ss, len);
	if (err) {
		sock_release(sock);
		return ERR_PTR(err);
	}
	return sock;
}

/* ---- waiting: of a user task's signals only SIGKILL counts ---- */

static bool has_signals(void)
{
	return !(current->flags & PF_KTHREAD);
}

static void hold_signals(sigset_t *old)
{
	sigset_t set;

	if (!has_signals())
		return;
	siginitsetinv(&set, sigmask(SIGKILL));
	sigprocmask(SIG_BLOCK, &set, old);
}

static void release_signals(sigset_t *old)
{
	if (has_signals())
		sigprocmask(SIG_SETMASK, old, NULL);
}

/* what a socket answered, in the words of transport.h */
static int verdict(struct ctm_conn *c, int err)
{
	switch (err) {
	case -EINTR:
	case -ERESTARTSYS:
		return fatal_signal_pending(current) ? -EINTR : -ERESTARTSYS;
	case -EAGAIN:
	case -EINPROGRESS:
		return test_bit(CONN_ABORTED, &c->bits) ? -ECONNRESET : -ETIMEDOUT;
	case -EPIPE:
	case -ENOTCONN:
	case -ECONNABORTED:
	case -ESHUTDOWN:
		return -ECONNRESET;
	}
	return err;
}

int ctm_pause(unsigned int ms)
{
	sigset_t old;
	long left;

	hold_signals(&old);
	left = schedule_timeout_interruptible(msecs_to_jiffies(ms));
	release_signals(&old);
	if (!left || !has_signals())
		return 0;
	return fatal_signal_pending(current) ? -EINTR : -ERESTARTSYS;
}

/* ---- life of a connection ---- */

static struct ctm_conn *conn_new(struct socket *sock, bool incoming)
{
	struct ctm_conn *c = kzalloc(sizeof(*c), GFP_KERNEL);

	if (!c)
		return NULL;
	kref_init(&c->ref);
	INIT_LIST_HEAD(&c->all);
	c->sock = sock;
	c->incoming = incoming;
	tcp_sock_set_nodelay(sock->sk);
	sock_set_keepalive(sock->sk);
	tcp_sock_set_keepidle(sock->sk, 10);
	tcp_sock_set_keepintvl(sock->sk, 5);
	tcp_sock_set_keepcnt(sock->sk, 3);
	return c;
}

static void conn_free(struct kref *ref)
{
	struct ctm_conn *c = container_of(ref, struct ctm_conn, ref);

	sock_release(c->sock);
	kfree(c->ahead);
	kfree(c);
}

/* from here on ctm_tcp_down() finds it */
static bool conn_enter(struct ctm_conn *c)
{
	bool up;

	spin_lock(&net.lock);
	up = net.up;
	if (up)
		list_add_tail(&c->all, &net.conns);
	spin_unlock(&net.lock);
	return up;
}

bool ctm_conn_aborted(const struct ctm_conn *c)
{
	return test_bit(CONN_ABORTED, &c->bits);
}

void ctm_conn_abort(struct ctm_conn *c)
{
	set_bit(CONN_ABORTED, &c->bits);
	kernel_sock_shutdown(c->sock, SHUT_RDWR);
}

void ctm_conn_close(struct ctm_conn *c)
{
	if (IS_ERR_OR_NULL(c))
		return;
	spin_lock(&net.lock);
	list_del_init(&c->all);
	spin_unlock(&net.lock);
	kernel_sock_shutdown(c->sock, SHUT_RDWR);
	kref_put(&c->ref, conn_free);
}

/* Abort what @match says, until nothing is left that was not aborted before. */
static void abort_matching(bool (*match)(const struct ctm_conn *c, u64 arg), u64 arg)
{
	struct ctm_conn *c, *found;

	do {
		found = NULL;
		spin_lock(&net.lock);
		list_for_each_entry(c, &net.conns, all) {
			if (test_bit(CONN_ABORTED, &c->bits) || !match(c, arg))
				continue;
			set_bit(CONN_ABORTED, &c->bits);
			kref_get(&c->ref);
			found = c;
			break;
		}
		spin_unlock(&net.lock);
		if (found) {
			kernel_sock_shutdown(found->sock, SHUT_RDWR);
			kref_put(&found->ref, conn_free);
		}
	} while (found);
}

static bool match_all(const struct ctm_conn *c, u64 arg)
{
	return true;
}

static bool match_id(const struct ctm_conn *c, u64 id)
{
	return c->peer == id;
}

static bool match_boot(const struct ctm_conn *c, u64 boot)
{
	return c->boot == boot;
}

static bool match_stream(const struct ctm_conn *c, u64 arg)
{
	return c->peer && c->channel != CTM_CHANNEL_CALL;
}

static bool match_greeting(const struct ctm_conn *c, u64 arg)
{
	return !c->incoming && !c->peer;
}

static bool match_served(const struct ctm_conn *c, u64 channel)
{
	return c->incoming && c->channel == channel;
}

void ctm_conn_abort_peer(u32 id, u64 boot)
{
	/* boot ids are random numbers of 64 bits: no two nodes share one */
	if (boot)
		abort_matching(match_boot, boot);
	else
		abort_matching(match_id, id);
}

void ctm_conn_abort_streams(void)
{
	abort_matching(match_stream, 0);
}

void ctm_conn_abort_greetings(void)
{
	abort_matching(match_greeting, 0);
}

void ctm_conn_set_timeout(struct ctm_conn *c, unsigned int timeout_ms)
{
	long t = timeout_ms ? max(msecs_to_jiffies(timeout_ms), 1ul) : MAX_SCHEDULE_TIMEOUT;

	WRITE_ONCE(c->sock->sk->sk_rcvtimeo, t);
	WRITE_ONCE(c->sock->sk->sk_sndtimeo, t);
}

u32 ctm_conn_peer(const struct ctm_conn *c)
{
	return c->peer;
}

enum ctm_channel ctm_conn_channel(const struct ctm_conn *c)
{
	return c->channel;
}

u64 ctm_conn_peer_boot(const struct ctm_conn *c)
{
	return c->boot;
}

u64 ctm_conn_bytes_sent(const struct ctm_conn *c)
{
	return c->sent;
}

/* ---- sending ---- */

/* all of msg_iter, or an error */
static int send_all(struct ctm_conn *c, struct msghdr *msg)
{
	sigset_t old;
	int ret = 0;

	if (test_bit(CONN_ABORTED, &c->bits))
		return -ECONNRESET;
	if (test_bit(CONN_TLS, &c->bits)) {
		c->records += 1 + msg_data_left(msg) / RECORD_BYTES;
		if (c->records > min(READ_ONCE(tls_records), RECORDS_MAX)) {
			ctm_conn_abort(c);	/* for the one who receives, too */
			return -ECONNRESET;
		}
	}
	hold_signals(&old);
	while (msg_data_left(msg)) {
		ret = sock_sendmsg(c->sock, msg);
		if (ret < 0)
			break;
		c->sent += ret;
		trace_conn_sent(c->peer, c->channel, ret, c->sent);
	}
	release_signals(&old);
	return ret < 0 ? verdict(c, ret) : 0;
}

int ctm_conn_send(struct ctm_conn *c, const void *buf, size_t len, bool more)
{
	struct kvec kv = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr msg = { .msg_flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0) };

	iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, &kv, 1, len);
	return send_all(c, &msg);
}

int ctm_conn_send_bvec(struct ctm_conn *c, struct bio_vec *bv, unsigned int nr,
		       size_t bytes, bool more)
{
	struct msghdr msg = {
		.msg_flags = MSG_NOSIGNAL | MSG_SPLICE_PAGES | (more ? MSG_MORE : 0),
	};

	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, bv, nr, bytes);
	return send_all(c, &msg);
}

/* ---- receiving ---- */

/*
 * TLS returns between two records of different types, and tells the type only to
 * those who offer room for it.  We write nothing but application data; an alert is
 * the end.
 */
static int record_is_data(const struct msghdr *msg, const char *control)
{
	const struct cmsghdr *cmsg = (const struct cmsghdr *)control;

	if (msg->msg_control == control)	/* nothing was put there */
		return 1;
	return cmsg->cmsg_level == SOL_TLS && cmsg->cmsg_type == TLS_GET_RECORD_TYPE &&
	       *(const u8 *)CMSG_DATA(cmsg) == RECORD_DATA;
}

static int recv_some(struct ctm_conn *c, struct iov_iter *to, int flags)
{
	char control[CMSG_SPACE(sizeof(u8))] __aligned(sizeof(long));
	struct msghdr msg = { .msg_iter = *to };
	int ret;

	if (test_bit(CONN_TLS, &c->bits)) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
	}
	ret = sock_recvmsg(c->sock, &msg, flags | MSG_NOSIGNAL);
	*to = msg.msg_iter;
	if (ret > 0 && msg.msg_control && !record_is_data(&msg, control))
		return -ECONNRESET;
	return ret;
}

static int take_ahead(struct ctm_conn *c, struct iov_iter *to)
{
	size_t n = min_t(size_t, iov_iter_count(to), c->ahead_to - c->ahead_from);
	size_t got = n ? copy_to_iter(c->ahead + c->ahead_from, n, to) : 0;

	c->ahead_from += got;
	return got == n ? 1 : -EFAULT;
}

/* all that has come, up to what there is room for; only when nothing is left */
static int fill_ahead(struct ctm_conn *c)
{
	struct kvec kv = { .iov_base = c->ahead, .iov_len = AHEAD_BYTES };
	struct iov_iter to;
	int ret;

	iov_iter_kvec(&to, ITER_DEST, &kv, 1, AHEAD_BYTES);
	ret = recv_some(c, &to, 0);
	c->ahead_from = 0;
	c->ahead_to = max(ret, 0);
	return ret;
}

static int recv_step(struct ctm_conn *c, struct iov_iter *to)
{
	if (c->ahead_from < c->ahead_to)
		return take_ahead(c, to);
	if (c->ahead && iov_iter_count(to) < AHEAD_BYTES)
		return fill_ahead(c);
	return recv_some(c, to, MSG_WAITALL);
}

int ctm_conn_read_ahead(struct ctm_conn *c)
{
	if (!c->ahead)
		c->ahead = kmalloc(AHEAD_BYTES, GFP_KERNEL_ACCOUNT);
	return c->ahead ? 0 : -ENOMEM;
}

const void *ctm_conn_ahead(const struct ctm_conn *c, size_t *len)
{
	*len = c->ahead_to - c->ahead_from;
	return c->ahead + c->ahead_from;
}

int ctm_conn_recv_iter(struct ctm_conn *c, struct iov_iter *to)
{
	sigset_t old;
	int ret = 1;

	if (test_bit(CONN_ABORTED, &c->bits))
		return -ECONNRESET;
	hold_signals(&old);
	while (iov_iter_count(to)) {
		ret = recv_step(c, to);
		if (ret <= 0)
			break;
	}
	release_signals(&old);
	if (!ret)
		return -ECONNRESET;
	return ret < 0 ? verdict(c, ret) : 0;
}

int ctm_conn_recv(struct ctm_conn *c, void *buf, size_t len)
{
	struct kvec kv = { .iov_base = buf, .iov_len = len };
	struct iov_iter to;

	iov_iter_kvec(&to, ITER_DEST, &kv, 1, len);
	return ctm_conn_recv_iter(c, &to);
}

static bool readable(struct ctm_conn *c)
{
	__poll_t mask = READ_ONCE(c->sock->ops)->poll(NULL, c->sock, NULL);

	return mask & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
}

int ctm_conn_poll(struct ctm_conn *c, unsigned int timeout_ms)
{
	sigset_t old;
	long ret;

	if (test_bit(CONN_ABORTED, &c->bits))
		return -ECONNRESET;
	if (!timeout_ms || c->ahead_from < c->ahead_to)
		return c->ahead_from < c->ahead_to || readable(c);
	hold_signals(&old);
	ret = wait_event_interruptible_timeout(*sk_sleep(c->sock->sk), readable(c),
					       msecs_to_jiffies(timeout_ms));
	release_signals(&old);
	if (ret < 0)
		return verdict(c, ret);
	return ret > 0;
}

/* ---- hello, outgoing ---- */

static void set_deadline(struct ctm_conn *c, unsigned long deadline)
{
	long left = deadline - jiffies;

	ctm_conn_set_timeout(c, left > 0 ? max(jiffies_to_msecs(left), 1u) : 1);
}

static struct ctm_conn *conn_connect(const struct ctm_addr *addr, unsigned long deadline, char *why)
{
	struct ctm_node_config cfg;
	struct sockaddr_storage ss;
	struct socket *sock;
	struct ctm_conn *c;
	sigset_t old;
	int err, len;

	ctm_node_config(&cfg);
	len = ctm_sockaddr(&ss, addr);
	if (len < 0) {
		snprintf(why, CTM_REASON_MAX, "this node has only an IPv4 address");
		return ERR_PTR(len);
	}
	sock = ctm_net_socket(&cfg, SOCK_STREAM, 0);
	if (IS_ERR(sock))
		return ERR_CAST(sock);
	c = conn_new(sock, false);
	if (!c) {
		sock_release(sock);
		return ERR_PTR(-ENOMEM);
	}
	c->addr = *addr;
	err = -ENETDOWN;
	if (!conn_enter(c))
		goto err_close;
	set_deadline(c, deadline);
	hold_signals(&old);
	err = verdict(c, kernel_connect(sock, (struct sockaddr_unsized *)&ss, len, 0));
	release_signals(&old);
	if (err)
		goto err_close;
	return c;

err_close:
	if (err == -ETIMEDOUT || err == -EHOSTUNREACH || err == -ENETUNREACH)
		snprintf(why, CTM_REASON_MAX, "does not answer: is the node there, and TCP port %u open?", addr->port);
	else if (err == -ECONNREFUSED)
		snprintf(why, CTM_REASON_MAX, "refuses connections: is the node up (continuumctl up)?");
	else
		snprintf(why, CTM_REASON_MAX, "cannot connect (error %d)", -err);
	ctm_conn_close(c);
	return ERR_PTR(err);
}

static int start_tls(struct ctm_conn *c, const struct ctm_hello *h, bool rx, bool tx)
{
	struct ctm_key key;
	int err = 0;

	if (rx) {
		ctm_key_derive(&h->root, h->initiator ? CTM_LABEL_TLS_IN : CTM_LABEL_TLS_OUT, &key);
		err = ctm_ktls_attach(c->sock) ?: ctm_ktls_key(c->sock, false, &key);
	}
	if (tx && !err) {
		ctm_key_derive(&h->root, h->initiator ? CTM_LABEL_TLS_OUT : CTM_LABEL_TLS_IN, &key);
		err = ctm_ktls_key(c->sock, true, &key);
	}
	memzero_explicit(&key, sizeof(key));
	if (tx && !err)
		set_bit(CONN_TLS, &c->bits);
	return err;
}

static void tls_failed(int err, char *why)
{
	if (err == -ENOTCONN)
		snprintf(why, CTM_REASON_MAX, "continuumd is not running: this kernel needs it for encrypted connections");
	else if (err == -ENOENT)
		snprintf(why, CTM_REASON_MAX, "the kernel cannot encrypt: modprobe tls gcm (or continuumctl set encrypt off, in the whole cluster)");
	else
		snprintf(why, CTM_REASON_MAX, "kernel TLS failed (error %d)", -err);
}

struct ctm_conn *ctm_conn_greet(const struct ctm_addr *addr, u32 want,
				enum ctm_channel channel, bool session,
				unsigned int timeout_ms, char *why)
{
	unsigned long deadline = jiffies + max(msecs_to_jiffies(timeout_ms), 1ul);
	struct ctm_hello h = { .channel = channel, .addr = *addr };
	struct ctm_node_config cfg;
	struct ctm_conn *c;
	int err;

	why[0] = '\0';
	if (!ctm_node_is_up()) {
		snprintf(why, CTM_REASON_MAX, "the node is not up: continuumctl up");
		return ERR_PTR(-ENETDOWN);
	}
	ctm_node_config(&cfg);
	h.flags = (cfg.encrypt ? CTM_WIRE_HELLO_ENCRYPT : 0) | (session ? CTM_WIRE_HELLO_SESSION : 0);
	c = conn_connect(addr, deadline, why);
	if (IS_ERR(c))
		return c;
	set_deadline(c, deadline);
	c->channel = channel;
	err = ctm_hello_ask(c, want, &h, why);
	if (err)
		goto err_close;
	c->peer = h.id;
	c->boot = h.boot;
	if (h.flags & CTM_WIRE_HELLO_ENCRYPT) {
		err = start_tls(c, &h, true, true);
		if (err) {
			tls_failed(err, why);
			goto err_close;
		}
	}
	err = ctm_peer_met(&h);
	if (err)
		goto err_close;
	memzero_explicit(&h.root, sizeof(h.root));
	ctm_conn_set_timeout(c, 0);
	return c;

err_close:
	memzero_explicit(&h.root, sizeof(h.root));
	ctm_conn_close(c);
	return ERR_PTR(err);
}

struct ctm_conn *ctm_conn_open(u32 node, enum ctm_channel channel, unsigned int timeout_ms)
{
	char why[CTM_REASON_MAX], name[CTM_NAME_MAX];
	struct ctm_addr addr;
	struct ctm_conn *c;
	int err;

	if (!ctm_node_is_up())
		return ERR_PTR(-ENETDOWN);
	err = ctm_peer_addr(node, &addr);
	if (err)
		return ERR_PTR(err);
	c = ctm_conn_greet(&addr, node, channel, false, timeout_ms, why);
	if (IS_ERR(c) && why[0]) {
		ctm_peer_name(node, name);
		pr_warn_ratelimited("continuum: node %s: %s\n", name, why);
	}
	return c;
}

/* ---- incoming ---- */

/* only for a peer that has proved itself */
static void make_window(struct ctm_conn *c)
{
	int clamp = HANDOFF_ROOM;

	sock_set_rcvbuf(c->sock->sk, HANDOFF_ROOM);
	/* the clamp was set when the connection came; without it, the window stays small */
	READ_ONCE(c->sock->ops)->setsockopt(c->sock, SOL_TCP, TCP_WINDOW_CLAMP,
					    KERNEL_SOCKPTR(&clamp), sizeof(clamp));
}

/* hello, TLS; the peer is known when it returns 0 */
static int conn_admit(struct ctm_conn *c)
{
	struct ctm_hello h = { .addr = c->addr };
	enum ctm_wire_status status = CTM_WIRE_OK;
	struct ctm_hello_state st;
	int err, err2;

	ctm_conn_set_timeout(c, HELLO_MS);
	err = ctm_hello_answer(c, &h, &st);
	if (err)
		goto out;
	c->peer = h.id;
	c->boot = h.boot;
	c->channel = h.channel;
	if (c->channel == CTM_CHANNEL_HANDOFF)
		make_window(c);
	if (h.flags & CTM_WIRE_HELLO_ENCRYPT) {
		err = start_tls(c, &h, true, false);
		if (err)
			status = CTM_WIRE_NO_TLS;
	}
	if (!err) {
		err = ctm_peer_met(&h);
		if (err)
			status = CTM_WIRE_BUSY;
	}
	err2 = ctm_hello_welcome(c, &st, status);
	err = err ?: err2;
	if (!err && (h.flags & CTM_WIRE_HELLO_ENCRYPT))
		err = start_tls(c, &h, false, true);
out:
	memzero_explicit(&h.root, sizeof(h.root));
	memzero_explicit(&st, sizeof(st));
	ctm_conn_set_timeout(c, 0);
	return err;
}

static void conn_serve(struct ctm_conn *c)
{
	void (*serve)(struct ctm_conn *c);

	spin_lock(&net.lock);
	serve = net.up ? net.serve[c->channel] : NULL;
	if (serve)
		net.serving[c->channel]++;
	spin_unlock(&net.lock);
	if (!serve)
		return;
	serve(c);
	spin_lock(&net.lock);
	net.serving[c->channel]--;
	spin_unlock(&net.lock);
	wake_up_all(&net.wait);
}

static int conn_thread(void *arg)
{
	struct ctm_conn *c = arg;
	int err = conn_admit(c);

	clear_bit(CONN_HALF_OPEN, &c->bits);
	if (!err)
		conn_serve(c);
	kernel_sock_shutdown(c->sock, SHUT_RDWR);
	spin_lock(&net.lock);
	list_del_init(&c->all);
	list_add_tail(&c->finished, &net.finished);
	spin_unlock(&net.lock);
	schedule_work(&net.reaper);
	return 0;
}

static void reap(struct work_struct *work)
{
	struct ctm_conn *c;

	for (;;) {
		spin_lock(&net.lock);
		c = list_first_entry_or_null(&net.finished, struct ctm_conn, finished);
		if (c)
			list_del(&c->finished);
		spin_unlock(&net.lock);
		if (!c)
			return;
		kthread_stop(c->thread);
		put_task_struct(c->thread);
		kref_put(&c->ref, conn_free);
		spin_lock(&net.lock);
		net.incoming--;
		spin_unlock(&net.lock);
		wake_up_all(&net.wait);
	}
}

/* A crowd of strangers must not keep members out: the oldest hello gives way. */
static void make_room(void)
{
	struct ctm_conn *c, *oldest = NULL;
	unsigned int n = 0;

	spin_lock(&net.lock);
	list_for_each_entry(c, &net.conns, all) {
		if (!test_bit(CONN_HALF_OPEN, &c->bits) || test_bit(CONN_ABORTED, &c->bits))
			continue;
		if (!n++)
			oldest = c;
	}
	if (n >= HALF_OPEN_MAX)
		kref_get(&oldest->ref);
	else
		oldest = NULL;
	spin_unlock(&net.lock);
	if (oldest) {
		ctm_conn_abort(oldest);
		kref_put(&oldest->ref, conn_free);
	}
}

bool ctm_conn_crowded(u32 id)
{
	struct ctm_conn *c;
	unsigned int n = 0;

	spin_lock(&net.lock);
	list_for_each_entry(c, &net.conns, all)
		n += c->incoming && c->peer == id;
	spin_unlock(&net.lock);
	return n >= PER_PEER_MAX;
}

static void conn_arrived(struct socket *sock)
{
	struct sockaddr_storage ss;
	struct ctm_conn *c;
	bool room;

	make_room();
	c = conn_new(sock, true);
	if (!c) {
		sock_release(sock);
		return;
	}
	if (kernel_getpeername(sock, (struct sockaddr *)&ss) < 0)
		goto err_free;
	addr_of(&c->addr, &ss);
	set_bit(CONN_HALF_OPEN, &c->bits);
	c->thread = kthread_create(conn_thread, c, "ctm_conn");
	if (IS_ERR(c->thread))
		goto err_free;
	get_task_struct(c->thread);

	spin_lock(&net.lock);
	room = net.up && net.incoming < INCOMING_MAX;
	if (room) {
		net.incoming++;
		list_add_tail(&c->all, &net.conns);
	}
	spin_unlock(&net.lock);
	if (!room)
		goto err_thread;
	wake_up_process(c->thread);
	return;

err_thread:
	kthread_stop(c->thread);	/* it never ran */
	put_task_struct(c->thread);
err_free:
	kref_put(&c->ref, conn_free);
}

static int accept_loop(void *arg)
{
	struct socket *sock;
	int err;

	while (!kthread_should_stop()) {
		err = kernel_accept(net.listener, &sock, 0);
		if (!err)
			conn_arrived(sock);
		else if (!kthread_should_stop())
			schedule_timeout_interruptible(HZ / 10);	/* out of memory, ... */
	}
	return 0;
}

/* ---- channels ---- */

bool ctm_channel_served(enum ctm_channel channel)
{
	return channel > 0 && channel < CTM_CHANNEL_MAX && READ_ONCE(net.serve[channel]);
}

static bool idle(enum ctm_channel channel)
{
	bool ret;

	spin_lock(&net.lock);
	ret = !net.serving[channel];
	spin_unlock(&net.lock);
	return ret;
}

void ctm_channel_serve(enum ctm_channel channel, void (*serve)(struct ctm_conn *c))
{
	if (WARN_ON(channel <= 0 || channel >= CTM_CHANNEL_MAX))
		return;
	spin_lock(&net.lock);
	WRITE_ONCE(net.serve[channel], serve);
	spin_unlock(&net.lock);
	if (serve)
		return;
	abort_matching(match_served, channel);
	wait_event(net.wait, idle(channel));
}

/* ---- up and down ---- */

int ctm_bind_failed(const struct ctm_node_config *cfg, const char *proto, int err, char *why)
{
	struct ctm_addr addr = { .ip = cfg->addr, .port = cfg->port };
	char text[CTM_ADDR_TEXT];

	ctm_addr_text(&addr, text);
	if (err == -EADDRINUSE)
		snprintf(why, CTM_REASON_MAX, "%s port %u is in use by another program: set port in continuum.conf", proto, cfg->port);
	else if (err == -EADDRNOTAVAIL)
		snprintf(why, CTM_REASON_MAX, "%s is not an address of this machine: set address in continuum.conf", text);
	else
		snprintf(why, CTM_REASON_MAX, "cannot listen on %s %s (error %d)", proto, text, -err);
	return err;
}

int ctm_tcp_up(const struct ctm_node_config *cfg, char *why)
{
	int err;

	net.family = ipv6_addr_v4mapped(&cfg->addr) ? AF_INET : AF_INET6;
	net.listener = ctm_net_socket(cfg, SOCK_STREAM, cfg->port);
	if (IS_ERR(net.listener)) {
		err = PTR_ERR(net.listener);
		net.listener = NULL;
		return ctm_bind_failed(cfg, "TCP", err, why);
	}
	err = kernel_listen(net.listener, 128);
	if (err) {
		ctm_bind_failed(cfg, "TCP", err, why);
		goto err_release;
	}
	net.accepter = kthread_create(accept_loop, NULL, "ctm_accept");
	if (IS_ERR(net.accepter)) {
		err = PTR_ERR(net.accepter);
		goto err_release;
	}
	get_task_struct(net.accepter);
	spin_lock(&net.lock);
	net.up = true;
	spin_unlock(&net.lock);
	wake_up_process(net.accepter);
	return 0;

err_release:
	sock_release(net.listener);
	net.listener = NULL;
	return err;
}

static bool all_reaped(void)
{
	bool ret;

	spin_lock(&net.lock);
	ret = !net.incoming;
	spin_unlock(&net.lock);
	return ret;
}

void ctm_tcp_down(void)
{
	if (!net.listener)
		return;
	spin_lock(&net.lock);
	net.up = false;
	spin_unlock(&net.lock);
	kernel_sock_shutdown(net.listener, SHUT_RDWR);
	kthread_stop(net.accepter);
	put_task_struct(net.accepter);
	/* conn_arrived() may have been in the middle: nothing comes after this */
	abort_matching(match_all, 0);
	wait_event(net.wait, all_reaped());
	sock_release(net.listener);
	net.listener = NULL;
}

void ctm_tcp_exit(void)
{
	flush_work(&net.reaper);
}
