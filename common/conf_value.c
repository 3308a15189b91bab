/* SPDX-License-Identifier: MIT */
#include "conf_body.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
conf_number(const char *s, int base, unsigned low, unsigned high,
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
	if (!conf_number(count, 10, 0, 1000000, &r->count) ||
	    !conf_number(slash + 1, 10, 1, 86400, &r->seconds))
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
	if (each == 0 || !conf_number(number, 10, 0, high / each, &n) ||
	    n * each < low)
		return false;
	*out = n * each;
	return true;
}

const char *
conf_set(struct conf *c, const struct setting *s, const char *value)
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
		if (conf_number(value, 10, s->low, s->high, at))
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
		return conf_number(value, 8, s->low, s->high, at) ? NULL :
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
		return conf_redis(at, value);
	}
	return "unknown kind";
}
