// SPDX-License-Identifier: GPL-2.0
/*
 * announcement.c - what a node says of itself on the local network
 */
#include <arpa/inet.h>
#include <string.h>
#include <sys/random.h>

#include "../lib/blake2s.h"
#include "discover.h"

#define MAGIC	0x43544d41u	/* "CTMA" */
#define VERSION	1

_Static_assert(sizeof(struct announcement) == 64 + CTM_NAME_MAX, "no padding");

static void tag(unsigned char out[BLAKE2S_BYTES], const struct announcement *a,
		const unsigned char key[CTM_KEY_LEN])
{
	blake2s(out, key, CTM_KEY_LEN, a, offsetof(struct announcement, tag));
}

void announcement_make(struct announcement *a, const struct config *config, uint32_t id,
		       const unsigned char key[CTM_KEY_LEN])
{
	memset(a, 0, sizeof(*a));
	a->magic = htonl(MAGIC);
	a->version = htons(VERSION);
	a->port = htons(config->port);
	a->id = htonl(id);
	if (getrandom(a->nonce, sizeof(a->nonce), GRND_NONBLOCK) < 0)
		memset(a->nonce, 0, sizeof(a->nonce));	/* it is only there to tell them apart */
	strcpy(a->cluster, config->cluster);
	tag(a->tag, a, key);
}

bool announcement_check(const void *bytes, size_t length, const struct config *config,
			const unsigned char key[CTM_KEY_LEN], struct announcement *a)
{
	unsigned char right[BLAKE2S_BYTES], differs = 0;

	if (length != sizeof(*a))
		return false;
	memcpy(a, bytes, sizeof(*a));
	if (a->magic != htonl(MAGIC) || a->version != htons(VERSION))
		return false;
	tag(right, a, key);
	for (size_t i = 0; i < sizeof(right); i++)
		differs |= right[i] ^ a->tag[i];
	return !differs && a->id && a->port && memchr(a->cluster, '\0', sizeof(a->cluster)) &&
	       !strcmp(a->cluster, config->cluster);
}
