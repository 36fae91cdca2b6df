#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What is allocated, lost or not: all of it is told by trace, and what grows is named,
# whatever keeps it, while much else comes and goes.
#
# LOOKS, EVERY: how many looks at what grows, and the seconds between two

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"
# shellcheck source=/dev/null
. "$KML_HERE/kmemleak_busy.sh"

LIVE=$KML_DEBUGFS/kmemleak_info/live
KMEMLEAK=$KML_HERE/kmemleak
WAYS="list xarray rhashtable cache backlog refcount percpu ring"
LOOKS=${LOOKS:-20}
EVERY=${EVERY:-0.4}

private()
{
	for file in "$LIVE" "$LIVE.json"; do
		# shellcheck disable=SC2012
		mode=$(ls -l "$file" | cut -c 1-10)
		[ "$mode" = -r-------- ] || { echo "$file: mode is $mode"; return 1; }
	done
}

grammar()
{
	cat "$LIVE" > "$KML_TMP/live" && awk '
	function complain(why) { print "line " NR ": " why ": " $0; bad = 1 }
	BEGIN {
		head = "^N objects, N bytes, N leaks, N held, age N[.][.]N s, born "
		head = head "N in 60 s, N in 600 s, N in 3600 s, N since mark$"
		gsub("N", "[0-9]+", head)
	}
	$0 ~ head {
		if (expect == "comm")
			complain("no names")
		if ($1 != $5 + $7 || $1 < 1)
			complain("so many are neither leaks nor held")
		if (groups++ && $3 > bytes)
			complain("more bytes than the group before")
		if ($13 > $17 || $17 > $21 || $21 > $1 || $25 > $1)
			complain("more were born in a shorter time")
		bytes = $3
		expect = "comm"
		next
	}
	/^  comm "([^"\\]|\\.)*"(, "([^"\\]|\\.)*")*( and [0-9]+ more)?$/ {
		if (expect != "comm")
			complain("names of what?")
		expect = "frame"
		next
	}
	/^    [^ ]+\+0x[0-9a-f]+\/0x[0-9a-f]+( \[[^] ]+\])?$/ {
		if (expect != "frame")
			complain("frame of what?")
		next
	}
	/^    0x[0-9a-f]+( \[[^] ]+\])?$/ { next }
	/^    \[(unknown|generated) code\]$/ { next }
	{ complain("what is this?") }
	END {
		if (groups < 100)
			complain("so few groups: " groups)
		exit bad
	}' "$KML_TMP/live"
}

# Objects and bytes of a file of groups.
sums()
{
	awk '/^[0-9]+ objects, / { objects += $1; bytes += $3 } END { print objects, bytes }' "$1"
}

# between A B VALUE SLACK: it is, or nearly, whichever of the two is larger
between()
{
	if [ "$1" -le "$2" ]; then
		[ $(($3 + $4)) -ge "$1" ] && [ $(($3 - $4)) -le "$2" ]
	else
		between "$2" "$1" "$3" "$4"
	fi
}

# Between two times that figures are asked for, what is told of each object is the same
# in sum. Reading takes memory, too, for as long as it goes on, and what has ended gives
# some back late.
sums_agree()
{
	before=$(kml_stat objects)
	bytes_before=$(kml_stat bytes)
	cat "$LIVE" > "$KML_TMP/live"
	# shellcheck disable=SC2046
	set -- $(sums "$KML_TMP/live")
	after=$(kml_stat objects)
	bytes_after=$(kml_stat bytes)
	echo "objects: $before, in groups $1, then $after"
	echo "bytes: $bytes_before, in groups $2, then $bytes_after"
	between "$before" "$after" "$1" 100 &&
		between "$bytes_before" "$bytes_after" "$2" 200000
}

# Slabs have room for what is in no use, beside their objects. With debugging there is more
# of it around each of them.
kernel_agrees()
{
	slab=$("$KMEMLEAK" live --by cache --csv |
		awk -F, 'NR > 1 && $1 !~ /^(page|vmalloc|percpu|boot|other)$/ { sum += $2 }
			END { print sum / 1024 }')
	all=$(sed -n 's/^Slab: *\([0-9]*\) kB$/\1/p' /proc/meminfo)
	echo "KiB in slabs: $slab, the allocator says $all"
	part=2
	[ ! -e /proc/lockdep ] || part=4
	# It keeps more beside a small object than there is in it.
	! grep -q 'sl[au]b_debug' /proc/cmdline || part=8
	[ "${slab%.*}" -le "$all" ] && [ "${slab%.*}" -ge $((all / part)) ]
}

json_agrees()
{
	cat "$LIVE.json" > "$KML_TMP/json"
	jq -e -s 'length > 100 and all(.[];
		([.parts[].objects] | add) == .objects and ([.parts[].bytes] | add) == .bytes and
		.born_60s <= .born_600s and .born_600s <= .born_3600s and
		.bytes_since_mark <= .bytes and .leaked_bytes <= .bytes)' \
		"$KML_TMP/json" > /dev/null
}

# The number of live objects of a module's traces, and of those born after the mark.
of_module()
{
	jq -r -s "[.[] | select(.module == \"$1\")] |
		\"\\([.[].objects] | add // 0) \\([.[].born_since_mark] | add // 0)\"" \
		"$LIVE.json"
}

mark_counts()
{
	kml_do mark || return
	[ "$(kml_stat 'seconds since mark')" -le 5 ] || return
	kml_make hold=all || return
	# shellcheck disable=SC2046
	set -- $(of_module kmemleak_selftest)
	echo "objects of the module, and since the mark: $*"
	[ "$2" -gt 10 ] || return
	kml_do mark || return
	held=$2
	# shellcheck disable=SC2046
	set -- $(of_module kmemleak_selftest)
	echo "after the next one: $*"
	[ "$2" = 0 ] && [ "$1" -ge "$held" ]
}

