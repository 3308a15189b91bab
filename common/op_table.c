/* SPDX-License-Identifier: MIT */
/* The one table of operations and what they share. */
#include "op.h"

#include <stdio.h>

#include "frame.h"
#include "limit.h"
#include "utf8.h"

static const struct op *const table[] = {
	&op_sign_in,
	&op_sign_up,
	&op_sign_out,
	&op_password,
	&op_users,
	&op_channel_join,
	&op_channel_leave,
	&op_channel_message,
	&op_events,
	&op_channel_messages,
	&op_channel_read,
	&op_channels,
};

const struct op *
op_find(struct span type)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (span_is(type, table[i]->type))
			return table[i];
	return NULL;
}

enum step
op_fail(struct request *q, enum error e, const char *payload)
{
	q->error = e;
	snprintf(q->payload, sizeof(q->payload), "%s",
	    payload == NULL ? "" : payload);
	return STEP_ERROR;
}

void
op_take_id(struct request *q)
{
	struct span id = q->msg == NULL ? (struct span){ NULL, 0 } :
	    msg_id(q->msg);

	if (id.p == NULL || id.n > sizeof(q->id_text))
		return;
	memcpy(q->id_text, id.p, id.n);
	q->id = (struct span){ q->id_text, id.n };
}

enum step
op_read_channel(struct request *q)
{
	struct span to = { NULL, 0 };
	enum field recipient, channel;

	q->recipient[0] = '\0';
	q->channel_name = (struct span){ NULL, 0 };
	recipient = msg_string(q->msg, "recipientUUID", &to);
	if (recipient == FIELD_WRONG ||
	    (to.n != 0 && !uuid_read(to, q->recipient)))
		return op_fail(q, ERR_FIELD, "recipientUUID");
	channel = msg_string(q->msg, "channel", &q->channel_name);
	if (channel == FIELD_WRONG ||
	    (q->channel_name.n != 0 && !utf8_is_channel(q->channel_name)))
		return op_fail(q, ERR_FIELD, "channel");
	q->of_channel = recipient == FIELD_OK || channel == FIELD_OK;
	if (to.n != 0 && q->channel_name.n != 0)
		return op_fail(q, ERR_FIELD, "channel");
	q->channel = scope_channel(q->actor.user, q->recipient,
	    q->channel_name);
	return STEP_CALL;
}

enum step
op_read_int(struct request *q, const char *name, int64_t low, int64_t high,
    int64_t *value)
{
	int64_t got = *value;

	if (msg_int(q->msg, name, &got) == FIELD_WRONG || got < low ||
	    got > high)
		return op_fail(q, ERR_FIELD, name);
	*value = got;
	return STEP_CALL;
}

static bool
is_scope_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == ':' ||
	    c == '.' || c == '_' || c == '~' || c == '-';
}

/* SCOPE:EPOCH:SEQ, as op_cursor writes it; j before the epoch: see places in
 * lua/shared/log.lua. */
static bool
read_cursor(struct span s, struct buf *out)
{
	const char *seq = memrchr(s.p, ':', s.n), *epoch, *hex;
	struct place place;
	size_t n;

	if (seq == NULL ||
	    (epoch = memrchr(s.p, ':', (size_t)(seq - s.p))) == NULL)
		return false;
	n = (size_t)(epoch - s.p);
	if (n == 0 || n >= SCOPE_MAX || !op_read_place(
	    (struct span){ epoch + 1, (size_t)(seq - epoch) - 1 },
	    (struct span){ seq + 1, (size_t)(s.p + s.n - seq) - 1 }, &place))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_scope_char(s.p[i]))
			return false;
	hex = place.epoch + (*place.epoch == 'j');
	if (strspn(hex, "0123456789abcdef") != strlen(hex) || *hex == '\0')
		return false;
	buf_add(out, s.p, n);
	buf_str(out, " ");
	buf_str(out, place.epoch);
	buf_str(out, " ");
	buf_uint(out, place.seq);
	buf_str(out, "\n");
	return true;
}

