// SPDX-License-Identifier: GPL-2.0
/*
 * files.c - descriptors, and the open files that they and the memory refer to
 *
 * A struct ctm_files lists each open file description once, with a reference,
 * and how often the process refers to it: more references than that belong to
 * somebody outside, and then the file must not be rebuilt, because the two would
 * not share it any more.
 *
 * The descriptor table is read under task_lock and file_lock; what was found is
 * classified afterwards, as it may sleep.
 */
#include <linux/elf.h>
#include <linux/fcntl.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/pipe_fs_i.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/tty.h>

#include "../chardev.h"
#include "../compat/compat.h"
#include "../rfile.h"
#include "resource.h"

/* ---- collecting ---- */

struct fill {
	struct ctm_files *t;
	struct files_struct *files;
};

static struct ctm_open *find(struct ctm_files *t, const struct file *f, bool mapped)
{
	unsigned int i;

	/* The files of neighbours are neighbours: look at the latest first. */
	for (i = t->n; i--; )
		if (t->o[i].file == f && t->o[i].mapped == mapped)
			return &t->o[i];
	return NULL;
}

static struct ctm_open *add(struct ctm_files *t, struct file *f, bool mapped)
{
	struct ctm_open *o;

	if (t->n == t->room)
		return NULL;
	o = &t->o[t->n++];
	memset(o, 0, sizeof(*o));
	o->file = get_file(f);
	o->own = 1;
	o->mapped = mapped;
	o->fd = -1;
	return o;
}

/* iterate_fd() calls it under file_lock; a value other than 0 ends the walk */
static int fill_fd(const void *arg, struct file *f, unsigned int fd)
{
	const struct fill *fill = arg;
	struct ctm_files *t = fill->t;
	struct ctm_open *o = find(t, f, false);

	if (!o)
		o = add(t, f, false);
	if (!o || t->nfds == t->fd_room)
		return -ENOBUFS;
	if (!o->fds++)
		o->fd = fd;
	t->fd[t->nfds++] = (struct ctm_fdent) {
		.fd = fd, .open = o - t->o,
		.cloexec = test_bit(fd, files_fdtable(fill->files)->close_on_exec),
	};
	return 0;
}

static void files_clear(struct ctm_files *t)
{
	while (t->n)
		fput(t->o[--t->n].file);
	t->nfds = 0;
	kvfree(t->o);
	kvfree(t->fd);
	t->o = NULL;
	t->fd = NULL;
}

static unsigned int open_fds(struct task_struct *t)
{
	unsigned int n = 0;

	task_lock(t);
	if (t->files) {
		struct fdtable *fdt;

		rcu_read_lock();
		fdt = files_fdtable(t->files);
		n = bitmap_weight(fdt->open_fds, fdt->max_fds);
		rcu_read_unlock();
	}
	task_unlock(t);
	return n;
}

static int files_read(struct ctm_files *t)
{
	struct fill fill = { .t = t };
	int err = -ESRCH;

	task_lock(t->leader);
	fill.files = t->leader->files;
	if (fill.files)
		err = iterate_fd(fill.files, 0, fill_fd, &fill);
	task_unlock(t->leader);
	return err;
}

int ctm_files_get(struct ctm_files *t, struct task_struct *leader)
{
	unsigned int n;
	int err;

	t->leader = leader;
	do {
		files_clear(t);
		n = open_fds(leader) + 32;
		if (n > CTM_FILES_MAX)
			return -EMFILE;
		t->fd_room = n;
		t->room = n;
		t->o = kvcalloc(t->room, sizeof(*t->o), GFP_KERNEL);
		t->fd = kvcalloc(t->fd_room, sizeof(*t->fd), GFP_KERNEL);
		err = t->o && t->fd ? files_read(t) : -ENOMEM;
	} while (err == -ENOBUFS);
	return err;
}

void ctm_files_put(struct ctm_files *t)
{
	files_clear(t);
}

