// SPDX-License-Identifier: GPL-2.0
/*
 * load.c - how busy this node is
 *
 * The last sample is covered by sample_lock; what the measurement itself
 * remembers belongs to the one caller of ctm_load_sample().
 */
#include <linux/cpumask.h>
#include <linux/kernel_stat.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include "load.h"

#define PERCENT	1000u

static DEFINE_SPINLOCK(sample_lock);
static struct ctm_load sample;

/* CPU time since boot that was not idle, all CPUs, in ns */
static u64 busy_time(void)
{
	struct kernel_cpustat k;
	u64 busy = 0;
	int cpu, i;

	for_each_online_cpu(cpu) {
		kcpustat_cpu_fetch(&k, cpu);
		/* guest time is part of user and nice already */
		for (i = 0; i < NR_STATS; i++)
			if (i != CPUTIME_IDLE && i != CPUTIME_IOWAIT &&
			    i != CPUTIME_GUEST && i != CPUTIME_GUEST_NICE)
				busy += k.cpustat[i];
	}
	return busy;
}

/* against wall time: a tickless CPU accounts its idle time only when it wakes */
static u32 measure_cpu(void)
{
	static u64 last_busy, last_ns;
	u64 busy = busy_time(), now = ktime_get_ns();
	u64 span = (now - last_ns) * num_online_cpus();
	u64 ran = last_ns && busy > last_busy ? busy - last_busy : 0;

	last_busy = busy;
	last_ns = now;
	if (!span)
		return 0;
	return min_t(u64, div64_u64(ran * 100 * PERCENT, span), 100 * PERCENT);
}

static u32 count_runnable(void)
{
	struct task_struct *g, *t;
	u64 n = 0;

	rcu_read_lock();
	for_each_process_thread(g, t)
		n += t != current && task_is_running(t);
	rcu_read_unlock();
	return min_t(u64, div_u64(n * 1000, num_online_cpus()), U32_MAX);
}

void ctm_load_sample(unsigned int nodes)
{
	struct ctm_load s = { };
	struct sysinfo si;
	u64 free = max(si_mem_available(), 0l);

	si_meminfo(&si);
	s.cpu = measure_cpu();
	if (si.totalram)
		s.mem = 100 * PERCENT -
			min_t(u64, div64_u64(free * 100 * PERCENT, si.totalram), 100 * PERCENT);
	s.free_mib = min_t(u64, free >> (20 - PAGE_SHIFT), U32_MAX);
	s.runnable = count_runnable();
	s.pressure = s.cpu + 2 * s.mem;
	s.load = s.pressure / max(nodes, 1u);
	spin_lock(&sample_lock);
	sample = s;
	spin_unlock(&sample_lock);
}

void ctm_load_get(struct ctm_load *out)
{
	spin_lock(&sample_lock);
	*out = sample;
	spin_unlock(&sample_lock);
}
