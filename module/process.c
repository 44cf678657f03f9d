// SPDX-License-Identifier: GPL-2.0
/*
 * process.c - the registry: which processes this node hosts or is home of
 *
 * Owns the hash table and the list of all processes.  `registry_lock` covers the
 * list and insertion; look-ups go through the hash table under RCU.  An entry
 * lives while somebody holds a reference; the registry itself holds one until
 * ctm_process_forget().
 *
 * Those that run here are in `by_cgroup` too, where a tick finds the process of the
 * task it interrupted: hosted_lock (inside ctm_process.lock) covers changes.
 */
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/idr.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pid_namespace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uidgid.h>

#include "capture.h"
#include "compat/compat.h"
#include "courier.h"
#include "keeper.h"
#include "net/transport.h"
#include "netlink.h"
#include "process.h"
#include "rfile.h"
#include "sequence.h"
#include "term.h"
#include "waits.h"

#define PROCESSES_MAX		65536u
#define EXIT_RECORD_KEPT	(3600 * HZ)
#define TAKEN_RECORD_KEPT	(60 * HZ)	/* to be looked at */
#define EXIT_REPORT_RETRY	(2 * HZ)
#define LIST_TIMEOUT_MS		2000
#define SETTLE_RETRY		(3 * HZ)
#define VOID_KILL_MS		10000

static const struct rhashtable_params by_gpid = {
	.key_len = sizeof(u64),
	.key_offset = offsetof(struct ctm_process, gpid),
	.head_offset = offsetof(struct ctm_process, node),
	.automatic_shrinking = true,
};

static struct rhashtable registry;
static LIST_HEAD(registry_list);
static unsigned int registry_count;
static DEFINE_MUTEX(registry_lock);
static DEFINE_HASHTABLE(by_cgroup, 12);
static DEFINE_SPINLOCK(hosted_lock);
static struct delayed_work sweeper;	/* forgets old exit records */

/* ---- references ---- */

void ctm_process_get(struct ctm_process *p)
{
	kref_get(&p->ref);
}

static void release(struct kref *ref)
{
	struct ctm_process *p = container_of(ref, struct ctm_process, ref);

	ctm_rfiles_free(p);
	ctm_term_free(p);
	kvfree(p->applied);
	kfree_rcu(p, rcu);
}

void ctm_process_put(struct ctm_process *p)
{
	if (p)
		kref_put(&p->ref, release);
}

struct ctm_process *ctm_process_find(u64 gpid)
{
	struct ctm_process *p;

	rcu_read_lock();
	p = rhashtable_lookup(&registry, &gpid, by_gpid);
	if (p && !kref_get_unless_zero(&p->ref))
		p = NULL;
	rcu_read_unlock();
	return p;
}

struct ctm_process *ctm_process_under(struct task_struct *t)
{
	struct cgroup *cgrp = task_dfl_cgroup(t);
	struct ctm_process *p;

	hash_for_each_possible_rcu(by_cgroup, p, hosted, (unsigned long)cgrp)
		if (READ_ONCE(p->cgrp) == cgrp)
			return p;
	return NULL;
}

struct ctm_process *ctm_process_of_task(struct task_struct *t)
{
	struct ctm_process *p;

	rcu_read_lock();
	p = ctm_process_under(t);
	if (p && !kref_get_unless_zero(&p->ref))
		p = NULL;
	rcu_read_unlock();
	return p;
}

/* ---- entering and leaving the registry ---- */

static void report_work(struct work_struct *work);
static void settle_work(struct work_struct *work);

static struct ctm_process *alloc_process(u64 gpid, u64 family)
{
	struct ctm_process *p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);

	if (!p)
		return NULL;
	kref_init(&p->ref);
	p->gpid = gpid;
	p->family = family ?: gpid;
	p->host = ctm_node_id();
	ctm_life_start(&p->life, 0, 0);
	p->state = CTM_STATE_RUNNING;
	spin_lock_init(&p->lock);
	mutex_init(&p->journey);
	mutex_init(&p->signal_lock);
	mutex_init(&p->wait_lock);
	init_waitqueue_head(&p->wait);
	INIT_LIST_HEAD(&p->all);
	INIT_DELAYED_WORK(&p->report, report_work);
	INIT_WORK(&p->reap, ctm_reaper_work);
	INIT_DELAYED_WORK(&p->settle, settle_work);
	return p;
}

/* Return: was it there?  Then the registry's reference is the caller's */
static bool take_out(struct ctm_process *p)
{
	lockdep_assert_held(&registry_lock);
	if (list_empty(&p->all))
		return false;
	rhashtable_remove_fast(&registry, &p->node, by_gpid);
	list_del_init(&p->all);
	registry_count--;
	return true;
}

/* with a reference of the registry's */
static int put_in(struct ctm_process *p)
{
	int err = -EUSERS;

	lockdep_assert_held(&registry_lock);
	if (registry_count < PROCESSES_MAX)
		err = rhashtable_lookup_insert_fast(&registry, &p->node, by_gpid);
	if (err)
		return err;
	list_add_tail(&p->all, &registry_list);
	registry_count++;
	ctm_process_get(p);
	return 0;
}

