// SPDX-License-Identifier: GPL-2.0
/*
 * handoff.c - every state of the handoff's machines against every event
 *
 * The two tables below say what is wanted, cell by cell, independently of the
 * tables in core/handoff.c.  What they do not name must change nothing.
 */
#include "../../module/core/handoff.h"
#include "../ktap.h"

static const struct ctm_ho_id the_id = {
	.gpid = CTM_GPID(3, 17), .epoch = 5, .attempt = 2, .src_boot = 100, .dst_boot = 200,
};
#define NOW (1000 * CTM_HO_SEC)

/* what distinguishes several cells of one state and event */
enum with { PLAIN, DYING, NOT_OK, OTHER_BOOT, OPERATED };

struct cell {
	int state, event;
	enum with with;
	enum ctm_ho_outcome_type outcome;	/* QUERY, ANSWER */
	int then;
	enum ctm_ho_action act[CTM_HO_ACTIONS_MAX];
};

#define S(s) CTM_HO_SRC_##s
#define D(s) CTM_HO_DST_##s
#define E(e) CTM_HO_EV_##e
#define A(a) CTM_HO_##a

/* the actions of an abort, by what was taken before */
#define UNDO_CONSENT	A(GIVE_BACK), A(REPORT_FAILED)
#define UNDO_FROZEN	A(THAW), A(GIVE_BACK), A(REPORT_FAILED)
#define DONE		A(DESTROY_COPY), A(SEND_RELEASED), A(REPORT_DONE)

#define GIVES_UP(state, ...)						\
	{ state, E(FAILED), PLAIN, 0, S(ABORTED), { __VA_ARGS__ } },	\
	{ state, E(COPY_DIED), PLAIN, 0, S(ABORTED), { __VA_ARGS__ } },	\
	{ state, E(CANCEL), PLAIN, 0, S(ABORTED), { __VA_ARGS__ } },	\
	{ state, E(TIMER), PLAIN, 0, S(ABORTED), { __VA_ARGS__ } }

/* once there is a destination */
#define GIVES_UP_OFFERED(state, ...)							\
	GIVES_UP(state, A(SEND_ABORT), __VA_ARGS__),					\
	{ state, E(CONN_LOST), PLAIN, 0, S(ABORTED), { A(SEND_ABORT), __VA_ARGS__ } },	\
	{ state, E(PEER_BOOT), PLAIN, 0, S(ABORTED), { A(SEND_ABORT), __VA_ARGS__ } },	\
	{ state, E(REFUSE), PLAIN, 0, S(ABORTED), { __VA_ARGS__ } },			\
	{ state, E(ABORT), PLAIN, 0, S(ABORTED), { __VA_ARGS__ } }

#define ANSWERS(state)					\
	{ state, E(QUERY), PLAIN, CTM_HO_UNKNOWN, state, { A(SEND_ANSWER) } },	\
	{ state, E(QUERY), PLAIN, CTM_HO_PREPARED, state, { A(SEND_ANSWER) } }

#define COMMITTED_CELLS(state, ...)							\
	ANSWERS(state),									\
	{ state, E(PREPARED), PLAIN, 0, state, { A(SEND_COMMIT) } },			\
	{ state, E(STARTED), PLAIN, 0, S(RELEASED), { __VA_ARGS__ DONE } },		\
	{ state, E(ABORT), PLAIN, 0, S(ABORTED), { __VA_ARGS__ UNDO_FROZEN } },		\
	{ state, E(COPY_DIED), PLAIN, 0, state, { A(FORWARD_KILL) } },			\
	{ state, E(QUERY), PLAIN, CTM_HO_STARTED, S(RELEASED),				\
	  { __VA_ARGS__ DONE, A(SEND_ANSWER) } },					\
	{ state, E(QUERY), PLAIN, CTM_HO_DISCARDED, S(ABORTED),				\
	  { __VA_ARGS__ UNDO_FROZEN, A(SEND_ANSWER) } },				\
	{ state, E(QUERY), OTHER_BOOT, CTM_HO_STARTED, state, { A(SEND_ANSWER) } },	\
	{ state, E(ANSWER), PLAIN, CTM_HO_STARTED, S(RELEASED), { __VA_ARGS__ DONE } },	\
	{ state, E(ANSWER), PLAIN, CTM_HO_PREPARED, state, { A(SEND_COMMIT) } },	\
	{ state, E(ANSWER), PLAIN, CTM_HO_DISCARDED, S(ABORTED),			\
	  { __VA_ARGS__ UNDO_FROZEN } },						\
	{ state, E(ANSWER), PLAIN, CTM_HO_UNKNOWN, S(ABORTED),				\
	  { __VA_ARGS__ UNDO_FROZEN } },						\
	{ state, E(ANSWER), PLAIN, CTM_HO_UNDECIDED, state, {} },			\
	{ state, E(ANSWER), OTHER_BOOT, CTM_HO_UNKNOWN, state, {} },			\
	{ state, E(ANSWER), OTHER_BOOT, CTM_HO_DISCARDED, state, {} }

