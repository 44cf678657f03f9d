// SPDX-License-Identifier: GPL-2.0
/*
 * handoff_io.c - frames of a handoff, actions to be done, outcomes remembered
 *
 * `outcomes_lock` covers the table of outcomes.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "fault.h"
#include "handoff_io.h"
#define CREATE_TRACE_POINTS
#include "trace.h"

#define OUTCOMES	4096
#define QUERY_MS	2000

static struct ctm_ho_outcomes outcomes;
static DEFINE_MUTEX(outcomes_lock);

/* ---- frames ---- */

static int send_frame(struct ctm_conn *c, enum ctm_ho_frame_type type, const struct ctm_ho_id *id,
		      const void *a, size_t a_len, const void *b, size_t b_len)
{
	struct ctm_ho_frame f;
	int err;

	ctm_ho_frame_fill(&f, type, id, a_len + b_len);
	err = ctm_conn_send(c, &f, sizeof(f), a_len + b_len);
	if (!err && a_len)
		err = ctm_conn_send(c, a, a_len, b_len);
	if (!err && b_len)
		err = ctm_conn_send(c, b, b_len, false);
	return err;
}

int ctm_ho_send(struct ctm_conn *c, enum ctm_ho_frame_type type, const struct ctm_ho_id *id,
		const void *a, size_t a_len, const void *b, size_t b_len)
{
	enum ctm_fault fault;
	int err = 0;

	if (!c)
		return -ENOTCONN;
	fault = ctm_fault_frame("send", type);
	if (fault == CTM_FAULT_DROP)
		return 0;
	if (fault == CTM_FAULT_DUP)
		err = send_frame(c, type, id, a, a_len, b, b_len);
	return err ?: send_frame(c, type, id, a, a_len, b, b_len);
}

int ctm_ho_send_text(struct ctm_conn *c, enum ctm_ho_frame_type type, const struct ctm_ho_id *id,
		     int error, const char *text)
{
	struct ctm_ho_text t = { .error = cpu_to_le32(error) };

	return ctm_ho_send(c, type, id, &t, sizeof(t), text, strnlen(text, CTM_REASON_MAX - 1));
}

void ctm_ho_send_break(struct ctm_conn *c, const char *why)
{
	struct { struct ctm_rec rec; char text[CTM_REASON_MAX]; } r = {
		.rec = { .type = CTM_REC_ABORT, .flags = CTM_REC_F_MUST },
	};

	r.rec.len = strscpy(r.text, why, sizeof(r.text));
	ctm_conn_send(c, &r, sizeof(r.rec) + r.rec.len, false);
}

static struct ctm_ho_frame *recv_frame(struct ctm_conn *c)
{
	struct ctm_ho_frame head, *f;
	const char *why;
	size_t len;
	int err;

	err = ctm_conn_recv(c, &head, sizeof(head));
	if (!err)
		err = ctm_ho_head_check(&head, &why);
	if (err)
		return ERR_PTR(err);
	len = le32_to_cpu(head.len);
	f = kvmalloc(sizeof(head) + len, GFP_KERNEL_ACCOUNT);
	if (!f)
		return ERR_PTR(-ENOMEM);
	*f = head;
	err = len ? ctm_conn_recv(c, f + 1, len) : 0;
	if (!err)
		err = ctm_ho_frame_check(f, sizeof(head) + len, &why);
	if (err) {
		kvfree(f);
		return ERR_PTR(err);
	}
	return f;
}

struct ctm_ho_frame *ctm_ho_recv(struct ctm_conn *c)
{
	struct ctm_ho_frame *f;

	if (!c)
		return ERR_PTR(-ENOTCONN);
	for (;;) {
		f = recv_frame(c);
		if (IS_ERR(f) || ctm_fault_frame("recv", le16_to_cpu(f->type)) != CTM_FAULT_DROP)
			return f;
		kvfree(f);
	}
}

int ctm_ho_text_get(const struct ctm_ho_frame *f, char *why)
{
	const struct ctm_ho_text *t = (const void *)(f + 1);
	size_t len = le32_to_cpu(f->len) - sizeof(*t);
	int error = le32_to_cpu(t->error);

	len = min_t(size_t, len, CTM_REASON_MAX - 1);
	memcpy(why, t->text, len);
	why[len] = 0;
	return error > 0 && error < 4096 ? error : EPROTO;
}

