// SPDX-License-Identifier: GPL-2.0
/*
 * signals.c - signals that find a process wherever it is, and are applied once
 *
 * What is decided is decided in core/signal.c; here are its clock, its network and
 * its processes.  Three kinds of contexts meet:
 *
 *  - a sender (struct parcel, in the caller's own thread until it is confirmed);
 *  - the thread that receives datagrams: copies and acknowledgements of others.  It
 *    applies plain signals itself, which is quick; suspend and its kin go to a worker;
 *  - the worker that passes rumours on, round by round.
 *
 * signals.lock covers the parcels and the rumours.  What was applied to a process is
 * covered by p->signal_lock, a mutex, in which "was it applied?", applying it and
 * noting that are one step.  Order: p->journey, p->signal_lock, then signals.lock or
 * p->lock.
 */
#include <linux/cred.h>
#include <linux/pid_namespace.h>
#include <linux/ratelimit.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "capture.h"
#include "net/transport.h"
#include "netlink.h"
#include "sequence.h"
#include "sighook.h"
#include "signals.h"
#include "trace.h"

#define HEARD		512u		/* rumours and answers that are remembered */
#define PARCELS_MAX	512u		/* under way from here; below CTM_SIG_WINDOW */
#define PARCELS_USER	128u		/* of one user */
#define ERRANDS_MAX	64
#define DIRECT_HOPS	3u		/* origin, home, host, and where it went just now */
#define DEFAULT_MS	10000u
#define FREEZE_MS	10000u

/** struct parcel - a signal of ours that is under way; on the stack of who sends it */
struct parcel {
	struct list_head list;
	struct ctm_sig sig;
	struct ctm_sig_out out;
	struct ctm_sig_ack ack;		/* the last that came */
	wait_queue_head_t wait;
};

/** struct errand - suspend, resume or destroy, which sleep */
struct errand {
	struct work_struct work;
	struct ctm_sig sig;
	u32 from;
};

/* File scope: one node. */
static struct {
	spinlock_t lock;
	struct list_head parcels;	/* by number, the lowest first */
	unsigned int nparcels;
	u64 next;
	struct ctm_sig_relay heard;
} signals = {
	.lock = __SPIN_LOCK_UNLOCKED(signals.lock),
	.parcels = LIST_HEAD_INIT(signals.parcels),
	.next = 1,
};

static struct workqueue_struct *workers;
static void next_round(struct work_struct *work);
static DECLARE_DELAYED_WORK(round_work, next_round);
static atomic_t errands = ATOMIC_INIT(0);

/* ---- what a process has got ---- */

/* kill(2)'s rule, by the sender's uids */
static int may_signal(struct task_struct *t, const struct ctm_sig *s)
{
	kuid_t uid = make_kuid(&init_user_ns, s->uid), euid = make_kuid(&init_user_ns, s->euid);
	const struct cred *cred;
	int err = 0;

	if (s->caller & CTM_CALLER_KILL)
		return 0;
	rcu_read_lock();
	cred = __task_cred(t);
	if (!uid_eq(euid, cred->suid) && !uid_eq(euid, cred->uid) &&
	    !uid_eq(uid, cred->suid) && !uid_eq(uid, cred->uid))
		err = -EPERM;
	rcu_read_unlock();
	return err;
}

static int send(struct task_struct *leader, int sig, u32 flags)
{
	struct pid *group;
	int err;

	if (!sig)
		return 0;
	if (!(flags & CTM_SIGNAL_GROUP))
		return kill_pid(task_pid(leader), sig, 1);
	rcu_read_lock();
	group = get_pid(task_pgrp(leader));
	rcu_read_unlock();
	if (!group)
		return -ESRCH;		/* it is being reaped */
	err = kill_pgrp(group, sig, 1);
	put_pid(group);
	return err;
}

static struct task_struct *thread_of(struct task_struct *leader, u32 tid)
{
	struct pid_namespace *ns;
	struct task_struct *t, *found = NULL;

