/* SPDX-License-Identifier: GPL-2.0 */
/*
 * compat.h - today's kernel API on older kernels
 *
 * The module is written for the newest kernel; what an older one lacks or spells
 * otherwise is supplied here, each probe with the upstream change behind it.
 * The only file with version checks.  One section for each part of the module.
 */
#ifndef CTM_COMPAT_H
#define CTM_COMPAT_H

#include <linux/version.h>

/*
 * ---- net/, netlink.c ---------------------------------------------------------
 */
#include <crypto/blake2s.h>
#include <linux/net.h>
#include <linux/socket.h>
#include <linux/uio.h>
#include <net/genetlink.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
/* "lib/crypto: blake2s: Rename blake2s_state to blake2s_ctx", and
 * "lib/crypto: blake2s: Adjust parameter order of blake2s()"
 */
#define blake2s_ctx blake2s_state

static inline void ctm_compat_blake2s(const u8 *key, size_t keylen, const u8 *in,
				      size_t inlen, u8 *out, size_t outlen)
{
	blake2s(out, in, key, outlen, inlen, keylen);
}
#define blake2s ctm_compat_blake2s

/* "net: Add struct sockaddr_unsized for sockaddr of unknown length" */
#define sockaddr_unsized sockaddr
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
/* 5c670a010de4 "genetlink: add genlmsg_iput() API", and before it in the same
 * series genl_info_dump(); what we take from it is ->attrs
 */
#define genl_info_dump(cb) genl_dumpit_info(cb)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
/* dc97391e6610 "sock: Remove ->sendpage*() in favour of sendmsg(MSG_SPLICE_PAGES)":
 * before, pages are handed over one by one.  May send less than was asked.
 */
#undef MSG_SPLICE_PAGES
#define MSG_SPLICE_PAGES 0x8000000

static inline int ctm_compat_sendmsg(struct socket *sock, struct msghdr *msg)
{
	const struct bio_vec *bv = msg->msg_iter.bvec;
	size_t off = msg->msg_iter.iov_offset, len;
	int flags = msg->msg_flags & ~MSG_SPLICE_PAGES;
	int ret;

	if (!(msg->msg_flags & MSG_SPLICE_PAGES))
		return sock_sendmsg(sock, msg);
	len = min(bv->bv_len - off, iov_iter_count(&msg->msg_iter));
	if (len < iov_iter_count(&msg->msg_iter))
		flags |= MSG_MORE | MSG_SENDPAGE_NOTLAST;
	ret = kernel_sendpage(sock, bv->bv_page, bv->bv_offset + off, len, flags);
	if (ret > 0)
		iov_iter_advance(&msg->msg_iter, ret);
	return ret;
}
#define sock_sendmsg ctm_compat_sendmsg
#endif

/*
 * From 6.13 on do_tls_setsockopt_conf(), built by newer compilers, warns
 * (FORTIFY_SOURCE: "field-spanning write") when the keys come from kernel
 * memory: it copies behind a struct tls_crypto_info.  User memory is not checked.
 */
#define CTM_TLS_KEYS_FROM_USER	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0))

/*
 * ---- freeze.c, capture.c, resource/ ------------------------------------------
 */
#include <linux/alarmtimer.h>
#include <linux/capability.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/posix-timers.h>
#include <linux/sched.h>
#include <linux/sched/coredump.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>
#include <net/sock.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#include <linux/filelock.h>	/* 5970e15dbcfe "filelock: move file locking definitions to separate header file" */
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
/* ca5e863233e8 "mm/gup: remove vmas parameter from get_user_pages_remote()" */
#define get_user_pages_remote(mm, start, n, flags, pages, locked) \
	get_user_pages_remote(mm, start, n, flags, pages, NULL, locked)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
/* 1934b212615d "file: reclaim 24 bytes from f_owner" */
static inline struct fown_struct *file_f_owner(const struct file *file)
{
	return (struct fown_struct *)&file->f_owner;
}
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
/* a69ce85ec9af "filelock: split common fields into struct file_lock_core" */
#define file_lock_core	file_lock
#define flc_list	fl_list
#define flc_owner	fl_owner
#endif

