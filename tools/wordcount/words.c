// SPDX-License-Identifier: GPL-2.0
/*
 * words.c - which bytes make words, the loop in C, and the choice between it and words.asm
 */
#include <cpuid.h>

#include "words.h"

#define SPACES		[9 ... 13] = WORDS_SPACE, [' '] = WORDS_SPACE

static const uint8_t classes[WORDS_RULES][256] = {
	[WORDS_OLD] = {
		[0 ... 8] = WORDS_NEUTRAL, [14 ... 31] = WORDS_NEUTRAL, SPACES,
		[0x21 ... 0x7e] = WORDS_WORD, [0x7f ... 0xff] = WORDS_NEUTRAL,
	},
	[WORDS_POSIX] = {
		[0 ... 8] = WORDS_WORD, [14 ... 31] = WORDS_WORD, SPACES,
		[0x21 ... 0xff] = WORDS_WORD,
	},
	[WORDS_NEW] = {
		[0 ... 8] = WORDS_WORD, [14 ... 31] = WORDS_WORD, SPACES,
		[0x21 ... 0x9f] = WORDS_WORD, [0xa0] = WORDS_SPACE, [0xa1 ... 0xff] = WORDS_WORD,
	},
};

const uint8_t *words_classes(enum words_rule rule)
{
	return classes[rule];
}

struct words_span words_join(struct words_span a, struct words_span b)
{
	struct words_span both = {
		.words = a.words + b.words,
		.bytes = a.bytes + b.bytes,
		.head = a.head == WORDS_NEUTRAL ? b.head : a.head,
		.tail = b.tail == WORDS_NEUTRAL ? a.tail : b.tail,
	};

	if (a.tail == WORDS_WORD && b.head == WORDS_WORD)
		both.words--;
	return both;
}

/* the bits of XCR0; only where CPUID says OSXSAVE */
static uint64_t xcr0(void)
{
	uint32_t low, high;

	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

/* AVX2 and POPCNT in the CPU, and a kernel that keeps the upper halves of registers */
static bool has_avx2(void)
{
	const unsigned int wanted = bit_OSXSAVE | bit_AVX | bit_POPCNT;
	unsigned int a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || (c & wanted) != wanted || (xcr0() & 6) != 6)
		return false;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit_AVX2;
}

enum words_method words_best(void)
{
	return has_avx2() ? WORDS_AVX2 : WORDS_C;
}

const char *words_method_name(enum words_method method)
{
	static const char *const names[] = {
		[WORDS_C] = "C", [WORDS_SCASB] = "scasb", [WORDS_AVX2] = "AVX2",
	};

	return names[method];
}

uint64_t words_c(const uint8_t *data, size_t length, uint32_t *in_word, const uint8_t *table)
{
	uint32_t in = *in_word;
	uint64_t words = 0;

	for (size_t i = 0; i < length; i++) {
		uint8_t class = table[data[i]];

		if (class == WORDS_NEUTRAL)
			continue;
		words += class & ~in;
		in = class;
	}
	*in_word = in;
	return words;
}

static uint64_t count_avx2(enum words_rule rule, const uint8_t *data, size_t length, uint32_t *in_word)
{
	switch (rule) {
	case WORDS_OLD:
		return words_avx2_old(data, length, in_word);
	case WORDS_POSIX:
		return words_avx2_posix(data, length, in_word);
	default:
		return words_avx2_new(data, length, in_word);
	}
}

struct words_span words_count(enum words_method method, enum words_rule rule, const uint8_t *data,
			      size_t length)
{
	struct words_span span = WORDS_NOTHING;
	size_t first = 0;
	uint32_t in_word = 0;

	span.bytes = length;
	while (first < length && classes[rule][data[first]] == WORDS_NEUTRAL)
		first++;
	if (first == length)
		return span;
	span.head = classes[rule][data[first]];
	if (method == WORDS_AVX2)
		span.words = count_avx2(rule, data, length, &in_word);
	else if (method == WORDS_SCASB)
		span.words = words_scasb(data, length, &in_word, classes[rule]);
	else
		span.words = words_c(data, length, &in_word, classes[rule]);
	span.tail = in_word ? WORDS_WORD : WORDS_SPACE;
	return span;
}
