/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guests read files uncached, so they see what changes outside at once; but
 * pages of a program or library stay cached where it was mapped, and a guest
 * cannot learn that it was built anew. So the daemon watches executable files,
 * and a node that has not heard of the latest change drops such caches before
 * its next command.
 *
 * Watched: the source tree with build/, and directories that commands name.
 */
#ifndef LAB_FRESH_H
#define LAB_FRESH_H

#include <stddef.h>

void fresh_init(void);
void fresh_watch_tree(const char *dir);
/* Directories of the full paths among n bytes of NUL-terminated strings. */
void fresh_watch_named(const char *strings, size_t n);
/* Counts the changes up to now. */
unsigned int fresh_changes(void);

#endif
