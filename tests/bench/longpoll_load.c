/* SPDX-License-Identifier: MIT */
/* Load for one responder, as a web server gives it: FastCGI over its unix
 * socket, a connection for each request. How much a parked long-poll holds,
 * what it costs to wake it and to take its next one, beside a bare loop that
 * does no more than the system calls of it, and what operations beside them
 * lose.
 * usage: longpoll SOCKET RESPONDER-PID REDIS-PID POLLS ROUNDS */
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "descriptors.h"
#include "measure.h"

#define WOKEN 1000   /* polls that one event wakes */
#define BESIDE 16    /* connections that run operations */
#define OPERATIONS 4000
#define RAMP 32      /* polls that begin at the same time */
#define TEXT 8192    /* bytes of a request or reply that is looked into */

/* A long-poll session, and its poll when it has one. */
struct poller {
	int fd;             /* -1: no poll */
	char user[37], session[37], key[96];
	char cursor[512];
	char reply[TEXT];
	size_t n;
};

/* Whom the load goes to. */
struct server {
	char path[100];
	long pid;
};
static struct server responder, bare_loop;
static const struct server *server = &responder;

/* ---- FastCGI, the web server's side ---- */

static int
dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", server->path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		die("connect");
	return fd;
}

static size_t
record(char *out, int type, const char *content, size_t n)
{
	char head[8] = { 1, (char)type, 0, 1, (char)(n >> 8), (char)n, 0, 0 };

	memcpy(out, head, 8);
	memcpy(out + 8, content, n);
	return n + 8;
}

static size_t
pair(char *out, const char *name, const char *value)
{
	size_t n = strlen(name), v = strlen(value);

	out[0] = (char)n;
	out[1] = (char)v;
	memcpy(out + 2, name, n);
	memcpy(out + 2 + n, value, v);
	return 2 + n + v;
}

static void
ask(int fd, const char *type, const char *body)
{
	static const char begin[8] = { 0, 1 };
	char params[1024], out[TEXT], path[64], length[24];
	size_t p = 0, n = 0;

	snprintf(path, sizeof(path), "/%s", type);
	snprintf(length, sizeof(length), "%zu", strlen(body));
	p += pair(params + p, "REQUEST_METHOD", "POST");
	p += pair(params + p, "SCRIPT_NAME", "/api");
	p += pair(params + p, "PATH_INFO", path);
	p += pair(params + p, "CONTENT_TYPE", "application/json");
	p += pair(params + p, "CONTENT_LENGTH", length);
	p += pair(params + p, "REMOTE_ADDR", "127.0.0.1");
	p += pair(params + p, "HTTP_HOST", "localhost");
	n += record(out + n, 1, begin, sizeof(begin));
	n += record(out + n, 4, params, p);
	n += record(out + n, 4, "", 0);
	n += record(out + n, 5, body, strlen(body));
	n += record(out + n, 5, "", 0);
	if (write(fd, out, n) != (ssize_t)n)
		die("write");
}

/* Reads on; true when the reply has ended. What is too long is not kept. */
static bool
read_on(struct poller *p)
{
	char drop[TEXT];
	bool full = p->n + 1 >= sizeof(p->reply);
	ssize_t n = read(p->fd, full ? drop : p->reply + p->n,
	    full ? sizeof(drop) : sizeof(p->reply) - p->n - 1);

	if (n < 0 && errno != EAGAIN)
		die("read");
	if (n > 0 && !full)
		p->n += (size_t)n;
	if (n != 0)
		return false;
	p->reply[p->n] = '\0';
	close(p->fd);
	p->fd = -1;
	return true;
}

/* One request and its reply, blocking. */
static void
call(struct poller *p, const char *type, const char *body)
{
	p->fd = dial();
	p->n = 0;
	ask(p->fd, type, body);
	while (!read_on(p))
		;
}

/* Copies the string member; the reply's records may cut nothing of ours, they
 * are long enough. */
