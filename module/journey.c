// SPDX-License-Identifier: GPL-2.0
/*
 * journey.c - the source's side of a handoff
 *
 * A struct journey carries one attempt out.  What is to be done is decided by
 * core/handoff.c; this file does it, one action after another, in one thread: a
 * worker, or the caller itself when it moves itself.  Calls of others (a QUERY
 * of the destination, an operator's recover) only step the machine, under
 * todo.lock, and wake that thread.
 *
 * The thread holds p->journey from START until the end, but not in limbo, so
 * that nobody waits for a peer on it.
 */
#include <linux/delay.h>
#include <linux/fdtable.h>
#include <linux/mm.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "capture.h"
#include "clock.h"
#include "compat/compat.h"
#include "courier.h"
#include "fault.h"
#include "handoff_io.h"
#include "journey.h"
#include "keeper.h"
#include "netlink.h"
#include "reaper.h"
#include "rfile.h"
#include "sighook.h"
#include "signals.h"
#include "term.h"
#include "trace.h"

#define CONNECT_MS		5000
#define IO_MS			10000	/* a peer that stops reading or writing */
#define FREEZE_MS		10000
#define TTY_MS			5000
#define KILL_MS			10000
#define CONSENT_MS		4000
#define READY_MS		5000	/* a restorer that takes longer is waited for while frozen */
#define MIGRATE_CALL_MS		(30 * 60 * 1000)
#define POLL_MS			200
#define TRIES			3
#define ARRIVAL_MS		10000	/* for the last source to say RELEASED */
#define JOURNEYS_MAX		64
#define SLOW_MS			15000	/* a journey that takes longer says where */
#define HANDED_TRIES		60	/* seconds for home to be reached again */
#define LATE_MAX		1024u	/* signals that come after those of the COMMIT */
#define LATE_MS			CTM_SIG_LIFE_MAX_MS	/* for all of them to arrive */
#define REAP_MS			10000	/* for the copy to be reaped: then nothing can be sent to it */

struct journey {
	struct kref ref;
	struct ctm_process *p;
	struct ctm_caller by;
	struct ctm_peer_info target;
	bool self;
	bool late;			/* announce when frozen: its layout changes too often */
	bool cluster;			/* the cluster decided it: it takes one of the TTL */
	bool refused;			/* by the destination */
	void (*ended)(struct ctm_process *p, int err, bool refused, const char *why);
	struct ctm_todo todo;		/* its lock covers m, committed, commit_len */
	struct ctm_ho_source m;
	enum ctm_ho_outcome_type told;	/* to the table, under todo.lock: finding a place there is slow */
	struct ctm_conn *conn;
	bool in_image;			/* between BEGIN and END */
	bool ready;			/* READY has come */
	bool stream_broken;		/* inside the pages of a record: no more frames */
	bool holds;			/* p->journey */
	bool killed;			/* self: the copy is current */

	struct ctm_sink sink;
	struct ctm_capture cap;
	struct task_struct *leader;
	s64 mono_ns, boot_ns;		/* offsets of the process's time namespace */
	u64 mono_tx, boot_tx;		/* its clocks when the OFFER left */
	struct ctm_ho_begin begin;
	void *tty;
	struct ctm_rec_pending *pending;
	struct ctm_rec_applied *applied;	/* CTM_APPLIED_MAX */
	unsigned int napplied;
	struct ctm_sigwatch after;	/* signals to the copy, when those of the COMMIT are gathered */
	struct ctm_ho_commit *commit;	/* CTM_HO_COMMIT_BYTES_MAX */
	size_t commit_len;

	ktime_t t_call, t_freeze;
	u64 since, spent[CTM_HO_SRC_MAX];	/* ns in each state of m, under todo.lock */
	struct ctm_migrate *result;	/* ours */
	int err;
	char why[CTM_REASON_MAX];
	struct completion done;
	struct work_struct work, late_work;
};

static struct workqueue_struct *workers;
static const struct ctm_journey_policy *policy;	/* set at module init */

/* What a move has cost lately: a part that any has, and one that grows with the image.
 * Moves of less than a MiB tell the first, others the second.
 */
#define PACE_WEIGHT	4		/* moves that count */
#define PACE_BASE_US	50000u
#define PACE_MIB_US	10000u
static atomic_t pace_base_us, pace_mib_us;	/* 0: none yet.  Racing writers lose a sample */
static atomic_t journeys = ATOMIC_INIT(0);

static void journey_free(struct kref *ref)
{
	struct journey *j = container_of(ref, struct journey, ref);

	ctm_conn_close(j->conn);
	ctm_capture_done(&j->cap);
	if (j->leader)
		put_task_struct(j->leader);
	kvfree(j->tty);
	kvfree((void *)j->cap.idents);
	kvfree(j->cap.ident_bits);
	kvfree(j->cap.buf);
	kvfree(j->pending);
	kvfree(j->applied);
	kvfree(j->after.v);
	kvfree(j->commit);
	kfree(j->result);
	ctm_process_put(j->p);
	kfree(j);
	atomic_dec(&journeys);
}

static void journey_put(struct journey *j)
{
	kref_put(&j->ref, journey_free);
}

/* ---- stepping the machine ---- */

static int step(struct journey *j, struct ctm_ho_event *ev)
{
	struct ctm_ho_actions a;
	unsigned int was;
	int err;

	ev->now = ktime_get_ns();
	mutex_lock(&j->todo.lock);
	was = j->m.state;
	err = ctm_ho_source_step(&j->m, ev, &a);
	if (!err) {
		j->spent[was] += ev->now - j->since;
		j->since = ev->now;
		if (j->m.state == CTM_HO_SRC_COMMITTED)
			WRITE_ONCE(j->p->committed, true);
		if (j->told != ctm_ho_source_outcome(&j->m)) {
			j->told = ctm_ho_source_outcome(&j->m);
			ctm_outcome_set(&j->m.id, true, j->told);
		}
		ctm_todo_add(&j->todo, &a);
	}
	mutex_unlock(&j->todo.lock);
	return err;
}

static void happen(struct journey *j, enum ctm_ho_event_type type, int error)
{
	struct ctm_ho_event ev = { .type = type, .error = error, .id = j->m.id };

	step(j, &ev);
}

/* something here failed: @err negative; j->why says what, or gets @fallback */
static void fail(struct journey *j, int err, const char *fallback)
{
	if (!j->why[0])
		strscpy(j->why, fallback, sizeof(j->why));
	happen(j, CTM_HO_EV_FAILED, -err);
}

/* ---- the sink: records and pages onto the connection ---- */

/* did the destination give up meanwhile, or was the copy killed? */
static int sink_ok(struct journey *j)
{
	if (!j->self && (j->leader->flags & PF_EXITING || fatal_signal_pending(j->leader))) {
		strscpy(j->why, "the process was killed", sizeof(j->why));
		return -ESRCH;
	}
	return ctm_conn_poll(j->conn, 0) ? -ECONNABORTED : 0;
}

static int sink_record(struct ctm_sink *s, const struct ctm_rec *rec, u32 len)
{
	struct journey *j = container_of(s, struct journey, sink);
	int err = sink_ok(j);

	if (rec->type == CTM_REC_PAGES && !j->cap.pages)
		trace_handoff_phase(&j->m.id, CTM_PHASE_PAGES);
	trace_handoff_record(&j->m.id, rec->type, len, true);
	if (!err) {
		err = ctm_conn_send(j->conn, rec, len, rec->type != CTM_REC_END);
		if (err)
			j->stream_broken = true;
	}
	return err;
}

