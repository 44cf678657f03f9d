/* SPDX-License-Identifier: GPL-2.0 */
/*
 * handoff.h - the transfer of a process to another host, all or nothing
 *
 * Two state machines, one at each end, as pure code: an event with its time
 * goes in, actions come out, in the order in which they are to be done.  A
 * machine stands for one attempt at one handoff, known by struct ctm_ho_id; its
 * owner (journey.c at the source, land.c at the destination) calls step for one
 * event at a time.
 *
 * What they guarantee together, whatever the network and the hosts do:
 *  - at most one copy runs (an operator's RECOVER excepted);
 *  - an attempt ends, or is visibly in limbo;
 *  - an attempt that was aborted leaves the source runnable.
 *
 * Source                                   leaves by
 *   RUNNING        nothing has happened    START
 *   CONSENT        home is asked           CONSENTED
 *   OFFERED        destination is asked    ACCEPT
 *   FREEZING                               FROZEN
 *   SENDING        the image is sent       IMAGE_SENT (or PREPARED)
 *   WAIT_PREPARED                          PREPARED, and no task is dying
 *   COMMITTED      never thaws by itself   STARTED
 *   LIMBO          the same, and visible   STARTED, or the destination's word
 *                                          that it has not and never will, or
 *                                          an operator's RECOVER
 *   RELEASED, ABORTED, RECOVERED           ends
 * Before COMMITTED everything else aborts: the copy is thawed (and STARTED, when
 * an operator started the prepared copy, releases).
 *
 * Destination
 *   IDLE                                   OFFER
 *   ACCEPTED                               BEGIN
 *   INCOMING       the restorer builds     BUILT
 *   PREPARED       never starts by itself  COMMIT, or the source's answer
 *   LIMBO          source silent, or it    the same, or an operator's RECOVER
 *                  was rebooted            (start) or DESTROY
 *   STARTED        runs; may not move on   RELEASED
 *   SETTLED, DISCARDED, REFUSED            ends
 *
 * "Unknown" as an answer means, from the boot with which the attempt was begun:
 *   source says it to PREPARED:  aborted (a source forgets only what it aborted
 *                                or released, and it releases after STARTED)
 *   source says it to STARTED:   released; from another boot, too: the copy
 *                                went with the boot
 *   destination to COMMITTED:    discarded (it forgets STARTED only after
 *                                RELEASED)
 * so only COMMITTED, STARTED and RECOVERED must be remembered until the other
 * side has acknowledged them: struct ctm_ho_outcomes.
 *
 * On the wire: connection of CTM_CHANNEL_HANDOFF, frames of struct ctm_ho_frame.
 *
 *   source                             destination
 *   OFFER (ctm_ho_offer, idents)  -->
 *                                 <--  ACCEPT (ctm_ho_accept, bitmap) or
 *                                      REFUSE (ctm_ho_text)
 *   BEGIN (ctm_ho_begin)          -->
 *                                 <--  READY: a restorer waits for records
 *   records of the image up to END     ABORT (ctm_ho_text) at any time
 *    or CTM_REC_ABORT             -->
 *                                 <--  PREPARED
 *   COMMIT (ctm_ho_commit) or
 *   ABORT                         -->
 *                                 <--  STARTED
 *   RELEASED                      -->
 *
 * BEGIN leaves before the freeze, which waits for READY, but not for ever: it only
 * saves time, and the machines do not know it.
 * Between BEGIN and CTM_REC_END the source sends no frames but records; it gives
 * up with the record CTM_REC_ABORT (not inside the pages of a PAGES record:
 * there it fills up or closes).  A connection that closes without more is
 * CONN_LOST.  QUERY and its ANSWER travel as call CTM_CALL_QUERY, RELEASED also
 * as CTM_CALL_RELEASED, each with the same frame.
 *
 * CTM_CHANNEL_FORK speaks with the same frames, of one image for many children (fork.h):
 * OFFER, then CHILDREN; ACCEPT or REFUSE; BEGIN and the image; then for each child STARTED, or
 * ABORT with why it was not, whose id has that child's gpid.
 */
