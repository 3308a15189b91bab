/* SPDX-License-Identifier: MIT */
/* UTF-8 (RFC 3629) and the rules for text that people type. */
#ifndef PALAVER_UTF8_H
#define PALAVER_UTF8_H

#include "span.h"

/* Whether s is valid UTF-8: no surrogate, no overlong form, no NUL. When
 * chars is not NULL it receives the number of code points. */
bool utf8_valid(struct span s, size_t *chars);
/* The same, but a NUL, which RFC 3629 has nothing against, may stand in it. */
bool utf8_encoded(struct span s);
/* Whether s may be a user's name: 1 to most characters, no control,
 * format, bidirectional, private-use, unassigned-noncharacter or invisible
 * character, no blank of any kind other than U+0020, none at either end or
 * two in a row. */
bool utf8_is_name(struct span s, size_t most);
/* Whether s may be a message: 1 to most characters and at most that many bytes,
 * no control character but newline and tab. */
bool utf8_is_message(struct span s, size_t most, size_t bytes);
/* Whether s may be a named channel: [a-z0-9][a-z0-9._-]{0,63}. */
bool utf8_is_channel(struct span s);

#endif
