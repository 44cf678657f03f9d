// SPDX-License-Identifier: GPL-2.0
/*
 * store_data.c - the bytes of blocks
 *
 * All blocks of a node stand in one file in memory (shmem: its pages can be swapped out).
 * Each block has a run of its pages, whose numbers are never used again, so that there is nothing to
 * allocate from and no inode a block; a block that goes leaves a hole.  The file
 * has no size to speak of: only pages that were written exist.
 *
 * Bytes are moved in pieces of up to 64 KiB: between pages and sockets without a copy on the
 * way out, with the socket's one on the way in; each piece is hashed while it is hot.
 */
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "store_priv.h"

#define PIECE		(64u << 10)
#define PIECE_PAGES	(PIECE / PAGE_SIZE + 1)		/* a program's memory may begin within a page */

/* The file, and the next of its pages that nobody had.  One store a module. */
static struct file *memory;
static atomic64_t next_page = ATOMIC64_INIT(0);

/** struct piece - some pages, held, and what of them is meant */
struct piece {
	unsigned int n;
	u32 bytes;
	bool pinned;
	struct page *page[PIECE_PAGES];
	struct bio_vec bv[PIECE_PAGES];
};

/* ---- pages ---- */

struct ctm_span ctm_data_new(u32 len)
{
	u64 pages = DIV_ROUND_UP(len, PAGE_SIZE);

	return (struct ctm_span){
		.at = atomic64_add_return(pages, &next_page) - pages, .len = len,
	};
}

void ctm_data_free(const struct ctm_span *s)
{
	loff_t from = s->at << PAGE_SHIFT;

	if (s->len)
		shmem_truncate_range(file_inode(memory), from, from + PAGE_ALIGN(s->len) - 1);
}

/* rather fail than have somebody killed for the sake of a block */
static struct page *memory_page(u64 at)
{
	struct address_space *m = memory->f_mapping;

