/* SPDX-License-Identifier: MIT */
/* The body of a session and what its files share: session.c (its life),
 * session_socket.c (what its WebSocket tells), session_channels.c (what it
 * follows), session_requests.c (what it asks), session_tickets.c (what of that is
 * on its way), session_commands.c (what was asked for it over HTTP),
 * session_order.c (which of the two was first), session_ends.c (what it follows no
 * longer), session_flood.c (when it asks too much), session_receive.c (what is held
 * of that), session_slow.c (when it reads too little), session_table.c (which there
 * are). For those files only; others see session.h. */
#ifndef PALAVER_SESSION_BODY_H
#define PALAVER_SESSION_BODY_H

#include "address.h"
#include "flood.h"
#include "line.h"
#include "session.h"

#define QUEUE_MAX 16            /* requests waiting before reading stops */
#define CHANNEL_LOGS 2          /* messages, notices */
#define OWN_LOGS 2              /* sys, the user's */
#define BUCKETS 4096

enum session_state {
	SESSION_OPEN,      /* nobody yet */
	SESSION_SIGNED_IN,
	SESSION_CLOSING    /* told so; nothing is sent or read any more */
};

/* A request that waits for the one before it, or runs. */
struct waiting {
	struct waiting *next;
	size_t n;
	bool text;
	unsigned wait; /* s, when it came too fast; 0: it did not */
	char bytes[];
};

struct ticket; /* one on its way */
struct command;
struct command_kept;
struct answer_kept;

struct session {
	uint64_t id;
	struct sessions *table;
	struct session *prev, *next;    /* of all */
	struct session *hash_next, *uuid_next;
	struct ws_conn *conn;
	enum session_state state;
	char uuid[UUID_LEN + 1];
	char user[UUID_LEN + 1];
	char key_hash[KEY_HASH_LEN + 1];
	struct client client;           /* for limits */
	bool used;                      /* somebody has signed in */
	unsigned generation;            /* of the presence that knows it */
	bool doubted;                   /* commands about it may be lost */
	struct thin thin;               /* of the notices that it gets */
	struct member own[OWN_LOGS];
	struct member *logs;            /* two for each channel */
	struct scope *channels;         /* in the order joined */
	size_t nchannels;
	struct member **members;        /* all that follow something */
	size_t nmembers;
	struct waiting *first, **last;  /* requests */
	size_t nwaiting, waiting_bytes;
	struct waiting *asked;          /* the one that runs */
	size_t running_bytes;           /* of it */
	bool busy;                      /* a request is running, or it is not
					 * ready yet */
	bool key_moved;                 /* since that began, to a new key */
	bool withheld;                  /* events, until its turn comes: it
					 * may end logs, we do not know where */
	const struct effect *next_answer; /* while what came before it is
					 * carried out */
	struct answer_kept *answer;     /* these wait for their turn */
	struct command_kept *commands, **last_command;
	size_t ncommands;
	struct session *waits_next, **waits_link; /* NULL: none does */
	uint64_t waits_until;           /* ms */
	bool running;                   /* session_run_next is on the stack */
	bool paused;
	bool pinged;
	struct flood flood;             /* how fast it asks */
	unsigned refused;               /* requests, for asking too fast */
	struct session *held_next, **held_link; /* NULL: reading goes on */
	uint64_t nobody_since;          /* ms, while it is not signed in */
	uint64_t heard;                 /* ms */
	uint64_t key_until;             /* ms; then presence looks after it */
	struct line_place blocked;      /* while bytes wait for its socket */
	struct line_place received;     /* while bytes of it are held */
};