static int sink_pages(struct ctm_sink *s, struct bio_vec *bv, unsigned int nr)
{
	struct journey *j = container_of(s, struct journey, sink);
	int err;

	ctm_fault("send", "IMAGE");
	err = ctm_conn_send_bvec(j->conn, bv, nr, (size_t)nr * PAGE_SIZE, true);
	if (err)
		j->stream_broken = true;
	return err;
}

/* ---- actions ---- */

struct consent_call {
	__u64 gpid;
	__u32 epoch;
	__u32 target;			/* 0: given back */
};

static int consent_of_home(struct ctm_process *p, u32 target, u32 from)
{
	int err = 0;

	spin_lock(&p->lock);
	if (p->ended)
		err = -ESRCH;
	else if (p->host != from)
		err = -ESTALE;
	else
		p->leaving_to = target;
	spin_unlock(&p->lock);
	return err;
}

static int serve_consent(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct consent_call *c = req;
	struct ctm_process *p;
	int err;

	*resp_len = 0;
	if (len != sizeof(*c))
		return -EBADMSG;
	p = ctm_process_find(c->gpid);
	if (!p)
		return -ESRCH;
	err = c->epoch == p->epoch ? consent_of_home(p, c->target, from) : -ESTALE;
	ctm_process_put(p);
	return err;
}

static int ask_home(struct journey *j, u32 target)
{
	struct consent_call c = { .gpid = j->p->gpid, .epoch = j->p->epoch, .target = target };
	size_t none = 0;

	if (ctm_process_is_home(j->p))
		return consent_of_home(j->p, target, ctm_node_id());
	return ctm_call(CTM_GPID_NODE(c.gpid), CTM_CALL_CONSENT, &c, sizeof(c), NULL, &none,
			CONSENT_MS);
}

static void do_ask_home(struct journey *j)
{
	char home[CTM_NAME_MAX];
	int err = ask_home(j, j->target.id);

	if (!err) {
		happen(j, CTM_HO_EV_CONSENTED, 0);
		return;
	}
	ctm_peer_name(CTM_GPID_NODE(j->p->gpid), home);
	snprintf(j->why, sizeof(j->why), "its home %s does not agree to the move: error %d", home, err);
	fail(j, err, "");
}

#define IDENTS_ROOM	(256u << 10)

static int collect_idents(struct journey *j)
{
	ssize_t n;

	j->cap.idents = kvmalloc(IDENTS_ROOM, GFP_KERNEL_ACCOUNT);
	if (!j->cap.idents)
		return -ENOMEM;
	n = ctm_idents_collect(j->p, (void *)j->cap.idents, IDENTS_ROOM, &j->cap.nidents);
	if (n < 0)
		return n;
	j->cap.idents_len = n;
	j->cap.ident_bits = kvcalloc(BITS_TO_LONGS(j->cap.nidents + 1), sizeof(long),
				     GFP_KERNEL_ACCOUNT);
	return j->cap.ident_bits ? 0 : -ENOMEM;
}

void ctm_offer_fill(struct ctm_process *p, struct task_struct *leader, struct ctm_ho_offer *o)
{
	struct ctm_life life;
	struct ctm_info info;

	ctm_process_info(p, &info);
	memset(o, 0, sizeof(*o));
	ctm_ho_abi_put(&o->abi, ctm_abi_self());
	o->flags = cpu_to_le32(p->flags);
	o->uid = cpu_to_le32(from_kuid(&init_user_ns, task_cred_xxx(leader, uid)));
	o->gid = cpu_to_le32(from_kgid(&init_user_ns, task_cred_xxx(leader, gid)));
	o->threads = cpu_to_le32(get_nr_threads(leader));
	o->hops = cpu_to_le32(p->hops);
	ctm_reaper_look(p, &life);
	o->ttl = cpu_to_le32(life.ttl);
	o->ttl_max = cpu_to_le32(life.ttl_max);
	o->lease_ms = cpu_to_le32(div_u64(life.lease, NSEC_PER_MSEC));
	o->lease_used_ms = cpu_to_le32(div_u64(life.used, NSEC_PER_MSEC));
	o->rss = cpu_to_le64(info.rss);
	o->cpu_ns = cpu_to_le64(info.cpu_ns);
	memcpy(o->comm, info.comm, sizeof(o->comm));
	o->family = cpu_to_le64(p->family);
}

static void fill_offer(struct journey *j, struct ctm_ho_offer *o)
{
	ctm_offer_fill(j->p, j->leader, o);
	o->flags |= cpu_to_le32((j->self ? CTM_HO_OFFER_SELF : 0) |
				(j->cluster ? CTM_HO_OFFER_CLUSTER : 0));
	o->nidents = cpu_to_le32(j->cap.nidents);
	o->ident_bytes = cpu_to_le32(j->cap.idents_len);
	j->mono_tx = ktime_get_ns() + j->mono_ns;
	j->boot_tx = ktime_get_boottime_ns() + j->boot_ns;
	o->mono_ns = cpu_to_le64(j->mono_tx);
	o->boot_ns = cpu_to_le64(j->boot_tx);
}

static void do_send_offer(struct journey *j)
{
	struct ctm_ho_offer o;
	struct ctm_conn *c;
	int err = collect_idents(j);

	if (err) {
		fail(j, err, "the list of its files could not be made");
		return;
	}
	c = ctm_conn_open(j->target.id, CTM_CHANNEL_HANDOFF, CONNECT_MS);
	if (IS_ERR(c)) {
		snprintf(j->why, sizeof(j->why), "%s: cannot connect: error %ld", j->target.name, PTR_ERR(c));
		fail(j, PTR_ERR(c), "");
		return;
	}
	j->conn = c;
	ctm_conn_set_timeout(c, IO_MS);
	ctm_clock_offsets(j->leader, &j->mono_ns, &j->boot_ns);
	fill_offer(j, &o);
	trace_handoff_phase(&j->m.id, CTM_PHASE_OFFER);
	err = ctm_ho_send(c, CTM_HO_FRAME_OFFER, &j->m.id, &o, sizeof(o), j->cap.idents,
			  j->cap.idents_len);
	if (err)
		happen(j, CTM_HO_EV_CONN_LOST, -err);
}

static void got_accept(struct journey *j, const struct ctm_ho_frame *f, struct ctm_ho_event *ev)
{
	const struct ctm_ho_accept *a = (const void *)(f + 1);
	u64 mono_rx = ktime_get_ns() + j->mono_ns;
	u64 boot_rx = ktime_get_boottime_ns() + j->boot_ns;

	if (le32_to_cpu(a->nidents) != j->cap.nidents) {
		fail(j, -EPROTO, "the destination answered about other files");
		ev->type = CTM_HO_EV_MAX;
		return;
	}
	memcpy((void *)j->cap.ident_bits, a->bits, (j->cap.nidents + 7) / 8);
	j->begin.mono_off_ns = cpu_to_le64(ctm_ho_clock_offset(j->mono_tx, le64_to_cpu(a->mono_rx),
							       le64_to_cpu(a->mono_tx), mono_rx));
	j->begin.boot_off_ns = cpu_to_le64(ctm_ho_clock_offset(j->boot_tx, le64_to_cpu(a->boot_rx),
							       le64_to_cpu(a->boot_tx), boot_rx));
}

