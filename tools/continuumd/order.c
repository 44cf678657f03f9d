// SPDX-License-Identifier: GPL-2.0
/*
 * order.c - checks and rewrites what a client wants to have started
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/continuum.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "order.h"

#define FDS_MAX		250
#define FD_NUMBER_MAX	65536
#define RLIMITS		16
#define NEEDED_SEALS	(F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)
#define KNOWN_FLAGS	(CTM_ADOPT_TTY | CTM_ADOPT_PIN | CTM_ADOPT_LINGER)

_Static_assert(RLIM_NLIMITS == RLIMITS, "a limit more than keeper_proto.h knows");

/* cwd, arguments and environment: as many strings as announced, to the last byte. */
static int check_strings(const struct keeper_start *start)
{
	size_t strings = 0;

	for (__u32 at = 0; at < start->bytes; at++)
		strings += !start->strings[at];
	if (strings != (size_t)1 + start->argc + start->envc)
		return -EINVAL;
	return start->strings[start->bytes - 1] || start->strings[0] != '/' ? -EINVAL : 0;
}

static int check_descriptors(const struct keeper_start *start)
{
	if (start->nfds > FDS_MAX)
		return -EINVAL;
	for (__u32 i = 0; i < start->nfds; i++)
		if (start->fds[i] < 0 || start->fds[i] >= FD_NUMBER_MAX)
			return -EINVAL;
	return 0;
}

int order_check(const struct keeper_start *start, size_t length)
{
	if (length < sizeof(*start) || start->size != sizeof(*start))
		return -EINVAL;
	if (length > KEEPER_MSG_MAX)
		return -E2BIG;
	if (start->bytes != length - sizeof(*start) || !start->bytes || !start->argc)
		return -EINVAL;
	if (start->argc > KEEPER_MSG_MAX || start->envc > KEEPER_MSG_MAX)
		return -E2BIG;
	if (start->pad || start->flags & ~KNOWN_FLAGS || start->tty_fds & ~7u || start->umask & ~0777u)
		return -EINVAL;
	if (!(start->flags & CTM_ADOPT_TTY) != !start->tty_fds)
		return -EINVAL;
	if (start->nice < -20 || start->nice > 19)
		return -EINVAL;
	if (check_descriptors(start))
		return -EINVAL;
	return check_strings(start);
}

static int read_all(int fd, void *buffer, size_t length)
{
	char *to = buffer;

	for (size_t done = 0; done < length;) {
		ssize_t got = pread(fd, to + done, length - done, (off_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -EINVAL;
		done += (size_t)got;
	}
	return 0;
}

int order_read(int memfd, unsigned int fds, struct order *order)
{
	struct stat st;
	int seals = fcntl(memfd, F_GET_SEALS);
	int result;

	/* Only a memfd has seals, so reading it cannot block. */
	if (seals < 0 || (seals & NEEDED_SEALS) != NEEDED_SEALS || fstat(memfd, &st))
		return -EINVAL;
	if (st.st_size < (off_t)sizeof(*order->start))
		return -EINVAL;
	if (st.st_size > KEEPER_MSG_MAX)
		return -E2BIG;
	order->length = (size_t)st.st_size;
	order->start = malloc(order->length);
	if (!order->start)
		return -ENOMEM;
	result = read_all(memfd, order->start, order->length);
	if (!result)
		result = order_check(order->start, order->length);
	if (!result && order->start->nfds != fds)
		result = -EINVAL;
	if (result)
		order_free(order);
	return result;
}

/* The pid may have been given to another process since the client connected; one
 * of the same user is as good, for it could have asked itself. */
static bool is_still(const struct ucred *peer)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d", peer->pid);
	return !stat(path, &st) && st.st_uid == peer->uid;
}

static int bound_limits(struct keeper_start *start, const struct ucred *peer)
{
	for (int i = 0; i < RLIMITS; i++) {
		struct rlimit own;

		if (prlimit(peer->pid, i, NULL, &own))
			return -errno;
		if (start->rlimits[i].max > own.rlim_max)
			start->rlimits[i].max = own.rlim_max;
		if (start->rlimits[i].cur > start->rlimits[i].max)
			start->rlimits[i].cur = start->rlimits[i].max;
	}
	return 0;
}

static int bound_nice(struct keeper_start *start, const struct ucred *peer)
{
	int own;

	errno = 0;
	own = getpriority(PRIO_PROCESS, (id_t)peer->pid);
	if (errno)
		return -errno;
	if (start->nice < own)
		start->nice = own;
	return 0;
}

int order_set_owner(struct order *order, const struct client *client)
{
	struct keeper_start *start = order->start;
	int result = 0;

	start->uid = client->peer.uid;
	start->gid = client->peer.gid;
	start->ngroups = client->group_count;
	memset(start->groups, 0, sizeof(start->groups));
	memcpy(start->groups, client->groups, client->group_count * sizeof(gid_t));
	if (start->uid)
		result = bound_limits(start, &client->peer);
	if (start->uid && !result)
		result = bound_nice(start, &client->peer);
	if (!result && start->uid && !is_still(&client->peer))
		result = -ESRCH;
	return result;
}

int order_memfd(const struct order *order)
{
	int fd = memfd_create("continuum-start", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int result;

	if (fd < 0)
		return -errno;
	for (size_t done = 0; done < order->length;) {
		ssize_t put = write(fd, (char *)order->start + done, order->length - done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			goto err_close;
		done += (size_t)put;
	}
	if (fcntl(fd, F_ADD_SEALS, NEEDED_SEALS | F_SEAL_SEAL))
		goto err_close;
	lseek(fd, 0, SEEK_SET);
	return fd;

err_close:
	result = errno ? -errno : -EIO;
	close(fd);
	return result;
}

void order_free(struct order *order)
{
	free(order->start);
	order->start = NULL;
}
