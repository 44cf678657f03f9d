/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * continuum.h - the calls of /dev/continuum
 *
 * /dev/continuum (mode 0666) is the door through which a program speaks with
 * the Continuum module: it asks about processes, moves them, signals them and
 * waits for them.  Control of the node and listings go through the generic
 * netlink family "continuum", see <linux/continuum_netlink.h>.
 *
 * Calling convention
 * ------------------
 * Every call is ioctl(fd, CTM_IOC_xxx, &arg).  Every argument structure begins
 * with `__u32 size` (sizeof of the structure as the caller knows it) and
 * `__u32 flags`.  A structure may grow at its end: bytes which this kernel does
 * not know must be zero (-E2BIG otherwise), bytes which the caller does not
 * know are taken as zero and not written back.  Unknown flags: -EINVAL.
 *
 * Errors (errno contract, for all calls)
 * --------------------------------------
 * E2BIG         unknown trailing bytes of the argument are not zero
 * EINVAL        size too small, unknown flag, value out of range, wrong state
 * EFAULT        the argument, or a buffer it names, is not accessible
 * ENOTTY        no such call
 * ESRCH         no such process (GPID) in the cluster, or no such task
 * EPERM         the caller may not act on this process
 * ENETDOWN      the node is not up (continuumctl up)
 * EHOSTUNREACH  the node that is needed does not answer, or is unknown
 * EBUSY         another journey of this process is under way
 * EOPNOTSUPP    the process holds something that cannot be moved (see reason)
 * EXDEV         the target cannot take it: policy, compatibility, room
 * ETIMEDOUT     a deadline passed; the process runs on where it was
 * ECANCELED     the journey was aborted; the process runs on where it was
 * ETIME         its time to live is over; it is destroyed
 * EINPROGRESS   the outcome is not known yet: the process is in limbo
 * ENOENT        no node that answers has a block of that name
 * EREMOTE       the process runs on another node, and the call has to be made there
 * EBADMSG       an image is no good: see reason
 * EEXIST        a process of that GPID lives
 * ENOSPC        a quota is used up: the reason says whose, and on which node
 *
 * Where a structure has `reason`, the kernel leaves there, on an error, a text
 * of one line that names the cause ("fd 7: io_uring: cannot move").
 */
#ifndef _UAPI_LINUX_CONTINUUM_H
#define _UAPI_LINUX_CONTINUUM_H

#include <linux/ioctl.h>
#include <linux/types.h>

/** CTM_ABI_VERSION - version of this header; the tools and the module must agree. */
#define CTM_ABI_VERSION		1

#define CTM_IOC_MAGIC		'C'

#define CTM_NAME_MAX		64	/* node name with its NUL */
#define CTM_REASON_MAX		256	/* error text with its NUL */
#define CTM_RESULT_MAX		64	/* bytes a process may leave as its result */
#define CTM_COMM_MAX		16

/*
 * GPID: the cluster-wide id of a process.  32 bits of home node id, 32 bits of
 * sequence.  0 is never a GPID; in calls it stands for the caller itself.
 */
#define CTM_GPID(node, seq)	(((__u64)(node) << 32) | (__u32)(seq))
#define CTM_GPID_NODE(gpid)	((__u32)((__u64)(gpid) >> 32))
#define CTM_GPID_SEQ(gpid)	((__u32)(gpid))

/**
 * enum ctm_state - state of a process as ps shows it
 * @CTM_STATE_RUNNING:   runs on its host
 * @CTM_STATE_SUSPENDED: frozen by SUSPEND
 * @CTM_STATE_MOVING:    a handoff is under way
 * @CTM_STATE_LIMBO:     COMMIT may have left and no answer came; or its host does
 *                       not answer, or was lost while it was leaving: see RECOVER
 * @CTM_STATE_ENDED:     only its exit record is left
 */
enum ctm_state {
	CTM_STATE_RUNNING	= 1,
	CTM_STATE_SUSPENDED	= 2,
	CTM_STATE_MOVING	= 3,
	CTM_STATE_LIMBO		= 4,
	CTM_STATE_ENDED		= 5,
};

/**
 * enum ctm_end - why a process ended
 * @CTM_END_EXIT:      by itself; status is the wait(2) status
 * @CTM_END_SIGNAL:    killed by a signal; status is the wait(2) status
 * @CTM_END_HOST_LOST: its host crashed (it came back as another boot, or RECOVER
 *                     gave it up)
 * @CTM_END_TTL:       its time to live ran out
 * @CTM_END_LEASE:     its lease ran out
 * @CTM_END_DESTROYED: DESTROY, or the removal of its capsule
 */
enum ctm_end {
	CTM_END_EXIT		= 1,
	CTM_END_SIGNAL		= 2,
	CTM_END_HOST_LOST	= 3,
	CTM_END_TTL		= 4,
	CTM_END_LEASE		= 5,
	CTM_END_DESTROYED	= 6,
};

/**
 * struct ctm_info - CTM_IOC_INFO: what is known of a process
 * @size:  sizeof(struct ctm_info)
 * @flags: must be 0
 * @gpid:  in: the process, 0 for the caller's own; out: its GPID
 * @home, @host: node ids
 * @state: enum ctm_state
 * @pid:   its leader's pid on its host, in the host's initial PID namespace
 * @uid:   real uid of the leader
 * @epoch: changes of ownership so far
 * @hops:  completed journeys
 * @ttl:   time to live left
 * @cpu_ns: CPU time used since its start, ns
 * @rss:   resident memory, bytes
 * @comm, @home_name, @host_name: NUL terminated
 * @family: GPID of the process from which its family descends by DIST_FORK: its own
 *          when it was started by run
 * @end:    enum ctm_end, once it has ended, else 0
 * @lease_ms: CPU time that it may use without useful work, 0: no lease
 *
 * Anyone may call it.  Does not sleep on the network unless the process lives
 * elsewhere (then up to 5 s).  ESRCH: no such process; with gpid 0: the caller
 * is not a Continuum process.
 */
