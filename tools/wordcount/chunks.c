// SPDX-License-Identifier: GPL-2.0
/*
 * chunks.c - a file as blocks in the cluster
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "chunks.h"
#include "voice.h"

#define BATCH_BYTES	(8u << 20)	/* read and put at a time, ... */
#define BATCH_MAX	128u		/* ... and so many blocks */
#define TRIES		6		/* of a put, while nodes come and go */
#define FULL_TRIES	20		/* until there is room for a single block */
#define AGAIN_MAX	1000u

static int said(const struct chunks *c, int error, const char *what)
{
	voice_tell("%s: %s", c->path, what ? what : strerror(-error));
	return error;
}

int chunks_open(struct chunks *c)
{
	int null;

	if (!strcmp(c->path, "-")) {
		c->fd = STDIN_FILENO;
	} else {
		c->fd = open(c->path, O_RDONLY | O_CLOEXEC);
		if (c->fd < 0)
			return said(c, -errno, NULL);
	}
	if (fstat(c->fd, &c->before))
		return said(c, -errno, NULL);
	if (S_ISDIR(c->before.st_mode))
		return said(c, -EISDIR, NULL);
	c->seekable = S_ISREG(c->before.st_mode) && c->fd != STDIN_FILENO;
	c->total = S_ISREG(c->before.st_mode) ? (uint64_t)c->before.st_size : 0;
	if (c->fd == STDIN_FILENO) {
		/* where children will look for theirs */
		c->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
		null = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (c->fd < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0)
			return said(c, -errno, NULL);
		close(null);
	}
	c->buffer_size = BATCH_BYTES + CTM_BLOCK_MAX;
	c->buffer = mmap(NULL, c->buffer_size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c->buffer == MAP_FAILED || madvise(c->buffer, c->buffer_size, MADV_DONTFORK))
		return said(c, -errno, NULL);
	return 0;
}

/* ---- reading ---- */

/* The descriptor is closed while children are made, for they would have it too. */
static int reopen(struct chunks *c)
{
	struct stat now;

	if (c->fd >= 0 || !c->seekable)
		return 0;
	c->fd = open(c->path, O_RDONLY | O_CLOEXEC);
	if (c->fd < 0 || fstat(c->fd, &now))
		return said(c, -errno, NULL);
	if (now.st_dev != c->before.st_dev || now.st_ino != c->before.st_ino)
		return said(c, -ESTALE, "changed while it was read");
	return 0;
}

/* Before children are made: what they would be sized by, and the file, are let go. */
static void rest(struct chunks *c)
{
	size_t keep = c->seekable ? 0 : (c->held + 4095) & ~(size_t)4095;

	madvise(c->buffer + keep, c->buffer_size - keep, MADV_DONTNEED);
	if (!c->seekable || c->fd < 0)
		return;
	c->held = 0;		/* read again */
	c->at_end = false;
	close(c->fd);
	c->fd = -1;
}

/* fills the buffer up to @want bytes, if there are so many */
static int fill(struct chunks *c, size_t want)
{
	while (c->held < want && !c->at_end) {
		ssize_t n = c->seekable ?
			pread(c->fd, c->buffer + c->held, want - c->held, (off_t)(c->bytes + c->held)) :
			read(c->fd, c->buffer + c->held, want - c->held);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return said(c, -errno, NULL);
		c->at_end = !n;
		c->held += (size_t)n;
	}
	return 0;
}

/* how many of the @left bytes at @from are a chunk; 0: a line is longer than a block */
static size_t cut(const struct chunks *c, const char *from, size_t left)
{
	size_t length = left < c->size ? left : c->size;
	const char *end;

	if (!c->lines || length == left)
		return length <= CTM_BLOCK_MAX ? length : 0;
	end = memrchr(from, '\n', length);
	if (!end)
		end = memchr(from + length, '\n', (left < CTM_BLOCK_MAX ? left : CTM_BLOCK_MAX) - length);
	if (!end)
		return left <= CTM_BLOCK_MAX && c->at_end ? left : 0;
	return (size_t)(end + 1 - from);
}

/* ---- putting ---- */

static struct chunk *add(struct chunks *c)
{
	if (c->count == c->slots) {
		uint32_t slots = c->slots ? 2 * c->slots : 256;
		struct chunk *list = reallocarray(c->list, slots, sizeof(*list));

		if (!list)
			return NULL;
		c->list = list;
		c->slots = slots;
	}
	return &c->list[c->count++];
}

static bool is_passing(uint32_t error)
{
	return error == EHOSTUNREACH || error == ETIMEDOUT || error == EAGAIN || error == ECONNRESET ||
	       error == EINTR;
}

static uint32_t first_failed(const struct ctm_block *blocks, uint32_t count)
{
	uint32_t i = 0;

	while (i < count && !blocks[i].error)
		i++;
	return i;
}

/*
 * All in order, as far as there is room: those behind the first that failed are put again with
 * it, later.  Return: how many, or -errno.
 */
static int put(struct chunks *c, struct ctm_block *blocks, uint32_t count)
{
	char reason[CTM_REASON_MAX] = "";
	uint32_t done = 0;

	for (int try = 0; done < count; try++) {
		int error = continuum_blocks(c->device, CTM_IOC_PUT, 0, blocks + done, count - done, 0,
					     reason);
		uint32_t more;

		if (!error)
			return (int)count;
		more = first_failed(blocks + done, count - done);
		done += more;
		if (done == count)	/* the call itself failed */
			return said(c, error, reason[0] ? reason : NULL);
		if (blocks[done].error == ENOSPC)
			return (int)done;
		if (!is_passing(blocks[done].error) || try >= TRIES)
			return said(c, -(int)blocks[done].error, reason[0] ? reason : NULL);
		if (more)
			try = 0;
		sleep(1);
	}
	return (int)done;
}

