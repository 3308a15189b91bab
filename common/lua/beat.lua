-- SPDX-License-Identifier: MIT
-- runs without memory
-- The heartbeat of a bridge and the reaping of what is due, a bounded part.
-- 4 bridge's incarnation or '', 5 lease (ms), 6 '1': register, 7 grace (ms),
-- 8 how many, 9 an incarnation whose lease is to end or '', 10 when to reap it
-- (ms from now)
-- OK, '1' when the lease is ours, '1' when more is due, users, those on line
local bridge, grace, most = ARGV[4], tonumber(ARGV[7]), tonumber(ARGV[8])
local leases, dead, due = SYS .. 'leases', SYS .. 'dead', SYS .. 'due'
local mine, more = '1', '0'
if bridge ~= '' then
	if ARGV[6] == '1' or call('ZSCORE', leases, bridge) then
		call('ZADD', leases, now + ARGV[5], bridge)
	else
		mine = '0'
	end
	call('PEXPIRE', key('b:' .. bridge:sub(1, 36), ':m'), NOTICE_TTL * 2)
	call('PUBLISH', PS .. 'b:' .. bridge:sub(1, 36), '- 0 probe')
end
if ARGV[9] ~= '' and call('ZREM', leases, ARGV[9]) == 1 then
	call('ZADD', dead, now + ARGV[10], ARGV[9])
end
-- From here on an incarnation whose lease is over counts no more.
local over = call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, most)
for i = 1, #over do
	call('ZREM', leases, over[i])
	call('ZADD', dead, now, over[i])
end
local first = call('ZRANGEBYSCORE', dead, '-inf', now, 'LIMIT', 0, 1)[1]
if first then
	local sessions = call('SPOP', SYS .. 'b:' .. first, most)
	for i = 1, #sessions do
		if call('HGET', SYS .. 's:' .. sessions[i], 'b') == first then
			session_ended(sessions[i], grace)
		end
	end
	if #sessions < most then
		call('ZREM', dead, first)
	end
	more = '1'
end
local lost = call('ZRANGEBYSCORE', SYS .. 'polls', '-inf', now, 'LIMIT', 0,
    most)
for i = 1, #lost do
	call('ZREM', SYS .. 'polls', lost[i])
	session_ended(lost[i], 0)
end
local ended = call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, most)
for i = 1, #ended do
	local scope, user = ended[i]:match('^([^\n]*)\n(.*)$')
	call('ZREM', due, ended[i])
	if scope then
		if call('HGET', key(scope, ':in'), user) == '0' then
			outside(scope, user)
		end
	elseif call('HGET', SYS .. 'online', ended[i]) == '0' then
		offline(ended[i])
	end
end
if #lost == most or #ended == most then
	more = '1'
end
return { 'OK', mine, more, tostring(call('ZCARD', SYS .. 'users')),
	tostring(call('HLEN', SYS .. 'online')) }
