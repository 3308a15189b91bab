# shellcheck shell=sh disable=SC2154,SC2034
# SPDX-License-Identifier: MIT
# Every operation with curl: readable as documentation.
# usage: curl.sh [URL REDIS-SOCKET]: of a site that runs and has no users yet;
# else of one of its own, behind nginx.
. "$(dirname "$0")/lib.sh"
if [ $# -gt 0 ]; then
	url=$1 redis=$2
else
	redis=$work/redis.sock
	start_redis
	start_responder responder
	start_bridge bridge
	start_nginx "$work/responder.sock" "$work/bridge.sock"
fi

# ask TYPE BODY [CURL-OPTION...]: the reply's body, then a line with the status
ask() {
	type=$1 body=$2
	shift 2
	curl -s -w '\n%{http_code}\n' -H 'Content-Type: application/json' \
		-d "$body" "$@" "$url/api/$type"
}
status() { tail -n 1; }
get() { head -n 1 | jq -r "$1"; }

# A name that is free is signed up by signIn.
reply=$(ask signIn '{"signIn":{"username":"ann","password":"secret123"}}')
is 'signIn answers 200' "$(echo "$reply" | status)" 200
is 'signIn answers authorized' "$(echo "$reply" | get .type)" authorized
is 'the user was created' "$(echo "$reply" | get .authorized.created)" true
ann=$(echo "$reply" | get .authorized.userUUID)
key=$(echo "$reply" | get .authorized.accessKey)
session=$(echo "$reply" | get .authorized.sessionUUID)

reply=$(ask signIn '{"signIn":{"username":"ANN","password":"secret123"}}')
is 'names are unique without regard to case' \
	"$(echo "$reply" | get .authorized.userUUID)" "$ann"
reply=$(ask signIn '{"signIn":{"username":"ann","password":"wrong password"}}')
is 'a wrong password is error 5' "$(echo "$reply" | get .error.code)" 5
is 'with status 403' "$(echo "$reply" | status)" 403
reply=$(ask signIn "{\"signIn\":{\"accessKey\":\"$key\"}}")
is 'signIn by access key' "$(echo "$reply" | get .authorized.userUUID)" "$ann"

reply=$(ask signUp '{"signUp":{"username":"ann","password":"secret123"}}')
is 'signUp of a taken name is error 6' "$(echo "$reply" | get .error.code)" 6
is 'with status 409' "$(echo "$reply" | status)" 409
reply=$(ask signUp '{"signUp":{"username":"bob","password":"secret123"}}')
is 'signUp of a free name' "$(echo "$reply" | get .type)" authorized
bob=$(echo "$reply" | get .authorized.userUUID)
bobkey=$(echo "$reply" | get .authorized.accessKey)

reply=$(ask channelJoin "{\"sessionUUID\":\"$session\"}" -H "Authorization: Bearer $key")
is 'channelJoin of general' "$(echo "$reply" | get .channelJoin.recipientUUID)" ''
is 'it is empty' "$(echo "$reply" | get '.channelJoin.messages|length')" 0
is 'ann is in it' "$(echo "$reply" | get '.channelJoin.users[0].Username')" ann

reply=$(ask channelMessage '{"id":"7","channelMessage":{"message":"hello"}}' \
	-H "Authorization: Bearer $key")
is 'channelMessage gives the stored message' \
	"$(echo "$reply" | get .channelMessage.Message)" hello
is 'its seq is 1' "$(echo "$reply" | get .channelMessage.seq)" 1
is 'and the id comes back' "$(echo "$reply" | get .id)" 7
like 'CreatedAt is RFC 3339 with microseconds' \
	"$(echo "$reply" | get .channelMessage.CreatedAt)" \
	'20??-??-??T??:??:??.??????Z'

# The key may stand in the body as well: some hosting strips Authorization.
reply=$(ask channelMessage "{\"accessKey\":\"$bobkey\",\"channelMessage\":{\"message\":\"psst\",\"recipientUUID\":\"$ann\",\"UUID\":\"123e4567-e89b-42d3-a456-426614174000\"}}")
is 'a private message' "$(echo "$reply" | get .channelMessage.RecipientUUID)" "$ann"
again=$(ask channelMessage "{\"accessKey\":\"$bobkey\",\"channelMessage\":{\"message\":\"psst\",\"recipientUUID\":\"$ann\",\"UUID\":\"123e4567-e89b-42d3-a456-426614174000\"}}")
is 'sending twice is sending once' "$again" "$reply"
reply=$(ask channelJoin "{\"sessionUUID\":\"$session\",\"channelJoin\":{\"recipientUUID\":\"$bob\"}}" -H "Authorization: Bearer $key")
is 'the other one finds it' "$(echo "$reply" | get '.channelJoin.messages[0].Message')" psst
is 'once' "$(echo "$reply" | get '.channelJoin.messages|length')" 1
reply=$(ask channelJoin "{\"sessionUUID\":\"$session\",\"channelJoin\":{\"recipientUUID\":\"$ann\"}}" -H "Authorization: Bearer $key")
is 'notes to self' "$(echo "$reply" | get .channelJoin.total)" 1

reply=$(curl -s -H "Authorization: Bearer $key" "$url/api/users?limit=10&offset=0")
is 'users by GET' "$(echo "$reply" | jq -r '[.users.users[].Username]|join(" ")')" 'ann bob'

reply=$(ask channelLeave "{\"sessionUUID\":\"$session\",\"channelLeave\":{}}" -H "Authorization: Bearer $key")
is 'channelLeave' "$(echo "$reply" | get .channelLeave.senderUUID)" "$ann"

# What was said before, how far it was read, and with whom.
reply=$(curl -s -H "Authorization: Bearer $key" "$url/api/channelMessages?recipientUUID=$bob&limit=5")
is 'channelMessages by GET' "$(echo "$reply" | jq -r '.channelMessages.messages[0].Message')" psst
reply=$(ask channelRead "{\"channelRead\":{\"recipientUUID\":\"$bob\",\"seq\":1}}" -H "Authorization: Bearer $key")
is 'channelRead' "$(echo "$reply" | get .channelRead.seq)" 1
reply=$(curl -s -H "Authorization: Bearer $key" "$url/api/channels")
is 'channels by GET' "$(echo "$reply" | jq -r '.channels.channels[]|select(.User.Username == "bob").readSeq')" 1

# What happened since the session began, without waiting for more.
reply=$(curl -s -H "Authorization: Bearer $key" "$url/api/events?sessionUUID=$session&wait=0")
is 'events by GET' "$(echo "$reply" | jq -r '[.events.frames[]|select(.sys.type == "signIn").sys.signIn.username]|last')" bob

# A new password ends all other keys.
reply=$(ask password '{"password":{"password":"secret123","newPassword":"secret456"}}' -H "Authorization: Bearer $bobkey")
is 'password' "$(echo "$reply" | get .authorized.userUUID)" "$bob"
is 'the old key is dead' "$(ask users '{}' -H "Authorization: Bearer $bobkey" | status)" 401
bobkey=$(echo "$reply" | get .authorized.accessKey)

# What goes wrong.
is 'an unknown type is 404' "$(ask nosuch '{}' | status)" 404
is 'no JSON is error 1' "$(ask users '{' | get .error.code)" 1
is 'no key is error 4' "$(ask users '{}' | get .error.code)" 4
is 'a dead user is error 7' "$(ask channelMessage "{\"accessKey\":\"$key\",\"channelMessage\":{\"message\":\"x\",\"recipientUUID\":\"123e4567-e89b-12d3-a456-426614174000\"}}" | get .error.code)" 7
is 'no message is error 3' "$(ask channelMessage "{\"accessKey\":\"$key\"}" | get '.error.code,.error.payload' | tr '\n' ' ')" '3 message '
is "another's session is error 10" "$(ask channelJoin "{\"accessKey\":\"$bobkey\",\"sessionUUID\":\"$session\"}" | get .error.code)" 10
is 'another media type is 415' "$(curl -s -o /dev/null -w '%{http_code}' -d '{}' "$url/api/signIn")" 415
is 'another method is 405' "$(curl -s -o /dev/null -w '%{http_code}' "$url/api/signIn")" 405
is 'a key in the URL is refused' "$(curl -s "$url/api/users?accessKey=$key" | jq .error.code)" 3
is 'a foreign origin is refused' "$(ask users '{}' -H 'Origin: http://evil.example' | status)" 403
head -c 70000 /dev/zero | tr '\0' x >"$work/large"
is 'a large body is 413' "$(curl -s -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' --data-binary "@$work/large" "$url/api/signIn")" 413

reply=$(ask signOut "{\"sessionUUID\":\"$session\"}" -H "Authorization: Bearer $key")
is 'signOut' "$(echo "$reply" | get .signOut.uuid)" "$ann"
is 'the key is dead' "$(ask users '{}' -H "Authorization: Bearer $key" | status)" 401
is 'health' "$(curl -s -o /dev/null -w '%{http_code}' "$url/api/health")" 200

# Redis goes away and comes back.
mv "$redis" "$redis.away"
for type in normal pubsub; do
	redis-cli -s "$redis.away" client kill type $type >"$work/killed"
done
reply=$(ask users '{}' -H "Authorization: Bearer $bobkey" --max-time 30)
is 'without Redis error 20' "$(echo "$reply" | get .error.code)" 20
is 'with status 503' "$(echo "$reply" | status)" 503
is 'health says so' "$(curl -s -o /dev/null -w '%{http_code}' "$url/api/health")" 503
mv "$redis.away" "$redis"
wait_for curl -sf "$url/api/health" || true
reply=$(ask signIn '{"signIn":{"username":"ann","password":"secret123"}}')
is 'it works again by itself' "$(echo "$reply" | status)" 200

[ $# -gt 0 ] || end_well responder bridge
plan
