// SPDX-License-Identifier: GPL-2.0
/*
 * rfile_host.c - on the host: the pseudo file system of remote files
 *
 * An inode for each handle; it owns a struct ctm_rnode and caches nothing but
 * what the VFS itself looks at (type, mode, owner, size), refreshed by each
 * getattr.
 *
 * The position of an open file is home's alone, for others there may share it.
 * Here f_pos always is POS_HERE, so that a call that comes with POS_HERE or more
 * in ki_pos is a read or write at home's position, and any other a pread or
 * pwrite; file_operations make no other difference between them.  (No file is
 * that large: POS_HERE is 4 EiB.)  Without FMODE_ATOMIC_POS nobody locks it.
 */
#include <linux/file.h>
#include <linux/magic.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/poll.h>
#include <linux/pseudo_fs.h>
#include <linux/slab.h>
#include <linux/statfs.h>
#include <linux/termios.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "compat/compat.h"
#include "rfile_priv.h"

#define RFILE_MAGIC	0x43544d52	/* "CTMR" */
#define POS_HERE	(1ll << 62)

/* one machine, one such file system */
static struct vfsmount *rfile_mnt;
static atomic_t nodes_alive = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(nodes_wait);

static const struct file_operations stream_fops, plain_fops;

static struct ctm_rnode *node_of(const struct file *f)
{
	return file_inode(f)->i_private;
}

static bool is_remote(const struct file *f)
{
	return f->f_op == &stream_fops || f->f_op == &plain_fops;
}

u64 ctm_rfile_handle(struct file *f)
{
	return is_remote(f) ? node_of(f)->handle : 0;
}

static struct ctm_rop *new_op(enum ctm_rw_op_code code, struct file *f, u32 len, u32 room)
{
	return ctm_rop_new(code, node_of(f)->handle, f->f_flags, len, room);
}

/* calls, and puts the reference */
static s64 call(struct ctm_rnode *n, struct ctm_rop *op, bool intr)
{
	s64 ret = op ? ctm_rop_call(n->host, op, intr) : -ENOMEM;

	ctm_rop_put(op);
	return ret;
}

/* ---- reading and writing ---- */

static void set_pos(struct ctm_rop *op, const struct kiocb *iocb, size_t done)
{
	op->w.pos = cpu_to_le64(iocb->ki_pos >= POS_HERE ? CTM_RW_POS_CURRENT :
				(u64)iocb->ki_pos + done);
}

static void advance(struct kiocb *iocb, size_t done)
{
	if (iocb->ki_pos >= POS_HERE)
		iocb->ki_pos = POS_HERE;
	else
		iocb->ki_pos += done;
}

static ssize_t read_once(struct kiocb *iocb, struct iov_iter *to, u32 len, size_t done)
{
	struct ctm_rnode *n = node_of(iocb->ki_filp);
	struct ctm_rop *op = new_op(CTM_RW_READ, iocb->ki_filp, 0, len);
	ssize_t ret;

	if (!op)
		return -ENOMEM;
	set_pos(op, iocb, done);
	ret = ctm_rop_call(n->host, op, n->stream);
	if (ret > (ssize_t)op->got)
		ret = -EIO;
	if (ret > 0 && copy_to_iter(op->data, ret, to) != ret)
		ret = -EFAULT;
	ctm_rop_put(op);
	return ret;
}

static ssize_t rfile_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct ctm_rnode *n = node_of(iocb->ki_filp);
	size_t done = 0;
	ssize_t ret = 0;
	u32 len;

	while (iov_iter_count(to)) {
		len = min_t(size_t, iov_iter_count(to), CTM_RW_DATA_MAX);
		/* what is taken from a pipe cannot be put back: is there a place for it? */
		len -= fault_in_iov_iter_writeable(to, len);
		ret = len ? read_once(iocb, to, len, done) : -EFAULT;
		if (ret <= 0)
			break;
		done += ret;
		if (n->stream || ret < len)
			break;
	}
	advance(iocb, done);
	return done ?: ret;
}

