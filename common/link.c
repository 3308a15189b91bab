/* SPDX-License-Identifier: MIT */
#include "link.h"

#include <stdio.h>
#include <stdlib.h>

#include "limit.h"
#include "log.h"
#include "reply.h"

#define CONNECT_TIMEOUT 2000 /* ms for connecting and greeting */
#define BACKOFF_FIRST 50     /* ms */
#define BACKOFF_MOST 1000    /* ms */
#define READ_SIZE 65536
#define FEED_SIZE 4096       /* bytes that the reader gets at a time: it moves
			      * what it has not read yet with every KiB */
#define OUT_MOST (64 * 1024 * 1024) /* bytes not taken by Redis */

enum link_state {
	LINK_WAITING,    /* for the next attempt */
	LINK_RESOLVING,
	LINK_CONNECTING,
	LINK_GREETING,
	LINK_READY,
	LINK_CLOSED
};

/* One attempt's stream; lives until libuv has closed it, perhaps longer than
 * the link cares for it (link is NULL then). */
struct conn {
	struct link *link;
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} u;
	uv_connect_t connect;
	uv_write_t write;
	struct buf writing; /* what libuv is writing */
	bool busy;          /* it is */
};

struct link {
	uv_loop_t *loop;
	const struct conf *conf;
	bool for_commands;
	struct link_handler handler;
	enum link_state state;
	struct conn *conn;
	redisReader *reader;
	struct reply_room *room; /* for its replies */
	size_t unread;          /* bytes of a reply that is not yet whole */
	struct buf out;
	int greetings;          /* replies of the greeting still to come */
	char node[LINK_NODE_LEN + 1];
	int version;
	char eviction[LINK_EVICTION_MAX]; /* maxmemory-policy; "": none */
	bool failing, warned, info_told, eviction_told;
	unsigned backoff;       /* ms */
	uv_timer_t timer;       /* next attempt, or the attempt's deadline */
	uv_prepare_t prepare;   /* writes what was appended */
	uv_getaddrinfo_t resolve;
	bool resolving;
	struct addrinfo *found, *next; /* addresses, and the one to try next */
	int handles;            /* timer and prepare not closed yet */
	char *inbox;            /* READ_SIZE */
};

static void attempt(struct link *l);

void
resp_begin(struct buf *b, size_t words)
{
	buf_str(b, "*");
	buf_uint(b, words);
	buf_str(b, "\r\n");
}

void
resp_word(struct buf *b, struct span word)
{
	if (buf_room(b, word.n + RESP_WORD_FRAME) == NULL)
		return;
	buf_str(b, "$");
	buf_uint(b, word.n);
	buf_str(b, "\r\n");
	buf_span(b, word);
	buf_str(b, "\r\n");
}

static void
set_state(struct link *l, enum link_state to)
{
	static const char *const names[] = { "waiting", "resolving",
		"connecting", "greeting", "ready", "closed" };

	log_debug("redis %s: %s -> %s", l->for_commands ? "commands" : "feed",
	    names[l->state], names[to]);
	l->state = to;
}

static void
conn_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;

	buf_clear(&c->writing);
	free(c);
}

static void
conn_close(struct link *l)
{
	if (l->conn != NULL) {
		l->conn->link = NULL;
		uv_close(&l->conn->u.handle, conn_closed);
		l->conn = NULL;
	}
}

static void
conn_drop(struct link *l)
{
	conn_close(l);
	uv_freeaddrinfo(l->found);
	l->found = l->next = NULL;
	redisReaderFree(l->reader);
	l->reader = NULL;
	l->unread = 0;
	buf_reset(&l->out);
}

static void
on_timer(uv_timer_t *t)
{
	struct link *l = t->data;

	if (l->state == LINK_WAITING)
		attempt(l);
	else
		link_drop(l); /* the attempt's time is over */
}

void
link_drop(struct link *l)
{
	/* Processes that lost the same server must not come back in step. */
	unsigned jitter = (unsigned)(uv_hrtime() / 1000 ^
	    (uint64_t)uv_os_getpid()) % (l->backoff / 2 + 1);

	if (l->state == LINK_CLOSED || l->state == LINK_WAITING)
		return;
	conn_drop(l);
	l->failing = l->state != LINK_READY;
	set_state(l, LINK_WAITING);
	uv_timer_start(&l->timer, on_timer, l->backoff / 2 + jitter, 0);
	l->backoff *= 2;
	if (l->backoff > BACKOFF_MOST)
		l->backoff = BACKOFF_MOST;
	l->handler.on_lost(l->handler.arg);
}

