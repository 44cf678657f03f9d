/* SPDX-License-Identifier: GPL-2.0 */
/*
 * creds.c - credentials
 *
 * creds_own() notes what the keeper has.  Then two steps: creds_assume(), before
 * any file is opened, takes the process's ids and its file privileges; what is left are the capabilities of this node's
 * root for what follows (thread ids, limits, priorities).  creds_bare() lays these down, too,
 * while something is opened by a path, and creds_again() takes them up.  creds_drop() gives
 * them up, in each thread, as the last but harmless thing before the last wait.
 * Neither gives a capability that the keeper itself has not.
 */
#include "restore.h"
#include <asm/errno.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>

#define CAP(c)		(1ull << (c))
#define CAP_FILES	(CAP(CAP_CHOWN) | CAP(CAP_DAC_OVERRIDE) | CAP(CAP_DAC_READ_SEARCH) | \
			 CAP(CAP_FOWNER) | CAP(CAP_FSETID) | CAP(CAP_MKNOD) | \
			 CAP(CAP_LINUX_IMMUTABLE) | CAP(CAP_MAC_OVERRIDE))

struct caps {
	__u64 effective, permitted, inheritable;
};

static long caps_get(struct caps *c)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { 0 };
	long ret = SYS(capget, &h, d);

	c->effective = d[0].effective | (__u64)d[1].effective << 32;
	c->permitted = d[0].permitted | (__u64)d[1].permitted << 32;
	c->inheritable = d[0].inheritable | (__u64)d[1].inheritable << 32;
	return ret;
}

static long caps_set(const struct caps *c)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = {
		{ c->effective, c->permitted, c->inheritable },
		{ c->effective >> 32, c->permitted >> 32, c->inheritable >> 32 },
	};

	return SYS(capset, &h, d);
}

static __u64 bounds_get(void)
{
	__u64 has = 0;

	for (unsigned int cap = 0; cap < 64; cap++) {
		long ret = sys_prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (ret < 0)		/* beyond the last */
			break;
		has |= ret ? CAP(cap) : 0;
	}
	return has;
}

void creds_own(struct restore *r)
{
	struct caps caps;

	restore_must(r, caps_get(&caps), "credentials: capget");
	r->cap_own = caps.permitted;
	r->cap_inheritable = caps.inheritable;
	r->cap_bounds = bounds_get();
	/* ids change without a change of capabilities: those are said in full later */
	restore_must(r, sys_prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0),
		     "credentials: securebits");
}

void creds_take(struct restore *r, const struct ctm_rec_creds *rec)
{
	if (rec->ngroups > CTM_GROUPS_MAX)
		restore_fail(r, EBADMSG, "credentials: %u groups", rec->ngroups);
	r->creds = restore_keep(r, rec, sizeof(*rec) + rec->ngroups * 4);
}

/* The bounding set shrinks to the image's.  Return: what is left of it */
static __u64 bounds_drop(struct restore *r)
{
	__u64 drop = r->cap_bounds & ~r->creds->cap_bset;

	for (unsigned int cap = 0; cap < 64; cap++)
		if (drop & CAP(cap))
			restore_must(r, sys_prctl(PR_CAPBSET_DROP, cap, 0, 0, 0),
				     "credentials: bounding set");
	return r->cap_bounds & ~drop;
}

static void ids_set(struct restore *r)
{
	const struct ctm_rec_creds *c = r->creds;

	restore_must(r, SYS(setgroups, c->ngroups, c->groups), "credentials: setgroups");
	restore_must(r, SYS(setresgid, c->rgid, c->egid, c->sgid), "credentials: gid %u", c->egid);
	restore_must(r, SYS(setresuid, c->ruid, c->euid, c->suid), "credentials: uid %u", c->euid);
	SYS(setfsgid, c->fsgid);
	SYS(setfsuid, c->fsuid);
	/* they answer only with the previous id: ask again */
	if ((__u32)SYS(setfsgid, -1) != c->fsgid || (__u32)SYS(setfsuid, -1) != c->fsuid)
		restore_fail(r, EPERM, "credentials: file system ids");
}

void creds_assume(struct restore *r)
{
	const struct ctm_rec_creds *c = r->creds;
	__u64 bounds = bounds_drop(r);
	struct caps caps = {
		.permitted = r->cap_own,
		.effective = r->cap_own & (~CAP_FILES | c->cap_effective),
		.inheritable = c->cap_inheritable & (bounds | r->cap_inheritable),
	};

	ids_set(r);
	sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	restore_must(r, caps_set(&caps), "credentials: capset");
	for (unsigned int cap = 0; cap < 64; cap++)
		if (c->cap_ambient & caps.inheritable & c->cap_permitted & r->cap_own & CAP(cap))
			restore_must(r, sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0),
				     "credentials: ambient capability %u", cap);
}

/*
 * What is asked for when a file is opened is asked of the process, not of us: a path may
 * lead to files that look for other capabilities than those for files (/proc/PID/mem).
 */
static void effective_set(struct restore *r, __u64 effective)
{
	struct caps caps;

	restore_must(r, caps_get(&caps), "credentials: capget");
	caps.effective = effective & caps.permitted;
	restore_must(r, caps_set(&caps), "credentials: capset");
}

void creds_bare(struct restore *r)
{
	effective_set(r, r->creds->cap_effective);
}

void creds_again(struct restore *r)
{
	effective_set(r, r->cap_own & (~CAP_FILES | r->creds->cap_effective));
}

void creds_drop(struct restore *r)
{
	const struct ctm_rec_creds *c = r->creds;
	struct caps caps;

	restore_must(r, caps_get(&caps), "credentials: capget");
	restore_must(r, sys_prctl(PR_SET_SECUREBITS, c->securebits, 0, 0, 0),
		     "credentials: securebits %x", c->securebits);
	caps.permitted = c->cap_permitted & r->cap_own;
	caps.effective = c->cap_effective & caps.permitted;
	restore_must(r, caps_set(&caps), "credentials: capset");
	if (c->no_new_privs)
		restore_must(r, sys_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
			     "credentials: no_new_privs");
}