/* RWF_* that come with the call, not with the file */
static __force u32 call_flags(const struct kiocb *iocb)
{
	u32 extra = iocb->ki_flags & ~iocb_flags(iocb->ki_filp);
	u32 out = 0;

	if (extra & IOCB_APPEND)
		out |= (__force u32)RWF_APPEND;
	if (extra & IOCB_DSYNC)
		out |= (__force u32)RWF_DSYNC;
	if (extra & IOCB_SYNC)
		out |= (__force u32)RWF_SYNC;
	return out;
}

static ssize_t write_once(struct kiocb *iocb, struct iov_iter *from, u32 len, size_t done)
{
	struct ctm_rnode *n = node_of(iocb->ki_filp);
	struct ctm_rop *op = new_op(CTM_RW_WRITE, iocb->ki_filp, len, 0);
	size_t got;
	ssize_t ret;

	if (!op)
		return -ENOMEM;
	set_pos(op, iocb, done);
	op->w.a = cpu_to_le64(call_flags(iocb));
	got = copy_from_iter(op->data, len, from);
	op->len = got;
	op->w.len = cpu_to_le32(got);
	ret = got ? ctm_rop_call(n->host, op, n->stream) : -EFAULT;
	if (ret > (ssize_t)got)
		ret = -EIO;
	if (got > max_t(ssize_t, ret, 0))
		iov_iter_revert(from, got - max_t(ssize_t, ret, 0));
	ctm_rop_put(op);
	return ret;
}

static ssize_t rfile_write(struct kiocb *iocb, struct iov_iter *from)
{
	size_t done = 0;
	ssize_t ret = 0;
	u32 len;

	while (iov_iter_count(from)) {
		len = min_t(size_t, iov_iter_count(from), CTM_RW_DATA_MAX);
		ret = write_once(iocb, from, len, done);
		if (ret <= 0)
			break;
		done += ret;
		if (ret < len)
			break;
	}
	advance(iocb, done);
	return done ?: ret;
}

static loff_t rfile_llseek(struct file *f, loff_t off, int whence)
{
	struct ctm_rop *op = new_op(CTM_RW_LSEEK, f, 0, 0);

	if (op) {
		op->w.a = cpu_to_le64(off);
		op->w.b = cpu_to_le64(whence);
	}
	return call(node_of(f), op, false);	/* f_pos stays POS_HERE */
}

static int rfile_fsync(struct file *f, loff_t start, loff_t end, int datasync)
{
	struct ctm_rop *op = new_op(CTM_RW_FSYNC, f, 0, 0);

	if (op) {
		op->w.a = cpu_to_le64(start);
		op->w.pos = cpu_to_le64(end);
		op->w.b = cpu_to_le64(!!datasync);
	}
	return call(node_of(f), op, false);
}

static long rfile_fallocate(struct file *f, int mode, loff_t off, loff_t len)
{
	struct ctm_rop *op = new_op(CTM_RW_FALLOCATE, f, 0, 0);

	if (op) {
		op->w.pos = cpu_to_le64(off);
		op->w.a = cpu_to_le64(len);
		op->w.b = cpu_to_le64(mode);
	}
	return call(node_of(f), op, false);
}

/* ---- splice and sendfile ---- */

/*
 * From an offset of the caller's choice, or into a pipe of the program, which keeps
 * what it has no use for.  sendfile(2) from the file's own position goes by way of a
 * pipe of the kernel's, and moves the position back when not all could be written:
 * that is home's to do, and not done; the program is told to read and write itself.
 */
static ssize_t rfile_splice_read(struct file *f, loff_t *pos, struct pipe_inode_info *pipe,
				 size_t len, unsigned int flags)
{
	if (*pos >= POS_HERE && !node_of(f)->stream && pipe == current->splice_pipe)
		return -EINVAL;
	return copy_splice_read(f, pos, pipe, len, flags);
}

/* ---- ioctls: of plain data, and none that names a process ---- */

struct plain_ioctl {
	unsigned int cmd;
	u32 in, out;
};

#define KTERMIOS	36	/* struct termios of the kernel */
#define KTERMIOS2	44
#define KTERMIO		18

