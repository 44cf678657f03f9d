// SPDX-License-Identifier: GPL-2.0
/*
 * sim.c - two nodes, one process, and everything that can go wrong
 *
 * Runs the machines of core/handoff.c in virtual time: messages are lost,
 * doubled, late and out of order, connections break, nodes crash and come back
 * with another boot id, restorers fail, copies are killed, attempts follow each
 * other at once.  After a while the faults stop and the world comes to rest.
 *
 * The checkers know the truth about both nodes, which the machines do not:
 *   - at most one copy runs, after every step;
 *   - a source whose process has started elsewhere never thaws, even if that copy
 *     is gone again;
 *   - a prepared copy is thrown away only if the source aborted, or still has its own;
 *   - at rest, everything has ended, or is in limbo, and then a crash is to blame;
 *   - a process is lost only by a kill, or by the crash of the node that alone had it.
 * An operator's RECOVER may double a process (it warns), so worlds with it check
 * only that the doubling ends.
 *
 *   sim [WORLDS]     SEED=n repeats a run, WORLD=n a single world, VERBOSE=1 tells
 *   sim -n HANDOFFS  as many worlds as it takes for so many handoffs
 */
#include "../../module/core/handoff.h"
#include "../ktap.h"
#include "random.h"

#define MS		1000000ull
#define FAULTS_END	(200 * CTM_HO_SEC)
#define WORLD_END	(1200 * CTM_HO_SEC)
#define GPID		CTM_GPID(7, 1)
#define NR_OUTCOMES	4
#define NR_PENDING	96
#define ATTEMPTS_MAX	4

enum copy { NONE, RUNNING, FROZEN, BUILDING, WAITING };
static const char *const copy_name[] = { "none", "running", "frozen", "building", "waiting" };

struct node {
	int nr;
	bool up;
	u64 boot;
	u64 reboot_at;			/* while down */
	enum copy copy;
	u32 epoch;			/* of the copy */
	bool copy_dying;		/* a task of the copy was killed */
	bool has_src, has_dst;
	struct ctm_ho_source src;
	struct ctm_ho_dest dst;
	bool conn[2];			/* as source, as destination: still connected */
	bool dst_settled;		/* may move on */
	bool suspended_limbo;		/* shown as limbo */
	struct ctm_ho_outcome slots[NR_OUTCOMES];
	struct ctm_ho_outcomes outcomes;
};

/* something that will happen at a node */
struct item {
	bool used;
	u64 at;
	u64 order;
	int node;
	u64 boot;			/* of the node it was meant for; 0: any */
	bool as_source;			/* which machine of the node */
	bool image;			/* EV_RECORD as a message: the image itself */
	struct ctm_ho_event ev;
};

struct world {
	struct rng rng;
	u64 seed;
	u64 now, order, boots;
	struct node node[2];
	struct item item[NR_PENDING];
	unsigned int loss, dup, late;	/* percent */
	unsigned int attempts;
	u32 next_attempt;
	bool crashed, killed, operated, restart_at_once;
	bool lost;			/* a crash took the only copy: nobody's fault */
	u32 aborted, started;		/* bit n: attempt n; the truth */
	const char *violation;
	bool verbose;
};

static struct {
	u64 worlds, attempts, done, aborted, limbo, recovered, killed, crashed, steps;
	u64 lost, doubled;		/* handoffs that a checker stopped, by what it saw */
} total;

static void violate(struct world *w, const char *what)
{
	if (!w->violation)
		w->violation = what;
}

/* ---- the queue ---- */

static void post(struct world *w, const struct item *it)
{
	unsigned int i;

	for (i = 0; i < NR_PENDING; i++) {
		if (w->item[i].used)
			continue;
		w->item[i] = *it;
		w->item[i].used = true;
		w->item[i].order = w->order++;
		return;
	}
	/* full: one more message lost */
}

