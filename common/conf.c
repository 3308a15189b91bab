/* SPDX-License-Identifier: MIT */
/* Where settings come from: flags win over the environment, that over the file,
 * that over what they are unless set. */
#include "conf_body.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "limit.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

#define LINE_MAX_BYTES 4096

static bool
bad(const char *where, const char *name, const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", where, name, why);
	return false;
}

static bool
apply(struct conf *c, const char *where, const struct setting *s,
    const char *value)
{
	const char *why = conf_set(c, s, value);

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
		s = conf_find(name, strlen(name));
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
		why = conf_redis(&c->redis, url);
		if (why != NULL)
			return bad("environment", "REDIS_URL", why);
		return true;
	}
	if (address != NULL && *address != '\0') {
		conf_redis_clear(&c->redis);
		why = conf_host_port(&c->redis, address, strlen(address));
		if (why != NULL)
			return bad("environment", "REDIS_ADDRESS", why);
	}
	if (password != NULL && *password != '\0') {
		conf_wipe(&c->redis.password);
		c->redis.password = strdup(password);
		if (c->redis.password == NULL)
			return bad("environment", "REDIS_PASSWORD",
			    "out of memory");
	}
	return true;
}

static bool
read_environment(struct conf *c)
{
	if (getenv("PALAVER_REDIS") == NULL && !read_redis_environment(c))
		return false;
	for (size_t i = 0; i < conf_settings; i++) {
		char name[64] = "PALAVER_";
		const char *value;
		size_t n = strlen(name);

		for (const char *p = conf_table[i].name; *p != '\0'; p++)
			name[n++] = *p >= 'a' && *p <= 'z' ?
			    (char)(*p - 'a' + 'A') : *p;
		name[n] = '\0';
		value = getenv(name);
		if (value != NULL && !apply(c, name, &conf_table[i], value))
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
	for (size_t i = 0; i < conf_settings; i++) {
		printf("  --%-18s %s", conf_table[i].name, conf_table[i].help);
		if (conf_table[i].preset != NULL && *conf_table[i].preset != '\0')
			printf(" [%s]", conf_table[i].preset);
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

enum flags { FLAGS_FILES, FLAGS_SETTINGS };

/* Of all flags, does what those of that kind say: reads the files that they
 * name, or takes the settings. */
static bool
read_flags(struct conf *c, int argc, char **argv, enum flags kind)
{
	bool named = false;

	for (int i = 1; i < argc; i++) {
		const char *value = flag_value(argc, argv, &i, "config", 6);
		const char *name;
		const struct setting *s;

		if (value != NULL) {
			named = true;
			if (kind == FLAGS_FILES && !read_file(c, value))
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
		s = conf_find(name, strcspn(name, "="));
		if (s == NULL)
			return bad_argument(argv, i);
		value = flag_value(argc, argv, &i, s->name, strlen(s->name));
		if (value == NULL)
			return bad("flag", s->name, "needs a value");
		if (kind == FLAGS_SETTINGS && !apply(c, "flag", s, value))
			return false;
	}
	return kind == FLAGS_SETTINGS || named || read_found_file(c);
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
	for (size_t i = 0; i < conf_settings; i++)
		if (conf_table[i].preset != NULL &&
		    !apply(c, "default", &conf_table[i], conf_table[i].preset))
			return CONF_BAD;
	if (!read_flags(c, argc, argv, FLAGS_FILES) || !read_environment(c) ||
	    !read_flags(c, argc, argv, FLAGS_SETTINGS) || !check(c))
		return CONF_BAD;
	if (!only_check)
		return CONF_RUN;
	printf("configuration ok\n");
	return CONF_DONE;
}

void
conf_clear(struct conf *c)
{
	conf_redis_clear(&c->redis);
	free(c->listen);
	free(c->socket_group);
	free(c->prefix);
	free(c->origins);
	memset(c, 0, sizeof(*c));
}
