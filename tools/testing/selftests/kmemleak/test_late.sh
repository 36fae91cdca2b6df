#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# How many leaks are found by the first scan after them, if the detector is switched on
# in a system that has been running: right after boot, and when there have been many
# objects whose memory is full of what was there before.
#
# WORKED: for how many seconds objects come and go before

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"
# shellcheck source=/dev/null
. "$KML_HERE/kmemleak_recall.sh"
# shellcheck source=/dev/null
. "$KML_HERE/kmemleak_busy.sh"

WORKED=${WORKED:-30}
ROUNDS=${KML_ROUNDS:-10}
# How many of 1000 may be missed at first, and then. KASAN keeps what was freed for a
# while, so that the detector takes it for something in use.
AT_FIRST=50
THEN=100
if [ -e /proc/lockdep ]; then
	ROUNDS=${KML_ROUNDS:-3}
	AT_FIRST=300
	THEN=300
fi

work()
{
	kml_load kmemleak_churn && kml_start_loops && sleep "$WORKED" && kml_loops_stop &&
		kml_unload kmemleak_churn
}

late_rounds()	# COMMAND...: before it is switched on
{
	kml_switch_off && "$@" && kml_switch_on && all_rounds "$ROUNDS" "$ROUNDS"
}

if ! grep -q -w kmemleak=off /proc/cmdline; then
	ktap_print_header
	kml_skip_all "kmemleak was on at boot: boot with kmemleak=off"
fi
mount -t debugfs none "$KML_DEBUGFS" 2> /dev/null
kml_ctl on > /dev/null
kml_setup 6 kmemleak_selftest

recall_begin
kml_test "everything is leaked, right after it was switched on" late_rounds true
kml_test "$((1000 - AT_FIRST)) of 1000 leaks are found by the first scan" \
	all_found $AT_FIRST $AT_FIRST
recall_tell
kml_test "nothing else is reported" nothing_else_wrong

recall_begin
kml_test "the same after $WORKED s of work" late_rounds work
kml_test "then $((1000 - THEN)) of 1000 are found" all_found $THEN $THEN
recall_tell
kml_test "and nothing else is reported" nothing_else_wrong

kml_finish
