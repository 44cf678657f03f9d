// SPDX-License-Identifier: GPL-2.0
/*
 * fork.c - distributed fork, on the node of the caller
 *
 * A struct fork is one call.  First it is shipped: numbers are had from home, each node
 * is asked, and gets the image.  A single-threaded caller does that itself: it stands
 * still by being in this call, and captures itself.  With other threads, a worker does, which
 * holds them still and captures the caller from outside, for a caller that is to be
 * frozen could not wait for the network.  Then a worker hears the reports and closes the fork at
 * home, also if the caller is killed: it holds the last reference.
 *
 * The image is made once for each node, not once for all: what it says of files depends on
 * which of them the node has, and pages are sent from where they are, without a copy.
 *
 * The caller holds p->journey throughout: nothing moves, freezes or suspends it meanwhile.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/pid_namespace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "capture.h"
#include "clock.h"
#include "fork_priv.h"
#include "handoff_io.h"
#include "journey.h"
#include "land.h"
#include "load.h"
#include "net/peers.h"
#include "reaper.h"
#include "rfile.h"

#define CONNECT_MS	5000
#define IO_MS		10000
#define STORE_MS	60000	/* from the end of the image until it is stored there */
#define FREEZE_MS	10000
#define ARRIVAL_MS	10000	/* as journey.c */
#define QUIET_MS	180000	/* without any report of a node: it is left to home's word */
#define POLL_MS		20
#define CLOSE_RETRY_MS	500
#define FORKS_MAX	64
#define IDENTS_ROOM	(256u << 10)

struct fork;

/** struct place - a node that shall have children of it */
struct place {
	struct fork *f;
	struct ctm_peer_info node;
	bool local;
	struct ctm_conn *c;
	int err;			/* it will have no more */
	char *why;			/* CTM_REASON_MAX, allocated with the first error */
	u32 instead;			/* named before: index of the place that stands for both */
	u32 n, reported;
	struct ctm_ho_children *list;
	struct ctm_ho_begin begin;
	unsigned long *ident_bits;
	u64 mono_tx, boot_tx;
	struct ctm_stored *image;	/* local */
	struct ctm_fork_land *land;
	struct ctm_sink sink;
	unsigned long heard;		/* jiffies */
};

struct fork {
	struct kref ref;
	struct ctm_process *p;
	struct task_struct *caller;
	u64 index_at;
	u32 count;
	struct ctm_fork_child *child;	/* count */
	u32 *seq;			/* of each child: GPID is first + that */
	u32 *by_seq;			/* and back */
	u32 reserved;
	u64 first;
	u64 home_boot;
	struct place *place;
	u32 nplaces;
	struct ctm_ho_offer *offer;	/* with the idents behind */
	s64 mono_ns, boot_ns;
	struct ctm_capture cap;
	bool cancel;			/* the caller was killed */
	struct mutex lock;		/* reports: child[], why, ... */
	u32 why_of;			/* ... the first child that does not exist */
	char why[CTM_REASON_MAX];
	u32 made;
	bool shipped_by_worker;
	struct completion shipped, done;
	struct work_struct work;
};

static struct workqueue_struct *workers;
static atomic_t forks = ATOMIC_INIT(0);

static void fork_free(struct kref *ref)
{
	struct fork *f = container_of(ref, struct fork, ref);
	u32 i;

	for (i = 0; i < f->nplaces; i++) {
		struct place *l = &f->place[i];

		ctm_conn_close(l->c);
		ctm_stored_put(l->image);
		kvfree(l->ident_bits);
		kvfree(l->list);
		kfree(l->why);
	}
	kvfree(f->place);
	kvfree(f->offer);
	kvfree(f->cap.buf);
	kvfree(f->child);
	kvfree(f->seq);
	kvfree(f->by_seq);
	put_task_struct(f->caller);
	ctm_process_put(f->p);
	kfree(f);
	atomic_dec(&forks);
}

static void fork_put(struct fork *f)
{
	kref_put(&f->ref, fork_free);
}

/* ---- errors ---- */

/* child @i does not exist; the text of the first of them is the call's */
static void child_failed(struct fork *f, u32 i, int err, const char *why)
{
	mutex_lock(&f->lock);
	f->child[i].error = err < 0 ? -err : err;
	if (i < f->why_of && why && why[0]) {
		f->why_of = i;
		strscpy(f->why, why, sizeof(f->why));
	}
	mutex_unlock(&f->lock);
}

