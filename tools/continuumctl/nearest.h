/* SPDX-License-Identifier: GPL-2.0 */
/*
 * nearest.h - what somebody may have meant who wrote a word that there is not
 */
#ifndef CONTINUUMCTL_NEAREST_H
#define CONTINUUMCTL_NEAREST_H

#include <stddef.h>

/** words_apart() - edits (insert, drop, change, swap neighbours) from one word to the other; pure */
size_t words_apart(const char *a, const char *b);

/** struct nearest - the best so far; begins with the word that is looked for, and zeros */
struct nearest {
	const char *word;
	const char *best;	/* NULL: none is near enough to be of help */
	size_t apart;
};

/** nearest_try() - one more candidate; pure.  Of equals the first stays */
void nearest_try(struct nearest *nearest, const char *candidate);

#endif /* CONTINUUMCTL_NEAREST_H */
