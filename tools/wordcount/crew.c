// SPDX-License-Identifier: GPL-2.0
/*
 * crew.c - workers all over the cluster, each with a job of its own
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crew.h"

#define SEC		1000000000ull
#define MS		1000000ull

#define AT_ONCE		4000u		/* workers that live: a family may have 4,096 processes */
#define TRIES		8u		/* of a job, before all is given up */
#define FORK_PATIENCE	(90 * SEC)	/* while no child can be made and none lives */
#define FORK_PAUSE	(1 * SEC)
#define LOOK_EVERY	(2 * SEC)	/* at nodes whose workers are silent */

static void show_progress(const struct crew *crew, enum voice_phase phase)
{
	voice_progress(phase, crew->chunks->first + crew->chunks_done, crew->total);
}

/* ---- jobs ---- */

static int said(int error, const char *what, const char *reason)
{
	voice_tell("%s: %s", what, reason && reason[0] ? reason : strerror(-error));
	return error;
}

static int share_out(struct crew *crew, uint32_t count, uint32_t workers)
{
	uint32_t jobs = workers < count ? workers : count;

	crew->jobs = calloc(jobs, sizeof(*crew->jobs));
	crew->todo = calloc(jobs, sizeof(*crew->todo));
	if (!crew->jobs || !crew->todo)
		return said(-ENOMEM, "jobs", NULL);
	for (uint32_t i = 0; i < jobs; i++) {
		uint32_t first = (uint32_t)((uint64_t)i * count / jobs);

		crew->jobs[i].first = first;
		crew->jobs[i].count = (uint32_t)((uint64_t)(i + 1) * count / jobs) - first;
	}
	crew->job_count = jobs;
	crew->done_count = 0;
	return 0;
}

static int again(struct crew *crew, uint32_t number, const char *why)
{
	struct crew_job *job = &crew->jobs[number];

	if (job->state != CREW_RUNNING)
		return 0;
	job->state = CREW_TODO;
	crew->totals.again++;
	if (++job->tries < TRIES)
		return 0;
	voice_tell("chunks %llu to %llu: tried %u times; the last worker: %s",
		   (unsigned long long)crew->chunks->first + job->first,
		   (unsigned long long)crew->chunks->first + job->first + job->count - 1, TRIES, why);
	return -EIO;
}

/* ---- forks ---- */

static struct crew_worker *add_worker(struct crew *crew)
{
	if (crew->worker_count == crew->worker_slots) {
		uint32_t slots = crew->worker_slots ? 2 * crew->worker_slots : 1024;
		struct crew_worker *list = reallocarray(crew->workers, slots, sizeof(*list));

		if (!list)
			return NULL;
		crew->workers = list;
		crew->worker_slots = slots;
	}
	return &crew->workers[crew->worker_count++];
}

static void __attribute__((noreturn)) be_worker(struct crew *crew, uint32_t number)
{
	struct crew_result result = { .magic = CREW_MAGIC, .job = number };

	_Static_assert(sizeof(result) == CTM_RESULT_MAX, "a result");
	crew->work(crew->context, &crew->jobs[number], &result);
	_exit(continuum_result(crew->device, &result, sizeof(result)) || result.error);
}

static bool is_hopeless(int error)
{
	return error == -EOPNOTSUPP || error == -ESRCH || error == -ETIME || error == -EINVAL ||
	       error == -EPERM || error == -ENOTTY || error == -E2BIG || error == -EFAULT;
}

static uint32_t choose(struct crew *crew)
{
	uint32_t room = crew->running < AT_ONCE ? AT_ONCE - crew->running : 0, count = 0;

	if (room > crew->batch)
		room = crew->batch;
	for (uint32_t i = 0; i < crew->job_count && count < room; i++)
		if (crew->jobs[i].state == CREW_TODO)
			crew->todo[count++] = i;
	return count;
}

