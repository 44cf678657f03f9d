// SPDX-License-Identifier: GPL-2.0
/*
 * netlink.c - the generic netlink family "continuum"
 *
 * The outside is described in <linux/continuum_netlink.h>.  Commands run in the
 * context of whoever sent them, side by side (parallel_ops); what must not run
 * side by side is serialized in node.c.
 */
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <net/genetlink.h>
#include <net/ipv6.h>
#include "balance.h"
#include "compat/compat.h"
#include "core/wire.h"
#include "fork.h"
#include "load.h"
#include "events.h"
#include "netlink.h"
#include "net/ktls.h"
#include "net/peers.h"
#include "process.h"
#include "store.h"
#include "tick.h"

static struct genl_family family;

/* ---- refusing ---- */

/*
 * The text of an extended acknowledgement is read after the command has returned,
 * and the kernel's own formatting stops at 80 bytes: so a ring of texts, used in
 * turn.  It would take so many refusals at one moment to garble one.
 */
#define TEXTS	64u
static char texts[TEXTS][CTM_REASON_MAX];
static atomic_t next_text;

static int refuse(struct genl_info *info, int err, const char *why)
{
	char *text = texts[(unsigned int)atomic_inc_return(&next_text) % TEXTS];

	strscpy(text, why, CTM_REASON_MAX);
	if (info->extack)
		info->extack->_msg = text;
	return err;
}

static int refuse_attr(struct genl_info *info, const struct nlattr *attr, const char *why)
{
	if (info->extack && attr)
		NL_SET_BAD_ATTR(info->extack, attr);
	return refuse(info, -EINVAL, why);
}

static int need_admin(struct sk_buff *skb, struct genl_info *info)
{
	if (netlink_capable(skb, CAP_NET_ADMIN))
		return 0;
	return refuse(info, -EPERM, "this needs CAP_NET_ADMIN: run it as root (sudo)");
}

/* ---- attributes ---- */

#define BOOLEAN	NLA_POLICY_MAX(NLA_U8, 1)

static const struct nla_policy node_policy[CTM_NODE_A_MAX + 1] = {
	[CTM_NODE_A_NAME]	= { .type = NLA_NUL_STRING, .len = CTM_NAME_MAX - 1 },
	[CTM_NODE_A_ID]		= { .type = NLA_U32 },
	[CTM_NODE_A_MACHINE_ID]	= NLA_POLICY_EXACT_LEN(CTM_MACHINE_ID_LEN),
	[CTM_NODE_A_CLUSTER]	= { .type = NLA_NUL_STRING, .len = CTM_NAME_MAX - 1 },
	[CTM_NODE_A_KEY]	= NLA_POLICY_EXACT_LEN(CTM_KEY_LEN),
	[CTM_NODE_A_KEY_OLD]	= NLA_POLICY_EXACT_LEN(CTM_KEY_LEN),
	[CTM_NODE_A_ADDR]	= { .type = NLA_BINARY, .len = 16 },
	[CTM_NODE_A_PORT]	= { .type = NLA_U16 },
	[CTM_NODE_A_ENCRYPT]	= BOOLEAN,
	[CTM_NODE_A_ALLOW_ROOT]	= BOOLEAN,
	[CTM_NODE_A_ACCEPTING]	= BOOLEAN,
	[CTM_NODE_A_PAGE]	= { .type = NLA_U64 },
	[CTM_NODE_A_FORCE]	= { .type = NLA_FLAG },
	[CTM_NODE_A_T_HIGH]	= { .type = NLA_U32 },
	[CTM_NODE_A_T_LOW]	= { .type = NLA_U32 },
	[CTM_NODE_A_VALVE]	= BOOLEAN,
	[CTM_NODE_A_WATCHDOG]	= BOOLEAN,
	[CTM_NODE_A_CONTENTION]	= BOOLEAN,
	[CTM_NODE_A_FAMILY_BUDGET] = NLA_POLICY_MIN(NLA_U32, 1),
	[CTM_NODE_A_DRAIN]	= NLA_POLICY_MAX(NLA_U8, 2),
	[CTM_NODE_A_BLOCKS_NODE_MIB]	= { .type = NLA_U32 },
	[CTM_NODE_A_BLOCKS_OWNER_MIB]	= { .type = NLA_U32 },
};

static const struct nla_policy peer_policy[CTM_PEER_A_MAX + 1] = {
	[CTM_PEER_A_ID]		= { .type = NLA_U32 },
	[CTM_PEER_A_NAME]	= { .type = NLA_NUL_STRING, .len = CTM_NAME_MAX - 1 },
	[CTM_PEER_A_ADDR]	= { .type = NLA_BINARY, .len = 16 },
	[CTM_PEER_A_PORT]	= { .type = NLA_U16 },
	[CTM_PEER_A_BACKGROUND]	= { .type = NLA_FLAG },
};

static const struct nla_policy process_policy[CTM_PROCESS_A_MAX + 1] = {
	[CTM_PROCESS_A_ENDED]	= { .type = NLA_FLAG },
};

/* a request has none of them */
static const struct nla_policy blocks_policy[CTM_BLOCKS_A_MAX + 1] = { };

