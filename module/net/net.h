/* SPDX-License-Identifier: GPL-2.0 */
/*
 * net.h - what the files of net/ know of each other
 *
 * From the bottom: auth.c (keys, the frames of a hello), ktls.c (kernel TLS on a
 * socket), tcp.c (connections), call.c and dgram.c on them, session.c (keys of datagrams),
 * peers.c (who is there), target.c (whom to greet), gossip.c (who is alive).
 */
#ifndef CTM_NET_NET_H
#define CTM_NET_NET_H

#include <linux/in6.h>
#include <linux/socket.h>
#include <linux/srcu.h>
#include "core/wire.h"
#include "node.h"
#include "net/transport.h"

struct socket;

/** struct ctm_addr - address of a node; IPv4 is mapped into IPv6 */
struct ctm_addr {
	struct in6_addr ip;
	u16 port;
};

/* ---- auth.c ---- */

struct ctm_key {
	u8 k[32];
};

/**
 * struct ctm_hello - what a finished hello leaves behind
 * @root: secret of this hello; all keys of the connection come from it
 */
struct ctm_hello {
	u32 id;
	u64 boot;
	u8 machine[CTM_WIRE_MACHINE];
	struct ctm_addr addr;		/* where the peer listens */
	struct ctm_wire_card card;
	enum ctm_channel channel;
	u16 flags;			/* CTM_WIRE_HELLO_* */
	bool initiator;			/* we connected */
	struct ctm_key root;
};

int ctm_auth_set_keys(const u8 (*keys)[CTM_NODE_KEY], unsigned int nkeys);
/** ctm_auth_rotate() - NODE_SET: @key NULL: as before; @old NULL: the one before; zeros: none */
void ctm_auth_rotate(const u8 *key, const u8 *old);
void ctm_auth_forget(void);

/**
 * ctm_hello_ask() - the connecting side, up to WELCOME
 * @c:    with deadlines set on its socket
 * @want: node id, 0: whoever answers
 * @h:    channel, flags, addr.ip are set by the caller
 * @why:  cause of an error (CTM_REASON_MAX)
 * Return: 0, -EKEYREJECTED, -EREMCHG, -EEXIST, -ELOOP (that is us), -EPROTO,
 * -EHOSTUNREACH (another node lives there), -EBUSY, or an error of the socket
 */
int ctm_hello_ask(struct ctm_conn *c, u32 want, struct ctm_hello *h, char *why);

/**
 * ctm_hello_answer() - the accepting side, up to PROOF; then ctm_hello_welcome()
 * Return: 0 or -errno; counted already
 */
struct ctm_hello_state {
	struct ctm_key key;	/* the cluster key that fits */
	u8 hash[32];		/* of HELLO and ANSWER */
};
int ctm_hello_answer(struct ctm_conn *c, struct ctm_hello *h, struct ctm_hello_state *st);
int ctm_hello_welcome(struct ctm_conn *c, struct ctm_hello_state *st, enum ctm_wire_status status);

/**
 * ctm_key_derive() - a key of its own for each use
 * @label: says for what, and the direction; NUL terminated
 */
void ctm_key_derive(const struct ctm_key *root, const char *label, struct ctm_key *out);
#define CTM_LABEL_TLS_OUT	"tls, from the one who connected"
#define CTM_LABEL_TLS_IN	"tls, from the one who accepted"
#define CTM_LABEL_DGRAM_OUT	"datagrams, from the one who connected"
#define CTM_LABEL_DGRAM_IN	"datagrams, from the one who accepted"
#define CTM_LABEL_SESSION	"session id"

/** ctm_mac() - keyed BLAKE2s over @label and two buffers; @len up to 32 bytes into @out */
void ctm_mac(u8 *out, size_t outlen, const struct ctm_key *key, const char *label,
	     const void *a, size_t alen, const void *b, size_t blen);

/* ---- ktls.c ---- */

int ctm_ktls_init(void);
void ctm_ktls_exit(void);
/** ctm_ktls_attach() - make @sock a TLS socket; data stays plain until its keys are set */
int ctm_ktls_attach(struct socket *sock);
/** ctm_ktls_key() - one direction.  -ENOTCONN: continuumd, whose page is needed, is gone */
int ctm_ktls_key(struct socket *sock, bool tx, const struct ctm_key *key);

/* ---- tcp.c ---- */

