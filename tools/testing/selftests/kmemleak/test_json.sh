#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Leaks in JSON, and what scripts do with the addresses that they find there.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

JSON=$KML_DEBUGFS/kmemleak_info/leaks.json
# How long a list is.
NODES=1000
RESTRICT=/proc/sys/kernel/kptr_restrict

private()
{
	# shellcheck disable=SC2012
	mode=$(ls -l "$JSON" | cut -c 1-10)
	[ "$mode" = -r-------- ] && return
	echo "mode is $mode"
	return 1
}

addresses()
{
	sed -n 's/^{"address":"\(0x[0-9a-f]*\)",.*}$/\1/p' "$JSON"
}

same_addresses()
{
	kml_records | sed 's/^unreferenced object .*\(0x[0-9a-f]*\) (.*/\1/' > "$KML_TMP/reported"
	addresses > "$KML_TMP/addresses"
	[ -s "$KML_TMP/reported" ] && cmp "$KML_TMP/reported" "$KML_TMP/addresses"
}

# Root sees addresses as in the report, whatever is hidden from others.
restricted()
{
	had=$(cat "$RESTRICT")
	status=0
	for value in 0 1 2; do
		echo "$value" > "$RESTRICT"
		same_addresses && continue
		echo "with $value in $RESTRICT"
		status=1
	done
	echo "$had" > "$RESTRICT"
	return "$status"
}

scan_on_and_on()
{
	: > "$KML_TMP/run"
	while [ -e "$KML_TMP/run" ]; do
		kml_ctl scan > /dev/null
	done &
}

stop_scanning()
{
	rm "$KML_TMP/run"
	wait
}

# A place in the report between two reads is no reference to what comes next.
paused_reader()
{
	kml_make free && kml_do clear && kml_make many=400 && kml_make lose=400 &&
		kml_scan || return
	before=$(kml_stat "leaks now")
	for file in "$KML_FILE" "$JSON"; do
		for step in $(seq 3); do
			dd bs=4096 count=1 > /dev/null 2>&1
			kml_scan < /dev/null || return
			[ "$(kml_stat "leaks now")" -ge "$before" ] && continue
			echo "$(kml_stat "leaks now") and not $before after read $step of $file"
			return 1
		done < "$file"
	done
}

# ---- clear= ----

# fresh_leaks [all]: as the only ones, one of each kind, or of each size of each kind.
fresh_leaks()
{
	kml_make free && kml_do clear && kml_make "leak${1:+=$1}" && kml_scan && same_addresses
}

refused()
{
	answer=$(kml_ctl "clear=$1")
	[ "$answer" = EINVAL ] && return
	echo "clear=$1: $answer"
	return 1
}

# One in the middle goes, in all files, and for good; the others stay.
clears_one()
{
	fresh_leaks || return
	middle=$(sed -n "$(($(wc -l < "$KML_TMP/addresses") / 2))p" "$KML_TMP/addresses")
	grep -v "^$middle$" "$KML_TMP/addresses" > "$KML_TMP/others"
	kml_do "clear=$middle" && same_addresses && cmp "$KML_TMP/others" "$KML_TMP/addresses" &&
		refused "$middle" && kml_scan && ! addresses | grep "^$middle$"
}

clears_interior()
{
	fresh_leaks || return
	kml_records | awk '$NF + 0 >= 64 { print $(NF - 2); exit }' > "$KML_TMP/victim"
	kml_do "clear=$(printf '0x%x' $(($(cat "$KML_TMP/victim") + 63)))" &&
		! kml_records | grep -f "$KML_TMP/victim"
}

clears_all_one_by_one()
{
	fresh_leaks || return
	while read -r address; do
		kml_do "clear=$address" || return
	done < "$KML_TMP/addresses"
	[ "$(wc -c < "$JSON")" = 0 ] && [ "$(wc -c < "$KML_FILE")" = 0 ]
}

# Objects in use, and addresses without an object, are no leaks.
refuses_others()
{
	kml_make free && kml_do clear && kml_make hold=stack && kml_scan || return
	address=$(kml_expected | grep ' quiet ' | head -n 1 | cut -d ' ' -f 1)
	[ -n "$address" ] && [ "$(kml_ctl "dump=$address")" = OK ] && refused "$address" &&
		refused 0 && refused 0xffffffffffffffff
}

# To wait for a scan is no reference.
clears_while_scanning()
{
	kml_make free && kml_do clear && kml_make many=8 && kml_make lose=8 && kml_scan || return
	addresses > "$KML_TMP/addresses"
	scan_on_and_on
	status=0
	while read -r address; do
		answer=$(kml_ctl "clear=$address")
		[ "$answer" != OK ] || continue
		echo "clear=$address: $answer"
		# A scan may have taken something for a reference to it.
		status=1
		[ "$answer" != EINVAL ] || status=$HIDDEN
		break
	done < "$KML_TMP/addresses"
	stop_scanning
	return "$status"
}

