// SPDX-License-Identifier: GPL-2.0
/*
 * restore.c - a process from an image that a program gives us
 *
 * The image is the work of an enemy: of the user who writes it.  Each record is judged by
 * core/image.c when it comes, and then, unless an administrator gives it, by
 * what this user may have: his own ids, no capability, his limits.  It becomes a process in
 * the way in which a child of DIST_FORK does (land.c), whose home is here.
 *
 * It gets its GPID back where that is free: where nobody has a process of that id, or may have.
 * The end of the earlier one is on record until then, and again if nothing comes of it.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/ioprio.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/time.h>
#include <linux/uio.h>

#include "clock.h"
#include "compat/compat.h"
#include "core/ttl.h"
#include "courier.h"
#include "handoff_io.h"
#include "land.h"
#include "net/peers.h"
#include "netlink.h"
#include "rfile.h"
#include "saved.h"
#include "sequence.h"
#include "signals.h"

#define PIECE		(64u << 10)
#define EPOCH_MAX	0x7fffffffu
#define EPOCHS_FORGOTTEN 65536u		/* more than it may have had since, where nobody knows */
#define PIPE_MAX	(1u << 20)	/* fs.pipe-max-size, as it comes */
#define ASK_MS		2000
#define SIGNAL_MS	12000		/* longer than a signal is under way (signals.c) */

/* ---- what the user who writes an image may have ---- */

static const char *bound_ids(const struct cred *own, const struct ctm_rec_creds *c)
{
	u32 uid = from_kuid(&init_user_ns, own->uid), gid = from_kgid(&init_user_ns, own->gid);
	u32 i, k;

	if (c->ruid != uid || c->euid != uid || c->suid != uid || c->fsuid != uid)
		return "another user";
	if (c->rgid != gid || c->egid != gid || c->sgid != gid || c->fsgid != gid)
		return "another group";
	/* not fewer, either: some files are kept from a group */
	if (c->ngroups != own->group_info->ngroups)
		return "other groups than the user's";
	for (i = 0; i < c->ngroups; i++) {
		for (k = 0; k < c->ngroups; k++)
			if (from_kgid(&init_user_ns, own->group_info->gid[k]) == c->groups[i])
				break;
		if (k == c->ngroups)
			return "other groups than the user's";
	}
	return NULL;
}

static const char *bound_creds(const struct cred *own, const struct ctm_rec_creds *c)
{
	const char *bad = bound_ids(own, c);

	if (bad)
		return bad;
	if (c->cap_permitted || c->cap_effective || c->cap_inheritable || c->cap_ambient ||
	    c->cap_bset & ~ctm_cap_u64(own->cap_bset))
		return "a capability";
	if (c->securebits != own->securebits || (task_no_new_privs(current) && !c->no_new_privs))
		return "other privileges than the user's";
	return NULL;
}

static const char *bound_limits(const struct ctm_rec_rlimits *r)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(r->lim) && i < RLIM_NLIMITS; i++)
		if (r->lim[i].max > rlimit_max(i))
			return "a resource limit above the user's";
	return NULL;
}

static bool is_alarm(u64 clock)
{
	return clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;
}

static const char *bound_file(const struct ctm_rec_file *f)
{
	if ((f->kind == CTM_FILE_PIPE_R || f->kind == CTM_FILE_PIPE_W) && f->size > PIPE_MAX)
		return "a pipe that is too large";
	if (f->kind == CTM_FILE_TIMERFD && is_alarm(f->u[0]))
		return "a timer that wakes the machine";
	return NULL;
}

static const char *bound_area(struct ctm_saved *s, const struct ctm_rec_vma *v)
{
	if (v->flags & (CTM_VMA_LOCKED | CTM_VMA_LOCKONFAULT))
		s->locked += v->end - v->start;
	return s->locked > rlimit(RLIMIT_MEMLOCK) ? "more locked memory than the user may have" : NULL;
}

static const char *bound_thread(const struct ctm_rec_thread *t)
{
	bool nicer = t->nice < task_nice(current);

	if (t->policy != SCHED_NORMAL && t->policy != SCHED_BATCH && t->policy != SCHED_IDLE)
		return "a real-time priority";
	if (nicer && (u64)(MAX_NICE - t->nice + 1) > rlimit(RLIMIT_NICE))
		return "a nice value below the user's";
	return IOPRIO_PRIO_CLASS(t->ioprio) == IOPRIO_CLASS_RT ? "a real-time I/O priority" : NULL;
}

