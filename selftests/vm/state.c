// SPDX-License-Identifier: GPL-2.0
/*
 * state.c - what the kernel knows of a process, asked before and after
 *
 * Everything is set to something unusual where the process may, asked for with
 * the ordinary calls, and asked for again after the moves: the two reports have
 * to be equal, line by line.
 */
#include "workload.h"
#include <fcntl.h>
#include <grp.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define REPORT	(64 * 1024)

struct report { char text[REPORT]; size_t len; };

__attribute__((format(printf, 2, 3)))
static void put(struct report *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	r->len += vsnprintf(r->text + r->len, REPORT - r->len, fmt, ap);
	va_end(ap);
}

static void ids(struct report *r)
{
	uid_t ru, eu, su;
	gid_t rg, eg, sg, groups[64];
	int n = getgroups(64, groups), i;

	getresuid(&ru, &eu, &su);
	getresgid(&rg, &eg, &sg);
	put(r, "uids %u %u %u\ngids %u %u %u\n", ru, eu, su, rg, eg, sg);
	for (i = 0; i < n; i++)
		put(r, "group %u\n", groups[i]);
	put(r, "pid %d\nppid %d\npgrp %d\nsession %d\ntid %ld\n", getpid(), getppid(), getpgrp(),
	    getsid(0), syscall(SYS_gettid));
}

static void limits(struct report *r)
{
	struct rlimit l;
	int i;

	for (i = 0; i < 16; i++) {
		getrlimit(i, &l);
		put(r, "limit %d %llu %llu\n", i, (unsigned long long)l.rlim_cur,
		    (unsigned long long)l.rlim_max);
	}
	put(r, "nice %d\n", getpriority(PRIO_PROCESS, 0));
	put(r, "ioprio %ld\n", syscall(SYS_ioprio_get, 1, 0));
	put(r, "scheduler %d\n", sched_getscheduler(0));
}

static void file_text(struct report *r, const char *path)
{
	char text[256] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	put(r, "%s %.*s\n", path, (int)n, text);
}

static void link_text(struct report *r, const char *path)
{
	char text[1024] = "";

	if (readlink(path, text, sizeof(text) - 1) < 0)
		strcpy(text, strerror(errno));
	put(r, "%s %s\n", path, text);
}

static void prctls(struct report *r)
{
	char name[17] = "";
	int value = 0;

	prctl(PR_GET_NAME, name);
	put(r, "name %s\n", name);
	put(r, "dumpable %d\n", prctl(PR_GET_DUMPABLE));
	prctl(PR_GET_PDEATHSIG, &value);
	put(r, "pdeathsig %d\n", value);
	prctl(PR_GET_CHILD_SUBREAPER, &value);
	put(r, "subreaper %d\n", value);
	put(r, "timerslack %d\n", prctl(PR_GET_TIMERSLACK));
	put(r, "no_new_privs %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	put(r, "thp_disable %d\n", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
	put(r, "securebits %d\n", prctl(PR_GET_SECUREBITS));
	put(r, "personality %x\n", personality(0xffffffff));
}

static void memory_layout(struct report *r)
{
	unsigned long field[52];
	char line[4096];
	FILE *f = fopen("/proc/self/stat", "re");
	char *p;
	int i, n = 0;

	if (!f || !fgets(line, sizeof(line), f))
		return;
	fclose(f);
	for (p = strtok(strrchr(line, ')') + 1, " "); p && n < 52; p = strtok(NULL, " "))
		field[n++] = strtoul(p, NULL, 10);
	/* startcode endcode startstack; start_data end_data start_brk arg.. env.. */
	for (i = 23; i <= 25; i++)
		put(r, "layout %d %lx\n", i, field[i]);
	for (i = 42; i <= 48; i++)
		put(r, "layout %d %lx\n", i, field[i]);
	put(r, "auxv %lx %lx %lx %s\n", getauxval(AT_PHDR), getauxval(AT_ENTRY),
	    getauxval(AT_SYSINFO_EHDR), (char *)getauxval(AT_EXECFN));
}

static void lists(struct report *r)
{
	void *head = NULL;
	size_t len = 0;
	stack_t ss;

	syscall(SYS_get_robust_list, 0, &head, &len);
	put(r, "robust list %p %zu\n", head, len);
	sigaltstack(NULL, &ss);
	put(r, "alternate stack %p %zu %d\n", ss.ss_sp, ss.ss_size, ss.ss_flags);
}

/* glibc's registration with the kernel still works: the CPU is the one we run on. */
static void check_rseq(void)
{
	extern const ptrdiff_t __rseq_offset __attribute__((weak));
	extern const unsigned int __rseq_size __attribute__((weak));
	volatile uint32_t *cpu_id;
	unsigned int i, cpu;

	if (!&__rseq_offset || !&__rseq_size || !__rseq_size)
		return;
	cpu_id = (uint32_t *)((char *)__builtin_thread_pointer() + __rseq_offset) + 1;
	for (i = 0; i < 1000; i++) {
		*cpu_id = 12345;	/* the kernel writes it at every return from sleep */
		pause_ms(1);
		cpu = *cpu_id;
		if (cpu == (unsigned int)sched_getcpu())
			return;
	}
	fail("rseq: the kernel does not tell the CPU any more (%u)", cpu);
}

static void set_unusual(char *altstack, size_t len)
{
	stack_t ss = { .ss_sp = altstack, .ss_size = len };
	struct rlimit l;

	umask(0137);
	nice(3);
	syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 5);
	getrlimit(RLIMIT_CORE, &l);
	l.rlim_cur = 4096 < l.rlim_max ? 4096 : l.rlim_max;
	setrlimit(RLIMIT_CORE, &l);
	getrlimit(RLIMIT_NOFILE, &l);
	l.rlim_cur = 321;
	setrlimit(RLIMIT_NOFILE, &l);
	prctl(PR_SET_NAME, "odd (name) )x");
	prctl(PR_SET_TIMERSLACK, 123456);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGWINCH);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigaltstack(&ss, NULL);
	if (chdir("/usr/lib"))
		fail("chdir: %s", strerror(errno));
	setpgid(0, 0);
}

static void report(struct report *r)
{
	mode_t mask = umask(0);

	umask(mask);
	r->len = 0;
	ids(r);
	limits(r);
	put(r, "umask %o\n", mask);
	link_text(r, "/proc/self/cwd");
	link_text(r, "/proc/self/exe");
	link_text(r, "/proc/self/root");
	file_text(r, "/proc/self/comm");
	file_text(r, "/proc/self/oom_score_adj");
	prctls(r);
	memory_layout(r);
	lists(r);
}

static void compare(char *before, char *now)
{
	char *a, *b, *sa, *sb;

	a = strtok_r(before, "\n", &sa);
	b = strtok_r(now, "\n", &sb);
	while (a || b) {
		if (!a || !b || strcmp(a, b))
			fail("was \"%s\", is \"%s\"", a ? a : "", b ? b : "");
		a = a ? strtok_r(NULL, "\n", &sa) : NULL;
		b = b ? strtok_r(NULL, "\n", &sb) : NULL;
	}
}

int main(int argc, char **argv)
{
	static struct report before, now;
	static char altstack[65536];

	work_begin(argc, argv);
	set_unusual(altstack, sizeof(altstack));
	report(&before);
	work_ready();
	while (working())
		pause_ms(20);
	report(&now);
	compare(before.text, now.text);
	check_rseq();
	return work_end();
}