/* Return: @p, or ERR_PTR(), and it is freed */
static struct ctm_process *enter(struct ctm_process *p)
{
	int err;

	mutex_lock(&registry_lock);
	err = put_in(p);
	mutex_unlock(&registry_lock);
	if (!err)
		return p;
	kfree(p);
	return ERR_PTR(err);
}

struct ctm_process *ctm_process_new(u64 gpid, u64 family)
{
	struct ctm_process *p;
	int err;

	if (!ctm_node_is_up())
		return ERR_PTR(-ENETDOWN);
	if (!gpid) {
		u32 seq;

		err = ctm_sequence_next(&seq);
		if (err)
			return ERR_PTR(err);
		gpid = CTM_GPID(ctm_node_id(), seq);
	}
	p = alloc_process(gpid, family);
	return p ? enter(p) : ERR_PTR(-ENOMEM);
}

struct ctm_process *ctm_process_new_child(u64 gpid, struct ctm_process *parent, u32 node, u64 boot)
{
	struct ctm_process *p = alloc_process(gpid, parent->family);

	if (!p)
		return ERR_PTR(-ENOMEM);
	p->parent = parent->gpid;
	p->forking = true;
	p->fork_node = node;
	p->fork_boot = boot;
	spin_lock(&parent->lock);
	p->uid = parent->uid;
	memcpy(p->comm, parent->comm, sizeof(p->comm));
	spin_unlock(&parent->lock);
	return enter(p);
}

void ctm_process_forget(struct ctm_process *p)
{
	bool was;

	mutex_lock(&registry_lock);
	was = take_out(p);
	mutex_unlock(&registry_lock);
	if (was)
		ctm_process_put(p);
}

struct ctm_process *ctm_process_replace(u64 gpid, struct ctm_process *old)
{
	struct ctm_process *p = alloc_process(gpid, 0);
	bool was = false;
	int err;

	if (!p)
		return ERR_PTR(-ENOMEM);
	p->forking = true;
	mutex_lock(&registry_lock);
	if (old && READ_ONCE(old->ended))
		was = take_out(old);
	err = put_in(p);
	if (err && was)
		put_in(old);		/* its record is lost, if there is no memory */
	mutex_unlock(&registry_lock);
	if (was)
		ctm_process_put(old);
	if (!err)
		return p;
	kfree(p);
	return ERR_PTR(err);
}

void ctm_process_put_back(struct ctm_process *p, struct ctm_process *old)
{
	bool was;

	mutex_lock(&registry_lock);
	was = take_out(p);
	if (old && list_empty(&old->all))
		put_in(old);		/* its record is lost, if there is no memory */
	mutex_unlock(&registry_lock);
	if (was)
		ctm_process_put(p);
}

/* ---- being the host ---- */

int ctm_capsule_open(int cgroup_fd, struct ctm_capsule *c)
{
	struct file *dir = fget_raw(cgroup_fd);
	int err = 0;

	if (!dir)
		return -EBADF;
	c->cgrp = cgroup_get_from_fd(cgroup_fd);	/* refuses what is no cgroup v2 directory */
	if (IS_ERR(c->cgrp)) {
		err = PTR_ERR(c->cgrp);
		goto out;
	}
	c->freeze = file_open_root(&dir->f_path, "cgroup.freeze", O_WRONLY, 0);
	if (IS_ERR(c->freeze)) {
		err = PTR_ERR(c->freeze);
		cgroup_put(c->cgrp);
		goto out;
	}
	c->budget = file_open_root(&dir->f_path, "pids.events", O_RDONLY, 0);
	if (IS_ERR(c->budget))
		c->budget = NULL;
out:
	fput(dir);
	return err;
}

void ctm_capsule_close(struct ctm_capsule *c)
{
	if (!c->cgrp)
		return;
	cgroup_put(c->cgrp);
	fput(c->freeze);
	if (c->budget)
		fput(c->budget);
	c->cgrp = NULL;
	c->freeze = NULL;
	c->budget = NULL;
}

void ctm_process_host(struct ctm_process *p, struct pid *leader, struct ctm_capsule *c,
		      struct ctm_keeper *keeper)
{
	spin_lock(&p->lock);
	p->leader = get_pid(leader);
	p->cgrp = c->cgrp;
	p->freeze_file = c->freeze;
	p->budget_file = c->budget;
	p->budget_hits = 0;
	c->cgrp = NULL;
	c->freeze = NULL;
	c->budget = NULL;
	p->freezers = 0;
	p->keeper = keeper;
	p->committed = false;
	p->exit_told = false;
	p->host = ctm_node_id();
	p->state = CTM_STATE_RUNNING;
	p->host_boot = 0;
	atomic64_set(&p->charged_ns, 0);
	p->seen_ns = 0;
	p->cpu = 0;
	p->here_since = ktime_get_ns();
	WRITE_ONCE(p->here, true);
	spin_lock(&hosted_lock);
	hash_add_rcu(by_cgroup, &p->hosted, (unsigned long)p->cgrp);
	spin_unlock(&hosted_lock);
	spin_unlock(&p->lock);
}

