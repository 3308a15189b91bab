/* SPDX-License-Identifier: MIT */
/* Commands: what a script tells the bridge that keeps a WebSocket, in that
 * bridge's own log. Words, one a line, the event's cursor last:
 *
 *   attach SESSION KEY-HASH and what a grant gives (op_authorized)
 *   join   SESSION USER CHANNEL EPOCH SEQ EPOCH SEQ   messages, notices
 *          OWN ENDS                                   sys frame, or empty
 *   leave  SESSION USER CHANNEL ENDS                  see op_next_end
 *   out    SESSION USER ENDS
 *   key    SESSION USER KEY-HASH MS                   how long it lives
 */
#ifndef PALAVER_COMMAND_H
#define PALAVER_COMMAND_H

#include "buf.h"
#include "op.h"

struct command {
	char session[UUID_LEN + 1];
	bool attach;           /* it is for a session that is nobody's; any
				* other is for one of effect.user */
	struct effect effect;  /* what it changes for the session */
	struct buf reply, own; /* frames for the session; may be empty */
	struct buf ends;       /* the effect's */
};

/* Reads text into c; false when it is no command. Clear c either way. */
bool command_read(struct command *c, struct span text);
void command_clear(struct command *c);

#endif
