// SPDX-License-Identifier: GPL-2.0
/*
 * rfile.c - remote files as the rest of the module sees them
 *
 * p->rfiles is made when it is first needed, on either side, and lives as long
 * as the process's structure.  Its home part and its host part never serve the
 * same stay: a process at home uses its files themselves.
 */
#include <linux/file.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "rfile_priv.h"

struct workqueue_struct *ctm_rfile_wq;

int ctm_rw_send(struct ctm_conn *conn, enum ctm_rw_kind kind, u64 id, const void *payload,
		u32 len, const void *data, u32 data_len, bool more)
{
	struct {
		struct ctm_rw_head head;
		u8 payload[CTM_RW_ACKS_MAX * sizeof(__le64)];
	} frame = {
		.head.len = cpu_to_le32(len + data_len),
		.head.kind = cpu_to_le16(kind),
		.head.id = cpu_to_le64(id),
	};
	int err;

	if (WARN_ON_ONCE(len > sizeof(frame.payload)))
		return -EINVAL;
	memcpy(frame.payload, payload, len);
	err = ctm_conn_send(conn, &frame, sizeof(frame.head) + len, more || data_len);
	if (!err && data_len)
		err = ctm_conn_send(conn, data, data_len, more);
	return err;
}

struct ctm_rfiles *ctm_rfiles_of(struct ctm_process *p)
{
	struct ctm_rfiles *rf = smp_load_acquire(&p->rfiles), *old;

	if (rf)
		return rf;
	rf = kzalloc(sizeof(*rf), GFP_KERNEL_ACCOUNT);
	if (!rf)
		return NULL;
	rf->p = p;
	spin_lock_init(&rf->lock);
	init_waitqueue_head(&rf->ev_wait);
	init_waitqueue_head(&rf->work_wait);
	INIT_LIST_HEAD(&rf->files);
	INIT_LIST_HEAD(&rf->ops);
	INIT_LIST_HEAD(&rf->queue);
	INIT_LIST_HEAD(&rf->ready);
	INIT_LIST_HEAD(&rf->ready_link);
	mutex_init(&rf->send);
	old = cmpxchg(&p->rfiles, NULL, rf);
	if (!old)
		return rf;
	kfree(rf);
	return old;
}

/*
 * The last reference to @p is gone, and with it every serve thread (each holds
 * one), deputy and serving thread.  What may be left: files and their work.
 */
void ctm_rfiles_free(struct ctm_process *p)
{
	struct ctm_rfiles *rf = p->rfiles;

	if (!rf)
		return;
	if (rf->host) {
		ctm_rhost_stop(rf->host);
		ctm_rhost_put(rf->host);
	}
	ctm_home_drop(rf);
	ctm_process_put(rf->root);
	kfree(rf);
	p->rfiles = NULL;
}

int ctm_rfile_export(struct ctm_process *p, struct file *f, u64 *handle)
{
	struct ctm_rfiles *rf = ctm_rfiles_of(p);

	return rf ? ctm_home_export(rf, f, handle) : -ENOMEM;
}

int ctm_rfiles_inherit(struct ctm_process *p)
{
	struct ctm_process *parent = p->parent ? ctm_process_find(p->parent) : NULL;
	struct ctm_rfiles *from = parent ? smp_load_acquire(&parent->rfiles) : NULL, *rf;
	int err = 0;

	if (from && READ_ONCE(from->nfiles)) {
		rf = ctm_rfiles_of(p);
		err = rf ? ctm_home_lead(rf) : -ENOMEM;
		if (!err)
			err = ctm_home_inherit(rf, from);
	}
	ctm_process_put(parent);
	return err;
}

/* the host part for this stay, with a reference; a stopped one is of an earlier stay */
static struct ctm_rhost *host_of(struct ctm_rfiles *rf, bool make)
{
	struct ctm_rhost *new = make ? ctm_rhost_new(rf->p) : NULL, *host, *old = NULL;

	spin_lock(&rf->lock);
	if (new && (!rf->host || READ_ONCE(rf->host->stop))) {
		old = rf->host;
		rf->host = new;
		new = NULL;
	}
	host = rf->host;
	if (host)
		kref_get(&host->ref);
	spin_unlock(&rf->lock);
	ctm_rhost_put(old);
	ctm_rhost_put(new);
	return host;
}