static void wait_input(struct journey *j, unsigned int ms);

/* the keeper at the destination is told all that it must know to make the leader */
static int announce(struct journey *j)
{
	struct ctm_ho_begin *b = &j->begin;
	int err = ctm_capture_hole(&j->cap);

	if (err)
		return err;
	rcu_read_lock();
	b->leader = cpu_to_le32(task_pid_nr_ns(j->leader, task_active_pid_ns(j->leader)));
	rcu_read_unlock();
	b->hole = cpu_to_le64(j->cap.hole);
	b->hole_len = cpu_to_le64(j->cap.hole_len);
	trace_handoff_phase(&j->m.id, CTM_PHASE_BEGIN);
	err = ctm_ho_send(j->conn, CTM_HO_FRAME_BEGIN, &j->m.id, b, sizeof(*b), NULL, 0);
	j->in_image = !err;
	return err;
}

/* false: there is nothing left to be frozen for */
static bool await_ready(struct journey *j)
{
	ktime_t deadline = ktime_add_ms(ktime_get(), READY_MS);

	while (!j->ready && j->m.state == CTM_HO_SRC_FREEZING && ktime_before(ktime_get(), deadline))
		wait_input(j, POLL_MS);
	return j->m.state == CTM_HO_SRC_FREEZING;
}

static bool prepare_place(struct journey *j)
{
	int err = announce(j);

	if (err)
		fail(j, err, "its place could not be announced");
	return !err && await_ready(j);
}

static void do_freeze(struct journey *j)
{
	struct ctm_process *p = j->p;
	int err;

	if (!j->late && !prepare_place(j))
		return;
	trace_handoff_phase(&j->m.id, CTM_PHASE_FREEZE);
	j->t_freeze = ktime_get();
	if (j->self) {
		err = thread_group_empty(current) ? 0 : -EOPNOTSUPP;
		if (err)
			strscpy(j->why, "has several threads: it cannot move itself", sizeof(j->why));
	} else {
		err = ctm_freeze(p, FREEZE_MS, j->why);
		if (!err) {
			err = ctm_may_act(p, &j->by);
			if (err)
				strscpy(j->why, "its owner changed meanwhile", sizeof(j->why));
		}
	}
	if (!err && p->term) {
		err = ctm_keeper_save_tty(p, &j->tty, &j->cap.tty_len, TTY_MS);
		if (!err)
			err = ctm_term_flush(p, TTY_MS);
		if (err && !j->why[0])
			strscpy(j->why, "its terminal could not be saved", sizeof(j->why));
		j->cap.tty = j->tty;
	}
	trace_handoff_phase(&j->m.id, CTM_PHASE_FROZEN);
	if (err)
		fail(j, err, "cannot be frozen");
	else if (!j->late || prepare_place(j))
		happen(j, CTM_HO_EV_FROZEN, 0);
}

static int capture(struct journey *j)
{
	struct task_struct **tasks;
	int n, err;

	if (j->self) {
		get_task_struct(current);
		j->cap.tasks = &j->leader;
		j->cap.ntasks = 1;
		err = ctm_capture_process(&j->cap);
		put_task_struct(current);
		return err;
	}
	n = ctm_tasks(j->p, &tasks);
	if (n < 0)
		return n;
	j->cap.tasks = tasks;
	j->cap.ntasks = n;
	err = ctm_capture_process(&j->cap);
	ctm_tasks_put(tasks, n);
	j->cap.tasks = NULL;
	return err;
}

/* the destination broke off: its ABORT says why */
static void hear_abort(struct journey *j, int err)
{
	struct ctm_ho_frame *f;

	if (ctm_conn_poll(j->conn, 1000) == 1) {
		f = ctm_ho_recv(j->conn);
		if (!IS_ERR(f)) {
			if (le16_to_cpu(f->type) == CTM_HO_FRAME_ABORT)
				err = -ctm_ho_text_get(f, j->why);
			kvfree(f);
		}
	}
	if (!j->why[0])
		snprintf(j->why, sizeof(j->why), "the connection to %s broke: error %d",
			 j->target.name, err);
	happen(j, CTM_HO_EV_ABORT, -err);	/* id checked below the frame: same connection */
}

static void do_send_image(struct journey *j)
{
	int err = capture(j);

	if (!err) {
		j->in_image = false;
		trace_handoff_phase(&j->m.id, CTM_PHASE_END);
		happen(j, CTM_HO_EV_IMAGE_SENT, 0);
	} else if (err == -ECONNABORTED || j->stream_broken) {
		j->stream_broken = true;
		hear_abort(j, err);
	} else {
		fail(j, err, "could not be captured");
	}
}

/* signals that came since the image was made; nobody applies one meanwhile */
static int gather_signals(void *arg)
{
	struct journey *j = arg;
	struct ctm_process *p = j->p;
	int n = ctm_pending_new(&j->cap, j->pending, CTM_HO_PENDING_MAX, &j->after);

	if (!j->self && fatal_signal_pending(j->leader))
		return -ESRCH;
	j->napplied = n >= 0 && p->applied ?
		      ctm_sig_applied_save(p->applied, j->applied, false, ktime_get_ns()) : 0;
	return n;
}

/* PREPARED came: may it be committed?  Collects what the COMMIT carries. */
static void got_prepared(struct journey *j, struct ctm_ho_event *ev)
{
	struct ctm_ho_commit *c = j->commit;
	struct ctm_term_pos pos = {};
	struct ctm_info info;
	int n;

	ctm_sigwatch_add(&j->after);
	n = ctm_signals_close(j->p, gather_signals, j);
	if (n < 0) {
		ev->dying = true;
		strscpy(j->why, n == -EAGAIN ? "signals arrive faster than they can be sent: try again" :
			"the process was killed", sizeof(j->why));
		return;
	}
	ctm_process_info(j->p, &info);
	if (j->p->term)
		ctm_term_get_pos(j->p, &pos);
	memset(c, 0, sizeof(*c));
	c->npending = cpu_to_le32(n);
	c->term_in = cpu_to_le64(pos.in_taken);
	c->term_out = cpu_to_le64(pos.out_sent);
	c->cpu_ns = cpu_to_le64(info.cpu_ns);
	c->napplied = cpu_to_le32(j->napplied);
	memcpy(c->pending, j->pending, n * sizeof(*j->pending));
	memcpy(c->pending + n, j->applied, j->napplied * sizeof(*j->applied));
	j->commit_len = sizeof(*c) + n * sizeof(*j->pending) + j->napplied * sizeof(*j->applied);
}

static void do_send_abort(struct journey *j)
{
	if (!j->conn || j->stream_broken)
		return;
	if (j->in_image)
		ctm_ho_send_break(j->conn, j->why[0] ? j->why : "aborted");
	else
		ctm_ho_send_text(j->conn, CTM_HO_FRAME_ABORT, &j->m.id, j->m.error, j->why);
}

