// SPDX-License-Identifier: GPL-2.0
/*
 * unit.c - tests of the tools' pure parts; KTAP on standard output
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../continuumctl/event.h"
#include "../continuumctl/metrics.h"
#include "../continuumctl/nearest.h"
#include "../continuumctl/signals.h"
#include "../continuumctl/top.h"
#include "../continuumctl/tty.h"
#include "../continuumd/config.h"
#include "../continuumd/discover.h"
#include "../continuumd/machine.h"
#include "../continuumd/order.h"
#include "../lib/base64.h"
#include "../lib/blake2s.h"
#include "../lib/cluster.h"
#include "../lib/continuum.h"

static unsigned int failures;	/* in the test under way */

#define expect(condition) do {							\
	if (!(condition)) {							\
		printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition);	\
		failures++;							\
	}									\
} while (0)

static bool splits(const char *text, const char *node, uint32_t sequence)
{
	char found[CTM_NAME_MAX];
	uint32_t number;

	return !continuum_gpid_split(text, found, &number) && !strcmp(found, node) &&
	       number == sequence;
}

static bool splits_not(const char *text)
{
	char found[CTM_NAME_MAX];
	uint32_t number;

	return continuum_gpid_split(text, found, &number) == -EINVAL;
}

static void test_gpid(void)
{
	expect(splits("alpha.17", "alpha", 17));
	expect(splits("a.example.org.4294967295", "a.example.org", UINT32_MAX));
	expect(splits("#1a2b3c4d.1", "#1a2b3c4d", 1));
	expect(splits_not("alpha"));
	expect(splits_not("alpha."));
	expect(splits_not(".17"));
	expect(splits_not("alpha.0"));
	expect(splits_not("alpha.+1"));
	expect(splits_not("alpha. 1"));
	expect(splits_not("alpha.17x"));
	expect(splits_not("alpha.4294967296"));
	expect(splits_not("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.1"));
}

static void test_base64(void)
{
	unsigned char key[32], back[32];
	char text[BASE64_LENGTH(32) + 1];

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (unsigned char)(i * 37 + 200);
	base64_encode(key, sizeof(key), text);
	expect(strlen(text) == 44 && text[43] == '=');
	expect(!base64_decode(text, back, sizeof(back)) && !memcmp(key, back, sizeof(key)));
	text[42]++;				/* bits beyond the last byte */
	expect(base64_decode(text, back, sizeof(back)) == -EINVAL);
	base64_encode((const unsigned char *)"foob", 4, text);
	expect(!strcmp(text, "Zm9vYg=="));
	expect(base64_decode("Zm9v", back, 4) == -EINVAL);
	expect(base64_decode("Zm=v", back, 3) == -EINVAL);
}

static int read_text(const char *text, struct config *config, char *error)
{
	char path[] = "/tmp/continuum-unit-XXXXXX";
	int fd = mkstemp(path);
	int result = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -EIO;

	close(fd);
	if (!result)
		result = config_read(path, config, error, 256);
	unlink(path);
	return result;
}

static void test_config(void)
{
	static struct config c;
	char error[256];

	expect(!read_text("name = n1\n# nothing\n\nseeds = 10.0.0.2, n3:99 # two\n"
			  "port=7200\nallow_root = yes\nencrypt = off\nspare_landers = 5", &c, error));
	expect(!strcmp(c.name, "n1") && c.port == 7200 && c.allow_root && !c.encrypt);
	expect(c.accept && c.spare_landers == 5 && !strcmp(c.cluster, "continuum"));
	expect(c.seed_count == 2 && !strcmp(c.seeds[0], "10.0.0.2") && !strcmp(c.seeds[1], "n3:99"));
	expect(read_text("name = n1\n\nport = 0\n", &c, error) == -EINVAL && strstr(error, ":3: port"));
	expect(read_text("nmae = n1\n", &c, error) == -EINVAL && strstr(error, ":1: unknown key"));
	expect(read_text("name = a/b\n", &c, error) == -EINVAL);
	expect(read_text("name n1\n", &c, error) == -EINVAL);
	expect(read_text("keeper = keeper\n", &c, error) == -EINVAL);
	expect(!read_text("t_high = 150.5\nt_low=20\nvalve = no\nwatchdog_contention = off\n"
			  "drain_seconds = 0\n", &c, error));
	expect(c.t_high == 150500 && c.t_low == 20000 && !c.valve && c.watchdog &&
	       !c.watchdog_contention && !c.drain_seconds);
	expect(read_text("t_high = 301\n", &c, error) == -EINVAL);
	expect(read_text("t_low = -1\n", &c, error) == -EINVAL);
	expect(read_text("t_low = 1e\n", &c, error) == -EINVAL);
	expect(read_text("drain_seconds = 100000\n", &c, error) == -EINVAL);
	expect(!config_read("/nonexistent/continuum.conf", &c, error, sizeof(error)));
}