static u64 soon(struct world *w)
{
	u64 t = w->now + rng_below(&w->rng, 20 * MS);

	if (w->now < FAULTS_END && rng_percent(&w->rng, w->late))
		t += rng_below(&w->rng, 30 * CTM_HO_SEC);
	return t;
}

static void local(struct world *w, struct node *n, bool as_source, enum ctm_ho_event_type type,
		  u64 at)
{
	struct item it = { .at = at, .node = n->nr, .boot = n->boot, .as_source = as_source };

	it.ev.type = type;
	it.ev.id = as_source ? n->src.id : n->dst.id;
	post(w, &it);
}

/* A message from @n's machine to the other node; calls do not need the connection. */
static void message(struct world *w, struct node *n, bool from_source,
		    enum ctm_ho_event_type type, const struct ctm_ho_id *id,
		    enum ctm_ho_outcome_type outcome, bool call, bool image)
{
	struct item it = { .node = !n->nr, .as_source = !from_source, .image = image };
	bool faulty = w->now < FAULTS_END;
	unsigned int copies = 1;

	if (!call && !n->conn[!from_source])
		return;
	if (faulty && rng_percent(&w->rng, w->loss))
		copies = 0;
	else if (faulty && !image && rng_percent(&w->rng, w->dup))
		copies = 1 + rng_below(&w->rng, 3);
	it.ev.type = type;
	it.ev.id = *id;
	it.ev.outcome = outcome;
	it.ev.boot = n->boot;
	while (copies--) {
		it.at = soon(w);
		post(w, &it);
	}
}

/* ---- doing what a machine says ---- */

static struct node *other(struct world *w, struct node *n)
{
	return &w->node[!n->nr];
}

static void thaw(struct world *w, struct node *n)
{
	if (w->started & 1u << n->src.id.attempt && !w->operated)
		violate(w, "the source thaws what had started elsewhere");
	w->aborted |= 1u << n->src.id.attempt;
	if (n->copy == FROZEN)
		n->copy = n->copy_dying ? NONE : RUNNING;
	else if (n->copy != RUNNING && !w->killed)
		violate(w, "thaw of a copy that is not there");
	n->copy_dying = false;
}

static void destroy_copy(struct world *w, struct node *n)
{
	if (n->copy != FROZEN)
		violate(w, "a copy was destroyed that was not frozen");
	if (!(w->started & 1u << n->src.id.attempt))
		violate(w, "the source copy was destroyed, and the other has not started");
	n->copy = NONE;
	n->copy_dying = false;
}