struct ctm_info {
	__u32 size;
	__u32 flags;
	__u64 gpid;
	__u32 home;
	__u32 host;
	__u32 state;
	__u32 pid;
	__u32 uid;
	__u32 epoch;
	__u32 hops;
	__u32 ttl;
	__u64 cpu_ns;
	__u64 rss;
	char comm[CTM_COMM_MAX];
	char home_name[CTM_NAME_MAX];
	char host_name[CTM_NAME_MAX];
	__u64 family;
	__u32 end;
	__u32 lease_ms;
};

/**
 * struct ctm_migrate - CTM_IOC_MIGRATE: move a process to another node
 * @size:  sizeof(struct ctm_migrate)
 * @flags: 0 or CTM_MIGRATE_CLUSTER (CAP_SYS_ADMIN): count it as a hop that the
 *         cluster decided, which takes one of the time to live: for schedulers
 * @gpid:  the process, 0 for the caller itself
 * @node:  in: name of the target, "" or "any" for the best peer, "home" for
 *         its home; out: name of the node where it runs now
 * @downtime_ns: freeze requested to STARTED received, by the source's clock
 * @total_ns:    call to end
 * @bytes:       sent on TCP
 * @reason:      text on an error
 *
 * May be called on any node, by the owner or CAP_SYS_ADMIN.  Blocks until the
 * process runs at its new host (or the journey is aborted); interruptible, an
 * interrupted call leaves the journey going on.  A process that moves itself
 * (gpid 0, single-threaded) returns 0 at the new host; the out fields are
 * written there only as far as they are known (node).
 *
 * ETIME: a hop that the cluster decided, and the time to live is over: it is destroyed.
 */
#define CTM_MIGRATE_CLUSTER	(1u << 0)
struct ctm_migrate {
	__u32 size;
	__u32 flags;
	__u64 gpid;
	char node[CTM_NAME_MAX];
	__u64 downtime_ns;
	__u64 total_ns;
	__u64 bytes;
	char reason[CTM_REASON_MAX];
};

/**
 * struct ctm_wait - CTM_IOC_WAIT: wait for the end of a process
 * @size:   sizeof(struct ctm_wait)
 * @flags:  CTM_WAIT_*
 * @gpid:   the process; may be asked on any node.  With CTM_WAIT_CHILD in: 0 for any
 *          child; out: which it is
 * @status: out: wait(2) status
 * @end:    out: enum ctm_end
 * @cpu_ns: out: CPU time used
 * @host:   out: node id where it ended
 * @result_len, @result: out: what it left with RESULT
 * @host_name: out
 *
 * An exit record is kept at home for an hour.  Anyone may ask.  Interruptible.
 *
 * CTM_WAIT_CHILD: as waitpid(2): a child of the caller, made by DIST_FORK, that was not
 * waited for in this way yet; each is given exactly once, to one thread.  ECHILD: there
 * is none (any more).  EHOSTUNREACH, ETIMEDOUT, ECONNRESET: the caller's home does not answer
 * just now; nothing is lost, and the call may be made again.
 */
struct ctm_wait {
	__u32 size;
	__u32 flags;
	__u64 gpid;
	__s32 status;
	__u32 end;
	__u64 cpu_ns;
	__u32 host;
	__u32 result_len;
	__u8 result[CTM_RESULT_MAX];
	char host_name[CTM_NAME_MAX];
};
#define CTM_WAIT_NOHANG		(1u << 0)	/* EAGAIN when it, or every child, still lives */
#define CTM_WAIT_CHILD		(1u << 1)

/**
 * struct ctm_result - CTM_IOC_RESULT: what the caller, a Continuum process, leaves behind
 * @size:  sizeof(struct ctm_result)
 * @flags: must be 0
 * @len:   0 to CTM_RESULT_MAX
 * @pad:   0
 * @data:  the result
 *
 * Goes into its exit record when it ends, however it ends; a later call replaces it.
 * Travels with the process.  ESRCH: the caller is no Continuum process.
 */
struct ctm_result {
	__u32 size;
	__u32 flags;
	__u32 len;
	__u32 pad;
	__u8 data[CTM_RESULT_MAX];
};

#define CTM_FORK_MAX		4096u	/* children of one call */
#define CTM_FORK_NODES_MAX	4096u	/* nodes named in one call */

/**
 * struct ctm_fork_child - one child of DIST_FORK
 * @gpid:  out: its GPID, 0 when there is none
 * @node:  out: node id where it was made, or would have been
 * @error: out: 0, or a positive errno: there is no such child
 */
struct ctm_fork_child {
	__u64 gpid;
	__u32 node;
	__u32 error;
};

