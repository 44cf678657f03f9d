// SPDX-License-Identifier: GPL-2.0
/*
 * config.c - one table of keys; each has a function that takes its value
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#define LOG_DIR		"/var/log/continuum"

/* A setter returns NULL, or what it wants instead. */
typedef const char *(*setter)(struct config *config, const char *value);

static const char *copy(char *to, size_t room, const char *value)
{
	if (strlen(value) >= room)
		return "a shorter value";
	strcpy(to, value);
	return NULL;
}

static const char *parse_number(const char *value, unsigned long max, unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(value, &end, 0);
	if (errno || *end || !isdigit((unsigned char)*value) || *number > max)
		return "a number in range";
	return NULL;
}

static const char *parse_bool(const char *value, bool *yes)
{
	static const char *const words[] = { "no", "yes", "off", "on", "false", "true", "0", "1" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(value, words[i])) {
			*yes = i & 1;
			return NULL;
		}
	return "yes or no";
}

/* Names become parts of GPIDs and of file names. */
static bool name_is_good(const char *name)
{
	if (!*name || *name == '.' || *name == '-')
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("._-", *name))
			return false;
	return true;
}

static const char *set_name(struct config *config, const char *value)
{
	if (!name_is_good(value))
		return "letters, digits, dots, dashes or underscores";
	return copy(config->name, sizeof(config->name), value);
}

static const char *set_cluster(struct config *config, const char *value)
{
	if (!name_is_good(value))
		return "letters, digits, dots, dashes or underscores";
	return copy(config->cluster, sizeof(config->cluster), value);
}

static const char *set_address(struct config *config, const char *value)
{
	return copy(config->address, sizeof(config->address), value);
}

static const char *set_port(struct config *config, const char *value)
{
	unsigned long number;
	const char *wanted = parse_number(value, UINT16_MAX, &number);

	if (wanted || !number)
		return "a port number, 1 to 65535";
	config->port = (uint16_t)number;
	return NULL;
}

static const char *set_id(struct config *config, const char *value)
{
	unsigned long number;
	const char *wanted = parse_number(value, UINT32_MAX, &number);

	if (wanted || !number)
		return "a number of 32 bits, not 0 (0x... for hexadecimal)";
	config->id = (uint32_t)number;
	return NULL;
}

static const char *set_seeds(struct config *config, const char *value)
{
	char *words = strdup(value);
	const char *wanted = words ? NULL : "memory";
	char *word, *state = NULL;

	for (word = words ? strtok_r(words, " \t,", &state) : NULL; word && !wanted;
	     word = strtok_r(NULL, " \t,", &state)) {
		if (config->seed_count == CONFIG_SEEDS_MAX)
			wanted = "at most 64 addresses";
		else
			wanted = copy(config->seeds[config->seed_count++], CONFIG_SEED_LENGTH, word);
	}
	free(words);
	return wanted;
}

static const char *set_allow_root(struct config *config, const char *value)
{
	return parse_bool(value, &config->allow_root);
}

static const char *set_accept(struct config *config, const char *value)
{
	return parse_bool(value, &config->accept);
}

static const char *set_encrypt(struct config *config, const char *value)
{
	return parse_bool(value, &config->encrypt);
}

/* A pressure: 0 to 300, with up to three digits behind the point */
const char *config_parse_pressure(const char *value, uint32_t *thousandths)
{
	char *end;
	double number;

	errno = 0;
	number = strtod(value, &end);
	if (errno || *end || !isdigit((unsigned char)*value) || !(number <= 300))
		return "a pressure, 0 to 300";
	*thousandths = (uint32_t)(number * 1000 + 0.5);
	return NULL;
}

static const char *set_t_high(struct config *config, const char *value)
{
	return config_parse_pressure(value, &config->t_high);
}

static const char *set_t_low(struct config *config, const char *value)
{
	return config_parse_pressure(value, &config->t_low);
}

static const char *set_valve(struct config *config, const char *value)
{
	return parse_bool(value, &config->valve);
}

static const char *set_watchdog(struct config *config, const char *value)
{
	return parse_bool(value, &config->watchdog);
}

static const char *set_watchdog_contention(struct config *config, const char *value)
{
	return parse_bool(value, &config->watchdog_contention);
}

static const char *set_drain_seconds(struct config *config, const char *value)
{
	unsigned long number;

	if (parse_number(value, 86400, &number))
		return "seconds, 0 to 86400";
	config->drain_seconds = (unsigned int)number;
	return NULL;
}

static const char *set_discover(struct config *config, const char *value)
{
	return parse_bool(value, &config->discover);
}

static const char *set_spare_landers(struct config *config, const char *value)
{
	unsigned long number;

	if (parse_number(value, 64, &number))
		return "a number, 0 to 64";
	config->spare_landers = (unsigned int)number;
	return NULL;
}

static const char *set_family_budget(struct config *config, const char *value)
{
	unsigned long number;

	if (parse_number(value, 4u << 20, &number) || number < 16)
		return "a number, 16 or more";
	config->family_budget = (unsigned int)number;
	return NULL;
}

