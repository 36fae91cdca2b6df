#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A user gives its task millions of names, and allocates under each of them. That
# takes no memory, and others do not notice.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

# In a kernel with lockdep each of them takes about ten times as long.
if [ -e /proc/lockdep ]; then
	NUMBER=100000
else
	NUMBER=3000000
fi

# What an allocation may take longer meanwhile, in percent.
SLOWER=10

# What the depot and the metadata may grow by, in bytes. Slabs that come meanwhile take
# some 80,000. In a depot that keeps names, 3000 of them take as much as this.
GROWTH=144000

kml_setup 5 kmemleak_selftest

# Of allocations of several sizes.
kml_time()
{
	"$KML_HERE/kmemleak_names" time
}

# shorter TIMES [TIMES]: the lesser one of each size.
shorter()
{
	echo "$1 ${2:-$1}" | awk '{
		for (i = 1; i <= NF / 2; i++)
			printf "%s%d", (i > 1 ? " " : ""),
			       ($i < $(i + NF / 2) ? $i : $(i + NF / 2))
	}'
}

# not_longer TIMES THAN: with no more than a half of the sizes it is more than SLOWER
# percent longer. For QEMU, a store to a page that it has run code from takes 45 times as
# long, and one of the pages that a task and what it allocates are in may be of a program
# that has ended. Ten times as long was seen, of an allocation.
not_longer()
{
	echo "$1 $2" | awk -v slower="$SLOWER" '{
		for (i = 1; i <= NF / 2; i++)
			longer += 100 * $i > (100 + slower) * $(i + NF / 2)
		exit !NF || longer > NF / 4
	}' && return
	echo "allocations take $1 ns, and took $2 ns"
	return 1
}

# grown BEFORE AFTER: in bytes.
not_grown()
{
	[ -n "$1" ] && [ $(($2 - $1)) -lt "$GROWTH" ] && return
	echo "from $1 to $2 bytes, for $NUMBER names"
	return 1
}

# Without that of slabs that are empty: one scan finds them so, the next one does again and
# closes them, and a third one gives them back. With KASAN freed objects are in quarantine
# for a while, so that thousands of slabs come.
kml_metadata()
{
	kml_scan > /dev/null && kml_scan > /dev/null && kml_scan > /dev/null &&
		kml_stat "metadata bytes"
}

# The shortest times before, while names are taken, and afterwards.
take_names()
{
	depot=$(kml_depot_bytes)
	metadata=$(kml_metadata)
	before=$(kml_time)
	"$KML_HERE/kmemleak_ctl" as-nobody "$KML_HERE/kmemleak_names" take "$NUMBER" &
	taker=$!
	during=
	while kill -0 $taker 2> /dev/null; do
		now=$(kml_time)
		# The last one may have been alone.
		kill -0 $taker 2> /dev/null || [ -z "$during" ] || break
		during=$(shorter "$now" "$during")
	done
	wait $taker
	status=$?
	# What takes longer for good does so each time. A host that has more to do meanwhile
	# may have less to do again.
	after=
	for _ in 1 2 3 4 5; do
		after=$(shorter "$(kml_time)" "$after")
		! not_longer "$after" "$before" > /dev/null || break
	done
	depot_after=$(kml_depot_bytes)
	metadata_after=$(kml_metadata)
	echo "# ns: $before, $during, $after; depot: $depot, $depot_after bytes;" \
		"metadata: $metadata, $metadata_after bytes; names: $(kml_stat names)"
	[ "$status" = 0 ]
}

others_are_as_fast()
{
	not_longer "$during" "$before" && not_longer "$after" "$before"
}

depot_is_flat()
{
	not_grown "$depot" "$depot_after"
}

metadata_is_flat()
{
	not_grown "$metadata" "$metadata_after"
}

names_have_room()
{
	names=$(kml_stat names)
	[ -n "$names" ] && [ "${names% of *}" -le "${names#* of }" ] && return
	echo "names: $names"
	return 1
}

# Soon there is, although the table was full: a quarter of it, by a sweep.
wait_for_room()
{
	seconds=0
	while names=$(kml_stat names) &&
	      [ "${names% of *}" -gt $((${names#* of } * 3 / 4)) ]; do
		[ "$seconds" -lt $((5 * KML_PATIENCE)) ] || return
		sleep 1
		seconds=$((seconds + 1))
	done
}

# Its name is new, and comes after all of these.
latecomer_is_named()
{
	wait_for_room
	kml_forget || return
	cp "$KML_HERE/kmemleak_ctl" "$KML_TMP/latecomer" || return
	printf list=5 | "$KML_TMP/latecomer" write "$KML_TESTER/command" || return
	kml_scan || return
	grep -q '^  comm "latecomer", pid ' "$KML_FILE" && return
	grep '^  comm ' "$KML_FILE"
	[ -n "$(kml_records)" ] || return "$HIDDEN"
	return 1
}

take_names
kml_test "others allocate as fast as before" others_are_as_fast
if [ -n "$depot" ]; then
	kml_test "the stack depot does not grow" depot_is_flat
else
	ktap_test_skip "the stack depot does not grow (this kernel does not tell)"
fi
kml_test "the metadata does not grow" metadata_is_flat
kml_test "there are no more names than there is room for" names_have_room
kml_test "who comes later has a name again" latecomer_is_named

kml_finish
