-- SPDX-License-Identifier: MIT
-- runs without memory
-- Reads a log from a place on. 4 scope, 5 epoch, 6 seq, 7 events at most.
-- OK, flag, epoch, last seq, seq of the first frame, frames...
-- flag: ok (nothing is missing), gap (trimmed), epoch (what the place saw was
-- lost, or the place is none): then it starts with the newest page.
local scope, limit, at = ARGV[4], tonumber(ARGV[7]), tonumber(ARGV[6])
local s, e, b, p = meta(scope)
local l = key(scope, ':l')
local first = s - call('LLEN', l) + 1
local flag, start = 'epoch', s - limit + 1
if (ARGV[5] == e and at <= s) or (ARGV[5] == p and at <= b) then
	flag, start = 'ok', at + 1
	if start < first and start <= s then
		flag = 'gap'
	end
end
if start < first then
	start = first
end
local out = { 'OK', flag, e, tostring(s), tostring(start) }
if start <= s and limit > 0 then
	local frames = call('LRANGE', l, start - first, start - first + limit - 1)
	for i = 1, #frames do
		out[#out + 1] = frames[i]
	end
end
return out