void ctm_ho_abi_put(struct ctm_ho_abi *to, const struct ctm_abi *from)
{
	unsigned int i;

	memset(to, 0, sizeof(*to));
	memcpy(to->vdso_id, from->vdso_id, sizeof(to->vdso_id));
	to->xfeatures = cpu_to_le64(from->xfeatures);
	to->xstate_size = cpu_to_le32(from->xstate_size);
	to->version = cpu_to_le32(from->version);
	for (i = 0; i < ARRAY_SIZE(to->cpu); i++)
		to->cpu[i] = cpu_to_le64(from->cpu[i]);
}

void ctm_ho_abi_get(struct ctm_abi *to, const struct ctm_ho_abi *from)
{
	unsigned int i;

	memset(to, 0, sizeof(*to));
	memcpy(to->vdso_id, from->vdso_id, sizeof(to->vdso_id));
	to->xfeatures = le64_to_cpu(from->xfeatures);
	to->xstate_size = le32_to_cpu(from->xstate_size);
	to->version = le32_to_cpu(from->version);
	for (i = 0; i < ARRAY_SIZE(to->cpu); i++)
		to->cpu[i] = le64_to_cpu(from->cpu[i]);
}

/* ---- actions ---- */

void ctm_todo_init(struct ctm_todo *t)
{
	mutex_init(&t->lock);
	init_waitqueue_head(&t->wait);
	t->first = 0;
	t->count = 0;
}

void ctm_todo_add(struct ctm_todo *t, const struct ctm_ho_actions *a)
{
	unsigned int i;

	lockdep_assert_held(&t->lock);
	for (i = 0; i < a->n; i++) {
		if (a->list[i] == CTM_HO_SEND_ANSWER)
			continue;	/* the call that asked carries the answer back */
		if (WARN_ON_ONCE(t->count == CTM_TODO_MAX))
			return;
		t->ring[(t->first + t->count++) % CTM_TODO_MAX] = a->list[i];
	}
	wake_up_all(&t->wait);
}

enum ctm_ho_action ctm_todo_next(struct ctm_todo *t)
{
	enum ctm_ho_action a = 0;

	mutex_lock(&t->lock);
	if (t->count) {
		a = t->ring[t->first];
		t->first = (t->first + 1) % CTM_TODO_MAX;
		t->count--;
	}
	mutex_unlock(&t->lock);
	return a;
}

/* ---- outcomes ---- */

int ctm_outcome_reserve(const struct ctm_ho_id *id, bool source)
{
	int err;

	mutex_lock(&outcomes_lock);
	err = ctm_ho_outcome_reserve(&outcomes, id, source);
	mutex_unlock(&outcomes_lock);
	return err;
}

void ctm_outcome_set(const struct ctm_ho_id *id, bool source, enum ctm_ho_outcome_type o)
{
	mutex_lock(&outcomes_lock);
	ctm_ho_outcome_set(&outcomes, id, source, o);
	mutex_unlock(&outcomes_lock);
}

enum ctm_ho_outcome_type ctm_outcome_query(const struct ctm_ho_id *id, bool source,
					   enum ctm_ho_outcome_type theirs)
{
	enum ctm_ho_outcome_type o;

	mutex_lock(&outcomes_lock);
	o = ctm_ho_outcome_query(&outcomes, id, source, theirs);
	mutex_unlock(&outcomes_lock);
	return o;
}

void ctm_outcome_ack(const struct ctm_ho_id *id, bool source)
{
	mutex_lock(&outcomes_lock);
	ctm_ho_outcome_ack(&outcomes, id, source);
	mutex_unlock(&outcomes_lock);
}

/* ---- QUERY and RELEASED as calls ---- */

