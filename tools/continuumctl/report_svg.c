// SPDX-License-Identifier: GPL-2.0
/*
 * report_svg.c - the picture: a band for each node, its load above, its processes below
 *
 * A process keeps its lane and its colour wherever it is, so that a move is a line from a
 * band to the same place in another one. Nothing is fetched from elsewhere, no script.
 */
#include <string.h>
#include <time.h>

#include "report.h"

#define WIDTH		1200
#define LEFT		110
#define RIGHT		30
#define TOP		64
#define LOAD_HEIGHT	56
#define LANE_HEIGHT	14
#define LANES_PAD	12
#define BAND_GAP	14
#define LEGEND		66
#define PRESSURE_MAX	300.0

/* Told apart by people who do not tell red from green (Okabe and Ito's, without yellow). */
static const char *const colours[] = {
	"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#5b4a9c", "#7a5c1e",
};

struct view {
	const struct report *r;
	FILE *to;
	int order[64];			/* nodes by name; more are left out */
	int place[64];			/* of a node, or -1 */
	int shown, lanes, band;
	int64_t span;
};

static double smaller(double a, double b)
{
	return a < b ? a : b;
}

static double larger(double a, double b)
{
	return a > b ? a : b;
}

static void put_text(FILE *to, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<': fputs("&lt;", to); break;
		case '>': fputs("&gt;", to); break;
		case '&': fputs("&amp;", to); break;
		case '"': fputs("&quot;", to); break;
		default: fputc((unsigned char)*text < ' ' ? ' ' : *text, to);
		}
	}
}

static double x_of(const struct view *v, int64_t ms)
{
	return LEFT + (double)(ms - v->r->from) * (WIDTH - LEFT - RIGHT) / (double)v->span;
}

static double band_y(const struct view *v, int node)
{
	return TOP + v->place[node] * (v->band + BAND_GAP);
}

static double lane_y(const struct view *v, int node, int lane)
{
	return band_y(v, node) + LOAD_HEIGHT + LANES_PAD + (lane + 0.5) * LANE_HEIGHT;
}

static const char *colour_of(int process)
{
	return colours[(unsigned int)process % (sizeof(colours) / sizeof(colours[0]))];
}

static bool is_shown(const struct view *v, int node)
{
	return node >= 0 && node < 64 && v->place[node] >= 0;
}

/* ---- nodes ---- */

static void draw_gap(const struct view *v, const struct report_gap *gap)
{
	double x = x_of(v, gap->from), to = x_of(v, gap->until);

	if (!is_shown(v, gap->node))
		return;
	fprintf(v->to, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" fill=\"url(#gone)\"><title>",
		x, band_y(v, gap->node), larger(to - x, 1), v->band);
	put_text(v->to, v->r->nodes[gap->node].name);
	fputs(" is not there</title></rect>\n", v->to);
}

static void draw_load(const struct view *v, int node)
{
	const struct report_node *n = &v->r->nodes[node];
	double bottom = band_y(v, node) + LOAD_HEIGHT, x = LEFT;

	if (!n->count) {
		fprintf(v->to, "<text class=\"dim\" x=\"%d\" y=\"%.1f\">no samples of its load</text>\n",
			LEFT + 6, bottom - 6);
		return;
	}
	fprintf(v->to, "<path class=\"load\" d=\"M%.1f %.1f", x_of(v, n->samples[0].ms), bottom);
	for (size_t i = 0; i < n->count; i++) {
		x = x_of(v, n->samples[i].ms);
		fprintf(v->to, "L%.1f %.1f", x,
			bottom - smaller(n->samples[i].pressure, PRESSURE_MAX) * LOAD_HEIGHT / PRESSURE_MAX);
	}
	fprintf(v->to, "L%.1f %.1fZ\"/>\n<path class=\"cpu\" d=\"", x, bottom);
	for (size_t i = 0; i < n->count; i++)
		fprintf(v->to, "%c%.1f %.1f", i ? 'L' : 'M', x_of(v, n->samples[i].ms),
			bottom - smaller(n->samples[i].cpu, 100) * LOAD_HEIGHT / 100);
	fputs("\"/>\n", v->to);
}

