/* SPDX-License-Identifier: MIT */
/* What a delivery costs: one WebSocket in a channel sends, all of them get it.
 * The CPU of bridge and Redis for each delivery, beside a bare epoll loop that
 * reads a burst once and sends it once to each connection. Or what an idle
 * signed-in connection holds in a bridge that had none yet.
 * usage: fanout_load PORT BRIDGE-PID REDIS-PID CONNECTIONS ROUNDS
 *        fanout_load PORT BRIDGE-PID IDLE */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "descriptors.h"
#include "measure.h"

#define BURST 16
#define MESSAGES 192   /* of a round, a multiple of BURST */
#define ROUNDS_MOST 64
#define ROOM 65536
#define FRAME_MOST 2048

/* A connection that counts WebSocket frames (RFC 6455, section 5.2) by their
 * headers. */
struct peer {
	int fd;
	size_t frames;
	unsigned char head[4];
	size_t nhead;
	size_t left;        /* bytes of the frame still to come */
	bool found;
	const char *wanted; /* begin of a frame that is waited for, or NULL */
	unsigned char first[256]; /* of the newest frame, or of the wanted */
	size_t nfirst;            /* as far as it is kept */
};

static char inbox[ROOM];
static int epoll;

static int
dial(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void
watch(struct peer *p)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = p };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, p->fd, &e) != 0)
		die("epoll_ctl");
}

static void
take(struct peer *p, const char *in, size_t n)
{
	while (n > 0) {
		if (p->left == 0) {
			p->head[p->nhead++] = (unsigned char)*in++;
			n--;
			if (p->nhead < 2 || (p->head[1] == 126 &&
			    p->nhead < 4))
				continue;
			p->left = p->head[1] == 126 ?
			    (size_t)p->head[2] << 8 | p->head[3] : p->head[1];
			p->nhead = 0;
			if (!p->found)
				p->nfirst = 0;
			continue;
		}
		size_t some = n < p->left ? n : p->left;
		size_t keep = p->found ? 0 : sizeof(p->first) - p->nfirst;

		if (keep > some)
			keep = some;
		memcpy(p->first + p->nfirst, in, keep);
		p->nfirst += keep;
		p->left -= some;
		in += some;
		n -= some;
		if (p->left > 0)
			continue;
		p->frames++;
		if (p->wanted != NULL && memcmp(p->first, p->wanted,
		    strlen(p->wanted)) == 0)
			p->found = true;
	}
}

static bool
read_some(struct peer *p)
{
	ssize_t n = read(p->fd, inbox, sizeof(inbox));

	if (n <= 0)
		die("a connection was closed");
	take(p, inbox, (size_t)n);
	return true;
}

/* A masked text frame (section 5.3); the mask is 0, which is one. */
static void
say(struct peer *p, const char *text)
{
	size_t n = strlen(text), head = n < 126 ? 6 : 8;
	char out[FRAME_MOST] = { (char)0x81, (char)(0x80 | n) };

	if (n >= 126) {
		out[1] = (char)(0x80 | 126);
		out[2] = (char)(n >> 8);
		out[3] = (char)n;
	}
	memcpy(out + head, text, n);
	if (write(p->fd, out, head + n) != (ssize_t)(head + n))
		die("write");
}

/* Waits for the next frame that begins so. */
static void
expect(struct peer *p, const char *begin)
{
	p->wanted = begin;
	while (!p->found)
		read_some(p);
	p->wanted = NULL;
	p->found = false;
}

static void
open_socket(struct peer *p, int port)
{
	static const char ask[] = "GET /ws HTTP/1.1\r\nHost: localhost\r\n"
	    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	    "Sec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
	size_t n = 0;
	char *end = NULL;

	*p = (struct peer){ .fd = dial(port) };
	if (write(p->fd, ask, sizeof(ask) - 1) != (ssize_t)sizeof(ask) - 1)
		die("write");
	while (end == NULL) {
		ssize_t got = read(p->fd, inbox + n, sizeof(inbox) - n);

		if (got <= 0)
			die("handshake");
		n += (size_t)got;
		end = memmem(inbox, n, "\r\n\r\n", 4);
	}
	if (memcmp(inbox, "HTTP/1.1 101 ", 13) != 0)
		die("no upgrade");
	take(p, end + 4, n - (size_t)(end + 4 - inbox));
	while (p->frames == 0)
		read_some(p); /* ready */
}

