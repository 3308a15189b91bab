-- SPDX-License-Identifier: MIT
-- runs without memory
-- 4 user, 5 hash of the key (HTTP) or '', 6 life of a key (ms), 7 offset,
-- 8 limit
-- OK, total, (scope, seq, read up to, last message's time, of a private channel
-- the other one's name in JSON and '1' on line)...
local user, offset = ARGV[4], tonumber(ARGV[7])
local denied = proved(user, ARGV[5], tonumber(ARGV[6]), false)
if denied then
	return denied
end
local own = P .. '{u:' .. user .. '}'
local found = call('ZREVRANGE', own .. ':c', 0, -1, 'WITHSCORES')
local rows = {}
for i = 1, #found, 2 do
	local scope, at = found[i], tonumber(found[i + 1])
	if not pair(scope) then -- others' messages are not counted at the user
		at = tonumber(call('HGET', key(scope, ':m'), 't')) or at
	end
	rows[#rows + 1] = { scope, at }
end
table.sort(rows, function(a, b)
	return a[2] > b[2] or (a[2] == b[2] and a[1] < b[1])
end)
local out = { 'OK', tostring(#rows) }
for i = offset + 1, math.min(offset + tonumber(ARGV[8]), #rows) do
	local scope, at = rows[i][1], rows[i][2]
	local seq = tonumber(call('HGET', key(scope, ':m'), 's')) or 0
	local read = tonumber(call('HGET', own .. ':s', scope)) or 0
	local other = pair(scope) and addressed(scope, user)
	local whole = math.floor(at / 1000000)
	for _, word in ipairs({ scope, tostring(seq),
	    tostring(math.min(read, seq)), stamp(whole, at - whole * 1000000),
	    other and name_of(other) or '',
	    other and call('HEXISTS', SYS .. 'online', other) == 1 and '1'
	    or '0' }) do
		out[#out + 1] = word
	end
end
return out
