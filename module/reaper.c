// SPDX-License-Identifier: GPL-2.0
/*
 * reaper.c - ends processes whose time to live or lease is over
 *
 * p->life (core/ttl.h) is covered by p->lock.  Looking at a process costs a walk over
 * its tasks, so it is done where something hangs on it: before a hop, and when the
 * ticks say that a part of its lease may have been used.  The tick reads p->lease_due,
 * no more, and queues p->reap; the bit CTM_REAPING is set from then until the work is
 * done, so that the work is never queued twice, and its reference to the process is
 * the only one.
 *
 * A family's processes on one node are bounded by pids.max of the capsule; that a
 * process has reached it is looked for every few seconds, and told once.
 */
#include <linux/cgroup.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "capture.h"
#include "netlink.h"
#include "reaper.h"
#include "tick.h"

#define KILL_MS		10000
#define NS_PER_MS	1000000ull
#define BUDGET_LOOK	(500 * NS_PER_MS)
#define BUDGET_TEXT	"its budget of processes on this node is used up: fork fails (EAGAIN)"

static struct workqueue_struct *workers;

/* ---- looking ---- */

#ifdef CONFIG_TASK_XACCT
/* bytes that write(2) and its kin took, of everything in the capsule; what has ended is in its parent's */
static u64 output_of(struct ctm_process *p)
{
	struct task_struct *g, *t;
	struct cgroup *cgrp;
	u64 bytes = 0;

	spin_lock(&p->lock);
	cgrp = p->here ? p->cgrp : NULL;	/* only compared: it may go */
	spin_unlock(&p->lock);
	if (!cgrp)
		return 0;
	rcu_read_lock();
	for_each_process(g) {
		if (task_dfl_cgroup(g) != cgrp)
			continue;
		bytes += g->signal->ioac.wchar;
		for_each_thread(g, t)
			bytes += t->ioac.wchar;
	}
	rcu_read_unlock();
	return bytes;
}
#else
static u64 output_of(struct ctm_process *p)
{
	return 0;
}
#endif

/* Return: false: its lease is over */
static bool look(struct ctm_process *p)
{
	u64 output = output_of(p), cpu = atomic64_read(&p->charged_ns);
	bool good;

	spin_lock(&p->lock);
	good = ctm_life_look(&p->life, cpu, output);
	spin_unlock(&p->lock);
	return good;
}

/* from here on ticks look at it: when a part of its lease may be used, or a second of CPU time */
static void watch(struct ctm_process *p)
{
	u64 due, next = atomic64_read(&p->charged_ns) + BUDGET_LOOK;

	spin_lock(&p->lock);
	due = ctm_life_due(&p->life);
	WRITE_ONCE(p->lease_due, due && due < next ? due : next);
	spin_unlock(&p->lock);
}

void ctm_reaper_look(struct ctm_process *p, struct ctm_life *out)
{
	look(p);
	spin_lock(&p->lock);
	*out = p->life;
	spin_unlock(&p->lock);
}

/* ---- the budget of processes ---- */

/* "max N": so many forks have failed */
static u64 read_hits(struct file *f)
{
	char text[64];
	loff_t pos = 0;
	ssize_t n = kernel_read(f, text, sizeof(text) - 1, &pos);
	unsigned long long hits;

	if (n <= 0)
		return 0;
	text[n] = 0;
	return sscanf(text, "max %llu", &hits) == 1 ? hits : 0;
}

u64 ctm_reaper_budget_hits(struct ctm_process *p)
{
	struct file *f;
	u64 hits;

	spin_lock(&p->lock);
	f = p->budget_file ? get_file(p->budget_file) : NULL;
	spin_unlock(&p->lock);
	if (!f)
		return 0;
	hits = read_hits(f);
	fput(f);
	return hits;
}

/* it has told the program (EAGAIN); once it tells people, too */
static void check_budget(struct ctm_process *p)
{
	u64 hits = ctm_reaper_budget_hits(p);
	char home[CTM_NAME_MAX];
	bool first;

	spin_lock(&p->lock);
	first = hits && !p->budget_hits;
	p->budget_hits = hits;
	spin_unlock(&p->lock);
	if (!first)
		return;
	ctm_peer_name(CTM_GPID_NODE(p->gpid), home);
	pr_warn("continuum: process %s.%u: " BUDGET_TEXT "\n", home, CTM_GPID_SEQ(p->gpid));
	ctm_event_process(CTM_NL_EV_PROCESS_BUDGET, p->gpid, ctm_node_id(), BUDGET_TEXT);
}

/* ---- ending ---- */