static int enter(struct crew *crew, const struct ctm_fork_child *children, uint32_t count)
{
	uint64_t now = clock_ns();

	for (uint32_t i = 0; i < count; i++) {
		struct crew_worker *worker;

		if (children[i].error)
			continue;
		worker = add_worker(crew);
		if (!worker)
			return said(-ENOMEM, "workers", NULL);
		*worker = (struct crew_worker){
			.gpid = children[i].gpid, .node = children[i].node, .since = now,
			.job = crew->todo[i],
		};
		crew->jobs[crew->todo[i]].state = CREW_RUNNING;
		crew->running++;
		crew->totals.workers++;
	}
	crew->last_end = now;
	return 0;
}

/* Workers for all jobs that have none, as far as that goes.  Return: 0 or -errno */
static int fork_some(struct crew *crew)
{
	char reason[CTM_REASON_MAX] = "";
	uint32_t count = choose(crew), index = 0;
	struct ctm_fork_child *children;
	uint64_t begin = clock_ns();
	int made, error;

	if (!count || (crew->fork_failed && begin - crew->fork_tried < FORK_PAUSE))
		return 0;
	children = calloc(count, sizeof(*children));
	if (!children)
		return said(-ENOMEM, "fork", NULL);
	show_progress(crew, VOICE_FORK);
	made = continuum_dist_fork(crew->device, children, count, NULL, 0, &index, reason);
	if (!made)
		be_worker(crew, crew->todo[index]);
	error = made > 0 ? enter(crew, children, count) : 0;
	free(children);
	crew->totals.phase_ns[VOICE_FORK] += clock_ns() - begin;
	if (made > 0 && (uint32_t)made == count) {
		crew->fork_failed = 0;
		crew->batch = crew->batch > CTM_FORK_MAX / 2 ? CTM_FORK_MAX : 2 * crew->batch;
		return error;
	}
	if (made < 0 && count > 1)
		crew->batch = count / 2;
	crew->fork_tried = made < 0 && count > 1 ? 0 : clock_ns();
	if (made > 0 || crew->running || !crew->fork_failed)
		crew->fork_failed = clock_ns();
	if (error || made > 0)
		return error;
	if (is_hopeless(made) || (!crew->running && clock_ns() - crew->fork_failed > FORK_PATIENCE))
		return said(made, "fork", reason);
	return 0;
}

/* ---- ends ---- */

static struct crew_worker *find_worker(struct crew *crew, uint64_t gpid)
{
	for (uint32_t i = crew->worker_count; i--;)
		if (crew->workers[i].gpid == gpid)
			return &crew->workers[i];
	return NULL;
}

static struct voice_node *find_node(struct crew *crew, const char *name)
{
	uint32_t i = 0;

	while (i < crew->node_count && strncmp(crew->nodes[i].name, name, sizeof(crew->nodes[i].name)))
		i++;
	if (i == CREW_NODES)
		return NULL;
	if (i == crew->node_count) {
		snprintf(crew->nodes[i].name, sizeof(crew->nodes[i].name), "%.63s", name);
		crew->node_count++;
	}
	return &crew->nodes[i];
}

/* Results are taken in the order of the file, as far as they have come. */
static int take_in_order(struct crew *crew)
{
	int error = 0;

	while (!error && crew->next < crew->job_count && crew->jobs[crew->next].state == CREW_DONE)
		error = crew->done(crew->context, &crew->jobs[crew->next++]);
	return error;
}

static int take_result(struct crew *crew, struct crew_job *job, const struct crew_result *result,
		       const char *host)
{
	struct voice_node *node = find_node(crew, host);

	job->state = CREW_DONE;
	job->result = *result;
	crew->done_count++;
	crew->chunks_done += job->count;
	if (node) {
		node->workers++;
		node->chunks += job->count;
		node->bytes += chunks_bytes(crew->chunks, job->first, job->count);
		node->fetch_ns += result->fetch_ns;
		node->work_ns += result->work_ns;
	}
	show_progress(crew, VOICE_WORK);
	return take_in_order(crew);
}