static void test_machine(void)
{
	unsigned char a[16], b[16];

	expect(!machine_parse("0123456789abcdef0123456789abcdef\n", a));
	expect(!machine_parse("0123456789abcdef0123456789abcdee\n", b));
	expect(memcmp(a, b, 16) && machine_node_id(a) != machine_node_id(b) && machine_node_id(a));
	expect(machine_parse("0123456789abcdef0123456789abcde", a) == -EINVAL);
	expect(machine_parse("0123456789abcdef0123456789abcdeff", a) == -EINVAL);
	expect(machine_parse("uninitialized\n", a) == -EINVAL);
	memset(a, 0, sizeof(a));
	expect(machine_node_id(a) == 1);
}

/* A good one, with two arguments and one variable. */
static struct keeper_start *make_start(size_t *length)
{
	static const char strings[] = "/home\0echo\0hello\0A=b";
	struct keeper_start *start = calloc(1, sizeof(*start) + sizeof(strings));

	start->size = sizeof(*start);
	start->nfds = 1;
	start->argc = 2;
	start->envc = 1;
	start->bytes = sizeof(strings);
	memcpy(start->strings, strings, sizeof(strings));
	*length = sizeof(*start) + sizeof(strings);
	return start;
}

#define expect_order(change, expected) do {				\
	size_t length;							\
	struct keeper_start *s = make_start(&length);			\
									\
	change;								\
	expect(order_check(s, length) == (expected));			\
	free(s);							\
} while (0)

static void test_order(void)
{
	expect_order((void)0, 0);
	expect_order(length--, -EINVAL);
	expect_order(length = sizeof(*s) - 1, -EINVAL);
	expect_order(s->bytes++, -EINVAL);
	expect_order(s->argc = 3, -EINVAL);
	expect_order(s->argc = 0, -EINVAL);
	expect_order(s->envc = UINT32_MAX, -E2BIG);
	expect_order(s->nfds = 251, -EINVAL);
	expect_order(s->fds[0] = -1, -EINVAL);
	expect_order(s->strings[s->bytes - 1] = 'x', -EINVAL);
	expect_order(s->strings[0] = 'x', -EINVAL);
	expect_order(s->nice = 20, -EINVAL);
	expect_order(s->flags = 1u << 31, -EINVAL);
	expect_order(s->tty_fds = 1, -EINVAL);
	expect_order(s->flags = CTM_ADOPT_TTY, -EINVAL);
	expect_order((s->flags = CTM_ADOPT_TTY, s->tty_fds = 7), 0);
}

static void test_signals(void)
{
	expect(signal_parse("TERM") == SIGTERM && signal_parse("sigkill") == SIGKILL);
	expect(signal_parse("9") == 9 && signal_parse("0") == 0 && signal_parse("64") == 64);
	expect(signal_parse("65") == -1 && signal_parse("9x") == -1 && signal_parse("") == -1);
	expect(signal_parse("RTMIN") == SIGRTMIN && signal_parse("SIGRTMIN+3") == SIGRTMIN + 3);
	expect(signal_parse("RTMAX-1") == SIGRTMAX - 1 && signal_parse("RTMAX+1") == -1);
	expect(signal_parse("RTMINx") == -1 && signal_parse("NOSUCH") == -1);
	expect(signal_parse("IOT") == SIGABRT && signal_parse("-1") == -1);
}

static bool filters(struct tty *tty, const char *from, const char *to)
{
	char out[64];
	size_t length = tty_filter(tty, from, strlen(from), out);

	return length == strlen(to) && !memcmp(out, to, length);
}

static void test_filter(void)
{
	struct tty tty = { .own_newlines = true };

	expect(filters(&tty, "a\r\nb\r\n", "a\nb\n"));
	expect(filters(&tty, "a\r\r\n", "a\r\n"));
	expect(filters(&tty, "a\r", "a") && filters(&tty, "\nb", "\nb"));
	expect(filters(&tty, "a\r", "a") && filters(&tty, "b", "\rb"));
	expect(filters(&tty, "50%\r51%", "50%\r51%"));
	tty.own_newlines = false;
	expect(filters(&tty, "a\r\n\r", "a\r\n\r"));
}

