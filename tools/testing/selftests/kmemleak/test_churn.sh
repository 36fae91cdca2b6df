#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Objects in use are never reported, however fast the references to them move,
# while processes, sockets, files and modules come and go.
#
# SCANS: how many scans have to be quiet; fewer, but half of them, if they take long
# SCANS_DEBUG: the same for a kernel with lockdep, where everything takes longer

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

SCANS=${SCANS:-100}
[ ! -e /proc/lockdep ] || SCANS=${SCANS_DEBUG:-5}

# loop COMMAND...: again and again, as long as there is the file, and the test. Whoever
# waits for the end of what a test has to say does not wait for the loops.
loop()
{
	while [ -e "$KML_TMP/run" ]; do
		"$@" || echo "$* has failed"
		usleep 10000
		[ -e "/proc/$$" ] || rm -f "$KML_TMP/run"
	done >> "$KML_TMP/failures" 2>&1 &
	LOOPS="$LOOPS $!"
}

# A shell would not start a program for what it can do itself.
processes()
{
	/usr/bin/env true && (exit 0) && [ "$(/usr/bin/env echo text)" = text ]
}

pipes()
{
	[ "$(head -c 100000 /dev/zero | cat | wc -c)" = 100000 ]
}

files()
{
	files=$KML_TMP/files
	mkdir -p "$files/a/b" && head -c 20000 /dev/zero > "$files/a/file" &&
		ln -s ../file "$files/a/b/link" && mv "$files/a/file" "$files" && rm -r "$files"
}

modules()
{
	insmod "$KML_HERE/test_modules/kmemleak_lifecycle.ko" && rmmod kmemleak_lifecycle
}

start_loops()
{
	LOOPS=
	: > "$KML_TMP/run"
	loop processes
	loop pipes
	loop files
	loop modules
	loop "$KML_HERE/kmemleak_load" "$KML_TMP/run"
}

stop_loops()
{
	rm -f "$KML_TMP/run"
	# shellcheck disable=SC2086
	wait $LOOPS
}

# None of the loops has failed at what it does.
loops_stop()
{
	stop_loops
	sort "$KML_TMP/failures" | uniq -c
	[ ! -s "$KML_TMP/failures" ]
}

# The sample module, which has been there before, has leaks.
false_reports()
{
	kml_strangers kmemleak_test
}

# The purpose of objects: the function of the module that has allocated them, or the
# first frames.
purposes()
{
	awk '{
		if (match($0, /churn_[a-z_]*\+0x[^;]* \[kmemleak_churn\]/)) {
			purpose = substr($0, RSTART, RLENGTH)
			sub(/\+.*/, "", purpose)
		} else {
			purpose = $0
			sub(/.*backtrace[^;]*; /, "", purpose)
		}
		print purpose
	}'
}

scan_quiet()
{
	kml_scan || return
	false_reports > "$KML_TMP/false"
	[ -s "$KML_TMP/false" ] || return 0
	purposes < "$KML_TMP/false" >> "$KML_TMP/purposes"
	tr ';' '\n' < "$KML_TMP/false" >> "$KML_TMP/details"
	return 1
}

# All of them, to tell how often it fails, and at what.
scans_quiet()
{
	failures=0
	scans=0
	begin=$(date +%s)
	while [ "$scans" -lt "$SCANS" ]; do
		[ "$scans" -lt $((SCANS / 2)) ] || kml_has_time "$begin" || break
		kml_scan_by "$scans"
		scan_quiet || failures=$((failures + 1))
		scans=$((scans + 1))
	done
	kml_scan_by 0
	[ "$failures" = 0 ] && return
	echo "$failures of $scans scans have reported objects in use:"
	sort "$KML_TMP/purposes" | uniq -c | sort -n -r
	cat "$KML_TMP/details"
	return 1
}

leak_found()
{
	kml_make leak && kml_scan && kml_expected | kml_compare
}

# It complains in the log if it has lost an object.
unload_churn()
{
	kml_unload kmemleak_selftest
	kml_unload kmemleak_churn && kml_scan && [ -z "$(false_reports)" ]
}

kml_setup 4
kml_load kmemleak_churn || kml_skip_rest "cannot load kmemleak_churn"
start_loops
# The scans: what keeps the CPUs busy would make them take far longer.
renice -n -20 -p $$ > /dev/null

kml_test "no false report while everything moves" scans_quiet
echo "# $scans scans took $(($(date +%s) - begin)) s"

kml_load kmemleak_selftest
kml_test "a leak is found by one scan while everything moves" leak_found
kml_test "processes, pipes, files, modules and sockets work" loops_stop
kml_make free > /dev/null
kml_test "all objects are there in the end, and nothing is left" unload_churn

kml_finish
