-- SPDX-License-Identifier: MIT
-- Rates of what a user or an address may do.

-- Generic cell rate: nil when it passes (and is charged), else ms to wait.
local function rate(k, count, seconds)
	if count == 0 then
		return nil
	end
	local each = seconds * 1000 / count
	local tat = tonumber(call('GET', k)) or 0
	if tat < now then
		tat = now
	end
	local wait = tat - now - each * (count - 1)
	if wait > 0 then
		return wait
	end
	call('SET', k, math.floor(tat + each), 'PX',
	    math.ceil(tat + each - now) + 1000)
	return nil
end

-- Gives back what rate charged last.
local function forgive(k, count, seconds)
	local tat = tonumber(call('GET', k))
	if not tat or count == 0 then
		return
	end
	tat = tat - seconds * 1000 / count
	if tat > now then
		call('SET', k, math.floor(tat), 'PX', math.ceil(tat - now))
	else
		call('DEL', k)
	end
end

-- The error to answer when the rate is exceeded; nil when it passes.
local function limited(k, count, seconds)
	local wait = rate(k, count, seconds)
	return wait and fail('9', tostring(math.max(1, math.ceil(wait / 1000))))
end
