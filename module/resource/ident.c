// SPDX-License-Identifier: GPL-2.0
/*
 * ident.c - files that the destination might have too
 *
 * The source lists its files before it freezes the process; the destination sets
 * a bit for each that it has.  On a file system that both share a file is the
 * same by inode; elsewhere an executable, a library or a file that is only read
 * is as good when size and time of modification agree.
 */
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/statfs.h>

#include "../compat/compat.h"
#include "resource.h"

/* file systems of the network whose super blocks several machines share */
bool ctm_fs_shared(const struct super_block *sb)
{
	switch (sb->s_magic) {
	case V9FS_MAGIC: case NFS_SUPER_MAGIC: case AFS_SUPER_MAGIC: case CODA_SUPER_MAGIC:
	case CEPH_SUPER_MAGIC: case OCFS2_SUPER_MAGIC:
	case 0xff534d42:	/* cifs */
	case 0xfe534d42:	/* smb2 */
	case 0x0bd00bd0:	/* lustre */
	case 0x01161970:	/* gfs2 */
	case 0x19830326:	/* beegfs */
	case 0x47504653:	/* gpfs */
		return true;
	}
	return false;
}

char *ctm_path(const struct path *path, char *buf)
{
	return d_path(path, buf, CTM_PATH_MAX);
}

/* ---- what a file is ---- */

static s64 ns_of(struct timespec64 t)
{
	return timespec64_to_ns(&t);
}

static int identify(const struct path *path, struct ctm_file_ident *id)
{
	struct kstatfs fs;
	struct kstat st;
	int err = vfs_getattr(path, &st, STATX_BASIC_STATS, AT_STATX_SYNC_AS_STAT);

	if (!err)
		err = vfs_statfs(path, &fs);
	if (err)
		return err;
	id->ino = st.ino;
	id->isize = st.size;
	id->mtime_ns = ns_of(st.mtime);
	id->mode = st.mode;
	id->fstype = path->dentry->d_sb->s_magic;
	id->fsid = (u64)(u32)fs.f_fsid.val[1] << 32 | (u32)fs.f_fsid.val[0];
	if (S_ISDIR(st.mode))
		id->flags = CTM_IDENT_DIR;
	else if (ctm_fs_shared(path->dentry->d_sb))
		id->flags = CTM_IDENT_SHARED_FS;
	else
		id->flags = CTM_IDENT_CONTENT;
	return 0;
}

/* ---- the list ---- */

struct list {
	void *buf;
	size_t room, len;
	unsigned int n;
	char *path;			/* CTM_PATH_MAX of scratch */
};

static size_t ident_size(u32 path_len)
{
	return ALIGN(sizeof(struct ctm_file_ident) + path_len, 8);
}

/* every member is checked against what is there: the list may be an enemy's */
static const struct ctm_file_ident *ident_next(const void *buf, size_t len, size_t *at)
{
	const struct ctm_file_ident *id = buf + *at;

	if (len - *at < sizeof(*id) || id->path_len >= CTM_PATH_MAX ||
	    len - *at < ident_size(id->path_len))
		return NULL;
	*at += ident_size(id->path_len);
	return id;
}

static bool same_path(const struct ctm_file_ident *id, const char *path, u32 len)
{
	return id->path_len == len && !memcmp(id->path, path, len);
}

static bool listed(const struct list *l, const char *path, u32 len)
{
	const struct ctm_file_ident *id;
	size_t at = 0;

	while (at < l->len && (id = ident_next(l->buf, l->len, &at)))
		if (same_path(id, path, len))
			return true;
	return false;
}

/* a file that has no place in the list is taken for one that the destination lacks */
static void list_path(struct list *l, const struct path *path)
{
	struct ctm_file_ident *id = l->buf + l->len;
	char *name;
	u32 len;

	if (d_unlinked(path->dentry))
		return;
	name = ctm_path(path, l->path);
	if (IS_ERR(name))
		return;
	len = strlen(name);
	if (l->room - l->len < ident_size(len) || listed(l, name, len))
		return;
	memset(id, 0, ident_size(len));
	if (identify(path, id))
		return;
	id->path_len = len;
	memcpy(id->path, name, len);
	l->len += ident_size(len);
	l->n++;
}

static void list_cwd(struct list *l, struct task_struct *t)
{
	struct path pwd;
	bool there;

	task_lock(t);
	there = t->fs;
	if (there)
		get_fs_pwd(t->fs, &pwd);
	task_unlock(t);
	if (!there)
		return;
	list_path(l, &pwd);
	path_put(&pwd);
}

