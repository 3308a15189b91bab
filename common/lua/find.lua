-- SPDX-License-Identifier: MIT
-- 4 folded name, 5 hash of name and address, 6 and 7 rate of wrong passwords.
-- Charges the rate; a sign-in that succeeds gives it back.
-- OK, UUID or '', the password's hash or ''.
local much = limited(SYS .. 'g:' .. ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]))
if much then
	return much
end
local user = call('HGET', SYS .. 'names', ARGV[4])
if not user then
	return { 'OK', '', '' }
end
return { 'OK', user, call('HGET', P .. '{u:' .. user .. '}', 'p') or '' }
