#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Compares what stands in several places: figures of the documents with the code and
# with one another, samples with what prints them, names of files with the files.
#
# The tables of kmemleak-design.rst are where figures that were measured come from.

# shellcheck disable=SC2016 # the `` of documents is in many patterns

set -eu
. "$(dirname "$0")/lib.sh"

here=$top/scripts/test-documents
source=$top/tools/mm/kmemleak
docs=Documentation/dev-tools
guide=$docs/kmemleak.rst
interface=$docs/kmemleak-interface.rst
design=$docs/kmemleak-design.rst
messages=$docs/kmemleak-troubleshooting.rst
wrong=$docs/kmemleak-annotations.rst
manual=tools/mm/kmemleak/kmemleak.8
hacking=HACKING.md
leaky=tools/testing/selftests/kmemleak/test_modules/leaky_error_path.c

cd "$top"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mistakes=0

# A test goes on after a mistake, and fails at its end.
mistake()
{
	echo "$*"
	mistakes=$((mistakes + 1))
}

# The text of a document in one line, as any of its lines may be broken elsewhere.
# Small numbers are digits, and thousands have no commas.
flat()	# FILE
{
	tr '\n\t' '  ' < "$1" | sed -E '
		s/\\-/-/g; s/\.(BR?|IR?|RB) //g; s/  +/ /g; s/ # / /g
		s/\<[Tt]wo\>/2/g; s/\<[Tt]hree\>/3/g; s/\<[Ff]our\>/4/g; s/\<[Ff]ive\>/5/g
		s/\<[Ss]ix\>/6/g; s/\<[Tt]en\>/10/g; s/\<a hundred\>/100/g
		:again
		s/([0-9]),([0-9]{3})\>/\1\2/g; t again'
}

# Print the text that the one group of PATTERN fits, wherever PATTERN does.
found()	# FILE PATTERN
{
	flat "$1" | grep -oE -e "$2" | sed -E "s~^$2\$~\1~" | sort -u | xargs
}

# The document says this number, wherever PATTERN fits.
says()	# NUMBER FILE PATTERN
{
	number=$(found "$2" "$3")
	[ "${number:-nothing}" = "$1" ] ||
		mistake "$2 says ${number:-nothing}, not ${1:-nothing}: $3"
}

# It says about this number.
says_about()	# NUMBER FILE PATTERN
{
	number=$(found "$2" "$3")
	echo "$1 ${number:-nothing}" | awk '
		NF != 2 || $2 !~ /^[0-9.]+$/ || $2 > $1 * 1.08 || $2 < $1 / 1.08 { exit 1 }' ||
		mistake "$2 says ${number:-nothing}, which is not about $1: $3"
}

# The value of a macro, wherever it is. Names change: those that are asked for are
# in this script only once.
macro()	# NAME
{
	value=$(grep -rhE "^#define[[:space:]]+$1[[:space:]]" mm/kmemleak include tools/mm/kmemleak |
		sed -nE 's/^#define[[:space:]]+[^[:space:]]+[[:space:]]+([0-9]+)([UL]*)?([[:space:]].*)?$/\1/p')
	case $value in
	*[!0-9]* | "")
		echo "no single #define $1 with a number; if it has another name now, say so here" >&2
		exit 1
		;;
	esac
	echo "$value"
}

kconfig()	# SYMBOL PATTERN
{
	awk -v symbol="$1" '$1 == "config" { here = $2 == symbol } here' Kconfig > "$work/symbol"
	found "$work/symbol" "$2"
}

# table SECTION: the tables of a section of the design document, a line for each cell:
# the first column of its row, the heading of its column, and what it says.
table()
{
	awk -v section="$1" '
	/^-+$/ || /^=+$/ { here = before == section; rules = 0 }
	here && /^==+ [ =]*==$/ { rules++; next }
	here && rules % 3 {
		columns = split($0, cells, "   *")
		for (i = 1; rules % 3 == 1 && i <= columns; i++)
			heads[i] = cells[i]
		for (i = 2; rules % 3 == 2 && i <= columns; i++) {
			gsub(",", "", cells[i])
			print cells[1] "|" heads[i] "|" cells[i]
		}
	}
	{ before = $0 }' $design
}

# cell SECTION ROW COLUMN: what the only such cell says. ROW is a pattern.
cell()
{
	value=$(table "$1" | awk -F '|' -v row="^$2\$" -v column="$3" '
		$1 ~ row && $2 == column { print $3 }')
	case $value in
	"" | *[!0-9.]*)
		echo "$design: no single \"$3\" of \"$2\" in \"$1\"" >&2
		exit 1
		;;
	esac
	echo "$value"
}

