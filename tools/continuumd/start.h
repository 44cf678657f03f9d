/* SPDX-License-Identifier: GPL-2.0 */
/*
 * start.h - a process on its way from a client's request to its first instruction
 */
#ifndef CONTINUUMD_START_H
#define CONTINUUMD_START_H

#include "client.h"
#include "config.h"

/** start_begin() - begin what @request asks; answers @client now or later; takes the descriptors */
void start_begin(const struct config *config, struct client *client, struct request *request);

#endif /* CONTINUUMD_START_H */
