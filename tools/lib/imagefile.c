// SPDX-License-Identifier: GPL-2.0
/*
 * imagefile.c - a checkpoint in a file
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL		/* from libxxhash's header: nothing to be linked with */
#include <xxhash.h>

#include "imagefile.h"

_Static_assert(sizeof(struct image_head) == 512, "file format");
_Static_assert(sizeof(struct image_entry) == 24, "file format");
_Static_assert(IMAGE_BUFFER >= CTM_REC_MAX, "a record fits");

#define SUMMED	offsetof(struct image_head, sum)

uint64_t image_sum(const void *data, size_t length)
{
	return XXH64(data, length, 0);
}

/* ---- writing ---- */

static int write_at(int fd, const void *from, size_t length, uint64_t at)
{
	while (length) {
		ssize_t put = pwrite(fd, from, length, (off_t)at);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put ? -errno : -EIO;
		from = (const char *)from + put;
		length -= (size_t)put;
		at += (uint64_t)put;
	}
	return 0;
}

void image_write_begin(struct image_writer *w, int fd)
{
	*w = (struct image_writer){ .fd = fd };
}

static int append(struct image_writer *w, const void *from, size_t length)
{
	int error = write_at(w->fd, from, length, sizeof(struct image_head) + w->at);

	w->at += length;
	return error;
}

static int add_entry(struct image_writer *w, const struct image_entry *entry)
{
	if (w->count == IMAGE_RECORDS_MAX)
		return -EFBIG;
	if (w->count == w->room) {
		uint64_t room = w->room ? 2 * w->room : 1024;
		struct image_entry *table = realloc(w->table, room * sizeof(*table));

		if (!table)
			return -ENOMEM;
		w->table = table;
		w->room = room;
	}
	w->table[w->count++] = *entry;
	return 0;
}

int image_write_record(struct image_writer *w, const struct ctm_rec *rec)
{
	struct image_entry entry = { .length = (uint32_t)sizeof(*rec) + rec->len };
	int error;

	if (entry.length > CTM_REC_MAX)
		return -EBADMSG;
	entry.sum = image_sum(rec, entry.length);
	error = add_entry(w, &entry);
	return error ? error : append(w, rec, entry.length);
}

int image_write_pages(struct image_writer *w, const void *pages, size_t length)
{
	struct image_entry *entry = w->count ? &w->table[w->count - 1] : NULL;

	if (!entry || entry->pages || length % CTM_PAGE || length > IMAGE_BUFFER)
		return -EINVAL;
	entry->pages = (uint32_t)(length / CTM_PAGE);
	entry->pages_sum = length ? image_sum(pages, length) : 0;
	return append(w, pages, length);
}

int image_write_end(struct image_writer *w, struct image_head *head)
{
	uint64_t bytes = w->at;
	size_t table = w->count * sizeof(*w->table);
	int error = append(w, w->table, table);

	memcpy(head->magic, IMAGE_FILE_MAGIC, sizeof(head->magic));
	head->version = IMAGE_FILE_VERSION;
	head->size = sizeof(*head);
	head->image_version = CTM_IMAGE_VERSION;
	head->bytes = bytes;
	head->records = w->count;
	head->pages = 0;
	for (uint64_t i = 0; i < w->count; i++)
		head->pages += w->table[i].pages;
	head->table_sum = image_sum(w->table, table);
	memset(head->zero, 0, sizeof(head->zero));
	head->sum = image_sum(head, SUMMED);
	return error ? error : write_at(w->fd, head, sizeof(*head), 0);
}

void image_write_free(struct image_writer *w)
{
	free(w->table);
	w->table = NULL;
}

/* ---- reading ---- */

static __attribute__((format(printf, 3, 4))) int bad(struct image_reader *r, int error,
						     const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(r->why, sizeof(r->why), format, args);
	va_end(args);
	return error;
}

