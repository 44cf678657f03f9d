// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "user.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void fill(struct user *u, const struct passwd *pw)
{
	snprintf(u->name, sizeof(u->name), "%s", pw->pw_name);
	snprintf(u->home, sizeof(u->home), "%s", pw->pw_dir);
	snprintf(u->shell, sizeof(u->shell), "%s", pw->pw_shell);
	u->uid = pw->pw_uid;
	u->gid = pw->pw_gid;
}

int user_find(struct user *u, const char *who)
{
	FILE *f = fopen("/etc/passwd", "re");
	char *end;
	long number = strtol(who, &end, 10);
	struct passwd *pw;
	bool numeric = *who && !*end;

	while (f && (pw = fgetpwent(f)))
		if (numeric ? pw->pw_uid == (uid_t)number : !strcmp(pw->pw_name, who)) {
			fill(u, pw);
			fclose(f);
			return 0;
		}
	if (f)
		fclose(f);
	if (!numeric && strcmp(who, "root"))
		return -1;
	snprintf(u->name, sizeof(u->name), "%s", who);
	strcpy(u->home, "/");
	strcpy(u->shell, "/bin/sh");
	u->uid = u->gid = numeric ? number : 0;
	return 0;
}

bool user_exists(const char *who)
{
	struct user u;

	return user_find(&u, who) == 0;
}

int user_become(const struct user *u)
{
	gid_t groups[256];
	int n = 0;
	struct group *gr;
	FILE *f;

	groups[n++] = u->gid;
	f = fopen("/etc/group", "re");
	while (f && (gr = fgetgrent(f)))
		for (char **m = gr->gr_mem; *m && n < 256; m++)
			if (!strcmp(*m, u->name) && gr->gr_gid != u->gid)
				groups[n++] = gr->gr_gid;
	if (f)
		fclose(f);
	if (setgroups(n, groups) < 0 || setgid(u->gid) < 0)
		return -1;
	return setuid(u->uid);
}
