// SPDX-License-Identifier: GPL-2.0
/*
 * libcontinuum.c - the calls of /dev/continuum
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#include "continuum.h"

#define EXPLAIN_MAX	65536u	/* the most text that the kernel gives */

static int call(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, request, argument) < 0 ? -errno : 0;
}

/* "" when it does not fit: the kernel has no node of such a name. */
static int set_node(char to[CTM_NAME_MAX], const char *from)
{
	size_t length = strlen(from);

	if (length >= CTM_NAME_MAX)
		return -EHOSTUNREACH;
	memcpy(to, from, length + 1);
	return 0;
}

static void copy_reason(char *to, const char from[CTM_REASON_MAX])
{
	size_t length = strnlen(from, CTM_REASON_MAX - 1);

	if (!to)
		return;
	memcpy(to, from, length);
	to[length] = '\0';
}

int continuum_open(void)
{
	int fd = open("/dev/continuum", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int continuum_info(int fd, uint64_t gpid, struct ctm_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	info->gpid = gpid;
	return call(fd, CTM_IOC_INFO, info);
}

int continuum_migrate(int fd, uint64_t gpid, const char *node, struct ctm_migrate *result)
{
	return continuum_migrate_as(fd, gpid, node, 0, result);
}

int continuum_migrate_as(int fd, uint64_t gpid, const char *node, uint32_t flags,
			 struct ctm_migrate *result)
{
	struct ctm_migrate local;
	struct ctm_migrate *m = result ? result : &local;
	int error;

	memset(m, 0, sizeof(*m));
	m->size = sizeof(*m);
	m->flags = flags;
	m->gpid = gpid;
	error = set_node(m->node, node);
	return error ? error : call(fd, CTM_IOC_MIGRATE, m);
}

int continuum_worked(int fd, uint32_t *ttl)
{
	struct ctm_worked w = { .size = sizeof(w) };
	int error = call(fd, CTM_IOC_WORKED, &w);

	if (ttl)
		*ttl = w.ttl;
	return error;
}

int continuum_wait(int fd, uint64_t gpid, uint32_t flags, struct ctm_wait *result)
{
	memset(result, 0, sizeof(*result));
	result->size = sizeof(*result);
	result->flags = flags;
	result->gpid = gpid;
	return call(fd, CTM_IOC_WAIT, result);
}

int continuum_dist_fork(int fd, struct ctm_fork_child *children, uint32_t count,
			const char (*nodes)[CTM_NAME_MAX], uint32_t nnodes, uint32_t *index,
			char *reason)
{
	struct ctm_dist_fork f = {
		.size = sizeof(f),
		.count = count,
		.nnodes = nnodes,
		.nodes = (uintptr_t)nodes,
		.children = (uintptr_t)children,
	};
	int made = ioctl(fd, CTM_IOC_DIST_FORK, &f);

	if (made < 0)
		made = -errno;
	if (!made && index)
		*index = f.index;
	copy_reason(reason, f.reason);
	return made;
}

int continuum_result(int fd, const void *data, size_t length)
{
	struct ctm_result r = { .size = sizeof(r), .len = (uint32_t)length };

	if (length > sizeof(r.data))
		return -EINVAL;
	memcpy(r.data, data, length);
	return call(fd, CTM_IOC_RESULT, &r);
}

int continuum_signal(int fd, uint64_t gpid, int sig, uint32_t flags, uint32_t timeout_ms,
		     char *reason)
{
	struct ctm_signal s = {
		.size = sizeof(s),
		.flags = flags,
		.gpid = gpid,
		.sig = (uint32_t)sig,
		.timeout_ms = timeout_ms,
	};
	int error = call(fd, CTM_IOC_SIGNAL, &s);

	copy_reason(reason, s.reason);
	return error;
}

static int call_target(int fd, unsigned long request, uint64_t gpid, char *reason)
{
	struct ctm_target t = { .size = sizeof(t), .gpid = gpid };
	int error = call(fd, request, &t);

	copy_reason(reason, t.reason);
	return error;
}

int continuum_destroy(int fd, uint64_t gpid, char *reason)
{
	return call_target(fd, CTM_IOC_DESTROY, gpid, reason);
}

int continuum_suspend(int fd, uint64_t gpid, char *reason)
{
	return call_target(fd, CTM_IOC_SUSPEND, gpid, reason);
}

int continuum_resume(int fd, uint64_t gpid, char *reason)
{
	return call_target(fd, CTM_IOC_RESUME, gpid, reason);
}

int continuum_set(int fd, uint64_t gpid, uint32_t property, uint64_t value, char *reason)
{
	struct ctm_set s = { .size = sizeof(s), .gpid = gpid, .property = property, .value = value };
	int error = call(fd, CTM_IOC_SET, &s);

	copy_reason(reason, s.reason);
	return error;
}

int continuum_recover(int fd, uint64_t gpid, char *reason)
{
	return call_target(fd, CTM_IOC_RECOVER, gpid, reason);
}

int continuum_checkpoint(int fd, uint64_t gpid, struct ctm_checkpoint *result)
{
	memset(result, 0, sizeof(*result));
	result->size = sizeof(*result);
	result->gpid = gpid;
	return call(fd, CTM_IOC_CHECKPOINT, result);
}

int continuum_restore(int fd, struct ctm_restore *r)
{
	r->size = sizeof(*r);
	return call(fd, CTM_IOC_RESTORE, r);
}

int continuum_explain(int fd, uint64_t gpid, const char *node, char *text, size_t length,
		      struct ctm_explain *result)
{
	struct ctm_explain local;
	struct ctm_explain *e = result ? result : &local;
	size_t room;
	int error;

	if (!length)
		return -EINVAL;
	room = length > EXPLAIN_MAX ? EXPLAIN_MAX : length - 1;
	memset(text, 0, room + 1);
	memset(e, 0, sizeof(*e));
	e->size = sizeof(*e);
	e->gpid = gpid;
	e->buf = (uintptr_t)text;
	e->buf_len = (uint32_t)room;
	error = set_node(e->node, node);
	return error ? error : call(fd, CTM_IOC_EXPLAIN, e);
}
