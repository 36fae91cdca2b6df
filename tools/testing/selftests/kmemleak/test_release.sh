#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What a peak of allocations took is given back when memory is short, without a
# scan: here, of names that were asked for and do not exist.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

NAMES=100000

metadata()
{
	kml_stat "metadata bytes"
}

# Each leaves an object in the cache of names.
ask_for_names()
{
	seq "$NAMES" | sed 's|^|/sys/kernel/no_such_name_|' | xargs ls -d > /dev/null 2>&1
	peak=$(metadata)
	echo "$peak bytes at the peak, $before before"
	[ "$peak" -gt $((before + NAMES * 10)) ]
}

# At least three quarters of it, within so many seconds, as each try needs a while
# in which all readers come to an end.
given_back()
{
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		echo 2 > /proc/sys/vm/drop_caches
		sleep 1
		after=$(metadata)
		echo "$after bytes"
		[ "$after" -gt $((before + (peak - before) / 4)) ] || return 0
	done
	return 1
}

no_scan()
{
	[ "$(kml_stat scans)" = "$scans" ]
}

kml_setup 3

echo 2 > /proc/sys/vm/drop_caches
sleep 1
echo 2 > /proc/sys/vm/drop_caches
sleep 1
scans=$(kml_stat scans)
before=$(metadata)
peak=$before
kml_test "many names take metadata" ask_for_names
kml_test "most of that is given back when they go" given_back
kml_test "no scan has done that" no_scan
echo "# $NAMES names: $before bytes of metadata before, $peak at the peak, $after after"

kml_finish
