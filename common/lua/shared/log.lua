-- SPDX-License-Identifier: MIT
-- Logs: a hash and a list each (P{SCOPE}:m and :l).

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

-- Epoch and seq up to which a log goes; '' and '0' where there is none. They may
-- be of the epoch before, whose numbers go on.
local function place(scope)
	local v = call('HMGET', key(scope, ':m'), 'e', 's')
	return v[1] or '', v[2] or '0'
end

-- Where a log ends that a session follows no longer, or, of a channel, both of
-- its logs: SCOPE EPOCH SEQ and a comma each; nothing where there is none.
local function end_of(scope)
	local e, s = place(scope)
	return e ~= '' and scope .. ' ' .. e .. ' ' .. s .. ',' or ''
end

local function ends_of(channel)
	return end_of(channel) .. end_of(channel .. '~')
end

-- The places in lines of SCOPE EPOCH SEQ: scope -> the last one of it, { epoch,
-- seq }, with the one before it. J before an epoch: a join gave it to a session
-- that may lack something of the time before.
local function places(lines)
	local of = {}
	for scope, j, e, s in lines:gmatch('(%S+) (j?)(%x+) (%d+)\n') do
		of[scope] = { e, tonumber(s), joins = j == 'j',
		    before = of[scope] }
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