struct ctm_open *ctm_files_by_fd(struct ctm_files *t, int fd)
{
	unsigned int i;

	for (i = 0; i < t->nfds; i++)
		if (t->fd[i].fd == fd)
			return &t->o[t->fd[i].open];
	return NULL;
}

bool ctm_open_outside(struct ctm_files *t, const struct ctm_open *o)
{
	bool ret = file_count(o->file) > (long)o->fds + o->maps + o->own;

	t->unsure |= ret;
	return ret;
}

/* ---- classes: each in the first way of DESIGN 5 that is exact ---- */

static bool read_only(const struct file *f)
{
	return (f->f_flags & O_ACCMODE) == O_RDONLY;
}

/*
 * A program or library that is being loaded is to be mapped next, which a remote
 * file cannot be; nobody adds to one that is in use.
 */
static bool is_elf(struct file *f)
{
	char magic[SELFMAG];
	loff_t pos = 0;

	return kernel_read(f, magic, sizeof(magic), &pos) == sizeof(magic) &&
	       !memcmp(magic, ELFMAG, SELFMAG);
}

static void refuse(struct ctm_open *o, const char *why)
{
	strscpy(o->refused, why, sizeof(o->refused));
}

/*
 * Of a checkpoint nothing stays at home: the three standard streams become those of whoever
 * restores it (CTM_STREAM()), if they are nothing that can be opened again.
 */
static void be_stream(struct ctm_open *o, const char *what)
{
	if (o->fd >= 0 && o->fd < CTM_STREAMS) {
		o->kind = CTM_FILE_HOME;
		o->handle = CTM_STREAM(o->fd);
	} else {
		refuse(o, what);
	}
}

static void stay_home(struct ctm_files *t, struct ctm_open *o, const char *what)
{
	if (t->checkpoint)
		be_stream(o, what);
	else if (t->at_home)
		o->kind = CTM_FILE_HOME;
	else
		snprintf(o->refused, sizeof(o->refused), "%s that was opened away from home", what);
}

/* by path, whatever is there when it is restored; who shares its offset now will not then */
static void classify_kept(struct ctm_files *t, struct ctm_open *o)
{
	if (d_unlinked(o->file->f_path.dentry)) {
		refuse(o, "a file that was removed");
		return;
	}
	if (t->c)
		o->ident = ctm_ident_have(t->c, file_user_path(o->file));
	o->kind = CTM_FILE_PATH;
}

static void classify_reg(struct ctm_files *t, struct ctm_open *o)
{
	struct super_block *sb = file_inode(o->file)->i_sb;
	bool alone = !ctm_open_outside(t, o) && !d_unlinked(o->file->f_path.dentry);

	if (ctm_shmem_classify(t, o))
		return;
	if (sb->s_magic == HUGETLBFS_MAGIC) {
		refuse(o, "a file of huge pages");
		return;
	}
	if (t->checkpoint) {
		classify_kept(t, o);
		return;
	}
	if (alone && sb->s_magic == PROC_SUPER_MAGIC && read_only(o->file)) {
		o->kind = CTM_FILE_PATH;	/* its like is in the capsule's own /proc */
		return;
	}
	if (t->c)
		o->ident = ctm_ident_have(t->c, file_user_path(o->file));
	if (alone && (o->ident ? o->ident->flags & CTM_IDENT_SHARED_FS : !t->c && ctm_fs_shared(sb)))
		o->kind = CTM_FILE_PATH;
	else if (alone && read_only(o->file) && (o->ident || !t->c) &&
		 (!t->at_home || is_elf(o->file)))
		o->kind = CTM_FILE_PATH;
	else
		stay_home(t, o, "a file");
}