static void
member(const struct poller *p, const char *name, char *out, size_t room)
{
	const char *at = memmem(p->reply, p->n, name, strlen(name));
	const char *end = p->reply + p->n;
	size_t n = 0;

	if (at == NULL) {
		fprintf(stderr, "longpoll: no %s in %.*s\n", name, (int)p->n,
		    p->reply);
		exit(2);
	}
	for (at += strlen(name); at < end && *at != '"' && n + 1 < room; at++)
		out[n++] = *at;
	out[n] = '\0';
}

/* ---- the session ---- */

static void
sign_in(struct poller *p, int number, bool join)
{
	char body[1024];

	snprintf(body, sizeof(body), "{\"signIn\":{\"username\":\"user%d\","
	    "\"password\":\"secret123\"}}", number);
	call(p, "signIn", body);
	member(p, "\"userUUID\":\"", p->user, sizeof(p->user));
	member(p, "\"sessionUUID\":\"", p->session, sizeof(p->session));
	member(p, "\"accessKey\":\"", p->key, sizeof(p->key));
	member(p, "\"cursor\":\"", p->cursor, sizeof(p->cursor));
	snprintf(body, sizeof(body), "{\"accessKey\":\"%s\",\"sessionUUID\":"
	    "\"%s\",\"channelJoin\":{\"channel\":\"%s\",\"limit\":0}}", p->key,
	    p->session, join ? "woken" : "quiet");
	call(p, "channelJoin", body);
}

static void
poll_body(const struct poller *p, int wait, char *body, size_t room)
{
	snprintf(body, room, "{\"accessKey\":\"%s\",\"sessionUUID\":\"%s\","
	    "\"events\":{\"wait\":%d,\"since\":\"%s\"}}", p->key, p->session,
	    wait, p->cursor);
}

static void
begin_poll(struct poller *p, int epoll)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = p };
	char body[1024];

	poll_body(p, 55, body, sizeof(body));
	p->fd = dial();
	p->n = 0;
	ask(p->fd, "events", body);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, p->fd, &e) != 0)
		die("epoll_ctl");
}

