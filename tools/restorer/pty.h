/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pty.h - a pseudo terminal: making it, and its state
 *
 * All of it works on the slave's settings, through either end.  The caller leads
 * the session that has the slave as its terminal, or is in it with SIGTTOU
 * blocked.  Functions return 0 or a result, or -errno.
 */
#ifndef RESTORER_PTY_H
#define RESTORER_PTY_H

#include "sys.h"

/* bytes of input that a saved state may carry */
#define PTY_IN_MAX	((64u << 10) - sizeof(struct ctm_tty_state))

/** pty_make() - a new one, its slave owned by @uid, as this session's terminal */
long pty_make(int *master, int *slave, __u32 uid);
/** pty_slave() - open the slave once more, without its becoming a terminal of control */
long pty_slave(int master, unsigned int oflags);
long pty_size(int master, unsigned int rows, unsigned int cols);
/** pty_foreground() - the process group that the keyboard's signals go to */
long pty_foreground(int slave, int pgrp);
/** pty_termios() - set from the first 44 of @bytes */
long pty_termios(int slave, const void *bytes);

/**
 * pty_save() - take the state, and with it the input that nobody has read
 * @max: room in state->in.  Its readers must be frozen.
 */
long pty_save(int slave, struct ctm_tty_state *state, size_t max);
/** pty_load() - the state of another pty; the foreground group only if it is there */
long pty_load(int master, int slave, const struct ctm_tty_state *state);
/** pty_refill() - put back the input of pty_save(), unseen by echo and signals */
long pty_refill(int master, int slave, const struct ctm_tty_state *state);

#endif /* RESTORER_PTY_H */