static const struct plain_ioctl plain_ioctls[] = {
	{ TCGETS,	0,		KTERMIOS },
	{ TCSETS,	KTERMIOS,	0 },
	{ TCSETSW,	KTERMIOS,	0 },
	{ TCSETSF,	KTERMIOS,	0 },
	{ TCGETS2,	0,		KTERMIOS2 },
	{ TCSETS2,	KTERMIOS2,	0 },
	{ TCSETSW2,	KTERMIOS2,	0 },
	{ TCSETSF2,	KTERMIOS2,	0 },
	{ TCGETA,	0,		KTERMIO },
	{ TCSETA,	KTERMIO,	0 },
	{ TCSETAW,	KTERMIO,	0 },
	{ TCSETAF,	KTERMIO,	0 },
	{ TCSBRK,	0,		0 },
	{ TCSBRKP,	0,		0 },
	{ TCXONC,	0,		0 },
	{ TCFLSH,	0,		0 },
	{ TIOCGWINSZ,	0,		8 },
	{ TIOCSWINSZ,	8,		0 },
	{ TIOCOUTQ,	0,		4 },
	{ FIONREAD,	0,		4 },
	{ TIOCMGET,	0,		4 },
	{ TIOCMSET,	4,		0 },
	{ TIOCMBIS,	4,		0 },
	{ TIOCMBIC,	4,		0 },
	{ TIOCGETD,	0,		4 },
	{ TIOCGSOFTCAR,	0,		4 },
};

static long rfile_ioctl(struct file *f, unsigned int cmd, unsigned long arg)
{
	umode_t mode = file_inode(f)->i_mode;
	const struct plain_ioctl *p = NULL;
	struct ctm_rop *op;
	unsigned int i;
	long ret;

	for (i = 0; i < ARRAY_SIZE(plain_ioctls); i++)
		if (plain_ioctls[i].cmd == cmd)
			p = &plain_ioctls[i];
	/* every program that uses stdio asks its files whether they are terminals */
	if (!p || S_ISREG(mode) || (S_ISFIFO(mode) && cmd != FIONREAD))
		return -ENOTTY;
	op = new_op(CTM_RW_IOCTL, f, p->in, p->out);
	if (!op)
		return -ENOMEM;
	op->w.a = cpu_to_le64(cmd);
	ret = -EFAULT;
	if (p->in && copy_from_user(op->data, (void __user *)arg, p->in))
		goto out;
	if (!p->in && !p->out)
		op->w.b = cpu_to_le64(arg);
	ret = ctm_rop_call(node_of(f)->host, op, node_of(f)->stream);
	if (ret >= 0 && op->got && copy_to_user((void __user *)arg, op->data, min(op->got, p->out)))
		ret = -EFAULT;
out:
	ctm_rop_put(op);
	return ret;
}

/* ---- poll ---- */

void ctm_rnode_ready(struct ctm_rhost *host, u64 handle, __poll_t mask)
{
	struct ctm_rnode *n;

	spin_lock(&host->lock);
	list_for_each_entry(n, &host->nodes, link)
		if (n->handle == handle) {
			n->mask = mask;
			wake_up_poll(&n->wait, mask);
		}
	spin_unlock(&host->lock);
}

void ctm_rnodes_wake(struct ctm_rhost *host)
{
	struct ctm_rnode *n;

	spin_lock(&host->lock);
	list_for_each_entry(n, &host->nodes, link) {
		n->armed = 0;
		wake_up_all(&n->wait);
	}
	spin_unlock(&host->lock);
}

/* home's word for now, and from now on; killable only, for home answers at once */
static __poll_t ask_home(struct file *f, struct ctm_rnode *n)
{
	struct ctm_rop *op = new_op(CTM_RW_POLL, f, 0, 0);
	__poll_t mask = 0;
	s64 ret;

	if (!op)
		return EPOLLERR;
	WRITE_ONCE(n->host->watching, true);
	ret = ctm_rop_call(n->host, op, false);
	if (ret == -EINTR)
		mask = 0;		/* killed */
	else if (ret < 0)
		mask = EPOLLERR | EPOLLHUP | EPOLLIN | EPOLLOUT;
	else
		mask = (__force __poll_t)(u32)ret;
	spin_lock(&n->host->lock);
	n->armed = ret < 0 ? 0 : op->gen;
	n->mask = mask;
	spin_unlock(&n->host->lock);
	ctm_rop_put(op);
	return mask;
}

