/* SPDX-License-Identifier: MIT */
#include "scope.h"

#include <stdio.h>

#define PAIR_LOW 2                   /* where the UUIDs of a pair stand */
#define PAIR_HIGH (PAIR_LOW + UUID_LEN + 1)

struct scope
scope_channel(const char *user, const char *recipient, struct span name)
{
	struct scope s;
	bool first = strcmp(user, recipient) < 0;

	if (name.n != 0)
		snprintf(s.text, sizeof(s.text), "c:%.*s", (int)name.n,
		    name.p);
	else if (*recipient != '\0')
		snprintf(s.text, sizeof(s.text), "p:%s:%s",
		    first ? user : recipient, first ? recipient : user);
	else
		snprintf(s.text, sizeof(s.text), "g");
	return s;
}

struct scope
scope_notices(const struct scope *channel)
{
	struct scope s;

	snprintf(s.text, sizeof(s.text), "%.*s~", SCOPE_MAX - 2,
	    channel->text);
	return s;
}

struct scope
scope_user(const char *user)
{
	struct scope s = { "u:" };

	memcpy(s.text + 2, user, strnlen(user, UUID_LEN));
	return s;
}

struct scope
scope_sys(void)
{
	return (struct scope){ "sys" };
}

struct scope
scope_bridge(struct span id)
{
	struct scope s;

	snprintf(s.text, sizeof(s.text), "b:%.*s", (int)id.n, id.p);
	return s;
}

void
scope_other(struct span scope, const char *user, char other[UUID_LEN + 1])
{
	const char *low = scope.p + PAIR_LOW, *high = scope.p + PAIR_HIGH;

	*other = '\0';
	if (scope.n != PAIR_HIGH + UUID_LEN || scope.p[0] != 'p')
		return;
	memcpy(other, strncmp(user, low, UUID_LEN) == 0 ? high : low, UUID_LEN);
	other[UUID_LEN] = '\0';
}

bool
scope_is_private(const struct scope *s)
{
	return s->text[0] == 'p' && s->text[1] == ':';
}

bool
scope_has_member(const struct scope *s, const char *user)
{
	return scope_is_private(s) &&
	    (strncmp(s->text + PAIR_LOW, user, UUID_LEN) == 0 ||
	    strncmp(s->text + PAIR_HIGH, user, UUID_LEN) == 0);
}
