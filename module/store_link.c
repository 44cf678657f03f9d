// SPDX-License-Identifier: GPL-2.0
/*
 * store_link.c - what nodes say to each other of blocks (core/bwire.h), both ends
 *
 * The served end of a stream runs in the connection's own thread (net/tcp.c).  A PUT takes
 * its quota before a byte of it is received, and one that is refused, or is here already, is
 * received all the same, for nobody: so requests can follow each other without waiting.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "fault.h"
#include "process.h"
#include "store_priv.h"
#include "trace.h"

#define IDLE_MS		120000u		/* longer than the pool of the other end keeps it */
#define STALL_MS	20000u		/* in the middle of something */
#define CALL_MS		2000u

/* ---- serving streams ---- */

static int send_answer(struct ctm_conn *c, int err, u32 len, bool new, const struct ctm_short *what)
{
	struct ctm_bw_answer a = {
		.status = cpu_to_le32(err < 0 && err >= -MAX_ERRNO ? -err : 0),
		.len = cpu_to_le32(len),
		.flags = cpu_to_le32(new ? CTM_BW_NEW : 0),
	};

	if (err == -ENOSPC) {
		a.quota = cpu_to_le32(what->quota);
		a.limit = cpu_to_le64(what->limit);
	}
	return ctm_conn_send(c, &a, sizeof(a), len > 0);
}

static int get_owners(struct ctm_conn *c, struct ctm_owner *owners, unsigned int n)
{
	struct ctm_bw_owner o;
	unsigned int i;
	int err;

	for (i = 0; i < n; i++) {
		err = ctm_conn_recv(c, &o, sizeof(o));
		if (err)
			return err;
		if (!ctm_bw_owner_ok(&o))
			return -EPROTO;
		ctm_owner_get(&owners[i], &o);
	}
	return 0;
}

/* the data of @b, new here.  0 or the connection's error; *status: what became of it */
static int fill(struct ctm_conn *c, struct ctm_block_here *b, bool copy, int *status)
{
	u8 name[CTM_BLOCK_NAME];
	int err;

	err = ctm_span_recv(c, &b->data, name, status);
	if (!err && !*status && memcmp(name, b->name, sizeof(name)))
		*status = -EBADMSG;
	/* the kernel's own limits of shared memory */
	if (*status == -ENOSPC)
		*status = -ENOMEM;
	if (err || *status) {
		ctm_block_put(b);
		return err;
	}
	if (ctm_fault("store", "block") == CTM_FAULT_DROP)
		ctm_span_spoil(&b->data);
	*status = ctm_block_commit(b, copy);
	return 0;
}

static int serve_put(struct ctm_conn *c, const struct ctm_bw_request *r, struct ctm_owner *owners)
{
	bool copy = le32_to_cpu(r->flags) & CTM_BW_COPY, new = false;
	u32 len = le32_to_cpu(r->len);
	unsigned int n = le16_to_cpu(r->owners);
	struct ctm_short what = {};
	struct ctm_block_here *b;
	int err, status = 0;

	err = get_owners(c, owners, n);
	if (err)
		return err;
	b = ctm_block_begin(r->name, len, le32_to_cpu(r->copies), owners, n, copy, &what, &new);
	if (IS_ERR(b)) {
		status = PTR_ERR(b);
		err = ctm_span_drain(c, len);
	} else if (b->indexed) {
		err = ctm_span_drain(c, len);
		ctm_block_put(b);
	} else {
		err = fill(c, b, copy, &status);
	}
	trace_block(r->name, CTM_BLOCK_STORED, len, ctm_conn_peer(c), err ?: status);
	return err ?: send_answer(c, status, 0, new, &what);
}

/* The end of what is sent is known only when it has been sent: the other end compares it, too. */
static int serve_get(struct ctm_conn *c, const struct ctm_bw_request *r)
{
	struct ctm_block_here *b = ctm_block_find(r->name);
	u8 name[CTM_BLOCK_NAME];
	int status = -ENOENT, err;

	if (b)
		status = READ_ONCE(b->bad) ? -EUCLEAN : ctm_block_may_read(b, &r->by);
	err = send_answer(c, status, status ? 0 : b->data.len, false, NULL);
	if (!err && !status) {
		err = ctm_span_send(c, &b->data, name);
		if (!err && memcmp(name, b->name, sizeof(name)))
			ctm_block_is_bad(b);
	}
	trace_block(r->name, CTM_BLOCK_GIVEN, b ? b->data.len : 0, ctm_conn_peer(c), err ?: status);
	ctm_block_put(b);
	return err;
}