static const struct cell source_cells[] = {
	{ S(RUNNING), E(START), PLAIN, 0, S(CONSENT), { A(ASK_HOME) } },
	GIVES_UP(S(RUNNING), A(REPORT_FAILED)),
	ANSWERS(S(RUNNING)),

	{ S(CONSENT), E(CONSENTED), PLAIN, 0, S(OFFERED), { A(SEND_OFFER) } },
	GIVES_UP(S(CONSENT), UNDO_CONSENT),
	ANSWERS(S(CONSENT)),

	{ S(OFFERED), E(ACCEPT), PLAIN, 0, S(FREEZING), { A(FREEZE) } },
	GIVES_UP_OFFERED(S(OFFERED), UNDO_CONSENT),
	ANSWERS(S(OFFERED)),

	{ S(FREEZING), E(FROZEN), PLAIN, 0, S(SENDING), { A(SEND_IMAGE) } },
	GIVES_UP_OFFERED(S(FREEZING), UNDO_FROZEN),
	ANSWERS(S(FREEZING)),

	{ S(SENDING), E(IMAGE_SENT), PLAIN, 0, S(WAIT_PREPARED), {} },
	{ S(SENDING), E(PREPARED), PLAIN, 0, S(COMMITTED), { A(SEND_COMMIT) } },
	{ S(SENDING), E(PREPARED), DYING, 0, S(ABORTED), { A(SEND_ABORT), UNDO_FROZEN } },
	{ S(SENDING), E(STARTED), PLAIN, 0, S(RELEASED), { DONE } },
	{ S(SENDING), E(QUERY), PLAIN, CTM_HO_STARTED, S(RELEASED), { DONE, A(SEND_ANSWER) } },
	GIVES_UP_OFFERED(S(SENDING), UNDO_FROZEN),
	ANSWERS(S(SENDING)),

	{ S(WAIT_PREPARED), E(PREPARED), PLAIN, 0, S(COMMITTED), { A(SEND_COMMIT) } },
	{ S(WAIT_PREPARED), E(PREPARED), DYING, 0, S(ABORTED), { A(SEND_ABORT), UNDO_FROZEN } },
	{ S(WAIT_PREPARED), E(STARTED), PLAIN, 0, S(RELEASED), { DONE } },
	{ S(WAIT_PREPARED), E(QUERY), PLAIN, CTM_HO_STARTED, S(RELEASED),
	  { DONE, A(SEND_ANSWER) } },
	{ S(WAIT_PREPARED), E(QUERY), OTHER_BOOT, CTM_HO_STARTED, S(WAIT_PREPARED),
	  { A(SEND_ANSWER) } },
	GIVES_UP_OFFERED(S(WAIT_PREPARED), UNDO_FROZEN),
	ANSWERS(S(WAIT_PREPARED)),

	COMMITTED_CELLS(S(COMMITTED), ),
	{ S(COMMITTED), E(CONN_LOST), PLAIN, 0, S(LIMBO), { A(ENTER_LIMBO), A(QUERY_DEST) } },
	{ S(COMMITTED), E(PEER_BOOT), PLAIN, 0, S(LIMBO), { A(ENTER_LIMBO), A(QUERY_DEST) } },
	{ S(COMMITTED), E(TIMER), PLAIN, 0, S(LIMBO), { A(ENTER_LIMBO), A(QUERY_DEST) } },

	COMMITTED_CELLS(S(LIMBO), A(LEAVE_LIMBO), ),
	{ S(LIMBO), E(TIMER), PLAIN, 0, S(LIMBO), { A(QUERY_DEST) } },
	{ S(LIMBO), E(RECOVER), PLAIN, 0, S(RECOVERED), { A(LEAVE_LIMBO), UNDO_FROZEN } },

	{ S(RELEASED), E(STARTED), PLAIN, 0, S(RELEASED), { A(SEND_RELEASED) } },
	ANSWERS(S(RELEASED)),

	{ S(ABORTED), E(CONSENTED), PLAIN, 0, S(ABORTED), { A(GIVE_BACK) } },
	{ S(ABORTED), E(ACCEPT), PLAIN, 0, S(ABORTED), { A(SEND_ABORT) } },
	{ S(ABORTED), E(PREPARED), PLAIN, 0, S(ABORTED), { A(SEND_ABORT) } },
	ANSWERS(S(ABORTED)),

	{ S(RECOVERED), E(PREPARED), PLAIN, 0, S(RECOVERED), { A(SEND_ABORT) } },
	{ S(RECOVERED), E(STARTED), PLAIN, 0, S(RECOVERED), { A(SEND_ANSWER) } },
	ANSWERS(S(RECOVERED)),
};

