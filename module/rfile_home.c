// SPDX-License-Identifier: GPL-2.0
/*
 * rfile_home.c - at home: exported files, operations on them, and the
 *                connections that bring operations from the host
 *
 * An operation is made once, however often its OP arrives: it stays in rf->ops
 * with its result until the host acknowledges that.  It is QUEUED until a thread
 * of the deputy takes it (RUNNING), and PARKED on its file while that is not
 * ready; so a read that waits for hours occupies no thread, and its CANCEL has a
 * definite answer.  Operations belong to an epoch; a HELLO of a later one drops
 * them, for the freezer let the process leave only when none was undecided.
 *
 * Operations are freed, and results sent, under rf->send: that order makes an ACK
 * find only what was sent, and keeps a result from being freed while it is sent.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "rfile_priv.h"

/* ---- exported files ---- */

static void hfile_disarm(struct ctm_hfile *hf)
{
	struct wait_queue_head *head;
	unsigned int i;

	lockdep_assert_held(&hf->watch_lock);
	for (i = 0; i < hf->nwaits; i++) {
		rcu_read_lock();	/* against POLLFREE, see woken() */
		head = smp_load_acquire(&hf->wait[i].head);
		if (head)
			remove_wait_queue(head, &hf->wait[i].entry);
		rcu_read_unlock();
	}
	hf->nwaits = 0;
	hf->armed = false;
}

static void hfile_release(struct kref *ref)
{
	struct ctm_hfile *hf = container_of(ref, struct ctm_hfile, ref);

	fput(hf->file);
	kfree(hf);
}

static void hfile_put(struct ctm_hfile *hf)
{
	kref_put(&hf->ref, hfile_release);
}

/* the last thing that happens to one that left the table; afterwards nothing of it
 * looks at rf any more but the operations that are still RUNNING
 */
static void hfile_drop(struct ctm_hfile *hf)
{
	mutex_lock(&hf->watch_lock);
	hf->gone = true;
	hfile_disarm(hf);
	mutex_unlock(&hf->watch_lock);
	if (cancel_work_sync(&hf->work))
		hfile_put(hf);
	hfile_put(hf);
}

static void queue_op(struct ctm_rfiles *rf, struct ctm_hop *op, bool first)
{
	lockdep_assert_held(&rf->lock);
	op->state = CTM_HOP_QUEUED;
	if (first)
		list_add(&op->link, &rf->queue);
	else
		list_add_tail(&op->link, &rf->queue);
	rf->nqueue++;
}

/* what waits for this file tries again */
static void unpark(struct ctm_rfiles *rf, struct ctm_hfile *hf)
{
	struct ctm_hop *op, *next;
	bool any = false;

	spin_lock(&rf->lock);
	list_for_each_entry_safe(op, next, &hf->parked, link) {
		list_del(&op->link);
		queue_op(rf, op, false);
		any = true;
	}
	spin_unlock(&rf->lock);
	if (any)
		ctm_deputy_need(rf);
}

/* process context: a file was woken; its parked operations try again, the host hears of it */
static void hfile_work(struct work_struct *work)
{
	struct ctm_hfile *hf = container_of(work, struct ctm_hfile, work);
	struct ctm_rfiles *rf = hf->rf;
	struct ctm_rw_ready ready = { .handle = cpu_to_le64(hf->handle) };

	unpark(rf, hf);
	if (READ_ONCE(hf->subscribed)) {
		mutex_lock(&rf->send);
		/* asked for with @send held: what is told last is what was seen last */
		ready.mask = cpu_to_le32((__force u32)vfs_poll(hf->file, NULL));
		if (rf->conn)
			ctm_rw_send(rf->conn, CTM_RW_READY, 0, &ready, sizeof(ready), NULL, 0, false);
		mutex_unlock(&rf->send);
	}
	hfile_put(hf);
}

/* atomic context, the file's wait queue locked */
static int woken(wait_queue_entry_t *entry, unsigned int mode, int sync, void *key)
{
	struct ctm_hwait *w = container_of(entry, struct ctm_hwait, entry);

	if (key_to_poll(key) & POLLFREE) {
		list_del_init(&entry->entry);
		smp_store_release(&w->head, NULL);
		return 1;
	}
	kref_get(&w->hf->ref);
	if (!queue_work(ctm_rfile_wq, &w->hf->work))
		kref_put(&w->hf->ref, hfile_release);	/* never the last: it is still armed */
	return 1;
}

