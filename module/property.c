// SPDX-License-Identifier: GPL-2.0
/*
 * property.c - what its owner may set on a process while it lives
 *
 * The call finds its way to the host; the values travel with the process from there on.
 */
#include <linux/string.h>

#include "courier.h"
#include "property.h"
#include "reaper.h"

struct set_call {
	struct ctm_route route;
	__u32 property;
	__u32 pad;
	__u64 value;
};

static int out_of_range(char *why, const char *text)
{
	strscpy(why, text, CTM_REASON_MAX);
	return -EINVAL;
}

static int set_pin(struct ctm_process *p, u64 on, char *why)
{
	if (on > 1)
		return out_of_range(why, "pin: 0 or 1");
	spin_lock(&p->lock);
	if (on)
		p->flags |= CTM_ADOPT_PIN;
	else
		p->flags &= ~CTM_ADOPT_PIN;
	spin_unlock(&p->lock);
	return 0;
}

static int set_ttl(struct ctm_process *p, u64 ttl, char *why)
{
	if (!ttl || ttl > CTM_TTL_MAX)
		return out_of_range(why, "ttl: 1 to 1000000");
	ctm_reaper_set_ttl(p, ttl);
	return 0;
}

static int set_lease(struct ctm_process *p, u64 ms, char *why)
{
	if (ms > U32_MAX)
		return out_of_range(why, "lease: up to 4294967295 ms, or 0 for none");
	ctm_reaper_set_lease(p, ms);
	return 0;
}

static int set_here(struct ctm_process *p, u32 property, u64 value, char *why)
{
	if (p->ended || !READ_ONCE(p->here))
		return -ESRCH;
	switch (property) {
	case CTM_SET_PIN:
		return set_pin(p, value, why);
	case CTM_SET_TTL:
		return set_ttl(p, value, why);
	case CTM_SET_LEASE:
		return set_lease(p, value, why);
	}
	return out_of_range(why, "no such property");
}

static int serve_set(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct set_call *c = req;
	struct ctm_process *p;
	char *why = resp;
	int err;

	if (len != sizeof(*c) || *resp_len < CTM_REASON_MAX)
		return -EBADMSG;
	err = ctm_route_pass(CTM_CALL_SET, req, len, resp, resp_len, &p, CTM_ROUTE_MS);
	if (err != 1)
		return err;
	why[0] = 0;
	err = ctm_may_act(p, &c->route.by);
	if (err == -EPERM)
		strscpy(why, "only its owner or root may do that", CTM_REASON_MAX);
	else if (!err)
		err = set_here(p, c->property, c->value, why);
	*resp_len = CTM_REASON_MAX;
	ctm_process_put(p);
	return err;
}

int ctm_property_set(struct ctm_set *arg)
{
	struct set_call c = {
		.route.gpid = arg->gpid, .property = arg->property, .value = arg->value,
	};
	size_t len = sizeof(arg->reason);
	int err;

	if (arg->pad)
		return -EINVAL;
	err = ctm_route(CTM_CALL_SET, &c, sizeof(c), arg->reason, &len, 2 * CTM_ROUTE_MS);
	arg->reason[CTM_REASON_MAX - 1] = 0;
	return err;
}

int ctm_property_init(void)
{
	ctm_call_handler(CTM_CALL_SET, serve_set);
	return 0;
}

void ctm_property_exit(void)
{
	ctm_call_handler(CTM_CALL_SET, NULL);
}
