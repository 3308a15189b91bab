# shellcheck shell=sh disable=SC2154,SC2034
# SPDX-License-Identifier: MIT
# What both programs say for themselves; a scheme, a bad file, a held socket.
. "$(dirname "$0")/lib.sh"
unset PALAVER_REDIS
for program in fcgi/palaver.fcgi bridge/palaver-bridge; do
	run=$build/$program
	like "$program --help" "$("$run" --help)" '*--password_cost*'
	like "$program --version" "$("$run" --version)" 'palaver* 0.*'
	is "$program -n" "$("$run" -n)" 'configuration ok'
	is "$program checks the sample" "$("$run" -n --config "$top/conf/palaver.conf")" 'configuration ok'
	echo 'nosuch = 1' >"$work/conf"
	like "$program names file and line" "$("$run" -n --config "$work/conf" 2>&1 || true)" "$work/conf:1: nosuch:*"
	like "$program on TLS names stunnel" "$("$run" -n --redis=rediss://host 2>&1 || true)" '*stunnel*'
	code=0
	"$run" --nosuch >/dev/null 2>&1 || code=$?
	is "$program on a wrong flag exits 2" "$code" 2
	code=0
	"$run" </dev/null >"$work/out" 2>&1 || code=$?
	is "$program without a socket exits 2" "$code" 2
	like "$program and says so" "$(cat "$work/out")" '*--listen*'
done
start_redis
export PALAVER_REDIS="unix:$work/redis.sock"
start_responder responder
code=0
"$build/fcgi/palaver.fcgi" --listen "unix:$work/responder.sock" >/dev/null 2>&1 || code=$?
is 'a socket in use is not taken' "$code" 2
# A password is not in any log, at any level.
export PALAVER_LOG_LEVEL=debug PALAVER_REDIS="redis://:very-secret@127.0.0.1:1"
start lost "$build/fcgi/palaver.fcgi" --listen "unix:$work/lost.sock"
wait_for grep -q connect "$work/lost.log"
is 'nor the password of Redis in a log' "$(grep -c very-secret "$work/lost.log" || true)" 0
end_well responder lost
plan
