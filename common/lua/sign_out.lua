-- SPDX-License-Identifier: MIT
-- 4 user, 5 hash of the key to end, 6 HTTP: life of a key (ms), else '',
-- 7 HTTP session or '', 8 bridge or '', 9... channels of the bridge's session.
local user, session, bridge = ARGV[4], ARGV[7], ARGV[8]
if bridge == '' then
	local err = proved(user, ARGV[5], tonumber(ARGV[6]), session, 1000)
	if err then
		return err
	end
end
call('ZREM', P .. '{u:' .. user .. '}:k', ARGV[5])
if bridge ~= '' then
	for i = 9, #ARGV do
		if released(bridge, ARGV[i] .. '\n' .. user, 1) then
			left(ARGV[i], user, 1, 0)
		end
	end
	if released(bridge, user, 1) then
		went(user, 1, 0)
	end
elseif session ~= '' then
	session_ended(user, session, 0)
end
return { 'OK' }