static void do_destroy_copy(struct journey *j)
{
	struct ctm_process *p = j->p;

	if (!j->holds) {
		mutex_lock(&p->journey);
		j->holds = true;
	}
	ctm_rfiles_ended(p);		/* else the copy's death would close files at home */
	ctm_capture_done(&j->cap);
	if (j->self)
		j->killed = true;
	else if (ctm_kill_copy(p, KILL_MS))
		pr_warn("continuum: process %llx: tasks of its old copy do not die\n", p->gpid);
	ctm_process_unhost(p);
	ctm_signals_forget(p);
	spin_lock(&p->lock);
	p->host = j->target.id;
	p->host_boot = j->m.id.dst_boot;
	if (p->epoch == j->m.id.epoch)	/* the new host may have told home before us */
		p->epoch++;
	p->attempt = 0;
	p->hops++;
	p->leaving_to = 0;
	p->state = CTM_STATE_RUNNING;
	spin_unlock(&p->lock);
}

static void do_thaw(struct journey *j)
{
	if (j->m.state == CTM_HO_SRC_RECOVERED)	/* later than what the other copy may have told */
		ctm_process_claim(j->p, j->m.id.epoch + 2);
	ctm_rfiles_here(j->p);		/* before any thread can use one */
	if (!j->self && j->p->freezers)
		ctm_thaw(j->p);
	if (j->tty)
		ctm_keeper_post(j->p, CTM_EV_TTY_KEEP, 0);
	WRITE_ONCE(j->p->committed, false);
	ctm_signals_open(j->p);
}

static void do_query(struct journey *j)
{
	struct ctm_ho_event ev = { .type = CTM_HO_EV_ANSWER, .id = j->m.id };
	size_t none = 0;

	if (!ctm_ho_ask(j->target.id, &j->m.id, true, CTM_HO_COMMITTED, &ev.outcome, &ev.boot,
			NULL, &none))
		step(j, &ev);
}

/* whoever waits, or wants to be told, hears of the end, or that there is none in sight */
static void tell_end(struct journey *j)
{
	void (*ended)(struct ctm_process *, int, bool, const char *) = j->ended;

	j->ended = NULL;
	if (ended)
		ended(j->p, j->err, j->refused, j->why);
	complete_all(&j->done);
}

static void do_limbo(struct journey *j)
{
	pr_warn("continuum: process %llx: in limbo: %s has not said whether it started\n",
		j->p->gpid, j->target.name);
	spin_lock(&j->p->lock);
	j->p->state = CTM_STATE_LIMBO;
	spin_unlock(&j->p->lock);
	strscpy(j->why, "the outcome is not known: the process is in limbo", sizeof(j->why));
	j->err = -EINPROGRESS;
	mutex_unlock(&j->p->journey);
	j->holds = false;
	tell_end(j);
}

static void do_released(struct journey *j)
{
	struct ctm_ho_frame f;
	size_t none = 0;

	if (!ctm_ho_send(j->conn, CTM_HO_FRAME_RELEASED, &j->m.id, NULL, 0, NULL, 0))
		return;
	ctm_ho_frame_fill(&f, CTM_HO_FRAME_RELEASED, &j->m.id, 0);
	ctm_call(j->target.id, CTM_CALL_RELEASED, &f, sizeof(f), NULL, &none, 2000);
}

static unsigned int spent_ms(const struct journey *j, unsigned int state)
{
	return div_u64(j->spent[state], NSEC_PER_MSEC);
}

static void report_slow(const struct journey *j)
{
	pr_info("continuum: process %llx: slow journey to %s: %llu ms; consent %u, offer %u, freeze %u, image %u, building %u, start %u ms\n",
		j->p->gpid, j->target.name, div_u64(j->result->total_ns, NSEC_PER_MSEC),
		spent_ms(j, CTM_HO_SRC_CONSENT), spent_ms(j, CTM_HO_SRC_OFFERED),
		spent_ms(j, CTM_HO_SRC_FREEZING), spent_ms(j, CTM_HO_SRC_SENDING),
		spent_ms(j, CTM_HO_SRC_WAIT_PREPARED), spent_ms(j, CTM_HO_SRC_COMMITTED));
}

/*
 * The new host tells home by itself; but if it dies before it could, home would
 * take this node for the host for ever.  So this one says so too, when it is over.
 */
static void tell_home_of_host(struct journey *j)
{
	struct ctm_handed_call c = {
		.gpid = j->p->gpid, .boot = j->m.id.dst_boot, .epoch = j->m.id.epoch + 1,
		.hops = j->p->hops, .host = j->target.id,
	};
	unsigned int tries = j->self ? 1 : HANDED_TRIES;
	size_t none = 0;

	while (tries-- && ctm_node_is_up() &&
	       ctm_call(CTM_GPID_NODE(c.gpid), CTM_CALL_HANDED, &c, sizeof(c), NULL, &none, 2000))
		schedule_timeout_interruptible(HZ);
}

static void pace_add(atomic_t *pace, u64 us)
{
	u32 before = atomic_read(pace), now = min_t(u64, us, S32_MAX / PACE_WEIGHT);

	atomic_set(pace, before ? (before * (PACE_WEIGHT - 1) + now) / PACE_WEIGHT : max(now, 1u));
}

static void pace_learn(u64 total_ns, u64 bytes)
{
	u64 us = div_u64(total_ns, NSEC_PER_USEC), kib = bytes >> 10;
	u32 base = atomic_read(&pace_base_us) ?: PACE_BASE_US;

	if (kib < 1024)
		pace_add(&pace_base_us, us);
	else
		pace_add(&pace_mib_us, div64_u64((us > base ? us - base : 0) << 10, kib));
}

u32 ctm_journey_estimate_ms(u64 bytes, bool *measured)
{
	u32 base = atomic_read(&pace_base_us), mib = atomic_read(&pace_mib_us);
	u64 kib = min_t(u64, bytes >> 10, U32_MAX);

	*measured = kib < 1024 ? base : mib;
	return div_u64((base ?: PACE_BASE_US) + (kib * (mib ?: PACE_MIB_US) >> 10), USEC_PER_MSEC);
}

static void report(struct journey *j, int err)
{
	struct ctm_migrate *r = j->result;

	r->total_ns = ktime_to_ns(ktime_sub(ktime_get(), j->t_call));
	r->bytes = j->conn ? ctm_conn_bytes_sent(j->conn) : 0;
	strscpy(r->node, j->target.name, sizeof(r->node));
	j->err = err;
	if (!err)
		pace_learn(r->total_ns, r->bytes);
	if (!err && r->total_ns > SLOW_MS * (u64)NSEC_PER_MSEC)
		report_slow(j);
	ctm_count(err ? CTM_CNT_HANDOFF_ABORTED : CTM_CNT_HANDOFF_OUT);
	if (err)
		pr_info("continuum: process %llx: stays: %s\n", j->p->gpid, j->why);
}