	rcu_read_lock();
	ns = task_active_pid_ns(leader);
	for_each_thread(leader, t)
		if (ns && task_pid_nr_ns(t, ns) == tid) {
			get_task_struct(t);
			found = t;
			break;
		}
	rcu_read_unlock();
	return found;
}

/* one that reached an old copy: as it was, and to the thread it was sent to */
static int send_info(struct task_struct *leader, int sig, const struct ctm_sig_info *i)
{
	struct task_struct *t = leader;
	kernel_siginfo_t info;
	int err;

	BUILD_BUG_ON(sizeof(info) != sizeof(i->siginfo));
	memcpy(&info, i->siginfo, sizeof(info));
	if (!i->tid)
		return ctm_kill_info(task_pid(leader), sig, &info);
	t = thread_of(leader, i->tid);
	if (!t)
		return 0;		/* what it was sent is gone with it */
	err = send_sig_info(sig, &info, t);
	if (err == -EAGAIN)
		err = send_sig(sig, t, 1);	/* no room for its siginfo */
	put_task_struct(t);
	return err;
}

/* p->signal_lock is held, and it is open and here */
static enum ctm_sig_outcome deliver(struct ctm_process *p, const struct ctm_sig *s)
{
	struct task_struct *leader = ctm_process_leader(p);
	int err = leader ? may_signal(leader, s) : -ESRCH;

	if (!err && s->has_info)
		err = send_info(leader, s->what, &s->info);
	else if (!err)
		err = send(leader, s->what, s->flags);
	if (leader)
		put_task_struct(leader);
	if (!err)
		ctm_count(CTM_CNT_SIGNALS);
	return !err ? CTM_SIG_DELIVERED : err == -EPERM ? CTM_SIG_DENIED : CTM_SIG_GONE;
}

/* What becomes of a copy that came to a process here.  OPEN: nothing to be said. */
static enum ctm_sig_outcome judge(struct ctm_process *p, const struct ctm_sig *s, u64 now,
				  const char **why)
{
	lockdep_assert_held(&p->signal_lock);
	if (!READ_ONCE(p->here))
		return CTM_SIG_OPEN;
	if (p->signals_closed) {
		*why = "it is moving";
		return CTM_SIG_HELD;
	}
	if (!p->applied)
		p->applied = kvzalloc(sizeof(*p->applied), GFP_KERNEL);
	if (!p->applied) {
		*why = "its host is out of memory";
		return CTM_SIG_HELD;
	}
	switch (ctm_sig_applied_judge(p->applied, s, now)) {
	case CTM_SIG_DONE:
		return CTM_SIG_DELIVERED;
	case CTM_SIG_CROWDED:
		*why = "too many nodes signal it";
		return CTM_SIG_HELD;
	case CTM_SIG_SETTLED:
		return CTM_SIG_OPEN;
	default:
		return CTM_SIG_OUTCOME_MAX;	/* new */
	}
}

static enum ctm_sig_outcome apply(struct ctm_process *p, const struct ctm_sig *s, const char **why)
{
	u64 now = ktime_get_ns();
	enum ctm_sig_outcome o;

	mutex_lock(&p->signal_lock);
	o = judge(p, s, now, why);
	if (o == CTM_SIG_OUTCOME_MAX) {
		o = deliver(p, s);
		if (o == CTM_SIG_DELIVERED)
			ctm_sig_applied_note(p->applied, s, now);
	}
	mutex_unlock(&p->signal_lock);
	return o;
}

/* the sender sits where the process does: no number, no network; OPEN: it is moving */
static enum ctm_sig_outcome apply_local(u64 gpid, const struct ctm_sig *s)
{
	struct ctm_process *p = ctm_process_find(gpid);
	enum ctm_sig_outcome o = CTM_SIG_OPEN;

	if (!p)
		return o;
	mutex_lock(&p->signal_lock);
	if (READ_ONCE(p->here) && !p->signals_closed)
		o = deliver(p, s);
	mutex_unlock(&p->signal_lock);
	ctm_process_put(p);
	return o;
}

/* ---- it goes with the process ---- */

