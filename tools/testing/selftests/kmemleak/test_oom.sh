#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Running out of memory for what it has to know makes the detector miss leaks.
# It makes no false reports, and does not switch the detector off.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

FAILSLAB=$KML_DEBUGFS/failslab
METADATA=/sys/kernel/slab/kmemleak_object
# More than CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE has by default.
CROWD=30000

# Older kernels are told only at boot which caches may fail.
fail_metadata()	# 1 or 0
{
	[ "$MAY_FAIL" = 1 ] || echo "$1" > "$METADATA/failslab"
}

# Only allocations of the detector's own metadata fail, but all of these.
metadata_fails()
{
	for setting in cache-filter=Y ignore-gfp-wait=N interval=1 times=-1 verbose=0; do
		echo "${setting#*=}" > "$FAILSLAB/${setting%%=*}" || return
	done
	fail_metadata 1 && echo 100 > "$FAILSLAB/probability"
}

metadata_succeeds()
{
	echo 0 > "$FAILSLAB/probability" && fail_metadata 0
}

# Objects of which the detector knows, then more than it can know, then what
# it knows is handed to those.
crowd_under_failure()
{
	kml_make wards && metadata_fails || return
	kml_make "crowd=$CROWD"
	made=$?
	metadata_succeeds && return "$made"
}

# By a scan that answers: the detector is on.
no_false_report()
{
	kml_scan && kml_expected | kml_compare quiet yes
}

new_leaks_found()
{
	kml_make leak && kml_scan && kml_expected | kml_compare quiet yes
}

all_freed()
{
	kml_make free && kml_scan && kml_nothing_of_module
}

kml_setup 4 kmemleak_selftest
[ -e "$FAILSLAB/cache-filter" ] || kml_skip_rest "no $FAILSLAB: needs CONFIG_FAILSLAB"
[ -e "$METADATA/failslab" ] || kml_skip_rest "no $METADATA/failslab: needs CONFIG_SLUB_DEBUG"
MAY_FAIL=$(cat "$METADATA/failslab")
fail_metadata 0 2> /dev/null ||
	kml_skip_rest "cannot let metadata fail: boot with slub_debug=A,kmemleak_object"

kml_test "$CROWD objects are made without memory for metadata" crowd_under_failure
kml_test "the detector is on and reports none of the living" no_false_report
kml_test "new leaks are found when there is memory again" new_leaks_found
kml_test "all can be freed, known or not" all_freed

kml_finish
