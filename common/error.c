/* SPDX-License-Identifier: MIT */
#include "error.h"

static const struct error_row table[ERR_MAX] = {
	[ERR_NONE] = { 0, 200, "ok" },
	[ERR_FORM] = { 1, 400, "not a JSON object of this form" },
	[ERR_TYPE] = { 2, 404, "unknown type" },
	[ERR_FIELD] = { 3, 400, "a field is missing or out of bounds" },
	[ERR_UNSIGNED] = { 4, 401, "not signed in" },
	[ERR_PASSWORD] = { 5, 403, "wrong name or password" },
	[ERR_TAKEN] = { 6, 409, "the name is taken" },
	[ERR_NOT_FOUND] = { 7, 404, "no such user or channel" },
	[ERR_TOO_LARGE] = { 8, 413, "too large" },
	[ERR_RATE] = { 9, 429, "too many requests" },
	[ERR_FORBIDDEN] = { 10, 403, "not allowed" },
	[ERR_METHOD] = { 11, 405, "method not allowed" },
	[ERR_MEDIA] = { 12, 415, "media type not supported" },
	[ERR_STORAGE] = { 20, 503, "storage is away" },
	[ERR_FULL] = { 21, 503, "full" },
	[ERR_FAULT] = { 30, 500, "internal fault" },
};

const struct error_row *
error_row(enum error e)
{
	return &table[e];
}

enum error
error_from_code(int code)
{
	for (int e = ERR_NONE + 1; e < ERR_MAX; e++)
		if (table[e].code == code)
			return (enum error)e;
	return ERR_FAULT;
}