/*
 * What home told last is good while it says "not ready", for home tells of every
 * wake; "ready" may have been taken by others since, so it is asked for again.
 */
static __poll_t rfile_poll(struct file *f, struct poll_table_struct *pt)
{
	struct ctm_rnode *n = node_of(f);
	__poll_t mask, want = poll_requested_events(pt) | EPOLLERR | EPOLLHUP;
	bool good;

	poll_wait(f, &n->wait, pt);
	if (!READ_ONCE(n->host->live))
		return 0;		/* landing: ctm_rhost_live() wakes whoever asked */
	spin_lock(&n->host->lock);
	mask = n->mask;
	good = n->armed && n->armed == READ_ONCE(n->host->gen) && !(mask & want) &&
	       !n->host->stop && !n->host->dead;
	spin_unlock(&n->host->lock);
	return good ? mask : ask_home(f, n);
}

/* ---- attributes ---- */

static struct timespec64 get_time(struct ctm_rw_time t)
{
	struct timespec64 ts = { .tv_sec = le64_to_cpu(t.sec), .tv_nsec = le32_to_cpu(t.nsec) };

	return ts;
}

static void cache_attr(struct inode *inode, const struct ctm_rw_attr *a)
{
	umode_t mode = le32_to_cpu(a->mode);

	inode->i_mode = (inode->i_mode & S_IFMT) | (mode & S_IALLUGO);
	inode->i_uid = make_kuid(&init_user_ns, le32_to_cpu(a->uid));
	inode->i_gid = make_kgid(&init_user_ns, le32_to_cpu(a->gid));
	if (S_ISREG(inode->i_mode))
		i_size_write(inode, max_t(s64, le64_to_cpu(a->size), 0));
}

static dev_t get_rdev(const struct ctm_rw_attr *a)
{
	return MKDEV(le32_to_cpu(a->rdev_major) & 0xfff, le32_to_cpu(a->rdev_minor) & MINORMASK);
}

static void fill_stat(struct kstat *st, const struct ctm_rw_attr *a)
{
	st->result_mask = le32_to_cpu(a->mask) & (STATX_BASIC_STATS | STATX_BTIME);
	st->mode = le32_to_cpu(a->mode);
	st->nlink = le32_to_cpu(a->nlink);
	st->blksize = le32_to_cpu(a->blksize);
	st->uid = make_kuid(&init_user_ns, le32_to_cpu(a->uid));
	st->gid = make_kgid(&init_user_ns, le32_to_cpu(a->gid));
	st->dev = MKDEV(le32_to_cpu(a->dev_major) & 0xfff, le32_to_cpu(a->dev_minor) & MINORMASK);
	st->rdev = get_rdev(a);
	st->ino = le64_to_cpu(a->ino);
	st->size = le64_to_cpu(a->size);
	st->blocks = le64_to_cpu(a->blocks);
	st->attributes = le64_to_cpu(a->attributes);
	st->atime = get_time(a->atime);
	st->mtime = get_time(a->mtime);
	st->ctime = get_time(a->ctime);
	st->btime = get_time(a->btime);
}

static int ask_attr(struct ctm_rhost *host, u64 handle, enum ctm_rw_op_code code,
		    struct ctm_rw_attr *a)
{
	struct ctm_rop *op = ctm_rop_new(code, handle, 0, 0, sizeof(*a));
	s64 ret;

	if (!op)
		return -ENOMEM;
	ret = ctm_rop_call(host, op, code == CTM_RW_INFO);
	if (!ret && op->got != sizeof(*a))
		ret = -EIO;
	if (!ret)
		memcpy(a, op->data, sizeof(*a));
	ctm_rop_put(op);
	return ret;
}

static int rfile_getattr(struct ctm_idmap *idmap, const struct path *path, struct kstat *st,
			 u32 mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	struct ctm_rnode *n = inode->i_private;
	struct ctm_rw_attr a;
	int err;

	/* INFO is for those who may only look, and good for all */
	err = ask_attr(n->host, n->handle, READ_ONCE(n->host->live) ? CTM_RW_GETATTR : CTM_RW_INFO, &a);
	if (err)
		return err;
	cache_attr(inode, &a);
	fill_stat(st, &a);
	return 0;
}

