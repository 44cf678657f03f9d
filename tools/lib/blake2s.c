// SPDX-License-Identifier: GPL-2.0
/*
 * blake2s.c - BLAKE2s in one call (RFC 7693)
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "blake2s.h"
#include "blake2s_sigma.h"

#define BLOCK	64u

static const uint32_t iv[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static uint32_t rotate(uint32_t x, unsigned int by)
{
	return x >> by | x << (32 - by);
}

static void mix(uint32_t v[16], unsigned int a, unsigned int b, unsigned int c, unsigned int d,
		uint32_t x, uint32_t y)
{
	v[a] += v[b] + x;
	v[d] = rotate(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = rotate(v[b] ^ v[c], 12);
	v[a] += v[b] + y;
	v[d] = rotate(v[d] ^ v[a], 8);
	v[c] += v[d];
	v[b] = rotate(v[b] ^ v[c], 7);
}

static void compress(uint32_t h[8], const uint8_t block[BLOCK], uint64_t counted, bool last)
{
	uint32_t m[16], v[16];

	for (unsigned int i = 0; i < 16; i++)
		m[i] = (uint32_t)block[4 * i] | (uint32_t)block[4 * i + 1] << 8 |
		       (uint32_t)block[4 * i + 2] << 16 | (uint32_t)block[4 * i + 3] << 24;
	memcpy(v, h, 32);
	memcpy(v + 8, iv, 32);
	v[12] ^= (uint32_t)counted;
	v[13] ^= (uint32_t)(counted >> 32);
	if (last)
		v[14] = ~v[14];
	for (unsigned int r = 0; r < 10; r++) {
		const uint8_t *s = blake2s_sigma[r];

		mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
		mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
		mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
		mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
		mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
		mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
		mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
		mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
	}
	for (unsigned int i = 0; i < 8; i++)
		h[i] ^= v[i] ^ v[i + 8];
	explicit_bzero(m, sizeof(m));
	explicit_bzero(v, sizeof(v));
}

void blake2s(unsigned char out[BLAKE2S_BYTES], const void *key, size_t key_length,
	     const void *data, size_t length)
{
	const uint8_t *at = data;
	uint8_t block[BLOCK] = { 0 };
	uint64_t counted = 0;
	uint32_t h[8];

	memcpy(h, iv, sizeof(h));
	h[0] ^= 0x01010000 ^ (uint32_t)key_length << 8 ^ BLAKE2S_BYTES;
	if (key_length) {
		memcpy(block, key, key_length);
		counted = BLOCK;
		compress(h, block, counted, !length);
	}
	while (length > BLOCK) {
		counted += BLOCK;
		compress(h, at, counted, false);
		at += BLOCK;
		length -= BLOCK;
	}
	if (length || !key_length) {
		memset(block, 0, sizeof(block));
		if (length)
			memcpy(block, at, length);
		counted += length;
		compress(h, block, counted, true);
	}
	for (unsigned int i = 0; i < BLAKE2S_BYTES; i++)
		out[i] = (unsigned char)(h[i / 4] >> 8 * (i % 4));
	explicit_bzero(block, sizeof(block));
}
