// SPDX-License-Identifier: GPL-2.0
/*
 * top_view.c - continuumctl top, on a canvas of any size
 *
 * From above: a title, nodes, processes, events, keys.  Columns that do not fit are
 * left out, the least important first.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "top.h"

/* ---- columns ---- */

/* @rank: 0 is always there; the highest goes first.  @most: what it may grow to. */
struct column {
	const char *head;
	bool right;
	int width, most, rank;
	int at;			/* where it is, or -1; by place() */
};

static int widths(const struct column *columns, int count)
{
	int sum = -1;

	for (int i = 0; i < count; i++)
		if (columns[i].at >= 0)
			sum += columns[i].width + 1;
	return sum;
}

static void drop_one(struct column *columns, int count)
{
	struct column *worst = NULL;

	for (int i = 0; i < count; i++)
		if (columns[i].at >= 0 && (!worst || columns[i].rank > worst->rank))
			worst = &columns[i];
	if (worst)
		worst->at = -1;
}

static int present(const struct column *columns, int count)
{
	int n = 0;

	for (int i = 0; i < count; i++)
		n += columns[i].at >= 0;
	return n;
}

/* Which columns there are in @cols, how wide, and where. */
static void place(struct column *columns, int count, int cols)
{
	int at = 0;

	for (int i = 0; i < count; i++)
		columns[i].at = 0;
	while (widths(columns, count) > cols && present(columns, count) > 1)
		drop_one(columns, count);
	for (int i = 0; i < count; i++) {
		int room = cols - widths(columns, count);
		int grow = columns[i].most - columns[i].width;

		if (columns[i].at >= 0 && room > 0 && grow > 0)
			columns[i].width += grow < room ? grow : room;
	}
	for (int i = 0; i < count; i++) {
		if (columns[i].at < 0)
			continue;
		columns[i].at = at;
		at += columns[i].width + 1;
	}
}

static void put(struct canvas *c, int row, const struct column *column, enum tone tone, const char *text)
{
	if (column->at < 0)
		return;
	if (column->right)
		canvas_right(c, row, column->at, column->width, tone, text);
	else
		canvas_text(c, row, column->at, column->width, tone, text);
}

static void put_heads(struct canvas *c, int row, const struct column *columns, int count, int sorted)
{
	canvas_text(c, row, 0, c->cols, TONE_HEAD, "");
	for (int i = 0; i < count; i++)
		put(c, row, &columns[i], TONE_HEAD, columns[i].head);
	if (sorted >= 0 && columns[sorted].at >= 0)
		for (int i = 0; i < columns[sorted].width; i++) {
			int col = columns[sorted].at + i;

			if (col < c->cols && c->cells[row * c->cols + col].ch != L' ')
				c->cells[row * c->cols + col].tone = TONE_BOLD;
		}
}

static int longest(int least, int most, int length)
{
	if (length > most)
		return most;
	return length > least ? length : least;
}

/* ---- title ---- */

static void draw_title(const struct top *top, struct canvas *c)
{
	const bool warn = top->node.up && strcmp(top->node.mode, "normal");
	char text[256], clock[16];
	struct tm tm;

	strftime(clock, sizeof(clock), "%T", localtime_r(&top->now, &tm));
	if (top->trouble[0])
		snprintf(text, sizeof(text), "continuum");
	else
		snprintf(text, sizeof(text), "%s  %u node%s  %zu process%s%s%s", top->node.cluster,
			 top->node.peers, top->node.peers == 1 ? "" : "s", top->process_count,
			 top->process_count == 1 ? "" : "es", warn ? "  " : "", warn ? top->node.mode : "");
	canvas_text(c, 0, 0, c->cols, warn ? TONE_WARM : TONE_BOLD, text);
	if ((int)strlen(text) + 10 <= c->cols)
		canvas_text(c, 0, c->cols - 8, 8, TONE_PLAIN, clock);
}

/* ---- nodes ---- */

enum { N_NAME, N_BAR, N_PRESSURE, N_HISTORY, N_CPU, N_MEM, N_RUN, N_PROCS, N_FREE, N_COLUMNS };

