-- SPDX-License-Identifier: MIT
-- What all scripts share; embedded in front of each of them. Here, and nowhere
-- else, keys and pub/sub channels are spelled:
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
--                           w a poll that may wait. No TTL: it ends by itself
--                           or is reaped. A WebSocket's that is nobody's yet has
--                           b and a TTL only.
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
-- Answers are flat lists; the first word is OK (see done), AGAIN, or E with the
-- protocol's error code and a payload. All checks come before the first write,
-- and the publish is the last thing that an append does.
local call = redis.call
local node, P, PS = ARGV[1], ARGV[2], ARGV[3]

-- Over HTTP the hash of the key comes with the rate of its user's requests, the
-- session that the request names, if any, and that one's lease (ms): HASH COUNT
-- SECONDS SESSION LEASE.
local asks, asks_in, asks_for, asks_lease
if ARGV[5] then
	local hash, count, seconds, session, lease = ARGV[5]:match(
	    '^(%S+) (%d+) (%d+) (%S*) (%d+)$')
	if hash then
		ARGV[5], asks, asks_in = hash, tonumber(count), tonumber(seconds)
		asks_for, asks_lease = session, tonumber(lease)
	end
end
local SYS = P .. '{sys}:'
-- Caps of a log of notices (number, bytes, ms), and how long (ms) a channel
-- without messages is remembered.
local NOTICES, NOTICE_BYTES, NOTICE_TTL = 1000, 1048576, 600000
local SILENT_TTL = 2592000000
local CONVERSATIONS = 1000 -- of one user
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

-- Last seq, epoch, seq where it began, epoch before and bytes of a log. The
-- epoch changes when another Redis process serves than the one that last wrote.
local function meta(scope)
	local m = key(scope, ':m')
	local v = call('HMGET', m, 's', 'e', 'n', 'b', 'p', 'z')
	local s = tonumber(v[1]) or 0
	if v[3] == node then
		return s, v[2], tonumber(v[4]), v[5], tonumber(v[6])
	end
	local e = string.format('%x%05x', sec, usec)
	call('HSET', m, 's', s, 'e', e, 'n', node, 'b', s, 'p', v[2] or '')
	if not v[1] then
		call('DEL', key(scope, ':l'))
		call('PEXPIRE', m, of_channel(scope) and SILENT_TTL
		    or NOTICE_TTL * 2)
	end
	return s, e, s, v[2] or '', tonumber(v[6])
end

-- What the place (epoch e, seq at) is to a log: 'ok', all after it is there;
-- 'gap', what came next was dropped; 'epoch', what it saw was lost, or it is
-- none. Also the log's last seq, its epoch, the seq of the first event kept (s +
-- 1 when the place is the log's end), and up to where the epoch before went.
local function reached(scope, e, at)
	local s, epoch, b, p = meta(scope)
	local seen = (e == epoch and at <= s) or (e == p and at <= b)
	if seen and at == s then
		return 'ok', s, epoch, s + 1, b, p
	end
	local first = s - call('LLEN', key(scope, ':l')) + 1
	return not seen and 'epoch' or at + 1 < first and 'gap' or 'ok', s, epoch,
	    first, b, p
end

-- The places in lines of SCOPE EPOCH SEQ: scope -> { epoch, seq }.
local function places(lines)
	local of = {}
	for scope, e, s in lines:gmatch('(%S+) (%S+) (%d+)\n') do
		of[scope] = { e, tonumber(s) }
	end
	return of
end

-- Where in a log to go on: at its place among those given (see places), if that
-- is reached, else at its end. Its epoch, the seq, whether it is the place, the
-- last seq, that of the first event kept.
local function resumed(scope, given)
	local place = given[scope]
	local flag, s, e, first = reached(scope, unpack(place or { '-', 0 }))
	if flag == 'ok' then
		return e, place[2], true, s, first
	end
	return e, s, false, s, first
end

-- Bytes of a list whose meta of schema 1 did not count them: from the newest
-- on, and what is beyond most is dropped.
local function counted(l, most)
	local z, at = 0, call('LLEN', l)
	while at > 0 do
		local part = call('LRANGE', l, math.max(0, at - 16), at - 1)
		for i = #part, 1, -1 do
			if z > 0 and z + #part[i] > most then
				call('LTRIM', l, at, -1)
				return z
			end
			z, at = z + #part[i], at - 1
		end
	end
	return z