enum step
op_read_since(struct request *q)
{
	struct buf text = { 0 };
	enum field f = msg_strings(q->msg, "since", &text);
	struct span rest = buf_peek(&text);
	bool good = f != FIELD_WRONG;

	for (size_t n = 0; good && rest.n > 0; n++) {
		const char *comma = memchr(rest.p, ',', rest.n);
		size_t one = comma == NULL ? rest.n : (size_t)(comma - rest.p);

		good = n < LIMIT_CURSORS &&
		    read_cursor((struct span){ rest.p, one }, &q->since);
		rest.p += one + (comma != NULL);
		rest.n -= one + (comma != NULL);
	}
	q->since.oom |= text.oom;
	buf_clear(&text);
	return good ? STEP_CALL : op_fail(q, ERR_FIELD, "since");
}

void
op_call_since(struct request *q)
{
	/* It stays: a sign-in may have to ask again. */
	call_arg(&q->call, buf_peek(&q->since));
	if (q->since.oom)
		q->call.words.oom = true;
}

void
op_call(struct request *q, enum script script)
{
	struct buf proof = { 0 };

	call_begin(&q->call, script, q->conf);
	call_str(&q->call, q->actor.user);
	buf_str(&proof, q->actor.key_hash);
	buf_str(&proof, " ");
	if (q->actor.via == VIA_WEBSOCKET) {
		buf_span(&proof, q->actor.bridge);
	} else {
		/* A poll that asks again was charged when it came. */
		buf_uint(&proof, q->actor.poll[0] != '\0' ? 0 :
		    q->conf->request_rate.count);
		buf_str(&proof, " ");
		buf_uint(&proof, q->conf->request_rate.seconds);
		buf_str(&proof, " ");
		buf_str(&proof, q->actor.session);
		buf_str(&proof, " ");
		buf_uint(&proof, q->lease != 0 ? q->lease :
		    q->conf->session_lease);
	}
	call_buf(&q->call, &proof);
	call_uint(&q->call, (uint64_t)q->conf->key_life * 1000);
}

void
op_call_session(struct request *q)
{
	call_str(&q->call, q->actor.session);
	call_arg(&q->call, q->actor.bridge);
}

void
op_names(struct buf *b, const struct request *q)
{
	buf_fmt(b, "\"recipientUUID\":\"%s\",\"channel\":\"%.*s\"",
	    q->recipient, (int)q->channel_name.n, q->channel_name.p);
}

void
op_reply_channel(struct request *q)
{
	op_names(&q->reply, q);
}

/* A member is folded name \n UUID \n name. */
bool
op_reply_user(struct request *q, struct span member, bool online)
{
	const char *uuid = memchr(member.p, '\n', member.n);
	const char *end = member.p + member.n;
	struct span name;

	if (uuid == NULL || end - uuid < UUID_LEN + 2)
		return false;
	uuid++;
	name.p = uuid + UUID_LEN + 1;
	name.n = (size_t)(end - name.p);
	buf_fmt(&q->reply, "{\"UUID\":\"%.*s\",\"Username\":", UUID_LEN, uuid);
	buf_json_string(&q->reply, name);
	buf_fmt(&q->reply, ",\"OnLine\":%s}", online ? "true" : "false");
	return true;
}

bool
op_reply_messages(struct request *q, const struct span *frames, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct span payload = frame_message_payload(frames[i]);

		if (payload.n == 0)
			return false;
		if (i > 0)
			buf_str(&q->reply, ",");
		buf_span(&q->reply, payload);
	}
	return true;
}

bool
op_read_place(struct span epoch, struct span seq, struct place *out)
{
	uint64_t n = 0;

	if (epoch.n == 0 || epoch.n >= sizeof(out->epoch) || seq.n == 0 ||
	    seq.n > 15)
		return false;
	for (size_t i = 0; i < seq.n; i++) {
		if (seq.p[i] < '0' || seq.p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(seq.p[i] - '0');
	}
	memcpy(out->epoch, epoch.p, epoch.n);
	out->epoch[epoch.n] = '\0';
	out->seq = n;
	return true;
}

void
op_cursor(struct buf *b, const struct scope *s, const struct place *p)
{
	buf_str(b, s->text);
	buf_str(b, ":");
	buf_str(b, p->epoch);
	buf_str(b, ":");
	buf_uint(b, p->seq);
}
