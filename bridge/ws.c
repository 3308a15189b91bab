/* SPDX-License-Identifier: MIT */
/* What libwebsockets 4.1 does otherwise than RFC 6455 and its callback, which
 * sees no frame's header and no ping, cannot mend (tests/rfc6455.mjs holds each):
 * it takes frames without a mask (5.1) and lengths in more bytes than they
 * need (5.2); a length with its highest bit set and a control frame beyond
 * 125 bytes end the connection, but without a close frame (7.1.7); it answers
 * the first of several pings that come at once, not all or the last (5.5.3);
 * and to it 1012 to 1014 are no codes yet (7.4). */
#include "ws.h"

#include <limits.h>

#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "buf.h"
#include "limit.h"
#include "log.h"
#include "origin.h"
#include "rfc6455.h"
#include "socket_file.h"
#include "utf8.h"

#define CLOSE_WAIT 5          /* s for the peer to answer a close */
#define TX_PACKET (256 * 1024) /* bytes of one send; else lws cuts them */
#define RX_BUFFER 4096        /* bytes handed over at once */
#define ANSWER_MAX 512        /* bytes of our answer to a plain request */
#define RETRY_AFTER "5"       /* s until it is worth to try again */
#define FIELDS_MAX 4096       /* bytes of the handshake's header fields */
#define FIELDS_TIME 10        /* s for header fields to come */
#define HEADER_TEXT 512       /* bytes of an Origin or Host that we read */

struct ws {
	struct lws_context *context;
	struct ws_handler handler;
	const struct conf *conf;
	bool draining;
	void *foreign[1];
	lws_retry_bo_t no_pings;
	struct lws_protocols protocols[2];
};

/* libwebsockets allocates it with the connection, zeroed. */
struct ws_conn {
	struct lws *wsi;
	void *session;    /* NULL before on_open and after on_close */
	struct buf parts; /* of a message that came in parts */
	bool closing;
};

size_t
ws_text_header(unsigned char out[WS_HEADER_MAX], size_t n)
{
	out[0] = 0x81; /* FIN, text (RFC 6455, section 5.2) */
	if (n < 126) {
		out[1] = (unsigned char)n;
		return 2;
	}
	if (n < 65536) {
		out[1] = 126;
		out[2] = (unsigned char)(n >> 8);
		out[3] = (unsigned char)n;
		return 4;
	}
	out[1] = 127;
	for (int i = 0; i < 8; i++)
		out[2 + i] = (unsigned char)((uint64_t)n >> (56 - 8 * i));
	return 10;
}

/* LWS_WRITE_HTTP on an established WebSocket over HTTP/1.1 without extensions
 * sends bytes as they are: it neither writes to them nor in front of them. */
static void
send_raw(struct ws_conn *c, const char *bytes, size_t n)
{
	if (lws_write(c->wsi, (unsigned char *)(uintptr_t)bytes, n,
	    LWS_WRITE_HTTP) < 0)
		ws_drop(c);
}

void
ws_send(struct ws_conn *c, const char *frames, size_t n)
{
	if (c->closing || n == 0)
		return;
	send_raw(c, frames, n);
}

void
ws_ping(struct ws_conn *c)
{
	/* Not empty: the library keeps an empty pong to itself. */
	static const char ping[] = { (char)0x89, 1, '.' };

	ws_send(c, ping, sizeof(ping));
}

bool
ws_blocked(struct ws_conn *c)
{
	if (!lws_partial_buffered(c->wsi))
		return false;
	lws_callback_on_writable(c->wsi);
	return true;
}

void
ws_pause(struct ws_conn *c, bool pause)
{
	lws_rx_flow_control(c->wsi, !pause);
}

/* The library drops its own close frame while bytes are pending: a raw one
 * goes behind them. A code of 0 stands for an empty frame. */
static void
send_close(struct ws_conn *c, unsigned code, const char *reason)
{
	char frame[128];
	int n = snprintf(frame + 4, sizeof(frame) - 4, "%.100s", reason);

	frame[0] = (char)0x88;
	frame[1] = (char)(code == 0 ? 0 : 2 + n);
	frame[2] = (char)(code >> 8);
	frame[3] = (char)(code & 255);
	send_raw(c, frame, code == 0 ? 2 : (size_t)n + 4);
	c->closing = true;
	buf_clear(&c->parts);
}

