// SPDX-License-Identifier: GPL-2.0
/*
 * memory.c - areas of every kind, and what can still be done with them
 *
 *   memory STOP DIRECTORY      (on the file system that all nodes share)
 *
 * Huge pages, locked memory, shared anonymous memory, private and shared file
 * mappings, heap and stack that grow after a move, protections that still
 * protect; /proc/self/smaps names the same areas with the same flags.
 */
#include "workload.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#define MIB	(1u << 20)

static char *huge, *locked, *shared, *guarded, *advised, *file_shared, *file_private, *heap_end;
static char *executable;
static sigjmp_buf jump;

static void on_segv(int sig)
{
	siglongjmp(jump, sig);
}

static bool faults(volatile char *p, bool write)
{
	if (sigsetjmp(jump, 1))
		return true;
	if (write)
		*p = 1;
	else
		(void)*p;
	return false;
}

static char *map(size_t len, int prot, int flags, int fd)
{
	char *p = mmap(NULL, len, prot, flags, fd, 0);

	MUST(p != MAP_FAILED);
	return p;
}

/* mov eax, 42; ret */
static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };

static void prepare(const char *dir)
{
	int rw = PROT_READ | PROT_WRITE, anon = MAP_PRIVATE | MAP_ANONYMOUS, fd;
	char path[1024];

	huge = map(8 * MIB, rw, anon, -1);
	madvise(huge, 8 * MIB, MADV_HUGEPAGE);
	memset(huge + 2 * MIB, 0x11, 4 * MIB);
	locked = map(16 * 4096, rw, anon, -1);
	if (mlock(locked, 16 * 4096))
		printf("# mlock: %s\n", strerror(errno));
	memset(locked, 0x22, 16 * 4096);
	shared = map(MIB, rw, MAP_SHARED | MAP_ANONYMOUS, -1);
	memset(shared, 0x33, MIB / 2);
	guarded = map(4 * 4096, rw, anon, -1);
	memset(guarded, 0x44, 4 * 4096);
	MUST(!mprotect(guarded + 4096, 4096, PROT_NONE));
	MUST(!mprotect(guarded + 3 * 4096, 4096, PROT_READ));
	advised = map(16 * 4096, rw, anon, -1);
	memset(advised, 0x55, 16 * 4096);
	madvise(advised, 4 * 4096, MADV_DONTFORK);
	madvise(advised + 4 * 4096, 4 * 4096, MADV_WIPEONFORK);
	madvise(advised + 8 * 4096, 4 * 4096, MADV_DONTDUMP);
	executable = map(4096, rw, anon, -1);
	memcpy(executable, code, sizeof(code));
	MUST(!mprotect(executable, 4096, PROT_READ | PROT_EXEC));

	snprintf(path, sizeof(path), "%s/memory.data", dir);
	mkdir(dir, 0777);
	fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0644);
	MUST(fd >= 0 && !ftruncate(fd, 8 * 4096));
	file_private = map(8 * 4096, rw, MAP_PRIVATE, fd);
	file_shared = mmap(NULL, 4 * 4096, rw, MAP_SHARED, fd, 0);
	if (file_shared == MAP_FAILED)
		file_shared = NULL;		/* not every file system can */
	else
		memcpy(file_shared, "shared with the file", 20);
	memcpy(file_private + 6 * 4096, "a private page", 14);
	close(fd);
	heap_end = sbrk(MIB);
	MUST(heap_end != (char *)-1);
	memset(heap_end, 0x66, MIB);
}

static bool all(const char *p, size_t n, char c)
{
	while (n--)
		if (*p++ != c)
			return false;
	return true;
}

static void check_contents(void)
{
	VERIFY(all(huge, 2 * MIB, 0) && all(huge + 2 * MIB, 4 * MIB, 0x11));
	VERIFY(all(locked, 16 * 4096, 0x22));
	VERIFY(all(shared, MIB / 2, 0x33) && all(shared + MIB / 2, MIB / 2, 0));
	VERIFY(all(guarded, 4096, 0x44) && all(guarded + 2 * 4096, 2 * 4096, 0x44));
	VERIFY(all(advised, 16 * 4096, 0x55));
	VERIFY(all(heap_end, MIB, 0x66));
	VERIFY(((int (*)(void))executable)() == 42);
	VERIFY(!memcmp(file_private + 6 * 4096, "a private page", 14));
	if (file_shared) {
		VERIFY(!memcmp(file_shared, "shared with the file", 20));
		VERIFY(!memcmp(file_private, "shared with the file", 20));
	}
}

