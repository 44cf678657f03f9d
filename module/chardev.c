// SPDX-License-Identifier: GPL-2.0
/*
 * chardev.c - /dev/continuum: the door for programs
 *
 * A file starts without a role.  ADOPT or LAND make it a keeper's, DEPUTY a
 * deputy's, CHECKPOINT that of an image, once and for good; `lock` covers that
 * change.  After that the role and what it points to are constant until release, so
 * readers need no lock beyond the acquire in role_of().  One change more there is: what
 * RESTORE made of an image has its deputy in that file; the image's structure stays.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "chardev.h"
#include "checkpoint.h"
#include "compat/compat.h"
#include "courier.h"
#include "fork.h"
#include "journey.h"
#include "keeper.h"
#include "land.h"
#include "property.h"
#include "reaper.h"
#include "recover.h"
#include "rfile.h"
#include "signals.h"
#include "store.h"
#include "term.h"

enum role { ROLE_NONE, ROLE_KEEPER, ROLE_LANDING, ROLE_DEPUTY, ROLE_SAVED };

struct ctm_file {
	struct mutex lock;
	enum role role;
	struct ctm_keeper *keeper;	/* ROLE_KEEPER */
	struct ctm_landing *landing;	/* ROLE_LANDING */
	struct ctm_deputy_file *deputy;	/* ROLE_DEPUTY */
	struct ctm_process *p;		/* ROLE_DEPUTY: a reference */
	struct ctm_saved *saved;	/* ROLE_SAVED, and what was restored: ROLE_DEPUTY, too */
};

static enum role role_of(struct ctm_file *cf)
{
	return smp_load_acquire(&cf->role);
}

static void set_role(struct ctm_file *cf, enum role role)
{
	smp_store_release(&cf->role, role);
}

/* the keeper behind a file: adopted, or landed and committed */
static struct ctm_keeper *keeper_of(struct ctm_file *cf)
{
	switch (role_of(cf)) {
	case ROLE_KEEPER:
		return cf->keeper;
	case ROLE_LANDING:
		return ctm_landing_keeper(cf->landing);
	default:
		return NULL;
	}
}

/* ---- calls ---- */

union arg {
	struct { __u32 size, flags; } head;
	struct ctm_info info;
	struct ctm_migrate migrate;
	struct ctm_wait wait;
	struct ctm_dist_fork dist_fork;
	struct ctm_result result;
	struct ctm_signal signal;
	struct ctm_target target;
	struct ctm_explain explain;
	struct ctm_set set;
	struct ctm_worked worked;
	struct ctm_blocks blocks;
	struct ctm_locate locate;
	struct ctm_adopt adopt;
	struct ctm_land land;
	struct ctm_record record;
	struct ctm_land_file land_file;
	struct ctm_land_fail land_fail;
	struct ctm_event event;
	struct ctm_deputy deputy;
	struct ctm_checkpoint checkpoint;
	struct ctm_restore restore;
};

/* a call under way: its argument, and where that came from */
struct frame {
	unsigned long user;
	union arg arg;
};

static struct frame *frame_of(void *arg)
{
	return container_of(arg, struct frame, arg);
}

static int call_info(struct ctm_file *cf, void *arg)
{
	return ctm_info(arg);
}

static int call_migrate(struct ctm_file *cf, void *arg)
{
	return ctm_migrate(arg);
}

static int call_wait(struct ctm_file *cf, void *arg)
{
	struct ctm_wait *w = arg;

	return w->flags & CTM_WAIT_CHILD ? ctm_wait_child(w) : ctm_wait(w);
}

/* leaves something in memory that is not the caller's own: a child's copy of @arg */
static int call_dist_fork(struct ctm_file *cf, void *arg)
{
	return ctm_dist_fork(arg, frame_of(arg)->user + offsetof(struct ctm_dist_fork, index));
}

static int call_result(struct ctm_file *cf, void *arg)
{
	return ctm_result(arg);
}

static int call_signal(struct ctm_file *cf, void *arg)
{
	return ctm_signal(arg);
}

static int call_destroy(struct ctm_file *cf, void *arg)
{
	return ctm_target(CTM_IOC_DESTROY, arg);
}

