// SPDX-License-Identifier: GPL-2.0
/*
 * fork_land.c - a node that makes children of a fork
 *
 * The image comes once and is stored; then some workers let one child after another land
 * from it (land.c).  What is decided about each is home's word (fork_home.c).
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "fork_priv.h"
#include "handoff_io.h"
#include "land.h"

#define IO_MS		30000	/* the forking process may stand still first, to be captured */
#define LOOK_MS		500
#define START_RETRY_MS	300
#define WORKERS		8	/* children of one fork that land at the same time */
#define WORKERS_MAX	32	/* and of all */
#define PIECE		(256u << 10)

struct lander {
	struct work_struct work;
	struct ctm_fork_land *f;
};

struct ctm_fork_land {
	struct ctm_land_order order;
	struct ctm_ho_offer offer;
	struct ctm_ho_begin begin;
	u64 home_boot;
	ctm_fork_report report;
	void *arg;
	bool stop;
	atomic_t next;			/* child to begin with */
	atomic_t working;
	wait_queue_head_t wait;		/* for working to be 0 */
	struct lander lander[WORKERS];
	u32 n;
	struct ctm_ho_child child[];
};

static struct workqueue_struct *landers;

/* ---- children ---- */

static bool wanted(const struct ctm_land_order *o)
{
	const struct ctm_fork_land *f = container_of(o, struct ctm_fork_land, order);

	return !READ_ONCE(f->stop);
}

/*
 * A question without an answer may have been answered: so it is asked until there is
 * one, as long as it is the same home that would remember.
 */
static int may_start(const struct ctm_land_order *o, u64 gpid)
{
	const struct ctm_fork_land *f = container_of(o, struct ctm_fork_land, order);
	int err;

	if (READ_ONCE(f->stop))
		return -ECANCELED;
	for (;;) {
		err = ctm_fork_start(gpid);
		if (!err || err == -ECANCELED || err == -EOPNOTSUPP)
			return err;
		if (!ctm_node_is_up())
			return -ENETDOWN;
		if (ctm_fork_home_boot(gpid) != f->home_boot)
			return -EHOSTUNREACH;
		msleep(START_RETRY_MS);
	}
}

static void land(struct ctm_fork_land *f, const struct ctm_ho_child *c)
{
	char why[CTM_REASON_MAX] = "";
	u64 gpid = le64_to_cpu(c->gpid);
	int err = -ECANCELED;

	if (wanted(&f->order))
		err = ctm_land_child(&f->order, gpid, le32_to_cpu(c->index), why);
	f->report(f->arg, gpid, err, why);
}

static void land_work(struct work_struct *work)
{
	struct ctm_fork_land *f = container_of(work, struct lander, work)->f;
	unsigned int i;

	while ((i = atomic_inc_return(&f->next) - 1) < f->n)
		land(f, &f->child[i]);
	if (atomic_dec_and_test(&f->working))
		wake_up_all(&f->wait);
}

struct ctm_fork_land *ctm_fork_land_begin(struct ctm_stored *image, const struct ctm_ho_offer *o,
					  const struct ctm_ho_begin *b, u64 parent, u32 source,
					  u64 source_boot, u64 index_at,
					  const struct ctm_ho_child *children, u32 n,
					  ctm_fork_report report, void *arg)
{
	struct ctm_fork_land *f = kvzalloc(struct_size(f, child, n), GFP_KERNEL_ACCOUNT);
	unsigned int i, workers = min_t(u32, n, WORKERS);

	if (!f)
		return ERR_PTR(-ENOMEM);
	ctm_stored_get(image);
	f->offer = *o;
	f->begin = *b;
	f->order = (struct ctm_land_order){
		.image = image, .offer = &f->offer, .begin = &f->begin, .parent = parent,
		.source = source, .source_boot = source_boot, .index_at = index_at,
		.may_start = may_start, .wanted = wanted,
	};
	f->home_boot = ctm_fork_home_boot(parent);
	f->report = report;
	f->arg = arg;
	f->n = n;
	memcpy(f->child, children, n * sizeof(*children));
	init_waitqueue_head(&f->wait);
	atomic_set(&f->working, workers);
	for (i = 0; i < workers; i++) {
		f->lander[i].f = f;
		INIT_WORK(&f->lander[i].work, land_work);
		queue_work(landers, &f->lander[i].work);
	}
	return f;
}

