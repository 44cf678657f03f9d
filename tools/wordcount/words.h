/* SPDX-License-Identifier: GPL-2.0 */
/*
 * words.h - counting words, as wc -w does in the C locale
 *
 * A byte is a space, or makes words, or is neutral: it neither begins a word nor ends one.
 * Which bytes are which, wc has changed: see enum words_rule.
 *
 * Stretches that were counted apart are put together by words_join(), so that a word across
 * their border counts once, also when there is nothing but neutral bytes at it.
 */
#ifndef WORDCOUNT_WORDS_H
#define WORDCOUNT_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * enum words_rule - the C locale of which wc; spaces are \t \n \v \f \r and the blank
 * @WORDS_OLD:   coreutils before 9.5 (Debian 12): 0x21 to 0x7e make words, the rest is neutral
 * @WORDS_POSIX: all that is no space makes words: POSIXLY_CORRECT, and other wc
 * @WORDS_NEW:   coreutils since then (Debian 13): as POSIX, but 0xa0 is a space, too
 *
 * The numbers are what that wc says of WORDS_PROBE, less one.
 */
enum words_rule {
	WORDS_OLD	= 0,
	WORDS_POSIX	= 1,
	WORDS_NEW	= 2,
};
#define WORDS_RULES	3
#define WORDS_PROBE	"\1 a\240b\n"

enum words_class {
	WORDS_SPACE	= 0,
	WORDS_WORD	= 1,
	WORDS_NEUTRAL	= 2,
};

/** words_classes() - enum words_class of each byte; a table of 256.  Pure */
const uint8_t *words_classes(enum words_rule rule);

/**
 * struct words_span - a stretch of bytes, counted
 * @words: words that begin in it, if a space stands before it
 * @bytes: its length
 * @head, @tail: enum words_class of its first and last byte that is not neutral;
 *         WORDS_NEUTRAL: there is none
 */
struct words_span {
	uint64_t words;
	uint64_t bytes;
	uint8_t head, tail;
};
#define WORDS_NOTHING	((struct words_span){ .head = WORDS_NEUTRAL, .tail = WORDS_NEUTRAL })

/** words_join() - @a and then @b.  Pure */
struct words_span words_join(struct words_span a, struct words_span b);

/** enum words_method - how to count */
enum words_method {
	WORDS_C,
	WORDS_SCASB,
	WORDS_AVX2,
};

/** words_best() - the fastest that this CPU and its kernel can do; ask where it is to run */
enum words_method words_best(void);
const char *words_method_name(enum words_method method);

/** words_count() - of @length bytes.  Pure; any alignment */
struct words_span words_count(enum words_method method, enum words_rule rule, const uint8_t *data,
			      size_t length);

/*
 * The loops themselves: words that begin in @data, where *@in_word (0, 1) says whether one is
 * going on before it, and afterwards, behind it.
 */
uint64_t words_c(const uint8_t *data, size_t length, uint32_t *in_word, const uint8_t *classes);
uint64_t words_scasb(const uint8_t *data, size_t length, uint32_t *in_word, const uint8_t *classes);
uint64_t words_avx2_old(const uint8_t *data, size_t length, uint32_t *in_word);
uint64_t words_avx2_posix(const uint8_t *data, size_t length, uint32_t *in_word);
uint64_t words_avx2_new(const uint8_t *data, size_t length, uint32_t *in_word);

#endif /* WORDCOUNT_WORDS_H */
