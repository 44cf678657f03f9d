/* SPDX-License-Identifier: GPL-2.0 */
/*
 * crew.h - workers all over the cluster, each with a job of its own
 *
 * A job is a range of chunks of the wave. Each is given to a worker, a child made by DIST_FORK,
 * which leaves a struct crew_result. Whatever becomes of workers and nodes, each job is done
 * once: the first result counts. One that was lost, with its worker or its node, is given to
 * another, so many times.
 */
#ifndef WORDCOUNT_CREW_H
#define WORDCOUNT_CREW_H

#include <stdbool.h>
#include <stdint.h>

#include "../lib/continuum.h"
#include "chunks.h"
#include "options.h"
#include "voice.h"

#define CREW_NODES	256u

/**
 * struct crew_result - what a worker leaves, 64 bytes
 * @job:   which
 * @error: 0, or a positive errno of what failed, at chunk @chunk of the wave
 * @fetch_ns, @work_ns: spent on getting blocks, on the rest
 * @words, @bytes, @head, @tail: struct words_span (word count)
 * @name:  of a block that lists the output (map)
 */
struct crew_result {
	uint32_t magic;
	uint32_t job;
	uint32_t error;
	uint32_t chunk;
	uint64_t fetch_ns, work_ns;
	union {
		struct {
			uint64_t words, bytes;
			uint8_t head, tail, pad[14];
		};
		uint8_t name[CTM_BLOCK_NAME];
	};
};
#define CREW_MAGIC	0x6b726f77u

enum crew_state { CREW_TODO, CREW_RUNNING, CREW_DONE };

/** struct crew_job - chunks @first to @first + @count - 1 of the wave */
struct crew_job {
	uint32_t first, count;
	uint32_t state;			/* enum crew_state */
	uint32_t tries;
	struct crew_result result;
};

struct crew_worker {
	uint64_t gpid;
	uint64_t since;			/* clock_ns() of its start */
	uint32_t node, job;
	bool gone;			/* has ended, or is not waited for any more */
};

/**
 * struct crew - all of it
 * @work: in a worker: does job @job, fills in the result
 * @done: in the controller, in the order of the file: a job's result is there.  0 or -errno, said
 * @over: in the controller: so is the wave; may be NULL
 * @chunks: of what; to be opened
 * @timeout_ns: a worker that takes longer is destroyed, 0: none is
 * @total: chunks of all, for the progress; the rest is crew.c's
 */
struct crew {
	int device;
	void *context;
	void (*work)(void *context, const struct crew_job *job, struct crew_result *result);
	int (*done)(void *context, const struct crew_job *job);
	void (*over)(void *context);
	struct chunks *chunks;
	uint64_t timeout_ns, total;

	struct crew_job *jobs;
	uint32_t job_count, done_count;
	uint32_t next;			/* job whose result is wanted next */
	uint32_t batch;			/* children of a fork, at most: fewer where nodes have no room */
	uint32_t *todo;			/* jobs of the fork under way, by index of the child */
	struct crew_worker *workers;
	uint32_t worker_count, worker_slots, running;
	uint64_t last_end, last_look, fork_failed, fork_tried;
	uint64_t chunks_done;

	struct voice_node nodes[CREW_NODES];
	uint32_t node_count;
	struct voice_totals totals;
};

/**
 * crew_run() - the whole file, wave by wave
 *
 * Returns in the controller alone: 0 when all jobs are done, or -errno, said.
 */
int crew_run(struct crew *crew, const struct options *o);

/** crew_report() - VOICE_NODE frames and VOICE_TOTALS */
void crew_report(struct crew *crew);

#endif /* WORDCOUNT_CREW_H */
