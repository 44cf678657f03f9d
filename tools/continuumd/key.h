/* SPDX-License-Identifier: GPL-2.0 */
/*
 * key.h - the cluster key: 32 bytes, base64, in a file that only root can read
 */
#ifndef CONTINUUMD_KEY_H
#define CONTINUUMD_KEY_H

#include <stddef.h>

#include <linux/continuum_netlink.h>

/**
 * key_read() - read and check a key file
 * @error: on failure, one line that names the file, the cause and what to do
 *
 * Return: 0 or -errno (ENOENT: no such file).
 */
int key_read(const char *path, unsigned char key[CTM_KEY_LEN], char *error, size_t room);

#endif /* CONTINUUMD_KEY_H */