void ctm_process_unhost(struct ctm_process *p)
{
	struct pid *leader;
	struct cgroup *cgrp;
	struct file *freeze, *budget;
	bool was;

	lockdep_assert_held(&p->journey);
	/* others use leader and cgrp with @journey held, or under registry_lock or @lock */
	mutex_lock(&registry_lock);
	spin_lock(&p->lock);
	was = p->here;
	if (p->keeper)
		ctm_keeper_gone(p->keeper);
	leader = p->leader;
	cgrp = p->cgrp;
	freeze = p->freeze_file;
	budget = p->budget_file;
	WRITE_ONCE(p->here, false);
	p->leader = NULL;
	if (was) {
		/* It may come back, and be entered again, before a tick that looks at it
		 * has gone on: that tick misses what was behind it in the bucket.
		 */
		spin_lock(&hosted_lock);
		hash_del_rcu(&p->hosted);
		spin_unlock(&hosted_lock);
	}
	WRITE_ONCE(p->cgrp, NULL);
	p->freeze_file = NULL;
	p->budget_file = NULL;
	p->keeper = NULL;
	spin_unlock(&p->lock);
	mutex_unlock(&registry_lock);
	if (!was)
		return;
	ctm_waits_free(p->waits);
	p->waits = NULL;
	put_pid(leader);
	cgroup_put(cgrp);
	fput(freeze);
	if (budget)
		fput(budget);
}

struct task_struct *ctm_process_leader(struct ctm_process *p)
{
	struct task_struct *t = NULL;

	spin_lock(&p->lock);
	if (p->here)
		t = get_pid_task(p->leader, PIDTYPE_PID);
	spin_unlock(&p->lock);
	return t;
}

void ctm_process_refresh(struct ctm_process *p)
{
	struct task_struct *leader = ctm_process_leader(p);

	if (!leader)
		return;
	spin_lock(&p->lock);
	p->uid = from_kuid(&init_user_ns, task_uid(leader));
	get_task_comm(p->comm, leader);
	spin_unlock(&p->lock);
	put_task_struct(leader);
}

/* ---- the end of a process ---- */

/* what travels to home in CTM_CALL_EXITED */
struct exit_report {
	__u64 gpid;
	__u64 cpu_ns;
	__s32 status;
	__u32 end;
	__u32 epoch;
	__u32 result_len;
	__u8 result[CTM_RESULT_MAX];
};

static void (*end_hook)(struct ctm_process *p);	/* set at module init */

void ctm_process_on_end(void (*fn)(struct ctm_process *p))
{
	WRITE_ONCE(end_hook, fn);
}

/* at home: the record that wait() returns, for an hour */
static void keep_exit_record(struct ctm_process *p, const struct exit_report *r, u32 host)
{
	void (*hook)(struct ctm_process *) = READ_ONCE(end_hook);

	spin_lock(&p->lock);
	if (p->ended) {
		spin_unlock(&p->lock);
		return;
	}
	p->exit.status = r->status;
	p->exit.end = r->end;
	p->exit.cpu_ns = r->cpu_ns;
	p->exit.host = host;
	p->exit.result_len = min_t(u32, r->result_len, CTM_RESULT_MAX);
	memcpy(p->exit.result, r->result, p->exit.result_len);
	p->state = CTM_STATE_ENDED;
	p->ended_at = jiffies;
	p->ended = true;
	spin_unlock(&p->lock);
	ctm_peer_name(host, p->exit.host_name);
	ctm_term_ended(p);
	ctm_rfiles_ended(p);
	ctm_deputy_post(p, CTM_EV_EXITED, (u32)r->status);
	wake_up_all(&p->wait);
	if (hook)
		hook(p);
	ctm_event_process(CTM_NL_EV_PROCESS_ENDED, p->gpid, host, "ended");
}

/* at home: CTM_CALL_EXITED */
static int serve_exited(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct exit_report *r = req;
	struct ctm_process *p;
	int err = 0;

	*resp_len = 0;
	if (len != sizeof(*r))
		return -EBADMSG;
	p = ctm_process_find(r->gpid);
	if (!p)
		return 0;		/* known once, forgotten since: confirm */
	spin_lock(&p->lock);
	if (!p->ended && (r->epoch < p->epoch || p->here))
		err = -ESTALE;		/* somebody who does not own it any more */
	spin_unlock(&p->lock);
	if (!err)
		keep_exit_record(p, r, from);
	ctm_process_put(p);
	return err;
}

static void take_result(struct ctm_process *p, struct exit_report *r)
{
	spin_lock(&p->lock);
	r->result_len = p->result_len;
	memcpy(r->result, p->result, sizeof(r->result));
	spin_unlock(&p->lock);
}

