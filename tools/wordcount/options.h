/* SPDX-License-Identifier: GPL-2.0 */
/*
 * options.h - what continuumctl says to wordcount and map, as their arguments
 *
 *   wordcount CHUNK WORKERS TIMEOUT_MS ROOM FILE RULE
 *   map       CHUNK WORKERS TIMEOUT_MS ROOM FILE COMMAND
 *
 * CHUNK in bytes; TIMEOUT_MS 0: none; ROOM: bytes of a wave. They are no programs for
 * users: continuumctl has checked all of it.
 */
#ifndef WORDCOUNT_OPTIONS_H
#define WORDCOUNT_OPTIONS_H

#include <stdint.h>

struct options {
	uint32_t chunk, workers;
	uint64_t timeout_ms, room;
	const char *file, *what;
};

/** options_parse() - Return: 0 or -EINVAL */
int options_parse(struct options *o, int argc, char **argv);

/** options_share() - of all @workers, those for a wave of @count chunks out of @total (0: not known) */
uint32_t options_share(const struct options *o, uint64_t count, uint64_t total);

#endif /* WORDCOUNT_OPTIONS_H */
