-- SPDX-License-Identifier: MIT
-- runs without memory
-- Makes what is counted for a living WebSocket session what its bridge knows.
-- 4 session, 5 bridge, 6 user, 7 hash of its key, 8 and 9 epoch and seq of the
-- last command that the bridge has seen, 10 '1': commands were lost, 11...
-- channels in the order joined.
-- OK, ms that the key lives, '1' when the session is not what its bridge knows,
-- because a command was lost: then nothing was changed. Error 4: user or key are
-- no more. AGAIN: a command is on its way, which may be about this session.

-- Whether a session that is counted is another user's, or in other channels.
local function differs(record, user, wanted, n)
	local of, both = nil, 0
	for i = 1, #record, 2 do
		if record[i] == 'u' then
			of = record[i + 1]
		elseif wanted[record[i]] then
			both = both + 1
		elseif record[i]:sub(1, 2) == 'c:' then
			return true
		end
	end
	return of and (of ~= user or both ~= n)
end

local session, bridge, user = ARGV[4], ARGV[5], ARGV[6]
local name = name_of(user)
if not name then
	return fail('4')
end
if not leased(bridge, session) then
	return fail('20', 'lease')
end
local s, e, b, p = meta('b:' .. bridge:sub(1, 36))
local seen = tonumber(ARGV[9])
if ARGV[8] == e and seen < s or ARGV[8] ~= e and s > b
    or ARGV[8] == p and seen < b then
	return { 'AGAIN' }
end
local till = tonumber(call('ZSCORE', P .. '{u:' .. user .. '}:k', ARGV[7]) or 0)
if till <= now then
	return fail('4')
end
local k, wanted = SYS .. 's:' .. session, {}
for i = 11, #ARGV do
	wanted['c:' .. ARGV[i]] = true
end
if ARGV[10] == '1' and differs(call('HGETALL', k), user, wanted, #ARGV - 10) then
	return { 'OK', tostring(till - now), '1' }
end
session_claimed(session, user, name, bridge)
local fields = call('HKEYS', k)
for i = 1, #fields do
	if fields[i]:sub(1, 2) == 'c:' and not wanted[fields[i]] then
		session_left(session, user, fields[i]:sub(3), 0)
	end
end
for i = 11, #ARGV do
	session_entered(session, user, name, ARGV[i], #ARGV)
	call('HSET', k, 'c:' .. ARGV[i], i, 'n', i)
end
return { 'OK', tostring(till - now), '0' }
