/* SPDX-License-Identifier: GPL-2.0 */
/*
 * xxh64.h - the hash XXH64, for checksums: it finds accidents, not enemies
 */
#ifndef CONTINUUM_XXH64_H
#define CONTINUUM_XXH64_H

#include <stddef.h>
#include <stdint.h>

/** xxh64() - of @length bytes, with seed 0; pure */
uint64_t xxh64(const void *data, size_t length);

#endif /* CONTINUUM_XXH64_H */
