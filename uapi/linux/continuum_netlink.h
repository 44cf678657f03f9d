/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * continuum_netlink.h - the generic netlink family "continuum"
 *
 * Control of the node, listings and events.  Programs that act on one process
 * use /dev/continuum instead, see <linux/continuum.h>.
 *
 * Everything here concerns the machine as a whole: the family lives in the
 * initial network namespace.  Numbers in attributes are in host byte order
 * unless an attribute says otherwise; texts are NUL terminated.
 *
 * The same for programs to read, in the form of the kernel's YNL: continuum.yaml.
 *
 * Errors
 * ------
 * Every refusal carries a text in the extended acknowledgement (set
 * NETLINK_EXT_ACK) which names the cause and, where there is one, the next
 * step.  (Refused dumps: only on kernels that pass one there; 6.1 does not.)
 * The errno contract:
 *
 * EINVAL        an attribute is missing, malformed or out of range
 * EPERM         the command needs CAP_NET_ADMIN in the initial user namespace
 * ENETDOWN      the node is not up (continuumctl up)
 * EALREADY      NODE_UP: the node is up already
 * EADDRINUSE, EADDRNOTAVAIL  NODE_UP: the address or port cannot be had
 * EBUSY         NODE_DOWN: processes live here; the text lists some of them
 * ENOENT        PEER_LEAVE with CTM_PEER_A_ID or _NAME: no such peer
 * EEXIST        the peer has our node id, or our name, but is another machine
 * EKEYREJECTED  the peer does not have our cluster key
 * EREMCHG       the peer belongs to a cluster of another name
 * EPROTO        the peer and we disagree about encryption, or the protocol
 * EHOSTUNREACH, ECONNREFUSED, ETIMEDOUT  the peer does not answer
 * ENOTCONN      continuumd is not running, so that no encrypted connection can
 *               be made on this kernel
 *
 * Commands
 * --------
 * "admin" needs CAP_NET_ADMIN, the others are for every user.
 *
 *   CTM_CMD_NODE_UP      admin  do    brings the node up; see below
 *   CTM_CMD_NODE_DOWN    admin  do    leaves the cluster and takes the node down
 *   CTM_CMD_NODE_SET     admin  do    changes what may change while it is up
 *   CTM_CMD_NODE_GET            do    status, also while the node is down
 *   CTM_CMD_PEER_JOIN    admin  do    joins through one more node
 *   CTM_CMD_PEER_LEAVE   admin  do    leaves the cluster, or forgets one peer
 *   CTM_CMD_PEER_GET            dump  all nodes that are known, without this one
 *   CTM_CMD_PROCESS_GET         dump  all processes of the cluster
 *   CTM_CMD_EVENT               multicast only, group "events"
 *   CTM_CMD_EVENT_GET           dump  the last events, as far as they are kept
 *   CTM_CMD_BLOCKS_GET          dump  what each node holds of blocks
 *
 * CTM_CMD_NODE_UP
 *
 *   CTM_NODE_A_NAME:        string, 1 to 63 bytes, must; unique in the cluster:
 *                           letters, digits, '-', '_' and '.'
 *   CTM_NODE_A_ID:          u32, must, not 0; derived from the machine id
 *   CTM_NODE_A_MACHINE_ID:  16 bytes, must; the machine id itself, or a hash of
 *                           it: tells a collision of ids from the same machine
 *   CTM_NODE_A_CLUSTER:     string, 1 to 63 bytes, must; name of the cluster
 *   CTM_NODE_A_KEY:         32 bytes, must; the cluster key
 *   CTM_NODE_A_KEY_OLD:     32 bytes; accepted too, while a cluster rotates
 *   CTM_NODE_A_ADDR:        4 (IPv4) or 16 (IPv6) bytes in network order;
 *                           without it, or with zeros: all IPv4 addresses
 *   CTM_NODE_A_PORT:        u16, UDP and TCP; 0 or without: CTM_PORT
 *   CTM_NODE_A_ENCRYPT:     u8, 0 or 1; without: 1.  The same in the whole cluster
 *   CTM_NODE_A_ALLOW_ROOT:  u8, 0 or 1; without: 0.  May processes of uid 0 land here
 *   CTM_NODE_A_ACCEPTING:   u8, 0 or 1; without: 1.  May processes land here
 *   CTM_NODE_A_PAGE:        u64, address of one page of the caller's own memory,
 *                           page aligned, writable, private, best locked.  Some
 *                           kernels (6.13 and newer) take the keys of an
 *                           encrypted connection only from user memory: the
 *                           module writes them there for a moment and wipes them.
 *                           The caller (continuumd) must live on as long as the
 *                           node is up; a new continuumd registers a page of its
 *                           own with NODE_SET.
 *
 *   CTM_NODE_A_T_HIGH, _T_LOW: u32, pressures in thousandths; without: 180000 and
 *                           100000.  T_LOW has to be at least 20000 below T_HIGH, and
 *                           T_HIGH at most 300000
 *   CTM_NODE_A_VALVE:       u8, 0 or 1; without: 1.  May the node send processes away
 *                           by itself
 *   CTM_NODE_A_WATCHDOG:    u8, 0 or 1; without: 1.  Also below T_HIGH, when its CPUs
 *                           are contended
 *   CTM_NODE_A_CONTENTION:  u8, 0 or 1; without: 1.  Contended means more runnable tasks
 *                           than CPUs; with 0 it is enough that CPU is above 90 %
 *   CTM_NODE_A_FAMILY_BUDGET: u32, not 0; without: 4096.  Processes that a family whose home
 *                           this node is may have in the cluster: more are not forked
 *   CTM_NODE_A_BLOCKS_NODE_MIB: u32; 0, or without: the module's parameter of that name, which
 *                           is 0 for a quarter of the memory.  Blocks that this node holds
 *   CTM_NODE_A_BLOCKS_OWNER_MIB: u32, the same, 0 for half of these.  For each family
 *                           and each user.  Blocks that are here already stay
 *
 *   The answer is an acknowledgement.  A new boot id is chosen at each NODE_UP.
 *
 * CTM_CMD_NODE_DOWN
 *
 *   CTM_NODE_A_FORCE:       flag; go down although processes live here.  They are
 *                           lost to the cluster
 *
 *   Idempotent: 0 when the node is down already.
 *
 * CTM_CMD_NODE_SET
 *
 *   CTM_NODE_A_ENCRYPT, _ALLOW_ROOT, _ACCEPTING, _PAGE, _KEY, _KEY_OLD, _T_HIGH,
 *   _T_LOW, _VALVE, _WATCHDOG, _CONTENTION, _FAMILY_BUDGET, _BLOCKS_NODE_MIB,
 *   _BLOCKS_OWNER_MIB: as above
 *   CTM_NODE_A_DRAIN:       u8: 1: move away whatever runs here, and accept nothing;
 *                           2: pinned processes too; 0: no more of that
 *
 *   All or nothing: when one is refused, none is changed.
 *   ENCRYPT: connections that exist stay as they are; new ones need the same
 *   setting on both nodes.
 *   KEY: new hellos use it, the key before is accepted as KEY_OLD, unless KEY_OLD
 *   is given too (32 zero bytes: none).
 *
 * CTM_CMD_NODE_GET
 *
 *   request: no attributes.  Answer, while the node is down only those marked *:
 *
 *   CTM_NODE_A_UP:          u8 *      1 while the node is up
 *   CTM_NODE_A_ABI_VERSION: u32 *     CTM_ABI_VERSION of the module
 *   CTM_NODE_A_NAME:        string
 *   CTM_NODE_A_ID:          u32
 *   CTM_NODE_A_BOOT:        u64       boot id: new at each NODE_UP
 *   CTM_NODE_A_CLUSTER:     string
 *   CTM_NODE_A_ADDR:        4 or 16 bytes
 *   CTM_NODE_A_PORT:        u16
 *   CTM_NODE_A_ENCRYPT:     u8        0: what travels on TCP is unprotected
 *   CTM_NODE_A_ALLOW_ROOT:  u8
 *   CTM_NODE_A_ACCEPTING:   u8
 *   CTM_NODE_A_PEERS:       u32       live nodes, this one included
 *   CTM_NODE_A_PROCESSES:   u32       processes that run here
 *   CTM_NODE_A_MODE:        string    "normal", "ejecting" or "draining"
 *   CTM_NODE_A_LOAD:        u32       L, in thousandths
 *   CTM_NODE_A_PRESSURE:    u32       L * PEERS, in thousandths: 0 to 300000
 *   CTM_NODE_A_CPU:         u32       CPU %, in thousandths: 0 to 100000
 *   CTM_NODE_A_MEM:         u32       memory not available %, in thousandths
 *   CTM_NODE_A_RUNNABLE:    u32       runnable tasks per CPU, in thousandths
 *   CTM_NODE_A_FREE_MIB:    u32       memory available, MiB
 *   CTM_NODE_A_VDSO_ID:     20 bytes  build id of the vDSO
 *   CTM_NODE_A_XFEATURES:   u64       extended state components of user programs
 *   CTM_NODE_A_XSTATE_SIZE: u32       bytes
 *   CTM_NODE_A_DAEMON:      u8        1: a page is registered and its owner lives
 *   CTM_NODE_A_COUNTERS:    nested *
 *     CTM_COUNTER_A_ITEM:   nested, one for each counter
 *       CTM_COUNTER_A_NAME:  string
 *       CTM_COUNTER_A_VALUE: u64
 *   CTM_NODE_A_SEEDS:       nested
 *     CTM_SEED_A_ITEM:      nested, one for each seed
 *       CTM_PEER_A_ADDR, CTM_PEER_A_PORT as below
 *   CTM_NODE_A_TICK:        string *  what the module's ticks come from: "ftrace" (a
 *                           hook on the scheduler's tick), "hrtimer", "none"
 *   CTM_NODE_A_TICK_WHY:    string *  why not the first choice; only when it is not
 *   CTM_NODE_A_TICKS:       u64 *     ticks seen, on all CPUs
 *   CTM_NODE_A_TICK_HITS:   u64 *     of these, on a Continuum process
 *   CTM_NODE_A_T_HIGH, _T_LOW, _VALVE, _WATCHDOG, _CONTENTION, _FAMILY_BUDGET,
 *   _BLOCKS_NODE_MIB, _BLOCKS_OWNER_MIB: as in NODE_UP
 *   CTM_NODE_A_DRAINED:     u8        1: MODE is draining, and what is still here stays:
 *                                     it is pinned, or every attempt has failed
 *
 * CTM_CMD_PEER_JOIN
 *
 *   CTM_PEER_A_ADDR:        4 or 16 bytes, must
 *   CTM_PEER_A_PORT:        u16; without: CTM_PORT
 *   CTM_PEER_A_BACKGROUND:  flag; do not wait
 *
 *   Connects, proves the key to each other, fetches the peer's table and goes on
 *   to its peers in the background.  Without BACKGROUND the answer comes when the
 *   first peer is known, or after 10 s at most, with the cause.  In either case,
 *   also after an error that time may heal (the peer does not answer), the address
 *   is kept as a seed and retried every few seconds, for ever.
 *
 * CTM_CMD_PEER_LEAVE
 *
 *   CTM_PEER_A_ID:          u32; or
 *   CTM_PEER_A_NAME:        string: forget this peer, which must be dead or left
 *   without both:           tell all peers that we leave, forget them and all seeds;
 *                           the node stays up, alone
 *
 * CTM_CMD_PEER_GET (dump)
 *
 *   request: no attributes.  One message for each peer:
 *
 *   CTM_PEER_A_ID:          u32
 *   CTM_PEER_A_NAME:        string
 *   CTM_PEER_A_BOOT:        u64
 *   CTM_PEER_A_ADDR:        4 or 16 bytes
 *   CTM_PEER_A_PORT:        u16
 *   CTM_PEER_A_STATE:       u32       enum ctm_nl_peer_state
 *   CTM_PEER_A_AGE_MS:      u32       since it was last heard, or something new of it
 *   CTM_PEER_A_LOAD, _PRESSURE, _CPU, _MEM, _RUNNABLE, _FREE_MIB, _PROCESSES:
 *                           u32       as with CTM_NODE_A_*, as last heard
 *   CTM_PEER_A_ACCEPTING:   u8
 *   CTM_PEER_A_COMPATIBLE:  u8        can processes go from here to there
 *   CTM_PEER_A_WHY:         string    why not, when not
 *
 * CTM_CMD_PROCESS_GET (dump)
 *
 *   CTM_PROCESS_A_ENDED:    flag, in the request: exit records too
 *
 *   One message for each process; fields and units are those of struct ctm_info
 *   in <linux/continuum.h>:
 *
 *   CTM_PROCESS_A_GPID:     u64
 *   CTM_PROCESS_A_HOME, _HOST, _PID, _UID, _EPOCH, _HOPS, _TTL, _END, _LEASE_MS: u32
 *   CTM_PROCESS_A_STATE:    u32       enum ctm_state
 *   CTM_PROCESS_A_CPU_NS, _RSS, _FAMILY: u64
 *   CTM_PROCESS_A_COMM, _HOME_NAME, _HOST_NAME: string
 *
 * CTM_CMD_BLOCKS_GET (dump)
 *
 *   request: no attributes.  One message for this node, and for each peer that answers
 *   (2 s each):
 *
 *   CTM_BLOCKS_A_NODE:      u32       node id
 *   CTM_BLOCKS_A_NODE_NAME: string
 *   CTM_BLOCKS_A_BLOCKS, _BYTES: u64  blocks, and their bytes
 *   CTM_BLOCKS_A_USED, _LIMIT: u64    bytes that count against the node's quota, and that
 *   CTM_BLOCKS_A_OWNER_LIMIT: u64     quota of each family, and of each user, on this node
 *   CTM_BLOCKS_A_PINNED:    u64       blocks that a user has pinned
 *   CTM_BLOCKS_A_UNDER:     u64       blocks that a node which should hold them does not,
 *                                     and that this one is to copy there
 *   CTM_BLOCKS_A_IN_FLIGHT: u64       blocks being sent or received just now
 *   CTM_BLOCKS_A_COPIED, _DROPPED: u64  copies made elsewhere, and given up here, by repair
 *                                     and rebalancing, so far
 *   CTM_BLOCKS_A_CORRUPT, _REPAIRED: u64  copies here that did not match their names, and
 *                                     that were replaced, so far
 *
 * CTM_CMD_EVENT (multicast group CTM_GENL_EVENTS; every user may listen)
 *
 *   CTM_EVENT_A_TYPE:       u32       enum ctm_nl_event
 *   CTM_EVENT_A_TIME_NS:    u64       CLOCK_REALTIME
 *   CTM_EVENT_A_GPID:       u64       process events
 *   CTM_EVENT_A_NODE:       u32       node id: of the peer; where the process is now
 *   CTM_EVENT_A_NODE_NAME:  string
 *   CTM_EVENT_A_TEXT:       string    more, for people
 *   CTM_EVENT_A_SEQ:        u64       its number, from 1 on; none is left out
 *   CTM_EVENT_A_STREAM:     u64       whose numbers these are: new with each load of the
 *                                     module, which begins at 1 again
 *
 *   The groups CTM_GENL_EVENTS_PROCESSES and CTM_GENL_EVENTS_NODES get the same
 *   messages, of that kind only: numbers are missing there.
 *
 *   A listener that reads too slowly loses events (ENOBUFS), never the module
 *   its time. What it lost it may ask for:
 *
 * CTM_CMD_EVENT_GET (dump; every user; also while the node is down)
 *
 *   request: CTM_EVENT_A_SEQ: u64: the events behind that number; without it: the newest.
 *   One CTM_CMD_EVENT message for each that is still kept (the module's parameter
 *   events_kept, 1,024), in order. If the first one's number is not the next, those
 *   between are lost.
 */