static void check_protection(void)
{
	struct sigaction sa = { .sa_handler = on_segv, .sa_flags = SA_NODEFER };

	sigaction(SIGSEGV, &sa, NULL);
	VERIFY(faults(guarded + 4096, false));
	VERIFY(!faults(guarded + 3 * 4096, false) && faults(guarded + 3 * 4096, true));
	VERIFY(faults(executable, true));
	VERIFY(!mprotect(guarded + 4096, 4096, PROT_READ));
	VERIFY(all(guarded + 4096, 4096, 0x44));
}

static unsigned int grow_stack(unsigned int kib)
{
	volatile char frame[1024];

	memset((void *)frame, kib, sizeof(frame));
	return frame[512] == (char)kib && (!kib || grow_stack(kib - 1));
}

static void check_growth(void)
{
	char *more = sbrk(MIB), *p;
	unsigned int i;

	if (VERIFY(more >= heap_end + MIB && more != (char *)-1)) {
		memset(more, 0x67, MIB);
		VERIFY(all(heap_end, MIB, 0x66));
	}
	VERIFY(grow_stack(3000));
	for (i = 0; i < 64; i++) {
		p = malloc(i * 50000 + 1);
		memset(p, i, i * 50000 + 1);
		free(p);
	}
	p = mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	VERIFY(p != MAP_FAILED && !munmap(p, 64 * MIB));
	VERIFY(!munlock(locked, 16 * 4096));
	p = mremap(locked, 16 * 4096, 32 * 4096, MREMAP_MAYMOVE);
	VERIFY(p != MAP_FAILED && all(p, 16 * 4096, 0x22));
}

/* VmFlags of the area that holds @p, without those that come and go by themselves. */
static void area_flags(const char *p, char *out)
{
	unsigned long start, end;
	bool inside = false;
	char line[512], *flag;
	FILE *f = fopen("/proc/self/smaps", "r");

	out[0] = 0;
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2 && strchr("0123456789abcdef", line[0]))
			inside = (unsigned long)p >= start && (unsigned long)p < end;
		if (!inside || strncmp(line, "VmFlags:", 8))
			continue;
		for (flag = strtok(line + 8, " \n"); flag; flag = strtok(NULL, " \n"))
			/* soft-dirty; accounted: not after NORESERVE or with another overcommit */
			if (strcmp(flag, "sd") && strcmp(flag, "ac") && strcmp(flag, "nr"))
				strcat(strcat(out, flag), " ");
	}
	if (f)
		fclose(f);
}

static struct { const char *name; char *const *p; size_t off; char before[256]; } areas[] = {
	{ "huge", &huge, 3 * MIB, "" },
	{ "locked", &locked, 0, "" },
	{ "shared", &shared, 0, "" },
	{ "guard", &guarded, 4096, "" },
	{ "dontfork", &advised, 0, "" },
	{ "wipeonfork", &advised, 4 * 4096, "" },
	{ "dontdump", &advised, 8 * 4096, "" },
	{ "private file", &file_private, 0, "" },
	{ "executable", &executable, 0, "" },
	{ "heap", &heap_end, 4096, "" },
};
#define AREAS (sizeof(areas) / sizeof(areas[0]))

int main(int argc, char **argv)
{
	char now[256];
	unsigned int i;

	work_begin(argc, argv);
	MUST(argc > 2);
	prepare(argv[2]);
	for (i = 0; i < AREAS; i++)
		area_flags(*areas[i].p + areas[i].off, areas[i].before);
	work_ready();
	while (working())
		pause_ms(20);
	for (i = 0; i < AREAS; i++) {
		area_flags(*areas[i].p + areas[i].off, now);
		if (strcmp(now, areas[i].before))
			fail("area %s: flags were %s, are %s", areas[i].name, areas[i].before, now);
	}
	check_contents();
	check_protection();
	check_growth();
	return work_end();
}