static __printf(3, 4) void place_failed(struct place *l, int err, const char *fmt, ...)
{
	va_list args;

	if (l->err)
		return;
	l->err = err;
	l->why = kmalloc(CTM_REASON_MAX, GFP_KERNEL);
	if (!l->why)
		return;
	va_start(args, fmt);
	vsnprintf(l->why, CTM_REASON_MAX, fmt, args);
	va_end(args);
}

static int all_failed(struct fork *f, int err, const char *why)
{
	if (!f->why[0])
		strscpy(f->why, why, sizeof(f->why));
	return err;
}

/* ---- which nodes ---- */

static int peer_view(struct ctm_po_peer **out)
{
	char why[CTM_REASON_MAX];
	struct ctm_peer_row *rows;
	struct ctm_load self;
	struct ctm_po_peer *v;
	int i, n = ctm_peer_rows(&rows);

	if (n < 0)
		return n;
	v = kvcalloc(n + 1, sizeof(*v), GFP_KERNEL);
	for (i = 0; v && i < n; i++)
		v[i] = (struct ctm_po_peer){
			.id = rows[i].info.id,
			.usable = rows[i].info.state == CTM_PEER_ALIVE && rows[i].info.accepting &&
				  !ctm_abi_compatible(ctm_abi_self(), &rows[i].info.abi, why),
			.load.pressure = rows[i].pressure,
		};
	kvfree(rows);
	if (!v)
		return -ENOMEM;
	ctm_load_get(&self);
	v[n] = (struct ctm_po_peer){
		.id = ctm_node_id(), .usable = ctm_node_accepting(), .load.pressure = self.pressure,
	};
	*out = v;
	return n + 1;
}

static void place_named(struct place *l, const char *name)
{
	if (ctm_peer_by_name(name, &l->node)) {
		place_failed(l, -EHOSTUNREACH, "%s: no such node (see continuumctl peers)", name);
		return;
	}
	l->local = l->node.id == ctm_node_id();
	if (l->node.state == CTM_PEER_DEAD || l->node.state == CTM_PEER_LEFT)
		place_failed(l, -EHOSTUNREACH, "%s does not answer", l->node.name);
}

static int places_chosen(struct fork *f)
{
	struct ctm_po_peer *v;
	u32 *order, i, n;
	int all = peer_view(&v);

	if (all < 0)
		return all;
	order = kvcalloc(all, sizeof(*order), GFP_KERNEL);
	n = order ? ctm_po_spread(v, all, order) : 0;
	n = min(n, f->count);
	f->place = n ? kvcalloc(n, sizeof(*f->place), GFP_KERNEL_ACCOUNT) : NULL;
	for (i = 0; f->place && i < n; i++)
		if (!ctm_peer_by_id(v[order[i]].id, &f->place[f->nplaces].node)) {
			f->place[f->nplaces].local = v[order[i]].id == ctm_node_id();
			f->nplaces++;
		}
	kvfree(order);
	kvfree(v);
	return f->nplaces ? 0 : all_failed(f, -EXDEV, "no node can take a child (see continuumctl peers)");
}

static int places_named(struct fork *f, const struct ctm_dist_fork *arg)
{
	u32 i, k, n = min(arg->nnodes, f->count);
	char (*names)[CTM_NAME_MAX] = kvmalloc_array(n, CTM_NAME_MAX, GFP_KERNEL);
	int err = -ENOMEM;

	f->place = kvcalloc(n, sizeof(*f->place), GFP_KERNEL_ACCOUNT);
	if (!names || !f->place)
		goto out;
	err = -EFAULT;
	if (copy_from_user(names, u64_to_user_ptr(arg->nodes), (size_t)n * CTM_NAME_MAX))
		goto out;
	for (i = 0; i < n; i++) {
		err = -EINVAL;
		if (strnlen(names[i], CTM_NAME_MAX) == CTM_NAME_MAX)
			goto out;
		place_named(&f->place[i], names[i]);
		f->nplaces++;
		/* the same node twice would get the image twice */
		for (k = 0; k < i; k++)
			if (f->place[k].node.id == f->place[i].node.id && f->place[k].node.id)
				break;
		f->place[i].instead = k;
	}
	err = 0;
out:
	kvfree(names);
	return err;
}

static struct place *place_of(struct fork *f, u32 i, bool named)
{
	struct place *l = &f->place[i % f->nplaces];

