// SPDX-License-Identifier: GPL-2.0
/*
 * imagefile.c - does a checkpoint's file give back what was written, and nothing else?
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tools/lib/imagefile.h"
#include "../ktap.h"
#include "random.h"
#include "sample.h"

#define FILE_MAX	(1u << 20)

/* in a file it stands anywhere */
typedef struct image_entry __attribute__((aligned(1))) entry_in_file;

static struct sample s;
static u8 good[FILE_MAX], spoilt[FILE_MAX];
static size_t good_len;
static u8 *buffer;			/* IMAGE_BUFFER */

/* fewer pages than the sample has: every byte is to be flipped */
static void sample_small(void)
{
	struct ctm_rec_end *e;

	sample_build(&s);
	((struct ctm_rec_pages *)(sample_find(&s, CTM_REC_PAGES, 0) + 1))->count = 2;
	e = (void *)(sample_find(&s, CTM_REC_END, 0) + 1);
	e->pages = 3;
}

static u8 page_byte(unsigned int record, size_t at)
{
	return (u8)(record * 31 + at * 7 + at / 4096);
}

static int write_one(struct image_writer *w, unsigned int i)
{
	struct ctm_rec *rec = sample_record(&s, i);
	size_t length = rec->type != CTM_REC_PAGES ? 0 :
			((struct ctm_rec_pages *)(rec + 1))->count * (size_t)CTM_PAGE;
	int err = image_write_record(w, rec);

	if (err || !length)
		return err;
	for (size_t at = 0; at < length; at++)
		buffer[at] = page_byte(i, at);
	return image_write_pages(w, buffer, length);
}

static void fill_head(struct image_head *h)
{
	memset(h, 0, sizeof(*h));
	h->gpid = CTM_GPID(1, 17);
	h->uid = 1000;
	strcpy(h->comm, "sample");
	strcpy(h->home, "alpha");
	strcpy(h->machine, IMAGE_MACHINE);
	h->abi_len = 72;
}

/* Return: a descriptor of a file with the sample, or -1 */
static int make(struct image_head *head)
{
	int fd = memfd_create("image", 0), err = 0;
	struct image_writer w;

	if (!buffer)
		buffer = malloc(IMAGE_BUFFER);
	sample_small();
	image_write_begin(&w, fd);
	for (unsigned int i = 0; i < s.n && !err; i++)
		err = write_one(&w, i);
	if (!err)
		err = image_write_end(&w, head);
	image_write_free(&w);
	if (!err)
		return fd;
	close(fd);
	return -1;
}

static int read_all(int fd, struct image_reader *r, bool compare)
{
	int more = image_open(r, fd);
	unsigned int i = 0;

	if (more)
		return more;
	while ((more = image_next(r, buffer)) > 0) {
		struct ctm_rec *rec = sample_record(&s, i);
		long length;

		if (compare)
			CHECK(!memcmp(buffer, rec, sizeof(*rec) + rec->len));
		length = image_pages(r, buffer);
		if (length < 0) {
			more = (int)length;
			break;
		}
		for (long at = 0; compare && at < length; at++)
			if (!CHECK(buffer[at] == page_byte(i, (size_t)at)))
				break;
		i++;
	}
	if (!more)
		CHECK(i == s.n);
	image_close(r);
	return more;
}

static void fresh(void)
{
	struct image_head head;
	int fd;

	fill_head(&head);
	fd = make(&head);
	good_len = fd < 0 ? 0 : (size_t)pread(fd, good, sizeof(good), 0);
	close(fd);
}

/* of @len bytes of spoilt[]: 0 or -errno */
static int verdict(size_t len, struct image_reader *r)
{
	int fd = memfd_create("spoilt", 0), err;

	if (write(fd, spoilt, len) != (ssize_t)len)
		abort();
	err = read_all(fd, r, false);
	close(fd);
	return err;
}

static void comes_back(void)
{
	struct image_reader r;
	struct image_head head;
	int fd;

	fill_head(&head);
	fd = make(&head);
	REQUIRE(fd >= 0);
	CHECK(!read_all(fd, &r, true));
	CHECK(r.head.records == s.n && r.head.pages == 3 && r.head.gpid == CTM_GPID(1, 17));
	CHECK(!strcmp(r.head.comm, "sample"));
	close(fd);
}

static void flipped(void)
{
	struct image_reader r;

	fresh();
	REQUIRE(good_len > sizeof(struct image_head));
	memcpy(spoilt, good, good_len);
	for (size_t i = 0; i < good_len; i++) {
		spoilt[i] ^= (u8)(1 << i % 8);
		if (!CHECK(verdict(good_len, &r) < 0 && r.why[0]))
			ktap_note("byte %zu of %zu", i, good_len);
		spoilt[i] = good[i];
	}
	CHECK(!verdict(good_len, &r));
}

static void cut(void)
{
	struct image_reader r;

	fresh();
	memcpy(spoilt, good, good_len);
	for (size_t len = 0; len < good_len; len += len < 600 || good_len - len < 64 ? 1 : 61)
		if (!CHECK(verdict(len, &r) < 0))
			ktap_note("cut at %zu of %zu", len, good_len);
	spoilt[good_len] = 0;
	CHECK(verdict(good_len + 1, &r) == -EBADMSG);
}

