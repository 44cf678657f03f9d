// SPDX-License-Identifier: GPL-2.0
/*
 * words.c - the word counter's loops against each other, against an automaton that is told
 * what wc says of single bytes, and against wc itself
 */
#include <string.h>
#include <unistd.h>

#include "../../tools/wordcount/words.h"
#include "../ktap.h"
#include "random.h"

#define ROOM	70000u

static const enum words_method methods[] = { WORDS_C, WORDS_SCASB, WORDS_AVX2 };
static struct rng rng;
static uint64_t seed;

static bool can(enum words_method method)
{
	return method != WORDS_AVX2 || words_best() == WORDS_AVX2;
}

/* What wc says of @length bytes, by a file, in the C locale; -1: there is none */
static int64_t ask_wc(const uint8_t *data, size_t length)
{
	char name[] = "/tmp/continuum-words-XXXXXX", command[128];
	int fd = mkstemp(name);
	long long said = -1;
	FILE *wc;

	if (fd < 0 || write(fd, data, length) != (ssize_t)length)
		return -1;
	close(fd);
	snprintf(command, sizeof(command), "LC_ALL=C wc -w <%s", name);
	wc = popen(command, "r");
	if (wc && fscanf(wc, "%lld", &said) != 1)
		said = -1;
	if (wc)
		pclose(wc);
	unlink(name);
	return said;
}

static int wc_rule(void)
{
	return (int)ask_wc((const uint8_t *)WORDS_PROBE, sizeof(WORDS_PROBE) - 1) - 1;
}

/* Exactly @length bytes on the heap, so that the sanitizer sees what lies beyond. */
static uint8_t *random_bytes(size_t length, unsigned int kind)
{
	static const char mix[] = "a \n\t\xa0\x80\x01z\x7f\v ~!";
	uint8_t *data = malloc(length ? length : 1);

	for (size_t i = 0; i < length; i++) {
		switch (kind % 4) {
		case 0:		/* binary */
			data[i] = (uint8_t)rng_next(&rng);
			break;
		case 1:		/* the borders of classes */
			data[i] = (uint8_t)mix[rng_below(&rng, sizeof(mix) - 1)];
			break;
		case 2:		/* text */
			data[i] = rng_percent(&rng, 17) ? ' ' : (uint8_t)('a' + rng_below(&rng, 26));
			break;
		default:	/* long runs */
			data[i] = i && !rng_percent(&rng, 2) ? data[i - 1] : (uint8_t)rng_next(&rng);
		}
	}
	return data;
}

/* Another way to say it: neutral bytes go first, then borders are counted. */
static struct words_span reference(enum words_rule rule, const uint8_t *data, size_t length)
{
	struct words_span span = WORDS_NOTHING;
	uint8_t last = WORDS_SPACE;

	span.bytes = length;
	for (size_t i = 0; i < length; i++) {
		bool space = (data[i] >= 9 && data[i] <= 13) || data[i] == 32 ||
			     (rule == WORDS_NEW && data[i] == 160);
		bool word = rule == WORDS_OLD ? data[i] > 32 && data[i] < 127 : !space;

		if (!space && !word)
			continue;
		if (span.head == WORDS_NEUTRAL)
			span.head = word ? WORDS_WORD : WORDS_SPACE;
		span.words += word && last == WORDS_SPACE;
		last = word ? WORDS_WORD : WORDS_SPACE;
		span.tail = last;
	}
	return span;
}

static bool same(struct words_span a, struct words_span b)
{
	return a.words == b.words && a.bytes == b.bytes && a.head == b.head && a.tail == b.tail;
}

static void all_bytes(void)
{
	for (int rule = 0; rule < WORDS_RULES; rule++)
		for (int i = 0; i < 256; i++)
			for (size_t m = 0; m < 3; m++) {
				const uint8_t data[3] = { 'a', (uint8_t)i, 'b' };

				if (!can(methods[m]))
					continue;
				CHECK(same(words_count(methods[m], rule, data, 3), reference(rule, data, 3)));
				CHECK(same(words_count(methods[m], rule, data + 1, 1),
					   reference(rule, data + 1, 1)));
			}
}