/* Return: what @rec claims that the user may not have, or NULL */
static const char *bound(struct ctm_saved *s, const struct ctm_rec *rec)
{
	const void *p = rec + 1;

	switch (rec->type) {
	case CTM_REC_CREDS:
		return bound_creds(s->cred, p);
	case CTM_REC_TASK:
		return ((const struct ctm_rec_task *)p)->oom_score_adj <
			current->signal->oom_score_adj_min ? "to be spared when memory is short" : NULL;
	case CTM_REC_RLIMITS:
		return bound_limits(p);
	case CTM_REC_FILE:
		return bound_file(p);
	case CTM_REC_FD:
		return ((const struct ctm_rec_fd *)p)->fd >= rlimit_max(RLIMIT_NOFILE) ?
			"more descriptors than the user may have" : NULL;
	case CTM_REC_VMA:
		return bound_area(s, p);
	case CTM_REC_POSIX_TIMER:
		return is_alarm(((const struct ctm_rec_posix_timer *)p)->clock) ?
			"a timer that wakes the machine" : NULL;
	case CTM_REC_THREAD:
		return bound_thread(p);
	default:
		return NULL;
	}
}

/* ---- records as they come ---- */

static int spoilt(struct ctm_saved *s, int err, const char *fmt, const char *what)
{
	s->error = err;
	snprintf(s->why, sizeof(s->why), fmt, what);
	return err;
}

static int take_head(struct ctm_saved *s, const struct ctm_rec_head *h)
{
	s->head = *h;
	if (h->gpid != s->of)
		return spoilt(s, -EBADMSG, "bad image: it is of another %s than was said", "process");
	if (h->epoch > EPOCH_MAX)
		return spoilt(s, -EBADMSG, "bad image: %s", "its epoch");
	if (memcmp(h->vdso_id, ctm_abi_self()->vdso_id, sizeof(h->vdso_id)))
		return spoilt(s, -EXDEV, "the image is of another kernel build%s", "");
	if (h->xstate_size != ctm_abi_self()->xstate_size)
		return spoilt(s, -EXDEV, "the image is of another CPU: %s", "size of its extended state");
	return 0;
}

static int take_record(struct ctm_saved *s, const struct ctm_rec *rec)
{
	const void *p = rec + 1;
	const struct ctm_rec_creds *creds = p;
	const struct ctm_rec_file *file = p;
	const struct ctm_rec_thread *thread = p;
	const char *claim = s->admin ? NULL : bound(s, rec);

	if (claim)
		return spoilt(s, -EPERM, "the image claims %s", claim);
	switch (rec->type) {
	case CTM_REC_HEAD:
		return take_head(s, p);
	case CTM_REC_CREDS:
		s->uid = creds->ruid;
		s->gid = creds->rgid;
		return 0;
	case CTM_REC_THREAD:
		if (thread->tid == s->head.leader)
			memcpy(s->comm, thread->comm, sizeof(s->comm));
		s->comm[CTM_COMM_MAX - 1] = 0;
		return 0;
	case CTM_REC_FILE:
		if (file->kind == CTM_FILE_HOME &&
		    (file->handle < CTM_STREAM(0) || file->handle >= CTM_STREAM(CTM_STREAMS)))
			return spoilt(s, -EBADMSG, "bad image: a file that is at %s", "its home");
		return 0;
	case CTM_REC_PAGES:
		s->due = (u64)((const struct ctm_rec_pages *)p)->count * CTM_PAGE;
		return 0;
	}
	return 0;
}

static int write_record(struct ctm_saved *s, size_t n)
{
	const struct ctm_rec *rec = s->buf;
	const char *why = "not a record";
	int err = -EBADMSG;

	if (n >= sizeof(*rec) && rec->len == n - sizeof(*rec) && rec->type != CTM_REC_ABORT)
		err = ctm_stored_record(s->image, rec, n, &why);
	if (err == -EBADMSG) {
		ctm_count(CTM_CNT_BAD_IMAGE);
		return spoilt(s, err, "bad image: %s", why);
	}
	if (err)
		return spoilt(s, err, "there is no room for the image%s", "");
	return take_record(s, rec);
}

static ssize_t write_some(struct ctm_saved *s, struct iov_iter *from)
{
	size_t n = iov_iter_count(from);
	int err;

	if (!s->written || !s->image)
		return -EINVAL;
	if (s->error)
		return s->error;
	if (s->due)
		n = min_t(u64, min_t(size_t, n, PIECE), s->due);
	if (n > CTM_REC_MAX)
		return spoilt(s, -EBADMSG, "bad image: %s", "longer than any record");
	if (!copy_from_iter_full(s->buf, n, from))
		return -EFAULT;
	if (!s->due)
		return write_record(s, n) ?: n;
	err = ctm_stored_bytes(s->image, s->buf, n);
	if (err)
		return spoilt(s, err, "there is no room for the image%s", "");
	s->due -= n;
	return n;
}

