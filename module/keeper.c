// SPDX-License-Identifier: GPL-2.0
/*
 * keeper.c - adoption of processes, and what keepers hear and tell
 *
 * Owns struct ctm_keeper.  Who may hold a pointer to one: its file, and the
 * process while it runs here (p->keeper, read under p->lock only).
 */
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat/compat.h"
#include "keeper.h"
#include "net/transport.h"
#include "netlink.h"
#include "reaper.h"
#include "rfile.h"
#include "term.h"

#define TTY_FLUSH_MS	5000
#define EVENT_CALL_MS	2000

struct ctm_keeper *ctm_keeper_new(struct ctm_process *p)
{
	struct ctm_keeper *k = kzalloc(sizeof(*k), GFP_KERNEL_ACCOUNT);

	if (!k)
		return NULL;
	ctm_process_get(p);
	k->p = p;
	spin_lock_init(&k->lock);
	init_waitqueue_head(&k->wait);
	init_completion(&k->tty_told);
	return k;
}

void ctm_keeper_free(struct ctm_keeper *k)
{
	struct ctm_process *p = k->p;
	bool ours;

	spin_lock(&p->lock);
	ours = p->keeper == k;
	if (ours)
		p->keeper = NULL;
	spin_unlock(&p->lock);
	/* PID 1 of the capsule is gone, so the kernel has killed the rest */
	if (ours)
		ctm_process_ended(p, SIGKILL, CTM_END_DESTROYED, 0);
	kvfree(k->tty);
	kfree(k);
	ctm_process_put(p);
}

/* ---- adoption ---- */

static struct pid *child_of_current(int nr, struct cgroup *cgrp)
{
	struct pid *pid = find_get_pid(nr);
	struct task_struct *t;
	bool good = false;

	if (!pid)
		return NULL;
	rcu_read_lock();
	t = pid_task(pid, PIDTYPE_TGID);
	if (t)
		good = rcu_dereference(t->real_parent)->tgid == current->tgid &&
		       task_dfl_cgroup(t) == cgrp;
	rcu_read_unlock();
	if (good)
		return pid;
	put_pid(pid);
	return NULL;
}

struct ctm_keeper *ctm_adopt(struct ctm_adopt *arg)
{
	struct ctm_capsule capsule;
	struct ctm_process *p;
	struct ctm_keeper *k;
	struct pid *leader;
	int err;

	if (arg->flags & ~(CTM_ADOPT_TTY | CTM_ADOPT_PIN | CTM_ADOPT_LINGER))
		return ERR_PTR(-EINVAL);
	if (!capable(CAP_SYS_ADMIN))
		return ERR_PTR(-EPERM);
	err = ctm_capsule_open(arg->cgroup_fd, &capsule);
	if (err)
		return ERR_PTR(err);
	leader = child_of_current(arg->pid, capsule.cgrp);
	err = -ESRCH;
	if (!leader)
		goto err_capsule;
	p = ctm_process_new(0, 0);
	err = PTR_ERR_OR_ZERO(p);
	if (err)
		goto err_leader;
	p->flags = arg->flags;
	err = arg->flags & CTM_ADOPT_TTY ? ctm_term_create(p) : 0;
	if (err)
		goto err_process;
	k = ctm_keeper_new(p);
	err = -ENOMEM;
	if (!k)
		goto err_process;
	ctm_process_host(p, leader, &capsule, k);
	ctm_reaper_adopted(p, arg->ttl, arg->lease_ms);
	arg->gpid = p->gpid;
	ctm_event_process(CTM_NL_EV_PROCESS_STARTED, p->gpid, ctm_node_id(), NULL);
	ctm_process_put(p);
	put_pid(leader);
	return k;

err_process:
	ctm_process_forget(p);
	ctm_process_put(p);
err_leader:
	put_pid(leader);
err_capsule:
	ctm_capsule_close(&capsule);
	return ERR_PTR(err);
}

/* ---- events to the keeper ---- */

static void post(struct ctm_keeper *k, u32 type, u64 value)
{
	unsigned int i, at;

	spin_lock(&k->lock);
	for (i = 0; i < k->count; i++) {	/* the last window size is all that counts */
		at = (k->first + i) % CTM_KEEPER_EVENTS;
		if (k->ev[at].type == type && type == CTM_EV_WINSIZE) {
			k->ev[at].value = value;
			goto out;
		}
	}
	if (k->count < CTM_KEEPER_EVENTS) {
		at = (k->first + k->count++) % CTM_KEEPER_EVENTS;
		k->ev[at].type = type;
		k->ev[at].value = value;
	}
out:
	spin_unlock(&k->lock);
	wake_up_all(&k->wait);
}

void ctm_keeper_post(struct ctm_process *p, u32 type, u64 value)
{
	spin_lock(&p->lock);
	if (p->keeper)
		post(p->keeper, type, value);
	spin_unlock(&p->lock);
}

void ctm_keeper_wake(struct ctm_process *p)
{
	spin_lock(&p->lock);
	if (p->keeper)
		wake_up_all(&p->keeper->wait);
	spin_unlock(&p->lock);
}

void ctm_keeper_gone(struct ctm_keeper *k)
{
	spin_lock(&k->lock);
	k->gone = true;
	spin_unlock(&k->lock);
	wake_up_all(&k->wait);
}

int ctm_keeper_event(struct ctm_keeper *k, struct ctm_event *ev)
{
	int err = -EAGAIN;

	spin_lock(&k->lock);
	if (k->count) {
		ev->type = k->ev[k->first].type;
		ev->value = k->ev[k->first].value;
		k->first = (k->first + 1) % CTM_KEEPER_EVENTS;
		k->count--;
		err = 0;
	}
	spin_unlock(&k->lock);
	return err;
}