struct sessions {
	const struct conf *conf;
	struct run *run;
	struct hub *hub;
	struct presence *presence;
	struct session *all;
	struct session *bucket[BUCKETS];
	struct session *by_uuid[BUCKETS];
	uint64_t ids;
	size_t count;
	struct addresses addresses;     /* how many each has */
	struct ticket *tickets;
	struct session *waiting;        /* for the turn of what is kept */
	struct session *held;           /* nothing is read from them */
	struct line blocked, leaving;   /* of those who are CLOSING */
	bool making_room;               /* among these two */
	struct line received;
	struct buf out;                 /* scratch: frames for one session */
	uv_timer_t tick, hold;
	bool restarting;
};

/* ---- session_table.c ---- */

/* The living session with that id, or NULL. */
struct session *session_find(struct sessions *t, uint64_t id);
struct session *session_find_uuid(struct sessions *t, const char *uuid);
/* Counts it among the living, until its end. */
void session_link(struct session *s);
void session_unlink(struct session *s);

/* ---- session.c ---- */

void session_set_state(struct session *s, enum session_state to);
/* Whether it is signed in as that user. */
bool session_is(const struct session *s, const char *user);
/* Tells the peer and goes on no more; the connection ends by itself. */
void session_close(struct session *s, enum ws_close code, const char *reason);
/* Its key is dead: counted out at once, and closed. */
void session_key_dead(struct session *s);
/* Has presence count s as it is now, if this incarnation of the bridge has not
 * done so yet. Not while a request runs: its effect is not known then. */
void session_adopt(struct session *s);

/* ---- session_channels.c ---- */

/* Where the channel stands among those of s; nchannels: it is not there. */
size_t session_channel_index(const struct session *s, const struct scope *c);
/* Follows the channel of e from its places on (once more: a silent refresh), and
 * those that gave way (its ends) no longer. False without memory. */
bool session_enter_channel(struct session *s, const struct effect *e);
/* Follows the i-th channel no longer; one that is not there is fine. */
void session_leave_channel(struct session *s, size_t i);
/* Follows sys and the user's own log from places on. False without memory. */
bool session_follow_own(struct session *s, const struct place places[2]);
/* Follows nothing any more. */
void session_leave_all(struct session *s);
/* An event about keys of its user (hub_handler.on_keys). */
void session_keys(struct session *s, struct span text);
/* Whether s is to be spared this frame of its user's own log. */
bool session_skips(struct session *s, struct span text);

/* ---- session_requests.c ---- */

/* Makes what a success changes come true; for one who is closing, has it undone
 * in Redis. */
void session_apply(struct session *s, const struct effect *e);
/* The request that was running has ended so, whether it is closing or not; or,
 * if the session's key is another by now and that was why it failed, it runs
 * once more. generation: of the presence, when it began. */
void session_answered(struct session *s, const struct outcome *o,
    unsigned generation);
/* The session is gone: it is counted out when the grace is over. */
void session_gone(struct sessions *t, const char *uuid);
/* A success came about for a session that is gone or closing: it may be counted
 * for that behind its end, and is to be counted out. */
void session_missed(struct sessions *t, const char *uuid,
    const struct effect *e);
/* Takes a copy of a whole message, to be run in its turn. */
void session_request(struct session *s, struct span message, bool text);
/* Runs what waits, one request at a time, as long as the peer takes what it
 * is sent. It may be on the stack already: then it does nothing. */
void session_run_next(struct session *s);
/* Reads from the peer as long as not too much waits and it is not held. */
void session_read(struct session *s);
/* Reads from the peer, whatever waits, until its answer to a close. */
void session_read_on(struct session *s);
/* Forgets all that waits, and the one that runs. */
void session_requests_clear(struct session *s);

/* ---- session_tickets.c ---- */

/* Sends the request off that s->asked is; session_answered follows, perhaps at
 * once. False without memory. */
bool session_send_off(struct session *s);
/* Its connection is gone. If a signOut waits that came over it, that is done all
 * the same, behind the request on its way, and counts it out: true. */
bool session_sign_out_waiting(struct session *s);
/* Forgets the requests on their way, which end without an outcome. */
void session_tickets_clear(struct sessions *t);

