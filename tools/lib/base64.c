// SPDX-License-Identifier: GPL-2.0
/*
 * base64.c - RFC 4648, strict: one text for each key
 */
#include <errno.h>
#include <string.h>

#include "base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const unsigned char *data, size_t length, char *text)
{
	for (; length; data += 3) {
		size_t n = length < 3 ? length : 3;
		unsigned int v = (unsigned int)data[0] << 16;

		if (n > 1)
			v |= (unsigned int)data[1] << 8;
		if (n > 2)
			v |= data[2];
		*text++ = digits[v >> 18];
		*text++ = digits[v >> 12 & 63];
		*text++ = n > 1 ? digits[v >> 6 & 63] : '=';
		*text++ = n > 2 ? digits[v & 63] : '=';
		length -= n;
	}
	*text = '\0';
}

static int digit_value(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Up to three bytes of four characters; bits beyond them must be zero. */
static int decode_group(const char *text, unsigned char *data, size_t n)
{
	unsigned int v = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i > n ? (text[i] == '=' ? 0 : -1) : digit_value(text[i]);

		if (value < 0)
			return -EINVAL;
		v = v << 6 | (unsigned int)value;
	}
	for (size_t i = 0; i < n; i++)
		data[i] = (unsigned char)(v >> (16 - 8 * i));
	return v & (n == 1 ? 0xffffu : n == 2 ? 0xffu : 0u) ? -EINVAL : 0;
}

int base64_decode(const char *text, unsigned char *data, size_t length)
{
	if (strlen(text) != BASE64_LENGTH(length))
		return -EINVAL;
	for (; length; text += 4) {
		size_t n = length < 3 ? length : 3;

		if (decode_group(text, data, n))
			return -EINVAL;
		data += n;
		length -= n;
	}
	return 0;
}