static int send_exit_report(struct ctm_process *p)
{
	struct exit_report r = {
		.gpid = p->gpid,
		.cpu_ns = p->exit.cpu_ns,
		.status = p->exit.status,
		.end = p->exit.end,
		.epoch = p->epoch,
	};
	size_t none = 0;

	take_result(p, &r);
	return ctm_call(CTM_GPID_NODE(p->gpid), CTM_CALL_EXITED, &r, sizeof(r), NULL, &none, 2000);
}

/* home did not answer: try again for as long as it would have kept the record */
static void report_work(struct work_struct *work)
{
	struct ctm_process *p = container_of(to_delayed_work(work), struct ctm_process, report);
	int err = send_exit_report(p);

	if (err && err != -ESTALE && time_before(jiffies, p->ended_at + EXIT_RECORD_KEPT) &&
	    ctm_node_is_up()) {
		schedule_delayed_work(&p->report, EXIT_REPORT_RETRY);
		return;
	}
	ctm_process_forget(p);
	ctm_process_put(p);		/* the work's */
}

static void report_end(struct ctm_process *p, const struct exit_report *r)
{
	if (ctm_process_is_home(p)) {
		keep_exit_record(p, r, ctm_node_id());
		return;
	}
	spin_lock(&p->lock);
	p->exit.status = r->status;
	p->exit.end = r->end;
	p->exit.cpu_ns = r->cpu_ns;
	p->ended_at = jiffies;
	p->state = CTM_STATE_ENDED;
	spin_unlock(&p->lock);
	ctm_rfiles_ended(p);
	ctm_process_get(p);
	if (send_exit_report(p)) {
		schedule_delayed_work(&p->report, EXIT_REPORT_RETRY);
		return;
	}
	ctm_process_forget(p);
	ctm_process_put(p);
}

void ctm_process_ended(struct ctm_process *p, int status, enum ctm_end end, u64 cpu_ns)
{
	struct exit_report r = {
		.gpid = p->gpid,
		.cpu_ns = p->cpu_before_ns + cpu_ns,
		.status = status,
		.end = end,
		.epoch = p->epoch,
	};

	mutex_lock(&p->journey);
	if (!p->here || p->committed) {	/* it left: this was only the copy */
		mutex_unlock(&p->journey);
		return;
	}
	if (p->end_why && end != CTM_END_EXIT)
		r.end = p->end_why;
	take_result(p, &r);
	ctm_process_unhost(p);
	mutex_unlock(&p->journey);
	report_end(p, &r);
}

void ctm_process_stillborn(struct ctm_process *p)
{
	struct exit_report r = {
		.gpid = p->gpid, .status = SIGKILL, .end = CTM_END_DESTROYED, .epoch = p->epoch,
	};

	report_end(p, &r);
}

enum ctm_family ctm_process_family(u64 family)
{
	struct ctm_process *p = ctm_process_find(family);
	enum ctm_family ret = CTM_FAMILY_UNKNOWN;

	if (p)
		ret = READ_ONCE(p->ended) || READ_ONCE(p->state) == CTM_STATE_ENDED ?
			CTM_FAMILY_ENDED : CTM_FAMILY_LIVES;
	ctm_process_put(p);
	return ret;
}

static void sweep(struct work_struct *work)
{
	struct ctm_process *p, *next;
	LIST_HEAD(old);

	mutex_lock(&registry_lock);
	list_for_each_entry_safe(p, next, &registry_list, all)
		if (p->ended && time_after(jiffies, p->ended_at +
					   (p->taken ? TAKEN_RECORD_KEPT : EXIT_RECORD_KEPT))) {
			rhashtable_remove_fast(&registry, &p->node, by_gpid);
			list_move(&p->all, &old);
			registry_count--;
		}
	mutex_unlock(&registry_lock);
	list_for_each_entry_safe(p, next, &old, all) {
		list_del_init(&p->all);
		ctm_process_put(p);
	}
	schedule_delayed_work(&sweeper, 60 * HZ);
}

/* ---- owners that are lost, or return ---- */

int ctm_process_tell_home(struct ctm_process *p)
{
	struct ctm_moved_call c = { .gpid = p->gpid, .boot = ctm_node_boot() };
	size_t none = 0;

	spin_lock(&p->lock);
	c.epoch = p->epoch;
	c.hops = p->hops;
	spin_unlock(&p->lock);
	return ctm_call(CTM_GPID_NODE(p->gpid), CTM_CALL_MOVED, &c, sizeof(c), NULL, &none, 2000);
}

static void settle_soon(struct ctm_process *p, unsigned long delay)
{
	ctm_process_get(p);
	if (!schedule_delayed_work(&p->settle, delay))
		ctm_process_put(p);
}

void ctm_process_claim(struct ctm_process *p, u32 epoch)
{
	bool home = ctm_process_is_home(p);

	spin_lock(&p->lock);
	if (p->epoch < epoch) {
		p->epoch = epoch;
		p->attempt = 0;
	}
	p->leaving_to = 0;
	if (home) {
		p->host = ctm_node_id();
		p->host_boot = 0;
	}
	spin_unlock(&p->lock);
	if (home) {
		ctm_term_moved(p);
		ctm_deputy_post(p, CTM_EV_MOVED, ctm_node_id());
	} else {
		settle_soon(p, 0);
	}
}

