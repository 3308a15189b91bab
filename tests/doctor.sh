# shellcheck shell=sh disable=SC2154,SC2034
# SPDX-License-Identifier: MIT
# palaver-doctor against real servers: a sound site, and one fault at a time,
# each named in the words of the server whose it is; behind each web server with
# all that is its own, side by side, for the doctor waits most of the time.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
doctor=$top/conf/palaver-doctor
export PALAVER_SIGN_UP_RATE=0
tmp=$work/tmp
mkdir "$tmp" # the doctor's own

examine() { # [OPTION...]: sets said and code
	code=0
	said=$(TMPDIR=$tmp sh "$doctor" --wait 2 "$@" "$url" 2>&1) || code=$?
}
# names WHAT PATTERN: just the line of that fault says FAIL, and what to do
names() {
	is "$1: exit status" "$code" 1
	like "$1: is named" "$(echo "$said" | grep '^FAIL')" "$2"
	is "$1: and nothing else" "$(echo "$said" | grep -c '^FAIL')" "${3:-1}"
	[ "$(echo "$said" | grep -c '^FAIL')" = "${3:-1}" ] || echo "$said" | sed 's/^/# /'
}
# A site on each web server, of its snippets with other places: what is started
# at $port out of the directory $1.
conf_nginx() {
	sh "$top/conf/nginx-site" "$1" "127.0.0.1:$port" "$files/www" \
		"$work/responder.sock" "$work/bridge.sock"
}
snippets() { # NAME...: of conf/servers
	for snippet in "$@"; do
		sed -e 's|/chat||g' -e "s|/run/palaver-fcgi.sock|$work/responder.sock|" \
			-e "s|/run/palaver-bridge/ws.sock|$work/bridge.sock|" \
			-e "s|/usr/local/share/palaver/www/|$files/www/|" \
			"$top/conf/servers/$snippet"
	done
}
conf_lighttpd() {
	cat <<-END
	server.modules = ( "mod_indexfile", "mod_alias", "mod_redirect", "mod_setenv",
		"mod_fastcgi", "mod_proxy", "mod_staticfile" )
	server.document-root = "$files/page"
	server.errorlog = "$1/error.log"
	server.bind = "127.0.0.1"
	server.port = $port
	mimetype.assign = ( ".html" => "text/html", ".js" => "text/javascript" )
	END
	snippets lighttpd-palaver.conf lighttpd-fastcgi.conf
}
conf_Apache() {
	cat <<-END
	ServerRoot $1
	ServerName localhost
	PidFile $1/pid
	DefaultRuntimeDir $1
	ErrorLog $1/error.log
	Listen 127.0.0.1:$port
	$([ "$(id -u)" != 0 ] || echo 'User www-data
	Group www-data')
	DocumentRoot $files/page
	TypesConfig /dev/null
	$(for module in mpm_event authz_core alias dir headers proxy proxy_http \
		proxy_fcgi mime; do
		echo "LoadModule ${module}_module /usr/lib/apache2/modules/mod_$module.so"
	done)
	END
	snippets apache-proxy-fcgi.conf apache-palaver.conf
}
# site NAME [SED-SCRIPT]: one on $server, its configuration changed so; sets url
site() {
	port=$(free_port)
	url=http://127.0.0.1:$port
	dir=$work/$1
	mkdir "$dir"
	chmod 755 "$dir"
	"conf_$server" "$dir" >"$dir/whole.conf"
	sed "${2-}" "$dir/whole.conf" >"$dir/site.conf"
	[ -z "${2-}" ] || ! cmp -s "$dir/whole.conf" "$dir/site.conf" || {
		echo "Bail out! $server, $1 changes nothing"
		exit 1
	}
	case $server in
	nginx) start server nginx -c "$dir/site.conf" -e "$dir/error.log" ;;
	lighttpd) start server lighttpd -D -f "$dir/site.conf" ;;
	Apache) start server apache2 -f "$dir/site.conf" -D FOREGROUND ;;
	esac
	wait_for curl -s -o /dev/null "$url" || { cat "$dir"/error.log; exit 1; }
}
# fault WHAT SED-SCRIPT PATTERN [OPTION...]: it is made so, and named so
fault() {
	site "$(echo "$1" | tr -d ' ')" "$2"
	what=$1 pattern=$3
	shift 3
	examine "$@"
	names "$server: $what" "$pattern"
}
# What a proxy does that gathers an answer before it passes it on: sets url
gatherer() { # URL
	port=$(free_port)
	url=http://127.0.0.1:$port
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
}).listen(+process.argv[2], "127.0.0.1")' "$1" "$port"
	wait_for curl -s -o /dev/null "$url"
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

files=$work
cp -r "$top/www" "$files/www"
mkdir "$files/page"
chmod -R a+rX "$files/www" "$files/page"

