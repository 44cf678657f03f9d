// SPDX-License-Identifier: GPL-2.0
/*
 * shmem.c - memfds and shared anonymous memory
 *
 * Both are files of the kernel's own tmpfs mount, which nobody can look up by
 * name: each open file of one holds a count of its dentry, so that the counts
 * tell whether anybody outside the process has it.
 */
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/shmem_fs.h>

#include "../compat/compat.h"
#include "resource.h"

bool ctm_is_shmem(const struct file *f)
{
	const struct super_block *sb = file_inode(f)->i_sb;

	return sb->s_magic == TMPFS_MAGIC && sb->s_flags & SB_KERNMOUNT;
}

static const char *name_of(const struct file *f)
{
	return f->f_path.dentry->d_name.name;
}

static bool is_memfd(const struct file *f)
{
	return !strncmp(name_of(f), "memfd:", 6);
}

bool ctm_shmem_same(const struct file *a, const struct file *b)
{
	return a->f_path.dentry == b->f_path.dentry;
}

/* how often the process has it open; @r gets one that can be read, if there is one */
static unsigned int openings(const struct ctm_files *t, const struct file *f, struct file **r)
{
	unsigned int i, n = 0;

	*r = NULL;
	for (i = 0; i < t->n; i++) {
		if (!ctm_shmem_same(t->o[i].file, f))
			continue;
		n++;
		if (t->o[i].file->f_mode & FMODE_READ)
			*r = t->o[i].file;
	}
	return n;
}

bool ctm_shmem_classify(struct ctm_files *t, struct ctm_open *o)
{
	struct file *f = o->file, *readable;

	if (!ctm_is_shmem(f))
		return false;
	if (!is_memfd(f) && strcmp(name_of(f), "dev/zero"))
		snprintf(o->refused, sizeof(o->refused), "shared memory %.32s (SysV or of a driver)", name_of(f));
	else if (ctm_open_outside(t, o))
		snprintf(o->refused, sizeof(o->refused), "%s shared with another process",
			 is_memfd(f) ? "a memfd" : "memory");
	else if (d_count(f->f_path.dentry) > openings(t, f, &readable))
		strscpy(o->refused, "a memfd that another process has, too", sizeof(o->refused));
	else if (!readable || f->f_mode & FMODE_PATH)
		strscpy(o->refused, "a memfd that cannot be read", sizeof(o->refused));
	else
		o->kind = CTM_FILE_MEMFD;
	return true;
}

int ctm_shmem_fill(const struct ctm_open *o, struct ctm_rec_file *r, const char **name)
{
	struct inode *inode = file_inode(o->file);

	r->size = i_size_read(inode);
	r->mode = inode->i_mode;
	r->u[0] = SHMEM_I(inode)->seals;
	r->u[1] = !is_memfd(o->file);
	*name = is_memfd(o->file) ? name_of(o->file) + 6 : "shared";
	return 0;
}

static int put_range(struct ctm_capture *c, const struct ctm_open *o, struct file *f, loff_t at,
		     loff_t end)
{
	ssize_t n;
	int err = 0;

	while (!err && at < end) {
		n = kernel_read(f, ctm_filedata_buf(c), min_t(loff_t, end - at, CTM_FILEDATA_MAX), &at);
		if (n <= 0)
			return ctm_fail(c, n ? n : -EIO, "shared memory %s cannot be read", name_of(f));
		err = ctm_put_filedata(c, o->id, at - n, n);
		cond_resched();
	}
	return err;
}

/* Seeking moves the file's own position: the process does not run, and it is put back. */
int ctm_shmem_data(struct ctm_capture *c, const struct ctm_open *o)
{
	struct file *f;
	loff_t pos, size = i_size_read(file_inode(o->file)), at = 0, end;
	int err = 0;

	openings(&ctm_state(c)->files, o->file, &f);
	pos = f->f_pos;
	while (!err && at < size) {
		at = vfs_llseek(f, at, SEEK_DATA);
		if (at < 0)
			break;		/* -ENXIO: only a hole is left */
		end = vfs_llseek(f, at, SEEK_HOLE);
		if (end < 0)
			end = size;
		err = put_range(c, o, f, at, end);
		at = end;
	}
	f->f_pos = pos;
	if (!err && at < 0 && at != -ENXIO)
		err = ctm_fail(c, at, "shared memory %s cannot be read", name_of(f));
	return err;
}
