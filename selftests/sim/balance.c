// SPDX-License-Identifier: GPL-2.0
/*
 * balance.c - many nodes with core/policy.c, and jobs of which a few are very long
 *
 * The world: nodes with CPUs that are shared evenly, memory, heartbeats that are late,
 * old and sometimes lost, and handoffs during which a job does not run.  Each node
 * decides for itself, every 100 ms of its own phase, from what it has heard.
 *
 * What is asked of it: the makespan, moves a job, and that nothing is sent back to where
 * it has just come from.  The makespan is held against
 *   offline  the best schedule: LPT (the longest job first, which takes all lengths to be
 *            known) where all jobs are there at once, else a bound that none can beat;
 *   sharing  what perfect sharing makes of it: all jobs of the cluster get the same share of
 *            all its CPUs, at no cost.  Nobody who does not know which jobs are long can
 *            do much better, and where jobs crowd, that is far from offline.
 *
 * SEED=n repeats one; -b: fewer worlds.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../module/core/policy.h"
#include "../ktap.h"
#include "../unit/random.h"

#define MS		1000000ull
#define SEC		(1000 * MS)
#define STEP		(50 * MS)
#define SAMPLE		(100 * MS)
#define HEARTBEAT	(1000 * MS)
#define HEARD		4		/* heartbeats that may still be on their way */
#define MIB_TOTAL	65536u
#define MIB_USED	8192u		/* by others */
#define NET_MIB_S	100.0
#define HANDOFF_MS	150u
#define BACK_MS		10000u		/* to and fro within that is ping-pong */

struct job {
	u64 arrives;			/* time */
	double size, left;		/* CPU ms */
	u32 node;
	u32 mib;
	u64 since;			/* on this node */
	u64 lands;			/* while it moves: when; else 0 */
	u32 moves;
	u32 from;			/* the node before, + 1 */
	double got;			/* CPU ms in the last second, decaying */
	bool here, done;
	struct ctm_po_cooling cooling;
};

struct beat {
	u64 at;
	struct ctm_po_load load;
};

struct node {
	struct ctm_policy po;
	u32 cpus;
	u32 running;			/* jobs */
	u32 mib;
	double others;			/* tasks of others, for a moment */
	struct beat beats[HEARD];
	u64 phase, beat_phase;
	u32 job;			/* of the move under way */
	int landing;			/* jobs */
};

struct world {
	u64 now;
	u32 nnodes, njobs;
	struct node *nodes;
	struct job *jobs;
	struct rng rng;
	u64 seed;
	/* scratch */
	struct ctm_po_peer *peers;
	struct ctm_po_process *procs;
	u32 *proc_job;
	/* what came of it */
	u32 moves, refused, ping_pong, done;
	u64 last_move;
};

static double uniform(struct rng *r)
{
	return (double)(rng_next(r) >> 11) / 9007199254740992.0;
}

/* a hash of a few numbers: the same heartbeat is late for one and lost for another */
static u64 mix(u64 a, u64 b, u64 c)
{
	struct rng r = { a * 0x9e3779b97f4a7c15ull ^ b * 0xc2b2ae3d27d4eb4full ^ c };

	return rng_next(&r);
}

/* ---- load, and what is heard of it ---- */

static void load_of(struct world *w, u32 i, struct ctm_po_load *l)
{
	struct node *n = &w->nodes[i];
	u32 used = MIB_USED + n->mib;

	memset(l, 0, sizeof(*l));
	l->cpus = n->cpus;
	l->cpu = n->running >= n->cpus ? 99000 : n->running * 100000 / n->cpus + 1000;
	l->mem = (u32)((u64)used * 100000 / MIB_TOTAL);
	l->free_mib = MIB_TOTAL - used;
	l->runnable = (u32)((n->running + n->others) * 1000 / n->cpus);
	l->pressure = l->cpu + 2 * l->mem;
}

/* the newest heartbeat of @j that has reached @i */
static const struct beat *heard(struct world *w, u32 i, u32 j)
{
	const struct beat *best = NULL;

	for (u32 k = 0; k < HEARD; k++) {
		const struct beat *b = &w->nodes[j].beats[k];
		u64 h = mix(w->seed + i, j, b->at);

		if (!b->at || h % 100 < 5 || b->at + (20 + h % 300) * MS > w->now)
			continue;
		if (!best || b->at > best->at)
			best = b;
	}
	return best;
}

static u32 peers_of(struct world *w, u32 i)
{
	u32 n = 0;

	for (u32 j = 0; j < w->nnodes; j++) {
		const struct beat *b = j == i ? NULL : heard(w, i, j);

		if (!b)
			continue;
		w->peers[n++] = (struct ctm_po_peer){
			.id = j, .age_ms = (u32)((w->now - b->at) / MS), .usable = true, .load = b->load,
		};
	}
	return n;
}

