/* SPDX-License-Identifier: MIT */
/* What the benches share: what a process uses, medians. */
#ifndef PALAVER_MEASURE_H
#define PALAVER_MEASURE_H

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static inline void
die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* A child that ends with us: 0 in the child, else its pid. */
static inline pid_t
fork_bound(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* ns of CPU that the process' first thread has used. */
static inline uint64_t
cpu_ns(long pid)
{
	char path[64];
	uint64_t ns = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/schedstat", pid);
	f = fopen(path, "r");
	if (f == NULL || fscanf(f, "%" SCNu64, &ns) != 1)
		die(path);
	fclose(f);
	return ns;
}

static inline long
rss_bytes(long pid)
{
	char path[64];
	long size, pages;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/statm", pid);
	f = fopen(path, "r");
	if (f == NULL || fscanf(f, "%ld %ld", &size, &pages) != 2)
		die(path);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static inline int
measure_by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static inline double
median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), measure_by_value);
	return v[n / 2];
}

#endif
