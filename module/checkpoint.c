// SPDX-License-Identifier: GPL-2.0
/*
 * checkpoint.c - the image of a process, for a program to keep
 *
 * Captured as for a move, into memory, while the process is frozen; then that goes on, and
 * the caller reads the image from its file.  Unlike a move's it holds nothing that is
 * at home: see classify_kept() in resource/files.c.
 */
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "capture.h"
#include "compat/compat.h"
#include "courier.h"
#include "handoff_io.h"
#include "keeper.h"
#include "reaper.h"
#include "saved.h"
#include "term.h"

#define FREEZE_MS	10000
#define TTY_MS		10000
#define IDENTS_ROOM	(256u << 10)

/** struct making - one call; the caller holds p->journey */
struct making {
	struct ctm_process *p;
	struct task_struct *leader;
	struct ctm_caller by;
	struct ctm_stored *image;
	struct ctm_sink sink;
	struct ctm_capture cap;
	void *idents;
	unsigned long *bits;
	void *tty;
	char *why;			/* CTM_REASON_MAX */
};

/* ---- the sink ---- */

static int sink_record(struct ctm_sink *s, const struct ctm_rec *rec, u32 len)
{
	struct making *m = container_of(s, struct making, sink);
	const char *why;
	int err;

	if (fatal_signal_pending(current))
		return -EINTR;
	err = ctm_stored_record(m->image, rec, len, &why);
	if (err == -EBADMSG)
		snprintf(m->why, CTM_REASON_MAX, "bad image: record of type %u: %s", rec->type, why);
	if (err == -ENOSPC)
		strscpy(m->why, "this node has no room for the image", CTM_REASON_MAX);
	return err;
}

static int sink_pages(struct ctm_sink *s, struct bio_vec *bv, unsigned int nr)
{
	struct making *m = container_of(s, struct making, sink);
	unsigned int i;
	int err = 0;

	for (i = 0; i < nr && !err; i++)
		err = ctm_stored_bytes(m->image, page_address(bv[i].bv_page), PAGE_SIZE);
	if (err == -ENOSPC)
		strscpy(m->why, "this node has no room for the image", CTM_REASON_MAX);
	return err;
}

/* ---- making it ---- */

static int explain(struct making *m)
{
	struct ctm_explain_ctx x = {
		.p = m->p, .leader = m->leader, .at_home = ctm_process_is_home(m->p),
		.checkpoint = true, .buf = m->cap.buf, .room = CTM_REASON_MAX,
	};
	int err = ctm_explain_process(&x);

	/* who seems to share a file may be a thread in a call: it is looked at again when it stands */
	if (err || !x.blockers || x.unsure)
		return err;
	strscpy(m->why, x.first, CTM_REASON_MAX);
	return -EOPNOTSUPP;
}

/* all of its files count as there: where it is restored they are looked at again */
static int collect_idents(struct making *m)
{
	struct ctm_capture *c = &m->cap;
	ssize_t n;

	m->idents = kvmalloc(IDENTS_ROOM, GFP_KERNEL_ACCOUNT);
	if (!m->idents)
		return -ENOMEM;
	n = ctm_idents_collect(m->p, m->idents, IDENTS_ROOM, &c->nidents);
	if (n < 0)
		return n;
	m->bits = kvmalloc_array(BITS_TO_LONGS(c->nidents + 1), sizeof(long), GFP_KERNEL_ACCOUNT);
	if (!m->bits)
		return -ENOMEM;
	memset(m->bits, 0xff, BITS_TO_LONGS(c->nidents + 1) * sizeof(long));
	c->idents = m->idents;
	c->idents_len = n;
	c->ident_bits = m->bits;
	return 0;
}

static int save_terminal(struct making *m)
{
	int err = ctm_keeper_save_tty(m->p, &m->tty, &m->cap.tty_len, TTY_MS);

	if (!err)
		err = ctm_term_flush(m->p, TTY_MS);
	if (err)
		strscpy(m->why, "its terminal could not be saved", CTM_REASON_MAX);
	m->cap.tty = m->tty;
	return err;
}

static int capture(struct making *m)
{
	struct task_struct **tasks;
	int n = ctm_tasks(m->p, &tasks), err;

	if (n < 0)
		return n;
	m->cap.tasks = tasks;
	m->cap.ntasks = n;
	err = ctm_capture_hole(&m->cap);
	if (!err)
		err = ctm_capture_process(&m->cap);
	ctm_capture_done(&m->cap);
	ctm_tasks_put(tasks, n);
	return err;
}

static int make_frozen(struct making *m)
{
	int err = ctm_freeze(m->p, FREEZE_MS, m->why);

	if (err)
		return err;
	err = ctm_may_act(m->p, &m->by);
	if (err)
		strscpy(m->why, "its owner changed meanwhile", CTM_REASON_MAX);
	if (!err && m->p->term)
		err = save_terminal(m);
	if (!err)
		err = capture(m);
	ctm_thaw(m->p);
	if (m->tty)
		ctm_keeper_post(m->p, CTM_EV_TTY_KEEP, 0);
	return err;
}

static int make(struct making *m)
{
	struct ctm_capture *c = &m->cap;
	int err;

	c->p = m->p;
	c->leader = m->leader;
	c->checkpoint = true;
	c->sink = &m->sink;
	c->why = m->why;
	m->sink.record = sink_record;
	m->sink.pages = sink_pages;
	c->buf = kvmalloc(CTM_REC_MAX, GFP_KERNEL_ACCOUNT);
	m->image = ctm_stored_new();
	if (IS_ERR(m->image))
		m->image = NULL;
	err = c->buf && m->image ? explain(m) : -ENOMEM;
	if (!err)
		err = collect_idents(m);
	if (!err)
		err = make_frozen(m);
	kvfree(m->tty);
	kvfree(m->bits);
	kvfree(m->idents);
	kvfree(c->buf);
	return err;
}

