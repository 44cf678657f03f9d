// SPDX-License-Identifier: GPL-2.0
/*
 * handoff.c - the machines of a handoff
 *
 * Each machine is a table: what a state does about an event.  An empty cell
 * means that the event changes nothing there (late, doubled, or without
 * meaning).  Owner and lock: see handoff.h.
 */
#include "handoff.h"

typedef void (*src_fn)(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
		       struct ctm_ho_actions *out);
typedef void (*dst_fn)(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
		       struct ctm_ho_actions *out);

static void act(struct ctm_ho_actions *out, enum ctm_ho_action a)
{
	if (out->n < CTM_HO_ACTIONS_MAX)
		out->list[out->n++] = a;
}

bool ctm_ho_id_equal(const struct ctm_ho_id *a, const struct ctm_ho_id *b)
{
	return a->gpid == b->gpid && a->epoch == b->epoch && a->attempt == b->attempt &&
	       a->src_boot == b->src_boot && a->dst_boot == b->dst_boot;
}

bool ctm_ho_id_supersedes(const struct ctm_ho_id *id, const struct ctm_ho_id *old)
{
	return id->gpid == old->gpid && id->src_boot == old->src_boot &&
	       id->epoch == old->epoch && id->attempt > old->attempt;
}

static u64 query_interval(u32 tries)
{
	u64 t = CTM_HO_T_QUERY << (tries < 5 ? tries : 5);

	return t < CTM_HO_T_QUERY_MAX ? t : CTM_HO_T_QUERY_MAX;
}

/* ---- source ---- */

static void src_enter(struct ctm_ho_source *s, enum ctm_ho_source_state state, u64 deadline)
{
	s->state = state;
	s->deadline = deadline;
}

/* Everything that an attempt took is given back; the copy runs on. */
static void src_undo(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
		     struct ctm_ho_actions *out)
{
	if (s->frozen)
		act(out, CTM_HO_THAW);
	if (s->consented)
		act(out, CTM_HO_GIVE_BACK);
	act(out, CTM_HO_REPORT_FAILED);
	s->frozen = false;
	s->consented = false;
	s->error = ev->error;
	if (!s->error)
		s->error = ev->type == CTM_HO_EV_TIMER ? ETIMEDOUT : ECANCELED;
	src_enter(s, CTM_HO_SRC_ABORTED, 0);
}

static void src_abort(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
		      struct ctm_ho_actions *out)
{
	if (s->state >= CTM_HO_SRC_OFFERED)
		act(out, CTM_HO_SEND_ABORT);
	src_undo(s, ev, out);
}

static void src_start(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
		      struct ctm_ho_actions *out)
{
	s->consented = true;
	src_enter(s, CTM_HO_SRC_CONSENT, ev->now + CTM_HO_T_CONSENT);
	act(out, CTM_HO_ASK_HOME);
}

static void src_offer(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
		      struct ctm_ho_actions *out)
{
	src_enter(s, CTM_HO_SRC_OFFERED, ev->now + CTM_HO_T_OFFER);
	act(out, CTM_HO_SEND_OFFER);
}

static void src_freeze(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
		       struct ctm_ho_actions *out)
{
	s->frozen = true;
	src_enter(s, CTM_HO_SRC_FREEZING, 0);
	act(out, CTM_HO_FREEZE);
}

static void src_send(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
		     struct ctm_ho_actions *out)
{
	src_enter(s, CTM_HO_SRC_SENDING, 0);
	act(out, CTM_HO_SEND_IMAGE);
}

static void src_sent(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
		     struct ctm_ho_actions *out)
{
	src_enter(s, CTM_HO_SRC_WAIT_PREPARED, ev->now + CTM_HO_T_PREPARE);
}

static void src_commit(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
		       struct ctm_ho_actions *out)
{
	if (ev->dying) {
		src_abort(s, ev, out);
		return;
	}
	src_enter(s, CTM_HO_SRC_COMMITTED, ev->now + CTM_HO_T_STARTED);
	act(out, CTM_HO_SEND_COMMIT);
}

static void src_recommit(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
			 struct ctm_ho_actions *out)
{
	act(out, CTM_HO_SEND_COMMIT);
}

static void src_limbo(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
		      struct ctm_ho_actions *out)
{
	s->tries = 0;
	src_enter(s, CTM_HO_SRC_LIMBO, ev->now + query_interval(0));
	act(out, CTM_HO_ENTER_LIMBO);
	act(out, CTM_HO_QUERY_DEST);
}

static void src_ask_again(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
			  struct ctm_ho_actions *out)
{
	s->tries++;
	s->deadline = ev->now + query_interval(s->tries);
	act(out, CTM_HO_QUERY_DEST);
}

static void src_leave_limbo(struct ctm_ho_source *s, struct ctm_ho_actions *out)
{
	if (s->state == CTM_HO_SRC_LIMBO)
		act(out, CTM_HO_LEAVE_LIMBO);
}

static void src_release(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
			struct ctm_ho_actions *out)
{
	src_leave_limbo(s, out);
	src_enter(s, CTM_HO_SRC_RELEASED, 0);
	act(out, CTM_HO_DESTROY_COPY);
	act(out, CTM_HO_SEND_RELEASED);
	act(out, CTM_HO_REPORT_DONE);
}

/* The destination has said that it has not started it and never will. */
static void src_not_taken(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
			  struct ctm_ho_actions *out)
{
	src_leave_limbo(s, out);
	src_undo(s, ev, out);
}

static void src_recover(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
			struct ctm_ho_actions *out)
{
	src_leave_limbo(s, out);
	src_undo(s, ev, out);
	src_enter(s, CTM_HO_SRC_RECOVERED, 0);
}

