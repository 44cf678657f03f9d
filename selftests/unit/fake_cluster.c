// SPDX-License-Identifier: GPL-2.0
/*
 * fake_cluster.c - libcontinuum for one computer: children are forked here, blocks are in memory
 * that they share, and what goes wrong is told by the environment
 *
 *   FAKE_ROOM=BYTES     the store's size                 FAKE_NODES=N   that children are on (3)
 *   FAKE_KILL=N         every Nth child dies at once     FAKE_REFUSE=N  every Nth is not made
 *   FAKE_SILENT=NODE    children made there before the first second is over hang, and are in
 *                       limbo                            FAKE_HANG=N    child N (from 1) hangs
 *   FAKE_LOSE=N         the Nth block put is forgotten once
 *   FAKE_TWICE=1        silent children wake up in the end, and leave their result, too
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../tools/lib/blake2s.h"
#include "../../tools/lib/continuum.h"
#include "../../tools/wordcount/voice.h"

#define STORE		(256u << 20)
#define BLOCKS		20000u
#define CHILDREN	20000u

struct block {
	uint8_t name[CTM_BLOCK_NAME];
	uint32_t length;
	bool there;
	size_t at;
};

struct child {
	pid_t pid;
	uint32_t node;
	bool silent, ended;
	uint32_t length;
	uint8_t result[CTM_RESULT_MAX];
};

static struct shared {
	int lock;
	uint64_t begin;
	uint32_t block_count, child_count, puts;
	size_t used, bytes;		/* of the arena, of blocks that are there */
	struct block blocks[BLOCKS];
	struct child children[CHILDREN];
	uint8_t arena[STORE];
} *s;
static uint32_t self;			/* GPID of this child */

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 10) : otherwise;
}

static void lock(void)
{
	while (__atomic_exchange_n(&s->lock, 1, __ATOMIC_ACQUIRE))
		usleep(100);
}

static void unlock(void)
{
	__atomic_store_n(&s->lock, 0, __ATOMIC_RELEASE);
}

int continuum_open(void)
{
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s == MAP_FAILED)
		return -errno;
	s->begin = clock_ns();
	return 3;
}

/* ---- blocks ---- */

static struct block *find(const uint8_t *name)
{
	for (uint32_t i = s->block_count; i--;)
		if (s->blocks[i].there && !memcmp(s->blocks[i].name, name, CTM_BLOCK_NAME))
			return &s->blocks[i];
	return NULL;
}

static uint32_t put(struct ctm_block *b)
{
	const void *data = (const void *)(uintptr_t)b->buf;
	struct block *block;

	blake2s(b->name, NULL, 0, data, b->len);
	b->copies = 2;
	if (find(b->name))
		return 0;
	if (s->bytes + b->len > setting("FAKE_ROOM", STORE) || s->used + b->len > STORE ||
	    s->block_count == BLOCKS)
		return ENOSPC;
	block = &s->blocks[s->block_count++];
	*block = (struct block){ .length = b->len, .at = s->used, .there = true };
	memcpy(block->name, b->name, CTM_BLOCK_NAME);
	memcpy(s->arena + s->used, data, b->len);
	s->used += b->len;
	s->bytes += b->len;
	if (++s->puts == setting("FAKE_LOSE", 0)) {
		block->there = false;
		s->bytes -= b->len;
	}
	return 0;
}

static uint32_t get(struct ctm_block *b)
{
	struct block *block = find(b->name);

	if (!block)
		return ENOENT;
	if (block->length > b->len) {
		b->len = block->length;
		return EMSGSIZE;
	}
	b->len = block->length;
	memcpy((void *)(uintptr_t)b->buf, s->arena + block->at, block->length);
	return 0;
}

static uint32_t drop(struct ctm_block *b)
{
	struct block *block = find(b->name);

	if (!block)
		return ENOENT;
	block->there = false;
	s->bytes -= block->length;
	return 0;
}

int continuum_blocks(int fd, unsigned long request, uint32_t flags, struct ctm_block *list,
		     uint32_t count, uint32_t copies, char *reason)
{
	int error = 0;

	(void)fd, (void)flags, (void)copies;
	if (count < 1 || count > CTM_BLOCKS_MAX)
		return -EINVAL;
	lock();
	for (uint32_t i = 0; i < count; i++) {
		list[i].error = request == CTM_IOC_PUT ? put(&list[i]) :
				request == CTM_IOC_GET ? get(&list[i]) : drop(&list[i]);
		if (list[i].error && !error)
			error = -(int)list[i].error;
	}
	unlock();
	if (reason)
		snprintf(reason, CTM_REASON_MAX, "%s", error ? "as the test wants it" : "");
	return error;
}