static void add_wait(struct file *file, wait_queue_head_t *head, struct poll_table_struct *pt)
{
	struct ctm_hfile *hf = container_of(pt, struct ctm_hfile, pt);
	struct ctm_hwait *w;

	if (hf->nwaits == CTM_HFILE_WAITS)
		return;
	w = &hf->wait[hf->nwaits++];
	w->hf = hf;
	w->head = head;
	init_waitqueue_func_entry(&w->entry, woken);
	add_wait_queue(head, &w->entry);
}

/* from now on woken() is called.  -EIO when the file left the table */
static int hfile_arm(struct ctm_hfile *hf)
{
	int err = 0;

	mutex_lock(&hf->watch_lock);
	if (hf->gone) {
		err = -EIO;
	} else if (!hf->armed) {
		init_poll_funcptr(&hf->pt, add_wait);
		vfs_poll(hf->file, &hf->pt);
		hf->armed = true;
	}
	mutex_unlock(&hf->watch_lock);
	return err;
}

static struct ctm_hfile *hfile_new(struct ctm_rfiles *rf, struct file *f)
{
	umode_t mode = file_inode(f)->i_mode;
	struct ctm_hfile *hf = kzalloc(sizeof(*hf), GFP_KERNEL_ACCOUNT);

	if (!hf)
		return NULL;
	kref_init(&hf->ref);
	hf->rf = rf;
	hf->file = get_file(f);
	hf->oflags = f->f_flags & CTM_RFILE_FLAGS;
	hf->pollable = file_can_poll(f) && !S_ISREG(mode) && !S_ISBLK(mode);
	INIT_LIST_HEAD(&hf->parked);
	mutex_init(&hf->watch_lock);
	INIT_WORK(&hf->work, hfile_work);
	return hf;
}

int ctm_home_export(struct ctm_rfiles *rf, struct file *f, u64 *handle)
{
	umode_t mode = file_inode(f)->i_mode;
	struct ctm_hfile *hf, *new;
	int err = 0;

	if (S_ISDIR(mode) || S_ISSOCK(mode) || f->f_mode & FMODE_PATH)
		return -EOPNOTSUPP;
	new = hfile_new(rf, f);
	if (!new)
		return -ENOMEM;
	spin_lock(&rf->lock);
	list_for_each_entry(hf, &rf->files, link)
		if (hf->file == f) {
			*handle = hf->handle;
			goto out;
		}
	err = rf->closed ? -ESRCH : rf->nfiles == CTM_RFILES_MAX ? -EMFILE : 0;
	if (err)
		goto out;
	*handle = new->handle = ++rf->next_handle;
	list_add_tail(&new->link, &rf->files);
	rf->nfiles++;
	new = NULL;
out:
	spin_unlock(&rf->lock);
	if (new)
		hfile_put(new);
	return err;
}

int ctm_home_lead(struct ctm_rfiles *rf)
{
	struct ctm_process *root;

	if (rf->root)
		return 0;
	root = ctm_process_find(rf->p->family);
	if (!root)
		return 0;		/* it ended an hour ago: then there is no deputy either */
	if (ctm_rfiles_of(root) && !cmpxchg(&rf->root, NULL, root))
		return 0;
	ctm_process_put(root);
	return rf->root ? 0 : -ENOMEM;
}

struct copied {
	struct file *file;
	u64 handle;
};

/* references to its files; Return: how many */
static unsigned int copy_files(struct ctm_rfiles *rf, struct copied *v, unsigned int room)
{
	struct ctm_hfile *hf;
	unsigned int n = 0;

	spin_lock(&rf->lock);
	list_for_each_entry(hf, &rf->files, link) {
		if (n == room)
			break;
		v[n].file = get_file(hf->file);
		v[n++].handle = hf->handle;
	}
	spin_unlock(&rf->lock);
	return n;
}

static struct ctm_hfile *find_hfile(struct ctm_rfiles *rf, u64 handle);

