// SPDX-License-Identifier: GPL-2.0
/*
 * xxh64.c - XXH64, as its specification has it (xxHash fast digest algorithm, 0.1.1)
 *
 * For little-endian machines.
 */
#include <string.h>

#include "xxh64.h"

#define P1	0x9e3779b185ebca87ull
#define P2	0xc2b2ae3d27d4eb4full
#define P3	0x165667b19e3779f9ull
#define P4	0x85ebca77c2b2ae63ull
#define P5	0x27d4eb2f165667c5ull

#define STRIPE	32u

static uint64_t rotate(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static uint64_t word(const uint8_t *at)
{
	uint64_t x;

	memcpy(&x, at, sizeof(x));
	return x;
}

static uint32_t half(const uint8_t *at)
{
	uint32_t x;

	memcpy(&x, at, sizeof(x));
	return x;
}

static uint64_t lane(uint64_t acc, uint64_t input)
{
	return rotate(acc + input * P2, 31) * P1;
}

static uint64_t merge(uint64_t acc, uint64_t of_lane)
{
	return (acc ^ lane(0, of_lane)) * P1 + P4;
}

static uint64_t stripes(const uint8_t **at, const uint8_t *end)
{
	uint64_t a = P1 + P2, b = P2, c = 0, d = 0 - P1;
	uint64_t acc;

	for (; (size_t)(end - *at) >= STRIPE; *at += STRIPE) {
		a = lane(a, word(*at));
		b = lane(b, word(*at + 8));
		c = lane(c, word(*at + 16));
		d = lane(d, word(*at + 24));
	}
	acc = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
	return merge(merge(merge(merge(acc, a), b), c), d);
}

static uint64_t tail(uint64_t acc, const uint8_t *at, const uint8_t *end)
{
	for (; end - at >= 8; at += 8)
		acc = rotate(acc ^ lane(0, word(at)), 27) * P1 + P4;
	for (; end - at >= 4; at += 4)
		acc = rotate(acc ^ half(at) * P1, 23) * P2 + P3;
	for (; at < end; at++)
		acc = rotate(acc ^ *at * P5, 11) * P1;
	return acc;
}

uint64_t xxh64(const void *data, size_t length)
{
	const uint8_t *at = data, *end = at + length;
	uint64_t acc = (length >= STRIPE ? stripes(&at, end) : P5) + length;

	acc = tail(acc, at, end);
	acc = (acc ^ acc >> 33) * P2;
	acc = (acc ^ acc >> 29) * P3;
	return acc ^ acc >> 32;
}