static enum tone pressure_tone(const struct top *top, uint32_t pressure)
{
	if (pressure >= top->node.t_high)
		return TONE_BAD;
	return pressure >= top->node.t_low ? TONE_WARM : TONE_GOOD;
}

static void draw_bar(const struct top *top, struct canvas *c, int row, const struct column *column,
		     uint32_t pressure)
{
	int inner = column->width - 2;
	int full = (int)(((uint64_t)pressure * (uint64_t)(inner > 0 ? inner : 0) + TOP_PRESSURE / 2) / TOP_PRESSURE);

	if (column->at < 0 || inner < 1)
		return;
	canvas_cell(c, row, column->at, TONE_BOLD, L'[');
	for (int i = 0; i < inner; i++)
		canvas_cell(c, row, column->at + 1 + i, pressure_tone(top, pressure),
			    i < full ? L'|' : L' ');
	canvas_cell(c, row, column->at + 1 + inner, TONE_BOLD, L']');
}

/* The newest sample is on the right. */
static void draw_history(const struct top *top, struct canvas *c, int row, const struct column *column,
			 const struct top_node *node)
{
	static const wchar_t blocks[] = L"▁▂▃▄▅▆▇█", ascii[] = L"_.:-=+*#";
	unsigned int count = node->samples < TOP_HISTORY ? node->samples : TOP_HISTORY;

	for (unsigned int i = 0; column->at >= 0 && i < count && (int)i < column->width; i++) {
		uint32_t pressure = node->history[(node->samples - 1 - i) % TOP_HISTORY];
		uint32_t level = (uint32_t)((uint64_t)pressure * 8 / (TOP_PRESSURE + 1));

		canvas_cell(c, row, column->at + column->width - 1 - (int)i, pressure_tone(top, pressure),
			    (top->utf8 ? blocks : ascii)[level < 8 ? level : 7]);
	}
}

static void put_number(struct canvas *c, int row, const struct column *column, const char *format,
		       double value)
{
	char text[32];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), format, value);
#pragma GCC diagnostic pop
	put(c, row, column, TONE_PLAIN, text);
}

static void draw_absent(struct canvas *c, int row, const struct column *columns, const struct top_node *node)
{
	char text[64], age[16];

	snprintf(text, sizeof(text), "%s, heard %s ago", peer_state_text(node->state),
		 age_text(node->age_ms, age));
	if (columns[N_BAR].at >= 0)
		canvas_text(c, row, columns[N_BAR].at, c->cols - columns[N_BAR].at,
			    node->state == CTM_NL_PEER_LEFT ? TONE_DIM : TONE_BAD, text);
}

static void draw_node(const struct top *top, struct canvas *c, int row, const struct column *columns,
		      const struct top_node *node)
{
	char text[CTM_NAME_MAX];

	put(c, row, &columns[N_NAME], node->self ? TONE_BOLD : TONE_PLAIN,
	    node_text(node->name, node->id, text));
	if (node->state != CTM_NL_PEER_ALIVE) {
		draw_absent(c, row, columns, node);
		return;
	}
	draw_bar(top, c, row, &columns[N_BAR], node->load.pressure);
	draw_history(top, c, row, &columns[N_HISTORY], node);
	put_number(c, row, &columns[N_PRESSURE], "%.0f", node->load.pressure / 1e3);
	put_number(c, row, &columns[N_CPU], "%.0f", node->load.cpu / 1e3);
	put_number(c, row, &columns[N_MEM], "%.0f", node->load.mem / 1e3);
	put_number(c, row, &columns[N_RUN], "%.1f", node->load.runnable / 1e3);
	put_number(c, row, &columns[N_PROCS], "%.0f", node->load.processes);
	put(c, row, &columns[N_FREE], TONE_PLAIN,
	    node->accepting ? size_text((uint64_t)node->load.free_mib << 20, text) : "closed");
}

/* Trouble first, then the hottest: what is shown when not all can be. */
static int by_heat(const void *a, const void *b)
{
	const struct top_node *x = *(const struct top_node *const *)a, *y = *(const struct top_node *const *)b;

	if (x->state != y->state && (x->state == CTM_NL_PEER_SUSPECT || y->state == CTM_NL_PEER_SUSPECT))
		return x->state == CTM_NL_PEER_SUSPECT ? -1 : 1;
	if (x->state != y->state)
		return x->state < y->state ? -1 : 1;
	return (x->load.pressure < y->load.pressure) - (x->load.pressure > y->load.pressure);
}

