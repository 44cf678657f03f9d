// SPDX-License-Identifier: GPL-2.0
/*
 * rfile_exec.c - at home: one operation, made on an open file
 *
 * Runs in a thread of the deputy, with its credentials, as if it had made the
 * call.  Nothing here waits for readiness: a file that may make its caller wait
 * is asked first (ready()), and the operation parked when it would.  What
 * is left is a race with another reader or writer of the same pipe on kernels
 * whose pipes know no IOCB_NOWAIT: then this thread waits, like any process.
 */
#include <linux/capability.h>
#include <linux/falloc.h>
#include <linux/mount.h>
#include <linux/sched/signal.h>
#include <linux/termios.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "compat/compat.h"
#include "rfile_priv.h"

/* POSIX: a pipe takes that many bytes whole, when it takes any */
#define PIPE_CHUNK	4096u

#define WANT_IN		(EPOLLIN | EPOLLRDNORM | EPOLLRDBAND | EPOLLHUP | EPOLLERR)
#define WANT_OUT	(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND | EPOLLERR)

__poll_t ctm_hop_want(const struct ctm_hop *op)
{
	if (op->hf->pollable && op->op == CTM_RW_READ)
		return WANT_IN;
	if (op->hf->pollable && op->op == CTM_RW_WRITE)
		return WANT_OUT;
	return 0;
}

static bool ready(const struct ctm_hop *op)
{
	__poll_t want = ctm_hop_want(op);

	return !want || vfs_poll(op->hf->file, NULL) & want;
}

/* ---- flags and attributes ---- */

/* what F_SETFL did on the host, done to the open file that is behind it */
void ctm_hfile_flags(struct ctm_hfile *hf, unsigned int oflags)
{
	struct file *f = hf->file;
	unsigned int may = CTM_RFILE_FLAGS;

	if (READ_ONCE(hf->oflags) == oflags)
		return;
	if (IS_APPEND(file_inode(f)))
		may &= ~O_APPEND;
	spin_lock(&f->f_lock);
	f->f_flags = (f->f_flags & ~may) | (oflags & may);
	f->f_iocb_flags = iocb_flags(f);
	hf->oflags = oflags;
	spin_unlock(&f->f_lock);
}

static struct ctm_rw_time put_time(struct timespec64 t)
{
	return (struct ctm_rw_time){ .sec = cpu_to_le64(t.tv_sec), .nsec = cpu_to_le32(t.tv_nsec) };
}

void ctm_hfile_attr(struct ctm_hfile *hf, struct ctm_rw_attr *out, int *err)
{
	struct kstat st;

	memset(out, 0, sizeof(*out));
	*err = vfs_getattr(&hf->file->f_path, &st, STATX_BASIC_STATS | STATX_BTIME, AT_STATX_SYNC_AS_STAT);
	if (*err)
		return;
	out->mask = cpu_to_le32(st.result_mask);
	out->mode = cpu_to_le32(st.mode);
	out->nlink = cpu_to_le32(st.nlink);
	out->blksize = cpu_to_le32(st.blksize);
	out->uid = cpu_to_le32(from_kuid(&init_user_ns, st.uid));
	out->gid = cpu_to_le32(from_kgid(&init_user_ns, st.gid));
	out->dev_major = cpu_to_le32(MAJOR(st.dev));
	out->dev_minor = cpu_to_le32(MINOR(st.dev));
	out->rdev_major = cpu_to_le32(MAJOR(st.rdev));
	out->rdev_minor = cpu_to_le32(MINOR(st.rdev));
	out->ino = cpu_to_le64(st.ino);
	out->size = cpu_to_le64(st.size);
	out->blocks = cpu_to_le64(st.blocks);
	out->attributes = cpu_to_le64(st.attributes);
	out->atime = put_time(st.atime);
	out->mtime = put_time(st.mtime);
	out->ctime = put_time(st.ctime);
	out->btime = put_time(st.btime);
}

static s64 do_getattr(struct ctm_hop *op)
{
	struct ctm_rw_attr *out = (void *)op->data;
	int err;

	ctm_hfile_attr(op->hf, out, &err);
	if (!err)
		op->out = sizeof(*out);
	return err;
}

static struct timespec64 get_time(struct ctm_rw_time t)
{
	struct timespec64 ts = { .tv_sec = le64_to_cpu(t.sec), .tv_nsec = le32_to_cpu(t.nsec) };

