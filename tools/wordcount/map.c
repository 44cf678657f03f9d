// SPDX-License-Identifier: GPL-2.0
/*
 * map.c - a command over the chunks of a file: the process that continuumctl map starts
 *
 * A worker runs the command for each chunk of its job, puts what comes out as blocks, and
 * leaves the name of one more block, which lists them. The controller fetches them, job by
 * job, in the order of the file. Of the output of a job that is done twice, one is taken.
 *
 * Exit status: the highest of the commands; 125 when Continuum failed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crew.h"
#include "filter.h"

#define MAP_FAILED_STATUS	125
#define ENTRIES_MAX		(CTM_BLOCK_MAX / sizeof(struct entry))
#define GET_TRIES		10

enum kind {
	KIND_OUTPUT,
	KIND_ERRORS,
	KIND_END,		/* of a chunk, with the status */
};

/** struct entry - of the list of a job's output */
struct entry {
	uint32_t kind;
	uint32_t status;
	uint64_t chunk;
	uint32_t length;
	uint32_t pad;
	uint8_t name[CTM_BLOCK_NAME];
};

struct map {
	struct chunks chunks;
	struct crew crew;
	const char *command;
	struct chunk *used;	/* blocks of output of this wave */
	uint32_t used_count, used_slots;
	int status;
};

/* ---- a worker ---- */

struct output {
	const struct map *m;
	struct entry *list;
	uint32_t count, slots;
	uint64_t chunk, bytes;
};

static struct entry *add(struct output *o, enum kind kind)
{
	if (o->count == ENTRIES_MAX)
		return NULL;
	if (o->count == o->slots) {
		uint32_t slots = o->slots ? 2 * o->slots : 64;
		struct entry *list = reallocarray(o->list, slots, sizeof(*list));

		if (!list)
			return NULL;
		o->list = list;
		o->slots = slots;
	}
	o->list[o->count] = (struct entry){ .kind = kind, .chunk = o->chunk };
	return &o->list[o->count++];
}

static int put(struct output *o, enum kind kind, const void *data, size_t length)
{
	struct entry *entry = add(o, kind);

	if (!entry)
		return -ENOMEM;
	entry->length = (uint32_t)length;
	return continuum_put(o->m->crew.device, 0, data, length, entry->name, NULL);
}

static int put_output(void *context, const void *data, size_t length)
{
	struct output *o = context;

	o->bytes += length;
	return put(o, KIND_OUTPUT, data, length);
}

static int run_command(struct output *o, const void *data, size_t length)
{
	struct filter f = {
		.command = o->m->command, .input = data, .input_bytes = length, .chunk = o->chunk,
		.output = put_output, .context = o,
	};
	int status = filter_run(&f), error = 0;
	struct entry *end;

	if (status >= 0 && f.error_bytes)
		error = put(o, KIND_ERRORS, f.errors, f.error_bytes);
	free(f.errors);
	if (status < 0 || error)
		return status < 0 ? status : error;
	end = add(o, KIND_END);
	if (!end)
		return -ENOMEM;
	end->status = (uint32_t)status;
	return 0;
}

