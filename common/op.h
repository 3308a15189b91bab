/* SPDX-License-Identifier: MIT */
/* Operations. One is a file op_x.c, a script lua/x.lua and a row of the table.
 * An operation does no I/O: it says which script to call with what (or which
 * hash to make), is given the answer, and says how to go on. run.c does the
 * rest, the same for both programs. */
#ifndef PALAVER_OP_H
#define PALAVER_OP_H

#include <stdint.h>

#include "access_key.h"
#include "buf.h"
#include "call.h"
#include "conf.h"
#include "error.h"
#include "hashing.h"
#include "limit.h"
#include "msg.h"
#include "peer.h"
#include "poll.h"
#include "scope.h"

enum via { VIA_HTTP, VIA_WEBSOCKET };

/* Who asks, from where. On a WebSocket user is whom the connection signed in
 * as ("" before); over HTTP the owner that the access key names, which the
 * script proves by key_hash. */
struct actor {
	enum via via;
	char user[UUID_LEN + 1];
	char key_hash[KEY_HASH_LEN + 1]; /* "": none */
	char session[UUID_LEN + 1];      /* "": none */
	char poll[UUID_LEN + 1]; /* id of a long-poll that asks again; "" */
	unsigned poll_wait;      /* ms that it may still wait */
	struct span bridge;   /* incarnation of the bridge; HTTP: empty. Must
			       * outlive the request. */
	struct client client; /* from where, for limits */
};

enum step {
	STEP_CALL,  /* send call; then render */
	STEP_HASH,  /* hash or verify, then build again */
	STEP_DONE,  /* the reply stands */
	STEP_WAIT,  /* there is nothing yet, and no reply: the host waits for
		     * what poll names */
	STEP_ERROR  /* error and payload stand */
};

enum effect_kind {
	EFFECT_NONE,
	EFFECT_SIGNED_IN,   /* user, key_hash, key_left; places: sys, user's */
	EFFECT_SIGNED_OUT,
	EFFECT_KEY,         /* user, key_hash, key_left */
	EFFECT_JOINED,      /* user, channel; places: messages, notices */
	EFFECT_LEFT,        /* channel */
	EFFECT_SENT         /* channel; frame is the stored one */
};

/* What a success changes for a WebSocket session. */
struct effect {
	enum effect_kind kind;
	char user[UUID_LEN + 1];
	char key_hash[KEY_HASH_LEN + 1];
	uint64_t key_left;  /* ms that the key still lives, unused */
	struct scope channel;
	struct place places[2];
	struct span ends;   /* logs that the session follows no longer, and up
			     * to where each went then (op_next_end); borrowed */
	struct place commands; /* of the bridge's own log: those up to it came
				* before; epoch "": none did. Also of an
				* error, where a command may have caused it. */
};

/* One request on its way through an operation. */
struct request {
	const struct op *op;
	const struct conf *conf;
	struct msg *msg;     /* an operation that needs it no longer may free
			      * it and leave NULL */
	struct span id;      /* the message's, in id_text; p is NULL: none */
	char id_text[LIMIT_ID];
	struct actor actor;

	struct call call;         /* what build wants called */
	struct span password;     /* STEP_HASH: what to hash, */
	char against[HASH_LEN];   /* and against what ("": anew) */
	bool hash_fits;           /* what came of it */
	char hash[HASH_LEN];
	char stored[HASH_LEN];    /* the one that was verified */
	char guess[KEY_HASH_LEN + 1]; /* what wrong passwords count for */

	/* what the operation keeps between its calls */
	int stage;
	int rounds;
	bool attach;              /* over HTTP for a WebSocket's session */
	unsigned lease;           /* ms that an HTTP session named lives on; 0:
				   * the setting */
	char found_user[UUID_LEN + 1];
	char access_key[ACCESS_KEY_MAX];
	char access_hash[KEY_HASH_LEN + 1];
	char uuid[UUID_LEN + 1];
	char recipient[UUID_LEN + 1];
	struct span channel_name;
	bool of_channel; /* recipientUUID or channel was given, even empty */
	struct scope channel;
	struct buf since; /* places: lines of SCOPE EPOCH SEQ */

	/* the outcome */
	struct buf reply;  /* one JSON message; may stay empty for a
			    * WebSocket (a message without id) */
	struct buf own;    /* a frame that this WebSocket alone gets right
			    * behind the reply */
	struct effect effect;
	struct buf ends;   /* its */
	struct poll poll;  /* STEP_WAIT */
	unsigned retry_after; /* s, 0: none; of a success */
	enum error error;
	char payload[128]; /* of the error */
};

