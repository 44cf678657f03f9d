/* SPDX-License-Identifier: GPL-2.0 */
/*
 * str.c - strings and texts, and the four functions that gcc calls by itself
 */
#include <asm/errno.h>
#include <stdbool.h>

#include "str.h"

void *memcpy(void *to, const void *from, size_t n)
{
	void *ret = to;

	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	return ret;
}

void *memset(void *to, int c, size_t n)
{
	void *ret = to;

	asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return ret;
}

void *memmove(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;

	if (t <= f || t >= f + n)
		return memcpy(to, from, n);
	while (n--)
		t[n] = f[n];
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

static size_t put_char(char *buf, size_t room, size_t at, char c)
{
	if (at + 1 < room)
		buf[at++] = c;
	return at;
}

static size_t put_text(char *buf, size_t room, size_t at, const char *s)
{
	while (*s)
		at = put_char(buf, room, at, *s++);
	return at;
}

static size_t put_number(char *buf, size_t room, size_t at, unsigned long v, unsigned int base)
{
	char digits[24];
	unsigned int n = 0, d;

	do {
		d = v % base;
		digits[n++] = d < 10 ? '0' + d : 'a' + d - 10;
		v /= base;
	} while (v);
	while (n)
		at = put_char(buf, room, at, digits[--n]);
	return at;
}

static size_t put_signed(char *buf, size_t room, size_t at, long v)
{
	if (v < 0)
		at = put_char(buf, room, at, '-');
	return put_number(buf, room, at, v < 0 ? -(unsigned long)v : (unsigned long)v, 10);
}

size_t text_vformat(char *buf, size_t room, const char *fmt, va_list ap)
{
	size_t at = 0;

	for (; *fmt; fmt++) {
		bool is_long;

		if (*fmt != '%') {
			at = put_char(buf, room, at, *fmt);
			continue;
		}
		is_long = fmt[1] == 'l';
		while (*++fmt == 'l')
			;
		if (!*fmt)
			break;
		if (*fmt == 's')
			at = put_text(buf, room, at, va_arg(ap, const char *));
		else if (*fmt == 'c')
			at = put_char(buf, room, at, va_arg(ap, int));
		else if (*fmt == 'd')
			at = put_signed(buf, room, at, is_long ? va_arg(ap, long) : va_arg(ap, int));
		else if (*fmt == 'u' || *fmt == 'x')
			at = put_number(buf, room, at,
					is_long ? va_arg(ap, unsigned long) : va_arg(ap, unsigned int),
					*fmt == 'x' ? 16 : 10);
		else
			at = put_char(buf, room, at, *fmt);
	}
	if (room)
		buf[at] = 0;
	return at;
}

size_t text_format(char *buf, size_t room, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = text_vformat(buf, room, fmt, ap);
	va_end(ap);
	return n;
}

const char *text_errno(int err)
{
	switch (err) {
	case EPERM:	return "Operation not permitted";
	case ENOENT:	return "No such file or directory";
	case ESRCH:	return "No such process";
	case EINTR:	return "Interrupted system call";
	case EIO:	return "Input/output error";
	case ENXIO:	return "No such device or address";
	case E2BIG:	return "Argument list too long";
	case ENOEXEC:	return "Exec format error";
	case EBADF:	return "Bad file descriptor";
	case EAGAIN:	return "Resource temporarily unavailable";
	case ENOMEM:	return "Cannot allocate memory";
	case EACCES:	return "Permission denied";
	case EFAULT:	return "Bad address";
	case EBUSY:	return "Device or resource busy";
	case EEXIST:	return "File exists";
	case EXDEV:	return "Invalid cross-device link";
	case ENODEV:	return "No such device";
	case ENOTDIR:	return "Not a directory";
	case EISDIR:	return "Is a directory";
	case EINVAL:	return "Invalid argument";
	case ENFILE:	return "Too many open files in system";
	case EMFILE:	return "Too many open files";
	case ENOTTY:	return "Inappropriate ioctl for device";
	case ETXTBSY:	return "Text file busy";
	case ENOSPC:	return "No space left on device";
	case EPIPE:	return "Broken pipe";
	case ENAMETOOLONG: return "File name too long";
	case ENOSYS:	return "Function not implemented";
	case ELOOP:	return "Too many levels of symbolic links";
	case EBADMSG:	return "Bad message";
	case EOVERFLOW:	return "Value too large for defined data type";
	case EOPNOTSUPP: return "Operation not supported";
	case ENETDOWN:	return "Network is down";
	case ESTALE:	return "Stale file handle";
	case EDQUOT:	return "Disk quota exceeded";
	default:	return "error";
	}
}
