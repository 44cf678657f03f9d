// SPDX-License-Identifier: GPL-2.0
/*
 * main.c - the module's life: parts come up in this order and go down in reverse
 *
 * What hands work in from outside (the device, netlink, the network) comes last
 * and goes first; so a part never serves before what it calls is there.
 */
#include <linux/module.h>

#include "asm/asm.h"
#include "balance.h"
#include "chardev.h"
#include "courier.h"
#include "fork.h"
#include "handoff_io.h"
#include "journey.h"
#include "keeper.h"
#include "land.h"
#include "load.h"
#include "net/transport.h"
#include "netlink.h"
#include "node.h"
#include "process.h"
#include "property.h"
#include "reaper.h"
#include "recover.h"
#include "rfile.h"
#include "sighook.h"
#include "signals.h"
#include "store.h"
#include "term.h"
#include "tick.h"

struct part {
	const char *name;
	int (*init)(void);
	void (*exit)(void);
};

static void nothing(void)
{
}

static const struct part parts[] = {
	{ "asm",	ctm_asm_selftest,	nothing },
	{ "node",	ctm_node_init,		ctm_node_exit },
	{ "sighook",	ctm_sighook_init,	ctm_sighook_exit },
	{ "process",	ctm_process_init,	ctm_process_exit },
	{ "load",	ctm_load_init,		ctm_load_exit },
	{ "tick",	ctm_tick_init,		ctm_tick_exit },
	{ "reaper",	ctm_reaper_init,	ctm_reaper_exit },
	{ "signals",	ctm_signals_init,	ctm_signals_exit },
	{ "store",	ctm_store_init,		ctm_store_exit },
	{ "rfile",	ctm_rfile_init,		ctm_rfile_exit },
	{ "term",	ctm_term_init,		ctm_term_exit },
	{ "keeper",	ctm_keeper_init,	ctm_keeper_exit },
	{ "courier",	ctm_courier_init,	ctm_courier_exit },
	{ "property",	ctm_property_init,	ctm_property_exit },
	{ "handoff",	ctm_handoff_io_init,	ctm_handoff_io_exit },
	{ "journey",	ctm_journey_init,	ctm_journey_exit },
	{ "land",	ctm_land_init,		ctm_land_exit },
	{ "fork",	ctm_fork_init,		ctm_fork_exit },
	{ "balance",	ctm_balance_init,	ctm_balance_exit },
	{ "recover",	ctm_recover_init,	ctm_recover_exit },
	{ "net",	ctm_net_init,		ctm_net_exit },
	{ "netlink",	ctm_netlink_init,	ctm_netlink_exit },
	{ "device",	ctm_chardev_init,	ctm_chardev_exit },
};

static void unwind(unsigned int n)
{
	while (n--)
		parts[n].exit();
}

static int __init ctm_init(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		err = parts[i].init();
		if (err) {
			pr_err("continuum: %s: cannot start: %d\n", parts[i].name, err);
			unwind(i);
			return err;
		}
	}
	return 0;
}

static void __exit ctm_exit(void)
{
	unwind(ARRAY_SIZE(parts));
}

module_init(ctm_init);
module_exit(ctm_exit);
MODULE_DESCRIPTION("Continuum: live process migration and a self-governing cluster");
MODULE_LICENSE("GPL");
