// SPDX-License-Identifier: GPL-2.0
/*
 * dfork.c - forks itself over the cluster
 *
 *   dfork STOP MODE [COUNT [NODE...]]
 *
 *   each      children verify what they are, and leave results; all are waited for
 *   time      the same with children that end at once, and how long it took
 *   move_MODE the same as MODE, on the first of the nodes, to which it moves before
 *   crash     as each, while a node may go: what became of each child is told, and true
 *   unheard   as each; at STOP it waits, and is told that this failed; then it moves to the
 *             first of the nodes, where all records must come, once
 *   spawn     the same by fork and exec of this program
 *   threads   from a program whose other threads change memory all the time
 *   print     children print to the standard output that they have from their parent
 *   errors    calls that must fail, or fail in part
 *   refuse X  the program holds X, which a child cannot have
 *   sleep     children live until they are ended, the program until STOP
 *   lost      the same, and how each child ended is printed
 *   bomb      everybody forks, until the call says why not
 *   nest      children fork
 */
#include "workload.h"
#include <fcntl.h>
#include <linux/continuum.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#define WORDS	(300 * 1024)

static int device;
static uint64_t *pattern;
static char nodes[64][CTM_NAME_MAX];
static uint32_t nnodes;
static struct ctm_fork_child child[CTM_FORK_MAX];
static struct ctm_dist_fork call;

/* Return: as the call; in a child 0, and call.index is which */
static int dist_fork(uint32_t count)
{
	int ret;

	fflush(stdout);
	memset(&call, 0, sizeof(call));
	call.size = sizeof(call);
	call.count = count;
	call.nnodes = nnodes;
	call.nodes = (uintptr_t)nodes;
	call.children = (uintptr_t)child;
	call.index = 0xffff;
	ret = ioctl(device, CTM_IOC_DIST_FORK, &call);
	return ret < 0 ? -errno : ret;
}

static int wait_child(uint64_t gpid, uint32_t flags, struct ctm_wait *w)
{
	memset(w, 0, sizeof(*w));
	w->size = sizeof(*w);
	w->flags = CTM_WAIT_CHILD | flags;
	w->gpid = gpid;
	return ioctl(device, CTM_IOC_WAIT, w) ? -errno : 0;
}

static void leave_result(const void *data, uint32_t len)
{
	struct ctm_result r = { .size = sizeof(r), .len = len };

	memcpy(r.data, data, len);
	if (ioctl(device, CTM_IOC_RESULT, &r))
		_exit(99);
}

static void make_pattern(void)
{
	unsigned int i;

	pattern = mmap(NULL, WORDS * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(pattern != MAP_FAILED);
	for (i = 0; i < WORDS; i++)
		pattern[i] = i * 0x9e3779b97f4a7c15ull;
}

static unsigned int pattern_errors(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < WORDS; i++)
		n += pattern[i] != i * 0x9e3779b97f4a7c15ull;
	return n;
}

/* ---- each ---- */

struct result {
	uint32_t index;
	uint32_t wrong;			/* a bit for each */
	int32_t pid;
	char host[40];
};

static char *dont, *wipe;		/* MADV_DONTFORK, MADV_WIPEONFORK */

static void alarmed(int sig)
{
	(void)sig;
}

static __attribute__((noreturn)) void child_checks(void)
{
	struct ctm_info info = { .size = sizeof(info) };
	struct result r = { .index = call.index, .pid = getpid() };
	unsigned char in_core;
	struct itimerval it;
	sigset_t pending;

	gethostname(r.host, sizeof(r.host) - 1);
	r.wrong |= pattern_errors() ? 1 : 0;
	pattern[call.index] = 0;			/* a copy: nobody else sees that */
	r.wrong |= getitimer(ITIMER_REAL, &it) || it.it_value.tv_sec || it.it_value.tv_usec ? 2 : 0;
	r.wrong |= sigpending(&pending) || sigismember(&pending, SIGUSR1) ? 4 : 0;
	r.wrong |= mincore(dont, 4096, &in_core) == 0 || errno != ENOMEM ? 8 : 0;
	r.wrong |= wipe[0] ? 16 : 0;
	r.wrong |= ioctl(device, CTM_IOC_INFO, &info) || !info.gpid || info.family == info.gpid ? 32 : 0;
	r.wrong |= nnodes && strcmp(r.host, nodes[call.index % nnodes]) ? 64 : 0;
	r.wrong |= strcmp(info.host_name, r.host) ? 128 : 0;
	leave_result(&r, sizeof(r));
	_exit(call.index & 63);
}

