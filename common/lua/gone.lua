-- SPDX-License-Identifier: MIT
-- runs without memory
-- A WebSocket session ended. 4 session, 5 grace (ms)
session_ended(ARGV[4], tonumber(ARGV[5]))
return { 'OK' }