#define THROWS(state, ...)								\
	{ state, E(ABORT), PLAIN, 0, D(DISCARDED), { A(DISCARD), A(SEND_ABORT) } },	\
	{ state, E(FAILED), PLAIN, 0, D(DISCARDED), { A(DISCARD), A(SEND_ABORT) } },	\
	{ state, E(CANCEL), PLAIN, 0, D(DISCARDED), { A(DISCARD), A(SEND_ABORT) } },	\
	{ state, E(CONN_LOST), PLAIN, 0, D(DISCARDED), { A(DISCARD), A(SEND_ABORT) } },	\
	{ state, E(PEER_BOOT), PLAIN, 0, D(DISCARDED), { A(DISCARD), A(SEND_ABORT) } },	\
	{ state, E(TIMER), PLAIN, 0, D(DISCARDED), { A(DISCARD), A(SEND_ABORT) } },	\
	{ state, E(SUPERSEDED), PLAIN, 0, D(DISCARDED), { A(DISCARD), A(SEND_ABORT) } }

#define RUN	A(RELEASE), A(SEND_STARTED), A(TELL_HOME)
#define THROW	A(DISCARD), A(SEND_ABORT)

#define WAITS(state, ...)								\
	{ state, E(COMMIT), PLAIN, 0, D(STARTED), { __VA_ARGS__ RUN } },		\
	{ state, E(COMMIT), DYING, 0, D(DISCARDED), { __VA_ARGS__ THROW } },		\
	{ state, E(ABORT), PLAIN, 0, D(DISCARDED), { __VA_ARGS__ THROW } },		\
	{ state, E(FAILED), PLAIN, 0, D(DISCARDED), { __VA_ARGS__ THROW } },		\
	{ state, E(SUPERSEDED), PLAIN, 0, D(DISCARDED), { __VA_ARGS__ THROW } },	\
	{ state, E(TIMER), PLAIN, 0, state, { A(QUERY_SOURCE) } },			\
	{ state, E(ANSWER), PLAIN, CTM_HO_COMMITTED, D(STARTED), { __VA_ARGS__ RUN } },	\
	{ state, E(ANSWER), DYING, CTM_HO_COMMITTED, D(DISCARDED), { __VA_ARGS__ THROW } }, \
	{ state, E(ANSWER), OTHER_BOOT, CTM_HO_COMMITTED, state, {} },			\
	{ state, E(ANSWER), PLAIN, CTM_HO_ABORTED, D(DISCARDED), { __VA_ARGS__ THROW } }, \
	{ state, E(ANSWER), OTHER_BOOT, CTM_HO_ABORTED, state, {} },			\
	{ state, E(ANSWER), PLAIN, CTM_HO_RECOVERED, D(DISCARDED), { __VA_ARGS__ THROW } }, \
	{ state, E(ANSWER), PLAIN, CTM_HO_UNKNOWN, D(DISCARDED), { __VA_ARGS__ THROW } }, \
	{ state, E(ANSWER), PLAIN, CTM_HO_UNDECIDED, D(PREPARED), { __VA_ARGS__ } },	\
	{ state, E(ANSWER), OTHER_BOOT, CTM_HO_UNDECIDED, state, {} },			\
	{ state, E(ANSWER), PLAIN, CTM_HO_RELEASED, state, {} },			\
	{ state, E(QUERY), PLAIN, CTM_HO_COMMITTED, state, { A(QUERY_SOURCE), A(SEND_ANSWER) } }, \
	{ state, E(QUERY), PLAIN, CTM_HO_ABORTED, D(DISCARDED),				\
	  { __VA_ARGS__ THROW, A(SEND_ANSWER) } },					\
	{ state, E(QUERY), PLAIN, CTM_HO_RECOVERED, D(DISCARDED),			\
	  { __VA_ARGS__ THROW, A(SEND_ANSWER) } },					\
	{ state, E(QUERY), PLAIN, CTM_HO_UNKNOWN, state, { A(SEND_ANSWER) } }

