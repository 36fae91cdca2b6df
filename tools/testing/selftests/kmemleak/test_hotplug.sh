#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Scans while CPUs are taken away and come back.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

CPUS=/sys/devices/system/cpu
ROUNDS=10
# With lockdep a scan takes seconds.
[ ! -e /proc/lockdep ] || ROUNDS=2

# Of all CPUs but the first one: the files to take them away by.
switches()
{
	ls -d "$CPUS"/cpu[1-9]*/online 2> /dev/null
}

all_online()
{
	for switch in $(switches); do
		echo 1 > "$switch" || return
	done 2> /dev/null
}

# Until there is no file "run": one CPU after the other goes and comes back.
come_and_go()
{
	times=0
	while [ -e "$KML_TMP/run" ]; do
		for switch in $(switches); do
			echo 0 > "$switch" && usleep 2000 && echo 1 > "$switch" || return
			times=$((times + 1))
		done
		echo "$times" > "$KML_TMP/times"
	done
}

# The report has all leaks of the module, and nothing else.
right()
{
	kml_make leak && kml_scan && kml_expected | kml_compare quiet yes || return
	kml_strangers 'kmemleak_[a-z_]*' > "$KML_TMP/strangers"
	tr ';' '\n' < "$KML_TMP/strangers"
	[ ! -s "$KML_TMP/strangers" ]
}

rounds_right()
{
	for round in $(seq "$ROUNDS"); do
		right || return
		kml_make retire || return
	done
	echo "the last of $round rounds is right"
}

right_meanwhile()
{
	echo 0 > "$KML_TMP/times"
	: > "$KML_TMP/run"
	come_and_go > "$KML_TMP/complaints" 2>&1 &
	commuter=$!
	rounds_right
	status=$?
	rm "$KML_TMP/run"
	wait "$commuter" || status=1
	echo "CPUs have gone and come back $(cat "$KML_TMP/times") times"
	cat "$KML_TMP/complaints"
	all_online && [ "$(cat "$KML_TMP/times")" != 0 ] && return "$status"
}

# Its part of per-CPU memory, and what it ran last, are still there.
right_with_one()
{
	for switch in $(switches); do
		echo 0 > "$switch" || return
	done
	right
	status=$?
	all_online && return "$status"
}

[ -n "$(switches)" ] || kml_skip_all "no CPU can be taken away"
kml_setup 3 kmemleak_selftest

kml_test "scans are right while CPUs come and go" right_meanwhile
kml_test "a scan is right with the first CPU alone" right_with_one
kml_test "a scan is right when all are back" right

kml_finish