int ctm_ho_ask(u32 node, const struct ctm_ho_id *id, bool from_source,
	       enum ctm_ho_outcome_type mine, enum ctm_ho_outcome_type *outcome, u64 *boot,
	       void **commit, size_t *commit_len)
{
	struct { struct ctm_ho_frame f; struct ctm_ho_query q; } req;
	struct { struct ctm_ho_frame f; struct ctm_ho_answer a; } __packed *resp;
	size_t len = CTM_CALL_MAX, extra;
	const char *why;
	int err;

	resp = kvmalloc(CTM_CALL_MAX, GFP_KERNEL_ACCOUNT);
	if (!resp)
		return -ENOMEM;
	ctm_ho_frame_fill(&req.f, CTM_HO_FRAME_QUERY, id, sizeof(req.q));
	req.q.from_source = cpu_to_le32(from_source);
	req.q.outcome = cpu_to_le32(mine);
	req.q.boot = cpu_to_le64(ctm_node_boot());
	err = ctm_call(node, CTM_CALL_QUERY, &req, sizeof(req), resp, &len, QUERY_MS);
	if (!err)
		err = len < sizeof(*resp) ? -EBADMSG : ctm_ho_frame_check(resp, len, &why);
	if (err)
		goto out;
	*outcome = le32_to_cpu(resp->a.outcome);
	*boot = le64_to_cpu(resp->a.boot);
	extra = le32_to_cpu(resp->a.commit_len);
	if (commit && extra) {
		*commit = kvmalloc(extra, GFP_KERNEL_ACCOUNT);
		if (!*commit) {
			err = -ENOMEM;
			goto out;
		}
		memcpy(*commit, resp + 1, extra);
		*commit_len = extra;
	}
out:
	kvfree(resp);
	return err;
}

static int serve_query(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct ctm_ho_frame *f = req;
	const struct ctm_ho_query *q = (const void *)(f + 1);
	struct { struct ctm_ho_frame f; struct ctm_ho_answer a; } __packed *out = resp;
	enum ctm_ho_outcome_type o = CTM_HO_UNKNOWN;
	size_t commit_len = 0;
	struct ctm_ho_id id;
	bool to_source;
	const char *why;
	int err;

	err = ctm_ho_frame_check(req, len, &why);
	if (err || le16_to_cpu(f->type) != CTM_HO_FRAME_QUERY)
		return -EBADMSG;
	ctm_ho_frame_id(f, &id);
	to_source = !le32_to_cpu(q->from_source);
	if (to_source) {
		commit_len = *resp_len - sizeof(*out);
		err = ctm_journey_query(&id, q, &o, out + 1, &commit_len);
	} else {
		err = ctm_landing_query(&id, q, &o);
	}
	if (err == -ENOENT)
		o = ctm_outcome_query(&id, to_source, le32_to_cpu(q->outcome));
	ctm_ho_frame_fill(&out->f, CTM_HO_FRAME_ANSWER, &id, sizeof(out->a) + commit_len);
	out->a.outcome = cpu_to_le32(o);
	out->a.commit_len = cpu_to_le32(commit_len);
	out->a.boot = cpu_to_le64(ctm_node_boot());
	*resp_len = sizeof(*out) + commit_len;
	return 0;
}

static int serve_released(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct ctm_ho_frame *f = req;
	struct ctm_ho_id id;
	const char *why;

	*resp_len = 0;
	if (ctm_ho_frame_check(req, len, &why) || le16_to_cpu(f->type) != CTM_HO_FRAME_RELEASED)
		return -EBADMSG;
	ctm_ho_frame_id(f, &id);
	ctm_landing_released(&id);
	return 0;
}

int ctm_handoff_io_init(void)
{
	outcomes.slot = kvcalloc(OUTCOMES, sizeof(*outcomes.slot), GFP_KERNEL);
	if (!outcomes.slot)
		return -ENOMEM;
	outcomes.nr = OUTCOMES;
	ctm_call_handler(CTM_CALL_QUERY, serve_query);
	ctm_call_handler(CTM_CALL_RELEASED, serve_released);
	return 0;
}

void ctm_handoff_io_exit(void)
{
	ctm_call_handler(CTM_CALL_RELEASED, NULL);
	ctm_call_handler(CTM_CALL_QUERY, NULL);
	kvfree(outcomes.slot);
}
