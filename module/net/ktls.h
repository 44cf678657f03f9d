/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ktls.h - the page of continuumd through which keys pass to kernel TLS
 */
#ifndef CTM_NET_KTLS_H
#define CTM_NET_KTLS_H

#include <linux/types.h>

/**
 * ctm_ktls_register() - use the page at @addr of the caller's memory from now on
 * Context: process with an mm (continuumd, in NODE_UP or NODE_SET), sleeps.
 * Return: 0, -EINVAL (not page aligned), -EFAULT (not writable)
 */
int ctm_ktls_register(unsigned long addr);
void ctm_ktls_unregister(void);
/** ctm_ktls_daemon() - is a page registered, and does its owner live? */
bool ctm_ktls_daemon(void);

#endif /* CTM_NET_KTLS_H */