static int call_suspend(struct ctm_file *cf, void *arg)
{
	return ctm_target(CTM_IOC_SUSPEND, arg);
}

static int call_resume(struct ctm_file *cf, void *arg)
{
	return ctm_target(CTM_IOC_RESUME, arg);
}

static int call_recover(struct ctm_file *cf, void *arg)
{
	return ctm_recover(arg);
}

static int call_explain(struct ctm_file *cf, void *arg)
{
	return ctm_explain(arg);
}

static int call_set(struct ctm_file *cf, void *arg)
{
	return ctm_property_set(arg);
}

static int call_worked(struct ctm_file *cf, void *arg)
{
	return ctm_worked(arg);
}

static int call_put(struct ctm_file *cf, void *arg)
{
	return ctm_store_call(CTM_IOC_PUT, arg);
}

static int call_get(struct ctm_file *cf, void *arg)
{
	return ctm_store_call(CTM_IOC_GET, arg);
}

static int call_pin(struct ctm_file *cf, void *arg)
{
	return ctm_store_call(CTM_IOC_PIN, arg);
}

static int call_drop(struct ctm_file *cf, void *arg)
{
	return ctm_store_call(CTM_IOC_DROP, arg);
}

static int call_locate(struct ctm_file *cf, void *arg)
{
	return ctm_store_locate(arg);
}

static int call_adopt(struct ctm_file *cf, void *arg)
{
	struct ctm_keeper *k;
	int err = -EINVAL;

	mutex_lock(&cf->lock);
	if (cf->role != ROLE_NONE)
		goto out;
	k = ctm_adopt(arg);
	err = PTR_ERR_OR_ZERO(k);
	if (err)
		goto out;
	cf->keeper = k;
	set_role(cf, ROLE_KEEPER);
out:
	mutex_unlock(&cf->lock);
	return err;
}

static int call_land(struct ctm_file *cf, void *arg)
{
	struct ctm_landing *l;
	int err = -EINVAL;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	/* held for long: only another ADOPT, LAND or DEPUTY of this file waits */
	if (mutex_lock_interruptible(&cf->lock))
		return -ERESTARTSYS;
	if (cf->role != ROLE_NONE)
		goto out;
	l = ctm_land_wait(arg);
	err = PTR_ERR_OR_ZERO(l);
	if (err)
		goto out;
	cf->landing = l;
	set_role(cf, ROLE_LANDING);
out:
	mutex_unlock(&cf->lock);
	return err;
}

static int call_record(struct ctm_file *cf, void *arg)
{
	return role_of(cf) == ROLE_LANDING ? ctm_landing_record(cf->landing, arg) : -EINVAL;
}

static int call_land_file(struct ctm_file *cf, void *arg)
{
	return role_of(cf) == ROLE_LANDING ? ctm_landing_file(cf->landing, arg) : -EINVAL;
}

static int call_land_fail(struct ctm_file *cf, void *arg)
{
	return role_of(cf) == ROLE_LANDING ? ctm_landing_fail(cf->landing, arg) : -EINVAL;
}

static int call_event(struct ctm_file *cf, void *arg)
{
	struct ctm_keeper *k = keeper_of(cf);

	if (k)
		return ctm_keeper_event(k, arg);
	if (role_of(cf) == ROLE_DEPUTY)
		return ctm_deputy_event(cf->deputy, arg);
	return -EINVAL;
}

static int call_tell(struct ctm_file *cf, void *arg)
{
	struct ctm_keeper *k = keeper_of(cf);
	struct ctm_event *ev = arg;

	if (k)
		return ctm_keeper_tell(k, ev);
	if (role_of(cf) == ROLE_DEPUTY && ev->type == CTM_EV_WINSIZE)
		return ctm_keeper_winsize(cf->p, ev->value);
	return -EINVAL;
}

static int may_be_deputy(struct ctm_process *p)
{
	struct ctm_caller by;

	if (!ctm_process_is_home(p))
		return -EXDEV;
	ctm_caller_current(&by);
	/* abroad, its owner is known by the uid that it had when it was last seen */
	if (!READ_ONCE(p->here))
		return by.flags & CTM_CALLER_ADMIN || by.uid == p->uid ? 0 : -EPERM;
	return ctm_may_act(p, &by);
}

