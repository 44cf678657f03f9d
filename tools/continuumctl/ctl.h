/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ctl.h - what the files of continuumctl share: commands, exit statuses, errors
 */
#ifndef CONTINUUMCTL_CTL_H
#define CONTINUUMCTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <getopt.h>
#include <unistd.h>

#include "../lib/cluster.h"
#include "../lib/continuum.h"

/* Exit statuses. run and wait give the process's own, and these: */
enum {
	DONE		= 0,
	FAILED		= 1,
	USAGE		= 2,
	NOT_FOUND	= 3,
	DENIED		= 4,
	RUN_FAILED	= 125,	/* Continuum failed, as env(1) */
	RUN_NOT_EXEC	= 126,	/* the command cannot be executed */
	RUN_NOT_FOUND	= 127,	/* there is no such command */
};

/** struct command - one row of the table in main.c */
struct command {
	const char *name;
	const char *arguments;	/* grammar, after the name */
	const char *summary;
	const char *help;	/* lines about options, or NULL */
	int (*run)(int argc, char **argv);	/* argv[0] is the command's name; returns an exit status */
};

/** usage_error() - says what is wrong, and the grammar of the command under way.  Return: USAGE */
int usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** fail() - "continuumctl: ..." on standard error.  Return: the exit status for -errno @error */
int fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** exit_status_of() - for a negative errno; pure */
int exit_status_of(int error);

/**
 * next_option() - getopt_long(3) that ends the options at the first argument
 * @options: the short ones, as getopt(3) has them
 * @longs: the long ones; NULL: none, but --json where @options has "j"
 *
 * Return: the option, 0 when they end, -1 after usage_error().
 */

int next_option(int argc, char **argv, const char *options, const struct option *longs);

/** json_option() - of a command with -j and no other option.  Return: DONE or USAGE */
int json_option(int argc, char **argv, bool *json);
/** only_json() - the same, and no argument behind it */
int only_json(int argc, char **argv, bool *json);

/** open_device() - /dev/continuum, or a line and -errno */
int open_device(void);
/** open_netlink() - or a line and NULL; close_netlink() frees */
struct netlink *open_netlink(int *status);
void close_netlink(struct netlink *nl);
/** netlink_text_of() - what the kernel said about @error, or what strerror(3) says */
const char *netlink_text_of(const struct netlink *nl, int error);

/**
 * struct listing - a command that prints one of cluster.h's lists
 * @size:  of an item
 * @order: of items, as qsort(3) has it
 */
struct listing {
	int (*fetch)(struct netlink *nl, struct list *list);
	size_t size;
	int (*order)(const void *a, const void *b);
	void (*print)(const void *items, size_t count);
	void (*print_json)(const void *items, size_t count);
};

/** run_listing() - the whole command.  Return: its exit status */
int run_listing(int argc, char **argv, const struct listing *listing);

/** parse_gpid() - or a line.  Return: DONE or an exit status */
int parse_gpid(const char *text, uint64_t *gpid);

/** parse_time() - "500ms", "10s", "5m", "1h", "10" for seconds; pure.  Return: 0 or -EINVAL */
int parse_time(const char *text, uint32_t *ms);	/* run.c */

/** parse_amount() - 1 to @max, with K or M behind it where @units; pure.  Return: 0 or -EINVAL */
int parse_amount(const char *text, uint64_t max, bool units, uint32_t *value);	/* blocks.c */

/* commands, by file */
int command_up(int argc, char **argv);			/* up.c */
int command_down(int argc, char **argv);
int command_join(int argc, char **argv);		/* node.c */
int join_all(int argc, char **argv);			/* through the addresses from optind on */
int command_leave(int argc, char **argv);
int command_reload(int argc, char **argv);
int command_genkey(int argc, char **argv);
int command_version(int argc, char **argv);
int command_set(int argc, char **argv);			/* settings.c */
int command_get(int argc, char **argv);
int command_drain(int argc, char **argv);		/* drain.c */
int command_status(int argc, char **argv);		/* status.c */
int command_peers(int argc, char **argv);		/* peers.c */
int command_ps(int argc, char **argv);			/* ps.c */
int command_events(int argc, char **argv);		/* events.c */
int command_metrics(int argc, char **argv);		/* metrics.c */
int command_trace(int argc, char **argv);		/* trace.c */
int command_report(int argc, char **argv);		/* report.c */
int command_top(int argc, char **argv);			/* top.c */
int command_run(int argc, char **argv);			/* run.c */
int command_migrate(int argc, char **argv);		/* process.c */
int command_kill(int argc, char **argv);
int command_wait(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_recover(int argc, char **argv);
int command_suspend(int argc, char **argv);
int command_resume(int argc, char **argv);
int command_logs(int argc, char **argv);
int command_checkpoint(int argc, char **argv);		/* checkpoint.c */
int command_image(int argc, char **argv);
int command_restore(int argc, char **argv);		/* restore.c */
int command_check(int argc, char **argv);		/* check.c */
int command_put(int argc, char **argv);			/* blocks.c */
int command_cat(int argc, char **argv);
int command_pin(int argc, char **argv);
int command_drop(int argc, char **argv);
int command_locate(int argc, char **argv);
int command_blocks(int argc, char **argv);
int command_wordcount(int argc, char **argv);		/* chunked.c */
int command_map(int argc, char **argv);

/** process_cause() - what the kernel said (@reason), or what the errno means for a process */
const char *process_cause(int error, const char *reason);

/** is_block_name() - 64 hexadecimal digits; pure.  cat_blocks(): the names from optind on, on standard output */
bool is_block_name(const char *text);
int cat_blocks(int argc, char **argv);

#endif /* CONTINUUMCTL_CTL_H */