static int inherit_one(struct ctm_rfiles *rf, const struct copied *c)
{
	struct ctm_hfile *hf = find_hfile(rf, c->handle), *new;

	if (hf) {
		hfile_put(hf);
		return 0;
	}
	new = hfile_new(rf, c->file);
	if (!new)
		return -ENOMEM;
	new->handle = c->handle;
	spin_lock(&rf->lock);
	/* one inherits at a time: see ctm_home_inherit() */
	if (!rf->closed) {
		list_add_tail(&new->link, &rf->files);
		rf->nfiles++;
		rf->next_handle = max(rf->next_handle, c->handle);
		new = NULL;
	}
	spin_unlock(&rf->lock);
	if (new)
		hfile_put(new);
	return 0;
}

int ctm_home_inherit(struct ctm_rfiles *rf, struct ctm_rfiles *from)
{
	struct copied *v = kvmalloc_array(CTM_RFILES_MAX, sizeof(*v), GFP_KERNEL);
	unsigned int i, n;
	int err = 0;

	if (!v)
		return -ENOMEM;
	n = copy_files(from, v, CTM_RFILES_MAX);
	mutex_lock(&rf->send);		/* two look-ups of the child may come at once */
	for (i = 0; i < n && !err; i++)
		err = inherit_one(rf, &v[i]);
	mutex_unlock(&rf->send);
	for (i = 0; i < n; i++)
		fput(v[i].file);
	kvfree(v);
	return err;
}

/* finds with a reference */
static struct ctm_hfile *find_hfile(struct ctm_rfiles *rf, u64 handle)
{
	struct ctm_hfile *hf, *found = NULL;

	spin_lock(&rf->lock);
	list_for_each_entry(hf, &rf->files, link)
		if (hf->handle == handle) {
			kref_get(&hf->ref);
			found = hf;
			break;
		}
	spin_unlock(&rf->lock);
	return found;
}

struct file *ctm_home_file(struct ctm_rfiles *rf, u64 handle, unsigned int oflags)
{
	struct ctm_hfile *hf = find_hfile(rf, handle);
	struct file *f;

	if (!hf)
		return NULL;
	ctm_hfile_flags(hf, oflags & CTM_RFILE_FLAGS);
	f = get_file(hf->file);
	hfile_put(hf);
	return f;
}

static void close_hfile(struct ctm_rfiles *rf, u64 handle)
{
	struct ctm_hfile *hf, *found = NULL;

	spin_lock(&rf->lock);
	list_for_each_entry(hf, &rf->files, link)
		if (hf->handle == handle) {
			list_del(&hf->link);
			rf->nfiles--;
			found = hf;
			break;
		}
	spin_unlock(&rf->lock);
	if (found)
		hfile_drop(found);
}

/* ---- operations ---- */

static void free_op(struct ctm_hop *op)
{
	if (op->hf)
		hfile_put(op->hf);
	kvfree(op->data);
	kfree(op);
}

/* holds rf->lock, or the op is the caller's alone */
static void forget_op(struct ctm_rfiles *rf, struct ctm_hop *op, struct list_head *free)
{
	lockdep_assert_held(&rf->lock);
	list_del_init(&op->all);
	rf->nops--;
	if (op->state == CTM_HOP_RUNNING) {
		op->dead = true;	/* its thread frees it */
		op->cancelled = true;
		return;
	}
	if (op->state == CTM_HOP_QUEUED)
		rf->nqueue--;
	if (op->state != CTM_HOP_DONE)
		list_del(&op->link);
	list_add(&op->all, free);
}

static void free_ops(struct list_head *free)
{
	struct ctm_hop *op, *next;

	list_for_each_entry_safe(op, next, free, all)
		free_op(op);
}

/* holds rf->send; an error breaks the connection: the host comes again and asks for it */
static void send_result(struct ctm_conn *conn, const struct ctm_hop *op)
{
	struct ctm_rw_result r = {
		.ret = cpu_to_le64(op->ret),
		.flags = cpu_to_le32(op->flags),
		.sig = cpu_to_le32(op->sig),
		.len = cpu_to_le32(op->out),
	};

	if (conn)
		ctm_rw_send(conn, CTM_RW_RESULT, op->id, &r, sizeof(r), op->data, op->out, false);
}