unsigned int ctm_signals_save(struct ctm_process *p, struct ctm_rec_applied *out, bool all)
{
	unsigned int n = 0;

	mutex_lock(&p->signal_lock);
	if (p->applied)
		n = ctm_sig_applied_save(p->applied, out, all, ktime_get_ns());
	mutex_unlock(&p->signal_lock);
	return n;
}

int ctm_signals_close(struct ctm_process *p, int (*gather)(void *arg), void *arg)
{
	int ret;

	mutex_lock(&p->signal_lock);
	ret = gather(arg);
	if (ret >= 0)
		p->signals_closed = true;
	mutex_unlock(&p->signal_lock);
	return ret;
}

void ctm_signals_open(struct ctm_process *p)
{
	mutex_lock(&p->signal_lock);
	p->signals_closed = false;
	mutex_unlock(&p->signal_lock);
}

int ctm_signals_load(struct ctm_process *p, const struct ctm_rec_applied *in, unsigned int n)
{
	int err = 0;

	mutex_lock(&p->signal_lock);
	if (!p->applied)
		p->applied = kvzalloc(sizeof(*p->applied), GFP_KERNEL_ACCOUNT);
	if (p->applied)
		ctm_sig_applied_load(p->applied, in, n, ktime_get_ns());
	else
		err = -ENOMEM;
	mutex_unlock(&p->signal_lock);
	return err;
}

void ctm_signals_forget(struct ctm_process *p)
{
	mutex_lock(&p->signal_lock);
	kvfree(p->applied);
	p->applied = NULL;
	p->signals_closed = false;
	mutex_unlock(&p->signal_lock);
}

/* ---- acknowledgements ---- */

static void send_ack(u32 node, const struct ctm_sig_ack *a)
{
	u64 buf[(sizeof(struct ctm_sig_ack_wire) + CTM_REASON_MAX) / 8];
	size_t len = ctm_sig_ack_put(buf, a);

	ctm_dgram_send(node, CTM_DGRAM_SIGNAL_ACK, buf, len);
}

/* to the origin, and, if that cannot be reached from here, by way of who brought it */
static void send_answer(u32 origin, u32 from, const struct ctm_sig_ack *a)
{
	if (a->hops != CTM_SIG_ACK_STOP)
		send_ack(origin, a);
	if (from != origin && from != ctm_node_id())
		send_ack(from, a);
}

static void answer(const struct ctm_sig *s, u32 from, enum ctm_sig_outcome o, u32 error,
		   const char *text)
{
	struct ctm_sig_ack a = { .id = s->id, .outcome = o, .error = error };

	if (text)
		strscpy(a.text, text, sizeof(a.text));
	spin_lock(&signals.lock);
	if (ctm_sig_final(o))
		ctm_sig_answered(&signals.heard, s, from, o, error, ktime_get_ns());
	spin_unlock(&signals.lock);
	send_answer(s->id.node, from, &a);
}

/* perhaps of a parcel of ours, which is still waited for */
static void take_ack(const struct ctm_sig_ack *a)
{
	struct parcel *p;

	lockdep_assert_held(&signals.lock);
	if (a->id.node != ctm_node_id() || a->id.boot != ctm_node_boot())
		return;
	list_for_each_entry(p, &signals.parcels, list) {
		if (p->sig.id.seq != a->id.seq)
			continue;
		if (!ctm_sig_final(p->out.outcome))
			p->ack = *a;
		if (ctm_sig_out_ack(&p->out, a->outcome))
			wake_up(&p->wait);
		break;
	}
}

static void got_ack(u32 from, const void *buf, size_t len)
{
	struct ctm_sig_ack a;
	u32 to, todo;

	if (ctm_sig_ack_get(&a, buf, len)) {
		ctm_count(CTM_CNT_GARBAGE);
		return;
	}
	spin_lock(&signals.lock);
	take_ack(&a);
	todo = ctm_sig_echo(&signals.heard, &a, &to);
	spin_unlock(&signals.lock);
	if (a.id.node == ctm_node_id())
		return;
	if (todo & CTM_SIG_TO_ORIGIN && from != a.id.node)
		send_ack(a.id.node, &a);
	if (todo & CTM_SIG_TO_FROM && to != from && to != a.id.node && to != ctm_node_id())
		send_ack(to, &a);
}