void ctm_fork_land_stop(struct ctm_fork_land *f)
{
	WRITE_ONCE(f->stop, true);
}

bool ctm_fork_land_over(struct ctm_fork_land *f, unsigned int ms)
{
	return wait_event_timeout(f->wait, !atomic_read(&f->working), msecs_to_jiffies(ms));
}

void ctm_fork_land_end(struct ctm_fork_land *f)
{
	unsigned int i;

	wait_event(f->wait, !atomic_read(&f->working));
	for (i = 0; i < WORKERS && f->lander[i].f; i++)
		flush_work(&f->lander[i].work);
	ctm_stored_put(f->order.image);
	kvfree(f);
}

/* ---- a fork of another node ---- */

/** struct guest - a connection of CTM_CHANNEL_FORK, owned by its serve thread */
struct guest {
	struct ctm_conn *c;
	struct ctm_ho_id id;		/* of the parent */
	struct ctm_ho_frame *offer, *children, *begin;
	struct ctm_stored *image;
	struct mutex send;		/* one reports at a time */
	bool broken;			/* nobody hears the reports */
};

static const struct ctm_ho_offer *offer_of(const struct guest *g)
{
	return (const void *)(g->offer + 1);
}

static const struct ctm_ho_children *children_of(const struct guest *g)
{
	return (const void *)(g->children + 1);
}

static struct ctm_ho_frame *expect(struct guest *g, enum ctm_ho_frame_type type)
{
	struct ctm_ho_frame *f = ctm_ho_recv(g->c);
	struct ctm_ho_id id;

	if (IS_ERR(f))
		return NULL;
	ctm_ho_frame_id(f, &id);
	if (le16_to_cpu(f->type) == type && (type == CTM_HO_FRAME_OFFER || ctm_ho_id_equal(&id, &g->id)))
		return f;
	kvfree(f);
	return NULL;
}

static int admit(struct guest *g)
{
	char why[CTM_REASON_MAX] = "";
	u64 mono_rx, boot_rx;
	int err = 0;

	g->offer = expect(g, CTM_HO_FRAME_OFFER);
	if (!g->offer)
		return -EPROTO;
	mono_rx = ktime_get_ns();
	boot_rx = ktime_get_boottime_ns();
	ctm_ho_frame_id(g->offer, &g->id);
	g->children = expect(g, CTM_HO_FRAME_CHILDREN);
	if (!g->children)
		return -EPROTO;
	if (g->id.src_boot != ctm_conn_peer_boot(g->c) || g->id.dst_boot != ctm_node_boot())
		err = -ESTALE;
	if (!err)
		err = ctm_land_judge(offer_of(g), le32_to_cpu(children_of(g)->count), why);
	if (!err)
		err = ctm_land_accept(g->c, &g->id, offer_of(g), mono_rx, boot_rx, why);
	if (err) {
		ctm_count(CTM_CNT_HANDOFF_REFUSED);
		ctm_ho_send_text(g->c, CTM_HO_FRAME_REFUSE, &g->id, -err, why[0] ? why : "refused");
	}
	return err;
}

static int recv_pages(struct guest *g, const struct ctm_rec_pages *r, void *buf)
{
	u64 left = (u64)r->count * CTM_PAGE;
	int err = 0;

	while (left && !err) {
		size_t n = min_t(u64, left, PIECE);

		err = ctm_conn_recv(g->c, buf, n);
		if (!err)
			err = ctm_stored_bytes(g->image, buf, n);
		left -= n;
	}
	return err;
}

