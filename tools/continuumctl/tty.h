/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tty.h - the caller's terminal, as a deputy uses it
 *
 * One a program.  While it is raw, whatever way the program ends (but SIGKILL)
 * puts it back as it was.
 */
#ifndef CONTINUUM_TTY_H
#define CONTINUUM_TTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** struct tty - found by tty_find() */
struct tty {
	int terminal;		/* one of the descriptors 0 to 2 */
	int in;			/* where its keys are read, or -1: see tty_find() */
	int out;		/* a description of its own, O_NONBLOCK where it could be had */
	uint32_t fds;		/* bit n: descriptor n (0 to 2) is the terminal */
	bool keys_only;		/* standard input is something else */
	bool raw;
	bool own_newlines;	/* the terminal makes CR LF of LF */
	bool cr_pending;	/* see tty_filter() */
};

/**
 * tty_find() - the terminal among descriptors 0 to 2.  Return: whether there is one
 *
 * It gives input if standard input is the terminal, or if standard output is: less
 * in a pipeline takes its keys from /dev/tty.  Then Ctrl-C and its kin stay signals
 * for the whole job, whose other programs have their part in the work, and newlines
 * are made by the terminal until the process writes some without CR.
 */
bool tty_find(struct tty *tty);

/** tty_settings() - struct termios2 and window size for the new pty */
int tty_settings(const struct tty *tty, uint8_t termios[64], uint16_t *rows, uint16_t *cols);
uint64_t tty_window(const struct tty *tty);	/* rows << 16 | cols */

/** tty_in_foreground() - may input be read and settings be changed */
bool tty_in_foreground(const struct tty *tty);

/** tty_take() - make it raw, if it gives input and this is the foreground; tty_restore() - put it back */
void tty_take(struct tty *tty);
void tty_restore(struct tty *tty);

/**
 * tty_filter() - output of the process's pty as this terminal wants it
 * @to: room for @length + 1
 *
 * Such a terminal adds a CR to each LF by itself; the one that the
 * pty has added is taken away.  A CR at the end waits for what comes next.
 * Return: bytes at @to.
 */
size_t tty_filter(struct tty *tty, const char *from, size_t length, char *to);

#endif /* CONTINUUM_TTY_H */