void ctm_process_void(struct ctm_process *p)
{
	bool was;

	mutex_lock(&p->journey);
	was = p->here;
	if (was) {
		WRITE_ONCE(p->committed, true);	/* its death is nobody's exit */
		ctm_rfiles_ended(p);
		if (ctm_kill_copy(p, VOID_KILL_MS))
			pr_warn("continuum: process %llx: tasks of a void copy do not die\n", p->gpid);
		ctm_process_unhost(p);
	}
	mutex_unlock(&p->journey);
	if (!was)
		return;
	pr_warn("continuum: process %llx: the copy here was void and is gone\n", p->gpid);
	if (!ctm_process_is_home(p))
		ctm_process_forget(p);
}

static const struct exit_report host_lost = { .status = SIGKILL, .end = CTM_END_HOST_LOST };

/* at home: does its host answer, and is it still the boot that had the process? */
static bool host_gone(const struct ctm_process *p, bool rebooted)
{
	struct ctm_peer_info host;

	if (!ctm_process_is_home(p) || READ_ONCE(p->here) || !p->host_boot || p->forking)
		return false;
	if (ctm_peer_by_id(p->host, &host))
		return !rebooted;
	if (host.boot != p->host_boot)
		return true;
	return !rebooted && (host.state == CTM_PEER_DEAD || host.state == CTM_PEER_LEFT);
}

/* has the node that it was leaving for all of it?  0, -ESRCH: no; else it cannot be asked */
static int held(struct ctm_process *p)
{
	__u64 gpid = p->gpid;
	size_t none = 0;

	return p->leaving_to ? ctm_call(p->leaving_to, CTM_CALL_HELD, &gpid, sizeof(gpid), NULL, &none,
					2000) : -ESRCH;
}

int ctm_process_lost(struct ctm_process *p)
{
	if (p->ended)
		return -ESRCH;
	if (!host_gone(p, false))
		return -EINVAL;
	if (held(p) == 0)
		return -EBUSY;		/* not yet in limbo, or it would have been found */
	keep_exit_record(p, &host_lost, p->host);
	return 0;
}

/*
 * Its host came back as another boot.  When it was leaving, the destination may
 * have all of it: then that copy waits for the operator, and this is not the end.
 */
static int settle_lost(struct ctm_process *p)
{
	if (held(p) != -ESRCH)
		return -EAGAIN;		/* it is in limbo */
	if (host_gone(p, true))		/* not if it told us meanwhile that it runs there */
		keep_exit_record(p, &host_lost, p->host);
	return 0;
}

/* It was declared lost, but its host was only cut off: what ran on there is void. */
static int settle_void(struct ctm_process *p)
{
	struct { __u64 gpid; __u32 epoch, pad; } c = { .gpid = p->gpid, .epoch = p->epoch };
	struct ctm_peer_info host;
	size_t none = 0;
	int err;

	if (ctm_peer_by_id(p->exit.host, &host) || host.boot != p->host_boot ||
	    host.state == CTM_PEER_DEAD || host.state == CTM_PEER_LEFT)
		return 0;		/* not now; it will be looked at when it comes */
	err = ctm_call(p->exit.host, CTM_CALL_VOID, &c, sizeof(c), NULL, &none, 2 * VOID_KILL_MS);
	return err == -ESRCH ? 0 : err;
}

static int settle_claim(struct ctm_process *p)
{
	int err = READ_ONCE(p->here) ? ctm_process_tell_home(p) : 0;

	if (err == -ESTALE) {
		ctm_process_void(p);
		err = 0;
	}
	return err;
}

static void settle_work(struct work_struct *work)
{
	struct ctm_process *p = container_of(to_delayed_work(work), struct ctm_process, settle);
	int err = 0;

	if (!ctm_process_is_home(p))
		err = settle_claim(p);
	else if (p->ended)
		err = p->exit.end == CTM_END_HOST_LOST ? settle_void(p) : 0;
	else if (host_gone(p, true))
		err = settle_lost(p);
	if (err && ctm_node_is_up())
		settle_soon(p, SETTLE_RETRY);
	ctm_process_put(p);		/* the work's */
}

/*
 * A peer came: as another boot, then what it hosted of ours is gone; or as the
 * same, then nothing is, but what was given up meanwhile.  A peer that merely does
 * not answer may still run them: they are shown in limbo, and no record is written
 * before it is known, or an operator says so.
 */
static void on_peer_change(u32 id, enum ctm_peer_state state, u64 boot)
{
	struct ctm_process *p;

	if (state != CTM_PEER_ALIVE)
		return;
	mutex_lock(&registry_lock);
	list_for_each_entry(p, &registry_list, all) {
		if (!ctm_process_is_home(p) || p->here || !p->host_boot)
			continue;
		if (p->ended ? p->exit.end == CTM_END_HOST_LOST && p->host_boot == boot &&
			       p->exit.host == id :
			       p->host == id && p->host_boot != boot)
			settle_soon(p, 0);
	}
	mutex_unlock(&registry_lock);
}