static int read_at(struct image_reader *r, void *to, size_t length, uint64_t at)
{
	while (length) {
		ssize_t got = pread(r->fd, to, length, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return bad(r, -errno, "cannot be read: %s", strerror(errno));
		if (!got)
			return bad(r, -EBADMSG, "it is cut short");
		to = (char *)to + got;
		length -= (size_t)got;
		at += (uint64_t)got;
	}
	return 0;
}

static bool is_text(const char *text, size_t room)
{
	return memchr(text, '\0', room);
}

static int check_head(struct image_reader *r)
{
	const struct image_head *h = &r->head;

	if (memcmp(h->magic, IMAGE_FILE_MAGIC, sizeof(h->magic)))
		return bad(r, -EBADMSG, "it is no checkpoint");
	if (h->version != IMAGE_FILE_VERSION)
		return bad(r, -EBADMSG, "it is of version %u of the format, this program knows %u",
			   h->version, IMAGE_FILE_VERSION);
	if (h->size != sizeof(*h) || h->sum != image_sum(h, SUMMED))
		return bad(r, -EBADMSG, "its head is damaged");
	if (!is_text(h->comm, sizeof(h->comm)) || !is_text(h->home, sizeof(h->home)) ||
	    !is_text(h->host, sizeof(h->host)) || !is_text(h->kernel, sizeof(h->kernel)) ||
	    !is_text(h->machine, sizeof(h->machine)) || h->abi_len > sizeof(h->abi) || !h->gpid)
		return bad(r, -EBADMSG, "its head makes no sense");
	if (strcmp(h->machine, IMAGE_MACHINE))
		return bad(r, -EBADMSG, "it was made on another CPU (%s)", h->machine);
	if (h->image_version != CTM_IMAGE_VERSION)
		return bad(r, -EBADMSG, "its image is of version %u, this program knows %u",
			   h->image_version, CTM_IMAGE_VERSION);
	return 0;
}

static int check_size(struct image_reader *r)
{
	const struct image_head *h = &r->head;
	struct stat st;

	if (fstat(r->fd, &st))
		return bad(r, -errno, "%s", strerror(errno));
	if (h->records > IMAGE_RECORDS_MAX || h->bytes > INT64_MAX / 2)
		return bad(r, -EBADMSG, "its head makes no sense");
	if ((uint64_t)st.st_size != sizeof(*h) + h->bytes + h->records * sizeof(*r->table))
		return bad(r, -EBADMSG, "it is cut short, or something was added");
	return 0;
}

static int check_table(struct image_reader *r)
{
	uint64_t bytes = 0, pages = 0;

	for (uint64_t i = 0; i < r->head.records; i++) {
		const struct image_entry *entry = &r->table[i];

		if (entry->length < sizeof(struct ctm_rec) || entry->length > CTM_REC_MAX ||
		    entry->pages > CTM_PAGES_MAX)
			return bad(r, -EBADMSG, "record %llu: its length", (unsigned long long)i);
		bytes += entry->length + (uint64_t)entry->pages * CTM_PAGE;
		pages += entry->pages;
	}
	if (bytes != r->head.bytes || pages != r->head.pages)
		return bad(r, -EBADMSG, "its table and its head differ");
	return 0;
}

static int read_table(struct image_reader *r)
{
	size_t length = r->head.records * sizeof(*r->table);
	int error;

	r->table = malloc(length ? length : 1);
	if (!r->table)
		return bad(r, -ENOMEM, "%s", strerror(ENOMEM));
	error = read_at(r, r->table, length, sizeof(r->head) + r->head.bytes);
	if (!error && image_sum(r->table, length) != r->head.table_sum)
		error = bad(r, -EBADMSG, "its table is damaged");
	return error ? error : check_table(r);
}

int image_open(struct image_reader *r, int fd)
{
	int error;

	memset(r, 0, sizeof(*r));
	r->fd = fd;
	error = read_at(r, &r->head, sizeof(r->head), 0);
	if (!error)
		error = check_head(r);
	if (!error)
		error = check_size(r);
	if (!error)
		error = read_table(r);
	if (error)
		image_close(r);
	return error;
}

static int check_record(struct image_reader *r, const struct ctm_rec *rec, const struct image_entry *entry)
{
	unsigned long long nr = r->next;
	const struct ctm_rec_pages *pages = (const void *)(rec + 1);
	const char *why = "";

	if (image_sum(rec, entry->length) != entry->sum)
		return bad(r, -EBADMSG, "record %llu is damaged", nr);
	if (rec->len != entry->length - sizeof(*rec) || rec->type == CTM_REC_ABORT)
		return bad(r, -EBADMSG, "record %llu: not one of a checkpoint", nr);
	if (ctm_image_check(&r->check, rec, entry->length, &why))
		return bad(r, -EBADMSG, "record %llu: %s", nr, why);
	if (entry->pages != (rec->type == CTM_REC_PAGES ? pages->count : 0))
		return bad(r, -EBADMSG, "record %llu: its pages", nr);
	return 0;
}

int image_next(struct image_reader *r, void *buffer)
{
	const struct image_entry *entry = &r->table[r->next];
	int error;

	if (r->next == r->head.records)
		return r->check.ended ? 0 : bad(r, -EBADMSG, "it has no end");
	error = read_at(r, buffer, entry->length, sizeof(r->head) + r->at);
	if (!error)
		error = check_record(r, buffer, entry);
	if (error)
		return error;
	if (!r->next && ((const struct ctm_rec_head *)((struct ctm_rec *)buffer + 1))->gpid !=
			r->head.gpid)
		return bad(r, -EBADMSG, "its image is of another process");
	r->at += entry->length + (uint64_t)entry->pages * CTM_PAGE;
	r->next++;
	return 1;
}

long image_pages(struct image_reader *r, void *buffer)
{
	const struct image_entry *entry = &r->table[r->next - 1];
	size_t length = (size_t)entry->pages * CTM_PAGE;
	int error = read_at(r, buffer, length, sizeof(r->head) + r->at - length);

	if (error)
		return error;
	if (length && image_sum(buffer, length) != entry->pages_sum)
		return bad(r, -EBADMSG, "the pages of record %llu are damaged",
			   (unsigned long long)r->next - 1);
	return (long)length;
}

void image_rewind(struct image_reader *r)
{
	r->next = 0;
	r->at = 0;
	memset(&r->check, 0, sizeof(r->check));
}

void image_close(struct image_reader *r)
{
	free(r->table);
	r->table = NULL;
}
