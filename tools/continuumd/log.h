/* SPDX-License-Identifier: GPL-2.0 */
/*
 * log.h - what continuumd says: one line each, on standard error
 *
 * Under systemd the lines carry a priority (sd-daemon(3)), otherwise the time.
 */
#ifndef CONTINUUMD_LOG_H
#define CONTINUUMD_LOG_H

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* CONTINUUMD_LOG_H */
