/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sim.h - many nodes in virtual time, on a network that is as bad as one likes
 *
 * A program gives struct sim_ops: what a node does when it starts, when a message
 * comes, when a timer expires.  It runs the same core/ files as the kernel does, and
 * gets time, chance and the network from here.  Nothing else decides what happens, so
 * a seed repeats a run exactly: sim_print() of two runs is equal (its trace is a hash
 * of all that happened).
 *
 *	static void start(struct sim *s, u32 node) { sim_timer(s, node, SIM_SEC, 0, 0); }
 *	static void timer(...)   { sim_send(s, node, peer, &msg, sizeof(msg)); }
 *	static void message(...) { ... }
 *
 *	struct sim *s = sim_new(nodes, seed, &ops, &my_world);
 *	s->net.loss = 200;				  (20 %)
 *	sim_at(s, 5 * SIM_SEC, cut_in_half, NULL);
 *	sim_start_all(s);
 *	sim_run(s, 60 * SIM_SEC);
 *	...check...
 *	sim_free(s);
 *
 * Time is in ns.  sim_now() is the truth, and for checkers only; a node's own clock is
 * sim_clock(), which drifts and may be set.  All callbacks run one after another; they may call
 * anything here but sim_run() and sim_free().
 *
 * Checkers stand apart from the code they check: they look at the world of the program
 * (the truth about all nodes) in sim_ops.after, or between two sim_run(), and say
 * sim_violation().  The first one is kept, with its time, and ends sim_run().
 *
 * The library allocates what it needs and gives up (exit 2) when there is no memory.
 */
#ifndef CTM_SIM_H
#define CTM_SIM_H

#include "../../module/core/env.h"
#include "../unit/random.h"

#define SIM_US	1000ull
#define SIM_MS	1000000ull
#define SIM_SEC	1000000000ull

struct sim;

/**
 * struct sim_ops - the program; NULL where nothing is to be done
 * @start:   the node boots: forget everything but what a disk would have kept
 * @crashed: the node is gone; called before anything else happens
 * @message: a datagram, or a message of a stream, has come from @from
 * @timer:   of this boot of the node
 * @broken:  the stream with @peer is broken: what was sent may have come or not
 * @after:   after every callback at a node, for checkers
 */
struct sim_ops {
	void (*start)(struct sim *s, u32 node);
	void (*crashed)(struct sim *s, u32 node);
	void (*message)(struct sim *s, u32 node, u32 from, const void *buf, size_t len);
	void (*timer)(struct sim *s, u32 node, u32 kind, u64 arg);
	void (*broken)(struct sim *s, u32 node, u32 peer);
	void (*after)(struct sim *s, u32 node);
};

/**
 * struct sim_net - what the network does to each datagram; may be changed at any time
 * @delay, @jitter: one way: @delay + up to @jitter (evenly), ns
 * @loss, @dup, @late: per mille.  A late one takes up to @lateness more, and so is
 *           overtaken by others
 * @buffer:  datagrams that wait at a node that is paused or clogged; further ones are lost
 * @patience: streams: sending again for that long, then the stream breaks
 */
struct sim_net {
	u64 delay, jitter;
	u32 loss, dup, late;
	u64 lateness;
	u32 buffer;
	u64 patience;
};

/** struct sim_count - what a node did; datagrams, but @stream */
struct sim_count {
	u64 sent, sent_bytes, received, lost, stream;
};

struct sim_node {
	bool up;
	u64 boot;			/* new at each start, never 0 */
	u64 paused;			/* until */
	u64 clogged;			/* until */
	u32 waiting;			/* datagrams, while paused or clogged */
	s64 offset;			/* of its clock, ns */
	s64 drift;			/* of its clock, parts per million */
	u64 drift_since;
	u32 side;			/* of a partition */
	u32 loss;			/* per mille, of what comes and goes, beside net.loss */
	struct sim_count count;
};

struct sim {
	struct sim_net net;
	struct rng rng;			/* for the program; the network has its own */
	void *owner;			/* the program's world */
	u32 nodes;
	struct sim_node *node;
	u64 now, seed;
	u64 steps;			/* callbacks so far */
	u64 trace;			/* hash of all that happened */
	const char *violation;		/* what the checkers said first, or NULL */
	u64 violation_at;
	struct sim_private *private;
};

struct sim *sim_new(u32 nodes, u64 seed, const struct sim_ops *ops, void *owner);
void sim_free(struct sim *s);

/** sim_run() - until @until, or nothing is left to happen, or a violation.  Return: no violation */
bool sim_run(struct sim *s, u64 until);

static inline u64 sim_now(const struct sim *s)
{
	return s->now;
}

/* ---- what nodes may call ---- */

/** sim_clock() - the node's own monotonic clock */
u64 sim_clock(const struct sim *s, u32 node);
/** sim_send() - a datagram; lost, doubled, late as struct sim_net says; to itself: never */
void sim_send(struct sim *s, u32 from, u32 to, const void *buf, size_t len);
/**
 * sim_stream() - a message on a connection: comes once, in order, or the stream breaks
 * The connection is there when it is needed.  When it breaks (cut for net.patience, or the peer
 * was down or booted anew), what was under way is gone and both hear of it.
 */
void sim_stream(struct sim *s, u32 from, u32 to, const void *buf, size_t len);
/** sim_timer() - after @delay of the node's clock; dies with this boot of the node */
void sim_timer(struct sim *s, u32 node, u64 delay, u32 kind, u64 arg);

/* ---- what the scenario may call ---- */

/** sim_at() - call @fn at @when (not before now) */
void sim_at(struct sim *s, u64 when, void (*fn)(struct sim *s, void *arg), void *arg);
/** sim_boot() - the node starts (anew); sim_start_all(): all that are down */
void sim_boot(struct sim *s, u32 node);
void sim_start_all(struct sim *s);
/** sim_crash() - it is gone; what it sent is still under way */
void sim_crash(struct sim *s, u32 node);
/** sim_pause() - for @duration it does nothing; then it finds timers and datagrams, in order */
void sim_pause(struct sim *s, u32 node, u64 duration);
/** sim_clog() - its datagrams, in and out, wait for @duration, while its timers go on */
void sim_clog(struct sim *s, u32 node, u64 duration);
/** sim_side() - only nodes with the same @side reach each other; all begin with 0 */
void sim_side(struct sim *s, u32 node, u32 side);
void sim_heal(struct sim *s);		/* all to side 0, all links up */
/** sim_link() - from @from to @to (one way): up or down */
void sim_link(struct sim *s, u32 from, u32 to, bool up);
/** sim_reaches() - is there a way from @from to @to now?  For models of what is above datagrams */
bool sim_reaches(const struct sim *s, u32 from, u32 to);
/** sim_drift() - the node's clock runs fast by @ppm from now on; sim_set_clock(): jumps by @by */
void sim_drift(struct sim *s, u32 node, s64 ppm);
void sim_set_clock(struct sim *s, u32 node, s64 by);

/* ---- what checkers may call ---- */

void sim_violation(struct sim *s, const char *what);
/** sim_print() - one line: seed, time, steps, trace, violation */
void sim_print(const struct sim *s);
/** sim_seconds() - for tables */
static inline double sim_seconds(u64 ns)
{
	return (double)ns / 1e9;
}

#endif /* CTM_SIM_H */
