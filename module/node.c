// SPDX-License-Identifier: GPL-2.0
/*
 * node.c - this node: what it is called, what it allows, its counters
 *
 * One machine, one node: file scope.  node_mutex serializes the commands that take
 * it up and down.  config_lock covers the configuration for readers; the name and
 * the ids change only while the node is down, so that a pointer to the name is
 * good as long as it is up.
 */
#include <linux/cpumask.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include "abi.h"
#include "load.h"
#include "net/ktls.h"
#include "net/peers.h"
#include "node.h"
#include "process.h"

static DEFINE_MUTEX(node_mutex);
static DEFINE_SPINLOCK(config_lock);
static struct ctm_node_config config;		/* config_lock */
static struct ctm_wire_card own_card;		/* config_lock; as last measured */
static bool node_is_up;
static bool draining;				/* balance.c's; a copy for whom it concerns */
static atomic64_t counters[CTM_CNT_MAX];

/* ---- counters ---- */

static const char * const counter_names[CTM_CNT_MAX] = {
	[CTM_CNT_BAD_HELLO]		= "bad_hello",
	[CTM_CNT_BAD_TAG]		= "bad_tag",
	[CTM_CNT_REPLAYED]		= "replayed",
	[CTM_CNT_TRUNCATED]		= "truncated",
	[CTM_CNT_OVERSIZED]		= "oversized",
	[CTM_CNT_GARBAGE]		= "garbage",
	[CTM_CNT_HANDOFF_OUT]		= "handoff_out",
	[CTM_CNT_HANDOFF_IN]		= "handoff_in",
	[CTM_CNT_HANDOFF_ABORTED]	= "handoff_aborted",
	[CTM_CNT_HANDOFF_REFUSED]	= "handoff_refused",
	[CTM_CNT_SIGNALS]		= "signals",
	[CTM_CNT_BAD_IMAGE]		= "bad_image",
	[CTM_CNT_UNKNOWN]		= "unknown_sender",
	[CTM_CNT_VALVE_MOVED]		= "valve_moved",
	[CTM_CNT_VALVE_REFUSED]		= "valve_refused",
	[CTM_CNT_VALVE_FAILED]		= "valve_failed",
	[CTM_CNT_DRAIN_MOVED]		= "drain_moved",
	[CTM_CNT_NOT_ADMITTED]		= "not_admitted",
	[CTM_CNT_REAPED]		= "reaped",
	[CTM_CNT_SIGNALS_RELAYED]	= "signals_relayed",
	[CTM_CNT_SIGNALS_DROPPED]	= "signals_dropped",
	[CTM_CNT_SIGNALS_LATE]		= "signals_late",
	[CTM_CNT_FLOODED]		= "flooded",
	[CTM_CNT_BAD_GOSSIP]		= "bad_gossip",
	[CTM_CNT_BLOCKS_CORRUPT]	= "blocks_corrupt",
	[CTM_CNT_BLOCKS_REPAIRED]	= "blocks_repaired",
	[CTM_CNT_FORKED_OUT]		= "forked_out",
	[CTM_CNT_FORKED_IN]		= "forked_in",
};

void ctm_count(enum ctm_counter c)
{
	atomic64_inc(&counters[c]);
}

u64 ctm_counter(enum ctm_counter c)
{
	return atomic64_read(&counters[c]);
}

const char *ctm_counter_name(enum ctm_counter c)
{
	return counter_names[c] ?: "unnamed";
}

/* ---- what it is ---- */

void ctm_node_config(struct ctm_node_config *out)
{
	unsigned long flags;

	spin_lock_irqsave(&config_lock, flags);
	*out = config;
	spin_unlock_irqrestore(&config_lock, flags);
}

bool ctm_node_is_up(void)
{
	/* pairs with the release in ctm_node_up(): whoever sees it up sees the rest */
	return smp_load_acquire(&node_is_up);
}

u32 ctm_node_id(void)
{
	return ctm_node_is_up() ? config.id : 0;
}