/* What the destination says of itself, once this side is committed. */
static void src_heard(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
		      struct ctm_ho_actions *out)
{
	if (ev->boot != s->id.dst_boot)
		return;
	if (ev->outcome == CTM_HO_STARTED)
		src_release(s, ev, out);
	else if (ev->outcome == CTM_HO_PREPARED)
		act(out, CTM_HO_SEND_COMMIT);
	else if (ev->outcome == CTM_HO_DISCARDED)
		src_not_taken(s, ev, out);
}

static void src_answer(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
		       struct ctm_ho_actions *out)
{
	if (ev->boot == s->id.dst_boot && ev->outcome == CTM_HO_UNKNOWN)
		src_not_taken(s, ev, out);
	else
		src_heard(s, ev, out);
}

static void src_reply(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
		      struct ctm_ho_actions *out)
{
	act(out, CTM_HO_SEND_ANSWER);
}

/* The answer carries the COMMIT: it needs no frame of its own. */
static void src_query(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
		      struct ctm_ho_actions *out)
{
	if (ev->outcome != CTM_HO_PREPARED)
		src_heard(s, ev, out);
	act(out, CTM_HO_SEND_ANSWER);
}

/* An operator has started the prepared copy: this one is frozen, and goes. */
static void src_query_unasked(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
			      struct ctm_ho_actions *out)
{
	if (ev->outcome == CTM_HO_STARTED && ev->boot == s->id.dst_boot)
		src_release(s, ev, out);
	act(out, CTM_HO_SEND_ANSWER);
}

static void src_forward_kill(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
			     struct ctm_ho_actions *out)
{
	act(out, CTM_HO_FORWARD_KILL);
}

static void src_resend_released(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
				struct ctm_ho_actions *out)
{
	act(out, CTM_HO_SEND_RELEASED);
}

static void src_resend_abort(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
			     struct ctm_ho_actions *out)
{
	act(out, CTM_HO_SEND_ABORT);
}

/* consent that came after the abort */
static void src_give_back(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
			  struct ctm_ho_actions *out)
{
	act(out, CTM_HO_GIVE_BACK);
}

#define SRC_GIVES_UP					\
	[CTM_HO_EV_FAILED]	= src_abort,		\
	[CTM_HO_EV_COPY_DIED]	= src_abort,		\
	[CTM_HO_EV_CANCEL]	= src_abort,		\
	[CTM_HO_EV_TIMER]	= src_abort

#define SRC_GIVES_UP_CONNECTED				\
	SRC_GIVES_UP,					\
	[CTM_HO_EV_REFUSE]	= src_undo,		\
	[CTM_HO_EV_ABORT]	= src_undo,		\
	[CTM_HO_EV_CONN_LOST]	= src_abort,		\
	[CTM_HO_EV_PEER_BOOT]	= src_abort

static const src_fn src_table[CTM_HO_SRC_MAX][CTM_HO_EV_MAX] = {
	[CTM_HO_SRC_RUNNING] = {
		[CTM_HO_EV_START]	= src_start,
		[CTM_HO_EV_QUERY]	= src_reply,
		SRC_GIVES_UP,
	},
	[CTM_HO_SRC_CONSENT] = {
		[CTM_HO_EV_CONSENTED]	= src_offer,
		[CTM_HO_EV_QUERY]	= src_reply,
		SRC_GIVES_UP,
	},
	[CTM_HO_SRC_OFFERED] = {
		[CTM_HO_EV_ACCEPT]	= src_freeze,
		[CTM_HO_EV_QUERY]	= src_reply,
		SRC_GIVES_UP_CONNECTED,
	},
	[CTM_HO_SRC_FREEZING] = {
		[CTM_HO_EV_FROZEN]	= src_send,
		[CTM_HO_EV_QUERY]	= src_reply,
		SRC_GIVES_UP_CONNECTED,
	},
	[CTM_HO_SRC_SENDING] = {
		[CTM_HO_EV_IMAGE_SENT]	= src_sent,
		[CTM_HO_EV_PREPARED]	= src_commit,
		[CTM_HO_EV_STARTED]	= src_release,
		[CTM_HO_EV_QUERY]	= src_query_unasked,
		SRC_GIVES_UP_CONNECTED,
	},
	[CTM_HO_SRC_WAIT_PREPARED] = {
		[CTM_HO_EV_PREPARED]	= src_commit,
		[CTM_HO_EV_STARTED]	= src_release,
		[CTM_HO_EV_QUERY]	= src_query_unasked,
		SRC_GIVES_UP_CONNECTED,
	},
	[CTM_HO_SRC_COMMITTED] = {
		[CTM_HO_EV_PREPARED]	= src_recommit,
		[CTM_HO_EV_STARTED]	= src_release,
		[CTM_HO_EV_ABORT]	= src_not_taken,
		[CTM_HO_EV_QUERY]	= src_query,
		[CTM_HO_EV_ANSWER]	= src_answer,
		[CTM_HO_EV_COPY_DIED]	= src_forward_kill,
		[CTM_HO_EV_CONN_LOST]	= src_limbo,
		[CTM_HO_EV_PEER_BOOT]	= src_limbo,
		[CTM_HO_EV_TIMER]	= src_limbo,
	},
	[CTM_HO_SRC_LIMBO] = {
		[CTM_HO_EV_PREPARED]	= src_recommit,
		[CTM_HO_EV_STARTED]	= src_release,
		[CTM_HO_EV_ABORT]	= src_not_taken,
		[CTM_HO_EV_QUERY]	= src_query,
		[CTM_HO_EV_ANSWER]	= src_answer,
		[CTM_HO_EV_COPY_DIED]	= src_forward_kill,
		[CTM_HO_EV_TIMER]	= src_ask_again,
		[CTM_HO_EV_RECOVER]	= src_recover,
	},
	[CTM_HO_SRC_RELEASED] = {
		[CTM_HO_EV_STARTED]	= src_resend_released,
		[CTM_HO_EV_QUERY]	= src_reply,
	},
	[CTM_HO_SRC_ABORTED] = {
		[CTM_HO_EV_CONSENTED]	= src_give_back,
		[CTM_HO_EV_ACCEPT]	= src_resend_abort,
		[CTM_HO_EV_PREPARED]	= src_resend_abort,
		[CTM_HO_EV_QUERY]	= src_reply,
	},
	[CTM_HO_SRC_RECOVERED] = {
		[CTM_HO_EV_PREPARED]	= src_resend_abort,
		[CTM_HO_EV_STARTED]	= src_reply,
		[CTM_HO_EV_QUERY]	= src_reply,
	},
};