/* 0ede61d8589c "file: convert to SLAB_TYPESAFE_BY_RCU" (6.7) changed get_file_rcu():
 * the executable of a mm, with a reference, or NULL
 */
static inline struct file *ctm_mm_exe_file(struct mm_struct *mm)
{
	struct file *f;

	rcu_read_lock();
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	f = get_file_rcu(&mm->exe_file);
#else
	f = rcu_dereference(mm->exe_file);
	if (f && !get_file_rcu(f))
		f = NULL;
#endif
	rcu_read_unlock();
	return f;
}

#ifdef CONFIG_RSEQ
/* The rseq state of a task became a struct ("rseq: Condense the inner
 * structures", 6.19); ee3e3ac05c26 "rseq: Introduce extensible rseq ABI" (6.3)
 * added the length, always 32 before.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
#define ctm_task_rseq(t)	((t)->rseq.usrptr)
#define ctm_task_rseq_sig(t)	((t)->rseq.sig)
#define ctm_task_rseq_len(t)	((t)->rseq.len)
#else
#define ctm_task_rseq(t)	((t)->rseq)
#define ctm_task_rseq_sig(t)	((t)->rseq_sig)
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#define ctm_task_rseq_len(t)	((t)->rseq_len)
#else
#define ctm_task_rseq_len(t)	32u
#endif
#endif
#endif

/* The futex state of a task became a struct (7.x), and so did the deadline of
 * poll in a restart block.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
#define ctm_task_robust_list(t)	((t)->futex.robust_list)
#define ctm_poll_deadline(rb)	timespec64_to_ns(&(rb)->poll.end_time)
#else
#define ctm_task_robust_list(t)	((t)->robust_list)
#define ctm_poll_deadline(rb)	((s64)(rb)->poll.tv_sec * NSEC_PER_SEC + (s64)(rb)->poll.tv_nsec)
#endif

/* kernel/exec_state.c (7.2): dumpable moved from the mm to the task */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
#include <linux/sched/exec_state.h>
static inline unsigned int ctm_task_dumpable(struct task_struct *t, struct mm_struct *mm)
{
	unsigned int d = 0;

	rcu_read_lock();
	if (rcu_access_pointer(t->exec_state))
		d = READ_ONCE(rcu_dereference(t->exec_state)->dumpable);
	rcu_read_unlock();
	return d;
}
#else
static inline unsigned int ctm_task_dumpable(struct task_struct *t, struct mm_struct *mm)
{
	return get_dumpable(mm);
}
#endif

/* mm->flags became a bitmap behind accessors ("mm: convert core mm to mm_flags_*()
 * accessors", 6.18), with two ways to be without huge pages
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
#define ctm_mm_thp_disabled(mm)	mm_flags_test(MMF_DISABLE_THP_COMPLETELY, mm)
#else
#define ctm_mm_thp_disabled(mm)	test_bit(MMF_DISABLE_THP, &(mm)->flags)
#endif

/* f122a08b197d "capability: just use a 'u64' instead of a 'u32[2]' array" (6.3) */
static inline u64 ctm_cap_u64(kernel_cap_t c)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	return c.val;
#else
	return (u64)c.cap[1] << 32 | c.cap[0];
#endif
}

/* "signal: Provide ignored_posix_timers list" and its series (6.13) made the list
 * of timers an hlist and gave a timer a state of three values (0: disarmed,
 * 1: armed, 2: its signal is queued); before, two fields said so.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define ctm_for_each_timer(pos, signal) \
	hlist_for_each_entry(pos, &(signal)->posix_timers, list)
#else
#define ctm_for_each_timer(pos, signal) \
	list_for_each_entry(pos, &(signal)->posix_timers, list)
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define ctm_timer_armed(tmr)	((tmr)->it_status == 1)
#define ctm_timer_queued(tmr)	((tmr)->it_status == 2)
#else
#define ctm_timer_armed(tmr)	((tmr)->it_active && !((tmr)->it_requeue_pending & 1))
#define ctm_timer_queued(tmr)	((tmr)->it_requeue_pending & 1)
#endif

/* "posix-timers: Embed sigqueue in struct k_itimer" (6.13) */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define ctm_timer_info(tmr)	(&(tmr)->sigq.info)
#else
#define ctm_timer_info(tmr)	(&(tmr)->sigq->info)
#endif

