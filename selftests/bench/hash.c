// SPDX-License-Identifier: GPL-2.0
/*
 * hash.c - BLAKE2s (RFC 7693), the four columns of its state side by side in vectors
 *
 * To be built with -O3 -mssse3: then rounds are unrolled, and rotations by bytes are shuffles.
 */
#include "hash.h"
#include "../../tools/lib/blake2s_sigma.h"

#include <stdint.h>
#include <string.h>

#define BLOCK	64u

typedef uint32_t row __attribute__((vector_size(16)));
typedef uint8_t bytes __attribute__((vector_size(16)));

static const row iv[2] = {
	{ 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a },
	{ 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 },
};

static inline row by_bytes(row x, const bytes order)
{
	return (row)__builtin_shuffle((bytes)x, order);
}

static inline void half(row v[4], row x, row y)
{
	static const bytes by16 = { 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13 };
	static const bytes by8 = { 1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12 };

	v[0] += v[1] + x;
	v[3] = by_bytes(v[3] ^ v[0], by16);
	v[2] += v[3];
	v[1] ^= v[2];
	v[1] = v[1] >> 12 | v[1] << 20;
	v[0] += v[1] + y;
	v[3] = by_bytes(v[3] ^ v[0], by8);
	v[2] += v[3];
	v[1] ^= v[2];
	v[1] = v[1] >> 7 | v[1] << 25;
}

/* columns become diagonals, and with the opposite numbers columns again */
static inline void turn(row v[4], const row a, const row b, const row c)
{
	v[1] = __builtin_shuffle(v[1], a);
	v[2] = __builtin_shuffle(v[2], b);
	v[3] = __builtin_shuffle(v[3], c);
}

static void compress(row h[2], const uint8_t *block, uint64_t counted, uint32_t last)
{
	static const row one = { 1, 2, 3, 0 }, two = { 2, 3, 0, 1 }, three = { 3, 0, 1, 2 };
	row v[4] = { h[0], h[1], iv[0], iv[1] };
	uint32_t m[16];

	memcpy(m, block, sizeof(m));
	v[3] ^= (row){ (uint32_t)counted, (uint32_t)(counted >> 32), last, 0 };
#pragma GCC unroll 10
	for (unsigned int r = 0; r < 10; r++) {
		const uint8_t *s = blake2s_sigma[r];

		half(v, (row){ m[s[0]], m[s[2]], m[s[4]], m[s[6]] }, (row){ m[s[1]], m[s[3]], m[s[5]], m[s[7]] });
		turn(v, one, two, three);
		half(v, (row){ m[s[8]], m[s[10]], m[s[12]], m[s[14]] },
		     (row){ m[s[9]], m[s[11]], m[s[13]], m[s[15]] });
		turn(v, three, two, one);
	}
	h[0] ^= v[0] ^ v[2];
	h[1] ^= v[1] ^ v[3];
}

void hash(unsigned char out[HASH_BYTES], const void *data, size_t length)
{
	row h[2] = { iv[0] ^ (row){ 0x01010000 ^ HASH_BYTES, 0, 0, 0 }, iv[1] };
	const uint8_t *at = data;
	uint8_t block[BLOCK] = { 0 };
	uint64_t counted = 0;

	for (; length > BLOCK; at += BLOCK, length -= BLOCK) {
		counted += BLOCK;
		compress(h, at, counted, 0);
	}
	memcpy(block, at, length);
	compress(h, block, counted + length, ~0u);
	memcpy(out, h, HASH_BYTES);
}
