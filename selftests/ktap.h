/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ktap.h - run a table of tests, say how it went in KTAP
 *
 * A test is a function without arguments.  In it, CHECK(condition) notes a
 * failure and goes on, REQUIRE(condition) leaves the test, ktap_skip() declares
 * that it cannot be run here.  main() is KTAP_MAIN(table) and returns what
 * kselftest wants: 0 all right, 1 failures, 4 all skipped.
 */
#ifndef CTM_KTAP_H
#define CTM_KTAP_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct ktap_test {
	const char *name;
	void (*fn)(void);
};

static unsigned int ktap_failures;	/* of the running test */
static char ktap_skipped[256];		/* why, or empty */

__attribute__((format(printf, 1, 2), unused))
static void ktap_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("# ");
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
}

__attribute__((format(printf, 1, 2), unused))
static void ktap_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ktap_skipped, sizeof(ktap_skipped), fmt, ap);
	va_end(ap);
}

#define KTAP_NOTES_MAX	20	/* failures of one test that are shown */

#define CHECK(cond) ktap_check((cond), #cond, __FILE__, __LINE__)
#define REQUIRE(cond) do { if (!CHECK(cond)) return; } while (0)

__attribute__((unused))
static int ktap_check(int ok, const char *what, const char *file, int line)
{
	if (!ok && ++ktap_failures <= KTAP_NOTES_MAX)
		ktap_note("%s:%d: not so: %s", file, line, what);
	return ok;
}

static int ktap_run(const struct ktap_test *t, unsigned int n)
{
	unsigned int i, failed = 0, skipped = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("KTAP version 1\n1..%u\n", n);
	for (i = 0; i < n; i++) {
		ktap_failures = 0;
		ktap_skipped[0] = 0;
		t[i].fn();
		failed += !!ktap_failures;
		skipped += ktap_skipped[0] && !ktap_failures;
		printf("%sok %u %s%s%s\n", ktap_failures ? "not " : "", i + 1, t[i].name,
		       ktap_skipped[0] ? " # SKIP " : "", ktap_skipped);
	}
	return failed ? 1 : n && skipped == n ? 4 : 0;
}

#define KTAP_MAIN(table) \
	int main(void) { return ktap_run(table, sizeof(table) / sizeof((table)[0])); }

#endif /* CTM_KTAP_H */