/* the operation is decided: keep and send its result */
static void finish_op(struct ctm_rfiles *rf, struct ctm_hop *op)
{
	bool dead;

	mutex_lock(&rf->send);
	spin_lock(&rf->lock);
	op->state = CTM_HOP_DONE;
	dead = op->dead;
	spin_unlock(&rf->lock);
	if (!dead) {
		send_result(rf->conn, op);
		if (!op->out) {
			kvfree(op->data);
			op->data = NULL;
		}
	}
	mutex_unlock(&rf->send);
	if (dead)
		free_op(op);
}

static void finish_cancelled(struct ctm_rfiles *rf, struct ctm_hop *op, int err)
{
	op->ret = op->done ? op->done : err;
	op->flags = !op->done && err == -ECANCELED ? CTM_RW_CANCELLED : 0;
	finish_op(rf, op);
}

struct ctm_hop *ctm_home_take(struct ctm_rfiles *rf)
{
	struct ctm_hop *op;

	spin_lock(&rf->lock);
	op = list_first_entry_or_null(&rf->queue, struct ctm_hop, link);
	if (op) {
		list_del(&op->link);
		rf->nqueue--;
		op->state = CTM_HOP_RUNNING;
	}
	spin_unlock(&rf->lock);
	return op;
}

/*
 * Leave @op with its file until that is woken.  From the moment it is in the list
 * it may be woken, cancelled, made by another thread and freed.
 */
static void park(struct ctm_rfiles *rf, struct ctm_hop *op)
{
	struct ctm_hfile *hf = op->hf;
	__poll_t want = ctm_hop_want(op);
	int err = hfile_arm(hf);

	kref_get(&hf->ref);
	spin_lock(&rf->lock);
	if (!err && op->cancelled)
		err = -ECANCELED;
	if (!err) {
		op->state = CTM_HOP_PARKED;
		list_add_tail(&op->link, &hf->parked);
	}
	spin_unlock(&rf->lock);
	if (err)
		finish_cancelled(rf, op, err);
	else if (vfs_poll(hf->file, NULL) & want)	/* became ready before it was in the list */
		unpark(rf, hf);
	hfile_put(hf);
}

int ctm_home_run(struct ctm_rfiles *rf, struct ctm_hop *op, const struct ctm_hscratch *scratch)
{
	enum ctm_hexec how = ctm_hop_exec(op, scratch);

	if (how == CTM_HEXEC_SIGNAL && signal_pending(current)) {
		spin_lock(&rf->lock);
		if (!op->cancelled) {
			queue_op(rf, op, true);
			spin_unlock(&rf->lock);
			ctm_deputy_need(rf);
			return -EINTR;
		}
		spin_unlock(&rf->lock);
		finish_cancelled(rf, op, -ECANCELED);
		return -EINTR;
	}
	if (how == CTM_HEXEC_SIGNAL)	/* its own: a file system that gave up */
		op->ret = op->done ? op->done : -EINTR;
	if (how == CTM_HEXEC_WAIT)
		park(rf, op);
	else
		finish_op(rf, op);
	return 0;
}

/* operations that have not begun (@id: that one, 0: all) end with @err; others as soon as they can */
static void end_waiting(struct ctm_rfiles *rf, u64 id, int err)
{
	struct ctm_hop *op, *found;

	do {
		found = NULL;
		spin_lock(&rf->lock);
		list_for_each_entry(op, &rf->ops, all) {
			if ((id && op->id != id) || op->state == CTM_HOP_DONE)
				continue;
			op->cancelled = true;
			if (op->state == CTM_HOP_RUNNING)
				continue;
			if (op->state == CTM_HOP_QUEUED)
				rf->nqueue--;
			list_del(&op->link);
			op->state = CTM_HOP_RUNNING;	/* ours to finish */
			found = op;
			break;
		}
		spin_unlock(&rf->lock);
		if (found)
			finish_cancelled(rf, found, err);
	} while (found);
}

void ctm_home_fail(struct ctm_rfiles *rf)
{
	end_waiting(rf, 0, -EIO);
}

/* holds rf->send */
static void forget_all(struct ctm_rfiles *rf)
{
	struct ctm_hop *op, *next;
	LIST_HEAD(free);

	spin_lock(&rf->lock);
	list_for_each_entry_safe(op, next, &rf->ops, all)
		forget_op(rf, op, &free);
	spin_unlock(&rf->lock);
	free_ops(&free);
}

