/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sequence.h - the sequence numbers of this node's GPIDs, never used twice
 */
#ifndef CTM_SEQUENCE_H
#define CTM_SEQUENCE_H

#include <linux/types.h>

/**
 * ctm_sequence_next() - the next number
 * Reserves a range on disk when the last one is used up.
 * Context: process, may sleep.  Return: 0 or -errno of the file
 */
int ctm_sequence_next(u32 *seq);
/** ctm_sequence_many() - @n numbers in a row, from @first on; as above.  @n: up to 65536 */
int ctm_sequence_many(u32 n, u32 *first);

/** enum ctm_sequence_when - FUTURE: not given out yet; PRESENT: by this module; PAST: before, or never */
enum ctm_sequence_when { CTM_SEQUENCE_PAST, CTM_SEQUENCE_PRESENT, CTM_SEQUENCE_FUTURE };
/** ctm_sequence_where() - when was @seq given out?  Context: process, may sleep */
enum ctm_sequence_when ctm_sequence_where(u32 seq);

#endif /* CTM_SEQUENCE_H */