void ctm_ho_source_init(struct ctm_ho_source *s, const struct ctm_ho_id *id)
{
	memset(s, 0, sizeof(*s));
	s->id = *id;
}

int ctm_ho_source_step(struct ctm_ho_source *s, const struct ctm_ho_event *ev,
		       struct ctm_ho_actions *out)
{
	src_fn fn;

	out->n = 0;
	if (ev->type >= CTM_HO_EV_MAX || s->state >= CTM_HO_SRC_MAX)
		return 0;
	if (ev->type < CTM_HO_EV_MESSAGES && !ctm_ho_id_equal(&ev->id, &s->id))
		return -ESTALE;
	if (ev->type == CTM_HO_EV_TIMER && (!s->deadline || ev->now < s->deadline))
		return 0;
	fn = src_table[s->state][ev->type];
	if (fn)
		fn(s, ev, out);
	return 0;
}

enum ctm_ho_outcome_type ctm_ho_source_outcome(const struct ctm_ho_source *s)
{
	switch (s->state) {
	case CTM_HO_SRC_COMMITTED:
	case CTM_HO_SRC_LIMBO:
		return CTM_HO_COMMITTED;
	case CTM_HO_SRC_RELEASED:
		return CTM_HO_RELEASED;
	case CTM_HO_SRC_ABORTED:
		return CTM_HO_ABORTED;
	case CTM_HO_SRC_RECOVERED:
		return CTM_HO_RECOVERED;
	default:
		return CTM_HO_UNDECIDED;
	}
}

bool ctm_ho_source_over(const struct ctm_ho_source *s)
{
	return s->state >= CTM_HO_SRC_RELEASED;
}

/* ---- destination ---- */

static void dst_enter(struct ctm_ho_dest *d, enum ctm_ho_dest_state state, u64 deadline)
{
	d->state = state;
	d->deadline = deadline;
}

static void dst_leave_limbo(struct ctm_ho_dest *d, struct ctm_ho_actions *out)
{
	if (d->state == CTM_HO_DST_LIMBO)
		act(out, CTM_HO_LEAVE_LIMBO);
}

/* Not started, and never to be: the source is told, and may thaw on that word. */
static void dst_discard(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
			struct ctm_ho_actions *out)
{
	dst_leave_limbo(d, out);
	d->error = ev->error;
	if (!d->error)
		d->error = ev->type == CTM_HO_EV_TIMER ? ETIMEDOUT : ECANCELED;
	dst_enter(d, CTM_HO_DST_DISCARDED, 0);
	act(out, CTM_HO_DISCARD);
	act(out, CTM_HO_SEND_ABORT);
}

static void dst_offer(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
		      struct ctm_ho_actions *out)
{
	if (ev->ok) {
		dst_enter(d, CTM_HO_DST_ACCEPTED, ev->now + CTM_HO_T_BEGIN);
		act(out, CTM_HO_SEND_ACCEPT);
	} else {
		d->error = ev->error;
		dst_enter(d, CTM_HO_DST_REFUSED, 0);
		act(out, CTM_HO_SEND_REFUSE);
	}
}

static void dst_accept_again(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
			     struct ctm_ho_actions *out)
{
	act(out, CTM_HO_SEND_ACCEPT);
}

static void dst_refuse_again(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
			     struct ctm_ho_actions *out)
{
	act(out, CTM_HO_SEND_REFUSE);
}

static void dst_begin(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
		      struct ctm_ho_actions *out)
{
	dst_enter(d, CTM_HO_DST_INCOMING, ev->now + CTM_HO_T_STALL);
	act(out, CTM_HO_BUILD);
}

static void dst_record(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
		       struct ctm_ho_actions *out)
{
	d->deadline = ev->now + CTM_HO_T_STALL;
}

static void dst_built(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
		      struct ctm_ho_actions *out)
{
	d->tries = 0;
	dst_enter(d, CTM_HO_DST_PREPARED, ev->now + CTM_HO_T_STARTED);
	act(out, CTM_HO_SEND_PREPARED);
}

static void dst_run(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
		    struct ctm_ho_actions *out)
{
	dst_leave_limbo(d, out);
	d->tries = 0;
	dst_enter(d, CTM_HO_DST_STARTED, ev->now + query_interval(0));
	act(out, CTM_HO_RELEASE);
	act(out, CTM_HO_SEND_STARTED);
	act(out, CTM_HO_TELL_HOME);
}

static void dst_commit(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
		       struct ctm_ho_actions *out)
{
	if (ev->dying)
		dst_discard(d, ev, out);
	else
		dst_run(d, ev, out);
}

