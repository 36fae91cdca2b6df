#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The parameters: how long a leak is waited for, how many frames are kept of its
# stack, and how much the log tells.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

MIN_SCANS=/sys/module/kmemleak/parameters/min_unref_scans
VERBOSE=/sys/module/kmemleak/parameters/verbose
DEPTH=/sys/module/kmemleak/parameters/trace_depth
EXACT_US=/sys/module/kmemleak/parameters/exact_us

# set_parameter FILE VALUE: it answers OK and then has the value.
set_parameter()
{
	answer=$(kml_put "$1" "$2")
	[ "$answer" = OK ] && [ "$(cat "$1")" = "$2" ] && return
	echo "$1 is $(cat "$1"), and answers $2 with $answer"
	return 1
}

bad_parameter()
{
	before=$(cat "$1")
	answer=$(kml_put "$1" "$2")
	[ "$answer" = EINVAL ] && [ "$(cat "$1")" = "$before" ] && return
	echo "$1 is $(cat "$1"), and answers $2 with $answer"
	return 1
}

fresh_leaks()
{
	kml_make retire && kml_do clear && kml_make leak
}

# scans_quiet NUMBER: that many scans report nothing.
scans_quiet()
{
	for number in $(seq "$1"); do
		kml_scan || return
		kml_expected | kml_all quiet | kml_compare && continue
		echo "by scan $number"
		return 1
	done
}

found_by_fourth()
{
	fresh_leaks && scans_quiet 3 && kml_scan && kml_expected | kml_compare
}

# One that finds them, with all there is to say of a leak in the log: of any of them,
# as all have the same trace.
leaks_in_log()
{
	fresh_leaks || return
	kml_mark
	kml_scan || return
	kml_expected | sed 's/^\([^ ]*\) .*/ \1 (size /' > "$KML_TMP/objects"
	kml_log | grep -F -f "$KML_TMP/objects"
}

leaks_not_in_log()
{
	! leaks_in_log && kml_expected | kml_compare
}

# deep NUMBER: what is leaked now has as many frames.
deep()
{
	set_parameter "$DEPTH" "$1" && fresh_leaks && kml_scan || return
	[ "$(kml_frame_numbers)" = "$1 $1" ] && return
	echo "there are $(kml_frame_numbers) frames, not $1"
	return 1
}

# decided HOW: a scan that finds leaks is decided that way, and all of them are found.
decided()
{
	fresh_leaks && kml_scan && kml_expected | kml_compare || return
	verdict=$(kml_stat "last scan verdict") us=$(kml_stat "last scan us stopped")
	[ "$verdict" = "$1" ] && return
	echo "the verdict is $verdict, CPUs were stopped for $us us"
	return 1
}

# It is so with any limit, but for one that a pass does not keep. With lockdep, on a
# host that has other things to do, a second may be such a limit: then it is no proof.
decided_at_once()
{
	set_parameter "$EXACT_US" 1000000 || return
	decided exact > "$KML_TMP/decided"
	status=$?
	cat "$KML_TMP/decided"
	if [ "$status" = 1 ] && [ -e /proc/lockdep ] && [ "$verdict" = repeated ] &&
	   [ "$us" -gt 1000000 ]; then
		status=0
	fi
	[ "$status" = 0 ] && [ "$us" -gt 0 ] && [ "$us" -le 1500000 ]
}

decided_without_stop()
{
	set_parameter "$EXACT_US" 0 && decided repeated && [ "$us" = 0 ]
}

decided_in_no_time()
{
	set_parameter "$EXACT_US" 1 && decided repeated
}

# found_by NUMBER: that many threads find what is leaked, and nothing else.
found_by()
{
	set_parameter "$KML_SCAN_THREADS" "$1" && fresh_leaks && kml_scan || return
	kml_expected | kml_compare || return
	threads=$(kml_stat "last scan threads")
	most=$1
	[ "$most" != 0 ] || most=8
	[ "$threads" -ge 1 ] && [ "$threads" -le "$most" ] && return
	echo "there were $threads threads"
	return 1
}

# One CPU is enough for one thread only.
found_by_several()
{
	cpus=$(grep -c ^processor /proc/cpuinfo)
	found_by 0 && [ "$threads" -le "$cpus" ] && { [ "$cpus" = 1 ] || [ "$threads" -gt 1 ]; } &&
		return
	echo "$threads threads on $cpus CPUs"
	return 1
}

kml_setup 30 kmemleak_selftest
[ -e "$MIN_SCANS" ] || kml_skip_rest "no parameter min_unref_scans"

kml_test "min_unref_scans is 1" [ "$(cat "$MIN_SCANS")" = 1 ]
for value in 0 -1 abc; do
	kml_test "min_unref_scans refuses '$value'" bad_parameter "$MIN_SCANS" "$value"
done
kml_test "min_unref_scans can be 3" set_parameter "$MIN_SCANS" 3
kml_test "then three scans report nothing, and the fourth one everything" found_by_fourth
set_parameter "$MIN_SCANS" 1 > /dev/null

had_depth=$(cat "$DEPTH")
for value in 0 17 -1 256 4294967297 abc ' '; do
	kml_test "trace_depth refuses '$value'" bad_parameter "$DEPTH" "$value"
done
for value in 1 5; do
	kml_test "with trace_depth $value so many frames are kept" deep "$value"
done
set_parameter "$DEPTH" "$had_depth" > /dev/null

for value in -1 1000001 abc; do
	kml_test "exact_us refuses '$value'" bad_parameter "$EXACT_US" "$value"
done
kml_test "a scan may not stop all CPUs" decided_without_stop
kml_test "if it may for a second, its verdict is exact" decided_at_once
kml_test "a microsecond is not enough for that" decided_in_no_time
set_parameter "$EXACT_US" 0 > /dev/null

kml_test "scan_threads is 0" [ "$(cat "$KML_SCAN_THREADS")" = 0 ]
for value in 9 -1 abc; do
	kml_test "scan_threads refuses '$value'" bad_parameter "$KML_SCAN_THREADS" "$value"
done
kml_test "one thread finds what is leaked" found_by 1
kml_test "several threads find the same" found_by_several
set_parameter "$KML_SCAN_THREADS" 0 > /dev/null

kml_test "leaks are not in the log" leaks_not_in_log
kml_put "$VERBOSE" 1 > /dev/null
kml_test "verbose has them in the log" leaks_in_log
kml_put "$VERBOSE" 0 > /dev/null
kml_test "and has them no more when it is off" leaks_not_in_log

kml_finish
