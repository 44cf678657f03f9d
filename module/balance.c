// SPDX-License-Identifier: GPL-2.0
/*
 * balance.c - the pressure valve
 *
 * After each sample of the load, core/policy.c is asked whether a process should leave,
 * with what is known of the peers and of the processes here; what it says is done.  One
 * departure is under way at a time:
 *
 *   chosen     `armed` names the process; a tick that hits it starts the departure, for
 *              then it is certainly running.  One that no tick hits (it uses memory, not
 *              the CPU) is started with the next sample
 *   started    journey.c has it, and calls ended()
 *
 * balance_mutex covers all but `armed`, which ticks look at, in hard interrupts.  It is
 * taken before the registry's lock, and held while peers and processes are looked at,
 * never while one waits for a peer.
 */
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "balance.h"
#include "capture.h"
#include "journey.h"
#include "land.h"
#include "load.h"
#include "net/peers.h"
#include "process.h"
#include "tick.h"

#define CPU_WEIGHT	5	/* samples that a process's CPU use is averaged over */
#define DRAIN_IDLE	50	/* samples without a departure: nothing more can be done */

/* One node a machine: file scope. */
static DEFINE_MUTEX(balance_mutex);
static struct ctm_policy policy;
static struct ctm_process *leaving;	/* a reference; NULL: nobody */
static struct ctm_departure departure;
static bool started;
static unsigned int idle;		/* samples of a drain in which nothing left */
static bool drained;
static u64 last_sample;

static struct ctm_process *armed;	/* = leaving, until it was started; no reference */
static void start(struct work_struct *work);
static DECLARE_WORK(start_work, start);

/* ---- departures ---- */

static void ended(struct ctm_process *p, int err, bool refused, const char *why);

/* the one that was chosen, unless it is on its way already */
static void start_locked(void)
{
	int err;

	lockdep_assert_held(&balance_mutex);
	WRITE_ONCE(armed, NULL);
	if (!leaving || started)
		return;
	started = true;
	err = ctm_depart(leaving, &departure);
	if (err) {
		ctm_po_done(&policy, ktime_get_ns(), CTM_PO_FAILED);
		ctm_process_put(leaving);
		leaving = NULL;
	}
}

static void start(struct work_struct *work)
{
	mutex_lock(&balance_mutex);
	start_locked();
	mutex_unlock(&balance_mutex);
}

/* hard interrupt */
static void on_tick(const struct ctm_tick *tick)
{
	if (READ_ONCE(armed) == tick->p && cmpxchg(&armed, tick->p, NULL) == tick->p)
		queue_work(system_highpri_wq, &start_work);
}

static void ended(struct ctm_process *p, int err, bool refused, const char *why)
{
	bool cluster;

	mutex_lock(&balance_mutex);
	cluster = departure.cluster;
	if (p == leaving) {
		ctm_po_done(&policy, ktime_get_ns(),
			    !err ? CTM_PO_MOVED : refused ? CTM_PO_REFUSED : CTM_PO_FAILED);
		leaving = NULL;
		ctm_process_put(p);
	}
	mutex_unlock(&balance_mutex);
	if (!err)
		ctm_count(cluster ? CTM_CNT_VALVE_MOVED : CTM_CNT_DRAIN_MOVED);
	else
		ctm_count(refused ? CTM_CNT_VALVE_REFUSED : CTM_CNT_VALVE_FAILED);
}

/* ---- what the policy looks at ---- */

static void self_load(const struct ctm_load *l, struct ctm_po_load *out)
{
	*out = (struct ctm_po_load){
		.cpu = l->cpu, .mem = l->mem, .runnable = l->runnable, .pressure = l->pressure,
		.cpus = num_online_cpus(), .free_mib = l->free_mib,
	};
}

struct view {
	struct ctm_po_peer *peers;
	unsigned int npeers;
	struct ctm_po_process *procs;
	struct ctm_process **owners;	/* of procs: references */
	unsigned int nprocs, room;
};