test_passes_of_a_scan()
{
	enough=$(macro CONFIRM_STABLE)
	late=$(macro CONFIRM_STABLE_LATE)
	most=$(macro CONFIRM_MAX)
	grace=$(macro CONFIRM_GRACE)
	says "$enough" $guide 'makes it read ([0-9]+) times more'
	says "$enough" $wrong 'there were no ([0-9]+) in a row'
	says "$enough" $design 'until ([0-9]+) in a row have found no suspect'
	says "$enough" scripts/series/scan-verdict.txt 'until ([0-9]+) in a row'
	says "$late" $design 'since the first of these, ([0-9]+) are enough'
	says "$late" $design 'only ([0-9]+) are demanded'
	# Before these come the first pass and the first one that confirms.
	says $((enough + 2)) $interface 'Usually ([0-9]+) if there is something new'
	quiet=$(macro CONFIRM_QUIET)
	says "$quiet" $design 'counts like ([0-9]+) of them'
	says $((1 + enough / quiet)) $design 'after the first confirm pass ([0-9]+) times if nothing else'
	says $((1 + enough / quiet)) $interface 'something new, ([0-9]+) on a machine where nothing else'
	says $((enough + 2)) $interface ' passes=([0-9]+) '
	says $((enough + 2)) $design 'at least ([0-9]+) times where others run'
	says $((late + 2)) $design '\(([0-9]+) if that takes long\)'
	says "$most" $messages 'could not be decided in ([0-9]+) passes'
	says "$most" $wrong 'among ([0-9]+) searches'
	says "$most" $interface 'because after ([0-9]+) passes'
	says "$most" $design 'bound of ([0-9]+) confirm passes'
	says "$grace" $design 'in step 4 the first ([0-9]+) begin with an RCU grace period'
}

test_limits()
{
	depth=$(macro KML_TRACE_DEPTH)
	says "$depth" $interface 'allocation.s stack, 1 to ([0-9]+)'
	says "$depth" $interface '``trace_depth`` ``([0-9]+)``'
	says "$depth" $messages '``trace_depth`` is 1 to ([0-9]+)'
	says "$depth" $guide 'with up to ([0-9]+) frames'
	says "$depth" $guide 'with the ([0-9]+) frames that are kept by default'
	says "$(macro REPORT_BYTES)" $guide '[Uu]p to ([0-9]+) bytes of the content'
	says "$(macro GROUP_COMMS)" $guide 'up to ([0-9]+) names'
	says "$(macro KML_COMMAND_MAX)" $interface 'of at most ([0-9]+) bytes'
	says "$(macro HOLDERS_MAX)" $interface 'after ([0-9]+) of them only'
	says $(($(macro KML_CACHE_NAME_LEN) - 1)) $interface 'cut off after ([0-9]+) bytes'
	says "$(macro KMEMLEAK_TRACE_FRAMES)" $interface 'first ([0-9]+) ``frames``'
	first=$(macro FIRST_SCAN_SECS)
	period=$(macro SCAN_PERIOD_SECS)
	says "$first" $guide 'A thread scans ([0-9]+) seconds after'
	says "$period" $guide 'then every ([0-9]+) seconds'
	says $((period / 60)) Kconfig 'every ([0-9]+) minutes'
	[ "$first" = 60 ] || mistake "Kconfig has \"a minute later\", not $first seconds"
}

test_numbers_of_the_tool()
{
	says "$(macro WAIT)" $manual 'waits so long in between\. The default is ([0-9]+)'
	says "$(macro TREND)" $manual 'larger than before in ([0-9]+) looks'
	says "$(macro TREND)" $guide 'larger than before in ([0-9]+) looks'
	# Both have one of this name.
	interval=$(sed -nE 's/^#define[[:space:]]+INTERVAL[[:space:]]+//p' "$source/watch.c")
	says $((interval / 1000)) $manual 'between 2 looks; ([0-9]+) for watch'
	for file in top slab; do
		interval=$(sed -nE 's/^#define[[:space:]]+INTERVAL[[:space:]]+//p' "$source/$file.c")
		says $((interval / 1000)) $manual 'for watch , else ([0-9]+)'
	done
	# Its exit statuses.
	sed -nE 's/^[[:space:]]EXIT_[A-Z_]+ = ([0-9]+),$/\1/p' "$source/kmemleak.h" > "$work/statuses"
	[ -s "$work/statuses" ] || mistake "no EXIT_ in kmemleak.h"
	sed -n '/^\.SH EXIT STATUS/,/^\.SH OUTPUT/s/^\.B \([0-9]*\)$/\1/p' $manual |
		diff "$work/statuses" - || mistake "the manual has other statuses"
}