static struct ctm_rw_time put_time(struct timespec64 t)
{
	return (struct ctm_rw_time){ .sec = cpu_to_le64(t.tv_sec), .nsec = cpu_to_le32(t.tv_nsec) };
}

static void encode_setattr(struct ctm_rw_setattr *s, const struct iattr *ia)
{
	u32 valid = 0;

	if (ia->ia_valid & ATTR_MODE)
		valid |= CTM_RW_SET_MODE;
	if (ia->ia_valid & ATTR_UID)
		valid |= CTM_RW_SET_UID;
	if (ia->ia_valid & ATTR_GID)
		valid |= CTM_RW_SET_GID;
	if (ia->ia_valid & ATTR_SIZE)
		valid |= CTM_RW_SET_SIZE;
	else if (ia->ia_valid & ATTR_MTIME)
		valid |= CTM_RW_SET_MTIME;
	if (ia->ia_valid & ATTR_ATIME)
		valid |= CTM_RW_SET_ATIME;
	if (ia->ia_valid & ATTR_ATIME_SET)
		valid |= CTM_RW_SET_ATIME_TO;
	if (ia->ia_valid & ATTR_MTIME_SET)
		valid |= CTM_RW_SET_MTIME_TO;
	s->valid = cpu_to_le32(valid);
	s->mode = cpu_to_le32(ia->ia_mode & S_IALLUGO);
	if (valid & CTM_RW_SET_UID)
		s->uid = cpu_to_le32(from_kuid(&init_user_ns, ia->ia_uid));
	if (valid & CTM_RW_SET_GID)
		s->gid = cpu_to_le32(from_kgid(&init_user_ns, ia->ia_gid));
	if (valid & CTM_RW_SET_SIZE)
		s->size = cpu_to_le64(ia->ia_size);
	if (valid & CTM_RW_SET_ATIME_TO)
		s->atime = put_time(ia->ia_atime);
	if (valid & CTM_RW_SET_MTIME_TO)
		s->mtime = put_time(ia->ia_mtime);
}

/* home decides who may: there the deputy makes the change, with its own rights */
static int rfile_setattr(struct ctm_idmap *idmap, struct dentry *dentry, struct iattr *ia)
{
	struct inode *inode = d_inode(dentry);
	struct ctm_rnode *n = inode->i_private;
	struct ctm_rop *op = ctm_rop_new(CTM_RW_SETATTR, n->handle, 0,
					 sizeof(struct ctm_rw_setattr), 0);
	int err;

	if (!op)
		return -ENOMEM;
	encode_setattr(op->data, ia);
	err = call(n, op, false);
	if (err)
		return err;
	if (ia->ia_valid & ATTR_MODE)
		inode->i_mode = (inode->i_mode & S_IFMT) | (ia->ia_mode & S_IALLUGO);
	if (ia->ia_valid & ATTR_UID)
		inode->i_uid = ia->ia_uid;
	if (ia->ia_valid & ATTR_GID)
		inode->i_gid = ia->ia_gid;
	if (ia->ia_valid & ATTR_SIZE)
		i_size_write(inode, ia->ia_size);
	return 0;
}

/* ---- life ---- */

/* the last descriptor of it here is closed: so home's file may be, unless the process only left */
static int rfile_release(struct inode *inode, struct file *f)
{
	struct ctm_rnode *n = node_of(f), *other;
	struct ctm_rop *op;
	bool last;

	spin_lock(&n->host->lock);
	last = n->host->live && !n->host->stop;
	list_del_init(&n->link);
	list_for_each_entry(other, &n->host->nodes, link)
		last &= other->handle != n->handle;
	spin_unlock(&n->host->lock);
	op = last ? new_op(CTM_RW_CLOSE, f, 0, 0) : NULL;
	if (op)
		ctm_rop_post(n->host, op);
	return 0;
}

/* locks here would not be seen at home */
static int rfile_lock(struct file *f, int cmd, struct file_lock *fl)
{
	return -ENOLCK;
}

static const struct file_operations plain_fops = {
	.owner		= THIS_MODULE,
	.read_iter	= rfile_read,
	.write_iter	= rfile_write,
	.splice_read	= rfile_splice_read,
	.splice_write	= iter_file_splice_write,
	.llseek		= rfile_llseek,
	.fsync		= rfile_fsync,
	.fallocate	= rfile_fallocate,
	.unlocked_ioctl	= rfile_ioctl,
	.lock		= rfile_lock,
	.flock		= rfile_lock,
	.release	= rfile_release,
};

