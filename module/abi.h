/* SPDX-License-Identifier: GPL-2.0 */
/*
 * abi.h - finding out what struct ctm_abi says (node.h), and its wire form
 */
#ifndef CTM_ABI_H
#define CTM_ABI_H

#include "core/wire.h"
#include "node.h"

/**
 * ctm_abi_probe() - fill ctm_abi_self()
 * Context: a 64-bit process (its vDSO is looked at).  Return: 0 or -ENOEXEC
 */
int ctm_abi_probe(void);

void ctm_abi_to_wire(struct ctm_wire_abi *w, const struct ctm_abi *a);
void ctm_abi_from_wire(struct ctm_abi *a, const struct ctm_wire_abi *w);

#endif /* CTM_ABI_H */
