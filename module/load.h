/* SPDX-License-Identifier: GPL-2.0 */
/*
 * load.h - how busy this node is
 */
#ifndef CTM_LOAD_H
#define CTM_LOAD_H

#include <linux/types.h>

/**
 * struct ctm_load - one sample; all but @free_mib in thousandths
 * @cpu:      CPU %, 0 to 100000, since the sample before
 * @mem:      share of memory not available, %, 0 to 100000
 * @runnable: runnable tasks per CPU
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

/** ctm_load_sample() - measure.  One caller at a time (the heartbeat).  @nodes: live nodes, this one included */
void ctm_load_sample(unsigned int nodes);
/** ctm_load_get() - the last sample.  Context: any */
void ctm_load_get(struct ctm_load *out);

#endif /* CTM_LOAD_H */
