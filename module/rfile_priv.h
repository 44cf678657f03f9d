/* SPDX-License-Identifier: GPL-2.0 */
/*
 * rfile_priv.h - what the files of remote files share
 *
 *   rfile.c        struct ctm_rfiles: creation, handles, installation, end
 *   rfile_home.c   at home: files, operations, the connections that bring them
 *   rfile_exec.c   at home: one operation, made on an open file
 *   deputy.c       at home: the deputy's file, events, serving threads
 *   rfile_link.c   on the host: operations under way, the connection to home
 *   rfile_host.c   on the host: the pseudo file system
 *
 * Lock order: ctm_rfiles.send, ctm_hfile.watch_lock, ctm_process.lock,
 * ctm_rfiles.lock.  On the host: ctm_rhost.send, ctm_rhost.lock.
 */
#ifndef CTM_RFILE_PRIV_H
#define CTM_RFILE_PRIV_H

#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/poll.h>

#include "core/rwire.h"
#include "net/transport.h"
#include "rfile.h"

#define CTM_RFILES_MAX		1024u	/* exported files of one process */
#define CTM_RFILE_FLAGS		(O_APPEND | O_NONBLOCK)
#define CTM_RFILE_WORKERS	64u	/* serving threads that are asked for */
#define CTM_RFILE_IDLE_MS	1000u	/* a reader looks up from its connection so often */
#define CTM_RFILE_IO_MS		15000u	/* a frame that began must go on */
#define CTM_HFILE_WAITS		4
#define CTM_DEPUTY_EVENTS	64

enum ctm_deputy_state { CTM_DEPUTY_NONE, CTM_DEPUTY_BOUND, CTM_DEPUTY_GONE };

/**
 * struct ctm_rfiles - p->rfiles: freed with the process
 * @lock covers everything without a note.
 */
struct ctm_rfiles {
	struct ctm_process *p;		/* constant, no reference */
	spinlock_t lock;

	/* deputy */
	enum ctm_deputy_state deputy;
	struct { u32 type; u64 value; } ev[CTM_DEPUTY_EVENTS];
	unsigned int ev_first, ev_count;
	bool exit_posted;
	wait_queue_head_t ev_wait;
	unsigned int servers, idle;	/* threads in SERVE; of them, waiting */
	bool worker_asked;
	wait_queue_head_t work_wait;
	struct list_head ready;		/* of its family: ctm_rfiles.ready_link, with a reference to
					 * their processes: they have operations to be made */
	unsigned int nready;

	/* of a child of DIST_FORK */
	struct ctm_process *root;	/* whose deputy makes its calls: a reference, set once */
	struct list_head ready_link;	/* root's rfiles' lock */

	/* home */
	bool closed;			/* the process ended */
	u64 next_handle;
	struct list_head files;		/* ctm_hfile.link */
	unsigned int nfiles;
	struct list_head ops;		/* ctm_hop.all, by arrival */
	unsigned int nops;
	struct list_head queue;		/* ctm_hop.link */
	unsigned int nqueue;
	u32 epoch;			/* whose operations these are */
	struct mutex send;		/* one sender; covers @conn and the freeing of operations */
	struct ctm_conn *conn;		/* from the host that owns @epoch */

	/* host */
	struct ctm_rhost *host;		/* a reference; NULL before the first install */
};

/** ctm_rfiles_of() - p->rfiles, made when there is none.  NULL when out of memory */
struct ctm_rfiles *ctm_rfiles_of(struct ctm_process *p);

/* ---- home ---- */

struct ctm_hwait {
	wait_queue_entry_t entry;
	wait_queue_head_t *head;	/* NULL: it went away (POLLFREE) */
	struct ctm_hfile *hf;
};

/**
 * struct ctm_hfile - an open file that stays at home
 * References: the table, each operation on it, its work while queued.
 */
struct ctm_hfile {
	struct kref ref;
	struct ctm_rfiles *rf;
	struct list_head link;		/* rf->lock */
	u64 handle;
	struct file *file;
	bool pollable;			/* reads and writes may wait */
	unsigned int oflags;		/* as the host last knew them; file->f_lock */
	struct list_head parked;	/* operations that wait for readiness; rf->lock */

	struct mutex watch_lock;	/* for all below */
	bool gone;			/* out of the table: never armed again */
	bool armed;
	bool subscribed;		/* the host wants READY frames */
	struct poll_table_struct pt;
	unsigned int nwaits;
	struct ctm_hwait wait[CTM_HFILE_WAITS];
	struct work_struct work;	/* it was woken */
};

