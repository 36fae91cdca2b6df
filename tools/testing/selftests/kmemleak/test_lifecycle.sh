#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Modules come and go: each of their sections refers to objects as long as it is there.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

ROUNDS=20

kml_setup 4

come_and_go()
{
	round=0
	while [ "$round" -lt "$ROUNDS" ]; do
		kml_load kmemleak_lifecycle && kml_unload kmemleak_lifecycle || return
		round=$((round + 1))
	done
	kml_scan && kml_nothing_of_module
}

# Of the objects logged, those lost in the init function or with its data, or others.
lost_in_init()
{
	kml_logged | grep -E ' init(_data)?$'
}

kept_in_sections()
{
	kml_logged | grep -v -E ' init(_data)?$'
}

GO=/sys/module/kmemleak_lifecycle/parameters/go

# The init function stays until it is told to go on.
in_init()
{
	kml_unload kmemleak_lifecycle
	kml_mark
	kml_load kmemleak_lifecycle stay=1 &
	tries=0
	until kml_logged | grep -q ' init_data$' || [ "$tries" -ge 100 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	# shellcheck disable=SC2034 # kml_load is in a process of its own
	KML_MODULE=kmemleak_lifecycle
	kml_scan && kml_logged | kml_all quiet | kml_compare
	status=$?
	echo Y > "$GO"
	wait
	return "$status"
}

load_forgetful()
{
	kml_unload kmemleak_lifecycle
	kml_mark
	kml_load kmemleak_lifecycle forget=1 leak_init=1
}

# One that is lost in the init function, and others that are not lost yet.
loaded()
{
	load_forgetful && kml_scan || return
	{ lost_in_init; kept_in_sections | kml_all quiet; } | kml_compare
}

unloaded_found()
{
	load_forgetful && kml_unload kmemleak_lifecycle && kml_scan && kml_logged | kml_compare
}

kml_test "a module that frees all leaves no leak in $ROUNDS rounds" come_and_go
kml_test "its sections refer to objects while it is being loaded" in_init
kml_test "its sections refer to objects, and its init function is named" loaded
kml_test "what only its sections referred to is lost with the module" unloaded_found

kml_finish
