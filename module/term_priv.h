/* SPDX-License-Identifier: GPL-2.0 */
/*
 * term_priv.h - what term.c (streams) and term_link.c (their connection) share
 *
 * Lock order: ctm_stream.rd or .wr, ctm_term.conn_lock, ctm_term.lock.
 */
#ifndef CTM_TERM_PRIV_H
#define CTM_TERM_PRIV_H

#include <linux/mutex.h>
#include <linux/wait.h>

#include "core/rwire.h"
#include "net/transport.h"
#include "term.h"

#define CTM_TERM_WINDOW	(64u << 10)	/* bytes under way that one side grants the other */
#define CTM_TERM_OUT	(256u << 10)	/* home takes more than it granted when a host must be rid of it */

/**
 * struct ctm_stream - bytes [tail, head) of a stream, in a ring
 * One producer and one consumer at a time: they hold @wr or @rd while they copy,
 * and publish head or tail under ctm_term.lock.
 */
struct ctm_stream {
	struct mutex rd, wr;
	u8 *buf;
	u32 size;			/* a power of two */
	u64 head, tail;			/* ctm_term.lock */
};

/**
 * struct ctm_term - p->term: freed with the process
 * At home @in ends in the deputy's writing and begins with what the keeper has
 * not taken; @out ends with what home has got and begins with what the deputy
 * has not read.  On another host @in is what came and was not taken, @out what
 * home has not got for good.  At home with the process, both are simply shared.
 */
struct ctm_term {
	struct ctm_process *p;		/* constant, no reference */
	bool home;			/* constant */
	spinlock_t lock;		/* everything below without a note */
	wait_queue_head_t wait;
	struct ctm_stream in, out;
	bool remote;			/* home: the process is elsewhere */
	bool ended;
	bool hungup;			/* nobody reads the output any more */
	bool thread;			/* home: the link thread runs */
	bool adrift;			/* host: started by an operator; waits for home's offsets */
	bool watch;			/* host: home_lost work is pending */
	struct delayed_work home_lost;	/* holds a reference on @p while pending */

	struct mutex conn_lock;		/* against close while another aborts */
	struct ctm_conn *conn;		/* written under both locks */
	u64 sent;			/* on @conn, of the stream that goes out */
	u64 limit;			/* granted by the other side */
	unsigned int flushing;		/* ... and ignored */
	u64 told_off, told_limit;	/* last ACK */
};

static inline struct ctm_stream *ctm_term_tx(struct ctm_term *t)
{
	return t->home ? &t->in : &t->out;
}

static inline struct ctm_stream *ctm_term_rx(struct ctm_term *t)
{
	return t->home ? &t->out : &t->in;
}

/** ctm_stream_put() - append from kernel memory; holds s->wr.  Return: bytes taken */
u32 ctm_stream_put(struct ctm_term *t, struct ctm_stream *s, const u8 *data, u32 len);
/** ctm_stream_peek() - copy [@from, @from + @len), which is there and stays; holds nothing */
void ctm_stream_peek(const struct ctm_stream *s, u64 from, u8 *data, u32 len);

/** ctm_term_link_start() - home: see to it that the link thread runs */
void ctm_term_link_start(struct ctm_term *t);
/** ctm_term_cut() - end the present connection, if any */
void ctm_term_cut(struct ctm_term *t);
void ctm_term_home_lost(struct work_struct *work);

#endif /* CTM_TERM_PRIV_H */