void
ws_close(struct ws_conn *c, enum ws_close code, const char *reason)
{
	if (c->closing)
		return;
	send_close(c, code, reason);
	lws_set_timeout(c->wsi, PENDING_TIMEOUT_CLOSE_ACK, CLOSE_WAIT);
}

void
ws_drop(struct ws_conn *c)
{
	c->closing = true;
	/* Else the library waits 5 s for the socket to take the rest. */
	shutdown(lws_get_socket_fd(c->wsi), SHUT_RDWR);
	lws_set_timeout(c->wsi, PENDING_TIMEOUT_CLOSE_SEND,
	    LWS_TO_KILL_ASYNC);
}

/* Whether path, which a proxy may have put anything in front of, ends so. */
static bool
path_ends(struct span path, const char *end)
{
	size_t n = strlen(end);

	return path.n >= n && memcmp(path.p + path.n - n, end, n) == 0;
}

static struct span
header(struct lws *wsi, enum lws_token_indexes token, char *buf, size_t size)
{
	int n = lws_hdr_copy(wsi, buf, (int)size, token);

	return (struct span){ buf, n > 0 ? (size_t)n : 0 };
}

/* While the headers of the handshake are there. They are at most FIELDS_MAX
 * bytes in all, so that no client can push the end of X-Forwarded-For, which
 * is its proxy's word, out of sight. */
static struct client
find_client(const struct ws *w, struct lws *wsi)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);
	char forwarded[FIELDS_MAX + 1];

	if (getpeername(lws_get_socket_fd(wsi), (struct sockaddr *)&sa, &n) !=
	    0)
		n = 0;
	return peer_client(&w->conf->trusted,
	    peer_of((struct sockaddr *)&sa, n), (struct span){ NULL, 0 },
	    header(wsi, WSI_TOKEN_X_FORWARDED_FOR, forwarded,
	    sizeof(forwarded)));
}

/* The handshake: as the RFC wants it, right path, allowed origin, room.
 * Returns the HTTP status to refuse it with, or 0. */
static unsigned
refusal(struct ws *w, struct lws *wsi)
{
	char path[HEADER_TEXT], origin[HEADER_TEXT], host[HEADER_TEXT],
	    http[16], upgrade[64], connection[128], key[64], version[16];
	struct span o = header(wsi, WSI_TOKEN_ORIGIN, origin, sizeof(origin));
	struct span uri = header(wsi, WSI_TOKEN_GET_URI, path, sizeof(path));
	struct handshake h = {
		uri.n != 0,
		header(wsi, WSI_TOKEN_HTTP, http, sizeof(http)),
		header(wsi, WSI_TOKEN_HOST, host, sizeof(host)),
		header(wsi, WSI_TOKEN_UPGRADE, upgrade, sizeof(upgrade)),
		header(wsi, WSI_TOKEN_CONNECTION, connection,
		    sizeof(connection)),
		header(wsi, WSI_TOKEN_KEY, key, sizeof(key)),
		header(wsi, WSI_TOKEN_VERSION, version, sizeof(version)) };
	unsigned status;
	struct client client;

	if (h.get && !path_ends(uri, "/ws"))
		return HTTP_STATUS_NOT_FOUND;
	status = rfc6455_handshake(&h);
	/* We speak no subprotocol; the library would hang up. */
	if (status == 0 && lws_hdr_total_length(wsi, WSI_TOKEN_PROTOCOL) > 0)
		return HANDSHAKE_BAD;
	if (status != 0)
		return status;
	if (lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN) > 0 && o.n == 0)
		return HTTP_STATUS_FORBIDDEN;
	if (!origin_allowed(w->conf->origins, o, h.host))
		return HTTP_STATUS_FORBIDDEN;
	client = find_client(w, wsi);
	return w->draining || !w->handler.has_room(w->handler.arg, &client) ?
	    HTTP_STATUS_SERVICE_UNAVAILABLE : 0;
}

