// SPDX-License-Identifier: GPL-2.0
/*
 * wordcount.c - word count over the cluster: the process that continuumctl wordcount starts
 *
 * It stays small and has one thread, few descriptors and no timers, for all of it is copied
 * to each worker. A worker counts the chunks of its job and leaves a struct words_span; the
 * controller joins these in the order of the file.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crew.h"
#include "words.h"

#define FETCH_BYTES	(1u << 20)	/* got in one call, but at least a chunk */
#define FETCH_MAX	64u

struct wordcount {
	struct chunks chunks;
	struct crew crew;
	enum words_rule rule;
	struct words_span all;
};

/* ---- a worker ---- */

struct fetcher {
	const struct wordcount *w;
	enum words_method method;
	char *buffer;
	uint32_t room;			/* chunks that fit */
};

static int fetch(struct fetcher *f, const struct chunk *list, uint32_t count, struct ctm_block *blocks)
{
	for (uint32_t i = 0; i < count; i++) {
		blocks[i] = (struct ctm_block){
			.buf = (uintptr_t)(f->buffer + (size_t)i * f->w->chunks.size), .len = list[i].length,
		};
		memcpy(blocks[i].name, list[i].name, CTM_BLOCK_NAME);
	}
	return continuum_blocks(f->w->crew.device, CTM_IOC_GET, 0, blocks, count, 0, NULL);
}

static void find_error(const struct ctm_block *blocks, uint32_t count, uint32_t first, int error,
		       struct crew_result *result)
{
	result->error = (uint32_t)-error;
	result->chunk = first;
	for (uint32_t i = count; i--;)
		if (blocks[i].error) {
			result->error = blocks[i].error;
			result->chunk = first + i;
		}
}

/* @count chunks from @first on.  Return: false after an error, which is in @result */
static bool count_some(struct fetcher *f, uint32_t first, uint32_t count, struct words_span *span,
		       struct crew_result *result)
{
	struct ctm_block blocks[FETCH_MAX];
	uint64_t begin = clock_ns(), middle;
	int error = fetch(f, f->w->chunks.list + first, count, blocks);

	middle = clock_ns();
	result->fetch_ns += middle - begin;
	if (error) {
		find_error(blocks, count, first, error, result);
		return false;
	}
	for (uint32_t i = 0; i < count; i++)
		*span = words_join(*span, words_count(f->method, f->w->rule,
						      (const uint8_t *)(uintptr_t)blocks[i].buf, blocks[i].len));
	result->work_ns += clock_ns() - middle;
	return true;
}

static void work(void *context, const struct crew_job *job, struct crew_result *result)
{
	const struct wordcount *w = context;
	struct fetcher f = { .w = w, .method = words_best(), .room = FETCH_BYTES / w->chunks.size };
	struct words_span span = WORDS_NOTHING;
	uint32_t done = 0, n;

	f.room = f.room < 1 ? 1 : f.room > FETCH_MAX ? FETCH_MAX : f.room;
	f.buffer = mmap(NULL, (size_t)f.room * w->chunks.size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (f.buffer == MAP_FAILED) {
		result->error = (uint32_t)errno;
		return;
	}
	for (; done < job->count; done += n) {
		n = job->count - done < f.room ? job->count - done : f.room;
		if (!count_some(&f, job->first + done, n, &span, result))
			return;
	}
	result->words = span.words;
	result->bytes = span.bytes;
	result->head = span.head;
	result->tail = span.tail;
}

/* ---- the controller ---- */

static int done(void *context, const struct crew_job *job)
{
	struct wordcount *w = context;

	w->all = words_join(w->all, (struct words_span){
		.words = job->result.words, .bytes = job->result.bytes,
		.head = job->result.head, .tail = job->result.tail,
	});
	return 0;
}

static int count_all(struct wordcount *w, const struct options *o)
{
	int error = crew_run(&w->crew, o);

	if (error || w->all.bytes == w->chunks.bytes)
		return error;
	voice_tell("%s: %llu bytes were read, %llu counted", o->file,
		   (unsigned long long)w->chunks.bytes, (unsigned long long)w->all.bytes);
	return -EIO;
}

int main(int argc, char **argv)
{
	static struct wordcount w = { .all = WORDS_NOTHING };
	struct options o;
	int device;

	if (options_parse(&o, argc, argv) || *o.what < '0' || *o.what >= '0' + WORDS_RULES)
		return 2;
	device = continuum_open();
	if (device < 0) {
		voice_tell("/dev/continuum: %s", strerror(-device));
		return 1;
	}
	w.rule = (enum words_rule)(*o.what - '0');
	w.chunks = (struct chunks){ .device = device, .fd = -1, .path = o.file, .size = o.chunk, .room = o.room };
	w.crew = (struct crew){
		.device = device, .context = &w, .work = work, .done = done, .chunks = &w.chunks,
		.timeout_ns = o.timeout_ms * 1000000,
	};
	if (count_all(&w, &o))
		return 1;
	w.crew.totals.words = w.all.words;
	crew_report(&w.crew);
	return 0;
}
