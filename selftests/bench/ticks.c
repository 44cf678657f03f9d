// SPDX-License-Identifier: GPL-2.0
/*
 * ticks - how long a timer interrupt keeps a program from running
 *
 *   ticks COUNT
 *
 * Looks at the TSC without end and notes the gaps. Prints the median of COUNT of them,
 * and quartiles, as JSON. On a machine that counts instructions (LAB_ACCEL=icount) that
 * is the number of instructions that an interrupt takes, the same for each but for those
 * in which something else happened, too.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define LONGER	500		/* than any turn of the loop */
#define MAX	100000

static uint64_t gaps[MAX];

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	unsigned int want = argc > 1 ? (unsigned int)atoi(argv[1]) : 0, n = 0;
	uint64_t last, now;

	if (!want || want > MAX) {
		fprintf(stderr, "usage: ticks COUNT\n");
		return 2;
	}
	last = __builtin_ia32_rdtsc();
	while (n < want) {
		now = __builtin_ia32_rdtsc();
		if (now - last > LONGER)
			gaps[n++] = now - last;
		last = now;
	}
	qsort(gaps, n, sizeof(gaps[0]), by_value);
	printf("{ \"count\": %u, \"least\": %llu, \"quarter\": %llu, \"median\": %llu, \"three_quarters\": %llu }\n",
	       n, (unsigned long long)gaps[0], (unsigned long long)gaps[n / 4],
	       (unsigned long long)gaps[n / 2], (unsigned long long)gaps[n * 3 / 4]);
	return 0;
}
