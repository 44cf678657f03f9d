// SPDX-License-Identifier: GPL-2.0
/*
 * home.c - descriptors that stay at home: every byte once, in order
 *
 *   home STOP [FILE] <numbers >copy
 *
 * Standard input gives the lines 0, 1, 2, ... (a pipe from another program); each
 * is checked, and written to standard output.  FILE, only at home, is written,
 * read back, and appended to.  When STOP exists it writes no more, and says how
 * it went on standard error.
 */
#include "workload.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static uint64_t expected;

static bool copy_line(FILE *in)
{
	unsigned long long n;

	if (fscanf(in, "%llu\n", &n) != 1)
		return false;
	if (n != expected) {
		fprintf(stderr, "FAIL read %llu, not %llu\n", n, (unsigned long long)expected);
		work_failures++;
		return false;
	}
	expected++;
	if (printf("%llu\n", n) < 0 || fflush(stdout)) {
		fprintf(stderr, "FAIL write: %s\n", strerror(errno));
		work_failures++;
		return false;
	}
	return true;
}

#define CHECKED(cond) do {							\
	if (!(cond)) {								\
		work_failures++;						\
		fprintf(stderr, "FAIL home.c:%d: %s: %s\n", __LINE__, #cond, strerror(errno)); \
	}									\
} while (0)

static void use_file(int fd, uint64_t n)
{
	char line[64], back[64] = "";
	int len = snprintf(line, sizeof(line), "record %llu\n", (unsigned long long)n);
	off_t at = n * 32;
	struct iovec iov[2] = { { line, 7 }, { line + 7, len - 7 } };

	CHECKED(pwrite(fd, line, len, at) == len);
	CHECKED(pread(fd, back, len, at) == len && !memcmp(line, back, len));
	CHECKED(lseek(fd, at, SEEK_SET) == at);
	CHECKED(writev(fd, iov, 2) == len);
	CHECKED(lseek(fd, 0, SEEK_CUR) == at + len);
}

/* out of the file, by way of a pipe, and into it again */
static void splice_file(int fd, uint64_t n)
{
	char want[64], back[64];
	int len = snprintf(want, sizeof(want), "record %llu\n", (unsigned long long)n), p[2];
	off_t at = n * 32, pos = at;
	loff_t from = at, to = at;

	CHECKED(!pipe(p));
	CHECKED(sendfile(p[1], fd, &pos, len) == len && pos == at + len);
	CHECKED(read(p[0], back, sizeof(back)) == len && !memcmp(back, want, len));
	CHECKED(splice(fd, &from, p[1], NULL, len, 0) == len && from == at + len);
	CHECKED(splice(p[0], NULL, fd, &to, len, 0) == len && to == at + len);
	CHECKED(lseek(fd, at, SEEK_SET) == at);
	CHECKED(splice(fd, NULL, p[1], NULL, len, 0) == len);
	CHECKED(lseek(fd, 0, SEEK_CUR) == at + len);
	CHECKED(read(p[0], back, sizeof(back)) == len && !memcmp(back, want, len));
	CHECKED(pread(fd, back, len, at) == len && !memcmp(back, want, len));
	close(p[0]);
	close(p[1]);
}

static void check_file(int fd, uint64_t records)
{
	struct stat st;
	char back[64], want[64];
	uint64_t i;

	CHECKED(!fsync(fd));
	for (i = 0; i < records; i++) {
		int len = snprintf(want, sizeof(want), "record %llu\n", (unsigned long long)i);

		CHECKED(pread(fd, back, len, i * 32) == len && !memcmp(want, back, len));
	}
	CHECKED(!fstat(fd, &st) && S_ISREG(st.st_mode) && (uint64_t)st.st_size > (records - 1) * 32);
	CHECKED(!ftruncate(fd, 10) && !fstat(fd, &st) && st.st_size == 10);
	CHECKED(!fchmod(fd, 0600) && !fstat(fd, &st) && (st.st_mode & 0777) == 0600);
}

int main(int argc, char **argv)
{
	struct pollfd p = { .fd = 0, .events = POLLIN };
	uint64_t records = 0;
	int fd = -1, waiting = 0;

	work_begin(argc, argv);
	if (argc > 2) {
		fd = open(argv[2], O_CREAT | O_TRUNC | O_RDWR, 0644);
		MUST(fd >= 0);
	}
	fprintf(stderr, "ready\n");
	while (working()) {
		if (poll(&p, 1, 1000) < 0 || !copy_line(stdin))
			break;
		CHECKED(!ioctl(0, FIONREAD, &waiting));
		if (fd >= 0)
			use_file(fd, records++);
		if (fd >= 0)
			splice_file(fd, records - 1);
		pause_ms(5);
	}
	if (fd >= 0)
		check_file(fd, records);
	fprintf(stderr, "%s %llu lines\n", work_failures ? "FAIL" : "PASS",
		(unsigned long long)expected);
	return work_failures != 0;
}