static void every_length(void)
{
	for (unsigned int n = 0; n < 400; n++)
		for (unsigned int kind = 0; kind < 4; kind++) {
			uint8_t *data = random_bytes(n, kind);

			for (int rule = 0; rule < WORDS_RULES; rule++)
				for (size_t m = 0; m < 3; m++)
					if (can(methods[m]))
						CHECK(same(words_count(methods[m], rule, data, n),
							   reference(rule, data, n)));
			free(data);
		}
}

static void large(void)
{
	for (unsigned int i = 0; i < 60; i++) {
		size_t n = rng_below(&rng, ROOM), skip = rng_below(&rng, n < 70 ? n + 1 : 70);
		uint8_t *data = random_bytes(n, i);

		for (int rule = 0; rule < WORDS_RULES; rule++)
			for (size_t m = 0; m < 3; m++)
				if (can(methods[m]))
					CHECK(same(words_count(methods[m], rule, data + skip, n - skip),
						   reference(rule, data + skip, n - skip)));
		free(data);
	}
}

/* A word that goes on before counts no more; what is left behind is right. */
static void carried_in(void)
{
	for (unsigned int i = 0; i < 3000; i++) {
		size_t n = rng_below(&rng, 200);
		uint8_t *data = random_bytes(n, i);
		const uint8_t *classes = words_classes(WORDS_OLD);
		uint32_t in[3] = { i >> 2 & 1, i >> 2 & 1, i >> 2 & 1 };
		uint64_t words = words_c(data, n, &in[0], classes);

		CHECK(words_scasb(data, n, &in[1], classes) == words && in[1] == in[0]);
		if (can(WORDS_AVX2))
			CHECK(words_avx2_old(data, n, &in[2]) == words && in[2] == in[0]);
		free(data);
	}
}

/* Every split in two, and many in three: together they are the whole. */
static void splits(void)
{
	for (unsigned int i = 0; i < 48; i++) {
		size_t n = 1 + rng_below(&rng, 300);
		uint8_t *data = random_bytes(n, i);
		enum words_rule rule = i % WORDS_RULES;

		for (size_t m = 0; m < 3; m++) {
			struct words_span whole = words_count(methods[0], rule, data, n);

			if (!can(methods[m]))
				continue;
			for (size_t at = 0; at <= n; at++) {
				size_t next = at + rng_below(&rng, n - at + 1);
				struct words_span a = words_count(methods[m], rule, data, at);
				struct words_span b = words_count(methods[m], rule, data + at, next - at);
				struct words_span c = words_count(methods[m], rule, data + next, n - next);

				CHECK(same(words_join(words_join(a, b), c), whole));
				CHECK(same(words_join(a, words_join(b, c)), whole));
			}
		}
		free(data);
	}
	CHECK(same(words_join(WORDS_NOTHING, WORDS_NOTHING), WORDS_NOTHING));
}

static void against_wc(void)
{
	int rule = wc_rule();

	if (rule < 0 || rule >= WORDS_RULES) {
		ktap_skip("this machine has no wc that is known");
		return;
	}
	ktap_note("rule %d, SEED=%llu", rule, (unsigned long long)seed);
	for (int i = 0; i < 256; i++) {
		const uint8_t data[] = { 'a', (uint8_t)i, 'b', ' ', (uint8_t)i, '\n' };

		CHECK(ask_wc(data, sizeof(data)) == (int64_t)reference(rule, data, sizeof(data)).words);
	}
	for (unsigned int i = 0; i < 40; i++) {
		size_t n = rng_below(&rng, ROOM);
		uint8_t *data = random_bytes(n, i);
		int64_t said = ask_wc(data, n);

		for (size_t m = 0; m < 3; m++)
			if (can(methods[m]))
				CHECK((int64_t)words_count(methods[m], rule, data, n).words == said);
		free(data);
	}
}

static const struct ktap_test tests[] = {
	{ "words: every byte", all_bytes },
	{ "words: every length", every_length },
	{ "words: large", large },
	{ "words: a word that goes on", carried_in },
	{ "words: every split", splits },
	{ "words: as wc -w says", against_wc },
};

int main(void)
{
	seed = rng_seed((uint64_t)getpid() << 20);
	rng.state = seed;
	return ktap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
