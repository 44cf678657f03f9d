// SPDX-License-Identifier: GPL-2.0
/*
 * gpid.c - the printed form of a GPID, NODE.SEQ
 *
 * Node names may have dots, so the last one separates.  A node that the cluster
 * does not know any more is printed, and may be written, as "#" and its id in hex.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "continuum.h"
#include "cluster.h"

static int parse_sequence(const char *text, uint32_t *sequence)
{
	unsigned long long value;
	char *end;

	if (*text < '1' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || value > UINT32_MAX)
		return -EINVAL;
	*sequence = (uint32_t)value;
	return 0;
}

int continuum_gpid_split(const char *text, char node[CTM_NAME_MAX], uint32_t *sequence)
{
	const char *dot = strrchr(text, '.');
	size_t length = dot ? (size_t)(dot - text) : 0;

	if (!length || length >= CTM_NAME_MAX)
		return -EINVAL;
	memcpy(node, text, length);
	node[length] = '\0';
	return parse_sequence(dot + 1, sequence);
}

/* "#1a2b3c4d" */
static int parse_id(const char *text, uint32_t *id)
{
	size_t digits = strspn(text, "0123456789abcdefABCDEF");

	if (!digits || digits > 8 || text[digits])
		return -EINVAL;
	*id = (uint32_t)strtoul(text, NULL, 16);
	return *id ? 0 : -EINVAL;
}

int continuum_gpid_parse(const char *text, uint64_t *gpid)
{
	char node[CTM_NAME_MAX];
	uint32_t sequence;
	uint32_t id;
	int error;

	error = continuum_gpid_split(text, node, &sequence);
	if (error)
		return error;
	if (node[0] == '#')
		error = parse_id(node + 1, &id);
	else
		error = names_find_id(node, &id);
	if (error)
		return error;
	*gpid = CTM_GPID(id, sequence);
	return 0;
}

const char *continuum_gpid_print(uint64_t gpid, char text[CONTINUUM_GPID_MAX])
{
	char node[CTM_NAME_MAX];

	if (names_find_name(CTM_GPID_NODE(gpid), node))
		snprintf(node, sizeof(node), "#%08x", CTM_GPID_NODE(gpid));
	snprintf(text, CONTINUUM_GPID_MAX, "%s.%u", node, CTM_GPID_SEQ(gpid));
	return text;
}