static void act(struct journey *j, enum ctm_ho_action a)
{
	switch (a) {
	case CTM_HO_ASK_HOME:
		do_ask_home(j);
		break;
	case CTM_HO_SEND_OFFER:
		do_send_offer(j);
		break;
	case CTM_HO_FREEZE:
		do_freeze(j);
		break;
	case CTM_HO_SEND_IMAGE:
		do_send_image(j);
		break;
	case CTM_HO_SEND_COMMIT:
		trace_handoff_phase(&j->m.id, CTM_PHASE_COMMIT);
		ctm_ho_send(j->conn, CTM_HO_FRAME_COMMIT, &j->m.id, j->commit, j->commit_len, NULL, 0);
		break;
	case CTM_HO_SEND_ABORT:
		do_send_abort(j);
		break;
	case CTM_HO_SEND_RELEASED:
		do_released(j);
		break;
	case CTM_HO_THAW:
		do_thaw(j);
		break;
	case CTM_HO_DESTROY_COPY:
		do_destroy_copy(j);
		trace_handoff_phase(&j->m.id, CTM_PHASE_RELEASED);
		break;
	case CTM_HO_QUERY_DEST:
		do_query(j);
		break;
	case CTM_HO_FORWARD_KILL:
		ctm_signals_send(j->p->gpid, SIGKILL);
		break;
	case CTM_HO_GIVE_BACK:
		ask_home(j, 0);
		break;
	case CTM_HO_REPORT_DONE:
		report(j, 0);
		break;
	case CTM_HO_REPORT_FAILED:
		report(j, j->m.error ? -j->m.error : -ECANCELED);
		break;
	case CTM_HO_ENTER_LIMBO:
		do_limbo(j);
		break;
	case CTM_HO_LEAVE_LIMBO:
		if (!j->holds) {
			mutex_lock(&j->p->journey);
			j->holds = true;
		}
		break;
	default:
		WARN_ON_ONCE(1);	/* an action of the destination */
	}
}

/* ---- the loop ---- */

static void take_frame(struct journey *j, const struct ctm_ho_frame *f)
{
	struct ctm_ho_event ev = {};

	ctm_ho_frame_id(f, &ev.id);
	switch (le16_to_cpu(f->type)) {
	case CTM_HO_FRAME_ACCEPT:
		ev.type = CTM_HO_EV_ACCEPT;
		trace_handoff_phase(&j->m.id, CTM_PHASE_ACCEPTED);
		got_accept(j, f, &ev);
		if (ev.type == CTM_HO_EV_MAX)
			return;
		break;
	case CTM_HO_FRAME_REFUSE:
		ev.type = CTM_HO_EV_REFUSE;
		ev.error = ctm_ho_text_get(f, j->why);
		j->refused = true;
		break;
	case CTM_HO_FRAME_ABORT:
		ev.type = CTM_HO_EV_ABORT;
		ev.error = ctm_ho_text_get(f, j->why);
		break;
	case CTM_HO_FRAME_READY:
		j->ready = true;
		trace_handoff_phase(&j->m.id, CTM_PHASE_READY);
		return;
	case CTM_HO_FRAME_PREPARED:
		ev.type = CTM_HO_EV_PREPARED;
		trace_handoff_phase(&j->m.id, CTM_PHASE_PREPARED);
		if (j->m.state == CTM_HO_SRC_WAIT_PREPARED)
			got_prepared(j, &ev);
		break;
	case CTM_HO_FRAME_STARTED:
		ev.type = CTM_HO_EV_STARTED;
		trace_handoff_phase(&j->m.id, CTM_PHASE_STARTED);
		if (!j->result->downtime_ns)
			j->result->downtime_ns = ktime_to_ns(ktime_sub(ktime_get(), j->t_freeze));
		break;
	default:
		fail(j, -EPROTO, "the destination sent a frame that makes no sense here");
		return;
	}
	step(j, &ev);
}

static void lose_connection(struct journey *j, int err)
{
	if (!j->why[0] && j->m.state < CTM_HO_SRC_COMMITTED)
		snprintf(j->why, sizeof(j->why), "the connection to %s broke: error %d",
			 j->target.name, err);
	ctm_conn_close(j->conn);
	j->conn = NULL;
	happen(j, CTM_HO_EV_CONN_LOST, -err);
}

static bool work_waits(struct journey *j)
{
	return READ_ONCE(j->todo.count);
}

/* nothing to do: wait for the destination, the clock, or a step made by others */
static void wait_input(struct journey *j, unsigned int ms)
{
	struct ctm_ho_frame *f;
	int ready;

	if (j->conn) {
		ready = ctm_conn_poll(j->conn, ms);
		if (ready > 0) {
			f = ctm_ho_recv(j->conn);
			if (IS_ERR(f)) {
				lose_connection(j, PTR_ERR(f));
			} else {
				take_frame(j, f);
				kvfree(f);
			}
		} else if (ready < 0) {
			lose_connection(j, ready);
		}
	} else {
		wait_event_timeout(j->todo.wait, work_waits(j), msecs_to_jiffies(ms));
	}
	if (j->leader && !j->self && j->m.state < CTM_HO_SRC_COMMITTED &&
	    fatal_signal_pending(j->leader)) {
		strscpy(j->why, "the process was killed", sizeof(j->why));
		happen(j, CTM_HO_EV_COPY_DIED, ESRCH);
	}
	if (j->m.deadline && ktime_get_ns() >= j->m.deadline) {
		if (!j->why[0])
			snprintf(j->why, sizeof(j->why), "%s did not answer in time", j->target.name);
		happen(j, CTM_HO_EV_TIMER, ETIMEDOUT);
	}
	if (!ctm_node_is_up())
		happen(j, CTM_HO_EV_CANCEL, ENETDOWN);
}

/*
 * What would stop @x->p.  A thread that sits in poll() holds the files it waits
 * for, as another process would that shares them.  If such a file is in the way,
 * the process is held for a moment and looked at once more.
 *
 * Context: holds p->journey.
 */
static int explain_exactly(struct ctm_explain_ctx *x)
{
	struct ctm_explain_ctx again = *x;
	char why[CTM_REASON_MAX];
	int err = ctm_explain_process(x);

	if (err || !x->unsure || x->frozen || !x->p->here || ctm_freeze(x->p, FREEZE_MS, why))
		return err;
	again.frozen = true;
	err = ctm_explain_process(&again);
	ctm_thaw(x->p);
	*x = again;
	return err;
}

/* what would stop it, before anything is disturbed */
static int preflight(struct journey *j)
{
	struct ctm_explain_ctx x = { .p = j->p, .leader = j->leader, .at_home = ctm_process_is_home(j->p),
				     .frozen = j->self };
	int err;

	x.room = CTM_CALL_MAX;
	x.buf = kvmalloc(x.room, GFP_KERNEL_ACCOUNT);
	if (!x.buf)
		return -ENOMEM;
	err = explain_exactly(&x);
	if (!err && x.blockers) {
		strscpy(j->why, x.first, sizeof(j->why));
		err = -EOPNOTSUPP;
	}
	kvfree(x.buf);
	return err ? err : ctm_abi_compatible(ctm_abi_self(), &j->target.abi, j->why);
}

static void set_state(struct ctm_process *p, enum ctm_state state)
{
	spin_lock(&p->lock);
	if (p->state != CTM_STATE_ENDED)
		p->state = state;
	spin_unlock(&p->lock);
}

static void drive(struct journey *j)
{
	enum ctm_ho_action a;

	happen(j, CTM_HO_EV_START, 0);
	for (;;) {
		a = ctm_todo_next(&j->todo);
		if (a)
			act(j, a);
		else if (ctm_ho_source_over(&j->m))
			break;
		else
			wait_input(j, POLL_MS);
	}
}

/* ---- signals that reached the copy after the COMMIT follow the process ---- */

