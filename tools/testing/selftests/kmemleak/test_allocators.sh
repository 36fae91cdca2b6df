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

# The same records, each once, and nothing that was not expected.
leaks_stay()
{
	awk '/^unreferenced object / { print $3 }' "$KML_FILE" | sort > "$KML_TMP/before"
	kml_scan || return
	awk '/^unreferenced object / { print $3 }' "$KML_FILE" | sort > "$KML_TMP/after"
	comm -23 "$KML_TMP/before" "$KML_TMP/after" > "$KML_TMP/gone"
	uniq -d "$KML_TMP/after" | cat "$KML_TMP/gone" - | grep . && return 1
	kml_expected | kml_all any | kml_compare quiet yes
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
