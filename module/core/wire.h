/* SPDX-License-Identifier: GPL-2.0 */
/*
 * wire.h - the frames of a hello, a datagram and a call
 *
 * Every frame of a hello and every datagram begins with struct ctm_wire_head.
 * What stands behind it is looked at only after the tag was found right: until
 * then a receiver compares magic, version and length with constants, no more.
 *
 * A hello, on a fresh TCP connection (A connects, B answers):
 *
 *   A -> B  HELLO    who I am, whom I want, my nonce        tag: key
 *   B -> A  ANSWER   who I am, your boot, my nonce          tag: key, HELLO
 *   A -> B  PROOF                                           tag: key, HELLO, ANSWER
 *   B -> A  WELCOME                                         tag: key, HELLO, ANSWER
 *
 * A HELLO alone proves nothing about now (it may be an old one): B remembers
 * nothing of it before the PROOF, which covers B's fresh nonce.  ANSWER and
 * WELCOME may carry a status: a refusal, in the words of enum ctm_wire_status.
 * A refusal by a node that does not have the key cannot carry a right tag; it is
 * believed only as far as the connection fails.
 *
 * All later keys come from the cluster key and the hash of HELLO and ANSWER,
 * see net/auth.c.  All numbers are little-endian.
 */
#ifndef CTM_CORE_WIRE_H
#define CTM_CORE_WIRE_H

#include "env.h"

#define CTM_WIRE_MAGIC		0x314d5443u	/* "CTM1" */
#define CTM_WIRE_VERSION	1

#define CTM_WIRE_TAG		32u
#define CTM_WIRE_DGRAM_TAG	16u
#define CTM_WIRE_NONCE		32u
#define CTM_WIRE_NAME		64u
#define CTM_WIRE_MACHINE	16u
#define CTM_WIRE_DGRAM_MAX	1200u

enum ctm_wire_type {
	CTM_WIRE_HELLO		= 1,
	CTM_WIRE_ANSWER		= 2,
	CTM_WIRE_PROOF		= 3,
	CTM_WIRE_WELCOME	= 4,
	CTM_WIRE_DGRAM		= 5,
};

/**
 * enum ctm_wire_status - why a hello is refused
 * @CTM_WIRE_BAD_KEY:   the tag fits none of our keys
 * @CTM_WIRE_VERSION_MISMATCH: another protocol version
 * @CTM_WIRE_CLUSTER:   same key, but a cluster of another name
 * @CTM_WIRE_SELF:      you are me
 * @CTM_WIRE_SAME_ID:   your node id belongs to another machine (or is mine)
 * @CTM_WIRE_SAME_NAME: your name belongs to another node (or is mine)
 * @CTM_WIRE_NOT_ME:    you wanted another node
 * @CTM_WIRE_ENCRYPT:   one of us encrypts, the other does not
 * @CTM_WIRE_BUSY:      too many connections
 * @CTM_WIRE_NO_TLS:    kernel TLS cannot be had here
 * @CTM_WIRE_CHANNEL:   nobody serves that channel
 * @CTM_WIRE_LEFT:      I have left the cluster
 */
enum ctm_wire_status {
	CTM_WIRE_OK		= 0,
	CTM_WIRE_BAD_KEY	= 1,
	CTM_WIRE_VERSION_MISMATCH = 2,
	CTM_WIRE_CLUSTER	= 3,
	CTM_WIRE_SELF		= 4,
	CTM_WIRE_SAME_ID	= 5,
	CTM_WIRE_SAME_NAME	= 6,
	CTM_WIRE_NOT_ME		= 7,
	CTM_WIRE_ENCRYPT	= 8,
	CTM_WIRE_BUSY		= 9,
	CTM_WIRE_NO_TLS		= 10,
	CTM_WIRE_CHANNEL	= 11,
	CTM_WIRE_LEFT		= 12,
	CTM_WIRE_STATUS_MAX
};