/* until nothing can be sent to the copy any more; the kernel's answer is ESRCH then */
static void await_reaped(struct journey *j)
{
	ktime_t deadline = ktime_add_ms(ktime_get(), REAP_MS);

	while (!ctm_sigwatch_over(&j->after) && ktime_before(ktime_get(), deadline))
		msleep(1);
}

/* -ESRCH: it has ended; else it cannot be said whether it arrived */
static int forward(struct journey *j, const struct ctm_rec_pending *r, ktime_t deadline)
{
	s64 left;
	int err;

	do {
		left = ktime_ms_delta(deadline, ktime_get());
		err = left > 0 ? ctm_signals_forward(j->p->gpid, r, left) : -ETIMEDOUT;
		if (err == -EAGAIN)	/* too many are under way */
			msleep(20);
	} while (err == -EAGAIN);
	if (!err)
		ctm_count(CTM_CNT_SIGNALS_LATE);
	return err;
}

static void forward_late(struct work_struct *work)
{
	struct journey *j = container_of(work, struct journey, late_work);
	ktime_t deadline = ktime_add_ms(ktime_get(), REAP_MS + LATE_MS);
	struct ctm_sigwatch *w = &j->after;
	struct ctm_rec_pending bare;
	unsigned int i;
	int sig, err = 0;

	await_reaped(j);
	ctm_sigwatch_del(w);
	for (i = 0; i < w->n && !err; i++)
		err = forward(j, &w->v[i], deadline);
	for (sig = 1; sig <= _NSIG && !err; sig++) {
		if (!sigismember(&w->bare, sig))
			continue;
		ctm_pending_fill(&bare, 0, sig, SEND_SIG_PRIV);
		err = forward(j, &bare, deadline);
	}
	if (w->lost || (err && err != -ESRCH))
		pr_warn("continuum: process %llx: of %u signals to its old copy only %u were taken along: error %d\n",
			j->p->gpid, w->n + w->lost, i, err);
	journey_put(j);
}

/* the caller's own copy is yet to die, and nothing has to wait for it */
static void follow(struct journey *j)
{
	if (j->m.state == CTM_HO_SRC_RELEASED) {
		kref_get(&j->ref);
		INIT_WORK(&j->late_work, forward_late);
		queue_work(workers, &j->late_work);
	} else {
		ctm_sigwatch_del(&j->after);
	}
}

static void run(struct journey *j)
{
	struct ctm_process *p = j->p;
	bool moved = false;
	int err;

	mutex_lock(&p->journey);
	j->holds = true;
	err = p->here ? 0 : -ESRCH;
	if (!err)
		err = preflight(j);
	if (!err)
		err = ctm_outcome_reserve(&j->m.id, true);
	if (err) {
		if (!j->why[0])
			snprintf(j->why, sizeof(j->why), "cannot begin: error %d", err);
		report(j, err);
	} else {
		set_state(p, CTM_STATE_MOVING);
		drive(j);
		if (p->here)
			set_state(p, CTM_STATE_RUNNING);
	}
	if (j->holds)
		mutex_unlock(&p->journey);
	spin_lock(&p->lock);
	p->under_way = NULL;
	spin_unlock(&p->lock);
	if (!err && !p->here && !ctm_process_is_home(p) && j->m.state == CTM_HO_SRC_RELEASED) {
		ctm_process_forget(p);
		moved = true;
	}
	ctm_event_process(j->err ? CTM_NL_EV_PROCESS_FAILED : CTM_NL_EV_PROCESS_MOVED, p->gpid,
			  j->target.id, j->err ? j->why : "moved");
	tell_end(j);
	follow(j);
	if (moved)
		tell_home_of_host(j);
}

static void run_work(struct work_struct *work)
{
	struct journey *j = container_of(work, struct journey, work);

	run(j);
	journey_put(j);			/* the work's, that of p->under_way */
}

/* ---- starting one ---- */

static int choose_target(struct ctm_process *p, const char *name, struct ctm_peer_info *out, char *why)
{
	u32 id;

	if (!strcmp(name, "home")) {
		if (!ctm_peer_by_id(CTM_GPID_NODE(p->gpid), out))
			goto found;
		strscpy(why, "its home is not known here", CTM_REASON_MAX);
		return -EHOSTUNREACH;
	}
	if (name[0] && strcmp(name, "any")) {
		if (!ctm_peer_by_name(name, out))
			goto found;
		snprintf(why, CTM_REASON_MAX, "%s: no such node (see continuumctl peers)", name);
		return -EHOSTUNREACH;
	}
	id = policy ? policy->choose(p) : 0;
	if (id && !ctm_peer_by_id(id, out))
		return 0;
	strscpy(why, "no other node can take it (see continuumctl peers)", CTM_REASON_MAX);
	return -EXDEV;
found:
	if (out->id == ctm_node_id()) {
		snprintf(why, CTM_REASON_MAX, "it runs on %s already", out->name);
		return -EINVAL;
	}
	if (out->state == CTM_PEER_DEAD || out->state == CTM_PEER_LEFT) {
		snprintf(why, CTM_REASON_MAX, "%s does not answer", out->name);
		return -EHOSTUNREACH;
	}
	return 0;
}

static struct journey *journey_new(struct ctm_process *p, const struct ctm_caller *by)
{
	struct journey *j;
	int err = -ENOMEM;

	if (atomic_inc_return(&journeys) > JOURNEYS_MAX) {
		atomic_dec(&journeys);
		return ERR_PTR(-EBUSY);
	}
	j = kzalloc(sizeof(*j), GFP_KERNEL_ACCOUNT);
	if (!j) {
		atomic_dec(&journeys);
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&j->ref);
	ctm_process_get(p);
	j->p = p;
	j->by = *by;
	ctm_todo_init(&j->todo);
	init_completion(&j->done);
	INIT_WORK(&j->work, run_work);
	j->t_call = ktime_get();
	j->since = ktime_to_ns(j->t_call);
	j->sink.record = sink_record;
	j->sink.pages = sink_pages;
	/* all that an abort or a commit will need is had before anything is frozen */
	j->result = kzalloc(sizeof(*j->result), GFP_KERNEL_ACCOUNT);
	j->cap.buf = kvmalloc(CTM_REC_MAX, GFP_KERNEL_ACCOUNT);
	j->pending = kvcalloc(CTM_HO_PENDING_MAX, sizeof(*j->pending), GFP_KERNEL_ACCOUNT);
	j->after.v = kvmalloc_array(LATE_MAX, sizeof(*j->after.v), GFP_KERNEL_ACCOUNT);
	j->after.room = LATE_MAX;
	j->applied = kvcalloc(CTM_APPLIED_MAX, sizeof(*j->applied), GFP_KERNEL_ACCOUNT);
	j->commit = kvmalloc(CTM_HO_COMMIT_BYTES_MAX, GFP_KERNEL_ACCOUNT);
	j->leader = ctm_process_leader(p);
	j->cap.p = p;
	j->cap.sink = &j->sink;
	j->cap.leader = j->leader;
	j->after.leader = j->leader;
	j->cap.why = j->why;
	if (!j->leader)
		err = -ESRCH;		/* it left or ended this moment */
	else if (j->result && j->cap.buf && j->pending && j->applied && j->after.v &&
		 j->commit)
		return j;
	journey_put(j);
	return ERR_PTR(err);
}