static const char *set_quota(unsigned int *mib, const char *value)
{
	unsigned long number;

	if (parse_number(value, UINT32_MAX, &number))
		return "a number of MiB";
	*mib = (unsigned int)number;
	return NULL;
}

static const char *set_blocks_node_mib(struct config *config, const char *value)
{
	return set_quota(&config->blocks_node_mib, value);
}

static const char *set_blocks_owner_mib(struct config *config, const char *value)
{
	return set_quota(&config->blocks_owner_mib, value);
}

static const char *set_path(char *to, const char *value)
{
	if (*value != '/')
		return "an absolute path";
	return copy(to, PATH_MAX, value);
}

static const char *set_keeper(struct config *config, const char *value)
{
	return set_path(config->keeper, value);
}

static const char *set_log_dir(struct config *config, const char *value)
{
	return set_path(config->log_dir, value);
}

static const struct {
	const char *key;
	setter set;
} keys[] = {
	{ "name", set_name },
	{ "cluster", set_cluster },
	{ "address", set_address },
	{ "port", set_port },
	{ "id", set_id },
	{ "seeds", set_seeds },
	{ "allow_root", set_allow_root },
	{ "accept", set_accept },
	{ "encrypt", set_encrypt },
	{ "t_high", set_t_high },
	{ "t_low", set_t_low },
	{ "valve", set_valve },
	{ "watchdog", set_watchdog },
	{ "watchdog_contention", set_watchdog_contention },
	{ "drain_seconds", set_drain_seconds },
	{ "discover", set_discover },
	{ "spare_landers", set_spare_landers },
	{ "family_budget", set_family_budget },
	{ "blocks_node_mib", set_blocks_node_mib },
	{ "blocks_owner_mib", set_blocks_owner_mib },
	{ "keeper", set_keeper },
	{ "log_dir", set_log_dir },
};

static setter find_key(const char *key)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strcmp(keys[i].key, key))
			return keys[i].set;
	return NULL;
}

static char *trim(char *text)
{
	char *end;

	text += strspn(text, " \t\r\n");
	end = text + strlen(text);
	while (end > text && strchr(" \t\r\n", end[-1]))
		*--end = '\0';
	return text;
}

/* @line is taken apart.  Return: 0 or -EINVAL with the cause in @error */
static int take_line(struct config *config, char *line, char *error, size_t room)
{
	const char *key, *value, *wanted;
	char *equals;
	setter set;

	line[strcspn(line, "#")] = '\0';
	line = trim(line);
	if (!*line)
		return 0;
	equals = strchr(line, '=');
	if (!equals) {
		snprintf(error, room, "no \"=\" in \"%s\"", line);
		return -EINVAL;
	}
	*equals = '\0';
	key = trim(line);
	value = trim(equals + 1);
	set = find_key(key);
	if (!set) {
		snprintf(error, room, "unknown key \"%s\"", key);
		return -EINVAL;
	}
	wanted = set(config, value);
	if (!wanted)
		return 0;
	snprintf(error, room, "%s: wanted %s, found \"%s\"", key, wanted, value);
	return -EINVAL;
}

static int set_defaults(struct config *config, char *error, size_t room)
{
	char host[HOST_NAME_MAX + 1] = "";

	memset(config, 0, sizeof(*config));
	config->port = CONFIG_PORT;
	config->accept = true;
	config->encrypt = true;
	config->t_high = 180000;
	config->t_low = 100000;
	config->valve = true;
	config->watchdog = true;
	config->watchdog_contention = true;
	config->drain_seconds = 60;
	config->spare_landers = 2;
	config->family_budget = 4096;
	strcpy(config->cluster, "continuum");
	strcpy(config->log_dir, LOG_DIR);
	gethostname(host, sizeof(host) - 1);
	if (set_name(config, host)) {
		snprintf(error, room, "the host name \"%s\" cannot name a node", host);
		return -EINVAL;
	}
	return 0;
}

static int read_lines(FILE *file, const char *path, struct config *config, char *error,
		      size_t room)
{
	unsigned int number = 0;
	char *line = NULL;
	size_t size = 0;
	int result = 0;

	while (!result && getline(&line, &size, file) >= 0) {
		int head = snprintf(error, room, "%s:%u: ", path, ++number);

		result = take_line(config, line, error + head, room - (size_t)head);
	}
	free(line);
	if (!result)
		*error = '\0';
	return result;
}

int config_read(const char *path, struct config *config, char *error, size_t room)
{
	int no_name = set_defaults(config, error, room);
	FILE *file = fopen(path, "re");
	int result = 0;

	if (file) {
		char saved[256];

		snprintf(saved, sizeof(saved), "%s", error);
		result = read_lines(file, path, config, error, room);
		fclose(file);
		if (!result && no_name && !config->name[0]) {
			snprintf(error, room, "%s; set \"name\" in %s", saved, path);
			return no_name;
		}
		return result;
	}
	if (errno != ENOENT) {
		result = -errno;
		snprintf(error, room, "%s: %s", path, strerror(errno));
		return result;
	}
	return no_name;
}