/**
 * struct ctm_wire_head - the first bytes of every frame
 * @len:    bytes of the whole frame, this head included
 * @status: enum ctm_wire_status in ANSWER and WELCOME, else 0
 */
struct ctm_wire_head {
	__le32 magic;
	__le16 version;
	__le16 type;
	__le32 len;
	__le32 status;
};
static_assert(sizeof(struct ctm_wire_head) == 16, "wire format");

/** struct ctm_wire_abi - struct ctm_abi */
struct ctm_wire_abi {
	__u8 vdso_id[20];
	__u8 pad[4];
	__le64 xfeatures;
	__le32 xstate_size;
	__le32 version;
	__le64 cpu[4];
};
static_assert(sizeof(struct ctm_wire_abi) == 72, "wire format");

/**
 * struct ctm_wire_card - what a node tells of itself: in a hello, in heartbeats
 * @load, @pressure, @cpu, @mem, @runnable: in thousandths
 */
struct ctm_wire_card {
	char name[CTM_WIRE_NAME];
	__le32 flags;			/* CTM_WIRE_CARD_* */
	__le32 processes;
	__le32 free_mib;
	__le32 load;
	__le32 pressure;
	__le32 cpu;
	__le32 mem;
	__le32 runnable;
	struct ctm_wire_abi abi;
};
static_assert(sizeof(struct ctm_wire_card) == 168, "wire format");
#define CTM_WIRE_CARD_ACCEPTING	(1u << 0)
#define CTM_WIRE_CARD_LEAVING	(1u << 1)
#define CTM_WIRE_CARD_CPUS	(0xfffu << 4)	/* how many; 0: not said */
#define CTM_WIRE_CARD_CPUS_SHIFT 4

/**
 * struct ctm_wire_hello - HELLO and ANSWER
 * @to, @to_boot: in HELLO 0 where not known; in ANSWER the other's
 * @channel: enum ctm_channel
 * @flags: CTM_WIRE_HELLO_*
 * @port:  where the sender listens
 */
struct ctm_wire_hello {
	struct ctm_wire_head head;
	__le32 from;
	__le32 to;
	__le64 from_boot;
	__le64 to_boot;
	__u8 nonce[CTM_WIRE_NONCE];
	__u8 machine[CTM_WIRE_MACHINE];
	char cluster[CTM_WIRE_NAME];
	__le16 channel;
	__le16 flags;
	__le16 port;
	__le16 pad;
	struct ctm_wire_card card;
	__u8 tag[CTM_WIRE_TAG];
};
static_assert(sizeof(struct ctm_wire_hello) == 360, "wire format");
#define CTM_WIRE_HELLO_ENCRYPT	(1u << 0)	/* kernel TLS follows */
#define CTM_WIRE_HELLO_SESSION	(1u << 1)	/* makes new datagram keys */

/** struct ctm_wire_proof - PROOF and WELCOME */
struct ctm_wire_proof {
	struct ctm_wire_head head;
	__u8 tag[CTM_WIRE_TAG];
};
static_assert(sizeof(struct ctm_wire_proof) == 48, "wire format");

/**
 * struct ctm_wire_dgram - header of a datagram; head.len - sizeof bytes follow
 * @kind:    enum ctm_dgram_type
 * @session: names the hello whose keys are used
 * @counter: 1, 2, ... under these keys
 * @tag:     covers everything before it and the payload
 */
struct ctm_wire_dgram {
	struct ctm_wire_head head;
	__le32 from;
	__le16 kind;
	__le16 pad;
	__le64 boot;
	__le64 session;
	__le64 counter;
	__u8 tag[CTM_WIRE_DGRAM_TAG];
};
static_assert(sizeof(struct ctm_wire_dgram) == 64, "wire format");
#define CTM_WIRE_DGRAM_BYTES	(sizeof(struct ctm_wire_dgram) + CTM_WIRE_DGRAM_MAX)

