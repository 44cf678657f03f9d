/* SPDX-License-Identifier: GPL-2.0 */
/*
 * imagefile.h - a checkpoint in a file
 *
 *   struct image_head	512 bytes
 *   the stream		records of module/core/image.h, one behind the other, each of pages
 *			followed by these
 *   the table		a struct image_entry for each record
 *
 * Nothing else: the lengths make up the size of the file.  The head has a checksum of the table
 * and one of itself, the table those of each record and of the pages behind it.  They find
 * accidents; whoever writes an image can write checksums, so ctm_image_check() judges
 * every record as well.  All numbers are little-endian.
 */
#ifndef CONTINUUM_IMAGEFILE_H
#define CONTINUUM_IMAGEFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/continuum.h>
#include "../../module/core/image.h"

#define IMAGE_FILE_MAGIC	"\1CTMCKPT"
#define IMAGE_FILE_VERSION	1u
#define IMAGE_MACHINE		"x86_64"
#define IMAGE_RECORDS_MAX	(1u << 24)
#define IMAGE_WHY_MAX		256
/* room for any record, and for the pages behind one */
#define IMAGE_BUFFER		((size_t)CTM_PAGES_MAX * CTM_PAGE)

/**
 * struct image_head - @sum is image_sum() of all before it
 * @made_ns: when, since 1970
 * @abi: as CTM_IOC_CHECKPOINT gave it
 * @kernel, @machine: as uname(2) has them, where it was made
 */
struct image_head {
	char magic[8];
	uint32_t version;
	uint32_t size;
	uint32_t image_version;
	uint32_t abi_len;
	uint64_t gpid;
	uint64_t bytes;			/* of the stream */
	uint64_t records, pages;
	int64_t made_ns;
	uint32_t epoch, uid, gid, threads, ttl, lease_ms;
	char comm[CTM_COMM_MAX];
	char home[CTM_NAME_MAX];
	char host[CTM_NAME_MAX];
	char kernel[64];
	char machine[16];
	uint8_t abi[CTM_CHECKPOINT_ABI];
	uint64_t table_sum;
	uint8_t zero[56];
	uint64_t sum;
};

/** struct image_entry - @length: of the record with its header; @pages: behind it */
struct image_entry {
	uint32_t length;
	uint32_t pages;
	uint64_t sum;
	uint64_t pages_sum;
};

/** image_sum() - XXH64 with seed 0: finds accidents, not enemies */
uint64_t image_sum(const void *data, size_t length);

/* ---- writing ---- */

struct image_writer {
	int fd;
	struct image_entry *table;
	uint64_t count, room;
	uint64_t at;
};

/** image_write_begin() - into @fd, from its start.  The next three return 0 or -errno */
void image_write_begin(struct image_writer *w, int fd);
int image_write_record(struct image_writer *w, const struct ctm_rec *rec);
/** image_write_pages() - those of the last record, all of them */
int image_write_pages(struct image_writer *w, const void *pages, size_t length);
/** image_write_end() - @head: what is known of the process; the rest of it is filled in */
int image_write_end(struct image_writer *w, struct image_head *head);
void image_write_free(struct image_writer *w);

/* ---- reading ---- */

struct image_reader {
	int fd;
	struct image_head head;
	struct image_entry *table;
	uint64_t next;			/* entry */
	uint64_t at;			/* in the stream */
	struct ctm_image_state check;
	char why[IMAGE_WHY_MAX];	/* of an error */
};

/** image_open() - head and table, judged.  Return: 0, -EBADMSG or another -errno, with r->why */
int image_open(struct image_reader *r, int fd);
/**
 * image_next() - the next record into @buffer (IMAGE_BUFFER), judged
 * Return: 1; 0: that was all, and it is whole; -errno with r->why
 */
int image_next(struct image_reader *r, void *buffer);
/** image_pages() - those behind the record that image_next() gave.  Return: bytes, maybe 0, or -errno */
long image_pages(struct image_reader *r, void *buffer);
/** image_rewind() - from the first record again */
void image_rewind(struct image_reader *r);
void image_close(struct image_reader *r);	/* not r->fd */

#endif /* CONTINUUM_IMAGEFILE_H */
