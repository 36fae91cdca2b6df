#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Holders of an object, direct and indirect leaks, and the trace events.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

KML_TRACING=/sys/kernel/tracing
KML_EVENTS=$KML_TRACING/events/kmemleak

# Objects of a list, with lockdep fewer.
NODES=1000
[ ! -e /proc/lockdep ] || NODES=100

# Writes that must be refused.
bad_input()
{
	cat <<-END
	refs
	refs=
	refs=xyz
	refs=0x
	refs=-1
	refs=1 2
	refs=0xfffffffffffffffffff0
	refs=0
	refs=0x10
	refs=0xffffffffffffffff
	END
}

refused()
{
	bad_input > "$KML_TMP/inputs"
	while read -r input; do
		kml_mark
		answer=$(kml_ctl "$input")
		[ "$answer" = EINVAL ] && ! kml_log | grep "referred to" && continue
		echo "$input: $answer"
		return 1
	done < "$KML_TMP/inputs"
}

# says COMMAND: what it has to say, each line without what printk puts before it.
says()
{
	kml_mark
	kml_do "$1" || return
	kml_log | sed -n 's/^[^a-z]*kmemleak: //p' > "$KML_TMP/says"
	sed 's/^/# /' "$KML_TMP/says"
}

# has PATTERN: a line of what was said last is like that, all of it.
has()
{
	grep -q -x -E "$1" "$KML_TMP/says" && return
	echo "no line: $1"
	return 1
}

# The address of the nth object that is expected, the youngest is the first.
expected()
{
	kml_expected | awk -v nth="$1" 'NR == nth { print $1 }'
}

hex="0x[0-9a-f]+"
object="object $hex \(size [0-9]+\) at offset $hex"

# referred NUMBER: by so many. What the kernel has forgotten can only be more.
referred()
{
	found=$(sed -n 's/^  references: \([0-9]*\) found, 1 needed$/\1/p' "$KML_TMP/says")
	[ "$found" = "$1" ] && return
	echo "references: ${found:-none told}, not $1"
	[ "${found:-0}" -gt "$1" ] && return "$HIDDEN"
	return 1
}

# held_by NAME PATTERN NEEDED: refs= of an object of that holder, as many references
# as needed.
held_by()
{
	kml_make "hold=$1" || return
	line=$(kml_expected | awk -v needed="$3" \
		'(needed == 2) == ($5 ~ "/vmalloc") && $3 !~ "percpu" { print; exit }')
	says "refs=${line%% *}" && has "object ${line%% *} \(size [0-9]+\):" &&
		has "  referred to by:" && has "    $2" &&
		has "  references: [0-9]+ found, $3 needed"
}

# The first thing that stands in any line that tells of a holder.
held_by_nobody()
{
	kml_make orphan || return
	says "refs=$(expected 1)" && referred 0 && ! grep "^    " "$KML_TMP/says"
}

# The same of an address within the object.
interior()
{
	kml_make hold=object || return
	# It begins at a multiple of 8.
	first=$(kml_expected | sed -n 's/^\(0x[^ ]*\) .*cache_constructed$/\1/p')
	says "refs=${first%?}f" && has "object ${first%?}[08] .*" && has "    $object"
}

of_percpu()
{
	kml_make hold=object || return
	line=$(kml_expected | grep percpu | head -n 1)
	says "refs=${line%% *}" && has "    $object" && referred 1 &&
		says "dump=${line%% *}" && has "  kind: percpu"
}

bounded()
{
	kml_make shared=100 || return
	says "refs=$(expected 1)" && referred 100 && has "    and 36 more" &&
		[ "$(grep -c "^    object " "$KML_TMP/says")" = 64 ]
}

# Each node of the list by the one before, which is younger by one. The oldest one is
# the head. Events tell what there is to know, a line each.
list_found()
{
	kml_lose_list "$NODES" || return
	kml_records > "$KML_TMP/records"
	grep -c . "$KML_TMP/records"
	[ "$(grep -c . "$KML_TMP/records")" = "$NODES" ] || return "$HIDDEN"
}