static bool prints(const char *text, const char *expected)
{
	struct address address;
	char back[64];

	return !address_parse(text, &address) && !strcmp(address_print(&address, back), expected);
}

static void test_address(void)
{
	struct address address;

	expect(prints("10.1.2.3", "10.1.2.3:7117"));
	expect(prints("10.1.2.3:80", "10.1.2.3:80"));
	expect(prints("::1", "[::1]:7117"));
	expect(prints("[fe80::2]:99", "[fe80::2]:99"));
	expect(address_parse("10.1.2.3:", &address) == -EINVAL);
	expect(address_parse("10.1.2.3:0", &address) == -EINVAL);
	expect(address_parse("10.1.2.3:65536", &address) == -EINVAL);
	expect(address_parse("[::1", &address) == -EINVAL);
	expect(address_parse("", &address) == -EINVAL);
}

static void test_blake2s(void)
{
	/* of 0, 1, 2, ...; keyed with 0 to 31, and not: the first bytes */
	static const struct { size_t length; unsigned char keyed[8], plain[8]; } known[] = {
		{ 0, { 0x48, 0xa8, 0x99, 0x7d, 0xa4, 0x07, 0x87, 0x6b }, { 0x69, 0x21, 0x7a, 0x30, 0x79, 0x90, 0x80, 0x94 } },
		{ 1, { 0x40, 0xd1, 0x5f, 0xee, 0x7c, 0x32, 0x88, 0x30 }, { 0xe3, 0x4d, 0x74, 0xdb, 0xaf, 0x4f, 0xf4, 0xc6 } },
		{ 63, { 0xc6, 0x53, 0x82, 0x51, 0x3f, 0x07, 0x46, 0x0d }, { 0xe5, 0x7c, 0xb7, 0x94, 0x87, 0xdd, 0x57, 0x90 } },
		{ 64, { 0x89, 0x75, 0xb0, 0x57, 0x7f, 0xd3, 0x55, 0x66 }, { 0x56, 0xf3, 0x4e, 0x8b, 0x96, 0x55, 0x7e, 0x90 } },
		{ 65, { 0x21, 0xfe, 0x0c, 0xeb, 0x00, 0x52, 0xbe, 0x7f }, { 0x1b, 0x53, 0xee, 0x94, 0xaa, 0xf3, 0x4e, 0x4b } },
		{ 128, { 0x0c, 0x31, 0x1f, 0x38, 0xc3, 0x5a, 0x4f, 0xb9 }, { 0x1f, 0xa8, 0x77, 0xde, 0x67, 0x25, 0x9d, 0x19 } },
		{ 129, { 0x46, 0xa7, 0x3a, 0x8d, 0xd3, 0xe7, 0x0f, 0x59 }, { 0x5b, 0xd1, 0x69, 0xe6, 0x7c, 0x82, 0xc2, 0xc2 } },
		{ 255, { 0x3f, 0xb7, 0x35, 0x06, 0x1a, 0xbc, 0x51, 0x9d }, { 0xf0, 0x3f, 0x57, 0x89, 0xd3, 0x33, 0x6b, 0x80 } },
	};
	unsigned char key[32], data[256], out[BLAKE2S_BYTES];

	for (unsigned int i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)i;
	memcpy(key, data, sizeof(key));
	for (unsigned int i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		blake2s(out, key, sizeof(key), data, known[i].length);
		expect(!memcmp(out, known[i].keyed, 8));
		blake2s(out, NULL, 0, data, known[i].length);
		expect(!memcmp(out, known[i].plain, 8));
	}
}

static void test_announcement(void)
{
	struct config config = { .cluster = "ours", .port = 7117 }, other = { .cluster = "theirs" };
	unsigned char key[CTM_KEY_LEN] = "key", wrong[CTM_KEY_LEN] = "kex";
	struct announcement a, b, got;
	unsigned char *bytes = (unsigned char *)&b;

	announcement_make(&a, &config, 5, key);
	expect(announcement_check(&a, sizeof(a), &config, key, &got));
	expect(!announcement_check(&a, sizeof(a), &config, wrong, &got));
	expect(!announcement_check(&a, sizeof(a), &other, key, &got));
	expect(!announcement_check(&a, sizeof(a) - 1, &config, key, &got));
	expect(!announcement_check(&a, 0, &config, key, &got));
	for (size_t i = 0; i < 8 * sizeof(a); i++) {
		b = a;
		bytes[i / 8] ^= (unsigned char)(1 << i % 8);
		expect(!announcement_check(&b, sizeof(b), &config, key, &got));
	}
	announcement_make(&a, &config, 0, key);
	expect(!announcement_check(&a, sizeof(a), &config, key, &got));
	config.port = 0;
	announcement_make(&a, &config, 5, key);
	expect(!announcement_check(&a, sizeof(a), &config, key, &got));
}

