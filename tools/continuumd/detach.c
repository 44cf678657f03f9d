// SPDX-License-Identifier: GPL-2.0
/*
 * detach.c - logs and deputies of processes that nobody waits for
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../continuumctl/deputy.h"
#include "detach.h"
#include "log.h"

#define DEPUTY_FD	3

int process_log_create(struct process_log *log, const struct config *config,
		       const struct ucred *peer)
{
	static unsigned int counter;
	int result;

	if (mkdir(config->log_dir, 0755) && errno != EEXIST)
		return -errno;
	snprintf(log->path, sizeof(log->path), "%s/.start-%d-%u", config->log_dir, getpid(),
		 counter++);
	log->fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (log->fd < 0) {
		result = -errno;
		log->path[0] = '\0';
		return result;
	}
	return fchown(log->fd, peer->uid, peer->gid) ? -errno : 0;
}

void process_log_name(struct process_log *log, const struct config *config, __u64 gpid)
{
	char path[PATH_MAX + CTM_NAME_MAX + 32];

	if (log->fd < 0)
		return;
	snprintf(path, sizeof(path), "%s/%s.%u", config->log_dir, config->name,
		 CTM_GPID_SEQ(gpid));
	if (rename(log->path, path))
		log_error("%s: %s", path, strerror(errno));
	else
		log->path[0] = '\0';
}

static int log_open_again(const char *path, const struct ucred *peer)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	int result = -EPERM;

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && (!peer->uid || st.st_uid == peer->uid) &&
	    !fcntl(fd, F_SETFL, O_APPEND))
		return fd;
	close(fd);
	return result;
}

/* Did a process ever get that number?  Else logs without end could be asked for. */
static bool number_is_known(__u32 sequence)
{
	FILE *file = fopen(STATE_DIR "/sequence", "re");	/* module/sequence.c */
	unsigned int limit = 0;

	if (file && fscanf(file, "%u", &limit) != 1)
		limit = 0;
	if (file)
		fclose(file);
	return sequence && sequence < limit;
}

int process_log_open(const struct config *config, const struct ucred *peer, __u32 sequence)
{
	char path[PATH_MAX + CTM_NAME_MAX + 32];
	int fd;

	if (!number_is_known(sequence))
		return -ESRCH;
	if (mkdir(config->log_dir, 0755) && errno != EEXIST)
		return -errno;
	snprintf(path, sizeof(path), "%s/%s.%u", config->log_dir, config->name, sequence);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? log_open_again(path, peer) : -errno;
	if (!fchown(fd, peer->uid, peer->gid))
		return fd;
	close(fd);
	unlink(path);
	return -EIO;
}

void process_log_drop(struct process_log *log)
{
	if (log->fd < 0)
		return;
	if (log->path[0])
		unlink(log->path);
	close(log->fd);
	log->fd = -1;
}

static void become_deputy(const struct ucred *peer, const gid_t *groups, unsigned int group_count,
			  int device)
{
	char *const arguments[] = { (char *)"continuumd", (char *)"--deputy", NULL };
	char *const environment[] = { NULL };
	sigset_t none;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (setsid() < 0 || chdir("/"))
		_exit(125);
	device = fcntl(device, F_DUPFD_CLOEXEC, DEPUTY_FD + 1);
	if (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(device, DEPUTY_FD) < 0 || syscall(SYS_close_range, DEPUTY_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC))
		_exit(125);
	if (setgroups(group_count, groups) || setresgid(peer->gid, peer->gid, peer->gid) ||
	    setresuid(peer->uid, peer->uid, peer->uid))
		_exit(125);
	execve("/proc/self/exe", arguments, environment);
	_exit(125);
}

int detach_deputy(const struct ucred *peer, const gid_t *groups, unsigned int group_count,
		  int device)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid)
		become_deputy(peer, groups, group_count, device);
	return 0;
}

bool is_deputy_file(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLPRI };
	struct stat own, device;

	/* a file without such a role answers POLLERR */
	return !fstat(fd, &own) && !stat("/dev/continuum", &device) && S_ISCHR(own.st_mode) &&
	       own.st_rdev == device.st_rdev && poll(&poll_fd, 1, 0) >= 0 &&
	       !(poll_fd.revents & POLLERR);
}

void detach_main(int device)
{
	struct deputy deputy = { .device = device };

	exit(deputy_run(&deputy));
}
