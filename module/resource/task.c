// SPDX-License-Identifier: GPL-2.0
/*
 * task.c - what a thread group, and each of its threads, is besides its parts
 *
 * The group's state is in its signal_struct, which lives as long as a referenced
 * task of it.
 */
#include <linux/cgroup.h>
#include <linux/fs_struct.h>
#include <linux/iocontext.h>
#include <linux/mm.h>
#include <linux/ptrace.h>
#include <linux/sched/deadline.h>
#include <linux/sched/mm.h>
#include <linux/sched/prio.h>
#include <linux/sched/rt.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/seccomp.h>
#include <linux/sem.h>
#include <linux/slab.h>
#include <asm/processor.h>

#include "../compat/compat.h"
#include "resource.h"

/* ---- what stops it ---- */

static void check_children(struct ctm_explain_ctx *x)
{
	struct task_struct *p, *t;
	unsigned int n = 0;
	char comm[TASK_COMM_LEN] = "";
	pid_t pid = 0;

	/* A child may have left the capsule's cgroup or be a zombie: it counts. */
	rcu_read_lock();
	for_each_process(p) {
		t = rcu_dereference(p->real_parent);
		if (p == x->leader || !same_thread_group(t, x->leader))
			continue;
		if (!n++) {
			pid = task_pid_nr(p);
			strscpy(comm, p->comm, sizeof(comm));
		}
	}
	rcu_read_unlock();
	if (n)
		ctm_stop(x, "has %u child process%s (pid %d %s): only single processes can move",
			 n, n == 1 ? "" : "es", pid, comm);
}

/* somebody else in the capsule, without being our child: left over by one that ended */
static void check_others(struct ctm_explain_ctx *x)
{
	struct task_struct *p;
	char comm[TASK_COMM_LEN] = "";
	pid_t pid = 0;

	rcu_read_lock();
	for_each_process(p) {
		if (p == x->leader || p->exit_state || task_dfl_cgroup(p) != x->p->cgrp ||
		    same_thread_group(rcu_dereference(p->real_parent), x->leader))
			continue;
		pid = task_pid_nr(p);
		strscpy(comm, p->comm, sizeof(comm));
		break;
	}
	rcu_read_unlock();
	if (pid)
		ctm_stop(x, "pid %d (%s) lives in its capsule: only single processes can move", pid, comm);
}

static void check_sharing(struct ctm_explain_ctx *x)
{
	struct task_struct *g, *t, *l = x->leader;
	bool mm = false, files = false, fs = false, sighand = false, apart = false;

	rcu_read_lock();
	for_each_process_thread(g, t) {
		if (t->flags & (PF_EXITING | PF_KTHREAD))
			continue;
		if (t->signal == l->signal) {
			apart |= READ_ONCE(t->files) != READ_ONCE(l->files) ||
				 READ_ONCE(t->fs) != READ_ONCE(l->fs);
			continue;
		}
		mm |= READ_ONCE(t->mm) == READ_ONCE(l->mm);
		files |= READ_ONCE(t->files) == READ_ONCE(l->files);
		fs |= READ_ONCE(t->fs) == READ_ONCE(l->fs);
		sighand |= rcu_access_pointer(t->sighand) == rcu_access_pointer(l->sighand);
	}
	rcu_read_unlock();
	if (mm)
		ctm_stop(x, "shares its memory with another process: cannot move");
	if (files)
		ctm_stop(x, "shares its table of descriptors with another process: cannot move");
	if (fs)
		ctm_stop(x, "shares its working directory with another process: cannot move");
	if (sighand)
		ctm_stop(x, "shares its signal handlers with another process: cannot move");
	if (apart)
		ctm_stop(x, "its threads have different descriptors or directories: cannot move");
}

#ifdef CONFIG_SYSVIPC
/*
 * Every program with threads has a list (CLONE_SYSVSEM); what matters is whether
 * anything is in it.  The structure is ipc/sem.c's own, the same in all kernels;
 * one that differs would look as if something were.
 */