test_sizes()
{
	record=$(kconfig DEBUG_KMEMLEAK_MEM_POOL_SIZE 'Each [a-z]+ of the pool takes ([0-9]+) bytes')
	says "$record" $guide '([0-9]+) bytes for each record of'
	says "$record" $guide 'Other [a-z]+ ([0-9]+) bytes each'
	says "$record" $design '``struct kml_[a-z]+`` has ([0-9]+) bytes'
	slot=$(found $design 'A slot has ([0-9]+) bytes')
	says "$slot" $design '\*slot\* of ([0-9]+) bytes'
	says "$slot" $guide 'Slab objects ([0-9]+) bytes for each one'
	says "$slot" scripts/series/store-slots.txt 'with ([0-9]+) bytes for each object'
	says "$slot" scripts/series/cover.txt 'has ([0-9]+) bytes beside its slab'
	slab=$(found $guide 'and ([0-9]+) or more for the slab')
	says "$slab" $design 'has [0-9]+ bytes; a [a-z]+ ([0-9]+), for up to'
	# An entry of the cache has two words.
	says $((16 << ($(macro KML_TRACE_CACHE_BITS) - 10))) $guide \
		'Cache of traces ([0-9]+) KiB for each CPU'

	pool=$(kconfig DEBUG_KMEMLEAK_MEM_POOL_SIZE 'default ([0-9]+)')
	says "$pool" $guide 'default ([0-9]+)\)'
	says "$pool" $guide 'MB if it is ([0-9]+)'
	says "$pool" $guide 'Keep ([0-9]+) where'
	says "$pool" $design 'the static pool ([0-9]+) of them'
	says "$pool" configs/rock5b-plus.config 'MEM_POOL_SIZE=([0-9]+)'
	range=$(kconfig DEBUG_KMEMLEAK_MEM_POOL_SIZE 'range ([0-9]+ [0-9]+)')
	says "${range% *}" $guide 'in the static pool \(([0-9]+) to'
	says "${range% *}" $guide 'With the smallest size, ([0-9]+),'
	says "${range#* }" $guide 'in the static pool \([0-9]+ to ([0-9]+)'
	megabytes=$(echo "$record $pool" | awk '{ printf "%.1f", $1 * $2 / 1e6 }')
	says "$megabytes" $guide '([0-9.]+) MB if it is'
	says "$megabytes" $guide 'where ([0-9.]+) MB do not matter'
	says "$megabytes" configs/rock5b-plus.config '([0-9.]+) MB, of which a boot'
	says "$megabytes" scripts/series/base.txt 'of ([0-9.]+) MB by default'
	# Records of it that a boot takes.
	left=$(found $guide 'mem pool available: ([0-9]+)')
	says $((pool - left)) $guide 'Here it was ([0-9]+)'
	says $((${range% *} - pool + left)) $guide 'has only ([0-9]+) records in reserve'
}

cost="Cost of an allocation with its free"

test_costs()
{
	deep=$(cell "$cost" '``kmalloc.64.``' Difference)
	one=$(cell "$cost" '``kmalloc.64.``' '1 frame')
	says "$deep" $guide 'take ([0-9]+) instructions more'
	says "$one" $guide 'and ([0-9]+) with one'
	says_about "$deep" $hacking 'its free take about ([0-9]+) more'
	says_about "$one" $hacking 'makes it about ([0-9]+)'
	says_about "$deep" Kconfig 'some ([0-9]+) instructions for each allocation'
	says_about "$deep" scripts/series/switch.txt 'takes some ([0-9]+) instructions more'
	before=$(cell "$cost" '``kmalloc.64.``' Before)
	before=$((before - $(cell "$cost" '``kmalloc.64.``' Off)))
	says_about $before scripts/series/switch.txt 'which were ([0-9]+) before'
	says_about $before scripts/series/cover.txt 'some ([0-9]+) instructions more'

	names=scripts/series/track-symbols.txt
	says "$(found $design 'which took ([0-9]+) s in that guest')" $names 'instead of ([0-9]+) s'
	says "$(found $design 'in that guest, takes ([0-9]+) s')" $names 'it takes ([0-9]+) s'

	says "$(cell Scan 'Interrupts off' Now)" $guide 'interrupts off was ([0-9]+) instructions'
	says "$(cell Scan 'A free waits' Now)" $guide 'free waited for the scan ([0-9]+)'
}

test_metadata()
{
	bytes=$(cell Memory '1,000,000' Now)
	says "$bytes" $guide '\*Memory\* is about ([0-9]+) bytes for each live object'
	says "$bytes" $guide 'that is about ([0-9]+) bytes for each object'
	says "$bytes" $hacking 'takes about ([0-9]+) bytes of metadata'
	says "$bytes" Kconfig 'about ([0-9]+) bytes for each live object'
	says "$bytes" scripts/series/switch.txt 'takes ([0-9]+) bytes of metadata'
	before=$(cell Memory '1,000,000' 'Bytes each, before')
	says_about "$before" scripts/series/switch.txt 'instead of about ([0-9]+)'
	says_about "$before" scripts/series/cover.txt 'a record of ([0-9]+) bytes'
	megabytes=$(echo "$bytes" | awk '{ print $1 / 10 }')
	says "$megabytes" $guide 'each 100000 objects take ([0-9.]+) MB more'
	says "$megabytes" README.md '([0-9.]+) MB more for each 100000 objects'
}

