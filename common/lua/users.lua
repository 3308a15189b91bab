-- SPDX-License-Identifier: MIT
-- runs without memory
-- 4 user, 5 hash of the key, 6 life of a key (ms), 7 offset,
-- 8 limit, 9 '1': only those on line, 10 a channel's scope or '': all users,
-- 11 recipient or ''
-- OK, total, (member of users, on line)...
local denied = proved(ARGV[4], ARGV[5], tonumber(ARGV[6]), false)
if denied then
	return denied
end
local offset, limit = tonumber(ARGV[7]), tonumber(ARGV[8])
local rows, total
if ARGV[10] ~= '' then
	local err = no_channel(ARGV[10], ARGV[11])
	if err then
		return err
	end
	rows, total = people(ARGV[10], offset, limit, ARGV[9] == '1')
else
	rows, total = page(SYS .. (ARGV[9] == '1' and 'shown' or 'users'),
	    offset, limit)
end
local out = { 'OK', tostring(total) }
put_users(out, rows, false)
return out
