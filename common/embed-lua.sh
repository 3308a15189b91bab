#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes script_list.h (what list) or script_texts.c (what texts) from the
# scripts in DIR: every file but shared.lua, which stands in front of each.
# usage: embed-lua.sh list|texts DIR
set -eu
what=$1 dir=$2

names() {
	for file in "$dir"/*.lua; do
		name=$(basename "$file" .lua)
		[ "$name" = shared ] || echo "$name"
	done
}

# A C string, a line a line.
quoted() {
	sed 's/[\\"?]/\\&/g; s/	/\\t/g; s/^/	"/; s/$/\\n"/'
}

if [ "$what" = list ]; then
	names | sed 's/.*/SCRIPT(&)/'
	exit 0
fi
work=$(mktemp)
trap 'rm -f "$work" "$work.6"' EXIT
echo '/* Made from common/lua by embed-lua.sh. */'
echo '#include <stddef.h>'
echo '#include "script.h"'
echo 'const struct script_text script_texts[SCRIPT_MAX] = {'
for name in $(names); do
	printf '[SCRIPT_%s] = { "%s",\n' "$name" "$name"
	cat "$dir/shared.lua" "$dir/$name.lua" | sed '/^[[:space:]]*--/d' >"$work"
	cp "$work" "$work.6"
	first='#!lua'
	# What frees or counts down must run when memory is out. Redis 6 looks at
	# a script's first write only, and never refuses DEL.
	if grep -q '^-- runs without memory$' "$dir/$name.lua"; then
		first='#!lua flags=allow-oom'
		cat "$dir/shared.lua" - "$dir/$name.lua" <<-'END' | sed '/^[[:space:]]*--/d' >"$work.6"
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
