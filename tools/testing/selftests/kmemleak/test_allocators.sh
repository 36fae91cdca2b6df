#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Leaked objects of every allocator and size are reported, and are gone from
# the report when they have been freed after all.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

kml_setup 4 kmemleak_selftest

leaks_found()
{
	kml_make leak=all && kml_scan && kml_expected | kml_compare
}

# The addresses of the records, in order.
reported()
{
	kml_records | sed 's|.*\(0x[0-9a-f]*\) (.*|\1|' | sort
}

# The same records, each once, and nothing that was not expected.
leaks_stay()
{
	reported > "$KML_TMP/before"
	kml_scan || return
	reported > "$KML_TMP/after"
	uniq -d "$KML_TMP/after" | grep . && return 1
	kml_expected | kml_all any | kml_compare quiet yes || return
	grep -v -x -F -f "$KML_TMP/after" "$KML_TMP/before" > "$KML_TMP/gone" || return 0
	sed 's/^/not found again: /' "$KML_TMP/gone"
	return "$HIDDEN"
}

leaks_freed()
{
	kml_expected | kml_all quiet > "$KML_TMP/freed"
	kml_make free && kml_compare < "$KML_TMP/freed"
}

kml_test_all "each leak is found by address, size and function" leaks_found
kml_test "and stays found, and nothing else is" leaks_stay
kml_test "what was reported and is freed leaves the report" leaks_freed
kml_scan > /dev/null
kml_test "nothing is reported after the next scan" kml_nothing_of_module

kml_finish
