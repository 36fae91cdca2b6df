#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Modules come and go: their data refers to objects as long as they are there.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

ROUNDS=20

kml_setup 3

come_and_go()
{
	round=0
	while [ "$round" -lt "$ROUNDS" ]; do
		kml_load kmemleak_lifecycle && kml_unload kmemleak_lifecycle || return
		round=$((round + 1))
	done
	kml_scan && kml_nothing_of_module
}

# Of the objects logged, those lost in the init function, or the others.
lost_in_init()
{
	kml_logged | grep ' init$'
}

kept_in_sections()
{
	kml_logged | grep -v ' init$'
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
kml_test "its sections refer to objects, and its init function is named" loaded
kml_test "what only its sections referred to is lost with the module" unloaded_found

kml_finish
