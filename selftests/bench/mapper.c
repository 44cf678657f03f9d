// SPDX-License-Identifier: GPL-2.0
/*
 * mapper.c - how fast words are counted on this computer: vectors, string instructions, C
 *
 *   mapper [--json FILE] [--mib N] [FILE...]
 *
 * Text is taken from FILEs, or made. All ways count the same bytes in turn, several times
 * over; the best time of each counts, for what disturbs a run only makes it slower. Once with
 * 1 MiB that stays in the cache, as a block is that has just been received, once with N MiB.
 *
 * Exits 1 when the numbers of words differ, or the AVX2 version is slower than the faster
 * loop in C.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../tools/wordcount/words.h"
#include "plain.h"

#define ROUNDS		9
#define SLOW_ROUNDS	2		/* of what takes a thousand times as long */
#define HOT		(1u << 20)
#define PASS_BYTES	(32u << 20)	/* counted in a round, at least */

enum way { AVX2, SCASB, STATE, BORDERS, WAYS };

static const char *const names[WAYS] = {
	"AVX2", "scasb", "C -O3 -march=native, state", "C -O3 -march=native, borders",
};

struct text {
	uint8_t *data;
	size_t length;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Words of 1 to 12 letters, lines of some 70. */
static void make_text(struct text *text)
{
	uint64_t seed = 1;
	size_t column = 0;

	for (size_t i = 0; i < text->length;) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		for (size_t n = 1 + (seed >> 33) % 12; n && i < text->length; n--, column++)
			text->data[i++] = (uint8_t)('a' + (seed >> (2 * n)) % 26);
		if (i < text->length)
			text->data[i++] = column > 70 ? '\n' : ' ';
		column = column > 70 ? 0 : column + 1;
	}
}

/* The files, over and over until it is full.  Return: false: there is nothing in them */
static bool read_text(struct text *text, char **files, int count)
{
	size_t have = 0;
	FILE *file;

	for (int i = 0; i < count && have < text->length; i++) {
		file = fopen(files[i], "rb");
		if (!file) {
			fprintf(stderr, "mapper: %s: %s\n", files[i], strerror(errno));
			exit(2);
		}
		have += fread(text->data + have, 1, text->length - have, file);
		fclose(file);
	}
	for (size_t i = have; have && i < text->length; i++)
		text->data[i] = text->data[i - have];
	return have;
}

static uint64_t count(enum way way, enum words_rule rule, const uint8_t *data, size_t length)
{
	uint32_t in = 0;

	switch (way) {
	case AVX2:
		return words_count(WORDS_AVX2, rule, data, length).words;
	case SCASB:
		return words_scasb(data, length, &in, words_classes(rule));
	case STATE:
		return plain_state(data, length, words_classes(rule));
	default:
		return plain_borders(data, length);
	}
}

/* MB/s of each way; 0: it cannot be run here.  Return: false when they do not agree */
static bool measure(enum words_rule rule, const struct text *text, double speed[WAYS])
{
	unsigned int passes = PASS_BYTES > text->length ? (unsigned int)(PASS_BYTES / text->length) : 1;
	uint64_t words = count(STATE, rule, text->data, text->length);
	bool same = true;

	memset(speed, 0, WAYS * sizeof(*speed));
	for (int round = 0; round < ROUNDS; round++)
		for (enum way way = 0; way < WAYS; way++) {
			volatile uint64_t said = 0;
			double begin, mbs;

			if ((way == SCASB && round >= SLOW_ROUNDS) ||
			    (way == AVX2 && words_best() != WORDS_AVX2) ||
			    (way == BORDERS && rule != WORDS_POSIX))
				continue;
			begin = now();
			for (unsigned int i = 0; i < passes; i++)
				said = count(way, rule, text->data, text->length);
			mbs = (double)text->length * passes / 1e6 / (now() - begin);
			speed[way] = mbs > speed[way] ? mbs : speed[way];
			same &= said == words;
		}
	return same;
}

static bool report(const char *title, enum words_rule rule, const struct text *text, FILE *json)
{
	double speed[WAYS], best;
	bool same = measure(rule, text, speed), fast;

	best = speed[STATE] > speed[BORDERS] ? speed[STATE] : speed[BORDERS];
	fast = !speed[AVX2] || speed[AVX2] >= best;
	printf("%s\n", title);
	for (enum way way = 0; way < WAYS; way++)
		if (speed[way])
			printf("  %-30s %8.0f MB/s   %6.2f times the faster C loop\n", names[way],
			       speed[way], speed[way] / best);
	if (!speed[AVX2])
		printf("  (no AVX2 here)\n");
	if (!same)
		printf("  NOT OK: they count differently\n");
	if (!fast)
		printf("  NOT OK: AVX2 is slower than the loop in C\n");
	if (json)
		fprintf(json, "{\"what\": \"%s\", \"avx2\": %.0f, \"scasb\": %.0f, \"c_state\": %.0f, \"c_borders\": %.0f}\n",
			title, speed[AVX2], speed[SCASB], speed[STATE], speed[BORDERS]);
	return same && fast;
}

int main(int argc, char **argv)
{
	static const char *const rules[] = {
		"wc before coreutils 9.5", "POSIX", "wc since coreutils 9.5",
	};
	struct text all = { .length = 64u << 20 }, hot;
	FILE *json = NULL;
	bool good = true;
	char title[100];

	for (argv++, argc--; argc > 1 && !strncmp(*argv, "--", 2); argv += 2, argc -= 2) {
		if (!strcmp(*argv, "--json"))
			json = fopen(argv[1], "w");
		else if (!strcmp(*argv, "--mib"))
			all.length = strtoul(argv[1], NULL, 10) << 20;
		else
			return fprintf(stderr, "usage: mapper [--json FILE] [--mib N] [FILE...]\n"), 2;
	}
	if (all.length < HOT)
		all.length = HOT;
	all.data = malloc(all.length);
	if (!all.data)
		return perror("mapper"), 2;
	if (!read_text(&all, argv, argc))
		make_text(&all);
	hot = (struct text){ all.data, HOT };
	for (enum words_rule rule = 0; rule < WORDS_RULES; rule++) {
		snprintf(title, sizeof(title), "1 MiB, %s", rules[rule]);
		good &= report(title, rule, &hot, json);
		snprintf(title, sizeof(title), "%zu MiB, %s", all.length >> 20, rules[rule]);
		good &= report(title, rule, &all, json);
	}
	if (json)
		fclose(json);
	return !good;
}
