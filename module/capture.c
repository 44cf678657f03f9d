// SPDX-License-Identifier: GPL-2.0
/*
 * capture.c - drive the files of resource/ over a process
 *
 * Explaining asks each of them what would stop a move; capturing does so again,
 * because the process ran on in between, and then lets each write its records in
 * the order of core/image.h.
 */
#include <linux/delay.h>
#include <linux/pid_namespace.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "clock.h"
#include "compat/compat.h"
#include "reaper.h"
#include "resource/resource.h"
#include "signals.h"

/* how often somebody who seems to share a file is looked at, 1 ms apart at least */
#define UNSURE_TRIES	4

/* ---- findings ---- */

static __printf(3, 0)
void add_line(struct ctm_explain_ctx *x, const char *kind, const char *fmt, va_list args)
{
	size_t at = min(x->len, x->room);
	va_list again;
	int n;

	va_copy(again, args);
	n = snprintf(x->buf + at, x->room - at, "%s: ", kind);
	x->len += n;
	at = min(x->len, x->room);
	n = vsnprintf(x->buf + at, x->room - at, fmt, again);
	va_end(again);
	x->len += n;
	if (x->len < x->room)
		x->buf[x->len] = '\n';
	x->len++;
}

void ctm_stop(struct ctm_explain_ctx *x, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (!x->blockers++) {
		va_list first;

		va_copy(first, args);
		vsnprintf(x->first, sizeof(x->first), fmt, first);
		va_end(first);
	}
	add_line(x, "stop", fmt, args);
	va_end(args);
}

void ctm_note(struct ctm_explain_ctx *x, const char *kind, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add_line(x, kind, fmt, args);
	va_end(args);
}

static void explain_budget(struct ctm_explain_ctx *x)
{
	u64 hits = x->frozen ? 0 : ctm_reaper_budget_hits(x->p);

	if (hits)
		ctm_note(x, "note", "its budget of processes is used up: %llu forks failed (EAGAIN)", hits);
}

int ctm_explain_process(struct ctm_explain_ctx *x)
{
	if (x->leader->flags & PF_EXITING || x->leader->exit_state) {
		ctm_stop(x, "its main thread has ended");
		return 0;
	}
	ctm_explain_task(x);
	ctm_explain_creds(x);
	ctm_explain_ns(x);
	if (!x->fork)
		ctm_explain_timers(x);
	ctm_explain_mm(x);
	ctm_explain_files(x);
	explain_budget(x);
	return 0;
}

/* ---- records ---- */

int ctm_fail(struct ctm_capture *c, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (!c->why[0])
		vsnprintf(c->why, CTM_REASON_MAX, fmt, args);
	va_end(args);
	return err;
}

static int put_record(struct ctm_capture *c, enum ctm_rec_type type, u16 flags, u32 len)
{
	struct ctm_rec *rec = c->buf;
	int err;

	if (WARN_ON_ONCE(len > CTM_REC_MAX - sizeof(*rec)))
		return -EMSGSIZE;
	rec->type = type;
	rec->flags = flags;
	rec->len = len;
	err = c->sink->record(c->sink, rec, sizeof(*rec) + len);
	if (!err)
		c->records++;
	return err;
}

int ctm_put_buf(struct ctm_capture *c, enum ctm_rec_type type, u32 len)
{
	return put_record(c, type, CTM_REC_F_MUST, len);
}

int ctm_put(struct ctm_capture *c, enum ctm_rec_type type, const void *data, u32 len)
{
	if (WARN_ON_ONCE(len > CTM_REC_MAX - sizeof(struct ctm_rec)))
		return -EMSGSIZE;
	memcpy(c->buf + sizeof(struct ctm_rec), data, len);
	return ctm_put_buf(c, type, len);
}

/* ---- the image ---- */

static int hold_tasks(struct ctm_capture *c, struct ctm_capture_state *s)
{
	unsigned int i;

	s->tasks = kvcalloc(c->ntasks, sizeof(*s->tasks), GFP_KERNEL);
	if (!s->tasks)
		return -ENOMEM;
	for (i = 0; i < c->ntasks; i++) {
		get_task_struct(c->tasks[i]);
		s->tasks[i] = c->tasks[i];
	}
	s->ntasks = c->ntasks;
	rcu_read_lock();
	s->ns = task_active_pid_ns(c->leader);
	rcu_read_unlock();
	return s->ns ? 0 : -ESRCH;
}