/* one journey at a time; an arrival that the source has not released yet is one */
static int enter(struct journey *j)
{
	struct ctm_process *p = j->p;
	struct ctm_ho_id id = {
		.gpid = p->gpid,
		.src_boot = ctm_node_boot(),
		.dst_boot = j->target.boot,
	};
	int err = 0;

	spin_lock(&p->lock);
	if (!p->here)
		err = -ESRCH;
	else if (p->under_way || p->arriving)
		err = -EBUSY;
	else if (p->state == CTM_STATE_SUSPENDED)
		err = -EINVAL;
	if (!err) {
		id.epoch = p->epoch;
		id.attempt = ++p->attempt;
		p->under_way = j;
	}
	spin_unlock(&p->lock);
	ctm_ho_source_init(&j->m, &id);
	return err;
}

static int try_migrate(struct ctm_process *p, const char *node, const struct ctm_caller *by, bool self,
		       bool late, struct ctm_migrate *out, bool *again)
{
	struct journey *j = journey_new(p, by);
	bool killed;
	int err;

	*again = false;
	if (IS_ERR(j))
		return PTR_ERR(j);
	j->self = self;
	j->late = late;
	j->cluster = out->flags & CTM_MIGRATE_CLUSTER;
	j->cap.self = self;
	err = choose_target(p, node, &j->target, out->reason);
	if (err)
		goto out_put;
	err = j->cluster ? ctm_reaper_hop(p) : 0;
	if (err) {
		strscpy(out->reason, "its time to live is over: it is destroyed", sizeof(out->reason));
		goto out_put;
	}
	err = enter(j);
	if (err) {
		strscpy(out->reason, err == -EBUSY ? "another journey of it is under way" :
			err == -EINVAL ? "it is suspended: continuumctl resume it first" :
			"it does not run here", sizeof(out->reason));
		goto out_put;
	}
	if (self) {
		run(j);
	} else {
		kref_get(&j->ref);
		queue_work(workers, &j->work);
		if (wait_for_completion_interruptible(&j->done)) {
			err = -EINTR;	/* it goes on without us */
			goto out_put;
		}
	}
	err = j->err;
	killed = j->killed;
	*again = (err == -EOPNOTSUPP && j->cap.unasked) || (err == -EAGAIN && j->cap.outgrown);
	out->downtime_ns = j->result->downtime_ns;
	out->total_ns = j->result->total_ns;
	out->bytes = j->result->bytes;
	strscpy(out->node, j->target.name, sizeof(out->node));
	strscpy(out->reason, err ? j->why : "", sizeof(out->reason));
	if (killed)			/* this is the copy that was left behind */
		send_sig(SIGKILL, current, 1);
out_put:
	journey_put(j);
	return err;
}

/*
 * Of a file that was opened between the OFFER and the freeze nobody knows whether
 * the destination has it.  Another attempt asks; the file may be closed by then.
 * If the place announced for the restorer was taken meanwhile, another attempt
 * announces another; the last one does so only when the process is frozen.
 */
static int migrate_here(struct ctm_process *p, const char *node, const struct ctm_caller *by, bool self,
			struct ctm_migrate *out)
{
	unsigned int tries = TRIES;
	bool again;
	int err = self ? 0 : ctm_may_act(p, by);

	if (err) {
		strscpy(out->reason, err == -EPERM ? "only its owner or root may move it" :
			"it is ending", sizeof(out->reason));
		return err;
	}
	/* who asked for the last move may ask for the next before its RELEASED is here */
	if (READ_ONCE(p->arriving) && wait_event_interruptible_timeout(p->wait, !READ_ONCE(p->arriving),
								       msecs_to_jiffies(ARRIVAL_MS)) < 0)
		return -EINTR;
	do {
		err = try_migrate(p, node, by, self, tries == 1, out, &again);
	} while (err && again && --tries);
	return err;
}

int ctm_depart(struct ctm_process *p, const struct ctm_departure *d)
{
	struct ctm_caller by = { .flags = CTM_CALLER_ADMIN };
	struct journey *j;
	int err;

	err = d->cluster ? ctm_reaper_hop(p) : 0;
	if (err)
		return err;
	j = journey_new(p, &by);
	if (IS_ERR(j))
		return PTR_ERR(j);
	j->cluster = d->cluster;
	err = ctm_peer_by_id(d->target, &j->target);
	if (!err)
		err = enter(j);
	if (err) {
		journey_put(j);
		return err;
	}
	j->ended = d->ended;
	queue_work(workers, &j->work);	/* our reference is the work's */
	return 0;
}

void ctm_journey_policy(const struct ctm_journey_policy *p)
{
	WRITE_ONCE(policy, p);
}

/* ---- from any node ---- */

struct migrate_call {
	struct ctm_route route;
	char node[CTM_NAME_MAX];
	__u32 flags;
	__u32 pad;
};

static int serve_migrate(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	struct migrate_call c;
	struct ctm_migrate *out = resp;
	struct ctm_process *p;
	int err;

	if (len != sizeof(c) || *resp_len < sizeof(*out))
		return -EBADMSG;
	memcpy(&c, req, sizeof(c));
	c.node[CTM_NAME_MAX - 1] = 0;
	if (c.flags & ~CTM_MIGRATE_CLUSTER)
		return -EBADMSG;
	err = ctm_route_pass(CTM_CALL_MIGRATE, req, len, resp, resp_len, &p, MIGRATE_CALL_MS);
	if (err != 1)
		return err;
	memset(out, 0, sizeof(*out));
	out->flags = c.flags;
	*resp_len = sizeof(*out);
	err = migrate_here(p, c.node, &c.route.by, false, out);
	ctm_process_put(p);
	return err;
}

static int migrate_self(struct ctm_migrate *arg)
{
	struct ctm_process *p = ctm_process_of_task(current);
	struct ctm_caller by;
	int err;

	if (!p)
		return -ESRCH;
	ctm_caller_current(&by);
	err = migrate_here(p, arg->node, &by, true, arg);
	ctm_process_put(p);
	return err;
}

int ctm_migrate(struct ctm_migrate *arg)
{
	struct migrate_call c = { .route.gpid = arg->gpid, .flags = arg->flags };
	struct ctm_migrate *out;
	size_t len = sizeof(*out);
	int err;

	arg->node[CTM_NAME_MAX - 1] = 0;
	if (arg->flags && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!arg->gpid)
		return migrate_self(arg);
	out = kzalloc(sizeof(*out), GFP_KERNEL_ACCOUNT);
	if (!out)
		return -ENOMEM;
	memcpy(c.node, arg->node, sizeof(c.node));
	err = ctm_route(CTM_CALL_MIGRATE, &c, sizeof(c), out, &len, MIGRATE_CALL_MS);
	if (len == sizeof(*out)) {
		arg->downtime_ns = out->downtime_ns;
		arg->total_ns = out->total_ns;
		arg->bytes = out->bytes;
		strscpy(arg->node, out->node, sizeof(arg->node));
		strscpy(arg->reason, out->reason, sizeof(arg->reason));
	}
	kfree(out);
	return err;
}

/* ---- explain ---- */

struct explain_call {
	struct ctm_route route;
	char node[CTM_NAME_MAX];
};

