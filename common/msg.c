/* SPDX-License-Identifier: MIT */
#include "msg.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "limit.h"
#include "utf8.h"

struct msg {
	json_object *top;
	json_object *payload; /* inside top; NULL: empty */
	const char *type;
};

static bool
is_digit(struct span s, size_t at)
{
	return at < s.n && s.p[at] >= '0' && s.p[at] <= '9';
}

/* What a byte may be: outside of strings a token of the RFC; in one it stands
 * for itself. */
enum { TOKEN = 1, TEXT = 2 };

static unsigned char classes[256];

static void
fill_classes(void)
{
	static const char tokens[] = "{}[]:, \t\r\n-+.0123456789eEtrufalsn";

	for (int c = 0x20; c < 256; c++)
		classes[c] = c == '"' || c == '\\' ? 0 : TEXT;
	for (size_t i = 0; i < sizeof(tokens) - 1; i++)
		classes[(unsigned char)tokens[i]] |= TOKEN;
}

/* The four hex digits at at, 0: they are none. */
static unsigned
hex4(struct span s, size_t at)
{
	unsigned u = 0;

	if (s.n < 4 || at > s.n - 4)
		return 0;
	for (size_t i = at; i < at + 4; i++) {
		char c = s.p[i];

		u <<= 4;
		if (c >= '0' && c <= '9')
			u |= (unsigned)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			u |= (unsigned)((c | 32) - 'a' + 10);
		else
			return 0;
	}
	return u;
}

/* at is behind the opening quote of a string and comes behind the closing one.
 * No NUL and no surrogate without its other half. */
static bool
strict_string(struct span s, size_t *at)
{
	size_t i = *at;

	for (;;) {
		unsigned u;

		while (i < s.n && (classes[(unsigned char)s.p[i]] & TEXT))
			i++;
		if (i == s.n || (unsigned char)s.p[i] < 0x20)
			return false;
		if (s.p[i++] == '"')
			break;
		if (i == s.n)
			return false;
		if (s.p[i++] != 'u')
			continue;
		u = hex4(s, i);
		i += 4;
		if (u >= 0xd800 && u <= 0xdbff) {
			if (i + 2 > s.n || memcmp(s.p + i, "\\u", 2) != 0)
				return false;
			u = hex4(s, i + 2);
			i += 6;
			if (u < 0xdc00 || u > 0xdfff)
				return false;
		} else if (u == 0 || (u >= 0xdc00 && u <= 0xdfff)) {
			return false;
		}
	}
	*at = i;
	return true;
}

/* What json-c lets pass or mends although RFC 8259 does not: it turns lone
 * surrogates into U+FFFD, takes an escaped NUL, and the numbers 1. and -01.
 * Outside of strings only the RFC's tokens may stand (no NaN, no comments, no
 * single quotes). */
static bool
strict(struct span s)
{
	size_t i = 0;

	if (classes['0'] == 0)
		fill_classes();
	while (i < s.n) {
		char c = s.p[i++];

		if (c == '"') {
			if (!strict_string(s, &i))
				return false;
			continue;
		}
		if (!(classes[(unsigned char)c] & TOKEN))
			return false;
		if (c == '.' && !is_digit(s, i))
			return false;
		if (c == '-' && i < s.n && s.p[i] == '0' &&
		    is_digit(s, i + 1) && i > 1 && (s.p[i - 2] | 32) != 'e')
			return false;
	}
	return true;
}

static bool
is_blank(const char *p, const char *end)
{
	while (p < end && strchr(" \t\r\n", *p) != NULL)
		p++;
	return p == end;
}

/* NULL: it is none. */
static json_object *
parse(struct span text)
{
	static json_tokener *t; /* kept: its memory is worth a short text's */
	json_object *o;

	if (t == NULL) {
		t = json_tokener_new_ex(LIMIT_DEPTH);
		if (t == NULL)
			return NULL;
		json_tokener_set_flags(t, JSON_TOKENER_STRICT);
	}
	o = json_tokener_parse_ex(t, text.p, (int)text.n);
	if (json_tokener_get_error(t) != json_tokener_success ||
	    !is_blank(text.p + json_tokener_get_parse_end(t),
	    text.p + text.n)) {
		json_object_put(o);
		o = NULL;
	}
	json_tokener_reset(t);
	return o;
}

static struct span
text_of(json_object *o)
{
	return (struct span){ json_object_get_string(o),
		(size_t)json_object_get_string_len(o) };
}

static enum field
string_in(json_object *o, const char *name, struct span *out)
{
	json_object *v;

	if (o == NULL || !json_object_object_get_ex(o, name, &v) || v == NULL)
		return FIELD_ABSENT;
	if (!json_object_is_type(v, json_type_string))
		return FIELD_WRONG;
	*out = text_of(v);
	return FIELD_OK;
}

static bool
is_empty(json_object *v)
{
	switch (json_object_get_type(v)) {
	case json_type_null:
		return true;
	case json_type_string:
		return json_object_get_string_len(v) == 0;
	case json_type_array:
		return json_object_array_length(v) == 0;
	default:
		return false;
	}
}