static const char *meant(const char *word)
{
	static const char *const words[] = { "up", "down", "ps", "peers", "status", "top", "migrate", "set" };
	struct nearest nearest = { .word = word };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		nearest_try(&nearest, words[i]);
	return nearest.best ? nearest.best : "";
}

static void test_nearest(void)
{
	expect(words_apart("", "") == 0 && words_apart("", "abc") == 3 && words_apart("abc", "") == 3);
	expect(words_apart("kitten", "sitting") == 3 && words_apart("sitting", "kitten") == 3);
	expect(words_apart("status", "stauts") == 1 && words_apart("ab", "ba") == 1);
	expect(words_apart("ca", "abc") == 3);		/* no letter is edited twice */
	expect(words_apart("a word that is much longer than all of the table", "ps") == 48);
	expect(!strcmp(meant("stauts"), "status") && !strcmp(meant("migrat"), "migrate"));
	expect(!strcmp(meant("mig"), "migrate") && !strcmp(meant("tpo"), "top"));
	expect(!strcmp(meant("pers"), "peers") && !strcmp(meant("Ps"), "ps"));
	expect(!*meant("xy") && !*meant("frobnicate") && !*meant("") && !*meant("m"));
}

static bool details(uint32_t type, uint32_t node, const char *name, const char *text, const char *wanted)
{
	struct event event = { .type = type, .node = node };
	char detail[EVENT_DETAIL_MAX];

	strcpy(event.node_name, name);
	strcpy(event.text, text);
	return !strcmp(event_detail(&event, detail), wanted);
}

static void test_event(void)
{
	char text[16];

	expect(!strcmp(event_kind(CTM_NL_EV_PROCESS_MOVED, text), "moved"));
	expect(!strcmp(event_kind(CTM_NL_EV_PEER_DEAD, text), "dead"));
	expect(!strcmp(event_kind(4000000000, text), "type 4000000000"));
	expect(details(CTM_NL_EV_PROCESS_MOVED, 7, "beta", "moved", "to beta"));
	expect(details(CTM_NL_EV_PROCESS_FAILED, 7, "beta", "no room", "to beta: no room"));
	expect(details(CTM_NL_EV_PROCESS_FAILED, 0, "", "no such node", "no such node"));
	expect(details(CTM_NL_EV_PROCESS_ENDED, 0x1a2b, "", "ended", "on #00001a2b"));
	expect(details(CTM_NL_EV_PEER_DEAD, 7, "beta", "", ""));
	expect(details(EVENT_MISSED, 0, "", "lost", "lost"));
	expect(details(99, 7, "beta", "news", "news"));
}

/* As text; to be freed. */
static char *metrics_text(const struct metrics *metrics)
{
	size_t length;
	char *text = NULL;
	FILE *to = open_memstream(&text, &length);

	metrics_print(to, metrics);
	fclose(to);
	return text;
}

/* The name of a sample, up to its labels or its value. */
static size_t sample_name(const char *line)
{
	return strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789_");
}

/* Labels, if there are any, then a space and a number that ends the line. */
static bool sample_rest(const char *rest)
{
	char *end;

	if (*rest == '{') {
		do {
			rest++;
			rest += sample_name(rest);
			if (strncmp(rest, "=\"", 2))
				return false;
			for (rest += 2; *rest && *rest != '"' && *rest != '\n'; rest++)
				if (*rest == '\\' && !strchr("\\\"n", *++rest))
					return false;
			if (*rest++ != '"')
				return false;
		} while (*rest == ',');
		if (*rest++ != '}')
			return false;
	}
	if (*rest++ != ' ' || *rest < '0' || *rest > '9')
		return false;
	strtod(rest, &end);
	return *end == '\n';
}

