#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Boots a kernel with the detector, loads a driver that leaks, scans, and shows
# the report beside the lines of the driver that allocated what it leaked.
# Fails if the report is not exactly what the driver leaked, or if the detector had
# not the memory that it needs.
#
# With MODULE it is a module of the user's: loaded, unloaded, and what it has leaked is
# shown, with status 1.

set -eu
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
guest_prepare

driver=kmemleak_leaky
test_modules=$objects/selftests/tools/testing/selftests/kmemleak/test_modules

# Compare leaks of the driver, by its own words, "expect ADDRESS SIZE FUNCTION ...",
# with the entries of the report: each found, and no other.
judge()
{
	awk '
	/: expect 0x/ {
		sub(/.*: expect /, "")
		size[$1] = $2
		func_name[$1] = $3
		expected++
	}
	/^unreferenced object / {
		address = $(NF - 2)
		records++
		if (!(address in size))
			wrong("reported, but not leaked: " address)
		else if (size[address] != $NF + 0)
			wrong(address " has size " size[address] ", not " $5 + 0)
		else
			found[address] = 0
	}
	/^    / && address in found && index($1, func_name[address] "+") == 1 {
		found[address] = 1
	}
	/^stats: / {
		sub(/^stats: /, "")
		split($0, line, ": ")
		stats[line[1]] = line[2]
	}
	END {
		if (stats["state"] != "on")
			wrong("the detector is not on")
		if (!("unknown objects" in stats))
			wrong("the detector does not say how many objects are unknown")
		else if (stats["unknown objects"] != 0)
			wrong("objects without a record: " stats["unknown objects"])
		for (address in size) {
			if (!(address in found))
				wrong("leaked, but not reported: " address)
			else if (!found[address])
				wrong(address ": " func_name[address] " is not in its backtrace")
		}
		if (!expected)
			wrong("the driver leaked nothing")
		exit mistakes > 0
	}
	function wrong(why) {
		print "  " why
		mistakes++
	}' "$log.results"
}

# Memory that the detector takes.
show_costs()
{
	awk -F ': ' -v memory="$guest_memory" '
	/^stats: / { stats[$2] = $3 }
	END {
		printf "%d objects tracked, %.1f MB of metadata in %s of memory, ", \
			stats["objects"], stats["metadata bytes"] / 1e6, memory
		printf "%d records left in the pool.\n", stats["pool left"]
	}' "$log.results"
}

# The command-line tool, for this machine, finds the lines of frames.
build_tool()
{
	mkdir -p "$build/tool"
	make -s -C "$top/tools/mm/kmemleak" OUTPUT="$build/tool/"
}

# For each place that leaks the function of the driver that allocated, with the
# line.
show_source()	# DIRECTORY NAME: of the module
{
	mkdir -p "$log.saved"
	cp "$log.report" "$log.saved/kmemleak"
	"$build/tool/kmemleak" scan --debugfs "$log.saved" --modules "$1" |
	awk -v suffix="[$2]" '
	/^[0-9]/ { first = 1 }
	first && $2 == suffix {
		first = 0
		sub(/,$/, "", $3)
		print $1, $3
	}' | while read -r frame place; do
		file=${place%%:*}
		line=${place#*:}
		[ -f "$file" ] || continue
		echo
		echo "${frame%%+*}() in $(basename "$file"), allocated at line $line, never freed:"
		echo
		# The whole function: what should have freed is in there too.
		awk -v line="$line" '
		/^[A-Za-z_].*\(/ && NR <= line { from = NR }
		{ text[NR] = $0 }
		NR >= line && /^}/ { exit }
		END {
			for (nr = from; nr <= NR; nr++)
				printf "  %s %4d  %s\n", nr == line ? ">" : " ", nr, text[nr]
		}' "$file"
	done
}

boot()	# WHAT COMMAND_LINE
{
	begin=$(date +%s)
	printf '%s' "==> boot $machine ($guest_cpus x $guest_cpu, $guest_memory), $1 ... "
	guest_run run 300 "$guest_cpus" "$guest_memory" "$2" || {
		echo failed
		guest_complain run
		exit 1
	}
	echo "$(($(date +%s) - begin)) s"
}

run_module()
{
	names=$(sed 's|.*/||' "$module_copy.files" | xargs)
	boot "load and unload $names, scan" "-- module $names ${PARAMS:-}"
	[ -f "$module_copy/exercise.sh" ] ||
		echo "There is no exercise.sh in $from: the module was loaded and unloaded only."
	sed -n '/^status: /q; p' "$log.results"
	sed '1,/^status: /d' "$log.results" > "$log.report"
	for name in $names; do
		[ -s "$log.report" ] || break
		show_source "$module_copy" "$(echo "${name%.ko}" | tr - _)"
	done
	echo
	case $(sed -n 's/^status: //p' "$log.results") in
	0)	echo "CLEAN: what has run has leaked nothing."
		return
		;;
	1)	echo "LEAKS: the module has lost what is shown above." ;;
	*)	echo "the end of the kernel log ($log.console):"
		tail -n 20 "$log.console" | tr -d '\r' | sed 's/^/    /'
		echo "FAILED: the module was not tried."
		;;
	esac
	return 1
}

step tool "build the command-line tool" build_tool
if [ -n "$users_module" ]; then
	run_module
	exit
fi
boot "load $driver, scan" "-- demo $driver"
judge > "$log.mistakes" && right=yes || right=no
sed -n "/^unreferenced/,\$p" "$log.results" > "$log.report"
show_source "$test_modules" "$driver" > "$log.source"
if [ "$right" = yes ] && [ ! -s "$log.source" ]; then
	echo "  no source lines of $driver" > "$log.mistakes"
	right=no
fi

echo
head -n 80 "$log.report"
[ "$(wc -l < "$log.report")" -le 80 ] || echo "... (the whole report: $log.report)"
cat "$log.source"
echo
show_costs
if [ "$right" = yes ]; then
	echo "CORRECT: the report has what the driver leaked, and nothing else."
else
	echo "WRONG: the report is not what the driver leaked ($log.results)."
	head -n 20 "$log.mistakes"
	exit 1
fi
