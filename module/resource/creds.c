// SPDX-License-Identifier: GPL-2.0
/*
 * creds.c - credentials: those of the leader, which all threads must share
 *
 * A task's credentials are replaced, never changed: a reference keeps them.
 */
#include <linux/cred.h>
#include <linux/sched.h>
#include <linux/user_namespace.h>

#include "../compat/compat.h"
#include "resource.h"

static bool same(const struct cred *a, const struct cred *b)
{
	if (a == b)
		return true;
	if (a->group_info != b->group_info &&
	    (a->group_info->ngroups != b->group_info->ngroups ||
	     memcmp(a->group_info->gid, b->group_info->gid,
		    a->group_info->ngroups * sizeof(kgid_t))))
		return false;
	return uid_eq(a->uid, b->uid) && uid_eq(a->euid, b->euid) &&
	       uid_eq(a->suid, b->suid) && uid_eq(a->fsuid, b->fsuid) &&
	       gid_eq(a->gid, b->gid) && gid_eq(a->egid, b->egid) &&
	       gid_eq(a->sgid, b->sgid) && gid_eq(a->fsgid, b->fsgid) &&
	       a->securebits == b->securebits &&
	       ctm_cap_u64(a->cap_inheritable) == ctm_cap_u64(b->cap_inheritable) &&
	       ctm_cap_u64(a->cap_permitted) == ctm_cap_u64(b->cap_permitted) &&
	       ctm_cap_u64(a->cap_effective) == ctm_cap_u64(b->cap_effective) &&
	       ctm_cap_u64(a->cap_bset) == ctm_cap_u64(b->cap_bset) &&
	       ctm_cap_u64(a->cap_ambient) == ctm_cap_u64(b->cap_ambient);
}

/* RCU keeps the threads; their credentials are compared with @cred */
static bool threads_agree(struct task_struct *leader, const struct cred *cred)
{
	struct task_struct *t;
	bool ret = true;

	rcu_read_lock();
	for_each_thread(leader, t) {
		if (!(t->flags & PF_EXITING) &&
		    (!same(__task_cred(t), cred) ||
		     task_no_new_privs(t) != task_no_new_privs(leader))) {
			ret = false;
			break;
		}
	}
	rcu_read_unlock();
	return ret;
}

void ctm_explain_creds(struct ctm_explain_ctx *x)
{
	const struct cred *cred = get_task_cred(x->leader);

	if (cred->user_ns != &init_user_ns)
		ctm_stop(x, "is in a user namespace: cannot move");
	if (cred->group_info->ngroups > CTM_GROUPS_MAX)
		ctm_stop(x, "is in %d groups: at most %u can move", cred->group_info->ngroups,
			 CTM_GROUPS_MAX);
	if (!x->fork && !threads_agree(x->leader, cred))
		ctm_stop(x, "its threads have different credentials: cannot move");
	put_cred(cred);
}

static u32 uid_of(kuid_t uid)
{
	return from_kuid(&init_user_ns, uid);
}

static u32 gid_of(kgid_t gid)
{
	return from_kgid(&init_user_ns, gid);
}

int ctm_capture_creds(struct ctm_capture *c)
{
	struct ctm_rec_creds *r = c->buf + sizeof(struct ctm_rec);
	const struct cred *cred = get_task_cred(c->leader);
	u32 i, n = min_t(u32, cred->group_info->ngroups, CTM_GROUPS_MAX);

	*r = (struct ctm_rec_creds) {
		.ruid = uid_of(cred->uid), .euid = uid_of(cred->euid),
		.suid = uid_of(cred->suid), .fsuid = uid_of(cred->fsuid),
		.rgid = gid_of(cred->gid), .egid = gid_of(cred->egid),
		.sgid = gid_of(cred->sgid), .fsgid = gid_of(cred->fsgid),
		.cap_inheritable = ctm_cap_u64(cred->cap_inheritable),
		.cap_permitted = ctm_cap_u64(cred->cap_permitted),
		.cap_effective = ctm_cap_u64(cred->cap_effective),
		.cap_bset = ctm_cap_u64(cred->cap_bset),
		.cap_ambient = ctm_cap_u64(cred->cap_ambient),
		.securebits = cred->securebits,
		.no_new_privs = task_no_new_privs(c->leader),
		.ngroups = n,
	};
	for (i = 0; i < n; i++)
		r->groups[i] = gid_of(cred->group_info->gid[i]);
	put_cred(cred);
	return ctm_put_buf(c, CTM_REC_CREDS, struct_size(r, groups, n));
}