/* Every family once, with its help and type before its samples, which stand together. */
static bool is_exposition(const char *text)
{
	char seen[16384] = "\n", name[128] = "", key[140];

	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		if (!strncmp(line, "# HELP ", 7)) {
			size_t length = sample_name(line + 7);

			snprintf(name, sizeof(name), "%.*s", (int)length, line + 7);
			snprintf(key, sizeof(key), "\n%s\n", name);
			if (line[7 + length] != ' ' || strstr(seen, key))
				return false;
			strcat(seen, key + 1);
			line = strchr(line, '\n') + 1;
			snprintf(key, sizeof(key), "# TYPE %s ", name);
			if (strncmp(line, key, strlen(key)))
				return false;
			line += strlen(key);
			if (strncmp(line, "gauge\n", 6) && strncmp(line, "counter\n", 8))
				return false;
			if ((*line == 'c') != (strlen(name) > 6 && !strcmp(name + strlen(name) - 6, "_total")))
				return false;
			continue;
		}
		if (strncmp(line, name, strlen(name)) || sample_name(line) != strlen(name) ||
		    !sample_rest(line + strlen(name))) {
			printf("# no sample of %s: %.60s\n", name, line);
			return false;
		}
	}
	return true;
}

static bool has_line(const char *text, const char *line)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	return strstr(text, whole);
}

static void test_metrics(void)
{
	struct node node = {
		.up = true, .name = "alpha", .id = 1, .mode = "normal", .peers = 2, .tick = "ftrace",
		.load = { 40500, 81000, 70250, 5375, 1500, 512, 3 }, .ticks = 1ull << 40,
		.counters = { { "handoff_out", 7 }, { "of tomorrow", 1 }, { "tomorrow", 2 } },
		.counter_count = 3,
	};
	struct peer peers[] = {
		{ .name = "beta", .id = 2, .state = CTM_NL_PEER_ALIVE, .age_ms = 1234, .accepting = true },
		{ .id = 0xabcdef01, .state = CTM_NL_PEER_DEAD },
	};
	struct ctm_info processes[] = {
		{ .gpid = CTM_GPID(1, 17), .home = 1, .host = 1, .state = CTM_STATE_RUNNING, .uid = 1000,
		  .home_name = "alpha", .comm = "a\"b\\c\nd\x1b", .cpu_ns = 1500000000, .rss = 4096 },
		{ .gpid = CTM_GPID(1, 18), .home = 1, .host = 2, .state = CTM_STATE_RUNNING },
	};
	struct metrics metrics = {
		.node = &node, .peers = peers, .peer_count = 2, .processes = processes, .process_count = 2,
	};
	char *text = metrics_text(&metrics);

	expect(is_exposition(text));
	expect(has_line(text, "continuum_up 1"));
	expect(has_line(text, "continuum_handoff_out_total 7") && has_line(text, "continuum_tomorrow_total 2"));
	expect(!strstr(text, "of tomorrow"));
	expect(has_line(text, "continuum_ticks_total 1099511627776"));
	expect(has_line(text, "continuum_cpu_busy_ratio 0.70250"));
	expect(has_line(text, "continuum_memory_used_ratio 0.05375"));
	expect(has_line(text, "continuum_memory_available_bytes 536870912"));
	expect(has_line(text, "continuum_mode{mode=\"normal\"} 1") &&
	       has_line(text, "continuum_mode{mode=\"draining\"} 0"));
	expect(has_line(text, "continuum_peers{state=\"dead\"} 1") &&
	       has_line(text, "continuum_peer_up{peer=\"beta\"} 1") &&
	       has_line(text, "continuum_peer_up{peer=\"#abcdef01\"} 0"));
	expect(has_line(text, "continuum_peer_last_heard_seconds{peer=\"beta\"} 1.234"));
	expect(has_line(text, "continuum_processes{state=\"running\"} 1"));
	expect(!strstr(text, "gpid="));
	free(text);

	metrics.each_process = true;
	text = metrics_text(&metrics);
	expect(is_exposition(text));
	expect(has_line(text, "continuum_process_cpu_seconds_total{gpid=\"alpha.17\",uid=\"1000\","
			"comm=\"a\\\"b\\\\c\\nd?\"} 1.500000000"));
	expect(!strstr(text, "alpha.18") && !strstr(text, "#00000001.18"));
	free(text);

	node.up = false;
	text = metrics_text(&metrics);
	expect(is_exposition(text) && has_line(text, "continuum_up 0") && !strstr(text, "peer"));
	free(text);
	metrics.node = NULL;
	text = metrics_text(&metrics);
	expect(is_exposition(text) && has_line(text, "continuum_up 0") && !strstr(text, "_total"));
	free(text);
}

