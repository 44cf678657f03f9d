// SPDX-License-Identifier: GPL-2.0
/*
 * ns.c - a capsule's namespaces are the same everywhere; others cannot be rebuilt
 *
 * The keeper is in the capsule's namespaces: its process must be in the same,
 * and in the host's network, IPC and UTS namespaces.
 */
#include <linux/cgroup.h>
#include <linux/fs_struct.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
#include <linux/sched/task.h>
#include <net/net_namespace.h>

#include "resource.h"

/* a copy of the pointers, to compare only */
static bool ns_of(struct task_struct *t, struct nsproxy *ns)
{
	bool there;

	task_lock(t);
	there = t->nsproxy;
	if (there)
		*ns = *t->nsproxy;
	task_unlock(t);
	return there;
}

static bool root_of(struct task_struct *t, struct path *root)
{
	bool there;

	task_lock(t);
	there = t->fs;
	if (there)
		get_fs_root(t->fs, root);
	task_unlock(t);
	return there;
}

static void check_root(struct ctm_explain_ctx *x, struct task_struct *keeper)
{
	struct path a, b;

	if (!root_of(x->leader, &a))
		return;
	if (root_of(keeper, &b)) {
		if (!path_equal(&a, &b))
			ctm_stop(x, "has another root directory (chroot): cannot move");
		path_put(&b);
	}
	path_put(&a);
}

static void check_capsule(struct ctm_explain_ctx *x, struct nsproxy *ns, struct task_struct *keeper)
{
	struct nsproxy k;

	if (!ns_of(keeper, &k))
		return;
	if (ns->mnt_ns != k.mnt_ns)
		ctm_stop(x, "is in a mount namespace of its own: cannot move");
	if (ns->pid_ns_for_children != k.pid_ns_for_children ||
	    task_active_pid_ns(x->leader) != task_active_pid_ns(keeper))
		ctm_stop(x, "is in a PID namespace of its own: cannot move");
	if (ns->cgroup_ns != k.cgroup_ns)
		ctm_stop(x, "is in a cgroup namespace of its own: cannot move");
	if (ns->time_ns != k.time_ns_for_children || ns->time_ns_for_children != ns->time_ns)
		ctm_stop(x, "is in a time namespace of its own: cannot move");
	check_root(x, keeper);
}

static void check_threads(struct ctm_explain_ctx *x)
{
	struct task_struct *t;
	bool apart = false;

	rcu_read_lock();
	for_each_thread(x->leader, t) {
		if (t->flags & PF_EXITING)
			continue;
		if (READ_ONCE(t->nsproxy) != READ_ONCE(x->leader->nsproxy)) {
			apart = true;
			break;
		}
	}
	rcu_read_unlock();
	if (apart)
		ctm_stop(x, "its threads are in different namespaces: cannot move");
}

void ctm_explain_ns(struct ctm_explain_ctx *x)
{
	struct task_struct *keeper;
	struct nsproxy ns, host;

	if (!ns_of(x->leader, &ns) || !ns_of(&init_task, &host))
		return;
	if (ns.net_ns != &init_net)
		ctm_stop(x, "is in a network namespace of its own: cannot move");
	if (ns.ipc_ns != host.ipc_ns)
		ctm_stop(x, "is in an IPC namespace of its own: cannot move");
	if (ns.uts_ns != host.uts_ns)
		ctm_stop(x, "is in a UTS namespace of its own: cannot move");
	/* the leader's parent, at a start as after a landing */
	rcu_read_lock();
	keeper = rcu_dereference(x->leader->real_parent);
	get_task_struct(keeper);
	rcu_read_unlock();
	check_capsule(x, &ns, keeper);
	put_task_struct(keeper);
	if (!x->fork)
		check_threads(x);
}
