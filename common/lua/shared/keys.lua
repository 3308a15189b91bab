-- SPDX-License-Identifier: MIT
-- What all scripts share stands in this folder, and is embedded in front of each
-- of them, this file first. All keys and pub/sub channels:
--
--   P{sys}:schema   string  version of all this: 2
--   P{sys}:names    hash    folded name -> user's UUID
--   P{sys}:who      hash    UUID -> name as a JSON string
--   P{sys}:users    zset    folded \n UUID \n name, all score 0: by name
--   P{sys}:shown    zset    the same members, of those on line
--   P{sys}:online   hash    UUID -> sessions (0: gone, in grace)
--   P{sys}:leases   zset    bridge incarnation -> end of its lease (ms)
--   P{sys}:dead     zset    incarnation without a lease -> when to reap (ms)
--   P{sys}:polls    zset    HTTP session -> end of its lease (ms)
--   P{sys}:waiting  zset    long-poll that holds a process -> its end (ms)
--   P{sys}:due      zset    UUID, or SCOPE \n UUID -> when the grace ends (ms)
--   P{sys}:b:ID     set     sessions that an incarnation took. No TTL: the
--                           reaper empties it.
--   P{sys}:s:ID     hash    a session that is counted: u UUID, b incarnation
--                           of its bridge (HTTP: none), n joins so far,
--                           c:SCOPE -> n of that join, epoch and seq where it
--                           began, the same of the notices. HTTP: o epoch and
--                           seq of sys and of the user's log at its sign-in,
--                           d a later epoch of sys by which no join of it was
--                           lost, w a poll that may wait, l what it may lack of
--                           channels that it has left: lines, the one left
--                           longest ago first, of a log (SCOPE or SCOPE~), epoch
--                           and seq where it joined, those where it left; m when
--                           (ms) messages of one had to give way. No TTL: it ends
--                           by itself or is reaped. A WebSocket's that is
--                           nobody's yet has b and a TTL only.
--   P{sys}:g:H      string  rate of wrong passwords (H: hash of name, address)
--   P{sys}:a:H      string  rate of new users (H: hash of address)
--   P{u:UUID}       hash    p password's hash, c created (ms), f folded name,
--                           m member of users
--   P{u:UUID}:k     zset    hash of an access key -> its end (ms)
--   P{u:UUID}:h     hash    HTTP session -> hash of the key it signed in by
--   P{u:UUID}:r     string  rate of messages
--   P{u:UUID}:q     string  rate of requests over HTTP
--   P{u:UUID}:c     zset    the user's conversations: scope -> when the last
--                           message came (microseconds), the newest 1000
--   P{u:UUID}:s     hash    scope of a conversation -> seq read up to
--   P{SCOPE}:m :l   hash and list of a log; of a channel's notices P{SCOPE}~:m.
--                   Of a bridge's process b:PROCESS: commands to it. What
--                   begins with ! in u:UUID is for bridges and sent to nobody.
--   P{SCOPE}:in     hash    UUID -> sessions in the channel (0: in grace)
--   P{SCOPE}:by     zset    the same people as members of users: by name. A
--                           private channel has none: its scope names the two.
--   P{SCOPE}:d:UUID hash    UUID that this user chose for a message -> when it
--                           came (microseconds), epoch and seq
--
-- Meta of a log: s last seq, e epoch, n node that last wrote, b seq at which
-- the epoch began, p epoch before, z bytes in the list, t when the last message
-- came (microseconds), i the channel's UUID.
--
-- ARGV: 1 node, 2 key prefix, 3 pub/sub prefix, 4... the script's own.
-- Answers are flat lists; the first word is OK, AGAIN, or E (see word) with the
-- protocol's error code and a payload. All checks come before the first write,
-- and the publish is the last thing that an append does.
local call = redis.call
local node, P, PS = ARGV[1], ARGV[2], ARGV[3]

-- Over HTTP the hash of the key comes with the rate of its user's requests, the
-- session that the request names, if any, and that one's lease (ms): HASH COUNT
-- SECONDS SESSION LEASE. On a WebSocket it comes with the incarnation of its
-- bridge: HASH BRIDGE.
local asks, asks_in, asks_for, asks_lease, asks_by
if ARGV[5] then
	local hash, rest = ARGV[5]:match('^(%S+) (.+)$')
	if hash then
		local count, seconds, session, lease = rest:match(
		    '^(%d+) (%d+) (%S*) (%d+)$')
		ARGV[5], asks, asks_in = hash, tonumber(count), tonumber(seconds)
		asks_for, asks_lease = session, tonumber(lease)
		asks_by = not count and rest
	end
end
local SYS = P .. '{sys}:'
-- Caps of a log of notices (number, bytes, ms), and how long (ms) a channel
-- without messages is remembered while somebody is in it; else as long as notices.
local NOTICES, NOTICE_BYTES, NOTICE_TTL = 1000, 1048576, 600000
local SILENT_TTL = 2592000000
local CONVERSATIONS = 1000 -- of one user
local LEFT = 64 -- parts of logs that a session has left and may lack
local ENDS = 1000 -- sessions, and channels that they leave, that end in one step

local time = call('TIME')
local sec, usec = tonumber(time[1]), tonumber(time[2])
local now = sec * 1000 + math.floor(usec / 1000)

local function fail(code, payload)
	return { 'E', code, payload or '' }
end

-- Microseconds since 1970 as text (Lua would round the number's own).
local function micro()
	return string.format('%.0f', sec * 1000000 + usec)
end

-- RFC 3339, UTC, microseconds: days to civil date in the Gregorian calendar.
local function stamp(sec, usec)
	local floor = math.floor
	local days = floor(sec / 86400)
	local r = sec - days * 86400
	local z = days + 719468
	local era = floor(z / 146097)
	local doe = z - era * 146097
	local yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524)
	    - floor(doe / 146096)) / 365)
	local doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100))
	local mp = floor((5 * doy + 2) / 153)
	local m = mp < 10 and mp + 3 or mp - 9
	return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%06dZ',
	    yoe + era * 400 + (m <= 2 and 1 or 0), m,
	    doy - floor((153 * mp + 2) / 5) + 1,
	    floor(r / 3600), floor(r / 60) % 60, r % 60, usec)
end

-- Key of a part of a scope's thing; a channel's notices share its hash tag.
local function key(scope, part)
	if scope:sub(-1) == '~' then
		return P .. '{' .. scope:sub(1, -2) .. '}~' .. part
	end
	return P .. '{' .. scope .. '}' .. part
end

local function of_channel(scope)
	return scope == 'g' or (scope:match('^[pc]:') and scope:sub(-1) ~= '~')
end
