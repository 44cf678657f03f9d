// SPDX-License-Identifier: GPL-2.0
/*
 * table.c - the machines of core/handoff.c, asked what they do about everything
 *
 *   table       one line a transition: what handoff.table holds, for people and for diff
 *   table -p    the same in Promela, which handoff.pml includes
 *
 * Each machine is put into each state and gets each event, with every value of what
 * it can look at (the guards).  A guard that makes no difference in a cell is left
 * out of its lines.  Cells in which nothing ever happens have no line.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handoff.h"

enum guard { OUTCOME, SAME_BOOT, DYING, OK, FROZEN, CONSENTED, RECOVERED, TIRED, GUARDS };

static const struct { const char *name; int values; } guards[GUARDS] = {
	[OUTCOME]	= { "outcome", CTM_HO_OUTCOME_MAX },
	[SAME_BOOT]	= { "same_boot", 2 },
	[DYING]		= { "dying", 2 },
	[OK]		= { "ok", 2 },
	[FROZEN]	= { "frozen", 2 },
	[CONSENTED]	= { "consented", 2 },
	[RECOVERED]	= { "recovered", 2 },
	[TIRED]		= { "tired", 2 },
};

static const char *const outcomes[CTM_HO_OUTCOME_MAX] = {
	"unknown", "undecided", "committed", "aborted", "released", "recovered", "prepared",
	"started", "discarded",
};

/* what a step did */
struct result {
	int state;
	bool frozen, consented, recovered, timed;
	struct ctm_ho_actions out;
};

static const struct ctm_ho_id id = { .gpid = 1, .epoch = 1, .attempt = 1, .src_boot = 10, .dst_boot = 20 };
static bool promela;

static struct ctm_ho_event event_of(const int *v, int type, bool source)
{
	u64 theirs = source ? id.dst_boot : id.src_boot;

	return (struct ctm_ho_event){
		.type = type, .now = 1000 * CTM_HO_SEC, .id = id, .outcome = v[OUTCOME],
		.boot = v[SAME_BOOT] ? theirs : theirs + 1, .dying = v[DYING], .ok = v[OK],
	};
}

static struct result ask_source(int state, int type, const int *v)
{
	struct ctm_ho_source s;
	struct ctm_ho_event ev = event_of(v, type, true);
	struct result r = { 0 };

	ctm_ho_source_init(&s, &id);
	s.state = state;
	s.frozen = v[FROZEN];
	s.consented = v[CONSENTED];
	s.deadline = 1;
	ctm_ho_source_step(&s, &ev, &r.out);
	r.state = s.state;
	r.frozen = s.frozen;
	r.consented = s.consented;
	r.recovered = v[RECOVERED];
	r.timed = s.deadline;
	return r;
}

static struct result ask_dest(int state, int type, const int *v)
{
	struct ctm_ho_dest d;
	struct ctm_ho_event ev = event_of(v, type, false);
	struct result r = { 0 };

	ctm_ho_dest_init(&d, &id);
	d.state = state;
	d.recovered = v[RECOVERED];
	d.tries = v[TIRED] ? CTM_HO_SILENT : 0;
	d.deadline = 1;
	ctm_ho_dest_step(&d, &ev, &r.out);
	r.state = d.state;
	r.recovered = d.recovered;
	r.frozen = v[FROZEN];
	r.consented = v[CONSENTED];
	r.timed = d.deadline;
	return r;
}

static struct result ask(bool source, int state, int type, const int *v)
{
	return source ? ask_source(state, type, v) : ask_dest(state, type, v);
}

/* both leave their flag alone, or both give it the same value */
static bool same_flag(bool a, int before_a, bool b, int before_b)
{
	return a == b || (a == before_a && b == before_b);
}

static bool same(const struct result *a, const int *av, const struct result *b, const int *bv)
{
	return a->state == b->state && a->out.n == b->out.n &&
	       !memcmp(a->out.list, b->out.list, a->out.n * sizeof(a->out.list[0])) &&
	       same_flag(a->frozen, av[FROZEN], b->frozen, bv[FROZEN]) &&
	       same_flag(a->consented, av[CONSENTED], b->consented, bv[CONSENTED]) &&
	       same_flag(a->recovered, av[RECOVERED], b->recovered, bv[RECOVERED]);
}