/* ---- suspend, resume, destroy ---- */

static int suspend(struct ctm_process *p, char *why)
{
	int err;

	if (p->state == CTM_STATE_SUSPENDED)
		return 0;
	err = ctm_freeze(p, FREEZE_MS, why);
	if (err)
		return err;
	spin_lock(&p->lock);
	p->state = CTM_STATE_SUSPENDED;
	spin_unlock(&p->lock);
	return 0;
}

static int resume(struct ctm_process *p)
{
	if (p->state != CTM_STATE_SUSPENDED)
		return 0;
	ctm_thaw(p);
	spin_lock(&p->lock);
	p->state = CTM_STATE_RUNNING;
	spin_unlock(&p->lock);
	return 0;
}

static int destroy(struct ctm_process *p)
{
	struct task_struct *leader = ctm_process_leader(p);
	int err;

	if (!leader)
		return -ESRCH;
	spin_lock(&p->lock);
	p->end_why = CTM_END_DESTROYED;
	spin_unlock(&p->lock);
	err = send(leader, SIGKILL, 0);
	put_task_struct(leader);
	return err;
}

/* p->journey is held.  @why: CTM_REASON_MAX */
static enum ctm_sig_outcome act(struct ctm_process *p, const struct ctm_sig *s, char *why, int *error)
{
	struct ctm_caller by = { .uid = s->uid, .gid = s->gid, .flags = s->caller };
	const char *text = NULL;
	enum ctm_sig_outcome o;
	int err;

	err = ctm_may_act(p, &by);
	if (err)
		return err == -EPERM ? CTM_SIG_DENIED : CTM_SIG_GONE;
	mutex_lock(&p->signal_lock);
	o = judge(p, s, ktime_get_ns(), &text);
	if (o == CTM_SIG_OUTCOME_MAX)	/* whatever comes of it, not a second time */
		ctm_sig_applied_note(p->applied, s, ktime_get_ns());
	mutex_unlock(&p->signal_lock);
	if (text)
		strscpy(why, text, CTM_REASON_MAX);
	if (o != CTM_SIG_OUTCOME_MAX)
		return o;
	err = s->what == CTM_SIG_SUSPEND ? suspend(p, why) :
	      s->what == CTM_SIG_RESUME ? resume(p) : destroy(p);
	*error = -err;
	return !err ? CTM_SIG_DELIVERED : err == -ESRCH ? CTM_SIG_GONE : CTM_SIG_FAILED;
}

static void run_errand(struct work_struct *work)
{
	struct errand *e = container_of(work, struct errand, work);
	struct ctm_process *p = ctm_process_find(e->sig.gpid);
	enum ctm_sig_outcome o = CTM_SIG_OPEN;
	char why[CTM_REASON_MAX] = "";
	int error = 0;

	if (p && !mutex_trylock(&p->journey)) {
		o = CTM_SIG_HELD;
		strscpy(why, "a journey of it is under way", sizeof(why));
	} else if (p) {
		if (p->here)
			o = act(p, &e->sig, why, &error);
		mutex_unlock(&p->journey);
	}
	ctm_process_put(p);
	if (o != CTM_SIG_OPEN)
		answer(&e->sig, e->from, o, o == CTM_SIG_FAILED ? error : 0, why);
	kfree(e);
	atomic_dec(&errands);
}

/* no room, no memory: the sender tries again */
static void send_errand(const struct ctm_sig *s, u32 from)
{
	struct errand *e;

	if (atomic_inc_return(&errands) > ERRANDS_MAX)
		goto err;
	e = kmalloc(sizeof(*e), GFP_KERNEL);
	if (!e)
		goto err;
	e->sig = *s;
	e->from = from;
	INIT_WORK(&e->work, run_errand);
	queue_work(workers, &e->work);
	return;
err:
	atomic_dec(&errands);
}

/* ---- a copy has come (or starts here) ---- */