void
link_rest(struct link *l)
{
	if (l->state == LINK_CLOSED)
		return;
	conn_drop(l);
	uv_timer_stop(&l->timer);
	l->failing = false;
	set_state(l, LINK_WAITING);
}

void
link_wake(struct link *l)
{
	if (l->state == LINK_WAITING && !uv_is_active((uv_handle_t *)&l->timer))
		uv_timer_start(&l->timer, on_timer, 0, 0);
}

void
link_retry(struct link *l)
{
	if (l->state == LINK_WAITING)
		uv_timer_start(&l->timer, on_timer, 0, 0);
}

/* ---- writing ---- */

static void
on_written(uv_write_t *w, int status)
{
	struct conn *c = w->data;

	c->busy = false;
	buf_clear(&c->writing);
	if (status < 0 && c->link != NULL)
		link_drop(c->link);
}

static void
flush(struct link *l)
{
	struct conn *c = l->conn;
	uv_buf_t b = uv_buf_init(l->out.p, (unsigned)l->out.n);
	int n;

	if (l->out.n == 0 || c->busy)
		return;
	n = uv_try_write(&c->u.stream, &b, 1);
	if (n < 0 && n != UV_EAGAIN && l->state == LINK_GREETING) {
		/* It may have said why it hung up: that is read first. */
		buf_reset(&l->out);
		return;
	}
	if (n < 0 && n != UV_EAGAIN) {
		link_drop(l);
		return;
	}
	buf_shift(&l->out, n < 0 ? 0 : (size_t)n);
	if (l->out.n == 0)
		return;
	c->writing = l->out;
	l->out = (struct buf){ 0 };
	b = uv_buf_init(c->writing.p, (unsigned)c->writing.n);
	c->busy = true;
	c->write.data = c;
	if (uv_write(&c->write, &c->u.stream, &b, 1, on_written) != 0) {
		c->busy = false;
		link_drop(l);
	}
}

static void
on_prepare(uv_prepare_t *p)
{
	struct link *l = p->data;

	if (l->conn == NULL || l->state < LINK_GREETING)
		return;
	if (l->out.oom || l->out.n > OUT_MOST)
		link_drop(l);
	else
		flush(l);
}

/* ---- greeting ---- */

/* The line "NAME:VALUE" of INFO. */
static const char *
info_line(const char *info, const char *name)
{
	const char *at = strstr(info, name);

	return at == NULL ? NULL : at + strlen(name);
}

static void
read_info(struct link *l, const redisReply *r)
{
	const char *version, *run_id;

	snprintf(l->node, sizeof(l->node), "00000000");
	l->version = 6;
	if (r->type != REDIS_REPLY_STRING) {
		if (!l->info_told)
			log_info("redis: INFO is refused: a restart of Redis"
			    " will not be noticed");
		l->info_told = true;
		return;
	}
	version = info_line(r->str, "redis_version:");
	run_id = info_line(r->str, "run_id:");
	if (version != NULL)
		l->version = atoi(version);
	if (run_id != NULL && strlen(run_id) >= LINK_NODE_LEN)
		snprintf(l->node, sizeof(l->node), "%.*s", LINK_NODE_LEN,
		    run_id);
}

/* A Redis with a bound on its memory may evict what we keep there. */
static void
read_memory(struct link *l, const redisReply *r)
{
	const char *most = NULL, *policy = NULL;

	*l->eviction = '\0';
	if (r->type == REDIS_REPLY_STRING) {
		most = info_line(r->str, "maxmemory:");
		policy = info_line(r->str, "maxmemory_policy:");
	}
	if (most == NULL || *most == '0' || policy == NULL ||
	    strncmp(policy, "noeviction", 10) == 0)
		return;
	snprintf(l->eviction, sizeof(l->eviction), "%.*s",
	    (int)strspn(policy, "abcdefghijklmnopqrstuvwxyz-"), policy);
	if (!l->eviction_told)
		log_info("redis: maxmemory-policy %s may take away messages"
		    " and users; noeviction never does", l->eviction);
	l->eviction_told = true;
}

/* Whether an error of the greeting is one that it can do without: a name is not
 * taken. A Redis that is full says so before it reads anything. */
static bool
forgiven(const struct link *l, const redisReply *r)
{
	return l->greetings == (l->for_commands ? 2 : 0) &&
	    strstr(r->str, "max number of clients") == NULL;
}