# Differences and ratios are those of the other columns.
test_tables_of_the_design()
{
	table "$cost" | awk -F '|' '
	$2 ~ /^(Off|Before|Now|Difference|Ratio)$/ { value[$1, $2] = $3; rows[$1] }
	END {
		for (row in rows) {
			over = value[row, "Now"] - value[row, "Off"]
			ratio = over / (value[row, "Before"] - value[row, "Off"])
			if (over != value[row, "Difference"])
				print row ": the difference is " over
			if (ratio - value[row, "Ratio"] > 0.00051 || value[row, "Ratio"] - ratio > 0.00051)
				print row ": the ratio is " ratio
		}
	}' > "$work/complaints"
	table Scan | awk -F '|' '
	{ value[$1, $2] = $3; rows[$1] }
	END {
		for (row in rows) {
			if (!((row, "Ratio") in value))
				continue
			ratio = value[row, "Now"] / value[row, "Before"]
			if (ratio - value[row, "Ratio"] > 0.00051 || value[row, "Ratio"] - ratio > 0.00051)
				print row ": the ratio is " ratio
		}
	}' >> "$work/complaints"
	for section in "$cost" Scan; do
		[ "$(table "$section" | grep -c '|Ratio|')" -ge 5 ] ||
			mistake "$design: no table in \"$section\""
	done
	[ ! -s "$work/complaints" ] || mistake "$(cat "$work/complaints")"
}

# The table of README: a row, and where its figures stand in the design document.
readme_row()	# PATTERN FIGURE...
{
	pattern=$1
	shift
	got=$(awk -F '|' -v pattern="$pattern" '$2 ~ pattern { gsub(/[ ,]/, ""); print $3, $4, $5 }' \
		README.md | xargs)
	[ "$got" = "$*" ] || mistake "README.md says $got, not $*: $pattern"
}

test_figures_of_readme()
{
	readme_row "arm64: .kmalloc" "$(cell "$cost" '``kmalloc.64.``' Off)" \
		"$(cell "$cost" '``kmalloc.64.``' Before)" "$(cell "$cost" '``kmalloc.64.``' Now)"
	# shellcheck disable=SC2046
	readme_row "x86_64, ORC" $(sed -nE 's/^ +kmalloc\(64\) pair, deep +([0-9]+) +([0-9]+) +([0-9]+) .*/\1 \2 \3/p' \
		$design)
	readme_row "metadata" "$(cell Memory '1,000,000' 'Bytes each, before')" \
		"$(cell Memory '1,000,000' Now)"
	readme_row "250,000 objects" "$(cell Scan '250,000, poor, 1 GiB' Before)" \
		"$(cell Scan '250,000, poor, 1 GiB' Now)"
	readme_row "interrupts off" "$(cell Scan 'Interrupts off' Before)" \
		"$(cell Scan 'Interrupts off' Now)"
	[ "$(wc -l < README.md)" -le 180 ] || mistake "README.md has more than 180 lines"
}

# The rows of the sample of make bench.
bench_rows()
{
	awk '/^\$ make bench/ { here = 1 } here && /^```/ { exit } here' $hacking
}

