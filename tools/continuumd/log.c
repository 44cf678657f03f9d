// SPDX-License-Identifier: GPL-2.0
/*
 * log.c - lines for the journal or a file, each written at once
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "log.h"

static int print_head(char *line, size_t room, int priority)
{
	time_t now = time(NULL);
	char when[32];
	struct tm tm;

	if (getenv("JOURNAL_STREAM"))
		return snprintf(line, room, "<%d>", priority);
	strftime(when, sizeof(when), "%F %T", localtime_r(&now, &tm));
	return snprintf(line, room, "%s continuumd: ", when);
}

static void say(int priority, const char *format, va_list args)
{
	char line[1024];
	int head = print_head(line, sizeof(line), priority);

	vsnprintf(line + head, sizeof(line) - (size_t)head - 1, format, args);
	strcat(line, "\n");
	fputs(line, stderr);
}

#define LOG_FUNCTION(name, priority)		\
void name(const char *format, ...)		\
{						\
	va_list args;				\
						\
	va_start(args, format);			\
	say(priority, format, args);		\
	va_end(args);				\
}

LOG_FUNCTION(log_error, LOG_ERR)
LOG_FUNCTION(log_warning, LOG_WARNING)
LOG_FUNCTION(log_info, LOG_INFO)
