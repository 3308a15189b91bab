-- SPDX-License-Identifier: MIT
-- runs without memory
-- The first script on each connection. 4 the schema that we write.
-- OK, the schema that stands: ours, or a newer one, which we must not touch.
-- 1 had no mark: its names tell it. Its logs are counted in bytes as they are
-- written on; its UUIDs of messages are of another kind, and dropped here, a
-- bounded part at a time. OK, 0: more of that is left, ask again.
local k, ours = SYS .. 'schema', tonumber(ARGV[4])
local stands = tonumber(call('GET', k))
if stands and stands >= ours then
	return { 'OK', tostring(stands) }
end
if not stands and call('EXISTS', SYS .. 'names') == 1 then
	local at = call('GET', k .. ':at') or '0'
	local page = call('SCAN', at, 'MATCH', P .. '{*}:d:*', 'COUNT', 1000)
	for i = 1, #page[2] do
		if call('TYPE', page[2][i]).ok == 'zset' then
			call('DEL', page[2][i])
		end
	end
	if page[1] ~= '0' then
		call('SET', k .. ':at', page[1], 'PX', 60000)
		return { 'OK', '0' }
	end
	call('DEL', k .. ':at')
end
call('SET', k, ours)
return { 'OK', tostring(ours) }
