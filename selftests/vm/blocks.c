// SPDX-License-Identifier: GPL-2.0
/*
 * blocks.c - puts blocks into the cluster, and has them back
 *
 *   blocks write ACKED STOP SEED MAX   until STOP exists: blocks of up to MAX bytes, some a call,
 *                                      and reads of those before; a line in ACKED for each
 *                                      that was acknowledged
 *   blocks verify ACKED SEED           all of these are there
 *   blocks batch COUNT SEED MAX        COUNT blocks in one call, and back in one
 *   blocks errors                      what is refused, and how
 *   blocks speed put|get LEN BATCH MS  MiB/s of random blocks, pinned, dropped afterwards
 *
 * Contents come from the seed and the number of the block, and are compared byte by
 * byte, whatever the module says of them.  Prints PASS, or FAIL lines.
 */
#include "workload.h"
#include "../unit/random.h"
#include <fcntl.h>
#include <linux/continuum.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define BATCH	8u

static int device;
static char reason[CTM_REASON_MAX];

static int call(unsigned long nr, uint32_t flags, struct ctm_block *list, uint32_t count)
{
	struct ctm_blocks b = { .size = sizeof(b), .flags = flags, .list = (uintptr_t)list, .count = count };
	int err = ioctl(device, nr, &b) ? errno : 0;

	memcpy(reason, b.reason, sizeof(reason));
	return err;
}

static uint32_t length_of(uint64_t seed, uint64_t nr, uint32_t max)
{
	struct rng r = { seed ^ nr * 0x9e3779b97f4a7c15ull };

	/* 8 bytes at least: no two are the same */
	switch (rng_below(&r, 4)) {
	case 0:
		return 8 + rng_below(&r, 200);
	case 1:
		return 4096 * (1 + rng_below(&r, max / 4096));
	default:
		return 8 + rng_below(&r, max);
	}
}

static void content(char *to, uint64_t seed, uint64_t nr, uint32_t len)
{
	struct rng r = { ~seed ^ nr * 0x9e3779b97f4a7c15ull };
	uint64_t v;
	uint32_t i;

	for (i = 0; i < len; i += 8) {
		v = rng_next(&r);
		memcpy(to + i, &v, len - i < 8 ? len - i : 8);
	}
}

/* not aligned to anything */
static char *buffer(uint32_t len)
{
	char *p = malloc(len + 4096u);

	return p ? p + 13 : NULL;
}

static void print_name(FILE *f, const uint8_t *name)
{
	int i;

	for (i = 0; i < CTM_BLOCK_NAME; i++)
		fprintf(f, "%02x", name[i]);
}

static void check(const char *got, uint64_t seed, uint64_t nr, uint32_t len, uint32_t got_len)
{
	char *want = malloc(len + 1);

	content(want, seed, nr, len);
	if (got_len != len || memcmp(got, want, len))
		fail("block %llu: %u bytes, %s", (unsigned long long)nr, got_len,
		     got_len != len ? "not as many as were put" : "others than were put");
	free(want);
}

/* ---- write, verify ---- */

/** struct acked - what was acknowledged so far */
struct acked {
	struct { uint8_t name[CTM_BLOCK_NAME]; uint64_t nr; uint32_t len; } *v;
	unsigned int n;
};

static void acked_add(struct acked *a, const uint8_t *name, uint64_t nr, uint32_t len)
{
	if (!(a->n & (a->n - 1)))
		a->v = realloc(a->v, (a->n ? 2 * a->n : 1) * sizeof(*a->v));
	memcpy(a->v[a->n].name, name, CTM_BLOCK_NAME);
	a->v[a->n].nr = nr;
	a->v[a->n++].len = len;
}

static void read_some(const struct acked *a, unsigned int from, unsigned int n, uint64_t seed)
{
	struct ctm_block list[BATCH] = { 0 };
	unsigned int i;
	int err;

	for (i = 0; i < n; i++) {
		memcpy(list[i].name, a->v[from + i].name, CTM_BLOCK_NAME);
		list[i].len = a->v[from + i].len;
		list[i].buf = (uintptr_t)buffer(list[i].len);
	}
	err = call(CTM_IOC_GET, 0, list, n);
	for (i = 0; i < n; i++) {
		if (list[i].error)
			fail("get of block %llu: %s (%s)", (unsigned long long)a->v[from + i].nr,
			     strerror(list[i].error), reason);
		else
			check((char *)(uintptr_t)list[i].buf, seed, a->v[from + i].nr, a->v[from + i].len,
			      list[i].len);
		free((char *)(uintptr_t)list[i].buf - 13);
	}
	if (err == EFAULT || err == EINVAL)
		fail("get: %s", strerror(err));
}

