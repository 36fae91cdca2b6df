#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What is left of a detector that was off at boot: in a system in which it is on there is
# nothing to test.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

INFO=$KML_DEBUGFS/kmemleak_info

POOL_LOG='Freeing kmemleak pool memory: [0-9]*K'
# Where its pages are in no map that others could use.
case $(uname -m)-$(uname -r) in
aarch64-7.[0-2].*)	;;
aarch64-[7-9].*)	POOL_LOG='kmemleak: the pool stays' ;;
esac

pool_is_given_back()
{
	dmesg | grep "$POOL_LOG"
}

# The static pool has more than 30 KB, whatever the configuration.
no_metadata()
{
	kml_stat "metadata bytes"
	[ "$(kml_stat "metadata bytes")" -lt 30000 ]
}

# All that stands in the files, from memory that others may have by now.
nothing_is_known()
{
	for file in "$KML_FILE" "$INFO"/*; do
		cat "$file" > "$KML_TMP/content" || return
	done
	[ "$(kml_stat objects)" = 0 ] && kml_nothing_reported
}

# A module brings code, allocations of all kinds, and annotations.
module_works()
{
	kml_load kmemleak_selftest && kml_make leak=all && kml_make hold=all &&
		kml_make free && kml_unload kmemleak_selftest && nothing_is_known
}

ktap_print_header
[ "$(id -u)" = 0 ] || kml_skip_all "needs root"
[ -e "$KML_FILE" ] || mount -t debugfs none "$KML_DEBUGFS" 2>/dev/null
[ -e "$KML_FILE" ] || kml_skip_all "no $KML_FILE: needs CONFIG_DEBUG_KMEMLEAK and debugfs"
[ -x "$KML_HERE/kmemleak_ctl" ] || kml_skip_all "kmemleak_ctl has not been built"
dmesg | grep -q "$POOL_LOG" || [ "$(kml_stat state)" = cleared ] ||
	kml_skip_all "kmemleak was on at boot: boot with kmemleak=off"
KML_TMP=$(mktemp -d "${TMPDIR:-/tmp}/kmemleak.XXXXXX") || kml_skip_all "no temporary files"
trap kml_cleanup EXIT
KML_START="kmemleak selftest: $(basename "$0") $$"
echo "$KML_START" > /dev/kmsg
ktap_set_plan 7

kml_test "the static pool has been given back" pool_is_given_back
kml_test "there is no metadata" no_metadata
kml_test "nothing is known" nothing_is_known
kml_test "no scan is made" kml_answers scan EPERM
kml_test "it is not switched off again" kml_answers off EPERM
kml_test "a module works as ever" module_works
kml_finish
