#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A reader of the report gets whole entries, each once, in pieces of any size and at
# any offset, whatever becomes of the leaks meanwhile.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

# How often each reader reads the report while leaks come and go.
TURNS=2
[ ! -e /proc/lockdep ] || TURNS=1

# Leaks of modules that are gone, which nobody can free. What is known is their records.
stay()
{
	kml_make free || return
	for pattern in error_path exit_buffer condition; do
		kml_load kmemleak_leaky "pattern=$pattern" && kml_unload kmemleak_leaky || return
	done
	kml_scan && cat "$KML_FILE" > "$KML_TMP/known"
	[ -s "$KML_TMP/known" ] || return "$HIDDEN"
}

# More than a reader gets at a time.
leak_more()
{
	kml_make leak=all && kml_scan
}

leak_many()
{
	[ "$KML_ATTEMPT" = 1 ] || stay || return
	leak_more
}

# intact REPORT...: known records are there as they were, and no record comes twice.
intact()
{
	for report; do
		kml_grammar "$report" &&
			awk -f "$KML_HERE/kmemleak_records.awk" part=1 "$KML_TMP/known" \
				part=2 "$report" && continue
		status=$?
		echo "in $(basename "$report")"
		return "$status"
	done
}

at_any_offset()
{
	kml_make leak && kml_make leak && kml_make leak && kml_scan &&
		"$KML_HERE/kmemleak_ctl" pread "$KML_FILE"
}

# One read gets some of the report, and the next one goes on there.
by_large_reads()
{
	cat "$KML_FILE" > "$KML_TMP/whole"
	"$KML_HERE/kmemleak_ctl" session "$KML_FILE" read "$KML_TMP/first" \
		read "$KML_TMP/second" || return
	cat "$KML_TMP/first" "$KML_TMP/second" > "$KML_TMP/both"
	kml_grammar "$KML_TMP/first" && kml_grammar "$KML_TMP/second" &&
		head -c "$(wc -c < "$KML_TMP/both")" "$KML_TMP/whole" | cmp - "$KML_TMP/both"
}

# read_around BYTES COMMAND...: the report, of which so much is read before the command,
# and the rest after it.
read_around()
{
	bytes=$1
	shift
	{
		dd bs="$bytes" count=1 iflag=fullblock 2> /dev/null
		"$@" >&2 || return
		cat
	} < "$KML_FILE" > "$KML_TMP/report"
}

# Two leaks of which the second begins where the first one ends, and how much to read of
# the report to stand between them.
find_neighbours()
{
	awk '
	/^unreferenced object / { print $(NF - 2), $NF + 0, bytes }
	{ bytes += length($0) + 1 }' "$KML_TMP/whole" > "$KML_TMP/places"
	end=
	while read -r second size offset; do
		[ "$end" != $((second)) ] || return 0
		end=$((second + size)) place=$((offset + 1)) first=$second
	done < "$KML_TMP/places"
	echo "no leak begins where another one ends"
	return "$HIDDEN"
}

another_reads()
{
	cat "$KML_FILE" > "$KML_TMP/another"
}

scan_and_read()
{
	kml_scan && another_reads
}

by_two()
{
	read_around 100 another_reads && cmp "$KML_TMP/report" "$KML_TMP/another"
}

# The place of the reader is no reference to what lies there.
around_scan()
{
	[ "$KML_ATTEMPT" = 1 ] || leak_many || return
	cat "$KML_FILE" > "$KML_TMP/whole"
	find_neighbours && read_around "$place" scan_and_read || return
	mv "$KML_TMP/known" "$KML_TMP/known_to_stay"
	awk -v two="$first $second" '
	/^unreferenced object / { known = index(two, $(NF - 2)) }
	known' "$KML_TMP/whole" > "$KML_TMP/known"
	intact "$KML_TMP/report" "$KML_TMP/another"
	status=$?
	mv "$KML_TMP/known_to_stay" "$KML_TMP/known"
	return "$status"
}

around_free()
{
	[ "$KML_ATTEMPT" = 1 ] || leak_many || return
	read_around 100 kml_make free && intact "$KML_TMP/report"
}

around_leaks()
{
	[ "$KML_ATTEMPT" = 1 ] || stay || return
	read_around 100 leak_more && intact "$KML_TMP/report"
}

# Those that were read before are still there.
around_clear()
{
	read_around 100 kml_do clear && kml_grammar "$KML_TMP/report" && kml_nothing_reported
}

# Leaks come, are found, and go.
commotion()
{
	while [ -e "$KML_TMP/run" ]; do
		kml_make leak && kml_make leak && kml_scan && kml_make free
	done
}

reader()
{
	for turn in $(seq "$TURNS"); do
		dd if="$KML_FILE" bs="$1" of="$KML_TMP/report.$1.$turn" 2> /dev/null
	done
}

three_readers()
{
	readers=
	for piece in 1 4096 131072; do
		reader "$piece" &
		readers="$readers $!"
	done
	# shellcheck disable=SC2086
	wait $readers
	intact "$KML_TMP"/report.*
}

# Until there were some scans, however fast it is to read.
read_beside_scans()
{
	for round in $(seq 100); do
		three_readers || return
		scans=$(($(kml_stat scans) - before))
		[ "$scans" -lt 3 ] || break
	done
	echo "$scans scans while the report was read $round times"
	[ "$scans" -ge 3 ]
}

while_they_come_and_go()
{
	stay || return
	before=$(kml_stat scans)
	: > "$KML_TMP/run"
	commotion > "$KML_TMP/commotion" &
	commotion=$!
	read_beside_scans
	status=$?
	rm "$KML_TMP/run"
	wait "$commotion"
	cat "$KML_TMP/commotion"
	[ ! -s "$KML_TMP/commotion" ] && return "$status"
}

kml_setup 10 kmemleak_selftest

kml_test "leaks of modules that are gone are reported" stay
kml_test "pread at any offset gives what is there" at_any_offset
kml_test "there is more to read than a piece" leak_many
kml_test "a large read gives whole records, and the next one goes on" by_large_reads
kml_test "two readers at different places get the same" by_two
kml_test "a scan finds what lies where a reader is" around_scan
kml_test "leaks that are freed between two reads take no others along" around_free
kml_test "leaks that are found between two reads move no others" around_leaks
kml_test "readers get whole records while leaks come and go" while_they_come_and_go
kml_test "clear between two reads leaves whole records" around_clear

kml_finish
