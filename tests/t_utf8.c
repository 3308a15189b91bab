/* SPDX-License-Identifier: MIT */
#include "utf8.h"
#include "tap.h"

int
main(void)
{
	char long_name[300];
	size_t n = 0;

	ok(utf8_valid(SPAN("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), &n) &&
	    n == 4, "one to four bytes");
	ok(!utf8_valid(SPAN("\xc0\xaf"), NULL), "overlong");
	ok(!utf8_valid(SPAN("\xe0\x80\xaf"), NULL), "overlong, three bytes");
	ok(!utf8_valid(SPAN("\xed\xa0\x80"), NULL), "surrogate");
	ok(!utf8_valid(SPAN("\xf4\x90\x80\x80"), NULL), "beyond U+10FFFF");
	ok(!utf8_valid(SPAN("\xe2\x82"), NULL), "cut off");
	ok(!utf8_valid(SPAN("a\0b"), NULL), "NUL");
	ok(utf8_encoded(SPAN("a\0b")), "NUL is encoded like any other");
	ok(utf8_encoded(SPAN("")) && !utf8_encoded(SPAN("\xe2\x82")) &&
	    !utf8_encoded(SPAN("\x80")), "what is not encoded");
	ok(utf8_is_name(SPAN("Ann O'Neil \xe2\x98\x83"), 64), "a name");
	ok(!utf8_is_name(SPAN(""), 64), "no name");
	ok(!utf8_is_name(SPAN(" ann"), 64), "blank in front");
	ok(!utf8_is_name(SPAN("ann "), 64), "blank at the end");
	ok(!utf8_is_name(SPAN("a  n"), 64), "two blanks");
	ok(!utf8_is_name(SPAN("a\xc2\xa0n"), 64), "no-break space");
	ok(!utf8_is_name(SPAN("a\xe2\x80\xae" "b"), 64), "bidirectional override");
	ok(!utf8_is_name(SPAN("a\xe2\x80\x8b" "b"), 64), "zero width space");
	ok(!utf8_is_name(SPAN("\xe3\x85\xa4"), 64), "filler");
	ok(!utf8_is_name(SPAN("a\nb"), 64), "newline");
	ok(!utf8_is_name(SPAN("a\xe2\xa0\x80"), 64), "braille blank");
	ok(!utf8_is_name(SPAN("a\xef\xb8\x8f"), 64), "variation selector");
	ok(!utf8_is_name(SPAN("a\xf3\xa0\x81\x81"), 64), "tag");
	ok(!utf8_is_name(SPAN("a\xee\x80\x80"), 64), "private use");
	ok(!utf8_is_name(SPAN("\xef\xb7\x90"), 64) &&
	    !utf8_is_name(SPAN("\xef\xbf\xbf"), 64) &&
	    !utf8_is_name(SPAN("\xf0\x9f\xbf\xbe"), 64) &&
	    !utf8_is_name(SPAN("\xf3\x9f\xbf\xbf"), 64), "noncharacters");
	ok(utf8_is_name(SPAN("\xf0\x9f\xbf\xbd"), 64), "not their neighbour");
	memset(long_name, 'x', sizeof(long_name));
	ok(utf8_is_name((struct span){ long_name, 64 }, 64), "64 characters");
	ok(!utf8_is_name((struct span){ long_name, 65 }, 64), "65 characters");
	ok(utf8_is_message(SPAN("a\n\tb"), 9, 9), "a message with lines");
	ok(!utf8_is_message(SPAN(""), 9, 9), "an empty message");
	ok(!utf8_is_message(SPAN("a\rb"), 9, 9), "carriage return");
	ok(!utf8_is_message(SPAN("a\xc2\x9b" "b"), 9, 9), "a C1 control");
	ok(utf8_is_channel(SPAN("news.2026_a-b")), "a channel's name");
	ok(!utf8_is_channel(SPAN("-a")) && !utf8_is_channel(SPAN("A")) &&
	    !utf8_is_channel(SPAN("")), "no channel's names");
	return tap_end();
}