static void dst_recover(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
			struct ctm_ho_actions *out)
{
	d->recovered = true;
	dst_run(d, ev, out);
}

static void dst_ask(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
		    struct ctm_ho_actions *out)
{
	d->deadline = ev->now + query_interval(d->tries);
	act(out, CTM_HO_QUERY_SOURCE);
}

static void dst_limbo(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
		      struct ctm_ho_actions *out)
{
	dst_enter(d, CTM_HO_DST_LIMBO, ev->now + query_interval(d->tries));
	act(out, CTM_HO_ENTER_LIMBO);
}

static void dst_ask_again(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
			  struct ctm_ho_actions *out)
{
	d->tries++;
	if (d->state == CTM_HO_DST_PREPARED && d->tries > CTM_HO_SILENT)
		dst_limbo(d, ev, out);
	dst_ask(d, ev, out);
}

/* The source is there, but has not decided. */
static void dst_wait(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
		     struct ctm_ho_actions *out)
{
	dst_leave_limbo(d, out);
	d->tries = 0;
	dst_enter(d, CTM_HO_DST_PREPARED, ev->now + query_interval(0));
}

/* The source's word to a destination that waits. */
static void dst_heard(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
		      struct ctm_ho_actions *out)
{
	bool same_boot = ev->boot == d->id.src_boot;

	switch (ev->outcome) {
	case CTM_HO_ABORTED:
	case CTM_HO_RECOVERED:
		if (same_boot)
			dst_discard(d, ev, out);
		break;
	case CTM_HO_UNKNOWN:
		if (same_boot)
			dst_discard(d, ev, out);
		else if (d->state == CTM_HO_DST_PREPARED)
			dst_limbo(d, ev, out);
		break;
	case CTM_HO_UNDECIDED:
		if (same_boot)
			dst_wait(d, ev, out);
		break;
	default:
		break;
	}
}

static void dst_answer(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
		       struct ctm_ho_actions *out)
{
	if (ev->outcome != CTM_HO_COMMITTED)
		dst_heard(d, ev, out);
	else if (ev->boot == d->id.src_boot)
		dst_commit(d, ev, out);
}

/* The source asks: it is in limbo itself, or (UNKNOWN never asks) has given up. */
static void dst_query(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
		      struct ctm_ho_actions *out)
{
	if (ev->outcome == CTM_HO_COMMITTED)
		act(out, CTM_HO_QUERY_SOURCE);	/* its answer carries the COMMIT */
	else if (ev->outcome != CTM_HO_UNKNOWN)
		dst_heard(d, ev, out);
	act(out, CTM_HO_SEND_ANSWER);
}

static void dst_reply(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
		      struct ctm_ho_actions *out)
{
	act(out, CTM_HO_SEND_ANSWER);
}

static void dst_settle(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
		       struct ctm_ho_actions *out)
{
	dst_enter(d, CTM_HO_DST_SETTLED, 0);
	act(out, CTM_HO_SETTLE);
}

static void dst_void(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
		     struct ctm_ho_actions *out)
{
	d->error = ESTALE;
	dst_enter(d, CTM_HO_DST_DISCARDED, 0);
	act(out, CTM_HO_KILL_COPY);
	act(out, CTM_HO_SEND_ABORT);
}

/* The source's word to a destination that runs. */
static void dst_started_answer(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
			       struct ctm_ho_actions *out)
{
	if (ev->boot != d->id.src_boot)
		dst_settle(d, ev, out);	/* the copy went with its boot */
	else if (ev->outcome == CTM_HO_RELEASED || ev->outcome == CTM_HO_UNKNOWN)
		dst_settle(d, ev, out);
	else if (ev->outcome == CTM_HO_RECOVERED)
		dst_void(d, ev, out);
	else if (ev->outcome == CTM_HO_ABORTED && d->recovered)
		dst_void(d, ev, out);
}

/* The source has aborted: only an operator can have started this one. */
static void dst_started_abort(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
			      struct ctm_ho_actions *out)
{
	if (d->recovered)
		dst_void(d, ev, out);
}

static void dst_started_again(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
			      struct ctm_ho_actions *out)
{
	act(out, CTM_HO_SEND_STARTED);
}

static void dst_abort_again(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
			    struct ctm_ho_actions *out)
{
	act(out, CTM_HO_SEND_ABORT);
}

#define DST_GIVES_UP					\
	[CTM_HO_EV_ABORT]	= dst_discard,		\
	[CTM_HO_EV_FAILED]	= dst_discard,		\
	[CTM_HO_EV_CANCEL]	= dst_discard,		\
	[CTM_HO_EV_CONN_LOST]	= dst_discard,		\
	[CTM_HO_EV_PEER_BOOT]	= dst_discard,		\
	[CTM_HO_EV_TIMER]	= dst_discard,		\
	[CTM_HO_EV_SUPERSEDED]	= dst_discard,		\
	[CTM_HO_EV_QUERY]	= dst_reply

#define DST_WAITS					\
	[CTM_HO_EV_COMMIT]	= dst_commit,		\
	[CTM_HO_EV_ABORT]	= dst_discard,		\
	[CTM_HO_EV_FAILED]	= dst_discard,		\
	[CTM_HO_EV_SUPERSEDED]	= dst_discard,		\
	[CTM_HO_EV_ANSWER]	= dst_answer,		\
	[CTM_HO_EV_QUERY]	= dst_query,		\
	[CTM_HO_EV_TIMER]	= dst_ask_again

