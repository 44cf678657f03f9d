// SPDX-License-Identifier: GPL-2.0
/*
 * blocks.c - put, cat (and get), pin, drop, locate, blocks
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"

#define HOLDERS	4096u

/* ---- arguments ---- */

bool is_block_name(const char *text)
{
	uint8_t name[CTM_BLOCK_NAME];

	return !continuum_block_parse(text, name);
}

/* The names that follow the options.  Return: DONE, or an exit status */
static int parse_names(int argc, char **argv, struct ctm_block **out, uint32_t *count)
{
	struct ctm_block *list;
	int n = argc - optind;

	if (n < 1)
		return usage_error("no block named");
	if (n > (int)CTM_BLOCKS_MAX)
		return usage_error("more than %u names", CTM_BLOCKS_MAX);
	list = calloc((size_t)n, sizeof(*list));
	if (!list)
		return fail(-ENOMEM, "%s", strerror(ENOMEM));
	for (int i = 0; i < n; i++) {
		if (continuum_block_parse(argv[optind + i], list[i].name)) {
			free(list);
			return usage_error("\"%s\" is not the name of a block (64 hexadecimal digits)",
					   argv[optind + i]);
		}
	}
	*out = list;
	*count = (uint32_t)n;
	return DONE;
}

int parse_amount(const char *text, uint64_t max, bool units, uint32_t *value)
{
	char *end;
	unsigned long long number;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (units && (*end == 'K' || *end == 'k')) {
		number <<= 10;
		end++;
	} else if (units && (*end == 'M' || *end == 'm')) {
		number <<= 20;
		end++;
	}
	if (errno || *end || *text < '0' || *text > '9' || !number || number > max)
		return -EINVAL;
	*value = (uint32_t)number;
	return 0;
}

/* open_device() without the module is a failure, nothing that was not found */
static int device_status(int error)
{
	return exit_status_of(error) == DENIED ? DENIED : FAILED;
}

static const char *why(const char *reason, int error)
{
	if (reason[0])
		return reason;
	return error == -ENETDOWN ? "the node is not up (continuumctl up)" : strerror(-error);
}

/* a line for each that failed.  Return: the exit status of the first */
static int tell_failures(const struct ctm_block *list, uint32_t count, const char *reason, int error)
{
	char text[CONTINUUM_BLOCK_TEXT];
	int status = DONE;

	for (uint32_t i = 0; i < count; i++) {
		int e = -(int)list[i].error;

		if (!e)
			continue;
		/* the text is that of the first one */
		fail(e, "%s: %s", continuum_block_print(list[i].name, text),
		     status ? strerror(-e) : why(reason, e));
		if (!status)
			status = exit_status_of(e);
	}
	return status || !error ? status : fail(error, "%s", why(reason, error));
}

/* ---- put ---- */

struct put {
	int device;
	uint32_t flags, copies, chunk;	/* chunk 0: a file is one block */
	bool json;
	struct json_object *array;
	char *buffer;
};

static int put_block(struct put *p, const char *file, size_t length)
{
	struct ctm_block b = { .buf = (uintptr_t)p->buffer, .len = (uint32_t)length };
	char reason[CTM_REASON_MAX], text[CONTINUUM_BLOCK_TEXT];
	int error = continuum_blocks(p->device, CTM_IOC_PUT, p->flags, &b, 1, p->copies, reason);
	struct json_object *object;

	if (error)
		return fail(error, "%s: %s", file, error == -ESRCH && !reason[0] ? strerror(ESRCH) :
			    why(reason, error));
	continuum_block_print(b.name, text);
	if (b.flags & CTM_BLOCK_DEGRADED)
		fprintf(stderr, "continuumctl: %s: degraded: %u %s, there are no more nodes\n", file,
			b.copies, b.copies == 1 ? "copy" : "copies");
	if (!p->json) {
		puts(text);
		return DONE;
	}
	object = json_object_new_object();
	json_add_text(object, "name", text);
	json_add_text(object, "file", file);
	json_add_number(object, "len", length);
	json_add_number(object, "copies", b.copies);
	json_add_bool(object, "degraded", b.flags & CTM_BLOCK_DEGRADED);
	json_object_array_add(p->array, object);
	return DONE;
}

static int put_open_file(struct put *p, const char *file, int fd)
{
	size_t most = p->chunk ? p->chunk : CTM_BLOCK_MAX + 1;
	bool first = true;

	for (;;) {
		ssize_t n = read_full(fd, p->buffer, most);
		int status;

		if (n < 0)
			return fail((int)n, "%s: %s", file, strerror((int)-n));
		if (n > (ssize_t)CTM_BLOCK_MAX)
			return fail(-E2BIG, "%s: longer than a block can be, %u bytes: put it in pieces (--chunk 1M)",
				    file, CTM_BLOCK_MAX);
		if (!n && !first)
			return DONE;
		status = put_block(p, file, (size_t)n);
		if (status || !p->chunk || n < (ssize_t)most)
			return status;
		first = false;
	}
}