static void send_copy(u32 node, const struct ctm_sig *s)
{
	u64 buf[CTM_SIG_WIRE_MAX / 8];
	size_t len = ctm_sig_put(buf, s);

	ctm_dgram_send(node, CTM_DGRAM_SIGNAL, buf, len);
}

/* straight on, to where the process should be by what this node knows */
static void send_on(const struct ctm_sig *s, u32 node)
{
	struct ctm_sig on = *s;

	if (node == ctm_node_id() || (s->hops >= DIRECT_HOPS && !s->wave))
		return;
	on.hops = s->wave ? 1 : s->hops + 1;
	on.wave = 0;
	send_copy(node, &on);
}

/* what home can say of a process that is not in its registry */
static enum ctm_sig_outcome unknown_at_home(u64 gpid)
{
	switch (ctm_sequence_where(CTM_GPID_SEQ(gpid))) {
	case CTM_SEQUENCE_FUTURE:
		return CTM_SIG_NEVER;
	case CTM_SEQUENCE_PRESENT:
		return CTM_SIG_GONE;	/* its exit record was kept for an hour */
	default:
		return CTM_SIG_OPEN;	/* of an earlier boot: it may live on elsewhere */
	}
}

/* what a node that has it in its registry, but not here, says: its outcome, or where it is */
static enum ctm_sig_outcome elsewhere(struct ctm_process *p, u32 *host)
{
	enum ctm_sig_outcome o = CTM_SIG_OPEN;

	spin_lock(&p->lock);
	if (p->ended || p->state == CTM_STATE_ENDED)
		o = CTM_SIG_GONE;
	else
		*host = p->host;
	spin_unlock(&p->lock);
	return o;
}

static void arrive(const struct ctm_sig *s, u32 from)
{
	struct ctm_process *p = ctm_process_find(s->gpid);
	enum ctm_sig_outcome o = CTM_SIG_OPEN;
	const char *why = NULL;
	u32 host = 0;

	if (p && READ_ONCE(p->here)) {
		if (s->what > _NSIG)
			send_errand(s, from);
		else
			o = apply(p, s, &why);
	} else if (p) {
		o = elsewhere(p, &host);
	} else if (CTM_GPID_NODE(s->gpid) == ctm_node_id()) {
		o = unknown_at_home(s->gpid);
	}
	ctm_process_put(p);
	if (host)
		send_on(s, host);
	if (o != CTM_SIG_OPEN)
		answer(s, from, o, 0, why);
}

/* was it answered before?  Then it is answered so again, or its rumour stopped */
static bool answered_before(const struct ctm_sig *s, u32 from)
{
	enum ctm_sig_outcome o;
	struct ctm_sig_ack a;

	spin_lock(&signals.lock);
	o = ctm_sig_recall(&signals.heard, &s->id, &a);
	spin_unlock(&signals.lock);
	if (ctm_sig_final(o))
		send_answer(s->id.node, from, &a);
	return o != CTM_SIG_OPEN;
}

/* a rumour: once, or once more for a later wave */
static bool hear(const struct ctm_sig *s, u32 from)
{
	enum ctm_sig_news news;

	spin_lock(&signals.lock);
	news = ctm_sig_hear(&signals.heard, s, from, ktime_get_ns());
	spin_unlock(&signals.lock);
	if (news == CTM_SIG_FULL)
		ctm_count(CTM_CNT_SIGNALS_DROPPED);
	if (news == CTM_SIG_FIRST || news == CTM_SIG_LATER)
		mod_delayed_work(workers, &round_work, 0);
	return news != CTM_SIG_KNOWN;
}

static void got_signal(u32 from, const void *buf, size_t len)
{
	struct ctm_sig s;

	if (ctm_sig_get(&s, buf, len)) {
		ctm_count(CTM_CNT_GARBAGE);
		return;
	}
	if (!s.left_ms)
		return;
	if (answered_before(&s, from))
		return;
	if (!s.wave || hear(&s, from))
		arrive(&s, from);
}

/* ---- rounds ---- */

