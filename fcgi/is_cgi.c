/* SPDX-License-Identifier: MIT */
#include "is_cgi.h"

#include <fcgiapp.h>
#include <signal.h>
#include <stddef.h>

/* libfcgi sets handlers for these signals as it begins, which let a process
 * survive SIGTERM: puts back what stood. */
bool
is_cgi(void)
{
	static const int signals[] = { SIGTERM, SIGUSR1, SIGPIPE };
	enum { SIGNALS = sizeof(signals) / sizeof(*signals) };
	struct sigaction before[SIGNALS];
	bool cgi;

	for (int i = 0; i < SIGNALS; i++)
		sigaction(signals[i], NULL, &before[i]);
	cgi = FCGX_IsCGI() != 0;
	for (int i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &before[i], NULL);
	return cgi;
}
