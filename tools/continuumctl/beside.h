/* SPDX-License-Identifier: GPL-2.0 */
/*
 * beside.h - the other programs of Continuum, found from where this one is
 */
#ifndef CONTINUUMCTL_BESIDE_H
#define CONTINUUMCTL_BESIDE_H

#include <limits.h>
#include <stdbool.h>

/** find_beside() - the program at @place, from this program's directory.  Return: is there one? */
bool find_beside(const char *place, char path[PATH_MAX]);

#endif /* CONTINUUMCTL_BESIDE_H */
