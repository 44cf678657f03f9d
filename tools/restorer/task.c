/* SPDX-License-Identifier: GPL-2.0 */
/*
 * task.c - what the thread group as a whole has: group, directory, limits
 */
#include "restore.h"
#include <asm/errno.h>
#include <linux/prctl.h>

void task_own(struct restore *r)
{
	r->oom_fd = restore_must(r, sys_open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC),
				 "oom_score_adj");
	for (unsigned int i = 0; i < 16; i++)
		restore_must(r, SYS(prlimit64, 0, i, 0, &r->limits.lim[i]), "limit %u", i);
}

static void oom_score_adj(struct restore *r, int value)
{
	char text[16];
	size_t n = text_format(text, sizeof(text), "%d", value);

	restore_must(r, SYS(write, r->oom_fd, text, n), "oom_score_adj %d", value);
	SYS(close, r->oom_fd);
}

static void limit_set(struct restore *r, unsigned int i)
{
	if (r->limits.lim[i].cur != r->rlimits->lim[i].cur ||
	    r->limits.lim[i].max != r->rlimits->lim[i].max)
		restore_must(r, SYS(prlimit64, 0, i, &r->rlimits->lim[i], 0), "limit %u", i);
}

void task_take(struct restore *r, const struct ctm_rec_task *rec)
{
	if (rec->cwd_len >= CTM_PATH_MAX || rec->exe_len >= CTM_PATH_MAX)
		restore_fail(r, EBADMSG, "paths of the process");
	r->task = restore_keep(r, rec, sizeof(*rec) + rec->cwd_len + rec->exe_len);
	/* needs to be root, and the group must stand before a terminal is given to it */
	oom_score_adj(r, rec->oom_score_adj);
	restore_must(r, SYS(setpgid, 0, rec->pgid), "process group %u", rec->pgid);
}

void task_settle(struct restore *r)
{
	char *path = restore_alloc(r, r->task->cwd_len + 1);

	memcpy(path, r->task->paths, r->task->cwd_len);
	creds_bare(r);
	if (path[0])
		restore_must(r, SYS(chdir, path), "working directory %s", path);
	creds_again(r);
	SYS(umask, r->task->umask & 0777);
	restore_must(r, sys_prctl(PR_SET_CHILD_SUBREAPER, !!r->task->child_subreaper, 0, 0, 0),
		     "child subreaper");
}

void task_finish(struct restore *r)
{
	unsigned int i;

	if (!r->rlimits || !r->itimers || !r->have_sighand)
		restore_fail(r, EBADMSG, "image: a record is missing");
	restore_must(r, SYS(personality, r->task->personality), "personality");
	for (i = 0; i < 16; i++)
		limit_set(r, i);
}
