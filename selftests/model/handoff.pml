/* SPDX-License-Identifier: GPL-2.0 */
/*
 * handoff.pml - one attempt at a handoff, for Spin
 *
 * The two machines are not written down here: table.pml is made from the code
 * (table.c), and its inlines source_step() and dest_step() are all that decides.
 * What is modelled here is their world: a network that loses, doubles and reorders
 * (LOSSES, DUPS, REORDERS times, and whatever does not fit into a channel of ROOM),
 * connections that break (CUTS), clocks that are early (EARLY), steps that fail,
 * copies that are killed (KILLS), nodes that crash and come back with another boot
 * id (CRASHES each), and, with -DOPERATOR, somebody who says RECOVER.
 *
 * What the machines do not know, but the checkers do: s_copy and d_copy, the copies
 * themselves.
 */
#ifndef ROOM
#define ROOM 2
#endif
#ifndef LOSSES
#define LOSSES 1
#endif
#ifndef DUPS
#define DUPS 1
#endif
#ifndef REORDERS
#define REORDERS 1
#endif
#ifndef CUTS
#define CUTS 1
#endif
#ifndef EARLY
#define EARLY 1
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef CRASHES
#define CRASHES 1
#endif

#include "table.pml"

#define NONE	0
#define RUNNING	1
#define FROZEN	2	/* source */
#define BUILDING 3	/* destination */
#define WAITING	4	/* destination: whole */

#define E_IMAGE	100	/* a message to the destination: BEGIN has come before it, RECORD, then BUILT */

chan s2d = [ROOM] of { byte, byte, bit };	/* event, outcome and boot of the sender */
chan d2s = [ROOM] of { byte, byte, bit };

byte s_state = S_RUNNING, d_state = D_IDLE;
bit s_boot, d_boot;		/* 0: that of the attempt */
bit frozen, consented, recovered;
byte tries;
byte s_copy = RUNNING, d_copy = NONE;
bit s_dying, d_dying;
byte s_todo, d_todo;		/* a local event that is to come, 0: none (OFFER is none) */
bit s_conn, d_conn;		/* connected, and not yet told otherwise */
bit conn;			/* frames pass */
bit aborted, started, killed, operated, lost, s_limbo, d_limbo, superseded, s_crashed, d_crashed, s_told, d_told;
byte asks, losses, dups, reorders, cuts, early, kills;

/*
 * Clocks are slow: they strike when nothing else is left to happen (or EARLY times).
 * And the source's deadline for PREPARED is an absolute one: the destination does not
 * ask more than ASKS times before it has passed.
 */
#define QUIET	(len(s2d) == 0 && len(d2s) == 0 && !s_todo && !d_todo && \
		 !(s_conn && !conn) && !(d_conn && !conn))
#define ASKS	2
#define PATIENT	(s_gone || s_state >= S_COMMITTED || asks < ASKS)
#define s_gone	(s_boot == 1)
#define d_gone	(d_boot == 1)
#define s_over	(s_gone || s_state >= S_RELEASED)
#define d_over	(d_gone || d_state >= D_SETTLED || d_state == D_IDLE)

/* ---- sending ---- */

inline frame(ch, what) {
	if
	:: conn && len(ch) < ROOM -> ch!what, 0, 0
	:: else -> skip
	fi
}
inline call(ch, what, out, boot) {
	if
	:: len(ch) < ROOM -> ch!what, out, boot
	:: else -> skip
	fi
}

inline s_outcome() {
	if
	:: s_state == S_COMMITTED || s_state == S_LIMBO -> mine = O_COMMITTED
	:: s_state == S_RELEASED -> mine = O_RELEASED
	:: s_state == S_ABORTED -> mine = O_ABORTED
	:: s_state == S_RECOVERED -> mine = O_RECOVERED
	:: s_state == S_RELEASED || s_state == S_ABORTED -> mine = O_UNKNOWN	/* forgotten */
	:: else -> mine = O_UNDECIDED
	fi
}
inline d_outcome() {
	if
	:: d_state == D_PREPARED || d_state == D_LIMBO -> mine = O_PREPARED
	:: d_state == D_STARTED || d_state == D_SETTLED -> mine = O_STARTED
	:: d_state == D_DISCARDED || d_state == D_REFUSED -> mine = O_DISCARDED
	:: d_state >= D_SETTLED -> mine = O_UNKNOWN				/* forgotten */
	:: else -> mine = O_UNDECIDED
	fi
}

