/* SPDX-License-Identifier: MIT */
/* A request's parameters, one a line, as a web server gives them: who asks,
 * for what, the query; and the head of our answer. The first byte chooses the
 * setting "origins", the second how long the body is. */
#include "fuzz.h"
#include "http.h"
#include "limit.h"

#define PARAMS_MAX 64

/* Whatever a request holds, our fields are ours: one line each, the head ends
 * once. */
static void
check_head(struct span out, struct span text)
{
	size_t head = out.n - text.n;

	HOLDS(out.n >= text.n + 4);
	for (size_t i = 0; i < head; i++) {
		unsigned char c = (unsigned char)out.p[i];

		if (c == '\r')
			HOLDS(out.p[i + 1] == '\n');
		else if (c == '\n')
			HOLDS(out.p[i - 1] == '\r');
		else
			HOLDS(c >= ' ' && c < 0x7f);
		if (i + 4 < head)
			HOLDS(memcmp(out.p + i, "\r\n\r\n", 4) != 0);
	}
	HOLDS(memcmp(out.p + head - 4, "\r\n\r\n", 4) == 0);
}

static void
check(const struct http_request *h)
{
	struct span text = SPAN("{}");
	struct buf out = { 0 };

	http_write(&out, h->error, 1, h->allow, h->cors, text);
	check_head(buf_peek(&out), text);
	buf_reset(&out);
	http_write_preflight(&out, h->allow, h->cors);
	check_head(buf_peek(&out), SPAN(""));
	buf_clear(&out);
	if (h->kind == HTTP_OPERATION)
		HOLDS(h->operation != NULL);
	else
		HOLDS(h->msg == NULL || h->kind == HTTP_REFUSED);
	if (h->kind == HTTP_REFUSED)
		HOLDS(h->error != ERR_NONE && h->payload != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const origins[] = { "", "*", "https://a.example",
		" https://a.example\thttp://b.example:8080 " };
	struct conf conf = { 0 };
	struct http_request h;
	struct span in = { (const char *)data + 2, size - 2 };
	char *params[PARAMS_MAX + 1] = { NULL };

	if (size < 2)
		return 0;
	conf.origins = (char *)(uintptr_t)origins[data[0] & 3];
	peer_list_read(&conf.trusted, "unix 127.0.0.0/8 ::1");
	for (size_t n = 0; n < PARAMS_MAX; n++)
		if ((params[n] = fuzz_line(&in)) == NULL)
			break;
	http_read(&h, &conf, (struct peer){ .kind = data[0] & 4 ? PEER_UNIX :
	    PEER_UNKNOWN }, params, data[1] == 255 ? LIMIT_FRAME + 1 : data[1]);
	check(&h);
	http_clear(&h);
	for (size_t n = 0; params[n] != NULL; n++)
		free(params[n]);
	return 0;
}
