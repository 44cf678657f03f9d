// SPDX-License-Identifier: GPL-2.0
/*
 * files.c - files by path, on a file system that all nodes share
 *
 *   files STOP DIRECTORY
 *
 * Offsets, append, shared open files, flags; and after the moves: create, rename,
 * unlink, open anew.
 */
#include "workload.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>

#define BLOCK	4096

static char dir[512];

static const char *in_dir(const char *name)
{
	static char path[4][1024];
	static unsigned int n;
	char *p = path[n++ % 4];

	snprintf(p, 1024, "%s/%s", dir, name);
	return p;
}

static void fill(char *block, uint64_t nr)
{
	unsigned int i;

	for (i = 0; i < BLOCK; i++)
		block[i] = (char)(nr * 31 + i * 7 + (i >> 8));
}

/* Block after block is written at the file's own offset, and read back by another. */
static uint64_t written;

static void write_block(int w, int r)
{
	char block[BLOCK], back[BLOCK];

	fill(block, written);
	VERIFY(lseek(w, 0, SEEK_CUR) == (off_t)(written * BLOCK));
	VERIFY(write(w, block, BLOCK) == BLOCK);
	VERIFY(read(r, back, BLOCK) == BLOCK);
	VERIFY(!memcmp(block, back, BLOCK));
	written++;
}

static uint64_t lines;

static void append_line(int log)
{
	char line[32];
	int n = snprintf(line, sizeof(line), "line %llu\n", (unsigned long long)lines++);

	VERIFY(write(log, line, n) == n);
}

static void check_log(void)
{
	FILE *f = fopen(in_dir("log"), "r");
	unsigned long long want = 0, got;

	if (!VERIFY(f))
		return;
	while (fscanf(f, "line %llu\n", &got) == 1)
		if (got != want++) {
			fail("the log has line %llu instead of %llu", got, want - 1);
			break;
		}
	VERIFY(want == lines);
	fclose(f);
}

static void check_blocks(void)
{
	char block[BLOCK], back[BLOCK];
	int fd = open(in_dir("data"), O_RDONLY);
	uint64_t i;

	for (i = 0; i < written; i++) {
		fill(block, i);
		if (read(fd, back, BLOCK) != BLOCK || memcmp(block, back, BLOCK)) {
			fail("block %llu is wrong", (unsigned long long)i);
			break;
		}
	}
	VERIFY(read(fd, back, 1) == 0);
	close(fd);
}

/* What is done with paths after the moves. */
static void paths(void)
{
	char text[16] = "";
	struct stat st;
	int fd = open(in_dir("new"), O_CREAT | O_EXCL | O_RDWR, 0640);

	if (!VERIFY(fd >= 0))
		return;
	VERIFY(write(fd, "fresh", 5) == 5);
	VERIFY(!rename(in_dir("new"), in_dir("renamed")));
	VERIFY(stat(in_dir("new"), &st) == -1 && errno == ENOENT);
	VERIFY(!fstat(fd, &st) && st.st_size == 5);
	close(fd);
	fd = open(in_dir("renamed"), O_RDONLY);
	VERIFY(fd >= 0 && read(fd, text, 5) == 5 && !strcmp(text, "fresh"));
	close(fd);
	VERIFY(!unlink(in_dir("renamed")));
	VERIFY(open(in_dir("renamed"), O_RDONLY) == -1 && errno == ENOENT);
	VERIFY(!mkdir(in_dir("sub"), 0700) && !rmdir(in_dir("sub")));
}

static void check_flags(int log, int dup_a, int dup_b, int dir_fd)
{
	struct stat a, b;

	VERIFY((fcntl(log, F_GETFL) & (O_APPEND | O_ACCMODE)) == (O_APPEND | O_WRONLY));
	VERIFY(fcntl(log, F_GETFD) == FD_CLOEXEC);
	VERIFY(fcntl(dup_a, F_GETFD) == 0);
	/* one open file, two descriptors: a move of one moves the other */
	VERIFY(lseek(dup_a, 1234, SEEK_SET) == 1234 && lseek(dup_b, 0, SEEK_CUR) == 1234);
	VERIFY(!fstat(dup_a, &a) && !stat(in_dir("data"), &b) && a.st_ino == b.st_ino);
	VERIFY(!fstatat(dir_fd, "data", &b, 0) && a.st_ino == b.st_ino);
}

/*
 * A directory goes on where its reading stood.  (It is not rewound: 9p, as QEMU
 * serves it, gives nothing to a descriptor that was first read at the end.)
 */
static void check_directory(DIR *d, unsigned int seen)
{
	unsigned int all = 0;
	DIR *again = opendir(dir);

	while (readdir(d))
		seen++;
	while (again && readdir(again))
		all++;
	if (seen != all)
		fail("a directory of %u entries gave %u", all, seen);
	if (again)
		closedir(again);
}

int main(int argc, char **argv)
{
	int w, r, log, dup_a, dup_b, dir_fd;
	char *map;
	DIR *d;

	work_begin(argc, argv);
	MUST(argc > 2);
	snprintf(dir, sizeof(dir), "%s", argv[2]);
	mkdir(dir, 0777);
	w = open(in_dir("data"), O_CREAT | O_TRUNC | O_WRONLY, 0644);
	r = open(in_dir("data"), O_RDONLY);
	log = open(in_dir("log"), O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0644);
	MUST(w >= 0 && r >= 0 && log >= 0);
	write_block(w, r);
	append_line(log);
	dup_a = open(in_dir("data"), O_RDONLY);
	dup_b = dup(dup_a);
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
	MUST(dup_b >= 0 && dir_fd >= 0);
	map = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE, r, 0);
	MUST(map != MAP_FAILED);
	map[1] = 'x';
	d = opendir(dir);
	MUST(d && readdir(d));
	work_ready();
	while (working()) {
		write_block(w, r);
		append_line(log);
		pause_ms(20);
	}
	check_flags(log, dup_a, dup_b, dir_fd);
	check_directory(d, 1);
	VERIFY(map[1] == 'x' && map[2] == (char)(2 * 7));
	check_log();
	check_blocks();
	paths();
	return work_end();
}