u64 ctm_node_boot(void)
{
	return ctm_node_is_up() ? config.boot : 0;
}

const char *ctm_node_name(void)
{
	return ctm_node_is_up() ? config.name : "";
}

bool ctm_node_allow_root(void)
{
	return READ_ONCE(config.allow_root);
}

bool ctm_node_accepting(void)
{
	return READ_ONCE(config.accepting) && !READ_ONCE(draining);
}

void ctm_node_set_draining(bool on)
{
	WRITE_ONCE(draining, on);
}

/* ---- what it tells of itself ---- */

void ctm_peer_card(struct ctm_wire_card *card)
{
	unsigned long flags;

	spin_lock_irqsave(&config_lock, flags);
	*card = own_card;
	spin_unlock_irqrestore(&config_lock, flags);
}

void ctm_node_refresh(void)
{
	unsigned int processes = ctm_process_count_here();
	unsigned int cpus = min(num_online_cpus(), CTM_WIRE_CARD_CPUS >> CTM_WIRE_CARD_CPUS_SHIFT);
	struct ctm_wire_card card = { };
	unsigned long flags;
	struct ctm_load l;

	ctm_load_get(&l);
	card.processes = cpu_to_le32(processes);
	card.free_mib = cpu_to_le32(l.free_mib);
	card.load = cpu_to_le32(l.load);
	card.pressure = cpu_to_le32(l.pressure);
	card.cpu = cpu_to_le32(l.cpu);
	card.mem = cpu_to_le32(l.mem);
	card.runnable = cpu_to_le32(l.runnable);
	ctm_abi_to_wire(&card.abi, ctm_abi_self());
	spin_lock_irqsave(&config_lock, flags);
	memcpy(card.name, config.name, sizeof(card.name));
	card.flags = cpu_to_le32((ctm_node_accepting() ? CTM_WIRE_CARD_ACCEPTING : 0) |
				 cpus << CTM_WIRE_CARD_CPUS_SHIFT);
	own_card = card;
	spin_unlock_irqrestore(&config_lock, flags);
}

/* ---- up and down ---- */

static void set_config(const struct ctm_node_config *cfg)
{
	unsigned long flags;

	spin_lock_irqsave(&config_lock, flags);
	config = *cfg;
	spin_unlock_irqrestore(&config_lock, flags);
}

static int net_up(const struct ctm_node_config *cfg, char *why)
{
	int err;

	err = ctm_dgram_up(cfg, why);
	if (err)
		return err;
	err = ctm_tcp_up(cfg, why);
	if (err)
		goto err_dgram;
	err = ctm_peers_up();
	if (err)
		goto err_tcp;
	return 0;

err_tcp:
	ctm_tcp_down();
err_dgram:
	ctm_dgram_down();
	return err;
}

int ctm_node_up(const struct ctm_node_config *cfg, const u8 (*keys)[CTM_NODE_KEY],
		unsigned int nkeys, char *why)
{
	struct ctm_node_config mine = *cfg;
	int err;

	mutex_lock(&node_mutex);
	err = -EALREADY;
	if (node_is_up) {
		snprintf(why, CTM_REASON_MAX, "the node is up already, as %s (continuumctl down)", config.name);
		goto out;
	}
	err = ctm_abi_probe();
	if (err) {
		snprintf(why, CTM_REASON_MAX, "the caller has no 64-bit vDSO: start continuumd as a 64-bit program, and the kernel without vdso=0");
		goto out;
	}
	err = ctm_auth_set_keys(keys, nkeys);
	if (err)
		goto out;
	do {
		mine.boot = get_random_u64();
	} while (!mine.boot);
	set_config(&mine);
	ctm_node_refresh();
	/* a peer may come as soon as the sockets listen */
	smp_store_release(&node_is_up, true);
	err = net_up(&mine, why);
	if (err) {
		smp_store_release(&node_is_up, false);
		ctm_auth_forget();
		goto out;
	}
	pr_info("continuum: node %s (id %08x) is up in cluster %s%s\n", mine.name, mine.id,
		mine.cluster, mine.encrypt ? "" : ", not encrypted");
out:
	mutex_unlock(&node_mutex);
	if (err && !why[0])
		snprintf(why, CTM_REASON_MAX, "the node cannot come up (error %d)", -err);
	return err;
}

