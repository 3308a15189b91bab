-- SPDX-License-Identifier: MIT
-- People and their channels.

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

-- One more session of user in the channel; all there are told of the first.
-- Returns whether they were.
local function entered(scope, user, name)
	local k, m = key(scope, ':in'), key(scope, ':m')
	if call('PTTL', m) < SILENT_TTL then
		call('PEXPIRE', m, SILENT_TTL)
	end
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
	local k, m = key(scope, ':in'), key(scope, ':m')
	call('HDEL', k, user)
	if call('EXISTS', k) == 0 and call('HGET', m, 's') == '0' then
		call('PEXPIRE', m, NOTICE_TTL * 2)
	end
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