# ROW of the sample, and SECTION and ROW of the design document.
bench_row()
{
	bench_rows | awk -v name="$1" '
	index($0, name "  ") == 1 {
		sub(/  +at most .*/, "")
		columns = split(substr($0, length(name) + 1), cells)
		print cells[2], cells[3], cells[columns], cells[1]
	}' > "$work/row"
	[ "$(wc -l < "$work/row")" = 1 ] || { mistake "$hacking has no single row \"$1\""; return; }
	read -r peer ours ratio off < "$work/row"
	for pair in "Before $peer" "Now $ours" "Ratio $ratio" "Off $off" "Streamed $off"; do
		value=$(table "$2" | awk -F '|' -v row="^$3\$" -v column="${pair% *}" '
			$1 ~ row && $2 == column { print $3 }')
		[ -n "$value" ] || continue
		[ "$value" = "${pair#* }" ] ||
			mistake "$hacking says ${pair#* } of \"$1\", and $design $value"
	done
	value=$(cell "$2" "$3" Now)
}

test_benchmark()
{
	bench_row "kmalloc(64) pair, shallow" "$cost" '``kmalloc.64.``, shallow stack'
	bench_row "kmalloc(64) pair, deep" "$cost" '``kmalloc.64.``'
	bench_row "kmem_cache pair" "$cost" '``kmem_cache``, .*'
	bench_row "percpu pair" "$cost" 'per-CPU [a-z]+ of 64 bytes'
	bench_row "vmalloc pair" "$cost" '``vmalloc.*'
	bench_row "10000, poor, 1 GiB" Scan '10,000, poor, 1 GiB'
	bench_row "250000, poor, 1 GiB" Scan '250,000, poor, 1 GiB'
	bench_row "longest wait of a free" Scan 'A free waits'
	bench_row "longest interrupts-off" Scan 'Interrupts off'
}

# The rows are given to the program that prints them, and have to come out as they
# are. It says which figures are missing; the number of its bars is known when it has
# all of them.
test_benchmark_as_it_is_printed()
{
	bench_rows | awk '
	$NF ~ /met$/ { sub(/  +(overhead )?at most .*/, "") }
	NF > 6 && $NF ~ /^0\.[0-9]+$/ {
		columns = split($0, cells)
		name = $1
		for (i = 2; i <= columns - 6; i++)
			name = name " " cells[i]
		off = cells[columns - 5]
		mode["peer"] = cells[columns - 4]
		mode["ours"] = cells[columns - 3]
		kind = ""
		if (name ~ /GiB$/) {
			# The words that were read, of which the table has the time for each.
			words = sprintf("%.0f", mode["peer"] / cells[columns - 2])
			print "ours", "words of " name, words
			print "ours", "stream of " name, off
			kind = "scan 3 of "
		} else if (off != "-") {
			print "off", name, off
		}
		for (which in mode)
			print which, kind name, mode[which]
	}' > "$work/figures"
	[ "$(wc -l < "$work/figures")" -ge 20 ] || mistake "$hacking has no rows of make bench"
	for mode in none jump off peer ours depth1 threads locks-off locks-on; do
		sed -n "s/^$mode /row /p" "$work/figures" > "$work/$mode"
	done
	# A pair and a class of locks, and made-up figures for all else.
	for mode in locks-off locks-on; do
		echo "row kmalloc(64) pair, shallow 1000" > "$work/$mode"
	done
	for round in 1 2 3 4 5 6; do
		status=0
		awk -v usec=1 -f scripts/bench.awk mode=none "$work/none" mode=jump "$work/jump" \
			mode=off "$work/off" mode=peer "$work/peer" \
			mode=ours "$work/ours" mode=depth1 "$work/depth1" mode=threads "$work/threads" \
			mode=locks-off "$work/locks-off" mode=locks-on "$work/locks-on" \
			> "$work/table" 2> "$work/errors" || status=$?
		# It may have divided by a figure that is missing.
		sed -nE 's/^(.*): no figure for "(.*)"$/\2 \1/p' "$work/table" | sort -u > "$work/missing"
		[ -s "$work/missing" ] || break
		while read -r mode name; do
			case $mode,$name in
			off,*)			value=1000 ;;
			peer,*)			value=3000 ;;
			threads,*of\ 2\ threads*)	value=500 ;;
			*)			value=1100 ;;
			esac
			echo "row $name $value" >> "$work/$mode"
		done < "$work/missing"
	done
	[ "$status" = 0 ] || mistake "bench.awk has not come to its end in $round rounds:" \
		"$(cat "$work/errors" "$work/missing")"
	bench_rows | grep -vE '^\$|^\.\.\.$|^$| bars are met$' | while read -r line; do
		grep -qxF -e "$line" "$work/table" || echo "make bench does not print: $line"
	done > "$work/complaints"
	[ ! -s "$work/complaints" ] || mistake "$(cat "$work/complaints" "$work/table")"
	bars=$(sed -n 's/^[0-9]* of \([0-9]*\) bars are met$/\1/p' "$work/table")
	grep -qx "[0-9]* of $bars bars are met" $hacking ||
		mistake "$hacking has another number of bars than $bars"
}

# Memory that boards of each size lose, in README and in two tables of the guide.
test_boards()
{
	awk '
	/^=+ +=/ { rules++; next }
	rules % 3 == 1 && /Memory +CPUs +Objects/ { first = 1 }
	rules % 3 == 1 && /^Objects +512 MiB/ { second = 1; columns = split($0, heads, "   *") }
	rules % 3 == 2 {
		split($0, cells, "   *")
		objects = cells[first && !second ? 3 : 1]
		gsub(",", "", objects)
		if (second)
			for (i = 2; i <= columns; i++)
				print "with", heads[i], objects, cells[i] + 0
		else if (first)
			print "boot", cells[1], objects, cells[6] + 0
	}
	rules && rules % 3 == 0 { first = second = 0 }' $guide > "$work/boards"
	bytes=$(cell Memory '1,000,000' Now)
	awk -v bytes="$bytes" '
	{ memory = $2 " " $3 }
	$1 == "boot" { objects[memory] = $4; taken[memory] = $5; boots++ }
	$1 == "with" {
		rows++
		expected = taken[memory] + ($4 - objects[memory]) * bytes / 1e6
		if ($5 > expected + 0.11 || $5 < expected - 0.11)
			print $4 " objects in " memory " take " expected " MB, not " $5
	}
	END {
		if (boots < 3 || rows < 6)
			print "the tables were not found"
	}' "$work/boards" > "$work/complaints"
	[ ! -s "$work/complaints" ] || mistake "$guide: $(cat "$work/complaints")"
	for memory in "512 MiB" "4 GiB" "32 GiB"; do
		taken=$(sed -nE "s/^boot $memory [0-9]+ (.*)/\1/p" "$work/boards")
		says "$(echo "$taken" | awk '{ printf "%d", $1 + 0.5 }')" README.md \
			"([0-9]+) MB of $memory"
	done
}

