# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# A short run of a bench as a test: figures 'FIGURE...' COMMAND... says of each
# figure whether the bench calls it ok.
figures() {
	names=$1
	shift
	out=$(mktemp)
	trap 'rm -f "$out"' EXIT
	"$@" >"$out" || true
	sed 's/^/# /' "$out"
	count=0 bad=0
	for figure in $names; do
		count=$((count + 1))
		if grep -q "^ok - $figure " "$out"; then
			echo "ok $count - $(sed -n "s/^ok - \($figure .*\)/\1/p" "$out")"
		else
			bad=1
			echo "not ok $count - $figure"
		fi
	done
	echo "1..$count"
	return $bad
}
