// SPDX-License-Identifier: GPL-2.0
/*
 * ballast.c - memory that takes a while to be sent
 *
 *   ballast STOP MIB
 *
 * Nobody can compress it, a part of it changes all the time, and at the end every
 * word is what was written last.
 */
#include "workload.h"
#include <sys/mman.h>

#define WORDS(mib)	((size_t)(mib) << 17)

static uint64_t word(uint64_t i, uint64_t turn)
{
	uint64_t x = (i + 1) * 0x9e3779b97f4a7c15ull + turn;

	x ^= x >> 29;
	return x * 0xbf58476d1ce4e5b9ull;
}

int main(int argc, char **argv)
{
	size_t n, i, page = 512;
	uint64_t turn = 0, *m;

	work_begin(argc, argv);
	MUST(argc > 2);
	n = WORDS(atoi(argv[2]));
	m = mmap(NULL, n * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(m != MAP_FAILED);
	for (i = 0; i < n; i++)
		m[i] = word(i, 0);
	work_ready();
	for (; working(); turn++) {
		for (i = 0; i < n; i += 16 * page)
			m[i] = word(i, turn + 1);
		pause_ms(10);
	}
	for (i = 0; i < n; i++)
		VERIFY(m[i] == word(i, i % (16 * page) ? 0 : turn));
	return work_end();
}
