-- SPDX-License-Identifier: MIT
-- runs without memory
-- Reads a log from a place on. 4 scope, 5 epoch, 6 seq, 7 events at most.
-- OK, flag, epoch, last seq, seq of the first frame, frames...
-- flag: ok (nothing is missing), gap (trimmed), epoch (what the place saw was
-- lost, or the place is none): then it starts with the newest page.
local scope, limit, at = ARGV[4], tonumber(ARGV[7]), tonumber(ARGV[6])
local flag, s, e, first = reached(scope, ARGV[5], at)
local start = math.max(first, flag == 'epoch' and s - limit + 1 or at + 1)
local out = { 'OK', flag, e, tostring(s), tostring(start) }
if start <= s and limit > 0 then
	local frames = call('LRANGE', key(scope, ':l'), start - first, start - first + limit - 1)
	for i = 1, #frames do
		out[#out + 1] = frames[i]
	end
end
return out