enum {
	OP_SIGNED = 1, /* needs somebody signed in */
	OP_GET = 2,    /* may be asked by GET */
	OP_HTTP = 4,   /* HTTP only */
	OP_ENDS = 8    /* may end that the session follows a log */
};

struct op {
	const char *type;
	unsigned flags;
	enum step (*build)(struct request *q);
	enum step (*render)(struct request *q, const struct answer *a);
};

/* The row of that type, or NULL. */
const struct op *op_find(struct span type);

/* For operations: sets the error (payload NULL: "") and gives STEP_ERROR. */
enum step op_fail(struct request *q, enum error e, const char *payload);
/* Takes the message's id, which the reply repeats. */
void op_take_id(struct request *q);
/* Reads where the request goes: recipientUUID and channel of the payload into
 * recipient, channel_name, channel and of_channel. STEP_CALL or STEP_ERROR. */
enum step op_read_channel(struct request *q);
/* Reads an optional whole number in low..high; absent leaves *value. */
enum step op_read_int(struct request *q, const char *name, int64_t low,
    int64_t high, int64_t *value);
/* Reads an optional since, a list or a string of cursors joined by commas, into
 * q->since. STEP_CALL or STEP_ERROR. */
enum step op_read_since(struct request *q);
/* Appends what it read to the call. */
void op_call_since(struct request *q);
/* Starts the call with what most scripts take first: user, hash of the key,
 * life of a key. Over HTTP the rate of requests, the session that the request
 * names and its lease go with the hash: whatever is asked renews it; on a
 * WebSocket its bridge. */
void op_call(struct request *q, enum script script);
/* Appends session and bridge to the call. */
void op_call_session(struct request *q);
/* Starts the look-up of a name that charges the rate of wrong passwords, which
 * op_call_guess names for the script that forgives it. STEP_CALL. */
enum step op_call_find(struct request *q, struct span name);
void op_call_guess(struct request *q);
/* Appends the name without regard to the case of ASCII letters. */
void op_call_folded(struct request *q, struct span name);
/* Reads a password of least to password_most bytes. Least is the setting for
 * one that is new: those of before it was raised still sign in. STEP_CALL or
 * STEP_ERROR. */
enum step op_read_password(struct request *q, const char *name, size_t least,
    struct span *out);
/* Appends "recipientUUID":..,"channel":.. to b, or to the reply. */
void op_names(struct buf *b, const struct request *q);
void op_reply_channel(struct request *q);
/* Appends a user to the reply, from a member of the sets that are ordered by
 * name (lua/shared/keys.lua); false when it is none. */
bool op_reply_user(struct request *q, struct span member, bool online);
/* Appends the payloads of ready channelMessage frames, with commas; false when
 * one is none. */
bool op_reply_messages(struct request *q, const struct span *frames, size_t n);
/* Reads a place out of two words of an answer; false when they are none. */
bool op_read_place(struct span epoch, struct span seq, struct place *out);
/* Keeps the word of an answer or a command that tells ends (lua/shared/log.lua)
 * in b, and has e name them; false when it is nonsense. */
bool op_read_ends(struct span word, struct buf *b, struct effect *e);
/* Takes the first one off rest, which starts as an effect's ends; false: there is
 * none. */
bool op_next_end(struct span *rest, struct scope *log, struct place *end);
/* Reads what a grant gives behind its OK: user, name in JSON, end of the key
 * (ms), created, places of sys and of the user's log, the own sys frame ("": to
 * be made, "-": it follows with the others), ms that the key lives, recovered.
 * Writes authorized to reply (without the key where it is ""), the frame that a
 * WebSocket gets behind it to own, and the effect. False when it is nonsense. */
bool op_authorized(const struct span *v, size_t n, const char *session,
    const char *key, struct span id, struct buf *reply, struct buf *own,
    struct effect *e);
/* Appends "SCOPE:EPOCH:SEQ". */
void op_cursor(struct buf *b, const struct scope *s, const struct place *p);

extern const struct op op_sign_in;
extern const struct op op_sign_up;
extern const struct op op_sign_out;
extern const struct op op_password;
extern const struct op op_users;
extern const struct op op_channel_join;
extern const struct op op_channel_leave;
extern const struct op op_channel_message;
extern const struct op op_events;
extern const struct op op_channel_messages;
extern const struct op op_channel_read;
extern const struct op op_channels;

#endif