static struct file *open_file(struct ctm_rfiles *rf, u64 handle, unsigned int oflags, umode_t fmt)
{
	struct ctm_rhost *host;
	struct file *f;

	if (READ_ONCE(rf->p->forking))
		ctm_rfiles_inherit(rf->p);	/* if that fails, there is no such file */
	if (ctm_process_is_home(rf->p))
		return ctm_home_file(rf, handle, oflags) ?: ERR_PTR(-EBADF);
	host = host_of(rf, true);
	if (!host)
		return ERR_PTR(-ENOMEM);
	f = ctm_remote_open(host, handle, oflags, fmt);
	ctm_rhost_put(host);
	return f;
}

void ctm_rfiles_expect(struct ctm_process *p)
{
	struct ctm_rfiles *rf = ctm_process_is_home(p) ? NULL : ctm_rfiles_of(p);
	struct ctm_rhost *host = rf ? host_of(rf, true) : NULL;

	if (host)
		ctm_rhost_expect(host);
	ctm_rhost_put(host);
}

int ctm_rfiles_settle(struct ctm_process *p)
{
	struct ctm_rfiles *rf = smp_load_acquire(&p->rfiles);
	struct ctm_rhost *host = rf && !ctm_process_is_home(p) ? host_of(rf, false) : NULL;
	int err = host ? ctm_remote_settle(host) : 0;

	ctm_rhost_put(host);
	return err;
}

int ctm_rfile_install(struct ctm_process *p, u64 handle, unsigned int oflags, umode_t fmt)
{
	struct ctm_rfiles *rf = ctm_rfiles_of(p);
	struct file *f;
	int fd;

	if (!rf)
		return -ENOMEM;
	fd = get_unused_fd_flags(0);
	if (fd < 0)
		return fd;
	f = open_file(rf, handle, oflags, fmt);
	if (IS_ERR(f)) {
		put_unused_fd(fd);
		return PTR_ERR(f);
	}
	fd_install(fd, f);
	return fd;
}

void ctm_rfiles_here(struct ctm_process *p)
{
	struct ctm_rfiles *rf = smp_load_acquire(&p->rfiles);
	struct ctm_rhost *host;
	u32 epoch;

	if (!rf)
		return;
	if (ctm_process_is_home(p)) {
		ctm_home_drop(rf);
		return;
	}
	host = host_of(rf, false);
	if (!host)
		return;
	spin_lock(&p->lock);
	epoch = p->epoch;
	spin_unlock(&p->lock);
	ctm_rhost_live(host, epoch);
	ctm_rhost_put(host);
}

void ctm_rfiles_ended(struct ctm_process *p)
{
	struct ctm_rfiles *rf = smp_load_acquire(&p->rfiles);
	struct ctm_rhost *host;
	bool ended;

	if (!rf)
		return;
	host = host_of(rf, false);
	if (host) {
		ctm_rhost_stop(host);
		ctm_rhost_put(host);
	}
	spin_lock(&p->lock);
	ended = p->ended;
	spin_unlock(&p->lock);
	if (!ended || !ctm_process_is_home(p))
		return;
	spin_lock(&rf->lock);
	rf->closed = true;
	spin_unlock(&rf->lock);
	ctm_home_drop(rf);
	ctm_deputy_drain(rf);
	wake_up_all(&rf->work_wait);
	wake_up_all(&rf->ev_wait);
}

int ctm_rfile_init(void)
{
	int err;

	ctm_rfile_wq = alloc_workqueue("continuum_rfile", WQ_UNBOUND, 0);
	if (!ctm_rfile_wq)
		return -ENOMEM;
	err = ctm_remote_init();
	if (err)
		goto err_wq;
	err = ctm_home_init();
	if (err)
		goto err_remote;
	return 0;

err_remote:
	ctm_remote_exit();
err_wq:
	destroy_workqueue(ctm_rfile_wq);
	return err;
}

void ctm_rfile_exit(void)
{
	ctm_home_exit();
	ctm_remote_exit();
	destroy_workqueue(ctm_rfile_wq);
}