static void source_act(struct world *w, struct node *n, enum ctm_ho_action a)
{
	struct ctm_ho_source *s = &n->src;
	const struct ctm_ho_id *id = &s->id;

	switch (a) {
	case CTM_HO_ASK_HOME:
		local(w, n, true, CTM_HO_EV_CONSENTED, soon(w));
		break;
	case CTM_HO_SEND_OFFER:
		n->conn[0] = true;
		message(w, n, true, CTM_HO_EV_OFFER, id, 0, false, false);
		break;
	case CTM_HO_FREEZE:
		if (n->copy == RUNNING)
			n->copy = FROZEN;
		local(w, n, true, rng_percent(&w->rng, 3) ? CTM_HO_EV_FAILED : CTM_HO_EV_FROZEN,
		      soon(w));
		break;
	case CTM_HO_SEND_IMAGE:
		message(w, n, true, CTM_HO_EV_BEGIN, id, 0, false, false);
		message(w, n, true, CTM_HO_EV_RECORD, id, 0, false, true);
		local(w, n, true, rng_percent(&w->rng, 3) ? CTM_HO_EV_FAILED :
		      CTM_HO_EV_IMAGE_SENT, soon(w));
		break;
	case CTM_HO_SEND_COMMIT:
		if (n->copy == RUNNING)
			violate(w, "COMMIT left while the source runs");
		message(w, n, true, CTM_HO_EV_COMMIT, id, 0, false, false);
		break;
	case CTM_HO_SEND_ABORT:
		message(w, n, true, CTM_HO_EV_ABORT, id, 0, false, false);
		break;
	case CTM_HO_SEND_RELEASED:
		message(w, n, true, CTM_HO_EV_RELEASED, id, 0, true, false);
		break;
	case CTM_HO_THAW:
		thaw(w, n);
		break;
	case CTM_HO_DESTROY_COPY:
		destroy_copy(w, n);
		break;
	case CTM_HO_QUERY_DEST:
		message(w, n, true, CTM_HO_EV_QUERY, id, CTM_HO_COMMITTED, true, false);
		break;
	case CTM_HO_SEND_ANSWER:
		message(w, n, true, CTM_HO_EV_ANSWER, id, ctm_ho_source_outcome(s), true, false);
		break;
	case CTM_HO_ENTER_LIMBO:
		n->suspended_limbo = true;
		break;
	case CTM_HO_LEAVE_LIMBO:
		n->suspended_limbo = false;
		break;
	case CTM_HO_FORWARD_KILL:
	case CTM_HO_GIVE_BACK:
		break;
	case CTM_HO_REPORT_DONE:
		total.done++;
		break;
	case CTM_HO_REPORT_FAILED:
		total.aborted++;
		break;
	default:
		violate(w, "the source was given an action of the destination");
	}
}

static void dest_release(struct world *w, struct node *n)
{
	if (n->copy != WAITING)
		violate(w, "release of threads that do not wait");
	if (w->aborted & 1u << n->dst.id.attempt && !w->operated)
		violate(w, "start of what the source has aborted");
	w->started |= 1u << n->dst.id.attempt;
	n->copy = RUNNING;
	n->epoch = n->dst.id.epoch + 1;
	n->dst_settled = false;
}

static void dest_discard(struct world *w, struct node *n)
{
	if (n->copy == RUNNING)
		violate(w, "discard of a running copy");
	if (n->copy == WAITING && n->copy_dying)
		w->lost |= other(w, n)->copy == NONE;
	else if (n->copy == WAITING && !(w->aborted & 1u << n->dst.id.attempt) &&
		 other(w, n)->copy == NONE && !w->killed && !w->operated)
		violate(w, "the last copy, prepared, was discarded");
	n->copy = NONE;
	n->copy_dying = false;
}

static void dest_act(struct world *w, struct node *n, enum ctm_ho_action a)
{
	struct ctm_ho_dest *d = &n->dst;
	const struct ctm_ho_id *id = &d->id;
	enum ctm_ho_outcome_type mine = ctm_ho_dest_outcome(d);

	switch (a) {
	case CTM_HO_SEND_ACCEPT:
		message(w, n, false, CTM_HO_EV_ACCEPT, id, 0, false, false);
		break;
	case CTM_HO_SEND_REFUSE:
		message(w, n, false, CTM_HO_EV_REFUSE, id, 0, false, false);
		break;
	case CTM_HO_BUILD:
		n->copy = BUILDING;
		break;
	case CTM_HO_SEND_PREPARED:
		message(w, n, false, CTM_HO_EV_PREPARED, id, 0, false, false);
		break;
	case CTM_HO_RELEASE:
		dest_release(w, n);
		break;
	case CTM_HO_SEND_STARTED:
		message(w, n, false, CTM_HO_EV_STARTED, id, 0, false, false);
		break;
	case CTM_HO_SEND_ABORT:
		message(w, n, false, CTM_HO_EV_ABORT, id, 0, false, false);
		break;
	case CTM_HO_DISCARD:
		dest_discard(w, n);
		break;
	case CTM_HO_KILL_COPY:
		if (!w->operated)
			violate(w, "a running copy was killed");
		n->copy = NONE;
		break;
	case CTM_HO_QUERY_SOURCE:
		message(w, n, false, CTM_HO_EV_QUERY, id, mine, true, false);
		break;
	case CTM_HO_SEND_ANSWER:
		message(w, n, false, CTM_HO_EV_ANSWER, id, mine, true, false);
		break;
	case CTM_HO_SETTLE:
		n->dst_settled = true;
		ctm_ho_outcome_ack(&n->outcomes, id, false);
		break;
	case CTM_HO_ENTER_LIMBO:
		n->suspended_limbo = true;
		break;
	case CTM_HO_LEAVE_LIMBO:
		n->suspended_limbo = false;
		break;
	case CTM_HO_TELL_HOME:
		break;
	default:
		violate(w, "the destination was given an action of the source");
	}
}

