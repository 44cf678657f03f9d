// SPDX-License-Identifier: GPL-2.0
/*
 * targets.c - which processes kill, suspend and resume mean, and doing it to each
 *
 * A signal to a process that nobody answers for takes ten seconds to fail, so a few
 * threads share the work.  Each takes the next target; what came of it is shown at
 * the end, in order.
 */
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "targets.h"

#define THREADS_MAX	16

/* ---- finding ---- */

static int add(struct targets *targets, uint64_t gpid, const char *name)
{
	struct target *list;

	for (size_t i = 0; i < targets->count; i++)
		if (targets->list[i].gpid == gpid)
			return 0;
	list = realloc(targets->list, (targets->count + 1) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	targets->list = list;
	list[targets->count++] = (struct target){ .gpid = gpid, .name = name };
	return 0;
}

/* Return: DONE or USAGE */
static int parse_user(const char *text, uint32_t *uid)
{
	const struct passwd *user = getpwnam(text);
	unsigned long number;
	char *end;

	if (user) {
		*uid = user->pw_uid;
		return DONE;
	}
	errno = 0;
	number = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno || number >= UINT32_MAX)
		return usage_error("no user \"%s\"", text);
	*uid = (uint32_t)number;
	return DONE;
}

/* GPID of the caller, if it is such a process itself: --all spares it, as kill -1 does. */
static uint64_t own_gpid(void)
{
	struct ctm_info info;
	int fd = continuum_open();
	int error = fd < 0 ? fd : continuum_info(fd, 0, &info);

	if (fd >= 0)
		close(fd);
	return error ? 0 : info.gpid;
}

struct filter {
	bool by_user, by_family;
	uint32_t uid;
	uint64_t family;
	uint64_t self;
};

/* Whoever is not root means his own processes by "all". */
static int make_filter(const struct selection *s, struct filter *f)
{
	int status = DONE;

	*f = (struct filter){ .by_user = s->user, .by_family = s->family, .self = own_gpid() };
	if (s->user)
		status = parse_user(s->user, &f->uid);
	if (!status && s->family)
		status = parse_gpid(s->family, &f->family);
	if (s->all && !s->user && geteuid()) {
		f->by_user = true;
		f->uid = getuid();
	}
	return status;
}

static bool passes(const struct filter *f, const struct ctm_info *p)
{
	return p->state != CTM_STATE_ENDED && (!f->by_user || p->uid == f->uid) &&
	       (!f->by_family || p->family == f->family) && p->gpid != f->self;
}

static int find_selected(const struct selection *selection, struct targets *targets)
{
	struct list list = { 0 };
	struct filter filter;
	struct netlink *nl;
	size_t before = targets->count;
	int status = make_filter(selection, &filter);
	int error;

	if (status)
		return status;
	nl = open_netlink(&status);
	if (!nl)
		return status;
	error = cluster_processes(nl, false, &list);
	if (error)
		status = fail(error, "%s", netlink_text_of(nl, error));
	close_netlink(nl);
	for (size_t i = 0; !error && i < list.count; i++) {
		const struct ctm_info *p = (const struct ctm_info *)list.items + i;

		if (passes(&filter, p))
			error = add(targets, p->gpid, NULL);
	}
	if (error == -ENOMEM)
		status = fail(error, "%s", strerror(ENOMEM));
	if (!status && targets->count == before)
		status = fail(-ESRCH, "no such process: none is selected");
	free(list.items);
	return status;
}

int targets_find(const struct selection *selection, char **names, struct targets *targets)
{
	int result = DONE;

	*targets = (struct targets){ 0 };
	for (; *names; names++) {
		uint64_t gpid;
		int status = parse_gpid(*names, &gpid);

		if (!status && add(targets, gpid, *names))
			status = fail(-ENOMEM, "%s", strerror(ENOMEM));
		if (!result)
			result = status;
		if (status == USAGE)
			return status;
	}
	if (selection->all || selection->user || selection->family) {
		int status = find_selected(selection, targets);

		if (!result)
			result = status;
	}
	return result;
}

void targets_free(struct targets *targets)
{
	free(targets->list);
	*targets = (struct targets){ 0 };
}

/* ---- doing ---- */

struct crew {
	struct targets *targets;
	void (*act)(struct target *target, void *data);
	void *data;
	size_t next;		/* taken with an atomic add */
};

static void *labour(void *argument)
{
	struct crew *crew = argument;
	size_t i;

	while ((i = __atomic_fetch_add(&crew->next, 1, __ATOMIC_RELAXED)) < crew->targets->count)
		crew->act(&crew->targets->list[i], crew->data);
	return NULL;
}

static const char *cause(const struct target *t)
{
	if (t->reason[0])
		return t->reason;
	switch (-t->error) {
	case ESRCH:
		return "no such process";
	case EPERM:
		return "not yours";
	case ETIMEDOUT:
		return "unconfirmed";
	case ENETDOWN:
		return "the node is not up (continuumctl up)";
	default:
		return strerror(-t->error);
	}
}

int targets_each(struct targets *targets, void (*act)(struct target *target, void *data), void *data)
{
	struct crew crew = { .targets = targets, .act = act, .data = data };
	pthread_t threads[THREADS_MAX];
	size_t started = 0;
	int result = DONE;

	while (started < THREADS_MAX && started + 1 < targets->count &&
	       !pthread_create(&threads[started], NULL, labour, &crew))
		started++;
	labour(&crew);
	while (started)
		pthread_join(threads[--started], NULL);
	for (size_t i = 0; i < targets->count; i++) {
		const struct target *t = &targets->list[i];
		char text[CONTINUUM_GPID_MAX];
		int status;

		if (!t->error)
			continue;
		status = fail(t->error, "%s: %s",
			      t->name ? t->name : continuum_gpid_print(t->gpid, text), cause(t));
		if (!result)
			result = status;
	}
	return result;
}
