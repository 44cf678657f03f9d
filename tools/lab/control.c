// SPDX-License-Identifier: GPL-2.0
/* What the daemon is asked to do, other than to run commands: words in, text out. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "labd.h"

__attribute__((format(printf, 2, 3)))
static int say(struct buf *out, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_add(out, text, n < (int)sizeof(text) ? n : (int)sizeof(text) - 1);
	return 1;
}

struct node *node_find(struct lab *lab, const char *name)
{
	for (int i = 0; i < lab->nr_nodes; i++)
		if (!strcmp(lab->nodes[i].name, name))
			return &lab->nodes[i];
	return NULL;
}

static const char *state_name(const struct node *n)
{
	static const char *names[] = { "down", "booting", "up" };

	return n->crashed && n->state == NODE_DOWN ? "crashed" : names[n->state];
}

/* ---- status ---- */

static void say_string(struct buf *out, const char *key, const char *value)
{
	say(out, "\"%s\":\"", key);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			say(out, "\\%c", *value);
		else if ((unsigned char)*value < ' ')
			say(out, "\\u%04x", *value);
		else
			buf_add(out, value, 1);
	}
	say(out, "\"");
}

static void status_json(struct lab *lab, struct buf *out)
{
	say(out, "{");
	say_string(out, "name", lab->name);
	say(out, ",");
	say_string(out, "kernel", lab->release);
	say(out, ",");
	say_string(out, "accel", lab->accel);
	say(out, ",\"mem_mib\":%d,\"cpus\":%d,\"pair\":%s,\"nodes\":[", lab->mem, lab->cpus,
	    lab->pair ? "true" : "false");
	for (int i = 0; i < lab->nr_nodes; i++) {
		struct node *n = &lab->nodes[i];

		say(out, "%s{\"name\":\"%s\",\"state\":\"%s\",\"addr\":\"10.77.0.%d\",\"pid\":%d,",
		    i ? "," : "", n->name, state_name(n), n->number, n->pid);
		say(out, "\"boots\":%d,\"boot_ms\":%lu,\"retried\":%s,\"boot_id\":\"%s\",", n->boots,
		    (unsigned long)n->boot_ms, n->retried ? "true" : "false", n->boot_id);
		say_string(out, "reason", n->state == NODE_UP && !n->retried ? "" : n->why);
		say(out, "}");
	}
	say(out, "]}\n");
}

static int cmd_status(struct lab *lab, int argc, char **argv, struct buf *out)
{
	if (argc > 1 && !strcmp(argv[1], "-j")) {
		status_json(lab, out);
		return 0;
	}
	say(out, "lab %s: %d node%s, kernel %s, %s, %d MiB and %d CPU%s each%s\n", lab->name,
	    lab->nr_nodes, lab->nr_nodes > 1 ? "s" : "", lab->release,
	    strcmp(lab->accel, "kvm") ? "emulated" : "kvm", lab->mem, lab->cpus,
	    lab->cpus > 1 ? "s" : "", lab->pair ? ", direct link" : "");
	for (int i = 0; i < lab->nr_nodes; i++) {
		struct node *n = &lab->nodes[i];

		say(out, "%-4s %-8s 10.77.0.%-3d", n->name, state_name(n), n->number);
		if (n->state == NODE_UP)
			say(out, " boot %d took %.1f s%s", n->boots, n->boot_ms / 1e3,
			    n->retried ? ", at the second try" : "");
		else if (n->state == NODE_DOWN)
			say(out, " %s", n->why);
		say(out, "\n");
	}
	return 0;
}

/* One word of state for `lab up` and `lab boot`, who wait for it. */
static int cmd_state(struct lab *lab, int argc, char **argv, struct buf *out)
{
	struct node *n = argc > 1 ? node_find(lab, argv[1]) : NULL;

	if (!n)
		return say(out, "no such node\n");
	if (n->state == NODE_UP)
		say(out, "up %lu\n", (unsigned long)n->boot_ms);
	else
		say(out, "%s\n", n->state == NODE_BOOTING ? "booting" : "down");
	if (n->state == NODE_DOWN || n->retried)
		say(out, "%s%s\n", n->state == NODE_DOWN && n->retried ? "twice: " : "", n->why);
	return 0;
}

/* ---- power ---- */

static int cmd_crash(struct lab *lab, int argc, char **argv, struct buf *out)
{
	struct node *n = argc > 1 ? node_find(lab, argv[1]) : NULL;

	if (!n)
		return say(out, "no such node\n");
	if (!n->pid)
		return say(out, "%s is down already: %s\n", n->name, n->why);
	vm_kill(n, "it was crashed by lab crash");
	return 0;
}