static void serve_blocks(struct ctm_conn *c)
{
	struct ctm_bw_request r;
	struct ctm_owner *owners;
	int err = 0;

	owners = kmalloc_array(CTM_BW_OWNERS_MAX, sizeof(*owners), GFP_KERNEL);
	if (!owners)
		return;
	ctm_index_sync();
	while (!err) {
		ctm_conn_set_timeout(c, IDLE_MS);
		if (ctm_conn_recv(c, &r, sizeof(r)))
			break;
		if (!ctm_bw_request_ok(&r)) {
			ctm_count(CTM_CNT_GARBAGE);
			break;
		}
		ctm_conn_set_timeout(c, STALL_MS);
		atomic_inc(&ctm_blocks_moving);
		if (le16_to_cpu(r.op) == CTM_BW_PUT)
			err = serve_put(c, &r, owners);
		else
			err = serve_get(c, &r);
		atomic_dec(&ctm_blocks_moving);
	}
	kfree(owners);
}

/* ---- asking, on streams ---- */

int ctm_link_put(struct ctm_conn *c, const u8 *name, const struct ctm_span *data, u32 copies,
		 const struct ctm_owner *owners, unsigned int n, bool copy)
{
	struct ctm_bw_request r = {
		.op = cpu_to_le16(CTM_BW_PUT), .owners = cpu_to_le16(n),
		.len = cpu_to_le32(data->len), .copies = cpu_to_le32(copies),
		.flags = cpu_to_le32(copy ? CTM_BW_COPY : 0),
	};
	struct ctm_bw_owner o;
	unsigned int i;
	int err;

	memcpy(r.name, name, sizeof(r.name));
	err = ctm_conn_send(c, &r, sizeof(r), true);
	for (i = 0; i < n && !err; i++) {
		ctm_owner_put(&o, &owners[i]);
		err = ctm_conn_send(c, &o, sizeof(o), i + 1 < n || data->len);
	}
	return err ?: ctm_span_send(c, data, NULL);
}

int ctm_link_get(struct ctm_conn *c, const u8 *name, const struct ctm_bw_by *by)
{
	struct ctm_bw_request r = { .op = cpu_to_le16(CTM_BW_GET), .by = *by };

	memcpy(r.name, name, sizeof(r.name));
	return ctm_conn_send(c, &r, sizeof(r), false);
}

int ctm_link_answer(struct ctm_conn *c, bool get, struct ctm_said *said)
{
	struct ctm_bw_answer a;
	int err;

	err = ctm_conn_recv(c, &a, sizeof(a));
	if (err)
		return err;
	if (!ctm_bw_answer_ok(&a, get))
		return -EPROTO;
	*said = (struct ctm_said){
		.err = -(int)le32_to_cpu(a.status), .len = le32_to_cpu(a.len),
		.new = le32_to_cpu(a.flags) & CTM_BW_NEW,
		.what = { .quota = le32_to_cpu(a.quota), .limit = le64_to_cpu(a.limit) },
	};
	return 0;
}

/* the data of an answer into a block that nobody has seen yet */
static int fetch_data(struct ctm_conn *c, const struct ctm_said *said, struct ctm_block_here *b)
{
	u8 name[CTM_BLOCK_NAME];
	int err, lost;

	if (said->len != b->data.len)
		return -EPROTO;
	err = ctm_span_recv(c, &b->data, name, &lost);
	if (err || lost)
		return err ?: lost;
	return memcmp(name, b->name, sizeof(name)) ? -EBADMSG : 0;
}

struct ctm_block_here *ctm_fetch(u32 node, const u8 *name, u32 len)
{
	struct ctm_bw_by by = { .flags = cpu_to_le32(CTM_BW_BY_ADMIN) };
	struct ctm_block_here *b = ctm_block_spare(name, len);
	struct ctm_said said;
	struct ctm_conn *c;
	int err;

	if (IS_ERR(b))
		return b;
	c = ctm_conn_borrow(node, CTM_CHANNEL_BLOCK, CTM_LINK_GET_MS);
	if (IS_ERR(c)) {
		ctm_block_put(b);
		return ERR_CAST(c);
	}
	ctm_conn_set_timeout(c, CTM_LINK_GET_MS);
	atomic_inc(&ctm_blocks_moving);
	err = ctm_link_get(c, name, &by) ?: ctm_link_answer(c, true, &said);
	if (!err && said.err) {
		ctm_conn_keep(c);
		err = said.err;
	} else if (!err) {
		err = fetch_data(c, &said, b);
		if (!err)
			ctm_conn_keep(c);
		else
			ctm_conn_close(c);
	} else {
		ctm_conn_close(c);
	}
	atomic_dec(&ctm_blocks_moving);
	if (err) {
		ctm_block_put(b);
		return ERR_PTR(err);
	}
	return b;
}