static int write_blocks(const char *file, uint64_t seed, uint32_t max)
{
	struct acked all = { 0 };
	struct rng r = { seed };
	unsigned int refused = 0, i, n;
	uint64_t nr = 0, slowest = 0, begin;
	FILE *out = fopen(file, "w");

	while (out && access(work_stop, F_OK) && !work_failures) {
		struct ctm_block list[BATCH] = { 0 };

		n = 1 + rng_below(&r, BATCH);
		for (i = 0; i < n; i++) {
			list[i].len = length_of(seed, nr + i, max);
			list[i].buf = (uintptr_t)buffer(list[i].len);
			content((char *)(uintptr_t)list[i].buf, seed, nr + i, list[i].len);
		}
		begin = clock_ns(CLOCK_MONOTONIC);
		call(CTM_IOC_PUT, CTM_BLOCKS_PIN, list, n);
		begin = clock_ns(CLOCK_MONOTONIC) - begin;
		slowest = begin > slowest ? begin : slowest;
		for (i = 0; i < n; i++) {
			free((char *)(uintptr_t)list[i].buf - 13);
			if (list[i].error) {
				printf("put: %s (%s)\n", strerror(list[i].error), reason);
				refused++;
				continue;
			}
			acked_add(&all, list[i].name, nr + i, list[i].len);
			print_name(out, list[i].name);
			fprintf(out, " %llu %u\n", (unsigned long long)nr + i, list[i].len);
		}
		fflush(out);
		nr += n;
		n = 1 + rng_below(&r, 3);
		if (all.n > n)
			read_some(&all, rng_below(&r, all.n - n), n, seed);
		if (nr < 20)
			printf("ready\n");
		fflush(stdout);
	}
	printf("%u acknowledged, %u not, slowest call %llu ms\n", all.n, refused,
	       (unsigned long long)slowest / 1000000);
	return !out || refused > all.n / 4;
}

static int verify(const char *file, uint64_t seed)
{
	struct acked all = { 0 };
	unsigned int at, n, i;
	unsigned long long nr;
	FILE *in = fopen(file, "r");
	char name[2 * CTM_BLOCK_NAME + 1];
	uint8_t bytes[CTM_BLOCK_NAME];
	uint32_t len;

	while (in && fscanf(in, "%64s %llu %u", name, &nr, &len) == 3) {
		for (i = 0; i < CTM_BLOCK_NAME; i++)
			sscanf(name + 2 * i, "%2hhx", &bytes[i]);
		acked_add(&all, bytes, nr, len);
	}
	for (at = 0; at < all.n; at += n) {
		n = all.n - at < BATCH ? all.n - at : BATCH;
		read_some(&all, at, n, seed);
	}
	printf("%u read\n", all.n);
	return !all.n;
}

/* ---- batch ---- */

static int batch(unsigned int count, uint64_t seed, uint32_t max)
{
	struct ctm_block *list = calloc(count, sizeof(*list));
	unsigned int i;
	int err;

	for (i = 0; i < count; i++) {
		list[i].len = length_of(seed, i, max);
		list[i].buf = (uintptr_t)buffer(list[i].len);
		content((char *)(uintptr_t)list[i].buf, seed, i, list[i].len);
	}
	err = call(CTM_IOC_PUT, CTM_BLOCKS_PIN, list, count);
	if (err)
		fail("put: %s (%s)", strerror(err), reason);
	for (i = 0; i < count; i++) {
		if (list[i].copies != 2 || list[i].flags)
			fail("block %u: %u copies, flags %x", i, list[i].copies, list[i].flags);
		memset((char *)(uintptr_t)list[i].buf, 0x5a, list[i].len);
		list[i].flags = 0;
	}
	err = call(CTM_IOC_GET, 0, list, count);
	if (err)
		fail("get: %s (%s)", strerror(err), reason);
	for (i = 0; i < count; i++)
		check((char *)(uintptr_t)list[i].buf, seed, i, length_of(seed, i, max), list[i].len);
	err = call(CTM_IOC_DROP, CTM_BLOCKS_PIN, list, 1);
	if (err != EINVAL)
		fail("drop with a flag that is not its: %s", strerror(err));
	err = call(CTM_IOC_DROP, 0, list, count);
	if (err)
		fail("drop: %s (%s)", strerror(err), reason);
	return 0;
}

