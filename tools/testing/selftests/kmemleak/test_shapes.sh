#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A module that comes, loses something and goes, again and again, with nothing done to
# make that easier to find. What it loses has the shapes of real leaks.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

MODULE=kmemleak_shapes

# The most where nothing makes leaks easier to find, which is what users have.
# LIMIT: how many of 1000 may be missed in the loop; one in any case. Without
# init_on_alloc, on 6.1, a register of a task that sleeps has hidden one, and what that
# one held from before it was allocated another.
OF_ONE=10
LIMIT=${KML_LIMIT:-1}
if [ -e /proc/lockdep ]; then
	ROUNDS=${KML_ROUNDS:-5}
	OF_ONE=3
elif grep -q -w init_on_alloc=0 /proc/cmdline; then
	ROUNDS=${KML_ROUNDS:-100}
	LIMIT=${KML_LIMIT:-2}
else
	ROUNDS=${KML_ROUNDS:-40}
fi

# Leaks in a round of the loop.
NUMBER=5

# Of so many leaks that were missed it is told who refers to them.
HOLDERS_TOLD=20

# What was lost since the mark: address and shape.
lost()
{
	kml_log | sed -n "s/.*$MODULE: lost 0x\([0-9a-f]*\) \(.*\)/\1 \2/p" |
		while read -r inverted what; do
			addr=$(echo "$inverted" | tr 0-9a-f fedcba9876543210)
			echo "$addr $what" | sed 's/^0*/0x/'
		done
}

# With a mount, for the shape that is made by one.
come_and_go()	# SHAPE
{
	kml_mark
	insmod "$KML_HERE/test_modules/$MODULE.ko" "shape=$1" "number=$NUMBER" || return
	[ "$1" != option ] ||
		mount -t kmemleak_shapes -o label=one,label=another none "$KML_TMP" 2> /dev/null
	rmmod "$MODULE"
}

# Says what was not found.
missed()
{
	lost > "$KML_TMP/lost"
	awk 'part == 1 && /^unreferenced object / { found[$(NF - 2)] = 1 }
		part == 2 && !($1 in found) { print "not found: " $1 " " $2 }
		part == 2 { lost++ }
		END { if (!lost) print "nothing was lost" }' \
		part=1 "$KML_FILE" part=2 "$KML_TMP/lost"
}

# What was lost stays a leak, and is not searched: it holds what was there before. Once
# cleared it would be.
rounds()	# NUMBER SHAPE
{
	: > "$KML_TMP/missed"
	for round in $(seq "$1"); do
		come_and_go "$2" || return
		echo scan > "$KML_FILE" || return
		missed > "$KML_TMP/wrong"
		sed "s/^/in round $round: /" "$KML_TMP/wrong" >> "$KML_TMP/missed"
		if [ "$(grep -c '^object ' "$KML_TMP/holders")" -lt "$HOLDERS_TOLD" ]; then
			kml_tell_holders 3 < "$KML_TMP/wrong" >> "$KML_TMP/holders"
		fi
	done
}

# One that is hidden by a live object, whose owner has not written to all of it, is bad
# luck; another one in the next attempt is not.
each_found()	# SHAPE
{
	rounds "$OF_ONE" "$1" || return
	[ -s "$KML_TMP/missed" ] || return 0
	# Here, for a test that is stopped before its end.
	cat "$KML_TMP/missed" "$KML_TMP/holders"
	[ "$KML_ATTEMPT" = 1 ] && [ "$(wc -l < "$KML_TMP/missed")" = 1 ] &&
		grep -q ': not found: ' "$KML_TMP/missed" && return "$HIDDEN"
	return 1
}

nearly_all_found()
{
	rounds "$ROUNDS" objects || return
	cat "$KML_TMP/missed"
	sum=$(grep -c ': not found: ' "$KML_TMP/missed")
	echo "$sum of $((ROUNDS * NUMBER)) missed" | tee "$KML_TMP/recall"
	! grep -v ': not found: ' "$KML_TMP/missed" &&
		{ [ "$sum" -le 1 ] || [ $((sum * 1000)) -le $((ROUNDS * NUMBER * LIMIT)) ]; }
}

kml_setup 6
: > "$KML_TMP/holders"

for shape in pid file percpu attributes option; do
	kml_test "$shape: each of $OF_ONE leaks is found by the first scan" each_found "$shape"
done
kml_test "of $((ROUNDS * NUMBER)) leaks of a module that comes and goes nearly all are found" \
	nearly_all_found
sed 's/^/# /' "$KML_TMP/recall" "$KML_TMP/holders"

kml_finish
