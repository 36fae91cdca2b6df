#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A module takes the place of another one, at the same addresses. Frames are
# named after the one that stood there when they were recorded.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

ROUNDS=4
TRIES=20

kml_setup 6 kmemleak_same_a

section()
{
	cat "/sys/module/$1/sections/$2"
}

# Memory of a module that is gone is used again some time after that. Another one
# that comes speeds it up; this one leaves nothing behind.
make_room()
{
	kml_load kmemleak_same_b leak_in_init=0 && kml_unload kmemleak_same_b
}

# take_place NAME [PARAMETER]: load a module where the other one has stood.
take_place()
{
	try=0
	while [ "$try" -lt "$TRIES" ]; do
		make_room && kml_load "$@" || return
		[ "$(section "$1" .text)" = "$text" ] && return
		kml_unload "$1"
		try=$((try + 1))
	done
	echo "$1 does not come to $text"
	return 1
}

# tell NAME leak|free
tell()
{
	answer=$(kml_put "/sys/module/$1/parameters/$2" 1)
	[ "$answer" = OK ] && return
	echo "$1 cannot $2: $answer"
	return 1
}

# begin [PARAMETER]: one module comes and leaks.
begin()
{
	kml_unload kmemleak_same_a
	kml_unload kmemleak_same_b
	kml_load kmemleak_same_a "$@" || return
	text=$(section kmemleak_same_a .text)
	tell kmemleak_same_a leak
}

# Then it goes, and the other one comes in its place.
change_places()
{
	begin && kml_unload kmemleak_same_a &&
		take_place kmemleak_same_b && tell kmemleak_same_b leak
}

# Lines of the two modules in the log since the last mark: module, address, context,
# return address.
leaked()
{
	kml_log | sed -n 's/.*\(kmemleak_same_[ab]\): object /\1 /p'
}

# same_calls CONTEXT...: both modules have leaked from there, at one address.
same_calls()
{
	for context; do
		leaked | awk -v context="$context" '
			$3 == context { seen[$4] = seen[$4] $1 }
			END {
				for (call in seen)
					if (seen[call] ~ /same_a/ && seen[call] ~ /same_b/)
						exit 0
				exit 1
			}' && continue
		echo "no common return address in $context"
		return 1
	done
}

# A later scan may find an object that was hidden from this one. The log may be full
# by then.
keep_record()
{
	leaked >> "$KML_TMP/all"
}

check_frames()
{
	leaked > "$KML_TMP/new"
	keep_record
	cat "$KML_FILE" > "$KML_TMP/report"
	awk -f "$KML_HERE/kmemleak_frames.awk" \
		part=1 "$KML_TMP/report" part=2 "$KML_TMP/all" part=3 "$KML_TMP/new"
}

meet()
{
	keep_record
	kml_mark
	change_places && same_calls task softirq hardirq
}

both_named()
{
	[ "$KML_ATTEMPT" = 1 ] || meet || return
	kml_scan && check_frames
}

gone_named()
{
	[ "$KML_ATTEMPT" = 1 ] || meet || return
	kml_unload kmemleak_same_b
	kml_scan && check_frames
}

rounds_named()
{
	keep_record
	kml_mark
	round=0
	while [ "$round" -lt "$ROUNDS" ]; do
		change_places || return
		round=$((round + 1))
	done
	kml_scan && check_frames
}

# Nothing of the first one is left, but its names have been asked for.
names_forgotten()
{
	keep_record
	kml_do clear && begin leak_in_init=0 && kml_scan || return
	grep -q "same_a_alloc.*[[]kmemleak_same_a]" "$KML_FILE" || return "$HIDDEN"
	tell kmemleak_same_a free && kml_unload kmemleak_same_a || return
	kml_mark
	take_place kmemleak_same_b leak_in_init=0 && tell kmemleak_same_b leak &&
		kml_scan && check_frames
}

kml_test "a module takes the place of another one" meet
kml_test "the frames of both are named while one is there" both_named
kml_test "and when both are gone" gone_named
kml_test "and after $ROUNDS rounds more" rounds_named
if same_calls init > "$KML_TMP/why"; then
	kml_test "the frames of their init functions too" check_frames
else
	ktap_test_skip "the init functions had no addresses in common"
fi
kml_test "names are forgotten if nothing else is left" names_forgotten

kml_finish
