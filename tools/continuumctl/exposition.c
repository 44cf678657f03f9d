// SPDX-License-Identifier: GPL-2.0
/*
 * exposition.c - what of a node becomes which metric
 *
 * Names by the conventions of Prometheus: base units (seconds, bytes, ratios from 0
 * to 1), "_total" for what only grows.  Counters begin anew when the module is loaded.
 * A metric's lines have to stand together, so the outer loop is over metrics.
 */
#include <inttypes.h>
#include <string.h>

#include "metrics.h"
#include "output.h"

/* ---- the format ---- */

static void family(FILE *to, const char *name, const char *type, const char *help)
{
	fprintf(to, "# HELP continuum_%s %s\n# TYPE continuum_%s %s\n", name, help, name, type);
}

/* In a label's value \, " and newlines are escaped; what is no text has no place there. */
static void put_value(FILE *to, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			fprintf(to, "\\%c", *text);
		else if (*text == '\n')
			fputs("\\n", to);
		else
			fputc((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e ? '?' : *text, to);
	}
}

/* A sample's name and labels: pairs of name and value, up to NULL. */
static void sample(FILE *to, const char *name, const char *const *labels)
{
	fprintf(to, "continuum_%s", name);
	for (size_t i = 0; labels && labels[i]; i += 2) {
		fprintf(to, "%s%s=\"", i ? "," : "{", labels[i]);
		put_value(to, labels[i + 1]);
		fputc('"', to);
	}
	fputs(labels && labels[0] ? "} " : " ", to);
}

#define LABELS(...)	((const char *const []){ __VA_ARGS__, NULL })

static void put_count(FILE *to, uint64_t value)
{
	fprintf(to, "%" PRIu64 "\n", value);
}

static void put_milli(FILE *to, uint64_t value)
{
	fprintf(to, "%" PRIu64 ".%03u\n", value / 1000, (unsigned int)(value % 1000));
}

/* ---- load: the same of this node and of peers ---- */

enum unit { COUNT, MILLI, RATIO, MIB };

static const struct load_metric {
	const char *name, *help;
	size_t offset;			/* of a uint32_t in struct load */
	enum unit unit;
} load_metrics[] = {
	{ "load", "Load: the pressure, divided by the live nodes of the cluster.",
	  offsetof(struct load, load), MILLI },
	{ "pressure", "CPU % and twice the share of memory in use, 0 to 300.",
	  offsetof(struct load, pressure), MILLI },
	{ "cpu_busy_ratio", "Share of CPU time in use.", offsetof(struct load, cpu), RATIO },
	{ "memory_used_ratio", "Share of memory that is not available.",
	  offsetof(struct load, mem), RATIO },
	{ "memory_available_bytes", "Memory that is available.",
	  offsetof(struct load, free_mib), MIB },
	{ "runnable_per_cpu", "Runnable tasks for each CPU.", offsetof(struct load, runnable), MILLI },
	{ "processes_hosted", "Continuum processes that run there.",
	  offsetof(struct load, processes), COUNT },
};

#define LOAD_METRICS	(sizeof(load_metrics) / sizeof(load_metrics[0]))

/* Percents come in thousandths: 100000 is all. */
static void put_load(FILE *to, const struct load_metric *metric, const struct load *load)
{
	uint32_t value = *(const uint32_t *)((const char *)load + metric->offset);

	switch (metric->unit) {
	case COUNT:
		put_count(to, value);
		break;
	case MILLI:
		put_milli(to, value);
		break;
	case RATIO:
		fprintf(to, "%u.%05u\n", value / 100000, value % 100000);
		break;
	case MIB:
		put_count(to, (uint64_t)value << 20);
		break;
	}
}

/* ---- this node ---- */

static void put_switch(FILE *to, const char *name, bool on, const char *help)
{
	family(to, name, "gauge", help);
	sample(to, name, NULL);
	put_count(to, on);
}

static void put_identity(FILE *to, const struct node *node)
{
	char id[16], module[16];

	snprintf(id, sizeof(id), "%08x", node->id);
	snprintf(module, sizeof(module), "%u", node->abi_version);
	family(to, "node_info", "gauge", "This node; the value is always 1.");
	sample(to, "node_info", LABELS("node", node->name, "id", id, "cluster", node->cluster,
				       "interface", module, "tick", node->tick));
	put_count(to, 1);
}

static void put_mode(FILE *to, const struct node *node)
{
	static const char *const modes[] = { "normal", "ejecting", "draining" };

	family(to, "mode", "gauge", "What the node does with its processes: 1 for the one that is so.");
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		sample(to, "mode", LABELS("mode", modes[i]));
		put_count(to, !strcmp(modes[i], node->mode));
	}
}