static int recv_record(struct guest *g, struct ctm_rec *rec, void *pages, const char **why)
{
	struct ctm_rec_pages head;
	int err = ctm_conn_recv(g->c, rec, sizeof(*rec));

	*why = "the image did not come";
	if (err)
		return err;
	if (rec->len > CTM_REC_MAX - sizeof(*rec)) {
		*why = "bad image: longer than any record";
		return -EBADMSG;
	}
	if (rec->len)
		err = ctm_conn_recv(g->c, rec + 1, rec->len);
	if (err)
		return err;
	if (rec->type == CTM_REC_ABORT)
		return -ECANCELED;
	err = ctm_stored_record(g->image, rec, sizeof(*rec) + rec->len, why);
	if (err == -EBADMSG)
		ctm_count(CTM_CNT_BAD_IMAGE);
	if (err == -ENOSPC)
		*why = "no room for the image";
	if (err || rec->type != CTM_REC_PAGES)
		return err;
	memcpy(&head, rec + 1, sizeof(head));
	return recv_pages(g, &head, pages);
}

static int recv_image(struct guest *g)
{
	const char *why = "out of memory";
	void *rec = kvmalloc(CTM_REC_MAX, GFP_KERNEL_ACCOUNT);
	void *pages = kvmalloc(PIECE, GFP_KERNEL_ACCOUNT);
	int err = rec && pages ? 0 : -ENOMEM;

	g->image = err ? NULL : ctm_stored_new();
	if (IS_ERR_OR_NULL(g->image)) {
		g->image = NULL;
		err = -ENOMEM;
	}
	while (!err && !ctm_stored_whole(g->image))
		err = recv_record(g, rec, pages, &why);
	kvfree(pages);
	kvfree(rec);
	if (err)
		ctm_ho_send_text(g->c, CTM_HO_FRAME_ABORT, &g->id, -err, why);
	return err;
}

static void report(void *arg, u64 gpid, int err, const char *why)
{
	struct guest *g = arg;
	struct ctm_ho_id id = g->id;

	id.gpid = gpid;
	mutex_lock(&g->send);
	if (!g->broken)
		err = err ? ctm_ho_send_text(g->c, CTM_HO_FRAME_ABORT, &id, -err, why[0] ? why : "gave up") :
		      ctm_ho_send(g->c, CTM_HO_FRAME_STARTED, &id, NULL, 0, NULL, 0);
	g->broken |= err;
	mutex_unlock(&g->send);
}

static void land_all(struct guest *g)
{
	const struct ctm_ho_children *l = children_of(g);
	struct ctm_fork_land *f;

	f = ctm_fork_land_begin(g->image, offer_of(g), (const void *)(g->begin + 1), g->id.gpid,
				ctm_conn_peer(g->c), g->id.src_boot, le64_to_cpu(l->index_at), l->child,
				le32_to_cpu(l->count), report, g);
	if (IS_ERR(f)) {
		ctm_ho_send_text(g->c, CTM_HO_FRAME_ABORT, &g->id, -PTR_ERR(f), "out of memory");
		return;
	}
	/* it says no more, but goes away when it wants no more */
	while (!ctm_fork_land_over(f, LOOK_MS))
		if (ctm_conn_poll(g->c, 0) || READ_ONCE(g->broken))
			ctm_fork_land_stop(f);
	ctm_fork_land_end(f);
}

static void serve(struct ctm_conn *c)
{
	struct guest g = { .c = c };

	mutex_init(&g.send);
	ctm_conn_set_timeout(c, IO_MS);
	if (admit(&g) || ctm_conn_read_ahead(c))
		goto out;
	g.begin = expect(&g, CTM_HO_FRAME_BEGIN);
	if (!g.begin || recv_image(&g))
		goto out;
	/* nothing of it is on its way any more: the process may change its memory */
	if (!ctm_ho_send(c, CTM_HO_FRAME_READY, &g.id, NULL, 0, NULL, 0))
		land_all(&g);
out:
	ctm_stored_put(g.image);
	kvfree(g.begin);
	kvfree(g.children);
	kvfree(g.offer);
}

int ctm_fork_land_init(void)
{
	landers = alloc_workqueue("ctm_fork_land", WQ_UNBOUND | WQ_HIGHPRI, WORKERS_MAX);
	if (!landers)
		return -ENOMEM;
	ctm_channel_serve(CTM_CHANNEL_FORK, serve);
	return 0;
}

void ctm_fork_land_exit(void)
{
	ctm_channel_serve(CTM_CHANNEL_FORK, NULL);
	destroy_workqueue(landers);
}
