/* SPDX-License-Identifier: GPL-2.0 */
/* A user of the node, from its /etc/passwd and /etc/group alone (no NSS). */
#ifndef LAB_USER_H
#define LAB_USER_H

#include <stdbool.h>
#include <sys/types.h>

struct user {
	char name[64], home[256], shell[128];
	uid_t uid;
	gid_t gid;
};

/* By name, or by number (which need not be in the file); -1 if there is none. */
int user_find(struct user *u, const char *who);
bool user_exists(const char *who);
/* Take on groups, gid and uid; 0 or -1 with errno. */
int user_become(const struct user *u);

#endif
