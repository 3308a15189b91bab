# shellcheck shell=sh disable=SC2154
# SPDX-License-Identifier: MIT
# palaver-doctor against real servers: a sound site, and one fault at a time,
# each named in the words of the server whose it is.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
doctor=$top/conf/palaver-doctor
export PALAVER_SIGN_UP_RATE=0
mkdir "$work/tmp" # the doctor's own

examine() { # [OPTION...]: sets said and code
	code=0
	said=$(TMPDIR=$work/tmp sh "$doctor" --wait 2 "$@" "$url" 2>&1) || code=$?
}
# names WHAT PATTERN: just the line of that fault says FAIL, and what to do
names() {
	is "$1: exit status" "$code" 1
	like "$1: is named" "$(echo "$said" | grep '^FAIL')" "$2"
	is "$1: and nothing else" "$(echo "$said" | grep -c '^FAIL')" "${3:-1}"
	[ "$(echo "$said" | grep -c '^FAIL')" = "${3:-1}" ] || echo "$said" | sed 's/^/# /'
}
# site NAME [SED-SCRIPT]: nginx with its places changed so; sets url
site() {
	port=$(free_port)
	url=http://127.0.0.1:$port
	mkdir -p "$work/$1"
	chmod 755 "$work/$1"
	sh "$top/conf/nginx-site" "$work/$1" "127.0.0.1:$port" "$top/www" \
		"$work/responder.sock" "$work/bridge.sock" >"$work/$1/whole.conf"
	sed "${2-}" "$work/$1/whole.conf" >"$work/$1/nginx.conf"
	[ -z "${2-}" ] || ! cmp -s "$work/$1/whole.conf" "$work/$1/nginx.conf" || {
		echo "Bail out! $1 changes nothing"
		exit 1
	}
	start "$1" nginx -c "$work/$1/nginx.conf" -e "$work/$1/nginx.log"
	wait_for curl -s -o /dev/null "$url" || { cat "$work/$1/nginx.log"; exit 1; }
}

is 'help' "$(sh "$doctor" --help | head -n 1)" \
	'usage: palaver-doctor [--insecure] [--wait SECONDS] URL'
for wrong in '' ftp://host '--wait x http://host' '--wait 56 http://host' '--nosuch http://host'; do
	code=0
	# shellcheck disable=SC2086 # words
	sh "$doctor" $wrong >/dev/null 2>&1 || code=$?
	is "wrong usage: $wrong" "$code" 2
done
url=http://127.0.0.1:1
examine
names 'nobody is there' '*page*no answer*'

start_redis
start_responder responder
start_bridge bridge

site sound
examine
is 'a sound site: exit status' "$code" 0
is 'a sound site: all is well' "$(echo "$said" | tail -n 1)" 'all is well'
is 'a sound site: each thing is looked at' "$(echo "$said" | sed -n 's/^ok  *\([^ ]*\).*/\1/p' | tr '\n' ' ')" \
	'page operations Authorization Origin WebSocket long-poll timeouts '
is 'its password is in no process list, and no file is left' "$(ls "$work/tmp")" ''
sound=$url

site reloading "s|access_log off;|access_log $work/reloading/access.log;|; s|^[^ ]*alias .*|alias /nowhere/;|"
(
	wait_for test -s "$work/reloading/access.log"
	cp "$work/reloading/whole.conf" "$work/reloading/nginx.conf"
	kill -HUP "$pid_reloading"
) &
examine
is 'a server that is about to reload' "$code" 0

site upgrade '/proxy_set_header Upgrade/d; /proxy_set_header Connection/d'
examine
names 'no upgrade' '*WebSocket*upgrade is not passed on: proxy_http_version 1.1*'

site bare 's|location = /ws|location = /elsewhere|'
examine
names 'no place for the WebSocket' '*WebSocket*does not lead to the bridge*location = /ws*'

site stripped 's|fastcgi_pass palaver_responders;|fastcgi_param HTTP_AUTHORIZATION ""; &|'
examine
names 'a stripped Authorization' '*Authorization*does not arrive*fastcgi_param HTTP_AUTHORIZATION*'

site cut 's|fastcgi_read_timeout .*|fastcgi_read_timeout 4s;|'
examine --wait 8
names 'a timeout below the wait' '*timeouts*cut after 4 s*raise fastcgi_read_timeout*'

# What a proxy does that gathers an answer before it passes it on.
url=$sound
port=$(free_port)
start gatherer node -e '
const http = require("http");
http.createServer((q, r) => {
  const on = http.request(process.argv[1] + q.url, { method: q.method, headers: q.headers }, (a) => {
    setTimeout(() => { r.writeHead(a.statusCode, a.headers); a.pipe(r); }, /events/.test(q.url) ? 5000 : 0);
  });
  on.on("upgrade", (a, s, head) => {});
  q.pipe(on);
}).on("upgrade", (q, s, head) => {
  const on = http.request(process.argv[1] + q.url, { headers: q.headers });
  on.on("upgrade", (a, t, first) => {
    s.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    s.write(first); t.pipe(s); s.pipe(t);
    s.on("error", () => t.destroy()); t.on("error", () => s.destroy());
  });
  on.end();
}).listen(+process.argv[2], "127.0.0.1")' "$sound" "$port"
url=http://127.0.0.1:$port
wait_for curl -s -o /dev/null "$url"
examine
names 'a buffered poll' '*long-poll*buffers*fastcgi_buffering off*'

# Apache's words are its own.
prepare_web
port=$(free_port)
start_apache apache "$port" <<END
LoadModule cgid_module /usr/lib/apache2/modules/mod_cgid.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
DirectoryIndex index.html
ScriptSock $work/cgid.sock
ScriptAlias /api $work/bin/palaver.fcgi
<Directory $work/bin>
	CGIPassAuth Off
</Directory>
ProxyPass /ws unix:$work/bridge.sock|http://bridge/ws
END
url=http://127.0.0.1:$port
wait_for curl -s -o /dev/null "$url"
examine
names 'Apache, two faults' '*CGIPassAuth On*upgrade=websocket*' 2

# What is down.
bridge=$pid_bridge
kill -TERM "$bridge"
wait "$bridge" || true
url=$sound
examine
names 'the bridge is down' '*WebSocket*502*the bridge is down*'
kill -TERM "$pid_redis"
wait "$pid_redis" || true
examine
like 'Redis is down: is named' "$said" '*FAIL*operations*Redis is away*redis_password*'
end_well responder
examine
like 'the responder is down: is named' "$said" '*FAIL*operations*502*the responder is down*fastcgi_pass*'

# Another origin than the page's is all that is allowed.
start_redis
export PALAVER_ORIGINS=https://other.example
start_responder responder
start_bridge bridge
site foreign
examine
names 'wrong origins' '*Origin*origins = http://127.0.0.1:*Origin*the bridge*origins = *' 2
end_well responder bridge
plan
