// SPDX-License-Identifier: GPL-2.0
/*
 * counter.c - counts, and remembers
 *
 * A chain of numbers is computed in steps; every link is written into a ring in
 * memory, and the whole ring is recomputed from its oldest link now and then.
 * With "vdso" it asks for the time all the while, so that it is mostly inside the
 * vDSO when it is stopped; with "deep" it counts at the bottom of a recursion.
 * Prints the names of the nodes that it saw.
 */
#include "workload.h"

#define RING	(1u << 16)

static uint64_t ring[RING];
static uint64_t count;
static char hosts[64][65];
static unsigned int nhosts;

static uint64_t next(uint64_t z)
{
	z += 0x9e3779b97f4a7c15ull;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	return z ^ (z >> 31);
}

static void step(void)
{
	ring[(count + 1) % RING] = next(ring[count % RING]);
	count++;
}

static void verify(void)
{
	uint64_t first = count >= RING ? count - RING + 1 : 0, i;

	for (i = first; i < count; i++)
		if (next(ring[i % RING]) != ring[(i + 1) % RING]) {
			fail("link %llu of %llu is wrong", (unsigned long long)i,
			     (unsigned long long)count);
			return;
		}
}

static void note_host(void)
{
	char name[65] = "";

	gethostname(name, sizeof(name) - 1);
	if ((!nhosts || strcmp(hosts[nhosts - 1], name)) && nhosts < 64)
		strcpy(hosts[nhosts++], name);
}

static void count_on(bool vdso)
{
	uint64_t last = clock_ns(CLOCK_MONOTONIC), now;
	unsigned int i;

	while (working()) {
		note_host();
		for (i = 0; i < 20000; i++) {
			step();
			if (!vdso)
				continue;
			now = clock_ns(CLOCK_MONOTONIC);
			if (now < last)
				fail("the clock ran back by %llu ns",
				     (unsigned long long)(last - now));
			last = now;
		}
		verify();
	}
}

static unsigned int deep(unsigned int level, bool vdso)
{
	volatile unsigned char frame[256];
	unsigned int i, sum = 0;

	memset((void *)frame, level, sizeof(frame));
	if (level)
		sum = deep(level - 1, vdso);
	else
		count_on(vdso);
	for (i = 0; i < sizeof(frame); i++)
		sum += frame[i] != (unsigned char)level;
	return sum;
}

int main(int argc, char **argv)
{
	bool vdso = argc > 2 && !strcmp(argv[2], "vdso");
	bool recurse = argc > 2 && !strcmp(argv[2], "deep");
	unsigned int i;

	work_begin(argc, argv);
	ring[0] = 42;
	work_ready();
	VERIFY(deep(recurse ? 2000 : 0, vdso) == 0);
	verify();
	VERIFY(count > 0);
	printf("hosts");
	for (i = 0; i < nhosts; i++)
		printf(" %s", hosts[i]);
	printf("\n");
	return work_end();
}