ssize_t ctm_saved_write(struct ctm_saved *s, struct iov_iter *from)
{
	size_t left = iov_iter_count(from);
	ssize_t n, done = 0;

	if (!left)
		return 0;
	if (mutex_lock_interruptible(&s->lock))
		return -ERESTARTSYS;
	do {
		n = write_some(s, from);
		done += max_t(ssize_t, n, 0);
		cond_resched();
		/* of pages as much as there is; a record comes alone */
	} while (n > 0 && done < left && s->due && !fatal_signal_pending(current));
	mutex_unlock(&s->lock);
	return done ?: n;
}

/* ---- does it live? ---- */

static int lives(const struct ctm_info *info, char *why)
{
	if (info->state == CTM_STATE_ENDED)
		return 0;
	snprintf(why, CTM_REASON_MAX, "it lives, on %.63s", info->host_name);
	return -EEXIST;
}

static int unknown(const char *node, char *why)
{
	snprintf(why, CTM_REASON_MAX, "whether it still lives is not known: %s does not answer", node);
	return -EHOSTUNREACH;
}

static int ask_peer(const struct ctm_peer_info *peer, u64 gpid, char *why)
{
	struct ctm_route r = { .gpid = gpid };
	struct ctm_info info;
	size_t len = sizeof(info);
	int err;

	if (peer->state == CTM_PEER_LEFT)
		return 0;
	ctm_caller_current(&r.by);
	err = peer->state == CTM_PEER_ALIVE ?
		ctm_call(peer->id, CTM_CALL_INFO, &r, sizeof(r), &info, &len, ASK_MS) : -EHOSTUNREACH;
	if (err == -ESRCH)
		return 0;
	if (err || len != sizeof(info))
		return unknown(peer->name, why);
	info.host_name[CTM_NAME_MAX - 1] = 0;
	return lives(&info, why);
}

/* its home does not remember it, or does, and says what it knows */
static int ask_all(u64 gpid, char *why)
{
	struct ctm_peer_row *rows;
	int i, n = ctm_peer_rows(&rows), err = 0;

	if (n < 0)
		return n;
	for (i = 0; i < n && !err; i++)
		err = ask_peer(&rows[i].info, gpid, why);
	kvfree(rows);
	return err;
}

/* Return: 0: no, -EEXIST: yes, -EHOSTUNREACH: that cannot be known */
static int is_free(u64 gpid, char *why)
{
	struct ctm_info info = { .size = sizeof(info), .gpid = gpid };
	char home[CTM_NAME_MAX];
	int err = ctm_info(&info);

	info.host_name[CTM_NAME_MAX - 1] = 0;
	if (!err)
		return lives(&info, why);
	if (err == -ESRCH)
		return ask_all(gpid, why);
	ctm_peer_name(CTM_GPID_NODE(gpid), home);
	return unknown(home, why);
}

/* may it have that id here again, if nobody else has it? */
static bool is_ours(u64 gpid)
{
	struct ctm_process *p;
	bool child;

	if (CTM_GPID_NODE(gpid) != ctm_node_id() ||
	    ctm_sequence_where(CTM_GPID_SEQ(gpid)) == CTM_SEQUENCE_FUTURE)
		return false;
	p = ctm_process_find(gpid);
	child = p && p->parent;		/* its parent may wait for the record */
	ctm_process_put(p);
	return !child;
}

/* ---- beginning ---- */

static int judge_abi(const struct ctm_restore *arg, struct ctm_ho_abi *out, char *why)
{
	struct ctm_abi abi;

	if (arg->abi_len != sizeof(*out)) {
		strscpy(why, "it was made by another version of Continuum", CTM_REASON_MAX);
		return -EXDEV;
	}
	memcpy(out, arg->abi, sizeof(*out));
	ctm_ho_abi_get(&abi, out);
	return ctm_abi_compatible(&abi, ctm_abi_self(), why);
}

static int choose_id(struct ctm_saved *s, const struct ctm_restore *arg, char *why)
{
	bool as_new = arg->flags & CTM_RESTORE_AS_NEW;
	int err = as_new ? 0 : is_free(arg->gpid, why);
	u32 seq;

	s->of = arg->gpid;
	s->gpid = arg->gpid;
	if (err || (!as_new && is_ours(arg->gpid)))
		return err;
	err = ctm_sequence_next(&seq);
	s->gpid = CTM_GPID(ctm_node_id(), seq);
	return err;
}