/* what fits into one call.  Return: how many, or -errno */
static int next_batch(struct chunks *c, struct ctm_block *blocks)
{
	uint64_t in_wave = c->count ? c->bytes - c->list[0].at : 0;
	size_t at = 0, length;
	uint32_t count = 0;
	int error = fill(c, BATCH_BYTES);

	if (!error && c->lines && c->held)
		error = fill(c, c->buffer_size);	/* so that any line that is allowed is there */
	if (error)
		return error;
	while (at < c->held && count < BATCH_MAX) {
		if (!c->at_end && c->held - at < (c->lines ? CTM_BLOCK_MAX : c->size) && count)
			break;
		length = cut(c, c->buffer + at, c->held - at);
		if (!length)
			return said(c, -EMSGSIZE, "a line is longer than 4 MiB");
		if (in_wave + at + length > c->room && (c->count || count))
			break;
		blocks[count++] = (struct ctm_block){
			.buf = (uintptr_t)(c->buffer + at), .len = (uint32_t)length,
		};
		at += length;
	}
	return (int)count;
}

/* the first @count are in the cluster now */
static int take(struct chunks *c, const struct ctm_block *blocks, uint32_t count)
{
	size_t length = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct chunk *chunk = add(c);

		if (!chunk)
			return said(c, -ENOMEM, NULL);
		*chunk = (struct chunk){ .at = c->bytes, .length = blocks[i].len };
		memcpy(chunk->name, blocks[i].name, CTM_BLOCK_NAME);
		c->bytes += blocks[i].len;
		length += blocks[i].len;
	}
	c->held -= length;
	memmove(c->buffer, c->buffer + length, c->held);
	return 0;
}

/* Return: 1: the wave is full, 0: there may be more, or -errno */
static int grow(struct chunks *c)
{
	struct ctm_block blocks[BATCH_MAX];
	int count = next_batch(c, blocks), done, error;

	if (count <= 0) {
		c->over = !count && c->at_end && !c->held;
		return count < 0 ? count : 1;
	}
	done = put(c, blocks, (uint32_t)count);
	if (done < 0)
		return done;
	error = take(c, blocks, (uint32_t)done);
	if (error)
		return error;
	c->over = c->at_end && !c->held;
	return c->over || done < count;
}

uint64_t chunks_bytes(const struct chunks *c, uint32_t first, uint32_t count)
{
	uint64_t bytes = 0;

	for (uint32_t i = first; i < first + count && i < c->count; i++)
		bytes += c->list[i].length;
	return bytes;
}

void chunks_drop(int device, const struct chunk *list, uint32_t count)
{
	struct ctm_block blocks[BATCH_MAX];

	for (uint32_t n; count; list += n, count -= n) {
		n = count < BATCH_MAX ? count : BATCH_MAX;
		memset(blocks, 0, sizeof(blocks));
		for (uint32_t i = 0; i < n; i++)
			memcpy(blocks[i].name, list[i].name, CTM_BLOCK_NAME);
		continuum_blocks(device, CTM_IOC_DROP, CTM_BLOCKS_FAMILY, blocks, n, 0, NULL);
	}
}

int chunks_next(struct chunks *c)
{
	int full = reopen(c);

	chunks_drop(c->device, c->list, c->count);
	c->first += c->count;
	c->count = 0;
	/* room may come with what others, or the wave before, have given back just now */
	for (int tries = 0; !full && !c->over;) {
		full = grow(c);
		voice_progress(VOICE_PUT, c->bytes, c->total);
		if (full != 1 || c->count || c->over)
			continue;
		if (++tries > FULL_TRIES)
			return said(c, -ENOSPC, "the cluster has no room for a single block");
		full = 0;
		sleep(1);
	}
	if (full < 0)
		return full;
	rest(c);
	return 0;
}

int chunks_again(struct chunks *c, uint32_t index)
{
	struct chunk *chunk = &c->list[index];
	struct ctm_block block = { .len = chunk->length };
	char *data;
	int error;

	if (!c->seekable || c->repaired++ > AGAIN_MAX)
		return said(c, -EIO, "a block of it got lost");
	error = reopen(c);
	if (error)
		return error;
	data = mmap(NULL, CTM_BLOCK_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED)
		return said(c, -errno, NULL);
	block.buf = (uintptr_t)data;
	if (pread(c->fd, data, chunk->length, (off_t)chunk->at) != (ssize_t)chunk->length)
		error = said(c, -ESTALE, "changed while it was read");
	else if (put(c, &block, 1) != 1)
		error = -EIO;
	else if (memcmp(block.name, chunk->name, CTM_BLOCK_NAME))
		error = said(c, -ESTALE, "changed while it was read");
	munmap(data, CTM_BLOCK_MAX);
	rest(c);
	return error;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

int chunks_close(struct chunks *c)
{
	struct stat now;
	int error = reopen(c);

	if (error)
		return error;
	if (fstat(c->fd, &now))
		return said(c, -errno, NULL);
	close(c->fd);
	if (!S_ISREG(now.st_mode))
		return 0;
	/* files of /proc have no size */
	if (now.st_size != c->before.st_size || !same_time(&now.st_mtim, &c->before.st_mtim) ||
	    (now.st_size && c->seekable && c->bytes != (uint64_t)now.st_size))
		return said(c, -ESTALE, "changed while it was read");
	return 0;
}