	return named ? &f->place[l->instead] : l;
}

/* every child gets its place, or its error; those with a place a number */
static int distribute(struct fork *f, bool named)
{
	u32 i;

	for (i = 0; i < f->count; i++) {
		struct place *l = place_of(f, i, named);

		f->child[i].node = l->node.id;
		if (l->err)
			child_failed(f, i, l->err, l->why);
		else
			l->n++;
	}
	for (i = 0; i < f->nplaces; i++) {
		struct place *l = &f->place[i];

		l->f = f;
		if (l->n)
			l->list = kvzalloc(struct_size(l->list, child, l->n), GFP_KERNEL_ACCOUNT);
		if (l->n && !l->list)
			return -ENOMEM;
	}
	for (i = 0; i < f->count; i++) {
		struct place *l = place_of(f, i, named);
		u32 at;

		if (l->err)
			continue;
		at = le32_to_cpu(l->list->count);
		l->list->child[at].index = cpu_to_le32(i);
		l->list->count = cpu_to_le32(at + 1);
		f->by_seq[f->reserved] = i;
		f->seq[i] = f->reserved++;
	}
	return f->reserved ? 0 : -f->child[0].error;
}

static void number(struct fork *f)
{
	u32 i, k;

	for (i = 0; i < f->nplaces; i++) {
		struct place *l = &f->place[i];

		for (k = 0; k < l->n; k++)
			l->list->child[k].gpid =
				cpu_to_le64(f->first + f->seq[le32_to_cpu(l->list->child[k].index)]);
		if (l->list)
			l->list->index_at = cpu_to_le64(f->index_at);
	}
}

/* ---- asking home ---- */

static int reserve(struct fork *f)
{
	char home[CTM_NAME_MAX];
	int err;

	f->home_boot = ctm_fork_home_boot(f->p->gpid);
	err = ctm_fork_reserve(f->p, f->reserved, &f->first);
	if (!err) {
		number(f);
		return 0;
	}
	ctm_peer_name(CTM_GPID_NODE(f->p->gpid), home);
	if (err == -EAGAIN)
		snprintf(f->why, sizeof(f->why), "the family has used up its budget of processes (see continuumctl set family_budget)");
	else if (err == -EUSERS)
		snprintf(f->why, sizeof(f->why), "%s has too many processes, ended ones included", home);
	else
		snprintf(f->why, sizeof(f->why), "the family's home %s does not agree: error %d", home, err);
	f->reserved = 0;
	return err == -ETIMEDOUT || err == -ECONNRESET ? -EHOSTUNREACH : err;
}

/* ---- the sinks ---- */

static int sink_record(struct ctm_sink *s, const struct ctm_rec *rec, u32 len)
{
	struct place *l = container_of(s, struct place, sink);
	const char *why;
	int err;

	if (READ_ONCE(l->f->cancel))
		return -EINTR;
	if (!l->local) {
		err = ctm_conn_poll(l->c, 0) ? -ECONNABORTED : 0;
		return err ?: ctm_conn_send(l->c, rec, len, rec->type != CTM_REC_END);
	}
	err = ctm_stored_record(l->image, rec, len, &why);
	if (err == -EBADMSG)
		place_failed(l, err, "bad image: record of type %u: %s", rec->type, why);
	return err;
}

static int sink_pages(struct ctm_sink *s, struct bio_vec *bv, unsigned int nr)
{
	struct place *l = container_of(s, struct place, sink);
	unsigned int i;
	int err = 0;

	if (!l->local)
		return ctm_conn_send_bvec(l->c, bv, nr, (size_t)nr * PAGE_SIZE, true);
	for (i = 0; i < nr && !err; i++)
		err = ctm_stored_bytes(l->image, page_address(bv[i].bv_page), PAGE_SIZE);
	return err;
}

/* ---- shipping ---- */

static struct ctm_ho_id place_id(struct place *l)
{
	return (struct ctm_ho_id){
		.gpid = l->f->p->gpid, .epoch = l->f->p->epoch, .attempt = 1,
		.src_boot = ctm_node_boot(), .dst_boot = l->node.boot,
	};
}