/* the same, for what may make its caller wait */
static const struct file_operations stream_fops = {
	.owner		= THIS_MODULE,
	.read_iter	= rfile_read,
	.write_iter	= rfile_write,
	.splice_read	= rfile_splice_read,
	.splice_write	= iter_file_splice_write,
	.llseek		= rfile_llseek,
	.fsync		= rfile_fsync,
	.fallocate	= rfile_fallocate,
	.unlocked_ioctl	= rfile_ioctl,
	.poll		= rfile_poll,
	.lock		= rfile_lock,
	.flock		= rfile_lock,
	.release	= rfile_release,
};

static const struct inode_operations rfile_iops = {
	.getattr	= rfile_getattr,
	.setattr	= rfile_setattr,
};

/* ---- files that home was asked about ---- */

#define ASKED_MAX	64u		/* more of them wait each for its own answer */

/** struct asked - one of host->asked */
struct asked {
	struct list_head link;		/* host->lock */
	struct inode *inode;		/* a reference */
	struct ctm_rop *op;		/* the question, a reference */
};

static void free_asked(struct asked *q)
{
	iput(q->inode);
	ctm_rop_put(q->op);
	kfree(q);
}

static bool may_ask(struct ctm_rhost *host)
{
	return READ_ONCE(host->nasked) < ASKED_MAX;	/* a rule of thumb: no lock */
}

static int ask_ahead(struct ctm_rhost *host, struct inode *inode, u64 handle)
{
	struct asked *q = kzalloc(sizeof(*q), GFP_KERNEL_ACCOUNT);
	int err = -ENOMEM;

	if (!q)
		return err;
	ihold(inode);
	q->inode = inode;
	q->op = ctm_rop_new(CTM_RW_INFO, handle, 0, 0, sizeof(struct ctm_rw_attr));
	if (q->op)
		err = ctm_rop_start(host, q->op);
	if (err) {
		free_asked(q);
		return err;
	}
	spin_lock(&host->lock);
	if (host->stop) {
		err = -EIO;		/* ctm_remote_forget() may have been here */
	} else {
		list_add_tail(&q->link, &host->asked);
		host->nasked++;
	}
	spin_unlock(&host->lock);
	if (err)
		free_asked(q);
	return err;
}

static struct asked *next_asked(struct ctm_rhost *host)
{
	struct asked *q;

	spin_lock(&host->lock);
	q = list_first_entry_or_null(&host->asked, struct asked, link);
	if (q) {
		list_del(&q->link);
		host->nasked--;
	}
	spin_unlock(&host->lock);
	return q;
}

static int settle(struct asked *q)
{
	const struct ctm_rw_attr *a = q->op->data;

	if (wait_for_completion_killable(&q->op->done))
		return -EINTR;
	if (q->op->ret)
		return q->op->ret;
	if (q->op->got != sizeof(*a) || (le32_to_cpu(a->mode) ^ q->inode->i_mode) & S_IFMT)
		return -EIO;
	q->inode->i_rdev = get_rdev(a);
	cache_attr(q->inode, a);
	return 0;
}

int ctm_remote_settle(struct ctm_rhost *host)
{
	struct asked *q;
	int err = 0;

	while (!err && (q = next_asked(host))) {
		err = settle(q);
		free_asked(q);
	}
	return err;
}

void ctm_remote_forget(struct ctm_rhost *host)
{
	struct asked *q;

	while ((q = next_asked(host)))
		free_asked(q);
}

static struct ctm_rnode *new_node(struct ctm_rhost *host, u64 handle)
{
	struct ctm_rnode *n = kzalloc(sizeof(*n), GFP_KERNEL_ACCOUNT);

	if (!n)
		return NULL;
	kref_get(&host->ref);
	n->host = host;
	n->handle = handle;
	init_waitqueue_head(&n->wait);
	INIT_LIST_HEAD(&n->link);
	atomic_inc(&nodes_alive);
	return n;
}