static const char *end_text(enum ctm_end why)
{
	return why == CTM_END_TTL ? "its time to live is over" : "its lease is over";
}

/*
 * If a journey is under way its outcome decides: a process that has left takes its
 * bounds with it.
 */
static void end(struct ctm_process *p, enum ctm_end why)
{
	char home[CTM_NAME_MAX];
	bool here;

	mutex_lock(&p->journey);
	spin_lock(&p->lock);
	here = p->here;
	if (here)
		p->end_why = why;
	spin_unlock(&p->lock);
	if (here) {
		ctm_peer_name(CTM_GPID_NODE(p->gpid), home);
		pr_info("continuum: process %s.%u: destroyed: %s\n", home, CTM_GPID_SEQ(p->gpid),
			end_text(why));
		ctm_count(CTM_CNT_REAPED);
		if (ctm_kill_copy(p, KILL_MS))
			pr_warn("continuum: process %s.%u: tasks of it do not die\n", home,
				CTM_GPID_SEQ(p->gpid));
	}
	mutex_unlock(&p->journey);
}

void ctm_reaper_work(struct work_struct *work)
{
	struct ctm_process *p = container_of(work, struct ctm_process, reap);
	enum ctm_end why = READ_ONCE(p->end_wanted);

	check_budget(p);
	if (!why && READ_ONCE(p->life.lease) && !look(p))
		why = CTM_END_LEASE;
	if (why)
		end(p, why);
	else
		watch(p);
	clear_bit(CTM_REAPING, &p->reaping);
	ctm_process_put(p);
}

/* Hard interrupt */
static void on_tick(const struct ctm_tick *tick)
{
	struct ctm_process *p = tick->p;
	u64 due = READ_ONCE(p->lease_due);

	if (likely(!due) || atomic64_read(&p->charged_ns) < due)
		return;
	if (test_and_set_bit(CTM_REAPING, &p->reaping))
		return;
	if (!kref_get_unless_zero(&p->ref))
		return;
	WRITE_ONCE(p->lease_due, 0);
	queue_work(workers, &p->reap);
}

/* ---- what others tell ---- */

void ctm_reaper_adopted(struct ctm_process *p, u32 ttl, u32 lease_ms)
{
	spin_lock(&p->lock);
	ctm_life_start(&p->life, ttl, lease_ms * NS_PER_MS);
	p->end_why = 0;
	spin_unlock(&p->lock);
	watch(p);
}

void ctm_reaper_landed(struct ctm_process *p)
{
	u64 output = output_of(p);	/* what the restorer has written */

	spin_lock(&p->lock);
	p->life.cpu = 0;
	p->life.output = output;
	p->end_why = 0;
	p->end_wanted = 0;
	spin_unlock(&p->lock);
	watch(p);
}

int ctm_reaper_hop(struct ctm_process *p)
{
	u32 ttl;

	look(p);
	spin_lock(&p->lock);
	ttl = p->life.ttl;
	spin_unlock(&p->lock);
	if (ttl)
		return 0;
	if (test_and_set_bit(CTM_REAPING, &p->reaping))
		return -ETIME;		/* looked at this moment: the next hop will do */
	ctm_process_get(p);
	WRITE_ONCE(p->end_wanted, CTM_END_TTL);
	queue_work(workers, &p->reap);
	return -ETIME;
}

int ctm_worked(struct ctm_worked *arg)
{
	struct ctm_process *p = ctm_process_of_task(current);

	if (!p)
		return -ESRCH;
	look(p);			/* what was used up to now does not count any more */
	spin_lock(&p->lock);
	ctm_life_worked(&p->life);
	arg->ttl = p->life.ttl;
	spin_unlock(&p->lock);
	ctm_process_put(p);
	return 0;
}

void ctm_reaper_set_ttl(struct ctm_process *p, u32 ttl)
{
	spin_lock(&p->lock);
	ctm_life_set_ttl(&p->life, ttl);
	spin_unlock(&p->lock);
}

void ctm_reaper_set_lease(struct ctm_process *p, u32 lease_ms)
{
	look(p);
	spin_lock(&p->lock);
	ctm_life_set_lease(&p->life, lease_ms * NS_PER_MS);
	spin_unlock(&p->lock);
	watch(p);
}

/* ---- life of the module ---- */

int ctm_reaper_init(void)
{
	workers = alloc_workqueue("ctm_reaper", WQ_UNBOUND, 0);
	if (!workers)
		return -ENOMEM;
	ctm_tick_register(CTM_TICK_LEASE, on_tick);
	return 0;
}

void ctm_reaper_exit(void)
{
	ctm_tick_register(CTM_TICK_LEASE, NULL);
	destroy_workqueue(workers);
}