static const struct nla_policy event_policy[CTM_EVENT_A_MAX + 1] = {
	[CTM_EVENT_A_SEQ] = { .type = NLA_U64 },
};

static bool get_bool(struct nlattr *attr, bool unset)
{
	return attr ? nla_get_u8(attr) : unset;
}

static u16 get_port(struct nlattr *attr)
{
	u16 port = attr ? nla_get_u16(attr) : 0;

	return port ?: CTM_PORT;
}

/* 4 or 16 bytes; IPv4 comes out mapped into IPv6 */
static int get_ip(struct nlattr *attr, struct in6_addr *ip)
{
	if (nla_len(attr) == sizeof(*ip)) {
		*ip = nla_get_in6_addr(attr);
		return 0;
	}
	if (nla_len(attr) != sizeof(__be32))
		return -EINVAL;
	ipv6_addr_set_v4mapped(nla_get_in_addr(attr), ip);
	return 0;
}

static int put_ip(struct sk_buff *skb, int type, const struct in6_addr *ip)
{
	if (ipv6_addr_v4mapped(ip))
		return nla_put_in_addr(skb, type, ip->s6_addr32[3]);
	return nla_put_in6_addr(skb, type, ip);
}

/* a name for life: letters, digits, - _ . */
static int get_name(struct genl_info *info, int type, char out[CTM_NAME_MAX], const char *why)
{
	struct nlattr *attr = info->attrs[type];

	memset(out, 0, CTM_NAME_MAX);
	if (attr)
		nla_strscpy(out, attr, CTM_NAME_MAX);
	if (!ctm_wire_name_ok(out, CTM_NAME_MAX))
		return refuse_attr(info, attr, why);
	return 0;
}

/* ---- NODE_UP, NODE_DOWN, NODE_SET ---- */

static int read_config(struct genl_info *info, struct ctm_node_config *cfg)
{
	struct nlattr **a = info->attrs;
	int err;

	memset(cfg, 0, sizeof(*cfg));
	err = get_name(info, CTM_NODE_A_NAME, cfg->name,
		       "name: a node needs one, of 1 to 63 letters, digits, '-', '_', '.'");
	if (err)
		return err;
	err = get_name(info, CTM_NODE_A_CLUSTER, cfg->cluster,
		       "cluster: it needs a name, of 1 to 63 letters, digits, '-', '_', '.'");
	if (err)
		return err;
	if (!a[CTM_NODE_A_ID] || !nla_get_u32(a[CTM_NODE_A_ID]))
		return refuse_attr(info, a[CTM_NODE_A_ID], "id: the node id is missing, or 0");
	if (!a[CTM_NODE_A_MACHINE_ID])
		return refuse(info, -EINVAL, "the machine id is missing (/etc/machine-id)");
	cfg->id = nla_get_u32(a[CTM_NODE_A_ID]);
	memcpy(cfg->machine, nla_data(a[CTM_NODE_A_MACHINE_ID]), sizeof(cfg->machine));
	ipv6_addr_set_v4mapped(htonl(INADDR_ANY), &cfg->addr);
	if (a[CTM_NODE_A_ADDR] && get_ip(a[CTM_NODE_A_ADDR], &cfg->addr))
		return refuse_attr(info, a[CTM_NODE_A_ADDR], "address: 4 or 16 bytes");
	cfg->port = get_port(a[CTM_NODE_A_PORT]);
	cfg->encrypt = get_bool(a[CTM_NODE_A_ENCRYPT], true);
	cfg->allow_root = get_bool(a[CTM_NODE_A_ALLOW_ROOT], false);
	cfg->accepting = get_bool(a[CTM_NODE_A_ACCEPTING], true);
	return 0;
}

/* what @info says of the valve, over what @cfg has */
static void read_valve(struct genl_info *info, struct ctm_po_config *cfg)
{
	struct nlattr **a = info->attrs;

	if (a[CTM_NODE_A_T_HIGH])
		cfg->t_high = nla_get_u32(a[CTM_NODE_A_T_HIGH]);
	if (a[CTM_NODE_A_T_LOW])
		cfg->t_low = nla_get_u32(a[CTM_NODE_A_T_LOW]);
	cfg->valve = get_bool(a[CTM_NODE_A_VALVE], cfg->valve);
	cfg->watchdog = get_bool(a[CTM_NODE_A_WATCHDOG], cfg->watchdog);
	cfg->contention = get_bool(a[CTM_NODE_A_CONTENTION], cfg->contention);
}

static u32 get_budget(struct genl_info *info)
{
	struct nlattr *budget = info->attrs[CTM_NODE_A_FAMILY_BUDGET];

	return budget ? nla_get_u32(budget) : CTM_FAMILY_BUDGET;
}

static void set_quota(struct genl_info *info, struct ctm_store_quota q)
{
	struct nlattr **a = info->attrs;

	if (a[CTM_NODE_A_BLOCKS_NODE_MIB])
		q.node = nla_get_u32(a[CTM_NODE_A_BLOCKS_NODE_MIB]);
	if (a[CTM_NODE_A_BLOCKS_OWNER_MIB])
		q.owner = nla_get_u32(a[CTM_NODE_A_BLOCKS_OWNER_MIB]);
	ctm_store_set_quota(&q);
}