#ifndef CTM_CORE_HANDOFF_H
#define CTM_CORE_HANDOFF_H

#include "env.h"
#include "image.h"

/**
 * struct ctm_ho_id - one attempt at one handoff
 * @gpid: the process
 * @epoch: of the ownership that is to end (the new host's is @epoch + 1)
 * @attempt: counts the tries in this epoch; an abort burns it
 * @src_boot, @dst_boot: boot ids of both ends
 */
struct ctm_ho_id {
	u64 gpid;
	u32 epoch;
	u32 attempt;
	u64 src_boot;
	u64 dst_boot;
};

bool ctm_ho_id_equal(const struct ctm_ho_id *a, const struct ctm_ho_id *b);
/**
 * ctm_ho_id_supersedes() - does an offer of @id prove that @old was aborted?
 * True for a later attempt of the same source boot in the same epoch: it would
 * not have begun otherwise.  Feed CTM_HO_EV_SUPERSEDED to the machine of @old.
 */
bool ctm_ho_id_supersedes(const struct ctm_ho_id *id, const struct ctm_ho_id *old);

/**
 * enum ctm_ho_outcome_type - what one end says of an attempt (on the wire)
 * @CTM_HO_UNKNOWN:   not known (any more, or in this boot)
 * @CTM_HO_UNDECIDED: source: not yet committed; destination: not yet prepared
 * @CTM_HO_COMMITTED: source: committed, and not yet told that it started
 * @CTM_HO_ABORTED:   source: it runs, or ended, there
 * @CTM_HO_RELEASED:  source: its copy is destroyed
 * @CTM_HO_RECOVERED: source: an operator started its copy again: yours is void
 * @CTM_HO_PREPARED:  destination: waits for COMMIT
 * @CTM_HO_STARTED:   destination: runs (or ended since)
 * @CTM_HO_DISCARDED: destination: has not started it and never will
 */
enum ctm_ho_outcome_type {
	CTM_HO_UNKNOWN		= 0,
	CTM_HO_UNDECIDED	= 1,
	CTM_HO_COMMITTED	= 2,
	CTM_HO_ABORTED		= 3,
	CTM_HO_RELEASED		= 4,
	CTM_HO_RECOVERED	= 5,
	CTM_HO_PREPARED		= 6,
	CTM_HO_STARTED		= 7,
	CTM_HO_DISCARDED	= 8,
	CTM_HO_OUTCOME_MAX
};

/**
 * enum ctm_ho_event_type - S: the source takes it, D: the destination
 *
 * Messages (the id is compared; another one is -ESTALE):
 * @CTM_HO_EV_OFFER:    D; @ok: it may land, else @error
 * @CTM_HO_EV_ACCEPT:   S
 * @CTM_HO_EV_REFUSE:   S; @error
 * @CTM_HO_EV_BEGIN:    D
 * @CTM_HO_EV_PREPARED: S; @dying: a task of the copy is dying, or its pending
 *                      signals could not be read: no commit
 * @CTM_HO_EV_COMMIT:   D; @dying: a restored task is dying: it cannot start
 * @CTM_HO_EV_STARTED:  S
 * @CTM_HO_EV_RELEASED: D
 * @CTM_HO_EV_ABORT:    S, D: the other end gave up (frame or CTM_REC_ABORT); @error
 * @CTM_HO_EV_QUERY:    S, D; @outcome and @boot: of who asks
 * @CTM_HO_EV_ANSWER:   S, D: @outcome and @boot: of who answers; @dying as for
 *                      COMMIT
 *
 * What happened here:
 * @CTM_HO_EV_START:      S
 * @CTM_HO_EV_CONSENTED:  S: home agrees
 * @CTM_HO_EV_FROZEN:     S
 * @CTM_HO_EV_IMAGE_SENT: S: CTM_REC_END has left
 * @CTM_HO_EV_RECORD:     D: some of the image has come
 * @CTM_HO_EV_BUILT:      D: all threads wait, END was read
 * @CTM_HO_EV_FAILED:     S: consent refused, freeze, capture; D: the restorer or
 *                        keeper failed or died; @error
 * @CTM_HO_EV_COPY_DIED:  S: the copy was killed
 * @CTM_HO_EV_CANCEL:     S, D: the node goes down, drain gives up: stop if it can
 *                        still be stopped
 * @CTM_HO_EV_CONN_LOST:  S, D
 * @CTM_HO_EV_PEER_BOOT:  S, D: the other end came up with another boot id
 * @CTM_HO_EV_TIMER:      S, D: for `deadline`; early ones are ignored
 * @CTM_HO_EV_SUPERSEDED: D: see ctm_ho_id_supersedes()
 * @CTM_HO_EV_RECOVER:    S, D: an operator: run it here
 * @CTM_HO_EV_DESTROY:    D: an operator: throw the copy in limbo away
 */