int ctm_push(u32 node, struct ctm_block_here *b, struct ctm_short *what)
{
	struct ctm_said said = {};
	u8 name[CTM_BLOCK_NAME];
	struct ctm_owner *owners;
	struct ctm_conn *c;
	unsigned int n;
	u32 copies;
	int err;

	owners = kmalloc_array(CTM_BW_OWNERS_MAX, sizeof(*owners), GFP_KERNEL);
	if (!owners)
		return -ENOMEM;
	n = ctm_block_owners(b, owners, &copies);
	err = -ESTALE;			/* dropped meanwhile */
	if (!n)
		goto out;
	c = ctm_conn_borrow(node, CTM_CHANNEL_BLOCK, CTM_LINK_PUT_MS);
	err = PTR_ERR_OR_ZERO(c);
	if (err)
		goto out;
	ctm_conn_set_timeout(c, CTM_LINK_PUT_MS);
	atomic_inc(&ctm_blocks_moving);
	err = ctm_link_put(c, b->name, &b->data, copies, owners, n, true) ?:
		ctm_link_answer(c, false, &said);
	atomic_dec(&ctm_blocks_moving);
	if (err) {
		ctm_conn_close(c);
	} else {
		ctm_conn_keep(c);
		err = said.err;
		/* what came there was not what it should be: was it here? */
		if (err == -EBADMSG && !ctm_span_hash(&b->data, name) &&
		    memcmp(name, b->name, sizeof(name)))
			ctm_block_is_bad(b);
	}
	*what = said.what;
	trace_block(b->name, CTM_BLOCK_COPIED, b->data.len, node, err);
out:
	kfree(owners);
	return err;
}

/* ---- calls: asking ---- */

static int ask(u32 node, enum ctm_call_type type, const void *req, size_t len, void *resp, size_t want)
{
	size_t got = want;
	int err = ctm_call(node, type, req, len, resp, &got, CALL_MS);

	if (!err && got != want)
		err = -EPROTO;
	return err;
}

int ctm_ask_have(u32 node, const struct ctm_bw_have *h, u8 *held)
{
	u32 n = le32_to_cpu(h->count);

	return ask(node, CTM_CALL_BLOCK_HAVE, h, struct_size(h, mark, n), held, n);
}

int ctm_ask_change(u32 node, const struct ctm_bw_change *c, struct ctm_bw_changed *out)
{
	u32 n = le32_to_cpu(c->count);

	return ask(node, CTM_CALL_BLOCK_CHANGE, c, struct_size(c, name, n), out, n * sizeof(*out));
}

int ctm_ask_families(u32 node, const struct ctm_bw_family *f, u8 *state)
{
	u32 n = le32_to_cpu(f->count);

	return ask(node, CTM_CALL_BLOCK_FAMILY, f, struct_size(f, gpid, n), state, n);
}

int ctm_tell_merge(u32 node, struct ctm_block_here *b)
{
	struct ctm_owner *owners;
	struct ctm_bw_merge *m;
	unsigned int n, i;
	u32 copies;
	int err = -ENOMEM;

	owners = kmalloc_array(CTM_BW_OWNERS_MAX, sizeof(*owners), GFP_KERNEL);
	m = kzalloc(struct_size(m, owner, CTM_BW_OWNERS_MAX), GFP_KERNEL);
	if (!owners || !m)
		goto out;
	n = ctm_block_owners(b, owners, &copies);
	err = -ESTALE;
	if (!n)
		goto out;
	memcpy(m->name, b->name, sizeof(m->name));
	m->owners = cpu_to_le32(n);
	m->copies = cpu_to_le32(copies);
	for (i = 0; i < n; i++)
		ctm_owner_put(&m->owner[i], &owners[i]);
	err = ask(node, CTM_CALL_BLOCK_MERGE, m, struct_size(m, owner, n), NULL, 0);
out:
	kfree(m);
	kfree(owners);
	return err;
}

/* ---- calls: answering ---- */

