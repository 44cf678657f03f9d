// SPDX-License-Identifier: GPL-2.0
/*
 * voice.c - frames to continuumctl
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "voice.h"

#define PROGRESS_NS	100000000ull

uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void write_all(const void *data, size_t length)
{
	for (const char *at = data; length;) {
		ssize_t n = write(STDOUT_FILENO, at, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(1);		/* nobody listens any more */
		at += n;
		length -= (size_t)n;
	}
}

void voice_say(enum voice_type type, const void *data, size_t length)
{
	const char *at = data;

	do {
		struct voice_frame frame = {
			.type = type,
			.length = length > VOICE_MAX ? VOICE_MAX : (uint32_t)length,
		};

		write_all(&frame, sizeof(frame));
		write_all(at, frame.length);
		at += frame.length;
		length -= frame.length;
	} while (length);
}

void voice_tell(const char *format, ...)
{
	char text[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n >= (int)sizeof(text))
		n = sizeof(text) - 1;
	voice_say(VOICE_MESSAGE, text, (size_t)n);
}

void voice_progress(enum voice_phase phase, uint64_t done, uint64_t total)
{
	static uint64_t last, last_phase = VOICE_PHASES;
	const struct voice_progress progress = { .phase = phase, .done = done, .total = total };
	uint64_t now = clock_ns();

	if (phase == last_phase && now - last < PROGRESS_NS)
		return;
	last = now;
	last_phase = phase;
	voice_say(VOICE_PROGRESS, &progress, sizeof(progress));
}