/* Takes what there is until nothing is new. */
static void
catch_up(struct poller *p)
{
	char body[1024];

	do {
		poll_body(p, 0, body, sizeof(body));
		call(p, "events", body);
		member(p, "\"cursor\":\"", p->cursor, sizeof(p->cursor));
	} while (memmem(p->reply, p->n, "\"frames\":[]", 11) == NULL);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the measurements ---- */

struct rate {
	double wall; /* operations a second */
	double cpu;  /* microseconds of the responder for one */
};

/* Operations over BESIDE connections at a time. */
static struct rate
operations(const struct poller *who)
{
	static struct poller beside[BESIDE];
	struct epoll_event got[BESIDE], e = { .events = EPOLLIN };
	int epoll = epoll_create1(0), begun = 0, ended = 0;
	char body[1024];
	double from = now();
	uint64_t cpu = cpu_ns(server->pid);

	snprintf(body, sizeof(body), "{\"accessKey\":\"%s\",\"users\":"
	    "{\"limit\":1}}", who->key);
	for (int i = 0; i < BESIDE; i++)
		beside[i].fd = -1;
	while (ended < OPERATIONS) {
		for (int i = 0; i < BESIDE && begun < OPERATIONS; i++) {
			if (beside[i].fd >= 0)
				continue;
			beside[i].fd = dial();
			beside[i].n = 0;
			e.data.ptr = &beside[i];
			epoll_ctl(epoll, EPOLL_CTL_ADD, beside[i].fd, &e);
			ask(beside[i].fd, "users", body);
			begun++;
		}
		int n = epoll_wait(epoll, got, BESIDE, 10000);

		if (n <= 0)
			die("operations");
		for (int i = 0; i < n; i++)
			if (read_on(got[i].data.ptr))
				ended++;
	}
	close(epoll);
	return (struct rate){ OPERATIONS / (now() - from),
		(double)(cpu_ns(server->pid) - cpu) / 1000 / OPERATIONS };
}

/* Returns when all that was asked before has been taken up. */
static void
settle(const struct poller *who)
{
	struct poller s = { .fd = -1 };
	char body[256];

	snprintf(body, sizeof(body), "{\"accessKey\":\"%s\",\"users\":"
	    "{\"limit\":1}}", who->key);
	call(&s, "users", body);
}

/* Microseconds of CPU for each poll that was woken. */
struct cost {
	double server, redis;
};

/* One event wakes WOKEN polls; each is answered and polls again. */
static struct cost
wake(int epoll, const struct poller *sender, long redis)
{
	struct epoll_event got[64];
	struct poller s = { .fd = -1 };
	char body[1024];
	uint64_t cpu, redis_cpu;
	int woken = 0;

	memcpy(s.key, sender->key, sizeof(s.key));
	snprintf(body, sizeof(body), "{\"accessKey\":\"%s\",\"channelMessage\":"
	    "{\"channel\":\"woken\",\"message\":\"hello\"}}", s.key);
	cpu = cpu_ns(server->pid);
	redis_cpu = cpu_ns(redis);
	call(&s, "channelMessage", body);
	while (woken < WOKEN) {
		int n = epoll_wait(epoll, got, 64, 10000);

		if (n <= 0)
			die("a poll was not woken");
		for (int i = 0; i < n; i++) {
			struct poller *p = got[i].data.ptr;

			if (!read_on(p))
				continue;
			if (memmem(p->reply, p->n, "hello", 5) == NULL)
				die("a poll was answered without the event");
			member(p, "\"cursor\":\"", p->cursor,
			    sizeof(p->cursor));
			begin_poll(p, epoll);
			woken++;
		}
	}
	settle(sender); /* behind the last polls: they are parked */
	return (struct cost){ (double)(cpu_ns(server->pid) - cpu) / 1000 /
		WOKEN, (double)(cpu_ns(redis) - redis_cpu) / 1000 / WOKEN };
}

/* ---- the bare loop ---- */

/* Accepts, reads the request at one go, and watches the connection until a
 * channelMessage comes: then all that wait are answered by what stands here,
 * as long as a real reply, and closed. What is no poll is answered at once. */
static void
bare(int listener)
{
	static int parked[4 * WOKEN];
	static char in[TEXT], out[TEXT];
	static const char reply[] = "Status: 200 OK\r\n\r\n{\"type\":\"events\","
	    "\"events\":{\"cursor\":\"sys:0:0\",\"frames\":[\"hello\"]}}";
	struct epoll_event e = { .events = EPOLLIN, .data.fd = listener };
	struct epoll_event got[64];
	int epoll = epoll_create1(0), n = 0;
	char content[700];
	size_t length;

	memset(content, ' ', sizeof(content));
	memcpy(content, reply, sizeof(reply) - 1);
	length = record(out, 6, content, sizeof(content));
	length += record(out + length, 6, "", 0);
	length += record(out + length, 3, "\0\0\0\0\0\0\0", 8);
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
	while (epoll_wait(epoll, got, 64, -1) > 0) {
		int fd;

		while ((fd = accept4(listener, NULL, NULL, 0)) >= 0) {
			ssize_t size = read(fd, in, sizeof(in));

			if (size <= 0)
				die("bare read");
			if (memmem(in, (size_t)size, "/events", 7) != NULL) {
				e.data.fd = fd;
				epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
				parked[n++] = fd;
				continue;
			}
			if (memmem(in, (size_t)size, "/channelMessage",
			    15) == NULL) {
				write(fd, out, length);
				close(fd);
				continue;
			}
			parked[n++] = fd;
			while (n > 0) {
				write(parked[--n], out, length);
				close(parked[n]);
			}
		}
	}
}

static void
start_bare(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(bare_loop.path, sizeof(bare_loop.path), "%s.bare",
	    responder.path);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", bare_loop.path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(fd, 4096) != 0)
		die("bare listen");
	bare_loop.pid = fork_bound();
	if (bare_loop.pid == 0) {
		bare(fd);
		_exit(2);
	}
	close(fd);
}

/* The same wake of the bare loop; begins its polls. */
static void
begin_bare(struct poller *polls, int epoll)
{
	start_bare();
	server = &bare_loop;
	for (int i = 0; i < WOKEN; i++) {
		snprintf(polls[i].cursor, sizeof(polls[i].cursor), "none");
		begin_poll(&polls[i], epoll);
	}
	settle(&polls[0]);
	server = &responder;
}

int
main(int argc, char **argv)
{
	struct poller *all, *others;
	int polls, rounds, epoll, epoll_bare;
	double woken[64], woken_redis[64], woken_bare[64], alone_wall[64],
	    alone_cpu[64], beside_wall[64], beside_cpu[64];
	long redis, before, after;

	if (argc != 6)
		return 2;
	snprintf(responder.path, sizeof(responder.path), "%s", argv[1]);
	responder.pid = atol(argv[2]);
	redis = atol(argv[3]);
	polls = atoi(argv[4]);
	rounds = atoi(argv[5]);
	if (polls < WOKEN || rounds < 1 || rounds > 64)
		return 2;
	descriptors_raise();
	epoll = epoll_create1(0);
	epoll_bare = epoll_create1(0);
	all = calloc((size_t)polls, sizeof(*all));
	others = calloc(WOKEN, sizeof(*others));
	if (all == NULL || others == NULL || epoll < 0 || epoll_bare < 0)
		die("setup");
	begin_bare(others, epoll_bare);
	for (int i = 0; i < polls; i++)
		sign_in(&all[i], i, i < WOKEN);
	for (int i = 0; i < polls; i++)
		catch_up(&all[i]);
	operations(&all[0]); /* warm */
	for (int i = 0; i < rounds; i++) {
		struct rate r = operations(&all[0]);

		alone_wall[i] = r.wall;
		alone_cpu[i] = r.cpu;
	}
	before = rss_bytes(responder.pid);
	for (int i = 0; i < polls; i++) {
		begin_poll(&all[i], epoll);
		if (i % RAMP == 0)
			settle(&all[0]);
	}
	operations(&all[0]); /* behind them: all are parked */
	after = rss_bytes(responder.pid);
	for (int i = 0; i < rounds; i++) {
		struct rate r = operations(&all[0]);

		beside_wall[i] = r.wall;
		beside_cpu[i] = r.cpu;
	}
	for (int i = 0; i < rounds; i++) {
		struct cost c = wake(epoll, &all[0], redis);

		woken[i] = c.server;
		woken_redis[i] = c.redis;
		server = &bare_loop;
		woken_bare[i] = wake(epoll_bare, &others[0], redis).server;
		server = &responder;
	}
	kill((pid_t)bare_loop.pid, SIGKILL);
	waitpid((pid_t)bare_loop.pid, NULL, 0);
	printf("polls %d\n", polls);
	printf("rss_bytes_each %.0f\n", (double)(after - before) / polls);
	printf("operations_alone_per_s %.0f\n", median(alone_wall, rounds));
	printf("operations_beside_per_s %.0f\n", median(beside_wall, rounds));
	printf("operation_alone_us %.2f\n", median(alone_cpu, rounds));
	printf("operation_beside_us %.2f\n", median(beside_cpu, rounds));
	printf("wake_us_each %.2f\n", median(woken, rounds));
	printf("wake_bare_us_each %.2f\n", median(woken_bare, rounds));
	printf("wake_redis_us_each %.2f\n", median(woken_redis, rounds));
	free(all);
	free(others);
	return 0;
}
