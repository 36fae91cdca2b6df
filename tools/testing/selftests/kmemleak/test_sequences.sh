#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The sequences of commands by which test suites, fuzzers and people find leaks: each
# finds a leak, and reports nothing without one.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

# The sequences are functions which take one of these two: the work that is suspected.
# There are objects in use in any case.
leaking()
{
	kml_make leak
}

clean()
{
	kml_make leak && kml_make free && kml_make hold=list
}

# How long those wait who wait: once is enough to see what time does to the objects.
patience()
{
	case $1 in
	leaking) echo 5 ;;
	clean) echo 1 ;;
	esac
}

# As scripts write: with a newline, and from a shell that goes on.
say()
{
	echo "$1" > "$KML_FILE"
}

get()
{
	cat "$KML_FILE" > "$KML_TMP/report"
}

# The report that was got has what it should have, and nothing else but what comes to
# light of earlier tests' leaks.
judge()
{
	kml_expected > "$KML_TMP/expected"
	kml_compare_files "$KML_TMP/report" "$KML_TMP/expected" quiet yes || return
	kml_strangers 'kmemleak_[a-z_]*' "$KML_TMP/report" > "$KML_TMP/strangers"
	tr ';' '\n' < "$KML_TMP/strangers"
	[ ! -s "$KML_TMP/strangers" ]
}

# Leaks that were there before must not come again.
cleared()
{
	kml_expected | kml_all quiet > "$KML_TMP/cleared"
	say clear && kml_nothing_reported && kml_make retire
}

judge_cleared()
{
	kml_compare_files "$KML_TMP/report" "$KML_TMP/cleared" && judge
}

scan_read()
{
	"$1" && say scan && get && judge
}

clear_scan_read()
{
	scan_read leaking && cleared &&
		"$1" && say scan && get && judge_cleared
}

scan_read_scan_read_clear()
{
	"$1" && say scan && get && judge && say scan && get && judge && cleared &&
		"$1" && say scan && get && judge_cleared && say scan && get && judge_cleared
}

scan_sleep_scan_read()
{
	"$1" && say scan && sleep "$(patience "$1")" && say scan && get && judge
}

# The way of a fuzzer's executor, which has the file open from its start.
session()
{
	"$1" && "$KML_HERE/kmemleak_ctl" session "$KML_FILE" \
		write scan wait 200 write scan read "$KML_TMP/report" \
		seek 0 read "$KML_TMP/again" \
		write scan seek 0 read "$KML_TMP/third" \
		write clear seek 0 read "$KML_TMP/cleared" || return
	judge && cmp "$KML_TMP/report" "$KML_TMP/again" && [ ! -s "$KML_TMP/cleared" ] &&
		mv "$KML_TMP/third" "$KML_TMP/report" && judge
}

# One that may be in the midst of a scan.
thread_runs()
{
	kml_do scan=600 && [ "$(kml_threads)" = kmemleak ]
}

# A detector whose thread can be stopped, and which can scan, is on.
probe_scan_read()
{
	thread_runs && kml_probe scan=off && [ -z "$(kml_threads)" ] && kml_probe scan &&
		scan_read "$1"
}

zero_scan_read()
{
	thread_runs && say scan=0 && [ -z "$(kml_threads)" ] && scan_read "$1"
}

# grep says yes, or no; it does not read more than it has to.
greps()
{
	said=no
	! grep -q "$2" "$KML_FILE" || said=yes
	[ "$said" = "$1" ] && return
	echo "grep '$2': $said"
	return 1
}

scan_read_grep()
{
	scan_read "$1" || return
	answer=no
	[ ! -s "$KML_TMP/report" ] || answer=yes
	greps "$answer" 'unreferenced object' || return
	answer=no
	[ "$1" = clean ] || answer=yes
	greps "$answer" '\[kmemleak_selftest\]'
}

# Objects of the last test are freed, those of an earlier attempt at this one are not:
# the next ones would be at the same addresses.
try()
{
	[ "$KML_ATTEMPT" != 1 ] || { kml_make free && kml_make hold=list; } || return
	"$@"
}

sequences()
{
	cat <<-END
	scan_read_grep|scan, read, grep for an object or the module
	clear_scan_read|clear, work, scan, read
	session|scan, wait, scan, read, seek back, read, all in one file
	zero_scan_read|scan=0, scan, read
	scan_read_scan_read_clear|scan, read, scan, read, clear, twice
	scan_sleep_scan_read|scan, 5 seconds, scan, read
	probe_scan_read|a probe by scan=off, another one by scan, scan, read
	END
}

# With lockdep a scan takes seconds: there, the first ones have to do.
SEQUENCES=7
[ ! -e /proc/lockdep ] || SEQUENCES=4

kml_setup $((SEQUENCES * 2)) kmemleak_selftest

sequences | head -n "$SEQUENCES" > "$KML_TMP/sequences"
while IFS='|' read -r sequence name; do
	kml_test "$name: a leak is found" try "$sequence" leaking
	kml_test "$name: nothing without one" try "$sequence" clean
done < "$KML_TMP/sequences"

kml_finish
