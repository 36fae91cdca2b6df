#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Leaks by trace, in the file "groups" and in the log.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

GROUPS_FILE=$KML_DEBUGFS/kmemleak_info/groups
VERBOSE=/sys/module/kmemleak/parameters/verbose

# Of each name so many, which all have the same trace.
NAMES="plain a\"b c\\d e,f g'h i&j"
MANY=100
# How long a list is.
NODES=1000
# So many of a hundred are found, at least: pointers of others may hide one or the
# other. None was missed in three runs.
MOST=99

private()
{
	# shellcheck disable=SC2012
	mode=$(ls -l "$GROUPS_FILE" | cut -c 1-10)
	[ "$mode" = -r-------- ] && return
	echo "mode is $mode"
	return 1
}

# Of what is read from standard input: a line of figures, one of names, clues, frames.
# Groups with direct leaks come first; what hangs from one of them follows it.
grammar()
{
	awk '
	function complain(why) { print "line " NR ": " why ": " $0; bad = 1 }
	/^[0-9]+ leaks, [0-9]+ bytes, [0-9]+ direct, [0-9]+ indirect, age [0-9]+\.\.[0-9]+ s$/ {
		if (expect == "comm")
			complain("no names")
		if ($1 != $5 + $7 || $1 < 1)
			complain("so many are neither direct nor indirect")
		groups++
		if ($5 && lost)
			complain("direct leaks behind those of an unknown lead")
		if ($5 && direct++ && $3 > bytes)
			complain("more bytes than the group before")
		if (!$5 && !direct)
			lost++
		split($10, ages, /\.\./)
		if (ages[1] > ages[2])
			complain("the youngest is older than the oldest")
		if ($5)
			bytes = $3
		hangs = !$5
		expect = "comm"
		next
	}
	/^  comm "([^"\\]|\\.)*"(, "([^"\\]|\\.)*")*( and [0-9]+ more)?$/ {
		if (expect != "comm")
			complain("names of what?")
		expect = hangs ? "holder" : "clue"
		next
	}
	/^  held by 0x[0-9a-f]+$/ {
		if (expect != "holder")
			complain("what is held?")
		expect = "clue"
		next
	}
	/^  reference counted \(struct [a-z_]+(, count [0-9]+)?\): look for the missing put$/ {
		if (expect != "clue")
			complain("what is counted?")
		next
	}
	/^  content( [0-9a-f][0-9a-f])+ +[ -~]+$/ {
		if (expect != "clue")
			complain("content of what?")
		next
	}
	/^    [^ ]+\+0x[0-9a-f]+\/0x[0-9a-f]+( \[[^] ]+\])?$/ {
		if (expect != "frame" && expect != "clue")
			complain("frame of what?")
		expect = "frame"
		next
	}
	{ complain("what is this?") }
	END {
		if (!groups)
			complain("there are no groups")
		exit bad
	}'
}

whole()
{
	grammar < "$GROUPS_FILE"
}

# What the report has, group by group: leaks, bytes, frames.
grouped_report()
{
	awk '
	function flush() {
		if (size != "") { leaks[frames]++; bytes[frames] += size }
		frames = ""
	}
	/^unreferenced object / { flush(); size = $NF + 0; trace = 0 }
	/^  backtrace / { trace = 1 }
	/^    / && trace { frames = frames ";" $0 }
	END {
		flush()
		for (frames in leaks)
			print leaks[frames], bytes[frames], frames
	}' "$KML_FILE" | sort
}

# The same of the file.
grouped_file()
{
	awk '
	function flush() { if (figures != "") print figures, frames; frames = "" }
	/^[0-9]/ { flush(); figures = $1 " " $3 }
	/^    / { frames = frames ";" $0 }
	END { flush() }' "$GROUPS_FILE" | sort
}

as_reported()
{
	grouped_report > "$KML_TMP/reported"
	grouped_file > "$KML_TMP/grouped"
	[ -s "$KML_TMP/reported" ] && diff "$KML_TMP/reported" "$KML_TMP/grouped"
}