static enum error
take_apart(struct msg *m, const char *default_type)
{
	struct span type, id;
	json_object *v = NULL;

	switch (string_in(m->top, "id", &id)) {
	case FIELD_WRONG:
		json_object_object_del(m->top, "id");
		return ERR_FORM;
	case FIELD_OK:
		if (id.n > LIMIT_ID) {
			json_object_object_del(m->top, "id");
			return ERR_FORM;
		}
		break;
	case FIELD_ABSENT:
		break;
	}
	switch (string_in(m->top, "type", &type)) {
	case FIELD_WRONG:
		return ERR_FORM;
	case FIELD_OK:
		m->type = type.p;
		break;
	case FIELD_ABSENT:
		if (default_type == NULL)
			return ERR_FORM;
		m->type = default_type;
		break;
	}
	json_object_object_get_ex(m->top, m->type, &v);
	if (v == NULL || is_empty(v))
		return ERR_NONE;
	if (!json_object_is_type(v, json_type_object))
		return ERR_FIELD;
	m->payload = v;
	return ERR_NONE;
}

enum error
msg_parse(struct span text, const char *default_type, struct msg **out)
{
	struct msg *m;

	*out = NULL;
	if (text.n > LIMIT_FRAME)
		return ERR_TOO_LARGE;
	if (!utf8_valid(text, NULL) || !strict(text))
		return ERR_FORM;
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return ERR_FAULT;
	m->top = parse(text);
	if (!json_object_is_type(m->top, json_type_object)) {
		msg_free(m);
		return ERR_FORM;
	}
	*out = m;
	return take_apart(m, default_type);
}

struct msg *
msg_new(const char *type)
{
	struct msg *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->top = json_object_new_object();
	m->payload = json_object_new_object();
	if (m->top == NULL || m->payload == NULL ||
	    json_object_object_add(m->top, "p", m->payload) != 0) {
		json_object_put(m->payload);
		m->payload = NULL;
		msg_free(m);
		return NULL;
	}
	m->type = type;
	return m;
}

bool
msg_set(struct msg *m, struct span name, struct span value)
{
	json_object *v = json_object_new_string_len(value.p, (int)value.n);
	char *key = strndup(name.p, name.n);
	bool added = v != NULL && key != NULL &&
	    json_object_object_add(m->payload, key, v) == 0;

	free(key);
	if (!added)
		json_object_put(v);
	return added;
}

void
msg_free(struct msg *m)
{
	if (m == NULL)
		return;
	json_object_put(m->top);
	free(m);
}

struct span
msg_type(const struct msg *m)
{
	return span_of(m->type);
}

struct span
msg_id(const struct msg *m)
{
	struct span id = { NULL, 0 };

	if (string_in(m->top, "id", &id) != FIELD_OK)
		return (struct span){ NULL, 0 };
	return id;
}

enum field
msg_top_string(const struct msg *m, const char *name, struct span *out)
{
	return string_in(m->top, name, out);
}

enum field
msg_string(const struct msg *m, const char *name, struct span *out)
{
	return string_in(m->payload, name, out);
}

enum field
msg_int(const struct msg *m, const char *name, int64_t *out)
{
	json_object *v;
	const char *s;
	char *end;

	if (m->payload == NULL ||
	    !json_object_object_get_ex(m->payload, name, &v) || v == NULL)
		return FIELD_ABSENT;
	if (json_object_is_type(v, json_type_int)) {
		*out = json_object_get_int64(v);
		return FIELD_OK;
	}
	s = json_object_get_string(v);
	if (!json_object_is_type(v, json_type_string) || *s < '0' || *s > '9')
		return FIELD_WRONG;
	errno = 0;
	*out = strtoll(s, &end, 10);
	return *end == '\0' && errno == 0 ? FIELD_OK : FIELD_WRONG;
}

enum field
msg_bool(const struct msg *m, const char *name, bool *out)
{
	struct span s;
	json_object *v;

	if (m->payload == NULL ||
	    !json_object_object_get_ex(m->payload, name, &v) || v == NULL)
		return FIELD_ABSENT;
	if (json_object_is_type(v, json_type_boolean)) {
		*out = json_object_get_boolean(v);
		return FIELD_OK;
	}
	if (!json_object_is_type(v, json_type_string))
		return FIELD_WRONG;
	s = text_of(v);
	*out = span_is(s, "1") || span_is(s, "true");
	return *out || span_is(s, "0") || span_is(s, "false") ? FIELD_OK :
	    FIELD_WRONG;
}

enum field
msg_strings(const struct msg *m, const char *name, struct buf *out)
{
	json_object *v;
	size_t n;

	if (m->payload == NULL ||
	    !json_object_object_get_ex(m->payload, name, &v) || v == NULL)
		return FIELD_ABSENT;
	if (json_object_is_type(v, json_type_string)) {
		buf_span(out, text_of(v));
		return FIELD_OK;
	}
	if (!json_object_is_type(v, json_type_array))
		return FIELD_WRONG;
	n = json_object_array_length(v);
	for (size_t i = 0; i < n; i++) {
		json_object *one = json_object_array_get_idx(v, i);

		if (!json_object_is_type(one, json_type_string))
			return FIELD_WRONG;
		if (i > 0)
			buf_str(out, ",");
		buf_span(out, text_of(one));
	}
	return FIELD_OK;
}
