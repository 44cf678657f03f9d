// SPDX-License-Identifier: GPL-2.0
#include "wire.h"

#include <string.h>

void frame_put(struct buf *b, int type, int stream, uint32_t session,
	       const void *payload, size_t len)
{
	struct lab_frame f = { .len = len, .type = type, .stream = stream, .session = session };

	buf_add(b, &f, sizeof(f));
	if (len)
		buf_add(b, payload, len);
}

void frame_put_u32(struct buf *b, int type, int stream, uint32_t session, uint32_t value)
{
	frame_put(b, type, stream, session, &value, sizeof(value));
}

int frame_get(const struct buf *b, struct lab_frame *f, const char **payload)
{
	if (buf_used(b) < sizeof(*f))
		return 0;
	memcpy(f, buf_head(b), sizeof(*f));
	if (f->len > LAB_FRAME_MAX)
		return -1;
	if (buf_used(b) < sizeof(*f) + f->len)
		return 0;
	*payload = buf_head(b) + sizeof(*f);
	return 1;
}

void frame_drop(struct buf *b, const struct lab_frame *f)
{
	buf_drop(b, sizeof(*f) + f->len);
}

uint32_t frame_u32(const struct lab_frame *f, const char *payload)
{
	uint32_t v = 0;

	if (f->len >= sizeof(v))
		memcpy(&v, payload, sizeof(v));
	return v;
}
