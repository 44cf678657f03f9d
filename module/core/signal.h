/* SPDX-License-Identifier: GPL-2.0 */
/*
 * signal.h - a signal on its way through the cluster
 *
 * The node where it was sent (the origin) numbers it and sends it straight to
 * where the process may be; without an answer it also spreads it as a rumour,
 * until an acknowledgement comes or its time is over.  Three parts, pure code:
 *
 *  - struct ctm_sig_out, at the origin: when to send again, when to spread, when
 *    to give up;
 *  - struct ctm_sig_relay, at every node: the rumours it has heard.  Each is passed
 *    on to CTM_SIG_FANOUT random peers in each of CTM_SIG_ROUNDS rounds, once for
 *    each wave of the origin; it is not heard twice, and no more once its
 *    acknowledgement came by.  Bounded, and no origin may have it all;
 *  - struct ctm_sig_applied, with the process: what was applied to it.  It moves
 *    along, so that a copy of a signal that comes later, at another host, is known.
 *
 * A signal is named by its origin, the origin's boot and a number that counts up.
 * Each copy tells the origin's floor: the lowest number that it still waits for.
 * What is below the floor is settled and no copy of it is applied any more, so
 * that a process need remember only a window above it, never a list.
 *
 * Each copy also tells how long it has left, which every node that holds it
 * shortens by the time it was held: clocks are never compared.  A copy without time
 * left is dropped, so what is remembered a while longer than that is enough.
 */
#ifndef CTM_CORE_SIGNAL_H
#define CTM_CORE_SIGNAL_H

#include "env.h"
#include "image.h"

#define CTM_SIG_MS		1000000ull		/* times are in ns */
#define CTM_SIG_ROUND		(50 * CTM_SIG_MS)
#define CTM_SIG_FANOUT		3u
#define CTM_SIG_ROUNDS		4u
#define CTM_SIG_HOPS_MAX	32u
#define CTM_SIG_WAVES		4u
#define CTM_SIG_LIFE_MAX_MS	60000u
/* a copy may be under way, or wait in a queue, this long beyond what it says */
#define CTM_SIG_SLACK		(20000 * CTM_SIG_MS)

/* what is asked for: a signal number, 0 to 64, or */
#define CTM_SIG_SUSPEND		65u
#define CTM_SIG_RESUME		66u
#define CTM_SIG_DESTROY		67u
#define CTM_SIG_WHAT_MAX	67u

/**
 * struct ctm_sig_id - @seq counts up from 1 in a boot of @node; 0: none
 */
struct ctm_sig_id {
	u64 boot;
	u64 seq;
	u32 node;
};

static inline bool ctm_sig_id_equal(const struct ctm_sig_id *a, const struct ctm_sig_id *b)
{
	return a->seq == b->seq && a->boot == b->boot && a->node == b->node;
}

/**
 * struct ctm_sig_info - what a signal was like that reached an old copy of its process
 * @tid:     thread that it was sent to, 0: the process
 * @siginfo: the kernel's, for x86-64
 */
struct ctm_sig_info {
	u32 tid;
	u8 siginfo[48];
};

/**
 * struct ctm_sig - one copy of a signal
 * @floor:  lowest number that the origin still waits for; at most CTM_SIG_WINDOW - 1
 *          below id.seq
 * @what:   signal number or CTM_SIG_SUSPEND...
 * @flags:  CTM_SIGNAL_GROUP
 * @uid, @euid, @gid: of the sender
 * @caller: CTM_CALLER_* of the sender
 * @left_ms: time it has left, up to CTM_SIG_LIFE_MAX_MS
 * @hops:   how often it was passed on
 * @wave:   of a rumour, 1 to CTM_SIG_WAVES; 0: sent straight to the host or home
 * @has_info: @info is to be delivered with it; signal numbers only
 */
struct ctm_sig {
	struct ctm_sig_id id;
	u64 floor;
	u64 gpid;
	u32 what;
	u32 flags;
	u32 uid, euid, gid;
	u32 caller;
	u32 left_ms;
	u8 hops;
	u8 wave;
	bool has_info;
	struct ctm_sig_info info;
};

/**
 * enum ctm_sig_outcome - what became of it (on the wire)
 * @CTM_SIG_DELIVERED:
 * @CTM_SIG_GONE:   the process has ended
 * @CTM_SIG_NEVER:  there never was such a process
 * @CTM_SIG_DENIED: the sender may not
 * @CTM_SIG_FAILED: errno and text say why
 * @CTM_SIG_HELD:   not yet: it will be tried again; text says why.  Not final
 */
enum ctm_sig_outcome {
	CTM_SIG_OPEN		= 0,
	CTM_SIG_DELIVERED	= 1,
	CTM_SIG_GONE		= 2,
	CTM_SIG_NEVER		= 3,
	CTM_SIG_DENIED		= 4,
	CTM_SIG_FAILED		= 5,
	CTM_SIG_HELD		= 6,
	CTM_SIG_OUTCOME_MAX
};

#define CTM_SIG_ACK_STOP	255u