static int name_width(const struct top *top)
{
	int width = 4;

	for (size_t i = 0; i < top->node_count; i++)
		width = longest(width, 16, (int)strlen(top->nodes[i].name));
	return width;
}

static void draw_nodes(const struct top *top, struct canvas *c, int row, int rows)
{
	struct column columns[N_COLUMNS] = {
		[N_NAME]	= { "NODE", false, name_width(top), 0, 0, 0 },
		[N_BAR]		= { "PRESSURE", false, 8, 22, 1, 0 },
		[N_PRESSURE]	= { "", true, 3, 0, 2, 0 },
		[N_HISTORY]	= { "HISTORY", false, 8, (int)TOP_HISTORY, 4, 0 },
		[N_CPU]		= { "CPU%", true, 4, 0, 3, 0 },
		[N_MEM]		= { "MEM%", true, 4, 0, 5, 0 },
		[N_RUN]		= { "RUN", true, 4, 0, 7, 0 },
		[N_PROCS]	= { "PROCS", true, 5, 0, 6, 0 },
		[N_FREE]	= { "FREE", true, 6, 0, 8, 0 },
	};
	const struct top_node **order = calloc(top->node_count + 1, sizeof(*order));
	size_t shown = (size_t)(rows - 1);
	char text[64];

	if (!order)
		return;
	place(columns, N_COLUMNS, c->cols);
	put_heads(c, row, columns, N_COLUMNS, -1);
	for (size_t i = 0; i < top->node_count; i++)
		order[i] = &top->nodes[i];
	if (top->node_count > shown) {
		qsort(order, top->node_count, sizeof(*order), by_heat);
		if (shown > 2) {
			shown--;
			snprintf(text, sizeof(text), "and %zu more", top->node_count - shown);
			canvas_text(c, row + rows - 1, 0, c->cols, TONE_DIM, text);
		}
	}
	for (size_t i = 0; i < shown && i < top->node_count; i++)
		draw_node(top, c, row + 1 + (int)i, columns, order[i]);
	free(order);
}

/* ---- processes ---- */

enum { P_GPID, P_USER, P_STATE, P_HOST, P_HOPS, P_CPU, P_TIME, P_MEMORY, P_COMMAND, P_COLUMNS };

static int order_of(uint64_t x, uint64_t y)
{
	return (x < y) - (x > y);		/* the greatest first */
}

static int compare_processes(const void *a, const void *b, void *data)
{
	const struct top_process *x = a, *y = b;
	const struct top *top = data;
	int by = 0;

	switch (top->sort) {
	case SORT_CPU:
		by = order_of(x->permille, y->permille);
		break;
	case SORT_MEMORY:
		by = order_of(x->info.rss, y->info.rss);
		break;
	case SORT_TIME:
		by = order_of(x->info.cpu_ns, y->info.cpu_ns);
		break;
	case SORT_HOPS:
		by = order_of(x->info.hops, y->info.hops);
		break;
	case SORT_HOST:
		by = strverscmp(x->info.host_name, y->info.host_name);
		break;
	case SORT_GPID:
	case SORTS:
		break;
	}
	if (!by)
		by = strverscmp(x->info.home_name, y->info.home_name);
	if (!by)
		by = order_of(y->info.gpid, x->info.gpid);
	return top->reverse ? -by : by;
}

static const char *user_text(uint32_t uid, char text[16])
{
	static uint32_t last = UINT32_MAX;	/* most belong to the same; getpwuid() reads files */
	static char name[16];

	if (uid != last || !*name) {
		const struct passwd *user = getpwuid(uid);

		if (user && strlen(user->pw_name) < sizeof(name))
			strcpy(name, user->pw_name);
		else
			snprintf(name, sizeof(name), "%u", uid);
		last = uid;
	}
	return strcpy(text, name);
}

static enum tone state_tone(uint32_t state)
{
	switch (state) {
	case CTM_STATE_MOVING:
		return TONE_WARM;
	case CTM_STATE_LIMBO:
		return TONE_BAD;
	case CTM_STATE_SUSPENDED:
		return TONE_DIM;
	default:
		return TONE_PLAIN;
	}
}

