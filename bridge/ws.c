/* SPDX-License-Identifier: MIT */
/* libwebsockets listens, watches the sockets and keeps the timeouts. Its own
 * WebSockets show nobody a frame's header, so the sockets are "raw" to it. What
 * a socket does not take is not left to it either (ws_conn.c): the library does
 * not read from a raw socket meanwhile. */
#include <libwebsockets.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "clock.h"
#include "log.h"
#include "socket_file.h"
#include "ws_body.h"

#define PROTOCOL "palaver"    /* its name, for the library only */
#define RX_BUFFER (16 * 1024) /* bytes read at once; one for all */
#define DESCRIPTORS_LEFT 16   /* for Redis, while clients take all they get */
#define LOG_EVERY 10000       /* ms between errors of the library in the log */

struct ws {
	struct ws_common common;
	struct lws_context *context;
	int descriptors_most;
	void *foreign[1];
	lws_retry_bo_t no_pings;
	struct lws_protocols protocols[2];
};

void
ws_watch_writable(struct ws_conn *c)
{
	lws_callback_on_writable(c->wsi);
}

void
ws_watch_readable(struct ws_conn *c, bool watch)
{
	lws_rx_flow_control(c->wsi, watch);
}

void
ws_end_after(struct ws_conn *c, int seconds)
{
	lws_set_timeout(c->wsi, seconds == 0 ? NO_PENDING_TIMEOUT :
	    PENDING_TIMEOUT_CLOSE_ACK, seconds);
}

void
ws_end_soon(struct ws_conn *c)
{
	lws_set_timeout(c->wsi, PENDING_TIMEOUT_CLOSE_ACK, LWS_TO_KILL_ASYNC);
}

struct ws_common *
ws_common_of(const struct ws_conn *c)
{
	struct ws *w = lws_context_user(lws_get_context(c->wsi));

	return &w->common;
}

bool
ws_accept_key(struct span key, char *out, size_t size)
{
	char text[64];
	unsigned char hash[20];
	int n = snprintf(text, sizeof(text), "%.*s%s", (int)key.n, key.p,
	    "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");

	lws_SHA1((unsigned char *)text, (size_t)n, hash);
	return lws_b64_encode_string((char *)hash, sizeof(hash), out,
	    (int)size) > 0;
}

static int
callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
    void *in, size_t len)
{
	struct ws_conn *c = user;
	struct ws *w = lws_context_user(lws_get_context(wsi));

	switch (reason) {
	case LWS_CALLBACK_FILTER_NETWORK_CONNECTION:
		return (int)(intptr_t)in < w->descriptors_most ? 0 : -1;
	case LWS_CALLBACK_RAW_ADOPT:
		c->wsi = wsi;
		c->descriptor = lws_get_socket_fd(wsi);
		ws_conn_begin(&w->common, c);
		return 0;
	case LWS_CALLBACK_RAW_RX:
		ws_conn_readable(&w->common, c, in, len);
		return 0;
	case LWS_CALLBACK_RAW_WRITEABLE:
		ws_conn_writable(&w->common, c);
		return 0;
	case LWS_CALLBACK_RAW_CLOSE:
		ws_conn_gone(&w->common, c);
		return 0;
	default:
		return 0;
	}
}

/* What the library calls an error may be had by connecting often enough. */
static void
lws_log(int level, const char *line)
{
	static uint64_t last;
	static unsigned more;
	size_t n = strcspn(line, "\n");

	if (!(level & LLL_ERR)) {
		log_debug("libwebsockets: %.*s", (int)n, line);
	} else if (last != 0 && clock_ms() - last < LOG_EVERY) {
		more++;
	} else {
		log_error("libwebsockets: %.*s (%u since the last)", (int)n,
		    line, more + 1);
		last = clock_ms();
		more = 0;
	}
}

/* Descriptors from that number on are not for clients. */
static int
descriptors_most(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur > INT_MAX)
		return INT_MAX;
	return (int)r.rlim_cur - DESCRIPTORS_LEFT;
}

/* Splits host:port; false when it is none. */
static bool
host_port(const char *listen, char host[256], int *port)
{
	const char *colon = strrchr(listen, ':');
	size_t n;

	if (colon == NULL)
		return false;
	n = (size_t)(colon - listen);
	if (*listen == '[' && n >= 2 && listen[n - 1] == ']') {
		listen++;
		n -= 2;
	}
	if (n >= 256)
		return false;
	memcpy(host, listen, n);
	host[n] = '\0';
	*port = atoi(colon + 1);
	return *port > 0 && *port < 65536;
}

struct ws *
ws_new(uv_loop_t *loop, const struct conf *conf, const struct ws_handler *h)
{
	struct lws_context_creation_info info = { 0 };
	struct ws *w = calloc(1, sizeof(*w));
	const char *path = NULL;
	char host[256];

	if (w == NULL)
		return NULL;
	w->common.handler = *h;
	w->common.conf = conf;
	w->common.strangers_end = &w->common.strangers;
	w->foreign[0] = loop;
	w->descriptors_most = descriptors_most();
	w->protocols[0] = (struct lws_protocols){ .name = PROTOCOL,
		.callback = callback,
		.per_session_data_size = sizeof(struct ws_conn) };
	lws_set_log_level(LLL_ERR | LLL_WARN, lws_log);
	info.protocols = w->protocols;
	info.user = w;
	info.foreign_loops = w->foreign;
	info.gid = (gid_t)-1;
	info.uid = (uid_t)-1;
	info.pt_serv_buf_size = RX_BUFFER;
	info.retry_and_idle_policy = &w->no_pings; /* ours cost less */
	info.listen_accept_role = "raw-skt";
	info.listen_accept_protocol = PROTOCOL;
	info.options = LWS_SERVER_OPTION_LIBUV |
	    LWS_SERVER_OPTION_ADOPT_APPLY_LISTEN_ACCEPT_CONFIG;
	if (strncmp(conf->listen, "unix:", 5) == 0) {
		path = conf->listen + 5;
		info.iface = path;
		info.options |= LWS_SERVER_OPTION_UNIX_SOCK;
	} else if (host_port(conf->listen, host, &info.port)) {
		info.iface = *host == '\0' ? NULL : host;
	} else {
		log_error("listen: neither unix:/path nor host:port");
		free(w);
		return NULL;
	}
	w->context = lws_create_context(&info);
	if (w->context == NULL) {
		log_error("cannot listen at %s", conf->listen);
		free(w);
		return NULL;
	}
	if (path != NULL && !socket_file_open_to(path, conf)) {
		lws_context_destroy(w->context);
		free(w);
		return NULL;
	}
	return w;
}

void
ws_drain(struct ws *w)
{
	w->common.draining = true;
}

void
ws_free(struct ws *w)
{
	if (w == NULL)
		return;
	lws_context_destroy(w->context);
	buf_clear(&w->common.pongs);
	free(w);
}
