# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What the kmemleak tests share. Plain POSIX shell, for guests where BusyBox
# is all there is.

KML_HERE=$(cd "$(dirname "$0")" && pwd)
KML_DEBUGFS=/sys/kernel/debug
KML_FILE=$KML_DEBUGFS/kmemleak
KML_STATS=$KML_DEBUGFS/kmemleak_info/stats
KML_SCAN_THREADS=/sys/module/kmemleak/parameters/scan_threads
KML_TESTER=$KML_DEBUGFS/kmemleak_selftest
KML_MARK="kmemleak selftest: mark"

# shellcheck source=/dev/null
. "$KML_HERE/../kselftest/ktap_helpers.sh"

kml_skip_all()
{
	ktap_skip_all "$*"
	exit "$KSFT_SKIP"
}

# One write of the arguments to a file: says OK or the name of the error.
# In a process of its own, whose kernel stack is gone when it has been done.
kml_put()
{
	printf '%s' "$2" | "$KML_HERE/kmemleak_ctl" write "$1"
}

kml_ctl()
{
	kml_put "$KML_FILE" "$1"
}

# The control file has to take this.
kml_do()
{
	answer=$(kml_ctl "$1")
	[ "$answer" = OK ] && return
	echo "writing $1: $answer"
	return 1
}

# One scan is a complete answer: nothing to wait for, before or after it.
kml_scan()
{
	kml_do scan
}

# The value that the statistics give to a name.
kml_stat()
{
	sed -n "s/^$1: //p" "$KML_STATS"
}

# kml_scan_by NUMBER: scans are made by one thread if it is odd, else by as many as there
# may be, by a detector that can have several.
kml_scan_by()
{
	[ ! -e "$KML_SCAN_THREADS" ] || echo $(($1 % 2)) > "$KML_SCAN_THREADS"
}

# What the stack depot keeps for ever; nothing if the kernel does not tell.
kml_depot_bytes()
{
	sed -n 's/^persistent_bytes: //p' "$KML_DEBUGFS/stackdepot/stats" 2> /dev/null
}

# The names of the detector's threads, one a line.
kml_threads()
{
	cat /proc/[0-9]*/comm 2>/dev/null | grep -x kmemleak
}

# kml_log [MARK]: the log since that line, or since the last kml_mark.
kml_mark()
{
	echo "$KML_MARK" > /dev/kmsg
}

kml_log()
{
	dmesg | awk -v mark="${1:-$KML_MARK}" 'index($0, mark) { lines = 0; next }
		{ line[++lines] = $0 } END { for (i = 1; i <= lines; i++) print line[i] }'
}

# What scripts ask to find out whether there is a detector that is on.
kml_probe()
{
	echo "$1" > "$KML_FILE"
} 2> /dev/null

# What the modules have logged that they leak: the lines after "expect".
kml_logged()
{
	kml_log | sed -n 's/.*: expect //p'
}

# kml_load NAME [PARAMETER...]: a test module, else one that is installed.
# What it leaks from here on is expected to carry its name.
kml_load()
{
	KML_MODULE=$1
	shift
	if [ -e "$KML_HERE/test_modules/$KML_MODULE.ko" ]; then
		insmod "$KML_HERE/test_modules/$KML_MODULE.ko" "$@"
	else
		modprobe "$KML_MODULE" "$@" 2>/dev/null
	fi
}

kml_loaded()
{
	grep -q "^$1 " /proc/modules
}

kml_unload()
{
	kml_loaded "$1" && rmmod "$1"
}

# kml_load_leaky FIXED: the driver in each of its patterns. It stays for the last
# one, since it takes the object back to its cache when it goes.
KML_PATTERNS="error_path exit_buffer refcount condition cache"

kml_load_leaky()
{
	kml_mark
	for pattern in $KML_PATTERNS; do
		kml_unload kmemleak_leaky
		kml_load kmemleak_leaky "pattern=$pattern" "fixed=$1" || return
	done
}

# What the tester module should do.
kml_make()
{
	answer=$(kml_put "$KML_TESTER/command" "$1")
	[ "$answer" = OK ] && return
	echo "command $1: $answer"
	return 1
}

# The first line of each record of the report.
kml_records()
{
	grep '^unreferenced object ' "$KML_FILE"
}

