// SPDX-License-Identifier: GPL-2.0
/*
 * ktls.c - kernel TLS on our sockets: TLS 1.3 records, AES-GCM-128, our keys
 *
 * There is no TLS handshake: the hello (auth.c) has agreed on the keys, and each
 * direction begins with record 0 under a key that was never used before.
 *
 * Newer kernels take the keys without complaint only from user memory (see
 * CTM_TLS_KEYS_FROM_USER in compat.h).  For those continuumd registers a page of
 * its own; a work item borrows its mm, puts the keys there for the one call, and
 * wipes them.  The work queue is ordered, so that one key at a time is there.
 */
#include <crypto/aead.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mmu_context.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/sched/mm.h>
#include <linux/sockptr.h>
#include <linux/tcp.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>
#include <net/sock.h>
#include <net/tls.h>
#include "compat/compat.h"
#include "net/ktls.h"
#include "net/net.h"

MODULE_SOFTDEP("pre: tls aesni_intel gcm");

#define TLS_ULP "tls"

static struct workqueue_struct *borrow_wq;
/* continuumd's page: one daemon a node. page_lock covers both. */
static DEFINE_MUTEX(page_lock);
static struct mm_struct *page_mm;
static unsigned long page_addr;

int ctm_ktls_register(unsigned long addr)
{
	struct mm_struct *old;

	if (!PAGE_ALIGNED(addr) || !access_ok((void __user *)addr, PAGE_SIZE))
		return -EINVAL;
	if (!current->mm)
		return -EINVAL;
	if (clear_user((void __user *)addr, PAGE_SIZE))
		return -EFAULT;
	mmgrab(current->mm);
	mutex_lock(&page_lock);
	old = page_mm;
	page_mm = current->mm;
	page_addr = addr;
	mutex_unlock(&page_lock);
	if (old)
		mmdrop(old);
	return 0;
}

void ctm_ktls_unregister(void)
{
	mutex_lock(&page_lock);
	if (page_mm)
		mmdrop(page_mm);
	page_mm = NULL;
	mutex_unlock(&page_lock);
}

bool ctm_ktls_daemon(void)
{
	bool alive;

	mutex_lock(&page_lock);
	alive = page_mm && atomic_read(&page_mm->mm_users);
	mutex_unlock(&page_lock);
	return alive;
}

/* a reference on the daemon's mm, or NULL when it has none any more */
static struct mm_struct *borrow_mm(unsigned long *addr)
{
	struct mm_struct *mm = NULL;

	mutex_lock(&page_lock);
	if (page_mm && mmget_not_zero(page_mm))
		mm = page_mm;
	*addr = page_addr;
	mutex_unlock(&page_lock);
	return mm;
}

struct borrow {
	struct work_struct work;
	struct socket *sock;
	int opt;
	const struct tls12_crypto_info_aes_gcm_128 *info;
	int err;
};

static int set_option(struct socket *sock, int opt, sockptr_t val, unsigned int len)
{
	return READ_ONCE(sock->ops)->setsockopt(sock, SOL_TLS, opt, val, len);
}

static void borrow_page(struct work_struct *work)
{
	struct borrow *b = container_of(work, struct borrow, work);
	unsigned long addr;
	struct mm_struct *mm = borrow_mm(&addr);
	void __user *page = (void __user *)addr;

	b->err = -ENOTCONN;
	if (!mm)
		return;
	kthread_use_mm(mm);
	b->err = -EFAULT;
	if (!copy_to_user(page, b->info, sizeof(*b->info)))
		b->err = set_option(b->sock, b->opt, USER_SOCKPTR(page), sizeof(*b->info));
	if (clear_user(page, sizeof(*b->info)))
		pr_warn_once("continuum: cannot wipe continuumd's page\n");
	kthread_unuse_mm(mm);
	mmput(mm);
}

static int set_key_through_user(struct socket *sock, int opt,
				const struct tls12_crypto_info_aes_gcm_128 *info)
{
	struct borrow b = { .sock = sock, .opt = opt, .info = info };

	INIT_WORK_ONSTACK(&b.work, borrow_page);
	queue_work(borrow_wq, &b.work);
	flush_work(&b.work);
	destroy_work_on_stack(&b.work);
	return b.err;
}

int ctm_ktls_attach(struct socket *sock)
{
	return READ_ONCE(sock->ops)->setsockopt(sock, SOL_TCP, TCP_ULP,
						KERNEL_SOCKPTR(TLS_ULP), sizeof(TLS_ULP));
}

int ctm_ktls_key(struct socket *sock, bool tx, const struct ctm_key *key)
{
	struct tls12_crypto_info_aes_gcm_128 info = {
		.info.version = TLS_1_3_VERSION,
		.info.cipher_type = TLS_CIPHER_AES_GCM_128,
	};
	int opt = tx ? TLS_TX : TLS_RX;
	int err;

	BUILD_BUG_ON(sizeof(info.key) + sizeof(info.salt) + sizeof(info.iv) > sizeof(key->k));
	memcpy(info.key, key->k, sizeof(info.key));
	memcpy(info.salt, key->k + sizeof(info.key), sizeof(info.salt));
	memcpy(info.iv, key->k + sizeof(info.key) + sizeof(info.salt), sizeof(info.iv));
	if (CTM_TLS_KEYS_FROM_USER)
		err = set_key_through_user(sock, opt, &info);
	else
		err = set_option(sock, opt, KERNEL_SOCKPTR(&info), sizeof(info));
	memzero_explicit(&info, sizeof(info));
	return err;
}

/*
 * A connection made by a user task could not load the module; and the cipher, when
 * it is loaded, tests itself, which may take seconds that a hello does not have.
 */
static void load_modules(void)
{
	struct crypto_aead *aead;

	request_module("tls");
	aead = crypto_alloc_aead("gcm(aes)", 0, 0);
	if (!IS_ERR(aead))
		crypto_free_aead(aead);
}

int ctm_ktls_init(void)
{
	borrow_wq = alloc_ordered_workqueue("ctm_keys", 0);
	if (!borrow_wq)
		return -ENOMEM;
	load_modules();
	return 0;
}

void ctm_ktls_exit(void)
{
	ctm_ktls_unregister();
	destroy_workqueue(borrow_wq);
}