	return ts;
}

/* as truncation by an ordinary process does: the right to run as another goes */
static unsigned int kill_privileges(const struct inode *inode)
{
	umode_t mode = READ_ONCE(inode->i_mode);
	unsigned int valid = 0;

	if (capable(CAP_FSETID))
		return 0;
	if (mode & S_ISUID)
		valid |= ATTR_KILL_SUID;
	if ((mode & (S_ISGID | 0010)) == (S_ISGID | 0010))
		valid |= ATTR_KILL_SGID;
	return valid ? valid | ATTR_FORCE : 0;
}

static s64 decode_setattr(struct ctm_hop *op, struct iattr *ia)
{
	const struct ctm_rw_setattr *s = (void *)op->data;
	u32 valid = le32_to_cpu(s->valid);

	if (valid & ~CTM_RW_SET_ALL)
		return -EINVAL;
	if (valid & CTM_RW_SET_MODE) {
		ia->ia_valid |= ATTR_MODE;
		ia->ia_mode = (file_inode(op->hf->file)->i_mode & S_IFMT) |
			      (le32_to_cpu(s->mode) & S_IALLUGO);
	}
	if (valid & CTM_RW_SET_UID) {
		ia->ia_valid |= ATTR_UID;
		ia->ia_uid = make_kuid(&init_user_ns, le32_to_cpu(s->uid));
	}
	if (valid & CTM_RW_SET_GID) {
		ia->ia_valid |= ATTR_GID;
		ia->ia_gid = make_kgid(&init_user_ns, le32_to_cpu(s->gid));
	}
	if (valid & CTM_RW_SET_ATIME)
		ia->ia_valid |= ATTR_ATIME;
	if (valid & CTM_RW_SET_MTIME)
		ia->ia_valid |= ATTR_MTIME;
	if (valid & CTM_RW_SET_ATIME_TO) {
		ia->ia_valid |= ATTR_ATIME_SET;
		ia->ia_atime = get_time(s->atime);
	}
	if (valid & CTM_RW_SET_MTIME_TO) {
		ia->ia_valid |= ATTR_MTIME_SET;
		ia->ia_mtime = get_time(s->mtime);
	}
	if (valid & CTM_RW_SET_SIZE) {
		if (!(op->hf->file->f_mode & FMODE_WRITE) || !S_ISREG(file_inode(op->hf->file)->i_mode) ||
		    (s64)le64_to_cpu(s->size) < 0)
			return -EINVAL;
		ia->ia_valid |= ATTR_SIZE | ATTR_FILE | ATTR_MTIME | ATTR_CTIME |
				kill_privileges(file_inode(op->hf->file));
		ia->ia_size = le64_to_cpu(s->size);
		ia->ia_file = op->hf->file;
	}
	return 0;
}

static s64 do_setattr(struct ctm_hop *op)
{
	const struct path *path = &op->hf->file->f_path;
	struct inode *inode = d_inode(path->dentry);
	struct iattr ia = {};
	s64 err = decode_setattr(op, &ia);

	if (err)
		return err;
	err = mnt_want_write(path->mnt);
	if (err)
		return err;
	inode_lock(inode);
	err = notify_change(ctm_mnt_idmap(path->mnt), path->dentry, &ia, NULL);
	inode_unlock(inode);
	mnt_drop_write(path->mnt);
	return err;
}

/* ---- reading and writing ---- */

/* the position to use: the open file's own, locked as a system call would, or none */
static loff_t *begin_pos(struct ctm_hop *op, loff_t *pos)
{
	struct file *f = op->hf->file;

	*pos = op->pos;
	if (op->pos != CTM_RW_POS_CURRENT)
		return pos;
	*pos = 0;
	if (f->f_mode & FMODE_STREAM)
		return NULL;
	if (f->f_mode & FMODE_ATOMIC_POS)
		mutex_lock(&f->f_pos_lock);
	*pos = f->f_pos;
	return pos;
}

static void end_pos(struct ctm_hop *op, loff_t pos, s64 ret)
{
	struct file *f = op->hf->file;

	if (op->pos != CTM_RW_POS_CURRENT || f->f_mode & FMODE_STREAM)
		return;
	if (ret >= 0)
		f->f_pos = pos;
	if (f->f_mode & FMODE_ATOMIC_POS)
		mutex_unlock(&f->f_pos_lock);
}

