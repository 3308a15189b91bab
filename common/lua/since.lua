-- SPDX-License-Identifier: MIT
-- runs without memory
-- Reads a log from a place on. 4 scope, 5 epoch, 6 seq, 7 events at most,
-- 8 bytes of them after which no more are added
-- OK, epoch, last seq, the epoch before, seq up to which it went, seq of the
-- first frame, frames... That is the one after the place, or the first one kept
-- when that was dropped; or, when what the place saw was lost, or it is none, it
-- starts with the newest page.
local scope, at = ARGV[4], tonumber(ARGV[6])
local limit, room = tonumber(ARGV[7]), tonumber(ARGV[8])
local flag, s, e, first, b, p = reached(scope, ARGV[5], at)
local start = math.max(first, flag == 'epoch' and s - limit + 1 or at + 1)
local out = { 'OK', e, tostring(s), p, tostring(b), tostring(start) }
local last = math.min(s, start + limit - 1)
while start <= last do
	local frames = call('LRANGE', key(scope, ':l'), start - first,
	    math.min(start + 15, last) - first)
	for i = 1, #frames do
		if room <= 0 then
			return out
		end
		room = room - #frames[i]
		out[#out + 1] = frames[i]
	end
	start = start + 16
end
return out
