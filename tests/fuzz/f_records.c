/* SPDX-License-Identifier: MIT */
/* What a web server, or whoever got to its socket, sends: FastCGI records,
 * and the parameters of those that we let through. The first byte is the size
 * of the pieces that they come in. */
#include <stdlib.h>

#include "fuzz.h"
#include "limit.h"
#include "params.h"
#include "records.h"

static enum records_status
feed(struct records *r, struct span in, size_t size)
{
	while (in.n > 0 && r->status == RECORDS_PARTIAL) {
		struct span piece = fuzz_take(&in, size), left = piece;

		records_feed(r, &left);
		HOLDS(left.n <= piece.n);
		fuzz_free(piece);
	}
	HOLDS(r->params.n <= RECORDS_PARAMS_MAX && r->body.n <= LIMIT_FRAME);
	return r->status;
}

/* The parameters of what we let through are whole. */
static void
check_request(const struct records *r)
{
	char **params = params_read(buf_peek(&r->params));

	HOLDS(params != NULL);
	param(params, "REQUEST_METHOD");
	free(params);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data + 1, size - 1 };
	struct records a = { 0 }, b = { 0 };

	if (size < 1)
		return 0;
	records_is_abort(in, 1);
	HOLDS(feed(&a, in, data[0] + 1) == feed(&b, in, SIZE_MAX));
	HOLDS(a.id == b.id && a.body_size == b.body_size &&
	    span_eq(buf_peek(&a.params), buf_peek(&b.params)));
	if (a.status == RECORDS_COMPLETE)
		check_request(&a);
	records_clear(&a);
	records_clear(&b);
	return 0;
}
