/* SPDX-License-Identifier: MIT */
/* Things by their names, and UUIDs as text. */
#include "names.h"

#include <stdlib.h>

#include "tap.h"
#include "uuid.h"

#define MANY 1000

struct thing {
	int number;
	struct name name;
	char text[8];
};

static struct thing *
thing_of(struct name *node)
{
	return node == NULL ? NULL : (struct thing *)(void *)
	    ((char *)node - offsetof(struct thing, name));
}

static struct thing *
find(const struct names *s, const char *text)
{
	return thing_of(names_find(s, span_of(text)));
}

static void
test_names(void)
{
	static struct thing things[MANY];
	struct names s = { 0 };
	struct name *at = NULL;
	bool all = true;
	size_t seen = 0;

	ok(names_find(&s, SPAN("0")) == NULL && names_next(&s, NULL) == NULL,
	    "an empty set has nothing");
	for (int i = 0; i < MANY; i++) {
		int n = snprintf(things[i].text, sizeof(things[i].text), "%d",
		    i);

		things[i].number = i;
		all = names_add(&s, &things[i].name, things[i].text,
		    (size_t)n) && all;
	}
	ok(all && s.n == MANY && s.room >= MANY, "a thousand are added");
	for (int i = 0; i < MANY; i++) {
		struct thing *t = find(&s, things[i].text);

		all = all && t != NULL && t->number == i;
	}
	ok(all, "each is found by its name");
	ok(find(&s, "1000") == NULL && find(&s, "") == NULL &&
	    find(&s, "00") == NULL, "what was not added is not");
	while ((at = names_next(&s, at)) != NULL)
		seen++;
	ok(seen == MANY, "going through them meets each once");
	for (int i = 0; i < MANY; i += 2)
		names_remove(&s, &things[i].name);
	for (int i = 0; i < MANY; i++)
		all = all && (find(&s, things[i].text) != NULL) == (i % 2 == 1);
	ok(all && s.n == MANY / 2, "those removed are gone, the others not");
	names_clear(&s);
	ok(s.n == 0 && names_find(&s, SPAN("1")) == NULL, "cleared it is empty");
}

static bool
reads(const char *text)
{
	char out[UUID_LEN + 1];

	return uuid_read(span_of(text), out);
}

static void
test_uuids(void)
{
	static const char lower[] = "0a1b2c3d-4e5f-6789-abcd-ef0123456789";
	char out[UUID_LEN + 1], other[UUID_LEN + 1];
	unsigned char bytes[UUID_BYTES];
	int differ = 0;

	ok(uuid_read(SPAN("0A1B2C3D-4E5F-6789-ABCD-EF0123456789"), out) &&
	    strcmp(out, lower) == 0, "any case is read, lower case kept");
	ok(!reads("") && !reads("0a1b2c3d-4e5f-6789-abcd-ef012345678") &&
	    !reads("0a1b2c3d-4e5f-6789-abcd-ef01234567890") &&
	    !reads("0a1b2c3d-4e5f-6789-abcd-ef012345678g") &&
	    !reads("0a1b2c3d-4e5f-6789-abcd-ef012345678`") &&
	    !reads("0a1b2c3d-4e5f-6789-abcd0ef0123456789") &&
	    !reads("0a1b2c3d04e5f-6789-abcd-ef0123456789") &&
	    !reads("-a1b2c3d-4e5f-6789-abcd-ef0123456789") &&
	    !reads("0a1b2c3d-4e5f-6789-abcd-ef01234567\xe9\x80"),
	    "what is none is refused");
	uuid_to_bytes(lower, bytes);
	uuid_from_bytes(bytes, out);
	ok(bytes[0] == 0x0a && bytes[15] == 0x89 && strcmp(out, lower) == 0,
	    "packed and unpacked it is the same");
	uuid_new(out);
	uuid_new(other);
	ok(reads(out) && strcmp(out, other) != 0 && out[14] == '4',
	    "a new one is of version 4, the next another");
	uuid_next(out);
	for (int i = 0; i < MANY; i++) {
		uuid_next(other);
		differ += reads(other) && strcmp(out, other) != 0;
		memcpy(out, other, sizeof(out));
	}
	ok(differ == MANY, "a thousand that are counted differ");
}

int
main(void)
{
	test_names();
	test_uuids();
	return tap_end();
}
