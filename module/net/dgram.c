// SPDX-License-Identifier: GPL-2.0
/*
 * dgram.c - authenticated datagrams
 *
 * One UDP socket, one kernel thread that receives and runs the handlers.  Keys,
 * counters and replay windows belong to the peers' sessions (session.c).
 */
#include <linux/kthread.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <net/sock.h>
#include "compat/compat.h"
#include "net/net.h"

/* File scope: one network a node. */
static struct {
	struct rw_semaphore sem;	/* @sock against its going away */
	struct socket *sock;
	struct task_struct *receiver;
	u8 *buf;
	ctm_dgram_fn handlers[CTM_DGRAM_MAX_TYPE];	/* srcu ctm_handlers */
} dgram = {
	.sem = __RWSEM_INITIALIZER(dgram.sem),
};

static_assert(CTM_DGRAM_MAX == CTM_WIRE_DGRAM_MAX);

static void run_handler(u32 from, unsigned int type, const void *buf, size_t len)
{
	ctm_dgram_fn fn;
	int idx;

	idx = srcu_read_lock(&ctm_handlers);
	fn = type < CTM_DGRAM_MAX_TYPE ? READ_ONCE(dgram.handlers[type]) : NULL;
	if (fn)
		fn(from, buf, len);
	srcu_read_unlock(&ctm_handlers, idx);
}

void ctm_dgram_handler(enum ctm_dgram_type type, ctm_dgram_fn fn)
{
	if (WARN_ON(type >= CTM_DGRAM_MAX_TYPE))
		return;
	WRITE_ONCE(dgram.handlers[type], fn);
	if (!fn)
		synchronize_srcu(&ctm_handlers);
}

/* ---- sending ---- */

static int transmit(const struct ctm_addr *addr, struct ctm_wire_dgram *d,
		    const void *payload, size_t len)
{
	struct kvec kv[2] = {
		{ .iov_base = d, .iov_len = sizeof(*d) },
		{ .iov_base = (void *)payload, .iov_len = len },
	};
	struct sockaddr_storage ss;
	struct msghdr msg = { .msg_name = &ss, .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	int ret;

	ret = ctm_sockaddr(&ss, addr);
	if (ret < 0)
		return ret;
	msg.msg_namelen = ret;
	down_read(&dgram.sem);
	ret = dgram.sock ? kernel_sendmsg(dgram.sock, &msg, kv, 2, sizeof(*d) + len) : -ENETDOWN;
	up_read(&dgram.sem);
	if (ret == -EAGAIN)
		ret = -ENOBUFS;
	return min(ret, 0);
}

int ctm_dgram_send(u32 node, enum ctm_dgram_type type, const void *buf, size_t len)
{
	struct ctm_wire_dgram d = {
		.from = cpu_to_le32(ctm_node_id()),
		.kind = cpu_to_le16(type),
		.boot = cpu_to_le64(ctm_node_boot()),
	};
	struct ctm_addr addr;
	int err;

	if (!ctm_node_is_up())
		return -ENETDOWN;
	if (len > CTM_DGRAM_MAX)
		return -EMSGSIZE;
	if (node == ctm_node_id()) {
		run_handler(node, type, buf, len);
		return 0;
	}
	ctm_wire_head(&d.head, CTM_WIRE_DGRAM, sizeof(d) + len, 0);
	err = ctm_session_sign(node, &d, buf, len, &addr);
	return err ?: transmit(&addr, &d, buf, len);
}

/* ---- receiving ---- */

static void received(const u8 *buf, size_t got)
{
	const struct ctm_wire_dgram *d = (const void *)buf;
	size_t len;

	if (got < sizeof(d->head)) {
		ctm_count(CTM_CNT_TRUNCATED);
		return;
	}
	switch (ctm_wire_look(&d->head, CTM_WIRE_DGRAM, sizeof(*d), CTM_WIRE_DGRAM_BYTES)) {
	case CTM_WIRE_FINE:
		break;
	case CTM_WIRE_LONG:
		ctm_count(CTM_CNT_OVERSIZED);
		return;
	case CTM_WIRE_SHORT:
		ctm_count(CTM_CNT_TRUNCATED);
		return;
	default:
		ctm_count(CTM_CNT_GARBAGE);
		return;
	}
	len = le32_to_cpu(d->head.len);
	if (got != len) {
		ctm_count(got < len ? CTM_CNT_TRUNCATED : CTM_CNT_OVERSIZED);
		return;
	}
	len -= sizeof(*d);
	switch (ctm_session_check(d, d + 1, len)) {
	case 0:
		run_handler(le32_to_cpu(d->from), le16_to_cpu(d->kind), d + 1, len);
		return;
	case -EBADMSG:
		ctm_count(CTM_CNT_BAD_TAG);
		return;
	case -EEXIST:
		ctm_count(CTM_CNT_REPLAYED);
		return;
	case -EDQUOT:
		ctm_count(CTM_CNT_FLOODED);
		return;
	default:
		ctm_count(CTM_CNT_UNKNOWN);
	}
}

static int receive_loop(void *arg)
{
	const size_t room = CTM_WIRE_DGRAM_BYTES + 1;	/* one more shows what is too long */
	struct kvec kv;
	int ret;

	/* acknowledgements that come late make others doubt us */
	set_user_nice(current, MIN_NICE);
	while (!kthread_should_stop()) {
		struct msghdr msg = { .msg_flags = MSG_NOSIGNAL };

		kv.iov_base = dgram.buf;
		kv.iov_len = room;
		ret = kernel_recvmsg(dgram.sock, &msg, &kv, 1, room, 0);
		if (ret > 0 && !kthread_should_stop())
			received(dgram.buf, ret);
		else if (ret < 0 && ret != -EAGAIN && !kthread_should_stop())
			schedule_timeout_interruptible(HZ / 10);
	}
	return 0;
}

/* ---- up and down ---- */

int ctm_dgram_up(const struct ctm_node_config *cfg, char *why)
{
	int err;

	dgram.buf = kmalloc(CTM_WIRE_DGRAM_BYTES + 1, GFP_KERNEL);
	if (!dgram.buf)
		return -ENOMEM;
	dgram.sock = ctm_net_socket(cfg, SOCK_DGRAM, cfg->port);
	if (IS_ERR(dgram.sock)) {
		err = ctm_bind_failed(cfg, "UDP", PTR_ERR(dgram.sock), why);
		goto err_buf;
	}
	dgram.sock->sk->sk_rcvtimeo = HZ;	/* belt to the braces of ctm_dgram_down() */
	dgram.receiver = kthread_run(receive_loop, NULL, "ctm_dgram");
	if (IS_ERR(dgram.receiver)) {
		err = PTR_ERR(dgram.receiver);
		goto err_sock;
	}
	return 0;

err_sock:
	sock_release(dgram.sock);
err_buf:
	dgram.sock = NULL;
	kfree(dgram.buf);
	return err;
}

void ctm_dgram_down(void)
{
	struct socket *sock = dgram.sock;

	if (!sock)
		return;
	kernel_sock_shutdown(sock, SHUT_RDWR);
	kthread_stop(dgram.receiver);
	down_write(&dgram.sem);
	dgram.sock = NULL;
	up_write(&dgram.sem);
	sock_release(sock);
	kfree(dgram.buf);
}