static int read_keys(struct genl_info *info, u8 keys[CTM_NODE_KEYS][CTM_NODE_KEY],
		     unsigned int *n)
{
	struct nlattr *key = info->attrs[CTM_NODE_A_KEY];
	struct nlattr *old = info->attrs[CTM_NODE_A_KEY_OLD];

	if (!key || !memchr_inv(nla_data(key), 0, CTM_NODE_KEY))
		return refuse_attr(info, key, "key: the cluster key is missing (continuumctl genkey > /etc/continuum/cluster.key)");
	memcpy(keys[0], nla_data(key), CTM_NODE_KEY);
	*n = 1;
	if (old && memchr_inv(nla_data(old), 0, CTM_NODE_KEY)) {
		memcpy(keys[1], nla_data(old), CTM_NODE_KEY);
		*n = 2;
	}
	return 0;
}

static int register_page(struct genl_info *info)
{
	struct nlattr *page = info->attrs[CTM_NODE_A_PAGE];
	int err;

	if (!page)
		return 0;
	err = ctm_ktls_register(nla_get_u64(page));
	if (!err)
		return 0;
	refuse_attr(info, page, "page: not the address of a writable page of the caller");
	return err;
}

static int do_node_up(struct sk_buff *skb, struct genl_info *info)
{
	u8 keys[CTM_NODE_KEYS][CTM_NODE_KEY];
	struct ctm_po_config valve = ctm_po_default;
	char why[CTM_REASON_MAX] = "";
	struct ctm_node_config cfg;
	unsigned int nkeys;
	int err;

	err = need_admin(skb, info) ?: read_config(info, &cfg) ?: read_keys(info, keys, &nkeys);
	if (err)
		return err;
	if (CTM_TLS_KEYS_FROM_USER && cfg.encrypt && !info->attrs[CTM_NODE_A_PAGE]) {
		err = refuse(info, -EINVAL, "page: this kernel takes the keys of encrypted connections only from a page of continuumd");
		goto out;
	}
	if (ctm_node_is_up()) {
		err = refuse(info, -EALREADY, "the node is up already (continuumctl down)");
		goto out;
	}
	read_valve(info, &valve);
	ctm_fork_set_budget(get_budget(info));
	set_quota(info, (struct ctm_store_quota){});
	err = register_page(info);
	if (err)
		goto out;
	err = ctm_balance_up(&valve, why) ?: ctm_node_up(&cfg, keys, nkeys, why);
	if (err)
		refuse(info, err, why);
out:
	memzero_explicit(keys, sizeof(keys));
	return err;
}

static int do_node_down(struct sk_buff *skb, struct genl_info *info)
{
	char why[CTM_REASON_MAX] = "";
	int err;

	err = need_admin(skb, info);
	if (err)
		return err;
	err = ctm_node_down(nla_get_flag(info->attrs[CTM_NODE_A_FORCE]), why);
	return err ? refuse(info, err, why) : 0;
}

static const u8 *get_key(struct nlattr *attr)
{
	return attr ? nla_data(attr) : NULL;
}

static int do_node_set(struct sk_buff *skb, struct genl_info *info)
{
	static const struct { int attr; enum ctm_node_flag flag; } flags[] = {
		{ CTM_NODE_A_ENCRYPT, CTM_NODE_ENCRYPT },
		{ CTM_NODE_A_ALLOW_ROOT, CTM_NODE_ALLOW_ROOT },
		{ CTM_NODE_A_ACCEPTING, CTM_NODE_ACCEPTING },
	};
	struct nlattr **a = info->attrs;
	char why[CTM_REASON_MAX] = "";
	struct ctm_store_quota quota;
	struct ctm_po_config valve;
	unsigned int i;
	int err;

	err = need_admin(skb, info);
	if (err)
		return err;
	if (!ctm_node_is_up())
		return refuse(info, -ENETDOWN, "the node is not up: continuumctl up");
	if (a[CTM_NODE_A_KEY] && !memchr_inv(nla_data(a[CTM_NODE_A_KEY]), 0, CTM_NODE_KEY))
		return refuse_attr(info, a[CTM_NODE_A_KEY], "key: all zeros");
	ctm_balance_config(&valve);
	read_valve(info, &valve);
	err = ctm_balance_wrong(&valve, why);
	if (err)
		return refuse(info, err, why);
	err = register_page(info);
	if (err)
		return err;
	ctm_balance_set(&valve);
	if (a[CTM_NODE_A_FAMILY_BUDGET])
		ctm_fork_set_budget(get_budget(info));
	ctm_store_quota(&quota);
	set_quota(info, quota);
	if (a[CTM_NODE_A_DRAIN])
		ctm_balance_drain(nla_get_u8(a[CTM_NODE_A_DRAIN]), nla_get_u8(a[CTM_NODE_A_DRAIN]) == 2);
	if (a[CTM_NODE_A_KEY] || a[CTM_NODE_A_KEY_OLD])
		ctm_auth_rotate(get_key(a[CTM_NODE_A_KEY]), get_key(a[CTM_NODE_A_KEY_OLD]));
	for (i = 0; i < ARRAY_SIZE(flags); i++)
		if (a[flags[i].attr])
			ctm_node_set_flag(flags[i].flag, nla_get_u8(a[flags[i].attr]));
	return 0;
}

