/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "responder.h"
#include "socket_file.h"

static int
failed(int fd, const char *what, const char *why)
{
	log_error("%s: %s", what, why);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Removes a socket that nobody answers at any more. */
static bool
clear_way(const struct sockaddr_un *a, int fd)
{
	struct stat st;

	if (lstat(a->sun_path, &st) != 0)
		return true;
	if (!S_ISSOCK(st.st_mode))
		return false;
	if (connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0 ||
	    errno != ECONNREFUSED)
		return false;
	return unlink(a->sun_path) == 0;
}

static int
listen_unix(const struct conf *c, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd, probe;
	bool clear;

	if (strlen(path) >= sizeof(a.sun_path))
		return failed(-1, path, "the path is too long");
	memcpy(a.sun_path, path, strlen(path) + 1);
	/* Not blocking: one that is alive may have a full backlog. */
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);
	clear = probe >= 0 && clear_way(&a, probe);
	if (probe >= 0)
		close(probe);
	if (!clear)
		return failed(-1, path, "is in use, or no socket");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		return failed(fd, path, strerror(errno));
	if (!socket_file_open_to(path, c)) {
		close(fd);
		return -1;
	}
	if (listen(fd, RESPONDER_BACKLOG) != 0)
		return failed(fd, path, strerror(errno));
	return fd;
}

/* host:port, an IPv6 address in brackets (RFC 3986, section 3.2.2). */
static int
listen_tcp(const char *address)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE }, *found;
	const char *colon = strrchr(address, ':');
	char host[256], *end;
	unsigned long port;
	size_t n;
	int fd, on = 1, err;

	if (colon == NULL || (size_t)(colon - address) >= sizeof(host))
		return failed(-1, address, "neither unix:/path nor host:port");
	/* getaddrinfo() would take the lowest 16 bits of any number. */
	port = strtoul(colon + 1, &end, 10);
	if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || port == 0 ||
	    port > 65535)
		return failed(-1, address, "the port must be 1 to 65535");
	n = (size_t)(colon - address);
	if (n >= 2 && *address == '[' && address[n - 1] == ']')
		snprintf(host, sizeof(host), "%.*s", (int)n - 2, address + 1);
	else
		snprintf(host, sizeof(host), "%.*s", (int)n, address);
	err = getaddrinfo(*host == '\0' ? NULL : host, colon + 1, &hints,
	    &found);
	if (err != 0)
		return failed(-1, address, gai_strerror(err));
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0 ||
	    listen(fd, RESPONDER_BACKLOG) != 0)
		fd = failed(fd, address, strerror(errno));
	freeaddrinfo(found);
	return fd;
}

bool
responder_can_listen(int fd)
{
	int on = 0;
	socklen_t n = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &n) == 0 &&
	    on != 0;
}

int
responder_listen(const struct conf *c)
{
	if (strncmp(c->listen, "unix:", 5) == 0)
		return listen_unix(c, c->listen + 5);
	return listen_tcp(c->listen);
}