# The report is empty, which its size does not tell.
kml_nothing_reported()
{
	head -n 40 "$KML_FILE" > "$KML_TMP/reported"
	cat "$KML_TMP/reported"
	[ ! -s "$KML_TMP/reported" ]
}

kml_expected()
{
	cat "$KML_TESTER/expected"
}

# What was lost before must not count any more.
kml_forget()
{
	kml_scan && kml_do clear
}

# kml_lose_list NUMBER: a list of so many is all that is reported. What an attempt
# before this one has lost stays where it is, so that the list is elsewhere.
kml_lose_list()
{
	kml_forget && kml_make "list=$1" && kml_scan
}

# kml_list_told NUMBER "LEAKS DIRECT INDIRECT": what is told of that list. All are
# there, or the detector has taken something for a reference to one of them.
kml_list_told()
{
	[ "$2" != "$1 1 $(($1 - 1))" ] || return 0
	echo "leaks, direct and indirect ones: $2"
	[ "${2%% *}" = "$1" ] || return "$HIDDEN"
	return 1
}

# The same objects, of which all have this fate now, but for retired ones.
kml_all()
{
	awk -v fate="$1" '$4 != "any" { $4 = fate } { print }'
}

# The least and the largest number of frames that a record of what is leaked now has.
# Leaks of earlier attempts, or tests, that were hidden until now do not count.
kml_frame_numbers()
{
	kml_expected | awk '$4 != "any"' > "$KML_TMP/now"
	awk 'part == 1 { now[$1]; next }
		/^unreferenced object/ {
			if (mine)
				print nr
			nr = 0
			mine = $(NF - 2) in now
		}
		/^    [^ ]+\+0x[0-9a-f]+\/0x[0-9a-f]+/ { nr++ }
		END { if (mine) print nr }' part=1 "$KML_TMP/now" part=2 "$KML_FILE" |
		sort -n | sed -n '1p; $p' | xargs
}

# kml_compare_files REPORT EXPECTED [LATER [ONLY]]: a report with what is expected
# of it; see kmemleak_report.awk.
kml_compare_files()
{
	awk -v module="$KML_MODULE" -v later="${3:-quiet}" -v only="${4:-no}" \
		-f "$KML_HERE/kmemleak_report.awk" part=1 "$1" part=2 "$2"
}

# kml_compare [LATER [ONLY]] < EXPECTED: the report as it is now.
kml_compare()
{
	cat > "$KML_TMP/expected"
	cat "$KML_FILE" > "$KML_TMP/report"
	kml_compare_files "$KML_TMP/report" "$KML_TMP/expected" "$@"
}

# kml_tell_holders NUMBER < WRONG: who refers to the first so many leaks that
# kml_compare has not found, as long as they are there; five of the holders.
kml_tell_holders()
{
	for addr in $(sed -n 's/^not found: \(0x[0-9a-f]*\) .*/\1/p' | head -n "$1"); do
		kml_mark
		kml_do "refs=$addr"
		kml_log | sed -n 's/^[^a-z]*kmemleak: //p' | head -n 7
	done
}

# kml_grammar REPORT: it keeps to its grammar, up to its last byte; see
# kmemleak_grammar.awk.
kml_grammar()
{
	awk -f "$KML_HERE/kmemleak_grammar.awk" "$1" || return
	[ -z "$(tail -c 1 "$1")" ] && return
	echo "the last line has no end"
	return 1
}

# kml_strangers MODULES [REPORT]: the records, each in a line, but for those with a
# frame of such a module.
kml_strangers()
{
	awk -v modules="[[]($1)[]];" '
	function flush()
	{
		if (text != "" && text !~ modules)
			print text
		text = ""
	}
	/^unreferenced object / { flush() }
	{
		sub(/^ +/, "")
		text = text $0 "; "
	}
	END { flush() }' "${2:-$KML_FILE}"
}

# No record has a frame of the module.
kml_nothing_of_module()
{
	kml_compare quiet yes < /dev/null
}

# kml_test DESCRIPTION COMMAND...: one result. What the command prints tells
# why, if it fails.
#
# A pointer that the kernel has forgotten in some live object may happen to
# point at what we leak, and hides it, as from any detector of this kind. Then
# objects elsewhere are found. So a command that returns HIDDEN (2: leaks were
# not found, and nothing else is wrong) gets further attempts; it has to begin
# at the beginning each time. There are none after a false report.
#
# It is mostly vmalloc areas that are hidden; the vmap_area of a free range, which
# ends where the next area in use starts, is likely to be what points at them. That
# comes again: in one of several runs five attempts had been too few.
HIDDEN=2
ATTEMPTS="1 2 3 4 5 6 7 8 9 10"