/* ---- NODE_GET ---- */

static int put_counter(struct sk_buff *skb, enum ctm_counter c)
{
	struct nlattr *item = nla_nest_start(skb, CTM_COUNTER_A_ITEM);

	if (!item || nla_put_string(skb, CTM_COUNTER_A_NAME, ctm_counter_name(c)) ||
	    nla_put_u64_64bit(skb, CTM_COUNTER_A_VALUE, ctm_counter(c), CTM_COUNTER_A_PAD))
		return -EMSGSIZE;
	nla_nest_end(skb, item);
	return 0;
}

static int put_counters(struct sk_buff *skb)
{
	struct nlattr *nest = nla_nest_start(skb, CTM_NODE_A_COUNTERS);
	enum ctm_counter c;

	if (!nest)
		return -EMSGSIZE;
	for (c = 0; c < CTM_CNT_MAX; c++)
		if (put_counter(skb, c))
			return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

#define SEEDS_SHOWN	64u

static int put_seed(struct sk_buff *skb, const struct ctm_addr *addr)
{
	struct nlattr *item = nla_nest_start(skb, CTM_SEED_A_ITEM);

	if (!item || put_ip(skb, CTM_PEER_A_ADDR, &addr->ip) ||
	    nla_put_u16(skb, CTM_PEER_A_PORT, addr->port))
		return -EMSGSIZE;
	nla_nest_end(skb, item);
	return 0;
}

static int put_seeds(struct sk_buff *skb)
{
	struct ctm_addr *seeds;
	struct nlattr *nest;
	unsigned int n, i;
	int err = 0;

	seeds = kmalloc_array(SEEDS_SHOWN, sizeof(*seeds), GFP_KERNEL);
	if (!seeds)
		return -ENOMEM;
	n = ctm_peer_seeds(seeds, SEEDS_SHOWN);
	nest = nla_nest_start(skb, CTM_NODE_A_SEEDS);
	if (!nest)
		err = -EMSGSIZE;
	for (i = 0; i < n && !err; i++)
		err = put_seed(skb, &seeds[i]);
	if (!err)
		nla_nest_end(skb, nest);
	kfree(seeds);
	return err;
}

static int put_identity(struct sk_buff *skb)
{
	struct ctm_node_config cfg;

	ctm_node_config(&cfg);
	if (nla_put_string(skb, CTM_NODE_A_NAME, cfg.name) ||
	    nla_put_u32(skb, CTM_NODE_A_ID, cfg.id) ||
	    nla_put_u64_64bit(skb, CTM_NODE_A_BOOT, cfg.boot, CTM_NODE_A_PAD) ||
	    nla_put_string(skb, CTM_NODE_A_CLUSTER, cfg.cluster) ||
	    put_ip(skb, CTM_NODE_A_ADDR, &cfg.addr) ||
	    nla_put_u16(skb, CTM_NODE_A_PORT, cfg.port) ||
	    nla_put_u8(skb, CTM_NODE_A_ENCRYPT, cfg.encrypt) ||
	    nla_put_u8(skb, CTM_NODE_A_ALLOW_ROOT, cfg.allow_root) ||
	    nla_put_u8(skb, CTM_NODE_A_ACCEPTING, cfg.accepting) ||
	    nla_put_u8(skb, CTM_NODE_A_DAEMON, ctm_ktls_daemon()))
		return -EMSGSIZE;
	return 0;
}

static int put_valve(struct sk_buff *skb)
{
	struct ctm_balance_status now;
	struct ctm_store_quota quota;
	struct ctm_po_config cfg;

	ctm_balance_config(&cfg);
	ctm_balance_status(&now);
	ctm_store_quota(&quota);
	if (nla_put_string(skb, CTM_NODE_A_MODE, now.mode) ||
	    nla_put_u8(skb, CTM_NODE_A_DRAINED, now.drained) ||
	    nla_put_u32(skb, CTM_NODE_A_T_HIGH, cfg.t_high) ||
	    nla_put_u32(skb, CTM_NODE_A_T_LOW, cfg.t_low) ||
	    nla_put_u8(skb, CTM_NODE_A_VALVE, cfg.valve) ||
	    nla_put_u8(skb, CTM_NODE_A_WATCHDOG, cfg.watchdog) ||
	    nla_put_u8(skb, CTM_NODE_A_CONTENTION, cfg.contention) ||
	    nla_put_u32(skb, CTM_NODE_A_FAMILY_BUDGET, ctm_fork_budget()) ||
	    nla_put_u32(skb, CTM_NODE_A_BLOCKS_NODE_MIB, quota.node) ||
	    nla_put_u32(skb, CTM_NODE_A_BLOCKS_OWNER_MIB, quota.owner))
		return -EMSGSIZE;
	return 0;
}

static int put_state(struct sk_buff *skb)
{
	const struct ctm_abi *abi = ctm_abi_self();
	struct ctm_load l;

	ctm_load_get(&l);
	if (nla_put_u32(skb, CTM_NODE_A_PEERS, ctm_peers_live()) ||
	    nla_put_u32(skb, CTM_NODE_A_PROCESSES, ctm_process_count_here()) ||
	    nla_put_u32(skb, CTM_NODE_A_LOAD, l.load) ||
	    nla_put_u32(skb, CTM_NODE_A_PRESSURE, l.pressure) ||
	    nla_put_u32(skb, CTM_NODE_A_CPU, l.cpu) ||
	    nla_put_u32(skb, CTM_NODE_A_MEM, l.mem) ||
	    nla_put_u32(skb, CTM_NODE_A_RUNNABLE, l.runnable) ||
	    nla_put_u32(skb, CTM_NODE_A_FREE_MIB, l.free_mib) ||
	    nla_put(skb, CTM_NODE_A_VDSO_ID, sizeof(abi->vdso_id), abi->vdso_id) ||
	    nla_put_u64_64bit(skb, CTM_NODE_A_XFEATURES, abi->xfeatures, CTM_NODE_A_PAD) ||
	    nla_put_u32(skb, CTM_NODE_A_XSTATE_SIZE, abi->xstate_size))
		return -EMSGSIZE;
	return 0;
}

static int put_tick(struct sk_buff *skb)
{
	struct ctm_tick_status t;

	ctm_tick_status(&t);
	if (nla_put_string(skb, CTM_NODE_A_TICK, ctm_tick_source_name(t.source)) ||
	    (t.why[0] && nla_put_string(skb, CTM_NODE_A_TICK_WHY, t.why)) ||
	    nla_put_u64_64bit(skb, CTM_NODE_A_TICKS, t.ticks, CTM_NODE_A_PAD) ||
	    nla_put_u64_64bit(skb, CTM_NODE_A_TICK_HITS, t.hits, CTM_NODE_A_PAD))
		return -EMSGSIZE;
	return 0;
}

static int do_node_get(struct sk_buff *skb, struct genl_info *info)
{
	bool up = ctm_node_is_up();
	struct sk_buff *msg;
	void *hdr;

	msg = genlmsg_new(2 * NLMSG_GOODSIZE, GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	hdr = genlmsg_put_reply(msg, info, &family, 0, CTM_CMD_NODE_GET);
	if (!hdr || nla_put_u8(msg, CTM_NODE_A_UP, up) ||
	    nla_put_u32(msg, CTM_NODE_A_ABI_VERSION, CTM_ABI_VERSION) ||
	    (up && (put_identity(msg) || put_state(msg) || put_valve(msg) || put_seeds(msg))) ||
	    put_counters(msg) || put_tick(msg)) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

/* ---- PEER_JOIN, PEER_LEAVE ---- */

static int do_peer_join(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr **a = info->attrs;
	char why[CTM_REASON_MAX] = "";
	struct ctm_addr addr;
	int err;

	err = need_admin(skb, info);
	if (err)
		return err;
	if (!a[CTM_PEER_A_ADDR] || get_ip(a[CTM_PEER_A_ADDR], &addr.ip))
		return refuse_attr(info, a[CTM_PEER_A_ADDR], "address: 4 or 16 bytes");
	if (ipv6_addr_any(&addr.ip) || !memcmp(&addr.ip.s6_addr32[2], "\0\0\xff\xff\0\0\0\0", 8))
		return refuse_attr(info, a[CTM_PEER_A_ADDR], "address: that is no address of a node");
	addr.port = get_port(a[CTM_PEER_A_PORT]);
	err = ctm_node_join(&addr, !nla_get_flag(a[CTM_PEER_A_BACKGROUND]), why);
	return err ? refuse(info, err, why) : 0;
}

static int forget(struct genl_info *info)
{
	struct nlattr **a = info->attrs;
	char name[CTM_NAME_MAX];
	struct ctm_peer_info p;
	int err;

	if (a[CTM_PEER_A_ID]) {
		err = ctm_peer_by_id(nla_get_u32(a[CTM_PEER_A_ID]), &p);
	} else {
		nla_strscpy(name, a[CTM_PEER_A_NAME], sizeof(name));
		err = ctm_peer_by_name(name, &p);
	}
	if (!err)
		err = ctm_peer_forget(p.id);
	if (err == -EBUSY)
		return refuse(info, err, "that peer is alive: take it down there (continuumctl down)");
	return err ? refuse(info, -ENOENT, "no such peer: see continuumctl peers") : 0;
}

static int do_peer_leave(struct sk_buff *skb, struct genl_info *info)
{
	char why[CTM_REASON_MAX] = "";
	int err;

	err = need_admin(skb, info);
	if (err)
		return err;
	if (info->attrs[CTM_PEER_A_ID] || info->attrs[CTM_PEER_A_NAME])
		return forget(info);
	err = ctm_node_leave(why);
	return err ? refuse(info, err, why) : 0;
}

/* ---- dumps: a snapshot is taken in start, freed in done ---- */

struct dump {
	void *rows;
	unsigned int n, next;
};

static struct dump *dump_of(struct netlink_callback *cb)
{
	BUILD_BUG_ON(sizeof(struct dump) > sizeof(cb->ctx));
	return (struct dump *)cb->ctx;
}

static int dump_done(struct netlink_callback *cb)
{
	kvfree(dump_of(cb)->rows);
	return 0;
}

/* as many rows as fit; @put makes the attributes of one */
static int dump_rows(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd,
		     int (*put)(struct sk_buff *skb, const struct dump *d))
{
	struct dump *d = dump_of(cb);
	void *hdr;

	for (; d->next < d->n; d->next++) {
		hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				  &family, NLM_F_MULTI, cmd);
		if (!hdr)
			break;
		if (put(skb, d)) {
			genlmsg_cancel(skb, hdr);
			break;
		}
		genlmsg_end(skb, hdr);
	}
	return skb->len;
}

static int dump_refuse(struct netlink_callback *cb)
{
	if (cb->extack)
		cb->extack->_msg = "the node is not up: continuumctl up";
	return -ENETDOWN;
}

static int peer_start(struct netlink_callback *cb)
{
	struct ctm_peer_row *rows;
	int n;

	if (!ctm_node_is_up())
		return dump_refuse(cb);
	n = ctm_peer_rows(&rows);
	if (n < 0)
		return n;
	*dump_of(cb) = (struct dump){ .rows = rows, .n = n };
	return 0;
}

static int put_peer_numbers(struct sk_buff *skb, const struct ctm_peer_row *r)
{
	if (nla_put_u32(skb, CTM_PEER_A_STATE, r->info.state) ||
	    nla_put_u32(skb, CTM_PEER_A_AGE_MS, r->age_ms) ||
	    nla_put_u32(skb, CTM_PEER_A_LOAD, r->load) ||
	    nla_put_u32(skb, CTM_PEER_A_PRESSURE, r->pressure) ||
	    nla_put_u32(skb, CTM_PEER_A_CPU, r->cpu) ||
	    nla_put_u32(skb, CTM_PEER_A_MEM, r->mem) ||
	    nla_put_u32(skb, CTM_PEER_A_RUNNABLE, r->runnable) ||
	    nla_put_u32(skb, CTM_PEER_A_FREE_MIB, r->info.free_mib) ||
	    nla_put_u32(skb, CTM_PEER_A_PROCESSES, r->info.processes) ||
	    nla_put_u8(skb, CTM_PEER_A_ACCEPTING, r->info.accepting))
		return -EMSGSIZE;
	return 0;
}

static int put_peer(struct sk_buff *skb, const struct dump *d)
{
	const struct ctm_peer_row *r = (const struct ctm_peer_row *)d->rows + d->next;
	char why[CTM_REASON_MAX] = "";
	bool fits = !ctm_abi_compatible(ctm_abi_self(), &r->info.abi, why);

	if (nla_put_u32(skb, CTM_PEER_A_ID, r->info.id) ||
	    nla_put_string(skb, CTM_PEER_A_NAME, r->info.name) ||
	    nla_put_u64_64bit(skb, CTM_PEER_A_BOOT, r->info.boot, CTM_PEER_A_PAD) ||
	    put_ip(skb, CTM_PEER_A_ADDR, &r->addr.ip) ||
	    nla_put_u16(skb, CTM_PEER_A_PORT, r->addr.port) ||
	    put_peer_numbers(skb, r) ||
	    nla_put_u8(skb, CTM_PEER_A_COMPATIBLE, fits) ||
	    (!fits && nla_put_string(skb, CTM_PEER_A_WHY, why)))
		return -EMSGSIZE;
	return 0;
}

static int peer_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_rows(skb, cb, CTM_CMD_PEER_GET, put_peer);
}

static int process_start(struct netlink_callback *cb)
{
	bool ended = nla_get_flag(genl_info_dump(cb)->attrs[CTM_PROCESS_A_ENDED]);
	struct ctm_info *rows = NULL;
	unsigned int n = 0;
	int err;

	if (!ctm_node_is_up())
		return dump_refuse(cb);
	err = ctm_process_snapshot(&rows, &n, ended);
	if (err)
		return err;
	*dump_of(cb) = (struct dump){ .rows = rows, .n = n };
	return 0;
}

static int put_process(struct sk_buff *skb, const struct dump *d)
{
	const struct ctm_info *i = (const struct ctm_info *)d->rows + d->next;

	if (nla_put_u64_64bit(skb, CTM_PROCESS_A_GPID, i->gpid, CTM_PROCESS_A_PAD) ||
	    nla_put_u32(skb, CTM_PROCESS_A_HOME, i->home) ||
	    nla_put_u32(skb, CTM_PROCESS_A_HOST, i->host) ||
	    nla_put_u32(skb, CTM_PROCESS_A_STATE, i->state) ||
	    nla_put_u32(skb, CTM_PROCESS_A_PID, i->pid) ||
	    nla_put_u32(skb, CTM_PROCESS_A_UID, i->uid) ||
	    nla_put_u32(skb, CTM_PROCESS_A_EPOCH, i->epoch) ||
	    nla_put_u32(skb, CTM_PROCESS_A_HOPS, i->hops) ||
	    nla_put_u32(skb, CTM_PROCESS_A_TTL, i->ttl) ||
	    nla_put_u64_64bit(skb, CTM_PROCESS_A_CPU_NS, i->cpu_ns, CTM_PROCESS_A_PAD) ||
	    nla_put_u64_64bit(skb, CTM_PROCESS_A_RSS, i->rss, CTM_PROCESS_A_PAD) ||
	    nla_put_string(skb, CTM_PROCESS_A_COMM, i->comm) ||
	    nla_put_string(skb, CTM_PROCESS_A_HOME_NAME, i->home_name) ||
	    nla_put_string(skb, CTM_PROCESS_A_HOST_NAME, i->host_name) ||
	    nla_put_u64_64bit(skb, CTM_PROCESS_A_FAMILY, i->family, CTM_PROCESS_A_PAD) ||
	    nla_put_u32(skb, CTM_PROCESS_A_END, i->end) ||
	    nla_put_u32(skb, CTM_PROCESS_A_LEASE_MS, i->lease_ms))
		return -EMSGSIZE;
	return 0;
}

static int process_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_rows(skb, cb, CTM_CMD_PROCESS_GET, put_process);
}

