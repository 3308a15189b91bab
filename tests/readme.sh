# shellcheck shell=sh disable=SC2154,SC2034
# SPDX-License-Identifier: MIT
# The README's curl examples, executed as they stand.
. "$(dirname "$0")/lib.sh"
start_redis
start_responder responder
start_bridge bridge
start_nginx "$work/responder.sock" "$work/bridge.sock"

sed -n '/^## With curl/,/^## /s/^    //p' "$top/README.md" |
	sed "s|http://localhost:5000/api|$url/api|" >"$work/examples"
is 'there are examples' "$(grep -c '^curl' "$work/examples")" 4
signed=
: >"$work/replies"
while IFS= read -r line; do
	case $line in '#'*) continue ;; esac
	eval "$line" >"$work/reply"
	case $line in curl*) ;; *) continue ;; esac
	cat "$work/reply" >>"$work/replies"
	echo >>"$work/replies"
	[ -n "$signed" ] || {
		# shellcheck disable=SC2034 # the examples use them
		key=$(jq -r .authorized.accessKey <"$work/reply")
		# shellcheck disable=SC2034
		session=$(jq -r .authorized.sessionUUID <"$work/reply")
		signed=yes
	}
done <"$work/examples"
is 'they do what they say' "$(jq -r .type <"$work/replies" | tr '\n' ' ')" \
	'authorized channelMessage channelJoin users '
is 'the message is in the channel' \
	"$(sed -n 3p "$work/replies" | jq -r '.channelJoin.messages[0].Message')" hello
end_well responder bridge
plan