static const dst_fn dst_table[CTM_HO_DST_MAX][CTM_HO_EV_MAX] = {
	[CTM_HO_DST_IDLE] = {
		[CTM_HO_EV_OFFER]	= dst_offer,
		[CTM_HO_EV_QUERY]	= dst_reply,
	},
	[CTM_HO_DST_ACCEPTED] = {
		[CTM_HO_EV_OFFER]	= dst_accept_again,
		[CTM_HO_EV_BEGIN]	= dst_begin,
		DST_GIVES_UP,
	},
	[CTM_HO_DST_INCOMING] = {
		[CTM_HO_EV_RECORD]	= dst_record,
		[CTM_HO_EV_BUILT]	= dst_built,
		DST_GIVES_UP,
	},
	[CTM_HO_DST_PREPARED] = {
		[CTM_HO_EV_CONN_LOST]	= dst_ask,
		[CTM_HO_EV_PEER_BOOT]	= dst_limbo,
		DST_WAITS,
	},
	[CTM_HO_DST_LIMBO] = {
		[CTM_HO_EV_RECOVER]	= dst_recover,
		[CTM_HO_EV_DESTROY]	= dst_discard,
		DST_WAITS,
	},
	[CTM_HO_DST_STARTED] = {
		[CTM_HO_EV_COMMIT]	= dst_started_again,
		[CTM_HO_EV_RELEASED]	= dst_settle,
		[CTM_HO_EV_ABORT]	= dst_started_abort,
		[CTM_HO_EV_SUPERSEDED]	= dst_started_abort,
		[CTM_HO_EV_ANSWER]	= dst_started_answer,
		[CTM_HO_EV_QUERY]	= dst_reply,
		[CTM_HO_EV_CONN_LOST]	= dst_ask,
		[CTM_HO_EV_PEER_BOOT]	= dst_settle,
		[CTM_HO_EV_TIMER]	= dst_ask_again,
	},
	[CTM_HO_DST_SETTLED] = {
		[CTM_HO_EV_COMMIT]	= dst_started_again,
		[CTM_HO_EV_QUERY]	= dst_reply,
	},
	[CTM_HO_DST_DISCARDED] = {
		[CTM_HO_EV_OFFER]	= dst_abort_again,
		[CTM_HO_EV_BEGIN]	= dst_abort_again,
		[CTM_HO_EV_COMMIT]	= dst_abort_again,
		[CTM_HO_EV_QUERY]	= dst_reply,
	},
	[CTM_HO_DST_REFUSED] = {
		[CTM_HO_EV_OFFER]	= dst_refuse_again,
		[CTM_HO_EV_QUERY]	= dst_reply,
	},
};

void ctm_ho_dest_init(struct ctm_ho_dest *d, const struct ctm_ho_id *id)
{
	memset(d, 0, sizeof(*d));
	d->id = *id;
}

int ctm_ho_dest_step(struct ctm_ho_dest *d, const struct ctm_ho_event *ev,
		     struct ctm_ho_actions *out)
{
	dst_fn fn;

	out->n = 0;
	if (ev->type >= CTM_HO_EV_MAX || d->state >= CTM_HO_DST_MAX)
		return 0;
	if (ev->type < CTM_HO_EV_MESSAGES && !ctm_ho_id_equal(&ev->id, &d->id))
		return -ESTALE;
	if (ev->type == CTM_HO_EV_TIMER && (!d->deadline || ev->now < d->deadline))
		return 0;
	fn = dst_table[d->state][ev->type];
	if (fn)
		fn(d, ev, out);
	return 0;
}

enum ctm_ho_outcome_type ctm_ho_dest_outcome(const struct ctm_ho_dest *d)
{
	switch (d->state) {
	case CTM_HO_DST_PREPARED:
	case CTM_HO_DST_LIMBO:
		return CTM_HO_PREPARED;
	case CTM_HO_DST_STARTED:
	case CTM_HO_DST_SETTLED:
		return CTM_HO_STARTED;
	case CTM_HO_DST_DISCARDED:
	case CTM_HO_DST_REFUSED:
		return CTM_HO_DISCARDED;
	default:
		return CTM_HO_UNDECIDED;
	}
}

bool ctm_ho_dest_over(const struct ctm_ho_dest *d)
{
	return d->state >= CTM_HO_DST_SETTLED;
}

/* ---- names ---- */

#define NAME_OF(table, i) ((unsigned int)(i) < ARRAY_SIZE(table) && (table)[i] ? (table)[i] : "?")

const char *ctm_ho_source_state_name(enum ctm_ho_source_state s)
{
	static const char *const name[] = {
		"running", "consent", "offered", "freezing", "sending", "wait-prepared",
		"committed", "limbo", "released", "aborted", "recovered",
	};
	return NAME_OF(name, s);
}

const char *ctm_ho_dest_state_name(enum ctm_ho_dest_state s)
{
	static const char *const name[] = {
		"idle", "accepted", "incoming", "prepared", "limbo", "started", "settled",
		"discarded", "refused",
	};
	return NAME_OF(name, s);
}

const char *ctm_ho_event_name(enum ctm_ho_event_type t)
{
	static const char *const name[] = {
		"OFFER", "ACCEPT", "REFUSE", "BEGIN", "PREPARED", "COMMIT", "STARTED",
		"RELEASED", "ABORT", "QUERY", "ANSWER", "start", "consented", "frozen",
		"image-sent", "record", "built", "failed", "copy-died", "cancel", "conn-lost",
		"peer-boot", "timer", "superseded", "recover", "destroy",
	};
	return NAME_OF(name, t);
}