end

-- Drops from the head of a list of n frames and z bytes what is beyond the caps
-- or, unless it is nil, was created before: 128 frames at most, and never the
-- newest. Full is a little more than the caps, so that most appends drop
-- nothing. Returns the bytes left.
local function trimmed(l, n, z, cap, bytes, before)
	local full = n >= cap + 64 or z > bytes
	if z > bytes then
		bytes = bytes - bytes / 16
	end
	for round = 1, (full or before) and 8 or 0 do
		local head, k = call('LRANGE', l, 0, 15), 0
		while k < #head and n > 1 do
			local frame = head[k + 1]
			local old = before and frame:sub(-80):match(
			    '"CreatedAt":"([^"]*)"')
			if not (full and (n > cap or z > bytes)) and
			    not (old and old < before) then
				break
			end
			k, n, z = k + 1, n - 1, z - #frame
		end
		if k > 0 then
			call('LTRIM', l, k, -1)
		end
		if k < 16 then
			break
		end
	end
	return z
end

-- An event as it is stored, published and sent: pre CURSOR mid, and with a tail
-- CREATED ","seq":SEQ tail.
local function framed(scope, e, s, pre, mid, tail, created)
	local frame = pre .. scope .. ':' .. e .. ':' .. s .. mid
	return tail and frame .. created .. '","seq":' .. s .. tail or frame
end

-- Appends an event (see framed) to a log and publishes it.
-- The log keeps cap events of bytes in all, for ttl ms. Returns the ready
-- frame, seq and epoch.
local function append(scope, pre, mid, tail, cap, bytes, ttl)
	local s, e, _, _, z = meta(scope)
	local m, l = key(scope, ':m'), key(scope, ':l')
	s = s + 1
	local frame = framed(scope, e, s, pre, mid, tail,
	    tail and stamp(sec, usec))
	local n = call('RPUSH', l, frame)
	if n == 1 then
		z = #frame
	elseif z then
		z = z + #frame
	else
		z = counted(l, bytes)
		n = call('LLEN', l)
	end
	z = trimmed(l, n, z, cap, bytes, tail and s % 16 == 0
	    and stamp(sec - math.floor(ttl / 1000), usec) or nil)
	if tail then
		call('HSET', m, 's', s, 'z', z, 't', micro())
	else
		call('HSET', m, 's', s, 'z', z)
	end
	call('PEXPIRE', l, ttl)
	call('PEXPIRE', m, ttl * 2)
	call('PUBLISH', PS .. scope, e .. ' ' .. s .. ' ' .. frame)
	return frame, s, e
end

local function notice(scope, pre, mid)
	return append(scope, pre, mid, nil, NOTICES, NOTICE_BYTES, NOTICE_TTL)
end

-- Generic cell rate: nil when it passes (and is charged), else ms to wait.
local function rate(k, count, seconds)
	if count == 0 then
		return nil
	end
	local each = seconds * 1000 / count
	local tat = tonumber(call('GET', k)) or 0
	if tat < now then
		tat = now
	end
	local wait = tat - now - each * (count - 1)
	if wait > 0 then
		return wait
	end
	call('SET', k, math.floor(tat + each), 'PX',
	    math.ceil(tat + each - now) + 1000)
	return nil
end

-- Gives back what rate charged last.
local function forgive(k, count, seconds)
	local tat = tonumber(call('GET', k))
	if not tat or count == 0 then
		return
	end
	tat = tat - seconds * 1000 / count
	if tat > now then
		call('SET', k, math.floor(tat), 'PX', math.ceil(tat - now))
	else
		call('DEL', k)
	end
end

local function wait_seconds(ms)
	return tostring(math.max(1, math.ceil(ms / 1000)))
end

local function name_of(user)
	return call('HGET', SYS .. 'who', user)
end

-- The user's member of the sets that are ordered by name.
local function member_of(user)
	return call('HGET', P .. '{u:' .. user .. '}', 'm') or user