head_direct()
{
	list_found || return
	says "dump=$(expected "$NODES")" && has "  direct leak" &&
		has "  colour: white \(unreferenced\)" &&
		has "  kind: slab, cache kmemleak_selftest_ctor" &&
		has "  last reachable in scan [1-9][0-9]* of [1-9][0-9]*" &&
		has "  referred to by:" && referred 0
}

next_indirect()
{
	[ "$KML_ATTEMPT" = 1 ] || list_found || return
	head=$(expected "$NODES") node=$(expected $((NODES - 1)))
	says "dump=$node" && has "  indirect leak: $head leads to it" &&
		has "    leaked object $head \(size [0-9]+\) at offset 0x0" && referred 1
}

in_use()
{
	kml_make hold=start && kml_scan || return
	says "dump=$(expected 1)" && has "  colour: counted" &&
		has "  last reachable in scan ([1-9][0-9]*) of \1" &&
		! grep -E "direct leak" "$KML_TMP/says"
}

# A signal ends it, in time or too late.
interrupted()
{
	kml_make orphan || return
	# Behind the wait, if it takes as long as the one before a scan.
	kml_scan || return
	waited=$(kml_stat "last scan ms waited before")
	for msecs in 1 2 5 10 20; do
		msecs=$((msecs + ${waited%.*}))
		answer=$(printf 'refs=%s' "$(expected 1)" |
			"$KML_HERE/kmemleak_ctl" write "$KML_FILE" "$msecs")
		case $answer in
		EINTR)	return ;;
		OK)	;;
		*)	break ;;
		esac
	done
	echo "after $msecs ms: $answer"
	return 1
}

# ---- Trace events ----

tracing()
{
	echo 0 > "$KML_EVENTS/enable"
	echo > "$KML_TRACING/trace"
	echo "$1" > "$KML_EVENTS/enable"
}

# The events of one scan, from the one that tells of the begin on.
traced_scan()
{
	tracing 1
	answer=$(printf scan | "$KML_HERE/kmemleak_ctl" write "$KML_FILE" ${1:+"$1"})
	echo 0 > "$KML_EVENTS/enable"
	sed -n 's/^[^#].*: \(scan_begin\|scan_end\|leak\): /\1 /p' "$KML_TRACING/trace" \
		> "$KML_TMP/events"
	grep -v "^leak" "$KML_TMP/events"
}

# value NAME EVENT: of the last such event.
value()
{
	sed -n "s/^$2 .*\<$1=\([^ ]*\).*/\1/p" "$KML_TMP/events" | tail -n 1
}

begin_and_end()
{
	traced_scan "" && [ "$answer" = OK ] || return
	[ "$(sed 's/ .*//' "$KML_TMP/events" | tr '\n' ' ')" = "scan_begin scan_end " ] || return
	begun=$(sed -n 's/^scan_begin number=//p' "$KML_TMP/events")
	[ "$(value error scan_end)" = 0 ] && [ "$(value new_leaks scan_end)" = 0 ] &&
		[ "$(value words scan_end)" = "$(kml_stat "last scan words")" ] &&
		[ "$(value passes scan_end)" = "$(kml_stat "last scan passes")" ] &&
		grep -q "^scan_end number=$begun ms=$(kml_stat "last scan ms") " "$KML_TMP/events"
}