static void free_node(struct ctm_rnode *n)
{
	ctm_rhost_put(n->host);
	kfree(n);
	if (atomic_dec_and_test(&nodes_alive))
		wake_up(&nodes_wait);
}

static struct inode *new_remote_inode(struct ctm_rhost *host, u64 handle,
				      const struct ctm_rw_attr *a)
{
	struct inode *inode = new_inode(rfile_mnt->mnt_sb);
	umode_t mode = le32_to_cpu(a->mode);
	struct ctm_rnode *n;

	if (!inode)
		return NULL;
	n = new_node(host, handle);
	if (!n) {
		iput(inode);
		return NULL;
	}
	inode->i_private = n;
	inode->i_ino = get_next_ino();
	inode->i_op = &rfile_iops;
	inode->i_mode = mode;
	inode->i_rdev = get_rdev(a);
	n->stream = !S_ISREG(mode) && !S_ISBLK(mode);
	cache_attr(inode, a);
	return inode;
}

/* made of what home says of it, or of its format alone until home has said more */
static struct inode *remote_inode(struct ctm_rhost *host, u64 handle, umode_t fmt)
{
	struct ctm_rw_attr a = { .mode = cpu_to_le32(fmt) };
	bool ahead = fmt && may_ask(host);
	struct inode *inode;
	int err = ahead ? 0 : ask_attr(host, handle, CTM_RW_INFO, &a);

	if (err)
		return ERR_PTR(err);
	if (S_ISDIR(le32_to_cpu(a.mode)) || S_ISLNK(le32_to_cpu(a.mode)))
		return ERR_PTR(-EIO);
	inode = new_remote_inode(host, handle, &a);
	if (!inode)
		return ERR_PTR(-ENOMEM);
	err = ahead ? ask_ahead(host, inode, handle) : 0;
	if (err) {
		iput(inode);
		return ERR_PTR(err);
	}
	return inode;
}

struct file *ctm_remote_open(struct ctm_rhost *host, u64 handle, unsigned int oflags, umode_t fmt)
{
	struct inode *inode = remote_inode(host, handle, fmt);
	struct ctm_rnode *n;
	struct file *f;

	if (IS_ERR(inode))
		return ERR_CAST(inode);
	n = inode->i_private;
	f = ERR_PTR(-ENOENT);
	if (try_module_get(THIS_MODULE)) {	/* put with the file's operations */
		f = alloc_file_pseudo(inode, rfile_mnt, "[home]",
				      oflags & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_LARGEFILE |
						O_DSYNC | O_SYNC | O_NOATIME),
				      n->stream ? &stream_fops : &plain_fops);
		if (IS_ERR(f))
			module_put(THIS_MODULE);
	}
	if (IS_ERR(f)) {
		iput(inode);
		return f;
	}
	f->f_mode |= FMODE_PREAD | FMODE_PWRITE;	/* home knows whether it can */
	f->f_pos = POS_HERE;
	spin_lock(&host->lock);
	list_add(&n->link, &host->nodes);
	spin_unlock(&host->lock);
	return f;
}

static void rfile_evict(struct inode *inode)
{
	struct ctm_rnode *n = inode->i_private;

	truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);
	if (n)
		free_node(n);
}

static const struct super_operations rfile_sops = {
	.statfs		= simple_statfs,
	.evict_inode	= rfile_evict,
};

static int init_fs_context(struct fs_context *fc)
{
	struct pseudo_fs_context *ctx = init_pseudo(fc, RFILE_MAGIC);

	if (!ctx)
		return -ENOMEM;
	ctx->ops = &rfile_sops;
	return 0;
}

/* no owner: the mount is the module's own, and must not keep it from leaving */
static struct file_system_type rfile_fs = {
	.name			= "continuum_home",
	.init_fs_context	= init_fs_context,
	.kill_sb		= kill_anon_super,
};

int ctm_remote_init(void)
{
	rfile_mnt = kern_mount(&rfile_fs);
	return PTR_ERR_OR_ZERO(rfile_mnt);
}

/*
 * Open files hold the module, but an inode is evicted a moment after its file
 * let go of it.
 */
void ctm_remote_exit(void)
{
	wait_event(nodes_wait, !atomic_read(&nodes_alive));
	kern_unmount(rfile_mnt);
}