int ctm_tcp_up(const struct ctm_node_config *cfg, char *why);
void ctm_tcp_down(void);		/* no connection is served afterwards, all are aborted */
void ctm_tcp_exit(void);

/**
 * ctm_conn_greet() - connect to an address, whoever lives there
 * @want: node id or 0.  Makes a call connection; @session: and datagram keys.
 * Return: connection or ERR_PTR, with @why
 */
struct ctm_conn *ctm_conn_greet(const struct ctm_addr *addr, u32 want,
				enum ctm_channel channel, bool session,
				unsigned int timeout_ms, char *why);
/** ctm_conn_abort_peer() - all connections with @id, of boot @boot, or of all when 0 */
void ctm_conn_abort_peer(u32 id, u64 boot);
/** ctm_conn_abort_streams() - all that is not a call, with any peer */
void ctm_conn_abort_streams(void);
/** ctm_conn_abort_greetings() - those we have begun and whose hello is not finished */
void ctm_conn_abort_greetings(void);
bool ctm_conn_aborted(const struct ctm_conn *c);
/** ctm_conn_crowded() - has peer @id as many incoming connections as it may? */
bool ctm_conn_crowded(u32 id);
/** ctm_channel_served() - does anybody serve this channel? */
bool ctm_channel_served(enum ctm_channel channel);

/** ctm_sockaddr() - for a socket of the node's family.  Return: length, or -EAFNOSUPPORT */
int ctm_sockaddr(struct sockaddr_storage *ss, const struct ctm_addr *addr);
/** ctm_net_socket() - a kernel socket of the node's family, bound to its address */
struct socket *ctm_net_socket(const struct ctm_node_config *cfg, int type, u16 port);
/** ctm_bind_failed() - says in @why that @proto cannot have the node's address.  Return: @err */
int ctm_bind_failed(const struct ctm_node_config *cfg, const char *proto, int err, char *why);
/** ctm_addr_text() - an address for people */
#define CTM_ADDR_TEXT	56
void ctm_addr_text(const struct ctm_addr *addr, char buf[CTM_ADDR_TEXT]);

/* ---- call.c ---- */

extern struct srcu_struct ctm_handlers;	/* held while a call or datagram handler runs */

void ctm_call_init(void);
void ctm_call_exit(void);
/** ctm_call_on() - a call on a connection that the caller owns */
int ctm_call_on(struct ctm_conn *c, enum ctm_call_type type, const void *req, size_t req_len,
		void *resp, size_t *resp_len, unsigned int timeout_ms);
/** ctm_call_trim() - close connections that were idle for long, or all */
void ctm_call_trim(bool all);

/* ---- dgram.c ---- */

int ctm_dgram_up(const struct ctm_node_config *cfg, char *why);
void ctm_dgram_down(void);

/* ---- peers.c, session.c ---- */

int ctm_peers_init(void);
void ctm_peers_exit(void);
int ctm_peers_up(void);
void ctm_peers_down(void);

/** ctm_peer_judge() - may the node that says @h be our peer?  Changes nothing */
enum ctm_wire_status ctm_peer_judge(const struct ctm_hello *h);
/** ctm_peer_met() - a hello was finished: the peer is alive.  0 or -ENOSPC, -ENOMEM, -ENETDOWN */
int ctm_peer_met(const struct ctm_hello *h);
/** ctm_peer_addr() - where to connect.  0 or -EHOSTUNREACH (unknown, dead, left) */
int ctm_peer_addr(u32 id, struct ctm_addr *addr);
/** ctm_peer_card() - what this node tells of itself */
void ctm_peer_card(struct ctm_wire_card *card);

/**
 * ctm_session_sign() - fill session and counter of @d and sign it for peer @id
 * @d:   everything else filled; the payload follows it
 * Return: 0 with @addr, or -EHOSTUNREACH
 */
int ctm_session_sign(u32 id, struct ctm_wire_dgram *d, const void *payload, size_t len,
		     struct ctm_addr *addr);
/**
 * ctm_session_check() - 0: authentic and new; -ENOKEY: unknown, -EBADMSG: forged, -EEXIST: replayed,
 * -EDQUOT: authentic, but one too many of this peer
 */
int ctm_session_check(const struct ctm_wire_dgram *d, const void *payload, size_t len);

#endif /* CTM_NET_NET_H */