static int serve_have(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct ctm_bw_have *h = req;
	u8 *held = resp;
	u32 i, n;

	*resp_len = 0;
	if (!ctm_bw_have_ok(h, len))
		return -EBADMSG;
	ctm_index_sync();
	n = le32_to_cpu(h->count);
	for (i = 0; i < n; i++)
		held[i] = ctm_block_held(&h->mark[i]);
	*resp_len = n;
	return 0;
}

static int serve_change(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct ctm_bw_change *c = req;
	struct ctm_bw_changed *out = resp;
	u32 i, n;

	BUILD_BUG_ON(CTM_BW_NAMES_MAX * sizeof(*out) > CTM_CALL_MAX);
	*resp_len = 0;
	if (!ctm_bw_change_ok(c, len))
		return -EBADMSG;
	ctm_index_sync();
	n = le32_to_cpu(c->count);
	for (i = 0; i < n; i++)
		ctm_block_change(le16_to_cpu(c->op), c->name[i], &c->by, le16_to_cpu(c->copies), &out[i]);
	*resp_len = n * sizeof(*out);
	return 0;
}

static int serve_merge(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct ctm_bw_merge *m = req;
	struct ctm_owner *owners;
	unsigned int n, i;
	int err;

	*resp_len = 0;
	if (!ctm_bw_merge_ok(m, len))
		return -EBADMSG;
	ctm_index_sync();
	n = le32_to_cpu(m->owners);
	owners = kmalloc_array(n, sizeof(*owners), GFP_KERNEL);
	if (!owners)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		ctm_owner_get(&owners[i], &m->owner[i]);
	err = ctm_block_merge(m->name, le32_to_cpu(m->copies), owners, n);
	kfree(owners);
	return err;
}

static int serve_family(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	const struct ctm_bw_family *f = req;
	u8 *state = resp;
	u32 i, n;

	*resp_len = 0;
	if (!ctm_bw_family_ok(f, len))
		return -EBADMSG;
	n = le32_to_cpu(f->count);
	for (i = 0; i < n; i++)
		state[i] = ctm_process_family(le64_to_cpu(f->gpid[i]));
	*resp_len = n;
	return 0;
}

static int serve_status(u32 from, const void *req, size_t len, void *resp, size_t *resp_len)
{
	struct ctm_bw_status *s = resp;

	*resp_len = 0;
	if (len)
		return -EBADMSG;
	ctm_index_sync();
	memset(s, 0, sizeof(*s));
	ctm_index_status(s);
	ctm_keep_status(s);
	*resp_len = sizeof(*s);
	return 0;
}

int ctm_store_rows(struct ctm_store_row **out)
{
	struct ctm_store_row *rows;
	struct ctm_member *m;
	unsigned int rows_n = 0;
	int n, i;

	n = ctm_members_all(&m);
	if (n < 0)
		return n;
	rows = kvcalloc(n, sizeof(*rows), GFP_KERNEL);
	for (i = 0; rows && i < n; i++) {
		/* who does not answer is missing; peers shows why */
		if (ask(m[i].id, CTM_CALL_BLOCK_STATUS, NULL, 0, &rows[rows_n].s, sizeof(rows->s)))
			continue;
		rows[rows_n].id = m[i].id;
		ctm_peer_name(m[i].id, rows[rows_n].name);
		rows_n++;
	}
	kvfree(m);
	*out = rows;
	return rows ? rows_n : -ENOMEM;
}

void ctm_link_init(void)
{
	ctm_channel_serve(CTM_CHANNEL_BLOCK, serve_blocks);
	ctm_call_handler(CTM_CALL_BLOCK_HAVE, serve_have);
	ctm_call_handler(CTM_CALL_BLOCK_CHANGE, serve_change);
	ctm_call_handler(CTM_CALL_BLOCK_MERGE, serve_merge);
	ctm_call_handler(CTM_CALL_BLOCK_FAMILY, serve_family);
	ctm_call_handler(CTM_CALL_BLOCK_STATUS, serve_status);
}

void ctm_link_exit(void)
{
	ctm_call_handler(CTM_CALL_BLOCK_STATUS, NULL);
	ctm_call_handler(CTM_CALL_BLOCK_FAMILY, NULL);
	ctm_call_handler(CTM_CALL_BLOCK_MERGE, NULL);
	ctm_call_handler(CTM_CALL_BLOCK_CHANGE, NULL);
	ctm_call_handler(CTM_CALL_BLOCK_HAVE, NULL);
	ctm_channel_serve(CTM_CHANNEL_BLOCK, NULL);
}
