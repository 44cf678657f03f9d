// SPDX-License-Identifier: GPL-2.0
/*
 * call.c - see call.h; pure
 */
#include "call.h"

#define NS_PER_S	1000000000ll
#define NS_PER_MS	1000000ll
#define NS_PER_US	1000ll
#define MS_MAX		0x7fffffff
#define S_MAX		(1ll << 33)	/* longer is as good as for ever */

static const struct ctm_timeout timeouts[] = {
	{ 23,  CTM_TIMEOUT_R8,  CTM_TIMEOUT_TIMEVAL,  true },	/* select */
	{ 128, CTM_TIMEOUT_DX,  CTM_TIMEOUT_TIMESPEC, false },	/* rt_sigtimedwait */
	{ 208, CTM_TIMEOUT_R8,  CTM_TIMEOUT_TIMESPEC, false },	/* io_getevents */
	{ 220, CTM_TIMEOUT_R10, CTM_TIMEOUT_TIMESPEC, false },	/* semtimedop */
	{ 232, CTM_TIMEOUT_R10, CTM_TIMEOUT_MS,       false },	/* epoll_wait */
	{ 270, CTM_TIMEOUT_R8,  CTM_TIMEOUT_TIMESPEC, true },	/* pselect6 */
	{ 271, CTM_TIMEOUT_DX,  CTM_TIMEOUT_TIMESPEC, true },	/* ppoll */
	{ 281, CTM_TIMEOUT_R10, CTM_TIMEOUT_MS,       false },	/* epoll_pwait */
	{ 333, CTM_TIMEOUT_R8,  CTM_TIMEOUT_TIMESPEC, false },	/* io_pgetevents */
	{ 441, CTM_TIMEOUT_R10, CTM_TIMEOUT_TIMESPEC, false },	/* epoll_pwait2 */
};

const struct ctm_timeout *ctm_call_timeout(u64 nr)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(timeouts); i++)
		if (timeouts[i].nr == nr)
			return &timeouts[i];
	return NULL;
}

bool ctm_call_repeats(u64 nr)
{
	switch (nr) {
	case 0: case 19:		/* read, readv */
	case 1: case 20:		/* write, writev */
	case 45: case 47: case 299:	/* recvfrom, recvmsg, recvmmsg */
	case 44: case 46: case 307:	/* sendto, sendmsg, sendmmsg */
	case 43: case 288:		/* accept, accept4 */
	case 65:			/* semop */
		return true;
	}
	return ctm_call_timeout(nr);
}

u32 ctm_timeout_ms(s64 ns)
{
	if (ns <= 0)
		return 0;
	if (ns > MS_MAX * NS_PER_MS)
		return MS_MAX;
	return (u32)((u64)(ns + NS_PER_MS - 1) / NS_PER_MS);
}

void ctm_timeout_put(const struct ctm_timeout *t, s64 ns, s64 v[2])
{
	u64 left = ns > 0 ? ns : 0;

	if (t->form == CTM_TIMEOUT_TIMEVAL)
		left += NS_PER_US - 1;
	v[0] = left / NS_PER_S;
	v[1] = left % NS_PER_S;
	if (t->form == CTM_TIMEOUT_TIMEVAL)
		v[1] /= NS_PER_US;
}

s64 ctm_timeout_get(const struct ctm_timeout *t, const s64 v[2])
{
	s64 unit = t->form == CTM_TIMEOUT_TIMEVAL ? NS_PER_US : 1;

	if (t->form == CTM_TIMEOUT_MS)
		return (s32)v[0] < 0 ? -1 : (s32)v[0] * NS_PER_MS;
	if (v[0] < 0 || v[0] >= S_MAX || v[1] < 0 || v[1] >= NS_PER_S / unit)
		return -1;
	return v[0] * NS_PER_S + v[1] * unit;
}