/* 98cfa4630912 "x86: Introduce userspace API for shadow stack" (6.6) */
#ifdef CONFIG_X86_USER_SHADOW_STACK
#define ctm_task_shadow_stack(t)	((t)->thread.features & 1)
#else
#define ctm_task_shadow_stack(t)	false
#endif

/* fdinfo of an eventfd tells since 33d8b5d78264 "eventfd: show the EFD_SEMAPHORE
 * flag in fdinfo" (6.6) whether it is a semaphore; before, only its own structure
 * does, the same in all kernels from 5.2 to 6.5.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
struct ctm_compat_eventfd {
	struct kref kref;
	wait_queue_head_t wqh;
	__u64 count;
	unsigned int flags;
	int id;
};
#define ctm_eventfd_semaphore(f, shown) \
	(!!(((struct ctm_compat_eventfd *)(f)->private_data)->flags & EFD_SEMAPHORE))
#else
#define ctm_eventfd_semaphore(f, shown)	(shown)
#endif

/* Whether a timerfd is going to fire: fdinfo prints no time left both of one that is
 * not set and of one whose interrupt is late.  Its structure begins with this union in
 * all kernels since 11ffa9d6065f "timerfd: Add alarm timers" (3.11).
 */
union ctm_compat_timerfd {
	struct hrtimer tmr;
	struct alarm alarm;
};

static inline bool ctm_timerfd_active(const struct file *f, int clock)
{
	const union ctm_compat_timerfd *t = f->private_data;
	bool alarm = clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;

	return hrtimer_active(alarm ? &t->alarm.timer : &t->tmr);
}

/* flags of areas that older kernels do not have: "mm: add MAP_DROPPABLE" (6.11),
 * 8be7258aad44 "mseal: add mseal syscall" (6.10), "x86/mm: Introduce VM_SHADOW_STACK" (6.6)
 */
#ifndef VM_DROPPABLE
#define VM_DROPPABLE		0
#endif
#ifndef VM_SEALED
#define VM_SEALED		0
#endif
#ifndef VM_SHADOW_STACK
#define VM_SHADOW_STACK		0
#endif

/* Guard regions: 662df3e5c376 "mm: madvise: implement lightweight guard page
 * mechanism" (6.13); VM_MAYBE_GUARD, which tells where to look for them, and the
 * softleaf names came with 6.19.  Between the two their areas cannot be read.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
#include <linux/swap.h>
#include <linux/leafops.h>
#define ctm_pte_guard(pte)	(pte_is_marker(pte) && softleaf_is_guard_marker(softleaf_from_pte(pte)))
#else
#define VM_MAYBE_GUARD		0
#define ctm_pte_guard(pte)	false
#endif

#ifndef PID_FS_MAGIC		/* "pidfd: add pidfs" (6.9) */
#define PID_FS_MAGIC		0x50494446
#endif

/* does a unix socket tell its reader who wrote (SO_PASSCRED, SO_PASSSEC, SO_PASSPIDFD)? */
static inline bool ctm_sock_passes(const struct sock *sk)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
	/* 0e81cfd971dc "af_unix: Move SOCK_PASS{CRED,PIDFD,SEC} to struct sock" */
	return sk->sk_scm_credentials || sk->sk_scm_security || sk->sk_scm_pidfd;
#else
	const struct socket *sock = sk->sk_socket;

	return sock && (test_bit(SOCK_PASSCRED, &sock->flags) || test_bit(SOCK_PASSSEC, &sock->flags)
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
			/* 5e2ff6704a27 "scm: add SO_PASSPIDFD and SCM_PIDFD" */
			|| test_bit(SOCK_PASSPIDFD, &sock->flags)
#endif
			);
