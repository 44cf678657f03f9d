// SPDX-License-Identifier: GPL-2.0
/*
 * sequence.c - GPID sequence numbers, reserved in ranges on disk
 *
 * The file holds the first number that was never reserved, as decimal text.  It
 * is written before a number of the new range is given out, so a crash wastes
 * at most a range.  `lock` covers all of it.
 */
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include "sequence.h"

#define SEQUENCE_FILE	"/var/lib/continuum/sequence"
#define SEQUENCE_RANGE	64u

static DEFINE_MUTEX(lock);
static u32 next_seq, limit_seq;		/* [next, limit) is reserved */
static u32 first_seq;			/* the first that this module gave out, 0: none yet */

static int read_first(struct file *f, u32 *first)
{
	char text[16] = "";
	loff_t pos = 0;
	ssize_t n = kernel_read(f, text, sizeof(text) - 1, &pos);

	if (n < 0)
		return n;
	*first = 1;
	if (!n)
		return 0;
	if (text[n - 1] == '\n')
		text[n - 1] = 0;
	return kstrtou32(text, 10, first) || !*first ? -EUCLEAN : 0;
}

/* at least @n more on disk, in a row with those that are left */
static int reserve(u32 n)
{
	struct file *f = filp_open(SEQUENCE_FILE, O_RDWR | O_CREAT, 0600);
	char text[16];
	loff_t pos = 0;
	u32 first;
	ssize_t done;
	int err;

	if (IS_ERR(f)) {
		err = PTR_ERR(f);
		goto out;
	}
	err = read_first(f, &first);
	n = roundup(n, SEQUENCE_RANGE);
	if (!err && first > U32_MAX - n)
		err = -EOVERFLOW;
	if (err)
		goto out_close;
	/* fixed width: a later number never leaves digits of an earlier one behind */
	scnprintf(text, sizeof(text), "%010u\n", first + n);
	done = kernel_write(f, text, strlen(text), &pos);
	err = done == strlen(text) ? vfs_fsync(f, 0) : done < 0 ? done : -EIO;
	if (!err) {
		if (next_seq == limit_seq || limit_seq != first)
			next_seq = first;
		limit_seq = first + n;
	}
out_close:
	filp_close(f, NULL);
out:
	if (err)
		pr_err_ratelimited("continuum: %s: cannot reserve process numbers: %d\n",
				   SEQUENCE_FILE, err);
	return err;
}

struct reservation {
	struct work_struct work;
	u32 n;
	int err;
};

static void reserve_work(struct work_struct *work)
{
	struct reservation *r = container_of(work, struct reservation, work);

	r->err = reserve(r->n);
}

/* as the kernel, wherever the caller's directories are, and whoever it is */
static int reserve_by_worker(u32 n)
{
	struct reservation r = { .n = n };

	INIT_WORK_ONSTACK(&r.work, reserve_work);
	schedule_work(&r.work);
	flush_work(&r.work);
	destroy_work_on_stack(&r.work);
	return r.err;
}

int ctm_sequence_many(u32 n, u32 *first)
{
	int err = 0;

	mutex_lock(&lock);
	if (limit_seq - next_seq < n)
		err = reserve_by_worker(n);
	if (!err) {
		*first = next_seq;
		next_seq += n;
		if (!first_seq)
			first_seq = *first;
	}
	mutex_unlock(&lock);
	return err;
}

int ctm_sequence_next(u32 *seq)
{
	return ctm_sequence_many(1, seq);
}

/* what the file says, when nothing was reserved from it yet; 0: cannot be told */
static u32 peek(void)
{
	struct file *f = filp_open(SEQUENCE_FILE, O_RDONLY, 0);
	u32 first = 0;

	if (IS_ERR(f))
		return PTR_ERR(f) == -ENOENT ? 1 : 0;
	if (read_first(f, &first))
		first = 0;
	filp_close(f, NULL);
	return first;
}

enum ctm_sequence_when ctm_sequence_where(u32 seq)
{
	enum ctm_sequence_when when = CTM_SEQUENCE_PAST;
	u32 next;

	mutex_lock(&lock);
	next = first_seq ? next_seq : peek();
	if (!seq || (next && seq >= next))
		when = CTM_SEQUENCE_FUTURE;
	else if (first_seq && seq >= first_seq)
		when = CTM_SEQUENCE_PRESENT;
	mutex_unlock(&lock);
	return when;
}