/* Our answer to what does not become a WebSocket. A request to upgrade that
 * is refused ends the connection, whose peer may take what follows for
 * something else than we do. */
static int
answer(struct lws *wsi, unsigned status, const char *type, const char *text)
{
	static const struct { unsigned status; const char *phrase, *fields; }
	    rows[] = {
		{ HTTP_STATUS_OK, "OK", "" },
		{ HANDSHAKE_BAD, "Bad Request", "" },
		{ HTTP_STATUS_FORBIDDEN, "Forbidden", "Connection: close\r\n" },
		{ HTTP_STATUS_NOT_FOUND, "Not Found", "" },
		{ HANDSHAKE_METHOD, "Method Not Allowed", "Allow: GET\r\n" },
		{ HANDSHAKE_UPGRADE, "Upgrade Required",
		    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
		    "Sec-WebSocket-Version: 13\r\n" },
		{ HTTP_STATUS_SERVICE_UNAVAILABLE, "Service Unavailable",
		    "Retry-After: " RETRY_AFTER "\r\nConnection: close\r\n" },
	};
	bool head = lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) > 0;
	unsigned char room[LWS_PRE + ANSWER_MAX], *at = room + LWS_PRE;
	size_t i = 0;
	int n;

	while (rows[i].status != status &&
	    i + 1 < sizeof(rows) / sizeof(*rows))
		i++;
	n = snprintf((char *)at, ANSWER_MAX, "HTTP/1.1 %u %s\r\n"
	    "Content-Type: %s; charset=utf-8\r\n"
	    "Content-Length: %zu\r\nCache-Control: no-store\r\n"
	    "X-Content-Type-Options: nosniff\r\n%s\r\n%s", status,
	    rows[i].phrase, type, strlen(text), rows[i].fields,
	    head ? "" : text);
	return lws_write(wsi, at, (size_t)n, LWS_WRITE_HTTP_FINAL) < n ? -1 : 0;
}

/* A handshake that finds no room is refused as HTTP has it, with error 21: it
 * is over before it costs a session, and a client treats it like any
 * connection that could not be made. */
static void
refuse(struct ws *w, struct lws *wsi, unsigned status)
{
	if (status == HTTP_STATUS_SERVICE_UNAVAILABLE)
		answer(wsi, status, "application/json",
		    w->handler.full(w->handler.arg));
	else
		answer(wsi, status, "text/plain",
		    status == HTTP_STATUS_FORBIDDEN ? "origin" : "");
}

static int
http_request(struct ws *w, struct lws *wsi, struct span path)
{
	unsigned status = HTTP_STATUS_NOT_FOUND;
	const char *why = "not found";

	if (path_ends(path, "/ws")) {
		status = HANDSHAKE_UPGRADE;
		why = "";
	} else if (path_ends(path, "/health")) {
		why = w->handler.sick(w->handler.arg);
		status = why == NULL ? HTTP_STATUS_OK :
		    HTTP_STATUS_SERVICE_UNAVAILABLE;
		if (why == NULL)
			why = "ok";
	}
	if (answer(wsi, status, "text/plain", why) != 0)
		return -1;
	return lws_http_transaction_completed(wsi) ? -1 : 0;
}

/* A whole message. The library's own check of UTF-8 is off: it also looks at
 * what pongs carry, and misses a character that an empty last fragment or a
 * close frame's end cuts off. */
static void
deliver(struct ws *w, struct ws_conn *c, struct span message, bool text)
{
	if (text && !utf8_encoded(message))
		ws_close(c, WS_BAD_TEXT, "not UTF-8");
	else
		w->handler.on_message(c->session, message, text);
}

/* One piece of a message. One beyond the limit closes with 1009 as soon as its
 * frames say so. */
