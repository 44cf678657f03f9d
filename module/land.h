/* SPDX-License-Identifier: GPL-2.0 */
/*
 * land.h - the destination's side of a handoff
 *
 * Keepers wait in ctm_land_wait().  The channel's serve function accepts an
 * OFFER, takes a waiting keeper, and the two share a struct ctm_landing from
 * then on: the serve thread speaks the protocol, the restorer reads the image.
 */
#ifndef CTM_LAND_H
#define CTM_LAND_H

#include <linux/uio.h>
#include "keeper.h"

struct ctm_conn;
struct ctm_ho_begin;
struct ctm_ho_id;
struct ctm_ho_offer;
struct ctm_landing;
struct ctm_stored;

/** ctm_land_wait() - CTM_IOC_LAND.  Return: a landing (a reference) or ERR_PTR; fills @arg */
struct ctm_landing *ctm_land_wait(struct ctm_land *arg);
/** ctm_landing_record() - CTM_IOC_RECORD */
int ctm_landing_record(struct ctm_landing *l, struct ctm_record *arg);
/** ctm_landing_read() - raw pages after a PAGES record, straight into user memory */
ssize_t ctm_landing_read(struct ctm_landing *l, struct iov_iter *to);
int ctm_landing_file(struct ctm_landing *l, struct ctm_land_file *arg);
int ctm_landing_fail(struct ctm_landing *l, struct ctm_land_fail *arg);
/** ctm_landing_seek() - the last wait of a restored thread; returns the recorded ax */
loff_t ctm_landing_seek(struct ctm_landing *l, struct file *file, loff_t arg);
/** ctm_landing_keeper() - the keeper once COMMIT came, else NULL */
struct ctm_keeper *ctm_landing_keeper(struct ctm_landing *l);
/** ctm_landing_poll() - POLLHUP when it failed, else what the keeper's poll says after COMMIT */
__poll_t ctm_landing_poll(struct ctm_landing *l, struct file *f, struct poll_table_struct *pt);
/** ctm_landing_close() - the keeper's file is closed */
void ctm_landing_close(struct ctm_landing *l);

/**
 * struct ctm_land_order - what is the same for all children that a fork lands here
 * A process that is restored lands in the same way, as the only one.
 * @image:  whole; each landing reads it by itself
 * @offer, @begin: as of a handoff of the parent
 * @parent, @source, @source_boot: it was captured from, there
 * @index_at: user address for a child's index, or 0
 * @restore: it is no child; then @epoch: it gets the next one; @stream: the open files
 *          that CTM_STREAM() stands for, NULL each where there is none
 * @may_start: called when a child is whole and waits.  0: it exists, here, from now on
 * @wanted: not any more: those who wait for a keeper give up
 */
struct ctm_land_order {
	struct ctm_stored *image;
	const struct ctm_ho_offer *offer;
	const struct ctm_ho_begin *begin;
	u64 parent;
	u32 source;
	u64 source_boot;
	u64 index_at;
	bool restore;
	u32 epoch;
	struct file **stream;
	int (*may_start)(const struct ctm_land_order *o, u64 gpid);
	bool (*wanted)(const struct ctm_land_order *o);
};
/**
 * ctm_land_child() - build one and let it run
 * @why: CTM_REASON_MAX, on an error.  Context: a worker, sleeps for as long as it takes.
 * Return: 0: it runs, or ran; -errno: it does not exist
 */
int ctm_land_child(const struct ctm_land_order *o, u64 gpid, u32 index, char *why);
/** ctm_land_judge() - may @n processes of this offer be here?  0 or -errno with @why */
int ctm_land_judge(const struct ctm_ho_offer *o, u32 n, char *why);
/** ctm_land_accept() - which of the files behind the offer are here: ACCEPT, sent on @c */
int ctm_land_accept(struct ctm_conn *c, const struct ctm_ho_id *id, const struct ctm_ho_offer *o,
		    u64 mono_rx, u64 boot_rx, char *why);

/** ctm_landing_recover() - an operator: start the copy in limbo here; as ctm_journey_recover() */
int ctm_landing_recover(u64 gpid, const struct ctm_caller *by, char *why);

/**
 * struct ctm_land_gate - who has a say in what other nodes' valves send here
 * @admit:  may it land?  0, or -EXDEV and @why (CTM_REASON_MAX).  After 0, @landed is called
 * @landed: it is @here, or will not come
 */
struct ctm_land_gate {
	int (*admit)(u32 from, u64 rss, char *why);
	void (*landed)(bool here);
};
/** ctm_land_gate() - at module init, before the network is there; NULL takes it back, after it */
void ctm_land_gate(const struct ctm_land_gate *gate);

unsigned int ctm_landers_waiting(void);
int ctm_land_init(void);
void ctm_land_exit(void);

#endif /* CTM_LAND_H */