static void
sign_in(struct peer *p, const char *key, char *new_key)
{
	char text[512];
	const char *at;

	if (*key == '\0')
		snprintf(text, sizeof(text), "{\"type\":\"signIn\",\"signIn\":"
		    "{\"username\":\"bench\",\"password\":\"secret123\"}}");
	else
		snprintf(text, sizeof(text), "{\"type\":\"signIn\",\"signIn\":"
		    "{\"accessKey\":\"%s\"}}", key);
	say(p, text);
	expect(p, "{\"type\":\"authorized\"");
	if (new_key == NULL)
		return;
	at = memmem(p->first, p->nfirst, "\"accessKey\":\"", 13);
	if (at == NULL)
		die("no access key");
	memcpy(new_key, at + 13, 80);
	new_key[80] = '\0';
}

static void
join(struct peer *p)
{
	say(p, "{\"type\":\"channelJoin\",\"channelJoin\":{\"channel\":"
	    "\"bench\",\"limit\":0}}");
	expect(p, "{\"type\":\"channelJoin\"");
}

/* Reads until all have got that many frames more than base says. */
static void
collect(struct peer *all, int n, size_t frames)
{
	struct epoll_event got[256];
	size_t missing = (size_t)n;

	for (int i = 0; i < n; i++)
		if (all[i].frames >= frames)
			missing--;
	while (missing > 0) {
		int k = epoll_wait(epoll, got, 256, 10000);

		if (k <= 0)
			die("a delivery is missing");
		for (int i = 0; i < k; i++) {
			struct peer *p = got[i].data.ptr;
			bool had = p->frames >= frames;

			read_some(p);
			if (!had && p->frames >= frames)
				missing--;
		}
	}
}

/* ---- the bare loop ---- */

/* A process that takes n connections, then sends each burst that the first one
 * writes to all of them, each as a frame of WebSocket. */
static void
bare(int listener, int n)
{
	int *fds = calloc((size_t)n, sizeof(*fds)), loop = epoll_create1(0);
	struct epoll_event e = { .events = EPOLLIN };

	for (int i = 0; i < n; i++) {
		fds[i] = accept(listener, NULL, NULL);
		if (fds[i] < 0)
			die("accept");
		e.data.fd = fds[i];
		epoll_ctl(loop, EPOLL_CTL_ADD, fds[i], &e);
	}
	for (;;) {
		int k = epoll_wait(loop, &e, 1, -1);
		ssize_t got = k < 1 ? -1 : read(e.data.fd, inbox,
		    sizeof(inbox));

		if (got <= 0)
			_exit(0);
		for (int i = 0; i < n; i++)
			if (send(fds[i], inbox, (size_t)got, MSG_NOSIGNAL) !=
			    got)
				_exit(1);
	}
}

static pid_t
bare_start(struct peer *all, int n)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	pid_t pid;

	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(listener, 4096) != 0 ||
	    getsockname(listener, (struct sockaddr *)&a, &size) != 0)
		die("listen");
	pid = fork_bound();
	if (pid == 0)
		bare(listener, n);
	for (int i = 0; i < n; i++) {
		all[i] = (struct peer){ .fd = dial(ntohs(a.sin_port)) };
		watch(&all[i]);
	}
	close(listener);
	return pid;
}

static double
bare_round(struct peer *all, int n, pid_t pid, int burst, size_t size)
{
	static char out[BURST * FRAME_MOST];
	uint64_t cpu = cpu_ns(pid);
	size_t want = all[0].frames, whole = size + 4;

	for (int i = 0; i < burst; i++) {
		char *f = out + (size_t)i * whole;

		f[0] = (char)0x81;
		f[1] = 126;
		f[2] = (char)(size >> 8);
		f[3] = (char)size;
	}
	for (int k = 0; k < MESSAGES; k += burst) {
		if (write(all[0].fd, out, whole * (size_t)burst) !=
		    (ssize_t)(whole * (size_t)burst))
			die("write");
		want += (size_t)burst;
		collect(all, n, want);
	}
	return (double)(cpu_ns(pid) - cpu) / 1000 / MESSAGES / n;
}

