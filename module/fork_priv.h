/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fork_priv.h - what the files of distributed fork share
 *
 *   fork.c        the caller's side: nodes, capture, reports
 *   fork_land.c   a node that makes children: the stored image, landings from it
 *   fork_home.c   the home of the family: who exists, who has ended, who is to go
 */
#ifndef CTM_FORK_PRIV_H
#define CTM_FORK_PRIV_H

#include "core/handoff.h"
#include "fork.h"
#include "net/transport.h"
#include "stored.h"

/* ---- home ---- */

/**
 * ctm_fork_reserve() - ask home for @count children of @p, which runs here
 * Return: 0 with *first, the GPIDs are first, first + 1, ...; -EAGAIN: the family's budget;
 * -EUSERS, -ESTALE, or what ctm_call() returns
 */
int ctm_fork_reserve(struct ctm_process *p, u32 count, u64 *first);
/**
 * ctm_fork_start() - may the child @gpid run here?  Home's decision, once and for all
 * Return: 0: it exists, here; -ECANCELED: it never will; else it is not known
 */
int ctm_fork_start(u64 gpid);
/**
 * ctm_fork_close() - no more of these will be started
 * @made: gets a bit for each that exists.  Return: 0 or what ctm_call() returns
 */
int ctm_fork_close(u64 parent, u64 first, u32 count, unsigned long *made);
/** ctm_fork_home_boot() - boot id of the home of @gpid, 0: it is not known */
u64 ctm_fork_home_boot(u64 gpid);

int ctm_fork_home_init(void);
void ctm_fork_home_exit(void);

/* ---- landing ---- */

struct ctm_fork_land;

/**
 * typedef ctm_fork_report - a child runs (@err 0), or was not made
 * Called by a worker, several at once.
 */
typedef void (*ctm_fork_report)(void *arg, u64 gpid, int err, const char *why);

/**
 * ctm_fork_land_begin() - let children land from @image, which is whole
 * @children: @n of them.  All is copied; a reference of @image is taken
 * Return: ERR_PTR(-ENOMEM), or what ctm_fork_land_end() waits for
 */
struct ctm_fork_land *ctm_fork_land_begin(struct ctm_stored *image, const struct ctm_ho_offer *o,
					  const struct ctm_ho_begin *b, u64 parent, u32 source,
					  u64 source_boot, u64 index_at,
					  const struct ctm_ho_child *children, u32 n,
					  ctm_fork_report report, void *arg);
/** ctm_fork_land_stop() - begin no more: the rest is reported as cancelled */
void ctm_fork_land_stop(struct ctm_fork_land *f);
/** ctm_fork_land_over() - has the last been reported?  Waits up to @ms */
bool ctm_fork_land_over(struct ctm_fork_land *f, unsigned int ms);
/** ctm_fork_land_end() - waits until all were reported, and frees */
void ctm_fork_land_end(struct ctm_fork_land *f);

int ctm_fork_land_init(void);
void ctm_fork_land_exit(void);

#endif /* CTM_FORK_PRIV_H */