static void work(void *context, const struct crew_job *job, struct crew_result *result)
{
	const struct map *m = context;
	struct output o = { .m = m };
	char *buffer = mmap(NULL, CTM_BLOCK_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int error = buffer == MAP_FAILED ? -errno : 0;

	/* commands are processes of its own: it could not be moved with them */
	continuum_set(m->crew.device, 0, CTM_SET_PIN, 1, NULL);
	for (uint32_t i = 0; i < job->count && !error; i++) {
		size_t length = CTM_BLOCK_MAX;
		uint64_t begin = clock_ns(), middle;

		o.chunk = m->chunks.first + job->first + i;
		error = continuum_get(m->crew.device, m->chunks.list[job->first + i].name, buffer, &length, NULL);
		middle = clock_ns();
		result->fetch_ns += middle - begin;
		result->chunk = job->first + i;
		if (error)
			break;
		error = run_command(&o, buffer, length);
		/* a block of its output that was not found is no chunk that got lost */
		if (error == -ENOENT || error == -EUCLEAN)
			error = -EIO;
		result->work_ns += clock_ns() - middle;
	}
	if (!error)
		error = continuum_put(m->crew.device, 0, o.list, o.count * sizeof(*o.list), result->name, NULL);
	result->error = (uint32_t)-error;
}

/* ---- the controller ---- */

static int get(struct map *m, const uint8_t name[CTM_BLOCK_NAME], void *data, size_t *length)
{
	char reason[CTM_REASON_MAX] = "";
	size_t room = *length;
	int error = -EAGAIN;

	for (int try = 0; try < GET_TRIES && error; try++) {
		if (try)
			sleep(1);
		*length = room;
		error = continuum_get(m->crew.device, name, data, length, reason);
	}
	if (error)
		voice_tell("output of a worker: %s", reason[0] ? reason : strerror(-error));
	return error;
}

/* to be dropped at the end of the wave; one that is forgotten goes with the family */
static void note_used(struct map *m, const uint8_t name[CTM_BLOCK_NAME])
{
	if (m->used_count == m->used_slots) {
		uint32_t slots = m->used_slots ? 2 * m->used_slots : 256;
		struct chunk *list = reallocarray(m->used, slots, sizeof(*list));

		if (!list)
			return;
		m->used = list;
		m->used_slots = slots;
	}
	memcpy(m->used[m->used_count++].name, name, CTM_BLOCK_NAME);
}

static int print_entry(struct map *m, const struct entry *entry, void *buffer)
{
	size_t length = CTM_BLOCK_MAX;
	int error;

	if (entry->kind == KIND_END) {
		m->status = (int)entry->status > m->status ? (int)entry->status : m->status;
		return 0;
	}
	error = get(m, entry->name, buffer, &length);
	if (error)
		return error;
	note_used(m, entry->name);
	if (entry->kind == KIND_ERRORS)
		voice_tell("chunk %llu, standard error:", (unsigned long long)entry->chunk);
	voice_say(entry->kind == KIND_ERRORS ? VOICE_ERRORS : VOICE_DATA, buffer, length);
	return 0;
}

/*
 * All output of a job. Its blocks stay until the end of the wave: the same content is the same
 * block, and may be another job's output, too.
 */
static int print_job(void *context, const struct crew_job *job)
{
	struct map *m = context;
	char *buffer = malloc(CTM_BLOCK_MAX), *table = malloc(CTM_BLOCK_MAX);
	size_t length = CTM_BLOCK_MAX, count;
	const struct entry *list = (const struct entry *)table;
	int error = buffer && table ? get(m, job->result.name, table, &length) : -ENOMEM;

	count = error ? 0 : length / sizeof(*list);
	if (!error)
		note_used(m, job->result.name);
	for (size_t i = 0; i < count && !error; i++)
		error = print_entry(m, &list[i], buffer);
	free(buffer);
	free(table);
	return error;
}

static void wave_over(void *context)
{
	struct map *m = context;

	chunks_drop(m->crew.device, m->used, m->used_count);
	m->used_count = 0;
}

int main(int argc, char **argv)
{
	static struct map m;
	struct options o;

	if (options_parse(&o, argc, argv))
		return MAP_FAILED_STATUS;
	m.crew.device = continuum_open();
	if (m.crew.device < 0) {
		voice_tell("/dev/continuum: %s", strerror(-m.crew.device));
		return MAP_FAILED_STATUS;
	}
	m.command = o.what;
	m.chunks = (struct chunks){
		.device = m.crew.device, .fd = -1, .path = o.file, .size = o.chunk, .lines = true, .room = o.room,
	};
	m.crew.context = &m;
	m.crew.work = work;
	m.crew.done = print_job;
	m.crew.over = wave_over;
	m.crew.chunks = &m.chunks;
	m.crew.timeout_ns = o.timeout_ms * 1000000;
	if (crew_run(&m.crew, &o))
		return MAP_FAILED_STATUS;
	crew_report(&m.crew);
	return m.status;
}
