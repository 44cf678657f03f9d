/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A learning Ethernet switch between the nodes. Each port is a stream socket
 * to a QEMU (-netdev stream): frames with their length, 32 bits big-endian,
 * before them.
 *
 * A sender is held back while the receiver's queue is full (so TCP sees a slow
 * link, not a lossy one), but never by a receiver that has stopped reading:
 * after STALL_NS its frames are dropped. Faults apply to what enters and to
 * what leaves a port.
 */
#ifndef LAB_SWITCH_H
#define LAB_SWITCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "loop.h"

#define MAX_PORTS 64

struct blob;

struct port {
	struct watch w;			/* fd -1: nobody connected */
	char *in;			/* bytes received, not yet forwarded */
	uint32_t in_head, in_tail;
	struct blob *out, *last;	/* sorted by time due */
	uint64_t queued;
	struct port *waits_for;		/* a full port: nothing is read meanwhile */
	struct timer delay, stall;
	bool stalled;

	/* faults */
	double loss;			/* 0 to 1 */
	uint64_t delay_ns;
	bool cut;

	uint64_t rx_frames, rx_bytes, tx_frames, dropped;
};

struct ether_switch {
	int nr_ports;
	struct port ports[MAX_PORTS];
	FILE *capture;			/* pcap, or NULL */
};

void switch_init(struct ether_switch *sw, int nr_ports);
void switch_attach(struct ether_switch *sw, int port, int fd);
void switch_detach(struct ether_switch *sw, int port);
/* NULL ends the capture; -1 with errno if the file cannot be written. */
int switch_capture(struct ether_switch *sw, const char *path);

#endif