/* ---- session_flood.c ---- */

/* Counts a request that has come. False: it was one too many, s is closing.
 * Else *wait is 0, or the seconds of the error 9 that answers it in its turn. */
bool session_may_ask(struct session *s, unsigned *wait);
/* Reading from it is no longer held up; fine when it was not. */
void session_release(struct session *s);
/* Makes the timer of the table, which the table closes. */
void session_flood_init(struct sessions *t, uv_loop_t *loop);

/* ---- session_receive.c ---- */

/* Counts what is held of what it has sent. It, or others, are closed and
 * dropped where that is too much in all: look at the state behind. */
void session_received(struct session *s);
/* Nothing is held of it any more; or a whole message has come, and others go
 * before it when session_received counts it again. */
void session_received_none(struct session *s);

/* ---- session_slow.c ---- */

/* Whether it may be sent anything now; if not, on_drained will follow (unless
 * it is closing). */
bool session_ready(struct session *s);
/* Sends whole frames; nothing to one who is closing. When more waits for all
 * sockets than send_memory, sessions are closed: look at the state behind. */
void session_send(struct session *s, const char *frames, size_t n);
/* The same with texts, a frame each; an empty one is none. Without memory it is
 * closed with 1013. */
void session_send_texts(struct session *s, struct span first,
    struct span second);
void session_send_text(struct session *s, const struct buf *text);
/* Closes it with 4008; it resumes by its cursor. */
void session_too_slow(struct session *s);
/* Its socket has not taken all; more of that than before. See session_send. */
void session_blocked(struct session *s);
/* Its socket has taken all, or is no more; fine when it was not blocked. */
void session_drained(struct session *s);
/* It is CLOSING from now on. */
void session_leaves(struct session *s);
/* Closes those who have been blocked for too long. now in ms. */
void session_slow_tick(struct sessions *t, uint64_t now);

/* ---- session_commands.c ---- */

/* Carries out a command of this bridge's own log in its turn. */
void session_command(struct sessions *t, struct span text);
/* Whether it is for s as s is. */
bool session_fits(const struct session *s, const struct command *c);
/* Carries out one whose turn has come, if it is. */
void session_carry_out(struct session *s, const struct command *c);

/* ---- session_ends.c ---- */

/* What is said behind the ends (effect.ends) is not for the session, which may yet
 * be sent what was said before. */
void session_end_logs(struct session *s, struct span ends);
/* Whether the effect ends logs of which the session is yet to be sent something.
 * What is not here is asked for, once: *asked. */
bool session_owes(struct session *s, const struct effect *e, bool *asked);
/* Whether it may be sent events now (hub_handler.ready). */
bool session_takes_events(struct session *s);

/* ---- session_order.c ---- */

/* Carries out the command, the seq'th, which it takes over, in its turn. */
void session_order_command(struct session *s, struct command *c, uint64_t seq);
/* Carries out the commands kept that came before this outcome. True: it is kept,
 * and session_answered follows in its turn, or, where what came before it is not
 * heard of within operation_timeout, with error 20. */
bool session_keep_answer(struct session *s, const struct outcome *o,
    unsigned generation);
/* More commands were heard of (hub_handler.on_heard): what waited for them goes
 * on. all: whatever it waits for. */
void session_order_heard(struct sessions *t, bool all);
/* Logs were read (hub_handler.on_read): what waited for them goes on. */
void session_order_due(struct sessions *t);
/* What is kept goes on as far as it can. */
void session_order_go_on(struct session *s);
/* Gives up what waits for too long. now in ms. */
void session_order_tick(struct session *s, uint64_t now);
/* It follows more: what is kept behind that and ends it does so where it was. */
void session_order_follows(struct session *s);
/* What the request did of which the answer is kept; NULL: none is. */
const struct effect *session_kept(const struct session *s);
/* Forgets all that is kept. */
void session_order_clear(struct session *s);

#endif
