# shellcheck shell=sh disable=SC2154,SC2034
# SPDX-License-Identifier: MIT
# Where a long-poll holds a process (plain CGI, mod_fcgid): only so many wait,
# over all processes; the next is answered at once with a time to come again,
# and the site answers all the while.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
SLOTS=3
start_redis
prepare_web PALAVER_SIGN_IN_RATE=0
redis() { redis-cli -s "$work/redis.sock" "$@"; }
ask() { # TYPE BODY [CURL-OPTION...]
	type=$1 body=$2
	shift 2
	curl -s --max-time 60 -H 'Content-Type: application/json' -d "$body" "$@" "$url/api/$type"
}
body() { # N WAIT
	echo "{\"accessKey\":\"$(cat "$work/key$1")\",\"sessionUUID\":\"$(cat "$work/session$1")\",\"events\":{\"wait\":$2,\"since\":\"$(cat "$work/cursor$1")\"}}"
}
catch_up() { # N: until nothing is new
	while
		ask events "$(body "$1" 0)" >"$work/events"
		jq -r .events.cursor <"$work/events" >"$work/cursor$1"
		[ "$(jq '.events.frames|length' <"$work/events")" != 0 ]
	do :; done
}
connections() { redis client list | grep -c 'name=palaver'; }
waiting() { [ "$(redis zcard 'palaver:{sys}:waiting')" = "$1" ]; }
settled() { [ "$(connections)" = "$1" ]; }

slots() { # SERVER URL
	server=$1 url=$2 wakes=
	redis flushall >"$work/flushed"
	wait_for curl -sf "$url/api/health" || { not_ok "$server answers" "$(tail -n 5 "$work"/*.log)"; return 0; }
	n=0
	while [ $n -le $SLOTS ]; do
		reply=$(ask signIn "{\"signIn\":{\"username\":\"user$n\",\"password\":\"secret123\"}}")
		echo "$reply" | jq -r .authorized.accessKey >"$work/key$n"
		echo "$reply" | jq -r .authorized.sessionUUID >"$work/session$n"
		ask channelJoin "{\"accessKey\":\"$(cat "$work/key$n")\",\"sessionUUID\":\"$(cat "$work/session$n")\"}" |
			jq -r .channelJoin.cursor >"$work/cursor$n"
		n=$((n + 1))
	done
	n=0
	while [ $n -le $SLOTS ]; do catch_up $n && n=$((n + 1)); done
	n=0 polls=
	while [ $n -lt $SLOTS ]; do
		ask events "$(body $n 40)" >"$work/woken$n" &
		polls="$polls $!"
		n=$((n + 1))
	done
	if wait_for waiting $SLOTS; then ok "$server: $SLOTS polls wait"; else not_ok "$server: $SLOTS polls wait" "$(redis zcard 'palaver:{sys}:waiting')"; fi
	reply=$(ask events "$(body $SLOTS 40)" -D "$work/head")
	is "$server: the next is answered at once" "$(echo "$reply" | jq -r '.events.frames|length')" 0
	like "$server: with a time to come again" "$(tr -d '\r' <"$work/head" | grep -i '^retry-after:')" '[Rr]etry-[Aa]fter: 5'
	[ "$3" = '' ] || if wait_for settled $SLOTS; then
		ok "$server: one connection to Redis each"
	else
		not_ok "$server: one connection to Redis each" "$(connections)"
	fi
	reply=$(ask channelMessage "{\"accessKey\":\"$(cat "$work/key0")\",\"channelMessage\":{\"message\":\"wake\"}}")
	is "$server: operations are answered meanwhile" "$(echo "$reply" | jq -r .channelMessage.seq)" 1
	# shellcheck disable=SC2086 # a list
	wait $polls
	n=0 woken=
	while [ $n -lt $SLOTS ]; do
		wakes="$wakes wake"
		woken="$woken $(jq -r '.events.frames[]|select(.type=="channelMessage").channelMessage.Message' <"$work/woken$n")"
		n=$((n + 1))
	done
	is "$server: an event wakes them" "$woken" "$wakes"
	jq -r .events.cursor <"$work/woken0" >"$work/cursor0"
	catch_up 0
	is "$server: who polls again has given back his place" "$(redis zcard 'palaver:{sys}:waiting')" $((SLOTS - 1))
}

port=$(free_port)
start_apache cgid "$port" <<END
LoadModule cgid_module /usr/lib/apache2/modules/mod_cgid.so
LoadModule env_module /usr/lib/apache2/modules/mod_env.so
SetEnv PALAVER_POLL_SLOTS $SLOTS
ScriptSock $work/cgid.sock
ScriptAlias /api $work/bin/palaver.fcgi
END
slots 'Apache mod_cgid' "http://127.0.0.1:$port" each

SLOTS=5
port=$(free_port)
start_apache unset "$port" <<END
LoadModule cgid_module /usr/lib/apache2/modules/mod_cgid.so
ScriptSock $work/unset.sock
ScriptAlias /api $work/bin/palaver.fcgi
END
slots 'Apache mod_cgid, poll_slots not set' "http://127.0.0.1:$port" each

SLOTS=3
port=$(free_port)
mkdir "$work/fcgid"
chmod 777 "$work/fcgid"
start_apache fcgid "$port" <<END
LoadModule fcgid_module /usr/lib/apache2/modules/mod_fcgid.so
FcgidIPCDir $work/fcgid
FcgidProcessTableFile $work/fcgid/table
FcgidIOTimeout 60
FcgidInitialEnv PALAVER_POLL_SLOTS $SLOTS
Alias /api $work/bin/palaver.fcgi
<Directory $work/bin>
	SetHandler fcgid-script
	Options +ExecCGI
</Directory>
END
slots 'Apache mod_fcgid' "http://127.0.0.1:$port" ''
is 'the sanitizers found nothing' "$(cat "$work"/asan.* 2>/dev/null | head -n 40)" ''
plan