static void classify_dir(struct ctm_files *t, struct ctm_open *o)
{
	bool proc = file_inode(o->file)->i_sb->s_magic == PROC_SUPER_MAGIC;

	if (t->c && !proc)
		o->ident = ctm_ident_have(t->c, file_user_path(o->file));
	if (d_unlinked(o->file->f_path.dentry))
		refuse(o, "a directory that was removed");
	else if (t->c && !proc && !o->ident)
		refuse(o, "a directory that the destination does not have");
	else
		o->kind = CTM_FILE_PATH;
}

static struct tty_struct *tty_of(const struct file *f)
{
	dev_t dev = file_inode(f)->i_rdev;
	bool tty = (MAJOR(dev) >= UNIX98_PTY_SLAVE_MAJOR &&
		    MAJOR(dev) < UNIX98_PTY_SLAVE_MAJOR + UNIX98_PTY_MAJOR_COUNT) ||
		   dev == MKDEV(TTYAUX_MAJOR, 0);	/* /dev/tty */

	return tty && f->private_data ? ((struct tty_file_private *)f->private_data)->tty : NULL;
}

/* the pty that the keeper owns is the controlling terminal of its session */
static bool is_own_tty(struct ctm_files *t, const struct file *f)
{
	struct tty_struct *tty = tty_of(f);
	struct sighand_struct *h;
	unsigned long flags;
	bool ret = false;

	if (!tty || !(t->p->flags & CTM_ADOPT_TTY))
		return false;
	h = ctm_lock_sighand(t->leader, &flags);
	if (h) {
		ret = t->leader->signal->tty == tty;
		ctm_unlock_sighand(h, &flags);
	}
	return ret;
}

/* null, zero, full, random, urandom: the same everywhere, and without state */
static bool is_mem_device(dev_t dev)
{
	return MAJOR(dev) == MEM_MAJOR &&
	       (MINOR(dev) == 3 || MINOR(dev) == 5 || (MINOR(dev) >= 7 && MINOR(dev) <= 9));
}

static void classify_chr(struct ctm_files *t, struct ctm_open *o)
{
	dev_t dev = file_inode(o->file)->i_rdev;

	if (!t->fork && is_own_tty(t, o->file))
		o->kind = CTM_FILE_TTY;
	else if (is_mem_device(dev) || ctm_chardev_plain(o->file))
		o->kind = CTM_FILE_PATH;
	else if (tty_of(o->file))
		stay_home(t, o, "a terminal");
	else
		snprintf(o->refused, sizeof(o->refused), "a device (%.40s, %u:%u)",
			 o->file->f_path.dentry->d_name.name, MAJOR(dev), MINOR(dev));
}

static void classify_fifo(struct ctm_files *t, struct ctm_open *o)
{
	const struct pipe_inode_info *pipe = file_inode(o->file)->i_pipe;

	/* one whose other end nobody holds is not the process's own affair: a child shares it */
	if (!ctm_pipe_classify(t, o) || (t->fork && !(pipe->readers && pipe->writers)))
		stay_home(t, o, "a pipe");
}

/* what fork(2) lets parent and child share, and nothing can between nodes */
static void refuse_shared(struct ctm_files *t, struct ctm_open *o)
{
	static const char *const what[] = {
		[CTM_FILE_PIPE_R] = "a pipe within the process",
		[CTM_FILE_PIPE_W] = "a pipe within the process",
		[CTM_FILE_EVENTFD] = "an eventfd", [CTM_FILE_TIMERFD] = "a timerfd",
		[CTM_FILE_EPOLL] = "an epoll", [CTM_FILE_MEMFD] = "a memfd",
		[CTM_FILE_SOCKPAIR] = "a socket pair within the process",
	};

	if (t->fork && !o->refused[0] && o->kind < ARRAY_SIZE(what) && what[o->kind])
		snprintf(o->refused, sizeof(o->refused), "%s, which a child elsewhere cannot share",
			 what[o->kind]);
}