enum ctm_ho_event_type {
	CTM_HO_EV_OFFER,
	CTM_HO_EV_ACCEPT,
	CTM_HO_EV_REFUSE,
	CTM_HO_EV_BEGIN,
	CTM_HO_EV_PREPARED,
	CTM_HO_EV_COMMIT,
	CTM_HO_EV_STARTED,
	CTM_HO_EV_RELEASED,
	CTM_HO_EV_ABORT,
	CTM_HO_EV_QUERY,
	CTM_HO_EV_ANSWER,
	CTM_HO_EV_MESSAGES,	/* above: messages; below: local */
	CTM_HO_EV_START = CTM_HO_EV_MESSAGES,
	CTM_HO_EV_CONSENTED,
	CTM_HO_EV_FROZEN,
	CTM_HO_EV_IMAGE_SENT,
	CTM_HO_EV_RECORD,
	CTM_HO_EV_BUILT,
	CTM_HO_EV_FAILED,
	CTM_HO_EV_COPY_DIED,
	CTM_HO_EV_CANCEL,
	CTM_HO_EV_CONN_LOST,
	CTM_HO_EV_PEER_BOOT,
	CTM_HO_EV_TIMER,
	CTM_HO_EV_SUPERSEDED,
	CTM_HO_EV_RECOVER,
	CTM_HO_EV_DESTROY,
	CTM_HO_EV_MAX
};

/**
 * struct ctm_ho_event - one thing that happened
 * @type: enum ctm_ho_event_type
 * @now:  ns of any clock that does not run back, the same for all of a machine
 * @id:   of a message
 * @outcome, @boot: QUERY and ANSWER
 * @ok:   OFFER
 * @dying: PREPARED, COMMIT, ANSWER
 * @error: positive errno; kept in the machine for the report
 */
struct ctm_ho_event {
	enum ctm_ho_event_type type;
	u64 now;
	struct ctm_ho_id id;
	enum ctm_ho_outcome_type outcome;
	u64 boot;
	bool ok;
	bool dying;
	int error;
};