kml_test()
{
	description=$1
	shift
	for KML_ATTEMPT in $ATTEMPTS; do
		# For scripts/test-guest.sh to count.
		[ "$KML_ATTEMPT" = 1 ] || echo "# further attempt: $description"
		"$@" > "$KML_TMP/why" 2>&1
		status=$?
		if [ "$status" = 0 ]; then
			ktap_test_pass "$description"
			return
		fi
		echo "# attempt $KML_ATTEMPT:"
		head -n 40 "$KML_TMP/why" | sed 's/^/# /'
		[ "$status" = "$HIDDEN" ] || break
		kml_tell_holders 3 < "$KML_TMP/why" | sed 's/^/# /'
		[ ! -e "$KML_TESTER" ] || kml_make retire
	done
	ktap_test_fail "$description"
}

# For tests of so many objects that one or the other is always hidden: what an
# attempt has found of some size, function and label counts for the next ones.
kml_found_so_far()
{
	"$@" > "$KML_TMP/missing" 2>&1
	status=$?
	cat "$KML_TMP/missing"
	[ "$status" = "$HIDDEN" ] || return "$status"

	sed -n 's/^not found: [^ ]* //p' "$KML_TMP/missing" | sort -u > "$KML_TMP/kinds"
	if [ "$KML_ATTEMPT" != 1 ]; then
		grep -x -F -f "$KML_TMP/kinds_before" "$KML_TMP/kinds" > "$KML_TMP/both"
		mv "$KML_TMP/both" "$KML_TMP/kinds"
	fi
	mv "$KML_TMP/kinds" "$KML_TMP/kinds_before"
	[ ! -s "$KML_TMP/kinds_before" ] || return "$HIDDEN"
}

kml_test_all()
{
	description=$1
	shift
	kml_test "$description" kml_found_so_far "$@"
}

# kml_has_time SINCE: what is repeated since then, in seconds, may go on. Where all takes
# long, there have to be fewer repetitions: the runner ends a test, see settings.
kml_has_time()
{
	[ $(($(date +%s) - $1)) -lt "${KML_PATIENCE:-120}" ]
}

# kml_answers COMMAND ANSWER: that is what the detector says to it.
kml_answers()
{
	answer=$(kml_ctl "$1")
	[ "$answer" = "$2" ] && return
	echo "$1 is answered with $answer"
	return 1
}

# What keeps the allocators of each CPU busy, as long as there is the file.
kml_start_load()
{
	touch "$KML_TMP/run"
	for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
		"$KML_HERE/kmemleak_load" "$KML_TMP/run" &
		while [ -e "$KML_TMP/run" ]; do
			cat "$cpu"/uevent /proc/self/maps /proc/self/mountinfo > /dev/null
		done &
	done
}

# Off, and all forgotten that was found.
kml_switch_off()
{
	case $(kml_ctl off) in
	OK | EPERM) kml_do clear && [ "$(kml_stat state)" = cleared ] ;;
	*) return 1 ;;
	esac
}

# On, but for the scan thread.
kml_switch_on()
{
	kml_do on && kml_ctl scan=off > /dev/null
}

# The test has come to know that the kernel has not what it needs.
kml_skip_rest()
{
	while [ "$KTAP_TESTNO" -le "$KSFT_NUM_TESTS" ]; do
		ktap_test_skip "$1"
	done
	ktap_finished
}

kml_no_splat()
{
	! kml_log "$KML_START" | awk -f "$KML_HERE/kmemleak_splats.awk" |
		grep -E 'WARNING: |BUG: |Oops|INFO: |[Cc]all [Tt]race'
}

kml_finish()
{
	kml_test "no warning in the log" kml_no_splat
	ktap_finished
}

# Everything takes longer in a kernel with lockdep, and it is not alone.
if [ -e /proc/lockdep ]; then
	KML_MANY=200000
	KML_PATIENCE=4
else
	KML_MANY=5000000
	KML_PATIENCE=1
fi