/**
 * struct ctm_dist_fork - CTM_IOC_DIST_FORK: fork the caller onto nodes of the cluster
 * @size:     sizeof(struct ctm_dist_fork)
 * @flags:    must be 0
 * @count:    children, 1 to CTM_FORK_MAX
 * @nnodes:   nodes at @nodes, 0: the cluster chooses, the least loaded first
 * @nodes:    user address of @nnodes times char[CTM_NAME_MAX], a NUL terminated name each:
 *            child i goes to node i modulo @nnodes
 * @children: user address of @count times struct ctm_fork_child, filled in the parent
 * @index:    out, in a child: which it is, from 0
 * @made:     out, in the parent: children that exist
 * @reason:   text, of the first child that does not exist
 *
 * As fork(2), but each child is a process of the cluster of its own, with a GPID, and runs
 * on the node that was chosen.  Only the calling thread exists in it.  The caller must be
 * a Continuum process.
 *
 * Return: in the parent the number of children that exist, or an error when none does; 0
 * in a child.  What became of each stands in @children: a child exists and is reported
 * there, or it does not exist and never will.  The call returns when that is known of
 * all.  Signals wait until then; SIGKILL does not.
 *
 * What a child has: the memory (a copy; MADV_DONTFORK and MADV_WIPEONFORK as at fork(2)),
 * credentials, directory, limits, signal handlers and mask of its parent; no pending
 * signals, no timers.  Its pid is the calling thread's id, in a PID namespace of its own.  Its
 * home is its parent's, its family its parent's family, its time to live its parent's less
 * one.  Files: those that every node has it opens again, at the same place, with an offset of
 * its own from then on; those that stay at home are shared with the parent, offset and
 * all, through the deputy of the family's first process, for as long as that lives.  What
 * cannot be shared with a process elsewhere (pipes and sockets between threads of
 * the caller, shared memory, ...) makes the call fail, and @reason names it.
 *
 * When the first process of a family ends, the others are destroyed with it, unless it was
 * started with run --linger.  When another parent ends, its children live on.
 *
 * EAGAIN: the family has used up its budget of processes, see continuumctl set
 * family_budget.  ETIME: the time to live of the caller does not allow children.  EOPNOTSUPP: it
 * holds something that children elsewhere cannot have.  ESRCH: the caller is no
 * Continuum process.  EHOSTUNREACH: no such node, it does not answer, or the family's home does not.  EXDEV: the node
 * cannot take it.
 */
struct ctm_dist_fork {
	__u32 size;
	__u32 flags;
	__u32 count;
	__u32 nnodes;
	__u64 nodes;
	__u64 children;
	__u32 index;
	__u32 made;
	char reason[CTM_REASON_MAX];
};

/**
 * struct ctm_signal - CTM_IOC_SIGNAL: send a signal to a process, wherever it is
 * @size:   sizeof(struct ctm_signal)
 * @flags:  0 or CTM_SIGNAL_GROUP: to all of the leader's process group, as a
 *          terminal or a shell's job control signals a job
 * @gpid:   the process
 * @sig:    signal number, 0 to 64 (0 only checks)
 * @timeout_ms: how long to wait for the acknowledgement, 0 for 10,000, up to 60,000
 * @reason: text on an error
 *
 * Goes straight to where the process was last known, and, without an answer, from
 * node to node until it finds it; is applied once, however it came and wherever the
 * process moves meanwhile.  Permission is kill(2)'s, by the caller's uids, where the
 * process is.  Interruptible.
 *
 * ESRCH: it has ended, or never was (see reason).  Unconfirmed, so that it may still
 * arrive: ETIMEDOUT, no acknowledgement came in time; EINTR, the caller was
 * interrupted.  EAGAIN: too many signals of this user are under way from this node.
 */
struct ctm_signal {
	__u32 size;
	__u32 flags;
	__u64 gpid;
	__u32 sig;
	__u32 timeout_ms;
	char reason[CTM_REASON_MAX];
};
#define CTM_SIGNAL_GROUP	(1u << 0)

/**
 * struct ctm_target - DESTROY, SUSPEND, RESUME, RECOVER: calls that name just a process
 * @size:   sizeof(struct ctm_target)
 * @flags:  must be 0
 * @gpid:   the process
 * @reason: text on an error
 *
 * Owner or CAP_SYS_ADMIN.  SUSPEND and RESUME are idempotent.  They travel as signals
 * do, see above; the acknowledgement is waited for 10 s.
 *
 * RECOVER ends a limbo by the caller's word: the copy at the source, or if no
 * source answers the landed one, runs on from where it was stopped, and is the
 * process from now on.  Where the other copy turns out to run, it is killed when
 * the nodes hear of each other; what it has done may be done twice.  When the host
 * is dead and no node has a copy, its exit record says CTM_END_HOST_LOST.  0:
 * @reason says which it was.  EINVAL: not in limbo; ESRCH: no node that answers
 * has it in limbo; EBUSY: a handoff of it still looks for its other end, try again;
 * ETIMEDOUT: it did not start in time.  Blocks for up to 25 s a
 * node.
 */
struct ctm_target {
	__u32 size;
	__u32 flags;
	__u64 gpid;
	char reason[CTM_REASON_MAX];
};

/**
 * struct ctm_explain - CTM_IOC_EXPLAIN: what would stop or slow a move
 * @size:   sizeof(struct ctm_explain)
 * @flags:  must be 0
 * @gpid:   the process
 * @node:   target to check against, "" for none
 * @buf:    user address for the text: one finding a line, each beginning with
 *          "stop: ", "home: " (stays at home and is reached from there),
 *          "note: ", and without @node also "valve: " (what its host's policy
 *          thinks of it) and "peer: NODE: " (what a move there would take)
 * @buf_len: bytes at @buf, up to 65536
 * @needed: out: bytes of text (the text is cut at @buf_len)
 * @blockers: out: number of "stop:" lines
 * @rss_bytes: out: what would have to be sent, estimate
 *
 * Owner or CAP_SYS_ADMIN.
 */
struct ctm_explain {
	__u32 size;
	__u32 flags;
	__u64 gpid;
	char node[CTM_NAME_MAX];
	__u64 buf;
	__u32 buf_len;
	__u32 needed;
	__u32 blockers;
	__u32 pad;
	__u64 rss_bytes;
};

