#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What is freed later - by RCU, in a work item, with the last reference to a file, with
# a task - refers to a buffer as long as it is there. A scan waits for that first: so
# the buffer is in the report of the first scan, and "run" ends with the status that
# says so.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

# Fewer where all is checked that can be.
if [ -e /proc/lockdep ]; then
	SCANS=${KML_ROUNDS:-5}
else
	SCANS=${KML_ROUNDS:-20}
fi
RUNS=${KML_RUNS:-1}
TOOL=$KML_HERE/kmemleak
DEFERRED=$KML_HERE/test_modules/kmemleak_deferred.ko
WAYS="rcu rcu_twice kfree_rcu work rcu_work kobject init_data file task"

# A scan, or a run of the tool, that finds nothing may be a matter of a stale pointer
# that happens to be there. Two of them are not.
too_many()
{
	[ "$1" = 0 ] || echo "$1 of $2 have not found it"
	[ "$1" -gt 1 ]
}

# By the shell itself: another process would take longer than what is waited for.
scan_at_once()
{
	echo scan > "$KML_FILE"
}

lose_scan_compare()
{
	kml_unload kmemleak_deferred
	kml_do clear || return
	kml_mark
	kml_load kmemleak_deferred "way=$1" && scan_at_once && kml_logged | kml_compare
}

# Each of so many scans has to find what was lost just before it.
all_found()
{
	missed=0
	for number in $(seq "$SCANS"); do
		lose_scan_compare "$1" > "$KML_TMP/wrong" 2>&1
		status=$?
		[ "$status" != 0 ] || continue
		sed "s/^/scan $number: /" "$KML_TMP/wrong"
		[ "$status" = "$HIDDEN" ] || return 1
		kml_tell_holders 1 < "$KML_TMP/wrong"
		missed=$((missed + 1))
	done
	too_many "$missed" "$SCANS" && return 1
	[ "$missed" = 0 ] || return "$HIDDEN"
}

# tool WAY ARGUMENT...: it has to end with the status that stands for leaks.
tool()
{
	kml_unload kmemleak_deferred
	way=$1
	shift
	"$TOOL" "$@" "way=$way" > "$KML_TMP/out" 2>&1 < /dev/null
	status=$?
	[ "$status" = 1 ] && return
	echo "$* way=$way: status $status"
	cat "$KML_TMP/out"
	[ "$status" = 0 ] && return "$HIDDEN"
	return 1
}

# tool_finds NUMBER ARGUMENT...: in so many runs with each of the ways
tool_finds()
{
	missed=0 runs=0
	rounds=$1
	shift
	# shellcheck disable=SC2034 # only counts
	for round in $(seq "$rounds"); do
		for this in $WAYS; do
			tool "$this" "$@"
			status=$?
			runs=$((runs + 1))
			[ "$status" != 0 ] || continue
			[ "$status" = "$HIDDEN" ] || return 1
			missed=$((missed + 1))
		done
	done
	too_many "$missed" "$runs" && return 1
	[ "$missed" = 0 ] || return "$HIDDEN"
}

kml_setup 11
# A file of sysfs that is gone has a node, which points at its attribute, for as long as a
# dentry has that. Tests before this one have read files of modules.
echo 2 > /proc/sys/vm/drop_caches

for way in $WAYS; do
	kml_test "lost by $way: found by each of $SCANS scans right after" all_found "$way"
done

if [ -x "$TOOL" ]; then
	kml_test "run -- insmod says so each time" tool_finds "$RUNS" run -- insmod "$DEFERRED"
	kml_test "module says so each time" tool_finds 1 module "$DEFERRED"
else
	kml_skip_rest "kmemleak has not been built"
fi

kml_finish