int continuum_put(int fd, uint32_t flags, const void *data, size_t length, uint8_t name[CTM_BLOCK_NAME],
		  char *reason)
{
	struct ctm_block b = { .buf = (uintptr_t)data, .len = (uint32_t)length };
	int error = continuum_blocks(fd, CTM_IOC_PUT, flags, &b, 1, 0, reason);

	memcpy(name, b.name, CTM_BLOCK_NAME);
	return error;
}

int continuum_get(int fd, const uint8_t name[CTM_BLOCK_NAME], void *data, size_t *length, char *reason)
{
	struct ctm_block b = { .buf = (uintptr_t)data, .len = (uint32_t)*length };
	int error;

	memcpy(b.name, name, CTM_BLOCK_NAME);
	error = continuum_blocks(fd, CTM_IOC_GET, 0, &b, 1, 0, reason);
	*length = b.len;
	return error;
}

/* ---- processes ---- */

static bool is_nth(uint32_t number, const char *name)
{
	unsigned long n = setting(name, 0);

	return n && !(number % n);
}

static void hang(bool silent)
{
	if (silent && setting("FAKE_TWICE", 0))
		usleep(1500000);
	else
		for (;;)
			pause();
}

/* Return: true in the child */
static bool make_child(struct ctm_fork_child *out, uint32_t number)
{
	struct child *c = &s->children[number];
	bool silent;
	pid_t pid;

	c->node = 1 + number % (uint32_t)setting("FAKE_NODES", 3);
	silent = c->node == setting("FAKE_SILENT", 0) && clock_ns() - s->begin < 1000000000ull;
	c->silent = silent;
	*out = (struct ctm_fork_child){ .gpid = number, .node = c->node };
	pid = fork();
	if (pid) {
		c->pid = pid;
		return false;
	}
	self = number;
	if (is_nth(number, "FAKE_KILL"))
		kill(getpid(), SIGKILL);
	if (silent || number == setting("FAKE_HANG", 0))
		hang(silent);
	return true;
}

int continuum_dist_fork(int fd, struct ctm_fork_child *children, uint32_t count,
			const char (*nodes)[CTM_NAME_MAX], uint32_t nnodes, uint32_t *index, char *reason)
{
	int made = 0;

	(void)fd, (void)nodes, (void)nnodes;
	snprintf(reason, CTM_REASON_MAX, "as the test wants it");
	for (uint32_t i = 0; i < count; i++) {
		uint32_t number = ++s->child_count;

		children[i] = (struct ctm_fork_child){ .error = EAGAIN };
		if (number >= CHILDREN || is_nth(number, "FAKE_REFUSE"))
			continue;
		if (make_child(&children[i], number)) {
			*index = i;
			return 0;
		}
		made++;
	}
	return made ? made : -EAGAIN;
}

int continuum_result(int fd, const void *data, size_t length)
{
	(void)fd;
	memcpy(s->children[self].result, data, length);
	s->children[self].length = (uint32_t)length;
	return 0;
}

int continuum_wait(int fd, uint64_t gpid, uint32_t flags, struct ctm_wait *result)
{
	int status;
	pid_t pid = waitpid(-1, &status, WNOHANG);

	(void)fd, (void)gpid, (void)flags;
	if (pid < 0)
		return -ECHILD;
	if (!pid)
		return -EAGAIN;
	for (uint32_t i = s->child_count; i; i--) {
		struct child *c = &s->children[i];

		if (c->pid != pid || c->ended)
			continue;
		c->ended = true;
		*result = (struct ctm_wait){
			.gpid = i, .status = status, .host = c->node, .result_len = c->length,
			.end = WIFSIGNALED(status) ? CTM_END_SIGNAL : CTM_END_EXIT,
		};
		memcpy(result->result, c->result, CTM_RESULT_MAX);
		snprintf(result->host_name, CTM_NAME_MAX, "f%u", c->node);
		return 0;
	}
	return -EAGAIN;
}

int continuum_destroy(int fd, uint64_t gpid, char *reason)
{
	(void)fd, (void)reason;
	return kill(s->children[gpid].pid, SIGKILL) ? -errno : 0;
}

int continuum_info(int fd, uint64_t gpid, struct ctm_info *info)
{
	(void)fd;
	*info = (struct ctm_info){
		.gpid = gpid, .state = s->children[gpid].silent ? CTM_STATE_LIMBO : CTM_STATE_RUNNING,
	};
	return s->children[gpid].ended ? -ESRCH : 0;
}

int continuum_set(int fd, uint64_t gpid, uint32_t property, uint64_t value, char *reason)
{
	(void)fd, (void)gpid, (void)property, (void)value, (void)reason;
	return 0;
}