struct ctm_saved *ctm_restore_begin(struct ctm_restore *arg)
{
	struct ctm_saved *s;
	int err;

	arg->reason[0] = 0;
	if (!arg->gpid)
		return ERR_PTR(-EINVAL);
	s = ctm_saved_new();
	if (IS_ERR(s))
		return s;
	s->written = true;
	s->cred = get_current_cred();
	s->admin = capable(CAP_SYS_ADMIN);
	s->buf = kvmalloc(CTM_REC_MAX, GFP_KERNEL_ACCOUNT);
	s->image = ctm_stored_new();
	if (IS_ERR(s->image))
		s->image = NULL;
	err = s->buf && s->image ? judge_abi(arg, &s->abi, arg->reason) : -ENOMEM;
	if (!err)
		err = choose_id(s, arg, arg->reason);
	if (!err) {
		arg->gpid = s->gpid;
		return s;
	}
	ctm_saved_free(s);
	return ERR_PTR(err);
}

/* ---- landing ---- */

/** struct restoring - one call */
struct restoring {
	struct ctm_land_order order;
	struct ctm_ho_offer offer;
	struct ctm_ho_begin begin;
	struct file *stream[CTM_STREAMS];
	struct ctm_process *p, *old;	/* what it shall be, and what is on record of its like */
	struct ctm_deputy_file *deputy;
};

static bool wanted(const struct ctm_land_order *o)
{
	return !fatal_signal_pending(current);
}

static int may_start(const struct ctm_land_order *o, u64 gpid)
{
	struct ctm_process *p = container_of(o, struct restoring, order)->p;

	if (!wanted(o))
		return -EINTR;
	spin_lock(&p->lock);
	p->forking = false;
	p->host_boot = 0;
	p->epoch = o->epoch + 1;
	p->hops = 0;
	spin_unlock(&p->lock);
	return 0;
}

static void fill(struct restoring *r, const struct ctm_saved *s, const struct ctm_restore *arg)
{
	struct ctm_ho_offer *o = &r->offer;

	o->abi = s->abi;
	o->flags = cpu_to_le32(s->head.flags);
	o->uid = cpu_to_le32(s->uid);
	o->gid = cpu_to_le32(s->gid);
	o->threads = cpu_to_le32(s->head.threads);
	o->hops = cpu_to_le32(U32_MAX);	/* the landing is none of its own */
	o->ttl = cpu_to_le32(arg->ttl ?: CTM_TTL_DEFAULT);
	o->ttl_max = o->ttl;
	o->lease_ms = cpu_to_le32(arg->lease_ms);
	o->rss = cpu_to_le64(ctm_stored_pages(s->image) * CTM_PAGE);
	memcpy(o->comm, s->comm, sizeof(o->comm));
	o->family = cpu_to_le64(s->gpid);
	r->begin.leader = cpu_to_le32(s->head.leader);
	r->begin.hole = cpu_to_le64(s->head.hole);
	r->begin.hole_len = cpu_to_le64(s->head.hole_len);
	/* its clocks go on from where they were */
	r->begin.mono_off_ns = cpu_to_le64(s->head.mono_ns - ktime_get_ns());
	r->begin.boot_off_ns = cpu_to_le64(s->head.boot_ns - ktime_get_boottime_ns());
	r->order = (struct ctm_land_order){
		.image = s->image, .offer = &r->offer, .begin = &r->begin, .parent = s->of,
		.source = ctm_node_id(), .source_boot = ctm_node_boot(), .restore = true,
		.stream = r->stream, .may_start = may_start, .wanted = wanted,
	};
}

/*
 * A signal that was sent to the first one may come a second time, for as long as its sender
 * tries: it must not be this one's.  What the first one was sent is known where it ended; if
 * that was elsewhere, those times have to pass.
 */
static int take_signals(struct restoring *r)
{
	struct ctm_rec_applied *v;
	unsigned long quiet = r->old->ended_at + msecs_to_jiffies(SIGNAL_MS);
	unsigned int n;
	int err;

	if (r->old->exit.host != ctm_node_id()) {
		while (time_before(jiffies, quiet) && !fatal_signal_pending(current))
			schedule_timeout_killable(quiet - jiffies);
		return fatal_signal_pending(current) ? -EINTR : 0;
	}
	v = kvmalloc_array(CTM_APPLIED_MAX, sizeof(*v), GFP_KERNEL);
	if (!v)
		return -ENOMEM;
	n = ctm_signals_save(r->old, v, true);
	err = ctm_signals_load(r->p, v, n);
	kvfree(v);
	return err;
}