/* ---- errors ---- */

static void wants(const char *what, int got, int want)
{
	if (got != want)
		fail("%s: %s, not %s", what, got ? strerror(got) : "no error", strerror(want));
}

static int one(unsigned long nr, uint32_t flags, struct ctm_block *b)
{
	int err = call(nr, flags, b, 1);

	/* with one block, its error is the call's; but where the call itself is wrong */
	if (err != EINVAL && err != EFAULT && err != ESRCH && b->error != (uint32_t)err)
		fail("call %lx: %s, and the block's error is %u", nr & 0xff, strerror(err), b->error);
	return err;
}

static void errors_of_blocks(char *page)
{
	struct ctm_block b = { .buf = (uintptr_t)page, .len = 100 }, c;

	b.len = CTM_BLOCK_MAX + 1;
	wants("put over the limit", one(CTM_IOC_PUT, CTM_BLOCKS_PIN, &b), E2BIG);
	b.len = ~0u;
	wants("put of 4 GiB", one(CTM_IOC_PUT, CTM_BLOCKS_PIN, &b), E2BIG);
	b.len = 8192;			/* the second page is not there */
	wants("put from nowhere", one(CTM_IOC_PUT, CTM_BLOCKS_PIN, &b), EFAULT);
	b.buf = ~0ull << 12;
	wants("put from the kernel", one(CTM_IOC_PUT, CTM_BLOCKS_PIN, &b), EFAULT);
	b.buf = (uintptr_t)page;
	b.len = 100;
	wants("put by no process", one(CTM_IOC_PUT, 0, &b), ESRCH);
	b.error = 0;
	b.flags = 1;
	wants("put with flags of a block", one(CTM_IOC_PUT, CTM_BLOCKS_PIN, &b), EINVAL);
	b.flags = 0;
	wants("put", one(CTM_IOC_PUT, CTM_BLOCKS_PIN, &b), 0);
	c = b;
	c.flags = 0;
	c.len = 99;
	wants("get with less room", one(CTM_IOC_GET, 0, &c), EMSGSIZE);
	if (c.len != 100)
		fail("get with less room says %u bytes", c.len);
	c.buf = 1ull << 46;
	wants("get to nowhere", one(CTM_IOC_GET, 0, &c), EFAULT);
	c.buf = (uintptr_t)page;
	c.name[3] ^= 1;
	wants("get of another", one(CTM_IOC_GET, 0, &c), ENOENT);
	wants("pin of another", one(CTM_IOC_PIN, 0, &c), ENOENT);
	wants("drop of another", one(CTM_IOC_DROP, 0, &c), ENOENT);
	b.flags = 0;
	wants("drop", one(CTM_IOC_DROP, 0, &b), 0);
	wants("drop, again", one(CTM_IOC_DROP, 0, &b), ENOENT);
	wants("get of what was dropped", one(CTM_IOC_GET, 0, &b), ENOENT);
}

