// SPDX-License-Identifier: GPL-2.0
/*
 * machines.c - any bytes, read as events for both machines of a handoff
 *
 * Whatever comes, a machine that is over stays over, a commit is never taken
 * back but by the destination's word or an operator, and no more actions come
 * out than fit.
 */
#include <stdlib.h>
#include "../../module/core/handoff.h"

static const struct ctm_ho_id id = { CTM_GPID(1, 1), 1, 1, 10, 20 };

static void source(struct ctm_ho_source *s, const struct ctm_ho_event *ev)
{
	struct ctm_ho_actions out;
	enum ctm_ho_source_state was = s->state;
	bool word = ev->type == CTM_HO_EV_ABORT || ev->type == CTM_HO_EV_ANSWER ||
		    ev->type == CTM_HO_EV_QUERY || ev->type == CTM_HO_EV_RECOVER;

	ctm_ho_source_step(s, ev, &out);
	if (s->state >= CTM_HO_SRC_MAX || out.n >= CTM_HO_ACTIONS_MAX)
		abort();
	if (was >= CTM_HO_SRC_RELEASED && s->state != was)
		abort();
	if ((was == CTM_HO_SRC_COMMITTED || was == CTM_HO_SRC_LIMBO) &&
	    s->state != CTM_HO_SRC_COMMITTED && s->state != CTM_HO_SRC_LIMBO &&
	    s->state != CTM_HO_SRC_RELEASED && !word)
		abort();
}

static void dest(struct ctm_ho_dest *d, const struct ctm_ho_event *ev)
{
	struct ctm_ho_actions out;
	enum ctm_ho_dest_state was = d->state;
	bool word = ev->type == CTM_HO_EV_COMMIT || ev->type == CTM_HO_EV_ANSWER ||
		    ev->type == CTM_HO_EV_RECOVER;

	ctm_ho_dest_step(d, ev, &out);
	if (d->state >= CTM_HO_DST_MAX || out.n >= CTM_HO_ACTIONS_MAX)
		abort();
	if (was >= CTM_HO_DST_SETTLED && d->state != was)
		abort();
	if (was != CTM_HO_DST_STARTED && d->state == CTM_HO_DST_STARTED && !word)
		abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);
int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	struct ctm_ho_source s;
	struct ctm_ho_dest d;
	u64 now = 0;

	ctm_ho_source_init(&s, &id);
	ctm_ho_dest_init(&d, &id);
	for (; len >= 4; data += 4, len -= 4) {
		struct ctm_ho_event ev = {
			.type = data[0] % (CTM_HO_EV_MAX + 1),
			.now = now += data[3] * (CTM_HO_SEC / 4),
			.id = id,
			.outcome = data[1] % CTM_HO_OUTCOME_MAX,
			.boot = data[2] & 1 ? 99 : data[2] & 2 ? id.src_boot : id.dst_boot,
			.dying = data[2] & 4,
			.ok = data[2] & 8,
			.error = data[2] & 16 ? 5 : 0,
		};

		if (data[2] & 32)
			ev.id.attempt++;
		if (data[2] & 64)
			source(&s, &ev);
		else
			dest(&d, &ev);
	}
	return 0;
}