static void classify_one(struct ctm_files *t, struct ctm_open *o)
{
	const char *lock = ctm_file_locked(o->file, t->leader->files, t->fork);

	o->handle = ctm_rfile_handle(o->file);
	if (o->handle) {
		o->kind = CTM_FILE_HOME;
		if (t->checkpoint)
			be_stream(o, "a file that is at its home");
		return;
	}
	if (lock) {
		refuse(o, lock);
		return;
	}
	if (o->file->f_mode & FMODE_PATH) {
		refuse(o, "opened with O_PATH");
		return;
	}
	if (ctm_anon_classify(t, o))
		return;
	switch (file_inode(o->file)->i_mode & S_IFMT) {
	case S_IFREG:
		classify_reg(t, o);
		break;
	case S_IFDIR:
		classify_dir(t, o);
		break;
	case S_IFCHR:
		classify_chr(t, o);
		break;
	case S_IFIFO:
		classify_fifo(t, o);
		break;
	case S_IFSOCK:
		ctm_sock_classify(t, o);
		break;
	default:
		refuse(o, "a file of unknown kind");
	}
}

/* ---- files of areas ---- */

/* room for entries of areas: one for each at most */
static int make_room(struct ctm_files *t, const struct ctm_areas *as)
{
	unsigned int i, want = t->n;
	struct ctm_open *o;

	for (i = 0; i < as->n; i++)
		want += as->a[i].file && (!i || as->a[i].file != as->a[i - 1].file);
	if (want > CTM_FILES_MAX)
		return -EMFILE;
	o = kvcalloc(want, sizeof(*o), GFP_KERNEL);
	if (!o)
		return -ENOMEM;
	memcpy(o, t->o, t->n * sizeof(*o));
	kvfree(t->o);
	t->o = o;
	t->room = want;
	return 0;
}

/* a shared read-only view of a file that nobody writes may be shipped by content */
static bool may_copy(const struct ctm_area *a)
{
	return a->kind == CTM_VMA_FILE_PRIVATE || !inode_is_open_for_write(file_inode(a->file));
}

static void copy_area(struct ctm_area *a)
{
	a->kind = CTM_VMA_FILE_PRIVATE;
	a->flags |= CTM_VMA_CONTENT;
	a->isize = i_size_read(file_inode(a->file));
}

/* the area refers to its file, and so does our copy of it */
static void count_area(struct ctm_open *o)
{
	o->maps++;
	o->own++;
}

/* @fd_entry: that of a descriptor on the same open file, or NULL */
static void map_area(struct ctm_files *t, struct ctm_area *a, struct ctm_open *fd_entry)
{
	bool writable = a->kind == CTM_VMA_FILE_SHARED && a->vm_flags & VM_MAYWRITE;
	const struct ctm_file_ident *id;
	struct ctm_open *o = find(t, a->file, true);

	id = o ? o->ident : ctm_ident_have(t->c, file_user_path(a->file));
	if (writable && !(id && (id->flags & CTM_IDENT_SHARED_FS || t->checkpoint))) {
		a->refused = "a shared writable mapping of a file that the destination does not share";
	} else if (id) {
		if (!o) {
			o = add(t, a->file, true);
			if (fd_entry)
				fd_entry->own++;
		}
		o->kind = CTM_FILE_MAPPED;
		o->ident = id;
		if (writable)
			vfs_fsync(a->file, 0);
	} else if (may_copy(a)) {
		copy_area(a);
	} else {
		a->refused = "a shared mapping of a file that the destination does not have";
	}
}

/* shared memory: its open file is one with that of the memfd's descriptors */
static void map_shmem(struct ctm_files *t, struct ctm_area *a)
{
	struct ctm_open *o = find(t, a->file, false);

	if (!o)
		o = add(t, a->file, false);
	if (o)
		count_area(o);
}

static int map_areas(struct ctm_files *t, struct ctm_areas *as)
{
	unsigned int i;
	int err = make_room(t, as);

	for (i = 0; !err && i < as->n; i++) {
		struct ctm_area *a = &as->a[i];
		struct ctm_open *o;

		if (!a->file || a->refused)
			continue;
		if (ctm_is_shmem(a->file)) {
			map_shmem(t, a);
			continue;
		}
		o = find(t, a->file, false);	/* mapped and open under the same open() */
		if (o)
			count_area(o);
		if (t->c)
			map_area(t, a, o);
	}
	return err;
}