static void draw_node(const struct view *v, int node)
{
	double y = band_y(v, node);

	fprintf(v->to, "<rect class=\"band\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%d\"/>\n", LEFT, y,
		WIDTH - LEFT - RIGHT, v->band);
	fprintf(v->to, "<text class=\"node\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">", LEFT - 12, y + 18);
	fprintf(v->to, strlen(v->r->nodes[node].name) > 12 ? "%.9s\u2026" : "%s", v->r->nodes[node].name);
	fputs("<title>", v->to);
	put_text(v->to, v->r->nodes[node].name);
	fputs("</title></text>\n", v->to);
	draw_load(v, node);
	fprintf(v->to, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>\n", LEFT,
		WIDTH - RIGHT, y + LOAD_HEIGHT, y + LOAD_HEIGHT);
}

/* ---- time ---- */

static void draw_axis(const struct view *v, int height)
{
	static const int steps[] = { 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400 };
	int64_t step = steps[sizeof(steps) / sizeof(steps[0]) - 1];
	char text[16];
	struct tm tm;

	for (size_t i = sizeof(steps) / sizeof(steps[0]); i--; )
		if (v->span / (steps[i] * 1000ll) <= 12)
			step = steps[i];
	while (v->span / (step * 1000) > 12)
		step *= 2;
	for (int64_t at = (v->r->from / 1000 / step + 1) * step; at * 1000 <= v->r->until; at += step) {
		double x = x_of(v, at * 1000);
		time_t seconds = (time_t)at;

		strftime(text, sizeof(text), step < 60 ? "%H:%M:%S" : "%H:%M", gmtime_r(&seconds, &tm));
		fprintf(v->to, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>\n", x, x,
			TOP - 6, height - LEGEND);
		if (x > LEFT + 24 && x < WIDTH - RIGHT - 24)
			fprintf(v->to, "<text class=\"dim\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
				x, TOP - 11, text);
	}
}

/* ---- processes ---- */

static void draw_stay(const struct view *v, const struct report_stay *stay, const struct report_stay *next)
{
	const struct report_process *p = &v->r->processes[stay->process];
	double y, x = x_of(v, stay->from), to = x_of(v, stay->until);

	if (p->lane < 0 || !is_shown(v, stay->node))
		return;
	y = lane_y(v, stay->node, p->lane);
	fprintf(v->to, "<path class=\"process\" stroke=\"%s\" d=\"M%.1f %.1fH%.1f", colour_of(stay->process),
		x, y, larger(to, x + 1));
	if (next && is_shown(v, next->node))
		fprintf(v->to, "L%.1f %.1f", x_of(v, next->from), lane_y(v, next->node, p->lane));
	fputs("\"><title>", v->to);
	put_text(v->to, p->gpid);
	fputc(' ', v->to);
	put_text(v->to, p->comm);
	fputs(" on ", v->to);
	put_text(v->to, v->r->nodes[stay->node].name);
	fprintf(v->to, ", %.1f s</title></path>\n", (double)(stay->until - stay->from) / 1000);
}

/* Where it is first seen, over the line. */
static void draw_name(const struct view *v, int process, const struct report_stay *stay)
{
	const struct report_process *p = &v->r->processes[process];
	double x = x_of(v, stay->from), y;

	if (p->lane < 0 || !is_shown(v, stay->node))
		return;
	if (x > WIDTH - RIGHT - 110)
		x = WIDTH - RIGHT - 110;
	y = lane_y(v, stay->node, p->lane);
	fprintf(v->to, "<text class=\"name\" x=\"%.1f\" y=\"%.1f\" style=\"fill:%s\">", x + 9, y - 3,
		colour_of(process));
	put_text(v->to, p->gpid);
	fputc(' ', v->to);
	put_text(v->to, p->comm);
	fputs("</text>\n", v->to);
}

static void draw_processes(const struct view *v)
{
	const struct report *r = v->r;

	for (size_t p = 0; p < r->process_count; p++) {
		const struct report_stay *last = NULL;

		for (size_t i = 0; i < r->stay_count; i++) {
			if (r->stays[i].process != (int)p)
				continue;
			if (last)
				draw_stay(v, last, &r->stays[i]);
			last = &r->stays[i];
		}
		if (last)
			draw_stay(v, last, NULL);
	}
	for (size_t p = 0; p < r->process_count; p++)
		for (size_t i = 0; i < r->stay_count; i++)
			if (r->stays[i].process == (int)p) {
				draw_name(v, (int)p, &r->stays[i]);
				break;
			}
}

/* ---- marks ---- */

static void draw_shape(const struct view *v, enum report_mark mark, double x, double y, const char *colour)
{
	switch (mark) {
	case MARK_START:
		fprintf(v->to, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"#fff\" stroke=\"%s\" stroke-width=\"2\">",
			x, y, colour);
		break;
	case MARK_END:
		fprintf(v->to, "<rect x=\"%.1f\" y=\"%.1f\" width=\"7\" height=\"7\" fill=\"%s\">", x - 3.5,
			y - 3.5, colour);
		break;
	case MARK_SIGNAL:
		fprintf(v->to, "<path class=\"signal\" d=\"M%.1f %.1fl4.5 -8h-9z\">", x, y);
		break;
	case MARK_FAILED:
		fprintf(v->to, "<path class=\"failed\" d=\"M%.1f %.1fl8 8m0 -8l-8 8\">", x - 4, y - 4);
		break;
	default:
		fprintf(v->to, "<path class=\"change\" d=\"M%.1f %.1fl5 5l-5 5l-5 -5z\">", x, y);
	}
}

static const char *const shape_ends[] = {
	[MARK_START] = "circle", [MARK_END] = "rect", [MARK_SIGNAL] = "path", [MARK_FAILED] = "path",
	[MARK_NODE] = "path", [MARK_MISSED] = "line",
};

static void draw_mark(const struct view *v, const struct report_event *e, int height)
{
	const char *colour = e->process >= 0 ? colour_of(e->process) : "#444";
	int lane = e->process >= 0 ? v->r->processes[e->process].lane : -1;
	double x = x_of(v, e->ms);

	if (e->mark == MARK_MISSED)
		fprintf(v->to, "<line class=\"missed\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\">", x, x, TOP,
			height - LEGEND);
	else if (!is_shown(v, e->node) || (e->process >= 0 && lane < 0))
		return;
	else
		draw_shape(v, e->mark, x, e->process >= 0 ? lane_y(v, e->node, lane) :
			   band_y(v, e->node) + 3, colour);
	fputs("<title>", v->to);
	if (e->process >= 0)
		put_text(v->to, v->r->processes[e->process].gpid);
	else if (e->node >= 0)
		put_text(v->to, v->r->nodes[e->node].name);
	fputs(": ", v->to);
	put_text(v->to, e->text);
	fprintf(v->to, "</title></%s>\n", shape_ends[e->mark]);
}

static void draw_legend(const struct view *v, int height)
{
	static const struct {
		enum report_mark mark;
		const char *text;
	} shapes[] = {
		{ MARK_START, "started" }, { MARK_END, "ended" }, { MARK_SIGNAL, "signal" },
		{ MARK_FAILED, "failed, or out of budget" }, { MARK_NODE, "node: alive, suspect, dead, left" },
	};
	double x = LEFT + 6, y = height - LEGEND + 28;

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		draw_shape(v, shapes[i].mark, x, shapes[i].mark == MARK_NODE ? y - 5 : shapes[i].mark == MARK_SIGNAL ? y + 4 : y,
			   "#444");
		fprintf(v->to, "</%s><text x=\"%.1f\" y=\"%.1f\">%s</text>\n", shape_ends[shapes[i].mark],
			x + 10, y + 4, shapes[i].text);
		x += 40 + 6.6 * (double)strlen(shapes[i].text);
	}
	y += 22;
	x = LEFT;
	fprintf(v->to, "<rect class=\"load\" x=\"%.1f\" y=\"%.1f\" width=\"14\" height=\"10\"/>"
		"<text x=\"%.1f\" y=\"%.1f\">pressure, 0 to 300</text>\n", x, y - 5, x + 20, y + 4);
	fprintf(v->to, "<path class=\"cpu\" d=\"M%.1f %.1fh16\"/><text x=\"%.1f\" y=\"%.1f\">CPU, 0 to 100 %%</text>\n",
		x + 170, y, x + 192, y + 4);
	fprintf(v->to, "<rect fill=\"url(#gone)\" x=\"%.1f\" y=\"%.1f\" width=\"14\" height=\"10\"/>"
		"<text x=\"%.1f\" y=\"%.1f\">node is not there</text>\n", x + 330, y - 5, x + 350, y + 4);
	fprintf(v->to, "<path class=\"missed\" d=\"M%.1f %.1fv12\"/><text x=\"%.1f\" y=\"%.1f\">events before this are lost</text>\n",
		x + 500, y - 6, x + 512, y + 4);
	if (v->r->laneless)
		fprintf(v->to, "<text x=\"%.1f\" y=\"%.1f\">and %u more processes, for which there was no lane</text>\n",
			x + 700, y + 4, v->r->laneless);
}

