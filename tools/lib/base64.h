/* SPDX-License-Identifier: GPL-2.0 */
/*
 * base64.h - the form in which a cluster key is stored (RFC 4648, padded)
 */
#ifndef CONTINUUM_BASE64_H
#define CONTINUUM_BASE64_H

#include <stddef.h>

#define BASE64_LENGTH(bytes)	(((bytes) + 2) / 3 * 4)

/** base64_encode() - @text has room for BASE64_LENGTH(@length) + 1 */
void base64_encode(const unsigned char *data, size_t length, char *text);

/** base64_decode() - exactly @length bytes from exactly @text.  Return: 0 or -EINVAL */
int base64_decode(const char *text, unsigned char *data, size_t length);

#endif /* CONTINUUM_BASE64_H */