static void tell(struct world *w, struct node *n, bool as_source, const struct ctm_ho_event *ev,
		 const struct ctm_ho_actions *acts)
{
	unsigned int i;

	if (!w->verbose)
		return;
	printf("# %8.3f node %d %s: %s -> %s:", w->now / 1e9, n->nr, as_source ? "src" : "dst",
	       ctm_ho_event_name(ev->type),
	       as_source ? ctm_ho_source_state_name(n->src.state) :
			   ctm_ho_dest_state_name(n->dst.state));
	for (i = 0; i < acts->n; i++)
		printf(" %s", ctm_ho_action_name(acts->list[i]));
	printf("  [%s %s]\n", copy_name[w->node[0].copy], copy_name[w->node[1].copy]);
}

static void check_running(struct world *w)
{
	if (w->node[0].copy == RUNNING && w->node[1].copy == RUNNING && !w->operated)
		violate(w, "two copies run");
}

static void step_source(struct world *w, struct node *n, struct ctm_ho_event *ev)
{
	struct ctm_ho_actions acts;
	unsigned int i;

	ev->now = w->now;
	ev->dying = n->copy_dying || n->copy == NONE;
	if (ctm_ho_source_step(&n->src, ev, &acts))
		return;
	total.steps++;
	ctm_ho_outcome_set(&n->outcomes, &n->src.id, true, ctm_ho_source_outcome(&n->src));
	for (i = 0; i < acts.n; i++)
		source_act(w, n, acts.list[i]);
	tell(w, n, true, ev, &acts);
	check_running(w);
	if (ctm_ho_source_over(&n->src) && rng_percent(&w->rng, 50))
		n->has_src = false;	/* the table answers from now on */
}

static void step_dest(struct world *w, struct node *n, struct ctm_ho_event *ev)
{
	struct ctm_ho_actions acts;
	unsigned int i;

	ev->now = w->now;
	ev->dying = n->copy_dying;
	if (ctm_ho_dest_step(&n->dst, ev, &acts))
		return;
	total.steps++;
	ctm_ho_outcome_set(&n->outcomes, &n->dst.id, false, ctm_ho_dest_outcome(&n->dst));
	for (i = 0; i < acts.n; i++)
		dest_act(w, n, acts.list[i]);
	tell(w, n, false, ev, &acts);
	check_running(w);
	if (ctm_ho_dest_over(&n->dst) && rng_percent(&w->rng, 50))
		n->has_dst = false;
}

/* ---- what a node does beside its machines ---- */

static void start_attempt(struct world *w, struct node *n)
{
	struct ctm_ho_event ev = { .type = CTM_HO_EV_START };
	struct ctm_ho_id id = {
		.gpid = GPID, .epoch = n->epoch, .attempt = ++w->next_attempt,
		.src_boot = n->boot, .dst_boot = other(w, n)->boot,
	};

	if (ctm_ho_outcome_reserve(&n->outcomes, &id, true))
		return;
	w->attempts++;
	total.attempts++;
	ctm_ho_source_init(&n->src, &id);
	n->has_src = true;
	step_source(w, n, &ev);
}