static bool nothing(const struct result *r, int state, const int *v)
{
	return r->state == state && !r->out.n && r->frozen == v[FROZEN] &&
	       r->consented == v[CONSENTED] && r->recovered == v[RECOVERED];
}

/* the guards' values counted through; false after the last */
static bool next(int *v, const bool *used)
{
	int g;

	for (g = 0; g < GUARDS; g++) {
		if (used && !used[g])
			continue;
		if (++v[g] < guards[g].values)
			return true;
		v[g] = 0;
	}
	return false;
}

static bool matters(bool source, int state, int type, enum guard g)
{
	int v[GUARDS] = { 0 }, w[GUARDS];

	do {
		memcpy(w, v, sizeof(w));
		for (w[g] = 0; w[g] < guards[g].values; w[g]++) {
			struct result a = ask(source, state, type, v), b = ask(source, state, type, w);

			if (!same(&a, v, &b, w))
				return true;
		}
	} while (next(v, NULL));
	return false;
}

static const char *state_name(bool source, int state)
{
	return source ? ctm_ho_source_state_name(state) : ctm_ho_dest_state_name(state);
}

/* a name as Promela has it */
static const char *word(const char *prefix, const char *name)
{
	static char buf[4][64];
	static int i;
	char *to = buf[i++ % 4], *p = to;

	while (*prefix)
		*p++ = *prefix++;
	for (; *name; name++)
		*p++ = *name == '-' ? '_' : toupper((unsigned char)*name);
	*p = 0;
	return to;
}

static void print_promela(bool source, int state, int type, const int *v, const bool *used,
			  const struct result *r)
{
	unsigned int i;
	int g;

	printf("\t:: (%c_state == %s && ev == %s", source ? 's' : 'd',
	       word(source ? "S_" : "D_", state_name(source, state)),
	       word("E_", ctm_ho_event_name(type)));
	for (g = 0; g < GUARDS; g++) {
		if (!used[g])
			continue;
		if (g == OUTCOME)
			printf(" && outcome == %s", word("O_", outcomes[v[g]]));
		else
			printf(" && %s%s", v[g] ? "" : "!", guards[g].name);
	}
	printf(") ->\n\t\t%c_state = %s;", source ? 's' : 'd',
	       word(source ? "S_" : "D_", state_name(source, r->state)));
	if (source && r->frozen != v[FROZEN])
		printf(" frozen = %d;", r->frozen);
	if (source && r->consented != v[CONSENTED])
		printf(" consented = %d;", r->consented);
	if (!source && r->recovered != v[RECOVERED])
		printf(" recovered = %d;", r->recovered);
	for (i = 0; i < r->out.n; i++)
		printf("%s%s", i ? " | " : " acts = ", word("A_", ctm_ho_action_name(r->out.list[i])));
	printf("\n");
}

static void print_text(bool source, int state, int type, const int *v, const bool *used,
		       const struct result *r)
{
	unsigned int i;
	int g;

	printf("%s %s %s", source ? "source" : "dest", state_name(source, state),
	       ctm_ho_event_name(type));
	for (g = 0; g < GUARDS; g++)
		if (used[g] && g == OUTCOME)
			printf(" %s", outcomes[v[g]]);
		else if (used[g])
			printf(" %s%s", v[g] ? "" : "not-", guards[g].name);
	printf(" -> %s", state_name(source, r->state));
	if (r->frozen != v[FROZEN])
		printf(" %sfrozen", r->frozen ? "" : "not-");
	if (r->consented != v[CONSENTED])
		printf(" %sconsented", r->consented ? "" : "not-");
	if (r->recovered != v[RECOVERED])
		printf(" recovered");
	printf(":");
	for (i = 0; i < r->out.n; i++)
		printf(" %s", ctm_ho_action_name(r->out.list[i]));
	printf("\n");
}

/* flags that are no guards here get the value that shows a change, if there is one */
static struct result ask_loud(bool source, int state, int type, int *v, const bool *used)
{
	static const enum guard flags[] = { FROZEN, CONSENTED, RECOVERED };
	struct result r;
	unsigned int i;

