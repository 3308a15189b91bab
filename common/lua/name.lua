-- SPDX-License-Identifier: MIT
-- The folded name of who acts. 4 user, 5 hash of the key, 6 life of a key (ms)
local user = ARGV[4]
if not key_lives(user, ARGV[5], tonumber(ARGV[6])) then
	return key_dead()
end
return { 'OK', call('HGET', P .. '{u:' .. user .. '}', 'f') or '' }