static void check_child(const struct ctm_wait *w, uint32_t count, char *seen)
{
	struct result r;
	uint32_t i;

	memcpy(&r, w->result, sizeof(r));
	for (i = 0; i < count && child[i].gpid != w->gpid; i++)
		;
	if (i == count || seen[i]++) {
		fail("child %llx: unknown, or seen before", (unsigned long long)w->gpid);
		return;
	}
	if (w->end != CTM_END_EXIT || WEXITSTATUS(w->status) != (i & 63) ||
	    w->result_len != sizeof(r) || r.index != i || r.wrong || r.pid != getpid() ||
	    strcmp(r.host, w->host_name))
		fail("child %u: end %u, status %x, result of %u bytes: index %u wrong %x pid %d host %s (%s)",
		     i, w->end, w->status, w->result_len, r.index, r.wrong, r.pid, r.host, w->host_name);
}

static void each(uint32_t count)
{
	struct itimerval it = { .it_value.tv_sec = 1000 };
	char *seen = calloc(1, count);
	struct ctm_wait w;
	sigset_t usr1;
	uint64_t begin;
	uint32_t i;
	int n;

	make_pattern();
	dont = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	wipe = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(seen && dont != MAP_FAILED && wipe != MAP_FAILED);
	dont[0] = wipe[0] = 'x';
	MUST(!madvise(dont, 8192, MADV_DONTFORK) && !madvise(wipe, 8192, MADV_WIPEONFORK));
	signal(SIGALRM, alarmed);
	setitimer(ITIMER_REAL, &it, NULL);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	raise(SIGUSR1);
	VERIFY(wait_child(0, 0, &w) == -ECHILD);
	begin = clock_ns(CLOCK_MONOTONIC);
	n = dist_fork(count);
	if (!n)
		child_checks();
	printf("fork: %d in %llu ms\n", n, (unsigned long long)((clock_ns(CLOCK_MONOTONIC) - begin) / MS));
	if (n != (int)count)
		fail("made %d: %s", n, call.reason);
	VERIFY(call.made == count && call.index == 0xffff);
	for (i = 0; i < count; i++)
		if (child[i].error || !child[i].gpid)
			fail("child %u: error %u", i, child[i].error);
	/* one of them by name, the others as they come */
	if (n > 0 && !wait_child(child[count / 2].gpid, 0, &w))
		check_child(&w, count, seen);
	for (i = 1; (int)i < n; i++) {
		int err = wait_child(0, 0, &w);

		if (err) {
			fail("wait: %s", strerror(-err));
			break;
		}
		check_child(&w, count, seen);
	}
	VERIFY(wait_child(0, 0, &w) == -ECHILD);
	VERIFY(wait_child(child[0].gpid, CTM_WAIT_NOHANG, &w) == -ECHILD);
	VERIFY(!pattern_errors() && wipe[0] == 'x' && dont[0] == 'x');
	printf("waited after %llu ms\n", (unsigned long long)((clock_ns(CLOCK_MONOTONIC) - begin) / MS));
	free(seen);
}

/* ---- crash ---- */