static int serve_void(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct { __u64 gpid; __u32 epoch, pad; } *c = req;
	struct ctm_process *p;
	int err = 0;

	*resp_len = 0;
	if (len != sizeof(*c))
		return -EBADMSG;
	if (from != CTM_GPID_NODE(c->gpid))
		return -EPERM;		/* only home decides */
	p = ctm_process_find(c->gpid);
	if (!p)
		return -ESRCH;
	if (p->under_way || p->arriving)
		err = -EBUSY;
	else if (p->here && p->epoch <= c->epoch)
		ctm_process_void(p);
	ctm_process_put(p);
	return err;
}

/* ---- looking ---- */

static void usage_of(struct task_struct *leader, u64 *cpu_ns, u64 *rss)
{
	struct task_struct *t;
	struct mm_struct *mm;

	rcu_read_lock();
	if (pid_alive(leader)) {
		*cpu_ns += leader->signal->sum_sched_runtime;
		for_each_thread(leader, t)
			*cpu_ns += t->se.sum_exec_runtime;
	}
	rcu_read_unlock();
	mm = get_task_mm(leader);
	if (mm) {
		*rss = (u64)get_mm_rss(mm) << PAGE_SHIFT;
		mmput(mm);
	}
}

bool ctm_process_usage(struct ctm_process *p, u64 *cpu_ns, u64 *rss)
{
	struct task_struct *leader = ctm_process_leader(p);

	*cpu_ns = p->cpu_before_ns;
	*rss = 0;
	if (!leader)
		return false;
	usage_of(leader, cpu_ns, rss);
	put_task_struct(leader);
	return true;
}

void ctm_process_info(struct ctm_process *p, struct ctm_info *out)
{
	struct task_struct *leader = ctm_process_leader(p);

	memset(out, 0, sizeof(*out));
	out->size = sizeof(*out);
	if (leader) {
		out->cpu_ns = p->cpu_before_ns;
		usage_of(leader, &out->cpu_ns, &out->rss);
		out->pid = task_pid_nr(leader);
		put_task_struct(leader);
		ctm_process_refresh(p);
	}
	spin_lock(&p->lock);
	out->gpid = p->gpid;
	out->family = p->family;
	out->home = CTM_GPID_NODE(p->gpid);
	out->host = p->ended ? p->exit.host : p->host;
	out->state = p->state;
	out->uid = p->uid;
	out->epoch = p->epoch;
	out->hops = p->hops;
	out->ttl = ctm_life_ttl(&p->life, p->here ? atomic64_read(&p->charged_ns) : 0);
	out->lease_ms = div_u64(p->life.lease, NSEC_PER_MSEC);
	out->end = p->ended ? p->exit.end : 0;
	if (p->ended)
		out->cpu_ns = p->exit.cpu_ns;
	memcpy(out->comm, p->comm, sizeof(out->comm));
	if (!p->ended && !p->here && p->limbo)
		out->state = CTM_STATE_LIMBO;
	spin_unlock(&p->lock);
	if (out->state != CTM_STATE_ENDED && host_gone(p, false))
		out->state = CTM_STATE_LIMBO;
	ctm_peer_name(out->home, out->home_name);
	ctm_peer_name(out->host, out->host_name);
}

void ctm_process_each(bool (*fn)(struct ctm_process *p, void *arg), void *arg)
{
	struct ctm_process *p;

	mutex_lock(&registry_lock);
	list_for_each_entry(p, &registry_list, all)
		if (!fn(p, arg))
			break;
	mutex_unlock(&registry_lock);
}

struct collection {
	bool (*want)(struct ctm_process *p, void *arg);
	void *arg;
	struct ctm_process **v;
	unsigned int n, room, wanted;
};

static bool collect(struct ctm_process *p, void *arg)
{
	struct collection *c = arg;

	if (!c->want(p, c->arg))
		return true;
	c->wanted++;
	if (c->n < c->room) {
		ctm_process_get(p);
		c->v[c->n++] = p;
	}
	return true;
}

unsigned int ctm_process_collect(bool (*want)(struct ctm_process *p, void *arg), void *arg,
				 struct ctm_process ***v)
{
	struct collection c = { .want = want, .arg = arg };
	unsigned int room = 256;

	for (;;) {
		c.v = kvmalloc_array(room, sizeof(*c.v), GFP_KERNEL);
		c.room = c.v ? room : 0;
		c.n = 0;
		c.wanted = 0;
		ctm_process_each(collect, &c);
		if (!c.v || c.wanted == c.n)
			break;
		room = c.wanted + 64;	/* more came meanwhile: they, too */
		ctm_process_collect_put(c.v, c.n);
	}
	*v = c.v;
	return c.n;
}

void ctm_process_collect_put(struct ctm_process **v, unsigned int n)
{
	while (n)
		ctm_process_put(v[--n]);
	kvfree(v);
}

