/* SPDX-License-Identifier: MIT */
#include "socket_file.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

bool
socket_file_open_to(const char *path, const struct conf *c)
{
	struct group *g;

	if (c->socket_group != NULL) {
		g = getgrnam(c->socket_group);
		if (g == NULL || chown(path, (uid_t)-1, g->gr_gid) != 0) {
			log_error("%s: cannot set socket_group", path);
			return false;
		}
	}
	if (chmod(path, c->socket_mode) != 0) {
		log_error("%s: %s", path, strerror(errno));
		return false;
	}
	return true;
}