# The machines are those that MACHINE takes.
test_machines()
{
	(
		. "$top/scripts/guest.sh"
		GUEST_ARCH=arm64
		for name in $(guest_machines); do
			guest_machine arm64 "$name"
			echo "$machine $guest_cpus x ${guest_cpu%%,*} $guest_memory"
		done
	) > "$work/machines"
	awk -F '|' '
	/^\| `MACHINE` / { here = 1; next }
	here && !/^\|/ { exit }
	here && !/---/ {
		gsub(/[` ]+/, " ")
		sub(/^ /, "", $2); sub(/ $/, "", $2); sub(/^ /, "", $3); sub(/ $/, "", $3)
		sub(/^ /, "", $4); sub(/iB *$/, "", $4); sub(/ /, "", $4)
		print $2, $3, $4
	}' OFS=' ' $hacking | diff "$work/machines" - ||
		mistake "$hacking has other machines than scripts/guest.sh"
}

# The figures that the detector prints of itself, in the order of the sample.
test_figures_in_stats()
{
	# The selftests see to the order.
	grep -rhoE 'seq_(printf\(seq, "[a-z ]+: %l*[us]|puts\(seq, "[a-z ]+: ")' mm/kmemleak |
		sed -E 's/.*"([a-z ]+): .*/\1/' | sort > "$work/printed"
	sed -n '/^Statistics$/,/^Trace events$/s/^  \([a-z ]*\): [a-z0-9. ]*$/\1/p' $interface |
		sort | diff "$work/printed" - || mistake "$interface has other figures than are printed"
	sed -n '/^Statistics$/,/^Trace events$/s/^``\([a-z ]*``.*\)/\1/p' $interface |
		sed 's/``$//; s/``, ``/\n/g' | sort > "$work/explained"
	sort "$work/printed" | diff - "$work/explained" ||
		mistake "$interface explains other figures than are printed"
	# Those that other documents name.
	grep -hoE '^  ([a-z ]+): [0-9]+$' $guide | sed -E 's/^  //; s/: .*//' > "$work/named"
	sed -nE '/^  # grep -E .*\\$/s/.*\(([^)]*)\).*/\1/p' $guide | tr '|' '\n' >> "$work/named"
	grep -ohE '``[a-z ]+`` in ``stats``' $docs/*.rst | sed -E 's/``([a-z ]+)``.*/\1/' >> "$work/named"
	[ "$(wc -l < "$work/named")" -ge 8 ] || mistake "the names were not found"
	while read -r name; do
		case $name in *_*) continue ;; esac
		grep -qx "$name" "$work/printed" || echo "$name"
	done < "$work/named" > "$work/complaints"
	[ ! -s "$work/complaints" ] || mistake "not in stats: $(cat "$work/complaints")"
}

# A report in a document is one of the grammar of the selftests, which is that of the
# detector, and the tool reads it. What is left out of it may be anything.
test_reports()
{
	make -s -C "$source" OUTPUT="$work/" CFLAGS="-O1"
	reports=0
	for file in README.md "$docs"/*.rst; do
		rm -f "$work"/report.*
		awk -v to="$work/report." -f "$here/reports.awk" "$file"
		for report in "$work"/report.*; do
			[ -e "$report" ] || continue
			reports=$((reports + 1))
			awk -f tools/testing/selftests/kmemleak/kmemleak_grammar.awk "$report" > "$work/why" ||
				mistake "$file: $(cat "$work/why" "$report")"
			rm -rf "$work/saved"
			mkdir "$work/saved"
			cp "$report" "$work/saved/kmemleak"
			status=0
			"$work/kmemleak" scan --debugfs "$work/saved" > "$work/out" 2>&1 || status=$?
			if [ $status != 1 ] || grep '^kmemleak: ' "$work/out" ||
			   ! grep -q '^1 leak, ' "$work/out"; then
				mistake "$file: the tool does not read this: $(cat "$work/out" "$report")"
			fi
		done
	done
	[ $reports -ge 8 ] || mistake "only $reports reports were found"
}

# Let the tool read reports that were saved, and watch.
answers_of_the_tool()
{
	: > "$work/none.txt"
	for report in "$work/none" scripts/test-tool/ours scripts/test-tool/device; do
		rm -rf "$work/saved"
		mkdir -p "$work/saved/kmemleak_info" "$work/proc"
		cp "$report.txt" "$work/saved/kmemleak"
		[ ! -f "$report.json" ] || cp "$report.json" "$work/saved/kmemleak_info/leaks.json"
		"$work/kmemleak" scan --empty-is-clean --debugfs "$work/saved" || [ $? = 1 ]
	done
	cp "$here/live.json" "$work/saved/kmemleak_info"
	for by in trace cache module comm; do
		"$work/kmemleak" live --by $by --debugfs "$work/saved"
	done
	# The lines of a source.
	printf 'int leaky(int n)\n{\n\treturn n * 2;\n}\nint main(void)\n{\n\treturn leaky(1);\n}\n' \
		> "$work/kernel.c"
	gcc -g -O0 -o "$work/vmlinux" "$work/kernel.c"
	sed '/^    /s/__kmalloc.*/leaky+0x5\/0x20/' "$work/saved/kmemleak" > "$work/saved/changed"
	mv "$work/saved/changed" "$work/saved/kmemleak"
	"$work/kmemleak" scan --debugfs "$work/saved" --vmlinux "$work/vmlinux" || [ $? = 1 ]

	printf '%s\n' "MemFree: 500 kB" "MemAvailable: 600 kB" "Slab: 70 kB" > "$work/proc/meminfo"
	: > "$work/proc/slabinfo"
	touch "$work/go_on"
	(
		objects=100
		while [ -e "$work/go_on" ]; do
			printf 'dentry %d 9000 64 64 1 : tunables 0 0 0 : slabdata 15 15 0\n' \
				$((objects += 10)) > "$work/proc/slabinfo.new"
			mv "$work/proc/slabinfo.new" "$work/proc/slabinfo"
			sleep 0.05
		done
	) &
	KMEMLEAK_PROC=$work/proc timeout 20 "$work/kmemleak" watch -i 0.1 \
		--debugfs "$work/saved" > "$work/watch" &
	watcher=$!
	round=0
	while [ $((round += 1)) -lt 100 ] && ! grep -q growing: "$work/watch"; do
		sleep 0.1
	done
	rm "$work/go_on"
	kill -TERM $watcher
	wait
	cat "$work/watch"
}

# A sample of the tool has lines of the form of those that it prints, or of its formats
# where only a detector lets it print them.
test_samples_of_the_tool()
{
	make -s -C "$source" OUTPUT="$work/" CFLAGS="-O1"
	answers_of_the_tool > "$work/answers"
	awk -f "$here/literals.awk" "$source"/*.c > "$work/literals"
	awk -f "$here/samples.awk" README.md $guide > "$work/samples"
	[ "$(wc -l < "$work/samples")" -ge 30 ] || mistake "the samples were not found"
	awk -f "$here/shapes.awk" kind=answer "$work/answers" kind=literal "$work/literals" \
		kind=sample "$work/samples" > "$work/complaints"
	[ ! -s "$work/complaints" ] || mistake "$(cat "$work/complaints")"
}

# known WHERE MESSAGES TEXTS: each message is one of the texts that a source has.
known()
{
	[ "$(wc -l < "$2")" -ge 8 ] || mistake "$1: the messages were not found"
	awk -f "$here/messages.awk" kind=text "$3" kind=message "$2" > "$work/complaints"
	[ ! -s "$work/complaints" ] || mistake "$1: $(cat "$work/complaints")"
}

test_messages_of_the_detector_and_the_tool()
{
	for part in "Messages in the log:mm/kmemleak" "Messages of the tool:tools/mm/kmemleak"; do
		awk -v title="${part%:*}" '
		/^=+$/ { here = before == title }
		here && /^``/ { gsub(/``, ``/, "\n"); gsub(/^``|``$/, ""); print }
		{ before = $0 }' $messages > "$work/messages"
		find "${part#*:}" -name '*.[ch]' ! -path '*/tests/*' > "$work/sources"
		xargs awk -f "$here/literals.awk" < "$work/sources" > "$work/texts"
		known "${part#*:}" "$work/messages" "$work/texts"
	done
}

# Lines of the detector in the log, for dump= and refs=, and others.
test_samples_of_the_log()
{
	sed -nE 's/^ +kmemleak: //p' "$docs"/*.rst | grep -vx ' *\.\.\.' > "$work/messages"
	sed -n '/^Other places are named/,/^References from/s/^- ``\([^`]*\)``.*/\1/p' $interface |
		sed -E 's/[a-z_]+\+0x[0-9a-f]+\/0x[0-9a-f]+( \[[a-z_]+\])?/.../' >> "$work/messages"
	find mm/kmemleak -name '*.[ch]' ! -path '*/tests/*' > "$work/sources"
	xargs awk -f "$here/literals.awk" < "$work/sources" > "$work/texts"
	known "$docs" "$work/messages" "$work/texts"
}

# Print the texts of scripts in double quotes, one a line, with a byte of 1 for each
# variable and command.
texts_of_scripts()
{
	sed -E 's/\\\$/$/g
		s/\$\([^()]*\)|\$\{[^}]*\}|\$[A-Za-z_@0-9*]+/\x01/g
		s/"==> /"/g; s/ \.\.\. "/"/g' scripts/*.sh |
		awk -v apart=1 -f "$here/literals.awk"
}