#ifndef _UAPI_LINUX_CONTINUUM_NETLINK_H
#define _UAPI_LINUX_CONTINUUM_NETLINK_H

#define CTM_GENL_NAME		"continuum"
#define CTM_GENL_VERSION	1
#define CTM_GENL_EVENTS		"events"
#define CTM_GENL_EVENTS_PROCESSES "events-proc"
#define CTM_GENL_EVENTS_NODES	"events-nodes"

#define CTM_PORT		7117
#define CTM_KEY_LEN		32
#define CTM_MACHINE_ID_LEN	16
#define CTM_BUILD_ID_LEN	20

enum ctm_cmd {
	CTM_CMD_UNSPEC,
	CTM_CMD_NODE_UP		= 1,
	CTM_CMD_NODE_DOWN	= 2,
	CTM_CMD_NODE_SET	= 3,
	CTM_CMD_NODE_GET	= 4,
	CTM_CMD_PEER_JOIN	= 5,
	CTM_CMD_PEER_LEAVE	= 6,
	CTM_CMD_PEER_GET	= 7,
	CTM_CMD_PROCESS_GET	= 8,
	CTM_CMD_EVENT		= 9,
	CTM_CMD_BLOCKS_GET	= 10,
	CTM_CMD_EVENT_GET	= 11,
};