/* files that know only user memory (no read_iter, no write_iter) */
static s64 rw_user(struct ctm_hop *op, const struct ctm_hscratch *sc, u8 *data, u32 len, loff_t *ppos)
{
	const struct file_operations *fop = op->hf->file->f_op;
	s64 n;

	len = min(len, sc->len);
	if (!len)
		return -EINVAL;
	if (op->op == CTM_RW_READ) {
		if (!fop->read)
			return -EINVAL;
		n = fop->read(op->hf->file, sc->buf, len, ppos);
		return n > 0 && copy_from_user(data, sc->buf, n) ? -EFAULT : n;
	}
	if (!fop->write)
		return -EINVAL;
	if (copy_to_user(sc->buf, data, len))
		return -EFAULT;
	return fop->write(op->hf->file, sc->buf, len, ppos);
}

static s64 rw_once(struct ctm_hop *op, const struct ctm_hscratch *sc, u8 *data, u32 len,
		   loff_t *ppos, rwf_t flags)
{
	struct file *f = op->hf->file;
	bool read = op->op == CTM_RW_READ;
	struct kvec kv = { .iov_base = data, .iov_len = len };
	struct iov_iter iter;

	if (!(f->f_mode & (read ? FMODE_READ : FMODE_WRITE)))
		return -EBADF;
	if (read ? !f->f_op->read_iter : !f->f_op->write_iter)
		return rw_user(op, sc, data, len, ppos);
	iov_iter_kvec(&iter, read ? ITER_DEST : ITER_SOURCE, &kv, 1, len);
	return read ? vfs_iter_read(f, &iter, ppos, flags) : vfs_iter_write(f, &iter, ppos, flags);
}

/* one call with the right position; @nowait: answer -EAGAIN instead of waiting, where the file can */
static s64 rw_at(struct ctm_hop *op, const struct ctm_hscratch *sc, u8 *data, u32 len, bool nowait)
{
	struct file *f = op->hf->file;
	rwf_t flags = (__force rwf_t)op->a & (RWF_APPEND | RWF_DSYNC | RWF_SYNC);
	loff_t pos, *ppos;
	s64 n;

	if (op->pos != CTM_RW_POS_CURRENT &&
	    !(f->f_mode & (op->op == CTM_RW_READ ? FMODE_PREAD : FMODE_PWRITE)))
		return -ESPIPE;
	if (nowait && f->f_mode & FMODE_NOWAIT)
		flags |= RWF_NOWAIT;
	ppos = begin_pos(op, &pos);
	n = rw_once(op, sc, data, len, ppos, flags);
	end_pos(op, pos, n);
	return n;
}

static bool interrupted(s64 ret)
{
	return ret == -EINTR || (ret <= -ERESTARTSYS && ret >= -ERESTART_RESTARTBLOCK);
}

static enum ctm_hexec do_read(struct ctm_hop *op, const struct ctm_hscratch *sc)
{
	bool wait = op->hf->pollable && !(op->hf->file->f_flags & O_NONBLOCK);

	if (wait && !ready(op))
		return CTM_HEXEC_WAIT;
	op->ret = rw_at(op, sc, op->data, op->room, wait);
	if (wait && op->ret == -EAGAIN) {	/* somebody else read it */
		if (!ready(op))
			return CTM_HEXEC_WAIT;
		op->ret = rw_at(op, sc, op->data, op->room, false);
	}
	if (interrupted(op->ret))
		return CTM_HEXEC_SIGNAL;
	if (op->ret > 0)
		op->out = op->ret;
	return CTM_HEXEC_DONE;
}

/*
 * A blocking write goes on until all is written, in pieces for which the file
 * has room; a non-blocking one, or one to a file that never waits, is one call.
 */
static enum ctm_hexec do_write(struct ctm_hop *op, const struct ctm_hscratch *sc)
{
	bool wait = op->hf->pollable && !(op->hf->file->f_flags & O_NONBLOCK);
	bool nowait = op->hf->file->f_mode & FMODE_NOWAIT;
	u32 len;
	s64 n;