/* checksums that are right, and nothing else is */
static void seal(size_t len)
{
	struct image_head *h = (void *)spoilt;
	size_t at = sizeof(*h) + h->bytes;

	if (at <= len && h->records <= (len - at) / sizeof(struct image_entry))
		h->table_sum = image_sum(spoilt + at, h->records * sizeof(struct image_entry));
	h->sum = image_sum(h, offsetof(struct image_head, sum));
}

static void sealed_heads(void)
{
	static const struct { size_t at; u64 value; } cases[] = {
#define H(field, value) { offsetof(struct image_head, field), value }
		H(bytes, 0), H(bytes, ~0ull), H(bytes, 1ull << 63), H(bytes, -512ull),
		H(records, 0), H(records, ~0ull), H(records, 1ull << 40), H(records, 1ull << 61),
		H(pages, 0), H(pages, ~0ull), H(gpid, 0), H(gpid, 5),
		H(comm, ~0ull), H(version, 2), H(size, 511), H(abi_len, 129), H(image_version, 1),
	};
	struct image_reader r;
	struct image_head *h = (void *)spoilt;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t width = cases[i].at >= offsetof(struct image_head, version) &&
			       cases[i].at < offsetof(struct image_head, gpid) ? 4 : 8;

		fresh();
		memcpy(spoilt, good, good_len);
		memcpy(spoilt + cases[i].at, &cases[i].value, width);
		if (cases[i].at == offsetof(struct image_head, comm))
			memset(h->comm, 'x', sizeof(h->comm));
		seal(good_len);
		if (!CHECK(verdict(good_len, &r) == -EBADMSG))
			ktap_note("head at %zu", cases[i].at);
	}
	memcpy(spoilt, good, good_len);
	strcpy(h->machine, "aarch64");
	seal(good_len);
	CHECK(verdict(good_len, &r) == -EBADMSG && strstr(r.why, "another CPU"));
}

static void sealed_table(void)
{
	struct image_head *h = (void *)spoilt;
	entry_in_file *e;
	struct image_reader r;
	struct rng rng = { 17 };

	fresh();
	for (int i = 0; i < 3000; i++) {
		memcpy(spoilt, good, good_len);
		e = (void *)(spoilt + sizeof(*h) + h->bytes);
		e += rng_below(&rng, h->records);
		switch (rng_below(&rng, 4)) {
		case 0:	e->length = (u32)rng_next(&rng); break;
		case 1:	e->length += (u32)rng_below(&rng, 64) + 1; break;
		case 2:	e->pages += (u32)rng_below(&rng, 600) + 1; break;
		case 3:	e->pages = (u32)rng_next(&rng) | 1u << 20; break;
		}
		seal(good_len);
		CHECK(verdict(good_len, &r) < 0);
	}
}

/* whoever can make checksums may write anything: it is refused, or right, and the sanitizers are silent */
static void sealed_noise(void)
{
	struct image_head *h = (void *)spoilt;
	struct image_reader r;
	struct rng rng = { 18 };
	int passed = 0;

	fresh();
	for (int i = 0; i < 5000; i++) {
		entry_in_file *e;
		size_t at = sizeof(*h), k;

		memcpy(spoilt, good, good_len);
		for (k = rng_below(&rng, 4) + 1; k; k--)
			spoilt[sizeof(*h) + rng_below(&rng, h->bytes)] = (u8)rng_next(&rng);
		e = (void *)(spoilt + sizeof(*h) + h->bytes);
		for (k = 0; k < h->records; k++, e++) {
			e->sum = image_sum(spoilt + at, e->length);
			at += e->length;
			if (e->pages)
				e->pages_sum = image_sum(spoilt + at, e->pages * (size_t)CTM_PAGE);
			at += e->pages * (size_t)CTM_PAGE;
		}
		seal(good_len);
		passed += !verdict(good_len, &r);
	}
	ktap_note("%d of 5000 pass", passed);
	CHECK(passed && passed < 5000);
}

static void hashes(void)
{
	u8 bytes[101];

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = (u8)i;
	CHECK(image_sum("", 0) == 0xef46db3751d8e999ull);
	CHECK(image_sum("abc", 3) == 0x44bc2cf5ad770999ull);
	CHECK(image_sum("xxhash", 6) == 0x32dd38952c4bc720ull);
	CHECK(image_sum(bytes, sizeof(bytes)) != image_sum(bytes, sizeof(bytes) - 1));
}

static void no_room(void)
{
	struct image_writer w;
	struct image_head head;

	fill_head(&head);
	sample_small();
	image_write_begin(&w, -1);
	CHECK(image_write_record(&w, sample_record(&s, 0)) == -EBADF);
	CHECK(image_write_end(&w, &head) < 0);
	image_write_free(&w);
}

static const struct ktap_test tests[] = {
	{ "imagefile: hash", hashes },
	{ "imagefile: what was written comes back", comes_back },
	{ "imagefile: each byte flipped", flipped },
	{ "imagefile: cut anywhere", cut },
	{ "imagefile: impossible heads", sealed_heads },
	{ "imagefile: impossible tables", sealed_table },
	{ "imagefile: noise with checksums", sealed_noise },
	{ "imagefile: a file that cannot be written", no_room },
};
KTAP_MAIN(tests)
