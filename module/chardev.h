/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CTM_CHARDEV_H
#define CTM_CHARDEV_H

#include <linux/types.h>

struct file;

/**
 * ctm_chardev_plain() - is @f an open /dev/continuum that only makes calls?
 * One with a role (keeper, landing, deputy) has state and cannot be reopened.
 */
bool ctm_chardev_plain(const struct file *f);

int ctm_chardev_init(void);
void ctm_chardev_exit(void);

#endif /* CTM_CHARDEV_H */
