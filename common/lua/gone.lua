-- SPDX-License-Identifier: MIT
-- A WebSocket session ended, or left channels. 4 bridge, 5 user, 6 grace (ms),
-- 7 '1': it ended, 8... channels.
local bridge, user, grace = ARGV[4], ARGV[5], tonumber(ARGV[6])
for i = 8, #ARGV do
	if released(bridge, ARGV[i] .. '\n' .. user, 1) then
		left(ARGV[i], user, 1, grace)
	end
end
if ARGV[7] == '1' and released(bridge, user, 1) then
	went(user, 1, grace)
end
return { 'OK' }
