/* SPDX-License-Identifier: GPL-2.0 */
/*
 * rwire.h - the frames of remote files (CTM_CHANNEL_RFILE) and of the terminal
 *           (CTM_CHANNEL_TERM)
 *
 * Every frame is struct ctm_rw_head and `len` bytes of payload.  All numbers are
 * little-endian.  The functions at the end judge what arrived before anybody
 * allocates or believes anything.
 *
 * Remote files: the host connects to the process's home.
 *
 *   host                                       home
 *   HELLO gpid, epoch                   --->
 *                                       <---   WELCOME error
 *   OP id, struct ctm_rw_op, data       --->   done once an id, whatever comes twice
 *                                       <---   RESULT id, struct ctm_rw_result, data
 *   ACK ids                             --->   these results need not be kept
 *   CANCEL id                           --->   a RESULT follows in any case
 *                                       <---   READY handle, poll mask: it was woken
 *
 * Ids count up from 1 within an epoch.  On a new connection the host sends every
 * OP again whose RESULT it has not got; home answers those that were done with
 * the results that it kept.  A HELLO with LANDING may look (INFO), nothing else;
 * a second HELLO without it, on the same connection, makes it a full one.
 *
 * Terminal: home connects to the process's host.
 *
 *   home                                       host
 *   HELLO gpid, epoch, where home is    --->
 *                                       <---   HELLO where the host is
 *   DATA off, input                     --->
 *                                       <---   DATA off, output
 *   ACK output got, output wanted       --->
 *                                       <---   ACK input taken, input wanted
 */
#ifndef CTM_CORE_RWIRE_H
#define CTM_CORE_RWIRE_H

#include "env.h"

#define CTM_RW_VERSION		1u
#define CTM_RW_DATA_MAX		(128u * 1024)	/* bytes that one OP reads or writes */
#define CTM_RW_OPS_MAX		256u		/* OPs of one process without a RESULT */
#define CTM_RW_ACKS_MAX		64u		/* ids in one ACK */

enum ctm_rw_kind {
	CTM_RW_HELLO	= 1,
	CTM_RW_OP	= 2,
	CTM_RW_CANCEL	= 3,	/* no payload */
	CTM_RW_ACK	= 4,	/* __le64 ids */
	CTM_RW_WELCOME	= 16,
	CTM_RW_RESULT	= 17,
	CTM_RW_READY	= 18,
	CTM_RW_THELLO	= 32,
	CTM_RW_TDATA	= 33,	/* bytes; id is their offset */
	CTM_RW_TACK	= 34,
};

struct ctm_rw_head {
	__le32 len;
	__le16 kind;
	__le16 pad;
	__le64 id;
};
static_assert(sizeof(struct ctm_rw_head) == 16, "wire");

/**
 * struct ctm_rw_hello
 * @below: home may forget results of ids below it
 */
struct ctm_rw_hello {
	__le64 gpid;
	__le64 below;
	__le32 version;
	__le32 epoch;
	__le32 flags;
	__le32 pad;
};
#define CTM_RW_LANDING	(1u << 0)
static_assert(sizeof(struct ctm_rw_hello) == 32, "wire");

/** struct ctm_rw_welcome - @error: 0, or a positive errno: ESRCH, ESTALE, EPROTO */
struct ctm_rw_welcome {
	__le32 error;
	__le32 pad;
};

/**
 * enum ctm_rw_op_code - the calls; what a, b and the data mean
 * @CTM_RW_READ:      pos; room for the data
 * @CTM_RW_WRITE:     pos; a: RWF_* ; data
 * @CTM_RW_LSEEK:     a: offset, b: whence
 * @CTM_RW_FSYNC:     a: start, pos: end, b: data only
 * @CTM_RW_FALLOCATE: pos, a: length, b: mode
 * @CTM_RW_GETATTR:   returns struct ctm_rw_attr
 * @CTM_RW_SETATTR:   data: struct ctm_rw_setattr
 * @CTM_RW_IOCTL:     a: number, b: argument when it is no pointer; data both ways
 * @CTM_RW_POLL:      returns the mask; READY frames follow from then on
 * @CTM_RW_CLOSE:     the last descriptor at the host is closed
 * @CTM_RW_INFO:      as GETATTR, also while landing
 */