static bool may_start(struct world *w, struct node *n)
{
	return n->up && n->copy == RUNNING && !n->copy_dying &&
	       (!n->has_src || ctm_ho_source_over(&n->src)) &&
	       (!n->has_dst || ctm_ho_dest_over(&n->dst)) && n->dst_settled &&
	       w->attempts < ATTEMPTS_MAX;
}

/* An OFFER that has no machine yet. */
static void offered(struct world *w, struct node *n, struct ctm_ho_event *ev)
{
	struct ctm_ho_event sup = { .type = CTM_HO_EV_SUPERSEDED };

	if (ev->id.dst_boot != n->boot)
		return;
	if (n->has_dst && ctm_ho_id_supersedes(&ev->id, &n->dst.id))
		step_dest(w, n, &sup);
	if (n->has_dst && !ctm_ho_dest_over(&n->dst))
		return;
	if (n->copy != NONE || ctm_ho_outcome_reserve(&n->outcomes, &ev->id, false))
		return;
	ctm_ho_dest_init(&n->dst, &ev->id);
	n->has_dst = true;
	n->conn[1] = other(w, n)->conn[0];
	ev->ok = !rng_percent(&w->rng, 5);
	step_dest(w, n, ev);
}

/* A message for an attempt that has no machine here (any more). */
static void stray(struct world *w, struct node *n, bool as_source, const struct ctm_ho_event *ev)
{
	enum ctm_ho_outcome_type mine;

	if (ev->type == CTM_HO_EV_ABORT || (ev->type == CTM_HO_EV_RELEASED && !as_source))
		ctm_ho_outcome_ack(&n->outcomes, &ev->id, as_source);
	if (ev->type != CTM_HO_EV_QUERY)
		return;
	mine = ctm_ho_outcome_query(&n->outcomes, &ev->id, as_source, ev->outcome);
	message(w, n, as_source, CTM_HO_EV_ANSWER, &ev->id, mine, true, false);
}

static bool mine(const struct node *n, bool as_source, const struct ctm_ho_id *id)
{
	return as_source ? n->has_src && ctm_ho_id_equal(&n->src.id, id) :
			   n->has_dst && ctm_ho_id_equal(&n->dst.id, id);
}

/* The image came: some records, then, a while later, all threads wait. */
static void image_came(struct world *w, struct node *n, struct ctm_ho_event *ev)
{
	if (n->dst.state != CTM_HO_DST_INCOMING) {
		if (n->dst.state == CTM_HO_DST_ACCEPTED) {	/* BEGIN comes after it */
			struct item it = { .at = soon(w) + MS, .node = n->nr, .boot = n->boot,
					   .image = true, .ev = *ev };
			post(w, &it);
		}
		return;
	}
	step_dest(w, n, ev);
	local(w, n, false, rng_percent(&w->rng, 5) ? CTM_HO_EV_FAILED : CTM_HO_EV_BUILT, soon(w));
}

/* A machine does not take what was meant for another attempt. */
static void check_stale(struct world *w, struct node *n, const struct item *it)
{
	struct ctm_ho_actions acts;
	int err = -ESTALE;

	if (it->ev.type >= CTM_HO_EV_MESSAGES)
		return;
	if (it->as_source && n->has_src)
		err = ctm_ho_source_step(&n->src, &it->ev, &acts);
	else if (!it->as_source && n->has_dst)
		err = ctm_ho_dest_step(&n->dst, &it->ev, &acts);
	if (err != -ESTALE)
		violate(w, "a message for another attempt was taken");
}

