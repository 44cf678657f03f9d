/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fault.h - named points at which a test makes things go wrong
 *
 * In a module built with CTM_FAULTS=y only; else all of this is nothing, and the
 * compiler removes the calls.  How a test says what it wants: fault.c.
 */
#ifndef CTM_FAULT_H
#define CTM_FAULT_H

#include <linux/types.h>

/** enum ctm_fault - what the place that asked has to do itself */
enum ctm_fault {
	CTM_FAULT_NONE,
	CTM_FAULT_DROP,		/* as if it had been sent, or never come */
	CTM_FAULT_DUP,		/* twice */
};

#ifdef CTM_FAULTS
/**
 * ctm_fault() - at the point "@way @name": "send COMMIT", "recv STARTED", "restore record"
 * Waits (delay, hold), crashes the node or kills the caller by itself.
 * Context: process, may sleep; holds no spinlock.
 */
enum ctm_fault ctm_fault(const char *way, const char *name);
/** ctm_fault_frame(), ctm_fault_call() - the same for a frame of the handoff, or a call, by its number */
enum ctm_fault ctm_fault_frame(const char *way, unsigned int type);
enum ctm_fault ctm_fault_call(const char *way, unsigned int type);
/** ctm_fault_alloc() - shall this allocation fail?  Any context */
bool ctm_fault_alloc(void);
#else
static inline enum ctm_fault ctm_fault(const char *way, const char *name)
{
	return CTM_FAULT_NONE;
}
static inline enum ctm_fault ctm_fault_frame(const char *way, unsigned int type)
{
	return CTM_FAULT_NONE;
}
static inline enum ctm_fault ctm_fault_call(const char *way, unsigned int type)
{
	return CTM_FAULT_NONE;
}
#endif

#endif /* CTM_FAULT_H */
