/* SPDX-License-Identifier: GPL-2.0 */
/*
 * courier.h - calls that find a process wherever it is: info, wait, migrate, ...
 */
#ifndef CTM_COURIER_H
#define CTM_COURIER_H

#include "net/transport.h"
#include "process.h"

/**
 * struct ctm_route - how such a call begins
 * The node that gets it acts when the process is here; home passes it on to
 * the host; every other node answers -ESRCH.
 */
struct ctm_route {
	__u64 gpid;
	struct ctm_caller by;
};

/**
 * ctm_route() - make a routed call for current
 * @req: begins with struct ctm_route, whose gpid is set
 * Retries while the process is between two hosts.  Return: as ctm_call()
 */
int ctm_route(enum ctm_call_type type, void *req, size_t req_len, void *resp, size_t *resp_len,
	      unsigned int timeout_ms);
/**
 * ctm_route_pass() - in a handler: find the process, or pass the call on
 * @p: gets it (a reference) when it is here and @here is wanted, or this is its home
 * Return: 1 when the caller shall act on *@p; 0 or -errno: passed on, done
 */
int ctm_route_pass(enum ctm_call_type type, const void *req, size_t req_len, void *resp,
		   size_t *resp_len, struct ctm_process **p, unsigned int timeout_ms);

int ctm_info(struct ctm_info *arg);
int ctm_wait(struct ctm_wait *arg);
/** CTM_ROUTE_MS - for calls that answer at once */
#define CTM_ROUTE_MS	5000

int ctm_courier_init(void);
void ctm_courier_exit(void);

#endif /* CTM_COURIER_H */