static int call_deputy(struct ctm_file *cf, void *arg)
{
	struct ctm_deputy *a = arg;
	struct ctm_process *p = ctm_process_find(a->gpid);
	int err;

	if (!p)
		return -ESRCH;
	mutex_lock(&cf->lock);
	err = cf->role == ROLE_NONE ? may_be_deputy(p) : -EINVAL;
	if (err)
		goto out;
	cf->deputy = ctm_deputy_bind(p);
	err = PTR_ERR_OR_ZERO(cf->deputy);
	if (err)
		goto out;
	cf->p = p;
	p = NULL;			/* the reference is the file's now */
	set_role(cf, ROLE_DEPUTY);
out:
	mutex_unlock(&cf->lock);
	ctm_process_put(p);
	return err;
}

/* @s: or ERR_PTR() */
static int hold_saved(struct ctm_file *cf, struct ctm_saved *s)
{
	if (IS_ERR(s))
		return PTR_ERR(s);
	cf->saved = s;
	set_role(cf, ROLE_SAVED);
	return 0;
}

static int call_checkpoint(struct ctm_file *cf, void *arg)
{
	int err;

	/* held for as long as it takes: see call_land() */
	if (mutex_lock_interruptible(&cf->lock))
		return -ERESTARTSYS;
	err = cf->role == ROLE_NONE ? hold_saved(cf, ctm_checkpoint(arg)) : -EINVAL;
	mutex_unlock(&cf->lock);
	return err;
}

static int restore_begin(struct ctm_file *cf, struct ctm_restore *a)
{
	return cf->role == ROLE_NONE ? hold_saved(cf, ctm_restore_begin(a)) : -EINVAL;
}

static int restore(struct ctm_file *cf, struct ctm_restore *a)
{
	struct ctm_deputy_file *d;
	struct ctm_process *p;

	if (cf->role != ROLE_SAVED)
		return -EINVAL;
	d = ctm_restore(cf->saved, a, &p);
	if (IS_ERR(d))
		return PTR_ERR(d);
	cf->deputy = d;
	cf->p = p;
	set_role(cf, ROLE_DEPUTY);
	return 0;
}

static int call_restore(struct ctm_file *cf, void *arg)
{
	struct ctm_restore *a = arg;
	int err;

	if (mutex_lock_interruptible(&cf->lock))
		return -ERESTARTSYS;
	err = a->flags & CTM_RESTORE_BEGIN ? restore_begin(cf, a) : restore(cf, a);
	mutex_unlock(&cf->lock);
	return err;
}

/* one row a call; min: bytes up to and including the last field that every
 * caller must give */
struct call {
	unsigned int nr;
	unsigned int size;
	unsigned int min;
	int (*fn)(struct ctm_file *cf, void *arg);
};

#define CALL(_nr, _struct, _last, _fn) \
	{ .nr = (_nr), .size = sizeof(struct _struct), \
	  .min = offsetofend(struct _struct, _last), .fn = (_fn) }