static u32 procs_of(struct world *w, u32 i)
{
	u32 n = 0;

	for (u32 j = 0; j < w->njobs; j++) {
		struct job *job = &w->jobs[j];

		if (!job->here || job->done || job->node != i)
			continue;
		w->procs[n] = (struct ctm_po_process){
			.gpid = j + 1, .cpu = (u32)job->got, .rss_mib = job->mib,
			.used_ms = (u32)(job->size - job->left),
			.here_ms = (u32)((w->now - job->since) / MS), .cooling = &job->cooling,
		};
		w->proc_job[n++] = j;
	}
	return n;
}

/* ---- moves ---- */

static void take(struct node *n, const struct job *job, int sign)
{
	n->running += sign;
	n->mib += sign * (int)job->mib;
}

static void begin_move(struct world *w, u32 i, u32 j, u32 target)
{
	struct job *job = &w->jobs[j];
	struct ctm_po_load l;

	load_of(w, target, &l);
	if (ctm_po_admit(&w->nodes[target].po, w->now, &l, i, job->mib)) {
		w->refused++;
		ctm_po_done(&w->nodes[i].po, w->now, CTM_PO_REFUSED);
		return;
	}
	if (job->from == target + 1 && w->now - job->since < BACK_MS * MS)
		w->ping_pong++;
	take(&w->nodes[i], job, -1);
	w->nodes[i].job = j + 1;
	job->here = false;
	job->from = i + 1;
	job->node = target;
	job->lands = w->now + (u64)((HANDOFF_MS + 1000 * job->mib / NET_MIB_S) * MS);
	job->moves++;
	w->moves++;
	w->last_move = w->now;
}

static void land(struct world *w, struct job *job)
{
	struct node *to = &w->nodes[job->node], *from = &w->nodes[job->from - 1];

	job->lands = 0;
	job->here = true;
	job->since = w->now;
	job->got = 0;
	take(to, job, 1);
	ctm_po_landed(&to->po, w->now, true);
	ctm_po_arrived(&job->cooling, w->now, job->moves, job->mib);
	from->job = 0;
	ctm_po_done(&from->po, w->now, CTM_PO_MOVED);
}

/* ---- time ---- */

static void run_jobs(struct world *w, double ms)
{
	for (u32 j = 0; j < w->njobs; j++) {
		struct job *job = &w->jobs[j];
		struct node *n = &w->nodes[job->node];
		double rate;

		if (job->done)
			continue;
		if (!job->here) {
			if (job->lands ? job->lands <= w->now : job->arrives <= w->now) {
				if (job->lands) {
					land(w, job);
				} else {
					job->here = true;
					job->since = w->now;
					take(n, job, 1);
				}
			}
			continue;
		}
		rate = n->running > n->cpus ? (double)n->cpus / n->running : 1;
		job->left -= rate * ms;
		job->got += (1000 * rate - job->got) * ms / 500;
		if (job->left <= 0) {
			job->done = true;
			w->done++;
			take(n, job, -1);
		}
	}
}

static void decide(struct world *w, u32 i)
{
	struct node *n = &w->nodes[i];
	struct ctm_po_load self;
	struct ctm_po_move m;
	u32 np, nn;

	n->others += (uniform(&w->rng) * 0.5 - n->others) / 8;
	load_of(w, i, &self);
	ctm_po_sample(&n->po, &self);
	if (ctm_po_mode(&n->po) == CTM_PO_NORMAL)
		return;
	np = procs_of(w, i);
	nn = peers_of(w, i);
	if (ctm_po_choose(&n->po, w->now, &self, w->peers, nn, w->procs, np, &m))
		begin_move(w, i, w->proc_job[m.process], w->peers[m.peer].id);
}

static void step(struct world *w)
{
	w->now += STEP;
	run_jobs(w, (double)STEP / MS);
	for (u32 i = 0; i < w->nnodes; i++) {
		struct node *n = &w->nodes[i];

		if ((w->now + n->beat_phase) % HEARTBEAT < STEP) {
			memmove(n->beats + 1, n->beats, (HEARD - 1) * sizeof(*n->beats));
			n->beats[0].at = w->now;
			load_of(w, i, &n->beats[0].load);
		}
		if ((w->now + n->phase) % SAMPLE < STEP)
			decide(w, i);
	}
}

