-- SPDX-License-Identifier: MIT
-- 4 user, 5 hash of the key, 6 life of a key (ms), 7 offset,
-- 8 limit, 9 '1': only those on line
-- OK, total, (member of users, on line)...
if not key_lives(ARGV[4], ARGV[5], tonumber(ARGV[6])) then
	return fail('4')
end
local k = SYS .. (ARGV[9] == '1' and 'shown' or 'users')
local out = { 'OK', tostring(call('ZCARD', k)) }
local limit = tonumber(ARGV[8])
if limit == 0 then
	return out
end
local rows = call('ZRANGE', k, ARGV[7], ARGV[7] + limit - 1)
if #rows == 0 then
	return out
end
local ids = {}
for i = 1, #rows do
	ids[i] = rows[i]:match('\n([^\n]*)\n') or rows[i]
end
local online = call('HMGET', SYS .. 'online', unpack(ids))
for i = 1, #rows do
	out[#out + 1] = rows[i]
	out[#out + 1] = online[i] and '1' or '0'
end
return out
