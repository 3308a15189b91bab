-- SPDX-License-Identifier: MIT
-- Signs a session in.
-- 4 mode: new (create), password (its hash was verified), key
-- 5 user's UUID (new: a fresh one)  6 folded name  7 name  8 name in JSON
-- 9 the password's hash  10 hash of the access key (new one; mode key: the one
-- shown)  11 life of a key (ms)  12 keys a user  13 session  14 bridge or ''
-- 15 lease of an HTTP session (ms)  16 hash of name and address, to forgive
-- 17, 18 its rate  19 grace (ms) of whom a WebSocket was signed in as before
-- 20 '1': over HTTP for a WebSocket's session that is nobody's
-- 21 hash of the address, 22, 23 its rate of new users
-- 24 accounts that there may be  25 places (lines of SCOPE EPOCH SEQ)
-- 26, 27 the rate of requests over HTTP, which a sign-in by key is one of
-- OK, user, name in JSON, end of the key (ms), created, epoch and seq of sys,
-- of the user's log, own sys frame, '' (none) or '-' (it comes after the place
-- of sys), ms that the key lives, '1' when both go on at their places; then the
-- ends (see end_of) of all that a session of a bridge followed before. AGAIN:
-- another won the name, or the password changed meanwhile.
local mode, user, hash = ARGV[4], ARGV[5], ARGV[10]
local ttl, session, bridge = tonumber(ARGV[11]), ARGV[13], ARGV[14]
local hkey, zkey = P .. '{u:' .. user .. '}', P .. '{u:' .. user .. '}:k'

if ARGV[20] == '1' then
	local of = call('HMGET', SYS .. 's:' .. session, 'u', 'b')
	if of[1] then
		return fail('10', 'sessionUUID')
	end
	if not of[2] then
		return fail('4', 'sessionUUID')
	end
	bridge = of[2]
end
if bridge ~= '' and not leased(bridge, session) then
	return fail('20', 'lease')
end
local name
if mode == 'new' then
	if call('HEXISTS', SYS .. 'names', ARGV[6]) == 1 then
		return { 'AGAIN' }
	end
	if call('HLEN', SYS .. 'names') >= tonumber(ARGV[24]) then
		return fail('21', 'users')
	end
	local much = limited(SYS .. 'a:' .. ARGV[21], tonumber(ARGV[22]),
	    tonumber(ARGV[23]))
	if much then
		return much
	end
	name = ARGV[8]
	local member = ARGV[6] .. '\n' .. user .. '\n' .. ARGV[7]
	call('HSET', hkey, 'p', ARGV[9], 'c', now, 'f', ARGV[6], 'm', member)
	call('HSET', SYS .. 'names', ARGV[6], user)
	call('HSET', SYS .. 'who', user, name)
	call('ZADD', SYS .. 'users', 0, member)
else
	if mode == 'password' and call('HGET', hkey, 'p') ~= ARGV[9] then
		return { 'AGAIN' }
	end
	if mode == 'key' then
		if not key_lives(user, hash, ttl) then
			return fail('4')
		end
		local much = limited(hkey .. ':q', tonumber(ARGV[26]), tonumber(ARGV[27]))
		if much then
			return much
		end
	end
	name = name_of(user)
	if not name then
		return fail('4')
	end
end
if mode ~= 'key' then
	keys_make_room(user, tonumber(ARGV[12]))
	forgive(SYS .. 'g:' .. ARGV[16], tonumber(ARGV[17]), tonumber(ARGV[18]))
end
key_add(user, hash, ttl)
local own = ''
local given = places(ARGV[25])
local ue, us, mine = resumed('u:' .. user, given)
local ends = bridge ~= '' and ends_of_all(session) or ''
session_ended(session, tonumber(ARGV[19]))
if session_begun(session, user, bridge, ARGV[15]) then
	own = sys_signed('signIn', user, name)
end
local se, ss, all = resumed('sys', given)
if all and own ~= '' then
	own = '-'
end
if bridge == '' then
	call('HSET', hkey .. ':h', session, hash)
	call('HSET', SYS .. 's:' .. ARGV[13], 'o', se .. ' ' .. ss .. ' ' .. ue
	    .. ' ' .. us)
end
local till = call('ZSCORE', zkey, hash)
local out = { done(bridge), user, name, till, mode == 'new' and '1' or '0', se,
	tostring(ss), ue, tostring(us), own, tostring(till - now),
	all and mine and '1' or '0' }
if ARGV[20] == '1' then
	command(bridge, 'attach', session, hash, unpack(out, 2))
end
out[#out + 1] = ends
return out
