#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes script_list.h (what list) or script_texts.c (what texts) from the
# scripts in DIR; what they share, DIR/shared/*.lua, stands in front of each.
# what shared: prints that.
# usage: embed-lua.sh list|texts|shared DIR
set -eu
what=$1 dir=$2

names() {
	for file in "$dir"/*.lua; do
		basename "$file" .lua
	done
}

# Each needs what the ones before it define.
shared() {
	for part in keys log rate users channels sessions access; do
		cat "$dir/shared/$part.lua"
	done
}

# A C string, a line a line.
quoted() {
	sed 's/[\\"?]/\\&/g; s/	/\\t/g; s/^/	"/; s/$/\\n"/'
}

case $what in
list) names | sed 's/.*/SCRIPT(&)/'; exit 0 ;;
shared) shared; exit 0 ;;
esac
work=$(mktemp)
trap 'rm -f "$work" "$work.6" "$work.shared"' EXIT
shared >"$work.shared"
echo '/* Made from common/lua by embed-lua.sh. */'
echo '#include <stddef.h>'
echo '#include "script.h"'
echo 'const struct script_text script_texts[SCRIPT_MAX] = {'
for name in $(names); do
	printf '[SCRIPT_%s] = { "%s",\n' "$name" "$name"
	cat "$work.shared" "$dir/$name.lua" | sed '/^[[:space:]]*--/d' >"$work"
	cp "$work" "$work.6"
	first='#!lua'
	# What frees or counts down must run when memory is out. Redis 6 looks at
	# a script's first write only, and never refuses DEL.
	if grep -q '^-- runs without memory$' "$dir/$name.lua"; then
		first='#!lua flags=allow-oom'
		cat "$work.shared" - "$dir/$name.lua" <<-'END' | sed '/^[[:space:]]*--/d' >"$work.6"
			call('DEL', SYS .. 'nothing')
		END
	fi
	echo "$first" | quoted
	quoted <"$work"
	echo ','
	quoted <"$work.6"
	echo ','
	sum=$( (echo "$first"; cat "$work") | sha1sum | cut -d' ' -f1)
	sum6=$(sha1sum <"$work.6" | cut -d' ' -f1)
	[ ${#sum} -eq 40 ] && [ ${#sum6} -eq 40 ]
	printf '\t"%s",\n\t"%s" },\n' "$sum" "$sum6"
done
echo '};'
