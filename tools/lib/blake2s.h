/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blake2s.h - keyed BLAKE2s with 32 bytes of output (RFC 7693), as the module uses it
 */
#ifndef CONTINUUM_BLAKE2S_H
#define CONTINUUM_BLAKE2S_H

#include <stddef.h>

#define BLAKE2S_BYTES	32

/** blake2s() - of @data; @key_length 0 to 32 */
void blake2s(unsigned char out[BLAKE2S_BYTES], const void *key, size_t key_length,
	     const void *data, size_t length);

#endif /* CONTINUUM_BLAKE2S_H */
