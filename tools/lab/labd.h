/* SPDX-License-Identifier: GPL-2.0 */
/*
 * labd - the daemon behind one lab. It is the parent of every QEMU, the
 * switch between them and the relay between clients and agents. One thread;
 * everything hangs off `struct lab`. When it dies, however it dies, the
 * machines die with it.
 */
#ifndef LABD_H
#define LABD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"
#include "loop.h"
#include "switch.h"

#define MAX_NODES MAX_PORTS

enum node_state { NODE_DOWN, NODE_BOOTING, NODE_UP };

/* One virtual machine, and the link to the agent in it. */
struct node {
	struct lab *lab;
	int number;			/* from 1 */
	char name[8];

	enum node_state state;
	bool crashed;			/* when down: not by its own will */
	char why[256];			/* why it is down, or had to be booted twice */
	pid_t pid;			/* QEMU, our child; 0: none */
	int boots;
	bool retried;			/* this boot is the second try */
	bool late;			/* it is being killed because it did not boot in time */
	bool stopping;			/* we are killing it: `why` is set already */
	uint64_t boot_started, boot_ms;
	long console_start;		/* where this boot begins in the console log */
	struct timer deadline;
	char boot_id[64], release[128];

	struct watch agent;		/* fd -1: none */
	unsigned int changes;		/* of programs outside, that it has heard of */
	struct buf rx, tx;
};

struct lab {
	char name[64], dir[256];	/* dir: the present directory, too */
	char root[512], repo[512], release[128], accel[8], machine[8], vmlinuz[512], initrd[512], append[512];
	int mem, cpus, boot_timeout, nr_nodes;
	bool pair;
	int pair_fd[2];			/* the cable of a pair, until its end is given away */
	struct node nodes[MAX_NODES];
	struct ether_switch sw;
	struct client *clients;
	uint32_t sessions;
	bool stop;
};

/* vm.c */
void vm_init(struct node *n);
int vm_start(struct node *n);		/* 0, or -1 and n->why */
void vm_kill(struct node *n, const char *why);	/* it is gone on return */
void vm_exited(struct lab *lab, pid_t pid, int status);
void vm_hello(struct node *n, const char *boot_id, const char *release);

/* relay.c */
void relay_listen(struct lab *lab, int fd);
void relay_attach(struct node *n, int fd);
void relay_detach(struct node *n);	/* every session of the node ends with n->why */

/* control.c: carry out one request; the answer goes to `out`, the result is an exit status */
int control(struct lab *lab, int argc, char **argv, struct buf *out);
struct node *node_find(struct lab *lab, const char *name);

#endif