/* the record of an earlier one may be replaced by its own user only */
static int take_place(struct restoring *r, const struct ctm_saved *s, char *why)
{
	struct ctm_process *old = s->gpid == s->of ? ctm_process_find(s->gpid) : NULL;

	r->order.epoch = s->head.epoch;
	if (s->gpid == s->of && !old)
		r->order.epoch += EPOCHS_FORGOTTEN;
	if (old) {
		spin_lock(&old->lock);
		r->order.epoch = max(r->order.epoch, old->epoch);
		spin_unlock(&old->lock);
	}
	r->old = old;
	if (old && !s->admin && old->uid != from_kuid(&init_user_ns, s->cred->uid)) {
		strscpy(why, "its number was another user's", CTM_REASON_MAX);
		return -EPERM;
	}
	r->p = ctm_process_replace(s->gpid, old);
	if (IS_ERR(r->p)) {
		int err = PTR_ERR(r->p);

		r->p = NULL;
		if (err == -EEXIST)
			strscpy(why, "it lives here", CTM_REASON_MAX);
		return err;
	}
	spin_lock(&r->p->lock);
	r->p->uid = s->uid;
	memcpy(r->p->comm, s->comm, sizeof(r->p->comm));
	spin_unlock(&r->p->lock);
	r->deputy = ctm_deputy_bind(r->p);
	if (!IS_ERR(r->deputy))
		return old ? take_signals(r) : 0;
	r->deputy = NULL;
	return -ENOMEM;
}

/* nothing came of it: all is as it was */
static void leave_place(struct restoring *r)
{
	if (r->p) {
		ctm_process_put_back(r->p, r->old);
		spin_lock(&r->p->lock);
		r->p->ended = true;	/* its deputy has nobody to tell */
		spin_unlock(&r->p->lock);
	}
	if (r->deputy)
		ctm_deputy_unbind(r->deputy);
	ctm_process_put(r->p);
}

static int land(struct restoring *r, struct ctm_saved *s, const struct ctm_restore *arg, char *why)
{
	int err;

	fill(r, s, arg);
	err = ctm_land_judge(&r->offer, 1, why);
	if (!err && s->gpid != s->of && !(arg->flags & CTM_RESTORE_AS_NEW))
		err = is_free(s->of, why);	/* once more: it took a while */
	if (!err)
		err = take_place(r, s, why);
	if (!err)
		err = ctm_land_child(&r->order, s->gpid, 0, why);
	if (err)
		leave_place(r);
	ctm_process_put(r->old);
	return err;
}

static int get_streams(struct restoring *r, const struct ctm_restore *arg)
{
	unsigned int i;

	for (i = 0; i < CTM_STREAMS; i++) {
		if (arg->stream[i] < 0)
			continue;
		r->stream[i] = fget(arg->stream[i]);
		if (!r->stream[i])
			return -EBADF;
	}
	return 0;
}

static int restore(struct restoring *r, struct ctm_saved *s, struct ctm_restore *arg)
{
	int err = s->error;

	strscpy(arg->reason, s->why, sizeof(arg->reason));
	if (err)
		return err;
	if (!s->written || !s->image)
		return -EINVAL;
	if (!ctm_stored_whole(s->image)) {
		strscpy(arg->reason, "bad image: it is not whole", sizeof(arg->reason));
		return -EBADMSG;
	}
	if (!ctm_node_is_up())
		return -ENETDOWN;
	if (from_kuid(&init_user_ns, current_uid()) != from_kuid(&init_user_ns, s->cred->uid))
		return -EPERM;
	err = get_streams(r, arg);
	return err ?: land(r, s, arg, arg->reason);
}

struct ctm_deputy_file *ctm_restore(struct ctm_saved *s, struct ctm_restore *arg,
				    struct ctm_process **p)
{
	struct restoring *r = kzalloc(sizeof(*r), GFP_KERNEL_ACCOUNT);
	struct ctm_deputy_file *deputy;
	unsigned int i;
	int err;

	if (!r)
		return ERR_PTR(-ENOMEM);
	err = mutex_lock_killable(&s->lock);
	if (err)
		goto out;
	err = restore(r, s, arg);
	if (!err) {
		arg->gpid = s->gpid;
		ctm_stored_put(s->image);
		s->image = NULL;
		ctm_event_process(CTM_NL_EV_PROCESS_STARTED, s->gpid, ctm_node_id(), NULL);
	}
	mutex_unlock(&s->lock);
out:
	for (i = 0; i < CTM_STREAMS; i++)
		if (r->stream[i])
			fput(r->stream[i]);
	*p = r->p;
	deputy = r->deputy;
	kfree(r);
	return err ? ERR_PTR(err) : deputy;
}
