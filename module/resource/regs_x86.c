// SPDX-License-Identifier: GPL-2.0
/*
 * regs_x86.c - registers of a thread that stands at the boundary to user mode
 *
 * A frozen thread's general registers are on its kernel stack, its segment bases
 * in its thread_struct, its extended state is read through the regset that
 * debuggers use.  Of current (self-capture) the bases are still in the CPU.
 *
 * A system call that the freeze interrupted stands in the image as in the
 * registers: its number in orig_ax, a restart code in ax.  Whether it is made
 * again or answers EINTR is decided by the kernel that the thread lands on, when
 * it delivers the signals: those that came with the COMMIT count, too.
 */
#include <linux/kallsyms.h>
#include <linux/mm.h>
#include <linux/regset.h>
#include <linux/rseq.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <uapi/linux/futex.h>
#include <asm/elf.h>
#include <asm/mmu_context.h>
#include <asm/ptrace.h>
#include <asm/unistd.h>

#include "../asm/asm.h"
#include "../clock.h"
#include "../compat/compat.h"
#include "../waits.h"
#include "resource.h"

/* ---- what stops it; holds RCU ---- */

static const char *thread_stop(struct task_struct *t)
{
	unsigned int i;

	if (test_tsk_thread_flag(t, TIF_ADDR32) || !user_64bit_mode(task_pt_regs(t)))
		return "is a 32-bit program";
#ifdef CONFIG_X86_IOPL_IOPERM
	if (t->thread.io_bitmap || t->thread.iopl_emul)
		return "may access I/O ports";
#endif
	for (i = 0; i < HBP_NUM; i++)
		if (t->thread.ptrace_bps[i])
			return "has hardware breakpoints";
	for (i = 0; i < GDT_ENTRY_TLS_ENTRIES; i++)
		if (t->thread.tls_array[i].p)
			return "has segments of its own (set_thread_area)";
	if (ctm_task_shadow_stack(t))
		return "has a shadow stack";
	return NULL;
}

void ctm_explain_regs(struct ctm_explain_ctx *x, struct task_struct *t)
{
	const char *why = thread_stop(t);

	if (why)
		ctm_stop(x, "thread %.16s %s: cannot move", t->comm, why);
}

/* ---- extended state ---- */