static void pass_on(const struct ctm_sig *s, u32 from)
{
	u32 to[CTM_SIG_FANOUT], not[] = { from, s->id.node };
	unsigned int n = ctm_peers_random(to, CTM_SIG_FANOUT, not, ARRAY_SIZE(not));

	while (n)
		send_copy(to[--n], s);
	ctm_count(CTM_CNT_SIGNALS_RELAYED);
}

static void next_round(struct work_struct *work)
{
	struct ctm_sig s;
	u32 from;
	u64 due, now;
	bool more;

	for (;;) {
		now = ktime_get_ns();
		spin_lock(&signals.lock);
		more = ctm_sig_pass(&signals.heard, now, &s, &from);
		due = ctm_sig_due(&signals.heard);
		spin_unlock(&signals.lock);
		if (!more)
			break;
		pass_on(&s, from);
	}
	if (due)	/* not before what hear() may have asked for meanwhile */
		queue_delayed_work(workers, &round_work,
				   due > now ? nsecs_to_jiffies(due - now) + 1 : 0);
}

/* ---- sending ---- */

static bool has_room(u32 uid)
{
	unsigned int same = 0;
	struct parcel *p;

	lockdep_assert_held(&signals.lock);
	list_for_each_entry(p, &signals.parcels, list)
		same += p->sig.uid == uid;
	if (signals.nparcels >= PARCELS_MAX || (uid && same >= PARCELS_USER))
		return false;
	/* every copy tells numbers from the floor up, and a process remembers a window */
	p = list_first_entry_or_null(&signals.parcels, struct parcel, list);
	return !p || signals.next - p->sig.id.seq < CTM_SIG_WINDOW - 1;
}

static int enter(struct parcel *p)
{
	int err = -EAGAIN;

	spin_lock(&signals.lock);
	if (has_room(p->sig.uid)) {
		p->sig.id.node = ctm_node_id();
		p->sig.id.boot = ctm_node_boot();
		p->sig.id.seq = signals.next++;
		list_add_tail(&p->list, &signals.parcels);
		signals.nparcels++;
		err = 0;
	}
	spin_unlock(&signals.lock);
	return err;
}

static void leave(struct parcel *p)
{
	spin_lock(&signals.lock);
	list_del(&p->list);
	signals.nparcels--;
	spin_unlock(&signals.lock);
}

static void send_direct(const struct ctm_sig *s)
{
	u32 home = CTM_GPID_NODE(s->gpid), me = ctm_node_id();
	struct ctm_process *p = ctm_process_find(s->gpid);

	if (p || home == me)
		arrive(s, me);
	if (home != me && !(p && READ_ONCE(p->here)))
		send_copy(home, s);
	ctm_process_put(p);
}

/* what is due; false: its time is over */
static bool advance(struct parcel *p)
{
	struct ctm_sig s;
	u32 todo;

	spin_lock(&signals.lock);
	todo = ctm_sig_out_step(&p->out, ktime_get_ns());
	p->sig.floor = list_first_entry(&signals.parcels, struct parcel, list)->sig.id.seq;
	p->sig.left_ms = ctm_sig_left(p->out.until, ktime_get_ns());
	s = p->sig;
	spin_unlock(&signals.lock);
	if (todo & CTM_SIG_DO_GIVE_UP)
		return false;
	if (todo & CTM_SIG_DO_SEND)
		send_direct(&s);
	if (todo & CTM_SIG_DO_SPREAD) {
		s.wave = p->out.wave;
		hear(&s, ctm_node_id());
	}
	return true;
}

static bool confirmed(const struct parcel *p)
{
	return ctm_sig_final(READ_ONCE(p->out.outcome));
}

/* until it is confirmed, or its time is over, or the caller gets a signal itself */
static int carry(struct parcel *p, unsigned int timeout_ms)
{
	u64 now;
	long ret;
	int err;

	INIT_LIST_HEAD(&p->list);
	init_waitqueue_head(&p->wait);
	ctm_sig_out_init(&p->out, ktime_get_ns(), timeout_ms);
	err = enter(p);
	if (err)
		return err;
	while (!confirmed(p)) {
		err = !ctm_node_is_up() ? -ENETDOWN : advance(p) ? 0 : -ETIMEDOUT;
		if (err || confirmed(p))
			break;
		now = ktime_get_ns();
		if (p->out.due <= now)
			continue;
		ret = wait_event_interruptible_timeout(p->wait, confirmed(p),
						       nsecs_to_jiffies(p->out.due - now) + 1);
		if (ret < 0) {
			err = -EINTR;	/* not to be restarted: it may have arrived */
			break;
		}
	}
	leave(p);
	return confirmed(p) ? 0 : err;
}