static void view_free(struct view *v)
{
	while (v->nprocs)
		ctm_process_put(v->owners[--v->nprocs]);
	kvfree(v->owners);
	kvfree(v->procs);
	kvfree(v->peers);
}

static int view_peers(struct view *v)
{
	char why[CTM_REASON_MAX];
	struct ctm_peer_row *rows;
	int i, n = ctm_peer_rows(&rows);

	if (n < 0)
		return n;
	v->peers = kvcalloc(n + 1, sizeof(*v->peers), GFP_KERNEL);
	if (!v->peers) {
		kvfree(rows);
		return -ENOMEM;
	}
	for (i = 0; i < n; i++)
		v->peers[v->npeers++] = (struct ctm_po_peer){
			.id = rows[i].info.id,
			.age_ms = rows[i].age_ms,
			.usable = rows[i].info.state == CTM_PEER_ALIVE && rows[i].info.accepting &&
				  !ctm_abi_compatible(ctm_abi_self(), &rows[i].info.abi, why),
			.load = {
				.cpu = rows[i].cpu, .mem = rows[i].mem,
				.runnable = rows[i].runnable, .pressure = rows[i].pressure,
				.cpus = rows[i].info.cpus, .free_mib = rows[i].info.free_mib,
			},
		};
	kvfree(rows);
	return 0;
}

static bool add_process(struct ctm_process *p, void *arg)
{
	struct view *v = arg;

	if (v->nprocs == v->room)
		return false;
	ctm_process_get(p);
	v->owners[v->nprocs++] = p;
	return true;
}

static bool is_busy(struct ctm_process *p)
{
	bool busy;

	spin_lock(&p->lock);
	busy = !p->here || p->state != CTM_STATE_RUNNING || p->under_way || p->arriving;
	spin_unlock(&p->lock);
	return busy;
}

static void fill_process(struct ctm_process *p, struct ctm_po_process *out)
{
	u64 cpu_ns, rss;
	bool here = ctm_process_usage(p, &cpu_ns, &rss);

	*out = (struct ctm_po_process){
		.gpid = p->gpid,
		.cpu = p->cpu,
		.rss_mib = DIV_ROUND_UP_ULL(rss, 1 << 20),
		.used_ms = min_t(u64, div_u64(cpu_ns, NSEC_PER_MSEC), U32_MAX),
		.here_ms = min_t(u64, div_u64(ktime_get_ns() - p->here_since, NSEC_PER_MSEC), U32_MAX),
		.pinned = READ_ONCE(p->flags) & CTM_ADOPT_PIN,
		.busy = !here || is_busy(p),
		.cooling = &p->cooling,
	};
}

static int view_processes(struct view *v)
{
	unsigned int i;

	v->room = ctm_process_count_here() + 16;
	v->procs = kvcalloc(v->room, sizeof(*v->procs), GFP_KERNEL);
	v->owners = kvcalloc(v->room, sizeof(*v->owners), GFP_KERNEL);
	if (!v->procs || !v->owners)
		return -ENOMEM;
	ctm_process_each_here(add_process, v);
	for (i = 0; i < v->nprocs; i++)
		fill_process(v->owners[i], &v->procs[i]);
	return 0;
}

/* ---- every 100 ms ---- */

static void choose(const struct ctm_po_load *self)
{
	bool draining = ctm_po_mode(&policy) == CTM_PO_DRAINING;
	struct ctm_po_move m;
	struct view v = {};

	lockdep_assert_held(&balance_mutex);
	if (view_peers(&v) || view_processes(&v))
		goto out;
	if (ctm_po_choose(&policy, ktime_get_ns(), self, v.peers, v.npeers, v.procs, v.nprocs, &m)) {
		leaving = v.owners[m.process];
		ctm_process_get(leaving);
		departure = (struct ctm_departure){
			.target = v.peers[m.peer].id,
			.cluster = m.cause != CTM_PO_DRAIN,
			.ended = ended,
		};
		started = false;
		drained = false;
		idle = 0;
		if (m.cause == CTM_PO_DRAIN)
			start_locked();
		else
			WRITE_ONCE(armed, leaving);
	}
	if (draining && !leaving)
		drained = ctm_po_left(&policy, v.procs, v.nprocs) == v.nprocs || ++idle >= DRAIN_IDLE;
out:
	view_free(&v);
}