/* ---- top: a cluster that is made up, and its picture ---- */

static struct node make_node(uint32_t peers)
{
	return (struct node){
		.up = true, .name = "alpha", .id = 1, .cluster = "demo", .mode = "normal", .peers = peers,
		.t_high = 180000, .t_low = 100000, .accepting = true,
		.load = { 40000, 120000, 90000, 15000, 1500, 2048, 3 },
	};
}

/* @count peers; the first is hot, the second, if there is one, does not answer. */
static struct list make_peers(size_t count)
{
	struct peer *peers = calloc(count + 1, sizeof(*peers));

	for (size_t i = 0; i < count; i++) {
		peers[i] = (struct peer){
			.id = (uint32_t)i + 2, .state = i == 1 ? CTM_NL_PEER_SUSPECT : CTM_NL_PEER_ALIVE,
			.age_ms = 4200, .accepting = true, .compatible = true,
			.load = { 90000, i ? 30000 : 270000, 99000, 85000, 4000, 128, 12 },
		};
		snprintf(peers[i].name, sizeof(peers[i].name), "beta%zu", i + 1);
	}
	return (struct list){ .items = peers, .count = count };
}

static struct list make_processes(size_t count, uint32_t host, uint64_t cpu_ns)
{
	struct ctm_info *infos = calloc(count + 1, sizeof(*infos));

	for (size_t i = 0; i < count; i++) {
		infos[i] = (struct ctm_info){
			.gpid = CTM_GPID(1, count - i), .home = 1, .host = host, .state = CTM_STATE_RUNNING,
			.pid = 100, .uid = 4000000 + (uint32_t)i, .ttl = 32, .cpu_ns = cpu_ns * (i + 1),
			.rss = (i + 1) << 20, .home_name = "alpha", .comm = "simulate\x1b[2J",
		};
		snprintf(infos[i].host_name, CTM_NAME_MAX, host == 1 ? "alpha" : "beta%u", host - 1);
	}
	return (struct list){ .items = infos, .count = count };
}

/* The next second: @processes on @host, each with 0.1 s more than the one before. */
static void next_sample(struct top *top, size_t peers, size_t processes, uint32_t host, unsigned int second)
{
	struct node node = make_node((uint32_t)peers + 1);
	struct list p = make_peers(peers), q = make_processes(processes, host, 100000000ull * second);

	expect(!top_sample(top, &node, &p, &q, 1000000000ull * second, 1800000000 + second));
	free(p.items);
	free(q.items);
}

/* As lines without the blanks at their ends; to be freed. */
static char *picture(struct top *top, int rows, int cols)
{
	char *text = malloc((size_t)rows * (size_t)(cols + 1) + 1), *to = text;
	struct canvas canvas;

	if (canvas_init(&canvas, rows, cols))
		abort();
	top_draw(top, &canvas);
	for (int row = 0; row < rows; row++) {
		char *begin = to;

		for (int col = 0; col < cols; col++) {
			wchar_t ch = canvas.cells[row * cols + col].ch;

			if (ch < 0x20 || ch > 0x7e || canvas.cells[row * cols + col].tone >= TONES) {
				printf("# %dx%d: character %x\n", rows, cols, (unsigned int)ch);
				failures++;
			}
			*to++ = (char)ch;
		}
		while (to > begin && to[-1] == ' ')
			to--;
		*to++ = '\n';
	}
	*to = '\0';
	canvas_free(&canvas);
	return text;
}

static void expect_picture(struct top *top, int rows, int cols, const char *wanted)
{
	char *text = picture(top, rows, cols);

	if (strcmp(text, wanted)) {
		printf("# %dx%d:\n", rows, cols);
		for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
			printf("# |%.*s\n", (int)(end - line), line);
		failures++;
	}
	free(text);
}