/* It is in no node any more, a worker says. */
static int put_again(struct crew *crew, uint32_t chunk)
{
	return chunk < crew->chunks->count ? chunks_again(crew->chunks, chunk) : -EIO;
}

static const char *end_text(const struct ctm_wait *record)
{
	static const char *const ends[] = {
		[CTM_END_EXIT] = "it ended without a result", [CTM_END_SIGNAL] = "killed by a signal",
		[CTM_END_HOST_LOST] = "its host was lost", [CTM_END_TTL] = "its time to live was over",
		[CTM_END_LEASE] = "its lease ran out", [CTM_END_DESTROYED] = "destroyed",
	};

	return record->end < sizeof(ends) / sizeof(ends[0]) && ends[record->end] ? ends[record->end] :
	       "it ended";
}

/* A worker has ended: with a result that counts, or its job is for another. */
static int take_end(struct crew *crew, const struct ctm_wait *record)
{
	struct crew_worker *worker = find_worker(crew, record->gpid);
	struct crew_result result;
	struct crew_job *job;
	bool was_gone;
	int error;

	if (!worker)
		return 0;
	was_gone = worker->gone;
	if (!was_gone)
		crew->running--;
	worker->gone = true;
	job = &crew->jobs[worker->job];
	if (job->state == CREW_DONE)
		return 0;
	memcpy(&result, record->result, sizeof(result));
	if (record->result_len != sizeof(result) || result.magic != CREW_MAGIC || result.job != worker->job)
		return was_gone ? 0 : again(crew, worker->job, end_text(record));
	if (!result.error)
		return take_result(crew, job, &result, record->host_name);
	if (result.error == ENOENT || result.error == EUCLEAN) {
		error = put_again(crew, result.chunk);
		if (error)
			return error;
	}
	return was_gone ? 0 : again(crew, worker->job, strerror((int)result.error));
}

/* All ends that are known.  Return: how many, or -errno */
static int take_ends(struct crew *crew)
{
	struct ctm_wait record;
	int error, count = 0;

	for (;;) {
		error = continuum_wait(crew->device, 0, CTM_WAIT_CHILD | CTM_WAIT_NOHANG, &record);
		if (error == -EINTR)
			continue;
		if (error == -EAGAIN || error == -ECHILD)
			return count;
		if (error)
			return said(error, "wait", NULL);
		error = take_end(crew, &record);
		if (error)
			return error;
		crew->last_end = clock_ns();
		count++;
	}
}

/* ---- those from which nothing is heard ---- */

static int give_up(struct crew *crew, struct crew_worker *worker, const char *why)
{
	worker->gone = true;
	crew->running--;
	return again(crew, worker->job, why);
}

/* Its node does not answer: neither do the others that it has. */
static int give_up_node(struct crew *crew, uint32_t node)
{
	uint32_t count = 0;
	int error = 0;

	for (uint32_t i = 0; i < crew->worker_count && !error; i++)
		if (!crew->workers[i].gone && crew->workers[i].node == node) {
			error = give_up(crew, &crew->workers[i], "its node does not answer");
			count++;
		}
	voice_tell("a node does not answer: what its %u workers had to do is done by others", count);
	return error;
}

static int look_at(struct crew *crew, struct crew_worker *worker)
{
	struct ctm_info info;
	int error = continuum_info(crew->device, worker->gpid, &info);

	if (error == -ESRCH)
		return give_up(crew, worker, "it is gone");
	if (error == -EHOSTUNREACH || error == -ETIMEDOUT || (!error && info.state == CTM_STATE_LIMBO))
		return give_up_node(crew, worker->node);
	return 0;
}

