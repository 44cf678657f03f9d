// SPDX-License-Identifier: GPL-2.0
/*
 * key.c - the cluster key's file
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../lib/base64.h"
#include "key.h"

/* Who may read the key may speak for the whole cluster. */
static int check_mode(int fd, const char *path, char *error, size_t room)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid || (st.st_mode & 077)) {
		snprintf(error, room, "%s must be a file of root with mode 0600 (chown root %s; chmod 600 %s)",
			 path, path, path);
		return -EACCES;
	}
	return 0;
}

static int read_text(int fd, char *text, size_t room)
{
	ssize_t got = read(fd, text, room - 1);

	if (got < 0)
		return -errno;
	text[got] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	return 0;
}

int key_read(const char *path, unsigned char key[CTM_KEY_LEN], char *error, size_t room)
{
	char text[BASE64_LENGTH(CTM_KEY_LEN) + 16];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int result;

	if (fd < 0) {
		result = -errno;
		snprintf(error, room, "%s: %s", path, strerror(errno));
		return result;
	}
	result = check_mode(fd, path, error, room);
	if (!result)
		result = read_text(fd, text, sizeof(text));
	close(fd);
	if (result)
		return result;
	result = base64_decode(text, key, CTM_KEY_LEN);
	explicit_bzero(text, sizeof(text));
	if (result)
		snprintf(error, room, "%s: not a key (32 bytes in base64, as continuumctl genkey prints)", path);
	return result;
}
