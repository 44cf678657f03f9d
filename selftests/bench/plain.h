/* SPDX-License-Identifier: GPL-2.0 */
/*
 * plain.h - see plain.c
 */
#ifndef BENCH_PLAIN_H
#define BENCH_PLAIN_H

#include <stddef.h>
#include <stdint.h>

/* by any rule of words.h, whose classes it is given */
uint64_t plain_state(const uint8_t *data, size_t length, const uint8_t *classes);
/* by the rule WORDS_POSIX alone */
uint64_t plain_borders(const uint8_t *data, size_t length);

#endif /* BENCH_PLAIN_H */