/* a blocker that may be gone in a moment gets that moment */
static int explain_frozen(struct ctm_capture *c, struct ctm_explain_ctx *x)
{
	const struct ctm_explain_ctx again = *x;
	unsigned int tries = UNSURE_TRIES;
	int err;

	for (;;) {
		err = ctm_explain_process(x);
		if (err || !x->blockers)
			return err;
		if (!x->unsure || !--tries)
			return ctm_fail(c, -EOPNOTSUPP, "%s", x->first);
		usleep_range(1000, 3000);
		*x = again;
	}
}

/* what ran on since it was explained is looked at again, now that it stands still */
static int check_again(struct ctm_capture *c)
{
	struct ctm_explain_ctx x = {
		.p = c->p, .leader = c->leader, .at_home = ctm_process_is_home(c->p), .frozen = true,
		.fork = c->fork, .checkpoint = c->checkpoint,
	};
	unsigned int i;
	const char *bad;

	for (i = 0; i < c->ntasks; i++) {
		if (c->tasks[i]->signal != c->leader->signal)
			return ctm_fail(c, -EOPNOTSUPP, "has a child process (%.16s): only single processes can move",
					c->tasks[i]->comm);
		bad = c->self ? NULL : ctm_unsettled(c->tasks[i]);
		if (bad)
			return ctm_fail(c, -EAGAIN, "thread %.16s %s: try again", c->tasks[i]->comm, bad);
	}
	x.room = CTM_REASON_MAX;	/* only the first finding is wanted */
	x.buf = c->buf;
	return explain_frozen(c, &x);
}

/* threads that the process may start between the announcement and the freeze */
static unsigned int spare_threads(unsigned int threads)
{
	return min(threads / 4 + 4, CTM_THREADS_MAX - min(threads, CTM_THREADS_MAX));
}

int ctm_capture_hole(struct ctm_capture *c)
{
	unsigned int threads = c->fork ? 1 : min_t(unsigned int, get_nr_threads(c->leader),
						   CTM_THREADS_MAX);
	struct ctm_areas as;
	int err = ctm_areas_get(&as, c->leader);

	if (err)
		return ctm_fail(c, err, "its memory map cannot be read: error %d", err);
	c->hole_len = CTM_HOLE_BYTES + (threads + spare_threads(threads)) * CTM_HOLE_PER_THREAD;
	err = ctm_areas_hole(&as, c->hole_len, &c->hole);
	ctm_areas_put(&as);
	return err ? ctm_fail(c, err, "its address space has no room for the restorer") : 0;
}

static int check_hole(struct ctm_capture *c, struct ctm_capture_state *s)
{
	if (ctm_hole_ok(c->hole, c->hole_len, c->ntasks) &&
	    ctm_areas_free(&s->areas, c->hole, c->hole_len))
		return 0;
	c->outgrown = true;
	return ctm_fail(c, -EAGAIN, "it has grown since its place was prepared: try again");
}

static int gather(struct ctm_capture *c, struct ctm_capture_state *s)
{
	int err = ctm_areas_get(&s->areas, c->leader);

	if (err)
		return err;
	if (c->fork)
		ctm_areas_fork(&s->areas);
	s->files.fork = c->fork;
	s->files.checkpoint = c->checkpoint;
	s->files.p = c->p;
	s->files.at_home = ctm_process_is_home(c->p);
	s->files.c = c;
	s->files.frozen = true;
	err = ctm_files_get(&s->files, c->leader);
	if (err)
		return err;
	err = check_hole(c, s);
	if (err)
		return err;
	s->mark = ctm_pending_mark_new(c);
	if (IS_ERR(s->mark)) {
		err = PTR_ERR(s->mark);
		s->mark = NULL;
	}
	return err;
}

static int put_head(struct ctm_capture *c, struct ctm_capture_state *s)
{
	struct ctm_rec_head h = {
		.magic = CTM_IMAGE_MAGIC, .version = CTM_IMAGE_VERSION,
		.flags = c->fork ? c->p->flags & ~CTM_ADOPT_TTY : c->p->flags,
		.gpid = c->p->gpid, .epoch = c->p->epoch,
		.threads = c->ntasks, .hole = c->hole, .hole_len = c->hole_len,
	};
	s64 mono, boot;
	void *xstate;
	u32 len;
	int err = ctm_xstate_get(c->leader, &xstate, &len);

	if (err)
		return ctm_fail(c, err, "its extended registers cannot be read");
	h.xfeatures = ctm_xstate_features(xstate, len);
	h.xstate_size = len;
	kvfree(xstate);
	h.leader = task_pid_nr_ns(c->leader, s->ns);
	h.uid = from_kuid(&init_user_ns, task_uid(c->leader));
	ctm_clock_offsets(c->leader, &mono, &boot);
	h.mono_ns = ktime_get_ns() + mono;
	h.boot_ns = ktime_get_boottime_ns() + boot;
	memcpy(h.vdso_id, ctm_abi_self()->vdso_id, sizeof(h.vdso_id));
	return ctm_put(c, CTM_REC_HEAD, &h, sizeof(h));
}

