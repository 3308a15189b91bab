# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# For the tests in shell: starts real servers in a temporary directory, waits
# for conditions, speaks TAP, and ends only what it started.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
build=${PALAVER_BUILD:?run it by: sh tests/run --no-install $0}
work=$(mktemp -d)
chmod 755 "$work"
pids=
count=0
bad=0
export ASAN_OPTIONS="detect_leaks=1:log_path=$work/asan"
export PALAVER_PASSWORD_COST=minimal PALAVER_REDIS="unix:$work/redis.sock"
export PALAVER_SOCKET_MODE=0666
unset REDIS_URL REDIS_ADDRESS REDIS_PASSWORD

ok() { count=$((count + 1)) && echo "ok $count - $1"; }
not_ok() {
	count=$((count + 1)) bad=$((bad + 1))
	echo "not ok $count - $1"
	[ $# -lt 2 ] || echo "# $2"
}
# is WHAT GOT WANTED
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "got: $2 wanted: $3"; fi; }
# like WHAT GOT PATTERN (of case)
like() {
	# shellcheck disable=SC2254 # it is a pattern
	case $2 in $3) ok "$1" ;; *) not_ok "$1" "got: $2 wanted: $3" ;; esac
}
# wait_for COMMAND...: until it succeeds, 20 s at most
wait_for() {
	left=400
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		sleep 0.05
	done
}
start() { # NAME COMMAND...
	name=$1
	shift
	"$@" >"$work/$name.log" 2>&1 &
	pids="$pids $!"
	eval "pid_$name=$!"
}
free_port() {
	node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})'
}
start_redis() {
	start redis redis-server --port 0 --unixsocket "$work/redis.sock" \
		--unixsocketperm 777 --save '' --dir "$work" "$@"
	wait_for redis-cli -s "$work/redis.sock" ping || exit 1
}
start_responder() { # NAME
	start "$1" "$build/fcgi/palaver.fcgi" --listen "unix:$work/$1.sock"
	wait_for test -S "$work/$1.sock" || exit 1
}
start_bridge() { # NAME
	start "$1" "$build/bridge/palaver-bridge" --listen "unix:$work/$1.sock"
	wait_for curl -sf --unix-socket "$work/$1.sock" http://bridge/health || exit 1
}
# start_nginx RESPONDER-SOCKETS BRIDGE-SOCKETS: sets url
start_nginx() {
	port=$(free_port)
	url=http://127.0.0.1:$port
	sh "$top/conf/nginx-site" "$work" "127.0.0.1:$port" "$top/www" "$1" "$2" \
		>"$work/nginx.conf"
	start nginx nginx -c "$work/nginx.conf" -e "$work/nginx.log"
	wait_for curl -sf "$url/api/health" || { cat "$work"/*.log; exit 1; }
}
# A page, and the responder where a web server may start it: as whom it likes,
# with an environment of its own: prepare_web [NAME=VALUE...]
prepare_web() {
	chmod 777 "$work"
	mkdir "$work/page" "$work/bin"
	chmod 755 "$work/page" "$work/bin"
	echo page >"$work/page/index.html"
	cat >"$work/bin/palaver.fcgi" <<END
#!/bin/sh
export PALAVER_REDIS='unix:$work/redis.sock' PALAVER_PASSWORD_COST=minimal $*
export ASAN_OPTIONS='detect_leaks=1:log_path=$work/asan'
exec '$work/bin/program' "\$@"
END
	cp "$build/fcgi/palaver.fcgi" "$work/bin/program"
	chmod 755 "$work/bin/palaver.fcgi" "$work/bin/program"
}
# start_apache NAME PORT: the rest of the configuration on stdin
start_apache() {
	rest=$(cat)
	cat >"$work/$1.conf" <<END
ServerRoot $work
ServerName localhost
PidFile $work/$1.pid
DefaultRuntimeDir $work
ErrorLog $work/$1.error.log
Listen 127.0.0.1:$2
$([ "$(id -u)" != 0 ] || echo 'User www-data
Group www-data')
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
DocumentRoot $work/page
<Directory $work>
	Require all granted
	# Else the key in Authorization never arrives.
	CGIPassAuth On
</Directory>
$rest
END
	start "$1" apache2 -f "$work/$1.conf" -D FOREGROUND
}

# All that was started ends well: exit 0, nothing found by a sanitizer.
end_well() {
	for name in "$@"; do
		eval "pid=\$pid_$name"
		if kill -TERM "$pid" 2>/dev/null && wait "$pid"; then
			ok "$name ends well"
		else
			not_ok "$name ends well" "$(tail -n 5 "$work/$name.log")"
		fi
	done
	found=$(cat "$work"/asan.* 2>/dev/null | head -n 40)
	is "the sanitizers found nothing" "$found" ""
}
finish() {
	for pid in $pids; do
		kill -TERM "$pid" 2>/dev/null || true
	done
	for pid in $pids; do
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM
plan() { echo "1..$count"; [ "$bad" -eq 0 ]; }