static int blocks_start(struct netlink_callback *cb)
{
	struct ctm_store_row *rows;
	int n;

	if (!ctm_node_is_up())
		return dump_refuse(cb);
	n = ctm_store_rows(&rows);
	if (n < 0)
		return n;
	*dump_of(cb) = (struct dump){ .rows = rows, .n = n };
	return 0;
}

static int put_number(struct sk_buff *skb, int attr, __le64 value)
{
	return nla_put_u64_64bit(skb, attr, le64_to_cpu(value), CTM_BLOCKS_A_PAD);
}

static int put_store(struct sk_buff *skb, const struct dump *d)
{
	const struct ctm_store_row *r = (const struct ctm_store_row *)d->rows + d->next;

	if (nla_put_u32(skb, CTM_BLOCKS_A_NODE, r->id) ||
	    nla_put_string(skb, CTM_BLOCKS_A_NODE_NAME, r->name) ||
	    put_number(skb, CTM_BLOCKS_A_BLOCKS, r->s.blocks) ||
	    put_number(skb, CTM_BLOCKS_A_BYTES, r->s.bytes) ||
	    put_number(skb, CTM_BLOCKS_A_USED, r->s.used) ||
	    put_number(skb, CTM_BLOCKS_A_LIMIT, r->s.limit) ||
	    put_number(skb, CTM_BLOCKS_A_OWNER_LIMIT, r->s.owner_limit) ||
	    put_number(skb, CTM_BLOCKS_A_PINNED, r->s.pinned) ||
	    put_number(skb, CTM_BLOCKS_A_UNDER, r->s.under) ||
	    put_number(skb, CTM_BLOCKS_A_IN_FLIGHT, r->s.in_flight) ||
	    put_number(skb, CTM_BLOCKS_A_COPIED, r->s.copied) ||
	    put_number(skb, CTM_BLOCKS_A_DROPPED, r->s.dropped) ||
	    put_number(skb, CTM_BLOCKS_A_CORRUPT, r->s.corrupt) ||
	    put_number(skb, CTM_BLOCKS_A_REPAIRED, r->s.repaired))
		return -EMSGSIZE;
	return 0;
}

