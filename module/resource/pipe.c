// SPDX-License-Identifier: GPL-2.0
/*
 * pipe.c - pipes whose ends are all inside the process
 *
 * The rings of buffers are read under the pipe's mutex, without draining them.
 */
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/magic.h>
#include <linux/pipe_fs_i.h>

#include "../compat/compat.h"
#include "resource.h"

/* open files of that pipe in our table that can do @mode, unless somebody else holds one */
static unsigned int ends_inside(struct ctm_files *t, const struct inode *inode, fmode_t mode)
{
	unsigned int i, n = 0;

	for (i = 0; i < t->n; i++)
		if (file_inode(t->o[i].file) == inode && t->o[i].file->f_mode & mode &&
		    !ctm_open_outside(t, &t->o[i]))
			n++;
	return n;
}

bool ctm_pipe_classify(struct ctm_files *t, struct ctm_open *o)
{
	struct inode *inode = file_inode(o->file);
	struct pipe_inode_info *pipe = inode->i_pipe;
	unsigned int readers, writers;

	if (inode->i_sb->s_magic != PIPEFS_MAGIC || !pipe)
		return false;		/* a named one */
	mutex_lock(&pipe->mutex);
	readers = pipe->readers;
	writers = pipe->writers;
	mutex_unlock(&pipe->mutex);
	if (readers != ends_inside(t, inode, FMODE_READ) ||
	    writers != ends_inside(t, inode, FMODE_WRITE))
		return false;
	if (readers > 1 || writers > 1 || (o->file->f_mode & FMODE_READ && o->file->f_mode & FMODE_WRITE)) {
		strscpy(o->refused, "a pipe that was opened again (/proc/self/fd)", sizeof(o->refused));
		return true;
	}
	o->kind = o->file->f_mode & FMODE_READ ? CTM_FILE_PIPE_R : CTM_FILE_PIPE_W;
	return true;
}

/** ctm_pipe_fill() - peer is numbered by files.c, which sees both ends */
void ctm_pipe_fill(const struct ctm_open *o, struct ctm_rec_file *r)
{
	struct pipe_inode_info *pipe = file_inode(o->file)->i_pipe;

	r->peer = o->peer;
	mutex_lock(&pipe->mutex);
	r->size = (u64)pipe->max_usage << PAGE_SHIFT;
	mutex_unlock(&pipe->mutex);
}

/* @off bytes into buffer @i from the tail; returns bytes copied, 0 at its end */
static int copy_buffer(struct pipe_inode_info *pipe, unsigned int i, u32 off, void *to)
{
	struct pipe_buffer *buf;
	u32 n, at;
	int err;

	mutex_lock(&pipe->mutex);
	if (pipe->tail + i == pipe->head) {
		mutex_unlock(&pipe->mutex);
		return -ENODATA;
	}
	buf = &pipe->bufs[(pipe->tail + i) & (pipe->ring_size - 1)];
	err = pipe_buf_confirm(pipe, buf);
	n = err || off >= buf->len ? 0 : min(buf->len - off, CTM_FILEDATA_MAX);
	at = buf->offset + off;
	if (n)
		memcpy(to, page_address(buf->page) + at, n);
	mutex_unlock(&pipe->mutex);
	return err ? err : n;
}

/* One record a buffer at least, so that packets (O_DIRECT) stay packets. */
int ctm_pipe_data(struct ctm_capture *c, const struct ctm_open *o)
{
	struct pipe_inode_info *pipe = file_inode(o->file)->i_pipe;
	unsigned int i = 0;
	u64 pos = 0;
	u32 off = 0;
	int n, err;

	for (;;) {
		n = copy_buffer(pipe, i, off, ctm_filedata_buf(c));
		if (n == -ENODATA)
			return 0;
		if (n < 0)
			return ctm_fail(c, n, "fd %d: its pipe cannot be read", o->fd);
		if (!n) {
			i++;
			off = 0;
			continue;
		}
		err = ctm_put_filedata(c, o->id, pos, n);
		if (err)
			return err;
		off += n;
		pos += n;
	}
}
