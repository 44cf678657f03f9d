/* SPDX-License-Identifier: GPL-2.0 */
/*
 * notify.h - tells who started continuumd that it is ready, or why not
 *
 * That is systemd (sd_notify(3)'s protocol), or the parent that --daemon left
 * behind, which waits on a pipe.
 */
#ifndef CONTINUUMD_NOTIFY_H
#define CONTINUUMD_NOTIFY_H

/** notify() - "READY=1", "STOPPING=1", "EXTEND_TIMEOUT_USEC=N" */
void notify(const char *state);

/**
 * notify_watchdog_ms() - how often "WATCHDOG=1" is wanted of this process; 0: never
 *
 * It is a third of systemd's limit (WATCHDOG_USEC).
 */
unsigned int notify_watchdog_ms(void);

/** notify_failed() - the start failed with this line */
void notify_failed(const char *error);

/**
 * notify_daemonize() - fork; the parent waits for the child's word and exits with 0 or 1
 *
 * The child gets a session of its own and a log file below @log_dir.  Return: 0
 * in the child, -1 on an error (said on standard error).
 */
int notify_daemonize(const char *log_dir);

#endif /* CONTINUUMD_NOTIFY_H */
