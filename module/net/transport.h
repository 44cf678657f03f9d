/* SPDX-License-Identifier: GPL-2.0 */
/*
 * transport.h - authenticated connections, calls and datagrams between nodes
 *
 * What the rest of the module knows of the network.  Behind it: tcp.c (sockets,
 * kernel TLS), auth.c (hello, keys), call.c (request and answer over pooled
 * connections), dgram.c (UDP).  Nothing that arrives is handed up before the
 * sender proved that it knows the cluster key.
 *
 * Peers are named by node id.  A connection belongs to one (node id, boot id)
 * pair; when the peer reboots, is found dead or leaves, its connections fail with
 * -ECONNRESET.
 *
 * Everything that waits here may be called by kernel threads and by user tasks.
 * Of a user task's signals only SIGKILL ends a wait (-EINTR); the freezer of its
 * cgroup does too, with -ERESTARTSYS: the task then must go back to user mode.
 */
#ifndef CTM_NET_TRANSPORT_H
#define CTM_NET_TRANSPORT_H

#include <linux/bvec.h>
#include <linux/types.h>
#include <linux/uio.h>

/** enum ctm_channel - what a stream connection is for (part of its hello) */
enum ctm_channel {
	CTM_CHANNEL_CALL	= 1,	/* call.c */
	CTM_CHANNEL_HANDOFF	= 2,	/* land.c */
	CTM_CHANNEL_RFILE	= 3,	/* rfile.c */
	CTM_CHANNEL_TERM	= 4,	/* term.c */
	CTM_CHANNEL_BLOCK	= 5,	/* store_link.c */
	CTM_CHANNEL_FORK	= 6,	/* fork_land.c */
	CTM_CHANNEL_MAX
};

struct ctm_conn;

/**
 * ctm_conn_open() - connect to a node and prove each other
 * Context: process, sleeps at most @timeout_ms (connect and hello).
 * Return: ERR_PTR(-ENETDOWN: node not up; -EHOSTUNREACH: unknown or dead peer;
 * -ETIMEDOUT; -EKEYREJECTED: the peer refused our key; ...)
 */
struct ctm_conn *ctm_conn_open(u32 node, enum ctm_channel channel, unsigned int timeout_ms);

/**
 * ctm_conn_borrow() - one that was kept for later, or a new one; as ctm_conn_open()
 * ctm_conn_keep() gives it back: nothing may be under way on it.  Else, close it.
 */
struct ctm_conn *ctm_conn_borrow(u32 node, enum ctm_channel channel, unsigned int timeout_ms);
void ctm_conn_keep(struct ctm_conn *c);

/** ctm_conn_close() - shut down and free; NULL and ERR_PTR are fine.  Not while another thread uses it */
void ctm_conn_close(struct ctm_conn *c);

/** ctm_conn_abort() - wake everybody who sleeps in send or recv of @c with an error; any context that may sleep */
void ctm_conn_abort(struct ctm_conn *c);

/** ctm_conn_set_timeout() - for every later send and recv; 0: none (they stay killable) */
void ctm_conn_set_timeout(struct ctm_conn *c, unsigned int timeout_ms);

u32 ctm_conn_peer(const struct ctm_conn *c);
enum ctm_channel ctm_conn_channel(const struct ctm_conn *c);
u64 ctm_conn_peer_boot(const struct ctm_conn *c);
u64 ctm_conn_bytes_sent(const struct ctm_conn *c);

/**
 * ctm_conn_send() - send all of @len bytes or fail
 * @more: more follows at once (MSG_MORE)
 * One sender at a time (the caller sees to it); sending and receiving may go on
 * side by side.  Return: 0 or -errno; after an error the connection is unusable.
 */
int ctm_conn_send(struct ctm_conn *c, const void *buf, size_t len, bool more);

/**
 * ctm_conn_send_bvec() - send pages without copying where the transport can
 * The pages are referenced until the data has been acknowledged; their content
 * must not change meanwhile (their owner is frozen).
 */
int ctm_conn_send_bvec(struct ctm_conn *c, struct bio_vec *bv, unsigned int nr,
		       size_t bytes, bool more);

/** ctm_conn_recv() - receive exactly @len bytes.  -ECONNRESET on end of stream, -ETIMEDOUT, -EBADMSG (forged), -EINTR when killed */
int ctm_conn_recv(struct ctm_conn *c, void *buf, size_t len);

/** ctm_conn_recv_iter() - the same, into an iterator (user memory of current) */
int ctm_conn_recv_iter(struct ctm_conn *c, struct iov_iter *to);

/**
 * ctm_conn_read_ahead() - from now on, receive more than is asked for when it has come
 * For many small pieces in a row.  Large ones still go straight to their place.
 * Return: 0, -ENOMEM
 */
int ctm_conn_read_ahead(struct ctm_conn *c);

/** ctm_conn_ahead() - what has been received so and not been asked for: @len bytes; by who receives */
const void *ctm_conn_ahead(const struct ctm_conn *c, size_t *len);

/** ctm_conn_poll() - is there something to receive?  Waits up to @timeout_ms.  1 yes, 0 no, -errno */
int ctm_conn_poll(struct ctm_conn *c, unsigned int timeout_ms);

/** ctm_pause() - wait that long, as everything here waits.  0, -EINTR, -ERESTARTSYS */
int ctm_pause(unsigned int ms);

