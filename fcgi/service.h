/* SPDX-License-Identifier: MIT */
/* Serves one HTTP request, however it came: FastCGI or CGI. */
#ifndef PALAVER_SERVICE_H
#define PALAVER_SERVICE_H

#include "conf.h"
#include "run.h"
#include "store.h"

struct service {
	const struct conf *conf;
	struct store *store;
	struct run *run;
};

/* The whole response, header fields and all; lives until it returns. */
typedef void service_cb(void *arg, struct span response);

/* cb is called once, perhaps before it returns. params and body may go after
 * that. */
void service_serve(struct service *s, char *const *params, struct span body,
    service_cb *cb, void *arg);

#endif
