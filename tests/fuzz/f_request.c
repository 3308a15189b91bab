/* SPDX-License-Identifier: MIT */
/* The head of a request to the bridge. The first byte is the size of the
 * pieces that it comes in. */
#include "fuzz.h"
#include "request.h"

/* Where it ends does not depend on how it comes. */
static size_t
find_end(struct span in, size_t size)
{
	size_t n = 0, end = 0;

	while (n < in.n && end == 0) {
		size_t seen = n;

		n = in.n - n < size ? in.n : n + size;
		end = request_end((struct span){ in.p, n }, seen);
	}
	return end;
}

/* What could be read in two ways is not in what we pass on. */
static void
check(const struct request *r)
{
	HOLDS(r->method.n > 0 && r->version.n == 8);
	for (size_t i = 0; i < REQUEST_FIELDS; i++) {
		struct span s = r->field[i];

		HOLDS(s.n <= REQUEST_HEAD_MAX);
		for (size_t k = 0; k < s.n; k++) {
			unsigned char c = (unsigned char)s.p[k];

			HOLDS(c == '\t' || (c >= ' ' && c != 0x7f));
		}
	}
	for (size_t k = 0; k < r->path.n; k++)
		HOLDS(r->path.p[k] != '?' && r->path.p[k] != '\r' &&
		    r->path.p[k] != '\n' && r->path.p[k] != ' ');
	request_has_body(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data + 1, size - 1 }, head;
	struct request r;
	unsigned status;
	size_t end;

	if (size < 1 || size > REQUEST_HEAD_MAX + 1)
		return 0;
	end = find_end(in, SIZE_MAX);
	HOLDS(end <= in.n && find_end(in, data[0] + 1) == end);
	if (end == 0)
		return 0;
	head = fuzz_take(&in, end);
	status = request_read(&r, head);
	HOLDS(status == 0 || status == REQUEST_BAD ||
	    status == REQUEST_VERSION);
	if (status == 0)
		check(&r);
	fuzz_free(head);
	return 0;
}