enum ctm_node_attr {
	CTM_NODE_A_UNSPEC,
	CTM_NODE_A_PAD,
	CTM_NODE_A_NAME,
	CTM_NODE_A_ID,
	CTM_NODE_A_MACHINE_ID,
	CTM_NODE_A_CLUSTER,
	CTM_NODE_A_KEY,
	CTM_NODE_A_KEY_OLD,
	CTM_NODE_A_ADDR,
	CTM_NODE_A_PORT,
	CTM_NODE_A_ENCRYPT,
	CTM_NODE_A_ALLOW_ROOT,
	CTM_NODE_A_ACCEPTING,
	CTM_NODE_A_PAGE,
	CTM_NODE_A_FORCE,
	CTM_NODE_A_UP,
	CTM_NODE_A_ABI_VERSION,
	CTM_NODE_A_BOOT,
	CTM_NODE_A_PEERS,
	CTM_NODE_A_PROCESSES,
	CTM_NODE_A_MODE,
	CTM_NODE_A_LOAD,
	CTM_NODE_A_PRESSURE,
	CTM_NODE_A_CPU,
	CTM_NODE_A_MEM,
	CTM_NODE_A_RUNNABLE,
	CTM_NODE_A_FREE_MIB,
	CTM_NODE_A_VDSO_ID,
	CTM_NODE_A_XFEATURES,
	CTM_NODE_A_XSTATE_SIZE,
	CTM_NODE_A_DAEMON,
	CTM_NODE_A_COUNTERS,
	CTM_NODE_A_SEEDS,
	CTM_NODE_A_TICK,
	CTM_NODE_A_TICK_WHY,
	CTM_NODE_A_TICKS,
	CTM_NODE_A_TICK_HITS,
	CTM_NODE_A_T_HIGH,
	CTM_NODE_A_T_LOW,
	CTM_NODE_A_VALVE,
	CTM_NODE_A_WATCHDOG,
	CTM_NODE_A_CONTENTION,
	CTM_NODE_A_DRAIN,
	CTM_NODE_A_DRAINED,
	CTM_NODE_A_FAMILY_BUDGET,
	CTM_NODE_A_BLOCKS_NODE_MIB,
	CTM_NODE_A_BLOCKS_OWNER_MIB,
	__CTM_NODE_A_LAST
};
#define CTM_NODE_A_MAX		(__CTM_NODE_A_LAST - 1)

