/* SPDX-License-Identifier: GPL-2.0 */
/*
 * module.h - loading and unloading continuum.ko
 */
#ifndef CONTINUUMCTL_MODULE_H
#define CONTINUUMCTL_MODULE_H

#include <stdbool.h>

bool module_is_loaded(void);

/** module_load() - @path: a file, or NULL for the installed module.  Return: DONE or an exit status, said why */
int module_load(const char *path);

/** module_unload() - waits a little for the last users.  Return: DONE or an exit status, said why */
int module_unload(void);

#endif /* CONTINUUMCTL_MODULE_H */