/**
 * enum ctm_ho_action - what the owner does, in this order, after a step
 *
 * Sending is best effort: without a connection it is left out, the machines
 * recover by QUERY.  None of them can fail, but what they begin may end in a
 * FAILED event.
 *
 * Source:
 * @CTM_HO_ASK_HOME:     CTM_CALL_CONSENT; then CONSENTED or FAILED
 * @CTM_HO_SEND_OFFER:   connect and offer; then ACCEPT, REFUSE, CONN_LOST
 * @CTM_HO_FREEZE:       then FROZEN or FAILED
 * @CTM_HO_SEND_IMAGE:   BEGIN frame and records; then IMAGE_SENT, FAILED or CONN_LOST
 * @CTM_HO_SEND_COMMIT:  always the same bytes, however often
 * @CTM_HO_SEND_ABORT:   frame, or CTM_REC_ABORT inside the image
 * @CTM_HO_SEND_RELEASED:
 * @CTM_HO_THAW:
 * @CTM_HO_DESTROY_COPY: SIGKILL to the frozen copy; never thaw it alive
 * @CTM_HO_QUERY_DEST:   QUERY with COMMITTED; then ANSWER, or nothing
 * @CTM_HO_FORWARD_KILL: the copy got SIGKILL: send it on to the process
 * @CTM_HO_GIVE_BACK:    tell home that its consent was not used
 * @CTM_HO_REPORT_DONE:  migrate succeeds
 * @CTM_HO_REPORT_FAILED: migrate fails with the machine's @error
 *
 * Destination:
 * @CTM_HO_SEND_ACCEPT, @CTM_HO_SEND_REFUSE:
 * @CTM_HO_BUILD:        wake a restorer; then RECORD, BUILT or FAILED
 * @CTM_HO_SEND_PREPARED:
 * @CTM_HO_RELEASE:      take pending signals and terminal positions from the
 *                       COMMIT (or the ANSWER), let all threads go
 * @CTM_HO_SEND_STARTED:
 * @CTM_HO_TELL_HOME:    CTM_CALL_MOVED, until home has it
 * @CTM_HO_DISCARD:      the restored tasks exit
 * @CTM_HO_KILL_COPY:    an operator recovered the source: kill what runs here
 * @CTM_HO_QUERY_SOURCE: QUERY with PREPARED or STARTED; then ANSWER, or nothing
 * @CTM_HO_SETTLE:       it may move on from here
 *
 * Both:
 * @CTM_HO_SEND_ANSWER:  ANSWER with ctm_ho_{source,dest}_outcome()
 * @CTM_HO_ENTER_LIMBO:  show it as limbo
 * @CTM_HO_LEAVE_LIMBO:
 */
enum ctm_ho_action {
	CTM_HO_ASK_HOME = 1,
	CTM_HO_SEND_OFFER,
	CTM_HO_FREEZE,
	CTM_HO_SEND_IMAGE,
	CTM_HO_SEND_COMMIT,
	CTM_HO_SEND_ABORT,
	CTM_HO_SEND_RELEASED,
	CTM_HO_THAW,
	CTM_HO_DESTROY_COPY,
	CTM_HO_QUERY_DEST,
	CTM_HO_FORWARD_KILL,
	CTM_HO_GIVE_BACK,
	CTM_HO_REPORT_DONE,
	CTM_HO_REPORT_FAILED,

	CTM_HO_SEND_ACCEPT,
	CTM_HO_SEND_REFUSE,
	CTM_HO_BUILD,
	CTM_HO_SEND_PREPARED,
	CTM_HO_RELEASE,
	CTM_HO_SEND_STARTED,
	CTM_HO_TELL_HOME,
	CTM_HO_DISCARD,
	CTM_HO_KILL_COPY,
	CTM_HO_QUERY_SOURCE,
	CTM_HO_SETTLE,

	CTM_HO_SEND_ANSWER,
	CTM_HO_ENTER_LIMBO,
	CTM_HO_LEAVE_LIMBO,
	CTM_HO_ACTION_MAX
};

#define CTM_HO_ACTIONS_MAX	8

struct ctm_ho_actions {
	unsigned int n;
	enum ctm_ho_action list[CTM_HO_ACTIONS_MAX];
};

enum ctm_ho_source_state {
	CTM_HO_SRC_RUNNING,
	CTM_HO_SRC_CONSENT,
	CTM_HO_SRC_OFFERED,
	CTM_HO_SRC_FREEZING,
	CTM_HO_SRC_SENDING,
	CTM_HO_SRC_WAIT_PREPARED,
	CTM_HO_SRC_COMMITTED,
	CTM_HO_SRC_LIMBO,
	CTM_HO_SRC_RELEASED,
	CTM_HO_SRC_ABORTED,
	CTM_HO_SRC_RECOVERED,
	CTM_HO_SRC_MAX
};

