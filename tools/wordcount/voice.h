/* SPDX-License-Identifier: GPL-2.0 */
/*
 * voice.h - what wordcount and map say to the continuumctl that has started them
 *
 * On standard output, a pipe: frames, each a struct voice_frame and its payload. Both ends are
 * of one build and on one node, so that structures go as they are.
 */
#ifndef WORDCOUNT_VOICE_H
#define WORDCOUNT_VOICE_H

#include <stddef.h>
#include <stdint.h>

/**
 * enum voice_type - of a frame
 * @VOICE_DATA:     bytes for standard output
 * @VOICE_MESSAGE:  a line for standard error, without its end
 * @VOICE_ERRORS:   bytes that a command wrote to its standard error
 * @VOICE_PROGRESS: struct voice_progress
 * @VOICE_NODE:     struct voice_node, one each node, at the end
 * @VOICE_TOTALS:   struct voice_totals, at the end, when all went well
 */
enum voice_type {
	VOICE_DATA	= 1,
	VOICE_MESSAGE	= 2,
	VOICE_ERRORS	= 3,
	VOICE_PROGRESS	= 4,
	VOICE_NODE	= 5,
	VOICE_TOTALS	= 6,
};

#define VOICE_MAX	(1u << 20)	/* bytes of a payload */

struct voice_frame {
	uint32_t type;
	uint32_t length;
};

enum voice_phase {
	VOICE_PUT,	/* read and stored */
	VOICE_FORK,
	VOICE_WORK,
	VOICE_PHASES,
};

/** struct voice_progress - chunks; @total is 0 when it is not known */
struct voice_progress {
	uint32_t phase;
	uint32_t pad;
	uint64_t done, total;
};

/** struct voice_node - what the workers that ended on a node have done; ns are sums over them */
struct voice_node {
	char name[64];
	uint64_t workers, chunks, bytes, fetch_ns, work_ns;
};

/** struct voice_totals - @again: workers whose chunks were given to another */
struct voice_totals {
	uint64_t words, bytes, chunks, workers, again, waves;
	uint64_t phase_ns[VOICE_PHASES], total_ns;
};

/** voice_say() - one frame; what cannot be written ends the program.  Payloads may be longer than VOICE_MAX with VOICE_DATA, VOICE_ERRORS */
void voice_say(enum voice_type type, const void *data, size_t length);
/** voice_tell() - a VOICE_MESSAGE */
void voice_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** voice_progress() - not more often than ten times a second */
void voice_progress(enum voice_phase phase, uint64_t done, uint64_t total);

/** clock_ns() - CLOCK_MONOTONIC */
uint64_t clock_ns(void);

#endif /* WORDCOUNT_VOICE_H */