static inline bool ctm_sig_final(enum ctm_sig_outcome o)
{
	return o != CTM_SIG_OPEN && o != CTM_SIG_HELD;
}

/**
 * struct ctm_sig_ack - an acknowledgement
 * @error: positive errno, with FAILED
 * @hops:  how often it was passed on; CTM_SIG_ACK_STOP: it is no news for the origin,
 *         only stops a rumour
 * @text:  one line, NUL terminated
 *
 * It goes to the origin, and back the way that the signal came, in case the origin
 * cannot be reached from here.  Only the first on that way tries the origin, too:
 * the others would be as many as the cluster has nodes.
 */
struct ctm_sig_ack {
	struct ctm_sig_id id;
	enum ctm_sig_outcome outcome;
	u32 error;
	u8 hops;
	char text[CTM_REASON_MAX];
};

/* ---- on the wire: payloads of CTM_DGRAM_SIGNAL and CTM_DGRAM_SIGNAL_ACK ---- */

struct ctm_sig_wire {
	__le64 boot;
	__le64 seq;
	__le64 floor;
	__le64 gpid;
	__le32 node;
	__le32 uid;
	__le32 euid;
	__le32 gid;
	__le32 caller;
	__le32 left_ms;
	__le32 flags;
	__le16 what;
	__u8 hops;
	__u8 wave;
};
static_assert(sizeof(struct ctm_sig_wire) == 64, "wire");

/** struct ctm_sig_info_wire - behind it, or not */
struct ctm_sig_info_wire {
	__le32 tid;
	__le32 pad;
	__u8 siginfo[48];
};
static_assert(sizeof(struct ctm_sig_info_wire) == 56, "wire");

#define CTM_SIG_WIRE_MAX	(sizeof(struct ctm_sig_wire) + sizeof(struct ctm_sig_info_wire))

struct ctm_sig_ack_wire {
	__le64 boot;
	__le64 seq;
	__le32 node;
	__le16 outcome;
	__le16 error;
	__le16 text_len;
	__u8 hops;
	__u8 pad[5];
	__u8 text[];
};
static_assert(sizeof(struct ctm_sig_ack_wire) == 32, "wire");

/** ctm_sig_put() - @buf: room for CTM_SIG_WIRE_MAX.  Return: bytes */
size_t ctm_sig_put(void *buf, const struct ctm_sig *s);
/** ctm_sig_get() - judge and take a payload apart.  0 or -EBADMSG */
int ctm_sig_get(struct ctm_sig *s, const void *buf, size_t len);
/** ctm_sig_ack_put() - @buf: room for sizeof(struct ctm_sig_ack_wire) + CTM_REASON_MAX.  Return: bytes */
size_t ctm_sig_ack_put(void *buf, const struct ctm_sig_ack *a);
int ctm_sig_ack_get(struct ctm_sig_ack *a, const void *buf, size_t len);

/* ---- at the origin ---- */

/**
 * struct ctm_sig_out - one signal at its origin; the owner serializes
 * @until: give up then
 * @due:   call ctm_sig_out_step() then
 */
struct ctm_sig_out {
	u64 until;
	u64 due;
	u64 spread_due;
	u64 direct_due;
	u32 direct;		/* sent straight so often */
	u32 wave;
	enum ctm_sig_outcome outcome;
};

/* what ctm_sig_out_step() asks for */
#define CTM_SIG_DO_SEND		(1u << 0)	/* straight to the host or home */
#define CTM_SIG_DO_SPREAD	(1u << 1)	/* hear it ourselves, as of wave o->wave */
#define CTM_SIG_DO_GIVE_UP	(1u << 2)	/* time is over: unconfirmed */

void ctm_sig_out_init(struct ctm_sig_out *o, u64 now, u32 life_ms);
u32 ctm_sig_out_step(struct ctm_sig_out *o, u64 now);
/** ctm_sig_out_ack() - an acknowledgement came.  Return: it is final, stop */
bool ctm_sig_out_ack(struct ctm_sig_out *o, enum ctm_sig_outcome outcome);
/** ctm_sig_left() - ms left until @until, 0: none */
u32 ctm_sig_left(u64 until, u64 now);

/* ---- rumours ---- */

/** struct ctm_sig_heard - a rumour, or a signal answered here; id.seq 0: the slot is free */
struct ctm_sig_heard {
	struct ctm_sig sig;
	u64 until;		/* of the copy; it is remembered CTM_SIG_SLACK longer */
	u64 due;		/* next round, 0: none */
	u32 from;		/* who told first */
	u32 error;
	u8 rounds;		/* left in this wave */
	u8 echoes;		/* acknowledgements that were passed on, or stops sent */
	bool ours;		/* answered here, not elsewhere */
	enum ctm_sig_outcome outcome;
};

/** struct ctm_sig_relay - @slot is the owner's memory; one lock of the owner's covers it */
struct ctm_sig_relay {
	struct ctm_sig_heard *slot;
	unsigned int nr;
};

