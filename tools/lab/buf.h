/* SPDX-License-Identifier: GPL-2.0 */
/* A growable byte queue: bytes enter at the tail and leave at the head. */
#ifndef LAB_BUF_H
#define LAB_BUF_H

#include <stddef.h>

struct buf {
	char *p;
	size_t head, tail, size;
};

static inline size_t buf_used(const struct buf *b)
{
	return b->tail - b->head;
}

static inline char *buf_head(const struct buf *b)
{
	return b->p + b->head;
}

/* Room for at least n more bytes at the tail; the caller then adds to b->tail.
 * Out of memory ends the program.
 */
char *buf_room(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *data, size_t n);
void buf_drop(struct buf *b, size_t n);
void buf_free(struct buf *b);

/* Both return what read(2) or write(2) returned. */
long buf_read(struct buf *b, int fd, size_t max);
long buf_write(struct buf *b, int fd, size_t max);

#endif