static const struct call calls[] = {
	CALL(CTM_IOC_INFO,	ctm_info,	gpid,		call_info),
	CALL(CTM_IOC_MIGRATE,	ctm_migrate,	node,		call_migrate),
	CALL(CTM_IOC_WAIT,	ctm_wait,	gpid,		call_wait),
	CALL(CTM_IOC_DIST_FORK,	ctm_dist_fork,	made,		call_dist_fork),
	CALL(CTM_IOC_RESULT,	ctm_result,	data,		call_result),
	CALL(CTM_IOC_SIGNAL,	ctm_signal,	timeout_ms,	call_signal),
	CALL(CTM_IOC_DESTROY,	ctm_target,	gpid,		call_destroy),
	CALL(CTM_IOC_SUSPEND,	ctm_target,	gpid,		call_suspend),
	CALL(CTM_IOC_RESUME,	ctm_target,	gpid,		call_resume),
	CALL(CTM_IOC_WORKED,	ctm_worked,	flags,		call_worked),
	CALL(CTM_IOC_RECOVER,	ctm_target,	gpid,		call_recover),
	CALL(CTM_IOC_EXPLAIN,	ctm_explain,	rss_bytes,	call_explain),
	CALL(CTM_IOC_SET,	ctm_set,	value,		call_set),
	CALL(CTM_IOC_PUT,	ctm_blocks,	pad,		call_put),
	CALL(CTM_IOC_GET,	ctm_blocks,	pad,		call_get),
	CALL(CTM_IOC_PIN,	ctm_blocks,	pad,		call_pin),
	CALL(CTM_IOC_DROP,	ctm_blocks,	pad,		call_drop),
	CALL(CTM_IOC_LOCATE,	ctm_locate,	copies,		call_locate),
	CALL(CTM_IOC_CHECKPOINT, ctm_checkpoint, reason,	call_checkpoint),
	CALL(CTM_IOC_RESTORE,	ctm_restore,	reason,		call_restore),
	CALL(CTM_IOC_ADOPT,	ctm_adopt,	gpid,		call_adopt),
	CALL(CTM_IOC_LAND,	ctm_land,	hole_len,	call_land),
	CALL(CTM_IOC_RECORD,	ctm_record,	len,		call_record),
	CALL(CTM_IOC_LAND_FILE,	ctm_land_file,	fd,		call_land_file),
	CALL(CTM_IOC_LAND_FAIL,	ctm_land_fail,	reason,		call_land_fail),
	CALL(CTM_IOC_EVENT,	ctm_event,	cpu_ns,		call_event),
	CALL(CTM_IOC_TELL,	ctm_event,	cpu_ns,		call_tell),
	CALL(CTM_IOC_DEPUTY,	ctm_deputy,	gpid,		call_deputy),
};

/* SERVE takes part in nothing of the above: it blocks for the deputy's life */
static long serve(struct ctm_file *cf, unsigned long uarg)
{
	return role_of(cf) == ROLE_DEPUTY ? ctm_deputy_serve_ioctl(cf->deputy, uarg) : -EINVAL;
}

static const struct call *find_call(unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].nr == nr)
			return &calls[i];
	return NULL;
}

/* which calls take flags; all others refuse any */
static bool flags_known(const struct call *c, __u32 flags)
{
	switch (c->nr) {
	case CTM_IOC_MIGRATE:
		return !(flags & ~CTM_MIGRATE_CLUSTER);
	case CTM_IOC_WAIT:
		return !(flags & ~(CTM_WAIT_NOHANG | CTM_WAIT_CHILD));
	case CTM_IOC_SIGNAL:
		return !(flags & ~CTM_SIGNAL_GROUP);
	case CTM_IOC_PUT:
	case CTM_IOC_DROP:
		return !(flags & ~(CTM_BLOCKS_PIN | CTM_BLOCKS_FAMILY | CTM_BLOCKS_ALL));
	case CTM_IOC_RESTORE:
		return !(flags & ~(CTM_RESTORE_BEGIN | CTM_RESTORE_AS_NEW));
	case CTM_IOC_ADOPT:
		return !(flags & ~(CTM_ADOPT_TTY | CTM_ADOPT_PIN | CTM_ADOPT_LINGER));
	default:
		return !flags;
	}
}

static long ctm_ioctl(struct file *file, unsigned int nr, unsigned long uarg)
{
	struct ctm_file *cf = file->private_data;
	void __user *user = (void __user *)uarg;
	const struct call *c;
	struct frame *frame;
	union arg *arg;
	__u32 usize;
	long ret;

	if (nr == CTM_IOC_SERVE)
		return serve(cf, uarg);
	c = find_call(nr);
	if (!c)
		return -ENOTTY;
	if (get_user(usize, (__u32 __user *)user))
		return -EFAULT;
	if (usize < c->min)
		return -EINVAL;
	if (usize > PAGE_SIZE)
		return -E2BIG;
	frame = kzalloc(sizeof(*frame), GFP_KERNEL_ACCOUNT);
	if (!frame)
		return -ENOMEM;
	frame->user = uarg;
	arg = &frame->arg;
	ret = copy_struct_from_user(arg, c->size, user, usize);
	if (ret)
		goto out;
	ret = -EINVAL;
	if (!flags_known(c, arg->head.flags))
		goto out;
	ret = c->fn(cf, arg);
	arg->head.size = usize;
	if (copy_to_user(user, arg, min_t(size_t, usize, c->size)) && !ret)
		ret = -EFAULT;
out:
	kfree(frame);
	return ret;
}

