/* SPDX-License-Identifier: GPL-2.0 */
/*
 * continuum.h - the C library of Continuum
 *
 * Thin wrappers of the calls of /dev/continuum, which <linux/continuum.h>
 * documents, and the printed form of GPIDs.  Nothing here keeps state: a caller
 * opens the device once and passes the descriptor.
 *
 * Unless said otherwise, a function returns 0 or a negative errno.  Those that
 * take @reason (CTM_REASON_MAX bytes, or NULL) leave there what the kernel said
 * about an error, or an empty string.
 *
 * Link with -lcontinuum -lmnl.
 */
#ifndef CONTINUUM_H
#define CONTINUUM_H

#include <stddef.h>
#include <stdint.h>

#include <linux/continuum.h>

#ifdef __cplusplus
extern "C" {
#endif

/** CONTINUUM_GPID_MAX - a printed GPID with its NUL: node name, dot, sequence */
#define CONTINUUM_GPID_MAX	(CTM_NAME_MAX + 11)

/** continuum_open() - open /dev/continuum, close-on-exec.  Return: fd or -errno (ENOENT: module not loaded) */
int continuum_open(void);

/** continuum_info() - what is known of @gpid (0: the caller) */
int continuum_info(int fd, uint64_t gpid, struct ctm_info *info);

/**
 * continuum_migrate() - move a process, or with @gpid 0 the calling process itself
 * @node:   name of a node, "any" or "home"
 * @result: receives node, times, bytes and reason; may be NULL
 *
 * Returns when the process runs at its new host.
 */
int continuum_migrate(int fd, uint64_t gpid, const char *node, struct ctm_migrate *result);

/** continuum_migrate_as() - with @flags: 0 or CTM_MIGRATE_CLUSTER */
int continuum_migrate_as(int fd, uint64_t gpid, const char *node, uint32_t flags,
			 struct ctm_migrate *result);

/** continuum_worked() - the caller does useful work; @ttl, if not NULL: what that gives it */
int continuum_worked(int fd, uint32_t *ttl);

/** continuum_wait() - wait for the end of a process; @flags: CTM_WAIT_NOHANG, CTM_WAIT_CHILD */
int continuum_wait(int fd, uint64_t gpid, uint32_t flags, struct ctm_wait *result);

/**
 * continuum_dist_fork() - fork the caller onto nodes of the cluster
 * @children: @count of them, filled in the parent
 * @nodes:    @nnodes names: child i goes to node i modulo @nnodes; none: the cluster chooses
 * @index:    in a child, which it is; may be NULL
 *
 * Return: in the parent the number of children that exist; 0 in a child; -errno: none does.
 */
int continuum_dist_fork(int fd, struct ctm_fork_child *children, uint32_t count,
			const char (*nodes)[CTM_NAME_MAX], uint32_t nnodes, uint32_t *index,
			char *reason);

/** continuum_result() - what the caller leaves behind when it ends, up to CTM_RESULT_MAX bytes */
int continuum_result(int fd, const void *data, size_t length);

/** continuum_signal() - send @sig to a process; @flags: 0 or CTM_SIGNAL_GROUP; @timeout_ms 0: 10 s */
int continuum_signal(int fd, uint64_t gpid, int sig, uint32_t flags, uint32_t timeout_ms,
		     char *reason);

int continuum_destroy(int fd, uint64_t gpid, char *reason);
int continuum_suspend(int fd, uint64_t gpid, char *reason);
int continuum_resume(int fd, uint64_t gpid, char *reason);
int continuum_recover(int fd, uint64_t gpid, char *reason);	/* reason: also on success */

/**
 * continuum_checkpoint() - the image of a process, to be read from @fd, on which nothing else was done
 * @result: receives what is known of it, and reason
 */
int continuum_checkpoint(int fd, uint64_t gpid, struct ctm_checkpoint *result);
/**
 * continuum_restore() - one of the two calls of CTM_IOC_RESTORE
 * @r: all but its size is set; receives gpid and reason
 */
int continuum_restore(int fd, struct ctm_restore *r);

/** continuum_set() - change a property of a process; @property: enum ctm_property */
int continuum_set(int fd, uint64_t gpid, uint32_t property, uint64_t value, char *reason);

/**
 * continuum_explain() - what would stop or slow a move
 * @node:   target to check against, or "" for none
 * @text:   receives the findings, one a line, always NUL terminated
 * @length: room at @text
 * @result: receives the counts; may be NULL
 */
int continuum_explain(int fd, uint64_t gpid, const char *node, char *text, size_t length,
		      struct ctm_explain *result);

/* ---- blocks ---- */

/** CONTINUUM_BLOCK_TEXT - a printed name with its NUL */
#define CONTINUUM_BLOCK_TEXT	(2 * CTM_BLOCK_NAME + 1)

/**
 * continuum_blocks() - one of CTM_IOC_PUT, GET, PIN, DROP, with many blocks
 * @flags:  CTM_BLOCKS_*
 * @copies: PUT, PIN: 0 for 2; else 0
 *
 * Each block has its own error; what is returned is that of the first that failed.
 */
int continuum_blocks(int fd, unsigned long request, uint32_t flags, struct ctm_block *list,
		     uint32_t count, uint32_t copies, char *reason);

/** continuum_put() - one block; for the family of the caller, or with CTM_BLOCKS_PIN for its user */
int continuum_put(int fd, uint32_t flags, const void *data, size_t length,
		  uint8_t name[CTM_BLOCK_NAME], char *reason);
/** continuum_get() - one block; @length: in: room, out: its length, also with -EMSGSIZE */
int continuum_get(int fd, const uint8_t name[CTM_BLOCK_NAME], void *data, size_t *length,
		  char *reason);
int continuum_pin(int fd, const uint8_t name[CTM_BLOCK_NAME], char *reason);
int continuum_drop(int fd, uint32_t flags, const uint8_t name[CTM_BLOCK_NAME], char *reason);
/** continuum_locate() - @l: name: in, the rest out; @holders has @room places */
int continuum_locate(int fd, struct ctm_locate *l, struct ctm_holder *holders, uint32_t room);

/** continuum_block_parse() - 64 hexadecimal digits; pure.  Return: 0 or -EINVAL */
int continuum_block_parse(const char *text, uint8_t name[CTM_BLOCK_NAME]);
/** continuum_block_print() - Return: @text */
const char *continuum_block_print(const uint8_t name[CTM_BLOCK_NAME], char text[CONTINUUM_BLOCK_TEXT]);

/**
 * continuum_gpid_split() - take "NODE.SEQ" apart at its last dot; pure
 *
 * Return: 0, or -EINVAL when @text has not that form.
 */
int continuum_gpid_split(const char *text, char node[CTM_NAME_MAX], uint32_t *sequence);

/**
 * continuum_gpid_parse() - the GPID that "NODE.SEQ" or "#HEXID.SEQ" names
 *
 * Asks the kernel for the id of the node.  Return: 0, -EINVAL for a text of
 * another form, -ESRCH when the cluster knows no node of that name.
 */
int continuum_gpid_parse(const char *text, uint64_t *gpid);

/** continuum_gpid_print() - "NODE.SEQ", or "#HEXID.SEQ" when the node is unknown.  Return: @text */
const char *continuum_gpid_print(uint64_t gpid, char text[CONTINUUM_GPID_MAX]);

#ifdef __cplusplus
}
#endif

#endif /* CONTINUUM_H */