static bool take_cpu(struct ctm_process *p, void *arg)
{
	u64 charged = atomic64_read(&p->charged_ns), span = *(u64 *)arg;
	s64 lately = min_t(u64, div64_u64((charged - p->seen_ns) * 1000, span), S32_MAX);

	p->seen_ns = charged;
	p->cpu += (lately - (s64)p->cpu) / CPU_WEIGHT;
	return true;
}

/* from the work that measures the load */
static void on_sample(const struct ctm_load *now)
{
	u64 ns = ktime_get_ns(), span = ns - last_sample;
	struct ctm_po_load self;

	if (!span)
		return;
	mutex_lock(&balance_mutex);
	last_sample = ns;
	ctm_process_each_here(take_cpu, &span);
	self_load(now, &self);
	ctm_po_sample(&policy, &self);
	start_locked();
	if (ctm_node_is_up() && !leaving && ctm_po_mode(&policy) != CTM_PO_NORMAL)
		choose(&self);
	mutex_unlock(&balance_mutex);
}

/* ---- what others ask ---- */

static u32 choose_any(struct ctm_process *p)
{
	struct ctm_po_process proc;
	struct view v = {};
	u32 id = 0;
	int i;

	fill_process(p, &proc);
	mutex_lock(&balance_mutex);
	if (!view_peers(&v)) {
		i = ctm_po_best(&policy, ktime_get_ns(), v.peers, v.npeers, &proc);
		id = i < 0 ? 0 : v.peers[i].id;
	}
	mutex_unlock(&balance_mutex);
	view_free(&v);
	return id;
}

static u32 tenth(u32 thousandths)
{
	return thousandths / 100 % 10;
}

static void advise_valve(const struct ctm_po_load *self, const struct ctm_po_process *proc,
			 struct ctm_explain_ctx *x, bool open, enum ctm_po_cause cause)
{
	static const char * const causes[] = {
		[CTM_PO_PRESSURE] = "its pressure is above t_high", [CTM_PO_WATCHDOG] = "its CPUs are contended",
		[CTM_PO_DRAIN] = "it is draining",
	};
	const char *why;

	if (!open) {
		ctm_note(x, "valve", "%s: nothing leaves %s by itself (pressure %u.%u, t_high %u.%u)",
			 policy.cfg.valve ? "shut" : "turned off", ctm_node_name(), self->pressure / 1000,
			 tenth(self->pressure), policy.cfg.t_high / 1000, tenth(policy.cfg.t_high));
		return;
	}
	why = ctm_po_stays(&policy, ktime_get_ns(), self, proc, cause);
	ctm_note(x, "valve", "open, for %s: %s%s%s", ctm_node_name(), causes[cause],
		 why ? "; and yet this one stays: " : "; this one may leave", why ?: "");
}

static void advise_peer(const struct ctm_po_load *self, const struct ctm_po_peer *peer, const char *name,
			const struct ctm_po_process *proc, struct ctm_explain_ctx *x, bool open,
			enum ctm_po_cause cause)
{
	bool measured;
	u32 ms = ctm_journey_estimate_ms((u64)proc->rss_mib << 20, &measured);
	const char *why = open ? ctm_po_spares(&policy, ktime_get_ns(), self, peer, proc, cause) :
				 peer->usable ? NULL : "it takes nothing from here";

	ctm_note(x, "peer", "%s: %s %u ms for %u MiB%s%s", name, measured ? "about" : "perhaps", ms,
		 proc->rss_mib, why ? "; the valve spares it: " : open ? "; the valve may choose it" : "", why ?: "");
}