static void list_areas(struct list *l, struct task_struct *t)
{
	struct file *exe, *last = NULL;
	struct ctm_areas as;
	unsigned int i;

	if (ctm_areas_get(&as, t))
		return;
	exe = ctm_mm_exe_file(as.mm);
	if (exe) {
		list_path(l, file_user_path(exe));
		fput(exe);
	}
	for (i = 0; i < as.n; i++) {
		if (!as.a[i].file || as.a[i].file == last || as.a[i].refused ||
		    ctm_is_shmem(as.a[i].file))
			continue;
		last = as.a[i].file;
		list_path(l, file_user_path(last));
	}
	ctm_areas_put(&as);
}

static bool by_path(const struct file *f)
{
	umode_t mode = file_inode(f)->i_mode;

	return (S_ISREG(mode) || S_ISDIR(mode)) && !ctm_is_shmem(f) &&
	       file_inode(f)->i_sb->s_magic != ANON_INODE_FS_MAGIC;
}

static void list_files(struct list *l, struct task_struct *t)
{
	struct ctm_files files = {};
	unsigned int i;

	if (!ctm_files_get(&files, t))
		for (i = 0; i < files.n; i++)
			if (by_path(files.o[i].file))
				list_path(l, file_user_path(files.o[i].file));
	ctm_files_put(&files);
}

ssize_t ctm_idents_collect(struct ctm_process *p, void *buf, size_t room, unsigned int *count)
{
	struct task_struct *t = get_pid_task(p->leader, PIDTYPE_TGID);
	struct list l = { .buf = buf, .room = room };

	*count = 0;
	if (!t)
		return -ESRCH;
	l.path = kvmalloc(CTM_PATH_MAX, GFP_KERNEL);
	if (l.path) {
		list_cwd(&l, t);
		list_areas(&l, t);
		list_files(&l, t);
	}
	kvfree(l.path);
	put_task_struct(t);
	*count = l.n;
	return l.path ? l.len : -ENOMEM;
}

/* ---- at the destination ---- */

static bool matches(const struct ctm_file_ident *want, const struct ctm_file_ident *have)
{
	if ((want->mode ^ have->mode) & S_IFMT)
		return false;
	if (want->flags & CTM_IDENT_DIR)
		return true;
	if (want->flags & CTM_IDENT_SHARED_FS) {
		if (have->ino != want->ino || have->fstype != want->fstype || have->fsid != want->fsid)
			return false;
		if (want->fsid)
			return true;
		/* a file system that does not tell which one it is: look closer */
	}
	return have->isize == want->isize && have->mtime_ns == want->mtime_ns;
}

static bool is_here(const struct ctm_file_ident *want, char *name)
{
	struct ctm_file_ident have = {};
	struct path path;
	bool ret;

	memcpy(name, want->path, want->path_len);
	name[want->path_len] = 0;
	if (name[0] != '/' || strlen(name) != want->path_len || kern_path(name, 0, &path))
		return false;
	ret = !identify(&path, &have) && matches(want, &have);
	path_put(&path);
	return ret;
}

int ctm_idents_check(const void *buf, size_t len, unsigned int count, unsigned long *bits, char *why)
{
	const struct ctm_file_ident *id;
	char *name = kvmalloc(CTM_PATH_MAX, GFP_KERNEL);
	size_t at = 0;
	unsigned int i;
	int err = 0;

	if (!name)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		id = ident_next(buf, len, &at);
		if (!id) {
			err = -EBADMSG;
			break;
		}
		if (is_here(id, name))
			__set_bit(i, bits);
		else if (!i && id->flags & CTM_IDENT_DIR)	/* the first is the working directory */
			snprintf(why, CTM_REASON_MAX, "directory %.200s (its working directory) is not there", name);
		cond_resched();
	}
	kvfree(name);
	return err ? err : at == len ? 0 : -EBADMSG;
}

/* ---- back at the source ---- */

static const struct ctm_file_ident *find(struct ctm_capture *c, const char *name)
{
	const struct ctm_file_ident *id;
	u32 len = strlen(name);
	size_t at = 0;
	unsigned int i;

	for (i = 0; i < c->nidents; i++) {
		id = ident_next(c->idents, c->idents_len, &at);
		if (!id)
			break;
		if (same_path(id, name, len))
			return test_bit(i, c->ident_bits) ? id : NULL;
	}
	c->unasked = true;
	return NULL;
}

const struct ctm_file_ident *ctm_ident_have(struct ctm_capture *c, const struct path *path)
{
	const struct ctm_file_ident *id = NULL;
	char *buf, *name;

	if (!c || !c->nidents || d_unlinked(path->dentry))
		return NULL;
	buf = kvmalloc(CTM_PATH_MAX, GFP_KERNEL);
	if (!buf)
		return NULL;
	name = ctm_path(path, buf);
	if (!IS_ERR(name))
		id = find(c, name);
	kvfree(buf);
	return id;
}