void ctm_home_drop(struct ctm_rfiles *rf)
{
	struct ctm_hfile *hf;

	mutex_lock(&rf->send);
	if (rf->conn)
		ctm_conn_abort(rf->conn);
	rf->conn = NULL;
	forget_all(rf);
	mutex_unlock(&rf->send);
	do {
		spin_lock(&rf->lock);
		hf = list_first_entry_or_null(&rf->files, struct ctm_hfile, link);
		if (hf) {
			list_del(&hf->link);
			rf->nfiles--;
		}
		spin_unlock(&rf->lock);
		if (hf)
			hfile_drop(hf);
	} while (hf);
}

/* ---- a connection from a host ---- */

/**
 * struct hlink - one connection, owned by its serve thread
 * @conn: the transport's
 * @p:    from HELLO on, a reference
 * @rf:   lives as long as @p
 * @full: the process runs at the other end; without, it may only look
 */
struct hlink {
	struct ctm_conn *conn;
	struct ctm_process *p;
	struct ctm_rfiles *rf;
	bool full;
};

static int check_hello(struct hlink *l, const struct ctm_rw_hello *h)
{
	struct ctm_process *p = l->p;
	u32 epoch = le32_to_cpu(h->epoch);
	int err = 0;

	if (le32_to_cpu(h->version) != CTM_RW_VERSION || le32_to_cpu(h->flags) & ~CTM_RW_LANDING)
		return -EPROTO;
	if (!p || !ctm_process_is_home(p) || !l->rf)
		return -ESRCH;
	spin_lock(&p->lock);
	if (p->ended)
		err = -ESRCH;
	else if (h->flags)
		;	/* only looks: it does not own the process yet */
	else if (epoch < p->epoch || epoch < READ_ONCE(l->rf->epoch))
		err = -ESTALE;
	/* a later epoch: it runs there, and we shall be told */
	else if (epoch == p->epoch && !p->here && p->host != ctm_conn_peer(l->conn))
		err = -ESTALE;
	spin_unlock(&p->lock);
	return err;
}

/* this connection is the host's now; holds rf->send */
static void take_over(struct hlink *l, u32 epoch, u64 below)
{
	struct ctm_rfiles *rf = l->rf;
	struct ctm_hop *op, *next;
	LIST_HEAD(free);

	if (rf->conn && rf->conn != l->conn)
		ctm_conn_abort(rf->conn);
	rf->conn = l->conn;
	if (rf->epoch != epoch)
		forget_all(rf);
	rf->epoch = epoch;
	spin_lock(&rf->lock);
	list_for_each_entry_safe(op, next, &rf->ops, all)
		if (op->state == CTM_HOP_DONE && op->id < below)
			forget_op(rf, op, &free);
	spin_unlock(&rf->lock);
	free_ops(&free);
}

static int on_hello(struct hlink *l, const struct ctm_rw_hello *h)
{
	struct ctm_rw_welcome w = {};
	int err, sent;

	if (!l->p) {
		l->p = ctm_process_find(le64_to_cpu(h->gpid));
		if (l->p && READ_ONCE(l->p->forking))
			ctm_rfiles_inherit(l->p);
		l->rf = l->p ? ctm_rfiles_of(l->p) : NULL;
	}
	if (l->p && l->p->gpid != le64_to_cpu(h->gpid))
		return -EBADMSG;
	err = check_hello(l, h);
	w.error = cpu_to_le32(-err);
	if (!l->rf)
		return ctm_rw_send(l->conn, CTM_RW_WELCOME, 0, &w, sizeof(w), NULL, 0, false) ?: err;
	mutex_lock(&l->rf->send);
	if (!err && !h->flags) {
		take_over(l, le32_to_cpu(h->epoch), le64_to_cpu(h->below));
		l->full = true;
	}
	sent = ctm_rw_send(l->conn, CTM_RW_WELCOME, 0, &w, sizeof(w), NULL, 0, false);
	mutex_unlock(&l->rf->send);
	return sent ?: err;
}