# All but those of the shell, for an error of the detector.
test_messages_of_make()
{
	awk -F '|' '
	/^\| It says / { here = 1; next }
	here && !/^\|/ { exit }
	here && !/---/ && !/write error:/ { gsub(/^ *`|` *$/, "", $2); print $2 }' $hacking \
		> "$work/messages"
	texts_of_scripts > "$work/texts"
	sed -nE 's/.*\$\(error ([^)]*)\).*/\1/p' Makefile | sed 's/\$[@A-Z]/\x01/g' >> "$work/texts"
	known $hacking "$work/messages" "$work/texts"
}

# Lines of make about its steps, as they are shown. Patches for newer kernels alone do not count.
test_steps_of_make()
{
	sed -nE 's/^==> (.*)/\1/p' README.md $hacking | sed -E 's/ \.\.\.( [0-9]+ s)?$//' > "$work/messages"
	sed -n '/^ok - /p; /^CORRECT: /p; s/^\([0-9]* objects tracked, .* of memory, \)/\1\n/p
		/^wrote [0-9]* patches/p' README.md $hacking | grep -v '^ok - .* CPUs: ' >> "$work/messages"
	texts_of_scripts > "$work/texts"
	known README.md "$work/messages" "$work/texts"
	patches=$(awk '$1 !~ /^#/ && NF && $1 !~ /^(sheaf.*|nolock)$/ { print $1 }' scripts/series.tbl |
		sort -u | wc -l)
	says "$patches" $hacking 'wrote ([0-9]+) patches'
}