static int blocks_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_rows(skb, cb, CTM_CMD_BLOCKS_GET, put_store);
}

/* ---- events ---- */

/* held for reading while an event is sent: the family stays */
static DECLARE_RWSEM(family_sem);
static bool registered;

enum { GROUP_EVENTS, GROUP_PROCESSES, GROUP_NODES };

static int put_event_row(struct sk_buff *msg, const struct ctm_event_row *row)
{
	if (nla_put_u32(msg, CTM_EVENT_A_TYPE, row->type) ||
	    nla_put_u64_64bit(msg, CTM_EVENT_A_TIME_NS, row->time_ns, CTM_EVENT_A_PAD) ||
	    (row->gpid && nla_put_u64_64bit(msg, CTM_EVENT_A_GPID, row->gpid, CTM_EVENT_A_PAD)) ||
	    nla_put_u32(msg, CTM_EVENT_A_NODE, row->node) ||
	    nla_put_string(msg, CTM_EVENT_A_NODE_NAME, row->node_name) ||
	    (row->text[0] && nla_put_string(msg, CTM_EVENT_A_TEXT, row->text)) ||
	    nla_put_u64_64bit(msg, CTM_EVENT_A_SEQ, row->seq, CTM_EVENT_A_PAD) ||
	    nla_put_u64_64bit(msg, CTM_EVENT_A_STREAM, ctm_events_stream(), CTM_EVENT_A_PAD))
		return -EMSGSIZE;
	return 0;
}