/**
 * enum ctm_sig_news - what a rumour is to who hears it
 * @CTM_SIG_FIRST:    new: look for the process here; it will be passed on
 * @CTM_SIG_LATER:    known, of a later wave: look again; it will be passed on again
 * @CTM_SIG_KNOWN:    nothing to do
 * @CTM_SIG_ANSWERED: its outcome is known: tell it again
 * @CTM_SIG_FULL:     no room (left for that origin): look for the process here, no more
 */
enum ctm_sig_news {
	CTM_SIG_FIRST,
	CTM_SIG_LATER,
	CTM_SIG_KNOWN,
	CTM_SIG_ANSWERED,
	CTM_SIG_FULL,
};

/** ctm_sig_hear() - a rumour came (or begins here: @from is this node) */
enum ctm_sig_news ctm_sig_hear(struct ctm_sig_relay *t, const struct ctm_sig *s, u32 from, u64 now);
/**
 * ctm_sig_pass() - the next rumour that is to be passed on now
 * @out: the copy to send to CTM_SIG_FANOUT random peers, not to @from nor its origin
 * Return: false when there is none
 */
bool ctm_sig_pass(struct ctm_sig_relay *t, u64 now, struct ctm_sig *out, u32 *from);
/** ctm_sig_due() - when the next is due, 0: never */
u64 ctm_sig_due(const struct ctm_sig_relay *t);
/**
 * ctm_sig_answered() - it was answered here: remember that
 * Context: as ctm_sig_hear().  @from: who brought it
 */
void ctm_sig_answered(struct ctm_sig_relay *t, const struct ctm_sig *s, u32 from,
		      enum ctm_sig_outcome outcome, u32 error, u64 now);
/**
 * ctm_sig_recall() - a copy came: is its outcome known?
 * @a: gets the acknowledgement to be sent: to the origin and to who brought the copy, or,
 *     with hops CTM_SIG_ACK_STOP, to the latter alone
 * Return: what @a says, CTM_SIG_OPEN when nothing is known, CTM_SIG_HELD when that was
 * said often enough
 */
enum ctm_sig_outcome ctm_sig_recall(struct ctm_sig_relay *t, const struct ctm_sig_id *id,
				    struct ctm_sig_ack *a);

/* what ctm_sig_echo() asks for */
#define CTM_SIG_TO_ORIGIN	(1u << 0)
#define CTM_SIG_TO_FROM		(1u << 1)

/**
 * ctm_sig_echo() - an acknowledgement came by: pass the rumour on no more
 * @a:    its hops are one more afterwards
 * @from: gets who told us of the signal
 * Return: CTM_SIG_TO_*: pass the acknowledgement on
 */
u32 ctm_sig_echo(struct ctm_sig_relay *t, struct ctm_sig_ack *a, u32 *from);

/* ---- what was applied to a process ---- */

#define CTM_SIG_WINDOW		(CTM_APPLIED_BITS)
#define CTM_SIG_ORIGINS		(CTM_APPLIED_MAX)

/** struct ctm_sig_origin - numbers of one boot of one origin; boot 0: free */
struct ctm_sig_origin {
	u64 boot;
	u64 floor;
	u64 expires;
	u64 bits[CTM_SIG_WINDOW / 64];	/* number n: bit n % CTM_SIG_WINDOW; only from floor up */
	u32 node;
	bool fresh;			/* changed since ctm_sig_applied_save() */
};

/** struct ctm_sig_applied - zeroed before use; the owner serializes */
struct ctm_sig_applied {
	struct ctm_sig_origin v[CTM_SIG_ORIGINS];
};

/**
 * enum ctm_sig_verdict - may it be applied?
 * @CTM_SIG_NEW:     yes, then ctm_sig_applied_note()
 * @CTM_SIG_DONE:    it was: acknowledge it again
 * @CTM_SIG_SETTLED: the origin does not wait for it any more: drop it
 * @CTM_SIG_CROWDED: too many origins at a time: not now
 */
enum ctm_sig_verdict {
	CTM_SIG_NEW,
	CTM_SIG_DONE,
	CTM_SIG_SETTLED,
	CTM_SIG_CROWDED,
};

enum ctm_sig_verdict ctm_sig_applied_judge(struct ctm_sig_applied *a, const struct ctm_sig *s,
					   u64 now);
/** ctm_sig_applied_note() - it is applied now; after CTM_SIG_NEW, with nothing in between */
void ctm_sig_applied_note(struct ctm_sig_applied *a, const struct ctm_sig *s, u64 now);

/**
 * ctm_sig_applied_save() - for a journey
 * @all: all of it, and begin to look for changes; else what has changed since
 * @out: room for CTM_SIG_ORIGINS.  Return: their number
 */
unsigned int ctm_sig_applied_save(struct ctm_sig_applied *a, struct ctm_rec_applied *out, bool all,
				  u64 now);
/** ctm_sig_applied_load() - add what another host has saved, judged by ctm_applied_ok() */
void ctm_sig_applied_load(struct ctm_sig_applied *a, const struct ctm_rec_applied *in,
			  unsigned int n, u64 now);

#endif /* CTM_CORE_SIGNAL_H */
