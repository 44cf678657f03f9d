// SPDX-License-Identifier: GPL-2.0
/*
 * nearest.c - the nearest of some words
 */
#include <stdbool.h>
#include <string.h>

#include "nearest.h"

#define WORD_MAX	32u	/* all of ours are shorter */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: three rows of the table, the newest is written. */
size_t words_apart(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2];
	size_t la = strlen(a), lb = strlen(b);

	if (la > WORD_MAX || lb > WORD_MAX)
		return la > lb ? la : lb;
	for (size_t j = 0; j <= lb; j++)
		last[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t *oldest = before;

		now[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			now[j] = least(last[j - 1] + (a[i - 1] != b[j - 1]),
				       least(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], before[j - 2] + 1);
		}
		before = last;
		last = now;
		now = oldest;
	}
	return last[lb];
}

/* A third of the word may be wrong: one letter of two to four, two of five to seven. */
static bool helps(const char *word, const char *candidate, size_t apart)
{
	size_t longer = strlen(word) > strlen(candidate) ? strlen(word) : strlen(candidate);

	return apart <= (longer + 1) / 3;
}

void nearest_try(struct nearest *nearest, const char *candidate)
{
	size_t length = strlen(nearest->word);
	size_t apart = words_apart(nearest->word, candidate);

	if (length > 1 && !strncmp(nearest->word, candidate, length))
		apart = 1;		/* only begun */
	if (!helps(nearest->word, candidate, apart) || (nearest->best && apart >= nearest->apart))
		return;
	nearest->best = candidate;
	nearest->apart = apart;
}
