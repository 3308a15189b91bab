-- SPDX-License-Identifier: MIT
-- runs without memory
-- 4 user, 5 hash of the key to end, 6 life of a key (ms),
-- 7 session or '', 8 bridge or '', 9 '1': all keys of the user
-- OK, the ends (see end_of) of all that a session of a bridge followed
local user, session, bridge = ARGV[4], ARGV[7], ARGV[8]
local err = proved(user, ARGV[5], tonumber(ARGV[6]), false)
if err then
	return err
end
if bridge == '' then
	if call('HGET', SYS .. 's:' .. session, 'u') ~= user then
		session = '' -- no more, or nobody's
	end
elseif not leased(bridge, session) then
	return fail('20', 'lease')
end
local of = bridge ~= '' and bridge
    or call('HGET', SYS .. 's:' .. session, 'b')
local ends = of and ends_of_all(session) or ''
local hashes = { ARGV[5] }
if ARGV[9] == '1' then
	hashes = call('ZRANGE', P .. '{u:' .. user .. '}:k', 0, -1)
end
keys_end(user, hashes, session)
if session ~= '' then
	if bridge == '' then
		command(of, 'out', session, user, ends)
	end
	session_ended(session, 0)
end
return { done(bridge), ends }
