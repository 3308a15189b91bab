# shellcheck shell=sh disable=SC2154,SC2164
# SPDX-License-Identifier: MIT
# The build as a packager uses it: configure and what it refuses, a parallel
# build of a clean tree, the tarball, make install; what conf/ has for systemd
# and for images, as far as a plain shell can run it.
. "$(dirname "$0")/lib.sh"
unset PALAVER_REDIS PALAVER_SOCKET_MODE
export MAKEFLAGS=
cd "$work"

# try NAME COMMAND...: sets code; what it printed is in NAME.out
try() {
	out=$1.out code=0
	shift
	"$@" >"$work/$out" 2>&1 || code=$?
	[ "$code" -eq 0 ] || tail -n 3 "$work/$out" | sed 's/^/# /'
}
tree() { # NAME FLAG...: configures into a directory of that name
	mkdir -p "$work/$1"
	cd "$work/$1"
	name=$1
	shift
	try "$name" "$top/configure" --quiet --cache-file="$work/cache" --prefix=/usr "$@"
	cd "$work"
}

tree whole --enable-werror
is 'configure' "$code" 0
like 'sums up' "$(tr -s ' \n' ' ' <whole.out)" '*palaver.fcgi yes bridge yes sanitizers no fuzzing no werror yes*'
try make make -s -C whole -j2 all check-build
is 'several goals at once on a clean tree' "$code" 0

# Each library is refused below the version that we need, by its name.
mkdir pc
for pair in hiredis:0.13.9 libuv:1.39.0 json-c:0.14 libsodium:1.0.17 fcgi:2.3 \
	libwebsockets:4.0.9; do
	library=${pair%:*}
	pkg-config --exists "$library" || not_ok "$library is here"
	printf 'Name: %s\nDescription: old\nVersion: %s\nCflags:\nLibs:\n' \
		"$library" "${pair#*:}" >"pc/$library.pc"
	rm -f cache
	PKG_CONFIG_PATH=$work/pc tree old >/dev/null
	is "$library ${pair#*:} is too old" "$code" 1
	like 'which is said' "$(cat old.out)" "*$library >=*"
	rm "pc/$library.pc"
done
rm -f cache

# One program without the libraries of the other.
cat >no-library <<'END'
#!/bin/sh
case "$*" in *"$MISSING"*) exit 1 ;; esac
exec pkg-config "$@"
END
chmod 755 no-library
export PKG_CONFIG="$work/no-library"
for pair in bridge:libwebsockets:fcgi/palaver.fcgi fcgi:fcgi:bridge/palaver-bridge; do
	without=${pair%%:*} program=${pair##*:}
	MISSING=${pair#*:} MISSING=${MISSING%:*}
	export MISSING
	tree needs >/dev/null
	is "without $MISSING configure fails" "$code" 1
	tree "no-$without" "--disable-$without"
	is "but not with --disable-$without" "$code" 0
	try make make -s -C "no-$without" -j2 all check-build
	is 'which builds' "$code" 0
	is "the other program only" "$(cd "no-$without" && find fcgi bridge -name 'palaver[.-]*' -perm -100 -type f)" "$program"
done
unset PKG_CONFIG MISSING

try distcheck make -s -C whole -j2 distcheck
is 'make distcheck out of the tree' "$code" 0
tar tzf whole/palaver-*.tar.gz | sed 's,^[^/]*/,,' | sort >in-tarball
(cd "$top" && git ls-files) | grep -vx .gitignore | sort >in-tree
is 'the tarball has all of the tree' "$(comm -13 in-tarball in-tree)" ''

# Installed as the image does it, and gone again.
try install make -s -C whole install-strip DESTDIR="$work/root"
is 'make install-strip with DESTDIR' "$code" 0
for file in bin/palaver.fcgi bin/palaver-bridge bin/palaver-doctor share/man/man1/palaver-doctor.1 share/man/man8/palaver.fcgi.8 \
	share/man/man8/palaver-bridge.8 share/man/man5/palaver.conf.5 \
	share/palaver/www/index.html share/palaver/www/palaver.js \
	share/doc/palaver/README.md share/doc/palaver/examples/palaver.conf \
	share/doc/palaver/examples/palaver-fcgi.socket \
	share/doc/palaver/examples/nginx-palaver.conf \
	share/doc/palaver/examples/apache-palaver.conf \
	share/doc/palaver/examples/lighttpd-palaver.conf \
	lib/systemd/system/palaver-fcgi.socket etc/palaver/palaver.conf; do
	[ -s "root/usr/$file" ] || not_ok "$file is installed"
done
ok 'what is installed'
like 'it runs from there' "$(root/usr/bin/palaver.fcgi --version)" 'palaver.fcgi 0.*'
is 'the units name what is installed' "$(grep -h ^ExecStart= root/usr/lib/systemd/system/palaver-*.service)" \
	'ExecStart=/usr/bin/palaver-bridge --config /usr/etc/palaver/palaver.conf \
ExecStart=/usr/bin/palaver.fcgi --config /usr/etc/palaver/palaver.conf'
echo 'history = 5' >>root/usr/etc/palaver/palaver.conf
try again make -s -C whole install-data DESTDIR="$work/root"
is 'make install leaves the settings of a site alone' "$(tail -n 1 root/usr/etc/palaver/palaver.conf)" 'history = 5'

# The image: conf/ and www/ in a directory, the programs in PATH.
mkdir image
cp -r "$top/conf" "$top/www" image
port=$(free_port)
start image env PATH="$work/root/usr/bin:$PATH" "SERVER_ADDRESS=127.0.0.1:$port" \
	"DEMO_STATE=$work/state" PALAVER_PASSWORD_COST=minimal sh image/conf/demo --installed
wait_for grep -q 'Palaver is at' image.log || sed 's/^/# /' image.log
is 'what the image runs' "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/api/health")" 200
kill -TERM "$pid_image"
code=0
wait "$pid_image" || code=$?
is 'and ends' "$code" 0
is 'app.json is JSON' "$(jq -r .stack "$top/app.json")" container

try uninstall make -s -C whole uninstall DESTDIR="$work/root"
is 'make uninstall leaves nothing but those' "$(find root -type f)" root/usr/etc/palaver/palaver.conf

# The units, with the programs where they are here.
mkdir units
for unit in palaver-fcgi.socket palaver-fcgi.service palaver-bridge.service; do
	sed "s,/usr/local/bin/palaver\.fcgi,$build/fcgi/palaver.fcgi,
		s,/usr/local/bin/palaver-bridge,$build/bridge/palaver-bridge," \
		"$top/conf/$unit" >"units/$unit"
done
cd units
is 'systemd takes the units as they are' "$(systemd-analyze verify --man=no ./palaver-fcgi.socket ./palaver-fcgi.service ./palaver-bridge.service 2>&1)" ''
try security systemd-analyze security --offline=true --threshold=20 ./palaver-fcgi.service ./palaver-bridge.service
is 'and finds little that they expose' "$code" 0
plan
