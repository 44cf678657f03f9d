// SPDX-License-Identifier: GPL-2.0
/*
 * beside.c - the other programs of Continuum, found from where this one is
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "beside.h"

bool find_beside(const char *place, char path[PATH_MAX])
{
	char own[PATH_MAX] = "";
	char *slash;

	if (readlink("/proc/self/exe", own, sizeof(own) - 1) < 0)
		return false;
	slash = strrchr(own, '/');
	if (!slash)
		return false;
	slash[1] = '\0';
	return snprintf(path, PATH_MAX, "%s%s", own, place) < PATH_MAX && !access(path, X_OK);
}