static void test_top_picture(void)
{
	struct top top = { 0 };

	setenv("TZ", "UTC", 1);
	tzset();
	next_sample(&top, 2, 3, 1, 1);
	next_sample(&top, 2, 3, 1, 2);
	next_sample(&top, 2, 3, 2, 3);
	expect_picture(&top, 24, 80,
		       "demo  3 nodes  3 processes                                              08:00:03\n"
		       "NODE  PRESSURE                   HISTORY             CPU% MEM%  RUN PROCS   FREE\n"
		       "alpha [||||||||            ] 120                 ---   90   15  1.5     3   2.0G\n"
		       "beta1 [||||||||||||||||||  ] 270                 ###   99   85  4.0    12   128M\n"
		       "beta2 suspect, heard 4.2s ago\n"
		       "\n"
		       "GPID    USER     STATE     HOST  HOPS  CPU%     CPU   RSS COMMAND\n"
		       "alpha.1 4000002  running   beta1    0  30.0   0.90s  3.0M simulate?[2J\n"
		       "alpha.2 4000001  running   beta1    0  20.0   0.60s  2.0M simulate?[2J\n"
		       "alpha.3 4000000  running   beta1    0  10.0   0.30s  1.0M simulate?[2J\n"
		       "\n"
		       "\n"
		       "\n"
		       "\n"
		       "\n"
		       "\n"
		       "\n"
		       "\n"
		       "EVENTS\n"
		       "08:00:03 moved   alpha.1 alpha -> beta1\n"
		       "08:00:03 moved   alpha.2 alpha -> beta1\n"
		       "08:00:03 moved   alpha.3 alpha -> beta1\n"
		       "\n"
		       "q quit  r reverse  sort:  c cpu  m memory  t time  g gpid  h host  o hops\n");
	expect_picture(&top, 12, 20,
		       "demo  3 nodes  3 pr~\n"
		       "NODE  PRESSURE\n"
		       "beta2 suspect, hear~\n"
		       "beta1 [||||||| ] 270\n"
		       "GPID    HOST   CPU%\n"
		       "alpha.1 beta1  30.0\n"
		       "alpha.2 beta1  20.0\n"
		       "alpha.3 beta1  10.0\n"
		       "\n"
		       "\n"
		       "\n"
		       "q quit  r reverse\n");
	expect_picture(&top, 3, 40,
		       "demo  3 nodes  3 processes      08:00:03\n"
		       "\n"
		       "q quit  r reverse  sort:  c cpu\n");
	expect_picture(&top, 1, 8, "demo  3~\n");
	top_trouble(&top, "the node is not up (continuumctl up)", 1800000004);
	expect_picture(&top, 6, 20,
		       "continuum   08:00:04\n"
		       "\n"
		       "the node is not up (\n"
		       "continuumctl up)\n"
		       "\n"
		       "q quit  r reverse\n");
	top_free(&top);
}

/* Any size, few and many: nothing but printable cells, which picture() looks at. */
static void test_top_sizes(void)
{
	static const struct { size_t peers, processes; } clusters[] = { { 0, 0 }, { 2, 3 }, { 300, 2000 } };

	for (size_t i = 0; i < sizeof(clusters) / sizeof(clusters[0]); i++) {
		struct top top = { 0 };

		for (unsigned int second = 1; second < 4; second++)
			next_sample(&top, clusters[i].peers, clusters[i].processes, second, second);
		for (int rows = 1; rows < 70; rows += rows < 30 ? 1 : 7)
			for (int cols = 1; cols < 300; cols += cols < 100 ? 3 : 31) {
				top_key(&top, "cmtghor"[(rows + cols) % 7]);
				top_key(&top, (int)TOP_UP + cols % 6);
				free(picture(&top, rows, cols));
			}
		top_free(&top);
	}
}

/* The GPIDs that are shown, in order: "1 2 3". */
static const char *order_of(struct top *top, char text[64])
{
	char *lines = picture(top, 24, 80), *line = strstr(lines, "GPID");

	*text = '\0';
	while ((line = strchr(line, '\n')) && !strncmp(line + 1, "alpha.", 6)) {
		unsigned int sequence = (unsigned int)strtoul(line + 7, NULL, 10);

		snprintf(text + strlen(text), 64 - strlen(text), "%s%u", *text ? " " : "", sequence);
		line++;
	}
	free(lines);
	return text;
}

