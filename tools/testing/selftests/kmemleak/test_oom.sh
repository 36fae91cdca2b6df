#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Running out of memory for what it has to know makes the detector miss leaks.
# It makes no false reports, and does not switch the detector off. When there is
# memory again, it finds leaks again, also those that only unknown objects hid.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

FAILSLAB=$KML_DEBUGFS/failslab
CACHES=/sys/kernel/slab
# The detector's own caches, by what they hold.
SLOTS="slots_* slab_* percpu_*"
RECORDS="record area"

# Objects that have a record each, for want of slots.
RECORDED=2000
# Objects that have not even that.
UNKNOWN=10000
# What other tasks allocate and free at the same time is less.
OTHERS=500
# Objects that only unknown ones refer to; see many.c. None was missed in ten runs;
# but whatever lies near an unknown object is searched for references, old ones too.
CHILDREN=100
CHILDREN_FOUND=95
# All memory near what is unknown is searched: with KASAN stacks are twice as large, with
# what calls have left there that have returned. It has hidden 15.
[ ! -e /proc/lockdep ] || CHILDREN_FOUND=75

# Older kernels are told only at boot which caches may fail: there all fail at once.
may_fail()	# 1 or 0, CACHE...
{
	setting=$1
	shift
	for name; do
		for file in "$CACHES"/kmemleak_$name/failslab; do
			[ "$(cat "$file")" = "$setting" ] || echo "$setting" > "$file" || return
		done
	done
}

# Only memory for metadata cannot be had, and none of that.
start_failing()	# CACHE...
{
	for setting in cache-filter=Y ignore-gfp-wait=N interval=1 times=-1 verbose=0; do
		echo "${setting#*=}" > "$FAILSLAB/${setting%%=*}" || return
	done
	may_fail 1 "$@" && echo 100 > "$FAILSLAB/probability"
}

stop_failing()
{
	echo 0 > "$FAILSLAB/probability" || return
	# shellcheck disable=SC2086
	may_fail 0 $SLOTS $RECORDS 2> /dev/null || :
}

remember()
{
	objects=$(kml_stat objects)
	slabs=$(kml_stat slabs)
	unknown=$(kml_stat "unknown objects")
	left=$(kml_stat "pool left")
}

# at_least WHAT NUMBER LIMIT
at_least()
{
	echo "$1: $2, and at least $3 expected"
	[ "$2" -ge "$3" ]
}

none_unknown()
{
	now=$(kml_stat "unknown objects")
	at_least "unknown objects fewer" "$((unknown - now))" 0
}

objects_get_records()
{
	# shellcheck disable=SC2086
	start_failing $SLOTS || return
	remember
	kml_make "many=$RECORDED" || return
	at_least "new objects" "$(($(kml_stat objects) - objects))" $((RECORDED - OTHERS)) &&
		at_least "slabs fewer" "$((slabs - $(kml_stat slabs)))" 0 && none_unknown
}

# What waits to be freed by RCU would come back to the pool: scans wait for that.
reserve_serves()
{
	kml_scan > /dev/null || return
	# shellcheck disable=SC2086
	start_failing $SLOTS $RECORDS || return
	remember
	kml_make "many=$((left / 2))" || return
	at_least "taken from the pool" "$((left - $(kml_stat "pool left")))" \
		$((left / 2 - OTHERS)) && none_unknown
}

tracked()
{
	kml_expected | awk '/child/ { print $1 }' > "$KML_TMP/children"
	at_least "children" "$(wc -l < "$KML_TMP/children")" "$CHILDREN" || return
	while read -r addr; do
		kml_do "dump=$addr" || return
	done < "$KML_TMP/children"
}

# What the detector knows of is handed to objects that it does not know.
objects_are_unknown()
{
	kml_make children && tracked || return
	remember
	kml_make "many=$((left + UNKNOWN))" || return
	at_least "unknown objects" "$(($(kml_stat "unknown objects") - unknown))" \
		$((UNKNOWN - OTHERS)) &&
		at_least "records left, fewer than $OTHERS" \
			"$((OTHERS - $(kml_stat "pool left")))" 1
}

# By scans that answer: the detector is on, and there is no memory for a scan either.
no_false_report()
{
	kml_scan && kml_expected | kml_compare quiet yes && stop_failing && kml_scan &&
		kml_expected | kml_compare quiet yes
}

# Nobody refers to the children once the unknown objects are gone.
children_found()
{
	kml_make forget && kml_scan || return
	kml_expected | kml_compare quiet yes > "$KML_TMP/wrong"
	cat "$KML_TMP/wrong"
	# Who hides them, of three.
	kml_mark
	sed -n 's/^not found: \([^ ]*\) .*/\1/p' "$KML_TMP/wrong" | head -n 3 |
		while read -r addr; do
			kml_do "refs=$addr"
		done
	kml_log | grep kmemleak: | head -n 40
	! grep -v '^not found: ' "$KML_TMP/wrong" || return 1
	at_least "children found" "$((CHILDREN - $(wc -l < "$KML_TMP/wrong")))" "$CHILDREN_FOUND"
}

# Records are given back when nobody reads them any more.
reserve_is_full_again()
{
	for second in 1 2 3 4 5; do
		sleep 1
		[ "$(kml_stat "pool left")" -lt $((FULL - OTHERS)) ] || break
	done
	at_least "pool left after $second s" "$(kml_stat "pool left")" $((FULL - OTHERS)) || return
	remember
	kml_make "many=$RECORDED" && none_unknown
}

new_leaks_found()
{
	kml_make leak && kml_scan && kml_expected | kml_compare quiet yes
}

all_freed()
{
	kml_make free && kml_scan && kml_nothing_of_module
}

kml_setup 8 kmemleak_selftest
# What another CPU keeps of slabs that have slots would have some for a task that comes
# there.
taskset -p 1 $$ > /dev/null
[ -e "$FAILSLAB/cache-filter" ] || kml_skip_rest "no $FAILSLAB: needs CONFIG_FAILSLAB"
[ -e "$CACHES/kmemleak_record/failslab" ] ||
	kml_skip_rest "no $CACHES/kmemleak_record/failslab: needs CONFIG_SLUB_DEBUG"
# Where the setting cannot be changed it has to be on.
# shellcheck disable=SC2086
may_fail 1 $SLOTS $RECORDS 2> /dev/null ||
	kml_skip_rest "cannot let metadata fail: boot with slub_debug=A,CACHES"
# The slots of slabs that have gone wait for them to come back, up to the third scan. With
# what earlier tests have left, there would be slots for some of the objects.
# shellcheck disable=SC2034 # only counts
for scan in 1 2 3 4; do
	kml_scan > /dev/null
done
FULL=$(kml_stat "pool left")

kml_test "without memory for slots, objects have records" objects_get_records
kml_test "without memory for records, the pool has some" reserve_serves
kml_test "without the pool, objects are unknown" objects_are_unknown
kml_test "the detector is on and reports none of the living" no_false_report
stop_failing
kml_test "what only unknown objects held is found without them" children_found
kml_test "the pool is full again, and no more objects are unknown" reserve_is_full_again
kml_test "new leaks are found when there is memory again" new_leaks_found
kml_test "all can be freed, known or not" all_freed

kml_finish