const char *ctm_ho_action_name(enum ctm_ho_action a)
{
	static const char *const name[] = {
		[CTM_HO_ASK_HOME] = "ask-home", [CTM_HO_SEND_OFFER] = "send-offer",
		[CTM_HO_FREEZE] = "freeze", [CTM_HO_SEND_IMAGE] = "send-image",
		[CTM_HO_SEND_COMMIT] = "send-commit", [CTM_HO_SEND_ABORT] = "send-abort",
		[CTM_HO_SEND_RELEASED] = "send-released", [CTM_HO_THAW] = "thaw",
		[CTM_HO_DESTROY_COPY] = "destroy-copy", [CTM_HO_QUERY_DEST] = "query-dest",
		[CTM_HO_FORWARD_KILL] = "forward-kill", [CTM_HO_GIVE_BACK] = "give-back",
		[CTM_HO_REPORT_DONE] = "report-done", [CTM_HO_REPORT_FAILED] = "report-failed",
		[CTM_HO_SEND_ACCEPT] = "send-accept", [CTM_HO_SEND_REFUSE] = "send-refuse",
		[CTM_HO_BUILD] = "build", [CTM_HO_SEND_PREPARED] = "send-prepared",
		[CTM_HO_RELEASE] = "release", [CTM_HO_SEND_STARTED] = "send-started",
		[CTM_HO_TELL_HOME] = "tell-home", [CTM_HO_DISCARD] = "discard",
		[CTM_HO_KILL_COPY] = "kill-copy", [CTM_HO_QUERY_SOURCE] = "query-source",
		[CTM_HO_SETTLE] = "settle", [CTM_HO_SEND_ANSWER] = "send-answer",
		[CTM_HO_ENTER_LIMBO] = "enter-limbo", [CTM_HO_LEAVE_LIMBO] = "leave-limbo",
	};
	return NAME_OF(name, a);
}

/* ---- outcomes ---- */

static bool must_stay(const struct ctm_ho_outcome *o)
{
	switch (o->outcome) {
	case CTM_HO_UNDECIDED:
	case CTM_HO_COMMITTED:
	case CTM_HO_RECOVERED:
	case CTM_HO_PREPARED:
	case CTM_HO_STARTED:
		return !o->acked;
	default:
		return false;
	}
}

static bool outcome_is(const struct ctm_ho_outcome *o, const struct ctm_ho_id *id, bool source)
{
	return o->id.gpid && o->source == source && ctm_ho_id_equal(&o->id, id);
}

/* mostly the one of the last time: a handoff asks again and again, and others seldom */
static struct ctm_ho_outcome *outcome_find(struct ctm_ho_outcomes *t,
					   const struct ctm_ho_id *id, bool source)
{
	unsigned int i;

	if (t->recent < t->nr && outcome_is(&t->slot[t->recent], id, source))
		return &t->slot[t->recent];
	for (i = 0; i < t->nr; i++)
		if (outcome_is(&t->slot[i], id, source)) {
			t->recent = i;
			return &t->slot[i];
		}
	return NULL;
}

/* a free slot, or the oldest that may be forgotten */
static struct ctm_ho_outcome *outcome_room(const struct ctm_ho_outcomes *t)
{
	struct ctm_ho_outcome *oldest = NULL;
	unsigned int i;

	for (i = 0; i < t->nr; i++) {
		struct ctm_ho_outcome *o = &t->slot[i];

		if (!o->id.gpid)
			return o;
		if (!must_stay(o) && (!oldest || o->age < oldest->age))
			oldest = o;
	}
	return oldest;
}

int ctm_ho_outcome_reserve(struct ctm_ho_outcomes *t, const struct ctm_ho_id *id, bool source)
{
	struct ctm_ho_outcome *o;

	if (outcome_find(t, id, source))
		return -EEXIST;
	o = outcome_room(t);
	if (!o)
		return -ENOSPC;
	o->id = *id;
	o->source = source;
	o->outcome = CTM_HO_UNDECIDED;
	o->acked = false;
	o->age = ++t->clock;
	t->recent = o - t->slot;
	return 0;
}

void ctm_ho_outcome_set(struct ctm_ho_outcomes *t, const struct ctm_ho_id *id, bool source,
			enum ctm_ho_outcome_type outcome)
{
	struct ctm_ho_outcome *o = outcome_find(t, id, source);

	if (!o)
		return;
	o->outcome = outcome;
	o->age = ++t->clock;
}

/* It is remembered a while longer, so that late duplicates find it. */
void ctm_ho_outcome_ack(struct ctm_ho_outcomes *t, const struct ctm_ho_id *id, bool source)
{
	struct ctm_ho_outcome *o = outcome_find(t, id, source);

	if (o)
		o->acked = true;
}

enum ctm_ho_outcome_type ctm_ho_outcome_query(struct ctm_ho_outcomes *t,
					      const struct ctm_ho_id *id, bool source,
					      enum ctm_ho_outcome_type theirs)
{
	struct ctm_ho_outcome *o = outcome_find(t, id, source);

	if (!o)
		return CTM_HO_UNKNOWN;
	if (theirs == (source ? CTM_HO_DISCARDED : CTM_HO_RELEASED))
		o->acked = true;
	return o->outcome;
}

/* ---- on the wire ---- */

/* Clocks and offsets stay below, so that their differences cannot overflow. */
#define CLOCK_LIMIT	(1ll << 62)