void ctm_process_each_here(bool (*fn)(struct ctm_process *p, void *arg), void *arg)
{
	struct ctm_process *p;

	mutex_lock(&registry_lock);
	list_for_each_entry(p, &registry_list, all)
		if (READ_ONCE(p->here) && !fn(p, arg))
			break;
	mutex_unlock(&registry_lock);
}

unsigned int ctm_process_count_here(void)
{
	struct ctm_process *p;
	unsigned int n = 0;

	mutex_lock(&registry_lock);
	list_for_each_entry(p, &registry_list, all)
		n += READ_ONCE(p->here) || p->limbo;
	mutex_unlock(&registry_lock);
	return n;
}

/*
 * Of one capsule: its tasks are those of the leader's PID namespace, but for the
 * keeper, which sleeps in a cgroup of its own.  There is no list of a cgroup's tasks
 * for us, and all tasks of the machine would be too many.
 */
static bool count_runnable(struct ctm_process *p, void *arg)
{
	struct pid_namespace *ns;
	struct task_struct *t;
	unsigned int n = 0;
	struct pid *pid;
	int nr;

	rcu_read_lock();
	t = pid_task(p->leader, PIDTYPE_PID);
	ns = t ? task_active_pid_ns(t) : NULL;
	if (ns && ns != &init_pid_ns)
		idr_for_each_entry(&ns->idr, pid, nr) {
			t = pid_task(pid, PIDTYPE_PID);
			n += t && task_is_running(t) && task_dfl_cgroup(t) == p->cgrp;
		}
	else if (t)
		n = task_is_running(t);
	rcu_read_unlock();
	*(unsigned int *)arg += n;
	return true;
}

unsigned int ctm_process_runnable(void)
{
	unsigned int n = 0;

	ctm_process_each_here(count_runnable, &n);
	return n;
}

/* the entries with a GPID above @after, ascending, at most @max: those that run
 * here or wait in limbo, and those of ours of which no host would tell */
static unsigned int list_local(u64 after, struct ctm_info *out, unsigned int max, bool ended)
{
	struct ctm_process *p, *best;
	unsigned int n = 0;

	while (n < max) {
		best = NULL;
		mutex_lock(&registry_lock);
		list_for_each_entry(p, &registry_list, all) {
			if (p->gpid <= after || (best && p->gpid > best->gpid))
				continue;
			if (p->forking)
				continue;
			if (p->here || p->limbo || (ctm_process_is_home(p) && (ended || !p->ended)))
				best = p;
		}
		if (best)
			ctm_process_get(best);
		mutex_unlock(&registry_lock);
		if (!best)
			break;
		ctm_process_info(best, &out[n++]);
		after = best->gpid;
		ctm_process_put(best);
	}
	return n;
}

struct list_request {
	__u64 after;
	__u32 ended;
	__u32 pad;
};
#define LIST_BATCH	(CTM_CALL_MAX / sizeof(struct ctm_info))

static int serve_list(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct list_request *r = req;
	unsigned int n;

	if (len != sizeof(*r))
		return -EBADMSG;
	n = list_local(r->after, resp, min_t(size_t, *resp_len / sizeof(struct ctm_info), LIST_BATCH),
		       r->ended);
	*resp_len = n * sizeof(struct ctm_info);
	return 0;
}

struct snapshot {
	struct ctm_info *v;
	unsigned int n, room;
};

/* one view of a process replaces another when it comes from its host */
static int snapshot_add(struct snapshot *s, const struct ctm_info *in, u32 from)
{
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (s->v[i].gpid == in->gpid) {
			if (in->host == from && in->state != CTM_STATE_ENDED)
				s->v[i] = *in;
			return 0;
		}
	if (s->n == s->room) {
		unsigned int room = s->room ? 2 * s->room : 64;
		struct ctm_info *v;

		if (room > PROCESSES_MAX)
			return -E2BIG;
		v = kvmalloc_array(room, sizeof(*v), GFP_KERNEL);
		if (!v)
			return -ENOMEM;
		memcpy(v, s->v, s->n * sizeof(*v));
		kvfree(s->v);
		s->v = v;
		s->room = room;
	}
	s->v[s->n++] = *in;
	return 0;
}

static int snapshot_node(struct snapshot *s, u32 node, struct ctm_info *batch, bool ended)
{
	struct list_request r = { .ended = ended };
	size_t len;
	unsigned int i, n;
	int err;

	do {
		len = LIST_BATCH * sizeof(*batch);
		if (node == ctm_node_id()) {
			n = list_local(r.after, batch, LIST_BATCH, ended);
		} else {
			if (ctm_call(node, CTM_CALL_LIST, &r, sizeof(r), batch, &len, LIST_TIMEOUT_MS))
				return 0;	/* it will be missing; peers shows why */
			n = len / sizeof(*batch);
		}
		for (i = 0; i < n; i++) {
			batch[i].comm[CTM_COMM_MAX - 1] = 0;
			batch[i].home_name[CTM_NAME_MAX - 1] = 0;
			batch[i].host_name[CTM_NAME_MAX - 1] = 0;
			err = snapshot_add(s, &batch[i], node);
			if (err)
				return err;
		}
		if (n && batch[n - 1].gpid <= r.after)
			break;			/* a peer that goes round in circles */
		if (n)
			r.after = batch[n - 1].gpid;
	} while (n == LIST_BATCH);
	return 0;
}