# Those that nobody refers to any more are told apart.
lost_and_held()
{
	kml_make drop && kml_scan || return
	lost=$(jq -s '[.[] | select(.module == "kmemleak_selftest") | .leaks] | add' "$LIVE.json")
	kml_make free || return
	echo "lost: $lost"
	[ "$lost" -gt 10 ]
}

# What is told of a place: a frame of it, and the command.
watch_growth()
{
	"$KMEMLEAK" growth --for "$(echo "$LOOKS $EVERY" | awk '{ print $1 * $2 }')" \
		--interval "$EVERY" --json > "$KML_TMP/growth"
}

first_place()
{
	jq -r '.groups[0].trace[]?.frame' "$KML_TMP/growth"
}

# Each way that memory is kept is the first place that is named, and what it keeps is held.
way_named()
{
	kml_load kmemleak_growth "way=$1" && watch_growth
	status=$?
	kml_unload kmemleak_growth
	[ "$status" = 0 ] || return
	jq -r '.groups[] | "\(.grown) \(.leaks) lost \(.site)"' "$KML_TMP/growth"
	first_place | grep -q "^grow_$1+" || return
	jq -e '.groups[0] | .steady and .leaks == 0 and .bytes_per_hour > 0 and
		.last > .first' "$KML_TMP/growth" > /dev/null
}

nothing_grows()
{
	watch_growth || return
	jq -r '.groups[] | "\(.grown) \(.first) \(.last) \(.trace[].frame)"' "$KML_TMP/growth"
	jq -e '.places == 0 and .looks >= 15' "$KML_TMP/growth" > /dev/null
}

# A program that leaves something behind, lost or not, and one that does not.
left_behind()
{
	"$KMEMLEAK" growth --fail-above 3000 --json -- \
		insmod "$KML_HERE/test_modules/kmemleak_leaky.ko" pattern=cache \
		> "$KML_TMP/growth"
	status=$?
	kml_unload kmemleak_leaky
	jq -r '.groups[] | "\(.grown) \(.leaks) lost \(.site)"' "$KML_TMP/growth"
	[ "$status" = 1 ] || return
	jq -e '[.groups[] | select(.module == "kmemleak_leaky")] | length > 0' \
		"$KML_TMP/growth" > /dev/null || return
	"$KMEMLEAK" growth --fail-above 100000 -- true > "$KML_TMP/said" && return
	cat "$KML_TMP/said"
	return 1
}

# What another one counts, by line of code, for the same objects: those that the module
# allocates itself, and not its threads, which the kernel allocates for it.
profile_agrees()
{
	kml_load kmemleak_growth way=list steps=25 step_ms=10 || return
	sleep 2
	ours=$(jq -s '[.[] | select(.trace[1] // "" | endswith("[kmemleak_growth]")).bytes] |
		add' "$LIVE.json")
	theirs=$(awk '/\[kmemleak_growth\]/ { sum += $1 } END { print sum + 0 }' /proc/allocinfo)
	kml_unload kmemleak_growth
	echo "bytes: $ours, by /proc/allocinfo $theirs"
	[ "$ours" = "$theirs" ] && [ "$ours" -gt 10000 ]
}

profiles()
{
	[ "$(cat /proc/sys/vm/mem_profiling 2> /dev/null)" = 1 ]
}

# A line for each stack, whose last word is its weight: together what is allocated.
folded_sums()
{
	"$KMEMLEAK" live --folded > "$KML_TMP/folded"
	awk '{ if ($NF !~ /^[0-9]+$/ || NF < 2) { print "not a stack: " $0; bad = 1 }
		sum += $NF } END { print sum; exit bad }' "$KML_TMP/folded" > "$KML_TMP/sum" ||
		{ cat "$KML_TMP/sum"; return 1; }
	bytes=$(kml_stat bytes)
	sum=$(cat "$KML_TMP/sum")
	echo "bytes: $sum in stacks, $bytes in all"
	[ $((sum + 500000)) -ge "$bytes" ] && [ $((sum - 500000)) -le "$bytes" ] &&
		grep -q ';kmem_cache_alloc' "$KML_TMP/folded"
}

ways=$(echo "$WAYS" | wc -w)
[ ! -e /proc/lockdep ] || WAYS="list ring"
kml_setup $((ways + 12)) kmemleak_selftest

kml_test "only root may read the files" private
kml_test "each group keeps to the grammar" grammar
kml_test "groups are all that is tracked" sums_agree
kml_test "the slab allocator has about as much" kernel_agrees
kml_test "the file for programs has groups and their parts" json_agrees
kml_test "what was born after a mark is told apart" mark_counts
kml_test "what is lost is told apart from what is held" lost_and_held
kml_test "stacks for flame graphs are all there is" folded_sums
kml_test "what a program leaves behind is named, and a failure if it is too much" left_behind
kml_unload kmemleak_selftest
if profiles; then
	kml_test "memory allocation profiling counts the same" profile_agrees
else
	ktap_test_skip "memory allocation profiling counts the same"
fi

kml_start_loops
# The looks: what keeps the CPUs busy would make them take far longer.
renice -n -20 -p $$ > /dev/null
sleep 5
kml_test "nothing grows while much comes and goes" nothing_grows
for way in list xarray rhashtable cache backlog refcount percpu ring; do
	case " $WAYS " in
	*" $way "*) kml_test "what grows is named first: $way" way_named "$way" ;;
	*) ktap_test_skip "what grows is named first: $way" ;;
	esac
done
kml_test "what came and went beside it has not failed" kml_loops_stop

kml_finish
