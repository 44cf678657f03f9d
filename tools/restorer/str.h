/* SPDX-License-Identifier: GPL-2.0 */
/*
 * str.h - strings and texts, as far as this program needs them
 */
#ifndef RESTORER_STR_H
#define RESTORER_STR_H

#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/**
 * text_format() - a small snprintf: %s %d %u %x %c %%, and with l or ll
 * Always ends with a NUL when @room > 0.  Return: bytes written, without it.
 */
size_t text_format(char *buf, size_t room, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
size_t text_vformat(char *buf, size_t room, const char *fmt, va_list ap);

/** text_errno() - strerror(3) for the usual ones, else "error" */
const char *text_errno(int err);

#endif /* RESTORER_STR_H */