down() { # NAME
	eval "pid=\$pid_$1"
	kill -TERM "$pid"
	wait "$pid" || true
}
is_back() { [ "$(curl -s -o "$work/ws" -w '%{http_code}' "$url/ws")" = 426 ]; }
# What each of them is asked; the words are the server's own.
all_of() { # WORDS-OF-buffering -OF-responder STATUS-OF-bridge
	site sound
	sound=$url
	examine
	is "$server: a sound site: exit status" "$code" 0
	is "$server: a sound site: all is well" "$(echo "$said" | tail -n 1)" 'all is well'
	is "$server: a sound site: each thing is looked at" "$(echo "$said" | sed -n 's/^ok  *\([^ ]*\).*/\1/p' | tr '\n' ' ')" \
		'page operations Authorization Origin WebSocket long-poll timeouts '
	gatherer "$sound"
	examine
	names "$server: a buffered poll" "*long-poll*buffers*$1*"

	url=$sound
	down bridge
	examine
	names "$server: the bridge is down" "*WebSocket*$3*the bridge is down*"
	down redis
	examine
	names "$server: Redis is down" '*operations*Redis is away*redis_password*WebSocket*' 2
	end_well responder
	examine
	names "$server: the responder is down" "*operations*the responder is down*$2*WebSocket*" 2

	# Another origin than the page's is all that is allowed.
	start_redis
	export PALAVER_ORIGINS=https://other.example
	start_responder responder
	start_bridge bridge
	# lighttpd lets a bridge be for a second that it could not reach.
	wait_for is_back
	examine
	names "$server: wrong origins" '*Origin*origins = http://127.0.0.1:*Origin*the bridge*origins = *' 2
	end_well responder bridge
}
of_nginx() {
	fault 'no upgrade' '/proxy_set_header Upgrade/d; /proxy_set_header Connection/d' \
		'*WebSocket*upgrade is not passed on: proxy_http_version 1.1*'
	fault 'no place for the WebSocket' 's|location = /ws|location = /elsewhere|' \
		'*WebSocket*does not lead to the bridge*location = /ws*'
	fault 'a stripped Authorization' \
		's|fastcgi_pass palaver_responders;|fastcgi_param HTTP_AUTHORIZATION ""; &|' \
		'*Authorization*does not arrive*fastcgi_param HTTP_AUTHORIZATION*'
	# shellcheck disable=SC2016 # nginx' variable
	fault 'another Host' '/proxy_set_header Host/d' \
		'*Origin*the bridge*proxy_set_header Host $http_host*'
	fault 'a timeout below the wait' 's|fastcgi_read_timeout .*|fastcgi_read_timeout 4s;|' \
		'*timeouts*cut after 4 s*raise fastcgi_read_timeout*' --wait 8
	site reloading "s|access_log off;|access_log $work/reloading.log;|; s|^[^ ]*alias .*|alias /nowhere/;|"
	(
		wait_for test -s "$work/reloading.log"
		cp "$dir/whole.conf" "$dir/site.conf"
		kill -HUP "$pid_server"
	) &
	examine
	is 'a server that is about to reload' "$code" 0
	all_of 'fastcgi_buffering off' fastcgi_pass 502
}
of_lighttpd() {
	fault 'no upgrade' '/"upgrade" => "enable"/d' \
		'*WebSocket*upgrade is not passed on: proxy.header*"upgrade" => "enable"*'
	fault 'no place for the WebSocket' 's|== "/ws"|== "/elsewhere"|' \
		'*WebSocket*does not lead to the bridge*proxy.server for /ws*'
	fault 'a stripped Authorization' \
		's|^server.bind.*|&\nsetenv.set-request-header = ( "Authorization" => "" )|' \
		'*Authorization*does not arrive*setenv*'
	fault 'another Host' \
		's|"upgrade" => "enable"|&, "map-host-request" => ( "-" => "palaver.example" )|' \
		'*Origin*the bridge*"map-host-request" in proxy.header*'
	fault 'a timeout below the wait' 's|"check-local".*|&\n"read-timeout" => 4,|' \
		'*timeouts*cut after [4-6] s*raise "read-timeout" of fastcgi.server*' --wait 8
	all_of 'server.stream-response-body = 1' fastcgi.server 503
}
of_Apache() {
	fault 'no upgrade' 's|upgrade=websocket||' \
		'*WebSocket*upgrade is not passed on: ProxyPass*upgrade=websocket*'
	fault 'no place for the WebSocket' 's|Location /ws>|Location /elsewhere>|' \
		'*WebSocket*does not lead to the bridge*ProxyPass /ws*'
	fault 'a stripped Authorization' '/CGIPassAuth/d' \
		'*Authorization*does not arrive*CGIPassAuth On*'
	fault 'another Host' '/ProxyPreserveHost/d' '*Origin*the bridge*ProxyPreserveHost On*'
	fault 'a timeout below the wait' '/fcgi:/s|timeout=90|timeout=4|' \
		'*timeouts*cut after 4 s*raise timeout= of ProxyPass*' --wait 8
	all_of 'flushpackets=on' ProxyPass 503
}
behind() { # SERVER
	server=$1 work=$files/$1 pids='' count=0 bad=0
	trap finish EXIT
	mkdir "$work"
	chmod 755 "$work"
	export ASAN_OPTIONS="detect_leaks=1:log_path=$work/asan"
	export PALAVER_REDIS="unix:$work/redis.sock"
	start_redis
	start_responder responder
	start_bridge bridge
	"of_$1"
}
stacks=''
set -- nginx lighttpd Apache
for server in "$@"; do
	(behind "$server") >"$work/$server.tap" 2>&1 &
	stacks="$stacks $!"
done
for pid in $stacks; do
	code=0
	wait "$pid" || code=$?
	awk -v n="$count" '/^(not )?ok / { sub(/ok [0-9]+/, "ok " ++n) } 1' "$work/$1.tap"
	count=$((count + $(grep -c '^\(not \)\{0,1\}ok ' "$work/$1.tap")))
	bad=$((bad + $(grep -c '^not ok' "$work/$1.tap" || true)))
	is "$1: all was asked" "$code" 0
	shift
done
is 'its password is in no process list, and no file is left' "$(ls "$tmp")" ''
plan
