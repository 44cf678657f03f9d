// SPDX-License-Identifier: GPL-2.0
/*
 * replay.c - the replay window
 *
 * A ring of bits, as in RFC 6479: when the window moves on, whole words are
 * cleared, so that no bit is ever shifted.
 */
#include "replay.h"

#define WORDS	(CTM_REPLAY_BITS / 64)

void ctm_replay_init(struct ctm_replay *r)
{
	memset(r, 0, sizeof(*r));
}

/* The words between the highest counter's and @word are stale: a turn ago. */
static void advance(struct ctm_replay *r, u64 word)
{
	u64 last = r->highest / 64;
	u64 n = word - last;

	if (n > WORDS)
		n = WORDS;
	while (n--)
		r->seen[++last % WORDS] = 0;
}

bool ctm_replay_accept(struct ctm_replay *r, u64 counter)
{
	u64 word = counter / 64, bit = 1ull << (counter % 64);

	/* the last value is never accepted, so that a sender cannot wrap */
	if (!counter || counter == ~0ull)
		return false;
	if (counter > r->highest) {
		advance(r, word);
		r->highest = counter;
	} else if (r->highest - counter >= CTM_REPLAY_WINDOW) {
		return false;
	}
	if (r->seen[word % WORDS] & bit)
		return false;
	r->seen[word % WORDS] |= bit;
	return true;
}
