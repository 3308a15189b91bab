/* SPDX-License-Identifier: MIT */
/* Configuration: a file, the environment, flags. The first byte says how many
 * of the lines that follow are flags, the second how many NAME=VALUE of the
 * environment; the rest is the file. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf.h"
#include "fuzz.h"

#define LINES_MAX 8

static int
file_of(struct span text)
{
	int fd = memfd_create("conf", 0);

	HOLDS(fd >= 0);
	HOLDS(write(fd, text.p, text.n) == (ssize_t)text.n);
	return fd;
}

/* What was read is within what the settings allow. */
static void
check(const struct conf *c)
{
	HOLDS(c->prefix != NULL && strlen(c->prefix) >= 1 &&
	    strlen(c->prefix) <= 32);
	HOLDS((c->redis.host == NULL) != (c->redis.path == NULL));
	HOLDS(c->redis.path != NULL || (c->redis.port > 0 &&
	    c->redis.port < 65536));
	HOLDS(c->redis.db >= 0 && c->redis.db < 65536);
	HOLDS(c->socket_mode <= 0777 && c->history >= 1);
	HOLDS(c->trusted.n <= PEER_BLOCKS_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data + 2, size - 2 };
	char *argv[LINES_MAX + 3] = { (char *)"f", NULL }, *line, file[64];
	char *names[LINES_MAX];
	int argc = 1, nnames = 0, fd;
	struct conf c;

	if (size < 2)
		return 0;
	for (unsigned n = data[0] % LINES_MAX; n > 0; n--)
		if ((line = fuzz_line(&in)) != NULL)
			argv[argc++] = line;
	for (unsigned n = data[1] % LINES_MAX; n > 0; n--) {
		if ((line = fuzz_line(&in)) == NULL)
			break;
		names[nnames] = line;
		line = strchr(line, '=');
		if (line != NULL)
			*line = '\0';
		if (line != NULL && (strncmp(names[nnames], "PALAVER_", 8) ==
		    0 || strncmp(names[nnames], "REDIS_", 6) == 0))
			setenv(names[nnames++], line + 1, 1);
		else
			free(names[nnames]);
	}
	fd = file_of(in);
	snprintf(file, sizeof(file), "--config=/proc/self/fd/%d", fd);
	argv[argc] = file;
	if (conf_load(&c, "f", "", argc + 1, argv) == CONF_RUN)
		check(&c);
	conf_clear(&c);
	close(fd);
	for (int i = 1; i < argc; i++)
		free(argv[i]);
	for (int i = 0; i < nnames; i++) {
		unsetenv(names[i]);
		free(names[i]);
	}
	return 0;
}
