-- SPDX-License-Identifier: MIT
-- Access keys, who acts, and what a bridge is told.

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

-- The first word of an answer: OK or E, and for a session of a bridge's
-- incarnation ('' or nil: it is none) the epoch and seq up to which the log of
-- that bridge's commands went then (unless there is none). Answers and commands
-- come to the bridge by two connections; this tells it which of them was first.
local function word(first, bridge)
	if not bridge or bridge == '' then
		return first
	end
	local e, s = place('b:' .. bridge:sub(1, 36))
	return e ~= '' and first .. ' ' .. e .. ' ' .. s or first
end

local function done(bridge)
	return word('OK', bridge)
end

-- The error of a key that is dead. On a WebSocket it may be one that was the
-- session's until a command that its bridge has not heard of.
local function key_dead()
	return { word('E', asks_by), '4', '' }
end

-- Proves who acts: nil, or the error to answer. A session that a request over
-- HTTP names must be that user's, and its lease is renewed; one that is no more
-- is an error only where the request acts on it.
local function proved(user, hash, ttl, acts)
	if not key_lives(user, hash, ttl) then
		return key_dead()
	end
	local much = asks and limited(P .. '{u:' .. user .. '}:q', asks, asks_in)
	if much then
		return much
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

-- Tells the bridge of a session, which may be none of a bridge's, what was done
-- over HTTP for it: words, one a line, in the log of the bridge's process.
local function command(bridge, ...)
	if bridge then
		append('b:' .. bridge:sub(1, 36), table.concat({ ... }, '\n')
		    .. '\n', '', nil, NOTICES, NOTICE_BYTES, NOTICE_TTL)
	end
end