static void multicast(const struct ctm_event_row *row, unsigned int group)
{
	struct sk_buff *msg;
	void *hdr;

	if (!genl_has_listeners(&family, &init_net, group))
		return;
	msg = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	if (!msg)
		return;
	hdr = genlmsg_put(msg, 0, 0, &family, 0, CTM_CMD_EVENT);
	if (!hdr || put_event_row(msg, row)) {
		nlmsg_free(msg);
		return;
	}
	genlmsg_end(msg, hdr);
	genlmsg_multicast(&family, msg, 0, group, GFP_KERNEL);
}

/* to the group of all, and to that of its kind */
static void tell_event(const struct ctm_event_row *row)
{
	multicast(row, GROUP_EVENTS);
	multicast(row, row->gpid ? GROUP_PROCESSES : GROUP_NODES);
}

static void send_event(u32 type, u64 gpid, u32 node, const char *name, const char *text)
{
	struct ctm_event_row *row;

	down_read(&family_sem);
	row = registered ? kzalloc(sizeof(*row), GFP_KERNEL) : NULL;
	if (row) {
		row->type = type;
		row->time_ns = ktime_get_real_ns();
		row->gpid = gpid;
		row->node = node;
		strscpy(row->node_name, name, sizeof(row->node_name));
		strscpy(row->text, text ?: "", sizeof(row->text));
		ctm_events_add(row, tell_event);
		kfree(row);
	}
	up_read(&family_sem);
}

