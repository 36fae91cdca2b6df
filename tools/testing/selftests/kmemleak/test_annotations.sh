#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The detector honours what callers tell it about an object.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

kml_setup 3 kmemleak_selftest

first_scan()
{
	kml_make retire && kml_make annotate && kml_scan && kml_expected | kml_compare quiet yes
}

# Objects that were annotated as lost for the time being have stayed lost.
second_scan()
{
	kml_make retire && kml_make annotate && kml_scan && kml_scan &&
		kml_expected | kml_compare leak yes
}

all_freed()
{
	kml_make free && kml_scan && kml_nothing_of_module
}

kml_test_all "every annotation is honoured" first_scan
kml_test_all "a transient leak that stays is found by the next scan" second_scan
kml_test "annotated objects can be freed" all_freed

kml_finish
