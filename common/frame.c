/* SPDX-License-Identifier: MIT */
#include "frame.h"

#include <stdio.h>

#include "access_key.h"
#include "uuid.h"

/* The frames that lua/ builds begin like this; what people typed stands behind
 * and cannot hold an unescaped quote. */
#define MESSAGE_HEAD "{\"type\":\"channelMessage\",\"cursor\":\""
#define MESSAGE_PAYLOAD "\",\"channelMessage\":"
#define NOTICE_HEAD "{\"type\":\"sys\",\"cursor\":\""
#define PRIVATE_HEAD NOTICE_HEAD "u:" /* in a user's own log */
#define NOTICE_SENDER \
	"\"sys\":{\"type\":\"channelMessage\",\"channelMessage\":" \
	"{\"SenderUUID\":\""
#define LEAVE_HEAD "{\"type\":\"channelLeave\",\"cursor\":\""
#define NOTICE_USER ",\"userUUID\":\""
#define NOTICE_JOIN "\"sys\":{\"type\":\"channelJoin\""
#define NOTICE_SIGN_IN ",\"sys\":{\"type\":\"signIn\",\"signIn\":{\"uuid\":\""
#define NOTICE_SIGN_OUT \
	",\"sys\":{\"type\":\"signOut\",\"signOut\":{\"uuid\":\""
#define NOTICE_RECIPIENT "\",\"RecipientUUID\":\""
#define READ_HEAD "{\"type\":\"channelRead\",\"cursor\":\""
#define READ_ORIGIN "\",\"origin\":\""

void
frame_begin(struct buf *b, const char *type, struct span id)
{
	buf_str(b, "{\"type\":\"");
	buf_str(b, type);
	buf_str(b, "\"");
	if (id.p != NULL) {
		buf_str(b, ",\"id\":");
		buf_json_string(b, id);
	}
	buf_str(b, ",\"");
	buf_str(b, type);
	buf_str(b, "\":");
}

static bool
starts(struct span s, struct span head)
{
	return s.n >= head.n && memcmp(s.p, head.p, head.n) == 0;
}

struct span
frame_message_payload(struct span frame)
{
	struct span none = { NULL, 0 };
	struct span mark = SPAN(MESSAGE_PAYLOAD);
	const char *at;

	if (!starts(frame, SPAN(MESSAGE_HEAD)))
		return none;
	at = memmem(frame.p, frame.n, mark.p, mark.n);
	if (at == NULL)
		return none;
	at += mark.n;
	if (at == frame.p + frame.n)
		return none; /* cut off: its last brace is missing */
	return (struct span){ at, (size_t)(frame.p + frame.n - at) - 1 };
}

bool
frame_private_notice(struct span frame, struct span *sender,
    struct span *recipient)
{
	struct span mark = SPAN(NOTICE_SENDER);
	struct span to = SPAN(NOTICE_RECIPIENT);
	const char *at, *end = frame.p + frame.n;

	if (!starts(frame, SPAN(PRIVATE_HEAD)))
		return false;
	at = memmem(frame.p, frame.n, mark.p, mark.n);
	if (at == NULL)
		return false;
	at += mark.n;
	if ((size_t)(end - at) < UUID_LEN + to.n + UUID_LEN ||
	    memcmp(at + UUID_LEN, to.p, to.n) != 0)
		return false;
	*sender = (struct span){ at, UUID_LEN };
	*recipient = (struct span){ at + UUID_LEN + to.n, UUID_LEN };
	return true;
}

struct span
frame_notice_user(struct span frame)
{
	static const struct span heads[] = { { NOTICE_USER,
		sizeof(NOTICE_USER) - 1 }, { NOTICE_SIGN_IN,
		sizeof(NOTICE_SIGN_IN) - 1 }, { NOTICE_SIGN_OUT,
		sizeof(NOTICE_SIGN_OUT) - 1 } };
	struct span none = { NULL, 0 }, join = SPAN(NOTICE_JOIN), rest;
	bool leave = starts(frame, SPAN(LEAVE_HEAD));
	const char *end = frame.p + frame.n, *at;

	if (!leave && !starts(frame, SPAN(NOTICE_HEAD)))
		return none;
	at = frame.p + (leave ? sizeof(LEAVE_HEAD) : sizeof(NOTICE_HEAD)) - 1;
	at = memchr(at, '"', (size_t)(end - at)); /* behind the cursor */
	if (at == NULL)
		return none;
	rest = (struct span){ at + 1, (size_t)(end - at) - 1 };
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		if (!starts(rest, heads[i]) || rest.n - heads[i].n < UUID_LEN)
			continue;
		if (i == 0 && !leave &&
		    memmem(rest.p, rest.n, join.p, join.n) == NULL)
			continue;
		return (struct span){ rest.p + heads[i].n, UUID_LEN };
	}
	return none;
}

struct span
frame_origin(struct span frame)
{
	struct span none = { NULL, 0 }, mark = SPAN(READ_ORIGIN);
	const char *at, *end = frame.p + frame.n, *quote;

	if (!starts(frame, SPAN(READ_HEAD)))
		return none;
	at = memmem(frame.p, frame.n, mark.p, mark.n);
	if (at == NULL)
		return none;
	at += mark.n;
	quote = memchr(at, '"', (size_t)(end - at));
	return quote == NULL ? none :
	    (struct span){ at, (size_t)(quote - at) };
}

void
frame_mark(const char *session, char origin[ORIGIN_LEN + 1])
{
	char hash[KEY_HASH_LEN + 1] = "";

	if (*session != '\0')
		access_key_hash(span_of(session), hash);
	snprintf(origin, ORIGIN_LEN + 1, "%.*s", ORIGIN_LEN, hash);
}

bool
frame_is_own(struct span frame, const char *session)
{
	struct span from = frame_origin(frame);
	char mark[ORIGIN_LEN + 1];

	if (from.n == 0)
		return false;
	frame_mark(session, mark);
	return span_is(from, mark);
}
