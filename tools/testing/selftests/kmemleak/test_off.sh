#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The detector is switched off, and stays so: this test is the last one.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

# So are scripts that go by it.
probe_fails()
{
	! kml_probe "$1"
}

# A scan of all that there is takes seconds.
off_ends_scan()
{
	kml_ctl scan > "$KML_TMP/answer" &
	scan=$!
	usleep 200000
	kml_do off || return
	wait "$scan"
	cat "$KML_TMP/answer"
	[ "$(cat "$KML_TMP/answer")" = EPERM ]
}

still_readable()
{
	kml_records | cmp "$KML_TMP/records" -
}

# Nobody looks, but the objects come and go as ever.
allocators_work()
{
	kml_make free && kml_make leak && kml_make hold=all && kml_make free
}

# state STATE: says the file that tells of it, if there is one.
state()
{
	[ ! -e "$KML_STATS" ] || [ "$(kml_stat state)" = "$1" ]
}

emptied()
{
	kml_do clear && kml_nothing_reported
}

# The command-line tool, if it was built.
tool_says_so()
{
	[ -x "$KML_HERE/kmemleak" ] || return 0
	"$KML_HERE/kmemleak" scan 2> "$KML_TMP/err"
	[ $? = 3 ] && grep 'kmemleak=on' "$KML_TMP/err"
}

metadata()
{
	[ ! -e "$KML_STATS" ] || kml_stat "metadata bytes"
}

# Nothing is made for a detector that is gone, by whoever had found it on.
nothing_comes_back()
{
	before=$(metadata)
	sleep 3
	[ "$(metadata)" = "$before" ] && return
	echo "$before bytes became $(metadata)"
	return 1
}

kml_setup 25 kmemleak_selftest
kml_watchdogs

# There is much to clean up.
kml_make "many=$KML_MANY" > /dev/null
kml_make leak=all > /dev/null
kml_scan > /dev/null

kml_test "something is reported" kml_records
kml_records > "$KML_TMP/records"
kml_start_load
sleep 2
kml_test "off is taken under load, and ends a scan" off_ends_scan
for command in scan scan=on scan=off scan=5 stack=on stack=off dump=0x10; do
	kml_test "then $command is not permitted" kml_answers "$command" EPERM
done
for command in bogus scanx offx; do
	kml_test "$command is still no command" kml_answers "$command" EINVAL
done
for command in scan=off scan; do
	kml_test "a script that writes $command to find out is told so" probe_fails "$command"
done
kml_test "the threads are gone" [ -z "$(kml_threads)" ]
kml_test "what was reported can be read" still_readable
kml_test "it is off" state off
kml_test "the tool says so" tool_says_so
kml_test "clear empties the report" emptied
kml_test "it is cleared" state cleared
kml_test "its metadata does not come back under load" nothing_comes_back
rm -f "$KML_TMP/run"
wait
kml_test "clear is taken again" emptied
kml_test "there was nothing left to clear" nothing_comes_back
kml_test "allocators work" allocators_work
kml_test "nothing is reported" kml_nothing_reported

kml_finish