/**
 * ctm_channel_serve() - register who serves incoming connections of a channel
 * @serve: runs in a kernel thread of its own for each connection; returns when
 *         done (the transport closes the connection afterwards), and soon after
 *         ctm_conn_abort(), which node down and module unload cause.
 * At init only; NULL takes it back (waits until no serve function runs).
 */
void ctm_channel_serve(enum ctm_channel channel, void (*serve)(struct ctm_conn *c));

/* ---- calls: request and answer ---- */

#define CTM_CALL_MAX	(64u * 1024)	/* bytes of a request or answer */

enum ctm_call_type {
	CTM_CALL_PEERS		= 1,	/* net/peers: exchange of peer tables */
	CTM_CALL_CONSENT	= 10,	/* journey -> home: may it leave? */
	CTM_CALL_MOVED		= 11,	/* new host -> home: it runs here now */
	CTM_CALL_EXITED		= 12,	/* host -> home: exit record */
	/* 13: signals, before they were datagrams */
	CTM_CALL_INFO		= 14,
	CTM_CALL_LIST		= 15,
	CTM_CALL_WAIT		= 16,
	CTM_CALL_EXPLAIN	= 17,
	CTM_CALL_MIGRATE	= 18,
	/* 19: destroy, suspend, resume, before they were datagrams */
	CTM_CALL_QUERY		= 20,	/* destination -> source: what became of the handoff? */
	CTM_CALL_RELEASED	= 21,
	CTM_CALL_EVENT		= 22,	/* host -> home: stopped, continued, ... for the deputy; and back */
	CTM_CALL_SET		= 30,	/* property.c */
	CTM_CALL_RECOVER	= 40,	/* an operator: is a copy in limbo there? start it */
	CTM_CALL_HELD		= 41,	/* home -> destination: do you hold a copy of it? */
	CTM_CALL_VOID		= 42,	/* home -> host: your copy does not count any more */
	CTM_CALL_RECLAIM	= 43,	/* destination -> source: yours is the one that counts */
	CTM_CALL_HANDED		= 44,	/* old host -> home: it runs there now */
	CTM_CALL_BLOCK_HAVE	= 50,	/* store_link.c, and core/bwire.h */
	CTM_CALL_BLOCK_CHANGE	= 51,
	CTM_CALL_BLOCK_MERGE	= 52,
	CTM_CALL_BLOCK_FAMILY	= 53,
	CTM_CALL_BLOCK_STATUS	= 54,
	CTM_CALL_FORK_RESERVE	= 55,	/* forking node -> home: fork_home.c */
	CTM_CALL_FORK_START	= 56,	/* a child's host -> home: may it run? */
	CTM_CALL_FORK_CLOSE	= 57,	/* forking node -> home: which of them exist? */
	CTM_CALL_FORK_WAIT	= 58,	/* host -> home: a child that has ended */
	CTM_CALL_FORK_TAKE	= 59,	/* host -> home: its record, and the last one has come */
	CTM_CALL_TYPES		= 64
};

/**
 * ctm_call() - one request, one answer
 * @resp_len: in: room at @resp; out: bytes of the answer
 * Context: process; sleeps up to @timeout_ms, killable.
 * Return: what the handler at the peer returned (0 or -errno), or -ENETDOWN,
 * -EHOSTUNREACH, -ETIMEDOUT, -ECONNRESET (the call may or may not have been made).
 * A call to the own node id runs the handler directly, in the caller's context.
 */
int ctm_call(u32 node, enum ctm_call_type type, const void *req, size_t req_len,
	     void *resp, size_t *resp_len, unsigned int timeout_ms);

/**
 * typedef ctm_call_fn - handler, in a kernel thread, may sleep
 * @resp_len: in: room (CTM_CALL_MAX); out: bytes of the answer (also with an error)
 */
typedef int (*ctm_call_fn)(u32 from, const void *req, size_t req_len, void *resp, size_t *resp_len);
void ctm_call_handler(enum ctm_call_type type, ctm_call_fn fn);	/* NULL takes back */

/* ---- datagrams: authenticated, may be lost, doubled never, reordered ---- */

#define CTM_DGRAM_MAX	1200u		/* payload bytes: fits one unfragmented packet */

enum ctm_dgram_type {
	/* 1: heartbeats, before there was CTM_DGRAM_MEMBER */
	CTM_DGRAM_SIGNAL	= 2,
	CTM_DGRAM_SIGNAL_ACK	= 3,
	CTM_DGRAM_MEMBER	= 8,	/* net/gossip: struct ctm_wire_mb */
	CTM_DGRAM_MAX_TYPE	= 16
};

/**
 * ctm_dgram_send() - send, and forget.  Context: process, does not wait
 * To the own node id: the handler runs directly, in the caller's context.
 * Return: 0, -ENETDOWN, -EHOSTUNREACH, -EMSGSIZE, -ENOBUFS
 */
int ctm_dgram_send(u32 node, enum ctm_dgram_type type, const void *buf, size_t len);
/** handler runs in a kernel thread (one for all datagrams): must not wait for the network */
typedef void (*ctm_dgram_fn)(u32 from, const void *buf, size_t len);
void ctm_dgram_handler(enum ctm_dgram_type type, ctm_dgram_fn fn);

int ctm_net_init(void);		/* module init */
void ctm_net_exit(void);

#endif /* CTM_NET_TRANSPORT_H */
