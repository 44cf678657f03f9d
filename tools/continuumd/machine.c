// SPDX-License-Identifier: GPL-2.0
/*
 * machine.c - the machine id, hashed
 *
 * machine-id(5) asks that the id itself stays on the machine, so what the cluster
 * sees is a hash of it: two 64-bit FNV-1a sums over the digits and a word of ours,
 * mixed.  It needs to be stable and well spread, not secret.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"

#define MACHINE_ID_FILE	"/etc/machine-id"
#define DIGITS		32

static uint64_t hash(const char *text, size_t length, uint64_t sum)
{
	for (size_t i = 0; i < length; i++)
		sum = (sum ^ (unsigned char)text[i]) * 0x100000001b3ULL;
	sum ^= sum >> 33;
	sum *= 0xff51afd7ed558ccdULL;
	sum ^= sum >> 33;
	sum *= 0xc4ceb9fe1a85ec53ULL;
	return sum ^ sum >> 33;
}

int machine_parse(const char *text, unsigned char id[CTM_MACHINE_ID_LEN])
{
	static const char word[] = "continuum";
	uint64_t halves[2];

	for (int i = 0; i < DIGITS; i++)
		if (!isxdigit((unsigned char)text[i]))
			return -EINVAL;
	if (text[DIGITS] && text[DIGITS] != '\n')
		return -EINVAL;
	halves[0] = hash(text, DIGITS, hash(word, sizeof(word), 0xcbf29ce484222325ULL));
	halves[1] = hash(text, DIGITS, halves[0]);
	memcpy(id, halves, CTM_MACHINE_ID_LEN);
	return 0;
}

int machine_read(unsigned char id[CTM_MACHINE_ID_LEN])
{
	int fd = open(MACHINE_ID_FILE, O_RDONLY | O_CLOEXEC);
	char text[DIGITS + 2] = "";
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	return got < DIGITS ? -EINVAL : machine_parse(text, id);
}

uint32_t machine_node_id(const unsigned char id[CTM_MACHINE_ID_LEN])
{
	uint32_t node = 0;

	for (int i = 0; i < 4; i++)
		node |= (uint32_t)id[i] << (8 * i);
	return node ? node : 1;
}