	while (op->done < op->len) {
		if (wait && !ready(op))
			return CTM_HEXEC_WAIT;
		len = op->len - op->done;
		if (wait && !nowait)
			len = min(len, PIPE_CHUNK);
		n = rw_at(op, sc, op->data + op->done, len, wait);
		if (wait && n == -EAGAIN) {
			if (!ready(op))
				return CTM_HEXEC_WAIT;
			n = rw_at(op, sc, op->data + op->done, min(len, PIPE_CHUNK), false);
		}
		if (interrupted(n))
			return CTM_HEXEC_SIGNAL;
		if (n <= 0) {
			op->ret = op->done ? op->done : n;
			return CTM_HEXEC_DONE;
		}
		op->done += n;
		if (!wait)
			break;
	}
	op->ret = op->done;
	return CTM_HEXEC_DONE;
}

/* ---- the rest ---- */

static s64 do_lseek(struct ctm_hop *op)
{
	struct file *f = op->hf->file;
	s64 ret;

	if (op->b > SEEK_MAX)
		return -EINVAL;
	if (f->f_mode & FMODE_ATOMIC_POS)
		mutex_lock(&f->f_pos_lock);
	ret = vfs_llseek(f, op->a, op->b);
	if (f->f_mode & FMODE_ATOMIC_POS)
		mutex_unlock(&f->f_pos_lock);
	return ret;
}

static s64 do_fallocate(struct ctm_hop *op)
{
	struct file *f = op->hf->file;

	if (!(f->f_mode & FMODE_WRITE))
		return -EBADF;
	return vfs_fallocate(f, op->b, op->pos, op->a);
}

static s64 do_ioctl(struct ctm_hop *op, const struct ctm_hscratch *sc)
{
	struct file *f = op->hf->file;
	u32 size = max(op->len, op->room);
	unsigned long arg = op->b;
	s64 ret;

	if (!f->f_op->unlocked_ioctl)
		return -ENOTTY;
	if (size) {
		if (size > sc->len || copy_to_user(sc->buf, op->data, op->len))
			return -ENOTTY;
		arg = (unsigned long)sc->buf;
	}
	ret = f->f_op->unlocked_ioctl(f, op->a, arg);
	if (ret == -ENOIOCTLCMD)
		return -ENOTTY;
	if (ret >= 0 && op->room) {
		if (copy_from_user(op->data, sc->buf, op->room))
			return -EFAULT;
		op->out = op->room;
	}
	return ret;
}

static enum ctm_hexec run(struct ctm_hop *op, const struct ctm_hscratch *sc)
{
	switch (op->op) {
	case CTM_RW_READ:
		return do_read(op, sc);
	case CTM_RW_WRITE:
		return do_write(op, sc);
	case CTM_RW_LSEEK:
		op->ret = do_lseek(op);
		break;
	case CTM_RW_FSYNC:
		op->ret = vfs_fsync_range(op->hf->file, op->a, op->pos, op->b);
		break;
	case CTM_RW_FALLOCATE:
		op->ret = do_fallocate(op);
		break;
	case CTM_RW_GETATTR:
		op->ret = do_getattr(op);
		break;
	case CTM_RW_SETATTR:
		op->ret = do_setattr(op);
		break;
	case CTM_RW_IOCTL:
		op->ret = do_ioctl(op, sc);
		break;
	default:
		op->ret = -ENOSYS;
	}
	return interrupted(op->ret) ? CTM_HEXEC_SIGNAL : CTM_HEXEC_DONE;
}

/* signals that a call raises in its caller: the remote process is the caller */
static u32 take_signal(void)
{
	sigset_t others;
	kernel_siginfo_t info;
	enum pid_type type;
	struct sighand_struct *hand = rcu_dereference_protected(current->sighand, true);
	u32 sig;

	siginitsetinv(&others, sigmask(SIGPIPE) | sigmask(SIGXFSZ));
	spin_lock_irq(&hand->siglock);
	sig = dequeue_signal(&others, &info, &type);
	spin_unlock_irq(&hand->siglock);
	return sig;
}

enum ctm_hexec ctm_hop_exec(struct ctm_hop *op, const struct ctm_hscratch *scratch)
{
	enum ctm_hexec how;
	sigset_t block, old;

	ctm_hfile_flags(op->hf, op->oflags);
	/* blocked, so that they are kept for take_signal() and do not kill the deputy */
	siginitset(&block, sigmask(SIGPIPE) | sigmask(SIGXFSZ));
	sigprocmask(SIG_BLOCK, &block, &old);
	how = run(op, scratch);
	op->sig = take_signal();
	sigprocmask(SIG_SETMASK, &old, NULL);
	return how;
}
