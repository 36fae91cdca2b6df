#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The control file: what it refuses, what it does, and how it is read.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

many()
{
	head -c "$1" /dev/zero | tr '\0' "$2"
}

# Writes that it must refuse: a name, and the bytes as for printf.
bad_input()
{
	cat <<-END
	nothing|
	a newline|\n
	an unknown word|bogus
	another case|SCAN
	a space before|\040scan
	a NUL before|\000scan
	letters after scan|scanx
	letters after off|offx
	letters after clear|clearx
	letters after mark|marks
	a value after mark|mark=1
	two commands|scan\nscan
	100 letters|$(many 100 x)
	5000 letters|$(many 5000 x)
	off and 5000 letters|off$(many 5000 x)
	clear and 100 zeros|clear$(many 100 0)
	scan and 5000 newlines|scan$(many 5000 n | sed 's/n/\\n/g')
	off in 5000 letters|$(many 2500 x)off$(many 2500 x)
	binary|\001\002\377\376
	a NUL|\000
	a NUL within|sc\000an
	a NUL and more after clear|clear\000junk
	a space and more after off|off\040junk
	a no-break space after off|off\240
	scan and 100 NULs|scan$(many 100 n | sed 's/n/\\000/g')
	no seconds|scan=
	no number|scan=abc
	letters after the number|scan=10x
	a negative number|scan=-1
	20 digits|scan=99999999999999999999
	more than a long|scan=18446744073709551616
	more than an int|scan=4294967296
	a fraction|scan=1.5
	letters after scan=on|scan=onx
	letters after scan=off|scan=offx
	stack alone|stack
	no switch of the stack|stack=
	no such switch|stack=maybe
	a number for a switch|stack=0
	letters after stack=off|stack=offx
	no address to dump|dump=
	dump alone|dump
	no hex number|dump=xyz
	an address of 20 digits|dump=0xfffffffffffffffffff0
	a negative address|dump=-1
	an address of nothing|dump=0x10
	END
}

BAD_INPUTS=$(bad_input | wc -l)

# Writes that it must take for a scan, in the same form.
scan_input()
{
	cat <<-END
	a NUL after scan|scan\000
	a space after scan|scan\040
	CR and LF after scan|scan\r\n
	tabs, newlines and NULs after scan|scan\t\n\n\000\000
	60 NULs after scan|scan$(many 60 n | sed 's/n/\\000/g')
	END
}

SCAN_INPUTS=$(scan_input | wc -l)

# All that a command could have changed; stacks_scanned looks at the rest. Not the
# hex dumps: those of per-CPU objects show the CPU that happens to read.
state()
{
	kml_threads
	kml_records
}

unchanged()
{
	state > "$KML_TMP/after"
	cmp "$KML_TMP/before" "$KML_TMP/after"
}

# answers BYTES ANSWER: that is what the write of these bytes gets.
answers()
{
	# shellcheck disable=SC2059
	answer=$(printf "$1" | "$KML_HERE/kmemleak_ctl" write "$KML_FILE")
	[ "$answer" = "$2" ] && return
	echo "answer is $answer"
	return 1
}

invalid()
{
	answers "$1" EINVAL
}

scans()
{
	scans=$(kml_stat scans)
	answers "$1" OK && scans_done $((scans + 1))
}

# refused BYTES: with EINVAL, and all is as it was.
refused()
{
	invalid "$1" && unchanged
}

# A command that wrongly stopped the thread would show here: no other one would start it
# again.
all_refused_with_thread()
{
	kml_do scan=600 && [ -n "$(kml_threads)" ] || return
	state > "$KML_TMP/before"
	failures=0
	while IFS='|' read -r name bytes; do
		invalid "$bytes" && continue
		echo "not refused: $name"
		failures=$((failures + 1))
	done < "$KML_TMP/inputs"
	unchanged && return "$failures"
}

private()
{
	# shellcheck disable=SC2012
	mode=$(ls -l "$KML_FILE" | cut -c 1-10)
	[ "$mode" = -rw------- ] && return
	echo "mode is $mode"
	return 1
}

leaks_found()
{
	kml_make leak && kml_scan && kml_expected | kml_compare
}

# The log has the object's address after dump= of one in or at it.
dumps()
{
	kml_mark
	kml_do "dump=$1" && kml_log | grep -q "$2" && return
	echo "no $2 in the log after dump=$1"
	return 1
}

# An object of a few hundred bytes begins at a multiple of 16: no carry.
first_leak()
{
	kml_expected | awk '$2 > 64 && $2 < 4096 && $1 ~ /0$/ { print $1; exit }'
}

dumps_interior()
{
	object=$(first_leak)
	dumps "${object%0}8" "$object"
}

