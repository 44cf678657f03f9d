// SPDX-License-Identifier: GPL-2.0
/*
 * module.c - loading and unloading continuum.ko
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "ctl.h"
#include "module.h"

#define UNLOAD_TRIES	50
#define UNLOAD_PAUSE_MS	100

extern char **environ;

bool module_is_loaded(void)
{
	return !access("/sys/module/continuum", F_OK);
}

static const char *load_hint(int error)
{
	switch (-error) {
	case ENOEXEC:
		return "it was built for another kernel (make; see dmesg)";
	case EKEYREJECTED:
	case ENOKEY:
		return "this kernel wants signed modules (Secure Boot)";
	case EPERM:
		return "only root may, and not under kernel lockdown";
	case ENOENT:
		return "it needs something that this kernel does not have (see dmesg)";
	default:
		return strerror(-error);
	}
}

static int load_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return fail(-errno, "%s: %s", path, strerror(errno));
	if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
		error = -errno;
	close(fd);
	if (!error)
		return DONE;
	fail(error, "%s: %s", path, load_hint(error));
	return error == -EPERM ? DENIED : FAILED;
}

static int modprobe(void)
{
	char *const arguments[] = { (char *)"modprobe", (char *)"continuum", NULL };
	pid_t pid;
	int status;

	errno = posix_spawn(&pid, "/sbin/modprobe", NULL, NULL, arguments, environ);
	if (errno)
		return fail(-EIO, "/sbin/modprobe: %s", strerror(errno));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail(-EIO, "modprobe: %s", strerror(errno));
	if (!status)
		return DONE;
	return fail(-EIO, "modprobe failed: install the module (make install, make dkms), or name its file with --module");
}

int module_load(const char *path)
{
	if (geteuid())
		return fail(-EPERM, "only root may load the module");
	return path ? load_file(path) : modprobe();
}

int module_unload(void)
{
	const struct timespec pause = { .tv_nsec = UNLOAD_PAUSE_MS * 1000000L };

	for (int i = 0; i < UNLOAD_TRIES; i++) {
		if (!syscall(SYS_delete_module, "continuum", O_NONBLOCK) || errno == ENOENT)
			return DONE;
		if (errno != EAGAIN && errno != EBUSY)
			break;
		nanosleep(&pause, NULL);
	}
	if (errno == EAGAIN || errno == EBUSY)
		return fail(-EBUSY, "the module is still in use: programs have /dev/continuum open (fuser /dev/continuum); the node is down");
	return fail(-errno, "the module cannot be unloaded: %s", strerror(errno));
}
