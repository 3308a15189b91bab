-- SPDX-License-Identifier: MIT
-- 4 user, 5 hash of the key, 6 life of a key (ms), 7 channel's
-- scope, 8 recipient or '', 9 message's UUID, 10 '1': chosen by the client,
-- 11 text in JSON, 12 messages kept, 13 how long (ms), 14 and 15 rate,
-- 16 bytes of messages kept, 17 ms that a UUID is known at least, 18 UUIDs
-- known, 19 session or ''
-- OK, the stored frame, seq, '1' when the session is in the channel. A UUID that
-- was stored before is not stored again: its first frame is the answer, made
-- anew where the history has dropped it.

-- Drops UUIDs that are older than life (ms), or the oldest, down to three
-- quarters of most.
local function forget_sent(k, most, life)
	local all, ages, gone = call('HGETALL', k), {}, {}
	for i = 1, #all, 2 do
		ages[#ages + 1] = { tonumber(all[i + 1]:match('^%d+')), all[i] }
	end
	table.sort(ages, function(a, b) return a[1] < b[1] end)
	local oldest = (now - life) * 1000
	for i = 1, #ages do
		if ages[i][1] >= oldest and #ages - i < most * 3 / 4 then
			break
		end
		gone[#gone + 1] = ages[i][2]
		if #gone == 1000 then
			call('HDEL', k, unpack(gone))
			gone = {}
		end
	end
	if #gone > 0 then
		call('HDEL', k, unpack(gone))
	end
end

local user, scope, to, id = ARGV[4], ARGV[7], ARGV[8], ARGV[9]
local denied = proved(user, ARGV[5], tonumber(ARGV[6]), false)
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
local session = SYS .. 's:' .. ARGV[19]
local of = call('HMGET', session, 'c:' .. scope, 'b')
local follows = of[1] and '1' or '0'
local sent = key(scope, ':d:' .. user)
local sender = user_json(user, name, true)
local pre, tail = '{"type":"channelMessage","cursor":"', '}}'
local mid = '","channelMessage":{"UUID":"' .. id .. '","SenderUUID":"' .. user
    .. '","Sender":' .. sender .. ',"RecipientUUID":"' .. to .. '",'
    .. recipient .. named(scope) .. ',"Message":' .. ARGV[11]
    .. ',"CreatedAt":"'
local before = ARGV[10] == '1' and call('HGET', sent, id)
if before then
	local s, u, e, seq = before:match('^(%d+)(%d%d%d%d%d%d) (%x+) (%d+)$')
	local frame = call('LINDEX', key(scope, ':l'), seq - meta(scope) - 1)
	if not frame or not frame:find(id, 1, true) then
		frame = framed(scope, e, seq, pre, mid, tail, stamp(tonumber(s),
		    tonumber(u)))
	end
	return { done(of[2]), frame, seq, follows }
end
local much = limited(P .. '{u:' .. user .. '}:r', tonumber(ARGV[14]),
    tonumber(ARGV[15]))
if much then
	return much
end
if ARGV[10] == '1' then
	local s, e = meta(scope)
	local life = tonumber(ARGV[17])
	call('HSET', sent, id, micro() .. ' ' .. e .. ' ' .. s + 1)
	call('PEXPIRE', sent, life)
	if call('HLEN', sent) > tonumber(ARGV[18]) then
		forget_sent(sent, tonumber(ARGV[18]), life)
	end
end
local frame, seq = append(scope, pre, mid, tail, tonumber(ARGV[12]),
    tonumber(ARGV[16]), tonumber(ARGV[13]))
converses(user, scope, micro())
if to ~= '' and to ~= user then
	converses(to, scope, micro())
end
if to ~= '' then
	local news = '","userUUID":"' .. user .. '","user":' .. sender
	    .. ',"sys":{"type":"channelMessage","channelMessage":{"SenderUUID":"'
	    .. user .. '","RecipientUUID":"' .. to .. '","UUID":"' .. id
	    .. '","seq":' .. seq .. ',"Sender":' .. sender .. '}}}'
	notice('u:' .. to, '{"type":"sys","cursor":"', news)
	if to ~= user then
		notice('u:' .. user, '{"type":"sys","cursor":"', news)
	end
end
return { done(of[2]), frame, tostring(seq), follows }