end

local function user_json(user, name, online)
	return '{"UUID":"' .. user .. '","Username":' .. name .. ',"OnLine":'
	    .. (online and 'true' or 'false') .. '}'
end

-- The recipientUUID and channel that name a channel to everybody: a private
-- channel is named to each reader by the acting user's choice.
local function named(scope)
	if scope:sub(1, 2) == 'c:' then
		return '"channel":"' .. scope:sub(3) .. '"'
	end
	return '"channel":""'
end

-- Whether the key of that hash lets user act; it slides to ttl from now, not
-- more often than its age can be told by.
local function key_lives(user, hash, ttl)
	local k = P .. '{u:' .. user .. '}:k'
	local till = tonumber(call('ZSCORE', k, hash) or 0)
	if till <= now then
		return false
	end
	if now + ttl - till > math.min(ttl / 30, 60000) then
		call('ZADD', k, 'XX', now + ttl, hash)
		call('PEXPIREAT', k, now + ttl)
	end
	return true
end

local function sys_signed(what, user, name)
	return notice('sys', '{"type":"sys","cursor":"',
	    '","sys":{"type":"' .. what .. '","' .. what .. '":{"uuid":"' .. user
	    .. '","username":' .. name .. '}}}')
end

-- One more session of user. Returns true when nobody saw him on line before.
local function came(user)
	local online = SYS .. 'online'
	local before = call('HGET', online, user)
	call('HINCRBY', online, user, 1)
	if before == '0' then
		call('ZREM', SYS .. 'due', user)
	end
	if before then
		return false
	end
	call('ZADD', SYS .. 'shown', 0, member_of(user))
	return true
end

local function offline(user)
	call('HDEL', SYS .. 'online', user)
	call('ZREM', SYS .. 'due', user)
	call('ZREM', SYS .. 'shown', member_of(user))
	sys_signed('signOut', user, name_of(user) or '""')
end

-- One session of user less; grace in ms, 0: at once.
local function went(user, grace)
	local online = SYS .. 'online'
	local have = tonumber(call('HGET', online, user)) or 0
	if have > 1 then
		call('HSET', online, user, have - 1)
	elseif have == 1 and grace > 0 then
		call('HSET', online, user, 0)
		call('ZADD', SYS .. 'due', now + grace, user)
	elseif have == 1 then
		offline(user)
	end
end

-- Both users of a private channel (twice the same: notes to self), or nil.
local function pair(scope)
	if scope:sub(1, 2) == 'p:' then
		return scope:sub(3, 38), scope:sub(40, 75)
	end
end

-- To the members of a private channel recipientUUID is the other one.
local function addressed(scope, user)
	local low, high = pair(scope)
	return not low and '' or user == low and high or low
end

-- Counts scope among the user's conversations: at (microseconds) came its last
-- message. only 'NX': it was not new, a conversation there already stays.
local function converses(user, scope, at, only)
	local own = P .. '{u:' .. user .. '}'
	local new
	if only then
		new = call('ZADD', own .. ':c', only, at, scope)
	else
		new = call('ZADD', own .. ':c', at, scope)
	end
	local over = new == 1 and call('ZCARD', own .. ':c') - CONVERSATIONS or 0
	if over > 0 then
		local gone = call('ZRANGE', own .. ':c', 0, over - 1)
		call('ZREM', own .. ':c', unpack(gone))
		call('HDEL', own .. ':s', unpack(gone))
	end
end

-- Of the set k, the members of users from offset on, and how many it has.
local function page(k, offset, limit)
	local rows = {}
	if limit > 0 then
		rows = call('ZRANGE', k, offset, offset + limit - 1)
	end
	return rows, call('ZCARD', k)
end

