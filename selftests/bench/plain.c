// SPDX-License-Identifier: GPL-2.0
/*
 * plain.c - counting words as one writes it down, for the compiler to make the best of
 *
 * Built with -O3 -march=native. Two ways, for compilers like one better than the other; the
 * word counter has to be as fast as the faster.
 */
#include <stddef.h>
#include <stdint.h>

#include "plain.h"

/* in a word or not: one table, one state */
uint64_t plain_state(const uint8_t *data, size_t length, const uint8_t *classes)
{
	uint64_t words = 0;
	uint8_t in = 0;

	for (size_t i = 0; i < length; i++) {
		uint8_t class = classes[data[i]];

		if (class == 2)
			continue;
		words += class & !in;
		in = class;
	}
	return words;
}

static inline int is_space(uint8_t c)
{
	return c == ' ' || (uint8_t)(c - 9) < 5;
}

/* spaces with something else behind them: no state, so that it can be made vectors */
uint64_t plain_borders(const uint8_t *data, size_t length)
{
	uint64_t words = length && !is_space(data[0]);

	for (size_t i = 1; i < length; i++)
		words += is_space(data[i - 1]) & !is_space(data[i]);
	return words;
}
