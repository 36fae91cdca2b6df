#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# One module is loaded and unloaded many times, beside others that allocate each time.
# All traces have been seen after a few times, and the stack depot has them.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

BYSTANDERS="01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20"

# In a kernel with lockdep each of them takes about ten times as long.
if [ -e /proc/lockdep ]; then
	TIMES=100
else
	TIMES=2000
fi

kml_setup 2

[ -n "$(kml_depot_bytes)" ] || kml_skip_rest "this kernel does not tell how large the depot is"

BYSTANDER=$KML_HERE/test_modules/kmemleak_bystander_00.ko

reload()
{
	"$KML_HERE/kmemleak_ctl" reload "$BYSTANDER" kmemleak_bystander_00 "$1"
}

load_bystanders()
{
	for number in $BYSTANDERS; do
		"$KML_HERE/kmemleak_ctl" load "$BYSTANDER" kmemleak_bystander_00 \
			"kmemleak_bystander_$number" || return
	done
}

unload_bystanders()
{
	for number in $BYSTANDERS; do
		kml_unload "kmemleak_bystander_$number"
	done
}

# Grace periods that nobody has to wait long for: that of a module has some.
EXPEDITED=/sys/kernel/rcu_expedited

reload_many()
{
	had=$(cat "$EXPEDITED")
	echo 1 > "$EXPEDITED"
	reload "$TIMES"
	status=$?
	echo "$had" > "$EXPEDITED"
	return "$status"
}

# By less than a hundredth.
depot_is_flat()
{
	load_bystanders && reload 20 || return
	before=$(kml_depot_bytes)
	reload_many || return
	after=$(kml_depot_bytes)
	echo "from $before to $after bytes"
	[ $((100 * (after - before))) -lt "$before" ]
}

nothing_leaked()
{
	unload_bystanders
	kml_scan && kml_nothing_reported
}

kml_test "the stack depot does not grow when a module is loaded $TIMES times" depot_is_flat
kml_test "the modules are gone, and have left nothing" nothing_leaked

kml_finish