static int make_offer(struct fork *f)
{
	struct ctm_life life;
	unsigned int n = 0;
	ssize_t len;

	ctm_reaper_look(f->p, &life);
	if (life.ttl < 2)
		return all_failed(f, -ETIME, "its time to live does not allow children");
	f->offer = kvzalloc(sizeof(*f->offer) + IDENTS_ROOM, GFP_KERNEL_ACCOUNT);
	if (!f->offer)
		return -ENOMEM;
	len = ctm_idents_collect(f->p, f->offer->idents, IDENTS_ROOM, &n);
	if (len < 0)
		return all_failed(f, len, "the list of its files could not be made");
	ctm_offer_fill(f->p, f->caller, f->offer);
	f->offer->flags = cpu_to_le32(f->p->flags & (CTM_ADOPT_PIN | CTM_ADOPT_LINGER));
	f->offer->threads = cpu_to_le32(1);
	f->offer->hops = cpu_to_le32(U32_MAX);	/* the landing is none of its own */
	f->offer->cpu_ns = 0;
	f->offer->ttl = cpu_to_le32(life.ttl - 1);
	f->offer->ttl_max = f->offer->ttl;
	f->offer->lease_used_ms = 0;
	f->offer->nidents = cpu_to_le32(n);
	f->offer->ident_bytes = cpu_to_le32(len);
	f->cap.idents = f->offer->idents;
	f->cap.idents_len = len;
	f->cap.nidents = n;
	ctm_clock_offsets(f->caller, &f->mono_ns, &f->boot_ns);
	return 0;
}

static void take_accept(struct place *l, const struct ctm_ho_frame *fr)
{
	const struct ctm_ho_accept *a = (const void *)(fr + 1);
	struct fork *f = l->f;
	u64 mono_rx = ktime_get_ns() + f->mono_ns, boot_rx = ktime_get_boottime_ns() + f->boot_ns;

	if (le32_to_cpu(a->nidents) != f->cap.nidents) {
		place_failed(l, -EPROTO, "%s answered about other files", l->node.name);
		return;
	}
	memcpy(l->ident_bits, a->bits, (f->cap.nidents + 7) / 8);
	l->begin.mono_off_ns = cpu_to_le64(ctm_ho_clock_offset(l->mono_tx, le64_to_cpu(a->mono_rx),
							       le64_to_cpu(a->mono_tx), mono_rx));
	l->begin.boot_off_ns = cpu_to_le64(ctm_ho_clock_offset(l->boot_tx, le64_to_cpu(a->boot_rx),
							       le64_to_cpu(a->boot_tx), boot_rx));
}

static void hear_accept(struct place *l)
{
	struct ctm_ho_frame *fr = ctm_ho_recv(l->c);
	char why[CTM_REASON_MAX];
	int err;

	if (IS_ERR(fr)) {
		place_failed(l, PTR_ERR(fr), "%s does not answer: error %ld", l->node.name, PTR_ERR(fr));
		return;
	}
	switch (le16_to_cpu(fr->type)) {
	case CTM_HO_FRAME_ACCEPT:
		take_accept(l, fr);
		break;
	case CTM_HO_FRAME_REFUSE:
		err = ctm_ho_text_get(fr, why);
		place_failed(l, -err, "%s", why);
		break;
	default:
		place_failed(l, -EPROTO, "%s answered with a frame that makes no sense", l->node.name);
	}
	kvfree(fr);
}

static void ask_remote(struct place *l)
{
	struct fork *f = l->f;
	struct ctm_ho_id id = place_id(l);
	int err;

	l->c = ctm_conn_open(l->node.id, CTM_CHANNEL_FORK, CONNECT_MS);
	if (IS_ERR(l->c)) {
		err = PTR_ERR(l->c);
		l->c = NULL;
		place_failed(l, -EHOSTUNREACH, "%s: cannot connect: error %d", l->node.name, err);
		return;
	}
	ctm_conn_set_timeout(l->c, IO_MS);
	l->mono_tx = ktime_get_ns() + f->mono_ns;
	l->boot_tx = ktime_get_boottime_ns() + f->boot_ns;
	f->offer->mono_ns = cpu_to_le64(l->mono_tx);
	f->offer->boot_ns = cpu_to_le64(l->boot_tx);
	err = ctm_ho_send(l->c, CTM_HO_FRAME_OFFER, &id, f->offer, sizeof(*f->offer),
			  f->offer->idents, f->cap.idents_len);
	if (!err)
		err = ctm_ho_send(l->c, CTM_HO_FRAME_CHILDREN, &id, l->list,
				  struct_size(l->list, child, l->n), NULL, 0);
	if (err)
		place_failed(l, err, "the connection to %s broke: error %d", l->node.name, err);
	else
		hear_accept(l);
}