/** struct ctm_wire_request - a call; @len bytes follow */
struct ctm_wire_request {
	__le32 len;
	__le16 type;
	__le16 pad;
	__le64 id;
};
static_assert(sizeof(struct ctm_wire_request) == 16, "wire format");

/** struct ctm_wire_reply - its answer; @len bytes follow; @status is an errno, 0 to 4095 */
struct ctm_wire_reply {
	__le32 len;
	__le32 status;
	__le64 id;
};
static_assert(sizeof(struct ctm_wire_reply) == 16, "wire format");

/**
 * struct ctm_wire_peers_req - CTM_CALL_PEERS: the table, or good-bye
 * @op:    CTM_WIRE_PEERS_*
 * @start: give what comes behind this node id, 0: from the first
 */
struct ctm_wire_peers_req {
	__le32 op;
	__le32 start;
};
static_assert(sizeof(struct ctm_wire_peers_req) == 8, "wire format");
#define CTM_WIRE_PEERS_GET	1u
#define CTM_WIRE_PEERS_LEAVE	2u

/** struct ctm_wire_peer - an entry; IPv4 addresses are mapped into IPv6 */
struct ctm_wire_peer {
	__u8 addr[16];
	__le32 id;
	__le16 port;
	__le16 pad;
};
static_assert(sizeof(struct ctm_wire_peer) == 24, "wire format");

/** struct ctm_wire_peers - answer to CTM_WIRE_PEERS_GET; @next: start of the next call, 0: that was all */
struct ctm_wire_peers {
	__le32 count;
	__le32 next;
	struct ctm_wire_peer peer[];
};
#define CTM_WIRE_PEERS_MAX	2048u		/* entries in one answer: 48 KiB */

/**
 * enum ctm_wire_verdict - what the first look at a frame says
 */
enum ctm_wire_verdict {
	CTM_WIRE_FINE,
	CTM_WIRE_GARBAGE,	/* not our magic, version or type */
	CTM_WIRE_SHORT,		/* says it is shorter than it must be */
	CTM_WIRE_LONG,
};

/** ctm_wire_look() - the only thing that is asked of a frame before its tag was checked */
static inline enum ctm_wire_verdict ctm_wire_look(const struct ctm_wire_head *h,
						  enum ctm_wire_type type,
						  u32 min, u32 max)
{
	u32 len = le32_to_cpu(h->len);

	if (h->magic != cpu_to_le32(CTM_WIRE_MAGIC) ||
	    h->version != cpu_to_le16(CTM_WIRE_VERSION) ||
	    h->type != cpu_to_le16(type))
		return CTM_WIRE_GARBAGE;
	if (len < min)
		return CTM_WIRE_SHORT;
	if (len > max)
		return CTM_WIRE_LONG;
	return CTM_WIRE_FINE;
}

static inline void ctm_wire_head(struct ctm_wire_head *h, enum ctm_wire_type type,
				 u32 len, u32 status)
{
	h->magic = cpu_to_le32(CTM_WIRE_MAGIC);
	h->version = cpu_to_le16(CTM_WIRE_VERSION);
	h->type = cpu_to_le16(type);
	h->len = cpu_to_le32(len);
	h->status = cpu_to_le32(status);
}

/**
 * ctm_wire_name_ok() - is @name, @room bytes from the wire, a name of a node or cluster?
 * 1 to @room - 1 letters, digits, '-', '_', '.', then nothing but NULs.
 */
static inline bool ctm_wire_name_ok(const char *name, size_t room)
{
	size_t i, n = 0;

	while (n < room && name[n])
		n++;
	if (!n || n == room)
		return false;
	for (i = 0; i < n; i++) {
		char c = name[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
			return false;
	}
	for (; n < room; n++)
		if (name[n])
			return false;
	return true;
}

#endif /* CTM_CORE_WIRE_H */