static int outcome_error(enum ctm_sig_outcome o, u32 error)
{
	switch (o) {
	case CTM_SIG_DELIVERED:
		return 0;
	case CTM_SIG_DENIED:
		return -EPERM;
	case CTM_SIG_FAILED:
		return -(int)error;
	default:
		return -ESRCH;
	}
}

static void say_unconfirmed(const struct parcel *p, unsigned int timeout_ms, char *reason)
{
	u32 home = CTM_GPID_NODE(p->sig.gpid);
	char name[CTM_NAME_MAX];
	struct ctm_peer_info peer;
	int n;

	n = scnprintf(reason, CTM_REASON_MAX, "unconfirmed: no acknowledgement within %u.%u s",
		      timeout_ms / 1000, timeout_ms % 1000 / 100);
	if (p->ack.outcome == CTM_SIG_HELD && p->ack.text[0]) {
		snprintf(reason + n, CTM_REASON_MAX - n, ": %s", p->ack.text);
		return;
	}
	ctm_peer_name(home, name);
	if (home != ctm_node_id() && (ctm_peer_by_id(home, &peer) || peer.state != CTM_PEER_ALIVE))
		snprintf(reason + n, CTM_REASON_MAX - n, ", and its home %s does not answer", name);
}

static void explain(const struct parcel *p, int err, unsigned int timeout_ms, char *reason)
{
	const char *text = NULL;

	if (err == -ETIMEDOUT && !confirmed(p)) {
		say_unconfirmed(p, timeout_ms, reason);
		return;
	}
	switch (p->out.outcome) {
	case CTM_SIG_NEVER:
		text = "no such process: there never was one";
		break;
	case CTM_SIG_GONE:
		text = "no such process: it has ended";
		break;
	case CTM_SIG_DENIED:
		text = p->sig.what > _NSIG ? "only its owner or root may do that" :
		       "it belongs to another user";
		break;
	case CTM_SIG_FAILED:
		text = p->ack.text[0] ? p->ack.text : NULL;
		break;
	default:
		if (err == -EINTR)
			text = "unconfirmed: interrupted";
		else if (err == -EAGAIN)
			text = "too many signals are under way: try again";
	}
	if (text)
		strscpy(reason, text, CTM_REASON_MAX);
}

/* That it was sent from here, for listeners; not more than they want to read of a flood. */
static void tell_sent(const struct ctm_sig *s, int err)
{
	static DEFINE_RATELIMIT_STATE(limit, HZ, 20);
	const char *unconfirmed = err ? ", unconfirmed" : "";
	char text[32];

	if (!s->what || (err && err != -ETIMEDOUT))
		return;
	ratelimit_set_flags(&limit, RATELIMIT_MSG_ON_RELEASE);	/* else the log tells of it */
	if (!__ratelimit(&limit))
		return;
	if (s->what <= _NSIG)
		snprintf(text, sizeof(text), "signal %u%s", s->what, unconfirmed);
	else
		snprintf(text, sizeof(text), "%s%s", s->what == CTM_SIG_SUSPEND ? "suspend" :
			 s->what == CTM_SIG_RESUME ? "resume" : "destroy", unconfirmed);
	ctm_event_process(CTM_NL_EV_PROCESS_SIGNALLED, s->gpid, ctm_node_id(), text);
}

