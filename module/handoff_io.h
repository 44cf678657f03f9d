/* SPDX-License-Identifier: GPL-2.0 */
/*
 * handoff_io.h - what both ends of a handoff share: frames on a connection, the
 * list of actions still to be done, and the memory of outcomes
 */
#ifndef CTM_HANDOFF_IO_H
#define CTM_HANDOFF_IO_H

#include <linux/mutex.h>
#include <linux/wait.h>

#include "core/handoff.h"
#include "net/transport.h"
#include "node.h"

/** ctm_ho_send() - one frame; @b, @b_len: a second part of the payload, may be NULL */
int ctm_ho_send(struct ctm_conn *c, enum ctm_ho_frame_type type, const struct ctm_ho_id *id,
		const void *a, size_t a_len, const void *b, size_t b_len);
int ctm_ho_send_text(struct ctm_conn *c, enum ctm_ho_frame_type type, const struct ctm_ho_id *id,
		     int error, const char *text);
/** ctm_ho_send_break() - ABORT inside an image, where no frame may come: a record */
void ctm_ho_send_break(struct ctm_conn *c, const char *why);
/**
 * ctm_ho_recv() - one frame, checked
 * Return: kvmalloc'ed frame with its payload (the caller frees), or ERR_PTR.
 */
struct ctm_ho_frame *ctm_ho_recv(struct ctm_conn *c);
/** ctm_ho_text() - the text of a REFUSE or ABORT into @why.  Return: its errno, positive */
int ctm_ho_text_get(const struct ctm_ho_frame *f, char *why);

void ctm_ho_abi_put(struct ctm_ho_abi *to, const struct ctm_abi *from);
void ctm_ho_abi_get(struct ctm_abi *to, const struct ctm_ho_abi *from);

/* ---- actions still to be done, in order ---- */

#define CTM_TODO_MAX	32

/** struct ctm_todo - @lock covers the ring and the machine whose step fills it */
struct ctm_todo {
	struct mutex lock;
	wait_queue_head_t wait;
	enum ctm_ho_action ring[CTM_TODO_MAX];
	unsigned int first, count;
};
void ctm_todo_init(struct ctm_todo *t);
void ctm_todo_add(struct ctm_todo *t, const struct ctm_ho_actions *a);	/* holds t->lock */
/** ctm_todo_next() - the next action, or 0 */
enum ctm_ho_action ctm_todo_next(struct ctm_todo *t);

/* ---- outcomes, remembered by this node ---- */

int ctm_outcome_reserve(const struct ctm_ho_id *id, bool source);
void ctm_outcome_set(const struct ctm_ho_id *id, bool source, enum ctm_ho_outcome_type o);
/** ctm_outcome_query() - the answer to a QUERY when there is no machine (any more) */
enum ctm_ho_outcome_type ctm_outcome_query(const struct ctm_ho_id *id, bool source,
					   enum ctm_ho_outcome_type theirs);
void ctm_outcome_ack(const struct ctm_ho_id *id, bool source);

/**
 * ctm_ho_ask() - QUERY the other end
 * @commit: kvmalloc'ed payload of the COMMIT when the answer is COMMITTED (may be NULL)
 * Return: 0 with @outcome and @boot, or -errno: no answer
 */
int ctm_ho_ask(u32 node, const struct ctm_ho_id *id, bool from_source,
	       enum ctm_ho_outcome_type mine, enum ctm_ho_outcome_type *outcome, u64 *boot,
	       void **commit, size_t *commit_len);

/* answers of the live machines; -ENOENT: no such attempt is alive here */
int ctm_journey_query(const struct ctm_ho_id *id, const struct ctm_ho_query *q,
		      enum ctm_ho_outcome_type *outcome, void *commit, size_t *commit_len);
int ctm_landing_query(const struct ctm_ho_id *id, const struct ctm_ho_query *q,
		      enum ctm_ho_outcome_type *outcome);
void ctm_landing_released(const struct ctm_ho_id *id);

int ctm_handoff_io_init(void);
void ctm_handoff_io_exit(void);

#endif /* CTM_HANDOFF_IO_H */
