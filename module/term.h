/* SPDX-License-Identifier: GPL-2.0 */
/*
 * term.h - the terminal's bytes between the keeper (host) and the deputy (home)
 *
 * Two byte streams with absolute offsets, input and output.  Home anchors both:
 * it keeps input until the host's keeper has taken it, and knows how much output
 * it has got, so that no byte is lost or doubled when the host changes.
 *
 * What the carrier of a handoff does with it, in this order:
 *   source    CTM_EV_TTY_SAVE; from its answer on the keeper neither reads nor
 *             writes until TTY_KEEP, so that the positions stand still
 *   source    ctm_term_flush(), ctm_term_get_pos()
 *   landing   ctm_term_create(), ctm_term_set_pos() before p->here
 *   home      p->host set: ctm_term_moved()
 */
#ifndef CTM_TERM_H
#define CTM_TERM_H

#include "process.h"

struct ctm_term;
struct file;
struct iov_iter;
struct poll_table_struct;

/** ctm_term_create() - at ADOPT with a tty (home), at a landing (host); sets p->term.  0 (also when there is one) or -ENOMEM */
int ctm_term_create(struct ctm_process *p);
void ctm_term_free(struct ctm_process *p);

/** keeper side, on the keeper's file */
ssize_t ctm_term_keeper_read(struct ctm_process *p, struct file *f, struct iov_iter *to);	/* input for the pty */
ssize_t ctm_term_keeper_write(struct ctm_process *p, struct file *f, struct iov_iter *from);
__poll_t ctm_term_keeper_poll(struct ctm_process *p, struct file *f, struct poll_table_struct *pt);

/** deputy side, used by ctm_deputy_*; poll gives IN only while there are bytes */
ssize_t ctm_term_deputy_read(struct ctm_process *p, struct file *f, struct iov_iter *to);
ssize_t ctm_term_deputy_write(struct ctm_process *p, struct file *f, struct iov_iter *from);
__poll_t ctm_term_deputy_poll(struct ctm_process *p, struct file *f, struct poll_table_struct *pt);
/** ctm_term_hangup() - the deputy is gone: nobody will read the output, so it is dropped */
void ctm_term_hangup(struct ctm_process *p);

/** ctm_term_flush() - host: wait until home has all output.  0, -ETIMEDOUT, -EINTR (killed) */
int ctm_term_flush(struct ctm_process *p, unsigned int timeout_ms);

/** the streams' offsets travel with the handoff (in the OFFER/COMMIT frames of journey.c, opaque here) */
struct ctm_term_pos { __u64 in_taken, out_sent; };
void ctm_term_get_pos(struct ctm_process *p, struct ctm_term_pos *pos);
void ctm_term_set_pos(struct ctm_process *p, const struct ctm_term_pos *pos);
/** ctm_term_lost_pos() - host: nobody knows the offsets but home, which tells them when it connects; input that was under way is lost */
void ctm_term_lost_pos(struct ctm_process *p);

/** the process runs on another host now (home side): reconnect; called at home when host changed, also when it is home again */
void ctm_term_moved(struct ctm_process *p);
/** the process ended: deputy reads what is left, then gets 0 */
void ctm_term_ended(struct ctm_process *p);
int ctm_term_init(void);
void ctm_term_exit(void);

#endif /* CTM_TERM_H */