# What each group shows is the content of one of its leaks, as the report has it.
content_as_reported()
{
	awk '
	function flush() { if (trace) print bytes, frames; bytes = frames = ""; trace = 0 }
	/^unreferenced object / { flush(); dump = 0 }
	/^  hex dump / { dump = 1; next }
	/^  backtrace / { trace = 1; dump = 0; next }
	/^    / && dump { bytes = bytes " " substr($0, 5, 47); sub(/ +$/, "", bytes) }
	/^    / && trace { frames = frames ";" $0 }
	END { flush() }' "$KML_FILE" | sort -u > "$KML_TMP/reported"
	awk '
	function flush() { if (figures) print bytes, frames; bytes = frames = ""; figures = 0 }
	/^[0-9]/ { flush(); figures = 1 }
	/^  content / { bytes = bytes " " substr($0, 11, 47); sub(/ +$/, "", bytes) }
	/^    / { frames = frames ";" $0 }
	END { flush() }' "$GROUPS_FILE" | sort -u > "$KML_TMP/grouped"
	[ -s "$KML_TMP/grouped" ] && [ -z "$(comm -13 "$KML_TMP/reported" "$KML_TMP/grouped")" ] &&
		return
	comm -13 "$KML_TMP/reported" "$KML_TMP/grouped"
	return 1
}

# A lost device, its private part, and its name: one of the first two is direct, and what
# hangs from it comes behind it, before a leak that has fewer bytes.
hangs_from_it()
{
	kml_make free && kml_do clear && kml_load kmemleak_leaky pattern=refcount &&
		kml_unload kmemleak_leaky && kml_make orphan && kml_scan || return
	awk '
	/^[0-9]/ { direct = $5 }
	/^  held by/ { direct = direct " " $3 }
	/^    (leaky_device_create|device_add|kstrdup|make_orphan)\+/ && direct != "" {
		sub(/\+.*/, "")
		print direct, $1
		direct = ""
	}' "$GROUPS_FILE" > "$KML_TMP/order"
	cat "$KML_TMP/order"
	[ "$(wc -l < "$KML_TMP/order")" = 4 ] || return "$HIDDEN"
	sed 's/0x[0-9a-f]*/HELD/' "$KML_TMP/order" > "$KML_TMP/shape"
	awk '
	{ $1 = $1 }
	/^1 make_orphan$/ { orphan = NR }
	/^1 (leaky_device_create|device_add)$/ { lead = NR }
	/^0 HELD (leaky_device_create|device_add|kstrdup)$/ { hanging[++nr] = NR }
	END {
		exit !(orphan && lead && nr == 2 && hanging[1] == lead + 1 &&
			hanging[2] == lead + 2)
	}
	' "$KML_TMP/shape"
}

empty_when_cleared()
{
	kml_do clear && [ "$(wc -c < "$GROUPS_FILE")" = 0 ]
}

# make_many NAME: by a task of that name.
make_many()
{
	# shellcheck disable=SC2016
	sh -c 'printf %s "$1" > /proc/self/comm && echo "many=$2" > "$3"' \
		sh "$1" "$MANY" "$KML_TESTER/command"
}

# The figures and the names of the group with that function in a frame.
group_with()
{
	awk -v frame="    $1+" '
	/^[0-9]/ { figures = $0 }
	/^  comm/ { comms = $0 }
	index($0, frame) == 1 { print figures; print comms }' "$GROUPS_FILE"
}

one_of_all_names()
{
	kml_make free && kml_do clear || return
	for name in $NAMES; do
		make_many "$name" || return
	done
	total=$((6 * MANY))
	kml_make "lose=$total" && kml_scan || return
	group_with make_member > "$KML_TMP/group"
	cat "$KML_TMP/group"
	[ "$(wc -l < "$KML_TMP/group")" = 2 ] || return
	leaks=$(sed -n '1s/ .*//p' "$KML_TMP/group")
	echo "$leaks of $total" >> "$KML_TMP/found"
	[ "$leaks" -ge $((6 * MOST)) ] || return "$HIDDEN"
	[ "$leaks" -le "$total" ] && grep -q ' and 2 more$' "$KML_TMP/group" &&
		grep -q "^$leaks leaks, $((leaks * 16)) bytes, $leaks direct, 0 indirect, " \
			"$KML_TMP/group"
}

# Each of the four that are shown, as it is shown.
names_escaped()
{
	group_with make_member | sed -n '2s/ and [0-9]* more$//p' | sed 's/^  comm //; s/, /\n/g' |
		sort > "$KML_TMP/shown"
	printf '%s\n' '"plain"' '"a\"b"' '"c\\d"' '"e,f"' "\"g'h\"" '"i&j"' > "$KML_TMP/names"
	cat "$KML_TMP/shown"
	[ "$(grep -c -x -F -f "$KML_TMP/names" "$KML_TMP/shown")" = 4 ]
}

# Three times one leak of a module that is gone, each time it has been elsewhere
# or other code has gone since.
gone_module_in_one()
{
	kml_make free && kml_do clear || return
	for module in leaky lifecycle leaky lifecycle leaky; do
		kml_load "kmemleak_$module" && kml_unload "kmemleak_$module" || return
	done
	kml_scan || return
	group_with leaky_probe > "$KML_TMP/group"
	cat "$KML_TMP/group"
	grep -q "leaky_probe+.* \[kmemleak_leaky\]$" "$GROUPS_FILE" || return "$HIDDEN"
	[ "$(wc -l < "$KML_TMP/group")" = 2 ] || return 1
	grep -q "^3 leaks, 6144 bytes, " "$KML_TMP/group" || return "$HIDDEN"
}

