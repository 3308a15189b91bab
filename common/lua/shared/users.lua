-- SPDX-License-Identifier: MIT
-- Who a user is, and who is on line.

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