enum ctm_counter_attr {
	CTM_COUNTER_A_UNSPEC,
	CTM_COUNTER_A_PAD,
	CTM_COUNTER_A_ITEM,
	CTM_COUNTER_A_NAME,
	CTM_COUNTER_A_VALUE,
	__CTM_COUNTER_A_LAST
};
#define CTM_COUNTER_A_MAX	(__CTM_COUNTER_A_LAST - 1)

enum ctm_seed_attr {
	CTM_SEED_A_UNSPEC,
	CTM_SEED_A_ITEM,
	__CTM_SEED_A_LAST
};
#define CTM_SEED_A_MAX		(__CTM_SEED_A_LAST - 1)

enum ctm_peer_attr {
	CTM_PEER_A_UNSPEC,
	CTM_PEER_A_PAD,
	CTM_PEER_A_ID,
	CTM_PEER_A_NAME,
	CTM_PEER_A_BOOT,
	CTM_PEER_A_ADDR,
	CTM_PEER_A_PORT,
	CTM_PEER_A_BACKGROUND,
	CTM_PEER_A_STATE,
	CTM_PEER_A_AGE_MS,
	CTM_PEER_A_LOAD,
	CTM_PEER_A_PRESSURE,
	CTM_PEER_A_CPU,
	CTM_PEER_A_MEM,
	CTM_PEER_A_RUNNABLE,
	CTM_PEER_A_FREE_MIB,
	CTM_PEER_A_PROCESSES,
	CTM_PEER_A_ACCEPTING,
	CTM_PEER_A_COMPATIBLE,
	CTM_PEER_A_WHY,
	__CTM_PEER_A_LAST
};
#define CTM_PEER_A_MAX		(__CTM_PEER_A_LAST - 1)

