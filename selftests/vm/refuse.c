// SPDX-License-Identifier: GPL-2.0
/*
 * refuse.c - holds something that cannot be carried, and counts
 *
 *   refuse STOP KIND [DIRECTORY]
 *
 * It must be refused by name before it is frozen, and run on undisturbed.
 * "refuse - kinds" lists the kinds with the words that the refusal has to have.
 */
#include "workload.h"
#include <asm/ldt.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#define CANNOT_TRY 4	/* this kernel or user does not let us: exit status */

static const char *dir = "/tmp";

static void cannot(const char *what)
{
	printf("SKIP %s: %s\n", what, strerror(errno));
	fflush(stdout);
	exit(CANNOT_TRY);
}

static int file(const char *name)
{
	char path[1024];
	int fd;

	snprintf(path, sizeof(path), "%s/refuse.%s.%d", dir, name, getpid());
	fd = open(path, O_CREAT | O_RDWR, 0600);
	MUST(fd >= 0);
	return fd;
}

static void do_io_uring(void)
{
	struct io_uring_params p = {};

	if (syscall(SYS_io_uring_setup, 4, &p) < 0)
		cannot("io_uring");
}

static void do_socket(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	MUST(fd >= 0 && !bind(fd, (void *)&a, sizeof(a)) && !listen(fd, 1));
}

static void do_unix(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "refuse.%d", getpid());
	MUST(fd >= 0 && !bind(fd, (void *)&a, sizeof(a)) && !listen(fd, 1));
}

static void do_netlink(void)
{
	MUST(socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
}

static void do_lock(void)
{
	struct flock l = { .l_type = F_WRLCK };

	MUST(!fcntl(file("lock"), F_SETLK, &l));
}

static void do_ofd_lock(void)
{
	struct flock l = { .l_type = F_RDLCK };

	MUST(!fcntl(file("ofd"), F_OFD_SETLK, &l));
}

static void do_flock(void)
{
	MUST(!flock(file("flock"), LOCK_EX));
}

static void do_lease(void)
{
	if (fcntl(file("lease"), F_SETLEASE, F_WRLCK))
		cannot("lease");
}

static void do_inotify(void)
{
	int fd = inotify_init();

	MUST(fd >= 0 && inotify_add_watch(fd, "/", IN_CREATE) >= 0);
}

static void do_userfaultfd(void)
{
	if (syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY) < 0)
		cannot("userfaultfd");
}

static void do_perf(void)
{
	struct perf_event_attr a = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof(a), .config = PERF_COUNT_SW_CPU_CLOCK,
		.exclude_kernel = 1,
	};

	if (syscall(SYS_perf_event_open, &a, 0, -1, -1, 0) < 0)
		cannot("perf_event_open");
}

static void do_bpf(void)
{
	union bpf_attr a = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4,
			     .max_entries = 1 };

	if (syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof(a)) < 0)
		cannot("bpf");
}

static void do_pidfd(void)
{
	if (syscall(SYS_pidfd_open, getpid(), 0) < 0)
		cannot("pidfd_open");
}

static void do_o_path(void)
{
	MUST(open("/usr", O_PATH) >= 0);
}

static void do_device(void)
{
	if (open("/dev/kmsg", O_RDONLY) < 0)
		cannot("/dev/kmsg");
}

static void do_seccomp(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog prog = { 1, &allow };

	MUST(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		cannot("seccomp");
}

static void do_ldt(void)
{
	struct user_desc d = { .entry_number = 0, .base_addr = 0, .limit = 0xfffff,
			       .seg_32bit = 1, .limit_in_pages = 1, .useable = 1 };

	if (syscall(SYS_modify_ldt, 1, &d, sizeof(d)))
		cannot("modify_ldt");
}

static void do_pkey(void)
{
	if (syscall(SYS_pkey_alloc, 0, 0) < 0)
		cannot("pkey_alloc");
}

static void do_shm(void)
{
	int id = shmget(IPC_PRIVATE, 4096, 0600);

	MUST(id >= 0 && shmat(id, NULL, 0) != (void *)-1);
	shmctl(id, IPC_RMID, NULL);	/* goes with the last user */
}

static void do_semundo(void)
{
	struct sembuf op = { 0, 1, SEM_UNDO };
	int id = semget(IPC_PRIVATE, 1, 0600);

	MUST(id >= 0 && !semop(id, &op, 1));
}

/* A file that is mapped, shared and writable, and only here. */
static void do_mapping(void)
{
	int fd = file("map");

	MUST(!ftruncate(fd, 4096));
	MUST(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED);
	close(fd);
}

static void do_hugetlb(void)
{
	if (mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0) == MAP_FAILED)
		cannot("MAP_HUGETLB");
}

static void do_child(void)
{
	pid_t parent = getpid();

	if (!fork()) {
		while (getppid() == parent)
			pause_ms(20);
		_exit(0);
	}
}

static void do_zombie(void)
{
	if (!fork())
		_exit(0);
	pause_ms(100);
}

