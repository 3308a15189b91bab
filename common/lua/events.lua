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
-- the same process, or '', number of scopes, (scope, epoch, seq up to which the
-- frames go)..., frames...
local user, session, most = ARGV[4], ARGV[7], tonumber(ARGV[8])
local err = proved(user, ARGV[5], tonumber(ARGV[6]), true)
if err then
	return err
end
local record = call('HGETALL', SYS .. 's:' .. session)
local given, scopes, joined, before = places(ARGV[12]), {}, {}, nil
local began, whole, served
for i = 1, #record, 2 do
	local name, value = record[i], record[i + 1]
	if name == 'b' then
		return fail('10', 'sessionUUID')
	elseif name == 'w' then
		before = value
	elseif name == 'd' then
		whole = value
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
local out, frames = { 'OK', '', '', '', '', tostring(#scopes) }, {}
for i = 1, #scopes do
	local scope, e, at, counts = unpack(scopes[i])
	local place = given[scope]
	if place then
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
	local n = math.min(s - at, most - #frames)
	if n > 0 then
		local some = call('LRANGE', key(scope, ':l'), at + 1 - first, at + n - first)
		for k = 1, #some do
			if some[k]:sub(1, 1) == '{' then
				frames[#frames + 1] = some[k]
			end
		end
		at = at + n
	end
	if at < s then
		more = '1'
	end
	out[#out + 1] = scope
	out[#out + 1] = epoch
	out[#out + 1] = string.format('%.0f', at)
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
