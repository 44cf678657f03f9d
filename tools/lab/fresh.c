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

/* By watch descriptor: these count up from 1 and are not reused. */
static struct watched {
	char *dir;		/* NULL: no longer */
	bool tree;		/* and all below it */
} *watched;
static int nr_watched;
static int fd = -1;
static unsigned int changes;

void fresh_init(void)
{
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
}

static struct watched *find(int wd)
{
	return wd >= 0 && wd < nr_watched && watched[wd].dir ? &watched[wd] : NULL;
}

static bool make_room(int wd)
{
	int n = wd + 1024;
	struct watched *w;

	if (wd < nr_watched)
		return true;
	w = realloc(watched, n * sizeof(*w));
	if (!w)
		return false;
	memset(w + nr_watched, 0, (n - nr_watched) * sizeof(*w));
	watched = w;
	nr_watched = n;
	return true;
}

/* Watch one directory; false if that changes nothing, or cannot be done. */
static bool watch(const char *dir, bool tree)
{
	int wd = inotify_add_watch(fd, dir, MASK);
	struct watched *w = find(wd);

	if (wd < 0 || (w && (!tree || w->tree) && !strcmp(w->dir, dir)) || !make_room(wd))
		return false;
	/* New, or now with what is below it, or renamed. */
	w = &watched[wd];
	free(w->dir);
	w->dir = strdup(dir);
	w->tree = w->tree || tree;
	return w->dir;
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
	struct watched *w = find(e->wd);
	char path[4096];
	struct stat st;

	if (e->mask & IN_Q_OVERFLOW)
		changes++;
	if (!w)
		return;
	if (e->mask & IN_IGNORED) {
		free(w->dir);
		w->dir = NULL;
		w->tree = false;
		return;
	}
	if (!e->len || snprintf(path, sizeof(path), "%s/%s", w->dir, e->name) >= (int)sizeof(path))
		return;
	if (e->mask & IN_ISDIR) {
		if (w->tree && e->name[0] != '.')
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
