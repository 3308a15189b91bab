# shellcheck shell=sh disable=SC2154,SC2034
# SPDX-License-Identifier: MIT
# The same smoke test under Apache (mod_cgid, mod_fcgid) and lighttpd.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
start_redis
prepare_web

smoke() { # SERVER URL
	ask() {
		curl -s --max-time 10 -H 'Content-Type: application/json' -d "$2" "$url/api/$1"
	}
	server=$1 url=$2
	wait_for curl -sf "$url/api/health" || {
		not_ok "$server answers" "$(tail -n 5 "$work"/*.log)"
		return 0
	}
	reply=$(ask signIn '{"signIn":{"username":"ann","password":"secret123"}}')
	is "$server: signIn" "$(echo "$reply" | jq -r .type)" authorized
	key=$(echo "$reply" | jq -r .authorized.accessKey)
	session=$(echo "$reply" | jq -r .authorized.sessionUUID)
	reply=$(ask channelJoin "{\"accessKey\":\"$key\",\"sessionUUID\":\"$session\"}")
	is "$server: channelJoin" "$(echo "$reply" | jq -r .type)" channelJoin
	reply=$(ask channelMessage "{\"accessKey\":\"$key\",\"channelMessage\":{\"message\":\"by $server\"}}")
	is "$server: channelMessage" "$(echo "$reply" | jq -r .channelMessage.Message)" "by $server"
	is "$server: a status" "$(curl -s -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' -d '{}' "$url/api/nosuch")" 404
	reply=$(curl -s -H "Authorization: Bearer $key" "$url/api/users?limit=1")
	is "$server: Authorization is passed" "$(echo "$reply" | jq -r .type)" users
	is "$server: HEAD, then GET on one connection" "$(curl -s --max-time 10 -o /dev/null \
		-w '%{http_code} %{size_download} ' -I "$url/api/health" \
		--next -s --max-time 10 -o /dev/null -w '%{http_code}' "$url/api/health")" '200 0 200'
	is "$server: a page's own origin" "$(curl -s -o /dev/null -w '%{http_code}' -X OPTIONS -H "Origin: $url" "$url/api/users")" 204
}

port=$(free_port)
start_apache cgid "$port" <<END
LoadModule cgid_module /usr/lib/apache2/modules/mod_cgid.so
ScriptSock $work/cgid.sock
ScriptAlias /api $work/bin/palaver.fcgi
END
smoke 'Apache mod_cgid' "http://127.0.0.1:$port"

port=$(free_port)
mkdir "$work/fcgid"
chmod 777 "$work/fcgid"
start_apache fcgid "$port" <<END
LoadModule fcgid_module /usr/lib/apache2/modules/mod_fcgid.so
FcgidIPCDir $work/fcgid
FcgidProcessTableFile $work/fcgid/table
Alias /api $work/bin/palaver.fcgi
<Directory $work/bin>
	SetHandler fcgid-script
	Options +ExecCGI
</Directory>
END
smoke 'Apache mod_fcgid' "http://127.0.0.1:$port"

port=$(free_port)
start_responder responder
cat >"$work/lighttpd.conf" <<END
server.port = $port
server.bind = "127.0.0.1"
server.document-root = "$work/page"
server.errorlog = "$work/lighttpd.error.log"
server.modules = ( "mod_fastcgi" )
fastcgi.server = ( "/api" => (( "socket" => "$work/responder.sock", "check-local" => "disable" )) )
END
start lighttpd lighttpd -D -f "$work/lighttpd.conf"
smoke lighttpd "http://127.0.0.1:$port"
end_well responder
plan