static void advise(struct ctm_process *p, struct ctm_explain_ctx *x)
{
	struct ctm_po_process proc;
	struct ctm_peer_info info;
	struct ctm_po_load self;
	enum ctm_po_cause cause;
	struct ctm_load now;
	struct view v = {};
	unsigned int i;
	bool open;

	ctm_load_get(&now);
	self_load(&now, &self);
	fill_process(p, &proc);
	mutex_lock(&balance_mutex);
	open = ctm_po_open(&policy, &cause);
	advise_valve(&self, &proc, x, open, cause);
	if (!view_peers(&v))
		for (i = 0; i < v.npeers; i++)
			if (!ctm_peer_by_id(v.peers[i].id, &info) && info.state == CTM_PEER_ALIVE)
				advise_peer(&self, &v.peers[i], info.name, &proc, x, open, cause);
	mutex_unlock(&balance_mutex);
	view_free(&v);
}

static const struct ctm_journey_policy journey_policy = { .choose = choose_any, .advise = advise };

static int admit(u32 from, u64 rss, char *why)
{
	struct ctm_po_load self;
	struct ctm_load now;
	const char *no;

	ctm_load_get(&now);
	self_load(&now, &self);
	mutex_lock(&balance_mutex);
	no = ctm_po_admit(&policy, ktime_get_ns(), &self, from, min_t(u64, rss >> 20, U32_MAX));
	mutex_unlock(&balance_mutex);
	if (!no)
		return 0;
	ctm_count(CTM_CNT_NOT_ADMITTED);
	snprintf(why, CTM_REASON_MAX, "%s: %s", ctm_node_name(), no);
	return -EXDEV;
}

static void landed(bool here)
{
	mutex_lock(&balance_mutex);
	ctm_po_landed(&policy, ktime_get_ns(), here);
	mutex_unlock(&balance_mutex);
}

static const struct ctm_land_gate gate = { .admit = admit, .landed = landed };

void ctm_balance_config(struct ctm_po_config *out)
{
	mutex_lock(&balance_mutex);
	*out = policy.cfg;
	mutex_unlock(&balance_mutex);
}

int ctm_balance_wrong(const struct ctm_po_config *cfg, char *why)
{
	const char *wrong = ctm_po_config_wrong(cfg);

	if (!wrong)
		return 0;
	strscpy(why, wrong, CTM_REASON_MAX);
	return -EINVAL;
}

void ctm_balance_set(const struct ctm_po_config *cfg)
{
	mutex_lock(&balance_mutex);
	policy.cfg = *cfg;
	mutex_unlock(&balance_mutex);
}

int ctm_balance_up(const struct ctm_po_config *cfg, char *why)
{
	int err = ctm_balance_wrong(cfg, why);

	if (err)
		return err;
	ctm_balance_set(cfg);
	ctm_balance_drain(false, false);
	return 0;
}

void ctm_balance_drain(bool on, bool force)
{
	mutex_lock(&balance_mutex);
	ctm_po_drain(&policy, on, force);
	idle = 0;
	drained = false;
	mutex_unlock(&balance_mutex);
	ctm_node_set_draining(on);
	ctm_node_refresh();
}

void ctm_balance_status(struct ctm_balance_status *out)
{
	mutex_lock(&balance_mutex);
	out->mode = ctm_po_mode_name(ctm_po_mode(&policy));
	out->drained = drained;
	mutex_unlock(&balance_mutex);
}

/* ---- life of the module ---- */

int ctm_balance_init(void)
{
	ctm_po_init(&policy, &ctm_po_default, get_random_u64());
	last_sample = ktime_get_ns();
	ctm_land_gate(&gate);
	ctm_journey_policy(&journey_policy);
	ctm_tick_register(CTM_TICK_VALVE, on_tick);
	ctm_load_on_sample(on_sample);
	return 0;
}

/* The node is down.  A departure under way still ends here, before journey.c is gone. */
void ctm_balance_exit(void)
{
	ctm_load_on_sample(NULL);
	ctm_tick_register(CTM_TICK_VALVE, NULL);
	cancel_work_sync(&start_work);
	ctm_journey_policy(NULL);
	ctm_land_gate(NULL);
}