static void ask_local(struct place *l)
{
	char why[CTM_REASON_MAX] = "";
	int err = ctm_land_judge(l->f->offer, l->n, why);

	if (err) {
		place_failed(l, err, "%s", why);
		return;
	}
	l->image = ctm_stored_new();
	if (IS_ERR(l->image)) {
		l->image = NULL;
		place_failed(l, -ENOMEM, "out of memory");
	}
	memset(l->ident_bits, 0xff, BITS_TO_LONGS(l->f->cap.nidents + 1) * sizeof(long));
	l->begin.mono_off_ns = cpu_to_le64(l->f->mono_ns);
	l->begin.boot_off_ns = cpu_to_le64(l->f->boot_ns);
}

static void ask(struct place *l)
{
	if (l->err || !l->n)
		return;
	l->sink.record = sink_record;
	l->sink.pages = sink_pages;
	l->ident_bits = kvcalloc(BITS_TO_LONGS(l->f->cap.nidents + 1), sizeof(long), GFP_KERNEL_ACCOUNT);
	if (!l->ident_bits)
		place_failed(l, -ENOMEM, "out of memory");
	else if (l->local)
		ask_local(l);
	else
		ask_remote(l);
}

static void send_image(struct place *l)
{
	struct fork *f = l->f;
	struct ctm_ho_id id = place_id(l);
	char why[CTM_REASON_MAX] = "";
	int err = 0;

	rcu_read_lock();
	l->begin.leader = cpu_to_le32(task_pid_nr_ns(f->caller, task_active_pid_ns(f->caller)));
	rcu_read_unlock();
	l->begin.hole = cpu_to_le64(f->cap.hole);
	l->begin.hole_len = cpu_to_le64(f->cap.hole_len);
	if (!l->local)
		err = ctm_ho_send(l->c, CTM_HO_FRAME_BEGIN, &id, &l->begin, sizeof(l->begin), NULL, 0);
	if (!err) {
		f->cap.sink = &l->sink;
		f->cap.ident_bits = l->ident_bits;
		f->cap.why = why;
		err = ctm_capture_process(&f->cap);
		ctm_capture_done(&f->cap);
	}
	if (!err)
		return;
	if (!why[0])
		snprintf(why, sizeof(why), "%s: the image could not be sent: error %d", l->node.name, err);
	place_failed(l, err, "%s", why);
	if (!l->local && err != -ECONNABORTED)
		ctm_ho_send_break(l->c, why);
}

/* the node has all of it: nothing of the process's memory is on its way any more */
static void await_stored(struct place *l)
{
	struct ctm_ho_frame *fr;
	char why[CTM_REASON_MAX];
	int err;

	if (l->err || !l->c)
		return;
	ctm_conn_set_timeout(l->c, STORE_MS);
	fr = ctm_ho_recv(l->c);
	ctm_conn_set_timeout(l->c, IO_MS);
	if (IS_ERR(fr)) {
		place_failed(l, PTR_ERR(fr), "the connection to %s broke: error %ld", l->node.name, PTR_ERR(fr));
		return;
	}
	if (le16_to_cpu(fr->type) == CTM_HO_FRAME_ABORT) {
		err = ctm_ho_text_get(fr, why);
		place_failed(l, -err, "%s: %s", l->node.name, why);
	} else if (le16_to_cpu(fr->type) != CTM_HO_FRAME_READY) {
		place_failed(l, -EPROTO, "%s answered with a frame that makes no sense", l->node.name);
	}
	kvfree(fr);
}

static int send_images(struct fork *f)
{
	char why[CTM_REASON_MAX] = "";
	u32 i;
	int err;

	f->cap.why = why;
	err = ctm_capture_hole(&f->cap);
	if (err)
		return all_failed(f, err, why);
	for (i = 0; i < f->nplaces; i++)
		if (!f->place[i].err && f->place[i].n)
			send_image(&f->place[i]);
	for (i = 0; i < f->nplaces; i++)
		await_stored(&f->place[i]);
	return 0;
}