#define SNAPSHOT_PEERS	4096u

int ctm_process_snapshot(struct ctm_info **out, unsigned int *n, bool ended)
{
	struct snapshot s = {};
	struct ctm_info *batch;
	unsigned int i, peers;
	u32 *ids;
	int err = -ENOMEM;

	batch = kvmalloc_array(LIST_BATCH, sizeof(*batch), GFP_KERNEL);
	ids = kvmalloc_array(SNAPSHOT_PEERS, sizeof(*ids), GFP_KERNEL);
	if (!batch || !ids)
		goto out;
	err = snapshot_node(&s, ctm_node_id(), batch, ended);
	peers = ctm_peers(ids, SNAPSHOT_PEERS);
	for (i = 0; i < peers && !err; i++)
		err = snapshot_node(&s, ids[i], batch, ended);
out:
	kvfree(ids);
	kvfree(batch);
	if (err) {
		kvfree(s.v);
		return err;
	}
	*out = s.v;
	*n = s.n;
	return 0;
}

/* ---- who may ---- */

void ctm_caller_current(struct ctm_caller *c)
{
	memset(c, 0, sizeof(*c));
	c->uid = from_kuid(&init_user_ns, current_uid());
	c->gid = from_kgid(&init_user_ns, current_gid());
	if (capable(CAP_SYS_ADMIN))
		c->flags |= CTM_CALLER_ADMIN;
	if (capable(CAP_KILL))
		c->flags |= CTM_CALLER_KILL;
}

static bool owns(const struct cred *cred, const struct ctm_caller *by)
{
	kuid_t uid = make_kuid(&init_user_ns, by->uid);
	kgid_t gid = make_kgid(&init_user_ns, by->gid);

	return uid_eq(cred->uid, uid) && uid_eq(cred->euid, uid) && uid_eq(cred->suid, uid) &&
	       gid_eq(cred->gid, gid) && gid_eq(cred->egid, gid) && gid_eq(cred->sgid, gid) &&
	       cap_isclear(cred->cap_permitted);
}

int ctm_owned_by(struct task_struct *leader, const struct ctm_caller *by)
{
	struct task_struct *t;
	int err = 0;

	if (by->flags & CTM_CALLER_ADMIN)
		return 0;
	rcu_read_lock();
	for_each_thread(leader, t)
		if (!owns(__task_cred(t), by))
			err = -EPERM;
	rcu_read_unlock();
	return err;
}

int ctm_may_act(struct ctm_process *p, const struct ctm_caller *by)
{
	struct task_struct *leader;
	struct mm_struct *mm;
	int err;

	if (by->flags & CTM_CALLER_ADMIN)
		return 0;
	leader = ctm_process_leader(p);
	if (!leader)
		return -ESRCH;
	err = ctm_owned_by(leader, by);
	mm = get_task_mm(leader);
	if (mm) {
		if (ctm_task_dumpable(leader, mm) != 1)
			err = -EPERM;
		mmput(mm);
	}
	put_task_struct(leader);
	return err;
}

/* ---- life of the module ---- */

int ctm_process_init(void)
{
	int err = rhashtable_init(&registry, &by_gpid);

	if (err)
		return err;
	INIT_DELAYED_WORK(&sweeper, sweep);
	schedule_delayed_work(&sweeper, 60 * HZ);
	ctm_call_handler(CTM_CALL_EXITED, serve_exited);
	ctm_call_handler(CTM_CALL_LIST, serve_list);
	ctm_call_handler(CTM_CALL_VOID, serve_void);
	ctm_node_on_peer_change(on_peer_change);
	return 0;
}

/*
 * At module exit nobody else is left: every file of the device is closed (they
 * hold the module), the node is down, and no call is being served.
 */
void ctm_process_exit(void)
{
	struct ctm_process *p, *next;

	ctm_node_on_peer_change(NULL);
	ctm_call_handler(CTM_CALL_VOID, NULL);
	ctm_call_handler(CTM_CALL_LIST, NULL);
	ctm_call_handler(CTM_CALL_EXITED, NULL);
	cancel_delayed_work_sync(&sweeper);
	list_for_each_entry_safe(p, next, &registry_list, all) {
		if (cancel_delayed_work_sync(&p->report))
			ctm_process_put(p);
		if (cancel_delayed_work_sync(&p->settle))
			ctm_process_put(p);
		mutex_lock(&p->journey);
		ctm_process_unhost(p);
		mutex_unlock(&p->journey);
		ctm_process_forget(p);
	}
	rcu_barrier();			/* kfree_rcu, and rhashtable's own */
	rhashtable_destroy(&registry);
}
