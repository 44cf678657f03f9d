/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CTM_CHARDEV_H
#define CTM_CHARDEV_H

int ctm_chardev_init(void);
void ctm_chardev_exit(void);

#endif /* CTM_CHARDEV_H */