#define DST_ANSWERS(state) \
	{ state, E(QUERY), PLAIN, CTM_HO_COMMITTED, state, { A(SEND_ANSWER) } }

static const struct cell dest_cells[] = {
	{ D(IDLE), E(OFFER), PLAIN, 0, D(ACCEPTED), { A(SEND_ACCEPT) } },
	{ D(IDLE), E(OFFER), NOT_OK, 0, D(REFUSED), { A(SEND_REFUSE) } },
	DST_ANSWERS(D(IDLE)),

	{ D(ACCEPTED), E(OFFER), PLAIN, 0, D(ACCEPTED), { A(SEND_ACCEPT) } },
	{ D(ACCEPTED), E(BEGIN), PLAIN, 0, D(INCOMING), { A(BUILD) } },
	THROWS(D(ACCEPTED)),
	DST_ANSWERS(D(ACCEPTED)),

	{ D(INCOMING), E(RECORD), PLAIN, 0, D(INCOMING), {} },
	{ D(INCOMING), E(BUILT), PLAIN, 0, D(PREPARED), { A(SEND_PREPARED) } },
	THROWS(D(INCOMING)),
	DST_ANSWERS(D(INCOMING)),

	WAITS(D(PREPARED), ),
	{ D(PREPARED), E(CONN_LOST), PLAIN, 0, D(PREPARED), { A(QUERY_SOURCE) } },
	{ D(PREPARED), E(PEER_BOOT), PLAIN, 0, D(LIMBO), { A(ENTER_LIMBO) } },
	{ D(PREPARED), E(ANSWER), OTHER_BOOT, CTM_HO_UNKNOWN, D(LIMBO), { A(ENTER_LIMBO) } },

	WAITS(D(LIMBO), A(LEAVE_LIMBO), ),
	{ D(LIMBO), E(ANSWER), OTHER_BOOT, CTM_HO_UNKNOWN, D(LIMBO), {} },
	{ D(LIMBO), E(RECOVER), PLAIN, 0, D(STARTED), { A(LEAVE_LIMBO), RUN } },
	{ D(LIMBO), E(DESTROY), PLAIN, 0, D(DISCARDED), { A(LEAVE_LIMBO), THROW } },

	{ D(STARTED), E(COMMIT), PLAIN, 0, D(STARTED), { A(SEND_STARTED) } },
	{ D(STARTED), E(COMMIT), DYING, 0, D(STARTED), { A(SEND_STARTED) } },
	{ D(STARTED), E(RELEASED), PLAIN, 0, D(SETTLED), { A(SETTLE) } },
	{ D(STARTED), E(ANSWER), PLAIN, CTM_HO_RELEASED, D(SETTLED), { A(SETTLE) } },
	{ D(STARTED), E(ANSWER), PLAIN, CTM_HO_UNKNOWN, D(SETTLED), { A(SETTLE) } },
	{ D(STARTED), E(ANSWER), OTHER_BOOT, CTM_HO_UNKNOWN, D(SETTLED), { A(SETTLE) } },
	{ D(STARTED), E(ANSWER), PLAIN, CTM_HO_COMMITTED, D(STARTED), {} },
	{ D(STARTED), E(ANSWER), PLAIN, CTM_HO_ABORTED, D(STARTED), {} },
	{ D(STARTED), E(ANSWER), OPERATED, CTM_HO_ABORTED, D(DISCARDED),
	  { A(KILL_COPY), A(SEND_ABORT) } },
	{ D(STARTED), E(ANSWER), PLAIN, CTM_HO_RECOVERED, D(DISCARDED),
	  { A(KILL_COPY), A(SEND_ABORT) } },
	{ D(STARTED), E(ABORT), PLAIN, 0, D(STARTED), {} },
	{ D(STARTED), E(ABORT), OPERATED, 0, D(DISCARDED), { A(KILL_COPY), A(SEND_ABORT) } },
	{ D(STARTED), E(SUPERSEDED), PLAIN, 0, D(STARTED), {} },
	{ D(STARTED), E(SUPERSEDED), OPERATED, 0, D(DISCARDED), { A(KILL_COPY), A(SEND_ABORT) } },
	{ D(STARTED), E(CONN_LOST), PLAIN, 0, D(STARTED), { A(QUERY_SOURCE) } },
	{ D(STARTED), E(PEER_BOOT), PLAIN, 0, D(SETTLED), { A(SETTLE) } },
	{ D(STARTED), E(TIMER), PLAIN, 0, D(STARTED), { A(QUERY_SOURCE) } },
	DST_ANSWERS(D(STARTED)),

	{ D(SETTLED), E(COMMIT), PLAIN, 0, D(SETTLED), { A(SEND_STARTED) } },
	DST_ANSWERS(D(SETTLED)),

	{ D(DISCARDED), E(OFFER), PLAIN, 0, D(DISCARDED), { A(SEND_ABORT) } },
	{ D(DISCARDED), E(BEGIN), PLAIN, 0, D(DISCARDED), { A(SEND_ABORT) } },
	{ D(DISCARDED), E(COMMIT), PLAIN, 0, D(DISCARDED), { A(SEND_ABORT) } },
	DST_ANSWERS(D(DISCARDED)),

	{ D(REFUSED), E(OFFER), PLAIN, 0, D(REFUSED), { A(SEND_REFUSE) } },
	DST_ANSWERS(D(REFUSED)),
};