static void world_new(struct world *w, u32 nnodes, u32 njobs, u32 cpus, u64 seed)
{
	memset(w, 0, sizeof(*w));
	w->now = SEC;			/* 0 is "never" here and there */
	w->nnodes = nnodes;
	w->njobs = njobs;
	w->seed = seed;
	w->rng.state = seed;
	w->nodes = calloc(nnodes, sizeof(*w->nodes));
	w->jobs = calloc(njobs, sizeof(*w->jobs));
	w->peers = calloc(nnodes, sizeof(*w->peers));
	w->procs = calloc(njobs, sizeof(*w->procs));
	w->proc_job = calloc(njobs, sizeof(*w->proc_job));
	for (u32 i = 0; i < nnodes; i++) {
		w->nodes[i].cpus = cpus;
		w->nodes[i].phase = rng_below(&w->rng, SAMPLE / STEP) * STEP;
		w->nodes[i].beat_phase = rng_below(&w->rng, HEARTBEAT / STEP) * STEP;
		ctm_po_init(&w->nodes[i].po, &ctm_po_default, rng_next(&w->rng));
	}
}

static void world_free(struct world *w)
{
	free(w->nodes);
	free(w->jobs);
	free(w->peers);
	free(w->procs);
	free(w->proc_job);
}

/* ---- what cannot be beaten, and what is hard to beat ---- */

static int by_arrival(const void *a, const void *b)
{
	const struct job *x = a, *y = b;

	return x->arrives < y->arrives ? -1 : x->arrives > y->arrives;
}

/* ms from the start: no job ends before its arrival and length, and after any moment the
 * work that comes still has to be done by all CPUs
 */
static double lower_bound(struct world *w, u64 start, u32 cpus)
{
	double bound = 0, work = 0, t;

	qsort(w->jobs, w->njobs, sizeof(*w->jobs), by_arrival);
	for (u32 j = w->njobs; j--;) {
		struct job *job = &w->jobs[j];

		work += job->size;
		t = (double)(job->arrives - start) / MS;
		if (t + job->size > bound)
			bound = t + job->size;
		if (t + work / cpus > bound)
			bound = t + work / cpus;
	}
	return bound;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x > y ? -1 : x < y;
}

/* the longest first, each to the CPU that is free first: all lengths are known */
static double lpt(const struct world *w, u32 cpus)
{
	double *size = calloc(w->njobs, sizeof(*size)), *busy = calloc(cpus, sizeof(*busy)), most = 0;

	for (u32 j = 0; j < w->njobs; j++)
		size[j] = w->jobs[j].size;
	qsort(size, w->njobs, sizeof(*size), by_size);
	for (u32 j = 0; j < w->njobs; j++) {
		u32 least = 0;

		for (u32 c = 1; c < cpus; c++)
			if (busy[c] < busy[least])
				least = c;
		busy[least] += size[j];
		if (busy[least] > most)
			most = busy[least];
	}
	free(size);
	free(busy);
	return most;
}

/* ---- mixes ---- */

/* Pareto, bounded: many short ones, and half of the work in a few */
static double pareto(struct rng *r, double alpha, double least, double most)
{
	double u = uniform(r), ratio = pow(least / most, alpha);

	return least / pow(1 - u * (1 - ratio), 1 / alpha);
}

enum placing { ONE_NODE, RANDOM_NODE, FEW_NODES };

/* all times in s.  @crowded: offline knows too much to be compared with */
struct mix {
	const char *name;
	u32 nodes, cpus, jobs;
	double alpha, least, most;
	double spread;			/* arrivals, evenly at random over that time; 0: all at once */
	enum placing placing;
	u32 mib;			/* up to */
	bool crowded;
};

static void make_jobs(struct world *w, const struct mix *m)
{
	for (u32 j = 0; j < w->njobs; j++) {
		struct job *job = &w->jobs[j];

		job->size = job->left = 1000 * pareto(&w->rng, m->alpha, m->least, m->most);
		job->arrives = w->now + (u64)(m->spread * uniform(&w->rng) * SEC);
		job->mib = 4 + (u32)rng_below(&w->rng, m->mib);
		switch (m->placing) {
		case ONE_NODE:
			job->node = 0;
			break;
		case RANDOM_NODE:
			job->node = (u32)rng_below(&w->rng, w->nnodes);
			break;
		case FEW_NODES:
			job->node = (u32)rng_below(&w->rng, (w->nnodes + 3) / 4);
			break;
		}
	}
}

/* ms.  @jobs are sorted by arrival */
static double sharing(const struct world *w, u64 start, u32 cpus)
{
	double t = 0, served = 0, *until = calloc(w->njobs, sizeof(*until));
	u32 come = 0, gone = 0;

	/* a job ends when each of those that are there has been served so much */
	while (gone < w->njobs) {
		double rate, next = INFINITY, arrival = INFINITY, dt;
		u32 first = 0;

		for (u32 j = 0; j < come; j++)
			if (until[j] < next) {
				next = until[j];
				first = j;
			}
		if (come < w->njobs)
			arrival = (double)(w->jobs[come].arrives - start) / MS;
		rate = come - gone > cpus ? (double)cpus / (come - gone) : 1;
		dt = come > gone ? (next - served) / rate : INFINITY;
		if (arrival <= t + dt) {
			served += come > gone ? (arrival - t) * rate : 0;
			t = arrival;
			until[come] = served + w->jobs[come].size;
			come++;
		} else {
			t += dt;
			served = next;
			until[first] = INFINITY;
			gone++;
		}
	}
	free(until);
	return t;
}

