// SPDX-License-Identifier: GPL-2.0
#include "buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *buf_room(struct buf *b, size_t n)
{
	if (b->size - b->tail >= n)
		return b->p + b->tail;
	if (b->head) {
		memmove(b->p, b->p + b->head, buf_used(b));
		b->tail -= b->head;
		b->head = 0;
	}
	if (b->size - b->tail < n) {
		size_t size = b->size ? b->size : 4096;

		while (size - b->tail < n)
			size *= 2;
		b->p = realloc(b->p, size);
		if (!b->p) {
			fprintf(stderr, "lab: out of memory\n");
			_exit(125);
		}
		b->size = size;
	}
	return b->p + b->tail;
}

void buf_add(struct buf *b, const void *data, size_t n)
{
	memcpy(buf_room(b, n), data, n);
	b->tail += n;
}

void buf_drop(struct buf *b, size_t n)
{
	b->head += n;
	if (b->head == b->tail)
		b->head = b->tail = 0;
}

void buf_free(struct buf *b)
{
	free(b->p);
	memset(b, 0, sizeof(*b));
}

long buf_read(struct buf *b, int fd, size_t max)
{
	ssize_t n = read(fd, buf_room(b, max), max);

	if (n > 0)
		b->tail += n;
	return n;
}

long buf_write(struct buf *b, int fd, size_t max)
{
	size_t n = buf_used(b);
	ssize_t done = write(fd, buf_head(b), n < max ? n : max);

	if (done > 0)
		buf_drop(b, done);
	return done;
}
