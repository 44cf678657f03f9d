// SPDX-License-Identifier: GPL-2.0
/*
 * call.c - the table of calls against the computer's own numbers, and times
 */
#include <sys/syscall.h>
#include "../../module/core/call.h"
#include "../ktap.h"

static void numbers(void)
{
	static const struct { int nr, reg, form; bool updated; } want[] = {
		{ SYS_select, CTM_TIMEOUT_R8, CTM_TIMEOUT_TIMEVAL, true },
		{ SYS_pselect6, CTM_TIMEOUT_R8, CTM_TIMEOUT_TIMESPEC, true },
		{ SYS_ppoll, CTM_TIMEOUT_DX, CTM_TIMEOUT_TIMESPEC, true },
		{ SYS_rt_sigtimedwait, CTM_TIMEOUT_DX, CTM_TIMEOUT_TIMESPEC, false },
		{ SYS_semtimedop, CTM_TIMEOUT_R10, CTM_TIMEOUT_TIMESPEC, false },
		{ SYS_epoll_wait, CTM_TIMEOUT_R10, CTM_TIMEOUT_MS, false },
		{ SYS_epoll_pwait, CTM_TIMEOUT_R10, CTM_TIMEOUT_MS, false },
		{ SYS_epoll_pwait2, CTM_TIMEOUT_R10, CTM_TIMEOUT_TIMESPEC, false },
		{ SYS_io_getevents, CTM_TIMEOUT_R8, CTM_TIMEOUT_TIMESPEC, false },
		{ SYS_io_pgetevents, CTM_TIMEOUT_R8, CTM_TIMEOUT_TIMESPEC, false },
	};
	unsigned int i, n = 0;

	for (i = 0; i < ARRAY_SIZE(want); i++) {
		const struct ctm_timeout *t = ctm_call_timeout(want[i].nr);

		CHECK(t && t->nr == want[i].nr && t->reg == want[i].reg &&
		      t->form == want[i].form && t->updated == want[i].updated);
		CHECK(ctm_call_repeats(want[i].nr));
	}
	for (i = 0; i < 1000; i++)
		n += !!ctm_call_timeout(i);
	CHECK(n == ARRAY_SIZE(want));
	CHECK(!ctm_call_timeout(-1ull) && !ctm_call_timeout(1ull << 32 | SYS_epoll_wait));
	CHECK(!ctm_call_timeout(SYS_poll) && !ctm_call_timeout(SYS_nanosleep));
}

static void repeated(void)
{
	static const int yes[] = { SYS_read, SYS_readv, SYS_write, SYS_writev, SYS_recvfrom,
		SYS_recvmsg, SYS_recvmmsg, SYS_sendto, SYS_sendmsg, SYS_sendmmsg, SYS_accept,
		SYS_accept4, SYS_semop };
	static const int no[] = { SYS_close, SYS_connect, SYS_open, SYS_openat, SYS_nanosleep,
		SYS_pause, SYS_wait4, SYS_dup2, SYS_fsync };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(yes); i++)
		CHECK(ctm_call_repeats(yes[i]));
	for (i = 0; i < ARRAY_SIZE(no); i++)
		CHECK(!ctm_call_repeats(no[i]));
	CHECK(!ctm_call_repeats(-1ull));
}

static void milliseconds(void)
{
	CHECK(ctm_timeout_ms(-5) == 0 && ctm_timeout_ms(0) == 0);
	CHECK(ctm_timeout_ms(1) == 1 && ctm_timeout_ms(1000000) == 1 && ctm_timeout_ms(1000001) == 2);
	CHECK(ctm_timeout_ms(INT64_MAX) == INT32_MAX);
}

/* what is put is what is got, but for parts that have no room: then it is later */
static void there_and_back(void)
{
	static const s64 ns[] = { 0, 1, 999, 1000, 1001, 999999999, 1000000000, 1000000001,
				  86400 * 1000000000ll };
	const struct ctm_timeout *spec = ctm_call_timeout(SYS_ppoll);
	const struct ctm_timeout *val = ctm_call_timeout(SYS_select);
	unsigned int i;
	s64 v[2];

	for (i = 0; i < ARRAY_SIZE(ns); i++) {
		ctm_timeout_put(spec, ns[i], v);
		CHECK(ctm_timeout_get(spec, v) == ns[i]);
		ctm_timeout_put(val, ns[i], v);
		CHECK(ctm_timeout_get(val, v) >= ns[i] && ctm_timeout_get(val, v) < ns[i] + 1000);
	}
	ctm_timeout_put(spec, -7, v);
	CHECK(!v[0] && !v[1]);
}

static void not_times(void)
{
	const struct ctm_timeout *spec = ctm_call_timeout(SYS_ppoll);
	const struct ctm_timeout *val = ctm_call_timeout(SYS_select);
	const struct ctm_timeout *ms = ctm_call_timeout(SYS_epoll_wait);

	CHECK(ctm_timeout_get(spec, (s64[]){ -1, 0 }) == -1);
	CHECK(ctm_timeout_get(spec, (s64[]){ 0, -1 }) == -1);
	CHECK(ctm_timeout_get(spec, (s64[]){ 0, 1000000000 }) == -1);
	CHECK(ctm_timeout_get(spec, (s64[]){ INT64_MAX, 0 }) == -1);
	CHECK(ctm_timeout_get(val, (s64[]){ 0, 1000000 }) == -1);
	CHECK(ctm_timeout_get(ms, (s64[]){ 0xffffffff, 0 }) == -1);
	CHECK(ctm_timeout_get(ms, (s64[]){ 0xdeadll << 32 | 7, 0 }) == 7000000);
}

static const struct ktap_test tests[] = {
	{ "call: numbers", numbers },
	{ "call: repeated", repeated },
	{ "call: milliseconds", milliseconds },
	{ "call: there and back", there_and_back },
	{ "call: not times", not_times },
};
KTAP_MAIN(tests)
