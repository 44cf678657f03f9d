/* SPDX-License-Identifier: GPL-2.0 */
/*
 * signals.h - signals by name or number
 */
#ifndef CONTINUUMCTL_SIGNALS_H
#define CONTINUUMCTL_SIGNALS_H

/** signal_parse() - "TERM", "SIGTERM", "15", "RTMIN+2", "RTMAX-1", "0"; pure.  Return: 0 to 64, or -1 */
int signal_parse(const char *text);

#endif /* CONTINUUMCTL_SIGNALS_H */