/**
 * enum ctm_property - CTM_IOC_SET
 * @CTM_SET_PIN:   1: the cluster does not move it by itself; 0: it may
 * @CTM_SET_TTL:   time to live, 1 to CTM_TTL_MAX
 * @CTM_SET_LEASE: CPU time without useful work, in ms, all of it left; 0: no lease
 */
enum ctm_property {
	CTM_SET_PIN	= 1,
	CTM_SET_TTL	= 2,
	CTM_SET_LEASE	= 3,
};
#define CTM_TTL_MAX	1000000u

/**
 * struct ctm_set - CTM_IOC_SET: change a property of a process
 * @size:   sizeof(struct ctm_set)
 * @flags:  must be 0
 * @gpid:   the process
 * @property: enum ctm_property
 * @pad:    0
 * @value:  see there
 * @reason: text on an error
 *
 * May be called on any node, by the owner or CAP_SYS_ADMIN.  EINVAL: no such
 * property, or value.
 */
struct ctm_set {
	__u32 size;
	__u32 flags;
	__u64 gpid;
	__u32 property;
	__u32 pad;
	__u64 value;
	char reason[CTM_REASON_MAX];
};

/**
 * struct ctm_worked - CTM_IOC_WORKED: the caller, a Continuum process, does useful work
 * @size:  sizeof(struct ctm_worked)
 * @flags: must be 0
 * @ttl:   out: time to live, refilled
 * @pad:   0
 *
 * A process that the cluster moves again and again, or that has a lease, and gets no
 * useful work done, is destroyed.  Bytes that it writes (to files, terminals, pipes:
 * whatever write(2) and its kin take) are such work; one that works without writing
 * may say so with this call.  It gives back all of its time to live and of its lease.
 * ESRCH: the caller is no Continuum process.
 */
struct ctm_worked {
	__u32 size;
	__u32 flags;
	__u32 ttl;
	__u32 pad;
};

/* ---- blocks ---- */

#define CTM_BLOCK_NAME		32		/* bytes of a name: BLAKE2s-256 of the content */
#define CTM_BLOCK_MAX		(4u << 20)	/* bytes of a block; it may have none */
#define CTM_BLOCKS_MAX		256u		/* blocks in one call */
#define CTM_BLOCK_COPIES	2u		/* unless the caller says otherwise, ... */
#define CTM_BLOCK_COPIES_MAX	8u		/* ... up to so many */

/**
 * struct ctm_block - one block of a call
 * @name:   PUT: out; else in
 * @buf:    user address: PUT reads @len bytes there, GET writes the block there.  Any
 *          alignment
 * @len:    PUT: in; GET: in: room at @buf, out: length of the block
 * @error:  out: 0 or a positive errno, for this block alone
 * @copies: out, PUT: nodes that hold it, the caller's own included
 * @flags:  in: 0; out: CTM_BLOCK_*
 */
struct ctm_block {
	__u8 name[CTM_BLOCK_NAME];
	__u64 buf;
	__u32 len;
	__u32 error;
	__u32 copies;
	__u32 flags;
};
#define CTM_BLOCK_DEGRADED	(1u << 0)	/* PUT: fewer copies than asked for: no more nodes */

/**
 * struct ctm_blocks - CTM_IOC_PUT, GET, PIN, DROP: do that to many blocks
 * @size:   sizeof(struct ctm_blocks)
 * @flags:  CTM_BLOCKS_*, see each call
 * @list:   user address of @count times struct ctm_block
 * @count:  1 to CTM_BLOCKS_MAX
 * @copies: PUT, PIN: 0 for CTM_BLOCK_COPIES, up to CTM_BLOCK_COPIES_MAX
 * @done:   out: blocks whose @error is 0
 * @pad:    0
 * @reason: text, of the first block that failed
 *
 * A block is immutable: its name is the BLAKE2s-256 hash (unkeyed, 32 bytes) of its
 * content, compared by every node that stores or hands it out and by the one that gets
 * it.  It lives in the memory of @copies nodes, and goes when nobody owns it any more.
 * Owners are *families* (the process that was started with run, and all that descend from it
 * by DIST_FORK), whose blocks go some seconds after the family has ended, and *users*,
 * whose blocks stay until they are dropped.  A block may have up to 64 owners, and each of
 * them counts its whole length against its quota.  The same content put twice is the
 * same block.
 *
 * Who may get, pin and locate a block: a process of a family that owns it, a user who
 * has pinned it or was the user of the process that put it, CAP_SYS_ADMIN.  To know
 * its name is not enough.  Uids are those of the initial user namespace.
 *
 * PUT   stores.  Without flags the caller must be a Continuum process, whose
 *       family will own the blocks (ESRCH otherwise); with CTM_BLOCKS_PIN the caller's user
 *       will.  Returns when @copies nodes hold each block (they hold it still when the
 *       call looks at the cluster for the last time), or, with CTM_BLOCK_DEGRADED, all
 *       nodes there are.  A node whose quota is used up, or that does not answer, is
 *       replaced by another.  While nodes that should hold it are silent, but not known to be dead,
 *       a call waits up to 40 s for that to be decided.  A block that failed is taken
 *       back where it was stored, as far as these nodes answer.  The content must not
 *       change during the call (EBADMSG when it did).
 * GET   fetches: from this node, else from the others in the order in which they should have
 *       it.  A copy that does not match its name is not handed out, but
 *       replaced, and counted (status); the next node is asked.  @buf has undefined content
 *       after an error.
 * PIN   makes the caller's user an owner, too, until DROP.
 * DROP  takes back what PIN, or PUT with CTM_BLOCKS_PIN, has made of the caller's user.
 *       CTM_BLOCKS_FAMILY: the same for the caller's family (in place of the user).
 *       CTM_BLOCKS_ALL (CAP_SYS_ADMIN): all owners.  A node that is cut off just now does not
 *       hear of it, and brings the block back with it: drop it again then.
 *
 * Return: 0 when all blocks have error 0, else the error of the first that has not; the
 * others were tried as well.  Killable; other signals wait until the call has returned.
 *
 * E2BIG: a block is longer than CTM_BLOCK_MAX.  EMSGSIZE: GET, it is longer than the room at
 * @buf: @len says how long.  EINVAL: count, copies.  ENOENT: no node has it that answers;
 * DROP: it did not belong to the caller.  EPERM: it is somebody else's.  ENOSPC: the
 * quota of every node that could hold it, or of this owner there, is used up; of a family, of a user and
 * of a node, see blocks_*_mib in continuumctl get.  EHOSTUNREACH: nodes that may have
 * it do not answer.  EUCLEAN: there are only corrupted copies.
 */