static void happen(struct world *w, struct item *it)
{
	struct node *n = &w->node[it->node];

	if (!n->up || (it->boot && it->boot != n->boot))
		return;
	if (it->ev.type == CTM_HO_EV_OFFER && !mine(n, false, &it->ev.id)) {
		offered(w, n, &it->ev);
		return;
	}
	if (!mine(n, it->as_source, &it->ev.id)) {
		check_stale(w, n, it);
		stray(w, n, it->as_source, &it->ev);
		return;
	}
	if (it->image) {
		image_came(w, n, &it->ev);
		return;
	}
	if (it->ev.type == CTM_HO_EV_BUILT && n->dst.state == CTM_HO_DST_INCOMING)
		n->copy = WAITING;
	if (it->as_source)
		step_source(w, n, &it->ev);
	else
		step_dest(w, n, &it->ev);
}

/* ---- faults ---- */

static void crash(struct world *w, struct node *n)
{
	if (w->verbose)
		printf("# %8.3f node %d crashes\n", w->now / 1e9, n->nr);
	if (n->copy == RUNNING || other(w, n)->copy == NONE || other(w, n)->copy == BUILDING)
		w->lost = true;
	w->crashed = true;
	n->up = false;
	n->copy = NONE;
	n->copy_dying = false;
	n->has_src = n->has_dst = false;
	n->conn[0] = n->conn[1] = false;
	other(w, n)->conn[0] = other(w, n)->conn[1] = false;
	n->suspended_limbo = false;
	memset(n->slots, 0, sizeof(n->slots));
	n->reboot_at = w->now + rng_below(&w->rng, 60 * CTM_HO_SEC);
}

static void both(struct world *w, struct node *n, enum ctm_ho_event_type type, u64 at)
{
	if (n->has_src)
		local(w, n, true, type, at);
	if (n->has_dst)
		local(w, n, false, type, at);
}

static void reboot(struct world *w, struct node *n)
{
	n->up = true;
	n->boot = ++w->boots;
	n->dst_settled = true;
	both(w, other(w, n), CTM_HO_EV_CONN_LOST, soon(w));
	both(w, other(w, n), CTM_HO_EV_PEER_BOOT, soon(w));
}

static void break_connection(struct world *w)
{
	int i;

	for (i = 0; i < 2; i++) {
		w->node[i].conn[0] = w->node[i].conn[1] = false;
		if (w->node[i].up)
			both(w, &w->node[i], CTM_HO_EV_CONN_LOST, soon(w));
	}
}

static void kill_copy(struct world *w, struct node *n)
{
	if (n->copy == NONE)
		return;
	if (n->copy == WAITING || n->copy == BUILDING) {
		n->copy_dying = true;
		both(w, n, CTM_HO_EV_FAILED, soon(w));
		return;
	}
	w->killed = true;
	n->copy_dying = true;
	if (n->copy == RUNNING) {
		n->copy = NONE;
		n->copy_dying = false;
	}
	both(w, n, CTM_HO_EV_COPY_DIED, soon(w));
}

static void operate(struct world *w, struct node *n)
{
	bool limbo = (n->has_src && n->src.state == CTM_HO_SRC_LIMBO) ||
		     (n->has_dst && n->dst.state == CTM_HO_DST_LIMBO);

	if (!limbo)
		return;
	w->operated = true;
	total.recovered++;
	both(w, n, CTM_HO_EV_RECOVER, w->now);
}

/* Others' handoffs, so that places for outcomes are won and lost. */
static void others_outcome(struct world *w, struct node *n)
{
	struct ctm_ho_id id = { .gpid = 99, .attempt = 1000 + w->order };

	if (ctm_ho_outcome_reserve(&n->outcomes, &id, true) == 0)
		ctm_ho_outcome_set(&n->outcomes, &id, true, CTM_HO_ABORTED);
}

/* chances in 1000, at each step while there are faults */
struct plan { unsigned int crash, cut, kill, cancel, operate; };