# The driver that README shows is the one that leaks, line by line.
test_driver_of_readme()
{
	sed -nE 's/^[ >]+ ([0-9]+)  (.*)/\1 \2/p' README.md > "$work/shown"
	[ "$(wc -l < "$work/shown")" -ge 10 ] || mistake "the driver was not found"
	cut -d ' ' -f 1 "$work/shown" | while read -r line; do
		printf '%s %s\n' "$line" "$(sed -n "${line}p" $leaky)"
	done | diff "$work/shown" - || mistake "README.md shows another driver than $leaky"
	line=$(sed -nE 's/^ +> +([0-9]+)  .*/\1/p' README.md)
	says "$line" README.md 'allocated at line ([0-9]+), never freed'
}

# there PATH: a file of ours, or of a kernel source to which ours were added.
there()
{
	for path in "$top"/$1 "$linux"/$1; do
		[ ! -e "$path" ] || return 0
	done
	return 1
}

test_files_that_are_named()
{
	{
		sed -nE 's/^\[[a-z]+\]: ([^#]*).*/\1/p' README.md $hacking
		grep -ohE '\]\([^)]+\)' README.md $hacking | sed 's/^](//; s/)$//'
		grep -ohE '^\| `[^`]+` ' README.md $hacking | sed 's/^| `//; s/` $//' | grep / | grep -v ' '
		grep -ohE '`(mm|include|Documentation|tools|scripts|compat|configs|initramfs)/[^` ]*`' \
			README.md $hacking $docs/*.rst | tr -d '`'
		grep -ohE '(^|[^/A-Za-z])Documentation/[-A-Za-z0-9_/.]*\.rst' README.md Kconfig $docs/*.rst \
			$manual | sed 's/^[^D]//'
		sed -nE 's|^\.. literalinclude:: (\.\./)*||p' $docs/*.rst
	} | sort -u > "$work/paths"
	[ "$(wc -l < "$work/paths")" -ge 20 ] || mistake "no names were found"
	while read -r path; do
		# Files that are built, and the one that the detector replaces.
		case $path in build/* | mm/kmemleak.c) continue ;; esac
		there "$path" || echo "$path"
	done < "$work/paths" > "$work/complaints"
	[ ! -s "$work/complaints" ] || mistake "not there: $(cat "$work/complaints")"
}

# "TITLE" in DOCUMENT
test_sections_that_are_named()
{
	for file in README.md $hacking "$docs"/*.rst; do
		tr '\n' ' ' < "$file" | sed -E 's/  +/ /g; s/\]\[([a-z]+)\]/][\1]\n/g' |
			grep -oE '"[A-Z][^"]{4,60}" in (Documentation/[-a-z/]*\.rst|(the )?\[[^]]*\]\[[a-z]+\])'
	done > "$work/named" || :
	[ "$(wc -l < "$work/named")" -ge 8 ] || mistake "no names were found"
	while read -r line; do
		title=$(echo "$line" | sed -E 's/^"([^"]*)".*/\1/')
		case $line in
		*.rst)	document=${line##* } ;;
		*)	link=$(echo "$line" | sed -E 's/.*(\[[a-z]+\])$/\1/')
			document=$(sed -n "s/^\\$link: //p" README.md $hacking | sort -u) ;;
		esac
		grep -qx -e "$title" "$document" || echo "\"$title\" in $document"
	done < "$work/named" > "$work/complaints"
	[ ! -s "$work/complaints" ] || mistake "no such section: $(cat "$work/complaints")"
}

if [ $# = 1 ]; then
	"$1"
	[ $mistakes = 0 ]
	exit
fi
each_test documents
