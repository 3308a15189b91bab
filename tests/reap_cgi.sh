# shellcheck shell=sh disable=SC2154,SC2034
# SPDX-License-Identifier: MIT
# Plain CGI and nothing else: each request clears up what sessions, and bridges
# of former days, left behind.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
start_redis
export PALAVER_PRESENCE_LEASE=600 PALAVER_PRESENCE_GRACE=300
prepare_web PALAVER_PRESENCE_LEASE=600 PALAVER_PRESENCE_GRACE=300 PALAVER_SESSION_LEASE=5000
port=$(free_port) url=http://127.0.0.1:$port
start_apache cgid "$port" <<END
LoadModule cgid_module /usr/lib/apache2/modules/mod_cgid.so
ScriptSock $work/cgid.sock
ScriptAlias /api $work/bin/palaver.fcgi
END
redis() { redis-cli -s "$work/redis.sock" "$@"; }
ask() { # TYPE BODY
	curl -s --max-time 20 -H 'Content-Type: application/json' -d "$2" "$url/api/$1"
}
wait_for curl -sf "$url/api/health" || { cat "$work"/*.log; exit 1; }
enter() { # NAME: sets user, key, session
	reply=$(ask signIn "{\"signIn\":{\"username\":\"$1\",\"password\":\"secret123\"}}")
	user=$(echo "$reply" | jq -r .authorized.userUUID)
	key=$(echo "$reply" | jq -r .authorized.accessKey)
	session=$(echo "$reply" | jq -r .authorized.sessionUUID)
}
online() { ask users "{\"accessKey\":\"$key\",\"users\":{\"online\":true}}" | jq -r '[.users.users[].Username]|sort|join(" ")'; }
members() { ask channelJoin "{\"accessKey\":\"$key\",\"sessionUUID\":\"$session\",\"channelJoin\":{\"channel\":\"x\"}}" | jq -r '[.channelJoin.users[].Username]|sort|join(" ")'; }
only_bob() { [ "$(members)" = bob ] && [ "$(online)" = bob ]; }

enter ann
ann=$user
is 'a session by CGI' "$(members)" ann
enter bob
is 'and another one' "$(members)" 'ann bob'
is 'both are on line' "$(online)" 'ann bob'
if wait_for only_bob; then ok 'D27: who asks no more is gone by the requests of others'; else not_ok 'who asks no more is gone' "$(online)"; fi
is 'nothing of it is left' "$(redis hexists 'palaver:{sys}:online' "$ann")$(redis hexists 'palaver:{c:x}:in' "$ann")" 00
is 'its end was told' "$(redis lrange 'palaver:{sys}:l' 0 -1 | grep -c "signOut.*$ann")$(redis lrange 'palaver:{c:x}~:l' 0 -1 | grep -c "channelLeave.*$ann")" 11

start_bridge bridge
PALAVER_SOCKET=$work/bridge.sock node --input-type=module -e '
import { createRequire } from "node:module";
const WebSocket = createRequire(process.argv[1])("ws");
const ws = new WebSocket(`ws+unix://${process.env.PALAVER_SOCKET}:/ws`);
ws.on("message", (m) => {
	const { type } = JSON.parse(m);
	if (type === "ready") ws.send(JSON.stringify({ type: "signIn", signIn: { username: "carol", password: "secret123" } }));
	if (type === "authorized") ws.send(JSON.stringify({ type: "channelJoin", channelJoin: { channel: "x" } }));
	if (type === "channelJoin") process.kill(Number(process.argv[2]), "SIGKILL");
});
ws.on("close", () => process.exit(0));
ws.on("error", () => {});' "$top/tests/lib.mjs" "$pid_bridge"
is 'a bridge was killed' "$(redis hexists 'palaver:{c:x}:in' "$(redis hget 'palaver:{sys}:names' carol)")" 1
enter bob # anew: his session may have ended while all this took its time
if wait_for only_bob; then ok 'D35: its session is gone by the requests of others'; else not_ok 'its session is gone' "$(online)"; fi
is 'and its lease' "$(redis exists 'palaver:{sys}:leases' 'palaver:{sys}:dead' 'palaver:{sys}:due')" 0
is 'nothing of it is left' "$(redis hlen 'palaver:{sys}:online')$(redis hlen 'palaver:{c:x}:in')" 11
is 'the sanitizers found nothing' "$(cat "$work"/asan.* 2>/dev/null | head -n 40)" ''
plan