__poll_t ctm_keeper_poll(struct ctm_keeper *k, struct file *f, struct poll_table_struct *pt)
{
	__poll_t mask = 0;

	ctm_process_refresh(k->p);	/* it has exec'ed by the time its keeper comes here */
	poll_wait(f, &k->wait, pt);
	if (k->p->term)
		mask |= ctm_term_keeper_poll(k->p, f, pt);
	spin_lock(&k->lock);
	if (k->count)
		mask |= EPOLLPRI;
	if (k->gone)
		mask |= EPOLLHUP;
	spin_unlock(&k->lock);
	return mask;
}

/* ---- what crosses between home and host: CTM_CALL_EVENT ---- */

struct event_call {
	__u64 gpid;
	__u64 value;
	__u32 type;
	__u32 epoch;
};

static int send_event(u32 node, struct ctm_process *p, u32 type, u64 value)
{
	struct event_call c = { .gpid = p->gpid, .value = value, .type = type, .epoch = p->epoch };
	size_t none = 0;

	return ctm_call(node, CTM_CALL_EVENT, &c, sizeof(c), NULL, &none, EVENT_CALL_MS);
}

static int serve_event(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct event_call *c = req;
	struct ctm_process *p;
	int err = 0;

	*resp_len = 0;
	if (len != sizeof(*c))
		return -EBADMSG;
	p = ctm_process_find(c->gpid);
	if (!p)
		return -ESRCH;
	if (c->epoch != p->epoch)
		err = -ESTALE;
	else if (c->type == CTM_EV_WINSIZE)
		ctm_keeper_post(p, c->type, c->value);
	else if (c->type == CTM_EV_STOPPED || c->type == CTM_EV_CONTINUED)
		ctm_deputy_post(p, c->type, c->value);
	else
		err = -EBADMSG;
	ctm_process_put(p);
	return err;
}

int ctm_keeper_winsize(struct ctm_process *p, u64 value)
{
	if (!READ_ONCE(p->here))
		return send_event(READ_ONCE(p->host), p, CTM_EV_WINSIZE, value);
	ctm_keeper_post(p, CTM_EV_WINSIZE, value);
	return 0;
}

static void tell_deputy(struct ctm_process *p, u32 type, u64 value)
{
	if (ctm_process_is_home(p))
		ctm_deputy_post(p, type, value);
	else
		send_event(CTM_GPID_NODE(p->gpid), p, type, value);
}

/* ---- what the keeper tells ---- */

static int tell_exited(struct ctm_keeper *k, struct ctm_event *ev)
{
	struct ctm_process *p = k->p;
	int status = ev->value;
	bool mine;

	if (ev->value > 0xffff)
		return -EINVAL;
	spin_lock(&p->lock);
	mine = p->keeper == k && !p->exit_told;
	if (mine)
		p->exit_told = true;
	spin_unlock(&p->lock);
	if (!mine)
		return 0;
	if (p->term)
		ctm_term_flush(p, TTY_FLUSH_MS);
	ctm_process_ended(p, status, status & 0x7f ? CTM_END_SIGNAL : CTM_END_EXIT, ev->cpu_ns);
	return 0;
}

static int tell_tty(struct ctm_keeper *k, struct ctm_event *ev)
{
	struct ctm_tty_state *s;
	void *old;

	if (ev->data_len < sizeof(*s) || ev->data_len > CTM_TTY_STATE_MAX)
		return -EINVAL;
	s = kvmalloc(ev->data_len, GFP_KERNEL_ACCOUNT);
	if (!s)
		return -ENOMEM;
	if (copy_from_user(s, u64_to_user_ptr(ev->data), ev->data_len)) {
		kvfree(s);
		return -EFAULT;
	}
	if (s->in_len != ev->data_len - sizeof(*s)) {
		kvfree(s);
		return -EINVAL;
	}
	spin_lock(&k->lock);
	old = k->tty;
	k->tty = s;
	k->tty_len = ev->data_len;
	spin_unlock(&k->lock);
	kvfree(old);
	complete(&k->tty_told);
	return 0;
}

int ctm_keeper_tell(struct ctm_keeper *k, struct ctm_event *ev)
{
	switch (ev->type) {
	case CTM_EV_EXITED:
		return tell_exited(k, ev);
	case CTM_EV_STOPPED:
	case CTM_EV_CONTINUED:
		tell_deputy(k->p, ev->type, ev->value);
		return 0;
	case CTM_EV_TTY_STATE:
		return tell_tty(k, ev);
	default:
		return -EINVAL;
	}
}

int ctm_keeper_save_tty(struct ctm_process *p, void **state, size_t *len, unsigned int timeout_ms)
{
	struct ctm_keeper *k;

	/*
	 * The keeper's file may be closed meanwhile, which ends the process and
	 * needs p->journey, which the caller holds: k stays until we return.
	 */
	lockdep_assert_held(&p->journey);
	spin_lock(&p->lock);
	k = p->keeper;
	if (k)
		reinit_completion(&k->tty_told);
	spin_unlock(&p->lock);
	if (!k)
		return -ESRCH;
	ctm_keeper_post(p, CTM_EV_TTY_SAVE, 0);
	if (!wait_for_completion_timeout(&k->tty_told, msecs_to_jiffies(timeout_ms)))
		return -ETIMEDOUT;
	spin_lock(&k->lock);
	*state = k->tty;
	*len = k->tty_len;
	k->tty = NULL;
	spin_unlock(&k->lock);
	return *state ? 0 : -ETIMEDOUT;
}

int ctm_keeper_init(void)
{
	ctm_call_handler(CTM_CALL_EVENT, serve_event);
	return 0;
}

void ctm_keeper_exit(void)
{
	ctm_call_handler(CTM_CALL_EVENT, NULL);
}
