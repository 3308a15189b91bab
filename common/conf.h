/* SPDX-License-Identifier: MIT */
/* Settings: defaults, then the file, then the environment (PALAVER_NAME, and
 * REDIS_URL, REDIS_ADDRESS, REDIS_PASSWORD), then flags. One table. */
#ifndef PALAVER_CONF_H
#define PALAVER_CONF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "peer.h"

struct rate {         /* "count/seconds"; count 0: no limit */
	unsigned count;
	unsigned seconds;
};

enum password_cost { COST_MINIMAL, COST_INTERACTIVE, COST_MODERATE,
	COST_SENSITIVE };

struct redis_address {   /* taken apart from the setting "redis" */
	char *host;      /* NULL: unix */
	char *path;      /* of the unix socket */
	char *user;      /* NULL: none */
	char *password;  /* NULL: none; a secret */
	int port;
	int db;
};

struct conf {
	char *listen;        /* unix:/path or host:port; NULL: not set */
	unsigned socket_mode; /* of a unix socket, octal, default 0660 */
	char *socket_group;  /* NULL: unchanged */
	struct redis_address redis; /* default 127.0.0.1:6379 */
	char *prefix;        /* of all keys and channels, default "palaver:";
			      * [A-Za-z0-9:._-]{1,32} */
	char *origins;       /* list by blanks; "": the request's own host */
	struct peer_list trusted; /* default unix, 127.0.0.0/8 and ::1 */
	int log_level;       /* enum log_level */
	enum password_cost password_cost; /* default interactive */
	bool sign_up;        /* signIn and signUp may create users */
	struct rate message_rate; /* messages per user, default 30/10 */
	struct rate sign_in_rate; /* failures per user and address, 10/60 */
	struct rate sign_up_rate; /* new users per address, 100/3600 */
	struct rate request_rate; /* per session, HTTP: per user, 300/10 */
	unsigned sign_in_within; /* s that a WebSocket may be nobody's, 60 */
	unsigned address_connections; /* WebSockets of an address, 200; 0: any
				       * number */
	unsigned history;    /* messages kept per channel, default 10000 */
	unsigned history_days; /* default 30 */
	unsigned repeat_life; /* s that a message's UUID is known, default 1 h */
	unsigned max_users;  /* accounts, default 1000000 */
	unsigned history_bytes; /* of a channel's messages, default 8 MiB */
	unsigned key_life;   /* s that an access key lives unused, 30 days */
	unsigned operation_timeout; /* ms until error 20, default 2000 */
	unsigned presence_lease;    /* ms, default 15000 */
	unsigned presence_grace;    /* ms before offline/leave, default 8000 */
	unsigned ping_after; /* ms of silence, default 25000 */
	unsigned dead_after; /* ms of silence, default 35000; at least 100
			      * more than ping_after */
	unsigned session_lease;     /* ms of an HTTP session, default 45000: the
				     * longest usual wait and 20 s */
	struct rate notice_rate;    /* of others to a session, default 20/1 */
	unsigned name_length;    /* characters, default 64 */
	unsigned password_least; /* bytes of a new one, default 8 */
	unsigned password_most;  /* bytes, default 1024 */
	unsigned message_length; /* characters, default 4096 */
	unsigned message_bytes;  /* default 16384 */
	unsigned users_page;     /* rows of a reply unless asked for, 200 */
	unsigned users_most;     /* and at most, 1000 */
	unsigned join_messages;  /* of a channelJoin unless asked for, 10 */
	unsigned messages_page;  /* of a channelMessages, 50 */
	unsigned messages_most;  /* of one reply, 100 */
	unsigned poll_wait;      /* s unless asked for, 25 */
	unsigned poll_wait_most; /* s, 55 */
	unsigned poll_slots;        /* polls that wait in all processes, where
				     * each holds one; 0: no bound */
	unsigned user_polls;        /* that wait, of one user in one process */
	unsigned max_connections;   /* of the bridge, default 20000 */
	unsigned receive_memory;    /* bytes of what came from all sockets of
				     * the bridge, default 64 MiB */
	unsigned send_memory;       /* bytes that may wait for all sockets of
				     * the bridge, default 64 MiB */
	unsigned ring_memory;       /* bytes of its rings, default 128 MiB */
};

enum conf_result {
	CONF_RUN,    /* go on */
	CONF_DONE,   /* --help, --version or -n (check) answered: exit 0 */
	CONF_BAD     /* said why on standard error: exit 2 */
};

/* Reads everything for program ("palaver.fcgi" or "palaver-bridge"); only the
 * flags, not argv, are consumed. usage is the program's first help lines. */
enum conf_result conf_load(struct conf *c, const char *program,
    const char *usage, int argc, char **argv);
/* Frees and wipes what is secret. */
void conf_clear(struct conf *c);

#endif