static int ship(struct fork *f)
{
	char why[CTM_REASON_MAX] = "";
	u32 i;
	int err = make_offer(f);

	if (!err)
		err = reserve(f);
	if (err)
		return err;
	for (i = 0; i < f->nplaces; i++)
		ask(&f->place[i]);
	if (f->cap.self)
		return send_images(f);
	err = ctm_freeze_around(f->p, f->caller, FREEZE_MS, why);
	if (err)
		return all_failed(f, err, why);
	err = send_images(f);
	ctm_thaw_around(f->p);
	return err;
}

/* ---- reports ---- */

static void took(struct place *l, u64 gpid, int err, const char *why)
{
	struct fork *f = l->f;
	u64 k = gpid - f->first;

	if (k >= f->reserved)
		return;
	if (err)
		child_failed(f, f->by_seq[k], err, why);
	mutex_lock(&f->lock);
	if (!err)
		f->child[f->by_seq[k]].gpid = gpid;
	l->reported++;
	l->heard = jiffies;
	mutex_unlock(&f->lock);
}

static void local_report(void *arg, u64 gpid, int err, const char *why)
{
	took(arg, gpid, err, why);
}

static void hear(struct place *l)
{
	struct ctm_ho_frame *fr = ctm_ho_recv(l->c);
	char why[CTM_REASON_MAX];
	struct ctm_ho_id id;
	int err;

	if (IS_ERR(fr)) {
		place_failed(l, -ECONNRESET, "the connection to %s broke: error %ld", l->node.name,
			     PTR_ERR(fr));
		return;
	}
	ctm_ho_frame_id(fr, &id);
	switch (le16_to_cpu(fr->type)) {
	case CTM_HO_FRAME_STARTED:
		took(l, id.gpid, 0, NULL);
		break;
	case CTM_HO_FRAME_ABORT:
		err = ctm_ho_text_get(fr, why);
		if (id.gpid == l->f->p->gpid)
			place_failed(l, -err, "%s: %s", l->node.name, why);
		else
			took(l, id.gpid, -err, why);
		break;
	default:
		place_failed(l, -EPROTO, "%s sent a frame that makes no sense", l->node.name);
	}
	kvfree(fr);
}

/* Return: is there more to come from it? */
static bool listen(struct place *l, unsigned int ms)
{
	int ready = 1;

	if (l->err || !l->n || READ_ONCE(l->reported) >= l->n)
		return false;
	if (l->local)
		return l->land;
	while (ready > 0 && !l->err && l->reported < l->n) {
		ready = ctm_conn_poll(l->c, ms);
		ms = 0;
		if (ready > 0)
			hear(l);
	}
	if (ready < 0)
		place_failed(l, ready, "the connection to %s broke: error %d", l->node.name, ready);
	if (time_after(jiffies, l->heard + msecs_to_jiffies(QUIET_MS)))
		place_failed(l, -ETIMEDOUT, "%s makes no more children", l->node.name);
	return !l->err && l->reported < l->n;
}

static void land_here(struct place *l)
{
	if (!l->local || l->err || !l->n)
		return;
	l->land = ctm_fork_land_begin(l->image, l->f->offer, &l->begin, l->f->p->gpid, ctm_node_id(),
				      ctm_node_boot(), l->f->index_at, l->list->child, l->n,
				      local_report, l);
	if (IS_ERR(l->land)) {
		place_failed(l, PTR_ERR(l->land), "out of memory");
		l->land = NULL;
	}
}

static void hear_all(struct fork *f)
{
	unsigned int more;
	u32 i;

	for (i = 0; i < f->nplaces; i++)
		land_here(&f->place[i]);
	for (i = 0; i < f->nplaces; i++)
		f->place[i].heard = jiffies;
	do {
		more = 0;
		for (i = 0; i < f->nplaces; i++) {
			struct place *l = &f->place[i];

			if (l->land && (READ_ONCE(f->cancel) || !ctm_node_is_up()))
				ctm_fork_land_stop(l->land);
			if (l->land && ctm_fork_land_over(l->land, POLL_MS)) {
				ctm_fork_land_end(l->land);
				l->land = NULL;
			}
			more += listen(l, POLL_MS);
		}
	} while (more && ctm_node_is_up() && !READ_ONCE(f->cancel));
	for (i = 0; i < f->nplaces; i++)
		if (f->place[i].land) {
			ctm_fork_land_stop(f->place[i].land);
			ctm_fork_land_end(f->place[i].land);
			f->place[i].land = NULL;
		}
}

/* ---- the end ---- */

