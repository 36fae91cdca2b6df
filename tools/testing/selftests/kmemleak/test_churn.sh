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
# shellcheck source=/dev/null
. "$KML_HERE/kmemleak_busy.sh"

SCANS=${SCANS:-100}
[ ! -e /proc/lockdep ] || SCANS=${SCANS_DEBUG:-5}

# The sample module, which has been there before, has leaks. What the module of shapes
# has lost may have been hidden until now.
false_reports()
{
	kml_strangers "kmemleak_test|kmemleak_shapes"
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
	kml_unload kmemleak_churn && kml_scan && false_reports > "$KML_TMP/false" || return
	[ -s "$KML_TMP/false" ] || return 0
	tr ';' '\n' < "$KML_TMP/false"
	return 1
}

kml_setup 4
kml_load kmemleak_churn || kml_skip_rest "cannot load kmemleak_churn"
kml_start_loops
# The scans: what keeps the CPUs busy would make them take far longer.
renice -n -20 -p $$ > /dev/null

kml_test "no false report while everything moves" scans_quiet
echo "# $scans scans took $(($(date +%s) - begin)) s"

kml_load kmemleak_selftest
kml_test "a leak is found by one scan while everything moves" leak_found
kml_test "processes, pipes, files, modules and sockets work" kml_loops_stop
kml_make free > /dev/null
kml_test "all objects are there in the end, and nothing is left" unload_churn

kml_finish
