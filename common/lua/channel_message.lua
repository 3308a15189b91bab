-- SPDX-License-Identifier: MIT
-- 4 user, 5 hash of the key, 6 life of a key (ms), 7 channel's
-- scope, 8 recipient or '', 9 message's UUID, 10 '1': chosen by the client,
-- 11 text in JSON, 12 messages kept, 13 how long (ms), 14 and 15 rate,
-- 16 bytes of messages kept
-- OK, the stored frame, seq. A UUID that was stored before is not stored again.
local user, scope, to, id = ARGV[4], ARGV[7], ARGV[8], ARGV[9]
local denied = proved(user, ARGV[5], tonumber(ARGV[6]), '', 0)
if denied then
	return denied
end
local name = name_of(user)
if not name then
	return fail('4')
end
local recipient = ''
if to ~= '' then
	local other = name_of(to)
	if not other then
		return fail('7', 'recipientUUID')
	end
	recipient = '"Recipient":' .. user_json(to, other,
	    call('HEXISTS', SYS .. 'online', to) == 1) .. ','
end
local sent = key(scope, ':d:' .. user)
if ARGV[10] == '1' then
	local seq = tonumber(call('ZSCORE', sent, id))
	if seq then
		local l = key(scope, ':l')
		local back = seq - meta(scope) - 1
		return { 'OK', call('LINDEX', l, back) or '', tostring(seq) }
	end
end
local wait = rate(P .. '{u:' .. user .. '}:r', tonumber(ARGV[14]),
    tonumber(ARGV[15]))
if wait then
	return fail('9', wait_seconds(wait))
end
if ARGV[10] == '1' then
	local s = meta(scope)
	call('ZADD', sent, s + 1, id)
	if call('ZCARD', sent) > 512 then
		call('ZREMRANGEBYRANK', sent, 0, 255)
	end
	call('PEXPIRE', sent, 3600000)
end
local sender = user_json(user, name, true)
local frame, seq = append(scope, '{"type":"channelMessage","cursor":"',
    '","channelMessage":{"UUID":"' .. id .. '","SenderUUID":"' .. user
    .. '","Sender":' .. sender .. ',"RecipientUUID":"' .. to .. '",'
    .. recipient .. named(scope) .. ',"Message":' .. ARGV[11]
    .. ',"CreatedAt":"', '}}', tonumber(ARGV[12]),
    tonumber(ARGV[16]), tonumber(ARGV[13]))
converses(user, scope, micro())
if to ~= '' and to ~= user then
	converses(to, scope, micro())
end
if to ~= '' then
	local mid = '","userUUID":"' .. user .. '","user":' .. sender
	    .. ',"sys":{"type":"channelMessage","channelMessage":{"SenderUUID":"'
	    .. user .. '","RecipientUUID":"' .. to .. '","UUID":"' .. id
	    .. '","seq":' .. seq .. ',"Sender":' .. sender .. '}}}'
	notice('u:' .. to, '{"type":"sys","cursor":"', mid)
	if to ~= user then
		notice('u:' .. user, '{"type":"sys","cursor":"', mid)
	end
end
return { 'OK', frame, tostring(seq) }
