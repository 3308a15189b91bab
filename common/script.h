/* SPDX-License-Identifier: MIT */
/* The embedded scripts, one per file of common/lua. The list is
 * made at build time (script_list.h: SCRIPT(name)). */
#ifndef PALAVER_SCRIPT_H
#define PALAVER_SCRIPT_H

enum script {
#define SCRIPT(name) SCRIPT_##name,
#include "script_list.h"
#undef SCRIPT
	SCRIPT_MAX
};

struct script_text {
	const char *name;
	const char *text;   /* with the #!lua line, for Redis 7 */
	const char *text6;  /* without, for Redis 6 */
	const char *sha;    /* SHA-1 of text, 40 hex digits */
	const char *sha6;   /* of text6 */
};

extern const struct script_text script_texts[SCRIPT_MAX];

#endif