/* "2 processes live here: alpha.17 (make), ..." */
static void list_processes(unsigned int n, char *why)
{
	struct ctm_info *all = NULL;
	unsigned int total = 0, i;
	size_t len;

	len = scnprintf(why, CTM_REASON_MAX, "%u process%s here (continuumctl drain moves them):",
			n, n == 1 ? " lives" : "es live");
	if (ctm_process_snapshot(&all, &total, false))
		return;
	for (i = 0; i < total && len < CTM_REASON_MAX - 1; i++)
		if (all[i].host == config.id)
			len += scnprintf(why + len, CTM_REASON_MAX - len, " %s.%u (%.15s)",
					 all[i].home_name, CTM_GPID_SEQ(all[i].gpid), all[i].comm);
	kvfree(all);
}

int ctm_node_down(bool force, char *why)
{
	unsigned int n;

	mutex_lock(&node_mutex);
	if (!node_is_up)
		goto out;
	n = ctm_process_count_here();
	if (n && !force) {
		list_processes(n, why);
		mutex_unlock(&node_mutex);
		return -EBUSY;
	}
	ctm_peers_leave();
	/* no new connection, no new call from here on */
	smp_store_release(&node_is_up, false);
	ctm_tcp_down();
	ctm_dgram_down();
	ctm_peers_down();
	ctm_auth_forget();
	ctm_ktls_unregister();
	pr_info("continuum: node %s is down\n", config.name);
out:
	mutex_unlock(&node_mutex);
	return 0;
}

static int while_up(char *why)
{
	lockdep_assert_held(&node_mutex);
	if (node_is_up)
		return 0;
	snprintf(why, CTM_REASON_MAX, "the node is not up: continuumctl up");
	return -ENETDOWN;
}

int ctm_node_join(const struct ctm_addr *addr, bool wait, char *why)
{
	int err;

	mutex_lock(&node_mutex);
	err = while_up(why) ?: ctm_peers_join(addr, wait, why);
	mutex_unlock(&node_mutex);
	return err;
}

int ctm_node_leave(char *why)
{
	int err;

	mutex_lock(&node_mutex);
	err = while_up(why);
	if (!err)
		ctm_peers_leave();
	mutex_unlock(&node_mutex);
	return err;
}

void ctm_node_set_flag(enum ctm_node_flag flag, bool on)
{
	unsigned long flags;

	spin_lock_irqsave(&config_lock, flags);
	switch (flag) {
	case CTM_NODE_ENCRYPT:
		config.encrypt = on;
		break;
	case CTM_NODE_ALLOW_ROOT:
		WRITE_ONCE(config.allow_root, on);
		break;
	case CTM_NODE_ACCEPTING:
		WRITE_ONCE(config.accepting, on);
		break;
	}
	spin_unlock_irqrestore(&config_lock, flags);
}

int ctm_node_init(void)
{
	return 0;
}

void ctm_node_exit(void)
{
}

/* ---- the network as a part of the module ---- */

int ctm_net_init(void)
{
	int err;

	err = ctm_ktls_init();
	if (err)
		return err;
	err = ctm_peers_init();
	if (err)
		goto err_ktls;
	ctm_call_init();
	return 0;

err_ktls:
	ctm_ktls_exit();
	return err;
}

/* What handed work in from user space is gone already; the rest still stands. */
void ctm_net_exit(void)
{
	char why[CTM_REASON_MAX];

	ctm_node_down(true, why);
	ctm_call_exit();
	ctm_peers_exit();
	ctm_tcp_exit();
	ctm_ktls_exit();
}