enum ctm_hop_state { CTM_HOP_QUEUED, CTM_HOP_RUNNING, CTM_HOP_PARKED, CTM_HOP_DONE };

/** struct ctm_hop - an operation at home; rf->lock covers link, all, state and the flags */
struct ctm_hop {
	struct list_head link;		/* rf->queue or hf->parked */
	struct list_head all;		/* rf->ops */
	struct ctm_hfile *hf;		/* a reference */
	enum ctm_hop_state state;
	bool cancelled;			/* finish it instead of waiting */
	bool dead;			/* nobody wants the result: out of rf->ops */
	u64 id;
	u32 op, oflags;
	u64 pos, a, b;
	u32 len, room;
	u8 *data;			/* kvmalloc'ed: what came, then what goes back */
	u32 done;			/* bytes written so far */
	/* the result */
	s64 ret;
	u32 flags, sig, out;
};

/** struct ctm_hscratch - memory in the serving thread's own address space */
struct ctm_hscratch {
	void __user *buf;
	u32 len;
};

enum ctm_hexec { CTM_HEXEC_DONE, CTM_HEXEC_WAIT, CTM_HEXEC_SIGNAL };

/**
 * ctm_hop_exec() - make the call, in the present thread
 * Return: DONE (op->ret and so on are set), WAIT (it would have to wait for the
 * file's readiness; op->done has counted what was written), SIGNAL (a signal of
 * this thread came first; nothing happened, or op->done has it)
 */
enum ctm_hexec ctm_hop_exec(struct ctm_hop *op, const struct ctm_hscratch *scratch);
/** ctm_hop_want() - the poll bits of which @op waits for one; 0: it never waits */
__poll_t ctm_hop_want(const struct ctm_hop *op);
void ctm_hfile_attr(struct ctm_hfile *hf, struct ctm_rw_attr *out, int *err);
void ctm_hfile_flags(struct ctm_hfile *hf, unsigned int oflags);

int ctm_home_export(struct ctm_rfiles *rf, struct file *f, u64 *handle);
/** ctm_home_lead() - the deputy of the family's first process makes the calls.  0 or -ENOMEM */
int ctm_home_lead(struct ctm_rfiles *rf);
/** ctm_home_inherit() - all files of @from that @rf does not have.  0 or -ENOMEM */
int ctm_home_inherit(struct ctm_rfiles *rf, struct ctm_rfiles *from);
/** ctm_home_server() - whose deputy makes the calls of @rf: its own, or its family's */
static inline struct ctm_rfiles *ctm_home_server(struct ctm_rfiles *rf)
{
	struct ctm_process *root = smp_load_acquire(&rf->root);

	return root ? root->rfiles : rf;
}
/** ctm_home_file() - the original of @handle, referenced, or NULL */
struct file *ctm_home_file(struct ctm_rfiles *rf, u64 handle, unsigned int oflags);
/** ctm_home_take() - the next operation to make, or NULL */
struct ctm_hop *ctm_home_take(struct ctm_rfiles *rf);
/** ctm_home_run() - make @op and answer, or park it.  -EINTR: a signal came first, @op is queued again */
int ctm_home_run(struct ctm_rfiles *rf, struct ctm_hop *op, const struct ctm_hscratch *scratch);
/** ctm_home_fail() - every operation that has not begun gets -EIO */
void ctm_home_fail(struct ctm_rfiles *rf);
/** ctm_home_drop() - forget all files and operations, cut the connection */
void ctm_home_drop(struct ctm_rfiles *rf);
int ctm_home_init(void);
void ctm_home_exit(void);

/** ctm_deputy_need() - operations wait: wake a serving thread, or ask for one more */
void ctm_deputy_need(struct ctm_rfiles *rf);
/** ctm_deputy_drain() - nobody makes calls for @rf's family any more: what waits of others ends with -EIO */
void ctm_deputy_drain(struct ctm_rfiles *rf);

/* ---- host ---- */

/**
 * struct ctm_rhost - remote files of one process on its host
 * References: ctm_rfiles, each inode, the link thread.  @lock covers everything
 * without a note.
 */