enum ctm_ho_dest_state {
	CTM_HO_DST_IDLE,
	CTM_HO_DST_ACCEPTED,
	CTM_HO_DST_INCOMING,
	CTM_HO_DST_PREPARED,
	CTM_HO_DST_LIMBO,
	CTM_HO_DST_STARTED,
	CTM_HO_DST_SETTLED,
	CTM_HO_DST_DISCARDED,
	CTM_HO_DST_REFUSED,
	CTM_HO_DST_MAX
};

/* How long a state waits, ns.  Freezing, sending: bounded by their own timeouts. */
#define CTM_HO_SEC		1000000000ull
#define CTM_HO_T_CONSENT	(5 * CTM_HO_SEC)
#define CTM_HO_T_OFFER		(10 * CTM_HO_SEC)
#define CTM_HO_T_PREPARE	(60 * CTM_HO_SEC)	/* IMAGE_SENT to PREPARED */
#define CTM_HO_T_STARTED	(5 * CTM_HO_SEC)	/* COMMIT to STARTED, then limbo */
#define CTM_HO_T_BEGIN		(30 * CTM_HO_SEC)	/* ACCEPT to BEGIN (freezing) */
#define CTM_HO_T_STALL		(60 * CTM_HO_SEC)	/* between two RECORDs */
#define CTM_HO_T_QUERY		(2 * CTM_HO_SEC)	/* first interval of queries, doubles */
#define CTM_HO_T_QUERY_MAX	(32 * CTM_HO_SEC)
#define CTM_HO_SILENT		3u			/* queries without answer, then limbo */

/**
 * struct ctm_ho_source - one attempt, at the source
 * @id:    constant
 * @state: enum ctm_ho_source_state; changed by step alone
 * @frozen: FREEZE was asked for: an abort thaws (also after a freeze that failed)
 * @consented: home was asked: an abort gives the consent back
 * @deadline: when a TIMER event is due, 0: never
 * @tries: queries since entering limbo
 * @error: why it was aborted
 */
struct ctm_ho_source {
	struct ctm_ho_id id;
	enum ctm_ho_source_state state;
	bool frozen;
	bool consented;
	u64 deadline;
	u32 tries;
	int error;
};

/**
 * struct ctm_ho_dest - one attempt, at the destination; fields as above
 * @recovered: started by an operator, not by the source's word
 */
struct ctm_ho_dest {
	struct ctm_ho_id id;
	enum ctm_ho_dest_state state;
	bool recovered;
	u64 deadline;
	u32 tries;
	int error;
};

void ctm_ho_source_init(struct ctm_ho_source *s, const struct ctm_ho_id *id);
void ctm_ho_dest_init(struct ctm_ho_dest *d, const struct ctm_ho_id *id);

/**
 * ctm_ho_source_step() - what the source does about an event
 * @out: gets the actions, none when the event changes nothing
 * Context: any; the owner serializes.  Return: 0, or -ESTALE for a message with
 * another id (nothing changed).
 */
int ctm_ho_source_step(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
		       struct ctm_ho_actions *out);
/** ctm_ho_dest_step() - what the destination does about an event; as above */
int ctm_ho_dest_step(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
		     struct ctm_ho_actions *out);

enum ctm_ho_outcome_type ctm_ho_source_outcome(const struct ctm_ho_source *s);
enum ctm_ho_outcome_type ctm_ho_dest_outcome(const struct ctm_ho_dest *d);
/** ctm_ho_source_over(), ctm_ho_dest_over() - an end state: the machine may go, its outcome into the table */
bool ctm_ho_source_over(const struct ctm_ho_source *s);
bool ctm_ho_dest_over(const struct ctm_ho_dest *d);

const char *ctm_ho_source_state_name(enum ctm_ho_source_state s);
const char *ctm_ho_dest_state_name(enum ctm_ho_dest_state s);
const char *ctm_ho_event_name(enum ctm_ho_event_type t);
const char *ctm_ho_action_name(enum ctm_ho_action a);

/* ---- outcomes, remembered ---- */

