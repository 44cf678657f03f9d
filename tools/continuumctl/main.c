// SPDX-License-Identifier: GPL-2.0
/*
 * main.c - continuumctl: the table of commands, help, errors
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "module.h"
#include "nearest.h"

#define SELECTION_HELP \
	"  -u, --user USER  all processes of a user\n" \
	"  --family GPID    that process and all that descend from it\n" \
	"  --all            all processes; without being root: all of one's own\n"

static const struct command commands[] = {
	{ "up", "[--module FILE] [ADDR[:PORT]...]", "load the module, start the daemon, join the configured seeds",
	  "  --module FILE   load this file instead of the installed module;\n"
	  "                  also CONTINUUM_MODULE in the environment\n"
	  "  ADDR[:PORT]     join the cluster through these nodes, too\n", command_up },
	{ "down", "[--keep]", "leave the cluster, stop the daemon, unload the module",
	  "  --keep          leave the module loaded\n"
	  "\n"
	  "Refuses with a list while processes live here.\n", command_down },
	{ "join", "ADDR[:PORT]...", "join the cluster through these nodes", NULL, command_join },
	{ "leave", "[NODE]", "leave the cluster; the node stays up, alone",
	  "With NODE: forget this peer, which must be dead or have left.\n", command_leave },
	{ "reload", "", "read continuum.conf and the keys again", NULL, command_reload },
	{ "drain", "[off] [--force]", "move away what runs here, accept nothing",
	  "  --force         also processes that are pinned\n"
	  "  off             no more of that\n"
	  "\n"
	  "Names descriptors that stay behind here, says where the processes went, and\n"
	  "fails with a list when some are left.\n", command_drain },
	{ "set", "KEY VALUE... | GPID pin|ttl|lease VALUE", "change settings of this node until the next up, or of a process",
	  "  accept on|off      may processes land here\n"
	  "  allow_root on|off  may processes of root land here\n"
	  "  blocks_node_mib N  MiB of blocks that it holds (0: as the module was told, else a\n"
	  "                     quarter of its memory), and of these ...\n"
	  "  blocks_owner_mib N   ... for each family and each user (0: the same, else half)\n"
	  "  encrypt on|off     must be the same in the whole cluster\n"
	  "  family_budget N    processes of a family that began here, in the cluster (4096)\n"
	  "  t_high P, t_low P  pressures, 0 to 300: above t_high (180) the node sends a\n"
	  "                     process away, to one that is below t_low (100)\n"
	  "  valve on|off       may it do that, or what the watchdog says, by itself\n"
	  "  watchdog on|off    also when its CPUs are more than 90 % busy, and ...\n"
	  "  watchdog_contention on|off   ... more tasks are runnable than it has CPUs\n"
	  "\n"
	  "  GPID pin on|off    the cluster does not move it by itself\n"
	  "  GPID ttl N         hops without useful work\n"
	  "  GPID lease T|off   CPU time without useful work\n", command_set },
	{ "get", "[-j] [KEY] | NAME...", "show the settings of this node, or the content of blocks",
	  "Of blocks, as cat.\n", command_get },
	{ "genkey", "", "print a new cluster key", NULL, command_genkey },
	{ "status", "[-j]", "this node", NULL, command_status },
	{ "peers", "[-j]", "the other nodes of the cluster", NULL, command_peers },
	{ "ps", "[-a] [-j] [GPID...]", "the processes of the cluster",
	  "  -a    with those that have ended\n", command_ps },
	{ "top", "", "nodes, processes and what happens, on a screen",
	  "  q, Ctrl-C          the end\n"
	  "  c m t g h o        sort by CPU, memory, CPU time, GPID, host, hops\n"
	  "  r                  the other way round\n"
	  "  arrows, page keys  through the processes\n", command_top },
	{ "events", "[-j] [--since [STREAM:]N]", "what happens, as it happens",
	  "  -s, --since N  first those behind number N, as far as the module keeps them\n"
	  "                 (1,024); 0: all of these. STREAM, as -j has it: if the module was\n"
	  "                 loaded anew since then, that is told\n"
	  "\n"
	  "A line an event, until Ctrl-C: moves that begin here, ends of processes that are\n"
	  "at home here, changes of peers, as this node learns of them.  -j: a JSON object a\n"
	  "line.  \"missed\" says which are lost.\n",
	  command_events },
	{ "trace", "[-j] [-d TIME] [-n MOVES] [GPID]", "what moves, signals and ticks cost, in histograms",
	  "  -d, --duration TIME  so long: 10s, 5m; else until Ctrl-C\n"
	  "  -n, --moves N        until so many moves were done, that leave or land here\n"
	  "  GPID                 only of this process\n"
	  "\n"
	  "Of what happens on this node: a line for each move, with the time of each of its\n"
	  "phases, and at the end histograms of them all.  Needs root, and a kernel with BTF.\n",
	  command_trace },
	{ "metrics", "[-p] [-o FILE]", "this node and its peers, for Prometheus",
	  "  -p, --processes    a line, too, for each process that is here\n"
	  "  -o, --output FILE  into this file, which is replaced as a whole\n"
	  "\n"
	  "The text exposition format.  A node that is down is continuum_up 0, no failure.\n",
	  command_metrics },
	{ "report", "[-d TIME] [-o FILE] [-r FILE] [RECORD...]", "a picture of what happened (SVG)",
	  "  -d, --duration TIME  watch so long: 10s, 5m; else until Ctrl-C\n"
	  "  -o, --output FILE    the picture; else on standard output\n"
	  "  -r, --record FILE    what it was made of, too, as JSON lines\n"
	  "  RECORD               do not watch, draw this: of --record, or of events -j, which\n"
	  "                       has no loads; -: standard input\n"
	  "\n"
	  "The load of each node, and processes as lines that go from node to node.  Moves\n"
	  "and signals that this node is not told of show within a second, or not.\n", command_report },
	{ "run", "[--to NODE] [--pin] [--ttl N] [--lease T] [--linger] [-d] [--] COMMAND...",
	  "start a process",
	  "  --to NODE     move it there at once (a node, any)\n"
	  "  --pin         the cluster does not move it by itself\n"
	  "  --ttl N       hops without useful work (32)\n"
	  "  --lease T     CPU time without useful work: 500ms, 10s, 5m, 1h\n"
	  "  --linger      what the command leaves behind lives on after it\n"
	  "  -d, --detach  do not wait: print the GPID; input is /dev/null, output that\n"
	  "                would go to the terminal or a pipe goes to \"logs\"\n"
	  "\n"
	  "The exit status is the command's, 128+N for signal N, 125 when Continuum\n"
	  "failed, 126 and 127 when the command could not be executed or found.\n", command_run },
	{ "migrate", "[-j] [--cluster] GPID [NODE|any|home]", "move a process",
	  "  --cluster   count it as a hop that the cluster decided: for schedulers (root)\n"
	  "\n"
	  "Prints GPID NODE downtime_us=N total_us=N bytes=N when it runs at its new host.\n",
	  command_migrate },
	{ "kill", "[-s SIG] [-u USER] [--family GPID] [--all] [GPID...]",
	  "send a signal to processes, wherever they are",
	  "  -s SIG           name or number (TERM); 0 only checks\n"
	  SELECTION_HELP
	  "\n"
	  "Fails with \"unconfirmed\" when no acknowledgement comes within 10 s: it may or\n"
	  "may not have arrived.\n", command_kill },
	{ "wait", "[-j] GPID", "wait for the end of a process",
	  "The exit status is the process's, as that of run.\n", command_wait },
	{ "explain", "[-j] GPID [NODE]", "what would stop or slow a move", NULL, command_explain },
	{ "suspend", "[-u USER] [--family GPID] [--all] [GPID...]", "freeze processes",
	  SELECTION_HELP, command_suspend },
	{ "resume", "[-u USER] [--family GPID] [--all] [GPID...]", "let suspended processes go on",
	  SELECTION_HELP, command_resume },
	{ "recover", "GPID", "end a limbo: this copy is the one that counts",
	  "For a process that ps shows in limbo: its host was lost in the middle of a move,\n"
	  "or does not answer. The copy at the source runs on from where it was stopped; if\n"
	  "the source does not answer, the one that has landed does; if there is none, the\n"
	  "process ends as \"host lost\". Work done elsewhere since then may be done twice:\n"
	  "first try to bring back the node that does not answer.\n", command_recover },
	{ "checkpoint", "GPID FILE", "keep a process in a file",
	  "The process runs on. FILE is written whole or not at all; who can read it can read\n"
	  "the memory of the process. Open files are named in it, not kept: they have to be\n"
	  "there when it is restored. Run it on the node that has the process.\n", command_checkpoint },
	{ "restore", "[--as-new] [-d] FILE", "a process of a checkpoint runs on",
	  "  --as-new      another process, with a GPID of its own, even if the first one lives\n"
	  "  -d, --detach  do not wait: print the GPID; input is /dev/null, output that went to\n"
	  "                a terminal or a pipe goes to \"logs\"\n"
	  "\n"
	  "Its home is this node, its streams are those of this command where they were a\n"
	  "pipe or a terminal. The exit status is that of the process, 125 when Continuum failed.\n",
	  command_restore },
	{ "image", "[-j] FILE", "is a checkpoint whole, and what is in it", NULL, command_image },
	{ "logs", "GPID", "what a process that was started with run -d has written", NULL,
	  command_logs },
	{ "put", "[-j] [--copies N] [--chunk SIZE] [--family] FILE...",
	  "store files as blocks in the cluster, and print their names",
	  "  --copies N     nodes that hold each block (2)\n"
	  "  --chunk SIZE   cut files into blocks of that size: 64K, 1M; without it a file is\n"
	  "                 one block, of up to 4 MiB\n"
	  "  --family       they belong to the process in which this runs, and go with it;\n"
	  "                 else they are pinned by the caller's user until drop\n"
	  "\n"
	  "FILE - is standard input. The name of a block is the BLAKE2s hash of its content.\n",
	  command_put },
	{ "cat", "NAME...", "the content of blocks, one after another", NULL, command_cat },
	{ "pin", "[--copies N] NAME...", "keep blocks until drop, whoever else owns them", NULL, command_pin },
	{ "drop", "[--family | --all] NAME...", "give up what put and pin keep for this user",
	  "  --family   what the process in which this runs owns\n"
	  "  --all      whoever owns it (root)\n"
	  "\n"
	  "A block is gone when nobody owns it any more.\n", command_drop },
	{ "locate", "[-j] NAME", "the nodes that hold a block", NULL, command_locate },
	{ "blocks", "[-j]", "what the nodes hold of blocks, and what is being copied",
	  "USED counts whole pages, QUOTA is for all blocks of a node, OWNER of that for each\n"
	  "family and each user. UNDER: blocks that a node which should hold them does not,\n"
	  "yet. MOVING: being sent or received. COPIED, DROPPED: by repair and rebalancing.\n",
	  command_blocks },
	{ "wordcount", "[-v] [-j] [--chunk SIZE] [--workers N] [--timeout T] FILE",
	  "count the words of a file, all over the cluster",
	  "  --chunk SIZE   of the blocks into which the file is cut (1M), up to 4M\n"
	  "  --workers N    processes that count them (1000), up to 4096\n"
	  "  --timeout T    a worker that takes longer is destroyed, and its work done by\n"
	  "                 another (5m): 500ms, 10s, 5m, 1h\n"
	  "  -v, --verbose  on standard error, the time of each phase and each node's share\n"
	  "\n"
	  "Prints what \"wc -w FILE\" prints in the C locale. FILE - is standard input.\n",
	  command_wordcount },
	{ "map", "[-v] --command CMD [--chunk SIZE] [--workers N] [--timeout T] FILE",
	  "run a command over the pieces of a file, all over the cluster",
	  "  --command CMD  run by a shell for each piece, which is its standard input\n"
	  "  --chunk SIZE   of a piece (1M), up to 4M; it ends with a line, and is longer\n"
	  "                 where a line is, up to 4 MiB\n"
	  "  --workers N    processes that share the pieces (100), up to 4096\n"
	  "  --timeout T    a worker that takes longer is destroyed, and its work done by\n"
	  "                 another (never): 500ms, 10s, 5m, 1h\n"
	  "  -v, --verbose  on standard error, the time of each phase and each node's share\n"
	  "\n"
	  "Prints what the commands put out, in the order of the file. What they write to\n"
	  "standard error follows a line that names the piece; CONTINUUM_CHUNK is its number.\n"
	  "The exit status is the highest of the commands (a grep that finds nothing in one of\n"
	  "the pieces: 1), 125 when Continuum failed. A command whose node dies runs again.\n",
	  command_map },
	{ "check", "[-j]", "is this machine fit to be a node", NULL, command_check },
	{ "version", "", "of this program and of the module", NULL, command_version },
};

#define COMMANDS	(sizeof(commands) / sizeof(commands[0]))

static const struct command *current;

static void print_grammar(FILE *to, const struct command *command)
{
	fprintf(to, "usage: continuumctl %s%s%s\n", command->name, *command->arguments ? " " : "",
		command->arguments);
}

static void print_help(const struct command *command)
{
	print_grammar(stdout, command);
	printf("\n%s\n", command->summary);
	if (command->help)
		printf("\n%s", command->help);
}

static void print_usage(FILE *to)
{
	fputs("usage: continuumctl COMMAND [ARGUMENT...]\n\n", to);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fputs("\n\"continuumctl COMMAND --help\" says more. -j gives JSON.\n", to);
}

int usage_error(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "continuumctl %s: ", current->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	print_grammar(stderr, current);
	return USAGE;
}

int exit_status_of(int error)
{
	switch (-error) {
	case 0:
		return DONE;
	case ESRCH:
	case ENOENT:
		return NOT_FOUND;
	case EPERM:
	case EACCES:
		return DENIED;
	default:
		return FAILED;
	}
}

int fail(int error, const char *format, ...)
{
	va_list args;

	fputs("continuumctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return exit_status_of(error);
}

/* @word as it was written: "--nonsense=1"; or "-xyz", of which getopt does not know optopt */
static void unknown_option(const char *word, const struct option *longs)
{
	char name[64];
	struct nearest nearest = { .word = name };

	if (strncmp(word, "--", 2)) {
		usage_error("unknown option \"-%c\"", optopt);
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
	for (; longs->name; longs++) {
		if (!strcmp(name, longs->name)) {
			usage_error("\"--%s\" takes no value", name);
			return;
		}
		nearest_try(&nearest, longs->name);
	}
	if (nearest.best)
		usage_error("unknown option \"--%s\"; did you mean \"--%s\"?", name, nearest.best);
	else
		usage_error("unknown option \"--%s\"", name);
}

int next_option(int argc, char **argv, const char *options, const struct option *longs)
{
	static const struct option none[] = { { 0 } };
	static const struct option json[] = { { "json", no_argument, NULL, 'j' }, { 0 } };
	const char *word = optind < argc ? argv[optind] : "";
	char text[32];
	int option;

	if (!longs)
		longs = strchr(options, 'j') ? json : none;
	snprintf(text, sizeof(text), "+:%s", options);
	option = getopt_long(argc, argv, text, longs, NULL);
	if (option < 0)
		return 0;
	if (option == ':') {
		usage_error("\"%s\" needs a value", argv[optind - 1]);
		return -1;
	}
	if (option == '?') {
		unknown_option(word, longs);
		return -1;
	}
	return option;
}

int json_option(int argc, char **argv, bool *json)
{
	int option;

	*json = false;
	while ((option = next_option(argc, argv, "j", NULL)) > 0)
		*json = true;
	return option < 0 ? USAGE : DONE;
}

int only_json(int argc, char **argv, bool *json)
{
	int status = json_option(argc, argv, json);

	if (!status && optind < argc)
		status = usage_error("\"%s\" is too much", argv[optind]);
	return status;
}

int open_device(void)
{
	int fd = continuum_open();

	if (fd == -ENOENT || fd == -ENXIO || fd == -ENODEV)
		fail(fd, "the module is not loaded on this machine (continuumctl up)");
	else if (fd < 0)
		fail(fd, "/dev/continuum: %s", strerror(-fd));
	return fd;
}

struct netlink *open_netlink(int *status)
{
	struct netlink *nl = malloc(sizeof(*nl));
	int error = nl ? netlink_open(nl) : -ENOMEM;

	if (!error)
		return nl;
	free(nl);
	if (error == -ENOENT && module_is_loaded())
		fail(error, "the module answers only in the machine's own network namespace");
	else if (error == -ENOENT)
		fail(error, "the module is not loaded on this machine (continuumctl up)");
	else
		fail(error, "netlink: %s", strerror(-error));
	*status = FAILED;
	return NULL;
}

void close_netlink(struct netlink *nl)
{
	netlink_close(nl);
	free(nl);
}

const char *netlink_text_of(const struct netlink *nl, int error)
{
	if (nl->error[0])
		return nl->error;
	return error == -ENETDOWN ? "the node is not up (continuumctl up)" : strerror(-error);
}

int run_listing(int argc, char **argv, const struct listing *listing)
{
	struct list list = { 0 };
	struct netlink *nl;
	bool json;
	int status = only_json(argc, argv, &json);
	int error;

	if (status)
		return status;
	nl = open_netlink(&status);
	if (!nl)
		return status;
	error = listing->fetch(nl, &list);
	if (error)
		status = fail(error, "%s", netlink_text_of(nl, error));
	close_netlink(nl);
	if (error)
		return status;
	if (list.count)
		qsort(list.items, list.count, listing->size, listing->order);
	(json ? listing->print_json : listing->print)(list.items, list.count);
	free(list.items);
	return DONE;
}

int parse_gpid(const char *text, uint64_t *gpid)
{
	int error = continuum_gpid_parse(text, gpid);

	switch (error) {
	case 0:
		return DONE;
	case -EINVAL:
		return usage_error("\"%s\" is not a GPID (NODE.SEQ, as ps shows it)", text);
	case -ESRCH:
		return fail(error, "%s: no such node in the cluster", text);
	case -ENOENT:
		fail(error, "the module is not loaded on this machine (continuumctl up)");
		return FAILED;
	case -ENETDOWN:
		return fail(error, "the node is not up (continuumctl up)");
	default:
		return fail(error, "%s: %s", text, strerror(-error));
	}
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static int unknown_command(const char *name)
{
	struct nearest nearest = { .word = name };

	for (size_t i = 0; i < COMMANDS; i++)
		nearest_try(&nearest, commands[i].name);
	fprintf(stderr, "continuumctl: no command \"%s\"", name);
	if (nearest.best)
		fprintf(stderr, "; did you mean \"%s\"?", nearest.best);
	fputs("\n\"continuumctl --help\" lists them.\n", stderr);
	return USAGE;
}

int main(int argc, char **argv)
{
	int status;

	if (argc < 2) {
		print_usage(stderr);
		return USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_usage(stdout);
		return DONE;
	}
	current = find_command(!strcmp(argv[1], "--version") ? "version" : argv[1]);
	if (!current)
		return unknown_command(argv[1]);
	if (argc > 2 && (!strcmp(argv[2], "--help") || !strcmp(argv[2], "-h"))) {
		print_help(current);
		return DONE;
	}
	status = current->run(argc - 1, argv + 1);
	if (fflush(stdout) || ferror(stdout)) {
		perror("continuumctl: standard output");
		return status ? status : FAILED;
	}
	return status;
}