static struct ctm_ho_event event_of(int type, enum with with, enum ctm_ho_outcome_type outcome,
				    u64 peer_boot)
{
	struct ctm_ho_event ev = {
		.type = type, .now = NOW, .id = the_id, .outcome = outcome,
		.boot = with == OTHER_BOOT ? peer_boot + 1 : peer_boot,
		.ok = with != NOT_OK, .dying = with == DYING,
	};

	return ev;
}

static struct ctm_ho_source source_in(int state)
{
	struct ctm_ho_source s;

	ctm_ho_source_init(&s, &the_id);
	s.state = state;
	s.consented = state >= CTM_HO_SRC_CONSENT && state < CTM_HO_SRC_RELEASED;
	s.frozen = state >= CTM_HO_SRC_FREEZING && state < CTM_HO_SRC_RELEASED;
	s.deadline = state < CTM_HO_SRC_RELEASED ? NOW - 1 : 0;
	return s;
}

static struct ctm_ho_dest dest_in(int state, bool operated)
{
	struct ctm_ho_dest d;

	ctm_ho_dest_init(&d, &the_id);
	d.state = state;
	d.recovered = operated;
	d.deadline = state && state < CTM_HO_DST_SETTLED ? NOW - 1 : 0;
	return d;
}

static bool same_actions(const struct ctm_ho_actions *got, const enum ctm_ho_action *want)
{
	unsigned int i;

	for (i = 0; i < CTM_HO_ACTIONS_MAX && want[i]; i++)
		if (i >= got->n || got->list[i] != want[i])
			return false;
	return got->n == i;
}

static void note_cell(const char *state, int event, enum ctm_ho_outcome_type outcome,
		      const char *then, const struct ctm_ho_actions *got)
{
	unsigned int i;

	printf("# %s x %s (outcome %d): -> %s:", state, ctm_ho_event_name(event), outcome, then);
	for (i = 0; i < got->n; i++)
		printf(" %s", ctm_ho_action_name(got->list[i]));
	printf("\n");
}

static const enum ctm_ho_action nothing[CTM_HO_ACTIONS_MAX];

static void try_source(const struct cell *c)
{
	struct ctm_ho_source s = source_in(c->state);
	struct ctm_ho_event ev = event_of(c->event, c->with, c->outcome, the_id.dst_boot);
	struct ctm_ho_actions got;

	CHECK(ctm_ho_source_step(&s, &ev, &got) == 0);
	if (!CHECK((int)s.state == c->then && same_actions(&got, c->act)))
		note_cell(ctm_ho_source_state_name(c->state), c->event, c->outcome,
			  ctm_ho_source_state_name(s.state), &got);
	CHECK(ctm_ho_source_over(&s) == (s.state >= CTM_HO_SRC_RELEASED));
	CHECK(!ctm_ho_source_over(&s) || !s.deadline);
	CHECK(s.state != CTM_HO_SRC_ABORTED || c->state == CTM_HO_SRC_ABORTED || s.error);
}

static void try_dest(const struct cell *c)
{
	struct ctm_ho_dest d = dest_in(c->state, c->with == OPERATED);
	struct ctm_ho_event ev = event_of(c->event, c->with, c->outcome, the_id.src_boot);
	struct ctm_ho_actions got;

	CHECK(ctm_ho_dest_step(&d, &ev, &got) == 0);
	if (!CHECK((int)d.state == c->then && same_actions(&got, c->act)))
		note_cell(ctm_ho_dest_state_name(c->state), c->event, c->outcome,
			  ctm_ho_dest_state_name(d.state), &got);
	CHECK(ctm_ho_dest_over(&d) == (d.state >= CTM_HO_DST_SETTLED));
	CHECK(!ctm_ho_dest_over(&d) || !d.deadline);
}

