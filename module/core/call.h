/* SPDX-License-Identifier: GPL-2.0 */
/*
 * call.h - what is known of system calls that wait
 *
 * By their numbers on x86-64: which of them may be made again when a freeze
 * interrupted them, and where a relative timeout stands in their arguments, so
 * that they go on with the time that is left.  Calls for which the kernel keeps
 * the deadline itself (nanosleep, poll, futex) are not among these.
 */
#ifndef CTM_CORE_CALL_H
#define CTM_CORE_CALL_H

#include "env.h"

enum ctm_timeout_reg { CTM_TIMEOUT_DX, CTM_TIMEOUT_R10, CTM_TIMEOUT_R8 };

/**
 * enum ctm_timeout_form
 * @CTM_TIMEOUT_MS:       milliseconds, an int; negative: for ever
 * @CTM_TIMEOUT_TIMESPEC: address of seconds and nanoseconds; 0: for ever
 * @CTM_TIMEOUT_TIMEVAL:  address of seconds and microseconds; 0: for ever
 */
enum ctm_timeout_form { CTM_TIMEOUT_MS, CTM_TIMEOUT_TIMESPEC, CTM_TIMEOUT_TIMEVAL };

/** struct ctm_timeout - @updated: the call itself leaves there what is left */
struct ctm_timeout {
	u16 nr;
	u8 reg;
	u8 form;
	bool updated;
};

/** ctm_call_timeout() - of call @nr.  Return: NULL when it has none */
const struct ctm_timeout *ctm_call_timeout(u64 nr);

/**
 * ctm_call_repeats() - may call @nr be made again when it answered EINTR?
 * It answers so to any interruption, has done nothing then, and a second try is
 * not another one: not connect, close and their kind.
 */
bool ctm_call_repeats(u64 nr);

/** ctm_timeout_put() - @ns as seconds and parts, rounded up.  Not for CTM_TIMEOUT_MS */
void ctm_timeout_put(const struct ctm_timeout *t, s64 ns, s64 v[2]);
/** ctm_timeout_ms() - @ns in milliseconds, rounded up */
u32 ctm_timeout_ms(s64 ns);
/** ctm_timeout_get() - Return: ns, or -1: for ever, or not a time that the kernel takes */
s64 ctm_timeout_get(const struct ctm_timeout *t, const s64 v[2]);

#endif /* CTM_CORE_CALL_H */
