// SPDX-License-Identifier: GPL-2.0
/*
 * sparse.c - two tebibytes of address space, a few hundred pages of memory
 *
 * A reservation of PROT_NONE and one without reserve, touched here and there; the
 * pages are where they were, and there are not more of them than before.
 */
#include "workload.h"
#include <sys/mman.h>

#define TIB		(1ull << 40)
#define STRIDE		(9ull << 30)		/* bytes between touched pages */
#define SLACK_KIB	4096

static uint64_t resident_kib(void)
{
	unsigned long long kib = 0;
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %llu", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

static uint64_t *at(char *base, uint64_t off)
{
	return (uint64_t *)(base + off);
}

int main(int argc, char **argv)
{
	uint64_t off, before, now, most = 0;
	char *none, *lazy, *middle;

	work_begin(argc, argv);
	none = mmap(NULL, TIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	lazy = mmap(NULL, TIB, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	MUST(none != MAP_FAILED && lazy != MAP_FAILED);
	madvise(lazy, TIB, MADV_NOHUGEPAGE);
	/* a few usable pages in the middle of nothing */
	middle = none + TIB / 2;
	MUST(!mprotect(middle, 65536, PROT_READ | PROT_WRITE));
	memset(middle, 0x77, 65536);
	for (off = 0; off < TIB; off += STRIDE)
		*at(lazy, off) = off + 1;
	before = resident_kib();
	work_ready();
	while (working()) {
		now = resident_kib();
		most = now > most ? now : most;
		pause_ms(50);
	}
	if (most > before + SLACK_KIB)
		fail("resident memory grew from %llu to %llu KiB", (unsigned long long)before,
		     (unsigned long long)most);
	for (off = 0; off < TIB; off += STRIDE)
		if (*at(lazy, off) != off + 1) {
			fail("page at %llx is wrong", (unsigned long long)off);
			break;
		}
	VERIFY(*at(lazy, STRIDE / 2) == 0);
	VERIFY(middle[0] == 0x77 && middle[65535] == 0x77);
	VERIFY(!mprotect(none, 4096, PROT_READ | PROT_WRITE));
	none[5] = 1;
	VERIFY(none[4] == 0);
	return work_end();
}