static bool named(const struct cell *cells, unsigned int n, int state, int event)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (cells[i].state == state && cells[i].event == event)
			return true;
	return false;
}

static void source_named_cells(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(source_cells); i++)
		try_source(&source_cells[i]);
}

static void dest_named_cells(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(dest_cells); i++)
		try_dest(&dest_cells[i]);
}

static void source_other_cells(void)
{
	struct cell c = {};

	for (c.state = 0; c.state < CTM_HO_SRC_MAX; c.state++)
		for (c.event = 0; c.event < CTM_HO_EV_MAX; c.event++)
			for (c.outcome = 0; c.outcome < CTM_HO_OUTCOME_MAX; c.outcome++) {
				c.then = c.state;
				memcpy(c.act, nothing, sizeof(nothing));
				if (!named(source_cells, ARRAY_SIZE(source_cells), c.state, c.event))
					try_source(&c);
			}
}

static void dest_other_cells(void)
{
	struct cell c = {};

	for (c.state = 0; c.state < CTM_HO_DST_MAX; c.state++)
		for (c.event = 0; c.event < CTM_HO_EV_MAX; c.event++)
			for (c.outcome = 0; c.outcome < CTM_HO_OUTCOME_MAX; c.outcome++) {
				c.then = c.state;
				memcpy(c.act, nothing, sizeof(nothing));
				if (!named(dest_cells, ARRAY_SIZE(dest_cells), c.state, c.event))
					try_dest(&c);
			}
}

/* A message with another id changes nothing, whatever differs. */
static void stale_messages(void)
{
	struct ctm_ho_id other[5];
	int state, type;
	unsigned int i;

	for (i = 0; i < 5; i++)
		other[i] = the_id;
	other[0].gpid++;
	other[1].epoch++;
	other[2].attempt--;
	other[3].src_boot++;
	other[4].dst_boot++;
	for (i = 0; i < 5; i++)
		for (type = 0; type < CTM_HO_EV_MESSAGES; type++) {
			struct ctm_ho_event ev = event_of(type, PLAIN, CTM_HO_STARTED, 0);
			struct ctm_ho_actions got;

			ev.id = other[i];
			for (state = 0; state < CTM_HO_SRC_MAX; state++) {
				struct ctm_ho_source s = source_in(state), was = s;

				CHECK(ctm_ho_source_step(&s, &ev, &got) == -ESTALE);
				CHECK(!got.n && !memcmp(&s, &was, sizeof(s)));
			}
			for (state = 0; state < CTM_HO_DST_MAX; state++) {
				struct ctm_ho_dest d = dest_in(state, false), was = d;

				CHECK(ctm_ho_dest_step(&d, &ev, &got) == -ESTALE);
				CHECK(!got.n && !memcmp(&d, &was, sizeof(d)));
			}
		}
}

static void early_timers(void)
{
	struct ctm_ho_event ev = event_of(E(TIMER), PLAIN, 0, 0);
	struct ctm_ho_actions got;
	int state;

	for (state = 0; state < CTM_HO_SRC_MAX; state++) {
		struct ctm_ho_source s = source_in(state);

		s.deadline = NOW + 1;
		ctm_ho_source_step(&s, &ev, &got);
		CHECK(!got.n && (int)s.state == state);
		s.deadline = 0;
		ctm_ho_source_step(&s, &ev, &got);
		CHECK(!got.n && (int)s.state == state);
	}
	for (state = 0; state < CTM_HO_DST_MAX; state++) {
		struct ctm_ho_dest d = dest_in(state, false);

		d.deadline = NOW + 1;
		ctm_ho_dest_step(&d, &ev, &got);
		CHECK(!got.n && (int)d.state == state);
	}
}

