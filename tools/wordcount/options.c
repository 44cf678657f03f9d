// SPDX-License-Identifier: GPL-2.0
/*
 * options.c - arguments of wordcount and map
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../lib/continuum.h"
#include "options.h"

static int number(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno || *text < '0' || *text > '9' || *end || *value < min || *value > max ? -EINVAL : 0;
}

int options_parse(struct options *o, int argc, char **argv)
{
	uint64_t chunk, workers;

	if (argc != 7 || number(argv[1], 1, CTM_BLOCK_MAX, &chunk) ||
	    number(argv[2], 1, CTM_FORK_MAX, &workers) ||
	    number(argv[3], 0, UINT64_MAX / 1000000, &o->timeout_ms) ||
	    number(argv[4], 1, UINT64_MAX, &o->room)) {
		fputs("started by continuumctl wordcount and continuumctl map, not by hand\n", stderr);
		return -EINVAL;
	}
	o->chunk = (uint32_t)chunk;
	o->workers = (uint32_t)workers;
	o->file = argv[5];
	o->what = argv[6];
	return 0;
}

uint32_t options_share(const struct options *o, uint64_t count, uint64_t total)
{
	uint64_t workers = total > count ? (o->workers * count + total - 1) / total : o->workers;

	return workers < 1 ? 1 : (uint32_t)workers;
}
