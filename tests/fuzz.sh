# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Coverage-guided fuzzing of each parser with libFuzzer, from the kept corpora
# tests/fuzz/corpus/NAME, FUZZ_SECONDS (60) each, two at a time.
# usage: tests/fuzz.sh [NAME...]          a test: TAP
#        tests/fuzz.sh --minimize [NAME...]  what was found goes to the corpora
# What is new stays in build/fuzz/found/NAME for the next run.
set -eu
cd "$(dirname "$0")/.."
top=$PWD
build=$top/build/fuzz
seconds=${FUZZ_SECONDS:-60}
minimize=
if [ "${1-}" = --minimize ]; then
	minimize=1
	shift
fi
all=$(cd tests/fuzz && echo f_*.c | sed 's/f_\([a-z]*\)\.c/\1/g')
[ $# -gt 0 ] || eval "set -- $all"

mkdir -p "$build"
programs=
for name in "$@"; do
	programs="$programs tests/fuzz/f_$name"
done
# shellcheck disable=SC2086 # a list
(cd "$build" && { [ -f Makefile ] || CC=clang CFLAGS='-g -O1' "$top/configure" \
	--enable-sanitize --enable-fuzzing --quiet; } &&
	make -s -j2 $programs) >"$build.log" 2>&1 || {
	tail -n 40 "$build.log"
	exit 1
}

if [ "$minimize" ]; then
	for name in "$@"; do
		mkdir "$build/least.$$"
		"$build/tests/fuzz/f_$name" -set_cover_merge=1 -use_counters=0 -close_fd_mask=3 \
			-max_len=1024 "$build/least.$$" "tests/fuzz/corpus/$name" \
			"$build/found/$name" >"$build/$name.log" 2>&1
		rm -rf "tests/fuzz/corpus/$name"
		mv "$build/least.$$" "tests/fuzz/corpus/$name"
		du -sh --apparent-size "tests/fuzz/corpus/$name"
	done
	exit 0
fi

# One target; its exit goes to NAME.status. Requests are far below 1 MiB, but
# most of what is to be found is in small ones.
run_one() {
	mkdir -p "$build/found/$1"
	set -- "$1" "$build/tests/fuzz/f_$1" -max_total_time="$seconds" \
		-timeout=10 -rss_limit_mb=1024 -max_len=8192 -close_fd_mask=3 \
		-artifact_prefix="$build/$1-" -print_final_stats=1 \
		-dict=tests/fuzz/json.dict "$build/found/$1" \
		"tests/fuzz/corpus/$1"
	name=$1
	shift
	status=0
	"$@" >"$build/$name.log" 2>&1 || status=$?
	echo "$status" >"$build/$name.status"
}

count=0 bad=0
report() { # NAME
	count=$((count + 1))
	status=$(cat "$build/$1.status")
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$1.log")
	if [ "$status" = 0 ]; then
		echo "ok $count - $1: $runs inputs in $seconds s"
		return
	fi
	bad=$((bad + 1))
	echo "not ok $count - $1"
	sed -n '/ERROR:\|SUMMARY:\|runtime error/p;/^    #[0-9] /p' \
		"$build/$1.log" | head -n 40 | sed 's/^/# /'
	for input in "$build/$1"-*; do
		[ -f "$input" ] || continue
		echo "# $(basename "$input"), in base64:"
		base64 "$input" | sed 's/^/# /'
	done
}

while [ $# -gt 0 ]; do
	one=$1 two=${2-}
	shift
	rm -f "$build/$one"-* "$build/$one.status"
	run_one "$one" &
	if [ "$two" ]; then
		shift
		rm -f "$build/$two"-*
		run_one "$two"
	fi
	wait
	report "$one"
	[ -z "$two" ] || report "$two"
done
echo "1..$count"
[ "$bad" -eq 0 ]
