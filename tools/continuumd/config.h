/* SPDX-License-Identifier: GPL-2.0 */
/*
 * config.h - /etc/continuum/continuum.conf
 *
 * Lines "key = value"; "#" begins a comment.  See continuum.conf for the keys.
 */
#ifndef CONTINUUMD_CONFIG_H
#define CONTINUUMD_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/continuum.h>

#define CONFIG_FILE		"/etc/continuum/continuum.conf"
#define CONFIG_KEY_FILE		"/etc/continuum/cluster.key"
#define STATE_DIR		"/var/lib/continuum"	/* the module has its numbers there */
#define CONFIG_PORT		7117
#define CONFIG_SEEDS_MAX	64
#define CONFIG_SEED_LENGTH	128

struct config {
	char name[CTM_NAME_MAX];
	char cluster[CTM_NAME_MAX];
	char address[CONFIG_SEED_LENGTH];
	uint16_t port;
	uint32_t id;			/* 0: from the machine id */
	bool allow_root;
	bool accept;
	bool encrypt;
	uint32_t t_high, t_low;		/* pressures, thousandths */
	bool valve, watchdog, watchdog_contention;
	unsigned int drain_seconds;	/* at a stop; 0: no drain then */
	bool discover;
	unsigned int spare_landers;
	unsigned int blocks_node_mib, blocks_owner_mib;	/* 0: as the module's parameters say */
	unsigned int family_budget;	/* processes and threads of a family on this node */
	unsigned int seed_count;
	char seeds[CONFIG_SEEDS_MAX][CONFIG_SEED_LENGTH];	/* ADDR[:PORT] */
	char keeper[PATH_MAX];		/* "": the one that continuumd finds */
	char log_dir[PATH_MAX];
};

/**
 * config_read() - fill @config from @path, defaults where it says nothing
 * @error: on failure, one line that names file, line and cause
 *
 * A file that does not exist is an empty one.  Return: 0 or -errno.
 */
int config_read(const char *path, struct config *config, char *error, size_t room);

/** config_parse_pressure() - "180", "92.5", in thousandths.  Return: NULL, or what is wanted instead */
const char *config_parse_pressure(const char *value, uint32_t *thousandths);

#endif /* CONTINUUMD_CONFIG_H */