# Files, and seconds after which the watchdogs bark; that for soft lockups counts
# twice.
KML_WATCHDOGS="/proc/sys/kernel/watchdog_thresh=1
	/proc/sys/kernel/hung_task_timeout_secs=4
	/proc/sys/kernel/hung_task_check_interval_secs=1
	/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout=3
	/sys/module/workqueue/parameters/watchdog_thresh=3"

# Hundredths of a second since the boot: in $now.
kml_read_clock()
{
	read -r now _ < /proc/uptime
	now=${now%.*}${now#*.}
}

# Hundredths of a second for which a CPU with something to do has stood still, at most,
# in two seconds in which each had that. For a guest it is its host that lets it wait.
kml_longest_pause()
{
	for _ in $(seq "$(nproc)"); do
		(
			kml_read_clock
			begin=$now
			last=$now
			most=0
			while [ $((now - begin)) -lt 200 ]; do
				kml_read_clock
				[ $((now - last)) -le "$most" ] || most=$((now - last))
				last=$now
			done
			echo "$most"
		) &
	done | sort -n | tail -n 1
}

# Let all of them bark after a few seconds, up to the end of the test. What they
# have to say is found by kml_finish. Who spins waits for one CPU after the other, each
# of which may stand still: what is an eighth of a second in all makes no difference.
kml_watchdogs()
{
	times=$((KML_PATIENCE * (1 + $(nproc) * $(kml_longest_pause) / 13)))
	[ "$times" -le 15 ] || times=15
	[ "$times" = "$KML_PATIENCE" ] ||
		echo "# the host is busy: watchdogs take $times times as long"
	for setting in $KML_WATCHDOGS; do
		file=${setting%=*}
		[ -e "$file" ] || return
		echo "$(cat "$file") $file" >> "$KML_TMP/watchdogs"
		echo $((${setting#*=} * times)) > "$file" || return
	done
}

kml_restore_watchdogs()
{
	[ -e "$KML_TMP/watchdogs" ] || return
	while read -r value file; do
		echo "$value" > "$file"
	done < "$KML_TMP/watchdogs"
}

kml_cleanup()
{
	kml_restore_watchdogs
	rm -f "$KML_TMP/run"
	wait
	for module in kmemleak_selftest kmemleak_leaky kmemleak_lifecycle kmemleak_test \
		kmemleak_same_a kmemleak_same_b kmemleak_churn kmemleak_trickle \
		kmemleak_deferred kmemleak_shapes kmemleak_growth kmemleak_places; do
		kml_unload "$module"
	done
	for command in stack=on clear ${KML_HAD_THREAD:+scan=on}; do
		kml_ctl "$command" > /dev/null
	done
	rm -rf "$KML_TMP"
}

# kml_setup PLAN ["MODULE PARAMETER..."]: skip where there is nothing to test, else start
# from a report that is empty, and with scans that only the test asks for.
kml_setup()
{
	ktap_print_header
	[ "$(id -u)" = 0 ] || kml_skip_all "needs root"
	[ -e "$KML_FILE" ] || mount -t debugfs none "$KML_DEBUGFS" 2>/dev/null
	[ -e "$KML_FILE" ] || kml_skip_all "no $KML_FILE: needs CONFIG_DEBUG_KMEMLEAK and debugfs"
	[ -x "$KML_HERE/kmemleak_ctl" ] || kml_skip_all "kmemleak_ctl has not been built"

	KML_HAD_THREAD=$(kml_threads)
	case $(kml_ctl scan=off) in
	OK) ;;
	EPERM) kml_skip_all "kmemleak is off: boot with kmemleak=on (test_off.sh needs a reboot)" ;;
	*) kml_skip_all "kmemleak does not take commands" ;;
	esac

	KML_TMP=$(mktemp -d "${TMPDIR:-/tmp}/kmemleak.XXXXXX") || kml_skip_all "no temporary files"
	trap kml_cleanup EXIT
	KML_START="kmemleak selftest: $(basename "$0") $$"
	echo "$KML_START" > /dev/kmsg
	kml_mark
	# shellcheck disable=SC2086
	if [ -n "$2" ] && ! kml_load $2; then
		kml_skip_all "cannot load $2: have the test modules been built?"
	fi
	kml_scan > /dev/null
	kml_do clear > /dev/null

	# One more for what kml_finish has to say.
	ktap_set_plan $(($1 + 1))
}