/**
 * struct ctm_ho_outcome - what became of an attempt
 * @id: gpid 0: the slot is free
 * @source: this node was its source, else its destination
 * @outcome: COMMITTED, STARTED and RECOVERED stay until acknowledged; so does
 *           UNDECIDED, a place reserved; the others until room is needed
 * @acked: the other end knows
 * @age: order of the last change
 */
struct ctm_ho_outcome {
	struct ctm_ho_id id;
	bool source;
	bool acked;
	enum ctm_ho_outcome_type outcome;
	u64 age;
};

/** struct ctm_ho_outcomes - @slot is the owner's memory; one lock of the owner's covers it */
struct ctm_ho_outcomes {
	struct ctm_ho_outcome *slot;
	unsigned int nr;
	unsigned int recent;	/* slot that was found last */
	u64 clock;
};

/**
 * ctm_ho_outcome_reserve() - before an attempt begins, so that its outcome has a place
 * Return: 0, -EEXIST: this attempt is already known (a late duplicate),
 * -ENOSPC: too many outcomes are not acknowledged; do not begin.
 */
int ctm_ho_outcome_reserve(struct ctm_ho_outcomes *t, const struct ctm_ho_id *id, bool source);
/** ctm_ho_outcome_set() - after every step that changed it; ignored if not reserved */
void ctm_ho_outcome_set(struct ctm_ho_outcomes *t, const struct ctm_ho_id *id, bool source,
			enum ctm_ho_outcome_type outcome);
/**
 * ctm_ho_outcome_query() - the answer to a QUERY when there is no machine (any more)
 * @source: this node was the source
 * @theirs: outcome of who asks; DISCARDED and RELEASED also acknowledge
 */
enum ctm_ho_outcome_type ctm_ho_outcome_query(struct ctm_ho_outcomes *t,
					      const struct ctm_ho_id *id, bool source,
					      enum ctm_ho_outcome_type theirs);
/** ctm_ho_outcome_ack() - the other end knows (RELEASED came, or ABORT for a recovered one): may be forgotten */
void ctm_ho_outcome_ack(struct ctm_ho_outcomes *t, const struct ctm_ho_id *id, bool source);

/* ---- on the wire ---- */

enum ctm_ho_frame_type {
	CTM_HO_FRAME_OFFER	= 1,
	CTM_HO_FRAME_ACCEPT	= 2,
	CTM_HO_FRAME_REFUSE	= 3,
	CTM_HO_FRAME_BEGIN	= 4,
	CTM_HO_FRAME_PREPARED	= 5,
	CTM_HO_FRAME_COMMIT	= 6,
	CTM_HO_FRAME_STARTED	= 7,
	CTM_HO_FRAME_RELEASED	= 8,
	CTM_HO_FRAME_ABORT	= 9,
	CTM_HO_FRAME_QUERY	= 10,
	CTM_HO_FRAME_ANSWER	= 11,
	CTM_HO_FRAME_READY	= 12,
	CTM_HO_FRAME_CHILDREN	= 13,	/* of CTM_CHANNEL_FORK alone */
	CTM_HO_FRAME_MAX
};

struct ctm_ho_wire_id {
	__le64 gpid;
	__le32 epoch;
	__le32 attempt;
	__le64 src_boot;
	__le64 dst_boot;
};

/**
 * struct ctm_ho_frame - header of a frame
 * @type:  enum ctm_ho_frame_type
 * @flags: 0
 * @len:   payload bytes that follow
 */
struct ctm_ho_frame {
	__le16 type;
	__le16 flags;
	__le32 len;
	struct ctm_ho_wire_id id;
};
static_assert(sizeof(struct ctm_ho_frame) == 40, "wire");

/** struct ctm_ho_abi - struct ctm_abi of node.h, on the wire */
struct ctm_ho_abi {
	__u8 vdso_id[20];
	__u8 pad[4];
	__le64 xfeatures;
	__le32 xstate_size;
	__le32 version;
	__le64 cpu[4];
};

