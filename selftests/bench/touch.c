// SPDX-License-Identifier: GPL-2.0
/*
 * touch - a process with memory, which notices when it does not run
 *
 *   touch MIB FILE [zero]
 *
 * Fills MIB of memory with what nobody can compress (zero: with nothing, but
 * every page is touched), then writes to it and looks at the clock without end.
 * SIGUSR1: note the longest gap since the last one. SIGTERM: the same, check the
 * memory, write one line of JSON to FILE and exit 0, or 1 if a bit is not as it
 * was written.
 *
 * CLOCK_REALTIME, because after a move by other tools it is the only clock that
 * goes on; the nodes' clocks have been set to each other before (stream.c).
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define WORDS_PER_PAGE	(4096 / sizeof(uint64_t))
#define GAPS_MAX	100

static volatile sig_atomic_t mark, end;

static void on_signal(int sig)
{
	if (sig == SIGUSR1)
		mark = 1;
	else
		end = 1;
}

static uint64_t xorshift(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static uint64_t sum(const uint64_t *memory, size_t words)
{
	uint64_t total = 0;

	for (size_t i = 0; i < words; i++)
		total += memory[i] * (i | 1);
	return total;
}

/* Writes that keep the sum known without reading all memory again. */
static uint64_t touch(uint64_t *memory, size_t pages, uint64_t *random, int zero)
{
	uint64_t change = 0;

	for (int n = 0; n < 100; n++) {
		uint64_t r = xorshift(random);
		size_t i = r % pages * WORDS_PER_PAGE + (r >> 40) % WORDS_PER_PAGE;
		uint64_t value = zero ? 0 : r;

		change += (value - memory[i]) * (i | 1);
		memory[i] = value;
	}
	return change;
}

static int report(const char *file, size_t mib, const int64_t *gap, int gaps, int ok)
{
	FILE *f = fopen(file, "w");

	if (!f)
		return 1;
	fprintf(f, "{\"mib\": %zu, \"ok\": %s, \"gaps_us\": [", mib, ok ? "true" : "false");
	for (int i = 0; i < gaps; i++)
		fprintf(f, "%s%lld", i ? ", " : "", (long long)gap[i]);
	fputs("]}\n", f);
	return fclose(f) || !ok;
}

int main(int argc, char **argv)
{
	size_t mib = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
	int zero = argc > 3 && !strcmp(argv[3], "zero");
	size_t pages = mib << 8, words = pages * WORDS_PER_PAGE;
	uint64_t random = 0x9e3779b97f4a7c15, expected, *memory;
	int64_t before, gap[GAPS_MAX] = { 0 };
	int gaps = 0;

	if (!mib) {
		fputs("usage: touch MIB FILE [zero]\n", stderr);
		return 2;
	}
	memory = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return 1;
	signal(SIGUSR1, on_signal);
	signal(SIGTERM, on_signal);
	for (size_t i = 0; i < words; i += zero ? WORDS_PER_PAGE : 1)
		((volatile uint64_t *)memory)[i] = zero ? 0 : xorshift(&random);
	expected = sum(memory, words);

	for (before = now_us(); !end; ) {
		int64_t now;

		expected += touch(memory, pages, &random, zero);
		now = now_us();
		if (now - before > gap[gaps])
			gap[gaps] = now - before;
		if (mark && gaps < GAPS_MAX - 1)
			gaps++;
		mark = 0;
		before = now;
	}
	return report(argv[2], mib, gap, gaps + 1, sum(memory, words) == expected);
}
