/* SPDX-License-Identifier: MIT */
/* The one table of errors of the protocol (PROTOCOL.md, "Errors"). */
#ifndef PALAVER_ERROR_H
#define PALAVER_ERROR_H

enum error {
	ERR_NONE,        /* no error */
	ERR_FORM,        /* 1: not a JSON object of this form */
	ERR_TYPE,        /* 2: unknown type */
	ERR_FIELD,       /* 3: missing or out of bounds; payload names it */
	ERR_UNSIGNED,    /* 4: not signed in, or the key is dead */
	ERR_PASSWORD,    /* 5: wrong name or password */
	ERR_TAKEN,       /* 6: the name is taken */
	ERR_NOT_FOUND,   /* 7: no such user or channel */
	ERR_TOO_LARGE,   /* 8: too large */
	ERR_RATE,        /* 9: too many requests; payload: seconds to wait */
	ERR_FORBIDDEN,   /* 10: not allowed */
	ERR_METHOD,      /* 11: method (HTTP) */
	ERR_MEDIA,       /* 12: media type (HTTP) */
	ERR_STORAGE,     /* 20: storage is away */
	ERR_FULL,        /* 21: full */
	ERR_FAULT,       /* 30: a fault of ours */
	ERR_MAX
};

struct error_row {
	int code;         /* of the protocol */
	int http;         /* status */
	const char *text; /* for people */
};

/* The row of e; never NULL, e must be below ERR_MAX. */
const struct error_row *error_row(enum error e);
/* The error with that protocol code; ERR_FAULT for an unknown one. */
enum error error_from_code(int code);

#endif