struct undo_list {
	refcount_t refcnt;
	spinlock_t lock;
	struct list_head list_proc;
};

static bool has_undo(struct task_struct *t)
{
	struct undo_list *l = (struct undo_list *)READ_ONCE(t->sysvsem.undo_list);

	return l && !list_empty(&l->list_proc);
}
#endif

static const char *thread_stop(struct task_struct *t)
{
	if (t->ptrace)
		return "is being traced (debugger, strace)";
	if (t->flags & PF_IO_WORKER)
		return "is a worker of io_uring";
#ifdef CONFIG_SECCOMP
	if (t->seccomp.mode)
		return "has a seccomp filter";
#endif
#ifdef CONFIG_SYSVIPC
	if (has_undo(t))
		return "has SysV semaphores to undo";
#endif
	if (t->policy == SCHED_DEADLINE)
		return "runs under SCHED_DEADLINE";
	return NULL;
}

/* all online CPUs is what an unbound thread has, too */
static bool is_bound(struct task_struct *t)
{
	return !cpumask_subset(cpu_online_mask, &t->cpus_mask);
}

static void check_threads(struct ctm_explain_ctx *x)
{
	struct task_struct *t;
	const char *why = NULL;
	unsigned int n = 0, bound = 0;
	char comm[TASK_COMM_LEN] = "";

	rcu_read_lock();
	for_each_thread(x->leader, t) {
		if (t->flags & PF_EXITING || (x->fork && t != x->leader))
			continue;
		n++;
		bound += is_bound(t);
		if (!why)
			why = thread_stop(t);
		if (why && !comm[0])
			strscpy(comm, t->comm, sizeof(comm));
		ctm_explain_regs(x, t);
	}
	rcu_read_unlock();
	if (why)
		ctm_stop(x, "thread %s %s: cannot move", comm, why);
	if (bound)
		ctm_note(x, "note", "%u thread%s bound to some CPUs: on a node that has not all of these, to none",
			 bound, bound == 1 ? " is" : "s are");
	if (n > CTM_THREADS_MAX)
		ctm_stop(x, "has %u threads: at most %u can move", n, CTM_THREADS_MAX);
}

void ctm_explain_task(struct ctm_explain_ctx *x)
{
	if (!x->fork) {			/* whose other children and threads stay where they are */
		check_children(x);
		check_others(x);
		check_sharing(x);
	}
	check_threads(x);
}

/* ---- records ---- */

static u32 stop_signal(struct signal_struct *sig)
{
	if (!(sig->flags & SIGNAL_STOP_STOPPED))
		return 0;
	/* the code is gone once the parent has waited for it */
	return sig->group_exit_code & 0x7f ? : SIGSTOP;
}

/* the path of the executable, if the destination has that file: else none */
static u32 put_exe(struct ctm_capture *c, char *buf, char *scratch)
{
	struct file *exe = ctm_mm_exe_file(ctm_state(c)->areas.mm);
	char *path;
	u32 len = 0;

	if (!exe)
		return 0;
	if (ctm_ident_have(c, file_user_path(exe))) {
		path = ctm_path(file_user_path(exe), scratch);
		if (!IS_ERR(path)) {
			len = strlen(path);
			memcpy(buf, path, len);
		}
	}
	fput(exe);
	return len;
}

static int put_cwd(struct ctm_capture *c, char *buf, char *scratch, u32 *umask)
{
	struct path pwd;
	char *path;
	int len;

	task_lock(c->leader);
	if (!c->leader->fs) {
		task_unlock(c->leader);
		return -ESRCH;
	}
	*umask = c->leader->fs->umask;
	get_fs_pwd(c->leader->fs, &pwd);
	task_unlock(c->leader);
	path = ctm_path(&pwd, scratch);
	if (IS_ERR(path) || d_unlinked(pwd.dentry)) {
		path_put(&pwd);
		return ctm_fail(c, -EOPNOTSUPP, "its working directory was removed: cannot move");
	}
	len = strlen(path);
	memcpy(buf, path, len);
	path_put(&pwd);
	return len;
}

