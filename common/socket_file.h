/* SPDX-License-Identifier: MIT */
#ifndef PALAVER_SOCKET_FILE_H
#define PALAVER_SOCKET_FILE_H

#include "conf.h"

/* Gives a unix socket its mode and group (socket_mode, socket_group). False
 * after saying why in the log. */
bool socket_file_open_to(const char *path, const struct conf *c);

#endif
