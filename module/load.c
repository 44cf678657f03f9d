// SPDX-License-Identifier: GPL-2.0
/*
 * load.c - how busy this node is
 *
 * A work of its own measures every CTM_LOAD_MS.  The last sample is covered by
 * sample_lock; what the measurement itself remembers belongs to that work.
 *
 * How many tasks want a CPU is told by the kernel in /proc/loadavg only: what counts
 * them is not exported, and to look at all tasks ten times a second is too dear.
 * Read at one instant it is a noisy number (whatever the last timer woke is in it),
 * so that is averaged; tasks of our own processes, which the valve acts on, are
 * counted by themselves.
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/kernel_stat.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/spinlock.h>
#include <linux/tick.h>
#include <linux/workqueue.h>
#include "load.h"
#include "net/peers.h"
#include "process.h"

#define PERCENT		1000u
#define FULL		(90u * PERCENT)
#define OTHERS_WEIGHT	16u		/* samples that the average of the others goes over */

static DEFINE_SPINLOCK(sample_lock);
static struct ctm_load sample;

static DEFINE_MUTEX(listener_lock);
static void (*listener)(const struct ctm_load *now);

static void measure(struct work_struct *work);
static DECLARE_DELAYED_WORK(measure_work, measure);
static struct workqueue_struct *load_wq;
static unsigned long next_sample;	/* jiffies; the work's */
static struct file *loadavg;		/* the work's; NULL: not to be had */

u64 ctm_load_busy_ns(void)
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

/* CPU time since boot that was idle, all CPUs; U64_MAX: not known in such detail */
static u64 idle_time(void)
{
	u64 idle = 0, us;
	int cpu;

	for_each_online_cpu(cpu) {
		us = get_cpu_idle_time_us(cpu, NULL);
		if (us == U64_MAX)
			return us;
		idle += us;
		us = get_cpu_iowait_time_us(cpu, NULL);
		idle += us == U64_MAX ? 0 : us;
	}
	return idle * NSEC_PER_USEC;
}

/*
 * What was not idle, against wall time.  The other side, what was busy, is told in whole
 * ticks only, too coarse for 100 ms, and misses those that a virtual machine's host has
 * swallowed; it has to do where nothing measures the idle time.
 */
static u32 measure_cpu(void)
{
	static u64 last_busy, last_ns, last_cpus;
	u64 now = ktime_get_ns(), cpus = num_online_cpus(), idle = idle_time();
	u64 busy = idle == U64_MAX ? ctm_load_busy_ns() : now * cpus - idle;
	u64 span = (now - last_ns) * cpus;
	u64 ran = last_cpus == cpus && busy > last_busy ? busy - last_busy : 0;

	last_busy = busy;
	last_ns = now;
	last_cpus = cpus;
	if (!span)
		return 0;
	return min_t(u64, div64_u64(ran * 100 * PERCENT, span), 100 * PERCENT);
}

/* runnable tasks of the machine, this one included; -errno where /proc is not to be had */
static int kernel_runnable(void)
{
	unsigned int n;
	char buf[64];
	loff_t pos = 0;
	ssize_t len;

	if (!loadavg) {
		loadavg = filp_open("/proc/loadavg", O_RDONLY, 0);
		if (IS_ERR(loadavg)) {
			loadavg = NULL;
			return -ENOENT;
		}
	}
	len = kernel_read(loadavg, buf, sizeof(buf) - 1, &pos);
	if (len <= 0)
		return -EIO;
	buf[len] = 0;
	return sscanf(buf, "%*s %*s %*s %u/", &n) == 1 ? n : -EIO;
}

/*
 * In thousandths per CPU.  @cpu: where the kernel does not say how many there are, the
 * others are taken to want the CPU time that ours cannot have used.
 */
static u32 measure_runnable(u32 cpu)
{
	static u64 others;		/* thousandths, of the whole machine */
	unsigned int cpus = num_online_cpus();
	int running = kernel_runnable();
	u64 own = ctm_process_runnable() * 1000ull, used = div_u64((u64)cpu * cpus, 100), all, more;

	all = running < 0 ? used : max(running - 1, 0) * 1000ull;
	others += div_u64(all > own ? all - own : 0, OTHERS_WEIGHT);
	others -= div_u64(others, OTHERS_WEIGHT);
	/* while there is idle time, nobody waits for long: what is used is what is wanted */
	more = cpu < FULL ? min(others, used) : others;
	return min_t(u64, div_u64(own + more, cpus), U32_MAX);
}

static void take_sample(void)
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
	s.runnable = measure_runnable(s.cpu);
	s.pressure = s.cpu + 2 * s.mem;
	s.load = s.pressure / max(ctm_peers_live(), 1u);
	spin_lock(&sample_lock);
	sample = s;
	spin_unlock(&sample_lock);
}

static void measure(struct work_struct *work)
{
	struct ctm_load now;

	/*
	 * A timer woke us, and in the same moment whatever else waited for that tick:
	 * look a little later, at no particular one.
	 */
	usleep_range(500, 500 + get_random_u32() % 4096);
	take_sample();
	ctm_load_get(&now);
	mutex_lock(&listener_lock);
	if (listener)
		listener(&now);
	mutex_unlock(&listener_lock);

	/* every 100 ms, not 100 ms after the last; but what was missed stays missed */
	next_sample += msecs_to_jiffies(CTM_LOAD_MS);
	if (time_before_eq(next_sample, jiffies))
		next_sample = jiffies + 1;
	queue_delayed_work(load_wq, &measure_work, next_sample - jiffies);
}

void ctm_load_get(struct ctm_load *out)
{
	spin_lock(&sample_lock);
	*out = sample;
	spin_unlock(&sample_lock);
}

void ctm_load_on_sample(void (*fn)(const struct ctm_load *now))
{
	mutex_lock(&listener_lock);
	listener = fn;
	mutex_unlock(&listener_lock);
}

int ctm_load_init(void)
{
	load_wq = alloc_ordered_workqueue("ctm_load", 0);
	if (!load_wq)
		return -ENOMEM;
	take_sample();			/* nobody is to find an empty one */
	next_sample = jiffies;
	queue_delayed_work(load_wq, &measure_work, msecs_to_jiffies(CTM_LOAD_MS));
	return 0;
}

void ctm_load_exit(void)
{
	cancel_delayed_work_sync(&measure_work);
	destroy_workqueue(load_wq);
	if (loadavg)
		filp_close(loadavg, NULL);
}