/* A reply of the greeting; false when the connection is of no use. */
static bool
greeted(struct link *l, const redisReply *r)
{
	bool last = --l->greetings == 0;

	if (last && l->for_commands) {
		if (r->type == REDIS_REPLY_ERROR &&
		    strncmp(r->str, "LOADING", 7) == 0)
			return false;
		read_info(l, r);
	} else if (l->for_commands && l->greetings == 1) {
		read_memory(l, r);
	} else if (r->type == REDIS_REPLY_ERROR && !forgiven(l, r)) {
		/* Redis repeats the arguments of a command that it does not
		 * know, so those of AUTH too. */
		const char *args = strstr(r->str, ", with args");

		if (!l->failing || !l->warned)
			log_error("redis: refused: %.*s", args == NULL ? 200 :
			    (int)(args - r->str), r->str);
		l->warned = true;
		return false;
	}
	if (!last)
		return true;
	uv_timer_stop(&l->timer);
	l->backoff = BACKOFF_FIRST;
	l->failing = l->warned = false;
	set_state(l, LINK_READY);
	log_info("redis: connected for %s",
	    l->for_commands ? "commands" : "events");
	l->handler.on_ready(l->handler.arg);
	return true;
}

static void
greet(struct link *l)
{
	const struct redis_address *a = &l->conf->redis;
	struct buf *b = &l->out;

	l->greetings = 1;
	if (a->password != NULL) {
		resp_begin(b, a->user != NULL ? 3 : 2);
		resp_word(b, SPAN("AUTH"));
		if (a->user != NULL)
			resp_word(b, span_of(a->user));
		resp_word(b, span_of(a->password));
		l->greetings++;
	}
	if (l->for_commands && a->db != 0) {
		char db[16];

		snprintf(db, sizeof(db), "%d", a->db);
		resp_begin(b, 2);
		resp_word(b, SPAN("SELECT"));
		resp_word(b, span_of(db));
		l->greetings++;
	}
	if (l->for_commands) {
		resp_begin(b, 3);
		resp_word(b, SPAN("CLIENT"));
		resp_word(b, SPAN("SETNAME"));
		resp_word(b, SPAN("palaver"));
		resp_begin(b, 2);
		resp_word(b, SPAN("INFO"));
		resp_word(b, SPAN("memory"));
		resp_begin(b, 2);
		resp_word(b, SPAN("INFO"));
		resp_word(b, SPAN("server"));
		l->greetings += 2;
	} else {
		resp_begin(b, 3);
		resp_word(b, SPAN("CLIENT"));
		resp_word(b, SPAN("SETNAME"));
		resp_word(b, SPAN("palaver-feed"));
	}
	set_state(l, LINK_GREETING);
}

/* ---- reading ---- */

static void
on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *b)
{
	struct conn *c = handle->data;

	(void)size;
	*b = c->link == NULL ? uv_buf_init(NULL, 0) :
	    uv_buf_init(c->link->inbox, READ_SIZE);
}

/* Takes the replies that a piece of what came makes whole. A handler may drop
 * the connection: then c belongs to nobody. */
static void
take(struct conn *c, const char *piece, size_t n)
{
	struct link *l = c->link;
	void *r;

	redisReaderFeed(l->reader, piece, n);
	l->unread += n;
	while (c->link != NULL) {
		if (redisReaderGetReply(l->reader, &r) != REDIS_OK) {
			log_error("redis: not understood: %s",
			    l->reader->errstr);
			link_drop(l);
			return;
		}
		if (r == NULL) {
			if (l->unread <= LIMIT_REPLY)
				return;
			log_error("redis: a reply above %d bytes",
			    LIMIT_REPLY);
			link_drop(l);
			return;
		}
		l->unread = l->reader->len - l->reader->pos;
		if (l->state == LINK_READY)
			l->handler.on_reply(l->handler.arg, r);
		else if (!greeted(l, r))
			link_drop(l);
		reply_done(l->room);
	}
}

static void
on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct conn *c = s->data;

	if (c->link == NULL || n == 0)
		return;
	if (n < 0) {
		link_drop(c->link);
		return;
	}
	for (size_t at = 0; at < (size_t)n && c->link != NULL;
	    at += FEED_SIZE)
		take(c, b->base + at, (size_t)n - at < FEED_SIZE ?
		    (size_t)n - at : FEED_SIZE);
}

/* ---- connecting ---- */

static void on_connect(uv_connect_t *req, int status);

static struct conn *
conn_new(struct link *l)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	if (l->conf->redis.path != NULL)
		uv_pipe_init(l->loop, &c->u.pipe, 0);
	else
		uv_tcp_init(l->loop, &c->u.tcp);
	c->u.handle.data = c;
	c->connect.data = c;
	c->link = l;
	l->conn = c;
	return c;
}

