-- SPDX-License-Identifier: MIT
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

-- The ends (see end_of) of all that a session follows; '' when it is nobody's.
local function ends_of_all(session)
	local k, ends = SYS .. 's:' .. session, {}
	local user = call('HGET', k, 'u')
	local fields = user and call('HKEYS', k) or {}
	for i = 1, #fields do
		if fields[i]:sub(1, 2) == 'c:' then
			ends[#ends + 1] = ends_of(fields[i]:sub(3))
		end
	end
	return user and end_of('sys') .. end_of('u:' .. user)
	    .. table.concat(ends) or ''
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

-- What an HTTP session has not had yet of a channel that it leaves is kept for
-- its next polls: of value, where it joined, up to where the logs go now. Of too
-- many the one left longest ago gives way, of notices first; of messages it is
-- kept when.
local function session_keeps_part(session, scope, value)
	local k = SYS .. 's:' .. session
	local text = call('HGET', k, 'l') or ''
	local e, s, ne, ns = value:match(' (%S+) (%S+) (%S+) (%S+)')
	for _, log in ipairs({ { scope, e, s }, { scope .. '~', ne, ns } }) do
		local till, te = meta(log[1])
		local lacks = log[2] ~= te or tonumber(log[3]) ~= till
		local _, n = text:gsub('\n', '')
		if lacks and n >= LEFT then
			text, n = text:gsub('%S+~ [^\n]*\n', '', 1)
			lacks = n == 1 or log[1] == scope
			if n == 0 and lacks then
				text = text:match('\n(.*)$')
				call('HSET', k, 'm', string.format('%.0f', now))
			end
		end
		if lacks then
			text = text .. table.concat(log, ' ') .. ' ' .. te .. ' '
			    .. string.format('%.0f', till) .. '\n'
		end
	end
	if text ~= '' then
		call('HSET', k, 'l', text)
	end
end

-- A join gives the session the channel from seq from on, and its notices from
-- behind the seq notices: what it lacks of the time before it left ends there.
-- Returns what stands before the epochs of the messages and of the notices in the
-- join's cursor (see places).
local function session_cuts_parts(session, scope, from, notices)
	local k, notes, marks = SYS .. 's:' .. session, scope .. '~', {}
	local most = { [scope] = from - 1, [notes] = notices }
	local text = call('HGET', k, 'l')
	if text then
		call('HSET', k, 'l', (text:gsub('(%S+)( %S+ %d+ %S+ )(%d+)',
		    function(log, places, till)
			if most[log] then
				marks[log] = 'j'
				till = string.format('%.0f',
				    math.min(most[log], till))
			end
			return log .. places .. till
		end)))
	end
	return marks[scope] or '', marks[notes] or ''
end

local function session_left(session, user, scope, grace)
	local k = SYS .. 's:' .. session
	local of = call('HMGET', k, 'c:' .. scope, 'b')
	if of[1] then
		call('HDEL', k, 'c:' .. scope)
		if not of[2] then
			session_keeps_part(session, scope, of[1])
		end
		session_news(user, session)
		left(scope, user, grace)
	end
end

-- What a session's record says of a channel, with the place where a join by
-- cursor goes on, where that is before the one where the session joined it.
local function earlier(value, place)
	local n, e, s, ne, ns = value:match('^(%d+) (%S+) (%S+) (%S+) (%S+)')
	local pe, ps, pne, pns = place:match('(%S+) (%S+) (%S+) (%S+)')
	if tonumber(ps) < tonumber(s) then
		e, s = pe, ps
	end
	if tonumber(pns) < tonumber(ns) then
		ne, ns = pne, pns
	end
	return table.concat({ n, e, s, ne, ns }, ' ')
end

-- The session is in the channel from now on; joining again changes nothing but
-- that one over HTTP goes on where a cursor of before says. At most channels, the
-- one joined longest ago gives way. place: epoch and seq of messages and of
-- notices from where on it follows; a bridge's sessions know.
-- Returns the sys channelJoin that is for this session alone, where all are told
-- of nothing, or '', and the ends (see end_of) of the channel that gave way, or ''.
local function session_entered(session, user, name, scope, most, place)
	local k, field, ends = SYS .. 's:' .. session, 'c:' .. scope, ''
	local of = call('HMGET', k, field, 'b')
	if of[1] then
		if not of[2] then
			call('HSET', k, field, earlier(of[1], place))
		end
		return '', ends
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
			ends = ends_of(oldest)
			session_left(session, user, oldest, 0)
		end
	end
	call('HSET', k, field, call('HINCRBY', k, 'n', 1)
	    .. (place and ' ' .. place or ''))
	session_news(user, session)
	return entered(scope, user, name) and ''
	    or '{"type":"sys",' .. joining(scope, user, name), ends
end
