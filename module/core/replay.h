/* SPDX-License-Identifier: GPL-2.0 */
/*
 * replay.h - the replay window: every counter is accepted once
 *
 * A window is owned by the datagram session it guards, whose lock covers it.
 * Counters begin with 1.  A counter that lies CTM_REPLAY_WINDOW or more behind
 * the highest one seen is refused, whether it was seen or not.
 */
#ifndef CTM_CORE_REPLAY_H
#define CTM_CORE_REPLAY_H

#include "env.h"

#define CTM_REPLAY_BITS		2048u
/* one word is always being reused */
#define CTM_REPLAY_WINDOW	(CTM_REPLAY_BITS - 64)

struct ctm_replay {
	u64 highest;
	u64 seen[CTM_REPLAY_BITS / 64];
};

void ctm_replay_init(struct ctm_replay *r);

/**
 * ctm_replay_accept() - is @counter new?  If so it is not any more
 * Call it only for a datagram whose tag is right.  Context: any
 */
bool ctm_replay_accept(struct ctm_replay *r, u64 counter);

#endif /* CTM_CORE_REPLAY_H */
