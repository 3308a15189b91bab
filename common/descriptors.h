/* SPDX-License-Identifier: MIT */
#ifndef PALAVER_DESCRIPTORS_H
#define PALAVER_DESCRIPTORS_H

/* Lets this process have as many descriptors as its hard limit allows (POSIX,
 * setrlimit: RLIMIT_NOFILE). What it cannot raise stays. */
void descriptors_raise(void);

#endif
