#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The figures that the detector gives of itself.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

NAMES="state,objects,bytes,metadata bytes,slabs,unknown objects,pool left,names,\
scans,last scan ms,last scan words,last scan suspects,last scan undecided,\
last scan verdict,last scan us stopped,last scan passes,leaks now,leaks ever,running scan words,\
last scan ms waited before,last scan waits given up,last scan threads,seconds since mark,\
on since,unknown slots,root pages,root pages kmalloc,root pages accounted,\
root pages compound,root pages single"

# Many objects, so that what else goes on in the kernel counts for little.
MANY=30000

private()
{
	# shellcheck disable=SC2012
	mode=$(ls -l "$KML_STATS" | cut -c 1-10)
	[ "$mode" = -r-------- ] && return
	echo "mode is $mode"
	return 1
}

# Of what is read from standard input: all of the names, in this order.
grammar()
{
	awk -v names="$NAMES" '
	function complain(why) { print "line " NR ": " why ": " $0; bad = 1 }
	BEGIN { lines = split(names, name, ",") }
	{
		value = substr($0, length(name[NR]) + 3)
		if (index($0, name[NR] ": ") != 1)
			complain("no " name[NR])
		else if (NR == 1 && value != "on")
			complain("it is on")
		else if (name[NR] == "names" && value !~ /^[0-9]+ of [0-9]+$/)
			complain("no numbers")
		else if (name[NR] == "last scan verdict" && value !~ /^(exact|repeated)$/)
			complain("no verdict")
		else if (name[NR] ~ /waited before$/ && value !~ /^[0-9]+[.][0-9][0-9][0-9]$/)
			complain("no milliseconds")
		else if (name[NR] ~ /given up$/ && value !~ /^[a-z_ ,]+$/)
			complain("no words")
		else if (NR > 1 && name[NR] !~ /^names$|verdict$|waited before$|given up$/ &&
			 value !~ /^[0-9]+$/)
			complain("no number")
	}
	END {
		if (NR != lines)
			complain("there are " NR " lines")
		exit bad
	}'
}

whole()
{
	grammar < "$KML_STATS"
}

in_pieces()
{
	for piece in 1 7 100 4096; do
		dd if="$KML_STATS" bs="$piece" 2> /dev/null | grammar && continue
		echo "by $piece bytes a read"
		return 1
	done
}

# One has read the first line when another one reads all.
by_two()
{
	{
		read -r line
		whole || return
		{ echo "$line"; cat; } | grammar
	} < "$KML_STATS"
}

records()
{
	kml_records | wc -l
}

# grown NAME BEFORE LEAST: by so much at least.
grown()
{
	now=$(kml_stat "$1")
	[ "$now" -ge $(($2 + $3)) ] && return
	echo "$1 has gone from $2 to $now, less than $3 more"
	return 1
}

# back NAME BEFORE MOST: by no more than this above what it was.
back()
{
	now=$(kml_stat "$1")
	[ "$now" -le $(($2 + $3)) ] && return
	echo "$1 has gone from $2 to $now, more than $3 more"
	return 1
}

many_counted()
{
	objects=$(kml_stat objects) metadata=$(kml_stat "metadata bytes") slabs=$(kml_stat slabs)
	kml_make "many=$MANY" && grown objects "$objects" $((MANY * 9 / 10)) &&
		grown "metadata bytes" "$metadata" "$MANY" && grown slabs "$slabs" 10
}

many_uncounted()
{
	kml_make free && back objects "$objects" $((MANY / 10))
}

# These are not so many, but large.
bytes_counted()
{
	bytes=$(kml_stat bytes)
	kml_make leak=all || return
	size=$(kml_expected | awk '{ sum += $2 } END { print sum }')
	grown bytes "$bytes" $((size * 9 / 10))
}

bytes_uncounted()
{
	kml_make free && back bytes "$bytes" $((size / 10))
}

scans_counted()
{
	for number in 1 2 3; do
		before=$(kml_stat scans)
		kml_scan || return
		[ "$(kml_stat scans)" = $((before + 1)) ] && continue
		echo "scan $number: from $before to $(kml_stat scans)"
		return 1
	done
}

uptime_ms()
{
	sed 's/\.\(..\) .*/\10/' /proc/uptime
}

# It did look at the data sections, and did not take longer than we had to wait.
scan_plausible()
{
	begin=$(uptime_ms)
	kml_scan || return
	# The clock ticks every 10 ms.
	waited=$(($(uptime_ms) - begin + 10))
	ms=$(kml_stat "last scan ms") words=$(kml_stat "last scan words")
	echo "waited for $waited ms, $ms ms, $words words"
	[ "$ms" -ge 1 ] && [ "$ms" -le "$waited" ] && [ "$words" -ge 10000 ]
}

suspects_plausible()
{
	kml_make leak=all && kml_scan || return
	suspects=$(kml_stat "last scan suspects") passes=$(kml_stat "last scan passes")
	records=$(records)
	echo "$suspects suspects, $records records, $passes passes"
	[ "$records" -ge 1 ] && [ "$suspects" -ge "$records" ] && [ "$passes" -ge 1 ]
}

leaks_are()
{
	leaks=$(kml_stat "leaks now")
	[ "$leaks" = "$1" ] && return
	echo "leaks now are $leaks, not $1"
	return 1
}

leaks_of_report()
{
	leaks_are "$(records)"
}

free_uncounted()
{
	kml_make free && leaks_of_report
}

clear_uncounted()
{
	kml_make leak=all && kml_scan && [ "$(records)" -ge 1 ] && leaks_of_report &&
		kml_do clear && leaks_are 0
}

# Each that is reported for the first time, whatever becomes of it.
ever_counted()
{
	kml_scan && kml_do clear || return
	ever=$(kml_stat "leaks ever")
	kml_make leak=all && kml_scan && grown "leaks ever" "$ever" "$(records)" || return
	ever=$(kml_stat "leaks ever")
	kml_do clear && grown "leaks ever" "$ever" 0 &&
		kml_make free && grown "leaks ever" "$ever" 0 &&
		kml_scan && grown "leaks ever" "$ever" 0
}

kml_setup 15 kmemleak_selftest
[ -e "$KML_STATS" ] || kml_skip_rest "no $KML_STATS"

kml_test "the file is for its owner to read" private
kml_test "it keeps to its grammar" whole
kml_test "read in pieces too" in_pieces
kml_test "and by two readers" by_two
kml_test "$MANY objects more are counted" many_counted
kml_test "and are no more when they are free" many_uncounted
kml_test "their bytes are counted" bytes_counted
kml_test "and are no more when they are free" bytes_uncounted
kml_test "each scan is counted" scans_counted
kml_test "a scan has read words, and has not taken too long" scan_plausible
kml_test "there are at least as many suspects as leaks" suspects_plausible
kml_test "as many leaks are counted as reported" leaks_of_report
kml_test "and those that are freed are not" free_uncounted
kml_test "clear leaves none" clear_uncounted
kml_test "the leaks of all times never get fewer" ever_counted

kml_finish
