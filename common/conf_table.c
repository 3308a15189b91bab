/* SPDX-License-Identifier: MIT */
/* The settings: a new one is a row here, and a line in conf/palaver.conf and
 * its manual page. */
#include "conf_body.h"

#include <string.h>

#include "limit.h"

#define AT(member) offsetof(struct conf, member)

const struct setting conf_table[] = {
	{ "listen", KIND_TEXT, AT(listen), NULL, 0, 0, NULL,
	    "where to listen: unix:/path or host:port" },
	{ "socket_mode", KIND_OCTAL, AT(socket_mode), "0660", 0, 0777, NULL,
	    "mode of a unix socket, octal" },
	{ "socket_group", KIND_TEXT, AT(socket_group), NULL, 0, 0, NULL,
	    "group of a unix socket" },
	{ "redis", KIND_REDIS, AT(redis), "redis://127.0.0.1:6379", 0, 0, NULL,
	    "redis://[user:password@]host:port[/db] or unix:/path[?db=N]" },
	{ "prefix", KIND_TEXT, AT(prefix), "palaver:", 0, 0, NULL,
	    "what all keys and channels in Redis begin with" },
	{ "origins", KIND_TEXT, AT(origins), "", 0, 0, NULL,
	    "origins that may use it, by blanks; empty: the request's host" },
	{ "trusted", KIND_PEERS, AT(trusted), "unix 127.0.0.0/8 ::1", 0, 0,
	    NULL, "peers that say whose request it is: addresses, CIDR blocks"
	    " and the word unix, by blanks" },
	{ "log_level", KIND_CHOICE, AT(log_level), "info", 0, 0,
	    "error warn info debug", "error, warn, info or debug" },
	{ "password_cost", KIND_CHOICE, AT(password_cost), "interactive", 0, 0,
	    "minimal interactive moderate sensitive",
	    "minimal, interactive, moderate or sensitive (Argon2id)" },
	{ "sign_up", KIND_SWITCH, AT(sign_up), "on", 0, 0, NULL,
	    "on: signIn and signUp may create users" },
	{ "message_rate", KIND_RATE, AT(message_rate), "30/10", 0, 0, NULL,
	    "messages of a user, count/seconds; 0: no limit" },
	{ "sign_in_rate", KIND_RATE, AT(sign_in_rate), "10/60", 0, 0, NULL,
	    "wrong passwords for a name from an address, count/seconds; 0:"
	    " no limit" },
	{ "sign_up_rate", KIND_RATE, AT(sign_up_rate), "100/3600", 0, 0, NULL,
	    "users made from an address" },
	{ "request_rate", KIND_RATE, AT(request_rate), "300/10", 0, 0, NULL,
	    "requests of a WebSocket, or of a user over HTTP" },
	{ "sign_in_within", KIND_NUMBER, AT(sign_in_within), "60", 1, 86400,
	    NULL, "seconds that a WebSocket may stay without anybody signed"
	    " in" },
	{ "address_connections", KIND_NUMBER, AT(address_connections), "200", 0,
	    1000000, NULL, "WebSockets of one address and bridge; 0: any"
	    " number" },
	{ "history", KIND_NUMBER, AT(history), "10000", 1, 1000000, NULL,
	    "messages kept of a channel" },
	{ "history_days", KIND_NUMBER, AT(history_days), "30", 1, 3650, NULL,
	    "days that a message is kept, and a channel after its last one" },
	{ "history_bytes", KIND_NUMBER, AT(history_bytes), "8388608", 131072,
	    1073741824, NULL, "bytes of messages kept of a channel" },
	{ "repeat_life", KIND_DURATION, AT(repeat_life), "1h", 60, 30 * DAY,
	    NULL, "how long a message sent again is known by its UUID" },
	{ "max_users", KIND_NUMBER, AT(max_users), "1000000", 1, 1000000000,
	    NULL, "accounts, beyond which none is created" },
	{ "key_life", KIND_DURATION, AT(key_life), "30d", 1, 3650 * DAY, NULL,
	    "how long an access key lives unused: 30d, 12h, 15m or 90s" },
	{ "operation_timeout", KIND_NUMBER, AT(operation_timeout), "2000", 50,
	    60000, NULL, "ms until an operation answers that Redis is away" },
	{ "presence_lease", KIND_NUMBER, AT(presence_lease), "15000", 300,
	    600000, NULL, "ms until a killed bridge's sessions are counted out" },
	{ "presence_grace", KIND_NUMBER, AT(presence_grace), "8000", 0, 600000,
	    NULL, "ms that an absence is forgiven" },
	{ "ping_after", KIND_NUMBER, AT(ping_after), "25000", 100, 3600000,
	    NULL, "ms of silence until a WebSocket is pinged" },
	{ "dead_after", KIND_NUMBER, AT(dead_after), "35000", 200, 7200000,
	    NULL, "ms of silence until it is given up" },
	{ "session_lease", KIND_NUMBER, AT(session_lease), "45000", 300, 600000,
	    NULL, "ms until an HTTP session that asks nothing has ended" },
	{ "notice_rate", KIND_RATE, AT(notice_rate), "20/1", 0, 0, NULL,
	    "signIn, signOut, channelJoin and channelLeave of others to a"
	    " session,\n                       beyond which it is told only that"
	    " there are news; 0: no limit" },
	{ "name_length", KIND_NUMBER, AT(name_length), "64", 1, MOST_NAME, NULL,
	    "characters of a user's name" },
	{ "password_least", KIND_NUMBER, AT(password_least), "8",
	    LEAST_PASSWORD, 256, NULL, "bytes of a new password, at least" },
	{ "password_most", KIND_NUMBER, AT(password_most), "1024", 256, 4096,
	    NULL, "bytes of a password, at most" },
	{ "message_length", KIND_NUMBER, AT(message_length), "4096", 1,
	    MOST_MESSAGE_BYTES, NULL, "characters of a message" },
	{ "message_bytes", KIND_NUMBER, AT(message_bytes), "16384", 4,
	    MOST_MESSAGE_BYTES, NULL, "bytes of a message" },
	{ "users_page", KIND_NUMBER, AT(users_page), "200", 1, 1000, NULL,
	    "users that users brings unless asked for another number" },
	{ "users_most", KIND_NUMBER, AT(users_most), "1000", 1000,
	    MOST_USERS, NULL, "users in one reply" },
	{ "join_messages", KIND_NUMBER, AT(join_messages), "10", 0, 100,
	    NULL, "messages that channelJoin brings unless asked for another"
	    " number" },
	{ "messages_page", KIND_NUMBER, AT(messages_page), "50", 1, 100,
	    NULL, "messages that channelMessages brings unless asked for"
	    " another\n                       number" },
	{ "messages_most", KIND_NUMBER, AT(messages_most), "100", 100,
	    MOST_MESSAGES, NULL, "messages, or events of a long-poll, in one"
	    " reply" },
	{ "poll_wait", KIND_NUMBER, AT(poll_wait), "25", 0, MOST_POLL_WAIT,
	    NULL, "seconds that a long-poll waits unless asked for others" },
	{ "poll_wait_most", KIND_NUMBER, AT(poll_wait_most), "55", 1,
	    MOST_POLL_WAIT, NULL, "seconds that it waits at most" },
	{ "poll_slots", KIND_NUMBER, AT(poll_slots), "0", 0, 10000, NULL,
	    "long-polls that wait, where each holds a process; 0: no bound, but\n"
	    "                       5 as plain CGI" },
	{ "user_polls", KIND_NUMBER, AT(user_polls), "20", 1, 100000, NULL,
	    "long-polls of a user that wait in one process" },
	{ "max_connections", KIND_NUMBER, AT(max_connections), "20000", 1,
	    1000000, NULL, "WebSockets of one bridge" },
	{ "receive_memory", KIND_NUMBER, AT(receive_memory), "67108864",
	    1048576, 4294967295, NULL, "bytes of what came from all WebSockets"
	    " of one bridge" },
	{ "send_memory", KIND_NUMBER, AT(send_memory), "67108864", 16384,
	    4294967295, NULL, "bytes that may wait for the sockets of one"
	    " bridge" },
	{ "ring_memory", KIND_NUMBER, AT(ring_memory), "134217728", 1048576,
	    4294967295, NULL, "bytes of the last events that one bridge keeps"
	    " ready" },
};

const size_t conf_settings = sizeof(conf_table) / sizeof(*conf_table);

const struct setting *
conf_find(const char *name, size_t n)
{
	for (size_t i = 0; i < conf_settings; i++)
		if (strlen(conf_table[i].name) == n &&
		    strncmp(conf_table[i].name, name, n) == 0)
			return &conf_table[i];
	return NULL;
}