/* of a child that does not exist, and of which no report says why */
static void settle(struct fork *f, u32 i, struct place *l)
{
	f->child[i].gpid = 0;
	if (f->child[i].error)
		return;
	if (l && l->err)
		child_failed(f, i, l->err, l->why);
	else
		child_failed(f, i, -ECANCELED, f->why[0] ? f->why : "the fork was given up");
}

/* home's word counts; with home gone there is none, and none that would remember one */
static int close_at_home(struct fork *f, unsigned long *made)
{
	int err;

	for (;;) {
		err = ctm_fork_close(f->p->gpid, f->first, f->reserved, made);
		if (!err || !ctm_node_is_up() || ctm_fork_home_boot(f->p->gpid) != f->home_boot)
			return err;
		msleep(CLOSE_RETRY_MS);
	}
}

static void close_fork(struct fork *f)
{
	unsigned long *made = kvcalloc(BITS_TO_LONGS(CTM_FORK_MAX), sizeof(long),
				       GFP_KERNEL | __GFP_NOFAIL);
	bool known;
	u32 i, k, c;

	if (!f->reserved)
		goto out;
	known = !close_at_home(f, made);
	for (i = 0; i < f->nplaces; i++) {
		struct place *l = &f->place[i];

		for (k = 0; k < l->n; k++) {
			c = le32_to_cpu(l->list->child[k].index);
			if (known ? test_bit(f->seq[c], made) : f->child[c].gpid) {
				f->child[c].gpid = f->first + f->seq[c];
				f->child[c].error = 0;
				f->made++;
				ctm_count(CTM_CNT_FORKED_OUT);
			} else {
				settle(f, c, l);
			}
		}
	}
	if (ctm_process_is_home(f->p) && READ_ONCE(f->p->here))
		ctm_rfiles_here(f->p);	/* what its children share is in their tables now */
out:
	kvfree(made);
}

/* none exists, all for the same cause */
static void fail_all(struct fork *f, int err)
{
	u32 i;

	for (i = 0; i < f->count; i++)
		if (!f->child[i].error)
			f->child[i].error = -err;
}

static void fork_work(struct work_struct *work)
{
	struct fork *f = container_of(work, struct fork, work);
	int err = 0;

	if (f->shipped_by_worker) {
		err = ship(f);
		complete_all(&f->shipped);
	}
	if (!err)
		hear_all(f);
	close_fork(f);
	if (err)
		fail_all(f, err);
	complete_all(&f->done);
	fork_put(f);
}

/* ---- the call ---- */

/* what would stop it, before anything is done */
static int preflight(struct fork *f)
{
	struct ctm_explain_ctx x = {
		.p = f->p, .leader = f->caller, .at_home = ctm_process_is_home(f->p),
		.frozen = f->cap.self, .fork = true, .room = CTM_REASON_MAX,
	};
	int err;

	x.buf = f->cap.buf;
	err = ctm_explain_process(&x);
	/* who seems to share a file may be a thread in a call: it is looked at again when it stands */
	if (!err && x.blockers && !(x.unsure && !f->cap.self))
		err = all_failed(f, -EOPNOTSUPP, x.first);
	return err;
}

static struct fork *fork_new(struct ctm_process *p, const struct ctm_dist_fork *arg)
{
	struct fork *f;

	if (atomic_inc_return(&forks) > FORKS_MAX) {
		atomic_dec(&forks);
		return NULL;
	}
	f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	if (!f) {
		atomic_dec(&forks);
		return NULL;
	}
	kref_init(&f->ref);
	ctm_process_get(p);
	f->p = p;
	get_task_struct(current);
	f->caller = current;
	mutex_init(&f->lock);
	init_completion(&f->shipped);
	init_completion(&f->done);
	INIT_WORK(&f->work, fork_work);
	f->count = arg->count;
	f->why_of = U32_MAX;
	f->child = kvcalloc(f->count, sizeof(*f->child), GFP_KERNEL_ACCOUNT);
	f->seq = kvcalloc(f->count, sizeof(*f->seq), GFP_KERNEL_ACCOUNT);
	f->by_seq = kvcalloc(f->count, sizeof(*f->by_seq), GFP_KERNEL_ACCOUNT);
	f->cap.buf = kvmalloc(CTM_REC_MAX, GFP_KERNEL_ACCOUNT);
	f->cap.p = p;
	f->cap.fork = true;
	f->cap.self = thread_group_empty(current);
	f->cap.leader = current;
	f->cap.tasks = &f->caller;
	f->cap.ntasks = 1;
	if (f->child && f->seq && f->by_seq && f->cap.buf)
		return f;
	fork_put(f);
	return NULL;
}

