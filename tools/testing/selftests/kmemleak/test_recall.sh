#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Whatever is leaked, by any allocator, of any size and in any pattern, is found
# by the first scan after that, again and again.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

# Fewer on more CPUs, which test machines do not have that many of, but so many that
# one lost list of seven is less than one in a thousand. Fewer with all that finds
# mistakes, which makes kernels slower by an order of magnitude.
rounds()
{
	if [ -e /proc/lockdep ]; then
		echo 3
	elif [ "$(nproc)" -gt 2 ]; then
		echo 40
	else
		echo 100
	fi
}

ROUNDS=${KML_ROUNDS:-$(rounds)}

# Who reads this needs no pointer to anything: it comes after the scan.
remember_leaks()
{
	{ kml_expected; kml_logged; } > "$KML_TMP/leaked"
	cat "$KML_TMP/leaked" >> "$KML_TMP/all_leaked"
}

# A device that is leaked takes its name and more along.
others_reported()
{
	awk 'part == 1 { leaked[$1] = 1; next }
		/^unreferenced object / { addr = $3; if (!(addr in leaked)) others[addr] = 1 }
		/^    leaky_device_create\+.* \[kmemleak_leaky\]$/ { delete others[addr] }
		END { for (addr in others) print "unexpected report: " addr }' \
		part=1 "$KML_TMP/leaked" part=2 "$KML_TMP/report"
}

check_report()
{
	{
		KML_MODULE="kmemleak_selftest kmemleak_leaky" kml_compare < "$KML_TMP/leaked"
		others_reported
	} | sed "s/^/in round $1: /" >> "$KML_TMP/all_wrong"
}

# As much as possible at a time, of which nothing is in use by the time of the scan.
leak_everything()
{
	kml_make hold=all && kml_make leak=all && kml_make drop && kml_load_leaky 0
}

# What cannot be freed is of no interest to the next round.
clean_up()
{
	kml_unload kmemleak_leaky
	kml_make free && kml_do clear
}

all_rounds()
{
	for number in $(seq "$ROUNDS"); do
		leak_everything && kml_scan && remember_leaks && check_report "$number" &&
			clean_up && continue
		echo "in round $number"
		return 1
	done
}

# Any word of live memory that looks like the address of an object hides it, as the
# one that a function has left in a frame from which it has not returned yet. One such
# word hides what comes to lie there, round after round. More than one in a thousand
# is a mistake of the detector's. Stacks are larger, and have more holes, where all is
# checked that can be.
in_a_thousand()
{
	if [ -e /proc/lockdep ]; then
		echo 20
	else
		echo 1
	fi
}

# How many of each label were missed, and the first ones of each size.
all_found()
{
	awk -v limit="$(in_a_thousand)" '
		{ label = $NF; sub(/\/.*/, "", label) }
		part == 1 { leaked[label]++; all++; next }
		/: not found: / { missed[label]++; sum++ }
		END {
			for (label in missed)
				print missed[label] " of " leaked[label] " missed: " label
			print sum + 0 " of " all + 0 " missed"
			exit !all || sum * 1000 > all * limit
		}' part=1 "$KML_TMP/all_leaked" part=2 "$KML_TMP/all_wrong" > "$KML_TMP/recall"
	status=$?
	awk '/: not found: / && ++seen[$7, $NF] <= 3' "$KML_TMP/all_wrong"
	return "$status"
}

nothing_else_wrong()
{
	! grep -v ': not found: ' "$KML_TMP/all_wrong"
}

kml_setup 3 kmemleak_selftest
: > "$KML_TMP/all_leaked"
: > "$KML_TMP/all_wrong"

kml_test "everything is leaked in each of $ROUNDS rounds" all_rounds
kml_test "leaks are found by the first scan, but for $(in_a_thousand) in 1000" all_found
sed 's/^/# /' "$KML_TMP/recall"
kml_test "nothing else is reported" nothing_else_wrong

kml_finish
