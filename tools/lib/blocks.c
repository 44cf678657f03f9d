// SPDX-License-Identifier: GPL-2.0
/*
 * blocks.c - the calls of /dev/continuum for blocks, and their names as text
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "continuum.h"

int continuum_blocks(int fd, unsigned long request, uint32_t flags, struct ctm_block *list,
		     uint32_t count, uint32_t copies, char *reason)
{
	struct ctm_blocks b = {
		.size = sizeof(b),
		.flags = flags,
		.list = (uintptr_t)list,
		.count = count,
		.copies = copies,
	};
	int error = ioctl(fd, request, &b) < 0 ? -errno : 0;

	if (reason)
		snprintf(reason, CTM_REASON_MAX, "%.*s", (int)sizeof(b.reason) - 1, b.reason);
	return error;
}

int continuum_put(int fd, uint32_t flags, const void *data, size_t length,
		  uint8_t name[CTM_BLOCK_NAME], char *reason)
{
	struct ctm_block b = { .buf = (uintptr_t)data, .len = (uint32_t)length };
	int error;

	if (length > CTM_BLOCK_MAX)
		b.len = CTM_BLOCK_MAX + 1;	/* which the kernel refuses, in its words */
	error = continuum_blocks(fd, CTM_IOC_PUT, flags, &b, 1, 0, reason);
	memcpy(name, b.name, CTM_BLOCK_NAME);
	return error;
}

int continuum_get(int fd, const uint8_t name[CTM_BLOCK_NAME], void *data, size_t *length,
		  char *reason)
{
	struct ctm_block b = {
		.buf = (uintptr_t)data,
		.len = *length > CTM_BLOCK_MAX ? CTM_BLOCK_MAX : (uint32_t)*length,
	};
	int error;

	memcpy(b.name, name, CTM_BLOCK_NAME);
	error = continuum_blocks(fd, CTM_IOC_GET, 0, &b, 1, 0, reason);
	*length = b.len;
	return error;
}

int continuum_pin(int fd, const uint8_t name[CTM_BLOCK_NAME], char *reason)
{
	struct ctm_block b = { 0 };

	memcpy(b.name, name, CTM_BLOCK_NAME);
	return continuum_blocks(fd, CTM_IOC_PIN, 0, &b, 1, 0, reason);
}

int continuum_drop(int fd, uint32_t flags, const uint8_t name[CTM_BLOCK_NAME], char *reason)
{
	struct ctm_block b = { 0 };

	memcpy(b.name, name, CTM_BLOCK_NAME);
	return continuum_blocks(fd, CTM_IOC_DROP, flags, &b, 1, 0, reason);
}

int continuum_locate(int fd, struct ctm_locate *l, struct ctm_holder *holders, uint32_t room)
{
	l->size = sizeof(*l);
	l->flags = 0;
	l->holders = (uintptr_t)holders;
	l->room = room;
	return ioctl(fd, CTM_IOC_LOCATE, l) < 0 ? -errno : 0;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int continuum_block_parse(const char *text, uint8_t name[CTM_BLOCK_NAME])
{
	if (strlen(text) != 2 * CTM_BLOCK_NAME)
		return -EINVAL;
	for (int i = 0; i < CTM_BLOCK_NAME; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		name[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

const char *continuum_block_print(const uint8_t name[CTM_BLOCK_NAME], char text[CONTINUUM_BLOCK_TEXT])
{
	for (int i = 0; i < CTM_BLOCK_NAME; i++)
		snprintf(text + 2 * i, 3, "%02x", name[i]);
	return text;
}