/**
 * enum ctm_nl_peer_state - CTM_PEER_A_STATE
 * @CTM_NL_PEER_ALIVE:   answers, or says itself that it is alive
 * @CTM_NL_PEER_SUSPECT: does not answer a node, nor others that were asked to try
 * @CTM_NL_PEER_DEAD:    has not objected to that for 5 s (among few nodes, when others
 *                       confirm it) to a minute or two; greeted again and again
 * @CTM_NL_PEER_LEFT:    said good-bye; not greeted
 */
enum ctm_nl_peer_state {
	CTM_NL_PEER_ALIVE	= 1,
	CTM_NL_PEER_SUSPECT	= 2,
	CTM_NL_PEER_DEAD	= 3,
	CTM_NL_PEER_LEFT	= 4,
};

enum ctm_process_attr {
	CTM_PROCESS_A_UNSPEC,
	CTM_PROCESS_A_PAD,
	CTM_PROCESS_A_ENDED,
	CTM_PROCESS_A_GPID,
	CTM_PROCESS_A_HOME,
	CTM_PROCESS_A_HOST,
	CTM_PROCESS_A_STATE,
	CTM_PROCESS_A_PID,
	CTM_PROCESS_A_UID,
	CTM_PROCESS_A_EPOCH,
	CTM_PROCESS_A_HOPS,
	CTM_PROCESS_A_TTL,
	CTM_PROCESS_A_CPU_NS,
	CTM_PROCESS_A_RSS,
	CTM_PROCESS_A_COMM,
	CTM_PROCESS_A_HOME_NAME,
	CTM_PROCESS_A_HOST_NAME,
	CTM_PROCESS_A_FAMILY,
	CTM_PROCESS_A_END,
	CTM_PROCESS_A_LEASE_MS,
	__CTM_PROCESS_A_LAST
};
#define CTM_PROCESS_A_MAX	(__CTM_PROCESS_A_LAST - 1)

