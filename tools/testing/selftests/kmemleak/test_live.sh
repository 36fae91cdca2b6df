#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Objects that something refers to are never reported, whatever refers to them
# and whatever they are; when the references are dropped, they are.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

kml_setup 3 kmemleak_selftest

held_quiet()
{
	kml_make hold=all && kml_scan && kml_expected | kml_compare quiet yes
}

dropped_found()
{
	kml_make hold=all && kml_make drop && kml_scan && kml_expected | kml_compare
}

freed_gone()
{
	kml_expected | kml_all quiet > "$KML_TMP/freed"
	kml_make free && kml_scan && kml_compare quiet yes < "$KML_TMP/freed"
}

kml_test "objects in use are not reported" held_quiet
kml_test_all "they are when nobody refers to them any more" dropped_found
kml_test "freed, they are gone" freed_gone

kml_finish