-- The same of the people of a channel. online: only those on line.
local function people(scope, offset, limit, online)
	local low, high = pair(scope)
	if not low then -- who is in has a session, so is on line
		return page(key(scope, ':by'), offset, limit)
	end
	local all, rows = {}, {}
	for _, user in ipairs(low == high and { low } or { low, high }) do
		if not online or call('HEXISTS', SYS .. 'online', user) == 1 then
			all[#all + 1] = member_of(user)
		end
	end
	table.sort(all)
	for i = offset + 1, math.min(offset + limit, #all) do
		rows[#rows + 1] = all[i]
	end
	return rows, #all
end

-- Puts (member, on line) of rows into out, those on line first if wanted.
local function put_users(out, rows, online_first)
	local ids = {}
	for i = 1, #rows do
		ids[i] = rows[i]:match('\n([^\n]*)\n') or rows[i]
	end
	local online = #ids > 0 and call('HMGET', SYS .. 'online', unpack(ids))
	for pass = online_first and 1 or 0, online_first and 2 or 0 do
		for i = 1, #rows do
			if pass == 0 or (online[i] and 1 or 2) == pass then
				out[#out + 1] = rows[i]
				out[#out + 1] = online[i] and '1' or '0'
			end
		end
	end
end

-- The error to answer when the channel that is to be read is none.
local function no_channel(scope, to)
	if to ~= '' and not name_of(to) then
		return fail('7', 'recipientUUID')
	end
	if scope:sub(1, 2) == 'c:' and call('EXISTS', key(scope, ':m')) == 0 then
		return fail('7', 'channel')
	end
end

-- What a sys channelJoin of user says behind its cursor.
local function joining(scope, user, name)
	return '"userUUID":"' .. user .. '","user":'
	    .. user_json(user, name, true)
	    .. ',"sys":{"type":"channelJoin","channelJoin":{"recipientUUID":"'
	    .. addressed(scope, user) .. '",' .. named(scope) .. '}}}'
end

-- Whether the channel's notices from that index of their list on, at most
-- NOTICES and some, have a join of user.
local function joined_since(scope, user, index)
	local frames = call('LRANGE', key(scope .. '~', ':l'), index, -1)
	for i = 1, #frames do
		if frames[i]:sub(1, 13) == '{"type":"sys"' and
		    frames[i]:find('"userUUID":"' .. user .. '"', 1, true) then
			return true
		end
	end
	return false
end

-- One more session of user in the channel; all there are told of the first.
-- Returns whether they were.
local function entered(scope, user, name)
	local k = key(scope, ':in')
	local before = call('HGET', k, user)
	call('HINCRBY', k, user, 1)
	if before == '0' then
		call('ZREM', SYS .. 'due', scope .. '\n' .. user)
	end
	if not before then
		if not pair(scope) then
			call('ZADD', key(scope, ':by'), 0, member_of(user))
		end
		notice(scope .. '~', '{"type":"sys","cursor":"',
		    '",' .. joining(scope, user, name))
	end
	return not before
end

local function outside(scope, user)
	call('HDEL', key(scope, ':in'), user)
	if not pair(scope) then
		call('ZREM', key(scope, ':by'), member_of(user))
	end
	call('ZREM', SYS .. 'due', scope .. '\n' .. user)
	notice(scope .. '~', '{"type":"channelLeave","cursor":"',
	    '","userUUID":"' .. user .. '","channelLeave":{"recipientUUID":"'
	    .. addressed(scope, user) .. '",' .. named(scope)
	    .. ',"senderUUID":"' .. user .. '"}}')
end

-- One session of user in the channel less.
local function left(scope, user, grace)
	local k = key(scope, ':in')
	local have = tonumber(call('HGET', k, user)) or 0
	if have > 1 then
		call('HSET', k, user, have - 1)
	elseif have == 1 and grace > 0 then
		call('HSET', k, user, 0)
		call('ZADD', SYS .. 'due', now + grace, scope .. '\n' .. user)
	elseif have == 1 then
		outside(scope, user)
	end
end

-- Counting. A session's record says what it is counted for, and changes only
-- together with the counts: whatever is done twice, or tried again after an
-- unknown outcome, counts once. Those of a bridge belong to its incarnation
-- (PROCESS '.' NUMBER, of fixed width), which may count while it has its
-- lease; one that lost it is reaped. The bridge then takes the next and claims
-- its sessions for it; what was on its way for the one before is refused.

-- Whether a bridge's incarnation may count the session.
local function leased(bridge, session)
	if not call('ZSCORE', SYS .. 'leases', bridge) then
		return false
	end
	local of = call('HGET', SYS .. 's:' .. session, 'b')
	return not of or of <= bridge
end

-- Counts a session of user: of a bridge's incarnation, or over HTTP (bridge
-- '') under a lease of its own (ms). True when nobody saw him on line before.
local function session_begun(session, user, bridge, lease)
	local k = SYS .. 's:' .. session
	if bridge ~= '' then
		call('HSET', k, 'u', user, 'b', bridge)
		call('SADD', SYS .. 'b:' .. bridge, session)
	else
		call('HSET', k, 'u', user)
		call('ZADD', SYS .. 'polls', now + lease, session)
	end
	return came(user)
end

-- Has the poll that waits answered at once; of no log, so it may be lost: then
-- that poll ends by its time.
local function poll_ended(user, poll)
	call('ZREM', SYS .. 'waiting', poll)
	call('PUBLISH', PS .. 'u:' .. user, '- 0 poll ' .. poll)
end

-- Has the poll of a session answered, if one waits.
local function session_news(user, session)
	local k = SYS .. 's:' .. session
	local poll = call('HGET', k, 'w')
	if poll then
		call('HDEL', k, 'w')
		poll_ended(user, poll)
	end
end

-- Ends a session: its channels, then its presence. One that is not counted is
-- fine. Returns how many channels it was in.
local function session_ended(session, grace)
	local k = SYS .. 's:' .. session
	local fields, of, n = call('HGETALL', k), {}, 0
	for i = 1, #fields, 2 do
		of[fields[i]] = fields[i + 1]
	end
	for i = 1, #fields, 2 do
		if fields[i]:sub(1, 2) == 'c:' then
			left(fields[i]:sub(3), of.u, grace)
			n = n + 1
		end
	end
	call('DEL', k)
	if of.w then
		poll_ended(of.u, of.w)
	end
	if of.b then
		call('SREM', SYS .. 'b:' .. of.b, session)
	else
		call('ZREM', SYS .. 'polls', session)
		call('HDEL', P .. '{u:' .. (of.u or '') .. '}:h', session)
	end
	if of.u then
		went(of.u, grace)
	end
	return n
end

-- Has a bridge's session counted as user's, under this incarnation.
local function session_claimed(session, user, name, bridge)
	local k = SYS .. 's:' .. session
	local of = call('HMGET', k, 'u', 'b')
	if of[1] ~= user then
		session_ended(session, 0)
		if session_begun(session, user, bridge) then
			sys_signed('signIn', user, name)
		end
	elseif of[2] ~= bridge then
		call('HSET', k, 'b', bridge)
		call('SADD', SYS .. 'b:' .. bridge, session)
	end
end

local function session_left(session, user, scope, grace)
	if call('HDEL', SYS .. 's:' .. session, 'c:' .. scope) == 1 then
		left(scope, user, grace)
		session_news(user, session)
	end
end

-- The session is in the channel from now on; joining again changes nothing.
-- At most channels, the one joined longest ago gives way. place: epoch and seq
-- of messages and of notices from where on it follows; a bridge's sessions know.
-- Returns the sys channelJoin that is for this session alone, where all are told
-- of nothing, or ''.
local function session_entered(session, user, name, scope, most, place)
	local k, field = SYS .. 's:' .. session, 'c:' .. scope
	if call('HEXISTS', k, field) == 1 then
		return ''
	end
	if call('HLEN', k) >= most then
		local fields, n, first, oldest = call('HGETALL', k), 0
		for i = 1, #fields, 2 do
			if fields[i]:sub(1, 2) == 'c:' then
				local at = tonumber(fields[i + 1]:match('^%d+'))
				n = n + 1
				if not first or at < first then
					first, oldest = at, fields[i]:sub(3)
				end
			end
		end
		if n >= most then
			session_left(session, user, oldest, 0)
		end
	end
	call('HSET', k, field, call('HINCRBY', k, 'n', 1)
	    .. (place and ' ' .. place or ''))
	session_news(user, session)
	return entered(scope, user, name) and ''
	    or '{"type":"sys",' .. joining(scope, user, name)
end

-- Keys of user are dead: all bridges are to close the sessions that signed in
-- by them, but the one that stays ('': none). Told by the user's own log. Those
-- over HTTP end as well: where there is more to do than ENDS, their leases are
-- over at once, and the reaper counts them out.
local function keys_end(user, hashes, stays)
	if #hashes > 0 then
		append('u:' .. user, '!' .. stays .. '\n'
		    .. table.concat(hashes, '\n') .. '\n', '', nil, NOTICES,
		    NOTICE_BYTES, NOTICE_TTL)
		call('ZREM', P .. '{u:' .. user .. '}:k', unpack(hashes))
		local dead, work, over = {}, ENDS, {}
		for i = 1, #hashes do
			dead[hashes[i]] = true
		end
		local by = call('HGETALL', P .. '{u:' .. user .. '}:h')
		for i = 1, #by, 2 do
			local session = by[i]
			if not dead[by[i + 1]] or session == stays then
				session = nil
			elseif work > 0 then
				work = work - 1 - session_ended(session, 0)
			else
				session_news(user, session)
				over[#over + 1] = '0'
				over[#over + 1] = session
			end
			if #over == 2000 or i == #by - 1 and #over > 0 then
				call('ZADD', SYS .. 'polls', 'XX', unpack(over))
				over = {}
			end
		end
	end
end

-- Room for one more key: those unused for longest go.
local function keys_make_room(user, most)
	local k = P .. '{u:' .. user .. '}:k'
	call('ZREMRANGEBYSCORE', k, '-inf', now)
	local over = call('ZCARD', k) + 1 - most
	if over > 0 then
		keys_end(user, call('ZRANGE', k, 0, over - 1), '')
	end
end

local function key_add(user, hash, ttl)
	local k = P .. '{u:' .. user .. '}:k'
	call('ZADD', k, now + ttl, hash)
	call('PEXPIREAT', k, now + ttl)
end

-- An HTTP session lives lease (ms) from now on, or as long as it does already: a
-- poll may wait longer than that. False when its lease is over, and the reaper
-- is yet to count it out.
local function renewed(session, lease)
	local till = tonumber(call('ZSCORE', SYS .. 'polls', session) or 0)
	if till > now and now + lease > till then
		call('ZADD', SYS .. 'polls', now + lease, session)
	end
	return till > now
end

-- Proves who acts over HTTP: nil, or the error to answer. A session that the
-- request names must be that user's, and its lease is renewed; one that is no
-- more is an error only where the request acts on it.
local function proved(user, hash, ttl, acts)
	if hash == '' then
		return nil
	end
	if not key_lives(user, hash, ttl) then
		return fail('4')
	end
	local wait = asks and rate(P .. '{u:' .. user .. '}:q', asks, asks_in)
	if wait then
		return fail('9', wait_seconds(wait))
	end
	if asks and asks_for ~= '' then
		local of = call('HMGET', SYS .. 's:' .. asks_for, 'u', 'b')
		if of[1] and of[1] ~= user then
			return fail('10', 'sessionUUID')
		end
		local lives = of[1] and (of[2] or renewed(asks_for, asks_lease))
		if acts and not lives then
			return fail('4', 'sessionUUID')
		end
	end
	return nil
end

-- The first word of a success: for a session of a bridge's incarnation ('' or
-- nil: it is none) with the epoch and seq up to which the log of that bridge's
-- commands went then (unless there is none). Answers and commands come to the
-- bridge by two connections; this tells it which of them was first.
local function done(bridge)
	local v = bridge and bridge ~= '' and
	    call('HMGET', key('b:' .. bridge:sub(1, 36), ':m'), 'e', 's')
	return v and v[1] and 'OK ' .. v[1] .. ' ' .. v[2] or 'OK'
end

-- Tells the bridge of a session, which may be none of a bridge's, what was done
-- over HTTP for it: words, one a line, in the log of the bridge's process.
local function command(bridge, ...)
	if bridge then
		append('b:' .. bridge:sub(1, 36), table.concat({ ... }, '\n')
		    .. '\n', '', nil, NOTICES, NOTICE_BYTES, NOTICE_TTL)
	end
end