/* Queries come at growing intervals; a destination without answers is in limbo. */
static void silence(void)
{
	struct ctm_ho_dest d = dest_in(D(PREPARED), false);
	struct ctm_ho_event ev = event_of(E(TIMER), PLAIN, 0, 0);
	struct ctm_ho_actions got;
	u64 before = 0;
	unsigned int i;

	for (i = 0; i <= CTM_HO_SILENT; i++) {
		CHECK(d.state == CTM_HO_DST_PREPARED);
		ev.now = d.deadline;
		ctm_ho_dest_step(&d, &ev, &got);
		CHECK(d.deadline - ev.now > before);
		before = d.deadline - ev.now;
	}
	CHECK(d.state == CTM_HO_DST_LIMBO && got.n == 2 && got.list[0] == CTM_HO_ENTER_LIMBO &&
	      got.list[1] == CTM_HO_QUERY_SOURCE);
	for (i = 0; i < 20; i++) {
		ev.now = d.deadline;
		ctm_ho_dest_step(&d, &ev, &got);
		CHECK(d.deadline - ev.now <= CTM_HO_T_QUERY_MAX);
	}
	CHECK(d.state == CTM_HO_DST_LIMBO);
}

static void outcome_of_states(void)
{
	static const enum ctm_ho_outcome_type src[] = {
		CTM_HO_UNDECIDED, CTM_HO_UNDECIDED, CTM_HO_UNDECIDED, CTM_HO_UNDECIDED,
		CTM_HO_UNDECIDED, CTM_HO_UNDECIDED, CTM_HO_COMMITTED, CTM_HO_COMMITTED,
		CTM_HO_RELEASED, CTM_HO_ABORTED, CTM_HO_RECOVERED,
	};
	static const enum ctm_ho_outcome_type dst[] = {
		CTM_HO_UNDECIDED, CTM_HO_UNDECIDED, CTM_HO_UNDECIDED, CTM_HO_PREPARED,
		CTM_HO_PREPARED, CTM_HO_STARTED, CTM_HO_STARTED, CTM_HO_DISCARDED,
		CTM_HO_DISCARDED,
	};
	int i;

	for (i = 0; i < CTM_HO_SRC_MAX; i++) {
		struct ctm_ho_source s = source_in(i);

		CHECK(ctm_ho_source_outcome(&s) == src[i]);
		CHECK(ctm_ho_source_state_name(i)[0] != '?');
	}
	for (i = 0; i < CTM_HO_DST_MAX; i++) {
		struct ctm_ho_dest d = dest_in(i, false);

		CHECK(ctm_ho_dest_outcome(&d) == dst[i]);
		CHECK(ctm_ho_dest_state_name(i)[0] != '?');
	}
	for (i = 0; i < CTM_HO_EV_MAX; i++)
		CHECK(ctm_ho_event_name(i)[0] != '?');
	for (i = 1; i < CTM_HO_ACTION_MAX; i++)
		CHECK(ctm_ho_action_name(i)[0] != '?');
}

static void superseding(void)
{
	struct ctm_ho_id a = the_id, b = the_id;

	CHECK(!ctm_ho_id_supersedes(&a, &b));
	b.attempt--;
	CHECK(ctm_ho_id_supersedes(&a, &b) && !ctm_ho_id_supersedes(&b, &a));
	b.dst_boot++;
	CHECK(ctm_ho_id_supersedes(&a, &b));
	b.src_boot++;
	CHECK(!ctm_ho_id_supersedes(&a, &b));
	b = a;
	b.attempt--;
	b.epoch--;
	CHECK(!ctm_ho_id_supersedes(&a, &b));
}

/* ---- outcomes ---- */

#define PLACES 4

static struct ctm_ho_id attempt(u32 n)
{
	struct ctm_ho_id id = the_id;

	id.attempt = n;
	return id;
}

static void outcomes_forget(void)
{
	static const struct { enum ctm_ho_outcome_type outcome; bool stays; } cases[] = {
		{ CTM_HO_UNDECIDED, true }, { CTM_HO_COMMITTED, true }, { CTM_HO_STARTED, true },
		{ CTM_HO_RECOVERED, true }, { CTM_HO_PREPARED, true }, { CTM_HO_ABORTED, false },
		{ CTM_HO_RELEASED, false }, { CTM_HO_DISCARDED, false },
	};
	unsigned int c, i;

	for (c = 0; c < ARRAY_SIZE(cases); c++) {
		struct ctm_ho_outcome slot[PLACES] = {};
		struct ctm_ho_outcomes t = { slot, PLACES, 0 };
		struct ctm_ho_id id = attempt(1), next;

		CHECK(ctm_ho_outcome_reserve(&t, &id, true) == 0);
		CHECK(ctm_ho_outcome_reserve(&t, &id, true) == -EEXIST);
		ctm_ho_outcome_set(&t, &id, true, cases[c].outcome);
		for (i = 2; i < 20; i++) {
			next = attempt(i);
			CHECK(ctm_ho_outcome_reserve(&t, &next, true) == 0);
			ctm_ho_outcome_set(&t, &next, true, CTM_HO_ABORTED);
		}
		CHECK(ctm_ho_outcome_query(&t, &id, true, CTM_HO_PREPARED) ==
		      (cases[c].stays ? cases[c].outcome : CTM_HO_UNKNOWN));
		CHECK(ctm_ho_outcome_query(&t, &next, true, 0) == CTM_HO_ABORTED);
	}
}

