// SPDX-License-Identifier: GPL-2.0
/*
 * signals.c - signals by name or number, and those that end a program that watches
 *
 * Real-time signals count from what the C library leaves to programs, as kill(1)
 * does.
 */
#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/signalfd.h>

#include "signals.h"

#define LAST_SIGNAL	64

static int parse_number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	return isdigit((unsigned char)*text) && !*end && value <= LAST_SIGNAL ? (int)value : -1;
}

static int parse_realtime(const char *text)
{
	char *end;
	long offset = strtol(text + 5, &end, 10);
	long value;

	if (*end || (text[5] && !strchr("+-", text[5])))
		return -1;
	if (!strncasecmp(text, "RTMIN", 5))
		value = SIGRTMIN + offset;
	else if (!strncasecmp(text, "RTMAX", 5))
		value = SIGRTMAX + offset;
	else
		return -1;
	return value >= SIGRTMIN && value <= SIGRTMAX ? (int)value : -1;
}

int signal_parse(const char *text)
{
	if (isdigit((unsigned char)*text))
		return parse_number(text);
	if (!strncasecmp(text, "SIG", 3))
		text += 3;
	if (!strcasecmp(text, "IOT"))
		return SIGABRT;
	if (!strcasecmp(text, "CLD"))
		return SIGCHLD;
	for (int sig = 1; sig < SIGRTMIN; sig++) {
		const char *name = sigabbrev_np(sig);

		if (name && !strcasecmp(name, text))
			return sig;
	}
	return strlen(text) >= 5 ? parse_realtime(text) : -1;
}

int end_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}
