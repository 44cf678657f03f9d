// SPDX-License-Identifier: GPL-2.0
/*
 * sig.c - signal handlers, and signals that wait
 *
 * All of it is under the siglock of the thread group, which every thread of it
 * shares.  What is queued is copied in the same instant in which the timers are
 * read (timers.c): a timer that fires later fires at the destination, and its
 * signal here is not the process's any more.
 *
 * A struct ctm_pending_mark remembers which entries of the queues were copied,
 * by address only, so that ctm_pending_new() finds those that came since.
 */
#include <linux/sched/signal.h>
#include <linux/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "../compat/compat.h"
#include "../sighook.h"
#include "resource.h"

struct ctm_pending_mark {
	unsigned int n, room;		/* copied at the capture, in order */
	struct ctm_rec_pending *rec;
	unsigned int nseen, seen_room;
	const struct sigqueue **seen;
	/* signals without an entry (out of memory when sent): by queue, [0] is shared */
	unsigned int nqueues;
	sigset_t *bare;
};

struct sighand_struct *ctm_lock_sighand(struct task_struct *t, unsigned long *flags)
{
	struct sighand_struct *h;

	rcu_read_lock();
	for (;;) {
		h = rcu_dereference(t->sighand);
		if (!h)
			break;
		/*
		 * The structure may be given to another group while we look, but
		 * not back to the allocator: lock it, then see whose it is.
		 */
		spin_lock_irqsave(&h->siglock, *flags);
		if (h == rcu_access_pointer(t->sighand)) {
			__release(&h->siglock);	/* for sparse; ctm_unlock_sighand() takes it back */
			break;
		}
		spin_unlock_irqrestore(&h->siglock, *flags);
	}
	rcu_read_unlock();
	return h;
}

void ctm_unlock_sighand(struct sighand_struct *h, unsigned long *flags)
{
	__acquire(&h->siglock);
	spin_unlock_irqrestore(&h->siglock, *flags);
}

static unsigned int queue_length(const struct sigpending *q)
{
	const struct sigqueue *e;
	unsigned int n = 0;

	list_for_each_entry(e, &q->list, list)
		n++;
	return n + _NSIG;		/* and any signal may be there without an entry */
}

static unsigned int count_queued(struct ctm_capture_state *s)
{
	unsigned long flags;
	struct sighand_struct *h = ctm_lock_sighand(s->tasks[0], &flags);
	unsigned int i, n = 0;

	if (!h)
		return 0;
	n = queue_length(&s->tasks[0]->signal->shared_pending);
	for (i = 0; i < s->ntasks; i++)
		n += queue_length(&s->tasks[i]->pending);
	ctm_unlock_sighand(h, &flags);
	return n;
}

struct ctm_pending_mark *ctm_pending_mark_new(struct ctm_capture *c)
{
	struct ctm_capture_state *s = ctm_state(c);
	struct ctm_pending_mark *m = kzalloc(sizeof(*m), GFP_KERNEL);

	if (!m)
		return ERR_PTR(-ENOMEM);
	m->room = count_queued(s) + 64;
	m->seen_room = m->room + 1024;
	m->nqueues = s->ntasks + 1;
	m->rec = kvcalloc(m->room, sizeof(*m->rec), GFP_KERNEL);
	m->seen = kvcalloc(m->seen_room, sizeof(*m->seen), GFP_KERNEL);
	m->bare = kvcalloc(m->nqueues, sizeof(*m->bare), GFP_KERNEL);
	if (m->rec && m->seen && m->bare)
		return m;
	ctm_pending_mark_free(m);
	return ERR_PTR(-ENOMEM);
}

void ctm_pending_mark_free(struct ctm_pending_mark *m)
{
	if (!m)
		return;
	kvfree(m->rec);
	kvfree(m->seen);
	kvfree(m->bare);
	kfree(m);
}

static bool seen(const struct ctm_pending_mark *m, const struct sigqueue *e)
{
	unsigned int i;

	for (i = 0; i < m->nseen; i++)
		if (m->seen[i] == e)
			return true;
	return false;
}

struct gather {
	struct ctm_pending_mark *m;
	struct ctm_rec_pending *out;
	unsigned int n, max;
	bool late;			/* after the capture: not those of timers */
};