int ctm_xstate_get(struct task_struct *t, void **data, u32 *len)
{
	const struct user_regset_view *view = task_user_regset_view(t);
	const struct user_regset *rs = NULL;
	unsigned int i;
	void *buf;
	int n;

	for (i = 0; i < view->n; i++)
		if (view->regsets[i].core_note_type == NT_X86_XSTATE)
			rs = &view->regsets[i];
	if (!rs)
		return -ENODEV;
	buf = kvzalloc(rs->n * rs->size, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	n = ctm_regset_get(t, rs, rs->n * rs->size, buf);
	if (n < 0) {
		kvfree(buf);
		return n;
	}
	*data = buf;
	*len = n;
	return 0;
}

/* the bytes that software may use begin with the features which the image can hold */
#define XSTATE_SW_OFFSET	464

u64 ctm_xstate_features(const void *data, u32 len)
{
	u64 features = 0;

	if (len >= XSTATE_SW_OFFSET + sizeof(features))
		memcpy(&features, data + XSTATE_SW_OFFSET, sizeof(features));
	return features;
}

static int put_xstate(struct ctm_capture *c, struct task_struct *t, u32 tid)
{
	struct ctm_rec_xstate *r = c->buf + sizeof(struct ctm_rec);
	void *data;
	u32 len;
	int err = ctm_xstate_get(t, &data, &len);

	if (err)
		return ctm_fail(c, err, "extended registers of thread %.16s cannot be read", t->comm);
	if (len > CTM_REC_MAX - sizeof(struct ctm_rec) - sizeof(*r)) {
		kvfree(data);
		return -EMSGSIZE;
	}
	r->tid = tid;
	r->len = len;
	memcpy(r->data, data, len);
	kvfree(data);
	return ctm_put_buf(c, CTM_REC_XSTATE, sizeof(*r) + len);
}

/* ---- general registers ---- */

static void copy_regs(struct task_struct *t, bool self, struct ctm_regs *r)
{
	const struct pt_regs *p = task_pt_regs(t);

	*r = (struct ctm_regs) {
		.r15 = p->r15, .r14 = p->r14, .r13 = p->r13, .r12 = p->r12, .bp = p->bp,
		.bx = p->bx, .r11 = p->r11, .r10 = p->r10, .r9 = p->r9, .r8 = p->r8,
		.ax = p->ax, .cx = p->cx, .dx = p->dx, .si = p->si, .di = p->di,
		.orig_ax = p->orig_ax, .ip = p->ip, .cs = p->cs & 0xffff, .flags = p->flags,
		.sp = p->sp, .ss = p->ss & 0xffff,
		.fs_base = t->thread.fsbase, .gs_base = t->thread.gsbase,
		.ds = t->thread.ds, .es = t->thread.es,
		.fs = t->thread.fsindex, .gs = t->thread.gsindex,
	};
	if (self) {
		u16 seg;

		ctm_read_user_bases(&r->fs_base, &r->gs_base);
		savesegment(ds, seg);
		r->ds = seg;
		savesegment(es, seg);
		r->es = seg;
		savesegment(fs, seg);
		r->fs = seg;
		savesegment(gs, seg);
		r->gs = seg;
	}
}

/* ---- interrupted system calls ---- */

/*
 * A call that was restarted once already is restart_syscall(2) to its registers;
 * whose time it is that is left, the name of its continuation tells.
 */
static enum ctm_restart restart_kind(const struct restart_block *rb)
{
	char name[KSYM_SYMBOL_LEN];

	snprintf(name, sizeof(name), "%ps", rb->fn);
	if (!strcmp(name, "hrtimer_nanosleep_restart"))
		return CTM_RESTART_NANOSLEEP;
	if (!strcmp(name, "do_restart_poll"))
		return CTM_RESTART_POLL;
	if (!strcmp(name, "futex_wait_restart"))
		return CTM_RESTART_FUTEX;
	return CTM_RESTART_NONE;
}

/* nanosleep's first argument is an address, clock_nanosleep's a small number */
static u64 call_of(enum ctm_restart kind, const struct ctm_regs *r)
{
	switch (kind) {
	case CTM_RESTART_NANOSLEEP:
		return r->di < PAGE_SIZE ? __NR_clock_nanosleep : __NR_nanosleep;
	case CTM_RESTART_POLL:
		return __NR_poll;
	case CTM_RESTART_FUTEX:
		return __NR_futex;
	default:
		return r->orig_ax;
	}
}

static void set_deadline(struct ctm_land_thread *w, u32 clock, s64 host_ns, struct task_struct *t)
{
	s64 mono, boot;

	ctm_clock_offsets(t, &mono, &boot);
	w->restart_clock = clock;
	w->deadline_ns = host_ns;
	if (clock == CLOCK_MONOTONIC)
		w->deadline_ns += mono;
	else if (clock == CLOCK_BOOTTIME)
		w->deadline_ns += boot;
}

static int restart_timed(struct ctm_capture *c, struct task_struct *t, struct ctm_land_thread *w)
{
	struct restart_block *rb = &t->restart_block;
	enum ctm_restart kind = restart_kind(rb);

	if (kind == CTM_RESTART_NONE)
		return ctm_fail(c, -EAGAIN, "thread %.16s waits in a call (%ps) that cannot be continued: try again",
				t->comm, rb->fn);
	w->regs.orig_ax = call_of(kind, &w->regs);
	w->regs.ax = -ERESTARTNOHAND;	/* the same, for a call that has its time in its arguments */
	w->restart = kind;
	switch (kind) {
	case CTM_RESTART_NANOSLEEP:
		set_deadline(w, rb->nanosleep.clockid, rb->nanosleep.expires, t);
		break;
	case CTM_RESTART_POLL:
		if (rb->poll.has_timeout)
			set_deadline(w, CLOCK_MONOTONIC, ctm_poll_deadline(rb), t);
		else
			w->restart = CTM_RESTART_NONE;	/* for ever, as it says itself */
		break;
	default:
		if ((w->regs.si & FUTEX_CMD_MASK) == FUTEX_WAIT)
			set_deadline(w, CLOCK_MONOTONIC, rb->futex.time, t);
		else
			w->restart = CTM_RESTART_NONE;	/* its time is absolute */
		break;
	}
	return 0;
}

static int settle_call(struct ctm_capture *c, struct task_struct *t, struct ctm_land_thread *w)
{
	struct ctm_regs *r = &w->regs;
	s64 deadline;

	if ((s64)r->orig_ax < 0)
		return 0;
	r->orig_ax = (u32)r->orig_ax;	/* as the kernel reads it */
	switch ((long)r->ax) {
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
		if (ctm_waits_deadline(c->p->waits, t, &deadline)) {
			w->restart = CTM_RESTART_CALL;
			set_deadline(w, CLOCK_MONOTONIC, deadline, t);
		}
		return 0;
	case -ERESTART_RESTARTBLOCK:
		return restart_timed(c, t, w);
	}
	r->orig_ax = -1;		/* it is over */
	return 0;
}

/* ---- restartable sequences ---- */

/* As the kernel would at the next return to user mode: to the abort handler. */
static int abort_rseq(struct ctm_capture *c, struct task_struct *t, struct ctm_land_thread *w)
{
#ifdef CONFIG_RSEQ
	unsigned long at = (unsigned long)ctm_task_rseq(t);
	struct rseq_cs cs;
	u64 ptr;

	if (!at)
		return 0;
	at += offsetof(struct rseq, rseq_cs);
	if (access_process_vm(t, at, &ptr, sizeof(ptr), FOLL_FORCE) != sizeof(ptr))
		return ctm_fail(c, -EFAULT, "thread %.16s: its rseq area cannot be read", t->comm);
	if (!ptr)
		return 0;
	if (access_process_vm(t, ptr, &cs, sizeof(cs), FOLL_FORCE) != sizeof(cs))
		return ctm_fail(c, -EFAULT, "thread %.16s: its rseq section cannot be read", t->comm);
	if (w->regs.ip - cs.start_ip < cs.post_commit_offset)
		w->regs.ip = cs.abort_ip;
#endif
	return 0;
}

int ctm_capture_regs(struct ctm_capture *c, struct task_struct *t, struct ctm_land_thread *w)
{
	int err;

	memset(w, 0, sizeof(*w));
	copy_regs(t, c->self, &w->regs);
	w->sigmask = test_tsk_restore_sigmask(t) ? t->saved_sigmask.sig[0] : t->blocked.sig[0];
	if (c->self || c->fork) {
		w->regs.ax = 0;		/* what the call answers at the new host, or in a child */
		w->regs.orig_ax = -1;
	} else {
		err = settle_call(c, t, w);
		if (!err)
			err = abort_rseq(c, t, w);
		if (err)
			return err;
	}
	/* sigsuspend and its kind: the mask that counts until the signals are delivered */
	if ((s64)w->regs.orig_ax >= 0 && test_tsk_restore_sigmask(t)) {
		w->waitmask = t->blocked.sig[0];
		w->flags |= CTM_LAND_WAITMASK;
	}
	return 0;
}

int ctm_capture_threads(struct ctm_capture *c)
{
	struct ctm_rec_thread r;
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < c->ntasks; i++) {
		memset(&r, 0, sizeof(r));
		ctm_thread_fill(c, c->tasks[i], &r);
		err = ctm_capture_regs(c, c->tasks[i], &r.wait);
		if (!err)
			err = ctm_put(c, CTM_REC_THREAD, &r, sizeof(r));
		if (!err)
			err = put_xstate(c, c->tasks[i], r.tid);
	}
	return err;
}