struct ctm_blocks {
	__u32 size;
	__u32 flags;
	__u64 list;
	__u32 count;
	__u32 copies;
	__u32 done;
	__u32 pad;
	char reason[CTM_REASON_MAX];
};
#define CTM_BLOCKS_PIN		(1u << 0)
#define CTM_BLOCKS_FAMILY	(1u << 1)
#define CTM_BLOCKS_ALL		(1u << 2)

/** struct ctm_holder - a node that holds a block */
struct ctm_holder {
	__u32 node;
	__u32 pad;
	char name[CTM_NAME_MAX];
};

/**
 * struct ctm_locate - CTM_IOC_LOCATE: which nodes hold a block
 * @size:    sizeof(struct ctm_locate)
 * @flags:   must be 0
 * @name:    of the block
 * @holders: user address of @room times struct ctm_holder
 * @room:    up to 4096
 * @count:   out: nodes that hold it, also when that is more than @room
 * @len:     out: its length
 * @copies:  out: how many there should be
 * @reason:  text on an error
 *
 * Asks all nodes.  Who may, ENOENT, EPERM: as GET.
 */
struct ctm_locate {
	__u32 size;
	__u32 flags;
	__u8 name[CTM_BLOCK_NAME];
	__u64 holders;
	__u32 room;
	__u32 count;
	__u32 len;
	__u32 copies;
	char reason[CTM_REASON_MAX];
};

#define CTM_CHECKPOINT_ABI	128

/**
 * struct ctm_checkpoint - CTM_IOC_CHECKPOINT: the image of a process, to be kept
 * @size:    sizeof(struct ctm_checkpoint)
 * @flags:   must be 0
 * @gpid:    the process, which runs on this node
 * @bytes, @records, @pages: out: of the image; @pages are a part of the bytes
 * @epoch, @uid, @gid, @threads, @comm, @home_name: out: of the process
 * @ttl:     out: what useful work gives it back
 * @lease_ms: out: 0: no lease
 * @abi, @abi_len: out: what a node must have to run it; for RESTORE
 * @pad:     0
 * @reason:  text on an error
 *
 * By the owner or CAP_SYS_ADMIN, on a file that nothing else was done with.  The process is
 * frozen, its image made in memory, and runs on, all before this returns; then read(2) on the
 * file gives the image, a sequence of records (core/image.h), up to an end of file. Killable;
 * blocks for as long as a freeze (up to 10 s; a terminal, 20 more) and a copy take.
 *
 * What is open: files are named by path, their content is not in the image; what the process
 * has for itself (pipes, eventfd, memfd, ...) is.  A standard stream (0, 1, 2) that is a pipe,
 * a terminal or something else that others have becomes one of whoever restores it.
 *
 * EREMOTE: it runs on another node.  EOPNOTSUPP: it has something that cannot be kept. ENOSPC:
 * images take more memory than they may on this node.  EINVAL: the caller is in the process.
 */
struct ctm_checkpoint {
	__u32 size;
	__u32 flags;
	__u64 gpid;
	__u64 bytes;
	__u64 records;
	__u64 pages;
	__u32 epoch;
	__u32 uid;
	__u32 gid;
	__u32 threads;
	__u32 ttl;
	__u32 lease_ms;
	__u32 abi_len;
	__u32 pad;
	__u8 abi[CTM_CHECKPOINT_ABI];
	char comm[CTM_COMM_MAX];
	char home_name[CTM_NAME_MAX];
	char reason[CTM_REASON_MAX];
};

/**
 * struct ctm_restore - CTM_IOC_RESTORE: a process of an image
 * @size:    sizeof(struct ctm_restore)
 * @flags:   CTM_RESTORE_*
 * @gpid:    in, with CTM_RESTORE_BEGIN: of the process in the image; out: of the new one
 * @stream:  open files of the caller for standard streams of which the image has none (fd 0,
 *           1, 2); -1: there is none
 * @ttl:     time to live, 0: the default
 * @lease_ms: 0: no lease
 * @abi, @abi_len: with CTM_RESTORE_BEGIN: as CHECKPOINT gave them
 * @reason:  text on an error
 *
 * Called twice, on a file that nothing else was done with.  With CTM_RESTORE_BEGIN it says
 * whether that process may be restored on this node, and @gpid, what it will be: what it was,
 * if that is a number of this node and nobody has it; else a new one.  Then write(2) takes the
 * image: each record by itself, whole, and after a record of pages these, in any portions.  A
 * record that is no good spoils the image.  The second call builds the process and lets it
 * run; the file is then that of its deputy (see CTM_IOC_DEPUTY), and its home is here.
 *
 * CTM_RESTORE_AS_NEW, with both: another process, with a new GPID, whether the first one lives
 * or not.
 *
 * Any user, if the image has his ids alone, no capability, and no limit or priority that he
 * could not have himself; CAP_SYS_ADMIN any image that the node lets land (allow_root).  The
 * second call is made by the same user.  Killable; blocks until the process runs, which may
 * take 60 s when no restorer is ready.
 *
 * EEXIST: the process lives (see reason).  EHOSTUNREACH: a node that would know whether it
 * does not answer.  EBADMSG: not an image, or not whole.  EPERM: it claims what this user may
 * not have.  EXDEV: another CPU, kernel build or version, or this node takes none.  ENOSPC: no
 * room for the image. What fails while the process is built (a file that is not there any
 * more, or is another one) has its own errno.  After any error there is no new process, and
 * the record of the earlier one is as it was.
 */
