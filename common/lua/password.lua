-- SPDX-License-Identifier: MIT
-- A new password, and a new key instead of all others.
-- 4 user, 5 hash of the key, 6 life of a key (ms), 7 session or '',
-- 8 bridge or '', 9 hash of the password that was verified, 10 of the new one,
-- 11 of the new key, 12 hash of name and address, to forgive, 13, 14 its rate
-- What grant gives.
local user, session, bridge, hash = ARGV[4], ARGV[7], ARGV[8], ARGV[11]
local ttl, hkey = tonumber(ARGV[6]), P .. '{u:' .. user .. '}'
local err = proved(user, ARGV[5], ttl, true)
if err then
	return err
end
local name = name_of(user)
if not name then
	return fail('4')
end
if call('HGET', hkey, 'p') ~= ARGV[9] then
	return fail('5')
end
call('HSET', hkey, 'p', ARGV[10])
forgive(SYS .. 'g:' .. ARGV[12], tonumber(ARGV[13]), tonumber(ARGV[14]))
keys_end(user, call('ZRANGE', hkey .. ':k', 0, -1), session)
key_add(user, hash, ttl)
if bridge == '' and session ~= '' then
	local of = call('HGET', SYS .. 's:' .. session, 'b')
	command(of, 'key', session, user, hash, tostring(ttl))
	if not of then
		call('HSET', hkey .. ':h', session, hash)
	end
end
local ss, se = meta('sys')
local us, ue = meta('u:' .. user)
return { done(bridge), user, name, tostring(now + ttl), '0', se, tostring(ss), ue,
	tostring(us), '', tostring(ttl), '0' }
