-- SPDX-License-Identifier: MIT
-- A WebSocket's session becomes known, and is nobody's, until it is signed in
-- or the connection ends; once more under a bridge's next incarnation. One that
-- was attached meanwhile stays as it is: its bridge will hear of it.
-- 4 session, 5 bridge, 6 ms that it may stay nobody's
-- OK, and '1' when it was attached.
local session, bridge = ARGV[4], ARGV[5]
local k = SYS .. 's:' .. session
if not leased(bridge, session) then
	return fail('20', 'lease')
end
if call('HEXISTS', k, 'u') == 1 then
	return { 'OK', '1' }
end
call('HSET', k, 'b', bridge)
call('PEXPIRE', k, ARGV[6])
call('SADD', SYS .. 'b:' .. bridge, session)
return { 'OK' }
