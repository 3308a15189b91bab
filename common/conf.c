/* SPDX-License-Identifier: MIT */
#include "conf.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "limit.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

#define LINE_MAX_BYTES 4096
#define DAY 86400u /* s */

enum kind {
	KIND_TEXT,
	KIND_SWITCH,
	KIND_NUMBER,
	KIND_DURATION,
	KIND_OCTAL,
	KIND_RATE,
	KIND_CHOICE,
	KIND_PEERS,
	KIND_REDIS
};

struct setting {
	const char *name;
	enum kind kind;
	size_t offset;
	const char *preset;  /* NULL: not set */
	unsigned low, high;  /* of a number; of a duration in s */
	const char *choices; /* by blanks */
	const char *help;
};

#define AT(member) offsetof(struct conf, member)

static const struct setting table[] = {
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

#define SETTINGS (sizeof(table) / sizeof(*table))

static bool
bad(const char *where, const char *name, const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", where, name, why);
	return false;
}

/* RFC 3986, section 2.1; a % that begins no escape stands for itself. NULL
 * without memory or when it holds an escaped NUL. */
static char *
percent_decoded(const char *from, size_t n)
{
	char *out = malloc(n + 1), *at = out;

	for (size_t i = 0; out != NULL && i < n; i++) {
		char hex[3] = { 0 };

		if (from[i] == '%' && i + 2 < n &&
		    strspn(from + i + 1, "0123456789abcdefABCDEF") >= 2) {
			memcpy(hex, from + i + 1, 2);
			*at++ = (char)strtoul(hex, NULL, 16);
			i += 2;
		} else {
			*at++ = from[i];
		}
	}
	if (out == NULL)
		return NULL;
	*at = '\0';
	if (strlen(out) == (size_t)(at - out))
		return out;
	sodium_memzero(out, n + 1);
	free(out);
	return NULL;
}

static void
wipe(char **secret)
{
	if (*secret != NULL)
		sodium_memzero(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

static void
redis_clear(struct redis_address *r)
{
	free(r->host);
	free(r->path);
	free(r->user);
	wipe(&r->password);
	*r = (struct redis_address){ 0 };
}

static bool
read_number(const char *s, int base, unsigned low, unsigned high,
    unsigned *out)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(s, &end, base);
	if (*s < '0' || *s > '9' || *end != '\0' || errno != 0 || n < low ||
	    n > high)
		return false;
	*out = (unsigned)n;
	return true;
}

/* host[:port], an IPv6 address in brackets. */
static bool
read_host_port(struct redis_address *r, const char *s, size_t n)
{
	const char *colon = memrchr(s, ':', n), *end = s + n;
	unsigned port = 6379;
	char text[8] = "";

	if (colon != NULL && memchr(colon, ']', (size_t)(end - colon)) == NULL) {
		if (end - colon - 1 >= (long)sizeof(text) || colon == end - 1)
			return false;
		memcpy(text, colon + 1, (size_t)(end - colon - 1));
		if (!read_number(text, 10, 1, 65535, &port))
			return false;
		end = colon;
	}
	if (end - s >= 2 && *s == '[' && end[-1] == ']') {
		s++;
		end--;
	} else if (strcspn(s, "[]:") < (size_t)(end - s)) {
		return false;
	}
	r->port = (int)port;
	r->host = end == s ? strdup("127.0.0.1") :
	    strndup(s, (size_t)(end - s));
	return r->host != NULL;
}

static const char *
read_redis(struct redis_address *r, const char *s)
{
	static const char usage[] = "must be redis://[user:password@]host:port"
	    "[/db] or unix:/path[?db=N]";
	const char *at, *slash, *colon, *query;
	unsigned db = 0;

	redis_clear(r);
	if (strncmp(s, "rediss://", 9) == 0)
		return "no TLS here: let stunnel make the TLS connection and"
		    " name its address instead";
	if (strncmp(s, "unix:", 5) == 0) {
		s += 5;
		query = strchr(s, '?');
		if (query != NULL && (strncmp(query, "?db=", 4) != 0 ||
		    !read_number(query + 4, 10, 0, 65535, &db)))
			return usage;
		if (*s != '/')
			return usage;
		r->path = strndup(s, query == NULL ? strlen(s) :
		    (size_t)(query - s));
		r->db = (int)db;
		return r->path == NULL ? "out of memory" : NULL;
	}
	if (strncmp(s, "redis://", 8) != 0)
		return usage;
	s += 8;
	at = strrchr(s, '@');
	if (at != NULL) {
		colon = memchr(s, ':', (size_t)(at - s));
		if (colon == NULL)
			return usage;
		r->password = percent_decoded(colon + 1,
		    (size_t)(at - colon - 1));
		if (colon > s)
			r->user = percent_decoded(s, (size_t)(colon - s));
		if (r->password == NULL || (colon > s && r->user == NULL))
			return usage;
		s = at + 1;
	}
	slash = strchr(s, '/');
	if (slash != NULL && slash[1] != '\0' &&
	    !read_number(slash + 1, 10, 0, 65535, &db))
		return usage;
	r->db = (int)db;
	return read_host_port(r, s, slash == NULL ? strlen(s) :
	    (size_t)(slash - s)) ? NULL : usage;
}

static int
choice(const char *choices, const char *s)
{
	size_t n = strlen(s);

	for (int i = 0; *choices != '\0'; i++) {
		size_t word = strcspn(choices, " ");

		if (word == n && strncmp(choices, s, n) == 0)
			return i;
		choices += word + strspn(choices + word, " ");
	}
	return -1;
}

static const char *
read_rate(struct rate *r, const char *s)
{
	static const char usage[] = "must be count/seconds, or 0";
	const char *slash = strchr(s, '/');
	char count[16] = "";

	*r = (struct rate){ 0, 1 };
	if (strcmp(s, "0") == 0)
		return NULL;
	if (slash == NULL || (size_t)(slash - s) >= sizeof(count))
		return usage;
	memcpy(count, s, (size_t)(slash - s));
	if (!read_number(count, 10, 0, 1000000, &r->count) ||
	    !read_number(slash + 1, 10, 1, 86400, &r->seconds))
		return usage;
	return NULL;
}

/* A number and its unit; without one it is seconds. */
static bool
read_duration(const char *s, unsigned low, unsigned high, unsigned *out)
{
	static const struct {
		char unit;
		unsigned seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', DAY } };
	size_t digits = strspn(s, "0123456789");
	unsigned n, each = s[digits] == '\0' ? 1 : 0;
	char number[12] = "";

	if (digits == 0 || digits >= sizeof(number))
		return false;
	memcpy(number, s, digits);
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (s[digits] == units[i].unit && s[digits + 1] == '\0')
			each = units[i].seconds;
	if (each == 0 || !read_number(number, 10, 0, high / each, &n) ||
	    n * each < low)
		return false;
	*out = n * each;
	return true;
}

/* NULL, or what is wrong with the value. */
static const char *
set(struct conf *c, const struct setting *s, const char *value)
{
	static char why[128];
	void *at = (char *)c + s->offset;
	int index;

	switch (s->kind) {
	case KIND_TEXT:
		free(*(char **)at);
		*(char **)at = NULL;
		if (*value == '\0' && s->preset == NULL)
			return NULL;
		*(char **)at = strdup(value);
		return *(char **)at == NULL ? "out of memory" : NULL;
	case KIND_SWITCH:
		index = choice("off on", value);
		*(bool *)at = index == 1;
		return index < 0 ? "must be on or off" : NULL;
	case KIND_NUMBER:
		if (read_number(value, 10, s->low, s->high, at))
			return NULL;
		snprintf(why, sizeof(why), "must be a number from %u to %u",
		    s->low, s->high);
		return why;
	case KIND_DURATION:
		if (read_duration(value, s->low, s->high, at))
			return NULL;
		snprintf(why, sizeof(why), "must be a time like 30d, 12h, 15m"
		    " or 90s, from %us to %ud", s->low, s->high / DAY);
		return why;
	case KIND_OCTAL:
		return read_number(value, 8, s->low, s->high, at) ? NULL :
		    "must be an octal mode like 0660";
	case KIND_RATE:
		return read_rate(at, value);
	case KIND_CHOICE:
		index = choice(s->choices, value);
		*(int *)at = index;
		if (index >= 0)
			return NULL;
		snprintf(why, sizeof(why), "must be one of: %s", s->choices);
		return why;
	case KIND_PEERS:
		return peer_list_read(at, value) ? NULL : "must be addresses"
		    " and CIDR blocks by blanks, at most 64, and the word unix";
	case KIND_REDIS:
		return read_redis(at, value);
	}
	return "unknown kind";
}

static const struct setting *
find(const char *name, size_t n)
{
	for (size_t i = 0; i < SETTINGS; i++)
		if (strlen(table[i].name) == n &&
		    strncmp(table[i].name, name, n) == 0)
			return &table[i];
	return NULL;
}

static bool
apply(struct conf *c, const char *where, const struct setting *s,
    const char *value)
{
	const char *why = set(c, s, value);

	return why == NULL || bad(where, s->name, why);
}

static char *
trimmed(char *s)
{
	size_t n;

	s += strspn(s, " \t\r\n");
	n = strlen(s);
	while (n > 0 && strchr(" \t\r\n", s[n - 1]) != NULL)
		s[--n] = '\0';
	return s;
}

static bool
read_file(struct conf *c, const char *path)
{
	FILE *f = fopen(path, "r");
	char line[LINE_MAX_BYTES], where[512];
	bool ok = true;

	if (f == NULL)
		return bad("file", path, strerror(errno));
	for (int n = 1; ok && fgets(line, sizeof(line), f) != NULL; n++) {
		bool whole = strchr(line, '\n') != NULL || feof(f);
		char *name = trimmed(line), *equals = strchr(name, '=');
		const struct setting *s;

		snprintf(where, sizeof(where), "%s:%d", path, n);
		if (!whole) {
			ok = bad(where, "syntax", "the line is too long");
			break;
		}
		if (*name == '\0' || *name == '#')
			continue;
		if (equals == NULL) {
			ok = bad(where, "syntax", "must be name = value");
			break;
		}
		*equals = '\0';
		name = trimmed(name);
		s = find(name, strlen(name));
		ok = s == NULL ? bad(where, name, "no such setting") :
		    apply(c, where, s, trimmed(equals + 1));
	}
	sodium_memzero(line, sizeof(line));
	if (ferror(f))
		ok = bad("file", path, strerror(errno));
	fclose(f);
	return ok;
}

/* Where no flag names a file: that of PALAVER_CONFIG, or palaver.conf beside
 * the program, so that what is uploaded as one folder finds its own. */
static bool
read_found_file(struct conf *c)
{
	const char *named = getenv("PALAVER_CONFIG");
	const char *program = (const char *)(uintptr_t)getauxval(AT_EXECFN);
	const char *slash = program == NULL ? NULL : strrchr(program, '/');
	char path[PATH_MAX];

	if (named != NULL && *named != '\0')
		return read_file(c, named);
	if (program == NULL || snprintf(path, sizeof(path), "%.*spalaver.conf",
	    slash == NULL ? 0 : (int)(slash - program) + 1, program) >=
	    (int)sizeof(path))
		return true;
	return access(path, F_OK) != 0 || read_file(c, path);
}

/* REDIS_URL, or REDIS_ADDRESS with REDIS_PASSWORD. PALAVER_REDIS wins over
 * all three. */
static bool
read_redis_environment(struct conf *c)
{
	const char *url = getenv("REDIS_URL");
	const char *address = getenv("REDIS_ADDRESS");
	const char *password = getenv("REDIS_PASSWORD"), *why;

	if (url != NULL && *url != '\0') {
		why = read_redis(&c->redis, url);
		if (why != NULL)
			return bad("environment", "REDIS_URL", why);
		return true;
	}
	if (address != NULL && *address != '\0') {
		redis_clear(&c->redis);
		if (!read_host_port(&c->redis, address, strlen(address)))
			return bad("environment", "REDIS_ADDRESS",
			    "must be host:port");
	}
	if (password != NULL && *password != '\0') {
		wipe(&c->redis.password);
		c->redis.password = strdup(password);
	}
	return true;
}

static bool
read_environment(struct conf *c)
{
	if (getenv("PALAVER_REDIS") == NULL && !read_redis_environment(c))
		return false;
	for (size_t i = 0; i < SETTINGS; i++) {
		char name[64] = "PALAVER_";
		const char *value;
		size_t n = strlen(name);

		for (const char *p = table[i].name; *p != '\0'; p++)
			name[n++] = *p >= 'a' && *p <= 'z' ?
			    (char)(*p - 'a' + 'A') : *p;
		name[n] = '\0';
		value = getenv(name);
		if (value != NULL && !apply(c, name, &table[i], value))
			return false;
	}
	return true;
}

static void
help(const char *usage)
{
	printf("%s\n"
	    "  -h, --help      this\n"
	    "      --version   the version\n"
	    "  -n, --check     check the configuration and exit\n"
	    "      --config FILE\n"
	    "                  lines of name = value, # begins a comment; else"
	    " the file\n                  that PALAVER_CONFIG names, else"
	    " palaver.conf beside the\n                  program, if it is"
	    " there\n\n"
	    "Settings: --name=VALUE, or PALAVER_NAME in the environment, or a"
	    " line of the\nfile; a flag wins over the environment, that over"
	    " the file. REDIS_URL, or\nREDIS_ADDRESS and REDIS_PASSWORD, are"
	    " understood as well.\n\n", usage);
	for (size_t i = 0; i < SETTINGS; i++) {
		printf("  --%-18s %s", table[i].name, table[i].help);
		if (table[i].preset != NULL && *table[i].preset != '\0')
			printf(" [%s]", table[i].preset);
		printf("\n");
	}
}

/* The value of argv[*i], which is --NAME=VALUE or --NAME VALUE; NULL when it
 * is another flag. */
static const char *
flag_value(int argc, char **argv, int *i, const char *name, size_t n)
{
	const char *a = argv[*i];

	if (strncmp(a, "--", 2) != 0 || strncmp(a + 2, name, n) != 0)
		return NULL;
	if (a[2 + n] == '=')
		return a + 3 + n;
	if (a[2 + n] == '\0' && *i + 1 < argc)
		return argv[++*i];
	return NULL;
}

/* Refuses argv[i]. What cannot be a flag's name is not repeated but called by
 * its place: it may hold a mistyped secret. */
static bool
bad_argument(char **argv, int i)
{
	size_t n = strspn(argv[i], "abcdefghijklmnopqrstuvwxyz0123456789_-");
	char name[64];

	if (strncmp(argv[i], "--", 2) == 0 &&
	    (argv[i][n] == '\0' || argv[i][n] == '='))
		snprintf(name, sizeof(name), "%.*s", (int)n, argv[i]);
	else
		snprintf(name, sizeof(name), "argument %d", i);
	return bad("flag", name, "not understood");
}

/* Either reads the files (what is 0) or the settings (1). */
static bool
read_flags(struct conf *c, int argc, char **argv, int what)
{
	bool named = false;

	for (int i = 1; i < argc; i++) {
		const char *value = flag_value(argc, argv, &i, "config", 6);
		const char *name;
		const struct setting *s;

		if (value != NULL) {
			named = true;
			if (what == 0 && !read_file(c, value))
				return false;
			continue;
		}
		if (strcmp(argv[i], "-n") == 0 ||
		    strcmp(argv[i], "--check") == 0)
			continue;
		if (strncmp(argv[i], "--", 2) != 0)
			return bad_argument(argv, i);
		name = argv[i] + 2;
		if (strcmp(name, "config") == 0)
			return bad("flag", name, "needs a value");
		s = find(name, strcspn(name, "="));
		if (s == NULL)
			return bad_argument(argv, i);
		value = flag_value(argc, argv, &i, s->name, strlen(s->name));
		if (value == NULL)
			return bad("flag", s->name, "needs a value");
		if (what == 1 && !apply(c, "flag", s, value))
			return false;
	}
	return what == 1 || named || read_found_file(c);
}

static bool
check(const struct conf *c)
{
	size_t n = strlen(c->prefix);

	if (n < 1 || n > 32 || strspn(c->prefix, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789:._-") != n)
		return bad("setting", "prefix",
		    "must be 1 to 32 of A-Z a-z 0-9 : . _ -");
	if (c->dead_after < c->ping_after + 100)
		return bad("setting", "dead_after",
		    "must be at least 100 above ping_after");
	if (c->poll_wait > c->poll_wait_most)
		return bad("setting", "poll_wait",
		    "must be at most poll_wait_most");
	return true;
}

enum conf_result
conf_load(struct conf *c, const char *program, const char *usage, int argc,
    char **argv)
{
	bool only_check = false;

	memset(c, 0, sizeof(*c));
	if (sodium_init() < 0) {
		bad(program, "libsodium", "does not start");
		return CONF_BAD;
	}
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 ||
		    strcmp(argv[i], "-h") == 0) {
			help(usage);
			return CONF_DONE;
		}
		if (strcmp(argv[i], "--version") == 0) {
			printf("%s %s\n", program, PACKAGE_VERSION);
			return CONF_DONE;
		}
		if (strcmp(argv[i], "-n") == 0 ||
		    strcmp(argv[i], "--check") == 0)
			only_check = true;
	}
	for (size_t i = 0; i < SETTINGS; i++)
		if (table[i].preset != NULL &&
		    !apply(c, "default", &table[i], table[i].preset))
			return CONF_BAD;
	if (!read_flags(c, argc, argv, 0) || !read_environment(c) ||
	    !read_flags(c, argc, argv, 1) || !check(c))
		return CONF_BAD;
	if (!only_check)
		return CONF_RUN;
	printf("configuration ok\n");
	return CONF_DONE;
}

void
conf_clear(struct conf *c)
{
	redis_clear(&c->redis);
	free(c->listen);
	free(c->socket_group);
	free(c->prefix);
	free(c->origins);
	memset(c, 0, sizeof(*c));
}