static int prepare(struct fork *f, const struct ctm_dist_fork *arg)
{
	int err = arg->nnodes ? places_named(f, arg) : places_chosen(f);

	if (!err)
		err = distribute(f, arg->nnodes);
	if (!err)
		err = preflight(f);
	return err;
}

/* holds p->journey.  Return: 0: it is on its way, or over */
static int carry_out(struct fork *f)
{
	int err = 0;

	kref_get(&f->ref);		/* the work's */
	f->shipped_by_worker = !f->cap.self;
	if (f->cap.self)
		err = ship(f);
	if (err && !f->reserved) {
		fork_put(f);
		return err;
	}
	queue_work(workers, &f->work);
	if (f->shipped_by_worker && wait_for_completion_killable(&f->shipped)) {
		WRITE_ONCE(f->cancel, true);
		wait_for_completion(&f->shipped);
	}
	if (wait_for_completion_killable(&f->done)) {
		WRITE_ONCE(f->cancel, true);
		return -EINTR;
	}
	return err;
}

static int is_ready(struct ctm_process *p, char *why)
{
	if (READ_ONCE(p->arriving) && wait_event_killable_timeout(p->wait, !READ_ONCE(p->arriving),
								  msecs_to_jiffies(ARRIVAL_MS)) < 0)
		return -EINTR;
	if (!p->here || READ_ONCE(p->arriving)) {
		strscpy(why, "its last journey is not over", CTM_REASON_MAX);
		return -EBUSY;
	}
	return 0;
}

static int fork_by(struct ctm_process *p, struct ctm_dist_fork *arg, u64 index_at)
{
	struct fork *f = fork_new(p, arg);
	int err;

	if (!f) {
		strscpy(arg->reason, "too many forks are under way on this node, or it is out of memory",
			sizeof(arg->reason));
		return -EAGAIN;
	}
	f->index_at = index_at;
	err = prepare(f, arg);
	if (!err) {
		err = mutex_lock_killable(&p->journey);
		if (!err) {
			err = is_ready(p, f->why) ?: carry_out(f);
			mutex_unlock(&p->journey);
		}
	}
	if (err)
		fail_all(f, err);
	if (err != -EINTR && copy_to_user(u64_to_user_ptr(arg->children), f->child,
					  f->count * sizeof(*f->child)))
		err = -EFAULT;
	arg->made = f->made;
	strscpy(arg->reason, f->made == f->count ? "" : f->why, sizeof(arg->reason));
	if (!err && !f->made)
		err = -(int)f->child[0].error;
	if (!err)
		err = f->made;
	fork_put(f);
	return err;
}

int ctm_dist_fork(struct ctm_dist_fork *arg, u64 index_at)
{
	struct ctm_process *p;
	int err;

	if (!arg->count || arg->count > CTM_FORK_MAX || arg->nnodes > CTM_FORK_NODES_MAX) {
		snprintf(arg->reason, sizeof(arg->reason), "1 to %u children, on up to %u nodes",
			 CTM_FORK_MAX, CTM_FORK_NODES_MAX);
		return -EINVAL;
	}
	if (!ctm_node_is_up())
		return -ENETDOWN;
	p = ctm_process_of_task(current);
	if (!p) {
		strscpy(arg->reason, "the caller is no Continuum process (continuumctl run)",
			sizeof(arg->reason));
		return -ESRCH;
	}
	err = fork_by(p, arg, index_at);
	ctm_process_put(p);
	return err;
}

int ctm_fork_init(void)
{
	int err;

	workers = alloc_workqueue("ctm_fork", WQ_UNBOUND, FORKS_MAX);
	if (!workers)
		return -ENOMEM;
	err = ctm_fork_home_init();
	if (err)
		goto err_workers;
	err = ctm_fork_land_init();
	if (err)
		goto err_home;
	return 0;

err_home:
	ctm_fork_home_exit();
err_workers:
	destroy_workqueue(workers);
	return err;
}

void ctm_fork_exit(void)
{
	destroy_workqueue(workers);	/* waits for those under way */
	ctm_fork_land_exit();
	ctm_fork_home_exit();
}