	return shmem_read_mapping_page_gfp(m, at, mapping_gfp_mask(m) | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
}

static int take_memory(struct piece *p, u64 at, unsigned int n)
{
	struct page *page;

	p->pinned = false;
	for (p->n = 0; p->n < n; p->n++) {
		page = memory_page(at + p->n);
		if (IS_ERR(page))
			return PTR_ERR(page);
		p->page[p->n] = page;
	}
	return 0;
}

/*
 * To be read, pages are referenced, as sockets will; to be written they are pinned, so that
 * a fork or the file behind them cannot go wrong.
 */
static int take_user(struct piece *p, unsigned long addr, unsigned int n, bool write)
{
	int got;

	p->pinned = write;
	if (write)
		got = pin_user_pages_fast(addr, n, FOLL_WRITE, p->page);
	else
		got = get_user_pages_fast(addr, n, 0, p->page);
	p->n = max(got, 0);
	if (got == (int)n)
		return 0;
	if (fatal_signal_pending(current))
		return -EINTR;
	return got < 0 && got != -EFAULT ? got : -EFAULT;
}

static void piece_put(struct piece *p, bool written)
{
	unsigned int i;

	if (p->pinned) {
		unpin_user_pages_dirty_lock(p->page, p->n, written);
		return;
	}
	for (i = 0; i < p->n; i++) {
		if (written)
			set_page_dirty(p->page[i]);
		put_page(p->page[i]);
	}
}

/* the piece of @s that begins at @off: at most @max bytes */
static int piece_get(struct piece *p, const struct ctm_span *s, u32 off, u32 max, bool write)
{
	u64 at = s->user ? s->at + off : (s->at << PAGE_SHIFT) + off;
	unsigned int first = offset_in_page(at), n, i;
	u32 left;
	int err;

	p->bytes = min3(max, s->len - off, PIECE);
	n = DIV_ROUND_UP(first + p->bytes, PAGE_SIZE);
	if (s->user)
		err = take_user(p, at & PAGE_MASK, n, write);
	else
		err = take_memory(p, at >> PAGE_SHIFT, n);
	if (err) {
		piece_put(p, false);
		return err;
	}
	for (i = 0, left = p->bytes; i < n; i++, first = 0) {
		u32 len = min_t(u32, left, PAGE_SIZE - first);

		p->bv[i] = (struct bio_vec){ .bv_page = p->page[i], .bv_offset = first, .bv_len = len };
		left -= len;
	}
	return 0;
}

static void piece_hash(struct blake2s_ctx *hash, const struct piece *p)
{
	unsigned int i;

	for (i = 0; i < p->n; i++) {
		u8 *va = kmap_local_page(p->bv[i].bv_page);

		blake2s_update(hash, va + p->bv[i].bv_offset, p->bv[i].bv_len);
		kunmap_local(va);
	}
}

/* ---- spans ---- */

int ctm_span_hash(const struct ctm_span *s, u8 name[CTM_BLOCK_NAME])
{
	struct blake2s_ctx hash;
	struct piece *p;
	u32 off;
	int err = 0;

	p = kmalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	blake2s_init(&hash, CTM_BLOCK_NAME);
	for (off = 0; off < s->len; off += p->bytes) {
		err = piece_get(p, s, off, PIECE, false);
		if (err)
			break;
		piece_hash(&hash, p);
		piece_put(p, false);
		cond_resched();
	}
	blake2s_final(&hash, name);
	kfree(p);
	return err;
}

/*
 * The socket refers to the pages until they are acknowledged.  Those of a block never
 * change.  A program's may, against what it was told: then it is the hash which does not
 * match at the other end, and it fails for it.
 */
int ctm_span_send(struct ctm_conn *c, const struct ctm_span *s, u8 *name)
{
	struct blake2s_ctx hash;
	struct piece *p;
	u32 off;
	int err = 0;

	p = kmalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	blake2s_init(&hash, CTM_BLOCK_NAME);
	for (off = 0; off < s->len; off += p->bytes) {
		err = piece_get(p, s, off, PIECE, false);
		if (err)
			break;
		if (name)
			piece_hash(&hash, p);
		err = ctm_conn_send_bvec(c, p->bv, p->n, p->bytes, off + p->bytes < s->len);
		piece_put(p, false);
		if (err)
			break;
	}
	if (name)
		blake2s_final(&hash, name);
	kfree(p);
	return err;
}

int ctm_span_recv(struct ctm_conn *c, const struct ctm_span *s, u8 name[CTM_BLOCK_NAME], int *lost)
{
	struct blake2s_ctx hash;
	struct iov_iter to;
	struct piece *p;
	u32 off;
	int err = 0;

	*lost = 0;
	p = kmalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	blake2s_init(&hash, CTM_BLOCK_NAME);
	for (off = 0; off < s->len; off += p->bytes) {
		*lost = piece_get(p, s, off, PIECE, true);
		if (*lost) {
			err = ctm_span_drain(c, s->len - off);
			break;
		}
		iov_iter_bvec(&to, ITER_DEST, p->bv, p->n, p->bytes);
		err = ctm_conn_recv_iter(c, &to);
		if (!err)
			piece_hash(&hash, p);
		piece_put(p, true);
		if (err)
			break;
	}
	blake2s_final(&hash, name);
	kfree(p);
	return err;
}

static void page_copy(const struct bio_vec *to, u32 to_off, const struct bio_vec *from, u32 from_off,
		      u32 len)
{
	u8 *a = kmap_local_page(to->bv_page), *b = kmap_local_page(from->bv_page);

	memcpy(a + to->bv_offset + to_off, b + from->bv_offset + from_off, len);
	kunmap_local(b);
	kunmap_local(a);
}

static void piece_copy(const struct piece *to, const struct piece *from)
{
	u32 done, len, i = 0, k = 0, at_i = 0, at_k = 0;

	for (done = 0; done < to->bytes; done += len) {
		len = min(to->bv[i].bv_len - at_i, from->bv[k].bv_len - at_k);
		page_copy(&to->bv[i], at_i, &from->bv[k], at_k, len);
		at_i += len;
		at_k += len;
		if (at_i == to->bv[i].bv_len) {
			i++;
			at_i = 0;
		}
		if (at_k == from->bv[k].bv_len) {
			k++;
			at_k = 0;
		}
	}
}

/* the hash is that of what has come to stand in @to */
int ctm_span_copy(const struct ctm_span *to, const struct ctm_span *from, u8 name[CTM_BLOCK_NAME])
{
	struct blake2s_ctx hash;
	struct piece *p;
	u32 off;
	int err = 0;

	p = kmalloc_array(2, sizeof(*p), GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	blake2s_init(&hash, CTM_BLOCK_NAME);
	for (off = 0; off < from->len; off += p[0].bytes) {
		err = piece_get(&p[0], from, off, PIECE, false);
		if (err)
			break;
		err = piece_get(&p[1], to, off, p[0].bytes, true);
		if (err) {
			piece_put(&p[0], false);
			break;
		}
		piece_copy(&p[1], &p[0]);
		piece_hash(&hash, &p[1]);
		piece_put(&p[1], true);
		piece_put(&p[0], false);
		cond_resched();
	}
	blake2s_final(&hash, name);
	kfree(p);
	return err;
}

int ctm_span_drain(struct ctm_conn *c, u32 len)
{
	void *page = (void *)__get_free_page(GFP_KERNEL);
	int err = 0;

	if (!page)
		return -ENOMEM;
	while (len && !err) {
		u32 n = min_t(u32, len, PAGE_SIZE);

		err = ctm_conn_recv(c, page, n);
		len -= n;
	}
	free_page((unsigned long)page);
	return err;
}

void ctm_span_spoil(const struct ctm_span *s)
{
	struct page *page = s->len ? memory_page(s->at) : ERR_PTR(-ENODATA);
	u8 *va;

	if (IS_ERR(page))
		return;
	va = kmap_local_page(page);
	*va ^= 1;
	kunmap_local(va);
	set_page_dirty(page);
	put_page(page);
}

int ctm_data_init(void)
{
	memory = shmem_file_setup("continuum", MAX_LFS_FILESIZE, CTM_SHMEM_NORESERVE);
	return PTR_ERR_OR_ZERO(memory);
}

void ctm_data_exit(void)
{
	fput(memory);
}
