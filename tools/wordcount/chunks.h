/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chunks.h - a file as blocks in the cluster
 *
 * The file is read piece by piece, and the pieces put as blocks of the caller's family, many a
 * call. When the cluster has no room for more, what is there is a *wave*: it is worked on and
 * dropped, and the next begins where it ended. A file that changes meanwhile is an error.
 */
#ifndef WORDCOUNT_CHUNKS_H
#define WORDCOUNT_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/stat.h>

#include "../lib/continuum.h"

/** struct chunk - a piece of the file, as a block */
struct chunk {
	uint8_t name[CTM_BLOCK_NAME];
	uint64_t at;			/* its place in the file */
	uint32_t length;
	uint32_t pad;
};

/**
 * struct chunks - a file and the wave that is in the cluster
 * @size:  of a chunk, bytes; with @lines a chunk ends with a line, and is longer than that
 *         where a line is
 * @room:  bytes of a wave, at most
 * @total: bytes of the file, 0: not known
 * @list, @count: chunks of this wave
 * @first: number of its first chunk in the file
 * @bytes: read so far, chunks of earlier waves and this one
 * @over:  the file was read to its end
 *
 * The rest is this file's: @buffer, which children do not get, holds @held bytes that were
 * read and not put yet, from place @bytes of the file on.
 */
struct chunks {
	int device, fd;
	const char *path;
	uint32_t size;
	bool lines, seekable;
	uint64_t room, total;
	struct chunk *list;
	uint32_t count, slots;
	uint64_t first, bytes;
	bool over;

	struct stat before;
	char *buffer;
	size_t buffer_size, held;
	bool at_end;
	uint32_t repaired;
};

/** chunks_open() - @path, "-" for standard input.  Return: 0 or -errno, said */
int chunks_open(struct chunks *c);

/**
 * chunks_next() - the next wave, in place of the last one, which is dropped
 *
 * Empty when the file is.  Return: 0 or -errno, said.
 */
int chunks_next(struct chunks *c);

/** chunks_again() - put chunk @index of the wave once more, which got lost.  Return: 0 or -errno, said */
int chunks_again(struct chunks *c, uint32_t index);

/** chunks_bytes() - of @count chunks of the wave from @first on */
uint64_t chunks_bytes(const struct chunks *c, uint32_t first, uint32_t count);

/** chunks_drop() - @count blocks of the family, whatever becomes of it */
void chunks_drop(int device, const struct chunk *list, uint32_t count);

/** chunks_close() - Return: 0, or -ESTALE, said: the file has changed */
int chunks_close(struct chunks *c);

#endif /* WORDCOUNT_CHUNKS_H */