static void test_top_keys(void)
{
	struct top top = { 0 };
	char text[64];

	next_sample(&top, 2, 3, 1, 1);
	next_sample(&top, 2, 3, 1, 2);
	expect(!strcmp(order_of(&top, text), "1 2 3"));		/* by CPU: the first has most */
	expect(top.processes[0].permille == 300 && top.processes[2].permille == 100);
	expect(top_key(&top, 'r') && !strcmp(order_of(&top, text), "3 2 1"));
	expect(top_key(&top, 'g') && !strcmp(order_of(&top, text), "1 2 3"));
	expect(top_key(&top, 'r') && !strcmp(order_of(&top, text), "3 2 1"));
	expect(top_key(&top, 'm') && !strcmp(order_of(&top, text), "1 2 3"));
	expect(top_key(&top, TOP_DOWN) && !strcmp(order_of(&top, text), "1 2 3"));	/* all fit */
	expect(top_key(&top, 0) && top_key(&top, 'x') && !top_key(&top, 'q'));
	top_free(&top);

	top = (struct top){ .sort = SORT_GPID };
	next_sample(&top, 2, 100, 1, 1);
	free(picture(&top, 24, 80));
	expect(top_key(&top, TOP_DOWN) && top.first == 1);
	expect(top_key(&top, TOP_PAGE_DOWN) && top.first == 1 + (size_t)top.page);
	expect(top_key(&top, TOP_END) && top.first == 100 - (size_t)top.page);
	expect(top_key(&top, TOP_PAGE_DOWN) && top.first == 100 - (size_t)top.page);
	expect(top_key(&top, TOP_UP) && top.first == 99 - (size_t)top.page);
	expect(top_key(&top, TOP_HOME) && !top.first);
	top_key(&top, TOP_END);
	next_sample(&top, 2, 2, 1, 2);				/* most have ended */
	expect(!strcmp(order_of(&top, text), "1 2") && !top.first);
	top_free(&top);
}

static bool has_event(const struct top *top, uint32_t type, const char *subject, const char *detail)
{
	for (unsigned int i = 0; i < top->events && i < TOP_EVENTS; i++)
		if (top->event[i].type == type && !strcmp(top->event[i].subject, subject) &&
		    !strcmp(top->event[i].detail, detail))
			return true;
	return false;
}

static void test_top_events(void)
{
	struct event failed = { .type = CTM_NL_EV_PROCESS_FAILED, .gpid = CTM_GPID(1, 2), .node = 2,
				.node_name = "beta1", .text = "no room" };
	struct event moved = { .type = CTM_NL_EV_PROCESS_MOVED, .gpid = CTM_GPID(1, 2), .node = 2 };
	struct top top = { 0 };

	next_sample(&top, 1, 2, 1, 1);
	expect(!top.events);					/* what was there before is no news */
	next_sample(&top, 2, 3, 1, 2);
	expect(top.events == 2 && has_event(&top, CTM_NL_EV_PEER_SUSPECT, "beta2", "") &&
	       has_event(&top, CTM_NL_EV_PROCESS_STARTED, "alpha.3", "on alpha  simulate\x1b[2J"));
	next_sample(&top, 2, 2, 2, 3);
	expect(top.events == 5 && has_event(&top, CTM_NL_EV_PROCESS_MOVED, "alpha.1", "alpha -> beta1"));
	expect(has_event(&top, CTM_NL_EV_PROCESS_ENDED, "alpha.3", "on alpha  simulate\x1b[2J"));
	top_take_event(&top, &moved);				/* the dump has shown it */
	expect(top.events == 5);
	top_take_event(&top, &failed);
	expect(top.events == 6 && has_event(&top, CTM_NL_EV_PROCESS_FAILED, "alpha.2", "to beta1: no room"));
	for (unsigned int i = 0; i < 3 * TOP_EVENTS; i++)
		top_take_event(&top, &failed);
	free(picture(&top, 24, 80));
	top_free(&top);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "gpid", test_gpid },
	{ "base64", test_base64 },
	{ "config", test_config },
	{ "machine", test_machine },
	{ "order", test_order },
	{ "signals", test_signals },
	{ "filter", test_filter },
	{ "address", test_address },
	{ "blake2s", test_blake2s },
	{ "announcement", test_announcement },
	{ "nearest", test_nearest },
	{ "event", test_event },
	{ "metrics", test_metrics },
	{ "picture of top", test_top_picture },
	{ "sizes of top", test_top_sizes },
	{ "keys of top", test_top_keys },
	{ "events of top", test_top_events },
};

int main(void)
{
	const size_t count = sizeof(tests) / sizeof(tests[0]);
	unsigned int failed = 0;

	printf("KTAP version 1\n1..%zu\n", count);
	for (size_t i = 0; i < count; i++) {
		failures = 0;
		tests[i].run();
		printf("%s %zu tools: %s\n", failures ? "not ok" : "ok", i + 1, tests[i].name);
		failed += !!failures;
	}
	return failed ? 1 : 0;
}