static void put_node(FILE *to, const struct node *node)
{
	put_identity(to, node);
	put_mode(to, node);
	put_switch(to, "daemon_up", node->daemon, "Whether continuumd serves the module.");
	put_switch(to, "accepting", node->accepting, "Whether processes may land here.");
	put_switch(to, "encrypted", node->encrypt, "Whether what travels on TCP is encrypted.");
	put_switch(to, "valve", node->valve, "Whether the node may send processes away by itself.");
	family(to, "pressure_threshold", "gauge", "Above high a process is sent away, to a node below low.");
	sample(to, "pressure_threshold", LABELS("threshold", "high"));
	put_milli(to, node->t_high);
	sample(to, "pressure_threshold", LABELS("threshold", "low"));
	put_milli(to, node->t_low);
	family(to, "live_nodes", "gauge", "Live nodes of the cluster, this one included.");
	sample(to, "live_nodes", NULL);
	put_count(to, node->peers);
	for (const struct load_metric *m = load_metrics; m < load_metrics + LOAD_METRICS; m++) {
		family(to, m->name, "gauge", m->help);
		sample(to, m->name, NULL);
		put_load(to, m, &node->load);
	}
}

/* ---- counters ---- */

static const char *counter_help(const char *name)
{
	static const struct { const char *name, *help; } helps[] = {
		{ "bad_hello", "Hellos with a wrong cluster key, or none." },
		{ "bad_tag", "Datagrams with a wrong authentication tag." },
		{ "replayed", "Datagrams that came a second time." },
		{ "truncated", "Datagrams that were too short." },
		{ "oversized", "Datagrams that were too long." },
		{ "garbage", "Datagrams that are not of Continuum." },
		{ "handoff_out", "Processes that moved away from here." },
		{ "handoff_in", "Processes that moved here." },
		{ "handoff_aborted", "Moves from here that failed on the way." },
		{ "handoff_refused", "Moves that were refused before they began." },
		{ "signals", "Signals delivered to Continuum processes." },
		{ "bad_image", "Process images that were refused as malformed." },
		{ "unknown_sender", "Datagrams that name no hello that is known." },
		{ "valve_moved", "Moves that the pressure valve began, and that succeeded." },
		{ "valve_refused", "Moves of the pressure valve that the destination refused." },
		{ "valve_failed", "Moves of the pressure valve, or of a drain, that failed." },
		{ "drain_moved", "Processes that a drain moved away." },
		{ "not_admitted", "Processes of other nodes' valves that were not admitted." },
		{ "reaped", "Processes destroyed here at the end of time to live or lease." },
		{ "signals_relayed", "Rounds in which news of a signal was passed on." },
		{ "signals_dropped", "News of signals for which there was no room." },
		{ "flooded", "Datagrams of peers that send too many." },
		{ "bad_gossip", "Authentic gossip that no node of ours writes." },
	};

	for (size_t i = 0; i < sizeof(helps) / sizeof(helps[0]); i++)
		if (!strcmp(helps[i].name, name))
			return helps[i].help;
	return "A counter of the module that is newer than this program.";
}

static void put_counter(FILE *to, const char *name, const char *help, uint64_t value)
{
	char full[64];

	snprintf(full, sizeof(full), "%s_total", name);
	family(to, full, "counter", help);
	sample(to, full, NULL);
	put_count(to, value);
}

/* A name that comes from the module is a part of a metric's name: letters, digits, _ only. */
static bool is_name(const char *text)
{
	return *text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")];
}

static void put_counters(FILE *to, const struct node *node)
{
	for (const struct counter *c = node->counters; c < node->counters + node->counter_count; c++)
		if (is_name(c->name))
			put_counter(to, c->name, counter_help(c->name), c->value);
	put_counter(to, "ticks", "Ticks that the module has seen, on all CPUs.", node->ticks);
	put_counter(to, "tick_hits", "Ticks on a Continuum process.", node->tick_hits);
}

/* ---- peers ---- */

static const char *peer_name(const struct peer *peer, char text[CTM_NAME_MAX])
{
	return node_text(peer->name, peer->id, text);
}

static void put_peer_states(FILE *to, const struct metrics *m)
{
	family(to, "peers", "gauge", "Other nodes, by state.");
	for (uint32_t state = CTM_NL_PEER_ALIVE; state <= CTM_NL_PEER_LEFT; state++) {
		uint64_t count = 0;

		for (size_t i = 0; i < m->peer_count; i++)
			count += m->peers[i].state == state;
		sample(to, "peers", LABELS("state", peer_state_text(state)));
		put_count(to, count);
	}
}

static void put_peer_switch(FILE *to, const struct metrics *m, const char *name, const char *help,
			    bool (*is)(const struct peer *peer))
{
	char text[CTM_NAME_MAX];

	family(to, name, "gauge", help);
	for (const struct peer *p = m->peers; p < m->peers + m->peer_count; p++) {
		sample(to, name, LABELS("peer", peer_name(p, text)));
		put_count(to, is(p));
	}
}

