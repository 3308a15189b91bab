/* SPDX-License-Identifier: MIT */
/* Ends: where the logs end that a session follows no longer. */
#include "op.h"

#include <stdio.h>

/* Takes off rest what stands before the byte, and that; false: it is not there. */
static bool
cut(struct span *rest, char at, struct span *out)
{
	const char *end = rest->n == 0 ? NULL : memchr(rest->p, at, rest->n);

	if (end == NULL)
		return false;
	*out = (struct span){ rest->p, (size_t)(end - rest->p) };
	*rest = (struct span){ end + 1, rest->n - out->n - 1 };
	return true;
}

bool
op_next_end(struct span *rest, struct scope *log, struct place *end)
{
	struct span behind = *rest, scope, epoch, seq;

	if (!cut(&behind, ' ', &scope) || !cut(&behind, ' ', &epoch) ||
	    !cut(&behind, ',', &seq) || scope.n == 0 ||
	    scope.n >= sizeof(log->text) || !op_read_place(epoch, seq, end))
		return false;
	snprintf(log->text, sizeof(log->text), "%.*s", (int)scope.n, scope.p);
	*rest = behind;
	return true;
}

bool
op_read_ends(struct span word, struct buf *b, struct effect *e)
{
	struct span rest = word;
	struct scope log;
	struct place end;

	while (op_next_end(&rest, &log, &end))
		;
	buf_reset(b);
	buf_span(b, word);
	e->ends = buf_peek(b);
	return rest.n == 0;
}