static void draw_process(struct canvas *c, int row, const struct column *columns,
			 const struct top_process *p)
{
	const struct ctm_info *i = &p->info;
	char text[CONTINUUM_GPID_MAX];

	put(c, row, &columns[P_GPID], TONE_PLAIN, gpid_text(i, text));
	put(c, row, &columns[P_USER], TONE_PLAIN, user_text(i->uid, text));
	put(c, row, &columns[P_STATE], state_tone(i->state), process_state_text(i->state));
	put(c, row, &columns[P_HOST], i->host == i->home ? TONE_PLAIN : TONE_BOLD,
	    node_text(i->host_name, i->host, text));
	put_number(c, row, &columns[P_HOPS], "%.0f", i->hops);
	put_number(c, row, &columns[P_CPU], p->permille < 10000 ? "%.1f" : "%.0f", p->permille / 10.0);
	put(c, row, &columns[P_TIME], TONE_PLAIN, cpu_text(i->cpu_ns, text));
	put(c, row, &columns[P_MEMORY], TONE_PLAIN, size_text(i->rss, text));
	put(c, row, &columns[P_COMMAND], TONE_PLAIN, i->comm);
}

static int gpid_width(const struct top *top)
{
	char text[CONTINUUM_GPID_MAX];
	int width = 4;

	for (size_t i = 0; i < top->process_count && width < 18; i++)
		width = longest(width, 18, (int)strlen(gpid_text(&top->processes[i].info, text)));
	return width;
}

static void draw_processes(struct top *top, struct canvas *c, int row, int rows)
{
	static const int sorted[SORTS] = {
		[SORT_CPU] = P_CPU, [SORT_MEMORY] = P_MEMORY, [SORT_TIME] = P_TIME,
		[SORT_GPID] = P_GPID, [SORT_HOST] = P_HOST, [SORT_HOPS] = P_HOPS,
	};
	struct column columns[P_COLUMNS] = {
		[P_GPID]	= { "GPID", false, gpid_width(top), 0, 0, 0 },
		[P_USER]	= { "USER", false, 8, 0, 5, 0 },
		[P_STATE]	= { "STATE", false, 9, 0, 4, 0 },
		[P_HOST]	= { "HOST", false, name_width(top), 0, 1, 0 },
		[P_HOPS]	= { "HOPS", true, 4, 0, 8, 0 },
		[P_CPU]		= { "CPU%", true, 5, 0, 2, 0 },
		[P_TIME]	= { "CPU", true, 7, 0, 7, 0 },
		[P_MEMORY]	= { "RSS", true, 5, 0, 6, 0 },
		[P_COMMAND]	= { "COMMAND", false, 7, 64, 3, 0 },
	};
	size_t last;

	top->page = rows - 1;
	last = top->process_count > (size_t)top->page ? top->process_count - (size_t)top->page : 0;
	if (top->first > last)
		top->first = last;
	place(columns, P_COLUMNS, c->cols);
	put_heads(c, row, columns, P_COLUMNS, sorted[top->sort]);
	if (top->process_count)
		qsort_r(top->processes, top->process_count, sizeof(*top->processes), compare_processes, top);
	for (int i = 0; i < top->page && top->first + (size_t)i < top->process_count; i++)
		draw_process(c, row + 1 + i, columns, &top->processes[top->first + (size_t)i]);
	if (!top->process_count && rows > 1)
		canvas_text(c, row + 1, 0, c->cols, TONE_DIM, "no processes (continuumctl run)");
}

/* ---- events ---- */

static enum tone event_tone(uint32_t type)
{
	switch (type) {
	case CTM_NL_EV_PROCESS_MOVED:
	case CTM_NL_EV_PEER_ALIVE:
		return TONE_GOOD;
	case CTM_NL_EV_PEER_SUSPECT:
	case CTM_NL_EV_PROCESS_BUDGET:
		return TONE_WARM;
	case CTM_NL_EV_PROCESS_FAILED:
	case CTM_NL_EV_PEER_DEAD:
	case EVENT_MISSED:
		return TONE_BAD;
	default:
		return TONE_PLAIN;
	}
}