void ctm_ho_frame_fill(struct ctm_ho_frame *f, enum ctm_ho_frame_type type,
		       const struct ctm_ho_id *id, u32 payload)
{
	f->type = cpu_to_le16(type);
	f->flags = 0;
	f->len = cpu_to_le32(payload);
	f->id.gpid = cpu_to_le64(id->gpid);
	f->id.epoch = cpu_to_le32(id->epoch);
	f->id.attempt = cpu_to_le32(id->attempt);
	f->id.src_boot = cpu_to_le64(id->src_boot);
	f->id.dst_boot = cpu_to_le64(id->dst_boot);
}

void ctm_ho_frame_id(const struct ctm_ho_frame *f, struct ctm_ho_id *id)
{
	id->gpid = le64_to_cpu(f->id.gpid);
	id->epoch = le32_to_cpu(f->id.epoch);
	id->attempt = le32_to_cpu(f->id.attempt);
	id->src_boot = le64_to_cpu(f->id.src_boot);
	id->dst_boot = le64_to_cpu(f->id.dst_boot);
}

s64 ctm_ho_clock_offset(u64 a_tx, u64 b_rx, u64 b_tx, u64 a_rx)
{
	s64 least = (s64)a_tx - (s64)b_rx;
	s64 most = (s64)a_rx - (s64)b_tx;

	return (least + most) / 2;
}

static const struct { u32 least, most; } frame_len[CTM_HO_FRAME_MAX] = {
	[CTM_HO_FRAME_OFFER]	= { sizeof(struct ctm_ho_offer),
				    sizeof(struct ctm_ho_offer) + CTM_HO_IDENT_BYTES_MAX },
	[CTM_HO_FRAME_ACCEPT]	= { sizeof(struct ctm_ho_accept),
				    sizeof(struct ctm_ho_accept) + CTM_HO_IDENTS_MAX / 8 },
	[CTM_HO_FRAME_REFUSE]	= { sizeof(struct ctm_ho_text),
				    sizeof(struct ctm_ho_text) + CTM_REASON_MAX - 1 },
	[CTM_HO_FRAME_BEGIN]	= { sizeof(struct ctm_ho_begin), sizeof(struct ctm_ho_begin) },
	[CTM_HO_FRAME_COMMIT]	= { sizeof(struct ctm_ho_commit), CTM_HO_COMMIT_BYTES_MAX },
	[CTM_HO_FRAME_ABORT]	= { sizeof(struct ctm_ho_text),
				    sizeof(struct ctm_ho_text) + CTM_REASON_MAX - 1 },
	[CTM_HO_FRAME_QUERY]	= { sizeof(struct ctm_ho_query), sizeof(struct ctm_ho_query) },
	[CTM_HO_FRAME_ANSWER]	= { sizeof(struct ctm_ho_answer),
				    sizeof(struct ctm_ho_answer) + CTM_HO_COMMIT_BYTES_MAX },
	[CTM_HO_FRAME_CHILDREN]	= { sizeof(struct ctm_ho_children) + sizeof(struct ctm_ho_child),
				    sizeof(struct ctm_ho_children) +
				    CTM_FORK_MAX * sizeof(struct ctm_ho_child) },
};

static int bad(const char **why, const char *text)
{
	*why = text;
	return -EBADMSG;
}

int ctm_ho_head_check(const struct ctm_ho_frame *f, const char **why)
{
	u32 type = le16_to_cpu(f->type);
	u32 len = le32_to_cpu(f->len);

	if (!type || type >= CTM_HO_FRAME_MAX)
		return bad(why, "frame: unknown type");
	if (f->flags)
		return bad(why, "frame: unknown flags");
	if (len < frame_len[type].least || len > frame_len[type].most)
		return bad(why, "frame: impossible length");
	if (!f->id.gpid)
		return bad(why, "frame: no process");
	return 0;
}

static int check_offer(const struct ctm_ho_offer *o, u32 len, const char **why)
{
	u32 n = le32_to_cpu(o->nidents), bytes = le32_to_cpu(o->ident_bytes);
	u32 threads = le32_to_cpu(o->threads);
	unsigned int i;

	if (n > CTM_HO_IDENTS_MAX || len - sizeof(*o) != bytes || !n != !bytes)
		return bad(why, "offer: identities and length differ");
	if (le32_to_cpu(o->flags) & ~CTM_HO_OFFER_FLAGS)
		return bad(why, "offer: unknown flags");
	if (!threads || threads > CTM_THREADS_MAX)
		return bad(why, "offer: number of threads");
	if (le64_to_cpu(o->mono_ns) >= CLOCK_LIMIT || le64_to_cpu(o->boot_ns) >= CLOCK_LIMIT)
		return bad(why, "offer: clock out of range");
	if (!o->ttl_max || o->pad)
		return bad(why, "offer: time to live");
	if (!o->family)
		return bad(why, "offer: no family");
	if (o->comm[CTM_COMM_MAX - 1])
		return bad(why, "offer: comm without end");
	for (i = 1; i < CTM_COMM_MAX; i++)
		if (!o->comm[i - 1] && o->comm[i])
			return bad(why, "offer: comm not padded");
	return 0;
}

static int check_accept(const struct ctm_ho_accept *a, u32 len, const char **why)
{
	u32 n = le32_to_cpu(a->nidents);

	if (n > CTM_HO_IDENTS_MAX || len != sizeof(*a) + (n + 7) / 8)
		return bad(why, "accept: bitmap and length differ");
	if (a->pad || (n % 8 && a->bits[n / 8] >> (n % 8)))
		return bad(why, "accept: padding not zero");
	if (le64_to_cpu(a->mono_rx) >= CLOCK_LIMIT || le64_to_cpu(a->boot_rx) >= CLOCK_LIMIT ||
	    le64_to_cpu(a->mono_tx) >= CLOCK_LIMIT || le64_to_cpu(a->boot_tx) >= CLOCK_LIMIT ||
	    le64_to_cpu(a->mono_tx) < le64_to_cpu(a->mono_rx) ||
	    le64_to_cpu(a->boot_tx) < le64_to_cpu(a->boot_rx))
		return bad(why, "accept: clock out of range");
	return 0;
}

