-- SPDX-License-Identifier: MIT
-- 4 user, 5 hash of the key, 6 life of a key (ms), 7 session,
-- 8 bridge or '', 9 channel's scope, 10 recipient or '', 11 messages wanted,
-- 12 a UUID for a new channel, 13 channels that a session may be in, 14 users
-- wanted, 15 places (lines of SCOPE EPOCH SEQ)
-- OK, channel's UUID, epoch and seq from where on the session follows, the same
-- of the notices (before this join, or their place; j before an epoch: see
-- places), '1' when the frames are those after the place, more, own sys frame or
-- '', the ends (see end_of) of a channel that gave way, total, number of users,
-- (member of users, on line)..., frames

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

local user, session, bridge, scope = ARGV[4], ARGV[7], ARGV[8], ARGV[9]
local err = proved(user, ARGV[5], tonumber(ARGV[6]), true)
if err then
	return err
end
local name = name_of(user)
if not name then
	return fail('4')
end
if ARGV[10] ~= '' and not name_of(ARGV[10]) then
	return fail('7', 'recipientUUID')
end
if bridge ~= '' and not leased(bridge, session) then
	return fail('20', 'lease')
end
local given = places(ARGV[15])
local e, at, whole, last, first = resumed(scope, given)
local m = key(scope, ':m')
call('HSETNX', m, 'i', ARGV[12])
local ne, ns, _, newest, oldest = resumed(scope .. '~', given)
if bridge ~= '' then
	session_claimed(session, user, name, bridge)
end
-- After the place that was reached as much as is wanted, or the newest page.
local limit = tonumber(ARGV[11])
local from = math.max(first, last - limit + 1)
local more = from > first
if whole then
	more = at + limit < last
	from, last = at + 1, math.min(at + limit, last)
end
local mark, notices_mark = '', ''
if bridge == '' then
	mark, notices_mark = session_cuts_parts(session, scope, from, ns)
end
local frames = {}
if from <= last then
	frames = call('LRANGE', key(scope, ':l'), from - first, last - first)
end
local own, ends = session_entered(session, user, name, scope, tonumber(ARGV[13]),
    e .. ' ' .. last .. ' ' .. ne .. ' ' .. ns)
if own ~= '' and ns < newest and
    joined_since(scope, user, ns + 1 - oldest) then
	own = '' -- the session reads it behind its place
end
if bridge == '' then
	command(call('HGET', SYS .. 's:' .. session, 'b'), 'join', session, user,
	    scope, e, last, ne, ns, own, ends)
end
converses(user, scope, call('HGET', m, 't') or micro(), 'NX')
local rows, total = people(scope, 0, tonumber(ARGV[14]), false)
local out = { done(bridge), call('HGET', m, 'i'), mark .. e, tostring(last),
	notices_mark .. ne, tostring(ns), whole and '1' or '0',
	more and '1' or '0', own, ends, tostring(total), tostring(#rows) }
put_users(out, rows, true)
for i = 1, #frames do
	out[#out + 1] = frames[i]
end
return out