int ctm_capture_task(struct ctm_capture *c)
{
	struct ctm_rec_task *r = c->buf + sizeof(struct ctm_rec);
	struct signal_struct *sig = c->leader->signal;
	char *scratch = kvmalloc(CTM_PATH_MAX, GFP_KERNEL);
	u32 umask = 0;
	int len;

	if (!scratch)
		return -ENOMEM;
	len = put_cwd(c, r->paths, scratch, &umask);
	if (len < 0) {
		kvfree(scratch);
		return len;
	}
	r->cwd_len = len;
	r->exe_len = put_exe(c, r->paths + len, scratch);
	kvfree(scratch);
	rcu_read_lock();
	/* a child is alone in its namespace: its parent's group has no other member there */
	r->pgid = pid_nr_ns(c->fork ? task_pid(c->leader) : task_pgrp(c->leader), ctm_state(c)->ns);
	rcu_read_unlock();
	r->umask = umask;
	r->personality = c->leader->personality;
	r->oom_score_adj = sig->oom_score_adj;
	r->dumpable = ctm_task_dumpable(c->leader, ctm_state(c)->areas.mm);
	r->child_subreaper = sig->is_child_subreaper;
	r->stopped = c->fork ? 0 : stop_signal(sig);
	r->pad = 0;
	return ctm_put_buf(c, CTM_REC_TASK, sizeof(*r) + r->cwd_len + r->exe_len);
}

int ctm_capture_rlimits(struct ctm_capture *c)
{
	struct ctm_rec_rlimits r;
	unsigned int i;

	BUILD_BUG_ON(ARRAY_SIZE(r.lim) != RLIM_NLIMITS);
	task_lock(c->leader);
	for (i = 0; i < RLIM_NLIMITS; i++) {
		r.lim[i].cur = c->leader->signal->rlim[i].rlim_cur;
		r.lim[i].max = c->leader->signal->rlim[i].rlim_max;
	}
	task_unlock(c->leader);
	return ctm_put(c, CTM_REC_RLIMITS, &r, sizeof(r));
}

static u32 ioprio_of(struct task_struct *t)
{
	u32 ioprio = 0;

	task_lock(t);
	if (t->io_context)
		ioprio = t->io_context->ioprio;
	task_unlock(t);
	return ioprio;
}

static void fill_cpus(struct task_struct *t, u64 *cpus)
{
	unsigned int cpu, n = min(nr_cpu_ids, CTM_CPUS_MAX);

	if (!is_bound(t))
		return;
	for (cpu = 0; cpu < n; cpu++)
		if (cpumask_test_cpu(cpu, &t->cpus_mask))
			cpus[cpu / 64] |= 1ull << cpu % 64;
}

/** ctm_thread_fill() - all of a THREAD record but its registers and mask */
void ctm_thread_fill(struct ctm_capture *c, struct task_struct *t, struct ctm_rec_thread *r)
{
	r->tid = task_pid_nr_ns(t, ctm_state(c)->ns);
#ifdef CONFIG_RSEQ
	r->rseq = (unsigned long)ctm_task_rseq(t);
	r->rseq_sig = ctm_task_rseq_sig(t);
	r->rseq_len = r->rseq ? ctm_task_rseq_len(t) : 0;
#endif
	r->altstack_sp = t->sas_ss_sp;
	r->altstack_size = t->sas_ss_size;
	r->altstack_flags = t->sas_ss_flags;
	r->robust_list = (unsigned long)ctm_task_robust_list(t);
	r->clear_child_tid = (unsigned long)t->clear_child_tid;
	r->timerslack_ns = t->timer_slack_ns;
	r->policy = t->policy;
	r->nice = task_nice(t);
	r->rt_priority = t->rt_priority;
	r->ioprio = ioprio_of(t);
	r->pdeath_signal = t->pdeath_signal;
	get_task_comm(r->comm, t);
	fill_cpus(t, r->cpus);
}
