# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Rounds in which all is leaked that the test modules can leak, each followed by a scan,
# and how many of these leaks were found. To be sourced after kmemleak_lib.sh.
#
# BARE: per-CPU memory counts by itself
# LARGE: what has so many bytes or more does

# Of so many leaks that were missed it is told who refers to them.
HOLDERS_TOLD=10

# Who reads this needs no pointer to anything: it comes after the scan.
remember_leaks()
{
	{ kml_expected; kml_logged; } > "$KML_TMP/leaked"
	cat "$KML_TMP/leaked" >> "$KML_TMP/all_leaked"
	# Nobody frees these, so that what one scan has missed another one may find.
	kml_logged >> "$KML_TMP/left"
}

# A device that is leaked takes its name and more along.
others_reported()
{
	awk 'part == 1 { leaked[$1] = 1; next }
		/^unreferenced object / {
			addr = $(NF - 2)
			if (!(addr in leaked))
				others[addr] = 1
		}
		/^    leaky_device_create\+.* \[kmemleak_leaky\]$/ { delete others[addr] }
		END { for (addr in others) print "unexpected report: " addr }' \
		part=1 "$KML_TMP/leaked" "$KML_TMP/left" part=2 "$KML_TMP/report"
}

check_report()
{
	{
		KML_MODULE="kmemleak_selftest kmemleak_leaky" kml_compare < "$KML_TMP/leaked"
		others_reported
	} > "$KML_TMP/wrong"
	sed "s/^/in round $1: /" "$KML_TMP/wrong" >> "$KML_TMP/all_wrong"
	tell_holders
}

# The first few of all rounds.
tell_holders()
{
	[ "$(grep -c '^object ' "$KML_TMP/holders")" -ge "$HOLDERS_TOLD" ] ||
		kml_tell_holders 3 < "$KML_TMP/wrong" >> "$KML_TMP/holders"
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

# all_rounds ROUNDS LEAST: so many, but if they take long only so many.
all_rounds()
{
	begin=$(date +%s)
	for number in $(seq "$1"); do
		[ "$number" -le "$2" ] || kml_has_time "$begin" || break
		kml_scan_by "$number"
		leak_everything && kml_scan && remember_leaks && check_report "$number" &&
			clean_up && continue
		echo "in round $number"
		return 1
	done
	kml_scan_by 0
}

# How many of each label were missed, at how many addresses, and how many in all.
# all_found APART OTHERS: no more than so many of 1000, of those that count by themselves
# and of all others.
all_found()
{
	awk -v bare="$BARE" -v large="$LARGE" -v apart_limit="$1" -v others_limit="$2" '
		{ label = $NF; sub(/\/.*/, "", label) }
		{ size = part == 1 ? $2 : $7 }
		{ apart = bare && label == "percpu" || large && size + 0 >= large + 0 }
		part == 1 { leaked[label]++; all++; of[apart]++; next }
		/: not found: / {
			missed[label]++
			sum++
			missing[apart]++
			if (!seen[$6]++)
				places++
		}
		END {
			for (label in missed)
				print missed[label] " of " leaked[label] " missed: " label
			print sum + 0 " of " all + 0 " missed, at " places + 0 " addresses"
			if (all)
				print 100 * (all - sum) / all " % are found"
			if (of[1])
				print missing[1] + 0 " of the " of[1] " that count apart missed"
			exit !all || missing[0] * 1000 > of[0] * others_limit ||
			     missing[1] * 1000 > of[1] * apart_limit
		}' part=1 "$KML_TMP/all_leaked" part=2 "$KML_TMP/all_wrong" > "$KML_TMP/recall"
	status=$?
	awk '/: not found: / && ++seen[$7, $NF] <= 3' "$KML_TMP/all_wrong"
	return "$status"
}

nothing_else_wrong()
{
	! grep -v ': not found: ' "$KML_TMP/all_wrong"
}

# So that nothing stands in there of a test before.
recall_begin()
{
	: > "$KML_TMP/holders"
	: > "$KML_TMP/left"
	: > "$KML_TMP/all_leaked"
	: > "$KML_TMP/all_wrong"
}

recall_tell()
{
	sed 's/^/# /' "$KML_TMP/recall" "$KML_TMP/holders"
}