/* ---- the bridge ---- */

static double
bridge_round(struct peer *all, int n, long bridge, long redis, int burst)
{
	char text[512];
	uint64_t cpu;
	size_t want = all[0].frames;

	snprintf(text, sizeof(text), "{\"type\":\"channelMessage\","
	    "\"channelMessage\":{\"channel\":\"bench\",\"message\":\"%0100d\"}}",
	    0);
	for (int i = 0; i < n; i++)
		all[i].frames = want;
	cpu = cpu_ns(bridge) + cpu_ns(redis);
	for (int k = 0; k < MESSAGES; k += burst) {
		for (int i = 0; i < burst; i++)
			say(&all[i], text);
		want += (size_t)burst;
		collect(all, n, want);
	}
	return (double)(cpu_ns(bridge) + cpu_ns(redis) - cpu) / 1000 /
	    MESSAGES / n;
}

static void
idle(int port, long bridge, int n)
{
	struct peer *all = calloc((size_t)n, sizeof(*all));
	char key[81];
	long before;

	if (all == NULL)
		die("setup");
	/* The first one has all made that is there once. */
	open_socket(&all[0], port);
	sign_in(&all[0], "", key);
	before = rss_bytes(bridge);
	for (int i = 1; i < n; i++) {
		open_socket(&all[i], port);
		sign_in(&all[i], key, NULL);
	}
	printf("rss_bytes_idle %.0f\n",
	    (double)(rss_bytes(bridge) - before) / (n - 1));
	free(all);
}

static void
deliveries(int port, long bridge, long redis, int n, int rounds)
{
	double ours[2][ROUNDS_MOST], plain[2][ROUNDS_MOST];
	static const int bursts[2] = { 1, BURST };
	struct peer *all = calloc((size_t)n, sizeof(*all));
	struct peer *others = calloc((size_t)n, sizeof(*others));
	char key[81];
	size_t size;
	pid_t pid;

	if (all == NULL || others == NULL)
		die("setup");
	open_socket(&all[0], port);
	sign_in(&all[0], "", key);
	for (int i = 1; i < n; i++) {
		open_socket(&all[i], port);
		sign_in(&all[i], key, NULL);
	}
	for (int i = 0; i < n; i++)
		join(&all[i]);
	for (int i = 0; i < n; i++)
		watch(&all[i]);
	/* One message tells how long they are; all that came before it (the
	 * notices of joins) is passed over. */
	for (int i = 0; i < n; i++)
		all[i].frames = 0;
	bridge_round(all, n, bridge, redis, 1);
	size = all[0].head[2] == 0 && all[0].head[1] != 126 ? 400 :
	    (size_t)all[0].head[2] << 8 | all[0].head[3];
	pid = bare_start(others, n);
	bare_round(others, n, pid, 1, size);
	for (int r = 0; r < rounds; r++)
		for (int b = 0; b < 2; b++) {
			ours[b][r] = bridge_round(all, n, bridge, redis,
			    bursts[b]);
			plain[b][r] = bare_round(others, n, pid, bursts[b],
			    size);
		}
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	printf("frame_bytes %zu\n", size);
	for (int b = 0; b < 2; b++) {
		double x = median(ours[b], rounds), y = median(plain[b],
		    rounds);

		printf("delivery_us_burst_%d %.3f\n", bursts[b], x);
		printf("bare_us_burst_%d %.3f\n", bursts[b], y);
		printf("ratio_burst_%d %.2f\n", bursts[b], x / y);
	}
	free(all);
	free(others);
}

int
main(int argc, char **argv)
{
	int n, rounds;

	signal(SIGPIPE, SIG_IGN);
	descriptors_raise();
	epoll = epoll_create1(0);
	if (epoll < 0)
		die("setup");
	if (argc == 4 && atoi(argv[3]) > 1) {
		idle(atoi(argv[1]), atol(argv[2]), atoi(argv[3]));
		return 0;
	}
	n = argc == 6 ? atoi(argv[4]) : 0;
	rounds = argc == 6 ? atoi(argv[5]) : 0;
	if (n < BURST || rounds < 1 || rounds > ROUNDS_MOST)
		return 2;
	deliveries(atoi(argv[1]), atol(argv[2]), atol(argv[3]), n, rounds);
	return 0;
}
