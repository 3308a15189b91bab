# shellcheck shell=sh disable=SC2034 # those who source it use them
# SPDX-License-Identifier: MIT
# For the benches: builds without sanitizers in build/bench and starts a Redis
# of its own in a temporary directory. Limits are off: the load is one client's.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
build=$top/build/bench
export LC_ALL=C.UTF-8
PATH=$PATH:/usr/sbin:/sbin
bench_build() { # GOAL
	mkdir -p "$build"
	if [ ! -x "$top/configure" ] || [ ! -f "$top/Makefile.in" ]; then
		(cd "$top" && ./bootstrap) >"$build.log" 2>&1
	fi
	(cd "$build" && { [ -f Makefile ] || "$top/configure" --quiet; } &&
		make -s -j"$(nproc)" all "$1") >"$build.log" 2>&1 || {
		tail -n 40 "$build.log" >&2
		exit 2
	}
}
work=$(mktemp -d)
pids=
finish() {
	for pid in $pids; do kill "$pid" 2>/dev/null || true; done
	for pid in $pids; do wait "$pid" 2>/dev/null || true; done
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM
wait_for() { # COMMAND...: 20 s at most
	left=400
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		[ $left -gt 0 ] || { cat "$work"/*.log >&2; exit 2; }
		sleep 0.05
	done
}
start() { # NAME COMMAND...: sets pid
	name=$1
	shift
	"$@" >"$work/$name.log" 2>&1 &
	pid=$!
	pids="$pid $pids"
}
start redis redis-server --port 0 --unixsocket "$work/redis.sock" --save '' --dir "$work"
redis=$pid
wait_for redis-cli -s "$work/redis.sock" ping
unset REDIS_URL REDIS_ADDRESS REDIS_PASSWORD
export PALAVER_REDIS="unix:$work/redis.sock" PALAVER_PASSWORD_COST=minimal
export PALAVER_SIGN_UP_RATE=0 PALAVER_SIGN_IN_RATE=0 PALAVER_REQUEST_RATE=0 PALAVER_MESSAGE_RATE=0
export PALAVER_ADDRESS_CONNECTIONS=0 PALAVER_USER_POLLS=100000 PALAVER_SESSION_LEASE=600000
export PALAVER_PING_AFTER=3600000 PALAVER_DEAD_AFTER=7200000
# goal NAME MOST: whether that figure of $work/result is at most MOST
goal() {
	got=$(sed -n "s/^$1 //p" "$work/result")
	if awk -v got="$got" -v most="$2" 'BEGIN { exit !(got != "" && got + 0 <= most) }'; then
		echo "ok - $1 $got, at most $2"
	else
		echo "missed - $1 ${got:-none}, at most $2"
		missed=1
	fi
}
missed=0