static int gather_queue(struct gather *g, const struct sigpending *q, unsigned int index, u32 tid)
{
	struct ctm_pending_mark *m = g->m;
	const struct sigqueue *e;
	sigset_t bare = q->signal;
	unsigned int sig;

	list_for_each_entry(e, &q->list, list) {
		sigdelset(&bare, e->info.si_signo);
		if (seen(m, e))
			continue;
		if (m->nseen == m->seen_room || g->n == g->max)
			return -ENOBUFS;
		m->seen[m->nseen++] = e;
		if (g->late && ctm_pending_of_timer(e->info.si_signo, &e->info))
			continue;
		ctm_pending_fill(&g->out[g->n++], tid, e->info.si_signo, &e->info);
	}
	for (sig = 1; sig <= _NSIG; sig++) {
		if (!sigismember(&bare, sig) || sigismember(&m->bare[index], sig) || sig == SIGKILL)
			continue;
		if (g->n == g->max)
			return -ENOBUFS;
		sigaddset(&m->bare[index], sig);
		ctm_pending_fill(&g->out[g->n++], tid, sig, SEND_SIG_NOINFO);
	}
	return 0;
}

static int gather_all(struct gather *g, struct ctm_capture_state *s)
{
	unsigned int i;
	int err = gather_queue(g, &s->tasks[0]->signal->shared_pending, 0, 0);

	for (i = 0; !err && i < s->ntasks; i++)
		err = gather_queue(g, &s->tasks[i]->pending, i + 1,
				   task_pid_nr_ns(s->tasks[i], s->ns));
	return err;
}

int ctm_pending_take(struct ctm_pending_mark *m, struct ctm_capture *c)
{
	struct gather g = { .m = m, .out = m->rec, .max = m->room };
	int err;

	m->nseen = 0;
	memset(m->bare, 0, m->nqueues * sizeof(*m->bare));
	err = gather_all(&g, ctm_state(c));
	m->n = g.n;
	return err;
}

int ctm_capture_pending(struct ctm_capture *c)
{
	struct ctm_pending_mark *m = ctm_state(c)->mark;
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < m->n; i++)
		err = ctm_put(c, CTM_REC_PENDING, &m->rec[i], sizeof(m->rec[i]));
	return err;
}

static bool dying(struct ctm_capture_state *s)
{
	unsigned int i;

	if (s->tasks[0]->signal->flags & SIGNAL_GROUP_EXIT)
		return true;
	for (i = 0; i < s->ntasks; i++)
		if (s->tasks[i]->flags & PF_EXITING ||
		    sigismember(&s->tasks[i]->pending.signal, SIGKILL))
			return true;
	return false;
}

/* siglock held: first into @out, then where the hook notes what comes from now on */
static int gather_new(struct gather *g, struct ctm_capture_state *s, struct ctm_sigwatch *rest)
{
	struct gather more = { .m = g->m, .out = rest->v, .max = rest->room, .late = true };
	int err = gather_all(g, s);

	if (err)
		err = gather_all(&more, s);
	if (err)
		return -EAGAIN;
	rest->n = more.n;
	rest->on = true;
	return g->n;
}

int ctm_pending_new(struct ctm_capture *c, struct ctm_rec_pending *out, unsigned int max,
		    struct ctm_sigwatch *rest)
{
	struct ctm_capture_state *s = c->priv;
	struct gather g = { .out = out, .max = max, .late = true };
	struct sighand_struct *h;
	unsigned long flags;
	int ret;

	if (!s || !s->mark)
		return 0;
	g.m = s->mark;
	h = ctm_lock_sighand(s->tasks[0], &flags);
	if (!h)
		return -ESRCH;
	ret = dying(s) ? -ESRCH : gather_new(&g, s, rest);
	ctm_unlock_sighand(h, &flags);
	return ret;
}

int ctm_capture_sighand(struct ctm_capture *c)
{
	struct ctm_rec_sighand *r = c->buf + sizeof(struct ctm_rec);
	struct sighand_struct *h;
	unsigned long flags;
	unsigned int i;

	h = ctm_lock_sighand(c->leader, &flags);
	if (!h)
		return -ESRCH;
	for (i = 0; i < ARRAY_SIZE(r->act); i++) {
		const struct sigaction *sa = &h->action[i].sa;

		r->act[i].handler = (unsigned long)sa->sa_handler;
		r->act[i].flags = sa->sa_flags;
		r->act[i].restorer = (unsigned long)sa->sa_restorer;
		r->act[i].mask = sa->sa_mask.sig[0];
	}
	ctm_unlock_sighand(h, &flags);
	return ctm_put_buf(c, CTM_REC_SIGHAND, sizeof(*r));
}
