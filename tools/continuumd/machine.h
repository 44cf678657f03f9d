/* SPDX-License-Identifier: GPL-2.0 */
/*
 * machine.h - who this machine is: machine-id(5), and the node id made of it
 */
#ifndef CONTINUUMD_MACHINE_H
#define CONTINUUMD_MACHINE_H

#include <stdint.h>

#include <linux/continuum_netlink.h>

/** machine_read() - a hash of /etc/machine-id, which itself is confidential.  Return: 0 or -errno */
int machine_read(unsigned char id[CTM_MACHINE_ID_LEN]);

/** machine_parse() - the same from the file's text (32 hex digits); pure.  Return: 0 or -EINVAL */
int machine_parse(const char *text, unsigned char id[CTM_MACHINE_ID_LEN]);

/** machine_node_id() - 32 bits, not 0, the same at each boot; pure */
uint32_t machine_node_id(const unsigned char id[CTM_MACHINE_ID_LEN]);

#endif /* CONTINUUMD_MACHINE_H */