int ctm_files_classify(struct ctm_files *t, struct ctm_areas *as)
{
	unsigned int i;
	int err = map_areas(t, as);

	for (i = 0; !err && i < t->n; i++) {
		if (t->o[i].mapped)
			continue;
		t->unsure = false;
		classify_one(t, &t->o[i]);
		refuse_shared(t, &t->o[i]);
		t->o[i].unsure = t->unsure;
	}
	return err;
}

/* ---- what stops it ---- */

static const char *verdict(bool checkpoint)
{
	return checkpoint ? "no checkpoint can be made" : "cannot move";
}

static void explain_one(struct ctm_explain_ctx *x, const struct ctm_open *o, char *buf)
{
	char *path = ctm_path(file_user_path(o->file), buf);

	if (IS_ERR(path))
		path = "?";
	if (o->refused[0] && o->unsure)
		x->unsure = true;
	if (o->refused[0] && o->fd < 0)
		ctm_stop(x, "%s: %s", o->refused, verdict(x->checkpoint));
	else if (o->refused[0])
		ctm_stop(x, "fd %d: %s: %s", o->fd, o->refused, verdict(x->checkpoint));
	else if (o->kind == CTM_FILE_HOME)
		ctm_note(x, "home", "fd %d (%s)", o->fd, path);
}

void ctm_explain_files(struct ctm_explain_ctx *x)
{
	struct ctm_files t = { .p = x->p, .at_home = x->at_home, .frozen = x->frozen,
			       .fork = x->fork, .checkpoint = x->checkpoint };
	char *buf = kvmalloc(CTM_PATH_MAX, GFP_KERNEL);
	struct ctm_areas as = {};
	unsigned int i;
	int err = buf ? ctm_areas_get(&as, x->leader) : -ENOMEM;

	if (!err && x->fork)
		ctm_areas_fork(&as);
	if (!err)
		err = ctm_files_get(&t, x->leader);
	if (!err)
		err = ctm_files_classify(&t, &as);
	for (i = 0; !err && i < t.n; i++)
		explain_one(x, &t.o[i], buf);
	if (err)
		ctm_stop(x, err == -ESRCH ? "it is ending" : "its files cannot be read: error %d", err);
	ctm_files_put(&t);
	ctm_areas_put(&as);
	kvfree(buf);
}

/* ---- records ---- */

void *ctm_filedata_buf(struct ctm_capture *c)
{
	return c->buf + sizeof(struct ctm_rec) + sizeof(struct ctm_rec_filedata);
}

int ctm_put_filedata(struct ctm_capture *c, u32 id, u64 off, u32 len)
{
	struct ctm_rec_filedata *r = c->buf + sizeof(struct ctm_rec);

	r->id = id;
	r->len = len;
	r->off = off;
	return ctm_put_buf(c, CTM_REC_FILEDATA, sizeof(*r) + len);
}

static void fill_owner(const struct file *f, struct pid_namespace *ns, struct ctm_rec_file *r)
{
	struct fown_struct *own = file_f_owner(f);

	if (!own)
		return;
	read_lock_irq(&own->lock);
	r->owner = own->pid ? pid_nr_ns(own->pid, ns) : 0;
	if (own->pid && own->pid_type == PIDTYPE_PGID)
		r->owner = -r->owner;
	r->sig = own->signum;
	read_unlock_irq(&own->lock);
}