/* It is shown to people and logged: one line, nothing that a terminal obeys. */
static int check_text(const struct ctm_ho_text *t, u32 len, const char **why)
{
	u32 error = le32_to_cpu(t->error);
	u32 i;

	if (!error || error > 4095 || t->pad)
		return bad(why, "text: not an errno");
	for (i = 0; i < len - sizeof(*t); i++)
		if (t->text[i] < 0x20 || t->text[i] == 0x7f)
			return bad(why, "text: control character");
	return 0;
}

static int check_begin(const struct ctm_ho_begin *b, const char **why)
{
	s64 mono = (s64)le64_to_cpu(b->mono_off_ns), boot = (s64)le64_to_cpu(b->boot_off_ns);

	if (mono <= -CLOCK_LIMIT || mono >= CLOCK_LIMIT ||
	    boot <= -CLOCK_LIMIT || boot >= CLOCK_LIMIT)
		return bad(why, "begin: clock out of range");
	if (le32_to_cpu(b->leader) < 2 || le32_to_cpu(b->leader) > 0x7fffffff || b->pad)
		return bad(why, "begin: leader's pid");
	if (!ctm_hole_ok(le64_to_cpu(b->hole), le64_to_cpu(b->hole_len), 1))
		return bad(why, "begin: hole");
	return 0;
}

static int check_commit(const struct ctm_ho_commit *c, u32 len, const char **why)
{
	u32 n = le32_to_cpu(c->npending), applied = le32_to_cpu(c->napplied);
	u32 i;

	if (n > CTM_HO_PENDING_MAX || applied > CTM_APPLIED_MAX ||
	    len != sizeof(*c) + n * sizeof(c->pending[0]) +
		   applied * sizeof(struct ctm_rec_applied))
		return bad(why, "commit: signals and length differ");
	for (i = 0; i < n; i++)
		if (!ctm_pending_ok(&c->pending[i]))
			return bad(why, "commit: not a signal");
	for (i = 0; i < applied; i++)
		if (!ctm_applied_ok(&ctm_ho_commit_applied(c)[i]))
			return bad(why, "commit: not an origin of signals");
	return 0;
}

static int check_query(const struct ctm_ho_query *q, const char **why)
{
	if (le32_to_cpu(q->from_source) > 1 || le32_to_cpu(q->outcome) >= CTM_HO_OUTCOME_MAX)
		return bad(why, "query: value out of range");
	return 0;
}

static int check_answer(const struct ctm_ho_answer *a, u32 len, const char **why)
{
	bool committed = le32_to_cpu(a->outcome) == CTM_HO_COMMITTED;
	u32 rest = len - sizeof(*a);

	if (le32_to_cpu(a->outcome) >= CTM_HO_OUTCOME_MAX)
		return bad(why, "answer: value out of range");
	if (le32_to_cpu(a->commit_len) != rest || !rest != !committed)
		return bad(why, "answer: commit and length differ");
	if (!committed)
		return 0;
	if (rest < sizeof(struct ctm_ho_commit))
		return bad(why, "answer: commit too short");
	return check_commit((const void *)(a + 1), rest, why);
}

static int check_children(const struct ctm_ho_frame *f, const struct ctm_ho_children *c, u32 len,
			  const char **why)
{
	u32 home = CTM_GPID_NODE(le64_to_cpu(f->id.gpid));
	u32 i, n = le32_to_cpu(c->count);

	if (!n || n > CTM_FORK_MAX || c->pad || len != sizeof(*c) + n * sizeof(c->child[0]))
		return bad(why, "children: number and length differ");
	for (i = 0; i < n; i++) {
		u64 gpid = le64_to_cpu(c->child[i].gpid);

		if (CTM_GPID_NODE(gpid) != home || !CTM_GPID_SEQ(gpid))
			return bad(why, "children: a home of its own");
		if (le32_to_cpu(c->child[i].index) >= CTM_FORK_MAX || c->child[i].pad)
			return bad(why, "children: value out of range");
	}
	return 0;
}

int ctm_ho_frame_check(const void *buf, size_t len, const char **why)
{
	const struct ctm_ho_frame *f = buf;
	const void *payload = f + 1;
	u32 n;

	if (len < sizeof(*f))
		return bad(why, "frame: shorter than its header");
	if (ctm_ho_head_check(f, why))
		return -EBADMSG;
	n = le32_to_cpu(f->len);
	if (len - sizeof(*f) != n)
		return bad(why, "frame: length differs from what came");
	switch (le16_to_cpu(f->type)) {
	case CTM_HO_FRAME_OFFER:
		return check_offer(payload, n, why);
	case CTM_HO_FRAME_ACCEPT:
		return check_accept(payload, n, why);
	case CTM_HO_FRAME_REFUSE:
	case CTM_HO_FRAME_ABORT:
		return check_text(payload, n, why);
	case CTM_HO_FRAME_BEGIN:
		return check_begin(payload, why);
	case CTM_HO_FRAME_COMMIT:
		return check_commit(payload, n, why);
	case CTM_HO_FRAME_QUERY:
		return check_query(payload, why);
	case CTM_HO_FRAME_ANSWER:
		return check_answer(payload, n, why);
	case CTM_HO_FRAME_CHILDREN:
		return check_children(f, payload, n, why);
	default:
		return 0;	/* no payload */
	}
}
