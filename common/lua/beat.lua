-- SPDX-License-Identifier: MIT
-- The heartbeat of a bridge and the reaping of what is due, a bounded part.
-- 4 bridge or '', 5 lease (ms), 6 '1': register, 7 grace (ms), 8 how many,
-- 9 a bridge whose lease is to be ended, or ''
-- OK, '1' when the lease is ours, '1' when more is due
local bridge, grace, most = ARGV[4], tonumber(ARGV[7]), tonumber(ARGV[8])
local leases, due = SYS .. 'leases', SYS .. 'due'
local mine, more = '1', '0'
if bridge ~= '' then
	if ARGV[6] == '1' or call('ZSCORE', leases, bridge) then
		call('ZADD', leases, now + ARGV[5], bridge)
	else
		mine = '0'
	end
	call('PUBLISH', PS .. 'b:' .. bridge, '- 0 probe')
end
if ARGV[9] ~= '' and call('ZSCORE', leases, ARGV[9]) then
	call('ZADD', leases, 0, ARGV[9])
end
local dead = call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 1)[1]
if dead then
	local k = SYS .. 'b:' .. dead
	local found = call('HSCAN', k, 0, 'COUNT', most)[2]
	for i = 1, #found, 2 do
		call('HDEL', k, found[i])
		local scope, user = found[i]:match('^([^\n]*)\n(.*)$')
		if scope then
			left(scope, user, tonumber(found[i + 1]), grace)
		else
			went(found[i], tonumber(found[i + 1]), grace)
		end
	end
	if call('EXISTS', k) == 0 then
		call('ZREM', leases, dead)
	end
	more = '1'
end
local lost = call('ZRANGEBYSCORE', SYS .. 'polls', '-inf', now, 'LIMIT', 0,
    most)
for i = 1, #lost do
	local user, session = lost[i]:match('^([^\n]*)\n(.*)$')
	session_ended(user, session, 0)
end
local over = call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, most)
for i = 1, #over do
	local scope, user = over[i]:match('^([^\n]*)\n(.*)$')
	call('ZREM', due, over[i])
	if scope then
		if call('HGET', key(scope, ':in'), user) == '0' then
			outside(scope, user)
		end
	elseif call('HGET', SYS .. 'online', over[i]) == '0' then
		offline(over[i])
	end
end
if #lost == most or #over == most then
	more = '1'
end
return { 'OK', mine, more }