static void decode_op(struct ctm_hop *op, const struct ctm_rw_op *w, u64 id)
{
	op->id = id;
	op->op = le32_to_cpu(w->op);
	op->oflags = le32_to_cpu(w->oflags) & CTM_RFILE_FLAGS;
	op->pos = le64_to_cpu(w->pos);
	op->a = le64_to_cpu(w->a);
	op->b = le64_to_cpu(w->b);
	op->len = le32_to_cpu(w->len);
	op->room = le32_to_cpu(w->room);
	INIT_LIST_HEAD(&op->all);
}

static struct ctm_hop *recv_op(struct hlink *l, u64 id, u32 frame)
{
	struct ctm_rw_op w;
	struct ctm_hop *op;
	size_t bytes;
	int err;

	err = ctm_conn_recv(l->conn, &w, sizeof(w));
	if (!err)
		err = ctm_rw_op_check(&w, frame);
	if (err)
		return ERR_PTR(err);
	op = kzalloc(sizeof(*op), GFP_KERNEL);
	if (!op)
		return ERR_PTR(-ENOMEM);
	decode_op(op, &w, id);
	bytes = max(op->len, op->room);
	if (bytes)
		op->data = kvzalloc(bytes, GFP_KERNEL);
	err = bytes && !op->data ? -ENOMEM : 0;
	if (!err && op->len)
		err = ctm_conn_recv(l->conn, op->data, op->len);
	if (err) {
		free_op(op);
		return ERR_PTR(err);
	}
	op->hf = find_hfile(l->rf, le64_to_cpu(w.handle));
	return op;
}

/* POLL: from now on the host hears of every wake */
static void subscribe(struct ctm_hop *op)
{
	WRITE_ONCE(op->hf->subscribed, true);
	op->ret = hfile_arm(op->hf);
}

/* calls that wait for nobody and may be made twice: answered on the spot, not kept */
static bool at_once(struct hlink *l, struct ctm_hop *op)
{
	struct ctm_rfiles *rf = l->rf;
	int err;

	if (op->op != CTM_RW_POLL && op->op != CTM_RW_CLOSE && op->op != CTM_RW_INFO)
		return false;
	op->ret = op->hf ? 0 : -EBADF;
	if (op->hf && op->op == CTM_RW_POLL)
		subscribe(op);
	if (op->hf && op->op == CTM_RW_CLOSE)
		close_hfile(rf, op->hf->handle);
	if (op->hf && op->op == CTM_RW_INFO) {
		ctm_hfile_attr(op->hf, (void *)op->data, &err);
		op->ret = err;
		op->out = err ? 0 : op->room;
	}
	mutex_lock(&rf->send);
	if (op->op == CTM_RW_POLL && !op->ret)
		op->ret = (__force u32)vfs_poll(op->hf->file, NULL);
	/* who is full, and was replaced, gets no answers any more */
	if (!l->full || rf->conn == l->conn)
		send_result(l->conn, op);
	mutex_unlock(&rf->send);
	free_op(op);
	return true;
}

static struct ctm_hop *find_op(struct ctm_rfiles *rf, u64 id)
{
	struct ctm_hop *op;

	lockdep_assert_held(&rf->lock);
	list_for_each_entry(op, &rf->ops, all)
		if (op->id == id)
			return op;
	return NULL;
}

/* it came before: answer again when it is done; else it will be answered */
static bool known_op(struct hlink *l, u64 id)
{
	struct ctm_rfiles *rf = l->rf;
	struct ctm_hop *op;
	bool done;

	mutex_lock(&rf->send);
	spin_lock(&rf->lock);
	op = find_op(rf, id);
	done = op && op->state == CTM_HOP_DONE;
	spin_unlock(&rf->lock);
	if (done && rf->conn == l->conn)
		send_result(l->conn, op);
	mutex_unlock(&rf->send);
	return op;
}