struct ctm_restore {
	__u32 size;
	__u32 flags;
	__u64 gpid;
	__s32 stream[3];
	__u32 ttl;
	__u32 lease_ms;
	__u32 abi_len;
	__u8 abi[CTM_CHECKPOINT_ABI];
	char reason[CTM_REASON_MAX];
};
#define CTM_RESTORE_BEGIN	(1u << 0)
#define CTM_RESTORE_AS_NEW	(1u << 1)

/* ---- for continuumd, keepers, restorers (CAP_SYS_ADMIN in the initial user namespace) ---- */

/**
 * struct ctm_adopt - CTM_IOC_ADOPT: make a new process of a capsule (keeper)
 * @size:  sizeof(struct ctm_adopt)
 * @flags: CTM_ADOPT_TTY: the leader has a pty which this keeper owns;
 *         CTM_ADOPT_PIN: never moved by the cluster; CTM_ADOPT_LINGER
 * @pid:   the leader, in the keeper's PID namespace; a child of the caller that
 *         waits before its exec
 * @cgroup_fd: open directory of the capsule's cgroup (v2): the leader is in it,
 *         the keeper is not
 * @ttl:   time to live: hops that the cluster decides, without useful work; 0 for
 *         the default (32)
 * @lease_ms: CPU time of the whole capsule without useful work, 0: unbounded
 * @gpid:  out
 *
 * The file on which it is called becomes the keeper's file: see "Keeper" below.
 * When it is closed, the process is gone (reason destroyed, unless EXITED was
 * told before).
 */
struct ctm_adopt {
	__u32 size;
	__u32 flags;
	__s32 pid;
	__s32 cgroup_fd;
	__u32 ttl;
	__u32 lease_ms;
	__u64 gpid;
};
#define CTM_ADOPT_TTY		(1u << 0)
#define CTM_ADOPT_PIN		(1u << 1)
#define CTM_ADOPT_LINGER	(1u << 2)

/**
 * struct ctm_land - CTM_IOC_LAND: wait for a process to land here (keeper)
 * @size:  sizeof(struct ctm_land)
 * @flags: must be 0; out: CTM_ADOPT_* of the process
 * @cgroup_fd: directory of the (empty) cgroup of this keeper's capsule
 * @pid:   out: the leader's pid to create with clone3(set_tid)
 * @threads: out: number of threads that the hole has room for
 * @uid:   out: real uid
 * @mono_off_ns, @boot_off_ns: out: what to write to timens_offsets
 * @gpid:  out
 * @hole, @hole_len: out: where the restorer may live while it builds
 *
 * Blocks (interruptible) until a handoff was offered to and accepted by this
 * node and its BEGIN has come, which is while the process still runs elsewhere.  The file then is the *landing*: the keeper
 * creates the leader (in the cgroup), which reads the image through the same
 * open file with CTM_IOC_RECORD and read(2), builds itself and waits in lseek(2).
 */
struct ctm_land {
	__u32 size;
	__u32 flags;
	__s32 cgroup_fd;
	__s32 pid;
	__u32 threads;
	__u32 uid;
	__s64 mono_off_ns;
	__s64 boot_off_ns;
	__u64 gpid;
	__u64 hole;
	__u64 hole_len;
};

/**
 * struct ctm_record - CTM_IOC_RECORD: the next records of the image (restorer)
 * @size:  sizeof(struct ctm_record)
 * @flags: must be 0
 * @buf:   user address for headers and payloads (struct ctm_rec, core/image.h)
 * @buf_len: bytes there, at least CTM_REC_ROOM
 * @len:   out: bytes written, ctm_rec_room() of each record
 *
 * Blocks until one has come; gives also those that have come behind it.
 * CTM_REC_PAGES and CTM_REC_END are always the last.  After CTM_REC_PAGES the
 * restorer must read(2) exactly count * 4096 bytes from this file, straight to
 * their place, before it asks for more (EINVAL otherwise).  ECONNABORTED: the
 * source aborted; exit.  After CTM_REC_END: ENODATA.
 */
struct ctm_record {
	__u32 size;
	__u32 flags;
	__u64 buf;
	__u32 buf_len;
	__u32 len;
};

/**
 * struct ctm_land_file - CTM_IOC_LAND_FILE: a descriptor that stays at home (restorer)
 * @size:   sizeof(struct ctm_land_file)
 * @flags:  must be 0
 * @handle: the home handle from the image
 * @fd:     out: a new descriptor, O_CLOEXEC off: at home the original open file,
 *          elsewhere a remote file
 * @oflags: O_* of the image's FILE record
 * @mode:   S_IFMT bits of the image's FILE record; 0, or left out: not known
 * @pad:    0
 *
 * With @mode this does not wait for home's answer; the last wait does, and the
 * landing fails there if home has no such file.
 */
struct ctm_land_file {
	__u32 size;
	__u32 flags;
	__u64 handle;
	__s32 fd;
	__u32 oflags;
	__u32 mode;
	__u32 pad;
};

