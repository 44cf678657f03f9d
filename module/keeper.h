/* SPDX-License-Identifier: GPL-2.0 */
/*
 * keeper.h - the keeper's side of a process on its host: its file, its events
 */
#ifndef CTM_KEEPER_H
#define CTM_KEEPER_H

#include "process.h"

/** ctm_keeper_post() - queue an event (CTM_EV_*) for the keeper of @p, if it runs here.  Any context that may sleep */
void ctm_keeper_post(struct ctm_process *p, u32 type, u64 value);
/** wake whoever polls or reads the keeper's file (new terminal input) */
void ctm_keeper_wake(struct ctm_process *p);

#endif /* CTM_KEEPER_H */