static int send_parcel(struct ctm_sig *s, unsigned int timeout_ms, char *reason)
{
	u64 began = ktime_get_ns();
	struct parcel *p;
	int err;

	if (!ctm_node_is_up())
		return -ENETDOWN;
	p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p)
		return -ENOMEM;
	p->sig = *s;
	if (s->what <= _NSIG)
		p->out.outcome = apply_local(s->gpid, s);
	err = confirmed(p) ? 0 : carry(p, timeout_ms);
	if (confirmed(p))
		err = outcome_error(p->out.outcome, p->ack.error);
	trace_signal_sent(s->gpid, s->what, err, began);
	tell_sent(s, err);
	if (err && reason)
		explain(p, err, timeout_ms, reason);
	kfree(p);
	return err;
}

static void sign(struct ctm_sig *s)
{
	struct ctm_caller by;

	ctm_caller_current(&by);
	s->uid = by.uid;
	s->euid = from_kuid(&init_user_ns, current_euid());
	s->gid = by.gid;
	s->caller = by.flags;
}

int ctm_signal(struct ctm_signal *arg)
{
	struct ctm_sig s = { .gpid = arg->gpid, .what = arg->sig, .flags = arg->flags };
	unsigned int timeout = arg->timeout_ms ?: DEFAULT_MS;

	if (arg->sig > _NSIG || !arg->gpid || timeout > CTM_SIG_LIFE_MAX_MS)
		return -EINVAL;
	sign(&s);
	return send_parcel(&s, timeout, arg->reason);
}

int ctm_target(unsigned int nr, struct ctm_target *arg)
{
	struct ctm_sig s = {
		.gpid = arg->gpid,
		.what = nr == CTM_IOC_SUSPEND ? CTM_SIG_SUSPEND :
			nr == CTM_IOC_RESUME ? CTM_SIG_RESUME : CTM_SIG_DESTROY,
	};

	if (!arg->gpid)
		return -EINVAL;
	sign(&s);
	return send_parcel(&s, DEFAULT_MS, arg->reason);
}

int ctm_signals_send(u64 gpid, int sig)
{
	struct ctm_sig s = {
		.gpid = gpid, .what = sig, .caller = CTM_CALLER_KILL | CTM_CALLER_ADMIN,
	};

	return send_parcel(&s, DEFAULT_MS, NULL);
}

int ctm_signals_destroy(u64 gpid, unsigned int timeout_ms)
{
	struct ctm_sig s = {
		.gpid = gpid, .what = CTM_SIG_DESTROY,
		.caller = CTM_CALLER_KILL | CTM_CALLER_ADMIN,
	};

	return send_parcel(&s, timeout_ms, NULL);
}

int ctm_signals_forward(u64 gpid, const struct ctm_rec_pending *r, unsigned int timeout_ms)
{
	struct ctm_sig s = {
		.gpid = gpid, .what = r->signo, .caller = CTM_CALLER_KILL | CTM_CALLER_ADMIN,
		.has_info = r->signo != SIGKILL, .info.tid = r->tid,
	};

	memcpy(s.info.siginfo, r->siginfo, sizeof(s.info.siginfo));
	return send_parcel(&s, timeout_ms, NULL);
}

/* ---- life of the module ---- */

int ctm_signals_init(void)
{
	signals.heard.slot = kvcalloc(HEARD, sizeof(*signals.heard.slot), GFP_KERNEL);
	signals.heard.nr = HEARD;
	workers = alloc_workqueue("ctm_signals", WQ_UNBOUND, 0);
	if (!signals.heard.slot || !workers) {
		if (workers)
			destroy_workqueue(workers);
		kvfree(signals.heard.slot);
		return -ENOMEM;
	}
	ctm_dgram_handler(CTM_DGRAM_SIGNAL, got_signal);
	ctm_dgram_handler(CTM_DGRAM_SIGNAL_ACK, got_ack);
	return 0;
}

/* Nobody sends any more; the handlers were the only ones who start a round or an errand. */
void ctm_signals_exit(void)
{
	ctm_dgram_handler(CTM_DGRAM_SIGNAL_ACK, NULL);
	ctm_dgram_handler(CTM_DGRAM_SIGNAL, NULL);
	cancel_delayed_work_sync(&round_work);
	destroy_workqueue(workers);	/* runs the errands that wait */
	kvfree(signals.heard.slot);
}