/**
 * struct ctm_land_fail - CTM_IOC_LAND_FAIL: the landing failed (restorer, keeper)
 * @size:   sizeof(struct ctm_land_fail)
 * @flags:  must be 0
 * @error:  positive errno
 * @pad:    0
 * @reason: "restore fd 3 (/x/y): No such file or directory"
 *
 * Aborts the handoff with that reason; the source thaws its copy.
 */
struct ctm_land_fail {
	__u32 size;
	__u32 flags;
	__u32 error;
	__u32 pad;
	char reason[CTM_REASON_MAX];
};

/*
 * The last wait: lseek(fd, (off_t)&struct ctm_land_thread, CTM_SEEK_WAIT)
 *
 * Every restored thread ends in this call, all signals blocked, its extended
 * state already loaded.  When all threads of the image are in it and
 * CTM_REC_END was read, the landing is PREPARED.  At COMMIT the kernel sets the
 * thread's registers and signal mask from the structure, and the call returns
 * the recorded ax into the program.  The last thread out unmaps the hole and
 * closes the file descriptor.  On an abort the call returns -ECONNABORTED and
 * the thread must exit.
 *
 * Before it, to the leader alone, the call may return a signal number, once for
 * each signal to the whole process that came with the COMMIT: the thread queues
 * it (rt_sigqueueinfo(2)) with the siginfo that stands CTM_SEEK_SIGINFO bytes
 * below its stack pointer, and makes the same call again.
 *
 * A thread that stood in a system call which its freezing interrupted has the
 * number of that in orig_ax, else -1, and the kernel's restart code in ax: the
 * kernel here decides, as if the call had been made here, whether a signal's
 * handler runs and the call answers EINTR, or whether it is made again.
 */
#define CTM_SEEK_WAIT		4	/* = SEEK_HOLE: the largest that lseek(2) lets pass */
#define CTM_SEEK_SIGINFO	256

/** struct ctm_regs - general registers, in the order of struct user_regs_struct */
struct ctm_regs {
	__u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	__u64 orig_ax, ip, cs, flags, sp, ss, fs_base, gs_base, ds, es, fs, gs;
};

/**
 * enum ctm_restart - an interrupted call that goes on with the time that is left
 * @CTM_RESTART_NONE:      registers are used as they are
 * @CTM_RESTART_NANOSLEEP: (clock_)nanosleep, relative: the request is rewritten
 * @CTM_RESTART_POLL:      poll: dx is the milliseconds left
 * @CTM_RESTART_FUTEX:     futex wait, relative: the timeout is rewritten
 * @CTM_RESTART_CALL:      another call with a relative timeout: it is rewritten
 */
enum ctm_restart {
	CTM_RESTART_NONE	= 0,
	CTM_RESTART_NANOSLEEP	= 1,
	CTM_RESTART_POLL	= 2,
	CTM_RESTART_FUTEX	= 3,
	CTM_RESTART_CALL	= 4,
};

/**
 * struct ctm_land_thread - what the last wait sets for its thread
 * @regs:     general registers (cs, ss, segment registers and reserved flags are checked)
 * @sigmask:  blocked signals
 * @restart:  enum ctm_restart
 * @restart_clock: clockid of @deadline_ns
 * @deadline_ns: absolute, as seen inside the process's time namespace
 * @waitmask: CTM_LAND_WAITMASK: blocked while the call that @regs stand in waits
 *            (sigsuspend, pselect, ...), @sigmask again when it is over
 * @flags:    CTM_LAND_*
 */
struct ctm_land_thread {
	struct ctm_regs regs;
	__u64 sigmask;
	__u32 restart;
	__u32 restart_clock;
	__s64 deadline_ns;
	__u64 waitmask;
	__u32 flags;
	__u32 pad;
};
#define CTM_LAND_WAITMASK	(1u << 0)

/*
 * Keeper: after ADOPT, or after the COMMIT of a landing, the keeper polls its file:
 *   POLLIN   read(2) gives terminal input for the pty's master (CTM_ADOPT_TTY)
 *   POLLOUT  write(2) takes terminal output read from the master
 *   POLLPRI  CTM_IOC_EVENT gives the next event
 *   POLLHUP  the process has left (handoff done) or is destroyed: exit
 * and tells with CTM_IOC_TELL what became of the leader.
 *
 * Deputy: after CTM_IOC_DEPUTY the deputy polls its file in the same way:
 *   POLLIN   read(2) gives terminal output of the process
 *   POLLOUT  write(2) takes terminal input for it
 *   POLLPRI  CTM_IOC_EVENT gives the next event
 *   POLLHUP  the process has ended and all output was read (read returns 0)
 */

/**
 * enum ctm_event_type - CTM_IOC_EVENT, CTM_IOC_TELL
 * @CTM_EV_EXITED:     keeper tells, deputy gets: value = wait(2) status
 * @CTM_EV_STOPPED:    keeper tells, deputy gets: value = the stop signal
 * @CTM_EV_CONTINUED:  keeper tells, deputy gets
 * @CTM_EV_WINSIZE:    deputy tells, keeper gets: value = rows << 16 | cols
 * @CTM_EV_TTY_SAVE:   keeper gets, when its capsule is frozen for a handoff: drain
 *                     the pty, then tell CTM_EV_TTY_STATE (data: struct ctm_tty_state)
 * @CTM_EV_TTY_STATE:  keeper tells
 * @CTM_EV_TTY_KEEP:   keeper gets: the handoff was aborted, put back what was drained
 * @CTM_EV_LANDED:     keeper gets: COMMIT came, the process runs here now
 * @CTM_EV_WORKER:     deputy gets: start one more serving thread (CTM_IOC_SERVE)
 * @CTM_EV_MOVED:      deputy gets: value = new host's node id
 */