static void mischief(struct world *w, const struct plan *p)
{
	struct node *n = &w->node[rng_below(&w->rng, 2)];
	u64 dice = rng_below(&w->rng, 1000);

	if (!n->up)
		return;
	if (dice < p->crash)
		crash(w, n);
	else if ((dice -= p->crash) < p->cut)
		break_connection(w);
	else if ((dice -= p->cut) < p->kill)
		kill_copy(w, n);
	else if ((dice -= p->kill) < p->cancel)
		both(w, n, CTM_HO_EV_CANCEL, w->now);
	else if ((dice -= p->cancel) < p->operate)
		operate(w, n);
	else if (dice > 900)
		others_outcome(w, n);
}

/* ---- a world ---- */

/* The next thing in time: an item, a timer of a machine, a reboot. */
static bool advance(struct world *w)
{
	struct item *first = NULL;
	struct ctm_ho_event timer = { .type = CTM_HO_EV_TIMER };
	struct node *tn = NULL, *rn = NULL;
	bool tsrc = false;
	u64 at = WORLD_END;
	unsigned int i;

	for (i = 0; i < NR_PENDING; i++) {
		struct item *it = &w->item[i];

		if (it->used && (it->at < at || (first && it->at == at && it->order < first->order))) {
			first = it;
			at = it->at;
		}
	}
	for (i = 0; i < 2; i++) {
		struct node *n = &w->node[i];

		if (!n->up && n->reboot_at < at) {
			at = n->reboot_at;
			rn = n;
			tn = NULL;
		}
		if (n->up && n->has_src && n->src.deadline && n->src.deadline < at) {
			at = n->src.deadline;
			tn = n;
			tsrc = true;
		}
		if (n->up && n->has_dst && n->dst.deadline && n->dst.deadline < at) {
			at = n->dst.deadline;
			tn = n;
			tsrc = false;
		}
		if (tn)
			rn = at < (rn ? rn->reboot_at : WORLD_END) ? NULL : rn;
	}
	if (at >= WORLD_END)
		return false;
	if (at > w->now)
		w->now = at;
	if (tn) {
		if (tsrc)
			step_source(w, tn, &timer);
		else
			step_dest(w, tn, &timer);
	} else if (rn) {
		reboot(w, rn);
	} else {
		struct item it = *first;

		first->used = false;
		happen(w, &it);
	}
	return true;
}

static bool over(const struct node *n)
{
	return (!n->has_src || ctm_ho_source_over(&n->src)) &&
	       (!n->has_dst || ctm_ho_dest_over(&n->dst));
}

static void check_rest(struct world *w)
{
	struct node *a = &w->node[0], *b = &w->node[1];
	unsigned int running = (a->copy == RUNNING) + (b->copy == RUNNING);
	unsigned int held = 0;
	int i;

	for (i = 0; i < 2; i++) {
		struct node *n = &w->node[i];
		bool limbo = (n->has_src && n->src.state == CTM_HO_SRC_LIMBO) ||
			     (n->has_dst && n->dst.state == CTM_HO_DST_LIMBO);

		if (!over(n) && !limbo)
			violate(w, "at rest, a handoff has not ended and is not in limbo");
		if (limbo != n->suspended_limbo)
			violate(w, "limbo is not shown, or shown without being");
		if (limbo && !w->crashed)
			violate(w, "limbo without a crash");
		if (over(n) && (n->copy == FROZEN || n->copy == WAITING || n->copy == BUILDING) &&
		    !n->copy_dying)
			violate(w, "at rest, a copy hangs between");
		total.limbo += limbo;
		held += limbo && n->copy != NONE;
	}
	if (running > 1)
		violate(w, "at rest, two copies run");
	if (!running && !held && !w->lost && !w->killed && !w->operated)
		violate(w, "the process was lost");
	total.crashed += w->crashed;
	total.killed += w->killed;
}

static void make_node(struct world *w, int nr)
{
	struct node *n = &w->node[nr];

	n->nr = nr;
	n->up = true;
	n->boot = ++w->boots;
	n->dst_settled = true;
	n->outcomes.slot = n->slots;
	n->outcomes.nr = NR_OUTCOMES;
}