enum ctm_rw_op_code {
	CTM_RW_READ	 = 1,
	CTM_RW_WRITE	 = 2,
	CTM_RW_LSEEK	 = 3,
	CTM_RW_FSYNC	 = 4,
	CTM_RW_FALLOCATE = 5,
	CTM_RW_GETATTR	 = 6,
	CTM_RW_SETATTR	 = 7,
	CTM_RW_IOCTL	 = 8,
	CTM_RW_POLL	 = 9,
	CTM_RW_CLOSE	 = 10,
	CTM_RW_INFO	 = 11,
	CTM_RW_OP_END
};

#define CTM_RW_POS_CURRENT	(~0ull)	/* the position that the open file has at home */

/**
 * struct ctm_rw_op
 * @oflags: the descriptor's O_APPEND and O_NONBLOCK
 * @len:    bytes of data behind this structure
 * @room:   bytes of data wanted back
 */
struct ctm_rw_op {
	__le32 op;
	__le32 oflags;
	__le64 handle;
	__le64 pos;
	__le64 a;
	__le64 b;
	__le32 len;
	__le32 room;
};
static_assert(sizeof(struct ctm_rw_op) == 48, "wire");

/**
 * struct ctm_rw_result
 * @ret: what the call returned, or -errno
 * @sig: signal that it raised (SIGPIPE, SIGXFSZ), else 0
 * @len: bytes of data behind this structure
 */
struct ctm_rw_result {
	__le64 ret;
	__le32 flags;
	__le32 sig;
	__le32 len;
	__le32 pad;
};
#define CTM_RW_CANCELLED	(1u << 0)	/* nothing happened */
static_assert(sizeof(struct ctm_rw_result) == 24, "wire");

/** struct ctm_rw_ready - the head's id is 0 */
struct ctm_rw_ready {
	__le64 handle;
	__le32 mask;
	__le32 pad;
};

struct ctm_rw_time {
	__le64 sec;
	__le32 nsec;
	__le32 pad;
};

/** struct ctm_rw_attr - what fstat and statx tell; @mask: STATX_* */
struct ctm_rw_attr {
	__le32 mask;
	__le32 mode;
	__le32 nlink;
	__le32 blksize;
	__le32 uid;
	__le32 gid;
	__le32 dev_major, dev_minor;
	__le32 rdev_major, rdev_minor;
	__le64 ino;
	__le64 size;
	__le64 blocks;
	__le64 attributes;
	struct ctm_rw_time atime, mtime, ctime, btime;
};
static_assert(sizeof(struct ctm_rw_attr) == 136, "wire");

#define CTM_RW_SET_MODE		(1u << 0)
#define CTM_RW_SET_UID		(1u << 1)
#define CTM_RW_SET_GID		(1u << 2)
#define CTM_RW_SET_SIZE		(1u << 3)
#define CTM_RW_SET_ATIME	(1u << 4)	/* to now, unless with _TO */
#define CTM_RW_SET_MTIME	(1u << 5)
#define CTM_RW_SET_ATIME_TO	(1u << 6)
#define CTM_RW_SET_MTIME_TO	(1u << 7)
#define CTM_RW_SET_ALL		0xffu
struct ctm_rw_setattr {
	__le32 valid;
	__le32 mode;
	__le32 uid;
	__le32 gid;
	__le64 size;
	struct ctm_rw_time atime, mtime;
};
static_assert(sizeof(struct ctm_rw_setattr) == 56, "wire");

/**
 * struct ctm_rw_thello - both ways
 * home:  @in the end of its input, @out output that it has got, @limit output wanted
 * host:  @in input taken by the keeper, @out the end of its output, @limit input wanted,
 *        @in_got input received
 */
struct ctm_rw_thello {
	__le64 gpid;
	__le64 in;
	__le64 out;
	__le64 limit;
	__le64 in_got;
	__le32 version;
	__le32 epoch;
	__le32 error;		/* host: positive errno */
	__le32 pad;
};
static_assert(sizeof(struct ctm_rw_thello) == 56, "wire");