static bool is_alive(const struct peer *peer)
{
	return peer->state == CTM_NL_PEER_ALIVE;
}

static bool is_accepting(const struct peer *peer)
{
	return peer->accepting;
}

static bool is_compatible(const struct peer *peer)
{
	return peer->compatible;
}

static void put_peer_load(FILE *to, const struct metrics *m, const struct load_metric *metric)
{
	char name[64], text[CTM_NAME_MAX];

	snprintf(name, sizeof(name), "peer_%s", metric->name);
	family(to, name, "gauge", metric->help);
	for (const struct peer *p = m->peers; p < m->peers + m->peer_count; p++) {
		sample(to, name, LABELS("peer", peer_name(p, text)));
		put_load(to, metric, &p->load);
	}
}

static void put_peers(FILE *to, const struct metrics *m)
{
	char text[CTM_NAME_MAX];

	put_peer_states(to, m);
	if (!m->peer_count)
		return;
	put_peer_switch(to, m, "peer_up", "Whether the peer is alive.", is_alive);
	put_peer_switch(to, m, "peer_accepting", "Whether processes may land there.", is_accepting);
	put_peer_switch(to, m, "peer_compatible", "Whether processes can go from here to there.",
			is_compatible);
	family(to, "peer_last_heard_seconds", "gauge", "Time since something new was heard of it.");
	for (const struct peer *p = m->peers; p < m->peers + m->peer_count; p++) {
		sample(to, "peer_last_heard_seconds", LABELS("peer", peer_name(p, text)));
		put_milli(to, p->age_ms);
	}
	for (const struct load_metric *metric = load_metrics; metric < load_metrics + LOAD_METRICS; metric++)
		put_peer_load(to, m, metric);
}

/* ---- processes: each node shows its own, so that sums over nodes are right ---- */

static bool is_here(const struct metrics *m, const struct ctm_info *process)
{
	return process->host == m->node->id;
}

static void put_process_states(FILE *to, const struct metrics *m)
{
	family(to, "processes", "gauge", "Continuum processes whose host is this node, by state.");
	for (uint32_t state = CTM_STATE_RUNNING; state < CTM_STATE_ENDED; state++) {
		uint64_t count = 0;

		for (size_t i = 0; i < m->process_count; i++)
			count += is_here(m, &m->processes[i]) && m->processes[i].state == state;
		sample(to, "processes", LABELS("state", process_state_text(state)));
		put_count(to, count);
	}
}

static void put_cpu(FILE *to, const struct ctm_info *p)
{
	uint64_t ns = p->cpu_ns;

	fprintf(to, "%" PRIu64 ".%09u\n", ns / 1000000000, (unsigned int)(ns % 1000000000));
}

static void put_rss(FILE *to, const struct ctm_info *p)
{
	put_count(to, p->rss);
}

static void put_hops(FILE *to, const struct ctm_info *p)
{
	put_count(to, p->hops);
}

static void put_ttl(FILE *to, const struct ctm_info *p)
{
	put_count(to, p->ttl);
}

static void put_each(FILE *to, const struct metrics *m)
{
	static const struct {
		const char *name, *type, *help;
		void (*put)(FILE *to, const struct ctm_info *process);
	} each[] = {
		{ "process_cpu_seconds_total", "counter", "CPU time on all nodes.", put_cpu },
		{ "process_resident_memory_bytes", "gauge", "Memory in use.", put_rss },
		{ "process_hops_total", "counter", "Moves.", put_hops },
		{ "process_ttl_hops", "gauge", "Hops without useful work that are left.", put_ttl },
	};
	char gpid[CONTINUUM_GPID_MAX], uid[16];

	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
		family(to, each[i].name, each[i].type, each[i].help);
		for (const struct ctm_info *p = m->processes; p < m->processes + m->process_count; p++) {
			if (!is_here(m, p) || p->state == CTM_STATE_ENDED)
				continue;
			snprintf(uid, sizeof(uid), "%u", p->uid);
			sample(to, each[i].name, LABELS("gpid", gpid_text(p, gpid), "uid", uid, "comm", p->comm));
			each[i].put(to, p);
		}
	}
}

/* ---- all of it ---- */

void metrics_print(FILE *to, const struct metrics *m)
{
	put_switch(to, "up", m->node && m->node->up, "Whether the node is up.");
	if (!m->node)
		return;
	put_counters(to, m->node);
	if (!m->node->up)
		return;
	put_node(to, m->node);
	put_peers(to, m);
	put_process_states(to, m);
	if (m->each_process)
		put_each(to, m);
}