# An object to which only a cleared object refers is in use.
cleared_scanned()
{
	kml_make free && kml_do clear && kml_make orphan && kml_scan &&
		kml_expected | kml_compare || return
	kml_do "clear=$(kml_expected | cut -d ' ' -f 1)" && kml_make adopt && kml_scan &&
		kml_expected | kml_all quiet | kml_compare
}

# ---- With a parser ----

# valid FILE: each line is one object, with all members, of their types.
valid()
{
	jq -c . "$1" > "$KML_TMP/parsed" || return
	[ "$(wc -l < "$KML_TMP/parsed")" = "$(wc -l < "$1")" ] || return
	jq -r 'select((keys_unsorted == ["address", "size", "kind", "cache", "comm", "pid",
			"age_ms", "direct", "held_by", "module", "crc", "trace", "content",
			"content_text", "type", "refcount"] and
		(.address | test("^0x[0-9a-f]{8,}$")) and (.size | type == "number" and . > 0) and
		(.kind | IN("slab", "page", "vmalloc", "percpu", "boot", "other")) and
		((.kind == "slab") == (.cache | type == "string")) and
		(.comm | type == "string") and (.pid | type == "number") and
		(.age_ms | type == "number" and . >= 0) and
		(.direct == (.held_by == null)) and
		(.module | type == "string" or . == null) and
		(.crc | test("^[0-9a-f]{1,8}$")) and
		(.content | test("^([0-9a-f][0-9a-f]){0,32}$")) and
		(.content_text | type == "string") and
		((.content | length) == 2 * (.content_text | length)) and
		(.type | type == "string" or . == null) and
		(.refcount | type == "number" or . == null) and
		(.trace | type == "array" and all(type == "string"))) | not)' "$1" > "$KML_TMP/bad"
	[ ! -s "$KML_TMP/bad" ] && return
	head -n 20 "$KML_TMP/bad"
	return 1
}

valid_now()
{
	cat "$JSON" > "$KML_TMP/json"
	[ -s "$KML_TMP/json" ] && valid "$KML_TMP/json"
}

# Member by member what the report says.
as_reported()
{
	awk '
	/^unreferenced object / { head = $(NF - 2) " " $NF + 0 }
	/^  comm / { sub(/,$/, "", $4); head = head " " $2 $4; bytes = "" }
	/^  hex dump / { dump = 1; next }
	dump && /^    / {
		row = substr($0, 5, 47)
		gsub(/ /, "", row)
		bytes = bytes row
		next
	}
	{ dump = 0 }
	/^  backtrace / { sub(/\):$/, "", $3); print head, $3, bytes; trace = 1; next }
	!/^    / { trace = 0 }
	trace' "$KML_FILE" > "$KML_TMP/reported"
	jq -r '"\(.address) \(.size) \"\(.comm)\",\(.pid) \(.crc) \(.content)",
		(.trace[] | "    " + .)' "$JSON" > "$KML_TMP/json"
	diff "$KML_TMP/reported" "$KML_TMP/json"
}

# kind_of FUNCTION MODULE: kinds and caches of what was allocated there.
kinds_of()
{
	jq -r "select(.trace | any(startswith(\"$1+\"))) | \"\(.kind) \(.cache)\"" "$JSON" |
		sed 's/kmalloc-[0-9a-z-]*/kmalloc/' | sort -u | xargs
}

kinds_told()
{
	[ "$KML_ATTEMPT" = 1 ] || fresh_leaks all || return
	status=
	while read -r function kinds; do
		found=$(kinds_of "$function")
		[ "$found" = "$kinds" ] && continue
		echo "$function: $found"
		case $kinds in
		*"$found"*)	status=${status:-$HIDDEN} ;;
		*)		status=1 ;;
		esac
	done <<-KINDS
		by_kmalloc page null slab kmalloc
		by_vmalloc vmalloc null
		by_percpu percpu null
		by_constructed_cache slab kmemleak_selftest_ctor
	KINDS
	return "${status:-0}"
}

# Its cache has gone as far as it could, with an object still in it.
gone_module()
{
	kml_make free && kml_do clear && kml_load kmemleak_leaky pattern=error_path &&
		kml_unload kmemleak_leaky && kml_scan || return
	jq -r 'select(.trace | any(startswith("leaky_probe+"))) | "\(.module) \(.kind) \(.size)"' \
		"$JSON" > "$KML_TMP/gone"
	[ -s "$KML_TMP/gone" ] || return "$HIDDEN"
	cat "$KML_TMP/gone"
	[ "$(cat "$KML_TMP/gone")" = "kmemleak_leaky slab 2048" ]
}