	for (i = 0; i < 3; i++)
		if (!used[flags[i]])
			v[flags[i]] = 0;
	r = ask(source, state, type, v);
	for (i = 0; i < 3; i++) {
		if (used[flags[i]] || (flags[i] == RECOVERED) == source)
			continue;
		v[flags[i]] = 1;
		r = ask(source, state, type, v);
		if (!(flags[i] == FROZEN ? r.frozen : flags[i] == CONSENTED ? r.consented : r.recovered))
			continue;	/* cleared */
		v[flags[i]] = 0;
		r = ask(source, state, type, v);
	}
	return r;
}

static void cell(bool source, int state, int type)
{
	bool used[GUARDS];
	int v[GUARDS] = { 0 };
	int g;

	for (g = 0; g < GUARDS; g++)
		used[g] = matters(source, state, type, g);
	do {
		struct result r = ask_loud(source, state, type, v, used);

		if (nothing(&r, state, v))
			continue;
		if (promela)
			print_promela(source, state, type, v, used, &r);
		else
			print_text(source, state, type, v, used, &r);
	} while (next(v, used));
}

/* states in which a clock runs: what the steps that enter them say; all have to agree */
static void timers(bool source)
{
	int state, type, max = source ? CTM_HO_SRC_MAX : CTM_HO_DST_MAX;
	int timed[16];

	memset(timed, -1, sizeof(timed));
	for (state = 0; state < max; state++)
		for (type = 0; type < CTM_HO_EV_MAX; type++) {
			int v[GUARDS] = { 0 };

			do {
				struct result r = ask(source, state, type, v);

				if (r.state == state)
					continue;
				if (timed[r.state] >= 0 && timed[r.state] != r.timed) {
					fprintf(stderr, "%s is entered with and without a deadline\n",
						state_name(source, r.state));
					exit(1);
				}
				timed[r.state] = r.timed;
			} while (next(v, NULL));
		}
	for (state = 0; state < max; state++) {
		if (timed[state] != 1)
			continue;
		if (promela)
			printf(" || %c_state == %s", source ? 's' : 'd',
			       word(source ? "S_" : "D_", state_name(source, state)));
		else
			printf("%s %s waits with a deadline\n", source ? "source" : "dest",
			       state_name(source, state));
	}
}

static void machine(bool source)
{
	int state, type, max = source ? CTM_HO_SRC_MAX : CTM_HO_DST_MAX;

	if (promela)
		printf("inline %s_step()\n{\n\tif\n", source ? "source" : "dest");
	for (state = 0; state < max; state++)
		for (type = 0; type < CTM_HO_EV_MAX; type++)
			cell(source, state, type);
	if (promela)
		printf("\t:: else -> skip\n\tfi\n}\n#define %s_TIMED (false", source ? "SOURCE" : "DEST");
	timers(source);
	if (promela)
		printf(")\n\n");
}

static void numbers(void)
{
	int i;

	for (i = 0; i < CTM_HO_SRC_MAX; i++)
		printf("#define %s %d\n", word("S_", ctm_ho_source_state_name(i)), i);
	for (i = 0; i < CTM_HO_DST_MAX; i++)
		printf("#define %s %d\n", word("D_", ctm_ho_dest_state_name(i)), i);
	for (i = 0; i < CTM_HO_EV_MAX; i++)
		printf("#define %s %d\n", word("E_", ctm_ho_event_name(i)), i);
	for (i = 0; i < CTM_HO_OUTCOME_MAX; i++)
		printf("#define %s %d\n", word("O_", outcomes[i]), i);
	for (i = 1; i < CTM_HO_ACTION_MAX; i++)
		printf("#define %s %u\n", word("A_", ctm_ho_action_name(i)), 1u << i);
	printf("#define SILENT %d\n\n", CTM_HO_SILENT);
}

int main(int argc, char **argv)
{
	promela = argc > 1 && !strcmp(argv[1], "-p");
	if (promela)
		numbers();
	machine(true);
	machine(false);
	return 0;
}
