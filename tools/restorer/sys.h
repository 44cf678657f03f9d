/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sys.h - system calls, bare
 *
 * Each returns what the kernel returns: a result, or -errno.  There is no
 * errno, no libc and no vDSO in this program.
 */
#ifndef RESTORER_SYS_H
#define RESTORER_SYS_H

#include <asm/signal.h>
#include <asm/stat.h>
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/time.h>
#include <linux/types.h>
#include <stddef.h>
#include <stdbool.h>

#include "core/image.h"

/* newer than the oldest headers that we build with */
#ifndef PR_TIMER_CREATE_RESTORE_IDS
#define PR_TIMER_CREATE_RESTORE_IDS	77
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL		102
#endif

struct sys_pollfd {
	int fd;
	short events, revents;
};
#define POLLIN		0x0001
#define POLLPRI		0x0002
#define POLLOUT		0x0004
#define POLLERR		0x0008
#define POLLHUP		0x0010

struct sys_iovec {
	void *base;
	size_t len;
};

struct sys_msghdr {
	void *name;
	int namelen;
	struct sys_iovec *iov;
	size_t iovlen;
	void *control;
	size_t controllen;
	unsigned int flags;
};

struct sys_cmsghdr {
	size_t len;
	int level, type;
};

#define MSG_CMSG_CLOEXEC	0x40000000
#define MSG_NOSIGNAL		0x4000
#define SOL_SOCKET		1
#define SCM_RIGHTS		1
#define AF_UNIX			1

#define WNOHANG			1
#define WUNTRACED		2
#define WCONTINUED		8

/* the first address that user space cannot have, four-level paging */
#define TASK_TOP		0x7ffffffff000ull

static inline long sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 asm("r10") = d;
	register long r8 asm("r8") = e;
	register long r9 asm("r9") = f;
	long ret;

	asm volatile("syscall"
		     : "=a"(ret)
		     : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory");
	return ret;
}

#define SYS_PICK(_0, _1, _2, _3, _4, _5, _6, name, ...) name
#define SYS_0(nr)			sys_call(nr, 0, 0, 0, 0, 0, 0)
#define SYS_1(nr, a)			sys_call(nr, (long)(a), 0, 0, 0, 0, 0)
#define SYS_2(nr, a, b)			sys_call(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS_3(nr, a, b, c)		sys_call(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS_4(nr, a, b, c, d)		sys_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYS_5(nr, a, b, c, d, e) \
	sys_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SYS_6(nr, a, b, c, d, e, f) \
	sys_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
/** SYS(name, args...) - the call of that name */
#define SYS(call, ...) \
	SYS_PICK(call, ##__VA_ARGS__, SYS_6, SYS_5, SYS_4, SYS_3, SYS_2, SYS_1, SYS_0) \
	(__NR_##call, ##__VA_ARGS__)

static inline __attribute__((noreturn)) void sys_exit(int status)
{
	for (;;)
		SYS(exit_group, status);
}

static inline long sys_open(const char *path, unsigned int flags)
{
	return SYS(openat, AT_FDCWD, path, flags, 0);
}

/** sys_mmap() - the address, or -errno */
static inline long sys_mmap(__u64 at, size_t len, int prot, int flags, int fd, __u64 off)
{
	return SYS(mmap, at, len, prot, flags, fd, off);
}

static inline bool sys_failed(long ret)
{
	return (unsigned long)ret >= (unsigned long)-4095;
}

static inline long sys_prctl(int what, unsigned long a, unsigned long b, unsigned long c,
			     unsigned long d)
{
	return SYS(prctl, what, a, b, c, d);
}

/** sys_nap() - sleep for about so long */
static inline void sys_nap(unsigned int us)
{
	long long t[2] = { us / 1000000, us % 1000000 * 1000 };

	SYS(nanosleep, t, 0);
}

static inline __s64 sys_clock_ns(int clock)
{
	long long t[2] = { 0, 0 };

	SYS(clock_gettime, clock, t);
	return t[0] * 1000000000ll + t[1];
}

#endif /* RESTORER_SYS_H */
