/* SPDX-License-Identifier: GPL-2.0 */
/*
 * output.h - tables, units and JSON, the same in every listing
 */
#ifndef CONTINUUMCTL_OUTPUT_H
#define CONTINUUMCTL_OUTPUT_H

#include <stdint.h>
#include <time.h>

#include <json-c/json.h>

#include "ctl.h"

/** struct table - cells are collected, then printed in columns as wide as needed */
struct table {
	unsigned int columns;
	const char *align;	/* a character a column: l or r */
	unsigned int count;
	char **cells;
};

/** table_init() - @heads: the first row */
void table_init(struct table *table, unsigned int columns, const char *align, const char *const *heads);
void table_add(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** table_print() - and free */
void table_print(struct table *table);

/* Texts of values, in @text (16 bytes).  Return: @text */
const char *size_text(uint64_t bytes, char text[16]);		/* 512K, 12.3M, 1.5G */
const char *cpu_text(uint64_t ns, char text[16]);		/* 0.12s, 3:04, 2:03:04 */
const char *age_text(uint32_t ms, char text[16]);

const char *process_state_text(uint32_t state);
/** end_text() - of an exit record, in a word; "" for 0.  end_cause(): for people, NULL when the status says it all */
const char *end_text(uint32_t end);
const char *end_cause(uint32_t end);
const char *peer_state_text(uint32_t state);

/** gpid_text() - by the name of its home in @info, without asking */
const char *gpid_text(const struct ctm_info *info, char text[CONTINUUM_GPID_MAX]);
/** node_text() - @name, or "#id" in hex when it is empty */
const char *node_text(const char *name, uint32_t id, char text[CTM_NAME_MAX]);

/** read_full() - as many as there are, up to @length.  Return: how many, or -errno */
ssize_t read_full(int fd, void *to, size_t length);
/** write_full() - all of it, whatever interrupts.  Return: 0 or -errno */
int write_full(int fd, const void *from, size_t length);

int64_t clock_ms(clockid_t clock);

/* JSON: json_add_*() puts a key into an object. */
void json_add_text(struct json_object *object, const char *key, const char *value);
void json_add_number(struct json_object *object, const char *key, uint64_t value);
void json_add_bool(struct json_object *object, const char *key, bool value);
void json_add_hex(struct json_object *object, const char *key, uint64_t value);
/** json_add_milli() - thousandths as a decimal fraction */
void json_add_milli(struct json_object *object, const char *key, uint32_t value);
/** json_print() - one document on standard output; frees it */
void json_print(struct json_object *object);

#endif /* CONTINUUMCTL_OUTPUT_H */
