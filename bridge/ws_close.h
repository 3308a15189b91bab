/* SPDX-License-Identifier: MIT */
/* What a WebSocket is closed with. */
#ifndef PALAVER_WS_CLOSE_H
#define PALAVER_WS_CLOSE_H

/* RFC 6455, section 7.4, and the protocol's own. */
enum ws_close {
	WS_GOING_AWAY = 1001, /* nobody has signed in */
	WS_PROTOCOL = 1002,
	WS_BAD_TEXT = 1007,
	WS_TOO_BIG = 1009,
	WS_RESTART = 1012,
	WS_FULL = 1013,       /* no memory */
	WS_KEY_DEAD = 4001,
	WS_TOO_SLOW = 4008,
	WS_FLOODING = 4029
};

#endif