static void outcomes_full(void)
{
	struct ctm_ho_outcome slot[PLACES] = {};
	struct ctm_ho_outcomes t = { slot, PLACES, 0 };
	struct ctm_ho_id id, more = attempt(100);
	unsigned int i;

	for (i = 0; i < PLACES; i++) {
		id = attempt(i);
		CHECK(ctm_ho_outcome_reserve(&t, &id, false) == 0);
		ctm_ho_outcome_set(&t, &id, false, CTM_HO_STARTED);
	}
	CHECK(ctm_ho_outcome_reserve(&t, &more, false) == -ENOSPC);
	/* the source says RELEASED: that one may go, but is known until then */
	CHECK(ctm_ho_outcome_query(&t, &id, false, CTM_HO_RELEASED) == CTM_HO_STARTED);
	CHECK(ctm_ho_outcome_query(&t, &id, false, CTM_HO_COMMITTED) == CTM_HO_STARTED);
	CHECK(ctm_ho_outcome_reserve(&t, &more, false) == 0);
	CHECK(ctm_ho_outcome_query(&t, &id, false, CTM_HO_COMMITTED) == CTM_HO_UNKNOWN);
	CHECK(ctm_ho_outcome_reserve(&t, &id, false) == -ENOSPC);
	ctm_ho_outcome_ack(&t, &more, false);
	CHECK(ctm_ho_outcome_reserve(&t, &id, false) == 0);
}

static void outcomes_of_both_roles(void)
{
	struct ctm_ho_outcome slot[PLACES] = {};
	struct ctm_ho_outcomes t = { slot, PLACES, 0 };
	struct ctm_ho_id id = attempt(1);

	CHECK(ctm_ho_outcome_reserve(&t, &id, true) == 0);
	CHECK(ctm_ho_outcome_reserve(&t, &id, false) == 0);
	ctm_ho_outcome_set(&t, &id, true, CTM_HO_RECOVERED);
	ctm_ho_outcome_set(&t, &id, false, CTM_HO_STARTED);
	CHECK(ctm_ho_outcome_query(&t, &id, true, CTM_HO_STARTED) == CTM_HO_RECOVERED);
	CHECK(ctm_ho_outcome_query(&t, &id, false, 0) == CTM_HO_STARTED);
	CHECK(!slot[0].acked && !slot[1].acked);
	CHECK(ctm_ho_outcome_query(&t, &id, true, CTM_HO_DISCARDED) == CTM_HO_RECOVERED);
	CHECK(slot[0].acked && !slot[1].acked);
}

static void clock_offsets(void)
{
	/* clock A is 1000 ahead of B, 10 under way each */
	CHECK(ctm_ho_clock_offset(5000, 4010, 4020, 5030) == 1000);
	/* the error is at most half the time under way */
	CHECK(ctm_ho_clock_offset(5000, 4020, 4020, 5020) == 990);
	CHECK(ctm_ho_clock_offset(100, 5100, 5100, 100) == -5000);
	CHECK(ctm_ho_clock_offset((1ull << 62) - 1, 0, 0, (1ull << 62) - 1) == (1ll << 62) - 1);
	CHECK(ctm_ho_clock_offset(0, (1ull << 62) - 1, (1ull << 62) - 1, 0) == -(1ll << 62) + 1);
}

static const struct ktap_test tests[] = {
	{ "handoff: source, every named cell", source_named_cells },
	{ "handoff: source, all other cells change nothing", source_other_cells },
	{ "handoff: destination, every named cell", dest_named_cells },
	{ "handoff: destination, all other cells change nothing", dest_other_cells },
	{ "handoff: messages of other attempts", stale_messages },
	{ "handoff: early timers", early_timers },
	{ "handoff: a silent source", silence },
	{ "handoff: outcome and name of every state", outcome_of_states },
	{ "handoff: superseding attempts", superseding },
	{ "handoff: what an outcome's place may be taken from", outcomes_forget },
	{ "handoff: no place for outcomes", outcomes_full },
	{ "handoff: outcomes of both roles", outcomes_of_both_roles },
	{ "handoff: clock offsets", clock_offsets },
};
KTAP_MAIN(tests)
