/* SPDX-License-Identifier: GPL-2.0 */
/*
 * compat.h - today's kernel API on older kernels
 *
 * The module is written for the newest kernel; what an older one lacks or spells
 * otherwise is supplied here, each probe with the upstream change behind it.
 * The only file with version checks.  One section for each part of the module.
 */
#ifndef CTM_COMPAT_H
#define CTM_COMPAT_H

#include <linux/version.h>

/*
 * ---- net/, netlink.c ---------------------------------------------------------
 */
#include <crypto/blake2s.h>
#include <linux/net.h>
#include <linux/socket.h>
#include <linux/uio.h>
#include <net/genetlink.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
/* "lib/crypto: blake2s: Rename blake2s_state to blake2s_ctx", and
 * "lib/crypto: blake2s: Adjust parameter order of blake2s()"
 */
#define blake2s_ctx blake2s_state

static inline void ctm_compat_blake2s(const u8 *key, size_t keylen, const u8 *in,
				      size_t inlen, u8 *out, size_t outlen)
{
	blake2s(out, in, key, outlen, inlen, keylen);
}
#define blake2s ctm_compat_blake2s

/* "net: Add struct sockaddr_unsized for sockaddr of unknown length" */
#define sockaddr_unsized sockaddr
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
/* 5c670a010de4 "genetlink: add genlmsg_iput() API", and before it in the same
 * series genl_info_dump(); what we take from it is ->attrs
 */
#define genl_info_dump(cb) genl_dumpit_info(cb)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
/* dc97391e6610 "sock: Remove ->sendpage*() in favour of sendmsg(MSG_SPLICE_PAGES)":
 * before, pages are handed over one by one.  May send less than was asked.
 */
#undef MSG_SPLICE_PAGES
#define MSG_SPLICE_PAGES 0x8000000

static inline int ctm_compat_sendmsg(struct socket *sock, struct msghdr *msg)
{
	const struct bio_vec *bv = msg->msg_iter.bvec;
	size_t off = msg->msg_iter.iov_offset, len;
	int flags = msg->msg_flags & ~MSG_SPLICE_PAGES;
	int ret;

	if (!(msg->msg_flags & MSG_SPLICE_PAGES))
		return sock_sendmsg(sock, msg);
	len = min(bv->bv_len - off, iov_iter_count(&msg->msg_iter));
	if (len < iov_iter_count(&msg->msg_iter))
		flags |= MSG_MORE | MSG_SENDPAGE_NOTLAST;
	ret = kernel_sendpage(sock, bv->bv_page, bv->bv_offset + off, len, flags);
	if (ret > 0)
		iov_iter_advance(&msg->msg_iter, ret);
	return ret;
}
#define sock_sendmsg ctm_compat_sendmsg
#endif

/*
 * From 6.13 on do_tls_setsockopt_conf(), built by newer compilers, warns
 * (FORTIFY_SOURCE: "field-spanning write") when the keys come from kernel
 * memory: it copies behind a struct tls_crypto_info.  User memory is not checked.
 */
#define CTM_TLS_KEYS_FROM_USER	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0))

#endif /* CTM_COMPAT_H */
