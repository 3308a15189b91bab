-- SPDX-License-Identifier: MIT
-- 4 user, 5 hash of the key (HTTP) or '', 6 life of a key (ms), 7 channel's
-- scope, 8 recipient or '', 9 seq, 10 origin of the asking session, 11 the
-- channel's names as members in JSON
-- OK, seq read up to: never backwards, never beyond the channel's
local user, scope = ARGV[4], ARGV[7]
local err = proved(user, ARGV[5], tonumber(ARGV[6]), false)
    or no_channel(scope, ARGV[8])
if err then
	return err
end
local seen = P .. '{u:' .. user .. '}:s'
local last = call('HMGET', key(scope, ':m'), 's', 't')
local seq = tonumber(last[1]) or 0
local read = math.min(tonumber(call('HGET', seen, scope)) or 0, seq)
local wanted = math.min(tonumber(ARGV[9]), seq)
if wanted > read then
	read = wanted
	call('HSET', seen, scope, read)
	converses(user, scope, last[2] or micro(), 'NX')
	notice('u:' .. user, '{"type":"channelRead","cursor":"',
	    '","origin":"' .. ARGV[10] .. '","channelRead":{' .. ARGV[11]
	    .. ',"seq":' .. read .. '}}')
end
return { 'OK', tostring(read) }