/* any child; home may be cut off meanwhile, which is an error that passes */
static int wait_at_last(struct ctm_wait *w)
{
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + 120 * SEC;
	int err;

	do {
		err = wait_child(0, 0, w);
		if (err != -EHOSTUNREACH && err != -ETIMEDOUT && err != -ECONNRESET)
			break;
		pause_ms(500);
	} while (clock_ns(CLOCK_MONOTONIC) < end);
	return err;
}

static void crash(uint32_t count)
{
	uint32_t i, made = 0, lost = 0;
	struct ctm_wait w;
	int n, err;

	make_pattern();
	n = dist_fork(count);
	if (!n)
		_exit(pattern_errors() ? 1 : 0);
	for (i = 0; i < count; i++) {
		if (!child[i].gpid == !child[i].error)
			fail("child %u: gpid %llx, error %u", i, (unsigned long long)child[i].gpid,
			     child[i].error);
		made += !!child[i].gpid;
	}
	VERIFY(n < 0 ? !made : n == (int)made);
	printf("made %u of %u: %s\n", made, count, call.reason);
	for (i = 0; i < made; i++) {
		err = wait_at_last(&w);
		if (err)
			fail("wait: %s", strerror(-err));
		else if (w.end == CTM_END_HOST_LOST)
			lost++;
		else if (w.end != CTM_END_EXIT || w.status)
			fail("child %llx: end %u status %x", (unsigned long long)w.gpid, w.end, w.status);
	}
	VERIFY(wait_at_last(&w) == -ECHILD);
	printf("lost %u\n", lost);
}

static void move_to(const char *node)
{
	struct ctm_migrate m = { .size = sizeof(m) };

	snprintf(m.node, sizeof(m.node), "%s", node);
	if (ioctl(device, CTM_IOC_MIGRATE, &m))
		fail("to %s: %s: %s", node, strerror(errno), m.reason);
}

/* ---- unheard ---- */

static void unheard(uint32_t count)
{
	char *seen = calloc(1, count);
	struct ctm_wait w;
	uint32_t i, k;
	int err;

	make_pattern();
	err = dist_fork(count);
	if (!err)
		_exit(0);
	if (err != (int)count)
		fail("made %d: %s", err, call.reason);
	printf("forked\n");
	fflush(stdout);
	while (working())
		pause_ms(100);
	err = wait_child(0, 0, &w);
	if (!err || err == -ECHILD)
		fail("the first wait: %s", strerror(-err));
	move_to(nodes[0]);
	for (i = 0; i < count; i++) {
		err = wait_child(0, 0, &w);
		for (k = 0; !err && k < count && child[k].gpid != w.gpid; k++)
			;
		if (err || k == count || seen[k]++)
			fail("wait %u: %s, child %u", i, strerror(-err), k);
	}
	VERIFY(wait_child(0, 0, &w) == -ECHILD);
	free(seen);
}

/* ---- time ---- */

static void timed(uint32_t count)
{
	uint64_t begin = clock_ns(CLOCK_MONOTONIC), forked;
	struct ctm_wait w;
	uint32_t i, bad = 0;
	int n = dist_fork(count);

	if (!n)
		_exit(0);
	forked = clock_ns(CLOCK_MONOTONIC);
	if (n != (int)count)
		fail("made %d: %s", n, call.reason);
	for (i = 0; (int)i < n; i++)
		if (wait_child(0, 0, &w) || w.end != CTM_END_EXIT || w.status)
			bad++;
	VERIFY(!bad);
	printf("children %d fork_ms %llu all_ms %llu\n", n, (unsigned long long)((forked - begin) / MS),
	       (unsigned long long)((clock_ns(CLOCK_MONOTONIC) - begin) / MS));
}