modules_told()
{
	[ "$(jq -r .module "$JSON" | sort -u | xargs)" = kmemleak_selftest ]
}

# Bytes of a name, as numbers.
bytes_of()
{
	printf '%s' "$1" | od -A n -t u1 | xargs
}

# leak_as NAME: by a task of that name.
leak_as()
{
	# shellcheck disable=SC2016
	sh -c 'printf %s "$1" > /proc/self/comm && echo orphan > "$2"' sh "$1" "$KML_TESTER/command"
}

any_names()
{
	kml_make free && kml_do clear || return
	for escaped in '"quo"te"' '\\back\\slash' '\0001\0033\0177' '\0200\0377\0300\0200' \
		'tab\tand\nline' '\0357\0277\0277\0355\0240\0200' '{"a":[1]}' '\\u0041\\"'; do
		name=$(printf '%b' "$escaped")
		leak_as "$name" || return
		bytes_of "$name"
	done | sort > "$KML_TMP/names"
	kml_scan && valid_now || return
	jq -r '.comm | explode | map(tostring) | join(" ")' "$JSON" | sort > "$KML_TMP/comms"
	diff "$KML_TMP/names" "$KML_TMP/comms" > "$KML_TMP/diff" && return
	cat "$KML_TMP/diff"
	! grep '^+[^+]' "$KML_TMP/diff" > /dev/null && return "$HIDDEN"
}

# Credentials to which two references were taken. Nothing else is of a type that counts.
counts_told()
{
	kml_make free && kml_do clear && kml_make counted && kml_make leak && kml_scan || return
	jq -r 'select(.type) | "\(.type) \(.refcount) \(.kind) \(.content[:8])"' "$JSON" \
		> "$KML_TMP/types"
	cat "$KML_TMP/types"
	[ -s "$KML_TMP/types" ] || return "$HIDDEN"
	# The count is what the object begins with.
	[ "$(cat "$KML_TMP/types")" = "struct cred 2 slab 02000000" ] || return
	grep -q -x '  reference counted (struct cred, count 2): look for the missing put' \
		"$KML_DEBUGFS/kmemleak_info/groups"
}

valid_while_scanning()
{
	fresh_leaks || return
	scan_on_and_on
	status=0
	for round in $(seq 2); do
		valid_now && continue
		echo "in round $round"
		status=1
		break
	done
	stop_scanning
	return "$status"
}

# Of the leaks of this function: all, those that nothing leads to, and those that
# another one of them leads to.
told_of()
{
	jq -rs "[.[] | select(.trace | any(startswith(\"$1+\")))] |
		(map({ (.address): true }) | add) as \$leaks |
		[length, (map(select(.direct and .held_by == null)) | length),
		 (map(select((.direct | not) and \$leaks[.held_by])) | length)] |
		map(tostring) | join(\" \")" "$JSON"
}

leads_told()
{
	kml_lose_list "$NODES" && kml_list_told "$NODES" "$(told_of make_list)"
}

kml_setup 20 kmemleak_selftest
[ -e "$JSON" ] || kml_skip_rest "no $JSON"

kml_make leak=all > /dev/null
kml_scan > /dev/null
kml_test "the file is for its owner to read" private
kml_test "it has the objects of the report, in the same order" same_addresses
kml_test "split and repeated reads give the same" "$KML_HERE/kmemleak_ctl" reread "$JSON"
kml_test "root has addresses whatever kptr_restrict is" restricted
kml_test "a reader that pauses hides nothing from scans" paused_reader
kml_test "clear= clears one" clears_one
kml_test "clear= takes any address in it" clears_interior
kml_test "clear= can clear all, one by one" clears_all_one_by_one
kml_test "clear= refuses what is not reported" refuses_others
kml_test "clear= works while scans run" clears_while_scanning
kml_test "what clear= has cleared is still scanned" cleared_scanned

command -v jq > /dev/null || kml_skip_rest "no jq to read it with"
kml_make free > /dev/null
kml_make leak=all > /dev/null
kml_scan > /dev/null
kml_test "each line is valid" valid_now
kml_test "it has what the report has" as_reported
kml_test "kinds and caches are told" kinds_told
kml_test "modules are told" modules_told
kml_test "and those that have gone" gone_module
kml_test "who leads to whom is told" leads_told
kml_test "what has a count of references is told, with the count" counts_told
kml_test "tasks may be called anything" any_names
kml_test "it is valid while scans run" valid_while_scanning

kml_finish