static void
receive(struct ws *w, struct ws_conn *c, struct span piece)
{
	struct lws *wsi = c->wsi;
	size_t rest = lws_remaining_packet_payload(wsi);
	bool last = lws_is_final_fragment(wsi) && rest == 0;
	bool text = !lws_frame_is_binary(wsi);

	if (rest > LIMIT_FRAME || c->parts.n + piece.n + rest > LIMIT_FRAME) {
		ws_close(c, WS_TOO_BIG, "message too big");
		return;
	}
	if (last && c->parts.n == 0) {
		deliver(w, c, piece, text);
		return;
	}
	buf_span(&c->parts, piece);
	if (c->parts.oom) {
		ws_drop(c);
		return;
	}
	if (!last)
		return;
	deliver(w, c, buf_peek(&c->parts), text);
	buf_clear(&c->parts);
}

/* The peer's close frame: answered by ours (section 5.5.1), unless it is the
 * answer; then the server closes the connection (section 7.1.1). */
static int
peer_closes(struct ws_conn *c, struct span payload)
{
	if (!c->closing)
		send_close(c, rfc6455_close(payload), "");
	return -1;
}

static int
callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
    void *in, size_t len)
{
	struct ws_conn *c = user;
	struct ws *w = lws_context_user(lws_get_context(wsi));
	struct client client;
	unsigned status;

	switch (reason) {
	case LWS_CALLBACK_HTTP:
		return http_request(w, wsi, (struct span){ in, len });
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		status = refusal(w, wsi);
		if (status == 0)
			return 0;
		refuse(w, wsi, status);
		return -1;
	case LWS_CALLBACK_ESTABLISHED:
		c->wsi = wsi;
		client = find_client(w, wsi);
		c->session = w->handler.on_open(w->handler.arg, c, &client);
		if (c->session == NULL)
			ws_close(c, WS_FULL, "out of memory");
		return 0;
	case LWS_CALLBACK_RECEIVE:
		if (c->session == NULL || c->closing)
			return 0;
		w->handler.on_heard(c->session);
		receive(w, c, (struct span){ in, len });
		return 0;
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		return peer_closes(c, (struct span){ in, len });
	case LWS_CALLBACK_RAW_ADOPT: /* the library makes one of CONNECT */
	case LWS_CALLBACK_RAW_RX:
		return -1;
	case LWS_CALLBACK_RECEIVE_PONG:
		if (c->session != NULL && !c->closing)
			w->handler.on_heard(c->session);
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		if (c->session != NULL && !c->closing && !ws_blocked(c))
			w->handler.on_drained(c->session);
		return 0;
	case LWS_CALLBACK_CLOSED:
		if (c->session != NULL)
			w->handler.on_close(c->session);
		c->session = NULL;
		buf_clear(&c->parts);
		return 0;
	default:
		return 0;
	}
}

static void
lws_log(int level, const char *line)
{
	size_t n = strcspn(line, "\n");

	if (level & LLL_ERR)
		log_error("libwebsockets: %.*s", (int)n, line);
	else
		log_debug("libwebsockets: %.*s", (int)n, line);
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
	w->handler = *h;
	w->conf = conf;
	w->foreign[0] = loop;
	w->protocols[0] = (struct lws_protocols){ .name = "palaver",
		.callback = callback,
		.per_session_data_size = sizeof(struct ws_conn),
		.rx_buffer_size = RX_BUFFER, .tx_packet_size = TX_PACKET };
	lws_set_log_level(LLL_ERR | LLL_WARN, lws_log);
	info.protocols = w->protocols;
	info.user = w;
	info.foreign_loops = w->foreign;
	info.gid = (gid_t)-1;
	info.uid = (uid_t)-1;
	info.pt_serv_buf_size = 16384;
	info.max_http_header_data = FIELDS_MAX;
	/* What does not become a WebSocket has no session that looks after
	 * the time; a request to be answered is soon there. */
	info.timeout_secs = conf->sign_in_within;
	info.timeout_secs_ah_idle = conf->sign_in_within < FIELDS_TIME ?
	    conf->sign_in_within : FIELDS_TIME;
	info.retry_and_idle_policy = &w->no_pings; /* ours cost less */
	info.options = LWS_SERVER_OPTION_LIBUV;
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
	w->draining = true;
}

void
ws_free(struct ws *w)
{
	if (w == NULL)
		return;
	lws_context_destroy(w->context);
	free(w);
}
