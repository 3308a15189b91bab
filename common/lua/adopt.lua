-- SPDX-License-Identifier: MIT
-- Counts a living WebSocket session under a bridge's new incarnation.
-- 4 bridge, 5 user, 6... channels
local bridge, user = ARGV[4], ARGV[5]
local name = name_of(user)
if not name or not call('ZSCORE', SYS .. 'leases', bridge) then
	return fail('4')
end
held(bridge, user)
if came(user) then
	sys_signed('signIn', user, name)
end
for i = 6, #ARGV do
	held(bridge, ARGV[i] .. '\n' .. user)
	entered(ARGV[i], user, name)
end
return { 'OK' }