scan_on_and_on()
{
	: > "$KML_TMP/run"
	while [ -e "$KML_TMP/run" ]; do
		kml_ctl scan > /dev/null
	done &
}

# Each read has the leaks that were there from the start.
read_while_scanning()
{
	kml_make free && kml_do clear && kml_make leak=all && kml_scan || return
	grouped_file > "$KML_TMP/before"
	scan_on_and_on
	status=0
	for round in $(seq 8); do
		# What a scan finds that the first one has not is more, never less.
		cat "$GROUPS_FILE" > "$KML_TMP/now"
		grammar < "$KML_TMP/now" && continue
		echo "in round $round"
		status=1
		break
	done
	rm "$KML_TMP/run"
	wait
	[ "$status" = 0 ] && as_reported
}

# One record of those that have one trace, and the number of the others.
verbose_counts()
{
	kml_make free && kml_scan && kml_do clear || return
	kml_make "many=$MANY" && kml_make "lose=$MANY" || return
	kml_put "$VERBOSE" 1 > /dev/null
	kml_mark
	kml_scan
	kml_put "$VERBOSE" 0 > /dev/null
	kml_log > "$KML_TMP/log"
	new=$(sed -n 's/.*kmemleak: \([0-9]*\) new suspected memory leaks.*/\1/p' "$KML_TMP/log")
	others=$(sed -n 's/.* \.\.\. and \([0-9]*\) more object(s) with the same backtrace$/\1/p' \
		"$KML_TMP/log")
	records=$(grep -c 'kmemleak: unreferenced object ' "$KML_TMP/log")
	echo "${new:-no} new, $records in the log, and ${others:-no} others"
	echo "${new:-0} of $MANY" >> "$KML_TMP/found"
	[ "${new:-0}" -ge "$MOST" ] || return "$HIDDEN"
	[ "$records" = 1 ] && [ "$others" = $((new - 1)) ]
}

# And no number where there is but one.
verbose_single()
{
	kml_make free && kml_scan && kml_do clear && kml_make orphan || return
	kml_put "$VERBOSE" 1 > /dev/null
	kml_mark
	kml_scan
	kml_put "$VERBOSE" 0 > /dev/null
	kml_log > "$KML_TMP/log"
	grep -q 'kmemleak: 1 new suspected' "$KML_TMP/log" || return "$HIDDEN"
	[ "$(grep -c 'kmemleak: unreferenced object ' "$KML_TMP/log")" = 1 ] &&
		! grep 'with the same backtrace' "$KML_TMP/log"
}

# What the groups say together that have a frame of this function. A compiler may
# call the allocator from two places for the first object and for all others.
groups_of()
{
	awk -v frame="^    $1[+]" '
		/ leaks, / { leaks = $1; direct = $5; indirect = $7 }
		$0 ~ frame {
			all += leaks; heads += direct; led += indirect
			leaks = direct = indirect = 0
		}
		END { print all + 0, heads + 0, led + 0 }' "$GROUPS_FILE"
}

list_led()
{
	kml_lose_list "$NODES" && kml_list_told "$NODES" "$(groups_of make_list)"
}

kml_setup 14 kmemleak_selftest
[ -e "$GROUPS_FILE" ] || kml_skip_rest "no $GROUPS_FILE"

kml_make leak=all > /dev/null
kml_scan > /dev/null
kml_test "the file is for its owner to read" private
kml_test "it keeps to its grammar" whole
kml_test "it has all that the report has" as_reported
kml_test "it has content as the report has" content_as_reported
kml_test "split and repeated reads give the same" "$KML_HERE/kmemleak_ctl" reread "$GROUPS_FILE"
kml_test "it is empty when the report is" empty_when_cleared
kml_test "tasks of six names have one trace" one_of_all_names
kml_test "four of the names are shown" names_escaped
kml_test "a module that comes and goes has one group" gone_module_in_one
kml_test "what hangs from a leak follows it" hangs_from_it
kml_test "it can be read while scans run" read_while_scanning
kml_test "of a lost list one is direct, and all others are not" list_led
kml_test "verbose has one record for each trace, and counts the others" verbose_counts
kml_test "and counts nothing where there are none" verbose_single
sed 's/^/# leaks of one trace found: /' "$KML_TMP/found"

kml_finish