static void spawned(const char *self, uint32_t count)
{
	uint64_t begin = clock_ns(CLOCK_MONOTONIC);
	char *const argv[] = { (char *)"dfork", (char *)"-", (char *)"exit", NULL };
	uint32_t i, bad = 0;
	int status;

	for (i = 0; i < count; i++) {
		pid_t pid = fork();

		MUST(pid >= 0);
		if (!pid) {
			execv(self, argv);
			_exit(1);
		}
	}
	for (i = 0; i < count; i++)
		bad += wait(&status) < 0 || status;
	VERIFY(!bad);
	printf("spawned %u all_ms %llu\n", count,
	       (unsigned long long)((clock_ns(CLOCK_MONOTONIC) - begin) / MS));
}

/* ---- threads ---- */

static volatile uint64_t first, second;
static volatile bool over;

static void *spin(void *arg)
{
	(void)arg;
	while (!over) {
		first++;
		second++;
	}
	return NULL;
}

static unsigned int threads_here(void)
{
	char line[64];
	unsigned int n = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "Threads: %u", &n);
	if (f)
		fclose(f);
	return n;
}

static uint32_t thread_count;

static void *forker(void *arg)
{
	struct ctm_wait w;
	uint32_t i;
	int n;

	(void)arg;
	n = dist_fork(thread_count);
	if (!n) {
		uint64_t a = first, b = second;

		pause_ms(300);
		_exit(a - b > 1 ? 1 : first != a ? 2 : threads_here() != 1 ? 3 : pattern_errors() ? 4 : 0);
	}
	if (n != (int)thread_count)
		fail("made %d: %s", n, call.reason);
	for (i = 0; (int)i < n; i++)
		if (wait_child(0, 0, &w) || w.end != CTM_END_EXIT || w.status)
			fail("child %llx: end %u status %x", (unsigned long long)w.gpid, w.end, w.status);
	return NULL;
}

static void from_threads(uint32_t count)
{
	pthread_t other, caller;
	uint64_t before;

	make_pattern();
	thread_count = count;
	MUST(!pthread_create(&other, NULL, spin, NULL));
	MUST(!pthread_create(&caller, NULL, forker, NULL));
	pthread_join(caller, NULL);
	before = first;
	pause_ms(300);
	VERIFY(first != before);
	over = true;
	pthread_join(other, NULL);
}

/* ---- print ---- */

static void print(uint32_t count)
{
	struct ctm_wait w;
	uint32_t i;
	int n;

	printf("parent prints\n");
	n = dist_fork(count);
	if (!n) {
		char line[64];
		int len = snprintf(line, sizeof(line), "child %u prints\n", call.index);

		_exit(write(1, line, len) == len ? 0 : errno);
	}
	if (n != (int)count)
		fail("made %d: %s", n, call.reason);
	for (i = 0; (int)i < n; i++)
		if (wait_child(0, 0, &w) || w.status)
			fail("child %llx: end %u status %x", (unsigned long long)w.gpid, w.end, w.status);
}

/* ---- errors ---- */

static void errors(void)
{
	struct ctm_wait w;
	int n;

	VERIFY(dist_fork(1000000) == -EINVAL && call.reason[0]);
	VERIFY(dist_fork(0) == -EINVAL);
	strcpy(nodes[nnodes++], "no-such-node");
	n = dist_fork(nnodes);
	if (!n)
		_exit(0);
	VERIFY(n == (int)nnodes - 1 && child[nnodes - 1].error == EHOSTUNREACH && !child[nnodes - 1].gpid &&
	       strstr(call.reason, "no-such-node"));
	while (n-- > 0)
		VERIFY(!wait_child(0, 0, &w) && !w.status);
	VERIFY(wait_child(0, 0, &w) == -ECHILD);
	strcpy(nodes[0], "no-such-node");
	nnodes = 1;
	VERIFY(dist_fork(2) == -EHOSTUNREACH && child[1].error == EHOSTUNREACH);
	printf("reason: %s\n", call.reason);
}

/* ---- refuse ---- */