/** struct ctm_rw_tack - @off: everything below has arrived for good; @limit: send up to there */
struct ctm_rw_tack {
	__le64 off;
	__le64 limit;
};

#define CTM_RW_FRAME_MAX	(sizeof(struct ctm_rw_op) + CTM_RW_DATA_MAX)

/**
 * ctm_rw_head_check() - is this the head of a frame, and its length one it can have?
 * Pure; any context.  Return: the kind, or -EBADMSG
 */
static inline int ctm_rw_head_check(const struct ctm_rw_head *h)
{
	u32 len = le32_to_cpu(h->len), min, max;

	switch (le16_to_cpu(h->kind)) {
	case CTM_RW_HELLO:
		min = max = sizeof(struct ctm_rw_hello);
		break;
	case CTM_RW_OP:
		min = sizeof(struct ctm_rw_op);
		max = min + CTM_RW_DATA_MAX;
		break;
	case CTM_RW_CANCEL:
		min = max = 0;
		break;
	case CTM_RW_ACK:
		min = 8;
		max = CTM_RW_ACKS_MAX * 8;
		break;
	case CTM_RW_WELCOME:
		min = max = sizeof(struct ctm_rw_welcome);
		break;
	case CTM_RW_RESULT:
		min = sizeof(struct ctm_rw_result);
		max = min + CTM_RW_DATA_MAX;
		break;
	case CTM_RW_READY:
		min = max = sizeof(struct ctm_rw_ready);
		break;
	case CTM_RW_THELLO:
		min = max = sizeof(struct ctm_rw_thello);
		break;
	case CTM_RW_TDATA:
		min = 1;
		max = CTM_RW_DATA_MAX;
		break;
	case CTM_RW_TACK:
		min = max = sizeof(struct ctm_rw_tack);
		break;
	default:
		return -EBADMSG;
	}
	return len < min || len > max || h->pad ? -EBADMSG : le16_to_cpu(h->kind);
}

/** ctm_rw_op_check() - judge an OP; @len: payload bytes of the frame.  Return: 0 or -EBADMSG */
static inline int ctm_rw_op_check(const struct ctm_rw_op *o, u32 len)
{
	u32 op = le32_to_cpu(o->op), data = le32_to_cpu(o->len), room = le32_to_cpu(o->room);

	if (len < sizeof(*o) || data != len - sizeof(*o) || room > CTM_RW_DATA_MAX)
		return -EBADMSG;
	switch (op) {
	case CTM_RW_READ:
		return data ? -EBADMSG : 0;
	case CTM_RW_WRITE:
		return room ? -EBADMSG : 0;
	case CTM_RW_GETATTR:
	case CTM_RW_INFO:
		return data || room != sizeof(struct ctm_rw_attr) ? -EBADMSG : 0;
	case CTM_RW_SETATTR:
		return room || data != sizeof(struct ctm_rw_setattr) ? -EBADMSG : 0;
	case CTM_RW_IOCTL:
		return data > 4096 || room > 4096 ? -EBADMSG : 0;
	case CTM_RW_LSEEK:
	case CTM_RW_FSYNC:
	case CTM_RW_FALLOCATE:
	case CTM_RW_POLL:
	case CTM_RW_CLOSE:
		return data || room ? -EBADMSG : 0;
	default:
		return -EBADMSG;
	}
}

/** ctm_rw_result_check() - judge a RESULT; @room: what the OP asked for.  Return: 0 or -EBADMSG */
static inline int ctm_rw_result_check(const struct ctm_rw_result *r, u32 len, u32 room)
{
	u32 data = le32_to_cpu(r->len), sig = le32_to_cpu(r->sig);

	if (len < sizeof(*r) || data != len - sizeof(*r) || data > room || sig > 64)
		return -EBADMSG;
	if ((s64)le64_to_cpu(r->ret) < -4095)
		return -EBADMSG;
	return 0;
}

#endif /* CTM_CORE_RWIRE_H */
