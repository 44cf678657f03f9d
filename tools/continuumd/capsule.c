// SPDX-License-Identifier: GPL-2.0
/*
 * capsule.c - makes and removes the cgroups of capsules
 *
 * A cgroup can be removed only some time after its last task has ended, so a
 * removal is tried again until it succeeds.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capsule.h"
#include "log.h"
#include "loop.h"

#define FIRST_TRY_MS	20
#define LAST_TRY_MS	5000
#define LEFTOVER_MS	2000	/* an ending keeper of an earlier daemon needs no longer */
#define PATH_ROOM	(PATH_MAX + 64)

static struct {
	char path[PATH_MAX];	/* <cgroup v2>/continuum */
	unsigned int next;	/* number of the next capsule */
} root;

/** struct removal - a capsule that is to go; frees itself */
struct removal {
	struct timer timer;
	unsigned int number;
	unsigned int wait_ms;
	bool keeper_lives;	/* an earlier daemon's: goes only when it holds no process */
};

static void capsule_path(unsigned int number, const char *below, char path[PATH_ROOM])
{
	snprintf(path, PATH_ROOM, "%s/cap-%u%s", root.path, number, below);
}

static int remove_directory(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	return type == FTW_DP && rmdir(path) ? errno : 0;
}

/* Return: 0 or a positive errno */
static int remove_tree(const char *path)
{
	int result = nftw(path, remove_directory, 8, FTW_DEPTH | FTW_PHYS);

	return result < 0 ? errno == ENOENT ? 0 : errno : result;
}

static void kill_all(unsigned int number)
{
	char path[PATH_ROOM];
	int fd;

	capsule_path(number, "/cgroup.kill", path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, "1", 1) < 0)
		log_warning("%s: %s", path, strerror(errno));
	close(fd);
}

static bool has_process(unsigned int number)
{
	char path[PATH_ROOM];
	char line[64];
	bool found = false;
	FILE *file;

	capsule_path(number, "/process/cgroup.events", path);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		found |= !strcmp(line, "populated 1\n");
	fclose(file);
	return found;
}

static void try_removal(struct timer *timer)
{
	struct removal *removal = container_of(timer, struct removal, timer);
	char path[PATH_ROOM];

	if (removal->keeper_lives) {
		if (has_process(removal->number)) {
			timer_set(timer, LAST_TRY_MS);
			return;
		}
		kill_all(removal->number);
		removal->keeper_lives = false;
	}
	capsule_path(removal->number, "", path);
	if (!remove_tree(path)) {
		free(removal);
		return;
	}
	kill_all(removal->number);
	timer_set(timer, removal->wait_ms);
	if (removal->wait_ms < LAST_TRY_MS)
		removal->wait_ms *= 2;
}

static void begin_removal(unsigned int number, bool keeper_lives)
{
	struct removal *removal = calloc(1, sizeof(*removal));

	if (!removal) {
		log_error("cap-%u stays: no memory", number);
		return;
	}
	removal->timer.expired = try_removal;
	removal->number = number;
	removal->wait_ms = FIRST_TRY_MS;
	removal->keeper_lives = keeper_lives;
	if (keeper_lives)
		timer_set(&removal->timer, LEFTOVER_MS);
	else
		try_removal(&removal->timer);
}

void capsule_remove(unsigned int number)
{
	begin_removal(number, false);
}

static int find_mount(char *path, size_t room)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *mount;
	int result = -ENOENT;

	if (!mounts)
		return -errno;
	while (result && (mount = getmntent(mounts)))
		if (!strcmp(mount->mnt_type, "cgroup2"))
			result = (size_t)snprintf(path, room, "%s/continuum", mount->mnt_dir) < room ?
				 0 : -ENAMETOOLONG;
	endmntent(mounts);
	return result;
}

static void find_leftovers(void)
{
	DIR *directory = opendir(root.path);
	struct dirent *entry;
	unsigned int number;

	if (!directory)
		return;
	while ((entry = readdir(directory))) {
		if (sscanf(entry->d_name, "cap-%u", &number) != 1)
			continue;
		begin_removal(number, true);
		if (number >= root.next)
			root.next = number + 1;
	}
	closedir(directory);
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int result = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		result = -errno;
	close(fd);
	return result;
}

/* Without the pids controller there is no budget: said once, by capsules_init(). */
static bool budgets;

/* the pids controller, from the root of the file system down to the capsules */
static void enable_budgets(void)
{
	char path[PATH_ROOM];
	int result;

	snprintf(path, sizeof(path), "%s/../cgroup.subtree_control", root.path);
	result = write_text(path, "+pids");
	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", root.path);
	if (!result)
		result = write_text(path, "+pids");
	budgets = !result;
	if (result)
		log_warning("no pids controller (%s): nothing bounds how many processes a family has",
			    strerror(-result));
}

int capsules_init(char *error, size_t room)
{
	int result = find_mount(root.path, sizeof(root.path));

	if (result) {
		snprintf(error, room, "no cgroup v2 file system is mounted (mount -t cgroup2 none /sys/fs/cgroup)");
		return result;
	}
	if (mkdir(root.path, 0755) && errno != EEXIST) {
		result = -errno;
		snprintf(error, room, "%s: %s", root.path, strerror(errno));
		return result;
	}
	enable_budgets();
	find_leftovers();
	return 0;
}

/* Makes a cgroup and opens it.  Return: fd or -errno */
static int make_group(unsigned int number, const char *below)
{
	char path[PATH_ROOM];
	int fd;

	capsule_path(number, below, path);
	if (mkdir(path, 0755))
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void set_budget(unsigned int number, unsigned int budget)
{
	char path[PATH_ROOM];
	char text[16];
	int result;

	if (!budgets)
		return;
	capsule_path(number, "/cgroup.subtree_control", path);
	result = write_text(path, "+pids");
	capsule_path(number, "/process/pids.max", path);
	snprintf(text, sizeof(text), "%u", budget);
	if (!result)
		result = write_text(path, text);
	if (result)
		log_warning("%s: %s", path, strerror(-result));
}

int capsule_create(struct capsule *capsule, unsigned int budget)
{
	char path[PATH_ROOM];
	int result;

	do {
		capsule->number = root.next++;
		capsule_path(capsule->number, "", path);
		result = mkdir(path, 0755) ? -errno : 0;
	} while (result == -EEXIST);
	if (result)
		return result;
	capsule->keeper_fd = make_group(capsule->number, "/keeper");
	if (capsule->keeper_fd < 0) {
		result = capsule->keeper_fd;
		goto err_remove;
	}
	capsule->process_fd = make_group(capsule->number, "/process");
	if (capsule->process_fd < 0) {
		result = capsule->process_fd;
		goto err_close;
	}
	set_budget(capsule->number, budget);
	return 0;

err_close:
	close(capsule->keeper_fd);
err_remove:
	capsule_remove(capsule->number);
	return result;
}

void capsule_close(struct capsule *capsule)
{
	close(capsule->keeper_fd);
	close(capsule->process_fd);
}
