/* SPDX-License-Identifier: GPL-2.0 */
/*
 * load.h - how busy this node is, measured every 100 ms
 */
#ifndef CTM_LOAD_H
#define CTM_LOAD_H

#include <linux/types.h>

#define CTM_LOAD_MS	100u

/**
 * struct ctm_load - one sample; all but @free_mib in thousandths
 * @cpu:      CPU %, 0 to 100000, since the sample before
 * @mem:      share of memory not available, %, 0 to 100000
 * @runnable: runnable tasks per CPU: tasks of processes of ours as they are found,
 *            others averaged over a second or two
 * @pressure: cpu + 2 * mem, 0 to 300000
 * @load:     pressure / live nodes: the L of the design
 * @free_mib: memory available
 */
struct ctm_load {
	u32 cpu;
	u32 mem;
	u32 runnable;
	u32 pressure;
	u32 load;
	u32 free_mib;
};

/** ctm_load_get() - the last sample.  Context: any */
void ctm_load_get(struct ctm_load *out);

/** ctm_load_busy_ns() - CPU time since boot that was not idle, all CPUs.  Context: any */
u64 ctm_load_busy_ns(void);

/**
 * ctm_load_on_sample() - @fn is called after each sample
 * One listener.  It may sleep, but the next sample waits for it.  NULL takes it back,
 * and returns when nobody is in it.
 */
void ctm_load_on_sample(void (*fn)(const struct ctm_load *now));

int ctm_load_init(void);
void ctm_load_exit(void);

#endif /* CTM_LOAD_H */