# wait_for SECONDS COMMAND...: until it succeeds
wait_for()
{
	seconds=$1
	shift
	while ! "$@"; do
		[ "$seconds" -gt 0 ] || return
		sleep 1
		seconds=$((seconds - 1))
	done
}

thread_gone()
{
	[ -z "$(kml_threads)" ]
}

scans_done()
{
	[ "$(kml_stat scans)" -ge "$1" ]
}

# The first scan to end may have begun before there were leaks.
thread_scans()
{
	kml_make leak && kml_do scan=1 && [ "$(kml_threads)" = kmemleak ] &&
		wait_for 60 scans_done $(($(kml_stat scans) + 2)) && kml_expected | kml_compare
}

thread_stops()
{
	kml_do "$1" && thread_gone
}

thread_starts()
{
	kml_do scan=on && [ "$(kml_threads)" = kmemleak ]
}

thread_once()
{
	kml_do scan=on && [ "$(kml_threads | wc -l)" = 1 ]
}

stacks_scanned()
{
	kml_make hold=stack && kml_scan && kml_expected | kml_compare
}

# One kind is enough, of which few are hidden by other references.
stack_off()
{
	kml_make free && kml_do clear && kml_make hold=stack && kml_do stack=off && kml_scan &&
		kml_expected | grep /cache_constructed$ | kml_all leak | kml_compare
}

stack_on_again()
{
	kml_make free && kml_do clear && kml_do stack=on && stacks_scanned
}

clear_hides()
{
	leaks_found && kml_do clear && kml_expected | kml_all quiet | kml_compare quiet yes
}

cleared_stay_hidden()
{
	kml_scan && kml_expected | kml_all quiet | kml_compare quiet yes
}

# A new object that only a cleared one refers to is in use.
cleared_scanned()
{
	kml_make orphan && kml_scan && kml_expected | kml_compare && kml_do clear &&
		kml_make adopt && kml_scan && kml_expected | kml_all quiet | kml_compare
}

announced()
{
	kml_mark
	kml_scan || return
	records=$(grep -c '^unreferenced object ' "$KML_FILE")
	kml_log | grep -o 'kmemleak: .* new suspected memory leaks.*' > "$KML_TMP/announced"
	cat "$KML_TMP/announced"
	[ "$records" -gt 1 ] &&
		echo "kmemleak: $records new suspected memory leaks (see $KML_FILE)" |
		cmp - "$KML_TMP/announced"
}

not_announced()
{
	kml_mark
	kml_scan && ! kml_log | grep 'new suspected memory leaks'
}

kml_setup $((BAD_INPUTS + SCAN_INPUTS + 20)) kmemleak_selftest

kml_test "the file is for its owner alone" private

kml_make leak=all > /dev/null
kml_scan > /dev/null
cat "$KML_FILE" > "$KML_TMP/report"
kml_test "the report keeps to its grammar" kml_grammar "$KML_TMP/report"
kml_test "split and repeated reads give the same" "$KML_HERE/kmemleak_ctl" reread "$KML_FILE"
kml_make free > /dev/null
kml_do clear > /dev/null

kml_make leak > /dev/null
kml_test "the log tells of new leaks in one line" announced
kml_test "it tells nothing when a scan finds none" not_announced

state > "$KML_TMP/before"
bad_input > "$KML_TMP/inputs"
while IFS='|' read -r name bytes; do
	kml_test "refused: $name" refused "$bytes"
done < "$KML_TMP/inputs"
scan_input > "$KML_TMP/scans"
while IFS='|' read -r name bytes; do
	kml_test "taken: $name" scans "$bytes"
done < "$KML_TMP/scans"
kml_test "what is refused is refused while the thread runs" all_refused_with_thread
kml_test "scan=off stops the thread" thread_stops scan=off

kml_test "dump= tells of the object at an address" dumps "$(first_leak)" "$(first_leak)"
kml_test "dump= tells of the object around an address" dumps_interior
kml_make free > /dev/null

kml_test "stacks are scanned, after all that was refused" stacks_scanned
kml_test "stack=off leaves them out" stack_off
kml_test "stack=on takes them in again" stack_on_again
kml_make free > /dev/null

kml_test "clear empties the report" clear_hides
kml_test "what was cleared is not reported again" cleared_stay_hidden
kml_make free > /dev/null
kml_test "what was cleared is still scanned" cleared_scanned
kml_make free > /dev/null

kml_test "scan=on starts the thread" thread_starts
kml_test "scan=on again leaves it alone" thread_once
kml_test "scan=0 stops the thread" thread_stops scan=0
kml_test "scan=1 finds leaks by itself" thread_scans
kml_test "scan=off stops it" thread_stops scan=off
# The period that a thread has by default, for whoever starts the next one.
kml_do scan=600 > /dev/null
kml_do scan=off > /dev/null

kml_finish