static int on_op(struct hlink *l, u64 id, u32 frame)
{
	struct ctm_rfiles *rf = l->rf, *server;
	struct ctm_hop *op;
	int err = 0;
	bool gone;

	if (!rf)
		return -EBADMSG;
	op = recv_op(l, id, frame);
	if (IS_ERR(op))
		return PTR_ERR(op);
	if (!l->full && op->op != CTM_RW_INFO) {
		free_op(op);
		return -EBADMSG;
	}
	if (at_once(l, op))
		return 0;
	server = ctm_home_server(rf);
	if (known_op(l, id)) {
		free_op(op);
		return 0;
	}
	mutex_lock(&rf->send);		/* nobody takes the connection over meanwhile */
	spin_lock(&rf->lock);
	gone = READ_ONCE(server->deputy) == CTM_DEPUTY_GONE || READ_ONCE(server->closed) || !op->hf;
	if (rf->closed || rf->conn != l->conn)
		err = -ESRCH;
	else if (rf->nops >= 2 * CTM_RW_OPS_MAX)
		err = -ENOSPC;		/* the host keeps below that */
	if (!err) {
		list_add_tail(&op->all, &rf->ops);
		rf->nops++;
		if (gone)
			op->state = CTM_HOP_RUNNING;
		else
			queue_op(rf, op, false);
	}
	spin_unlock(&rf->lock);
	mutex_unlock(&rf->send);
	if (err)
		free_op(op);
	else if (gone)
		finish_cancelled(rf, op, op->hf ? -EIO : -EBADF);
	else
		ctm_deputy_need(rf);
	return err;
}

static int on_ack(struct hlink *l, u32 frame)
{
	__le64 ids[CTM_RW_ACKS_MAX];
	struct ctm_rfiles *rf = l->rf;
	struct ctm_hop *op;
	LIST_HEAD(free);
	u32 i;
	int err;

	if (frame % sizeof(ids[0]))
		return -EBADMSG;
	err = ctm_conn_recv(l->conn, ids, frame);
	if (err)
		return err;
	mutex_lock(&rf->send);
	spin_lock(&rf->lock);
	for (i = 0; rf->conn == l->conn && i < frame / sizeof(ids[0]); i++) {
		op = find_op(rf, le64_to_cpu(ids[i]));
		if (op && op->state == CTM_HOP_DONE)
			forget_op(rf, op, &free);
	}
	spin_unlock(&rf->lock);
	mutex_unlock(&rf->send);
	free_ops(&free);
	return 0;
}

static int on_frame(struct hlink *l, const struct ctm_rw_head *head)
{
	struct ctm_rw_hello hello;
	u64 id = le64_to_cpu(head->id);
	u32 len = le32_to_cpu(head->len);
	int err;

	switch (ctm_rw_head_check(head)) {
	case CTM_RW_HELLO:
		err = ctm_conn_recv(l->conn, &hello, sizeof(hello));
		return err ?: on_hello(l, &hello);
	case CTM_RW_OP:
		return on_op(l, id, len);
	case CTM_RW_CANCEL:
		if (!l->full || !id)
			return -EBADMSG;
		end_waiting(l->rf, id, -ECANCELED);
		return 0;
	case CTM_RW_ACK:
		return l->full ? on_ack(l, len) : -EBADMSG;
	default:
		return -EBADMSG;
	}
}

/*
 * In a kernel thread of the transport's.  Ends when the connection does, which
 * ctm_home_drop() and a later connection of the process cause by aborting it.
 */
static void serve(struct ctm_conn *conn)
{
	struct hlink l = { .conn = conn };
	struct ctm_rw_head head;
	int err;

	ctm_conn_set_timeout(conn, CTM_RFILE_IO_MS);
	do {
		err = ctm_conn_poll(conn, CTM_RFILE_IDLE_MS);
		if (!err)
			continue;
		if (err > 0)
			err = ctm_conn_recv(conn, &head, sizeof(head));
		if (!err)
			err = on_frame(&l, &head);
	} while (err >= 0);
	if (err == -EBADMSG)
		pr_notice_ratelimited("continuum: remote files: bad frame from node %08x\n",
				      ctm_conn_peer(conn));
	if (l.rf) {
		mutex_lock(&l.rf->send);
		if (l.rf->conn == conn)
			l.rf->conn = NULL;
		mutex_unlock(&l.rf->send);
	}
	ctm_process_put(l.p);
}

int ctm_home_init(void)
{
	ctm_channel_serve(CTM_CHANNEL_RFILE, serve);
	return 0;
}

void ctm_home_exit(void)
{
	ctm_channel_serve(CTM_CHANNEL_RFILE, NULL);
}
