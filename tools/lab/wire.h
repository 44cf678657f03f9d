/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What travels between the lab's client, its daemon and the agents in the
 * guests: frames on a byte stream (a unix socket, then virtio-serial).
 *
 * A session is one command on one node. The client opens it with ATTACH (names
 * the node, read by the daemon) and OPEN (read by the agent); from then on the
 * daemon only relays and puts its own session number into each frame.
 *
 * Flow control: the sender of a stream may have at most LAB_WINDOW bytes
 * under way; the receiver returns CREDIT for what it has passed on. So no hop
 * ever has to hold more than a window for each stream.
 */
#ifndef LAB_WIRE_H
#define LAB_WIRE_H

#include <stdint.h>

#include "buf.h"

#define LAB_WINDOW	(256u << 10)
#define LAB_CHUNK	(32u << 10)	/* most bytes in one DATA frame */
#define LAB_FRAME_MAX	(256u << 10)	/* most payload bytes in any frame */
#define LAB_FAILED	125		/* exit status: the lab failed, not the command */
#define LAB_PORT	"lab.agent"	/* name of the virtio-serial port */

enum lab_frame_type {
	LAB_HELLO = 1,	/* agent to daemon: boot id, kernel release; "\0" after each */
	LAB_ATTACH,	/* client: node name */
	LAB_OPEN,	/* client: struct lab_open, then strings */
	LAB_OPENED,	/* agent: the command was started */
	LAB_DATA,	/* bytes of a stream; an empty frame is its end */
	LAB_CREDIT,	/* uint32_t: bytes of a stream that were passed on */
	LAB_WINCH,	/* client: struct lab_winsize */
	LAB_SIGNAL,	/* client: uint32_t signal for the command's process group */
	LAB_CLOSE,	/* daemon to agent: the client is gone, kill the command */
	LAB_EXIT,	/* uint32_t exit status, 128+N for signal N; ends the session */
	LAB_FAIL,	/* uint32_t exit status, then text; ends the session */
	LAB_REFRESH,	/* daemon to agent: programs have changed outside */
	LAB_TEXT,	/* client: words for the daemon, "\0" after each; daemon: text */
};

enum lab_stream { LAB_STDIN, LAB_STDOUT, LAB_STDERR };

struct lab_frame {
	uint32_t len;		/* of the payload */
	uint16_t type;
	uint16_t stream;
	uint32_t session;
};

struct lab_winsize {
	uint16_t rows, cols;
};

#define LAB_OPEN_TTY	1u
#define LAB_OPEN_FIXED	2u	/* no random addresses */

/* Followed by strings: the user ("" is root), NAME=VALUE..., "", ARGV... */
struct lab_open {
	uint32_t flags;
	struct lab_winsize size;
};

void frame_put(struct buf *b, int type, int stream, uint32_t session,
	       const void *payload, size_t len);
void frame_put_u32(struct buf *b, int type, int stream, uint32_t session, uint32_t value);

/*
 * The first whole frame of a buffer: 1 and its header and payload (valid until
 * the buffer is touched; then drop it with frame_drop), 0 if there is none
 * yet, -1 if the stream is damaged.
 */
int frame_get(const struct buf *b, struct lab_frame *f, const char **payload);
void frame_drop(struct buf *b, const struct lab_frame *f);
uint32_t frame_u32(const struct lab_frame *f, const char *payload);

#endif