/*
 * What a machine says is in `acts`, as bits.  The order in which things are done in
 * one step is not seen by anybody, for a step is atomic.
 */
#define on(a)	acts & a

inline source_act() {
	if :: on(A_ASK_HOME) -> s_todo = E_CONSENTED :: else fi;
	if :: on(A_SEND_OFFER) -> conn = 1; s_conn = 1; frame(s2d, E_OFFER) :: else fi;
	if
	:: on(A_FREEZE) ->
		s_todo = E_FROZEN;
		s_copy = (s_copy == RUNNING -> FROZEN : s_copy)
	:: else
	fi;
	if :: on(A_SEND_IMAGE) -> s_todo = E_IMAGE_SENT; frame(s2d, E_BEGIN); frame(s2d, E_IMAGE) :: else fi;
	if :: on(A_SEND_COMMIT) -> assert(s_copy != RUNNING); frame(s2d, E_COMMIT) :: else fi;
	if :: on(A_SEND_ABORT) -> frame(s2d, E_ABORT) :: else fi;
	if :: on(A_SEND_RELEASED) -> call(s2d, E_RELEASED, 0, 0) :: else fi;
	if
	:: on(A_THAW) ->
		assert(!started || operated);		/* it runs elsewhere */
		aborted = 1;
		s_copy = (s_copy != FROZEN -> s_copy : (s_dying -> NONE : RUNNING))
	:: else
	fi;
	if :: on(A_DESTROY_COPY) -> assert(started); s_copy = NONE :: else fi;
	if :: on(A_QUERY_DEST) -> call(s2d, E_QUERY, O_COMMITTED, 0) :: else fi;
	if :: on(A_REPORT_FAILED) -> aborted = 1 :: else fi;
	if :: on(A_ENTER_LIMBO) -> s_limbo = 1 :: on(A_LEAVE_LIMBO) -> s_limbo = 0 :: else fi;
	if :: on(A_SEND_ANSWER) -> s_outcome(); call(s2d, E_ANSWER, mine, 0) :: else fi
}

inline dest_act() {
	if :: on(A_SEND_ACCEPT) -> frame(d2s, E_ACCEPT) :: on(A_SEND_REFUSE) -> frame(d2s, E_REFUSE) :: else fi;
	if :: on(A_BUILD) -> d_copy = BUILDING :: else fi;
	if :: on(A_SEND_PREPARED) -> frame(d2s, E_PREPARED) :: else fi;
	if
	:: on(A_RELEASE) ->
		assert(d_copy == WAITING);
		assert(!aborted || operated);		/* the source runs on */
		started = 1;
		d_copy = RUNNING
	:: else
	fi;
	if :: on(A_SEND_STARTED) -> frame(d2s, E_STARTED) :: else fi;
	if
	:: on(A_DISCARD) ->
		assert(d_copy != RUNNING);
		/* the last copy is thrown away only if it is dying itself */
		assert(d_copy != WAITING || s_copy != NONE || d_dying || lost || killed || operated || aborted);
		d_copy = NONE
	:: else
	fi;
	if :: on(A_KILL_COPY) -> assert(operated); d_copy = NONE :: else fi;
	if :: on(A_SEND_ABORT) -> frame(d2s, E_ABORT) :: else fi;
	if :: on(A_QUERY_SOURCE) -> d_outcome(); call(d2s, E_QUERY, mine, 0) :: else fi;
	if :: on(A_ENTER_LIMBO) -> d_limbo = 1 :: on(A_LEAVE_LIMBO) -> d_limbo = 0 :: else fi;
	if :: on(A_SEND_ANSWER) -> d_outcome(); call(d2s, E_ANSWER, mine, 0) :: else fi
}