static void fill_common(struct ctm_capture *c, const struct ctm_open *o, struct ctm_rec_file *r)
{
	const struct file *f = o->file;

	memset(r, 0, sizeof(*r));
	r->id = o->id;
	r->kind = o->kind;
	r->oflags = f->f_flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
	r->pos = f->f_pos;
	r->handle = o->handle;
	r->peer = o->kind == CTM_FILE_MEMFD ? o->peer : 0;
	fill_owner(f, ctm_state(c)->ns, r);
	if (o->kind == CTM_FILE_MAPPED)		/* what F_GETFL says of it does not matter */
		r->oflags &= O_ACCMODE | O_LARGEFILE;
	if (o->kind == CTM_FILE_HOME) {
		r->mode = file_inode(f)->i_mode & S_IFMT;
	} else if (o->ident && c->checkpoint) {
		/* nobody changes it now: nobody should have changed it then */
		bool same = !(o->ident->flags & CTM_IDENT_DIR) && !inode_is_open_for_write(file_inode(f));

		/* not the inode: it may be another one after a reboot */
		r->mode = o->ident->mode;
		r->isize = same ? o->ident->isize : 0;
		r->mtime_ns = same ? o->ident->mtime_ns : 0;
	} else if (o->ident) {
		r->mode = o->ident->mode;
		r->ino = o->ident->flags & CTM_IDENT_SHARED_FS ? o->ident->ino : 0;
		r->isize = o->ident->flags & CTM_IDENT_CONTENT ? o->ident->isize : 0;
		r->mtime_ns = o->ident->flags & CTM_IDENT_CONTENT ? o->ident->mtime_ns : 0;
	}
}

static int fill_kind(struct ctm_capture *c, struct ctm_open *o, struct ctm_rec_file *r, const char **name)
{
	switch (o->kind) {
	case CTM_FILE_PIPE_R:
	case CTM_FILE_PIPE_W:
		ctm_pipe_fill(o, r);
		return 0;
	case CTM_FILE_SOCKPAIR:
		ctm_sock_fill(o, r);
		return 0;
	case CTM_FILE_MEMFD:
		return ctm_shmem_fill(o, r, name);
	case CTM_FILE_EVENTFD:
	case CTM_FILE_TIMERFD:
	case CTM_FILE_SIGNALFD:
	case CTM_FILE_EPOLL:
		return ctm_anon_fill(c, o, r);
	}
	return 0;
}

static int put_file(struct ctm_capture *c, struct ctm_open *o, char *scratch)
{
	struct ctm_rec_file *r = c->buf + sizeof(struct ctm_rec);
	const char *name = NULL;
	int err;

	if (o->kind == CTM_FILE_HOME && !o->handle) {
		err = ctm_rfile_export(c->p, o->file, &o->handle);
		if (err)
			return ctm_fail(c, err, "fd %d: cannot be kept at home: error %d", o->fd, err);
	}
	fill_common(c, o, r);
	if (o->kind == CTM_FILE_PATH || o->kind == CTM_FILE_MAPPED) {
		name = ctm_path(file_user_path(o->file), scratch);
		if (IS_ERR(name))
			return ctm_fail(c, PTR_ERR(name), "fd %d: its path is too long", o->fd);
	}
	err = fill_kind(c, o, r, &name);
	if (err)
		return err;
	r->path_len = name ? strlen(name) : 0;
	memcpy(r->path, name ? name : "", r->path_len);
	err = ctm_put_buf(c, CTM_REC_FILE, sizeof(*r) + r->path_len);
	return err || o->kind != CTM_FILE_MEMFD || o->peer != o->id ? err : ctm_shmem_data(c, o);
}

static bool same_peer(const struct ctm_open *a, const struct ctm_open *b)
{
	return a->kind == CTM_FILE_MEMFD ? ctm_shmem_same(a->file, b->file) : ctm_same_channel(a, b);
}