static void hold(const char *what)
{
	int fd[2];

	if (!strcmp(what, "pipe"))
		MUST(!pipe(fd));
	else if (!strcmp(what, "eventfd"))
		MUST(eventfd(0, 0) >= 0);
	else if (!strcmp(what, "timerfd"))
		MUST(timerfd_create(CLOCK_MONOTONIC, 0) >= 0);
	else if (!strcmp(what, "epoll"))
		MUST(epoll_create1(0) >= 0);
	else if (!strcmp(what, "memfd"))
		MUST(memfd_create("x", 0) >= 0);
	else if (!strcmp(what, "socketpair"))
		MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	else if (!strcmp(what, "shared"))
		MUST(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	else
		MUST(!"a thing that can be held");
}

static void refuse(const char *what)
{
	hold(what);
	VERIFY(dist_fork(1) == -EOPNOTSUPP && call.reason[0] && child[0].error == EOPNOTSUPP);
	printf("reason: %s\n", call.reason);
}

/* ---- the others ---- */

static void sleepers(uint32_t count, bool wait)
{
	struct ctm_wait w;
	int n = dist_fork(count);

	if (!n)
		for (;;)
			pause();
	if (n != (int)count)
		fail("made %d: %s", n, call.reason);
	printf("forked\n");
	fflush(stdout);
	while (wait && n-- > 0) {
		int err = wait_child(0, 0, &w);

		if (err) {
			fail("wait: %s", strerror(-err));
			break;
		}
		printf("ended %u on %s\n", w.end, w.host_name);
		fflush(stdout);
	}
}

static void bomb(void)
{
	bool parent = true;
	int n;

	while ((n = dist_fork(2)) >= 0)
		parent &= n > 0;
	if (parent) {
		printf("stopped: %s: %s\n", strerror(-n), call.reason);
		fflush(stdout);
	}
	while (!parent)
		pause();
}

static void nest(uint32_t count)
{
	struct ctm_wait w;
	int level, n;

	for (level = 0; level < 2; level++) {
		n = dist_fork(count);
		if (!n)
			continue;
		if (n != (int)count)
			_exit(50);
		while (n-- > 0)
			if (wait_child(0, 0, &w) || w.status)
				_exit(51);
		if (level)
			_exit(0);
		return;
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	uint32_t count = argc > 3 ? strtoul(argv[3], NULL, 10) : 3;
	const char *mode = argc > 2 ? argv[2] : "";
	int i;

	if (!strcmp(mode, "exit"))
		return 0;
	work_begin(argc, argv);
	for (i = 4; i < argc && nnodes < 60; i++)
		strncpy(nodes[nnodes++], argv[i], CTM_NAME_MAX - 1);
	device = open("/dev/continuum", O_RDWR | O_CLOEXEC);
	MUST(device >= 0);
	work_ready();
	if (!strncmp(mode, "move_", 5)) {
		move_to(nodes[0]);
		memmove(nodes[0], nodes[1], sizeof(nodes) - sizeof(nodes[0]));
		nnodes--;
		mode += 5;
		printf("moved\n");
		fflush(stdout);
	}
	if (!strcmp(mode, "each"))
		each(count);
	else if (!strcmp(mode, "time"))
		timed(count);
	else if (!strcmp(mode, "crash"))
		crash(count);
	else if (!strcmp(mode, "unheard"))
		unheard(count);
	else if (!strcmp(mode, "spawn"))
		spawned(argv[0], count);
	else if (!strcmp(mode, "threads"))
		from_threads(count);
	else if (!strcmp(mode, "print"))
		print(count);
	else if (!strcmp(mode, "errors"))
		errors();
	else if (!strcmp(mode, "refuse"))
		refuse(argv[3]);
	else if (!strcmp(mode, "sleep"))
		sleepers(count, false);
	else if (!strcmp(mode, "lost"))
		sleepers(count, true);
	else if (!strcmp(mode, "bomb"))
		bomb();
	else if (!strcmp(mode, "nest"))
		nest(count);
	else
		MUST(!"a known mode");
	while (!strcmp(mode, "sleep") && working())
		pause_ms(100);
	return work_end();
}
