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
-- P{sys}:s:ID), in that order; and the last one of each log.
local function parts_left(text)
	local parts, last = {}, {}
	for line, scope, from_epoch, from, epoch, till in text:gmatch(
	    '((%S+) (%S+) (%d+) (%S+) (%d+)\n)') do
		local part = { line = line, scope = scope, from = tonumber(from),
		    from_epoch = from_epoch, till = tonumber(till),
		    epoch = epoch, before = last[scope] }
		parts[#parts + 1], last[scope] = part, part
	end
	return parts, last
end

-- Epoch and seq of where the session is in a part: of its begin and the places
-- given of its log the highest that the log has not lost, or of the part's epoch;
-- where there is none, the highest. What a join gave is none.
local function place_in(part, place)
	local function known(one)
		if one.known == nil then -- once of each: it may be of many parts
			one.known = reached(part.scope, one[1], one[2]) ~= 'epoch'
		end
		return one.known or one[1] == part.epoch
	end
	local best = { part.from_epoch, part.from }
	while place do
		if not place.joins and (known(place) and not known(best) or
		    known(place) == known(best) and place[2] > best[2]) then
			best = place
		end
		place = place.before
	end
	return best[1], best[2]
end

local last_left = {} -- log -> the last part of it that the session has left

-- Whether the frame, of the user's log, tells of a private message that is in a
-- part.
local function told_by_part(frame)
	local a, b, seq = frame:match('"channelMessage":{"SenderUUID":"([^"]+)",'
	    .. '"RecipientUUID":"([^"]+)","UUID":"[^"]+","seq":(%d+)')
	local part = a and last_left['p:' .. (a < b and a .. ':' .. b
	    or b .. ':' .. a)]
	seq = tonumber(seq)
	while part do
		if part.from < seq and seq <= part.till then
			return true
		end
		part = part.before
	end
	return false
end

local user, session, most = ARGV[4], ARGV[7], tonumber(ARGV[8])
local err = proved(user, ARGV[5], tonumber(ARGV[6]), true)
if err then
	return err
end
local record = call('HGETALL', SYS .. 's:' .. session)
local given, joined, before = places(ARGV[12]), {}, nil
local own, channels = {}, {} -- logs that it follows
local began, whole, served, text, dropped
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
	elseif name == 'm' then
		dropped = tonumber(value)
	elseif name == 'o' then
		local se, ss, ue, us = value:match('(%S+) (%S+) (%S+) (%S+)')
		began = se
		own = { { 'sys', se, tonumber(ss) },
		    { 'u:' .. user, ue, tonumber(us) } }
	elseif name:sub(1, 2) == 'c:' then
		local e, s, ne, ns = value:match(' (%S+) (%S+) (%S+) (%S+)')
		local scope = name:sub(3)
		joined[scope] = true
		channels[#channels + 1] = { scope, e, tonumber(s), true }
		channels[#channels + 1] = { scope .. '~', ne, tonumber(ns) }
	end
end
local recovered, more, frames = '1', '0', {}
local places_left, places_now = {}, {} -- what the answer says of where it is

local function is_at(where, scope, epoch, at)
	where[#where + 1] = scope
	where[#where + 1] = epoch
	where[#where + 1] = string.format('%.0f', at)
end

-- Takes the frames of a log, whose first is that seq, that are behind at and not
-- behind s, as long as there is room. Returns up to where.
local function taken(scope, first, at, s)
	local n = math.min(s - at, most - #frames)
	if n > 0 then
		local some = call('LRANGE', key(scope, ':l'), at + 1 - first, at + n - first)
		local may_repeat = text and scope:sub(1, 2) == 'u:'
		for k = 1, #some do
			if some[k]:sub(1, 1) == '{' and
			    not (may_repeat and told_by_part(some[k])) then
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
-- of a part of it that it has left: until then its place is as a join gave it.
-- A place of before that join is none, unless the log lost where that was.
local function follow(log)
	local scope, e, at, counts = unpack(log)
	local place, part = given[scope], last_left[scope]
	if place and not (part and place[2] < at and
	    reached(scope, e, at) ~= 'epoch') then
		e, at = place[1], place[2]
	end
	if part and part.open then
		is_at(places_now, scope, 'j' .. e, at)
		return
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
	is_at(places_now, scope, epoch, taken(scope, first, at, s))
end

-- Gives what it lacks of a part that it has left. Returns what is to stay of the
-- part: '' when it was had.
local function follow_left(part)
	local scope, till, latest = part.scope, part.till, given[part.scope]
	part.open = part.before and part.before.open
	if part.open then
		return part.line
	end
	local e, at = place_in(part, latest)
	local flag, s, epoch, first, b, p = reached(scope, e, at)
	local stands = part.epoch == epoch and till <= s or
	    part.epoch == p and till <= b
	if at < till or flag == 'epoch' and e ~= part.epoch then
		local messages, n, lost = scope:sub(-1) ~= '~', #frames, false
		if flag ~= 'ok' or not stands then
			lost = messages
			at = stands and messages and math.min(till,
			    math.max(first, till - most + 1) - 1) or till
		end
		if lost then
			recovered = '0'
		end
		at = taken(scope, first, at, till)
		part.open = at < till
		if lost or part.open or #frames > n then
			is_at(places_left, scope, part.epoch, at)
			return part.line
		end
	end
	-- What it joined since (again: where) is followed from there.
	return stands and part.again and latest and latest[2] < part.again and
	    part.line or ''
end

-- What was dropped of them is told until that was heard.
if dropped then
	if given.left and given.left[2] >= dropped then
		call('HDEL', SYS .. 's:' .. session, 'm')
	else
		recovered = '0'
		is_at(places_left, 'left', '0', dropped)
	end
end
local parts = {}
if text then
	parts, last_left = parts_left(text)
end
-- What concerns the user first: it tells of private messages.
for i = 1, #own do
	follow(own[i])
end
for i = 1, #channels do
	local part = last_left[channels[i][1]]
	if part then
		part.again = channels[i][3]
	end
end
local stay = {}
for i = 1, #parts do
	local scope = parts[i].scope
	-- A place of before it left tells of no join since that may be lost; one
	-- just where it left may be of such a join.
	local place = given[scope]
	if place and not place.joins and place[2] < parts[i].till then
		joined[scope] = true
	end
	stay[i] = follow_left(parts[i])
end
for i = 1, #channels do
	follow(channels[i])
end
stay = table.concat(stay)
if text and stay == '' then
	call('HDEL', SYS .. 's:' .. session, 'l')
elseif text and stay ~= text then
	call('HSET', SYS .. 's:' .. session, 'l', stay)
end
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
-- One poll of a session waits at a time: this one ends the one before. A process
-- counts its polls in the last digits of their ids, and ends its own itself.
local k, id = SYS .. 'waiting', ARGV[9]
local over = ARGV[13] == '1' and before ~= id
local waits, ends = '0', ''
if before and before ~= id and not over then
	if before:sub(1, 24) == id:sub(1, 24) then
		call('ZREM', k, before)
		ends = before
	else
		poll_ended(user, before)
	end
end
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
local out = { 'OK', recovered, more, waits, ends,
	tostring((#places_left + #places_now) / 3), tostring(#places_left / 3) }
for _, some in ipairs({ places_left, places_now, frames }) do
	for i = 1, #some do
		out[#out + 1] = some[i]
	end
end
return out
