# shellcheck shell=sh disable=SC2154,SC2034
# SPDX-License-Identifier: MIT
# The arrows of the house: base <- wire <- model <- store <- operations <-
# programs, from the includes; and who may know which library.
set -eu
cd "$(dirname "$0")/.."
count=0 bad=0

# The layers of common/, lowest first: the one place that says so.
layers='span buf clock descriptors limit log uuid peer
error utf8 msg frame origin access_key names
conf conf_body conf_table conf_value conf_redis scope event socket_file poll
script reply resp link link_body link_connect link_greeting link_stream store store_body store_answer store_calls call store_schema feed hashing reaper
op op_table op_authorized op_ends op_guess command op_password op_sign_in op_sign_out op_users op_channel_join op_channel_leave op_channel_message op_channel_messages op_channel_read op_channels op_events run'

check() { # WHAT FOUND: nothing may be found
	count=$((count + 1))
	if [ -z "$2" ]; then
		echo "ok $count - $1"
	else
		bad=$((bad + 1))
		echo "not ok $count - $1"
		echo "$2" | sed 's/^/# /'
	fi
}
layer() {
	echo "$layers" | awk -v name="$1" '{ for (i = 1; i <= NF; i++) if ($i == name) print NR }'
}

wrong=
for file in common/*.c common/*.h; do
	name=$(basename "$file" | sed 's/\.[ch]$//')
	own=$(layer "$name")
	[ -n "$own" ] || wrong="$wrong $file:no-layer"
	for include in $(sed -n 's/^#include "\(.*\)\.h"$/\1/p' "$file"); do
		[ "$include" = script_list ] && continue
		[ "$(layer "$include")" -le "${own:-0}" ] || wrong="$wrong $file->$include"
	done
done
check 'arrows in common/ point down' "$wrong"
check 'common/ knows no program' "$(grep -lE '#include "(\.\./)?(fcgi|bridge)/' common/*.[ch] || true)"
for pair in 'fcgi bridge' 'bridge fcgi'; do
	# shellcheck disable=SC2086 # two words
	set -- $pair
	found=
	for header in "$2"/*.h; do
		found="$found$(grep -l "#include \"$(basename "$header")\"" "$1"/*.[ch] || true)"
	done
	check "$1/ never includes $2/" "$found"
done
only() { # LIBRARY PATTERN FILES...
	what=$1 pattern=$2
	shift 2
	found=$(grep -lE "#include <($pattern)" common/*.[ch] fcgi/*.[ch] bridge/*.[ch] || true)
	for allowed in "$@"; do
		found=$(echo "$found" | grep -vx "$allowed" || true)
	done
	check "$what is known to $* only" "$found"
}
only libfcgi 'fcgi|fcgios' fcgi/is_cgi.c
only libwebsockets libwebsockets bridge/ws.c
only json-c json-c common/msg.c
only hiredis hiredis common/link.h common/link.c common/reply.h common/reply.c common/store.c common/store_answer.c common/feed.c
only libuuid 'uuid/' common/uuid.c
only libsodium sodium common/access_key.c common/conf.c common/conf_redis.c common/hashing.c common/names.c common/run.c
missing=$(for f in $(git ls-files | grep -vE '\.(json|png|5|8)$|^\.gitignore$|^\.ci/|^tests/fuzz/corpus/' ; true); do
	head -n 8 "$f" | grep -q 'SPDX-License-Identifier: MIT' || echo "$f"
done)
check 'each file has its SPDX line' "$(echo "$missing" | grep -vE '^www/icon.svg$' || true)"
check 'the tarball has each file (Makefile.am)' "$(git ls-files | grep -vxE '\.gitignore|Makefile\.am|configure\.ac|tests/fuzz/corpus/.*' | while read -r file; do
	grep -qF -e "$file" Makefile.am || echo "$file"
done)"
check 'the shell is clean' "$(shellcheck -x -S warning -e SC1091 conf/demo conf/install conf/new-root conf/nginx-site conf/palaver-doctor conf/shared-hosting tests/shared-hosting common/embed-lua.sh bootstrap .ci/run tests/run tests/five-minutes tests/fresh tests/redis-6 tests/*.sh tests/bench/fanout tests/bench/longpoll tests/bench/start.sh 2>&1 || true)"
echo "1..$count"
[ "$bad" -eq 0 ]
