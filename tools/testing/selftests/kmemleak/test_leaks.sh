#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The five leaks that drivers have are found, and their fixes are quiet.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

kml_setup 3

# Nothing has been leaked before, so that nothing of the driver may turn up.
fixes_quiet()
{
	kml_load_leaky 1 && kml_unload kmemleak_leaky && kml_scan && kml_nothing_of_module
}

# The buffer that its exit function will lose is in use until then.
buffer_in_use()
{
	kml_mark
	kml_load kmemleak_leaky pattern=exit_buffer && kml_scan &&
		kml_logged | kml_all quiet | kml_compare quiet yes
}

# All but the last with the name of a module that is not there any more.
leaks_found()
{
	kml_load_leaky 0 && kml_scan && kml_logged | kml_compare
}

kml_test "the five fixes are quiet" fixes_quiet
kml_test "a buffer of a module that is loaded is in use" buffer_in_use
kml_test_all "the five leaks are found by address, size and function" leaks_found

kml_finish
