/* SPDX-License-Identifier: GPL-2.0 */
/*
 * threads.c - threads: ids, what each has for itself, and the way out
 *
 * Records fill a slot each; when memory is whole the leader clones the others,
 * and each ends by itself: its own state, credentials, then rt_sigreturn into
 * the last wait.  The leader goes last, when threads_done says that no other
 * changes credentials any more (such a change makes the process undumpable).
 */
#include "restore.h"
#include <asm/errno.h>
#include <asm/prctl.h>
#include <asm/sigcontext.h>
#include <asm/ucontext.h>
#include <linux/futex.h>
#include <linux/prctl.h>

#define IOPRIO_WHO_PROCESS	1
#define ROBUST_LIST_HEAD	24	/* sizeof(struct robust_list_head) */
#define USER_CS			0x33
#define USER_DS			0x2b
#define XFEATURE_DYNAMIC	(1ull << 18)	/* AMX tiles: need a permission of their own */
#define XSTATE_MIN		576u		/* legacy area and header */

static struct slot *slot_of(struct restore *r, unsigned int i)
{
	return (struct slot *)(r->slots + i * CTM_HOLE_PER_THREAD);
}

void threads_take(struct restore *r, const struct ctm_rec_thread *rec)
{
	struct slot *s = slot_of(r, r->nthreads);

	if (r->nthreads == r->head.threads || (!r->nthreads && rec->tid != r->head.leader) ||
	    (r->nthreads && !slot_of(r, r->nthreads - 1)->xstate_len))
		restore_fail(r, EBADMSG, "thread %u", rec->tid);
	s->rec = *rec;
	s->r = r;
	r->nthreads++;
}

/* ---- extended state --------------------------------------------------------- */

static __u64 own_xfeatures(void)
{
	__u32 low, high;

	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return ((__u64)high << 32 | low) & ~XFEATURE_DYNAMIC;
}

/* end of component @i in the standard format */
static __u32 xfeature_end(unsigned int i)
{
	__u32 a = 0xd, b, c = i, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return a + b;
}

/*
 * Only as much as the components in use need: a state that is larger than this
 * thread's, or of which a component is unknown here, is dropped silently.
 */
static __u32 xstate_size(__u64 components)
{
	__u32 size = XSTATE_MIN;

	for (unsigned int i = 2; i < 63; i++)
		if (components >> i & 1 && xfeature_end(i) > size)
			size = xfeature_end(i);
	return size;
}

void threads_xstate(struct restore *r, const struct ctm_rec_xstate *rec)
{
	struct slot *s = r->nthreads ? slot_of(r, r->nthreads - 1) : NULL;
	const __u64 *header = (const void *)(rec->data + 512);
	const __u32 *mxcsr = (const void *)(rec->data + 24);

	if (!s || s->rec.tid != rec->tid || s->xstate_len)
		restore_fail(r, EBADMSG, "extended state of thread %u", rec->tid);
	if (rec->len < XSTATE_MIN || rec->len > SLOT_XSTATE_MAX || header[1] || *mxcsr & ~0xffffu)
		restore_fail(r, EBADMSG, "extended state of thread %u: malformed", rec->tid);
	if (header[0] & ~own_xfeatures())
		restore_fail(r, EXDEV, "extended state of thread %u: components %llx, this CPU has %llx",
			     rec->tid, header[0], own_xfeatures());
	if (xstate_size(header[0]) > rec->len)
		restore_fail(r, EXDEV, "extended state of thread %u: not laid out as this CPU's",
			     rec->tid);
	s->xstate_len = xstate_size(header[0]);
	memcpy((char *)s + SLOT_XSTATE, rec->data, s->xstate_len);
}

/* The frame that rt_sigreturn takes; sp at it when it does. */
static void *frame_make(struct slot *s)
{
	struct ucontext *uc = (void *)((char *)s + SLOT_FRAME);
	char *x = (char *)s + SLOT_XSTATE;
	struct _fpx_sw_bytes *sw = (void *)(x + 464);
	struct sigcontext *sc = &uc->uc_mcontext;

	memset(sw, 0, sizeof(*sw));
	sw->magic1 = FP_XSTATE_MAGIC1;
	sw->extended_size = s->xstate_len + FP_XSTATE_MAGIC2_SIZE;
	sw->xfeatures = own_xfeatures();
	sw->xstate_size = s->xstate_len;
	*(__u32 *)(x + s->xstate_len) = FP_XSTATE_MAGIC2;

	memset(uc, 0, sizeof(*uc));
	uc->uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	uc->uc_stack.ss_sp = (void *)s->rec.altstack_sp;
	uc->uc_stack.ss_size = s->rec.altstack_size;
	uc->uc_stack.ss_flags = s->rec.altstack_flags;
	memset(&uc->uc_sigmask, 0xff, sizeof(uc->uc_sigmask));
	sc->fpstate = (void *)x;
	sc->cs = USER_CS;
	sc->ss = USER_DS;
	sc->eflags = 0x202;
	sc->rip = (__u64)thread_last_wait;
	sc->rsp = (__u64)s + CTM_HOLE_PER_THREAD - 16;
	sc->rax = __NR_lseek;
	sc->rdi = s->r->dev;
	sc->rsi = (__u64)&s->rec.wait;
	sc->rdx = CTM_SEEK_WAIT;
	return uc;
}

/* ---- what each thread has for itself ---------------------------------------- */

/*
 * To the CPUs it was bound to, if all of them are here and allowed; the kernel would
 * take a part of them, too.
 */
