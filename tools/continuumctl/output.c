// SPDX-License-Identifier: GPL-2.0
/*
 * output.c - tables, units and JSON
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"

static void out_of_memory(void)
{
	fputs("continuumctl: no memory\n", stderr);
	exit(FAILED);
}

void table_init(struct table *table, unsigned int columns, const char *align, const char *const *heads)
{
	*table = (struct table){ .columns = columns, .align = align };
	for (unsigned int i = 0; i < columns; i++)
		table_add(table, "%s", heads[i]);
}

void table_add(struct table *table, const char *format, ...)
{
	va_list args;
	char **cells = table->cells;

	if (!(table->count & (table->count - 1)))
		cells = realloc(cells, (table->count ? 2 * table->count : 1) * sizeof(*cells));
	if (!cells)
		out_of_memory();
	table->cells = cells;
	va_start(args, format);
	if (vasprintf(&cells[table->count], format, args) < 0)
		out_of_memory();
	va_end(args);
	if (!*cells[table->count])
		strcpy(cells[table->count] = realloc(cells[table->count], 2), "-");
	table->count++;
}

static int column_width(const struct table *table, unsigned int column)
{
	int width = 0;

	for (unsigned int i = column; i < table->count; i += table->columns)
		if ((int)strlen(table->cells[i]) > width)
			width = (int)strlen(table->cells[i]);
	return width;
}

static void print_cell(const struct table *table, unsigned int index, const int *widths)
{
	unsigned int column = index % table->columns;
	bool last = column + 1 == table->columns;

	if (table->align[column] == 'r')
		printf("%*s", widths[column], table->cells[index]);
	else if (last)
		fputs(table->cells[index], stdout);
	else
		printf("%-*s", widths[column], table->cells[index]);
	fputs(last ? "\n" : "  ", stdout);
}

void table_print(struct table *table)
{
	int widths[32];

	for (unsigned int i = 0; i < table->columns; i++)
		widths[i] = column_width(table, i);
	for (unsigned int i = 0; i < table->count; i++) {
		print_cell(table, i, widths);
		free(table->cells[i]);
	}
	free(table->cells);
}

const char *size_text(uint64_t bytes, char text[16])
{
	static const char units[] = "KMGTP";
	double value = (double)bytes / 1024;
	size_t unit = 0;

	for (; value >= 1024 && unit + 2 < sizeof(units); unit++)
		value /= 1024;
	snprintf(text, 16, value < 10 && unit ? "%.1f%c" : "%.0f%c", value, units[unit]);
	return text;
}

const char *cpu_text(uint64_t ns, char text[16])
{
	uint64_t s = ns / 1000000000;

	if (s < 60)
		snprintf(text, 16, "%.2fs", (double)ns / 1e9);
	else if (s < 3600)
		snprintf(text, 16, "%u:%02u", (unsigned int)(s / 60), (unsigned int)(s % 60));
	else
		snprintf(text, 16, "%u:%02u:%02u", (unsigned int)(s / 3600),
			 (unsigned int)(s / 60 % 60), (unsigned int)(s % 60));
	return text;
}

const char *age_text(uint32_t ms, char text[16])
{
	if (ms < 60000)
		snprintf(text, 16, "%.1fs", (double)ms / 1e3);
	else
		snprintf(text, 16, "%um", ms / 60000);
	return text;
}

static const char *pick(const char *const *texts, size_t count, uint32_t value)
{
	return value < count && texts[value] ? texts[value] : "unknown";
}

const char *process_state_text(uint32_t state)
{
	static const char *const texts[] = {
		[CTM_STATE_RUNNING] = "running",
		[CTM_STATE_SUSPENDED] = "suspended",
		[CTM_STATE_MOVING] = "moving",
		[CTM_STATE_LIMBO] = "limbo",
		[CTM_STATE_ENDED] = "ended",
	};

	return pick(texts, sizeof(texts) / sizeof(texts[0]), state);
}

const char *end_text(uint32_t end)
{
	static const char *const texts[] = {
		[0] = "",
		[CTM_END_EXIT] = "exit",
		[CTM_END_SIGNAL] = "signal",
		[CTM_END_HOST_LOST] = "host lost",
		[CTM_END_TTL] = "ttl",
		[CTM_END_LEASE] = "lease",
		[CTM_END_DESTROYED] = "destroyed",
	};

	return pick(texts, sizeof(texts) / sizeof(texts[0]), end);
}

const char *end_cause(uint32_t end)
{
	switch (end) {
	case CTM_END_HOST_LOST:
		return "host lost";
	case CTM_END_TTL:
		return "destroyed: its time to live was over (ttl)";
	case CTM_END_LEASE:
		return "destroyed: its lease was over (lease)";
	case CTM_END_DESTROYED:
		return "destroyed";
	default:
		return NULL;
	}
}

const char *peer_state_text(uint32_t state)
{
	static const char *const texts[] = {
		[CTM_NL_PEER_ALIVE] = "alive",
		[CTM_NL_PEER_SUSPECT] = "suspect",
		[CTM_NL_PEER_DEAD] = "dead",
		[CTM_NL_PEER_LEFT] = "left",
	};

	return pick(texts, sizeof(texts) / sizeof(texts[0]), state);
}

const char *node_text(const char *name, uint32_t id, char text[CTM_NAME_MAX])
{
	if (*name)
		snprintf(text, CTM_NAME_MAX, "%s", name);
	else
		snprintf(text, CTM_NAME_MAX, "#%08x", id);
	return text;
}

const char *gpid_text(const struct ctm_info *info, char text[CONTINUUM_GPID_MAX])
{
	char node[CTM_NAME_MAX];

	snprintf(text, CONTINUUM_GPID_MAX, "%s.%u", node_text(info->home_name, info->home, node),
		 CTM_GPID_SEQ(info->gpid));
	return text;
}

ssize_t read_full(int fd, void *to, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = read(fd, (char *)to + done, length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int write_full(int fd, const void *from, size_t length)
{
	const char *at = from;

	while (length) {
		ssize_t n = write(fd, at, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		length -= (size_t)n;
	}
	return 0;
}

int64_t clock_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void json_add_text(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value));
}

void json_add_number(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

void json_add_bool(struct json_object *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}

void json_add_hex(struct json_object *object, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%016llx", (unsigned long long)value);
	json_add_text(object, key, text);
}

void json_add_milli(struct json_object *object, const char *key, uint32_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%u.%03u", value / 1000, value % 1000);
	json_object_object_add(object, key, json_object_new_double_s(value / 1000.0, text));
}

void json_print(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_SPACED |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}
