#!/bin/sh
# SPDX-License-Identifier: MIT
# What .env and the environment set for conf/demo: nothing; another port; a
# Redis with a password; and which wins.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
unset PALAVER_REDIS PALAVER_SOCKET_MODE
tree=$work/tree
mkdir "$tree"
(cd "$top" && git ls-files -z --cached --others --exclude-standard | tar c --null -T -) | tar x -C "$tree"
mkdir -p "$tree/build"
cp "$top/configure" "$top/Makefile.in" "$top/aclocal.m4" "$tree"
cp -r "$top/build-aux" "$tree"
# The programs are built already, by another test or here.
sh "$tree/conf/demo" --help >/dev/null && ok 'conf/demo --help'

# demo NAME [VARIABLE=VALUE...]: starts it and waits for what it says
demo() {
	name=$1
	shift
	start "$name" env "$@" sh "$tree/conf/demo" --no-install
	left=3000
	until grep -q 'Palaver is at' "$work/$name.log"; do
		eval "kill -0 \$pid_$name 2>/dev/null" || return 1
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		sleep 0.1
	done
}
end_demo() {
	eval "pid=\$pid_$1"
	# Not INT: a shell ignores it in what it starts in the background.
	kill -TERM "$pid" && wait "$pid"
}
said() { sed -n 's/.*Palaver is at //p' "$work/$1.log"; }
sign_in() { # URL
	curl -s -H 'Content-Type: application/json' "$1/api/signIn" \
		-d '{"signIn":{"username":"ann","password":"secret123"}}' | jq -r .type
}

if curl -s -o /dev/null http://127.0.0.1:5000/; then
	not_ok 'port 5000 is free on this machine'
else
	demo none || true
	is 'with nothing set it is port 5000' "$(said none)" http://localhost:5000
	is 'and works' "$(sign_in http://localhost:5000)" authorized
	code=0
	sh "$tree/conf/demo" --no-install >"$work/busy.log" 2>&1 || code=$?
	is 'a second demo on the same data ends' "$code" 1
	like 'with a clear message' "$(tail -n 1 "$work/busy.log")" '*another demo runs*'
	code=0
	DEMO_STATE=$work/second sh "$tree/conf/demo" --no-install >"$work/busy.log" 2>&1 || code=$?
	is 'one on a busy port ends as well' "$code" 1
	like 'a busy port gets a clear message' "$(tail -n 1 "$work/busy.log")" '*port 5000 is in use*'
	end_demo none
fi
free=$(free_port)
echo "PORT=$free" >"$tree/.env"
demo port || sed 's/^/# /' "$work/port.log"
is 'PORT of .env' "$(said port)" "http://localhost:$free"
end_demo port
other=$(free_port)
demo precedence "PORT=$other" || true
is 'the environment wins over it' "$(said precedence)" "http://localhost:$other"
end_demo precedence
# Which Redis, and PALAVER_NAME: none answers at what .env says.
printf 'PORT=%s\nREDIS_URL=redis://127.0.0.1:1\nPALAVER_SIGN_UP=off\n' "$free" >"$tree/.env"
start redis0 redis-server --port 0 --unixsocket "$work/redis.sock" --save '' --dir "$work"
wait_for redis-cli -s "$work/redis.sock" ping
demo which "PALAVER_REDIS=unix:$work/redis.sock" || true
is 'a Redis of the environment wins over that of .env, by whatever name' \
	"$(said which)" "http://localhost:$free"
is 'PALAVER_NAME of .env is handed through' "$(sign_in "http://localhost:$free")" error
end_demo which

redis_port=$(free_port)
start redis redis-server --port "$redis_port" --bind 127.0.0.1 --requirepass 'pass word' --save '' --dir "$work"
wait_for redis-cli -p "$redis_port" -a 'pass word' ping
printf 'PORT=%s\nREDIS_ADDRESS=127.0.0.1:%s\nREDIS_PASSWORD="pass word"\n' \
	"$free" "$redis_port" >"$tree/.env"
demo redis_demo || cat "$work/redis_demo.log"
is 'REDIS_ADDRESS with a password' "$(sign_in "http://localhost:$free")" authorized
is 'is where the user went' "$(redis-cli -p "$redis_port" -a 'pass word' --no-auth-warning hlen 'palaver:{sys}:names')" 1
end_demo redis_demo
plan