static int cmd_boot(struct lab *lab, int argc, char **argv, struct buf *out)
{
	struct node *n = argc > 1 ? node_find(lab, argv[1]) : NULL;

	if (!n)
		return say(out, "no such node\n");
	if (n->pid)
		return say(out, "%s is running already\n", n->name);
	if (lab->pair)
		return say(out, "a pair's direct link ends with either machine: use down, then up\n");
	n->retried = false;
	if (vm_start(n) < 0)
		return say(out, "%s: %s\n", n->name, n->why);
	return 0;
}

static int cmd_down(struct lab *lab, int argc, char **argv, struct buf *out)
{
	(void)argc;
	(void)argv;
	(void)out;
	for (int i = 0; i < lab->nr_nodes; i++)
		vm_kill(&lab->nodes[i], "the lab is going down");
	lab->stop = true;
	return 0;
}

/* ---- network ---- */

static bool parse_loss(struct port *p, const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || strcmp(end, "%") || v < 0 || v > 100)
		return false;
	p->loss = v / 100;
	return true;
}

static bool parse_delay(struct port *p, const char *text)
{
	char *end;
	double v = strtod(text, &end);
	double unit = !strcmp(end, "us") ? 1e3 : !strcmp(end, "ms") ? 1e6 :
		      !strcmp(end, "s") ? 1e9 : 0;

	if (end == text || !unit || v < 0 || v * unit > 60e9)
		return false;
	p->delay_ns = v * unit;
	return true;
}

static void show_port(const struct node *n, const struct port *p, struct buf *out)
{
	say(out, "%-4s ", n->name);
	if (p->cut)
		say(out, "cut ");
	if (p->loss > 0)
		say(out, "loss %g%% ", p->loss * 100);
	if (p->delay_ns)
		say(out, "delay %gms ", p->delay_ns / 1e6);
	if (!p->cut && !p->loss && !p->delay_ns)
		say(out, "whole ");
	say(out, " sent %lu frames (%.1f MiB), received %lu, lost on the way to it %lu\n",
	    p->rx_frames, p->rx_bytes / 1048576.0, p->tx_frames, p->dropped);
}

static int net_capture(struct lab *lab, const char *path, struct buf *out)
{
	if (switch_capture(&lab->sw, strcmp(path, "off") ? path : NULL) < 0)
		return say(out, "cannot write %s: %s\n", path, strerror(errno));
	return 0;
}

static int cmd_net(struct lab *lab, int argc, char **argv, struct buf *out)
{
	const char *what = argc > 2 ? argv[2] : "show", *value = argc > 3 ? argv[3] : "";
	struct node *n = argc > 1 ? node_find(lab, argv[1]) : NULL;
	struct port *p;

	if (lab->pair)
		return say(out, "a pair has no switch between its nodes: lab net needs a lab without --pair\n");
	if (argc > 2 && !strcmp(argv[1], "capture"))
		return net_capture(lab, argv[2], out);
	if (argc < 2 || !strcmp(argv[1], "show")) {
		for (int i = 0; i < lab->nr_nodes; i++)
			show_port(&lab->nodes[i], &lab->sw.ports[i], out);
		return 0;
	}
	if (!n)
		return say(out, "no such node: %s\n", argv[1]);
	p = &lab->sw.ports[n->number - 1];
	if (!strcmp(what, "show")) {
		show_port(n, p, out);
	} else if (!strcmp(what, "cut")) {
		p->cut = true;
	} else if (!strcmp(what, "heal")) {
		p->cut = false;
		p->loss = 0;
		p->delay_ns = 0;
	} else if (!strcmp(what, "loss")) {
		if (!parse_loss(p, value))
			return say(out, "loss wants a percentage, such as 20%%\n");
	} else if (!strcmp(what, "delay")) {
		if (!parse_delay(p, value))
			return say(out, "delay wants a time up to 60 s, such as 5ms\n");
	} else {
		return say(out, "lab net knows loss, delay, cut, heal, show and capture, not \"%s\"\n", what);
	}
	return 0;
}

static const struct {
	const char *word;
	int (*run)(struct lab *lab, int argc, char **argv, struct buf *out);
} commands[] = {
	{ "status", cmd_status },
	{ "state", cmd_state },
	{ "crash", cmd_crash },
	{ "boot", cmd_boot },
	{ "net", cmd_net },
	{ "down", cmd_down },
};

int control(struct lab *lab, int argc, char **argv, struct buf *out)
{
	for (size_t i = 0; argc && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[0], commands[i].word))
			return commands[i].run(lab, argc, argv, out);
	return say(out, "the lab does not know \"%s\"\n", argc ? argv[0] : "");
}