/* One worker of each node, when none has ended for a while. */
static int look_at_nodes(struct crew *crew)
{
	uint32_t seen[CREW_NODES], count = 0, i, k;
	uint64_t now = clock_ns();
	int error = 0;

	if (now - crew->last_end < LOOK_EVERY || now - crew->last_look < LOOK_EVERY)
		return 0;
	for (i = 0; i < crew->worker_count && !error; i++) {
		struct crew_worker *worker = &crew->workers[i];

		if (worker->gone)
			continue;
		for (k = 0; k < count && seen[k] != worker->node; k++)
			;
		if (k < count || count == CREW_NODES)
			continue;
		seen[count++] = worker->node;
		error = look_at(crew, worker);
	}
	crew->last_look = clock_ns();
	return error;
}

static int end_the_late(struct crew *crew)
{
	uint64_t now = clock_ns();
	int error = 0;

	if (!crew->timeout_ns)
		return 0;
	for (uint32_t i = 0; i < crew->worker_count && !error; i++) {
		struct crew_worker *worker = &crew->workers[i];

		if (worker->gone || now - worker->since < crew->timeout_ns)
			continue;
		voice_tell("a worker has not answered for %llu s: it is destroyed, and its work done by another",
			   (unsigned long long)((now - worker->since) / SEC));
		continuum_destroy(crew->device, worker->gpid, NULL);
		error = give_up(crew, worker, "it did not answer in time");
	}
	return error;
}

/* ---- all of it ---- */

static void pause_for(uint64_t ns)
{
	struct timespec t = { .tv_nsec = (long)ns };

	nanosleep(&t, NULL);
}

static int run_jobs(struct crew *crew)
{
	uint64_t pause = 2 * MS;
	int error, ends;

	while (crew->done_count < crew->job_count) {
		error = fork_some(crew);
		ends = error ? error : take_ends(crew);
		if (ends < 0)
			return ends;
		if (ends) {
			pause = 2 * MS;
			continue;
		}
		error = look_at_nodes(crew);
		if (!error)
			error = end_the_late(crew);
		if (error)
			return error;
		pause_for(pause);
		pause = pause < 50 * MS ? 2 * pause : pause;
	}
	return 0;
}

static int run_wave(struct crew *crew, uint32_t workers)
{
	uint64_t begin = clock_ns(), forked = crew->totals.phase_ns[VOICE_FORK];
	uint32_t count = crew->chunks->count;
	int error;

	if (!count)
		return 0;
	crew->chunks_done = 0;
	crew->next = 0;
	crew->worker_count = crew->running = 0;
	crew->fork_failed = 0;
	crew->batch = CTM_FORK_MAX;
	crew->last_end = crew->last_look = begin;
	error = share_out(crew, count, workers);
	if (!error)
		error = run_jobs(crew);
	free(crew->jobs);
	free(crew->todo);
	crew->jobs = NULL;
	crew->todo = NULL;
	crew->totals.waves++;
	crew->totals.chunks += count;
	crew->totals.phase_ns[VOICE_WORK] += clock_ns() - begin -
					     (crew->totals.phase_ns[VOICE_FORK] - forked);
	return error;
}

int crew_run(struct crew *crew, const struct options *o)
{
	struct chunks *chunks = crew->chunks;
	uint64_t begin = clock_ns();
	int error = chunks_open(chunks);

	crew->total = (chunks->total + o->chunk - 1) / o->chunk;
	while (!error && !chunks->over) {
		uint64_t put = clock_ns();

		error = chunks_next(chunks);
		crew->totals.phase_ns[VOICE_PUT] += clock_ns() - put;
		if (!error)
			error = run_wave(crew, options_share(o, chunks->count, crew->total));
		if (crew->over)
			crew->over(crew->context);
	}
	if (!error)
		error = chunks_close(chunks);
	crew->totals.bytes = chunks->bytes;
	crew->totals.total_ns = clock_ns() - begin;
	return error;
}

void crew_report(struct crew *crew)
{
	for (uint32_t i = 0; i < crew->node_count; i++)
		voice_say(VOICE_NODE, &crew->nodes[i], sizeof(crew->nodes[i]));
	voice_say(VOICE_TOTALS, &crew->totals, sizeof(crew->totals));
}