/* One that shares memory, in the vfork way but without waiting. */
static int sharing(void *arg)
{
	while (getppid() == *(pid_t *)arg)
		pause_ms(20);
	_exit(0);
}

static void do_shared_vm(void)
{
	static char stack[65536];
	static pid_t parent;

	parent = getpid();
	MUST(clone(sharing, stack + sizeof(stack), CLONE_VM | SIGCHLD, &parent) > 0);
}

/* It is traced by its own child. */
static void do_traced(void)
{
	int ready[2];
	char c;
	pid_t parent = getpid();

	MUST(!pipe(ready));
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	if (!fork()) {
		long r = syscall(SYS_ptrace, 0x4206 /* PTRACE_SEIZE */, parent, 0, 0);

		c = r ? 'n' : 'y';
		if (write(ready[1], &c, 1) != 1)
			_exit(1);
		while (!r && waitpid(-1, NULL, __WALL) > 0)
			;
		_exit(0);
	}
	MUST(read(ready[0], &c, 1) == 1);
	close(ready[0]);
	close(ready[1]);
	if (c != 'y') {
		errno = EPERM;
		cannot("ptrace");
	}
}

/* ---- namespaces of its own, and another root ---- */

static void apart(int flag, const char *name)
{
	if (unshare(flag))
		cannot(name);
}

static void do_netns(void) { apart(CLONE_NEWNET, "network namespace"); }
static void do_ipcns(void) { apart(CLONE_NEWIPC, "IPC namespace"); }
static void do_utsns(void) { apart(CLONE_NEWUTS, "UTS namespace"); }
static void do_mntns(void) { apart(CLONE_NEWNS, "mount namespace"); }
static void do_pidns(void) { apart(CLONE_NEWPID, "PID namespace"); }
static void do_cgroupns(void) { apart(CLONE_NEWCGROUP, "cgroup namespace"); }
static void do_timens(void) { apart(CLONE_NEWTIME, "time namespace"); }
static void do_userns(void) { apart(CLONE_NEWUSER, "user namespace"); }

static void do_chroot(void)
{
	static const char root[] = "/shared";

	if (chroot(root))
		cannot("chroot");
	MUST(!strncmp(work_stop, root, strlen(root)));
	work_stop += strlen(root);
}

static const struct {
	const char *name;
	void (*fn)(void);
	const char *words;	/* extended regular expression, of which "stop:" lines are told */
} kinds[] = {
	{ "io_uring", do_io_uring, "io_uring" },
	{ "socket", do_socket, "network socket" },
	{ "unix", do_unix, "unix socket" },
	{ "netlink", do_netlink, "netlink socket" },
	{ "lock", do_lock, "file lock" },
	{ "ofd_lock", do_ofd_lock, "file lock" },
	{ "flock", do_flock, "flock" },
	{ "lease", do_lease, "lease" },
	{ "inotify", do_inotify, "inotify" },
	{ "userfaultfd", do_userfaultfd, "userfaultfd" },
	{ "perf", do_perf, "perf" },
	{ "bpf", do_bpf, "bpf" },
	{ "pidfd", do_pidfd, "pidfd" },
	{ "o_path", do_o_path, "O_PATH" },
	{ "device", do_device, "device.*kmsg" },
	{ "seccomp", do_seccomp, "seccomp" },
	{ "ldt", do_ldt, "modify_ldt" },
	{ "pkey", do_pkey, "protection keys" },
	{ "shm", do_shm, "SYSV|SysV|System V" },
	{ "semundo", do_semundo, "SysV semaphores" },
	{ "mapping", do_mapping, "shared writable mapping" },
	{ "hugetlb", do_hugetlb, "huge" },
	{ "child", do_child, "child process" },
	{ "zombie", do_zombie, "child process" },
	{ "shared_vm", do_shared_vm, "child process|shares its memory" },
	{ "traced", do_traced, "traced" },
	{ "netns", do_netns, "network namespace" },
	{ "ipcns", do_ipcns, "IPC namespace" },
	{ "utsns", do_utsns, "UTS namespace" },
	{ "mntns", do_mntns, "mount namespace" },
	{ "pidns", do_pidns, "PID namespace" },
	{ "cgroupns", do_cgroupns, "cgroup namespace" },
	{ "timens", do_timens, "time namespace" },
	{ "userns", do_userns, "user namespace" },
	{ "chroot", do_chroot, "root directory" },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

int main(int argc, char **argv)
{
	unsigned int i;
	uint64_t turns = 0;

	work_begin(argc, argv);
	MUST(argc > 2);
	if (!strcmp(argv[2], "kinds")) {
		for (i = 0; i < KINDS; i++)
			printf("%s %s\n", kinds[i].name, kinds[i].words);
		return 0;
	}
	if (argc > 3)
		dir = argv[3];
	for (i = 0; i < KINDS && strcmp(kinds[i].name, argv[2]); i++)
		;
	MUST(i < KINDS);
	kinds[i].fn();
	work_ready();
	for (; working(); turns++)
		pause_ms(10);
	VERIFY(turns > 0);
	return work_end();
}