struct explain_answer {
	__u64 rss;
	__u32 blockers;
	__u32 needed;
	char text[];
};

static int explain_here(struct ctm_process *p, const char *node, struct explain_answer *out, size_t room)
{
	struct ctm_explain_ctx x = { .p = p, .buf = out->text, .room = room - sizeof(*out),
				     .at_home = ctm_process_is_home(p) };
	struct ctm_peer_info target;
	struct ctm_info info;
	char why[CTM_REASON_MAX];
	int err;

	x.leader = ctm_process_leader(p);
	if (!x.leader)
		return -ESRCH;
	/* one that is on its way stands still soon enough: no waiting for that */
	if (mutex_trylock(&p->journey)) {
		err = explain_exactly(&x);
		mutex_unlock(&p->journey);
	} else {
		err = ctm_explain_process(&x);
	}
	if (!err && p->flags & CTM_ADOPT_PIN)
		ctm_note(&x, "note", "it is pinned: the cluster does not move it by itself");
	if (!err && node[0]) {
		if (choose_target(p, node, &target, why) ||
		    ctm_abi_compatible(ctm_abi_self(), &target.abi, why))
			ctm_stop(&x, "%s", why);
	}
	if (!err && policy && !node[0])
		policy->advise(p, &x);
	put_task_struct(x.leader);
	ctm_process_info(p, &info);
	out->rss = info.rss;
	out->blockers = x.blockers;
	out->needed = x.len;
	return err;
}

static int serve_explain(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	struct explain_call c;
	struct explain_answer *out = resp;
	struct ctm_process *p;
	int err;

	if (len != sizeof(c) || *resp_len < sizeof(*out))
		return -EBADMSG;
	memcpy(&c, req, sizeof(c));
	c.node[CTM_NAME_MAX - 1] = 0;
	err = ctm_route_pass(CTM_CALL_EXPLAIN, req, len, resp, resp_len, &p, CTM_ROUTE_MS);
	if (err != 1)
		return err;
	memset(out, 0, sizeof(*out));
	err = ctm_may_act(p, &c.route.by);
	if (!err)
		err = explain_here(p, c.node, out, *resp_len);
	*resp_len = sizeof(*out) + min_t(size_t, out->needed, *resp_len - sizeof(*out));
	ctm_process_put(p);
	return err;
}

int ctm_explain(struct ctm_explain *arg)
{
	struct explain_call c = { .route.gpid = arg->gpid };
	struct explain_answer *out;
	size_t len = CTM_CALL_MAX, text;
	int err;

	if (arg->buf_len > CTM_CALL_MAX)
		return -EINVAL;
	arg->node[CTM_NAME_MAX - 1] = 0;
	memcpy(c.node, arg->node, sizeof(c.node));
	out = kvzalloc(len, GFP_KERNEL_ACCOUNT);
	if (!out)
		return -ENOMEM;
	err = ctm_route(CTM_CALL_EXPLAIN, &c, sizeof(c), out, &len, CTM_ROUTE_MS);
	if (err || len < sizeof(*out))
		goto out;
	text = min_t(size_t, len - sizeof(*out), arg->buf_len);
	if (copy_to_user(u64_to_user_ptr(arg->buf), out->text, text))
		err = -EFAULT;
	arg->needed = out->needed;
	arg->blockers = out->blockers;
	arg->rss_bytes = out->rss;
out:
	kvfree(out);
	return err;
}

/* ---- a QUERY of the destination ---- */

/* the journey of @p that is under way, with a reference, or NULL */
static struct journey *under_way(struct ctm_process *p)
{
	struct journey *j = NULL;

	spin_lock(&p->lock);
	if (p->under_way && kref_get_unless_zero(&p->under_way->ref))
		j = p->under_way;
	spin_unlock(&p->lock);
	return j;
}

int ctm_journey_query(const struct ctm_ho_id *id, const struct ctm_ho_query *q,
		      enum ctm_ho_outcome_type *outcome, void *commit, size_t *commit_len)
{
	struct ctm_ho_event ev = {
		.type = CTM_HO_EV_QUERY, .id = *id,
		.outcome = le32_to_cpu(q->outcome), .boot = le64_to_cpu(q->boot),
	};
	size_t room = *commit_len;
	struct ctm_process *p = ctm_process_find(id->gpid);
	struct journey *j;
	int err = -ENOENT;

	*commit_len = 0;
	if (!p)
		return -ENOENT;
	j = under_way(p);
	if (!j)
		goto out;
	if (ctm_ho_id_equal(&j->m.id, id)) {
		step(j, &ev);
		mutex_lock(&j->todo.lock);
		*outcome = ctm_ho_source_outcome(&j->m);
		if (*outcome == CTM_HO_COMMITTED && j->commit_len <= room) {
			memcpy(commit, j->commit, j->commit_len);
			*commit_len = j->commit_len;
		}
		mutex_unlock(&j->todo.lock);
		err = 0;
	}
	journey_put(j);
out:
	ctm_process_put(p);
	return err;
}

/* ---- an operator ---- */

#define RECOVER_MS	20000

/* its thread may be asking the destination right now, which ends by itself */
static bool runs_again(struct journey *j)
{
	unsigned int i;

	for (i = 0; i < RECOVER_MS / 20; i++) {
		if (READ_ONCE(j->p->under_way) != j)
			return true;
		msleep(20);
	}
	return false;
}

int ctm_journey_recover(struct ctm_process *p, const struct ctm_caller *by, char *why)
{
	struct ctm_ho_event ev = { .type = CTM_HO_EV_RECOVER };
	struct journey *j = under_way(p);
	int err = -ENOENT;

	if (!j)
		return -ENOENT;
	if (READ_ONCE(j->m.state) == CTM_HO_SRC_COMMITTED)
		err = -EBUSY;
	else if (READ_ONCE(j->m.state) == CTM_HO_SRC_LIMBO)
		err = ctm_may_act(p, by);
	if (err)
		goto out;
	step(j, &ev);
	err = runs_again(j) ? 0 : -ETIMEDOUT;
	if (!err && j->m.state != CTM_HO_SRC_RECOVERED)
		err = -ENOENT;		/* the destination spoke this very moment */
	if (!err)
		snprintf(why, CTM_REASON_MAX, "runs again on %s; what it has done on %s since, if it was there, is void and may be done twice",
			 ctm_node_name(), j->target.name);
out:
	journey_put(j);
	return err;
}

int ctm_journey_init(void)
{
	/* a process stands still meanwhile, and the node that it leaves may be a busy one */
	workers = alloc_workqueue("continuum", WQ_UNBOUND | WQ_HIGHPRI, JOURNEYS_MAX);
	if (!workers)
		return -ENOMEM;
	ctm_call_handler(CTM_CALL_CONSENT, serve_consent);
	ctm_call_handler(CTM_CALL_MIGRATE, serve_migrate);
	ctm_call_handler(CTM_CALL_EXPLAIN, serve_explain);
	return 0;
}

void ctm_journey_exit(void)
{
	ctm_call_handler(CTM_CALL_EXPLAIN, NULL);
	ctm_call_handler(CTM_CALL_MIGRATE, NULL);
	ctm_call_handler(CTM_CALL_CONSENT, NULL);
	destroy_workqueue(workers);	/* waits for the journeys under way */
}