#define CTM_HO_IDENTS_MAX	4096u			/* number */
#define CTM_HO_IDENT_BYTES_MAX	(1024u * 1024)		/* all of them */

/* flags of an OFFER, beside CTM_ADOPT_* */
#define CTM_HO_OFFER_CLUSTER	(1u << 16)	/* the cluster decided this hop, not an operator */
#define CTM_HO_OFFER_SELF	(1u << 17)	/* self-capture: MIGRATE of the caller */
#define CTM_HO_OFFER_SUSPENDED	(1u << 18)	/* stays frozen at the destination */
#define CTM_HO_OFFER_FLAGS	(CTM_ADOPT_TTY | CTM_ADOPT_PIN | CTM_ADOPT_LINGER | \
				 CTM_HO_OFFER_CLUSTER | CTM_HO_OFFER_SELF | CTM_HO_OFFER_SUSPENDED)

/**
 * struct ctm_ho_offer - what the destination must know to say yes
 * @abi:    of the source
 * @flags:  CTM_ADOPT_*, CTM_HO_OFFER_*
 * @uid, @gid: real ids of the leader
 * @threads, @hops:
 * @ttl, @ttl_max: hops left before this one; what useful work gives back
 * @lease_ms, @lease_used_ms: CPU time without useful work; 0: no lease
 * @rss:    bytes to be sent, estimate
 * @mono_ns, @boot_ns: the process's clocks when this was sent (first sample of
 *          ctm_ho_clock_offset())
 * @cpu_ns: CPU time used so far, on this host and before
 * @nidents, @ident_bytes: struct ctm_file_ident (capture.h) that follow
 * @comm:   NUL padded
 * @family: GPID of the root of its family
 */
struct ctm_ho_offer {
	struct ctm_ho_abi abi;
	__le32 flags;
	__le32 uid;
	__le32 gid;
	__le32 threads;
	__le32 hops;
	__le32 ttl;
	__le64 rss;
	__le64 mono_ns;
	__le64 boot_ns;
	__le64 cpu_ns;
	__le32 nidents;
	__le32 ident_bytes;
	__u8 comm[CTM_COMM_MAX];
	__le32 ttl_max;
	__le32 lease_ms;
	__le32 lease_used_ms;
	__le32 pad;
	__le64 family;
	__u8 idents[];
};
static_assert(sizeof(struct ctm_ho_offer) == 176, "wire");

/**
 * struct ctm_ho_accept - yes
 * @mono_rx, @boot_rx: the destination's clocks when the OFFER came
 * @mono_tx, @boot_tx: and when this was sent
 * @nidents: as in the OFFER; bit i of @bits (in bytes, low bit first, unused
 *           bits zero): file i is here too
 */
struct ctm_ho_accept {
	__le64 mono_rx;
	__le64 boot_rx;
	__le64 mono_tx;
	__le64 boot_tx;
	__le32 nidents;
	__le32 pad;
	__u8 bits[];
};
static_assert(sizeof(struct ctm_ho_accept) == 40, "wire");

/** struct ctm_ho_text - REFUSE, ABORT: why; @text without NUL, below CTM_REASON_MAX */
struct ctm_ho_text {
	__le32 error;		/* positive errno */
	__le32 pad;
	__u8 text[];
};

/**
 * struct ctm_ho_begin - what the keeper must know to create the leader
 * Sent while the process still runs; HEAD repeats it, or the attempt fails.
 * @mono_off_ns, @boot_off_ns: the process's clocks minus the destination's
 * @leader: pid
 * @hole, @hole_len: of the restorer, see ctm_hole_ok()
 */
struct ctm_ho_begin {
	__le64 mono_off_ns;
	__le64 boot_off_ns;
	__le32 leader;
	__le32 pad;
	__le64 hole;
	__le64 hole_len;
};
static_assert(sizeof(struct ctm_ho_begin) == 40, "wire");

/**
 * struct ctm_ho_child - one of the children that a node is to make
 * @gpid:  reserved by the home of its family
 * @index: which of the call's it is
 */