static int put_file(struct put *p, const char *file)
{
	int status, fd;

	if (!strcmp(file, "-"))
		return put_open_file(p, "standard input", STDIN_FILENO);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(-errno, "%s: %s", file, strerror(errno));
	status = put_open_file(p, file, fd);
	close(fd);
	return status;
}

int command_put(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "copies", required_argument, NULL, 'c' },
		{ "chunk", required_argument, NULL, 'k' },
		{ "family", no_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 }
	};
	struct put p = { .flags = CTM_BLOCKS_PIN };
	int status = DONE, option;

	while ((option = next_option(argc, argv, "j", longs)) > 0) {
		if (option == 'c' && parse_amount(optarg, CTM_BLOCK_COPIES_MAX, false, &p.copies))
			return usage_error("--copies: 1 to %u", CTM_BLOCK_COPIES_MAX);
		if (option == 'k' && parse_amount(optarg, CTM_BLOCK_MAX, true, &p.chunk))
			return usage_error("--chunk: 1 to %uM", CTM_BLOCK_MAX >> 20);
		if (option == 'f')
			p.flags = 0;
		p.json |= option == 'j';
	}
	if (option < 0)
		return USAGE;
	if (optind == argc)
		return usage_error("no file");
	p.device = open_device();
	if (p.device < 0)
		return device_status(p.device);
	p.buffer = malloc(CTM_BLOCK_MAX + 1);
	if (!p.buffer)
		return fail(-ENOMEM, "%s", strerror(ENOMEM));
	p.array = p.json ? json_object_new_array() : NULL;
	for (; optind < argc && !status; optind++)
		status = put_file(&p, argv[optind]);
	if (p.json)
		json_print(p.array);
	free(p.buffer);
	close(p.device);
	return status;
}

/* ---- cat ---- */

/* the blocks that the arguments name, and the device to ask.  Return: DONE or an exit status */
static int open_names(int argc, char **argv, struct ctm_block **list, uint32_t *count, int *device)
{
	int status = parse_names(argc, argv, list, count);

	if (status)
		return status;
	*device = open_device();
	if (*device >= 0)
		return DONE;
	free(*list);
	return device_status(*device);
}

int cat_blocks(int argc, char **argv)
{
	struct ctm_block *list;
	char reason[CTM_REASON_MAX];
	int status, device, error;
	uint32_t count;
	char *buffer;

	status = open_names(argc, argv, &list, &count, &device);
	if (status)
		return status;
	buffer = malloc(CTM_BLOCK_MAX);
	for (uint32_t i = 0; i < count && buffer && !status; i++) {
		list[i].buf = (uintptr_t)buffer;
		list[i].len = CTM_BLOCK_MAX;
		error = continuum_blocks(device, CTM_IOC_GET, 0, &list[i], 1, 0, reason);
		if (error) {
			status = tell_failures(&list[i], 1, reason, error);
			continue;
		}
		error = write_full(STDOUT_FILENO, buffer, list[i].len);
		if (error)
			status = fail(error, "standard output: %s", strerror(-error));
	}
	if (!buffer)
		status = fail(-ENOMEM, "%s", strerror(ENOMEM));
	free(buffer);
	free(list);
	close(device);
	return status;
}

int command_cat(int argc, char **argv)
{
	if (next_option(argc, argv, "", NULL) < 0)
		return USAGE;
	return cat_blocks(argc, argv);
}

/* ---- pin, drop ---- */

static int change(int argc, char **argv, unsigned long request, uint32_t flags, uint32_t copies)
{
	struct ctm_block *list;
	char reason[CTM_REASON_MAX];
	int status, device, error;
	uint32_t count;

	status = open_names(argc, argv, &list, &count, &device);
	if (status)
		return status;
	error = continuum_blocks(device, request, flags, list, count, copies, reason);
	status = tell_failures(list, count, reason, error);
	free(list);
	close(device);
	return status;
}

int command_pin(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "copies", required_argument, NULL, 'c' },
		{ 0 }
	};
	uint32_t copies = 0;
	int option;

	while ((option = next_option(argc, argv, "", longs)) > 0)
		if (parse_amount(optarg, CTM_BLOCK_COPIES_MAX, false, &copies))
			return usage_error("--copies: 1 to %u", CTM_BLOCK_COPIES_MAX);
	if (option < 0)
		return USAGE;
	return change(argc, argv, CTM_IOC_PIN, 0, copies);
}

int command_drop(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "family", no_argument, NULL, 'f' },
		{ 0 }
	};
	uint32_t flags = 0;
	int option;

	while ((option = next_option(argc, argv, "", longs)) > 0)
		flags |= option == 'a' ? CTM_BLOCKS_ALL : CTM_BLOCKS_FAMILY;
	if (option < 0)
		return USAGE;
	if (flags == (CTM_BLOCKS_ALL | CTM_BLOCKS_FAMILY))
		return usage_error("--all or --family");
	return change(argc, argv, CTM_IOC_DROP, flags, 0);
}

