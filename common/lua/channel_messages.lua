-- SPDX-License-Identifier: MIT
-- runs without memory
-- 4 user, 5 hash of the key (HTTP) or '', 6 life of a key (ms), 7 channel's
-- scope, 8 recipient or '', 9 seq before which, or '', 10 messages wanted
-- OK, more, frames...
local scope, limit = ARGV[7], tonumber(ARGV[10])
local err = proved(ARGV[4], ARGV[5], tonumber(ARGV[6]), false)
    or no_channel(scope, ARGV[8])
if err then
	return err
end
local l = key(scope, ':l')
local s = tonumber(call('HGET', key(scope, ':m'), 's'))
local first = s and s - call('LLEN', l) + 1 or 1
local last = math.min(s or 0, (tonumber(ARGV[9]) or math.huge) - 1)
local from = math.max(first, last - limit + 1)
local out = { 'OK', from > first and '1' or '0' }
if from <= last then
	local frames = call('LRANGE', l, from - first, last - first)
	for i = 1, #frames do
		out[#out + 1] = frames[i]
	end
end
return out