/* ---- the other file operations ---- */

static ssize_t ctm_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct ctm_file *cf = iocb->ki_filp->private_data;
	struct ctm_keeper *k = keeper_of(cf);

	if (k)
		return k->p->term ? ctm_term_keeper_read(k->p, iocb->ki_filp, to) : -EINVAL;
	if (role_of(cf) == ROLE_LANDING)
		return ctm_landing_read(cf->landing, to);
	if (role_of(cf) == ROLE_DEPUTY)
		return ctm_deputy_read(cf->deputy, iocb->ki_filp, to);
	if (role_of(cf) == ROLE_SAVED)
		return ctm_saved_read(cf->saved, to);
	return -EINVAL;
}

static ssize_t ctm_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct ctm_file *cf = iocb->ki_filp->private_data;
	struct ctm_keeper *k = keeper_of(cf);

	if (k)
		return k->p->term ? ctm_term_keeper_write(k->p, iocb->ki_filp, from) : -EINVAL;
	if (role_of(cf) == ROLE_DEPUTY)
		return ctm_deputy_write(cf->deputy, iocb->ki_filp, from);
	if (role_of(cf) == ROLE_SAVED)
		return ctm_saved_write(cf->saved, from);
	return -EINVAL;
}

static loff_t ctm_llseek(struct file *file, loff_t off, int whence)
{
	struct ctm_file *cf = file->private_data;

	if (whence != CTM_SEEK_WAIT || role_of(cf) != ROLE_LANDING)
		return -EINVAL;
	return ctm_landing_seek(cf->landing, file, off);
}

static __poll_t ctm_poll(struct file *file, struct poll_table_struct *pt)
{
	struct ctm_file *cf = file->private_data;

	switch (role_of(cf)) {
	case ROLE_KEEPER:
		return ctm_keeper_poll(cf->keeper, file, pt);
	case ROLE_LANDING:
		return ctm_landing_poll(cf->landing, file, pt);
	case ROLE_DEPUTY:
		return ctm_deputy_poll(cf->deputy, file, pt);
	default:
		return EPOLLERR;
	}
}

static int ctm_open(struct inode *inode, struct file *file)
{
	struct ctm_file *cf = kzalloc(sizeof(*cf), GFP_KERNEL_ACCOUNT);

	if (!cf)
		return -ENOMEM;
	mutex_init(&cf->lock);
	file->private_data = cf;
	return 0;
}

static int ctm_release(struct inode *inode, struct file *file)
{
	struct ctm_file *cf = file->private_data;

	switch (cf->role) {
	case ROLE_KEEPER:
		ctm_keeper_free(cf->keeper);
		break;
	case ROLE_LANDING:
		ctm_landing_close(cf->landing);
		break;
	case ROLE_DEPUTY:
		ctm_deputy_unbind(cf->deputy);
		ctm_process_put(cf->p);
		break;
	case ROLE_SAVED:
	case ROLE_NONE:
		break;
	}
	if (cf->saved)
		ctm_saved_free(cf->saved);
	kfree(cf);
	return 0;
}

static const struct file_operations fops = {
	.owner		= THIS_MODULE,
	.open		= ctm_open,
	.release	= ctm_release,
	.unlocked_ioctl	= ctm_ioctl,
	.read_iter	= ctm_read_iter,
	.write_iter	= ctm_write_iter,
	.llseek		= ctm_llseek,
	.poll		= ctm_poll,
};

bool ctm_chardev_plain(const struct file *f)
{
	return f->f_op == &fops && role_of(f->private_data) == ROLE_NONE;
}

static struct miscdevice device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "continuum",
	.fops	= &fops,
	.mode	= 0666,
};

int ctm_chardev_init(void)
{
	return misc_register(&device);
}

void ctm_chardev_exit(void)
{
	misc_deregister(&device);
}
