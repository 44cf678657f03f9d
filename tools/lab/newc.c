// SPDX-License-Identifier: GPL-2.0
/*
 * newc - write an initramfs: a cpio archive in the "newc" format.
 *
 *	newc ARCHIVE-PATH=FILE... > initrd
 *
 * Every file is stored executable and owned by root; directories are made as
 * needed by naming them with a "/" at the end.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static unsigned int inode = 1;

static void pad(size_t n)
{
	while (n++ % 4)
		putchar(0);
}

static void entry(const char *name, unsigned int mode, size_t size)
{
	size_t len = strlen(name) + 1;

	printf("070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X",
	       inode++, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len, 0);
	fwrite(name, 1, len, stdout);
	pad(110 + len);
}

static int add_file(const char *name, const char *path)
{
	static char chunk[1 << 16];
	struct stat st;
	size_t n, done = 0;
	FILE *f = fopen(path, "r");

	if (!f || fstat(fileno(f), &st) < 0) {
		fprintf(stderr, "newc: cannot read %s\n", path);
		return -1;
	}
	entry(name, S_IFREG | 0755, st.st_size);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		done += fwrite(chunk, 1, n, stdout);
	fclose(f);
	if (done != (size_t)st.st_size) {
		fprintf(stderr, "newc: %s changed while it was read\n", path);
		return -1;
	}
	pad(done);
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *eq = strchr(argv[i], '=');
		size_t len = strlen(argv[i]);

		if (eq) {
			*eq = 0;
			if (add_file(argv[i], eq + 1) < 0)
				return 1;
		} else if (len > 1 && argv[i][len - 1] == '/') {
			argv[i][len - 1] = 0;
			entry(argv[i], S_IFDIR | 0755, 0);
		} else {
			fprintf(stderr, "usage: newc DIR/ | ARCHIVE-PATH=FILE ... > initrd\n");
			return 2;
		}
	}
	entry("TRAILER!!!", 0, 0);
	return fflush(stdout) || ferror(stdout);
}