static void errors_of_calls(char *page)
{
	struct ctm_blocks b = { .size = sizeof(b), .list = (uintptr_t)page, .count = 1 };
	struct ctm_locate l = { .size = sizeof(l), .holders = (uintptr_t)page, .room = 1 };
	static const unsigned long calls[] = { CTM_IOC_PUT, CTM_IOC_GET, CTM_IOC_PIN, CTM_IOC_DROP };
	struct ctm_blocks c;
	unsigned int i;

	memset(page, 0, 4096);
	for (i = 0; i < 4; i++) {
#define TRY(text, err, change) do { c = b; change; \
		wants(text, ioctl(device, calls[i], &c) ? errno : 0, err); } while (0)
		TRY("no blocks", EINVAL, c.count = 0);
		TRY("too many", EINVAL, c.count = CTM_BLOCKS_MAX + 1);
		TRY("very many", EINVAL, c.count = ~0u);
		TRY("copies", EINVAL, c.copies = CTM_BLOCK_COPIES_MAX + 1);
		TRY("pad", EINVAL, c.pad = 1);
		TRY("flags", EINVAL, c.flags = 1u << 3);
		TRY("size", EINVAL, c.size = 16);
		if (calls[i] != CTM_IOC_PUT) {
			TRY("list nowhere", EFAULT, c.list = 1ull << 46);
			TRY("list at an end", EFAULT, (c.list = (uintptr_t)page + 4096 - 56, c.count = 2));
			TRY("list in the kernel", EFAULT, c.list = ~0ull << 30);
		}
	}
	c = b;
	c.flags = CTM_BLOCKS_PIN;
	c.list = 1ull << 46;
	wants("put of a list nowhere", ioctl(device, CTM_IOC_PUT, &c) ? errno : 0, EFAULT);
	wants("locate of nothing", ioctl(device, CTM_IOC_LOCATE, &l) ? errno : 0, ENOENT);
	l.room = 4097;
	wants("locate with too much room", ioctl(device, CTM_IOC_LOCATE, &l) ? errno : 0, EINVAL);
	b.flags = CTM_BLOCKS_ALL;
	wants("drop of all by anybody", ioctl(device, CTM_IOC_DROP, &b) ? errno : 0,
	      geteuid() ? EPERM : ENOENT);
}

/* two pages, the second of which is not there */
static int errors(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(page + 4096, 4096);
	errors_of_blocks(page);
	errors_of_calls(page);
	return 0;
}

/* ---- speed ---- */

static int speed(bool get, uint32_t len, unsigned int count, unsigned int ms)
{
	struct ctm_block *list = calloc(count, sizeof(*list));
	uint64_t begin, now, bytes = 0, spent = 0, nr = getpid() * 1000003ull, i;
	int err = 0;

	for (i = 0; i < count; i++)
		list[i].buf = (uintptr_t)malloc(len);
	begin = clock_ns(CLOCK_MONOTONIC);
	do {
		for (i = 0; i < count; i++, nr++) {
			list[i].len = len;
			list[i].flags = 0;
			content((char *)(uintptr_t)list[i].buf, nr, 0, len);
		}
		now = clock_ns(CLOCK_MONOTONIC);
		err = call(CTM_IOC_PUT, CTM_BLOCKS_PIN, list, count);
		if (get && !err) {
			for (i = 0; i < count; i++)
				list[i].flags = 0;
			now = clock_ns(CLOCK_MONOTONIC);
			err = call(CTM_IOC_GET, 0, list, count);
		}
		spent += clock_ns(CLOCK_MONOTONIC) - now;
		bytes += (uint64_t)len * count;
		for (i = 0; i < count; i++)
			list[i].flags = 0;
		call(CTM_IOC_DROP, 0, list, count);
	} while (!err && clock_ns(CLOCK_MONOTONIC) - begin < ms * MS);
	if (err)
		fail("%s: %s (%s)", get ? "get" : "put", strerror(err), reason);
	printf("%.2f MiB/s %.2f us a block\n", bytes / 1048576.0 / (spent / 1e9),
	       spent / 1e3 / (bytes / (double)len));
	return 0;
}

int main(int argc, char **argv)
{
	int status = 2;

	device = open("/dev/continuum", O_RDWR | O_CLOEXEC);
	if (device < 0) {
		perror("/dev/continuum");
		return 1;
	}
	if (argc == 6 && !strcmp(argv[1], "write")) {
		work_stop = argv[3];
		status = write_blocks(argv[2], strtoull(argv[4], NULL, 0), strtoul(argv[5], NULL, 0));
	} else if (argc == 4 && !strcmp(argv[1], "verify")) {
		status = verify(argv[2], strtoull(argv[3], NULL, 0));
	} else if (argc == 5 && !strcmp(argv[1], "batch")) {
		status = batch(strtoul(argv[2], NULL, 0), strtoull(argv[3], NULL, 0),
			       strtoul(argv[4], NULL, 0));
	} else if (argc == 2 && !strcmp(argv[1], "errors")) {
		status = errors();
	} else if (argc == 6 && !strcmp(argv[1], "speed")) {
		status = speed(!strcmp(argv[2], "get"), strtoul(argv[3], NULL, 0),
			       strtoul(argv[4], NULL, 0), strtoul(argv[5], NULL, 0));
	}
	if (work_failures)
		status = 1;
	puts(status ? "FAIL" : "PASS");
	return status;
}