enum ctm_blocks_attr {
	CTM_BLOCKS_A_UNSPEC,
	CTM_BLOCKS_A_PAD,
	CTM_BLOCKS_A_NODE,
	CTM_BLOCKS_A_NODE_NAME,
	CTM_BLOCKS_A_BLOCKS,
	CTM_BLOCKS_A_BYTES,
	CTM_BLOCKS_A_USED,
	CTM_BLOCKS_A_LIMIT,
	CTM_BLOCKS_A_OWNER_LIMIT,
	CTM_BLOCKS_A_PINNED,
	CTM_BLOCKS_A_UNDER,
	CTM_BLOCKS_A_IN_FLIGHT,
	CTM_BLOCKS_A_COPIED,
	CTM_BLOCKS_A_DROPPED,
	CTM_BLOCKS_A_CORRUPT,
	CTM_BLOCKS_A_REPAIRED,
	__CTM_BLOCKS_A_LAST
};
#define CTM_BLOCKS_A_MAX	(__CTM_BLOCKS_A_LAST - 1)

enum ctm_event_attr {
	CTM_EVENT_A_UNSPEC,
	CTM_EVENT_A_PAD,
	CTM_EVENT_A_TYPE,
	CTM_EVENT_A_TIME_NS,
	CTM_EVENT_A_GPID,
	CTM_EVENT_A_NODE,
	CTM_EVENT_A_NODE_NAME,
	CTM_EVENT_A_TEXT,
	CTM_EVENT_A_SEQ,
	CTM_EVENT_A_STREAM,
	__CTM_EVENT_A_LAST
};
#define CTM_EVENT_A_MAX		(__CTM_EVENT_A_LAST - 1)

enum ctm_nl_event {
	CTM_NL_EV_PROCESS_STARTED	= 1,
	CTM_NL_EV_PROCESS_MOVED		= 2,
	CTM_NL_EV_PROCESS_ENDED		= 3,
	CTM_NL_EV_PROCESS_FAILED	= 4,	/* a journey failed; the text says why */
	CTM_NL_EV_PROCESS_BUDGET	= 5,	/* its budget of processes is used up; once */
	CTM_NL_EV_PROCESS_SIGNALLED	= 7,	/* from this node: the text says what, such as
						 * "signal 15"; at most 20 in a second */
	CTM_NL_EV_PEER_ALIVE		= 16,
	CTM_NL_EV_PEER_SUSPECT		= 17,
	CTM_NL_EV_PEER_DEAD		= 18,
	CTM_NL_EV_PEER_LEFT		= 19,
};

#endif /* _UAPI_LINUX_CONTINUUM_NETLINK_H */