static void draw_event(struct canvas *c, int row, const struct column *columns, const struct top_event *event)
{
	char clock[16], kind[16];
	struct tm tm;

	strftime(clock, sizeof(clock), "%T", localtime_r(&event->at, &tm));
	put(c, row, &columns[0], TONE_DIM, clock);
	put(c, row, &columns[1], event_tone(event->type), event_kind(event->type, kind));
	put(c, row, &columns[2], TONE_PLAIN, event->subject);
	put(c, row, &columns[3], TONE_PLAIN, event->detail);
}

/* The newest is the lowest, as in a log. */
static void draw_events(const struct top *top, struct canvas *c, int row, int rows)
{
	struct column columns[] = {
		{ "EVENTS", false, 8, 0, 3, 0 },
		{ "", false, 7, 0, 1, 0 },
		{ "", false, gpid_width(top), 0, 0, 0 },
		{ "", false, 8, 256, 2, 0 },
	};
	unsigned int count = top->events < TOP_EVENTS ? top->events : TOP_EVENTS;

	if (count > (unsigned int)(rows - 1))
		count = (unsigned int)(rows - 1);
	for (unsigned int i = 0; i < count; i++) {
		int length = (int)strlen(top->event[(top->events - count + i) % TOP_EVENTS].subject);

		columns[2].width = longest(columns[2].width, 18, length);
	}
	place(columns, 4, c->cols);
	put_heads(c, row, columns, 4, -1);
	canvas_text(c, row, 0, 6, TONE_HEAD, "EVENTS");
	for (unsigned int i = 0; i < count; i++)
		draw_event(c, row + 1 + (int)i, columns,
			   &top->event[(top->events - count + i) % TOP_EVENTS]);
}

/* ---- keys ---- */

static void draw_keys(const struct top *top, struct canvas *c, int row)
{
	static const struct { const char *text; int sort; } keys[] = {
		{ "q quit", -1 }, { "r reverse", -1 }, { "sort:", -1 }, { "c cpu", SORT_CPU },
		{ "m memory", SORT_MEMORY }, { "t time", SORT_TIME }, { "g gpid", SORT_GPID },
		{ "h host", SORT_HOST }, { "o hops", SORT_HOPS },
	};
	int at = 0;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		int width = (int)strlen(keys[i].text);

		if (at + width > c->cols)
			break;
		canvas_text(c, row, at, width, keys[i].sort == (int)top->sort ? TONE_BOLD : TONE_DIM,
			    keys[i].text);
		at += width + 2;
	}
}

/* ---- all of it ---- */

/* A long text over several rows, broken anywhere. */
static void draw_trouble(struct canvas *c, int row, const char *text)
{
	while (*text && row < c->rows && c->cols > 0) {
		int length = (int)strlen(text);

		if (length > c->cols)
			length = c->cols;
		canvas_text(c, row++, 0, c->cols, TONE_BAD, (char [512]){ 0 });
		for (int i = 0; i < length; i++)
			canvas_cell(c, row - 1, i, TONE_BAD, text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?');
		text += length;
	}
}

static int at_most(int value, int limit)
{
	return value < limit ? value : limit;
}

void top_draw(struct top *top, struct canvas *c)
{
	int room = c->rows - 2;			/* without title and keys */
	int blank = c->rows >= 24;		/* between the parts */
	int nodes, events;

	if (c->rows < 1 || c->cols < 1)
		return;
	draw_title(top, c);
	if (c->rows > 2)
		draw_keys(top, c, c->rows - 1);
	if (top->trouble[0]) {
		draw_trouble(c, at_most(2, c->rows - 1), top->trouble);
		return;
	}
	if (room < 2)
		return;
	events = c->rows < 14 ? 0 : at_most(9, room / 4);
	nodes = at_most(1 + at_most((int)top->node_count, 1000), room < 4 ? room : room < 6 ? 2 : room / 3);
	draw_nodes(top, c, 1, nodes);
	room -= nodes + events + 2 * blank;
	if (room >= 2)
		draw_processes(top, c, 1 + nodes + blank, room);
	if (events)
		draw_events(top, c, c->rows - 1 - events, events);
}