struct outcome {
	double makespan, offline, sharing;	/* s */
	double moves;				/* a job */
	u32 ping_pong, refused;
	bool finished;
};

static void run_mix(const struct mix *m, u64 seed, struct outcome *out)
{
	u32 cpus = m->nodes * m->cpus;
	struct world w;
	u64 start;

	world_new(&w, m->nodes, m->jobs, m->cpus, seed);
	start = w.now;
	make_jobs(&w, m);
	out->offline = lower_bound(&w, start, cpus) / 1000;
	out->sharing = sharing(&w, start, cpus) / 1000;
	if (m->spread == 0)
		out->offline = lpt(&w, cpus) / 1000;
	while (w.done < w.njobs && w.now - start < (u64)(20 * out->offline * SEC))
		step(&w);
	out->makespan = (double)(w.now - start) / SEC;
	out->moves = (double)w.moves / m->jobs;
	out->ping_pong = w.ping_pong;
	out->refused = w.refused;
	out->finished = w.done == w.njobs;
	world_free(&w);
}

#define HEAVY	1.1, 20, 3600

static const struct mix mixes[] = {
	{ "3 a CPU, on one node", 10, 1, 30, HEAVY, 0, ONE_NODE, 200, false },
	{ "3 a CPU, at random", 40, 1, 120, HEAVY, 0, RANDOM_NODE, 200, false },
	{ "3 a CPU, on a quarter", 20, 2, 120, HEAVY, 0, FEW_NODES, 200, false },
	{ "2 a CPU, 4 CPUs a node", 10, 4, 80, HEAVY, 0, RANDOM_NODE, 200, false },
	{ "arriving for an hour", 10, 1, 250, HEAVY, 3600, RANDOM_NODE, 200, false },
	{ "arriving, on a quarter", 10, 2, 500, HEAVY, 3600, FEW_NODES, 500, false },
	{ "crowd of 15 a CPU", 10, 1, 150, HEAVY, 0, RANDOM_NODE, 200, true },
};

static u32 worlds = 20;

struct sum {
	double mean, worst;
	u64 seed;
};

static void add(struct sum *s, double x, u64 seed)
{
	s->mean += x / worlds;
	if (x > s->worst) {
		s->worst = x;
		s->seed = seed;
	}
}

static void one_mix(const struct mix *m, u64 seed)
{
	struct sum off = { 0 }, share = { 0 }, moves = { 0 };
	u32 refused = 0;

	for (u32 k = 0; k < worlds; k++) {
		struct outcome o = { 0 };

		run_mix(m, seed + k, &o);
		CHECK(o.finished);
		if (!CHECK(!o.ping_pong))
			ktap_note("... %u times: SEED=%llu, %s", o.ping_pong,
				  (unsigned long long)seed + k, m->name);
		add(&off, o.makespan / o.offline, seed + k);
		add(&share, o.makespan / o.sharing, seed + k);
		add(&moves, o.moves, seed + k);
		refused += o.refused;
	}
	ktap_note("%-23s %4u %4u   %5.3f %5.3f %5llu   %5.3f %5.3f   %4.2f %4.2f   %.2f", m->name,
		  m->nodes * m->cpus, m->jobs, off.mean, off.worst, (unsigned long long)off.seed,
		  share.mean, share.worst, moves.mean, moves.worst, (double)refused / worlds / m->jobs);
	if (m->crowded)
		CHECK(share.mean <= 1.15);
	else
		CHECK(off.mean <= 1.15);
	CHECK(moves.worst <= 1.5);
}

static void makespan(void)
{
	u64 seed = rng_seed(1);

	ktap_note("%u worlds each, seeds from %llu; makespan divided by that of ...", worlds,
		  (unsigned long long)seed);
	ktap_note("%-23s %4s %4s   %-17s   %-11s   %-9s   %s", "", "", "", "offline", "sharing",
		  "moves", "refused");
	ktap_note("%-23s %4s %4s   %5s %5s %5s   %5s %5s   %4s %4s   %s", "mix", "CPUs", "jobs", "mean",
		  "worst", "seed", "mean", "worst", "mean", "most", "a job");
	for (u32 i = 0; i < ARRAY_SIZE(mixes); i++)
		one_mix(&mixes[i], seed);
}

static const struct ktap_test tests[] = {
	{ "balance: makespan and moves of heavy-tailed mixes", makespan },
};

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "-b"))
		worlds = 8;
	return ktap_run(tests, ARRAY_SIZE(tests));
}
