# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# A short run of tests/bench/longpoll, with room for a noisy machine: there the
# bare loop beside it says more than the microseconds.
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp)
trap 'rm -f "$out"' EXIT
sh tests/bench/longpoll 2000 9 90 1.6 >"$out" || true
sed 's/^/# /' "$out"
count=0 bad=0
for figure in rss_bytes_each operation_ratio wake_us_each wake_ratio; do
	count=$((count + 1))
	if grep -q "^ok - $figure " "$out"; then
		echo "ok $count - $(sed -n "s/^ok - \($figure .*\)/\1/p" "$out")"
	else
		bad=1
		echo "not ok $count - $figure"
	fi
done
echo "1..$count"
exit $bad