leaks_traced()
{
	kml_forget && kml_make "list=$NODES" || return
	kml_expected > "$KML_TMP/expected"
	traced_scan ""
	nr=$(grep -c ^leak "$KML_TMP/events")
	echo "$nr leaks"
	[ "$nr" -ge "$NODES" ] || return "$HIDDEN"
	[ "$(value new_leaks scan_end)" = "$nr" ] && [ "$(value leaks scan_end)" = "$nr" ] || return
	# The oldest one is the last that is expected, and the head.
	awk '
	function complain(why) { print why ": " $0; bad = 1 }
	NR == FNR {
		if ($4 == "any")
			retired[$1] = 1
		if ($4 == "any" || $5 !~ "list")
			next
		size[$1] = $2
		if (younger != "")
			holder[younger] = $1
		younger = $1
		holder[$1] = "0x0"
		next
	}
	/^leak / {
		for (i = 2; i <= NF; i++)
			if (split($i, field, "=") == 2)
				value[field[1]] = field[2]
		addr = value["addr"]
		if (addr in retired)
			next
		if (!(addr in size))
			complain("a stranger")
		else if (value["held_by"] != holder[addr])
			complain("not held by " holder[addr])
		else if (value["size"] != size[addr] || value["comm"] != "kmemleak_ctl")
			complain("not what it is")
		else if (!/frames=kmem_cache_alloc.* .*\[kmemleak_selftest\] /)
			complain("not who did it")
	}
	END { exit bad }' "$KML_TMP/expected" "$KML_TMP/events" > "$KML_TMP/wrong" && return
	head -n 5 "$KML_TMP/wrong"
	return 1
}

not_traced_again()
{
	traced_scan "" && ! grep "^leak" "$KML_TMP/events" &&
		[ "$(value leaks scan_end)" -ge "$NODES" ]
}

# A signal may also end the wait before a scan, which has no event.
end_traced()
{
	for msecs in $(seq 10 10 400) 600 1000 2000; do
		traced_scan "$msecs"
		[ "$answer" = EINTR ] || continue
		[ "$(value error scan_end)" = -4 ] && return
	done
	echo "after $msecs ms: $answer"
	return 1
}

kml_setup 20 kmemleak_selftest

kml_test "refused: no address, or nothing there" refused

# Without CONFIG_KALLSYMS_ALL variables have no names.
data="data at $hex"
! grep -q ' start_refs.*kmemleak_selftest' /proc/kallsyms ||
	data='data start_refs\+0x[0-9a-f]+/0x[0-9a-f]+ \[kmemleak_selftest\]'
kml_test "refs= names a variable" held_by start "$data" 1
kml_test "an object of a slab" held_by object "$object" 1
kml_test "a vmalloc area" held_by vmalloc "$object" 1
kml_test "a per-CPU object" held_by percpu_object "per-CPU $object of cpu [0-9]+" 1
kml_test "a per-CPU variable of a module" held_by percpu_variable "per-CPU .* of cpu [0-9]+" 1
kml_test "the stack of a task" held_by stack "stack of kml_selftest \(pid [0-9]+\) at offset $hex" 1
kml_test "what holds a vmalloc area, its vm_struct included" held_by object \
	"$object, by way of its vm_struct" 2
kml_test "what holds a per-CPU object" of_percpu
kml_make free > /dev/null
kml_test "of any address in the object" interior
kml_make free > /dev/null
kml_test "nobody, if that is so" held_by_nobody
kml_test "a signal ends it" interrupted
kml_make free > /dev/null
kml_test "64 holders, and how many more there are" bounded
kml_make free > /dev/null

kml_test "dump= tells that the head of a lost list is a direct leak" head_direct
kml_test "and the next one an indirect leak" next_indirect
kml_make free > /dev/null
kml_test "of an object in use, in which scan it was found" in_use
kml_make free > /dev/null
kml_do clear > /dev/null

[ -e "$KML_EVENTS" ] || mount -t tracefs none "$KML_TRACING" 2> /dev/null
[ -e "$KML_EVENTS" ] || kml_skip_rest "no $KML_EVENTS: needs CONFIG_EVENT_TRACING and tracefs"
kml_test "events tell of begin and end of a scan" begin_and_end
kml_test "and of each new leak, and what leads to it" leaks_traced
kml_test "but once" not_traced_again
kml_test "and of an end by a signal" end_traced
kml_make free > /dev/null

kml_finish