enum ctm_event_type {
	CTM_EV_EXITED		= 1,
	CTM_EV_STOPPED		= 2,
	CTM_EV_CONTINUED	= 3,
	CTM_EV_WINSIZE		= 4,
	CTM_EV_TTY_SAVE		= 5,
	CTM_EV_TTY_STATE	= 6,
	CTM_EV_TTY_KEEP		= 7,
	CTM_EV_LANDED		= 8,
	CTM_EV_WORKER		= 9,
	CTM_EV_MOVED		= 10,
};

/**
 * struct ctm_event - CTM_IOC_EVENT (next event, EAGAIN when none), CTM_IOC_TELL
 * @size:  sizeof(struct ctm_event)
 * @flags: must be 0
 * @type:  enum ctm_event_type
 * @pad:   0
 * @value: by type
 * @cpu_ns: with CTM_EV_EXITED: CPU time of the whole capsule on this host
 * @data, @data_len: user buffer, with CTM_EV_TTY_STATE (up to 64 KiB)
 */
struct ctm_event {
	__u32 size;
	__u32 flags;
	__u32 type;
	__u32 pad;
	__u64 value;
	__u64 cpu_ns;
	__u64 data;
	__u32 data_len;
	__u32 pad2;
};

/**
 * struct ctm_tty_state - a pty as the keeper saves and rebuilds it
 * @termios:  struct termios2 of the kernel (44 bytes), as TCGETS2 gives it
 * @rows, @cols: window size
 * @fg_pgrp:  foreground process group, in the PID namespace
 * @in_len:   bytes of input that the program has not read yet; they follow
 *
 * Travels in the image as record CTM_REC_TTY.
 */
struct ctm_tty_state {
	__u8 termios[64];
	__u16 rows;
	__u16 cols;
	__s32 fg_pgrp;
	__u32 in_len;
	__u32 pad;
	__u8 in[];
};

/**
 * struct ctm_deputy - CTM_IOC_DEPUTY: become the deputy of a process (at its home)
 * @size:  sizeof(struct ctm_deputy)
 * @flags: must be 0
 * @gpid:  the process; its home is this node and it has no deputy yet
 *
 * The owner or CAP_SYS_ADMIN.  When the file is closed before the process ended,
 * its remote files return EIO and, if it has a terminal, it gets SIGHUP.
 */
struct ctm_deputy {
	__u32 size;
	__u32 flags;
	__u64 gpid;
};

/**
 * struct ctm_serve - CTM_IOC_SERVE: make the calls of remote files (deputy thread)
 * @size:  sizeof(struct ctm_serve)
 * @flags: must be 0
 * @buf:   user address of memory that this thread alone lends: ioctls, and reads
 *         of files that know only user memory, are made with it; 0: such calls fail
 * @buf_len: bytes there, at least 4096 (more serve longer reads), at most 128 KiB
 * @pad:   0
 *
 * Called on the deputy's file by a thread that has nothing else to do; the
 * kernel makes the calls of the remote process in this thread, one after
 * another, with the thread's own credentials and signals, and returns only
 * with 0 when the process has ended, or EINTR.  A CTM_EV_WORKER asks for one
 * more such thread, also for the first; at most 64 are asked for.
 */
struct ctm_serve {
	__u32 size;
	__u32 flags;
	__u64 buf;
	__u32 buf_len;
	__u32 pad;
};

#define CTM_IOC(nr)		_IO(CTM_IOC_MAGIC, nr)

#define CTM_IOC_INFO		CTM_IOC(0x10)
#define CTM_IOC_MIGRATE		CTM_IOC(0x11)
#define CTM_IOC_DIST_FORK	CTM_IOC(0x12)
#define CTM_IOC_WAIT		CTM_IOC(0x13)
#define CTM_IOC_SIGNAL		CTM_IOC(0x14)
#define CTM_IOC_DESTROY		CTM_IOC(0x15)
#define CTM_IOC_SUSPEND		CTM_IOC(0x16)
#define CTM_IOC_RESUME		CTM_IOC(0x17)
#define CTM_IOC_PUT		CTM_IOC(0x18)
#define CTM_IOC_GET		CTM_IOC(0x19)
#define CTM_IOC_PIN		CTM_IOC(0x1a)
#define CTM_IOC_DROP		CTM_IOC(0x1b)
#define CTM_IOC_LOCATE		CTM_IOC(0x1c)
#define CTM_IOC_WORKED		CTM_IOC(0x1d)
#define CTM_IOC_RESULT		CTM_IOC(0x1e)
#define CTM_IOC_CHECKPOINT	CTM_IOC(0x1f)
#define CTM_IOC_RESTORE		CTM_IOC(0x20)
#define CTM_IOC_EXPLAIN		CTM_IOC(0x21)
#define CTM_IOC_SET		CTM_IOC(0x22)
#define CTM_IOC_RECOVER		CTM_IOC(0x23)

#define CTM_IOC_ADOPT		CTM_IOC(0x40)
#define CTM_IOC_LAND		CTM_IOC(0x41)
#define CTM_IOC_RECORD		CTM_IOC(0x42)
#define CTM_IOC_LAND_FILE	CTM_IOC(0x43)
#define CTM_IOC_LAND_FAIL	CTM_IOC(0x44)
#define CTM_IOC_EVENT		CTM_IOC(0x45)
#define CTM_IOC_TELL		CTM_IOC(0x46)
#define CTM_IOC_DEPUTY		CTM_IOC(0x47)
#define CTM_IOC_SERVE		CTM_IOC(0x48)

#endif /* _UAPI_LINUX_CONTINUUM_H */