#endif
}

/*
 * ---- rfile*.c, deputy.c, term*.c ---------------------------------------------
 */
#include <linux/mount.h>

/* b74d24f7a74f "fs: port ->getattr() to pass mnt_idmap" and its series (6.3); for
 * 6.1 it is a user namespace that is handed through
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#define ctm_idmap		mnt_idmap
#define ctm_mnt_idmap(mnt)	mnt_idmap(mnt)
#else
#define ctm_idmap		user_namespace
#define ctm_mnt_idmap(mnt)	mnt_user_ns(mnt)
#endif

/* 33b3b041543e "splice: Add a func to do a splice from an O_DIRECT file without
 * ITER_PIPE" (6.5, renamed by b85930a07fa1): what takes its place before
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define copy_splice_read generic_file_splice_read
#endif

/* 269aed7014b3 "fs: move file_start_write() into vfs_iter_write()" (6.8) */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
static inline ssize_t ctm_compat_iter_write(struct file *file, struct iov_iter *iter,
					    loff_t *pos, rwf_t flags)
{
	ssize_t n;

	file_start_write(file);
	n = vfs_iter_write(file, iter, pos, flags);
	file_end_write(file);
	return n;
}
#define vfs_iter_write ctm_compat_iter_write
#endif

/* "signal: Remove task argument from dequeue_signal()" (6.12) */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#define dequeue_signal(mask, info, type) dequeue_signal(current, mask, info, type)
#endif

/*
 * "fs: store real path instead of fake path in backing file f_path" (def3ae83da02,
 * 6.7): what overlayfs maps has the path of the layer; before, the user's
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
#include <linux/fs.h>
static inline const struct path *file_user_path(const struct file *f)
{
	return &f->f_path;
}
#endif

/*
 * "x86/fpu: Make task_struct::thread constant size" and the debug check with it
 * (6.16): x86_task_fpu() warns when current is a kernel thread, and the regset of
 * another task's extended state asks for current's, only to compare addresses.
 * With interrupts off nobody else looks at our flags meanwhile.
 */
#include <linux/regset.h>
static inline int ctm_regset_get(struct task_struct *t, const struct user_regset *rs,
				 unsigned int size, void *data)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
	unsigned int kthread = current->flags & PF_KTHREAD;
	unsigned long irq;
	int ret;

	local_irq_save(irq);
	current->flags &= ~kthread;
	ret = regset_get(t, rs, size, data);
	current->flags |= kthread;
	local_irq_restore(irq);
	return ret;
#else
	return regset_get(t, rs, size, data);
#endif
}

/*
 * ---- store*.c, trace.h -------------------------------------------------------
 */
/* 5f60d5f6bbc1 "move asm/unaligned.h to linux/unaligned.h" (6.12) */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

/*
 * ---- store_data.c ------------------------------------------------------------
 */
/* "mm: update shmem_[kernel]_file_*() functions to use vma_flags_t" (7.0) */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
#define CTM_SHMEM_NORESERVE	mk_vma_flags(VMA_NORESERVE_BIT)
#else
#define CTM_SHMEM_NORESERVE	VM_NORESERVE
#endif

/*
 * ---- tick.c ------------------------------------------------------------------
 */
#include <linux/hrtimer.h>

/* 86dd6c04ef9f "sched/balancing: Rename scheduler_tick() => sched_tick()" (6.10) */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define CTM_SCHED_TICK	"sched_tick"
#else
#define CTM_SCHED_TICK	"scheduler_tick"
#endif

/* 908a1d775422 "hrtimers: Introduce hrtimer_setup() to replace hrtimer_init()" (6.13) */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
static inline void hrtimer_setup(struct hrtimer *t, enum hrtimer_restart (*fn)(struct hrtimer *),
				 clockid_t clock, const enum hrtimer_mode mode)
{
	hrtimer_init(t, clock, mode);
	t->function = fn;
}
#endif

#endif /* CTM_COMPAT_H */