void ctm_event_process(u32 type, u64 gpid, u32 node, const char *text)
{
	char name[CTM_NAME_MAX];

	ctm_peer_name(node, name);
	send_event(type, gpid, node, name, text);
}

void ctm_event_peer(u32 id, const char *name, enum ctm_peer_state state)
{
	static const u32 types[] = {
		[CTM_PEER_ALIVE] = CTM_NL_EV_PEER_ALIVE,
		[CTM_PEER_SUSPECT] = CTM_NL_EV_PEER_SUSPECT,
		[CTM_PEER_DEAD] = CTM_NL_EV_PEER_DEAD,
		[CTM_PEER_LEFT] = CTM_NL_EV_PEER_LEFT,
	};

	send_event(types[state], 0, id, name, NULL);
}

/* Also of a node that is down: what took it down may be among them. */
static int events_start(struct netlink_callback *cb)
{
	struct nlattr *since = genl_info_dump(cb)->attrs[CTM_EVENT_A_SEQ];
	u64 number = since ? nla_get_u64(since) : 0;
	struct ctm_event_row *rows;
	int n = ctm_events_since(since ? &number : NULL, &rows);

	if (n < 0)
		return n;
	*dump_of(cb) = (struct dump){ .rows = rows, .n = n };
	return 0;
}

static int put_event(struct sk_buff *skb, const struct dump *d)
{
	return put_event_row(skb, (const struct ctm_event_row *)d->rows + d->next);
}

static int events_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_rows(skb, cb, CTM_CMD_EVENT, put_event);
}

/* ---- the family ---- */

/* Permissions are checked by the commands themselves, so that a refusal has a text. */
static const struct genl_ops ops[] = {
	{ .cmd = CTM_CMD_NODE_UP, .doit = do_node_up,
	  .policy = node_policy, .maxattr = CTM_NODE_A_MAX },
	{ .cmd = CTM_CMD_NODE_DOWN, .doit = do_node_down,
	  .policy = node_policy, .maxattr = CTM_NODE_A_MAX },
	{ .cmd = CTM_CMD_NODE_SET, .doit = do_node_set,
	  .policy = node_policy, .maxattr = CTM_NODE_A_MAX },
	{ .cmd = CTM_CMD_NODE_GET, .doit = do_node_get,
	  .policy = node_policy, .maxattr = CTM_NODE_A_MAX },
	{ .cmd = CTM_CMD_PEER_JOIN, .doit = do_peer_join,
	  .policy = peer_policy, .maxattr = CTM_PEER_A_MAX },
	{ .cmd = CTM_CMD_PEER_LEAVE, .doit = do_peer_leave,
	  .policy = peer_policy, .maxattr = CTM_PEER_A_MAX },
	{ .cmd = CTM_CMD_PEER_GET, .start = peer_start, .dumpit = peer_dump, .done = dump_done,
	  .policy = peer_policy, .maxattr = CTM_PEER_A_MAX },
	{ .cmd = CTM_CMD_PROCESS_GET, .start = process_start, .dumpit = process_dump,
	  .done = dump_done, .policy = process_policy, .maxattr = CTM_PROCESS_A_MAX },
	{ .cmd = CTM_CMD_BLOCKS_GET, .start = blocks_start, .dumpit = blocks_dump,
	  .done = dump_done, .policy = blocks_policy, .maxattr = CTM_BLOCKS_A_MAX },
	{ .cmd = CTM_CMD_EVENT_GET, .start = events_start, .dumpit = events_dump,
	  .done = dump_done, .policy = event_policy, .maxattr = CTM_EVENT_A_MAX },
};

static const struct genl_multicast_group groups[] = {
	[GROUP_EVENTS] = { .name = CTM_GENL_EVENTS },
	[GROUP_PROCESSES] = { .name = CTM_GENL_EVENTS_PROCESSES },
	[GROUP_NODES] = { .name = CTM_GENL_EVENTS_NODES },
};

static struct genl_family family __ro_after_init = {
	.name = CTM_GENL_NAME,
	.version = CTM_GENL_VERSION,
	.module = THIS_MODULE,
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
	.parallel_ops = true,
};

int ctm_netlink_init(void)
{
	int err;

	err = ctm_events_init();
	if (err)
		return err;
	err = genl_register_family(&family);
	if (err) {
		ctm_events_exit();
		return err;
	}
	down_write(&family_sem);
	registered = true;
	up_write(&family_sem);
	return 0;
}

void ctm_netlink_exit(void)
{
	down_write(&family_sem);
	registered = false;
	up_write(&family_sem);
	genl_unregister_family(&family);
	ctm_events_exit();
}