struct ctm_rhost {
	struct kref ref;
	u64 gpid;			/* constant */
	spinlock_t lock;
	bool live;			/* the process runs here, under @epoch */
	bool stop;			/* it left or ended */
	bool dead;			/* home does not know it (any more) */
	u32 epoch;
	u64 boot;			/* home's, once known */
	u64 next_id;
	struct list_head ops;		/* ctm_rop.link, ascending ids */
	unsigned int nops;
	wait_queue_head_t room;		/* for nops */
	u64 acks[CTM_RW_ACKS_MAX];
	unsigned int nacks;
	struct list_head nodes;		/* ctm_rnode.link */
	struct list_head asked;		/* files that home was asked about, and not yet heard */
	unsigned int nasked;
	bool thread;			/* the link thread was started */
	bool watching;			/* somebody polls: keep the connection */
	bool expected;			/* it lands: make the connection before it is needed */
	wait_queue_head_t wake;		/* the link thread's */
	struct work_struct kick;	/* send what killed threads left */

	struct mutex send;		/* one sender; covers: */
	struct ctm_conn *conn;
	u32 gen;			/* of @conn */
	bool hello_full;		/* a HELLO without LANDING went out on it; also @lock */
};

/** struct ctm_rop - an operation under way; references: its caller, host->ops */
struct ctm_rop {
	struct kref ref;
	struct list_head link;		/* host->lock */
	struct completion done;
	u64 id;
	struct ctm_rw_op w;
	u32 len, room;
	void *data;			/* kvmalloc'ed: what goes, or room for what comes */
	u32 gen;			/* sent on this connection; host->send */
	bool cancel, cancel_sent;	/* host->lock */
	bool nowait;			/* nobody waits for it */
	s64 ret;
	u32 flags, sig, got;
};

struct ctm_rhost *ctm_rhost_new(struct ctm_process *p);
void ctm_rhost_put(struct ctm_rhost *host);
/** ctm_rhost_expect() - connect to home; without it, who lands first waits for that.  May sleep */
void ctm_rhost_expect(struct ctm_rhost *host);
void ctm_rhost_live(struct ctm_rhost *host, u32 epoch);
void ctm_rhost_stop(struct ctm_rhost *host);
/** ctm_rop_new() - @len or @room bytes of data.  NULL when out of memory */
struct ctm_rop *ctm_rop_new(enum ctm_rw_op_code code, u64 handle, unsigned int oflags,
			    u32 len, u32 room);
void ctm_rop_put(struct ctm_rop *op);
/**
 * ctm_rop_call() - send @op to home and wait for its result
 * @intr: a signal (or the freezer) ends the wait: the operation is then undone
 *        before it began, or done
 * Return: what the call at home returned; -ERESTARTSYS, -EINTR (killed), -EIO
 */
s64 ctm_rop_call(struct ctm_rhost *host, struct ctm_rop *op, bool intr);
/** ctm_rop_start() - send it; op->done says when its result has come.  0 or -errno */
int ctm_rop_start(struct ctm_rhost *host, struct ctm_rop *op);
/** ctm_rop_post() - the same without waiting; takes over the caller's reference */
void ctm_rop_post(struct ctm_rhost *host, struct ctm_rop *op);

/** struct ctm_rnode - inode->i_private of a remote file */
struct ctm_rnode {
	struct ctm_rhost *host;		/* a reference */
	struct list_head link;		/* host->nodes, host->lock */
	u64 handle;
	bool stream;			/* it may make its caller wait */
	wait_queue_head_t wait;		/* pollers */
	__poll_t mask;			/* as home last told; host->lock */
	u32 armed;			/* host->gen for which home tells; 0: does not */
};

/** ctm_rnode_ready() - home told a mask */
void ctm_rnode_ready(struct ctm_rhost *host, u64 handle, __poll_t mask);
/** ctm_rnodes_wake() - let every poller look again */
void ctm_rnodes_wake(struct ctm_rhost *host);
/**
 * ctm_remote_open() - a new remote file; asks home
 * @fmt: S_IFMT bits, if known: then ctm_remote_settle() waits for the answer, not this
 * Return: ERR_PTR
 */
struct file *ctm_remote_open(struct ctm_rhost *host, u64 handle, unsigned int oflags, umode_t fmt);
/** ctm_remote_settle() - home has told of all files that were opened; killable.  0 or -errno */
int ctm_remote_settle(struct ctm_rhost *host);
/** ctm_remote_forget() - nobody will settle; @host is stopped */
void ctm_remote_forget(struct ctm_rhost *host);
int ctm_remote_init(void);
void ctm_remote_exit(void);

/** ctm_rw_send() - one frame; @payload then @data.  Holds the connection's send lock */
int ctm_rw_send(struct ctm_conn *conn, enum ctm_rw_kind kind, u64 id, const void *payload,
		u32 len, const void *data, u32 data_len, bool more);

extern struct workqueue_struct *ctm_rfile_wq;	/* wakes of home's files, kicks; rfile.c */

#endif /* CTM_RFILE_PRIV_H */
