-- SPDX-License-Identifier: MIT
-- runs without memory
-- What an HTTP session has not had.
-- 4 user, 5 hash of the key, 6 life of a key (ms), 7 session, 8 frames at most,
-- 9 what names this poll if it is to wait, or '', 10 how long (ms), 11 polls
-- that may wait in all processes, 0: no bound, 12 places: lines of SCOPE EPOCH
-- SEQ; a scope without one starts where the session joined it, 13 '1': the poll
-- asks again. When it is not the one that waits any more, it has been ended
-- meanwhile, and did not hear of it: it is over, and leaves a newer one alone.
-- OK, '1' when nothing was lost, '1' when more follows, '1' when it is to wait
-- ('full': it would, but too many do), the poll that this one ends, if it is of
-- the same process, or '', number of scopes, how many of them, the first ones, are
-- parts that it has left (none when it is to wait), (scope, epoch, seq up to which
-- the frames go)..., frames...

-- The parts of logs that the session has left, and may lack (text: see
-- P{sys}:s:ID), in that order; and the last one of each log. next: where it
-- joined again.
local function parts_left(text)
	local parts, last = {}, {}
	for line, scope, e, s, te, ts, gone in text:gmatch(
	    '((%S+) (%S+) (%d+) (%S+) (%d+)( ?[!?]?)\n)') do
		local part = { line = line, scope = scope, e = e,
		    s = tonumber(s), te = te, ts = tonumber(ts),
		    lost = gone ~= '', untold = gone == ' !',
		    before = last[scope] }
		if part.before then
			part.before.next = part.s
		end
		parts[#parts + 1], last[scope] = part, part
	end
	return parts, last
end

-- The places in lines of SCOPE EPOCH SEQ, but for those that a join gave: scope ->
-- list of { epoch, seq }.
local function all_places(lines)
	local of = {}
	for scope, e, s in lines:gmatch('(%S+) (%x+) (%d+)\n') do
		of[scope] = of[scope] or {}
		table.insert(of[scope], { e, tonumber(s) })
	end
	return of
end

-- Epoch and seq of where the session is in a part: the last of the places given
-- that is behind its begin, which it is where there is none.
local function place_in(part, some)
	for i = some and #some or 0, 1, -1 do
		if some[i][2] > part.s then
			return unpack(some[i])
		end
	end
	return part.e, part.s
end

-- Whether the frame tells of a private message that the session was there for.
local function spared(frame, left)
	local a, b, seq = frame:match('"channelMessage":{"SenderUUID":"([^"]+)",'
	    .. '"RecipientUUID":"([^"]+)","UUID":"[^"]+","seq":(%d+)')
	local part = a and left['p:' .. (a < b and a .. ':' .. b or b .. ':' .. a)]
	return part and tonumber(seq) <= part.ts
end

local user, session, most = ARGV[4], ARGV[7], tonumber(ARGV[8])
local err = proved(user, ARGV[5], tonumber(ARGV[6]), true)
if err then
	return err
end
local record = call('HGETALL', SYS .. 's:' .. session)
local given, scopes, joined, before = places(ARGV[12]), {}, {}, nil
local began, whole, served, text
for i = 1, #record, 2 do
	local name, value = record[i], record[i + 1]
	if name == 'b' then
		return fail('10', 'sessionUUID')
	elseif name == 'w' then
		before = value
	elseif name == 'd' then
		whole = value
	elseif name == 'l' then
		text = value
	elseif name == 'o' then
		local se, ss, ue, us = value:match('(%S+) (%S+) (%S+) (%S+)')
		began = se
		scopes[#scopes + 1] = { 'sys', se, tonumber(ss) }
		scopes[#scopes + 1] = { 'u:' .. user, ue, tonumber(us) }
	elseif name:sub(1, 2) == 'c:' then
		local e, s, ne, ns = value:match(' (%S+) (%S+) (%S+) (%S+)')
		local scope = name:sub(3)
		joined[scope] = true
		scopes[#scopes + 1] = { scope, e, tonumber(s), true }
		scopes[#scopes + 1] = { scope .. '~', ne, tonumber(ns) }
	end
end
local recovered, more = '1', '0'
local out, frames = { 'OK', '', '', '', '', '', '0' }, {}
local left = {} -- log -> the last part of it that the session has left

-- Takes the frames of a log, whose first is that seq, that are behind at and not
-- behind s, as long as there is room. Returns up to where.
local function taken(scope, first, at, s)
	local n = math.min(s - at, most - #frames)
	if n > 0 then
		local some = call('LRANGE', key(scope, ':l'), at + 1 - first, at + n - first)
		for k = 1, #some do
			if some[k]:sub(1, 1) == '{' and
			    not (text and spared(some[k], left)) then
				frames[#frames + 1] = some[k]
			end
		end
		at = at + n
	end
	if at < s then
		more = '1'
	end
	return at
end

-- Gives what is new in a log that the session follows; not before what it lacks
-- of a part of it that it has left.
local function follow(log)
	local scope, e, at, counts = unpack(log)
	local place, part = given[scope], left[scope]
	if part and part.open then
		return
	end
	if place and not (part and place[2] < at) then
		e, at = place[1], place[2]
	end
	local flag, s, epoch, first, b, p = reached(scope, e, at)
	if scope == 'sys' then
		served = epoch
	end
	if flag ~= 'ok' then
		-- Notices are short-lived by contract: they just go on, from where
		-- what was lost began, or at the end.
		at = e == p and at > b and math.max(b, first - 1) or s
		if counts then
			recovered = '0'
			at = math.max(first, s - most + 1) - 1
		end
	end
	if at < s then
		at = taken(scope, first, at, s)
	end
	out[#out + 1] = scope
	out[#out + 1] = epoch
	out[#out + 1] = string.format('%.0f', at)
end

-- Gives what it lacks of a part that it has left; some: the places given of its
-- log. Returns what is to stay of the part: '' when it was had.
local function follow_left(part, some, heads)
	local scope, te, ts = part.scope, part.te, part.ts
	local messages = scope:sub(-1) ~= '~'
	part.open = part.before and part.before.open
	if part.open then
		return part.line
	end
	local e, at = place_in(part, some)
	local flag, s, epoch, first, b, p = reached(scope, e, at)
	local stands = te == epoch and ts <= s or te == p and ts <= b
	if at < ts or e ~= te and (flag == 'epoch' or not stands) then
		local lost = part.lost or messages and (flag ~= 'ok' or not stands)
		if flag ~= 'ok' or not stands then
			at = stands and messages and
			    math.min(ts, math.max(first, ts - most + 1) - 1) or ts
		end
		if lost then
			recovered = '0'
		end
		local n = #frames
		at = taken(scope, first, at, ts)
		part.open = at < ts
		if lost or part.open or #frames > n then
			heads[#heads + 1] = scope
			heads[#heads + 1] = part.open and epoch or te
			heads[#heads + 1] = string.format('%.0f', at)
			return (part.line:gsub('!', '?'))
		end
	end
	if part.untold then
		recovered = '0'
	end
	-- A place of before it is none in what was joined since.
	local latest = given[scope]
	return part.next and latest and latest[2] < part.next and
	    part.line:gsub('!', '?') or ''
end

if not text then
	for i = 1, #scopes do
		follow(scopes[i])
	end
else
	-- What concerns the user first: it tells of private messages.
	local parts, all, heads, stay = nil, all_places(ARGV[12]), {}, {}
	parts, left = parts_left(text)
	for i = 1, #scopes do
		local part = left[scopes[i][1]]
		if part then
			part.next = scopes[i][3]
		elseif not scopes[i][1]:find('^[gcp]') then
			follow(scopes[i])
		end
	end
	for i = 1, #parts do
		local part = parts[i]
		joined[part.scope] = true
		stay[i] = follow_left(part, all[part.scope], heads)
	end
	for i = 1, #scopes do
		if scopes[i][1]:find('^[gcp]') then
			follow(scopes[i])
		end
	end
	for i = #out, 8, -1 do
		out[i + #heads] = out[i]
	end
	for i = 1, #heads do
		out[7 + i] = heads[i]
	end
	out[7] = tostring(#heads / 3)
	stay = table.concat(stay)
	if stay == '' then
		call('HDEL', SYS .. 's:' .. session, 'l')
	elseif stay ~= text then
		call('HSET', SYS .. 's:' .. session, 'l', stay)
	end
end
out[6] = tostring((#out - 7) / 3)
-- The Redis that took over from another may lack joins of the session, which it
-- would follow no more: who stands in such a channel is to sign in and join anew.
-- Once it stands in none, nothing was lost; a poll that asks again knows only of
-- joins before it.
if served ~= began and served ~= whole then
	for scope in pairs(given) do
		if of_channel(scope) and not joined[scope] then
			call('ZADD', SYS .. 'polls', 'XX', 0, session)
			return fail('4', 'sessionUUID')
		end
	end
	if ARGV[13] ~= '1' then
		call('HSET', SYS .. 's:' .. session, 'd', served)
	end
end
for i = 1, #frames do
	out[#out + 1] = frames[i]
end
-- One poll of a session waits at a time: this one ends the one before. A process
-- counts its polls in the last digits of their ids, and ends its own itself.
local k, id = SYS .. 'waiting', ARGV[9]
local over = ARGV[13] == '1' and before ~= id
if before and before ~= id and not over then
	if before:sub(1, 24) == id:sub(1, 24) then
		call('ZREM', k, before)
		out[5] = before
	else
		poll_ended(user, before)
	end
end
local waits = '0'
if id ~= '' and not over and #frames == 0 and recovered == '1' and more == '0' then
	waits = '1'
end
if waits == '1' and ARGV[11] ~= '0' then
	call('ZREMRANGEBYSCORE', k, '-inf', now)
	if call('ZCARD', k) < tonumber(ARGV[11]) or call('ZSCORE', k, id) then
		call('ZADD', k, now + ARGV[10] + 1000, id)
		call('PEXPIRE', k, 1200000) -- twice the longest wait
	else
		waits = 'full'
	end
end
if waits == '1' then
	call('HSET', SYS .. 's:' .. session, 'w', id)
elseif before and not over then
	call('HDEL', SYS .. 's:' .. session, 'w')
	call('ZREM', k, before)
end
out[2], out[3], out[4] = recovered, more, waits
return out