/* Tries the next address; false when there is none that can be tried. */
static bool
connect_next(struct link *l)
{
	const struct addrinfo *a;
	struct conn *c;

	while ((a = l->next) != NULL) {
		l->next = a->ai_next;
		conn_close(l);
		c = conn_new(l);
		if (c == NULL)
			return false;
		if (uv_tcp_connect(&c->connect, &c->u.tcp, a->ai_addr,
		    on_connect) == 0)
			return true;
	}
	return false;
}

static void
on_connect(uv_connect_t *req, int status)
{
	struct conn *c = req->data;
	struct link *l = c->link;

	if (l == NULL)
		return;
	if (status < 0) {
		if (connect_next(l))
			return;
		if (!l->failing)
			log_warn("redis: cannot connect: %s",
			    uv_strerror(status));
		link_drop(l);
		return;
	}
	if (c->u.handle.type == UV_TCP) {
		uv_tcp_nodelay(&c->u.tcp, 1);
		uv_tcp_keepalive(&c->u.tcp, 1, 15);
	}
	reply_done(l->room);
	l->reader = reply_reader(l->room);
	if (l->reader == NULL ||
	    uv_read_start(&c->u.stream, on_alloc, on_read) != 0) {
		link_drop(l);
		return;
	}
	greet(l);
}

/* All of it is closed, and no callback is up the stack. */
static void
end(struct link *l)
{
	reply_room_free(l->room);
	free(l);
}

static void
on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
	struct link *l = req->data;

	l->resolving = false;
	if (l->state == LINK_CLOSED) {
		if (l->handles == 0)
			end(l);
	} else if (l->state == LINK_RESOLVING) {
		l->found = l->next = found;
		found = NULL;
		if (status < 0 && !l->failing)
			log_warn("redis: cannot find the host: %s",
			    uv_strerror(status));
		set_state(l, LINK_CONNECTING);
		if (!connect_next(l))
			link_drop(l);
	}
	uv_freeaddrinfo(found);
}

static void
attempt(struct link *l)
{
	const struct redis_address *a = &l->conf->redis;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct conn *c;
	char port[8];

	uv_timer_start(&l->timer, on_timer, CONNECT_TIMEOUT, 0);
	if (a->path != NULL) {
		set_state(l, LINK_CONNECTING);
		c = conn_new(l);
		if (c == NULL)
			link_drop(l);
		else
			uv_pipe_connect(&c->connect, &c->u.pipe, a->path,
			    on_connect);
		return;
	}
	set_state(l, LINK_RESOLVING);
	snprintf(port, sizeof(port), "%d", a->port);
	l->resolve.data = l;
	if (l->resolving || uv_getaddrinfo(l->loop, &l->resolve, on_resolved,
	    a->host, port, &hints) != 0)
		link_drop(l);
	else
		l->resolving = true;
}

/* ---- life ---- */

struct link *
link_new(uv_loop_t *loop, const struct conf *c, bool for_commands,
    const struct link_handler *h)
{
	struct link *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->inbox = malloc(READ_SIZE);
	l->room = reply_room_new();
	if (l->inbox == NULL || l->room == NULL) {
		reply_room_free(l->room);
		free(l->inbox);
		free(l);
		return NULL;
	}
	l->loop = loop;
	l->conf = c;
	l->for_commands = for_commands;
	l->handler = *h;
	l->backoff = BACKOFF_FIRST;
	uv_timer_init(loop, &l->timer);
	l->timer.data = l;
	uv_prepare_init(loop, &l->prepare);
	l->prepare.data = l;
	uv_prepare_start(&l->prepare, on_prepare);
	l->handles = 2;
	uv_timer_start(&l->timer, on_timer, 0, 0);
	return l;
}

static void
closed(uv_handle_t *handle)
{
	struct link *l = handle->data;

	if (--l->handles == 0 && !l->resolving)
		end(l);
}

void
link_free(struct link *l)
{
	if (l == NULL)
		return;
	conn_drop(l);
	buf_clear(&l->out);
	free(l->inbox);
	set_state(l, LINK_CLOSED);
	if (l->resolving)
		uv_cancel((uv_req_t *)&l->resolve);
	uv_close((uv_handle_t *)&l->timer, closed);
	uv_close((uv_handle_t *)&l->prepare, closed);
}

bool
link_ready(const struct link *l)
{
	return l->state == LINK_READY;
}

bool
link_failing(const struct link *l)
{
	return l->failing;
}

const char *
link_node(const struct link *l)
{
	return l->node;
}

const char *
link_eviction(const struct link *l)
{
	return *l->eviction == '\0' ? NULL : l->eviction;
}

int
link_version(const struct link *l)
{
	return l->version;
}

struct buf *
link_out(struct link *l)
{
	return &l->out;
}