struct ctm_ho_child {
	__le64 gpid;
	__le32 index;
	__le32 pad;
};

/**
 * struct ctm_ho_children - CHILDREN: behind an OFFER on CTM_CHANNEL_FORK
 * @index_at: user address at which a child finds its index
 * @count:    struct ctm_ho_child that follow, 1 to CTM_FORK_MAX; all have the home of
 *            the frame's gpid, which is their parent's
 */
struct ctm_ho_children {
	__le64 index_at;
	__le32 count;
	__le32 pad;
	struct ctm_ho_child child[];
};
static_assert(sizeof(struct ctm_ho_children) == 16, "wire");

/* new signals since the capture that a COMMIT can carry; with more there is no commit */
#define CTM_HO_PENDING_MAX	256u

/**
 * struct ctm_ho_commit - the point of no return
 * @npending: struct ctm_rec_pending that follow, in order
 * @napplied: struct ctm_rec_applied that follow these: origins of which signals were
 *            applied since the image was made
 * @term_in, @term_out: struct ctm_term_pos
 * @cpu_ns:   CPU time used up to the freeze
 */
struct ctm_ho_commit {
	__le32 npending;
	__le32 napplied;
	__le64 term_in;
	__le64 term_out;
	__le64 cpu_ns;
	struct ctm_rec_pending pending[];
};
static_assert(sizeof(struct ctm_ho_commit) == 32, "wire");

#define CTM_HO_COMMIT_BYTES_MAX	\
	(sizeof(struct ctm_ho_commit) + CTM_HO_PENDING_MAX * sizeof(struct ctm_rec_pending) + \
	 CTM_APPLIED_MAX * sizeof(struct ctm_rec_applied))

/** ctm_ho_commit_applied() - the @c->napplied entries behind the signals */
static inline const struct ctm_rec_applied *ctm_ho_commit_applied(const struct ctm_ho_commit *c)
{
	return (const void *)(c->pending + le32_to_cpu(c->npending));
}

/**
 * struct ctm_ho_query - QUERY: what became of it?
 * @from_source: 1: the source asks, 0: the destination
 * @outcome: of who asks; STARTED counts as the message STARTED
 * @boot:    of who asks
 */
struct ctm_ho_query {
	__le32 from_source;
	__le32 outcome;
	__le64 boot;
};

/**
 * struct ctm_ho_answer - ANSWER
 * @outcome: of who answers; with COMMITTED, the payload of the COMMIT follows
 * @commit_len: bytes of it
 * @boot:    of who answers
 */
struct ctm_ho_answer {
	__le32 outcome;
	__le32 commit_len;
	__le64 boot;
};

void ctm_ho_frame_fill(struct ctm_ho_frame *f, enum ctm_ho_frame_type type,
		       const struct ctm_ho_id *id, u32 payload);
void ctm_ho_frame_id(const struct ctm_ho_frame *f, struct ctm_ho_id *id);

/**
 * ctm_ho_head_check() - judge a header before memory is had for its payload
 * Known type, length possible for it.  Return: 0, or -EBADMSG with @why.
 */
int ctm_ho_head_check(const struct ctm_ho_frame *f, const char **why);
/**
 * ctm_ho_frame_check() - judge a whole frame as enemy input
 * @buf: header and payload, 8-aligned, @len bytes received.  Identities in an OFFER are
 * judged by ctm_idents_check(); all else here.  Return: 0, or -EBADMSG with @why.
 */
int ctm_ho_frame_check(const void *buf, size_t len, const char **why);

/**
 * ctm_ho_clock_offset() - one clock minus another, from a round trip
 * @a_tx: clock A when the request left; @b_rx, @b_tx: clock B when it came and
 * when the answer left; @a_rx: clock A when that came.
 * All below 2^62.  Return: A minus B, wrong by at most half the time under way.
 */
s64 ctm_ho_clock_offset(u64 a_tx, u64 b_rx, u64 b_tx, u64 a_rx);

#endif /* CTM_CORE_HANDOFF_H */