/* both ends of a pipe or a pair, and all openings of a memfd, carry the id of the first */
static void number_peers(struct ctm_files *t)
{
	unsigned int i, k;

	for (i = 0; i < t->n; i++) {
		struct ctm_open *o = &t->o[i];

		if (o->peer || !(o->kind == CTM_FILE_PIPE_R || o->kind == CTM_FILE_PIPE_W ||
				 o->kind == CTM_FILE_SOCKPAIR || o->kind == CTM_FILE_MEMFD))
			continue;
		o->peer = o->id;
		for (k = i + 1; k < t->n; k++)
			if (same_peer(o, &t->o[k]))
				t->o[k].peer = o->id;
	}
}

static int put_files(struct ctm_capture *c, struct ctm_files *t)
{
	char *scratch = kvmalloc(CTM_PATH_MAX, GFP_KERNEL);
	unsigned int i;
	int err = scratch ? 0 : -ENOMEM;

	for (i = 0; !err && i < t->n; i++)
		err = put_file(c, &t->o[i], scratch);
	kvfree(scratch);
	return err;
}

/* what a pipe holds, told of its write end while there is one, and an end of a pair */
static int put_channels(struct ctm_capture *c, struct ctm_files *t)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < t->n; i++) {
		struct ctm_open *o = &t->o[i];

		if (o->kind == CTM_FILE_PIPE_W ||
		    (o->kind == CTM_FILE_PIPE_R && !file_inode(o->file)->i_pipe->writers))
			err = ctm_pipe_data(c, o);
		else if (o->kind == CTM_FILE_SOCKPAIR)
			err = ctm_sock_data(c, o);
	}
	return err;
}

static int put_fds(struct ctm_capture *c, struct ctm_files *t)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < t->nfds; i++) {
		struct ctm_rec_fd r = {
			.fd = t->fd[i].fd, .id = t->o[t->fd[i].open].id, .cloexec = t->fd[i].cloexec,
		};

		err = ctm_put(c, CTM_REC_FD, &r, sizeof(r));
	}
	for (i = 0; !err && i < t->n; i++)
		if (t->o[i].kind == CTM_FILE_EPOLL)
			err = ctm_epoll_entries(c, &t->o[i]);
	return err;
}

/* the decisions with the destination's answer at hand; a refusal is new or came late */
static int decide(struct ctm_capture *c, struct ctm_files *t, struct ctm_areas *as)
{
	unsigned int i;
	int err = ctm_files_classify(t, as);

	for (i = 0; !err && i < as->n; i++)
		if (as->a[i].refused)
			err = ctm_fail(c, -EOPNOTSUPP, "%s (%pD): %s", as->a[i].refused, as->a[i].file,
				       verdict(c->checkpoint));
	for (i = 0; !err && i < t->n; i++) {
		if (t->o[i].refused[0] && t->o[i].fd >= 0)
			err = ctm_fail(c, -EOPNOTSUPP, "fd %d (%pD): %s: %s", t->o[i].fd,
				       t->o[i].file, t->o[i].refused, verdict(c->checkpoint));
		else if (t->o[i].refused[0])
			err = ctm_fail(c, -EOPNOTSUPP, "%s: %s", t->o[i].refused,
				       verdict(c->checkpoint));
		t->o[i].id = i + 1;
	}
	return err;
}

static void number_areas(struct ctm_files *t, struct ctm_areas *as)
{
	unsigned int i;

	for (i = 0; i < as->n; i++) {
		struct ctm_area *a = &as->a[i];
		struct ctm_open *o = NULL;

		if (a->file && a->kind && !(a->flags & CTM_VMA_CONTENT))
			o = find(t, a->file, !ctm_is_shmem(a->file));
		a->id = o ? o->id : 0;
	}
}

int ctm_capture_files(struct ctm_capture *c)
{
	struct ctm_capture_state *s = ctm_state(c);
	struct ctm_files *t = &s->files;
	int err = decide(c, t, &s->areas);

	if (err)
		return err;
	number_peers(t);
	number_areas(t, &s->areas);
	err = put_files(c, t);
	if (!err)
		err = put_channels(c, t);
	if (!err)
		err = put_fds(c, t);
	return err;
}
