// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "fresh.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define MASK (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ATTRIB | IN_ONLYDIR | IN_EXCL_UNLINK)
#define MAX_WATCHES 4096

/* Watch descriptors are small numbers that are not reused. */
static char *dirs[MAX_WATCHES];
static bool recursive[MAX_WATCHES];
static int fd = -1;
static unsigned int changes;

void fresh_init(void)
{
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
}

/* Watch one directory; false if it is watched already, or cannot be. */
static bool watch(const char *dir, bool tree)
{
	int wd = inotify_add_watch(fd, dir, MASK);

	if (wd < 0 || wd >= MAX_WATCHES)
		return false;
	if (dirs[wd])
		return tree && !recursive[wd] && (recursive[wd] = true);
	dirs[wd] = strdup(dir);
	recursive[wd] = tree;
	return dirs[wd];
}

void fresh_watch_tree(const char *dir)
{
	char path[4096];
	struct dirent *e;
	DIR *d;

	if (!watch(dir, true))
		return;
	d = opendir(dir);
	while (d && (e = readdir(d)))
		if (e->d_type == DT_DIR && e->d_name[0] != '.' &&
		    snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) < (int)sizeof(path))
			fresh_watch_tree(path);
	if (d)
		closedir(d);
}

void fresh_watch_named(const char *s, size_t n)
{
	char dir[4096];

	for (const char *end = s + n; s < end; s += strlen(s) + 1) {
		const char *slash = strrchr(s, '/');
		size_t len = slash ? slash - s : 0;

		if (s[0] != '/' || !len || len >= sizeof(dir))
			continue;
		memcpy(dir, s, len);
		dir[len] = 0;
		watch(dir, false);
	}
}

static void on_event(const struct inotify_event *e)
{
	char path[4096];
	struct stat st;

	if (e->mask & IN_Q_OVERFLOW)
		changes++;
	if (e->wd < 0 || e->wd >= MAX_WATCHES || !dirs[e->wd])
		return;
	if (e->mask & IN_IGNORED) {
		free(dirs[e->wd]);
		dirs[e->wd] = NULL;
		return;
	}
	if (!e->len || snprintf(path, sizeof(path), "%s/%s", dirs[e->wd], e->name) >= (int)sizeof(path))
		return;
	if (e->mask & IN_ISDIR) {
		if (recursive[e->wd] && e->name[0] != '.')
			fresh_watch_tree(path);
		/* What was put into it before it was watched is not known. */
		if (e->mask & (IN_CREATE | IN_MOVED_TO))
			changes++;
	} else if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111)) {
		changes++;
	}
}

unsigned int fresh_changes(void)
{
	_Alignas(struct inotify_event) char events[16384];
	ssize_t n;

	while (fd >= 0 && (n = read(fd, events, sizeof(events))) > 0)
		for (char *p = events; p < events + n; ) {
			struct inotify_event *e = (struct inotify_event *)p;

			on_event(e);
			p += sizeof(*e) + e->len;
		}
	return changes;
}
