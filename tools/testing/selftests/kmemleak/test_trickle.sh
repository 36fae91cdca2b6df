#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Where suspects turn out to be in use as long as a scan takes, those of the same
# kind are left for later, and all others are decided.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

kml_setup 4

# The module once more, for a further attempt.
trickle()
{
	kml_unload kmemleak_trickle
	kml_forget && kml_mark && kml_load kmemleak_trickle && kml_scan
}

lost_found()
{
	trickle && kml_logged | kml_compare quiet yes
}

some_left()
{
	[ "$(kml_stat 'last scan undecided')" -gt 0 ] && return
	sed 's/^/stats: /' "$KML_STATS"
	return 1
}

none_of_them()
{
	! grep -A 16 "^unreferenced object .* (size 96):" "$KML_FILE" | grep "trickle_alloc+"
}

# The leak that was reported stays reported, whatever else is undecided.
still_there()
{
	kml_scan && kml_logged | kml_compare quiet yes && none_of_them
}

# Somebody runs all the time, and the scan has one thread: else passes may be quiet, and
# are a proof of what nobody refers to at that moment. Then it is in no doubt that these
# objects are lost.
kml_scan_by 1
while [ -e "/proc/$$" ]; do :; done &
busy=$!
kml_test "what is lost is reported although others are in doubt" lost_found
kml_test "these are counted as undecided" some_left
kml_test "and not reported" none_of_them
kml_test "the next scan says the same" still_there

kill "$busy"
kml_scan_by 0
kml_unload kmemleak_trickle
kml_finish
