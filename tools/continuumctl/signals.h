/* SPDX-License-Identifier: GPL-2.0 */
/*
 * signals.h - signals by name or number, and those that end a program that watches
 */
#ifndef CONTINUUMCTL_SIGNALS_H
#define CONTINUUMCTL_SIGNALS_H

/** signal_parse() - "TERM", "SIGTERM", "15", "RTMIN+2", "RTMAX-1", "0"; pure.  Return: 0 to 64, or -1 */
int signal_parse(const char *text);

/** end_signals() - SIGINT and SIGTERM are blocked, and come by this descriptor.  Return: it, or -1 with errno */
int end_signals(void);

#endif /* CONTINUUMCTL_SIGNALS_H */
