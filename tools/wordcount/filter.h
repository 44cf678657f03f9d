/* SPDX-License-Identifier: GPL-2.0 */
/*
 * filter.h - a shell command with bytes for its input, and what it puts out
 */
#ifndef WORDCOUNT_FILTER_H
#define WORDCOUNT_FILTER_H

#include <stddef.h>
#include <stdint.h>

#define FILTER_PIECE	(1u << 20)	/* of output that is handed on at a time */
#define FILTER_ERRORS	(64u << 10)	/* of standard error that is kept */

/**
 * struct filter - to be filled in but for the last two
 * @output: gets standard output, in pieces of FILTER_PIECE, the last may be shorter.  0 or -errno,
 *          which ends the command
 * @errors, @error_bytes: what it wrote to standard error, the first FILTER_ERRORS bytes
 */
struct filter {
	const char *command;
	const void *input;
	size_t input_bytes;
	uint64_t chunk;			/* CONTINUUM_CHUNK in the command's environment */
	int (*output)(void *context, const void *data, size_t length);
	void *context;
	char *errors;
	size_t error_bytes;
};

/** filter_run() - sh -c.  Return: the exit status, 128 + N for signal N, or -errno */
int filter_run(struct filter *f);

#endif /* WORDCOUNT_FILTER_H */
