// SPDX-License-Identifier: GPL-2.0
/*
 * recover.c - an operator ends a limbo
 *
 * No part of the module knows which nodes hold a copy in limbo: that is what limbo
 * is about.  So all that answer are asked: first for a source's copy, which knows
 * most, then for a landed one, then home, where the process may have no copy left.
 * Nothing is owned here.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "courier.h"
#include "journey.h"
#include "land.h"
#include "recover.h"

#define RECOVER_MS	25000
#define NODES_MAX	4096u

enum which { AT_SOURCE, AT_DESTINATION, AT_HOME, WHICH_MAX };

struct recover_call {
	struct ctm_route route;		/* hops: unused */
	__u32 which;			/* enum which */
	__u32 pad;
};

/* at home: is there nothing left but to say so? */
static int give_up(struct ctm_process *p, const struct ctm_caller *by, char *why)
{
	int err;

	if (!ctm_process_is_home(p))
		return -ENOENT;
	if (!(by->flags & CTM_CALLER_ADMIN) && by->uid != p->uid)
		return -EPERM;
	err = ctm_process_lost(p);
	if (err == -EINVAL)
		strscpy(why, "it is not in limbo", CTM_REASON_MAX);
	if (!err)
		strscpy(why, "no node that answers has a copy of it: host lost", CTM_REASON_MAX);
	return err;
}

static int serve_recover(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct recover_call *c = req;
	const struct ctm_caller *by = &c->route.by;
	struct ctm_process *p;
	char *why = resp;
	int err;

	if (len != sizeof(*c) || *resp_len < CTM_REASON_MAX || c->which >= WHICH_MAX)
		return -EBADMSG;
	memset(why, 0, CTM_REASON_MAX);
	*resp_len = CTM_REASON_MAX;
	if (c->which == AT_DESTINATION)
		return ctm_landing_recover(c->route.gpid, by, why);
	p = ctm_process_find(c->route.gpid);
	if (!p)
		return -ENOENT;
	err = c->which == AT_SOURCE ? ctm_journey_recover(p, by, why) : give_up(p, by, why);
	ctm_process_put(p);
	return err;
}

/* the first node that has what is wanted decides */
static int ask_all(struct recover_call *c, const u32 *ids, unsigned int n, char *why)
{
	unsigned int i;
	size_t len;
	int err;

	for (i = 0; i < n; i++) {
		len = CTM_REASON_MAX;
		err = ctm_call(ids[i], CTM_CALL_RECOVER, c, sizeof(*c), why, &len, RECOVER_MS);
		if (!err || err == -EPERM || err == -EINVAL || err == -ETIMEDOUT || err == -EBUSY)
			return err;
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return -ENOENT;
}

int ctm_recover(struct ctm_target *arg)
{
	struct recover_call c = { .route.gpid = arg->gpid };
	u32 home = CTM_GPID_NODE(arg->gpid);
	unsigned int n;
	u32 *ids;
	int err;

	if (!arg->gpid)
		return -EINVAL;
	if (!ctm_node_is_up())
		return -ENETDOWN;
	ids = kvmalloc_array(NODES_MAX + 1, sizeof(*ids), GFP_KERNEL_ACCOUNT);
	if (!ids)
		return -ENOMEM;
	ctm_caller_current(&c.route.by);
	ids[0] = ctm_node_id();
	n = 1 + ctm_peers(ids + 1, NODES_MAX);
	err = ask_all(&c, ids, n, arg->reason);
	if (err == -ENOENT) {
		c.which = AT_DESTINATION;
		err = ask_all(&c, ids, n, arg->reason);
	}
	if (err == -ENOENT) {
		c.which = AT_HOME;
		err = ask_all(&c, &home, 1, arg->reason);
	}
	kvfree(ids);
	arg->reason[CTM_REASON_MAX - 1] = 0;
	if (err == -ENOENT) {
		strscpy(arg->reason, "no node that answers has it in limbo", sizeof(arg->reason));
		err = -ESRCH;
	} else if (err == -EPERM) {
		strscpy(arg->reason, "only its owner or root may do that", sizeof(arg->reason));
	} else if (err == -EBUSY) {
		strscpy(arg->reason, "a handoff of it is under way, or asks for its other end: try again in a minute",
			sizeof(arg->reason));
	} else if (err == -ETIMEDOUT) {
		strscpy(arg->reason, "it did not start in time; look again", sizeof(arg->reason));
	}
	return err;
}

int ctm_recover_init(void)
{
	ctm_call_handler(CTM_CALL_RECOVER, serve_recover);
	return 0;
}

void ctm_recover_exit(void)
{
	ctm_call_handler(CTM_CALL_RECOVER, NULL);
}