/* ---- all of it ---- */

static void arrange(struct view *v)
{
	const struct report *r = v->r;

	for (size_t i = 0; i < r->process_count; i++)
		if (r->processes[i].lane >= v->lanes)
			v->lanes = r->processes[i].lane + 1;
	for (int i = 0; i < 64; i++)
		v->place[i] = -1;
	for (size_t i = 0; i < r->node_count && i < 64; i++) {
		int at = v->shown++;

		for (; at && strverscmp(r->nodes[i].name, r->nodes[v->order[at - 1]].name) < 0; at--)
			v->order[at] = v->order[at - 1];
		v->order[at] = (int)i;
	}
	for (int i = 0; i < v->shown; i++)
		v->place[v->order[i]] = i;
	v->band = LOAD_HEIGHT + 2 * LANES_PAD + (v->lanes ? v->lanes : 1) * LANE_HEIGHT;
	v->span = r->until > r->from ? r->until - r->from : 1;
}

static void draw_head(const struct view *v, int height)
{
	char text[64], end[16];
	time_t from = (time_t)(v->r->from / 1000), until = (time_t)(v->r->until / 1000);
	struct tm tm;

	fprintf(v->to, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n",
		WIDTH, height, WIDTH, height);
	fputs("<style>text{font:12px sans-serif;fill:#222}.title{font-size:17px}.dim{fill:#767676;font-size:11px}"
	      ".node{font-weight:bold;font-size:13px}.name{font-size:10px;font-weight:bold;paint-order:stroke;stroke:#fafafa;stroke-width:2.5px}"
	      ".band{fill:#fafafa;stroke:#bbb}.load{fill:#c9d7e6}.cpu{fill:none;stroke:#5a7da3;stroke-width:1.2}"
	      ".grid{stroke:#e0e0e0}.process{fill:none;stroke-width:2.4;stroke-linejoin:round}"
	      ".signal{fill:#222;stroke:#fff;stroke-width:.8}.failed{fill:none;stroke:#c00000;stroke-width:2.6}"
	      ".change{fill:#fff;stroke:#222;stroke-width:1.5}.missed{stroke:#c00000;stroke-dasharray:4 4}</style>\n"
	      "<defs><pattern id=\"gone\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">"
	      "<rect width=\"8\" height=\"8\" fill=\"#eee\"/><rect width=\"3\" height=\"8\" fill=\"#c8c8c8\"/></pattern></defs>\n", v->to);
	fprintf(v->to, "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", WIDTH, height);
	strftime(text, sizeof(text), "%F %T", gmtime_r(&from, &tm));
	strftime(end, sizeof(end), "%T", gmtime_r(&until, &tm));
	fprintf(v->to, "<text class=\"title\" x=\"%d\" y=\"26\">Continuum: %zu node%s, %zu process%s</text>\n", LEFT,
		v->r->node_count, v->r->node_count == 1 ? "" : "s", v->r->process_count,
		v->r->process_count == 1 ? "" : "es");
	fprintf(v->to, "<text class=\"dim\" x=\"%d\" y=\"26\" text-anchor=\"end\">%s to %s UTC</text>\n",
		WIDTH - RIGHT, text, end);
}

void report_draw(const struct report *report, FILE *to)
{
	struct view v = { .r = report, .to = to };
	int height;

	arrange(&v);
	height = TOP + v.shown * (v.band + BAND_GAP) + LEGEND;
	draw_head(&v, height);
	for (int i = 0; i < v.shown; i++)
		draw_node(&v, v.order[i]);
	for (size_t i = 0; i < report->gap_count; i++)
		draw_gap(&v, &report->gaps[i]);
	draw_axis(&v, height);
	draw_processes(&v);
	for (size_t i = 0; i < report->event_count; i++)
		draw_mark(&v, &report->events[i], height);
	draw_legend(&v, height);
	fputs("</svg>\n", to);
}