/* ---- locate ---- */

static int print_location(const struct ctm_locate *l, const struct ctm_holder *holders, bool json)
{
	struct json_object *object, *array;
	char text[CTM_NAME_MAX], name[CONTINUUM_BLOCK_TEXT];

	if (!json) {
		for (uint32_t i = 0; i < l->count; i++)
			puts(node_text(holders[i].name, holders[i].node, text));
		return DONE;
	}
	object = json_object_new_object();
	array = json_object_new_array();
	json_add_text(object, "name", continuum_block_print(l->name, name));
	json_add_number(object, "len", l->len);
	json_add_number(object, "copies", l->copies);
	for (uint32_t i = 0; i < l->count; i++)
		json_object_array_add(array, json_object_new_string(
			node_text(holders[i].name, holders[i].node, text)));
	json_object_object_add(object, "nodes", array);
	json_print(object);
	return DONE;
}

int command_locate(int argc, char **argv)
{
	struct ctm_locate l = { 0 };
	struct ctm_holder *holders;
	bool json;
	int device, error, status = json_option(argc, argv, &json);

	if (status)
		return status;
	if (argc - optind != 1)
		return usage_error("the name of one block is wanted");
	if (continuum_block_parse(argv[optind], l.name))
		return usage_error("\"%s\" is not the name of a block (64 hexadecimal digits)", argv[optind]);
	device = open_device();
	if (device < 0)
		return device_status(device);
	holders = calloc(HOLDERS, sizeof(*holders));
	if (!holders)
		return fail(-ENOMEM, "%s", strerror(ENOMEM));
	error = continuum_locate(device, &l, holders, HOLDERS);
	if (error)
		status = fail(error, "%s: %s", argv[optind], why(l.reason, error));
	else
		status = print_location(&l, holders, json);
	free(holders);
	close(device);
	return status;
}

/* ---- blocks ---- */

static const struct { const char *key; size_t offset; } numbers[] = {
#define NUMBER(name) { #name, offsetof(struct store, name) }
	NUMBER(blocks), NUMBER(bytes), NUMBER(used), NUMBER(limit), NUMBER(owner_limit),
	NUMBER(pinned), NUMBER(under), NUMBER(in_flight), NUMBER(copied), NUMBER(dropped),
	NUMBER(corrupt), NUMBER(repaired),
};

static void print_stores_json(const void *items, size_t count)
{
	const struct store *stores = items;
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < count; i++) {
		struct json_object *object = json_object_new_object();

		json_add_text(object, "name", stores[i].name);
		json_add_number(object, "id", stores[i].id);
		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			json_add_number(object, numbers[k].key,
					*(const uint64_t *)((const char *)&stores[i] + numbers[k].offset));
		json_object_array_add(array, object);
	}
	json_print(array);
}

static void print_stores(const void *items, size_t count)
{
	static const char *const heads[] = {
		"NODE", "BLOCKS", "BYTES", "USED", "QUOTA", "OWNER", "PINNED", "UNDER", "MOVING",
		"COPIED", "DROPPED", "CORRUPT", "REPAIRED",
	};
	const struct store *stores = items;
	struct table table;
	char text[CTM_NAME_MAX];

	table_init(&table, 13, "lrrrrrrrrrrrr", heads);
	for (const struct store *s = stores; s < stores + count; s++) {
		table_add(&table, "%s", node_text(s->name, s->id, text));
		table_add(&table, "%llu", (unsigned long long)s->blocks);
		table_add(&table, "%s", size_text(s->bytes, text));
		table_add(&table, "%s", size_text(s->used, text));
		table_add(&table, "%s", size_text(s->limit, text));
		table_add(&table, "%s", size_text(s->owner_limit, text));
		table_add(&table, "%llu", (unsigned long long)s->pinned);
		table_add(&table, "%llu", (unsigned long long)s->under);
		table_add(&table, "%llu", (unsigned long long)s->in_flight);
		table_add(&table, "%llu", (unsigned long long)s->copied);
		table_add(&table, "%llu", (unsigned long long)s->dropped);
		table_add(&table, "%llu", (unsigned long long)s->corrupt);
		table_add(&table, "%llu", (unsigned long long)s->repaired);
	}
	table_print(&table);
}

static int by_name(const void *a, const void *b)
{
	return strverscmp(((const struct store *)a)->name, ((const struct store *)b)->name);
}

int command_blocks(int argc, char **argv)
{
	static const struct listing listing = {
		.fetch = cluster_stores, .size = sizeof(struct store), .order = by_name,
		.print = print_stores, .print_json = print_stores_json,
	};

	return run_listing(argc, argv, &listing);
}
