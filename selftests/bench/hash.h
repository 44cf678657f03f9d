/* SPDX-License-Identifier: GPL-2.0 */
/*
 * hash.h - BLAKE2s with vectors of SSSE3, as Linux on x86-64 computes it
 *
 * What is compared with the module shall not lose by a slower hash than the kernel's.
 */
#ifndef CTM_BENCH_HASH_H
#define CTM_BENCH_HASH_H

#include <stddef.h>

#define HASH_BYTES	32

/** hash() - unkeyed BLAKE2s-256 of @data */
void hash(unsigned char out[HASH_BYTES], const void *data, size_t length);

#endif /* CTM_BENCH_HASH_H */