/* ---- what has to hold after every step ---- */

#define two_run		(s_copy == RUNNING && d_copy == RUNNING)
#define no_copy		(s_copy == NONE && (d_copy == NONE || d_copy == BUILDING))

/* never two running, unless an operator said so; never lost, but by a kill or with its node */
inline check() {
	assert(!two_run || operated);
	assert(!no_copy || lost || killed || operated)
}

/* ---- receiving: as it should be, or not ---- */

#define TAKE	0
#define DROP	1

inline receive(ch) {
	ch?ev, outcome, boot;
	fate = TAKE;
	if
	:: skip
	:: losses < LOSSES -> losses++; fate = DROP
	:: dups < DUPS && len(ch) < ROOM -> dups++; ch!ev, outcome, boot
	:: reorders < REORDERS && len(ch) > 0 -> reorders++; ch!ev, outcome, boot; fate = DROP
	fi;
	same_boot = (boot == 0)
}

/*
 * Each process chooses an event (`ev`, NO_EVENT: none after all) and then asks the
 * table, once: as an inline it is large.
 */
#define NO_EVENT 99

/* tries: counted by timers, begun anew with each state and by the source's word */
inline count_tries() {
	if
	:: d_state != was && !(was == D_PREPARED && d_state == D_LIMBO) -> tries = 0
	:: d_state == was && ev == E_TIMER && tries < SILENT -> tries++
	:: d_state == was && ev == E_ANSWER && outcome == O_UNDECIDED -> tries = 0
	:: else -> skip
	fi
}

active proctype source() {
	byte ev, outcome, mine, fate;
	int acts;
	bit boot, same_boot, dying;

	s_todo = E_START;
end:	do
	:: atomic {
		if
		:: len(d2s) > 0 ->
			receive(d2s);
			if
			:: fate == TAKE && !s_gone -> skip
			:: fate == TAKE && s_gone && ev == E_QUERY ->
				call(s2d, E_ANSWER, O_UNKNOWN, 1); ev = NO_EVENT
			:: else -> ev = NO_EVENT
			fi
		:: s_todo && !s_gone ->
			ev = s_todo; s_todo = 0; outcome = 0;
			if
			:: skip
			:: ev != E_START -> ev = E_FAILED
			fi
		:: !s_gone && SOURCE_TIMED && QUIET -> ev = E_TIMER
		:: !s_gone && SOURCE_TIMED && early < EARLY -> early++; ev = E_TIMER
		:: !s_gone && s_conn && !conn -> s_conn = 0; ev = E_CONN_LOST
		:: !s_gone && kills < KILLS && s_copy != NONE ->
			kills++; killed = 1; ev = E_COPY_DIED;
			if
			:: s_copy == RUNNING -> s_copy = NONE
			:: else -> s_dying = 1
			fi
		:: !s_gone && kills < KILLS -> kills++; ev = E_CANCEL
		:: !s_gone && d_gone && !s_told -> s_told = 1; ev = E_PEER_BOOT
#ifdef OPERATOR
		:: !s_gone && s_state == S_LIMBO && !operated -> operated = 1; ev = E_RECOVER
#endif
		:: !s_gone && CRASHES && !s_crashed ->
			s_crashed = 1; s_boot = 1; s_todo = 0; s_conn = 0; conn = 0; s_limbo = 0;
			lost = lost || s_copy == RUNNING || d_copy == NONE || d_copy == BUILDING;
			s_copy = NONE; ev = NO_EVENT
		fi;
		dying = (s_dying || s_copy == NONE);
		source_step();
		source_act();
		check();
		acts = 0; ev = 0; outcome = 0; mine = 0; fate = 0; boot = 0; same_boot = 0; dying = 0 }
	od
}