static void cpus_set(const struct ctm_rec_thread *t)
{
	__u64 old[CTM_CPUS_MAX / 64] = { 0 }, now[CTM_CPUS_MAX / 64] = { 0 }, any = 0;
	unsigned int i, n = CTM_CPUS_MAX / 64;
	bool same = true;

	for (i = 0; i < n; i++)
		any |= t->cpus[i];
	if (!any || SYS(sched_getaffinity, 0, sizeof(old), old) < 0)
		return;
	if (SYS(sched_setaffinity, 0, sizeof(t->cpus), t->cpus) < 0)
		return;
	SYS(sched_getaffinity, 0, sizeof(now), now);
	for (i = 0; i < n; i++)
		same &= now[i] == t->cpus[i];
	if (!same)
		SYS(sched_setaffinity, 0, sizeof(old), old);
}

static void sched_set(struct restore *r, const struct ctm_rec_thread *t)
{
	int prio = t->rt_priority;

	restore_must(r, SYS(setpriority, 0, 0, t->nice), "thread %u: nice %d", t->tid, t->nice);
	restore_must(r, SYS(sched_setscheduler, 0, t->policy, &prio),
		     "thread %u: scheduling policy %u", t->tid, t->policy);
	cpus_set(t);
	if (t->ioprio)
		restore_must(r, SYS(ioprio_set, IOPRIO_WHO_PROCESS, 0, t->ioprio),
			     "thread %u: ioprio", t->tid);
}

static void altstack_set(struct restore *r, const struct ctm_rec_thread *t)
{
	stack_t st = {
		.ss_sp = (void *)t->altstack_sp, .ss_size = t->altstack_size,
		.ss_flags = t->altstack_flags,
	};

	/* rt_sigreturn does it again, but says nothing when it fails */
	restore_must(r, SYS(sigaltstack, &st, 0), "thread %u: alternate stack", t->tid);
}

/* everything but credentials; after it, nothing touches the thread's own memory */
static void thread_settle(struct restore *r, const struct ctm_rec_thread *t)
{
	char comm[17] = { 0 };

	memcpy(comm, t->comm, 16);
	restore_must(r, sys_prctl(PR_SET_NAME, (long)comm, 0, 0, 0), "thread %u: name", t->tid);
	sched_set(r, t);
	if (t->timerslack_ns)
		restore_must(r, sys_prctl(PR_SET_TIMERSLACK, t->timerslack_ns, 0, 0, 0),
			     "thread %u: timer slack", t->tid);
	SYS(set_tid_address, t->clear_child_tid);
	if (t->robust_list)
		restore_must(r, SYS(set_robust_list, t->robust_list, ROBUST_LIST_HEAD),
			     "thread %u: robust list", t->tid);
	if (t->rseq)
		restore_must(r, SYS(rseq, t->rseq, t->rseq_len, 0, t->rseq_sig),
			     "thread %u: rseq", t->tid);
	altstack_set(r, t);
	restore_must(r, SYS(arch_prctl, ARCH_SET_GS, t->wait.regs.gs_base), "thread %u: gs", t->tid);
	restore_must(r, SYS(arch_prctl, ARCH_SET_FS, t->wait.regs.fs_base), "thread %u: fs", t->tid);
}

static void thread_drop(struct restore *r, const struct ctm_rec_thread *t)
{
	creds_drop(r);
	if (t->pdeath_signal)	/* which a change of credentials forgets */
		restore_must(r, sys_prctl(PR_SET_PDEATHSIG, t->pdeath_signal, 0, 0, 0),
			     "thread %u: parent death signal", t->tid);
}

static void thread_run(void *arg)
{
	struct slot *s = arg;
	struct restore *r = s->r;

	thread_settle(r, &s->rec);
	sig_pending_own(r, s->rec.tid);
	thread_drop(r, &s->rec);
	__atomic_add_fetch(&r->threads_done, 1, __ATOMIC_SEQ_CST);
	SYS(futex, &r->threads_done, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0);
	thread_sigreturn(frame_make(s));
}

static void thread_make(struct restore *r, struct slot *s)
{
	__s32 tid = s->rec.tid;
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			 CLONE_SYSVSEM,
		.stack = (__u64)s + CTM_HOLE_PER_THREAD / 2,
		.stack_size = CTM_HOLE_PER_THREAD / 2,
		.set_tid = (__u64)&tid,
		.set_tid_size = 1,
	};

	restore_must(r, thread_clone(&args, sizeof(args), thread_run, s), "thread %d", tid);
}

void threads_start(struct restore *r)
{
	if (r->nthreads != r->head.threads || !slot_of(r, r->nthreads - 1)->xstate_len)
		restore_fail(r, EBADMSG, "image: %u of %u threads", r->nthreads, r->head.threads);
	for (unsigned int i = 1; i < r->nthreads; i++)
		thread_make(r, slot_of(r, i));
}

void threads_finish(struct restore *r)
{
	struct slot *s = slot_of(r, 0);
	unsigned int done;

	while ((done = __atomic_load_n(&r->threads_done, __ATOMIC_SEQ_CST)) < r->nthreads - 1)
		SYS(futex, &r->threads_done, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, done, 0, 0, 0);
	thread_settle(r, &s->rec);
	sig_pending_own(r, s->rec.tid);
	timers_arm(r);
	files_arm(r);
	thread_drop(r, &s->rec);
	restore_must(r, sys_prctl(PR_SET_DUMPABLE, r->task->dumpable == 1, 0, 0, 0), "dumpable");
	thread_sigreturn(frame_make(s));
}
