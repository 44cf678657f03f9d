// SPDX-License-Identifier: GPL-2.0
/*
 * big.c - much memory that nobody can compress
 *
 *   big STOP MIB
 */
#include "workload.h"
#include <sys/mman.h>

static uint64_t word(uint64_t i)
{
	i = (i ^ i >> 31) * 0x7fb5d329728ea185ull;
	i = (i ^ i >> 27) * 0x81dadef4bc2dd44dull;
	return i ^ i >> 33;
}

int main(int argc, char **argv)
{
	size_t i, n = (argc > 2 ? strtoul(argv[2], NULL, 0) : 8) << 20 >> 3;
	uint64_t *p;

	work_begin(argc, argv);
	p = mmap(NULL, n * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(p != MAP_FAILED);
	for (i = 0; i < n; i++)
		p[i] = word(i);
	work_ready();
	while (working())
		pause_ms(100);
	for (i = 0; i < n && p[i] == word(i); i++)
		;
	if (i < n)
		fail("word %zu is %llx", i, (unsigned long long)p[i]);
	return work_end();
}