static int put_tty(struct ctm_capture *c)
{
	return c->tty ? ctm_put(c, CTM_REC_TTY, c->tty, c->tty_len) : 0;
}

/* which signals those are that are applied or pending: later ones come with the COMMIT */
static int put_applied(struct ctm_capture *c)
{
	struct ctm_rec_applied *a = c->buf + sizeof(struct ctm_rec);
	/* none of a checkpoint's: whoever restores it is sent others */
	unsigned int n = c->checkpoint ? 0 : ctm_signals_save(c->p, a, true);

	return n ? put_record(c, CTM_REC_APPLIED, 0, n * sizeof(*a)) : 0;
}

static int put_result(struct ctm_capture *c)
{
	struct ctm_rec_result *r = c->buf + sizeof(struct ctm_rec);

	memset(r, 0, sizeof(*r));
	spin_lock(&c->p->lock);
	r->len = c->p->result_len;
	memcpy(r->data, c->p->result, r->len);
	spin_unlock(&c->p->lock);
	return r->len ? put_record(c, CTM_REC_RESULT, 0, sizeof(*r)) : 0;
}

static int put_waits(struct ctm_capture *c)
{
	struct ctm_rec_waits w = { .took = c->p->took };

	return w.took ? ctm_put(c, CTM_REC_WAITS, &w, sizeof(w)) : 0;
}

static int put_end(struct ctm_capture *c)
{
	struct ctm_rec_end end = { .records = c->records, .pages = c->pages };

	return ctm_put(c, CTM_REC_END, &end, sizeof(end));
}

static int put_all(struct ctm_capture *c)
{
	static int (*const steps[])(struct ctm_capture *) = {
		ctm_capture_creds, ctm_capture_task, ctm_capture_rlimits, ctm_capture_mm,
		ctm_capture_files, put_tty, ctm_capture_vmas, ctm_capture_sighand,
		ctm_timers_take, ctm_capture_timers, ctm_capture_threads,
		ctm_capture_pages, ctm_capture_pending, put_applied, put_result, put_waits, put_end,
	};
	/* no timers, no signals that wait, no result, no children: those are its parent's */
	static int (*const fork_steps[])(struct ctm_capture *) = {
		ctm_capture_creds, ctm_capture_task, ctm_capture_rlimits, ctm_capture_mm,
		ctm_capture_files, ctm_capture_vmas, ctm_capture_sighand, ctm_capture_timers,
		ctm_capture_threads, ctm_capture_pages, put_end,
	};
	int (*const *step)(struct ctm_capture *) = c->fork ? fork_steps : steps;
	unsigned int i, n = c->fork ? ARRAY_SIZE(fork_steps) : ARRAY_SIZE(steps);
	int err = put_head(c, ctm_state(c));

	for (i = 0; !err && i < n; i++)
		err = step[i](c);
	return err;
}

int ctm_capture_process(struct ctm_capture *c)
{
	struct ctm_capture_state *s;
	int err;

	if (WARN_ON_ONCE(c->priv || !c->buf || !c->why))
		return -EINVAL;
	c->priv = s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	c->records = 0;
	c->pages = 0;
	err = check_again(c);
	if (!err)
		err = hold_tasks(c, s);
	if (!err)
		err = gather(c, s);
	if (!err)
		err = put_all(c);
	if (err == -ESRCH)
		ctm_fail(c, err, "it is ending");
	return err;
}

void ctm_capture_done(struct ctm_capture *c)
{
	struct ctm_capture_state *s = c->priv;

	if (!s)
		return;
	c->priv = NULL;
	ctm_pending_mark_free(s->mark);
	ctm_files_put(&s->files);
	ctm_areas_put(&s->areas);
	kvfree(s->timers);
	ctm_tasks_put(s->tasks, s->ntasks);
	kfree(s);
}