/* ---- the call ---- */

static void tell(struct making *m, struct ctm_checkpoint *arg)
{
	struct ctm_ho_abi abi;
	struct ctm_life life;
	struct ctm_info info;

	ctm_process_info(m->p, &info);
	ctm_reaper_look(m->p, &life);
	ctm_ho_abi_put(&abi, ctm_abi_self());
	BUILD_BUG_ON(sizeof(abi) > sizeof(arg->abi));
	memcpy(arg->abi, &abi, sizeof(abi));
	arg->abi_len = sizeof(abi);
	arg->gpid = m->p->gpid;
	arg->bytes = ctm_stored_len(m->image);
	arg->records = m->cap.records;
	arg->pages = m->cap.pages;
	arg->epoch = info.epoch;
	arg->uid = info.uid;
	arg->gid = from_kgid(&init_user_ns, task_cred_xxx(m->leader, gid));
	arg->threads = m->cap.ntasks;
	arg->ttl = life.ttl_max;
	arg->lease_ms = info.lease_ms;
	memcpy(arg->comm, info.comm, sizeof(arg->comm));
	memcpy(arg->home_name, info.home_name, sizeof(arg->home_name));
}

static int elsewhere(struct ctm_process *p, char *why)
{
	char host[CTM_NAME_MAX];

	if (READ_ONCE(p->ended))
		return -ESRCH;
	ctm_peer_name(READ_ONCE(p->host), host);
	snprintf(why, CTM_REASON_MAX, "it runs on %s: make its checkpoint there", host);
	return -EREMOTE;
}

/* holds p->journey */
static int checkpoint_here(struct making *m, struct ctm_checkpoint *arg)
{
	int err;

	if (!m->p->here)
		return elsewhere(m->p, m->why);
	if (READ_ONCE(m->p->arriving) || m->p->committed) {
		strscpy(m->why, "its last journey is not over", CTM_REASON_MAX);
		return -EBUSY;
	}
	m->leader = ctm_process_leader(m->p);
	if (!m->leader)
		return -ESRCH;
	err = ctm_may_act(m->p, &m->by);
	if (!err)
		err = make(m);
	if (!err)
		tell(m, arg);
	put_task_struct(m->leader);
	return err;
}

/* a process that is not known here may be elsewhere all the same: say where */
static int look_elsewhere(u64 gpid, char *why)
{
	struct ctm_info info = { .size = sizeof(info), .gpid = gpid };
	int err = ctm_info(&info);

	if (err)
		return err;
	if (info.state == CTM_STATE_ENDED)
		return -ESRCH;
	info.host_name[CTM_NAME_MAX - 1] = 0;
	snprintf(why, CTM_REASON_MAX, "it runs on %s: make its checkpoint there", info.host_name);
	return -EREMOTE;
}

static bool is_own(struct ctm_process *p)
{
	struct ctm_process *own = ctm_process_of_task(current);

	ctm_process_put(own);
	return own == p;
}

static int checkpoint(struct making *m, struct ctm_checkpoint *arg)
{
	int err;

	m->p = ctm_process_find(arg->gpid);
	if (!m->p)
		return look_elsewhere(arg->gpid, m->why);
	err = -EINVAL;
	if (is_own(m->p)) {
		strscpy(m->why, "a process cannot make its own checkpoint", CTM_REASON_MAX);
		goto out;
	}
	err = mutex_lock_killable(&m->p->journey);
	if (err)
		goto out;
	err = checkpoint_here(m, arg);
	mutex_unlock(&m->p->journey);
out:
	ctm_process_put(m->p);
	return err;
}

struct ctm_saved *ctm_checkpoint(struct ctm_checkpoint *arg)
{
	struct making m = { .why = arg->reason };
	struct ctm_saved *s = ctm_saved_new();
	int err;

	if (IS_ERR(s))
		return s;
	arg->reason[0] = 0;
	ctm_caller_current(&m.by);
	err = checkpoint(&m, arg);
	s->image = m.image;
	if (!err)
		return s;
	ctm_saved_free(s);
	return ERR_PTR(err);
}

/* ---- the file ---- */

struct ctm_saved *ctm_saved_new(void)
{
	struct ctm_saved *s;

	if (!ctm_node_is_up())
		return ERR_PTR(-ENETDOWN);
	s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s)
		return ERR_PTR(-ENOMEM);
	mutex_init(&s->lock);
	return s;
}

ssize_t ctm_saved_read(struct ctm_saved *s, struct iov_iter *to)
{
	ssize_t ret = -EINVAL;

	if (mutex_lock_interruptible(&s->lock))
		return -ERESTARTSYS;
	if (s->image && !s->written) {
		iov_iter_truncate(to, ctm_stored_len(s->image) - s->at);
		ret = iov_iter_count(to);
		if (ret)
			ret = ctm_stored_read_iter(s->image, &s->at, to) ?: ret;
	}
	mutex_unlock(&s->lock);
	return ret;
}

void ctm_saved_free(struct ctm_saved *s)
{
	ctm_stored_put(s->image);
	if (s->cred)
		put_cred(s->cred);
	kvfree(s->buf);
	kfree(s);
}