static void make_plan(struct world *w, struct plan *p)
{
	static const unsigned int loss[] = { 0, 0, 2, 10, 30 };

	w->loss = loss[rng_below(&w->rng, ARRAY_SIZE(loss))];
	w->dup = rng_percent(&w->rng, 50) ? 20 : 0;
	w->late = rng_percent(&w->rng, 50) ? 10 : 0;
	w->restart_at_once = rng_percent(&w->rng, 50);
	p->crash = rng_percent(&w->rng, 25) ? 15 : 0;
	p->cut = rng_percent(&w->rng, 40) ? 40 : 0;
	p->kill = rng_percent(&w->rng, 15) ? 15 : 0;
	p->cancel = rng_percent(&w->rng, 15) ? 20 : 0;
	p->operate = rng_percent(&w->rng, 10) ? 100 : 0;
}

static const char *run_world(u64 seed, bool verbose)
{
	struct world w = { .rng = { seed }, .seed = seed, .verbose = verbose };
	struct plan plan;
	int i;

	make_plan(&w, &plan);
	make_node(&w, 0);
	make_node(&w, 1);
	w.node[0].copy = RUNNING;
	w.node[0].epoch = 1;
	start_attempt(&w, &w.node[0]);
	while (!w.violation && advance(&w)) {
		if (w.now < FAULTS_END)
			mischief(&w, &plan);
		for (i = 0; i < 2; i++)
			if (may_start(&w, &w.node[i]) &&
			    (w.restart_at_once || rng_percent(&w.rng, 5)))
				start_attempt(&w, &w.node[i]);
	}
	if (!w.violation)
		check_rest(&w);
	total.worlds++;
	return w.violation;
}

static unsigned long worlds = 200000, handoffs;

static void random_worlds(void)
{
	u64 seed = rng_seed(20240229);
	const char *one = getenv("WORLD");
	struct rng seeds = { seed };
	unsigned long i, bad = 0;

	if (one) {
		const char *v = run_world(strtoull(one, NULL, 0), true);

		if (v)
			ktap_note("%s", v);
		CHECK(!v);
		return;
	}
	ktap_note("SEED=%llu", (unsigned long long)seed);
	for (i = 0; handoffs ? total.attempts < handoffs : i < worlds; i++) {
		u64 s = rng_next(&seeds);
		const char *v = run_world(s, !!getenv("VERBOSE"));

		if (!v)
			continue;
		total.lost += strstr(v, "lost") || strstr(v, "discarded") || strstr(v, "destroyed");
		total.doubled += strstr(v, "two copies") || strstr(v, "started elsewhere") ||
				 strstr(v, "has aborted");
		ktap_note("WORLD=0x%llx: %s", (unsigned long long)s, v);
		if (++bad >= 5)
			break;
	}
	CHECK(!bad);
	ktap_note("%llu worlds, %llu attempts: %llu done, %llu aborted, %llu left in limbo",
		  (unsigned long long)total.worlds, (unsigned long long)total.attempts,
		  (unsigned long long)total.done, (unsigned long long)total.aborted,
		  (unsigned long long)total.limbo);
	ktap_note("%llu handoffs: %llu lost, %llu doubled", (unsigned long long)total.attempts,
		  (unsigned long long)total.lost, (unsigned long long)total.doubled);
	ktap_note("%llu worlds with crashes, %llu with kills, %llu recoveries, %llu steps",
		  (unsigned long long)total.crashed, (unsigned long long)total.killed,
		  (unsigned long long)total.recovered, (unsigned long long)total.steps);
	CHECK(total.done && total.aborted);
}

static const struct ktap_test tests[] = {
	{ "handoffs over a bad network", random_worlds },
};

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "-n"))
		handoffs = strtoul(argv[2], NULL, 0);
	else if (argc > 1)
		worlds = strtoul(argv[1], NULL, 0);
	return ktap_run(tests, ARRAY_SIZE(tests));
}