active proctype dest() {
	byte ev, outcome, mine, fate, was;
	int acts;
	bit boot, same_boot, dying, ok, tired;

end:	do
	:: atomic {
		if
		:: len(s2d) > 0 ->
			receive(s2d);
			if
			:: fate == DROP -> ev = NO_EVENT
			:: fate == TAKE && d_gone && ev == E_QUERY ->
				call(d2s, E_ANSWER, O_UNKNOWN, 1); ev = NO_EVENT
			:: fate == TAKE && d_gone && ev != E_QUERY -> ev = NO_EVENT
			:: fate == TAKE && !d_gone && d_state == D_IDLE && ev == E_QUERY ->
				call(d2s, E_ANSWER, O_UNKNOWN, 0); ev = NO_EVENT /* never heard of it */
			:: fate == TAKE && !d_gone && ev == E_IMAGE && d_state == D_INCOMING ->
				ev = E_RECORD; d_todo = E_BUILT
			:: fate == TAKE && !d_gone && ev == E_IMAGE && d_state != D_INCOMING ->
				if
				:: d_state == D_ACCEPTED && s2d??[E_BEGIN, 0, 0] ->
					s2d!E_IMAGE, 0, 0	/* it overtook BEGIN */
				:: else -> skip
				fi;
				ev = NO_EVENT
			:: fate == TAKE && !d_gone && ev == E_OFFER && d_state == D_IDLE ->
				d_conn = conn;
				if
				:: ok = 1
				:: ok = 0
				fi
			:: else -> skip
			fi
		:: d_todo && !d_gone ->
			ev = d_todo; d_todo = 0; outcome = 0;
			if
			:: d_state != D_INCOMING -> ev = NO_EVENT
			:: d_state == D_INCOMING -> d_copy = WAITING
			:: d_state == D_INCOMING -> ev = E_FAILED
			fi
		:: !d_gone && DEST_TIMED && QUIET && PATIENT ->
			ev = E_TIMER;
			asks = (asks < ASKS -> asks + 1 : asks)
		:: !d_gone && DEST_TIMED && early < EARLY -> early++; ev = E_TIMER
		:: !d_gone && d_conn && !conn -> d_conn = 0; ev = E_CONN_LOST
		:: !d_gone && aborted && !s_gone && !d_over && !superseded ->
			superseded = 1; ev = E_SUPERSEDED
		:: !d_gone && kills < KILLS && (d_copy == WAITING || d_copy == BUILDING) ->
			kills++; killed = 1; d_dying = 1; ev = E_FAILED
		:: !d_gone && s_gone && !d_told && d_state != D_IDLE -> d_told = 1; ev = E_PEER_BOOT
#ifdef OPERATOR
		:: !d_gone && d_state == D_LIMBO && !operated -> operated = 1; ev = E_RECOVER
#endif
		:: !d_gone && CRASHES && !d_crashed ->
			d_crashed = 1; d_boot = 1; d_todo = 0; d_conn = 0; conn = 0; d_limbo = 0;
			lost = lost || d_copy == RUNNING || s_copy == NONE;
			d_copy = NONE; ev = NO_EVENT
		:: cuts < CUTS && conn -> cuts++; conn = 0; ev = NO_EVENT
		fi;
		dying = d_dying;
		tired = (tries >= SILENT);
		was = d_state;
		dest_step();
		count_tries();
		dest_act();
		check();
		acts = 0; ev = 0; outcome = 0; mine = 0; fate = 0; was = 0; boot = 0; same_boot = 0; dying = 0;
		ok = 0; tired = 0 }
	od
}

/* ---- what has to come ---- */

#define at_rest		((s_over || s_limbo) && (d_over || d_limbo))
#define no_crash	(!s_crashed && !d_crashed)

/* it ends, or is visibly in limbo */
ltl ends	{ <> at_rest }
/* and limbo has an end where nobody crashed; and so has a doubling by an operator */
ltl limbo_ends	{ (<> !no_crash) || (<> (s_over && d_over)) }
ltl one_again	{ (<> !no_crash) || (<> [] !two_run) }
