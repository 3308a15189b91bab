-- SPDX-License-Identifier: MIT
-- runs without memory
-- 4 user, 5 hash of the key, 6 life of a key (ms), 7 session,
-- 8 bridge or '', 9 channel's scope
-- OK, the channel's ends (see end_of)
local user, session, bridge, scope = ARGV[4], ARGV[7], ARGV[8], ARGV[9]
local err = proved(user, ARGV[5], tonumber(ARGV[6]), true)
if err then
	return err
end
if bridge ~= '' and not leased(bridge, session) then
	return fail('20', 'lease')
end
local ends = ends_of(scope)
if bridge == '' then
	command(call('HGET', SYS .. 's:' .. session, 'b'), 'leave', session, user,
	    scope, ends)
end
session_left(session, user, scope, 0)
return { done(bridge), ends }
